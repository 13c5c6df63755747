"""`maskmeter explain RUN METRIC`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from ..columns import among
from ..elsewhere import DETECTIONS, Elsewhere, elsewhere
from ..errors import UsageError, printable
from ..evaluation import Evaluation
from ..fates import parts_of_gt, parts_of_pred
from ..metrics import Metric, parse
from ..metrics.instances import QUALITY, RATES, tallies
from ..metrics.partitions import partition
from ..rows import Row
from ..statistics.confusion import Confusion
from ..statistics.overlap import Overlap
from ..uncertainty import Resampling
from .tables import number, text_table

MOST = 5  # images that are listed
ALL = {**QUALITY, **RATES}


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("metric")
@click.option("--class", "class_", metavar="NAME", help="Only this class.")
@click.option("--image", metavar="NAME", help="The value of one image.")
@click.option("--versus", metavar="PACKAGE", help="What another package prints for the same data, and why.")
def command(run: Path, metric: str, class_: str | None, image: str | None, versus: str | None) -> None:
    """Show how a number of RUN came about: its formula, its counts, what was left out.

    With --versus (monai, medpy, deepmind, pycocotools, stardist, ...) what that package prints for the same data, and
    which of its rules make the difference. What the run did not count is counted once more from its files.
    """
    from ..run import again

    made = parse(metric)
    made.check_complete()
    if versus is not None:
        if image is not None:
            raise UsageError("--versus lists the images that differ most by itself; leave --image out")
        click.echo(_compared(run, made, versus, class_))
        return
    evaluation = again(run, [made])
    lines = [f"{made}: {made.summary}", ""]
    if image is not None:
        value = evaluation.value(made, class_=class_, image=image)
        lines += [f"{printable(image)}: {number(value)}", *_far(evaluation, made, class_, image)]
        click.echo("\n".join([*lines, *_behind(evaluation, made, class_, image)]))
        return
    rows = _of_class(evaluation.rows(), made, class_)
    lines += [_values(rows), "", *_left_out(evaluation, rows)]
    if made.statistic == Confusion.name:
        lines += ["", _counts(evaluation, class_)]
    lines += _far(evaluation, made, class_)
    lines += _behind(evaluation, made, class_)
    lines += ["", *dict.fromkeys(printable(r.signature) for r in rows)]
    click.echo("\n".join(lines))


def _far(e: Evaluation, metric: Metric[Any, Any], class_: str | None, image: str | None = None) -> list[str]:
    """Of a Hausdorff distance the cases that are farthest apart, what lies beyond the value, and what decides it."""
    if metric.name != "hausdorff" or "direction" in dict(metric.params):
        return []
    from ..report.far_cases import opened, ranked, said, unit_of
    from ..report.pictures import Unavailable

    cases = [c for c in ranked(e, metric, image) if class_ in (None, c.title)]
    unit, lines = unit_of(e), list[list[str]]()
    for case in cases[:MOST]:
        try:
            part = opened(e, case, metric).part
            why = "" if part is None else said(part, unit)
        except Unavailable as error:
            why = f"what decides is not known: {error}"
        shares = [f"{share:.2%}" for share in case.beyond]
        lines.append([printable(case.image), case.title or "", number(case.value), *shares, why])
    if not lines:
        return []
    header = ["image", "class", unit, "gt beyond", "pred beyond", "what decides"]
    return ["", "where it is greatest", text_table(header, lines, left=(0, 5), most=160)]


def _of_class(rows: list[Row], metric: Metric[Any, Any], class_: str | None) -> list[Row]:
    found = [r for r in rows if r.metric == str(metric) and (class_ is None or r.class_ == class_)]
    if not found:
        raise UsageError(f"{metric} has no class {class_!r}")
    return found


def _compared(run: Path, metric: Metric[Any, Any], package: str, class_: str | None) -> str:
    """Both values side by side, the images that differ most, and the rules behind it."""
    from ..run import again, open_run

    theirs = elsewhere(metric, package, open_run(run).facts.convention)
    if theirs.convention is None:
        ours = other = again(run, list(dict.fromkeys([metric, theirs.metric])))
    else:
        ours, other = again(run, [metric]), again(run, [metric], theirs.convention)
    ours.resampling = other.resampling = Resampling.parse("none")
    pairs = list(
        zip(_of_class(ours.rows(), metric, class_), _of_class(other.rows(), theirs.metric, class_), strict=True)
    )
    header = ["class", "over", "here", printable(package), "difference"]
    lines = [[a.class_ or "", a.over, *_pair(a.value, b.value)] for a, b in pairs]
    parts = [f"{metric}: {metric.summary}", "", text_table(header, lines), ""]
    return "\n".join([*parts, *_images(ours, other, metric, theirs, class_), *_why(metric, theirs, package)])


def _pair(ours: float, theirs: float) -> list[str]:
    alike = ours == theirs or (ours != ours and theirs != theirs)
    return [number(ours), number(theirs), "0" if alike else f"{theirs - ours:+.4f}" if theirs == theirs else "-"]


def _images(
    ours: Evaluation, other: Evaluation, metric: Metric[Any, Any], theirs: Elsewhere, class_: str | None
) -> list[str]:
    """The images that differ most, those where one has no value first."""
    names, a = ours.image_values(metric)
    _, b = other.image_values(theirs.metric)
    titles = ours.titles(metric)
    differ = ~((a == b) | (np.isnan(a) & np.isnan(b)))
    if class_ is not None:
        differ &= np.array([t == class_ for t in titles])
    if not differ.any():
        return ["no image differs", ""]
    with np.errstate(invalid="ignore"):
        gap = np.where(differ, np.where(np.isnan(a) | np.isnan(b), np.inf, np.abs(a - b)), -1.0)
    worst = np.argsort(-gap, axis=None, kind="stable")[: min(MOST, int(differ.sum()))]
    cells = [(int(at) // a.shape[1], int(at) % a.shape[1]) for at in worst]
    lines = [[printable(names[i]), titles[k] or "", *_pair(float(a[i, k]), float(b[i, k]))] for i, k in cells]
    images = int(differ.any(axis=1).sum())
    table = text_table(["image", "class", "here", "there", "difference"], lines)
    return [f"{images} of {len(names)} images differ; most of all", table, ""]


def _why(metric: Metric[Any, Any], theirs: Elsewhere, package: str) -> list[str]:
    how = f"--convention {theirs.convention}" if metric.statistic in DETECTIONS else f"-m '{theirs.metric}'"
    if not theirs.why:
        return [f"{printable(package)} has the same rules for {metric.name} ({how})"]
    return [f"in {printable(package)} ({how})", *(f"- {why}" for why in theirs.why)]


def _values(rows: list[Row]) -> str:
    valued = {r.class_ for r in rows if r.value == r.value}
    without = {r.class_ for r in rows} - valued
    shown = rows if len(without) < MOST else [r for r in rows if r.class_ in valued]
    rest = "" if len(shown) == len(rows) else f"\n{len(without)} classes without a value are not listed"
    return _listed(shown) + rest


def _listed(rows: list[Row]) -> str:
    header = ["class", "over", "value", "95 % interval", "n", "without value"]
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
    if any(r.n != len(e.records) for r in rows if r.over == "pooled"):
        lines.append("n is the number of objects behind a pooled value, and of images behind a mean over images")
    if e.has(Confusion.name) and (ignored := int(e.pooled.ignored)):
        lines.append(f"{ignored:,} pixels were left out: void in the ground truth, or outside the mask")
    if undefined := max(r.undefined for r in rows):
        lines.append(f"in the mean over images up to {undefined} of them are left out, which have no value")
    return lines


def _behind(e: Evaluation, metric: Metric[Any, Any], class_: str | None, image: str | None = None) -> list[str]:
    """What is counted of objects: all images together, or one of them."""
    if metric.statistic != Overlap.name:
        return []
    o, at = e.statistic(Overlap.name), ()
    if image is not None:
        o, at = next((stack, (names.index(image),)) for names, stack in e.stacks(Overlap.name) if image in names)
    said = _matches(e, metric, class_, o, at) or _parts(e, metric, class_, o, at) or _pairs(metric, o, at)
    return ["", said] if said else []


def _parts(e: Evaluation, metric: Metric[Any, Any], class_: str | None, o: Overlap, at: tuple[int, ...]) -> str:
    """Behind splits and merges: the objects of both sides, those that hold several, and how many these hold."""
    if metric.name not in ("splits", "merges"):
        return ""
    share = {**metric.defaults, **dict(metric.params)}["share"]
    split = metric.name == "splits"
    held, total = (parts_of_gt(o, share), o.total_gt) if split else (parts_of_pred(o, share), o.total_pred)
    several = held >= 2
    sums = o.total_gt(np.ones_like(o.gt_id)), o.total_pred(np.ones_like(o.pred_id)), total(1 * several)
    columns = np.stack([np.asarray(x)[at] for x in (*sums, total(held * several))], axis=-1)
    titles = [t or "" for t in e.titles(metric)][: o.classes.size]
    lines = [
        [title, *(f"{int(n):,}" for n in counts)]
        for title, counts in zip(titles, columns.tolist(), strict=True)
        if class_ in (None, title) and any(counts)
    ]
    header = ["class", "objects", "predictions", metric.name, "pieces of them" if split else "objects in them"]
    return text_table(header, lines)


def _pairs(metric: Metric[Any, Any], o: Overlap, at: tuple[int, ...]) -> str:
    """Behind the variation of information: its pixels, the pairs of segments that share some, and the sum over them."""
    given = {"voi_split": "a", "voi_merge": "b"}.get(metric.name)
    if given is None or not o.disjoint:
        return ""
    o = o.without_crowds
    p = partition(o, {**metric.defaults, **dict(metric.params)}["background"])
    sums = (
        o.total(p.pixels, np.arange(o.images)),
        o.total(np.ones_like(p.n), p.image),
        o.total(p.n * np.log2(getattr(p, given) / p.n), p.image),
    )
    pixels, pairs, bits = (float(np.asarray(x)[at]) for x in sums)
    table = text_table(
        ["pixels N", "pairs of segments", "sum in bits"], [[f"{pixels:,.0f}", f"{pairs:,.0f}", number(bits)]]
    )
    of = "segment of the ground truth" if given == "a" else "predicted segment"
    return f"{table}\n{metric.name} = sum of n log2({given} / n) / N: n pixels of a pair, {given} of its {of}"


def _matches(e: Evaluation, metric: Metric[Any, Any], class_: str | None, o: Overlap, of: tuple[int, ...]) -> str:
    """The matches behind the value of a metric that counts them, and how it follows."""
    titles = [t or "" for t in e.titles(metric.at(among=None) if among(metric) else metric)][: o.classes.size]
    lines: list[list[str]] = []
    counted = tallies(e.asked(metric), o)
    for at, t in counted:
        columns = np.stack([t.tp, t.fp, t.fn, t.score], axis=-1)[of].tolist()
        values = e.asked(metric.at(iou=at)).values(o)[of].tolist()
        for title, (tp, fp, fn, score), value in zip(titles, columns, values, strict=True):
            outside = among(metric) and value != value  # of things, stuff
            if (class_ is None or title == class_) and (tp or fp or fn) and not outside:
                found = [f"{int(tp):,}", f"{int(fp):,}", f"{int(fn):,}", f"{score:.6f}", number(value)]
                lines.append([title, f"{at:g}", *found])
    if not counted:
        return ""
    how = [f"{metric.name} = {ALL[metric.name]}"]
    how += ["at each threshold, then the mean"] if len(counted) > 1 else []
    how += ["of each class, then the mean over those that have a value"] if len(titles) > 1 and class_ is None else []
    header = ["class", "IoU", "TP", "FP", "FN", "sum of IoU", metric.name]
    return "\n".join(["matches", text_table(header, lines), ", ".join(how)])


def _counts(e: Evaluation, class_: str | None) -> str:
    """The pixels behind the pooled value."""
    c = e.pooled
    tn = c.pixels - c.gt - c.pred + c.tp
    titles = ["background", "foreground"] if c.binary else e.titles()
    shown = [i for i, t in enumerate(titles) if class_ is None or t == class_]
    cells = np.stack([c.tp, c.fp, c.fn, tn], axis=1).tolist()
    table = [[titles[i] or "", *(f"{n:,}" for n in cells[i])] for i in shown]
    return "pixels\n" + text_table(["class", "TP", "FP", "FN", "TN"], table)
