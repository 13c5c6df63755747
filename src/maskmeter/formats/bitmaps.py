"""BMP, GIF and PGM/PPM: simple lossless images.

Conventions
    Grey samples and palette indices are the labels, as stored; 24-bit pixels are colours. A PGM sample is
    not stretched to 255, whatever its maximum. GIFs with more than one frame are refused, and so are
    files with an alpha channel. Plain-text PNM (P1 to P3) and bit maps (P4, where 1 is black) are not read.

BMP and GIF are decoded by Pillow, PGM and PPM here: Pillow rescales them.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ._raster import Format, Raster, check_size, corrupt

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_SPACE = rb"(?:\s|#[^\n]*\n)"
_PNM_HEADER = re.compile(rb"(P[56])" + _SPACE + rb"+(\d{1,9})" + _SPACE + rb"+(\d{1,9})" + _SPACE + rb"+(\d{1,5})\s")


def decode_bmp(data: bytes, path: str, max_pixels: int) -> Raster:
    """The raster of a BMP file."""
    from PIL.BmpImagePlugin import BmpImageFile

    return _by_pillow(BmpImageFile, data, path, max_pixels)


def decode_gif(data: bytes, path: str, max_pixels: int) -> Raster:
    """The raster of a GIF file with one frame."""
    from PIL.GifImagePlugin import GifImageFile

    return _by_pillow(GifImageFile, data, path, max_pixels)


def _by_pillow(plugin: type[ImageFile], data: bytes, path: str, max_pixels: int) -> Raster:
    # The plugin itself, not Image.open: content has decided which one, and our limit is the one that counts.
    try:
        with plugin(io.BytesIO(data)) as image:
            check_size((image.height, image.width), path, max_pixels)
            if getattr(image, "n_frames", 1) != 1:
                raise FormatError("is animated; save its frames as separate files", path)
            image.load()
            mode, colors = image.mode, image.getpalette("RGB")
            array = np.array(image)
    except FormatError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a decoder of hostile bytes meets
        raise corrupt("image", error, path) from None
    if mode == "1":
        return Raster((array.view(np.uint8) != 0).view(np.uint8), bits=1)  # the bytes of Pillow's true are 255
    if mode == "P":
        return Raster(array, bits=8, palette=None if colors is None else np.array(colors, np.uint8).reshape(-1, 3))
    if mode in ("L", "RGB"):
        return Raster(array, rgb=mode == "RGB", bits=8)
    raise FormatError(f"has pixels of mode {mode} (an alpha channel?); save as grey, palette or RGB", path)


def decode_pnm(data: bytes, path: str, max_pixels: int) -> Raster:
    """The raster of a binary PGM or PPM file."""
    header = _PNM_HEADER.match(data[:4096])
    if header is None:
        raise FormatError("is a PNM file with an invalid header", path)
    kind, (width, height, top) = header[1], map(int, header.groups()[1:])
    if not (width and height and 0 < top < 65536):
        raise FormatError(f"is a PNM file with an invalid header: size {height} x {width}, maximum {top}", path)
    check_size((height, width), path, max_pixels)
    rgb = kind == b"P6"
    if rgb and top != 255:
        raise FormatError(f"is a PPM file with a maximum of {top}; labels as colours have 8 bits per channel", path)
    dtype = np.dtype(">u2" if top > 255 else "u1")
    shape = (height, width, 3) if rgb else (height, width)
    count = height * width * (3 if rgb else 1)
    if (len(data) - header.end()) // dtype.itemsize < count:
        raise FormatError("is a truncated PNM file: it holds fewer pixels than its header claims", path)
    flat: NDArray[np.uint8] | NDArray[np.uint16] = np.frombuffer(data, dtype, count, header.end())
    return Raster(flat.astype(dtype.newbyteorder("="), copy=False).reshape(shape), rgb, bits=top.bit_length())


BMP = Format("BMP", (".bmp",), lambda head: head.startswith(b"BM") and head[6:10] == bytes(4), decode_bmp)
GIF = Format("GIF", (".gif",), lambda head: head.startswith((b"GIF87a", b"GIF89a")), decode_gif)
PNM = Format("PGM/PPM", (".pgm", ".ppm", ".pnm"), lambda head: re.match(rb"P[56][\s#]", head) is not None, decode_pnm)
