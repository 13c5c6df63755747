"""Kernels on runs and on the graph of objects: each equals its plain twin."""

from __future__ import annotations

import math
from typing import Any

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


def test_joint_tables() -> None:
    a, b = np.array([[0, 0, 5], [2**40, 5, 5]]), np.array([[7, -1, 7], [7, 300, 7]])
    for maps in ((a, b), (runs_of(a.ravel()), runs_of(b.ravel()))):
        t = kernels.joint_table(*maps)
        assert t.rows.tolist() == [0, 5, 2**40] and t.row_totals.tolist() == [2, 3, 1]
        assert t.columns.tolist() == [-1, 7, 300] and t.column_totals.tolist() == [1, 4, 1]
        assert list(zip(t.row.tolist(), t.column.tolist(), t.pixels.tolist(), strict=True)) == [
            (0, 0, 1), (0, 1, 1), (1, 1, 2), (1, 2, 1), (2, 1, 1)
        ]  # fmt: skip
    assert [x.size for x in kernels.joint_table(a[:0], b[:0])] == [0] * 7
    assert kernels.joint_table(a, b, a == 5).pixels.tolist() == [2, 1]


SMALL = st.integers(0, 3)
SCORES = st.sampled_from([math.nan, -1.0, 0.5])


@given(data=st.data(), rounds=st.integers(0, 3))
def test_object_order(data: st.DataObject, rounds: int) -> None:
    """Equal to the twin, and the same objects in the same order however they are numbered."""
    gt = data.draw(st.lists(st.tuples(SMALL, SMALL, SMALL, st.integers(0, 1)), max_size=6))
    pred = data.draw(st.lists(st.tuples(SMALL, SMALL, SMALL, SMALL, SCORES), max_size=6))
    places = st.tuples(st.integers(0, max(len(gt) - 1, 0)), st.integers(0, max(len(pred) - 1, 0)))
    meet = st.dictionaries(places, st.tuples(SMALL, SMALL, st.integers(0, 1)), max_size=8 if gt and pred else 0)
    pairs = [(*at, *shared) for at, shared in data.draw(meet).items()]
    found = ordered(gt, pred, pairs, rounds)
    assert found == twin.object_order(gt, pred, pairs, rounds)
    to, of = data.draw(st.permutations(range(len(gt)))), data.draw(st.permutations(range(len(pred))))
    moved = [(to.index(g), of.index(p), *shared) for g, p, *shared in pairs][::-1]
    again = ordered([gt[i] for i in to], [pred[i] for i in of], moved, rounds)
    for side, moves, one, other in ((gt, to, again[0], found[0]), (pred, of, again[1], found[1])):
        sizes_and_more = [(x[0], *x[2:4]) for x in side]  # classes count by whether they are equal
        assert [sizes_and_more[moves[i]] for i in one] == [sizes_and_more[i] for i in other]


def ordered(gt: list[Any], pred: list[Any], pairs: list[Any], rounds: int) -> tuple[list[int], ...]:
    g, p, n = (np.array(x, float).reshape(-1, width).T for x, width in ((gt, 4), (pred, 5), (pairs, 5)))
    whole = [[column.astype(np.int64) for column in x] for x in (g, p[:4], n)]
    return tuple(x.tolist() for x in kernels.object_order(whole[0], whole[1], p[4], whole[2], rounds))


def test_columns_of_objects_belong_together() -> None:
    with pytest.raises(ValueError, match="not there"):
        ordered([(1, 1, 0, 0)], [(1, 1, 0, 0, 0.5)], [(0, 1, 1, 0, 0)], 1)
    one = [np.ones(1, np.int64)]
    with pytest.raises(ValueError, match="one length"):
        kernels.object_order(one * 4, one * 4, np.ones(2), one * 5, 1)
