"""Broken and hostile files from outside, each with the verdict it should get.

Some verdicts are not a reader's: of floats, in-between values and sizes that differ. There the raster
has to be right.
"""

from __future__ import annotations

import json
import os
import re
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskmeter.errors import FormatError
from maskmeter.formats import Raster, read

# What the reader passes on although the pair as a whole must be refused.
PASSED_ON = {
    "F30_tiff_float32": ((64, 64), "float32"),
    "F32_tiff_multipage": ((2, 64, 64), "uint8"),
    "F36_size_mismatch_files": ((128, 128), "uint8"),
}
MANIFEST = Path(__file__).resolve().parents[3] / "shared/badcases/manifest.json"
CASES: list[dict[str, Any]] = json.loads(MANIFEST.read_text())["cases"] if MANIFEST.is_file() else []
CASES = [case for case in CASES if case["id"][0] in "FN"]


def iou(gt: Raster, pred: Raster, label: int) -> float:
    g, p = gt.array == label, pred.array == label
    return float((g & p).sum() / (g | p).sum())


def read_or_refuse(path: Path) -> Raster | str:
    try:
        return read(path)
    except FormatError as error:
        return str(error)


def judge(case: dict[str, Any], folder: Path) -> None:
    expect, files = case["expect"], case["files"]
    gt, pred = read(folder / files["gt"]), read_or_refuse(folder / files["pred"])
    if isinstance(pred, str):
        assert expect["kind"] != "value", pred
        assert any(re.search(k, pred, re.IGNORECASE) for k in expect["keywords"]), pred
        assert Path(files["pred"]).name in pred
        return
    if case["id"] in PASSED_ON:
        assert (pred.array.shape, str(pred.array.dtype)) == PASSED_ON[case["id"]]
        return
    assert expect["kind"] in ("value", "value_or_error", "either")
    for values in [expect.get("values"), *expect.get("values_any", [])][:2]:
        for name, value in (values or {}).items():
            if name.startswith("iou_"):
                assert iou(gt, pred, int(name[4:])) == pytest.approx(value, abs=1e-12)


@pytest.mark.skipif(not CASES, reason="needs ../shared/badcases beside the repository")
@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_files(case: dict[str, Any], badcases: Path) -> None:
    tracemalloc.start()
    try:
        judge(case, badcases)
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


def test_orientation_is_reported(badcases: Path) -> None:
    assert "orientation" in read(badcases / "F15_exif_orientation/pred.png").notes[0]


@pytest.mark.parametrize("kind", ["D12_fifo", "D13_dev_zero"])
def test_described_only(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "1.png"
    os.mkfifo(path) if kind == "D12_fifo" else path.symlink_to("/dev/zero")
    with pytest.raises(FormatError, match="regular"):
        read(path)


def test_real_files(shared_data: Path) -> None:
    """Every PNG among the sample data equals what Pillow reads."""
    from PIL import Image

    paths = sorted(p for p in shared_data.rglob("*.png") if "images" not in p.parts)
    assert paths
    for path in paths[::5]:
        np.testing.assert_array_equal(read(path).array, np.asarray(Image.open(path)), err_msg=str(path))
