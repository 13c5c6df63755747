"""From two sets of masks, which may overlap within a side, to their `Overlap`.

Conventions. A side is a stack of booleans (N, H, W) or (N, D, H, W), or a list of boolean arrays, or of COCO's RLE
dictionaries {"size": [h, w], "counts": [...]} with counts as a list. Each mask is an object, called by its place
from 1 on; a mask without pixels is an error. What two masks share is counted on their runs: the line of all pixels
is cut where any run begins or ends, and of each piece it is known which masks hold it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import LabelError
from ..masks import as_array

Ints = NDArray[np.int64]
Runs = tuple[Ints, Ints, Ints]
"""Where runs begin, where they end, and the mask that each belongs to."""


def is_masks(side: Any) -> bool:
    """Whether a side is a list of masks, which no map of labels can be."""
    return isinstance(side, list | tuple) and bool(side) and all(_is_mask(x) for x in cast("Sequence[Any]", side))


def _is_mask(x: Any) -> bool:
    return (isinstance(x, np.ndarray) and x.dtype == np.bool_ and x.ndim >= 2) or (
        isinstance(x, Mapping) and "counts" in x
    )


def runs_of(side: Any, title: str) -> tuple[Runs, int, tuple[int, ...] | None]:
    """The runs of all masks of a side, how many masks, and their shape. Raises LabelError naming the mask."""
    shapes, parts = set[tuple[int, ...]](), list[tuple[Ints, Ints]]()
    turned = any(isinstance(x, Mapping) for x in side)
    for k, x in enumerate(side, 1):
        what = f"mask {k} of the {title}"
        if isinstance(x, Mapping):
            shape, edges = _of_rle(cast("Mapping[str, Any]", x), what)
        else:
            mask = as_array(x)
            if mask.dtype != np.bool_:
                raise LabelError(f"{what} is {mask.dtype}, not boolean")
            shape = mask.shape
            flat = mask.T.ravel() if turned else mask.ravel()  # RLE goes down the columns
            edges = np.flatnonzero(np.diff(flat, prepend=False, append=False)).astype(np.int64)
        if not edges.size:
            raise LabelError(f"{what} has no pixel; leave it out")
        shapes.add(tuple(shape))
        parts.append((edges[::2], edges[1::2]))
    if len(shapes) > 1:
        raise LabelError(f"the masks of the {title} have different shapes, {sorted(shapes)[0]} and {sorted(shapes)[1]}")
    none = np.empty(0, np.int64)
    owner = np.repeat(np.arange(len(parts)), [a.size for a, _ in parts])
    runs = np.concatenate([none, *(a for a, _ in parts)]), np.concatenate([none, *(b for _, b in parts)]), owner
    return runs, len(parts), shapes.pop() if shapes else None


def _of_rle(rle: Mapping[str, Any], what: str) -> tuple[tuple[int, ...], Ints]:
    counts = rle["counts"]
    if isinstance(counts, str | bytes):
        raise LabelError(f"{what} has compressed counts; decode them, or give the list of counts")
    counts, size = np.asarray(counts), tuple(int(n) for n in rle.get("size", ()))
    if counts.dtype.kind not in "iu" or (counts < 0).any() or len(size) != 2 or counts.sum() != size[0] * size[1]:
        raise LabelError(f"{what} has counts that do not add up to its size")
    ends = np.cumsum(counts.astype(np.int64))
    edges = ends[: counts.size // 2 * 2]
    begin, end = edges[::2], edges[1::2]
    kept = end > begin
    return size, np.stack([begin[kept], end[kept]], axis=1).ravel()


def shared(gt: Runs, pred: Runs, sizes: tuple[int, int]) -> tuple[Ints, Ints, Ints]:
    """Which masks of both sides share pixels, ascending, and how many.

    >>> one = np.array([0]), np.array([4]), np.array([0])
    >>> two = np.array([2, 3]), np.array([6, 4]), np.array([0, 1])
    >>> [x.tolist() for x in shared(one, two, (1, 2))]
    [[0, 0], [0, 1], [2, 1]]
    """
    cuts = np.unique(np.concatenate([*gt[:2], *pred[:2]]))
    if cuts.size < 2:
        none = np.empty(0, np.int64)
        return none, none, none
    length = np.diff(cuts)
    common = (_held(gt, cuts, length, sizes[0]) @ _held(pred, cuts, np.ones_like(length), sizes[1]).T).tocoo()
    by = np.lexsort((common.col, common.row))
    return common.row[by].astype(np.int64), common.col[by].astype(np.int64), common.data[by].astype(np.int64)


def _held(runs: Runs, cuts: Ints, values: Ints, masks: int) -> Any:
    """(masks, pieces) the value of each piece of the line that a mask holds."""
    from scipy.sparse import csr_array

    first, last = np.searchsorted(cuts, runs[0]), np.searchsorted(cuts, runs[1])
    n = last - first
    piece = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n) + np.repeat(first, n)
    return csr_array((values[piece], (np.repeat(runs[2], n), piece)), shape=(masks, cuts.size - 1))
