"""Units of resampling: what the bootstrap draws. An image is one by itself, or all images of a group are one.

Beyond 4,096 units, unit u goes into bundle u modulo 4096, which is drawn whole: for independent units the width of
an interval is the same, and time and memory stop growing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

MOST = 4096


@dataclass(frozen=True, eq=False)
class Units:
    """To each image, in the order of the images, the number of the unit that it is drawn with.

    of      (images,) numbers from 0 to `count` - 1
    groups  how many there are before they are bundled
    """

    of: Ints
    count: int
    groups: int

    @classmethod
    def single(cls, images: int) -> Units:
        """Each image by itself."""
        return cls._bundled(np.arange(images), images)

    @classmethod
    def grouped(cls, groups: Sequence[str]) -> Units:
        """Images with the same word in one unit; units are numbered by their words.

        >>> Units.grouped(["b", "a", "b"]).of.tolist()
        [1, 0, 1]
        """
        names, of = np.unique(np.array(groups, object), return_inverse=True)
        return cls._bundled(of.astype(np.int64), names.size)

    @classmethod
    def _bundled(cls, of: Ints, groups: int) -> Units:
        return cls(of % MOST if groups > MOST else of, min(groups, MOST), groups)

    @property
    def images(self) -> int:
        """How many images there are."""
        return self.of.size

    @property
    def apart(self) -> bool:
        """Whether each image is a unit, in their order."""
        return self.count == self.images and np.array_equal(self.of, np.arange(self.count))

    @property
    def largest(self) -> int:
        """The images of the largest unit."""
        return int(np.bincount(self.of, minlength=1).max()) if self.images else 0

    def block(self, start: int, size: int) -> Ints:
        """The units of some images that follow one another."""
        return self.of[start : start + size]

    def summed(self, x: NDArray[Any], start: int = 0) -> NDArray[Any]:
        """The rows of `x`, of the images from number `start` on, added up by unit."""
        if len(x) == self.count and self.apart:
            return x
        out = np.zeros((self.count, *x.shape[1:]), x.dtype)
        np.add.at(out, self.block(start, len(x)), x)
        return out


__all__ = ["MOST", "Units"]
