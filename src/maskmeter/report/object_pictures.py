"""Pictures of objects: each in a colour of its own, and all of them by their fate.

In the picture of fates an object of the ground truth is filled, a prediction outlined, each in the colour of
its fate; an object that is missed is outlined too, and a hallucinated prediction filled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..facts import Facts
from ..fates import Fate
from ..labels import Color
from ..records import Record
from ..reopening import NONE, Side, Unavailable, reopen
from . import pictures
from .findings import distinct as different
from .pictures import BLANK, FN, FP, TP, VOIDS, Places

# Okabe and Ito's colours, as those of pixels: right is blue, missed is yellow, too much is orange.
FATES: dict[str, Color] = {
    "matched": TP,
    "missed": FN,
    "hallucinated": FP,
    "split": (204, 121, 167),
    "merged": (0, 158, 115),
    "excused": (170, 170, 170),
    "crowd": (170, 170, 170),
}
FILL = 105  # of 255: how much a fill covers
SMALL = 300  # pictures with fewer pixels a side are drawn larger, so that outlines are thin
PALETTE = 110  # different colours of objects on each side

_NAMES = list(FATES)

Ids = NDArray[Any]


@dataclass(frozen=True)
class Objects:
    """The ids of both sides in one plane, NONE where there is no object, and which pixels do not count."""

    gt: Ids
    pred: Ids
    left_out: NDArray[np.bool_]

    @property
    def shape(self) -> tuple[int, int]:
        return (self.gt.shape[0], self.gt.shape[1])

    def part(self, rows: slice, columns: slice) -> Objects:
        """A cut-out."""
        return Objects(*(x[rows, columns] for x in (self.gt, self.pred, self.left_out)))

    def fitted(self, most: int = SMALL) -> Objects:
        """As large as a picture is: every n-th pixel of many, each of few several times."""
        times = max(1, most // max(self.shape))
        small = (pictures.thumbnail(x) for x in (self.gt, self.pred, self.left_out))
        return Objects(*(x.repeat(times, 0).repeat(times, 1) for x in small))


@dataclass(frozen=True)
class Volume:
    """The objects of both sides as they stand in the files, planes first."""

    gt: Side
    pred: Side
    left_out: NDArray[np.bool_]

    @classmethod
    def open(cls, record: Record, facts: Facts) -> Volume:
        """Read the image's files again. Raises Unavailable."""
        found = reopen(record, facts)
        shape = found.left_out.shape
        if len(shape) < 2 or not found.left_out.size:
            raise Unavailable(f"labels of shape {shape} make no picture")
        return cls(_planes(found.gt), _planes(found.pred), found.left_out.reshape(-1, *shape[-2:]))

    @property
    def planes(self) -> int:
        return self.left_out.shape[0]

    def plane(self, at: int) -> Objects:
        return Objects(self.gt.ids[at], self.pred.ids[at], self.left_out[at])

    def worst(self) -> int:
        """The plane with the most pixels that belong to an object on one side only."""
        if self.planes == 1:
            return 0
        step = max(1, max(self.left_out.shape[1:]) // 128)
        g, p = (x.ids[:, ::step, ::step] != NONE for x in (self.gt, self.pred))
        return pictures.most_of((g != p).sum(axis=(1, 2)))

    def around(self, side: str, id: int) -> tuple[Objects, slice, slice] | None:
        """The plane where an object shows most, itself in front, and the rows and columns around it."""
        of = self.gt if side == "gt" else self.pred
        mask = of.mask(id)
        at = pictures.most_of(mask.sum(axis=(1, 2)))
        rows, columns = (np.flatnonzero(mask[at].any(axis=axis)) for axis in (1, 0))
        if not rows.size:
            return None
        half = int(max(np.ptp(rows), np.ptp(columns)) * 0.75) + 10
        shown = self.plane(at)
        if of.masks:
            shown = replace(shown, **{side: np.where(mask[at], id, of.ids[at])})
        return shown, _window(rows, half, mask.shape[1]), _window(columns, half, mask.shape[2])


def _planes(side: Side) -> Side:
    shape = (-1, *side.ids.shape[-2:])
    return Side(side.ids.reshape(shape), {id: mask.reshape(shape) for id, mask in side.masks.items()})


def _window(at: NDArray[np.int64], half: int, size: int) -> slice:
    """A stretch around the middle of `at`, as long as fits."""
    middle = int(at[0] + at[-1]) // 2
    first = max(0, min(middle - half, size - 2 * half))
    return slice(first, min(size, first + 2 * half))


def by_fate(objects: Objects, fates: Iterable[Fate]) -> str:
    """The picture of fates, on nothing."""
    known: dict[str, dict[int, int]] = {"gt": {}, "pred": {}}
    for f in fates:
        known[f.side][f.id] = 1 + _NAMES.index(f.fate)
    k = len(FATES) + 1
    gt, pred = _looked_up(objects.gt, known["gt"]), _looked_up(objects.pred, known["pred"])
    hallucinated, missed = (1 + _NAMES.index(x) for x in ("hallucinated", "missed"))
    pixels = np.where(gt > 0, gt, np.where(pred == hallucinated, pred, 0))
    edge = outline(objects.gt) & (gt == missed)
    pixels[edge] = k + gt[edge]
    edge = outline(objects.pred) & (pred > 0)
    pixels[edge] = k + pred[edge]
    pixels = np.where(objects.left_out, 2 * k + pictures.hatch(pixels.shape), pixels)
    colors = [BLANK, *FATES.values()]
    return pictures.png(pixels, [*colors, *colors, *VOIDS], [0, *[FILL] * (k - 1), *[255] * k, 200, 200])


def by_object(objects: Objects, fates: Sequence[Fate]) -> tuple[str, str]:
    """Ground truth and prediction, each object in a colour of its own; matches share theirs."""
    gt = {f.id: 1 + i % PALETTE for i, f in enumerate(f for f in fates if f.side == "gt")}
    pred: dict[int, int] = {}
    for i, f in enumerate(f for f in fates if f.side == "pred"):
        matched = f.fate == "matched" and f.partner is not None
        pred[f.id] = gt[f.partner] if matched and f.partner in gt else 1 + PALETTE + i % PALETTE
    palette = [BLANK, *different([None] * (2 * PALETTE)), *VOIDS]
    drawn: list[str] = []
    for ids, color in ((objects.gt, gt), (objects.pred, pred)):
        pixels = _looked_up(ids, color)
        pixels[outline(ids) & (pixels > 0)] = 0
        pixels = np.where(objects.left_out, 2 * PALETTE + 1 + pictures.hatch(ids.shape), pixels)
        drawn.append(pictures.png(pixels, palette))
    return drawn[0], drawn[1]


def outline(ids: Ids) -> NDArray[np.bool_]:
    """Pixels of objects that touch another object, the background, or the end of the picture."""
    inner = np.zeros(ids.shape, bool)
    middle = ids[1:-1, 1:-1]
    neighbours = (ids[:-2, 1:-1], ids[2:, 1:-1], ids[1:-1, :-2], ids[1:-1, 2:])
    inner[1:-1, 1:-1] = np.logical_and.reduce([middle == x for x in neighbours])
    return ~inner & (ids != NONE)


def _looked_up(ids: Ids, table: dict[int, int]) -> Places:
    """What the table says of each id, 0 where it says nothing."""
    values, at = pictures.distinct(ids)
    return np.array([table.get(v, 0) for v in values.tolist()], np.int64)[at].reshape(ids.shape)
