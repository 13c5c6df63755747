"""Objects and detections from what is stored: tables of ids, segments, scored masks, judged detections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..facts import Facts
from ..labels import LabelSet
from ..statistics.confusion import VOID, LabelCounts
from ..statistics.detection_rules import rules_of
from ..statistics.detections import Detections
from ..statistics.detections import read as read_detections
from ..statistics.encounters import Encounters
from ..statistics.encounters import read as read_encounters
from ..statistics.overlap import Overlap, concatenate, of_objects
from ..statistics.scored_overlaps import CITYSCAPES, of_overlap
from ..statistics.units import Units
from ..uncertainty import Sampler

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Objects:
    """Objects and what they share, from tables of labels that are ids; 0 is background."""

    facts: Facts
    stored: str = LabelCounts.name

    def pool(self, blocks: Iterable[Sequence[bytes]], summed: bytes | None) -> Overlap:
        return _joined(self._overlap, [b for blobs in blocks for b in blobs])

    def stack(self, blobs: Sequence[bytes], pooled: Overlap) -> Overlap:
        return _joined(self._overlap, blobs).by_image()

    def whole(self, pooled: Overlap) -> Overlap:
        """The stack of all images, of what was pooled of them: the same objects, kept once."""
        return pooled.by_image()

    def sampler(self, units: Units, pooled: Overlap, stacks: Iterable[Overlap]) -> Sampler:
        return _ByUnit(pooled, units)

    def _overlap(self, blob: bytes) -> Overlap:
        counts = LabelCounts.from_bytes(blob)
        void_a = np.isin(counts.a, self.facts.ignore)
        no_object = [0, int(VOID), *self.facts.ignore]
        gt = ~np.isin(counts.a, no_object)
        pred = ~np.isin(counts.b, no_object)
        gt_ids, at_a = np.unique(counts.a[gt], return_inverse=True)
        pred_ids, at_b = np.unique(counts.b[pred], return_inverse=True)
        gt_size, (pred_size, pred_void) = np.zeros(gt_ids.size, np.int64), np.zeros((2, pred_ids.size), np.int64)
        np.add.at(gt_size, at_a, counts.n[gt])
        np.add.at(pred_size, at_b, np.where(void_a, 0, counts.n)[pred])
        np.add.at(pred_void, at_b, np.where(void_a, counts.n, 0)[pred])
        both = gt & pred
        pairs = (np.searchsorted(gt_ids, counts.a[both]), np.searchsorted(pred_ids, counts.b[both]), counts.n[both])
        return of_objects(
            {"id": gt_ids, "size": gt_size},
            {"id": pred_ids, "size": pred_size, "void": pred_void},
            pairs,
            int(counts.n[~void_a].sum()),
        )


@dataclass(frozen=True)
class Segmented:
    """Segments and what they share, as they were counted; what the file declares against its pixels is left aside."""

    facts: Facts
    stored: str = Overlap.name

    def pool(self, blocks: Iterable[Sequence[bytes]], summed: bytes | None) -> Overlap:
        return self._read([b for blobs in blocks for b in blobs])

    def stack(self, blobs: Sequence[bytes], pooled: Overlap) -> Overlap:
        classes = {"classes": pooled.classes, "averaged": pooled.averaged, "thing": pooled.thing}
        return replace(self._read(blobs), **classes).by_image()

    def whole(self, pooled: Overlap) -> Overlap:
        """The stack of all images, of what was pooled of them: the same objects, kept once."""
        return pooled.by_image()

    def sampler(self, units: Units, pooled: Overlap, stacks: Iterable[Overlap]) -> Sampler:
        return _ByUnit(pooled, units)

    def _read(self, blobs: Sequence[bytes]) -> Overlap:
        o = _joined(Overlap.from_bytes, blobs).under(self.facts.labels)
        if self.facts.as_declared:
            return o
        return replace(o, gt_area=o.gt_size, gt_crowd=np.minimum(o.gt_crowd, 1))


def _joined(read: Callable[[bytes], Overlap], blobs: Sequence[bytes], part: int = 64) -> Overlap:
    """The objects of all images as one, some images at a time: so the room of small arrays is used again."""
    some = (blobs[k : k + part] for k in range(0, len(blobs), part))
    return concatenate([concatenate([read(b) for b in few]) for few in some])


@dataclass(frozen=True)
class ScoredOverlaps:
    """Detections from the objects that scored masks share with those of a map (Cityscapes)."""

    facts: Facts
    stored: str = Overlap.name

    def pool(self, blocks: Iterable[Sequence[bytes]], summed: bytes | None) -> Detections:
        return of_overlap(Segmented(self.facts).pool(blocks, summed), CITYSCAPES)

    def stack(self, blobs: Sequence[bytes], pooled: Detections) -> Detections:
        whole = Segmented(self.facts).pool([blobs], None)
        found = of_overlap(whole, CITYSCAPES)
        return replace(found.among(pooled.classes), averaged=pooled.averaged, whole=pooled).by_image()

    def sampler(self, units: Units, pooled: Detections, stacks: Iterable[Detections]) -> Sampler:
        return _ByUnit(pooled, units)


@dataclass(frozen=True)
class Judgements:
    """Detections as they were judged when they were counted."""

    facts: Facts
    stored: str = Detections.name

    def pool(self, blocks: Iterable[Sequence[bytes]], summed: bytes | None) -> Detections:
        return self._read([b for blobs in blocks for b in blobs])

    def stack(self, blobs: Sequence[bytes], pooled: Detections) -> Detections:
        return replace(self._read(blobs), whole=pooled).by_image()

    def sampler(self, units: Units, pooled: Detections, stacks: Iterable[Detections]) -> Sampler:
        return _ByUnit(pooled, units)

    def _read(self, blobs: Sequence[bytes]) -> Detections:
        rules = rules_of(self.facts.convention)
        if self.stored != Detections.name:
            rules = rules.bounded
        classes, group, averaged = _classes_of(self.facts)
        found = read_detections(blobs, rules, classes, group, binary=self.facts.labels is None)
        return replace(found, averaged=averaged)


@dataclass(frozen=True)
class Met:
    """Detections with all that they meet."""

    facts: Facts
    stored: str = Encounters.name

    def pool(self, blocks: Iterable[Sequence[bytes]], summed: bytes | None) -> Encounters:
        return self._read([b for blobs in blocks for b in blobs])

    def stack(self, blobs: Sequence[bytes], pooled: Encounters) -> Encounters:
        return self._read(blobs).by_image()

    def sampler(self, units: Units, pooled: Encounters, stacks: Iterable[Encounters]) -> Sampler:
        return _ByUnit(pooled, units)

    def _read(self, blobs: Sequence[bytes]) -> Encounters:
        classes, group, averaged = _classes_of(self.facts)
        rules = rules_of(self.facts.convention)
        found = read_encounters(blobs, rules, classes, group, binary=self.facts.labels is None)
        return replace(found, averaged=averaged)


def _classes_of(facts: Facts) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """The classes of detections, how frequent LVIS calls each, and which are in the means."""
    labels = facts.labels or LabelSet(())
    classes = np.array(labels.classes or [1], np.int64)  # objects without classes are all of class 1
    group = np.array(facts.groups or [0] * classes.size, np.int64)
    return classes, group, ~np.isin(classes, [x.id for x in labels if not x.average])


@dataclass(frozen=True)
class _ByUnit:
    """Resamples of objects, whose images are drawn by units."""

    overlap: Overlap | Detections | Encounters
    units: Units

    def resampled(self, weights: NDArray[np.float64]) -> Any:
        return self.overlap.resampled(weights if self.units.apart else weights[:, self.units.of])
