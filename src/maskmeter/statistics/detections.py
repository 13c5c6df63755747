"""Scored detections, which of them match, and how many objects there are to be found: what AP and AR are made of.

What is kept of an image is small: of each detection its class, score, place among those of its class, and for each
area range and IoU threshold two bits, *matched* and *left out*; of each object its class and the area ranges in which
it is counted. The shapes are dropped. Curves of all images, of each, and of resamples are read from it.

Merging: rows are concatenated. Detections are in the order of class, score and image whatever the order of arrival;
images go by the number that the file gives them, as pycocotools takes them, so its ties come out alike.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels import (
    Cells,
    Matched,
    Meetings,
    Ranked,
    accumulate_detections,
    boxes_that_meet,
    lexsort,
    match_detections,
    resampled_detections,
    weighted_sums,
)
from ._codec import from_bytes, in_parts, to_bytes
from .detection_order import Contents, by_content, claimed
from .detection_rules import Rules

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Words = NDArray[np.uint64]

CELLS = 1024  # curves that are held at once

# IoU of pairs (detection, object), by their places in the inputs; of a crowd, the share of the detection.
IoU = Callable[[Ints, Ints, Bools], Floats]


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of one side, in file order.

    image, class_  places among the images and classes
    area           float64
    box            (N, 4) x, y, width, height: tight around the mask where masks are judged
    content        numbers made of the shapes: tell objects apart that are alike in area and box
    score          of detections
    crowd, ignore, unmarked  of ground truths; `excused` of detections (see `kernels.match_detections`)
    size           area of the mask, where that bounds what two objects share; None for boxes
    row            which record of its file each is, or its id in a map; only to find it again
    """

    image: Ints
    class_: Ints
    area: Floats
    box: Floats
    content: Contents
    score: Floats = field(default_factory=lambda: np.empty(0))
    crowd: Bools = field(default_factory=lambda: np.empty(0, bool))
    ignore: Bools = field(default_factory=lambda: np.empty(0, bool))
    unmarked: Bools = field(default_factory=lambda: np.empty(0, bool))
    excused: Bools = field(default_factory=lambda: np.empty(0, bool))
    size: Floats | None = None
    row: Ints = field(default_factory=lambda: np.empty(0, np.int64))

    def take(self, at: Ints) -> Objects:
        """These objects, in this order."""
        parts: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "content"}
        taken: dict[str, Any] = {k: x.take(at, axis=0) if x is not None and len(x) else x for k, x in parts.items()}
        return Objects(**taken, content=Taken(self.content, at))


@dataclass(frozen=True)
class Taken:
    """The contents of some objects."""

    source: Contents
    at: Ints

    def __getitem__(self, rows: Ints) -> Ints:
        return self.source[self.at[rows]]


class Judged(NamedTuple):
    """What came of matching: objects in the order in which they were judged, their places in the inputs, the pairs."""

    found: Objects
    truths: Objects
    found_at: Ints
    truths_at: Ints
    rank: Ints
    cells: Cells
    keys: Ints
    pairs: Meetings
    matched: Matched


def judge(truths: Objects, found: Objects, rules: Rules, iou: IoU | None, partners: bool = False) -> Judged:
    """Match detections with objects of their class and image under the rules; without `iou` boxes are judged."""
    classes = 1 + max(int(x.class_.max(initial=0)) for x in (truths, found))
    key_t, key_f = (x.image * classes + x.class_ for x in (truths, found))
    if rules.filed:
        turn = np.arange(key_t.size)
        t_at = lexsort((-turn if rules.tide else turn, key_t))  # the last of equals is taken
        f_at = lexsort((-found.score, key_f))
    else:
        t_at = by_content(key_t, truths, truths.ignore, truths.crowd)
        f_at = by_content(key_f, found, -found.score)
    cells, keys = _cells(key_t[t_at], key_f[f_at])
    rank = np.arange(f_at.size) - np.repeat(cells.detections[:-1], np.diff(cells.detections))
    if rules.filed and not (kept := rank < rules.cap).all():  # what is cut meets nobody
        f_at = f_at[kept]
        cells, keys = _cells(key_t[t_at], key_f[f_at])
    t, f = truths.take(t_at), found.take(f_at)
    pairs = _meetings(t, f, t_at, f_at, cells, rules, iou, min(rules.thresholds, default=1.0))
    if not rules.filed:
        order = claimed(cells, f.score, pairs, t.crowd | t.ignore)
        f, f_at, pairs = f.take(order), f_at[order], _renumbered(pairs, order)
        if (kept := np.flatnonzero(rank < rules.cap)).size < rank.size:
            f, f_at, pairs = f.take(kept), f_at[kept], _renumbered(pairs, kept)
            cells, keys = _cells(key_t[t_at], key_f[f_at])
    rank = np.arange(f_at.size) - np.repeat(cells.detections[:-1], np.diff(cells.detections))
    none_t, none_f = np.zeros(t_at.size, bool), np.zeros(f_at.size, bool)
    marks = {
        "ignore": t.ignore, "crowd": t.crowd,
        "unmarked": t.unmarked if t.unmarked.size else none_t, "excused": f.excused if f.excused.size else none_f,
    }  # fmt: skip
    matched = match_detections(cells, pairs, f.area, t.area, marks, rules.steps, rules.ranges, partners)
    return Judged(f, t, f_at, t_at, rank, cells, keys, pairs, matched)


def _cells(truths: Ints, found: Ints) -> tuple[Cells, Ints]:
    """The cells that occur, from ascending keys of both sides."""
    keys = _distinct(np.sort(np.concatenate([_distinct(truths), _distinct(found)])))
    return Cells(*(np.append(np.searchsorted(x, keys), x.size) for x in (found, truths))), keys


def _distinct(ascending: Ints) -> Ints:
    return ascending[np.append(True, ascending[1:] != ascending[:-1])] if ascending.size else ascending


def meetings_in_images(
    t: Objects, f: Objects, t_at: Ints, f_at: Ints, rules: Rules, iou: IoU | None, least: float
) -> Meetings:
    """The pairs of an image, of one class or two, whose IoU is at least `least`; both sides are in order of images."""
    return _meetings(t, f, t_at, f_at, _cells(t.image, f.image)[0], rules, iou, least)


def _meetings(
    t: Objects, f: Objects, t_at: Ints, f_at: Ints, cells: Cells, rules: Rules, iou: IoU | None, least: float
) -> Meetings:
    """The pairs of each cell whose IoU is at least `least`."""
    bounds = None if iou is None or f.size is None or t.size is None else (f.size, t.size)
    near = boxes_that_meet(cells, f.box, t.box, t.crowd, bounds, least if bounds or iou is None else 0.0)
    crowd = t.crowd[near.truth]
    values = near.iou if iou is None else iou(f_at[near.detection], t_at[near.truth], crowd)
    if rules.tide:  # a crowd excuses above the threshold, not at it
        values = np.where(crowd, np.nextafter(values, 0), values)
    kept = values >= least
    return Meetings(near.detection[kept], near.truth[kept], values[kept])


def _renumbered(pairs: Meetings, order: Ints) -> Meetings:
    """The pairs of the detections `order`, in this order."""
    place = np.full(1 + max(int(x.max(initial=-1)) for x in (order, pairs.detection)), -1)
    place[order] = np.arange(order.size)
    d = place[pairs.detection]
    by = lexsort((pairs.truth, d))
    by = by[d[by] >= 0]
    return Meetings(d[by], pairs.truth[by], pairs.iou[by])


class Table(NamedTuple):
    """Of some classes (their places) and at each threshold, (..., classes, T): area under the curve, and recall.

    Classes that are not here have no objects in any image.
    """

    classes: Ints
    area: Floats
    recall: Floats


class Cell(NamedTuple):
    """Curves of classes in images: precision (T, R, cells), recall (T, cells), by image and class."""

    image: Ints
    class_: Ints
    precision: Floats
    recall: Floats


@dataclass(frozen=True, eq=False)
class Detections:
    """Detections of all images, of each, or of resamples, under one set of rules.

    image_number   (I,) what orders the images
    classes        (K,) ids, ascending
    group          (K,) the frequency group of a class: 0 none, 1 rare, 2 common, 3 frequent
    det_class, det_image, det_rank, det_score   (N,) sorted by class, score, image, rank
    hits, ignored  (A, N) bits by threshold
    gt_class, gt_image  (G,) places
    gt_counted     (A, G) whether an object is looked for in an area range
    averaged       (K,) whether a class takes part in means over classes; None for all
    binary         objects have no classes
    whole          where these are but some of the images: those of all, on which an operating point is chosen
    weights        None: all images together; "images": each; a matrix (B, I): resamples
    """

    name: ClassVar[str] = "detections"

    rules: Rules
    image_number: Ints
    classes: Ints
    group: Ints
    det_class: Ints
    det_image: Ints
    det_rank: Ints
    det_score: Floats
    hits: Words
    ignored: Words
    gt_class: Ints
    gt_image: Ints
    gt_counted: Bools
    averaged: Bools | None = None
    weights: Floats | str | None = None
    binary: bool = False
    whole: Detections | None = field(default=None, repr=False)
    memo: dict[Any, Any] = field(default_factory=dict[Any, Any], repr=False)

    @property
    def images(self) -> int:
        """How many images there are."""
        return self.image_number.size

    @property
    def leading(self) -> tuple[int, ...]:
        """The shape in front of the classes: that of the images or of the resamples."""
        if self.weights is None:
            return ()
        return (self.images if isinstance(self.weights, str) else len(self.weights),)

    # Reading

    def precision(self, area: str = "all", cap: int | None = None) -> tuple[Floats, Floats, Floats] | None:
        """Precision and score (T, R, K) and recall (T, K) of all images; None where the rules have no such range."""
        a, cap = self.rules.area(area), self.rules.cap if cap is None else cap
        if a is None or cap > self.rules.cap:
            return None
        if ("precision", a, cap) not in self.memo:
            objects = np.bincount(self.gt_class[self.gt_counted[a]], minlength=self.classes.size).astype(np.int64)
            begin = np.searchsorted(self.det_class, np.arange(self.classes.size + 1))
            found = accumulate_detections(self._ranked(a, begin), objects, cap)
            if self.rules.tide:  # a class that is found and not there has 0
                at = self.det_class[(self.ignored[a] & self._steps) != self._steps]
                made_up = (objects == 0) & (np.bincount(at, minlength=objects.size) > 0)
                for x in found:
                    x[..., made_up] = 0
            self.memo["precision", a, cap] = found
        return self.memo["precision", a, cap]

    def recall(self, area: str = "all", cap: int | None = None) -> Floats | None:
        """(T, K) the recall of all images; None where the rules have no such range."""
        a, cap = self.rules.area(area), self.rules.cap if cap is None else cap
        known = ("precision", a, cap) in self.memo or self.rules.tide
        found = (self if known else self._without_curves).precision(area, cap)
        return None if found is None else found[2]

    def table(self, area: str = "all", cap: int | None = None, curves: bool = True) -> Table | None:
        """Of resamples; NaN where undefined, as the areas are without `curves`. None where there is no such range."""
        a, cap = self.rules.area(area), self.rules.cap if cap is None else cap
        if a is None or cap > self.rules.cap:
            return None
        if ("table", a, cap) not in self.memo:
            if not curves and not self.rules.tide and not self.rules.trapezoid:
                return self._without_curves.table(area, cap)
            self.memo["table", a, cap] = self._trapezoids(a) if self.rules.trapezoid else self._resampled(a, cap)
        return self.memo["table", a, cap]

    @property
    def _without_curves(self) -> Detections:
        """The same with precision read nowhere, for recalls alone."""
        if "bare" not in self.memo:
            self.memo["bare"] = replace(self, rules=replace(self.rules, recalls=()), memo={})
        return self.memo["bare"]

    def objects(self, area: str = "all") -> Ints:
        """(K,) the objects to be found."""
        a = self.rules.area(area)
        at = self.gt_class if a is None else self.gt_class[self.gt_counted[a]]
        return np.bincount(at, minlength=self.classes.size).astype(np.int64)

    def by_image(self) -> Detections:
        """The same, answering for each image."""
        return replace(self, weights="images", memo={})

    def resampled(self, weights: Floats) -> Detections:
        """The same, answering for resamples: image i is there weights[b, i] times."""
        return replace(self, weights=weights, memo={})

    def among(self, classes: Ints) -> Detections:
        """The same with these classes, which hold all of its own."""
        place = np.searchsorted(classes, self.classes)
        none = np.zeros(classes.size, np.int64)
        return replace(
            self, classes=classes, group=none, averaged=None, memo={},
            det_class=place[self.det_class], gt_class=place[self.gt_class],
        )  # fmt: skip

    @property
    def _steps(self) -> np.uint64:
        return np.uint64((1 << self.rules.steps.size) - 1)

    def _ranked(self, a: int, begin: Ints, order: Ints | None = None) -> Ranked:
        parts = self.det_score, self.det_rank, self.hits[a], self.ignored[a]
        if order is not None:
            parts = tuple(x[order] for x in parts)
        return Ranked(begin, *parts, self.rules.levels, self.rules.steps.size, not self.rules.filed)  # type: ignore[arg-type]

    def each_image(self, area: str = "all", cap: int | None = None) -> Iterator[Cell]:
        """The curves of the images that have objects in a range of area, some at a time."""
        a, cap = self.rules.area(area), self.rules.cap if cap is None else cap
        if a is None or cap > self.rules.cap:
            return
        k, counted = self.classes.size, self.gt_counted[a]
        cells, objects = np.unique(self.gt_image[counted] * k + self.gt_class[counted], return_counts=True)
        own = self.det_image * k + self.det_class
        if self.rules.tide:
            kept = (self.ignored[a] & self._steps) != self._steps
            made_up = np.setdiff1d(own[kept], cells)
            turn = np.argsort(np.append(cells, made_up))
            cells = np.append(cells, made_up)[turn]
            objects = np.append(objects, np.zeros(made_up.size, np.int64))[turn]
        order = np.argsort(own, kind="stable")
        own = own[order]
        first = np.flatnonzero(np.diff(cells // k, prepend=-1))  # whole images at a time
        cuts = np.append(first[np.flatnonzero(np.diff(first // CELLS, prepend=-1))], cells.size).tolist()
        for low, high in pairwise(cuts):
            here = cells[low:high]
            mine = order[np.searchsorted(own, here[0]) : np.searchsorted(own, here[-1], "right")]
            mine = mine[np.isin(self.det_image[mine] * k + self.det_class[mine], here)]
            begin = np.append(np.searchsorted(self.det_image[mine] * k + self.det_class[mine], here), mine.size)
            found = accumulate_detections(self._ranked(a, begin, mine), objects[low:high], cap)
            yield Cell(here // k, here % k, *(np.maximum(x, 0) for x in (found[0], found[2])))

    def _resampled(self, a: int, cap: int) -> Table:
        weights = np.ascontiguousarray(self.weights, np.float64)
        there = self.gt_class[self.gt_counted[a]], self.gt_image[self.gt_counted[a]]
        kept = (self.ignored[a] & self._steps) != self._steps
        found_too = self.det_class[kept] if self.rules.tide else there[0][:0]
        classes = np.unique(np.concatenate([there[0], found_too]))  # the others have nothing in any resample
        place = np.full(self.classes.size, -1)
        place[classes] = np.arange(classes.size)

        def summed(class_: Ints, image: Ints) -> Floats:
            """How many there are of each class, in each resample."""
            counts = np.bincount(image * classes.size + place[class_], minlength=self.images * classes.size)
            return weighted_sums(weights, counts.reshape(self.images, classes.size).astype(np.float64))

        objects = summed(*there)
        mine = np.flatnonzero(place[self.det_class] >= 0)
        begin = np.searchsorted(place[self.det_class[mine]], np.arange(classes.size + 1))
        ranked, unit = self._ranked(a, begin, mine), self.det_image[mine]

        from concurrent.futures import ThreadPoolExecutor

        def some(part: slice) -> tuple[Floats, Floats]:
            return resampled_detections(ranked, weights[part], unit, objects[part], cap)

        step = -(-len(weights) // (os.cpu_count() or 1)) or 1
        parts = [slice(b, b + step) for b in range(0, len(weights) or 1, step)]
        with ThreadPoolExecutor(len(parts)) as pool:  # a resample knows nothing of the others
            found = [np.concatenate(x) for x in zip(*pool.map(some, parts), strict=True)]
        if self.rules.tide:
            made_up = summed(self.det_class[kept], self.det_image[kept]) > 0
            for x in found:
                x[made_up & (objects == 0)] = 0
        return Table(classes, found[0], found[1])

    def _trapezoids(self, a: int) -> Table:
        """The tables of Cityscapes: a class with objects and without detections has 0."""
        if self.weights is None:
            weights = np.ones((1, self.images))
        else:
            weights = np.eye(self.images) if isinstance(self.weights, str) else self.weights
        k, t = self.classes.size, self.rules.steps.size
        area, recall = np.full((2, len(weights), k, t), np.nan)
        bits = (np.uint64(1) << np.arange(t, dtype=np.uint64))[:, None]
        right, kept = (self.hits[a] & bits) > 0, (self.ignored[a] & bits) == 0
        for b, w in enumerate(weights):
            gts = np.bincount(self.gt_class[self.gt_counted[a]], w[self.gt_image[self.gt_counted[a]]], k)
            here = w[self.det_image]
            for c in np.flatnonzero(gts > 0).tolist():
                mine = self.by_class[c]
                for i in range(t):
                    at = kept[i, mine] & (here[mine] > 0)
                    parts = self.det_score[mine][at], right[i, mine][at].astype(np.float64), here[mine][at]
                    found = float((parts[1] * parts[2]).sum())
                    area[b, c, i] = area_under(*parts, float(gts[c]) - found) if here[mine].any() else 0.0
                    recall[b, c, i] = found / gts[c]
        every = np.arange(k)
        return Table(every, area[0], recall[0]) if self.weights is None else Table(every, area, recall)

    # Keeping

    def to_bytes(self) -> bytes:
        """One image, packed."""
        arrays = {n: getattr(self, n) for n in _KEPT}
        arrays["det_score"] = self.det_score.view(np.int64)
        return to_bytes({n: x.astype(np.int64) for n, x in arrays.items()})

    @cached_property
    def by_class(self) -> list[slice]:
        """Where the detections of each class lie."""
        begin = np.searchsorted(self.det_class, np.arange(self.classes.size + 1)).tolist()
        return [slice(a, b) for a, b in pairwise(begin)]

    def __add__(self, other: Detections) -> Detections:
        return joined([self, other], self.classes, self.group)


def area_under(score: Floats, truth: Floats, times: Floats, missed: float) -> float:
    """The trapezoid sum of Cityscapes, in its order of operations; each detection is there so many times.

    >>> area_under(np.array([0.9, 0.5]), np.array([0.0, 1.0]), np.ones(2), missed=0)
    0.25
    """
    order = np.argsort(score, kind="stable")
    _, start = np.unique(score[order], return_index=True)
    below = np.append(0.0, np.cumsum((truth * times)[order]))[start]
    passed = np.append(0.0, np.cumsum(times[order]))[start]
    tp = (truth * times).sum() - below
    fp = times.sum() - passed - tp
    precision: NDArray[Any] = np.append(tp / (tp + fp), 1.0)
    recall = np.append(tp / (tp + below + missed), 0.0)
    widths = np.convolve(np.concatenate([recall[:1], recall, [0.0]]), [-0.5, 0.0, 0.5], "valid")
    return float(np.dot(precision, widths))


_KEPT = (
    "image_number", "det_class", "det_image", "det_rank", "det_score", "hits", "ignored", "gt_class", "gt_image",
    "gt_counted",
)  # fmt: skip


def read(blobs: Iterable[bytes], rules: Rules, classes: Ints, group: Ints, binary: bool = False) -> Detections:
    """What `to_bytes` packed of images, as one statistic."""
    parts: list[Detections] = []
    for blob in blobs:
        x: dict[str, Any] = dict(from_bytes(blob))
        x["det_score"] = x["det_score"].view(np.float64)
        x["hits"], x["ignored"] = x["hits"].astype(np.uint64), x["ignored"].astype(np.uint64)
        x["gt_counted"] = x["gt_counted"].astype(bool)
        parts.append(Detections(rules, classes=classes, group=group, binary=binary, **x))
    return joined(parts, classes, group, rules, binary)


def joined(
    parts: Sequence[Detections], classes: Ints, group: Ints, rules: Rules | None = None, binary: bool | None = None
) -> Detections:
    """The images of all parts as one statistic; images stay in the order of the parts."""
    rules = parts[0].rules if rules is None else rules
    areas, none = len(rules.areas), np.empty(0, np.int64)
    first = np.cumsum([0, *(p.images for p in parts)])

    def column(name: str, empty: Any = none) -> Any:
        return np.concatenate([getattr(p, name) for p in parts], axis=-1) if parts else empty

    def image(name: str) -> Ints:
        return np.concatenate([getattr(p, name) + a for p, a in zip(parts, first.tolist(), strict=False)] or [none])

    number = column("image_number")
    det_class, det_image, det_rank = column("det_class"), image("det_image"), column("det_rank")
    score = column("det_score", np.empty(0))
    order = lexsort((det_rank, number.take(det_image), -score, det_class))
    words = np.empty((areas, 0), np.uint64)
    return Detections(
        rules, number, classes, group, det_class.take(order), det_image.take(order), det_rank.take(order),
        score.take(order),
        column("hits", words).take(order, axis=1), column("ignored", words).take(order, axis=1),
        column("gt_class"), image("gt_image"), column("gt_counted", np.empty((areas, 0), bool)),
        binary=bool(parts and parts[0].binary) if binary is None else binary,
    )  # fmt: skip


def detections_of(
    judged: Judged, rules: Rules, image_number: Ints, classes: Ints, group: Ints | None = None, binary: bool = False,
    *, ordered: bool = True,
) -> Detections:  # fmt: skip
    """The statistic of what was judged; not `ordered` only to be joined with others."""
    f, t = judged.found, judged.truths
    low, high = rules.ranges[:, :1], rules.ranges[:, 1:]
    found = Detections(
        rules, image_number, classes, np.zeros(classes.size, np.int64) if group is None else group,
        f.class_, f.image, judged.rank, f.score, judged.matched.hits, judged.matched.ignored,
        t.class_, t.image, ~t.ignore & (t.area >= low) & (t.area <= high), binary=binary,
    )  # fmt: skip
    return in_order(found) if ordered else found


def in_order(d: Detections, last: Bools | None = None) -> Detections:
    """The same with its detections by class, score, image and rank; of equal scores those come `last`."""
    turn = np.zeros(d.det_class.size, bool) if last is None else last
    order = lexsort((d.det_rank, d.image_number[d.det_image], turn, -d.det_score, d.det_class))
    return replace(
        d, det_class=d.det_class[order], det_image=d.det_image[order], det_rank=d.det_rank[order],
        det_score=d.det_score[order], hits=d.hits.take(order, axis=1), ignored=d.ignored.take(order, axis=1), memo={},
    )  # fmt: skip


def packed_by_image(d: Detections) -> list[bytes]:
    """Each image of a statistic by itself, in their order, as `to_bytes` packs it."""
    det, gt = np.argsort(d.det_image, kind="stable"), np.argsort(d.gt_image, kind="stable")
    every = np.arange(d.images + 1)
    det_at, gt_at = np.searchsorted(d.det_image[det], every), np.searchsorted(d.gt_image[gt], every)
    parts: dict[str, tuple[Ints, Ints]] = {"image_number": (d.image_number, every)}
    for name in _KEPT[1:]:
        order, at = (gt, gt_at) if name.startswith("gt_") else (det, det_at)
        x = getattr(d, name).take(order, axis=-1)
        x = np.zeros_like(x) if name in ("det_image", "gt_image") else x  # the first of one image
        parts[name] = x.view(np.int64) if name == "det_score" else x.astype(np.int64), at
    return in_parts(parts)
