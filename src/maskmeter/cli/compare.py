"""`maskmeter compare RUN_A RUN_B [RUN...]`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click

from ..comparison import Comparison, Difference, Moved, compare
from ..errors import UsageError, printable
from ..ranking import Ranking
from ..rows import as_markdown
from .tables import number, text_table

HEADER = ["metric", "class", "over", "A", "B", "B - A", "95 % interval", "p (Holm)", "better/equal/worse"]


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN_A RUN_B [RUN...]", type=click.Path(path_type=Path))
@click.option("-m", "--metric", "metrics", multiple=True, metavar="METRIC", help="Only these; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="Every metric of every class.")
@click.option("--format", "form", type=click.Choice(["table", "json", "md"]), default="table", show_default=True)
def command(runs: tuple[Path, ...], metrics: tuple[str, ...], everything: bool, form: str) -> None:
    """Compare RUN_B with RUN_A on the images that both hold: differences with paired intervals and tests.

    An asterisk marks a difference whose 95 % interval leaves out zero. Of three runs or more there is a ranking with
    its stability, by -m METRIC or the metric that comes first in their field.
    """
    from ..metrics import parse
    from ..run import open_run

    if len(runs) < 2:
        raise UsageError("compare needs two runs or more")
    if len(runs) > 2:
        _rank(runs, metrics, form)
        return
    run_a, run_b = runs
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


def _rank(runs: tuple[Path, ...], metrics: tuple[str, ...], form: str) -> None:
    """The ranking of several runs by each metric."""
    from ..ranking import rank
    from ..run import open_run

    names = [run.name for run in runs]
    if len(set(names)) < len(runs):
        names = [str(run) for run in runs]
    opened = dict(zip(names, map(open_run, runs), strict=True))
    if len(opened) < len(runs):
        raise UsageError("a run is named twice")
    found = [rank(opened, m) for m in metrics or (None,)]
    if form == "json":
        click.echo(json.dumps([_ranking_record(r) for r in found], indent=1))
        return
    for r in found:
        places = [f"rank {i + 1}" for i in range(len(r.lines))]
        header = ["run", r.metric, "95 % interval", "rank", *places, "mean rank"]
        table = [
            [line.run, number(line.value), f"{number(line.low)} to {number(line.high)}", str(line.rank)]
            + ["-" if share != share else f"{share:.0%}" for share in line.shares]
            + [f"{line.mean_rank:.2f}"]
            for line in r.lines
        ]
        if form == "md":
            click.echo(as_markdown(header, table))
            continue
        left = f", {len(r.left_out)} left out that some run lacks" if r.left_out else ""
        click.echo(f"{r.metric}, mean over {r.images} images in all runs{left}\n")
        click.echo(text_table(header, table, most=60))
        click.echo(_told_apart(r))


def _told_apart(r: Ranking) -> str:
    """What the mean ranks say."""
    lines = ["", "rank 1, 2, ...: the share of bootstrap resamples of the images on which a run takes that rank"]
    if r.critical == r.critical:
        alike = "; ".join(" and ".join(printable(run) for run in group) for group in r.alike)
        lines.append(
            f"mean ranks over {r.complete} images differ from {r.critical:.2f} on (Nemenyi, 5 %); "
            f"not told apart: {alike or 'none'}"
        )
    if r.p == r.p:
        lines.append(f"Friedman test of any difference: p = {r.p:.2g}")
    return "\n".join(lines)


def _ranking_record(r: Ranking) -> dict[str, Any]:
    lines = [{k: _finite(v) for k, v in line._asdict().items()} for line in r.lines]
    return {**{k: _finite(v) for k, v in vars(r).items() if k != "class_"}, "class": r.class_, "lines": lines}


def _finite(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _facts(found: Comparison) -> dict[str, Any]:
    return {"images": found.images, "only_a": found.only_a, "only_b": found.only_b, "headline": found.headline}


def _record(d: Difference) -> dict[str, Any]:
    values = {("class" if k == "class_" else k): v for k, v in d._asdict().items()}
    return {k: _finite(v) for k, v in values.items()}


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
