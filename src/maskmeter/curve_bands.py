"""Curve bands: how far a curve would move with another sample of images, as an interval at each place of its x axis.

The same images, or groups of them, are drawn as for the intervals of numbers, the first 500 resamples of those; their
statistics are added up, and the curve is read at fixed places. A band is pointwise: it holds the curve of 95 of 100
samples at each place, not the whole curve of 95. Ends are always those of the percentile method.

roc        true positive rate at false positive rates, on the coarse grid of scores that is kept by image
pr         precision at recalls, by the step rule of average precision
threshold  region metrics at thresholds 0, 0.01, ... 1
objects    precision, recall and F1 of whole objects at each threshold that was counted
froc       sensitivity at each threshold; its place on the x axis is that of the whole data set's curve
of_means   the mean over images of any value that each image has at each place
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .evaluation import Evaluation
from .kernels import weighted_sums
from .metrics import Metric, Values
from .metrics._metric import ratio
from .metrics.curves import positive_values
from .statistics.confusion import Confusion
from .statistics.object_scores import ObjectScores
from .statistics.scores import CoarseScores, Scores
from .statistics.shape import Need
from .uncertainty import LEVEL, Resampling, weights_of

RESAMPLES = 500
GRID = np.linspace(0, 1, 101)


class CurveBand(NamedTuple):
    """The ends of an interval at each x; NaN where most resamples have no value."""

    x: Values
    low: Values
    high: Values


class ScoreBands(NamedTuple):
    """Those of score maps."""

    roc: CurveBand
    pr: CurveBand
    threshold: dict[Metric[Any, Any], CurveBand]


def scores(e: Evaluation, metrics: Sequence[Metric[Any, Any]]) -> ScoreBands | None:
    """Of the curves of score maps, with region metrics of the foreground; None where nothing can be resampled."""
    found = _band(
        e,
        Scores.name,
        np.tile(GRID, 2 + len(metrics)),
        lambda s: np.concatenate([*_curves(s), *_values(s, metrics)], 1),
    )
    if found is None:
        return None
    parts = [np.split(side, 2 + len(metrics)) for side in found]
    roc, pr, *others = (CurveBand(*ends) for ends in zip(*parts, strict=True))
    return ScoreBands(roc, pr, dict(zip(metrics, others, strict=True)))


def _curves(s: CoarseScores) -> tuple[Values, Values]:
    """True positive rates and precisions at the places of the grid."""
    tp, fp = (np.cumsum(side[..., ::-1], axis=-1) for side in (s.pos, s.neg))
    tpr, fpr, precision = ratio(tp, s.positives[..., None]), ratio(fp, s.negatives[..., None]), ratio(tp, tp + fp)
    rates = [np.interp(GRID, np.append(0.0, x), np.append(0.0, y)) for x, y in zip(fpr, tpr, strict=True)]
    won = [p[np.searchsorted(r, GRID).clip(max=r.size - 1)] for p, r in zip(precision, tpr, strict=True)]
    return np.array(rates), np.array(won)


def _values(s: CoarseScores, metrics: Sequence[Metric[Any, Any]]) -> list[Values]:
    """Region metrics with the places of the grid as thresholds."""
    below = np.searchsorted(s.thresholds, GRID)
    start = np.zeros((len(s.pos), 1))
    missed, right = (np.append(start, np.cumsum(x, axis=-1), axis=1)[:, below] for x in (s.pos, s.neg))
    gt = np.broadcast_to(np.stack([s.negatives, s.positives], axis=-1)[:, None], (*missed.shape, 2))
    tp = np.stack([right, gt[..., 1] - missed], axis=-1)
    pred = np.stack([right + missed, gt.sum(axis=-1) - right - missed], axis=-1)
    tp, gt, pred = (x.astype(np.int64) for x in (tp, gt, pred))
    whole = Confusion(np.arange(2), tp, gt, pred, np.zeros(missed.shape, np.int64), np.ones(2, bool), True)
    return [positive_values(m, whole) for m in metrics]


def objects(e: Evaluation, rule: Need, name: str) -> CurveBand | None:
    """Of the precision, recall or f1 of whole objects that were counted under a rule."""

    def read(s: ObjectScores) -> Values:
        c = s.by_rule[rule]
        missed = c.objects[..., None] - c.found
        if name == "recall":
            return ratio(c.found, c.objects[..., None])
        if name == "f1":
            return ratio(2 * c.found, 2 * c.found + c.false + missed)
        none = (c.found + c.false == 0) & (missed > 0)
        return np.where(none, 0.0, ratio(c.found, c.found + c.false))

    return _band(e, ObjectScores.name, _thresholds(e, rule), read)


def froc(e: Evaluation, rule: Need) -> CurveBand | None:
    """Of the sensitivity, in the order of thresholds."""
    return objects(e, rule, "recall")


def of_means(e: Evaluation, x: Values, values: Values) -> CurveBand | None:
    """Of the mean over images at each x: `values` (images, places) in the order of the names, NaN where undefined."""
    units, how = e.units, e.resampling
    if units.count < 2 or how.method == "none":
        return None
    known = ~np.isnan(values)
    sums, n = units.summed(np.where(known, values, 0.0)), units.summed(known.astype(np.float64))
    drawn = [ratio(weighted_sums(w, sums), weighted_sums(w, n)) for w in weights_of(units.count, _fewer(how))]
    low, high = (_quantile(np.concatenate(drawn)[1:], share) for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return CurveBand(x, low, high)


def _thresholds(e: Evaluation, rule: Need) -> Values:
    counted: ObjectScores = e.statistic(ObjectScores.name)
    return counted.by_rule[rule].thresholds


def _band(e: Evaluation, statistic: str, x: Values, read: Callable[[Any], Values]) -> CurveBand | None:
    units, how = e.units, e.resampling
    if units.count < 2 or how.method == "none":
        return None
    sampler = e.sampler(statistic)
    drawn = np.concatenate([read(sampler.resampled(w)) for w in weights_of(units.count, _fewer(how))])[1:]
    low, high = (_quantile(drawn, share) for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return CurveBand(x, low, high)


def _fewer(how: Resampling) -> Resampling:
    """The draws that curves take."""
    return replace(how, method="percentile", resamples=min(how.resamples, RESAMPLES))


def _quantile(drawn: Values, share: float) -> Values:
    """At each place the quantile of what is defined there; NaN where less than half is."""
    known = np.count_nonzero(~np.isnan(drawn), axis=0)
    ordered: NDArray[np.float64] = np.sort(drawn, axis=0)  # NaN goes last
    place = share * np.maximum(known - 1, 0)
    below = np.floor(place).astype(np.int64)
    column = np.arange(drawn.shape[1])
    a, b = ordered[below, column], ordered[np.minimum(below + 1, np.maximum(known - 1, 0)), column]
    return np.where(2 * known >= len(drawn), a + (b - a) * (place - below), np.nan)
