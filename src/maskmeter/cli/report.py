"""`maskmeter report RUN`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from ..errors import UsageError
from . import say


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="FILE", help="By default RUN/report.html.")
@click.option("--images", type=click.Path(path_type=Path), metavar="DIR", help="Photographs, for a run made without.")
@click.option(
    "--figures", type=click.Path(path_type=Path), metavar="DIR", help="Save the pictures as SVG, PNG and CSV."
)
@click.option(
    "--objects",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Instead of the page, a CSV of all objects: size, box, best IoU, partner, and whether matched, missed, "
    "hallucinated, split or merged.",
)
@click.option("--iou", type=float, metavar="T", help="The IoU of --objects, by default 0.5.")
@click.option(
    "--versus", type=click.Path(path_type=Path), metavar="RUN", help="Compare with another run, side by side."
)
@click.option(
    "--by",
    "groups",
    multiple=True,
    metavar="TEMPLATE|CSV:COLUMN|size|boundary",
    help="Subgroups, as for averages; those of --group-by are shown anyway. May be repeated.",
)
@click.option(
    "--pictures",
    metavar="N|all",
    help="Pictures of the N worst images, or of all, in a folder beside the page; it holds those of some 20 itself.",
)
def command(
    run: Path, out: Path | None, images: Path | None, figures: Path | None, objects: Path | None, iou: float | None,
    versus: Path | None, groups: tuple[str, ...], pictures: str | None,
) -> None:  # fmt: skip
    """Write the run RUN as one self-contained HTML page; with --figures the pictures for a paper besides."""
    from ..report import write_figures, write_report
    from ..results import write_objects
    from ..run import open_run

    if objects is not None:
        written = write_objects(objects, open_run(run), 0.5 if iou is None else iou)
        say(f"{objects}: {written:,} objects")
        return
    if iou is not None:
        raise UsageError("--iou is that of a table of objects: give --objects FILE too")
    evaluation, other = open_run(run), None if versus is None else open_run(versus)
    if images is not None:
        evaluation.photographs = str(images)
    path = out or run / "report.html"
    write_report(evaluation, path, other, None if pictures is None else _how_many(pictures), groups)
    say(f"report: {path}")
    if figures is not None:
        written = write_figures(evaluation, figures, other)
        say(f"figures: {len(written)} files in {figures}")


def _how_many(said: str) -> int | Literal["all"]:
    if said == "all":
        return "all"
    if not said.isdecimal() or not int(said):
        raise UsageError(f"--pictures wants a number of images, or all, not {said!r}")
    return int(said)
