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

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__
from .errors import DataError, LabelError, MaskmeterError, MergeError, UsageError

# ruff: noqa: F403, F405
if TYPE_CHECKING:
    from .comparison import compare
    from .judging import read_detections
    from .merging import merge
    from .public import *
    from .run import evaluate, open_run

__all__ = [
    "METRICS", "CoarseScores", "Confusion", "DataError", "DetectionConfusion", "DetectionCurve", "DetectionReliability",
    "Detections", "Encounters", "Evaluation", "FarPart", "FrocCurve", "Label", "LabelError", "LabelMap", "LabelSet",
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
    "frequency_weighted_iou", "froc_curve", "froc_score", "froc_sensitivity", "hausdorff", "hausdorff_cause", "iou",
    "kappa", "label_map", "log_loss", "macro", "masd", "matched_boundary_iou", "mcc", "mce", "mean_accuracy",
    "mean_dice", "mean_iou", "mean_matched_iou", "merge", "merges", "metric", "micro", "nsd", "nsd_curve",
    "object_accuracy", "object_curve", "object_f1", "object_precision", "object_recall", "open_run", "overlap", "parse",
    "pq", "pr_curve", "precision", "rand_index", "read_detections", "recall", "recall_at", "reliability_curve",
    "roc_auc", "roc_auc_error", "roc_curve", "rq", "sbd", "scores", "seg", "sensitivity_at", "specificity", "splits",
    "sq", "surface", "threshold_curve", "topology", "trimap_iou", "voi_merge", "voi_split", "volume_difference",
]  # fmt: skip


READERS = {
    "compare": "comparison", "evaluate": "run", "merge": "merging", "open_run": "run", "read_detections": "judging",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """A name is imported when it is asked for, so that reading two files of detections need not import the rest."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f".{READERS.get(name, 'public')}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
