"""Detections of COCO JSON judged: two files as columns, and the statistic of their images.

All images are judged together, a block at a time: the files are read once, as columns, and no object of Python is
made for an annotation. An image without results has none; results are matched to images by `image_id`.

What a run of such files is beside that, see `detecting`. This module imports little, as reading and judging take no
longer than importing the rest would.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, UsageError
from .formats.coco import (
    Annotations,
    Categories,
    Lists,
    Results,
    Segmentations,
    read_annotations,
    read_results,
    scan_results,
)
from .formats.remote import is_remote, located
from .kernels import lexsort
from .statistics.detection_order import Contents
from .statistics.detection_rules import LVIS, Rules, rules_of
from .statistics.detections import Detections, IoU, Judged, Objects, Taken, detections_of, joined, judge

if TYPE_CHECKING:
    from .labels import LabelSet
    from .rle import Masks, Outlines
    from .statistics.encounters import Encounters

ON = ("mask", "box")
BLOCK = 256  # images that are judged together
FREQUENCIES = {"r": 1, "c": 2, "f": 3}

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Data:
    """Both files, the images by name, the rules, and how many threads read and judge all at once."""

    annotations: Annotations
    results: Results
    rules: Rules
    on: str
    threads: int = 1

    @cached_property
    def labels(self) -> LabelSet:
        """The categories as labels."""
        from .labels import Label, LabelSet

        c = self.annotations.categories
        return LabelSet(tuple(Label(i, n) for i, n in zip(c.id.tolist(), c.name, strict=True)))

    @cached_property
    def groups(self) -> tuple[int, ...]:
        """How frequent LVIS calls each category; empty where the file does not say."""
        return tuple(FREQUENCIES.get(f, 0) for f in self.annotations.categories.frequency or ())

    def without_classes(self) -> Data:
        """The same with all categories as one, whose objects come in the order of their categories."""
        a, r = self.annotations, self.results
        kinds = Categories(np.array([-1]), ["all"])
        x, y = np.argsort(a.category, kind="stable"), np.argsort(r.category, kind="stable")
        return replace(
            self,
            annotations=replace(
                a, categories=kinds, row=a.row[x], id=a.id[x], image=a.image[x], category=np.zeros_like(a.category),
                area=a.area[x], crowd=a.crowd[x], ignore=a.ignore[x], box=a.box[x],
                segmentation=cast(Any, _Reordered(a.segmentation, x)),
            ),
            results=replace(
                r, row=r.row[y], image=r.image[y], category=np.zeros_like(r.category), score=r.score[y],
                area=r.area[y], box=r.box[y], segmentation=cast(Any, _Reordered(r.segmentation, y)),
            ),
        )  # fmt: skip

    def whole(self, rules: Rules) -> Detections:
        """The statistic of all images; neither blocks nor threads move a bit of it."""
        return joined(self.blocks(rules), self.annotations.categories.id, self.group_numbers, rules)

    def blocks(self, rules: Rules) -> list[Detections]:
        """The same a block of images at a time."""
        images = np.arange(len(self.annotations.images))
        blocks = [images[b : b + BLOCK] for b in range(0, images.size, BLOCK)]
        if self.threads <= 1:
            found = [self._part(block, rules) for block in blocks]
        else:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(self.threads) as pool:
                found = list(pool.map(partial(self._part, rules=rules), blocks))
        return found

    def _part(self, chosen: Ints, rules: Rules) -> Detections:
        judged, _, about = self._judged(chosen, rules)
        return detections_of(judged, rules, *about, ordered=False)  # as joining orders all

    def judged(self, chosen: Ints, rules: Rules) -> Detections:
        """The statistic of some images, given by their numbers."""
        judged, _, about = self._judged(chosen, rules)
        return detections_of(judged, rules, *about)

    def met(self, chosen: Ints, rules: Rules) -> tuple[Detections, Encounters]:
        """The same, and with it all that the detections meet."""
        from .statistics.encounters import encounters_of

        judged, measure, about = self._judged(chosen, rules)
        return detections_of(judged, rules, *about), encounters_of(judged, rules, measure, *about)

    def _judged(self, chosen: Ints, rules: Rules) -> tuple[Judged, IoU | None, tuple[Ints, Ints, Ints]]:
        images, kinds = self.annotations.images, self.annotations.categories
        truths, gt_at = self._truths(chosen, rules)
        found, dt_at = self._found(chosen, rules, truths)
        measure = None
        if self.on == "mask":
            measure = _measure(self.annotations.segmentation, gt_at, self.results.segmentation, dt_at, rules)
        number = images.row if rules.tide else images.id
        return judge(truths, found, rules, measure), measure, (number[chosen], kinds.id, self.group_numbers)

    @cached_property
    def group_numbers(self) -> Ints:
        """The same as an array, 0 where the file does not say."""
        return np.array(self.groups or [0] * len(self.annotations.categories), np.int64)

    # The rows of each image

    @cached_property
    def _annotated(self) -> _ByImage:
        return _ByImage(np.arange(len(self.annotations)), self.annotations.image, len(self.annotations.images))

    @cached_property
    def _annotated_once(self) -> _ByImage:
        """The same, where of equal ids the last one stands for all."""
        a = self.annotations
        _, first, inverse = np.unique(a.id[::-1], return_index=True, return_inverse=True)
        last = a.id.size - 1 - first[inverse][::-1]
        return _ByImage(last, a.image[last], len(a.images))

    @cached_property
    def _resulting(self) -> _ByImage:
        return _ByImage(np.arange(len(self.results)), self.results.image, len(self.annotations.images))

    @cached_property
    def place(self) -> dict[str, int]:
        """Which image has a name."""
        return {n: k for k, n in enumerate(self.annotations.images.name)}

    # One side as columns

    def _truths(self, chosen: Ints, rules: Rules) -> tuple[Objects, Ints]:
        a = self.annotations
        at, image = (self._annotated_once if rules.marks else self._annotated).of(chosen)
        if rules.federated:
            kept = ~(a.area[at] <= 0)
            at, image = at[kept], image[kept]
        box, size, content = self.shapes(a, at)
        area = a.area.take(at)
        own = box[:, 2] * box[:, 3] if size is None else size
        area = np.where(np.isnan(area) if rules.declared else ~(area > 0), own, area)
        crowd = np.zeros(at.size, bool) if rules.federated else a.crowd[at].astype(bool)
        ignore = crowd | a.ignore[at].astype(bool) if rules.ignore else crowd
        unmarked = (a.id[at] == 0) & rules.marks
        return Objects(
            image, a.category.take(at), area, box, content, crowd=crowd, ignore=ignore, unmarked=unmarked,
            size=size, row=a.row.take(at),
        ), at  # fmt: skip

    def _found(self, chosen: Ints, rules: Rules, truths: Objects) -> tuple[Objects, Ints]:
        r = self.results
        at, image = self._resulting.of(chosen)
        if rules.per_image is not None:
            order = lexsort((-r.score[at], image))
            rank = np.arange(at.size) - np.searchsorted(image, image)
            kept = np.sort(order[rank < rules.per_image])
            at, image = at[kept], image[kept]
        excused = np.zeros(at.size, bool)
        if rules.federated:
            kept, excused = self._federated(at, image, chosen, truths)
            at, image = at[kept], image[kept]
        box, size, content = self.shapes(r, at)
        area = box[:, 2] * box[:, 3] if size is None else size
        if rules.boxed and size is not None:
            given = r.box.take(at, axis=0)
            area = np.where(np.isnan(given[:, 2]), size, given[:, 2] * given[:, 3])
        return Objects(
            image, r.category.take(at), area, box, content, score=r.score.take(at),
            excused=excused, size=size, row=r.row.take(at),
        ), at  # fmt: skip

    def shapes(self, side: Annotations | Results, at: Ints) -> tuple[Floats, Floats | None, Contents]:
        """The boxes to compare, and of masks the areas and numbers made of their runs, which decide ties."""
        if self.on != "mask":
            return side.box.take(at, axis=0), None, np.zeros(at.size, np.int64)
        o = side.segmentation.outlines
        measures = o.measures.take(at, axis=0)
        return measures[:, 1:].astype(np.float64), measures[:, 0].astype(np.float64), Taken(_Contents(o), at)

    def _federated(self, at: Ints, image: Ints, chosen: Ints, truths: Objects) -> tuple[Ints, NDArray[np.bool_]]:
        """Which results are of classes that their image was checked for, and which of them nobody may call wrong."""
        k = len(self.annotations.categories)
        images = self.annotations.images
        absent, unsure = (_listed(x, chosen, k) for x in (images.negative, images.not_exhaustive))
        key = image * k + self.results.category[at]
        kept = np.flatnonzero(np.isin(key, absent) | np.isin(key, truths.image * k + truths.class_))
        return kept, np.isin(key[kept], unsure)


@dataclass(frozen=True)
class _Contents:
    outlines: Outlines

    def __getitem__(self, rows: Ints) -> Ints:
        return self.outlines.contents(rows).view(np.int64)


@dataclass(frozen=True)
class _Reordered:
    """Segmentations in another order."""

    source: Segmentations
    at: Ints

    def masks(self, indices: Ints) -> Masks:
        return self.source.masks(self.at[indices])

    @cached_property
    def outlines(self) -> Outlines:
        return self.source.outlines.take(self.at)


class _ByImage:
    """Rows of a file by the number of their image; those of one image stay as they come."""

    def __init__(self, rows: Ints, image: Ints, images: int) -> None:
        order = lexsort((image,))
        self.rows, self.begin = rows.take(order), np.searchsorted(image.take(order), np.arange(images + 1))

    def of(self, chosen: Ints) -> tuple[Ints, Ints]:
        """The rows of some images, and the place of each one's image among them."""
        return _gathered(self.rows, self.begin, chosen)


def _gathered(values: Ints, begin: Ints, chosen: Ints) -> tuple[Ints, Ints]:
    """Of lists that lie one after the other those that are chosen, and the place of each value's list among them."""
    lengths = np.diff(begin)[chosen]
    place = np.repeat(np.arange(chosen.size), lengths)
    first = begin[chosen] - (np.cumsum(lengths) - lengths)
    return values.take(first.take(place) + np.arange(place.size)), place


def _listed(lists: Lists | None, chosen: Ints, k: int) -> Ints:
    """Categories listed image by image as keys of cells."""
    if lists is None:
        return np.empty(0, np.int64)
    values, image = _gathered(lists.values, lists.offsets, chosen)
    return image * k + values


def _measure(gt: Segmentations, gt_at: Ints, dt: Segmentations, dt_at: Ints, rules: Rules) -> IoU:
    """The IoU of pairs of masks, or the lesser of it and that of their boundaries (of a crowd that of the masks)."""
    from .rle import boundary, iou

    def whole(d: Ints, g: Ints, crowd: NDArray[np.bool_]) -> Floats:
        return iou(dt.outlines, gt.outlines, crowd, (dt_at[d], gt_at[g]))

    def edges(side: Segmentations, at: Ints) -> tuple[Masks, Ints]:
        chosen, place = np.unique(at, return_inverse=True)
        masks = side.masks(chosen)
        return boundary(masks, _widths(masks, rules.boundary)), place

    def both(d: Ints, g: Ints, crowd: NDArray[np.bool_]) -> Floats:
        x, x_at = edges(dt, dt_at[d])
        y, y_at = edges(gt, gt_at[g])
        edge = iou(x, y, np.zeros_like(crowd), (x_at, y_at))
        inside = whole(d, g, crowd)
        return np.where(crowd, inside, np.minimum(inside, edge))

    return both if rules.boundary else whole


def _widths(masks: Masks, share: float) -> Ints:
    """How wide the boundary of each mask is: a share of the image's diagonal, halves rounded to even, 1 at least."""
    h, w = masks.sizes.T.astype(np.float64)
    return np.maximum(np.rint(share * np.sqrt(h**2 + w**2)), 1).astype(np.int64)


def read_detections(
    gt: str | os.PathLike[str],
    pred: str | os.PathLike[str],
    *,
    convention: str | None = None,
    on: str = "mask",
    max_dets: Sequence[int] | None = None,
    use_cats: bool = True,
    workers: int = 1,
) -> Detections:
    """Judge the results of a COCO or LVIS file against its ground truth, all at once: the statistic behind `ap`.

    convention  coco-fixed (the default, lvis for LVIS files), coco, coco-detectron2, coco-boundary, lvis
    on          "mask" or "box"
    max_dets    how many detections of a class count in an image; by default 1, 10 and 100
    use_cats    False: all categories are one
    workers     threads, each for a part of the images; they move no bit

    Raises DataError for files that are not fit, UsageError for a wrong call. `METRICS["ap"].values(d)[-1]` is the
    number over all classes, and `ap.compute(d)` that of each.
    """
    paths = located(gt), located(pred)
    for path in paths:
        stamp(path)
    data = read(*paths, convention, on, max(workers, 1))
    rules = data.rules if max_dets is None else replace(data.rules, max_dets=tuple(sorted(max_dets)))
    data = data if use_cats else data.without_classes()
    classes, group, found = data.annotations.categories.id, data.group_numbers, data.blocks(rules)
    del data  # the files are no longer needed
    return joined(found, classes, group, rules)


def stamp(path: Path) -> tuple[int, int]:
    """What tells whether a file is another one now. Raises DataError where there is none on this machine."""
    if is_remote(path):
        raise DataError("is remote, and lists of detections are read from this machine; copy it here first", path)
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path) from None
    return status.st_mtime_ns, status.st_size


def read(gt: Path, pred: Path, convention: str | None, on: str, threads: int) -> Data:
    """Both files under the rules of a convention. Raises UsageError and DataError."""
    if on not in ON:
        raise UsageError(f"--on must be mask or box, not {on!r}")
    rules = rules_of(convention)
    annotations, results = _both(gt, pred, threads)
    if convention is None and annotations.images.negative is not None:
        rules = LVIS
    if on == "box":
        for side, root in ((annotations, "$.annotations"), (results, "$")):
            _no_negative(side, root)
    return Data(annotations, results, rules, on, threads)


def _both(gt: Path, pred: Path, threads: int) -> tuple[Annotations, Results]:
    if threads <= 1:
        annotations = read_annotations(gt)
        return annotations, read_results(pred, annotations)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:  # both files at once
        scanned = pool.submit(scan_results, pred, threads)
        annotations = read_annotations(gt, threads)
        return annotations, read_results(pred, annotations, threads, scanned.result)


def _no_negative(side: Annotations | Results, root: str) -> None:
    """Boxes have widths and heights from 0 on. Raises DataError."""
    wrong = np.flatnonzero((side.box[:, 2:] < 0).any(axis=1))
    if wrong.size:
        more = f" (and {wrong.size - 1:,} more like this)" if wrong.size > 1 else ""
        said = "bbox has a negative width or height; it is x, y, width, height"
        raise DataError(f"{said} - at `{root}[{side.row[wrong[0]]}].bbox`{more}", side.path)
