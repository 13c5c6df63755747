"""How often intervals hold the truth, in simulated data sets whose truth is known: docs/studies/coverage.md.

python benchmarks/study_coverage.py [PAGE] [DATA SETS]
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from maskmeter import accuracy
from maskmeter.statistics.confusion import Confusion
from maskmeter.statistics.units import Units
from maskmeter.uncertainty import Draws, Resampling, draws

TRUTH, PIXELS, SLICES, SETS = 0.8, 400, 5, 1000
PAGE = Path(__file__).resolve().parents[1] / "docs" / "studies" / "coverage.md"

TEXT = """# How often the intervals hold the truth

<!-- Printed by benchmarks/study_coverage.py (`make study`). Change it there. -->

An interval of 95 % should hold the truth in 95 of 100 data sets. The bootstrap promises that for many images; this
page counts how many are many, in {sets:,} simulated data sets a line, 1,000 resamples each. Luck alone moves a share
by {luck:.1f} points (one standard deviation).

**Images** have an accuracy drawn from a Beta distribution (8, 2), skewed as scores are, and {pixels} pixels. In the
grouped setting **patients** have an accuracy of their own, Beta (8, 2), around which their {slices} slices lie closely.
The truth is the mean of the distribution, {truth}; the interval that of the mean over images.

| sample | units drawn | percentile | bca |
|---|---:|---:|---:|
{rows}

- From 50 units on both methods hold about what they say; with 20 they are three points short, with 10 five, with 5
  fifteen. So intervals of fewer than 20 units are marked in `results.json`, on the command line and in the report.
- BCa is no cure for few images: its gain is in skewed values with many.
- Slices drawn as if they were patients make intervals that hold the truth in two of three data sets. `--group-by` draws
  patients, and the interval is as good as that of 20 independent images.
"""


def drawn(right: np.ndarray, units: Units, method: str, seed: int) -> Draws:
    """The accuracy of a data set on its resamples; `right` counts the right pixels of each image."""
    tp = np.stack([right, np.zeros_like(right)], axis=1)
    gt = np.stack([np.full_like(right, PIXELS), np.zeros_like(right)], axis=1)
    pred = np.stack([right, PIXELS - right], axis=1)
    whole = Confusion(np.arange(2), tp, gt, pred, np.zeros_like(right), np.ones(2, bool))
    fields = {f: units.summed(getattr(whole, f)) for f in ("tp", "gt", "pred", "ignored")}
    by_unit = Confusion(whole.classes, averaged=whole.averaged, **fields)
    how = Resampling(method, 1000, seed)  # type: ignore[arg-type]
    values = {accuracy: accuracy.values(whole)[:, None]}
    return draws([accuracy], units, {"confusion": by_unit}, [values], lambda m, s: m.values(s)[:, None], how=how)[
        accuracy
    ]


def independent(rng: np.random.Generator, n: int) -> np.ndarray:
    """Images by themselves."""
    return rng.binomial(PIXELS, rng.beta(8, 2, n))


def in_patients(rng: np.random.Generator, n: int) -> np.ndarray:
    """`n` patients with five slices each."""
    own = rng.beta(8, 2, n).repeat(SLICES)
    return rng.binomial(PIXELS, rng.beta(50 * own, 50 * (1 - own)))


def covered(
    make: Callable[[np.random.Generator, int], np.ndarray], n: int, units: Units, method: str, sets: int
) -> float:
    """The share of data sets whose interval of the mean over images holds the truth."""
    rng, hits = np.random.default_rng(n), 0
    for i in range(sets):
        ends = drawn(make(rng, n), units, method, i).images.interval
        hits += bool(ends.low[0] <= TRUTH <= ends.high[0])
    return hits / sets


def study(sets: int) -> str:
    """The page."""
    patients = [str(i // SLICES) for i in range(20 * SLICES)]
    rows = [(f"{n} images", n, independent, Units.single(n)) for n in (5, 10, 20, 50, 200)]
    rows += [(f"20 patients of {SLICES} slices, drawn by images", 20, in_patients, Units.single(20 * SLICES))]
    rows += [(f"20 patients of {SLICES} slices, drawn by patients", 20, in_patients, Units.grouped(patients))]
    lines: list[str] = []
    for name, n, make, units in rows:
        shares = [covered(make, n, units, method, sets) for method in ("percentile", "bca")]
        lines.append(f"| {name} | {units.count} | {shares[0]:.1%} | {shares[1]:.1%} |")
        print(lines[-1], file=sys.stderr, flush=True)
    luck = 100 * math.sqrt(0.95 * 0.05 / sets)
    return TEXT.format(sets=sets, luck=luck, pixels=PIXELS, slices=SLICES, truth=TRUTH, rows="\n".join(lines))


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    where.write_text(study(int(sys.argv[2]) if len(sys.argv) > 2 else SETS))
