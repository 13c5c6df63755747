"""Arrays: what is counted of one pair that is given in memory, beside the pixels by class.

The facts of the whole say how the arrays are read; nothing is guessed from one pair that the facts
do not say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .errors import UsageError
from .facts import Facts
from .formats.packings import segments_of_maps
from .masks import LabelMap, as_array, label_map, pair
from .shapes import count_shapes, views
from .statistics.confusion import VOID, LabelCounts
from .statistics.details import Wanted
from .statistics.instances import overlap
from .statistics.overlap import Overlap
from .statistics.segments import overlap_of_segments
from .statistics.shape import Needs


def overlap_of(gt: Any, pred: Any, mask: Any, objects: dict[str, Any], facts: Facts, wanted: Wanted) -> Overlap:
    """What the objects of one pair share."""
    panoptic = facts.task == "panoptic"
    if two_maps(gt) and two_maps(pred):
        told = facts.labels, facts.ignore
        a = segments_of_maps(gt[0], gt[1], told[0], True, not panoptic, told[1])
        b = segments_of_maps(pred[0], pred[1], told[0], False, not panoptic, told[1])
        pair(label_map(a[0], counted=mask), label_map(b[0]))
        region = label_map(a[0], counted=mask).counted
        return overlap_of_segments(a[0], b[0], (a[1], b[1]), told[0], told[1], region, wanted=wanted)
    if isinstance(gt, tuple) and isinstance(pred, tuple):
        (gt, of_gt), (pred, of_pred) = gt, pred
        objects = {"gt_classes": of_gt, "pred_classes": of_pred, **objects}
    if panoptic and not {"gt_classes", "divisor", "connectivity"} & objects.keys():
        raise UsageError("panoptic arrays have classes: give (class map, instance map) or (ids, {id: class}) a side")
    if panoptic:
        objects = {"background": None, **objects}
    if not panoptic or "connectivity" not in objects:
        objects = {"ignore": (*facts.ignore, *((0,) if panoptic else ())), **objects}
    counted = {"boundary": wanted.boundary, "centres": wanted.centres}
    return overlap(gt, pred, classes=facts.labels, mask=mask, **counted, **objects)


def shapes_of(gt: LabelMap, pred: LabelMap, counts: LabelCounts, facts: Facts, needs: Needs) -> dict[str, bytes]:
    """The shapes that a metric asks for; the task is known here."""
    if not needs:
        return {}
    reading = facts.reading
    labels = np.unique(counts.a), np.unique(counts.b)
    void = np.isin(gt.array, labels[0][reading.class_of(labels[0]) == VOID])
    counted = gt.counted if not void.any() else ~void if gt.counted is None else ~void & gt.counted
    known = views(reading, facts.task or "semantic", labels[0], None, frozenset(facts.positive))
    return count_shapes(replace(gt, counted=counted), pred, labels, known, needs)


def two_maps(side: Any) -> bool:
    """Whether a side is a class map and an instance map."""
    return isinstance(side, tuple) and len(side) == 2 and not any(isinstance(x, Mapping) for x in side)


def shape_of(side: Any) -> tuple[int, ...]:
    """The shape of a side's image."""
    return tuple(as_array(side[0] if isinstance(side, tuple) else side).shape)
