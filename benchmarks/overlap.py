"""Objects of two instance maps: the overlap table, all IoU thresholds from it and PQ, from arrays and from PNG.

Floor: a bare run-aware loop that fills a hash table takes 4.1 ms for the cells and 26 ms for the volume, and that
is the table alone, without finding sizes, classes or an order. What is added to it here depends on the number of
objects and pairs, not of pixels: about 3 ms for 2,000 cells, and 0.2 ms for each threshold. From PNG the floor is
inflating two files, 0.5 ms each.

StarDist, cellpose and vernier, which pull in compilers and frameworks, take part where they are installed;
panopticapi is on no package index.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

os.environ["RAYON_NUM_THREADS"] = "1"  # threads of hotcoco and vernier
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run by path or with -m

from benchmarks._harness import Workload, peer, table

import maskmeter
from maskmeter.formats.panoptic import open_ids, read_ground_truth, read_prediction
from maskmeter.metrics.instances import object_accuracy, over_classes, pq
from maskmeter.statistics.instances import overlap
from maskmeter.statistics.overlap import concatenate
from maskmeter.statistics.segments import overlap_of_segments

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


IMAGES = 4
CATEGORIES = [{"id": k + 1, "name": f"class {k}", "isthing": int(k % 2 == 0)} for k in range(133)]


def segments_of(ids: Map) -> list[dict[str, Any]]:
    """The segments of a map of ids, as JSON has them."""
    found = zip(*(x.tolist() for x in np.unique(ids, return_counts=True)), strict=True)
    return [{"id": i, "category_id": i % 133 + 1, "iscrowd": 0, "area": n, "bbox": [0, 0, 1, 1]} for i, n in found]


def panoptic_files(folder: Path) -> tuple[Path, Path]:
    """COCO panoptic files: 40 things over three kinds of stuff in 1024x2048, and a prediction."""
    listed: dict[str, list[dict[str, Any]]] = {"gt": [], "pred": []}
    for i in range(IMAGES):
        stuff = np.repeat([41, 42, 43], [300, 300, 424])[:, None]
        colors = np.concatenate([[0], np.random.default_rng(i).choice(2**24 - 1, 43, replace=False) + 1])
        for side, things in zip(listed, balls(i, (1024, 2048), 40, (40, 150)), strict=True):
            ids = colors[np.where(things == 0, stuff, things)]
            (folder / side).mkdir(exist_ok=True)
            rgb = np.stack([ids & 255, ids >> 8 & 255, ids >> 16], -1).astype(np.uint8)
            Image.fromarray(rgb).save(folder / side / f"{i}.png")
            listed[side].append({"image_id": i, "file_name": f"{i}.png", "segments_info": segments_of(ids)})
    images = [{"id": i, "width": 2048, "height": 1024, "file_name": f"{i}.jpg"} for i in range(IMAGES)]
    for side, held in listed.items():
        text = json.dumps({"images": images, "categories": CATEGORIES, "annotations": held})
        (folder / f"{side}.json").write_text(text)
    return folder / "gt.json", folder / "pred.json"


def pq_of_files(gt: Path, pred: Path) -> float:
    """From two JSON files and their PNGs to PQ."""
    left = read_ground_truth(gt)
    right = read_prediction(pred, left.labels).images
    o = concatenate([
        overlap_of_segments(open_ids(a.png).map, open_ids(b.png).map, (a.segments, b.segments), left.labels)
        for a, b in ((a, right[i]) for i, a in left.images.items())
    ])  # fmt: skip
    return float(over_classes(pq, o, pq.values(o)))


def from_png(gt: Path, pred: Path) -> dict[str, Callable[[], Any]]:
    found: dict[str, Callable[[], Any]] = {
        "maskmeter": lambda: pq_of_files(gt, pred),
        "maskmeter.evaluate": lambda: maskmeter.evaluate(gt, pred, metrics=["pq"], workers=1).value("pq"),
    }
    if hotcoco := peer("hotcoco.panoptic"):
        found["hotcoco"] = lambda: hotcoco.PanopticEval(str(gt), str(pred)).evaluate()
    return found


def from_arrays(gt: Map, pred: Map) -> dict[str, Callable[[], Any]]:
    found: dict[str, Callable[[], Any]] = {"maskmeter": lambda: pq.compute(overlap(gt, pred))}
    if vernier := peer("vernier._core"):
        maps = [x.astype(np.uint32) for x in (gt, pred)]
        said = [json.dumps({0: [s for s in segments_of(x) if s["id"]]}).encode() for x in maps]
        categories = json.dumps(CATEGORIES).encode()

        def theirs() -> Any:
            left = vernier.PanopticDataset.from_arrays({0: maps[0]}, said[0], categories)
            right = vernier.PanopticPredictions.from_arrays({0: maps[1]}, said[1])
            return vernier.evaluate_panoptic(left, right, "strict", True)

        found["vernier"] = theirs
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
        from_arrays(*segments),
        target=0.6,
        clock=time.process_time,
    )
    with tempfile.TemporaryDirectory() as folder:
        files = from_png(*panoptic_files(Path(folder)))
        yield Workload("PQ from PNG, an image", IMAGES, files, "ms", 1e3, 4, clock=time.process_time)


if __name__ == "__main__":
    table(workloads())
