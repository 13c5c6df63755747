"""Boundaries: how much of the surfaces lies within each tolerance, how distances spread, and the worst places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import curve_bands
from ..metrics import Metric, Values
from ..metrics._metric import mean
from ..statistics.measured import Measured
from ..statistics.shape import Need
from ..statistics.surface import Surface
from . import words
from .curves import INTERVAL
from .cuts import RAMP, drawn
from .far_cases import LARGEST, Case, deciding, needs, opened, peak, ranked, said, unit_of, values_at, worst
from .figure import Figure, Run
from .findings import Findings
from .page import fill
from .pictures import Unavailable
from .plot import Axis, Band, Bar, Layer, Line, Plot, Rule, simplified

PLACES = 161  # of the curve
BINS = 20
WITHIN = 0.985  # of the surfaces: the axis ends where so much is reached
LOWEST = 1e-4  # a share that is still drawn
STYLES = ("c2", "c3", "c4", "c5")  # of the classes with the lowest curves
PICTURED, EMPTY, LISTED = 6, 2, 20


@dataclass(frozen=True)
class Curves:
    """NSD at tolerances: of each class the mean over images, and of each image the mean over its classes."""

    tolerances: Values
    classes: list[tuple[str, Values]]
    images: Values


@dataclass(frozen=True)
class Shown:
    """A case with its picture, or why there is none."""

    case: Case
    text: str
    peak: str
    picture: str
    width: int
    height: int
    most: float
    problem: str


def render(found: Findings) -> str | None:
    """The section, absent where no surface was measured."""
    if not found.images or not found.surfaces or not needs(found.evaluation):
        return None
    e = found.evaluation
    metric, unit = deciding(e), unit_of(e)
    cases = ranked(e, metric) if metric else []
    fit = [c for c in cases if c.elements <= LARGEST]
    shown = [_shown(found, case, metric, unit) for case in worst(fit, PICTURED, EMPTY)] if metric else []
    plots = [(f.drawing, f.name) for f in figures([Run(found)])]
    return fill(
        "boundaries.html",
        plots=plots,
        metric=metric,
        unit=unit,
        pictures=[s for s in shown if s.picture],
        problem=next((s.problem for s in shown if s.problem), ""),
        large=[c for c in worst(cases, PICTURED, EMPTY) if c.elements > LARGEST],
        largest=LARGEST,
        cases=cases[:LISTED],
        total=len(cases),
        empty=sum(math.isinf(c.value) for c in cases),
        classes=any(c.title is not None for c in cases),
        ramp=", ".join(words.colour(c) for c in RAMP),
        volumes=any(s.picture and len(e.records[s.case.image].shape) == 3 for s in shown),
    )


def _shown(found: Findings, case: Case, metric: Metric[Any, Any], unit: str) -> Shown:
    try:
        o = opened(found.evaluation, case, metric)
    except Unavailable as error:
        return Shown(case, "", "", "", 0, 0, 0.0, f"{error}")
    if o.part is None:
        return Shown(case, "", "", "", 0, 0, 0.0, "its files have changed since they were counted")
    most = 0.0 if math.isinf(case.value) else o.part.peak[2]
    picture = drawn(o.figure, o.volumes, o.part.peak[1], most)
    return Shown(case, said(o.part, unit), peak(o.part, unit), *picture, most, "")


def figures(runs: Sequence[Run]) -> list[Figure]:
    """NSD against the tolerance, and how distances spread; of two runs the curves of both in one picture."""
    known = [(run, counted[0]) for run in runs if run.found.images and (counted := _counted(run.found))]
    if not known or len(known) < len(runs):
        return []
    end = max(_end(run.found, need) for run, need in known)
    unit = unit_of(known[0][0].found.evaluation)
    return [_nsd(known, end, unit), *(_spread(run, need, end, unit) for run, need in known)]


def _counted(found: Findings) -> list[Need]:
    """Under what surfaces were measured, the need of the metrics that cases are ranked by first."""
    if not found.surfaces:
        return []
    counted, metric = needs(found.evaluation), deciding(found.evaluation)
    return counted if metric is None else [metric.need, *(n for n in counted if n != metric.need)]


def _end(found: Findings, need: Need) -> float:
    """Where the axis of tolerances ends: where nearly all of the surfaces lies within, and what was asked for."""
    measured: Measured = found.evaluation.statistic(Surface.name)
    s: Surface = measured.kind.joined(need, list(measured.images), measured.classes)
    reached = [0.0]
    for g, p in zip(s.gt, s.pred, strict=True):
        for d in (g, p):
            share = np.cumsum(d.weight) / d.weight.sum() if d.weight.size else np.empty(0)
            if share.size:
                reached.append(float(d.distance[min(int(np.searchsorted(share, WITHIN)), share.size - 1)]))
    asked = [t for _, t in _asked(found)]
    steps = [max(spacing) for spacing in found.evaluation.records.spacings()] or [1.0]
    return _round(max(float(np.median(reached)) * 1.5, *(1.3 * t for t in asked), 2 * max(steps)))


def _round(x: float) -> float:
    """The next number of one digit, or of 1.5 or 2.5, with its power of ten."""
    power = 10.0 ** math.floor(math.log10(x))
    return next(k * power for k in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if k * power >= x * (1 - 1e-9))


def _ticks(end: float) -> tuple[tuple[float, str], ...]:
    """Steps of one digit."""
    lead = round(end / 10.0 ** math.floor(math.log10(end)), 1)
    parts = {1.5: 3, 3: 3, 4: 4, 6: 3, 8: 4, 2: 4}.get(lead, 5)
    return tuple((end * k / parts, f"{end * k / parts:.4g}") for k in range(parts + 1))


def _asked(found: Findings) -> list[tuple[str, float]]:
    """The tolerances that were asked for, with the metric that asks."""
    over = [m for m in found.evaluation.metrics if m.statistic == Surface.name]
    return [(m.name, float(t)) for m in over if isinstance(t := dict(m.params).get("tolerance"), int | float)]


def _read(found: Findings, need: Need, end: float) -> Curves:
    tolerances = np.linspace(0, end, PLACES)
    images: list[Values] = []
    sums, counts = 0.0, 0.0
    for values, averaged in values_at(found.evaluation, need, tolerances):
        defined = ~np.isnan(values)
        sums, counts = sums + np.where(defined, values, 0.0), counts + defined
        images.append(mean(values.T, averaged))
    titles = [str(t) for t in found.evaluation.titles(_any_metric(found))]
    with np.errstate(invalid="ignore"):
        by_class = np.asarray(sums) / counts
    named = list(zip(titles, by_class, strict=False)) if len(titles) > 1 else []
    return Curves(tolerances, named, np.array(images))


def _any_metric(found: Findings) -> Metric[Any, Any]:
    return next(m for m in found.evaluation.metrics if m.statistic == Surface.name)


def _nsd(known: Sequence[tuple[Run, Need]], end: float, unit: str) -> Figure:
    """NSD against the tolerance: the mean with its interval, and the classes."""
    layers: list[Layer] = []
    table: dict[str, Any] = {}
    marks: list[Layer] = []
    for run, need in known:
        curves = _read(run.found, need, end)
        x, whole = curves.tolerances, mean(curves.images.T)
        table |= run.columns(tolerance=x, nsd=whole)
        if (band := curve_bands.of_means(run.found.evaluation, x, curves.images)) is not None:
            layers.insert(0, Band(*band, run.style, run.called(INTERVAL)))
            table |= run.columns(**{"nsd low": band.low, "nsd high": band.high})
        if len(known) == 1:
            low = sorted(curves.classes, key=lambda c: float(np.nansum(c[1])))[: len(STYLES)]
            style = dict(zip([name for name, _ in low], STYLES, strict=False))
            for name, y in sorted(curves.classes, key=lambda c: c[0] in style):
                label = words.name(name, 20) if name in style else ""
                label = f"class {label}" if label.isdigit() else label
                layers.append(Line(*_drawn(x, y), style.get(name, "faint"), label))
                table |= run.columns(**{f"{name} nsd": y})
            marks = _marks(run.found, end)
        called = "mean of the classes" if curves.classes else "NSD"
        layers.append(Line(*_drawn(x, whole), run.style, run.called(called)))
    axes = Axis(f"tolerance ({unit})", 0.0, end, _ticks(end)), Axis("share of the surfaces within it")
    return Figure("nsd", Plot("NSD against the tolerance", *axes, [*layers, *marks]), table)


def _drawn(x: Values, y: Values) -> tuple[Values, Values]:
    """A curve with fewer points."""
    end = float(x[-1])
    a, b = simplified(x / end, y)
    return a * end, b


def _marks(found: Findings, end: float) -> list[Layer]:
    """The tolerances that were asked for, and the size of the coarsest voxel."""
    asked = list(dict.fromkeys(t for _, t in _asked(found) if t <= end))
    out: list[Layer] = [Rule(t, "at", f"tolerance {t:.4g}" if k == 0 else "") for k, t in enumerate(asked[:3])]
    steps = [max(spacing) for spacing in found.evaluation.records.spacings()]
    if steps and max(steps) <= end and not any(math.isclose(max(steps), t, rel_tol=1e-3) for t in asked):
        at = np.array([max(steps)] * 2)
        out.append(Line(at, np.array([0.0, 1.0]), "chance", f"coarsest voxel {max(steps):.4g}"))
    return out


def _spread(run: Run, need: Need, end: float, unit: str) -> Figure:
    """Which share of either surface lies at which distance, all images together, the mean over the classes."""
    measured: Measured = run.found.evaluation.statistic(Surface.name)
    s: Surface = measured.kind.joined(need, list(measured.images), measured.classes)
    step = end / BINS
    edges = np.append(np.linspace(0, end, BINS + 1), np.inf)
    used = [k for k in np.flatnonzero(measured.averaged).tolist() if s.gt[k].total + s.pred[k].total > 0]
    layers: list[Layer] = []
    table: dict[str, Any] = {"low": edges[:-1], "high": edges[1:]}
    ticks = tuple((float(k), t) for k, t in ((-4, "0.01 %"), (-3, "0.1 %"), (-2, "1 %"), (-1, "10 %"), (0, "100 %")))
    for number, (side, style, called) in enumerate(
        (("gt", "c1", "surface of the ground truth"), ("pred", "c2", "surface of the prediction"))
    ):
        shares = np.zeros(BINS + 1)
        there = [d for k in used if (d := getattr(s, side)[k]).total > 0]
        for d in there:
            at = np.minimum((d.distance / step * (1 + 1e-12)).astype(np.int64), BINS)
            shares += np.bincount(at, d.weight, BINS + 1) / d.total / len(there)
            shares[BINS] += float(d.missed[:, 1].sum()) / d.total / len(there)
        table |= {f"share of the {side} surface": shares}
        for k, share in enumerate(shares.tolist()):
            if share >= LOWEST:
                left = k * step + step * (0.08 + 0.42 * number)
                where = f"{edges[k]:.3g} to {edges[k + 1]:.3g} {unit}" if k < BINS else f"beyond {end:.3g} {unit}"
                title = f"{words.percent(share, 2)} of the {called} lies {where} off"
                layers.append(Bar(left, left + 0.42 * step, math.log10(share), style, title))
        layers.append(Line(np.empty(0), np.empty(0), style, called))
    x = Axis(
        f"distance to the other surface ({unit})",
        0.0,
        end + step,
        (*_ticks(end)[:-1], (end + step / 2, f"> {end:.4g}")),
    )
    title = run.called("Distances between the surfaces")
    y = Axis("share of the surface (log scale)", -4.0, 0.0, ticks)
    name = f"distances-{'ab'[run.number]}" if run.label else "distances"
    return Figure(name, Plot(title, x, y, layers), table)
