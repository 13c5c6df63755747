"""Classes of objects: how well each is found and drawn, things and stuff apart.

Of panoptic segments PQ with its two factors, SQ and RQ; of scored masks the average precision; of other objects with
classes F1, precision, recall and PQ. The counts beside them are those of matches at the IoU of the section.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..metrics import Metric, pq, rq, sq
from ..metrics._tally import tally
from ..objects import rules_of
from ..rows import Row
from ..statistics.overlap import STUFF, THING
from .findings import AT, BOTH, FOUND, RIGHT, Findings
from .page import fill

NAMES = {
    "pq": "PQ", "sq": "SQ", "rq": "RQ", "ap": "AP", "ap50": "AP at IoU 0.5",
    "object_f1": "Object F1", "object_precision": "Precision", "object_recall": "Recall",
}  # fmt: skip
QUALITY = (pq, sq, rq)


@dataclass(frozen=True)
class Line:
    """A class, its rows in the order of the columns, and how many of its objects were matched, invented and missed."""

    name: str
    values: tuple[Row, ...]
    tp: int
    fp: int
    fn: int


@dataclass(frozen=True)
class Group:
    """Classes of a kind; `title` is empty where nobody said what is a thing."""

    title: str
    lines: list[Line]


def render(found: Findings) -> str | None:
    """The section, absent for objects without classes."""
    if not found.objects or not found.images or found.overlap.binary:
        return None
    metrics = _metrics(found)
    if not metrics:
        return None
    every = dict(enumerate(_lines(found, metrics)))
    lines = {i: x for i, x in every.items() if x.tp + x.fp + x.fn}
    if not lines:
        return None
    thing = found.overlap.thing.tolist()
    kinds = {"Things": THING, "Stuff": STUFF} if {THING, STUFF} & set(thing) else {}
    groups = [Group(title, [line for i, line in lines.items() if thing[i] == of]) for title, of in kinds.items()]
    groups.append(Group("Others" if kinds else "", [x for i, x in lines.items() if thing[i] not in kinds.values()]))
    return fill(
        "object_classes.html",
        columns=[NAMES.get(m.name, m.name) for m in metrics],
        bars=[m.bounds == (0.0, 1.0) for m in metrics],
        groups=[g for g in groups if g.lines],
        quality=tuple(metrics) == QUALITY,
        strict=rules_of(found.evaluation.facts).strict,
        interval=any(x.values and math.isfinite(x.values[0].low) for x in lines.values()),
        left_out=len(every) - len(lines),
        at=AT,
    )


def _metrics(found: Findings) -> Sequence[Metric[Any, Any]]:
    if found.panoptic:
        return QUALITY
    if found.detection:
        return [m for m in found.evaluation.metrics if m.name in ("ap", "ap50")]
    return (BOTH, RIGHT, FOUND, pq)


def _lines(found: Findings, metrics: Sequence[Metric[Any, Any]]) -> Iterator[Line]:
    """A line for each class, in the order of the statistic."""
    t = tally(found.overlap, AT, rules_of(found.evaluation.facts))
    counts = (np.asarray(x, np.int64).tolist() for x in (t.tp, t.fp, t.fn))
    titles = found.evaluation.titles(metrics[0])
    for name, tp, fp, fn in zip((x for x in titles if x is not None), *counts, strict=True):
        yield Line(name, tuple(found.rows[str(m), name, "pooled"] for m in metrics), tp, fp, fn)
