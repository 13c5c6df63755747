"""Connected components: objects of a semantic map.

The connectivity is always stated, because it changes how many objects there are: by the number of
neighbours that a pixel has, 4 or 8 in two dimensions, 6, 18 or 26 in three. Components of different
labels are different objects even where they touch.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..kernels import components as count_components
from ..kernels import joint_counts

NEIGHBOURS = {
    1: {2: 1},
    2: {4: 1, 8: 2},
    3: {6: 1, 18: 2, 26: 3},
}  # dimensions -> neighbours -> axes they may differ in


def components(
    labels: NDArray[Any], connectivity: int, background: int = 0
) -> tuple[NDArray[np.int32], dict[int, int]]:
    """The map of components, numbered from 1, and the label of each.

    Raises UsageError where the connectivity is not one of so many dimensions.

    >>> ids, label = components(np.array([[1, 0, 2], [0, 1, 2]]), connectivity=4)
    >>> ids.tolist(), label
    ([[1, 0, 2], [0, 3, 2]], {1: 1, 2: 2, 3: 1})
    """
    axes = axes_apart(labels.ndim, connectivity)
    if labels.dtype != np.bool_ and not np.iinfo(labels.dtype).min <= background <= np.iinfo(labels.dtype).max:
        labels = labels.astype(np.int64)  # no pixel is background; the kernel compares in the type of the labels
    ids = count_components(labels, axes, background)
    number, label, _ = joint_counts(ids, labels)
    return ids, {i: k for i, k in zip(number.tolist(), label.tolist(), strict=True) if i}


def pieces(labels: NDArray[Any], background: int = 0) -> Counter[int]:
    """Of each label the pieces that it lies in, corners touching; nothing where there are other than 1 to 3 axes.

    >>> pieces(np.array([[5, 0, 2], [0, 5, 2], [2, 0, 0]]))
    Counter({2: 2, 5: 1})
    """
    if labels.ndim not in NEIGHBOURS:
        return Counter()
    return Counter(components(labels, max(NEIGHBOURS[labels.ndim]), background)[1].values())


def axes_apart(dimensions: int, connectivity: int) -> int:
    """Along how many axes neighbours may differ. Raises UsageError where there is no such connectivity.

    >>> axes_apart(2, 8), axes_apart(3, 18)
    (2, 2)
    """
    known = NEIGHBOURS.get(dimensions, {})
    if connectivity not in known:
        choices = " or ".join(map(str, known)) or "not defined"
        raise UsageError(f"connectivity {connectivity!r} in {dimensions} dimensions, where it is {choices}")
    return known[connectivity]
