"""Intervals: what SciPy says, the same bits always, and nothing where nothing can be said."""

import math

import numpy as np
import pytest
from scipy import stats

import maskmeter as mm
from maskmeter import uncertainty


def noisy(images: int, seed: int = 0) -> mm.Evaluation:
    rng = np.random.default_rng(seed)
    done = mm.Evaluation(["mean_iou", "iou", "recall", "volume_difference", "accuracy"])
    for i in range(images):
        gt = rng.integers(0, 3, 200)
        wrong = rng.random(200) < rng.uniform(0.05, 0.6)
        done.update(gt, np.where(wrong, rng.integers(0, 3, 200), gt), image=f"{i:05d}")
    return done


def row(done: mm.Evaluation, metric: str, over: str) -> mm.Row:
    return next(r for r in done.rows() if r.metric == metric and r.over == over)


def test_the_mean_over_images_agrees_with_scipy() -> None:
    done = noisy(80)
    mine = row(done, "mean_iou", "images")
    _, values = done.image_values("mean_iou")
    theirs = stats.bootstrap(
        (values[:, 0],), np.mean, n_resamples=20000, method="percentile", rng=1
    ).confidence_interval
    width = theirs.high - theirs.low
    assert mine.low == pytest.approx(theirs.low, abs=0.05 * width)
    assert mine.high == pytest.approx(theirs.high, abs=0.05 * width)


def test_pooled_resamples_are_what_adding_the_images_gives() -> None:
    done = noisy(12)
    (_, stack), *_ = done.stacks()
    weights = next(uncertainty._weights(12))  # pyright: ignore[reportPrivateUsage]
    resample = stack.resampled(weights[:5])
    for b in range(5):
        total = None
        for i, times in enumerate(weights[b].astype(int)):
            for _ in range(times):
                gt = mm.Confusion(
                    stack.classes, stack.tp[i], stack.gt[i], stack.pred[i], stack.ignored[i], stack.averaged
                )
                total = gt if total is None else total + gt
        assert total is not None
        assert mm.mean_iou.values(resample)[b] == mm.mean_iou.compute(total)


def test_groups_give_about_the_same_width(monkeypatch: pytest.MonkeyPatch) -> None:
    done = noisy(600)
    single = row(done, "mean_iou", "pooled")
    monkeypatch.setattr(uncertainty, "GROUPS", 100)
    grouped = row(noisy(600), "mean_iou", "pooled")
    assert grouped.value == single.value
    assert grouped.high - grouped.low == pytest.approx(single.high - single.low, rel=0.3)


def test_blocks_and_order_move_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = repr(noisy(50).rows())
    monkeypatch.setattr("maskmeter.evaluation.BLOCK", 50)
    other = mm.Evaluation(["mean_iou", "iou", "recall", "volume_difference", "accuracy"])
    done = noisy(50)
    for name in reversed(done.images):
        other.add([done.records[name]])
    assert repr(other.rows()) == whole


def test_one_image_has_no_interval_and_equal_images_a_point() -> None:
    one = mm.Evaluation(["accuracy"])
    one.update([0, 1], [0, 0], image="a")
    assert math.isnan(row(one, "accuracy", "pooled").low)
    one.update([0, 1], [0, 0], image="b")
    for over in ("pooled", "images"):
        r = row(one, "accuracy", over)
        assert r.low == r.high == r.value == 0.5


def test_the_interval_covers_about_as_often_as_it_says() -> None:
    """120 data sets of 40 images: 95 % would be 114; fewer than 102 has a chance below one in a million."""
    rng = np.random.default_rng(3)
    truth, hits = 0.7, 0
    for _ in range(120):
        done = mm.Evaluation(["accuracy"])
        for i, p in enumerate(rng.beta(7, 3, 40)):
            wrong = np.arange(1000) >= round(1000 * p)
            done.update(np.zeros(1000, int), wrong.astype(int), image=str(i))
        r = row(done, "accuracy", "images")
        hits += r.low <= truth <= r.high
    assert hits >= 102
