"""Operating points of detections: against plain counting, and what the confusion matrix has to do with them."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import maskmeter as mm
from maskmeter.errors import UsageError
from maskmeter.metrics import METRICS, parse
from maskmeter.metrics._sizes import check
from maskmeter.metrics.operating import chosen_score

DATA = Path(__file__).parents[3] / "shared" / "data"
SIDE = 12


@st.composite
def pairs(draw: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Maps of objects, predictions that are shifted or renamed, with ties of score."""
    gt = np.repeat(np.repeat(np.arange(1, 10).reshape(3, 3), 4, 0), 4, 1)
    pred = np.roll(gt, draw(st.integers(0, 2)), axis=draw(st.integers(0, 1)))
    gone = draw(st.sets(st.integers(1, 9)))
    pred = np.where(np.isin(pred, list(gone)), 0, pred)
    kinds = st.fixed_dictionaries({i: st.integers(1, 3) for i in range(1, 10)})
    scores = draw(st.fixed_dictionaries({i: st.sampled_from([0.1, 0.4, 0.4, 0.8, 1.0]) for i in range(1, 10)}))
    of_gt = draw(kinds)
    of_pred = {i: draw(st.sampled_from([k, k, draw(st.integers(1, 3))])) for i, k in of_gt.items()}
    there = np.unique(pred[pred > 0]).tolist()
    return (
        gt,
        pred,
        {
            "gt_classes": of_gt,
            "pred_classes": {i: of_pred[i] for i in there},
            "scores": {i: scores[i] for i in there},
        },
    )


def plain(d: Any, least: float) -> tuple[int, int, int]:
    """Right and wrong detections and objects, one by one."""
    tp = fp = 0
    for score, hit, out in zip(d.det_score.tolist(), d.hits[0].tolist(), d.ignored[0].tolist(), strict=True):
        if score >= least and not out & 1:
            tp, fp = tp + (hit & 1), fp + 1 - (hit & 1)
    return tp, fp, int(d.gt_counted[0].sum())


@given(pairs(), st.sampled_from([0.0, 0.4, 0.5, 1.0]))
def test_counts_are_those_of_one_after_the_other(pair: Any, score: float) -> None:
    gt, pred, facts = pair
    d = mm.detections(gt, pred, **facts)
    tp, fp, n = plain(d, score)
    for name, want in (
        ("detection_precision", tp / (tp + fp) if tp + fp else math.nan),
        ("detection_recall", tp / n),
        ("detection_f1", 2 * tp / (tp + fp + n)),
    ):
        assert METRICS[name].at(score=score).values(d)[-1] == pytest.approx(want, nan_ok=True)


@given(pairs())
def test_the_best_score_has_the_best_f1(pair: Any) -> None:
    gt, pred, facts = pair
    d = mm.detections(gt, pred, **facts)
    f1 = {s: (2 * c[0] / (c[0] + c[1] + c[2]), s) for s in set(d.det_score.tolist()) for c in [plain(d, s)]}
    best = float(METRICS["best_score"].values(d)[-1])
    if max(f1.values(), default=(0, 0))[0] == 0:
        assert math.isnan(best)
    else:
        assert best == max(f1.values())[1]
        assert METRICS["detection_f1"].at(score="best").values(d)[-1] == max(f1.values())[0]
    curve = mm.detection_curve(d)
    assert curve.score.tolist() == sorted(f1, reverse=True)
    assert curve.f1.tolist() == pytest.approx([f1[s][0] for s in curve.score.tolist()])


@given(pairs(), st.sampled_from([0.0, 0.4, 0.9]))
def test_the_confusion_matrix_has_their_counts(pair: Any, score: float) -> None:
    gt, pred, facts = pair
    e = mm.encounters(gt, pred, **facts)
    c = mm.detection_confusion(e, score=score)
    tp, fp, n = plain(mm.detections(gt, pred, **facts), score)
    assert np.trace(c.counts[:-1, :-1]) == tp
    assert c.counts[:-1].sum() == n
    assert c.counts[:, :-1].sum() == tp + fp
    pairs_of = [(int(d), int(g)) for d, g in enumerate(c.taken.tolist()) if g >= 0]
    assert len({g for _, g in pairs_of}) == len(pairs_of)
    assert all(c.found[g] == d for d, g in pairs_of)


def test_an_object_taken_for_another_class_is_in_its_cell() -> None:
    gt = np.repeat([1, 2, 0], 10)
    facts: Any = {"gt_classes": {1: 1, 2: 2}, "pred_classes": {1: 1, 2: 1, 3: 2}, "scores": {1: 0.9, 2: 0.8, 3: 0.7}}
    c = mm.detection_confusion(mm.encounters(gt, np.repeat([1, 2, 3], 10), **facts), score=0.75)
    assert c.counts.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_calibration_is_that_of_bins_by_hand() -> None:
    gt, pred = np.repeat([1, 2, 3, 0], 10), np.repeat([1, 2, 4, 3], 10)
    d = mm.detections(gt, np.where(gt == 3, 0, pred), scores={1: 0.9, 2: 0.85, 3: 0.88})
    assert METRICS["detection_ece"].at(bins=5).values(d)[-1] == pytest.approx(abs(2 / 3 - (0.9 + 0.85 + 0.88) / 3))
    r = mm.detection_reliability(d, bins=5)
    assert r.detections.tolist() == [0, 0, 0, 0, 3]
    assert r.precision[-1] == pytest.approx(2 / 3)


def test_says_what_is_not_there() -> None:
    d = mm.detections(np.array([1, 0]), np.array([1, 0]), scores={1: 2.0})
    with pytest.raises(UsageError, match=r"iou=0.6[25]* was not judged"):
        parse("detection_f1(score=0.5,iou=0.62)").values(d)
    with pytest.raises(UsageError, match="iou=high was not judged"):
        check([parse("ap(iou=high)")])
    with pytest.raises(UsageError, match="no kind of error"):
        check([parse("ap_gain(kind=bad)")])
    with pytest.raises(UsageError, match="neither a number nor best"):
        chosen_score(d, "good")
    with pytest.raises(UsageError, match="score 2 is no probability"):
        METRICS["detection_ece"].values(d)


def test_a_run_looks_at_images_at_the_score_of_all() -> None:
    if not (folder := DATA / "coco_tumour").is_dir():
        pytest.skip(f"there is no {folder}")
    asked = ["detection_f1(score=best)", "best_score"]
    done = mm.evaluate(folder / "gt_test.json", folder / "pred_test_modelA.json", metrics=asked)
    best = done.value("best_score")
    given = mm.evaluate(
        folder / "gt_test.json", folder / "pred_test_modelA.json", metrics=[f"detection_f1(score={best!r})"]
    )
    for a, b in zip(done.rows(), given.rows(), strict=False):
        assert json.dumps(a[1:8]) == json.dumps(b[1:8])
