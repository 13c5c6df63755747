"""Masks as run lengths: many masks that may overlap, packed one after the other, as COCO has them.

Conventions
    A mask is read column by column (pixel y, x is number x * height + y); its runs alternate background and
    foreground and begin with background, so the first is 0 where the first pixel is foreground. The runs of a mask
    add up to height times width. Compressed counts are the characters of pycocotools.

    Polygons are filled to the bit of pycocotools on x86-64; several of one mask are united. Its corners lie on pixel
    corners: the square (2, 2) to (6, 6) has 16 pixels.

    What comes from outside is checked: `MaskError` names the mask by its number and says what is wrong with it.
    pycocotools takes counts that add up to less or more than the image, and reads or writes beyond it.

    `Masks` holds runs. `Outlines` leaves compressed counts as they are: area, box and content are read from them once,
    and runs only where two masks are compared; most masks of detections meet no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _native
from .errors import LabelError
from .kernels import as_bytes

Ints = NDArray[np.int64]
Coded = tuple[NDArray[np.uint8], Ints, NDArray[np.uint32], Ints, Ints]  # text, spans, counts, offsets, sizes


class MaskError(LabelError):
    """A mask that is none; `index` is its number among those given."""

    def __init__(self, message: str, path: Any = None, index: int | None = None) -> None:
        super().__init__(message, path)
        self.index = index

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.path, self.index)


@dataclass(frozen=True, eq=False)
class Masks:
    """Packed masks.

    counts   uint32, the runs of all masks
    offsets  int64 (n + 1), where the runs of each begin
    sizes    int64 (n, 2), height and width of each

    >>> masks = from_arrays([[[0, 1], [1, 1]]])
    >>> masks.counts.tolist(), masks.areas().tolist(), masks.boxes().tolist()
    ([1, 3], [3], [[0.0, 0.0, 2.0, 2.0]])
    """

    counts: NDArray[np.uint32]
    offsets: Ints
    sizes: Ints

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def measures(self) -> Ints:
        """(n, 5) area, and x, y, width and height of the box around the foreground; 0 where there is none."""
        return _native.rle_outlines(*self.coded, False, 1)[0]

    def areas(self) -> Ints:
        """(n) pixels of foreground."""
        return self.measures[:, 0].copy()

    def boxes(self) -> NDArray[np.float64]:
        """(n, 4) x, y, width and height of the box around the foreground; all 0 where there is none."""
        return self.measures[:, 1:].astype(np.float64)

    def take(self, indices: Any) -> Masks:
        """The masks of these numbers, in this order."""
        at = np.asarray(indices, np.int64)
        length = np.diff(self.offsets)[at]
        ends = np.cumsum(length)
        offsets = np.append(0, ends)
        runs = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][at] - offsets[:-1], length)
        return Masks(self.counts[runs], offsets, self.sizes[at])

    def to_array(self, index: int) -> NDArray[np.bool_]:
        """One mask as an array (height, width)."""
        runs = self.counts[self.offsets[index] : self.offsets[index + 1]]
        h, w = self.sizes[index].tolist()
        inside = np.zeros(len(runs), np.bool_)
        inside[1::2] = True
        return np.repeat(inside, runs).reshape(w, h).T

    def to_strings(self) -> list[bytes]:
        """The compressed counts of each, as COCO's JSON has them."""
        text, ends = _native.rle_to_strings(self.counts, self.offsets)
        at = ends.tolist()
        return [text[a:b] for a, b in pairwise(at)]

    def merged(self, groups: Any = None, *, intersect: bool = False) -> Masks:
        """The union (or intersection) of all masks, or of those from `groups[i]` to `groups[i + 1]` each."""
        at = np.asarray([0, len(self)] if groups is None else groups, np.int64)
        first = at[:-1]
        if (np.diff(at) < 1).any():
            raise LabelError("a group of masks to merge is empty")
        of = np.repeat(first, np.diff(at))
        if (self.sizes[at[0] : at[-1]] != self.sizes[of]).any():
            raise LabelError("masks of different sizes cannot be merged")
        counts, offsets = _native.rle_merge(self.counts, self.offsets, at, intersect)
        return Masks(counts, offsets, self.sizes[first])

    @property
    def coded(self) -> Coded:
        """As the kernels take masks of which some are compressed; here none is."""
        return np.empty(0, np.uint8), np.empty((0, 2), np.int64), *self._plain

    @property
    def _plain(self) -> tuple[NDArray[np.uint32], Ints, Ints]:
        return (
            np.ascontiguousarray(self.counts, np.uint32),
            np.ascontiguousarray(self.offsets, np.int64),
            np.ascontiguousarray(self.sizes, np.int64).reshape(-1, 2),
        )


@dataclass(frozen=True, eq=False)
class Outlines:
    """Masks by their measures; made by `outlines`.

    text, spans      the compressed counts of mask i are text[spans[i, 0] : spans[i, 1]]
    counts, offsets  the runs of masks that were given otherwise; a mask without any is in the text
    sizes            (n, 2) height and width
    measures         (n, 5) area, and x, y, width and height of the box, as those of `Masks`
    """

    text: NDArray[np.uint8]
    spans: Ints
    counts: NDArray[np.uint32]
    offsets: Ints
    sizes: Ints
    measures: Ints

    def __len__(self) -> int:
        return len(self.measures)

    @property
    def coded(self) -> Coded:
        """As the kernels take masks of which some are compressed."""
        return self.text, self.spans, self.counts, self.offsets, self.sizes

    def take(self, indices: Any) -> Outlines:
        """The masks of these numbers, in this order."""
        at = np.asarray(indices, np.int64)
        plain = Masks(self.counts, self.offsets, self.sizes).take(at)
        return Outlines(self.text, self.spans[at], plain.counts, plain.offsets, plain.sizes, self.measures[at])

    def contents(self, indices: Any) -> NDArray[np.uint64]:
        """A number made of the runs of each of these masks: equal masks have equal ones."""
        return _native.rle_outlines(*self.take(indices).coded, True, 1)[1]


def outlines(text: bytes | bytearray | memoryview, spans: Any, others: Masks, sizes: Any, threads: int = 1) -> Outlines:
    """The outlines of masks that lie in `text` at `spans`, or in `others` where those have runs. Raises MaskError.

    >>> none = Masks(np.empty(0, np.uint32), np.zeros(2, np.int64), np.array([[3, 4]]))
    >>> o = outlines(b"5221", [[0, 4]], none, [[3, 4]])
    >>> o.measures.tolist()  # 5 of background, 2 of foreground, 2 and 3 of background and foreground
    [[5, 1, 0, 3, 3]]
    """
    of = _pairs(sizes)
    counts, offsets = np.ascontiguousarray(others.counts, np.uint32), np.ascontiguousarray(others.offsets, np.int64)
    coded = as_bytes(text), _pairs(spans), counts, offsets, of
    return Outlines(*coded, _checked(_native.rle_outlines, *coded, False, threads)[0])


# Masks of what others hold


def from_strings(text: bytes | bytearray | memoryview, spans: Any, sizes: Any) -> Masks:
    """Masks of compressed counts that lie in `text` from `spans[i, 0]` to `spans[i, 1]`. Raises MaskError.

    >>> from_strings(b"5221", [[0, 4]], [[3, 4]]).counts.tolist()
    [5, 2, 2, 3]
    """
    where, of = _pairs(spans), _pairs(sizes)
    return _made(_native.rle_from_strings, of, as_bytes(text), where, of)


def from_counts(counts: Any, offsets: Any, sizes: Any) -> Masks:
    """Masks of lists of counts, those of mask i from `offsets[i]` to `offsets[i + 1]`. Raises MaskError."""
    of = _pairs(sizes)
    runs, at = np.ascontiguousarray(counts, np.int64), np.ascontiguousarray(offsets, np.int64)
    return _made(_native.rle_from_counts, of, runs, at, of)


def from_polygons(xy: Any, polygon_offsets: Any, mask_offsets: Any, sizes: Any) -> Masks:
    """Masks of polygons, those of one mask united. Raises MaskError.

    xy               float64, x and y of all corners in turn
    polygon_offsets  where the numbers of each polygon begin
    mask_offsets     where the polygons of each mask begin
    sizes            (n, 2) height and width

    >>> from_polygons([2, 2, 6, 2, 6, 6, 2, 6], [0, 8], [0, 1], [[10, 10]]).areas().tolist()
    [16]
    """
    of = _pairs(sizes)
    corners, groups = (np.ascontiguousarray(x, np.int64) for x in (polygon_offsets, mask_offsets))
    return _made(_native.rle_from_polygons, of, np.ascontiguousarray(xy, np.float64), corners, groups, of)


def from_arrays(stack: Any) -> Masks:
    """Masks of a stack (n, height, width) or of a sequence of arrays (height, width); what is not 0 is foreground."""
    arrays = [np.asarray(a) for a in stack]
    if any(a.ndim != 2 for a in arrays):
        raise LabelError("masks are a stack of three axes, or a list of arrays of two")
    runs = [_runs((a != 0).T.ravel()) for a in arrays]
    return _joined(runs, np.array([a.shape for a in arrays], np.int64).reshape(-1, 2))


def from_labels(labels: NDArray[Any], background: int = 0) -> tuple[Masks, Ints]:
    """A mask for every id of a label map (height, width), and the ids, ascending."""
    if labels.ndim != 2:
        raise LabelError(f"masks are those of an image of two axes, not {labels.ndim}")
    line = labels.T.ravel()
    starts = np.flatnonzero(np.diff(line, prepend=line[:1] + 1)) if line.size else np.empty(0, np.int64)
    lengths, ids = np.diff(np.append(starts, line.size)), line[starts]
    kept = ids != background
    order = np.argsort(ids[kept], kind="stable")
    starts, lengths, ids = (x[kept][order] for x in (starts, lengths, ids))
    found, first = np.unique(ids, return_index=True)
    edges = [*first.tolist(), len(ids)]
    runs = [_alternating(starts[a:b], starts[a:b] + lengths[a:b], line.size) for a, b in pairwise(edges)]
    sizes = np.tile(np.array(labels.shape, np.int64), (len(found), 1))
    return _joined(runs, sizes), found.astype(np.int64)


def joined(parts: Sequence[Masks]) -> Masks:
    """The masks of all parts, in turn."""
    if not parts:
        return Masks(np.empty(0, np.uint32), np.zeros(1, np.int64), np.empty((0, 2), np.int64))
    return Masks(
        np.concatenate([m.counts for m in parts]),
        np.cumsum(np.concatenate([[0], *(np.diff(m.offsets) for m in parts)])),
        np.concatenate([m.sizes for m in parts]),
    )


# What two masks, or a mask and its surroundings, have to do with each other


def intersections(a: Masks | Outlines, b: Masks | Outlines, pairs: tuple[Any, Any]) -> Ints:
    """The pixels that mask `pairs[0][k]` of `a` and mask `pairs[1][k]` of `b` share."""
    left, right = (np.ascontiguousarray(x, np.int64) for x in pairs)
    return _native.rle_intersections(*a.coded, a.measures, *b.coded, b.measures, left, right)


def iou(
    a: Masks | Outlines, b: Masks | Outlines, crowd: Any = None, pairs: tuple[Any, Any] | None = None
) -> NDArray[np.float64]:
    """Intersection over union of masks of `a` (detections) and of `b` (ground truth).

    All pairs, (len(a), len(b)), or those of `pairs`, one number each. `crowd` says which of `b` (or which pair) is a
    crowd: its union is the area of the detection. 0 where nothing is shared, also by two empty masks; -1 where the
    sizes of masks differ whose boxes meet, as pycocotools has it.
    """
    if pairs is None:
        at = np.indices((len(a), len(b))).reshape(2, -1)
        every = np.zeros(len(b), np.bool_) if crowd is None else np.asarray(crowd, np.bool_)
        return iou(a, b, every[at[1]], (at[0], at[1])).reshape(len(a), len(b))
    left, right = (np.asarray(x, np.int64) for x in pairs)
    shared = intersections(a, b, (left, right)).astype(np.float64)
    area_a, area_b = a.measures[left, 0], b.measures[right, 0]
    union = area_a + area_b - shared
    if crowd is not None:
        union = np.where(np.asarray(crowd, np.bool_), area_a, union)
    found = np.where(shared > 0, shared / np.where(shared > 0, union, 1), 0.0)
    unlike = (a.sizes[left] != b.sizes[right]).any(axis=1)
    if unlike.any():
        (x, y, w, h), (p, q, v, u) = a.measures[left, 1:].T, b.measures[right, 1:].T
        meet = (x < p + v) & (p < x + w) & (y < q + u) & (q < y + h)
        found[unlike] = np.where(meet, -1.0, 0.0)[unlike]
    return found


def boundary(masks: Masks, width: Any) -> Masks:
    """The pixels of each mask that are at most `width` steps of a king from a pixel outside the mask or the image.

    `width` is a number or one for each mask. Boundary IoU takes 2 % of the image's diagonal, rounded half to even,
    at least 1. Reference: Cheng et al., Boundary IoU, CVPR 2021.
    """
    widths = np.ascontiguousarray(np.broadcast_to(np.asarray(width, np.int64), len(masks)))
    plain = masks._plain  # pyright: ignore[reportPrivateUsage]
    return _made(_native.rle_boundaries, masks.sizes, *plain, widths)


# Inside


def _made(kernel: Any, sizes: Ints, *given: Any) -> Masks:
    counts, offsets = _checked(kernel, *given)
    return Masks(counts, offsets, sizes)


def _checked(kernel: Any, *given: Any) -> Any:
    """What a kernel answers, whose ValueError may begin with the number of a mask."""
    try:
        return kernel(*given)
    except ValueError as error:
        number, _, what = str(error).partition(" ")
        if not number.isdecimal():
            raise
        raise MaskError(what, index=int(number)) from None


def _pairs(given: Any) -> Ints:
    return np.ascontiguousarray(given, np.int64).reshape(-1, 2)


def _runs(line: NDArray[np.bool_]) -> Ints:
    """The runs of one mask, whose pixels are in one line."""
    edges = np.flatnonzero(np.diff(line, prepend=False, append=False))
    return _alternating(edges[::2], edges[1::2], line.size)


def _alternating(starts: Ints, ends: Ints, size: int) -> Ints:
    """Background and foreground in turn, from where runs of foreground start and end."""
    edges = np.empty(2 * len(starts) + 2, np.int64)
    edges[0], edges[-1] = 0, size
    edges[1:-1:2], edges[2:-1:2] = starts, ends
    runs = np.diff(edges)
    return runs[:-1] if len(runs) > 1 and runs[-1] == 0 else runs


def _joined(runs: Iterable[Ints], sizes: Ints) -> Masks:
    every = list(runs)
    offsets = np.cumsum([0, *(len(r) for r in every)]).astype(np.int64)
    return Masks(np.concatenate([*every, np.empty(0, np.int64)]).astype(np.uint32), offsets, sizes)
