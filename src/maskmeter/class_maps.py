"""Score maps of several classes: how a run counts them.

Layouts. A prediction is one array with an axis of classes more than its image; which axis that is must be said
(`--class-axis 0` for (C, H, W), `--class-axis -1` for (H, W, C)) and is never guessed. Along it lie the labels of
the label file or of `--classes` in ascending order, void ones left out; without either 0, 1, 2, ...

Ground truth. A label map says which one class a pixel has: logits become scores by the softmax over the classes,
and the class with the greatest score (of equals the first) is the predicted label, for the metrics of regions. A
stack of masks with the same axis of classes says of each class whether a pixel has it (multi-label): logits become
scores one by one, and there is no predicted label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .counting import Digests, Job, digest_of, region_of
from .errors import DataError, LabelError, UsageError
from .formats import address
from .formats.label_maps import Opened, OpenedScores, open_label_map, open_prediction
from .labels import LabelSet
from .masks import LabelMap, pair
from .metrics import Metric, parse
from .readings import Facts
from .records import Record, Records
from .statistics.by_class import ClassScores, ImageClassScores
from .statistics.class_scores import class_scores
from .statistics.confusion import VOID, LabelCounts, Reading, count_labels
from .statistics.image_scores import ImageScores
from .statistics.scores import Scores

TASKS = ("auto", "semantic")


@dataclass(frozen=True)
class ClassPlan:
    """What is true of all images.

    reading     how labels are read
    axis        which axis of the predictions is that of the classes
    max_pixels  larger images are refused
    logits      floats are logits
    curves      metrics whose values of each image are kept exactly
    """

    reading: Reading
    axis: int
    max_pixels: int | None = None
    logits: bool = False
    curves: tuple[str, ...] = ()

    def count(self, job: Job) -> Record:
        """Count a label map, or a stack of masks, and a stack of scores."""
        gt = open_label_map(job.gt, self.reading.labels, self.max_pixels)
        if job.pred is None:
            raise DataError("an image without scores of its classes cannot count as empty; pass --missing skip", job.gt)
        pred = open_prediction(job.pred, None, self.max_pixels)
        scores = class_first(pred, self.axis, gt.map.array.ndim, job)
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
        """Of both files."""
        return digest_of(job.gt), digest_of(job.pred)

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


def class_first(pred: Opened | OpenedScores, axis: int, dimensions: int, job: Job | None = None) -> NDArray[Any]:
    """The scores of a prediction with the axis of classes first."""
    array = pred.scores if isinstance(pred, OpenedScores) else pred.map.array
    path = job.pred if job else None
    if array.ndim < 2 or not -array.ndim <= axis < array.ndim or array.ndim - dimensions not in (0, 1):
        raise LabelError(
            f"shape {array.shape} does not have the axes of its ground truth ({dimensions} of them) and one of "
            f"classes, axis {axis}; --class-axis says which it is",
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
    notices = [f"scores of classes along axis {facts.class_axis}; ground truth of {what}"]
    if not several:
        notices.append("the class with the greatest score is the predicted label")
    return replace(facts, several=several), notices


def check_question(task: str, positive: object, threshold: float | str, convention: str | None) -> None:
    """Raise UsageError for what does not go with scores of classes."""
    if task not in TASKS:
        raise UsageError(f"--class-axis says that predictions are scores of classes and does not go with --task {task}")
    for name, given in (("positive", positive), ("threshold", threshold != 0.5), ("convention", convention)):
        if given:
            raise UsageError(f"--{name} goes with one map of scores, and --class-axis says that there are several")


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


def _geometry(opened: LabelMap | Opened | OpenedScores, array: NDArray[Any]) -> LabelMap:
    """The plane of one class with the geometry of its file, where that has no axis of classes."""
    of = opened.map if isinstance(opened, Opened) else opened
    spacing = of.spacing if of.spacing is not None and len(of.spacing) == array.ndim else None
    return LabelMap(array, spacing=spacing, affine=of.affine)
