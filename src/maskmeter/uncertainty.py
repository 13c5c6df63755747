"""Uncertainty: how far a number would move with another sample of images. Intervals by the bootstrap.

Images, not pixels, are the sample. Resampling draws as many images as there are, with replacement, adds
up their stored statistics and applies the formula again, 2,000 times; the interval is the central 95 %
of the values (percentile method). Nothing is measured again.

Beyond 4,096 images the unit is a group of images (image i belongs to group i modulo 4096), drawn whole:
for independent images the width is the same, and time and memory stop growing.

The same seed gives the same bits, whatever the number of threads: counts are added as integers, and
values of images in fixed point, so that no order of additions rounds differently.

Reference: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 6 and 13.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .kernels import weighted_sums
from .metrics import Metric, Values

RESAMPLES, SEED, LEVEL = 2000, 0, 0.95
GROUPS = 4096
UNBOUNDED = 2.0**20  # how large values of metrics without an upper bound are taken to be
CHUNK = 256  # resamples that are drawn and added up at a time

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """Low and high ends, one per column of the metric; NaN where there is no interval."""

    low: Values
    high: Values


class Sampler(Protocol):
    """A statistic by group of images, of which resamples can be drawn."""

    def resampled(self, weights: Floats) -> Any:
        """The stack of statistics whose entry b holds group i `weights[b, i]` times."""
        ...


def groups_of(images: int, most: int = GROUPS) -> int:
    """How many groups so many images are drawn in."""
    return min(images, most)


@dataclass(frozen=True)
class Draws:
    """What a metric is on each resample, (resamples, columns): pooled, and as the mean over images."""

    pooled: Values
    images: Values

    def column(self, at: int) -> Draws:
        """One column alone."""
        return Draws(self.pooled[:, [at]], self.images[:, [at]])

    def __sub__(self, other: Draws) -> Draws:
        """The differences, resample by resample: both sides drew the same images."""
        return Draws(self.pooled - other.pooled, self.images - other.images)

    @property
    def intervals(self) -> tuple[Interval, Interval]:
        """The central part of both."""
        return _percentile(self.pooled), _percentile(self.images)


def draws(
    metrics: Sequence[Metric[Any, Any]],
    images: int,
    samplers: Mapping[str, Sampler],
    blocks: Iterable[Mapping[Metric[Any, Any], Values]],
    columns: Callable[[Metric[Any, Any], Any], Values],
    by_pixel: Mapping[Metric[Any, Any], PixelMeans] | None = None,
) -> dict[Metric[Any, Any], Draws]:
    """Every metric on every resample.

    `samplers` holds the statistics by their names, `blocks` the values of the images in order, and `columns`
    says what a metric makes of a statistic; means over
    pixels come from `by_pixel`. One image says nothing about another sample: there is nothing then.
    Two evaluations of the same images are drawn alike, so their differences are paired.
    """
    if images < 2:
        return {}
    means = _Means(metrics, images)
    for values in blocks:
        means.add(values)
    drawn: dict[Metric[Any, Any], tuple[list[Values], list[Values]]] = {m: ([], []) for m in metrics}
    for weights in _weights(groups_of(images)):
        resamples = {name: sampler.resampled(weights) for name, sampler in samplers.items()}
        for (m, (pooled, mean)), values in zip(drawn.items(), means.resampled(weights), strict=True):
            if by_pixel and m in by_pixel:
                pooled.append(by_pixel[m].resampled(weights))
            elif m.statistic in resamples and m.resampled:
                pooled.append(columns(m, resamples[m.statistic]))
            else:
                pooled.append(np.full_like(values, math.nan))
            mean.append(values)
    return {m: Draws(np.concatenate(pooled), np.concatenate(mean)) for m, (pooled, mean) in drawn.items()}


class PixelMeans:
    """Of each group of images, the sum over pixels behind a mean over pixels, and the pixels."""

    def __init__(self, images: int) -> None:
        self._groups, self._seen = groups_of(images), 0
        self._sums, self._pixels = np.empty(0), np.zeros((self._groups, 1))

    def add(self, values: Values, pixels: Floats) -> None:
        """Take in the values (images, columns) of the next images, and the pixels of each."""
        at = (self._seen + np.arange(len(values))) % self._groups
        self._sums = self._sums if self._seen else np.zeros((self._groups, values.shape[1]))
        self._seen += len(values)
        there = np.where(pixels[:, None] > 0, values * pixels[:, None], 0.0)  # without pixels there is no value
        self._sums = self._sums + summed(there, at, self._groups)
        self._pixels = self._pixels + summed(pixels[:, None], at, self._groups)

    def resampled(self, weights: Floats) -> Values:
        """The mean over all pixels of each resample."""
        total, pixels = weighted_sums(weights, self._sums), weighted_sums(weights, self._pixels)
        return np.where(pixels > 0, total / np.maximum(pixels, 1), math.nan)


class _Means:
    """Of each group of images, for each column of all metrics, the sum of the values and how many are defined.

    Values are added as whole multiples of a power of two, small enough that no sum of any resample needs
    more than the 53 bits of a float: so adding is exact, in whatever order it is done.
    """

    def __init__(self, metrics: Sequence[Metric[Any, Any]], images: int) -> None:
        self._metrics, self._count = metrics, groups_of(images)
        self._unit = 2.0 ** -(51 - math.ceil(math.log2(max(images, 2))))
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
            self._sums = self._defined = np.zeros((self._count, whole.shape[1]))
        at = (self._seen + np.arange(len(whole))) % self._count
        self._seen += len(whole)
        defined = ~np.isnan(whole)
        self._sums = self._sums + summed(np.rint(np.where(defined, whole, 0.0) / self._units), at, self._count)
        self._defined = self._defined + summed(defined.astype(np.float64), at, self._count)

    def resampled(self, weights: Floats) -> list[Values]:
        """The mean over images of each resample, metric by metric."""
        total, defined = (weighted_sums(weights, x) for x in (self._sums, self._defined))
        means = np.where(defined > 0, total / np.maximum(defined, 1) * self._units, math.nan)
        return np.split(means, self._ends[:-1], axis=1)


def _weights(n: int) -> Iterator[Floats]:
    """How often each of `n` units is drawn, a chunk of resamples at a time."""
    rng = np.random.Generator(np.random.PCG64(SEED))
    for start in range(0, RESAMPLES, CHUNK):
        size = min(CHUNK, RESAMPLES - start)
        drawn = rng.integers(0, n, size=(size, n), dtype=np.int64) + n * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def summed(x: NDArray[Any], at: NDArray[np.int64], groups: int) -> NDArray[Any]:
    """The rows of `x` added up by group."""
    if at.size == groups and at[0] == 0:  # one image a group
        return x
    out = np.zeros((groups, *x.shape[1:]), x.dtype)
    np.add.at(out, at, x)
    return out


def _percentile(values: Values) -> Interval:
    """The central part of each column's defined values, linear between neighbours."""
    ordered = np.sort(values, axis=0)  # NaN goes last
    n = np.count_nonzero(~np.isnan(ordered), axis=0)

    def at(share: float) -> Values:
        place = share * np.maximum(n - 1, 0)
        below = np.floor(place).astype(np.int64)
        column = np.arange(ordered.shape[1])
        a, b = ordered[below, column], ordered[np.minimum(below + 1, np.maximum(n - 1, 0)), column]
        return np.where(n > 0, a + (b - a) * (place - below), math.nan)

    return Interval(at((1 - LEVEL) / 2), at((1 + LEVEL) / 2))
