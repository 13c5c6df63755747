"""Inspection: what would be evaluated, before any work. Nothing stops it; everything wrong is listed.

Every file is read once and on its own: shapes, types, the labels on both sides with their pixels. From
that follow the share of void, the class frequencies, the labels that no label file knows, the pairs
that do not fit, and what `--task auto` would choose and why. A prediction of floats that are not integers
is a map of scores, of which the range is shown, and what is no probability is a problem. Of COCO files the
masks are decoded as well.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .class_maps import class_first
from .errors import DataError
from .formats.coco import KINDS, Annotations, Results, read_annotations, read_results
from .formats.label_maps import Opened, OpenedScores, open_label_map, open_prediction
from .kernels import joint_counts
from .labels import LabelSet
from .masks import LabelMap, label_map, pair
from .pairing import Pair, Pairing
from .progress import Bar
from .statistics.confusion import MAX_CLASSES, Reading
from .statistics.score_maps import counted_pixels, explain_outside
from .tasks import Choice, Side, choose

T = TypeVar("T")


@dataclass
class SideFound:
    """One side of the data set: how often each shape, grid, type and label occurs. `side.many` cuts the labels off.

    `sizes` are the pixels of every label but 0 in each image, which are those of objects where labels are ids.
    `scores` are the least and the greatest score where maps of scores are among the files.
    """

    files: int = 0
    shapes: Counter[tuple[int, ...]] = field(default_factory=Counter)
    grids: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    pixels: Counter[int] = field(default_factory=Counter)
    images: Counter[int] = field(default_factory=Counter)
    sizes: list[NDArray[np.int64]] = field(default_factory=list[NDArray[np.int64]])
    scores: tuple[float, float] | None = None
    side: Side = field(default_factory=Side)


@dataclass
class Inspection:
    """What was found; `problems` are lines that name a file, `choice` is None where no task can be told."""

    pairing: Pairing
    gt: SideFound = field(default_factory=SideFound)
    pred: SideFound = field(default_factory=SideFound)
    notes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    choice: Choice | None = None
    why_not: str | None = None

    def void(self, reading: Reading) -> tuple[int, int]:
        """Pixels whose ground truth is void, and all pixels."""
        labels = np.array(sorted(self.gt.pixels), np.int64)
        n = np.array([self.gt.pixels[v] for v in labels.tolist()], np.int64)
        kept = np.isin(reading.class_of(labels), reading.classes(labels.tolist()))
        return int(n[~kept].sum()), int(n.sum())

    def unknown(self, labels: LabelSet | None, ignore: Sequence[int]) -> dict[str, list[int]]:
        """Labels that no label file knows, by side."""
        if labels is None:
            return {}
        known = labels.ignoring(ignore).id_of_source
        sides = {"ground truth": self.gt, "prediction": self.pred}
        return {k: v for k, s in sides.items() if (v := sorted(x for x in s.pixels if x not in known))}


@dataclass(frozen=True)
class _File:
    """What one file holds."""

    shape: tuple[int, ...]
    dtype: str
    values: tuple[int, ...]
    pixels: tuple[int, ...]
    notes: tuple[str, ...]
    grid: str | None = None
    scores: tuple[float, float] | None = None


def inspect(
    pairing: Pairing,
    labels: LabelSet | None = None,
    ignore: Sequence[int] = (),
    max_pixels: int | None = None,
    workers: int | None = None,
    bar: Bar | None = None,
    class_axis: int | None = None,
    logits: bool = False,
) -> Inspection:
    """Read every file and say what is there; `class_axis` and `logits` are those of evaluate."""
    found = Inspection(pairing)
    look = partial(_look, labels=labels, ignore=ignore, max_pixels=max_pixels, class_axis=class_axis, logits=logits)
    with ThreadPoolExecutor(workers) as pool:
        for gt, pred, problems in pool.map(look, pairing.pairs):
            _take(found.gt, gt)
            _take(found.pred, pred)
            found.problems += problems
            for side, file in (("ground truth", gt), ("prediction", pred)):
                found.notes.update(f"{side}: {note}" for note in (file.notes if file else ()))
            if bar is not None:
                bar.advance(1)
    try:
        if class_axis is None:
            found.choice = choose(found.gt.side, found.pred.side, ignore, labels is not None)
        else:
            found.choice = Choice("semantic", f"the prediction holds scores of classes along axis {class_axis}", True)
    except DataError as error:
        found.why_not = str(error)
    return found


def _look(
    one: Pair,
    labels: LabelSet | None,
    ignore: Sequence[int],
    max_pixels: int | None,
    class_axis: int | None,
    logits: bool,
) -> tuple[_File | None, _File | None, list[str]]:
    problems: list[str] = []

    def tried(path: Path | None, read: Callable[[Path], T]) -> T | None:
        try:
            return None if path is None else read(path)
        except DataError as error:
            problems.append(str(error.at(path or one.gt)))
            return None

    gt = tried(one.gt, lambda path: _labels(open_label_map(path, labels, max_pixels)))
    region = None if gt is None else counted_pixels(label_map(gt[0], ignore=ignore))
    size = None if gt is None else gt[0].array.shape
    pred = tried(one.pred, lambda path: _prediction(path, labels, max_pixels, class_axis, size))
    for path, side, title in ((one.gt, gt, "ground truth"), (one.pred, pred, "prediction")):
        if side and path and labels is None:  # labels that are not declared are listed by side
            tried(path, partial(_check_labels, np.array(side[1].values, np.int64), ignore, title))
    if gt and pred:
        fits = tried(one.pred, lambda _: pair(gt[0], pred[0]) or True)
        if fits and pred[1].scores is not None and pred[0].array.dtype.kind == "f":
            tried(one.pred, lambda _: _check_scores(pred[0].array, region, logits))
    return gt and gt[1], pred and pred[1], problems


def _labels(opened: Opened) -> tuple[LabelMap, _File]:
    array = opened.map.array
    values, _, n = joint_counts(array, array)
    known = tuple(values.tolist()), tuple(n.tolist())
    return opened.map, _File(array.shape, str(array.dtype), *known, opened.notes, grid(opened.map))


def _prediction(
    path: Path, labels: LabelSet | None, max_pixels: int | None, class_axis: int | None, size: tuple[int, ...] | None
) -> tuple[LabelMap, _File]:
    """Labels, or scores: of scores of classes the map is that of the first class."""
    opened = open_prediction(path, labels, max_pixels)
    if class_axis is None and isinstance(opened, Opened):
        return _labels(opened)
    if class_axis is None and opened.map is not None:
        return _labels(Opened(opened.map, opened.digest, opened.notes))
    scores = opened.scores if isinstance(opened, OpenedScores) else opened.map.array
    image = scores if class_axis is None else class_first(opened, class_axis, size or scores.shape[1:])[0]
    source = opened if isinstance(opened, OpenedScores) else opened.map
    placed = LabelMap(image, spacing=source.spacing, affine=source.affine)
    finite = scores[np.isfinite(scores)]
    ends = (float(finite.min()), float(finite.max())) if finite.size else (math.nan, math.nan)
    return placed, _File(scores.shape, str(scores.dtype), (), (), opened.notes, grid(placed), ends)


def _check_labels(values: NDArray[np.int64], ignore: Sequence[int], title: str, _: Path) -> None:
    Reading(None, tuple(ignore)).check(values, title)


def _check_scores(scores: NDArray[Any], counted: NDArray[np.bool_] | None, logits: bool) -> None:
    """Raise LabelError for what evaluate would refuse; of scores of classes the first is looked at."""
    odd = ~np.isfinite(scores) if logits else ~((scores >= 0) & (scores <= 1))
    if (odd if counted is None else odd & counted).any():
        raise explain_outside(scores, counted)


def grid(found: LabelMap) -> str | None:
    """The geometry of a map in words, in the order of its axes; None where its file says nothing of it.

    >>> grid(LabelMap(np.zeros((2, 3, 4)), spacing=(3, 1, 1), affine=(-1, 0, 0, 9, 0, -1, 0, 8, 0, 0, 3, 7)))
    '3 x 1 x 1 mm towards S, P, L, first voxel at (9, 8, 7)'
    """
    if found.spacing is None:
        return None
    size = " x ".join(f"{step:.6g}" for step in found.spacing) + " mm"
    if found.affine is None or found.array.ndim != 3:
        return size
    towards: list[str] = []
    for axis in (2, 1, 0):
        column = found.affine[axis::4]
        most = max(range(3), key=lambda i: abs(column[i]))
        towards.append("RLAPSI"[2 * most + (column[most] < 0)])
    origin = ", ".join(f"{x:.6g}" for x in found.affine[3::4])
    return f"{size} towards {', '.join(towards)}, first voxel at ({origin})"


def _take(side: SideFound, file: _File | None) -> None:
    if file is None:
        return
    side.files += 1
    side.shapes[file.shape] += 1
    side.types[file.dtype] += 1
    side.sizes.append(np.array(file.pixels, np.int64)[np.array(file.values) != 0])
    side.grids.update([file.grid] if file.grid else [])
    if file.scores is not None:
        low, high = side.scores or file.scores
        side.scores = min(low, file.scores[0]), max(high, file.scores[1])
        side.side.floats = True
        return
    side.side.see(file.values)
    side.side.many |= len(file.values) > MAX_CLASSES
    if len(side.pixels) <= 4 * MAX_CLASSES:
        side.pixels.update(dict(zip(file.values, file.pixels, strict=True)))
        side.images.update(file.values)


@dataclass
class DetectionInspection:
    """What two COCO files hold; a side that cannot be read is None, and `problems` says why."""

    gt: Annotations | None = None
    pred: Results | None = None
    problems: list[str] = field(default_factory=list[str])

    def classes(self) -> list[tuple[str, int, int]]:
        """Name, annotations and results of each category that has any."""
        if self.gt is None:
            return []
        names = self.gt.categories.name
        gt = np.bincount(self.gt.category, minlength=len(names)).tolist()
        pred = [0] * len(names) if self.pred is None else np.bincount(self.pred.category, minlength=len(names)).tolist()
        return [row for row in zip(names, gt, pred, strict=True) if row[1] or row[2]]


def inspect_detections(gt: Path, pred: Path) -> DetectionInspection:
    """Read a COCO ground truth and results, decode their masks, and say what is there."""
    found = DetectionInspection()
    try:
        found.gt = read_annotations(gt)
        found.pred = read_results(pred, found.gt)
    except DataError as error:
        found.problems.append(str(error))
    for side in (found.gt, found.pred):
        if side is not None and len(side):
            try:
                _ = side.segmentation.outlines  # which looks at every mask
            except DataError as error:
                found.problems.append(str(error))
    return found


def kinds_of(side: Annotations | Results) -> dict[str, int]:
    """How many segmentations of each kind a file has."""
    n = np.bincount(side.segmentation.kind, minlength=len(KINDS)).tolist()
    return {kind: k for kind, k in zip(KINDS, n, strict=True) if k}
