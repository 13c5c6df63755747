"""Thresholded: maps of scores, cut at each of many thresholds, and the objects that come of it.

The objects of the ground truth are its connected components, or the ids of an integer map that holds more than one.
Pixels that are not counted (void, outside a mask) belong to no object and to no component. Only thresholds between
which some score lies are looked at anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .kernels import joint_counts
from .masks import LabelMap, label_map
from .matching import match
from .statistics.components import components
from .statistics.object_scores import ObjectCounts, ObjectScores
from .statistics.overlap import overlap
from .statistics.score_maps import counted_pixels
from .statistics.scores import count_scores, score_pixels
from .statistics.shape import Need

Ints = NDArray[np.int64]
Values = NDArray[np.float64]

TOUCHED = tuple(np.arange(1, 100) / 100)  # thresholds where touching is enough
MATCHED = tuple(np.arange(1, 20) / 20)  # thresholds where components are matched
ALL_ROUND = {1: 2, 2: 8, 3: 26}  # neighbours of a pixel, over edges and corners


class _Cut(NamedTuple):
    """A map of scores beside its objects, ready to be cut."""

    objects: NDArray[Any]
    score: NDArray[Any]
    valid: NDArray[np.bool_]
    around: int


def object_scores(
    gt: Any,
    score: Any,
    *,
    needs: Sequence[Need] = ((("connectivity", None), ("touch", True)),),
    thresholds: Iterable[float] | None = None,
    ignore: int | Iterable[int] | None = None,
    mask: Any = None,
    positive: int | Iterable[int] | None = None,
    logits: bool = False,
) -> ObjectScores:
    """Count the objects that a map of scores finds at each threshold.

    needs       the rules, as `statistics.object_scores` has them
    thresholds  by default 0.01 to 0.99 where touching is enough, 0.05 to 0.95 in steps of 0.05 where IoU decides

    The other facts are those of `scores`. Raises LabelError for maps that are no scores, UsageError for a connectivity
    that there is not in so many dimensions.

    >>> s = object_scores(np.array([[1, 1, 0, 0, 0]]), np.array([[0.9, 0.2, 0.0, 0.6, 0.0]]), thresholds=[0.5, 0.8])
    >>> counts = s.under(connectivity=None, touch=True)
    >>> counts.found.tolist(), counts.false.tolist(), int(counts.objects)
    ([1, 1], [0, 1], 1)
    """
    g = label_map(gt, ignore=ignore, counted=mask)
    ids, counted = g.array, counted_pixels(g)
    instances = not g.binary and positive is None and _several(ids, counted)
    plain = LabelMap(ids != 0, counted=counted) if instances else g
    truth, array, counted = score_pixels(plain, score, positive=positive, logits=logits)
    valid = np.ones(truth.shape, bool) if counted is None else counted
    scale = count_scores(truth, array, counted)
    made: dict[Need, ObjectCounts] = {}
    for rule in needs:
        wanted = dict(rule)
        around = wanted.get("connectivity") or ALL_ROUND.get(truth.ndim, 0)
        iou = wanted.get("iou")
        objects = np.where(valid, ids, 0) if instances else components(truth & valid, around)[0]
        default = TOUCHED if iou is None else MATCHED
        at = np.unique(np.asarray(list(default if thresholds is None else thresholds), np.float64))[::-1]
        edges = [scale.threshold(t) for t in at.tolist()]
        made[rule] = _counted(_Cut(objects, array, valid, around), at, edges, iou)
    return ObjectScores(made)


def _several(ids: NDArray[Any], counted: NDArray[np.bool_] | None) -> bool:
    """Whether a map holds more than one id beside 0."""
    return int(np.count_nonzero(joint_counts(ids, ids, counted)[0])) > 1


def _counted(cut: _Cut, thresholds: Values, edges: Sequence[float | int], iou: float | None) -> ObjectCounts:
    found, false = np.zeros((2, thresholds.size), np.int64)
    above = [int(np.count_nonzero((cut.score >= edge) & cut.valid)) for edge in edges]
    for i, edge in enumerate(edges):
        if i and above[i] == above[i - 1]:
            found[i], false[i] = found[i - 1], false[i - 1]
            continue
        parts, _ = components((cut.score >= edge) & cut.valid, cut.around)
        found[i], false[i] = _touched(cut.objects, parts) if iou is None else _matched(cut.objects, parts, iou)
    objects = np.unique(cut.objects[cut.objects != 0]).size
    return ObjectCounts(thresholds, found, false, np.array(objects), np.array(1))


def _touched(objects: NDArray[Any], parts: NDArray[Any]) -> tuple[int, int]:
    """Objects that share a pixel with a component, and components that share none with an object."""
    a, b, _ = joint_counts(objects, parts)
    both = (a != 0) & (b != 0)
    components_found = np.unique(b[both]).size
    return int(np.unique(a[both]).size), int(np.unique(b[b != 0]).size - components_found)


def _matched(objects: NDArray[Any], parts: NDArray[Any], iou: float) -> tuple[int, int]:
    """Objects that are matched with a component, and components that are matched with none."""
    found = match(overlap(objects, parts), iou)
    return int(found.gt.size), int(found.spurious.size)


__all__ = ["MATCHED", "TOUCHED", "ObjectScores", "object_scores"]
