"""Intervals: what SciPy says, the same bits always, and nothing where nothing can be said."""

import math

import numpy as np
import pytest
from scipy import stats

import maskmeter as mm
from maskmeter import uncertainty
from maskmeter.statistics import units


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
    weights = next(uncertainty.weights_of(12, uncertainty.Resampling()))[1:6]
    resample = stack.resampled(weights)
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
    monkeypatch.setattr(units, "MOST", 100)
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


def test_columns_without_values_cost_nothing_and_change_nothing() -> None:
    rng = np.random.default_rng(0)
    draws = np.full((500, 9), math.nan)
    draws[:, [2, 5]] = rng.random((500, 2))
    draws[:9, 5] = math.nan
    value, count = np.where(np.isnan(draws).all(axis=0), math.nan, 0.5), np.full(9, 30.0)
    sparse = uncertainty.Drawn(value, draws, draws[:40], count).interval
    for c in range(9):
        dense = uncertainty.Drawn(value[[c]], draws[:, [c]], draws[:40, [c]], count[[c]]).interval
        np.testing.assert_array_equal([sparse.low[c], sparse.high[c]], [dense.low[0], dense.high[0]])
        assert sparse.doubts[c] == dense.doubts[0]


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


def skewed(images: int, intervals: str = "bca") -> mm.Evaluation:
    """Images whose accuracy is mostly high and sometimes low."""
    rng = np.random.default_rng(5)
    done = mm.Evaluation(["accuracy"], intervals=intervals)
    for i, p in enumerate(rng.beta(4, 1, images)):
        done.update(np.zeros(500, int), (np.arange(500) >= round(500 * p)).astype(int), image=f"{i:03d}")
    return done


def test_bca_agrees_with_scipy() -> None:
    done = skewed(30, "bca(resamples=20000,seed=3)")
    mine, values = row(done, "accuracy", "images"), done.image_values("accuracy")[1][:, 0]
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20000, method="BCa", rng=1).confidence_interval
    width = theirs.high - theirs.low
    assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high), abs=0.03 * width)
    plain = row(skewed(30, "percentile(resamples=20000,seed=3)"), "accuracy", "images")
    assert mine.low < plain.low - 0.02 * width  # it leans towards the long tail
    assert "intervals:bca(resamples=20000,seed=3)" in mine.signature


def test_groups_are_drawn_whole() -> None:
    """Ten patients with six equal slices each: as uncertain as ten images, not as sixty."""
    sixty, ten, other = (mm.Evaluation(["accuracy"]) for _ in range(3))
    for i in range(10):
        gt, pred = np.zeros(100, int), (np.arange(100) >= 50 + 5 * i).astype(int)
        ten.update(gt, pred, image=f"{i}")
        for k in range(6):
            sixty.update(gt, pred, image=f"{k}-{i}", group=f"p{i}")
    for k in reversed(range(6)):
        for i in reversed(range(10)):
            other.update(
                np.zeros(100, int), (np.arange(100) >= 50 + 5 * i).astype(int), image=f"{k}-{i}", group=f"p{i}"
            )
    for over in ("pooled", "images"):
        a, b = row(sixty, "accuracy", over), row(ten, "accuracy", over)
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), abs=1e-12)
        assert a.doubts == ("few",) and "groups:10,group" in a.signature
    assert repr(other.rows()) == repr(sixty.rows())
    there = mm.Evaluation.from_bytes(sixty.to_bytes())
    assert repr(there.rows()) == repr(sixty.rows())
    both = mm.Evaluation(["accuracy"])
    both.update_batch(np.zeros((3, 4), int), np.eye(3, 4, dtype=int), images="abc", groups="xxy")
    assert both.resampling.groups == {"a": "x", "b": "x", "c": "y"}
    with pytest.raises(mm.LabelError, match="2 groups"):
        both.update_batch(np.zeros((3, 4), int), np.eye(3, 4, dtype=int), groups="xy")
    with pytest.raises(mm.UsageError, match="has no group"):
        sixty.update([0], [0], image="x")
    with pytest.raises(mm.MergeError, match="not grouped"):
        sixty.merge(noisy(2))


def test_a_resample_of_groups_of_unequal_size_is_a_mean_over_images() -> None:
    done = noisy(9)
    groups = {n: "abbcccdde"[i] for i, n in enumerate(done.images)}
    done.resampling = uncertainty.Resampling(by="letter", groups=groups)
    _, values = done.image_values("mean_iou")
    weights = np.concatenate(list(uncertainty.weights_of(5, done.resampling)))[1:]
    by_image = weights[:, ["abcde".index(groups[n]) for n in done.images]]
    expected = by_image @ values[:, 0] / by_image.sum(axis=1)
    assert done.draws()[mm.parse("mean_iou")].images.draws[:, 0] == pytest.approx(expected, abs=1e-12)


def test_ways_to_make_intervals_read_back_and_none_makes_none() -> None:
    for text in ("percentile", "bca(seed=4)", "none"):
        how = uncertainty.Resampling.parse(text)
        assert uncertainty.Resampling.parse(how.said) == how
    for wrong in ("bootstrap", "bca(resamples=5)", "bca(seed=x)", "bca(level=1)", "bca("):
        with pytest.raises(mm.UsageError):
            uncertainty.Resampling.parse(wrong)
    assert math.isnan(row(skewed(5, "none"), "accuracy", "pooled").low)


def test_an_interval_says_why_it_is_not_to_be_trusted() -> None:
    assert row(noisy(12), "mean_iou", "pooled").doubts == ("few",)
    assert row(noisy(60), "mean_iou", "pooled").doubts == ()
    rare = mm.Evaluation(["recall"])
    for i in range(60):  # class 1 is in two images: without them a resample has no value
        gt = np.full(50, int(i < 2))
        rare.update(gt, np.where(np.arange(50) < 25 + 10 * i % 7, gt, 2), image=f"{i:02d}")
    found = next(r for r in rare.rows() if (r.metric, r.class_, r.over) == ("recall", "1", "pooled"))
    assert {"few", "rough", "lost"} <= set(found.doubts)
