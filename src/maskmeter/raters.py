"""Raters: one model against several references of the same images, and the references against one another.

Where several people drew the same images, no one of them is the truth, and their own agreement is the yardstick: a
model need not agree with a rater better than raters agree. For every metric and class there are

    the model against each rater
    the model against their consensus: at each pixel the label with most votes; where no label has more votes than
        every other, and where all abstain (void), the pixel is not counted
    each two raters, of whom the first named stands for the ground truth (so much for metrics that are not symmetric);
        where one of them abstains nothing is counted
    the yardstick: on each image the mean over the raters of the model's values, less the mean over all pairs of
        raters; the mean of that over the images where all of these have a value, with its bootstrap interval and a
        sign-flip test over the images, or over groups of them

Objects have no consensus here: a vote by pixel makes no objects.

References: Warfield et al., IEEE TMI 23, 2004 (why a vote is not all there is to say); Joskowicz et al., European
Radiology 29, 2019 (agreement of raters as the yardstick).
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .comparison import restricted
from .errors import DataError, UsageError, printable
from .evaluation import OBJECTS, Evaluation
from .formats import read
from .kernels import weighted_sums
from .metrics import Metric, Values
from .pairing import find_pairs
from .rows import Row
from .run import evaluate
from .significance import numbers, permutation
from .statistics.object_scores import ObjectScores
from .statistics.scores import Scores
from .uncertainty import Drawn, Interval, weights_of

MODEL, CONSENSUS = "model", "consensus"
GT, COUNTED, DRAWN = "gt", "counted", "drawn"  # folders of the consensus: labels, where there is one, who drew where


class Agreement(NamedTuple):
    """One number of two sides: the model and a rater, the model and the consensus, or two raters."""

    first: str
    second: str
    row: Row


class Yardstick(NamedTuple):
    """A metric of a class: the model against the raters, and the raters against one another, as means over images.

    difference   model - raters, with its interval
    permutation  p of the sign-flip test; NaN below six images or groups
    doubts       why the interval is not to be trusted, as of a row
    images       those where every rater has a value with the model and with every other
    """

    metric: str
    class_: str | None
    model: float
    raters: float
    difference: float
    low: float
    high: float
    permutation: float
    images: int
    better: str
    doubts: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """What the interval says: the model agrees with raters "more" or "less" than they do, "alike", or ""."""
        if math.isnan(self.low) or self.better in ("none", "zero"):
            return ""
        if self.low <= 0 <= self.high:
            return "alike"
        return "more" if (self.difference > 0) == (self.better == "higher") else "less"


@dataclass(frozen=True)
class Raters:
    """All agreements, with the yardsticks; `runs` are the model's, by rater, and that against the consensus."""

    names: list[str]
    runs: dict[str, Evaluation]
    agreements: list[Agreement]
    yardsticks: list[Yardstick]
    notices: list[str]


def raters(
    references: Mapping[str, str | os.PathLike[str]],
    pred: str | os.PathLike[str],
    metrics: Sequence[str | Metric[Any, Any]] | None = None,
    *,
    out: str | os.PathLike[str],
    **choices: Any,
) -> Raters:
    """Evaluate `pred` against every reference and their consensus, and the references against one another.

    references  by the raters' names, in their order; the same images in each
    out         a folder: a run for each rater and for the consensus, in folders of their names
    choices     as `evaluate` takes them

    Raises UsageError for fewer than two references or a name that is taken, DataError for data that is not fit.
    """
    names, folder = list(references), Path(out)
    if len(names) < 2:
        raise UsageError("raters needs at least two references")
    if taken := next((n for n in names if n in (MODEL, CONSENSUS) or "/" in n or n.startswith(".")), None):
        raise UsageError(f"a rater cannot be called {printable(taken)}")
    runs = {n: evaluate(references[n], pred, metrics, out=folder / n, **choices) for n in names}
    first, notices = runs[names[0]], list(dict.fromkeys(x for e in runs.values() for x in e.notices))
    if len({e.facts.task for e in runs.values()}) > 1:
        tasks = ", ".join(f"{n}: {e.facts.task}" for n, e in runs.items())
        raise DataError(f"the references are of different tasks ({tasks}); say which with --task")
    task, votes = first.facts.task, folder / CONSENSUS
    among: dict[str, Any] = {**choices, "task": task, "threshold": 0.5, "logits": False, "class_axis": None}
    shared = [m for m in first.metrics if m.statistic not in (Scores.name, ObjectScores.name)]
    if task in (*OBJECTS, "detection"):
        notices.append("objects have no consensus by vote")
    else:
        known, undecided, inside = _vote(references, runs, votes, choices.get("mask"))
        spacing = known or choices.get("spacing")
        if undecided:
            agree = "; with two raters it is where both agree" if len(names) == 2 else ""
            notices.append(
                f"consensus: on {undecided:,} of {inside:,} pixels ({undecided / inside:.2%}) no label has most "
                f"votes; they are in no number against it{agree}"
            )
        at: dict[str, Any] = {**choices, "task": task, "mask": votes / COUNTED, "spacing": spacing}
        runs[CONSENSUS] = evaluate(votes / GT, pred, metrics, out=votes, **at)
    pairs: dict[tuple[str, str], Evaluation] = {}
    for a, b in combinations(names, 2):
        drawn = votes / DRAWN / b
        masked: dict[str, Any] = {**among, "mask": drawn} if drawn.is_dir() else among
        pairs[a, b] = evaluate(references[a], references[b], shared, **masked)
    agreements = [Agreement(MODEL, n, row) for n, e in runs.items() for row in e.rows()]
    agreements += [Agreement(a, b, row) for (a, b), e in pairs.items() for row in e.rows()]
    sticks = [x for m in shared for x in _yardsticks(m, [runs[n] for n in names], list(pairs.values()))]
    return Raters(names, runs, agreements, sticks, notices)


def majority(votes: Sequence[NDArray[Any]], void: Sequence[Sequence[int]]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The label with most votes at each pixel, and whether it has more than every other; void labels are no votes.

    >>> label, decided = majority([np.array([1, 1, 2]), np.array([1, 2, 9]), np.array([3, 2, 9])], [[9], [9], [9]])
    >>> label.tolist(), decided.tolist()
    ([1, 2, 2], [True, True, True])
    """
    label = np.zeros(votes[0].shape, np.int64)
    most, tied = np.zeros(label.shape, np.int64), np.ones(label.shape, bool)
    left_out = {v for each in void for v in each}
    for k in sorted({int(x) for v in votes for x in np.unique(v)} - left_out):
        n = np.zeros(label.shape, np.int64)
        for v in votes:
            n += v == k
        label, tied = np.where(n > most, k, label), (n == most) | (tied & (n < most))
        most = np.maximum(n, most)
    return label, ~tied


def _vote(
    references: Mapping[str, str | os.PathLike[str]], runs: Mapping[str, Evaluation], folder: Path, mask: Any
) -> tuple[tuple[float, ...] | None, int, int]:
    """Write the consensus of every image, and where there is one, inside the mask where one is given.

    The answer is their spacing, where the files say one and the same, as the arrays that are written say none; on how
    many pixels there is no consensus though somebody voted, and how many pixels have a vote.
    """
    first, *others = (Path(r) for r in references.values())
    inside = {} if mask is None else {p.name: p.pred for p in find_pairs(first, Path(mask)).pairs}
    of = [{p.name: (p.gt, p.pred) for p in find_pairs(first, other).pairs} for other in others]
    for part in (GT, COUNTED, DRAWN):
        rmtree(folder / part, ignore_errors=True)
    spacings: set[tuple[float, ...] | None] = set()
    undecided = voted = 0
    for name in runs[next(iter(runs))].images:
        if any(name not in each for each in of):
            raise DataError(f"image {printable(name)} is not in all references", first)
        files = [of[0][name][0], *(each[name][1] for each in of)]
        found = [_labels(Path(str(f)), e) for f, e in zip(files, runs.values(), strict=True)]
        votes = [labels for labels, _ in found]
        spacings |= {spacing for _, spacing in found}
        if len({v.shape for v in votes}) > 1:
            raise DataError(f"the references of {printable(name)} have different shapes", first)
        label, decided = majority(votes, [e.facts.ignore for e in runs.values()])
        region = read(Path(str(inside[name]))).array != 0 if name in inside else np.ones(label.shape, bool)
        _save(folder / GT / f"{name}.npy", label.astype(np.int32))
        _save(folder / COUNTED / f"{name}.npy", decided & region)
        drawn = [~np.isin(v, e.facts.ignore) for v, e in zip(votes, runs.values(), strict=True)]
        some = np.logical_or.reduce(drawn) & region
        undecided, voted = undecided + int((some & ~decided).sum()), voted + int(some.sum())
        for (rater, e), there in zip(runs.items(), drawn, strict=True):
            if e.facts.ignore:
                _save(folder / DRAWN / rater / f"{name}.npy", region & there)
    if len(spacings) > 1:
        raise DataError(
            "the references have different spacings; write them with one, or say which with --spacing", first
        )
    return next(iter(spacings), None), undecided, voted


def _save(path: Path, array: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def _labels(path: Path, e: Evaluation) -> tuple[NDArray[Any], tuple[float, ...] | None]:
    """The labels of a reference, of a binary question 0, 1 and void; and its spacing."""
    raster = read(path)
    if raster.rgb or raster.array.dtype.kind not in "bui":
        raise DataError("holds no labels to vote with", path)
    found = raster.array.astype(np.int64)
    if e.facts.task == "binary":
        kept = np.where(np.isin(found, e.facts.ignore), found, 0)
        found = np.where(np.isin(found, e.facts.positive), 1, kept)
    return found, raster.spacing


def _yardsticks(m: Metric[Any, Any], model: Sequence[Evaluation], pairs: Sequence[Evaluation]) -> list[Yardstick]:
    everything = [*model, *pairs]
    common = sorted(set.intersection(*(set(e.images) for e in everything)))
    parts = [restricted(e, common, [m]) for e in everything]
    titles = [t for t in parts[0].titles(m) if all(t in e.titles(m) for e in parts)]
    out: list[Yardstick] = []
    for title in titles:
        values = np.stack([e.image_values(m)[1][:, e.titles(m).index(title)] for e in parts], axis=1)
        there = np.isnan(values).sum(axis=1) == 0
        both = np.stack([values[:, : len(model)].mean(axis=1), values[:, len(model) :].mean(axis=1)], axis=1)
        mean = both[there].mean(axis=0) if there.any() else np.full(2, math.nan)
        ends, p = _spread(both[:, 0] - both[:, 1], there, parts[0])
        out.append(
            Yardstick(
                str(m),
                title,
                float(mean[0]),
                float(mean[1]),
                float(mean[0] - mean[1]),
                float(ends.low[0]),
                float(ends.high[0]),
                p,
                int(there.sum()),
                m.better,
                ends.doubts[0],
            )
        )  # fmt: skip
    return out


def _spread(differences: Values, there: NDArray[np.bool_], e: Evaluation) -> tuple[Interval, float]:
    """The interval of the mean of differences over images, and the p value of its sign-flip test."""
    units, how = e.units, e.resampling
    d, n = (units.summed(x[:, None]) for x in (np.where(there, differences, 0.0), there.astype(np.float64)))
    of = numbers(how, e.images)
    sums = np.bincount(of, np.where(there, differences, 0.0)).astype(np.float64)[:, None]
    few = np.bincount(of, there).astype(bool).sum() < 6
    p = math.nan if few else float(permutation(sums, how.seed)[0])
    if units.count < 2 or how.method == "none":
        return Interval.none(1), p
    means: list[Values] = []
    for weights in weights_of(units.count, replace(how, method="percentile")):
        with np.errstate(invalid="ignore"):
            means.append(weighted_sums(weights, d) / weighted_sums(weights, n))
    whole = np.concatenate(means)
    return Drawn(whole[0], whole[1:], None, np.array([(n > 0).sum()], np.float64)).interval, p
