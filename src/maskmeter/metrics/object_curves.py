"""Whole objects against the threshold: which of them a score map finds, and what it invents, cut at each score.

At each threshold the map is cut (`score >= threshold`) and its connected components are matched one to one
with the objects of the ground truth: at least `iou`, as the `object_*` metrics match. So a component that
joins two objects finds at most one of them, and one that covers a corner of an object finds none; for the
laxer rule "touched is found" see `froc_curve`.

The objects of the ground truth are its connected components, or the ids of an integer map that holds more
than one. The connectivity is stated: 8 in two dimensions and 26 in three unless another is given. Pixels that
are not counted (void, outside a mask) belong to no object.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..matching import match
from ..statistics.components import components
from ..statistics.overlap import overlap
from ..statistics.scores import count_scores, score_pixels
from ._metric import Values, ratio

__all__ = ["ObjectCurve", "object_curve"]

Ints = NDArray[np.int64]

THRESHOLDS = tuple(np.arange(1, 20) / 20)
ALL_ROUND = {1: 2, 2: 8, 3: 26}  # neighbours of a pixel, over edges and corners


@dataclass(frozen=True, eq=False)
class ObjectCurve:
    """Matches of whole objects at each threshold (descending). Merging: counts add, at equal thresholds and IoU.

    tp, fp, fn  (T,) objects found, components that found none, objects that were not found
    iou         the IoU from which a component finds an object
    """

    thresholds: Values
    tp: Ints
    fp: Ints
    fn: Ints
    iou: float

    @property
    def precision(self) -> Values:
        """TP / (TP + FP); 0 where there are objects and no component, NaN where there is neither."""
        return np.where((self.tp + self.fp == 0) & (self.fn > 0), 0.0, ratio(self.tp, self.tp + self.fp))

    @property
    def recall(self) -> Values:
        """TP / (TP + FN); NaN without objects."""
        return ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> Values:
        """2 TP / (2 TP + FP + FN); NaN where there is neither object nor component."""
        return ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    def __add__(self, other: ObjectCurve) -> ObjectCurve:
        if not np.array_equal(self.thresholds, other.thresholds) or self.iou != other.iou:
            raise UsageError("object curves with different thresholds or IoU do not add up")
        return ObjectCurve(self.thresholds, self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.iou)


def object_curve(
    images: Iterable[tuple[Any, Any]],
    thresholds: Iterable[float] = THRESHOLDS,
    *,
    iou: float = 0.5,
    connectivity: int | None = None,
    **facts: Any,
) -> ObjectCurve:
    """Object precision, recall and F1 against the threshold, over (ground truth, score map) pairs.

    `facts` are those of `scores` (mask, ignore, positive, logits). Raises LabelError for maps that are no scores.

    >>> gt, score = np.array([[1, 1, 0, 0, 0]]), np.array([[0.9, 0.7, 0.0, 0.6, 0.0]])
    >>> curve = object_curve([(gt, score)], thresholds=[0.5, 0.65])
    >>> curve.thresholds.tolist(), curve.precision.tolist(), curve.recall.tolist()
    ([0.65, 0.5], [1.0, 0.5], [1.0, 1.0])
    """
    at = np.unique(np.asarray(list(thresholds), np.float64))[::-1]
    none = np.zeros(at.size, np.int64)
    total = ObjectCurve(at, none, none, none, iou)
    for gt, score in images:
        total += _curve(gt, score, at, iou, connectivity, facts)
    return total


def _curve(gt: Any, score: Any, thresholds: Values, iou: float, connectivity: int | None, facts: Any) -> ObjectCurve:
    ids = np.asarray(gt)
    instances = ids.dtype.kind in "ui" and "positive" not in facts and np.unique(ids[ids != 0]).size > 1
    positive, array, counted = score_pixels(ids != 0 if instances else gt, score, **facts)
    valid = np.ones(positive.shape, bool) if counted is None else counted
    around = connectivity or ALL_ROUND.get(positive.ndim, 0)
    objects = np.where(valid, ids, 0) if instances else components(positive & valid, around)[0]
    statistic = count_scores(positive, array, counted)
    tp, fp, fn = np.zeros((3, thresholds.size), np.int64)
    for i, threshold in enumerate(thresholds.tolist()):
        parts, _ = components((array >= statistic.threshold(threshold)) & valid, around)
        found = match(overlap(objects, parts), iou)
        tp[i], fp[i], fn[i] = found.gt.size, found.spurious.size, found.missed.size
    return ObjectCurve(thresholds, tp, fp, fn, iou)
