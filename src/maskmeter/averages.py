"""Averages: other averages of what a run holds, without a second evaluation.

subgroups   all numbers of each subgroup of the images: by a column of a CSV file (scanner, diagnosis, rater), by a part
            of the images' names, or by the size of what the ground truth shows; of all images, but of the pixels near
            boundaries and those away from them (see `boundary_parts`)
worst       the mean over the worst images, by each metric's own order: the worst 5 % of 40 images are two; of 50 they
            are two and half the weight of the third (what finance calls the expected shortfall)
by_size     recall of objects by their size, in thirds of the objects of the run

Subgroups have intervals of their own, by images or groups of images as the run has them. An interval of the worst
images rests on few of them; where it rests on fewer than 20 it says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .boundary_parts import boundary_parts
from .comparison import gains, restricted
from .errors import UsageError, printable
from .evaluation import Evaluation
from .grouping import By, groups_of
from .metrics import Metric, Values, object_recall, parse
from .rows import Row
from .statistics.confusion import Confusion
from .statistics.overlap import Overlap
from .uncertainty import FEW, Drawn, weights_of

THIRDS = ("small", "medium", "large")
NAMED = 6  # groups that are named one by one
SIZE, BOUNDARY = "size", "boundary"  # what `by` may be besides


class Subgroup(NamedTuple):
    """Some of the images, by what they have in common, and all numbers of them."""

    name: str
    images: list[str]
    rows: list[Row]


class Tail(NamedTuple):
    """The mean over the worst images of a metric and class.

    value   with its interval, and why this is not to be trusted
    mean    over all images, for comparison
    images  the worst ones, the worst first; the last may count in part
    """

    metric: str
    class_: str | None
    share: float
    value: float
    low: float
    high: float
    mean: float
    images: list[str]
    doubts: tuple[str, ...]


def subgroups(
    evaluation: Evaluation, by: By, metrics: Sequence[str | Metric[Any, Any]] | None = None
) -> list[Subgroup]:
    """The numbers of each subgroup of the images, in the order of their names.

    `by` is a template or a column of a table as for `--group-by`, a mapping, a function of an image's name, or one of
    "size"      thirds of the images by the pixels of foreground in the ground truth
    "boundary"  pixels near the boundary and away from it, of a run with `trimap_iou(width=w)`

    Raises UsageError or DataError for an image that is in none.

    >>> meter = Evaluation(["accuracy"])
    >>> for name, right in ("a_1", 1.0), ("a_2", 0.5), ("b_1", 0.25):
    ...     meter.update(np.zeros(4, int), (np.arange(4) >= 4 * right).astype(int), image=name)
    >>> [(g.name, g.rows[0].value) for g in subgroups(meter, "{site}_*")]
    [('a', 0.75), ('b', 0.25)]
    """
    if by == BOUNDARY:
        given = None if metrics is None else [parse(m) if isinstance(m, str) else m for m in metrics]
        return [Subgroup(p.name, list(evaluation.images), p.rows) for p in boundary_parts(evaluation, given)]
    of, order = _size_of(evaluation) if by == SIZE else (groups_of(by, evaluation.images)[1], [])
    kept = [m for m in evaluation.metrics if evaluation.records.pooled(m.statistic) is None]
    made = kept if metrics is None else [parse(m) if isinstance(m, str) else m for m in metrics]
    out: list[Subgroup] = []
    for group in [*(g for g in order if g in of.values()), *sorted({*of.values()} - {*order})]:
        images = [n for n in evaluation.images if of[n] == group]
        out.append(Subgroup(group, images, restricted(evaluation, images, made).rows()))
    return out


def on_few(evaluation: Evaluation, groups: Iterable[tuple[str, Sequence[Row]]]) -> str:
    """One sentence that names the groups whose intervals rest on few images, or groups of them; "" where none does."""
    every = [(printable(name), any("few" in r.doubts for r in rows)) for name, rows in groups]
    named = [name for name, few in every if few]
    if not named:
        return ""
    units = "groups" if evaluation.resampling.grouped else "images"
    listed = "; ".join(named[:NAMED]) + (f" and {len(named) - NAMED} more" if len(named) > NAMED else "")
    of = f"all {len(every)}" if 1 < len(named) == len(every) else listed
    return f"intervals of {of} rest on fewer than {FEW} {units} and are too narrow: take them as rough"


def worst(
    evaluation: Evaluation, share: float = 0.05, metrics: Sequence[str | Metric[Any, Any]] | None = None
) -> list[Tail]:
    """The mean over the worst `share` of the images, for every metric that has a better and a worse, and every class.

    >>> meter = Evaluation(["accuracy"])
    >>> for i in range(1, 5):
    ...     meter.update(np.zeros(4, int), (np.arange(4) >= i).astype(int), image=str(i))
    >>> worst(meter, 0.5)[0].value, worst(meter, 0.375)[0].value
    (0.375, 0.3333333333333333)
    """
    if not 0 < share <= 1:
        raise UsageError(f"the worst share is above 0 and at most 1, not {share:g}")
    made = evaluation.metrics if metrics is None else [parse(m) if isinstance(m, str) else m for m in metrics]
    return [tail for m in made if m.better != "none" for tail in _tails(evaluation, m, share)]


def by_size(evaluation: Evaluation, iou: float = 0.5) -> list[tuple[str, Row]]:
    """Pooled recall of objects at an IoU, for each third of the objects of the ground truth by their size.

    Raises UsageError where there are no objects.
    """
    if not evaluation.has(Overlap.name):
        raise UsageError(f"task {evaluation.facts.task} has no objects; --by size groups its images")
    found: Overlap = evaluation.statistic(Overlap.name)
    sizes = np.sort(found.gt_size[found.gt_crowd == 0])
    if not sizes.size:
        return []
    first, second = (int(sizes[sizes.size * k // 3]) for k in (1, 2))
    ranges = zip((f":{first}", f"{first}:{second}", f"{second}:"), _said(first, second), strict=True)
    made = {object_recall.at(iou=iou, size=size): said for size, said in ranges if size != f"{first}:{first}"}
    rows = Evaluation(
        list(made), facts=evaluation.facts, records=evaluation.records, intervals=evaluation.resampling
    ).rows()
    pooled = [r for r in rows if r.over == "pooled" and r.class_ is None]
    return list(zip(made.values(), pooled, strict=True))


def _said(first: int, second: int) -> tuple[str, str, str]:
    """Three sizes by their bounds."""
    return f"below {first:,} pixels", f"{first:,} to {second - 1:,}", f"from {second:,}"


def _size_of(evaluation: Evaluation) -> tuple[dict[str, str], list[str]]:
    """To each image the third in which its foreground is, "none" where it has none; and the thirds in their order."""
    pixels: dict[str, int] = {}
    if evaluation.has(Confusion.name) and evaluation.pooled.binary:
        for names, stack in evaluation.stacks():
            pixels.update(zip(names, stack.gt[:, 1].tolist(), strict=True))
    elif evaluation.has(Overlap.name):
        for names, stack in evaluation.stacks(Overlap.name):
            pixels.update(zip(names, np.bincount(stack.gt_image, stack.gt_size, len(names)).tolist(), strict=True))
    else:
        raise UsageError("images are grouped by size where there is one foreground, or objects")
    there = np.sort([n for n in pixels.values() if n])
    edges = [int(there[there.size * k // 3]) for k in (1, 2)] if there.size else [0, 0]
    thirds = [f"{third}, {said}" for third, said in zip(THIRDS, _said(*edges), strict=True)]
    return {n: thirds[int(np.searchsorted(edges, k, "right"))] if k else "none" for n, k in pixels.items()}, thirds


def _tails(evaluation: Evaluation, metric: Metric[Any, Any], share: float) -> Iterator[Tail]:
    names, values = evaluation.image_values(metric)
    gain = gains(metric, values)
    order = np.argsort(np.where(np.isnan(gain), math.inf, gain), axis=0, kind="stable")
    units, how = evaluation.units, evaluation.resampling
    many = units.count > 1 and how.method != "none"
    drawn = [_of_weights(values, order, np.ones((1, len(names))), share)]
    for weights in weights_of(units.count, how) if many else ():
        drawn.append(_of_weights(values, order, weights[:, units.of], share))
    value, *parts = drawn
    draws = np.concatenate(parts) if parts else np.full((1, values.shape[1]), math.nan)
    end = 1 + how.resamples
    left = draws[end:] if how.method == "bca" and many else None
    there = (~np.isnan(values)).sum(axis=0)
    ends = Drawn(value[0], draws[1:end] if many else draws, left, share * there).interval
    for k, title in enumerate(evaluation.titles(metric)):
        n = int(there[k])
        mean = float(values[order[:n, k], k].mean()) if n else math.nan
        last = [names[i] for i in order[: math.ceil(share * n), k].tolist()]
        yield Tail(
            str(metric), title, share, float(value[0, k]), float(ends.low[k]), float(ends.high[k]), mean, last,
            ends.doubts[k],
        )  # fmt: skip


def _of_weights(values: Values, order: NDArray[np.intp], weights: Values, share: float) -> Values:
    """The mean over the worst share of each row of weights, whose columns are images; NaN where none has a value."""
    out = np.full((len(weights), values.shape[1]), math.nan)
    for k in range(values.shape[1]):
        v = values[order[:, k], k]
        n = int(np.count_nonzero(~np.isnan(v)))
        if not n:
            continue
        w = weights[:, order[:n, k]]
        total = share * w.sum(axis=1, keepdims=True)
        taken = np.clip(total - (np.cumsum(w, axis=1) - w), 0, w)
        with np.errstate(invalid="ignore"):
            out[:, k] = (taken @ v[:n]) / total[:, 0]
    return out
