"""Which piece of a surface decides a Hausdorff distance."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import maskmeter as mm
from maskmeter.far_parts import FarPart, hausdorff_cause
from maskmeter.metrics.boundaries import RULES

Masks = st.tuples(*[arrays(np.bool_, (3, 4, 5))] * 2)


@pytest.mark.parametrize("convention", [None, *RULES])
@settings(max_examples=12)
@given(pair=Masks, percentile=st.sampled_from([47.3, 94.7, 100]))
def test_the_distance_is_that_of_the_metric(
    convention: str | None, pair: tuple[np.ndarray, np.ndarray], percentile: float
) -> None:
    gt, pred = pair
    spacing = (2.0, 0.7, 1.0)
    found = hausdorff_cause(gt, pred, percentile=percentile, convention=convention, spacing=spacing)
    value = mm.hausdorff(gt, pred, percentile=percentile, convention=convention, spacing=spacing)
    if found is None:
        assert (
            value == 0
            or math.isnan(value)
            or not (gt.any() and pred.any())
            or "mean" in RULES[convention or "mesh"].percentile
        )
        return
    assert isinstance(found, FarPart)
    if math.isinf(found.distance):  # of an open surface also where all of it lies on the end of the image
        assert convention == "seg_metrics" or (not (gt.any() and pred.any()) and found.shared == 0)
        return
    rule = RULES[convention or "mesh"]
    if rule.percentile != "mean" or percentile == 100:
        assert found.distance == pytest.approx(value, rel=1e-12)
    assert (gt if found.side == "gt" else pred)[found.at]
    assert 0 < found.share <= 1 and found.pieces >= 1
    assert found.voxels >= 1 and 0 <= found.shared <= found.voxels
    side, at, distance = found.peak
    assert (gt if side == "gt" else pred)[at]
    whole = mm.hausdorff(gt, pred, convention=convention, spacing=spacing)
    if not rule.open and whole == whole:
        assert distance == pytest.approx(whole, rel=1e-12)


def test_a_stray_piece_is_found() -> None:
    gt = np.zeros((9, 40, 40), np.uint8)
    gt[2:7, 5:20, 5:20] = 3
    gt[1, 30:34, 30:34] = 5
    pred = gt.copy()
    pred[2:4, 35:39, 5:9] = 3  # an object that is not there
    found = hausdorff_cause(gt, pred, percentile=95, spacing=(2.0, 1.0, 1.0))
    assert isinstance(found, dict) and found[5] is None and found[0] is None
    part = found[3]
    assert part is not None
    assert (part.side, part.voxels, part.shared, part.pieces) == ("pred", 32, 0, 1)
    assert part.beyond[0] == 0 and 0 < part.beyond[1] <= 0.05
    assert all(low <= x < high for x, (low, high) in zip(part.at, ((2, 4), (35, 39), (5, 9)), strict=True))
    assert part.farthest >= part.distance == mm.hausdorff(gt, pred, percentile=95, spacing=(2.0, 1.0, 1.0))[3]
    assert part.peak[0] == "pred" and part.peak[2] == mm.hausdorff(gt, pred, spacing=(2.0, 1.0, 1.0))[3]


def test_a_tip_that_is_missed_belongs_to_its_object() -> None:
    gt = np.zeros((30, 30), bool)
    gt[10:14, 2:28] = True
    pred = gt.copy()
    pred[:, 20:] = False
    found = hausdorff_cause(gt, pred, percentile=90)
    assert isinstance(found, FarPart)
    assert (found.side, found.voxels, found.shared, found.pieces) == ("gt", 104, 72, 1)
    assert found.at[1] == 27 and found.size == pytest.approx(found.share * 60, rel=0.1)


def test_a_miss_is_infinite() -> None:
    gt = np.zeros((8, 8), bool)
    gt[1:4, 1:4] = gt[6, 6] = True
    found = hausdorff_cause(gt, np.zeros_like(gt))
    assert isinstance(found, FarPart)
    assert (found.distance, found.side, found.beyond, found.voxels, found.pieces) == (math.inf, "gt", (1, 0), 9, 2)
    assert max(abs(x - 2) for x in found.at) == 1, "the middle of its border"
