"""Curves of several classes, each against the rest: how well the scores of each class tell its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import curve_bands
from ..curve_bands import ScoreBands
from ..evaluation import MICRO
from ..metrics import Metric, PrCurve, ReliabilityCurve, RocCurve, average_precision, ece, roc_auc
from ..rows import Row
from ..statistics.by_class import ClassScores
from ..statistics.scores import Scores
from . import words
from .calibration import BINS
from .curves import GRID, INTERVAL, PR, ROC, steps
from .figure import Figure, Run
from .findings import Findings
from .page import fill
from .plot import Axis, Band, Layer, Line, Plot, simplified

STYLES = ("c2", "c3", "c4", "c5")  # of single classes; of more those with the lowest average precision
METRICS: tuple[Metric[Any, Any], ...] = (roc_auc, average_precision, ece)


@dataclass(frozen=True)
class Entry:
    """A class with its rows, pooled: those of `METRICS`."""

    name: str
    positives: int | None
    rows: tuple[Row, ...]


def render(found: Findings) -> str | None:
    """The section, absent without scores of classes."""
    if not found.class_curves or not found.images:
        return None
    roc, pr, reliability = (figure.drawing for figure in figures([Run(found)]))
    classes = _classes(found)
    entries = [Entry(name, s.positives, _rows(found, name)) for name, s in classes]
    means = [Entry("mean of the classes", None, _rows(found, None)), Entry("all together", None, _rows(found, MICRO))]
    return fill(
        "class_curves.html",
        plots=[(roc, "class-roc"), (pr, "class-pr"), (reliability, "class-reliability")],
        entries=entries,
        means=means,
        several=found.evaluation.facts.several,
        named=len(STYLES) if len(classes) > len(STYLES) else 0,
    )


def figures(runs: Sequence[Run]) -> list[Figure]:
    """The curves of one run; of two those of all classes together."""
    runs = [r for r in runs if r.found.class_curves and r.found.images]
    if not runs:
        return []
    diagonal = Line(GRID[[0, -1]], GRID[[0, -1]], "chance", "chance")
    perfect = Line(GRID[[0, -1]], GRID[[0, -1]], "chance", "perfectly calibrated")
    layers: tuple[list[Layer], list[Layer], list[Layer]] = ([diagonal], [], [perfect])
    tables: tuple[dict[str, Any], dict[str, Any], dict[str, Any]] = ({}, {}, {})
    for run in runs:
        whole: ClassScores = run.found.evaluation.statistic(Scores.name)
        drawn = [(name, s, _style(run, name)) for name, s in _classes(run.found)] if len(runs) == 1 else []
        for name, s, style in (*sorted(drawn, key=lambda x: x[2] != "faint"), (MICRO, whole.together, run.style)):
            _add(run, name, s, style, layers, tables)
        known = zip(whole.by_class, drawn, strict=False)
        banded = {k: (name, style) for k, (name, _, style) in known if style in STYLES}
        bands = curve_bands.by_class(run.found.evaluation, list(banded), BINS) or []
        for (name, style), band in zip([*banded.values(), (MICRO, run.style)], bands, strict=False):
            _band(run, name, band, style, layers, tables)
    axes = (ROC, PR, (Axis("mean score of the bin"), Axis("share of positives")))
    named = (("class-roc", "ROC curves"), ("class-precision-recall", "Precision-recall curves"), *RELIABILITY)
    return [
        Figure(name, Plot(f"{title}, one class against the rest", *xy, drawing, square=True), table)
        for (name, title), xy, drawing, table in zip(named, axes, layers, tables, strict=True)
    ]


RELIABILITY = (("class-reliability", "Reliability"),)


def _add(run: Run, name: str, s: Scores, style: str, layers: Sequence[list[Layer]], tables: Sequence[Any]) -> None:
    """The three curves of a class, as lines and as columns of the tables."""
    a, b, c = RocCurve.of(s), PrCurve.of(s), ReliabilityCurve.of(s, BINS)
    called = "all together" if name == MICRO else name
    there = c.pixels > 0
    lines = (
        (simplified(a.fpr, a.tpr), "AUC", roc_auc),
        (simplified(*steps(b)), "AP", average_precision),
        ((c.score[there], c.positive[there]), "ECE", ece),
    )
    for (points, short, metric), to in zip(lines, layers, strict=True):
        value = words.figure(run.found.rows[str(metric), name, "pooled"].value)
        label = "" if style == "faint" else run.called(f"{words.name(called, 20)}, {short} {value}")
        if points[0].size:
            to.append(Line(*points, style, label))
    columns = (
        {"threshold": a.thresholds, "fpr": a.fpr, "tpr": a.tpr},
        {"threshold": b.thresholds, "recall": b.recall, "precision": b.precision},
        {"low": c.edges[:-1], "high": c.edges[1:], "pixels": c.pixels, "score": c.score, "positive": c.positive},
    )
    for more, table in zip(columns, tables, strict=True):
        table |= run.columns(**{f"{called} {k}": v for k, v in more.items()})


def _band(run: Run, name: str, bands: ScoreBands, style: str, layers: Sequence[list[Layer]], tables: Any) -> None:
    """The intervals of the three curves of a class, below all lines."""
    called = "all together" if name == MICRO else name
    columns = (("fpr", "tpr"), ("recall", "precision"), ("score", "positive"))
    for band, (x, y), to, table in zip(bands[:3], columns, layers, tables, strict=True):
        to.insert(0, Band(*band, style, run.called(INTERVAL) if name == MICRO else ""))
        ends = {f"{called} band {x}": band.x, f"{called} {y} low": band.low, f"{called} {y} high": band.high}
        table |= run.columns(**ends)


def _classes(found: Findings) -> list[tuple[str, Scores]]:
    whole: ClassScores = found.evaluation.statistic(Scores.name)
    titles = found.evaluation.titles(roc_auc)
    return [(str(t), s) for t, s in zip(titles, whole.by_class.values(), strict=False)]


def _style(run: Run, name: str) -> str:
    """A style of its own for a few classes: of many those with the lowest average precision."""
    values = [
        (run.found.rows[str(average_precision), n, "pooled"].value, i, n)
        for i, (n, _) in enumerate(_classes(run.found))
    ]
    known = sorted(v for v in values if not np.isnan(v[0]))[: len(STYLES)]
    order = [n for _, _, n in sorted(known, key=lambda v: v[1])]
    return STYLES[order.index(name)] if name in order else "faint"


def _rows(found: Findings, title: str | None) -> tuple[Row, ...]:
    return tuple(found.rows[str(m), title, "pooled"] for m in METRICS)
