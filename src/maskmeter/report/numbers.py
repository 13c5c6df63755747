"""Every metric that has one value: pooled, over images, and where it is undefined."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..metrics.instances import SUMMED
from ..rows import Row
from .findings import Findings
from .page import fill


@dataclass(frozen=True)
class Line:
    """A metric and both its averages."""

    metric: str
    name: str
    pooled: Row
    images: Row
    whole: bool  # it counts something


def render(found: Findings) -> str | None:
    """The section, absent without images."""
    e = found.evaluation
    if not len(e.records):
        return None
    lines = [
        Line(str(m), m.name, found.row(m, "pooled"), found.row(m, "images"), m.name in SUMMED)
        for m in e.metrics
        if found.single(m)
    ]
    if not lines:
        return None
    intervals = any(math.isfinite(r.low) for line in lines for r in (line.pooled, line.images))
    return fill("numbers.html", lines=lines, intervals=intervals, images=len(e.records))
