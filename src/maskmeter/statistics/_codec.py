"""Statistics as bytes: named integer arrays, each in the narrowest type that holds it.

The layout is MessagePack: a map from field name to (dtype, shape, little-endian bytes). It is what
the store keeps and what workers send home, so it is small and the same on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[np.int64]]

_TYPES = [np.dtype(t) for t in ("<u1", "<i1", "<u2", "<i2", "<u4", "<i4")]
_RANGE = [(int(np.iinfo(t).min), int(np.iinfo(t).max), t) for t in _TYPES]
_WIDEST = np.dtype("<i8")
_OF_BITS = [next((t for _, hi, t in _RANGE if n <= hi.bit_length()), _WIDEST) for n in range(64)]
_ENCODER, _DECODER = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(dict[str, tuple[str, list[int], bytes]])


def to_bytes(arrays: Arrays) -> bytes:
    """The arrays, packed; `from_bytes` gives them back as int64."""
    return _ENCODER.encode({name: _packed(x) for name, x in arrays.items()})


def from_bytes(data: bytes) -> dict[str, NDArray[np.int64]]:
    """The arrays of `to_bytes`."""
    return {
        name: np.frombuffer(raw, dtype).astype(np.int64).reshape(shape)
        for name, (dtype, shape, raw) in _DECODER.decode(data).items()
    }


def _packed(x: NDArray[np.int64]) -> tuple[str, tuple[int, ...], bytes]:
    bits = int(np.bitwise_or.reduce(x, axis=None))  # of no sign, its highest bit is that of the largest
    if bits >= 0:
        dtype = _OF_BITS[bits.bit_length()]
    else:
        low, high = int(x.min()), int(x.max())
        dtype = next((t for lo, hi, t in _RANGE if lo <= low and high <= hi), _WIDEST)
    return dtype.str, x.shape, x.astype(dtype).tobytes()
