"""Reading COCO results into columns, beside JSON readers: CPU time and peak memory of 250,000 results with RLE.

The peers only decode the JSON, into dictionaries or (msgspec, typed) structures; columns would come on top.
Floor: the file is read once from the system (0.03 s) and every byte looked at, eight at a time (0.03 s).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

IMAGES, CLASSES = 5_000, 80
CONTENDERS = {
    "maskmeter": "from maskmeter.formats.coco import read_annotations, read_results\n"
    "gt = read_annotations(sys.argv[1])\nfor _ in range(N): r = None; r = read_results(sys.argv[2], gt)",
    "msgspec, typed": "import msgspec\n"
    "class Rle(msgspec.Struct, gc=False): size: tuple[int, int]; counts: str\n"
    "class Result(msgspec.Struct, gc=False): image_id: int; category_id: int; score: float; segmentation: Rle\n"
    "for _ in range(N): r = None; r = msgspec.json.decode(open(sys.argv[2], 'rb').read(), type=list[Result])",
    "msgspec": "import msgspec\nfor _ in range(N): r = None; r = msgspec.json.decode(open(sys.argv[2], 'rb').read())",
    "orjson": "import orjson\nfor _ in range(N): r = None; r = orjson.loads(open(sys.argv[2], 'rb').read())",
    "json": "import json\nfor _ in range(N): r = None; r = json.loads(open(sys.argv[2], 'rb').read())",
}


def write_files(folder: Path, results: int = 250_000, seed: int = 0) -> tuple[Path, Path]:
    """A ground truth without annotations, and results whose counts look like those of masks."""
    rng = np.random.default_rng(seed)
    near = np.array([ord(c) for c in "N1O2M3L4K5J6I7100000001N2O1O"], np.uint8)
    counts = [
        rng.choice(near, max(4, int(n))).tobytes().decode() + ("\\" if k % 3 == 0 else "k")
        for k, n in enumerate(rng.gamma(1.5, 120, 4096))
    ]
    images = [{"id": k, "height": 480, "width": 640, "file_name": f"{k}.jpg"} for k in range(IMAGES)]
    categories = [{"id": k, "name": f"class {k}"} for k in range(CLASSES)]
    gt, pred = folder / "gt.json", folder / "pred.json"
    gt.write_text(json.dumps({"images": images, "categories": categories, "annotations": []}))
    with pred.open("w") as file:
        json.dump(
            [
                {
                    "image_id": int(rng.integers(IMAGES)),
                    "category_id": int(rng.integers(CLASSES)),
                    "segmentation": {"size": [480, 640], "counts": counts[k % len(counts)]},
                    "score": float(rng.random()),
                }
                for k in range(results)
            ],
            file,
        )
    return gt, pred


def run(code: str, n: int, *files: Path) -> tuple[float, float]:
    """CPU seconds and peak megabytes of a process that runs `code` with N = n."""
    before = "import sys, resource, time; N = int(sys.argv[3])\n"
    after = "\nu = resource.getrusage(resource.RUSAGE_SELF); print(u.ru_utime + u.ru_stime, u.ru_maxrss / 1024)"
    command = [sys.executable, "-c", before + code + after, *map(str, files), str(n)]
    answer = subprocess.run(command, capture_output=True, check=True, text=True)
    seconds, megabytes = map(float, answer.stdout.split())
    return seconds, megabytes


def rows(gt: Path, pred: Path, rounds: int = 5) -> Iterator[tuple[str, float, float]]:
    """Name, CPU seconds of one reading and peak memory: the second of two readings, the least of `rounds`."""
    for name, code in CONTENDERS.items():
        try:
            once = [run(code, 1, gt, pred) for _ in range(rounds)]
            twice = [run(code, 2, gt, pred) for _ in range(rounds)]
        except subprocess.CalledProcessError as error:
            print(f"{name}: {error.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            continue
        yield name, min(s for s, _ in twice) - min(s for s, _ in once), min(m for _, m in once)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        gt, pred = write_files(Path(folder))
        print(f"{pred.stat().st_size / 1e6:.0f} MB of results\n\n| reader | CPU s | peak MB |\n|---|---:|---:|")
        for name, seconds, megabytes in rows(gt, pred):
            print(f"| {name} | {seconds:.3f} | {megabytes:.0f} |", flush=True)


if __name__ == "__main__":
    main()
