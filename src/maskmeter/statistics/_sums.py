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
        return np.array([math.fsum(values.tolist())])
    out = np.zeros(size, np.float64)
    order = np.argsort(at, kind="stable")
    at = at[order]
    starts = np.flatnonzero(firsts(at))
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
