"""NIfTI-1 and NIfTI-2 in one file (.nii, .nii.gz): a volume, its voxel size and its place in space.

Conventions
    The array is (slices, rows, columns), or (rows, columns) where the header has two axes: NIfTI lets its first
    axis run fastest, so these are its axes in reverse, and no number has to move. Further axes are left out if
    they hold one entry; a file with more is refused. Spacing is in the order of the array, from `pixdim`, in
    millimetres: metres and micrometres are converted, an unknown unit is taken for millimetres.

    The affine is the sform where its code is above 0, else the qform where its code is, else the bare voxel size,
    and then a note says so. The numbers of a NIfTI-1 header are read as the shortest decimals that give the
    stored float32: 0.8 is 0.8, not 0.800000011920929.

    Integers and floats of 8 to 64 bits are read; colours, complex numbers and single bits are refused. The scale
    factor is applied in float64. Where all values are then integers, up to the rounding of a float32 factor
    (2^-24, relative), they are those integers; else they are floats. No factor (slope 0 or NaN, or slope 1 and
    intercept 0) changes nothing and copies nothing.

    The header is read before anything is inflated. What it claims is held against the limit, against the most
    that so many bytes of gzip data can hold, and against the data: a file that holds less is refused, and so is
    one that holds more than a few zeros of padding. The checksums of gzip are verified.

Reference: https://nifti.nimh.nih.gov/nifti-1, https://nifti.nimh.nih.gov/nifti-2
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ._gzip import DEFLATE_RATIO, inflated, inflated_in_parts
from ._raster import Format, Raster, check_size

# Each field: type and place in NIfTI-1 (a header of 348 bytes), type and place in NIfTI-2 (540 bytes).
_FIELDS: dict[str, tuple[tuple[str, int], tuple[str, int]]] = {
    "dim": (("8h", 40), ("8q", 16)),
    "datatype": (("h", 70), ("h", 12)),
    "bitpix": (("h", 72), ("h", 14)),
    "pixdim": (("8f", 76), ("8d", 104)),
    "vox_offset": (("f", 108), ("q", 168)),
    "scl_slope": (("f", 112), ("d", 176)),
    "scl_inter": (("f", 116), ("d", 184)),
    "xyzt_units": (("B", 123), ("i", 500)),
    "qform_code": (("h", 252), ("i", 344)),
    "sform_code": (("h", 254), ("i", 348)),
    "quatern": (("3f", 256), ("3d", 352)),
    "qoffset": (("3f", 268), ("3d", 376)),
    "srow": (("12f", 280), ("12d", 400)),
}
_MAGIC = {348: (344, b"n+1\0"), 540: (4, b"n+2\0\r\n\x1a\n")}
_STARTS = {n.to_bytes(4, "little"): (n, "<") for n in _MAGIC} | {n.to_bytes(4, "big"): (n, ">") for n in _MAGIC}
_HEADER = 540
_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
_REFUSED = {1: "single bits", 32: "complex numbers", 128: "RGB colours", 1536: "floats of 128 bits",
            1792: "complex numbers", 2048: "complex numbers", 2304: "RGBA colours"}  # fmt: skip
_MM = {1: 1000.0, 3: 0.001}  # metre, micrometre
_MAX_OFFSET = 2**26  # extensions of a header take a few megabytes at most
_PADDING = 16
_BLOCK = 2**13  # voxels scaled at a time: what a block needs stays in the cache


@dataclass(frozen=True)
class _Header:
    """What the header says; `size` and `spacing` are in the order of the array."""

    size: tuple[int, ...]
    dtype: np.dtype[Any]
    start: int
    factor: tuple[float, float] | None
    spacing: tuple[float, ...]
    affine: tuple[float, ...]
    notes: tuple[str, ...]

    @property
    def end(self) -> int:
        return self.start + math.prod(self.size) * self.dtype.itemsize


def decode(data: bytes, path: str, max_pixels: int) -> Raster:
    """The raster of a NIfTI file."""
    return _raster(_header(data[:_HEADER], path, max_pixels), data, path)


def decode_gzip(data: bytes, path: str, max_pixels: int) -> Raster:
    """The raster of a NIfTI file in gzip."""
    header = _header(inflated_in_parts(data, _HEADER, path), path, max_pixels)
    if header.end > DEFLATE_RATIO * len(data):
        raise FormatError(
            f"is a truncated NIfTI file: its header claims {header.end} bytes, more than {len(data)} bytes of gzip "
            "data can hold; copy it anew",
            path,
        )
    return _raster(header, inflated(data, header.end + _PADDING, path), path)


def _raster(header: _Header, content: bytes | bytearray, path: str) -> Raster:
    if len(content) < header.end:
        raise FormatError(
            f"is a truncated NIfTI file: it has {len(content)} bytes where {_claim(header)}; copy it anew", path
        )
    if len(content) > header.end + _PADDING or any(content[header.end :]):
        raise FormatError(
            f"is a corrupt NIfTI file: {_claim(header)}, and more data follows; write it anew with the right size", path
        )
    stored = np.frombuffer(content, header.dtype, math.prod(header.size), header.start)
    array = np.require(stored, header.dtype.newbyteorder("="), "A")  # as it is, unless of foreign order or crooked
    if header.factor is not None:
        array = _scaled(array, *header.factor, path)
    return Raster(array.reshape(header.size), spacing=header.spacing, notes=header.notes, affine=header.affine)


def _claim(header: _Header) -> str:
    size = " x ".join(map(str, header.size))
    return f"its header claims {header.end} bytes ({size} voxels of {header.dtype.name} from byte {header.start} on)"


@np.errstate(all="ignore")
def _scaled(stored: NDArray[Any], slope: float, inter: float, path: str) -> NDArray[Any]:
    """`stored` x `slope` + `inter`: integers where all are, but for the rounding of the factor; else float64."""
    reach = max(abs(float(end) * slope + inter) for end in (stored.min(), stored.max()))
    if 2**53 <= reach < math.inf:
        raise FormatError("holds values beyond 2**53 after its scale factor; store labels without a factor", path)
    if reach < 2**53:  # neither infinite nor NaN
        whole = np.empty(stored.shape, np.int32 if reach < 2**31 - 1 else np.int64)
        if all(_to_integers(stored[at : at + _BLOCK], slope, inter, whole[at : at + _BLOCK])
               for at in range(0, stored.size, _BLOCK)):  # fmt: skip
            return whole
    return stored.astype(np.float64) * slope + inter


def _to_integers(stored: NDArray[Any], slope: float, inter: float, into: NDArray[Any]) -> bool:
    product = stored.astype(np.float64) * slope
    values = product + inter
    nearest = np.rint(values)
    rounding = 2**-24 * (np.abs(product) + abs(inter))
    into[...] = nearest
    return bool((np.abs(values - nearest) <= np.minimum(rounding, 0.25)).all())


# --------------------------------------------------------------------------------------------- header


def _header(head: bytes, path: str, max_pixels: int) -> _Header:
    length, order = _STARTS.get(head[:4], (0, ""))
    if not length:
        raise FormatError("is not a NIfTI file: it does not begin with the length of its header, 348 or 540", path)
    if len(head) < length:
        raise FormatError(f"is a truncated NIfTI file: it ends inside its header of {length} bytes", path)
    _check_magic(head, length, path)
    field = _fields(head, length, order)
    unit = _MM.get(field["xyzt_units"] & 7, 1.0)
    size, size_notes = _size(field["dim"], path)
    check_size(size[::-1], path, max_pixels)
    spacing = _spacing(field["pixdim"], len(size), unit, path)
    affine, affine_notes = _affine(field, spacing, unit, path)
    return _Header(
        size[::-1],
        _dtype(field, order, path),
        _start(field["vox_offset"], length, path),
        _factor(field["scl_slope"], field["scl_inter"], path),
        spacing[::-1],
        affine,
        size_notes + affine_notes,
    )


def _check_magic(head: bytes, length: int, path: str) -> None:
    at, magic = _MAGIC[length]
    found = head[at : at + len(magic)]
    if found[:3] in (b"ni1", b"ni2"):
        raise FormatError("is the header of a NIfTI pair (.hdr and .img); save both as one .nii file", path)
    if found != magic:
        raise FormatError(
            f"is not a NIfTI file: its magic is {found!r} instead of {magic!r} (is it ANALYZE 7.5?); convert it", path
        )


def _fields(head: bytes, length: int, order: str) -> dict[str, Any]:
    """The fields, each a number or a tuple of numbers."""
    field: dict[str, Any] = {}
    for name, places in _FIELDS.items():
        kind, place = places[length == 540]
        numbers: tuple[Any, ...] = struct.unpack_from(order + kind, head, place)
        if kind in ("3f", "8f", "12f"):
            numbers = tuple(float(str(np.float32(number))) for number in numbers)
        field[name] = numbers if kind[:-1] else next(iter(numbers))
    return field


def _size(dim: tuple[int, ...], path: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The length of the two or three axes, first the one that runs fastest, and notes."""
    if not 1 <= dim[0] <= 7 or min(dim[1 : 1 + dim[0]]) < 1:
        raise FormatError(f"has an invalid NIfTI header: its dimensions are {dim}", path)
    size = tuple(dim[1 : 1 + dim[0]])
    if len(size) < 2:
        raise FormatError("has one dimension; an image has two, a volume three", path)
    if math.prod(size[3:]) > 1:
        shape = " x ".join(map(str, size))
        raise FormatError(
            f"is {len(size)}D, of shape {shape}, where a volume of labels is 3D; save each volume as its own file", path
        )
    notes = ("axes after the third hold one entry each and are left out",) if len(size) > 3 else ()
    return size[:3], notes


def _spacing(pixdim: tuple[float, ...], axes: int, unit: float, path: str) -> tuple[float, ...]:
    spacing = tuple(step * unit for step in pixdim[1 : 1 + axes])
    if not all(math.isfinite(step) and step > 0 for step in spacing):
        raise FormatError(f"has an invalid voxel size: spacing {spacing} mm (pixdim); correct its header", path)
    return spacing


def _affine(
    field: dict[str, Any], spacing: tuple[float, ...], unit: float, path: str
) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Twelve numbers, and notes."""
    x, y, z = (*spacing, 1.0)[:3]
    notes: tuple[str, ...] = ()
    if field["sform_code"] > 0:
        affine = tuple(number * unit for number in field["srow"])
    elif field["qform_code"] > 0:
        affine = _rotated(field["quatern"], (x, y, -z if field["pixdim"][0] < 0 else z),
                          [number * unit for number in field["qoffset"]], path)  # fmt: skip
    else:
        affine = (x, 0.0, 0.0, 0.0, 0.0, y, 0.0, 0.0, 0.0, 0.0, z, 0.0)
        notes = ("the header has no orientation or origin (sform and qform codes are 0), only a voxel size",)
    if not all(map(math.isfinite, affine)):
        raise FormatError("has an invalid affine: not all of its numbers are finite; correct its header", path)
    steps = [math.hypot(*affine[axis::4]) for axis in range(len(spacing))]
    if not all(steps):
        raise FormatError("has an invalid affine: an axis has no length; correct its header", path)
    if any(abs(a - s) > 1e-3 * s for a, s in zip(steps, spacing, strict=True)):
        notes += ("voxel size (pixdim) and affine of the header disagree: distances follow the voxel size",)
    return affine, notes


def _rotated(
    quatern: tuple[float, ...], steps: tuple[float, float, float], offset: list[float], path: str
) -> tuple[float, ...]:
    """The affine of a unit quaternion, of which the header holds three numbers."""
    b, c, d = quatern
    norm = b * b + c * c + d * d
    if not norm <= 1 + 1e-4:
        raise FormatError(f"has an invalid affine: quaternion {quatern} (qform); correct its header", path)
    if norm > 1:  # by rounding
        b, c, d = (n / math.sqrt(norm) for n in quatern)
    a = math.sqrt(max(0.0, 1 - norm))
    rows = (
        (a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)),
        (2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)),
        (2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c),
    )
    return tuple(
        number
        for row, origin in zip(rows, offset, strict=True)
        for number in (*(r * step for r, step in zip(row, steps, strict=True)), origin)
    )


def _dtype(field: dict[str, Any], order: str, path: str) -> np.dtype[Any]:
    code = field["datatype"]
    if code not in _TYPES:
        what = _REFUSED.get(code, "an unknown type")
        raise FormatError(f"holds {what} (NIfTI data type {code}); labels are integers, scores floats as well", path)
    dtype = np.dtype(order + _TYPES[code])
    if field["bitpix"] != 8 * dtype.itemsize:
        raise FormatError(
            f"has an invalid NIfTI header: {field['bitpix']} bits per voxel for data type {code}, {dtype.name}", path
        )
    return dtype


def _start(offset: float, length: int, path: str) -> int:
    first = length + 4
    if not (first <= offset <= _MAX_OFFSET and offset == int(offset)):
        raise FormatError(f"has an invalid NIfTI header: vox_offset {offset}, not from {first} on", path)
    return int(offset)


def _factor(slope: float, inter: float, path: str) -> tuple[float, float] | None:
    """Slope and intercept, or None where there is nothing to do."""
    if slope == 0 or math.isnan(slope) or (slope, inter) == (1, 0):
        return None
    if not (math.isfinite(slope) and math.isfinite(inter)):
        raise FormatError(
            f"has an invalid scale factor (scl_slope {slope}, scl_inter {inter}); correct its header", path
        )
    return slope, inter


# --------------------------------------------------------------------------------------------- formats


def _is_gzip_of_nifti(head: bytes) -> bool:
    """So it seems: a file cut or broken within its first bytes passes as well, to be told what is wrong with it."""
    if not head.startswith(b"\x1f\x8b"):
        return False
    try:
        start = zlib.decompressobj(31).decompress(head, 4)
    except zlib.error:
        return True
    return len(start) < 4 or start in _STARTS


NIFTI = Format("NIfTI", (".nii",), lambda head: head[:4] in _STARTS, decode)
NIFTI_GZ = Format("gzipped NIfTI", (".nii.gz",), _is_gzip_of_nifti, decode_gzip)
