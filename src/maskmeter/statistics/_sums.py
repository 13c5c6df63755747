"""Sums by cell that do not depend on the order of what is added: integers exactly, floats rounded once."""

from __future__ import annotations

import math
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

PIECE = 1 << 16  # numbers that are Python's own at a time: they take four times the room


def counts(at: Ints, n: NDArray[Any], size: int) -> Ints:
    """How much of the integers `n` falls into each of `size` cells."""
    if size == 1:
        return n.sum(dtype=np.int64, keepdims=True)
    out = np.zeros(size, np.int64)
    np.add.at(out, at, n)
    return out


def firsts(at: Ints) -> NDArray[np.bool_]:
    """Where equal neighbours begin."""
    first = np.ones(at.size, np.bool_)
    np.not_equal(at[1:], at[:-1], out=first[1:])
    return first


def exact_sums(at: Ints, values: Floats, size: int) -> Floats:
    """How much of the floats falls into each cell, rounded once, so that the order does not matter."""
    if size == 1:
        pieces = (values[k : k + PIECE].tolist() for k in range(0, values.size, PIECE))
        return np.array([math.fsum(chain.from_iterable(pieces))])
    out = np.zeros(size, np.float64)
    order = np.argsort(at, kind="stable")
    at = at[order]
    starts = np.flatnonzero(firsts(at))
    numbers = values[order]
    ends = [*starts[1:].tolist(), numbers.size][: starts.size]
    for cell, start, end in zip(at[starts].tolist(), starts.tolist(), ends, strict=True):
        out[cell] = math.fsum(numbers[start:end].tolist())
    return out


class ExactSums:
    """Sums by cell of floats that come in parts: `exact_sums` of all of them, rounded once.

    A float is a whole multiple of a power of two; of each power the multiples are added, in two halves that fit.
    """

    def __init__(self, size: int) -> None:
        self._halves: dict[int, NDArray[np.int64]] = {}
        self._size = size

    def add(self, at: Ints, values: Floats) -> None:
        """Add some more, which are finite."""
        share, power = np.frexp(values)
        whole = (share * 2.0**53).astype(np.int64)
        for p in np.unique(power).tolist():
            here = power == p
            held = self._halves.setdefault(p, np.zeros((2, self._size), np.int64))
            np.add.at(held[0], at[here], whole[here] >> 26)
            np.add.at(held[1], at[here], whole[here] & (1 << 26) - 1)

    @property
    def rounded(self) -> Floats:
        """The sums."""
        low = min(self._halves, default=0)
        total = [0] * self._size
        for p, (high, rest) in self._halves.items():
            for cell, (x, y) in enumerate(zip(high.tolist(), rest.tolist(), strict=True)):
                total[cell] += ((x << 26) + y) << p - low
        return np.array([_scaled(x, low - 53) for x in total])


def _scaled(whole: int, power: int) -> float:
    """whole * 2**power, rounded once."""
    return float(whole << power) if power >= 0 else whole / (1 << -power)


def sums_in_turn(at: Ints, values: Floats, size: int) -> Floats:
    """How much of the floats falls into each cell, added one after the other."""
    out = np.zeros(size, np.float64)
    np.add.at(out, at, values)
    return out
