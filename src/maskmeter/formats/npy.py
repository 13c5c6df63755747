"""NPY and NPZ: NumPy's own files, read without ever unpickling.

Conventions
    The header is parsed as a literal of bounded length and compared with the file and the limit before
    anything is allocated. Booleans, integers and floats up to 64 bits are read; objects, strings, complex
    numbers, dates and records are refused by their dtype. Arrays keep their shape and memory order and
    come in native byte order; where nothing has to change they are read-only views of the file's bytes.

    An NPZ file must leave no doubt which array is meant: it holds one, or exactly one of its keys is
    `labels`, `mask` or `arr_0`. Member names are keys and never paths. A member is read up to the size its
    array claims, whatever it would inflate to.

Reference: numpy.lib.format, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import io
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, printable
from ._pieces import Box, Pieces, plain_samples, size_of
from ._raster import Format, Raster, check_size, corrupt

MAGIC = b"\x93NUMPY"
_KEYS = ("labels", "mask", "arr_0")
_MAX_HEADER = 4096  # a plain array's header takes about 100 bytes
_MAX_NESTING = 32
_MAX_AXES = 32

# One entry of the header, and all of it: {'descr': '<i8', 'fortran_order': False, 'shape': (3, 4), }
_ENTRY = (
    r"(?P<q>['\"])(?P<key>descr|fortran_order|shape)(?P=q)\s*:\s*"
    r"(?P<value>True|False|'[^'\\]*'|\"[^\"\\]*\"|\((?:\s*\d+\s*(?:,\s*\d+\s*)*,?)?\s*\)|\[[^{}]*\])"
)
_ITEM = re.compile(_ENTRY)
_PLAIN = re.sub(r"\?P<\w+>", "?:", _ENTRY).replace("(?P=q)", "['\"]")
_HEADER = re.compile(rf"\{{\s*{_PLAIN}(?:\s*,\s*{_PLAIN}){{2}}\s*,?\s*\}}")


def decode(data: bytes, path: str, max_pixels: int) -> Raster:
    """The raster of an NPY file."""
    dtype, shape, fortran, start = _header(data[: _MAX_HEADER + 16], path)
    check_size(shape, path, max_pixels)
    return Raster(_array(memoryview(data)[start:], dtype, shape, fortran, path))


def pieces(path: str) -> Pieces:
    """An NPY file to be read box by box."""
    with open(path, "rb") as file:
        head = file.read(_MAX_HEADER + 16)
    dtype, shape, fortran, start = _header(head, path)
    if math.prod(shape) * dtype.itemsize > size_of(path) - start:
        raise _truncated(dtype, shape, size_of(path) - start, path)

    def samples(box: Box) -> NDArray[Any]:
        if fortran:
            part = plain_samples(path, start, dtype, shape[::-1], box[::-1]).T
        else:
            part = plain_samples(path, start, dtype, shape, box)
        return _checked(part, path)

    line = (1,) * (len(shape) - 1)
    chunk = (*shape[:1], *line) if fortran else (*line, *shape[-1:])
    return Pieces(shape, chunk, Raster(np.empty((0,) * len(shape), dtype.newbyteorder("="))), samples, loose=True)


def decode_npz(data: bytes, path: str, max_pixels: int) -> Raster:
    """The raster of an NPZ file."""
    import zipfile

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _member(archive, path, max_pixels)
    except FormatError:
        raise
    except Exception as error:  # noqa: BLE001 - BadZipFile, zlib.error, RuntimeError (encrypted), ...
        raise corrupt("NPZ", error, path) from None


def _member(archive: Any, path: str, max_pixels: int) -> Raster:
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist() if not info.is_dir()}
    known = list(members) if len(members) == 1 else [key for key in _KEYS if key in members]
    if len(known) != 1:
        listed = ", ".join(printable(key) for key in list(members)[:8]) + (", ..." if len(members) > 8 else "")
        raise FormatError(
            f"holds {len(members)} arrays (keys: {listed or 'none'}); "
            "save one array, or call exactly one of them 'labels', 'mask' or 'arr_0'",
            path,
        )
    with archive.open(members[known[0]]) as file:
        head = file.read(_MAX_HEADER + 16)
        dtype, shape, fortran, start = _header(head, path)
        check_size(shape, path, max_pixels)
        missing = start + math.prod(shape) * dtype.itemsize - len(head)
        body = head[start:] + (file.read(missing) if missing > 0 else b"")
        file.read(1)  # at the end of the member its checksum is verified
    return Raster(_array(memoryview(body), dtype, shape, fortran, path))


def _header(head: bytes, path: str) -> tuple[np.dtype[Any], tuple[int, ...], bool, int]:
    """dtype, shape, Fortran order and where the numbers begin."""
    if not head.startswith(MAGIC):
        raise FormatError("is not a NumPy array: it lacks the NPY magic; write it with numpy.save", path)
    wide = head[6:7] != b"\1"  # from version 2 on the length takes four bytes
    start = 12 if wide else 10
    length = int.from_bytes(head[8:start], "little")
    if not 1 <= int.from_bytes(head[6:7]) <= 3 or length > _MAX_HEADER:
        raise FormatError(f"has an invalid NPY header (version {head[6:8].hex('.')}, {length} bytes)", path)
    text = head[start : start + length]
    if len(text) < length:
        raise FormatError("is a truncated NPY file: it ends inside its header", path)
    dtype, shape, fortran = _parse(text, path)
    if dtype.hasobject:
        raise FormatError("holds Python objects (dtype object) as a pickle, which is never loaded; save integers", path)
    if dtype.kind not in "buif" or dtype.itemsize > 8 or dtype.subdtype:
        raise FormatError(
            f"has dtype {dtype}; labels are integers or booleans, scores floats up to 64 bits as well", path
        )
    if not shape:
        raise FormatError("holds a single number (shape ()); an image has two dimensions or more", path)
    return dtype, shape, fortran, start + length


def _parse(text: bytes, path: str) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    """What the header, the text of a dictionary of three, says.

    Read by its form and not by `ast.literal_eval`, whose count of nesting is shared by threads in CPython 3.11:
    with many files at once it fails at random.
    """
    if sum(map(text.count, (b"(", b"[", b"{"))) > _MAX_NESTING:
        raise FormatError("has an invalid NPY header: nested too deeply", path)
    found = {m["key"]: m["value"] for m in _ITEM.finditer(text.decode("latin-1"))}
    if found.keys() == {"descr", "fortran_order", "shape"} and _HEADER.fullmatch(text.decode("latin-1").strip()):
        if found["descr"].startswith("["):
            raise FormatError("has a structured dtype; save one plain integer array", path)
        try:
            shape = tuple(int(n) for n in found["shape"].strip("()").split(",") if n.strip())
            if len(shape) <= _MAX_AXES:
                return np.dtype(found["descr"][1:-1]), shape, found["fortran_order"] == "True"
        except (TypeError, ValueError):
            pass
    raise FormatError("has an invalid NPY header; write the file anew with numpy.save", path)


def _array(body: memoryview, dtype: np.dtype[Any], shape: tuple[int, ...], fortran: bool, path: str) -> NDArray[Any]:
    count = math.prod(shape)
    if count * dtype.itemsize > len(body):
        raise _truncated(dtype, shape, len(body), path)
    flat = _checked(np.frombuffer(body, dtype, count) if count else np.empty(0, dtype), path)
    flat = flat.astype(dtype.newbyteorder("="), copy=False)
    try:
        return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
    except ValueError:  # no elements, but an axis longer than any array can have
        raise FormatError("has an invalid NPY header: no array can have its shape", path) from None


def _truncated(dtype: np.dtype[Any], shape: tuple[int, ...], found: int, path: str) -> FormatError:
    return FormatError(
        f"is a truncated NPY file: its shape {shape} of {dtype} takes {math.prod(shape) * dtype.itemsize} bytes, "
        f"the file has {found}",
        path,
    )


def _checked(array: NDArray[Any], path: str) -> NDArray[Any]:
    if array.dtype == np.bool_ and (array.view(np.uint8) > 1).any():
        raise FormatError("is a corrupt NPY file: booleans that are neither 0 nor 1", path)
    return array


NPY = Format("NPY", (".npy",), lambda head: head.startswith(MAGIC), decode, pieces=pieces)
NPZ = Format("NPZ", (".npz",), lambda head: head.startswith((b"PK\3\4", b"PK\5\6")), decode_npz)
