"""`maskmeter report RUN`."""

from __future__ import annotations

from pathlib import Path

import click

from . import say


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="FILE", help="Where to write; RUN/report.html by default."
)
@click.option(
    "--images", type=click.Path(path_type=Path), metavar="DIR", help="Photographs, where the run was made without."
)
def command(run: Path, out: Path | None, images: Path | None) -> None:
    """Write the run RUN as one self-contained HTML page."""
    from ..report import write_report
    from ..run import open_run

    evaluation = open_run(run)
    if images is not None:
        evaluation.photographs = str(images)
    path = out or run / "report.html"
    write_report(evaluation, path)
    say(f"report: {path}")
