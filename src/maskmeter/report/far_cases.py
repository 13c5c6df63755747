"""The cases, a class in an image, whose surfaces are farthest apart, and what decides there. Files are read again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..evaluation import Evaluation
from ..far_parts import FarPart, Figure, far_part, figures
from ..masks import LabelMap
from ..metrics import Metric, hausdorff
from ..metrics.boundaries import rule_of
from ..statistics.measured import Measured
from ..statistics.shape import Need
from ..statistics.surface import Surface, Volumes, volumes
from .pictures import Unavailable, masks_of

LARGEST = 2_000_000  # elements of both surfaces that a picture is made of: each takes some hundred bytes


@dataclass(frozen=True)
class Case:
    """A class in an image: its value, the shares of both surfaces that lie beyond it, and how many elements these have.

    Elements of a surface whose other side is empty were not counted, and are 0.
    """

    image: str
    class_: int
    title: str | None
    value: float
    beyond: tuple[float, float]
    elements: int


@dataclass(frozen=True)
class Opened:
    """What the files of a case hold: its masks and surfaces, and the piece that decides, if anything is apart."""

    figure: Figure
    volumes: Volumes
    part: FarPart | None


def deciding(evaluation: Evaluation) -> Metric[Any, Any] | None:
    """The Hausdorff distance that cases are ranked by: the one that was asked for, at 95 % where there are several.

    None where surfaces were not measured as it needs them.
    """
    if not evaluation.has(Surface.name):
        return None
    counted = needs(evaluation)
    over = [m for m in evaluation.metrics if m.statistic == Surface.name]
    asked = sorted((m for m in over if m.name == hausdorff.name), key=lambda m: dict(m.params).get("percentile") != 95)
    conventions = [dict(m.params).get("convention") for m in over]
    usual = [hausdorff.at(percentile=95, convention=c) for c in (*conventions, None)]
    return next((m for m in (*asked, *usual) if m.need in counted and "direction" not in dict(m.params)), None)


def needs(evaluation: Evaluation) -> list[Need]:
    """Under what surfaces were measured."""
    measured: Measured = evaluation.statistic(Surface.name)
    return list(dict.fromkeys(need for image in measured.images for of in image.values() for need in of))


def ranked(evaluation: Evaluation, metric: Metric[Any, Any], image: str | None = None) -> list[Case]:
    """All cases that are apart, the farthest first; of one image, where it is named."""
    titles = evaluation.titles(metric)
    out: list[Case] = []
    for names, stack in evaluation.stacks(metric.statistic):
        values = evaluation.columns(metric, stack, finite=False)
        for i, name in enumerate(names):
            if image not in (None, name):
                continue
            s: Surface = stack.kind.joined(metric.need, [stack.images[i]], stack.classes)
            for k, value in enumerate(values[i].tolist()):
                if value > 0:  # undefined and 0 are not apart
                    title = titles[k] if len(titles) > 1 or titles[0] is not None else None
                    beyond = (_beyond(s, "gt", k, value), _beyond(s, "pred", k, value))
                    elements = int(s.gt[k].count.sum() + s.pred[k].count.sum())
                    out.append(Case(name, int(s.classes[k]), title, value, beyond, elements))
    return sorted(out, key=lambda c: (-c.value, c.image, c.class_))


def _beyond(s: Surface, side: str, at: int, value: float) -> float:
    d = getattr(s, side)[at]
    if math.isinf(value):
        return float(d.total > 0)
    return float(d.weight[d.distance > value * (1 + 1e-9)].sum()) / d.total if d.total else 0.0


def opened(evaluation: Evaluation, case: Case, metric: Metric[Any, Any]) -> Opened:
    """The files of a case, measured again. Raises Unavailable."""
    params = dict(metric.params)
    rule = rule_of(params.get("convention"))
    record = evaluation.records[case.image]
    gt, pred, counted = masks_of(record, evaluation.facts, case.class_)
    v = volumes(LabelMap(gt, counted=counted, spacing=record.spacing), LabelMap(pred), None)
    found = figures(v, rule, frozenset({1}))
    if not found:
        raise Unavailable("its files have changed since they were counted")
    return Opened(found[0], v, far_part(found[0], v, float(params.get("percentile", 100)), rule))


def said(part: FarPart, unit: str) -> str:
    """What decides, in words."""
    whose, other = ("ground truth", "prediction") if part.side == "gt" else ("prediction", "ground truth")
    place = ", ".join(map(str, part.at))
    voxels = f"{part.voxels:,} {'pixels' if len(part.at) == 2 else 'voxels'}"
    if math.isinf(part.distance):
        return f"the {other} is empty; the largest piece of the {whose} has {voxels}, at ({place})"
    what = (
        f"an object of the {whose} of {voxels} that the {other} does not have,"
        if not part.shared
        else f"{100 * part.share:.3g} % of the surface of the {whose}, on an object of {voxels},"
    )
    more = f", and {part.pieces - 1} smaller {'pieces' if part.pieces > 2 else 'piece'}" if part.pieces > 1 else ""
    return f"{what} up to {part.farthest:.4g} {unit} away at ({place}){more}"


def peak(part: FarPart, unit: str) -> str:
    """Where the greatest distance is, in words."""
    side, at, distance = part.peak
    whose = "ground truth" if side == "gt" else "prediction"
    place = ", ".join(map(str, at))
    return "" if math.isinf(distance) else f"greatest: {distance:.4g} {unit}, from the {whose} at ({place})"


def worst(cases: list[Case], most: int, empty: int) -> Iterator[Case]:
    """The first `most` cases, with at most `empty` of them where one side has nothing."""
    infinite = [c for c in cases if math.isinf(c.value)]
    yield from infinite[:empty]
    yield from [c for c in cases if not math.isinf(c.value)][: most - min(empty, len(infinite))]


def unit_of(evaluation: Evaluation) -> str:
    """What distances are in."""
    return "mm" if evaluation.records.spacings() else "px"


def values_at(evaluation: Evaluation, need: Need, tolerances: Any) -> Iterator[tuple[Any, Any]]:
    """For each image the NSD of its classes at tolerances (K, T), NaN where both masks are empty, and which count."""
    for _, stack in evaluation.stacks(Surface.name):
        for image in stack.images:
            s: Surface = stack.kind.joined(need, [image], stack.classes)
            yield np.array([_shares(g, p, tolerances) for g, p in zip(s.gt, s.pred, strict=True)]), stack.averaged


def _shares(g: Any, p: Any, tolerances: Any) -> Any:
    whole = g.total + p.total
    if not whole:
        return np.full(tolerances.size, np.nan)
    within = np.zeros(tolerances.size)
    for d in (g, p):
        reached = np.concatenate([[0.0], np.cumsum(d.weight)])
        within += reached[np.searchsorted(d.distance, tolerances * (1 + 1e-9) + 1e-9, side="right")]
    return within / whole
