"""Asked: which metrics are computed where nobody asks, and what metrics need counted beside the usual."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .errors import UsageError
from .facts import Facts
from .metrics import METRICS, Metric, assd, hausdorff, masd, nsd, parse
from .metrics.detections import TWELVE
from .readings import statistics_of
from .records import Records
from .shapes import SHAPES
from .statistics.details import Wanted
from .statistics.encounters import KINDS, SPECIAL
from .statistics.object_scores import ObjectScores
from .statistics.overlap import Overlap
from .statistics.shape import Need, Needs

QUALITY = ("pq", "sq", "rq")
SIZES = ("small", "medium", "large")
HEADLINES = {
    "cityscapes": ("ap", "ap50"),
    "tide": (
        "ap50",
        *(f"ap_gain(kind={k})" for k in (*KINDS, *SPECIAL)),
        *(f"detection_errors(kind={k})" for k in KINDS),
    ),
    "lvis": (*TWELVE[:6], "ap_rare", "ap_common", "ap_frequent", "ar_300", *TWELVE[9:]),
}
BOUNDARIES: tuple[Metric[Any, Any], ...] = (hausdorff, hausdorff.at(percentile=95), assd, masd)


def wanted_by(metrics: Iterable[Metric[Any, Any]]) -> Wanted:
    """What the metrics need beside what is counted anyway. Raises UsageError for boundaries of two widths."""
    needs = [m.needs for m in metrics]
    widths = sorted({n["boundary"] for n in needs if "boundary" in n})
    if len(widths) > 1:
        raise UsageError(f"boundaries have one width in a run, and the metrics want {' and '.join(map(str, widths))}")
    return Wanted(widths[0] if widths else 0.0, any("centres" in n for n in needs))


def needs_of(metrics: Iterable[Metric[Any, Any]]) -> Needs:
    """The statistics that these metrics ask for, which are not counted anyway, and all that they need to know."""
    out: dict[str, tuple[Need, ...]] = {}
    for m in metrics:
        if m.statistic in SHAPES or m.statistic == ObjectScores.name:
            out[m.statistic] = tuple(dict.fromkeys((*out.get(m.statistic, ()), m.need)))
    return out


def default_metrics(facts: Facts | None = None) -> list[Metric[Any, Any]]:
    """What is computed where nobody asks: every metric without a required parameter of the families that fit.

    Objects are matched at IoU 0.5, 0.75 and 0.9. Panoptic quality is there for all classes, things and stuff.
    """
    facts = facts or Facts()
    if facts.task == "detection":
        return [parse(name) for name in (*HEADLINES.get(facts.convention or "", TWELVE),)]
    if facts.task == "panoptic":
        return [METRICS[q].at(**at) for at in ({}, {"among": "things"}, {"among": "stuff"}) for q in QUALITY]
    if Overlap.name in statistics_of(facts):
        overlaps = [m for m in METRICS.values() if m.statistic == Overlap.name and "iou" in m.defaults]
        ranged = [m for m in overlaps if not m.complete and m.at(iou=0.5).complete]
        single = [m for m in METRICS.values() if m.statistic == Overlap.name and m.complete and not m.needs]
        return [*(m.at(iou=iou) for iou in (0.5, 0.75, 0.9) for m in ranged), *single]
    return [m for m in METRICS.values() if m.statistic in statistics_of(facts) and m.complete]


def boundaries_of(records: Records) -> list[Metric[Any, Any]]:
    """What is computed of volumes with spacing where nobody asks: `nsd` is at the coarsest spacing."""
    coarsest = max((max(spacing) for spacing in records.spacings()), default=1.0)
    return [*BOUNDARIES, nsd.at(tolerance=float(f"{coarsest:.6g}"))]
