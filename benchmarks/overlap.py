"""Objects of two instance maps: the overlap table, and all IoU thresholds from it, beside the peers.

Floor: a bare run-aware loop that fills a hash table takes 4.1 ms for the cells and 26 ms for the volume, and that
is the table alone, without finding sizes, classes or an order. What is added to it here depends on the number of
objects and pairs, not of pixels: about 3 ms for 2,000 cells, and 0.2 ms for each threshold.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run by path or with -m

from benchmarks._harness import Workload, peer, table

from maskmeter.metrics.instances import object_accuracy, pq
from maskmeter.statistics.overlap import overlap

Map = NDArray[Any]
THRESHOLDS = np.linspace(0.5, 0.95, 10)


def balls(seed: int, shape: tuple[int, ...], count: int, radii: tuple[int, int]) -> tuple[Map, Map]:
    """Instances on background, later ones over earlier ones, and a prediction: shifted, every seventh missed."""
    rng = np.random.default_rng(seed)
    gt = np.zeros(shape, np.int32)
    for k in range(1, count + 1):
        r = int(rng.integers(*radii))
        centre = [int(rng.integers(r, n - r)) for n in shape]
        part = gt[tuple(slice(c - r, c + r + 1) for c in centre)]
        steps = np.ogrid[tuple(slice(-r, r + 1) for _ in shape)]
        part[sum(s**2 for s in steps) <= r * r] = k
    pred = np.roll(gt, 2, axis=0)
    pred[pred % 7 == 0] = 0
    return gt, pred


def tables(gt: Map, pred: Map) -> dict[str, Callable[[], Any]]:
    """The table of overlaps alone."""
    top = int(pred.max()) + 1
    found: dict[str, Callable[[], Any]] = {
        "maskmeter": lambda: overlap(gt, pred),
        "np.bincount": lambda: np.bincount((gt * np.int64(top) + pred).ravel()),
    }
    if stardist := peer("stardist.matching"):
        found["StarDist"] = lambda: stardist.label_overlap(gt, pred, check=False)
    if skimage := peer("skimage.metrics"):
        found["scikit-image"] = lambda: skimage.contingency_table(gt, pred)
    return found


def thresholds(gt: Map, pred: Map) -> dict[str, Callable[[], Any]]:
    """From the arrays to the accuracy at ten thresholds."""
    found: dict[str, Callable[[], Any]] = {
        "maskmeter": lambda: object_accuracy.compute(overlap(gt, pred), iou="0.5:0.95"),
    }
    if stardist := peer("stardist.matching"):
        found["StarDist"] = lambda: stardist.matching(gt, pred, thresh=tuple(THRESHOLDS))
    if cellpose := peer("cellpose.metrics"):
        found["cellpose"] = lambda: cellpose.average_precision(gt, pred, threshold=THRESHOLDS)
    return found


def workloads() -> Iterator[Workload]:
    """The workloads in the order of the table."""
    cells = balls(0, (2048, 2048), 2000, (12, 24))
    volume = balls(0, (256, 256, 256), 3000, (5, 10))
    yield Workload("table, 2,000 cells in 2048x2048", cells[0].size, tables(*cells), target=2.0)
    yield Workload("all thresholds", 1, thresholds(*cells), "ms", 1e3, 10)
    yield Workload("PQ", cells[0].size, {"maskmeter": lambda: pq.compute(overlap(*cells))})
    yield Workload("table, 3,000 objects in 256^3", volume[0].size, tables(*volume), target=2.0)
    yield Workload("all thresholds", 1, thresholds(*volume), "ms", 1e3, 50)
    segments = balls(1, (1024, 2048), 40, (60, 150))
    yield Workload(
        "PQ, 40 segments in 1024x2048",
        segments[0].size,
        {"maskmeter": lambda: pq.compute(overlap(*segments))},
        target=0.6,
    )


if __name__ == "__main__":
    table(workloads())
