"""Evaluate semantic, instance and panoptic segmentations.

Label maps and masks are counted into statistics, statistics add up, a metric is a formula over one
statistic, an evaluation keeps the statistics of every image, and a report is a view of it.

>>> import numpy as np, maskmeter as mm
>>> mm.iou(np.array([True, True, False]), np.array([True, False, False]))
0.5
>>> mm.mean_iou(np.array([0, 0, 1, 255]), np.array([0, 1, 1, 1]), ignore=255)
0.5
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__
from .errors import DataError, LabelError, MaskmeterError, MergeError, UsageError
from .evaluation import Evaluation, Row
from .labels import Label, LabelSet
from .masks import LabelMap, label_map
from .metrics import (
    METRICS,
    DetectionConfusion,
    DetectionCurve,
    DetectionReliability,
    FrocCurve,
    Metric,
    ObjectCurve,
    PrCurve,
    ReliabilityCurve,
    RocCurve,
    ThresholdCurve,
    accuracy,
    adapted_rand_error,
    aji,
    aji_plus,
    ap,
    ap50,
    ap75,
    ap_common,
    ap_frequent,
    ap_gain,
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
    assd,
    average_precision,
    average_precision_error,
    best_object_f1,
    best_score,
    best_threshold,
    betti_error,
    boundary_ap,
    boundary_ap50,
    boundary_ap75,
    boundary_ap_large,
    boundary_ap_medium,
    boundary_ap_small,
    boundary_f1,
    boundary_iou,
    boundary_pq,
    boundary_precision,
    boundary_recall,
    brier,
    cl_dice,
    count_error,
    detection_confusion,
    detection_curve,
    detection_ece,
    detection_errors,
    detection_f1,
    detection_precision,
    detection_recall,
    detection_reliability,
    dice,
    ece,
    euler_error,
    fbeta,
    frequency_weighted_iou,
    froc_curve,
    froc_score,
    froc_sensitivity,
    hausdorff,
    iou,
    kappa,
    log_loss,
    macro,
    masd,
    mcc,
    mce,
    mean_accuracy,
    mean_dice,
    mean_iou,
    mean_matched_iou,
    merges,
    metric,
    micro,
    nsd,
    nsd_curve,
    object_accuracy,
    object_curve,
    object_f1,
    object_precision,
    object_recall,
    parse,
    pq,
    pr_curve,
    precision,
    rand_index,
    recall,
    recall_at,
    reliability_curve,
    roc_auc,
    roc_auc_error,
    roc_curve,
    rq,
    sbd,
    seg,
    sensitivity_at,
    specificity,
    splits,
    sq,
    threshold_curve,
    trimap_iou,
    voi_merge,
    voi_split,
    volume_difference,
)  # fmt: skip
from .rle import Masks
from .statistics import (
    CoarseScores,
    Confusion,
    Detections,
    Encounters,
    Overlap,
    Scores,
    Surface,
    Topology,
    class_scores,
    confusion,
    detections,
    encounters,
    overlap,
    scores,
    surface,
    topology,
)  # fmt: skip

if TYPE_CHECKING:
    from .comparison import compare
    from .detecting import read_detections
    from .merging import merge
    from .run import evaluate, open_run

__all__ = [
    "METRICS", "CoarseScores", "Confusion", "DataError", "DetectionConfusion", "DetectionCurve", "DetectionReliability",
    "Detections", "Encounters", "Evaluation", "FrocCurve", "Label", "LabelError", "LabelMap", "LabelSet",
    "MaskmeterError", "Masks", "MergeError", "Metric", "ObjectCurve", "Overlap", "PrCurve", "ReliabilityCurve",
    "RocCurve", "Row", "Scores", "Surface", "ThresholdCurve", "Topology", "UsageError", "__version__", "accuracy",
    "adapted_rand_error", "aji", "aji_plus", "ap", "ap50", "ap75", "ap_common", "ap_frequent", "ap_gain", "ap_large",
    "ap_medium", "ap_rare", "ap_small", "ar_1", "ar_10", "ar_100", "ar_300", "ar_large", "ar_medium", "ar_small",
    "assd", "average_precision", "average_precision_error", "best_object_f1", "best_score", "best_threshold",
    "betti_error", "boundary_ap", "boundary_ap50", "boundary_ap75", "boundary_ap_large", "boundary_ap_medium",
    "boundary_ap_small", "boundary_f1", "boundary_iou", "boundary_pq", "boundary_precision", "boundary_recall", "brier",
    "cl_dice", "class_scores", "compare", "confusion", "count_error", "detection_confusion", "detection_curve",
    "detection_ece", "detection_errors", "detection_f1", "detection_precision", "detection_recall",
    "detection_reliability", "detections", "dice", "ece", "encounters", "euler_error", "evaluate", "fbeta",
    "frequency_weighted_iou", "froc_curve", "froc_score", "froc_sensitivity", "hausdorff", "iou", "kappa", "label_map",
    "log_loss", "macro", "masd", "mcc", "mce", "mean_accuracy", "mean_dice", "mean_iou", "mean_matched_iou", "merge",
    "merges", "metric", "micro", "nsd", "nsd_curve", "object_accuracy", "object_curve", "object_f1", "object_precision",
    "object_recall", "open_run", "overlap", "parse", "pq", "pr_curve", "precision", "rand_index", "read_detections",
    "recall", "recall_at", "reliability_curve", "roc_auc", "roc_auc_error", "roc_curve", "rq", "sbd", "scores", "seg",
    "sensitivity_at", "specificity", "splits", "sq", "surface", "threshold_curve", "topology", "trimap_iou",
    "voi_merge", "voi_split", "volume_difference",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """What reads files is imported when it is asked for."""
    if name in ("evaluate", "open_run"):
        from . import run

        return getattr(run, name)
    if name == "compare":
        from .comparison import compare

        return compare
    if name == "read_detections":
        from .detecting import read_detections

        return read_detections
    if name == "merge":
        from .merging import merge

        return merge
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
