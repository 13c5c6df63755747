"""Far parts: which piece of a surface decides a Hausdorff distance, how large it is and where it lies.

A percentile says how far the worst few percent are and nothing of what they are: a stray island, a missed tip, or a
fringe all around. So the elements of the deciding surface that lie at that distance or beyond are gathered into
connected pieces, and the largest of them is the cause.

Conventions. The deciding surface is the one whose percentile is the greater; where a convention takes both together,
the one of which more lies beyond. Elements are connected where their voxels touch, corners included, and so are the
voxels of an object. Distances, surfaces and percentiles follow the convention of the metric.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .kernels import Found, components, surface_distances
from .masks import label_map
from .metrics.boundaries import RULES, Rule, percentile_of, rule_of
from .statistics.surface import NONE, Directed, Volumes, together, union_boxes, volumes

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
SIDES = ("gt", "pred")
ROOM = 1e-9  # relative: what lies at the percentile is beyond, whatever the rounding


@dataclass(frozen=True)
class FarPart:
    """The piece of a surface that decides a Hausdorff distance.

    distance  the Hausdorff distance; infinite where the other mask is empty
    side      whose surface it is: "gt" or "pred"
    beyond    the shares of the surfaces of ground truth and prediction that lie beyond that distance
    pieces    how many connected pieces of that surface lie there
    share     the share of that surface that the largest of them is
    size      its area, in a plane its length; elements where the convention counts these
    at        the voxel where it is farthest from the other surface, an index along each axis of the array
    farthest  how far it is there
    voxels    of the connected object of that mask that it belongs to
    shared    of these, those that the other mask holds too; 0 where the object is found nowhere
    peak      the greatest distance of all elements of both surfaces: whose surface, the voxel, and the distance
    """

    distance: float
    side: str
    beyond: tuple[float, float]
    pieces: int
    share: float
    size: float
    at: tuple[int, ...]
    farthest: float
    voxels: int
    shared: int
    peak: tuple[str, tuple[int, ...], float]


class Elements(NamedTuple):
    """The elements of one surface: where each lies, in voxels of three axes, its distance and its weight."""

    at: Floats
    distance: Floats
    weight: Floats
    farthest: float

    def directed(self) -> Directed:
        """Its distances, as metrics read them."""
        found = self.distance, self.weight, np.ones(self.distance.size, np.int64)
        return together([Directed(*found, farthest=self.farthest), NONE])


class Figure(NamedTuple):
    """A class on both sides: the box that holds it, its masks there, and the elements of its surfaces."""

    label: int
    box: tuple[int, ...]
    gt: Mask
    pred: Mask
    sides: tuple[Elements, Elements]


def hausdorff_cause(
    gt: Any,
    pred: Any,
    *,
    percentile: float = 95,
    convention: str | None = None,
    spacing: Iterable[float] | float | None = None,
    ignore: int | Iterable[int] | None = None,
    mask: Any = None,
) -> FarPart | dict[int, FarPart | None] | None:
    """The piece of a surface that decides `hausdorff(gt, pred, percentile=...)`; None where that is 0 or undefined.

    Two boolean arrays have one, integers one of each class. Arguments and errors are those of `hausdorff`.

    >>> a, b = np.zeros((2, 9, 9), bool)
    >>> a[2:7, 1:5] = b[2:7, 1:5] = True
    >>> b[0:2, 8] = True  # two pixels that the ground truth does not have
    >>> found = hausdorff_cause(a, b)
    >>> found.side, found.at, found.pieces, found.voxels, found.shared
    ('pred', (0, 8), 1, 2, 0)
    """
    g, p = label_map(gt, ignore=ignore, counted=mask), label_map(pred)
    rule = rule_of(convention)
    v = volumes(g, p, spacing)
    found = {f.label: far_part(f, v, percentile, rule) for f in figures(v, rule)}
    return found.get(1) if v.binary else found


def figures(v: Volumes, rule: Rule = RULES["mesh"], only: frozenset[int] | None = None) -> list[Figure]:
    """Every class of two maps with the elements of its surfaces."""
    return [_figure(v, label, box, rule) for label, box in union_boxes(v, only)]


def _figure(v: Volumes, label: int, box: tuple[int, ...], rule: Rule) -> Figure:
    both = surface_distances(
        v.gt, v.pred, label, box, v.spacing, flat=v.flat, open_=rule.open, model=rule.model, places=True
    )
    inside = tuple(slice(box[k], box[k + 3]) for k in range(3))
    sides = [_elements(found, box, v, rule) for found in both]
    return Figure(label, box, v.gt[inside] == label, v.pred[inside] == label, (sides[0], sides[1]))


def _elements(found: Found, box: tuple[int, ...], v: Volumes, rule: Rule) -> Elements:
    assert found.place is not None  # places were asked for
    at = found.place / v.spacing + (np.array(box[:3]) - 1)
    if rule.model in ("corners", "shared"):
        at = at + 0.5  # a corner lies between the voxels, and is called by the one before
    if v.flat:
        at[:, 0] = 0
    weight = np.ones(found.distance.size) if found.weight is None else found.weight
    farthest = found.farthest if rule.model == "mesh" else float(found.distance.max(initial=0.0))
    return Elements(at, found.distance, weight, farthest)


def far_part(f: Figure, v: Volumes, percentile: float, rule: Rule) -> FarPart | None:
    """What decides the Hausdorff distance of a class; None where that is 0 or undefined."""
    whole = [float(s.weight.sum()) for s in f.sides]
    if not any(whole) or not any((s.distance > 0).any() for s in f.sides):
        return None
    if all(whole):
        sides = [s.directed() for s in f.sides]
        each = [percentile_of(d, percentile, rule) for d in sides]
        far = percentile_of(together(sides), percentile, rule) if rule.percentile == "together" else max(each)
    else:
        each, far = [], math.inf
    if not far > 0:
        return None
    beyond = [float(s.weight[s.distance > far * (1 + ROOM)].sum()) / w if w else 0.0
              for s, w in zip(f.sides, whole, strict=True)]  # fmt: skip
    if math.isinf(far):
        side, beyond = int(whole[0] == 0), [float(w > 0) for w in whole]
    elif rule.percentile == "largest":
        side = int(each[1] > each[0])
    else:
        side = int(beyond[1] > beyond[0])
    s = f.sides[side]
    apart = s.distance >= min(far, float(s.distance.max())) * (1 - ROOM)
    piece, count = _pieces(s.at[apart], f.box)
    sizes = np.bincount(piece, s.weight[apart])
    chosen = np.flatnonzero(apart)[piece == int(sizes.argmax())]
    top = int(chosen[s.distance[chosen].argmax()])
    if math.isinf(far):  # all are as far: the one in the middle
        top = int(chosen[(((s.at[chosen] - s.at[chosen].mean(axis=0)) * v.spacing) ** 2).sum(axis=1).argmin()])
    voxel = _voxel(f, side, s.at[top], v)
    voxels, shared = _object(f, side, voxel)
    size = float(sizes.max())
    highest = int(f.sides[1].farthest > f.sides[0].farthest)
    of = f.sides[highest]
    peak = voxel if math.isinf(far) else _voxel(f, highest, of.at[int(of.distance.argmax())], v)
    return FarPart(
        far, SIDES[side], (beyond[0], beyond[1]), count, min(1.0, size / whole[side]), size, voxel[v.flat :],
        max(float(s.distance[top]), far), voxels, shared,
        (SIDES[highest], peak[v.flat :], max(of.farthest, float(of.distance.max(initial=0.0)))),
    )  # fmt: skip


def _pieces(at: Floats, box: tuple[int, ...]) -> tuple[NDArray[np.int64], int]:
    """For each element its piece, from 0, and how many there are."""
    cell = np.floor(at + 1e-6).astype(np.int64) - (np.array(box[:3]) - 1)
    low = cell.min(axis=0)
    grid = np.zeros(cell.max(axis=0) - low + 1, bool)
    grid[tuple((cell - low).T)] = True
    number = components(grid, 3, 0)[tuple((cell - low).T)]
    kinds, piece = np.unique(number, return_inverse=True)
    return piece.astype(np.int64), kinds.size


def _voxel(f: Figure, side: int, at: Floats, v: Volumes) -> tuple[int, ...]:
    """The voxel of the mask at an element."""
    mine = f.pred if side else f.gt
    place = at - f.box[:3]
    low = np.clip(np.floor(place).astype(np.int64) - 1, 0, np.array(mine.shape) - 1)
    near = np.argwhere(mine[tuple(slice(a, a + 4) for a in low.tolist())])
    if not len(near):
        near, low = np.argwhere(mine), np.zeros(3, np.int64)
    voxel = near[(((near + low - place) * v.spacing) ** 2).sum(axis=1).argmin()] + low
    return tuple((voxel + f.box[:3]).tolist())


def _object(f: Figure, side: int, voxel: tuple[int, ...]) -> tuple[int, int]:
    """How many voxels the object at a voxel has, and how many of them the other mask holds."""
    mine, other = (f.pred, f.gt) if side else (f.gt, f.pred)
    number = components(mine, 3, 0)
    of = number == number[tuple(x - low for x, low in zip(voxel, f.box[:3], strict=True))]
    return int(of.sum()), int((of & other).sum())
