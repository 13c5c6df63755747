"""Kernels on runs and on the graph of objects: each equals its plain twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from maskmeter import kernels
from reference import label_runs as twin
from reference.joint_counts import joint_counts
from reference.png import raw_of

SHAPES = [(1, 1), (1, 2), (3, 1), (5, 7), (9, 64), (12, 200), (4, 777)]


def image(rng: np.random.Generator, shape: tuple[int, int], style: str) -> np.ndarray:
    """Colours in runs, in blocks that repeat from row to row, as noise, or as noise in a corner of a block."""
    palette = rng.integers(0, 256, (6, 3), np.uint8)
    if style == "noise":
        return rng.integers(0, 256, (*shape, 3), np.uint8)
    blocks = palette[(np.add.outer(np.arange(shape[0]) // 5 * 3, np.arange(shape[1]) // 17)) % 6]
    if style == "mixed":
        blocks[: shape[0] // 2, : shape[1] // 3] = rng.integers(0, 256, (shape[0] // 2, shape[1] // 3, 3), np.uint8)
    if style == "shades":  # neighbours that differ in one channel only, around the wrap from 255 to 0
        blocks = np.zeros((*shape, 3), np.uint8)
        blocks[..., 1] = (np.arange(shape[1]) // 9 + 250) % 256
        blocks[shape[0] // 2 :, :, 2] = 255
    return np.ascontiguousarray(blocks)


def check(rgb: np.ndarray, filters: list[int]) -> None:
    raw = raw_of(rgb, 8, False, filters.__getitem__)
    runs = kernels.png_id_runs(raw, rgb.shape[1], rgb.shape[0])
    assert (runs.ends.tolist(), runs.labels.tolist()) == twin.id_runs(rgb)
    np.testing.assert_array_equal(runs.array(), rgb.astype(np.int64) @ [1, 256, 65536])


@pytest.mark.parametrize("style", ["blocks", "noise", "mixed", "shades"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_runs_of_a_png(shape: tuple[int, int], style: str) -> None:
    """Each filter by itself, and all in turn."""
    rng = np.random.default_rng(sum(shape))
    rgb = image(rng, shape, style)
    for only in range(5):
        check(rgb, [only] * shape[0])
    check(rgb, [(3 * j) % 5 for j in range(shape[0])])


@given(data=st.data())
def test_the_runs_of_any_png(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 90)))
    rgb = data.draw(hnp.arrays(np.uint8, (*shape, 3), elements=st.sampled_from([0, 1, 128, 255])))
    check(rgb, data.draw(st.lists(st.integers(0, 4), min_size=shape[0], max_size=shape[0])))


def test_a_png_that_is_none() -> None:
    with pytest.raises(ValueError, match="another size"):
        kernels.png_id_runs(bytes(10), 3, 2)
    for width in (1, 300):
        with pytest.raises(ValueError, match="filter"):
            kernels.png_id_runs(b"\x05" + bytes(3 * width), width, 1)


@given(data=st.data())
def test_joint_counts_of_runs(data: st.DataObject) -> None:
    size = data.draw(st.integers(0, 60))
    maps = [data.draw(hnp.arrays(np.int64, size, elements=st.sampled_from([0, 1, 2**40]))) for _ in range(2)]
    a, b = (runs_of(x) for x in maps)
    for got, want in zip(kernels.joint_counts(a, b), joint_counts(*maps), strict=True):
        np.testing.assert_array_equal(got, want)
    mask = data.draw(hnp.arrays(np.bool_, size))
    for got, want in zip(kernels.joint_counts(a, b, mask), joint_counts(*maps, mask), strict=True):
        np.testing.assert_array_equal(got, want)


def runs_of(x: np.ndarray) -> kernels.LabelRuns:
    ends = np.append(np.flatnonzero(np.diff(x)) + 1, x.size)[: x.size]
    return kernels.LabelRuns(x.shape, ends, x[ends - 1])


def test_runs_of_maps_of_different_size_are_refused() -> None:
    with pytest.raises(ValueError, match="same size"):
        kernels.joint_counts(runs_of(np.zeros(3, np.int64)), runs_of(np.zeros(4, np.int64)))


@given(data=st.data(), nodes=st.integers(1, 12), rounds=st.integers(0, 4))
def test_fingerprints(data: st.DataObject, nodes: int, rounds: int) -> None:
    """Equal to the twin, and the same for each node however nodes and edges are numbered."""
    facts = data.draw(st.lists(st.integers(0, 2**64 - 1), min_size=nodes, max_size=nodes))
    node = st.integers(0, nodes - 1)
    edges = data.draw(st.lists(st.tuples(node, node, st.integers(-(2**63), 2**63 - 1)), max_size=20))
    found = made(facts, edges, rounds)
    assert found == twin.fingerprints(facts, edges, rounds)
    to = data.draw(st.permutations(range(nodes)))
    other = made([facts[to.index(k)] for k in range(nodes)], [(to[h], to[t], f) for h, t, f in edges[::-1]], rounds)
    assert [other[to[k]] for k in range(nodes)] == found


def made(facts: list[int], edges: list[tuple[int, int, int]], rounds: int) -> list[int]:
    here, there, fact = np.array(edges, np.int64).reshape(-1, 3).T
    return kernels.fingerprints(np.array(facts, np.uint64), here, there, fact, rounds).tolist()


def test_edges_end_at_nodes() -> None:
    with pytest.raises(ValueError, match="not there"):
        made([1, 2], [(0, 2, 5)], 1)
