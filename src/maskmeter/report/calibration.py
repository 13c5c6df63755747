"""Whether scores are probabilities: how often pixels are positive by their score, and how the scores spread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..metrics import ReliabilityCurve, Values, ece, mce
from ..statistics.scores import Scores
from . import words
from .curves import INTERVAL
from .figure import Figure, Run
from .findings import Findings
from .page import fill
from .plot import Axis, Band, Bar, Layer, Line, Plot, Point, decades, logarithm

BINS = 15  # as `ece` has by default
BARS = 51  # of the histogram: five 8-bit scores each
FEW = 100  # pixels under which a bin says little
SCORE = Axis("score")


def render(found: Findings) -> str | None:
    """The section, absent without score maps."""
    if not found.curves or not found.scores.size:
        return None
    reliability, histogram = figures([Run(found)])
    curve = ReliabilityCurve.of(found.scores, BINS)
    columns = (curve.edges[:-1], curve.edges[1:], curve.pixels, curve.score, curve.positive)
    return fill(
        "calibration.html",
        reliability=reliability.drawing,
        pixels=Plot("Pixels in each bin", SCORE, decades(float(curve.pixels.max())), _pixels(curve)),
        histogram=histogram.drawing,
        bins=list(zip(*(c.tolist() for c in columns), strict=True)),
        ece=found.row(ece, "pooled"),
        mce=found.row(mce, "pooled"),
        few=FEW,
    )


def figures(runs: Sequence[Run]) -> list[Figure]:
    """The reliability diagram, of one run or two, and the histogram of each."""
    runs = [r for r in runs if r.found.curves and r.found.scores.size]
    if not runs:
        return []
    layers: list[Layer] = [Line(np.array([0.0, 1]), np.array([0.0, 1]), "chance", "perfectly calibrated")]
    table: dict[str, Any] = {}
    for run in runs:
        curve = ReliabilityCurve.of(run.found.scores, BINS)
        there = curve.pixels > 0
        error = words.figure(run.found.row(ece, "pooled").value)
        layers.append(Line(curve.score[there], curve.positive[there], run.style, run.called(f"ECE {error}")))
        layers += _points(run, curve)
        table |= run.columns(
            low=curve.edges[:-1], high=curve.edges[1:], pixels=curve.pixels, score=curve.score, positive=curve.positive
        )
        if (bands := run.found.score_bands) is not None:
            layers.insert(0, Band(*bands.reliability, run.style, run.called(INTERVAL)))
            table |= run.columns(**{"positive low": bands.reliability.low, "positive high": bands.reliability.high})
    axes = (Axis("mean score of the bin"), Axis("share of positives"))
    made = [Figure("reliability", Plot("Reliability", *axes, layers, square=True), table)]
    for run in runs:
        edges, pos, neg = histogram(run.found.scores)
        top = decades(float(max(pos.max(), neg.max())))
        plot = Plot(
            run.called("Scores by class") if run.label else "Scores by class", SCORE, top, _outlines(edges, pos, neg)
        )
        name = f"scores-{'ab'[run.number]}" if run.label else "scores"
        made.append(Figure(name, plot, {"low": edges[:-1], "high": edges[1:], "positives": pos, "negatives": neg}))
    return made


def histogram(s: Scores) -> tuple[Values, Values, Values]:
    """Positive and negative pixels in bins of equal width, closed above, with the edges of the bins."""
    pos, neg = np.zeros(BARS), np.zeros(BARS)
    for b in s.blocks():
        at = np.clip(np.ceil(np.round(b.score * BARS, 9)).astype(int) - 1, 0, BARS - 1)
        pos += np.bincount(at, b.pos, BARS)
        neg += np.bincount(at, b.neg, BARS)
    return np.arange(BARS + 1) / BARS, pos, neg


def _outlines(edges: Values, pos: Values, neg: Values) -> list[Layer]:
    layers: list[Layer] = []
    for n, style, label in ((neg, "c2", "negative pixels"), (pos, "c1", "positive pixels")):
        height = np.array([logarithm(x) for x in n.tolist()])
        x, y = np.repeat(edges, 2)[1:-1], np.repeat(height, 2)
        ground = np.array([logarithm(0)])
        layers.append(
            Line(np.concatenate([edges[:1], x, edges[-1:]]), np.concatenate([ground, y, ground]), style, label)
        )
    return layers


def _points(run: Run, curve: ReliabilityCurve) -> Iterator[Layer]:
    for n, x, y in zip(curve.pixels.tolist(), curve.score.tolist(), curve.positive.tolist(), strict=True):
        if n:
            title = f"mean score {x:.3f}, {y:.3f} positive, {words.many(int(n), 'pixel')}"
            yield Point(x, y, run.style if n >= FEW else f"few{run.number or ''}", title)


def _pixels(curve: ReliabilityCurve) -> list[Layer]:
    rows = zip(curve.edges[:-1].tolist(), curve.edges[1:].tolist(), curve.pixels.tolist(), strict=True)
    return [
        Bar(low, high, logarithm(n), "c1", f"{low:.3f} to {high:.3f}: {words.many(int(n), 'pixel')}")
        for low, high, n in rows
        if n
    ]  # fmt: skip
