"""Large images in tiles: the peak memory and the CPU time of one evaluation of a pair, each in a process of its own.

    python benchmarks/tiles.py [--side 20000] [--memory 300MB] [--folder DIR]

The pair is made in DIR (a temporary folder by default) as NPY, and as TIFF in compressed tiles of 256 x 256. The last
lines read them whole, to compare: `results.json` must have the same bytes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile
from _harness import processor

CALL = """
import json, resource, sys
from maskmeter import evaluate
gt, pred, out, options = json.loads(sys.argv[1])
evaluate(gt, pred, out=out, task="semantic", **options)
use = resource.getrusage(resource.RUSAGE_SELF)
# Of this program alone; what getrusage says of memory begins with that of the process that started it.
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([int(peak) * 1024, use.ru_utime + use.ru_stime]))
"""


def make(folder: Path, side: int) -> None:
    """Labels in blocks of 50 pixels, and the same shifted a little."""
    small = np.random.default_rng(0).integers(0, 8, (-(-side // 50), -(-side // 50))).astype(np.uint8)
    gt = np.kron(small, np.ones((50, 50), np.uint8))[:side, :side]
    for name, array in (("gt", gt), ("pred", np.roll(gt, (3, 7), (0, 1)))):
        for form in ("npy", "tiff"):
            (folder / form / name).mkdir(parents=True, exist_ok=True)
        np.save(folder / "npy" / name / "a.npy", array)
        tifffile.imwrite(
            folder / "tiff" / name / "a.tif", array, tile=(256, 256), compression="zlib", photometric="minisblack"
        )


def run(folder: Path, form: str, out: Path, options: dict[str, object]) -> tuple[float, float]:
    """Peak memory in bytes and seconds of CPU."""
    given = json.dumps([str(folder / form / "gt"), str(folder / form / "pred"), str(out), options])
    done = subprocess.run([sys.executable, "-c", CALL, given], capture_output=True, text=True, check=True)
    peak, seconds = json.loads(done.stdout)
    return peak, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--memory", default="300MB")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    print(f"Processor: {processor()}\n\n| files | read | workers | peak, MB | CPU, s |\n|---|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as made:
        folder = options.folder or Path(made)
        make(folder, options.side)
        for form in ("npy", "tiff"):
            found = set()
            for how, given in (("in tiles", {"memory": options.memory}), ("whole", {"max_pixels": options.side**2})):
                for workers in (1, 2) if how == "in tiles" else (1,):
                    out = folder / "out"
                    peak, seconds = run(folder, form, out, {**given, "workers": workers})
                    found.add((out / "results.json").read_bytes())
                    print(f"| {form} | {how} | {workers} | {peak / 1e6:.0f} | {seconds:.2f} |", flush=True)
            assert len(found) == 1, "tiles have changed a number"


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    main()
