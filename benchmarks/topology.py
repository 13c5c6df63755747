"""Topology of masks: Euler number, Betti numbers and skeletons, beside scikit-image."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run by path or with -m

from benchmarks._harness import Workload, peer, table

from maskmeter.kernels import euler, thin
from maskmeter.statistics.topology import betti, topology

Mask = NDArray[np.bool_]


def tubes(shape: tuple[int, ...], radius: int, count: int) -> Mask:
    """Winding tubes, some of which meet."""
    rng = np.random.default_rng(0)
    mask = np.zeros(shape, bool)
    steps = np.ogrid[tuple(slice(-radius, radius + 1) for _ in shape)]
    ball = sum(s**2 for s in steps) <= radius**2
    for _ in range(count):
        at, way = rng.uniform(0, shape), rng.normal(size=len(shape))
        for _ in range(4 * max(shape) // radius):
            way += rng.normal(size=len(shape)) / 4
            way /= np.linalg.norm(way)
            at = np.clip(at + way * radius / 2, radius, np.array(shape) - radius - 1)
            mask[tuple(slice(int(a) - radius, int(a) + radius + 1) for a in at)] |= ball
    return mask


def workloads() -> Iterator[Workload]:
    """A plane and a volume."""
    for name, mask in (("1024 x 1024", tubes((1024, 1024), 6, 30)), ("200^3", tubes((200, 200, 200), 5, 40))):
        numbers: dict[str, Callable[[], Any]] = {"maskmeter": lambda mask=mask: euler(mask, True)}
        skeletons: dict[str, Callable[[], Any]] = {"maskmeter": lambda mask=mask: thin(mask)}
        if measure := peer("skimage.measure"):
            numbers["scikit-image"] = lambda mask=mask: measure.euler_number(mask, mask.ndim)
        if morphology := peer("skimage.morphology"):
            skeletons["scikit-image"] = lambda mask=mask: morphology.skeletonize(mask)
        yield Workload(f"Euler number, {name}", mask.size, numbers)
        yield Workload(f"Betti numbers, {name}", mask.size, {"maskmeter": lambda mask=mask: betti(mask)})
        yield Workload(f"skeleton, {name}, per voxel of the figure", int(mask.sum()), skeletons)
        pred = np.roll(mask, 2, axis=0)
        whole = {"maskmeter": lambda mask=mask, pred=pred: topology(mask, pred)}
        yield Workload(f"all topology metrics, {name}", mask.size, whole)


if __name__ == "__main__":
    table(workloads())
