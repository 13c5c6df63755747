"""What the sections read of an evaluation, gathered once in one pass over the images."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import curve_bands
from ..curve_bands import ScoreBands
from ..evaluation import Evaluation
from ..labels import Color
from ..metrics import (
    Metric,
    Values,
    accuracy,
    aji,
    average_precision,
    best_threshold,
    count_error,
    dice,
    ece,
    iou,
    mce,
    mean_accuracy,
    mean_dice,
    mean_iou,
    mean_matched_iou,
    merges,
    object_f1,
    object_precision,
    object_recall,
    pq,
    precision,
    recall,
    roc_auc,
    rq,
    specificity,
    splits,
    sq,
)  # fmt: skip
from ..rows import Over, Row
from ..statistics.confusion import Confusion
from ..statistics.detections import Detections
from ..statistics.encounters import Encounters
from ..statistics.overlap import Overlap
from ..statistics.scores import Scores
from ..statistics.surface import Surface
from . import words

if TYPE_CHECKING:
    from .detection_pictures import Cutouts

# Shown whether or not they were asked for: they follow from the same counts.
REGIONS = (accuracy, mean_accuracy, iou, mean_iou, dice, mean_dice, precision, recall, specificity)
JUDGED = (dice, iou, accuracy)  # best at one threshold between the extremes
CURVES = (roc_auc, average_precision, ece, mce)
AT = 0.5  # the IoU at which objects are found
FOUND, RIGHT, BOTH = object_recall.at(iou=AT), object_precision.at(iou=AT), object_f1.at(iou=AT)
OBJECTS = (BOTH, RIGHT, FOUND, mean_matched_iou, pq, aji, splits, merges, count_error)
PANOPTIC = (pq, sq, rq, *(m.at(among=kind) for m in (pq, sq, rq) for kind in ("things", "stuff")))


class Beside(NamedTuple):
    """The folder of pictures beside a page, and how many of the worst images it shall hold; None for all."""

    folder: Path
    most: int | None


@dataclass(frozen=True)
class Kind:
    """A class as the report shows it: its place in the counts, its name, and its colour."""

    at: int
    id: int
    name: str
    color: Color
    own_color: bool
    averaged: bool

    @property
    def said(self) -> str:
        """The class within a sentence."""
        return f"class {self.name}" if self.name.lstrip("-").isdigit() else words.name(self.name, 32)


@dataclass(frozen=True)
class PerImage:
    """One entry an image, in the order of the names."""

    names: list[str]
    headline: Values  # (N,)
    by_class: Values  # (N, K) a column for each class, or for each of `Findings.spread_metrics`
    with_class: NDArray[np.int64]  # (K,) images whose ground truth holds the class


class Findings:
    """An evaluation, and what several sections need of it.

    other    another evaluation that it is shown beside
    beside   the folder beside the page for more pictures than it holds
    by       subgroups that were asked for
    """

    def __init__(
        self,
        evaluation: Evaluation,
        versus: Evaluation | None = None,
        beside: Beside | None = None,
        by: Sequence[str] = (),
    ) -> None:
        self.evaluation = evaluation
        self.other = None if versus is None else Findings(versus)
        self.beside, self.by = beside, tuple(by)
        self.images = len(evaluation.records)
        self.regions = evaluation.has(Confusion.name)
        self.class_curves = evaluation.facts.class_axis is not None
        self.curves = evaluation.has(Scores.name) and not self.class_curves
        self.objects = evaluation.has(Overlap.name)
        self.scored = evaluation.has(Detections.name)
        self.surfaces = evaluation.has(Surface.name)

    @property
    def ranked(self) -> bool:
        """Whether there is a metric that images are ranked by."""
        return self.regions or self.objects

    @property
    def panoptic(self) -> bool:
        """Whether the objects are panoptic segments."""
        return self.objects and self.evaluation.facts.task == "panoptic"

    @property
    def detection(self) -> bool:
        """Whether the objects are scored masks."""
        return self.objects and self.evaluation.facts.task == "detection"

    @property
    def precisions(self) -> list[Metric[Any, Any]]:
        """The average precisions that were asked for of detections, the one of most thresholds first."""
        asked = {m.name: m for m in self.evaluation.metrics} if self.evaluation.has(Detections.name) else {}
        return [asked[name] for name in ("ap", "ap50", "ap75", "ar_100") if name in asked]

    @property
    def unit(self) -> str:
        """What sizes are counted in: pixels, or of volumes voxels."""
        records = self.evaluation.records
        names = records.names()
        return "voxels" if names and len(records[names[0]].shape) > 2 else "pixels"

    def class_title(self, class_: int) -> str:
        """What a class of objects is called."""
        labels = self.evaluation.facts.labels
        return str(class_) if labels is None or class_ not in labels.by_id else labels.title(class_)

    @property
    def pooled(self) -> Confusion:
        """The pixels of all images by class, where `regions`."""
        return self.evaluation.pooled

    @property
    def scores(self) -> Scores:
        """The pixels of all images by score, where `curves`."""
        return self.evaluation.statistic(Scores.name)

    @property
    def overlap(self) -> Overlap:
        """The objects of all images, where `objects` and there are images."""
        return self.evaluation.statistic(Overlap.name)

    @cached_property
    def crowds(self) -> bool:
        """Whether there are crowds, or predictions that void excuses."""
        return bool((self.overlap.gt_crowd > 0).any() or self.overlap.excused.any())

    @property
    def void(self) -> bool:
        """Whether there may be pixels that do not count."""
        facts = self.evaluation.facts
        segments = self.objects and facts.task != "instance"
        return segments or bool(facts.region) or any(fact.startswith("ignore:") for fact in facts.signature)

    @cached_property
    def binary(self) -> bool:
        """Whether regions have one value and not one per class."""
        return self.regions and self.pooled.binary

    @property
    def headline(self) -> Metric[Any, Any]:
        """The metric that images are ranked by."""
        if self.panoptic:
            return pq
        return BOTH if self.objects else iou if self.binary else mean_iou

    @property
    def always(self) -> tuple[Metric[Any, Any], ...]:
        """Metrics that the page shows, whether or not they were asked for."""
        return (
            *(REGIONS if self.regions else ()),
            *(CURVES if self.curves or self.class_curves else ()),
            *(OBJECTS if self.objects else ()),
            *(PANOPTIC if self.panoptic else ()),
        )

    @property
    def spread_metrics(self) -> tuple[Metric[Any, Any], ...]:
        """The metrics behind `PerImage.by_class`."""
        if self.objects:
            return (*((pq, sq, rq) if self.panoptic else ()), BOTH, FOUND, RIGHT, *(() if self.panoptic else (pq, aji)))
        if not self.binary:
            return (iou,)
        return (iou, dice, precision, recall, *((roc_auc, average_precision) if self.curves else ()))

    @cached_property
    def score_bands(self) -> ScoreBands | None:
        """How far the curves of score maps would move with other images."""
        return curve_bands.scores(self.evaluation, (iou, dice, precision, recall, accuracy)) if self.curves else None

    @cached_property
    def stops(self) -> Values:
        """Thresholds that a slider stops at, 256 at most, ascending from 0, where everything is foreground.

        They are k / 255, which are all scores of 8 bits, or for floats k / 256, which are on the grid of coarsened
        histograms, with the thresholds that matter in the place of their neighbours.
        """
        s = self.scores
        stops = np.arange(256) / (256 if s.dtype.kind == "f" else 255)
        free = stops > 0
        for value in (*(best_threshold.at(metric=m).compute(s) for m in JUDGED), self._used):
            if value > 0 and value not in stops:
                distance = np.where(free, np.abs(stops - value), np.inf)
                at = int(distance.argmin())
                stops[at], free[at] = value, False
        return np.sort(stops)

    @property
    def used_stop(self) -> int:
        """Which stop is the threshold of the region metrics."""
        return int(np.searchsorted(self.stops, self._used))

    @property
    def _used(self) -> float:
        """The least score of the files' type that reaches the threshold."""
        return float(self.scores.threshold(self.evaluation.facts.threshold)) / self.scores.scale

    @cached_property
    def kinds(self) -> list[Kind]:
        """The classes of the regions, in the order of the counts."""
        ids: list[int] = self.pooled.classes.tolist()
        if self.binary:
            names = ["background", "foreground"]
        else:
            names = [str(t) for t in self.evaluation.titles()]
        labels = self.evaluation.facts.labels
        given = {} if labels is None or self.binary else {x.id: x.color for x in labels}
        colors = distinct([given.get(i) for i in ids])
        averaged: list[bool] = self.pooled.averaged.tolist()
        return [
            Kind(at, i, names[at], colors[at], given.get(i) is not None, averaged[at]) for at, i in enumerate(ids)
        ]  # fmt: skip

    @cached_property
    def per_image(self) -> PerImage:
        names: list[str] = []
        headline: list[Values] = []
        by_class: list[Values] = []
        with_class = np.zeros(self.pooled.classes.size if self.regions else 0, np.int64)
        used = dict.fromkeys(m.statistic for m in (self.headline, *self.spread_metrics))
        for together in zip(*(self.evaluation.stacks(name) for name in used), strict=True):
            stacks = {name: stack for name, (_, stack) in zip(used, together, strict=True)}
            names += together[0][0]
            headline.append(self.evaluation.columns(self.headline, stacks[self.headline.statistic])[:, -1])
            by_class.append(np.concatenate([self._spread(m, stacks[m.statistic]) for m in self.spread_metrics], axis=1))
            if self.regions:
                with_class += (stacks[Confusion.name].gt > 0).sum(axis=0)
        if not names:
            return PerImage([], np.empty(0), np.empty((0, 0)), with_class)
        return PerImage(names, np.concatenate(headline), np.concatenate(by_class), with_class)

    def value_of(self, name: str) -> float:
        """The headline of an image; NaN where it has none, or is not there."""
        return self._headlines.get(name, float("nan"))

    @cached_property
    def _headlines(self) -> dict[str, float]:
        return dict(zip(self.per_image.names, self.per_image.headline.tolist(), strict=True))

    def _spread(self, metric: Metric[Any, Any], stack: Any) -> Values:
        """The columns of `PerImage.by_class` that a metric has: of objects that of all classes together."""
        values = self.evaluation.columns(metric, stack)
        return values[:, -1:] if self.objects else values

    @property
    def drawable(self) -> bool:
        """Whether there are detections that could be drawn with what they meet."""
        return self.evaluation.has(Encounters.name) and self.images > 0

    @cached_property
    def cutouts(self) -> Cutouts:
        """What can be drawn of detections; their files are read once for all sections."""
        from .detection_pictures import Cutouts

        return Cutouts(self)

    @cached_property
    def rows(self) -> dict[tuple[str, str | None, Over], Row]:
        """The result table, and the rows of the metrics in `always` that are not in it."""
        e = self.evaluation
        more = [m for m in self.always if m not in e.metrics]
        also = Evaluation(more, facts=e.facts, records=e.records, intervals=e.resampling).rows() if more else []
        return {(r.metric, r.class_, r.over): r for r in [*e.rows(), *also]}

    def row(self, metric: Metric[Any, Any], over: Over, kind: Kind | None = None) -> Row:
        """One number with all that belongs to it."""
        title = None if kind is None or self.binary else kind.name
        return self.rows[str(metric), title, over]

    def single(self, metric: Metric[Any, Any]) -> bool:
        """Whether the metric has one value for the whole data set."""
        return None in self.evaluation.titles(metric)


def distinct(given: list[Color | None]) -> list[Color]:
    """A colour for each class: its own where it has one, else one from around the colour wheel. No two are equal."""
    used: set[Color] = {(90, 90, 90), (150, 150, 150), (0, 0, 0)}  # those of void and of no class
    out: list[Color] = []
    for at, own in enumerate(given):
        color = own or _wheel(at)
        while color in used:
            color = ((color[0] + 1) % 256, *color[1:]) if color[0] < 255 else (0, (color[1] + 1) % 256, color[2])
        used.add(color)
        out.append(color)
    return out


def _wheel(at: int) -> Color:
    """The golden angle keeps neighbours apart; lightness in three steps keeps the rest apart."""
    r, g, b = colorsys.hls_to_rgb((0.58 + at * 0.618034) % 1, (0.45, 0.62, 0.34)[at % 3], (0.55, 0.6, 0.5)[at // 3 % 3])
    return round(r * 255), round(g * 255), round(b * 255)
