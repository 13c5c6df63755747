"""Comparison: whether one model is better than another on the same images.

Images are paired by name; those that only one evaluation holds are listed and left out. For every metric
and class there are the difference of the pooled values and of the means over images, each with a paired
bootstrap interval (both sides draw the same images). For the means over images there is besides a Wilcoxon
signed-rank test, all over the images where both sides have a value, with Holm's correction over all tests of the table,
the number of images that are better, equal and worse, and the effect size: the mean difference over the
standard deviation of the differences.

"Better" follows the metric: a lower distance, a difference nearer to zero. An interval that leaves out zero
says that the difference is unlikely to be the luck of these images, not that it matters.

References: Wilcoxon, Biometrics Bulletin 1, 1945; Holm, Scandinavian Journal of Statistics 6, 1979.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from .errors import DataError, UsageError
from .evaluation import Evaluation, Means, Over
from .labels import LabelSet
from .metrics import Metric, Values
from .records import Record, Records


class Difference(NamedTuple):
    """One line of a comparison: `b` against `a`.

    difference   b - a, with its interval `low` to `high`
    p            of the Wilcoxon test, corrected by Holm; NaN for pooled values and where there is no test
    effect       mean over standard deviation of the images' differences
    better, equal, worse   images on which b is so
    """

    metric: str
    class_: str | None
    over: Over
    a: float
    b: float
    difference: float
    low: float
    high: float
    p: float
    effect: float
    better: int
    equal: int
    worse: int

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


class Moved(NamedTuple):
    """An image and its values under both."""

    image: str
    a: float
    b: float


@dataclass(frozen=True)
class Comparison:
    """Two evaluations of the same images.

    lines          the differences
    images         how many images both hold
    only_a, only_b the images that one of them lacks
    headline       the metric by which images are called better
    improved, worsened  the images on which it is better, or worse, under b, the most moved first
    """

    lines: list[Difference]
    images: int
    only_a: list[str]
    only_b: list[str]
    headline: str
    improved: list[Moved]
    worsened: list[Moved]

    @property
    def tests(self) -> int:
        """How many tests were corrected for."""
        return sum(not math.isnan(d.p) for d in self.lines)


def compare(a: Evaluation, b: Evaluation) -> Comparison:
    """How `b` differs from `a`. Raises UsageError where they were made in different ways, DataError without a pair."""
    names_a, names_b = set(a.images), set(b.images)
    common = sorted(names_a & names_b)
    if not common:
        raise DataError("the two runs have no image in common")
    check_alike(a, b)
    shared = [m for m in a.metrics if m in b.metrics]
    if not shared:
        raise UsageError("the two runs have no metric in common")
    left, right = (restricted(e, common, shared) for e in (a, b))
    lines = list(_lines(left, right, shared))
    tests = [i for i, line in enumerate(lines) if not math.isnan(line.p)]
    for i, p in zip(tests, holm([lines[i].p for i in tests]), strict=True):
        lines[i] = lines[i]._replace(p=p)
    by = headline(left, shared)
    return Comparison(
        lines, len(common), sorted(names_a - names_b), sorted(names_b - names_a), str(by),
        *_moved(left, right, by),
    )  # fmt: skip


def holm(p: Sequence[float]) -> list[float]:
    """Holm's correction of p values: the k-th smallest of n times (n - k + 1), never falling.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    scaled = np.minimum(1.0, np.maximum.accumulate(np.array(p)[order] * np.arange(len(p), 0, -1)))
    out = np.empty(len(p))
    out[order] = scaled
    return out.tolist()


def check_alike(a: Evaluation, b: Evaluation) -> None:
    """Raise UsageError where two evaluations were made in different ways."""
    for what in ("task", "labels", "ignore", "positive", "region", "spacing", "class_axis", "on"):
        x, y = getattr(a.facts, what), getattr(b.facts, what)
        if x != y:
            raise UsageError(f"the runs differ in {what} ({_said(x)} and {_said(y)}); evaluate both in the same way")
    _check_grouped_alike(a, b)
    one, other = (replace(e.resampling, groups={}, by="").said for e in (a, b))
    if one != other:
        raise UsageError(f"the runs differ in intervals ({one} and {other}); evaluate both with the same --intervals")


def _check_grouped_alike(a: Evaluation, b: Evaluation) -> None:
    """Raise UsageError where the images that both hold are grouped in different ways."""
    common = sorted(set(a.images) & set(b.images))
    one, other = (e.resampling.units(common) for e in (a, b))
    together = len(set(zip(one.of.tolist(), other.of.tolist(), strict=True)))
    if not (one.groups == other.groups and together == one.count == other.count):
        ways = [f"by {e.resampling.by}" if e.resampling.grouped else "not at all" for e in (a, b)]
        raise UsageError(
            f"the runs group their images in different ways ({ways[0]} and {ways[1]}); evaluate both with the same "
            "--group-by, with --resume nothing is counted again"
        )


def _said(fact: object) -> str:
    """A fact in a few words."""
    if isinstance(fact, LabelSet):
        return f"{len(fact.classes)} declared classes"
    return ",".join(map(str, fact)) if isinstance(fact, tuple) and fact else "none" if not fact else str(fact)


class _Only:
    """The records of some images."""

    def __init__(self, records: Records, names: Sequence[str]) -> None:
        self._records, self._names = records, list(names)
        self._wanted = set(names)

    def add(self, records: Iterable[Record]) -> None:
        raise UsageError("a part of an evaluation takes in no images")

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._wanted

    def __getitem__(self, name: str) -> Record:
        return self._records[name]

    def names(self) -> Sequence[str]:
        return self._names

    def blocks(self, statistic: str, size: int) -> Iterator[tuple[list[str], list[bytes]]]:
        for names, blobs in self._records.blocks(statistic, size):
            kept = [i for i, n in enumerate(names) if n in self._wanted]
            if kept:
                yield [names[i] for i in kept], [blobs[i] for i in kept]

    def notes(self) -> Iterator[tuple[str, ...]]:
        return iter(())

    def pooled(self, statistic: str) -> bytes | None:
        return self._records.pooled(statistic)


def restricted(e: Evaluation, names: Sequence[str], metrics: Sequence[Metric[Any, Any]]) -> Evaluation:
    """The evaluation of these images alone, with these metrics."""
    if len(names) < len(e.records) and any(e.records.pooled(m.statistic) for m in metrics):
        raise DataError("score maps of floats are only kept as a sum, which can be compared over the same images alone")
    kept, how = set(names), e.resampling
    groups = {n: g for n, g in how.groups.items() if n in kept}
    made = Evaluation(
        metrics, facts=replace(e.facts, missing=None), records=_Only(e.records, names),
        intervals=replace(how, groups=groups),
    )  # fmt: skip
    made.inputs = e.inputs
    return made


def _lines(a: Evaluation, b: Evaluation, metrics: Sequence[Metric[Any, Any]]) -> Iterator[Difference]:
    columns = {
        m: [(t, a.titles(m).index(t), b.titles(m).index(t)) for t in a.titles(m) if t in b.titles(m)] for m in metrics
    }
    images_a, images_b = _paired(a, b, columns)
    draws_a, draws_b = a.draws(images_a), b.draws(images_b)
    for m in metrics:
        pooled = [e.columns(m, e.statistic(m.statistic)).tolist() for e in (a, b)]
        means = [_means(values[m]) for values in (images_a, images_b)]
        for title, i, j in columns[m]:
            ends = ((math.nan, math.nan),) * 2
            if m in draws_a and m in draws_b:
                apart = draws_b[m].column(j) - draws_a[m].column(i)
                ends = tuple((float(e.low[0]), float(e.high[0])) for e in apart.intervals)
            counted = _by_image(m, images_a[m][:, i], images_b[m][:, j])
            for over, (x, y), (low, high) in zip(("pooled", "images"), (pooled, means), ends, strict=True):
                p, effect, *wins = counted if over == "images" else (math.nan, *counted[1:])
                yield Difference(str(m), title, over, x[i], y[j], y[j] - x[i], low, high, p, effect, *wins)


def _paired(
    a: Evaluation, b: Evaluation, columns: Mapping[Metric[Any, Any], list[tuple[str | None, int, int]]]
) -> tuple[dict[Metric[Any, Any], Values], dict[Metric[Any, Any], Values]]:
    """The images' values on both sides; where one side has none, neither has."""
    left, right = ({m: e.image_values(m)[1].copy() for m in columns} for e in (a, b))
    for m, pairs in columns.items():
        for _, i, j in pairs:
            x, y = left[m][:, i], right[m][:, j]
            x[np.isnan(y)], y[np.isnan(x)] = math.nan, math.nan
    return left, right


def _means(values: Values) -> list[float]:
    found = Means()
    found.add(values)
    return found.value.tolist()


def _by_image(m: Metric[Any, Any], a: Values, b: Values) -> tuple[float, float, int, int, int]:
    """The test, the effect size and the wins over the images where both have a value."""
    from scipy.stats import wilcoxon

    both = ~np.isnan(a)
    d = b[both] - a[both]
    gain = {"lower": -d, "zero": np.abs(a[both]) - np.abs(b[both])}.get(m.better, d)
    wins = int((gain > 0).sum()), int((gain == 0).sum()), int((gain < 0).sum())
    if not d.any():
        return (math.nan, math.nan, *wins)
    spread = float(d.std(ddof=1)) if d.size > 1 else 0.0
    tested: Any = wilcoxon(d, method="auto" if d.size <= 50 else "asymptotic") if d.size > 5 else None
    p = math.nan if tested is None else float(tested.pvalue)
    return (p, float(d.mean() / spread) if spread else math.nan, *wins)


def headline(e: Evaluation, metrics: Sequence[Metric[Any, Any]]) -> Metric[Any, Any]:
    """The metric by which images are called better: one number that its field looks at first."""
    known = {m.name: m for m in reversed(metrics)}
    first = ["iou"] if "iou" in known and e.titles(known["iou"]) == [None] else ["mean_iou", "pq", "object_f1"]
    return next((known[name] for name in first if name in known), metrics[0])


def _moved(a: Evaluation, b: Evaluation, m: Metric[Any, Any]) -> tuple[list[Moved], list[Moved]]:
    """The images that improved and those that worsened, the most moved first."""
    (names, x), (_, y) = a.image_values(m), b.image_values(m)
    sign = -1.0 if m.better == "lower" else 1.0
    found = [
        Moved(n, p, q) for n, p, q in zip(names, x[:, -1].tolist(), y[:, -1].tolist(), strict=True) if p == p and q == q
    ]
    by_gain = sorted(found, key=lambda v: (-sign * (v.b - v.a), v.image))
    improved = [v for v in by_gain if sign * (v.b - v.a) > 0]
    return improved, [v for v in reversed(by_gain) if sign * (v.b - v.a) < 0]
