"""Partition metrics: how alike two partitions of the pixels are, whichever object is whose. Formulas over `Overlap`.

Conventions
-----------
Every pixel belongs to one segment on each side: an object, or the background. `background=True` takes the
background of each side as one segment more; `background=False` leaves out the pixels that are background in
the ground truth, as connectomics does. n are the pixels of a pair of segments, a and b those of its segment in
the ground truth and in the prediction, N all of them. Void and crowds are left out. Classes play no part.

Pooled values take the segments of different images as different and the pixels of an image as compared among
themselves: sums over all images, then the formula. So they weigh images by pixels (or pairs of them).
Objects that overlap one another are no partition: the value is undefined then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..statistics._sums import counts
from ..statistics.instances import overlap
from ..statistics.overlap import Overlap
from ._metric import Values, metric, ratio

__all__ = ["adapted_rand_error", "rand_index", "voi_merge", "voi_split"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Partition:
    """The segments of both sides, and the pairs of them that share pixels, each with its image.

    n, a, b, image        pairs: shared pixels, pixels of either segment
    gt, gt_image          pixels of each segment in the ground truth
    pred, pred_image      pixels of each segment in the prediction
    pixels                of each image
    """

    n: Ints
    a: Ints
    b: Ints
    image: Ints
    gt: Ints
    gt_image: Ints
    pred: Ints
    pred_image: Ints
    pixels: Ints


def partition(o: Overlap, background: bool) -> Partition:
    """The segments of an overlap, the background among them or left out."""
    i, every = o.images, np.arange(o.images)
    missed = o.gt_size - counts(o.pair_gt, o.pair_pixels, o.gt_id.size)  # pixels that are background in the prediction
    inside = counts(o.pair_pred, o.pair_pixels, o.pred_id.size)
    pred = o.pred_size if background else inside
    beyond = o.pred_size - inside
    objects = counts(o.gt_image, o.gt_size, i)
    pixels = o.pixels if background else objects
    gt_ground, pred_ground = pixels - objects, pixels - counts(o.pred_image, pred, i)
    n = [o.pair_pixels, missed]
    a = [o.gt_size[o.pair_gt], o.gt_size]
    b = [pred[o.pair_pred], pred_ground[o.gt_image]]
    image = [o.gt_image[o.pair_gt], o.gt_image]
    if background:
        n += [beyond, gt_ground - counts(o.pred_image, beyond, i)]
        a += [gt_ground[o.pred_image], gt_ground]
        b += [pred, pred_ground]
        image += [o.pred_image, every]
    kept = np.concatenate(n) > 0
    return Partition(
        np.concatenate(n)[kept], np.concatenate(a)[kept], np.concatenate(b)[kept], np.concatenate(image)[kept],
        np.concatenate([o.gt_size, gt_ground]), np.concatenate([o.gt_image, every]),
        np.concatenate([pred, pred_ground]), np.concatenate([o.pred_image, every]), pixels,
    )  # fmt: skip


@metric(overlap, better="lower", headline="images", bounds=(0.0, float("inf")))
def voi_split(o: Overlap, background: bool = True) -> Values:
    """Variation of information, split part: H(prediction | ground truth) in bits, how far segments are cut up.

    Sum of n log2(a / n) / N. From 0 up; undefined without pixels. `voi_split + voi_merge` is the whole variation.
    scikit-image's variation_of_information gives (split, merge) in this order and counts the background; in
    connectomics it is left out (`background=False`).
    Hides: which objects are cut up; large ones weigh by their pixels.
    Use: for neurites and other segmentations without classes, always with `voi_merge`.
    Reference: Meila, Journal of Multivariate Analysis 98, 2007; Nunez-Iglesias et al., PLoS ONE 8, 2013.

    >>> voi_split([1, 1, 1, 1], [1, 1, 2, 2])  # one bit says which half
    1.0
    """
    return _entropy(o, background, "a")


@metric(overlap, better="lower", headline="images", bounds=(0.0, float("inf")))
def voi_merge(o: Overlap, background: bool = True) -> Values:
    """Variation of information, merge part: H(ground truth | prediction) in bits, how far segments run together.

    Sum of n log2(b / n) / N. From 0 up; undefined without pixels. See `voi_split`.
    Hides: which objects run together; large ones weigh by their pixels.
    Use: for neurites and other segmentations without classes, always with `voi_split`.

    >>> voi_merge([1, 1, 2, 2], [1, 1, 1, 1])
    1.0
    """
    return _entropy(o, background, "b")


def _entropy(o: Overlap, background: bool, given: str) -> Values:
    p = partition(o.without_crowds, background)
    terms = p.n * np.log2(getattr(p, given) / p.n)
    return _value(o, o.total(terms, p.image), o.total(p.pixels, np.arange(o.images)))


@metric(overlap, better="lower", headline="images")
def adapted_rand_error(o: Overlap, background: bool = False) -> Values:
    """Adapted Rand error: 1 - F1 of pairs of pixels, 1 - 2 P / (A + B).

    Of two different pixels of an image, P counts the pairs that are together on both sides, A those together in
    the ground truth, B those in the prediction. Range 0 to 1. Undefined where no two pixels are together.
    Hides: small objects: pairs grow with the square of the size; splits and merges apart.
    Use: to compare with published connectomics results; with `voi_split` and `voi_merge` beside it.
    Differs: by default the background of the ground truth is left out and that of the prediction is one segment,
    as in scikit-image (which names its precision and recall the other way round) and in the SNEMI3D challenge,
    whose code counts background in the prediction as single pixels.
    Reference: Arganda-Carreras et al., Frontiers in Neuroanatomy 9, 2015.

    >>> adapted_rand_error([1, 1, 1, 1], [1, 1, 2, 2])  # P = 2 pairs, A = 6, B = 2
    0.5
    """
    together, gt, pred, _ = _pairs(o, background)
    return _value(o, gt + pred - 2 * together, gt + pred)


@metric(overlap, headline="images")
def rand_index(o: Overlap, background: bool = True) -> Values:
    """Rand index: the share of pairs of pixels that are together on both sides or apart on both.

    Range 0 to 1. Undefined with fewer than two pixels. Close to 1 for many small objects, whatever the
    prediction; read `adapted_rand_error` beside it.
    Hides: nearly everything where there are many objects: most pairs are apart on both sides, so it is close to 1.
    Use: to compare with published numbers; else `adapted_rand_error`.
    Reference: Rand, Journal of the American Statistical Association 66, 1971.

    >>> rand_index([1, 1, 2, 2], [1, 1, 1, 2])  # of 6 pairs: {1,2} together, {1,4} and {2,4} apart
    0.5
    """
    together, gt, pred, pairs = _pairs(o, background)
    return _value(o, pairs - (gt + pred - 2 * together), pairs)


def _pairs(o: Overlap, background: bool) -> tuple[Values, Values, Values, Values]:
    """Pairs of different pixels: together on both sides, in the ground truth, in the prediction, and all."""
    p = partition(o.without_crowds, background)

    def among(n: Ints, image: Ints) -> Any:
        return o.total(n * (n - 1.0) / 2, image)

    return (
        among(p.n, p.image),
        among(p.gt, p.gt_image),
        among(p.pred, p.pred_image),
        among(p.pixels, np.arange(o.images)),
    )


def _value(o: Overlap, part: Values, whole: Values) -> Values:
    return ratio(part, whole) if o.disjoint else np.full_like(np.asarray(whole, np.float64), np.nan)
