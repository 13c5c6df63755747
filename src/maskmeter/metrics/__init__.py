"""What is concluded. A metric is a formula over one statistic; it is found here by its name.

regions     over confusion   accuracy, iou, dice, precision, recall, kappa, ...
curves      over scores      roc_auc, average_precision, brier, ece, ...
objects     over object_scores  froc_score, froc_sensitivity, best_object_f1: whole objects against the threshold
detections  over detections  ap, ap50, ap_small, ar_100, ap_rare, ...
detection_errors  over encounters  ap_gain, detection_errors
operating   over detections  detection_precision, detection_f1, best_score, detection_ece, ... at one score
instances   over overlap     object_precision, object_f1, pq, aji, splits, ...
boundaries  over surface    hausdorff, assd, masd, nsd, boundary_f1; over bands boundary_iou, trimap_iou
partitions  over overlap     voi_split, voi_merge, adapted_rand_error, rand_index
topology    over topology    betti_error, euler_error, cl_dice
"""

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
from .detection_errors import ap_gain, detection_errors
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
from .instances import (
    aji,
    aji_plus,
    boundary_pq,
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
    "macro", "masd", "mcc", "mce", "mean_accuracy", "mean_dice", "mean_iou", "mean_matched_iou", "merges", "metric",
    "micro", "nsd", "nsd_curve", "object_accuracy", "object_curve", "object_f1", "object_precision", "object_recall",
    "parse", "pq", "pr_curve", "precision", "rand_index", "recall", "recall_at", "reliability_curve", "roc_auc",
    "roc_auc_error", "roc_curve", "rq", "sbd", "seg", "sensitivity_at", "specificity", "splits", "sq",
    "threshold_curve", "trimap_iou", "voi_merge", "voi_split", "volume_difference",
]  # fmt: skip
