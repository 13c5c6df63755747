"""Counts of pixels by class, and the shapes of classes, from what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..facts import Facts
from ..shapes import view_of
from ..statistics.confusion import Confusion, LabelCounts, LabelTable, beside, read
from ..statistics.image_scores import ImageScores, binary_stack
from ..statistics.shape import Classes, Shape
from ..statistics.units import Units
from ..uncertainty import Sampler

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Confusions:
    """Confusions from tables of labels."""

    facts: Facts
    stored: str = LabelCounts.name

    def pool(self, blocks: Iterable[Sequence[bytes]], summed: bytes | None) -> Confusion:
        reading = self.facts.reading
        nothing = read(LabelTable.of([]), reading, whole=True)
        tables = (table for blobs in blocks for table in LabelTable.some_of(blobs))
        return reduce(add, (read(table, reading, whole=True) for table in tables), nothing)

    def stack(self, blobs: Sequence[bytes], pooled: Confusion) -> Confusion:
        reading, classes = self.facts.reading, pooled.classes.tolist()
        return beside([read(table, reading, classes) for table in LabelTable.some_of(blobs)])

    def sampler(self, units: Units, pooled: Confusion, stacks: Iterable[Confusion]) -> Confusion:
        return _confusions_by_unit(units, stacks, pooled)


@dataclass(frozen=True)
class Shapes:
    """A statistic of shapes, from what was kept of each image for the view that turned out to be right."""

    facts: Facts
    kind: type[Shape]

    @property
    def stored(self) -> str:
        return self.kind.name

    def pool(self, blocks: Iterable[Sequence[bytes]], summed: bytes | None) -> Any:
        parts = [[view_of(b, self.facts.view) for b in blobs] for blobs in blocks]
        seen = sorted({k for part in parts for entries in part for k in entries})
        reading = replace(self.facts.reading, least=None)
        ids = np.array(reading.classes(seen), np.int64)
        return self.kind.pool(parts, Classes(ids, reading.averaged(ids), self.facts.task == "binary"))

    def stack(self, blobs: Sequence[bytes], pooled: Any) -> Any:
        classes = Classes(pooled.classes, pooled.averaged, pooled.binary)
        return self.kind.stack([view_of(b, self.facts.view) for b in blobs], classes)

    def sampler(self, units: Units, pooled: Any, stacks: Iterable[Any]) -> Sampler:
        return self.kind.sampler(units, pooled, stacks)


@dataclass(frozen=True)
class FloatConfusions:
    """Binary confusions of maps of floats at the threshold: the one that was counted, or one on the coarse grid."""

    facts: Facts
    stored: str = ImageScores.name

    def pool(self, blocks: Iterable[Sequence[bytes]], summed: bytes | None) -> Confusion:
        cells, ignored = np.zeros(4, np.int64), 0
        for blobs in blocks:
            c, i = self._cells(blobs)
            cells, ignored = cells + c.sum(axis=0), ignored + i.sum()
        return binary_stack(cells, np.array(ignored))

    def stack(self, blobs: Sequence[bytes], pooled: Confusion) -> Confusion:
        return binary_stack(*self._cells(blobs))

    def sampler(self, units: Units, pooled: Confusion, stacks: Iterable[Confusion]) -> Confusion:
        return _confusions_by_unit(units, stacks, pooled)

    def _cells(self, blobs: Sequence[bytes]) -> tuple[Ints, Ints]:
        found = [ImageScores.from_bytes(b) for b in blobs]
        edge = self.facts.threshold if self.facts.searched else None
        cells = np.array([x.at if edge is None else x.above(edge) for x in found], np.int64)
        return cells.reshape(-1, 4), np.array([x.ignored for x in found], np.int64)


def _confusions_by_unit(units: Units, stacks: Iterable[Confusion], pooled: Confusion) -> Confusion:
    """The sums of each unit, as a stack."""
    seen, total = 0, None
    for stack in stacks:
        fields = {f: units.summed(getattr(stack, f), seen) for f in ("tp", "gt", "pred", "ignored")}
        seen += len(stack.tp)
        if total is not None:
            fields = {f: x + getattr(total, f) for f, x in fields.items()}
        total = replace(stack, **fields)
    return pooled if total is None else total
