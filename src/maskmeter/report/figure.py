"""A figure: a plot under a name, with the table of all the points behind it. Sections make them of one run or two."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from . import words
from .findings import Findings

FIRST, SECOND = ("c1", "c2"), ("faint", "faint2")  # the styles of two runs: lines, and single images


class Drawing(Protocol):
    """Anything that can be drawn as a file."""

    def standalone(self) -> str: ...


@dataclass(frozen=True)
class Figure:
    """A picture, and its data: columns by name, lists or arrays."""

    name: str
    drawing: Drawing
    table: Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """An evaluation as it is called in a picture; `number` is 0, or 1 for a second one."""

    found: Findings
    label: str = ""
    number: int = 0

    @property
    def style(self) -> str:
        return FIRST[self.number]

    @property
    def faint(self) -> str:
        return SECOND[self.number]

    def called(self, what: str) -> str:
        """An entry of a key."""
        return f"{self.label}: {what}" if self.label else what

    def columns(self, **table: Any) -> dict[str, Any]:
        """Columns of a table, told apart by the run where there are two."""
        return {f"{'ab'[self.number]} {k}" if self.label else k: v for k, v in table.items()}


def last_part(path: str) -> str:
    """The last part of a path, as a name for a run."""
    return words.name(re.split(r"[/\\]", path.rstrip("/\\"))[-1])
