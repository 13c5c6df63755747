"""NIfTI: every type, order and version comes through; what a header claims is not believed; geometry is compared."""

from __future__ import annotations

import gzip
import json
import struct
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import maskmeter as mm
from maskmeter.cli import main
from maskmeter.errors import FormatError, LabelError
from maskmeter.formats import Raster, decode, split_suffix
from maskmeter.formats.label_maps import open_label_map, open_prediction
from maskmeter.masks import label_map, pair
from maskmeter.sample.volume import nifti as sample_nifti

CODES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "i1": 256, "u2": 512, "u4": 768, "i8": 1024, "u8": 1280}
SROW = (-0.8, 0, 0, 10, 0, 0.7, 0, -20, 0, 0, 3, 30.5)
CUBE = np.arange(24).reshape(2, 3, 4)  # slices, rows, columns


def nifti(
    array: NDArray[Any],
    *,
    version: int = 1,
    order: str = "<",
    dim: tuple[int, ...] | None = None,
    pixdim: tuple[float, ...] = (1, 0.8, 0.7, 3, 1, 1, 1, 1),
    code: int | None = None,
    bits: int | None = None,
    offset: float | None = None,
    factor: tuple[float, float] = (1, 0),
    units: int = 2,
    forms: tuple[int, int] = (0, 1),
    quatern: tuple[float, ...] = (0, 0, 0),
    qoffset: tuple[float, ...] = (0, 0, 0),
    srow: tuple[float, ...] = SROW,
    magic: bytes | None = None,
) -> bytes:
    """An uncompressed file; the numbers of its header as they are given."""
    array = np.asarray(array)
    kind = array.dtype.str[1:]
    dim = dim or (array.ndim, *array.shape[::-1])
    dim += (1,) * (8 - len(dim))
    code = CODES[kind] if code is None else code
    bits = 8 * array.dtype.itemsize if bits is None else bits
    first = 352 if version == 1 else 544
    offset = first if offset is None else offset
    if version == 1:
        head = struct.pack(order + "i36x8h14xhh2x", 348, *dim, code, bits)
        head += struct.pack(order + "8f3f3xB128x", *pixdim, offset, *factor, units)
        head += struct.pack(order + "hh18f16x", *forms, *quatern, *qoffset, *srow) + (magic or b"n+1\0")
    else:
        head = struct.pack(order + "i8shh8q24x", 540, magic or b"n+2\0\r\n\x1a\n", code, bits, *dim)
        head += struct.pack(order + "8dqdd152x", *pixdim, int(offset), *factor)
        head += struct.pack(order + "ii18d4xi36x", *forms, *quatern, *qoffset, *srow, units)
    assert len(head) == first - 4
    return head + bytes(4) + array.astype(array.dtype.newbyteorder(order)).tobytes()


def read(data: bytes, name: str | None = None, **limits: int) -> Raster:
    return decode(data, name or ("a.nii.gz" if data[:2] == b"\x1f\x8b" else "a.nii"), **limits)


def fails(data: bytes, text: str, name: str | None = None, **limits: int) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=text) as caught:
            read(data, name, **limits)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("a.")


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("kind", CODES)
def test_types_orders_and_versions(kind: str, version: int, order: str) -> None:
    array = CUBE.astype(kind)
    if kind[0] == "i":
        array = array - 12
    data = nifti(array, version=version, order=order)
    for packed in (data, gzip.compress(data)):
        raster = read(packed)
        np.testing.assert_array_equal(raster.array, array)
        assert raster.array.dtype == array.dtype
        assert raster.array.dtype.isnative
        assert raster.array.flags.c_contiguous
        assert raster.spacing == (3, 0.7, 0.8)
        assert raster.affine == SROW
        assert raster.notes == ()


def test_the_sample_volume() -> None:
    volume = np.arange(24 * 5 * 7, dtype=np.int16).reshape(24, 5, 7)
    raster = read(sample_nifti(volume))
    np.testing.assert_array_equal(raster.array, volume)
    assert raster.spacing == (3, 0.8, 0.8)


def test_no_copy_where_none_is_needed() -> None:
    data = nifti(np.zeros((10, 100, 100), np.int16), factor=(0, 7))
    got = read(data).array
    assert np.shares_memory(got, np.frombuffer(data, np.uint8))
    crooked = data[:352] + b"\0" + data[352:]
    crooked = crooked[:108] + struct.pack("<f", 353) + crooked[112:]
    assert read(crooked).array.flags.aligned


def test_suffixes() -> None:
    data = nifti(CUBE.astype("u1"))
    assert split_suffix("b/a.nii.gz") == ("b/a", ".nii.gz")
    assert split_suffix("a.b.NII") == ("a.b", ".nii")
    assert split_suffix("a.gz") == ("a.gz", "")
    assert read(data, "a").array.shape == read(gzip.compress(data), "a").array.shape == (2, 3, 4)
    fails(data, r"not a gzipped NIfTI but a NIfTI file; if that is right, rename it to \.nii$", "a.nii.gz")
    fails(gzip.compress(data), "rename it to .nii.gz", "a.nii")
    fails(data, "not a PNG but a NIfTI", "a.png")
    fails(gzip.compress(b"text"), "is of no known format: it is gzip data", "a.gz")
    fails(gzip.compress(b"text"), "is not a gzipped NIfTI file: it is gzip data", "a.nii.gz")


# ------------------------------------------------------------------------------------------- geometry


def test_axes() -> None:
    array = CUBE.astype("u1")
    more = read(nifti(array, dim=(5, 4, 3, 2, 1, 1)))
    assert more.array.shape == (2, 3, 4)
    assert "left out" in more.notes[0]
    single = read(nifti(array[:1]))
    assert single.array.shape == (1, 3, 4)
    flat = read(nifti(array[0], pixdim=(1, 0.8, 0.7, 0, 0, 0, 0, 0)))
    assert (flat.array.shape, flat.spacing, flat.notes) == ((3, 4), (0.7, 0.8), ())


@pytest.mark.parametrize(
    ("dim", "text"),
    [
        ((4, 4, 3, 1, 2), "4D, of shape 4 x 3 x 1 x 2"),
        ((5, 2, 3, 2, 1, 2), "5D"),
        ((1, 24), "one dimension"),
        ((0, 24), "dimensions are"),
        ((8, 4, 3, 2), "dimensions are"),
        ((-3, 4, 3, 2), "dimensions are"),
        ((3, 4, 3, 0), "dimensions are"),
        ((3, -4, 3, 2), "dimensions are"),
        ((3, 32767, 32767, 32767), "above the limit"),
        ((3, 4, 3, 200), r"truncated.*claims 2752 bytes \(200 x 3 x 4 voxels of uint8"),
        ((3, 4, 3, 1), "more data follows"),
    ],
)
def test_dimensions_are_not_believed(dim: tuple[int, ...], text: str) -> None:
    data = nifti(CUBE.astype("u1") + 1, dim=dim)
    fails(data, text)
    fails(gzip.compress(data), text)


@pytest.mark.parametrize(("units", "mm"), [(0, 1), (1, 1000), (2, 1), (3, 0.001), (2 + 8, 1), (3 + 16, 0.001)])
@pytest.mark.parametrize("version", [1, 2])
def test_units(units: int, mm: float, version: int) -> None:
    raster = read(nifti(CUBE.astype("u1"), units=units, version=version))
    assert raster.spacing == pytest.approx((3 * mm, 0.7 * mm, 0.8 * mm), rel=1e-12)
    assert raster.affine == pytest.approx([x * mm for x in SROW], rel=1e-12)
    assert raster.notes == ()


@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("axis", [1, 2, 3])
def test_voxel_size_is_positive(bad: float, axis: int) -> None:
    pixdim: list[float] = [1, 1, 1, 1, 1, 1, 1, 1]
    pixdim[axis] = bad
    for version in (1, 2):
        fails(nifti(CUBE.astype("u1"), pixdim=tuple(pixdim), version=version), "voxel size: spacing")


@pytest.mark.parametrize("at", range(12))
def test_the_affine_is_finite(at: int) -> None:
    for bad in (float("nan"), float("inf")):
        srow = [*SROW[:at], bad, *SROW[at + 1 :]]
        fails(nifti(CUBE.astype("u1"), srow=tuple(srow)), "affine.*finite")
        assert read(nifti(CUBE.astype("u1"), srow=tuple(srow), forms=(1, 0))).affine  # nobody reads the sform


def test_other_broken_affines() -> None:
    cube = CUBE.astype("u1")
    fails(nifti(cube, srow=(0,) * 12), "no length")
    fails(nifti(cube, forms=(1, 0), quatern=(1, 1, 0)), "quaternion")
    fails(nifti(cube, forms=(1, 0), quatern=(float("nan"), 0, 0)), "quaternion")
    fails(nifti(cube, forms=(1, 0), qoffset=(0, float("inf"), 0)), "finite")
    fails(nifti(cube, version=2, units=1, srow=(*SROW[:3], 1e308, *SROW[4:])), "finite")
    double = read(nifti(cube, srow=tuple(2 * x for x in SROW)))
    assert double.spacing == (3, 0.7, 0.8)
    assert "disagree" in double.notes[0]


def test_where_the_affine_comes_from() -> None:
    cube, half = CUBE.astype("u1"), 0.5**0.5
    bare = read(nifti(cube, forms=(0, 0)))
    assert bare.affine == (0.8, 0, 0, 0, 0, 0.7, 0, 0, 0, 0, 3, 0)
    assert "orientation" in bare.notes[0]
    plain = read(nifti(cube, forms=(1, 0), qoffset=(1, 2, 3)))
    assert plain.affine == (0.8, 0, 0, 1, 0, 0.7, 0, 2, 0, 0, 3, 3)
    mirrored = read(nifti(cube, forms=(1, 0), pixdim=(-1, 0.8, 0.7, 3, 1, 1, 1, 1)))
    assert mirrored.affine == (0.8, 0, 0, 0, 0, 0.7, 0, 0, 0, 0, -3, 0)
    turned = read(nifti(cube, forms=(1, 0), quatern=(0, 0, half), qoffset=(1, 2, 3)))  # a quarter about the third
    assert turned.affine == pytest.approx((0, -0.7, 0, 1, 0.8, 0, 0, 2, 0, 0, 3, 3), abs=1e-6)
    assert turned.notes == ()
    both = read(nifti(cube, forms=(1, 2), quatern=(0, 0, half)))
    assert both.affine == SROW


def maps(**pred: Any) -> tuple[Any, Any]:
    rasters = (read(nifti(CUBE.astype("u1"))), read(nifti(CUBE.astype("u1"), **pred)))
    gt, found = (label_map(r.array, spacing=r.spacing, affine=r.affine) for r in rasters)
    return gt, found


def test_grids_that_agree() -> None:
    pair(*maps())
    pair(*maps(version=2))
    pair(*maps(srow=tuple(x + (9e-4 if i % 2 else -9e-4) for i, x in enumerate(SROW))))
    pair(*maps(pixdim=(1, 0.8005, 0.7, 3, 1, 1, 1, 1)))
    gt, pred = maps(srow=tuple(-x for x in SROW))
    pair(gt, label_map(pred.array, spacing=pred.spacing))


@pytest.mark.parametrize("at", range(12))
@pytest.mark.parametrize("by", [1.1e-3, -1.1e-3, 40])
def test_grids_that_differ_in_one_number(at: int, by: float) -> None:
    srow = [*SROW[:at], SROW[at] + by, *SROW[at + 1 :]]
    with pytest.raises(LabelError, match="origin" if at % 4 == 3 else "direction") as caught:
        pair(*maps(srow=tuple(srow)))
    assert "nothing is resampled" in str(caught.value)
    assert str(round(srow[at], 6)) in str(caught.value)
    assert str(SROW[at]) in str(caught.value)


def test_shifts_that_add_up_to_nothing() -> None:
    srow = (*SROW[:3], 50, *SROW[4:7], -60, *SROW[8:])
    with pytest.raises(LabelError, match=r"origin \(10\.0, -20\.0, 30\.5\) mm.*\(50\.0, -60\.0, 30\.5\) mm"):
        pair(*maps(srow=srow))


def test_spacing_that_differs() -> None:
    with pytest.raises(LabelError, match=r"spacing \(3\.0, 0\.7, 0\.8\) mm.*\(1\.5, 0\.7, 0\.8\) mm"):
        pair(*maps(pixdim=(1, 0.8, 0.7, 1.5, 1, 1, 1, 1)))


# --------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize("code", [0, 1, 32, 128, 1536, 1792, 2048, 2304, 3, -4])
def test_other_types_are_refused(code: int) -> None:
    fails(nifti(CUBE.astype("u1"), code=code), "data type")


def test_bits_fit_the_type() -> None:
    fails(nifti(CUBE.astype("u1"), bits=16), "16 bits per voxel")


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("slope", [0.1, 0.3, 1 / 3, 7.0, 1e-3, -0.1])
def test_a_factor_gives_the_integers_back(kind: str, slope: float) -> None:
    labels = np.array([0, 1, 2, 3, 9, 11], np.int64)
    stored = labels / slope
    if kind[0] != "f":
        whole = np.rint(stored)
        low, high = np.iinfo(kind).min, np.iinfo(kind).max
        fits = (np.abs(stored - whole) < 1e-9) & (whole >= low) & (whole <= high)
        stored, labels = whole[fits], labels[fits]
    data = nifti(stored.astype(kind).reshape(1, 1, -1), factor=(slope, 0))
    if kind != "f4" or slope == 7 or (stored == np.rint(stored)).all():
        got = read(data).array
        assert got.dtype.kind == "i"
        np.testing.assert_array_equal(got.ravel(), labels)


def test_factors(tmp_path: Path) -> None:
    stored = np.array([10, 20, 0, -10], np.int16).reshape(1, 1, 4)
    for factor, expected in {
        (0.1, 0): [1, 2, 0, -1], (0.1, 3): [4, 5, 3, 2], (1, 5): [15, 25, 5, -5], (0, 5): [10, 20, 0, -10],
        (float("nan"), 5): [10, 20, 0, -10], (float("nan"), float("nan")): [10, 20, 0, -10],
    }.items():  # fmt: skip
        for version in (1, 2):
            got = read(nifti(stored, factor=factor, version=version)).array
            assert got.dtype.kind == "i"
            assert got.ravel().tolist() == expected
    for factor in ((float("inf"), 0), (2, float("nan")), (2, float("inf"))):
        fails(nifti(stored, factor=factor), "scale factor")
    fails(nifti(np.array([[[2**62]]]), factor=(4, 0)), "beyond 2\\*\\*53")
    for factor in ((0.05, 0), (0.1, 0.5), (0.10001, 0)):
        data = nifti(stored, factor=factor)
        assert read(data).array.dtype == np.float64
        (tmp_path / "a.nii").write_bytes(data)
        with pytest.raises(LabelError, match=r"a\.nii: dtype float64 holds . values that are not integers"):
            open_label_map(tmp_path / "a.nii")


def test_a_half_is_no_rounding_however_large_the_label() -> None:
    stored = np.array([2**25 + 1, 3], np.int32).reshape(1, 1, 2)
    assert read(nifti(stored, factor=(0.5, 0))).array.ravel().tolist() == [2**24 + 0.5, 1.5]


@pytest.mark.parametrize("factor", [(1, 0), (0.1, 0)])
@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nan_is_no_label(bad: float, kind: str, factor: tuple[float, float], tmp_path: Path) -> None:
    array = CUBE.astype(kind)
    array[0, 1, 2] = bad
    (tmp_path / "a.nii").write_bytes(nifti(array, factor=factor))
    with pytest.raises(LabelError, match=r"a\.nii: float labels hold 1 value that is NaN or infinite, the first at"):
        open_label_map(tmp_path / "a.nii")


def test_scores_keep_their_grid(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(nifti(CUBE.astype("u1"), factor=(1 / 255, 0))))
    found: Any = open_prediction(tmp_path / "a.nii.gz")
    assert found.map is None
    assert found.scores.max() == pytest.approx(23 / 255)
    assert (found.spacing, found.affine) == ((3, 0.7, 0.8), SROW)


# ---------------------------------------------------------------------------------- broken and hostile


def test_headers_that_are_none() -> None:
    cube = CUBE.astype("u1")
    fails(nifti(cube, magic=b"ni1\0"), r"pair \(\.hdr and \.img\)")
    fails(nifti(cube, magic=b"\0\0\0\0"), "magic.*ANALYZE")
    fails(nifti(cube, version=2, magic=b"n+2\0\n\n\x1a\n"), "magic")
    for offset in (0, 348, 351, 352.5, -1, float("nan"), float("inf"), 1e12):
        fails(nifti(cube, offset=offset), "vox_offset")
    fails(nifti(cube, offset=2**20), "truncated")


@pytest.mark.parametrize("version", [1, 2])
def test_every_cut_is_found(version: int) -> None:
    data = nifti(CUBE.astype("u2"), version=version)
    for at in range(1, len(data)):
        with pytest.raises(FormatError):
            read(data[:at], "a.nii")
        with pytest.raises(FormatError):
            read(gzip.compress(data[:at]), "a.nii.gz")
    packed = gzip.compress(data)
    for at in range(1, len(packed)):
        with pytest.raises(FormatError, match="truncated|gzip data|unknown data" if at < 20 else "truncated"):
            read(packed[:at], "a.nii.gz")


@pytest.mark.parametrize("version", [1, 2])
def test_every_flipped_bit_in_gzip_is_found_or_harmless(version: int) -> None:
    data = nifti(CUBE.astype("u2"), version=version)
    packed = gzip.compress(data)
    for at in range(2, len(packed)):
        broken = packed[:at] + bytes([packed[at] ^ 4]) + packed[at + 1 :]
        with suppress(FormatError):
            np.testing.assert_array_equal(read(broken, "a.nii.gz").array, CUBE)  # a flag of gzip's header


def test_padding() -> None:
    data = nifti(CUBE.astype("u1"))
    assert read(data + bytes(16)).array.shape == read(gzip.compress(data + bytes(16))).array.shape == (2, 3, 4)
    assert read(gzip.compress(data) + bytes(100)).array.shape == (2, 3, 4)
    for more in (bytes(17), b"\1", bytes(10**6)):
        fails(data + more, "more data follows")
        fails(gzip.compress(data + more), "more data follows")
    fails(gzip.compress(data) + b"rubbish", "corrupt gzip")


def test_several_members_of_gzip() -> None:
    data = nifti(CUBE.astype("u1"))
    for cut in (1, 200, 348, 352, 360):
        np.testing.assert_array_equal(read(gzip.compress(data[:cut]) + gzip.compress(data[cut:])).array, CUBE)
    other = nifti(CUBE.astype("u1")[::-1])
    fails(gzip.compress(data) + gzip.compress(other), "more data follows")


def test_bombs() -> None:
    huge = gzip.compress(nifti(CUBE.astype("u1"), dim=(3, 30000, 30000, 30000)))
    fails(huge, "limit")
    fails(gzip.compress(nifti(CUBE.astype("u1"), dim=(3, 600, 600, 600))), "truncated")
    bomb = gzip.compress(nifti(CUBE.astype("u1")) + bytes(2 * 10**7))
    fails(bomb, "more data follows")
    fails(gzip.compress(nifti(CUBE.astype("u1"), version=2, dim=(3, 2**62, 2**62, 2**62))), "limit")
    fails(nifti(CUBE.astype("u1")), "limit of 23;.*--max-pixels 24", max_pixels=23)


@given(st.data())
def test_mutations_are_an_error_or_a_raster(data: Any) -> None:
    version = data.draw(st.sampled_from([1, 2]))
    kind = data.draw(st.sampled_from(["u1", "i2", "f4", "f8"]))
    file = bytearray(nifti(CUBE.astype(kind), version=version, factor=data.draw(st.sampled_from([(1, 0), (0.1, 2)]))))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(file) - 1))
        more = data.draw(st.binary(min_size=1, max_size=8))
        file[at : at + len(more)] = more
    del file[data.draw(st.integers(300, len(file) + 300)) :]
    packed = bytearray(gzip.compress(bytes(file), data.draw(st.sampled_from([0, 6]))))
    for _ in range(data.draw(st.integers(0, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    for content, name in ((file, "a.nii"), (packed, "a.nii.gz")):
        with suppress(FormatError, LabelError):
            raster = decode(bytes(content), name)
            assert raster.array.ndim in (2, 3)
            assert raster.spacing is not None
            assert all(s > 0 for s in raster.spacing)
            assert raster.affine is not None
            assert np.isfinite(raster.affine).all()
            label_map(raster.array, spacing=raster.spacing, affine=raster.affine)


# ----------------------------------------------------------------------------------------- real files


def test_spine_values(shared_data: Path) -> None:
    expected = json.loads((shared_data / "expected/values.json").read_text())["spine_3d"]
    for kind in ("matched", "unmatched"):
        gt, pred = (
            open_label_map(shared_data / f"spine_3d/{kind}_instance_{side}.nii.gz").map for side in ("ref", "pred")
        )
        pair(gt, pred)
        assert mm.dice(gt.array > 0, pred.array > 0) == pytest.approx(expected["dice1"], rel=1e-12)
        for iou in (0.5, 0.75, 0.9):
            f1 = expected[f"stardist_iou_{iou}"]["f1"]
            assert mm.object_f1(gt.array, pred.array, iou=iou) == pytest.approx(f1, rel=1e-12)


def test_spine(shared_data: Path) -> None:
    gt, pred = (open_label_map(shared_data / f"spine_3d/semantic_{side}.nii.gz").map for side in ("ref", "pred"))
    assert gt.array.shape == (17, 512, 512)
    assert gt.array.dtype == np.uint8
    assert gt.spacing == (3.3, 0.58594, 0.58594)
    assert gt.affine == pytest.approx(
        (0, 0, 3.3, -12.235352, -0.58594, 0, 0, 153.26941, 0, -0.58594, 0, 202.25729), abs=1e-5
    )
    pair(gt, pred)
    assert len(np.unique(gt.array)) == 15


@pytest.mark.parametrize("scores", [False, True])
def test_the_mask_of_a_volume_lies_where_its_image_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], scores: bool
) -> None:
    """Voxels of a mask are counted only where its grid is that of the image: nothing is resampled."""
    rng = np.random.default_rng(0)
    gt = (rng.random((3, 4, 5)) < 0.4).astype(np.uint8)
    pred = rng.random(gt.shape).astype(np.float32) if scores else (rng.random(gt.shape) < 0.5).astype(np.uint8)
    region = np.zeros_like(gt)
    region[1:] = 1
    moved = (*SROW[:3], SROW[3] + 3, *SROW[4:])
    masks = {"same": nifti(region), "moved": nifti(region, srow=moved), "fewer": nifti(region[:2])}
    for side, data in {"gt": nifti(gt), "pred": nifti(pred), **masks}.items():
        (tmp_path / side).mkdir()
        (tmp_path / side / "a.nii").write_bytes(data)
    done = mm.evaluate(tmp_path / "gt", tmp_path / "pred", ["accuracy"], task="binary", mask=tmp_path / "same")
    assert done.pooled.pixels == 2 * 4 * 5
    assert done.value("accuracy") == ((gt == (pred >= 0.5)) & (region > 0)).sum() / 40
    for side, said in (("moved", "lies elsewhere than its image: origin"), ("fewer", "of the mask differs from")):
        words = [str(tmp_path / "gt"), str(tmp_path / "pred"), "--task", "binary", "--mask", str(tmp_path / side)]
        assert main(["evaluate", *words]) == 3
        err = capsys.readouterr().err
        assert said in err
        assert f"{side}/a.nii" in err
