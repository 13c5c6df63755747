"""Whole objects against the threshold: what a map of scores, cut at each of a few thresholds, finds and invents.

Conventions. Thresholds are fixed beforehand and the same for all images, so that counts add up. At each the map is cut
(`score >= threshold`) and its connected components are held against the objects of the ground truth. Which component
has found which object is a *rule*, a tuple of pairs as metrics state it:

  connectivity  neighbours of a pixel: 4 or 8 in a plane, 6, 18 or 26 in a volume; None for 8 and 26
  iou           components and objects are matched one to one, from this IoU on
  touch         instead of that: an object is found where a component shares a pixel with it

`thresholded.object_scores` counts them. Merging: counts add, at equal rules and thresholds (else MergeError).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..errors import MergeError, UsageError
from ..kernels import weighted_sums
from .shape import Need

Values = NDArray[np.float64]
Counts = NDArray[Any]


@dataclass(frozen=True, eq=False)
class ObjectCounts:
    """What is counted under one rule; leading axes "..." are images or resamples.

    thresholds  (T,) descending
    found       (..., T) objects of the ground truth that are found
    false       (..., T) components that have found none
    objects     (...) objects of the ground truth
    images      (...) images
    """

    thresholds: Values
    found: Counts
    false: Counts
    objects: Counts
    images: Counts

    def __add__(self, other: ObjectCounts) -> ObjectCounts:
        if not np.array_equal(self.thresholds, other.thresholds):
            raise MergeError("objects at different thresholds do not add up")
        return self._map(lambda x, y: x + y, other)

    def resampled(self, weights: Values) -> ObjectCounts:
        """The stack whose entry b adds up this one's entries i, each `weights[b, i]` times."""

        def drawn(x: Counts, _: Counts) -> Counts:
            rows = x.reshape(len(x), -1).astype(np.float64)
            return weighted_sums(weights, rows).reshape(len(weights), *x.shape[1:])

        return self._map(drawn, self)

    def at(self, i: int) -> ObjectCounts:
        """One image of a stack."""
        return ObjectCounts(self.thresholds, self.found[i], self.false[i], self.objects[i], self.images[i])

    @classmethod
    def stack(cls, images: Sequence[ObjectCounts]) -> ObjectCounts:
        """One stack of many."""
        fields = ("found", "false", "objects", "images")
        return cls(images[0].thresholds, *(np.stack([getattr(x, f) for x in images]) for f in fields))

    def _map(self, make: Callable[[Counts, Counts], Counts], other: ObjectCounts) -> ObjectCounts:
        fields = ("found", "false", "objects", "images")
        return ObjectCounts(self.thresholds, *(make(getattr(self, f), getattr(other, f)) for f in fields))


@dataclass(frozen=True, eq=False)
class ObjectScores:
    """Objects against the threshold, of one image or of many added up, by rule."""

    name: ClassVar[str] = "object_scores"

    by_rule: Mapping[Need, ObjectCounts]

    def under(self, **rule: Any) -> ObjectCounts:
        """What was counted under a rule. Raises UsageError where it was not."""
        found = self.by_rule.get(tuple(rule.items()))
        if found is None:
            said = ", ".join(f"{k}={v}" for k, v in rule.items())
            raise UsageError(f"objects were not counted with {said}; a metric asks for that when images are counted")
        return found

    def __add__(self, other: ObjectScores) -> ObjectScores:
        if self.by_rule.keys() != other.by_rule.keys():
            raise MergeError("objects that were counted under different rules do not add up")
        return ObjectScores({rule: c + other.by_rule[rule] for rule, c in self.by_rule.items()})

    def resampled(self, weights: Values) -> ObjectScores:
        """The stack whose entry b adds up this one's entries i, each `weights[b, i]` times."""
        return ObjectScores({rule: c.resampled(weights) for rule, c in self.by_rule.items()})

    @classmethod
    def stack(cls, images: Iterable[ObjectScores]) -> ObjectScores:
        """One stack of many."""
        parts = list(images)
        return cls({rule: ObjectCounts.stack([x.by_rule[rule] for x in parts]) for rule in parts[0].by_rule})

    def apart(self) -> Iterator[ObjectScores]:
        """The images of a stack."""
        for i in range(len(next(iter(self.by_rule.values())).objects)):
            yield ObjectScores({rule: c.at(i) for rule, c in self.by_rule.items()})

    def to_bytes(self) -> bytes:
        """The counts of one image."""
        return msgspec.msgpack.encode(
            [
                (rule, c.thresholds.tolist(), c.found.tolist(), c.false.tolist(), int(c.objects), int(c.images))
                for rule, c in self.by_rule.items()
            ]
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> ObjectScores:
        kind = list[tuple[tuple[tuple[str, Any], ...], list[float], list[int], list[int], int, int]]
        made: dict[Need, ObjectCounts] = {}
        for rule, thresholds, found, false, objects, images in msgspec.msgpack.decode(data, type=kind):
            at = np.array(thresholds, np.float64)
            counts = (np.array(x, np.int64) for x in (found, false, objects, images))
            made[rule] = ObjectCounts(at, *counts)
        return cls(made)


__all__ = ["ObjectCounts", "ObjectScores"]
