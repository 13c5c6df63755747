"""`pycocotools.mask` over maskmeter's kernels: the same functions, and the same results on masks that are masks.

    from maskmeter.compat.pycocotools import mask

An encoded mask is a dict of `size` [height, width] and `counts` in compressed form (bytes, or str as JSON has it).

What differs, all of it where pycocotools guesses, fails or reads memory that is not its own: counts that do not add up
to the size, masks of different sizes to merge, polygons of two points, of an odd number of coordinates or with
coordinates in no image are errors that say so; arrays need not be in Fortran order, nor be uint8. As there, `encode`
begins a run wherever the value changes: an array with two kinds of foreground (1 and 2) has to be compared with 0
first.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ... import rle
from ...errors import LabelError

Encoded = dict[str, Any]


def encode(bimask: NDArray[Any]) -> Any:
    """The run lengths of a mask (height, width), or a list of those of masks (height, width, n).

    >>> encode(np.array([[0, 1], [1, 1]], np.uint8))
    {'size': [2, 2], 'counts': b'13'}
    """
    mask = np.asarray(bimask)
    if mask.ndim == 2:
        return encode(mask[:, :, None])[0]
    if mask.ndim != 3:
        raise LabelError(f"masks to encode have two axes, or three, the masks along the last; not {mask.ndim}")
    height, width, n = mask.shape
    runs = [_runs(mask[:, :, i].T.ravel()) for i in range(n)]
    offsets = np.cumsum([0, *map(len, runs)])
    return _dicts(rle.from_counts(np.concatenate([*runs, []]), offsets, [[height, width]] * n))


def decode(rleObjs: Any) -> NDArray[np.uint8]:
    """The mask of a dict, (height, width), or those of a list, (height, width, n); uint8 in Fortran order."""
    if not isinstance(rleObjs, list):
        return decode([rleObjs])[:, :, 0]
    masks = _masks(cast(list[Any], rleObjs))
    if not len(masks) or (masks.sizes != masks.sizes[0]).any():
        raise LabelError("masks to decode into one array are at least one, and of one size")
    height, width = masks.sizes[0].tolist()
    out = np.empty((height, width, len(masks)), np.uint8, order="F")
    for i in range(len(masks)):
        out[:, :, i] = masks.to_array(i)
    return out


def area(rleObjs: Any) -> Any:
    """The pixels of a mask, or an array of those of a list."""
    if not isinstance(rleObjs, list):
        return area([rleObjs])[0]
    return _masks(cast(list[Any], rleObjs)).areas().astype(np.uint32)


def toBbox(rleObjs: Any) -> NDArray[np.float64]:
    """x, y, width and height of the box around a mask, (4,), or around each of a list, (n, 4)."""
    if not isinstance(rleObjs, list):
        return toBbox([rleObjs])[0]
    return _masks(cast(list[Any], rleObjs)).boxes()


def merge(rleObjs: list[Encoded], intersect: bool = False) -> Encoded:
    """The union of masks of one size, or what they all share; of no masks, one of size 0 by 0."""
    if not rleObjs:
        return {"size": [0, 0], "counts": b""}
    return _dicts(_masks(rleObjs).merged(intersect=bool(intersect)))[0]


def iou(dt: Any, gt: Any, pyiscrowd: Any) -> Any:
    """Intersection over union of each of `dt` with each of `gt`, (len(dt), len(gt)); both masks, or both boxes.

    Where `pyiscrowd` says that one of `gt` is a crowd, the union is the area of the detection. Masks whose boxes meet
    and whose sizes differ give -1; where either list is empty the answer is an empty list.
    """
    if len(pyiscrowd) != len(gt):
        raise LabelError(f"iscrowd speaks of {len(pyiscrowd)} of {len(gt)} ground truths")
    if not len(dt) or not len(gt):
        return []
    crowd = np.asarray(pyiscrowd).astype(np.bool_)
    if _are_masks(dt) != _are_masks(gt):
        raise LabelError("masks can be compared with masks, and boxes with boxes")
    if _are_masks(dt):
        return rle.iou(_masks(dt), _masks(gt), crowd)
    return _box_iou(_boxes(dt), _boxes(gt), crowd)


def frPyObjects(pyobj: Any, h: int, w: int) -> Any:
    """Encoded masks of what annotations hold, for an image of `h` by `w`.

    A list of polygons [x, y, x, y, ...], an array (n, 4) of boxes or a list of dicts with plain lists of counts gives
    a list; one polygon or one dict gives one. The masks of several polygons are not united: see `merge`. Four numbers
    may be a box or a polygon of two points; pycocotools says no as well, where they are no array.

    >>> frPyObjects([[2, 2, 2, 6, 6, 6, 6, 2]], 10, 10)
    [{'size': [10, 10], 'counts': b'f04600000V1'}]
    """
    if isinstance(pyobj, np.ndarray):
        return _dicts(_of_polygons([_corners(box) for box in _boxes(pyobj)], h, w))
    if isinstance(pyobj, dict):
        return _of_counts(cast(Encoded, pyobj))
    if isinstance(pyobj, list | tuple) and len(cast(list[Any], pyobj)):
        several = list(cast(list[Any], pyobj))
        if all(isinstance(x, dict) for x in several):
            return [_of_counts(x) for x in several]
        if np.ndim(several[0]) == 0:
            return frPyObjects([several], h, w)[0]
        if len(several[0]) == 4:
            raise LabelError(
                "four numbers may be a box or a polygon of two points: boxes come as an array (n, 4), "
                "and at least three points make a polygon"
            )
        return _dicts(_of_polygons([np.asarray(p, np.float64) for p in several], h, w))
    raise LabelError("masks come from a list of polygons, an array of boxes, or dicts with size and counts")


# Inside


def _runs(line: NDArray[Any]) -> NDArray[np.int64]:
    """Lengths of what is equal, after a 0 where the first value is not 0."""
    at = np.flatnonzero(line != np.append(line.dtype.type(0), line[:-1])) if line.size else np.empty(0, np.int64)
    return np.diff(np.concatenate([[0], at, [line.size]])).astype(np.int64)


def _dicts(masks: rle.Masks) -> list[Encoded]:
    sizes = masks.sizes.tolist()
    return [{"size": s, "counts": c} for s, c in zip(sizes, masks.to_strings(), strict=True)]


def _masks(given: list[Any]) -> rle.Masks:
    texts: list[bytes] = []
    for i, one in enumerate(given):
        counts = one.get("counts") if isinstance(one, dict) else None
        if not isinstance(counts, str | bytes) or np.shape(one.get("size", ())) != (2,):
            raise rle.MaskError(f"mask {i} is no dict with a size of two numbers and compressed counts", index=i)
        texts.append(counts.encode("utf-8", "surrogatepass") if isinstance(counts, str) else counts)
    ends = np.cumsum([0, *map(len, texts)])
    try:
        return rle.from_strings(b"".join(texts), np.stack([ends[:-1], ends[1:]], 1), [one["size"] for one in given])
    except rle.MaskError as error:
        raise rle.MaskError(f"mask {error.index}: {error.message}", index=error.index) from None


def _of_counts(one: Encoded) -> Encoded:
    if isinstance(one.get("counts"), str | bytes):
        return one  # compressed already
    counts = np.asarray(one.get("counts"))
    if counts.ndim != 1 or (counts.dtype.kind not in "iu" and counts.size) or np.shape(one.get("size", ())) != (2,):
        raise LabelError("a mask is no dict with a size of two numbers and counts that are integers")
    return _dicts(rle.from_counts(counts.astype(np.int64), [0, counts.size], [one["size"]]))[0]


def _of_polygons(polygons: list[NDArray[np.float64]], height: int, width: int) -> rle.Masks:
    n = len(polygons)
    corners = np.cumsum([0, *map(len, polygons)])
    return rle.from_polygons(np.concatenate([*polygons, []]), corners, np.arange(n + 1), [[height, width]] * n)


def _are_masks(given: Any) -> bool:
    return not isinstance(given, np.ndarray) and all(isinstance(x, dict) for x in given)


def _boxes(given: Any) -> NDArray[np.float64]:
    boxes = np.asarray(given, np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise LabelError(f"boxes are rows of x, y, width and height, not an array of shape {boxes.shape}")
    return boxes


def _corners(box: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y, w, h = box
    return np.array([x, y, x, y + h, x + w, y + h, x + w, y])


def _box_iou(dt: NDArray[np.float64], gt: NDArray[np.float64], crowd: NDArray[np.bool_]) -> NDArray[np.float64]:
    (x, y, w, h), (p, q, v, u) = dt.T[:, :, None], gt.T[:, None, :]
    across = np.minimum(x + w, p + v) - np.maximum(x, p)
    down = np.minimum(y + h, q + u) - np.maximum(y, q)
    shared = across * down
    union = np.where(crowd, w * h, w * h + v * u - shared)
    meet = (across > 0) & (down > 0)
    return np.where(meet, shared / np.where(meet, union, 1.0), 0.0)
