"""The pictures of the page as files: each as SVG and PNG, fit for a paper, and the data behind it as CSV.

The page draws the same plots. Tables hold every point that there is, the plots those that can be seen.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError, printable
from ..evaluation import Evaluation
from ..results import harmless, write_whole
from . import (
    boundaries,
    calibration,
    class_curves,
    confusion,
    curves,
    detection_confusion,
    detection_errors,
    detections,
    object_curves,
    objects,
    spread,
    threshold,
)  # fmt: skip
from .figure import Figure, Run
from .findings import Findings
from .raster import png_of
from .versus import named_runs

FIGURES: tuple[Callable[[Sequence[Run]], list[Figure]], ...] = (
    curves.figures,
    class_curves.figures,
    threshold.figures,
    object_curves.figures,
    calibration.figures,
    detections.figures,
    detection_errors.figures,
    detection_confusion.figures,
    objects.figures,
    confusion.figures,
    boundaries.figures,
    spread.figures,
)


def write_figures(
    evaluation: Evaluation, folder: str | os.PathLike[str], versus: Evaluation | None = None
) -> list[Path]:
    """Write every picture of the evaluation as SVG and PNG and its data as CSV; returns the files.

    With `versus` the curves of both evaluations lie in one picture, and pictures that show one alone are
    written for each, under names that end in -a and -b. Raises UsageError where the folder cannot be written.
    """
    home, written = Path(folder), list[Path]()
    try:
        home.mkdir(parents=True, exist_ok=True)
        for figure in figures(evaluation, versus):
            drawn = figure.drawing.standalone()
            for suffix, content in ((".svg", drawn), (".png", png_of(drawn)), (".csv", as_csv(figure.table))):
                path = home / f"{figure.name}{suffix}"
                write_whole(path, content)
                written.append(path)
    except OSError as error:
        raise UsageError(f"cannot write into {printable(str(home))}: {error.strerror}") from None
    return written


def figures(evaluation: Evaluation, versus: Evaluation | None = None) -> list[Figure]:
    """Every picture of an evaluation, or of two."""
    runs = named_runs(Findings(evaluation, versus))
    return [figure for made in FIGURES for figure in made(runs)]


def as_csv(table: Mapping[str, Any]) -> str:
    """A table with every digit; undefined is an empty cell, and a shorter column ends before the others."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([harmless(name) for name in table])
    columns = [np.asarray(column).tolist() for column in table.values()]
    writer.writerows([_cell(v) for v in row] for row in zip_longest(*columns, fillvalue=""))
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else int(value) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return harmless(value) if isinstance(value, str) else value
