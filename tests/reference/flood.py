"""Plain twin of the flood: the map is labelled anew at every step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def flood(step: NDArray[Any], objects: NDArray[Any], steps: int, connectivity: int) -> list[dict[str, Any]]:
    """After each step the components, those that share a pixel with an object, the objects found, and the pairs.

    A pair is (rank of the component by its first pixel, object, pixels that they share, size of the component).
    """
    around = ndimage.generate_binary_structure(step.ndim, connectivity)
    out: list[dict[str, Any]] = []
    for s in range(steps):
        parts, n = ndimage.label(step <= s, around)
        pairs: list[tuple[int, int, int, int]] = []
        for k in range(1, n + 1):
            here, counts = np.unique(objects[parts == k], return_counts=True)
            size = int((parts == k).sum())
            pairs += [(k, o, c, size) for o, c in zip(here.tolist(), counts.tolist(), strict=True) if o]
        touching = sorted({k for k, *_ in pairs})
        pairs = [(touching.index(k), *rest) for k, *rest in pairs]
        out.append(
            {"components": n, "touching": len(touching), "found": len({o for _, o, *_ in pairs}), "pairs": pairs}
        )
    return out
