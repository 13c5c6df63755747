"""The region metrics in plain NumPy, one class at a time on the arrays themselves: the oracle.

Each function has the name of a metric and takes two integer arrays and the void labels. A metric per
class gives {class: value}, NaN where undefined.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
PerClass = dict[int, float]
nan = math.nan


def masks(gt: Labels, pred: Labels, void: set[int]) -> tuple[Labels, Labels, list[int]]:
    """Valid pixels only, and the classes that occur in any pixel of either array."""
    valid = ~np.isin(gt, list(void))
    return gt[valid], pred[valid], sorted(({*gt.tolist(), *pred.tolist()}) - void)


def each(gt: Labels, pred: Labels, void: set[int], value: Callable[[int, int, int, int], float]) -> PerClass:
    g, p, classes = masks(gt, pred, void)
    out: PerClass = {}
    for k in classes:
        tp, fp = int(((g == k) & (p == k)).sum()), int(((g != k) & (p == k)).sum())
        fn = int(((g == k) & (p != k)).sum())
        out[k] = value(tp, fp, fn, g.size - tp - fp - fn)
    return out


def mean(values: PerClass) -> float:
    seen = [v for v in values.values() if not math.isnan(v)]
    return math.fsum(seen) / len(seen) if seen else nan


def div(a: float, b: float) -> float:
    return a / b if b else nan


def iou(gt: Labels, pred: Labels, void: set[int]) -> PerClass:
    return each(gt, pred, void, lambda tp, fp, fn, tn: div(tp, tp + fp + fn))


def dice(gt: Labels, pred: Labels, void: set[int]) -> PerClass:
    return each(gt, pred, void, lambda tp, fp, fn, tn: div(2 * tp, 2 * tp + fp + fn))


def precision(gt: Labels, pred: Labels, void: set[int]) -> PerClass:
    return each(gt, pred, void, lambda tp, fp, fn, tn: div(tp, tp + fp) if tp + fp else (0.0 if fn else nan))


def recall(gt: Labels, pred: Labels, void: set[int]) -> PerClass:
    return each(gt, pred, void, lambda tp, fp, fn, tn: div(tp, tp + fn))


def specificity(gt: Labels, pred: Labels, void: set[int]) -> PerClass:
    return each(gt, pred, void, lambda tp, fp, fn, tn: div(tn, tn + fp))


def volume_difference(gt: Labels, pred: Labels, void: set[int]) -> PerClass:
    return each(gt, pred, void, lambda tp, fp, fn, tn: div(fp - fn, tp + fn))


def mean_iou(gt: Labels, pred: Labels, void: set[int]) -> float:
    return mean(iou(gt, pred, void))


def mean_dice(gt: Labels, pred: Labels, void: set[int]) -> float:
    return mean(dice(gt, pred, void))


def mean_accuracy(gt: Labels, pred: Labels, void: set[int]) -> float:
    return mean(recall(gt, pred, void))


def accuracy(gt: Labels, pred: Labels, void: set[int]) -> float:
    g, p, _ = masks(gt, pred, void)
    return div(int((g == p).sum()), g.size)


def frequency_weighted_iou(gt: Labels, pred: Labels, void: set[int]) -> float:
    g, _, _ = masks(gt, pred, void)
    return div(math.fsum(v * int((g == k).sum()) for k, v in iou(gt, pred, void).items() if (g == k).any()), g.size)


def kappa(gt: Labels, pred: Labels, void: set[int]) -> float:
    g, p, classes = masks(gt, pred, void)
    n = g.size
    if not n:
        return nan
    chance = math.fsum(int((g == k).sum()) * int((p == k).sum()) for k in classes) / n**2
    return div(accuracy(gt, pred, void) - chance, 1 - chance)


def mcc(gt: Labels, pred: Labels, void: set[int]) -> float:
    """By covariances of indicator variables; a void prediction is a value of its own."""
    g, p, _ = masks(gt, pred, void)
    p = np.where(np.isin(p, list(void)), -1, p)
    values = sorted({*g.tolist(), *p.tolist()})
    if not g.size:
        return nan
    x, y = (np.array([v == k for k in values], float) for v in (g, p))
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    if (p == -1).all():
        return 0.0
    spread = math.sqrt((x * x).sum() * (y * y).sum())
    return float((x * y).sum()) / spread if spread > 1e-12 else nan
