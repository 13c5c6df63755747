"""What another package prints for the same data, and why: its rules, written as a convention of our metrics.

A package is a name that people use (`monai`, `medpy`, `pycocotools`, `stardist`, ...). For a metric it stands for a
parameter of that metric (`hausdorff(convention=monai)`, `dice(empty=perfect)`) or, for detections, for the convention
of the whole run. Why the numbers differ is read off the rules themselves, field by field, so it cannot lag behind them.
What these conventions give is tested against the packages themselves where they can be installed (`make peers`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .errors import UsageError
from .matching import BY_DEFAULT, rules
from .matching import CONVENTIONS as OBJECTS
from .metrics import Metric
from .metrics.boundaries import RULES
from .metrics.instances import STRICT
from .statistics.detection_rules import CONVENTIONS, FIXED, FIXES, rules_of

ALIASES = {
    "surface-distance": "deepmind", "surface_distance": "deepmind", "seg-metrics": "seg_metrics",
    "simpleitk": "itk_set",
    "pycocotools": "coco", "detectron2": "coco-detectron2", "boundary-iou-api": "coco-boundary", "lvis-api": "lvis",
    "tidecv": "tide", "panopticapi": "panoptic", "segmentation-models-pytorch": "smp",
}  # fmt: skip
DETECTIONS = ("detections", "boundary_detections", "encounters")

EMPTY: Mapping[str, tuple[str, str]] = {
    "medpy": ("perfect", "two empty masks are a perfect match"),
    "metricsreloaded": ("perfect", "two empty masks are a perfect match"),
    "smp": ("perfect", "two empty masks are a perfect match"),
    "monai": ("undefined", "every case whose ground truth is empty is left out, whatever was predicted"),
}

MODELS = {
    "mesh": "a mesh (marching squares or cubes) with distances to its triangles, weighted by area",
    "faces": "the faces of voxels, weighted by area",
    "corners": "corners of voxels where the mask begins, weighted by the area of the mesh there",
    "shared": "corners of voxels where the mask begins, weighted by the faces beside them",
    "inner": "centres of the outermost voxels of the mask, each counting one",
    "thick": "centres of the outermost voxels of the mask, diagonal neighbours too, each counting one",
    "whole": "all voxels of the mask, inside too, each counting one",
}
QUANTILES = {
    "weight": "of the area",
    "linear": "interpolated between elements, whatever their area",
    "below": "that of the last element but one, whatever their area",
}
PERCENTILES = {
    "largest": "the larger of the two directions' percentiles",
    "mean": "the mean of the two directions' percentiles",
    "together": "one percentile of both directions together",
}
MEANS = {"pooled": "over both surfaces together", "mean": "the mean of the two directions"}
METHODS = {
    "total": "one to one, of the greatest total", "count": "one to one, as many as possible",
    "greedy": "greedily, the best pair first", "confidence": "greedily, the surest prediction first",
    "many": "several predictions may share an object",
}  # fmt: skip
FLAGS = {
    "single": "scores are rounded to single precision",
    "declared": "sizes of objects are those that the JSON declares",
    "whole": "unions include what a prediction has on void",
    "last_crowd": "of several crowds of a class only the last excuses predictions",
    "regions": "objects of few pixels are not looked for, and excuse predictions",
    "forgiven": "what matches nothing and is small is not counted",
}
QUALITY = ("pq", "sq", "rq")
RESULTS = {
    "panoptic": "SQ of a class without a match is 0",
    "cityscapes": "SQ of a class without a match is 0",
    "stardist": "0 where it is undefined",
    "semantickitti": "a class that does not occur has 0, which is in the mean over classes",
    "monuseg": "1e-6 is added to the denominator",
}
AJI = {
    "monuseg": "of equal IoUs the first id is taken, and 1e-6 is added to unions",
    "cellpose": "partners are one to one from IoU 0.5 on, and the denominator is the union of both foregrounds",
}


@dataclass(frozen=True)
class Elsewhere:
    """A metric under the rules of another package.

    metric      what has to be computed
    convention  of the whole run, where the rules are not the metric's alone
    why         what these rules do otherwise than ours, a sentence each
    """

    metric: Metric[Any, Any]
    convention: str | None
    why: tuple[str, ...]


def elsewhere(metric: Metric[Any, Any], package: str, convention: str | None = None) -> Elsewhere:
    """The metric as `package` computes it; `convention` is that of the run.

    Raises UsageError where the package has no such metric, or none that we know the rules of.

    >>> from maskmeter import dice
    >>> found = elsewhere(dice, "MedPy")
    >>> str(found.metric), found.why
    ('dice(empty=perfect)', ('two empty masks are a perfect match',))
    """
    name = ALIASES.get(package.lower(), package.lower())
    known = _packages(metric)
    if name not in known:
        also = f"there are {', '.join(known)}" if known else "no package is known to compute it by other rules"
        raise UsageError(f"nothing is known of how {package} would compute {metric.name}; {also}")
    if metric.statistic in DETECTIONS:
        return Elsewhere(metric, name, _why_detections(convention, name))
    if metric.statistic == "surface":
        return Elsewhere(metric.at(convention=name), None, _why_boundaries(metric, name))
    if metric.statistic == "overlap":
        return Elsewhere(metric.at(convention=name), None, _why_objects(metric, name))
    if metric.statistic == "bands":
        why = "the width is 2 % of the diagonal of the image in pixels, and distance that of the chessboard"
        return Elsewhere(metric.at(convention=name), None, (why,))
    empty, why = EMPTY[name]
    return Elsewhere(metric.at(empty=empty), None, (why,))


def _packages(metric: Metric[Any, Any]) -> list[str]:
    """The names that `elsewhere` takes for a metric."""
    if metric.statistic in DETECTIONS:
        return [*CONVENTIONS, "cityscapes"]
    if metric.name == "aji":
        return list(AJI)
    if "convention" in metric.defaults:
        return list({"surface": RULES, "overlap": OBJECTS, "bands": ("coco",)}.get(metric.statistic, ()))
    return list(EMPTY) if metric.statistic == "confusion" and "empty" in metric.defaults else []


def _why_boundaries(metric: Metric[Any, Any], name: str) -> tuple[str, ...]:
    given = dict(metric.params).get("convention")
    ours, theirs = RULES[given or "mesh"], RULES[name]
    of_shares = metric.name in ("nsd", "boundary_precision", "boundary_recall", "boundary_f1")
    models = [(r.nsd_model or r.model) if metric.name == "nsd" else r.model for r in (ours, theirs)]
    why = _if_other("a surface is", *(MODELS[m] for m in models))
    why += ["what lies on the end of the image is left out"] if theirs.open and not ours.open else []
    if metric.name == "hausdorff" and dict(metric.params).get("percentile", 100) != 100:
        why += _if_other("taken is", PERCENTILES[ours.percentile], PERCENTILES[theirs.percentile])
        if ours.quantile != theirs.quantile:
            why.append(f"a percentile is {QUANTILES[theirs.quantile]}; ours is {QUANTILES[ours.quantile]}")
    if metric.name in ("assd", "masd", "nsd"):
        field = "nsd" if metric.name == "nsd" else "assd"
        why += _if_other("a mean is", MEANS[getattr(ours, field)], MEANS[getattr(theirs, field)])
    side = 1 if of_shares else 0
    why += _if_other("two empty masks give", _value(ours.none[side]), _value(theirs.none[side]))
    missed = 3 if of_shares else 2 if metric.name in ("assd", "masd") else 0 if _whole(metric) else 1
    why += _if_other("one empty mask gives", _value(ours.missed[missed]), _value(theirs.missed[missed]))
    return tuple(why)


def _whole(metric: Metric[Any, Any]) -> bool:
    return dict(metric.params).get("percentile", 100) == 100


def _why_objects(metric: Metric[Any, Any], name: str) -> tuple[str, ...]:
    if metric.name == "aji":
        return (AJI[name],)
    params, quality = dict(metric.params), metric.name in QUALITY
    default = STRICT if quality else BY_DEFAULT
    # PQ, SQ and RQ of Cityscapes are those of panopticapi.
    theirs = rules("panoptic" if quality and name == "cityscapes" else name, default=default)
    ours = rules(params.get("convention"), params.get("criterion"), params.get("strict"), params.get("method"),
                 params.get("min_pixels"), default)  # fmt: skip
    why = _if_other("a pair is scored by", ours.criterion, theirs.criterion)
    if ours.strict != theirs.strict:
        why.append(f"a match {'must exceed the threshold' if theirs.strict else 'may equal the threshold'}")
    why += _if_other("objects are matched", METHODS[ours.method], METHODS[theirs.method])
    flags = [text for flag, text in FLAGS.items() if getattr(theirs, flag) and not getattr(ours, flag)]
    if ours.excuses and not theirs.excuses:
        flags.append("void and crowds excuse no prediction")
    return (*why, *flags, *([RESULTS[name]] if quality and name in RESULTS else []))


def _why_detections(ours: str | None, theirs: str) -> tuple[str, ...]:
    if "cityscapes" in (ours, theirs):
        return ("Cityscapes: matches above the threshold, no objects below 100 pixels, a trapezoid sum of all scores",)
    a, b = rules_of(ours or FIXED.name), rules_of(theirs)
    said = {name: text for text, change in FIXES.items() for name in change}
    why: list[str] = []
    for f in fields(b):
        if f.name == "name" or getattr(a, f.name) == getattr(b, f.name):
            continue
        if f.name not in said:
            why.append(f"{f.name.replace('_', ' ')}: {_short(getattr(b, f.name))}; ours {_short(getattr(a, f.name))}")
        elif getattr(b, f.name) == getattr(FIXED, f.name):
            why.append(said[f.name])
        else:
            why.append(f"not there: {said[f.name]}")
    return tuple(why)


def _if_other(what: str, ours: str, theirs: str) -> list[str]:
    return [] if ours == theirs else [f"{what} {theirs}; ours {ours}"]


def _value(value: float) -> str:
    return "no value" if value != value else "infinity" if value == float("inf") else f"{value:g}"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) < 60 else text[:56] + " ..."
