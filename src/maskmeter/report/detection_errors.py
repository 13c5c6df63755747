"""What went wrong with detections: kinds of errors and what each costs, and whether scores are precisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..evaluation import Evaluation
from ..metrics import ap50, ap_gain, detection_errors, detection_reliability
from ..metrics.operating import chosen_score, counts_at
from ..rows import Row
from ..statistics.detections import Detections
from ..statistics.encounters import KINDS, SPECIAL, Encounters
from . import words
from .figure import Figure, Run
from .findings import Findings
from .page import fill
from .plot import Axis, Bar, Layer, Line, Plot, Point, rounded, whisker

FEW = 10  # detections under which a bin says little
RESAMPLED = 3000  # detections, and five for each class, up to which intervals of the gains are made unasked
SAID = {
    "classification": "right place, wrong class",
    "localisation": "right class, IoU from 0.1 to 0.5",
    "both": "near something, wrong in class and place",
    "duplicate": "an object that was found already",
    "background": "nothing there",
    "missed": "objects that nothing found",
    "false_positive": "all wrong detections behind all right ones",
    "false_negative": "only objects that were found are looked for",
}

BRIEFLY = {"classification": "class", "localisation": "place", "duplicate": "twice", "background": "nothing"}


class Kind(NamedTuple):
    """A kind of error: how many there are, and what mending them brings; NaN where it is no kind of single ones."""

    name: str
    text: str
    n: float
    gain: float
    low: float
    high: float


def render(found: Findings) -> str | None:
    """The section, absent where it is not known what detections meet."""
    if not _judged(found):
        return None
    e = found.evaluation
    met: Encounters = e.statistic(Encounters.name)
    d: Detections = e.statistic(Detections.name)
    kinds = kinds_of(found)
    score = chosen_score(d, "best")
    counts = counts_at(d, score)
    return fill(
        "detection_errors.html",
        base=float(ap50.values(met.judgement(0.5))[-1]),
        kinds=kinds,
        interval=any(k.low == k.low for k in kinds),
        gains=_gains([Run(found)], [kinds]).drawing,
        score=score,
        tp=float(counts.tp[-1]), fp=float(counts.fp[-1]), fn=float(counts.objects[-1] - counts.tp[-1]),
        reliability=_reliability([Run(found)]).drawing if _probable(d) else None,
    )  # fmt: skip


def figures(runs: Sequence[Run]) -> list[Figure]:
    """What mending each kind would bring, and whether scores are precisions; of one run or two."""
    runs = [r for r in runs if _judged(r.found)]
    if not runs:
        return []
    made = [_gains(runs, [kinds_of(r.found) for r in runs])]
    probable = [r for r in runs if _probable(r.found.evaluation.statistic(Detections.name))]
    return [*made, _reliability(probable)] if probable else made


def _judged(found: Findings) -> bool:
    e = found.evaluation
    if not e.has(Encounters.name) or not found.images:
        return False
    met: Encounters = e.statistic(Encounters.name)
    return bool(met.found) and bool(met.objects().any())


def kinds_of(found: Findings) -> list[Kind]:
    """Every kind of error, over all classes; with intervals where they were asked for or are quickly made."""
    e = found.evaluation
    met: Encounters = e.statistic(Encounters.name)
    names = (*KINDS, *SPECIAL)
    metrics = {k: ap_gain.at(kind=k) for k in names}
    rows: list[Row] = e.rows()
    missing = [m for m in metrics.values() if m not in e.metrics]
    if missing and met.found + 5 * met.classes.size <= RESAMPLED:
        rows = [*rows, *Evaluation(missing, facts=e.facts, records=e.records, intervals=e.resampling).rows()]
    known = {r.metric: r for r in rows if r.over == "pooled" and r.class_ is None}
    return [
        Kind(k.replace("_", " "), SAID[k], float(detection_errors.at(kind=k).values(met)[-1]) if k in KINDS else np.nan,
             float(m.values(met)[-1]), *((r.low, r.high) if (r := known.get(str(m))) else (np.nan, np.nan)))
        for k, m in metrics.items()
    ]  # fmt: skip


def _gains(runs: Sequence[Run], kinds: Sequence[list[Kind]]) -> Figure:
    each = [k[: len(KINDS)] for k in kinds]
    ends = [x for kinds in each for k in kinds for x in (k.gain, k.high) if x == x]
    top = 1.15 * max(0.01, *ends)
    ticks = tuple((i + 0.5, BRIEFLY.get(k.name, k.name)) for i, k in enumerate(each[0]))
    height = rounded("AP at IoU 0.5 that would be gained", top)
    layers: list[Layer] = []
    table: dict[str, list[float] | list[str]] = {"kind": [k.name for k in each[0]]}
    wide = 0.7 / len(runs)
    for n, (run, single) in enumerate(zip(runs, each, strict=True)):
        for i, k in enumerate(single):
            left = i + 0.15 + n * wide
            said = f"{k.name}: {words.figure(k.gain)}"
            above = words.figure(k.gain) if len(runs) == 1 else ""
            high = np.nanmax([k.gain, k.high])
            layers.append(Bar(left, left + wide, k.gain, run.style, run.called(said), above, over=high))
            layers += whisker(left + wide / 2, k.low, k.high)
        columns = {"number": [k.n for k in single], "gain": [k.gain for k in single]}
        table |= run.columns(**columns, low=[k.low for k in single], high=[k.high for k in single])
    if len(runs) > 1:
        layers += [Line(np.empty(0), np.empty(0), r.style, r.label) for r in runs]
    axis = Axis("kind of error", 0, len(KINDS), ticks)
    return Figure("detection-errors", Plot("What mending each kind would bring", axis, height, layers), table)


def _probable(d: Detections) -> bool:
    """Whether scores may be probabilities."""
    return bool(d.det_score.size) and bool(d.det_score.min() >= 0) and bool(d.det_score.max() <= 1)


def _reliability(runs: Sequence[Run]) -> Figure:
    layers: list[Layer] = [Line(np.array([0.0, 1]), np.array([0.0, 1]), "chance", "scores are precisions")]
    table: dict[str, object] = {}
    for run in runs:
        r = detection_reliability(run.found.evaluation.statistic(Detections.name))
        there = r.detections > 0
        layers.append(Line(r.score[there], r.precision[there], run.style, run.label or "detections"))
        each = zip(r.detections[there].tolist(), r.score[there].tolist(), r.precision[there].tolist(), strict=True)
        for n, x, y in each:
            said = f"mean score {x:.3f}, precision {y:.3f}, {words.many(int(n), 'detection')}"
            layers.append(Point(x, y, run.style if n >= FEW else f"few{run.number or ''}", said))
        table |= run.columns(
            low=r.edges[:-1], high=r.edges[1:], detections=r.detections, score=r.score, precision=r.precision
        )
    axes = Axis("mean score of the bin"), Axis("precision")
    return Figure("detection-reliability", Plot("Reliability at IoU 0.5", *axes, layers, square=True), table)
