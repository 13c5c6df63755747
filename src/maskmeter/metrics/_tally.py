"""Counts of matches: what rates of objects and panoptic quality are made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..matching import BY_DEFAULT, Matching, Rules, match, rules
from ..statistics._sums import firsts
from ..statistics.overlap import Overlap
from ._metric import Values, ratio


@dataclass(frozen=True, eq=False)
class Tally:
    """(..., K) matches, predictions without, objects without, and the sum of the matches' scores."""

    overlap: Overlap
    matching: Matching
    how: Rules

    @cached_property
    def tp(self) -> Values:
        return self._count("gt", self._first[0])

    @cached_property
    def fp(self) -> Values:
        return self._count("pred", self.matching.spurious)

    @cached_property
    def fn(self) -> Values:
        return self._count("gt", self.matching.missed)

    @cached_property
    def score(self) -> Values:
        (gt, score), o = self._first, self.overlap
        if self.how.declared:
            turn = np.lexsort((o.gt_id[gt], o.gt_image[gt]))
            gt, score = gt[turn], score[turn]
        return o.total(score, o.gt_image[gt], o.gt_class[gt], in_turn=self.how.declared)

    def found(self, low: float, high: float) -> Values:
        """Objects of a size from `low` and below `high` that were found."""
        return self._count("gt", self._of_size(self._first[0], low, high))

    def objects(self, low: float, high: float) -> Values:
        """All objects of that size, crowds aside."""
        at = np.concatenate([self._first[0], self.matching.missed])
        return self._count("gt", self._of_size(at, low, high))

    def _of_size(self, at: NDArray[np.int64], low: float, high: float) -> NDArray[np.int64]:
        size = self.overlap.gt_size[at]
        return at[(size >= low) & (size < high)]

    @cached_property
    def _first(self) -> tuple[NDArray[np.int64], Values]:
        """The objects that were found, and their scores; several fragments share one."""
        first = firsts(self.matching.gt)
        return self.matching.gt[first], self.matching.score[first]

    def _count(self, side: str, at: NDArray[np.int64]) -> Values:
        o = self.overlap
        image, class_ = (o.gt_image, o.gt_class) if side == "gt" else (o.pred_image, o.pred_class)
        return o.total(np.ones(at.size, np.int64), image[at], class_[at])


def tally(o: Overlap, at: float, how: Rules) -> Tally:
    """The counts at one threshold."""
    return Tally(o, match(o, at, how), how)


def thresholds(iou: float | str) -> list[float]:
    """The IoU thresholds that a parameter names: `0.5`, or a range `0.5:0.95` in steps of 0.05, or `a:b:step`.

    >>> thresholds("0.5:0.7:0.1")
    [0.5, 0.6, 0.7]
    """
    if isinstance(iou, str) and (parts := re.fullmatch(r"([\d.e-]+):([\d.e-]+)(?::([\d.e-]+))?", iou)):
        try:
            low, high, step = float(parts[1]), float(parts[2]), float(parts[3] or 0.05)
        except ValueError:
            low = high = step = 0.0
        if 0 < low < high <= 1 and 0 < step <= high - low:
            return np.linspace(low, high, round((high - low) / step) + 1).tolist()
    elif isinstance(iou, int | float) and not isinstance(iou, bool) and 0 < iou <= 1:
        return [float(iou)]
    raise UsageError(f"iou must be above 0 and at most 1, or a range such as 0.5:0.95, not {iou!r}")


Asked = tuple[str | None, str, bool | None, str | None]
"""Convention, criterion, strict and method, as a metric was given them."""


def rules_of(asked: Asked, default: Rules = BY_DEFAULT, min_pixels: int | None = None) -> Rules:
    """The rules that a metric asks for."""
    convention, criterion, strict, method = asked
    return rules(convention, criterion if criterion != "iou" else None, strict, method, min_pixels, default)


@dataclass(frozen=True, eq=False)
class Quality:
    """PQ and its factors (..., K), by the rules and for what is undefined by the values of a convention."""

    tally: Tally
    convention: str | None = None

    @property
    def whole(self) -> Values:
        """PQ."""
        if self.convention in ("monuseg", "semantickitti"):
            return self.drawn * self.found
        return self._defined(ratio(self.tally.score, self._half))

    @property
    def drawn(self) -> Values:
        """SQ."""
        t = self.tally
        if self.convention == "monuseg":
            return t.score / (t.tp + 1e-6)
        drawn = ratio(t.score, t.tp)
        if self.convention == "panoptic":
            return np.where((t.tp == 0) & (self._half > 0), 0.0, drawn)
        return self._defined(drawn)

    @property
    def found(self) -> Values:
        """RQ."""
        return self._defined(ratio(self.tally.tp, self._half))

    @cached_property
    def _half(self) -> Values:
        return self.tally.tp + 0.5 * self.tally.fp + 0.5 * self.tally.fn

    def _defined(self, values: Values) -> Values:
        return np.where(np.isnan(values), 0.0, values) if self.convention in ("stardist", "semantickitti") else values
