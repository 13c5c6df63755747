"""Surfaces and bands of many images, as an evaluation keeps them: one statistic for each thing that metrics ask for.

Metrics ask for different measurements of one image (a surface model, the width of a band), so what is kept of a class
is one statistic for each *need*. What is read is a `Measured`: of one image after the other, or of all together.
Distances keep all their digits; where weights are all one they are left out.

Where one side of an image is empty its distances are infinite. Metrics say so for that image; in means and in pooled
values the diagonal of the image stands for them (`finite`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..masks import LabelMap
from .bands import Bands, bands
from .shape import Classes, Entries, Maps, Need
from .surface import Directed, Surface, surface, together
from .units import Units

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Image = Mapping[int, Mapping[Need, Any]]


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured under each need, of the images in order (`stacked`) or of all together.

    kind     what makes one statistic of several images
    classes  (K,) those that have a value; `averaged` ones are in means over classes
    images   by class and need what was measured of each
    """

    kind: type[Measuring]
    classes: Ints
    averaged: NDArray[np.bool_]
    binary: bool
    images: tuple[Image, ...]
    stacked: bool

    def read(self, need: Need, formula: Callable[[Any], Floats]) -> Floats:
        """The formula's values, (images, K) where stacked, else (K,); infinite where one side of an image is empty."""
        groups = [[image] for image in self.images] if self.stacked else [list(self.images)]
        values = [formula(self.kind.joined(need, group, self.classes)) for group in groups]
        return np.reshape(values, (len(groups), self.classes.size)) if self.stacked else values[0]

    def finite(self, need: Need, formula: Callable[[Any], Floats]) -> Floats:
        """The same with the diagonals of the images for infinite distances."""
        values = self.read(need, formula)
        if not np.isinf(values).any():
            return values
        return np.where(np.isinf(values), self.read(need, lambda s: _ended(s, formula)), values)


class Measuring(ABC):
    """What surfaces and bands have in common as statistics of shapes."""

    name: ClassVar[str]

    @classmethod
    def measure(cls, maps: Maps, needs: Sequence[Need]) -> dict[int, bytes]:
        """The entry of every class that occurs on either side: what is kept of it under each need."""
        found: dict[int, list[tuple[Need, Any]]] = {}
        gt = LabelMap(maps.gt, counted=maps.counted, spacing=maps.spacing)
        for need in dict.fromkeys(needs):
            for k, packed in cls.of_classes(gt, LabelMap(maps.pred), frozenset(maps.classes), dict(need)):
                found.setdefault(k, []).append((need, packed))
        return {k: msgspec.msgpack.encode(entry) for k, entry in found.items()}

    @classmethod
    def stack(cls, images: Sequence[Entries], classes: Classes) -> Measured:
        """The images one by one."""
        return Measured(cls, *_own(classes), classes.binary, tuple(map(_unpacked, images)), True)

    @classmethod
    def pool(cls, blocks: Iterable[Sequence[Entries]], classes: Classes) -> Measured:
        """All images together."""
        images = tuple(_unpacked(image) for block in blocks for image in block)
        return Measured(cls, *_own(classes), classes.binary, images, False)

    @classmethod
    def sampler(cls, units: Units, pooled: Measured, stacks: Iterable[Measured]) -> Any:
        """Their pooled values have no interval: nothing is drawn."""
        return _Nothing()

    @classmethod
    @abstractmethod
    def of_classes(
        cls, gt: LabelMap, pred: LabelMap, classes: frozenset[int], asked: dict[str, Any]
    ) -> Iterator[tuple[int, Any]]:
        """What is kept of each class."""
        ...

    @classmethod
    @abstractmethod
    def joined(cls, need: Need, images: Sequence[Image], classes: Ints) -> Any:
        """The statistic of all images together."""
        ...


class _Nothing:
    def resampled(self, weights: Floats) -> None:
        return None


class Surfaces(Measuring):
    """Distances between surfaces."""

    name = Surface.name

    @classmethod
    def of_classes(
        cls, gt: LabelMap, pred: LabelMap, classes: frozenset[int], asked: dict[str, Any]
    ) -> Iterator[tuple[int, Any]]:
        """Both directions of each class, and the diagonal of the image."""
        s = surface(gt, pred, only=classes, **asked)
        for k, g, p in zip(s.classes.tolist(), s.gt, s.pred, strict=True):
            yield k, [s.diagonal, *map(_packed, (g, p))]

    @classmethod
    def joined(cls, need: Need, images: Sequence[Image], classes: Ints) -> Surface:
        """The distances of all images, ascending."""
        found = [[kept for i in images if (kept := i.get(k, {}).get(need))] for k in classes.tolist()]
        gt, pred = (tuple(together([_directed(x[side]) for x in kept]) for kept in found) for side in (1, 2))
        diagonal = max((x[0] for kept in found for x in kept), default=0.0)
        asked = dict(need)
        return Surface(classes, gt, pred, diagonal, str(asked["model"]), asked.get("edge") == "open")


class BandsOfMany(Measuring):
    """Pixels of bands along boundaries."""

    name = Bands.name

    @classmethod
    def of_classes(
        cls, gt: LabelMap, pred: LabelMap, classes: frozenset[int], asked: dict[str, Any]
    ) -> Iterator[tuple[int, Any]]:
        """Shared pixels of each class, and those of either."""
        b = bands(gt, pred, only=classes, **asked)
        for k, shared, either in zip(b.classes.tolist(), b.shared.tolist(), b.either.tolist(), strict=True):
            yield k, [shared, either]

    @classmethod
    def joined(cls, need: Need, images: Sequence[Image], classes: Ints) -> Bands:
        """The sums over all images."""
        found = [[i.get(k, {}).get(need, (0, 0)) for i in images] for k in classes.tolist()]
        shared, either = (np.array([sum(x[c] for x in kept) for kept in found], np.int64) for c in (0, 1))
        return Bands(classes, shared, either, repr(need))


def _ended(s: Any, formula: Callable[[Any], Floats]) -> Floats:
    """The values with diagonals for infinite distances; where one side has no surface in any image, the diagonal."""
    values = formula(s.finite())
    return np.where(np.isinf(values), s.diagonal, values)


def _own(classes: Classes) -> tuple[Ints, NDArray[np.bool_]]:
    """The classes that have a value: of a binary question the foreground alone."""
    kept = classes.ids == 1 if classes.binary else np.ones(classes.ids.size, bool)
    return classes.ids[kept], classes.averaged[kept]


def _unpacked(image: Entries) -> Image:
    """By class and need what was kept."""
    return {
        k: {tuple((name, value) for name, value in need): kept for need, kept in msgspec.msgpack.decode(entry)}
        for k, entry in image.items()
    }


def _packed(d: Directed) -> list[Any]:
    unit = b"" if (d.unit == 1).all() else d.unit.tobytes()
    count = b"" if (d.count == 1).all() else d.count.tobytes()
    return [d.distance.tobytes(), unit, count, d.farthest, d.edge, d.missed.ravel().tolist()]


def _directed(packed: Sequence[Any]) -> Directed:
    distance, unit = (np.frombuffer(x, np.float64) for x in packed[:2])
    count = np.frombuffer(packed[2], np.int64)
    unit = unit if unit.size else np.ones(distance.size)
    count = count if count.size else np.ones(distance.size, np.int64)
    return Directed(distance, unit, count, packed[3], packed[4], np.reshape(packed[5], (-1, 2)))
