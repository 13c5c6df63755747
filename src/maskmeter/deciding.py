"""Deciding what the data is: the facts of a run, from the question and from everything that was seen.

The images are counted first, without knowing what their labels mean. Then the values that occur on both
sides, in all images together, say which task it is (see `tasks`), which labels are foreground, whether
predictions are masks or maps of scores, and at which threshold these are cut.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from . import class_maps
from .advisor import like_classes
from .counting import FOREGROUND
from .errors import DataError, UsageError
from .evaluation import BLOCK, Evaluation
from .facts import STACKED, Facts
from .labels import LabelSet
from .metrics import best_threshold
from .metrics.curves import average_precision_error, region_metric, roc_auc_error
from .pairing import Pairing
from .records import Records
from .statistics.confusion import VOID, LabelCounts, LabelTable, Reading
from .statistics.image_scores import ImageScores
from .statistics.scores import Scores
from .tasks import FEW, Choice, Side, choose

STACK = "stack"
"""The convention of files that hold a mask for each object."""


@dataclass(frozen=True)
class Question:
    """What is asked of the data: all that decides the counts. A run is resumed only with the same one.

    `shapes` are the statistics of shapes with what each is to know, as in "topology(skeleton=True)".
    """

    gt: str
    pred: str
    pairs: str | None
    task: str
    labels: LabelSet | None
    ignore: tuple[int, ...]
    positive: tuple[int, ...] | None
    mask: str | None
    missing: Literal["stop", "empty", "skip"]
    extra: Literal["stop", "skip"]
    threshold: float | str
    logits: bool
    convention: str | None = None
    class_axis: int | None = None
    class_files: tuple[str, ...] = ()
    spacing: tuple[float, ...] | None = None
    shapes: tuple[str, ...] = ()
    on: Literal["mask", "box"] = "mask"

    @property
    def threshold_counted(self) -> float:
        """The threshold at which maps of floats are counted; one that is searched for is not known yet."""
        return 0.5 if isinstance(self.threshold, str) else float(self.threshold)

    @property
    def reading(self) -> Reading:
        """How labels are read while the task is not known yet."""
        positive = frozenset(self.positive or FOREGROUND) if self.task == "binary" else None
        return Reading(self.labels, self.ignore, positive)


def decide(question: Question, pairing: Pairing, records: Records, objects: bool = False) -> tuple[Facts, list[str]]:
    """The facts of the whole data set, and what the user should be told about them.

    `objects`: what was counted are the objects of each image, and nothing is left to decide.
    """
    if objects:
        files = STACKED if question.convention == STACK else ""
        facts = replace(_given(question, pairing), task="instance", objects=True, files=files)
        return facts, [*_like_classes(facts, records), *file_notes(records)]
    if question.class_axis is not None:
        facts = replace(
            _given(question, pairing),
            task="semantic",
            labels=question.labels,
            logits=question.logits,
            class_axis=question.class_axis,
            class_files=question.class_files,
        )
        found, notices = class_maps.decide(facts, records)
        return found, [*notices, *file_notes(records)]
    seen = _Seen(records)
    choice = _choice(question, seen)
    notices = [f"task {choice.task}: {choice.why}"] if question.task == "auto" else []
    positive: tuple[int, ...] = question.positive or (1,)
    if choice.task == "binary" and question.positive is None:
        values = seen.gt.values if choice.scores else seen.gt.values | seen.pred.values
        positive = tuple(sorted(values - {0} - set(question.ignore))) or (1,)
        if 255 in positive:
            notices.append("masks of 0 and 255 read as binary: 255 is the foreground")
    if choice.task == "binary" and not choice.scores:
        notices += _unheard(question, seen)
    kind = seen.scores(question.pred) if choice.scores else ""
    if kind[:1] == "u":
        notices.append(f"{8 * int(kind[1])}-bit scores are divided by {2 ** (8 * int(kind[1])) - 1}")
    facts = replace(
        _given(question, pairing),
        task=choice.task,
        labels=question.labels if choice.task == "semantic" else None,
        positive=positive,
        scores=kind,
        logits=question.logits and kind[:1] == "f",
        spacing=question.spacing,
        shapes=tuple(dict.fromkeys(x.partition("(")[0] for x in question.shapes)),
    )
    notices += [*_coarsened(facts, records), *_like_classes(facts, records), *file_notes(records)]
    return _at_threshold(facts, question.threshold, records), notices


def _given(question: Question, pairing: Pairing) -> Facts:
    """The facts that the question itself says."""
    return Facts(
        ignore=question.ignore,
        missing=(question.missing, len(pairing.missing)) if question.missing != "stop" else None,
        extra=len(pairing.extra),
        region=question.mask is not None,
    )


def _choice(question: Question, seen: _Seen) -> Choice:
    if question.task == "auto" and question.positive is None:
        return choose(seen.gt, seen.pred, question.ignore, question.labels is not None)
    if question.task in ("auto", "binary"):
        masks = seen.pred.two_valued(set(question.ignore))
        if question.positive is not None:  # label maps, unless they hold more other labels than there can be classes
            masks = len(_strange(question, seen)) <= FEW
        return Choice("binary", "a foreground label is given", seen.pred.floats or not masks)
    return Choice("instance" if question.task == "instance" else "semantic", "")


def _strange(question: Question, seen: _Seen) -> set[int]:
    """Labels of predictions that are neither in the ground truth nor named."""
    return seen.pred.values - seen.gt.values - {*question.ignore, *(question.positive or ())}


def _unheard(question: Question, seen: _Seen) -> list[str]:
    """A remark where predictions have another foreground than the one that was named."""
    named, strange = set(question.positive or ()), sorted(_strange(question, seen))
    if not named or not strange or seen.pred.values & named:
        return []
    return [
        f"no prediction holds {', '.join(map(str, sorted(named)))}, but {', '.join(map(str, strange[:4]))}, which no "
        f"ground truth does; if that is their foreground, add --positive {strange[-1]}"
    ]


def _coarsened(facts: Facts, records: Records) -> list[str]:
    """How far areas may be off where there were too many distinct scores to keep them all."""
    if facts.scores[:1] != "f":
        return []
    pooled: Scores = Evaluation([], facts=facts, records=records).statistic(Scores.name)
    if not pooled.level:
        return []
    auc, ap = roc_auc_error(pooled), average_precision_error(pooled)
    return [
        f"more than {pooled.limit:,} distinct scores: those closer than {pooled.resolution:.1g} share a cell; "
        f"the pooled roc_auc is within {auc:.1g} of the exact one, average_precision within {ap:.1g}"
    ]


def _like_classes(facts: Facts, records: Records) -> list[str]:
    """A remark where maps of objects seem to hold classes."""
    return [a.text for a in like_classes(Evaluation([], facts=facts, records=records))]


def _at_threshold(facts: Facts, threshold: float | str, records: Records) -> Facts:
    """The facts with a threshold, which may be the best one for a metric: `best:dice`."""
    if not facts.scores and threshold != 0.5:
        raise UsageError(f"--threshold {threshold} needs score maps, and the predictions are label maps")
    if not isinstance(threshold, str):
        return replace(facts, threshold=float(threshold))
    pooled: Scores = Evaluation([], facts=facts, records=records).statistic(Scores.name)
    metric = threshold.removeprefix("best:")
    # Of floats only the counts on the coarse grid are kept by image, so one of its 4099 scores is chosen.
    histogram = pooled if facts.scores[:1] == "u" else ImageScores.of(pooled, {}, 0.5, ())
    best = best_threshold.at(metric=metric).compute(histogram)  # pyright: ignore[reportArgumentType]
    if best != best:
        raise DataError(f"no threshold is best: {metric} is undefined at all of them")
    return replace(facts, threshold=best, searched=True)


def read_threshold(given: float | str) -> float | str:
    """A number from 0 to 1, or `best:METRIC`."""
    try:
        value = float(given)
    except ValueError:
        if str(given).startswith("best:"):
            region_metric(str(given).removeprefix("best:"))
            return given
        raise UsageError(f"threshold {given!r} is neither a number nor best:METRIC, as in best:dice") from None
    if not 0 <= value <= 1:
        raise UsageError(f"threshold {value:g} is not between 0 and 1, as scores are")
    return value


class _Seen:
    """The values that were seen on both sides in all images, and the types of the predictions."""

    def __init__(self, records: Records) -> None:
        self.gt, self.pred = Side(), Side()
        self.depths: set[int] = set()
        self.floats: set[str] = set()
        labelled, images = 0, len(records)
        for _, blobs in records.blocks(LabelCounts.name, BLOCK):
            labelled += len(blobs)
            for table in LabelTable.some_of(blobs):
                self._see(table)
        scored = 0
        for _, blobs in records.blocks(ImageScores.name, BLOCK):
            scored += len(blobs)
            for found in map(ImageScores.from_bytes, blobs):
                self.gt.see(found.labels)
                self.floats |= {found.dtype} - {""}
        self.pred.floats = labelled < images
        self._all_scored = scored == images

    def _see(self, table: LabelTable) -> None:
        self.gt.see_all(*table.labels("a"))
        values, sizes = table.labels("b")  # no prediction is one label, VOID
        there = np.ones(sizes.size, bool)
        there[np.repeat(np.arange(sizes.size), sizes)[values == VOID]] = False
        self.pred.see_all(values[np.repeat(there, sizes)], sizes[there])
        self.depths.update(table.depth[there].tolist())

    def scores(self, path: str) -> str:
        """The type of the scores. Raises DataError where the maps do not go together."""
        if self.pred.floats:
            if not self._all_scored or len(self.floats) > 1:
                raise DataError("holds maps of floats and of integers, or floats of several types", path)
            return self.floats.pop()
        depth = max(self.depths, default=8)
        if depth > 16 or len(self.depths) > 1:
            bits = ", ".join(map(str, sorted(self.depths)))
            raise DataError(f"holds scores of {bits} bits; scores are 8- or 16-bit integers of one type", path)
        return f"u{max(depth, 8) // 8}"


def file_notes(records: Records) -> list[str]:
    """What readers had to say about the files, each remark once with the number of images."""
    said = Counter(note for notes in records.notes() for note in notes)
    return [note if k == 1 else f"{note} ({k} images)" for note, k in sorted(said.items())]
