"""From objects that share pixels, with scores, to detections: COCO's rules or those of Cityscapes on label maps.

Cityscapes: a match is an IoU above the threshold (`>`), thresholds are 0.5, 0.55, ... 0.95 as `np.arange` gives
them. Objects below 100 pixels are not looked for. Of several predictions that match one object the most confident is
right, the others are wrong. A prediction that matches anything of its class, a group or a small object included, is
not wrong; any other is not wrong where the share of it that lies on void, groups and small objects is above the
threshold (a group that is also small counts twice).

Reference: evalInstanceLevelSemanticLabeling.py of cityscapesScripts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ._sums import counts
from .detection_rules import EVERY, Rules, rules_of
from .detections import Detections, IoU, Judged, Objects, detections_of, judge
from .encounters import Encounters, encounters_of
from .instances import overlap
from .overlap import Overlap

__all__ = ["CITYSCAPES", "boundary_detections", "detections", "encounters", "of_overlap"]

LEAST = 100  # pixels of an object that is looked for
CITYSCAPES = Rules(
    "cityscapes",
    thresholds=tuple(np.arange(0.5, 1.0, 0.05).tolist()),
    areas=(("all", *EVERY),),
    max_dets=(2**62,),
    marks=False,
    trapezoid=True,
)

Ints = NDArray[np.int64]


def detections(gt: Any, pred: Any, *, convention: str = "coco-fixed", **choices: Any) -> Detections:
    """Find the objects of a pair of maps of ids and judge the predicted ones in the order of their `scores`.

    convention  coco-fixed (the default), coco, cityscapes, ...
    choices     as for `overlap`; `scores` (id -> confidence) is needed

    >>> gt, pred = np.repeat([1, 2, 0], 100), np.repeat([1, 0, 2], 100)
    >>> d = detections(gt, pred, scores={1: 0.9, 2: 0.5})
    >>> d.det_score.tolist(), d.hits[0].tolist()
    ([0.9, 0.5], [1023, 0])
    """
    return of_overlap(overlap(gt, pred, **choices), CITYSCAPES if convention == "cityscapes" else rules_of(convention))


def boundary_detections(gt: Any, pred: Any, *, convention: str = "coco-fixed", **choices: Any) -> Detections:
    """As `detections`, where the IoU of two objects is the lesser of it and that of their boundaries.

    >>> square = np.zeros((40, 40), int)
    >>> square[5:35, 5:35] = 1
    >>> d = boundary_detections(square, square | np.eye(40, dtype=int), scores={1: 0.9})
    >>> d.hits[0].tolist()  # the masks agree to 900 / 910, their boundaries to 116 / 126: up to 0.9, nine thresholds
    [511]
    """
    if choices.get("connectivity") or choices.get("background", 0) != 0:
        raise UsageError("boundaries are those of objects on background 0; leave connectivity and background away")
    rules = rules_of(convention).bounded
    o = overlap(gt, pred, **choices)
    e = overlap(*(_edges(np.asarray(x), rules.boundary) for x in (gt, pred)), **choices)
    n = max(int(o.pred_id.max(initial=0)), int(e.pred_id.max(initial=0))) + 1
    key = o.gt_id[o.pair_gt] * n + o.pred_id[o.pair_pred]
    edge = dict(
        zip((e.gt_id[e.pair_gt] * n + e.pred_id[e.pair_pred]).tolist(), (e.pair_pixels / e.union).tolist(), strict=True)
    )
    return of_overlap(o, rules, np.array([edge.get(k, 0.0) for k in key.tolist()]))


def _edges(ids: NDArray[Any], share: float) -> NDArray[Any]:
    """The map with the inside of every object made background."""
    from scipy.ndimage import maximum_filter, minimum_filter

    width = max(round(share * float(np.sqrt(np.square(np.array(ids.shape, np.float64)).sum()))), 1)
    # The frame is none of the ids, so what touches the edge of the image is boundary too.
    around: dict[str, Any] = {"size": 2 * width + 1, "mode": "constant", "cval": -1}
    whole = ids.astype(np.int64)
    inside = (minimum_filter(whole, **around) == whole) & (maximum_filter(whole, **around) == whole)
    return np.where(inside, 0, whole)


def encounters(gt: Any, pred: Any, *, convention: str = "coco-fixed", **choices: Any) -> Encounters:
    """As `detections`, with all that the predicted objects meet, of their class or another: what errors are made of.

    >>> gt, pred = np.repeat([1, 0, 2], 100), np.repeat([1, 1, 2], 100)
    >>> e = encounters(gt, pred, scores={1: 0.9, 2: 0.5})
    >>> e.pair_iou.tolist(), [int(e.counts("localisation", iou)[0]) for iou in (0.5, 0.75)]
    ([0.5, 1.0], [0, 1])
    """
    rules = rules_of("coco-fixed" if convention == "cityscapes" else convention)
    if convention == "cityscapes" or rules.boundary:
        raise UsageError(f"kinds of errors do not follow the rules of {convention}; coco, coco-fixed and tide do")
    o = overlap(gt, pred, **choices)
    judged, iou = _judged(_scored(o), rules, None)
    found = encounters_of(judged, rules, iou, np.arange(o.images), o.classes, binary=o.binary)
    return replace(found, averaged=o.averaged)


def of_overlap(o: Overlap, rules: Rules, bound: NDArray[np.float64] | None = None) -> Detections:
    """The detections of an overlap; `bound` is the most that each pair's IoU may be, where it is no crowd.

    Raises UsageError where a prediction has no score.
    """
    o = _scored(o)
    d = _of_cityscapes(o, rules) if rules.trapezoid else _of_coco(o, rules, bound)
    return replace(d, averaged=o.averaged, binary=o.binary)


def _scored(o: Overlap) -> Overlap:
    if np.isnan(o.pred_score).any():
        raise UsageError("average precision needs a score for every predicted object: scores={id: score}")
    return o


def _of_coco(o: Overlap, rules: Rules, bound: NDArray[np.float64] | None) -> Detections:
    judged, _ = _judged(o, rules, bound)
    return detections_of(judged, rules, np.arange(o.images), o.classes)


def _judged(o: Overlap, rules: Rules, bound: NDArray[np.float64] | None) -> tuple[Judged, IoU]:
    if (rules.boundary and bound is None) or rules.federated:
        raise UsageError(f"convention {rules.name} does not go with label maps; coco, coco-fixed and cityscapes do")
    crowd = o.gt_crowd > 0
    shared, g, p = o.pair_pixels, o.pair_gt, o.pair_pred
    values = shared / np.where(crowd[g], o.pred_size[p], o.union)
    if bound is not None:
        values = np.where(crowd[g], values, np.minimum(values, bound))
    many = max(o.pred_id.size, 1)
    order = np.argsort(g * many + p)
    key = (g * many + p)[order]

    def iou(d: Ints, t: Ints, _: NDArray[np.bool_]) -> NDArray[np.float64]:
        if not key.size:
            return np.zeros(d.size)
        at = np.minimum(np.searchsorted(key, t * many + d), key.size - 1)
        return np.where(key[at] == t * many + d, values[order][at], 0.0)

    def objects(image: Ints, class_: Ints, area: NDArray[Any], **more: Any) -> Objects:
        everywhere = np.tile([0.0, 0.0, 1.0, 1.0], (area.size, 1))
        at = np.searchsorted(o.classes, class_)
        return Objects(image, at, area.astype(np.float64), everywhere, np.zeros(area.size, np.int64), **more)

    if rules.per_image is not None and np.bincount(o.pred_image).max(initial=0) > rules.per_image:
        raise UsageError(
            f"convention {rules.name} looks at {rules.per_image} objects in an image; leave the others away"
        )
    truths = objects(o.gt_image, o.gt_class, o.gt_area, crowd=crowd, ignore=crowd, row=o.gt_id)
    found = objects(o.pred_image, o.pred_class, o.pred_size + o.pred_void, score=o.pred_score, row=o.pred_id)
    return judge(truths, found, rules, iou), iou


def _of_cityscapes(o: Overlap, rules: Rules) -> Detections:
    size = o.pred_size + o.pred_void
    alike = o.gt_class[o.pair_gt] == o.pred_class[o.pair_pred]
    g, p, n = o.pair_gt[alike], o.pair_pred[alike], o.pair_pixels[alike]
    iou = n / (o.gt_size[g] + size[p] - n)
    group, small = o.gt_crowd > 0, o.gt_size < LEAST
    ignored = o.pred_void + counts(p, n * (group[g].astype(np.int64) + small[g]), size.size)
    wanted = ~group & ~small
    hits, left_out = np.zeros((2, 1, size.size), np.uint64)
    for t, threshold in enumerate(rules.thresholds):
        bit = np.uint64(1 << t)
        over = iou > threshold
        excused = counts(p[over], np.ones(int(over.sum()), np.int64), size.size) > 0
        wrong = ~excused & ~(ignored / size > threshold)
        at = over & wanted[g]
        rows = np.flatnonzero(at)[np.lexsort((-o.pred_score[p[at]], g[at]))]
        first = np.diff(g[rows], prepend=-1) != 0
        wrong[p[rows[~first]]] = True
        right = np.zeros(size.size, bool)
        right[p[rows[first]]] = True
        hits[0] |= np.where(right, bit, np.uint64(0))
        left_out[0] |= np.where(right | wrong, np.uint64(0), bit)
    order = np.lexsort((o.pred_image, -o.pred_score, o.pred_class))
    rank = np.zeros(size.size, np.int64)
    return Detections(
        rules, np.arange(o.images), o.classes, np.zeros(o.classes.size, np.int64),
        np.searchsorted(o.classes, o.pred_class)[order], o.pred_image[order], rank, o.pred_score[order],
        np.ascontiguousarray(hits[:, order]), np.ascontiguousarray(left_out[:, order]),
        np.searchsorted(o.classes, o.gt_class), o.gt_image, wanted[None],
    )  # fmt: skip
