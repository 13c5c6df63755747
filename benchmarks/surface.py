"""Boundaries: HD95, ASSD and NSD together of one object, boundary IoU of 19 classes, and a volume of 104 labels.

An object fills its volume, and the prediction is the same with another roughness, some voxels off. Floors, in bare C
for one case: a row-wise search for points takes 2.9 to 4.2 ns a voxel of the box that holds both. A mesh has two
triangles where there is a corner, each of which has to be made (a field, two vertices, an area), measured from (one
exact distance at the least, about 15 ns) and sorted; some 80 ns a triangle, which is 4 to 8 ns a voxel here.

MONAI (with PyTorch), which is no requirement of the benchmarks, takes part where it is installed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run by path or with -m

from benchmarks._harness import Workload, peer, table

from maskmeter.metrics.boundaries import assd, boundary_iou, hausdorff, nsd
from maskmeter.statistics.bands import bands
from maskmeter.statistics.surface import surface

Map = NDArray[Any]
SPACING = (2.5, 0.8, 0.8)
MODELS = {"mesh": "mesh", "deepmind": "corners", "monai": "inner"}


def lump(shape: tuple[int, ...], spacing: tuple[float, ...], rough: int | None) -> Map:
    """An ellipsoid that fills the volume, with slow waves, and with quick ones drawn by the seed `rough`."""
    axes = [(np.arange(n) - (n - 1) / 2) / (n * 0.47) for n in shape]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    out = np.sqrt(z * z + y * y + x * x)
    for seed, waves, pitch, height in ((0, 8, 4, 0.02), (rough, 12, 10, 0.005)):
        if seed is None:
            continue
        rng = np.random.default_rng(seed)
        for _ in range(waves):
            a, b, c = rng.normal(size=3) * pitch
            out += np.sin(a * z + b * y + c * x + rng.random() * 2 * np.pi) * height
    return out < 1


def ours(a: Map, b: Map, convention: str) -> list[Any]:
    s = surface(a, b, spacing=SPACING, model=MODELS[convention])
    return [
        hausdorff.compute(s, percentile=95, convention=convention),
        assd.compute(s, convention=convention),
        nsd.compute(s, tolerance=1, convention=convention),
    ]


def distances(a: Map, b: Map, slow: bool) -> dict[str, Callable[[], Any]]:
    """Three figures of one pair, with every package that gives them."""
    found: dict[str, Callable[[], Any]] = {f"maskmeter {c}": partial(ours, a, b, c) for c in MODELS}
    if deepmind := peer("surface_distance"):
        from scipy import ndimage

        # The package is older than SciPy's new names and NumPy 2.
        for where, name, what in ((ndimage, "filters", ndimage), (ndimage, "morphology", ndimage), (np, "Inf", np.inf)):
            if not hasattr(where, name):
                setattr(where, name, what)

        def theirs() -> Any:
            s = deepmind.compute_surface_distances(a, b, SPACING)
            return [
                deepmind.compute_robust_hausdorff(s, 95),
                deepmind.compute_average_surface_distance(s),
                deepmind.compute_surface_dice_at_tolerance(s, 1),
            ]

        found["surface-distance"] = theirs
    if (torch := peer("torch")) and (monai := peer("monai.metrics")):
        torch.set_num_threads(1)
        g, p = (torch.tensor(m)[None, None] for m in (a, b))
        given = {"include_background": True, "spacing": SPACING}
        found["MONAI"] = lambda: [
            monai.compute_hausdorff_distance(p, g, percentile=95, **given),
            monai.compute_average_surface_distance(p, g, symmetric=True, **given),
            monai.compute_surface_dice(p, g, class_thresholds=[1.0], **given),
        ]
    if sitk := peer("SimpleITK"):
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
        found["SimpleITK"] = partial(by_distance_maps, sitk, a, b)
    if slow and (medpy := peer("medpy.metric.binary")):
        found["MedPy (without NSD)"] = lambda: [medpy.hd95(b, a, SPACING), medpy.assd(b, a, SPACING)]
    return found


def by_distance_maps(sitk: Any, a: Map, b: Map) -> list[float]:
    """The usual recipe: a distance map of each contour, read at the other one."""
    contours, maps = [], []
    for m in (a, b):
        image = sitk.GetImageFromArray(m.astype(np.uint8))
        image.SetSpacing(SPACING[::-1])
        contour = sitk.LabelContour(image)
        contours.append(sitk.GetArrayViewFromImage(contour) > 0)
        maps.append(sitk.SignedMaurerDistanceMap(contour, squaredDistance=False, useImageSpacing=True))
    far = [np.abs(sitk.GetArrayViewFromImage(m)[c]) for m, c in zip(maps, contours[::-1], strict=True)]
    both = np.concatenate(far)
    return [max(float(np.percentile(d, 95)) for d in far), float(both.mean()), float((both <= 1).mean())]


def street(seed: int) -> tuple[Map, Map]:
    """19 classes in 1024 x 2048 as blobs of all sizes, and a prediction whose contours are some pixels off."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:1024, :2048]
    maps = []
    kinds = [(rng.uniform((0, 0), (1024, 2048)), rng.uniform(30, 300), rng.integers(19)) for _ in range(60)]
    for wave in (0.0, 4.0):
        out = np.zeros((1024, 2048), np.uint8)
        for (cy, cx), r, k in kinds:
            out[np.hypot(y - cy + wave * np.sin(x / 25), x - cx + wave * np.sin(y / 31)) < r] = k
        maps.append(out)
    return maps[0], maps[1]


def contours(gt: Map, pred: Map, share: float) -> dict[str, Callable[[], Any]]:
    """Boundary IoU of every class, by our bands and by the recipe of the paper: erode, subtract, intersect."""

    def mine() -> Any:
        return boundary_iou.compute(bands(gt, pred, width=share, ratio=True, chessboard=True), width=share)

    found: dict[str, Callable[[], Any]] = {"maskmeter": mine}
    width = max(1, round(share * float(np.hypot(*gt.shape))))
    if cv2 := peer("cv2"):
        cv2.setNumThreads(1)
        kernel = np.ones((3, 3), np.uint8)

        def border(mask: Map) -> Map:
            inner = cv2.erode(cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT), kernel, iterations=width)
            return mask - inner[1:-1, 1:-1]

        def recipe() -> list[float]:
            out = []
            for k in range(19):
                g, p = (border((m == k).astype(np.uint8)) for m in (gt, pred))
                either = np.count_nonzero(g | p)
                out.append(np.count_nonzero(g & p) / either if either else np.nan)
            return out

        found["erosion (OpenCV)"] = recipe
    return found


def labels(shape: tuple[int, ...], count: int, off: float) -> Map:
    """A body of ellipsoids, each a label; `off` moves and swells them by some voxels."""
    rng, other = np.random.default_rng(1), np.random.default_rng(2)
    out = np.zeros(shape, np.uint8)
    for k in range(1, count + 1):
        centre, radii = rng.uniform(0.1, 0.9, 3) * shape, np.exp(rng.uniform(np.log(8), np.log(70), 3))
        centre, radii = centre + other.normal(size=3) * off, radii * (1 + other.normal(size=3) * 0.02 * off)
        low = np.maximum(0, np.floor(centre - radii)).astype(int)
        high = np.minimum(shape, np.ceil(centre + radii) + 1).astype(int)
        z, y, x = (((np.arange(*s) - c) / r) ** 2 for *s, c, r in zip(low, high, centre, radii, strict=True))
        part = out[tuple(slice(*s) for s in zip(low, high, strict=True))]
        part[z[:, None, None] + y[:, None] + x <= 1] = k
    return out


def whole_body() -> None:
    """All metrics of boundaries of a volume with 104 labels, from the command line: time and the peak of its memory."""
    shape, metrics = (600, 512, 512), ["hausdorff", "hausdorff(percentile=95)", "assd", "masd", "nsd(tolerance=3)"]
    with tempfile.TemporaryDirectory() as folder:
        for side, off in (("gt", 0.0), ("pred", 1.0)):
            (Path(folder) / side).mkdir()
            np.save(Path(folder) / side / "body.npy", labels(shape, 104, off))
        asked = [word for m in metrics for word in ("-m", m)]
        kind = ["--task", "semantic", "--spacing", "1.5,1.5,1.5", *asked]
        start, pid = time.perf_counter(), os.fork()
        if not pid:
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, 1)
            os.chdir(folder)
            os.execv(sys.executable, [sys.executable, "-m", "maskmeter", "evaluate", "gt", "pred", *kind])
        _, status, used = os.wait4(pid, 0)
        wall, cpu, inputs = time.perf_counter() - start, used.ru_utime + used.ru_stime, 2 * np.prod(shape) / 1e9
    if status:
        raise SystemExit("maskmeter evaluate failed")
    print("\n| 512 x 512 x 600, 104 labels and background, five metrics | |\n|---|---:|")
    print(f"| by the clock | {wall:.1f} s |\n| CPU | {cpu:.1f} s |")
    print(f"| peak beyond the input of {inputs:.2f} GB | {used.ru_maxrss * 1024 / 1e9 - inputs:.2f} GB |")


def workloads() -> list[Workload]:
    found = []
    for shape, slow, target in (((150, 256, 256), True, 30), ((300, 512, 512), False, 30)):
        a, b = (lump(shape, SPACING, seed) for seed in (None, 1))
        name = f"HD95, ASSD and NSD, {' x '.join(map(str, shape[::-1]))} voxels of 0.8 x 0.8 x 2.5 mm"
        found.append(Workload(name, a.size, distances(a, b, slow), "ns/voxel", target=target, clock=time.process_time))
    maps = street(0)
    for share in (0.02, 0.005):
        name = f"boundary IoU of 19 classes in 1024 x 2048, width {share} of the diagonal"
        found.append(Workload(name, 1, contours(*maps, share), "ms/image", 1e3, clock=time.process_time))
    return found


if __name__ == "__main__":
    table(workloads())
    whole_body()
