"""The images on which two runs of detections differ most, both beside each other."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..comparison import headline
from . import words
from .detection_pictures import FATES, Cutout, Cutouts
from .findings import Findings
from .page import fill
from .versus import named_runs

MOST = 4  # images to either side


class Moved(NamedTuple):
    """An image with its values, and its pictures under both runs where they can be drawn."""

    name: str
    values: tuple[float, float]
    pictures: tuple[Cutout, Cutout] | None


def render(found: Findings) -> str | None:
    """The section, absent without a second run of detections, and where no image differs."""
    other = found.other
    if other is None or not (found.scored and other.scored):
        return None
    shared = [m for m in found.evaluation.metrics if m in other.evaluation.metrics]
    if not shared:
        return None
    metric, labels = headline(found.evaluation, shared), [r.label for r in named_runs(found)]
    sides = [dict(zip(names, v[:, -1].tolist(), strict=True)) for names, v in
             (f.evaluation.image_values(metric) for f in (found, other))]  # fmt: skip
    apart = {n: a - sides[1][n] for n, a in sides[0].items() if n in sides[1] and not math.isnan(a - sides[1][n])}
    order = sorted(apart, key=lambda n: (apart[n], n))
    both = [found.cutouts, other.cutouts] if found.drawable and other.drawable else []
    least = float(np.nanmin([c.least for c in both])) if both and not all(np.isnan(c.least) for c in both) else np.nan

    def moved(names: list[str]) -> list[Moved]:
        return [Moved(n, (sides[0][n], sides[1][n]), _drawn(both, n, least)) for n in names]

    groups = [
        (labels[1], moved([n for n in order[:MOST] if apart[n] < 0])),
        (labels[0], moved([n for n in order[::-1][:MOST] if apart[n] > 0])),
    ]
    shown = [(label, images) for label, images in groups if images]
    if not shown:
        return None
    return fill(
        "detection_moved.html",
        groups=shown,
        metric=str(metric),
        labels=labels,
        least=least,
        colors={k: words.colour(c) for k, c in FATES.items()},
        pictured=any(x.pictures for _, images in shown for x in images),
    )


def _drawn(both: list[Cutouts], name: str, least: float) -> tuple[Cutout, Cutout] | None:
    if not both or math.isnan(least):
        return None
    a, b = (c.whole(name, least) for c in both)
    return (a, b) if a and b else None
