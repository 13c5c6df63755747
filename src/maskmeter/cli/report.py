"""`maskmeter report RUN`."""

from __future__ import annotations

from pathlib import Path

import click

from . import say


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="FILE", help="By default RUN/report.html.")
@click.option("--images", type=click.Path(path_type=Path), metavar="DIR", help="Photographs, for a run made without.")
@click.option(
    "--figures", type=click.Path(path_type=Path), metavar="DIR", help="Save the pictures as SVG, PNG and CSV."
)
@click.option(
    "--versus", type=click.Path(path_type=Path), metavar="RUN", help="Draw the curves of another run beside these."
)
def command(run: Path, out: Path | None, images: Path | None, figures: Path | None, versus: Path | None) -> None:
    """Write the run RUN as one self-contained HTML page; with --figures the pictures for a paper besides."""
    from ..report import write_figures, write_report
    from ..run import open_run

    evaluation, other = open_run(run), None if versus is None else open_run(versus)
    if images is not None:
        evaluation.photographs = str(images)
    path = out or run / "report.html"
    write_report(evaluation, path, other)
    say(f"report: {path}")
    if figures is not None:
        written = write_figures(evaluation, figures, other)
        say(f"figures: {len(written)} files in {figures}")
