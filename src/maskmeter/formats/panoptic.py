"""COCO panoptic: a JSON file with the segments of every image, and PNGs whose colours are their ids.

Conventions
    id = R + 256 G + 65536 B, in 8-bit RGB; 0 is void. `annotations` have `image_id`, `file_name` (of the PNG)
    and `segments_info` with `id`, `category_id`, `iscrowd` and `area`. The PNGs lie in the folder of the same
    name beside the JSON: `gt.json` has `gt/`. Ground truth and prediction are matched by `image_id`. The
    categories are those of the ground truth, with `isthing`; those of a prediction are not looked at.

    Strict: an image, a segment of an image or a category that is listed twice, a category that nobody
    declared, and a `file_name` that leaves its folder are errors that name the place in the JSON. A PNG that
    holds grey values, a palette, 16 bits or transparency holds no ids.

Reference: Panoptic segmentation data format, https://cocodataset.org/#format-data
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, FormatError, printable
from ..kernels import LabelArray
from ..labels import Label, LabelSet
from ..segments import VOID_ID, Segment, Segments
from . import DEFAULT_MAX_PIXELS, decode, load, split_suffix
from ._json import read_json
from .png import SIGNATURE, id_runs

ImageId = int | str


class _Segment(msgspec.Struct, gc=False):
    id: int
    category_id: int
    iscrowd: bool | int = 0
    area: float | None = None


class _Annotation(msgspec.Struct):
    image_id: ImageId
    file_name: str
    segments_info: list[_Segment]


class _Category(msgspec.Struct):
    id: int
    name: str | None = None
    isthing: bool | int | None = None
    color: tuple[int, int, int] | None = None
    supercategory: str | None = None


class _Prediction(msgspec.Struct):
    annotations: list[_Annotation]


class _GroundTruth(_Prediction):
    categories: list[_Category]


@dataclass(frozen=True)
class Annotated:
    """One image: its name, its PNG and its segments."""

    name: str
    png: Path
    segments: Segments


@dataclass(frozen=True)
class PanopticSet:
    """One side of a data set; the labels are those of the ground truth."""

    path: Path
    images: dict[ImageId, Annotated]
    labels: LabelSet


def is_panoptic(path: Path) -> bool:
    """Whether a file is JSON that speaks of segments."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    with path.open("rb") as file:
        before = b""
        while part := file.read(2**20):
            if b'"segments_info"' in before + part:
                return True
            before = part[-20:]
    return False


def read_ground_truth(path: Path) -> PanopticSet:
    """The ground truth and its categories. Raises DataError."""
    file = read_json(path, _GroundTruth, "ground truth of panoptic segmentation")
    labels = _labels(file.categories, path)
    return PanopticSet(path, _images(file, path, labels), labels)


def read_prediction(path: Path, labels: LabelSet) -> PanopticSet:
    """A prediction whose classes are `labels`. Raises DataError."""
    file = read_json(path, _Prediction, "prediction of panoptic segmentation")
    return PanopticSet(path, _images(file, path, labels), labels)


class Ids(NamedTuple):
    """A map of ids, the digest of its file, and what a reader should be told about the file."""

    map: LabelArray
    digest: str
    notes: tuple[str, ...]


def open_ids(path: Path, max_pixels: int | None = None) -> Ids:
    """The ids of a PNG. Raises FormatError where its samples are no ids."""
    data = load(path)
    if not data.startswith(SIGNATURE):
        decode(data, path)  # which says what it is, unless it is an image of another format
        raise FormatError("is no PNG, and only PNG keeps the ids of segments as they are", path)
    most = DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels
    digest = sha256(data).hexdigest()
    if plain := id_runs(data, os.fspath(path), most):
        return Ids(plain[0], digest, plain[1])
    raster = decode(data, path, most)
    if not raster.rgb:
        what = "a palette" if raster.palette is not None else f"{raster.bits}-bit grey"
        raise FormatError(
            f"is a PNG with {what}, where ids of segments need 8-bit RGB (id = R + 256 G + 65536 B); save it as RGB",
            path,
        )
    return Ids(ids_of_colors(raster.array), digest, raster.notes)


def ids_of_colors(rgb: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """The ids R + 256 G + 65536 B of colours (..., 3).

    >>> ids_of_colors(np.array([[[1, 2, 0], [0, 0, 1]]], np.uint8)).tolist()
    [[513, 65536]]
    """
    flat = np.ascontiguousarray(rgb).reshape(-1)
    out = np.empty(flat.size // 3, "<u4")
    if out.size > 1:
        # Every pixel as the word that begins at it; the fourth byte is the next one's red. Several times faster
        # than adding up the channels.
        np.bitwise_and(np.ndarray(out.size - 1, "<u4", flat.data, strides=(3,)), 0xFFFFFF, out=out[:-1])
    out[-1:] = flat[-3:].astype(np.uint32) @ np.array([1, 256, 65536], np.uint32) if flat.size else 0
    return out.reshape(rgb.shape[:-1])


# Reading the JSON


def _labels(categories: list[_Category], path: Path) -> LabelSet:
    if not categories:
        raise FormatError("has no categories; a ground truth declares its classes there", path)
    labels: list[Label] = []
    for k, c in enumerate(categories):
        if abs(c.id) >= 2**53:
            raise FormatError(f"category id {c.id} is out of range - at `$.categories[{k}].id`", path)
        if c.isthing not in (None, 0, 1):
            raise FormatError(f"isthing {c.isthing} is neither 0 nor 1 - at `$.categories[{k}].isthing`", path)
        color = c.color if c.color and all(0 <= x <= 255 for x in c.color) else None
        thing = None if c.isthing is None else bool(c.isthing)
        labels.append(Label(c.id, c.name, color, parent=c.supercategory, thing=thing))
    try:
        return LabelSet(tuple(labels))
    except DataError:
        twice = next(i for i in (c.id for c in categories) if sum(c.id == i for c in categories) > 1)
        raise FormatError(f"category {twice} is a duplicate; give each category an id of its own", path) from None


def _images(file: _Prediction, path: Path, labels: LabelSet) -> dict[ImageId, Annotated]:
    folder = path.with_suffix("")
    if file.annotations and not folder.is_dir():
        where, such = printable(os.fspath(folder)), printable(file.annotations[0].file_name)
        raise FormatError(f"needs the folder {where} beside it, with its PNGs such as {such}", path)
    if wrong := list(_problems(file.annotations, set(labels.id_of_source), folder)):
        more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise FormatError(f"{'; '.join(wrong[:3])}{more}", path)
    names = Counter(_name(a.file_name) for a in file.annotations)
    return {
        a.image_id: Annotated(
            name if names[name := _name(a.file_name)] == 1 else f"{name} (image_id {a.image_id!r})",
            folder / a.file_name,
            tuple(_segment(s) for s in a.segments_info),
        )
        for a in file.annotations
    }


def _segment(s: _Segment) -> Segment:
    return Segment(s.id, s.category_id, bool(s.iscrowd), None if s.area is None else int(s.area))


def _problems(annotations: list[_Annotation], categories: set[int], folder: Path) -> Iterator[str]:
    """What disagrees with the rules, each with its place."""
    seen: dict[ImageId, int] = {}
    for k, a in enumerate(annotations):
        at = f"$.annotations[{k}]"
        if (before := seen.setdefault(a.image_id, k)) != k:
            yield f"image {a.image_id!r} is there twice (duplicate image_id) - at `$.annotations[{before}]` and `{at}`"
        if leaves(a.file_name):
            yield (
                f"file_name {a.file_name!r} is a path outside {printable(os.fspath(folder))}, where it has to lie - "
                f"at `{at}.file_name`"
            )
        ids: set[int] = set()
        for j, s in enumerate(a.segments_info):
            where = f"at `{at}.segments_info[{j}]`"
            if s.id in ids:
                yield f"segment {s.id} is a duplicate: segment ids are unique within an image - {where}"
            ids.add(s.id)
            if s.id == VOID_ID:
                yield f"segment id 0 stands for void and can be no segment - {where}"
            elif not 0 < s.id < 2**24:
                yield f"segment id {s.id} is no colour of a PNG: ids are below 2**24 - {where}"
            if s.category_id not in categories:
                yield f"category {s.category_id} is not among the categories of the ground truth - {where}"
            if s.iscrowd not in (0, 1):
                yield f"iscrowd {s.iscrowd} is neither 0 nor 1 - {where}"
            if s.area is not None and not (0 <= s.area < 2**53 and s.area == int(s.area)):
                yield f"area {s.area:g} is no number of pixels - {where}"


def _name(file_name: str) -> str:
    return split_suffix(file_name.replace("\\", "/"))[0]


def leaves(file_name: str) -> bool:
    """Whether a file name could lead out of its folder, on any system."""
    windows = PureWindowsPath(file_name)
    return not file_name or "\0" in file_name or bool(windows.anchor) or ".." in re.split(r"[/\\]", file_name)
