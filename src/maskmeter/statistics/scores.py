"""Score histograms: how many positive and negative pixels have each score. All that curves and calibration need.

Conventions. A score is a probability (score_maps.py says which arrays hold scores); equal scores are one
entry, so every distinct score is a threshold and ties are never split. A pixel counts as positive at
`score >= threshold`, with the threshold taken in the precision of the scores, as NumPy and PyTorch do:
a float32 score of 0.9 reaches the threshold 0.9.

Merging: counts add, score by score; the type of the scores and the limit must be equal (else MergeError).

Coarsening. The histogram of 8-, 16-bit and float16 scores is always exact. A sum of float32 or float64
histograms is exact up to `limit` distinct scores; beyond it neighbouring scores share a cell. Grids are
nested: on level L a cell holds the 2**L neighbouring bit patterns that differ in their last L bits. The
level of a sum is the least on which the scores of all its images occupy no more than `limit` cells. It
depends on the set of distinct scores alone: cells of cells are cells, so the same set of scores gives
the same level and the same counts in whatever order and groups the images were added. One map that was
measured and not added to anything is exact. With `limit` None nothing is ever coarsened.

What a coarsened histogram says. The counts at a threshold on the grid (each cell's least score; 0.5 and
other short binary fractions are on every grid) are exact. Areas are within `roc_auc_error` and
`average_precision_error` (metrics/curves.py) of the exact ones. Calibration takes the middle of a cell for
its scores, off by at most half of `resolution`, relative to the score.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import MergeError, UsageError
from ..kernels import ScoreCounts, score_areas, score_cells, score_counts, score_merge
from ..masks import LabelMap, label_map, pair
from ._codec import from_bytes, to_bytes
from .confusion import Confusion
from .score_maps import GREATEST, counted_pixels, explain_outside, logistic, positive_pixels, score_array

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LIMIT = 1 << 20  # distinct scores of a sum that is kept exactly
BLOCK = 1 << 16  # scores that are looked at together
CELLS = 256  # of the coarse grid that are resampled together

_TYPES = list(GREATEST)
_MANTISSA = {"f2": 10, "f4": 23, "f8": 52}


class Block(NamedTuple):
    """Neighbouring entries of a histogram, ascending: thresholds and scores (K,), counts (..., K)."""

    threshold: Floats
    score: Floats
    pos: NDArray[Any]
    neg: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Scores:
    """Pixels by score, of one map or of many added up.

    counts   the distinct scores (as keys) and their counts
    dtype    the type of the scores
    level    the grid: 0 where every distinct score has its own counts
    limit    the number of distinct scores beyond which a sum is coarsened; None for never
    ignored  pixels left out
    """

    name: ClassVar[str] = "scores"

    counts: ScoreCounts
    dtype: np.dtype[Any]
    level: int = 0
    limit: int | None = LIMIT
    ignored: int = 0

    @property
    def size(self) -> int:
        """The number of distinct scores, or of occupied cells."""
        return self.counts.keys.size

    @property
    def thresholds(self) -> Floats:
        """(K,) the distinct scores, ascending; in a coarsened histogram the least score of each cell."""
        return self._values(self.counts.keys)

    @property
    def pos(self) -> Ints:
        """(K,) positive pixels with each score."""
        return self._side(slice(0, self.size))[0]

    @property
    def neg(self) -> Ints:
        """(K,) negative pixels with each score."""
        return self._side(slice(0, self.size))[1]

    @cached_property
    def positives(self) -> int:
        """All positive pixels."""
        return self._from(0)[0]

    @cached_property
    def negatives(self) -> int:
        """All negative pixels."""
        return self._from(0)[1]

    @cached_property
    def areas(self) -> tuple[int, float]:
        """What `kernels.score_areas` says of the counts."""
        return score_areas(self.counts)

    @property
    def scale(self) -> float:
        """What the scores were divided by: the maximum of an integer type, 1 for floats."""
        return float(GREATEST[self.dtype])

    @property
    def resolution(self) -> float:
        """The greatest width of a cell, relative to its greatest score; 0 where the histogram is exact."""
        return 0.0 if self.level == 0 else min(1.0, 2.0 ** (self.level - _MANTISSA[self.dtype.str[1:]]))

    def blocks(self) -> Iterator[Block]:
        """The histogram in pieces that need little memory; in a coarsened one the score is the middle of its cell."""
        for start in range(0, self.size, BLOCK):
            part = slice(start, start + BLOCK)
            keys = self.counts.keys[part]
            threshold = score = self._values(keys)
            if self.level:
                score = (score + np.minimum(self._values(keys | keys.dtype.type((1 << self.level) - 1)), 1.0)) / 2
            yield Block(threshold, score, *self._side(part))

    def threshold(self, value: float) -> float | int:
        """What a score of the map is compared with, in the map's own type and scale: 128 for 0.5 in 8 bits."""
        if np.isnan(value):
            raise UsageError("the threshold is NaN")
        return self.dtype.type(value) if self.dtype.kind == "f" else int(self._key(value))

    def at(self, threshold: float) -> Confusion:
        """The binary confusion with `score >= threshold` as prediction, for every region metric.

        In a coarsened histogram the threshold moves down to the edge of its cell.
        """
        if np.isnan(threshold):
            raise UsageError("the threshold is NaN")
        tp, fp = self._from(int(self._search(self._key(threshold) >> self.level << self.level)))
        fn, tn = self.positives - tp, self.negatives - fp
        counts = np.array([[tn, fp], [fn, tp]], np.int64)
        return Confusion(
            np.arange(2), np.diag(counts).copy(), counts.sum(axis=1), counts.sum(axis=0), np.array(self.ignored),
            np.ones(2, bool), True, counts,
        )  # fmt: skip

    def __add__(self, other: Scores) -> Scores:
        if self.dtype != other.dtype:
            raise MergeError(f"scores of type {self.dtype} do not add to scores of type {other.dtype}")
        if self.limit != other.limit:
            raise MergeError(f"scores that are exact up to {self.limit} do not add to scores up to {other.limit}")
        level = max(self.level, other.level)
        counts = score_merge(self.counts, other.counts, level)
        return Scores(counts, self.dtype, level, self.limit, self.ignored + other.ignored)._within_limit()

    def pooled(self) -> Scores:
        """As a sum of which it is the only part: coarsened if it holds more than `limit` distinct scores."""
        return self._within_limit()

    def coarse(self) -> CoarseScores:
        """The counts on a fixed grid of a few thousand cells, the same for all types (see `CoarseScores`)."""
        cut = self._search(self._key(COARSE_EDGES, least=True))
        starts, ends = cut, np.append(cut[1:], self.size)
        some = starts < ends
        cell = np.searchsorted(cut, self.counts.high[:, 0], side="right") - 1
        out = np.zeros((2, COARSE_EDGES.size), np.int64)
        for side in (0, 1):
            if some.any():
                out[side, some] = np.add.reduceat(self.counts.low[:, side], starts[some], dtype=np.int64)
            np.add.at(out[side], cell, self.counts.high[:, 1 + side])
        return CoarseScores(out[0], out[1])

    def to_bytes(self) -> bytes:
        limit = -1 if self.limit is None else self.limit
        facts = np.array([_TYPES.index(self.dtype), self.level, limit, self.ignored])
        return to_bytes({**self.counts._asdict(), "facts": facts})

    @classmethod
    def from_bytes(cls, data: bytes) -> Scores:
        x = from_bytes(data)
        code, level, limit, ignored = x["facts"].tolist()
        dtype = _TYPES[code]
        counts = ScoreCounts(x["keys"].astype(f"u{dtype.itemsize}"), x["low"].astype(np.uint8), x["high"])
        return cls(counts, dtype, level, None if limit < 0 else limit, ignored)

    # Inside

    def _within_limit(self) -> Scores:
        if self.limit is None or self.size <= self.limit or self.dtype.str[1:] not in ("f4", "f8"):
            return self
        level = next(level for level, n in enumerate(score_cells(self.counts.keys)) if n <= self.limit)
        none = ScoreCounts(self.counts.keys[:0], self.counts.low[:0], self.counts.high[:0])
        return Scores(score_merge(self.counts, none, level), self.dtype, level, self.limit, self.ignored)

    def _values(self, keys: NDArray[Any]) -> Floats:
        if self.dtype.kind == "f":
            return keys.view(self.dtype).astype(np.float64, copy=False)
        return keys / self.scale

    def _key(self, value: ArrayLike, least: bool = False) -> NDArray[Any]:
        """The key of a threshold in the type of the scores; with `least`, of the least score that reaches it."""
        x = np.clip(np.asarray(value, np.float64), 0.0, 2.0) + 0.0  # -0.0 becomes 0.0
        if self.dtype.kind == "f":
            near = x.astype(self.dtype)
            key = near.view(f"u{self.dtype.itemsize}").astype(np.int64)
            return key + (least & (near.astype(np.float64) < x))
        key = np.ceil(x * self.scale).astype(np.int64)
        return key - ((key - 1) / self.scale >= x) + (key / self.scale < x)

    def _search(self, key: NDArray[Any]) -> Ints:
        """The number of the first entry whose key is not less."""
        keys = self.counts.keys
        return np.searchsorted(keys, key.astype(keys.dtype) if keys.itemsize > 2 else key)

    def _from(self, first: int) -> tuple[int, int]:
        """The positives and negatives of the entries from number `first` on."""
        low, high = self.counts.low[first:], self.counts.high
        more_pos, more_neg = high[high[:, 0] >= first, 1:].sum(axis=0).tolist()
        return int(low[:, 0].sum(dtype=np.int64)) + more_pos, int(low[:, 1].sum(dtype=np.int64)) + more_neg

    def _side(self, part: slice) -> tuple[Ints, Ints]:
        """The full counts of some keys: positives and negatives."""
        both = self.counts.low[part].T.astype(np.int64)
        index = self.counts.high[:, 0]
        start = part.start
        first, last = np.searchsorted(index, [start, start + both.shape[1]])
        at = index[first:last] - start
        both[:, at] += self.counts.high[first:last, 1:].T
        return both[0], both[1]


def zeros(dtype: np.dtype[Any], positives: int, negatives: int, ignored: int = 0, limit: int | None = LIMIT) -> Scores:
    """The histogram of a map that is 0 everywhere, as a prediction counts that is not there."""
    pixels = positives + negatives
    high = np.array([[0, positives, negatives]])[: pixels > 0]
    keys = np.zeros(min(pixels, 1), f"u{dtype.itemsize}")
    return Scores(ScoreCounts(keys, np.zeros((keys.size, 2), np.uint8), high), dtype, 0, limit, ignored)


def _coarse_edges() -> Floats:
    """0, 128 steps for each power of two from 2**-17 to 1/2, the same mirrored at 1/2, and 1."""
    rising = np.ldexp(1 + np.arange(128) / 128, np.arange(-17, -1)[:, None]).ravel()
    return np.concatenate([[0.0], rising, [0.5], 1 - rising[::-1], [1.0]])


COARSE_EDGES = _coarse_edges()  # the least score of each cell


@dataclass(frozen=True, eq=False)
class CoarseScores:
    """Pixels by cell of a fixed grid of scores: of one image, or of a stack of them (leading axes "...").

    pos, neg  (..., C) positive and negative pixels with a score in each cell

    The grid has 4099 cells, as fine as 1/128 of the distance to the nearer of 0 and 1, down to 2**-17, where
    scores crowd; 1 has a cell of its own, and so has every 8-bit score. It is small enough to be kept by image, for
    curves of one image and for resampling. The metrics of curves take it as they take `Scores`; what they say
    of it is an approximation, better than 1e-3 unless the scores all lie closer together than that.

    Merging: counts add, cell by cell.
    """

    pos: NDArray[Any]
    neg: NDArray[Any]

    @property
    def positives(self) -> NDArray[Any]:
        """(...) all positive pixels."""
        return self.pos.sum(axis=-1)

    @property
    def negatives(self) -> NDArray[Any]:
        """(...) all negative pixels."""
        return self.neg.sum(axis=-1)

    @property
    def thresholds(self) -> Floats:
        """(C,) the least score of each cell."""
        return COARSE_EDGES

    def blocks(self) -> Iterator[Block]:
        """The whole of it, with the middle of each cell as its score."""
        yield Block(COARSE_EDGES, (COARSE_EDGES + np.append(COARSE_EDGES[1:], 1.0)) / 2, self.pos, self.neg)

    def __add__(self, other: CoarseScores) -> CoarseScores:
        return CoarseScores(self.pos + other.pos, self.neg + other.neg)

    def resampled(self, weights: Floats) -> CoarseScores:
        """The stack whose entry b adds up this one's entries i, each `weights[b, i]` times."""
        return CoarseScores(_drawn(weights, self.pos), _drawn(weights, self.neg))

    @classmethod
    def stack(cls, images: Iterable[CoarseScores]) -> CoarseScores:
        """One stack of many, in half the memory where no image has 2**31 pixels."""
        parts = list(images)
        small = all(int(x.positives) + int(x.negatives) < 2**31 for x in parts)
        kind = np.int32 if small else np.int64
        out = np.empty((2, len(parts), COARSE_EDGES.size), kind)
        for i, x in enumerate(parts):
            out[0, i], out[1, i] = x.pos, x.neg
        return cls(out[0], out[1])

    def to_bytes(self) -> bytes:
        """The occupied cells of one image."""
        cell = np.flatnonzero(self.pos + self.neg)
        return to_bytes({"cell": cell, "pos": self.pos[cell], "neg": self.neg[cell]})

    @classmethod
    def from_bytes(cls, data: bytes) -> CoarseScores:
        x = from_bytes(data)
        out = np.zeros((2, COARSE_EDGES.size), np.int64)
        out[:, x["cell"]] = x["pos"], x["neg"]
        return cls(out[0], out[1])


def _drawn(weights: Floats, counts: NDArray[Any]) -> Floats:
    """`weights @ counts`, some cells at a time: whole numbers, so in whatever pieces they have the same bits."""
    out = np.empty((len(weights), counts.shape[1]))
    for at in range(0, counts.shape[1], CELLS):
        out[:, at : at + CELLS] = weights @ counts[:, at : at + CELLS].astype(np.float64)
    return out


def scores(
    gt: Any,
    score: Any,
    *,
    ignore: int | Iterable[int] | None = None,
    mask: Any = None,
    positive: int | Iterable[int] | None = None,
    logits: bool = False,
    exact: bool = False,
) -> Scores:
    """Count the scores of a map.

    gt        boolean, or integers of which 0 is negative and one other value positive
    score     an array of the same shape: floats from 0 to 1, or 8- or 16-bit integers, scaled by their maximum
    ignore    void labels: pixels whose ground truth is void are not counted
    mask      where given, only pixels where it is true are counted
    positive  the positive labels of the ground truth; all others are negative
    logits    the scores are logits: the logistic function is applied
    exact     never coarsen, also not in sums

    Raises LabelError for arrays that differ in shape, scores outside [0, 1], and a ground truth that is not
    two-valued.

    >>> s = scores([0, 0, 1, 1], np.array([0.25, 0.5, 0.5, 0.75]))
    >>> s.thresholds.tolist(), s.pos.tolist(), s.neg.tolist()
    ([0.25, 0.5, 0.75], [0, 1, 1], [1, 1, 0])
    >>> s.at(0.5).counts.tolist()
    [[1, 1], [0, 2]]
    """
    positives, array, counted = score_pixels(gt, score, ignore=ignore, mask=mask, positive=positive, logits=logits)
    return count_scores(positives, array, counted, None if exact else LIMIT)


def score_pixels(
    gt: Any,
    score: Any,
    *,
    ignore: int | Iterable[int] | None = None,
    mask: Any = None,
    positive: int | Iterable[int] | None = None,
    logits: bool = False,
) -> tuple[NDArray[np.bool_], NDArray[Any], NDArray[np.bool_] | None]:
    """What `scores` counts: where the ground truth is positive, the scores, and the pixels that count (None: all)."""
    g, array = label_map(gt, ignore=ignore, counted=mask), score_array(score)
    pair(g, LabelMap(array))
    counted = counted_pixels(g)
    if logits:
        array = logistic(array, counted)
    return positive_pixels(g, counted, positive), array, counted


def count_scores(
    positive: NDArray[np.bool_], score: NDArray[Any], counted: NDArray[np.bool_] | None, limit: int | None = LIMIT
) -> Scores:
    """Count the scores of an array where it counts. Raises LabelError for scores outside [0, 1]."""
    dtype = score.dtype.newbyteorder("=")
    counts, outside = score_counts(score, positive, counted, GREATEST[dtype])
    if outside:
        raise explain_outside(score, counted)
    return Scores(counts, dtype, 0, limit, 0 if counted is None else int(counted.size - np.count_nonzero(counted)))


__all__ = [
    "COARSE_EDGES",
    "LIMIT",
    "Block",
    "CoarseScores",
    "Scores",
    "count_scores",
    "score_pixels",
    "scores",
    "zeros",
]
