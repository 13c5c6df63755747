"""Sizes of objects: one range of them, and several that a metric of a run is asked for at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import UsageError
from ..statistics.instances import overlap
from ..statistics.overlap import Overlap
from ._metric import Metric

QUARTILES = "quartiles"


def sizes(size: str | None) -> tuple[float, float]:
    """The sizes from and below which objects are looked at."""
    found = re.fullmatch(r"(\d*):(\d*)", ":" if size is None else str(size))
    low, high = (float(found[1] or 0), float(found[2] or "inf")) if found else (0.0, 0.0)
    if low < high:
        return low, high
    if size == QUARTILES or (size or "").count(":") > 1:
        raise UsageError(
            f"size={size} is several ranges, which evaluate takes apart; of one value give one, as in 32:96"
        )
    raise UsageError(f"size must be a range of pixels such as 32:96, 96: or :32, or quartiles, not {size!r}")


def by_size(metrics: Iterable[Metric[Any, Any]], counted: Callable[[], Overlap]) -> list[Metric[Any, Any]]:
    """The metrics, in place of one with several ranges of sizes one for each.

    `size=:32:96:` has edges of its own, `size=quartiles` the quartiles of all sizes in the ground truth.

    >>> from maskmeter.metrics import object_recall
    >>> [str(m) for m in by_size([object_recall.at(iou=0.5, size=":32:96")], lambda: None)]
    ['object_recall(iou=0.5,size=:32)', 'object_recall(iou=0.5,size=32:96)']
    """
    return list(dict.fromkeys(x for m in metrics for x in _apart(m, counted)))


def check(metrics: Iterable[Metric[Any, Any]]) -> None:
    """Raise UsageError for metrics of objects with parameters that cannot be, before anything is counted."""
    for m in by_size(metrics, lambda: overlap([0], [0])):
        if m.statistic == Overlap.name:
            m.values(overlap([0], [0], **m.needs))
        elif m.statistic in ("detections", "boundary_detections", "encounters"):
            m.values(m.measure([0], [0], scores={}))


def _apart(metric: Metric[Any, Any], counted: Callable[[], Overlap]) -> list[Metric[Any, Any]]:
    size = str(dict(metric.params).get("size", ""))
    if size == QUARTILES:
        size = _quartiles(counted())
    elif size.count(":") < 2:
        return [metric]
    ranges = [f"{low}:{high}" for low, high in pairwise(size.split(":"))]
    for each in ranges:
        sizes(each)
    return [metric.at(size=each) for each in ranges]


def _quartiles(o: Overlap) -> str:
    """The edges between quarters of the objects, with open ends."""
    size = o.gt_size[o.gt_crowd == 0]
    edges = np.unique(np.ceil(np.quantile(size, (0.25, 0.5, 0.75)))).astype(int).tolist() if size.size else []
    return ":".join(["", *map(str, edges), ""])
