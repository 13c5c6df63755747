"""Every convention gives the number of its package, where that is installed.

MONAI and seg-metrics keep some distances in single precision, so theirs are compared to six digits. plastimatch prints
six digits, and its distance transform errs by a thousandth where several points are about as near.
"""

import contextlib
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

import maskmeter as mm

Mask = NDArray[np.bool_]
Case = tuple[Mask, Mask, tuple[float, ...]]

# The packages warn of their own and other packages' changes.
pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(5)
    for t in range(24):
        shape = rng.integers(8, 24, 3) if t % 2 else rng.integers(10, 50, 2)
        x, y = (ndimage.gaussian_filter(rng.random(shape), 1.5) for _ in range(2))
        a, b = x > np.quantile(x, 0.6), x + 0.4 * y > np.quantile(x + 0.4 * y, 0.65)
        yield a, b, tuple(float(s) for s in rng.choice([1, 0.7, 2.5, 0.8], len(shape)))


@pytest.fixture(params=range(24))
def case(request: pytest.FixtureRequest) -> Case:
    return list(cases())[request.param]


def same(got: float, want: Any, rel: float = 1e-6) -> None:
    assert got == pytest.approx(float(np.ravel(want)[0]), rel=rel, abs=1e-6)


def test_deepmind(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = pytest.importorskip("surface_distance")
    monkeypatch.setattr(np, "Inf", np.inf, raising=False)  # the package is older than NumPy 2 and SciPy's new names
    monkeypatch.setattr(ndimage, "filters", ndimage, raising=False)
    monkeypatch.setattr(ndimage, "morphology", ndimage, raising=False)
    a, b, spacing = case
    s = peer.compute_surface_distances(a, b, spacing)
    kinds: dict[str, Any] = {"spacing": spacing, "convention": "deepmind"}
    for p in (50, 95, 100):
        same(mm.hausdorff(a, b, percentile=p, **kinds), peer.compute_robust_hausdorff(s, p))
    for t in (0.5, 1, 2):
        same(mm.nsd(a, b, tolerance=t, **kinds), peer.compute_surface_dice_at_tolerance(s, t))
        overlap = peer.compute_surface_overlap_at_tolerance(s, t)
        same(mm.boundary_recall(a, b, tolerance=t, **kinds), overlap[0])
        same(mm.boundary_precision(a, b, tolerance=t, **kinds), overlap[1])
    same(mm.assd(a, b, direction="gt", **kinds), peer.compute_average_surface_distance(s)[0])


def test_medpy(case: Case) -> None:
    peer = pytest.importorskip("medpy.metric.binary")
    a, b, spacing = case
    kinds: dict[str, Any] = {"spacing": spacing, "convention": "medpy"}
    same(mm.hausdorff(a, b, **kinds), peer.hd(b, a, spacing))
    same(mm.hausdorff(a, b, percentile=95, **kinds), peer.hd95(b, a, spacing))
    same(mm.assd(a, b, **kinds), peer.assd(b, a, spacing))


def test_monai(case: Case) -> None:
    torch, peer = pytest.importorskip("torch"), pytest.importorskip("monai.metrics")
    a, b, spacing = case
    g, p = (torch.tensor(x)[None, None].float() for x in (a, b))
    kinds: dict[str, Any] = {"spacing": spacing, "convention": "monai"}
    given: dict[str, Any] = {"spacing": spacing, "include_background": True}
    same(mm.hausdorff(a, b, **kinds), peer.compute_hausdorff_distance(p, g, **given))
    same(
        mm.hausdorff(a, b, percentile=95, **kinds), peer.compute_hausdorff_distance(p, g, percentile=95, **given), 2e-5
    )
    same(mm.assd(a, b, **kinds), peer.compute_average_surface_distance(p, g, symmetric=True, **given))
    same(mm.nsd(a, b, tolerance=1, **kinds), peer.compute_surface_dice(p, g, [1.0], **given))
    kinds["convention"] = "monai_subvoxel"
    same(mm.nsd(a, b, tolerance=1, **kinds), peer.compute_surface_dice(p, g, [1.0], use_subvoxels=True, **given))


def test_itk(case: Case) -> None:
    peer = pytest.importorskip("SimpleITK")
    a, b, spacing = case
    g, p = (peer.GetImageFromArray(x.astype(np.uint8)) for x in (a, b))
    g.SetSpacing(spacing[::-1])
    p.SetSpacing(spacing[::-1])
    found = peer.HausdorffDistanceImageFilter()
    found.Execute(g, p)
    same(mm.hausdorff(a, b, spacing=spacing, convention="itk_set"), found.GetHausdorffDistance())
    same(mm.assd(a, b, spacing=spacing, convention="itk_set"), found.GetAverageHausdorffDistance())


def test_seg_metrics(case: Case) -> None:
    peer = pytest.importorskip("seg_metrics.seg_metrics")
    a, b, spacing = case
    with contextlib.redirect_stdout(io.StringIO()):
        found = peer.write_metrics(
            labels=[1], gdth_img=a.astype(np.uint8), pred_img=b.astype(np.uint8), csv_file=None, spacing=spacing,
            metrics=["hd", "hd95", "msd"], TPTNFPFN=False,
        )  # fmt: skip
    found = found[0] if isinstance(found, list) else found
    kinds: dict[str, Any] = {"spacing": spacing, "convention": "seg_metrics"}
    same(mm.hausdorff(a, b, **kinds), found["hd"])
    same(mm.hausdorff(a, b, percentile=95, **kinds), found["hd95"])
    same(mm.assd(a, b, **kinds), found["msd"])


def test_panoptica(case: Case) -> None:
    peer = pytest.importorskip("panoptica.metrics")
    a, b, spacing = case
    kinds: dict[str, Any] = {"spacing": spacing, "convention": "panoptica"}
    found = {name: getattr(peer.Metric, name)(a, b, voxelspacing=spacing) for name in ("ASSD", "HD", "HD95", "NSD")}
    same(mm.assd(a, b, **kinds), found["ASSD"])
    same(mm.hausdorff(a, b, **kinds), found["HD"])
    same(mm.hausdorff(a, b, percentile=95, **kinds), found["HD95"])
    same(mm.nsd(a, b, tolerance=min(spacing), **kinds), found["NSD"])


def test_plastimatch(case: Case, tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    tool = shutil.which("plastimatch") or shutil.which("plastimatch", path=str(Path(sys.executable).parent))
    if tool is None:
        pytest.skip("plastimatch is not installed")
    a, b, spacing = case
    for name, mask in (("a", a), ("b", b)):
        image = sitk.GetImageFromArray(mask.astype(np.uint8).reshape((1,) * (3 - mask.ndim) + mask.shape))
        image.SetSpacing((*spacing[::-1], 1.0)[:3])
        sitk.WriteImage(image, str(tmp_path / f"{name}.mha"))
    run = [tool, "dice", "--all", str(tmp_path / "a.mha"), str(tmp_path / "b.mha")]
    printed = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    found = {k.strip(): float(v) for k, v in re.findall(r"^(.*) = ([-+.e\d]+)$", printed, re.MULTILINE)}
    kinds: dict[str, Any] = {"spacing": spacing, "convention": "plastimatch"}
    same(mm.hausdorff(a, b, **kinds), found["Hausdorff distance (boundary)"])
    same(mm.hausdorff(a, b, percentile=95, **kinds), found["Percent (0.95) Hausdorff distance (boundary)"])
    same(mm.assd(a, b, **kinds), found["Avg average Hausdorff distance (boundary)"], rel=2e-3)
