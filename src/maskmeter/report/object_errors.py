"""Objects that went wrong: the images with the most of them, and the largest of each kind with their cut-outs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from typing import Any

import numpy as np

from ..evaluation import Evaluation
from ..fates import Fate, fates
from ..objects import rules_of
from ..readings import source
from ..statistics.overlap import Overlap
from . import pictures, words
from .findings import AT, Findings
from .object_pictures import FATES, Volume, by_fate
from .page import fill
from .photographs import NoPhotograph, photograph
from .pictures import Unavailable

LISTED = 12  # images
SHOWN = 6  # objects of a kind
SIDE = 200  # pixels of a cut-out
CONFUSED, OF_PAIR = 8, 3  # pairs of classes taken for one another, and objects of each

# Which objects are shown of each kind: their side and their fate.
KINDS: tuple[tuple[str, str, str, str], ...] = (
    ("missed", "gt", "Missed", "objects of the ground truth that no prediction matches"),
    ("hallucinated", "pred", "Hallucinated", "predictions that match no object"),
    ("split", "gt", "Split", "objects that match nothing and that two predictions or more mostly lie on"),
    ("merged", "pred", "Merged", "predictions that match nothing and that two objects or more mostly lie in"),
)

APART = ("missed", "hallucinated")  # fates of which it is said how many overlap nothing


@dataclass(frozen=True)
class Line:
    """An image and its objects by fate."""

    name: str
    value: float
    objects: int
    predicted: int
    of: Counter[tuple[str, str]]


@dataclass(frozen=True)
class Cutout:
    """An object with what surrounds it: what is said of it, and its pictures where its files can be read."""

    image: str
    called: str
    notes: str
    size: tuple[int, int]
    photo: str | None
    overlay: str | None


@dataclass(frozen=True)
class Kind:
    """The largest objects of a kind, of how many."""

    fate: str
    title: str
    text: str
    total: int
    cutouts: list[Cutout]


@dataclass(frozen=True)
class Confused:
    """Objects of a class that were taken for another one: how many, and the largest."""

    truth: str
    taken: str
    total: int
    cutouts: list[Cutout]


def render(found: Findings) -> str | None:
    """The section, absent without objects that went wrong."""
    if not found.objects or not found.images:
        return None
    fated, confused = _largest(found.evaluation)
    kinds = [
        Kind(
            fate,
            title,
            text + (f": {apart(found, side, total, fated.alone[side, fate])}" if fate in APART else ""),
            total,
            _cutouts(found, fated.objects[side, fate]),
        )
        for fate, side, title, text in KINDS
        if (total := fated.total[side, fate])
    ]
    if not kinds:
        return None
    lines = _worst(found)
    return fill(
        "object_errors.html",
        kinds=kinds,
        confused=_confused(found, confused),
        lines=lines,
        images=found.images,
        at=AT,
        metric=found.headline,
        panoptic=found.panoptic,
        strict=rules_of(found.evaluation.facts).strict,
        colors={k: words.colour(c) for k, c in FATES.items()},
        crowd=found.crowds,
        void=found.void,
        pictured=any(c.overlay for k in kinds for c in k.cutouts),
    )


def of_image(evaluation: Evaluation, name: str) -> list[Fate]:
    """The objects of one image."""
    blob = evaluation.records[name].statistics[source(Overlap.name, evaluation.facts).stored]
    return _fates(evaluation, source(Overlap.name, evaluation.facts).pool([[blob]], None))


def _fates(e: Evaluation, o: Overlap) -> list[Fate]:
    return fates(o, AT, rules_of(e.facts))


def fates_of_images(e: Evaluation) -> Iterator[list[Fate]]:
    """What became of the objects of both sides, image by image in the order of names."""
    for names, stack in e.stacks(Overlap.name):
        images: list[list[Fate]] = [[] for _ in names]
        for f in _fates(e, stack):
            images[f.image].append(f)
        yield from images


def fates_by_image(e: Evaluation) -> Iterator[Counter[tuple[str, str]]]:
    """How many objects of each side ("gt", "pred") have each fate, image by image in the order of names."""
    return (Counter((f.side, f.fate) for f in image) for image in fates_of_images(e))


def fates_of_all(e: Evaluation) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """How many objects of each side have each fate, and how many of them overlap nothing of their class."""
    counted, alone = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for _, stack in e.stacks(Overlap.name):
        for f in _fates(e, stack):
            counted[f.side, f.fate] += 1
            alone[f.side, f.fate] += not f.iou
    return counted, alone


def apart(found: Findings, side: str, total: int, alone: int) -> str:
    """How those without a match differ: what overlaps nothing is invented or overlooked, the rest is badly drawn."""
    other = ("prediction" if side == "gt" else "object") + ("" if found.overlap.binary else " of the class")
    taken = "" if found.overlap.disjoint else ", or one that another matches"
    verb = "overlaps" if alone == 1 else "overlap"
    return f"{words.count(alone)} {verb} no {other}, {words.count(total - alone)} one too little{taken}"


def wrong(e: Evaluation) -> Iterator[bool]:
    """Image by image, whether an object went wrong in a way that the section shows."""
    return (any(n[side, fate] for fate, side, _, _ in KINDS) for n in fates_by_image(e))


Named = tuple[str, Fate]
"""An object with its image."""


@dataclass(frozen=True)
class Largest:
    """The largest objects of some kinds, how many there are of each, and how many of them overlap nothing."""

    kept: int
    total: Counter[Any] = field(default_factory=Counter[Any])
    alone: Counter[Any] = field(default_factory=Counter[Any])
    objects: dict[Any, list[Named]] = field(default_factory=dict[Any, list[Named]])

    def add(self, kind: Any, found: list[Named]) -> None:
        """Take in more of a kind."""
        if found:
            self.total[kind] += len(found)
            self.alone[kind] += sum(not f.iou for _, f in found)
            self.objects[kind] = nlargest(self.kept, [*self.objects.get(kind, ()), *found], key=lambda x: x[1].pixels)


def _largest(e: Evaluation) -> tuple[Largest, Largest]:
    """Of each side and fate that is shown, and of each two classes of which one was taken for the other."""
    fated, confused = Largest(SHOWN), Largest(OF_PAIR)
    for names, stack in e.stacks(Overlap.name):
        found = [(names[f.image], f) for f in _fates(e, stack)]
        for fate, side, _, _ in KINDS:
            fated.add((side, fate), [x for x in found if (x[1].side, x[1].fate) == (side, fate)])
        taken = [x for x in found if x[1].side == "gt" and x[1].taken is not None]
        for pair in {(f.class_, f.taken) for _, f in taken}:
            confused.add(pair, [x for x in taken if (x[1].class_, x[1].taken) == pair])
    return fated, confused


def _confused(found: Findings, pairs: Largest) -> list[Confused]:
    """The pairs of classes that were confused most often."""
    order = sorted(pairs.total.items(), key=lambda x: (-x[1], x[0]))[:CONFUSED]
    return [
        Confused(found.class_title(pair[0]), found.class_title(pair[1]), total, _cutouts(found, pairs.objects[pair]))
        for pair, total in order
    ]


def _worst(found: Findings) -> list[Line]:
    """The images with the least value; those without one are left out."""
    values = found.per_image.headline
    order: list[int] = [i for i in np.argsort(values, kind="stable").tolist() if not np.isnan(values[i])]
    return [_line(found, i) for i in order[:LISTED]]


def _line(found: Findings, at: int) -> Line:
    name = found.per_image.names[at]
    objects = of_image(found.evaluation, name)
    sides = Counter(f.side for f in objects)
    of = Counter((f.side, f.fate) for f in objects)
    return Line(name, float(found.per_image.headline[at]), sides["gt"], sides["pred"], of)


def _cutouts(found: Findings, chosen: Sequence[tuple[str, Fate]]) -> list[Cutout]:
    """The objects in their order; the files of an image are read once."""
    drawn: dict[tuple[str, int], Cutout] = {}
    for name in dict.fromkeys(name for name, _ in chosen):
        try:
            volume = Volume.open(found.evaluation.records[name], found.evaluation.facts)
        except Unavailable:
            volume = None
        everything = of_image(found.evaluation, name) if volume else []
        for f in (f for n, f in chosen if n == name):
            drawn[name, f.id] = _cutout(found, name, f, volume, everything)
    return [drawn[name, f.id] for name, f in chosen]


def _cutout(found: Findings, name: str, f: Fate, volume: Volume | None, everything: Sequence[Fate]) -> Cutout:
    around = None if volume is None else volume.around(f.side, f.id)
    if volume is None or around is None:
        return Cutout(name, _called(f), _said(found, f), (0, 0), None, None)
    objects, rows, columns = around
    photo = None
    try:
        pixels = photograph(found.evaluation.photographs, name, objects.shape)
    except NoPhotograph:
        pass
    else:
        high, wide = pixels.shape[0] / objects.shape[0], pixels.shape[1] / objects.shape[1]
        part = pixels[
            int(rows.start * high) : round(rows.stop * high), int(columns.start * wide) : round(columns.stop * wide)
        ]
        photo = pictures.photo(part, (SIDE, SIDE))
    part = objects.part(rows, columns).fitted(SIDE)
    return Cutout(name, _called(f), _said(found, f), part.shape, photo, by_fate(part, everything))


def _called(f: Fate) -> str:
    """Which object it is, of which side."""
    return f"{'object' if f.side == 'gt' else 'prediction'} id {f.id}"


def _said(found: Findings, f: Fate) -> str:
    """What there is to say of an object, besides its size."""
    class_ = "" if found.overlap.binary else f"{words.name(found.class_title(f.class_), 24)}, "
    size = f"{class_}{words.count(f.pixels)} {'px' if found.unit == 'pixels' else 'voxels'}"
    if f.taken is not None:
        other = words.name(found.class_title(f.taken), 24)
        return f"{size}, taken for {other}" if f.side == "gt" else f"{size}, is {other}"
    if f.fate == "split":
        return f"{size}, in {f.parts} pieces"
    if f.fate == "merged":
        return f"{size}, holds {f.parts} objects"
    return f"{size}, best IoU {words.figure(f.iou, 2)}" if f.iou > 0 else f"{size}, overlaps nothing"
