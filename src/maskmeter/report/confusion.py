"""Which class was taken for which: the matrix as a heat map, and its largest entries in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..statistics.confusion import Confusion
from . import words
from .figure import Figure, Run
from .findings import Findings, Kind
from .page import fill

MOST = 36  # classes in the matrix; of more, those with the most errors
LISTED = 12
STEPS = 10  # of the heat
INKS = {True: (90, 166, 218), False: (234, 139, 51)}  # of the diagonal, and of errors


class Mistake(NamedTuple):
    """Pixels of one class (place in the counts) that were taken for another, or for none (-1)."""

    truth: int
    taken: int
    pixels: int
    share: float  # of the pixels of `truth`


@dataclass(frozen=True)
class Matrix:
    """The part of the matrix that is shown: names along both sides, pixels in between."""

    rows: list[str]
    columns: list[str]
    pixels: NDArray[np.int64]
    left_over: int  # classes that are summed up in the last row and column

    def lines(self) -> list[tuple[str, list[tuple[int, float, int, bool]]]]:
        """Every row with its cells: pixels, share of the row, heat, whether it is the diagonal."""
        out: list[tuple[str, list[tuple[int, float, int, bool]]]] = []
        for i, row in enumerate(self.pixels.tolist()):
            whole = sum(row)
            shares = [n / whole if whole else float("nan") for n in row]
            cells = [(n, s, heat(s), i == j) for j, (n, s) in enumerate(zip(row, shares, strict=True))]
            out.append((self.rows[i], cells))
        return out


def render(found: Findings) -> str | None:
    """The section, absent without two classes to confuse."""
    if not confusable(found):
        return None
    c = found.pooled
    matrix = shown_part(c, found.kinds)
    return fill(
        "confusion.html",
        matrix=matrix,
        lines=matrix.lines(),
        size="large" if len(matrix.rows) > 24 else "medium" if len(matrix.rows) > 13 else "small",
        few=len(matrix.columns) < 4,
        mistakes=[(found.kinds[m.truth], found.kinds[m.taken], m) for m in mistakes(c, LISTED)],
        classes=len(found.kinds),
        threshold=found.evaluation.facts.threshold if found.curves else None,
        steps=STEPS,
    )


def confusable(found: Findings) -> bool:
    """Whether there are pixels of two classes to confuse."""
    return found.regions and found.pooled.counts is not None and len(found.kinds) > 1 and bool(found.pooled.pixels)


def figures(runs: Sequence[Run]) -> list[Figure]:
    """The matrix of each run as a heat map, with the whole of it as a table."""
    return [_figure(r) for r in runs if r.found.regions and len(r.found.kinds) > 1 and r.found.pooled.pixels]


def _figure(run: Run) -> Figure:
    c, kinds = run.found.pooled, run.found.kinds
    assert c.counts is not None
    title = "Confusion matrix: percent of the ground truth (row) by prediction (column)"
    name = f"confusion-{'ab'[run.number]}" if run.label else "confusion"
    names = [k.name for k in kinds]
    table: dict[str, list[Any]] = {"ground truth": names}
    table |= {f"predicted {n}": c.counts[:, at].tolist() for at, n in enumerate(names)}
    table["predicted nothing"] = (c.gt - c.counts.sum(axis=1)).tolist()
    return Figure(name, HeatMap(run.called(title) if run.label else title, shown_part(c, kinds)), table)


@dataclass(frozen=True)
class HeatMap:
    """The matrix as a file."""

    title: str
    matrix: Matrix
    unit: str = "pixels"

    def standalone(self) -> str:
        side = 44 if len(self.matrix.rows) <= 13 else 30 if len(self.matrix.rows) <= 24 else 18
        longest = max(len(words.name(n, 24)) for n in (*self.matrix.rows, *self.matrix.columns))
        return fill(
            "heatmap.svg",
            title=self.title,
            unit=self.unit,
            lines=self.matrix.lines(),
            columns=self.matrix.columns,
            side=side,
            margin=30 + 6.8 * longest,
            colors={kind: [_mixed(step, color) for step in range(STEPS + 1)] for kind, color in INKS.items()},
            steps=STEPS,
        )


def _mixed(step: int, color: tuple[int, int, int]) -> str:
    """White mixed with a colour."""
    r, g, b = (round(255 + (x - 255) * step / STEPS) for x in color)
    return words.colour((r, g, b))


def mistakes(c: Confusion, most: int) -> list[Mistake]:
    """The largest confusions, by pixels."""
    if c.counts is None:
        return []
    table = np.column_stack([c.counts, c.gt - c.counts.sum(axis=1)])
    k = c.classes.size
    table[np.arange(k), np.arange(k)] = 0
    order = np.argsort(-table, axis=None, kind="stable")[:most]
    found = [(int(at // (k + 1)), int(at % (k + 1))) for at in order]
    return [
        Mistake(i, j if j < k else -1, int(table[i, j]), float(table[i, j] / c.gt[i])) for i, j in found if table[i, j]
    ]


def shown_part(c: Confusion, kinds: list[Kind]) -> Matrix:
    """All classes, or those with the most errors and the rest summed up; a last column for pixels given no class."""
    assert c.counts is not None
    k = c.classes.size
    wrong = c.fp + c.fn
    kept = np.sort(np.argsort(-wrong, kind="stable")[: MOST if k > MOST else k])
    rest = np.setdiff1d(np.arange(k), kept)
    groups = [np.array([at]) for at in kept.tolist()] + ([rest] if rest.size else [])
    pixels = np.array([[int(c.counts[np.ix_(a, b)].sum()) for b in groups] for a in groups], np.int64)
    names = [kinds[at].name for at in kept.tolist()] + ([f"{rest.size} other classes"] if rest.size else [])
    columns = list(names)
    if c.unassigned:
        lost = c.gt - c.counts.sum(axis=1)
        pixels = np.column_stack([pixels, [int(lost[a].sum()) for a in groups]])
        columns.append("no class")
    return Matrix(names, columns, pixels, int(rest.size))


def heat(share: float) -> int:
    """The step of the heat for a share, finer where shares are small."""
    return 0 if not share > 0 else min(STEPS, 1 + int(share**0.5 * STEPS))
