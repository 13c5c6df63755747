"""Boundary metrics: how far the boundary of one mask lies from that of the other. Formulas over `Surface` and `Bands`.

Conventions
-----------
D_gt are the distances from the surface elements of the ground truth to the surface of the prediction, D_pred those
back; each element has a weight (its length or area). By default (`mesh`) the surface is that of marching squares or
cubes with vertices placed by the smoothed signed distance, and distances are exact. Distances are in the unit of the
spacing, millimetres for volumes, pixels where an image has none. `direction=gt` or `direction=pred` gives one direction
alone.

Two empty masks have no distance: undefined. Where one is empty distances are infinite and shares 0. `empty=374`
stands for infinity; `empty=perfect` gives two empty masks the best value, `empty=undefined` leaves both cases out.

`convention=` takes the rules of a reference implementation: the surface, the weights, the percentile, the mean, the
end of the image and the empty masks.

deepmind          corners; largest of two weighted percentiles
monai             inner voxels, unweighted; largest of two percentiles, linear; `monai_subvoxel`: NSD on corners
medpy             inner voxels; percentile of both directions together
panoptica         inner voxels; as medpy; its ASSD is the mean of two means, its NSD that of two shares
metricsreloaded   inner voxels; as monai; empty masks are perfect, a miss undefined
meshmetrics       faces of voxels; as deepmind
distorch          corners weighted by faces; percentiles unweighted
seg_metrics       thick border, open at the end of the image; as medpy; every empty case is 0
itk_set           whole masks; mean of two means
plastimatch       inner voxels; mean of two percentiles, each of an element, and mean of two means
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UsageError
from ..statistics.bands import Bands, bands
from ..statistics.surface import Directed, Surface, surface, together
from ._metric import Values, metric, ratio

__all__ = [
    "assd", "boundary_f1", "boundary_iou", "boundary_precision", "boundary_recall", "hausdorff", "masd", "nsd",
    "trimap_iou",
]  # fmt: skip

NAN, INF = math.nan, math.inf
EPSILON = 1e-9  # a distance equals a tolerance within this share of it, and of one


@dataclass(frozen=True)
class Rule:
    """The rules of a convention.

    model       what stands for a surface; `nsd_model` for NSD where that is another
    open        elements on the end of the image are left out
    percentile  "largest" or "mean" of the two directions', or that of both "together"; at 100 never the mean
    quantile    "weight": the least distance that reaches that share of the weight; "linear": between elements, which
                count one each; "below": of the last element but one that the share holds
    assd        "pooled" over both surfaces, or the "mean" of two means
    nsd         the same for shares
    none        distance and share of two empty masks
    missed      distance, distance at a percentile below 100, mean distance and share where one mask is empty
    exact       a tolerance is compared as it is, without room for rounding
    """

    model: str = "inner"
    nsd_model: str | None = None
    open: bool = False
    percentile: str = "largest"
    quantile: str = "linear"
    assd: str = "pooled"
    nsd: str = "pooled"
    none: tuple[float, float] = (NAN, NAN)
    missed: tuple[float, float, float, float] = (INF, INF, INF, 0.0)
    exact: bool = True


RULES: Mapping[str, Rule] = {
    "mesh": Rule("mesh", quantile="weight", exact=False),
    "deepmind": Rule("corners", quantile="weight", none=(INF, NAN), missed=(INF, INF, INF, 0.0)),
    "monai": Rule(missed=(INF, NAN, INF, 0.0)),
    "monai_subvoxel": Rule(nsd_model="corners", missed=(INF, NAN, INF, 0.0)),
    "medpy": Rule(percentile="together", missed=(NAN, NAN, NAN, NAN)),
    "panoptica": Rule(percentile="together", assd="mean", nsd="mean", missed=(NAN, NAN, NAN, NAN)),
    "metricsreloaded": Rule(none=(0.0, 1.0), missed=(NAN, NAN, NAN, 0.0)),
    "meshmetrics": Rule("faces", quantile="weight", none=(0.0, 1.0), exact=False),
    "distorch": Rule("shared", missed=(NAN, NAN, NAN, NAN)),
    "seg_metrics": Rule("thick", open=True, percentile="together", none=(0.0, NAN), missed=(0.0, 0.0, 0.0, NAN)),
    "itk_set": Rule("whole", assd="mean", missed=(NAN, NAN, NAN, NAN)),
    "plastimatch": Rule(percentile="mean", quantile="below", assd="mean", missed=(INF, INF, INF, NAN)),
}


def rule_of(convention: str | None) -> Rule:
    """The rules of a convention by its name; None is the default. Raises UsageError."""
    if convention is not None and convention not in RULES:
        raise UsageError(f"no convention of boundaries is called {convention!r}; there are {', '.join(RULES)}")
    return RULES[convention or "mesh"]


def _asks(params: Mapping[str, Any]) -> dict[str, Any]:
    """How the surface is to be measured for a metric."""
    rule = rule_of(params.get("convention"))
    return {"model": rule.model, **({"edge": "open"} if rule.open else {})}


def _asks_nsd(params: Mapping[str, Any]) -> dict[str, Any]:
    rule = rule_of(params.get("convention"))
    return {**_asks(params), "model": rule.nsd_model or rule.model}


def _asks_band(params: Mapping[str, Any]) -> dict[str, Any]:
    if params.get("convention") not in (None, "coco"):
        raise UsageError(f"boundary_iou knows the convention coco, not {params['convention']!r}")
    coco = params.get("convention") == "coco"
    return {"width": params["width"], "ratio": coco, "chessboard": coco}


def _asks_trimap(params: Mapping[str, Any]) -> dict[str, Any]:
    return {"width": params["width"], "around": True}


@metric(surface, per="class", better="lower", headline="images", bounds=(0.0, INF), resampled=False, wants=_asks)
def hausdorff(
    s: Surface, percentile: float = 100, convention: str | None = None, empty: str | float | None = None,
    direction: str | None = None,
) -> Values:  # fmt: skip
    """Hausdorff distance (HD, HD95 at `percentile=95`): the greatest distance from one surface to the other.

    max(Q(D_gt), Q(D_pred)) with Q the percentile: the least distance within which that share of the surface lies.
    Range 0 to infinity, in the unit of the spacing. Undefined where both masks are empty, infinite where one is.
    Hides: everything but the worst place: one stray voxel decides at percentile 100, and a percentile drops the
    worst few percent unseen.
    Use: where the greatest error counts (radiotherapy, surgery), with `assd` beside it; `percentile=95` where the
    ground truth has specks. `maskmeter explain RUN hausdorff` and `maskmeter.hausdorff_cause` say what decides it.
    Differs: MedPy, panoptica and seg-metrics take one percentile of both directions together; MONAI and others count
    voxels instead of area, so that slices far apart weigh too little. At 100 it is the most fragile of numbers: one
    voxel decides.
    Reference: Huttenlocher et al., IEEE TPAMI 1993; Podobnik and Vrtovec, arXiv 2410.02630.

    >>> a, b = np.zeros((2, 9, 9), bool)
    >>> a[2:5, 2:5], b[2:5, 4:7] = True, True  # moved by two pixels
    >>> round(hausdorff(a, b), 9)
    2.0
    """
    if not 0 < percentile <= 100:
        raise UsageError(f"a percentile lies above 0 and is at most 100, not {percentile}")
    rule = rule_of(convention)

    def value(g: Directed, p: Directed) -> float:
        if direction is None and rule.percentile == "together":
            return percentile_of(together([g, p]), percentile, rule)
        sides = [percentile_of(d, percentile, rule) for d in _chosen(g, p, direction)]
        return sum(sides) / len(sides) if rule.percentile == "mean" and percentile < 100 else max(sides)

    return _each(s, value, rule.none[0], rule.missed[0 if percentile == 100 else 1], empty)


@metric(surface, per="class", better="lower", headline="images", bounds=(0.0, INF), resampled=False, wants=_asks)
def assd(
    s: Surface, convention: str | None = None, empty: str | float | None = None, direction: str | None = None
) -> Values:
    """Average symmetric surface distance: the mean distance over both surfaces together, weighted by area.

    (sum of w d over both) / (sum of w over both). Range 0 to infinity. Undefined where both masks are empty, infinite
    where one is. The larger surface weighs more; `masd` gives both the same weight.
    Hides: rare large errors, which a long correct surface dilutes; and which side errs.
    Use: for the typical distance of boundaries, with `hausdorff` for the worst; not where objects may be missing
    altogether.
    Differs: panoptica calls `masd` by this name; MONAI's default is one direction alone, from the prediction.
    Reference: Heimann et al., IEEE TMI 2009.

    >>> a, b = np.zeros((2, 9, 9), bool)
    >>> a[2:4, 2:7], b[2:6, 2:7] = True, True
    >>> assd(a, a), 0 < assd(a, b) < 2
    (0.0, True)
    """
    rule = rule_of(convention)

    def value(g: Directed, p: Directed) -> float:
        sides = _chosen(g, p, direction)
        if rule.assd == "mean":
            return sum(map(_mean, sides)) / len(sides)
        return math.fsum(float(d.distance @ d.weight) for d in sides) / math.fsum(d.total for d in sides)

    return _each(s, value, rule.none[0], rule.missed[2], empty)


@metric(surface, per="class", better="lower", headline="images", bounds=(0.0, INF), resampled=False, wants=_asks)
def masd(
    s: Surface, convention: str | None = None, empty: str | float | None = None, direction: str | None = None
) -> Values:
    """Mean average surface distance: the mean of the two directed mean distances.

    (mean of D_gt + mean of D_pred) / 2, each weighted by area. Range 0 to infinity. Undefined where both masks are
    empty, infinite where one is.
    Hides: rare large errors, as `assd`; a small surface weighs as much as a large one.
    Use: where the two sides differ much in size and each shall count half; else `assd`.
    Reference: Maier-Hein et al., Metrics reloaded, Nature Methods 2024.

    >>> a, b = np.zeros((2, 9, 9), bool)
    >>> a[2:5, 2:5], b[2:5, 4:7] = True, True
    >>> masd(a, b) == masd(b, a)
    True
    """
    rule = rule_of(convention)

    def value(g: Directed, p: Directed) -> float:
        sides = _chosen(g, p, direction)
        return sum(map(_mean, sides)) / len(sides)

    return _each(s, value, rule.none[0], rule.missed[2], empty)


@metric(surface, per="class", headline="images", resampled=False, wants=_asks_nsd)
def nsd(s: Surface, tolerance: float, convention: str | None = None, empty: str | float | None = None) -> Values:
    """Normalised surface distance (NSD, surface Dice): the share of both surfaces that lies within the tolerance.

    (w of D_gt <= tolerance + w of D_pred <= tolerance) / (all w of both). Range 0 to 1. Undefined where both masks
    are empty, 0 where one is. The tolerance is in the unit of the spacing; below the size of a voxel it asks for more
    than the grid can tell.
    Hides: how far off the rest is: beyond the tolerance all distances are alike.
    Use: where deviations below a known limit (inter-rater, planning margin) do not matter; take the tolerance from
    there, never below the voxel size.
    Differs: MONAI and MetricsReloaded count voxels, panoptica takes the mean of the two shares.
    Reference: Nikolov et al., J Med Internet Res 2021.

    >>> a, b = np.zeros((2, 9, 9), bool)
    >>> a[2:5, 2:5], b[2:5, 4:7] = True, True
    >>> nsd(a, b, tolerance=2), nsd(a, a, tolerance=0)
    (1.0, 1.0)
    """
    rule = rule_of(convention)
    limit = _limit(tolerance, rule)

    def value(g: Directed, p: Directed) -> float:
        if rule.nsd == "mean":
            return (_within(g, limit) / g.total + _within(p, limit) / p.total) / 2
        return (_within(g, limit) + _within(p, limit)) / (g.total + p.total)

    return _each(s, value, rule.none[1], rule.missed[3], empty, best=1.0)


@metric(surface, per="class", headline="images", resampled=False, wants=_asks_nsd)
def boundary_precision(
    s: Surface, tolerance: float, convention: str | None = None, empty: str | float | None = None
) -> Values:
    """Boundary precision: the share of the predicted surface that lies within the tolerance of the true one.

    Range 0 to 1. Undefined where both masks are empty, 0 where one is.
    Hides: missed boundaries: predicting a single sure piece gives 1.
    Use: with `boundary_recall`, to see whether the model draws too much or too little.

    >>> a, b = np.zeros((2, 9, 9), bool)
    >>> a[2:5, 2:5], b[2:5, 4:7] = True, True
    >>> boundary_precision(a, b, tolerance=2)
    1.0
    """
    rule = rule_of(convention)
    limit = _limit(tolerance, rule)
    return _each(s, lambda _, p: _within(p, limit) / p.total, rule.none[1], rule.missed[3], empty, best=1.0)


@metric(surface, per="class", headline="images", resampled=False, wants=_asks_nsd)
def boundary_recall(
    s: Surface, tolerance: float, convention: str | None = None, empty: str | float | None = None
) -> Values:
    """Boundary recall: the share of the true surface that lies within the tolerance of the predicted one.

    Range 0 to 1. Undefined where both masks are empty, 0 where one is.
    Hides: invented boundaries: predicting edges everywhere gives 1.
    Use: with `boundary_precision`, to see whether the model draws too much or too little.

    >>> a, b = np.zeros((2, 9, 9), bool)
    >>> a[2:5, 2:5], b[2:5, 4:7] = True, True
    >>> boundary_recall(a, b, tolerance=2)
    1.0
    """
    rule = rule_of(convention)
    limit = _limit(tolerance, rule)
    return _each(s, lambda g, _: _within(g, limit) / g.total, rule.none[1], rule.missed[3], empty, best=1.0)


@metric(surface, per="class", headline="images", resampled=False, wants=_asks_nsd)
def boundary_f1(
    s: Surface, tolerance: float, convention: str | None = None, empty: str | float | None = None
) -> Values:
    """Boundary F1 (BF score): the harmonic mean of `boundary_precision` and `boundary_recall`.

    Range 0 to 1. Undefined where both masks are empty, 0 where one is.
    Hides: the size of the objects and how far off the rest is; precision and recall may trade places.
    Use: for contours and thin structures; for volumes in mm prefer `nsd`, which weighs by area.
    Reference: Csurka et al., What is a good evaluation measure for semantic segmentation?, BMVC 2013.

    >>> a, b = np.zeros((2, 9, 9), bool)
    >>> a[2:5, 2:5], b[2:5, 4:7] = True, True
    >>> boundary_f1(a, b, tolerance=2)
    1.0
    """
    rule = rule_of(convention)
    limit = _limit(tolerance, rule)

    def value(g: Directed, p: Directed) -> float:
        precision, recall = _within(p, limit) / p.total, _within(g, limit) / g.total
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    return _each(s, value, rule.none[1], rule.missed[3], empty, best=1.0)


@metric(bands, per="class", headline="images", resampled=False, wants=_asks_band)
def boundary_iou(b: Bands, width: float, convention: str | None = None) -> Values:
    """Boundary IoU: the IoU of the bands of both masks along their boundaries.

    |G n P| / |G u P| with G and P the pixels of each mask no further than `width` from a pixel outside, in the unit
    of the spacing. Range 0 to 1. Undefined where both masks are empty, 0 where one is.
    `convention=coco`: the width is a share of the image's diagonal (0.02 for COCO and LVIS), rounded to pixels, at
    least one, and distances are those of a 3 x 3 square.
    Hides: errors deep inside large objects, which lie outside the bands.
    Use: for the quality of contours of large objects, where `iou` is near 1 whatever the edge; with `iou` beside
    it.
    Differs: MetricsReloaded measures from the centres of border pixels, without spacing.
    Reference: Cheng et al., Boundary IoU, CVPR 2021.

    >>> a, b = np.zeros((2, 9, 9), bool)
    >>> a[1:6, 1:6], b[1:6, 1:6] = True, True
    >>> b[3, 3] = False  # the hole has a boundary of its own: 16 + 4 pixels against 16
    >>> boundary_iou(a, b, width=1)
    0.8
    """
    return ratio(b.shared, b.either)


@metric(bands, per="class", headline="images", resampled=False, wants=_asks_trimap)
def trimap_iou(b: Bands, width: float) -> Values:
    """Trimap IoU: the IoU of both masks, only where the boundary of the ground truth is no further than `width`.

    Range 0 to 1. Undefined where neither mask has a pixel in the band. Over several widths it shows how the error
    is spread around boundaries.
    Hides: everything away from the true boundary, objects that were invented there among it.
    Use: to see how errors gather at boundaries, as a curve over the width; `boundary_iou` is the fairer single
    number.
    Reference: Kohli et al., Robust higher order potentials, IJCV 2009.

    >>> a = np.zeros((9, 9), bool)
    >>> a[2:7, 2:7] = True
    >>> trimap_iou(a, a, width=2)
    1.0
    """
    return ratio(b.shared, b.either)


def nsd_curve(s: Surface, class_: int = 1) -> tuple[Values, Values]:
    """Every tolerance at which the NSD of a class changes, ascending, and the NSD from there on."""
    at = s.classes.tolist().index(class_)
    g, p = s.gt[at], s.pred[at]
    distance = np.concatenate([g.distance, p.distance])
    order = np.argsort(distance, kind="stable")
    total = np.cumsum(np.concatenate([g.weight, p.weight])[order])
    last = np.flatnonzero(np.append(np.diff(distance[order]) > 0, True)) if distance.size else np.empty(0, np.int64)
    return distance[order][last], ratio(total[last], g.total + p.total)


# Readings of one pair of directions


def _chosen(g: Directed, p: Directed, direction: str | None) -> list[Directed]:
    if direction not in (None, "gt", "pred"):
        raise UsageError(f"a direction is from gt or from pred, not {direction!r}")
    return [g, p] if direction is None else [g] if direction == "gt" else [p]


def _mean(d: Directed) -> float:
    return float(d.distance @ d.weight) / d.total


def percentile_of(d: Directed, percentile: float, rule: Rule) -> float:
    """The distance within which that share of a surface lies."""
    if percentile == 100:
        return d.farthest if rule.model == "mesh" else float(d.distance.max())
    if rule.quantile != "weight":
        n, ends = int(d.count.sum()), np.cumsum(d.count)
        if rule.quantile == "below":
            at = math.floor(percentile / 100 * n) - 1
            return 0.0 if at < 0 else float(d.distance[np.searchsorted(ends, at, side="right")])
        at = percentile / 100 * (n - 1)
        low, high = d.distance[np.searchsorted(ends, [math.floor(at), math.ceil(at)], side="right")].tolist()
        return low + (high - low) * (at - math.floor(at))
    reached = np.cumsum(d.weight) / np.sum(d.weight)
    share = percentile / 100 * (1 if rule.exact else 1 - 1e-12)
    return float(d.distance[min(int(np.searchsorted(reached, share)), d.distance.size - 1)])


def _limit(tolerance: float, rule: Rule) -> float:
    if not tolerance >= 0:
        raise UsageError(f"a tolerance is 0 or more, not {tolerance}")
    return tolerance if rule.exact else tolerance + EPSILON * max(1.0, tolerance)


def _within(d: Directed, limit: float) -> float:
    n = int(np.searchsorted(d.distance, limit, side="right"))
    return float(d.weight.sum()) if n == d.distance.size else float(d.weight[:n].sum())


def _each(
    s: Surface, value: Callable[[Directed, Directed], float], none: float, missed: float, empty: str | float | None,
    best: float = 0.0,
) -> Values:  # fmt: skip
    """The value of each class, those with empty masks by the rules."""
    if empty == "perfect":
        none = best
    elif empty == "undefined":
        none = missed = NAN
    elif isinstance(empty, int | float):
        missed = float(empty)
    elif empty is not None:
        raise UsageError(f"empty is perfect, undefined or a number, not {empty!r}")
    out: list[float] = []
    for g, p in zip(s.gt, s.pred, strict=True):
        if len(g.missed) or len(p.missed) or (g.total > 0) != (p.total > 0):
            out.append(missed)
        else:
            out.append(value(g, p) if g.total else none)
    return np.array(out)
