"""Average precision and recall of scored detections: formulas over `Detections`.

Conventions
-----------
Detections are taken in the order of their scores; each is right where it matches an object of its class that is still
free, at an IoU of at least the threshold. Precision is made monotone from the right and read at 101 recalls; AP is the
mean over these and over the thresholds 0.5, 0.55, ... 0.95. The value over all classes is the mean over the classes
with objects. Small is an area of up to 32 x 32 pixels, large from 96 x 96 on. At most 100 detections of a class count
in an image (LVIS: 300 of all classes). Objects and detections in a crowd, or of another size than is asked for, are
left out of the count.

`convention` names the rules: `coco-fixed`, the default, is COCO's measure without the accidents of its reference code
(what each convention does is in `statistics.detection_rules`); `coco` gives what pycocotools prints, to the last bit;
`coco-detectron2`, `coco-boundary` and `lvis` as their names say. `cityscapes` is another measure under the same name:
a match is an IoU above the threshold, objects below 100 pixels are not looked for, the area is a trapezoid sum through
all scores, and the mean is over all classes and thresholds at once.

Reference: pycocotools; lvis-api; boundary-iou-api; cityscapesScripts.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..statistics.detections import Cell, Detections
from ..statistics.scored_overlaps import boundary_detections, detections
from ._metric import METRICS, Values, metric, ratio

__all__ = [
    "ap", "ap50", "ap75", "ap_common", "ap_frequent", "ap_large", "ap_medium", "ap_rare", "ap_small", "ar_1",
    "ar_10", "ar_100", "ar_300", "ar_large", "ar_medium", "ar_small", "boundary_ap", "boundary_ap50",
    "boundary_ap75", "boundary_ap_large", "boundary_ap_medium", "boundary_ap_small", "twelve",
]  # fmt: skip

RARE, COMMON, FREQUENT = 1, 2, 3
SIZES = ("small", "medium", "large")
TWELVE = (
    "ap", "ap50", "ap75", *(f"ap_{s}" for s in SIZES), "ar_1", "ar_10", "ar_100", *(f"ar_{s}" for s in SIZES),
)  # fmt: skip

Mask = NDArray[np.bool_]


def twelve(d: Detections) -> dict[str, float]:
    """The twelve numbers over all classes that pycocotools prints, in its order; NaN where it prints -1."""
    return {name: float(METRICS[name].values(d)[-1]) for name in TWELVE}


def mean_precision(d: Detections, iou: float | None = None, area: str = "all", group: int | None = None) -> Values:
    """(..., K + 1) the mean precision of each class, and over all of them."""
    step = None if iou is None else d.rules.step(iou)
    steps = slice(None) if iou is None else slice(step, None if step is None else step + 1)
    among = _among(d, group)
    if (iou is not None and step is None) or d.rules.area(area) is None:
        return _undefined(d)
    if d.weights is None and not d.rules.trapezoid:
        found = d.precision(area)
        return _undefined(d) if found is None else _means(np.ascontiguousarray(found[0][steps]), among)
    if isinstance(d.weights, str) and not d.rules.trapezoid:
        return _each(d, among, ((c, c.precision[steps]) for c in d.each_image(area)))
    table = d.table(area)
    return _undefined(d) if table is None else _spread(d, table.classes, table.area[..., steps], among)


def _recall(d: Detections, cap: int | None = None, area: str = "all") -> Values:
    """(..., K + 1) the recall of each class, the mean over the thresholds, and over all classes."""
    cap = d.rules.cap if cap is None else cap
    if cap not in d.rules.max_dets or d.rules.area(area) is None:
        return _undefined(d)
    among = _among(d, None)
    if d.weights is None and not d.rules.trapezoid:
        found = d.recall(area, cap)
        return _undefined(d) if found is None else _means(found, among)
    if isinstance(d.weights, str) and not d.rules.trapezoid:
        return _each(d, among, ((c, c.recall) for c in d.each_image(area, cap)))
    table = d.table(area, cap, curves=False)
    return _undefined(d) if table is None else _spread(d, table.classes, table.recall, among)


def _spread(d: Detections, classes: NDArray[np.int64], values: Values, among: Mask) -> Values:
    """(..., K + 1) the means of (..., classes, T) over thresholds, and over all classes that are in the mean."""
    kept = among[classes]
    values = values if kept.all() else values[..., kept, :]
    out = _undefined(d)
    out[..., classes[kept]] = values.mean(axis=-1)
    out[..., -1] = _over_all(values)
    return out


def _means(x: Values, among: Mask) -> Values:
    """The means of what is defined (from 0 on) in (..., K): of each class, and over all as pycocotools adds them."""
    out = np.full(among.size + 1, np.nan)
    rows = np.ascontiguousarray(np.moveaxis(x, -1, 0)).reshape(among.size, -1)
    there = among & (rows > -1).all(axis=1) & (rows.shape[1] > 0)  # a class is defined everywhere or nowhere
    out[:-1][there] = rows[there].mean(axis=1)
    kept = x if among.all() else np.ascontiguousarray(x[..., among])
    if (every := kept[kept > -1]).size:
        out[-1] = np.mean(every)
    return out


def _each(d: Detections, among: Mask, found: Iterable[tuple[Cell, Values]]) -> Values:
    """(I, K + 1) the means of each image, to the bit those of it alone."""
    out = _undefined(d)
    for cell, x in found:
        kept = np.flatnonzero(among[cell.class_])
        if not kept.size:
            continue
        image, x = cell.image[kept], np.ascontiguousarray(x[..., kept])
        rows = np.ascontiguousarray(np.moveaxis(x, -1, 0)).reshape(kept.size, -1)
        out[image, cell.class_[kept]] = rows.mean(axis=1)
        cuts = np.append(np.flatnonzero(np.diff(image, prepend=-1)), image.size).tolist()
        for low, high in pairwise(cuts):
            out[image[low], -1] = np.mean(np.ascontiguousarray(x[..., low:high]))
    return out


def _over_all(values: Values) -> Values:
    """(...) the mean over classes and thresholds at once."""
    flat = values.reshape(*values.shape[:-2], -1)
    return ratio(np.where(np.isnan(flat), 0.0, flat).sum(axis=-1), (~np.isnan(flat)).sum(axis=-1))


def _among(d: Detections, group: int | None) -> Mask:
    every = np.ones(d.classes.size, bool) if d.averaged is None else d.averaged
    return every if group is None else every & (d.group == group)


def _undefined(d: Detections) -> Values:
    return np.full((*d.leading, d.classes.size + 1), np.nan)


@metric(detections, per="class", overall=True)
def ap(d: Detections, iou: float | None = None) -> Values:
    """Average precision of scored objects: the area under the precision-recall curve, mean over IoU 0.5 to 0.95.

    iou  one of the thresholds 0.5, 0.55, ... 0.95 alone; by default the mean over all of them

    Range 0 to 1. Undefined for a class without objects in the ground truth.
    Hides: the threshold at which the model will be used, false positives of low score (nearly free), and how boxes
    or masks err.
    Use: to rank detectors as the field does; then `detection_f1` at an operating point and `ap_gain` for the kinds
    of error.
    Differs: pycocotools prints -1 where it is undefined. A perfect result is 0.9999999999999998 there, and here.
    Cityscapes takes the area without interpolation (`convention="cityscapes"`).
    Reference: Lin et al., Microsoft COCO, ECCV 2014; Cordts et al., The Cityscapes dataset, CVPR 2016.

    >>> gt, pred = np.repeat([1, 2, 0], 100), np.repeat([1, 0, 2], 100)
    >>> round(ap(gt, pred, scores={1: 0.9, 2: 0.5}), 9)  # right up to recall 0.5: 51 of the 101 recalls
    0.504950495
    >>> ap(gt, pred, scores={1: 0.9, 2: 0.5}, convention="cityscapes")
    0.5
    >>> ap(np.repeat([1, 0], [200, 100]), np.repeat([1, 0], [150, 150]), scores={1: 0.9}, iou=0.8)  # 150 / 200
    0.0
    """
    if iou is not None:
        d.rules.judged_at(iou)
    return mean_precision(d, iou)


@metric(detections, per="class", overall=True)
def ap50(d: Detections) -> Values:
    """Average precision of scored objects at IoU 0.5 alone; see `ap`.

    Range 0 to 1. Undefined for a class without objects in the ground truth.
    Hides: how well objects are drawn beyond half.
    Use: where finding matters more than outlining, or outlines are vague.

    >>> gt, pred = np.repeat([1, 0], [200, 100]), np.repeat([1, 0], [150, 150])
    >>> round(ap50(gt, pred, scores={1: 0.9}), 9)  # an IoU of 150 / 200
    1.0
    """
    return mean_precision(d, iou=0.5)


@metric(detections, per="class", overall=True)
def ap75(d: Detections) -> Values:
    """Average precision of scored objects at IoU 0.75 alone; see `ap`.

    Range 0 to 1. Undefined for a class without objects in the ground truth.
    Hides: objects that are found and drawn loosely: they count as missed and as false.
    Use: where outlines matter, beside `ap50`.

    >>> gt, pred = np.repeat([1, 0], [200, 100]), np.repeat([1, 0], [150, 150])
    >>> round(ap75(gt, pred, scores={1: 0.9}), 9)  # an IoU of 150 / 200
    1.0
    """
    return mean_precision(d, iou=0.75)


@metric(detections, per="class", overall=True)
def ap_small(d: Detections) -> Values:
    """Average precision of objects of up to 32 x 32 pixels; see `ap`.

    Range 0 to 1. Undefined for a class without such objects in the ground truth, and under `cityscapes`.
    Hides: how few objects that may be: look at their number and interval.
    Use: with `ap_medium` and `ap_large`, to see what size the model fails at.
    Differs: the area of an object is the one that its file declares, which need not be that of its mask.

    >>> both = np.repeat([1, 0], [100, 100])
    >>> round(ap_small(both, both, scores={1: 0.9}), 9)
    1.0
    """
    return mean_precision(d, area="small")


@metric(detections, per="class", overall=True)
def ap_medium(d: Detections) -> Values:
    """Average precision of objects of 32 x 32 to 96 x 96 pixels; see `ap`.

    Range 0 to 1. Undefined for a class without such objects in the ground truth, and under `cityscapes`.
    Hides: how few objects that may be: look at their number and interval.
    Use: with `ap_small` and `ap_large`, to see what size the model fails at.
    Differs: the area of an object is the one that its file declares, which need not be that of its mask.

    >>> both = np.repeat([1, 0], [2000, 100])
    >>> round(ap_medium(both, both, scores={1: 0.9}), 9)
    1.0
    """
    return mean_precision(d, area="medium")


@metric(detections, per="class", overall=True)
def ap_large(d: Detections) -> Values:
    """Average precision of objects of at least 96 x 96 pixels; see `ap`.

    Range 0 to 1. Undefined for a class without such objects in the ground truth, and under `cityscapes`.
    Hides: how few objects that may be: look at their number and interval.
    Use: with `ap_small` and `ap_medium`, to see what size the model fails at.
    Differs: the area of an object is the one that its file declares, which need not be that of its mask.

    >>> both = np.repeat([1, 0], [10000, 100])
    >>> round(ap_large(both, both, scores={1: 0.9}), 9)
    1.0
    """
    return mean_precision(d, area="large")


@metric(detections, per="class", overall=True)
def ar_1(d: Detections) -> Values:
    """Average recall with at most one detection of a class in an image: the mean over IoU 0.5 to 0.95.

    Range 0 to 1. Undefined for a class without objects in the ground truth, and under `lvis` and `cityscapes`,
    which have other caps.
    Hides: false positives altogether, and in images of several objects all but one.
    Use: for images of one object of a class each; elsewhere `ar_100`.

    >>> gt, pred = np.repeat([1, 2, 0], 100), np.repeat([1, 0, 2], 100)
    >>> ar_1(gt, pred, scores={1: 0.9, 2: 0.5}, convention="coco")  # one of two objects
    0.5
    """
    return _recall(d, 1)


@metric(detections, per="class", overall=True)
def ar_10(d: Detections) -> Values:
    """Average recall with at most 10 detections of a class in an image: the mean over IoU 0.5 to 0.95.

    Range 0 to 1. Undefined for a class without objects in the ground truth, and under `lvis` and `cityscapes`,
    which have other caps.
    Hides: false positives altogether: ten guesses a class are free.
    Use: where up to ten proposals are looked at; with `ap` beside it.

    >>> gt, pred = np.repeat([1, 2, 0], 100), np.repeat([1, 0, 2], 100)
    >>> ar_10(gt, pred, scores={1: 0.9, 2: 0.5})  # one of two objects
    0.5
    """
    return _recall(d, 10)


@metric(detections, per="class", overall=True)
def ar_100(d: Detections) -> Values:
    """Average recall with at most 100 detections of a class in an image: the mean over IoU 0.5 to 0.95.

    Range 0 to 1. Undefined for a class without objects in the ground truth, and under `lvis` and `cityscapes`,
    which have other caps.
    Hides: false positives altogether: a hundred guesses a class are free.
    Use: for what a detector could find at best, as of proposals; never alone.

    >>> gt, pred = np.repeat([1, 2, 0], 100), np.repeat([1, 0, 2], 100)
    >>> ar_100(gt, pred, scores={1: 0.9, 2: 0.5})  # one of two objects
    0.5
    """
    return _recall(d, 100)


@metric(detections, per="class", overall=True)
def ar_300(d: Detections) -> Values:
    """Average recall with at most 300 detections of a class in an image: the mean over IoU 0.5 to 0.95.

    Range 0 to 1. Undefined for a class without objects in the ground truth, and except under `lvis`, which
    allows 300 of all classes.
    Hides: false positives altogether: 300 guesses are free.
    Use: with LVIS, whose images may hold that many objects; never alone.

    >>> gt, pred = np.repeat([1, 2, 0], 100), np.repeat([1, 0, 2], 100)
    >>> ar_300(gt, pred, scores={1: 0.9, 2: 0.5})  # not a cap of COCO's
    nan
    """
    return _recall(d, 300)


@metric(detections, per="class", overall=True)
def ar_small(d: Detections) -> Values:
    """Average recall of objects of up to 32 x 32 pixels, at the greatest number of detections; see `ar_100`.

    Range 0 to 1. Undefined for a class without such objects in the ground truth, and under `cityscapes`.
    Hides: false positives altogether, and how few objects that may be.
    Use: with the other sizes, to see what size the model does not find.

    >>> gt = np.repeat([1, 0], [100, 100])
    >>> pred = 1 - gt
    >>> ar_small(gt, pred, scores={1: 0.9})  # it lies elsewhere
    0.0
    """
    return _recall(d, area="small")


@metric(detections, per="class", overall=True)
def ar_medium(d: Detections) -> Values:
    """Average recall of objects of 32 x 32 to 96 x 96 pixels, at the greatest number of detections; see `ar_100`.

    Range 0 to 1. Undefined for a class without such objects in the ground truth, and under `cityscapes`.
    Hides: false positives altogether, and how few objects that may be.
    Use: with the other sizes, to see what size the model does not find.

    >>> gt = np.repeat([1, 0], [2000, 100])
    >>> pred = 1 - gt
    >>> ar_medium(gt, pred, scores={1: 0.9})  # it lies elsewhere
    0.0
    """
    return _recall(d, area="medium")


@metric(detections, per="class", overall=True)
def ar_large(d: Detections) -> Values:
    """Average recall of objects of at least 96 x 96 pixels, at the greatest number of detections; see `ar_100`.

    Range 0 to 1. Undefined for a class without such objects in the ground truth, and under `cityscapes`.
    Hides: false positives altogether, and how few objects that may be.
    Use: with the other sizes, to see what size the model does not find.

    >>> gt = np.repeat([1, 0], [10000, 100])
    >>> pred = 1 - gt
    >>> ar_large(gt, pred, scores={1: 0.9})  # it lies elsewhere
    0.0
    """
    return _recall(d, area="large")


@metric(detections, per="class", overall=True)
def ap_rare(d: Detections) -> Values:
    """Average precision of the classes that LVIS calls rare (at most 10 training images); see `ap`.

    Range 0 to 1. Undefined for a class of another group, and where the file names no groups.
    Hides: how few objects stand behind it: its interval is wide.
    Use: with long-tailed data, to see what the tail costs.
    Reference: Gupta et al., LVIS, CVPR 2019.

    >>> gt, pred = np.repeat([1, 2, 0], 100), np.repeat([1, 0, 2], 100)
    >>> ap_rare(gt, pred, scores={1: 0.9, 2: 0.5})
    nan
    """
    return mean_precision(d, group=RARE)


@metric(detections, per="class", overall=True)
def ap_common(d: Detections) -> Values:
    """Average precision of the classes that LVIS calls common (11 to 100 training images); see `ap`.

    Range 0 to 1. Undefined for a class of another group, and where the file names no groups.
    Hides: the tail and the head of the classes.
    Use: with long-tailed data, between `ap_rare` and `ap_frequent`.
    Reference: Gupta et al., LVIS, CVPR 2019.

    >>> gt, pred = np.repeat([1, 2, 0], 100), np.repeat([1, 0, 2], 100)
    >>> ap_common(gt, pred, scores={1: 0.9, 2: 0.5})
    nan
    """
    return mean_precision(d, group=COMMON)


@metric(detections, per="class", overall=True)
def ap_frequent(d: Detections) -> Values:
    """Average precision of the classes that LVIS calls frequent (more than 100 training images); see `ap`.

    Range 0 to 1. Undefined for a class of another group, and where the file names no groups.
    Hides: the tail: a model that knows the head alone does well.
    Use: with long-tailed data, to see what the tail costs.
    Reference: Gupta et al., LVIS, CVPR 2019.

    >>> gt, pred = np.repeat([1, 2, 0], 100), np.repeat([1, 0, 2], 100)
    >>> ap_frequent(gt, pred, scores={1: 0.9, 2: 0.5})
    nan
    """
    return mean_precision(d, group=FREQUENT)


@metric(boundary_detections, per="class", overall=True)
def boundary_ap(d: Detections) -> Values:
    """Boundary AP: average precision by the lesser of the IoU of masks and that of their boundaries.

    The boundary of a mask is what lies within 2 % of the image's diagonal of its outline, the image's edge included.
    It asks for fine outlines where the IoU of large masks no longer does. Of a crowd the masks alone count.
    Range 0 to 1. Undefined for a class without such objects in the ground truth.
    Hides: what of it is the outline and what the find: a missed object and a ragged one count alike.
    Use: where outlines of large objects matter, beside `ap` over masks.
    Reference: Cheng et al., Boundary IoU, CVPR 2021.

    >>> square = np.zeros((40, 40), int)
    >>> square[5:35, 5:35] = 1
    >>> round(boundary_ap(square, square, scores={1: 0.9}), 9)
    1.0
    """
    return mean_precision(d)


@metric(boundary_detections, per="class", overall=True)
def boundary_ap50(d: Detections) -> Values:
    """Boundary AP at IoU 0.5 alone; see `boundary_ap`.

    Range 0 to 1. Undefined for a class without such objects in the ground truth.
    Hides: how well outlines are drawn beyond half.
    Use: beside `ap50`: the difference is what outlines cost.

    >>> square = np.zeros((40, 40), int)
    >>> square[5:35, 5:35] = 1
    >>> round(boundary_ap50(square, square, scores={1: 0.9}), 9)
    1.0
    """
    return mean_precision(d, iou=0.5)


@metric(boundary_detections, per="class", overall=True)
def boundary_ap75(d: Detections) -> Values:
    """Boundary AP at IoU 0.75 alone; see `boundary_ap`.

    Range 0 to 1. Undefined for a class without such objects in the ground truth.
    Hides: objects that are found and drawn raggedly: they count as missed.
    Use: beside `ap75`: the difference is what outlines cost.

    >>> square = np.zeros((40, 40), int)
    >>> square[5:35, 5:35] = 1
    >>> round(boundary_ap75(square, square, scores={1: 0.9}), 9)
    1.0
    """
    return mean_precision(d, iou=0.75)


@metric(boundary_detections, per="class", overall=True)
def boundary_ap_small(d: Detections) -> Values:
    """Boundary AP of objects of up to 32 x 32 pixels; see `boundary_ap`.

    Range 0 to 1. Undefined for a class without such objects in the ground truth.
    Hides: that small objects are nearly all boundary, so it is close to `ap_small`.
    Use: for completeness beside the large ones.

    >>> square = np.zeros((40, 40), int)
    >>> square[5:35, 5:35] = 1
    >>> round(boundary_ap_small(square, square, scores={1: 0.9}), 9)
    1.0
    """
    return mean_precision(d, area="small")


@metric(boundary_detections, per="class", overall=True)
def boundary_ap_medium(d: Detections) -> Values:
    """Boundary AP of objects of 32 x 32 to 96 x 96 pixels; see `boundary_ap`.

    Range 0 to 1. Undefined for a class without such objects in the ground truth.
    Hides: how few objects that may be: look at their number and interval.
    Use: beside `ap_medium`: the difference is what outlines cost.

    >>> square = np.zeros((40, 40), int)
    >>> square[5:35, 5:35] = 1
    >>> round(boundary_ap_medium(square, square, scores={1: 0.9}), 9)
    nan
    """
    return mean_precision(d, area="medium")


@metric(boundary_detections, per="class", overall=True)
def boundary_ap_large(d: Detections) -> Values:
    """Boundary AP of objects of at least 96 x 96 pixels; see `boundary_ap`.

    Range 0 to 1. Undefined for a class without such objects in the ground truth.
    Hides: how few objects that may be: look at their number and interval.
    Use: beside `ap_large`, where the difference is greatest.

    >>> square = np.zeros((40, 40), int)
    >>> square[5:35, 5:35] = 1
    >>> round(boundary_ap_large(square, square, scores={1: 0.9}), 9)
    nan
    """
    return mean_precision(d, area="large")
