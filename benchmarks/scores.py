"""Exact ROC AUC and average precision of score maps, beside the peers: time, and memory beyond the input.

Floor, float32: each score is read twice and its word written and read in a slot, from memory (3 ns where pages are
large), then counted in cache (3 ns), and each distinct score read twice for the areas, with a division (2 ns).
8 bits: 2 loads, an addition and a store per pixel, 0.6 ns.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run by path or with -m

from benchmarks._harness import Workload, peer, table

from maskmeter.metrics.curves import average_precision, roc_auc
from maskmeter.statistics.scores import scores

Map = NDArray[Any]


def network(n: int, seed: int = 0) -> tuple[Map, Map]:
    """Ground truth with a tenth of positives, and float32 scores as a network gives them: a sigmoid of noisy logits."""
    rng = np.random.default_rng(seed)
    gt, score = np.empty(n, bool), np.empty(n, np.float32)
    for at in range(0, n, 1 << 20):  # in pieces, so that a measurement of memory sees the input alone
        part = slice(at, at + (1 << 20))
        gt[part] = rng.random(gt[part].size) < 0.1
        score[part] = 1 / (1 + np.exp(2 - 2 * rng.standard_normal(gt[part].size) - 3 * gt[part]))
    return gt, score


def ours(gt: Map, score: Map) -> tuple[float, float]:
    s = scores(gt, score)
    return roc_auc.compute(s), average_precision.compute(s)


def scikit_learn(gt: Map, score: Map) -> tuple[float, float]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    return roc_auc_score(gt, score), average_precision_score(gt, score)


def torchmetrics(gt: Map, score: Map) -> tuple[float, float]:
    import torch
    from torchmetrics.functional.classification import binary_auroc, binary_average_precision

    # It takes floats alone: of bytes it would take the numbers for logits.
    floats = score.astype(np.float32) / np.float32(255) if score.dtype == np.uint8 else score
    g, s = torch.from_numpy(gt.view(np.uint8)).long(), torch.from_numpy(floats)
    return float(binary_auroc(s, g)), float(binary_average_precision(s, g))


PEERS = {"scikit-learn": ("sklearn", scikit_learn), "torchmetrics": ("torchmetrics", torchmetrics)}


def contenders(gt: Map, score: Map) -> dict[str, Callable[[], Any]]:
    found: dict[str, Callable[[], Any]] = {"maskmeter": lambda: ours(gt, score)}
    for name, (package, run) in PEERS.items():
        if peer(package):
            found[name] = lambda run=run: run(gt, score)
    return found


def workloads() -> Iterator[Workload]:
    """The workloads in the order of the table."""
    gt, score = network(10_000_000)
    flat = np.random.default_rng(1).random(score.size, np.float32)
    yield Workload("float32, 1e7", gt.size, contenders(gt, score), "ns/score", target=20)
    yield Workload("float32, 1e7, uniform", gt.size, {"maskmeter": lambda: ours(gt, flat)}, "ns/score", target=20)
    double, half, byte = score.astype(np.float64), score.astype(np.float16), np.round(score * 255).astype(np.uint8)
    yield Workload("float64, 1e7", gt.size, {"maskmeter": lambda: ours(gt, double)}, "ns/score")
    yield Workload("float16, 1e7", gt.size, {"maskmeter": lambda: ours(gt, half)}, "ns/score")
    yield Workload("uint8, 1e7", gt.size, contenders(gt, byte), "ns/score", target=1)
    smooth = np.round(np.sin(np.cumsum(score - 0.2) / 50) * 127 + 128).astype(np.uint8)
    yield Workload("uint8, 1e7, smooth", gt.size, contenders(gt, smooth), "ns/score", target=1)


def memory(tool: str, n: int) -> None:
    """Prints the peak of this process beyond what it had with the input and the packages in memory, and the values."""
    import resource

    gt, score = network(n)
    run = ours if tool == "maskmeter" else PEERS[tool][1]
    run(gt[:1000], score[:1000])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    values = run(gt, score)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    more, whole = ((x * 1024) / 1e6 for x in (peak - before, peak))
    print(f"| {n:.0e} | {tool} | {more:.0f} MB | {more * 1e6 / score.nbytes:.2f} | {whole:.0f} MB | {values} |")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        memory(sys.argv[1], int(sys.argv[2]))
    else:
        # Before this process is large: a child starts with its parent's peak.
        print("| float32 scores | tool | beyond the input | times the scores | process | AUC, AP |")
        print("|---|---|---:|---:|---:|---|", flush=True)
        for name, n in [*((name, 10_000_000) for name in ("maskmeter", *PEERS)), ("maskmeter", 100_000_000)]:
            if name == "maskmeter" or peer(PEERS[name][0]):
                subprocess.run([sys.executable, __file__, name, str(n)], check=True)
        table(workloads())
