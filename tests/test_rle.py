"""Masks as run lengths: equal to their plain twins and to pycocotools, and no nonsense gets in."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from maskmeter import rle
from maskmeter.rle import MaskError, Masks, boundary, from_arrays, from_counts, from_labels, from_polygons, from_strings
from reference.rle import boundary_of, box_of, counts_of, polygon_counts, string_of

VECTORS = Path(__file__).parents[2] / "shared/data/expected/mask_vectors.json"

masks = arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)))
stacks = st.tuples(st.integers(1, 8), st.integers(1, 8)).flatmap(
    lambda shape: st.lists(arrays(np.bool_, shape), min_size=1, max_size=4)
)


def one(m: Masks, i: int = 0) -> list[int]:
    return m.counts[m.offsets[i] : m.offsets[i + 1]].tolist()


@given(stacks)
def test_arrays_and_back(stack: list[np.ndarray]) -> None:
    packed = from_arrays(stack)
    for i, mask in enumerate(stack):
        assert one(packed, i) == counts_of(mask)
        assert (packed.to_array(i) == mask).all()
    assert packed.areas().tolist() == [int(m.sum()) for m in stack]
    assert packed.boxes().tolist() == [box_of(m) for m in stack]


@given(stacks)
def test_strings_and_back(stack: list[np.ndarray]) -> None:
    packed = from_arrays(stack)
    strings = packed.to_strings()
    assert strings == [string_of(counts_of(m)) for m in stack]
    ends = np.cumsum([0, *map(len, strings)])
    again = from_strings(b"".join(strings), np.stack([ends[:-1], ends[1:]], 1), packed.sizes)
    assert again.counts.tolist() == packed.counts.tolist() and again.offsets.tolist() == packed.offsets.tolist()


def content_of(runs: list[int]) -> int:
    """The plain twin of the number that is made of runs."""
    total, word = 0, 2**64
    for place, run in enumerate(runs):
        x = ((run + 1) * 0x9E3779B97F4A7C15 + (place + 1) * 0xBF58476D1CE4E5B9) % word
        total += (x ^ x >> 31) * 0x94D049BB133111EB
    return total % word


@given(stacks, st.data())
def test_outlines_of_strings_and_runs(stack: list[np.ndarray], data: st.DataObject) -> None:
    packed = from_arrays(stack)
    coded = np.array(data.draw(st.lists(st.booleans(), min_size=len(stack), max_size=len(stack))), bool)
    strings = packed.to_strings()
    ends = np.cumsum([0, *map(len, strings)])
    lengths = np.where(coded, 0, np.diff(packed.offsets))
    runs = [r for i in np.flatnonzero(~coded).tolist() for r in one(packed, i)]
    others = Masks(np.array(runs, np.uint32), np.append(0, np.cumsum(lengths)), packed.sizes)
    found = rle.outlines(b"".join(strings), np.stack([ends[:-1], ends[1:]], 1), others, packed.sizes)
    assert found.measures.tolist() == packed.measures.tolist()
    assert found.measures[:, 0].tolist() == [int(m.sum()) for m in stack]
    assert found.measures[:, 1:].tolist() == [box_of(m) for m in stack]
    assert found.contents(np.arange(len(found))).tolist() == [content_of(counts_of(m)) for m in stack]
    assert (rle.iou(found, packed) == rle.iou(packed, packed)).all() and (
        rle.iou(found, found) == rle.iou(packed, packed)
    ).all()
    at = data.draw(st.lists(st.integers(0, len(stack) - 1), max_size=6))
    assert (rle.iou(found.take(at), found) == rle.iou(packed.take(at), packed)).all()
    shared = [int((a & b).sum()) for a in stack for b in stack]
    every = np.indices((len(stack), len(stack))).reshape(2, -1)
    assert rle.intersections(found, found, (every[0], every[1])).tolist() == shared


@given(st.lists(st.integers(0, 300_000), min_size=1, max_size=12))
def test_long_runs_survive_the_compressed_form(runs: list[int]) -> None:
    size = [[1, sum(runs)]]
    string = string_of(runs)
    assert one(from_strings(string, [[0, len(string)]], size)) == runs
    assert one(from_counts(runs, [0, len(runs)], size)) == runs
    assert from_counts(runs, [0, len(runs)], size).to_strings() == [string]


@given(stacks, st.booleans())
def test_merging_is_any_or_all(stack: list[np.ndarray], intersect: bool) -> None:
    whole = np.all(stack, axis=0) if intersect else np.any(stack, axis=0)
    merged = from_arrays(stack).merged(intersect=intersect)
    assert (merged.to_array(0) == whole).all()
    if len(stack) > 1:
        assert one(merged) == counts_of(whole)


@given(stacks, st.data())
def test_iou_of_all_pairs(stack: list[np.ndarray], data: st.DataObject) -> None:
    crowd = data.draw(arrays(np.bool_, len(stack)))
    other = [data.draw(arrays(np.bool_, stack[0].shape)) for _ in stack]
    found = rle.iou(from_arrays(other), from_arrays(stack), crowd)
    for d, a in enumerate(other):
        for g, b in enumerate(stack):
            i, u = int((a & b).sum()), int(a.sum() if crowd[g] else (a | b).sum())
            assert found[d, g] == (i / u if i else 0.0)


def test_masks_of_other_sizes() -> None:
    a, b = from_arrays([np.ones((3, 4))]), from_arrays([np.ones((4, 3))])
    assert rle.iou(a, b).tolist() == [[-1.0]]
    with pytest.raises(rle.LabelError, match="different sizes"):
        rle.joined([a, b]).merged()


@given(stacks, st.integers(0, 4))
def test_the_boundary_is_a_band_of_kings_steps(stack: list[np.ndarray], width: int) -> None:
    found = boundary(from_arrays(stack), width)
    for i, mask in enumerate(stack):
        expected = boundary_of(mask, width)
        assert (found.to_array(i) == expected).all()
        assert one(found, i) == counts_of(expected)


@given(st.data())
def test_polygons_are_filled_as_their_twin_fills_them(data: st.DataObject) -> None:
    h, w = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 20))
    number = st.one_of(st.integers(-8, 30).map(float), st.floats(-8, 30), st.integers(-80, 300).map(lambda v: v / 10))
    corners = data.draw(st.lists(number, min_size=6, max_size=16).filter(lambda x: len(x) % 2 == 0))
    made = from_polygons(corners, [0, len(corners)], [0, 1], [[h, w]])
    assert one(made) == polygon_counts(corners, h, w)


def test_polygons_of_one_mask_are_united() -> None:
    squares = [1, 1, 5, 1, 5, 5, 1, 5, 3, 3, 8, 3, 8, 8, 3, 8]
    made = from_polygons(squares, [0, 8, 16], [0, 2, 2], [[10, 10], [4, 4]])
    assert made.areas().tolist() == [16 + 25 - 4, 0] and one(made, 1) == [16]


@given(arrays(np.int64, st.tuples(st.integers(0, 8), st.integers(0, 8)), elements=st.integers(-2, 4)))
def test_label_maps_as_masks(labels: np.ndarray) -> None:
    found, ids = from_labels(labels)
    assert ids.tolist() == sorted(set(labels.ravel().tolist()) - {0}) and len(found) == len(ids)
    for i, k in enumerate(ids.tolist()):
        assert one(found, i) == counts_of(labels == k)


@given(stacks, st.data())
def test_taking(stack: list[np.ndarray], data: st.DataObject) -> None:
    at = data.draw(st.lists(st.integers(0, len(stack) - 1), max_size=6))
    packed = from_arrays(stack).take(at)
    assert [one(packed, i) for i in range(len(at))] == [counts_of(stack[k]) for k in at]
    assert packed.sizes.tolist() == [list(stack[k].shape) for k in at]


GOOD = string_of([4, 4, 4])


@pytest.mark.parametrize(
    ("text", "size", "says"),
    [
        (GOOD[:-1] + b"p", [3, 4], "a character that cannot be in them"),
        (b"\xff", [3, 4], "a character that cannot be in them"),
        (b"5R", [3, 4], "end in the middle of a number"),
        (string_of([4, 4]), [3, 4], r"add up to 8, not to the 12 pixels \(3 x 4\)"),
        (string_of([4, 4, 5]), [3, 4], "go beyond the 12 pixels"),
        (string_of([4, -1, 9]), [3, 4], r"negative \(-1\)"),
        (b"o" * 30 + b"0", [3, 4], "too large"),
        (b"", [3, 4], "add up to 0"),
        (GOOD, [-3, -4], "no size of a mask"),
        (GOOD, [2**31, 2**31], "no size of a mask"),
    ],
)
def test_strings_that_are_no_mask(text: bytes, size: list[int], says: str) -> None:
    whole = GOOD + text
    with pytest.raises(MaskError, match=says) as caught:
        from_strings(whole, [[0, len(GOOD)], [len(GOOD), len(whole)]], [[3, 4], size])
    assert caught.value.index == 1
    none = Masks(np.empty(0, np.uint32), np.zeros(3, np.int64), np.zeros((2, 2), np.int64))
    with pytest.raises(MaskError, match=says) as caught:
        rle.outlines(whole, [[0, len(GOOD)], [len(GOOD), len(whole)]], none, [[3, 4], size])
    assert caught.value.index == 1
    assert pickle.loads(pickle.dumps(caught.value)).index == 1


@pytest.mark.parametrize(
    ("polygon", "says"),
    [
        ([1, 1, 5, 5], "2 points"),
        ([], "0 points"),
        ([1, 1, 5, 5, 3], "odd number"),
        ([1, 1, 5, float("nan"), 3, 4], "coordinate nan"),
        ([1, 1, 5, 1e300, 3, 4], r"coordinate 1e\+300"),
        ([1, 1, 5, 1e9, 3, 4], r"coordinate 1e\+09"),
        ([1, float("-inf"), 5, 1, 3, 4], "coordinate -inf"),
    ],
)
def test_polygons_that_are_none(polygon: list[float], says: str) -> None:
    with pytest.raises(MaskError, match=says):
        from_polygons(polygon, [0, len(polygon)], [0, 1], [[10, 10]])


def test_arrays_that_would_lead_outside_are_refused() -> None:
    good = from_arrays(np.ones((2, 3, 4)))
    for counts, offsets in [(good.counts, [0, 2, 9]), (good.counts, [0, 3, 2]), (good.counts, [-1, 2, 4])]:
        bad = Masks(counts, np.array(offsets), good.sizes)
        for use in (Masks.areas, Masks.to_strings, Masks.merged, lambda m: boundary(m, 1)):
            with pytest.raises(ValueError, match="offsets must rise"):
                use(bad)
    with pytest.raises(ValueError, match="spans must lie"):
        from_strings(b"44", [[0, 3]], [[1, 1]])
    with pytest.raises(IndexError):
        rle.intersections(good, good, ([0], [2]))
    with pytest.raises(MaskError, match="do not add up"):
        boundary(Masks(good.counts, good.offsets, good.sizes * 2), 1)


@pytest.mark.skipif(not VECTORS.exists(), reason="the sample data is not here")
def test_vectors_of_pycocotools() -> None:
    for v in json.loads(VECTORS.read_text()):
        if v["kind"] == "poly":
            polygons = v["poly"] if isinstance(v["poly"][0], list) else [v["poly"]]
            flat = [x for p in polygons for x in p]
            ends = np.cumsum([0, *map(len, polygons)])
            made = from_polygons(flat, ends, [0, len(polygons)], [[v["h"], v["w"]]])
        elif "mask" in v and v["name"] != "values2":
            made = from_arrays([v["mask"]])
        else:
            continue
        assert one(made) == v["counts"] and made.to_strings() == [v["string"].encode()], v["name"]
        assert made.areas().tolist() == [v["area"]] and made.boxes().tolist() == [v["bbox"]], v["name"]


@pytest.mark.peers
def test_random_masks_and_polygons_as_pycocotools() -> None:
    coco = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(0)
    for _ in range(3000):
        h, w = rng.integers(1, 60, 2).tolist()
        n = int(rng.integers(3, 12))
        scale = rng.choice([1.0, 0.1, 0.5, 1e-3])
        xy = (rng.integers(-10 / scale, 70 / scale, 2 * n) * scale).tolist()
        theirs = coco.frPyObjects([xy], h, w)
        made = from_polygons(xy, [0, len(xy)], [0, 1], [[h, w]])
        assert made.to_strings()[0] == theirs[0]["counts"]
        assert made.boxes()[0].tolist() == coco.toBbox(theirs)[0].tolist()
        dense = np.asfortranarray(rng.random((h, w)) < rng.random(), np.uint8)
        encoded = coco.encode(dense)
        packed = from_arrays([dense])
        assert packed.to_strings()[0] == encoded["counts"]
        assert packed.boxes()[0].tolist() == coco.toBbox(encoded).tolist()
        crowd = int(rng.integers(2))
        assert rle.iou(made, packed, [bool(crowd)])[0, 0] == coco.iou(theirs, [encoded], [crowd])[0, 0]
        assert rle.joined([made, packed]).merged().to_strings()[0] == coco.merge([*theirs, encoded])["counts"]


def test_threads_move_neither_measures_nor_which_mask_is_named():
    rng = np.random.default_rng(0)
    masks = rle.from_arrays(rng.random((7, 5, 6)) < 0.5)
    parts = masks.to_strings()
    ends = np.cumsum([0, *map(len, parts)])
    spans, none = (
        np.stack([ends[:-1], ends[1:]], 1),
        rle.Masks(np.empty(0, np.uint32), np.zeros(8, np.int64), masks.sizes),
    )
    for threads in (1, 2, 3, 50):
        o = rle.outlines(b"".join(parts), spans, none, masks.sizes, threads)
        np.testing.assert_array_equal(o.measures, masks.measures)
        wrong = spans.copy()
        wrong[[2, 5], 1] -= 1
        with pytest.raises(rle.MaskError) as error:
            rle.outlines(b"".join(parts), wrong, none, masks.sizes, threads)
        assert error.value.index == 2
