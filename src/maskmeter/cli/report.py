"""`maskmeter report RUN`."""

from __future__ import annotations

from pathlib import Path

import click

from . import say


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="FILE", help="By default RUN/report.html.")
@click.option("--images", type=click.Path(path_type=Path), metavar="DIR", help="Photographs, for a run made without.")
@click.option("--figures", type=click.Path(path_type=Path), metavar="DIR", help="Save the pictures as SVG and CSV.")
@click.option("--versus", type=click.Path(path_type=Path), metavar="RUN", help="Draw another run into the figures.")
def command(run: Path, out: Path | None, images: Path | None, figures: Path | None, versus: Path | None) -> None:
    """Write the run RUN as one self-contained HTML page; with --figures the pictures for a paper besides."""
    from ..errors import UsageError
    from ..report import write_figures, write_report
    from ..run import open_run

    if versus is not None and figures is None:
        raise UsageError("--versus goes with --figures DIR")
    evaluation = open_run(run)
    if images is not None:
        evaluation.photographs = str(images)
    path = out or run / "report.html"
    write_report(evaluation, path)
    say(f"report: {path}")
    if figures is not None:
        written = write_figures(evaluation, figures, None if versus is None else open_run(versus))
        say(f"figures: {len(written)} files in {figures}")
