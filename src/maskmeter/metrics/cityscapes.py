"""Average precision as Cityscapes computes it: a formula over `Overlap` with scores.

Conventions
-----------
A match is an IoU above the threshold (`>`), thresholds are 0.5, 0.55, ... 0.95 as `np.arange` gives them. Objects
below 100 pixels are not looked for. Of several predictions that match one object the most confident is right, the
others are wrong. A prediction that matches anything of its class, a group or a small object included, is not wrong;
any other is not wrong where the share of it that lies on void, groups and small objects is above the threshold (a
group that is also small counts twice). The area under the curve is a trapezoid sum through all distinct scores and
the point (recall 0, precision 1), without an envelope. A class without ground truth is undefined; one with ground
truth and without predictions is 0. The mean is over all classes and thresholds at once.

Reference: evalInstanceLevelSemanticLabeling.py of cityscapesScripts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..statistics._sums import counts
from ..statistics.overlap import Overlap, overlap
from ._metric import Values, metric, ratio

__all__ = ["ap", "ap50", "over_all"]

THRESHOLDS = np.arange(0.5, 1.0, 0.05)
LEAST = 100  # pixels of an object that is looked for

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@metric(overlap, per="class", resampled=False)
def ap(o: Overlap, convention: str) -> Values:
    """Average precision of scored objects: the area under their precision-recall curve, mean over IoU 0.5 to 0.95.

    Range 0 to 1. The convention says how, and has no default: `cityscapes`.
    Undefined for a class without objects in the ground truth.
    Differs: COCO's interpolates the curve at 101 recalls and cuts to 100 predictions an image.
    Reference: Cordts et al., The Cityscapes dataset, CVPR 2016.

    >>> gt, pred = np.repeat([1, 2, 0], 100), np.repeat([1, 0, 2], 100)
    >>> ap(gt, pred, scores={1: 0.9, 2: 0.5}, convention="cityscapes")  # found one of two, and then one wrong
    0.5
    """
    return _known(convention, curves(o).mean(axis=-1))


@metric(overlap, per="class", resampled=False)
def ap50(o: Overlap, convention: str) -> Values:
    """Average precision of scored objects at IoU 0.5 alone; see `ap`.

    Range 0 to 1. The convention says how, and has no default: `cityscapes`.

    >>> gt, pred = np.repeat([1, 0], [200, 100]), np.repeat([1, 0], [150, 150])
    >>> ap50(gt, pred, scores={1: 0.9}, convention="cityscapes")  # an IoU of 150 / 200
    1.0
    """
    return _known(convention, curves(o)[..., 0])


def over_all(o: Overlap) -> Values:
    """(...) the mean over classes and thresholds at once, which is the reference's and not that of `ap` by class."""
    values = curves(o)[..., o.averaged, :]
    flat = values.reshape(*values.shape[:-2], -1)
    return ratio(np.where(np.isnan(flat), 0.0, flat).sum(axis=-1), (~np.isnan(flat)).sum(axis=-1))


def curves(o: Overlap) -> Values:
    """(..., K, 10) average precision by class and threshold."""
    known = cast("dict[Any, Values]", o.memo)
    if "cityscapes" not in known:
        each = [_curves(_image(o, i)) for i in range(o.images)] if o.weights is not None else []
        known["cityscapes"] = _curves(o) if o.weights is None else np.array(each).reshape(-1, o.classes.size, 10)
    return known["cityscapes"]


def _known(convention: str, values: Values) -> Values:
    if convention != "cityscapes":
        raise UsageError(f"convention must be cityscapes, not {convention!r}")
    return values


def _image(o: Overlap, i: int) -> Overlap:
    return replace(o, weights=None).restricted(o.gt_image == i, o.pred_image == i)


def _curves(o: Overlap) -> Values:
    size = o.pred_size + o.pred_void
    alike = o.gt_class[o.pair_gt] == o.pred_class[o.pair_pred]
    g, p, n = o.pair_gt[alike], o.pair_pred[alike], o.pair_pixels[alike]
    iou = n / (o.gt_size[g] + size[p] - n)
    group, small = o.gt_crowd > 0, o.gt_size < LEAST
    ignored = o.pred_void + counts(p, n * (group[g].astype(np.int64) + small[g]), size.size)
    wanted = ~group & ~small
    out = np.full((o.classes.size, THRESHOLDS.size), np.nan)
    for k, class_ in enumerate(o.classes.tolist()):
        objects, found = wanted & (o.gt_class == class_), o.pred_class == class_
        for t, threshold in enumerate(THRESHOLDS.tolist()):
            if objects.any() and found.any():
                hits = iou > threshold
                excused = counts(p[hits], np.ones(int(hits.sum()), np.int64), size.size) > 0
                wrong = found & ~excused & ~(ignored / size > threshold)
                at = hits & objects[g]
                out[k, t] = _area(o, g[at], p[at], np.flatnonzero(wrong), int(objects.sum()))
            elif objects.any():
                out[k, t] = 0.0
    return out


def _area(o: Overlap, g: Ints, p: Ints, wrong: Ints, objects: int) -> float:
    """The area under the curve: matches (object, prediction), wrong predictions, objects that are looked for."""
    order = np.lexsort((-o.pred_score[p], g))
    first = np.diff(g[order], prepend=-1) != 0
    right, late = p[order[first]], p[order[~first]]
    score = np.concatenate([o.pred_score[right], o.pred_score[late], o.pred_score[wrong]])
    truth = np.concatenate([np.ones(right.size), np.zeros(late.size + wrong.size)])
    return area_under(score, truth, objects - right.size)


def area_under(score: NDArray[np.float64], truth: NDArray[np.float64], missed: int) -> float:
    """The trapezoid sum of the reference, in its order of operations.

    >>> area_under(np.array([0.9, 0.5]), np.array([0.0, 1.0]), missed=0)
    0.25
    """
    order = np.argsort(score, kind="stable")
    _, start = np.unique(score[order], return_index=True)
    below = np.append(0.0, np.cumsum(truth[order]))[start]
    tp = truth.sum() - below
    fp = score.size - start - tp
    precision: NDArray[Any] = np.append(tp / (tp + fp), 1.0)
    recall = np.append(tp / (tp + below + missed), 0.0)
    widths = np.convolve(np.concatenate([recall[:1], recall, [0.0]]), [-0.5, 0.0, 0.5], "valid")
    return float(np.dot(precision, widths))
