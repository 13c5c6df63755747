"""DICOM segmentations (.dcm, modality SEG): one map of labels, or a mask for each segment. Needs the extra `dicom`.

Conventions
    The array has the axes slice, row, column. Labels are the numbers of the segments, 0 is what no segment holds. The
    place of every frame is that of its functional groups: slices lie along the normal of the plane in the order of
    their positions, from the first to the last frame that the file has; empty ones in between may be left out of it.
    Spacing is that of the frames' pixel measures and of their positions. Millimetres are turned from LPS to RAS.
    Segments may overlap; as one map of labels such a file is refused, as masks (`masks`) it is read.
    Fractional segmentations hold probabilities and are refused.

Reference: DICOM PS3.3, A.51 Segmentation IOD, C.8.20.
"""

from __future__ import annotations

import io
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, printable
from ._raster import Format, Raster, check_size
from ._volume import affine, checked_spacing

_SEGMENTATION, _LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"
_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99")
_NEAR = 1e-3  # millimetres, or of a step

Floats = NDArray[np.float64]


class Frames(NamedTuple):
    """What a file holds: frames (N, rows, columns), of each its segment (0 in a map of labels) and its slice.

    depth  how many slices there are
    """

    pixels: NDArray[Any]
    segment: NDArray[np.int64]
    slice: NDArray[np.int64]
    depth: int
    spacing: tuple[float, ...]
    affine: tuple[float, ...]


def decode(data: bytes, path: str, max_pixels: int) -> Raster:
    """The map of labels. Raises FormatError where segments overlap."""
    f = _frames(data, path, max_pixels)
    out = np.zeros((f.depth, *f.pixels.shape[1:]), np.uint8 if f.segment.max(initial=0) < 256 else np.uint16)
    if not f.segment.any():
        out = out.astype(f.pixels.dtype)
    for pixels, segment, at in zip(f.pixels, f.segment.tolist(), f.slice.tolist(), strict=True):
        there = pixels != 0
        if (taken := out[at][there]).any():
            other = int(taken[taken != 0][0])
            raise FormatError(
                f"holds segments that overlap ({other} and {segment or int(pixels.max())}), which one map of labels "
                "cannot; read each as an object with --task instance --convention stack, or save them apart", path,
            )  # fmt: skip
        out[at][there] = segment or pixels[there]
    return Raster(out, spacing=f.spacing, affine=f.affine)


def masks(data: bytes, path: str, max_pixels: int) -> Raster:
    """A mask for each segment (N, slices, rows, columns), in the order of their numbers."""
    f = _frames(data, path, max_pixels)
    if not f.segment.any():
        numbers = np.unique(f.pixels[f.pixels != 0])
        whole = np.zeros((f.depth, *f.pixels.shape[1:]), f.pixels.dtype)
        whole[f.slice] = f.pixels
        return Raster(np.stack([whole == k for k in numbers]), spacing=f.spacing, affine=f.affine)
    numbers = np.unique(f.segment)
    check_size((numbers.size * f.depth, *f.pixels.shape[1:]), path, max_pixels)
    out = np.zeros((numbers.size, f.depth, *f.pixels.shape[1:]), bool)
    for pixels, which, at in zip(f.pixels, np.searchsorted(numbers, f.segment), f.slice.tolist(), strict=True):
        out[which, at] |= pixels != 0
    return Raster(out, spacing=f.spacing, affine=f.affine)


def _frames(data: bytes, path: str, max_pixels: int) -> Frames:
    ds = _read(data, path)
    try:
        kind = str(ds.SOPClassUID)
        if kind not in (_SEGMENTATION, _LABEL_MAP):
            raise FormatError(
                f"is a DICOM file of modality {printable(str(ds.get('Modality', 'unknown')))}; label maps are DICOM "
                "segmentations (SEG), others must be converted", path,
            )  # fmt: skip
        if str(ds.get("SegmentationType", "")).upper() == "FRACTIONAL":
            raise FormatError("holds a fractional segmentation; save it as a binary one, or as a score map", path)
        count, rows, columns = int(ds.get("NumberOfFrames", 1)), int(ds.Rows), int(ds.Columns)
        check_size((count, rows, columns), path, max_pixels)
        groups = list(ds.PerFrameFunctionalGroupsSequence)
        shared = ds.SharedFunctionalGroupsSequence[0] if ds.get("SharedFunctionalGroupsSequence") else None
        if len(groups) != count:
            raise FormatError(f"is a corrupt DICOM file: it has {count} frames and places for {len(groups)}", path)
        pixels = _pixels(ds, (count, rows, columns), path)
        number = [
            0 if kind == _LABEL_MAP else int(_group(g, shared, "SegmentIdentificationSequence").ReferencedSegmentNumber)
            for g in groups
        ]
        at = np.array([_group(g, shared, "PlanePositionSequence").ImagePositionPatient for g in groups], np.float64)
        turn = np.array([_group(g, shared, "PlaneOrientationSequence").ImageOrientationPatient for g in groups], float)
        steps = [_group(g, shared, "PixelMeasuresSequence") for g in groups]
        flat = np.array([s.PixelSpacing for s in steps], np.float64)
        between = float(steps[0].get("SpacingBetweenSlices") or 0)
        thick = float(steps[0].get("SliceThickness") or 0)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        said = printable(str(error)[:80])
        raise FormatError(f"is a corrupt DICOM segmentation ({said}); write it anew", path) from None
    if not np.allclose(turn, turn[0], atol=_NEAR) or not np.allclose(flat, flat[0], rtol=_NEAR):
        raise FormatError("has frames of several orientations or spacings, which are no volume", path)
    return Frames(pixels, np.array(number, np.int64), *_placed(at, turn[0], flat[0], (between, thick), path))


def _read(data: bytes, path: str) -> Any:
    try:
        pydicom = import_module("pydicom")
    except ImportError:
        raise FormatError("is a DICOM file; reading it needs pydicom: pip install 'maskmeter[dicom]'", path) from None
    try:
        return pydicom.dcmread(io.BytesIO(data))
    except Exception as error:  # noqa: BLE001 - whatever a broken file makes of the parser
        raise FormatError(f"is a corrupt DICOM file ({printable(str(error)[:80])}); copy it anew", path) from None


def _group(frame: Any, shared: Any, name: str) -> Any:
    """An item of the functional groups of a frame, or of those that all share."""
    found = frame.get(name) or (shared.get(name) if shared is not None else None)
    if not found:
        raise ValueError(f"no {name}")
    return found[0]


def _pixels(ds: Any, shape: tuple[int, int, int], path: str) -> NDArray[Any]:
    """The frames as stored; of one bit or of whole bytes, not compressed."""
    syntax = str(ds.file_meta.TransferSyntaxUID)
    if syntax not in _NATIVE:
        raise FormatError("holds frames that are compressed or big-endian; save it as explicit VR little endian", path)
    bits, size = int(ds.BitsAllocated), int(np.prod(shape, dtype=np.int64))
    raw = bytes(ds.PixelData)
    needed = (size * bits + 7) // 8
    if bits not in (1, 8, 16) or not needed <= len(raw) <= needed + 1:
        raise FormatError(
            f"is a corrupt DICOM file: {len(raw)} bytes of pixels where its header claims {needed}; copy it anew", path
        )
    if bits == 1:
        return np.unpackbits(np.frombuffer(raw, np.uint8), count=size, bitorder="little").reshape(shape)
    return np.frombuffer(raw[:needed], "<u2" if bits == 16 else np.uint8).reshape(shape)


def _placed(
    at: Floats, turn: Floats, flat: Floats, steps: tuple[float, float], path: str
) -> tuple[NDArray[np.int64], int, tuple[float, ...], tuple[float, ...]]:
    """The slice of each frame, how many there are, spacing and affine; `steps` are what the header says of slices."""
    if not (np.isfinite(at).all() and np.isfinite(turn).all()):
        raise FormatError("has an invalid place: not all of its numbers are finite; correct its header", path)
    across, down = turn[:3], turn[3:]
    normal = np.cross(across, down)
    along = at @ normal
    gaps = np.diff(np.sort(along))
    gaps = gaps[gaps > _NEAR]
    step = steps[0] or (float(gaps.min()) if gaps.size else steps[1])
    if gaps.size and step > 0:  # positions are more exact than a header's number
        step = float(np.ptp(along)) / max(1, round(float(np.ptp(along)) / step))
    (step,) = checked_spacing((step,), path)
    number = (along - along.min()) / step
    if np.abs(number - np.rint(number)).max() > 0.02:
        raise FormatError("has slices at uneven distances, which are no volume", path)
    first = at[int(along.argmin())]
    if np.abs(at - first - np.outer(along - along.min(), normal)).max() > 0.02 * max(step, float(flat.max())):
        raise FormatError("has frames that are shifted within their planes, which are no volume", path)
    spacing = checked_spacing((step, float(flat[0]), float(flat[1])), path)
    where = np.rint(number).astype(np.int64)
    vectors = (across * spacing[2], down * spacing[1], normal * step)
    place = affine([v.tolist() for v in vectors], first.tolist(), (-1, -1, 1), path)
    return where, int(where.max()) + 1, spacing, place


DICOM = Format("DICOM", (".dcm",), lambda head: head[128:132] == b"DICM", decode)
