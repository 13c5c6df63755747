"""From a path to bytes, without surprises.

Only regular files are read. A pipe, a device or a socket, also behind a symbolic link, is refused
before anything could block: the file is opened without waiting and looked at before it is read. A
file that grows while it is read ends at the limit.
"""

from __future__ import annotations

import os
import stat
from pathlib import PurePath

from ..errors import FormatError

DEFAULT_MAX_BYTES = 2**32
"""Larger files are refused unless the caller raises the limit."""

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
    name = os.fspath(path)
    try:
        handle = os.open(name, _FLAGS)
    except (OSError, ValueError) as error:
        raise FormatError(_why(error, name), name) from None
    try:
        return _read(handle, name, max_bytes)
    except OSError as error:
        raise FormatError(_why(error, name), name) from None
    finally:
        os.close(handle)


def _read(handle: int, name: str, max_bytes: int) -> bytes:
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        kind = next((text for test, text in _KINDS if test(status.st_mode)), "something else")
        raise FormatError(f"is {kind}, not a regular file; give a file", name)
    if status.st_size > max_bytes:
        raise FormatError(
            f"has {status.st_size} bytes, above the limit of {max_bytes}; split it or raise the limit", name
        )
    # One byte more than expected shows the end of the file in the same call.
    data = os.read(handle, status.st_size + 1)
    if len(data) != status.st_size:  # a huge file that the system hands out in parts, or one that changes
        parts = [data]
        while part := os.read(handle, min(2**30, max_bytes + 1 - sum(map(len, parts)))):
            parts.append(part)
        data = b"".join(parts)
        if len(data) > max_bytes:
            raise FormatError(f"grew beyond the limit of {max_bytes} bytes while it was read", name)
    if not data:
        raise FormatError("is empty (zero bytes); was it cut off while it was written or copied?", name)
    return data


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
    """`name` without the first of `suffixes` that it ends with, in any case, and that suffix in lower case."""
    lower = name.lower()
    for suffix in suffixes:
        if lower.endswith(suffix) and len(PurePath(name).name) > len(suffix):
            return name[: -len(suffix)], suffix
    return name, ""
