"""Whole objects against the threshold: which of them a map of scores finds, and what it invents. Over `ObjectScores`.

Conventions
-----------
At each threshold the map is cut (`score >= threshold`) and its connected components are held against the objects of
the ground truth: its connected components, or the ids of an integer map that holds more than one. The connectivity
is stated: 8 neighbours in a plane and 26 in a volume unless another is given. Pixels that are not counted (void,
outside a mask) belong to no object.

`object_curve` matches one to one, from an IoU on, as the `object_*` metrics do. So a component that joins two objects
finds at most one of them, and one that covers a corner of an object finds none. `froc_curve` is laxer: an object is
found where a component shares a pixel with it, and a component that touches no object is a false positive.

Thresholds are fixed beforehand, so that the counts of images add up: 0.05 to 0.95 in steps of 0.05 for the former,
0.01 to 0.99 for the latter. A run counts objects where a metric asks for it; `-m froc_curve` and
`-m object_curve(iou=0.5)` ask for the number that sums up the curve, and the report draws it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MergeError, UsageError
from ..statistics.object_scores import ObjectCounts, ObjectScores
from ..thresholded import MATCHED, TOUCHED, object_scores
from ._metric import Values, metric, ratio

__all__ = [
    "FrocCurve", "ObjectCurve", "best_object_f1", "froc_curve", "froc_score", "froc_sensitivity", "object_curve",
]  # fmt: skip

Ints = NDArray[np.int64]

RATES = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)  # false positives an image at which sensitivity is usually read


@metric(object_scores, asks=("connectivity", "touch"))
def froc_score(s: ObjectScores, connectivity: int | None = None) -> Values:
    """FROC score: the mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives an image.

    The sensitivity at a rate is the highest of a threshold with at most that many false positives an image, 0 where
    there is none. Range 0 to 1. Undefined without objects.
    Hides: sensitivity below an eighth and above eight false finds an image; sizes and outlines.
    Use: for lesion detection, where readers bear a few false finds an image.
    Differs: the score of LUNA16 (competition performance metric) draws lines between the points of the curve, and
    takes every candidate's score as a threshold; here the thresholds are 0.01 to 0.99.
    Reference: Niemeijer et al., IEEE Transactions on Medical Imaging 30, 2011; Setio et al., Medical Image Analysis
    42, 2017.

    >>> gt, score = np.array([[1, 0, 1, 0, 0]]), np.array([[0.9, 0.0, 0.3, 0.0, 0.6]])
    >>> round(froc_score(gt, score), 4)  # below one false positive only the first is found: (3 * 0.5 + 4 * 1) / 7
    0.7857
    """
    c = s.under(connectivity=connectivity, touch=True)
    return np.mean([_sensitivity(c, rate) for rate in RATES], axis=0)


@metric(object_scores, asks=("connectivity", "touch"))
def froc_sensitivity(s: ObjectScores, false_per_image: float, connectivity: int | None = None) -> Values:
    """Sensitivity of whole objects at a number of false positives per image: one point of the FROC curve.

    The highest sensitivity of a threshold with at most that many false positives an image, 0 where there is none.
    Range 0 to 1. Undefined without objects. Points of the curve only: nothing is interpolated.
    Hides: the rest of the curve.
    Use: where the false finds that readers bear are known.
    Reference: Bunch et al., Proc. SPIE 127, 1977.

    >>> gt, score = np.array([[1, 0, 1, 0, 0]]), np.array([[0.9, 0.0, 0.3, 0.0, 0.6]])
    >>> froc_sensitivity(gt, score, false_per_image=0.5), froc_sensitivity(gt, score, false_per_image=1)
    (0.5, 1.0)
    """
    if not false_per_image >= 0:
        raise UsageError(f"false_per_image must be 0 or more, not {false_per_image}")
    return _sensitivity(s.under(connectivity=connectivity, touch=True), false_per_image)


@metric(object_scores, asks=("connectivity", "iou"))
def best_object_f1(s: ObjectScores, iou: float, connectivity: int | None = None) -> Values:
    """The F1 of whole objects at the threshold where it is best, 2 TP / (2 TP + FP + FN).

    A component of the map finds an object from an IoU of `iou` on, one to one. Range 0 to 1. Undefined without objects.
    Chosen and judged on the same images, the threshold makes it too good: choose it on others, and judge the objects
    of the map cut there with `object_f1`.
    Hides: that its threshold was chosen on these very images.
    Use: to compare score maps of objects before a threshold is fixed.

    >>> gt, score = np.array([[1, 0, 1, 0, 0]]), np.array([[0.9, 0.0, 0.3, 0.0, 0.6]])
    >>> best_object_f1(gt, score, iou=0.5)  # at 0.3: two found, one invented
    0.8
    """
    c = s.under(connectivity=connectivity, iou=iou)
    f1 = ratio(2 * c.found, c.found + c.false + np.asarray(c.objects)[..., None])
    return np.where(np.asarray(c.objects) == 0, np.nan, f1.max(axis=-1))


def _sensitivity(c: ObjectCounts, rate: float) -> Values:
    """The highest sensitivity of a threshold with at most that many false positives an image."""
    allowed = c.false <= rate * np.asarray(c.images)[..., None]
    return ratio(np.where(allowed, c.found, 0).max(axis=-1), c.objects)


@dataclass(frozen=True, eq=False)
class FrocCurve:
    """Share of true objects found against false positives per image. Merging: counts add, at equal thresholds.

    found, false   true objects found, and components that touch none, at each threshold (descending)
    objects        true objects
    images         images
    """

    thresholds: Values
    found: Ints
    false: Ints
    objects: int
    images: int

    @classmethod
    def of(cls, c: ObjectCounts) -> FrocCurve:
        """The curve of counts that were added up."""
        return cls(c.thresholds, c.found, c.false, int(c.objects), int(c.images))

    @property
    def sensitivity(self) -> Values:
        """Found / objects; NaN without objects."""
        return ratio(self.found, self.objects)

    @property
    def false_per_image(self) -> Values:
        """False / images; NaN without images."""
        return ratio(self.false, self.images)

    def __add__(self, other: FrocCurve) -> FrocCurve:
        if not np.array_equal(self.thresholds, other.thresholds):
            raise MergeError("FROC curves with different thresholds do not add up")
        return FrocCurve(
            self.thresholds, self.found + other.found, self.false + other.false,
            self.objects + other.objects, self.images + other.images,
        )  # fmt: skip


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

    @classmethod
    def of(cls, c: ObjectCounts, iou: float) -> ObjectCurve:
        """The curve of counts that were added up."""
        return cls(c.thresholds, c.found, c.false, c.objects - c.found, iou)

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
            raise MergeError("object curves with different thresholds or IoU do not add up")
        return ObjectCurve(self.thresholds, self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.iou)


def froc_curve(
    images: Iterable[tuple[Any, Any]],
    thresholds: Iterable[float] = TOUCHED,
    *,
    connectivity: int | None = None,
    **facts: Any,
) -> FrocCurve:
    """Objects found against false positives per image, over (ground truth, score map) pairs.

    `facts` are those of `scores` (mask, ignore, positive, logits). Raises LabelError for maps that are no scores.

    >>> gt, score = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.2, 0.0, 0.6, 0.0])
    >>> curve = froc_curve([(gt, score)], thresholds=[0.5, 0.8])
    >>> curve.sensitivity.tolist(), curve.false_per_image.tolist()
    ([1.0, 1.0], [0.0, 1.0])
    """
    rule = {"connectivity": connectivity, "touch": True}
    return FrocCurve.of(_counts(images, thresholds, rule, facts))


def object_curve(
    images: Iterable[tuple[Any, Any]],
    thresholds: Iterable[float] = MATCHED,
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
    rule = {"connectivity": connectivity, "iou": iou}
    return ObjectCurve.of(_counts(images, thresholds, rule, facts), iou)


def _counts(
    images: Iterable[tuple[Any, Any]], thresholds: Iterable[float], rule: dict[str, Any], facts: dict[str, Any]
) -> ObjectCounts:
    """What all images have under one rule, added up."""
    at = tuple(thresholds)
    needs = (tuple(rule.items()),)
    each = (object_scores(gt, score, needs=needs, thresholds=at, **facts).under(**rule) for gt, score in images)
    zero = np.zeros(np.unique(at).size, np.int64)
    none = ObjectCounts(np.unique(np.asarray(at, np.float64))[::-1], zero, zero, np.array(0), np.array(0))
    return reduce(add, each, none)
