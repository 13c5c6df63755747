"""Plain twin of the native joint counts: what the kernel must answer, written to be read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def joint_counts(a: NDArray[Any], b: NDArray[Any], mask: NDArray[Any] | None = None) -> tuple[Ints, Ints, Ints]:
    """The pairs (a[i], b[i]) that occur where `mask` is nonzero, in ascending order, and how often each does."""
    pairs = np.stack([a.ravel().astype(np.int64), b.ravel().astype(np.int64)])
    if mask is not None:
        pairs = pairs[:, mask.ravel() != 0]
    distinct, counts = np.unique(pairs, axis=1, return_counts=True)
    return distinct[0], distinct[1], counts.astype(np.int64)
