"""Whole objects against the threshold, and FROC: what a map of scores finds and invents, cut at each threshold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import curve_bands
from ..metrics import FrocCurve, ObjectCurve, Values, froc_score
from ..statistics.object_scores import ObjectScores
from ..statistics.shape import Need
from . import words
from .curves import INTERVAL
from .figure import Figure, Run
from .findings import Findings
from .page import fill
from .plot import Axis, Band, Layer, Line, Plot, Point, Rule

LEAST = 1 / 8  # false positives an image: what lies below is drawn there
SHOWN = 0.1  # steps of thresholds in tables
DRAWN = (("precision", "c3"), ("recall", "c4"), ("f1", "c1"))
TITLES = {"precision": "precision", "recall": "recall", "f1": "F1"}
AROUND = {1: 2, 2: 8, 3: 26}


@dataclass(frozen=True)
class Shown:
    """The curve of a rule: its picture, what decides there, and rows of (threshold, found, missed, false, values)."""

    name: str
    plot: Plot
    rule: str
    head: tuple[str, str, str]
    rows: list[tuple[float, int, int, int, tuple[float, float, float]]]


def render(found: Findings) -> str | None:
    """The section, absent where no metric asked for whole objects."""
    counted = _counted(found)
    made = figures([Run(found)])
    if counted is None or not made:
        return None
    curves = [
        Shown(f.name, plot, _said(found, rule), *_table(counted, rule))
        for f, rule in zip(made, counted.by_rule, strict=True)
        if isinstance(plot := f.drawing, Plot)
    ]
    objects = {int(c.objects) for c in counted.by_rule.values()}
    return fill("object_curves.html", curves=curves, objects=sorted(objects), images=found.images)


def figures(runs: Sequence[Run]) -> list[Figure]:
    """The curve of every rule that was counted; of two runs those that both have, with F1 alone."""
    there = [(r, c) for r in runs if (c := _counted(r.found)) is not None]
    if not there or len(there) < len(runs):
        return []
    rules = [rule for rule in there[0][1].by_rule if all(rule in c.by_rule for _, c in there)]
    return [_froc(there, rule) if "touch" in dict(rule) else _objects(there, rule) for rule in rules]


def _counted(found: Findings) -> ObjectScores | None:
    """The objects of all images, where they were counted and there are any."""
    if not found.evaluation.has(ObjectScores.name) or not found.images:
        return None
    made: ObjectScores = found.evaluation.statistic(ObjectScores.name)
    return made if all(int(c.objects) for c in made.by_rule.values()) else None


def _froc(runs: Sequence[tuple[Run, ObjectScores]], rule: Need) -> Figure:
    layers: list[Layer] = []
    table: dict[str, Any] = {}
    most = 8.0
    for run, counted in runs:
        curve = FrocCurve.of(counted.by_rule[rule])
        rate, hit = curve.false_per_image, curve.sensitivity
        table |= run.columns(
            threshold=curve.thresholds, found=curve.found, false=curve.false, sensitivity=hit, false_per_image=rate
        )
        score = froc_score.at(connectivity=dict(rule)["connectivity"]).compute(counted)
        label = run.called(f"FROC score {words.figure(score)}")
        layers.append(Line(_place(rate), hit, run.style, label))
        layers += _at(run, curve.thresholds, _place(rate), hit)
        if (band := curve_bands.froc(run.found.evaluation, rule)) is not None:
            layers.insert(0, Band(_place(rate), band.low, band.high, run.style, run.called(INTERVAL)))
            table |= run.columns(**{"sensitivity low": band.low, "sensitivity high": band.high})
        most = max(most, float(rate.max()))
    plot = Plot("FROC curve", _rates(most), Axis("sensitivity: objects found"), layers, square=True)
    return Figure(f"froc{_suffix(rule)}", plot, table)


def _objects(runs: Sequence[tuple[Run, ObjectScores]], rule: Need) -> Figure:
    layers: list[Layer] = []
    table: dict[str, Any] = {}
    iou = float(dict(rule)["iou"])
    for run, counted in runs:
        curve = ObjectCurve.of(counted.by_rule[rule], iou)
        values = {name: getattr(curve, name) for name, _ in DRAWN}
        table |= run.columns(threshold=curve.thresholds, tp=curve.tp, fp=curve.fp, fn=curve.fn, **values)
        for name, style in DRAWN if len(runs) == 1 else DRAWN[2:]:
            style = style if len(runs) == 1 else run.style
            if (band := curve_bands.objects(run.found.evaluation, rule, name)) is not None:
                layers.insert(0, Band(*band, style, run.called(INTERVAL) if name == "f1" else ""))
                table |= run.columns(**{f"{name} low": band.low, f"{name} high": band.high})
            layers.append(Line(curve.thresholds, values[name], style, run.called(TITLES[name])))
        used = run.found.evaluation.facts.threshold
        layers.append(Rule(used, "at2" if run.number else "at", run.called(f"score ≥ {used:.3g}")))
    title = "Objects against the threshold" if len(runs) == 1 else "Object F1 against the threshold"
    axes = Axis("threshold: components of the scores from here on"), Axis(f"share, matched from IoU {iou:g} on")
    return Figure(f"object-threshold-iou-{iou:g}{_suffix(rule)}", Plot(title, *axes, layers, square=True), table)


def _at(run: Run, thresholds: Values, x: Values, y: Values) -> Iterator[Point]:
    """The threshold of the region metrics, where it is one of the curve's."""
    used = run.found.evaluation.facts.threshold
    for i in np.flatnonzero(np.abs(thresholds - used) < 1e-9).tolist():
        label = f"score ≥ {used:.3g}"
        yield Point(float(x[i]), float(y[i]), "at2" if run.number else "at", label, run.called(label))


def _place(rate: Values) -> Values:
    """Where false positives an image lie on the axis, which is logarithmic."""
    return np.log2(np.maximum(rate, LEAST))


def _rates(most: float) -> Axis:
    """An axis of false positives an image, from 1/8 on to the next power of two, with eight ticks at most."""
    low, high = round(math.log2(LEAST)), math.ceil(math.log2(most))
    every = max(1, math.ceil((high - low) / 7))
    ticks = tuple((float(t), f"1/{2**-t}" if t < 0 else str(2**t)) for t in range(low, high + 1, every))
    return Axis("false positives an image (log scale)", float(low), float(high), ticks)


def _said(found: Findings, rule: Need) -> str:
    """The rule in words, with the connectivity that it has."""
    known, records = dict(rule), found.evaluation.records
    around = known["connectivity"] or AROUND.get(len(records[records.names()[0]].shape), 0)
    how = "touches it" if "touch" in known else f"has an IoU of {known['iou']:g} or more with it, one to one"
    return f"Connected over {around} neighbours; an object is found where a component {how}"


def _table(counted: ObjectScores, rule: Need) -> tuple[tuple[str, str, str], list[Any]]:
    """What the last columns of the table hold, and its rows, at every tenth."""
    c = counted.by_rule[rule]
    if "touch" in dict(rule):
        curve = FrocCurve.of(c)
        head, values = ("Sensitivity", "False per image", ""), (curve.sensitivity, curve.false_per_image)
    else:
        of = ObjectCurve.of(c, float(dict(rule)["iou"]))
        head, values = ("Precision", "Recall", "F1"), (of.precision, of.recall, of.f1)
    near = [i for i, t in enumerate(c.thresholds.tolist()) if abs(t / SHOWN - round(t / SHOWN)) < 1e-6]
    rows = [
        (c.thresholds[i], int(c.found[i]), int(c.objects - c.found[i]), int(c.false[i]), [float(v[i]) for v in values])
        for i in reversed(near)
    ]
    return head, rows


def _suffix(rule: Need) -> str:
    around = dict(rule)["connectivity"]
    return "" if around is None else f"-{around}-neighbours"
