"""`maskmeter averages RUN`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..averages import BOUNDARY, SIZE, Tail, by_size, on_few, subgroups, worst
from ..boundary_parts import KNOWN
from ..comparison import headline
from ..errors import UsageError, printable
from ..evaluation import Evaluation
from ..metrics import Metric, parse
from ..results import as_record
from ..rows import Row, as_markdown
from ..statistics.overlap import Overlap
from .tables import number, text_table

Table = tuple[str, list[str], list[list[str]], str]


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--by",
    "groups",
    multiple=True,
    metavar="TEMPLATE|CSV:COLUMN|size|boundary",
    help="Subgroups of the images: {site}_* fits their names; patients.csv:scanner is a column of a table; size: by "
    "the foreground in the ground truth, and the recall of objects by their size; boundary: pixels near the boundary "
    "of the ground truth and those away from it, of a run with -m 'trimap_iou(width=3)'. May be repeated.",
)
@click.option("--worst", "shares", multiple=True, type=float, metavar="PERCENT", help="The mean of the worst images.")
@click.option("-m", "--metric", "metrics", multiple=True, metavar="METRIC", help="By default the headline.")
@click.option("--format", "form", type=click.Choice(["table", "json", "md"]), default="table", show_default=True)
def command(run: Path, groups: tuple[str, ...], shares: tuple[float, ...], metrics: tuple[str, ...], form: str) -> None:
    """Other averages of RUN: of subgroups of its images, by size, along boundaries, of the worst ones.

    Nothing is evaluated again.

    Without an option: the worst 5 %.
    """
    from ..run import open_run

    evaluation = open_run(run)
    made = [parse(m) for m in metrics] or [headline(evaluation, evaluation.metrics)]
    shares = shares or (() if groups else (5.0,))
    if bad := next((s for s in shares if not 0 < s <= 100), None):
        raise UsageError(f"--worst {bad:g} is not above 0 and at most 100 percent")
    found = [(by, subgroups(evaluation, by, _asked(by, made, bool(metrics)))) for by in groups]
    tails = [(share, worst(evaluation, share / 100, made)) for share in shares]
    sizes = by_size(evaluation) if SIZE in groups and evaluation.has(Overlap.name) else []
    if form == "json":
        out: dict[str, Any] = {
            "subgroups": {
                by: {g.name: {"images": g.images, "rows": [as_record(r) for r in g.rows]} for g in each}
                for by, each in found
            },
            "object_recall": {said: as_record(r) for said, r in sizes},
            "worst": [_tail_record(t) for _, each in tails for t in each],
        }
        click.echo(json.dumps(out, indent=1))
        return
    tables: list[Table] = []
    for by, each in found:
        whole = Evaluation(made, facts=evaluation.facts, records=evaluation.records, intervals=evaluation.resampling)
        lines = [line for g in each for line in _lines(g.name, len(g.images), g.rows)]
        lines += _lines("all", len(evaluation.images), whole.rows())
        tables.append((f"by {by}", _header(by), lines, on_few(evaluation, [(g.name, g.rows) for g in each])))
    if sizes:
        few = on_few(evaluation, [(said, [r]) for said, r in sizes])
        lines = [[said, f"{r.n:,}", number(r.value), _interval(r.low, r.high)] for said, r in sizes]
        tables.append(("objects by size", ["size", "objects", "found (IoU 0.5)", "95 % interval"], lines, few))
    for share, each in tails:
        few = "the worst images are few: take these intervals as rough" if any(t.doubts for t in each) else ""
        header = ["metric", "class", "worst", "95 % interval", "all", "the worst"]
        tables.append(
            (f"the worst {share:g} % of {len(evaluation.images)} images", header, list(map(_tail, each)), few)
        )
    for title, header, lines, few in tables:
        shown = [[printable(cell) for cell in line] for line in lines]
        if form == "md":
            click.echo(f"**{printable(title)}**\n\n{as_markdown(header, shown)}")
        else:
            click.echo(f"{printable(title)}\n\n{text_table(header, shown, (0, 1), 48)}\n")
        if few:
            click.echo(f"{'' if form == 'md' else '! '}{few}\n")


def _asked(by: str, made: list[Metric[Any, Any]], given: bool) -> list[Metric[Any, Any]] | None:
    """The metrics of subgroups; a headline that parts of images have not is left to them to choose."""
    return None if by == BOUNDARY and not given and any(m.name not in KNOWN for m in made) else made


def _header(by: str) -> list[str]:
    groups = {SIZE: "foreground", BOUNDARY: "part"}.get(by, "group")
    return [groups, "metric", "class", "images", "pooled", "95 % interval", "over images", "95 % interval"]


def _lines(group: str, images: int, rows: list[Row]) -> list[list[str]]:
    """A line for each metric and class: both averages."""
    both: dict[tuple[str, str | None], dict[str, Row]] = {}
    for r in rows:
        both.setdefault((r.metric, r.class_), {})[r.over] = r
    return [
        [group, metric, class_ or "", str(images)]
        + [x for over in ("pooled", "images") for x in (number(at[over].value), _interval(at[over].low, at[over].high))]
        for (metric, class_), at in both.items()
    ]


def _tail(t: Tail) -> list[str]:
    named = ", ".join(t.images[:2]) + (", ..." if len(t.images) > 2 else "")
    return [t.metric, t.class_ or "", number(t.value), _interval(t.low, t.high), number(t.mean), named]


def _tail_record(t: Tail) -> dict[str, Any]:
    values = {("class" if k == "class_" else k): v for k, v in t._asdict().items()}
    return {k: None if isinstance(v, float) and v != v else v for k, v in values.items()}


def _interval(low: float, high: float) -> str:
    return f"{number(low)} to {number(high)}" if low == low else ""
