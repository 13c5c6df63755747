"""Region metrics: how many pixels agree, class by class. Formulas over `Confusion`.

Conventions
-----------
For class k, TP are its pixels that were predicted as k, FN those that were not, FP the pixels of other
classes that were predicted as k, TN all the rest. Two boolean masks are binary: the foreground is the
positive class, and a metric per class is its value for the foreground.

Void ground truth is left out before anything is counted; a void *prediction* is an FN of the true
class. A mean over classes goes over the classes that occur in ground truth or prediction (of the same
scope: one image, or all of them pooled) and that the label file does not take out with
`average = false`; a class that occurs in neither has no value and is counted as undefined.

Overlaps of two empty masks are 0/0: undefined, neither 0 nor 1. A class that is only in one of the
two scores 0: a miss or a hallucination stays in every mean. The parameter `empty` changes that to
reproduce published numbers: `empty=perfect` gives 1 where both are empty (MedPy, MetricsReloaded,
smp), `empty=undefined` leaves out every case whose ground truth is empty (MONAI's default).
"""

from __future__ import annotations

import numpy as np

from ..errors import UsageError
from ..statistics.confusion import Confusion, confusion
from ._metric import Values, mean, metric, ratio

__all__ = [
    "accuracy", "dice", "fbeta", "frequency_weighted_iou", "iou", "kappa", "mcc", "mean_accuracy", "mean_dice",
    "mean_iou", "precision", "recall", "specificity", "volume_difference",
]  # fmt: skip


@metric(confusion, per="class")
def iou(c: Confusion, empty: str | None = None) -> Values:
    """Intersection over union (Jaccard index): TP / (TP + FP + FN).

    Range 0 to 1. Undefined where the class is in neither mask (see `empty` above).
    Hides: outlines of large objects and the fate of single objects; small objects drown in large ones when pooled.
    Use: as the usual overlap of classes; with a boundary metric for shape and object metrics for counts.
    Differs: torchmetrics gives -1 for an absent class, miseval 0, SimpleITK 1.8e308.
    Reference: Jaccard 1912; Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 2010.

    >>> iou(np.array([True, True, False]), np.array([True, False, False]))
    0.5
    """
    return _empty(c, ratio(c.tp, c.tp + c.fp + c.fn), empty)


@metric(confusion)
def mean_iou(c: Confusion, empty: str | None = None) -> Values:
    """Mean IoU (mIoU): the mean of `iou` over the classes that occur in ground truth or prediction.

    Range 0 to 1. Undefined where no class has a value. Pooled over a data set it is the number of PASCAL
    VOC and Cityscapes; the mean over images weighs small objects more (Wang et al., NeurIPS 2023).
    Hides: which class fails; rare classes weigh as common ones, and their values are unsure.
    Use: to rank semantic segmentations; with `iou` by class beside it.
    Differs: seven averages go by this name (torchmetrics means over (image, class) pairs, smp over all
    pixels); ultralytics leaves out classes that are predicted but absent from the ground truth.

    >>> mean_iou(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]))  # (1/2 + 2/3) / 2
    0.5833333333333333
    """
    return mean(iou.at(empty=empty).values(c), c.averaged)


@metric(confusion)
def frequency_weighted_iou(c: Confusion) -> Values:
    """IoU weighted by how often each class occurs: sum of (TP + FN) IoU / all pixels.

    Range 0 to 1. Undefined without pixels. Large classes decide; read `mean_iou` beside it.
    Hides: rare classes altogether.
    Use: where pixels count and classes do not; with `mean_iou` beside it.
    Reference: Long et al., Fully convolutional networks for semantic segmentation, CVPR 2015.

    >>> round(frequency_weighted_iou(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0])), 4)  # 3/4 of 3/4
    0.5625
    """
    weighted = np.where(c.gt > 0, c.gt * ratio(c.tp, c.tp + c.fp + c.fn), 0.0)
    return ratio(weighted.sum(axis=-1), c.pixels)


@metric(confusion, per="class", headline="images")
def dice(c: Confusion, empty: str | None = None) -> Values:
    """Dice coefficient (F1, Sorensen index): 2 TP / (2 TP + FP + FN) = 2 IoU / (1 + IoU).

    Range 0 to 1. Undefined where the class is in neither mask (see `empty` above).
    Hides: the same as `iou`, of which it is a function: do not report both as two findings; it is kinder to large
    errors.
    Use: where the field does (medicine); with a boundary metric in mm, and never for objects of few voxels alone.
    Differs: MONAI drops every case with an empty ground truth, so hallucinations cost nothing there;
    MedPy and MetricsReloaded give 1 for two empty masks.
    Reference: Dice 1945; Zijdenbos et al., IEEE TMI 1994.

    >>> round(dice(np.array([True, True, False]), np.array([True, False, False])), 4)  # 2 / (2 + 0 + 1)
    0.6667
    """
    return _empty(c, ratio(2 * c.tp, 2 * c.tp + c.fp + c.fn), empty)


@metric(confusion, headline="images")
def mean_dice(c: Confusion, empty: str | None = None) -> Values:
    """Mean Dice: the mean of `dice` over the classes that occur in ground truth or prediction.

    Range 0 to 1. Undefined where no class has a value.
    Hides: which class fails; rare classes weigh as common ones.
    Use: to rank segmentations where the field uses Dice; with `dice` by class beside it.
    Differs: FiftyOne's Dice over all classes with the background is the pixel accuracy; nnU-Net leaves the
    background out (`average = false` in the label file).

    >>> round(mean_dice(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])), 4)  # (2/3 + 4/5) / 2
    0.7333
    """
    return mean(dice.at(empty=empty).values(c), c.averaged)


@metric(confusion, per="class")
def precision(c: Confusion) -> Values:
    """Precision (positive predictive value): TP / (TP + FP), how much of what was predicted is right.

    Range 0 to 1. 0 where the class is in the ground truth and nothing was predicted (a miss is not left out);
    undefined where it is in neither.
    Hides: what was missed: one sure pixel gives 1.
    Use: with `recall`, where false alarms are dear.
    Differs: scikit-learn gives 0 with a warning wherever nothing was predicted.

    >>> precision(np.array([True, False, False]), np.array([True, True, False]))
    0.5
    """
    return np.where((c.pred == 0) & (c.gt > 0), 0.0, ratio(c.tp, c.pred))


@metric(confusion, per="class")
def recall(c: Confusion) -> Values:
    """Recall (sensitivity, true positive rate, class accuracy): TP / (TP + FN), how much was found.

    Range 0 to 1. Undefined where the ground truth has none of the class, whatever is predicted.
    Hides: false alarms: predicting everything gives 1.
    Use: with `precision`, where misses are dear.
    Differs: scikit-learn gives 0 with a warning there.

    >>> recall(np.array([True, True, False]), np.array([True, False, True]))
    0.5
    """
    return ratio(c.tp, c.gt)


@metric(confusion, per="class")
def specificity(c: Confusion) -> Values:
    """Specificity (true negative rate): TN / (TN + FP), how much of the rest was left alone.

    Range 0 to 1. Undefined where every pixel belongs to the class. Close to 1 whenever the class is small,
    whatever the prediction; read `precision` beside it.
    Hides: nearly everything where the class is small: the background makes it close to 1.
    Use: where the background is as common as the class; else `precision`.

    >>> specificity(np.array([True, False, False, False]), np.array([True, True, False, False]))  # 2 of 3
    0.6666666666666666
    """
    negatives = c.pixels[..., None] - c.gt
    return ratio(negatives - c.fp, negatives)


@metric(confusion, per="class")
def fbeta(c: Confusion, beta: float, empty: str | None = None) -> Values:
    """F-measure: precision and recall in one, recall weighing beta times as much.

    (1 + b^2) TP / ((1 + b^2) TP + b^2 FN + FP). Range 0 to 1. `beta` has no default; at 1 it is `dice`.
    Undefined where the class is in neither mask (see `empty` above).
    Hides: which of misses and false alarms prevails.
    Use: where their costs differ and are known: beta 2 for misses, 0.5 for false alarms; at 1 it is `dice`.
    Reference: van Rijsbergen, Information Retrieval, 1979.

    >>> fbeta(np.array([True, True, False]), np.array([True, False, False]), beta=2)  # 5 / (5 + 4)
    0.5555555555555556
    """
    if isinstance(beta, str) or not 0 <= beta < float("inf"):
        raise UsageError(f"beta must be a number that is not negative, not {beta!r}")
    b = float(beta) ** 2
    return _empty(c, ratio((1 + b) * c.tp, (1 + b) * c.tp + b * c.fn + c.fp), empty)


@metric(confusion)
def accuracy(c: Confusion) -> Values:
    """Pixel accuracy: the share of all pixels that were given their class.

    Range 0 to 1. Undefined without pixels. Misleads where one class is large: predicting it everywhere scores
    its share. Read `mean_iou` or `mean_accuracy` beside it.
    Hides: rare classes: predicting the largest class everywhere already gives its share.
    Use: where classes are of like size; else `mean_iou` or `mcc`.

    >>> accuracy(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]))
    0.75
    """
    return ratio(c.tp.sum(axis=-1), c.pixels)


@metric(confusion)
def mean_accuracy(c: Confusion) -> Values:
    """Mean class accuracy (macro recall, balanced accuracy): the mean of `recall` over classes.

    Range 0 to 1. Over the classes of the ground truth; undefined where it has none. Ignores how much was
    predicted too much; read `mean_iou` beside it.
    Hides: false alarms: a class that is predicted too often loses nothing itself.
    Use: beside `mean_iou`, never alone.

    >>> mean_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))  # (1 + 0) / 2
    0.5
    """
    return mean(recall.values(c), c.averaged)


@metric(confusion, bounds=(-1.0, 1.0))
def kappa(c: Confusion) -> Values:
    """Cohen's kappa: agreement beyond chance, (accuracy - chance) / (1 - chance).

    Chance is what two labellings with these class shares would agree by luck: the sum over classes of
    share in ground truth times share in prediction. Range -1 to 1, 0 for chance. Undefined where chance
    is 1 (both masks hold one and the same class).
    Hides: which class errs; it depends on the prevalence, so data sets cannot be compared.
    Use: for agreement of raters; for models `mcc` behaves better.
    Reference: Cohen, Educational and Psychological Measurement 20, 1960.

    >>> kappa(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]))  # (0.75 - 0.5) / (1 - 0.5)
    0.5
    """
    n = c.pixels.astype(np.float64)
    chance = (c.gt.astype(np.float64) * c.pred).sum(axis=-1)
    return ratio(n * c.tp.sum(axis=-1) - chance, n * n - chance)


@metric(confusion, bounds=(-1.0, 1.0))
def mcc(c: Confusion) -> Values:
    """Matthews correlation coefficient, for several classes Gorodkin's R_K.

    (n TP - sum gt pred) / sqrt((n^2 - sum pred^2) (n^2 - sum gt^2)), sums over classes. Range -1 to 1,
    0 for chance. Undefined where ground truth or prediction hold a single class; 0 where no pixel was given a
    class at all (a prediction that is missing).
    Hides: which class errs, and in which direction.
    Use: as one number that imbalance does not flatter; with `iou` by class beside it.
    Differs: scikit-learn gives 0 there.
    Reference: Matthews 1975; Gorodkin, Computational Biology and Chemistry 28, 2004.

    >>> round(mcc(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0])), 6)  # (4 3 - 8) / sqrt(6 8)
    0.57735
    """
    n, gt, pred = (x.astype(np.float64) for x in (c.pixels, c.gt, c.pred))
    covariance = n * c.tp.sum(axis=-1) - (gt * pred).sum(axis=-1)
    # Pixels that were given no class are a class of predictions that the ground truth never has.
    of_pred = n * n - (pred * pred).sum(axis=-1) - c.unassigned.astype(np.float64) ** 2
    of_gt = n * n - (gt * gt).sum(axis=-1)
    # Where no pixel was given any class, nothing is told about the truth: 0, and the image stays in every mean.
    nothing = (pred.sum(axis=-1) == 0) & (n > 0)
    return np.where(nothing, 0.0, ratio(covariance, np.sqrt(of_pred * of_gt)))


@metric(confusion, per="class", better="zero", headline="images", bounds=(-1.0, float("inf")))
def volume_difference(c: Confusion) -> Values:
    """Relative volume difference, signed: (predicted - true) / true size.

    From -1 (nothing predicted) over 0 to any size. Undefined where the ground truth has none of the class:
    no size is relative to nothing, so look at `dice` or `precision` for hallucinations. Equal sizes in
    different places give 0.
    Hides: where the volume is: a mask beside the object can give 0, and errors of opposite sign cancel in the mean.
    Use: where the volume itself is the finding; with an overlap beside it.
    Reference: Heimann et al., IEEE TMI 28, 2009 (there in percent).

    >>> volume_difference(np.array([True, True, False]), np.array([True, True, True]))
    0.5
    """
    return ratio(c.pred - c.gt, c.gt)


def _empty(c: Confusion, values: Values, rule: str | None) -> Values:
    """Overlaps with the rule for empty masks applied."""
    if rule is None:
        return values
    if rule == "perfect":
        return np.where((c.gt == 0) & (c.pred == 0), 1.0, values)
    if rule == "undefined":
        return np.where(c.gt == 0, np.nan, values)
    raise UsageError(f"empty must be perfect or undefined, not {rule!r}")
