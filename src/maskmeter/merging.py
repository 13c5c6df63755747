"""Merging: shards of one run, or runs of different images, into one run. Only what was counted adds up.

Shards were given the same command but for `--shard I/N`; all N have to be there, finished, and alike in
everything that decides a number: version, conventions, labels, metrics, pairs. The result has the same bytes as
the run that was not sharded. Runs of other folders add up where their images have other names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from .concluding import Asked, clear, conclude, write
from .errors import DataError, MergeError, UsageError, printable
from .evaluation import Evaluation
from .labels import LabelSet
from .statistics.by_class import SUMS
from .store import FILE, Store

PLACES = ("gt", "pred", "pairs", "mask")  # where the files lie, which may differ between runs of different images


class Part(NamedTuple):
    """A run to be merged."""

    folder: Path
    store: Store
    asked: Asked


def merge(runs: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> Evaluation:
    """One run of several, in the folder `out`. Raises MergeError where they do not go together."""
    target = Path(out)
    parts = [_part(Path(run)) for run in runs]
    if not parts:
        raise UsageError("there is nothing to merge; give the folders of the shards")
    for p in parts:
        if p.folder.resolve() == target.resolve():
            raise UsageError(f"{printable(str(out))} is one of the runs to merge; -o needs a folder of its own")
    _check_alike(parts)
    _check_shards(parts)
    try:
        clear(target)
        store = Store.create(target)
    except OSError as error:
        raise UsageError(f"cannot write into {printable(str(out))}: {error.strerror}") from None
    for p in parts:
        store.absorb(p.store, SUMS)
    asked = _together([p.asked for p in parts])
    asked.write(store)
    store.write_facts(counted=True)
    made = conclude(asked, store)
    write(target, store, made)
    return made


def _part(folder: Path) -> Part:
    store = Store.open(folder)
    asked = Asked.read(store)
    if asked is None or not store.facts().get("counted"):
        raise DataError("is not finished; the same command with --resume goes on from where it stopped", folder)
    return Part(folder.parent if folder.name == FILE else folder, store, asked)


def _check_alike(parts: Sequence[Part]) -> None:
    first, *others = parts
    for p in others:
        for what, a, b in _differences(first, p):
            raise MergeError(f"{what} is {a} in {first.folder} and {b} in {p.folder}; only like runs add up")


def _differences(a: Part, b: Part) -> Iterator[tuple[str, str, str]]:
    """What differs between two runs that must not."""
    versions = [p.store.facts().get("maskmeter") for p in (a, b)]
    if versions[0] != versions[1]:
        yield "the version of maskmeter", str(versions[0]), str(versions[1])
    x, y = a.asked, b.asked
    whole = x.shard is None and y.shard is None
    for name in x.question.__dataclass_fields__:
        left, right = getattr(x.question, name), getattr(y.question, name)
        if left != right and not (whole and name in PLACES):
            yield name, _said(left), _said(right)
    for name in ("metrics", "segmented", "labels", *(() if whole else ("pairs", "missing", "extra"))):
        left, right = getattr(x, name), getattr(y, name)
        if left != right:
            yield name, _said(left), _said(right)
    how = [replace(z.resampling, groups={}) if whole else z.resampling for z in (x, y)]
    if how[0] != how[1]:
        one, other = (f"{h.said}{f' by {h.by}' if h.by else ''}" for h in how)
        yield "the way intervals are made", one, other


def _said(value: Any) -> str:
    if isinstance(value, LabelSet):
        return f"a set of {len(value.classes)} classes ({value.digest})"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else repr(value)


def _check_shards(parts: Sequence[Part]) -> None:
    """All shards of one run, each once; or no shards at all."""
    shards = [p.asked.shard for p in parts]
    if all(s is None for s in shards):
        return
    seen: dict[int, Part] = {}
    of = next(s[1] for s in shards if s)
    for p in parts:
        if p.asked.shard is None:
            raise MergeError(f"{p.folder} is a whole run, and the others are shards")
        i, n = p.asked.shard
        if n != of:
            raise MergeError(f"{p.folder} is a shard of {n}, the others of {of}")
        if i in seen:
            raise MergeError(f"{p.folder} and {seen[i].folder} are both shard {i}/{n}")
        seen[i] = p
    if lacking := [f"{i}/{of}" for i in range(1, of + 1) if i not in seen]:
        raise MergeError(f"shard {', '.join(lacking)} is missing; a part of the images would give other numbers")


def _together(asked: Sequence[Asked]) -> Asked:
    """What the merged run was asked."""
    first = asked[0]
    if first.shard is not None:
        return replace(first, shard=None)

    def places(name: str) -> str | None:
        found = dict.fromkeys(getattr(a.question, name) for a in asked)
        return " + ".join(str(x) for x in found if x is not None) or None

    question = replace(first.question, **{name: places(name) for name in PLACES})
    missing, extra = (tuple(sorted(n for a in asked for n in getattr(a, of))) for of in ("missing", "extra"))
    groups = {name: group for a in asked for name, group in a.resampling.groups.items()}
    drawn = replace(first.resampling, groups=groups)
    return replace(
        first, question=question, resampling=drawn, pairs=sum(a.pairs for a in asked), missing=missing, extra=extra
    )
