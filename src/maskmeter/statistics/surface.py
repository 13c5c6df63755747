"""Surfaces: how far the boundary of each class lies from its boundary in the other map.

Conventions. For every class both masks are turned into surface elements with weights, and from each element the
distance to the nearest point of the other surface is taken, in the unit of the spacing. What stands for a surface
is the *model*:

mesh     marching squares or cubes, vertices placed by the smoothed signed distance, every voxel on its own side;
         weight: length or area (default)
faces    the faces of voxels, as two triangles each (in 2D edges); weight: area or length
corners  corners of voxels whose 2 x 2 (x 2) cell is mixed; weight: the length or area of the mesh in the cell
shared   the same corners; weight: a half (3D: a quarter) of each face beside them
inner    centres of the mask's voxels that have a face neighbour outside; each counts one
thick    centres of those that have any neighbour outside, edges and corners too; the end of the image is no border
whole    centres of all voxels of the mask

Arrays have two or three axes, a volume of one slice is a plane, and a volume needs a spacing. A mask that the
image cuts off ends there; with `edge="open"` elements on the end of the image are left out.

Pixels that are void in the ground truth, or not counted, belong to no mask on either side.

Where one of the masks is empty the distances from the other are infinite. They are kept apart, with the diagonal of
their image, which stands for infinity where images are pooled (`finite`).

Merging: elements of equal distance and weight are counted, class by class, and counts add, in the order of (distance,
weight), so that neither the order of images nor how they were sharded moves a bit.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import LabelError, MergeError, UsageError
from ..kernels import MODELS, Found, label_boxes, plain, surface_distances
from ..masks import LabelMap, label_map, pair

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Spacing = tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Directed:
    """The distances from the elements of one surface to the other surface: a row for each distinct pair.

    distance  ascending; infinite ones are not among them
    unit      the weight of one element
    count     how many elements there are of this distance and weight
    farthest  the greatest distance, over the vertices of triangles as well
    edge      the weight of the elements on the end of the image
    missed    rows (diagonal of the image, weight) of surfaces whose other side is empty
    """

    distance: Floats
    unit: Floats
    count: Ints
    farthest: float = 0.0
    edge: float = 0.0
    missed: Floats = field(default_factory=lambda: np.empty((0, 2)))

    @cached_property
    def weight(self) -> Floats:
        """The weight of each row."""
        return self.unit * self.count

    @property
    def total(self) -> float:
        """The weight of all elements."""
        return float(self.weight.sum()) + float(self.missed[:, 1].sum())

    def __add__(self, other: Directed) -> Directed:
        return together([self, other])

    def finite(self) -> Directed:
        """The same with the diagonals for the infinite distances."""
        if not len(self.missed):
            return self
        missed = Directed(self.missed[:, 0], self.missed[:, 1], np.ones(len(self.missed), np.int64))
        return replace(
            together([replace(self, missed=missed.missed), missed]),
            farthest=max(self.farthest, float(self.missed[:, 0].max())),
        )


def together(parts: Sequence[Directed]) -> Directed:
    """The distances of all parts; their order moves no bit."""
    if len(parts) < 2:
        return parts[0] if parts else NONE
    distance, unit, count = (np.concatenate([getattr(d, x) for d in parts]) for x in ("distance", "unit", "count"))
    order = np.lexsort((unit, distance))
    distance, unit, count = distance[order], unit[order], count[order]
    first = np.flatnonzero(np.append(True, (np.diff(distance) != 0) | (np.diff(unit) != 0))[: distance.size])
    missed = np.concatenate([d.missed for d in parts])
    return Directed(
        distance[first], unit[first], np.add.reduceat(count, first) if first.size else count,
        max(d.farthest for d in parts), math.fsum(d.edge for d in parts),
        missed[np.lexsort((missed[:, 1], missed[:, 0]))],
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Surface:
    """The distances between the surfaces of each class, of one pair of maps or of many.

    classes   (K,) ids, ascending
    gt, pred  for each class the distances from the surface of that side
    diagonal  the greatest diagonal among the images
    model     what stands for a surface
    open      elements on the end of the image are left out
    binary    two masks: the only class is 1
    """

    name: ClassVar[str] = "surface"

    classes: Ints
    gt: tuple[Directed, ...]
    pred: tuple[Directed, ...]
    diagonal: float
    model: str = "mesh"
    open: bool = False
    binary: bool = False

    def __add__(self, other: Surface) -> Surface:
        for what in ("model", "open", "binary"):
            if getattr(self, what) != getattr(other, what):
                raise MergeError(f"{what} is {getattr(self, what)} here and {getattr(other, what)} there")
        classes = np.union1d(self.classes, other.classes)
        sides = [tuple(_of(self, side, k) + _of(other, side, k) for k in classes.tolist()) for side in ("gt", "pred")]
        return replace(self, classes=classes, gt=sides[0], pred=sides[1], diagonal=max(self.diagonal, other.diagonal))

    def finite(self) -> Surface:
        """The same with the diagonals of the images for the infinite distances."""
        return replace(self, gt=tuple(d.finite() for d in self.gt), pred=tuple(d.finite() for d in self.pred))

    @property
    def infinite(self) -> list[int]:
        """For each class the number of images where one side alone is empty."""
        return [len(g.missed) + len(p.missed) for g, p in zip(self.gt, self.pred, strict=True)]


NONE = Directed(np.empty(0), np.empty(0), np.empty(0, np.int64))


def surface(
    gt: Any,
    pred: Any,
    *,
    spacing: Iterable[float] | float | None = None,
    edge: str = "closed",
    model: str = "mesh",
    ignore: int | Iterable[int] | None = None,
    mask: Any = None,
    only: frozenset[int] | None = None,
) -> Surface:
    """Measure the distances between the surfaces of two maps, class by class.

    gt, pred  arrays of one shape with two or three axes, or `LabelMap`s; two boolean arrays are one mask each
    spacing   the distance of neighbouring voxels along each axis of the array; a volume must have one
    edge      "closed": a mask ends with the image; "open": elements on the end of the image are left out
    model     what stands for a surface, see above
    ignore    void labels
    mask      where given, only pixels where it is true are counted
    only      where given, the classes to measure

    Raises LabelError for arrays that cannot be compared, UsageError where a volume has no spacing.

    >>> s = surface(np.eye(3, dtype=bool), np.eye(3, dtype=bool), model="inner")
    >>> s.gt[0].distance.tolist(), s.gt[0].count.tolist(), s.gt[0].total
    ([0.0], [3], 3.0)
    """
    if model not in MODELS:
        raise UsageError(f"no surface model is called {model!r}; there are {', '.join(MODELS)}")
    if edge not in ("closed", "open"):
        raise UsageError(f'edge is "closed" or "open", not {edge!r}')
    g, p = label_map(gt, ignore=ignore, counted=mask), label_map(pred)
    v = volumes(g, p, spacing)
    boxes = union_boxes(v, only)
    diagonal = math.hypot(*(n * step for n, step in v.sides))

    def one(item: tuple[int, tuple[int, ...]]) -> tuple[Found, Found]:
        label, box = item
        return surface_distances(v.gt, v.pred, label, box, v.spacing, flat=v.flat, open_=edge == "open", model=model)

    found = by_label(one, boxes)
    sides = [tuple(_directed(both[k], both[1 - k], diagonal) for both in found) for k in (0, 1)]
    classes = np.array([label for label, _ in boxes], np.int64)
    if v.binary and not boxes:
        classes, sides = np.array([1]), [(NONE,), (NONE,)]
    return Surface(classes, sides[0], sides[1], diagonal, model, edge == "open", v.binary)


class Volumes(NamedTuple):
    """Two maps as the kernels take them.

    gt, pred  three axes; where nothing counts both hold a label of `none`
    spacing   along each axis
    flat      a plane, the first axis has no extent
    binary    two masks
    none      labels that are no class
    """

    gt: NDArray[Any]
    pred: NDArray[Any]
    spacing: tuple[float, float, float]
    flat: bool
    binary: bool
    none: tuple[int, ...]

    @property
    def sides(self) -> list[tuple[int, float]]:
        """Voxels and spacing along each axis that has an extent."""
        return list(zip(self.gt.shape, self.spacing, strict=True))[self.flat :]


def volumes(g: LabelMap, p: LabelMap, spacing: Iterable[float] | float | None) -> Volumes:
    """Both maps with three axes, nothing where the ground truth does not count."""
    pair(g, p)
    array, other, ndim = g.array, p.array, g.array.ndim
    if ndim not in (2, 3):
        raise LabelError(f"shape {array.shape} has {ndim} axes; surfaces need two or three")
    given = _steps(g.spacing or p.spacing if spacing is None else spacing, ndim)
    if given is None:
        if ndim == 3 and 1 not in array.shape:
            raise UsageError("a volume needs a spacing, as in spacing=(2.5, 0.8, 0.8) in the order of its axes")
        given = (1.0,) * ndim
    binary = g.binary and p.binary
    none = (0,) if binary else g.ignore
    void = np.isin(array, g.ignore) if g.ignore else np.zeros(0, bool)
    left = void if g.counted is None else ~g.counted | void if void.size else ~g.counted
    if left.any():
        none = none or (_unused(array, other),)
        array, other = _emptied(array, left, none[0]), _emptied(other, left, none[0])
    flat = ndim == 2
    if ndim == 3 and 1 in array.shape:  # a slice, whichever axis it is cut across
        at = array.shape.index(1)
        array, other, given = np.squeeze(array, at), np.squeeze(other, at), given[:at] + given[at + 1 :]
        flat = True
    if flat:
        array, other, given = array[None], other[None], (1.0, *given)
    return Volumes(plain(array), plain(other), (given[0], given[1], given[2]), flat, binary, none)


def _unused(*maps: NDArray[Any]) -> int:
    """A label that none of the maps has."""
    return max((int(m.max()) for m in maps if m.size), default=0) + 1


def _emptied(array: NDArray[Any], left: NDArray[np.bool_], none: int) -> NDArray[Any]:
    """The map with `none` where a pixel is left out, in its own type where that holds it."""
    holds = array.dtype == np.bool_ or np.iinfo(array.dtype).min <= none <= np.iinfo(array.dtype).max
    out = array.copy() if holds else array.astype(np.int64)
    out[left] = none
    return out


def _steps(spacing: Iterable[float] | float | None, ndim: int) -> Spacing | None:
    if spacing is None:
        return None
    steps = (float(spacing),) * ndim if isinstance(spacing, int | float) else tuple(float(s) for s in spacing)
    if len(steps) != ndim:
        raise UsageError(f"spacing {steps} has {len(steps)} numbers for {ndim} axes")
    if not all(math.isfinite(s) and s > 0 for s in steps):
        raise UsageError(f"spacing {steps} must be positive numbers")
    return steps


def union_boxes(v: Volumes, only: frozenset[int] | None = None) -> list[tuple[int, tuple[int, ...]]]:
    """The labels of both maps, ascending, each with the box that holds it in both (upper ends excluded)."""
    rows = np.concatenate([label_boxes(v.gt), label_boxes(v.pred)])
    rows = rows[~np.isin(rows[:, 0], v.none)]
    if only is not None:
        rows = rows[np.isin(rows[:, 0], sorted(only))]
    labels, at = np.unique(rows[:, 0], return_inverse=True)
    lo, hi = np.full((labels.size, 3), 2**62), np.full((labels.size, 3), -1)
    np.minimum.at(lo, at, rows[:, 1:4])
    np.maximum.at(hi, at, rows[:, 4:7])
    return [(k, (*x, *y)) for k, x, y in zip(labels.tolist(), lo.tolist(), (hi + 1).tolist(), strict=True)]


FEW = 2**16  # voxels, below which threads cost more than they spare


def by_label(one: Any, boxes: list[tuple[int, tuple[int, ...]]]) -> list[Any]:
    """What `one` answers for each label, in their order; the largest boxes are begun first, one thread a core."""
    threads = min(len(boxes), os.cpu_count() or 1)
    size = [math.prod(box[k + 3] - box[k] for k in range(3)) for _, box in boxes]
    if threads < 2 or sum(size) < FEW:
        return [one(item) for item in boxes]
    with ThreadPoolExecutor(threads) as pool:
        order = sorted(range(len(boxes)), key=lambda i: -size[i])
        begun = {i: pool.submit(one, boxes[i]) for i in order}
        return [begun[i].result() for i in range(len(boxes))]


def _directed(found: Found, other: Found, diagonal: float) -> Directed:
    distance, count = found.distance, found.times
    assert count is not None  # no places were asked for
    unit = np.ones(distance.size) if found.weight is None else found.weight
    if distance.size and not other.distance.size:
        return replace(NONE, edge=found.edge, missed=np.array([[diagonal, float((unit * count).sum())]]))
    return Directed(distance, unit, count, found.farthest, found.edge)


def _of(s: Surface, side: str, label: int) -> Directed:
    at = int(np.searchsorted(s.classes, label))
    known = at < s.classes.size and s.classes[at] == label
    sides: tuple[Directed, ...] = getattr(s, side)
    return sides[at] if known else NONE
