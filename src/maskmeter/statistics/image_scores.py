"""What is kept of one image's score map: its curve on a coarse grid, its exact numbers, its counts at the threshold.

The full histogram of a map of floats is as large as the map. So only the pooled one is kept whole, and of
each image this: the counts on the fixed grid of `CoarseScores` (for intervals, and for metrics that nobody
asked for when it was counted), the exact values of the metrics that were, and the confusion at the threshold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from .confusion import Confusion
from .scores import COARSE_EDGES, Block, CoarseScores, Scores


class _Packed(msgspec.Struct, array_like=True):
    coarse: bytes
    exact: dict[str, float]
    at: tuple[int, int, int, int]
    labels: tuple[int, ...]
    dtype: str
    ignored: int


@dataclass(frozen=True, eq=False)
class ImageScores:
    """One image's scores.

    coarse   the counts on the coarse grid
    exact    values of metrics by their printed names, computed before coarsening
    at       pixels (TN, FP, FN, TP) at the threshold that was asked for
    labels   the labels of the ground truth
    dtype    the type of the scores; empty where there was no prediction, which counts as zeros
    ignored  pixels left out
    """

    name: ClassVar[str] = "scores"

    coarse: CoarseScores
    exact: Mapping[str, float]
    at: tuple[int, int, int, int]
    labels: tuple[int, ...]
    dtype: str
    ignored: int

    @classmethod
    def of(cls, scores: Scores, exact: Mapping[str, float], threshold: float, labels: tuple[int, ...]) -> ImageScores:
        """What is kept of an exact histogram."""
        tn, fp, fn, tp = confusion_cells(scores.at(threshold))
        return cls(scores.coarse(), exact, (tn, fp, fn, tp), labels, scores.dtype.str[1:], scores.ignored)

    def above(self, edge: float) -> tuple[int, int, int, int]:
        """Pixels (TN, FP, FN, TP) at a threshold on the coarse grid, where they are exact."""
        first = int(np.searchsorted(COARSE_EDGES, edge))
        tp, fp = int(self.coarse.pos[first:].sum()), int(self.coarse.neg[first:].sum())
        return int(self.coarse.negatives) - fp, fp, int(self.coarse.positives) - tp, tp

    def to_bytes(self) -> bytes:
        return msgspec.msgpack.encode(
            _Packed(self.coarse.to_bytes(), dict(self.exact), self.at, self.labels, self.dtype, self.ignored)
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> ImageScores:
        x = msgspec.msgpack.decode(data, type=_Packed)
        return cls(CoarseScores.from_bytes(x.coarse), x.exact, x.at, x.labels, x.dtype, x.ignored)

    # As a histogram, for metrics

    @property
    def pos(self) -> NDArray[np.int64]:
        return self.coarse.pos

    @property
    def neg(self) -> NDArray[np.int64]:
        return self.coarse.neg

    @property
    def positives(self) -> int:
        return int(self.coarse.positives)

    @property
    def negatives(self) -> int:
        return int(self.coarse.negatives)

    @property
    def thresholds(self) -> NDArray[np.float64]:
        return COARSE_EDGES

    def blocks(self) -> Iterator[Block]:
        return self.coarse.blocks()


def confusion_cells(c: Confusion) -> tuple[int, int, int, int]:
    """TN, FP, FN and TP of a binary confusion."""
    (tn, tp), fp, fn = c.tp.tolist(), int(c.fp[1]), int(c.fn[1])
    return tn, fp, fn, tp


def binary_stack(cells: NDArray[np.int64], ignored: NDArray[np.int64]) -> Confusion:
    """The stack of binary confusions with (..., 4) pixels TN, FP, FN, TP."""
    tn, fp, fn, tp = np.moveaxis(cells, -1, 0)
    hits, gt, pred = (np.stack(x, axis=-1) for x in ((tn, tp), (tn + fp, fn + tp), (tn + fn, fp + tp)))
    counts = cells.reshape(2, 2) if cells.ndim == 1 else None
    return Confusion(np.arange(2), hits, gt, pred, ignored, np.ones(2, bool), True, counts)
