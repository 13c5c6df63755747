"""Uncertainty: how far a number would move with another sample of images. Intervals by the bootstrap.

Images, not pixels, are the sample; where images are not independent (slices of one patient, frames of one scene),
groups of them are. Resampling draws as many of these units as there are, with replacement, adds up their stored
statistics and applies the formula again. Nothing is measured again.

percentile  the central 95 % of the resamples' values
bca         bias-corrected and accelerated: the shares at which the ends are read are moved by how many resamples lie
            below the value, and by how skewed the influence of single units is (a jackknife over at most 512 parts)
none        no intervals

The mean over images of a resample of groups is over all images drawn, so large groups count as much as they do in
the value itself.

The same seed gives the same bits, whatever the number of threads: counts are added as integers, and
values of images in fixed point, so that no order of additions rounds differently.

References: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 6, 10, 13 and 14; Davison and
Hinkley, Bootstrap Methods and their Application, 1997, chapter 3 (groups).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, MergeError, UsageError, printable
from .kernels import weighted_sums
from .metrics import Metric, Values
from .statistics.units import Units

RESAMPLES, SEED, LEVEL = 2000, 0, 0.95
UNBOUNDED = 2.0**20  # how large values of metrics without an upper bound are taken to be
CELLS = 2**18  # weights that are drawn and added up at a time, those of 64 to 256 resamples
PARTS = 512  # of the jackknife: beyond so many units, several are left out at a time
FEW = 20  # units, below which intervals are known to be too narrow
BIAS = 0.25  # of the resamples' standard deviation, beyond which bias matters (Efron and Tibshirani, section 10.3)
ROUGH = 20  # different values among the resamples, below which ends jump from one to the next
LOST = 0.05  # share of the resamples without a value

Floats = NDArray[np.float64]
Method = Literal["percentile", "bca", "none"]
METHODS: tuple[Method, ...] = ("percentile", "bca", "none")


@dataclass(frozen=True)
class Resampling:
    """How intervals are made.

    method     "percentile", "bca" or "none"
    resamples  how many there are
    seed       of the draws
    by         how images are grouped, in the words of who asked; "" where each is drawn by itself
    groups     the group of each image
    """

    method: Method = "percentile"
    resamples: int = RESAMPLES
    seed: int = SEED
    by: str = ""
    groups: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def parse(cls, text: str) -> Resampling:
        """What prints as `text`: percentile, bca, bca(resamples=10000,seed=1), none. Raises UsageError.

        >>> Resampling.parse("bca(seed=1)").said
        'bca(resamples=2000,seed=1)'
        """
        found = re.fullmatch(r"\s*(\w+)\s*(?:\(([\w\s=,]*)\))?\s*", text)
        method: Method | None = next((m for m in METHODS if found and m == found[1]), None)
        if found is None or method is None:
            raise UsageError(f"{text!r} is no way to make intervals; write percentile, bca(resamples=5000) or none")
        given: dict[str, int] = {}
        for part in filter(str.strip, (found[2] or "").split(",")):
            name, _, value = (x.strip() for x in part.partition("="))
            least = {"resamples": 100, "seed": 0}.get(name)
            if least is None or not value.isdecimal() or int(value) < least:
                raise UsageError(f"{part.strip()!r} in {text!r}: there are resamples=N from 100 on, and seed=N")
            given[name] = int(value)
        return cls(method, given.get("resamples", RESAMPLES), given.get("seed", SEED))

    @property
    def said(self) -> str:
        """All that decides the draws, as the signature has it."""
        return self.method if self.method == "none" else f"{self.method}(resamples={self.resamples},seed={self.seed})"

    @property
    def grouped(self) -> bool:
        """Whether groups are drawn and not images."""
        return bool(self.groups)

    def units(self, names: Sequence[str]) -> Units:
        """What is drawn of these images. Raises DataError for an image without group."""
        if not self.groups:
            return Units.single(len(names))
        if lost := next((n for n in names if n not in self.groups), None):
            raise DataError(f"image {printable(lost)} has no group, and others have one ({self.by or 'group'})")
        return Units.grouped([self.groups[n] for n in names])

    def joined(self, other: Resampling, first: bool = False) -> Resampling:
        """With the groups of other images too, the `first` that come. Raises MergeError where grouped otherwise."""
        if not first and (self.by, self.grouped) != (other.by, other.grouped):
            a, b = (f"grouped by {x.by}" if x.grouped else "not grouped" for x in (self, other))
            raise MergeError(f"images are {a} here and {b} there; only evaluations of like conventions add up")
        return replace(self, by=other.by, groups={**self.groups, **other.groups})


@dataclass(frozen=True)
class Interval:
    """Low and high ends, one per column of the metric; NaN where there is no interval.

    doubts  of each column, why its interval is not to be trusted: "few", "biased", "rough", "lost"
    """

    low: Values
    high: Values
    doubts: tuple[tuple[str, ...], ...]

    @classmethod
    def none(cls, columns: int) -> Interval:
        """No interval."""
        nothing = np.full(columns, math.nan)
        return cls(nothing, nothing, ((),) * columns)


class Sampler(Protocol):
    """A statistic by unit, of which resamples can be drawn."""

    def resampled(self, weights: Floats) -> Any:
        """The stack of statistics whose entry b holds unit i `weights[b, i]` times."""
        ...


@dataclass(frozen=True)
class Drawn:
    """One average of a metric, or its difference between two models, column by column.

    value  (columns) of all units, as resamples compute it
    draws  (resamples, columns) of each resample
    left   (parts, columns) without each part of the units; None where the method needs none
    units  (columns) how many units have a value
    """

    value: Values
    draws: Values
    left: Values | None
    units: Values

    def column(self, at: int) -> Drawn:
        """One column alone."""
        left = None if self.left is None else self.left[:, [at]]
        return Drawn(self.value[[at]], self.draws[:, [at]], left, self.units[[at]])

    def __sub__(self, other: Drawn) -> Drawn:
        """The differences, resample by resample: both sides drew the same units."""
        left = None if self.left is None or other.left is None else self.left - other.left
        return Drawn(self.value - other.value, self.draws - other.draws, left, np.minimum(self.units, other.units))

    @property
    def interval(self) -> Interval:
        """The ends, by the percentile method or, where there is a jackknife, by BCa."""
        there = np.flatnonzero(~np.isnan(self.draws).all(axis=0))
        if 2 * there.size < self.draws.shape[1]:  # classes without objects cost nothing
            return self._spread(there)
        ordered = np.sort(self.draws, axis=0)  # NaN goes last
        n = np.count_nonzero(~np.isnan(ordered), axis=0)
        tails = (1 - LEVEL) / 2, (1 + LEVEL) / 2
        if self.left is None:
            low, high = (_quantile(ordered, n, np.full(n.size, share)) for share in tails)
        else:
            low, high = (_quantile(ordered, n, share) for share in _moved(self, ordered, n, tails))
        return Interval(low, high, tuple(self._doubts(ordered[:, c], int(n[c]), c) for c in range(n.size)))

    def _spread(self, there: NDArray[np.intp]) -> Interval:
        """The ends of some columns in their places, and none elsewhere."""
        left = None if self.left is None else self.left[:, there]
        found = Drawn(self.value[there], self.draws[:, there], left, self.units[there]).interval
        none = Interval.none(self.value.size)
        low, high, doubts = none.low, none.high.copy(), list(none.doubts)
        low[there], high[there] = found.low, found.high
        for c, x in zip(there.tolist(), found.doubts, strict=True):
            doubts[c] = x
        return Interval(low, high, tuple(doubts))

    def _doubts(self, ordered: Values, n: int, column: int) -> tuple[str, ...]:
        """Why the interval of a column is not to be trusted."""
        if n < 2:
            return ()
        here = ordered[:n]
        spread, different = float(here.std()), 1 + int(np.count_nonzero(np.diff(here)))
        away = abs(float(here.mean() - self.value[column]))
        found = {
            "few": self.units[column] < FEW,
            "biased": spread > 0 and away > BIAS * spread,
            "rough": 1 < different < ROUGH,
            "lost": n < (1 - LOST) * len(ordered),
        }
        return tuple(name for name, holds in found.items() if holds)


class Draws(NamedTuple):
    """What a metric is on each resample: pooled, and as the mean over images."""

    pooled: Drawn
    images: Drawn

    def column(self, at: int) -> Draws:
        """One column alone."""
        return Draws(self.pooled.column(at), self.images.column(at))

    def __sub__(self, other: Draws) -> Draws:
        """The differences, resample by resample."""
        return Draws(self.pooled - other.pooled, self.images - other.images)

    @property
    def intervals(self) -> tuple[Interval, Interval]:
        """Those of both."""
        return self.pooled.interval, self.images.interval


def draws(
    metrics: Sequence[Metric[Any, Any]],
    units: Units,
    samplers: Mapping[str, Sampler],
    blocks: Iterable[Mapping[Metric[Any, Any], Values]],
    columns: Callable[[Metric[Any, Any], Any], Values],
    by_pixel: Mapping[Metric[Any, Any], PixelMeans] | None = None,
    how: Resampling | None = None,
) -> dict[Metric[Any, Any], Draws]:
    """Every metric on every resample.

    `samplers` holds the statistics by their names, `blocks` the values of the images in order, and `columns`
    says what a metric makes of a statistic; means over
    pixels come from `by_pixel`. One unit says nothing about another sample: there is nothing then.
    Two evaluations of the same images are drawn alike, so their differences are paired.
    """
    how = how or Resampling()
    if units.count < 2 or how.method == "none":
        return {}
    means = _Means(metrics, units)
    for values in blocks:
        means.add(values)
    found: dict[Metric[Any, Any], tuple[list[Values], list[Values]]] = {m: ([], []) for m in metrics}
    for weights in weights_of(units.count, how):
        resamples = {name: sampler.resampled(weights) for name, sampler in samplers.items()}
        for (m, (pooled, mean)), values in zip(found.items(), means.resampled(weights), strict=True):
            if by_pixel and m in by_pixel:
                pooled.append(by_pixel[m].resampled(weights))
            elif m.statistic in resamples and m.resampled:
                pooled.append(columns(m, resamples[m.statistic]))
            else:
                pooled.append(np.full_like(values, math.nan))
            mean.append(values)
    behind = means.units
    return {
        m: Draws(*(_apart(np.concatenate(parts), how, there) for parts in both))
        for (m, both), there in zip(found.items(), behind, strict=True)
    }


def _apart(values: Values, how: Resampling, units: Values) -> Drawn:
    """The rows of `weights_of` by what they are."""
    end = 1 + how.resamples
    return Drawn(values[0], values[1:end], values[end:] if how.method == "bca" else None, units)


class PixelMeans:
    """Of each unit, the sum over pixels behind a mean over pixels, and the pixels."""

    def __init__(self, units: Units) -> None:
        self._units, self._seen = units, 0
        self._sums, self._pixels = np.empty(0), np.zeros((units.count, 1))

    def add(self, values: Values, pixels: Floats) -> None:
        """Take in the values (images, columns) of the next images, and the pixels of each."""
        self._sums = self._sums if self._seen else np.zeros((self._units.count, values.shape[1]))
        there = np.where(pixels[:, None] > 0, values * pixels[:, None], 0.0)  # without pixels there is no value
        self._sums = self._sums + self._units.summed(there, self._seen)
        self._pixels = self._pixels + self._units.summed(pixels[:, None], self._seen)
        self._seen += len(values)

    def resampled(self, weights: Floats) -> Values:
        """The mean over all pixels of each resample."""
        total, pixels = weighted_sums(weights, self._sums), weighted_sums(weights, self._pixels)
        return np.where(pixels > 0, total / np.maximum(pixels, 1), math.nan)


class _Means:
    """Of each unit, for each column of all metrics, the sum of the values and how many are defined.

    Values are added as whole multiples of a power of two, small enough that no sum of any resample needs
    more than the 53 bits of a float: so adding is exact, in whatever order it is done.
    """

    def __init__(self, metrics: Sequence[Metric[Any, Any]], units: Units) -> None:
        self._metrics, self._drawn = metrics, units
        most = max(2, units.count * units.largest)  # images of a resample
        self._unit = 2.0 ** -(51 - math.ceil(math.log2(most)))
        self._units, self._sums, self._defined = np.empty(0), np.empty(0), np.empty(0)
        self._ends: list[int] = []
        self._seen = 0

    def add(self, values: Mapping[Metric[Any, Any], Values]) -> None:
        """Take in the values of the next images."""
        whole = np.concatenate([values[m] for m in self._metrics], axis=1)
        if not self._seen:
            widths = [values[m].shape[1] for m in self._metrics]
            least = [self._unit * (1.0 if math.isfinite(m.bounds[1]) else UNBOUNDED) for m in self._metrics]
            self._ends, self._units = np.cumsum(widths).tolist(), np.repeat(least, widths)
            self._sums = self._defined = np.zeros((self._drawn.count, whole.shape[1]))
        defined = ~np.isnan(whole)
        scaled = np.rint(np.where(defined, whole, 0.0) / self._units)
        self._sums = self._sums + self._drawn.summed(scaled, self._seen)
        self._defined = self._defined + self._drawn.summed(defined.astype(np.float64), self._seen)
        self._seen += len(whole)

    def resampled(self, weights: Floats) -> list[Values]:
        """The mean over images of each resample, metric by metric."""
        there, sums, times = self._there
        total, defined = (weighted_sums(weights, x) for x in (sums, times))
        means = np.full((len(weights), self._units.size), math.nan)
        means[:, there] = np.where(defined > 0, total / np.maximum(defined, 1) * self._units[there], math.nan)
        return np.split(means, self._ends[:-1], axis=1)

    @cached_property
    def _there(self) -> tuple[NDArray[np.intp], Floats, Floats]:
        """The columns with any value, their sums and how many are defined: of many classes most may have none."""
        there = np.flatnonzero(self._defined.any(axis=0))
        return there, self._sums[:, there], self._defined[:, there]

    @property
    def units(self) -> list[Values]:
        """How many units have a value, by metric and column; bundles stand for all that are in them."""
        share = self._drawn.groups / self._drawn.count
        return np.split((self._defined > 0).sum(axis=0) * share, self._ends[:-1])


def weights_of(n: int, how: Resampling) -> Iterator[Floats]:
    """How often each of `n` units is there, some rows at a time.

    First a row with each unit once, then the resamples, then for `bca` the jackknife: all units but one part.
    """
    rng = np.random.Generator(np.random.PCG64(how.seed))
    once, chunk = np.ones((1, n)), max(64, min(CELLS // n, 256))
    for start in range(0, how.resamples, chunk):
        size = min(chunk, how.resamples - start)
        drawn = rng.integers(0, n, size=(size, n), dtype=np.int64) + n * np.arange(size)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)
        yield weights if start else np.concatenate([once, weights])
    if how.method == "bca":
        parts = min(n, PARTS)
        for start in range(0, parts, chunk):
            left = np.arange(start, min(start + chunk, parts))[:, None]
            yield (np.arange(n) % parts != left).astype(np.float64)


def _moved(drawn: Drawn, ordered: Values, n: NDArray[np.intp], tails: tuple[float, float]) -> Iterator[Values]:
    """The shares at which BCa reads the ends; NaN where all resamples lie on one side of the value.

    A part without which there is no value has no influence. Where all resamples are alike the interval is a point.
    """
    from scipy.special import ndtr, ndtri

    draws, left = drawn.draws, drawn.left
    assert left is not None
    below = ((draws < drawn.value).sum(axis=0) + (draws <= drawn.value).sum(axis=0)) / (2 * np.maximum(n, 1))
    there = ~np.isnan(left)
    middle = np.where(there, left, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    apart = np.where(there, middle - left, 0.0)
    point = ordered[0] == ordered[np.maximum(n - 1, 0), np.arange(n.size)]
    with np.errstate(all="ignore"):
        bias = ndtri(below)
        skew = (apart**3).sum(axis=0) / (6 * (apart**2).sum(axis=0) ** 1.5)
        skew = np.where(np.isfinite(skew), skew, 0.0)
        for tail in tails:
            z = bias + ndtri(tail)
            share = np.where(np.isfinite(bias), ndtr(bias + z / (1 - skew * z)), math.nan)
            yield np.where(point, tail, share)


def _quantile(ordered: Values, n: NDArray[np.intp], share: Values) -> Values:
    """The value at a share of each column's defined values, linear between neighbours; NaN at NaN."""
    known = ~np.isnan(share) & (n > 0)
    place = np.where(known, share, 0.0) * np.maximum(n - 1, 0)
    below = np.floor(place).astype(np.int64)
    column = np.arange(ordered.shape[1])
    a, b = ordered[below, column], ordered[np.minimum(below + 1, np.maximum(n - 1, 0)), column]
    return np.where(known, a + (b - a) * (place - below), math.nan)
