"""Detections judged plainly, one image, class, threshold and detection after the other, as COCO describes it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

EPS = np.spacing(1.0)


def box_iou(d: Any, g: Any, crowd: bool) -> float:
    w = min(d[0] + d[2], g[0] + g[2]) - max(d[0], g[0])
    h = min(d[1] + d[3], g[1] + g[3]) - max(d[1], g[1])
    if w <= 0 or h <= 0:
        return 0.0
    inside = w * h
    return inside / (d[2] * d[3] if crowd else d[2] * d[3] + g[2] * g[3] - inside)


def match(
    iou: NDArray[Any], dt_area: Any, gt_area: Any, ignore: Any, crowd: Any, unmarked: Any, threshold: float, low: float,
    high: float,
) -> tuple[list[bool], list[bool]]:  # fmt: skip
    """(D, G) IoU of detections in their order: which are matched, which are left out."""
    aside = [bool(i or a < low or a > high) for i, a in zip(ignore, gt_area, strict=True)]
    order = sorted(range(len(aside)), key=lambda g: aside[g])
    taken, hits, out = set[int](), list[bool](), list[bool]()
    for d, area in enumerate(dt_area):
        best, m = min(threshold, 1 - 1e-10), -1
        for g in order:
            if g in taken and not crowd[g]:
                continue
            if m > -1 and not aside[m] and aside[g]:
                break
            if iou[d, g] < best:
                continue
            best, m = iou[d, g], g
        if m > -1:
            taken.add(m)
        hits.append(m > -1 and not unmarked[m])
        out.append((m > -1 and aside[m]) or (not hits[-1] and (area < low or area > high)))
    return hits, out


def curve(
    score: Any, hit: Any, out: Any, objects: int, recalls: Any, at_changes: bool = False
) -> tuple[list[float], list[float], float]:
    """Precision and score at each recall, and the recall, of detections in their order of images."""
    if objects == 0:
        return [-1.0] * len(recalls), [-1.0] * len(recalls), -1.0
    order = np.argsort(-np.asarray(score), kind="stable")
    score, hit, out = (np.asarray(x)[order] for x in (score, hit, out))
    tp, fp = np.cumsum(hit & ~out).astype(float), np.cumsum(~hit & ~out).astype(float)
    if at_changes and score.size:
        last = np.append(score[1:] != score[:-1], True)
        score, tp, fp = score[last], tp[last], fp[last]
    recall, precision = tp / objects, tp / (fp + tp + EPS)
    for i in range(len(precision) - 1, 0, -1):
        precision[i - 1] = max(precision[i - 1], precision[i])
    q, s = [0.0] * len(recalls), [0.0] * len(recalls)
    for r, at in enumerate(np.searchsorted(recall, recalls, side="left")):
        if at == len(recall):
            break
        q[r], s[r] = float(precision[at]), float(score[at])
    return q, s, float(recall[-1]) if recall.size else 0.0
