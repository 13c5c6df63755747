"""Plain twin of the object metrics: dense matrices and loops over every pair of masks, written to be read."""

from __future__ import annotations

from itertools import permutations, product
from math import log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

Masks = list[NDArray[np.bool_]]


def masks(ids: NDArray[Any]) -> Masks:
    """The mask of every object; 0 is background."""
    return [ids == i for i in np.unique(ids) if i != 0]


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


def table(gt: Masks, pred: Masks, score: Any = iou) -> NDArray[np.float64]:
    """The score of every pair, those that share nothing included."""
    return np.array([[score(a, b) for b in pred] for a in gt], np.float64).reshape(len(gt), len(pred))


def matched(scores: NDArray[np.float64], at: float, strict: bool = False) -> list[tuple[int, int]]:
    """The one-to-one matching of the greatest total score among pairs that reach `at`: every one is tried."""
    weights = np.where(scores > at if strict else scores >= at, scores, 0.0)
    turned = weights.shape[0] > weights.shape[1]
    small = weights.T if turned else weights
    best, chosen = -1.0, list[tuple[int, int]]()
    for order in permutations(range(small.shape[1]), small.shape[0]):
        total = sum(small[i, j] for i, j in enumerate(order))
        if total > best:
            best, chosen = total, [(i, j) for i, j in enumerate(order) if small[i, j] > 0]
    return [(j, i) for i, j in chosen] if turned else chosen


def tally(gt: NDArray[Any], pred: NDArray[Any], at: float, strict: bool = False) -> tuple[int, int, int, float]:
    """TP, FP, FN and the sum of the matches' IoU."""
    a, b = masks(gt), masks(pred)
    scores = table(a, b)
    found = matched(scores, at, strict)
    return len(found), len(b) - len(found), len(a) - len(found), float(sum(scores[i, j] for i, j in found))


def panoptic(
    gt: NDArray[Any], pred: NDArray[Any], gt_classes: dict[int, int], pred_classes: dict[int, int], crowds: set[int]
) -> dict[int, tuple[float, int, int, int]]:
    """Sum of IoU, TP, FP and FN of each class by panopticapi's rules; id 0 is void."""
    sums = {c: [0.0, 0, 0, 0] for c in {*gt_classes.values(), *pred_classes.values()}}
    found_gt, found_pred = set[int](), set[int]()
    for g in sorted(gt_classes):
        for p in sorted(pred_classes):
            a, b = gt == g, pred == p
            if g in crowds or gt_classes[g] != pred_classes[p] or not (a & b).any():
                continue
            score = (a & b).sum() / (a.sum() + b.sum() - (a & b).sum() - (b & (gt == 0)).sum())
            if score > 0.5:
                sums[gt_classes[g]][0] += score
                sums[gt_classes[g]][1] += 1
                found_gt.add(g)
                found_pred.add(p)
    crowd_of = {}
    for g, c in gt_classes.items():
        if g in crowds:
            crowd_of[c] = g
        elif g not in found_gt:
            sums[c][3] += 1
    for p, c in pred_classes.items():
        b = pred == p
        excused = (
            (b & (gt == 0)).sum() + (b & (gt == crowd_of[c])).sum() * 1 if c in crowd_of else (b & (gt == 0)).sum()
        )
        if p not in found_pred and excused / b.sum() <= 0.5:
            sums[c][2] += 1
    return {c: (x[0], x[1], x[2], x[3]) for c, x in sums.items()}


def cityscapes(
    gt: NDArray[Any], pred: NDArray[Any], classes: tuple[dict[int, int], dict[int, int]], groups: set[int], at: float,
    least: int,
) -> dict[int, tuple[int, int, int]]:  # fmt: skip
    """TP, FP and FN of each class as Cityscapes counts instances at one threshold; id 0 is void."""
    gt_classes, pred_classes = classes
    ignored = {g for g in gt_classes if g in groups or (gt == g).sum() < least}
    found = {c: [0, 0, 0] for c in {*gt_classes.values(), *pred_classes.values()}}
    for g in set(gt_classes) - ignored:
        hit = any(iou(gt == g, pred == p) > at for p, c in pred_classes.items() if c == gt_classes[g])
        found[gt_classes[g]][0 if hit else 2] += 1
    for p, c in pred_classes.items():
        b = pred == p
        mine = [g for g in gt_classes if gt_classes[g] == c]
        void = (b & (gt == 0)).sum()
        void += sum((b & (gt == g)).sum() * (int(g in groups) + int((gt == g).sum() < least)) for g in mine)
        if not any(iou(gt == g, b) > at for g in mine) and not void / b.sum() > at:
            found[c][1] += 1
    return {c: (x[0], x[1], x[2]) for c, x in found.items()}


def semantic_kitti(
    gt: NDArray[Any], pred: NDArray[Any], gt_classes: dict[int, int], pred_classes: dict[int, int], least: int
) -> dict[int, tuple[float, float, float]]:
    """PQ, SQ and RQ of each class as SemanticKITTI counts them, without the points that are void (0)."""
    gt, pred = gt[gt != 0], pred[gt != 0]
    out: dict[int, tuple[float, float, float]] = {}
    for c in {*gt_classes.values(), *pred_classes.values()}:
        a = [gt == i for i, x in gt_classes.items() if x == c]
        b = [y for y in (pred == i for i, x in pred_classes.items() if x == c) if y.any()]
        good = [(i, j, iou(x, y)) for i, x in enumerate(a) for j, y in enumerate(b) if iou(x, y) > 0.5]
        fn = sum(x.sum() >= least for i, x in enumerate(a) if i not in {g[0] for g in good})
        fp = sum(y.sum() >= least for j, y in enumerate(b) if j not in {g[1] for g in good})
        sq = sum(g[2] for g in good) / max(len(good), 1e-15)
        rq = len(good) / max(len(good) + 0.5 * fp + 0.5 * fn, 1e-15)
        out[c] = sq * rq, sq, rq
    return out


def aji(gt: NDArray[Any], pred: NDArray[Any]) -> float:
    """Of equally good predictions, every choice is tried: that which leaves fewest pixels unused is taken."""
    a, b = masks(gt), masks(pred)
    best: dict[int, list[int]] = {}
    for i, x in enumerate(a):
        scores = [(iou(x, y), (x & y).sum()) for y in b]
        if any(s[0] > 0 for s in scores):
            best[i] = [j for j, s in enumerate(scores) if s == max(scores)]
    return max(_aggregated(a, b, list(zip(best, choice, strict=True))) for choice in product(*best.values()))


def aji_plus(gt: NDArray[Any], pred: NDArray[Any]) -> float:
    a, b = masks(gt), masks(pred)
    return _aggregated(a, b, matched(table(a, b), 0.0, strict=True))


def _aggregated(a: Masks, b: Masks, pairs: list[tuple[int, int]]) -> float:
    shared = sum((a[i] & b[j]).sum() for i, j in pairs)
    whole = sum((a[i] | b[j]).sum() for i, j in pairs)
    whole += sum(x.sum() for i, x in enumerate(a) if i not in {i for i, _ in pairs})
    whole += sum(y.sum() for j, y in enumerate(b) if j not in {j for _, j in pairs})
    return shared / whole if whole else np.nan


def sbd(gt: NDArray[Any], pred: NDArray[Any]) -> float:
    a, b = masks(gt), masks(pred)
    if not a or not b:
        return 0.0 if a or b else np.nan
    dice = table(a, b, lambda x, y: 2 * (x & y).sum() / (x.sum() + y.sum()))
    return float(min(dice.max(axis=1).mean(), dice.max(axis=0).mean()))


def seg(gt: NDArray[Any], pred: NDArray[Any]) -> float:
    a, b = masks(gt), masks(pred)
    covering = [next((iou(x, y) for y in b if 2 * (x & y).sum() > x.sum()), 0.0) for x in a]
    return float(np.mean(covering)) if a else np.nan


def splits(gt: NDArray[Any], pred: NDArray[Any]) -> int:
    return sum(sum(2 * (x & y).sum() > y.sum() for y in masks(pred)) >= 2 for x in masks(gt))


def voi(gt: NDArray[Any], pred: NDArray[Any]) -> tuple[float, float]:
    """H(prediction | ground truth) and H(ground truth | prediction) in bits; the background is a segment."""
    n = gt.size
    split = merge = 0.0
    for i in np.unique(gt):
        for j in np.unique(pred):
            if shared := int(((gt == i) & (pred == j)).sum()):
                split -= shared / n * log2(shared / (gt == i).sum())
                merge -= shared / n * log2(shared / (pred == j).sum())
    return split, merge


def pairs_of_pixels(gt: NDArray[Any], pred: NDArray[Any]) -> tuple[int, int, int, int]:
    """Pairs of different pixels: together on both sides, in the ground truth, in the prediction, and all."""
    i, j = np.triu_indices(gt.size, 1)
    x, y = gt.ravel(), pred.ravel()
    a, b = x[i] == x[j], y[i] == y[j]
    return int((a & b).sum()), int(a.sum()), int(b.sum()), i.size
