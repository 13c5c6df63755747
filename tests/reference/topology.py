"""Plain twins of the kernels of topology: cells are listed and counted, components flooded one pixel at a time."""

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray


def euler(mask: NDArray[np.bool_], diagonal: bool) -> int:
    """Vertices - edges + faces - cells of the closed pixels; for open ones the same of their centres."""
    total = 0
    wide = np.pad(mask, 1)
    for free in product((0, 1), repeat=mask.ndim):  # the axes along which a cell of the grid extends
        around = [wide]
        for axis, extends in enumerate(free):
            if not extends:  # it lies between two pixels
                around = [np.take(x, range(side, wide.shape[axis] - 1 + side), axis) for x in around for side in (0, 1)]
        there = np.any(around, axis=0) if diagonal else np.all(around, axis=0)
        dimension = sum(free) if diagonal else mask.ndim - sum(free)
        total += (-1) ** dimension * int(there.sum())
    return total


def count_components(mask: NDArray[np.bool_], diagonal: bool) -> int:
    """How many parts there are, hanging together by corners or by faces."""
    steps = [s for s in product((-1, 0, 1), repeat=mask.ndim) if any(s) and (diagonal or sum(map(abs, s)) == 1)]
    left = set(map(tuple, np.argwhere(mask).tolist()))
    n = 0
    while left:
        n += 1
        front: list[Any] = [left.pop()]
        while front:
            at = front.pop()
            for step in steps:
                other = tuple(a + b for a, b in zip(at, step, strict=True))
                if other in left:
                    left.remove(other)
                    front.append(other)
    return n


def betti(mask: NDArray[np.bool_]) -> tuple[int, int, int]:
    """Components, holes, cavities: parts of the figure by corners, of the background by faces."""
    b0 = count_components(mask, diagonal=True)
    inside = count_components(np.pad(~mask, 1, constant_values=True), diagonal=False) - 1
    if mask.ndim == 2:
        return b0, inside, 0
    return b0, b0 + inside - euler(mask, diagonal=True), inside


def thin(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The skeleton: layers from each side in turn, then what is left over of slanting bands."""
    grid = np.pad(mask, 1)
    axes = range(mask.ndim)
    sides = [tuple(way * (axis == k) for k in axes) for axis in axes for way in (-1, 1)]
    seen = {at for at in _points(grid) if not all(grid[_step(at, side)] for side in sides)}
    changed = True
    while changed:
        changed, touched = False, set[Any]()
        before = sorted(at for at in seen if grid[at])
        for side in sides:
            opposite = tuple(-x for x in side)
            layer = [
                at for at in before
                if grid[at] and not grid[_step(at, side)] and grid[_step(at, opposite)] and _deletable(grid, at)
            ]  # fmt: skip
            for at in layer:
                if _deletable(grid, at):
                    grid[at] = False
                    changed = True
                    touched |= {other for other in _around(at) if grid[other]}
        seen |= touched
    gone = set[Any]()
    for at in _points(grid):
        if _deletable(grid, at) and not gone & set(_around(at)):
            grid[at] = False
            gone.add(at)
    return grid[(slice(1, -1),) * mask.ndim]


def _points(grid: NDArray[np.bool_]) -> list[Any]:
    return list(map(tuple, np.argwhere(grid).tolist()))


def _step(at: Any, by: Any) -> Any:
    return tuple(a + b for a, b in zip(at, by, strict=True))


def _around(at: Any) -> list[Any]:
    return [_step(at, by) for by in product((-1, 0, 1), repeat=len(at)) if any(by)]


def _deletable(grid: NDArray[np.bool_], at: Any) -> bool:
    """Neither the end of a curve, nor a point that holds the figure or the background together."""
    on = grid[tuple(slice(a - 1, a + 2) for a in at)].copy()
    centre = (1,) * grid.ndim
    off = ~on
    on[centre] = off[centre] = False
    for place in product((0, 1, 2), repeat=grid.ndim):
        off[place] &= sum(k != 1 for k in place) <= 2
    faces = [_step(centre, by) for by in product((-1, 0, 1), repeat=grid.ndim) if sum(map(abs, by)) == 1]
    if on.sum() < 2 or count_components(on, diagonal=True) != 1 or not any(off[f] for f in faces):
        return False
    outside = [f for f in faces if off[f]]
    joined, front = {outside[0]}, [outside[0]]
    while front:
        here = front.pop()
        for by in product((-1, 0, 1), repeat=grid.ndim):
            other = _step(here, by)
            if sum(map(abs, by)) == 1 and all(0 <= k <= 2 for k in other) and off[other] and other not in joined:
                joined.add(other)
                front.append(other)
    return set(outside) <= joined
