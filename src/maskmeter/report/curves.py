"""ROC and precision-recall curves: what the scores are worth over all thresholds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..curve_bands import CurveBand
from ..metrics import PrCurve, RocCurve, Values, average_precision, precision, recall, roc_auc, specificity
from ..statistics.image_scores import ImageScores
from ..statistics.scores import CoarseScores, Scores
from . import words
from .figure import Figure, Run
from .findings import Findings
from .page import fill
from .plot import Axis, Band, Layer, Line, Plot, Point, simplified

ONE_BY_ONE = 24  # images whose curves are drawn one by one; of more, the band that holds most of them
GRID = np.linspace(0, 1, 101)
MOST = (10, 90)  # percent: what the band holds
INTERVAL = "95 % intervals"
COARSE = 1 / 400  # how far the curve of a single image may move

ROC = (Axis("false positive rate (1 − specificity)"), Axis("true positive rate (recall)"))
PR = (Axis("recall"), Axis("precision"))

Points = tuple[Values, Values]


def render(found: Findings) -> str | None:
    """The section, absent without score maps and where one class is absent."""
    if not drawable(found):
        return None
    roc, pr = (figure.drawing for figure in figures([Run(found)]))
    return fill(
        "curves.html",
        roc=roc,
        pr=pr,
        images=found.images,
        band=found.images > ONE_BY_ONE,
        most=MOST,
        threshold=found.evaluation.facts.threshold,
    )


def drawable(found: Findings) -> bool:
    """Whether there are curves: score maps with positives and negatives."""
    return bool(found.curves and found.images and found.scores.positives and found.scores.negatives)


def figures(runs: Sequence[Run]) -> list[Figure]:
    """Both pictures, of the runs that have curves."""
    runs = [r for r in runs if drawable(r.found)]
    if not runs:
        return []
    roc: list[Layer] = [Line(GRID[[0, -1]], GRID[[0, -1]], "chance", "chance")]
    pr: list[Layer] = [_chance(r) for r in runs]
    for run in runs:
        single = _images(run)
        roc += single[0]
        pr += single[1]
    roc_table: dict[str, Any] = {}
    pr_table: dict[str, Any] = {}
    for run in runs:
        found, s = run.found, run.found.scores
        a, b = RocCurve.of(s), PrCurve.of(s)
        roc_table |= run.columns(threshold=a.thresholds, fpr=a.fpr, tpr=a.tpr)
        pr_table |= run.columns(threshold=b.thresholds, recall=b.recall, precision=b.precision)
        auc, ap = (words.figure(found.row(m, "pooled").value) for m in (roc_auc, average_precision))
        roc.append(Line(*simplified(a.fpr, a.tpr), run.style, run.called(f"all pixels, AUC {auc}")))
        pr.append(Line(*simplified(*steps(b)), run.style, run.called(f"all pixels, AP {ap}")))
        if (bands := found.score_bands) is not None:
            roc.insert(0, Band(*bands.roc, run.style, run.called(INTERVAL)))
            pr.insert(0, Band(*bands.pr, run.style, run.called(INTERVAL)))
            roc_table |= _ends(run, "fpr", "tpr", bands.roc)
            pr_table |= _ends(run, "recall", "precision", bands.pr)
        right, hit, rate = (found.row(m, "pooled").value for m in (precision, recall, specificity))
        roc.append(_operating(run, 1 - rate, hit, "roc"))
        pr.append(_operating(run, hit, right, "pr"))
    return [
        Figure("roc", Plot("ROC curve", *ROC, roc, square=True), roc_table),
        Figure("precision-recall", Plot("Precision-recall curve", *PR, pr, square=True), pr_table),
    ]


def _ends(run: Run, x: str, y: str, band: CurveBand) -> dict[str, Any]:
    return run.columns(**{f"band {x}": band.x, f"{y} low": band.low, f"{y} high": band.high})


def _chance(run: Run) -> Line:
    s = run.found.scores
    share = s.positives / (s.positives + s.negatives)
    return Line(GRID[[0, -1]], np.full(2, share), "chance", f"chance: prevalence {words.figure(share)}")


def _operating(run: Run, x: float, y: float, id: str) -> Point:
    """Where the run was evaluated."""
    label = f"score ≥ {run.found.evaluation.facts.threshold:.3g}"
    return Point(
        x,
        y,
        "at2" if run.number else "at",
        f"{label}: {words.figure(x)}, {words.figure(y)}",
        run.called(label),
        "" if run.label else id,
    )


def _images(run: Run) -> tuple[list[Layer], list[Layer]]:
    """The ROC and the precision-recall curves of the images, or the band that most of them lie in."""
    both = [(RocCurve.of(s), PrCurve.of(s)) for s in _each(run.found) if s.positives and s.negatives]
    if len(both) < 2:
        return [], []
    if len(both) <= ONE_BY_ONE:
        drawn = [(simplified(a.fpr, a.tpr, COARSE), simplified(*steps(b), COARSE)) for a, b in both]
        labels = [run.called("single images"), *[""] * (len(both) - 1)]
        return (
            [Line(*a, run.faint, t) for (a, _), t in zip(drawn, labels, strict=True)],
            [Line(*b, run.faint, t) for (_, b), t in zip(drawn, labels, strict=True)],
        )
    roc = np.array([np.interp(GRID, a.fpr, a.tpr) for a, _ in both])
    pr = np.array([b.precision[np.searchsorted(b.recall, GRID).clip(max=b.recall.size - 1)] for _, b in both])
    label = run.called(f"{MOST[1] - MOST[0]} % of the images")
    first, second = (Band(GRID, *_limits(x), run.style, label) for x in (roc, pr))
    return [first], [second]


def _limits(curves: Values) -> tuple[Values, Values]:
    return np.percentile(curves, MOST[0], axis=0), np.percentile(curves, MOST[1], axis=0)


def _each(found: Findings) -> Iterator[Scores | CoarseScores]:
    """The scores of every image; of floats the coarse counts that were kept."""
    for _, stack in found.evaluation.stacks(Scores.name):
        for s in stack:
            yield s.coarse if isinstance(s, ImageScores) else s


def steps(curve: PrCurve) -> Points:
    """The curve as the step rule of average precision has it: each recall is won at the precision there."""
    return np.append(0.0, np.repeat(curve.recall, 2)[:-1]), np.repeat(curve.precision, 2)
