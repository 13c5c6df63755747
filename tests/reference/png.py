"""Plain twin of the PNG kernel, and a writer of PNGs of every kind, both after the letter of the specification."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
WHOLE = ((0, 0, 1, 1),)
ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)  # x0 y0 dx dy
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def predict(filter_: int, a: int, b: int, c: int) -> int:
    """What the filter foretells of a byte from its left (a), upper (b) and upper left (c) neighbours."""
    if filter_ == 4:
        p = a + b - c
        return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
    return (0, a, b, (a + b) // 2)[filter_]


def unfilter(rows: Iterable[tuple[int, bytes]], pixel_bytes: int) -> list[bytes]:
    """Rows of bytes from (filter, differences)."""
    result: list[bytes] = []
    for filter_, differences in rows:
        above, row = result[-1] if result else bytes(len(differences)), bytearray()
        for i, d in enumerate(differences):
            a, c = (row[i - pixel_bytes], above[i - pixel_bytes]) if i >= pixel_bytes else (0, 0)
            row.append((d + predict(filter_, a, above[i], c)) & 255)
        result.append(bytes(row))
    return result


def filtered(rows: list[bytes], pixel_bytes: int, choose: Callable[[int], int]) -> bytes:
    """The inverse: each row behind its filter byte, `choose(row number)`."""
    out = bytearray()
    above = bytes(len(rows[0]))
    for y, row in enumerate(rows):
        filter_ = choose(y)
        out.append(filter_)
        for i, x in enumerate(row):
            a, c = (row[i - pixel_bytes], above[i - pixel_bytes]) if i >= pixel_bytes else (0, 0)
            out.append((x - predict(filter_, a, above[i], c)) & 255)
        above = row
    return bytes(out)


def packed(row: NDArray[Any], bits: int) -> bytes:
    """The samples of a row as a PNG stores them."""
    flat = row.ravel()
    if bits == 16:
        return flat.astype(">u2").tobytes()
    shifts = np.arange(bits - 1, -1, -1, dtype=np.uint8)
    return np.packbits(flat.astype(np.uint8)[:, None] >> shifts & 1).tobytes()


def unpacked(row: bytes, samples: int, bits: int) -> NDArray[Any]:
    """The inverse of `packed`."""
    if bits == 16:
        return np.frombuffer(row, ">u2").astype(np.uint16)
    each = np.unpackbits(np.frombuffer(row, np.uint8))[: samples * bits].reshape(samples, bits)
    return (each << np.arange(bits - 1, -1, -1, dtype=np.uint8)).sum(1).astype(np.uint8)


def raw_of(samples: NDArray[Any], bits: int, interlaced: bool, choose: Callable[[int], int]) -> bytes:
    """The bytes that go into the compressor."""
    channels = samples.shape[2] if samples.ndim == 3 else 1
    pixel_bytes = max(1, bits * channels // 8)
    parts = [samples[y0::dy, x0::dx] for x0, y0, dx, dy in (ADAM7 if interlaced else WHOLE)]
    return b"".join(filtered([packed(r, bits) for r in p], pixel_bytes, choose) for p in parts if p.size)


def samples_of(raw: bytes, width: int, height: int, bits: int, channels: int, interlaced: bool) -> NDArray[Any]:
    """The twin of the kernel."""
    out = np.zeros((height, width, channels), np.uint16 if bits == 16 else np.uint8)
    at = 0
    for x0, y0, dx, dy in ADAM7 if interlaced else WHOLE:
        part = out[y0::dy, x0::dx]
        if not part.size:
            continue
        n = (part.shape[1] * channels * bits + 7) // 8
        rows = [(raw[i], raw[i + 1 : i + 1 + n]) for i in range(at, at + part.shape[0] * (n + 1), n + 1)]
        at += part.shape[0] * (n + 1)
        for y, row in enumerate(unfilter(rows, max(1, bits * channels // 8))):
            part[y] = unpacked(row, part.shape[1] * channels, bits).reshape(-1, channels)
    return out[..., 0] if channels == 1 else out


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def write(
    samples: NDArray[Any],
    bits: int = 8,
    color: int = 0,
    *,
    interlaced: bool = False,
    choose: Callable[[int], int] = lambda y: y % 5,
    before: bytes = b"",
    after: bytes = b"",
    parts: int = 1,
) -> bytes:
    """A PNG file. `before` and `after` are chunks around the image data, which is split into `parts` chunks."""
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlaced)
    data = zlib.compress(raw_of(samples, bits, interlaced, choose))
    cuts = [len(data) * k // parts for k in range(parts + 1)]
    image = b"".join(chunk(b"IDAT", data[i:j]) for i, j in pairwise(cuts))
    return SIGNATURE + chunk(b"IHDR", header) + before + image + after + chunk(b"IEND", b"")
