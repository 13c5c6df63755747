"""From a map of ground-truth segments and predicted masks, which may overlap one another, to their `Overlap`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LabelError
from ..kernels import joint_counts
from ..labels import LabelSet
from ..segments import Segments
from .overlap import Overlap, of_objects
from .segments import VOID, Table

Ints = NDArray[np.int64]


def overlap_of_masks(
    gt: NDArray[Any],
    segments: Segments,
    masks: Sequence[tuple[int, float, NDArray[np.bool_]]],
    labels: LabelSet,
    file: Path | None = None,
) -> Overlap:
    """What the segments of an image share with masks, given as class, score and pixels.

    >>> from maskmeter.segments import Segment
    >>> mask = np.array([True, True, False])
    >>> found = [(1, 0.9, mask), (1, 0.8, mask)]
    >>> o = overlap_of_masks(np.array([5, 0, 0]), (Segment(5, 1),), found, LabelSet.of_ids([1]))
    >>> o.pred_void.tolist(), o.pair_pixels.tolist()
    ([1, 1], [1, 1])
    """
    ids, _, n = joint_counts(gt, gt)
    table = Table(ids, segments, labels, set(labels.ignored), whole=True)
    table.check("the ground truth", file)
    place = table.place(ids)
    sizes, voids, pairs = list[int](), list[int](), list[tuple[int, int, int]]()
    for k, (_, _, mask) in enumerate(masks):
        if mask.shape != gt.shape:
            raise LabelError(f"shape {gt.shape} in the ground truth, {mask.shape} in mask {k + 1} of the prediction")
        under, counts = np.unique(gt[mask], return_counts=True)
        at = place[np.searchsorted(ids, under)]
        voids.append(int(counts[at == VOID].sum()))
        sizes.append(int(counts.sum()) - voids[-1])
        pairs += [(g, k, c) for g, c in zip(at.tolist(), counts.tolist(), strict=True) if g >= 0]
    shared = np.array(pairs, np.int64).reshape(-1, 3)
    return of_objects(
        {"id": table.ids, "class": table.classes, "size": table.spread(place, n), "crowd": table.crowd},
        {
            "id": np.arange(1, len(masks) + 1),
            "class": np.array([labels.id_of_source[c] for c, _, _ in masks], np.int64),
            "score": np.array([score for _, score, _ in masks], np.float64),
            "size": np.array(sizes, np.int64),
            "void": np.array(voids, np.int64),
        },
        (shared[:, 0], shared[:, 1], shared[:, 2]),
        int(n[place != VOID].sum()),
        labels,
        binary=False,
        disjoint=False,
    )
