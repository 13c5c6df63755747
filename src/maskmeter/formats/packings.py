"""Panoptic maps in one file an image: the class and the number of the object share a pixel.

    channels       two channels: class, number. Arrays and TIFF with a last axis of 2, or of two pages (2, H, W); PNG
                   of grey with alpha (LA), or of RGB whose blue is 0 everywhere
    cityscapes     one channel: 1000 class + number, and the plain class where nobody numbered the objects
                   (`*_gtFine_instanceIds.png`)
    kitti          8-bit RGB: class = R, number = 256 G + B (KITTI-STEP)
    semantickitti  a number for each point of a cloud: class + 65536 number (`.label`, see `points`)
    components4, components8; of volumes components6, components18, components26
                   maps of classes, whose objects are their connected components: of so many neighbours; they are
                   numbered over all classes, in the order of their first pixels. 0 is no object, unless the label file
                   calls it a thing; a label of several sources is one label

Conventions. Two channels of arrays and TIFF and `.label` files are recognised by themselves, the others have to be
named: a PNG of grey with alpha may as well be a mask that somebody drew. A pair of class and number
is one segment. All of a stuff class is one segment, whatever its numbers. Number 0 of a thing class (in
`cityscapes` the plain class) is, in the ground truth, a crowd. Which classes are things the label file says;
where nobody says, every pair is a segment and none is a crowd.

Read as *instances*, the same files hold objects alone: stuff is background, and so is what has number 0 and is
no crowd.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, LabelError
from ..kernels import components, joint_counts
from ..labels import LabelSet
from ..masks import label_map
from ..segments import Segment, Segments
from . import DEFAULT_MAX_PIXELS, decode, load
from ._raster import Raster
from .label_maps import open_label_map
from .png import SIGNATURE, two_channels

COMPONENTS = {
    "components4": (2, 1), "components8": (2, 2), "components6": (3, 1), "components18": (3, 2), "components26": (3, 3),
}  # fmt: skip
"""The axes of a map, and along how many of them neighbours may differ."""
PACKINGS = ("channels", "cityscapes", "kitti", "semantickitti", *COMPONENTS)
NUMBERED = tuple(p for p in PACKINGS if p != "cityscapes")  # read into ids of our own, of class and number
DIVISOR = 1000
LIMIT = 2**31
MANY = 2**12  # beyond what objects of a class are numbered to in an image

_HOW = (
    "say how class and number share a pixel: --convention cityscapes (1000 class + number) or "
    "--convention kitti (R = class, 256 G + B = number); or store two channels, class and number (as PNG with "
    "--convention channels); of COCO panoptic (id = R + 256 G + 65536 B) give the JSON files beside the folders"
)

_NO_NUMBERS = (
    "most numbers are large, as they are not in KITTI: if these are the ids of COCO panoptic "
    "(R + 256 G + 65536 B), give its JSON files"
)
_ZERO = "class 0 without a number counts as a class of its own; if it is background or void, add --ignore 0"


Kinds = Mapping[int, bool | None]
Pairs = list[tuple[int, int, int]]


class Packed(NamedTuple):
    """A map of ids with its segments, the digest of its file, and what a reader should be told about the file."""

    array: NDArray[Any]
    segments: Segments
    digest: str
    notes: tuple[str, ...]


def open_packed(
    path: Path,
    packing: str | None,
    labels: LabelSet | None,
    gt: bool,
    instances: bool = False,
    ignore: tuple[int, ...] = (),
    max_pixels: int | None = None,
) -> Packed:
    """Read a file of classes and numbers. Raises FormatError or LabelError naming it."""
    if packing in COMPONENTS:
        return _open_components(path, packing, labels, gt, instances, ignore, max_pixels)
    data, most = load(path), DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels
    try:
        things = _kinds(labels)
        if packing == "channels" and data.startswith(SIGNATURE):
            kind, number, notes = two_channels(data, str(path), most)
            ids, pairs = _of_channels(kind, number, things)
        else:
            raster = decode(data, path, most)
            notes = raster.notes
            ids, pairs = _unpacked(raster, packing, things)
    except DataError as error:
        raise error.at(path) from None
    notes = (*notes, *_shared_numbers(pairs)) if packing in (None, PACKINGS[0]) else notes
    if packing == "kitti" and sum(n >= MANY for _, _, n in pairs) > len(pairs) / 2:
        notes = (*notes, _NO_NUMBERS)
    if labels is None and gt and not instances and (0, 0) in {pair[1:] for pair in pairs} and 0 not in ignore:
        notes = (*notes, _ZERO)
    segments = _segments(pairs, labels, things, gt, instances, ignore)
    return Packed(ids, segments, sha256(data).hexdigest(), notes)


def segments_of_maps(
    classes: Any,
    numbers: Any,
    labels: LabelSet | None,
    gt: bool,
    instances: bool = False,
    ignore: tuple[int, ...] = (),
) -> tuple[NDArray[Any], Segments]:
    """The map of ids and the segments of a class map and an instance map. Raises LabelError."""
    kind, number = label_map(classes).array, label_map(numbers).array
    if kind.shape != number.shape:
        raise LabelError(f"shape {kind.shape} of the class map differs from {number.shape} of the instance map")
    things = _kinds(labels)
    ids, pairs = _of_channels(kind, number, things)
    return ids, _segments(pairs, labels, things, gt, instances, ignore)


def number_of(id: int) -> int:
    """The number in the file that an id of our own stands for."""
    return id & 0xFFFFFFFF


def _segments(
    pairs: Pairs, labels: LabelSet | None, things: Kinds, gt: bool, instances: bool, ignore: tuple[int, ...]
) -> Segments:
    void = {s for x in labels for s in x.sources if x.ignore or x.id in ignore} if labels else set(ignore)
    return tuple(_segment(*pair, things, gt, instances and pair[1] not in void) for pair in pairs)


def _kinds(labels: LabelSet | None) -> Kinds:
    """Of each class as the files number it, whether it is a thing."""
    return {} if labels is None else {s: x.thing for x in labels for s in x.sources}


def _segment(id: int, class_: int, number: int, things: Kinds, gt: bool, instances: bool) -> Segment:
    """What a pair of class and number stands for."""
    thing = things.get(class_)
    crowd = gt and number == 0 and thing is True
    return Segment(id, class_, crowd, background=instances and not crowd and (thing is False or number == 0))


def _open_components(
    path: Path,
    packing: str,
    labels: LabelSet | None,
    gt: bool,
    instances: bool,
    ignore: tuple[int, ...],
    max_pixels: int | None,
) -> Packed:
    """A map of classes with its components as objects."""
    opened = open_label_map(path, labels, max_pixels)
    classes, things = opened.map.array, _kinds(labels)
    (axes, apart), known = COMPONENTS[packing], [p for p, (n, _) in COMPONENTS.items() if n == classes.ndim]
    if classes.ndim != axes:
        raise LabelError(
            f"has {classes.ndim} axes, and {packing} is for {axes}; there are {', '.join(known) or 'none for these'}",
            path,
        )
    if opened.numbered:
        raise LabelError("holds a number of each object already; read it with --convention semantickitti", path)
    classes = classes.astype(np.int64)
    for x in labels or ():
        if len(x.sources) > 1:
            classes[np.isin(classes, x.sources)] = x.sources[0]
    ids, pairs = _of_channels(classes, components(classes, apart, -1 if things.get(0) else 0), things)
    return Packed(ids, _segments(pairs, labels, things, gt, instances, ignore), opened.digest, opened.notes)


def _unpacked(raster: Raster, packing: str | None, things: Kinds) -> tuple[NDArray[Any], Pairs]:
    """The map of ids, and the id, class and number of everything in it; the number is 0 where it has none."""
    array = raster.array
    if raster.numbers is not None:
        return _of_channels(array, raster.numbers, things)
    if packing == "semantickitti":
        raise LabelError("is no .label file of SemanticKITTI, whose class and number share 32 bits")
    if raster.rgb:
        if packing != "kitti":
            raise LabelError(f"holds colours; {_HOW}")
        number = array[..., 1].astype(np.uint32) << 8 | array[..., 2]
        return _of_channels(np.ascontiguousarray(array[..., 0]), number, things)
    if array.ndim > 2 and 2 in (array.shape[-1], array.shape[0]):
        last = array.shape[-1] == 2
        if last and array.ndim == 3 and array.shape[0] == 2:
            raise LabelError(f"shape {array.shape} has two axes of length 2 that could be class and number")
        channels = [label_map(np.ascontiguousarray(array[..., k] if last else array[k])).array for k in (0, 1)]
        return _of_channels(channels[0], channels[1], things)
    if packing != "cityscapes":
        raise LabelError(f"holds no colours; {_HOW}" if packing == "kitti" else f"holds one channel; {_HOW}")
    return _of_divisor(label_map(array).array)


def _of_divisor(ids: NDArray[Any]) -> tuple[NDArray[Any], Pairs]:
    seen = np.unique(joint_counts(ids, ids)[0]).tolist()
    _check(seen, "id")
    # 26000 is a car with the number 0, and 26 one without.
    return ids, [(i, i // DIVISOR, 1 + i % DIVISOR) if i >= DIVISOR else (i, i, 0) for i in seen]


def _of_channels(classes: NDArray[Any], number: NDArray[Any], things: Kinds) -> tuple[NDArray[Any], Pairs]:
    kind, numbers, _ = joint_counts(classes, number)
    _check(kind.tolist(), "class")
    _check(numbers.tolist(), "number")
    ids = classes.astype(np.int64) << 32 | number.astype(np.int64)
    stuff = np.isin(kind, [c for c, thing in things.items() if thing is False])
    if (numbers[stuff] > 0).any():
        numbers = np.where(stuff, 0, numbers)
        merged = np.isin(classes, kind[stuff])
        ids[merged] = classes[merged].astype(np.int64) << 32
    return ids, [(c << 32 | n, c, n) for c, n in sorted(set(zip(kind.tolist(), numbers.tolist(), strict=True)))]


def _shared_numbers(pairs: Pairs) -> tuple[str, ...]:
    """A remark where numbers that do not begin anew in each class belong to two of them."""
    numbers: dict[int, list[int]] = {}
    for _, class_, number in pairs:
        if number:
            numbers.setdefault(class_, []).append(number)
    if all(sorted(x) == list(range(1, len(x) + 1)) for x in numbers.values()):
        return ()
    twice = sorted(n for n, k in Counter(n for x in numbers.values() for n in x).items() if k > 1)
    return ("numbers belong to two classes, and are read as an object of each",) if twice else ()


def _check(values: list[int], what: str) -> None:
    if strange := [v for v in values if not 0 <= v < LIMIT]:
        why = "is negative" if strange[0] < 0 else f"is not below {LIMIT}"
        raise LabelError(f"{what} {strange[0]} {why}")
