"""What went wrong with detections: kinds of errors and what each costs, classes that are confused, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..metrics import ap50, ap_gain, detection_confusion, detection_errors, detection_reliability
from ..metrics.operating import chosen_score, counts_at
from ..statistics.detections import Detections
from ..statistics.encounters import KINDS, SPECIAL, Encounters
from . import words
from .findings import Findings
from .page import fill
from .plot import Axis, Bar, Layer, Line, Plot, Point

LISTED = 12  # confusions
FEW = 10  # detections under which a bin says little
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


class Confused(NamedTuple):
    """Objects of one class that were taken for another."""

    truth: str
    taken: str
    n: int
    share: float


def render(found: Findings) -> str | None:
    """The section, absent where it is not known what detections meet."""
    e = found.evaluation
    if not e.has(Encounters.name) or not found.images:
        return None
    met: Encounters = e.statistic(Encounters.name)
    d: Detections = e.statistic(Detections.name)
    if not met.found or not met.objects().any():
        return None
    kinds = [
        Kind(k.replace("_", " "), SAID[k], float(detection_errors.at(kind=k).values(met)[-1]) if k in KINDS else np.nan,
             float(ap_gain.at(kind=k).values(met)[-1]))
        for k in (*KINDS, *SPECIAL)
    ]  # fmt: skip
    score = chosen_score(d, "best")
    counts = counts_at(d, score)
    probable = d.det_score.size and d.det_score.min() >= 0 and d.det_score.max() <= 1
    return fill(
        "detection_errors.html",
        base=float(ap50.values(met.judgement(0.5))[-1]),
        kinds=kinds,
        gains=_gains(kinds[: len(KINDS)]),
        score=score,
        tp=float(counts.tp[-1]), fp=float(counts.fp[-1]), fn=float(counts.objects[-1] - counts.tp[-1]),
        confused=_confused(found, met),
        reliability=_reliability(d) if probable else None,
    )  # fmt: skip


def _gains(kinds: Sequence[Kind]) -> Plot:
    top = 1.2 * max(0.01, *(k.gain for k in kinds))
    ticks = tuple((i + 0.5, BRIEFLY.get(k.name, k.name)) for i, k in enumerate(kinds))
    height = Axis(
        "AP at IoU 0.5 that would be gained", 0.0, top, tuple((t, f"{t:.3f}") for t in np.linspace(0, top, 5))
    )
    bars: list[Layer] = [
        Bar(i + 0.15, i + 0.85, k.gain, "c1", f"{k.name}: {words.figure(k.gain)}", words.figure(k.gain))
        for i, k in enumerate(kinds)
    ]
    return Plot("What mending each kind would bring", Axis("kind of error", 0, len(kinds), ticks), height, bars)


def _confused(found: Findings, met: Encounters) -> list[Confused]:
    """The classes that are taken for one another most often, at the best score."""
    if met.binary:
        return []
    c = detection_confusion(met)
    table = c.counts[:-1, :-1].copy()
    np.fill_diagonal(table, 0)
    titles = [str(t) for t in found.evaluation.titles(ap50)]
    objects = c.counts[:-1].sum(axis=1)
    k = len(table)
    share = table / np.maximum(objects, 1)[:, None]
    order = np.lexsort((-share.ravel(), -table.ravel()))[:LISTED].tolist()
    return [
        Confused(titles[i // k], titles[i % k], int(table.flat[i]), float(table.flat[i] / objects[i // k]))
        for i in order
        if table.flat[i]
    ]


def _reliability(d: Detections) -> Plot:
    r = detection_reliability(d)
    there = r.detections > 0
    layers: list[Layer] = [
        Line(np.array([0.0, 1]), np.array([0.0, 1]), "chance", "scores are precisions"),
        Line(r.score[there], r.precision[there], "c1", "detections"),
    ]
    for n, x, y in zip(r.detections[there].tolist(), r.score[there].tolist(), r.precision[there].tolist(), strict=True):
        said = f"mean score {x:.3f}, precision {y:.3f}, {words.many(int(n), 'detection')}"
        layers.append(Point(x, y, "c1" if n >= FEW else "few", said))
    return Plot("Reliability at IoU 0.5", Axis("mean score of the bin"), Axis("precision"), layers, square=True)
