"""Statistics as bytes: named integer arrays, each in the narrowest type that holds it.

The layout is MessagePack: a map from field name to (dtype, shape, little-endian bytes). It is what
the store keeps and what workers send home, so it is small and the same on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from msgspec.msgpack import Decoder, Encoder

Arrays = Mapping[str, NDArray[np.int64]]

_TYPES = [np.dtype(t) for t in ("<u1", "<i1", "<u2", "<i2", "<u4", "<i4")]
_RANGE = [(int(np.iinfo(t).min), int(np.iinfo(t).max), t) for t in _TYPES]
_WIDEST = np.dtype("<i8")
_OF_BITS = [next((t for _, hi, t in _RANGE if n <= hi.bit_length()), _WIDEST) for n in range(64)]
_NAMES = [t.str for t in _OF_BITS]  # which NumPy makes anew each time


@cache
def _codec() -> tuple[Encoder, Decoder[dict[str, tuple[str, list[int], bytes]]]]:
    from msgspec.msgpack import Decoder, Encoder

    return Encoder(), Decoder(dict[str, tuple[str, list[int], bytes]])


def to_bytes(arrays: Arrays) -> bytes:
    """The arrays, packed; `from_bytes` gives them back as int64."""
    return _codec()[0].encode({name: _packed(x) for name, x in arrays.items()})


def in_parts(arrays: Mapping[str, tuple[NDArray[np.int64], NDArray[np.int64]]]) -> list[bytes]:
    """What `to_bytes` makes of each of many statistics whose arrays lie one after the other, along the last axis.

    With each array comes where that of each statistic begins, and the end. Packing a block of images at once costs a
    fraction of packing one after the other.

    >>> a, b = np.array([1, 2, 300]), np.array([[5, 6], [7, -8]])
    >>> packed = in_parts({"a": (a, np.array([0, 2, 3])), "b": (b, np.array([0, 0, 2]))})
    >>> packed == [to_bytes({"a": a[:2], "b": b[:, :0]}), to_bytes({"a": a[2:], "b": b})]
    True
    """
    encode = _codec()[0].encode
    columns = [_parts(x, begin) for x, begin in arrays.values()]
    return [encode(dict(zip(arrays, parts, strict=True))) for parts in zip(*columns, strict=True)]


def _parts(x: NDArray[np.int64], begin: NDArray[np.int64]) -> list[tuple[str, tuple[int, ...], bytes]]:
    lead = x.shape[:-1]
    rows = x.reshape(int(np.prod(lead)), x.shape[-1])
    there = np.flatnonzero(np.diff(begin))
    low = high = np.zeros(begin.size - 1, np.int64)
    if there.size:
        low, high = low.copy(), high.copy()
        low[there] = np.minimum.reduceat(rows.min(axis=0), begin[there])
        high[there] = np.maximum.reduceat(rows.max(axis=0), begin[there])
    kind = np.full(low.size, len(_RANGE))
    for k in reversed(range(len(_RANGE))):
        kind[(_RANGE[k][0] <= low) & (high <= _RANGE[k][1])] = k
    types = [*_TYPES, _WIDEST]
    raw = {k: [row.astype(types[k]).tobytes() for row in rows] for k in np.unique(kind).tolist()}
    out: list[tuple[str, tuple[int, ...], bytes]] = []
    for k, a, b in zip(kind.tolist(), begin[:-1].tolist(), begin[1:].tolist(), strict=True):
        step = types[k].itemsize
        out.append((types[k].str, (*lead, b - a), b"".join([row[a * step : b * step] for row in raw[k]])))
    return out


def from_bytes(data: bytes) -> dict[str, NDArray[np.int64]]:
    """The arrays of `to_bytes`."""
    return {
        name: np.frombuffer(raw, dtype).astype(np.int64).reshape(shape)
        for name, (dtype, shape, raw) in _codec()[1].decode(data).items()
    }


def concatenated(blobs: Sequence[bytes]) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Of each array the values of many statistics one after the other, and how many each of them has.

    Reading a block of images at once costs a fraction of reading one after the other.
    """
    decode = _codec()[1].decode
    found = [decode(data) for data in blobs]
    return {name: _joined([x[name] for x in found]) for name in (found[0] if found else ())}


def _joined(parts: Sequence[tuple[str, list[int], bytes]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    kinds = {name: np.dtype(name) for name in dict.fromkeys(part[0] for part in parts)}
    steps = {name: kind.itemsize for name, kind in kinds.items()}
    sizes = np.array([len(raw) // steps[kind] for kind, _, raw in parts], np.int64)
    if len(kinds) == 1:
        (kind,) = kinds.values()
        return np.frombuffer(b"".join([raw for _, _, raw in parts]), kind).astype(np.int64), sizes
    out = np.empty(sizes.sum(), np.int64)
    for name, kind in kinds.items():
        here = np.repeat([part[0] == name for part in parts], sizes)
        out[here] = np.frombuffer(b"".join([raw for other, _, raw in parts if other == name]), kind)
    return out, sizes


def _packed(x: NDArray[np.int64]) -> tuple[str, tuple[int, ...], bytes]:
    bits = int(np.bitwise_or.reduce(x, axis=None))  # of no sign, its highest bit is that of the largest
    if bits >= 0:
        n = bits.bit_length()
        return _NAMES[n], x.shape, x.astype(_OF_BITS[n]).tobytes()
    low, high = int(x.min()), int(x.max())
    dtype = next((t for lo, hi, t in _RANGE if lo <= low and high <= hi), _WIDEST)
    return dtype.str, x.shape, x.astype(dtype).tobytes()
