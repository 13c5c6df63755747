"""Scores of several classes: one histogram for each, that class against the rest.

Conventions. The scores have an axis of classes more than the ground truth, or come as one map for each
class. Ground truth of labels says which one class a pixel has, and logits become scores by the softmax
over the classes; a boolean ground truth with the axis of classes says of each class whether the pixel has
it (multi-label), and logits become scores one by one, by the logistic function. Both are rounded to the
type of the logits. Probabilities are not asked to add up to 1.

A metric over classes is `macro` (the mean of the classes' values) or `micro` (all decisions in one
histogram), of metrics/curves.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import LabelError
from ..kernels import joint_counts
from ..masks import LabelMap, label_map, pair
from .score_maps import check_logits, counted_pixels, logistic, score_array
from .scores import LIMIT, Scores, count_scores


def class_scores(
    gt: Any,
    score: Any,
    *,
    classes: Iterable[int] | None = None,
    axis: int = 0,
    ignore: int | Iterable[int] | None = None,
    mask: Any = None,
    logits: bool = False,
    exact: bool = False,
) -> dict[int, Scores]:
    """Count the scores of each class.

    gt       labels, of which each pixel has one; or booleans with an axis of classes, for several labels a pixel
    score    an array with an axis of classes, or {class: map}
    classes  the labels along the axis; 0, 1, 2, ... where not given
    axis     which axis that is

    Raises LabelError for ground truth of none of the classes, unequal shapes, and scores outside [0, 1].

    >>> found = class_scores([0, 1, 1], np.array([[0.75, 0.5, 0.25], [0.25, 0.5, 0.75]]))
    >>> found[1].thresholds.tolist(), found[1].pos.tolist()
    ([0.25, 0.5, 0.75], [0, 1, 1])
    """
    ids, maps = _maps(score, classes, axis)
    limit = None if exact else LIMIT
    truth = label_map(gt)
    if truth.binary and truth.array.ndim == maps.ndim:
        return _multi_label(ids, maps, np.moveaxis(truth.array, axis, 0), mask, logits, limit)
    g = label_map(gt, ignore=ignore, counted=mask)
    pair(g, LabelMap(maps[0]))
    labels = g.array.astype(np.uint8) if g.binary else g.array
    counted = counted_pixels(g)
    if strange := set(joint_counts(labels, labels, counted)[0].tolist()) - set(ids):
        raise LabelError(
            f"label {min(strange)} in the ground truth has no scores (those are of {', '.join(map(str, ids))}); "
            "name it with --ignore if it is void"
        )
    if logits:
        maps = softmax(maps, counted)
    return {k: count_scores(labels == k, _whole(x), counted, limit) for k, x in zip(ids, maps, strict=True)}


def softmax(logits: NDArray[Any], counted: NDArray[np.bool_] | None) -> NDArray[Any]:
    """The scores of logits (classes, ...): exp(x) / sum of exp(x) over classes, in their own type."""
    check_logits(logits, None if counted is None else np.broadcast_to(counted, logits.shape))
    out = np.empty(logits.shape, logits.dtype.newbyteorder("="))
    source, target, block = logits.reshape(len(logits), -1), out.reshape(len(logits), -1), 1 << 14
    with np.errstate(invalid="ignore", over="ignore"):
        for at in range(0, source.shape[1], block):
            x = source[:, at : at + block].astype(np.float64)
            x = np.exp(x - x.max(axis=0))
            target[:, at : at + block] = x / x.sum(axis=0)
    return out


def _maps(score: Any, classes: Iterable[int] | None, axis: int) -> tuple[list[int], NDArray[Any]]:
    """The classes and their maps, (classes, ...)."""
    if isinstance(score, Mapping):
        named = cast("Mapping[int, Any]", score)
        given = {int(k): score_array(x) for k, x in named.items()}
        shapes = {x.shape for x in given.values()}
        types = {x.dtype for x in given.values()}
        if len(shapes) != 1 or len(types) != 1:
            raise LabelError("the maps of the classes differ in shape or type, or there are none")
        return sorted(given), np.stack([given[k] for k in sorted(given)])
    array = score_array(score)
    if array.ndim == 0 or not -array.ndim <= axis < array.ndim:
        raise LabelError(f"scores of shape {array.shape} have no axis {axis} of classes")
    array = np.moveaxis(array, axis, 0)
    ids = list(range(len(array))) if classes is None else [int(c) for c in classes]
    if len(ids) != len(array) or not ids:
        raise LabelError(f"{len(ids)} classes and {len(array)} maps along axis {axis} of the scores")
    return ids, array


def _multi_label(
    ids: list[int], maps: NDArray[Any], truth: NDArray[np.bool_], mask: Any, logits: bool, limit: int | None
) -> dict[int, Scores]:
    pair(LabelMap(truth), LabelMap(maps))
    counted = label_map(truth[0], counted=mask).counted
    out: dict[int, Scores] = {}
    for k, positive, x in zip(ids, truth, maps, strict=True):
        scores = _whole(x)
        out[k] = count_scores(_whole(positive), logistic(scores, counted) if logits else scores, counted, limit)
    return out


def _whole(x: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(x)
