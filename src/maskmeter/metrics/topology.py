"""Topology metrics: whether figures hang together as they should. Formulas over `Topology`.

Conventions
-----------
Pixels of a figure are neighbours by their corners (8 or 26), those outside by their faces (4 or 6); see
`statistics.topology`. A class that is on neither side of an image has no value there. One that is on one side
alone has the errors of all that is missing or too much, and a `cl_dice` of 0. Pooled errors of Betti and Euler
numbers are the mean of the images' errors, so that one image's error cannot make up for another's.
"""

from __future__ import annotations

import numpy as np

from ..errors import UsageError
from ..statistics.topology import (
    BETTI_ERROR,
    COVERED_GT,
    COVERED_PRED,
    EULER_ERROR,
    IMAGES,
    SKELETON_GT,
    SKELETON_PRED,
    SKELETONS,
    Topology,
    topology,
)
from ._metric import Values, metric, ratio

__all__ = ["betti_error", "cl_dice", "euler_error"]

UNBOUNDED = (0.0, float("inf"))


@metric(topology, per="class", better="lower", headline="images", bounds=UNBOUNDED)
def betti_error(t: Topology, dimension: int | None = None) -> Values:
    """Betti error: how many components, holes and cavities there are too many or too few, |b_k(pred) - b_k(gt)|.

    The sum over the dimensions k = 0 (components), 1 (holes, in a volume tunnels), 2 (cavities of a volume), or of
    one `dimension`. From 0 up, of the whole image. Undefined where the class is on neither side.
    Hides: where and how large a hole or piece is: one pixel counts as a lobe.
    Use: where connection matters (vessels, airways, membranes); after specks were looked at.
    Differs: published values are often means over random patches of 64 or 65 pixels, and not comparable. With
    4 (6) neighbours for the figure there are other components and holes. Numbers may agree while no feature does:
    it does not say that they lie in the same place.
    Reference: Hu et al., NeurIPS 2019; Clough et al., PAMI 2020.

    >>> betti_error(np.array([1, 0, 1, 0, 1])[None] == 1, np.array([1, 1, 1, 0, 1])[None] == 1)  # 3 parts, 2 parts
    1.0
    """
    if dimension not in (None, 0, 1, 2):
        raise UsageError(f"dimension must be 0, 1 or 2, not {dimension!r}")
    error = t.n[..., BETTI_ERROR]
    return ratio(error.sum(axis=-1) if dimension is None else error[..., dimension], t.n[..., IMAGES])


@metric(topology, per="class", better="lower", headline="images", bounds=UNBOUNDED)
def euler_error(t: Topology) -> Values:
    """Error of the Euler number: |chi(pred) - chi(gt)|, where chi is components - holes + cavities.

    From 0 up. Undefined where the class is on neither side. A part and a hole too many cancel; `betti_error` counts
    both. Reference: Kong and Rosenfeld, Computer Vision, Graphics, and Image Processing 48, 1989.
    Hides: errors that cancel: a hole too many and a piece too many give 0.
    Use: as a quick check; `betti_error` tells the two apart.

    >>> ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]]) == 1
    >>> euler_error(ring, np.ones((3, 3), bool))  # 0 and 1
    1.0
    """
    return ratio(t.n[..., EULER_ERROR], t.n[..., IMAGES])


@metric(topology, per="class", headline="images", asks=("skeleton",))
def cl_dice(t: Topology) -> Values:
    """Centreline Dice: harmonic mean of the shares of each side's skeleton that lie in the other's figure.

    2 P S / (P + S) with P = |skeleton(pred) in gt| / |skeleton(pred)| and S = |skeleton(gt) in pred| / |skeleton(gt)|.
    Range 0 to 1. 0 where one side is empty, undefined where both are.
    Hides: the width of structures: thin and thick tubes on one centreline are alike.
    Use: for vessels and other tubes, with `dice` for their width.
    Differs: it depends on the skeleton, by some hundredths. Ours keeps the topology, also of tubes of even width in
    volumes; its pixels count alike, whatever the spacing.
    Reference: Shit et al., CVPR 2021.

    >>> line = np.zeros((3, 8), bool); line[1] = True
    >>> half = line.copy(); half[1, 4:] = False
    >>> round(cl_dice(line, half), 3)  # P = 1, S = 1/2
    0.667
    """
    n = t.n
    if (n[..., SKELETONS] != n[..., IMAGES]).any():
        raise UsageError("cl_dice needs skeletons, which were not made; ask for it when the images are counted")
    p, s = ratio(n[..., COVERED_PRED], n[..., SKELETON_PRED]), ratio(n[..., COVERED_GT], n[..., SKELETON_GT])
    p, s = (np.nan_to_num(x) for x in (p, s))  # a skeleton without pixels: nothing was found, or nothing is right
    return np.where(n[..., IMAGES] > 0, np.where(p + s > 0, 2 * p * s / np.maximum(p + s, 1e-300), 0.0), np.nan)
