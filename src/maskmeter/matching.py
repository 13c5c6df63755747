"""Matching: which prediction found which object.

Conventions. Only objects of one class match, within one image; crowds never do. A pair is a candidate when
its score reaches the threshold: at least it, or with `strict` more than it. Above an IoU (or Dice) of 0.5 no
object can be in two candidates, so every candidate is a match and nothing is left to decide. Where objects
are in several candidates, the method decides:

total       one-to-one with the greatest total score
count       one-to-one with the most matches, then the greatest total score of all pairs that share pixels,
            whether they reach the threshold or not (StarDist, cellpose)
greedy      the best-scoring pair first
confidence  predictions in descending confidence, each takes its best object that is free (COCO's order)
many        predictions that lie by more than half on one object are taken together as one (fragments)

One-to-one matching is solved for each connected group of the sparse graph of candidates, so the number of
objects does not matter, only how many hang together.

criterion   score of a pair that shares n pixels, of an object a and a prediction b
iou         n / (a + b - n)
dice        2 n / (a + b)
ior         n / a, the share of the reference (StarDist's iot)
iop         n / b, the share of the prediction
overlap     n / min(a, b)
centre      1 where the centre of the reference lies in the prediction and they share a pixel, else 0
boundary    the IoU of the pixels or of the boundaries, whichever is less (Boundary IoU)

The last two need more than shared pixels: `overlap(gt, pred, centres=True)`, `overlap(gt, pred, boundary=0.02)`.
A minimum overlap is `overlap`, `ior` or `iop` with its threshold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .errors import LabelError, UsageError
from .statistics._sums import counts, firsts
from .statistics.details import asked
from .statistics.overlap import Overlap

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

METHODS = ("total", "count", "greedy", "confidence", "many")
CRITERIA = ("iou", "dice", "ior", "iop", "overlap", "centre", "boundary")
DENSE = 1 << 20  # cells of the largest group that is solved as a full matrix
STRETCH = 1 << 17  # pairs of which the groups are found at a time


@dataclass(frozen=True)
class Rules:
    """How objects are matched.

    criterion   the score of a pair
    strict      whether the score must exceed the threshold
    method      who is matched where an object has several candidates
    single      scores are rounded to single precision
    declared    sizes of ground-truth objects are those that the file declares
    whole       sizes of predictions include their pixels on void
    excuses     whether void and crowds excuse predictions: where more than half of one (or, with `whole`, more than
                the threshold) lies on void or on crowds of its class, it is no false positive
    last_crowd  of several crowds of a class in an image only the last one excuses predictions
    regions     objects with fewer pixels than this are like crowds: nobody looks for them, and they excuse predictions
    forgiven    what matches nothing and has fewer pixels than this is not counted, on either side
    """

    criterion: str = "iou"
    strict: bool = False
    method: str = "total"
    single: bool = False
    declared: bool = False
    whole: bool = False
    excuses: bool = True
    last_crowd: bool = False
    regions: int = 0
    forgiven: int = 0

    @property
    def needs(self) -> dict[str, Any]:
        """What has to be counted beside shared pixels, as `overlap` takes it; the width of boundaries is not said."""
        return {"centres": True} if self.criterion == "centre" else {}

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UsageError(f"method must be one of {', '.join(METHODS)}, not {self.method!r}")
        if self.criterion not in CRITERIA:
            raise UsageError(f"criterion must be one of {', '.join(CRITERIA)}, not {self.criterion!r}")
        if self.forgiven not in range(2**53):
            raise UsageError(f"min_pixels must be a number of pixels, not {self.forgiven!r}")


BY_DEFAULT = Rules()

CONVENTIONS = {
    "stardist": Rules(method="count", single=True),
    "cellpose": Rules(method="count"),
    "panoptic": Rules(strict=True, declared=True, last_crowd=True),
    "monuseg": Rules(strict=True),
    "dsb2018": Rules(),
    "ctc": Rules(criterion="ior", strict=True),
    "coco": Rules(method="confidence"),
    "cityscapes": Rules(strict=True, whole=True, regions=100),
    "semantickitti": Rules(strict=True, excuses=False, forgiven=50),
}


def rules(
    convention: str | None = None,
    criterion: str | None = None,
    strict: bool | None = None,
    method: str | None = None,
    forgiven: int | None = None,
    default: Rules = BY_DEFAULT,
) -> Rules:
    """The rules of a convention (or the default ones), changed by whatever else is given."""
    if convention is not None and convention not in CONVENTIONS:
        raise UsageError(f"convention must be one of {', '.join(CONVENTIONS)}, not {convention!r}")
    if strict not in (None, True, False):
        raise UsageError(f"strict must be True or False, not {strict!r}")
    criterion = "ior" if criterion == "iot" else criterion
    given = {"criterion": criterion, "strict": strict, "method": method, "forgiven": forgiven}
    changed = {k: v for k, v in given.items() if v is not None}
    known = CONVENTIONS.get(convention or "", default)
    return replace(known, **changed) if changed else known


@dataclass(frozen=True, eq=False)
class Matching:
    """Which prediction found which object, as indices of the objects of an `Overlap`.

    gt, pred, score  the matches, ascending by `gt`
    missed           objects that nothing found, of those that are looked for: no crowds
    spurious         predictions that found nothing
    excused          predictions that found nothing and are not held against the model (see `Rules`): those that lie
                     by more than half on void or a crowd of their class
    """

    gt: Ints
    pred: Ints
    score: Floats
    missed: Ints
    spurious: Ints
    excused: Ints


def match(o: Overlap, at: float = 0.5, how: Rules = BY_DEFAULT) -> Matching:
    """The matches whose score reaches `at`.

    >>> from maskmeter.statistics.instances import overlap
    >>> m = match(overlap([7, 7, 0, 9, 9], [1, 1, 2, 2, 0]), at=0.5)
    >>> m.score.tolist(), len(m.missed), len(m.spurious)  # the second pair shares 1 of 3 pixels
    ([1.0], 1, 1)
    """
    known = cast("dict[Any, Matching]", o.memo)
    if (at, how) not in known:
        known[at, how] = _match(o, at, how)
    return known[at, how]


def _match(o: Overlap, at: float, how: Rules) -> Matching:
    wanted = sought(o, how)
    if how.method == "many":
        chosen, score = _gathered(o, at, how)
    else:
        score = scores(o, how)
        chosen = (o.comparable & wanted[o.pair_gt] & reaches(score, at, how)).nonzero()[0]
        if _twice(o.pair_gt[chosen]) or _twice(o.pair_pred[chosen]):
            chosen = _one_to_one(o, score, chosen, at, how)
    gt, pred = o.pair_gt[chosen], o.pair_pred[chosen]
    free_gt, free_pred = wanted & (o.gt_size >= how.forgiven), np.ones(o.pred_id.size, bool)
    free_gt[gt] = free_pred[pred] = False
    out = excused(o, how, at)
    return Matching(
        gt, pred, score[chosen].astype(np.float64),
        free_gt.nonzero()[0], (free_pred & ~out).nonzero()[0], (free_pred & out).nonzero()[0],
    )  # fmt: skip


def scores(o: Overlap, how: Rules) -> NDArray[Any]:
    """The score of every pair that shares pixels."""
    a, b = o.gt_area if how.declared else o.gt_size, o.pred_size + o.pred_void if how.whole else o.pred_size
    a, b, n = a[o.pair_gt], b[o.pair_pred], o.pair_pixels
    if how.criterion == "centre":
        asked(o, centres=True)
        return o.pair_centred.astype(np.float32 if how.single else np.float64)
    if how.criterion == "boundary":
        return np.minimum(*(scores(x, replace(how, criterion="iou")) for x in (o, boundaries(o))))
    part, whole = {
        "iou": (n, a + b - n),
        "dice": (2 * n, a + b),
        "ior": (n, a),
        "iop": (n, b),
        "overlap": (n, np.minimum(a, b)),
    }[how.criterion]
    score = part / whole
    return score.astype(np.float32) if how.single else score


def boundaries(o: Overlap) -> Overlap:
    """The same objects with their boundaries in the place of their pixels; LabelError where none were counted."""
    if not o.width:
        raise LabelError("boundaries were not counted; measure with overlap(gt, pred, boundary=0.02)")
    sizes = {"gt_size": o.gt_boundary, "gt_area": o.gt_boundary, "pred_size": o.pred_boundary}
    return replace(o, **sizes, pair_pixels=o.pair_boundary)


def reaches(score: NDArray[Any], at: float, how: Rules) -> Mask:
    """Where the score reaches the threshold, compared in the precision of the scores."""
    threshold = score.dtype.type(at)
    return score > threshold if how.strict else score >= threshold


def sought(o: Overlap, how: Rules) -> Mask:
    """Objects of the ground truth that are looked for."""
    return (o.gt_crowd == 0) & (o.gt_size >= how.regions)


def excused(o: Overlap, how: Rules, at: float = 0.5) -> Mask:
    """Predictions that are no false positives at a threshold, should they match nothing (see `Rules`)."""
    small = o.pred_size < how.forgiven
    if not how.excuses:
        return small
    if how.last_crowd and (o.gt_crowd > 1).any():
        return small | replace(o, gt_crowd=np.where(_last_crowds(o), o.gt_crowd, 0)).excused
    if not how.whole:
        return small | o.excused
    pair = (o.gt_size < how.regions)[o.pair_gt] & (o.gt_class[o.pair_gt] == o.pred_class[o.pair_pred])
    on_small = counts(o.pair_pred[pair], o.pair_pixels[pair], o.pred_id.size)  # a small crowd counts twice, as it does
    whole = o.pred_size + o.pred_void
    return small | ((o.pred_void + o.on_crowd + on_small) / whole > at)


def _last_crowds(o: Overlap) -> Mask:
    """Of the crowds of each image and class, the last in the file."""
    key = np.stack([o.gt_image, o.gt_class, -o.gt_crowd])
    order = np.lexsort(key[::-1])
    first = np.ones(order.size, bool)
    first[1:] = (np.diff(key[:2, order]) != 0).any(axis=0)
    last = np.zeros(order.size, bool)
    last[order[first]] = True
    return last


# Who is matched where an object has several candidates


def _twice(at: Ints) -> bool:
    return at.size > 0 and int(np.bincount(at).max()) > 1


def _one_to_one(o: Overlap, score: NDArray[Any], candidates: Ints, at: float, how: Rules) -> Ints:
    if how.method == "greedy":
        return _first_free(o, candidates[np.lexsort((candidates, -score[candidates]))])
    if how.method == "confidence":
        confidence = o.pred_score[o.pair_pred[candidates]]
        if np.isnan(confidence).any():
            raise UsageError("matching by confidence needs the scores of the predictions")
        return _first_free(o, candidates[np.lexsort((-score[candidates], o.pair_pred[candidates], -confidence))])
    if how.method == "total":
        return candidates[heaviest(o, candidates, score[candidates])]
    chosen = assigned(o, score, reaches(score, at, how))
    return chosen[reaches(score[chosen], at, how)]


def assigned(o: Overlap, score: NDArray[Any], candidate: Mask | None = None) -> Ints:
    """The pairs of the one-to-one matching with the most candidates (where given), then the greatest total score.

    All pairs that share pixels take part, so a pair of it need not be a candidate.
    """
    pairs = np.flatnonzero(o.comparable)
    weight = score[pairs].astype(np.float64)
    if candidate is not None:
        share = score / (2 * _most_matches(o)[o.pair_gt]).astype(score.dtype)
        weight = candidate[pairs] + share[pairs].astype(np.float64)
    return pairs[heaviest(o, pairs, weight)]


def _most_matches(o: Overlap) -> Ints:
    """For each object of the ground truth, how many matches its image and class can have at most."""
    k = o.classes.size
    g = o.gt_image * k + np.searchsorted(o.classes, o.gt_class)
    p = o.pred_image * k + np.searchsorted(o.classes, o.pred_class)
    most = np.minimum(np.bincount(g, minlength=o.images * k), np.bincount(p, minlength=o.images * k))
    return np.maximum(most, 1)[g]


def _first_free(o: Overlap, pairs: Ints) -> Ints:
    """The pairs in turn, each taken where both objects are still free."""
    gt, pred = set[int](), set[int]()
    taken: list[int] = []
    for k, g, p in zip(pairs.tolist(), o.pair_gt[pairs].tolist(), o.pair_pred[pairs].tolist(), strict=True):
        if g not in gt and p not in pred:
            gt.add(g)
            pred.add(p)
            taken.append(k)
    return np.array(sorted(taken), np.int64)


def _gathered(o: Overlap, at: float, how: Rules) -> tuple[Ints, Floats]:
    """The pairs of objects with the predictions that lie mostly on them, where these together reach the threshold."""
    pairs = np.flatnonzero(o.comparable & (2 * o.pair_pixels > o.pred_size[o.pair_pred]))
    gt, pred = o.pair_gt[pairs], o.pair_pred[pairs]
    whole = {
        "gt_size": o.gt_size, "gt_area": o.gt_area, "pred_size": counts(gt, o.pred_size[pred], o.gt_id.size),
        "pair_gt": np.arange(o.gt_id.size), "pair_pred": np.arange(o.gt_id.size),
        "pair_pixels": counts(gt, o.pair_pixels[pairs], o.gt_id.size),
    }  # fmt: skip
    with np.errstate(invalid="ignore"):
        together = scores(replace(o, **whole), how)
    score = np.zeros(o.pair_pixels.size)
    score[pairs] = together[gt]
    return pairs[reaches(together, at, how)[gt]], score


def heaviest(o: Overlap, pairs: Ints, weight: Floats) -> Ints:
    """Which of the pairs (ascending) form the one-to-one matching of the greatest total weight; weights are positive.

    Some images at a time, so that the graph of a million objects is never there as a whole.
    """
    begins = np.flatnonzero(firsts(o.gt_image[o.pair_gt[pairs]]))
    after = np.searchsorted(begins, np.arange(STRETCH, pairs.size, STRETCH))
    cuts = np.unique(begins[after[after < begins.size]])
    found, start = list[Ints](), 0
    for part, weights in zip(np.split(pairs, cuts), np.split(weight, cuts), strict=True):
        found.append(start + _heaviest(o.pair_gt[part], o.pair_pred[part], weights))
        start += part.size
    return np.concatenate(found)


def _heaviest(gt: Ints, pred: Ints, weight: Floats) -> Ints:
    """The same for pairs of objects, all at once."""
    if gt.size == 0:
        return np.empty(0, np.int64)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, r = np.unique(gt, return_inverse=True)
    columns, c = np.unique(pred, return_inverse=True)
    nodes = rows.size + columns.size
    graph = coo_array((np.ones(r.size, np.int8), (r, c + rows.size)), shape=(nodes, nodes))
    _, group = cast("tuple[int, Ints]", connected_components(graph, directed=False))
    order = np.argsort(group[r], kind="stable")
    starts = np.flatnonzero(np.diff(group[r][order], prepend=-1))
    sizes = np.diff(starts, append=order.size)
    i, height = _within(group[: rows.size])
    j, width = _within(group[rows.size :])
    i, j, weight = i[r][order], j[c][order], weight[order]
    chosen = [order[starts[sizes == 1]]]
    several = sizes > 1
    for start, end in zip(starts[several].tolist(), (starts + sizes)[several].tolist(), strict=True):
        g, part = group[r[order[start]]], slice(start, end)
        chosen.append(order[part][_solved(i[part], j[part], weight[part], (int(height[g]), int(width[g])))])
    return np.sort(np.concatenate(chosen))


def _within(group: Ints) -> tuple[Ints, Ints]:
    """The number of each node among those of its group, and how many each group has."""
    sizes = np.bincount(group)
    order = np.argsort(group, kind="stable")
    number = np.empty_like(order)
    number[order] = np.arange(order.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return number, sizes


def _solved(r: Ints, c: Ints, weight: Floats, shape: tuple[int, int]) -> Ints:
    """The heaviest matching of one connected group, given by its rows and columns."""
    if 1 in shape:
        return np.array([weight.argmax()])
    if shape[0] * shape[1] > DENSE:
        return _solved_sparsely(r, c, weight, shape)
    from scipy.optimize import linear_sum_assignment

    full = np.zeros(shape)
    full[r, c] = weight
    pair = np.full(shape, -1)
    pair[r, c] = np.arange(r.size)
    found = pair[linear_sum_assignment(full, maximize=True)]
    return found[found >= 0]


def _solved_sparsely(r: Ints, c: Ints, weight: Floats, shape: tuple[int, int]) -> Ints:
    """The same for a group too large for a full matrix."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    # A column of its own for each row, which means no match, makes every row matched. Costs are not zero.
    height, width = shape
    own = np.arange(height)
    cost = np.concatenate([3.0 - weight, np.full(height, 3.0)])
    at = (np.concatenate([r, own]), np.concatenate([c, width + own]))
    i, j = min_weight_full_bipartite_matching(csr_array((cost, at), shape=(height, width + height)))
    matched = np.full(height, -1)
    matched[i] = j
    return np.flatnonzero(matched[r] == c)
