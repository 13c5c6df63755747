"""Reopening: the objects of an image as they stand in its files, for pictures and boxes.

A run keeps what objects share and drops their pixels. Whoever wants these has the files read again by the rules that
they were counted by; a file that is no longer the one that was counted is not shown at all.

Conventions. An object is its pixels that count, as its size is. Masks that may overlap are laid on one another, the
largest first, so that each shows; what is asked of one of them is answered from the mask itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .facts import JSON, SCORED, STACKED, Facts
from .formats import located
from .formats.cityscapes import open_instances, open_masks
from .formats.label_maps import open_label_map, open_stack
from .formats.packings import open_packed
from .formats.panoptic import open_ids
from .kernels import LabelRuns
from .labels import LabelSet
from .readings import source
from .records import Record
from .segments import Segments
from .statistics.overlap import Overlap

Ids = NDArray[Any]
Mask = NDArray[np.bool_]
Box = tuple[tuple[int, int], ...]
"""Where something begins and ends along each axis, as a slice does."""

NONE = -1
"""Stands in a map of ids where there is no object."""


class Unavailable(Exception):
    """The pixels of an image are not to be had; the text says why."""


@dataclass(frozen=True)
class Side:
    """The objects of one side: a map of ids, and of masks that may overlap each by itself."""

    ids: Ids
    masks: Mapping[int, Mask] = field(default_factory=dict[int, Mask])

    def mask(self, id: int) -> Mask:
        """The pixels of an object."""
        mask = self.masks.get(id)
        return self.ids == id if mask is None else mask

    def boxes(self) -> dict[int, Box]:
        """The smallest box around each object."""
        if self.masks:
            return {id: box for id, mask in self.masks.items() for box in boxes(np.where(mask, 1, NONE)).values()}
        return boxes(self.ids)


@dataclass(frozen=True)
class Reopened:
    """Both sides of an image as they stand in the files, and which pixels do not count."""

    gt: Side
    pred: Side
    left_out: Mask
    spacing: tuple[float, ...] | None = None


def reopen(record: Record, facts: Facts) -> Reopened:
    """Read the files of an image with objects again. Raises Unavailable."""
    if record.gt is None:
        raise Unavailable("its labels came as arrays and were not kept")
    gt, of_gt, left_out, spacing = _ground_truth(record.gt, record, facts)
    pred = Side(np.full(gt.ids.shape, NONE)), None
    if record.pred is not None:
        pred = _prediction(record.pred, record, facts)
    if pred[0].ids.shape != gt.ids.shape:
        raise Unavailable("its files have changed since they were counted")
    if record.region is not None:
        left_out = left_out | ~_region(record.region, gt.ids.shape)
    made = Reopened(_without(gt, left_out), _without(pred[0], left_out), left_out, spacing)
    return made if of_gt is None else _only_objects(made, record, facts, (of_gt, pred[1] or ()))


def boxes(ids: Ids) -> dict[int, Box]:
    """The smallest box around each id, but for `NONE`.

    >>> boxes(np.array([[7, 7, -1], [-1, 7, 9]]))
    {7: ((0, 2), (0, 2)), 9: ((1, 2), (2, 3))}
    """
    rows = ids.reshape(-1, ids.shape[-1])
    begins = np.ones(rows.shape, bool)
    begins[:, 1:] = rows[:, 1:] != rows[:, :-1]
    first = np.flatnonzero(begins)
    last = np.append(first[1:], rows.size)[: first.size] - 1
    id = rows.ravel()[first]
    kept = id != NONE
    order = np.argsort(id[kept], kind="stable")
    id, first, last = id[kept][order], first[kept][order], last[kept][order]
    if not id.size:
        return {}
    at = np.flatnonzero(np.diff(id, prepend=id[0] - 1))
    low = [np.minimum.reduceat(x, at) for x in np.unravel_index(first, ids.shape)]
    high = [np.maximum.reduceat(x, at) + 1 for x in np.unravel_index(last, ids.shape)]
    ends = np.stack([*low, *high]).T.tolist()
    axes = ids.ndim
    return {i: tuple(zip(e[:axes], e[axes:], strict=True)) for i, e in zip(id[at].tolist(), ends, strict=True)}


# One side


Opened = tuple[Side, Segments | None]


def _ground_truth(
    path: str, record: Record, facts: Facts
) -> tuple[Side, Segments | None, Mask, tuple[float, ...] | None]:
    file, digest = located(path), record.digests[0]
    try:
        if facts.files == SCORED:
            found = open_instances(file, facts.labels or LabelSet(()))
            _same(found.digest, digest, "ground truth")
            return Side(_signed(found.array)), found.segments, np.zeros(found.array.shape, bool), None
        if facts.files and facts.files != STACKED:
            side, segments = _segments(file, digest, facts, "ground truth")
            return side, segments, np.zeros(side.ids.shape, bool), None
        if facts.files == STACKED:
            side = _stack(file, digest, "ground truth")
            return side, None, np.zeros(side.ids.shape, bool), None
        opened = open_label_map(file, None, spacing=facts.spacing)
    except DataError as error:
        raise Unavailable(f"its ground truth cannot be read any more: {error.message}") from None
    _same(opened.digest, digest, "ground truth")
    left_out = np.isin(opened.map.array, facts.ignore)
    return Side(_plain(opened.map.array, facts)), None, left_out, opened.map.spacing


def _prediction(path: str, record: Record, facts: Facts) -> Opened:
    file, digest = located(path), record.digests[1]
    try:
        if facts.files == SCORED:
            found = open_masks(file, facts.labels or LabelSet(()))
            _same(found.digest, digest, "prediction")
            shape = record.shape
            return _laid({k: m.pixels for k, m in enumerate(found.masks, 1)}, shape), None
        if facts.files == STACKED:
            return _stack(file, digest, "prediction"), None
        if facts.files:
            return _segments(file, digest, facts, "prediction")
        opened = open_label_map(file, None, spacing=facts.spacing)
    except DataError as error:
        raise Unavailable(f"its prediction cannot be read any more: {error.message}") from None
    _same(opened.digest, digest, "prediction")
    return Side(_plain(opened.map.array, facts)), None


def _segments(file: Path, digest: str | None, facts: Facts, side: str) -> tuple[Side, Segments]:
    """A map of segments; that of JSON has a digest that speaks of the JSON too, so its sizes are compared instead."""
    if facts.files == JSON:
        ids = open_ids(file).map
        return Side(_signed(ids.array() if isinstance(ids, LabelRuns) else ids)), ()
    gt, instances = side == "ground truth", facts.task == "instance"
    packed = open_packed(file, facts.files, facts.labels, gt, instances, facts.ignore)
    _same(packed.digest, digest, side)
    return Side(_signed(packed.array)), packed.segments


def _stack(file: Path, digest: str | None, side: str) -> Side:
    opened = open_stack(file)
    _same(opened.digest, digest, side)
    return _laid(dict(enumerate(opened.map.array, 1)), opened.map.array.shape[1:])


def _laid(masks: Mapping[int, Mask], shape: tuple[int, ...]) -> Side:
    """Masks on one another, the largest first."""
    ids = np.full(shape, NONE, np.int64)
    for id, mask in sorted(masks.items(), key=lambda x: -int(x[1].sum())):
        ids[mask] = id
    return Side(ids, masks)


def _plain(array: NDArray[Any], facts: Facts) -> Ids:
    """Ids of objects, where 0 and what is void is none."""
    ids = _signed(array)
    return np.where(np.isin(ids, (0, *facts.ignore)), NONE, ids)


def _signed(array: NDArray[Any]) -> Ids:
    return array.astype(np.int64)


def _region(path: str, shape: tuple[int, ...]) -> Mask:
    try:
        array = open_label_map(located(path)).map.array
    except DataError as error:
        raise Unavailable(f"its mask cannot be read any more: {error.message}") from None
    if array.shape != shape:
        raise Unavailable("its files have changed since they were counted")
    return array != 0


def _same(now: str, counted: str | None, side: str) -> None:
    if counted is not None and now != counted:
        raise Unavailable(f"its {side} has changed since it was counted")


def _without(side: Side, left_out: Mask) -> Side:
    masks = {id: mask & ~left_out for id, mask in side.masks.items()} if left_out.any() else side.masks
    return Side(np.where(left_out, NONE, side.ids), masks)


# Segments


def _only_objects(found: Reopened, record: Record, facts: Facts, segments: tuple[Segments, Segments]) -> Reopened:
    """Segments that are objects; what else the ground truth holds is background or void.

    Raises Unavailable where sizes are not those that were counted.
    """
    made = source(Overlap.name, facts)
    o: Overlap = made.pool([[record.statistics[made.stored]]], None)
    objects = np.isin(found.gt.ids, o.gt_id)
    counted = np.isin(found.gt.ids, [s.id for s in segments[0] if _counted(s.class_, s.background, facts)])
    left_out = found.left_out | ~(objects | counted)
    gt, pred = _without(found.gt, left_out), _without(found.pred, left_out)
    known = o.pred_id if not pred.masks else np.arange(1, len(pred.masks) + 1)
    made_of = (
        Side(np.where(objects, gt.ids, NONE)),
        Side(np.where(np.isin(pred.ids, known), pred.ids, NONE), pred.masks),
    )
    for side, ids, sizes in ((made_of[0], o.gt_id, o.gt_size), (made_of[1], o.pred_id, o.pred_size)):
        if not side.masks and _sizes(side.ids, ids) != sizes.tolist():
            raise Unavailable("its segments are not those that were counted")
    return Reopened(*made_of, left_out, found.spacing)


def _counted(class_: int, background: bool, facts: Facts) -> bool:
    """Whether pixels that are no object count all the same."""
    labels = facts.labels or LabelSet(())
    void = {*facts.ignore, *labels.ignored}
    return background or (facts.task != "panoptic" and labels.id_of_source.get(class_, class_) not in void)


def _sizes(ids: Ids, of: NDArray[np.int64]) -> list[int]:
    seen, n = np.unique(ids, return_counts=True)
    counted = dict(zip(seen.tolist(), n.tolist(), strict=True))
    return [counted.get(i, 0) for i in of.tolist()]
