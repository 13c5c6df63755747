"""Boundary parts: what a run is worth along the boundaries of the ground truth, and away from them.

A run that was asked for `trimap_iou(width=w)` knows, for every image and class, the pixels of both masks within `w` of
the boundary of the class in the ground truth. What is left of the counts of the whole image lies further away: inside
objects, and where something was invented far from any. So for both parts, without a second evaluation, there are

iou, dice, mean_iou, mean_dice   as they are defined for whole images
error_share                      of the wrong pixels of a class (false positives and false negatives), the share that
                                 lies in the part; without a class, of the wrong pixels of all classes together (of each
                                 class beside metrics by class)

Pooled over all images, and as mean over the images where there is a value; intervals draw the same images, or groups
of them, as those of the run. Masks with much boundary for their size have low values near it and high ones away from
it whatever the model: compare models by them, and classes with care.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .columns import Means
from .errors import UsageError
from .evaluation import Evaluation
from .kernels import weighted_sums
from .metrics import Metric, Values, trimap_iou
from .metrics._metric import mean, ratio
from .rows import Over, Row
from .statistics.bands import Bands
from .statistics.confusion import Confusion
from .statistics.measured import Measured
from .uncertainty import Drawn, Interval, weights_of

KNOWN = ("iou", "mean_iou", "dice", "mean_dice")
SHARE = "error_share"

Ints = NDArray[np.int64]


class Part(NamedTuple):
    """One part of all images: what lies within a distance of boundaries, or beyond it."""

    name: str
    rows: list[Row]


class _Counts(NamedTuple):
    """Pixels of both masks and of at least one, (..., images, classes), and those of the whole image."""

    shared: Values
    either: Values
    of_all: Values  # wrong pixels of the whole image


def boundary_parts(evaluation: Evaluation, metrics: Sequence[Metric[Any, Any]] | None = None) -> list[Part]:
    """Near the boundary and away from it, for every width that the run was asked for.

    metrics  of `KNOWN`; by default the mean over classes, or the IoU where there is one class

    Raises UsageError where the run has counted no band, or a metric has no value in a part of an image.

    >>> gt, pred = np.zeros((2, 9, 9), bool)
    >>> gt[1:8, 1:8], pred[1:8, 1:8] = True, True
    >>> pred[4, 4] = pred[1, 1] = False  # one wrong pixel deep inside, one at the corner
    >>> meter = Evaluation(["iou", "trimap_iou(width=1)"])
    >>> meter.update(gt, pred)
    >>> near, away = boundary_parts(meter)
    >>> [(r.metric, round(r.value, 3)) for r in near.rows if r.over == "pooled"]  # 24 pixels, of which one is missed
    [('iou', 0.958), ('error_share', 0.5)]
    >>> away.rows[0].value  # 25 pixels, of which one is missed
    0.96
    """
    widths = [m for m in evaluation.metrics if m.name == trimap_iou.name]
    if not evaluation.has(Confusion.name):
        raise UsageError(f"task {evaluation.facts.task} has no classes of pixels, of which boundary bands are parts")
    if not widths:
        raise UsageError(
            "the run has counted no band along boundaries; evaluate it with -m 'trimap_iou(width=3)' besides, in "
            "millimetres where the data has a spacing, else in pixels"
        )
    binary = bool(evaluation.pooled.binary)
    made = [m.name for m in metrics] if metrics is not None else ["iou" if binary else "mean_iou"]
    if other := next((m for m in made if m not in KNOWN), None):
        raise UsageError(f"{other} has no value in a part of an image; along boundaries there are {', '.join(KNOWN)}")
    return [part for m in widths for part in _parts(evaluation, m, [*made, SHARE])]


def _parts(e: Evaluation, trimap: Metric[Any, Any], made: Sequence[str]) -> Iterator[Part]:
    """The two parts of a width."""
    width = dict(trimap.params)["width"]
    unit = "mm" if e.records.spacings() else "pixel" if width == 1 else "pixels"
    titles, averaged, near, whole = _counted(e, trimap)
    by_class = titles == [None] or any(not name.startswith("mean_") for name in made if name != SHARE)
    wrong = whole[1] - whole[0]
    for name, (shared, either) in (
        (f"within {width:g} {unit} of the boundary", near),
        (f"further than {width:g} {unit} away", tuple(a - b for a, b in zip(whole, near, strict=True))),
    ):
        counts = _Counts(shared, either, wrong)
        yield Part(name, [row for m in made for row in _rows(e, trimap, m, counts, titles, averaged, by_class)])


def _counted(
    e: Evaluation, trimap: Metric[Any, Any]
) -> tuple[list[str | None], NDArray[np.bool_], tuple[Values, Values], tuple[Values, Values]]:
    """How classes are called, which are averaged, and of every image the pixels of both masks, and of either."""
    found: list[Ints] = []
    measured: Measured = e.statistic(Bands.name)
    for _, stack in e.stacks(Bands.name):
        found += [
            np.array([image.get(k, {}).get(trimap.need, (0, 0)) for k in measured.classes.tolist()], np.int64)
            for image in stack.images
        ]
    near = np.array(found, np.float64).reshape(len(found), measured.classes.size, 2)
    at = np.searchsorted(e.pooled.classes, measured.classes)
    stacks: list[Confusion] = [stack for _, stack in e.stacks()]
    tp, gt, pred = (np.concatenate([getattr(s, side)[:, at] for s in stacks]) for side in ("tp", "gt", "pred"))
    whole = tp.astype(np.float64), (gt + pred - tp).astype(np.float64)
    return e.titles(trimap), measured.averaged, (near[..., 0], near[..., 1]), whole


def _rows(
    e: Evaluation, trimap: Metric[Any, Any], name: str, counts: _Counts, titles: list[str | None],
    averaged: NDArray[np.bool_], by_class: bool,
) -> Iterator[Row]:  # fmt: skip
    """A metric of a part, pooled and over images; `error_share` of all classes together comes last."""

    def value(c: _Counts) -> Values:
        if name == SHARE:
            sides = (c.either - c.shared, c.of_all)
            if titles != [None]:
                together = [x.sum(axis=-1, keepdims=True) for x in sides]
                sides = [np.append(x, t, axis=-1) if by_class else t for x, t in zip(sides, together, strict=True)]
            return ratio(*sides)
        per = ratio(c.shared, c.either) if name.endswith("iou") else ratio(2 * c.shared, c.shared + c.either)
        return mean(per[..., averaged])[..., None] if name.startswith("mean_") else per

    called: list[str | None] = [] if name.startswith("mean_") or (name == SHARE and not by_class) else [*titles]
    if name.startswith("mean_") or (name == SHARE and titles != [None]):
        called.append(None)
    by_image = value(counts)
    means = Means()
    means.add(by_image)
    assert means.n is not None
    pooled = value(_Counts(*(x.sum(axis=0) for x in counts)))
    ends = _intervals(e, counts, by_image, value)
    images = len(by_image)
    overs: tuple[Over, Over] = ("pooled", "images")
    for over, values, end in zip(overs, (pooled, means.value), ends, strict=True):
        signature = f"{name}|part of {e.signature(trimap, over)}"
        for k, title in enumerate(called):
            n = int(means.n[k])
            yield Row(name, title, over, float(values[k]), n, images - n, float(end.low[k]), float(end.high[k]),
                      signature, 0, end.doubts[k])  # fmt: skip


def _intervals(e: Evaluation, counts: _Counts, by_image: Values, value: Any) -> tuple[Interval, Interval]:
    """Of the pooled values and of the means over images, drawn together."""
    units, how, columns = e.units, e.resampling, by_image.shape[1]
    if units.count < 2 or how.method == "none":
        return Interval.none(columns), Interval.none(columns)
    there = ~np.isnan(by_image)
    sums = [units.summed(x) for x in (*counts, np.where(there, by_image, 0.0), there.astype(np.float64))]
    pooled: list[Values] = []
    means: list[Values] = []
    for weights in weights_of(units.count, how):
        drawn = [weighted_sums(weights, x) for x in sums]
        pooled.append(value(_Counts(*drawn[:3])))
        with np.errstate(invalid="ignore"):
            means.append(np.where(drawn[4] > 0, drawn[3] / drawn[4], math.nan))
    end, behind = 1 + how.resamples, (sums[4] > 0).sum(axis=0)
    whole = [np.concatenate(parts) for parts in (pooled, means)]
    one, other = (Drawn(v[0], v[1:end], v[end:] if how.method == "bca" else None, behind).interval for v in whole)
    return one, other
