"""From a path to bytes, without surprises.

Remote addresses are fetched (see `remote`). On this machine only regular files are read. A pipe, a device
or a socket, also behind a symbolic link, is refused before anything could block: the file is opened
without waiting and looked at before it is read. A file that grows while it is read ends at the limit.
"""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import PurePath
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from .remote import fetch, is_remote

T = TypeVar("T")

DEFAULT_MAX_BYTES = 2**32
"""Larger files are refused unless the caller raises the limit."""

BOM = b"\xef\xbb\xbf"
"""The byte order mark that a text may begin with."""

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe (fifo)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
)
# Neither wait for a writer of a pipe, nor become the terminal's owner, nor translate line ends.
_FLAGS = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_NONBLOCK", "O_NOCTTY", "O_BINARY", "O_CLOEXEC"))


def load(path: str | os.PathLike[str], max_bytes: int = DEFAULT_MAX_BYTES) -> bytes:
    """The bytes of a regular file that is not empty; everything else is a FormatError at once."""
    return fetch(os.fspath(path), max_bytes) if is_remote(path) else opened(path, max_bytes, _read)


def load_writable(path: str | os.PathLike[str], max_bytes: int = DEFAULT_MAX_BYTES) -> NDArray[np.uint8]:
    """The same bytes in an array of the caller's own."""
    if is_remote(path):
        return np.frombuffer(bytearray(fetch(os.fspath(path), max_bytes)), np.uint8)
    return opened(path, max_bytes, _read_into)


def opened(path: str | os.PathLike[str], max_bytes: int, read: Callable[[int, str, int, int], T]) -> T:
    """What `read(handle, name, size, max_bytes)` makes of a regular file on this machine."""
    name = os.fspath(path)
    try:
        handle = os.open(name, _FLAGS)
    except (OSError, ValueError) as error:
        raise FormatError(_why(error, name), name) from None
    try:
        return read(handle, name, _size(handle, name, max_bytes), max_bytes)
    except OSError as error:
        raise FormatError(_why(error, name), name) from None
    finally:
        os.close(handle)


def _size(handle: int, name: str, max_bytes: int) -> int:
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        kind = next((text for test, text in _KINDS if test(status.st_mode)), "something else")
        raise FormatError(f"is {kind}, not a regular file; give a file", name)
    if status.st_size > max_bytes:
        raise FormatError(
            f"has {status.st_size} bytes, above the limit of {max_bytes}; split it or raise the limit", name
        )
    return status.st_size


def _read(handle: int, name: str, size: int, max_bytes: int) -> bytes:
    # One byte more than expected shows the end of the file in the same call.
    data = os.read(handle, size + 1)
    if len(data) != size:  # a huge file that the system hands out in parts, or one that changes
        parts = [data]
        while part := os.read(handle, min(2**30, max_bytes + 1 - sum(map(len, parts)))):
            parts.append(part)
        data = b"".join(parts)
        if len(data) > max_bytes:
            raise FormatError(f"grew beyond the limit of {max_bytes} bytes while it was read", name)
    _filled(len(data), name)
    return data


def _read_into(handle: int, name: str, size: int, max_bytes: int) -> NDArray[np.uint8]:
    data = _room(size + 1)
    done = 0
    with open(handle, "rb", buffering=0, closefd=False) as file:
        while n := file.readinto(data.data[done:]):
            done += n
    if done > size:
        raise FormatError("grew while it was read; try again when it is complete", name)
    _filled(done, name)
    return data[:done]


def _room(size: int) -> NDArray[np.uint8]:
    """Bytes to write into; a large block in large pages where the system has them, which halves the time to fill it."""
    if size < 2**22 or not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.empty(size, np.uint8)
    block = mmap.mmap(-1, size)
    with suppress(OSError):  # a kernel without large pages
        block.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(block, np.uint8)


def _filled(size: int, name: str) -> None:
    if not size:
        raise FormatError("is empty (zero bytes); was it cut off while it was written or copied?", name)


def _why(error: OSError | ValueError, name: str) -> str:
    if isinstance(error, FileNotFoundError):
        return "a symbolic link to a file that does not exist" if os.path.islink(name) else "no such file"
    if isinstance(error, PermissionError):
        return "cannot be read: permission denied"
    if isinstance(error, IsADirectoryError):  # where directories cannot even be opened
        return "is a directory, not a regular file; give a file"
    reason = error.strerror if isinstance(error, OSError) else None
    return f"cannot be read: {(reason or str(error)).lower()}"


def split_suffix(name: str, suffixes: tuple[str, ...]) -> tuple[str, str]:
    """`name` without the first of `suffixes` that it ends with, in any case, and that suffix in lower case.

    What follows `?` in an address is no part of its name.
    """
    name = name.partition("?")[0] if is_remote(name) else name
    lower = name.lower()
    for suffix in suffixes:
        if lower.endswith(suffix) and len(PurePath(name).name) > len(suffix):
            return name[: -len(suffix)], suffix
    return name, ""
