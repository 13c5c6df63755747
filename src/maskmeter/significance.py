"""Significance: whether the differences between two models on the same images may be luck. Paired tests.

What is tested are differences by *unit*: by image, or by group where images are not independent; a group of slices
of one patient is one observation, however many slices it has.

permutation   without a difference between the models, each unit's difference might as well have had the other sign.
              p is the share of all choices of signs whose mean over images is at least as far from zero as the one
              that was seen: of all of them where these are at most 10,000 (13 units that differ), else of 10,000 drawn
              ones and the one that was seen
wilcoxon      the signed-rank test of the units' differences, the mean of each group, units that do not differ left
              out: exact up to 13 units, and up to 50 where no two differ by as much; else by the normal distribution
holm          a correction for several tests: the chance that any of them calls luck a difference stays below the level
effect        the mean of the units' differences over their standard deviation (Cohen's d for pairs): from about 0.2
              small, 0.5 medium, 0.8 large

Below six units no test can reach 5 %, so there is none.

References: Wilcoxon, Biometrics Bulletin 1, 1945; Pitman, Supplement to the Journal of the Royal Statistical Society 4,
1937; Phipson and Smyth, Statistical Applications in Genetics and Molecular Biology 9, 2010 (why the one that was seen
counts); Holm, Scandinavian Journal of Statistics 6, 1979; Cohen, Statistical Power Analysis, 1988.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .uncertainty import Resampling

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FLIPS = 10_000
SIGNIFICANT = 0.05
LEAST = 6  # units, below which no two-sided test reaches 5 %
EXACT = 50  # units up to which the distribution of Wilcoxon's sum is computed, where there are no ties
CHUNK = 1000  # choices of signs that are added up at a time
NEAR = 1e-12  # of the sum of all differences: sums that are nearer to each other are equal


class Significance(NamedTuple):
    """Of each column: the p values, NaN where there is no test, and the effect size."""

    wilcoxon: Floats
    permutation: Floats
    effect: Floats


def numbers(how: Resampling, names: Sequence[str]) -> Ints:
    """To each image the number of its unit."""
    if not how.grouped:
        return np.arange(len(names))
    return np.unique(np.array([how.groups[n] for n in names], object), return_inverse=True)[1].astype(np.int64)


def by_unit(values: Floats, of: Ints) -> tuple[Floats, Ints]:
    """Of values (images, columns), the sums over the images of each unit that have one, and how many these are."""
    there = ~np.isnan(values)
    units = int(of.max(initial=-1)) + 1
    sums, counts = np.zeros((units, values.shape[1])), np.zeros((units, values.shape[1]), np.int64)
    np.add.at(sums, of, np.where(there, values, 0.0))
    np.add.at(counts, of, there)
    return sums, counts


def paired(differences: Floats, of: Ints, seed: int = 0) -> Significance:
    """Test differences (images, columns), NaN where an image has none; `of` is the unit of each image."""
    sums, counts = by_unit(differences, of)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), math.nan)
    columns = range(differences.shape[1])
    tested = (counts > 0).sum(axis=0) >= LEAST
    flipped = permutation(np.where(tested, sums, 0.0), seed)
    signed = [_wilcoxon(means[counts[:, c] > 0, c]) if tested[c] else math.nan for c in columns]
    return Significance(np.array(signed), flipped, np.array([_effect(means[counts[:, c] > 0, c]) for c in columns]))


def permutation(sums: Floats, seed: int = 0) -> Floats:
    """The two-sided sign-flip test of each column of `sums` (units, columns); NaN where no unit differs.

    Sums of whole numbers are exact, so p is the same whatever the order and the machine.

    >>> permutation(np.array([[1.0], [2.0], [4.0]])).tolist()
    [0.25]
    """
    out = np.full(sums.shape[1], math.nan)
    differ = np.count_nonzero(sums, axis=0)
    with np.errstate(all="ignore"):
        scale = 2.0 ** (np.ceil(np.log2(np.abs(sums).sum(axis=0))) - 52)
    for width in sorted({_width(n) for n in differ.tolist() if n}):
        at = np.flatnonzero((differ > 0) & (np.array([_width(n) for n in differ.tolist()]) == width))
        packed = np.zeros((width, at.size))
        for k, c in enumerate(at.tolist()):
            column = sums[:, c]
            packed[: differ[c], k] = np.rint(column[column != 0] / scale[c])
        out[at] = _flipped(packed, seed)
    return out


def holm(p: Sequence[float]) -> list[float]:
    """Holm's correction of p values: the k-th smallest of n times (n - k + 1), never falling; NaN stays, uncounted.

    >>> holm([0.01, 0.04, math.nan, 0.03])
    [0.03, 0.06, nan, 0.06]
    """
    given = np.array(p, np.float64)
    order = np.argsort(given, kind="stable")[: int(np.count_nonzero(~np.isnan(given)))]
    out = np.full(given.size, math.nan)
    out[order] = np.minimum(1.0, np.maximum.accumulate(given[order] * np.arange(order.size, 0, -1)))
    return out.tolist()


def _width(differ: int) -> int:
    """Columns are tested together: those of few units each with as many, others filled up to a power of two."""
    return differ if 2**differ <= FLIPS else 1 << (differ - 1).bit_length()


def _flipped(packed: Floats, seed: int) -> Floats:
    """The p values of columns of whole numbers, with all choices of signs where these are few."""
    n = len(packed)
    seen, total = np.abs(packed.sum(axis=0)), np.abs(packed).sum(axis=0)
    far = seen - NEAR * total
    if 2**n <= FLIPS:
        signs = 1.0 - 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
        return (np.abs(signs @ packed) >= far).mean(axis=0)
    rng = np.random.Generator(np.random.PCG64(seed))
    beyond = np.zeros(packed.shape[1], np.int64)
    for start in range(0, FLIPS, CHUNK):
        rows = min(CHUNK, FLIPS - start)
        signs = 1.0 - 2.0 * np.unpackbits(rng.integers(0, 256, (rows, -(-n // 8)), np.uint8), axis=1, count=n)
        beyond += (np.abs(signs @ packed) >= far).sum(axis=0)
    return (beyond + 1) / (FLIPS + 1)


def _wilcoxon(d: Floats) -> float:
    """Units that do not differ are left out. Of few others all choices of signs are taken, so ties do not matter."""
    from scipy.stats import rankdata, wilcoxon

    d = d[d != 0]
    if not d.size:
        return math.nan
    if 2**d.size <= FLIPS:
        return float(_flipped((np.sign(d) * 2 * rankdata(np.abs(d)))[:, None], 0)[0])
    tested: Any = wilcoxon(d, method="auto" if d.size <= EXACT else "asymptotic")
    return float(tested.pvalue)


def _effect(d: Floats) -> float:
    spread = float(d.std(ddof=1)) if d.size > 1 else 0.0
    return float(d.mean() / spread) if spread else math.nan
