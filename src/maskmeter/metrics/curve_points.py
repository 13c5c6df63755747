"""Curves as points: what the curve metrics measure, for pictures and tables.

Each function takes a pair of maps and the facts that `scores` takes (mask, ignore, positive, ...); the class
it returns makes the same of a statistic that was added up: `RocCurve.of(a + b)`. Thresholds descend, as
scikit-learn's ROC curve has them: from nothing positive to everything. Every distinct score is a threshold; in
a coarsened histogram the least score of each cell, at which the counts are exact.

`froc_curve` is about whole objects: connected components over diagonals too (8 neighbours in 2D, 26 in 3D),
of the ground truth and of the map at each threshold. A true object is found when a component of the
prediction touches it; a component that touches none is a false positive.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..statistics.confusion import Confusion
from ..statistics.scores import CoarseScores, Scores, count_scores, score_pixels, scores
from ._metric import Metric, Values, ratio
from .curves import binned, region_metric, threshold_values

__all__ = [
    "FrocCurve", "PrCurve", "ReliabilityCurve", "RocCurve", "ThresholdCurve", "froc_curve", "pr_curve",
    "reliability_curve", "roc_curve", "threshold_curve",
]  # fmt: skip

FROC_THRESHOLDS = tuple(np.arange(1, 100) / 100)


@dataclass(frozen=True, eq=False)
class RocCurve:
    """True against false positive rate, from (0, 0), whose threshold is infinite, to (1, 1); NaN where undefined."""

    thresholds: Values
    fpr: Values
    tpr: Values

    @classmethod
    def of(cls, s: Scores | CoarseScores) -> RocCurve:
        tp, fp = (np.append(0, np.cumsum(side[::-1])) for side in (s.pos, s.neg))
        return cls(np.append(np.inf, s.thresholds[::-1]), ratio(fp, s.negatives), ratio(tp, s.positives))


@dataclass(frozen=True, eq=False)
class PrCurve:
    """Precision against recall; `prevalence` is the precision of chance. No point is made up for recall 0."""

    thresholds: Values
    precision: Values
    recall: Values
    prevalence: float

    @classmethod
    def of(cls, s: Scores | CoarseScores) -> PrCurve:
        tp, fp = (np.cumsum(side[::-1]) for side in (s.pos, s.neg))
        prevalence = float(ratio(s.positives, np.asarray(s.positives) + np.asarray(s.negatives)))
        return cls(s.thresholds[::-1], ratio(tp, tp + fp), ratio(tp, s.positives), prevalence)


@dataclass(frozen=True, eq=False)
class ThresholdCurve:
    """A region metric of the positive class against the threshold."""

    metric: str
    thresholds: Values
    values: Values

    @classmethod
    def of(cls, s: Scores, metric: Metric[Confusion, Any] | str) -> ThresholdCurve:
        made = region_metric(metric)
        return cls(str(made), s.thresholds[::-1], threshold_values(s, made)[::-1])


@dataclass(frozen=True, eq=False)
class ReliabilityCurve:
    """Share of positives against mean score, in bins of equal width, closed above; NaN where a bin is empty."""

    edges: Values
    pixels: Values
    score: Values
    positive: Values

    @classmethod
    def of(cls, s: Scores | CoarseScores, bins: int = 15) -> ReliabilityCurve:
        n, positive, score = binned(s, bins)
        return cls(np.linspace(0, 1, bins + 1), n, ratio(score, n), ratio(positive, n))


@dataclass(frozen=True, eq=False)
class FrocCurve:
    """Share of true objects found against false positives per image. Merging: counts add, at equal thresholds.

    found, false   true objects found, and components that touch none, at each threshold (descending)
    objects        true objects
    images         images
    """

    thresholds: Values
    found: NDArray[np.int64]
    false: NDArray[np.int64]
    objects: int
    images: int

    @property
    def sensitivity(self) -> Values:
        return ratio(self.found, self.objects)

    @property
    def false_per_image(self) -> Values:
        return ratio(self.false, self.images)

    def __add__(self, other: FrocCurve) -> FrocCurve:
        if not np.array_equal(self.thresholds, other.thresholds):
            raise UsageError("FROC curves with different thresholds do not add up")
        return FrocCurve(
            self.thresholds, self.found + other.found, self.false + other.false,
            self.objects + other.objects, self.images + other.images,
        )  # fmt: skip


def roc_curve(gt: Any, score: Any, **facts: Any) -> RocCurve:
    """The ROC curve of a map.

    >>> curve = roc_curve([0, 0, 1, 1], np.array([0.1, 0.4, 0.35, 0.8]))
    >>> curve.fpr.tolist(), curve.tpr.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    return RocCurve.of(scores(gt, score, **facts))


def pr_curve(gt: Any, score: Any, **facts: Any) -> PrCurve:
    """The precision-recall curve of a map.

    >>> curve = pr_curve([0, 0, 1, 1], np.array([0.1, 0.4, 0.35, 0.8]))
    >>> curve.recall.tolist(), curve.precision[:2].tolist()
    ([0.5, 0.5, 1.0, 1.0], [1.0, 0.5])
    """
    return PrCurve.of(scores(gt, score, **facts))


def threshold_curve(gt: Any, score: Any, metric: Metric[Confusion, Any] | str, **facts: Any) -> ThresholdCurve:
    """A region metric of the positive class at every threshold.

    >>> threshold_curve([0, 0, 1, 1], np.array([0.1, 0.4, 0.35, 0.8]), "precision").values[:2].tolist()
    [1.0, 0.5]
    """
    return ThresholdCurve.of(scores(gt, score, **facts), metric)


def reliability_curve(gt: Any, score: Any, bins: int = 15, **facts: Any) -> ReliabilityCurve:
    """How often pixels are positive, by their score.

    >>> reliability_curve([0, 1, 1, 1], np.array([0.25, 0.25, 0.75, 0.75]), bins=2).positive.tolist()
    [0.5, 1.0]
    """
    return ReliabilityCurve.of(scores(gt, score, **facts), bins)


def froc_curve(
    images: Iterable[tuple[Any, Any]], thresholds: Iterable[float] = FROC_THRESHOLDS, **facts: Any
) -> FrocCurve:
    """Objects found against false positives per image, over (ground truth, score map) pairs.

    Pixels that are not counted (void, outside a mask) belong to no object and no component.

    >>> gt, score = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.2, 0.0, 0.6, 0.0])
    >>> curve = froc_curve([(gt, score)], thresholds=[0.5, 0.8])
    >>> curve.sensitivity.tolist(), curve.false_per_image.tolist()
    ([1.0, 1.0], [0.0, 1.0])
    """
    at = np.unique(np.asarray(list(thresholds), np.float64))[::-1]
    total = FrocCurve(at, np.zeros(at.size, np.int64), np.zeros(at.size, np.int64), 0, 0)
    for gt, score in images:
        total += _froc(gt, score, at, **facts)
    return total


def _froc(gt: Any, score: Any, thresholds: Values, **facts: Any) -> FrocCurve:
    positive, array, counted = score_pixels(gt, score, **facts)
    valid = np.ones(positive.shape, bool) if counted is None else counted
    statistic = count_scores(positive, array, counted)
    objects, n = _components(positive & valid)
    found, false = np.zeros((2, thresholds.size), np.int64)
    for i, threshold in enumerate(thresholds.tolist()):
        parts, m = _components((array >= statistic.threshold(threshold)) & valid)
        touch = (objects > 0) & (parts > 0)
        found[i] = np.unique(objects[touch]).size
        false[i] = m - np.unique(parts[touch]).size
    return FrocCurve(thresholds, found, false, n, 1)


def _components(mask: NDArray[np.bool_]) -> tuple[NDArray[Any], int]:
    from scipy import ndimage

    labels: Any = np.empty(mask.shape, np.int32)
    n: Any = ndimage.label(mask, np.ones((3,) * mask.ndim, bool), output=labels)
    return labels, int(n)
