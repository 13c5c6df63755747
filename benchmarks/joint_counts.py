"""Joint counts of two label maps, beside the peers.

Floor: each label is read once, 2 bytes per pixel for 8-bit maps and 8 for 32-bit ones: 0.04 and 0.3 ns per pixel
from the third-level cache. Finding the runs takes 4 loads, 2 comparisons and 2 moves per 32 pixels of an 8-bit pair
(0.09 ns), counting one about 5 ns. Noise takes 2 loads, an addition and a store per pixel: the plain loop's 0.7 ns.
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

from maskmeter import kernels

Map = NDArray[Any]
CLASSES = 19


def street(seed: int, shape: tuple[int, int] = (1024, 2048)) -> tuple[Map, Map]:
    """A label map of overlapping regions, runs of 120 pixels, and a prediction of it: shifted, with wrong regions."""
    rng = np.random.default_rng(seed)
    gt = discs(rng, shape, 560, (20, 220), CLASSES)
    pred = np.roll(gt, (1, 3), (0, 1))
    wrong = discs(rng, shape, 40, (10, 90), 2) > 0
    pred[wrong] = (pred[wrong] + 5) % CLASSES
    return gt.astype(np.uint8), pred.astype(np.uint8)


def cells(seed: int, count: int = 2000, side: int = 2048) -> tuple[Map, Map]:
    """Instances on background, and another segmentation of them under ids of six digits."""
    rng = np.random.default_rng(seed)
    gt = discs(rng, (side, side), count, (12, 24), None)
    pred = np.roll(gt, (2, 1), (0, 1))
    return gt.astype(np.int32), np.where(pred > 0, pred * 137 % 400_009, 0).astype(np.int32)


def discs(
    rng: np.random.Generator, shape: tuple[int, int], count: int, radii: tuple[int, int], labels: int | None
) -> Map:
    """Discs over one another, labelled at random among `labels`, or in order from 1."""
    out = np.zeros(shape, np.int64)
    for k in range(count):
        y, x, r = rng.integers(shape[0]), rng.integers(shape[1]), rng.integers(*radii)
        top, left = max(0, y - r), max(0, x - r)
        part = out[top : y + r, left : x + r]
        rows, columns = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
        part[(rows - y) ** 2 + (columns - x) ** 2 < r * r] = k + 1 if labels is None else rng.integers(labels)
    return out


def contenders(gt: Map, pred: Map) -> dict[str, Callable[[], Any]]:
    """Ours first, then whoever is installed; each gets the arrays in the form that suits it best."""
    found: dict[str, Callable[[], Any]] = {
        "maskmeter": lambda: kernels.joint_counts(gt, pred),
        "np.bincount": lambda: np.bincount(gt.ravel() * np.int64(CLASSES) + pred.ravel(), minlength=CLASSES**2),
    }
    if cv2 := peer("cv2"):
        cv2.setNumThreads(1)
        span = [0, CLASSES, 0, CLASSES]
        found["cv2.calcHist"] = lambda: cv2.calcHist([gt, pred], [0, 1], None, [CLASSES, CLASSES], span)
    if semantic := peer("hotcoco.semantic"):
        evaluation = semantic.SemanticEval(CLASSES)
        found["hotcoco"] = lambda: evaluation.update(gt, pred)
    if cityscapes := peer("cityscapesscripts.evaluation.addToConfusionMatrix"):
        ids, matrix = list(range(CLASSES)), np.zeros((CLASSES, CLASSES), np.ulonglong)
        found["Cityscapes C"] = lambda: cityscapes.cEvaluatePair(pred, gt, matrix, ids)
    if metrics := peer("sklearn.metrics"):
        found["scikit-learn"] = lambda: metrics.confusion_matrix(gt.ravel(), pred.ravel())
    if (torch := peer("torch")) and (classification := peer("torchmetrics.functional.classification")):
        torch.set_num_threads(1)
        g, p = torch.from_numpy(gt.astype(np.int64)), torch.from_numpy(pred.astype(np.int64))
        found["torchmetrics"] = lambda: classification.multiclass_confusion_matrix(p, g, CLASSES, validate_args=False)
    return found


def workloads() -> Iterator[Workload]:
    """The workloads in the order of the table."""
    rng = np.random.default_rng(0)
    gt, pred = street(1)
    noise = [rng.integers(0, CLASSES, gt.shape, np.uint8) for _ in range(2)]
    wide, wide_pred = gt.astype(np.int32), pred.astype(np.int32)
    mask = street(2)[0] > 3
    many, many_pred = cells(3)
    small, small_pred = (np.ascontiguousarray(x[400:464, 400:464]) for x in (gt, pred))

    yield Workload("uint8 1024x2048, 19 classes", gt.size, contenders(gt, pred), target=0.3)
    yield Workload("the same, noise", gt.size, contenders(*noise), target=0.7)
    yield ours("the same, masked", gt, pred, mask, target=1.0)
    yield ours("int32 1024x2048, 19 classes", wide, wide_pred, target=0.6)
    yield ours("int32 2048x2048, 2,000 cells", many, many_pred, target=2.0)
    call = Workload("one call, uint8 64x64", 100, {}, "µs", 1e6, 10)
    call.contenders["maskmeter"] = lambda: [kernels.joint_counts(small, small_pred) for _ in range(100)]
    yield call


def ours(name: str, gt: Map, pred: Map, mask: Map | None = None, target: float | None = None) -> Workload:
    """A workload that the peers have no quick answer to."""
    found: dict[str, Callable[[], Any]] = {"maskmeter": lambda: kernels.joint_counts(gt, pred, mask)}
    if mask is None:
        top = int(pred.max()) + 1
        found["np.unique"] = lambda: np.unique(gt.ravel() * np.int64(top) + pred.ravel(), return_counts=True)
    if gt.dtype.itemsize > 1:  # bound by memory: what it costs to see both maps once
        found["np.array_equal, which only reads"] = lambda: np.array_equal(gt, pred)
    return Workload(name, gt.size, found, target=target)


if __name__ == "__main__":
    table(workloads())
