"""Volumes that are not fit to evaluate, through the command line: exit code 3 and one line naming file and remedy."""

from __future__ import annotations

import gzip
import re
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from maskmeter.cli import main

CUBE = np.zeros((4, 5, 6), np.uint8)
CUBE[1:3, 1:4, 2:5] = 1
AFFINE = ((-0.5, 0, 0, 40), (0, -0.75, 0, 30), (0, 0, 3, -20))


def nifti(
    array: np.ndarray = CUBE, affine: tuple[tuple[float, ...], ...] = AFFINE, pixdim: tuple[float, ...] = (0.5, 0.75, 3)
) -> bytes:
    """A NIfTI-1 file with an sform."""
    code, bits = {"u1": (2, 8), "f4": (16, 32)}[array.dtype.str[1:]]
    dim = (array.ndim, *array.shape[::-1], *(1,) * (7 - array.ndim))
    head = struct.pack("<i36x8h14xhh2x", 348, *dim, code, bits)
    head += struct.pack("<8f3f3xB128x", 1, *pixdim, *(1,) * (7 - len(pixdim)), 352, 1, 0, 2)
    head += struct.pack("<hh24x", 0, 1) + b"".join(struct.pack("<4f", *row) for row in affine)
    return head + struct.pack("<16x4s4x", b"n+1\0") + array.tobytes()


def moved(*by: float) -> bytes:
    return nifti(affine=tuple((*row[:3], row[3] + x) for row, x in zip(AFFINE, by, strict=True)))


def turned(at: tuple[int, int], by: float) -> bytes:
    return nifti(affine=tuple(tuple(x + by * ((i, k) == at) for k, x in enumerate(r)) for i, r in enumerate(AFFINE)))


WHOLE, NAN = nifti(), float("nan")
CASES: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "cut short": ("a.nii", lambda: WHOLE[:-7], "truncated.*copy it anew"),
    "header alone": ("a.nii", lambda: WHOLE[:200], "truncated|invalid"),
    "gzip cut short": ("a.nii.gz", lambda: gzip.compress(WHOLE)[:-20], "truncated gzip.*copy it anew"),
    "gzip of a file cut short": ("a.nii.gz", lambda: gzip.compress(WHOLE[:-7]), "truncated.*copy it anew"),
    "more data than the header says": ("a.nii", lambda: WHOLE + bytes(64), "more data follows"),
    "a gzip bomb": ("a.nii.gz", lambda: gzip.compress(WHOLE + bytes(5 * 10**7), 9), "more data follows"),
    "another shape": ("a.nii", lambda: nifti(CUBE[:3]), r"shape \(4, 5, 6\) .*\(3, 5, 6\)"),
    "moved": ("a.nii", lambda: moved(0.002, 0, 0), "origin .*bring both to one grid"),
    "moved back": ("a.nii", lambda: moved(0, 0, -0.002), "origin .*bring both to one grid"),
    "shifts that add up to nothing": ("a.nii", lambda: moved(40, -40, 0), "origin .*bring both to one grid"),
    "turned": ("a.nii", lambda: turned((0, 1), 0.0015), "direction .*bring both to one grid"),
    "another spacing": ("a.nii", lambda: nifti(pixdim=(0.5, 0.75, 2.5), affine=((-0.5, 0, 0, 40), (0, -0.75, 0, 30),
                        (0, 0, 2.5, -20))), r"spacing \(3.*\(2.5.*bring both to one grid"),
    "NaN in the affine": ("a.nii", lambda: turned((1, 1), NAN), "affine|spacing"),
    "no spacing": ("a.nii", lambda: nifti(pixdim=(0.5, 0, 3)), "voxel size: spacing"),
    "negative spacing": ("a.nii", lambda: nifti(pixdim=(0.5, -0.75, 3)), "voxel size: spacing"),
    "four axes": ("a.nii", lambda: nifti(np.stack([CUBE, CUBE])), "is 4D, of shape"),
    "fractions": ("a.nii", lambda: nifti(CUBE.astype("<f4") * 2.5), "integer|whole"),
    "no numbers": ("a.nii", lambda: nifti(np.where(CUBE, NAN, 0).astype("<f4")), "NaN|infinite|whole"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_one_line_names_the_file(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, make, match = CASES[case]
    (tmp_path / "gt").mkdir()
    (tmp_path / "pred").mkdir()
    gt = nifti(CUBE * 2) if case in ("fractions", "no numbers") else WHOLE
    (tmp_path / "gt" / name).write_bytes(gzip.compress(gt) if name.endswith("gz") else gt)
    (tmp_path / "pred" / name).write_bytes(make())
    out = tmp_path / "run"
    task = ["--task", "semantic"]
    assert main(["evaluate", str(tmp_path / "gt"), str(tmp_path / "pred"), "-o", str(out), *task]) == 3
    said = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(said) == 1, said
    assert f"pred/{name}" in said[0]
    assert re.search(match, said[0]), said[0]
    assert not (out / "results.json").exists()


def test_a_bomb_takes_no_more_memory_than_its_header_says(tmp_path: Path) -> None:
    bomb = gzip.compress(WHOLE + bytes(2 * 10**8), 9)
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(WHOLE))
    (tmp_path / "b.nii.gz").write_bytes(bomb)
    tracemalloc.start()
    try:
        assert main(["evaluate", str(tmp_path / "a.nii.gz"), str(tmp_path / "b.nii.gz")]) == 3
        assert tracemalloc.get_traced_memory()[1] < 2 * 10**7
    finally:
        tracemalloc.stop()
