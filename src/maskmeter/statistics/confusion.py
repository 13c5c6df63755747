"""Pixel counts: how often each class was taken for each. All that the region metrics need to know.

Conventions. Rows are ground truth, columns are predictions.
- A pixel whose ground truth is void, or that lies outside the counted region, is left out of every
  count; `ignored` says how many these were.
- A void label in the *prediction* on a valid pixel is an error of the prediction: it is a false
  negative of the true class and no class's false positive (so count Cityscapes and mmsegmentation).
- Two boolean masks are *binary*: class 1 is the foreground, and per-class metrics are its value.

Merging: counts add, class by class; both sides must be binary or both not. Counts are 64-bit
integers, so the sum is exact in any order.

A `Confusion` may also be a *stack*: with leading axes, one entry per image or per resample, on which
the metrics work as one array operation. A stack keeps the margins (`tp`, `gt`, `pred`) alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import LabelError, MergeError
from ..kernels import joint_counts, weighted_sums
from ..labels import LabelSet
from ..masks import LabelMap, Spacing, label_map, pair
from ..tensors import count_there
from ._codec import concatenated, from_bytes, to_bytes

Ints = NDArray[np.int64]

MAX_CLASSES = 1024  # a label map with more different labels holds instances, not classes
TOGETHER = 256  # images whose counts are read at a time
VOID = np.int64(-(2**63))  # stands in raw counts for "no label": the prediction of an image that has none


@dataclass(frozen=True, eq=False)
class Confusion:
    """Pixels by class, of one pair, of many added up, or of a stack of them (leading axes "...").

    classes   (K,) ids, ascending
    tp        (..., K) pixels of class k that were predicted as k
    gt        (..., K) pixels of class k in the ground truth
    pred      (..., K) valid pixels that were predicted as k
    ignored   (...) pixels left out
    averaged  (K,) whether the class takes part in means over classes
    binary    classes are 0 and 1, and per-class metrics mean class 1
    counts    (K, K) the whole matrix, row ground truth, column prediction; None for a stack
    """

    name: ClassVar[str] = "confusion"

    classes: Ints
    tp: Ints
    gt: Ints
    pred: Ints
    ignored: Ints
    averaged: NDArray[np.bool_]
    binary: bool = False
    counts: Ints | None = None

    @property
    def fp(self) -> Ints:
        """(..., K) pixels of other classes that were predicted as k."""
        return self.pred - self.tp

    @property
    def fn(self) -> Ints:
        """(..., K) pixels of class k that were predicted as something else, or as void."""
        return self.gt - self.tp

    @property
    def pixels(self) -> Ints:
        """(...) all pixels counted."""
        return self.gt.sum(axis=-1)

    @property
    def unassigned(self) -> Ints:
        """(...) counted pixels that were given no class."""
        return self.pixels - self.pred.sum(axis=-1)

    def __add__(self, other: Confusion) -> Confusion:
        if self.binary != other.binary:
            raise MergeError("binary masks do not add to label maps; give both as booleans or both as integers")
        classes = np.union1d(self.classes, other.classes)
        a, b = self._over(classes), other._over(classes)
        shared = np.isin(classes, self.classes) & np.isin(classes, other.classes)
        if (differs := shared & (a.averaged != b.averaged)).any():
            raise MergeError(f"class {classes[differs][0]} is in the means of one side and not of the other")
        counts = a.counts + b.counts if a.counts is not None and b.counts is not None else None
        return Confusion(
            classes, a.tp + b.tp, a.gt + b.gt, a.pred + b.pred, a.ignored + b.ignored,
            np.where(np.isin(classes, self.classes), a.averaged, b.averaged), self.binary, counts,
        )  # fmt: skip

    def sum(self) -> Confusion:
        """A stack added up over its first axis."""
        tp, gt, pred, ignored = (x.sum(axis=0) for x in (self.tp, self.gt, self.pred, self.ignored))
        return replace(self, tp=tp, gt=gt, pred=pred, ignored=ignored, counts=None)

    def resampled(self, weights: NDArray[np.float64]) -> Confusion:
        """The stack whose entry b adds up this one's entries i, each `weights[b, i]` times.

        Counts stay exact: they are added as float64, which holds integers up to 2**53.
        """
        k = self.classes.size
        margins = np.concatenate([self.tp, self.gt, self.pred, self.ignored[:, None]], axis=1)
        drawn = weighted_sums(weights, margins)
        tp, gt, pred, ignored = np.split(drawn, [k, 2 * k, 3 * k], axis=1)
        return replace(self, tp=tp, gt=gt, pred=pred, ignored=ignored[:, 0], counts=None)

    def _over(self, classes: Ints) -> Confusion:
        """The same counts with room for more classes."""
        if np.array_equal(classes, self.classes):
            return self
        at = np.searchsorted(classes, self.classes)

        def spread(x: NDArray[Any]) -> NDArray[Any]:
            out = np.zeros((*x.shape[:-1], classes.size), x.dtype)
            out[..., at] = x
            return out

        counts = None
        if self.counts is not None:
            counts = np.zeros((classes.size, classes.size), np.int64)
            counts[np.ix_(at, at)] = self.counts
        return replace(
            self, classes=classes, tp=spread(self.tp), gt=spread(self.gt), pred=spread(self.pred),
            averaged=spread(self.averaged), counts=counts,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class LabelCounts:
    """Pixels of every pair of labels as they stand in two files, before anyone says what they mean.

    a, b, n   label in the ground truth, label in the prediction (`VOID` for none), pixels; ascending
    left_out  pixels outside the counted region
    depth     bits of a label in the prediction: 1 for booleans, 8, 16, ...; 0 where there is no prediction

    This is what is stored for each image. `read` makes a `Confusion` of many at once (`LabelTable`).
    """

    name: ClassVar[str] = "labels"

    a: Ints
    b: Ints
    n: Ints
    left_out: int = 0
    depth: int = 0

    def to_bytes(self) -> bytes:
        return to_bytes({"a": self.a, "b": self.b, "n": self.n, "facts": np.array([self.left_out, self.depth])})

    @classmethod
    def from_bytes(cls, data: bytes) -> LabelCounts:
        x = from_bytes(data)
        return cls(x["a"], x["b"], x["n"], *x["facts"].tolist())

    @property
    def table(self) -> LabelTable:
        """A table of this image alone."""
        one = (np.array([x], np.int64) for x in (self.n.size, self.left_out, self.depth))
        return LabelTable(self.a, self.b, self.n, *one)


@dataclass(frozen=True, eq=False)
class LabelTable:
    """The label counts of many images, one after the other.

    a, b, n   as in `LabelCounts`, those of the first image first
    sizes     how many of them each image has
    left_out, depth  of each image
    """

    a: Ints
    b: Ints
    n: Ints
    sizes: Ints
    left_out: Ints
    depth: Ints

    @classmethod
    def of(cls, blobs: Sequence[bytes]) -> LabelTable:
        """That of stored counts."""
        if not blobs:
            return cls(*(np.empty(0, np.int64) for _ in range(6)))
        x = concatenated(blobs)
        left_out, depth = x["facts"][0].reshape(-1, 2).T
        return cls(x["a"][0], x["b"][0], *x["n"], left_out, depth)

    @classmethod
    def some_of(cls, blobs: Sequence[bytes]) -> Iterator[LabelTable]:
        """That of so many images at a time that it fits into a cache; one of none where there are none."""
        return (cls.of(blobs[start : start + TOGETHER]) for start in range(0, max(1, len(blobs)), TOGETHER))

    @property
    def image(self) -> Ints:
        """The image of each row."""
        return np.repeat(np.arange(self.sizes.size), self.sizes)

    def labels(self, side: Literal["a", "b"]) -> tuple[Ints, Ints]:
        """The different labels of one side, image by image and ascending, and how many there are in each."""
        image, label = self.image, getattr(self, side)
        order = np.lexsort((label, image))
        image, label = image[order], label[order]
        first = np.ones(label.size, bool)
        first[1:] = (np.diff(image) != 0) | (label[1:] != label[:-1])
        return label[first], np.bincount(image[first], minlength=self.sizes.size)


@dataclass(frozen=True)
class Reading:
    """What labels in files mean: their classes, the void ones among them, and whether it is a binary question.

    labels    the labels that may occur; None: every label is a class of its own
    ignore    void labels, by id; with `labels` they need not be in it
    positive  the labels that are foreground; None unless the question is binary
    least     where predictions are scores: the least that counts as foreground, as it stands in the file
    """

    labels: LabelSet | None = None
    ignore: tuple[int, ...] = ()
    positive: frozenset[int] | None = None
    least: int | None = None

    def __post_init__(self) -> None:
        if self.labels is not None:
            object.__setattr__(self, "labels", self.labels.ignoring(self.ignore))

    def check(self, seen: Ints, side: str) -> None:
        """Raise LabelError for labels that must not occur on one side ("ground truth" or "prediction")."""
        if self.labels is None and (not seen.size or np.minimum.reduce(seen) >= 0):
            return
        if self.labels is None:
            suspect, known = seen[(seen < 0) & (seen != VOID)], set(self.ignore)
        else:
            suspect, known = seen, self.labels.id_of_source.keys() | {int(VOID)}
        strange = sorted(set(suspect.tolist()) - known) if suspect.size else ()
        if strange:
            more = f" and {len(strange) - 1} more" if len(strange) > 1 else ""
            what = "negative" if self.labels is None else "outside the declared classes"
            raise LabelError(
                f"label {strange[0]}{more} in the {side} is {what}; "
                "name it with --ignore if it is void, or declare it with --labels or --classes"
            )

    def classes(self, seen: Iterable[int]) -> list[int]:
        """The classes that are counted, given the labels that occur anywhere."""
        if self.positive is not None:
            return [0, 1]
        if self.labels is not None:
            return list(self.labels.classes)
        return sorted(set(seen) - set(self.ignore) - {int(VOID)})

    def class_of(self, values: Ints) -> Ints:
        """The class of each label, and VOID where it has none."""
        if self.labels is None:
            out = np.where(np.isin(values, self.ignore), VOID, values)
        else:
            known = {s: x.id for x in self.labels if not x.ignore for s in x.sources}
            out = np.array([known.get(v, int(VOID)) for v in values.tolist()], np.int64)
        if self.positive is not None:
            # The prediction of an image that has none is an empty mask here: background, not void.
            return np.where((out == VOID) & (values != VOID), VOID, np.isin(values, list(self.positive)))
        return out

    def predicted_class_of(self, values: Ints) -> Ints:
        """The class of each label of a prediction, and VOID where it has none."""
        return self.class_of(values) if self.least is None else (values >= self.least).astype(np.int64)

    def averaged(self, classes: Ints) -> NDArray[np.bool_]:
        """Which of the classes take part in means over classes."""
        if self.labels is None or self.positive is not None:
            return np.ones(classes.shape, bool)
        return np.array([self.labels.by_id[c].average for c in classes.tolist()], bool)


def read(table: LabelTable, reading: Reading, seen: Iterable[int] = (), whole: bool = False) -> Confusion:
    """The stack of the images' counts under a reading; with `whole`, their sum with its full matrix.

    `seen` are the labels that occur in the data set, where that is more than these images.
    """
    a, b, n, image, images = table.a, table.b, table.n, table.image, table.sizes.size
    (in_gt, at_a), (in_pred, at_b) = (np.unique(x, return_inverse=True) for x in (a, b))
    classes = np.array(reading.classes([*in_gt.tolist(), *in_pred.tolist(), *seen]), np.int64)
    if classes.size > MAX_CLASSES:
        raise LabelError(
            f"{classes.size} different labels are more than {MAX_CLASSES} classes; "
            "if they are ids of objects, pass --task instance"
        )
    row, column = reading.class_of(in_gt)[at_a], reading.predicted_class_of(in_pred)[at_b]
    valid = row != VOID
    ignored = _counts(image[~valid], n[~valid], images) + table.left_out
    image, row, column, n = image[valid], np.searchsorted(classes, row[valid]), column[valid], n[valid]
    assigned = column != VOID
    column = np.where(assigned, np.searchsorted(classes, column), -1)
    averaged, binary, k = reading.averaged(classes), reading.positive is not None, classes.size
    if whole:
        counts = _counts((row * k + column)[assigned], n[assigned], k * k).reshape(k, k)
        lost = _counts(row[~assigned], n[~assigned], k)
        return Confusion(
            classes, np.diag(counts).copy(), counts.sum(axis=1) + lost, counts.sum(axis=0), ignored.sum(), averaged,
            binary, counts,
        )  # fmt: skip
    cells, shape = images * k, (images, k)
    hit = assigned & (row == column)
    return Confusion(
        classes,
        _counts((image * k + row)[hit], n[hit], cells).reshape(shape),
        _counts(image * k + row, n, cells).reshape(shape),
        _counts((image * k + column)[assigned], n[assigned], cells).reshape(shape),
        ignored, averaged, binary,
    )  # fmt: skip


def beside(stacks: Sequence[Confusion]) -> Confusion:
    """Stacks of the same classes as one, one after the other."""
    joined = {f: np.concatenate([getattr(s, f) for s in stacks]) for f in ("tp", "gt", "pred", "ignored")}
    return stacks[0] if len(stacks) == 1 else replace(stacks[0], **joined)


def confusion(
    gt: Any,
    pred: Any,
    *,
    ignore: int | Iterable[int] | None = None,
    classes: Iterable[int] | LabelSet | None = None,
    mask: Any = None,
) -> Confusion:
    """Count a pair of masks.

    gt, pred  arrays of one shape, or `LabelMap`s; two boolean arrays make a binary confusion
    ignore    void labels: pixels whose ground truth is void are not counted
    classes   the labels that may occur, void ones aside; any other label is an error
    mask      where given, only pixels where it is true are counted

    Raises LabelError for arrays that are not labels, differ in shape, or hold labels that may not occur.

    >>> c = confusion([[0, 1], [1, 1]], [[0, 1], [0, 1]])
    >>> c.counts.tolist()
    [[1, 0], [1, 2]]
    """
    g, p, counts = counted(gt, pred, mask, ignore=ignore)
    labels = classes if isinstance(classes, LabelSet) else LabelSet.of_ids(classes) if classes is not None else g.labels
    binary = g.binary and p.binary
    reading = Reading(labels, g.ignore, frozenset({1}) if binary else None)
    if not binary:
        check_mixed(g, p, counts, labels)
        reading.check(counts.a, "ground truth")
        reading.check(counts.b, "prediction")
    return read(counts.table, reading, whole=True)


def check_mixed(gt: LabelMap, pred: LabelMap, counts: LabelCounts, labels: LabelSet | None) -> None:
    """Raise LabelError for a boolean side beside integers that are neither 0 nor 1, unless the labels are declared."""
    if gt.binary == pred.binary or labels is not None:
        return
    boolean, whole = ("ground truth", "prediction") if gt.binary else ("prediction", "ground truth")
    odd = set((counts.b if gt.binary else counts.a).tolist()) - {0, 1, *gt.ignore}
    if odd:
        shown = ", ".join(map(str, sorted(odd)[:5])) + (", ..." if len(odd) > 5 else "")
        raise LabelError(
            f"the {boolean} is boolean and the {whole} holds {shown}; give booleans on both sides "
            f"(`{whole.split()[-1]} > 0`, or above a threshold), or scores to roc_auc"
        )


def counted(
    gt: Any,
    pred: Any,
    mask: Any = None,
    *,
    ignore: int | Iterable[int] | None = None,
    spacing: Spacing | None = None,
    here: bool = False,
) -> tuple[LabelMap, LabelMap, LabelCounts]:
    """Two label maps and how often each pair of labels occurs.

    Tensors of an accelerator are counted there (see `tensors`): their maps have no pixels. `here` wants them copied.
    """
    there = None if here else count_there(gt, pred, mask)
    if there is not None:
        (gt, pred), mask = there.outlines, None
    g, p = label_map(gt, ignore=ignore, counted=mask, spacing=spacing), label_map(pred, spacing=spacing)
    pair(g, p)
    if there is None:
        return g, p, count_labels(g.array, p.array, g.counted)
    return g, p, LabelCounts(*there[:4], _depth(p.array))


def count_labels(gt: NDArray[Any], pred: NDArray[Any], counted: NDArray[np.bool_] | None = None) -> LabelCounts:
    """Count the pairs of labels of two arrays of one shape."""
    a, b, n = joint_counts(gt, pred, counted)
    left_out = 0 if counted is None else int(counted.size - np.count_nonzero(counted))
    return LabelCounts(a, b, n, left_out, _depth(pred))


def _depth(array: NDArray[Any]) -> int:
    """Bits of a label."""
    return 1 if array.dtype == np.bool_ else 8 * array.dtype.itemsize


def _counts(at: Ints, n: Ints, size: int) -> Ints:
    """How much of `n` falls into each of `size` cells, in integers (np.bincount would add in float64)."""
    out = np.zeros(size, np.int64)
    np.add.at(out, at, n)
    return out
