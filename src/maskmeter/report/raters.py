"""The model beside its raters: agreements as dots with intervals, that of raters among themselves as a band."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..raters import CONSENSUS, MODEL, Agreement, Raters, Yardstick
from ..results import write_whole
from ..significance import LEAST
from ..uncertainty import FEW
from . import words
from .page import Section, fill, page

STEP, MOST = 40, 12  # pixels of an agreement in the picture; figures on one page


class Dot(NamedTuple):
    """One agreement in the picture."""

    label: str
    text: str
    y: float
    x: float
    low: float | None
    high: float | None
    kind: str


def write_raters(found: Raters, path: str | os.PathLike[str]) -> None:
    """Write the page."""
    images = max((y.images for y in found.yardsticks), default=0)
    html = fill(
        "raters.html",
        yardsticks=found.yardsticks,
        said=[said(y) for y in found.yardsticks],
        pictures=[_picture(found.agreements, y) for y in found.yardsticks[:MOST] if not math.isnan(y.raters)],
        agreements=[a for a in found.agreements if a.row.over == "images"],
        left=max(0, len(found.yardsticks) - MOST),
        notices=found.notices,
        two=len(found.names) == 2,
    )
    lead = f"{words.many(len(found.names), 'rater')} · {words.many(images, 'image')}"
    write_whole(Path(path), page("The model beside its raters", lead, [Section("raters", "Agreement", html)]))


def said(y: Yardstick) -> str:
    """The yardstick in one sentence."""
    title = y.metric if y.class_ is None else f"{y.metric} of {y.class_}"
    if math.isnan(y.difference):
        return f"{title}: no image has a value for every pair of model and raters."
    both = f"{words.figure(y.model)} against {words.figure(y.raters)}"
    verdict = {
        "more": "the model agrees with the raters more than they do with one another",
        "less": "the model agrees with the raters less than they do with one another",
        "alike": "the model agrees with the raters about as they do with one another",
        "": "model and raters, and raters with one another",
    }[y.verdict]
    interval = f"; 95 % interval of the difference {words.figure(y.low)} to {words.figure(y.high)}" if y.verdict else ""
    few = f" The interval rests on fewer than {FEW} images or groups and is too narrow" if "few" in y.doubts else ""
    test = "" if math.isnan(y.permutation) else f"; the sign-flip test says p = {y.permutation:.2g}"
    test = test or f"; below {LEAST} there is no test"
    return f"{title}: {verdict} ({both}{interval}).{few and f'{few}{test}.'}"


def _picture(agreements: Sequence[Agreement], y: Yardstick) -> dict[str, Any]:
    """Dots of one metric: the model's first, then the raters' own; the band is the range of the latter."""
    own = [
        a
        for a in agreements
        if (a.row.metric, a.row.class_, a.row.over) == (y.metric, y.class_, "images") and not math.isnan(a.row.value)
    ]
    ends = [x for a in own for x in (a.row.low, a.row.value, a.row.high) if not math.isnan(x)]
    low, high = min(ends), max(ends)
    pad = (high - low) * 0.06 or 0.05
    low, high = low - pad, high + pad

    def place(x: float) -> float:
        return round(2 + (x - low) / (high - low) * 96, 2)  # percent

    dots: list[Dot] = []
    for i, a in enumerate(own):
        with_ends = not math.isnan(a.row.low)
        kind = "raters" if a.first != MODEL else "consensus" if a.second == CONSENSUS else "model"
        dots.append(
            Dot(
                f"{words.name(a.first, 18)} and {words.name(a.second, 18)}",
                words.figure(a.row.value),
                STEP * i,
                place(a.row.value),
                place(a.row.low) if with_ends else None,
                place(a.row.high) if with_ends else None,
                kind,
            )
        )  # fmt: skip
    among = [a.row.value for a in own if a.first != MODEL]
    band = (place(min(among)), place(max(among)))
    return {
        "title": y.metric if y.class_ is None else f"{y.metric} of {y.class_}",
        "dots": dots,
        "band": (round(band[0] - 0.4, 2), round(band[1] - band[0] + 0.8, 2)),
        "height": STEP * len(own) + 4,
    }
