"""Everything that detections meet in their image, of whatever class: what kinds of errors and confusions are made of.

Kept of an image: its detections and objects, and the IoU of every pair, of one class or two, from `BACKGROUND` on.
Which detections are right follows as it does for average precision: in the order of their scores each takes the free
object of its class with the greatest IoU that reaches the threshold. What the others did wrong is the first that fits
(TIDE's kinds; an object that is ignored, as a crowd, is none here):

localisation    of its own class it meets an object, but its greatest IoU, from 0.1 on, does not exceed the threshold
classification  it reaches the threshold with an object of another class
duplicate       it reaches the threshold with an object of its class that another detection has taken
background      it meets nothing, or nothing above 0.1
both            what is left: wrong in class and in place, or in the way of others
missed          an object that nothing found, and that no error of class or place was about

Detections that are left out of the count are no errors; under `tide` they may be, as in tidecv.

Merging: rows are concatenated.

Reference: Bolya et al., TIDE: A General Toolbox for Identifying Object Detection Errors, ECCV 2020; tidecv 1.0.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..kernels import Cells, Meetings, match_detections, weighted_sums
from ._codec import from_bytes, in_parts, to_bytes
from .detection_rules import EVERY, Rules
from .detections import Detections as Judgement
from .detections import IoU, Judged, Objects, in_order, meetings_in_images

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BACKGROUND = 0.1  # up to this IoU a detection has met nothing
KINDS = ("classification", "localisation", "both", "duplicate", "background", "missed")
SPECIAL = ("false_positive", "false_negative")
CLASSIFICATION, LOCALISATION, BOTH, DUPLICATE, NOTHING, MISSED = range(len(KINDS))

_ROWS = ("det_image", "det_class", "det_row", "det_excused", "gt_image", "gt_class", "gt_row", "gt_ignored", "gt_crowd",
         "gt_unmarked", "pair_det", "pair_gt")  # fmt: skip
_FLAGS = ("det_excused", "gt_ignored", "gt_crowd", "gt_unmarked")
_PLACES = {"det_image": "images", "gt_image": "images", "pair_det": "found", "pair_gt": "objects"}


class Matches(NamedTuple):
    """At one threshold: which object each detection took (-1 none), whether it is right, whether it is left out."""

    partner: Ints
    right: Bools
    left_out: Bools
    taken: Bools  # of objects: by a detection that is right


class Errors(NamedTuple):
    """At one threshold: the kind of each detection's error (-1 none) and the object that it is about (-1 none).

    best    whether it is, of all that are about that object, the one with the greatest score, and the object is free
    missed  of objects
    """

    kind: Ints
    about: Ints
    best: Bools
    missed: Bools


@dataclass(frozen=True, eq=False)
class Encounters:
    """Detections and objects by image, class and the order in which they are judged, and the pairs that meet.

    image_number   (I,) what orders the images
    classes        (K,) ids, ascending
    group          (K,) frequency groups, as of `Detections`
    det_*          (N,) place of the image, place of the class, score, place in the file, left out where it matches none
    gt_*           (G,) the same; whether it is ignored, a crowd, or its match counts as none
    pair_*         (P,) places of both, and their IoU (of a crowd the share of the detection)
    averaged, binary, weights  as of `Detections`
    """

    name: ClassVar[str] = "encounters"

    rules: Rules
    image_number: Ints
    classes: Ints
    group: Ints
    det_image: Ints
    det_class: Ints
    det_score: Floats
    det_row: Ints
    det_excused: Bools
    gt_image: Ints
    gt_class: Ints
    gt_row: Ints
    gt_ignored: Bools
    gt_crowd: Bools
    gt_unmarked: Bools
    pair_det: Ints
    pair_gt: Ints
    pair_iou: Floats
    averaged: Bools | None = None
    weights: Floats | str | None = None
    binary: bool = False
    memo: dict[Any, Any] = field(default_factory=dict[Any, Any], repr=False)  # what no weights move
    drawn: dict[Any, Any] = field(default_factory=dict[Any, Any], repr=False)

    @property
    def images(self) -> int:
        """How many images there are."""
        return self.image_number.size

    @property
    def found(self) -> int:
        """How many detections there are."""
        return self.det_image.size

    @property
    def leading(self) -> tuple[int, ...]:
        """The shape in front of the classes: that of the images or of the resamples."""
        if self.weights is None:
            return ()
        return (self.images if isinstance(self.weights, str) else len(self.weights),)

    def objects(self, area: str = "all") -> Ints:
        """(K,) the objects to be found."""
        return np.bincount(self.gt_class[~self.gt_ignored], minlength=self.classes.size).astype(np.int64)

    def by_image(self) -> Encounters:
        """The same, answering for each image."""
        return replace(self, weights="images", drawn={})

    def resampled(self, weights: Floats) -> Encounters:
        """The same, answering for resamples: image i is there weights[b, i] times."""
        return replace(self, weights=weights, drawn={})

    def among(self, classes: Ints) -> Encounters:
        """The same with these classes, which hold all of its own."""
        place = np.searchsorted(classes, self.classes)
        return replace(
            self, classes=classes, group=np.zeros(classes.size, np.int64), averaged=None, memo={}, drawn={},
            det_class=place[self.det_class], gt_class=place[self.gt_class],
        )  # fmt: skip

    # What follows at a threshold

    def matches(self, iou: float) -> Matches:
        """Which detections are right. Raises UsageError for a threshold below what was kept."""
        if not BACKGROUND < iou <= 1:
            raise UsageError(f"iou={iou:g} is no threshold for kinds of errors; it is above {BACKGROUND} and at most 1")
        if ("matches", iou) not in self.memo:
            self.memo["matches", iou] = self._matches(iou)
        return self.memo["matches", iou]

    def _matches(self, iou: float) -> Matches:
        k = self.classes.size
        at = self.alike & (self.pair_iou >= min(iou, 1 - 1e-10))
        keys = self.det_image * k + self.det_class, self.gt_image * k + self.gt_class
        both = np.union1d(*keys)
        cells = Cells(*(np.append(np.searchsorted(x, both), x.size) for x in keys))
        none = np.zeros(self.found), np.zeros(self.gt_image.size)
        marks = {
            "ignore": self.gt_ignored, "crowd": self.gt_crowd, "unmarked": self.gt_unmarked, "excused": self.det_excused
        }  # fmt: skip
        pairs = Meetings(self.pair_det[at], self.pair_gt[at], self.pair_iou[at])
        m = match_detections(cells, pairs, *none, marks, np.array([iou]), np.array([EVERY]), partners=True)
        assert m.partner is not None
        partner, left_out = m.partner[0, 0], m.ignored[0] > 0
        right = (m.hits[0] > 0) & ~left_out
        taken = np.zeros(self.gt_image.size, bool)
        taken[partner[right]] = True
        return Matches(partner, right, left_out, taken)

    @property
    def alike(self) -> Bools:
        """Whether the two of a pair are of one class."""
        return self.det_class[self.pair_det] == self.gt_class[self.pair_gt]

    def errors(self, iou: float) -> Errors:
        """What is wrong with those that are not right, and which objects were missed."""
        m = self.matches(iou)
        if ("errors", iou) not in self.memo:
            self.memo["errors", iou] = self._errors(m, iou)
        return self.memo["errors", iou]

    def _errors(self, m: Matches, iou: float) -> Errors:
        real, alike = ~self.gt_ignored[self.pair_gt], self.alike
        own, own_at = self.best(real & alike)
        other, other_at = self.best(real & ~alike)
        taken, taken_at = self.best(real & alike & m.taken[self.pair_gt])
        any_, _ = self.best(real)
        tests = (
            (LOCALISATION, (own >= BACKGROUND) & (own <= iou), own_at),
            (CLASSIFICATION, other >= iou, other_at),
            (DUPLICATE, taken >= iou, taken_at),
            (NOTHING, any_ <= BACKGROUND, None),
            (BOTH, np.ones(self.found, bool), None),
        )
        kind, about = np.full((2, self.found), -1)
        left = ~m.right & (~m.left_out | self.rules.tide)
        for which, fits, at in tests:
            here = left & fits
            kind[here] = which
            if at is not None:
                about[here] = at[here]
            left = left & ~here
        moved = np.flatnonzero((kind == LOCALISATION) | (kind == CLASSIFICATION))
        moved = moved[~m.taken[about[moved]]]
        order = moved[np.lexsort((self._turn[moved], -self.det_score[moved], about[moved]))]
        best = np.zeros(self.found, bool)
        best[order[np.diff(about[order], prepend=-1) != 0]] = True
        missed = ~self.gt_ignored & ~m.taken
        missed[about[moved]] = False
        return Errors(kind, about, best, missed)

    def best(self, among: Bools) -> tuple[Floats, Ints]:
        """Of each detection the greatest IoU with an object among some pairs, 0 without, and that object, or -1."""
        at = np.flatnonzero(among)
        turn = self.gt_row[self.pair_gt[at]] if self.rules.filed else self.pair_gt[at]
        at = at[np.lexsort((turn, -self.pair_iou[at], self.pair_det[at]))]
        at = at[np.diff(self.pair_det[at], prepend=-1) != 0]
        iou, which = np.zeros(self.found), np.full(self.found, -1)
        iou[self.pair_det[at]], which[self.pair_det[at]] = self.pair_iou[at], self.pair_gt[at]
        return iou, which

    @property
    def _turn(self) -> Ints:
        """What decides between detections of equal score."""
        return self.det_row if self.rules.filed else np.arange(self.found)

    def counts(self, kind: str, iou: float) -> Floats:
        """(..., K) how many errors of a kind there are of each class: that of the detection, or of what was missed."""
        e, k = self.errors(iou), self.classes.size
        at = KINDS.index(kind)
        wrong = e.missed if at == MISSED else e.kind == at
        image, class_ = (self.gt_image, self.gt_class) if at == MISSED else (self.det_image, self.det_class)
        if self.weights is None:
            return np.bincount(class_[wrong], minlength=k).astype(np.float64)
        key = image[wrong] * k + class_[wrong]
        each = np.bincount(key, minlength=self.images * k).reshape(self.images, k).astype(np.float64)
        return each if isinstance(self.weights, str) else weighted_sums(np.ascontiguousarray(self.weights), each)

    def judgement(self, iou: float, fixed: str | None = None) -> Judgement:
        """The detections as they were judged at this threshold, with the errors of one kind put right."""
        if ("judgement", iou, fixed) not in self.drawn:
            if ("judgement", iou, fixed) not in self.memo:
                self.memo["judgement", iou, fixed] = self._judgement(iou, fixed)
            whole: Judgement = self.memo["judgement", iou, fixed]
            self.drawn["judgement", iou, fixed] = replace(whole, weights=self.weights, memo={})
        return self.drawn["judgement", iou, fixed]

    def _judgement(self, iou: float, fixed: str | None) -> Judgement:
        m = self.matches(iou)
        there, right, class_, score = ~m.left_out, m.right, self.det_class, self.det_score
        objects = ~self.gt_ignored
        if fixed in KINDS:
            e = self.errors(iou)
            at = KINDS.index(fixed)
            there = there & (e.kind != at)
            if at in (CLASSIFICATION, LOCALISATION):
                mended = (e.kind == at) & e.best
                there, right = there | mended, right | mended
                class_ = np.where(mended, self.gt_class[e.about], class_) if mended.any() else class_
            objects = objects & ~e.missed if at == MISSED else objects
        elif fixed == "false_positive":
            score = right.astype(np.float64)
        elif fixed == "false_negative":
            objects = objects & m.taken
        rules = replace(self.rules, thresholds=(iou,), areas=(("all", *EVERY),), max_dets=(2**62,))
        none = np.zeros(int(there.sum()), np.uint64)
        made = Judgement(
            rules, self.image_number, self.classes, self.group, class_[there], self.det_image[there],
            self._turn[there], score[there], right[there].astype(np.uint64)[None], none[None],
            self.gt_class[objects], self.gt_image[objects], np.ones((1, int(objects.sum())), bool),
            averaged=self.averaged, binary=self.binary,
        )  # fmt: skip
        # Where something was mended tidecv has what was wrong before what was right at equal scores.
        return in_order(made, m.right[there] if self.rules.tide and fixed else None)

    # Keeping

    def to_bytes(self) -> bytes:
        """One image, packed."""
        kept = {n: getattr(self, n).astype(np.int64) for n in ("image_number", *_ROWS)}
        return to_bytes({**kept, "det_score": self.det_score.view(np.int64), "pair_iou": self.pair_iou.view(np.int64)})

    def __add__(self, other: Encounters) -> Encounters:
        return joined([self, other], self.rules, self.classes, self.group, self.binary)


def read(blobs: Iterable[bytes], rules: Rules, classes: Ints, group: Ints, binary: bool = False) -> Encounters:
    """What `to_bytes` packed of images, as one statistic."""
    parts: list[Encounters] = []
    for blob in blobs:
        x: dict[str, Any] = dict(from_bytes(blob))
        x |= {n: x[n].view(np.float64) for n in ("det_score", "pair_iou")} | {n: x[n].astype(bool) for n in _FLAGS}
        parts.append(Encounters(rules, classes=classes, group=group, binary=binary, **x))
    return joined(parts, rules, classes, group, binary)


def joined(parts: Sequence[Encounters], rules: Rules, classes: Ints, group: Ints, binary: bool) -> Encounters:
    """The images of all parts as one statistic, in the order of the parts."""
    sizes = {
        "images": [p.images for p in parts], "found": [p.found for p in parts],
        "objects": [p.gt_image.size for p in parts],
    }  # fmt: skip
    first = {k: np.cumsum([0, *n]).tolist() for k, n in sizes.items()}
    columns: dict[str, Any] = {}
    for n in ("image_number", *_ROWS, "det_score", "pair_iou"):
        shift = first[_PLACES[n]] if n in _PLACES else [0] * (len(parts) + 1)
        dtype = np.float64 if n in ("det_score", "pair_iou") else bool if n in _FLAGS else np.int64
        each = [getattr(p, n) if n not in _PLACES else getattr(p, n) + a for p, a in zip(parts, shift, strict=False)]
        columns[n] = np.concatenate([np.empty(0, dtype), *each])
    return Encounters(rules, classes=classes, group=group, binary=binary, **columns)


def encounters_of(
    judged: Judged, rules: Rules, iou: IoU | None, image_number: Ints, classes: Ints, group: Ints | None = None,
    binary: bool = False,
) -> Encounters:  # fmt: skip
    """The statistic of what was judged."""
    f, t = judged.found, judged.truths
    pairs = meetings_in_images(t, f, judged.truths_at, judged.found_at, rules, iou, BACKGROUND)
    low, high = EVERY
    none = np.zeros(classes.size, np.int64)
    return Encounters(
        rules, image_number, classes, none if group is None else group, f.image, f.class_, f.score, f.row,
        _marks(f.excused, f), t.image, t.class_, t.row, t.ignore | (t.area < low) | (t.area > high), t.crowd,
        _marks(t.unmarked, t), pairs.detection, pairs.truth, pairs.iou, binary=binary,
    )  # fmt: skip


def _marks(given: Bools, x: Objects) -> Bools:
    return given if given.size else np.zeros(x.image.size, bool)


def packed_by_image(e: Encounters) -> list[bytes]:
    """Each image of a statistic by itself, in their order, as `to_bytes` packs it; its rows are in their order."""
    every = np.arange(e.images + 1)
    of = {"det": e.det_image, "gt": e.gt_image, "pair": e.det_image[e.pair_det]}
    at = {side: np.searchsorted(image, every) for side, image in of.items()}
    first = {
        "det_image": of["det"], "gt_image": of["gt"],
        "pair_det": at["det"][of["pair"]], "pair_gt": at["gt"][of["pair"]],
    }  # fmt: skip
    parts: dict[str, tuple[Ints, Ints]] = {"image_number": (e.image_number, every)}
    for name in (*_ROWS, "det_score", "pair_iou"):
        x = getattr(e, name)
        x = x.view(np.int64) if x.dtype == np.float64 else x.astype(np.int64)
        parts[name] = (x - first[name] if name in first else x), at[name.partition("_")[0]]
    return in_parts(parts)
