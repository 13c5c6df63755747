"""Tiling: images that are larger than the memory they may take are counted tile by tile.

Conventions
    What adds up over pixels is counted so: pairs of labels (confusions, objects of label maps and the pixels they
    share, partitions, scores of integers) and histograms of float scores. An object is the pixels that have its id, in
    whatever tiles these lie, so one that crosses borders counts once. The sums over the tiles are those of the whole
    image to the last bit, whatever the tiles. What depends on where pixels lie (surfaces, topology, connected
    components) is refused for such an image.

    Memory is that of the program and of all images that are counted at the same time. Each may take an equal share of
    what the program itself leaves. An image whose files take less is read whole. NPY, TIFF and Zarr are read in tiles
    of whole chunks as far as these fit; a larger image of any other format is refused.

    The histogram of floats is exact, so it grows with the distinct scores of an image; one that outgrows its share is
    refused.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .counting import (
    Counter,
    Digests,
    Job,
    Plan,
    Region,
    check_labels,
    check_region,
    kept_of,
    positive_labels,
    record_of,
    without_prediction,
)  # fmt: skip
from .errors import DataError, LabelError, UsageError
from .formats import DEFAULT_MAX_PIXELS, Box, TooLarge, boxes, pieces
from .formats.label_maps import Opened, PieceMap, is_integral, open_pieces
from .masks import LabelMap, label_map, pair
from .records import Record
from .statistics.confusion import LabelCounts, count_labels
from .statistics.image_scores import ImageScores
from .statistics.score_maps import counted_pixels, positive_pixels
from .statistics.scores import LIMIT, Scores, scores

Ints = NDArray[np.int64]

PROGRAM = 128 << 20
"""Bytes that the program takes without any image."""

LEAST = 1 << 20  # bytes of an image, below which tiles would be all overhead
WHOLE = 16  # bytes that a pixel of an image takes that is read whole
TABLE = 1 << 18  # pairs of labels that wait to be added up
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12,
          "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}  # fmt: skip


def read_memory(given: int | str) -> int:
    """Bytes of `2GB`, `500MB`, `1.5GiB` or a plain number. Raises UsageError.

    >>> read_memory("2GB"), read_memory("1.5GiB")
    (2000000000, 1610612736)
    """
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?i?)b?\s*", str(given).lower())
    if found is None or found[2] not in _UNITS:
        raise UsageError(f"memory {given!r} is no size; write it as in 2GB, 500MB or 1.5GiB")
    return int(float(found[1]) * _UNITS[found[2]])


def bounded(plan: Counter, memory: int | str, images: int, workers: int) -> Counter:
    """The plan with the memory that each image may take, where up to `workers` are counted at the same time.

    Workers beyond the number of images count tiles. Raises UsageError where the memory is too little for anything.
    """
    if not hasattr(plan, "max_pixels"):
        raise UsageError("--memory is for images; lists of detections are read whole")
    together = max(1, min(images, workers))
    room = (read_memory(memory) - PROGRAM) // together
    if room < LEAST:
        raise UsageError(
            f"--memory {memory} is too little for {together} image{'s' if together > 1 else ''} at a time: the program "
            f"itself takes {PROGRAM >> 20} MiB; give it more, or fewer workers with -j"
        )
    return Bounded(plan, room, max(1, workers // together), f"--memory {memory} for {together} at a time")


@dataclass(frozen=True)
class Bounded:
    """A plan whose images take no more than so many bytes.

    room     bytes that an image may take
    threads  that count the tiles of an image
    said     where the room comes from, for messages
    """

    plan: Counter
    room: int
    threads: int = 1
    said: str = "--memory"

    def count(self, job: Job) -> Record:
        """Count an image, tile by tile where it is too large to be read whole."""
        if isinstance(self.plan, Plan) and (files := _opened(job, self.plan)) is not None:
            if sum(map(_need, files)) <= self.room:
                return self.plan.count(job)
            return self._in_tiles(job, self.plan, *files)
        return self._whole(job)

    def digests(self, job: Job) -> Digests:
        """Those of the plan."""
        return self.plan.digests(job)

    def _whole(self, job: Job) -> Record:
        """Count an image of which some file has to be read whole."""
        asked = getattr(self.plan, "max_pixels", None)
        most = min(self.room // WHOLE, DEFAULT_MAX_PIXELS if asked is None else asked)
        plan: Any = self.plan
        try:
            return replace(plan, max_pixels=most).count(job)
        except TooLarge as error:
            if asked is not None and error.pixels > asked:
                raise
            room = (
                f"there is room for {most} of {error.pixels} pixels ({self.said}); give it more memory or fewer workers"
            )
            if isinstance(self.plan, Plan):
                raise DataError(
                    f"cannot be read in tiles, and {room}, or save it as NPY, tiled TIFF or Zarr", _whole_only(job)
                ) from None
            raise DataError(f"has to be read whole for what is asked, and {room}", error.path) from None

    def _in_tiles(self, job: Job, plan: Plan, gt: PieceMap, pred: PieceMap | None, region: PieceMap | None) -> Record:
        _check(job, plan, gt, pred, region)
        files = [x for x in (gt, pred, region) if x is not None]
        for x in files:
            if not x.pieces.loose and 4 * math.prod(x.pieces.chunk) * x.pieces.bytes_each > self.room:
                shape = " x ".join(map(str, x.pieces.chunk))
                raise DataError(
                    f"is stored in chunks of {shape} pixels, for which there is no room ({self.said}); give it more "
                    "memory, or store it in smaller tiles (256 x 256)", x.path,
                )  # fmt: skip
        each = sum(map(_weight, files)) + (16 if pred is not None and pred.floats else 4)
        tiles = list(boxes(gt.shape, [x.pieces.chunk for x in files], self.room // (2 * self.threads * each)))
        total = _Total(job, self.room // 6, self.said)
        for part in self._each(partial(_tile, plan, gt, pred, region), tiles):
            total.take(part)
        return total.record(plan, gt.opened(), pred and pred.opened())

    def _each(self, count: Callable[[Box], _Part], tiles: Sequence[Box]) -> Iterator[_Part]:
        """What is counted of each tile, by some threads, none far ahead of the others."""
        if self.threads == 1:
            yield from map(count, tiles)
            return
        with ThreadPoolExecutor(self.threads, "maskmeter-tiles") as pool:
            flying: deque[Future[_Part]] = deque()
            for tile in tiles:
                flying.append(pool.submit(count, tile))
                if len(flying) == self.threads:
                    yield flying.popleft().result()
            yield from (x.result() for x in flying)


Files = tuple[PieceMap, PieceMap | None, PieceMap | None]


def _opened(job: Job, plan: Plan) -> Files | None:
    """The files of an image, to be read in tiles; None where one of them has to be read whole."""
    labels = plan.reading.labels
    gt = open_pieces(job.gt, labels, plan.spacing)
    pred = None if job.pred is None else open_pieces(job.pred, labels, plan.spacing)
    region = None if job.region is None else open_pieces(job.region, None, plan.spacing)
    lacking = gt is None or (job.pred and pred is None) or (job.region and region is None)
    return None if gt is None or lacking else (gt, pred, region)


def _whole_only(job: Job) -> Path:
    """The file of an image that cannot be read in tiles."""
    return next((x for x in (job.gt, job.pred, job.region) if x is not None and pieces(x) is None), job.gt)


def _need(file: PieceMap | None) -> int:
    """The bytes that a file takes where it is read whole."""
    return 0 if file is None else math.prod(file.shape) * (_weight(file) + (24 if file.floats else 8))


def _weight(file: PieceMap) -> int:
    """The bytes that each pixel of a tile takes, as it is read and as labels."""
    return 2 * file.pieces.bytes_each + (8 if file.placed.rgb or file.floats else 0)


def _check(job: Job, plan: Plan, gt: PieceMap, pred: PieceMap | None, region: PieceMap | None) -> None:
    """Raise DataError for what cannot be counted in tiles, and for files that do not go together."""
    pixels = math.prod(gt.shape)
    if plan.max_pixels is not None and pixels > plan.max_pixels:
        raise DataError(f"has {pixels} pixels, above the limit of --max-pixels {plan.max_pixels}", job.gt)
    if whole := [*plan.shapes, *(["objects of score maps"] if plan.objects else [])]:
        raise DataError(
            f"has {pixels} pixels, too many to be read whole, and {' and '.join(whole)} cannot be counted in tiles; "
            "give it more with --memory, or leave the metrics that need it away", job.gt,
        )  # fmt: skip
    if pred is not None:
        pair(gt.whole(), pred.whole())
    if region is not None and job.region is not None:
        check_region(job.region, gt.whole(), region.whole())


@dataclass(frozen=True)
class _Part:
    """What was counted of a tile.

    truth   the labels of the ground truth
    labels  the pairs of labels; None where the prediction holds fractions
    scores  the histogram; None where the prediction holds no scores, and `error` may say why
    """

    truth: Ints
    labels: LabelCounts | None
    scores: Scores | None = None
    error: DataError | None = None


def _tile(plan: Plan, gt: PieceMap, pred: PieceMap | None, region: PieceMap | None, box: Box) -> _Part:
    g, inside = gt.part(box), None if region is None else region.part(box).array != 0
    if pred is None:
        labels = without_prediction(g.array, inside)
        if plan.task not in ("auto", "binary"):
            return _Part(np.unique(labels.a), labels)
        return _with_scores(plan, g, np.zeros(g.array.shape, np.float16), inside, False, labels)
    if not pred.floats:
        labels = count_labels(g.array, pred.part(box).array, inside)
        return _Part(np.unique(labels.a), labels)
    samples = pred.samples(box)
    if plan.task not in ("auto", "binary"):
        labels = count_labels(g.array, pred.part(box).array, inside)
        return _Part(np.unique(labels.a), labels)
    labels = None
    if is_integral(samples) and not plan.logits:
        labels = count_labels(g.array, label_map(samples).array, inside)
    return _with_scores(plan, g, samples, inside, plan.logits, labels)


def _with_scores(
    plan: Plan, gt: LabelMap, samples: NDArray[Any], inside: Region, logits: bool, labels: LabelCounts | None
) -> _Part:
    g, named = label_map(gt, ignore=plan.reading.ignore, counted=inside), positive_labels(plan)
    counted = counted_pixels(g)
    truth = np.unique((labels or count_labels(gt.array, gt.array, inside)).a)
    try:
        # Whether a ground truth without named labels is two-valued, all tiles together say.
        up = g.array != 0 if named is None else positive_pixels(g, counted, named)
        return _Part(truth, labels, scores(LabelMap(up), samples, mask=counted, logits=logits, exact=True))
    except DataError as error:
        return _Part(truth, labels, None, error)


class _Total:
    """The tiles of an image, added up."""

    def __init__(self, job: Job, room: int, said: str) -> None:
        self._job, self._room, self._said = job, room, said
        self._truth: set[int] = set()
        self._tables: list[LabelCounts] = []
        self._fractions = False
        self._scores: Scores | None = None
        self._error: DataError | None = None

    def take(self, part: _Part) -> None:
        self._truth |= set(part.truth.tolist())
        self._fractions |= part.labels is None
        if self._fractions or part.labels is None:
            self._tables = []
        else:
            self._tables.append(part.labels)
            if sum(x.n.size for x in self._tables) > TABLE + 2 * self._tables[0].n.size:
                self._tables = [added(self._tables)]
        self._error = self._error or part.error
        if self._error or part.scores is None:
            self._scores = None
            return
        self._scores = part.scores if self._scores is None else self._scores + part.scores
        if self._scores.size * (self._scores.counts.keys.itemsize + 2) > self._room:
            raise DataError(
                f"holds more than {self._scores.size} distinct scores, and there is no room for their exact histogram "
                f"({self._said}); give it more memory, or store the scores as float16 or 16-bit integers",
                self._job.pred,
            )

    def record(self, plan: Plan, gt: Opened, pred: Opened | None) -> Record:
        """The record that the whole image would have."""
        job, statistics, pooled = self._job, dict[str, bytes](), dict[str, Scores]()
        table = None if self._fractions else added(self._tables)
        if table is not None:
            check_labels(plan, table.a, "ground truth", job.gt)
            if job.pred is not None:
                check_labels(plan, table.b, "prediction", job.pred)
            statistics[LabelCounts.name] = table.to_bytes()
        if (found := self._found(plan, gt)) is not None:
            kept = kept_of(plan, found, np.array(sorted(self._truth), np.int64))
            missing = job.pred is None
            statistics[ImageScores.name] = (replace(kept, dtype="") if missing else kept).to_bytes()
            pooled = {} if missing else {Scores.name: found}
        elif table is None:
            raise self._error or LabelError("holds neither labels nor scores")
        return record_of(job, gt, pred, statistics, pooled)

    def _found(self, plan: Plan, gt: Opened) -> Scores | None:
        """The histogram, where there is one."""
        if self._error is None and self._scores is not None and not gt.map.binary and positive_labels(plan) is None:
            values = np.array(sorted(self._truth - set(plan.reading.ignore)), np.int64)
            try:
                positive_pixels(LabelMap(values), None, None)
            except DataError as error:
                self._error = error
        return None if self._error or self._scores is None else replace(self._scores, limit=LIMIT)


def added(tables: Sequence[LabelCounts]) -> LabelCounts:
    """The pairs of labels of several parts of one image."""
    a, b, n = (np.concatenate([getattr(x, f) for x in tables]) for f in ("a", "b", "n"))
    order = np.lexsort((b, a))
    a, b, n = a[order], b[order], n[order]
    first = np.flatnonzero(np.r_[True, (a[1:] != a[:-1]) | (b[1:] != b[:-1])][: a.size])
    total = np.add.reduceat(n, first) if first.size else n
    return LabelCounts(a[first], b[first], total, sum(x.left_out for x in tables), tables[0].depth)


__all__ = ["Bounded", "added", "bounded", "read_memory"]
