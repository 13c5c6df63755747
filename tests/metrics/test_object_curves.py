"""Objects against the threshold, beside the object metrics at that threshold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

import maskmeter as mm
from maskmeter.metrics.object_curves import object_curve

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


def test_connectivity_ids_and_masks() -> None:
    gt, score = np.eye(4, dtype=bool), np.eye(4)
    assert object_curve([(gt, score)], [0.5]).tp.tolist() == [1]
    assert object_curve([(gt, score)], [0.5], connectivity=4).tp.tolist() == [4]
    ids = np.diag([1, 2, 3, 4])
    assert object_curve([(ids, score)], [0.5], connectivity=4).tp.tolist() == [4]
    mask = np.arange(4)[:, None] < np.full((4, 4), 2)
    assert object_curve([(gt, score)], [0.5], connectivity=4, mask=mask).tp.tolist() == [2]


def test_curves_add_up() -> None:
    gt, score = np.array([[1, 0, 1]], bool), np.array([[0.9, 0.0, 0.4]])
    a = object_curve([(gt, score)])
    both = object_curve([(gt, score), (gt, score)])
    assert (a + a).tp.tolist() == both.tp.tolist()
    assert both.recall[np.isclose(both.thresholds, 0.5)].tolist() == [0.5]
    with pytest.raises(mm.UsageError, match="do not add up"):
        a + object_curve([(gt, score)], iou=0.7)
