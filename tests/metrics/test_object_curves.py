"""Objects against the threshold, beside the object metrics at that threshold and a plain count of what is touched."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

import maskmeter as mm
from maskmeter.metrics import froc_curve, froc_score, froc_sensitivity, object_curve
from maskmeter.statistics.object_scores import ObjectScores
from maskmeter.thresholded import object_scores

MAPS = arrays(np.uint8, (7, 9), elements=st.sampled_from([0, 60, 120, 180, 240]))
MASKS = arrays(np.bool_, (7, 9))
EIGHT = np.ones((3, 3), bool)


@given(gt=MASKS, score=MAPS, iou=st.sampled_from([0.1, 0.5, 0.8]))
def test_each_threshold_has_the_values_of_the_object_metrics(gt: np.ndarray, score: np.ndarray, iou: float) -> None:
    curve = object_curve([(gt, score)], [0.2, 0.5, 0.9], iou=iou)
    objects, _ = ndimage.label(gt, EIGHT)
    for i, t in enumerate([0.9, 0.5, 0.2]):
        parts, _ = ndimage.label(score >= t * 255, EIGHT)
        for name, value in (("precision", curve.precision[i]), ("recall", curve.recall[i]), ("f1", curve.f1[i])):
            expected = mm.METRICS[f"object_{name}"](objects, parts, iou=iou)
            assert value == pytest.approx(expected, nan_ok=True)


@settings(max_examples=20)
@given(gt=MASKS, score=MAPS, mask=MASKS | st.none())
def test_what_is_touched_is_found(gt: np.ndarray, score: np.ndarray, mask: np.ndarray | None) -> None:
    inside = np.ones_like(gt) if mask is None else mask
    curve = froc_curve([(gt, score)], connectivity=4, mask=mask)
    objects, n = ndimage.label(gt & inside)
    assert (curve.objects, curve.images) == (n, 1)
    for t, found, false in zip(curve.thresholds, curve.found, curve.false, strict=True):
        parts, m = ndimage.label((score / 255 >= t) & inside)
        assert found == len({int(k) for k in objects[parts > 0] if k})
        assert false == m - len({int(k) for k in parts[objects > 0] if k})


@settings(max_examples=20)
@given(images=st.lists(st.tuples(MASKS, MAPS), min_size=1, max_size=3), rate=st.sampled_from([0, 0.5, 1, 3]))
def test_numbers_are_points_of_the_curve(images: list[tuple[Any, Any]], rate: float) -> None:
    curve = froc_curve(images)
    total = object_scores(*images[0])
    for gt, score in images[1:]:
        total += object_scores(gt, score)
    total = ObjectScores.from_bytes(total.to_bytes())

    def read(rate: float) -> float:
        below = [s for s, f in zip(curve.sensitivity, curve.false_per_image, strict=True) if f <= rate]
        return max(below, default=0.0) if curve.objects else float("nan")

    value = froc_sensitivity.at(false_per_image=rate).compute(total)
    assert value == pytest.approx(read(rate), nan_ok=True)
    expected = np.mean([read(x) for x in (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)])
    assert froc_score.compute(total) == pytest.approx(expected, nan_ok=True)


def test_froc_counts_whole_objects() -> None:
    gt = np.zeros((8, 8), bool)
    gt[0, 0] = gt[1, 1] = gt[5:7, 5:7] = True  # the diagonal pair is one object
    score = np.zeros((8, 8), np.uint8)
    score[0, 0], score[6, 6], score[0, 7], score[7, 0] = 255, 102, 204, 51
    curve = froc_curve([(gt, score), (np.zeros((2, 2), bool), np.zeros((2, 2), np.uint8))], thresholds=[0.2, 0.4, 0.9])
    assert curve.thresholds.tolist() == [0.9, 0.4, 0.2]
    assert curve.sensitivity.tolist() == [0.5, 1, 1]
    assert curve.false_per_image.tolist() == [0, 0.5, 1]
    assert (curve.objects, curve.images) == (2, 2)


def test_connectivity_ids_and_masks() -> None:
    gt, score = np.eye(4, dtype=bool), np.eye(4)
    assert object_curve([(gt, score)], [0.5]).tp.tolist() == [1]
    assert object_curve([(gt, score)], [0.5], connectivity=4).tp.tolist() == [4]
    ids = np.diag([1, 2, 3, 4])
    assert object_curve([(ids, score)], [0.5], connectivity=4).tp.tolist() == [4]
    assert object_curve([(ids, score)], [0.5], connectivity=4, ignore=2).tp.tolist() == [3]
    mask = np.arange(4)[:, None] < np.full((4, 4), 2)
    assert object_curve([(gt, score)], [0.5], connectivity=4, mask=mask).tp.tolist() == [2]
    with pytest.raises(mm.UsageError, match="connectivity 6 in 2 dimensions"):
        object_curve([(gt, score)], connectivity=6)


def test_curves_add_up() -> None:
    gt, score = np.array([[1, 0, 1]], bool), np.array([[0.9, 0.0, 0.4]])
    a = object_curve([(gt, score)])
    both = object_curve([(gt, score), (gt, score)])
    assert (a + a).tp.tolist() == both.tp.tolist()
    assert both.recall[np.isclose(both.thresholds, 0.5)].tolist() == [0.5]
    with pytest.raises(mm.MergeError, match="do not add up"):
        a + object_curve([(gt, score)], iou=0.7)


def test_unlike_rules_and_thresholds_do_not_add_up() -> None:
    gt, score = np.array([[1, 0, 1]], bool), np.array([[0.9, 0.0, 0.4]])
    touched = object_scores(gt, score)
    with pytest.raises(mm.MergeError, match="different rules"):
        touched + object_scores(gt, score, needs=[mm.best_object_f1.at(iou=0.5).need])
    with pytest.raises(mm.MergeError, match="different thresholds"):
        touched + object_scores(gt, score, thresholds=[0.5])
    with pytest.raises(mm.UsageError, match=r"not counted with connectivity=None, iou=0\.5"):
        mm.best_object_f1.at(iou=0.5).compute(touched)
