"""`maskmeter gate RUN --require CONDITION`."""

from __future__ import annotations

from pathlib import Path

import click

from ..comparison import compare
from ..errors import UsageError, printable
from ..gates import as_junit, no_worse, require
from ..results import write_whole
from ..rows import as_markdown
from .tables import text_table


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--require", "conditions", multiple=True, metavar="CONDITION", help='As in "mean_iou>=0.75".')
@click.option("--baseline", type=click.Path(path_type=Path), metavar="RUN", help="The run to compare with.")
@click.option("--no-worse", "kept", multiple=True, metavar="METRIC", help="No clear loss against the baseline.")
@click.option("--junit", type=click.Path(path_type=Path), metavar="FILE", help="Write JUnit XML as well.")
@click.option("--format", "form", type=click.Choice(["table", "md"]), default="table", show_default=True)
def command(
    run: Path, conditions: tuple[str, ...], baseline: Path | None, kept: tuple[str, ...], junit: Path | None, form: str
) -> None:
    """Check conditions on RUN: exit code 0 where all hold, 1 where one fails.

    Conditions: mean_iou>=0.75, iou[car]@images>=0.8, low(mean_iou)>=0.7. A value that is undefined fails.
    """
    from ..run import open_run

    if not conditions and not kept:
        raise UsageError("gate needs --require CONDITION, or --baseline RUN and --no-worse METRIC")
    if bool(kept) != (baseline is not None):
        raise UsageError("--baseline and --no-worse go together")
    evaluation = open_run(run)
    outcomes = [require(evaluation, c) for c in conditions]
    if baseline is not None:
        compared = compare(open_run(baseline), evaluation)
        outcomes += [no_worse(compared, metric) for metric in kept]
    lines = [[printable(o.condition), "pass" if o.passed else "FAIL", printable(o.said)] for o in outcomes]
    header = ["condition", "", "found"]
    click.echo(
        as_markdown(header, lines) if form == "md" else text_table(header, lines, (0, 1, 2), 100), nl=form != "md"
    )
    if junit is not None:
        write_whole(junit, as_junit(outcomes))
    if not all(o.passed for o in outcomes):
        raise click.exceptions.Exit(1)
