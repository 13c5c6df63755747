"""COCO detection files: ground truth with images, categories and annotations, and lists of results.

Conventions
    Images and categories are numbered in ascending order of their ids; `image` and `category` of an annotation
    are these numbers. Annotations and results keep the order of the file. The columns hold what the file says:
    an `id` may be 0 or occur twice, an `area` is the field as it stands (NaN where there is none), so that a
    convention can treat them as it has to. The ids of results mean nothing and are not read.

    Strict, without guessing. Repaired, and listed in `repairs`: ids that are strings of digits or floats, ids
    of images, categories and annotations that are names, a missing `iscrowd` (0), a missing annotation id, a
    polygon that lies bare, categories or images of equal name, a missing image size where the RLEs give it,
    annotations of images that are not listed (left out: they are no part of the set). Every other member, as `info`
    and `licenses`, may hold anything or be missing. Said, and left as it is, in `notes`: objects that are there
    twice, ids that occur twice, scores above 1. An error, with the place in the JSON and what to do: everything
    else, as a mask of another size than its image or a result without score.

    Files may be compressed with gzip and begin with a byte order mark. Compressed counts stay in the bytes of
    the file until `Segmentations.masks` decodes them.

LVIS files are read the same way, with `neg_category_ids`, `not_exhaustive_category_ids` and `frequency`.
A file with `segments_info` is panoptic and refused; see `panoptic`.

Reference: Data format, https://cocodataset.org/#format-data
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, FormatError
from ._coco_lists import Categories, Images, Lists, plain_images, read_categories, read_images
from ._coco_records import (
    BOX,
    CATEGORY,
    COUNTS,
    CROWD,
    ID,
    IMAGE,
    NONE,
    POLYGONS,
    SCORE,
    STRING,
    Document,
    Findings,
    Records,
    name_ids,
    parse,
    scan,
    scan_list,
)  # fmt: skip
from ._file import BOM, DEFAULT_MAX_BYTES, load_writable
from .remote import is_remote, located

if TYPE_CHECKING:
    from ..rle import Masks, Outlines

__all__ = [
    "KINDS", "Annotations", "Categories", "Images", "Lists", "Results", "Segmentations", "is_detection",
    "read_annotations", "read_results", "scan_results",
]  # fmt: skip

KINDS = ("box only", "polygons", "compressed RLE", "uncompressed RLE")
"""What the kinds of segmentation are called."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Path_ = str | os.PathLike[str]


@dataclass(frozen=True)
class Segmentations:
    """The masks of a file, not decoded: `kind` is 0 none, 1 polygons, 2 compressed counts, 3 a list of counts.

    `span` are the bytes of compressed counts in `text`; `size` is height and width, for polygons those of the image.
    `row` numbers the record in the file, for messages. See `Records` for the flat columns.
    """

    text: bytes | bytearray | memoryview
    kind: NDArray[np.uint8]
    span: Ints
    size: Ints
    xy: Floats
    polygon_offsets: Ints
    mask_offsets: Ints
    counts: Ints
    count_offsets: Ints
    row: Ints
    root: str
    path: str
    threads: int = 1  # that look at all masks

    def __len__(self) -> int:
        return len(self.kind)

    def masks(self, indices: NDArray[Any] | None = None) -> Masks:
        """The masks of `indices` (default: all), in that order. FormatError names the record that has none."""
        from .. import rle

        chosen = np.arange(len(self)) if indices is None else np.asarray(indices, np.int64)
        self._all_masks(chosen)
        return self._of_kinds(chosen, (POLYGONS, STRING, COUNTS), rle)

    @cached_property
    def outlines(self) -> Outlines:
        """The measures of all masks, without their runs. FormatError names the first record that has none."""
        from .. import rle

        every = np.arange(len(self))
        self._all_masks(every)
        others = np.flatnonzero(self.kind != STRING)
        plain = self._of_kinds(others, (POLYGONS, COUNTS), rle)
        lengths = np.zeros(len(self), np.int64)
        lengths[others] = np.diff(plain.offsets)
        placed = rle.Masks(plain.counts, np.append(0, np.cumsum(lengths)), self.size)
        with self._named(every):
            return rle.outlines(self.text, self.span, placed, self.size, self.threads)

    def _all_masks(self, chosen: Ints) -> None:
        bare = self.kind[chosen] == NONE
        if bare.any():
            first = int(chosen[np.flatnonzero(bare)[0]])
            boxes = "gives only a box, and a box is no mask: submit segmentations, or evaluate boxes with --on box"
            raise FormatError(f"there is no mask to evaluate: the record {boxes} - at `{self._at(first)}`", self.path)

    def _of_kinds(self, chosen: Ints, kinds: tuple[int, ...], rle: Any) -> Masks:
        parts: list[Masks] = []
        order: list[Ints] = []
        for kind in kinds:
            if (where := np.flatnonzero(self.kind[chosen] == kind)).size:
                parts.append(self._decoded(kind, chosen[where]))
                order.append(where)
        if len(parts) < 2:
            return parts[0] if parts else rle.joined([])
        return rle.joined(parts).take(np.argsort(np.concatenate(order), kind="stable"))

    def _decoded(self, kind: int, rows: Ints) -> Masks:
        from .. import rle

        sizes = self.size[rows]
        with self._named(rows):
            if kind == STRING:
                return rle.from_strings(self.text, self.span[rows], sizes)
            if kind == COUNTS:
                counts, offsets = _taken(self.counts, self.count_offsets, rows)
                return rle.from_counts(counts, offsets, sizes)
            if (unknown := np.flatnonzero((sizes == 0).any(axis=1))).size:
                raise FormatError(
                    "its image has no height and width, which polygons need - at "
                    f"`{self._at(int(rows[unknown[0]]))}`", self.path,
                )  # fmt: skip
            polygons, masks = _taken(np.arange(len(self.polygon_offsets) - 1), self.mask_offsets, rows)
            xy, offsets = _taken(self.xy, self.polygon_offsets, polygons)
            return rle.from_polygons(xy, offsets, masks, sizes)

    @contextmanager
    def _named(self, rows: Ints) -> Generator[None]:
        """Errors about the masks of these rows, with the place of the record."""
        try:
            yield
        except DataError as error:
            index = cast(int | None, getattr(error, "index", None))
            at = "" if index is None else f" - at `{self._at(int(rows[index]))}`"
            raise FormatError(f"{error.message}{at}", self.path) from None

    def _at(self, i: int) -> str:
        return f"{self.root}[{self.row[i]}].segmentation"


@dataclass(frozen=True)
class Annotations:
    """A ground truth, one row for each annotation in the order of the file."""

    path: str
    images: Images
    categories: Categories
    row: Ints
    id: Ints
    image: Ints
    category: Ints
    area: Floats
    crowd: NDArray[np.bool_]
    ignore: NDArray[np.bool_]
    box: Floats
    segmentation: Segmentations
    repairs: list[str]
    notes: list[str]

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True)
class Results:
    """Detections, one row for each in the order of the file."""

    path: str
    row: Ints
    image: Ints
    category: Ints
    score: Floats
    area: Floats
    box: Floats
    segmentation: Segmentations
    repairs: list[str]
    notes: list[str]

    def __len__(self) -> int:
        return len(self.image)


def is_detection(path: Path_) -> bool:
    """Whether a file is JSON, by its name (.json, .json.gz) and by its content no panoptic file."""
    from .panoptic import is_panoptic

    name = located(path)
    named = name.name.lower().endswith((".json", ".json.gz"))
    return named and name.is_file() and not is_panoptic(name)


def read_annotations(path: Path_, threads: int = 1) -> Annotations:
    """The ground truth of a COCO or LVIS file. Raises FormatError."""
    found = Findings(os.fspath(path))
    document = _document(found)
    if document.is_list:
        raise FormatError(
            "is a list, as results are; the ground truth is an object with images, annotations and categories", path
        )
    if not len(document.records) and not found.named:  # records that have names for ids were read with these
        name_ids(document.images, document.categories, found)
    categories = read_categories(document.categories, found)
    plain = document.plain_images
    if plain is None:
        images = read_images(document.images, categories, found)
    else:
        images = plain_images(plain, document.text, found)
    found.raise_problems()
    r = document.records
    _needed(r, IMAGE, "image_id", document.root, found)
    _needed(r, CATEGORY, "category_id", document.root, found)
    _areas(r, document.root, found)
    found.raise_problems()
    image, listed = _numbers(images.id, r.image)
    if not listed.all():
        first = int(np.flatnonzero(~listed)[0])
        found.repair(
            "image_id is of no image in `images`: left out, as the image is no part of the set",
            f"{document.root}[{first}].image_id", int((~listed).sum()),
        )  # fmt: skip
    kept = np.flatnonzero(listed)
    category = _category_numbers(categories, r, kept, document.root, found)
    images = _sizes(images, r, image, kept, document.root, found)
    ids = _ids(r, kept, document.root, found)
    found.raise_problems()
    if images.negative is None and not (r.has[kept] & CROWD).all():  # LVIS knows no crowds
        lacking = np.flatnonzero(~(r.has[kept] & CROWD).astype(bool))
        found.repair("iscrowd is missing: read as 0", f"{document.root}[{kept[lacking[0]]}]", len(lacking))
    notes = [*_id_notes(r, kept), *_twice(r, document, kept, image, category)]
    if not kept.size:
        notes.append("there are no annotations: nothing can be found, and AP is undefined")
    image = _of(image, kept)
    return Annotations(
        path=found.path, images=images, categories=categories, row=kept, id=ids, image=image, category=category,
        area=_of(r.area, kept), crowd=_of(r.crowd, kept) == 1, ignore=_of(r.ignore, kept) == 1, box=_of(r.box, kept),
        segmentation=_segmentations(document, kept, images, image, found.path, threads),
        repairs=found.repairs, notes=notes,
    )  # fmt: skip


def scan_results(path: Path_, threads: int = 1) -> Document | None:
    """The list of results in an ordinary file on this machine; it needs no ground truth yet. Raises FormatError."""
    return None if is_remote(path) else scan_list(os.fspath(path), threads)


def read_results(
    path: Path_, annotations: Annotations, threads: int = 1, scanned: Callable[[], Document | None] | None = None
) -> Results:
    """The results for a ground truth, whose images and categories they must have. Raises FormatError.

    `scanned` gives what `scan_results` has found, where that was begun before.
    """
    found = Findings(os.fspath(path))
    for member, side in (("image_id", annotations.images), ("category_id", annotations.categories)):
        if side.named is not None:
            found.named[member] = side.named
    document = (scan_results(path, threads) if scanned is None else scanned()) or _document(found)
    if not document.is_list:
        raise FormatError(
            "is an object, not a list: results are a list of objects with image_id, category_id, score and segmentation"
            " or bbox; write the list under `$.annotations` alone, each with a score", path,
        )  # fmt: skip
    r = document.records
    _needed(r, IMAGE, "image_id", "$", found)
    _needed(r, CATEGORY, "category_id", "$", found)
    _needed(r, SCORE, "score", "$", found)
    found.raise_problems()
    images = annotations.images
    image, listed = _numbers(images.id, r.image)
    if not listed.all():
        first = int(np.flatnonzero(~listed)[0])
        unknown = "" if images.named else f" {r.image[first]}"
        found.problem(
            f"image_id{unknown} does not exist in the ground truth {annotations.path}; evaluate against the "
            "ground truth that has the image, or leave its results out", f"$[{first}].image_id", int((~listed).sum()),
        )  # fmt: skip
    rows = np.flatnonzero(listed)
    category = _category_numbers(annotations.categories, r, rows, "$", found)
    images = _sizes(images, r, image, rows, "$", found)
    found.raise_problems()
    neither = (r.kind == NONE) & ~(r.has & BOX).astype(bool)
    if neither.any():
        found.problem("the result has neither segmentation nor bbox", f"$[{np.flatnonzero(neither)[0]}]",
                      int(neither.sum()))  # fmt: skip
    found.raise_problems()
    notes = _twice(r, document, rows, image, category)
    if (odd := (r.score < 0) | (r.score > 1)).any():
        first = int(np.flatnonzero(odd)[0])
        notes.append(
            f"{int(odd.sum()):,} scores lie outside 0 to 1, the first is {r.score[first]:g} at `$[{first}].score`; "
            "only their order matters"
        )
    if not len(r):
        notes.append("there are no results: everything is missed")
    return Results(
        path=found.path, row=rows, image=image, category=category, score=r.score, area=r.area, box=r.box,
        segmentation=_segmentations(document, rows, images, image, found.path, threads),
        repairs=found.repairs, notes=notes,
    )  # fmt: skip


def _document(found: Findings) -> Document:
    """The file at `found.path` by whichever way can read it. Raises FormatError."""
    text = load_writable(found.path)
    if text[:2].tobytes() == b"\x1f\x8b":
        text = np.frombuffer(bytearray(_inflated(text.tobytes(), found.path)), np.uint8)
    if text[:3].tobytes() == BOM:
        text = text[3:]
    return scan(text) or parse(text.data, found)


def _inflated(data: bytes, path: str, limit: int = DEFAULT_MAX_BYTES) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        while data.strip(b"\0"):  # one member of gzip after the other; zeros are padding
            member = zlib.decompressobj(31)
            parts.append(member.decompress(data, limit + 1 - size))
            size += len(parts[-1])
            if size > limit:
                raise FormatError(f"inflates to more than the limit of {limit} bytes", path)
            if not member.eof:
                raise FormatError("is truncated gzip data; copy it again", path)
            data = member.unused_data
    except zlib.error as error:
        raise FormatError(f"is damaged gzip data ({error}); copy it again", path) from None
    return b"".join(parts)


def _needed(r: Records, bit: int, name: str, root: str, found: Findings) -> None:
    lacking = (r.has & bit) == 0
    if lacking.any():
        found.problem(f"{name} is missing", f"{root}[{np.flatnonzero(lacking)[0]}]", int(lacking.sum()))


def _areas(r: Records, root: str, found: Findings) -> None:
    if (negative := r.area < 0).any():
        first = int(np.flatnonzero(negative)[0])
        found.problem(
            f"area is {r.area[first]:g}, below 0; correct it, or remove the field so that the mask's area is taken",
            f"{root}[{first}].area", int(negative.sum()),
        )  # fmt: skip


def _numbers(ids: Ints, wanted: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """The place of each of `wanted` among the ascending `ids`, and whether it is there."""
    if not len(ids):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_)
    low, extent = int(ids[0]), int(ids[-1]) - int(ids[0]) + 1
    if extent > 2**22:
        place = np.searchsorted(ids, wanted)
        place[place == len(ids)] = 0
        return place, ids[place] == wanted
    table = np.full(extent + 1, -1, np.int64)  # faster than searching; the last entry is for ids outside
    table[ids - low] = np.arange(len(ids))
    inside = (wanted >= low) & (wanted <= int(ids[-1]))
    place = table[np.where(inside, wanted, low + extent) - low]
    known = place >= 0
    return np.where(known, place, 0), known


def _category_numbers(categories: Categories, r: Records, rows: Ints, root: str, found: Findings) -> Ints:
    wanted = _of(r.category, rows)
    number, known = _numbers(categories.id, wanted)
    if not known.all():
        first = int(np.flatnonzero(~known)[0])
        ids: list[Any] = sorted(categories.named) if categories.named else categories.id.tolist()
        shown = ", ".join(map(str, ids[:8])) + (", ..." if len(ids) > 8 else "")
        unknown = "" if categories.named else f" {wanted[first]}"
        shifted = not categories.named and any(_numbers(categories.id, wanted + k)[1].all() for k in (1, -1))
        found.problem(
            f"category_id{unknown} does not exist: the categories of the ground truth are {shown}"
            + ("; are the ids off by one, numbered from 0?" if shifted else ""),
            f"{root}[{rows[first]}].category_id", int((~known).sum()),
        )  # fmt: skip
    return number


def _sizes(images: Images, r: Records, image: Ints, rows: Ints, root: str, found: Findings) -> Images:
    """The images with the sizes that only their RLEs tell; an RLE of another size than its image is a problem."""
    kind = _of(r.kind, rows)
    coded = (kind == STRING) | (kind == COUNTS)
    rows = rows if coded.all() else rows[coded]
    height, width = images.height.copy(), images.width.copy()
    at = _of(image, rows)
    untold = ((height == 0) | (width == 0)).take(at)
    if untold.any():
        first = int(rows[np.flatnonzero(untold)[0]])
        number, where = np.unique(at[untold], return_index=True)
        lead = rows[untold][where]
        height[number], width[number] = r.size[lead, 0], r.size[lead, 1]
        found.repair("the image has no size: taken from its RLEs", f"{root}[{first}].segmentation.size", len(number))
    told = _of(r.size, rows)
    wrong = (told[:, 0] != height.take(at)) | (told[:, 1] != width.take(at))
    if wrong.any():
        k = int(np.flatnonzero(wrong)[0])
        h, w = r.size[rows[k]].tolist()
        remedy = "correct one of them"
        if h == width[at[k]] and w == height[at[k]]:
            remedy = "size is [height, width], these seem swapped"
        found.problem(
            f"the mask has size [{h}, {w}], where its image {images.id[at[k]]} is {height[at[k]]} high and "
            f"{width[at[k]]} wide; {remedy}",
            f"{root}[{rows[k]}].segmentation.size", int(wrong.sum()),
        )  # fmt: skip
    return replace(images, height=height, width=width)


def _ids(r: Records, kept: Ints, root: str, found: Findings) -> Ints:
    """The ids; those that are missing are numbered after the greatest."""
    ids = r.id[kept]
    lacking = np.flatnonzero((r.has[kept] & ID) == 0)
    if lacking.size:
        greatest = int(ids.max(initial=0))
        ids[lacking] = greatest + 1 + np.arange(len(lacking))
        what = "the annotation has no id that is a number: numbered after the others"
        found.repair(what, f"{root}[{kept[lacking[0]]}]", len(lacking))
    return ids


def _id_notes(r: Records, kept: Ints) -> list[str]:
    notes: list[str] = []
    ids = r.id[kept][(r.has[kept] & ID) != 0]
    if (ids == 0).any():
        notes.append("an annotation has id 0, which pycocotools takes for no match")
    values, n = np.unique(ids, return_counts=True)
    if (n > 1).any():
        notes.append(
            f"{int((n > 1).sum()):,} annotation ids are duplicates, the first is {values[n > 1][0]}; "
            "ids are only names here, where pycocotools mixes the annotations up"
        )
    return notes


def _twice(r: Records, document: Document, rows: Ints, image: Ints, category: Ints) -> list[str]:
    """A note where a record says the same as one before it: image, category, score, box and segmentation."""
    mixed = np.zeros(len(rows), np.uint64)
    lengths = r.span[:, 1] - r.span[:, 0] + np.diff(r.count_offsets) + np.diff(r.mask_offsets)
    box, of = _of(r.box, rows), _of(image, rows) * (int(category.max(initial=0)) + 1) + category
    columns = [of, _of(r.score, rows), _of(lengths, rows), box[:, 0], box[:, 1]]  # enough to tell nearly all apart
    for column in columns:
        mixed = (mixed ^ np.ascontiguousarray(column).view(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    ordered = np.sort(mixed)
    if not (ordered[1:] == ordered[:-1]).any():
        return []
    order = np.argsort(mixed, kind="stable")
    same = np.flatnonzero(mixed[order][1:] == mixed[order][:-1])
    pairs = [
        (a, b)
        for a, b in zip(rows[order[same]].tolist(), rows[order[same + 1]].tolist(), strict=True)
        if _content(r, document.text, a) == _content(r, document.text, b)
    ]
    if not pairs:
        return []
    a, b = min(pairs, key=lambda p: p[1])
    what = "results" if document.is_list else "annotations"
    return [
        f"{len(pairs):,} duplicate {what}, the first `{document.root}[{b}]`, the same as `{document.root}[{a}]`; "
        "each counts as one more object"
    ]


def _content(r: Records, text: bytes | bytearray | memoryview, i: int) -> tuple[Any, ...]:
    """What two duplicates have in common."""
    polygons = r.polygon_offsets[r.mask_offsets[i] : r.mask_offsets[i + 1] + 1]
    return (
        r.image[i], r.category[i], r.score[i].tobytes(), r.box[i].tobytes(), r.crowd[i], r.kind[i],
        bytes(text[r.span[i, 0] : r.span[i, 1]]), r.size[i].tobytes(), np.diff(polygons).tobytes(),
        r.xy[polygons[0] : polygons[-1]].tobytes(), r.counts[r.count_offsets[i] : r.count_offsets[i + 1]].tobytes(),
    )  # fmt: skip


def _of(values: NDArray[Any], rows: Ints) -> NDArray[Any]:
    """The values of some rows, which ascend; all of them are not copied."""
    return values if len(values) == len(rows) else values.take(rows, axis=0)


def _segmentations(
    document: Document, rows: Ints, images: Images, image: Ints, path: str, threads: int
) -> Segmentations:
    r = document.records
    sizes = np.stack([images.height, images.width], 1).take(image, axis=0)
    polygons, masks = _taken(np.arange(len(r.polygon_offsets) - 1), r.mask_offsets, rows)
    xy, polygon_offsets = _taken(r.xy, r.polygon_offsets, polygons)
    counts, count_offsets = _taken(r.counts, r.count_offsets, rows)
    return Segmentations(
        document.text, _of(r.kind, rows), _of(r.span, rows), sizes, xy, polygon_offsets, masks, counts, count_offsets,
        rows, document.root, path, threads,
    )  # fmt: skip


def _taken(values: NDArray[Any], offsets: Ints, rows: Ints) -> tuple[NDArray[Any], Ints]:
    """The runs of `values` that belong to `rows`, one after the other, and where each begins."""
    if len(rows) == len(offsets) - 1 and np.array_equal(rows, np.arange(len(rows))):
        return values, offsets
    lengths = np.diff(offsets)[rows]
    begins = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return values[np.repeat(offsets[:-1][rows] - begins[:-1], lengths) + np.arange(begins[-1])], begins
