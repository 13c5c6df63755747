"""Thresholded: maps of scores, cut at each of many thresholds, and the objects that come of it.

The objects of the ground truth are its connected components, or the ids of an integer map that holds more than one.
Pixels that are not counted (void, outside a mask) belong to no object and to no component. All thresholds are one pass:
pixels appear in the order of the thresholds that they reach, and components grow together (native/flood.hpp).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .kernels import Flood, components, flood, joint_counts
from .masks import LabelMap, label_map
from .matching import match
from .statistics.components import axes_apart
from .statistics.object_scores import ObjectCounts, ObjectScores
from .statistics.overlap import of_objects
from .statistics.score_maps import counted_pixels
from .statistics.scores import count_scores, score_pixels
from .statistics.shape import Need

Ints = NDArray[np.int64]
Values = NDArray[np.float64]

TOUCHED = tuple(np.arange(1, 100) / 100)  # thresholds where touching is enough
MATCHED = tuple(np.arange(1, 20) / 20)  # thresholds where components are matched
ALL_ROUND = {1: 2, 2: 8, 3: 26}  # neighbours of a pixel, over edges and corners


class _Cut(NamedTuple):
    """A map of scores beside its objects, numbered 1 to `number`, ready to be cut."""

    objects: NDArray[np.int32]
    number: int
    score: NDArray[Any]
    valid: NDArray[np.bool_]
    axes: int


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
        axes = axes_apart(truth.ndim, around)
        objects, count = _numbered(ids, valid) if instances else _parts(truth & valid, axes)
        default = TOUCHED if iou is None else MATCHED
        at = np.unique(np.asarray(list(default if thresholds is None else thresholds), np.float64))[::-1]
        edges = np.array([scale.threshold(t) for t in at.tolist()])
        made[rule] = _counted(_Cut(objects, count, array, valid, axes), at, edges, iou)
    return ObjectScores(made)


def _several(ids: NDArray[Any], counted: NDArray[np.bool_] | None) -> bool:
    """Whether a map holds more than one id beside 0."""
    return int(np.count_nonzero(joint_counts(ids, ids, counted)[0])) > 1


def _parts(truth: NDArray[np.bool_], axes: int) -> tuple[NDArray[np.int32], int]:
    """The components of a mask, numbered, and how many there are."""
    found = components(truth, axes)
    return found, int(found.max(initial=0))


def _numbered(ids: NDArray[Any], valid: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """The ids where they count as numbers from 1 on, and how many there are."""
    seen = joint_counts(ids, ids, valid)[0]
    known = seen[seen != 0]
    number = np.searchsorted(known, ids).clip(max=max(0, known.size - 1)) + 1
    return np.where(valid & (ids != 0), number, 0).astype(np.int32), known.size


def _counted(cut: _Cut, thresholds: Values, edges: NDArray[Any], iou: float | None) -> ObjectCounts:
    grown = flood(_steps(cut, edges), cut.objects, thresholds.size, cut.number, cut.axes, iou is not None)
    found = grown.found if iou is None else _matched(cut, grown, iou)
    false = grown.components - (grown.touching if iou is None else found)
    return ObjectCounts(thresholds, found, false, np.array(cut.number), np.array(1))


def _steps(cut: _Cut, edges: NDArray[Any]) -> NDArray[np.int32]:
    """Which threshold, from the highest on, is the first that a pixel reaches; their number where none is."""
    rising, score = edges[::-1], cut.score
    if score.dtype.kind == "f":
        reached = np.searchsorted(rising, score, side="right")
    else:
        known = np.arange(int(score.max(initial=0)) + 1)
        reached = np.searchsorted(rising, known, side="right")[score.astype(np.intp)]
    return np.where(cut.valid, edges.size - reached, edges.size).astype(np.int32)


def _matched(cut: _Cut, grown: Flood, iou: float) -> Ints:
    """At each threshold the objects that are matched with a component, one to one."""
    found = np.zeros(grown.components.size, np.int64)
    ids = np.arange(1, cut.number + 1)
    size = np.bincount(cut.objects.ravel(), minlength=cut.number + 1)[1:]
    ends = np.searchsorted(grown.pairs[:, 0], np.arange(found.size + 1))
    for i, (start, end) in enumerate(pairwise(ends.tolist())):
        _, part, object_, shared, extent = grown.pairs[start:end].T
        parts, at, which = np.unique(part, return_index=True, return_inverse=True)
        there = of_objects(
            {"id": ids, "size": size},
            {"id": parts, "size": extent[at]},
            (object_ - 1, which, shared),
            cut.score.size,
        )
        found[i] = match(there, iou).gt.size
    return found


__all__ = ["MATCHED", "TOUCHED", "ObjectScores", "object_scores"]
