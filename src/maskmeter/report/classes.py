"""Every class: how well it is found, in how many pixels and images."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..metrics import Metric, dice, iou, precision, recall
from ..rows import Over, Row
from .findings import Findings, Kind
from .page import fill

Column = tuple[Metric[Any, Any], Over, str]

COLUMNS: tuple[Column, ...] = (
    (iou, "pooled", "IoU pooled"),
    (iou, "images", "IoU images"),
    (dice, "pooled", "Dice"),
    (precision, "pooled", "Precision"),
    (recall, "pooled", "Recall"),
)


MOST = 100  # classes that have a line on the page; of more those with the least IoU


@dataclass(frozen=True)
class Line:
    """A class and its rows, in the order of the columns."""

    kind: Kind
    values: tuple[Row, ...]
    pixels: int
    share: float
    images: int
    undefined: int


def render(found: Findings) -> str | None:
    """The section. A binary question has one class, whose numbers are the summary."""
    if not found.regions or found.binary or not found.kinds or not found.images:
        return None
    chosen = [*COLUMNS, *_parametrised(found)]
    lines = list(_lines(found, chosen, shown(found)))
    return fill(
        "classes.html",
        columns=[(str(m), m.name, label, m.bounds == (0.0, 1.0)) for m, _, label in chosen],
        lines=lines,
        swatches=any(k.own_color for k in found.kinds),
        unaveraged=any(not k.averaged for k in found.kinds),
        images=found.images,
        left=len(found.kinds) - len(lines),
    )


def shown(found: Findings) -> list[Kind]:
    """The classes that have a line, in their order: all, or of many the worst."""
    return sorted(worst(found, MOST), key=lambda k: k.at)


def worst(found: Findings, most: int) -> list[Kind]:
    """So many classes, those with the least IoU first; those without one come last."""
    value = {k.at: found.row(iou, "pooled", k).value for k in found.kinds}
    return sorted(found.kinds, key=lambda k: (math.isnan(value[k.at]), value[k.at], k.at))[:most]


def _parametrised(found: Findings) -> Iterator[Column]:
    """Metrics with a parameter were asked for by name, so they have a column of their own."""
    for m in found.evaluation.metrics:
        if m.per_class and m.params:
            yield m, "pooled", str(m)


def _lines(found: Findings, chosen: list[Column], kinds: list[Kind]) -> Iterator[Line]:
    total = max(1, int(found.pooled.pixels))
    for kind in kinds:
        pixels = int(found.pooled.gt[kind.at])
        yield Line(
            kind,
            tuple(found.row(m, over, kind) for m, over, _ in chosen),
            pixels,
            pixels / total if found.pooled.pixels else math.nan,
            int(found.per_image.with_class[kind.at]),
            found.row(iou, "images", kind).undefined,
        )
