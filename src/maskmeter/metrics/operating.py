"""Detections at one score: precision, recall, F1 and what is taken for what there; and whether scores are precisions.

Conventions
-----------
Detections of at least `score` count, the others are thrown away; each is right or wrong at an IoU threshold as it is
for average precision, which throwing lower scores away does not change. What is left out there (in a crowd, beyond the
cap) is left out here.

`score=best` is the score at which the F1 of all classes together is greatest over all images; of several the greatest.
It is chosen once, so that images, classes and resamples are looked at there too, and intervals hold for that score.
The value over all classes counts the detections of all of them together: it is no mean over classes.

The confusion matrix first gives every object to the detection of its own class that found it, so that its diagonal are
the true positives of precision and recall; then the other detections, in the order of their scores, take the free
object of another class with the greatest IoU that reaches the threshold. What takes none was made up, what is not taken
was missed.

Reference: Lin et al., Microsoft COCO, ECCV 2014; Küppers et al., Multivariate Confidence Calibration for Object
Detection, CVPR Workshops 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..kernels import weighted_sums
from ..statistics.detections import Detections
from ..statistics.encounters import Encounters
from ..statistics.scored_overlaps import detections
from ._metric import Values, metric, ratio

__all__ = [
    "DetectionConfusion", "DetectionCurve", "DetectionReliability", "best_score", "detection_confusion",
    "detection_curve", "detection_ece", "detection_f1", "detection_precision", "detection_recall",
    "detection_reliability",
]  # fmt: skip

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Score = float | str


class Kept(NamedTuple):
    """Detections that are not left out: the group of each, its score, whether it is right."""

    group: Ints
    score: Values
    right: Bools

    def take(self, at: NDArray[Any]) -> Kept:
        """These of them, in this order."""
        return Kept(self.group[at], self.score[at], self.right[at])


def _kept(d: Detections, iou: float, by: Ints) -> Kept:
    """The detections at a threshold, grouped `by`. Raises UsageError for a threshold that was not judged."""
    step = d.rules.judged_at(iou)
    area = d.rules.area("all") or 0
    bit = np.uint64(1 << step)
    there = (d.ignored[area] & bit) == 0
    return Kept(by[there], d.det_score[there], (d.hits[area][there] & bit) > 0)


def _best(kept: Kept, objects: Values) -> Values:
    """Of each group the score with the greatest F1, of several the greatest; NaN where nothing is found at any."""
    order = np.lexsort((-kept.score, kept.group))
    group, score, right = kept.take(order)
    first = np.flatnonzero(np.diff(group, prepend=-1))
    size = np.diff(np.append(first, group.size))
    before = np.repeat(np.append(0, np.cumsum(right))[first], size)
    found = np.cumsum(right) - before
    f1 = 2 * found / (np.arange(1, group.size + 1) - np.repeat(first, size) + objects[group])
    last = np.append((np.diff(group) != 0) | (np.diff(score) != 0), True)[: group.size]
    at = np.flatnonzero(last & (found > 0))
    at = at[np.lexsort((-score[at], -f1[at], group[at]))]
    at = at[np.diff(group[at], prepend=-1) != 0]
    out = np.full(objects.size, np.nan)
    out[group[at]] = score[at]
    return out


def chosen_score(d: Detections, score: Score, iou: float = 0.5) -> float:
    """The score that `score` stands for: itself, or the best over all images; NaN where nothing is found at any.

    >>> chosen_score(detections(np.repeat([1, 0], 9), np.repeat([1, 2], 9), scores={1: 0.9, 2: 0.5}), "best")
    0.9
    """
    if isinstance(score, str) and score != "best":
        raise UsageError(f"score={score} is neither a number nor best")
    if not isinstance(score, str):
        return float(score)
    whole = d.whole or d
    among = np.ones(whole.classes.size, bool) if whole.averaged is None else whole.averaged
    kept = _kept(whole, iou, np.where(among[whole.det_class], 0, 1))
    return float(_best(kept.take(kept.group == 0), np.array([float(whole.objects()[among].sum())]))[0])


class Counts(NamedTuple):
    """(..., K + 1) right and wrong detections and objects, of each class and of all together."""

    tp: Values
    fp: Values
    objects: Values


def counts_at(d: Detections, score: Score, iou: float = 0.5) -> Counts:
    """What is right and wrong from a score on."""
    k, least = d.classes.size, chosen_score(d, score, iou)
    kept = _kept(d, iou, d.det_image * k + d.det_class)
    over = kept.score >= least
    area = d.rules.area("all") or 0
    at = (d.gt_image * k + d.gt_class)[d.gt_counted[area]]
    parts = kept.group[over & kept.right], kept.group[over & ~kept.right], at
    return Counts(*(_summed(d, x) for x in parts))


def _summed(d: Detections, cells: Ints, weights: Values | None = None) -> Values:
    """How many of these cells (image, class) a class has, or the sum of their weights; of all in the last column."""
    k = d.classes.size
    each = np.bincount(cells, weights, minlength=d.images * k).reshape(d.images, k).astype(np.float64)
    if d.weights is None:
        each = each.sum(axis=0)
    elif not isinstance(d.weights, str):
        each = weighted_sums(np.ascontiguousarray(d.weights), each)
    among = each if d.averaged is None else each[..., d.averaged]
    return np.append(each, among.sum(axis=-1)[..., None], -1)


@metric(detections, per="class", overall=True)
def detection_precision(d: Detections, score: Score, iou: float = 0.5) -> Values:
    """Precision of the detections from a score on: the share that is right, TP / (TP + FP).

    score  a number, or `best`: the score of the greatest F1
    iou    the IoU from which on a detection is right, one of 0.5, 0.55, ... 0.95

    Over all classes: of all detections together. Range 0 to 1. Undefined without detections of such a score.
    Hides: missed objects, and any other score.
    Use: at the score that will be used, with `detection_recall`.

    >>> gt, pred = np.repeat([1, 0, 2], 100), np.repeat([1, 2, 3], 100)
    >>> [detection_precision(gt, pred, scores={1: 0.9, 2: 0.8, 3: 0.7}, score=s) for s in (0.75, 0.9)]
    [0.5, 1.0]
    """
    c = counts_at(d, score, iou)
    return ratio(c.tp, c.tp + c.fp)


@metric(detections, per="class", overall=True)
def detection_recall(d: Detections, score: Score, iou: float = 0.5) -> Values:
    """Recall of the detections from a score on: the share of objects that is found, TP / (TP + FN).

    score  a number, or `best`: the score of the greatest F1
    iou    the IoU from which on a detection is right, one of 0.5, 0.55, ... 0.95

    Over all classes: of all objects together. Range 0 to 1. Undefined without objects.
    Hides: false finds, and any other score.
    Use: at the score that will be used, with `detection_precision`.

    >>> gt, pred = np.repeat([1, 0, 2], 100), np.repeat([1, 2, 3], 100)
    >>> [detection_recall(gt, pred, scores={1: 0.9, 2: 0.8, 3: 0.7}, score=s) for s in (0.75, 0.7)]
    [0.5, 1.0]
    """
    c = counts_at(d, score, iou)
    return ratio(c.tp, c.objects)


@metric(detections, per="class", overall=True)
def detection_f1(d: Detections, score: Score, iou: float = 0.5) -> Values:
    """F1 of the detections from a score on: 2 TP / (2 TP + FP + FN).

    score  a number, or `best`: the score at which it is greatest, over all images and classes together
    iou    the IoU from which on a detection is right, one of 0.5, 0.55, ... 0.95

    Over all classes: of all detections and objects together. Range 0 to 1. Undefined without either.
    Hides: which of misses and false finds prevails.
    Use: at the score that will be used; `score=best` is too good for new images.

    >>> gt, pred = np.repeat([1, 0, 2], 100), np.repeat([1, 2, 3], 100)
    >>> [detection_f1(gt, pred, scores={1: 0.9, 2: 0.8, 3: 0.7}, score=s) for s in (0.8, "best")]
    [0.5, 0.8]
    """
    c = counts_at(d, score, iou)
    return ratio(2 * c.tp, c.tp + c.fp + c.objects)


@metric(detections, per="class", overall=True, better="none", bounds=(-np.inf, np.inf), resampled=False)
def best_score(d: Detections, iou: float = 0.5) -> Values:
    """The score from which on F1 is greatest: the operating point that `score=best` takes.

    Of a class it is that of the class alone; of several scores the greatest. Undefined where nothing is found at any.
    It is the best of the data that it is judged on, so the F1 there flatters; take it from other data where you can.
    Hides: that it was chosen on these very images.
    Use: on validation data, to fix the score before the test data are looked at.

    >>> gt, pred = np.repeat([1, 0, 2], 100), np.repeat([1, 2, 3], 100)
    >>> best_score(gt, pred, scores={1: 0.9, 2: 0.8, 3: 0.7})
    0.7
    """
    k, n = d.classes.size, d.images
    among = np.ones(k, bool) if d.averaged is None else d.averaged
    area = d.rules.area("all") or 0
    image, class_ = d.gt_image[d.gt_counted[area]], d.gt_class[d.gt_counted[area]]
    if d.weights is None:
        image, of = np.zeros_like(image), np.zeros_like(d.det_image)
        n = 1
    else:
        of = d.det_image
    each = _best(_kept(d, iou, of * k + d.det_class), np.bincount(image * k + class_, minlength=n * k).astype(float))
    shared = among[d.det_class]
    kept = _kept(d, iou, np.where(shared, of, n))  # the others in a group of their own, which is left away
    together = _best(kept, np.append(np.bincount(image[among[class_]], minlength=n).astype(float), 0.0))[:n]
    out = np.append(each.reshape(n, k), together[:, None], -1)
    return out[0] if d.weights is None else out


# Curves


@dataclass(frozen=True, eq=False)
class DetectionCurve:
    """Precision and recall from each score on, descending; every score that occurs is there once."""

    score: Values
    tp: Ints
    fp: Ints
    objects: int

    @property
    def precision(self) -> Values:
        """TP / (TP + FP)."""
        return ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> Values:
        """TP / objects; NaN without objects."""
        return ratio(self.tp, np.full(self.tp.shape, self.objects))

    @property
    def f1(self) -> Values:
        """2 TP / (2 TP + FP + FN)."""
        return ratio(2 * self.tp, self.tp + self.fp + self.objects)


def detection_curve(d: Detections, iou: float = 0.5, class_: int | None = None) -> DetectionCurve:
    """Precision and recall of detections at every score, of a class (its id) or of all together.

    These are the points themselves, without the envelope that average precision is read from.

    >>> gt, pred = np.repeat([1, 0, 2], 100), np.repeat([1, 2, 3], 100)
    >>> curve = detection_curve(detections(gt, pred, scores={1: 0.9, 2: 0.8, 3: 0.7}))
    >>> curve.score.tolist(), curve.recall.tolist(), curve.precision.round(3).tolist()
    ([0.9, 0.8, 0.7], [0.5, 0.5, 1.0], [1.0, 0.5, 0.667])
    """
    among = np.ones(d.classes.size, bool) if d.averaged is None else d.averaged
    among = among if class_ is None else d.classes == class_
    kept = _kept(d, iou, d.det_class)
    mine = among[kept.group]
    order = np.argsort(-kept.score[mine], kind="stable")
    score, right = kept.score[mine][order], kept.right[mine][order]
    last = np.append(np.diff(score) != 0, True)[: score.size]
    tp = np.cumsum(right, dtype=np.int64)[last]
    return DetectionCurve(score[last], tp, np.flatnonzero(last) + 1 - tp, int(d.objects()[among].sum()))


# Calibration


@dataclass(frozen=True, eq=False)
class DetectionReliability:
    """Precision against mean score, in bins of equal width, closed above (..., bins); NaN where a bin is empty."""

    edges: Values
    detections: Values
    score: Values
    precision: Values


def detection_reliability(d: Detections, iou: float = 0.5, bins: int = 15) -> DetectionReliability:
    """How precise the detections of each score are, all classes together."""
    n, score, right = (x[..., -1, :] for x in _binned(d, iou, bins))
    return DetectionReliability(np.linspace(0, 1, bins + 1), n, ratio(score, n), ratio(right, n))


@metric(detections, per="class", overall=True, better="lower")
def detection_ece(d: Detections, iou: float = 0.5, bins: int = 15) -> Values:
    """Expected calibration error of detections: how far scores are from precisions, |precision - mean score|.

    The mean over bins of the score, of equal width and closed above (0 belongs to the first), weighted by their
    detections. All detections that count are there, whatever their score; objects that are missed play no part.
    Over all classes: of all detections together. Range 0 to 1. Undefined without detections.
    Hides: missed objects, which have no score, and whether scores tell right from wrong.
    Use: for whether scores may be read as probabilities, with `ap` beside it.
    Differs: detectors are often cut at a score before they are looked at, which moves it. Küppers et al. bin by place
    and size as well (D-ECE).
    Reference: Küppers et al., CVPR Workshops 2020.

    >>> gt, pred = np.repeat([1, 0], 100), np.repeat([1, 2], 100)
    >>> round(detection_ece(gt, pred, scores={1: 0.9, 2: 0.4}), 9)  # (0.1 + 0.4) / 2
    0.25
    """
    n, score, right = _binned(d, iou, bins)
    return ratio(np.abs(right - score).sum(axis=-1), n.sum(axis=-1))


def _binned(d: Detections, iou: float, bins: int) -> tuple[Values, Values, Values]:
    """(..., K + 1, bins) detections, the sum of their scores, and how many are right."""
    if bins < 1:
        raise UsageError(f"bins={bins} makes no bins; give 1 or more")
    k = d.classes.size
    kept = _kept(d, iou, d.det_image * k + d.det_class)
    if kept.score.size and not (kept.score.min() >= 0 and kept.score.max() <= 1):
        raise UsageError(f"score {kept.score[np.abs(kept.score - 0.5).argmax()]:g} is no probability to be calibrated")
    at = np.clip(np.ceil(np.round(kept.score * bins, 9)).astype(np.int64) - 1, 0, bins - 1)
    out: list[Values] = []
    for weights in (np.ones(at.size), kept.score, kept.right.astype(np.float64)):
        each = [_summed(d, kept.group[at == b], weights[at == b]) for b in range(bins)]
        out.append(np.stack(each, axis=-1))
    return out[0], out[1], out[2]


# What is taken for what


@dataclass(frozen=True, eq=False)
class DetectionConfusion:
    """Objects (rows) by what was taken for them (columns), from a score on; the last row and column are nothing.

    counts   (K + 1, K + 1): the last column are missed objects, the last row detections that were made up
    found    which detection each object was taken by, or -1; -2 for one that is not looked for
    taken    which object each detection took, or -1; -2 for one that is left out or of a lower score
    """

    classes: Ints
    counts: Ints
    found: Ints
    taken: Ints
    score: float
    iou: float


def detection_confusion(e: Encounters, score: Score = "best", iou: float = 0.5) -> DetectionConfusion:
    """The confusion matrix of classes at an operating point (see above).

    >>> from maskmeter.statistics.scored_overlaps import encounters
    >>> gt, pred = np.repeat([1, 0, 2], 100), np.repeat([1, 2, 3], 100)
    >>> classes = {"gt_classes": {1: 1, 2: 2}, "pred_classes": {1: 1, 2: 1, 3: 1}}
    >>> e = encounters(gt, pred, scores={1: 0.9, 2: 0.8, 3: 0.7}, **classes)
    >>> detection_confusion(e, score=0.5).counts.tolist()  # the second object was taken for class 1, one is made up
    [[1, 0, 0], [1, 0, 0], [1, 0, 0]]
    """
    least = chosen_score(e.judgement(iou), score, iou)
    m, k = e.matches(iou), e.classes.size
    there = ~m.left_out & (e.det_score >= least)
    taken, found = np.full(e.found, -2), np.full(e.gt_image.size, -2)
    taken[there], found[~e.gt_ignored] = -1, -1
    right = np.flatnonzero(m.right & there)
    taken[right], found[m.partner[right]] = m.partner[right], right
    left = there[e.pair_det] & ~m.right[e.pair_det] & ~e.gt_ignored[e.pair_gt] & ~e.alike & (e.pair_iou >= iou)
    at = np.flatnonzero(left)
    turn = e.det_row[e.pair_det] if e.rules.filed else e.pair_det
    at = at[np.lexsort((e.pair_gt[at], -e.pair_iou[at], turn[at], -e.det_score[e.pair_det[at]]))]
    for d, g in zip(e.pair_det[at].tolist(), e.pair_gt[at].tolist(), strict=True):
        if taken[d] == -1 and found[g] == -1:
            taken[d], found[g] = g, d
    counts = np.zeros((k + 1, k + 1), np.int64)
    looked, seen = found > -2, taken == -1
    columns = np.where(found[looked] >= 0, e.det_class[found[looked]] if e.found else k, k)
    np.add.at(counts, (e.gt_class[looked], columns), 1)
    counts[k, :k] = np.bincount(e.det_class[seen], minlength=k)
    return DetectionConfusion(e.classes, counts, found, taken, least, iou)
