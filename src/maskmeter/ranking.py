"""Ranking: several models on the same images, and how far their order can be trusted.

The runs are ordered by one metric over the images that all of them hold. Beside each stand
    its interval, by the bootstrap over images;
    the share of resamples on which it takes each rank (all runs draw the same images; tied runs share their ranks);
    its mean rank over the images, 1 for the best, ties in the middle; over groups, by the mean of each, where images
    are not independent.
Two runs whose mean ranks are nearer than the *critical difference* are not told apart by these images (Nemenyi,
5 %); the Friedman test says whether there is any difference at all.

References: Friedman, JASA 32, 1937; Demšar, JMLR 7, 2006; Maier-Hein et al., Nature Communications 9, 2018.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .comparison import check_alike, gains, headline, restricted
from .errors import DataError, UsageError
from .evaluation import Evaluation
from .metrics import Metric, Values, parse
from .rows import Over
from .significance import Ints, by_unit, numbers
from .uncertainty import LEVEL

Floats = NDArray[np.float64]


class Ranked(NamedTuple):
    """One run: its value with interval, its rank by it, the share of resamples at each rank, its mean rank by image."""

    run: str
    value: float
    low: float
    high: float
    rank: int
    shares: tuple[float, ...]
    mean_rank: float


@dataclass(frozen=True)
class Ranking:
    """Runs in the order of a metric, the best first.

    images    how many all runs hold; `complete` of them, or of their groups, have a value in every run
    by        how images are grouped; "" where each stands for itself
    left_out  the names that some run lacks
    critical  the difference of mean ranks from which on two runs differ; NaN below two complete images
    p         of the Friedman test; NaN below three runs or two complete images
    alike     the largest groups of runs that are not told apart, by mean rank; runs that differ from all are in none
    """

    metric: str
    class_: str | None
    over: Over
    images: int
    by: str
    complete: int
    left_out: tuple[str, ...]
    lines: list[Ranked]
    critical: float
    p: float
    alike: list[tuple[str, ...]]


def rank(
    runs: Mapping[str, Evaluation],
    metric: str | Metric[Any, Any] | None = None,
    *,
    class_: str | int | None = None,
    over: Over = "images",
) -> Ranking:
    """The order of the runs by a metric, by default the one their field looks at first.

    Raises UsageError for fewer than two runs, runs made in different ways, or a metric that has no better; DataError
    where no image is in all of them.
    """
    if len(runs) < 2:
        raise UsageError("a ranking needs at least two runs")
    if over not in ("pooled", "images"):
        raise UsageError(f"over must be pooled or images, not {over!r}")
    names, first = list(runs), next(iter(runs.values()))
    common = sorted(set.intersection(*(set(e.images) for e in runs.values())))
    if not common:
        raise DataError("the runs have no image in common")
    for other in list(runs.values())[1:]:
        check_alike(first, other)
    made = _metric(runs, metric)
    if made.better == "none":
        raise UsageError(f"{made} has no better and no worse")
    parts = [restricted(e, common, [made]) for e in runs.values()]
    columns = [_column(e, made, class_) for e in parts]
    images = np.stack([e.image_values(made)[1][:, i] for e, i in zip(parts, columns, strict=True)], axis=1)
    values = np.array([e.value(made, class_=class_, over=over) for e in parts])
    shares, ends = _drawn(parts, made, columns, over)
    there = ~np.isnan(images).any(axis=1)
    kept = [common[i] for i in np.flatnonzero(there).tolist()]
    complete = _by_unit(images[there], numbers(first.resampling, kept))
    mean_ranks = _ranks(_gain(made, complete)).mean(axis=0) if len(complete) else np.full(len(names), math.nan)
    order = np.argsort(-_gain(made, values), kind="stable")
    place = 1 + (_gain(made, values)[None, :] > _gain(made, values)[:, None]).sum(axis=1)
    lines = [
        Ranked(
            names[i], float(values[i]), ends[i][0], ends[i][1], int(place[i]), _floats(shares[i]), float(mean_ranks[i])
        )
        for i in order.tolist()
    ]
    critical = critical_difference(len(names), len(complete))
    everything = sorted({n for e in runs.values() for n in e.images} - set(common))
    return Ranking(
        str(made), None if class_ is None else str(class_), over, len(common), parts[0].resampling.by, len(complete),
        tuple(everything), lines, critical, _friedman(complete), _alike(names, mean_ranks, critical),
    )  # fmt: skip


def critical_difference(runs: int, images: int) -> float:
    """Nemenyi's critical difference of mean ranks at 5 %: q / sqrt(2) * sqrt(k (k + 1) / (6 n)).

    >>> round(critical_difference(5, 30), 4)
    1.1136
    """
    from scipy.stats import studentized_range

    if images < 2 or runs < 2:
        return math.nan
    q = float(studentized_range.ppf(LEVEL, runs, math.inf))
    return q / math.sqrt(2) * math.sqrt(runs * (runs + 1) / (6 * images))


def _metric(runs: Mapping[str, Evaluation], metric: str | Metric[Any, Any] | None) -> Metric[Any, Any]:
    first, *others = runs.values()
    shared = [m for m in first.metrics if all(m in e.metrics for e in others)]
    if metric is None:
        if not shared:
            raise UsageError("the runs have no metric in common")
        return headline(first, shared)
    return parse(metric) if isinstance(metric, str) else metric


def _column(e: Evaluation, metric: Metric[Any, Any], class_: str | int | None) -> int:
    titles = e.titles(metric)
    if class_ is None and None in titles:
        return titles.index(None)
    if str(class_) not in titles:
        known = ", ".join(str(t) for t in titles)
        raise UsageError(f"{metric} has a value for each class; say which, one of {known}")
    return titles.index(str(class_))


def _gain(metric: Metric[Any, Any], values: Values) -> Values:
    """The values so that more is better; undefined is the worst."""
    gain = gains(metric, values)
    return np.where(np.isnan(gain), -math.inf, gain)


def _drawn(
    parts: Sequence[Evaluation], metric: Metric[Any, Any], columns: Sequence[int], over: Over
) -> tuple[Floats, list[tuple[float, float]]]:
    """Of each run the share of resamples at each rank, and the interval."""
    k = len(parts)
    found = [e.draws().get(metric) for e in parts]
    if any(d is None for d in found):
        return np.full((k, k), math.nan), [(math.nan, math.nan)] * k
    drawn = [d.column(i) for d, i in zip(found, columns, strict=True) if d is not None]
    ends = [d.intervals[over == "images"] for d in drawn]
    values = np.concatenate([getattr(d, over).draws for d in drawn], axis=1)
    values = values[~np.isnan(values).any(axis=1)]
    if not len(values):
        return np.full((k, k), math.nan), [(float(e.low[0]), float(e.high[0])) for e in ends]
    gain = _gain(metric, values)
    better = (gain[:, None, :] > gain[:, :, None]).sum(axis=2)
    tied = (gain[:, None, :] == gain[:, :, None]).sum(axis=2)
    shares = np.zeros((k, k))
    for place in range(k):
        takes = (better <= place) & (place < better + tied)
        shares[:, place] = (takes / tied).mean(axis=0)
    return shares, [(float(e.low[0]), float(e.high[0])) for e in ends]


def _floats(values: Floats) -> tuple[float, ...]:
    return tuple(values.tolist())


def _by_unit(values: Values, of: Ints) -> Values:
    """The means of the images of each unit."""
    sums, counts = by_unit(values, of)
    return sums / counts


def _ranks(gain: Values) -> Floats:
    from scipy.stats import rankdata

    return rankdata(-gain, axis=1)


def _friedman(values: Values) -> float:
    from scipy.stats import friedmanchisquare

    if values.shape[1] < 3 or len(values) < 2 or (values == values[:, :1]).all():
        return math.nan
    tested: Any = friedmanchisquare(*values.T)
    return float(tested.pvalue)


def _alike(names: Sequence[str], mean_ranks: Floats, critical: float) -> list[tuple[str, ...]]:
    """The largest groups whose mean ranks lie within the critical difference."""
    order: list[int] = np.argsort(mean_ranks, kind="stable").tolist()
    groups: list[tuple[int, int]] = []
    for i in range(len(order)):
        j = i
        while j + 1 < len(order) and mean_ranks[order[j + 1]] - mean_ranks[order[i]] < critical:
            j += 1
        if j > i and not any(a <= i and j <= b for a, b in groups):
            groups.append((i, j))
    return [tuple([names[k] for k in order[i : j + 1]]) for i, j in groups]
