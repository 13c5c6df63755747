"""Plain twin of the score histogram: what the kernels must answer, written to be read."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def score_counts(
    scores: NDArray[Any], positive: NDArray[np.bool_], mask: NDArray[np.bool_] | None = None
) -> tuple[NDArray[Any], Ints, Ints]:
    """The distinct scores where `mask` is true, ascending, and how many positives and negatives have each."""
    here = np.ones(scores.size, bool) if mask is None else mask.ravel()
    values, truth = scores.ravel()[here] + scores.dtype.type(0), positive.ravel()[here]  # -0.0 + 0 is 0.0
    distinct, at = np.unique(values, return_inverse=True)
    pos = np.bincount(at[truth], minlength=distinct.size)
    return distinct, pos, np.bincount(at, minlength=distinct.size) - pos


def coarsened(keys: NDArray[Any], pos: Ints, neg: Ints, limit: int) -> tuple[int, list[int], list[int], list[int]]:
    """The least level on which the keys occupy at most `limit` cells, and the counts there."""
    level = next(level for level in range(65) if len({k >> level for k in keys.tolist()}) <= limit)
    cells = {k >> level << level: [0, 0] for k in keys.tolist()}
    for k, p, n in zip(keys.tolist(), pos.tolist(), neg.tolist(), strict=True):
        cells[k >> level << level][0] += p
        cells[k >> level << level][1] += n
    return level, list(cells), [p for p, _ in cells.values()], [n for _, n in cells.values()]


def ordered_pairs(pos: Ints, neg: Ints) -> int:
    """Twice the pairs (positive, negative) in which the positive scores higher, ties counting half."""
    below, twice = 0, 0
    for p, n in zip(pos.tolist(), neg.tolist(), strict=True):
        twice += p * (2 * below + n)
        below += n
    return twice


def average_precision(pos: Ints, neg: Ints) -> float:
    """The mean over positives of the precision at the threshold that is their score, rounded once."""
    tp, fp, total = 0, 0, Fraction(0)
    for p, n in zip(pos.tolist()[::-1], neg.tolist()[::-1], strict=True):
        tp, fp = tp + p, fp + n
        total += Fraction(p * tp, max(tp + fp, 1))
    return float(total / tp) if tp else float("nan")
