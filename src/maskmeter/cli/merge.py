"""`maskmeter merge RUN... -o RUN`."""

from __future__ import annotations

from pathlib import Path

import click

from . import say
from .tables import summary


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), metavar="RUN", help="The merged run.")
@click.option("--no-report", is_flag=True, help="Write no report.html.")
def command(runs: tuple[Path, ...], out: Path, no_report: bool) -> None:
    """Make one run of the shards RUN... of `maskmeter evaluate --shard I/N`, or of runs of different images."""
    from ..merging import merge

    done = merge(runs, out)
    if not no_report:
        from ..report import write_report

        write_report(done, out / "report.html")
    click.echo(summary(done))
    for notice in done.notices:
        say(notice, "note")
    if not no_report:
        say(str(out / "report.html"), "report")
