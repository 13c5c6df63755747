"""Texts: the names of very many files in few bytes.

A Python string takes fifty bytes beside its letters, and a path several hundred. Names of millions of files are kept
as UTF-8 in one buffer instead, and become strings when they are asked for.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np

ROWS = 4096  # that are laid out at a time, to be sorted


class Texts(Sequence[str]):
    """Strings one after the other; more can be added at the end."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("q", [0])

    def append(self, text: str) -> None:
        """Add one."""
        # Names of files may hold bytes that are no UTF-8, as lone surrogates; so encoded they keep their place.
        self._bytes += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        i = range(len(self))[at]
        return self._bytes[self._ends[i] : self._ends[i + 1]].decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))

    def ordered(self) -> Texts:
        """The same in the order of Python's strings, that of their code points, which is that of their bytes."""
        ends = np.array(self._ends)
        sizes, flat = np.diff(ends), np.frombuffer(bytes(self._bytes), np.uint8)
        table = np.zeros((len(self), max(1, int(sizes.max(initial=0)))), np.uint8)
        for start in range(0, len(self), ROWS):
            rows = slice(start, start + ROWS)
            here = np.arange(table.shape[1]) < sizes[rows, None]
            table[rows][here] = flat[ends[start] : ends[min(start + ROWS, len(self))]]
        order = np.argsort(table.view(f"S{table.shape[1]}").ravel(), kind="stable")
        made = Texts()
        for i in order.tolist():
            made._bytes += self._bytes[self._ends[i] : self._ends[i + 1]]
            made._ends.append(len(made._bytes))
        return made
