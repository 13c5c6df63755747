"""`maskmeter compare RUN_A RUN_B`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click

from ..comparison import Comparison, Difference, Moved, compare
from ..errors import printable
from ..results import as_markdown
from .tables import number, text_table

HEADER = ["metric", "class", "over", "A", "B", "B - A", "95 % interval", "p (Holm)", "better/equal/worse"]


@click.command()
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path))
@click.option("-m", "--metric", "metrics", multiple=True, metavar="METRIC", help="Only these; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="Every metric of every class.")
@click.option("--format", "form", type=click.Choice(["table", "json", "md"]), default="table", show_default=True)
def command(run_a: Path, run_b: Path, metrics: tuple[str, ...], everything: bool, form: str) -> None:
    """Compare RUN_B with RUN_A on the images that both hold: differences with paired intervals and tests.

    An asterisk marks a difference whose 95 % interval leaves out zero.
    """
    from ..metrics import parse
    from ..run import open_run

    wanted = [str(parse(m)) for m in metrics]
    found = compare(open_run(run_a), open_run(run_b))
    lines = [d for d in found.lines if not wanted or d.metric in wanted]
    if form == "json":
        click.echo(json.dumps({**_facts(found), "rows": [_record(d) for d in lines]}, indent=1))
        return
    first = next((d.metric for d in lines if d.class_ is not None), None)
    shown = [d for d in lines if everything or wanted or d.class_ is None or d.metric == first]
    table = [_cells(d) for d in shown]
    if form == "md":
        click.echo(as_markdown(HEADER, table), nl=False)
        return
    click.echo(f"A {printable(str(run_a))}\nB {printable(str(run_b))}\n{found.images} images in both\n")
    click.echo(text_table(HEADER, table))
    tests = f"Wilcoxon over the images, corrected by Holm for {found.tests} tests" if found.tests else "too few images"
    click.echo(f"\n* the 95 % interval leaves out zero; p: {tests}")
    hidden = len(lines) - len(shown)
    if hidden:
        click.echo(f"{hidden} lines of other metrics by class are not shown (--all)")
    click.echo(_moved(found))
    for which, names in (("A", found.only_a), ("B", found.only_b)):
        if names:
            click.echo(f"{len(names)} images only in {which}: {', '.join(map(printable, names[:5]))}")


def _facts(found: Comparison) -> dict[str, Any]:
    return {"images": found.images, "only_a": found.only_a, "only_b": found.only_b, "headline": found.headline}


def _record(d: Difference) -> dict[str, Any]:
    values = {("class" if k == "class_" else k): v for k, v in d._asdict().items()}
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


def _cells(d: Difference) -> list[str]:
    interval = f"{d.low:+.4f} to {d.high:+.4f}{'*' if d.clear else ' '}" if d.low == d.low else ""
    p = f"{d.p:.2g}" if d.p == d.p else ""
    wins = f"{d.better}/{d.equal}/{d.worse}"
    difference = f"{d.difference:+.4f}" if d.difference == d.difference else "-"
    return [d.metric, d.class_ or "", d.over, number(d.a), number(d.b), difference, interval, p, wins]


def _moved(found: Comparison, most: int = 3) -> str:
    """The images that improved and worsened most."""

    def listed(images: list[Moved]) -> str:
        return ", ".join(f"{printable(v.image)} {v.a:.3f} to {v.b:.3f}" for v in images)

    return (
        f"\nby {found.headline}, most improved: {listed(found.improved[:most]) or 'none'}\n"
        f"most worsened: {listed(found.worsened[:most]) or 'none'}"
    )
