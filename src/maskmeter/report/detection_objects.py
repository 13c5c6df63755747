"""The worst of each kind of error: wrong detections of the greatest score, and the largest objects that were missed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..metrics import ap50
from ..statistics.encounters import CLASSIFICATION, DUPLICATE, KINDS, LOCALISATION, MISSED, NOTHING, Encounters
from . import words
from .detection_pictures import AT, FATES, Cutout, Cutouts, Subject
from .findings import Findings
from .page import fill

SHOWN = 6  # of a kind
TITLES = {
    "classification": ("Wrong class", "right place, wrong class"),
    "localisation": ("Wrong place", "right class, IoU from 0.1 to 0.5"),
    "duplicate": ("Found twice", "an object that was found already"),
    "background": ("Nothing there", "detections that meet nothing"),
    "both": ("Wrong class and place", "near something, wrong in both"),
    "missed": ("Missed", "objects that nothing found"),
}


class Shown(NamedTuple):
    """A detection or object: what is said of it, where it is, and its pictures."""

    said: str
    image: str
    place: str
    pictures: Cutout | None


class Kind(NamedTuple):
    """The worst of a kind, of how many."""

    fate: str
    title: str
    text: str
    total: int
    what: str
    shown: list[Shown]


def render(found: Findings) -> str | None:
    """The section, absent where no detection is wrong and no object was missed."""
    e = found.evaluation
    if not e.has(Encounters.name) or not found.images:
        return None
    met: Encounters = e.statistic(Encounters.name)
    if not met.objects().any():
        return None
    drawn = found.cutouts
    teller = Teller(found, drawn)
    kinds = [kind for name in TITLES if (kind := _kind(name, met, drawn, teller)).total]
    if not kinds:
        return None
    pictured = any(s.pictures for k in kinds for s in k.shown)
    return fill(
        "detection_objects.html",
        kinds=kinds,
        at=AT,
        colors={k: words.colour(c) for k, c in FATES.items()},
        pictured=pictured,
        photos=any(s.pictures and s.pictures.photo for k in kinds for s in k.shown),
        problem="" if pictured else drawn.problem,
        least=drawn.least,
        boxes=drawn.boxes,
    )


class Teller:
    """Says of a detection or an object what it is and what is wrong with it."""

    def __init__(self, found: Findings, drawn: Cutouts) -> None:
        self.met, self.names, self.areas = drawn.met, drawn.names, drawn.areas
        self.errors = drawn.met.errors(AT)
        self.titles = [] if drawn.met.binary else [str(t) for t in found.evaluation.titles(ap50)]
        self.unit = "px²" if drawn.boxes else "px"

    def shown(self, subject: Subject, drawn: Cutouts) -> Shown:
        """It with its pictures."""
        met = self.met
        gt = subject.side == "gt"
        image = int((met.gt_image if gt else met.det_image)[subject.at])
        about = -1 if gt else int(self.errors.about[subject.at])
        said = self.object(subject.at) if gt else self.detection(subject.at)
        return Shown(said, self.names[image], self.place(subject), drawn.cutout(subject, about))

    def place(self, subject: Subject) -> str:
        """Where its record is in its file."""
        if subject.side == "gt":
            return f"annotations[{self.met.gt_row[subject.at]}]"
        return f"result {self.met.det_row[subject.at]}"

    def class_(self, at: int) -> str:
        return words.name(self.titles[at], 24) if self.titles else ""

    def object(self, at: int) -> str:
        """An object that was missed."""
        met = self.met
        parts = [self.class_(int(met.gt_class[at]))]
        parts += [f"{words.count(self.areas[at])} {self.unit}"] if self.areas is not None else []
        near = met.pair_iou[met.pair_gt == at]
        parts.append(f"best IoU {words.figure(float(near.max()), 2)}" if near.size else "no detection meets it")
        return ", ".join(p for p in parts if p)

    def detection(self, at: int) -> str:
        """A detection that is wrong."""
        met, kind, about = self.met, int(self.errors.kind[at]), int(self.errors.about[at])
        here = met.pair_det == at
        parts = [f"{self.class_(int(met.det_class[at]))} {met.det_score[at]:.3g}".strip()]
        if kind == CLASSIFICATION and about >= 0:
            parts.append(f"is {self.class_(int(met.gt_class[about]))}")
        elif kind == DUPLICATE:
            parts.append("found already")
        near = met.pair_iou[here & (met.pair_gt == about)] if about >= 0 else met.pair_iou[here]
        if near.size and kind != NOTHING:
            parts.append(f"{'best ' if about < 0 or kind == LOCALISATION else ''}IoU {float(near.max()):.2f}")
        return ", ".join(parts)


def _kind(name: str, met: Encounters, drawn: Cutouts, teller: Teller) -> Kind:
    number = KINDS.index(name)
    missed = number == MISSED
    at = np.flatnonzero(teller.errors.missed if missed else teller.errors.kind == number)
    if not missed:
        order = np.lexsort((met.det_row[at], -met.det_score[at]))
    elif drawn.areas is not None:
        order = np.lexsort((met.gt_row[at], -drawn.areas[at]))
    else:
        order = np.argsort(met.gt_row[at], kind="stable")
    side = "gt" if missed else "pred"
    shown = [teller.shown(Subject(side, i), drawn) for i in at[order[:SHOWN]].tolist()]
    what = "of the greatest score" if not missed else "the largest" if drawn.areas is not None else "the first"
    return Kind(name, *TITLES[name], at.size, what, shown)
