"""Zarr and OME-Zarr: arrays of both versions, whole and in tiles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import maskmeter as mm
from maskmeter import tiling
from maskmeter.counting import Job, Plan
from maskmeter.formats import digest_of_file, read
from maskmeter.run import evaluate
from maskmeter.statistics.confusion import Reading
from maskmeter.tiling import Bounded

zarr = pytest.importorskip("zarr", reason="zarr is not installed")

LABELS = np.kron(np.arange(12).reshape(3, 4), np.ones((20, 15), int)).astype(np.uint16)
SHIFTED = np.roll(LABELS, 3, 1)


def write(path: Path, array: np.ndarray, version: int = 3, **options: Any) -> Path:
    made = zarr.create_array(
        str(path), shape=array.shape, chunks=(16,) * array.ndim, dtype=array.dtype, zarr_format=version, **options
    )
    made[...] = array
    return path


def ome(path: Path, array: np.ndarray, axes: str, unit: str = "micrometer") -> Path:
    group = zarr.open_group(str(path), mode="w", zarr_format=2)
    made = group.create_array("0", shape=array.shape, chunks=(16,) * array.ndim, dtype=array.dtype)
    made[...] = array
    named = [{"name": a, **({"type": "space", "unit": unit} if a in "xyz" else {})} for a in axes]
    scale = [{"type": "scale", "scale": [float(2 + k) for k in range(array.ndim)]}]
    group.attrs["multiscales"] = [
        {"version": "0.4", "axes": named, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    ]
    return path


@pytest.mark.parametrize("version", [2, 3])
def test_arrays_of_both_versions(version: int, tmp_path: Path) -> None:
    a = write(tmp_path / "a.zarr", LABELS, version)
    np.testing.assert_array_equal(read(a).array, LABELS)
    b = write(tmp_path / "b.zarr", SHIFTED, version)
    before = digest_of_file(b)
    plan = Plan(Reading())
    whole = plan.count(Job("a", a, b))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiling, "_need", lambda _: 1 << 30)
        assert Bounded(plan, 70_000).count(Job("a", a, b)) == whole
    write(tmp_path / "c.zarr", LABELS, version)
    assert digest_of_file(tmp_path / "c.zarr") == whole.digests[0] != before == whole.digests[1]


def test_shards_of_chunks(tmp_path: Path) -> None:
    a = zarr.create_array(str(tmp_path / "a.zarr"), shape=(64, 64), chunks=(8, 8), shards=(32, 32), dtype="u1")
    a[...] = LABELS[:60, :60].repeat(2, 0)[:64].repeat(2, 1)[:, :64]
    np.testing.assert_array_equal(read(tmp_path / "a.zarr").array, a[...])


def test_images_of_ome(tmp_path: Path) -> None:
    volume = np.stack([LABELS, SHIFTED])
    raster = read(ome(tmp_path / "a.zarr", volume[None, None], "tczyx"))
    np.testing.assert_array_equal(raster.array, volume)
    assert raster.spacing == (0.004, 0.005, 0.006)
    assert raster.notes == ("its axis t of length 1 is left out", "its axis c of length 1 is left out")
    assert read(ome(tmp_path / "b.zarr", volume, "zyx", "parsec")).spacing is None
    assert read(ome(tmp_path / "c.zarr", LABELS, "yx")).spacing is None


def test_folders_of_zarr_are_paired(tmp_path: Path) -> None:
    for side, array in (("gt", LABELS), ("pred", SHIFTED)):
        (tmp_path / side).mkdir()
        write(tmp_path / side / "a.zarr", array)
        write(tmp_path / side / "b.zarr", array[::-1].copy(), 2)
    np.save(tmp_path / "gt.npy", LABELS)
    done = evaluate(tmp_path / "gt", tmp_path / "pred", metrics=["accuracy"])
    assert list(done.images) == ["a", "b"]
    one = evaluate(tmp_path / "gt" / "a.zarr", tmp_path / "pred" / "a.zarr", metrics=["accuracy"])
    assert one.value("accuracy") == done.value("accuracy", image="a") == (LABELS == SHIFTED).mean()
    assert evaluate(tmp_path / "gt.npy", tmp_path / "gt" / "a.zarr", task="semantic").value("accuracy") == 1


def test_what_is_refused(tmp_path: Path) -> None:
    def says(path: Path, text: str) -> None:
        with pytest.raises(mm.DataError, match=text):
            read(path)

    a = write(tmp_path / "a.zarr", LABELS, 2)
    header = json.loads((a / ".zarray").read_text())
    (a / ".zarray").write_text(json.dumps({**header, "filters": [{"id": "pickle"}]}))
    says(a, r"a\.zarr: is packed by pickle, which is not run")
    (a / ".zarray").write_text("{")
    says(a, "is a corrupt or truncated Zarr")
    group = zarr.open_group(str(tmp_path / "g.zarr"), mode="w", zarr_format=2)
    group.create_array("labels", shape=(4, 4), chunks=(2, 2), dtype="u1")
    says(tmp_path / "g.zarr", r"is a Zarr group without an image \(it holds labels\)")
    group.attrs["multiscales"] = [{"datasets": [{"path": "../a.zarr"}]}]
    says(tmp_path / "g.zarr", "leads out of the folder")
    says(write(tmp_path / "z.zarr", LABELS.astype(complex)), "has dtype complex128")
    c = write(tmp_path / "c.zarr", LABELS, 3)
    next(x for x in (c / "c").rglob("*") if x.is_file()).write_bytes(b"no chunk")
    says(c, "is a corrupt or truncated Zarr")
    (tmp_path / "f.zarr").write_bytes(b"x")
    says(tmp_path / "f.zarr", "f.zarr")
