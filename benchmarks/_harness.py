"""What the workloads share: a fair clock and a table.

Times are CPU time, of the calling thread unless a workload says otherwise, so that other programs on the machine count
little; the contenders of a workload take turns, so that a slow moment meets all of them, and run twice in a turn, of
which the second counts, so that none finds the caches full of another's arrays. What is compared is the ratio in one
run.
"""

from __future__ import annotations

import functools
import importlib
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

BUDGET = 1.0  # seconds of one contender, beyond which it is not repeated


@dataclass
class Workload:
    """One input, how many units of it there are to count, and who counts them; ours comes first."""

    name: str
    size: int
    contenders: dict[str, Callable[[], Any]]
    unit: str = "ns/pixel"
    scale: float = 1e9  # units of `unit` in a second
    target: float | None = None
    clock: Callable[[], float] = time.thread_time  # or time.process_time, where one of them has threads of its own
    times: dict[str, list[float]] = field(default_factory=dict)


@functools.cache
def peer(name: str) -> ModuleType | None:
    """A package that may be there to compare with; says so where it is not."""
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"{name} is not installed: left out", file=sys.stderr)
        return None


def measure(workload: Workload, rounds: int = 15) -> Workload:
    """Runs the contenders in turns, each until the rounds or its budget are used up."""
    workload.times = {name: [] for name in workload.contenders}
    for _ in range(rounds):
        for name, run in workload.contenders.items():
            times = workload.times[name]
            if sum(times) < BUDGET:
                run()
                start = workload.clock()
                run()
                times.append(workload.clock() - start)
    return workload


def table(workloads: Iterable[Workload]) -> None:
    """Prints a Markdown table: median and best of each contender, and the medians as multiples of ours."""
    print(f"Processor: {processor()}\n")
    print("| workload | tool | median | best | unit | times ours | target |")
    print("|---|---|---:|---:|---|---:|---:|")
    for workload in workloads:
        measure(workload)
        ours = statistics.median(next(iter(workload.times.values())))
        for place, (name, times) in enumerate(workload.times.items()):
            median, best = (t * workload.scale / workload.size for t in (statistics.median(times), min(times)))
            target = f"{workload.target:g}" if place == 0 and workload.target else ""
            title = workload.name if place == 0 else ""
            numbers = f"{median:.3g} | {best:.3g} | {workload.unit} | {statistics.median(times) / ours:.3g}"
            print(f"| {title} | {name} | {numbers} | {target} |", flush=True)


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
