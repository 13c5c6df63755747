"""The task: what kind of question the data asks, decided over the whole data set and never file by file.

`--task auto` looks at the values that occur on both sides in all images:

binary     both sides boolean, or {0, 1}, or {0, 255} with 255 not void
scores     a two-valued ground truth, a prediction with fractions or with more values
semantic   integer maps of few values in the same range on both sides
instance   integer maps whose ids run 0..n with another n in every image, or that have very many ids

Where two readings are possible it stops and says which. A declared label file settles the question
between semantic and instance: the labels are classes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .errors import DataError

Task = Literal["binary", "semantic", "instance"]

TASKS: tuple[str, ...] = ("auto", "binary", "semantic", "instance", "panoptic", "detection")
FEW = 64  # values up to which label maps may be classes without anyone saying so


@dataclass
class Side:
    """The values seen on one side of the data set.

    values     all that occur, up to a limit
    many       some image holds more different values than can be classes
    floats     some image holds values that are not integers
    tops       the n of the images whose values are exactly 0..n; `runs` is how many those are
    """

    values: set[int] = field(default_factory=set)
    many: bool = False
    floats: bool = False
    images: int = 0
    tops: set[int] = field(default_factory=set)
    runs: int = 0

    def see(self, values: Iterable[int]) -> None:
        """Take in the values of one image."""
        seen = set(values)
        self.values |= seen
        self.images += 1
        if seen and min(seen) >= 0 and len(seen | {0}) == max(seen) + 1:
            self.tops.add(max(seen))
            self.runs += 1

    def see_all(self, values: NDArray[np.int64], sizes: NDArray[np.int64]) -> None:
        """Take in the values of many images: those of each are different and ascending, and so many are its own."""
        self.values.update(np.unique(values).tolist())
        self.images += sizes.size
        ends = np.cumsum(sizes)[sizes > 0]
        low, high, n = values[ends - sizes[sizes > 0]], values[ends - 1], sizes[sizes > 0]
        runs = (low >= 0) & (n + (low > 0) == high + 1)  # without 0 they run from 1
        self.tops.update(high[runs].tolist())
        self.runs += int(np.count_nonzero(runs))

    def two_valued(self, void: set[int]) -> bool:
        """Whether the values other than void are 0 and 1, or 0 and 255."""
        left = self.values - void
        return not self.floats and not self.many and (left <= {0, 1} or left <= {0, 255})

    @property
    def looks_counted(self) -> bool:
        """Whether the ids look like numbered objects: 0..n in nearly every image, n changing from image to image."""
        return self.runs >= 0.9 * self.images and len(self.tops) > max(2, self.images // 4) and max(self.values) > 8


@dataclass(frozen=True)
class Choice:
    """A task and why; `scores` where the prediction is a score map."""

    task: Task
    why: str
    scores: bool = False


def choose(gt: Side, pred: Side, ignore: Iterable[int] = (), declared: bool = False) -> Choice:
    """The task of `--task auto`. Raises DataError where two readings are possible."""
    void = set(ignore)
    g, p = gt.values - void, pred.values - void
    if declared:
        return Choice("semantic", "the labels are declared")
    if gt.floats:
        raise DataError("the ground truth holds values that are not integers; labels must be integers")
    if gt.two_valued(void):
        names = f"the ground truth holds {_few(g)}"
        if pred.floats or pred.many or len(p) > 2:
            what = "fractions" if pred.floats else "more values"
            return Choice("binary", f"{names}, the prediction {what}: a score map", scores=True)
        if pred.two_valued(void):
            return Choice("binary", f"{names}, the prediction {_few(p)}")
    if pred.floats:
        raise DataError("the prediction holds fractions and the ground truth more than two values; pass --task")
    if gt.many or pred.many:
        return Choice("instance", "single images hold more ids than there can be classes")
    counted = gt.looks_counted
    few = len(g | p) <= FEW
    if counted and few:
        raise DataError(
            f"the {len(g)} values could be classes, or the numbers of objects (0..n in each image with another n); "
            "pass --task semantic or --task instance"
        )
    if counted or not few:
        if not counted and len(g | p) <= 256 and (g | p) <= set(range(256)):
            raise DataError(f"{len(g | p)} values could be classes or objects; pass --task semantic or --task instance")
        return Choice("instance", "ids differ from image to image" if counted else f"{len(g | p)} different ids")
    return Choice("semantic", f"integer maps of {len(g)} and {len(p)} values in the same range")


def _few(values: set[int]) -> str:
    shown = sorted(values)
    return "{" + ", ".join(map(str, shown[:6])) + (", ..." if len(shown) > 6 else "") + "}"
