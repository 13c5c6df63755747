"""The images on which two runs of detections differ most, both beside each other."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..comparison import headline
from . import words
from .detection_pictures import FATES, Cutout
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
    groups = [
        (labels[1], [_moved(found, other, n, sides) for n in order[:MOST] if apart[n] < 0]),
        (labels[0], [_moved(found, other, n, sides) for n in order[::-1][:MOST] if apart[n] > 0]),
    ]
    shown = [(label, images) for label, images in groups if images]
    if not shown:
        return None
    return fill(
        "detection_moved.html",
        groups=shown,
        metric=str(metric),
        labels=labels,
        least=[f.cutouts.least for f in (found, other)] if found.drawable and other.drawable else [np.nan, np.nan],
        colors={k: words.colour(c) for k, c in FATES.items()},
        pictured=any(x.pictures for _, images in shown for x in images),
    )


def _moved(found: Findings, other: Findings, name: str, sides: list[dict[str, float]]) -> Moved:
    values, drawn = (sides[0][name], sides[1][name]), None
    if found.drawable and other.drawable:
        a, b = (f.cutouts.whole(name) for f in (found, other))
        drawn = (a, b) if a and b else None
    return Moved(name, values, drawn)
