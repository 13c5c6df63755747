"""Sums by cell that do not depend on the order of what is added: integers exactly, floats rounded once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def counts(at: Ints, n: NDArray[Any], size: int) -> Ints:
    """How much of the integers `n` falls into each of `size` cells."""
    out = np.zeros(size, np.int64)
    np.add.at(out, at, n)
    return out


def exact_sums(at: Ints, values: Floats, size: int) -> Floats:
    """How much of the floats falls into each cell, rounded once, so that the order does not matter."""
    out = np.zeros(size, np.float64)
    order = np.argsort(at, kind="stable")
    at = at[order]
    starts = np.flatnonzero(np.diff(at, prepend=-1))
    numbers = values[order].tolist()
    ends = [*starts[1:].tolist(), len(numbers)][: starts.size]
    for cell, start, end in zip(at[starts].tolist(), starts.tolist(), ends, strict=True):
        out[cell] = math.fsum(numbers[start:end])
    return out


def sums_in_turn(at: Ints, values: Floats, size: int) -> Floats:
    """How much of the floats falls into each cell, added one after the other."""
    out = np.zeros(size, np.float64)
    np.add.at(out, at, values)
    return out
