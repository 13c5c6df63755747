"""Volumes in runs: what is measured where nobody asks, and what is warned of, also in shards."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import maskmeter as mm
from maskmeter.cli import main

Captured = pytest.CaptureFixture[str]
ASKED = ("hausdorff", "hausdorff(percentile=95)", "assd", "masd", "nsd(tolerance=2.5)")
SPACINGS = ((2.5, 0.5, 0.5), (2.0, 0.7, 0.7), (1.0, 0.8, 0.8))


def save(path: Path, array: np.ndarray, spacing: tuple[float, ...]) -> None:
    """A MetaImage."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size, steps = (" ".join(map(str, x[::-1])) for x in (array.shape, spacing))
    head = f"ObjectType = Image\nNDims = {array.ndim}\nDimSize = {size}\nElementSpacing = {steps}\n"
    path.write_bytes(head.encode() + b"ElementType = MET_UCHAR\nElementDataFile = LOCAL\n" + array.tobytes())


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three volumes of two classes: a body, with a speck that the last one lacks, and in the first one cut off."""
    root = tmp_path_factory.mktemp("volumes")
    for i, spacing in enumerate(SPACINGS):
        gt = np.zeros((7, 12, 14), np.uint8)
        gt[0 if i == 0 else 1 : 5, 2:9, 3:9] = 1
        gt[5, 10, 12] = 2 if i < 2 else 0
        save(root / f"gt/{i}.mha", gt, spacing)
        save(root / f"pred/{i}.mha", np.roll(gt, 1, axis=2), spacing)
    return root


def read(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "results.json").read_text())


def test_volumes_are_measured_without_being_asked(volumes: Path, capsys: Captured) -> None:
    inputs = [str(volumes / "gt"), str(volumes / "pred"), "--no-report"]
    assert main(["evaluate", *inputs, "-o", str(volumes / "run")]) == 0
    printed = capsys.readouterr()
    rows = read(volumes / "run")["rows"]
    assert {r["metric"] for r in rows} >= {"iou", *ASKED}
    asked = mm.evaluate(volumes / "gt", volumes / "pred", ASKED)
    assert [r["value"] for r in rows if r["metric"] in ASKED] == [r.value for r in asked.rows()]
    assert "fewer than 20 elements" in printed.out + printed.err
    assert "end of the image" in printed.out + printed.err
    assert "tolerance is below" not in printed.out + printed.err
    done = mm.open_run(volumes / "run")
    assert done.records["1"].spacing == SPACINGS[1]
    assert done.records.spacings() == set(SPACINGS)
    assert main(["explain", str(volumes / "run"), "hausdorff", "--class", "1", "--image", "2"]) == 0
    assert (
        "of the surface of the ground truth, on an object of 168 voxels, up to 0.8 mm away" in capsys.readouterr().out
    )
    parts = [str(volumes / f"part{i}") for i in (1, 2)]
    for i, part in enumerate(parts, 1):
        assert main(["evaluate", *inputs, "-o", part, "--shard", f"{i}/2"]) == 0
    assert main(["merge", *parts, "-o", str(volumes / "merged"), "--no-report"]) == 0
    assert (volumes / "merged/results.json").read_bytes() == (volumes / "run/results.json").read_bytes()
    assert [a.text for a in _advice(volumes / "merged")] == [a.text for a in _advice(volumes / "run")]


def _advice(run: Path) -> Any:
    from maskmeter.advisor import advise

    return advise(mm.open_run(run))


def test_a_tolerance_below_the_voxels_of_the_files_is_warned_of(volumes: Path, capsys: Captured) -> None:
    asked = ["-m", "nsd(tolerance=2)", "-m", "nsd(tolerance=2.5)"]
    assert main(["evaluate", str(volumes / "gt"), str(volumes / "pred"), *asked]) == 0
    printed = capsys.readouterr()
    assert "nsd(tolerance=2): the tolerance is below the voxel size of 2.5 mm" in printed.out + printed.err


def test_planes_are_not_measured_unless_asked(volumes: Path, tmp_path: Path) -> None:
    for side in ("gt", "pred"):
        np.save(tmp_path / f"{side}.npy", np.eye(5, dtype=np.uint8))
    done = mm.evaluate(tmp_path / "gt.npy", tmp_path / "pred.npy")
    assert not any(m.statistic == "surface" for m in done.metrics)


def test_a_single_slice_is_measured_as_a_plane(tmp_path: Path) -> None:
    gt = np.zeros((1, 12, 14), np.uint8)
    gt[0, 2:9, 3:9] = 1
    save(tmp_path / "gt/a.mha", gt, (5.0, 0.5, 0.5))
    save(tmp_path / "pred/a.mha", np.roll(gt, 1, axis=2), (5.0, 0.5, 0.5))
    done = mm.evaluate(tmp_path / "gt", tmp_path / "pred")
    assert done.value("hausdorff") == pytest.approx(0.5)
    assert "nsd(tolerance=0.5)" in map(str, done.metrics)
    assert any("two dimensions" in notice for notice in done.notices)
