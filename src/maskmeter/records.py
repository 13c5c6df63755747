"""Records: what is kept of each image once its pixels are dropped.

A record is the image's name, its statistics as bytes, and where it came from. Records are kept in
memory (`Memory`) or in a run's store (`store.Store`); both answer the same few questions, and always
in the order of the names, so that nothing downstream depends on the order of arrival.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

from .errors import MergeError, printable


class Additive(Protocol):
    """A statistic that is added up as it arrives."""

    def __add__(self, other: Any) -> Self: ...
    def to_bytes(self) -> bytes: ...
    @classmethod
    def from_bytes(cls, data: bytes) -> Self: ...


@dataclass(frozen=True)
class Record:
    """One image: its statistics by name, and where they came from.

    pooled      statistics too large to keep by image: added to those of the images before, and dropped
    shape       of the arrays
    gt, pred    the files, None for arrays and for a prediction that is missing
    region      the file of the pixels that count, where there is one
    digests     of the files' bytes, ground truth and prediction
    region_digest  of the bytes of that file
    spacing     of neighbouring pixels along each axis in millimetres, where it is known
    notes       what a reader should be told about the files
    """

    name: str
    statistics: Mapping[str, bytes]
    shape: tuple[int, ...] = ()
    gt: str | None = None
    pred: str | None = None
    region: str | None = None
    digests: tuple[str | None, str | None] = (None, None)
    notes: tuple[str, ...] = ()
    region_digest: str | None = None
    pooled: Mapping[str, Additive] = field(default_factory=dict[str, Additive])
    spacing: tuple[float, ...] | None = None


class Records(Protocol):
    """Records by name, read back in the order of the names."""

    def add(self, records: Iterable[Record]) -> None: ...
    def __len__(self) -> int: ...
    def __contains__(self, name: object) -> bool: ...
    def names(self) -> Sequence[str]: ...
    def __getitem__(self, name: str) -> Record: ...
    def blocks(self, statistic: str, size: int) -> Iterator[tuple[list[str], list[bytes]]]: ...
    def notes(self) -> Iterator[tuple[str, ...]]: ...
    def pooled(self, statistic: str) -> bytes | None: ...
    def having(self, statistic: str) -> int: ...
    def spacings(self) -> set[tuple[float, ...]]: ...


class Memory:
    """Records in a dictionary."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._pooled: dict[str, Additive] = {}

    def add(self, records: Iterable[Record]) -> None:
        for record in records:
            if record.name in self._records:
                raise MergeError(f"image {printable(record.name)} is already here")
            if record.pooled:
                add_up(self._pooled, record.pooled)
                record = replace(record, pooled={})
            self._records[record.name] = record

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, name: object) -> bool:
        return name in self._records

    def __getitem__(self, name: str) -> Record:
        return self._records[name]

    def names(self) -> Sequence[str]:
        return sorted(self._records)

    def blocks(self, statistic: str, size: int) -> Iterator[tuple[list[str], list[bytes]]]:
        """The statistics of one kind of the images that have it, `size` images at a time."""
        names = [n for n in self.names() if statistic in self._records[n].statistics]
        for start in range(0, len(names), size):
            block = list(names[start : start + size])
            yield block, [self._records[n].statistics[statistic] for n in block]

    def notes(self) -> Iterator[tuple[str, ...]]:
        """What there is to say about the files of each image."""
        return (r.notes for r in self._records.values() if r.notes)

    def pooled(self, statistic: str) -> bytes | None:
        """The sum of a statistic that is not kept by image, as bytes; None where there is none."""
        return self._pooled[statistic].to_bytes() if statistic in self._pooled else None

    def having(self, statistic: str) -> int:
        """How many images have a statistic."""
        return sum(statistic in r.statistics for r in self._records.values())

    def spacings(self) -> set[tuple[float, ...]]:
        """The different spacings of the images, of those whose spacing is known."""
        return {r.spacing for r in self._records.values() if r.spacing}


def add_up(total: dict[str, Additive], more: Mapping[str, Additive]) -> None:
    """Add statistics to those of the same names."""
    for name, statistic in more.items():
        total[name] = total[name] + statistic if name in total else statistic
