"""A folder of label PNGs, from the command line: how much an evaluation costs beyond reading and counting.

    python benchmarks/folder.py [PAIRS]

500 pairs of 1024 x 2048 with 19 classes are generated into a temporary folder. The bare loop decodes and
counts them with the same functions and keeps nothing. CPU time of whole processes, children included, the
two taking turns; the floor of the command is the loop. Peak memory is that of the command, at all the
pairs and at a fifth of them: it must not grow with the images.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

ROUNDS = 5

LOOP = """
import sys
from pathlib import Path
from maskmeter.formats import decode, load
from maskmeter.kernels import joint_counts
gt, pred = map(Path, sys.argv[1:])
for path in sorted(gt.iterdir()):
    other = pred / path.name
    joint_counts(decode(load(path), path).array, decode(load(other), other).array)
"""


def make(folder: Path, pairs: int) -> None:
    """Street-like label maps: smooth segments whose borders wander, and predictions that differ along them."""
    sys.path.insert(0, str(Path(__file__).parent))
    from read_png import street

    maps = [street(seed=seed) for seed in range(6)]
    for side in ("gt", "pred"):
        (folder / side).mkdir(parents=True)
    for i in range(pairs):
        gt = np.roll(maps[i % 6], 37 * i, axis=1)
        pred = np.roll(gt, 3, axis=0)
        for side, array in (("gt", gt), ("pred", pred)):
            Image.fromarray(array).save(folder / side / f"{i:04d}.png")


def cpu(command: list[str]) -> tuple[float, float]:
    """CPU seconds and peak memory in MB of a command."""
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)"
    )
    out = subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True, text=True).stdout
    seconds, memory = out.split()
    return float(seconds), float(memory)


def main(pairs: int = 500) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make(root / "all", pairs)
        make(root / "few", pairs // 5)

        def command(which: str, *more: str) -> list[str]:
            folders = [str(root / which / side) for side in ("gt", "pred")]
            return [
                sys.executable,
                "-m",
                "maskmeter",
                "evaluate",
                *folders,
                "-o",
                str(root / "run"),
                "--no-report",
                *more,
            ]

        loop = [sys.executable, "-c", LOOP, str(root / "all/gt"), str(root / "all/pred")]
        nothing = [sys.executable, "-c", "import numpy"]
        jobs = {
            "bare loop": loop,
            "maskmeter evaluate -j 1": command("all", "-j", "1"),
            "maskmeter evaluate": command("all"),
            "maskmeter evaluate, a fifth": command("few"),
            "import numpy": nothing,
        }
        times: dict[str, list[float]] = {job: [] for job in jobs}
        memory: dict[str, float] = {}
        for _ in range(ROUNDS):
            for job, words in jobs.items():
                seconds, memory[job] = cpu(words)
                times[job].append(seconds)
    median = {job: statistics.median(t) for job, t in times.items()}
    allowed = 1.2 * (median["bare loop"] - median["import numpy"]) + 0.6
    print(f"{pairs} pairs; target for the command: at most {allowed:.2f} s (1.2 x the loop without imports + 0.6)\n")
    print("| command | CPU s, median | least | peak MB |\n|---|---:|---:|---:|")
    for job in jobs:
        print(f"| {job} | {median[job]:.2f} | {min(times[job]):.2f} | {memory[job]:.0f} |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
