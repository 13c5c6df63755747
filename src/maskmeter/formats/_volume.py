"""What the readers of volumes with a text header share: the data behind the header, and its place in space.

A header may name a file of its own for the data. Only a plain name in the same folder is taken, and it belongs to
the file: its bytes are part of the file's digest.

Millimetres in space go towards the right, the front and the top of the patient (RAS), as in NIfTI. Headers that
count towards the left and the back (LPS, as DICOM and ITK do) have the first two coordinates negated.
"""

from __future__ import annotations

import bz2
import math
import os
import re
import zlib
from collections.abc import Callable, Sequence
from hashlib import file_digest, sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, printable
from ._file import load
from ._gzip import DEFLATE_RATIO, inflated
from .remote import is_remote

_NAMES = re.compile(rb"^(?:data ?file:|ElementDataFile *=)[ \t]*(.*?)[ \t]*\r?$", re.MULTILINE)
_HEAD = 1 << 16
DETACHED = (".nhdr", ".mhd")


def data_name(header: bytes) -> str | None:
    """The file that a header names for its data; None where the data follows the header."""
    found = _NAMES.search(header[:_HEAD])
    name = found[1].decode("latin-1") if found else ""
    return None if name in ("", "LOCAL", "Local", "local") else name


def load_data(name: str, path: str) -> bytes:
    """The bytes of the file that the header at `path` names. Raises FormatError."""
    if os.path.basename(name) != name or name.split()[0] == "LIST" or "%" in name:
        raise FormatError(
            f"names {printable(name)} for its data; that must be one file in the same folder, or save both as one file",
            path,
        )
    return load(os.path.join(os.path.dirname(path), name))


def digest(data: bytes, path: str | os.PathLike[str]) -> str:
    """The digest of a file's bytes, those of the file that its header names included. Raises FormatError."""
    found = sha256(data)
    name = data_name(data) if os.fspath(path).lower().endswith(DETACHED) else None
    if name is not None:
        found.update(load_data(name, os.fspath(path)))
    return found.hexdigest()


def digest_of_folder(path: str | os.PathLike[str]) -> str:
    """Of the paths and bytes of all files below, without holding one in memory."""
    names = sorted(
        os.path.relpath(os.path.join(folder, name), path) for folder, _, files in os.walk(path) for name in files
    )
    found = sha256()
    for name in names:
        at = os.path.join(path, name)
        found.update(f"{name}\0{os.path.getsize(at)}\0".encode("utf-8", "surrogateescape"))
        with open(at, "rb") as file:
            while block := file.read(1 << 20):
                found.update(block)
    return found.hexdigest()


def digest_of_file(path: str | os.PathLike[str]) -> str:
    """The same digest, without holding the file in memory. Raises FormatError and OSError."""
    if is_remote(path) or os.fspath(path).lower().endswith(DETACHED):
        return digest(load(path), path)
    if os.path.isdir(path):
        return digest_of_folder(path)
    with open(path, "rb") as file:
        return file_digest(file, "sha256").hexdigest()


def samples(
    content: bytes, encoding: str, dtype: np.dtype[Any], size: Sequence[int], path: str, what: str, padding: int = 0
) -> NDArray[Any]:
    """The array of this size, first the axis that runs slowest, in native byte order. Raises FormatError.

    `encoding` is raw, gzip, zlib or bzip2.
    """
    length = math.prod(size) * dtype.itemsize
    if encoding != "raw":
        if encoding != "bzip2" and length > DEFLATE_RATIO * len(content):
            raise FormatError(
                f"is a truncated {what} file: its header claims {length} bytes, more than {len(content)} bytes of "
                "compressed data can hold; copy it anew", path,
            )  # fmt: skip
        content = bytes(_INFLATE[encoding](content, length + 1 + padding, path))
    if len(content) < length:
        raise FormatError(
            f"is a truncated {what} file: it holds {len(content)} bytes of data where its header claims {length}; "
            "copy it anew", path,
        )  # fmt: skip
    if len(content) > length + padding or any(content[length:]):
        raise FormatError(
            f"is a corrupt {what} file: its header claims {length} bytes of data, and more follow; write it anew", path
        )
    stored = np.frombuffer(content, dtype, math.prod(size))
    return stored.astype(dtype.newbyteorder("="), copy=False).reshape(size)


def _unzipped(content: bytes, limit: int, path: str) -> bytes:
    inflate = zlib.decompressobj()
    return _in_full(lambda: inflate.decompress(content, limit), lambda: inflate.eof, "zlib", limit, path)


def _unbzipped(content: bytes, limit: int, path: str) -> bytes:
    inflate = bz2.BZ2Decompressor()
    return _in_full(lambda: inflate.decompress(content, limit), lambda: inflate.eof, "bzip2", limit, path)


def _in_full(read: Callable[[], bytes], ended: Callable[[], bool], kind: str, limit: int, path: str) -> bytes:
    try:
        content = read()
    except (OSError, zlib.error):
        raise FormatError(f"is corrupt: its {kind} data does not decompress as it should; copy it anew", path) from None
    if len(content) < limit and not ended():
        raise FormatError(f"is truncated: it ends within its {kind} data; copy it anew", path)
    return content


_INFLATE: dict[str, Callable[[bytes, int, str], bytes | bytearray]] = {
    "gzip": inflated, "zlib": _unzipped, "bzip2": _unbzipped,
}  # fmt: skip


def steps(directions: Sequence[Sequence[float]], path: str) -> tuple[float, ...]:
    """The length of each axis' step. Raises FormatError unless all are finite and above zero."""
    lengths = tuple(math.hypot(*axis) for axis in directions)
    return checked_spacing(lengths, path)


def checked_spacing(spacing: Sequence[float], path: str) -> tuple[float, ...]:
    """The spacing, if every step is finite and above zero."""
    if not all(math.isfinite(step) and step > 0 for step in spacing):
        raise FormatError(f"has an invalid voxel size: spacing {tuple(spacing)} mm; correct its header", path)
    return tuple(spacing)


def affine(
    directions: Sequence[Sequence[float]], origin: Sequence[float], signs: Sequence[int], path: str
) -> tuple[float, ...]:
    """Twelve numbers, of the steps along three axes and the place of the first voxel; `signs` turn them into RAS."""
    found = tuple(sign * vector[i] + 0.0 for i, sign in enumerate(signs) for vector in (*directions, origin))
    if not all(map(math.isfinite, found)):
        raise FormatError("has an invalid affine: not all of its numbers are finite; correct its header", path)
    return found


def numbers(text: str, field: str, path: str) -> tuple[float, ...]:
    """The numbers of a field. Raises FormatError."""
    try:
        return tuple(float(x) for x in text.split())
    except ValueError:
        raise FormatError(f"has an invalid header: {field} is {printable(text[:60])!r}, not numbers", path) from None


def whole_numbers(text: str, field: str, path: str) -> tuple[int, ...]:
    """The whole numbers of a field, all above 0. Raises FormatError."""
    try:
        found = tuple(int(x) for x in text.split())
    except ValueError:
        found = ()
    if not found or min(found) < 1:
        raise FormatError(f"has an invalid header: {field} is {printable(text[:60])!r}, not numbers above 0", path)
    return found
