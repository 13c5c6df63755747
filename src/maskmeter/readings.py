"""Readings: what the stored counts mean, once it is known what the data is.

What is stored of an image does not depend on the question: for two maps of integers it is the table of
all pairs of labels (`LabelCounts`), whether these are classes, ids of objects or 8-bit scores. The
*facts* of the whole data set say which. A *source* then makes statistics of the stored bytes: of all
images together (`pool`), or of a block of them one by one (`stack`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from operator import add
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError
from .kernels import ScoreCounts
from .labels import LabelSet
from .metrics import parse
from .shapes import SHAPES, view_of
from .statistics.by_class import ClassScores, CoarseClassScores, ImageClassScores, zero_maps
from .statistics.confusion import VOID, Confusion, LabelCounts, LabelTable, Reading, beside, read
from .statistics.detection_rules import rules_of
from .statistics.detections import Detections
from .statistics.detections import read as read_detections
from .statistics.encounters import Encounters
from .statistics.encounters import read as read_encounters
from .statistics.image_scores import ImageScores, binary_stack
from .statistics.object_scores import ObjectScores
from .statistics.overlap import Overlap, concatenate, of_objects
from .statistics.scored_overlaps import CITYSCAPES, of_overlap
from .statistics.scores import CoarseScores, Scores, zeros
from .statistics.shape import Classes, Shape
from .statistics.units import Units
from .uncertainty import Sampler

Ints = NDArray[np.int64]

JSON, STACKED, SCORED = "json", "stack", "masks"  # what `Facts.files` says of files that are no plain maps
DETECTED = (Detections.name, "boundary_detections", Encounters.name)


@dataclass(frozen=True)
class Facts:
    """What is true of all the data of an evaluation; every number depends on it, so the signature says it.

    task       "binary", "semantic", "instance" or "panoptic"; None until the first image decides
    labels     the labels that may occur
    ignore     void labels
    positive   the foreground labels of a binary task
    scores     where predictions are score maps: the type of a score ("u1", "u2", "f2", "f4", "f8")
    threshold  the score from which on a pixel counts as foreground
    logits     the scores are the logistic function of what the files hold
    searched   the threshold was not given but found, as the best for a metric
    missing    what was done about predictions that are not there, and how many there were
    extra      how many predictions without ground truth were left out
    region     whether a mask restricts the pixels
    convention  the rules of a reference implementation, for metrics that name none
    as_declared  areas and crowds of segments are taken as the file declares them, also against its pixels
    objects    the objects of an image were counted as such, with their classes or what else a metric needs
    class_axis  predictions are scores of several classes, along this axis
    class_files  the text that stands for each class in the names of files, where each has a file of its own
    several    a pixel may have several of the classes (multi-label)
    shapes     the statistics that were counted besides, because a metric asks for them
    spacing    of arrays that say nothing of it, along each axis in millimetres
    on         what of detections is judged: "mask" or "box"
    groups     of each class, ascending, how frequent LVIS calls it: 1 rare, 2 common, 3 frequent, 0 where nobody said
    files      how files hold objects: "" a map of ids, "json" PNGs of ids with JSON, "stack" and "masks" a mask each,
               else how class and number share a pixel (see `packings`)
    """

    task: str | None = None
    labels: LabelSet | None = None
    ignore: tuple[int, ...] = ()
    positive: tuple[int, ...] = (1,)
    scores: str = ""
    threshold: float = 0.5
    searched: bool = False
    logits: bool = False
    missing: tuple[str, int] | None = None
    extra: int = 0
    region: bool = False
    convention: str | None = None
    as_declared: bool = False
    objects: bool = False
    class_axis: int | None = None
    class_files: tuple[str, ...] = ()
    several: bool = False
    shapes: tuple[str, ...] = ()
    spacing: tuple[float, ...] | None = None
    on: str = ""
    groups: tuple[int, ...] = ()
    files: str = ""

    @property
    def view(self) -> str:
        """How the figures of classes are read: "labels", "binary" or "scores"."""
        return "scores" if self.scores else "binary" if self.task == "binary" else "labels"

    @property
    def reading(self) -> Reading:
        """How labels in files are read as classes."""
        binary = frozenset(self.positive) if self.task == "binary" else None
        return Reading(self.labels, self.ignore, binary, self.least if self.scores[:1] == "u" else None)

    @property
    def least(self) -> int:
        """The least integer score, as it stands in the file, that reaches the threshold."""
        top = int(np.iinfo(self.scores).max)
        least = math.ceil(self.threshold * top)
        # A score k is the float k / top, so of its neighbours it may be another one that just reaches.
        return next(k for k in (least - 1, least, least + 1) if k / top >= self.threshold)

    @property
    def signature(self) -> list[str]:
        """The facts that are not as they are by default, in a fixed order."""
        void = sorted({*self.ignore, *(self.labels.ignored if self.labels else ())})
        usual = self.task != "binary" or self.positive in ((1,), (255,), (1, 255))
        parts = {
            "convention": self.convention or "",
            "on": self.on,
            "areas": "declared" if self.as_declared else "",
            "ignore": ",".join(map(str, void)),
            "classes": self.labels.digest if self.labels else "",
            "positive": "" if usual else ",".join(map(str, self.positive)),
            "threshold": f"{self.threshold:.6g}{',fitted' if self.searched else ''}" if self.scores else "",
            "logits": ("logistic" if self.class_axis is None or self.several else "softmax") if self.logits else "",
            "region": "mask" if self.region else "",
            "spacing": ",".join(f"{x:g}" for x in self.spacing or ()),
            "missing": f"{self.missing[0]},{self.missing[1]}" if self.missing and self.missing[1] else "",
            "extra": f"skip,{self.extra}" if self.extra else "",
        }
        return [f"{k}:{v}" for k, v in parts.items() if v]


class Source(Protocol):
    """Makes the statistic of one name from what is stored."""

    @property
    def stored(self) -> str:
        """The name under which it is stored."""
        ...

    def pool(self, blocks: Iterable[Sequence[bytes]], summed: bytes | None) -> Any:
        """The statistic of all images together, of the images' bytes and of the sum that was kept, if any."""
        ...

    def stack(self, blobs: Sequence[bytes], pooled: Any) -> Any:
        """The statistics of some images: what a metric answers with a leading axis for."""
        ...

    def sampler(self, units: Units, pooled: Any, stacks: Iterable[Any]) -> Sampler:
        """What resamples of the images are drawn from."""
        ...


LACKING = {
    Overlap.name: "objects to compute this from; --task instance or panoptic reads maps as objects",
    Detections.name: "scored objects to compute this from; COCO JSON with scores has them",
    Encounters.name: "scored objects to compute this from; COCO JSON with scores has them",
    Confusion.name: "counts of pixels to compute this from; --task semantic or binary reads maps so",
    Scores.name: "score maps to compute this from",
}
"""What a task lacks, by the statistic that a metric is a formula over, and how to get it."""


def statistics_of(facts: Facts) -> dict[str, Callable[[Facts], Source]]:
    """The statistics that a task has, by their names, and what makes them."""
    if facts.task == "detection" and facts.on:
        return {**{name: partial(Judgements, stored=name) for name in DETECTED[:2]}, Encounters.name: Met}
    if facts.task == "detection":
        return {Overlap.name: Segmented, Detections.name: ScoredOverlaps}
    if facts.objects:
        return {Overlap.name: Segmented}
    if facts.task == "instance":
        return {Overlap.name: Objects}
    if facts.class_axis is not None:
        return {**({} if facts.several else {Confusion.name: Confusions}), Scores.name: ClassMaps}
    shapes: dict[str, Callable[[Facts], Source]] = {
        name: partial(Shapes, kind=SHAPES[name]) for name in facts.shapes if name in SHAPES
    }
    if facts.scores and ObjectScores.name in facts.shapes:
        shapes[ObjectScores.name] = ScoredObjects
    if facts.scores[:1] == "f":
        return {Confusion.name: FloatConfusions, Scores.name: FloatScores, **shapes}
    return {Confusion.name: Confusions, **({Scores.name: IntegerScores} if facts.scores else {}), **shapes}


def source(name: str, facts: Facts) -> Source:
    """Where the statistic `name` comes from. Raises UsageError where the task has none."""
    found = statistics_of(facts).get(name)
    if found is None:
        kind = f"task {facts.task}" + (" without score maps" if facts.task == "binary" and not facts.scores else "")
        raise UsageError(f"{kind} has no {LACKING.get(name, f'{name} to compute this from')}")
    return found(facts)


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


@dataclass(frozen=True)
class Objects:
    """Objects and what they share, from tables of labels that are ids; 0 is background."""

    facts: Facts
    stored: str = LabelCounts.name

    def pool(self, blocks: Iterable[Sequence[bytes]], summed: bytes | None) -> Overlap:
        return concatenate([self._overlap(b) for blobs in blocks for b in blobs])

    def stack(self, blobs: Sequence[bytes], pooled: Overlap) -> Overlap:
        return concatenate([self._overlap(b) for b in blobs]).by_image()

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
        o = concatenate([Overlap.from_bytes(b) for b in blobs]).under(self.facts.labels)
        if self.facts.as_declared:
            return o
        return replace(o, gt_area=o.gt_size, gt_crowd=np.minimum(o.gt_crowd, 1))


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


def _scores_by_unit(units: Units, found: Iterable[CoarseScores]) -> CoarseScores:
    """The sums of each unit on the coarse grid, as a stack."""
    total: dict[int, CoarseScores] = {}
    for unit, coarse in zip(units.of.tolist(), found, strict=True):
        total[unit] = total[unit] + coarse if unit in total else coarse
    return CoarseScores.stack(total[u] for u in range(units.count))
