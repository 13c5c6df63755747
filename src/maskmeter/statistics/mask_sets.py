"""From two sets of masks, which may overlap within a side, to their `Overlap`.

Conventions. A side is a stack of booleans (N, H, W) or (N, D, H, W), or a list of boolean arrays, or of COCO's RLE
dictionaries {"size": [h, w], "counts": ...} with counts as a list or compressed, or packed `rle.Masks`. Each mask is
an object, called by its place from 1 on; a mask without pixels is an error. What two masks share is counted on their
runs: the line of all pixels is cut where any run begins or ends, and of each piece it is known which masks hold it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .. import rle
from ..errors import LabelError
from ..masks import as_array

Ints = NDArray[np.int64]
Runs = tuple[Ints, Ints, Ints]
"""Where runs begin, where they end, and the mask that each belongs to."""


def is_masks(side: Any) -> bool:
    """Whether a side is a list of masks, or packed ones, which no map of labels can be."""
    if isinstance(side, rle.Masks):
        return True
    return isinstance(side, list | tuple) and bool(side) and all(_is_mask(x) for x in cast("Sequence[Any]", side))


def _is_mask(x: Any) -> bool:
    return (isinstance(x, np.ndarray) and x.dtype == np.bool_ and x.ndim >= 2) or (
        isinstance(x, Mapping) and "counts" in x
    )


def columnwise(side: Any) -> bool:
    """Whether the pixels of a side are numbered down the columns, as RLE has them."""
    return isinstance(side, rle.Masks) or any(isinstance(x, Mapping) for x in side)


def runs_of(side: Any, title: str) -> tuple[Runs, int, tuple[int, ...] | None]:
    """The runs of all masks of a side, how many masks, and their shape. Raises LabelError naming the mask."""
    turned = columnwise(side)
    if isinstance(side, rle.Masks):
        parts = list(_of_packed(side))
    else:
        parts = [_edges(x, title, k, turned) for k, x in enumerate(side, 1)]
    for k, (_, edges) in enumerate(parts, 1):
        if not edges.size:
            raise LabelError(f"mask {k} of the {title} has no pixel; leave it out")
    shapes = sorted({shape for shape, _ in parts})
    if len(shapes) > 1:
        raise LabelError(f"the masks of the {title} have different shapes, {shapes[0]} and {shapes[1]}")
    none = np.empty(0, np.int64)
    edges = [e for _, e in parts]
    owner = np.repeat(np.arange(len(edges)), [e.size // 2 for e in edges])
    runs = np.concatenate([none, *(e[::2] for e in edges)]), np.concatenate([none, *(e[1::2] for e in edges)]), owner
    return runs, len(edges), shapes[0] if shapes else None


def _edges(x: Any, title: str, k: int, turned: bool) -> tuple[tuple[int, ...], Ints]:
    """The shape of a mask, and where its runs begin and end in turn."""
    if isinstance(x, Mapping):
        try:
            return next(_of_packed(_packed(cast("Mapping[str, Any]", x))))
        except LabelError as error:
            raise LabelError(f"mask {k} of the {title}: {error.message}") from None
    mask = as_array(x)
    if mask.dtype != np.bool_:
        raise LabelError(f"mask {k} of the {title} is {mask.dtype}, not boolean")
    flat = mask.T.ravel() if turned else mask.ravel()
    return mask.shape, np.flatnonzero(np.diff(flat, prepend=False, append=False)).astype(np.int64)


def _packed(x: Mapping[str, Any]) -> rle.Masks:
    """A mask of COCO. Raises LabelError for one that is none."""
    counts, size = x["counts"], np.asarray(x.get("size", ()))
    if size.shape != (2,) or size.dtype.kind not in "iu":
        raise LabelError("its size is not a height and a width")
    if isinstance(counts, str | bytes):
        text = counts.encode("utf-8") if isinstance(counts, str) else counts
        return rle.from_strings(text, [[0, len(text)]], size)
    runs = np.asarray(counts)
    if runs.ndim != 1 or (runs.size and runs.dtype.kind not in "iu"):
        raise LabelError("its counts are no list of integers")
    return rle.from_counts(runs, [0, runs.size], size)


def _of_packed(masks: rle.Masks) -> Iterator[tuple[tuple[int, ...], Ints]]:
    """Of each packed mask its shape, and where its runs begin and end in turn, without empty ones."""
    for k, (h, w) in enumerate(masks.sizes.tolist()):
        ends = np.cumsum(masks.counts[masks.offsets[k] : masks.offsets[k + 1]], dtype=np.int64)
        begin, end = ends[: ends.size // 2 * 2].reshape(-1, 2).T
        kept = end > begin
        yield (h, w), np.stack([begin[kept], end[kept]], axis=1).ravel()


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
