"""The sums behind formulas over many objects: taken a stretch of images at a time, and read again without the objects.

A formula asks an `Overlap` for sums, one after the other. Their tables by image are small, and what resamples and
images need is in them; so objects are gone through once, some images at a time, and memory follows the images. What
all images have together is added up on the way as `Overlap.total` adds it: floats without error, rounded once, or one
after the other. So the answers are those of the objects, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import weighted_sums
from ._sums import ExactSums, counts, exact_sums, sums_in_turn
from .overlap import GT, PAIR, PRED, Overlap

Ints = NDArray[np.int64]

STRETCH = 1 << 17  # objects and pairs that are looked at together

Formula = Callable[[Overlap], Any]


def is_long(o: Overlap) -> bool:
    """Whether there is more than one stretch of objects."""
    return o.images > 1 and o.gt_id.size + o.pred_id.size + o.pair_gt.size > STRETCH


def recorded(o: Overlap, formulas: Sequence[Formula]) -> list[Tape]:
    """The sums that each formula asks for."""
    tapes = [Tape() for _ in formulas]
    for part in stretches(o):
        for tape, formula in zip(tapes, formulas, strict=True):
            formula(part.taped(tape.recording()))
    return tapes


def replayed(o: Overlap, tape: Tape) -> Overlap:
    """No objects, and the sums that were recorded of `o`, under its weights: one formula reads them, once."""
    return replace(_stretch(o, 0, 0), weights=o.weights, tape=tape.replaying())


def stretches(o: Overlap) -> Iterator[Overlap]:
    """Some images at a time, each answering sums for its images."""
    every = np.arange(o.images + 1)
    begins = np.searchsorted(o.gt_image, every)
    load = np.diff(begins + np.searchsorted(o.pred_image, every) + np.searchsorted(o.pair_gt, begins))
    start, held = 0, 0
    for image, n in enumerate(load.tolist()):
        if held and held + n > STRETCH:
            yield _stretch(o, start, image)
            start, held = image, 0
        held += n
    yield _stretch(o, start, o.images)


def _stretch(o: Overlap, start: int, end: int) -> Overlap:
    """The images from `start` and before `end`, each by itself."""
    g, p = (np.searchsorted(x, [start, end]).tolist() for x in (o.gt_image, o.pred_image))
    n = np.searchsorted(o.pair_gt, g).tolist()
    cut: dict[str, Any] = {f: getattr(o, f)[a:b] for fields, (a, b) in ((GT, g), (PRED, p), (PAIR, n)) for f in fields}
    cut["gt_image"], cut["pred_image"] = cut["gt_image"] - start, cut["pred_image"] - start
    cut["pair_gt"], cut["pair_pred"] = cut["pair_gt"] - g[0], cut["pair_pred"] - p[0]
    return replace(o, **cut, pixels=o.pixels[start:end], weights="images")


class Tape:
    """The sums that a formula asks for, in turn: while it records, of one stretch after the other; then of all."""

    def __init__(self) -> None:
        self._sums: list[_Sum] = []
        self._at = 0
        self._records = False

    def recording(self) -> Tape:
        """The same, from the first sum on, to record another stretch."""
        self._at, self._records = 0, True
        return self

    def replaying(self) -> Tape:
        """The same sums, to be answered from the first one on."""
        made = Tape()
        made._sums = self._sums
        return made

    def total(self, o: Overlap, column: Ints, values: NDArray[Any], image: Ints, k: int, in_turn: bool) -> Any:
        """What `Overlap.total` answers, (..., k)."""
        found = self._next(k, _kind(values, in_turn))
        if self._records:
            add = counts if values.dtype.kind != "f" else sums_in_turn if in_turn else exact_sums
            table = add(image * k + column, values, o.images * k).reshape(o.images, k)
            found.add(table)
            found.pool(column, values)
            return table
        return found.answer(o.weights)

    def over_images(self, o: Overlap, table: NDArray[Any]) -> NDArray[Any]:
        """What `Overlap.over_images` answers."""
        found = self._next(table.shape[-1], "table")
        if self._records:
            found.add(table)
            return table
        return found.answer(o.weights)

    def _next(self, k: int, kind: str) -> _Sum:
        if self._records and self._at == len(self._sums):
            self._sums.append(_Sum(k, kind))
        found = self._sums[self._at]
        self._at += 1
        return found


def _kind(values: NDArray[Any], in_turn: bool) -> str:
    return "table" if values.dtype.kind != "f" else "in turn" if in_turn else "exact"


class _Sum:
    """One sum: its tables by image, and what all images have together where their rounded sums do not tell."""

    def __init__(self, k: int, kind: str) -> None:
        self._parts: list[NDArray[Any]] = []
        self._exact = ExactSums(k) if kind == "exact" else None
        self._in_turn = np.zeros(k) if kind == "in turn" else None

    def add(self, table: NDArray[Any]) -> None:
        self._parts.append(table)

    def pool(self, column: Ints, values: NDArray[Any]) -> None:
        if self._exact is not None:
            self._exact.add(column, values)
        elif self._in_turn is not None:
            np.add.at(self._in_turn, column, values)

    def answer(self, weights: Any) -> NDArray[Any]:
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        table = self._parts[0]
        if isinstance(weights, str):
            return table
        if weights is not None:
            return weighted_sums(weights, table)
        if self._exact is not None:
            return self._exact.rounded
        return table.sum(axis=0) if self._in_turn is None else self._in_turn
