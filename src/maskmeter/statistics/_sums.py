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


def sums_in_turn(at: Ints, values: Floats, size: int) -> Floats:
    """How much of the floats falls into each cell, added one after the other."""
    out = np.zeros(size, np.float64)
    np.add.at(out, at, values)
    return out
