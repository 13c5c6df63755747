"""Score maps of several classes: how a run counts them.

Layouts. A prediction is one array with an axis of classes more than its image; which axis that is must be said
(`--class-axis 0` for (C, H, W), `--class-axis -1` for (H, W, C)) and is never guessed. Along it lie the labels of
the label file or of `--classes` in ascending order, void ones left out; without either 0, 1, 2, ...

Or each class has a file of its own (class_files.py); then these are laid on one another, the classes first.

Ground truth. A label map says which one class a pixel has: logits become scores by the softmax over the classes,
and the class with the greatest score (of equals the first) is the predicted label, for the metrics of regions. A
stack of masks with the same axis of classes says of each class whether a pixel has it (multi-label): logits become
scores one by one, and there is no predicted label. A prediction that is missing counts as 0 for every class, and its
pixels have no predicted label.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .class_files import FIELD, digest_at, open_masks, open_scores
from .counting import Digests, Job, digest_of, region_of
from .errors import DataError, LabelError, UsageError
from .facts import Facts
from .formats import address
from .formats.label_maps import Opened, OpenedScores, open_label_map, open_prediction
from .labels import LabelSet
from .masks import LabelMap, axes_of_classes, pair
from .metrics import Metric, parse
from .records import Record, Records
from .statistics.by_class import ClassScores, ImageClassScores
from .statistics.class_scores import class_scores
from .statistics.confusion import VOID, LabelCounts, Reading, count_labels
from .statistics.image_scores import ImageScores
from .statistics.scores import Scores, count_scores

TASKS = ("auto", "semantic")


@dataclass(frozen=True)
class ClassPlan:
    """What is true of all images.

    reading     how labels are read
    axis        which axis of the predictions is that of the classes
    max_pixels  larger images are refused
    logits      floats are logits
    curves      metrics whose values of each image are kept exactly
    files       the text of each class in the names of files, where each has a file of its own
    """

    reading: Reading
    axis: int
    max_pixels: int | None = None
    logits: bool = False
    curves: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def count(self, job: Job) -> Record:
        """Count a label map, or a stack of masks, and a stack of scores."""
        gt = self._truth(job.gt)
        if job.pred is None:
            return self._without_scores(job, gt)
        pred = open_class_scores(job.pred, self.files, self.max_pixels)
        scores = class_first(pred, self.axis, gt.map.array.shape, job)
        several = gt.map.array.ndim == scores.ndim
        truth = _sets(gt.map.array, scores, self.axis, job) if several else gt.map.array
        image = _geometry(gt.map, truth[0] if several else truth)
        pair(image, _geometry(pred, scores[0]))
        plane = scores.shape[1:]
        region = None if job.region is None else region_of(job.region, image, self.max_pixels)
        ids = class_ids(self.reading.labels, len(scores))
        kept: dict[str, bytes] = {}
        if several:
            found = class_scores(truth, scores, classes=ids, mask=region, logits=self.logits)
        else:
            labels, counted = self._classes(gt, region, job)
            found = class_scores(labels, scores, classes=ids, mask=counted, logits=self.logits)
            counts = count_labels(
                gt.map.array, greatest(scores, class_sources(self.reading.labels, len(scores))), region
            )
            kept[LabelCounts.name] = counts.to_bytes()
        whole = ClassScores(found)
        return Record(
            job.name,
            {**kept, ImageClassScores.name: self._image(whole).to_bytes()},
            plane,
            gt=address(job.gt),
            pred=address(job.pred),
            region=None if job.region is None else address(job.region),
            digests=(gt.digest, pred.digest),
            notes=(*(f"ground truth: {n}" for n in gt.notes), *(f"prediction: {n}" for n in pred.notes)),
            pooled={ClassScores.name: whole},
        )

    def digests(self, job: Job) -> Digests:
        """Of both files, or of those of all classes."""
        truth, pred = (digest_at(x, self.files, digest_of) if _shared(x) else digest_of(x) for x in (job.gt, job.pred))
        return truth, pred

    def _truth(self, path: Path) -> Opened:
        if _shared(path):
            return open_masks(path, self.files, self.max_pixels)
        return open_label_map(path, self.reading.labels, self.max_pixels)

    def _without_scores(self, job: Job, gt: Opened) -> Record:
        """An image without prediction: 0 for every class. Which classes there are is known when all were counted."""
        kept: dict[str, bytes] = {}
        if _shared(job.gt):
            truth = dict(zip(class_ids(self.reading.labels, len(self.files)), gt.map.array, strict=True))
            image = _geometry(gt.map, gt.map.array[0])
        else:
            image, truth = gt.map, None
            _check_labels(image.array, job)
        counted = region = None if job.region is None else region_of(job.region, image, self.max_pixels)
        if truth is None:
            labels, counted = self._classes(gt, region, job)
            truth = {k: labels == k for k in np.unique(labels[counted]).tolist()}
            seen = count_labels(gt.map.array, gt.map.array, region)
            none = LabelCounts(seen.a, np.full_like(seen.b, VOID), seen.n, seen.left_out)
            kept[LabelCounts.name] = none.to_bytes()
        zero = np.zeros(image.array.shape, np.float16)
        by_class = {k: self._zero(mask, zero, counted) for k, mask in truth.items()}
        once = self._zero(np.zeros(zero.shape, np.bool_), zero, counted)
        return Record(
            job.name,
            {**kept, ImageClassScores.name: ImageClassScores(by_class, once).to_bytes()},
            zero.shape,
            gt=address(job.gt),
            region=None if job.region is None else address(job.region),
            digests=(gt.digest, None),
            notes=tuple(f"ground truth: {n}" for n in gt.notes),
        )

    def _zero(self, truth: NDArray[np.bool_], zero: NDArray[Any], counted: NDArray[np.bool_] | None) -> ImageScores:
        return replace(self._kept(count_scores(truth, zero, counted)), dtype="")

    def _classes(
        self, gt: Opened, region: NDArray[np.bool_] | None, job: Job
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """The class of each pixel, and the pixels that count."""
        array = gt.map.array.astype(np.uint8) if gt.map.binary else gt.map.array
        seen = np.unique(count_labels(array, array, region).a)
        try:
            self.reading.check(seen, "ground truth")
        except DataError as error:
            raise error.at(job.gt) from None
        kinds = self.reading.class_of(seen)
        at = np.searchsorted(seen, array).clip(max=max(0, seen.size - 1))
        labels = kinds[at] if seen.size else np.full(array.shape, VOID)
        counted = labels != VOID
        return labels, counted if region is None else counted & region

    def _image(self, whole: ClassScores) -> ImageClassScores:
        made = {k: self._kept(s) for k, s in whole.by_class.items()}
        return ImageClassScores(made, self._kept(whole.exact()))

    def _kept(self, s: Scores) -> ImageScores:
        return ImageScores.of(s, {name: parse(name).compute(s) for name in self.curves}, 0.5, ())


def open_class_scores(place: Path, files: Sequence[str], max_pixels: int | None = None) -> Opened | OpenedScores:
    """The scores of all classes, of one file or of one for each."""
    return open_scores(place, files, max_pixels) if files else open_prediction(place, None, max_pixels)


def _shared(place: Path | None) -> bool:
    """Whether a path stands for one of each class."""
    return place is not None and FIELD in os.fspath(place)


def class_first(
    pred: Opened | OpenedScores, axis: int, size: tuple[int, ...] | None, job: Job | None = None
) -> NDArray[Any]:
    """The scores of a prediction with the axis of classes first; `size` is the shape of the ground truth, if known.

    Raises LabelError where the axis is none, or is not the one that leaves an image of the ground truth's shape.
    """
    array = pred.scores if isinstance(pred, OpenedScores) else pred.map.array
    path = job.pred if job else None
    axes = array.ndim if size is None else len(size)
    if array.ndim < 2 or not -array.ndim <= axis < array.ndim or array.ndim - axes not in (0, 1):
        raise LabelError(
            f"shape {array.shape} does not have the axes of its ground truth ({axes} of them) and one of "
            f"classes, axis {axis}; --class-axis says which it is",
            path,
        )
    fits = axes_of_classes(size or (), array.shape)
    if fits and axis % array.ndim not in fits:
        raise LabelError(
            f"shape {array.shape} without axis {axis} is not {size}, the shape of its ground truth; "
            f"its classes lie along axis {' or '.join(map(str, fits))}: --class-axis {fits[0]}",
            path,
        )
    return np.ascontiguousarray(np.moveaxis(array, axis, 0))


def class_ids(labels: LabelSet | None, count: int) -> list[int]:
    """The labels along an axis of so many classes."""
    if labels is None:
        return list(range(count))
    ids = list(labels.classes)
    if len(ids) != count:
        raise LabelError(
            f"the axis of classes has {count} maps and the labels name {len(ids)} classes "
            f"({', '.join(map(str, ids[:8]))}{', ...' if len(ids) > 8 else ''}); one map for each, in this order"
        )
    return ids


def class_sources(labels: LabelSet | None, count: int) -> list[int]:
    """The same as files write them, which is how predicted labels are counted."""
    ids = class_ids(labels, count)
    return ids if labels is None else [labels.by_id[k].sources[0] for k in ids]


def greatest(scores: NDArray[Any], ids: Sequence[int]) -> NDArray[np.int64]:
    """The class with the greatest score at each pixel; of equals the first."""
    return np.asarray(ids, np.int64)[scores.argmax(axis=0)]


def decide(facts: Facts, records: Records) -> tuple[Facts, list[str]]:
    """The facts of the whole data set, and what the user should be told about them."""
    images = len(records)
    labelled = sum(len(blobs) for _, blobs in records.blocks(LabelCounts.name, 4096))
    if 0 < labelled < images:
        raise DataError(
            f"{labelled} images have a label map as ground truth and {images - labelled} a stack of masks; "
            "give all of them in one form"
        )
    several = bool(images) and not labelled
    what = "stacks of masks, a pixel may have several labels" if several else "label maps, a pixel has one label"
    where = "one map for each" if facts.class_files else f"along axis {facts.class_axis}"
    notices = [f"scores of classes, {where}; ground truth of {what}"]
    if not several:
        notices.append("the class with the greatest score is the predicted label")
    return replace(facts, several=several), notices


def check_question(task: str, positive: object, threshold: float | str, convention: str | None) -> None:
    """Raise UsageError for what does not go with scores of classes."""
    if task not in TASKS:
        raise UsageError(f"scores of several classes (--class-axis, {FIELD} in --pairs) do not go with --task {task}")
    for name, given in (("positive", positive), ("threshold", threshold != 0.5), ("convention", convention)):
        if given:
            raise UsageError(f"--{name} goes with one map of scores, and here are maps of several classes")


def exact_curves(metrics: Sequence[Metric[Any, Any]]) -> tuple[str, ...]:
    """The metrics whose values of each image are kept exactly."""
    return tuple(str(m) for m in metrics if m.statistic == Scores.name)


def _sets(truth: NDArray[Any], scores: NDArray[Any], axis: int, job: Job) -> NDArray[np.bool_]:
    stack = np.moveaxis(truth, axis, 0)
    values = set(np.unique(stack).tolist())
    if not (values <= {0, 1} or values <= {0, 255}):
        raise LabelError(
            f"has as many axes as the scores of its classes, {scores.shape} with the classes first, and so must be a "
            "stack of masks of 0 and 1 or 0 and 255; a map of labels has no axis of classes",
            job.gt,
        )
    return np.ascontiguousarray(stack) != 0


def _check_labels(truth: NDArray[Any], job: Job) -> None:
    """Raise where it takes the scores of an image to tell a volume of labels from a stack of masks."""
    if truth.ndim > 2 and set(np.unique(truth).tolist()) <= {0, 1, 255}:
        raise LabelError(
            "has no scores, and without them nobody can tell whether it is a stack of masks or a volume of labels; "
            "pass --missing skip, or keep the mask of each class in a file of its own",
            job.gt,
        )


def _geometry(opened: LabelMap | Opened | OpenedScores, array: NDArray[Any]) -> LabelMap:
    """The plane of one class with the geometry of its file, where that has no axis of classes."""
    of = opened.map if isinstance(opened, Opened) else opened
    spacing = of.spacing if of.spacing is not None and len(of.spacing) == array.ndim else None
    return LabelMap(array, spacing=spacing, affine=of.affine)
