"""Cards of the gallery: an image, its value, what is wrong with it in words, and its pictures."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from ..readings import source
from ..statistics.confusion import Confusion, LabelCounts, LabelTable, read
from ..statistics.image_scores import ImageScores
from ..statistics.scores import Scores
from . import pictures, words
from .confusion import mistakes
from .curves import drawable
from .findings import Findings
from .object_errors import of_image
from .object_pictures import Volume, by_fate, by_object
from .photographs import NoPhotograph, photograph
from .pictures import Pair, Unavailable
from .threshold import counts_at
from .versus import named_runs


@dataclass(frozen=True)
class Pictures:
    """The pictures of an image as data, all of one size; `lack` says why there is no photograph.

    `plane` is what they show of a volume; `other` and `other_errors` are the prediction of another run and its errors.
    """

    width: int
    height: int
    photo: str | None
    lack: str
    gt: str
    pred: str
    errors: str
    plane: int | None = None
    other: str | None = None
    other_errors: str | None = None


@dataclass(frozen=True)
class Card:
    """An image and its pictures, or why there are none; `counts` are its own true and false positives at each stop."""

    name: str
    value: float
    notes: list[str]
    pictures: Pictures | None
    problem: str
    counts: dict[str, object] | None = None


def card(found: Findings, at: int) -> Card:
    """The card of the image with this place in the order of names."""
    name, value = found.per_image.names[at], float(found.per_image.headline[at])
    if found.objects:
        notes, counts = _notes_objects(found, name), None
    else:
        c = _confusion(found, name)
        notes = _notes_binary(c) if found.binary else _notes_classes(found, c, at)
        counts = _counts(found, _scores(found, name), c) if drawable(found) else None
    if not math.isnan(apart := apart_of(found, name)):
        theirs, label = value - apart, words.name(named_runs(found)[1].label, 24)
        notes.append(f"{words.figure(theirs)} in {label}" if apart else f"as much in {label}")
    try:
        drawn = _draw(found, name, notes)
    except Unavailable as error:
        return Card(name, value, notes, None, f"No picture: {error}.", counts)
    if found.evaluation.records[name].pred is None:
        notes.append("the prediction is missing")
    return Card(name, value, notes, _beside(found, name, drawn), "", counts)


def apart_of(found: Findings, name: str) -> float:
    """How much better this run is on an image than the other one; NaN where there is none, or no value."""
    other = found.other
    if other is None or not other.ranked or other.headline != found.headline:
        return math.nan
    return found.value_of(name) - other.value_of(name)


def _draw(found: Findings, name: str, notes: list[str], plane: int | None = None) -> Pictures:
    return _objects(found, name, notes, plane) if found.objects else _regions(found, name, notes, plane)


def _beside(found: Findings, name: str, drawn: Pictures) -> Pictures:
    """The pictures with those of the other run's prediction of the same image, where there is one."""
    other = found.other
    if other is None or name not in other.evaluation.records or other.objects != found.objects:
        return drawn
    try:
        theirs = _draw(other, name, [], drawn.plane)
    except Unavailable:
        return drawn
    if (theirs.width, theirs.height) != (drawn.width, drawn.height):
        return drawn
    return replace(drawn, other=theirs.pred, other_errors=theirs.errors)


def occurring(found: Findings, names: list[str]) -> list[tuple[str, str]]:
    """Names and colours of the classes in these images, most pixels first."""
    if not found.regions:
        return []
    c = reduce(add, (_confusion(found, n) for n in names))
    order = np.argsort(-(c.gt + c.pred), kind="stable").tolist()
    return [
        (found.kinds[i].name, words.colour(found.kinds[i].color)) for i in order if c.gt[i] + c.pred[i] > 0
    ]  # fmt: skip


# Regions


def _regions(found: Findings, name: str, notes: list[str], plane: int | None) -> Pictures:
    e = found.evaluation
    pair = pictures.open_pair(e.records[name], e.facts, found.pooled.classes, plane)
    notes += _slice(pair.slice)
    colors = [k.color for k in found.kinds]
    size = (pair.gt.shape[0], pair.gt.shape[1])
    photo, lack = _photo(found, name, pair.shape, size)
    pred = pictures.by_class(pair.pred, colors, hatched=False)
    if pair.scores is not None:
        pred = pictures.grey(_stop_of(found, pair))
    gt = pictures.by_class(pair.gt, colors, hatched=True)
    errors = pictures.errors(pair, 1 if found.binary else None)
    return Pictures(size[1], size[0], photo, lack, gt, pred, errors, pair.slice and pair.slice[0])


def _stop_of(found: Findings, pair: Pair) -> NDArray[np.uint8]:
    """The last stop of the slider that each score reaches."""
    assert pair.scores is not None
    return (np.searchsorted(found.stops, pair.scores, side="right") - 1).astype(np.uint8)


def _counts(found: Findings, s: Scores | ImageScores, c: Confusion) -> dict[str, object]:
    """The image's true and false positives at each stop; of floats on the grid that was kept."""
    tp, fp = counts_at(s, found.stops)
    tp[found.used_stop], fp[found.used_stop] = c.tp[1], c.fp[1]
    return {"positives": s.positives, "tp": tp.tolist(), "fp": fp.tolist()}


def _confusion(found: Findings, name: str) -> Confusion:
    """The image's counts, with their matrix where labels were kept."""
    record, facts = found.evaluation.records[name], found.evaluation.facts
    made = source(Confusion.name, facts)
    blob = record.statistics[made.stored]
    if made.stored == LabelCounts.name:
        return read(LabelTable.of([blob]), facts.reading, found.pooled.classes.tolist(), whole=True)
    return made.stack([blob], found.pooled).sum()


def _scores(found: Findings, name: str) -> Scores | ImageScores:
    made = source(Scores.name, found.evaluation.facts)
    return made.stack([found.evaluation.records[name].statistics[made.stored]], found.scores)[0]


def _notes_binary(c: Confusion) -> list[str]:
    missed, extra, truth = int(c.fn[1]), int(c.fp[1]), int(c.gt[1])
    first = f"missed {words.count(missed)} of {words.count(truth)} px" if truth else "nothing is there"
    return [f"{first}, {words.count(extra)} px too many"]


def _notes_classes(found: Findings, c: Confusion, at: int) -> list[str]:
    """The class with the least IoU, and the largest confusion."""
    said: list[str] = []
    values = found.per_image.by_class[at]
    if not np.isnan(values).all():
        worst = int(np.nanargmin(values))
        said.append(f"lowest class: {found.kinds[worst].said}, IoU {words.figure(float(values[worst]))}")
    if top := mistakes(c, 1):
        m = top[0]
        taken = "given no class" if m.taken < 0 else f"taken for {found.kinds[m.taken].said}"
        share = words.percent(m.pixels / int(c.pixels))
        said.append(f"{share} of the pixels: {found.kinds[m.truth].said} {taken}")
    return said


# Objects


def _objects(found: Findings, name: str, notes: list[str], plane: int | None) -> Pictures:
    volume = Volume.open(found.evaluation.records[name], found.evaluation.facts)
    at = volume.worst() if plane is None else plane
    notes += _slice((at, volume.planes) if volume.planes > 1 else None)
    shown = volume.plane(at)
    objects, fates = shown.fitted(), of_image(found.evaluation, name)
    rows, columns = objects.shape
    photo, lack = _photo(found, name, shown.shape, objects.shape)
    return Pictures(columns, rows, photo, lack, *by_object(objects, fates), by_fate(objects, fates), at)


def _notes_objects(found: Findings, name: str) -> list[str]:
    n = Counter((f.side, f.fate) for f in of_image(found.evaluation, name))
    objects = sum(k for (side, fate), k in n.items() if side == "gt" and fate != "crowd")
    said = [f"found {words.count(n['gt', 'matched'])} of {words.many(objects, 'object')}"]
    for side, fate in (("pred", "hallucinated"), ("gt", "split"), ("pred", "merged")):
        if n[side, fate]:
            said[0] += f", {words.many(n[side, fate], 'object' if side == 'gt' else 'prediction')} {fate}"
    return said


# Both


def _slice(slice: tuple[int, int] | None) -> list[str]:
    return [f"slice {slice[0] + 1} of {slice[1]}, the one with the most errors"] if slice else []


def _photo(found: Findings, name: str, shape: tuple[int, int], size: tuple[int, int]) -> tuple[str | None, str]:
    """The photograph, or why there is none."""
    try:
        pixels = photograph(found.evaluation.photographs, name, shape)
    except NoPhotograph as error:
        return None, str(error)
    return pictures.photo(pixels, size), ""
