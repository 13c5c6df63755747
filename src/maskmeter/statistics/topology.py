"""Topology: components, holes and cavities of each class's figure on both sides, and how skeletons cover one another.

Conventions
-----------
Pixels of the figure hang together by their corners (8 neighbours in a plane, 26 in a volume), those outside it by
their faces (4, 6). Beyond the array is background. The Betti numbers are b0, the components; b1, the holes (in a
volume: tunnels); b2, the cavities of a volume. The Euler number is b0 - b1 + b2.

Void pixels and those outside a mask belong to no figure. A volume of a single slice is a plane.

The skeleton is what homotopic thinning leaves (see `kernels.thin`): it has the Betti numbers of the figure, whatever
its width. Its pixels are counted, each as one.

Counts add up; so do the absolute differences of Betti and Euler numbers, which are taken image by image.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import MergeError, UsageError
from ..kernels import components, euler, thin, weighted_sums
from ..labels import LabelSet
from ..masks import label_map, pair
from ._codec import from_bytes, to_bytes
from .shape import Classes, Entries, Maps, Need
from .units import Units

Ints = NDArray[np.int64]

# The columns of `Topology.n`.
IMAGES, EULER_ERROR, SKELETON_GT, COVERED_GT, SKELETON_PRED, COVERED_PRED, SKELETONS = range(7)
BETTI_ERROR, BETTI_GT, BETTI_PRED = slice(7, 10), slice(10, 13), slice(13, 16)
COLUMNS = 16


@dataclass(frozen=True, eq=False)
class Topology:
    """Topology of the figures of K classes; leading axes "..." are images.

    classes   ids of the classes, ascending; 0 and 1 where `binary`, of which 1 is measured
    averaged  which take part in means over classes
    n         (..., K, 16) counts: images in which the class is on either side; the sums over them of the error of the
              Euler number; pixels of the skeleton of the ground truth, and of those in the prediction; the same of
              the prediction's; images whose skeletons were made; errors of b0, b1, b2; b0, b1, b2 of both sides

    All counts add up.
    """

    name: ClassVar[str] = "topology"

    classes: Ints
    averaged: NDArray[np.bool_]
    binary: bool
    n: NDArray[Any]

    def __add__(self, other: Topology) -> Topology:
        if self.binary != other.binary:
            raise MergeError("topology of a binary question and of classes do not add up")
        classes = np.union1d(self.classes, other.classes)
        a, b = self._over(classes), other._over(classes)
        return replace(a, averaged=a.averaged | b.averaged, n=a.n + b.n)

    def resampled(self, weights: NDArray[np.float64]) -> Topology:
        """The stack whose entry b adds up this one's entries i, each `weights[b, i]` times."""
        drawn = weighted_sums(weights, self.n.reshape(len(self.n), -1).astype(np.float64))
        return replace(self, n=drawn.reshape(len(weights), *self.n.shape[1:]))

    def _over(self, classes: Ints) -> Topology:
        at = np.searchsorted(classes, self.classes)
        n = np.zeros((*self.n.shape[:-2], classes.size, COLUMNS), self.n.dtype)
        averaged = np.zeros(classes.size, bool)
        n[..., at, :], averaged[at] = self.n, self.averaged
        return replace(self, classes=classes, averaged=averaged, n=n)

    # As a statistic of shapes

    @classmethod
    def measure(cls, maps: Maps, needs: Sequence[Need]) -> dict[int, bytes]:
        """The entry of every class that occurs on either side; skeletons where a need names them."""
        skeletons = any(name == "skeleton" for need in needs for name, _ in need)
        found: dict[int, bytes] = {}
        for k in maps.classes:
            gt, pred = maps.gt == k, maps.pred == k
            if maps.counted is not None:
                gt, pred = gt & maps.counted, pred & maps.counted
            if (n := _figure(gt, pred, skeletons)) is not None:
                found[k] = to_bytes({"n": n})
        return found

    @classmethod
    def stack(cls, images: Sequence[Entries], classes: Classes) -> Self:
        """The images one by one."""
        n = np.zeros((len(images), classes.ids.size, COLUMNS), np.int64)
        at = {k: i for i, k in enumerate(classes.ids.tolist())}
        for i, entries in enumerate(images):
            for k, entry in entries.items():
                n[i, at[k]] = from_bytes(entry)["n"]
        return cls(classes.ids, classes.averaged, classes.binary, n)

    @classmethod
    def pool(cls, blocks: Iterable[Sequence[Entries]], classes: Classes) -> Self:
        """All images together."""
        empty = cls.stack([], classes)
        return replace(empty, n=reduce(add, (cls.stack(b, classes).n.sum(axis=0) for b in blocks), empty.n.sum(axis=0)))

    @classmethod
    def sampler(cls, units: Units, pooled: Self, stacks: Iterable[Self]) -> Self:
        """The sums of each unit, as a stack."""
        n, seen = np.zeros((units.count, *pooled.n.shape), np.int64), 0
        for stack in stacks:
            n, seen = n + units.summed(stack.n, seen), seen + len(stack.n)
        return replace(pooled, n=n)


def topology(
    gt: Any,
    pred: Any,
    *,
    ignore: int | Iterable[int] | None = None,
    classes: Iterable[int] | LabelSet | None = None,
    mask: Any = None,
    needs: Sequence[Need] = ((("skeleton", True),),),
) -> Topology:
    """Measure a pair of masks.

    gt, pred  arrays of one shape with two or three axes, or `LabelMap`s; two boolean arrays make a binary question
    ignore    void labels: pixels whose ground truth is void belong to no figure
    classes   the labels that may occur; by default those that do
    mask      where given, only pixels where it is true belong to a figure
    needs     what metrics need: skeletons or not

    Raises LabelError for arrays that are not labels or differ in shape, UsageError for other numbers of axes.

    >>> t = topology(np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]]) == 1, np.eye(3) == 1)
    >>> t.n[1, BETTI_GT].tolist(), t.n[1, BETTI_PRED].tolist()
    ([1, 1, 0], [1, 0, 0])
    """
    g, p = label_map(gt, ignore=ignore, counted=mask), label_map(pred)
    pair(g, p)
    binary = g.binary and p.binary
    labels = classes if isinstance(classes, LabelSet) else None if classes is None else LabelSet.of_ids(classes)
    kept = ~np.isin(g.array, g.ignore) if g.ignore else None
    counted = kept if g.counted is None else g.counted if kept is None else kept & g.counted
    seen = np.union1d(
        g.array if counted is None else g.array[counted], p.array if counted is None else p.array[counted]
    )
    wanted = [1] if binary else list(labels.classes) if labels else np.setdiff1d(seen, g.ignore).tolist()
    entries = Topology.measure(Maps(g.array, p.array, tuple(wanted), counted), needs)
    ids = np.array([0, 1] if binary else wanted, np.int64)
    return Topology.pool([[entries]], Classes(ids, np.ones(ids.size, bool), binary))


def _figure(gt: NDArray[np.bool_], pred: NDArray[np.bool_], skeletons: bool) -> Ints | None:
    """What is counted of one class of one image; None where it is on neither side."""
    if gt.ndim == 3 and 1 in gt.shape:
        axis = gt.shape.index(1)
        gt, pred = gt.squeeze(axis), pred.squeeze(axis)
    if gt.ndim not in (2, 3):
        raise UsageError(f"topology is defined in two and three dimensions, not in {gt.ndim}")
    both = gt | pred
    if not both.any():
        return None
    place = tuple(_extent(both, axis) for axis in range(both.ndim))
    gt, pred = np.ascontiguousarray(gt[place]), np.ascontiguousarray(pred[place])
    n = np.zeros(COLUMNS, np.int64)
    n[IMAGES] = 1
    n[BETTI_GT], n[BETTI_PRED] = betti(gt), betti(pred)
    n[BETTI_ERROR] = np.abs(n[BETTI_PRED] - n[BETTI_GT])
    signs = np.array([1, -1, 1])
    n[EULER_ERROR] = abs(int(((n[BETTI_PRED] - n[BETTI_GT]) * signs).sum()))
    if skeletons:
        of_gt, of_pred = thin(gt), thin(pred)
        counts = (of_gt, of_gt & pred, of_pred, of_pred & gt)
        n[SKELETON_GT : COVERED_PRED + 1] = [np.count_nonzero(x) for x in counts]
        n[SKELETONS] = 1
    return n


def _extent(mask: NDArray[np.bool_], axis: int) -> slice:
    """From the first to the last place along an axis where the mask has pixels."""
    found = np.flatnonzero(mask.any(axis=tuple(k for k in range(mask.ndim) if k != axis)))
    return slice(int(found[0]), int(found[-1]) + 1)


def betti(mask: NDArray[np.bool_]) -> tuple[int, int, int]:
    """The Betti numbers of a figure in two or three dimensions.

    >>> betti(np.array([[1, 1, 1, 0, 1], [1, 0, 1, 0, 0], [1, 1, 1, 0, 0]]) == 1)
    (2, 1, 0)
    """
    if not mask.any():
        return 0, 0, 0
    b0 = int(components(mask, mask.ndim).max())
    chi = euler(mask, True)
    b2 = int(components(np.pad(~mask, 1, constant_values=True), 1).max()) - 1 if mask.ndim == 3 else 0
    return b0, b0 + b2 - chi, b2


__all__ = ["Topology", "betti", "topology"]
