"""Tables for the terminal: plain text, aligned, and safe whatever the names hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import nan
from unicodedata import east_asian_width

import numpy as np

from ..advisor import advise, constant_accuracy
from ..errors import printable
from ..evaluation import Evaluation
from ..labels import LabelSet
from ..metrics import roc_auc
from ..rows import Row, as_markdown
from ..statistics.confusion import Confusion
from ..statistics.detections import Detections
from ..statistics.overlap import Overlap
from ..statistics.scores import Scores

WIDEST = 32


def number(value: float) -> str:
    """A value with four digits, and a dash where there is none."""
    return "-" if value != value else f"{value:.4f}"


def text_table(
    header: Sequence[str], lines: Iterable[Sequence[str]], left: Sequence[int] = (0,), most: int = WIDEST
) -> str:
    """Columns side by side, those of `left` to the left and the others to the right; cells at most `most` wide."""
    cells = [[printable(c) for c in header], *([_fit(c, most) for c in line] for line in lines)]
    widths = [max(_width(line[i]) for line in cells) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell + " " * (w - _width(cell)) if i in left else " " * (w - _width(cell)) + cell
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def summary(done: Evaluation) -> str:
    """What a run found: a table per class, one of the single numbers, what was left out, the warnings."""
    parts = [_heading(done)]
    per_class = [r for r in done.rows() if r.class_ is not None]
    if per_class:
        parts.append(text_table(*_by_class(done, per_class)))
    parts.append(text_table(*_single([r for r in done.rows() if r.class_ is None]), most=80))  # names in full
    parts += ["\n".join(_left_out(done))] if any(_left_out(done)) else []
    warnings = [a for a in advise(done) if a.text not in done.notices]  # which are printed anyway
    advice = [f"! {a.text} (see {a.metric})" if a.metric else f"! {a.text}" for a in warnings]
    return "\n\n".join([*parts, *(["\n".join(map(printable, advice))] if advice else [])])


def rows_as_markdown(done: Evaluation) -> str:
    """The result table in Markdown."""
    header = ["metric", "class", "over", "value", "n", "undefined"]
    lines = [
        [r.metric, printable(r.class_ or ""), r.over, number(r.value), str(r.n), str(r.undefined)] for r in done.rows()
    ]
    return as_markdown(header, lines)


def _heading(done: Evaluation) -> str:
    images = f"{done.facts.task}: {len(done.records)} images"
    if done.facts.class_axis is not None and not done.has(Confusion.name):
        return f"several labels a pixel: {len(done.records)} images, {len(done.titles(roc_auc)) - 2} classes"
    if not done.has(Confusion.name) and not done.has(Overlap.name):
        d: Detections = done.statistic(Detections.name)
        return f"{images}, {int(d.objects().sum()):,} objects in the ground truth, {d.det_score.size:,} detections"
    if not done.has(Confusion.name):
        o = done.statistic(Overlap.name)
        crowds = int((o.gt_crowd > 0).sum())
        there = f"{o.gt_id.size:,} objects in the ground truth" + (f" ({crowds:,} of them crowds)" if crowds else "")
        return f"{images}, {there}, {o.pred_id.size:,} predicted"
    counted, left = int(done.pooled.pixels), int(done.pooled.ignored)
    void = f", {left / (left + counted):.1%} void or masked" if left else ""
    score = f", foreground from a score of {done.facts.threshold:.4g}" if done.facts.scores else ""
    return f"{images}, {counted:,} pixels{void}{score}"


def _by_class(done: Evaluation, rows: list[Row]) -> tuple[list[str], list[list[str]]]:
    metrics = list(dict.fromkeys(r.metric for r in rows))
    values = {(r.metric, r.class_, r.over): r.value for r in rows}
    of_pixels = done.has(Confusion.name) or done.facts.class_axis is not None
    what, counted = ("pixels", _pixels(done)) if of_pixels else ("objects", _objects(done))
    header = ["class", what, *metrics, *([f"{metrics[0]}@images"] if metrics else [])]
    lines = [
        [
            t,
            f"{n:,}",
            *(number(values.get((m, t, "pooled"), nan)) for m in metrics),
            number(values.get((metrics[0], t, "images"), nan)),
        ]
        for t, n in counted
    ]
    return header, lines


def _pixels(done: Evaluation) -> list[tuple[str, int]]:
    """Every class and its pixels in the ground truth; of scores of classes, all of these together too."""
    if done.has(Scores.name) and done.facts.class_axis is not None:
        scores = done.statistic(Scores.name)
        named = [t for t in done.titles(roc_auc) if t is not None]
        return list(zip(named, [s.positives for s in (*scores.by_class.values(), scores.together)], strict=True))
    titles = [t for t in done.titles() if t is not None]
    return list(zip(titles, done.pooled.gt.tolist(), strict=True))


def _objects(done: Evaluation) -> list[tuple[str, int]]:
    """The classes that occur on either side, and their objects in the ground truth."""
    if not done.has(Overlap.name):
        d: Detections = done.statistic(Detections.name)
        seen = np.union1d(d.gt_class, d.det_class).tolist()
        titles, each = done.titles(done.metrics[0]), d.objects().tolist()
        return [(str(titles[k]), each[k]) for k in seen]
    o: Overlap = done.statistic(Overlap.name)
    labels, found = done.facts.labels or LabelSet(()), o.gt_class[o.gt_crowd == 0].tolist()
    return [(labels.title(c), found.count(c)) for c in sorted({*o.gt_class.tolist(), *o.pred_class.tolist()})]


def _single(rows: list[Row]) -> tuple[list[str], list[list[str]]]:
    lines: dict[str, list[str]] = {}
    for r in rows:
        at = 1 if r.over == "pooled" else 3
        line = lines.setdefault(r.metric, [r.metric, "-", "", "-", "", "0"])
        line[at : at + 2] = [number(r.value), f"{number(r.low)} to {number(r.high)}" if r.low == r.low else ""]
        line[5] = str(r.undefined)
    return ["metric", "pooled", "95 % interval", "images", "95 % interval", "undefined"], list(lines.values())


def _left_out(done: Evaluation) -> list[str]:
    missing, extra = done.inputs.get("missing_predictions", []), done.inputs.get("extra_predictions", [])
    what = "counted as empty predictions" if done.facts.missing and done.facts.missing[0] == "empty" else "left out"
    lines = []
    if missing:
        lines.append(f"{len(missing)} without prediction, {what}: {_names(missing)}")
    if extra:
        lines.append(f"{len(extra)} predictions without ground truth, left out: {_names(extra)}")
    if "accuracy" in {str(m) for m in done.metrics}:
        lines.append(f"accuracy of predicting the largest class everywhere: {number(constant_accuracy(done.pooled))}")
    return lines


def _names(names: list[str], most: int = 5) -> str:
    return ", ".join(printable(n) for n in names[:most]) + (", ..." if len(names) > most else "")


def _fit(text: str, most: int) -> str:
    text = printable(text)
    return text if _width(text) <= most else text[: most - 1] + "…"


def _width(text: str) -> int:
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)
