"""Gzip data, inflated with a limit: a file that claims little and holds much costs no more than it claims."""

from __future__ import annotations

import gzip
import io
import zlib

import deflate

from ..errors import FormatError

DEFLATE_RATIO = 1032
"""No deflate stream holds more than this many bytes per byte."""


def inflated(data: bytes, limit: int, path: str) -> bytes | bytearray:
    """The content; of one that is longer than `limit`, the beginning and at least one byte too much."""
    try:
        content = deflate.gzip_decompress(data, limit)
    except deflate.DeflateError:  # broken, or longer than the limit: the other way tells which
        return inflated_in_parts(data, limit + 1, path)
    # libdeflate stops behind the first member. Size and checksum at the end of the file tell if that was all.
    whole = int.from_bytes(data[-4:], "little") == len(content) & 0xFFFFFFFF
    if whole and data.find(b"\x1f\x8b\x08", 1) > 0:  # another member, or chance
        whole = int.from_bytes(data[-8:-4], "little") == deflate.crc32(content)
    return content if whole else inflated_in_parts(data, limit + 1, path)


def inflated_in_parts(data: bytes, limit: int, path: str) -> bytes:
    """The first `limit` bytes of all members; takes no more memory than that."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            return file.read(limit)
    except EOFError:
        raise FormatError("is a truncated gzip file: it ends within its compressed data; copy it anew", path) from None
    except (OSError, zlib.error):
        raise FormatError(
            "is a corrupt gzip file: its data does not decompress as it should; copy it anew", path
        ) from None
