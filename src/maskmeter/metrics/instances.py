"""Instance metrics: how many objects were found, and how well. Formulas over `Overlap`.

Conventions
-----------
A match is a pair of objects of one class whose IoU reaches a threshold (see `matching`). TP are matches, FN the
objects that were not found, FP the predictions that found nothing. Crowds are never looked for, and a
prediction that lies by more than half on void or on crowds of its class is no FP.

Reaching means `>=` for `object_*` and `mean_matched_iou`, as in microscopy, and `>` for `pq`, `sq` and `rq`, as
in panoptic segmentation: a pair at exactly 0.5 counts in the first and not in the second. A range
`iou=0.5:0.95` is the mean over 0.5, 0.55, ... 0.95. `criterion` puts another score in the place of the IoU:
`dice`, `ior` (share of the reference), `iop` (share of the prediction), `overlap` (share of the smaller one),
`centre` (1 where the centre of the reference lies in the prediction), `boundary`; `strict` says whether the threshold
must be exceeded, and `method` who is matched where several could be (see `matching`).

With classes there is a value for each, and their mean over the classes that have one and that the label file
does not take out with `average = false`; counts (`splits`, `merges`, `count_error`) are summed instead. Without
classes there is one value. Pooled values sum counts and IoUs over all images, then divide.

`convention` selects the rules of a reference implementation:
  panoptic  panopticapi: `>`, sizes as the file declares them, of several crowds of a class the last excuses, a
            class without a match has SQ 0; sums in the order of the ids, to the last bit
  stardist  StarDist: `>=`, scores in single precision, most matches first, 0 where undefined
  cellpose  cellpose: `>=`, most matches first, values in single precision
  dsb2018   the score of the Data Science Bowl 2018 as microscopy computes it: `>=`, as by default
  monuseg   HoVer-Net's code for MoNuSeg: `>`, 1e-6 in denominators
  ctc       Cell Tracking Challenge detections: more than the threshold of the reference is covered
  coco      predictions in descending confidence take their best free object
  cityscapes     `>`; unions include what a prediction has on void; objects below 100 pixels are not looked for, and
                 excuse predictions as groups do. `pq`, `sq` and `rq` are those of `panoptic`, which Cityscapes uses
  semantickitti  `>`; misses and false positives below 50 points are not counted, nothing is excused; a class that
                 does not occur has 0, and this 0 is in the mean over classes
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import UsageError
from ..fates import best_pairs, covering_pairs, parts_of_gt, parts_of_pred
from ..matching import BY_DEFAULT, Rules, assigned, scores
from ..statistics.details import asked
from ..statistics.instances import overlap
from ..statistics.overlap import STUFF, THING, Overlap
from ._metric import Metric, Values, metric, ratio
from ._sizes import sizes
from ._tally import Asked, Quality, Tally, rules_of, tally, thresholds

__all__ = [
    "aji", "aji_plus", "boundary_pq", "count_error", "matched_boundary_iou", "mean_matched_iou", "merges",
    "object_accuracy", "object_f1", "object_precision", "object_recall", "over_classes", "pq", "rq", "sbd", "seg",
    "splits", "sq",
]  # fmt: skip

SUMMED = ("splits", "merges", "count_error")
STRICT = Rules(strict=True)
WIDTH = 0.02
"""The width of boundaries as a share of the image diagonal."""


def _wants(params: Mapping[str, Any]) -> dict[str, Any]:
    """What the criterion of a metric needs to be counted beside shared pixels."""
    width = {"boundary": params.get("width", WIDTH)}
    return {"centre": {"centres": True}, "boundary": width}.get(params.get("criterion", ""), {})


def _wants_boundaries(params: Mapping[str, Any]) -> dict[str, Any]:
    return {"boundary": float(params["width"])}


def over_classes(metric: Metric[Overlap, Any], o: Overlap, values: Values) -> Values:
    """The one number (...) of the values per class (..., K): their mean, or their sum where they are counts."""
    kept = o.averaged & ~np.isnan(values)
    total = np.where(kept, values, 0.0).cumsum(axis=-1)[..., -1:].sum(axis=-1)  # one after the other, as panopticapi
    return total if metric.name in SUMMED else ratio(total, kept.sum(axis=-1))


def _rate(o: Overlap, iou: float | str, asked: Asked, of: Callable[[Tally], Values]) -> Values:
    """A rate at one threshold, or its mean over a range of them."""
    how, convention = rules_of(asked), asked[0]
    values = [of(tally(o, at, how)) for at in thresholds(iou)]
    value = values[0] if len(values) == 1 else np.mean(values, axis=0)
    if convention == "stardist":
        return np.where(np.isnan(value), 0.0, value)
    return value.astype(np.float32).astype(np.float64) if convention == "cellpose" else value


@metric(overlap, per="class", wants=_wants)
def object_precision(
    o: Overlap, iou: float | str, criterion: str = "iou", strict: bool | None = None, method: str | None = None,
    convention: str | None = None,
) -> Values:  # fmt: skip
    """Object precision: the share of predicted objects that have a matching object, TP / (TP + FP).

    Range 0 to 1. 0 where there are objects and nothing is predicted; undefined where there are neither.
    `iou` has no default: 0.5 is the usual one. StarDist gives 0 where it is undefined.
    Hides: missed objects: one sure object gives 1; how well it is drawn beyond the threshold.
    Use: with `object_recall`, where false finds are dear.

    >>> object_precision([1, 1, 0, 2], [1, 1, 2, 0], iou=0.5)
    0.5
    """
    return _rate(
        o,
        iou,
        (convention, criterion, strict, method),
        lambda t: np.where(t.tp + t.fp + t.fn == 0, np.nan, t.tp / np.maximum(t.tp + t.fp, 1e-300)),
    )


@metric(overlap, per="class", wants=_wants)
def object_recall(
    o: Overlap, iou: float | str, criterion: str = "iou", strict: bool | None = None, method: str | None = None,
    size: str | None = None, convention: str | None = None,
) -> Values:  # fmt: skip
    """Object recall: the share of ground-truth objects that were found, TP / (TP + FN).

    Range 0 to 1. Undefined where the ground truth has no object, whatever is predicted. `size=32:96` looks at
    objects of 32 pixels or more and less than 96 alone; `size=96:` has no upper end, `size=:32` no lower one.
    What they were matched with may have any size. `evaluate` and the command line take several ranges at once and
    give a value for each: `size=:32:96:`, or `size=quartiles` for those of the sizes in the ground truth.
    Hides: invented objects: covering everything finds all; how well they are drawn beyond the threshold.
    Use: with `object_precision`, where misses are dear; by size, as small ones are missed first.

    >>> object_recall([1, 1, 0, 2, 3], [1, 1, 2, 0, 0], iou=0.5)
    0.3333333333333333
    >>> object_recall([1, 1, 0, 2, 3], [1, 1, 2, 0, 0], iou=0.5, size="2:")
    1.0
    """
    low, high = sizes(size)
    return _rate(
        o, iou, (convention, criterion, strict, method), lambda t: ratio(t.found(low, high), t.objects(low, high))
    )


@metric(overlap, per="class", wants=_wants)
def object_f1(
    o: Overlap, iou: float | str, criterion: str = "iou", strict: bool | None = None, method: str | None = None,
    convention: str | None = None,
) -> Values:  # fmt: skip
    """Object F1: the harmonic mean of object precision and recall, 2 TP / (2 TP + FP + FN).

    Range 0 to 1. Undefined where there are no objects on either side. At the same threshold rule it is `rq`.
    Hides: which of misses and false finds prevails; how well objects are drawn beyond the threshold.
    Use: to count and find objects; with several thresholds to see how strict it is.
    Reference: Caicedo et al., Nature Methods 16, 2019.

    >>> object_f1([1, 1, 0, 2], [1, 1, 2, 0], iou=0.5)  # 2 / (2 + 1 + 1)
    0.5
    """
    return _rate(o, iou, (convention, criterion, strict, method), lambda t: ratio(2 * t.tp, 2 * t.tp + t.fp + t.fn))


@metric(overlap, per="class", wants=_wants)
def object_accuracy(
    o: Overlap, iou: float | str, criterion: str = "iou", strict: bool | None = None, method: str | None = None,
    convention: str | None = None,
) -> Values:  # fmt: skip
    """Object accuracy: TP / (TP + FP + FN), the "average precision" of microscopy.

    Range 0 to 1. Undefined where there are no objects on either side. It is no area under a curve: that is `ap`.
    `object_accuracy(iou=0.5:0.95)`, mean over images, is the score of the Data Science Bowl 2018.
    Hides: which of misses and false finds prevails; it is the F1 bent downwards, so it looks worse.
    Use: to compare with StarDist, Cellpose and the Data Science Bowl; it is no area under a curve.
    Differs: five definitions go by the name AP (Hirling et al., Nature Methods 2023).
    Reference: Schmidt et al., Cell detection with star-convex polygons, MICCAI 2018.

    >>> object_accuracy([1, 1, 0, 2], [1, 1, 2, 0], iou=0.5)  # 1 / (1 + 1 + 1)
    0.3333333333333333
    """
    return _rate(o, iou, (convention, criterion, strict, method), lambda t: ratio(t.tp, t.tp + t.fp + t.fn))


@metric(overlap, per="class", wants=_wants)
def mean_matched_iou(
    o: Overlap, iou: float | str = 0.5, criterion: str = "iou", strict: bool | None = None, method: str | None = None,
    convention: str | None = None,
) -> Values:  # fmt: skip
    """Mean IoU of the matches: how well the objects that were found were drawn.

    Range from the threshold to 1. Undefined without a match. Says nothing of what was missed; read
    `object_recall` beside it. StarDist calls it mean_matched_score and gives 0 without a match.
    Hides: everything that was not matched: to predict easy objects alone raises it.
    Use: beside `object_f1`, never alone.

    >>> mean_matched_iou([1, 1, 1, 0, 2], [1, 1, 1, 1, 0])  # one match of 3 in 4 pixels
    0.75
    """
    return _rate(o, iou, (convention, criterion, strict, method), lambda t: ratio(t.score, t.tp))


@metric(overlap, per="class", wants=_wants_boundaries)
def matched_boundary_iou(o: Overlap, width: float, iou: float = 0.5, convention: str | None = None) -> Values:
    """Mean Boundary IoU of the matches: how well the outlines of the objects that were found were drawn.

    Objects are matched by their pixels, as for `mean_matched_iou`; of each match |G n P| / |G u P|, with G and P the
    pixels of both objects within d steps (diagonal ones included) of anything else or of the border of the image. A
    `width` below 1 is a share of the image diagonal (COCO: 0.02), rounded, at least one pixel; from 1 on it is in
    pixels. Range 0 to 1. Undefined without a match.
    Hides: what was not matched, and errors deep inside large objects.
    Use: for outlines, object by object, where `boundary_iou` has the outlines of a whole class; with `object_recall`.
    Reference: Cheng et al., Boundary IoU, CVPR 2021.

    >>> square = np.pad(np.ones((6, 6), int), 2)  # 20 boundary pixels each, of which 10 are shared
    >>> round(matched_boundary_iou(square, np.roll(square, 1, axis=0), width=1), 4)  # 10 of 30
    0.3333
    """
    asked(o, boundary=width)
    t = tally(o, thresholds(iou)[0], rules_of((convention, "iou", None, None)))
    gt, pred = t.matching.gt, t.matching.pred
    key = o.pair_gt * max(1, o.pred_id.size) + o.pair_pred
    at = np.searchsorted(key, gt * max(1, o.pred_id.size) + pred)
    shared = o.pair_boundary[at]
    score = ratio(shared, o.gt_boundary[gt] + o.pred_boundary[pred] - shared)
    return ratio(o.total(score, o.gt_image[gt], o.gt_class[gt]), t.tp)


# Panoptic quality


@metric(overlap, per="class", wants=_wants)
def pq(
    o: Overlap, iou: float = 0.5, among: str | None = None, criterion: str = "iou", strict: bool | None = None,
    method: str | None = None, min_pixels: int | None = None, convention: str | None = None,
) -> Values:  # fmt: skip
    """Panoptic quality: the sum of the matches' IoU / (TP + FP / 2 + FN / 2), which is SQ times RQ.

    Range 0 to 1. Undefined where there are no objects on either side. A match is IoU > 0.5, void left out.
    `among=things` or `among=stuff` restricts it to these classes. `min_pixels=50` does not count misses and false
    positives of fewer pixels (points), as SemanticKITTI does; nuScenes has 15.
    Hides: whether it fell by finding or by drawing; small objects weigh as large ones, and IoU 0.49 counts as 0.
    Use: for panoptic maps, with `sq` and `rq` beside it; for objects of few pixels prefer counts.
    Differs: StarDist, panoptica and MONAI take IoU >= 0.5; torchmetrics also forgives objects that are
    predicted void; PQ punishes small objects hard (Foucart et al., Scientific Reports 2023).
    Reference: Kirillov et al., Panoptic segmentation, CVPR 2019.

    >>> pq([1, 1, 1, 0, 2], [1, 1, 1, 1, 0])  # 0.75 / (1 + 0 + 1/2)
    0.5
    """
    return _quality(o, iou, among, (convention, criterion, strict, method), min_pixels, lambda q: q.whole)


@metric(overlap, per="class", wants=_wants)
def sq(
    o: Overlap, iou: float = 0.5, among: str | None = None, criterion: str = "iou", strict: bool | None = None,
    method: str | None = None, min_pixels: int | None = None, convention: str | None = None,
) -> Values:  # fmt: skip
    """Segmentation quality: the mean IoU of the matches of `pq`.

    Range 0.5 to 1. Undefined without a match; under convention `panoptic` 0 for a class that has objects and no
    match, and this 0 is in the mean over classes.
    Hides: everything that was not matched, as `mean_matched_iou`.
    Use: beside `rq`, to read `pq`.

    >>> sq([1, 1, 1, 0, 2], [1, 1, 1, 1, 0])
    0.75
    """
    return _quality(o, iou, among, (convention, criterion, strict, method), min_pixels, lambda q: q.drawn)


@metric(overlap, per="class", wants=_wants)
def rq(
    o: Overlap, iou: float = 0.5, among: str | None = None, criterion: str = "iou", strict: bool | None = None,
    method: str | None = None, min_pixels: int | None = None, convention: str | None = None,
) -> Values:  # fmt: skip
    """Recognition quality: TP / (TP + FP / 2 + FN / 2), the F1 of objects at IoU > 0.5.

    Range 0 to 1. Undefined where there are no objects on either side.
    Hides: how well objects are drawn beyond IoU 0.5.
    Use: beside `sq`, to read `pq`.

    >>> rq([1, 1, 1, 0, 2], [1, 1, 1, 1, 0])  # 1 / (1 + 1/2)
    0.6666666666666666
    """
    return _quality(o, iou, among, (convention, criterion, strict, method), min_pixels, lambda q: q.found)


def _quality(
    o: Overlap, iou: float, among: str | None, asked: Asked, min_pixels: int | None, of: Callable[[Quality], Values]
) -> Values:
    """PQ or a factor of it; Cityscapes has that of panopticapi."""
    convention = "panoptic" if asked[0] == "cityscapes" else asked[0]
    how = rules_of((convention, *asked[1:]), STRICT, min_pixels)
    values = of(Quality(tally(o, thresholds(iou)[0], how), convention))
    if among is None:
        return values
    if among not in ("things", "stuff"):
        raise UsageError(f"among must be things or stuff, not {among!r}")
    return np.where(o.thing == (THING if among == "things" else STUFF), values, np.nan)


QUALITY = {
    "pq": "sum of IoU / (TP + FP / 2 + FN / 2)",
    "sq": "sum of IoU / TP",
    "rq": "TP / (TP + FP / 2 + FN / 2)",
    "boundary_pq": "sum of IoU / (TP + FP / 2 + FN / 2)",
}
RATES = {
    "object_precision": "TP / (TP + FP)",
    "object_recall": "TP / (TP + FN)",
    "object_f1": "2 TP / (2 TP + FP + FN)",
    "object_accuracy": "TP / (TP + FP + FN)",
    "mean_matched_iou": "sum of IoU / TP",
}


def tallies(metric: Metric[Any, Any], o: Overlap) -> list[tuple[float, Tally]]:
    """The counts that a metric of `QUALITY` or `RATES` is made of, at each of its thresholds; of others nothing."""
    if metric.name not in (*QUALITY, *RATES) or metric.measure is not overlap:
        return []
    p = {**metric.defaults, **dict(metric.params)}
    criterion = "boundary" if metric.name == "boundary_pq" else p["criterion"]
    asked = p.get("convention"), criterion, p.get("strict"), p.get("method")
    if metric.name in QUALITY:
        convention = "panoptic" if asked[0] == "cityscapes" else asked[0]
        how = rules_of((convention, *asked[1:]), STRICT, p.get("min_pixels"))
    else:
        how = rules_of(asked)
    return [(at, tally(o, at, how)) for at in thresholds(p["iou"])]


@metric(overlap, per="class", wants=_wants_boundaries)
def boundary_pq(
    o: Overlap, iou: float = 0.5, width: float = WIDTH, among: str | None = None, convention: str | None = None
) -> Values:
    """Boundary PQ: panoptic quality whose IoU is that of the pixels or of the boundaries, whichever is less.

    The boundary of an object are its pixels within d steps (diagonal ones included) of anything else or of the
    border of the image; d is `width` times the image diagonal, rounded, at least 1. What is void or a crowd
    excuses predictions by their pixels, as in `pq`. Range 0 to 1. Undefined where there are no objects on
    either side.
    Hides: errors inside large segments, and whether it fell by finding or by drawing.
    Use: beside `pq`, where outlines matter.
    Differs: boundary-iou-api counts the boundary of a segment whose id is the greatest category id plus 1 with
    the inside of all other segments; a run with `--convention panoptic` does so too. Everywhere else they agree.
    Reference: Cheng et al., Boundary IoU, CVPR 2021.

    >>> square = np.pad(np.ones((6, 6), int), 2)  # d = 1: 20 boundary pixels each, of which 10 are shared
    >>> round(boundary_pq(square, np.roll(square, 1, axis=0), width=0.01, iou=0.3), 4)  # 10 of 30
    0.3333
    """
    asked(o, boundary=width)
    return _quality(o, iou, among, (convention, "boundary", None, None), None, lambda q: q.whole)


# Overlaps of all objects at once


@metric(overlap, per="class", headline="images")
def aji(o: Overlap, convention: str | None = None) -> Values:
    """Aggregated Jaccard index: shared pixels of every object with its best prediction / all pixels involved.

    The best is the prediction with the greatest IoU; one prediction may be the best of several objects. The
    denominator sums the unions of these pairs, objects without a partner, and predictions that are nobody's
    best. Range 0 to 1. Undefined where there are no objects on either side.
    Hides: which objects err: one large invented or merged object weighs by its pixels, and a prediction may be used
    twice.
    Use: to compare with published MoNuSeg results; else `aji_plus` or `object_f1`.
    Differs: equal IoUs go to the prediction that shares more pixels, and where these are equal too, to those that
    leave fewest pixels unused; under `monuseg` (which adds 1e-6 to the union) to the first id; under `cellpose`
    partners are one-to-one and the denominator is the union of both foregrounds.
    Reference: Kumar et al., IEEE TMI 36, 2017.

    >>> aji([1, 1, 2, 2, 2], [1, 1, 1, 1, 1])  # object 2 shares 3 of 5, object 1 shares 2 of 5: 5 / 10
    0.5
    """
    o = o.without_crowds
    iou = scores(o, BY_DEFAULT)
    if convention == "cellpose":
        return _of_foreground(o, assigned(o, iou, iou >= 0.5))
    if convention == "monuseg":
        iou = o.pair_pixels / (o.union + 1e-6)
        return _aggregated(o, best_pairs(o, o.pair_gt, o.pred_id[o.pair_pred], iou))
    if convention is not None:
        raise UsageError(f"convention must be monuseg or cellpose, not {convention!r}")
    return _aggregated(o, covering_pairs(o))


@metric(overlap, per="class", headline="images")
def aji_plus(o: Overlap) -> Values:
    """Aggregated Jaccard index with one-to-one partners (AJI+): those of the greatest total IoU.

    Otherwise as `aji`, which punishes a merged prediction once for each object that it holds. Range 0 to 1.
    Undefined where there are no objects on either side.
    Hides: small objects: everything weighs by its pixels.
    Use: for crowded cells, with `object_f1` beside it, which counts each object once.
    Reference: Graham et al., HoVer-Net, Medical Image Analysis 58, 2019.

    >>> round(aji_plus([1, 1, 2, 2, 2], [1, 1, 1, 1, 1]), 4)  # object 2 shares 3 of 5, object 1 is left: 3 / 7
    0.4286
    """
    o = o.without_crowds
    return _aggregated(o, assigned(o, scores(o, BY_DEFAULT)))


def _aggregated(o: Overlap, pairs: Any) -> Values:
    gt, pred = o.pair_gt[pairs], o.pair_pred[pairs]
    left_gt, left_pred = np.ones(o.gt_id.size, bool), np.ones(o.pred_id.size, bool)
    left_gt[gt] = left_pred[pred] = False
    shared = o.total_gt(_spread(o, gt, o.pair_pixels[pairs]))
    union = o.total_gt(_spread(o, gt, o.union[pairs])) + o.total_gt(o.gt_size, left_gt)
    return ratio(shared, union + o.total_pred(o.pred_size, left_pred))


def _spread(o: Overlap, gt: Any, values: Any) -> Any:
    """Values of some objects as values of all, 0 for the others."""
    out = np.zeros(o.gt_id.size, values.dtype)
    out[gt] = values
    return out


def _of_foreground(o: Overlap, pairs: Any) -> Values:
    """What the pairs share, of all pixels that belong to an object on either side."""
    same = o.comparable
    twice = o.total(o.pair_pixels[same], o.gt_image[o.pair_gt[same]], o.gt_class[o.pair_gt[same]])
    shared = o.total_gt(_spread(o, o.pair_gt[pairs], o.pair_pixels[pairs]))
    return ratio(shared, o.total_gt(o.gt_size) + o.total_pred(o.pred_size) - twice)


@metric(overlap, per="class", headline="images")
def sbd(o: Overlap) -> Values:
    """Symmetric best Dice: the mean best Dice of objects, or of predictions, whichever is less.

    Range 0 to 1. Undefined where there are no objects on either side, 0 where on one. Pooled, the means are
    over all objects.
    Hides: invented objects in one direction and missed ones in the other: only the lesser counts.
    Use: to compare with leaf segmentation (CVPPP); with `count_error` beside it.
    Reference: Scharr et al., Machine Vision and Applications 27, 2016 (leaf segmentation, CVPPP).

    >>> sbd([1, 1, 2, 2], [1, 1, 1, 1])  # each object has Dice 4/6, so has the prediction
    0.6666666666666666
    """
    o = o.without_crowds
    dice = 2 * o.pair_pixels / (o.gt_size[o.pair_gt] + o.pred_size[o.pair_pred])
    of_gt, of_pred = np.zeros(o.gt_id.size), np.zeros(o.pred_id.size)
    np.maximum.at(of_gt, o.pair_gt[o.comparable], dice[o.comparable])
    np.maximum.at(of_pred, o.pair_pred[o.comparable], dice[o.comparable])
    n_gt, n_pred = o.total_gt(np.ones(of_gt.size, np.int64)), o.total_pred(np.ones(of_pred.size, np.int64))
    least = np.fmin(ratio(o.total_gt(of_gt), n_gt), ratio(o.total_pred(of_pred), n_pred))
    return np.where((n_gt == 0) != (n_pred == 0), 0.0, least)


@metric(overlap, per="class")
def seg(o: Overlap) -> Values:
    """SEG of the Cell Tracking Challenge: the mean over objects of the IoU with the prediction that covers them.

    That is the one that holds more than half of the object; an object without one scores 0. Range 0 to 1.
    Undefined without objects in the ground truth. Does not see what was predicted too much: read
    `object_precision` beside it.
    Hides: invented objects altogether.
    Use: to compare with the Cell Tracking Challenge; with `object_precision` beside it.
    Reference: Maska et al., Bioinformatics 30, 2014.

    >>> seg([1, 1, 1, 1, 2, 2], [1, 1, 1, 0, 2, 0])  # 3/4, and exactly half of object 2 is not enough
    0.375
    """
    o = o.without_crowds
    covered = o.comparable & (2 * o.pair_pixels > o.gt_size[o.pair_gt])
    iou = _spread(o, o.pair_gt[covered], o.pair_pixels[covered] / o.union[covered])
    return ratio(o.total_gt(iou), o.total_gt(np.ones(iou.size, np.int64)))


# Counts


@metric(overlap, per="class", better="lower", bounds=(0.0, float("inf")))
def splits(o: Overlap, share: float = 0.5) -> Values:
    """Splits: how many objects were drawn as several, that is, hold two predictions or more.

    An object holds a prediction that lies by more than `share` on it. From 0 up. A crumb is a piece too, so read
    `object_recall` beside it. The mean over images is the number per image.
    Hides: how large the pieces are; a speck beside a whole object is a split if it counts as a part.
    Use: to see over-segmentation; relate it to the number of objects.

    >>> splits([1, 1, 1, 1], [1, 1, 2, 2])
    1.0
    """
    return o.total_gt((parts_of_gt(o, share) >= 2).astype(np.int64))


@metric(overlap, per="class", better="lower", bounds=(0.0, float("inf")))
def merges(o: Overlap, share: float = 0.5) -> Values:
    """Merges: how many predictions hold two objects or more.

    A prediction holds an object that lies by more than `share` in it. From 0 up.
    Hides: how many objects run together in each.
    Use: to see under-segmentation, which costs counts most; relate it to the number of objects.

    >>> merges([1, 1, 2, 2], [1, 1, 1, 1])
    1.0
    """
    return o.total_pred((parts_of_pred(o, share) >= 2).astype(np.int64))


@metric(overlap, per="class", better="zero", headline="images", bounds=(-float("inf"), float("inf")))
def count_error(o: Overlap, absolute: bool = False) -> Values:
    """Count error: predicted objects minus objects of the ground truth (CVPPP's DiC).

    Pooled it is the sum over images, where too many here and too few there cancel out; `absolute=True` sums the
    absolute differences of the images, and its mean over images is |DiC|. Crowds, and predictions that they or
    void excuse, are not counted.
    Hides: errors that cancel: as many misses as false finds give 0, and the mean over images does the same.
    Use: where nothing but the count is wanted; with `object_f1` beside it.

    >>> count_error([1, 2, 3], [1, 0, 2])
    -1.0
    """
    each = o.by_image()
    found = each.total_pred((~o.excused).astype(np.int64)) - each.total_gt((o.gt_crowd == 0).astype(np.int64))
    return o.over_images(np.abs(found) if absolute else found)
