"""Sending: what was counted as bytes, from one process to another. MessagePack; both ends have the same version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec

from ._version import __version__
from .errors import MergeError
from .records import Additive, Memory, Record, Records

F = TypeVar("F")


class _Image(NamedTuple):
    """A record without its sums."""

    name: str
    statistics: dict[str, bytes]
    shape: tuple[int, ...]
    gt: str | None
    pred: str | None
    region: str | None
    digests: tuple[str | None, str | None]
    notes: tuple[str, ...]
    region_digest: str | None
    spacing: tuple[float, ...] | None


class _Letter(NamedTuple):
    version: str
    facts: Any
    metrics: list[str]
    images: list[_Image]
    sums: dict[str, bytes]


def packed(facts: Any, metrics: list[str], records: Records, sums: Iterable[str]) -> bytes:
    """Facts, metrics and all records with their sums."""
    found = (records[name] for name in records.names())
    images = [
        _Image(
            r.name, dict(r.statistics), r.shape, r.gt, r.pred, r.region, r.digests, r.notes, r.region_digest, r.spacing
        )
        for r in found
    ]
    kept = {name: total for name in sums if (total := records.pooled(name)) is not None}
    return msgspec.msgpack.encode(_Letter(__version__, msgspec.to_builtins(facts), metrics, images, kept))


def unpacked(
    data: bytes, kind: type[F], made_by: Mapping[str, Callable[[bytes], Additive]]
) -> tuple[F, list[str], Records]:
    """What `packed` packed. Raises MergeError for bytes that it did not, or that another version packed."""
    try:
        version, facts, metrics, images, sums = msgspec.msgpack.decode(data, type=_Letter)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MergeError(f"these bytes are no evaluation ({error})") from None
    if version != __version__:
        raise MergeError(f"these bytes are an evaluation of maskmeter {version}, this is {__version__}")
    records = Memory()
    pooled = {name: made_by[name](total) for name, total in sums.items()}
    for i, image in enumerate(images):
        fields = image._asdict()
        records.add([Record(**fields, pooled=pooled if i == 0 else {})])
    return msgspec.convert(facts, kind), metrics, records
