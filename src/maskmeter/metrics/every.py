"""All chapters of metrics: importing it enters every metric in METRICS, in the order of the chapters."""

# ruff: noqa: F401
# pyright: reportUnusedImport=false

from typing import Any

from ._metric import METRICS, Metric, PerClass, Values, asked, metric, parse
from .boundaries import (
    assd,
    boundary_f1,
    boundary_iou,
    boundary_precision,
    boundary_recall,
    hausdorff,
    masd,
    nsd,
    nsd_curve,
    trimap_iou,
)  # fmt: skip
from .curve_points import (
    PrCurve,
    ReliabilityCurve,
    RocCurve,
    ThresholdCurve,
    pr_curve,
    reliability_curve,
    roc_curve,
    threshold_curve,
)  # fmt: skip
from .curves import (
    average_precision,
    average_precision_error,
    best_threshold,
    brier,
    ece,
    log_loss,
    macro,
    mce,
    micro,
    recall_at,
    roc_auc,
    roc_auc_error,
    sensitivity_at,
)  # fmt: skip
from .detections import (
    ap,
    ap50,
    ap75,
    ap_common,
    ap_frequent,
    ap_large,
    ap_medium,
    ap_rare,
    ap_small,
    ar_1,
    ar_10,
    ar_100,
    ar_300,
    ar_large,
    ar_medium,
    ar_small,
    boundary_ap,
    boundary_ap50,
    boundary_ap75,
    boundary_ap_large,
    boundary_ap_medium,
    boundary_ap_small,
)  # fmt: skip
from .error_types import ap_gain, detection_errors
from .instances import (
    aji,
    aji_plus,
    boundary_pq,
    count_error,
    matched_boundary_iou,
    mean_matched_iou,
    merges,
    object_accuracy,
    object_f1,
    object_precision,
    object_recall,
    pq,
    rq,
    sbd,
    seg,
    splits,
    sq,
)  # fmt: skip
from .object_curves import (
    FrocCurve,
    ObjectCurve,
    best_object_f1,
    froc_curve,
    froc_score,
    froc_sensitivity,
    object_curve,
)  # fmt: skip
from .operating import (
    DetectionConfusion,
    DetectionCurve,
    DetectionReliability,
    best_score,
    detection_confusion,
    detection_curve,
    detection_ece,
    detection_f1,
    detection_precision,
    detection_recall,
    detection_reliability,
)  # fmt: skip
from .partitions import adapted_rand_error, rand_index, voi_merge, voi_split
from .regions import (
    accuracy,
    dice,
    fbeta,
    frequency_weighted_iou,
    iou,
    kappa,
    mcc,
    mean_accuracy,
    mean_dice,
    mean_iou,
    precision,
    recall,
    specificity,
    volume_difference,
)  # fmt: skip
from .topology import betti_error, cl_dice, euler_error

CHAPTERS = (
    "boundaries", "curves", "detections", "error_types", "instances", "object_curves", "operating", "partitions",
    "regions", "topology",
)  # fmt: skip


def _in_order(made: Metric[Any, Any]) -> int:
    return CHAPTERS.index(made.chapter) if made.chapter in CHAPTERS else len(CHAPTERS)


# Whichever chapter was imported first, by itself.
for _made in sorted(METRICS.values(), key=_in_order):
    METRICS[_made.name] = METRICS.pop(_made.name)
