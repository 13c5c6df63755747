"""Images that stay in their files and are read box by box, because whole they are larger than memory.

A `Pieces` is what a format answers that can do so: the facts of the image, from its header alone, and the samples of
any box. The samples of all boxes together are the array that `decode` would give.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ._raster import Raster

Box = tuple[slice, ...]


@dataclass(frozen=True, eq=False)
class Pieces:
    """An image in its file.

    shape    of its pixels, without channels of colour
    chunk    what is read in one go, along each axis; where boxes are made of whole chunks nothing is read twice
    facts    what the raster of every box says besides its array
    samples  the array of a box
    loose    the chunks can be read in part: no box needs more memory than its own samples
    """

    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    facts: Raster
    samples: Callable[[Box], NDArray[Any]]
    loose: bool = False

    @property
    def bytes_each(self) -> int:
        """Of a pixel, as it is held in memory."""
        return self.facts.array.dtype.itemsize * (3 if self.facts.rgb else 1)

    def part(self, box: Box) -> Raster:
        """The raster of a box. Raises FormatError."""
        return replace(self.facts, array=self.samples(box))

    def without(self, axis: int) -> Pieces:
        """The same image without an axis of length 1."""

        def samples(box: Box) -> NDArray[Any]:
            return self.samples((*box[:axis], slice(0, 1), *box[axis:])).squeeze(axis)

        shape, chunk = ((*x[:axis], *x[axis + 1 :]) for x in (self.shape, self.chunk))
        empty = self.facts.array.reshape((0,) * (self.facts.array.ndim - 1))
        return replace(self, shape=shape, chunk=chunk, samples=samples, facts=replace(self.facts, array=empty))

    def whole(self) -> Raster:
        """All of it. Raises FormatError."""
        return self.part(tuple(slice(0, n) for n in self.shape))


def boxes(shape: Sequence[int], chunks: Sequence[Sequence[int]], most: int) -> Iterator[Box]:
    """The image of this shape in boxes of `most` pixels at most, made of whole chunks as far as these fit.

    >>> [tuple((s.start, s.stop) for s in box) for box in boxes((4, 5), [(2, 2)], 12)]
    [((0, 2), (0, 5)), ((2, 4), (0, 5))]
    """
    size = [min(n, max(x)) for n, x in zip(shape, zip(*chunks, strict=True), strict=True)]
    while (much := math.prod(size)) > most and much > 1:
        axis = max(range(len(size)), key=size.__getitem__)
        size[axis] = -(-size[axis] // 2)
    for axis in reversed(range(len(size))):
        size[axis] = min(shape[axis], size[axis] * max(1, most // math.prod(size)))
    starts = (range(0, n, step) for n, step in zip(shape, size, strict=True))
    for at in product(*starts):
        yield tuple(slice(a, min(a + step, n)) for a, step, n in zip(at, size, shape, strict=True))


def plain_samples(path: str, start: int, dtype: np.dtype[Any], shape: tuple[int, ...], box: Box) -> NDArray[Any]:
    """A box of an array that lies in a file as it lies in memory, from byte `start` on. Raises FormatError.

    Read and not mapped: a file that somebody cuts off meanwhile is an error then, and not the end of the process.
    """
    size = [part.stop - part.start for part in box]
    out = np.empty(size, dtype)
    whole = len(shape)
    while whole and size[whole - 1] == shape[whole - 1]:
        whole -= 1
    lead = max(whole - 1, 0)  # the axes before the run of samples that lie one after the other
    steps = [math.prod(shape[k + 1 :]) for k in range(len(shape))]
    first = sum(part.start * step for part, step in zip(box, steps, strict=True))
    try:
        with open(path, "rb", buffering=0) as file:
            for at in np.ndindex(*size[:lead]):
                offset = first + sum(i * step for i, step in zip(at, steps, strict=False))
                file.seek(start + offset * dtype.itemsize)
                _fill(file, out[at].reshape(-1).view(np.uint8).data, path)
    except OSError as error:
        raise FormatError(f"cannot be read: {(error.strerror or str(error)).lower()}", path) from None
    return out.astype(dtype.newbyteorder("="), copy=False)


def _fill(file: Any, room: memoryview, path: str) -> None:
    done = 0
    while done < len(room):
        if not (n := file.readinto(room[done:])):
            raise FormatError("was cut off while it was read; try again when it is complete", path)
        done += n


def size_of(path: str | os.PathLike[str]) -> int:
    """The bytes of a file. Raises FormatError."""
    try:
        return os.stat(path).st_size
    except OSError as error:
        raise FormatError(f"cannot be read: {(error.strerror or str(error)).lower()}", path) from None
