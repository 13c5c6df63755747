"""COCO evaluation from files to the twelve numbers: CPU time and peak memory, beside its peers.

5,000 images of 640 x 480, 80 classes, 36,000 ground truths and 250,000 detections as RLE, made deterministically. Two
in three ground truths are found, most detections are wrong. Each contender is a process of its own; its start and its
imports count.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskmeter import rle

IMAGES, CLASSES, TRUTHS, RESULTS = 5_000, 80, 36_000, 250_000
HEIGHT, WIDTH = 480, 640
OURS = (
    "from maskmeter import read_detections\nfrom maskmeter.metrics.detections import twelve\n"
    "d = read_detections(sys.argv[1], sys.argv[2], convention='coco', workers={workers})\n"
    "print(list(twelve(d).values()))"
)
PEER = (
    "from {module} import COCO, COCOeval\ng = COCO(sys.argv[1]); d = {load}(sys.argv[2])\n"
    "e = COCOeval(g, d, 'segm'); e.evaluate(); e.accumulate(); e.summarize()\nprint(list(e.stats))"
)
VERNIER = (
    "from pathlib import Path\nfrom vernier.instance import CocoDataset, Evaluator, Segm\n"
    "g = CocoDataset.from_json(Path(sys.argv[1]).read_bytes())\n"
    "e = Evaluator(iou=Segm(), parity_mode='strict').evaluate(g, Path(sys.argv[2]).read_bytes(), num_threads=1)\n"
    "print(list(map(float, e.stats)))"
)
CONTENDERS = {
    "maskmeter, 1 thread": OURS.format(workers=1),
    "maskmeter, 2 threads": OURS.format(workers=2),
    "maskmeter, coco-fixed": OURS.format(workers=1).replace("'coco'", "None"),
    "hotcoco": PEER.format(module="hotcoco", load="g.load_res"),
    "ultrafast-pycocotools": PEER.format(module="ultrafast_pycocotools", load="g.loadRes"),
    "vernier": VERNIER,
    "faster-coco-eval": PEER.format(module="faster_coco_eval", load="g.loadRes").replace("COCOeval", "COCOeval_faster"),
    "pycocotools": "from pycocotools.coco import COCO\n"
    + PEER.format(module="pycocotools.cocoeval", load="g.loadRes").replace("import COCO, COCOeval", "import COCOeval"),
}


def ellipses(
    rng: np.random.Generator, centre: NDArray[np.float64], radius: NDArray[np.float64]
) -> tuple[list[str], list[list[float]]]:
    """The compressed counts and the boxes of ellipses with ragged edges."""
    parts: list[NDArray[np.int64]] = []
    for (y, x), (a, b) in zip(centre.tolist(), radius.tolist(), strict=True):
        columns = np.arange(max(int(x - b), 0), min(int(x + b) + 1, WIDTH))
        half = a * np.sqrt(np.maximum(1 - ((columns - x) / b) ** 2, 0)) + rng.integers(0, 2, columns.size)
        top = np.clip((y - half).astype(np.int64), 0, HEIGHT - 2)
        low = np.clip((y + half).astype(np.int64), top + 1, HEIGHT - 1)
        edges = np.stack([columns * HEIGHT + top, columns * HEIGHT + low], axis=1).ravel()
        parts.append(np.diff(edges, prepend=0, append=HEIGHT * WIDTH))
    offsets = np.cumsum([0, *(p.size for p in parts)])
    sizes = np.tile([HEIGHT, WIDTH], (len(parts), 1))
    masks = rle.from_counts(np.concatenate(parts), offsets, sizes)
    return [s.decode() for s in masks.to_strings()], masks.boxes().tolist()


def write_files(folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """Ground truth and results."""
    rng = np.random.default_rng(seed)
    image, kind = rng.integers(1, IMAGES + 1, TRUTHS), rng.integers(1, CLASSES + 1, TRUTHS)
    centre = rng.random((TRUTHS, 2)) * [HEIGHT, WIDTH]
    radius = 4 + rng.gamma(1.5, 16, (TRUTHS, 2))
    crowd = rng.random(TRUTHS) < 0.01
    truth, _ = ellipses(rng, centre, radius)
    of = rng.integers(0, TRUTHS, RESULTS)
    near = np.arange(RESULTS) < 2 * TRUTHS
    shift = np.where(near, 0.15, 2.0)[:, None] * rng.normal(size=(RESULTS, 2)) * radius[of]
    grown = radius[of] * np.exp(np.where(near, 0.1, 0.5)[:, None] * rng.normal(size=(RESULTS, 2)))
    middle = np.clip(centre[of] + shift, 2, [HEIGHT - 3, WIDTH - 3])
    found, boxes = ellipses(rng, middle, np.clip(grown, 2, 200))
    score = np.round(np.where(near, rng.beta(4, 2, RESULTS), rng.beta(1, 6, RESULTS)), 5)
    wrong = rng.random(RESULTS) < 0.1
    kinds = np.where(wrong, rng.integers(1, CLASSES + 1, RESULTS), kind[of])
    areas = (np.pi * radius[:, 0] * radius[:, 1]).round(1).tolist()
    gt, pred = folder / "gt.json", folder / "pred.json"
    size = [HEIGHT, WIDTH]
    annotations = [
        {"id": n + 1, "image_id": int(image[n]), "category_id": int(kind[n]), "iscrowd": int(crowd[n]),
         "area": areas[n], "bbox": [0, 0, 1, 1], "segmentation": {"size": size, "counts": truth[n]}}
        for n in range(TRUTHS)
    ]  # fmt: skip
    images = [{"id": n, "height": HEIGHT, "width": WIDTH, "file_name": f"{n:012d}.jpg"} for n in range(1, IMAGES + 1)]
    categories = [{"id": n, "name": f"class {n}"} for n in range(1, CLASSES + 1)]
    gt.write_text(json.dumps({"images": images, "categories": categories, "annotations": annotations}))
    results = [
        {"image_id": int(image[of[n]]), "category_id": int(kinds[n]), "score": float(score[n]),
         "bbox": boxes[n], "segmentation": {"size": size, "counts": found[n]}}
        for n in rng.permutation(RESULTS).tolist()
    ]  # fmt: skip
    pred.write_text(json.dumps(results))
    return gt, pred


def run(code: str, gt: Path, pred: Path) -> tuple[float, float, float, str]:
    """CPU seconds, seconds, peak megabytes and the printed numbers of a process."""
    before = "import sys, resource, time; start = time.perf_counter()\n"
    after = (
        "\nu = resource.getrusage(resource.RUSAGE_SELF)\n"
        "peak = next(int(n.split()[1]) for n in open('/proc/self/status') if n.startswith('VmHWM'))\n"  # its own alone
        "print(u.ru_utime + u.ru_stime, time.perf_counter() - start, peak / 1024)"
    )
    command = [sys.executable, "-c", before + code + after, str(gt), str(pred)]
    one = {**os.environ, "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # for the peers
    answer = subprocess.run(command, capture_output=True, check=True, text=True, env=one)
    *_, numbers, cost = answer.stdout.strip().splitlines()
    cpu, wall, memory = map(float, cost.split())
    return cpu, wall, memory, numbers


def main(rounds: int = 3) -> None:
    with tempfile.TemporaryDirectory() as folder:
        gt, pred = write_files(Path(folder))
        print(f"{gt.stat().st_size / 1e6:.0f} + {pred.stat().st_size / 1e6:.0f} MB\n")
        print("| tool | CPU s | s | peak MB | AP |\n|---|---:|---:|---:|---:|")
        for name, code in CONTENDERS.items():
            try:
                found = [run(code, gt, pred) for _ in range(1 if name == "pycocotools" else rounds)]
            except subprocess.CalledProcessError as error:
                print(f"{name}: {error.stderr.strip().splitlines()[-1]}", file=sys.stderr)
                continue
            cpu, wall, memory = (min(f[k] for f in found) for k in range(3))
            ap = found[0][3].strip("[]").split(",")[0].removeprefix("np.float64(").rstrip(")")
            print(f"| {name} | {cpu:.2f} | {wall:.2f} | {memory:.0f} | {ap} |", flush=True)


if __name__ == "__main__":
    main()
