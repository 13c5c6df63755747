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
    average_precision,
    average_precision_error,
    best_threshold,
    brier,
    count_error,
    dice,
    ece,
    fbeta,
    frequency_weighted_iou,
    froc_curve,
    iou,
    kappa,
    log_loss,
    macro,
    mcc,
    mce,
    mean_accuracy,
    mean_dice,
    mean_iou,
    mean_matched_iou,
    merges,
    metric,
    micro,
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
    voi_merge,
    voi_split,
    volume_difference,
)  # fmt: skip
from .statistics import CoarseScores, Confusion, Overlap, Scores, class_scores, confusion, overlap, scores

if TYPE_CHECKING:
    from .merging import merge
    from .run import evaluate, open_run

__all__ = [
    "METRICS", "CoarseScores", "Confusion", "DataError", "Evaluation", "FrocCurve", "Label", "LabelError",
    "LabelMap", "LabelSet", "MaskmeterError", "MergeError", "Metric", "ObjectCurve", "Overlap", "PrCurve",
    "ReliabilityCurve", "RocCurve", "Row", "Scores", "ThresholdCurve", "UsageError", "__version__", "accuracy",
    "adapted_rand_error", "aji", "aji_plus", "average_precision", "average_precision_error", "best_threshold",
    "brier", "class_scores", "confusion", "count_error", "dice", "ece", "evaluate", "fbeta",
    "frequency_weighted_iou", "froc_curve", "iou", "kappa", "label_map", "log_loss", "macro", "mcc", "mce",
    "mean_accuracy", "mean_dice", "mean_iou", "mean_matched_iou", "merge", "merges", "metric", "micro",
    "object_accuracy",
    "object_curve", "object_f1", "object_precision", "object_recall", "open_run", "overlap", "parse", "pq",
    "pr_curve", "precision", "rand_index", "recall", "recall_at", "reliability_curve", "roc_auc", "roc_auc_error",
    "roc_curve", "rq", "sbd", "scores", "seg", "sensitivity_at", "specificity", "splits", "sq", "threshold_curve",
    "voi_merge", "voi_split", "volume_difference",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """What reads files is imported when it is asked for."""
    if name in ("evaluate", "open_run"):
        from . import run

        return getattr(run, name)
    if name == "merge":
        from .merging import merge

        return merge
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
