"""How the values spread over the images: a histogram of the headline metric, and the quartiles of every class."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..metrics import Values
from . import words
from .classes import shown as lined
from .figure import Figure, Run
from .findings import Findings
from .page import fill
from .plot import Axis, Bar, Plot, Rule

WIDTHS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1)  # of a bar of the histogram
TICKS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
BARS = 24
DOTS = 300  # images that are drawn one by one
HIGH = 120  # pixels of the tallest bar


@dataclass(frozen=True)
class Column:
    """A bar of the histogram, in percent of the width and in pixels of the height."""

    low: float
    high: float
    images: int
    left: float
    width: float
    height: float


@dataclass(frozen=True)
class Mark:
    """A value marked in the histogram."""

    label: str
    value: float
    left: float

    @property
    def anchor(self) -> str:
        return "end" if self.left > 65 else "start"


@dataclass(frozen=True)
class Dot:
    """One image under the histogram."""

    name: str
    value: float
    left: float
    row: int


@dataclass(frozen=True)
class Histogram:
    """All that is drawn, from the ground up."""

    bars: list[Column]
    ticks: list[tuple[str, float]]
    marks: list[Mark]
    dots: list[Dot]


@dataclass(frozen=True)
class Box:
    """A class over the images: least, quartiles, greatest."""

    name: str
    defined: int
    undefined: int
    five: tuple[float, float, float, float, float] | None


def render(found: Findings) -> str | None:
    """The section, absent for fewer than two images."""
    if not found.images or not found.ranked:
        return None
    per_image = found.per_image
    if len(per_image.names) < 2:
        return None
    values = per_image.headline
    defined = int((~np.isnan(values)).sum())
    by_metric = found.binary or found.objects
    columns = per_image.by_class.T
    names = [str(m) for m in found.spread_metrics] if by_metric else [k.name for k in found.kinds]
    shown = range(len(names)) if by_metric else [k.at for k in lined(found)]
    return fill(
        "spread.html",
        metric=found.headline,
        chart=_histogram(found) if defined else None,
        defined=defined,
        undefined=len(values) - defined,
        boxes=[_box(names[i], columns[i]) for i in shown],
        left=len(names) - len(shown),
        by_metric=by_metric,
        high=HIGH,
    )


def figures(runs: Sequence[Run]) -> list[Figure]:
    """The histogram of each run, with the values of its images as a table."""
    return [made for run in runs if (made := _figure(run)) is not None]


def _figure(run: Run) -> Figure | None:
    found = run.found
    if found.images < 2 or not found.ranked or np.isnan(found.per_image.headline).all():
        return None
    bins = _bins(found)
    bars = [Bar(a, b, n, run.style) for a, b, n in zip(bins.edges, bins.edges[1:], bins.counts, strict=False)]
    rules = [Rule(v, f"c{i}", f"{label} {words.figure(v)}") for i, (label, v) in enumerate(_averages(found), 1)]
    top = max(bins.counts)
    step = max(1, math.ceil(top / 5))
    x = Axis(
        f"{found.headline} of the image", bins.edges[0], bins.edges[-1], tuple((t, label) for label, t in bins.ticks)
    )
    y = Axis("images", 0, top * 1.05, tuple((float(n), str(n)) for n in range(0, top + 1, step)))
    name = f"images-{'ab'[run.number]}" if run.label else "images"
    table = {"image": found.per_image.names, str(found.headline): found.per_image.headline.tolist()}
    title = f"{found.headline} over {words.many(int((~np.isnan(found.per_image.headline)).sum()), 'image')}"
    return Figure(name, Plot(run.called(title) if run.label else title, x, y, [*bars, *rules]), table)


@dataclass(frozen=True)
class _Bins:
    """The bins of the histogram: edges, images in each, ticks between the ends."""

    edges: list[float]
    counts: list[int]
    ticks: list[tuple[str, float]]


def _averages(found: Findings) -> list[tuple[str, float]]:
    pooled, mean = (found.row(found.headline, over).value for over in ("pooled", "images"))
    return [(label, v) for label, v in (("mean over images", mean), ("pooled", pooled)) if not math.isnan(v)]


def _bins(found: Findings) -> _Bins:
    values = found.per_image.headline
    known = values[~np.isnan(values)]
    inside = [*known.tolist(), *(v for _, v in _averages(found))]
    bars = min(BARS, max(8, 2 * math.isqrt(known.size)))
    width = next((w for w in WIDTHS if (max(inside) - min(inside)) / w <= bars), WIDTHS[-1])
    first, last = math.floor(round(min(inside) / width, 6)), math.ceil(round(max(inside) / width, 6))
    last = max(last, first + 1)
    # A value on the upper end of the scale belongs to the last bar.
    at = np.clip(np.floor(np.round(known / width, 6)).astype(int) - first, 0, last - first - 1)
    edges = [i * width for i in range(first, last + 1)]
    every = next((t for t in TICKS if (last - first) * width / t <= 6), TICKS[-1])
    marked = range(math.ceil(edges[0] / every - 1e-9), math.floor(edges[-1] / every + 1e-9) + 1)
    ticks = [(f"{i * every:.3f}".rstrip("0").rstrip("."), i * every) for i in marked]
    return _Bins(edges, np.bincount(at, minlength=last - first).tolist(), ticks)


def _histogram(found: Findings) -> Histogram:
    bins = _bins(found)
    first, last = bins.edges[0], bins.edges[-1]

    def left(value: float) -> float:
        return round((value - first) / (last - first) * 100, 2)

    tallest = max(bins.counts)
    drawn = [
        Column(a, b, n, left(a), 100 / len(bins.counts), HIGH * n / tallest)
        for a, b, n in zip(bins.edges, bins.edges[1:], bins.counts, strict=False)
        if n
    ]
    marks = [Mark(label, v, left(v)) for label, v in _averages(found)]
    known = int((~np.isnan(found.per_image.headline)).sum())
    dots = _dots(found, left) if known <= DOTS else []
    return Histogram(drawn, [(label, left(t)) for label, t in bins.ticks], marks, dots)


def _dots(found: Findings, left: Callable[[float], float]) -> list[Dot]:
    pairs = zip(found.per_image.names, found.per_image.headline.tolist(), strict=True)
    return [Dot(n, v, left(v), i % 3) for i, (n, v) in enumerate(p for p in pairs if not math.isnan(p[1]))]


def _box(name: str, values: Values) -> Box:
    known = values[~np.isnan(values)]
    if not known.size:
        return Box(name, 0, values.size, None)
    least, q1, median, q3, most = np.percentile(known, (0, 25, 50, 75, 100)).tolist()
    return Box(name, known.size, values.size - known.size, (least, q1, median, q3, most))
