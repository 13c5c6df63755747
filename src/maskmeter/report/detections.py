"""Detections: precision against recall at several IoU, the score that reaches each recall, and AP by class."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..metrics import Values, ap
from ..statistics.detections import Detections
from .findings import Findings
from .page import fill
from .plot import Axis, Line, Plot

SHOWN = ((0.5, "c1"), (0.75, "c3"), (0.9, "c4"))
RECALL, PRECISION, SCORE = Axis("recall"), Axis("precision, mean over the classes"), "score, mean over the classes"


class Kind(NamedTuple):
    """A class: its AP with the interval, its values by size, its objects and its detections."""

    name: str
    value: float
    low: float
    high: float
    sizes: list[float]
    objects: int
    found: int


def render(found: Findings) -> str | None:
    """The section, absent where no detections were judged by COCO's rules."""
    e = found.evaluation
    if not e.has(Detections.name) or not found.images:
        return None
    d: Detections = e.statistic(Detections.name)
    curves = d.precision()
    if d.rules.trapezoid or curves is None or not d.objects().any():
        return None
    there = d.objects("all") > 0
    precision, scores = (x[..., there].mean(axis=-1) for x in curves[:2])
    steps = [(f"IoU {iou:g}", style, step) for iou, style in SHOWN if (step := d.rules.step(iou)) is not None]
    top = float(max(scores.max(initial=0.0), 1.0))
    height = Axis(SCORE) if top <= 1 else Axis(SCORE, 0.0, top, tuple((t, f"{t:.3g}") for t in np.linspace(0, top, 5)))
    return fill(
        "detections.html",
        precision=Plot("Precision and recall", RECALL, PRECISION, _lines(d, precision, steps), square=True),
        score=Plot("Score at each recall", RECALL, height, _lines(d, scores, steps), square=True),
        kinds=_kinds(found, d),
        sizes=[name for name, *_ in d.rules.areas[1:]],
        cap=d.rules.cap,
    )


def _lines(d: Detections, values: Values, steps: list[tuple[str, str, int]]) -> list[Line]:
    return [Line(d.rules.levels, values[step], style, label) for label, style, step in steps]


def _kinds(found: Findings, d: Detections) -> list[Kind]:
    """The classes with objects, the worst first."""
    e = found.evaluation
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
