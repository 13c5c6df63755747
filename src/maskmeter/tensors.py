"""Tensors: pixels that lie on an accelerator are counted there, and only the table of label pairs comes back.

Copying a map costs more than counting it, mostly because what a model puts out are 64-bit integers. So two PyTorch
tensors of integers or booleans on one device are counted on it from `LEAST` pixels on. Everything else (smaller maps,
floats, tensors of two devices, arrays of other packages) is copied to main memory first. Counts are integers, so both
ways give the same table.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

LEAST = 1 << 16  # pixels, below which the calls to the device cost more than the copy
CELLS = 1 << 22  # of a table of all pairs that may occur; where there are more, labels are numbered first
KINDS = ("bool", "uint8", "int8", "int16", "int32", "int64")


class There(NamedTuple):
    """The pairs of labels of two tensors, ascending.

    a, b, n   label of one, label of the other, pixels
    left_out  pixels outside the mask
    outlines  arrays with the shapes and types of the tensors and nothing behind them
    """

    a: Ints
    b: Ints
    n: Ints
    left_out: int
    outlines: tuple[NDArray[Any], NDArray[Any]]


def is_away(data: Any) -> bool:
    """Whether it is a tensor on an accelerator."""
    torch = sys.modules.get("torch")  # who has a tensor has imported it
    return torch is not None and isinstance(data, torch.Tensor) and data.device.type != "cpu"


def count_there(gt: Any, pred: Any, mask: Any = None) -> There | None:
    """What is counted on the device of two tensors; None where they are to be copied, or do not go together."""
    if isinstance(gt, np.ndarray):
        return None
    both = [gt, pred] if mask is None else [gt, pred, mask]
    if not all(map(is_away, both)):
        return None
    fits = all(x.device == gt.device and x.shape == gt.shape and _kind(x) in KINDS for x in both)
    return joint_counts(gt, pred, mask) if fits and gt.numel() >= LEAST else None


def joint_counts(gt: Any, pred: Any, mask: Any = None) -> There:
    """The pairs of labels of two tensors of one shape and device, counted where they lie."""
    outlines = _outline(gt), _outline(pred)
    a, b = (x.detach().reshape(-1) for x in (gt, pred))
    if mask is not None:
        inside = mask.detach().reshape(-1) != 0
        a, b = a[inside], b[inside]
    left_out = gt.numel() - a.numel()
    if not a.numel():
        none = np.empty(0, np.int64)
        return There(none, none, none, left_out, outlines)
    a, b = a.long(), b.long()
    ends = [int(x) for pair in (a.aminmax(), b.aminmax()) for x in pair]
    if (ends[1] - ends[0] + 1) * (ends[3] - ends[2] + 1) <= CELLS:
        columns = ends[3] - ends[2] + 1
        cells = ((a - ends[0]) * columns + (b - ends[2])).bincount()
        at = cells.nonzero().reshape(-1)
        row, column, n = at // columns + ends[0], at % columns + ends[2], cells[at]
    else:
        (rows, a), (columns, b) = a.unique(return_inverse=True), b.unique(return_inverse=True)
        at, n = (a * columns.numel() + b).unique(return_counts=True)
        row, column = rows[at // columns.numel()], columns[at % columns.numel()]
    return There(row.cpu().numpy(), column.cpu().numpy(), n.cpu().numpy(), left_out, outlines)


def _kind(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _outline(tensor: Any) -> NDArray[Any]:
    return np.broadcast_to(np.zeros((), _kind(tensor)), tuple(tensor.shape))
