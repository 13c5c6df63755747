"""The result table: its rows, and the forms in which other programs take it.

A row is one number: a metric, its class where it has one, and whether it is pooled over the data set or the mean
over images. `Tabular` is what has such rows; it hands them on as data frames (pandas, Polars, Arrow), as tables for
a paper (LaTeX) or a page (Markdown, HTML in notebooks), and as a flat dictionary for trackers of experiments.
Undefined is NaN in pandas, null in Polars and Arrow, a dash in a table for people, and left out of the dictionary.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .errors import UsageError, printable

if TYPE_CHECKING:
    import pandas
    import polars

Over = Literal["pooled", "images"]
COLUMNS = ("metric", "class", "over", "value", "n", "undefined", "low", "high", "signature")
WORDS: dict[Over, str] = {"pooled": "pooled", "images": "mean over images"}
TEX = {c: rf"\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


class Row(NamedTuple):
    """One number of the result table. `class_` is None where the metric has none.

    infinite  how many images have an infinite distance, for which their diagonal stands
    doubts    why its interval is not to be trusted: "few" units, "biased", "rough" or "lost" resamples
    """

    metric: str
    class_: str | None
    over: Over
    value: float
    n: int
    undefined: int
    low: float
    high: float
    signature: str
    infinite: int = 0
    doubts: tuple[str, ...] = ()


class Grid(NamedTuple):
    """A table for people: classes by metrics, or the metrics that have no classes."""

    header: list[str]
    lines: list[list[str]]


class Tabular(ABC):
    """What has a result table.

    >>> from maskmeter import Evaluation
    >>> meter = Evaluation(["iou", "mean_iou"])
    >>> meter.update([[0, 1]], [[0, 1]], image="a"); meter.update([[0, 1]], [[0, 0]], image="b")
    >>> meter.to_dict("val/")["val/iou/1"]
    0.5
    """

    @abstractmethod
    def rows(self) -> list[Row]:
        """The whole result table."""

    def to_pandas(self) -> pandas.DataFrame:
        """The result table as a data frame, undefined as NaN (needs the extra `pandas`)."""
        return _extra("pandas").DataFrame(self._columns())

    def to_polars(self) -> polars.DataFrame:
        """The result table as a Polars data frame, undefined as null (needs the extra `polars`)."""
        pl = _extra("polars")
        whole, number, text = pl.Int64, pl.Float64, pl.String
        kinds = {"value": number, "low": number, "high": number, "n": whole, "undefined": whole, "infinite": whole}
        columns = _nulls(self._columns())
        return pl.DataFrame(columns, schema={k: kinds.get(k, text) for k in columns})

    def to_arrow(self) -> Any:
        """The result table as a `pyarrow.Table`, undefined as null (needs the extra `arrow`)."""
        pa = _extra("arrow", "pyarrow")
        whole, number, text = pa.int64(), pa.float64(), pa.string()
        kinds = {"value": number, "low": number, "high": number, "n": whole, "undefined": whole, "infinite": whole}
        columns = _nulls(self._columns())
        return pa.table(columns, schema=pa.schema([(k, kinds.get(k, text)) for k in columns]))

    def to_dict(self, prefix: str = "") -> dict[str, float]:
        """Every defined number under one name, for MLflow, Weights & Biases or TensorBoard.

        A name is the metric, then the class, then `images` for a mean over images, with slashes between:
        `iou/car`, `mean_iou/images`. `prefix` comes first. What these trackers refuse in a name becomes an
        underscore, so `object_f1(iou=0.5)` is `object_f1_iou_0.5`. Undefined numbers are left out: as 0 or NaN
        they would draw a curve that is not there.
        """
        found: dict[str, float] = {}
        for row in self.rows():
            parts = [row.metric, *([] if row.class_ is None else [row.class_]), *(["images"] * (row.over == "images"))]
            name = prefix + "/".join(re.sub(r"[^\w.\- ]+", "_", p).strip("_ ") or "_" for p in parts)
            if row.value == row.value:
                while name in found:  # two classes whose names differ in what a tracker refuses
                    name += "_"
                found[name] = row.value
        return found

    def to_markdown(self, metrics: Iterable[str] | None = None, *, over: Over = "pooled", digits: int = 4) -> str:
        """The numbers as tables in Markdown, values with their 95 % intervals.

        metrics  names as they print; all of them by default
        over     "pooled" over the data set, or the mean over "images"
        digits   behind the point
        """
        return "\n".join(as_markdown(*grid) for grid in self._grids(metrics, over, digits))

    def to_latex(self, metrics: Iterable[str] | None = None, *, over: Over = "pooled", digits: int = 3) -> str:
        r"""The numbers as LaTeX tables in the manner of `booktabs`, values with their 95 % intervals.

        metrics  names as they print; all of them by default
        over     "pooled" over the data set, or the mean over "images"
        digits   behind the point

        The document needs `\usepackage{booktabs}`. What the numbers mean stands before them as a comment.
        """
        said = f"% {WORDS[over]}, with 95 % intervals; maskmeter signatures:\n"
        shown = None if metrics is None else set(metrics)
        rows = [r for r in self.rows() if r.over == over and (shown is None or r.metric in shown)]
        alike: dict[str, dict[str, None]] = {}
        for r in rows:  # metrics of one signature but for their names share a line
            alike.setdefault(r.signature.removeprefix(f"{r.metric}|"), {})[r.metric] = None
        said += "".join(f"% {printable(', '.join(names))}: {printable(s)}\n" for s, names in alike.items())
        return said + "\n".join(_latex(grid) for grid in self._grids(metrics, over, digits))

    def _repr_html_(self) -> str:
        """The numbers as notebooks show them."""
        return "".join(
            f"<p><strong>{WORDS[over].capitalize()}</strong></p>{''.join(map(_html, self._grids(None, over, 4)))}"
            for over in WORDS
        )

    def _columns(self) -> dict[str, list[Any]]:
        rows = self.rows()
        columns = {k: [r[i] for r in rows] for i, k in enumerate(COLUMNS)}
        return columns | {"infinite": [r.infinite for r in rows], "doubts": [", ".join(r.doubts) for r in rows]}

    def _grids(self, metrics: Iterable[str] | None, over: Over, digits: int) -> list[Grid]:
        """Classes by metrics, then the metrics that have no classes."""
        rows = self.rows()
        names = list(dict.fromkeys(r.metric for r in rows))
        shown = names if metrics is None else list(metrics)
        if unknown := [m for m in shown if m not in names]:
            raise UsageError(f"{unknown[0]!r} was not evaluated; there are {', '.join(names)}")
        cells = {(r.metric, r.class_): r for r in rows if r.over == over and r.metric in shown}
        by_class = [m for m in shown if any(k == m and c is not None for k, c in cells)]
        classes = list(dict.fromkeys(c for _, c in cells if c is not None))
        grids: list[Grid] = []
        if by_class:
            lines = [[c, *(_cell(cells.get((m, c)), digits) for m in by_class)] for c in classes]
            grids.append(Grid(["class", *by_class], lines))
        if alone := [r for (_, c), r in cells.items() if c is None]:
            grids.append(Grid(["metric", WORDS[over]], [[r.metric, _cell(r, digits)] for r in alone]))
        return grids


def as_markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, numbers to the right."""
    shown = [[cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "".join("| " + " | ".join(line) + " |\n" for line in [list(header), rule, *shown])


def _cell(row: Row | None, digits: int) -> str:
    """A value and its interval; a dash where there is none."""
    if row is None or row.value != row.value:
        return "-"
    if row.low != row.low:
        return f"{row.value:.{digits}f}"
    return f"{row.value:.{digits}f} [{row.low:.{digits}f}, {row.high:.{digits}f}]"


def _latex(grid: Grid) -> str:
    def line(cells: Sequence[str]) -> str:
        return (
            " & ".join("--" if c == "-" else re.sub(r"[\\~^&%$#_{}]", lambda m: TEX[m[0]], c) for c in cells) + r" \\"
        )

    begin = r"\begin{tabular}{l" + "r" * (len(grid.header) - 1) + "}"
    rows = [line([printable(c) for c in cells]) for cells in grid.lines]
    parts = [begin, r"\toprule", line(grid.header), r"\midrule", *rows, r"\bottomrule", r"\end{tabular}", ""]
    return "\n".join(parts)


def _html(grid: Grid) -> str:
    def row(cells: Sequence[str], tag: Callable[[int], str]) -> str:
        return "<tr>" + "".join(f"<{(t := tag(i))}>{escape(printable(c))}</{t}>" for i, c in enumerate(cells)) + "</tr>"

    head = row(grid.header, lambda _: "th")
    body = "".join(row(cells, lambda i: "td" if i else "th") for cells in grid.lines)
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def _nulls(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {k: [None if isinstance(v, float) and math.isnan(v) else v for v in c] for k, c in columns.items()}


def _extra(extra: str, package: str | None = None) -> Any:
    """A package that comes with an extra, imported when it is asked for."""
    try:
        return import_module(package or extra)
    except ImportError:
        raise UsageError(f"to_{extra} needs {package or extra}: pip install 'maskmeter[{extra}]'") from None
