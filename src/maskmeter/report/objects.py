"""Objects: how many were found, at which overlap, and of which size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..columns import columns
from ..curve_bands import rates
from ..fates import recall_by_size
from ..metrics import Metric, Values, object_f1, object_precision, object_recall
from . import words
from .curves import INTERVAL
from .figure import Figure, Run
from .findings import AT, Findings
from .page import fill
from .plot import Axis, Band, Bar, Layer, Line, Plot, Point

THRESHOLDS = np.linspace(0.5, 0.95, 10)
DRAWN: tuple[tuple[Metric[Any, Any], str, str], ...] = (
    (object_precision, "precision", "c1"),
    (object_recall, "recall", "c2"),
    (object_f1, "F1", "c3"),
)
IOU = Axis(
    "IoU from which an object counts as found", 0.475, 0.975, tuple((t, f"{t:.1f}") for t in (0.5, 0.6, 0.7, 0.8, 0.9))
)


@dataclass(frozen=True)
class Size:
    """Objects of a size: what is said of it, how many there are and were found."""

    label: str
    found: int
    objects: int

    @property
    def recall(self) -> float:
        return self.found / self.objects if self.objects else math.nan


def render(found: Findings) -> str | None:
    """The section, absent without objects."""
    made = figures([Run(found)])
    if not made:
        return None
    table = made[0].table
    return fill(
        "objects.html",
        rates=made[0].drawing,
        sizes=made[1].drawing if len(made) > 1 else None,
        rows=list(zip(THRESHOLDS.tolist(), *(table[m.name] for m, _, _ in DRAWN), strict=True)),
        by_size=_sizes(found),
        at=AT,
        unit=found.unit,
        classes=not found.overlap.binary,
    )


def figures(runs: Sequence[Run]) -> list[Figure]:
    """Rates against the threshold, of two runs F1 alone; and of one run recall by size."""
    runs = [r for r in runs if r.found.objects and r.found.images and _any(r.found)]
    if not runs:
        return []
    layers: list[Layer] = []
    table: dict[str, Any] = {"iou": THRESHOLDS.tolist()}
    for run in runs:
        values = {m: _rates(run.found, m) for m, _, _ in DRAWN}
        drawn = DRAWN if len(runs) == 1 else DRAWN[2:]
        asked = [m.at(iou=round(t, 2)) for m, _, _ in drawn for t in THRESHOLDS.tolist()]
        if (found := rates(run.found.evaluation, asked)) is not None:
            low, high = (x.reshape(len(drawn), -1) for x in (found.low, found.high))
            for i, (_, _, style) in enumerate(drawn):
                shown = style if len(runs) == 1 else run.style
                layers.append(Band(THRESHOLDS, low[i], high[i], shown, "" if i else run.called(INTERVAL)))
            ends = {
                f"{m.name}_{end}": x[i] for i, (m, *_) in enumerate(drawn) for end, x in (("low", low), ("high", high))
            }
            table |= run.columns(**{name: x.tolist() for name, x in ends.items()})
        for m, label, style in drawn:
            style = style if len(runs) == 1 else run.style
            layers.append(Line(THRESHOLDS, values[m], style, run.called(label)))
            layers += [
                Point(x, y, style, f"{label} at IoU {x:.2f}: {words.figure(y)}")
                for x, y in zip(THRESHOLDS.tolist(), values[m].tolist(), strict=True)
                if not math.isnan(y)
            ]
        table |= run.columns(**{m.name: v.tolist() for m, v in values.items()})
    title = "Objects found, by IoU" if len(runs) == 1 else "Object F1, by IoU"
    made = [Figure("objects", Plot(title, IOU, Axis("share of objects"), layers), table)]
    for run in runs:
        if run.found.overlap.gt_id.size:
            sizes = recall_by_size(run.found.overlap, AT)
            name = f"recall-by-size-{'ab'[run.number]}" if run.label else "recall-by-size"
            rows = {k: [s[i] for s in sizes] for i, k in enumerate(("from", "below", "found", "objects"))}
            made.append(Figure(name, _size_plot(run, _sizes(run.found)), rows))
    return made


def _any(found: Findings) -> bool:
    return bool(found.overlap.gt_id.size or found.overlap.pred_id.size)


def _rates(found: Findings, metric: Metric[Any, Any]) -> Values:
    return np.array([float(columns(metric.at(iou=round(t, 2)), found.overlap)[-1]) for t in THRESHOLDS.tolist()])


def _sizes(found: Findings) -> list[Size]:
    made: list[Size] = []
    for low, high, hit, objects in recall_by_size(found.overlap, AT):
        if objects:
            made.append(Size(words.size_range(low, high), hit, objects))
    return made


def _size_plot(run: Run, sizes: list[Size]) -> Plot:
    # The end of a range says where the next begins; two numbers under each bar would meet on a narrow screen.
    ends = (s.label.partition("–") for s in sizes)
    ticks = tuple((i + 0.5, f"≤ {last}" if dash else label) for i, (label, dash, last) in enumerate(ends))
    bars: list[Layer] = []
    for i, s in enumerate(sizes):
        said = f"{s.found} of {s.objects}"
        bars.append(Bar(i + 0.15, i + 0.85, s.recall, run.style, f"{s.label}: {said} found", said))
    title = run.called(f"Recall by size, at IoU {AT:g}") if run.label else f"Recall by size, at IoU {AT:g}"
    return Plot(
        title, Axis(f"size in the ground truth, {run.found.unit}", 0, max(1, len(sizes)), ticks), Axis("recall"), bars
    )
