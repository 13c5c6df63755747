"""Fates: what became of each object. Matched, missed, hallucinated, split or merged, and with whom.

Conventions. Objects are compared within their class, as in `matching`.
- A prediction is a *piece* of the object that holds more than half of it. An object with two pieces or more
  is *split*; what its pieces do not cover does not matter.
- An object is *swallowed* by the prediction that holds more than half of it. A prediction that swallows two
  objects or more has *merged* them.
- The best partner of an object is the one with the greatest IoU; of equal ones that with more shared pixels.

Every object has one fate, the first of these that is true:
  ground truth  crowd, matched, split (into pieces), merged (with another, by one prediction), missed
  prediction    matched, merged (it swallows several), split (it is a piece of a split object), excused
                (by void or a crowd), hallucinated
So an object that is matched although a crumb lies on it counts as matched, while `splits` counts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError
from .matching import BY_DEFAULT, Matching, Rules, excused, heaviest, match, sought
from .statistics._sums import counts, firsts
from .statistics.overlap import Overlap

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Fate(NamedTuple):
    """One object, and what became of it.

    side     "gt" or "pred"
    image    which image of the statistic it is in
    pixels   its size, outside void
    iou      with its best partner; 0 without one
    partner  the id of its match, else of its best partner; None without one
    parts    of an object its pieces, of a prediction the objects it swallows
    score    the confidence of a prediction, NaN without one
    taken    of an object that is not matched the class that it was taken for, of a prediction the class that it hides:
             the other class of an object whose IoU with it reaches the threshold and that is not matched either
    """

    side: str
    image: int
    id: int
    class_: int
    pixels: int
    iou: float
    partner: int | None
    parts: int
    fate: str
    score: float = nan
    taken: int | None = None


def fates(o: Overlap, at: float = 0.5, how: Rules = BY_DEFAULT) -> list[Fate]:
    """Every object of both sides, ground truth first, by image and id.

    >>> from maskmeter.statistics.instances import overlap
    >>> o = overlap([1, 1, 1, 1, 0, 3, 3, 0], [1, 1, 2, 2, 0, 3, 3, 4])
    >>> [(f.side, f.id, f.fate) for f in fates(o, at=0.6)]  # doctest: +NORMALIZE_WHITESPACE
    [('gt', 1, 'split'), ('gt', 3, 'matched'),
     ('pred', 1, 'split'), ('pred', 2, 'split'), ('pred', 3, 'matched'), ('pred', 4, 'hallucinated')]
    """
    m = match(o, at, how)
    taken = _taken(o, m, at, how)
    return [*_of_gt(o, m, how, taken), *_of_pred(o, m, at, how, taken)]


def pieces(o: Overlap, share: float = 0.5) -> Mask:
    """Pairs whose prediction lies by more than `share` on the object."""
    return o.comparable & (o.pair_pixels > _share(share) * o.pred_size[o.pair_pred])


def swallowed(o: Overlap, share: float = 0.5) -> Mask:
    """Pairs whose object lies by more than `share` in the prediction."""
    return o.comparable & (o.pair_pixels > _share(share) * o.gt_size[o.pair_gt])


def parts_of_gt(o: Overlap, share: float = 0.5) -> Ints:
    """How many pieces each object of the ground truth has."""
    at = o.pair_gt[pieces(o, share)]
    return counts(at, np.ones(at.size, np.int64), o.gt_id.size)


def parts_of_pred(o: Overlap, share: float = 0.5) -> Ints:
    """How many objects each prediction swallows."""
    at = o.pair_pred[swallowed(o, share)]
    return counts(at, np.ones(at.size, np.int64), o.pred_id.size)


def best_pairs(o: Overlap, at: Ints, other: Ints, score: NDArray[np.float64] | None = None) -> Ints:
    """For each object of one side (`at` of the pairs) that has a partner, its best pair; by object.

    The best has the greatest score (IoU), then the most pixels, then the first partner by `other`.
    """
    pairs = np.flatnonzero(o.comparable)
    score = o.pair_pixels / o.union if score is None else score
    by = pairs[np.lexsort((other[pairs], -o.pair_pixels[pairs], -score[pairs], at[pairs]))]
    return by[np.flatnonzero(np.diff(at[by], prepend=-1))]


def covering_pairs(o: Overlap) -> Ints:
    """The best pair of every object of the ground truth; of equal ones those that use most pixels of predictions.

    So what is left unused depends on no order. Of the predictions that are equally good for one object, all have one
    size; which of them is nobody's best is decided for all objects together.
    """
    pairs = np.flatnonzero(o.comparable)
    for score in (o.pair_pixels / o.union, o.pair_pixels):
        most = np.zeros(o.gt_id.size)
        np.maximum.at(most, o.pair_gt[pairs], score[pairs])
        pairs = pairs[score[pairs] == most[o.pair_gt[pairs]]]
    several = np.bincount(o.pair_gt[pairs], minlength=o.gt_id.size)[o.pair_gt[pairs]] > 1
    if not several.any():
        return pairs
    sure, tied = pairs[~several], pairs[several]
    used = np.zeros(o.pred_id.size, bool)
    used[o.pair_pred[sure]] = True
    free = tied[~used[o.pair_pred[tied]]]
    size = o.pred_size[o.pair_pred[free]].astype(np.float64)
    taken = free[heaviest(o, free, size)]
    rest = tied[~np.isin(o.pair_gt[tied], o.pair_gt[taken])]
    return np.sort(np.concatenate([sure, taken, rest[firsts(o.pair_gt[rest])]]))


def recall_by_size(
    o: Overlap, at: float = 0.5, how: Rules = BY_DEFAULT, edges: Sequence[float] | None = None
) -> list[tuple[float, float, int, int]]:
    """How many objects were found, by size: (from, below, found, objects) for each bin.

    `edges` are the sizes between bins; by default the quartiles of the sizes. The last bin has no upper end.

    >>> from maskmeter.statistics.instances import overlap
    >>> recall_by_size(overlap([1, 0, 2, 2, 2], [0, 0, 2, 2, 2]), edges=[2])
    [(0.0, 2.0, 0, 1), (2.0, inf, 1, 1)]
    """
    size = o.gt_size[sought(o, how)]
    quartiles: list[float] = np.unique(np.quantile(size, (0.25, 0.5, 0.75))).tolist() if size.size else []
    ends = [0.0, *sorted(float(e) for e in (quartiles if edges is None else edges)), float("inf")]
    found = o.gt_size[match(o, at, how).gt]
    return [
        (low, high, int(((found >= low) & (found < high)).sum()), int(((size >= low) & (size < high)).sum()))
        for low, high in pairwise(ends)
    ]


def _share(share: float) -> float:
    if 0.5 <= share < 1:
        return share
    raise UsageError(f"share must be at least 0.5 and below 1, not {share!r}")


def _taken(o: Overlap, m: Matching, at: float, how: Rules) -> tuple[Ints, Ints]:
    """Pairs of objects of two classes that would match if they were of one, and are not matched; the best come last."""
    free_gt, free_pred = sought(o, how), np.ones(o.pred_id.size, bool)
    free_gt[m.gt], free_pred[m.pred] = False, False
    iou = o.pair_pixels / o.union
    found = (iou > at) if how.strict else (iou >= at)
    found &= o.gt_class[o.pair_gt] != o.pred_class[o.pair_pred]
    pairs = np.flatnonzero(found & free_gt[o.pair_gt] & free_pred[o.pair_pred])
    pairs = pairs[np.argsort(iou[pairs], kind="stable")]
    return o.pair_gt[pairs], o.pair_pred[pairs]


def _of_gt(o: Overlap, m: Matching, how: Rules, taken: tuple[Ints, Ints]) -> list[Fate]:
    parts, many = parts_of_gt(o), parts_of_pred(o) >= 2
    lost = swallowed(o)
    merged = np.zeros(o.gt_id.size, bool)
    merged[o.pair_gt[lost & many[o.pair_pred]]] = True
    fate = np.where(merged, "merged", "missed").astype("<U12")
    fate[parts >= 2] = "split"
    fate[m.gt] = "matched"
    fate = np.where(sought(o, how), fate, "crowd")
    iou, partner = _partners(o, o.pair_gt, o.pair_pred, m.gt, m.pred, o.gt_id.size)
    facts = o.gt_image, o.gt_id, o.gt_class, o.gt_size, iou, partner, o.pred_id, parts, fate
    of = dict(zip(taken[0].tolist(), o.pred_class[taken[1]].tolist(), strict=True))
    return _listed("gt", *facts, np.full(o.gt_id.size, nan), of)


def _of_pred(o: Overlap, m: Matching, at: float, how: Rules, taken: tuple[Ints, Ints]) -> list[Fate]:
    parts, split = parts_of_pred(o), parts_of_gt(o) >= 2
    piece = np.zeros(o.pred_id.size, bool)
    piece[o.pair_pred[pieces(o) & split[o.pair_gt]]] = True
    fate = np.where(excused(o, how, at), "excused", "hallucinated").astype("<U12")
    fate[piece] = "split"
    fate[parts >= 2] = "merged"
    fate[m.pred] = "matched"
    iou, partner = _partners(o, o.pair_pred, o.pair_gt, m.pred, m.gt, o.pred_id.size)
    facts = o.pred_image, o.pred_id, o.pred_class, o.pred_size, iou, partner, o.gt_id, parts, fate, o.pred_score
    return _listed("pred", *facts, dict(zip(taken[1].tolist(), o.gt_class[taken[0]].tolist(), strict=True)))


def _partners(
    o: Overlap, at: Ints, other: Ints, matched: Ints, match: Ints, size: int
) -> tuple[NDArray[np.float64], Ints]:
    """The best IoU of each object, and its partner as an index or -1."""
    iou, partner = np.zeros(size), np.full(size, -1)
    best = best_pairs(o, at, other)
    iou[at[best]] = o.pair_pixels[best] / o.union[best]
    partner[at[best]] = other[best]
    partner[matched] = match
    return iou, partner


def _listed(
    side: str, image: Ints, id: Ints, class_: Ints, pixels: Ints, iou: NDArray[np.float64], partner: Ints,
    ids: Ints, parts: Ints, fate: NDArray[np.str_], score: NDArray[np.float64], taken: dict[int, int],
) -> list[Fate]:  # fmt: skip
    partners = [None if k < 0 else int(ids[k]) for k in partner.tolist()]
    columns = zip(
        image.tolist(), id.tolist(), class_.tolist(), pixels.tolist(), iou.tolist(), partners, parts.tolist(),
        fate.tolist(), score.tolist(), [taken.get(k) for k in range(id.size)], strict=True,
    )  # fmt: skip
    return sorted((Fate(side, *facts) for facts in columns), key=lambda x: (x.image, x.id))
