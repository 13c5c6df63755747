"""`maskmeter compare RUN_A RUN_B [RUN...]`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click

from ..comparison import Comparison, Difference, Moved, compare, conflict
from ..errors import UsageError, printable
from ..ranking import Ranking
from ..rows import as_markdown
from .tables import number, text_table

HEADER = [
    "metric", "class", "over", "A", "B", "B - A", "95 % interval", "B is", "p permutation", "p Wilcoxon", "effect",
    "better/equal/worse",
]  # fmt: skip
SAID = {"better": "better", "worse": "worse", "different": "different", "few": "too few"}
MOST = 40  # of the columns' width


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN_A RUN_B [RUN...]", type=click.Path(path_type=Path))
@click.option(
    "-m",
    "--metric",
    "metrics",
    multiple=True,
    metavar="METRIC",
    help="Only these, for which alone p is corrected; may be repeated.",
)
@click.option("--all", "everything", is_flag=True, help="Every metric of every class.")
@click.option("--format", "form", type=click.Choice(["table", "json", "md"]), default="table", show_default=True)
def command(runs: tuple[Path, ...], metrics: tuple[str, ...], everything: bool, form: str) -> None:
    """Compare RUN_B with RUN_A on the images that both hold: differences with paired intervals and tests.

    B is called better or worse where the 95 % interval of the difference leaves out zero. Of three runs or more there
    is a ranking with its stability, by -m METRIC or the metric that comes first in their field.
    """
    from ..run import open_run

    if len(runs) < 2:
        raise UsageError("compare needs two runs or more")
    if len(runs) > 2:
        _rank(runs, metrics, form)
        return
    run_a, run_b = map(open_run, runs)
    found = compare(run_a, run_b, metrics or None)
    if form == "json":
        click.echo(json.dumps({**_facts(found), "rows": [_record(d) for d in found.lines]}, indent=1))
        return
    first = next((d.metric for d in found.lines if d.class_ is not None), None)
    shown = [d for d in found.lines if everything or metrics or d.class_ is None or d.metric == first]
    known = [d for d in shown if not (math.isnan(d.a) and math.isnan(d.b))]
    table = [_cells(d) for d in known]
    differ = conflict((d for d in shown if d.over == "images"), found.what)
    notes = [_tests(found), *([differ] if differ else []), *_unsaid(found, shown, known)]
    if form == "md":
        notes += found.remarks
        click.echo(f"**{found}**\n\n{as_markdown(HEADER, table)}\n{'. '.join(notes)}.\n\n{_moved(found, ', ')}")
        return
    a, b = (printable(str(run)) for run in runs)
    click.echo(f"A  {a}\nB  {b}\n\n{found}\n")
    click.echo(text_table(HEADER, table, (0, 1, 2, 7), MOST))
    click.echo("\n" + "\n".join([*notes, *(f"! {x}" for x in found.remarks)]))
    click.echo("\n" + _moved(found, "\n  "))
    for which, names in (("A", found.only_a), ("B", found.only_b)):
        if names:
            more = ", ..." if len(names) > 5 else ""
            click.echo(f"{len(names)} images only in {which}, left out: {', '.join(map(printable, names[:5]))}{more}")


def _tests(found: Comparison) -> str:
    """When B is called better, and what the p values are."""
    units = "images" if found.groups is None else f"groups ({printable(found.by)})"
    called = "better or worse: the 95 % interval of the difference leaves out zero"
    if not found.tests:
        return f"{called}; no tests: they need six {units} with a value and some that differ"
    return f"{called}; p: paired tests over the {units}, corrected (Holm) for {found.tests}"


def _unsaid(found: Comparison, shown: list[Difference], known: list[Difference]) -> list[str]:
    """What the table leaves out."""
    undefined = list(dict.fromkeys(printable(d.title) for d in shown if d not in known))
    said = [f"undefined in both: {', '.join(undefined[:6])}{', ...' if len(undefined) > 6 else ''}"]
    hidden = len(found.lines) - len(shown)
    return (said if undefined else []) + (
        [f"{hidden} lines of other metrics by class are not shown (--all)"] if hidden else []
    )


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
            click.echo(f"{as_markdown(header, table)}{_told_apart(r)}\n")
            continue
        left = f", {len(r.left_out)} left out that some run lacks" if r.left_out else ""
        click.echo(f"{r.metric}, mean over {r.images} images in all runs{left}\n")
        click.echo(text_table(header, table, most=60))
        click.echo(_told_apart(r))


def _told_apart(r: Ranking) -> str:
    """What the mean ranks say."""
    units = f"groups ({printable(r.by)})" if r.by else "images"
    lines = ["", f"rank 1, 2, ...: the share of bootstrap resamples of the {units} on which a run takes that rank"]
    if r.critical == r.critical:
        alike = "; ".join(" and ".join(printable(run) for run in group) for group in r.alike)
        lines.append(
            f"mean ranks over {r.complete} {units} differ from {r.critical:.2f} on (Nemenyi, 5 %); "
            f"not told apart: {alike or 'none'}"
        )
    if r.critical == r.critical and r.alike:
        lines.append(
            "ranks leave out by how much a run is better, and all pairs are tested at once: a blunt instrument; "
            "compare two of these runs alone, which looks at the sizes of the differences and may tell them apart"
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
    grouped = {} if found.groups is None else {"groups": found.groups, "by": found.by}
    return {
        "answer": str(found),
        "images": found.images,
        **grouped,
        "only_a": found.only_a,
        "only_b": found.only_b,
        "headline": found.headline,
        "conflicts": found.conflicts,
        "tests": found.tests,
        "remarks": found.remarks,
        "improved": [m._asdict() for m in found.improved],
        "worsened": [m._asdict() for m in found.worsened],
    }


def _record(d: Difference) -> dict[str, Any]:
    values = {("class" if k == "class_" else k): v for k, v in d._asdict().items()}
    return {**{k: _finite(v) for k, v in values.items()}, "verdict": d.verdict}


def _cells(d: Difference) -> list[str]:
    interval = f"{d.low:+.4f} to {d.high:+.4f}" if d.low == d.low else ""
    difference = f"{d.difference:+.4f}" if d.difference == d.difference else "-"
    by_image = ["", "", "", ""]
    if d.over == "images":
        tests = [_p(d.permutation), _p(d.wilcoxon), f"{d.effect:+.2f}" if d.effect == d.effect else ""]
        by_image = [*tests, f"{d.better}/{d.equal}/{d.worse}"]
    return [
        d.metric,
        d.class_ or "",
        d.over,
        number(d.a),
        number(d.b),
        difference,
        interval,
        SAID.get(d.verdict, ""),
        *by_image,
    ]


def _p(p: float) -> str:
    return "" if p != p else "<0.0001" if p < 0.0001 else f"{p:.4f}"


def _moved(found: Comparison, apart: str, most: int = 3) -> str:
    """The images that improved and worsened most."""

    def listed(images: list[Moved]) -> str:
        return "".join(f"{apart}{printable(v.image)}  {v.a:.4f} to {v.b:.4f}" for v in images) or f"{apart}none"

    return (
        f"By {found.headline} {len(found.improved)} images improved, most of all:{listed(found.improved[:most])}\n"
        f"{len(found.worsened)} images worsened, most of all:{listed(found.worsened[:most])}"
    )
