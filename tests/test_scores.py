"""Score histograms: the kernels against their twin, sums in any order, coarsening, what is refused."""

import itertools
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from maskmeter import kernels
from maskmeter.errors import LabelError, MergeError, UsageError
from maskmeter.metrics import dice
from maskmeter.statistics.class_scores import class_scores
from maskmeter.statistics.confusion import confusion
from maskmeter.statistics.scores import COARSE_EDGES, CoarseScores, Scores, scores
from reference import scores as twin

TYPES = ["bool", "uint8", "uint16", "float16", "float32", "float64"]


def some_scores(dtype: str, size: int) -> st.SearchStrategy[Any]:
    if dtype == "bool":
        return hnp.arrays(bool, size)
    if dtype.startswith("u"):
        return hnp.arrays(dtype, size)
    width = int(dtype[5:])
    near = st.floats(0.5, 0.5078125, width=width)
    values = st.floats(0, 1, width=width) | st.sampled_from([0.0, -0.0, 0.5, 1.0]) | near
    return hnp.arrays(dtype, size, elements=values)


@st.composite
def maps(draw: st.DrawFn, dtype: str | None = None) -> tuple[Any, Any, Any]:
    dtype = dtype or draw(st.sampled_from(TYPES))
    size = draw(st.integers(0, 300))
    mask = draw(st.none() | hnp.arrays(bool, size))
    return draw(hnp.arrays(bool, size)), draw(some_scores(dtype, size)), mask


def same(s: Scores, score: Any, gt: Any, mask: Any = None) -> None:
    distinct, pos, neg = twin.score_counts(score, gt, mask)
    assert np.array_equal(s.thresholds, distinct.astype(np.float64) / s.scale)
    assert np.array_equal(s.pos, pos)
    assert np.array_equal(s.neg, neg)


@given(maps())
def test_counts_are_those_of_the_twin(case: tuple[Any, Any, Any]) -> None:
    gt, score, mask = case
    s = scores(gt, score, mask=mask)
    same(s, score, gt, mask)
    assert (s.positives, s.negatives) == (s.pos.sum(), s.neg.sum())
    assert s.ignored == (0 if mask is None else np.count_nonzero(~mask))
    assert kernels.score_areas(s.counts)[0] == twin.ordered_pairs(s.pos, s.neg)
    assert Scores.from_bytes(s.to_bytes()).to_bytes() == s.to_bytes()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", ["even", "narrow", "tiny", "constant", "blocks"])
def test_many_scores(dtype: str, shape: str) -> None:
    """Enough of them that each way of counting is taken: tables, digits, runs longer than a byte holds."""
    rng = np.random.default_rng(5)
    n = 200_000
    x = rng.random(n)
    x = {
        "even": x, "narrow": 0.5 + x / 256, "tiny": x**40, "constant": np.full(n, 0.25), "blocks": np.round(x * 70) / 70
    }[shape]  # fmt: skip
    top = {"bool": 1, "uint8": 255, "uint16": 65535}.get(dtype, 1)
    score = np.round(x * top).astype(dtype) if top > 1 or dtype == "bool" else x.astype(dtype)
    gt = rng.random(n) < x
    same(scores(gt, score), score, gt)
    mask = rng.random(n) < 0.3
    same(scores(gt, score, mask=mask), score, gt, mask)


def test_any_layout_of_memory() -> None:
    rng = np.random.default_rng(1)
    score, gt = rng.random((40, 50)).astype(np.float32), rng.random((40, 50)) < 0.5
    whole = scores(gt, score).to_bytes()
    assert scores(gt.T, score.T).to_bytes() == whole
    assert scores(gt, score.astype(">f4")).to_bytes() == whole
    assert scores(np.asfortranarray(gt), score).to_bytes() == whole
    assert scores(gt[:, ::2], score[:, ::2]).positives == gt[:, ::2].sum()


def test_counts_beyond_a_byte_survive_sums() -> None:
    gt, score = np.arange(70_000) % 3 == 0, np.full(70_000, 0.5, np.float32)
    s = scores(gt, score) + scores(gt[:300], score[:300]) + scores(gt[:1], np.zeros(1, np.float32))
    assert (s.pos.tolist(), s.neg.tolist()) == ([1, 23_434], [0, 46_866])
    again = Scores.from_bytes(s.to_bytes())
    assert (again.pos.tolist(), again.neg.tolist()) == (s.pos.tolist(), s.neg.tolist())


def test_areas_beyond_64_bits() -> None:
    high = np.array([[0, 2**40, 2**41], [1, 2**42, 2**43]], np.int64)
    counts = kernels.ScoreCounts(np.array([1, 2], np.uint8), np.array([[3, 5], [7, 250]], np.uint8), high)
    s = Scores(counts, np.dtype(np.uint8))
    assert s.areas[0] == twin.ordered_pairs(s.pos, s.neg) > 2**64


# Sums


def limited(s: Scores, limit: int | None) -> Scores:
    return Scores(s.counts, s.dtype, s.level, limit, s.ignored)


@given(st.data(), st.sampled_from(["float32", "float64"]), st.integers(1, 40))
def test_sums_are_the_same_in_any_order_and_grouping(data: st.DataObject, dtype: str, limit: int) -> None:
    cases = data.draw(st.lists(maps(dtype), min_size=2, max_size=4))
    parts = [limited(scores(g, s, mask=m), limit) for g, s, m in cases]
    kept = [np.ones(g.size, bool) if m is None else m for g, _, m in cases]
    gt, score = (np.concatenate([case[i][k] for case, k in zip(cases, kept, strict=True)]) for i in (0, 1))
    distinct, pos, neg = twin.score_counts(score, gt)
    level, keys, cell_pos, cell_neg = twin.coarsened(distinct.view(f"u{distinct.itemsize}"), pos, neg, limit)

    wanted = None
    for order in itertools.islice(itertools.permutations(parts), 6):
        left = order[0]
        for part in order[1:]:
            left = left + part
        right = order[-1].pooled()
        for part in order[-2::-1]:
            right = part + right
        wanted = wanted or left.to_bytes()
        assert left.to_bytes() == wanted == right.to_bytes()
        assert (left.level, left.counts.keys.tolist()) == (level, keys)
        assert (left.pos.tolist(), left.neg.tolist()) == (cell_pos, cell_neg)


def test_exact_is_never_coarsened_and_does_not_mix() -> None:
    rng = np.random.default_rng(2)
    g, s = rng.random(3000) < 0.5, rng.random(3000)
    exact = scores(g, s, exact=True)
    assert (exact + exact).size == exact.size == 3000
    assert limited(exact, 100).pooled().size <= 100
    with pytest.raises(MergeError, match="exact up to"):
        exact + scores(g, s)


def test_short_scores_are_never_coarsened() -> None:
    s = limited(scores(np.arange(256) > 9, np.arange(256).astype(np.uint8)), 10)
    assert (s + s).level == 0
    assert (s + s).size == 256


def test_unlike_types_do_not_add() -> None:
    with pytest.raises(MergeError, match="uint8 do not add to scores of type float32"):
        scores([True], np.array([3], np.uint8)) + scores([True], np.array([0.5], np.float32))


def test_counting_lets_other_threads_run() -> None:
    score, gt = np.random.default_rng(3).random(3_000_000), np.zeros(3_000_000, bool)
    ticks: list[int] = []
    worker = threading.Thread(target=lambda: scores(gt, score))
    worker.start()
    while worker.is_alive():
        ticks.append(1)
        worker.join(0.001)
    assert len(ticks) > 1


# Thresholds


@given(maps(), st.floats(-0.5, 1.5))
@example((np.array([False]), np.array([0.0]), None), -0.0)
def test_at_a_threshold_is_the_confusion_of_the_thresholded_map(case: tuple[Any, Any, Any], threshold: float) -> None:
    gt, score, mask = case
    s = scores(gt, score, mask=mask)
    if score.dtype.kind == "f":
        pred = score >= score.dtype.type(threshold)
    else:
        pred = score / s.scale >= threshold
    c, wanted = s.at(threshold), confusion(gt, pred, mask=mask)
    assert c.counts is not None
    assert wanted.counts is not None
    assert c.counts.tolist() == wanted.counts.tolist()
    assert c.ignored == wanted.ignored
    assert str(dice.compute(c)) == str(dice.compute(wanted))
    assert str(dice.compute(c + wanted)) == str(dice.compute(wanted + wanted))


def test_threshold_has_the_precision_of_the_scores() -> None:
    s = scores([True], np.array([0.9], np.float32))
    assert s.at(0.9).tp[1] == 1
    assert s.threshold(0.9) == np.float32(0.9)
    assert scores([True], np.array([128], np.uint8)).threshold(0.5) == 128
    with pytest.raises(UsageError, match="NaN"):
        s.at(float("nan"))


def test_thresholds_on_the_grid_are_exact_when_coarsened() -> None:
    rng = np.random.default_rng(4)
    g, x = rng.random(20_000) < 0.3, rng.random(20_000).astype(np.float32)
    exact, coarse = scores(g, x), limited(scores(g, x), 500).pooled()
    assert coarse.level > 0
    for threshold in [0.5, 0.25, 0.75, 0.0, *coarse.thresholds[::50]]:
        assert coarse.at(threshold).tp.tolist() == exact.at(threshold).tp.tolist()


# The fixed coarse grid


@given(maps())
def test_coarse_counts(case: tuple[Any, Any, Any]) -> None:
    gt, score, mask = case
    s = scores(gt, score, mask=mask)
    here = np.ones(gt.size, bool) if mask is None else mask
    value = score.astype(np.float64) / s.scale
    edges = np.append(COARSE_EDGES, 2.0)
    c = s.coarse()
    assert c.pos.tolist() == np.histogram(value[here & gt], edges)[0].tolist()
    assert c.neg.tolist() == np.histogram(value[here & ~gt], edges)[0].tolist()
    again = CoarseScores.from_bytes(c.to_bytes())
    assert again.pos.tolist() == c.pos.tolist()
    assert again.neg.tolist() == c.neg.tolist()


def test_coarse_grid() -> None:
    assert (np.diff(COARSE_EDGES) > 0).all()
    assert COARSE_EDGES.size == 4099
    bytes_ = scores(np.zeros(256, bool), np.arange(256).astype(np.uint8))
    assert np.count_nonzero(bytes_.coarse().neg) == 256


def test_coarse_resampling_adds_up() -> None:
    rng = np.random.default_rng(6)
    images = [scores(rng.random(500) < 0.5, rng.random(500)) for _ in range(4)]
    stack = CoarseScores.stack(x.coarse() for x in images)
    drawn = stack.resampled(np.array([[1.0, 1, 1, 1], [2, 0, 1, 1]]))
    assert np.array_equal(drawn.pos[0], sum(images[1:], images[0]).coarse().pos)
    assert np.array_equal(drawn.neg[1], (images[0] + images[0] + images[2] + images[3]).coarse().neg)


def test_resampling_in_pieces_has_the_bits_of_one_product() -> None:
    rng = np.random.default_rng(8)
    stack = CoarseScores.stack(scores(rng.random(900) < 0.5, rng.random(900)).coarse() for _ in range(30))
    weights = rng.integers(0, 5, (7, 30)).astype(np.float64)
    drawn = stack.resampled(weights)
    assert stack.pos.dtype == np.int32
    for side, whole in ((drawn.pos, stack.pos), (drawn.neg, stack.neg)):
        assert np.array_equal(side, weights @ whole.astype(np.float64))
    large = CoarseScores(np.full(COARSE_EDGES.size, 2**31), np.zeros(COARSE_EDGES.size, np.int64))
    assert CoarseScores.stack([large, large]).resampled(np.ones((1, 2))).pos[0, 0] == 2**32


# What enters


@pytest.mark.parametrize(
    ("gt", "score", "words"),
    [
        ([0, 1], [0.5, np.nan], r"1 value that is not finite \(1 NaN, 0 infinite\), the first at \[1\]"),
        ([0, 1], [np.inf, np.nan], r"2 values that are not finite \(1 NaN, 1 infinite\), the first at \[0\]"),
        (
            [0, 1],
            [-2.0, 2.0],
            r"2 scores lie outside \[0, 1\] \(from -2 to 2\), the first at \[0\]; these look like log",
        ),
        ([0, 1], np.array([0.5, 1.0000001], np.float32), r"1 score lies outside"),
        ([0, 1], [0.5, -1e-30], r"1 score lies outside"),
        ([0, 1], [0.5, 0.5, 0.5], r"shape \(2,\) in the ground truth, \(3,\) in the prediction"),
        ([[0, 1]], [0.5, 0.5], r"shape \(1, 2\)"),
        ([0, 1, 2], [0.5, 0.5, 0.5], r"3 different values \(0, 1, 2\).*--positive"),
        ([1, 2], [0.5, 0.5], r"values 1 and 2, neither of them 0; name the positive one"),
        ([0, 1], np.array([0, 200]), r"dtype int64 does not hold scores"),
        ([0, 1], ["a", "b"], r"does not hold scores"),
        ([0.5, 1], [0.5, 0.5], r"not integers"),
        ([0, 1], np.ma.array([0.5, 0.5], mask=[True, False]), r"masked array"),
    ],
)
def test_refused(gt: Any, score: Any, words: str) -> None:
    for dtype in [np.float32, np.float64] if isinstance(score, list) and isinstance(score[0], float) else [None]:
        with pytest.raises(LabelError, match=words):
            scores(gt, score if dtype is None else np.array(score, dtype))


def test_bad_scores_outside_the_region_do_not_matter() -> None:
    score = np.array([np.nan, 0.5, 7.0])
    s = scores([0, 1, 255], score, mask=[False, True, True], ignore=255)
    assert (s.positives, s.negatives, s.ignored) == (1, 0, 2)


def test_which_pixels_are_positive() -> None:
    score = np.linspace(0, 1, 4)
    assert scores([0, 255, 255, 0], score).positives == 2
    assert scores([255, 255, 255, 255], score).positives == 4
    assert scores([0, 0, 0, 0], score).positives == 0
    assert scores([0, 1, 2, 2], score, positive=2).positives == 2
    assert scores([0, 1, 2, 2], score, positive=(1, 2)).positives == 3
    assert scores([0, 1, 2, 2], score, ignore=2).pos.tolist() == [0, 1]
    assert scores([0.0, 1.0, 0.0, 1.0], score).positives == 2
    assert scores(np.ma.array([0, 1, 7, 8], mask=[0, 0, 1, 1]), score).positives == 1


def test_logits() -> None:
    logits = np.array([-200.0, -2, 0, 2, 800], np.float32)
    s = scores([0, 0, 1, 1, 1], logits, logits=True)
    assert s.dtype == np.float32
    assert np.allclose(s.thresholds, [0, 0.11920292, 0.5, 0.88079708, 1])
    assert s.at(0.5).tp[1] == 3
    for bad, words in ((np.array([np.nan]), "not finite"), (np.array([3], np.uint8), "must be floats")):
        with pytest.raises(LabelError, match=words):
            scores([1], bad, logits=True)


# Several classes


def test_classes_one_against_the_rest() -> None:
    rng = np.random.default_rng(7)
    gt, logits = rng.integers(0, 3, (20, 30)), rng.normal(size=(20, 30, 3))
    found = class_scores(gt, logits, axis=-1, logits=True)
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    for k in range(3):
        assert np.allclose(found[k].thresholds, np.unique(p[..., k]), rtol=1e-12)
        assert found[k].positives == np.count_nonzero(gt == k)
    by_name = class_scores(gt, {k: p[..., k] for k in range(3)})
    assert all(np.allclose(by_name[k].thresholds, found[k].thresholds) for k in range(3))


def test_classes_multi_label() -> None:
    gt = np.array([[True, False, True], [True, True, False]])
    found = class_scores(gt, np.array([[0.0, -1, 1], [2, 3, -4]]), logits=True, classes=[5, 9])
    assert (found[5].positives, found[9].positives) == (2, 2)
    assert np.allclose(found[9].thresholds, 1 / (1 + np.exp([4, -2, -3])))


@pytest.mark.parametrize(
    ("score", "facts", "words"),
    [
        (np.zeros((2, 3)), {}, "label 2 in the ground truth has no scores"),
        (np.zeros((2, 3)), {"classes": [0, 1, 2]}, "3 classes and 2 maps"),
        (np.zeros((3, 4)), {}, "shape"),
        (np.zeros((3, 3)), {"axis": 2}, "no axis 2"),
        ({}, {}, "there are none"),
    ],
)
def test_classes_refused(score: Any, facts: dict[str, Any], words: str) -> None:
    with pytest.raises(LabelError, match=words):
        class_scores(np.array([0, 1, 2]), score, **facts)


# The sample of broken files


@pytest.mark.parametrize("name", ["P01_nan", "P02_inf", "P03_out_of_range", "P04_one_pixel_eps_over_1", "P05_logits"])
def test_broken_maps_are_refused(badcases: Any, name: str) -> None:
    gt, score = (np.load(badcases / name / f"{side}.npy") for side in ("gt", "prob"))
    with pytest.raises(LabelError, match="not finite" if name in ("P01_nan", "P02_inf") else "look like logits"):
        scores(gt, score)


@pytest.mark.parametrize("name", ["P00_baseline", "P05_logits", "P07_uint8_probabilities", "P08_float16"])
def test_sound_maps_have_the_baseline_value(badcases: Any, name: str) -> None:
    gt, score = (np.load(badcases / name / f"{side}.npy") for side in ("gt", "prob"))
    s = scores(gt, score, logits=name == "P05_logits")
    assert dice.compute(s.at(0.5)) == 0.875
