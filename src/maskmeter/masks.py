"""Masks: the arrays that enter, and what is true of them.

A `LabelMap` holds one label per pixel (voxel) in an array of any number of dimensions. Booleans are
a binary mask; integers of any type, byte order and strides are labels. The array is kept as it came,
never copied without need and never written to. What is true of the *data* rides on it: the labels
that may occur, the void labels, the pixels that count at all, the spacing. What is a choice of a
*metric* does not.

All checks of arrays are made here and nowhere else: floats pass if every value is an exact integer;
NaN, fractions, complex numbers, strings and objects do not; shapes must be equal and are never
broadcast, squeezed or resized.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .errors import LabelError
from .labels import LabelSet

Spacing = tuple[float, ...]


@dataclass(frozen=True, eq=False)
class LabelMap:
    """One label per pixel, with what is known about the labels.

    array    bool or integer, any shape; axis order as in the file, spacing in the same order
    labels   the labels that may occur, with names and colours; None where nobody said
    ignore   void labels: pixels whose ground truth carries one are not counted
    counted  where given, only pixels where it is true are counted (a region of interest)
    spacing  the distance of neighbouring pixels along each axis, in millimetres
    affine   where the voxels lie: three rows of four numbers, from (column, row, slice, 1) to millimetres
    """

    array: NDArray[Any]
    labels: LabelSet | None = None
    ignore: tuple[int, ...] = ()
    counted: NDArray[np.bool_] | None = None
    spacing: Spacing | None = None
    affine: tuple[float, ...] | None = None

    @property
    def binary(self) -> bool:
        """Booleans are a binary mask; integers never are, whatever their values."""
        return self.array.dtype == np.bool_


def label_map(
    data: Any,
    *,
    labels: LabelSet | None = None,
    ignore: int | Iterable[int] | None = None,
    counted: Any = None,
    spacing: Spacing | None = None,
    affine: tuple[float, ...] | None = None,
) -> LabelMap:
    """A `LabelMap` of anything that holds an array: NumPy, PyTorch, JAX, CuPy (DLPack), a buffer, nested lists.

    A masked array counts where it is not masked. A `LabelMap` passes as it is, facts added where given.
    Raises LabelError where the values are not labels.
    """
    if isinstance(data, LabelMap):
        array, labels = data.array, labels or data.labels
        ignore = data.ignore if ignore is None else ignore
        counted = data.counted if counted is None else counted
        spacing = spacing or data.spacing
        affine = affine or data.affine
    else:
        array = _as_labels(as_array(data))
        if isinstance(data, np.ma.MaskedArray):
            unmasked = ~np.ma.getmaskarray(cast("np.ma.MaskedArray[Any, Any]", data))
            counted = unmasked if counted is None else unmasked & as_array(counted).astype(bool)
    region = None if counted is None else _region(counted, array.shape)
    return LabelMap(array, labels, _ids(ignore), region, spacing, affine)


def pair(gt: LabelMap, pred: LabelMap) -> None:
    """Raise LabelError unless the two can be compared pixel by pixel."""
    same_shape(gt.array.shape, pred.array.shape)
    if gt.spacing and pred.spacing and not close(gt.spacing, pred.spacing, relative=1e-3):
        raise LabelError(
            f"spacing {gt.spacing} mm in the ground truth, {pred.spacing} mm in the prediction; "
            "bring both to one grid first (nothing is resampled)"
        )
    if gt.affine and pred.affine and not close(gt.affine, pred.affine, absolute=1e-3):
        raise LabelError(f"{_difference(gt.affine, pred.affine)}; bring both to one grid first (nothing is resampled)")


def same_shape(gt: tuple[int, ...], pred: tuple[int, ...]) -> None:
    """Raise LabelError unless the shapes are equal."""
    if gt != pred:
        axes = axes_of_classes(gt, pred)
        scores = f"; scores of classes along axis {axes[0]} are read with --class-axis {axes[0]}" if axes else ""
        raise LabelError(
            f"shape {gt} in the ground truth, {pred} in the prediction; "
            f"bring both to one size first (nothing is resized or broadcast){scores}"
        )


def axes_of_classes(gt: tuple[int, ...], pred: tuple[int, ...]) -> list[int]:
    """The axes without which a prediction has the shape of its ground truth.

    >>> axes_of_classes((20, 30), (3, 20, 30)), axes_of_classes((20, 20), (20, 20, 20))
    ([0], [0, 1, 2])
    """
    return [k for k in range(len(pred)) if (*pred[:k], *pred[k + 1 :]) == gt] if len(pred) == len(gt) + 1 else []


def close(a: Sequence[float], b: Sequence[float], *, relative: float = 0, absolute: float = 0) -> bool:
    """Whether every number of one is near enough to the same number of the other."""
    return len(a) == len(b) and all(
        math.isclose(x, y, rel_tol=relative, abs_tol=absolute) for x, y in zip(a, b, strict=True)
    )


def _difference(gt: tuple[float, ...], pred: tuple[float, ...]) -> str:
    """What is different about two affines, in words."""
    what, places = "direction of the axes (affine)", [i for i in range(len(gt)) if i % 4 != 3]
    if close([gt[i] for i in places], [pred[i] for i in places], absolute=1e-3):
        what, places = "origin", [i for i in range(len(gt)) if i % 4 == 3]
    shown = (tuple(round(affine[i], 6) for i in places) for affine in (gt, pred))
    return "{} {} mm in the ground truth, {} mm in the prediction".format(what, *shown)


def as_array(data: Any) -> NDArray[Any]:
    """`data` as a NumPy array, without a copy where it lies in main memory already."""
    if isinstance(data, np.ndarray):
        return np.asarray(cast("NDArray[Any]", data))
    if hasattr(data, "__dlpack__"):
        try:
            return np.from_dlpack(data)
        except (BufferError, RuntimeError, TypeError, ValueError):
            for fetch in ("cpu", "get"):  # PyTorch and CuPy call the copy from the device so
                if hasattr(data, fetch):
                    data = getattr(data, fetch)()
                    break
            if hasattr(data, "detach"):
                data = data.detach()
    return np.asarray(data)


def _as_labels(array: NDArray[Any]) -> NDArray[Any]:
    kind = array.dtype.kind
    if kind == "f":
        return _integers(array)
    if kind not in "bui":
        raise LabelError(f"dtype {array.dtype} does not hold labels; give integers or booleans")
    if kind == "u" and array.dtype.itemsize == 8 and array.size and int(array.max()) >= 2**63:
        raise LabelError(f"label {int(array.max())} is outside the range of labels (below 2**63)")
    return array


def counting(n: int, what: str) -> str:
    """`n` things that are something, as a line says it.

    >>> counting(1, "value"), counting(2, "value")
    ('1 value that is', '2 values that are')
    """
    return f"{n} {what} that is" if n == 1 else f"{n} {what}s that are"


def first_place(odd: NDArray[np.bool_]) -> str:
    """Where the first of some pixels lies, by the indices of its axes.

    >>> first_place(np.array([[False, False], [True, True]]))
    'the first at [1, 0]'
    """
    return f"the first at {[int(i) for i in np.unravel_index(int(odd.argmax()), odd.shape)]}"


def _integers(array: NDArray[Any]) -> NDArray[np.int64]:
    """Float labels as integers, if that is exactly what they are."""
    if not array.size:
        return array.astype(np.int64)
    odd = ~np.isfinite(array)
    if odd.any():
        raise LabelError(f"float labels hold {counting(int(odd.sum()), 'value')} NaN or infinite, {first_place(odd)}")
    off = array != np.rint(array)
    if off.any():
        raise LabelError(
            f"dtype {array.dtype} holds {counting(int(off.sum()), 'value')} not integers, "
            f"such as {array[off].flat[0]}, {first_place(off)}; "
            "labels must be integral (was a label map resized with interpolation? a score map goes to roc_auc, "
            "class_scores or evaluate, as `maskmeter metrics` lists them)"
        )
    if np.abs(array).max() >= 2**63:
        raise LabelError("float labels are outside the range of 64-bit integers")
    return array.astype(np.int64)


def _ids(ignore: int | Iterable[int] | None) -> tuple[int, ...]:
    if ignore is None:
        return ()
    if isinstance(ignore, int | np.integer):
        return (int(ignore),)
    return tuple(sorted({int(i) for i in ignore}))


def _region(counted: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    region = as_array(counted)
    if region.dtype.kind not in "bui":
        raise LabelError(f"a mask of pixels to count must be boolean, not {region.dtype}")
    if region.shape != shape:
        raise LabelError(f"shape {region.shape} of the mask of pixels to count differs from {shape} of the labels")
    return region if region.dtype == np.bool_ else region != 0
