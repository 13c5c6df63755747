"""PNG: the samples as stored.

Conventions
    A grey sample is the label, at 1, 2, 4, 8 or 16 bits, and is not scaled to 8 bits. In a palette file
    the index is the label, and the colours come along for whoever wants them. Three channels of 8 bits
    are colours. Refused, since no reading of them is safe: grey or colour with alpha (unless the alpha of
    an RGBA file is opaque everywhere), colours of 16 bits, animations. `two_channels` reads grey with alpha, and
    colours without blue, for whoever knows that they are a class and a number. Chunks that are about display
    (gAMA, tRNS, ...) change nothing; an EXIF orientation is reported and not applied.

    Every checksum is verified: of the chunks (CRC) and of the image data (Adler). The size is checked
    from the header, before anything is inflated; data too short to inflate to that size is refused too.

Reference: Portable Network Graphics specification, third edition, https://www.w3.org/TR/png-3/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import deflate
import numpy as np
from numpy.typing import NDArray

from .. import kernels
from ..errors import FormatError
from ._raster import Format, Raster, check_size, drop_opaque_alpha

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
_CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
_DEPTHS = {GREY: (1, 2, 4, 8, 16), PALETTE: (1, 2, 4, 8), RGB: (8, 16), GREY_ALPHA: (8, 16), RGBA: (8, 16)}
_DEFLATE_RATIO = 1032  # no deflate stream holds more than this many bytes per byte


@dataclass(frozen=True)
class Header:
    """IHDR."""

    width: int
    height: int
    bits: int
    color: int
    interlaced: bool

    @property
    def layout(self) -> tuple[int, int, int, int, bool]:
        """What the kernels need to know."""
        return self.width, self.height, self.bits, _CHANNELS[self.color], self.interlaced


def decode(data: bytes, path: str, max_pixels: int) -> Raster:
    """The raster of a PNG file."""
    parts = _parts(data, path, max_pixels)
    if parts.header.color == GREY_ALPHA:
        raise FormatError(
            "has an alpha channel beside its grey one; labels have one channel: save without alpha, or say "
            "--convention channels if the two are the class and the number of an object",
            path,
        )
    if parts.header.bits == 16 and parts.header.color != GREY:
        raise FormatError("is an RGB PNG of 16 bits per channel; save as 16-bit grey or 8-bit RGB", path)
    return _raster(parts, _samples(parts, path), path)


def two_channels(data: bytes, path: str, max_pixels: int) -> tuple[NDArray[Any], NDArray[Any], tuple[str, ...]]:
    """Both channels of a PNG of grey with alpha, or red and green of one whose blue is 0 everywhere; and its notes."""
    parts = _parts(data, path, max_pixels)
    if parts.header.color not in (GREY_ALPHA, RGB):
        raise FormatError(
            "has not the two channels of class and number: save grey with alpha (LA), or RGB with a blue of 0", path
        )
    samples = _samples(parts, path)
    if samples.shape[-1] == 3 and samples[..., 2].any():
        raise FormatError(
            "holds three channels, and not two of class and number: its blue is not 0 everywhere; "
            "--convention kitti reads R = class, 256 G + B = number",
            path,
        )
    return np.ascontiguousarray(samples[..., 0]), np.ascontiguousarray(samples[..., 1]), parts.notes


def id_runs(data: bytes, path: str, max_pixels: int) -> tuple[kernels.LabelRuns, tuple[str, ...]] | None:
    """The ids R + 256 G + 65536 B of a PNG file as runs, with its notes; None where it is not plain RGB."""
    parts = _parts(data, path, max_pixels)
    header = parts.header
    if (header.color, header.bits, header.interlaced) != (RGB, 8, False):
        return None
    raw = _inflated(parts, path)
    try:
        return kernels.png_id_runs(raw, header.width, header.height), parts.notes
    except ValueError as error:
        raise FormatError(f"is a corrupt PNG: {error}", path) from None


@dataclass(frozen=True)
class _Parts:
    """What the chunks of a file hold; `packed` is the image data as it was deflated."""

    header: Header
    packed: memoryview | bytes
    palette: NDArray[np.uint8] | None
    notes: tuple[str, ...]


def _parts(data: bytes, path: str, max_pixels: int) -> _Parts:
    header: Header | None = None
    palette: NDArray[np.uint8] | None = None
    image: list[memoryview] = []
    notes: tuple[str, ...] = ()
    for kind, body in _chunks(memoryview(data), path):
        if header is None:  # the first chunk
            header = _header(kind, body, path)
            check_size((header.height, header.width), path, max_pixels)
        elif kind == b"IDAT":
            image.append(body)
        elif kind == b"PLTE":
            palette = _palette(body, path)
        elif kind == b"eXIf":
            notes = _orientation(bytes(body))
        elif kind == b"acTL" and int.from_bytes(body[:4], "big") != 1:
            raise FormatError("is an animated PNG (APNG); save its frames as separate files", path)
        elif not kind[0] & 0x20:  # an upper case letter: nobody can read the image without this chunk
            raise FormatError(f"is a corrupt PNG: unknown critical chunk {kind!r}", path)
    if header is None or not image:
        raise FormatError("is a truncated PNG: it has no image data", path)
    return _Parts(header, image[0] if len(image) == 1 else b"".join(image), palette, notes)


def _chunks(data: memoryview, path: str) -> Iterator[tuple[bytes, memoryview]]:
    """Kind and body of every chunk before IEND; what follows IEND is nobody's business."""
    at, end = len(SIGNATURE), len(data)
    while True:
        if at + 12 > end:
            raise FormatError("is a truncated PNG: it ends without an IEND chunk", path)
        length = int.from_bytes(data[at : at + 4], "big")
        body, stop = at + 8, at + 8 + length
        kind = bytes(data[at + 4 : body])
        if not kind.isalpha():
            raise FormatError("is a corrupt PNG: something else stands where a chunk should begin", path)
        if stop + 4 > end:
            raise FormatError(f"is a truncated PNG: it ends inside its {kind.decode()} chunk", path)
        if deflate.crc32(data[at + 4 : stop]) != int.from_bytes(data[stop : stop + 4], "big"):
            raise FormatError(
                f"is a corrupt PNG: wrong checksum (CRC) of its {kind.decode()} chunk; copy it anew", path
            )
        if kind == b"IEND":
            return
        yield kind, data[body:stop]
        at = stop + 4


def _header(kind: bytes, body: memoryview, path: str) -> Header:
    if kind != b"IHDR" or len(body) != 13:
        raise FormatError("is a corrupt PNG: it does not begin with an IHDR chunk", path)
    width, height, bits, color, compression, filters, interlace = struct.unpack(">IIBBBBB", body)
    if not (0 < width < 2**31 and 0 < height < 2**31):
        raise FormatError(f"is a corrupt PNG: invalid size {height} x {width}", path)
    if bits not in _DEPTHS.get(color, ()) or compression or filters or interlace > 1:
        raise FormatError(
            f"is a corrupt PNG: invalid header (depth {bits}, colour type {color}, compression {compression}, "
            f"filter {filters}, interlace {interlace})",
            path,
        )
    return Header(width, height, bits, color, bool(interlace))


def _palette(body: memoryview, path: str) -> NDArray[np.uint8]:
    if len(body) % 3 or not 0 < len(body) <= 768:
        raise FormatError("is a corrupt PNG: its palette has an invalid length", path)
    return np.frombuffer(body, np.uint8).reshape(-1, 3).copy()


def _orientation(exif: bytes) -> tuple[str, ...]:
    """A note where EXIF says that viewers should turn or mirror the image."""
    if exif[:4] not in (b"II*\0", b"MM\0*"):
        return ()
    order = "<" if exif[:2] == b"II" else ">"
    try:
        (at,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, at)
        entries = [struct.unpack_from(order + "HHIH", exif, at + 2 + 12 * i) for i in range(count)]
    except struct.error:  # broken EXIF in a sound PNG: it says nothing
        return ()
    turned = [value for tag, type_, n, value in entries if (tag, type_, n) == (0x0112, 3, 1) and value != 1]
    return tuple(f"EXIF orientation {value} is not applied: labels are read as stored" for value in turned[:1])


def _inflated(parts: _Parts, path: str) -> bytearray:
    size, packed = kernels.png_inflated_size(*parts.header.layout), parts.packed
    if size > _DEFLATE_RATIO * len(packed):
        raise FormatError(f"is a truncated PNG: {len(packed)} bytes of image data cannot fill the size it claims", path)
    try:
        return deflate.zlib_decompress(packed, size)
    except deflate.DeflateError:
        raise FormatError("is a corrupt PNG: its image data does not decompress (zlib) to its size", path) from None


def _samples(parts: _Parts, path: str) -> NDArray[Any]:
    raw = _inflated(parts, path)
    try:
        return kernels.png_samples(raw, *parts.header.layout)
    except ValueError as error:
        raise FormatError(f"is a corrupt PNG: {error}", path) from None


def _raster(parts: _Parts, samples: NDArray[Any], path: str) -> Raster:
    header, palette, notes = parts.header, parts.palette, parts.notes
    if header.color == RGBA:
        samples, more = drop_opaque_alpha(samples, path)
        notes += more
    if header.color == PALETTE:
        if palette is None:
            raise FormatError("is a corrupt PNG: a palette image without a palette", path)
        if (top := int(samples.max())) >= len(palette):
            notes += (f"holds index {top}, beyond its palette of {len(palette)} colours: the indices are the labels",)
    else:
        palette = None  # in other images a palette is a hint for poor displays
    return Raster(samples, rgb=header.color in (RGB, RGBA), bits=header.bits, palette=palette, notes=notes)


PNG = Format("PNG", (".png",), lambda head: head.startswith(SIGNATURE), decode)
