"""The face of pycocotools.mask: its results on masks that are masks, clear errors where it guesses."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from maskmeter.compat.pycocotools import mask
from maskmeter.errors import MaskmeterError

stacks = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 1))
)
coordinates = st.one_of(st.integers(-5, 25).map(float), st.floats(-5, 25), st.integers(-10, 50).map(lambda x: x / 2))
polygons = st.lists(
    st.lists(coordinates, min_size=6, max_size=16).map(lambda p: p[: len(p) // 2 * 2]), min_size=1, max_size=3
)
boxes = arrays(np.float64, (3, 4), elements=st.floats(0, 20))


def test_vectors(shared_data: Path) -> None:
    for case in json.loads((shared_data / "expected" / "mask_vectors.json").read_text()):
        if case["kind"] == "poly":
            (encoded,) = mask.frPyObjects([case["poly"]], case["h"], case["w"])
        elif case["kind"] == "mask":
            encoded = mask.encode(np.asarray(case["mask"], np.uint8, order="F"))
        else:
            continue
        assert encoded["counts"].decode() == case["string"], case["name"]
        assert mask.area(encoded) == case["area"], case["name"]
        assert mask.toBbox(encoded).tolist() == case["bbox"], case["name"]
        plain = mask.frPyObjects({"size": encoded["size"], "counts": case["counts"]}, 1, 1)
        assert plain == encoded, case["name"]


@given(stacks)
def test_encode_and_decode(stack: np.ndarray) -> None:
    encoded = mask.encode(stack)
    assert (mask.decode(encoded) == stack).all()
    assert (mask.decode(encoded[0]) == stack[:, :, 0]).all()
    assert mask.area(encoded).tolist() == stack.sum((0, 1)).tolist()
    assert (mask.decode(mask.merge(encoded)) == stack.any(2)).all()
    assert (mask.decode(mask.merge(encoded, True)) == stack.all(2)).all()


def test_masks_as_json_has_them() -> None:
    square = {"size": [10, 10], "counts": "f04600000V1"}
    assert mask.area(square) == 16 and mask.area(square).dtype == np.uint32
    assert mask.toBbox([square]).tolist() == [[2, 2, 4, 4]]
    assert mask.merge([]) == {"size": [0, 0], "counts": b""}
    assert mask.iou([square], [], []) == [] and mask.area([]).shape == (0,) and mask.toBbox([]).shape == (0, 4)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: mask.area({"size": [10, 10], "counts": "f046"}), "mask 0: its counts add up to"),
        (lambda: mask.area([{"size": [2, 2], "counts": b"4"}, {"size": [2, 2], "counts": b"5"}]), "mask 1: .* beyond"),
        (lambda: mask.area({"size": [2, 2], "counts": "4é"}), "character"),
        (lambda: mask.area({"size": [2, 2], "counts": [4]}), "no dict with a size"),
        (lambda: mask.area({"counts": b"4"}), "no dict with a size"),
        (lambda: mask.frPyObjects([[1, 1, 3, 3]], 5, 5), "a box or a polygon of two points"),
        (lambda: mask.frPyObjects([[1, 1, 3, 1, 3, 3, 1]], 5, 5), "odd number"),
        (lambda: mask.frPyObjects([[1, 1, 3, 1, 3, float("nan")]], 5, 5), "coordinate"),
        (lambda: mask.frPyObjects({"size": [2, 2], "counts": [1.5, 2.5]}, 2, 2), "integers"),
        (lambda: mask.frPyObjects({"size": [2, 2], "counts": [5, -1]}, 2, 2), "beyond"),
        (lambda: mask.frPyObjects([], 5, 5), "masks come from"),
        (lambda: mask.merge([{"size": [2, 2], "counts": b"4"}, {"size": [1, 4], "counts": b"4"}]), "different sizes"),
        (lambda: mask.decode([]), "at least one"),
        (lambda: mask.iou([{"size": [2, 2], "counts": b"4"}], [[0, 0, 1, 1]], [0]), "boxes with boxes"),
        (lambda: mask.iou([[0, 0, 1, 1]], [[0, 0, 1, 1]], [0, 1]), "iscrowd"),
        (lambda: mask.iou([[0, 0, 1]], [[0, 0, 1, 1]], [0]), "rows of x, y"),
    ],
)
def test_what_is_no_mask(call: Any, says: str) -> None:
    with pytest.raises(MaskmeterError, match=says):
        call()


@pytest.fixture(scope="module")
def peer() -> Any:
    return pytest.importorskip("pycocotools.mask", reason="asks pycocotools")


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # the peer's own
@given(stacks, st.integers(0, 3))
def test_masks_of_the_peer(peer: Any, stack: np.ndarray, values: int) -> None:
    if values == 3:
        stack = stack * np.arange(1, stack[..., :1].size + 1, dtype=np.uint8).reshape(*stack.shape[:2], 1)
    stack = np.asfortranarray(stack)
    ours, theirs = mask.encode(stack), peer.encode(stack)
    assert ours == theirs
    assert (mask.decode(ours) == peer.decode(theirs)).all()
    assert mask.area(ours).tolist() == peer.area(theirs).tolist()
    assert mask.toBbox(ours).tolist() == peer.toBbox(theirs).tolist()
    for intersect in (False, True):
        assert mask.merge(ours, intersect) == peer.merge(theirs, intersect)
    crowd = [i % 2 for i in range(len(ours))]
    assert mask.iou(ours, ours, crowd).tolist() == peer.iou(theirs, theirs, crowd).tolist()


@pytest.mark.peers
@given(polygons, st.integers(1, 20), st.integers(1, 20))
def test_polygons_of_the_peer(peer: Any, several: list[list[float]], height: int, width: int) -> None:
    ours, theirs = mask.frPyObjects(several, height, width), peer.frPyObjects(several, height, width)
    assert ours == theirs
    assert mask.merge(ours) == peer.merge(theirs)


@pytest.mark.peers
@given(boxes, boxes)
def test_boxes_of_the_peer(peer: Any, dt: np.ndarray, gt: np.ndarray) -> None:
    crowd = [0, 1, 0]
    assert mask.iou(dt, gt, crowd).tolist() == peer.iou(dt, gt, crowd).tolist()
    assert mask.frPyObjects(dt, 20, 20) == peer.frPyObjects(dt, 20, 20)
