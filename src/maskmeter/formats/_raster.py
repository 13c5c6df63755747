"""What a file holds, and what a format is.

A `Raster` is the answer of every reader: samples as stored, never scaled, turned or coloured, and
the few facts of the file that matter later. What the numbers *mean* is decided elsewhere.

A `Format` is the question: does this file belong to me, and what does it hold?
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, printable

DEFAULT_MAX_PIXELS = 2**28
"""Files that claim more samples than this (16384 x 16384) are refused unless the caller raises the limit."""


@dataclass(frozen=True, eq=False)
class Raster:
    """What a file holds, before anyone says what it means."""

    array: NDArray[Any]
    """(H, W), (D, H, W) or n-D, native byte order: bool, integer or float; (..., H, W, 3) where `rgb`."""
    rgb: bool = False
    """The last axis is red, green, blue, as uint8."""
    bits: int | None = None
    """Significant bits of a sample as stored; a 1-bit file has a uint8 array of 0 and 1."""
    palette: NDArray[np.uint8] | None = None
    """The colours (n, 3) of a palette file, whose array holds the indices."""
    spacing: tuple[float, ...] | None = None
    """Millimetres per step along each array axis, where the header says so beyond doubt."""
    notes: tuple[str, ...] = ()
    """What a user should hear, one line each."""
    affine: tuple[float, ...] | None = None
    """Where the voxels lie: three rows of four numbers, from (column, row, slice, 1) to millimetres towards the
    right, the front and the top of the patient."""
    numbers: NDArray[Any] | None = None
    """Where the array holds classes and the format keeps objects apart: the number of the object at each place."""


@dataclass(frozen=True)
class Format:
    """One file format.

    `matches` sees the first `HEAD` bytes (fewer in a short file) and decides by content alone.
    `decode(data, path, max_pixels)` reads the bytes of a whole file; `path` is for messages only. It
    raises FormatError for everything a file can do wrong, and checks what the header claims against
    `max_pixels` (see `check_size`) before it allocates or inflates. A format that is `bare` has no header: its
    files are known by their names alone. `pieces(path)`, where a format has it, answers an image that is read box by
    box (see `_pieces`), or None where this file has to be read whole.
    """

    name: str
    suffixes: tuple[str, ...]
    matches: Callable[[bytes], bool]
    decode: Callable[[bytes, str, int], Raster]
    bare: bool = False
    pieces: Callable[[str], Any] | None = None


HEAD = 512


class TooLarge(FormatError):
    """An image has more pixels than it may have."""

    pixels = 0


def check_size(shape: tuple[int, ...], path: str, max_pixels: int) -> None:
    """FormatError where an image of this shape has more than `max_pixels` pixels; channels do not count."""
    count = 1
    for n in shape:
        count *= n
    if count > max_pixels:
        size = " x ".join(map(str, shape[:8])) + (" x ..." if len(shape) > 8 else "")
        error = TooLarge(
            f"claims a size of {size} = {count} pixels, above the limit of {max_pixels}; "
            f"if that is right, raise the limit with --max-pixels {count}, or have NPY, TIFF and Zarr read in tiles "
            "with --memory 4GB",
            path,
        )
        error.pixels = count
        raise error


def corrupt(what: str, error: Exception, path: str) -> FormatError:
    """The error for a file on which another package's decoder gave up with `error`."""
    reason = printable(" ".join(str(error).split())[:200]) or type(error).__name__
    return FormatError(f"is a corrupt or truncated {what}: {reason}", path)


def drop_opaque_alpha(samples: NDArray[Any], path: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Colours (..., 3) of samples (..., 4) that are opaque everywhere, and the note that says so."""
    if samples.dtype != np.uint8 or (samples[..., 3] != 255).any():
        raise FormatError(
            "has an alpha channel, and the colours under transparent pixels are not labels; save without alpha", path
        )
    return np.ascontiguousarray(samples[..., :3]), ("the alpha channel is opaque everywhere and is left out",)
