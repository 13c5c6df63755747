"""Subgroups of the images: those that were asked for, those of the run's own groups, and parts along boundaries."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from ..averages import BOUNDARY, SIZE, Subgroup, on_few, subgroups
from ..boundary_parts import SHARE
from ..comparison import headline
from ..grouping import By
from ..metrics import trimap_iou
from ..rows import Row
from . import words
from .findings import Findings
from .page import fill

MOST = 20  # groups of a run that are shown without being asked for


class Line(NamedTuple):
    """A subgroup with both averages of the metric, and of parts along boundaries the share of what is wrong."""

    name: str
    images: int
    pooled: Row
    mean: Row
    share: float


class Table(NamedTuple):
    """The subgroups by one thing."""

    title: str
    metric: str
    lines: list[Line]
    said: str
    few: str
    bars: bool
    intervals: bool
    shares: bool


def render(found: Findings) -> str | None:
    """The section, absent where nobody asked and the run has neither groups nor boundary bands."""
    tables = [t for title, by in _asked(found) if (t := _table(found, title, by)).lines]
    return fill("subgroups.html", tables=tables) if tables else None


def _asked(found: Findings) -> Iterator[tuple[str, By]]:
    """How images are grouped, with a title for each."""
    e = found.evaluation
    how, asked = e.resampling, dict.fromkeys(found.by)
    for by in asked:
        yield {SIZE: "By foreground", BOUNDARY: "Along boundaries"}.get(by, f"By {words.name(by)}"), by
    if not found.ranked or not found.images:
        return
    if how.grouped and how.by not in asked and 1 < len(set(how.groups.values())) <= MOST:
        yield f"By {words.name(how.by)}", how.groups
    if found.regions and BOUNDARY not in asked and any(m.name == trimap_iou.name for m in e.metrics):
        yield "Along boundaries", BOUNDARY


def _table(found: Findings, title: str, by: By) -> Table:
    e = found.evaluation
    metric = headline(e, [*e.metrics, *found.always])
    groups = subgroups(e, by, None if by == BOUNDARY else [metric])
    lines = [_line(g) for g in groups if g.rows]
    intervals = any(math.isfinite(r.low) for line in lines for r in (line.pooled, line.mean))
    name = lines[0].pooled.metric if lines else str(metric)
    said = _of_parts(name, lines) if by == BOUNDARY else _of_groups(name, lines)
    few = on_few(e, [(words.name(x.name), (x.pooled, x.mean)) for x in lines])
    return Table(
        title,
        name,
        lines,
        said,
        few and f"{few[0].upper()}{few[1:]}.",
        metric.bounds == (0.0, 1.0),
        intervals,
        by == BOUNDARY,
    )


def _line(group: Subgroup) -> Line:
    """The row without a class, or the only one there is."""
    rows = {(r.metric, r.over): r for r in group.rows if r.class_ is None}
    name = next(r.metric for r in group.rows if r.class_ is None)
    share = rows.get((SHARE, "pooled"))
    return Line(group.name, len(group.images), rows[name, "pooled"], rows[name, "images"],
                math.nan if share is None else share.value)  # fmt: skip


def _of_parts(metric: str, lines: list[Line]) -> str:
    """How much of what is wrong lies near boundaries."""
    return " ".join(
        f"{words.percent(near.share)} of the wrong pixels lie {near.name}, where {metric} is "
        f"{words.figure(near.pooled.value)} and not {words.figure(away.pooled.value)} as elsewhere."
        for near, away in zip(lines[::2], lines[1::2], strict=True)
    )


def _of_groups(metric: str, lines: list[Line]) -> str:
    """The lowest and the highest mean over images, and whether their intervals lie apart."""
    known = sorted((x for x in lines if not math.isnan(x.mean.value)), key=lambda x: x.mean.value)
    if len(known) < 2:
        return ""
    low, high = known[0], known[-1]
    text = (
        f"On the average image {metric} is lowest in “{words.name(low.name)}” ({words.figure(low.mean.value)}) and "
        f"highest in “{words.name(high.name)}” ({words.figure(high.mean.value)})"
    )
    if math.isnan(low.mean.high) or math.isnan(high.mean.low):
        return f"{text}."
    return f"{text}; their 95 % intervals {'lie apart' if low.mean.high < high.mean.low else 'overlap'}."
