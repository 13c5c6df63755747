"""What a file is that cannot be read, in words a user can act on."""

from __future__ import annotations

from ..errors import FormatError
from ._raster import Format

_KNOWN = (
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ", "xz data"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"PK", "a zip archive"),
    (b"%PDF", "a PDF"),
    (b"\x89HDF", "an HDF5 file"),
    (b"SQLite format 3", "an SQLite data base"),
    (b"version https://git-lfs", "a Git LFS pointer; fetch the file itself with: git lfs pull"),
)


def foreign(head: bytes, path: str, found: Format | None, promised: Format | None) -> FormatError:
    """The error for a file that begins with `head` and is in the format `found`, if any; its name promised another."""
    if found is not None and promised is not None:
        return FormatError(
            f"is not a {promised.name} but a {found.name} file; if that is right, rename it to {found.suffixes[0]}",
            path,
        )
    what = _describe(head)
    if promised is not None:
        return FormatError(f"is not a {promised.name} file: it is {what}; make the file anew, or remove it", path)
    return FormatError(f"is of no known format: it is {what}; save it as PNG, TIFF, NIfTI or NPY", path)


def _describe(head: bytes) -> str:
    for magic, what in _KNOWN:
        if head.startswith(magic):
            return what
    if head[:1] == b"\x80" and head[1:2] <= b"\x05":
        return "a Python pickle, which is never loaded"
    if head[:8].strip(b"\0") == b"":
        return "zeros where a signature should be (an interrupted copy?)"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "an HTML page (a failed download?)"
    if text.startswith((b"<?xml", b"<svg", b"<")):
        return "XML text (a failed download?)"
    if text.startswith((b"{", b"[")):
        return "text like JSON"
    if all(byte >= 32 or byte in b"\t\r\n" for byte in head):
        return "text"
    return f"unknown data (it begins with {head[:8].hex(' ')})"
