"""Detections: precision against recall at several IoU, the score that reaches each recall, AP by size and by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import curve_bands
from ..metrics import METRICS, Values, ap
from ..statistics.detections import Detections
from . import words
from .curves import INTERVAL
from .figure import Figure, Run
from .findings import Findings
from .page import fill
from .plot import Axis, Band, Bar, Layer, Line, Plot, Point, rounded, whisker

SHOWN = ((0.5, "c1"), (0.75, "c3"), (0.9, "c4"))
RECALL, PRECISION, SCORE = Axis("recall"), Axis("precision, mean over the classes"), "score, mean over the classes"
MARKED = np.arange(0.1, 0.95, 0.1)  # recalls at which a curve says its score
GROUPS = ("rare", "common", "frequent")  # of LVIS
MOST = 20  # classes in a picture; of more the worst


class Kind(NamedTuple):
    """A class: its AP with the interval, its values by size, its objects and its detections."""

    name: str
    value: float
    low: float
    high: float
    sizes: list[float]
    objects: int
    found: int


class Size(NamedTuple):
    """Objects of a size, or of classes of a frequency: AP with the interval, and how many there are."""

    name: str
    value: float
    low: float
    high: float
    objects: int


def render(found: Findings) -> str | None:
    """The section, absent where no detections were judged by COCO's rules."""
    if not _judged(found):
        return None
    d: Detections = found.evaluation.statistic(Detections.name)
    drawn = {f.name: f.drawing for f in figures([Run(found)])}
    return fill(
        "detections.html",
        precision=drawn["detections-precision-recall"],
        score=drawn["detections-scores"],
        by_size=drawn["detections-sizes"],
        kinds=kinds_of(found),
        sizes=[name for name, *_ in d.rules.areas[1:]],
        cap=d.rules.cap,
    )


def figures(runs: Sequence[Run]) -> list[Figure]:
    """Curves and AP by size of one run or two, of two at IoU 0.5 alone; and of each AP by class."""
    runs = [r for r in runs if _judged(r.found)]
    if not runs:
        return []
    return [*_curves(runs), _by_size(runs), *(f for r in runs for f in _by_class(r))]


def _judged(found: Findings) -> bool:
    e = found.evaluation
    if not e.has(Detections.name) or not found.images:
        return False
    d: Detections = e.statistic(Detections.name)
    return not d.rules.trapezoid and d.precision() is not None and bool(d.objects().any())


# Curves


def _curves(runs: Sequence[Run]) -> list[Figure]:
    layers: tuple[list[Layer], list[Layer]] = ([], [])
    table: dict[str, Any] = {}
    top = 1.0
    for run in runs:
        d: Detections = run.found.evaluation.statistic(Detections.name)
        precision, score = mean_curves(d)
        top = max(top, float(score.max(initial=0.0)))
        shown = [iou for iou, _ in SHOWN if d.rules.step(iou) is not None]
        bands = dict(zip(shown, curve_bands.detections(run.found.evaluation, shown) or [], strict=False))
        table |= {"recall": d.rules.levels}
        for iou, style in SHOWN:
            step = d.rules.step(iou)
            if step is None:
                continue
            columns = {f"precision at IoU {iou:g}": precision[step], f"score at IoU {iou:g}": score[step]}
            table |= run.columns(**columns)
            if band := bands.get(iou):
                table |= run.columns(
                    **{f"precision at IoU {iou:g} low": band.low, f"precision at IoU {iou:g} high": band.high}
                )
            if len(runs) > 1 and iou != SHOWN[0][0]:
                continue
            style = style if len(runs) == 1 else run.style
            for to, values in zip(layers, (precision, score), strict=True):
                to.append(Line(d.rules.levels, values[step], style, run.called(f"IoU {iou:g}")))
            if band:
                layers[0].insert(0, Band(*band, style, run.called(INTERVAL) if iou == shown[0] else ""))
            layers[0].extend(_marks(d, precision[step], score[step], style, f"IoU {iou:g}"))
    axes = (RECALL, PRECISION), (RECALL, rounded(SCORE, top) if top > 1 else Axis(SCORE))
    named = ("detections-precision-recall", "Precision and recall"), ("detections-scores", "Score at each recall")
    return [
        Figure(name, Plot(title, *xy, drawing, square=True), table)
        for (name, title), xy, drawing in zip(named, axes, layers, strict=True)
    ]


def mean_curves(d: Detections) -> tuple[Values, Values]:
    """(T, R) precision and score, the mean over the classes with objects."""
    curves = d.precision()
    assert curves is not None
    there = d.objects("all") > 0
    return curves[0][..., there].mean(axis=-1), curves[1][..., there].mean(axis=-1)


def _marks(d: Detections, precision: Values, score: Values, style: str, label: str) -> list[Layer]:
    """Points of a curve that say their score."""
    at = [int(np.argmin(np.abs(d.rules.levels - r))) for r in MARKED.tolist()] if d.rules.levels.size else []
    return [
        Point(float(d.rules.levels[i]), float(precision[i]), style,
              f"{label}: recall {d.rules.levels[i]:.2f}, precision {precision[i]:.3f}, score {score[i]:.3g}")
        for i in at if precision[i] > 0
    ]  # fmt: skip


# By size and by class


def _by_size(runs: Sequence[Run]) -> Figure:
    each = [sizes_of(r.found) for r in runs]
    names = [s.name for s in each[0]]
    ticks = tuple((i + 0.5, n) for i, n in enumerate(names))
    layers: list[Layer] = []
    table: dict[str, Any] = {"objects": names}
    wide = 0.7 / len(runs)
    for n, (run, sizes) in enumerate(zip(runs, each, strict=True)):
        for i, s in enumerate(sizes):
            if np.isnan(s.value):
                continue
            left = i + 0.15 + n * wide
            said = f"{s.name}: AP {words.figure(s.value)}, {words.many(s.objects, 'object')}"
            above = words.figure(s.value) if len(runs) == 1 else ""
            high = np.nanmax([s.value, s.high])
            layers.append(Bar(left, left + wide, s.value, run.style, run.called(said), above, over=high))
            layers += whisker(left + wide / 2, s.low, s.high)
        columns = {k: [getattr(s, k) for s in sizes] for k in ("value", "low", "high")}
        table |= run.columns(number=[s.objects for s in sizes], **columns)
    if len(runs) > 1:
        layers += [Line(np.empty(0), np.empty(0), r.style, r.label) for r in runs]
    axis = Axis("objects", 0, len(names), ticks)
    return Figure("detections-sizes", Plot("AP by size", axis, Axis("average precision"), layers), table)


def sizes_of(found: Findings) -> list[Size]:
    """AP of all objects, of those of each size, and under LVIS of the classes of each frequency."""
    e = found.evaluation
    d: Detections = e.statistic(Detections.name)
    rows = {r.metric: r for r in e.rows() if r.over == "pooled" and r.class_ is None}
    names = ["all", *(n for n, *_ in d.rules.areas[1:]), *(GROUPS if d.group.any() else ())]
    out: list[Size] = []
    for name in names:
        metric = METRICS.get("ap" if name == "all" else f"ap_{name}")
        if metric is None:
            continue
        row = rows.get(str(metric))
        objects = d.objects()[d.group == GROUPS.index(name) + 1] if name in GROUPS else d.objects(name)
        value = float(metric.values(d)[-1])
        out.append(Size(name, value, *((row.low, row.high) if row else (np.nan, np.nan)), int(objects.sum())))
    return out


def _by_class(run: Run) -> list[Figure]:
    kinds = kinds_of(run.found)
    if not kinds:
        return []
    shown = kinds[:MOST]
    table = {k: [getattr(x, k) for x in kinds] for k in ("name", "value", "low", "high", "objects", "found")}
    layers: list[Layer] = []
    for i, k in enumerate(shown):
        if np.isnan(k.value):
            continue
        y = len(shown) - i - 0.5
        if k.low == k.low:
            layers.append(Line(np.array([k.low, k.high]), np.array([y, y]), "whisker"))
        layers.append(Point(k.value, y, run.style, f"{words.name(k.name)}: AP {words.figure(k.value)}"))
    ticks = tuple((len(shown) - i - 0.5, words.name(k.name, 10)) for i, k in enumerate(shown))
    title = "AP by class" if len(kinds) <= MOST else f"AP of the {MOST} worst classes"
    name = f"detections-classes-{'ab'[run.number]}" if run.label else "detections-classes"
    height = Axis("", 0, len(shown), ticks)
    plot = Plot(run.called(title) if run.label else title, Axis("average precision"), height, layers)
    return [Figure(name, plot, {"class" if k == "name" else k: v for k, v in table.items()})]


def kinds_of(found: Findings) -> list[Kind]:
    """The classes with objects, the worst first."""
    e = found.evaluation
    d: Detections = e.statistic(Detections.name)
    rows = {r.class_: r for r in e.rows() if r.metric == str(ap) and r.over == "pooled"}
    titles = e.titles(ap)
    by_size: list[list[float]] = []
    for area, *_ in d.rules.areas[1:]:
        whole = d.precision(area)
        mean = np.full(d.classes.size, np.nan) if whole is None else whole[0].mean(axis=(0, 1))
        by_size.append(np.where(mean < 0, np.nan, mean).tolist())
    objects = d.objects().tolist()
    each = np.bincount(d.det_class, minlength=d.classes.size).tolist()
    made = [
        Kind(str(t), r.value, r.low, r.high, [x[k] for x in by_size], objects[k], each[k])
        for k, t in enumerate(titles[: d.classes.size])
        if objects[k] and (r := rows.get(t)) is not None
    ]
    return sorted(made, key=lambda x: (x.value, x.name))
