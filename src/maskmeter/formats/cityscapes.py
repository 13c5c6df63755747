"""Cityscapes instances: `*_instanceIds.png` as ground truth, and for each image a text file of scored masks.

Conventions
    Ground truth: 26001 is a car with a number, 26 a group of cars, which is a crowd; a plain label of the void
    classes is void. Everything else, numbered void classes included, is background.

    Prediction: `*_pred.txt` has a line for each mask, `path label score`, where the path is relative to the text
    file, the label one of the label ids, and any pixel of the mask that is not 0 belongs to the object. Masks may
    overlap one another. Masks without a pixel, and labels that have no objects, are left out and counted.

    Files go together by city, sequence and frame: `aachen_000000_000019_gtFine_instanceIds.png` with
    `aachen_000000_000019_pred.txt`, wherever below the folder they lie. Those with another name are passed over.

Reference: evalInstanceLevelSemanticLabeling.py of cityscapesScripts.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, FormatError, PairingError, printable
from ..kernels import joint_counts
from ..labels import LabelSet
from ..masks import label_map
from ..segments import Segment, Segments
from . import decode, load
from .packings import DIVISOR
from .panoptic import leaves

GT_FILE = re.compile(r"([^_]+_[^_]+_[^_]+)(?:_.*)?_instanceIds\.png")
PRED_FILE = re.compile(r"([^_]+_[^_]+_[^_]+)(?:_.*)?\.txt")


class Instances(NamedTuple):
    """A ground truth: the map of ids, what they stand for, and the digest of its file."""

    array: NDArray[Any]
    segments: Segments
    digest: str


class Mask(NamedTuple):
    """A predicted object."""

    class_: int
    score: float
    pixels: NDArray[np.bool_]


class Masks(NamedTuple):
    """The predicted objects of an image, the digest of their files, and what a reader should be told."""

    masks: list[Mask]
    digest: str
    notes: tuple[str, ...]


def find(folder: Path, gt: bool) -> dict[str, Path]:
    """The files of one side by city, sequence and frame. Raises PairingError where two have the same."""
    found: dict[str, Path] = {}
    for name, path in _files(folder, GT_FILE if gt else PRED_FILE):
        if (other := found.setdefault(name, path)) != path:
            raise PairingError(f"is of the same image as {printable(os.fspath(other))}; keep one of them", path)
    if not found:
        raise PairingError(f"holds no {'*_instanceIds.png' if gt else '*_pred.txt'}", folder)
    return dict(sorted(found.items()))


def is_scored(folder: Path) -> bool:
    """Whether a folder holds lists of scored masks."""
    return folder.is_dir() and next(_files(folder, PRED_FILE), None) is not None


def open_instances(path: Path, labels: LabelSet, max_pixels: int | None = None) -> Instances:
    """Read a ground truth. Raises FormatError or LabelError naming it."""
    data = load(path)
    raster = decode(data, path) if max_pixels is None else decode(data, path, max_pixels)
    try:
        if raster.rgb:
            raise FormatError("holds colours, where ids of instances are 16-bit grey")
        ids = label_map(raster.array).array
    except DataError as error:
        raise error.at(path) from None
    seen = np.unique(joint_counts(ids, ids)[0]).tolist()
    return Instances(ids, tuple(_stands_for(i, labels) for i in seen), sha256(data).hexdigest())


def open_masks(path: Path, labels: LabelSet, max_pixels: int | None = None) -> Masks:
    """Read a prediction with its masks. Raises FormatError naming the file to blame."""
    data = load(path)
    digest, masks, empty, others = sha256(data), list[Mask](), 0, 0
    for line, (name, class_, score) in _lines(data, path):
        if leaves(name):
            raise FormatError(f"line {line}: {name!r} is a path outside its folder; masks lie beside their list", path)
        label = labels.by_id.get(labels.id_of_source.get(class_, -1))
        if label is None:
            raise FormatError(f"line {line}: {class_} is no label id of Cityscapes", path)
        if label.thing is not True:
            others += 1
            continue
        found = load(path.parent / name)
        digest.update(found)
        mask = _mask(found, path.parent / name, max_pixels)
        if mask.any():
            masks.append(Mask(class_, score, mask))
        else:
            empty += 1
    said = ((empty, "masks without a pixel"), (others, "masks of a class without objects"))
    return Masks(masks, digest.hexdigest(), tuple(f"{n} {what} left out" for n, what in said if n))


def digest_of_masks(path: Path, labels: LabelSet) -> str | None:
    """The digest that `open_masks` would give; None where the files cannot be read."""
    try:
        return open_masks(path, labels).digest
    except DataError:
        return None


def _files(folder: Path, pattern: re.Pattern[str]) -> Iterator[tuple[str, Path]]:
    for root, _, names in os.walk(folder):
        for name in sorted(names):
            if match := pattern.fullmatch(name):
                yield match[1], Path(root, name)


def _stands_for(id: int, labels: LabelSet) -> Segment:
    numbered = id >= DIVISOR
    class_ = id // DIVISOR if numbered else id
    label = labels.by_id.get(labels.id_of_source.get(class_, -1))
    thing = label is not None and label.thing is True
    void = label is not None and label.ignore and not numbered
    return Segment(id, class_, crowd=thing and not numbered, background=not thing and not void)


def _lines(data: bytes, path: Path) -> Iterator[tuple[int, tuple[str, int, float]]]:
    for number, text in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        if not (parts := text.split()):
            continue
        try:
            name, class_, score = parts
            made = name, int(float(class_)), float(score)
        except (ValueError, OverflowError):
            raise FormatError(f"line {number}: {text[:60]!r} is not `path label score`", path) from None
        if not math.isfinite(made[2]):
            raise FormatError(f"line {number}: the score {score} is not finite", path)
        yield number, made


def _mask(data: bytes, path: Path, max_pixels: int | None) -> NDArray[np.bool_]:
    raster = decode(data, path) if max_pixels is None else decode(data, path, max_pixels)
    if raster.rgb or raster.array.ndim != 2:
        raise FormatError("is no mask of one channel", path)
    return raster.array != 0
