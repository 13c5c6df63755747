"""Counting one image: from two files to a record. This is what a worker does, and all that it needs.

A `Job` names the files of one image, a `Plan` says what is true of all of them; both can be sent to
another process. What is wrong with a file becomes a `Failure`, not an exception: the images that are
in order are kept.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, LabelError
from .formats.label_maps import Opened, OpenedScores, open_label_map, open_prediction, open_region
from .masks import LabelMap, label_map, pair
from .metrics import parse
from .records import Record
from .segments import Segments
from .statistics import Scores, scores
from .statistics.confusion import MAX_CLASSES, VOID, LabelCounts, Reading, count_labels
from .statistics.image_scores import ImageScores

Region = NDArray[np.bool_] | None

FOREGROUND = frozenset({1, 255})  # what stands for foreground in masks where nobody said


class Job(NamedTuple):
    """The files of one image; no prediction means an empty one. `segments` are those that JSON lists, of both sides."""

    name: str
    gt: Path
    pred: Path | None
    region: Path | None = None
    segments: tuple[Segments, Segments] | None = None


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
    """

    reading: Reading
    task: str = "auto"
    max_pixels: int | None = None
    threshold: float = 0.5
    logits: bool = False
    curves: tuple[str, ...] = ()

    def count(self, job: Job) -> Record:
        """Count two label maps, or a label map and a map of scores."""
        return _count(job, self)

    def digests(self, job: Job) -> Digests:
        """Of both files."""
        return digest_of(job.gt), digest_of(job.pred)


def digest_of(path: Path | None) -> str | None:
    """The digest of a file's bytes; None where there is none."""
    try:
        return None if path is None else sha256(path.read_bytes()).hexdigest()
    except OSError:
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
        return plan.count(job)
    except DataError as error:
        return Failure(job.name, error.at(job.pred or job.gt))


def _count(job: Job, plan: Plan) -> Record:
    gt = open_label_map(job.gt, plan.reading.labels, plan.max_pixels)
    region = None if job.region is None else region_of(job.region, gt.map.array.shape, plan.max_pixels)
    if job.pred is None:
        counts = _without_prediction(gt.map.array, region)
        _check(plan, counts.a, "ground truth", job.gt)
        return _record(job, gt, None, {LabelCounts.name: counts.to_bytes(), **_no_scores(plan, gt, region)})
    pred = open_prediction(job.pred, plan.reading.labels, plan.max_pixels)
    if isinstance(pred, OpenedScores) and plan.task in ("auto", "binary"):
        return _count_floats(job, plan, gt, pred, region)
    if isinstance(pred, OpenedScores):
        found = label_map(pred.scores, spacing=pred.spacing, affine=pred.affine)
    else:
        found = pred.map
    return _record(job, gt, pred, {LabelCounts.name: _labels(job, plan, gt, found, region).to_bytes()})


def _labels(job: Job, plan: Plan, gt: Opened, pred: LabelMap, region: Region) -> LabelCounts:
    pair(gt.map, pred)
    counts = count_labels(gt.map.array, pred.array, region)
    _check(plan, counts.a, "ground truth", job.gt)
    _check(plan, counts.b, "prediction", job.pred or job.gt)
    return counts


def _count_floats(job: Job, plan: Plan, gt: Opened, pred: OpenedScores, region: Region) -> Record:
    """Floats: scores, labels, or something that may be either."""
    pair(gt.map, LabelMap(pred.scores, spacing=pred.spacing, affine=pred.affine))
    statistics: dict[str, bytes] = {}
    if pred.map is not None and not plan.logits:
        statistics[LabelCounts.name] = _labels(job, plan, gt, pred.map, region).to_bytes()
    try:
        found, kept = _scores(plan, gt, pred.scores, region, plan.logits)
    except DataError:
        if statistics:  # float labels of several classes
            return _record(job, gt, pred, statistics)
        if not _two_valued(plan, gt, region):
            label_map(pred.scores)  # no question of scores: say what is wrong with these labels
        raise
    return _record(job, gt, pred, {**statistics, ImageScores.name: kept.to_bytes()}, {Scores.name: found})


def _two_valued(plan: Plan, gt: Opened, region: Region) -> bool:
    seen = np.unique(count_labels(gt.map.array, gt.map.array, region).a)
    return seen[~np.isin(seen, plan.reading.ignore)].size <= 2


def _no_scores(plan: Plan, gt: Opened, region: Region) -> dict[str, bytes]:
    """A prediction that is not there as a map of zeros, in case the others are maps of floats."""
    if plan.task not in ("auto", "binary"):
        return {}
    try:
        _, kept = _scores(plan, gt, np.zeros(gt.map.array.shape, np.float16), region, False)
    except DataError:  # a ground truth that scores do not go with
        return {}
    return {ImageScores.name: replace(kept, dtype="").to_bytes()}


def _scores(plan: Plan, gt: Opened, score: NDArray[Any], region: Region, logits: bool) -> tuple[Scores, ImageScores]:
    """The histogram of a map, and what is kept of it by image."""
    named = plan.reading.positive
    positive = None if named in (None, FOREGROUND) else sorted(named or ())
    found = scores(gt.map, score, ignore=plan.reading.ignore, mask=region, positive=positive, logits=logits)
    exact = {name: parse(name).compute(found) for name in plan.curves}
    labels = tuple(np.unique(count_labels(gt.map.array, gt.map.array, region).a).tolist())
    return found, ImageScores.of(found, exact, plan.threshold, labels)


def _record(
    job: Job,
    gt: Opened,
    pred: Opened | OpenedScores | None,
    statistics: Mapping[str, bytes],
    pooled: Mapping[str, Scores] | None = None,
) -> Record:
    notes = (*(f"ground truth: {n}" for n in gt.notes), *(f"prediction: {n}" for n in (pred.notes if pred else ())))
    return Record(
        job.name,
        statistics,
        gt.map.array.shape,
        gt=os.path.abspath(job.gt),
        pred=None if job.pred is None else os.path.abspath(job.pred),
        region=None if job.region is None else os.path.abspath(job.region),
        digests=(gt.digest, None if pred is None else pred.digest),
        notes=notes,
        pooled=pooled or {},
    )


def region_of(path: Path, shape: tuple[int, ...], max_pixels: int | None) -> NDArray[np.bool_]:
    """The pixels to count of an image of this shape."""
    region = open_region(path, max_pixels).array
    if region.shape != shape:
        raise LabelError(f"shape {region.shape} of the mask differs from {shape} of its image", path)
    return region if region.dtype == np.bool_ else region != 0


def _without_prediction(gt: NDArray[Any], region: Region) -> LabelCounts:
    counts = count_labels(gt, gt, region)
    return LabelCounts(counts.a, np.full_like(counts.b, VOID), counts.n, counts.left_out)


def _check(plan: Plan, seen: NDArray[np.int64], side: str, path: Path) -> None:
    """Raise where a file holds labels that cannot be right whatever the other files hold."""
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
