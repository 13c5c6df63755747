"""An order of objects made of what they are, so that nothing computed from them can depend on their ids.

Each object gets a fingerprint of its own facts: its size, whether it is a crowd, what of it lies on void, its score.
Then, for some rounds, one of its fingerprint and those of the objects it shares pixels with (the colours of Weisfeiler
and Leman). Objects with equal fingerprints look alike as far as the rounds reach, and it does not matter which of
them comes first. Classes enter by whether they are equal, so that renaming them changes nothing either.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import object_order

Ints = NDArray[np.int64]
Fields = dict[str, NDArray[Any]]

ROUNDS = 6  # how far, in steps from object to object, two objects must look alike to count as alike


def in_order(gt: Fields, pred: Fields, pair: Fields) -> tuple[Ints, Ints, Fields]:
    """The orders of the objects of both sides, and the pairs in terms of them, ascending."""
    g_order, p_order, by, g, p = object_order(
        [gt[f] for f in ("size", "class", "boundary", "crowd")],
        [pred[f] for f in ("size", "class", "boundary", "void")],
        pred["score"],
        [pair[f] for f in ("gt", "pred", "pixels", "boundary", "centred")],
        ROUNDS,
    )
    return g_order, p_order, {**{k: v[by] for k, v in pair.items()}, "gt": g, "pred": p}
