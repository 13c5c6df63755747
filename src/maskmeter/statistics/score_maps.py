"""Score maps: what a map of probabilities must be, and which pixels of its ground truth are positive.

Conventions. A score is the probability of the positive class, from 0 to 1.
- Floats (16, 32 or 64 bits) are taken as they are; NaN, infinities and anything outside [0, 1] is an
  error that says how many values are concerned.
- 8- and 16-bit unsigned integers are scaled by the greatest value of their type: 255 or 65535 is 1.
  Booleans are the scores 0 and 1. Other integers have no natural scale and are an error.
- Logits are an error until somebody says that they are logits; then the logistic function is applied,
  rounded to the type of the logits. So two logits that it cannot tell apart become one score.
- The ground truth is boolean, or holds 0 and one other value, which is the positive one, or the positive
  labels are named. Void ground truth and pixels outside a mask are left out, whatever their score.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LabelError
from ..kernels import joint_counts
from ..masks import LabelMap, as_array, counting, first_place

Bools = NDArray[np.bool_]

# The greatest score of each type that holds scores: what 1 is written as.
GREATEST = {
    np.dtype(t): top
    for t, top in (("?", 1), ("u1", 255), ("u2", 65535), ("f2", 1.0), ("f4", 1.0), ("f8", 1.0))
}  # fmt: skip


def score_array(data: Any) -> NDArray[Any]:
    """The scores or logits of anything that holds an array, in a type that holds scores. Raises LabelError."""
    if isinstance(data, np.ma.MaskedArray):
        raise LabelError("the score map is a masked array; give the pixels that count as mask=")
    array = as_array(data)
    if array.dtype.newbyteorder("=") not in GREATEST:
        raise LabelError(
            f"dtype {array.dtype} does not hold scores; give floats from 0 to 1, or 8- or 16-bit unsigned integers, "
            "which are scaled by the maximum of their type"
        )
    return array


def logistic(logits: NDArray[Any], counted: Bools | None) -> NDArray[Any]:
    """The scores of logits: 1 / (1 + exp(-x)), in their own type. Raises LabelError."""
    check_logits(logits, counted)
    out = np.empty(logits.shape, logits.dtype.newbyteorder("="))
    source, target, block = logits.reshape(-1), out.reshape(-1), 1 << 16
    with np.errstate(over="ignore", invalid="ignore"):
        for at in range(0, source.size, block):
            target[at : at + block] = 1 / (1 + np.exp(-source[at : at + block].astype(np.float64)))
    return out


def check_logits(logits: NDArray[Any], counted: Bools | None) -> None:
    """Raise LabelError for logits that are not floats, or not finite where they count."""
    if logits.dtype.kind != "f":
        raise LabelError(f"logits must be floats, not {logits.dtype}")
    odd = ~np.isfinite(logits) if counted is None else ~np.isfinite(logits) & counted
    if odd.any():
        raise explain_outside(logits, counted)


def explain_outside(scores: NDArray[Any], counted: Bools | None) -> LabelError:
    """The error for scores of which some are no probabilities."""
    values = scores if counted is None else scores[counted]
    finite = np.isfinite(values)
    if not finite.all():
        nan = int(np.isnan(values).sum())
        odd = int(values.size - np.count_nonzero(finite))
        where = first_place(~np.isfinite(scores) if counted is None else ~np.isfinite(scores) & counted)
        return LabelError(
            f"the score map holds {counting(odd, 'value')} not finite ({nan} NaN, {odd - nan} infinite), {where}"
        )
    off = (scores < 0) | (scores > 1)
    off = off if counted is None else off & counted
    outside = int(off.sum())
    return LabelError(
        f"{outside} score{' lies' if outside == 1 else 's lie'} outside [0, 1] "
        f"(from {values.min():g} to {values.max():.9g}), {first_place(off)}; "
        "these look like logits; pass --logits (logits=True); clip them if it is rounding"
    )


def counted_pixels(gt: LabelMap) -> Bools | None:
    """The pixels whose ground truth is not void and that the mask, if any, lets count; None for all."""
    counted = gt.counted
    for void in gt.ignore:
        valid = gt.array != void
        counted = valid if counted is None else counted & valid
    return counted


def positive_pixels(gt: LabelMap, counted: Bools | None, positive: int | Iterable[int] | None) -> Bools:
    """Where the ground truth is positive. Raises LabelError where that is not clear."""
    if gt.binary:
        return gt.array
    if positive is not None:
        named = [int(p) for p in ((positive,) if isinstance(positive, int | np.integer) else positive)]
        return gt.array == named[0] if len(named) == 1 else np.isin(gt.array, named)
    found = joint_counts(gt.array, gt.array, counted)[0].tolist()
    others = [v for v in found if v != 0]
    if len(found) > 2:
        shown = ", ".join(map(str, found[:5])) + (", ..." if len(found) > 5 else "")
        raise LabelError(
            f"the ground truth holds {len(found)} different values ({shown}) and scores need two; "
            "name the positive ones with --positive, and the void ones with --ignore"
        )
    if len(others) > 1:
        raise LabelError(
            f"the ground truth holds the values {found[0]} and {found[1]}, neither of them 0; "
            "name the positive one with --positive"
        )
    return gt.array != 0
