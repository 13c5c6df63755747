"""What is counted of objects beside the pixels that they share: their boundaries, and where their centres lie.

Conventions. Neither is counted unless a metric asks for it (see `Metric.needs`).

Boundary: the pixels of an object from which a pixel of anything else, or the outside of the image, is at most d
steps away, diagonal steps included; so an object less a square erosion. d is `width` times the diagonal of the
image, rounded half to even, and at least 1; a width of 1 or more is in pixels. This is how Cheng et al., Boundary
IoU, CVPR 2021 count it.

boundary-iou-api repaints maps of panoptic segments: all that is inside a segment gets the greatest category id
plus 1. A segment that has this id itself is then counted with the inside of all others. `inside` names that id,
where this is to be reproduced; nothing else differs.

Centre: the mean position of an object's counted pixels, to the nearest pixel (halves up). It lies in a prediction
when that pixel does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import LabelError, UsageError
from ..kernels import joint_counts
from ._sums import counts

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Place = Callable[[Ints], Ints]

NOBODY = -(2**63) + 1  # the id of pixels inside an object, where boundaries are counted


@dataclass(frozen=True)
class Wanted:
    """What is to be counted.

    boundary  the width of boundaries as a share of the image diagonal, from 1 on in pixels; 0 for none
    centres   whether the centre of a reference lies in a prediction
    inside    the id that boundary-iou-api gives to the inside of segments, to count as it does
    """

    boundary: float = 0.0
    centres: bool = False
    inside: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.boundary < math.inf:
            raise UsageError(f"width must be above 0: a share of the image diagonal, or pixels, not {self.boundary:g}")


NOTHING = Wanted()


class Found(NamedTuple):
    """What was counted, of the objects of both sides and of their pairs, and what was asked."""

    gt: dict[str, Ints]
    pred: dict[str, Ints]
    pair: dict[str, Ints]
    wanted: Wanted


def measured(
    maps: tuple[NDArray[Any], NDArray[Any]],
    places: tuple[Place, Place],
    void: Callable[[Ints], Mask],
    sizes: tuple[int, int],
    pairs: tuple[Ints, Ints],
    wanted: Wanted,
    counted: Mask | None = None,
) -> Found:
    """Count what is wanted.

    maps    ids of both sides, of one shape
    places  for each side, from ids to the objects' places, negative where an id is no object
    void    which ids of the ground truth are void
    sizes   how many objects each side has
    pairs   places of two objects that share pixels, ascending
    """
    found = Found({}, {}, {}, wanted)
    index = _Pairs(pairs, sizes[1])
    if wanted.boundary:
        d = distance(maps[0].shape, wanted.boundary)
        inside = NOBODY if wanted.inside is None else wanted.inside
        edges = [_edges(m, d, inside, p) for m, p in zip(maps, places, strict=True)]
        a, b, n = joint_counts(edges[0], edges[1], counted)
        at, of = places[0](a), places[1](b)
        found.gt["boundary"] = counts(at[at >= 0], n[at >= 0], sizes[0])
        kept = (of >= 0) & (~void(a) | (a == inside))
        found.pred["boundary"] = counts(of[kept], n[kept], sizes[1])
        found.pair["boundary"] = index.spread(at, of, n)
    if wanted.centres:
        objects, under = _under_centres(maps, places[0], counted)
        found.pair["centred"] = index.spread(objects, places[1](under), np.ones(objects.size, np.int64))
    return found


class _Pairs:
    """The places of pairs by the places of their objects."""

    def __init__(self, pairs: tuple[Ints, Ints], width: int) -> None:
        self.width, self.keys = max(width, 1), pairs[0] * max(width, 1) + pairs[1]

    def spread(self, gt: Ints, pred: Ints, values: Ints) -> Ints:
        """The values of some pairs as values of all; what is no pair of objects is passed over."""
        both = (gt >= 0) & (pred >= 0)
        keys = gt[both] * self.width + pred[both]
        at = np.searchsorted(self.keys, keys)
        known = at < self.keys.size
        known[known] = self.keys[at[known]] == keys[known]
        out = np.zeros(self.keys.size, np.int64)
        out[at[known]] = values[both][known]
        return out


def distance(shape: Sequence[int], width: float) -> int:
    """The width of boundaries in pixels, in an image of this shape."""
    return round(width) if width >= 1 else max(1, round(width * float(np.sqrt(float(sum(n * n for n in shape))))))


def boundary(ids: NDArray[Any], d: int) -> Mask:
    """The pixels within d steps of another object, or of the outside of the image.

    >>> boundary(np.full((4, 5), 7), 1).astype(int).tolist()
    [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]
    """
    from scipy.ndimage import maximum_filter1d, minimum_filter1d

    out = np.ones(ids.shape, bool)
    if any(n <= 2 * d for n in ids.shape):
        return out
    low = high = np.unique(ids, return_inverse=True)[1].reshape(ids.shape).astype(np.int32)
    for axis in range(ids.ndim):
        low, high = minimum_filter1d(low, 2 * d + 1, axis), maximum_filter1d(high, 2 * d + 1, axis)
    core = tuple(slice(d, n - d) for n in ids.shape)
    out[core] = (low != high)[core]
    return out


def _edges(ids: NDArray[Any], d: int, inside: int, place: Place) -> Ints:
    """The map with `inside` in the place of what is inside an object; all else stays as it is."""
    seen = np.unique(ids).astype(np.int64)
    kept = boundary(ids, d) | np.isin(ids, seen[place(seen) < 0])
    return np.where(kept, ids.astype(np.int64), inside)


def _under_centres(maps: tuple[NDArray[Any], NDArray[Any]], place: Place, counted: Mask | None) -> tuple[Ints, Ints]:
    """The objects of the ground truth, and the ids of the prediction under their centres."""
    ids, number = np.unique(maps[0], return_inverse=True)
    at, number = place(ids.astype(np.int64)), number.reshape(maps[0].shape)
    used = at[number] >= 0
    where = np.nonzero(used if counted is None else used & counted)
    if not where[0].size:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    owner = at[number[where]]
    objects, owner, n = np.unique(owner, return_inverse=True, return_counts=True)
    sums = (counts(owner, axis.astype(np.int64), objects.size) for axis in where)
    return objects, maps[1][tuple((2 * s + n) // (2 * n) for s in sums)].astype(np.int64)


def asked(o: Any, boundary: float = 0.0, centres: bool = False) -> None:
    """Raise where a statistic lacks what a metric needs."""
    if boundary and o.width != boundary:
        raise LabelError(
            f"boundaries of width {boundary:g} were not counted; measure with overlap(gt, pred, boundary={boundary:g})"
        )
    if centres and not o.centres:
        raise LabelError("centres were not counted; measure with overlap(gt, pred, centres=True)")
