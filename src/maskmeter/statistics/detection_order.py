"""An order of detections that nothing but their content decides, for rules under which files have no order.

Detections of equal score are taken thus: the one of the best IoU with an object that is still free comes first and
takes it; those that reach none follow, by area (the largest first), box and shape. Ground truths go by area, box and
shape. Objects that are alike in all of these are exchangeable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..kernels import Cells, Meetings, lexsort

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Contents(Protocol):
    """Numbers made of shapes, which need not be there before they are asked for."""

    def __getitem__(self, rows: Ints, /) -> Ints: ...


class Shaped(Protocol):
    """Objects with a content."""

    @property
    def area(self) -> NDArray[np.float64]: ...
    @property
    def box(self) -> NDArray[np.float64]: ...
    @property
    def content(self) -> Contents: ...


def by_content(cell: Ints, x: Shaped, *before: NDArray[Any]) -> Ints:
    """The order by cell, then by the keys `before`, then by area, box and shape, which few rows need."""
    first = (cell, *before)
    order = lexsort(first[::-1])
    same = np.ones(max(order.size - 1, 0), bool)
    for key in first:
        same &= key[order[1:]] == key[order[:-1]]
    order, same = _settled(order, same, lambda rows: (-x.area[rows], *x.box[rows].T))
    return _settled(order, same, lambda rows: (x.content[rows],))[0]


def _settled(order: Ints, same: Bools, keys: Callable[[Ints], tuple[NDArray[Any], ...]]) -> tuple[Ints, Bools]:
    """The order in which keys decide between neighbours that are the `same`, and which are so after that."""
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same)) if same.any() else np.empty(0, np.int64)
    if not tied.size:
        return order, same
    rows = order[tied]
    known = (np.cumsum(np.append(True, ~same))[tied], *keys(rows))
    turn = lexsort(known[::-1])
    order[tied] = rows[turn]
    alike = np.ones(tied.size - 1, bool)
    for key in known:
        alike &= key[turn[1:]] == key[turn[:-1]]
    left = np.zeros(same.size, bool)
    left[tied[:-1][alike]] = True
    return order, left


def claimed(cells: Cells, score: NDArray[np.float64], pairs: Meetings, never: NDArray[np.bool_]) -> Ints:
    """The order of detections in which those of equal score come as above; objects marked `never` are not taken.

    `score` descends in each cell.

    >>> cells = Cells(np.array([0, 2]), np.array([0, 1]))
    >>> pairs = Meetings(np.array([0, 1]), np.array([0, 0]), np.array([0.6, 0.9]))
    >>> claimed(cells, np.array([0.5, 0.5]), pairs, np.array([False])).tolist()
    [1, 0]
    """
    n = score.size
    order = np.arange(n)
    cell = np.repeat(np.arange(cells.detections.size - 1), np.diff(cells.detections))
    tied = (cell[1:] == cell[:-1]) & (score[1:] == score[:-1])
    meets = np.bincount(pairs.detection, minlength=n) > 0
    run = np.cumsum(np.append(True, ~tied)) if n else np.empty(0, np.int64)
    contested = np.bincount(run[meets], minlength=n + 1) > 0  # runs in which somebody meets somebody
    shared = np.bincount(run, minlength=n + 1) > 1
    for c in np.unique(cell[(contested & shared)[run]]).tolist():
        first, last = int(cells.detections[c]), int(cells.detections[c + 1])
        low, high = np.searchsorted(pairs.detection, [first, last])
        of: dict[int, list[tuple[float, int]]] = {}
        for d, g, iou in zip(*(x[low:high].tolist() for x in pairs), strict=True):
            if not never[g]:
                of.setdefault(d, []).append((iou, g))
        order[first:last] = _claims(range(first, last), run[first:last].tolist(), of)
    return order


def _claims(detections: range, run: list[int], of: dict[int, list[tuple[float, int]]]) -> list[int]:
    taken, out = set[int](), list[int]()
    start = 0
    for end in range(1, len(run) + 1):
        if end < len(run) and run[end] == run[start]:
            continue
        left = list(detections[start:end])
        while left:
            offers = [(iou, -i, d, g) for i, d in enumerate(left) for iou, g in of.get(d, ()) if g not in taken]
            if not offers:
                break
            _, _, d, g = max(offers)
            taken.add(g)
            left.remove(d)
            out.append(d)
        out += left
        start = end
    return out
