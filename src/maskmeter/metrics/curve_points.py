"""Curves as points: what the curve metrics measure, for pictures and tables.

Each function takes a pair of maps and the facts that `scores` takes (mask, ignore, positive, ...); the class
it returns makes the same of a statistic that was added up: `RocCurve.of(a + b)`. Thresholds descend, as
scikit-learn's ROC curve has them: from nothing positive to everything. Every distinct score is a threshold; in
a coarsened histogram the least score of each cell, at which the counts are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..statistics.confusion import Confusion
from ..statistics.scores import CoarseScores, Scores, scores
from ._metric import Metric, Values, ratio
from .curves import binned, region_metric, threshold_values

__all__ = [
    "PrCurve", "ReliabilityCurve", "RocCurve", "ThresholdCurve", "pr_curve", "reliability_curve", "roc_curve",
    "threshold_curve",
]  # fmt: skip


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
