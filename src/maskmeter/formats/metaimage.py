"""MetaImage (.mha, and .mhd with its data in a file of its own): a volume and its place in space, as ITK writes it.

Conventions
    The array has the axes of the header in reverse, as the first one runs fastest. Spacing is `ElementSpacing`, in the
    order of the array, in millimetres. The first numbers of `TransformMatrix` are the direction of the first axis.
    Coordinates in the header go to the left and the back (LPS), as ITK has them; here they become RAS.
    Data are raw or compressed (zlib); one channel; text is not read.

Reference: https://itk.org/Wiki/ITK/MetaIO/Documentation
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..errors import FormatError, printable
from ._raster import Format, Raster, check_size
from ._volume import affine, checked_spacing, data_name, load_data, numbers, samples, whole_numbers

_DTYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
_START = re.compile(rb"(ObjectType|NDims|Comment|ObjectSubType) *=")
_LAST = re.compile(rb"^ElementDataFile *=.*\n", re.MULTILINE)


def decode(data: bytes, path: str, max_pixels: int) -> Raster:
    """The raster of a MetaImage file."""
    end = _LAST.search(data[: 1 << 16])
    start = end.end() if end else len(data)
    field = _fields(data[:start], path)
    if end is None and "ElementDataFile" not in field:
        raise FormatError("is a truncated MetaImage file: its header has no ElementDataFile; copy it anew", path)
    size = whole_numbers(_get(field, "DimSize", path), "DimSize", path)
    if str(len(size)) != _get(field, "NDims", path):
        raise FormatError(f"has an invalid header: {len(size)} sizes, but NDims {printable(field['NDims'])}", path)
    if len(size) not in (2, 3):
        raise FormatError(
            f"is {len(size)}D, of shape {' x '.join(map(str, size))}, where a volume of labels is 3D; "
            "save each volume as its own file", path,
        )  # fmt: skip
    if field.get("ElementNumberOfChannels", "1") != "1":
        raise FormatError(f"has {printable(field['ElementNumberOfChannels'])} channels; labels have one", path)
    check_size(size[::-1], path, max_pixels)
    spacing, place, notes = _geometry(field, len(size), path)
    content = data[start:] if (name := data_name(data[:start])) is None else load_data(name, path)
    if field.get("HeaderSize", "0") not in ("0", ""):
        raise FormatError("skips bytes of its data file (HeaderSize); save it as one .mha file", path)
    if field.get("BinaryData", "True").lower() == "false":
        raise FormatError("holds its data as text; save it as binary data", path)
    encoding = "zlib" if field.get("CompressedData", "False").lower() == "true" else "raw"
    array = samples(content, encoding, _dtype(field, path), size[::-1], path, "MetaImage")
    return Raster(array, spacing=spacing, affine=place, notes=notes)


def _fields(header: bytes, path: str) -> dict[str, str]:
    field: dict[str, str] = {}
    for line in header.decode("latin-1").splitlines():
        name, equals, value = line.partition("=")
        if not equals and line.strip():
            raise FormatError(f"has an invalid MetaImage header: {printable(line[:60])!r} is no field", path)
        field[name.strip()] = value.strip()
    return field


def _get(field: dict[str, str], name: str, path: str) -> str:
    if name not in field:
        raise FormatError(f"has an invalid MetaImage header: {name} is missing", path)
    return field[name]


def _dtype(field: dict[str, str], path: str) -> np.dtype[Any]:
    name = _get(field, "ElementType", path)
    if name not in _DTYPES:
        raise FormatError(f"holds values of the type {printable(name)}; save it as MET_UCHAR or MET_USHORT", path)
    big = field.get("BinaryDataByteOrderMSB", field.get("ElementByteOrderMSB", "False")).lower() == "true"
    return np.dtype(_DTYPES[name]).newbyteorder(">" if big else "<")


def _geometry(
    field: dict[str, str], axes: int, path: str
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None, tuple[str, ...]]:
    """Spacing in the order of the array, affine, and notes."""
    if (text := field.get("ElementSpacing", field.get("ElementSize"))) is None:
        return None, None, ("the header has no voxel size (ElementSpacing)",)
    spacing = checked_spacing(numbers(text, "ElementSpacing", path), path)
    origin = _first(field, ("Offset", "Position", "Origin"), (0.0,) * axes, path)
    unit = tuple(float(i == j) for i in range(axes) for j in range(axes))
    matrix = _first(field, ("TransformMatrix", "Rotation", "Orientation"), unit, path)
    if len(spacing) != axes or len(origin) != axes or len(matrix) != axes * axes:
        raise FormatError("has an invalid header: spacing, offset or matrix do not have the numbers of its axes", path)
    if axes != 3:
        return spacing[::-1], None, ()
    directions = [[step * x for x in matrix[3 * k : 3 * k + 3]] for k, step in enumerate(spacing)]
    return spacing[::-1], affine(directions, origin, (-1, -1, 1), path), ()


def _first(field: dict[str, str], names: tuple[str, ...], default: tuple[float, ...], path: str) -> tuple[float, ...]:
    """The numbers of the first of these fields that is there."""
    name = next((n for n in names if n in field), None)
    return default if name is None else numbers(field[name], name, path)


METAIMAGE = Format("MetaImage", (".mha", ".mhd"), lambda head: _START.match(head) is not None, decode)
