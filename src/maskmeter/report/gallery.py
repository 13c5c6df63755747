"""The worst images, and for contrast a few typical and the best ones: photograph, labels and errors.

Beside another run come first the images that moved most between the two, in both directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import all_images, pictures, words
from .cards import Card, apart_of, card, occurring
from .curves import drawable
from .findings import Findings
from .object_pictures import FATES
from .page import fill
from .threshold import shown_stops
from .versus import named_runs

WORST, OTHERS, MOVED = 12, 4, 6
FEW = 12  # up to so many images all are shown, in one group


@dataclass(frozen=True)
class Group:
    """Some images of a kind."""

    id: str
    title: str
    cards: list[Card]


def render(found: Findings) -> str | None:
    """The section, absent without an image that has a value."""
    chosen = choose(found)
    if not chosen:
        return None
    groups = [Group(id, title, [card(found, at) for at in images]) for id, title, images in chosen]
    cards = [card for group in groups for card in group.cards]
    compared = any(card.pictures and card.pictures.other for card in cards)
    scores = drawable(found)
    return fill(
        "gallery.html",
        groups=groups,
        metric=found.headline,
        undefined=int(np.isnan(found.per_image.headline).sum()),
        pictured=any(card.pictures for card in cards),
        photos=any(card.pictures and card.pictures.photo for card in cards),
        lack=next((card.pictures.lack for card in cards if card.pictures and card.pictures.lack), ""),
        arrays=all(found.evaluation.records[card.name].gt is None for card in cards),
        mode="fates" if found.objects else "one" if found.binary else "all",
        views=_views(found, compared),
        data=all_images.data(found, [card.name for card in cards if card.pictures], found.beside),
        sortable=_sortable(found),
        unit=found.unit,
        stops=shown_stops(found) if scores else [],
        used=found.used_stop if scores else 0,
        foreground=words.colour(found.kinds[1].color) if found.binary else "",
        kinds=occurring(found, [card.name for card in cards]),
        colors={k: words.colour(v) for k, v in (("tp", pictures.TP), ("fp", pictures.FP), ("fn", pictures.FN))},
        fates={k: words.colour(v) for k, v in FATES.items()},
        unassigned=found.regions and bool(found.pooled.unassigned),
        crowd=found.objects and found.crowds,
        void=found.void,
    )


def choose(found: Findings) -> list[tuple[str, str, list[int]]]:
    """The images to show, by group: no image is in two."""
    if not found.images or not found.ranked:
        return []
    values = found.per_image.headline
    order: list[int] = [i for i in np.argsort(values, kind="stable").tolist() if not np.isnan(values[i])]
    if not order:
        return []
    if len(order) <= FEW:
        return [("worst", "All, worst first", order)]
    apart = _moved(found, order)
    seen = {i for _, _, images in apart for i in images}
    order = [i for i in order if i not in seen]
    worst = min(WORST - len(seen) // 2, len(order) // 2)
    rest, best = order[worst:-OTHERS], order[-OTHERS:][::-1]
    middle = float(np.median(values[order]))
    typical = sorted(sorted(rest, key=lambda i: abs(values[i] - middle))[:OTHERS], key=lambda i: (values[i], i))
    rest_of = " of the others" if seen else ""
    groups = [
        *apart,
        ("worst", f"Worst{rest_of}", order[:worst]),
        ("typical", "Typical", typical),
        ("best", f"Best{rest_of}", best),
    ]
    return [g for g in groups if g[2]]


def _moved(found: Findings, order: list[int]) -> list[tuple[str, str, list[int]]]:
    """The images on which the two runs differ most, to either side; none where there is one run."""
    label = named_runs(found)[-1].label
    apart = {i: d for i in order if not np.isnan(d := apart_of(found, found.per_image.names[i]))}
    ascending = sorted(apart, key=lambda i: (apart[i], i))
    return [
        ("moved-worse", f"Better in {words.name(label, 16)}", [i for i in ascending[:MOVED] if apart[i] < 0]),
        ("moved-better", "Better in this run", [i for i in ascending[::-1][:MOVED] if apart[i] > 0]),
    ]


def _sortable(found: Findings) -> list[str]:
    """The metrics that all images can be sorted by."""
    more = found.spread_metrics if found.binary or found.objects else ()
    return list(dict.fromkeys(str(m) for m in (found.headline, *more)))


def _views(found: Findings, compared: bool) -> list[tuple[str, str]]:
    """What can be shown of an image, and what the buttons say."""
    last = "By fate" if found.objects else "Errors"
    pred = "Scores" if found.curves else "Prediction"
    views = [("photo", "Photo"), ("gt", "Ground truth"), ("pred", pred), ("errors", last)]
    if compared:
        other = words.name(named_runs(found)[1].label, 24)
        views += [("other", other), ("other_errors", f"{last} of {other}")]
    return views
