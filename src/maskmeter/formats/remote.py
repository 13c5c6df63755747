"""Remote files: `s3://bucket/gt`, `gs://...`, `https://...` and every other address that fsspec knows (extra `remote`).

Conventions
    An address becomes a `RemotePath`, which answers what this package asks of a `Path`. Files are fetched whole by
    the worker that counts them and are never written to disk. Folders are listed in full; over HTTP that takes
    a server that answers a folder with a page of links.

    A request that fails for a reason that may pass (no connection, a timeout, a broken transfer, a server that is
    busy or failing) is tried again, with growing pauses. A file that is not there, or that one may not read, is an
    error at once. What follows `?` in an address, mostly a signature, is used and never shown or stored.

fsspec takes credentials and endpoints from where its file systems look for them (for S3 the environment and
~/.aws), and from its own variables, such as FSSPEC_S3_ENDPOINT_URL.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from ..errors import FormatError, printable, shown

T = TypeVar("T")

PAUSES = (0.5, 2.0, 5.0)
"""Seconds to wait before each further try, more or less."""

_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]+::)*[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_FINAL = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError, ImportError)
_BUSY = (408, 425, 429)


class Unreachable(FormatError):
    """A file that could not be fetched for a reason that may pass: nothing is known about it."""


class RemotePath(PurePosixPath):
    """An address, with what is asked of a `Path`."""

    def __str__(self) -> str:
        return re.sub(r":/+", "://", super().__str__(), count=1)

    def __fspath__(self) -> str:
        return str(self)

    def exists(self) -> bool:
        """Whether there is a file or folder."""
        return self.is_file() or self.is_dir()

    def is_file(self) -> bool:
        """Whether there is a file."""
        return not (self._plain and self.is_dir()) and _patiently(str(self), lambda fs, at: bool(fs.isfile(at)))

    def is_dir(self) -> bool:
        """Whether there is something below; over HTTP what has a suffix is taken for a file."""
        if str(self).startswith("http") and not self._plain:
            return False
        return _patiently(str(self), lambda fs, at: bool(fs.isdir(at)))

    def read_bytes(self) -> bytes:
        """The bytes of the file."""
        return fetch(str(self))

    def open(self, mode: str = "rb") -> BytesIO:
        """The bytes of the file, to be read piece by piece."""
        return BytesIO(self.read_bytes())

    @property
    def _plain(self) -> bool:
        """Whether the last part has no suffix."""
        return "." not in shown(self.name)


def located(place: str | os.PathLike[str]) -> Path:
    """The path of a file on this machine, or a `RemotePath`, which can all that is asked of a path here."""
    text = os.fspath(place)
    if text.lower().startswith("file://"):
        from urllib.request import url2pathname  # which imports what speaks HTTP

        return Path(url2pathname(urlsplit(text).path))
    return cast("Path", RemotePath(text)) if is_remote(text) else Path(place)


def is_remote(place: str | os.PathLike[str]) -> bool:
    """Whether it is an address."""
    return _ADDRESS.match(os.fspath(place)) is not None


def address(place: str | os.PathLike[str]) -> str:
    """How a file is written down: the absolute path, or the address without what follows `?`."""
    return shown(os.fspath(place)) if is_remote(place) else os.path.abspath(place)


def fetch(url: str, max_bytes: int | None = None) -> bytes:
    """The bytes of a remote file. Raises FormatError."""
    data: bytes = _patiently(url, lambda fs, at: fs.cat_file(at))
    if max_bytes is not None and len(data) > max_bytes:
        raise FormatError(f"has {len(data)} bytes, above the limit of {max_bytes}; split it or raise the limit", url)
    if not data:
        raise FormatError("is empty (zero bytes); was it cut off while it was written or copied?", url)
    return data


def files_below(folder: str) -> list[str]:
    """The files below a remote folder, relative to it. Raises FormatError."""

    def listed(fs: Any, at: str) -> list[str]:
        start = at.rstrip("/") + "/"
        return [path.removeprefix(start) for path in fs.find(at) if path.startswith(start)]

    return _patiently(folder, listed)


def _patiently(url: str, ask: Callable[[Any, str], T]) -> T:
    """What the file system of an address answers, asked again where it failed for a reason that may pass."""
    for pause in (*PAUSES, None):
        try:
            return ask(*_system(url))
        except FormatError:
            raise
        except Exception as error:  # noqa: BLE001 - each file system has errors of its own
            status = getattr(error, "status", 0)
            final = isinstance(error, _FINAL) or (400 <= status < 500 and status not in _BUSY)
            if final or pause is None:
                raise (FormatError if final else Unreachable)(_why(error, status, final), url) from None
            import random

            time.sleep(pause * random.uniform(0.8, 1.2))
    raise AssertionError("unreachable")


def _system(url: str) -> tuple[Any, str]:
    """The file system of an address, and what the address is called there."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise FormatError(
            "is a remote address, which needs the extra remote: pip install 'maskmeter[remote]'", url
        ) from None
    try:
        return url_to_fs(url)
    except ImportError as error:
        raise FormatError(f"needs another package: {_plain(error)}", url) from None
    except ValueError as error:
        raise FormatError(f"is no address that fsspec knows: {_plain(error)}", url) from None


def _why(error: Exception, status: int, final: bool) -> str:
    if isinstance(error, FileNotFoundError) or status in (404, 410):
        return "no such file"
    if isinstance(error, PermissionError) or status in (401, 403):
        return "cannot be read: permission denied; check the address, and the credentials that fsspec finds"
    what = f"{status} {getattr(error, 'message', '')}".strip() if status else _plain(error)
    if final:
        return f"cannot be read: {what}"
    return (
        f"cannot be read, tried {len(PAUSES) + 1} times: {what}; when the connection is back, "
        "the same command with --resume goes on"
    )


def _plain(error: Exception) -> str:
    """What an error says, on one line and without signatures."""
    said = " ".join(str(error).split())
    return printable(re.sub(r"\?\S*", "", said)[:200]) or type(error).__name__
