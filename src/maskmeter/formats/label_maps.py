"""From a file to a `LabelMap`: what the raster's samples mean as labels.

Palette indices and grey samples are labels as stored, never scaled and never turned into colours. RGB
is labels only through the colours of a label file. One-bit samples are booleans. Floats pass if they
are exact integers. Everything else is an error that names the file.

A volume, known as one by its spacing, that is a single slice is read as the plane that it is, and a note says so.

A stack of masks (N, H, W) or (N, D, H, W) holds an object in each of its N parts, and these may overlap: booleans, or
numbers that are all 0 and 1, or all 0 and 255. It looks like a volume, so somebody has to say that it is one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, LabelError
from ..kernels import joint_counts
from ..labels import LabelSet
from ..masks import LabelMap, Spacing, close, label_map
from ..tasks import FEW
from . import DEFAULT_MAX_PIXELS, Box, Pieces, Raster, digest, digest_of_file, load, pieces, read_with_digest
from ._raster import HEAD
from .colors import labels_of_colors
from .dicom import DICOM, masks


class Opened(NamedTuple):
    """A label map, the digest of its file, and what a reader should be told about the file.

    `numbered`: the file numbers objects, too, apart from the labels.
    """

    map: LabelMap
    digest: str
    notes: tuple[str, ...]
    numbered: bool = False


class OpenedScores(NamedTuple):
    """A map of floats as it stands in its file; `map` where they are integers and may be labels as well."""

    scores: NDArray[Any]
    map: LabelMap | None
    digest: str
    notes: tuple[str, ...]
    spacing: tuple[float, ...] | None = None
    affine: tuple[float, ...] | None = None


@dataclass(frozen=True, eq=False)
class PieceMap:
    """A file of labels or scores that is read box by box; `placed` is the raster of the whole with no array behind it.

    The maps of all boxes together are what `open_label_map` would give.
    """

    path: Path
    pieces: Pieces
    placed: Raster
    labels: LabelSet | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole."""
        return self.pieces.shape

    @property
    def floats(self) -> bool:
        """Whether it may be a map of scores."""
        return not self.placed.rgb and self.placed.array.dtype.kind == "f"

    def whole(self) -> LabelMap:
        """The geometry of the whole; its array only has the shape and the type of a map of samples."""
        array = np.broadcast_to(np.zeros((), self.placed.array.dtype), self.shape)
        return LabelMap(array, spacing=self.placed.spacing, affine=self.placed.affine)

    def part(self, box: Box) -> LabelMap:
        """The labels of a box. Raises FormatError or LabelError naming the file."""
        try:
            return _label_map(self.pieces.part(box), self.labels)
        except DataError as error:
            raise error.at(self.path) from None

    def samples(self, box: Box) -> NDArray[Any]:
        """What stands in the file."""
        return self.pieces.samples(box)

    def opened(self) -> Opened:
        """What is known of the file as a whole, its digest included."""
        return Opened(self.whole(), digest_of_file(self.path), self.placed.notes)


def open_pieces(path: Path, labels: LabelSet | None = None, spacing: Spacing | None = None) -> PieceMap | None:
    """A file to be read box by box; None where it has to be read whole. Raises FormatError or LabelError naming it."""
    found = pieces(path)
    if found is None:
        return None
    tail = (3,) if found.facts.rgb else ()
    whole = np.broadcast_to(np.zeros((), found.facts.array.dtype), (*found.shape, *tail))
    try:
        placed = _placed(replace(found.facts, array=whole), spacing)
    except DataError as error:
        raise error.at(path) from None
    if placed.array.ndim < whole.ndim:
        found = found.without(found.shape.index(1))
    return PieceMap(path, found, placed, labels)


def is_integral(samples: NDArray[Any]) -> bool:
    """Whether floats are whole numbers, and so may be labels."""
    return bool(np.isfinite(samples).all()) and bool((samples == np.rint(samples)).all())


SLICE = "the volume is a single slice and is evaluated in two dimensions"
_PACKED = "an axis of length 2 is read as two slices; if they are class and number, add --convention channels"


def open_label_map(
    path: Path, labels: LabelSet | None = None, max_pixels: int | None = None, spacing: Spacing | None = None
) -> Opened:
    """Read a file of labels. Raises FormatError or LabelError naming it."""
    raster, digest = _read(path, max_pixels)
    try:
        raster = _placed(raster, spacing)
        return _opened(raster, labels, digest)
    except DataError as error:
        raise error.at(path) from None


def open_prediction(
    path: Path, labels: LabelSet | None = None, max_pixels: int | None = None, spacing: Spacing | None = None
) -> Opened | OpenedScores:
    """Read a file of labels or of scores: floats may be either. Raises FormatError or LabelError naming it."""
    raster, digest = _read(path, max_pixels)
    try:
        raster = _placed(raster, spacing)
        if raster.rgb or raster.array.dtype.kind != "f":
            return _opened(raster, labels, digest)
        found = _label_map(raster, labels) if is_integral(raster.array) else None
        return OpenedScores(raster.array, found, digest, raster.notes, raster.spacing, raster.affine)
    except DataError as error:
        raise error.at(path) from None


def open_region(path: Path, max_pixels: int | None = None, spacing: Spacing | None = None) -> LabelMap:
    """Read a file whose pixels other than 0 are the ones to count."""
    return open_label_map(path, None, max_pixels, spacing).map


def open_stack(path: Path, max_pixels: int | None = None) -> Opened:
    """Read a file of masks (N, ...), each an object. Raises FormatError or LabelError naming it."""
    raster, digest = _read_stack(path, max_pixels)
    array = raster.array
    if raster.rgb or array.ndim < 3:
        raise LabelError(f"holds no stack of masks (N, H, W): its shape is {array.shape}", path)
    if array.dtype != np.bool_:
        seen = set(np.unique(array).tolist())
        if not (seen <= {0, 1} or seen <= {0, 255}):
            raise LabelError("holds no stack of masks: a mask has two values, 0 and 1 or 0 and 255", path)
        array = array != 0
    return Opened(LabelMap(array), digest, raster.notes)


def _opened(raster: Raster, labels: LabelSet | None, digest: str) -> Opened:
    numbered = raster.numbers is not None and bool(raster.numbers.any())
    notes = ("the numbers of objects beside the classes are left aside",) if numbered else ()
    found = _label_map(raster, labels)
    notes = (*notes, *_two_channels(found))
    return Opened(found, digest, (*raster.notes, *notes), numbered)


def _two_channels(found: LabelMap) -> tuple[str, ...]:
    """A remark on a volume of two slices that look like classes and numbers: few values, and seldom the same twice."""
    array = found.array
    if array.ndim != 3 or found.spacing is not None or found.binary or 2 not in (array.shape[0], array.shape[-1]):
        return ()
    last = array.shape[-1] == 2
    kind, number, n = joint_counts(*(np.ascontiguousarray(array[..., k] if last else array[k]) for k in (0, 1)))
    both, classes = (kind > 0) & (number > 0), np.unique(kind).size
    if classes > FEW or classes >= np.unique(number).size or n[both].sum() <= 2 * n[both & (kind == number)].sum():
        return ()
    return (_PACKED,)


def _read_stack(path: Path, max_pixels: int | None) -> tuple[Raster, str]:
    """A file as masks: the segments of DICOM, which may overlap, or what any other format holds."""
    if path.suffix.lower() not in DICOM.suffixes:
        return _read(path, max_pixels)
    data = load(path)
    if not DICOM.matches(data[:HEAD]):
        return _read(path, max_pixels)
    return masks(data, str(path), max_pixels or DEFAULT_MAX_PIXELS), digest(data, path)


def _read(path: Path, max_pixels: int | None) -> tuple[Raster, str]:
    return read_with_digest(path) if max_pixels is None else read_with_digest(path, max_pixels)


def _placed(raster: Raster, spacing: Spacing | None) -> Raster:
    """With the spacing that somebody gives, if the file has none; a volume of a single slice as a plane."""
    axes = raster.array.ndim - raster.rgb
    if spacing is not None and len(spacing) != axes:
        raise LabelError(f"--spacing has {len(spacing)} numbers for {axes} axes; give one for each, in their order")
    if spacing is not None and raster.spacing and not close(raster.spacing, spacing, relative=1e-3):
        raise LabelError(f"has the spacing {raster.spacing} mm, and --spacing says {spacing}; leave --spacing away")
    known = raster.spacing or spacing
    if known is None or axes != 3 or raster.array.shape[:3].count(1) != 1:
        return replace(raster, spacing=known)
    axis = raster.array.shape.index(1)
    plane = tuple(step for k, step in enumerate(known) if k != axis)
    return replace(raster, array=raster.array.squeeze(axis), spacing=plane, notes=(*raster.notes, SLICE))


def _label_map(raster: Raster, labels: LabelSet | None) -> LabelMap:
    if raster.rgb:
        array: NDArray[Any] = labels_of_colors(raster.array, labels or LabelSet(()))
    else:
        array = raster.array.view(np.bool_) if raster.bits == 1 and raster.array.itemsize == 1 else raster.array
    return label_map(array, spacing=raster.spacing, affine=raster.affine)
