"""Masks that overlap one another: stacks, lists and RLE against dense counting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import maskmeter as mm
from maskmeter.rle import from_arrays
from maskmeter.statistics.instances import overlap

from .reference.overlap import matched, table

STACKS = st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 5), st.integers(1, 6)).flatmap(
    lambda n: st.tuples(arrays(np.bool_, (n[0], *n[2:])), arrays(np.bool_, (n[1], *n[2:])))
)


def rle(mask: np.ndarray) -> dict[str, Any]:
    flat = mask.T.ravel().astype(int)
    edges = np.flatnonzero(np.diff(flat, prepend=0)).tolist()
    return {"size": list(mask.shape), "counts": np.diff([0, *edges, flat.size]).tolist()}


@given(STACKS)
def test_stacks_lists_and_rle_count_what_dense_masks_share(sides: tuple[Any, Any]) -> None:
    gt, pred = ([m for m in side if m.any()] for side in sides)
    stack = [np.stack(x) if x else np.empty((0, *sides[0].shape[1:]), bool) for x in (gt, pred)]
    o = overlap(*stack, stack=True)
    found = {
        (o.gt_id[a] - 1, o.pred_id[b] - 1): n for a, b, n in zip(o.pair_gt, o.pair_pred, o.pair_pixels, strict=True)
    }
    assert found == {(i, j): n for i, a in enumerate(gt) for j, b in enumerate(pred) if (n := (a & b).sum())}
    assert sorted(o.gt_size.tolist()) == sorted(int(m.sum()) for m in gt)
    assert not o.disjoint
    if gt and pred:
        tp = len(matched(table(gt, pred), 0.5))
        expected = 2 * tp / (len(gt) + len(pred))
        assert mm.object_f1(gt, pred, iou=0.5) == expected
        assert mm.object_f1(*stack, iou=0.5, stack=True) == expected
        assert mm.object_f1([rle(m) for m in gt], [rle(m) for m in pred], iou=0.5) == expected
        packed = from_arrays(gt), from_arrays(pred)
        assert mm.object_f1(*packed, iou=0.5) == expected
        size = list(gt[0].shape)
        text, raw = packed[0].to_strings(), packed[1].to_strings()
        compressed = [{"size": size, "counts": c.decode()} for c in text], [{"size": size, "counts": c} for c in raw]
        assert mm.object_f1(*compressed, iou=0.5) == expected
        assert np.isnan(mm.rand_index(gt, pred))


def test_masks_that_are_none_are_refused_by_their_place() -> None:
    full, empty = np.ones((2, 3), bool), np.zeros((2, 3), bool)
    for side, why in (
        ([full, empty], "mask 2 of the prediction has no pixel"),
        ([full, np.ones((3, 3), bool)], "different shapes"),
        ([np.ones((3, 3), bool)], "shape"),
        ([{"size": [2, 3], "counts": [0, 7]}], "mask 1 of the prediction: its counts go beyond the 6 pixels"),
        ([{"size": [2, 3], "counts": [0, 5]}], "add up to 5"),
        ([{"size": [2, 3], "counts": [-1, 7]}], "negative"),
        ([{"size": [2, 3], "counts": [0.5, 5.5]}], "no list of integers"),
        ([{"size": [2, 3], "counts": "06\x7f"}], "character"),
        ([{"size": [2, 3], "counts": "0"}], "add up"),
        ([{"size": 6, "counts": [0, 6]}], "height and a width"),
        ([{"counts": [0, 6]}], "height and a width"),
        ([{"size": [2, 3], "counts": [0, 6]}], "both as RLE"),
    ):
        with pytest.raises(mm.LabelError, match=why):
            overlap([full], side)
    with pytest.raises(mm.UsageError, match="no facts but scores"):
        overlap([full], [full], ignore=3)
    with pytest.raises(mm.LabelError, match="boolean"):
        overlap(full[None].astype(int), full[None], stack=True)
