"""TIFF, also BigTIFF, ImageJ and OME: the samples as stored.

Conventions
    Pages of one shape are one stack (D, H, W); pages of different shapes are refused. Grey samples of
    any integer or float type are the values; in palette files the index is. Three 8-bit samples are
    colours. Only lossless compressions are read. Sizes, and the place of every strip or tile, are
    checked from the headers before anything is decoded. References to other files are not followed.
    "MinIsWhite" and an orientation are reported and not applied.

    Spacing is read only from stacks whose axes are Z, Y, X and whose ImageJ or OME header gives all three
    steps and a unit of length; a resolution for printers is not a voxel size.

    Pieces. A file that lies on disk is read box by box where its pages are planes of strips or tiles, colours last; a
    chunk is a strip or a tile, and the samples of one whole page that is not compressed.

tifffile parses the file. It needs the package imagecodecs (extra `tiff`) to decompress; without it Pillow
decompresses the pages of 1, 8 or 16 bits, so that LZW and Deflate work with the core dependencies.
"""

from __future__ import annotations

import importlib.util
import io
import logging
import math
import mmap
import re
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ._pieces import Box, Pieces, plain_samples, size_of
from ._raster import Format, Raster, check_size, corrupt, drop_opaque_alpha

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

Bytes = bytes | mmap.mmap

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NONE = 1
_LOSSLESS = {_NONE, 2, 3, 4, 5, 8, 32773, 32946, 34925, 50000}  # CCITT, LZW, Deflate, PackBits, LZMA, Zstandard
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK = range(5)
_MM = {"mm": 1.0, "millimeter": 1.0, "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "\\u00b5m": 1e-3, "micron": 1e-3,
       "microns": 1e-3, "micrometer": 1e-3, "nm": 1e-6, "nanometer": 1e-6, "cm": 10.0}  # fmt: skip


def decode(data: bytes, path: str, max_pixels: int) -> Raster:
    """The raster of a TIFF file."""
    from tifffile import TiffFile

    _check_chain(data, path)
    try:
        with _quiet(), TiffFile(io.BytesIO(data), _multifile=False) as file:
            return _read(file, data, path, max_pixels)
    except FormatError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a parser of hostile bytes meets
        raise corrupt("TIFF", error, path) from None


def _read(file: TiffFile, data: bytes, path: str, max_pixels: int) -> Raster:
    series = _checked(file, data, path, max_pixels)
    page = series.keyframe
    if page.compression == _NONE or _has_imagecodecs():
        array = series.asarray(maxworkers=1)
    else:
        array = _decompressed_by_pillow(series, data, path)
    array, rgb, notes = _samples(array, series, path)
    return _raster(file, array, rgb, notes)


def _checked(file: TiffFile, data: Bytes, path: str, max_pixels: int | None = None) -> TiffPageSeries:
    """The images of a file that is whole and of a kind that is read."""
    if not file.series:
        raise FormatError("is a TIFF without an image", path)
    _check_pages(file, path)
    series = file.series[0]
    _check_kind(series, path)
    if max_pixels is not None:
        shape = tuple(n for n, axis in zip(series.shape, series.axes, strict=True) if axis != "S")
        check_size(shape, path, max_pixels)
        check_size(series.keyframe.chunks, path, max_pixels)  # which may claim more than the image they are part of
    _check_extent(series, data, path)
    return series


def _raster(file: TiffFile, array: NDArray[Any], rgb: bool, notes: tuple[str, ...]) -> Raster:
    page = file.series[0].keyframe
    if page.photometric == _WHITE_IS_ZERO:
        notes += ("white is stored as 0 (MinIsWhite): values are read as stored, not inverted",)
    if (turned := page.tags.valueof(274, 1)) != 1:
        notes += (f"TIFF orientation {turned} is not applied: labels are read as stored",)
    return Raster(array, rgb, page.bitspersample, _palette(file.series[0]), _spacing(file), notes)


def pieces(path: str) -> Pieces | None:
    """A TIFF file to be read box by box; None where it has to be read whole."""
    from tifffile import TiffFile

    if not size_of(path):
        return None
    try:
        with open(path, "rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _check_chain(data, path)
            with _quiet(), TiffFile(path, _multifile=False) as file:
                return _in_pieces(file, data, path)
    except FormatError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a parser of hostile bytes meets
        raise corrupt("TIFF", error, path) from None


def _in_pieces(file: TiffFile, data: Bytes, path: str) -> Pieces | None:
    series = _checked(file, data, path)
    page = series.keyframe
    plain = series.dataoffset is not None and page.compression == _NONE and page.bitspersample % 8 == 0
    if page.axes not in ("YX", "YXS") or not (page.compression == _NONE or _has_imagecodecs()):
        return None
    channels = page.shape[2:]
    shape = series.shape[: len(series.shape) - len(channels)]
    empty, rgb, notes = _samples(np.empty((0,) * len(shape) + channels, series.dtype), series, path)
    facts = _raster(file, empty, rgb, notes)
    if plain:
        dtype, start = series.dtype.newbyteorder(file.byteorder), series.dataoffset or 0

        def lying(box: Box) -> NDArray[Any]:
            whole = tuple(slice(0, n) for n in channels)
            return _samples(plain_samples(path, start, dtype, series.shape, (*box, *whole)), series, path)[0]

        return Pieces(shape, (1,) * (len(shape) - 1) + shape[-1:], facts, lying, loose=True)
    places = [list(zip(p.dataoffsets, p.databytecounts, strict=True)) for p in series.pages if p is not None]
    chunk, decoded = tuple(page.chunks[:2]), page.decode
    across = -(-page.shape[1] // chunk[1])

    def chunked(box: Box) -> NDArray[Any]:
        lead, plane = [range(s.start, s.stop) for s in box[:-2]], box[-2:]
        out = np.zeros((*(s.stop - s.start for s in box), *channels), series.dtype.newbyteorder("="))
        flat = out.reshape(-1, *out.shape[len(lead) :])
        with open(path, "rb") as opened:
            for target, at in zip(flat, product(*lead), strict=True):
                number = int(np.ravel_multi_index(at, shape[:-2])) if lead else 0
                for index in _touched(plane, chunk, across):
                    start, count = places[number][index]
                    opened.seek(start)
                    segment, (_, _, row, column, _), _ = decoded(opened.read(count), index)
                    if segment is not None:
                        _paste(target, segment[0] if channels else segment[0, :, :, 0], row, column, plane)
        return _samples(out, series, path)[0]

    def samples(box: Box) -> NDArray[Any]:
        try:
            with _quiet():
                return chunked(box)
        except FormatError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a decoder of hostile bytes meets
            raise corrupt("TIFF", error, path) from None

    return Pieces(shape, (1,) * (len(shape) - 2) + chunk, facts, samples)


def _touched(plane: Box, chunk: tuple[int, ...], across: int) -> Iterator[int]:
    """The numbers of the strips or tiles that hold a part of a box."""
    rows, columns = (range(s.start // c, -(-s.stop // c)) for s, c in zip(plane, chunk, strict=True))
    return (row * across + column for row in rows for column in columns)


def _paste(target: NDArray[Any], segment: NDArray[Any], row: int, column: int, plane: Box) -> None:
    """Write what a strip or tile at a row and column holds of a box."""
    (top, bottom), (left, right) = ((s.start, s.stop) for s in plane)
    rows = slice(max(row, top), min(row + segment.shape[0], bottom))
    columns = slice(max(column, left), min(column + segment.shape[1], right))
    part = segment[rows.start - row : rows.stop - row, columns.start - column : columns.stop - column]
    target[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = part


def _check_chain(data: Bytes, path: str) -> None:
    """The chain of page headers ends as it should: tifffile takes a broken chain for the end of the file."""
    order: Literal["little", "big"] = "little" if data[:1] == b"I" else "big"
    word, count_bytes, entry, at = (8, 8, 20, 8) if data[2:4] in (b"+\0", b"\0+") else (4, 2, 12, 4)
    seen: set[int] = set()
    while offset := int.from_bytes(data[at : at + word], order):
        at = offset + count_bytes + entry * int.from_bytes(data[offset : offset + count_bytes], order)
        if at + word > len(data):
            raise FormatError("is a truncated TIFF: a page header lies beyond the end of the file", path)
        if offset in seen:
            raise FormatError("is a corrupt TIFF: its pages go round in a circle", path)
        seen.add(offset)


def _check_pages(file: TiffFile, path: str) -> None:
    if len(file.series) > 1:
        shapes = sorted({" x ".join(map(str, s.shape)) for s in file.series})
        raise FormatError(
            f"holds {len(file.series)} images that do not form one stack (pages of shape {', '.join(shapes[:4])}); "
            "save each as a file of its own",
            path,
        )


def _check_kind(series: TiffPageSeries, path: str) -> None:
    page = series.keyframe
    if page.compression not in _LOSSLESS:
        name = getattr(page.compression, "name", str(page.compression))
        raise FormatError(f"is compressed by {name}, which may be lossy; save labels with Deflate or LZW", path)
    if page.photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK):
        name = getattr(page.photometric, "name", str(page.photometric))
        raise FormatError(f"holds {name} colours; labels are grey, palette or RGB", path)
    if page.dtype is None or page.dtype.kind not in "buif" or page.dtype.itemsize > 8:
        raise FormatError(f"holds samples of dtype {page.dtype}; labels are integers, scores floats as well", path)


def _check_extent(series: TiffPageSeries, data: Bytes, path: str) -> None:
    """Every strip or tile lies inside the file, and uncompressed ones hold as many bytes as the image."""
    if series.dataoffset is not None:  # ImageJ writes one header for a whole stack
        parts = [(series.dataoffset, series.nbytes)]
    else:
        if any(page is None for page in series.pages):
            raise FormatError("is a truncated TIFF: pages of its stack are missing", path)
        parts = [part for page in series.pages if page is not None
                 for part in zip(page.dataoffsets, page.databytecounts, strict=True)]  # fmt: skip
    if any(at + count > len(data) or not count for at, count in parts) or not parts:
        raise FormatError("is a truncated TIFF: a strip or tile lies beyond the end of the file or is missing", path)
    page = series.keyframe
    whole_bytes = page.bitspersample == 8 * series.dtype.itemsize
    if page.compression == _NONE and whole_bytes and sum(count for _, count in parts) < series.nbytes:
        raise FormatError("is a truncated TIFF: its strips are shorter than the image", path)


def _samples(array: NDArray[Any], series: TiffPageSeries, path: str) -> tuple[NDArray[Any], bool, tuple[str, ...]]:
    """The array in native order with colours last, whether they are colours, and notes."""
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype == np.bool_:
        array = (array.view(np.uint8) != 0).view(np.uint8)  # the bytes of Pillow's true are 255
    photometric = series.keyframe.photometric
    if "S" not in series.axes:
        if photometric == _RGB:
            raise FormatError("claims RGB colours but has another number of channels than three", path)
        return array, False, ()
    array = np.ascontiguousarray(np.moveaxis(array, series.axes.index("S"), -1))
    channels, notes = array.shape[-1], ()
    if photometric == _RGB and channels == 4:
        array, notes = drop_opaque_alpha(array, path)
        channels = 3
    if photometric != _RGB or channels != 3:
        raise FormatError(f"has {channels} channels per pixel; labels have one channel, or three of RGB colour", path)
    if array.dtype != np.uint8:
        raise FormatError(f"is an RGB TIFF of dtype {array.dtype}; labels as colours have 8 bits per channel", path)
    return array, True, notes


def _palette(series: TiffPageSeries) -> NDArray[np.uint8] | None:
    page = series.keyframe
    if page.photometric != _PALETTE or page.colormap is None:
        return None
    colors = np.asarray(page.colormap).T
    return (colors >> 8 if colors.max() > 255 else colors).astype(np.uint8)


def _spacing(file: TiffFile) -> tuple[float, float, float] | None:
    series = file.series[0]
    if series.axes != "ZYX":
        return None
    if file.is_ome and file.ome_metadata:
        return _ome_spacing(file.ome_metadata)
    header = file.imagej_metadata if file.is_imagej else None
    if not header:
        return None
    unit = _MM.get(str(header.get("unit", "")).lower())
    x, y = (series.keyframe.tags.valueof(tag) for tag in (282, 283))  # pixels per unit, as a fraction
    try:
        steps = (float(header["spacing"]), y[1] / y[0], x[1] / x[0])
    except (TypeError, ValueError, LookupError, ZeroDivisionError):
        return None
    return _in_mm(steps, (unit, unit, unit))


def _ome_spacing(xml: str) -> tuple[float, float, float] | None:
    pixels = re.search(r"<(?:\w+:)?Pixels\b[^>]*>", xml)
    if pixels is None:
        return None
    steps: list[float] = []
    units: list[float | None] = []
    for axis in "ZYX":
        size = re.search(rf'\bPhysicalSize{axis}="([^"]+)"', pixels[0])
        unit = re.search(rf'\bPhysicalSize{axis}Unit="([^"]+)"', pixels[0])
        try:
            steps.append(float(size[1]) if size else math.nan)
        except ValueError:
            return None
        units.append(_MM.get(unit[1].lower()) if unit else _MM["um"])  # the default of the OME schema
    return _in_mm((steps[0], steps[1], steps[2]), (units[0], units[1], units[2]))


def _in_mm(
    steps: tuple[float, float, float], units: tuple[float | None, float | None, float | None]
) -> tuple[float, float, float] | None:
    z, y, x = (step * (unit or math.nan) for step, unit in zip(steps, units, strict=True))
    return (z, y, x) if all(math.isfinite(s) and s > 0 for s in (z, y, x)) else None


@cache
def _has_imagecodecs() -> bool:
    return importlib.util.find_spec("imagecodecs") is not None


def _decompressed_by_pillow(series: TiffPageSeries, data: bytes, path: str) -> NDArray[Any]:
    """The stack, page by page, where Pillow gives the stored samples: 1, 8 or 16 bits, black is zero."""
    from PIL.TiffImagePlugin import TiffImageFile

    page, dtype = series.keyframe, series.dtype
    missing = FormatError(
        "is compressed in a way that needs another package; install it with: pip install 'maskmeter[tiff]'", path
    )
    plain = page.photometric != _WHITE_IS_ZERO and page.bitspersample in (1, 8, 16)
    if not plain or not series.axes.endswith(("YX", "YXS")):
        raise missing
    with TiffImageFile(io.BytesIO(data)) as image:
        frames: list[NDArray[Any]] = []
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            frame = np.asarray(image)
            if frame.dtype.newbyteorder("=") != dtype.newbyteorder("="):
                raise missing
            frames.append(frame)
    stack = np.stack(frames)
    if stack.size != math.prod(series.shape):
        raise missing
    return stack.reshape(series.shape)


class _Quiet(logging.Filter):
    """Keeps tifffile's log away from the user while this thread is reading; what matters is raised."""

    reading = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(self.reading, "now", False)


_FILTER = _Quiet()


@contextmanager
def _quiet() -> Generator[None]:
    logging.getLogger("tifffile").addFilter(_FILTER)  # adding it again changes nothing
    _Quiet.reading.now = True
    try:
        yield
    finally:
        _Quiet.reading.now = False


TIFF = Format("TIFF", (".tif", ".tiff"), lambda head: head.startswith(_MAGIC), decode, pieces=pieces)
