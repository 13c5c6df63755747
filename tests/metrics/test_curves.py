"""Curve metrics against scikit-learn, brute force and the published values of the vessel maps."""

import importlib
import json
import math
import warnings
from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from sklearn import metrics as sk

from maskmeter.errors import UsageError
from maskmeter.metrics import dice, fbeta, iou, kappa, precision, volume_difference
from maskmeter.metrics.curve_points import (
    PrCurve,
    ReliabilityCurve,
    RocCurve,
    pr_curve,
    reliability_curve,
    roc_curve,
    threshold_curve,
)  # fmt: skip
from maskmeter.metrics.curves import (
    average_precision,
    average_precision_error,
    best_threshold,
    brier,
    ece,
    log_loss,
    macro,
    mce,
    micro,
    recall_at,
    roc_auc,
    roc_auc_error,
    sensitivity_at,
)  # fmt: skip
from maskmeter.statistics.class_scores import class_scores
from maskmeter.statistics.scores import CoarseScores, Scores, scores
from reference import scores as twin

GT, SCORE = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])


@st.composite
def tied_maps(draw: st.DrawFn) -> tuple[Any, Any]:
    """Both classes, many equal scores, of any type."""
    size = draw(st.integers(2, 200))
    gt = draw(hnp.arrays(bool, size))
    gt[:2] = False, True
    dtype = draw(st.sampled_from(["uint8", "uint16", "float16", "float32", "float64"]))
    value = st.integers(0, 255) if dtype[0] == "u" else st.floats(0, 1, width=16)
    values = draw(st.lists(value, min_size=1, max_size=12))
    score = draw(hnp.arrays(dtype, size, elements=st.sampled_from(np.array(values, dtype).tolist())))
    return gt, score


def as_floats(score: Any) -> Any:
    return score.astype(np.float64) / (1 if score.dtype.kind == "f" else np.iinfo(score.dtype).max)


def close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12)


@given(tied_maps(), st.sampled_from([0.05, 0.1, 0.3, 0.5, 0.9]))
def test_areas_are_those_of_scikit_learn(case: tuple[Any, Any], max_fpr: float) -> None:
    gt, score = case
    x = as_floats(score)
    assert close(roc_auc(gt, score), sk.roc_auc_score(gt, x))
    assert close(roc_auc(gt, score, max_fpr=max_fpr), sk.roc_auc_score(gt, x, max_fpr=max_fpr))
    assert roc_auc(gt, score, max_fpr=1.0) == roc_auc(gt, score)
    assert close(average_precision(gt, score), sk.average_precision_score(gt, x))
    p, r, _ = sk.precision_recall_curve(gt, x)
    assert close(average_precision(gt, score, rule="trapezoid"), sk.auc(r, p))
    envelope = np.maximum.accumulate(p)
    assert close(average_precision(gt, score, rule="interpolated"), -np.sum(np.diff(r) * envelope[:-1]))


@given(tied_maps())
def test_areas_are_those_of_the_twin(case: tuple[Any, Any]) -> None:
    gt, score = case
    _, pos, neg = twin.score_counts(score, gt)
    assert roc_auc(gt, score) == twin.ordered_pairs(pos, neg) / (2 * int(pos.sum()) * int(neg.sum()))
    assert close(average_precision(gt, score), twin.average_precision(pos, neg))


@given(tied_maps())
def test_losses_are_those_of_scikit_learn(case: tuple[Any, Any]) -> None:
    gt, score = case
    x = as_floats(score)
    assert close(brier(gt, score), sk.brier_score_loss(gt, x))
    assert close(log_loss(gt, score), sk.log_loss(gt, x))


@given(tied_maps(), st.integers(1, 20))
def test_calibration_by_the_definition(case: tuple[Any, Any], bins: int) -> None:
    gt, score = case
    x = as_floats(score)
    at = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], x, side="left")
    gaps = {b: (abs(gt[at == b].mean() - x[at == b].mean()), (at == b).mean()) for b in set(at.tolist())}
    assert close(ece(gt, score, bins=bins), sum(gap * share for gap, share in gaps.values()))
    assert close(mce(gt, score, bins=bins), max(gap for gap, _ in gaps.values()))
    curve = reliability_curve(gt, score, bins=bins)
    some = curve.pixels > 0
    assert set(np.flatnonzero(some).tolist()) == gaps.keys()
    assert np.allclose(np.abs(curve.positive - curve.score)[some], [gaps[b][0] for b in sorted(gaps)])


@given(tied_maps())
def test_curves_are_those_of_scikit_learn(case: tuple[Any, Any]) -> None:
    gt, score = case
    x = as_floats(score)
    fpr, tpr, thresholds = sk.roc_curve(gt, x, drop_intermediate=False)
    roc = roc_curve(gt, score)
    assert np.array_equal(roc.thresholds, thresholds)
    assert np.allclose(roc.fpr, fpr, rtol=1e-12)
    assert np.allclose(roc.tpr, tpr, rtol=1e-12)
    p, r, thresholds = sk.precision_recall_curve(gt, x)
    pr = pr_curve(gt, score)
    assert np.array_equal(pr.thresholds[::-1], thresholds)
    assert np.allclose(pr.precision[::-1], p[:-1], rtol=1e-12)
    assert np.allclose(pr.recall[::-1], r[:-1], rtol=1e-12)
    assert pr.prevalence == gt.mean()


@given(tied_maps(), st.sampled_from([dice, iou, precision, kappa, fbeta.at(beta=2), volume_difference]))
def test_thresholds_by_trying_them_all(case: tuple[Any, Any], metric: Any) -> None:
    gt, score = case
    thresholds = np.unique(score)[::-1]
    values = [metric(gt, score >= t) for t in thresholds]
    curve = threshold_curve(gt, score, metric)
    assert curve.thresholds.tolist() == as_floats(thresholds).tolist()
    assert np.array_equal(curve.values, values, equal_nan=True)
    rank = [-math.inf if math.isnan(v) else -abs(v) if metric is volume_difference else v for v in values]
    assert best_threshold(gt, score, metric=metric) == as_floats(thresholds)[int(np.argmax(rank))]


@given(tied_maps(), st.floats(0, 1))
def test_operating_points_by_trying_them_all(case: tuple[Any, Any], target: float) -> None:
    gt, score = case
    points = [score >= t for t in np.unique(score)]
    recall = [gt[p].sum() / gt.sum() if gt[p].mean() >= target else 0 for p in points]
    assert recall_at(gt, score, precision=target) == max(recall)
    hit = [gt[p].sum() / gt.sum() if (~gt & ~p).sum() / (~gt).sum() >= target else 0 for p in points]
    assert sensitivity_at(gt, score, specificity=target) == max(hit)


def test_named_thresholds() -> None:
    assert best_threshold(GT, SCORE, metric="fbeta(beta=2)") == 0.35
    assert best_threshold(GT, SCORE, metric="precision") == 0.8
    assert str(best_threshold.at(metric="dice")) == "best_threshold(metric=dice)"
    assert threshold_curve(GT, SCORE, "fbeta(beta=2)").metric == "fbeta(beta=2)"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: roc_auc(GT, SCORE, max_fpr=0), "max_fpr must be above 0"),
        (lambda: average_precision(GT, SCORE, rule="spline"), "step, trapezoid or interpolated"),
        (lambda: ece(GT, SCORE, bins=0), "bins must be a number from 1 on"),
        (lambda: recall_at(GT, SCORE, precision=90), "precision must be from 0 to 1"),
        (lambda: recall_at(GT, SCORE), "recall_at needs precision"),
        (lambda: best_threshold(GT, SCORE, metric="roc_auc"), "roc_auc is not a metric of regions"),
        (lambda: best_threshold(GT, SCORE, metric="dicee"), "did you mean dice"),
        (lambda: roc_auc(GT, SCORE, threshold=3), "knows no parameter 'threshold'"),
    ],
)
def test_wrong_parameters(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        call()


# Undefined


@pytest.mark.parametrize("truth", [False, True])
@pytest.mark.parametrize("coarse", [False, True])
def test_one_class_alone(truth: bool, coarse: bool) -> None:
    s: Any = scores(np.full(4, truth), SCORE)
    s = s.coarse() if coarse else s
    for metric in (roc_auc, roc_auc.at(max_fpr=0.2), sensitivity_at.at(specificity=0.5)):
        assert math.isnan(metric.compute(s))
    for metric in (average_precision, average_precision.at(rule="trapezoid"), recall_at.at(precision=0.5)):
        assert metric.compute(s) == 1 if truth else math.isnan(metric.compute(s))
    assert math.isfinite(brier.compute(s) + log_loss.compute(s) + ece.compute(s) + mce.compute(s))
    RocCurve.of(s), PrCurve.of(s), ReliabilityCurve.of(s)


def test_equal_scores_are_one_tie() -> None:
    for dtype in (np.float32, np.float64, np.float16, np.uint8):
        score = np.full(4, 1, dtype)
        assert roc_auc(GT, score) == 0.5
        assert average_precision(GT, score) == 0.5


def test_no_pixels() -> None:
    nothing = np.zeros(4, bool)
    s = scores(GT, SCORE, mask=nothing)
    operating = (recall_at.at(precision=0.5), sensitivity_at.at(specificity=0.5), best_threshold.at(metric="dice"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for metric in (roc_auc, average_precision, brier, log_loss, ece, mce, *operating):
            assert math.isnan(metric.compute(s))
        assert roc_curve(GT, SCORE, mask=nothing).thresholds.tolist() == [math.inf]
        assert threshold_curve(GT, SCORE, "dice", mask=nothing).values.size == 0


# Sums, coarsening, the coarse grid


def shards(rng: np.random.Generator, n: int = 8) -> list[tuple[Any, Any]]:
    score = [(1 / (1 + np.exp(-rng.normal(-1, 3, 4000)))).astype(np.float32) for _ in range(n)]
    return [(rng.random(4000) < x, x) for x in score]


def test_a_sum_is_the_images_side_by_side() -> None:
    pairs = shards(np.random.default_rng(0))
    total = reduce(add, (scores(g, x) for g, x in pairs))
    gt, score = (np.concatenate(x) for x in zip(*pairs, strict=True))
    for metric in (roc_auc, average_precision, brier, log_loss, ece, mce, recall_at.at(precision=0.8)):
        assert metric.compute(total) == metric(gt, score)


def test_pieces_make_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    score, gt = np.round(np.random.default_rng(4).random(400), 2), np.arange(400) % 3 == 0
    s = scores(gt, score)
    losses = (brier, log_loss, ece, mce, average_precision.at(rule="interpolated"), recall_at.at(precision=0.4))
    best = [best_threshold.at(metric=m) for m in ("precision", "dice", "iou", "recall", "specificity")]
    whole = [m.compute(s) for m in (*losses, *best)]
    monkeypatch.setattr(importlib.import_module("maskmeter.statistics.scores"), "BLOCK", 7)
    assert np.allclose([m.compute(s) for m in losses], whole[: len(losses)], rtol=1e-14)
    assert [m.compute(s) for m in best] == whole[len(losses) :]
    assert best_threshold(np.ones(400, bool), score, metric="precision") == score.max()  # all are equally good
    assert threshold_curve(gt, score, "dice").values.tolist() == [dice.compute(s.at(t)) for t in s.thresholds[::-1]]


@pytest.mark.parametrize("limit", [50, 300, 5000])
def test_coarsened_areas_stay_within_their_bounds(limit: int) -> None:
    parts = [scores(g, x) for g, x in shards(np.random.default_rng(1))]
    exact = reduce(add, parts)
    coarse = reduce(add, (Scores(p.counts, p.dtype, 0, limit) for p in parts))
    assert coarse.level > 0
    assert 0 < abs(roc_auc.compute(coarse) - roc_auc.compute(exact)) <= roc_auc_error(coarse) < 20 / limit
    difference = abs(average_precision.compute(coarse) - average_precision.compute(exact))
    assert 0 < difference <= average_precision_error(coarse)
    assert abs(brier.compute(coarse) - brier.compute(exact)) <= coarse.resolution
    assert roc_auc_error(exact) == average_precision_error(exact) == exact.resolution == 0


@given(tied_maps(), st.integers(1, 5))
def test_bounds_hold_for_any_map(case: tuple[Any, Any], limit: int) -> None:
    gt, score = case
    exact = scores(gt, as_floats(score))
    coarse = Scores(exact.counts, exact.dtype, 0, limit).pooled()
    assert abs(roc_auc.compute(coarse) - roc_auc.compute(exact)) <= roc_auc_error(coarse) + 1e-12
    difference = abs(average_precision.compute(coarse) - average_precision.compute(exact))
    assert difference <= average_precision_error(coarse) + 1e-12


def test_coarse_grid_is_close_and_takes_stacks() -> None:
    parts = [scores(g, x) for g, x in shards(np.random.default_rng(2))]
    stack = CoarseScores.stack(p.coarse() for p in parts)
    metrics = (
        roc_auc, average_precision, roc_auc.at(max_fpr=0.1), average_precision.at(rule="interpolated"), brier, log_loss,
        ece, recall_at.at(precision=0.7), sensitivity_at.at(specificity=0.9),
    )  # fmt: skip
    for metric in metrics:
        exact = [metric.compute(p) for p in parts]
        assert np.allclose(metric.values(stack), exact, atol=2e-3), str(metric)  # type: ignore[arg-type]
        assert np.allclose(metric.values(stack)[3], metric.values(parts[3].coarse()), rtol=1e-12)  # type: ignore[arg-type]


# Several classes


def test_macro_and_micro_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    gt, p = rng.integers(0, 4, 500), rng.dirichlet(np.ones(4), 500)
    found = class_scores(gt, p, axis=1)
    assert close(macro(roc_auc, found), sk.roc_auc_score(gt, p, multi_class="ovr"))
    one_hot = np.eye(4)[gt]
    assert close(micro(roc_auc, found), sk.roc_auc_score(one_hot, p, average="micro"))
    assert close(macro(average_precision, found), sk.average_precision_score(one_hot, p))
    several = class_scores(one_hot.astype(bool), p, axis=1)
    assert close(micro(average_precision, several), sk.average_precision_score(one_hot, p, average="micro"))


# The vessel maps


@pytest.fixture(scope="module")
def vessels(shared_data: Any) -> tuple[dict[str, Scores], dict[str, Any]]:
    folder = shared_data / "vessels_probability"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data/vessels_probability")

    def read(side: str, name: str) -> Any:
        return np.asarray(Image.open(folder / side / name))

    names = sorted(p.name for p in (folder / "fov_mask").iterdir())
    expected = json.loads((shared_data / "expected/values.json").read_text("utf-8"))["vessels_probability"]
    return {
        n: scores(read("gt_1st_manual", n), read("pred_prob", n), mask=read("fov_mask", n)) for n in names
    }, expected  # fmt: skip


def test_vessels_pooled(vessels: tuple[dict[str, Scores], dict[str, Any]]) -> None:
    images, expected = vessels
    total = reduce(add, images.values())
    assert close(roc_auc.compute(total), expected["pooled_auc_roc"])
    assert close(average_precision.compute(total), expected["pooled_average_precision"])
    assert (total.positives + total.negatives, total.positives) == (expected["pixels"], expected["positives"])
    (tn, fp), (fn, tp) = total.at(128 / 255).counts.tolist()  # type: ignore[union-attr]
    assert {"tp": tp, "fp": fp, "fn": fn, "tn": tn} == expected["at_threshold_128"]


def test_vessels_by_image(vessels: tuple[dict[str, Scores], dict[str, Any]]) -> None:
    images, expected = vessels
    for name, values in expected["per_image"].items():
        assert close(roc_auc.compute(images[name]), values["auc_roc"])
        assert close(average_precision.compute(images[name]), values["average_precision"])


def test_vessels_in_any_shards(vessels: tuple[dict[str, Scores], dict[str, Any]]) -> None:
    parts = list(vessels[0].values())
    wanted = reduce(add, parts).to_bytes()
    for n in range(1, len(parts) + 1):
        shards = [reduce(add, parts[i::n]) for i in range(n)]
        assert reduce(add, shards[::-1]).to_bytes() == wanted
