"""What is concluded. A metric is a formula over one statistic; it is found here by its name.

regions     over confusion   accuracy, iou, dice, precision, recall, kappa, ...
curves      over scores      roc_auc, average_precision, brier, ece, ...
cityscapes  over overlap     ap, ap50
instances   over overlap     object_precision, object_f1, pq, aji, splits, ...
partitions  over overlap     voi_split, voi_merge, adapted_rand_error, rand_index
"""

from ._metric import METRICS, Metric, PerClass, Values, metric, parse
from .cityscapes import ap, ap50
from .curve_points import (
    FrocCurve,
    PrCurve,
    ReliabilityCurve,
    RocCurve,
    ThresholdCurve,
    froc_curve,
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
from .instances import (
    aji,
    aji_plus,
    count_error,
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
from .object_curves import ObjectCurve, object_curve
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

__all__ = [
    "METRICS", "FrocCurve", "Metric", "ObjectCurve", "PerClass", "PrCurve", "ReliabilityCurve", "RocCurve",
    "ThresholdCurve", "Values", "accuracy", "adapted_rand_error", "aji", "aji_plus", "ap", "ap50",
    "average_precision", "average_precision_error", "best_threshold", "brier", "count_error", "dice", "ece",
    "fbeta", "frequency_weighted_iou", "froc_curve", "iou", "kappa", "log_loss", "macro", "mcc", "mce",
    "mean_accuracy", "mean_dice", "mean_iou", "mean_matched_iou", "merges", "metric", "micro", "object_accuracy",
    "object_curve", "object_f1", "object_precision", "object_recall", "parse", "pq", "pr_curve", "precision",
    "rand_index", "recall", "recall_at", "reliability_curve", "roc_auc", "roc_auc_error", "roc_curve", "rq", "sbd",
    "seg", "sensitivity_at", "specificity", "splits", "sq", "threshold_curve", "voi_merge", "voi_split",
    "volume_difference",
]  # fmt: skip
