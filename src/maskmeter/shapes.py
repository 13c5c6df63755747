"""Shapes: statistics of the figure that each class forms, counted only where a metric asks for them.

The table of label pairs that is stored of every image knows how many pixels share two labels, and nothing of
where they lie. What depends on that (components, skeletons, boundaries) has to be measured while the pixels are
there, and then the task may not be known yet: with `--task auto` all images together decide it.

So an image is looked at under every *view* that may turn out to be right:
  labels   every label, or class of the label file, is a class
  binary   the positive labels are class 1
  scores   what reaches the threshold is class 1 of the prediction
One figure that occurs in several views is measured once. What is kept of an image is, for each view, one entry
of bytes by class; the facts of the whole data set say which view is read.

A statistic of shapes is a class with `measure`, `stack`, `pool` and `sampler`, as `statistics.shape` says, and one
line in SHAPES. Void pixels and those outside the mask are not in `Maps.counted`; what that means for a figure is
the statistic's own convention.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from .errors import UsageError
from .masks import LabelMap
from .statistics.confusion import MAX_CLASSES, VOID, Reading
from .statistics.measured import BandsOfMany, Surfaces
from .statistics.shape import Entries, Maps, Need, Needs, Shape
from .statistics.topology import Topology
from .tasks import FEW

_KINDS: tuple[Any, ...] = (BandsOfMany, Surfaces, Topology)
SHAPES: dict[str, type[Shape]] = {kind.name: kind for kind in _KINDS}

_ENCODER, _DECODER = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(dict[str, dict[int, bytes]])


class View(NamedTuple):
    """One way to read two files as classes.

    classes   what is measured; empty for all that occur
    gt, pred  from the labels that occur to the class of each, `VOID` for none
    most      with more classes than these the view cannot be right, and nothing is measured
    """

    classes: tuple[int, ...]
    gt: Callable[[NDArray[Any]], NDArray[np.int64]]
    pred: Callable[[NDArray[Any]], NDArray[np.int64]]
    most: int = MAX_CLASSES


def count_shapes(
    gt: LabelMap, pred: LabelMap | None, labels: Sequence[NDArray[np.int64]], views: Mapping[str, View], needs: Needs
) -> dict[str, bytes]:
    """Each statistic that is asked for, as bytes.

    labels  those that occur in the ground truth and in the prediction, where they count
    views   the ways in which the labels may turn out to be read; void ones have no class in any
    """
    return {name: _ENCODER.encode(_viewed(SHAPES[name], gt, pred, labels, views, need)) for name, need in needs.items()}


def joined(a: Mapping[str, bytes], b: Mapping[str, bytes]) -> dict[str, bytes]:
    """The views of both, of one image that was counted in two ways."""
    both = {name: _DECODER.decode(a[name]) | _DECODER.decode(b[name]) for name in a.keys() & b.keys()}
    return {**a, **b, **{name: _ENCODER.encode(both[name]) for name in sorted(both)}}


def view_of(blob: bytes, view: str) -> Entries:
    """The entries of one image under a view. Raises UsageError where it was not counted under it."""
    found = _DECODER.decode(blob).get(view)
    if found is None:
        raise UsageError(f"the images were not counted for this reading ({view}); pass --task with the task")
    return found


def views(
    reading: Reading, task: str, gt: NDArray[np.int64], scored: float | None, foreground: frozenset[int]
) -> dict[str, View]:
    """The views that an image may turn out to need.

    gt          the labels of its ground truth
    scored      where the prediction may be a map of integer scores: the least that counts as foreground
    foreground  the labels that are positive where nobody says which
    """
    out: dict[str, View] = {}
    binary = Reading(reading.labels, reading.ignore, reading.positive or foreground)
    two_valued = task == "binary" or (task == "auto" and set(gt.tolist()) - set(reading.ignore) <= foreground | {0})
    if two_valued:
        out["binary"] = View((1,), binary.class_of, binary.class_of)
        if scored is not None:
            out["scores"] = View((1,), binary.class_of, partial(_reaching, scored))
    if task != "binary":
        plain = Reading(reading.labels, reading.ignore)
        few = FEW if task == "auto" and reading.labels is None else MAX_CLASSES
        out["labels"] = View((), plain.class_of, plain.class_of, few)
    return out


def _reaching(least: float, scores: NDArray[Any]) -> NDArray[np.int64]:
    """Class 1 for the scores from `least` on."""
    return np.where(scores == VOID, VOID, scores >= least).astype(np.int64)


def _viewed(
    kind: type[Shape], gt: LabelMap, pred: LabelMap | None, labels: Sequence[NDArray[np.int64]],
    views: Mapping[str, View], needs: Sequence[Need],
) -> dict[str, dict[int, bytes]]:  # fmt: skip
    """The entries of each view. A figure is known by the labels that make it up, and measured once."""
    done: dict[tuple[frozenset[int], frozenset[int]], bytes | None] = {}
    out: dict[str, dict[int, bytes]] = {}
    for name, view in views.items():
        sides = [_members(view_side(seen), seen) for view_side, seen in zip((view.gt, view.pred), labels, strict=True)]
        classes = view.classes or tuple(sorted({*sides[0], *sides[1]}))
        if len(classes) > view.most:  # an image of scores or ids, under the wrong view
            continue
        figure = {k: (sides[0].get(k, frozenset()), sides[1].get(k, frozenset())) for k in classes}
        left = tuple(k for k in classes if figure[k] not in done and any(figure[k]))
        if left:
            of_gt = _as_classes(gt.array, labels[0], view.gt(labels[0]))
            nothing = np.broadcast_to(VOID, gt.array.shape)
            of_pred = nothing
            if pred is not None:
                of_pred = _as_classes(pred.array, labels[1], view.pred(labels[1]))
            maps = Maps(of_gt, of_pred, left, gt.counted, gt.spacing or (pred.spacing if pred else None))
            found = kind.measure(maps, needs)
            done |= {figure[k]: found.get(k) for k in left}
        out[name] = {k: entry for k in classes if (entry := done.get(figure[k])) is not None}
    return out


def _members(classes: NDArray[np.int64], labels: NDArray[np.int64]) -> dict[int, frozenset[int]]:
    """The labels of each class."""
    return {k: frozenset(labels[classes == k].tolist()) for k in np.unique(classes).tolist() if k != VOID}


def _as_classes(array: NDArray[Any], labels: NDArray[np.int64], classes: NDArray[np.int64]) -> NDArray[Any]:
    """The map of classes; the map of labels itself where every label is its own class."""
    if np.array_equal(labels, classes):
        return array
    order = np.argsort(labels)
    at = np.searchsorted(labels[order], array.ravel()).clip(0, labels.size - 1) if labels.size else None
    if at is None:
        return np.full(array.shape, VOID)
    found = labels[order][at] == array.ravel()  # labels that occur only where nothing counts are not among them
    return np.where(found, classes[order][at], VOID).reshape(array.shape)
