"""Evaluation: the statistics of every image, and the numbers that follow from them.

Statistics are kept by image. A value is *pooled* (statistics summed, then the formula) or over
*images* (the mean of the images' own values, over the images where there is one); both are always
there. Per-image values, pooled values and their means all come from the same stored statistics.

Means over images equal `np.mean` over the images in the order of their names, up to 4096 of them;
beyond that blocks of 4096 are added exactly. So neither arrival nor sharding moves a bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._version import __version__
from .errors import LabelError, MergeError, UsageError, printable
from .labels import LabelSet
from .masks import label_map, pair
from .metrics import METRICS, Metric, Values, parse
from .metrics.instances import over_classes
from .readings import Facts, source, statistics_of
from .records import Memory, Record, Records
from .sending import packed, unpacked
from .statistics.confusion import Confusion, LabelCounts, count_labels
from .statistics.image_scores import ImageScores
from .statistics.overlap import STUFF, THING, Overlap
from .statistics.scores import Scores
from .uncertainty import Draws, Interval, Sampler, draws

if TYPE_CHECKING:
    import pandas

Over = Literal["pooled", "images"]
QUALITY = ("pq", "sq", "rq")
BLOCK = 4096  # images whose values are held at once
VERSION = f"maskmeter:{__version__}"


class Row(NamedTuple):
    """One number of the result table. `class_` is None where the metric has none."""

    metric: str
    class_: str | None
    over: Over
    value: float
    n: int
    undefined: int
    low: float
    high: float
    signature: str


class Evaluation:
    """Statistics by image. Feed it pairs, add evaluations together, read values, rows and reports.

    metrics      names or metrics; by default every region metric without a required parameter
    facts        what is true of the data; `ignore`, `classes` and `labels` are the short way to say it
    inputs       where the images came from, as `results.json` says it
    notices      what the user should know about how the data was read
    photographs  the folder of photographs, where there is one

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
        facts: Facts | None = None,
        records: Records | None = None,
    ) -> None:
        void = (ignore,) if isinstance(ignore, int) else tuple(ignore or ())
        labels = labels if classes is None else LabelSet.of_ids(classes)
        self.facts = facts or Facts(labels=labels, ignore=void)
        self.records: Records = Memory() if records is None else records
        given = default_metrics() if metrics is None else metrics
        self.metrics: tuple[Metric[Any, Any], ...] = tuple(
            dict.fromkeys(parse(m) if isinstance(m, str) else m for m in given)
        )
        for m in self.metrics:
            m.check_complete()
        self.inputs: dict[str, Any] = {}
        self.notices: list[str] = []
        self.photographs: str | None = None
        self._names = count()
        self._pooled: dict[str, Any] = {}
        self._stacks: dict[str, tuple[list[str], Any]] = {}
        self._rows: list[Row] | None = None

    # Feeding

    def update(self, gt: Any, pred: Any, *, image: str | None = None, mask: Any = None) -> None:
        """Count one pair under the name `image` (by default its number); its pixels are not kept."""
        name = f"{next(self._names):06d}" if image is None else str(image)
        g, p = label_map(gt, counted=mask), label_map(pred)
        pair(g, p)
        task = "binary" if g.binary and p.binary else "semantic"
        if self.facts.task is None:
            self.facts = replace(self.facts, task=task)
        if (self.facts.task == "semantic") != (task == "semantic") and not self._declared_binary:
            raise LabelError(
                f"image {printable(name)} is {task} by its dtype and the images before it are {self.facts.task}; "
                "give all as booleans or all as integers"
            )
        ignore = {*self.facts.ignore, *g.ignore}
        if ignore != set(self.facts.ignore):
            if len(self.records):
                raise MergeError(f"image {printable(name)} ignores {sorted(ignore)}, the others {self.facts.ignore}")
            self.facts = replace(self.facts, ignore=tuple(sorted(ignore)))
        if self.facts.labels is None and g.labels is not None:
            self.facts = replace(self.facts, labels=g.labels)
        counts = count_labels(g.array, p.array, g.counted)
        if task == "semantic":
            reading = self.facts.reading
            reading.check(counts.a, "ground truth")
            reading.check(counts.b, "prediction")
        self.add([Record(name, {LabelCounts.name: counts.to_bytes()}, g.array.shape)])

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
        for what in ("task", "labels", "ignore", "positive", "region", "convention", "as_declared"):
            a, b = getattr(mine, what), getattr(theirs, what)
            if a != b and theirs.task is not None:
                raise MergeError(f"{what} is {a} here and {b} there; only evaluations of like conventions add up")
        if twice := sorted(set(self.records.names()) & set(other.records.names())):
            raise MergeError(f"image {printable(twice[0])} is in both")
        names = other.records.names()
        records = [other.records[name] for name in names]
        if records and (total := other.records.pooled(Scores.name)) is not None:
            records[0] = replace(records[0], pooled={Scores.name: Scores.from_bytes(total)})
        self.add(records)

    def to_bytes(self) -> bytes:
        """Everything that was counted, to be gathered from other processes: `merge` takes it in again."""
        return packed(self.facts, [str(m) for m in self.metrics], self.records, (Scores.name,))

    @classmethod
    def from_bytes(cls, data: bytes) -> Evaluation:
        """The evaluation of `to_bytes`. Raises MergeError for the bytes of another version."""
        facts, metrics, records = unpacked(data, Facts, {Scores.name: Scores.from_bytes})
        return cls(metrics, facts=facts, records=records)

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
            self._pooled[name] = made.pool(blocks, self.records.pooled(name))
        return self._pooled[name]

    def stacks(self, name: str = Confusion.name) -> Iterator[tuple[list[str], Any]]:
        """A statistic of the images, a block of images at a time, in the order of their names."""
        if name in self._stacks:
            yield self._stacks[name]
            return
        made, pooled = source(name, self.facts), self.statistic(name)
        for names, blobs in self.records.blocks(made.stored, BLOCK):
            block = names, made.stack(blobs, pooled)
            if len(names) == len(self.records):  # the only block is kept, so that it is read once
                self._stacks[name] = block
            yield block

    def blocks(self) -> Iterator[tuple[list[str], dict[Metric[Any, Any], Values]]]:
        """The values of all metrics, a block of images at a time: arrays (images, columns)."""
        used = list(dict.fromkeys(m.statistic for m in self.metrics))
        for together in zip(*(self.stacks(name) for name in used), strict=True):
            stacks = {name: stack for name, (_, stack) in zip(used, together, strict=True)}
            yield together[0][0], {m: self.columns(m, stacks[m.statistic]) for m in self.metrics}

    def titles(self, metric: Metric[Any, Any] | None = None) -> list[str | None]:
        """How the columns of a metric are called: its classes in order, and None for a value without class.

        Without a metric: the classes of the confusion; a binary question has one, without a name.
        """
        if metric is not None and not metric.per_class:
            return [None]
        statistic = self.statistic(Confusion.name if metric is None else metric.statistic)
        if statistic.binary or (metric is not None and among(metric)):
            return [None]
        labels = self.facts.labels or LabelSet(())
        classes: list[str | None] = [labels.title(c) for c in statistic.classes.tolist()]
        return [*classes, None] if isinstance(statistic, Overlap) else classes

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
                    return float(self.columns(made, stack)[names.index(image), at])
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
        if len(self.records) < 2 or not self.metrics:
            return {}
        samplers = {name: self._sampler(name) for name in dict.fromkeys(m.statistic for m in self.metrics)}
        values = (values for _, values in self.blocks()) if images is None else [images]
        return draws(self.metrics, len(self.records), samplers, values, self.columns)

    def to_pandas(self) -> pandas.DataFrame:
        """The result table as a data frame (needs the extra `pandas`)."""
        try:
            import pandas as pd
        except ImportError:
            raise UsageError("to_pandas needs pandas: pip install 'maskmeter[pandas]'") from None
        return pd.DataFrame([{**r._asdict(), "class": r.class_} for r in self.rows()]).drop(columns="class_")

    def report(self, path: str) -> None:
        """Write the evaluation as one HTML page that needs no network."""
        from .report import write_report

        write_report(self, path)

    def signature(self, metric: Metric[Any, Any], over: Over) -> str:
        """Everything that a reader must know to get the same number."""
        return "|".join([str(metric), f"over:{over}", *self.said(metric), f"images:{len(self.records)}", VERSION])

    def said(self, metric: Metric[Any, Any]) -> list[str]:
        """The facts that the signature of a metric names; a curve goes over all thresholds."""
        moot = ["threshold:"] if metric.statistic == Scores.name else []
        moot += [] if self._takes_convention(metric) else ["convention:"]
        return [fact for fact in self.facts.signature if not fact.startswith(tuple(moot))]

    def columns(self, metric: Metric[Any, Any], statistic: Any) -> Values:
        """The metric's values with a last axis of columns, as `titles` names them, under the run's convention."""
        takes = self._takes_convention(metric)
        return columns(metric.at(convention=self.facts.convention) if takes else metric, statistic)

    # Inside

    def _takes_convention(self, metric: Metric[Any, Any]) -> bool:
        """Whether the run's convention is for this metric, which names none itself."""
        return self.facts.convention is not None and metric.name in QUALITY and "convention" not in dict(metric.params)

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

    def _sampler(self, name: str) -> Sampler:
        stacks = (stack for _, stack in self.stacks(name))
        return source(name, self.facts).sampler(len(self.records), self.statistic(name), stacks)

    def _rows_of(
        self, metric: Metric[Any, Any], means: Means, spread: tuple[Interval, Interval] | None
    ) -> Iterator[Row]:
        titles = self.titles(metric)
        undefined = np.full(len(titles), math.nan)
        n = np.zeros(len(titles), np.int64) if means.n is None else means.n
        mean = undefined if means.n is None else means.value
        none = Interval(undefined, undefined)
        pooled = self.columns(metric, self.statistic(metric.statistic))
        overs: tuple[Over, Over] = ("pooled", "images")
        for over, values, ends in zip(overs, (pooled, mean), spread or (none, none), strict=True):
            signature, behind = self.signature(metric, over), n
            if over == "pooled" and (objects := self._objects_behind(metric)) is not None:
                behind = objects
            for title, v, k, images, low, high in zip(
                titles, values.tolist(), behind.tolist(), n.tolist(), ends.low.tolist(), ends.high.tolist(), strict=True
            ):
                yield Row(str(metric), title, over, v, k, len(self.records) - images, low, high, signature)

    def _objects_behind(self, metric: Metric[Any, Any]) -> NDArray[np.int64] | None:
        """How many objects of the ground truth a pooled value of each column stands on; None for other metrics."""
        o = self.statistic(metric.statistic)
        if not isinstance(o, Overlap) or not metric.per_class:
            return None
        found = np.searchsorted(o.classes, o.gt_class[o.gt_crowd == 0])
        each = np.bincount(found, minlength=o.classes.size).astype(np.int64)
        kept = {"things": o.thing == THING, "stuff": o.thing == STUFF}.get(str(dict(metric.params).get("among")))
        total = each.sum() if kept is None else each[kept].sum()
        titles = self.titles(metric)
        return np.array([total]) if titles == [None] else np.append(each, total)


def default_metrics(facts: Facts | None = None) -> list[Metric[Any, Any]]:
    """What is computed where nobody asks: every metric without a required parameter of the families that fit.

    Objects are matched at IoU 0.5, 0.75 and 0.9. Panoptic quality is there for all classes, things and stuff.
    """
    facts = facts or Facts()
    if facts.task == "detection":
        return [METRICS[name].at(convention="cityscapes") for name in ("ap", "ap50")]
    if facts.task == "panoptic":
        return [METRICS[q].at(**at) for at in ({}, {"among": "things"}, {"among": "stuff"}) for q in QUALITY]
    if Overlap.name in statistics_of(facts):
        ranged = [m for m in METRICS.values() if m.statistic == Overlap.name and "iou" in m.defaults and not m.complete]
        single = [m for m in METRICS.values() if m.statistic == Overlap.name and m.complete]
        return [*(m.at(iou=iou) for iou in (0.5, 0.75, 0.9) for m in ranged), *single]
    return [m for m in METRICS.values() if m.statistic in statistics_of(facts) and m.complete]


def columns(metric: Metric[Any, Any], statistic: Any) -> Values:
    """The metric's values with a last axis of columns, as `Evaluation.titles` names them."""
    if isinstance(statistic, list):
        return np.concatenate([_one(metric, each) for each in statistic])
    values = metric.values(statistic)
    if not metric.per_class:
        return values[..., None]
    if isinstance(statistic, Overlap) and not statistic.binary:
        mean = over_classes(metric, statistic, values)[..., None]
        return mean if among(metric) else np.append(values, mean, -1)
    if isinstance(statistic, Overlap):
        return values
    return values[..., 1:2] if statistic.binary else values


def _one(metric: Metric[Any, Any], statistic: Scores | ImageScores) -> Values:
    """The value of one image, the exact one where it was kept."""
    exact = statistic.exact.get(str(metric)) if isinstance(statistic, ImageScores) else None
    return np.reshape(metric.values(statistic) if exact is None else exact, (1, 1))


def among(metric: Metric[Any, Any]) -> bool:
    """Whether a metric is restricted to some classes: it has their mean alone, as its classes are those without it."""
    return bool(dict(metric.params).get("among"))


class Means:
    """Means over images, fed a block at a time: the exact sum of the blocks' `np.sum`."""

    def __init__(self) -> None:
        self.n: NDArray[np.int64] | None = None
        self._sums: list[Values] = []

    def add(self, values: Values) -> None:
        defined = ~np.isnan(values)
        n = defined.sum(axis=0)
        self.n = n if self.n is None else self.n + n
        # Contiguous along the images, NumPy adds pairwise, as np.mean does.
        self._sums.append(np.ascontiguousarray(np.where(defined, values, 0.0).T).sum(axis=1))

    @property
    def value(self) -> Values:
        if self.n is None:
            return np.full(1, math.nan)
        total = np.array([math.fsum(block) for block in np.stack(self._sums).T.tolist()])
        return np.where(self.n > 0, total / np.maximum(self.n, 1), math.nan)
