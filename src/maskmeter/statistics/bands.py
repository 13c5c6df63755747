"""Bands: the pixels of both masks near their own boundary, and how many of them they share, class by class.

Conventions. A band holds the pixels of a mask from which a pixel outside is no further than `width`, from centre to
centre in the unit of the spacing; width 1 (in pixels) is the row of pixels along the boundary. The image ends the
mask; with `edge="open"` it does not. With `chessboard=True` distances are those of a king, in pixels, as that many
erosions by a 3 x 3 square have them. A `ratio` is a width of round(ratio x the image's diagonal) pixels, at least 1.

Merging: counts add.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import MergeError, UsageError
from ..kernels import band_counts
from ..masks import label_map
from .surface import by_label, union_boxes, volumes

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Bands:
    """Pixels of the bands of each class.

    classes  (K,) ids, ascending
    shared   (K,) pixels in the bands of both sides
    either   (K,) pixels in the band of at least one
    rule     the width and what else makes a band
    binary   two masks: the only class is 1
    """

    name: ClassVar[str] = "bands"

    classes: Ints
    shared: Ints
    either: Ints
    rule: str
    binary: bool = False

    def __add__(self, other: Bands) -> Bands:
        if (self.rule, self.binary) != (other.rule, other.binary):
            raise MergeError(f"bands are {self.rule} here and {other.rule} there")
        classes = np.union1d(self.classes, other.classes)
        shared, either = np.zeros((2, classes.size), np.int64)
        for s in (self, other):
            at = np.searchsorted(classes, s.classes)
            shared[at] += s.shared
            either[at] += s.either
        return replace(self, classes=classes, shared=shared, either=either)


def bands(
    gt: Any,
    pred: Any,
    *,
    width: float = 1,
    ratio: bool = False,
    chessboard: bool = False,
    around: bool = False,
    spacing: Iterable[float] | float | None = None,
    edge: str = "closed",
    ignore: int | Iterable[int] | None = None,
    mask: Any = None,
    only: frozenset[int] | None = None,
) -> Bands:
    """Count the bands of a pair of maps.

    gt, pred    arrays of one shape with two or three axes, or `LabelMap`s
    width       of the band; with `ratio` a share of the image's diagonal
    chessboard  distances of a king, in pixels
    only        where given, the classes to count
    around      both masks in the band on both sides of the boundary of the ground truth (a trimap)

    >>> b = bands(np.ones((4, 4), bool), np.ones((4, 4), bool), width=1)
    >>> b.shared.tolist(), b.either.tolist()
    ([12], [12])
    """
    if not (math.isfinite(width) and width > 0):
        raise UsageError(f"a width of {width} makes no band; it must be positive")
    if edge not in ("closed", "open"):
        raise UsageError(f'edge is "closed" or "open", not {edge!r}')
    g, p = label_map(gt, ignore=ignore, counted=mask), label_map(pred)
    v = volumes(g, p, 1.0 if ratio or chessboard else spacing)
    reach = float(max(1, round(width * math.hypot(*(n for n, _ in v.sides))))) if ratio else width
    rows = disc(reach, v.spacing, v.flat, chessboard)
    boxes = union_boxes(v, only)

    def one(item: tuple[int, tuple[int, ...]]) -> tuple[int, int]:
        label, box = item
        return band_counts(v.gt, v.pred, label, box, rows, flat=v.flat, open_=edge == "open", around=around)

    found = by_label(one, boxes)
    classes = np.array([label for label, _ in boxes], np.int64)
    n = np.array(found, np.int64).reshape(-1, 2)
    if v.binary and not boxes:
        classes, n = np.array([1]), np.zeros((1, 2), np.int64)
    rule = f"width {width:g}, ratio {ratio}, chessboard {chessboard}, around {around}, edge {edge}"
    return Bands(classes, n[:, 0], n[:, 1], rule, v.binary)


def disc(width: float, spacing: tuple[float, float, float], flat: bool, chessboard: bool) -> Ints:
    """The rows (z, y, reach along x) of all steps no longer than `width`, by their reach."""
    limit = width * (1 + 1e-9)
    most = [0 if flat and k == 0 else int(limit / spacing[k]) for k in range(3)]
    rows: list[tuple[int, int, int]] = []
    for z in range(-most[0], most[0] + 1):
        for y in range(-most[1], most[1] + 1):
            left = limit * limit - (z * spacing[0]) ** 2 - (y * spacing[1]) ** 2
            if chessboard:
                rows.append((z, y, int(limit)))
            elif left >= 0:
                rows.append((z, y, int(math.sqrt(left) / spacing[2])))
    return np.array(sorted(rows, key=lambda r: r[2]), np.int64).reshape(-1, 3)
