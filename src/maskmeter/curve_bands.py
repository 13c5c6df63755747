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
reliability  share of positives in bins of scores; the place of a bin is its mean score in the whole data set
by_class   these three of classes against the rest, and of all their decisions together
rates      numbers of objects, each place a metric of its own: precision, recall and F1 at IoU thresholds
detections precision at recalls of scored detections, the mean over the classes that a resample has objects of

Any curve of which a statistic can be resampled has one: `band` takes what reads it. So has one whose values are
sums over images divided by sums, as an NSD over tolerances is: `ratios` takes both by image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .columns import columns
from .evaluation import Evaluation
from .kernels import weighted_sums
from .metrics import Metric, Values
from .metrics._metric import ratio
from .metrics.curve_points import ReliabilityCurve
from .metrics.curves import binned, positive_values
from .statistics.by_class import ClassScores, CoarseClassScores
from .statistics.confusion import Confusion
from .statistics.detections import Detections
from .statistics.object_scores import ObjectScores
from .statistics.overlap import Overlap
from .statistics.scores import CoarseScores, Scores
from .statistics.shape import Need
from .uncertainty import LEVEL, weights_of

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
    reliability: CurveBand
    threshold: dict[Metric[Any, Any], CurveBand]


def scores(e: Evaluation, metrics: Sequence[Metric[Any, Any]], bins: int = 15) -> ScoreBands | None:
    """Of the curves of score maps, with region metrics of the foreground; None where nothing can be resampled."""
    places = [GRID, GRID, ReliabilityCurve.of(e.statistic(Scores.name), bins).score, *[GRID] * len(metrics)]
    found = band(e, Scores.name, np.concatenate(places), lambda s: _read(s, bins, metrics))
    if found is None:
        return None
    roc, pr, reliability, *others = _apart(found, places)
    return ScoreBands(roc, pr, reliability, dict(zip(metrics, others, strict=True)))


def by_class(e: Evaluation, classes: Sequence[int], bins: int = 15) -> list[ScoreBands] | None:
    """Of the curves of some classes against the rest, and last of all decisions together."""
    whole: ClassScores = e.statistic(Scores.name)
    each = [*(whole.by_class[k] for k in classes), whole.together]
    places = [x for s in each for x in (GRID, GRID, ReliabilityCurve.of(s, bins).score)]

    def read(s: CoarseClassScores) -> Values:
        return np.concatenate([_read(x, bins, ()) for x in (*(s.by_class[k] for k in classes), s.together)], axis=1)

    def narrowed(s: CoarseClassScores) -> CoarseClassScores:
        """Without the classes that nobody asked for, which cost as much."""
        return CoarseClassScores({k: s.by_class[k] for k in classes}, s.together)

    found = band(e, Scores.name, np.concatenate(places), read, narrowed)
    if found is None:
        return None
    parts = _apart(found, places)
    return [ScoreBands(parts[i], parts[i + 1], parts[i + 2], {}) for i in range(0, len(parts), 3)]


def _apart(found: CurveBand, places: Sequence[Values]) -> list[CurveBand]:
    """The bands of several curves that were drawn together."""
    ends = np.cumsum([p.size for p in places])[:-1]
    return [CurveBand(*x) for x in zip(*(np.split(side, ends) for side in found), strict=True)]


def _read(s: CoarseScores, bins: int, metrics: Sequence[Metric[Any, Any]]) -> Values:
    """All curves of a resample, side by side."""
    n, positive, _ = binned(s, bins)
    return np.concatenate([*_curves(s), ratio(positive, n), *_values(s, metrics)], axis=1)


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

    return band(e, ObjectScores.name, _thresholds(e, rule), read)


def froc(e: Evaluation, rule: Need) -> CurveBand | None:
    """Of the sensitivity, in the order of thresholds."""
    return objects(e, rule, "recall")


def of_means(e: Evaluation, x: Values, values: Values) -> CurveBand | None:
    """Of the mean over images at each x: `values` (images, places) in the order of the names, NaN where undefined."""
    known = ~np.isnan(values)
    return ratios(e, x, np.where(known, values, 0.0), known)


def _thresholds(e: Evaluation, rule: Need) -> Values:
    counted: ObjectScores = e.statistic(ObjectScores.name)
    return counted.by_rule[rule].thresholds


def rates(e: Evaluation, metrics: Sequence[Metric[Any, Any]]) -> CurveBand | None:
    """Of metrics of objects, the mean over classes where there are some; the place of each is its number."""
    places = np.arange(len(metrics), dtype=np.float64)
    return band(e, Overlap.name, places, lambda o: np.stack([columns(m, o)[..., -1] for m in metrics], axis=-1))


def detections(e: Evaluation, ious: Sequence[float]) -> list[CurveBand] | None:
    """Of precision at the recalls of the rules, at each of these IoU, the mean over classes."""
    whole: Detections = e.statistic(Detections.name)
    levels, steps = whole.rules.levels, [whole.rules.step(iou) for iou in ious]
    places = [levels] * len(steps)
    found = band(e, Detections.name, np.concatenate(places), lambda d: _precisions(d, [t or 0 for t in steps]))
    return None if found is None else _apart(found, places)


def _precisions(d: Detections, steps: Sequence[int]) -> Values:
    """(B, steps x R) the mean over the classes with objects in each resample, as `Detections.precision` reads curves.

    A detection that is there w times adds as much to what is right or wrong: the curve gets points between, none of
    which its envelope needs.
    """
    weights, a = np.asarray(d.weights, np.float64), d.rules.area("all")
    counted = d.gt_counted[a]
    table = np.bincount(d.gt_image[counted] * d.classes.size + d.gt_class[counted], minlength=d.images * d.classes.size)
    objects = weighted_sums(weights, table.reshape(d.images, d.classes.size).astype(np.float64))
    total = np.zeros((len(steps), len(weights), d.rules.levels.size))
    for k in np.flatnonzero(objects.any(axis=0)).tolist():
        at = np.arange(d.det_class.size)[d.by_class[k]]
        at = at[d.det_rank[at] < d.rules.cap]
        if not at.size:
            continue
        needed = _least(objects[:, k], d.rules.levels)
        ends = np.append(np.diff(d.det_score[at]) != 0, True) | d.rules.filed
        here = weights[:, d.det_image[at]]
        for i, t in enumerate(steps):
            right, ignored = ((x[a, at] >> np.uint64(t) & np.uint64(1)).astype(bool) for x in (d.hits, d.ignored))
            tp, fp = (np.cumsum(here * kept, axis=1)[:, ends] for kept in (right & ~ignored, ~right & ~ignored))
            best = np.maximum.accumulate((tp / np.maximum(tp + fp, 1))[:, ::-1], axis=1)[:, ::-1]
            place = _first(tp, needed)
            reached = (place < tp.shape[1]) & (objects[:, [k]] > 0)
            won = np.take_along_axis(best, np.minimum(place, tp.shape[1] - 1), axis=1)
            total[i] += np.where(reached, won, 0.0)
    return np.concatenate([ratio(x, (objects > 0).sum(axis=1)[:, None]) for x in total], axis=1)


def _least(objects: Values, levels: Values) -> Values:
    """(B, R) how many of so many objects make each recall at least, as the quotient says it in floats."""
    least = np.ceil(objects[:, None] * levels)
    whole = np.maximum(objects, 1)[:, None]
    least -= (least - 1) / whole >= levels
    return least + (least / whole < levels)


def _first(counts: Values, least: Values) -> NDArray[np.int64]:
    """In each row of ascending whole numbers the first place that reaches each of the least ones, or their length."""
    rows, n = counts.shape
    apart = (max(float(counts[:, -1].max()), float(least.max())) + 1) * np.arange(rows)[:, None]
    place = np.searchsorted((counts + apart).ravel(), (least + apart).ravel()).reshape(least.shape)
    return np.clip(place - n * np.arange(rows)[:, None], 0, n)


def band(
    e: Evaluation,
    statistic: str,
    x: Values,
    read: Callable[[Any], Values],
    narrowed: Callable[[Any], Any] | None = None,
) -> CurveBand | None:
    """The band of a curve at the places x; None where nothing can be resampled.

    statistic  of which resamples are drawn
    read       from the statistic of some resamples to the curve of each, (resamples, places)
    narrowed   from what is drawn from to the part of it that is read
    """
    if e.units.count < 2 or e.resampling.method == "none":
        return None
    sampler = e.sampler(statistic)
    sampler = sampler if narrowed is None else narrowed(sampler)
    return _ends(e, x, lambda weights: read(sampler.resampled(weights)))


def ratios(e: Evaluation, x: Values, part: Values, whole: Values) -> CurveBand | None:
    """The band of sum(part) / sum(whole) over images, (images, places) each; None where nothing can be resampled."""
    if e.units.count < 2 or e.resampling.method == "none":
        return None
    sums = [e.units.summed(np.asarray(side, np.float64)) for side in (part, whole)]
    return _ends(e, x, lambda weights: ratio(*(weighted_sums(weights, s) for s in sums)))


def _ends(e: Evaluation, x: Values, drawn_of: Callable[[Values], Values]) -> CurveBand:
    """From rows of weights of the units to curves, and their quantiles."""
    fewer = replace(e.resampling, method="percentile", resamples=min(e.resampling.resamples, RESAMPLES))
    drawn = np.concatenate([drawn_of(w) for w in weights_of(e.units.count, fewer)])[1:]
    low, high = (_quantile(drawn, share) for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return CurveBand(x, low, high)


def _quantile(drawn: Values, share: float) -> Values:
    """At each place the quantile of what is defined there; NaN where less than half is."""
    known = np.count_nonzero(~np.isnan(drawn), axis=0)
    ordered: NDArray[np.float64] = np.sort(drawn, axis=0)  # NaN goes last
    place = share * np.maximum(known - 1, 0)
    below = np.floor(place).astype(np.int64)
    column = np.arange(drawn.shape[1])
    a, b = ordered[below, column], ordered[np.minimum(below + 1, np.maximum(known - 1, 0)), column]
    return np.where(2 * known >= len(drawn), a + (b - a) * (place - below), np.nan)
