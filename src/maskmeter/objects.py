"""Objects: a table with one row for each object of both sides, and what became of it.

Conventions. Fates and parts are those of `fates`, at one IoU and under the rules of the run: panoptic segments match
above it, other objects from it on. Sizes are of the pixels that count. A row does not say more than is known: there is
no score where nobody gave one, no millimetres without a spacing, and no box where the pixels are not to be had any more
(arrays are not kept; files have to be those that were counted).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from .engines import cores
from .errors import UsageError
from .facts import Facts
from .fates import Fate, fates
from .formats.packings import NUMBERED, number_of
from .labels import LabelSet
from .matching import Rules, rules
from .records import Record, Records
from .reopening import Box, Unavailable, reopen
from .statistics.overlap import Overlap

FEW = 64  # images whose files are read at once


class ObjectRow(NamedTuple):
    """One object, and what became of it.

    image    its name
    side     "gt" or "pred"
    id       in the file; where class and number share a pixel the number, of masks their place from 1 on
    class_   the class, None for objects without
    size     pixels that count
    size_mm  the same in mm² (of volumes mm³), None without a spacing
    box      where it begins and ends along each axis of the array, as slices do; None where its pixels are not known
    score    the confidence of a prediction, None without one
    iou      with its best partner of its class; 0 without one
    partner  the id of that; of a match, of what it matched
    matched  whether it is matched
    fate     gt: matched, missed, split, merged, crowd; pred: matched, hallucinated, split, merged, excused
    taken    the class that an object was taken for, or that a prediction hides: that of an object of another class
             whose IoU with it reaches the threshold while neither is matched; None without one
    parts    of an object the predictions that lie mostly on it, of a prediction the objects that lie mostly in it
    """

    image: str
    side: str
    id: int
    class_: str | None
    size: int
    size_mm: float | None
    box: Box | None
    score: float | None
    iou: float
    partner: int | None
    matched: bool
    fate: str
    taken: str | None
    parts: int


def rules_of(facts: Facts) -> Rules:
    """How objects of a run are matched; those of panoptic segmentation and of Cityscapes have to exceed the IoU."""
    panoptic = facts.task == "panoptic"
    return rules(facts.convention if panoptic else None, strict=panoptic or facts.convention == "cityscapes")


def object_rows(
    stacks: Iterable[tuple[Sequence[str], Overlap]], records: Records, facts: Facts, iou: float
) -> Iterator[ObjectRow]:
    """The objects of all images, image by image in the order of their names, ground truth first."""
    if not 0 < iou <= 1:
        raise UsageError(f"iou must be above 0 and at most 1, not {iou:g}")
    return _rows(stacks, records, facts, iou)


def _rows(
    stacks: Iterable[tuple[Sequence[str], Overlap]], records: Records, facts: Facts, iou: float
) -> Iterator[ObjectRow]:
    title = (facts.labels or LabelSet(())).title
    with ThreadPoolExecutor(cores()) as pool:
        for names, stack in stacks:
            found = _by_image(fates(stack, iou, rules_of(facts)), len(names))
            for start in range(0, len(names), FEW):
                some = names[start : start + FEW]
                known = pool.map(partial(_pixels, facts=facts), [records[name] for name in some])
                for name, pixels, objects in zip(some, known, found[start : start + FEW], strict=True):
                    yield from (_row(name, f, facts, pixels, None if stack.binary else title) for f in objects)


class _Pixels(NamedTuple):
    """Of an image the boxes of its objects by side and id, and the size of a pixel."""

    boxes: dict[str, dict[int, Box]]
    mm: float | None


def _pixels(record: Record, facts: Facts) -> _Pixels:
    spacing = facts.spacing
    try:
        found = reopen(record, facts)
    except Unavailable:
        boxes: dict[str, dict[int, Box]] = {"gt": {}, "pred": {}}
    else:
        boxes = {"gt": found.gt.boxes(), "pred": found.pred.boxes()}
        spacing = found.spacing or spacing
    return _Pixels(boxes, None if spacing is None else math.prod(spacing))


def _by_image(found: Iterable[Fate], images: int) -> list[list[Fate]]:
    out: list[list[Fate]] = [[] for _ in range(images)]
    for f in found:
        out[f.image].append(f)
    return out


def _row(name: str, f: Fate, facts: Facts, pixels: _Pixels, title: Callable[[int], str] | None) -> ObjectRow:
    number = number_of if facts.files in NUMBERED else int
    return ObjectRow(
        name, f.side, number(f.id), None if title is None else title(f.class_), f.pixels,
        None if pixels.mm is None else f.pixels * pixels.mm, pixels.boxes[f.side].get(f.id),
        None if math.isnan(f.score) else f.score, f.iou, None if f.partner is None else number(f.partner),
        f.fate == "matched", f.fate, None if title is None or f.taken is None else title(f.taken), f.parts,
    )  # fmt: skip
