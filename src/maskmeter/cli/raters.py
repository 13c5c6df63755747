"""`maskmeter raters GT GT [GT...] PRED -o OUT`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError, printable
from ..results import as_record, write_whole
from . import say
from .evaluate import label_range, read_spacing
from .tables import number, text_table


@click.command()
@click.argument("references", nargs=-1, required=True, metavar="GT GT [GT...]", type=click.Path(path_type=Path))
@click.argument("pred", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="A folder for all runs."
)
@click.option("-m", "--metric", "metrics", multiple=True, metavar="METRIC", help="As in iou; may be repeated.")
@click.option("--task", default="auto", show_default=True, metavar="TASK", help="As for evaluate.")
@click.option("--labels", metavar="FILE", help="Label file, or a known set: cityscapes, voc.")
@click.option("--classes", metavar="RANGE", help="The labels that may occur, as in 0-18.")
@click.option("--ignore", type=int, multiple=True, metavar="N", help="A void label; it is no vote. May be repeated.")
@click.option("--positive", type=int, multiple=True, metavar="N", help="The foreground label of a binary question.")
@click.option("--mask", type=click.Path(path_type=Path), metavar="DIR", help="Only the pixels of these are counted.")
@click.option("--threshold", default="0.5", show_default=True, metavar="T", help="Score maps: a number, or best:dice.")
@click.option("--spacing", metavar="MM,MM,MM", help="Millimetres along each array axis, where files do not say it.")
@click.option("--group-by", metavar="TEMPLATE|CSV:COLUMN", help="Images that are not independent, as for evaluate.")
@click.option("--intervals", default="percentile", show_default=True, metavar="METHOD", help="As for evaluate.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(
    references: tuple[Path, ...], pred: Path, out: Path, metrics: tuple[str, ...], classes: str | None,
    ignore: tuple[int, ...], positive: tuple[int, ...], spacing: str | None, form: str, **choices: Any,
) -> None:  # fmt: skip
    """Evaluate PRED against several references GT of the same images, their consensus, and these among themselves.

    DIR gets a run for each rater, named as its folder, one for the consensus by vote, raters.json and raters.html, in
    which the agreement of raters among themselves is the yardstick.
    """
    from ..raters import raters
    from ..report.raters import said, write_raters

    names = [r.name for r in references]
    if len(set(names)) < len(names):
        raise UsageError(f"the references need folders of different names, not {', '.join(map(printable, names))}")
    found = raters(
        dict(zip(names, references, strict=True)), pred, metrics or None, out=out, ignore=ignore or None,
        positive=positive or None, classes=None if classes is None else label_range(classes),
        spacing=None if spacing is None else read_spacing(spacing), **choices,
    )  # fmt: skip
    sticks = [{("class" if k == "class_" else k): _plain(v) for k, v in y._asdict().items()} for y in found.yardsticks]
    whole = {
        "yardsticks": [{**s, "verdict": y.verdict} for s, y in zip(sticks, found.yardsticks, strict=True)],
        "agreements": [{"first": a.first, "second": a.second, **as_record(a.row)} for a in found.agreements],
    }
    write_whole(out / "raters.json", json.dumps(whole, indent=1) + "\n")
    write_raters(found, out / "raters.html")
    if form == "json":
        click.echo(json.dumps(whole, indent=1))
        return
    lines = [
        [
            a.row.metric,
            a.row.class_ or "",
            f"{a.first} and {a.second}",
            number(a.row.value),
            _interval(a.row.low, a.row.high),
        ]
        for a in found.agreements
        if a.row.over == "images"
    ]
    header = ["metric", "class", "between", "mean over images", "95 % interval"]
    click.echo(text_table(header, [[printable(c) for c in line] for line in lines], (0, 1, 2), 60))
    click.echo("\n" + "\n".join(printable(said(y)) for y in found.yardsticks))
    for notice in found.notices:
        say(notice, "note")
    say(str(out / "raters.html"), "report")


def _interval(low: float, high: float) -> str:
    return f"{number(low)} to {number(high)}" if low == low else ""


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value
