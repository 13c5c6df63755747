"""What is concluded. A metric is a formula over one statistic; it is found here by its name.

regions     over confusion   accuracy, iou, dice, precision, recall, kappa, ...
curves      over scores      roc_auc, average_precision, brier, ece, ...
objects     over object_scores  froc_score, froc_sensitivity, best_object_f1: whole objects against the threshold
detections  over detections  ap, ap50, ap_small, ar_100, ap_rare, ...
error_types  over encounters  ap_gain, detection_errors
operating   over detections  detection_precision, detection_f1, best_score, detection_ece, ... at one score
instances   over overlap     object_precision, object_f1, pq, aji, splits, ...
boundaries  over surface    hausdorff, assd, masd, nsd, boundary_f1; over bands boundary_iou, trimap_iou
partitions  over overlap     voi_split, voi_merge, adapted_rand_error, rand_index
topology    over topology    betti_error, euler_error, cl_dice

The chapters are imported when the first of these names is asked for (see `every`); one alone costs less:
`from maskmeter.metrics.detections import ap`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# ruff: noqa: F403, F405
if TYPE_CHECKING:
    from .every import *

__all__ = [
    "METRICS", "DetectionConfusion", "DetectionCurve", "DetectionReliability", "FrocCurve", "Metric", "ObjectCurve",
    "PerClass", "PrCurve", "ReliabilityCurve", "RocCurve", "ThresholdCurve", "Values", "accuracy", "adapted_rand_error",
    "aji", "aji_plus", "ap", "ap50", "ap75", "ap_common", "ap_frequent", "ap_gain", "ap_large", "ap_medium", "ap_rare",
    "ap_small", "ar_1", "ar_10", "ar_100", "ar_300", "ar_large", "ar_medium", "ar_small", "asked", "assd",
    "average_precision", "average_precision_error", "best_object_f1", "best_score", "best_threshold", "betti_error",
    "boundary_ap", "boundary_ap50", "boundary_ap75", "boundary_ap_large", "boundary_ap_medium", "boundary_ap_small",
    "boundary_f1", "boundary_iou", "boundary_pq", "boundary_precision", "boundary_recall", "brier", "cl_dice",
    "count_error", "detection_confusion", "detection_curve", "detection_ece", "detection_errors", "detection_f1",
    "detection_precision", "detection_recall", "detection_reliability", "dice", "ece", "euler_error", "fbeta",
    "frequency_weighted_iou", "froc_curve", "froc_score", "froc_sensitivity", "hausdorff", "iou", "kappa", "log_loss",
    "macro", "masd", "matched_boundary_iou", "mcc", "mce", "mean_accuracy", "mean_dice", "mean_iou", "mean_matched_iou",
    "merges", "metric", "micro", "nsd", "nsd_curve", "object_accuracy", "object_curve", "object_f1", "object_precision",
    "object_recall", "parse", "pq", "pr_curve", "precision", "rand_index", "recall", "recall_at", "reliability_curve",
    "roc_auc", "roc_auc_error", "roc_curve", "rq", "sbd", "seg", "sensitivity_at", "specificity", "splits", "sq",
    "threshold_curve", "trimap_iou", "voi_merge", "voi_split", "volume_difference",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:  # a chapter, or a name that is not known
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import every

    globals().update({known: getattr(every, known) for known in __all__})
    return globals()[name]
