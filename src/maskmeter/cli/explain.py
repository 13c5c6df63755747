"""`maskmeter explain RUN METRIC`."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from ..errors import UsageError, printable
from ..evaluation import Evaluation, Row
from ..metrics import parse
from ..statistics.confusion import Confusion
from .tables import number, text_table


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("metric")
@click.option("--class", "class_", metavar="NAME", help="Only this class.")
@click.option("--image", metavar="NAME", help="The value of one image.")
def command(run: Path, metric: str, class_: str | None, image: str | None) -> None:
    """Show how a number of RUN came about: its formula, its counts, what was left out."""
    from ..run import open_run

    evaluation, made = open_run(run), parse(metric)
    lines = [f"{made}: {made.summary}", ""]
    if image is not None:
        value = evaluation.value(made, class_=class_, image=image)
        click.echo("\n".join([*lines, f"{printable(image)}: {number(value)}"]))
        return
    evaluation = Evaluation([made], facts=evaluation.facts, records=evaluation.records)
    rows = [r for r in evaluation.rows() if class_ is None or r.class_ == class_]
    if not rows:
        raise UsageError(f"{made} has no class {class_!r}")
    lines += [_values(rows), "", *_left_out(evaluation, rows)]
    if made.statistic == Confusion.name:
        lines += ["", _counts(evaluation, class_)]
    lines += ["", *dict.fromkeys(printable(r.signature) for r in rows)]
    click.echo("\n".join(lines))


def _values(rows: list[Row]) -> str:
    header = ["class", "over", "value", "95 % interval", "images", "without value"]
    return text_table(
        header,
        [
            [
                r.class_ or "", r.over, f"{r.value:.10g}" if r.value == r.value else "undefined",
                f"{number(r.low)} to {number(r.high)}" if r.low == r.low else "", str(r.n), str(r.undefined),
            ]
            for r in rows
        ],
    )  # fmt: skip


def _left_out(e: Evaluation, rows: list[Row]) -> list[str]:
    lines = [f"over {len(e.records)} images; pooled: counts of all images added up, then the formula; images: the mean"]
    if e.has(Confusion.name) and (ignored := int(e.pooled.ignored)):
        lines.append(f"{ignored:,} pixels were left out: void in the ground truth, or outside the mask")
    if undefined := max(r.undefined for r in rows):
        lines.append(f"in the mean over images up to {undefined} of them are left out, which have no value")
    return lines


def _counts(e: Evaluation, class_: str | None) -> str:
    """The pixels behind the pooled value."""
    c = e.pooled
    tn = c.pixels - c.gt - c.pred + c.tp
    titles = ["background", "foreground"] if c.binary else e.titles()
    shown = [i for i, t in enumerate(titles) if class_ is None or t == class_]
    cells = np.stack([c.tp, c.fp, c.fn, tn], axis=1).tolist()
    table = [[titles[i] or "", *(f"{n:,}" for n in cells[i])] for i in shown]
    return "pixels\n" + text_table(["class", "TP", "FP", "FN", "TN"], table)
