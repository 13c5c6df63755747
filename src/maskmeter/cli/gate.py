"""`maskmeter gate RUN --require CONDITION`."""

from __future__ import annotations

from pathlib import Path

import click

from ..comparison import compare
from ..errors import UsageError, printable
from ..gates import as_junit, named, no_worse, require, summary, table
from ..results import write_whole
from ..rows import as_markdown
from .tables import text_table


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--require", "conditions", multiple=True, metavar="CONDITION", help='As in "mean_iou>=0.75".')
@click.option("--baseline", type=click.Path(path_type=Path), metavar="RUN", help="The run to compare with.")
@click.option(
    "--no-worse",
    "kept",
    multiple=True,
    metavar="METRIC",
    help="No significant loss against the baseline, as in mean_iou, iou[car] or iou[*]@images.",
)
@click.option("--junit", type=click.Path(path_type=Path), metavar="FILE", help="Write JUnit XML as well.")
@click.option(
    "--markdown", type=click.Path(path_type=Path), metavar="FILE", help="Write Markdown as well, for a comment."
)
@click.option("--format", "form", type=click.Choice(["table", "md"]), default="table", show_default=True)
def command(
    run: Path,
    conditions: tuple[str, ...],
    baseline: Path | None,
    kept: tuple[str, ...],
    junit: Path | None,
    markdown: Path | None,
    form: str,
) -> None:
    """Check conditions on RUN: exit code 0 where all hold, 1 where one fails.

    Conditions: mean_iou>=0.75, iou[car]@images>=0.8, iou[*]>0.5, low(mean_iou)>=0.7. A value that is undefined fails;
    iou[present] asks the classes that the ground truth has.
    """
    from ..run import open_run

    if not conditions and not kept:
        raise UsageError("gate needs --require CONDITION, or --baseline RUN and --no-worse METRIC")
    if bool(kept) != (baseline is not None):
        raise UsageError("--baseline and --no-worse go together")
    evaluation = open_run(run)
    outcomes = [o for c in conditions for o in require(evaluation, c)]
    if baseline is not None:
        compared = compare(open_run(baseline), evaluation, [named(value)[0] for value in kept])
        outcomes += [o for value in kept for o in no_worse(compared, value, evaluation)]
    header = ["condition", "", "found"]
    lines = [[printable(cell) for cell in line] for line in table(outcomes)]
    page = f"**maskmeter gate {summary(outcomes)}**\n\n{as_markdown(header, lines)}"
    if form == "md":
        click.echo(page, nl=False)
    else:
        click.echo(f"{text_table(header, lines, (0, 1, 2), 100)}\n\n{summary(outcomes)}")
    for path, content in ((junit, as_junit(outcomes)), (markdown, page)):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
    if not all(o.passed for o in outcomes):
        raise click.exceptions.Exit(1)
