"""Columns: the values of a metric side by side, a column for each class, and their means over images.

Every value is an array (..., columns); leading axes are images or resamples. `Evaluation.titles`
names the columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .metrics import Metric, Values
from .metrics._metric import mean
from .metrics._sizes import sizes
from .metrics.instances import over_classes
from .statistics.by_class import AnyClassScores, ClassScores, CoarseClassScores, ImageClassScores
from .statistics.detections import Detections
from .statistics.encounters import Encounters
from .statistics.image_scores import ImageScores
from .statistics.measured import Measured
from .statistics.overlap import STUFF, THING, Overlap
from .statistics.overlap_sums import Tape, is_long, recorded, replayed
from .statistics.scores import Scores


def columns(metric: Metric[Any, Any], statistic: Any, finite: bool = True) -> Values:
    """The metric's values with a last axis of columns, as `Evaluation.titles` names them.

    `finite`: the diagonal of an image stands for infinite distances, as in means and pooled values.
    """
    if isinstance(statistic, Measured):
        read = statistic.finite if finite else statistic.read
        return read(metric.need, metric.values)
    if isinstance(statistic, list):
        return np.concatenate([_one(metric, each) for each in statistic])
    if isinstance(statistic, ClassScores | CoarseClassScores):
        return _over_classes(statistic, metric.values)
    if isinstance(statistic, Overlap) and is_long(statistic) and _own(metric):
        record_sums([metric], statistic)
        statistic = replayed(statistic, statistic.memo[Tape][metric])
    values = metric.values(statistic)
    if not metric.per_class:
        return values[..., None]
    if metric.overall:
        return values[..., -1:] if statistic.binary else values
    if isinstance(statistic, Overlap) and not statistic.binary:
        mean = over_classes(metric, statistic, values)[..., None]
        return mean if among(metric) else np.append(values, mean, -1)
    if isinstance(statistic, Overlap):
        return values
    return values[..., 1:2] if statistic.binary else values


def record_sums(metrics: Iterable[Metric[Any, Any]], o: Overlap) -> None:
    """Where there are many objects, go through them once for the sums behind all of these metrics (`overlap_sums`)."""
    if is_long(o):
        known: dict[Metric[Any, Any], Tape] = o.memo.setdefault(Tape, {})
        missing = [m for m in metrics if _own(m) and m not in known]
        known.update(zip(missing, recorded(o, [m.values for m in missing]) if missing else (), strict=True))


def _own(metric: Metric[Any, Any]) -> bool:
    """Whether a formula is one of these, which see objects through sums alone."""
    return metric.formula.__module__.startswith("maskmeter.metrics.")


def _one(metric: Metric[Any, Any], statistic: Scores | ImageScores | ImageClassScores) -> Values:
    """The value of one image, the exact one where it was kept."""
    if isinstance(statistic, ImageClassScores):
        return _over_classes(statistic, lambda s: _one(metric, s)[0, 0])[None]
    exact = statistic.exact.get(str(metric)) if isinstance(statistic, ImageScores) else None
    return np.reshape(metric.values(statistic) if exact is None else exact, (1, 1))


def _over_classes(scores: AnyClassScores, value: Callable[[Any], Any]) -> Values:
    """The value of each class, their mean over those where it is defined, and that of all decisions together."""
    classes = np.stack([value(s) for s in scores.by_class.values()], axis=-1)
    return np.concatenate([classes, mean(classes)[..., None], np.asarray(value(scores.together))[..., None]], axis=-1)


def among(metric: Metric[Any, Any]) -> bool:
    """Whether a metric is restricted to some classes: it has their mean alone, as its classes are those without it."""
    return bool(dict(metric.params).get("among"))


def objects_behind(metric: Metric[Any, Any], o: Any, titles: list[str | None]) -> NDArray[np.int64] | None:
    """How many objects of the ground truth a pooled value of each column stands on; None for other metrics."""
    if isinstance(o, Detections | Encounters):
        each = o.objects(metric.name.rpartition("_")[2])
        return np.append(each, each.sum())[-len(titles) :]
    if not isinstance(o, Overlap) or not metric.per_class:
        return None
    low, high = sizes(dict(metric.params).get("size"))
    sized = (o.gt_crowd == 0) & (o.gt_size >= low) & (o.gt_size < high)
    found = np.searchsorted(o.classes, o.gt_class[sized])
    each = np.bincount(found, minlength=o.classes.size).astype(np.int64)
    kept = {"things": o.thing == THING, "stuff": o.thing == STUFF}.get(str(dict(metric.params).get("among")))
    total = each.sum() if kept is None else each[kept].sum()
    return np.array([total]) if titles == [None] else np.append(each, total)


class Means:
    """Means over images, fed a block at a time: the exact sum of the blocks' `np.sum`."""

    def __init__(self) -> None:
        self.n: NDArray[np.int64] | None = None
        self._sums: list[Values] = []

    def add(self, values: Values) -> None:
        defined = ~np.isnan(values)
        n = defined.sum(axis=0)
        self.n = n if self.n is None else self.n + n
        # Contiguous along the images, NumPy adds pairwise, as np.mean does.
        self._sums.append(np.ascontiguousarray(np.where(defined, values, 0.0).T).sum(axis=1))

    @property
    def value(self) -> Values:
        if self.n is None:
            return np.full(1, math.nan)
        total = np.array([math.fsum(block) for block in np.stack(self._sums).T.tolist()])
        return np.where(self.n > 0, total / np.maximum(self.n, 1), math.nan)
