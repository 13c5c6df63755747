"""Evaluation: the statistics of every image, and the numbers that follow from them.

Statistics are kept by image. A value is *pooled* (statistics summed, then the formula) or over
*images* (the mean of the images' own values, over the images where there is one); both are always
there. Per-image values, pooled values and their means all come from the same stored statistics.

Means over images equal `np.mean` over the images in the order of their names, up to 4096 of them;
beyond that blocks of 4096 are added exactly. So neither arrival nor sharding moves a bit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._version import __version__
from .arrays import overlap_of, shape_of, shapes_of, two_maps
from .asked import QUALITY, default_metrics, needs_of, wanted_by
from .columns import Means, among, columns, objects_behind, record_sums
from .errors import LabelError, MergeError, UsageError, printable
from .facts import Facts
from .formats.packings import PACKINGS
from .labels import LabelSet
from .masks import as_array, label_map
from .metrics import Metric, Values, parse
from .metrics._sizes import sizes
from .readings import DETECTED, Objects, Segmented, source, statistics_of
from .records import Memory, Record, Records
from .rows import Over, Row, Tabular
from .sending import packed, unpacked
from .statistics.by_class import SUMS, ClassScores, ImageClassScores
from .statistics.components import pieces
from .statistics.confusion import Confusion, LabelCounts, check_mixed, counted
from .statistics.measured import Measured
from .statistics.overlap import Overlap
from .statistics.scores import Scores
from .statistics.units import Units
from .tasks import FEW
from .tensors import LEAST, is_away
from .uncertainty import Draws, Interval, PixelMeans, Resampling, Sampler, draws

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .objects import ObjectRow

MICRO = "(all classes together)"  # the column of decisions of all classes in one histogram
OBJECTS = ("instance", "panoptic")  # tasks
BLOCK = 4096  # images whose values are held at once
VERSION = f"maskmeter:{__version__}"


class Evaluation(Tabular):
    """Statistics by image. Feed it pairs, add evaluations together, read values, rows and reports.

    metrics      names or metrics; by default every region metric without a required parameter
    facts        what is true of the data; `ignore`, `classes`, `labels`, `task` and `spacing` (mm) are the short way
                 to say it
    task         "instance" or "panoptic" for arrays of objects; without it the dtype decides, binary or semantic
    intervals    "percentile", "bca", "none", or with numbers as in "bca(resamples=5000,seed=1)"
    inputs       where the images came from, as `results.json` says it
    notices      what the user should know about how the data was read
    photographs  the folder of photographs, where there is one
    pieces       of the first image whose objects came as arrays without classes: its name, how many pieces each of its
                 few ids lies in, and its axes

    >>> meter = Evaluation(metrics=["mean_iou", "iou"], ignore=255)
    >>> meter.update([[0, 1], [1, 255]], [[0, 1], [0, 0]], image="a")
    >>> meter.value("mean_iou"), meter.value("iou", class_=1)
    (0.5, 0.5)
    """

    def __init__(
        self,
        metrics: Sequence[Metric[Any, Any] | str] | None = None,
        *,
        ignore: int | Iterable[int] | None = None,
        classes: Iterable[int] | None = None,
        labels: LabelSet | None = None,
        task: str | None = None,
        spacing: tuple[float, ...] | None = None,
        intervals: str | Resampling = "percentile",
        facts: Facts | None = None,
        records: Records | None = None,
    ) -> None:
        void = (ignore,) if isinstance(ignore, int) else tuple(ignore or ())
        labels = labels if classes is None else LabelSet.of_ids(classes)
        if task not in (None, "binary", "semantic", *OBJECTS):
            raise UsageError(f"task {task!r} is no task of arrays; there are binary, semantic, instance and panoptic")
        convention = "panoptic" if task == "panoptic" else None
        self.facts = facts or Facts(task, labels, void, convention=convention, objects=task in OBJECTS)
        self.records: Records = Memory() if records is None else records
        given = default_metrics(self.facts if task or facts else None) if metrics is None else metrics
        self.metrics: tuple[Metric[Any, Any], ...] = tuple(
            dict.fromkeys(parse(m) if isinstance(m, str) else m for m in given)
        )
        for m in self.metrics:
            m.check_complete()
            if m.statistic == Overlap.name:
                sizes(dict(m.params).get("size"))  # of which evaluate takes several, and a row has one
        self._needs = needs_of(self.metrics)
        if facts is None:
            self.facts = replace(self.facts, shapes=tuple(self._needs), spacing=spacing)
        self.resampling = Resampling.parse(intervals) if isinstance(intervals, str) else intervals
        self.inputs: dict[str, Any] = {}
        self.notices: list[str] = []
        self.photographs: str | None = None
        self.pieces: tuple[str, Counter[int], int] | None = None
        self._names = count()
        self._pooled: dict[str, Any] = {}
        self._stacks: dict[str, tuple[list[str], Any]] = {}
        self._rows: list[Row] | None = None

    # Feeding

    def update(
        self,
        gt: Any,
        pred: Any,
        *,
        image: str | None = None,
        mask: Any = None,
        group: str | None = None,
        **objects: Any,
    ) -> None:
        """Count one pair under the name `image` (by default its number); its pixels are not kept.

        `group` names what the image belongs to where images are not independent: a patient, a scene, a slide. All
        images have one, or none has; intervals draw groups then.

        For the tasks instance and panoptic each side is a pair (class map, instance map) or (ids, {id: class}), or,
        for instances without classes, a map of ids; 0 is background there, and void in panoptic ids. Further
        facts are those of `overlap`, such as gt_classes, connectivity, crowd and scores.

        >>> meter = Evaluation(metrics=["pq"], task="panoptic")
        >>> meter.update(([[1, 1], [2, 2]], [[0, 0], [1, 2]]), ([[1, 1], [2, 2]], [[0, 0], [7, 7]]))
        >>> meter.value("pq", class_=1), meter.value("pq", class_=2)
        (1.0, 0.0)
        """
        name = f"{next(self._names):06d}" if image is None else str(image)
        if (group is None) == self.resampling.grouped and len(self.records):
            raise UsageError(f"image {printable(name)} has {'no' if group is None else 'a'} group, unlike those before")
        if self.facts.objects:
            counts = overlap_of(gt, pred, mask, objects, self.facts, wanted_by(self.metrics))
            earlier = self.pieces is None or name < self.pieces[0]
            if earlier and counts.binary and counts.disjoint and "connectivity" not in objects:
                few = 0 < counts.gt_id.size <= FEW
                ids = label_map(gt).array if few else np.empty(0, np.int64)
                self.pieces = name, pieces(np.where(np.isin(ids, counts.gt_id), ids, 0)), ids.ndim
            files = PACKINGS[0] if two_maps(gt) else ""
            self.facts = self.facts if self.facts.files == files else replace(self.facts, files=files)
            self.add([Record(name, {Overlap.name: counts.to_bytes()}, shape_of(gt))])
            self._group(name, group)
            return
        if objects:
            raise UsageError(f"{min(objects)} is for objects; say Evaluation(task='instance') or 'panoptic'")
        g, p, counts = counted(gt, pred, mask, spacing=self.facts.spacing, here=bool(self._needs))
        task = "binary" if g.binary and p.binary else "semantic"
        if self.facts.task is None:
            self.facts = replace(self.facts, task=task)
        if (self.facts.task == "semantic") != (task == "semantic") and not self._declared_binary:
            raise LabelError(
                f"image {printable(name)} is {task} by its dtype and the images before it are {self.facts.task}; "
                "give all as booleans or all as integers"
            )
        if g.ignore and not {*g.ignore} <= {*self.facts.ignore}:
            ignore = sorted({*self.facts.ignore, *g.ignore})
            if len(self.records):
                raise MergeError(f"image {printable(name)} ignores {ignore}, the others {self.facts.ignore}")
            self.facts = replace(self.facts, ignore=tuple(ignore))
        if self.facts.labels is None and g.labels is not None:
            self.facts = replace(self.facts, labels=g.labels)
        if task == "semantic":
            reading = self.facts.reading
            check_mixed(g, p, counts, self.facts.labels)
            for labels, of, side in ((counts.a, g, "ground truth"), (counts.b, p, "prediction")):
                if reading.labels is not None or of.array.dtype.kind == "i":  # others are never negative
                    reading.check(labels, side)
        statistics = {LabelCounts.name: counts.to_bytes(), **shapes_of(g, p, counts, self.facts, self._needs)}
        self.add([Record(name, statistics, g.array.shape, spacing=g.spacing or p.spacing)])
        self._group(name, group)

    def update_batch(
        self,
        gt: Any,
        pred: Any,
        *,
        images: Iterable[str] | None = None,
        mask: Any = None,
        groups: Iterable[str] | None = None,
    ) -> None:
        """Count the pairs of a batch, whose images lie along the first axis of both arrays (and of the mask).

        `groups` names what each image belongs to, as in `update`.

        >>> meter = Evaluation(metrics=["iou"])
        >>> meter.update_batch([[[0, 1]], [[1, 1]]], [[[0, 1]], [[0, 1]]], images=["a", "b"])
        >>> meter.value("iou", class_=1, image="b")
        0.5
        """
        large = is_away(gt) and gt.ndim and gt[:1].numel() >= LEAST  # counted where it lies, and not copied before
        region: Any = None if mask is None else mask if large and is_away(mask) else as_array(mask)
        g, p = (x if large and is_away(x) else as_array(x) for x in (gt, pred))
        if not g.ndim or not p.ndim:
            raise LabelError(f"a batch of {g.shape} and {p.shape} has no axis of images")
        names = [None] * len(g) if images is None else list(images)
        belong = [None] * len(g) if groups is None else list(groups)
        if len({len(g), len(p), len(names), len(belong), len(g if region is None else region)}) > 1:
            raise LabelError(
                f"a batch of {g.shape} in the ground truth and {p.shape} in the prediction with {len(names)} names and "
                f"{len(belong)} groups; all must have as many images along their first axis"
            )
        for i, (name, group) in enumerate(zip(names, belong, strict=True)):
            self.update(g[i], p[i], image=name, mask=None if region is None else region[i], group=group)

    def add(self, records: Iterable[Record]) -> None:
        """Take in images that were counted elsewhere."""
        self.records.add(records)
        self._pooled, self._stacks, self._rows = {}, {}, None

    def merge(self, other: Evaluation | bytes) -> None:
        """Take in all images of another evaluation with the same conventions, or of its bytes. Raises MergeError."""
        if isinstance(other, bytes):
            other = Evaluation.from_bytes(other)
        mine, theirs = self.facts, other.facts
        if mine.task is None:
            self.facts = mine = replace(mine, task=theirs.task)
        for what in (
            "task",
            "labels",
            "ignore",
            "positive",
            "region",
            "convention",
            "as_declared",
            "class_axis",
            "several",
            "shapes",
            "spacing",
        ):
            a, b = getattr(mine, what), getattr(theirs, what)
            if a != b and theirs.task is not None:
                raise MergeError(f"{what} is {a} here and {b} there; only evaluations of like conventions add up")
        if twice := sorted(set(self.records.names()) & set(other.records.names())):
            raise MergeError(f"image {printable(twice[0])} is in both")
        names = other.records.names()
        if names:
            self.resampling = self.resampling.joined(other.resampling, first=not len(self.records))
            self.pieces = min(filter(None, (self.pieces, other.pieces)), key=lambda x: x[0], default=None)
        records = [other.records[name] for name in names]
        sums = {name: read(total) for name, read in SUMS.items() if (total := other.records.pooled(name)) is not None}
        if records and sums:
            records[0] = replace(records[0], pooled=sums)
        self.add(records)

    def to_bytes(self) -> bytes:
        """Everything that was counted, to be gathered from other processes: `merge` takes it in again."""
        about = self.facts, self.resampling, self.pieces
        return packed(about, [str(m) for m in self.metrics], self.records, SUMS)

    @classmethod
    def from_bytes(cls, data: bytes) -> Evaluation:
        """The evaluation of `to_bytes`. Raises MergeError for the bytes of another version."""
        about = tuple[Facts, Resampling, tuple[str, dict[int, int], int] | None]
        (facts, resampling, pieces), metrics, records = unpacked(data, about, SUMS)
        made = cls(metrics, facts=facts, records=records, intervals=resampling)
        made.pieces = pieces and (pieces[0], Counter(pieces[1]), pieces[2])
        return made

    # Reading

    @property
    def images(self) -> Sequence[str]:
        """The names of the images, in order."""
        return self.records.names()

    @property
    def pooled(self) -> Confusion:
        """The counts of all images together."""
        return self.statistic(Confusion.name)

    def has(self, name: str) -> bool:
        """Whether the task has a statistic of this name."""
        return name in statistics_of(self.facts)

    def statistic(self, name: str) -> Any:
        """A statistic of all images together, by its name."""
        if name not in self._pooled:
            made = source(name, self.facts)
            blocks = (blobs for _, blobs in self.records.blocks(made.stored, BLOCK))
            self._pooled[name] = made.pool(blocks, self.records.pooled(getattr(made, "summed", name)))
        return self._pooled[name]

    def stacks(self, name: str = Confusion.name) -> Iterator[tuple[list[str], Any]]:
        """A statistic of the images, a block of images at a time, in the order of their names."""
        if name in self._stacks:
            yield self._stacks[name]
            return
        made, pooled = source(name, self.facts), self.statistic(name)
        if isinstance(made, Objects | Segmented) and pooled.images == len(self.records) <= BLOCK:
            self._stacks[name] = list(self.records.names()), made.whole(pooled)
            yield self._stacks[name]
            return
        for names, blobs in self.records.blocks(made.stored, BLOCK):
            block = names, made.stack(blobs, pooled)
            if len(names) == len(self.records):  # the only block is kept, so that it is read once
                self._stacks[name] = block
            yield block

    def blocks(self, finite: bool = True) -> Iterator[tuple[list[str], dict[Metric[Any, Any], Values]]]:
        """The values of all metrics, a block of images at a time: arrays (images, columns).

        `finite`: the diagonal of an image stands for its infinite distances.
        """
        used = list(dict.fromkeys(m.statistic for m in self.metrics))
        for together in zip(*(self.stacks(name) for name in used), strict=True):
            stacks = {name: stack for name, (_, stack) in zip(used, together, strict=True)}
            yield together[0][0], {m: self.columns(m, stacks[m.statistic], finite) for m in self.metrics}

    def titles(self, metric: Metric[Any, Any] | None = None) -> list[str | None]:
        """How the columns of a metric are called: its classes in order, and None for a value without class.

        Without a metric: the classes of the confusion; a binary question has one, without a name.
        """
        if metric is not None and not metric.per_class and not self._scores_of_classes(metric):
            return [None]
        statistic = self.statistic(Confusion.name if metric is None else metric.statistic)
        if statistic.binary or (metric is not None and among(metric)):
            return [None]
        labels = self.facts.labels or LabelSet(())
        classes: list[str | None] = [labels.title(c) for c in statistic.classes.tolist()]
        if isinstance(statistic, ClassScores):
            return [*classes, None, MICRO]
        overall = isinstance(statistic, Overlap) or (metric is not None and metric.overall)
        return [*classes, None] if overall else classes

    def value(
        self,
        metric: str | Metric[Any, Any],
        *,
        class_: str | int | None = None,
        over: Over = "pooled",
        image: str | None = None,
    ) -> float:
        """One number: pooled, over images, or of one image. A class goes by name or id."""
        made = parse(metric) if isinstance(metric, str) else metric
        if over not in ("pooled", "images"):
            raise UsageError(f"over must be pooled or images, not {over!r}")
        at = self._column(made, class_)
        if image is not None:
            for names, stack in self.stacks(made.statistic):
                if image in names:
                    return float(self.columns(made, stack, finite=False)[names.index(image), at])
            raise UsageError(f"there is no image {printable(image)}")
        if over == "pooled":
            return float(self.columns(made, self.statistic(made.statistic))[at])
        means = Means()
        for _, stack in self.stacks(made.statistic):
            means.add(self.columns(made, stack))
        return float(means.value[at])

    def image_values(self, metric: str | Metric[Any, Any]) -> tuple[list[str], Values]:
        """The metric of every image: names, and an array (images, columns), one column per title."""
        made = parse(metric) if isinstance(metric, str) else metric
        found = [(names, self.columns(made, stack)) for names, stack in self.stacks(made.statistic)]
        if not found:
            return [], np.empty((0, 1))
        return [n for names, _ in found for n in names], np.concatenate([v for _, v in found])

    def rows(self) -> list[Row]:
        """The result table: every metric and class, pooled and over images."""
        if self._rows is None:
            if of_objects := [self.asked(m) for m in self.metrics if m.statistic == Overlap.name]:
                record_sums(of_objects, self.statistic(Overlap.name))
            means = {m: Means() for m in self.metrics}
            for _, values in self.blocks():
                for m, mean in means.items():
                    mean.add(values[m])
            spread = {m: drawn.intervals for m, drawn in self.draws().items()}
            self._rows = [row for m in self.metrics for row in self._rows_of(m, means[m], spread.get(m))]
        return self._rows

    def draws(self, images: Mapping[Metric[Any, Any], Values] | None = None) -> dict[Metric[Any, Any], Draws]:
        """Every metric on every bootstrap resample of the images; what the intervals are taken from.

        `images` may give the values of the images, where they are to be others than their own.
        """
        if len(self.records) < 2 or not self.metrics or self.resampling.method == "none":
            return {}
        samplers = {name: self.sampler(name) for name in dict.fromkeys(m.statistic for m in self.metrics)}
        values = (values for _, values in self.blocks()) if images is None else [images]
        return draws(self.metrics, self.units, samplers, values, self.columns, self._pixel_means(), self.resampling)

    def sampler(self, name: str) -> Sampler:
        """What resamples of a statistic are drawn from."""
        stacks = (stack for _, stack in self.stacks(name))
        return source(name, self.facts).sampler(self.units, self.statistic(name), stacks)

    @property
    def units(self) -> Units:
        """What the bootstrap draws: each image by itself, or groups of them."""
        how = self.resampling
        return how.units(self.images) if how.grouped else Units.single(len(self.records))

    def objects(self, iou: float = 0.5) -> Iterator[ObjectRow]:
        """Every object of both sides and what became of it at this IoU, image by image (see `objects`).

        >>> meter = Evaluation(metrics=["object_f1(iou=0.5)"], task="instance")
        >>> meter.update([[1, 1, 0, 2]], [[5, 5, 0, 0]], image="a")
        >>> [(o.side, o.id, o.size, o.partner, o.fate) for o in meter.objects()]
        [('gt', 1, 2, 5, 'matched'), ('gt', 2, 1, None, 'missed'), ('pred', 5, 2, 1, 'matched')]
        """
        from .objects import object_rows

        if not self.has(Overlap.name):
            raise UsageError(f"task {self.facts.task} has no objects to list; instance and panoptic have")
        return object_rows(self.stacks(Overlap.name), self.records, self.facts, iou)

    def report(self, path: str) -> None:
        """Write the evaluation as one HTML page that needs no network."""
        from .report import write_report

        write_report(self, path)

    def plot(self, name: str, ax: Axes | None = None, *, versus: Evaluation | None = None) -> Axes:
        """Draw a picture of the report with matplotlib, into `ax` or a figure of its own (needs the extra `plot`).

        name    as `maskmeter report --figures` calls its files: "roc", "confusion", "iou-over-images", ...
        versus  a second evaluation, for the pictures that show two

        Raises UsageError where the evaluation has no picture of that name, listing those that it has.
        """
        from .report.axes import plot

        return plot(self, name, ax, versus)

    def signature(self, metric: Metric[Any, Any], over: Over) -> str:
        """Everything that a reader must know to get the same number."""
        drawn = self._intervals_said if len(self.records) > 1 else []
        return "|".join(
            [str(metric), f"over:{over}", *self.said(metric), f"images:{len(self.records)}", *drawn, VERSION]
        )

    def said(self, metric: Metric[Any, Any]) -> list[str]:
        """The facts that the signature of a metric names; a curve goes over all thresholds."""
        moot = ["threshold:"] if metric.statistic == Scores.name else []
        judged = metric.statistic in DETECTED
        moot += [] if judged or self._takes_convention(metric) else ["convention:"]
        return [fact for fact in self.facts.signature if not fact.startswith(tuple(moot))]

    def columns(self, metric: Metric[Any, Any], statistic: Any, finite: bool = True) -> Values:
        """The metric's values with a last axis of columns, as `titles` names them, under the run's convention."""
        return columns(self.asked(metric), statistic, finite)

    def asked(self, metric: Metric[Any, Any]) -> Metric[Any, Any]:
        """The metric under the run's convention."""
        return metric.at(convention=self.facts.convention) if self._takes_convention(metric) else metric

    # Inside

    def _group(self, name: str, group: str | None) -> None:
        if group is not None:
            known = self.resampling
            self.resampling = replace(known, by=known.by or "group", groups={**known.groups, name: str(group)})

    @property
    def _intervals_said(self) -> list[str]:
        """How intervals were made, as the signature has it."""
        how = self.resampling
        groups = [f"groups:{len(set(how.groups.values()))},{how.by}"] if how.grouped and how.method != "none" else []
        return [f"intervals:{how.said}", *groups]

    def _scores_of_classes(self, metric: Metric[Any, Any]) -> bool:
        """Whether a metric of scores has a value for each class, their mean, and one of all decisions together."""
        return metric.statistic == Scores.name and self.facts.class_axis is not None

    def _takes_convention(self, metric: Metric[Any, Any]) -> bool:
        """Whether the run's convention is for this metric, which names none itself."""
        asked = self.facts.task == "panoptic" and self.facts.convention is not None
        return asked and metric.name in QUALITY and "convention" not in dict(metric.params)

    @property
    def _declared_binary(self) -> bool:
        return self.facts.task == "binary" and self.facts.positive != (1,)

    def _column(self, metric: Metric[Any, Any], class_: str | int | None) -> int:
        titles = self.titles(metric)
        if class_ is None:
            if None in titles:
                return titles.index(None)
            if not titles:
                raise UsageError(f"{metric} has no value yet: there are no images")
            known = ", ".join(str(t) for t in titles)
            raise UsageError(f"{metric} has a value for each class; say class_=, one of {known}")
        if titles == [None]:
            raise UsageError(f"{metric} has no classes here; leave class_ away")
        ids = [str(c) for c in self.statistic(metric.statistic).classes.tolist()]
        for known in (titles, ids):
            if str(class_) in known:
                return known.index(str(class_))
        raise UsageError(f"there is no class {class_!r}; there are {', '.join(t for t in titles if t is not None)}")

    def _pixel_means(self) -> dict[Metric[Any, Any], PixelMeans]:
        """What resamples of the means over pixels are drawn from."""
        means = {m: PixelMeans(self.units) for m in self.metrics if m.by_pixel}
        for _, stack in self.stacks(Scores.name) if means else ():
            counted = [s.together if isinstance(s, ImageClassScores) else s for s in stack]
            pixels = np.array([s.positives + s.negatives for s in counted], np.float64)
            for m, mean_of in means.items():
                mean_of.add(self.columns(m, stack), pixels)
        return means

    def _rows_of(
        self, metric: Metric[Any, Any], means: Means, spread: tuple[Interval, Interval] | None
    ) -> Iterator[Row]:
        titles = self.titles(metric)
        undefined = np.full(len(titles), math.nan)
        n = np.zeros(len(titles), np.int64) if means.n is None else means.n
        mean = undefined if means.n is None else means.value
        none = Interval.none(len(titles))
        pooled = self.columns(metric, self.statistic(metric.statistic))
        infinite = self._infinite(metric)
        objects = objects_behind(metric, self.statistic(metric.statistic), titles)
        overs: tuple[Over, Over] = ("pooled", "images")
        for over, values, ends in zip(overs, (pooled, mean), spread or (none, none), strict=True):
            signature, behind = self.signature(metric, over), n if objects is None or over == "images" else objects
            for title, v, k, images, low, high, far, doubts in zip(
                titles, values.tolist(), behind.tolist(), n.tolist(), ends.low.tolist(), ends.high.tolist(),
                infinite.tolist(), ends.doubts, strict=True,
            ):  # fmt: skip
                left = len(self.records) - images
                yield Row(str(metric), title, over, v, k, left, low, high, signature, far, doubts)

    def _infinite(self, metric: Metric[Any, Any]) -> NDArray[np.int64]:
        """In how many images each column is an infinite distance."""
        out = np.zeros(len(self.titles(metric)), np.int64)
        if isinstance(self.statistic(metric.statistic), Measured):
            for _, stack in self.stacks(metric.statistic):
                out += np.isinf(self.columns(metric, stack, finite=False)).sum(axis=0)
        return out
