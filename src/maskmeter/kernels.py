"""The door to the compiled kernels: typed, documented, without policy.

A kernel counts or measures and decides nothing. Each takes contiguous arrays in native byte order,
never writes into its arguments, and releases the interpreter lock while it works. The plain NumPy
twin of each, which says what it must answer, lives in `tests/reference/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _native

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class LabelRuns(NamedTuple):
    """A map as its runs of equal labels, in the order of its pixels.

    shape   of the map
    ends    (R,) the pixel after the last of each run
    labels  (R,) the label of each run
    """

    shape: tuple[int, ...]
    ends: Ints
    labels: Ints

    def array(self) -> Ints:
        """The map itself."""
        return np.repeat(self.labels, np.diff(self.ends, prepend=0)).reshape(self.shape)


LabelArray = NDArray[Any] | LabelRuns


def joint_counts(a: LabelArray, b: LabelArray, mask: NDArray[np.bool_] | None = None) -> tuple[Ints, Ints, Ints]:
    """The pairs of labels (a[i], b[i]) that occur where `mask` is true, in ascending order, and how often each does.

    `a` and `b` have the same size and any integer or boolean type; uint64 labels must be below 2**63. Two maps that
    are given as runs are counted by run.
    """
    if isinstance(a, LabelRuns) and isinstance(b, LabelRuns) and mask is None:
        rows = _native.joint_runs(a.ends, a.labels, b.ends, b.labels)
    else:
        a, b = (x.array() if isinstance(x, LabelRuns) else x for x in (a, b))
        rows = _native.joint_counts(plain(a), plain(b), None if mask is None else plain(mask))
    return rows[0], rows[1], rows[2]


class JointTable(NamedTuple):
    """Joint counts as a sparse table.

    rows, columns                (R,), (C,) the labels of either map that occur, ascending
    row_totals, column_totals    (R,), (C,) how often each does
    row, column, pixels          (N,) of each pair of labels, in ascending order, its places and how often it occurs
    """

    rows: Ints
    row_totals: Ints
    columns: Ints
    column_totals: Ints
    row: Ints
    column: Ints
    pixels: Ints


def joint_table(a: LabelArray, b: LabelArray, mask: NDArray[np.bool_] | None = None) -> JointTable:
    """`joint_counts` as a sparse table."""
    if isinstance(a, LabelRuns) and isinstance(b, LabelRuns) and mask is None:
        return JointTable(*_native.joint_table_of_runs(a.ends, a.labels, b.ends, b.labels))
    a, b = (x.array() if isinstance(x, LabelRuns) else x for x in (a, b))
    return JointTable(*_native.joint_table(plain(a), plain(b), None if mask is None else plain(mask)))


def object_order(
    gt: Sequence[Ints], pred: Sequence[Ints], score: Floats, pairs: Sequence[Ints], rounds: int
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """The order of the objects of one image, and of their pairs, made of what they are and never of their ids.

    gt      sizes, classes, pixels on boundaries, and which are crowds (not 0)
    pred    sizes, classes, pixels on boundaries, and pixels on void
    score   of the predictions; NaN where there is none
    pairs   places of both objects, and what they share: pixels, pixels of boundaries, centres
    rounds  how far, in steps from object to object, two objects must look alike to count as alike

    Answers the places of the objects of each side, those of the pairs, and where the objects of these then are.
    """
    gt, pred, pairs = ([np.ascontiguousarray(x) for x in columns] for columns in (gt, pred, pairs))
    return _native.object_order(gt, pred, np.ascontiguousarray(score), pairs, rounds)


def components(labels: NDArray[Any], connectivity: int, background: int = 0) -> NDArray[np.int32]:
    """The connected components of equal label, numbered from 1 in the order of their first pixels; 0 is background.

    Pixels are neighbours when they differ by at most one step along at most `connectivity` axes.
    `background` must be in the range of the labels' type.
    """
    return _native.components(plain(labels), connectivity, background)


class Flood(NamedTuple):
    """The components of a map as its pixels appear: what there is after each step.

    components  (S,) components
    touching    (S,) components that share a pixel with an object
    found       (S,) objects that share a pixel with a component
    pairs       rows (step, component, object, shared pixels, size of the component), by step, component and object;
                a component goes by a number that grows with its first pixel
    """

    components: Ints
    touching: Ints
    found: Ints
    pairs: Ints


def flood(
    step: NDArray[np.int32], objects: NDArray[np.int32], steps: int, count: int, connectivity: int, pairs: bool
) -> Flood:
    """Follow the components of a map whose pixels appear step by step, beside the objects 1 to `count`.

    `step` is where a pixel appears, from 0 on; at `steps` it never does. `objects` has the object of each pixel, 0 for
    none. Pixels are neighbours when they differ by at most one step along at most `connectivity` axes. The pairs are
    listed where `pairs` asks for them.
    """
    counts, found = _native.flood(plain(step), plain(objects), steps, count, connectivity, pairs)
    return Flood(counts[:, 0], counts[:, 1], counts[:, 2], found)


def euler(mask: NDArray[np.bool_], diagonal: bool) -> int:
    """The Euler number of a mask of two or three axes; beyond it is background.

    `diagonal`: pixels hang together by their corners (8, 26 neighbours), else by their faces alone (4, 6).
    """
    return _native.euler(plain(mask), diagonal)


def thin(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The skeleton of a mask of two or three axes: simple points are deleted, layer by layer, ends of curves kept.

    It has the components, holes and cavities of the mask, for 8 (26) neighbours in the figure and 4 (6) outside.
    """
    return _native.thin(plain(mask)).view(np.bool_)


def png_inflated_size(width: int, height: int, bits: int, channels: int, interlaced: bool) -> int:
    """How many bytes the image data of a PNG with this header inflates to."""
    return _native.png_inflated_size(width, height, bits, channels, interlaced)


def png_samples(
    raw: bytes | bytearray, width: int, height: int, bits: int, channels: int, interlaced: bool
) -> NDArray[Any]:
    """The samples (H, W) or (H, W, channels) behind inflated PNG data, not scaled: uint16 for 16 bits, else uint8.

    ValueError where `raw` is not exactly `png_inflated_size` bytes, or a row names an unknown filter.
    """
    return _native.png_samples(np.frombuffer(raw, np.uint8), width, height, bits, channels, interlaced)


def png_id_runs(raw: bytes | bytearray, width: int, height: int) -> LabelRuns:
    """The ids R + 256 G + 65536 B (H, W) behind the inflated data of an RGB PNG of 8 bits, not interlaced.

    ValueError where `raw` is not exactly `png_inflated_size` bytes, or a row names an unknown filter.
    """
    return LabelRuns((height, width), *_native.png_id_runs(np.frombuffer(raw, np.uint8), width, height))


class ScoreCounts(NamedTuple):
    """How many positives and negatives have each distinct score, in as little memory as that takes.

    keys   (K,) unsigned, ascending: integer scores, or the bits of float scores
    low    (K, 2) uint8: the counts of positives and negatives modulo 256
    high   (H, 3) rows (number of a key, positives, negatives): what the counts have beyond that
    """

    keys: NDArray[Any]
    low: NDArray[np.uint8]
    high: Ints


def score_counts(
    scores: NDArray[Any], positive: NDArray[np.bool_], mask: NDArray[np.bool_] | None, greatest: float
) -> tuple[ScoreCounts, int]:
    """The counts of the distinct scores where `mask` is true, and how many scores lie outside [0, greatest].

    `scores` are float16, 32 or 64, or uint8 or 16; -0.0 is 0.0, and NaN is outside. Where any is outside,
    the counts of 32- and 64-bit scores are empty.
    """
    limit = int(_bits(np.asarray(greatest, scores.dtype.newbyteorder("="))))
    counts, outside = _native.score_counts(
        _bits(plain(scores)), plain(positive), None if mask is None else plain(mask), limit
    )
    return ScoreCounts(*counts), outside


def score_merge(a: ScoreCounts, b: ScoreCounts, level: int = 0) -> ScoreCounts:
    """Both added, on the grid whose cells hold 2**level keys; a cell goes by its least key."""
    return ScoreCounts(*_native.score_merge(*a, *b, level))


def score_cells(keys: NDArray[Any]) -> list[int]:
    """How many cells of the grid of each level the (ascending) keys occupy; level 0 has one for each key."""
    return _native.score_cells(keys)


def score_areas(counts: ScoreCounts) -> tuple[int, float]:
    """Twice the number of pairs (positive, negative) in the right order, and the sum of the precisions.

    Equal scores count as half in the right order; the integer is exact. The precision of a positive is that of
    the threshold that equals its score.
    """
    high, low, precision = _native.score_areas(*counts)
    return high << 64 | low, precision


def _bits(x: NDArray[Any]) -> NDArray[Any]:
    return x.view(f"u{x.dtype.itemsize}")


def weighted_sums(weights: NDArray[np.float64], rows: NDArray[Any]) -> NDArray[np.float64]:
    """`weights @ rows` for weights (B, I) and rows (I, K), each sum added in the order of the rows."""
    return _native.weighted_sums(np.ascontiguousarray(weights), np.ascontiguousarray(rows, np.float64))


def lexsort(keys: Sequence[NDArray[Any]]) -> Ints:
    """`np.lexsort` of keys that are int64, uint64, float64 or bool: the last key is the most important.

    Equal rows stay as they come; NaN comes last, and -0.0 equals 0.0.
    """
    return _native.lexsort([plain(key) for key in keys])


class Cells(NamedTuple):
    """Objects by cell (one class in one image): where each cell's detections and ground truths begin, (C + 1,) each."""

    detections: Ints
    truths: Ints


class Meetings(NamedTuple):
    """Pairs of a detection and a ground truth that meet, ascending, and their IoU."""

    detection: Ints
    truth: Ints
    iou: Floats


def boxes_that_meet(
    cells: Cells, a: Floats, b: Floats, crowd: NDArray[np.bool_], areas: tuple[Floats, Floats] | None, least: float
) -> Meetings:
    """The pairs of each cell whose boxes (x, y, width, height) meet, and the IoU of the boxes.

    Of a crowd it is the share of the detection. Without `areas` pairs below `least` are left out; with the areas of
    the masks in the boxes, those whose masks cannot reach `least`. Where `least` is 0 every pair is there.
    """
    area_a, area_b = areas or (None, None)
    return Meetings(*_native.boxes_that_meet(*cells, a, b, plain(crowd), area_a, area_b, least))


class Matched(NamedTuple):
    """Bits by threshold, the first lowest: (areas, detections) matched, and left out of the count.

    partner  (areas, thresholds, detections) the ground truth that it matched, or -1; None where not asked for
    found    (areas, thresholds, ground truths) the detection that matched it last, or -1
    """

    hits: NDArray[np.uint64]
    ignored: NDArray[np.uint64]
    partner: Ints | None
    found: Ints | None


def match_detections(
    cells: Cells,
    pairs: Meetings,
    area: Floats,
    truth_area: Floats,
    marks: Mapping[str, NDArray[np.bool_]],
    thresholds: Floats,
    ranges: Floats,
    partners: bool = False,
) -> Matched:
    """Match the detections of each cell, in the order of their scores, at each threshold and area range.

    A detection takes the free ground truth of the greatest IoU, of equal ones the last; one that is not ignored before
    any that is; a crowd is always free. `marks` of ground truths: `ignore`, `crowd`, `unmarked` (its match counts as
    none); of detections: `excused` (left out where it matches nothing), as is one outside the area range.
    """
    begin = np.searchsorted(pairs.detection, np.arange(area.size + 1))
    m = {k: plain(v) for k, v in marks.items()}
    return Matched(
        *_native.match_detections(
            *cells, begin, pairs.truth, pairs.iou, area, truth_area,
            m["ignore"], m["crowd"], m["unmarked"], m["excused"], thresholds, ranges, partners,
        )
    )  # fmt: skip


class Ranked(NamedTuple):
    """Detections by group, in order of image and rank, with their bits in one area range.

    begin       (K + 1,) where each group begins
    rank        place in image and class
    recalls     where precision is read; steps: how many thresholds; at_changes: only where the score changes
    """

    begin: Ints
    score: Floats
    rank: Ints
    hits: NDArray[np.uint64]
    ignored: NDArray[np.uint64]
    recalls: Floats
    steps: int
    at_changes: bool


def accumulate_detections(ranked: Ranked, objects: Ints, cap: int) -> tuple[Floats, Floats, Floats]:
    """Precision and score (T, R, K) at each recall, and recall (T, K), of the detections of rank below `cap`.

    A recall that is not reached has 0; a group without objects has -1.
    """
    return _native.accumulate_detections(*ranked, objects, cap)


def resampled_detections(
    ranked: Ranked, weights: Floats, unit: Ints, objects: Floats, cap: int
) -> tuple[Floats, Floats]:
    """The mean precision over the recalls, and the recall, (B, K, T), of each resample.

    Detection d is there weights[b, unit[d]] times, group k has objects[b, k]; one without objects has NaN.
    """
    return _native.resampled_detections(*ranked, weights, unit, objects, cap)


def coco_records(
    text: NDArray[np.uint8],
) -> tuple[bool, tuple[int, int], tuple[int, int], list[NDArray[Any]], tuple[Ints, ...] | None] | None:
    """The records of a COCO file by one strict pass over its JSON, or None where anything in it is unusual.

    The answer: whether the file is a list; where the values of `images` and `categories` lie, (-1, -1) where they
    are missing; the columns in the order of `formats._coco_records.Records`; id, height, width and the place of the
    name (begin, end) of the images, None where not all have these. Only then the text is changed: the escapes in
    compressed counts are undone in place.
    """
    return _native.coco_records(text)


class CocoPart:
    """The records of a stretch of a list of COCO results, which need not be there as a whole.

    Compressed counts are written into `text` from `begin` on, at most to `end`. `begins`: the list begins here.
    A block must end where the next record begins, for which `last_record` is a good guess: one that is wrong makes the
    text unusual, never wrong.
    """

    def __init__(self, text: NDArray[np.uint8], begin: int, end: int, begins: bool) -> None:
        self._part = _native.CocoPart(text, begin, end, begins)

    def add(self, block: NDArray[np.uint8]) -> bool:
        """Take the next block; False where anything in it is unusual, as `coco_records` has it."""
        return self._part.add(block)

    def append(self, following: CocoPart) -> None:
        """Take the records of the part that follows, which is left with none."""
        self._part.append(following._part)

    @property
    def ended(self) -> bool:
        """Whether the list has ended."""
        return self._part.ended()

    def columns(self) -> list[NDArray[Any]]:
        """The columns, whose spans point into the text; none are left here."""
        return self._part.columns()


def last_record(text: NDArray[np.uint8]) -> int:
    """Where the last record of a list seems to begin, 0 where nowhere: a brace behind a brace and a comma."""
    return _native.last_record(text)


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees for its next image, instead of asking the system for new pages.

    For processes that do nothing but evaluate (the command line): fresh pages for every image cost as much as
    decoding it. What is kept is at most what was in use at once. Nothing happens where the C library has no such
    switch.
    """
    _native.keep_freed_memory()


def plain(x: NDArray[Any]) -> NDArray[Any]:
    """Contiguous, native byte order, booleans as bytes 0 and 1; a copy only where that is not so already.

    Every kernel sees to it; who asks several about one array does it once before.
    """
    if not (x.flags.c_contiguous and x.dtype.isnative):
        x = np.ascontiguousarray(x, x.dtype.newbyteorder("="))
    if x.dtype != np.bool_:
        return x
    raw = x.view(np.uint8)
    # Some libraries write true as 255 (Pillow's one-bit images): NumPy takes that for true, and so do we.
    return raw if not raw.size or raw.max() <= 1 else (raw != 0).view(np.uint8)


def as_bytes(data: bytes | bytearray | memoryview) -> NDArray[np.uint8]:
    """The bytes of a buffer as an array, not copied."""
    return np.frombuffer(data, np.uint8)


MODELS = ("inner", "thick", "corners", "shared", "faces", "mesh", "whole")  # in the order of native/surface.hpp

Steps = tuple[float, float, float]


class Found(NamedTuple):
    """The distances from the elements of one surface to another: a row for each distinct pair of distance and weight.

    distance  (N,) ascending, infinite where the other surface is empty
    weight    (N,) of one element; None where each counts one
    times     (N,) elements of the row; None where places are asked for: then each element has a row, not sorted
    place     (N, 3) where each lies, from the centre of the voxel before the first of the box; None if not asked for
    farthest  the greatest distance, over the vertices of triangles as well
    edge      the weight of the elements on the end of the image
    """

    distance: NDArray[np.float64]
    weight: NDArray[np.float64] | None
    times: NDArray[np.int64] | None
    place: NDArray[np.float64] | None
    farthest: float
    edge: float


def label_boxes(volume: NDArray[Any]) -> Ints:
    """Rows (label, first voxel z y x, last voxel z y x) of every label of a volume."""
    return _native.label_boxes(plain(volume))


def surface_distances(
    a: NDArray[Any], b: NDArray[Any], label: int, box: tuple[int, ...], spacing: Steps, *,
    flat: bool, open_: bool, model: str, places: bool = False,
) -> tuple[Found, Found]:  # fmt: skip
    """The distances between the surfaces of a label in two volumes, from `a` to `b` and back.

    `box` (z, y, x, and their ends) holds all voxels of the label; `flat`: a volume of one slice is a plane.
    """
    x, y = _native.surface_distances(
        plain(a), plain(b), label, label, box, spacing, flat, open_, MODELS.index(model), places
    )
    return Found(*x), Found(*y)


def band_counts(
    a: NDArray[Any], b: NDArray[Any], label: int, box: tuple[int, ...], disc: Ints, *,
    flat: bool, open_: bool, around: bool,
) -> tuple[int, int]:  # fmt: skip
    """How many voxels the bands of a label share, and how many lie in either; `disc` has rows (z, y, reach along x)."""
    shared, either = _native.bands(plain(a), plain(b), label, label, box, flat, open_, disc, around)
    return shared, either
