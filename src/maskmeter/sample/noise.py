"""Noise: the one source of everything irregular in the sample.

Conventions
-----------
`field` answers noise of mean 0 and spread 1 that repeats without a seam. A square one of side `TILE` can be laid
over any surface (`lay`). `slope` says how fast fine detail fades: 1 is grainy, 2 is cloudy. All randomness comes
from the generator that is handed in.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft

Floats = npt.NDArray[np.floating[Any]]  # 32 bits wherever it matters for speed
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[Any]

TILE = 256  # a power of two, so that the remainder is a mask


def field(rng: np.random.Generator, shape: tuple[int, int], slope: float = 2.0) -> Floats:
    """Noise of the given shape whose spectrum falls as frequency ** -slope."""
    white = rng.standard_normal(shape, dtype=np.float32)
    spectrum: Numbers = np.asarray(fft.rfft2(white))
    noise: Numbers = np.asarray(fft.irfft2(spectrum * _fading(shape, slope), s=shape))
    return noise / noise.std()


@cache
def _fading(shape: tuple[int, int], slope: float) -> Floats:
    """The factor of each frequency."""
    frequency = np.hypot(fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None, :])
    frequency[0, 0] = np.inf  # no mean
    return (frequency**-slope).astype(np.float32)


def lay(noise: Floats, y: Numbers | float, x: Numbers | float) -> Floats:
    """The texture at the given coordinates (in its pixels), repeated for ever; nearest pixel."""
    return noise[np.floor(y).astype(np.int32) & (TILE - 1), np.floor(x).astype(np.int32) & (TILE - 1)]


def ramp(low: float, high: float, x: Numbers) -> Floats:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((np.asarray(x, np.float32) - np.float32(low)) / np.float32(high - low), 0, 1)
    return t * t * (3 - 2 * t)


def to_bytes(color: Floats) -> Bytes:
    """Values 0..1 as bytes."""
    return (np.clip(color, 0, 1) * 255 + 0.5).astype(np.uint8)
