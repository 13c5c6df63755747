"""NRRD (.nrrd, .seg.nrrd, and .nhdr with its data in a file of its own): a volume and its place in space.

Conventions
    The array has the axes of the header in reverse, as the first one runs fastest. Spacing is the length of the space
    directions, else `spacings`, in the order of the array, in millimetres: other units are converted.
    The spaces RAS, LPS and LAS are patient coordinates, and all become RAS; in another space, or none, the place
    of the volume is not known, which a note says. Data are `raw`, `gzip`, `bzip2`, or text: numbers (`ascii`) or `hex`.
    A segmentation whose segments overlap holds several layers: such a file is refused.

Reference: https://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from ..errors import FormatError, printable
from ._raster import Format, Raster, check_size
from ._volume import affine, checked_spacing, data_name, load_data, numbers, samples, steps, whole_numbers

_TYPES = {
    "i1": "signed char|int8|int8_t", "u1": "uchar|unsigned char|uint8|uint8_t",
    "i2": "short|short int|signed short|signed short int|int16|int16_t",
    "u2": "ushort|unsigned short|unsigned short int|uint16|uint16_t",
    "i4": "int|signed int|int32|int32_t", "u4": "uint|unsigned int|uint32|uint32_t",
    "i8": "longlong|long long|long long int|signed long long|signed long long int|int64|int64_t",
    "u8": "ulonglong|unsigned long long|unsigned long long int|uint64|uint64_t",
    "f4": "float", "f8": "double",
}  # fmt: skip
_DTYPES = {name: code for code, names in _TYPES.items() for name in names.split("|")}
_ENCODINGS = {"raw": "raw", "gz": "gzip", "gzip": "gzip", "bz2": "bzip2", "bzip2": "bzip2"}
_TEXTS = {"ascii": "ascii", "txt": "ascii", "text": "ascii", "hex": "hex"}
_SIGNS = {  # into right, front, top
    "right-anterior-superior": (1, 1, 1), "ras": (1, 1, 1),
    "left-posterior-superior": (-1, -1, 1), "lps": (-1, -1, 1),
    "left-anterior-superior": (-1, 1, 1), "las": (-1, 1, 1),
}  # fmt: skip
_MM = {"mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001, "micron": 0.001,
       "microns": 0.001, "micrometer": 0.001, "": 1.0}  # fmt: skip
_FIELD = re.compile(r"([^:]+):(=?)\s?(.*)")


def decode(data: bytes, path: str, max_pixels: int) -> Raster:
    """The raster of an NRRD file."""
    field, start = _header(data, path)
    size = whole_numbers(_get(field, "sizes", path), "sizes", path)
    if str(len(size)) != _get(field, "dimension", path).strip():
        raise FormatError(f"has an invalid header: {len(size)} sizes, but dimension {field['dimension']}", path)
    directions = _directions(field.get("space directions"), len(size), path)
    size, directions, notes = _three(size, directions, field, path)
    check_size(size[::-1], path, max_pixels)
    encoding = _get(field, "encoding", path).strip().lower()
    if encoding not in _ENCODINGS | _TEXTS.keys():
        raise FormatError(f"has the encoding {printable(encoding)}; save it with raw or gzip", path)
    dtype = _dtype({"endian": "little", **field} if _TEXTS.get(encoding) == "ascii" else field, path)
    if any(field.get(skip, "0").strip() not in ("", "0") for skip in ("line skip", "byte skip")):
        raise FormatError("skips lines or bytes of its data file; save it as one .nrrd file", path)
    name = data_name(data[:start])
    content = data[start:] if name is None else load_data(name, path)
    if encoding in _TEXTS:
        content, dtype = _of_text(content, _TEXTS[encoding], dtype, math.prod(size), path)
    array = samples(content, _ENCODINGS.get(encoding, "raw"), dtype, size[::-1], path, "NRRD")
    spacing, place, more = _geometry(field, directions, len(size), path)
    return Raster(array, spacing=spacing, affine=place, notes=notes + more)


def _header(data: bytes, path: str) -> tuple[dict[str, str], int]:
    """The fields, and where the data begins."""
    ends = [(at, len(end)) for end in (b"\n\n", b"\r\n\r\n") if (at := data.find(end)) >= 0]
    at, width = min(ends, default=(len(data), 0))
    if not ends and data_name(data) is None:
        raise FormatError("is a truncated NRRD file: its header has no end; copy it anew", path)
    field: dict[str, str] = {}
    for line in data[:at].decode("latin-1").splitlines()[1:]:
        if line.startswith("#") or not line.strip():
            continue
        found = _FIELD.fullmatch(line)
        if found is None:
            raise FormatError(f"has an invalid NRRD header: {printable(line[:60])!r} is no field", path)
        if not found[2]:
            key = found[1].strip().lower()
            field[{"centerings": "centers", "datafile": "data file"}.get(key, key)] = found[3]
    return field, at + width


def _get(field: dict[str, str], name: str, path: str) -> str:
    if name not in field:
        raise FormatError(f"has an invalid NRRD header: the field {name!r} is missing", path)
    return field[name]


def _dtype(field: dict[str, str], path: str) -> np.dtype[Any]:
    name = _get(field, "type", path).strip().lower()
    if name not in _DTYPES:
        raise FormatError(f"holds values of the type {printable(name)}; save it as integers", path)
    dtype = np.dtype(_DTYPES[name])
    if dtype.itemsize == 1:
        return dtype
    endian = field.get("endian", "").strip().lower()
    if endian not in ("little", "big"):
        raise FormatError("has an invalid NRRD header: the field 'endian' is missing", path)
    return dtype.newbyteorder("<" if endian == "little" else ">")


def _of_text(content: bytes, encoding: str, dtype: np.dtype[Any], count: int, path: str) -> tuple[bytes, np.dtype[Any]]:
    """The samples of a file that holds them as text: as numbers, or as the hexadecimal digits of their bytes."""
    if encoding == "hex":
        digits = content.translate(None, b" \t\r\n\v\f")
        try:
            return bytes.fromhex(digits.decode("ascii")), dtype
        except ValueError:
            raise FormatError(
                "is a corrupt NRRD file: its data are not pairs of hexadecimal digits; write it anew", path
            ) from None
    words = content.replace(b",", b" ").split(None, count)[: count + 1]
    native = dtype.newbyteorder("=")
    bad = FormatError(
        f"is a corrupt NRRD file: its data are not numbers of the type {native.name}; write it anew", path
    )
    try:
        read = [float(w) if dtype.kind == "f" else int(w) for w in words]
        made = np.array(read).astype(native)
    except (ValueError, OverflowError):
        raise bad from None
    if dtype.kind != "f" and made.tolist() != read:
        raise bad
    return made.tobytes(), native


def _directions(text: str | None, axes: int, path: str) -> list[tuple[float, ...] | None] | None:
    """The vector of each axis; None for an axis that does not lie in space."""
    if text is None:
        return None
    vectors: list[tuple[float, ...] | None] = [
        None if x == "none" else numbers(x[1:-1].replace(",", " "), "space directions", path)
        for x in re.findall(r"none|\([^)]*\)", text)
    ]
    if len(vectors) != axes or len({len(v) for v in vectors if v}) > 1:
        raise FormatError("has an invalid header: not one space direction for each axis", path)
    return vectors


def _three(
    size: tuple[int, ...], directions: list[tuple[float, ...] | None] | None, field: dict[str, str], path: str
) -> tuple[tuple[int, ...], list[tuple[float, ...]] | None, tuple[str, ...]]:
    """The sizes and vectors of two or three axes; axes that are not in space must hold one entry."""
    kinds = field.get("kinds", "").split()
    beside = [
        k for k in range(len(size))
        if (directions is not None and directions[k] is None) or kinds[k : k + 1] in (["list"], ["vector"])
        or (directions is None and k >= 3)
    ]  # fmt: skip
    if any(size[k] > 1 for k in beside):
        layers = math.prod(size[k] for k in beside)
        raise FormatError(
            f"holds {layers} layers (segments that may overlap, or several volumes) where one map of labels is needed; "
            "save each layer as its own file", path,
        )  # fmt: skip
    kept = [k for k in range(len(size)) if k not in beside]
    if len(kept) not in (2, 3):
        raise FormatError(f"is {len(kept)}D; an image has two dimensions, a volume three", path)
    vectors = None if directions is None else [v for k, v in enumerate(directions) if k in kept and v is not None]
    return tuple(size[k] for k in kept), vectors, ()


def _geometry(
    field: dict[str, str], directions: list[tuple[float, ...]] | None, axes: int, path: str
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None, tuple[str, ...]]:
    """Spacing in the order of the array, affine, and notes."""
    units = {u.strip().lower() for u in re.findall(r'"([^"]*)"', field.get("space units", field.get("units", "")))}
    unit = next(iter(units), "mm")
    scale = _MM.get(unit)
    if len(units) > 1 or scale is None:
        raise FormatError(f"has lengths in {', '.join(sorted(units))}; give millimetres", path)
    if directions is None:
        if "spacings" not in field:
            return None, None, ()
        spacing = tuple(x for x in numbers(field["spacings"], "spacings", path))[:axes]
        found = tuple(x * scale for x in checked_spacing(spacing, path)[::-1])
        return found, None, ("the header says nothing of the volume's place in space",)
    spacing = tuple(x * scale for x in steps(directions, path)[::-1])
    signs = _SIGNS.get(field.get("space", "").strip().lower())
    if signs is None or axes != 3 or any(len(v) != 3 for v in directions):
        return spacing, None, ("the header says nothing of the volume's place in patient space",)
    origin = numbers(re.sub(r"[(),]", " ", field.get("space origin", "0 0 0")), "space origin", path)
    if len(origin) != 3:
        raise FormatError("has an invalid header: the space origin has not three numbers", path)
    vectors = [tuple(scale * x for x in v) for v in directions]
    return spacing, affine(vectors, [scale * x for x in origin], signs, path), ()


NRRD = Format("NRRD", (".seg.nrrd", ".nrrd", ".nhdr"), lambda head: head.startswith(b"NRRD000"), decode)
