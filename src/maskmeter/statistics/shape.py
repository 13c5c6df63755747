"""What a statistic of shapes is: measured class by class while the pixels are there, kept as bytes by class.

See `maskmeter.shapes`, which asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..masks import Spacing
from .units import Units

Need = tuple[tuple[str, Any], ...]
"""What a metric says that its statistic must know when it is counted: names with values, in a fixed order."""

Needs = Mapping[str, tuple[Need, ...]]
"""The statistics that are asked for, each with the different needs of the metrics over it."""

Entries = Mapping[int, bytes]
"""What is kept of one image: bytes by class."""


@dataclass(frozen=True)
class Maps:
    """The figures of one image: pixels whose label is one of `classes`. Any other label belongs to none.

    gt, pred  label maps of one shape; a volume of one slice comes as a plane
    classes   what is to be measured, ascending
    counted   where given, the pixels that count
    spacing   millimetres per step along each axis; None where nobody said: the unit is the pixel
    """

    gt: NDArray[Any]
    pred: NDArray[Any]
    classes: tuple[int, ...]
    counted: NDArray[np.bool_] | None = None
    spacing: Spacing | None = None


class Classes(NamedTuple):
    """The classes of a statistic: their ids, which take part in means over classes, whether they are 0 and 1 alone."""

    ids: NDArray[np.int64]
    averaged: NDArray[np.bool_]
    binary: bool


class Shape(Protocol):
    """A statistic of shapes."""

    name: ClassVar[str]

    @classmethod
    def measure(cls, maps: Maps, needs: Sequence[Need]) -> dict[int, bytes]:
        """The entry of every class of the maps that occurs on either side; a class without pixels has none."""
        ...

    @classmethod
    def stack(cls, images: Sequence[Entries], classes: Classes) -> Any:
        """The statistics of some images, with a leading axis of images: what a metric answers (images, K) for."""
        ...

    @classmethod
    def pool(cls, blocks: Iterable[Sequence[Entries]], classes: Classes) -> Any:
        """The statistic of all images together, which come a block at a time."""
        ...

    @classmethod
    def sampler(cls, units: Units, pooled: Any, stacks: Iterable[Any]) -> Any:
        """What resamples of the images are drawn from."""
        ...
