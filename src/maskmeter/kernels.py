"""The door to the compiled kernels: typed, documented, without policy.

A kernel counts or measures and decides nothing. Each takes contiguous arrays in native byte order,
never writes into its arguments, and releases the interpreter lock while it works. The plain NumPy
twin of each, which says what it must answer, lives in `tests/reference/`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _native

Ints = NDArray[np.int64]


def joint_counts(a: NDArray[Any], b: NDArray[Any], mask: NDArray[np.bool_] | None = None) -> tuple[Ints, Ints, Ints]:
    """The pairs of labels (a[i], b[i]) that occur where `mask` is true, in ascending order, and how often each does.

    `a` and `b` have the same size and any integer or boolean type; uint64 labels must be below 2**63.
    """
    rows = _native.joint_counts(_plain(a), _plain(b), None if mask is None else _plain(mask))
    return rows[0], rows[1], rows[2]


def components(labels: NDArray[Any], connectivity: int, background: int = 0) -> NDArray[np.int32]:
    """The connected components of equal label, numbered from 1 in the order of their first pixels; 0 is background.

    Pixels are neighbours when they differ by at most one step along at most `connectivity` axes.
    `background` must be in the range of the labels' type.
    """
    return _native.components(_plain(labels), connectivity, background)


def png_inflated_size(width: int, height: int, bits: int, channels: int, interlaced: bool) -> int:
    """How many bytes the image data of a PNG with this header inflates to."""
    return _native.png_inflated_size(width, height, bits, channels, interlaced)


def png_samples(
    raw: bytes | bytearray, width: int, height: int, bits: int, channels: int, interlaced: bool
) -> NDArray[Any]:
    """The samples (H, W) or (H, W, channels) behind inflated PNG data, not scaled: uint16 for 16 bits, else uint8.

    ValueError where `raw` is not exactly `png_inflated_size` bytes, or a row names an unknown filter.
    """
    return _native.png_samples(np.frombuffer(raw, np.uint8), width, height, bits, channels, interlaced)


class ScoreCounts(NamedTuple):
    """How many positives and negatives have each distinct score, in as little memory as that takes.

    keys   (K,) unsigned, ascending: integer scores, or the bits of float scores
    low    (K, 2) uint8: the counts of positives and negatives modulo 256
    high   (H, 3) rows (number of a key, positives, negatives): what the counts have beyond that
    """

    keys: NDArray[Any]
    low: NDArray[np.uint8]
    high: Ints


def score_counts(
    scores: NDArray[Any], positive: NDArray[np.bool_], mask: NDArray[np.bool_] | None, greatest: float
) -> tuple[ScoreCounts, int]:
    """The counts of the distinct scores where `mask` is true, and how many scores lie outside [0, greatest].

    `scores` are float16, 32 or 64, or uint8 or 16; -0.0 is 0.0, and NaN is outside. Where any is outside,
    the counts of 32- and 64-bit scores are empty.
    """
    limit = int(_bits(np.asarray(greatest, scores.dtype.newbyteorder("="))))
    counts, outside = _native.score_counts(
        _bits(_plain(scores)), _plain(positive), None if mask is None else _plain(mask), limit
    )
    return ScoreCounts(*counts), outside


def score_merge(a: ScoreCounts, b: ScoreCounts, level: int = 0) -> ScoreCounts:
    """Both added, on the grid whose cells hold 2**level keys; a cell goes by its least key."""
    return ScoreCounts(*_native.score_merge(*a, *b, level))


def score_cells(keys: NDArray[Any]) -> list[int]:
    """How many cells of the grid of each level the (ascending) keys occupy; level 0 has one for each key."""
    return _native.score_cells(keys)


def score_areas(counts: ScoreCounts) -> tuple[int, float]:
    """Twice the number of pairs (positive, negative) in the right order, and the sum of the precisions.

    Equal scores count as half in the right order; the integer is exact. The precision of a positive is that of
    the threshold that equals its score.
    """
    high, low, precision = _native.score_areas(*counts)
    return high << 64 | low, precision


def _bits(x: NDArray[Any]) -> NDArray[Any]:
    return x.view(f"u{x.dtype.itemsize}")


def weighted_sums(weights: NDArray[np.float64], rows: NDArray[Any]) -> NDArray[np.float64]:
    """`weights @ rows` for weights (B, I) and rows (I, K), each sum added in the order of the rows."""
    return _native.weighted_sums(np.ascontiguousarray(weights), np.ascontiguousarray(rows, np.float64))


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees for its next image, instead of asking the system for new pages.

    For processes that do nothing but evaluate (the command line): fresh pages for every image cost as much as
    decoding it. What is kept is at most what was in use at once. Nothing happens where the C library has no such
    switch.
    """
    _native.keep_freed_memory()


def _plain(x: NDArray[Any]) -> NDArray[Any]:
    """Contiguous, native byte order, booleans as bytes 0 and 1; a copy only where that is not so already."""
    if not (x.flags.c_contiguous and x.dtype.isnative):
        x = np.ascontiguousarray(x, x.dtype.newbyteorder("="))
    if x.dtype != np.bool_:
        return x
    raw = x.view(np.uint8)
    # Some libraries write true as 255 (Pillow's one-bit images): NumPy takes that for true, and so do we.
    return raw if not raw.size or raw.max() <= 1 else (raw != 0).view(np.uint8)
