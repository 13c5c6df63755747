"""Comparison: whether one model is better than another on the same images.

Images are paired by name; those that only one evaluation holds are listed and left out. For every metric
and class there are the difference of the pooled values and of the means over images, each with a paired
bootstrap interval (both sides draw the same images, or groups of them). For the means over images, over the images
where both sides have a value, there are besides two paired tests (see `significance`), each with Holm's correction
over all metrics and classes of the comparison; the effect size; and the number of images that are better, equal
and worse.

Which metric comes first is one rule (`headline`), for comparisons, rankings, averages and the report: of those that
were asked for the one that the field of the task looks at first (`FIRST`).

Holm's family is every metric and class that is compared; a mean over classes of which one alone has values is that
class, and one test.

"Better" follows the metric: a lower distance, a difference nearer to zero. An interval that leaves out zero
says that the difference is unlikely to be the luck of these images, not that it matters. Below six images, or groups,
with a value no test can say so, and nor does the interval: then nothing is called better or worse.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from .columns import Means
from .errors import DataError, UsageError, printable
from .evaluation import Evaluation
from .labels import LabelSet
from .metrics import Metric, Values, parse
from .records import Record, Records
from .rows import Over
from .significance import LEAST, SIGNIFICANT, holm, numbers, paired
from .uncertainty import FEW


class Difference(NamedTuple):
    """One line of a comparison: `b` against `a`.

    difference   b - a, with its interval `low` to `high`
    wilcoxon, permutation   p of the tests, corrected by Holm; NaN for pooled values and where there is no test
    effect       mean over standard deviation of the differences of images, or of groups
    better, equal, worse   images on which b is so
    units        images, or groups of them, that the difference rests on
    """

    metric: str
    class_: str | None
    over: Over
    a: float
    b: float
    difference: float
    low: float
    high: float
    wilcoxon: float
    permutation: float
    effect: float
    better: int
    equal: int
    worse: int
    units: int

    @property
    def title(self) -> str:
        """The metric, and the class where there is one."""
        return self.metric if self.class_ is None else f"{self.metric}[{self.class_}]"

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0

    @property
    def verdict(self) -> Literal["better", "worse", "different", "open", "few", ""]:
        """What its interval says of b; "" where there is none, "different" where no end of the metric is better.

        "few": it leaves out zero, and rests on fewer units than any test needs.
        """
        if math.isnan(self.low) or math.isnan(self.difference):
            return ""
        if not self.clear:
            return "open"
        if self.units < LEAST:
            return "few"
        better = parse(self.metric).better
        if better == "none":
            return "different"
        gained = {"lower": self.difference < 0, "zero": abs(self.b) < abs(self.a)}.get(better, self.difference > 0)
        return "better" if gained else "worse"


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
    groups         how many groups these make; None where each image stands for itself
    by             how they are grouped
    only_a, only_b the images that one of them lacks
    headline       the metric by which images are called better
    improved, worsened  the images on which it is better, or worse, under b, the most moved first
    remarks        what else makes the two differ, or the answer unsure, a sentence each
    """

    lines: list[Difference]
    images: int
    groups: int | None
    by: str
    only_a: list[str]
    only_b: list[str]
    headline: str
    improved: list[Moved]
    worsened: list[Moved]
    remarks: list[str]

    @property
    def tests(self) -> int:
        """How many metrics and classes were corrected for."""
        return len({_question(d) for d in self.lines if not math.isnan(d.permutation)})

    def __str__(self) -> str:
        """Whether b is better than a: a sentence on the means over images, and one on the pooled values."""
        units = f"{self.images} images that both hold"
        if self.groups is not None:
            units += f", in {self.groups} groups by {printable(self.by)}"
        d = self.answer
        if d is not None and (n := d.better + d.equal + d.worse) < self.images:
            units = f"{n} images with a value of the {units}"
        if d is None:
            return f"{self.headline} has no value to compare on the {units}."
        said = {
            "better": "B is better than A",
            "worse": "B is worse than A",
            "different": "B differs from A",
            "open": "B and A are not told apart",
            "few": f"No test can say whether B is better than A with fewer than {LEAST} {self.what}",
            "": "Without an interval nobody can say whether B is better than A",
        }[d.verdict]
        apart = f"{d.b:.4f} against {d.a:.4f}, a difference of {d.difference:+.4f}"
        interval = f" (95 % {d.low:+.4f} to {d.high:+.4f})" if d.verdict else ""
        return f"{said} in {printable(d.title)}: {apart}{interval} of the means over the {units}.{self._pooled(d)}"

    def _pooled(self, answer: Difference) -> str:
        """The pooled values beside the answer, and which images are in these alone."""
        of = (answer.metric, answer.class_, "pooled")
        d = next((d for d in self.lines if (d.metric, d.class_, d.over) == of), None)
        if d is None or math.isnan(d.difference):
            return ""
        apart = f"{d.b:.4f} against {d.a:.4f}, a difference of {d.difference:+.4f}"
        interval = f" (95 % {d.low:+.4f} to {d.high:+.4f})" if d.verdict else ""
        alone = self.images - answer.better - answer.equal - answer.worse
        left = (
            f"; that counts what is found on the {alone} images without a value too, the mean does not" if alone else ""
        )
        return f" Pooled it is {apart}{interval}{left}."

    @property
    def what(self) -> str:
        """What is drawn and tested."""
        return "images" if self.groups is None else "groups"

    @property
    def conflicts(self) -> str:
        """Where the two tests disagree, which of them goes with the verdict and why; "" where they agree."""
        return conflict([d for d in self.lines if d.over == "images"], self.what)

    @property
    def answer(self) -> Difference | None:
        """The line that answers whether b is better: the mean over images of the headline; None where undefined."""
        found = [d for d in self.lines if d.metric == self.headline and d.over == "images"]
        whole = [d for d in found if d.class_ is None] or found[:1]
        return whole[0] if whole and not math.isnan(whole[0].difference) else None


def compare(a: Evaluation, b: Evaluation, metrics: Sequence[str | Metric[Any, Any]] | None = None) -> Comparison:
    """How `b` differs from `a`, in all metrics that both have, or in given ones, which are then the family of tests.

    Given ones need not be in the runs: what was counted is enough. The runs may hold other images besides; those that
    both hold are compared. `str` says whether b is better; `lines` are the differences, `improved` and `worsened` the
    images that moved most.

    Raises UsageError where they were made in different ways, DataError where they have no image in common.

    >>> a, b = Evaluation(["accuracy"]), Evaluation(["accuracy"])
    >>> for i in range(8):
    ...     a.update(np.zeros(8, int), (np.arange(8) < 2).astype(int), image=str(i))
    ...     b.update(np.zeros(8, int), (np.arange(8) < i % 2).astype(int), image=str(i))
    >>> found = compare(a, b)
    >>> str(found)[:53]
    'B is better than A in accuracy: 0.9375 against 0.7500'
    >>> found.lines[1].permutation  # 2 of the 256 ways to choose signs are as far from zero
    0.0078125
    >>> (found.lines[1].better, found.lines[1].equal, found.lines[1].worse)
    (8, 0, 0)
    """
    names_a, names_b = set(a.images), set(b.images)
    common = sorted(names_a & names_b)
    if not common:
        raise DataError("the two runs have no image in common")
    check_alike(a, b)
    shared = _shared(a, b, metrics)
    left, right = (restricted(e, common, shared) for e in (a, b))
    lines = _corrected(list(_lines(left, right, shared)))
    by = headline(left, shared)
    how, groups = left.resampling, left.units.groups if left.resampling.grouped else None
    return Comparison(
        lines, len(common), groups, how.by, sorted(names_a - names_b), sorted(names_b - names_a), str(by),
        *_moved(left, right, by), remarks(a, b, len(common), groups),
    )  # fmt: skip


def conflict(lines: Iterable[Difference], what: str = "images") -> str:
    """One sentence on the lines of which one test alone says that the two differ; "" where there is none."""
    found = {
        _question(d): d for d in lines
        if not math.isnan(d.permutation) and (d.wilcoxon < SIGNIFICANT) != (d.permutation < SIGNIFICANT)
    }  # fmt: skip
    if not found:
        return ""
    named = [
        f"{printable(d.title)} (p = {d.permutation:.2g} by sign flips, {d.wilcoxon:.2g} by Wilcoxon)"
        for d in list(found.values())[:3]
    ]
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return (
        f"the two tests differ in {', '.join(named)}{more}: go by the sign-flip test, which like the interval is about "
        f"the mean; Wilcoxon's ranks the {what}' differences, so many small ones can outweigh a few large ones"
    )


def _question(d: Difference) -> str:
    """What a line asks, whatever its class is called: lines of a metric that are alike in all numbers are one test."""
    return repr(d._replace(class_=None))


def _corrected(lines: list[Difference]) -> list[Difference]:
    """The lines with p values corrected by Holm, each question counted once."""
    asked = {_question(d): d for d in lines if not math.isnan(d.permutation)}
    corrected = [holm([getattr(d, test) for d in asked.values()]) for test in ("wilcoxon", "permutation")]
    p = dict(zip(asked, zip(*corrected, strict=True), strict=True))
    return [
        d if math.isnan(d.permutation) else d._replace(wilcoxon=p[_question(d)][0], permutation=p[_question(d)][1])
        for d in lines
    ]


def remarks(
    a: Evaluation, b: Evaluation, images: int, groups: int | None, names: tuple[str, str] = ("A", "B")
) -> list[str]:
    """What else makes the two differ, or the answer unsure."""
    units, what = (images, "images") if groups is None else (groups, "groups")
    return list(_remarks(a, b, units, what, names))


def _remarks(a: Evaluation, b: Evaluation, units: int, what: str, names: tuple[str, str]) -> Iterator[str]:
    if a.facts.scores and b.facts.scores and a.facts.threshold != b.facts.threshold:
        x, y = (f"{e.facts.threshold:.4g} in {name}" for e, name in zip((a, b), names, strict=True))
        yield f"the thresholds differ, {x} and {y}, so what is computed at them differs for that alone"
    for name, e in zip(names, (a, b), strict=True):
        if e.facts.searched:
            yield f"the threshold of {name} was chosen as the best on these very images, which is too good for others"
    if units < LEAST:
        yield f"{units} {what}: no test can tell luck from difference below {LEAST}, so nothing is called better"
    elif units < FEW:
        yield f"{units} {what}: below {FEW} intervals are too narrow, so look at the p values as well"


def _shared(a: Evaluation, b: Evaluation, wanted: Sequence[str | Metric[Any, Any]] | None) -> list[Metric[Any, Any]]:
    """The metrics to compare."""
    shared = [m for m in a.metrics if m in b.metrics]
    if wanted is None and not shared:
        raise UsageError("the two runs have no metric in common")
    if wanted is None:
        return shared
    return list(dict.fromkeys(parse(m) if isinstance(m, str) else m for m in wanted))


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

    def having(self, statistic: str) -> int:
        return sum(statistic in self._records[n].statistics for n in self._names)

    def spacings(self) -> set[tuple[float, ...]]:
        return self._records.spacings()

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
    units = numbers(a.resampling, a.images)
    for m in metrics:
        pooled = [e.columns(m, e.statistic(m.statistic)).tolist() for e in (a, b)]
        means = [_means(values[m]) for values in (images_a, images_b)]
        x, y = images_a[m][:, [i for _, i, _ in columns[m]]], images_b[m][:, [j for _, _, j in columns[m]]]
        tested = paired(y - x, units, a.resampling.seed)
        for at, (title, i, j) in enumerate(columns[m]):
            ends, on = ((math.nan, math.nan),) * 2, (a.units.count,) * 2
            if m in draws_a and m in draws_b:
                apart = draws_b[m].column(j) - draws_a[m].column(i)
                ends = tuple((float(e.low[0]), float(e.high[0])) for e in apart.intervals)
                on = tuple(int(x.units[0]) for x in apart)
            wins = _wins(m, x[:, at], y[:, at])
            signs, ranks, effect = (float(p[at]) for p in (tested.permutation, tested.wilcoxon, tested.effect))
            for over, (u, v), (low, high), n in zip(("pooled", "images"), (pooled, means), ends, on, strict=True):
                wilcoxon, flips = (ranks, signs) if over == "images" else (math.nan, math.nan)
                yield Difference(
                    str(m), title, over, u[i], v[j], v[j] - u[i], low, high, wilcoxon, flips, effect, *wins, n
                )


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


def _wins(m: Metric[Any, Any], a: Values, b: Values) -> tuple[int, int, int]:
    """On how many images b is better, equal and worse, where both have a value."""
    both = ~np.isnan(a)
    gain = gains(m, b[both]) - gains(m, a[both])
    return int((gain > 0).sum()), int((gain == 0).sum()), int((gain < 0).sum())


def gains(m: Metric[Any, Any], values: Values) -> Values:
    """The values so that more is better."""
    return {"lower": -values, "zero": -np.abs(values)}.get(m.better, values)


FIRST = {
    "binary": ("iou", "dice"),
    "semantic": ("mean_iou", "mean_dice"),
    "instance": ("object_f1(iou=0.5)", "object_f1", "pq"),
    "panoptic": ("pq",),
    "detection": ("ap", "ap50"),
}


def headline(e: Evaluation, metrics: Sequence[Metric[Any, Any]]) -> Metric[Any, Any]:
    """Of these metrics the one by which runs and images are called better: what the field of the task looks at first.

    Where none of those is given, the first that is.
    """
    given: dict[str, Metric[Any, Any]] = {}
    for m in metrics:
        given.setdefault(str(m), m)
        given.setdefault(m.name, m)
    return next((given[name] for name in FIRST.get(e.facts.task or "", ()) if name in given), metrics[0])


def _moved(a: Evaluation, b: Evaluation, m: Metric[Any, Any]) -> tuple[list[Moved], list[Moved]]:
    """The images that improved and those that worsened, the most moved first."""
    (names, x), (_, y) = a.image_values(m), b.image_values(m)
    at = -1 if None in a.titles(m) else 0
    gain = (gains(m, y[:, at]) - gains(m, x[:, at])).tolist()
    found = list(zip(gain, map(Moved, names, x[:, at].tolist(), y[:, at].tolist()), strict=True))
    improved = sorted((f for f in found if f[0] > 0), key=lambda f: (-f[0], f[1].image))
    worsened = sorted((f for f in found if f[0] < 0), key=lambda f: (f[0], f[1].image))
    return [moved for _, moved in improved], [moved for _, moved in worsened]
