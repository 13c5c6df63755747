"""Region metrics: undefined, empty, void, binary, and what other tools say."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn import metrics as sk

import maskmeter as mm

T, F = True, False
EMPTY, ONE, OTHER = np.array([F, F]), np.array([T, F]), np.array([F, T])


@pytest.mark.parametrize("m", [mm.iou, mm.dice, mm.fbeta.at(beta=2)], ids=str)
def test_the_four_cases_of_empty_masks_are_kept_apart(m: mm.Metric) -> None:
    assert math.isnan(m(EMPTY, EMPTY))
    assert m(EMPTY, ONE) == m(ONE, EMPTY) == m(ONE, OTHER) == 0.0
    assert m(EMPTY, EMPTY, empty="perfect") == 1.0 and m(EMPTY, ONE, empty="perfect") == 0.0
    assert math.isnan(m(EMPTY, ONE, empty="undefined")) and m(ONE, EMPTY, empty="undefined") == 0.0
    with pytest.raises(mm.UsageError, match="perfect or undefined"):
        m(ONE, ONE, empty="1")


def test_one_sided_ratios() -> None:
    assert mm.precision(ONE, EMPTY) == 0.0 and math.isnan(mm.precision(EMPTY, EMPTY))
    assert math.isnan(mm.recall(EMPTY, ONE)) and mm.recall(ONE, EMPTY) == 0.0
    assert math.isnan(mm.specificity(np.array([T, T]), ONE)) and mm.specificity(EMPTY, ONE) == 0.5
    assert math.isnan(mm.volume_difference(EMPTY, ONE)) and mm.volume_difference(ONE, EMPTY) == -1.0


def test_kappa_and_mcc_are_undefined_where_their_denominator_is_0() -> None:
    ones = np.ones(4, int)
    assert math.isnan(mm.kappa(ones, ones)) and math.isnan(mm.mcc(ones, np.array([1, 1, 1, 0])))
    assert mm.kappa(ones, np.array([1, 1, 1, 0])) == 0.0


def test_a_prediction_that_gives_no_class_is_a_failure_and_not_undefined() -> None:
    c = mm.confusion(np.array([0, 0, 1, 1]), np.array([9, 9, 9, 9]), ignore=9)
    assert mm.mcc.compute(c) == mm.kappa.compute(c) == mm.mean_iou.compute(c) == 0.0


def test_dtype_decides_and_never_content() -> None:
    gt, pred = np.array([0, 1, 1]), np.array([0, 1, 0])
    assert mm.iou(gt, pred) == {0: 0.5, 1: 0.5}
    assert mm.iou(gt.astype(bool), pred.astype(bool)) == 0.5
    assert mm.iou(gt.astype(np.uint8), pred.astype(bool)) == {0: 0.5, 1: 0.5}
    assert mm.mean_iou(gt.astype(bool), pred.astype(bool)) == 0.5
    assert mm.iou(np.zeros(3, int), np.zeros(3, int)) == {0: 1.0}


def test_true_may_be_any_byte() -> None:
    odd = np.array([0, 255, 255], np.uint8).view(bool)
    assert mm.iou(odd, np.array([False, True, True])) == 1.0


def test_void_truth_is_left_out_and_void_prediction_is_a_miss() -> None:
    gt, pred = np.array([0, 0, 1, 255]), np.array([0, 255, 1, 1])
    c = mm.confusion(gt, pred, ignore=255)
    assert (c.tp.tolist(), c.fn.tolist(), c.fp.tolist()) == ([1, 1], [1, 0], [0, 0])
    assert (int(c.ignored), int(c.pixels), int(c.unassigned)) == (1, 3, 1)
    assert mm.accuracy.compute(c) == 2 / 3


def test_leaving_a_class_out_of_the_mean_removes_no_pixel() -> None:
    labels = mm.LabelSet((mm.Label(0, average=False), mm.Label(1)))
    gt, pred = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert mm.mean_iou(gt, pred, classes=labels) == mm.iou(gt, pred)[1] == 2 / 3
    assert mm.accuracy(gt, pred, classes=labels) == 0.75


def test_declared_classes_that_are_absent_are_undefined() -> None:
    values = mm.iou(np.array([0, 1]), np.array([0, 1]), classes=range(3))
    assert values[0] == values[1] == 1.0 and math.isnan(values[2])
    assert mm.mean_iou(np.array([0, 1]), np.array([0, 1]), classes=range(3)) == 1.0


def test_counts_beyond_32_and_53_bits_stay_exact() -> None:
    c = mm.confusion(np.array([0, 1, 1]), np.array([0, 1, 0]))
    for _ in range(60):
        c = c + c
    assert c.counts.tolist() == [[2**60, 0], [2**60, 2**60]]
    assert mm.iou.compute(c) == {0: 0.5, 1: 0.5}
    assert mm.kappa.compute(c) == pytest.approx(0.4) and mm.mcc.compute(c) == pytest.approx(0.5)


def test_parameters_go_by_name_and_are_checked() -> None:
    gt, pred = ONE, np.array([T, T])
    assert mm.fbeta(gt, pred, beta=1) == mm.dice(gt, pred)
    for call, text in (
        (lambda: mm.fbeta(gt, pred), "fbeta needs beta"),
        (lambda: mm.fbeta(gt, pred, beta=-1), "beta must be"),
        (lambda: mm.fbeta(gt, pred, gamma=1), "no parameter 'gamma'"),
        (lambda: mm.parse("fbeta"), "needs beta"),
        (lambda: mm.parse("iuo"), "did you mean iou"),
        (lambda: mm.parse("fbeta(2)"), "needs a name"),
    ):
        with pytest.raises(mm.UsageError, match=text):
            call()
    assert str(mm.fbeta.at(beta=2.0)) == "fbeta(beta=2)" and str(mm.fbeta.at(beta=0.5)) == "fbeta(beta=0.5)"


LABELS = arrays(np.int64, 60, elements=st.integers(0, 3))


@pytest.mark.filterwarnings("ignore::UserWarning:sklearn")
@given(gt=LABELS, pred=LABELS)
def test_agrees_with_scikit_learn(gt: NDArray[np.int64], pred: NDArray[np.int64]) -> None:
    classes = sorted({*gt.tolist(), *pred.tolist()})
    assert mm.confusion(gt, pred).counts.tolist() == sk.confusion_matrix(gt, pred, labels=classes).tolist()
    by_sk = sk.jaccard_score(gt, pred, labels=classes, average=None, zero_division=0)
    assert list(mm.iou(gt, pred).values()) == pytest.approx(by_sk.tolist(), rel=1e-12)
    if len(classes) > 1:
        assert mm.kappa(gt, pred) == pytest.approx(float(sk.cohen_kappa_score(gt, pred)), abs=1e-12, nan_ok=True)
        mine = mm.mcc(gt, pred)
        assert (0.0 if math.isnan(mine) else mine) == pytest.approx(float(sk.matthews_corrcoef(gt, pred)), abs=1e-12)
    present = [k for k in classes if (gt == k).any()]
    by_sk = sk.recall_score(gt, pred, labels=present, average="macro")
    assert mm.mean_accuracy(gt, pred) == pytest.approx(float(by_sk), rel=1e-12)


def test_the_street_set_gives_the_known_numbers(shared_data: Path) -> None:
    known = json.loads((shared_data / "expected/values.json").read_text())["street_semantic"]
    street = shared_data / "street_semantic"
    done = mm.evaluate(street / "gt", street / "pred", ignore=11)
    assert done.pooled.counts is not None and done.pooled.counts.tolist() == known["confusion_rows_gt"]
    for name in ("iou", "dice", "precision", "recall"):
        assert list(mm.METRICS[name].compute(done.pooled).values()) == pytest.approx(known[f"pooled_{name}"], rel=1e-15)
    assert done.value("mean_iou") == known["pooled_mean_iou"] == 0.7531434015292199
    assert done.value("accuracy") == known["pooled_pixel_accuracy"] == 0.9379742828365739
    assert done.value("frequency_weighted_iou") == known["frequency_weighted_iou"]
    assert done.value("mean_iou", over="images") == 0.6638511910806392


@pytest.mark.parametrize("swapped", [False, True])
def test_a_boolean_beside_other_integers_is_refused(swapped: bool) -> None:
    """As 8-bit scores beside a mask: read as labels every value would be 0."""
    mask, scores = np.array([True, False]), np.array([200, 20], np.uint8)
    pair = (scores, mask) if swapped else (mask, scores)
    with pytest.raises(mm.LabelError, match=r"is boolean and the .* holds 20, 200; give booleans on both sides"):
        mm.iou(*pair)
    with pytest.raises(mm.LabelError, match="give booleans on both sides"):
        mm.Evaluation(metrics=["iou"]).update(*pair)
    assert mm.iou(mask, mask.astype(np.uint8)) == {0: 1.0, 1: 1.0}
    void = np.array([1, 255], np.uint8)
    assert mm.iou(void, mask, ignore=255)[1] == 1.0
