"""Counting one image: from two files to a record. This is what a worker does, and all that it needs.

A `Job` names the files of one image, a `Plan` says what is true of all of them; both can be sent to
another process. What is wrong with a file becomes a `Failure`, not an exception: the images that are
in order are kept.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, LabelError
from .formats import address, digest_of_file
from .formats.label_maps import SLICE, Opened, OpenedScores, open_label_map, open_prediction, open_region, open_stack
from .formats.remote import Unreachable
from .masks import LabelMap, Spacing, label_map, pair, same_shape
from .metrics import parse
from .pairing import Pair, named
from .records import Record
from .segments import Segments
from .shapes import View, count_shapes, joined, views
from .statistics.confusion import MAX_CLASSES, VOID, LabelCounts, Reading, count_labels
from .statistics.details import Wanted
from .statistics.image_scores import ImageScores
from .statistics.instances import overlap
from .statistics.object_scores import ObjectScores
from .statistics.overlap import Overlap
from .statistics.score_maps import GREATEST, logistic
from .statistics.scores import Scores, scores
from .statistics.shape import Need, Needs
from .thresholded import object_scores

Region = NDArray[np.bool_] | None

FOREGROUND = frozenset({1, 255})  # what stands for foreground in masks where nobody said


class Job(NamedTuple):
    """The files of one image; no prediction means an empty one. `segments` are those that JSON lists, of both sides."""

    name: str
    gt: Path
    pred: Path | None
    region: Path | None = None
    segments: tuple[Segments, Segments] | None = None


@dataclass(frozen=True)
class Jobs(Sequence[Job]):
    """The jobs of very many pairs, sorted by name; each is made when it is asked for.

    pairs     those of the whole data set
    regions   the masks of pixels that count, whose `pred` is theirs; None where there are none
    segments  those that JSON lists, by name
    order     which of the pairs they are
    """

    pairs: Sequence[Pair]
    regions: Sequence[Pair] | None = None
    segments: Mapping[str, tuple[Segments, Segments]] = field(default_factory=dict[str, Any])
    order: range | None = None

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, at: int) -> Job: ...
    @overload
    def __getitem__(self, at: slice) -> Jobs: ...
    def __getitem__(self, at: int | slice) -> Job | Jobs:
        if isinstance(at, slice):
            return replace(self, order=self._order[at])
        pair = self.pairs[self._order[at]]
        region = None if self.regions is None else named(self.regions, pair.name)
        return Job(pair.name, pair.gt, pair.pred, region and region.pred, self.segments.get(pair.name))

    def find(self, name: str) -> Job | None:
        """The job of a name, if there is one."""
        at = bisect_left(self, name, key=lambda job: job.name)
        return self[at] if at < len(self) and self[at].name == name else None

    @property
    def _order(self) -> range:
        return range(len(self.pairs)) if self.order is None else self.order


Digests = tuple[str | None, str | None]


class Counter(Protocol):
    """A way to count an image. Raises DataError for one that is not fit.

    `digests` are those that its record would have now, as far as the files can be read.
    """

    def count(self, job: Job) -> Record: ...
    def digests(self, job: Job) -> Digests: ...


@dataclass(frozen=True)
class Plan:
    """What is true of all images.

    reading     how labels are read
    task        "auto" where all images together decide
    max_pixels  larger images are refused
    threshold   score maps of floats: the score from which on a pixel counts as foreground
    logits      floats are logits
    curves      metrics whose values of each image are kept exactly, where its scores are not kept
    shapes      statistics of shapes that a metric asks for, and what they need to know
    objects     the rules under which a metric wants whole objects counted against the threshold
    foreground  the labels that are positive if it is a binary question
    spacing     of arrays in files that say nothing of it, along each axis in millimetres
    volumes     the same as `shapes`, of volumes with spacing alone, where nobody says which metrics
    """

    reading: Reading
    task: str = "auto"
    max_pixels: int | None = None
    threshold: float = 0.5
    logits: bool = False
    curves: tuple[str, ...] = ()
    shapes: Needs = field(default_factory=dict[str, Any])
    objects: tuple[Need, ...] = ()
    foreground: frozenset[int] = FOREGROUND
    spacing: Spacing | None = None
    volumes: Needs = field(default_factory=dict[str, Any])

    def count(self, job: Job) -> Record:
        """Count two label maps, or a label map and a map of scores."""
        return _count(job, self)

    def digests(self, job: Job) -> Digests:
        """Of both files."""
        return digest_of(job.gt), digest_of(job.pred)


@dataclass(frozen=True)
class ObjectPlan:
    """Maps of ids of which more is counted than the pixels that they share; 0 is background."""

    ignore: tuple[int, ...]
    wanted: Wanted
    max_pixels: int | None = None

    def count(self, job: Job) -> Record:
        """Count the objects of two maps of ids."""
        gt = open_label_map(job.gt, None, self.max_pixels)
        pred = None if job.pred is None else open_label_map(job.pred, None, self.max_pixels)
        region = None if job.region is None else region_of(job.region, gt.map.array.shape, self.max_pixels)
        found = LabelMap(np.zeros(gt.map.array.shape, np.uint8)) if pred is None else pred.map
        pair(gt.map, found)
        _check_numbers(gt, job.gt)
        counts = overlap(
            _ids(gt.map), _ids(found), ignore=self.ignore, mask=region,
            boundary=self.wanted.boundary, centres=self.wanted.centres,
        )  # fmt: skip
        return record_of(job, gt, pred, {Overlap.name: counts.to_bytes()})

    def digests(self, job: Job) -> Digests:
        """Of both files."""
        return digest_of(job.gt), digest_of(job.pred)


@dataclass(frozen=True)
class StackPlan:
    """Stacks of masks, each an object, which may overlap on either side."""

    max_pixels: int | None = None

    def count(self, job: Job) -> Record:
        """Count two stacks of masks."""
        gt = open_stack(job.gt, self.max_pixels)
        pred = None if job.pred is None else open_stack(job.pred, self.max_pixels)
        shape = gt.map.array.shape[1:]
        if pred is not None:
            same_shape(shape, pred.map.array.shape[1:])
        none = np.empty((0, *shape), np.bool_)
        try:
            counts = overlap(gt.map.array, none if pred is None else pred.map.array, stack=True)
        except LabelError as error:
            raise error.at(job.gt if "ground truth" in error.message else job.pred or job.gt) from None
        return replace(record_of(job, gt, pred, {Overlap.name: counts.to_bytes()}), shape=shape)

    def digests(self, job: Job) -> Digests:
        """Of both files."""
        return digest_of(job.gt), digest_of(job.pred)


def _check_numbers(opened: Opened, path: Path) -> None:
    """Raise where objects are asked for and classes were read."""
    if opened.numbered:
        raise LabelError("holds a class and a number at each point; read both with --convention semantickitti", path)


def _ids(found: LabelMap) -> NDArray[Any]:
    """A map of ids; a mask holds one object at most."""
    return found.array.view(np.uint8) if found.array.dtype == np.bool_ else found.array


def digest_of(path: Path | None) -> str | None:
    """The digest of a file's bytes; None where there is none. Raises Unreachable where that cannot be known now."""
    try:
        return None if path is None else digest_of_file(path)
    except Unreachable:
        raise
    except (OSError, DataError):
        return None


class Failure(NamedTuple):
    """An image that is not fit to evaluate, and the one line that says why."""

    name: str
    error: DataError


def count_batch(jobs: Sequence[Job], plan: Counter, ticket: int = 0) -> list[Record | Failure]:
    """Count several images. Engines that remember answers by their arguments are asked anew with another `ticket`."""
    return [count_image(job, plan) for job in jobs]


def count_image(job: Job, plan: Counter) -> Record | Failure:
    """Count one image."""
    try:
        return replace(plan.count(job), region_digest=digest_of(job.region))
    except DataError as error:
        return Failure(job.name, error.at(job.pred or job.gt))


def _count(job: Job, plan: Plan) -> Record:
    gt = open_label_map(job.gt, plan.reading.labels, plan.max_pixels, plan.spacing)
    if plan.task == "instance":
        _check_numbers(gt, job.gt)
    region = None if job.region is None else region_of(job.region, gt.map, plan.max_pixels, plan.spacing)
    if job.pred is None:
        counts = without_prediction(gt.map.array, region)
        check_labels(plan, counts.a, "ground truth", job.gt)
        shapes = _shapes(_shaped(plan, gt), gt.map, None, region, counts)
        none = _no_scores(plan, gt, region)
        return record_of(job, gt, None, {LabelCounts.name: counts.to_bytes(), **shapes, **none})
    pred = open_prediction(job.pred, plan.reading.labels, plan.max_pixels, plan.spacing)
    if isinstance(pred, OpenedScores) and plan.task in ("auto", "binary"):
        return _count_floats(job, plan, gt, pred, region)
    if isinstance(pred, OpenedScores):
        found = label_map(pred.scores, spacing=pred.spacing, affine=pred.affine)
    else:
        found = pred.map
    counts = _labels(job, plan, gt, found, region)
    plan = _shaped(plan, gt, found.spacing)
    shapes = _shapes(plan, gt.map, found, region, counts)
    objects = _objects_of_integers(plan, gt, found.array, region)
    return record_of(job, gt, pred, {LabelCounts.name: counts.to_bytes(), **shapes, **objects})


def _labels(job: Job, plan: Plan, gt: Opened, pred: LabelMap, region: Region) -> LabelCounts:
    pair(gt.map, pred)
    counts = count_labels(gt.map.array, pred.array, region)
    check_labels(plan, counts.a, "ground truth", job.gt)
    check_labels(plan, counts.b, "prediction", job.pred or job.gt)
    return counts


def _count_floats(job: Job, plan: Plan, gt: Opened, pred: OpenedScores, region: Region) -> Record:
    """Floats: scores, labels, or something that may be either."""
    pair(gt.map, LabelMap(pred.scores, spacing=pred.spacing, affine=pred.affine))
    plan = _shaped(plan, gt, pred.spacing)
    statistics: dict[str, bytes] = {}
    shapes: dict[str, bytes] = {}
    if pred.map is not None and not plan.logits:
        counts = _labels(job, plan, gt, pred.map, region)
        statistics[LabelCounts.name] = counts.to_bytes()
        shapes = _shapes(plan, gt.map, pred.map, region, counts)
    try:
        found, kept = _scores(plan, gt, pred.scores, region, plan.logits)
    except DataError:
        if statistics:  # float labels of several classes
            return record_of(job, gt, pred, {**statistics, **shapes})
        if not _two_valued(plan, gt, region):
            label_map(pred.scores)  # no question of scores: say what is wrong with these labels
        raise
    statistics |= joined(shapes, _shapes_of_scores(plan, gt.map, pred, region))
    statistics |= _objects(plan, gt, pred.scores, region, plan.logits)
    return record_of(job, gt, pred, {**statistics, ImageScores.name: kept.to_bytes()}, {Scores.name: found})


def _shaped(plan: Plan, gt: Opened, other: Spacing | None = None) -> Plan:
    """The plan for this image: where nobody says which metrics, a volume with spacing has shapes as well."""
    volume = (gt.map.spacing or other) and (gt.map.array.ndim == 3 or SLICE in gt.notes)
    return replace(plan, shapes=plan.volumes) if volume and plan.volumes else plan


def _shapes(plan: Plan, gt: LabelMap, pred: LabelMap | None, region: Region, counts: LabelCounts) -> dict[str, bytes]:
    """The shapes of two maps of labels, under every view that may turn out to be right."""
    if not plan.shapes:
        return {}
    labels = np.unique(counts.a), np.unique(counts.b)
    scored = plan.threshold if pred is None else None  # the other predictions may be maps of scores
    if pred is not None and pred.array.dtype.kind == "u" and pred.array.dtype.itemsize <= 2:
        scored = plan.threshold * GREATEST[pred.array.dtype.newbyteorder("=")]
    task = plan.task if plan.foreground == FOREGROUND else "binary"
    known = views(plan.reading, task, labels[0], scored, plan.foreground)
    return count_shapes(replace(gt, counted=_counted(plan, gt, region, labels[0])), pred, labels, known, plan.shapes)


def _shapes_of_scores(plan: Plan, gt: LabelMap, pred: OpenedScores, region: Region) -> dict[str, bytes]:
    """The shapes of what reaches the threshold in a map of floats."""
    if not plan.shapes:
        return {}
    seen = np.unique(count_labels(gt.array, gt.array, region).a)
    counted = _counted(plan, gt, region, seen)
    found = logistic(pred.scores, counted) if plan.logits else pred.scores
    above = LabelMap(found >= np.float64(plan.threshold), spacing=pred.spacing)
    positive = Reading(plan.reading.labels, plan.reading.ignore, plan.reading.positive or plan.foreground).class_of
    view = {"scores": View((1,), positive, np.asarray)}
    return count_shapes(replace(gt, counted=counted), above, (seen, np.arange(2)), view, plan.shapes)


def _counted(plan: Plan, gt: LabelMap, region: Region, seen: NDArray[np.int64]) -> Region:
    """The pixels that count: inside the mask, and not void."""
    void = seen[plan.reading.class_of(seen) == VOID]
    if not void.size:
        return region
    valid = ~np.isin(gt.array, void)
    return valid if region is None else valid & region


def _two_valued(plan: Plan, gt: Opened, region: Region) -> bool:
    seen = np.unique(count_labels(gt.map.array, gt.map.array, region).a)
    return seen[~np.isin(seen, plan.reading.ignore)].size <= 2


def _no_scores(plan: Plan, gt: Opened, region: Region) -> dict[str, bytes]:
    """A prediction that is not there as a map of zeros, in case the others are maps of floats."""
    if plan.task not in ("auto", "binary"):
        return {}
    zeros = np.zeros(gt.map.array.shape, np.float16)
    try:
        _, kept = _scores(plan, gt, zeros, region, False)
    except DataError:  # a ground truth that scores do not go with
        return {}
    return {ImageScores.name: replace(kept, dtype="").to_bytes(), **_objects(plan, gt, zeros, region, False)}


def _objects(plan: Plan, gt: Opened, score: NDArray[Any], region: Region, logits: bool) -> dict[str, bytes]:
    """Whole objects against the threshold, where a metric asks for them."""
    if not plan.objects:
        return {}
    found = object_scores(
        gt.map, score, needs=plan.objects, ignore=plan.reading.ignore, mask=region, positive=positive_labels(plan),
        logits=logits,
    )  # fmt: skip
    return {ObjectScores.name: found.to_bytes()}


def _objects_of_integers(plan: Plan, gt: Opened, pred: NDArray[Any], region: Region) -> dict[str, bytes]:
    """The same of a map of integers, in case these are scores."""
    if pred.dtype.newbyteorder("=") not in GREATEST or plan.task not in ("auto", "binary"):
        return {}
    try:
        return _objects(plan, gt, pred, region, False)
    except DataError:  # a ground truth that scores do not go with
        return {}


def _scores(plan: Plan, gt: Opened, score: NDArray[Any], region: Region, logits: bool) -> tuple[Scores, ImageScores]:
    """The histogram of a map, and what is kept of it by image."""
    found = scores(
        gt.map, score, ignore=plan.reading.ignore, mask=region, positive=positive_labels(plan), logits=logits
    )
    labels = np.unique(count_labels(gt.map.array, gt.map.array, region).a)
    return found, kept_of(plan, found, labels)


def kept_of(plan: Plan, found: Scores, labels: NDArray[np.int64]) -> ImageScores:
    """What is kept of an image's exact histogram; `labels` are those of its ground truth."""
    exact = {name: parse(name).compute(found) for name in plan.curves}
    return ImageScores.of(found, exact, plan.threshold, tuple(labels.tolist()))


def positive_labels(plan: Plan) -> list[int] | None:
    """The labels that were said to be positive."""
    return None if plan.foreground == FOREGROUND else sorted(plan.foreground)


def record_of(
    job: Job,
    gt: Opened,
    pred: Opened | OpenedScores | None,
    statistics: Mapping[str, bytes],
    pooled: Mapping[str, Scores] | None = None,
) -> Record:
    """An image's record, of what was counted and what its files say."""
    notes = (*(f"ground truth: {n}" for n in gt.notes), *(f"prediction: {n}" for n in (pred.notes if pred else ())))
    spacing = None if pred is None else pred.map.spacing if isinstance(pred, Opened) else pred.spacing
    return Record(
        job.name,
        statistics,
        gt.map.array.shape,
        gt=address(job.gt),
        pred=None if job.pred is None else address(job.pred),
        region=None if job.region is None else address(job.region),
        digests=(gt.digest, None if pred is None else pred.digest),
        notes=notes,
        pooled=pooled or {},
        spacing=gt.map.spacing or spacing,
    )


def region_of(
    path: Path, image: LabelMap | tuple[int, ...], max_pixels: int | None, spacing: Spacing | None = None
) -> NDArray[np.bool_]:
    """The pixels to count of an image (or only its shape). Raises LabelError where the mask lies elsewhere."""
    found = open_region(path, max_pixels, spacing)
    check_region(path, image, found)
    region = found.array
    return region if region.dtype == np.bool_ else region != 0


def check_region(path: Path, image: LabelMap | tuple[int, ...], found: LabelMap) -> None:
    """Raise LabelError where the mask of the pixels to count lies elsewhere than its image (or has another shape)."""
    shape = image.array.shape if isinstance(image, LabelMap) else image
    if found.array.shape != shape:
        raise LabelError(f"shape {found.array.shape} of the mask differs from {shape} of its image", path)
    try:
        if isinstance(image, LabelMap):
            pair(image, found)
    except LabelError as error:
        raise LabelError(
            f"lies elsewhere than its image: {error.message.replace('prediction', 'mask')}", path
        ) from None


def without_prediction(gt: NDArray[Any], region: Region) -> LabelCounts:
    """The labels of a ground truth whose prediction is missing."""
    counts = count_labels(gt, gt, region)
    return LabelCounts(counts.a, np.full_like(counts.b, VOID), counts.n, counts.left_out)


def check_labels(plan: Plan, seen: NDArray[np.int64], side: str, path: Path) -> None:
    """Raise LabelError where a file holds labels that cannot be right whatever the other files hold."""
    try:
        if plan.task == "binary":
            _check_binary(plan.reading, seen, side)
        else:
            plan.reading.check(seen, side)
        if plan.task == "semantic":
            _check_few(seen)
    except DataError as error:
        raise error.at(path) from None


def _check_few(seen: NDArray[np.int64]) -> None:
    if (many := np.unique(seen).size) > MAX_CLASSES:
        raise LabelError(
            f"holds {many} different labels, more than the {MAX_CLASSES} classes of a semantic map; "
            "if these are ids of objects, pass --task instance"
        )


def _check_binary(reading: Reading, seen: NDArray[np.int64], side: str) -> None:
    """Two values in the ground truth; a prediction with more is a map of scores."""
    if side == "prediction":
        return
    values = set(np.unique(seen).tolist()) - set(reading.ignore)
    positive = reading.positive
    if positive == FOREGROUND and not (values <= {0, 1} or values <= {0, 255}):
        few = ", ".join(str(v) for v in sorted(values)[:8]) + (", ..." if len(values) > 8 else "")
        raise LabelError(
            f"the {side} holds {len(values)} values ({few}) where a binary mask has two, 0 and 1 or 0 and 255; "
            "save it without loss, or say with --positive which label is the foreground"
        )
