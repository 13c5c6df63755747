"""What it costs to move the threshold: region metrics against it, and a slider that moves everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics import Metric, ThresholdCurve, Values, accuracy, best_threshold, dice, iou, precision, recall
from ..statistics.image_scores import ImageScores
from ..statistics.scores import Scores
from .curves import INTERVAL, drawable
from .figure import Figure, Run
from .findings import JUDGED, Findings
from .page import fill
from .plot import Axis, Band, Layer, Line, Plot, Rule, simplified

DRAWN: tuple[tuple[Metric[Any, Any], str, str], ...] = (
    (iou, "IoU", "c1"),
    (dice, "Dice", "c2"),
    (precision, "precision", "c3"),
    (recall, "recall", "c4"),
    (accuracy, "accuracy", "c5"),
)

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Best:
    """Where a metric is best, and what it gains over the threshold that was used."""

    label: str
    threshold: float
    value: float
    used: float
    stop: int


def render(found: Findings) -> str | None:
    """The section, absent without score maps and where one class is absent."""
    if not drawable(found):
        return None
    stops, s = found.stops, found.scores
    tp, fp = counts_at(s, stops)
    used, c = found.used_stop, found.pooled
    tp[used], fp[used] = c.tp[1], c.fp[1]
    data = {
        "stops": shown_stops(found),
        "tp": tp.tolist(),
        "fp": fp.tolist(),
        "positives": s.positives,
        "negatives": s.negatives,
        "used": used,
    }
    return fill(
        "threshold.html",
        plot=figures([Run(found)])[0].drawing,
        data=data,
        threshold=found.evaluation.facts.threshold,
        shown=[(label, m.name, found.row(m, "pooled").value) for m, label, _ in DRAWN],
        c=c,
        best=[_best(found, m, stops) for m in JUDGED],
    )


def shown_stops(found: Findings) -> list[float]:
    """The stops as they are called: that of the threshold that was used by what the user said."""
    shown = [round(v, 6) for v in found.stops.tolist()]
    shown[found.used_stop] = round(found.evaluation.facts.threshold, 6)
    return shown


def counts_at(s: Scores | ImageScores, stops: Values) -> tuple[Ints, Ints]:
    """True and false positives at each stop."""
    at = np.searchsorted(s.thresholds, stops)
    tp, fp = (np.append(np.cumsum(side[::-1])[::-1], 0)[at] for side in (s.pos, s.neg))
    return tp, fp


def figures(runs: Sequence[Run]) -> list[Figure]:
    """One picture: of one run several metrics, of two runs Dice alone."""
    runs = [r for r in runs if drawable(r.found)]
    if not runs:
        return []
    layers: list[Layer] = []
    table: dict[str, Any] = {}
    for run in runs:
        s = run.found.scores
        values = {m: ThresholdCurve.of(s, m).values[::-1] for m, _, _ in DRAWN}
        found = run.found.score_bands
        bands = {} if found is None else found.threshold
        for m, label, style in DRAWN if len(runs) == 1 else DRAWN[1:2]:
            style = style if len(runs) == 1 else run.style
            if m in bands:
                layers.insert(0, Band(*bands[m], style, run.called(INTERVAL) if m is dice else ""))
            layers.append(Line(*simplified(*_steps(s.thresholds, values[m])), style, run.called(label)))
        used = run.found.evaluation.facts.threshold
        layers.append(
            Rule(
                used, "at2" if run.number else "at", run.called(f"score ≥ {used:.3g}"), "" if run.label else "threshold"
            )
        )
        table |= run.columns(threshold=s.thresholds, **counted(s), **{m.name: v for m, v in values.items()})
        for m, band in bands.items():
            ends = {"band threshold": band.x, f"{m.name} low": band.low, f"{m.name} high": band.high}
            table |= run.columns(**ends)
    title = "Metrics against the threshold" if len(runs) == 1 else "Dice against the threshold"
    return [
        Figure("threshold", Plot(title, Axis("threshold: foreground from this score on"), Axis("value"), layers), table)
    ]


def counted(s: Scores) -> dict[str, Ints]:
    """The counts at every threshold, by name."""
    tp, fp = (np.cumsum(side[::-1])[::-1] for side in (s.pos, s.neg))
    return {"tp": tp, "fp": fp, "fn": s.positives - tp, "tn": s.negatives - fp}


def _steps(thresholds: Values, values: Values) -> tuple[Values, Values]:
    """From 0 on: between two scores that occur nothing changes, and the upper one is what counts."""
    return np.append(0.0, np.repeat(thresholds, 2)[:-1]), np.repeat(values, 2)


def _best(found: Findings, metric: Metric[Any, Any], stops: Values) -> Best:
    s = found.scores
    at = best_threshold.at(metric=metric).compute(s)
    value = metric.compute(s.at(at)) if at == at else float("nan")
    stop = int(np.searchsorted(stops, at)) if at == at else -1
    label = next(label for m, label, _ in DRAWN if m is metric)
    return Best(label, at, value, found.row(metric, "pooled").value, stop)
