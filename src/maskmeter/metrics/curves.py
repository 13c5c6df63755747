"""Curve metrics: what a map of probabilities is worth over all thresholds, and as probabilities. Over `Scores`.

Conventions
-----------
A pixel counts as positive at `score >= threshold`. Every distinct score is a threshold and equal scores
are never split: they cross the threshold together. With TP and FP the positives and negatives at or above
a threshold, P and N all of them: true positive rate (recall, sensitivity) TP / P, false positive rate
FP / N, specificity (N - FP) / N, precision TP / (TP + FP).

Areas under ROC curves need both classes and are undefined (NaN) where one is absent, never 0.5; where all
scores are equal the area is 0.5 (one tie, defined). What needs positives alone is undefined without them.

The metrics take exact histograms, sums of them that were coarsened (see statistics/scores.py;
`roc_auc_error` and `average_precision_error` bound what that costs), and `CoarseScores`, also stacks.
`roc_auc` and the step rule of `average_precision` go through the histogram with little memory; the
others hold a few arrays with an entry for each distinct score. The curves themselves, as points for
pictures, are in curve_points.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..statistics.confusion import Confusion, confusion
from ..statistics.scores import Block, CoarseScores, Scores, scores
from ._metric import Metric, Values, mean, metric, parse, ratio

__all__ = [
    "average_precision", "average_precision_error", "best_threshold", "brier", "ece", "log_loss", "macro", "mce",
    "micro", "recall_at", "roc_auc", "roc_auc_error", "sensitivity_at",
]  # fmt: skip

Histogram = Scores | CoarseScores


@metric(scores)
def roc_auc(s: Histogram, max_fpr: float | None = None) -> Values:
    """Area under the ROC curve (AUC, AUROC, c statistic): how often a positive pixel scores above a negative one.

    Over all pairs of a positive and a negative, ties counting half; the area by trapezoids is the same number.
    Range 0 to 1, 0.5 for chance. Undefined where a class is absent; 0.5 where all scores are equal.
    With `max_fpr` the area up to that false positive rate, standardised after McClish to 0.5 for chance and
    1 for a perfect map, as scikit-learn does.
    Hides: class imbalance: with rare positives a map full of false alarms is near 1; and calibration.
    Use: for the ranking of pixels where both classes are common; where positives are rare, `average_precision`.
    Differs: VISCERAL and miseval take one confusion matrix for a curve (that is balanced accuracy).
    Reference: Hanley and McNeil, Radiology 143, 1982; McClish, Medical Decision Making 9, 1989.

    >>> roc_auc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))  # 3 of 4 pairs in order
    0.75
    """
    if max_fpr is not None and not 0 < max_fpr <= 1:
        raise UsageError(f"max_fpr must be above 0 and at most 1, not {max_fpr}")
    if max_fpr is not None and max_fpr < 1:
        return _partial_area(s, max_fpr)
    if isinstance(s, Scores):
        # Python divides integers of any size and rounds once.
        pairs = 2 * s.positives * s.negatives
        return np.array(s.areas[0] / pairs if pairs else np.nan)
    below = np.cumsum(s.neg, axis=-1) - s.neg
    return ratio((s.pos * (below + s.neg / 2)).sum(axis=-1), s.positives * s.negatives)


@metric(scores)
def average_precision(s: Histogram, rule: str = "step") -> Values:
    """Average precision (AP): the area under the precision-recall curve.

    By steps: the sum over thresholds of (recall gained) x (precision there), the mean over positive pixels
    of the precision at their score. Range 0 to 1; the share of positives for chance. Undefined without
    positives; 1 without negatives.
    Hides: calibration and the threshold to use; its value for chance is the share of positives, so data sets cannot
    be compared.
    Use: for rare positives, with the prevalence beside it.
    Differs: `rule=trapezoid` joins the points by lines, from recall 0 and precision 1 on (too high: precision
    is not linear in recall; Davis and Goadrich, ICML 2006); `rule=interpolated` takes for each recall the best
    precision at that or any higher recall (PASCAL VOC since 2010). scikit-learn's value is the step rule's.
    What microscopy calls average precision is `object_accuracy`.
    Reference: Su et al., ICTIR 2015; Everingham et al., IJCV 2010.

    >>> round(average_precision(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])), 4)  # (1/1 + 2/3) / 2
    0.8333
    """
    if rule == "step" and isinstance(s, Scores):
        return ratio(s.areas[1], s.positives)
    tp, fp = _cumulated(s)
    precision = ratio(tp, tp + fp)
    if rule == "trapezoid":
        before = np.concatenate([precision[..., 1:], np.ones_like(precision[..., :1])], axis=-1)
        precision = (precision + np.where(np.isnan(before), 1.0, before)) / 2
    elif rule == "interpolated":
        precision = np.fmax.accumulate(precision, axis=-1)
    elif rule != "step":
        raise UsageError(f"rule must be step, trapezoid or interpolated, not {rule!r}")
    return ratio(np.where(s.pos > 0, s.pos * precision, 0.0).sum(axis=-1), s.positives)


@metric(scores)
def recall_at(s: Histogram, precision: float) -> Values:
    """Recall at a precision: the highest recall of a threshold whose precision is at least that.

    Range 0 to 1; 0 where no threshold has the precision. Undefined without positives. Points of the curve
    only: nothing is interpolated.
    Hides: how the map does at any other precision; it jumps on small data.
    Use: where a false alarm rate is given from outside and the threshold may follow from it.

    >>> recall_at(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]), precision=0.6)  # 2/3 at 0.35
    1.0
    """
    _check_share("precision", precision)
    tp, fp = _cumulated(s)
    reached = ratio(tp, tp + fp) >= precision
    return ratio(np.where(reached, tp, 0).max(axis=-1, initial=0), s.positives)


@metric(scores)
def sensitivity_at(s: Histogram, specificity: float) -> Values:
    """Sensitivity at a specificity: the highest recall of a threshold whose specificity is at least that.

    Range 0 to 1; 0 where only a threshold above all scores has the specificity. Undefined where a class is
    absent. Points of the curve only: nothing is interpolated.
    Hides: how many false alarms that is in pixels: 1 % of a large background exceeds a small object.
    Use: for screening, where the specificity is given from outside.

    >>> sensitivity_at(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]), specificity=0.9)
    0.5
    """
    _check_share("specificity", specificity)
    tp, fp = _cumulated(s)
    negatives = np.asarray(s.negatives)[..., None]
    reached = ratio(negatives - fp, negatives) >= specificity
    hit = ratio(np.where(reached, tp, 0).max(axis=-1, initial=0), s.positives)
    return np.where(np.asarray(s.negatives) == 0, np.nan, hit)


@metric(scores, better="none", resampled=False)
def best_threshold(s: Scores, metric: Metric[Confusion, Any] | str) -> Values:
    """The threshold at which a region metric of the positive class is best: `best_threshold(metric=dice)`.

    One of the scores that occur; of several that are equally good the highest. Undefined where the metric is
    at every threshold. Chosen and judged on the same images, the metric is too good: choose on others.
    Hides: that it was chosen on these very images: the score it reaches is too good for new ones.
    Use: on validation data, to fix the threshold before the test data are looked at.

    >>> best_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]), metric="dice")  # 4/5 there
    0.35
    """
    made = region_metric(metric)
    sign = {"higher": 1.0, "lower": -1.0}.get(made.better)
    best, where = -np.inf, np.nan
    for score, stack in _confusions(s):
        value = positive_values(made, stack)
        value = -np.abs(value) if sign is None else sign * value
        value = np.where(np.isnan(value), -np.inf, value)
        at = value.size - 1 - int(np.argmax(value[::-1]))
        if value[at] >= best and value[at] > -np.inf:
            best, where = value[at], score[at]
    return np.array(where)


@metric(scores, better="lower", by_pixel=True)
def brier(s: Histogram) -> Values:
    """Brier score: the mean of (score - 1)^2 for positives and score^2 for negatives.

    Range 0 to 1, lower is better. Undefined without pixels. Judges calibration and discrimination together; always
    predicting the share p of positives gives p (1 - p), so a low value is easy where positives are rare.
    Hides: ranking and calibration apart; with rare positives a map of zeros is near 0.
    Use: to compare probabilities as a whole, between maps of the same data set only.
    Reference: Brier, Monthly Weather Review 78, 1950 (there summed over both classes: twice this).

    >>> round(brier(np.array([0, 1]), np.array([0.1, 0.8])), 4)  # (0.01 + 0.04) / 2
    0.025
    """
    return _mean(s, lambda b: b.pos * (1 - b.score) ** 2 + b.neg * b.score**2)


@metric(scores, better="lower", bounds=(0.0, float("inf")), by_pixel=True)
def log_loss(s: Histogram, eps: float = 2.0**-52) -> Values:
    """Log loss (binary cross-entropy), in nats: the mean of -ln(score) of positives and -ln(1 - score) of negatives.

    From 0 up, lower is better; ln 2 = 0.693 for a score of 0.5 everywhere. Undefined without pixels. Scores are
    kept between `eps` and 1 - `eps`, so a pixel that was wrong with certainty costs -ln(eps) = 36 and not infinity.
    Hides: where it comes from: a few sure and wrong pixels outweigh all others.
    Use: where probabilities feed a decision and certainty in error is dear; else `brier`.
    Differs: scikit-learn takes for eps the precision of the array's type, so that the same scores as float32
    cost 16 there, and as float16 7; here it is that of float64 always. PyTorch's loss stops at 100.
    Reference: Good, Journal of the Royal Statistical Society B 14, 1952.

    >>> round(log_loss(np.array([0, 1]), np.array([0.5, 0.25])), 4)  # (ln 2 + ln 4) / 2
    1.0397
    """

    def loss(b: Block) -> Values:
        kept = np.clip(b.score, eps, 1 - eps)
        return -(b.pos * np.log(kept) + b.neg * np.log1p(-kept))

    return _mean(s, loss)


@metric(scores, better="lower")
def ece(s: Histogram, bins: int = 15) -> Values:
    """Expected calibration error: how far scores are from frequencies, |share of positives - mean score|.

    The mean over bins of the score, of equal width and closed above (0 belongs to the first), weighted by their
    pixels. Range 0 to 1, lower is better. Undefined without pixels. Depends on the bins; a constant score of the
    right share has 0.
    Hides: whether the map can tell classes apart (a constant at the prevalence gives 0), and opposite errors within
    a bin.
    Use: for whether scores may be read as probabilities, with `average_precision` beside it; look at the
    reliability curve.
    Differs: this is the calibration of the positive class; for two classes Guo et al. take the confidence of the
    predicted class, max(score, 1 - score), against accuracy. torchmetrics closes the bins below.
    Reference: Naeini et al., AAAI 2015; Guo et al., ICML 2017.

    >>> round(ece(np.array([0, 1, 1, 1]), np.array([0.1, 0.1, 0.9, 0.9])), 4)  # (0.4 + 0.1) / 2
    0.25
    """
    n, positive, score = binned(s, bins)
    return ratio(np.abs(positive - score).sum(axis=-1), n.sum(axis=-1))


@metric(scores, better="lower")
def mce(s: Histogram, bins: int = 15) -> Values:
    """Maximum calibration error: the greatest |share of positives - mean score| of a bin (the bins of `ece`).

    Range 0 to 1, lower is better. Undefined without pixels. Decided by one bin, perhaps of few pixels.
    Hides: how many pixels the worst bin holds: few decide it.
    Use: where no score may mislead; with the number of pixels by bin beside it.
    Reference: Naeini et al., AAAI 2015.

    >>> round(mce(np.array([0, 1, 1, 1]), np.array([0.1, 0.1, 0.9, 0.9])), 4)
    0.4
    """
    n, positive, score = binned(s, bins)
    gap = ratio(np.abs(positive - score), n)
    return np.where(n.sum(axis=-1) == 0, np.nan, np.where(np.isnan(gap), 0.0, gap).max(axis=-1))


def macro(metric: Metric[Any, float], by_class: Mapping[int, Scores]) -> float:
    """The mean over classes of a curve metric, over the classes where it is defined (see `class_scores`).

    >>> from maskmeter.statistics.class_scores import class_scores
    >>> both = class_scores([0, 1, 1], np.array([[0.5, 0.5, 0.25], [0.5, 0.5, 0.75]]))
    >>> macro(roc_auc, both), micro(roc_auc, both)  # 1.5 of 2 pairs for each class; 7 of 9 together
    (0.75, 0.7777777777777778)
    """
    values = np.array([metric.compute(s) for s in by_class.values()])
    return float(mean(values))


def micro(metric: Metric[Any, float], by_class: Mapping[int, Scores]) -> float:
    """A curve metric of all decisions together: every pixel counts once for every class."""
    return metric.compute(reduce(add, by_class.values()))


def roc_auc_error(s: Scores) -> float:
    """How far `roc_auc` of a coarsened histogram may be from the exact one: half the pairs that share a cell."""
    shared = 0.0
    if s.level:
        shared = sum(float((b.pos.astype(np.float64) * b.neg).sum()) for b in s.blocks())
    return float(ratio(shared / 2, s.positives * s.negatives))


def average_precision_error(s: Scores) -> float:
    """How far `average_precision` (step rule) of a coarsened histogram may be from the exact one.

    The precision at a positive lies between those with all of its cell's negatives and none of its other
    positives above it, and the other way round.
    """
    if not s.level:
        return float(ratio(0.0, s.positives))
    tp, fp = _cumulated(s)
    some = s.pos > 0
    pos, neg, tp, fp = (x[some].astype(np.float64) for x in (s.pos, s.neg, tp, fp))
    least = (pos * ((tp - pos + 1) / (tp - pos + 1 + fp))).sum()
    most = (pos * (tp / (tp + fp - neg))).sum()
    between = s.areas[1]
    return float(ratio(max(most - between, between - least), s.positives))


def region_metric(metric: Metric[Confusion, Any] | str) -> Metric[Confusion, Any]:
    """The metric, if it is one over `confusion`, so that it has a value at a threshold. Raises UsageError."""
    made = parse(metric) if isinstance(metric, str) else metric
    if made.measure is not confusion:
        raise UsageError(f"{made} is not a metric of regions, as dice and fbeta(beta=2) are")
    return made


def positive_values(metric: Metric[Confusion, Any], stack: Confusion) -> Values:
    """The metric of each entry of a binary stack: of the positive class, where it has one for each."""
    values = metric.values(stack)
    return values[..., 1] if metric.per_class else values


def threshold_values(s: Scores, metric: Metric[Confusion, Any]) -> Values:
    """The metric at each distinct score as threshold, ascending."""
    return np.concatenate([np.empty(0), *(positive_values(metric, stack) for _, stack in _confusions(s))])


def binned(s: Histogram, bins: int) -> tuple[Values, Values, Values]:
    """(..., bins) pixels, positive pixels and added-up scores in bins of equal width, closed above."""
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"bins must be a number from 1 on, not {bins!r}")
    inner = np.linspace(0, 1, bins + 1)[1:-1]
    parts: list[Values] = []
    for b in s.blocks():
        cut = [0, *np.searchsorted(b.score, inner, side="right").tolist(), b.score.size]
        n = b.pos + b.neg
        sums = [[x[..., i:j].sum(axis=-1) for i, j in pairwise(cut)] for x in (n, b.pos, n * b.score)]
        parts.append(np.moveaxis(np.asarray(sums, np.float64), 1, -1))
    n, positive, score = np.sum(parts, axis=0) if parts else np.zeros((3, bins))
    return n, positive, score


def _mean(s: Histogram, loss: Callable[[Block], Values]) -> Values:
    """The mean over pixels of what the entries cost, added in ascending order."""
    total = np.sum([loss(b).sum(axis=-1) for b in s.blocks()], axis=0)
    return ratio(total, np.asarray(s.positives) + np.asarray(s.negatives))


def _cumulated(s: Histogram) -> tuple[NDArray[Any], NDArray[Any]]:
    """(..., K) positives and negatives with a score at or above each threshold, ascending thresholds."""
    tp, fp = (np.cumsum(x[..., ::-1], axis=-1)[..., ::-1] for x in (s.pos, s.neg))
    return tp, fp


def _partial_area(s: Histogram, max_fpr: float) -> Values:
    tp, fp = _cumulated(s)
    tpr, fpr = (ratio(x, np.asarray(n)[..., None]) for x, n in ((tp, s.positives), (fp, s.negatives)))
    rise, run = ratio(s.pos, np.asarray(s.positives)[..., None]), ratio(s.neg, np.asarray(s.negatives)[..., None])
    start = fpr - run  # each threshold adds a trapezoid, of which the part up to max_fpr counts
    width = np.clip(max_fpr - start, 0.0, run)
    slope = np.where(run > 0, rise / np.where(run > 0, run, 1.0), 0.0)
    area = (width * (tpr - rise + slope * width / 2)).sum(axis=-1)
    chance = max_fpr * max_fpr / 2
    standardised = (1 + (area - chance) / (max_fpr - chance)) / 2
    return np.where((np.asarray(s.positives) == 0) | (np.asarray(s.negatives) == 0), np.nan, standardised)


def _confusions(s: Scores) -> Iterator[tuple[Values, Confusion]]:
    """The distinct scores and the stack of confusions with each as threshold, ascending, in pieces."""
    tp_left, fp_left = s.positives, s.negatives
    all_pixels = np.array([s.negatives, s.positives], np.int64)
    for b in s.blocks():
        tp = tp_left - (np.cumsum(b.pos) - b.pos)
        fp = fp_left - (np.cumsum(b.neg) - b.neg)
        tp_left, fp_left = tp_left - int(b.pos.sum()), fp_left - int(b.neg.sum())
        hits = np.stack([s.negatives - fp, tp], axis=-1)
        pred = np.stack([s.negatives - fp + s.positives - tp, tp + fp], axis=-1)
        gt, ignored = np.broadcast_to(all_pixels, hits.shape), np.full(tp.shape, s.ignored)
        yield b.threshold, Confusion(np.arange(2), hits, gt, pred, ignored, np.ones(2, bool), True)


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise UsageError(f"{name} must be from 0 to 1, not {value}")
