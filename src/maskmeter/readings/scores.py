"""Histograms of scores from what is stored: tables of 8-bit scores, or histograms of floats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..facts import Facts
from ..kernels import ScoreCounts
from ..metrics import parse
from ..statistics.by_class import ClassScores, CoarseClassScores, ImageClassScores, zero_maps
from ..statistics.confusion import VOID, LabelCounts
from ..statistics.image_scores import ImageScores
from ..statistics.object_scores import ObjectScores
from ..statistics.scores import CoarseScores, Scores, zeros
from ..statistics.units import Units

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ScoredObjects:
    """Whole objects against the threshold, as they were counted."""

    facts: Facts
    stored: str = ObjectScores.name

    def pool(self, blocks: Iterable[Sequence[bytes]], summed: bytes | None) -> ObjectScores:
        parts = [ObjectScores.from_bytes(b) for blobs in blocks for b in blobs]
        if not parts:
            raise UsageError("there is no score map to compute this from")
        return reduce(add, parts)

    def stack(self, blobs: Sequence[bytes], pooled: ObjectScores) -> ObjectScores:
        return ObjectScores.stack(map(ObjectScores.from_bytes, blobs))

    def sampler(self, units: Units, pooled: ObjectScores, stacks: Iterable[ObjectScores]) -> ObjectScores:
        total: dict[int, ObjectScores] = {}
        each = (x for stack in stacks for x in stack.apart())
        for unit, one in zip(units.of.tolist(), each, strict=True):
            total[unit] = total[unit] + one if unit in total else one
        return ObjectScores.stack(total[u] for u in range(units.count))


@dataclass(frozen=True)
class IntegerScores:
    """Score histograms from tables of labels in which the predictions are 8- or 16-bit scores."""

    facts: Facts
    stored: str = LabelCounts.name

    def pool(self, blocks: Iterable[Sequence[bytes]], summed: bytes | None) -> Scores:
        parts = [self._scores(b) for blobs in blocks for b in blobs]
        none = np.empty(0, np.int64)
        return reduce(add, parts) if parts else self._made(none, none, none, 0)

    def stack(self, blobs: Sequence[bytes], pooled: Scores) -> list[Scores]:
        return [self._scores(b) for b in blobs]

    def sampler(self, units: Units, pooled: Scores, stacks: Iterable[list[Scores]]) -> CoarseScores:
        return _scores_by_unit(units, (s.coarse() for stack in stacks for s in stack))

    def _scores(self, blob: bytes) -> Scores:
        counts = LabelCounts.from_bytes(blob)
        kind = replace(self.facts.reading, least=None).class_of(counts.a)
        valid = kind != VOID
        score = np.where(counts.b == VOID, 0, counts.b)  # no prediction is a map of zeros
        n, left_out = counts.n, counts.left_out + int(counts.n[~valid].sum())
        keys, at = np.unique(score[valid], return_inverse=True)
        both = np.zeros((2, keys.size), np.int64)
        np.add.at(both, (1 - kind[valid], at), n[valid])
        return self._made(keys, both[0], both[1], left_out)

    def _made(self, keys: Ints, pos: Ints, neg: Ints, left_out: int) -> Scores:
        dtype = np.dtype(self.facts.scores)
        high = np.stack([np.arange(keys.size), pos, neg], axis=1)
        low = np.zeros((keys.size, 2), np.uint8)
        return Scores(ScoreCounts(keys.astype(dtype), low, high), dtype, ignored=left_out)


@dataclass(frozen=True)
class FloatScores:
    """Score histograms of maps of floats: the pooled one whole, of each image what `ImageScores` keeps."""

    facts: Facts
    stored: str = ImageScores.name

    def pool(self, blocks: Iterable[Sequence[bytes]], summed: bytes | None) -> Scores:
        if summed is None:
            raise UsageError("there is no score map to compute this from")
        found = Scores.from_bytes(summed)
        missing = [x for blobs in blocks for x in map(ImageScores.from_bytes, blobs) if not x.dtype]
        if missing:
            pos, neg, void = (sum(getattr(x, f) for x in missing) for f in ("positives", "negatives", "ignored"))
            found += zeros(found.dtype, pos, neg, void, found.limit)
        return found.pooled()

    def stack(self, blobs: Sequence[bytes], pooled: Scores) -> list[ImageScores]:
        return [ImageScores.from_bytes(b) for b in blobs]

    def sampler(self, units: Units, pooled: Scores, stacks: Iterable[list[ImageScores]]) -> CoarseScores:
        return _scores_by_unit(units, (s.coarse for stack in stacks for s in stack))


@dataclass(frozen=True)
class ClassMaps:
    """Score histograms of several classes: the pooled ones whole, of each image what `ImageClassScores` keeps."""

    facts: Facts
    stored: str = ImageClassScores.name

    @property
    def summed(self) -> str:
        """The name under which the sum is kept."""
        return ClassScores.name

    def pool(self, blocks: Iterable[Sequence[bytes]], summed: bytes | None) -> ClassScores:
        if summed is None:
            raise UsageError("there are no scores of classes to compute this from")
        found = ClassScores.from_bytes(summed).pooled()
        kept = (ImageClassScores.from_bytes(b) for blobs in blocks for b in blobs)
        missing = [zero_maps(x, found) for x in kept if x.missing]
        return reduce(add, missing, found) if missing else found

    def stack(self, blobs: Sequence[bytes], pooled: ClassScores) -> list[ImageClassScores]:
        kept = (ImageClassScores.from_bytes(b) for b in blobs)
        return [_as_zeros(x, pooled) if x.missing else x for x in kept]

    def sampler(self, units: Units, pooled: ClassScores, stacks: Iterable[list[ImageClassScores]]) -> CoarseClassScores:
        total: dict[int, list[CoarseScores]] = {}
        each = (s.coarse() for stack in stacks for s in stack)
        for unit, parts in zip(units.of.tolist(), each, strict=True):
            before = total.get(unit)
            total[unit] = parts if before is None else [a + b for a, b in zip(before, parts, strict=True)]
        by_unit = (total[u] for u in range(units.count))
        return CoarseClassScores.of(pooled.by_class, [CoarseScores.stack(x) for x in zip(*by_unit, strict=True)])


def _as_zeros(image: ImageClassScores, classes: ClassScores) -> ImageClassScores:
    """What is kept of an image without prediction, once it is known which classes there are."""
    whole = zero_maps(image, classes)

    def kept(s: Scores) -> ImageScores:
        exact = {name: parse(name).compute(s) for name in image.together.exact}
        return replace(ImageScores.of(s, exact, 0.5, ()), dtype="")

    return ImageClassScores({k: kept(s) for k, s in whole.by_class.items()}, kept(whole.exact()))


def _scores_by_unit(units: Units, found: Iterable[CoarseScores]) -> CoarseScores:
    """The sums of each unit on the coarse grid, as a stack."""
    total: dict[int, CoarseScores] = {}
    for unit, coarse in zip(units.of.tolist(), found, strict=True):
        total[unit] = total[unit] + coarse if unit in total else coarse
    return CoarseScores.stack(total[u] for u in range(units.count))
