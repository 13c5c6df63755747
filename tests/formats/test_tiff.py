"""TIFF: stored samples of pages and stacks, with and without the optional decoders."""

from __future__ import annotations

import io
import logging
import random
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from maskmeter.errors import FormatError
from maskmeter.formats import Raster, decode

LABELS = np.kron(np.arange(12).reshape(3, 4), np.ones((5, 6), int)).astype(np.uint8)
STACK = np.stack([LABELS, LABELS[::-1], LABELS[:, ::-1]])


def tif(array: NDArray[Any], **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


def read(data: bytes, **limits: int) -> Raster:
    return decode(data, "a.tif", **limits)


def fails(data: bytes, text: str) -> None:
    with pytest.raises(FormatError, match=text) as caught:
        read(data)
    assert str(caught.value).startswith("a.tif: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "f4", "f8"])
@pytest.mark.parametrize("order", "<>")
def test_types_and_byte_orders(dtype: str, order: str) -> None:
    for array in (LABELS, STACK):
        raster = read(tif(array.astype(dtype), byteorder=order, photometric="minisblack"))
        np.testing.assert_array_equal(raster.array, array)
        assert raster.array.dtype == np.dtype(dtype)
        assert raster.array.dtype.isnative
        assert (raster.rgb, raster.spacing, raster.notes) == (False, None, ())


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits", "zstd", "lzma"])
@pytest.mark.parametrize("layout", [{}, {"tile": (16, 16)}, {"rowsperstrip": 4}, {"bigtiff": True}])
def test_lossless_compressions(compression: str | None, layout: dict[str, Any]) -> None:
    for dtype in (np.uint8, np.uint16):
        array = STACK.astype(dtype)
        raster = read(tif(array, compression=compression, photometric="minisblack", **layout))
        np.testing.assert_array_equal(raster.array, array)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (1, 1, 3, 4), (2, 3, 4, 5)])
def test_shapes(shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    got = read(tif(array, photometric="minisblack")).array
    assert got.ndim >= 2
    np.testing.assert_array_equal(got.ravel(), array.ravel())


def test_one_bit_becomes_0_and_1() -> None:
    mask = LABELS > 5
    raster = read(tif(mask))
    np.testing.assert_array_equal(raster.array, mask)
    assert (raster.array.dtype, raster.bits) == (np.uint8, 1)


def test_palette_gives_indices_and_colours() -> None:
    colors = np.random.default_rng(0).integers(0, 256, (256, 3), np.uint8)
    data = tif(LABELS, photometric="palette", colormap=(colors.T.astype(np.uint16) * 257))
    raster = read(data)
    np.testing.assert_array_equal(raster.array, LABELS)
    np.testing.assert_array_equal(raster.palette, colors)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colours(planar: str) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (6, 7, 3), np.uint8)
    stored = rgb if planar == "contig" else np.moveaxis(rgb, -1, 0)
    raster = read(tif(stored, photometric="rgb", planarconfig=planar))
    np.testing.assert_array_equal(raster.array, rgb)
    assert raster.rgb


def test_channels_that_are_refused() -> None:
    rgba = np.full((4, 5, 4), 255, np.uint8)
    raster = read(tif(rgba, photometric="rgb", extrasamples=["unassalpha"]))
    assert raster.array.shape == (4, 5, 3)
    assert "alpha" in raster.notes[0]
    rgba[0, 0, 3] = 0
    fails(tif(rgba, photometric="rgb", extrasamples=["unassalpha"]), "alpha")
    fails(tif(rgba[..., :3].astype(np.uint16), photometric="rgb"), "uint16")
    fails(tif(rgba[..., :2], photometric="minisblack", planarconfig="contig"), "2 channels")
    fails(tif(rgba, photometric="separated"), "colours")
    fails(tif(LABELS.astype(np.complex64)), "complex")


def test_lossy_compression_is_refused() -> None:
    fails(tif(np.zeros((16, 16), np.uint8), compression="jpeg"), "lossy")


def test_stored_values_are_not_inverted_or_turned() -> None:
    raster = read(tif(LABELS, photometric="miniswhite", extratags=[(274, 3, 1, 6, True)]))
    np.testing.assert_array_equal(raster.array, LABELS)
    assert len(raster.notes) == 2


def test_pages_of_one_shape_are_a_stack_and_others_refused() -> None:
    pages = [Image.fromarray(x) for x in STACK]
    file = io.BytesIO()
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    np.testing.assert_array_equal(read(file.getvalue()).array, STACK)
    file = io.BytesIO()
    pages[0].save(file, "TIFF", save_all=True, append_images=[pages[1].resize((3, 3))])
    fails(file.getvalue(), "2 images that do not form one stack")


def test_spacing_only_beyond_doubt() -> None:
    volume = STACK.astype(np.uint16)
    imagej = {"imagej": True, "resolution": (4.0, 2.0)}
    assert read(tif(volume, metadata={"spacing": 2.5, "unit": "um", "axes": "ZYX"}, **imagej)).spacing == pytest.approx(
        (0.0025, 0.0005, 0.00025)
    )
    assert read(tif(volume, metadata={"spacing": 2.5, "unit": "mm", "axes": "ZYX"}, **imagej)).spacing == pytest.approx(
        (2.5, 0.5, 0.25)
    )
    for metadata in ({"spacing": 2.5, "axes": "ZYX"}, {"unit": "um", "axes": "ZYX"}, {"spacing": 1, "unit": "pixel"}):
        assert read(tif(volume, metadata=metadata, **imagej)).spacing is None
    assert read(tif(volume, metadata={"spacing": 2, "unit": "um", "axes": "TYX"}, **imagej)).spacing is None
    assert read(tif(LABELS, resolution=(300, 300), resolutionunit="inch")).spacing is None


def test_ome_spacing() -> None:
    sizes = {"PhysicalSizeZ": 3, "PhysicalSizeY": 0.5, "PhysicalSizeX": 0.25}
    microns = {f"{k}Unit": "µm" for k in sizes}
    for extra in ({}, microns):
        data = tif(STACK, ome=True, metadata={"axes": "ZYX", **sizes, **extra})
        raster = read(data)
        np.testing.assert_array_equal(raster.array, STACK)
        assert raster.spacing == pytest.approx((0.003, 0.0005, 0.00025))
    del sizes["PhysicalSizeZ"]
    assert read(tif(STACK, ome=True, metadata={"axes": "ZYX", **sizes})).spacing is None


def test_ome_does_not_open_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.tif").write_bytes(tif(STACK[0] + 100, ome=True))
    xml = tifffile.TiffFile(io.BytesIO(tif(STACK, ome=True, metadata={"axes": "ZYX"}))).ome_metadata
    assert xml is not None
    uuid = '<UUID FileName="secret.tif">urn:uuid:00000000-0000-0000-0000-000000000000</UUID></TiffData>'
    linked = xml.replace("></TiffData>", ">" + uuid).replace('PlaneCount="3"/>', f'PlaneCount="3">{uuid}')
    assert linked != xml
    data = tif(STACK[0], description=linked, metadata=None)
    with suppress(FormatError):
        assert read(data).array.max() < 100


def test_size_limits() -> None:
    with pytest.raises(FormatError, match="limit of 1079"):
        read(tif(STACK, photometric="minisblack"), max_pixels=1079)
    assert read(tif(STACK, photometric="minisblack"), max_pixels=1080).array.shape == STACK.shape
    data = bytearray(tif(LABELS, compression="zlib", tile=(16, 16)))
    tags = tifffile.TiffFile(io.BytesIO(data)).pages[0].tags  # type: ignore[union-attr]
    for code in (322, 323):  # a tile far larger than the image
        at = tags[code].valueoffset
        data[at : at + 4] = (32768).to_bytes(4, "little")
    fails(bytes(data), "limit|truncated")


def test_every_cut_is_found() -> None:
    stack = tif(STACK, compression="lzw", rowsperstrip=4, photometric="minisblack")
    for data in (tif(LABELS), tif(LABELS, compression="zlib"), stack):
        end = max(
            at + n
            for page in tifffile.TiffFile(io.BytesIO(data)).pages
            for at, n in zip(page.dataoffsets, page.databytecounts, strict=True)
        )
        for at in range(4, end, 7):
            with pytest.raises(FormatError):
                read(data[:at])


def test_pages_in_a_circle() -> None:
    data = bytearray(tif(STACK, photometric="minisblack", metadata=None))
    first = int.from_bytes(data[4:8], "little")
    last = tifffile.TiffFile(io.BytesIO(data)).pages.next_page_offset
    assert last is not None
    data[last : last + 4] = first.to_bytes(4, "little")
    fails(bytes(data), "circle")


def test_random_damage(caplog: pytest.LogCaptureFixture) -> None:
    """A raster or FormatError, and not a word in the log."""
    rng = random.Random(0)
    base = [
        tif(LABELS),
        tif(STACK, compression="lzw", photometric="minisblack"),
        tif(STACK, imagej=True),
        tif(STACK, ome=True),
    ]
    with caplog.at_level(logging.DEBUG):
        for _ in range(600):
            data = bytearray(rng.choice(base))
            for _ in range(rng.randrange(1, 5)):
                data[rng.randrange(4, len(data))] = rng.choice([0, 1, 2, 255, rng.randrange(256)])
            with suppress(FormatError):
                read(bytes(data), max_pixels=10**6)
    assert [r for r in caplog.records if r.name == "tifffile"] == []


WITHOUT = """
import sys
sys.modules["imagecodecs"] = None
from pathlib import Path
import numpy as np
from maskmeter.formats import read
from maskmeter.errors import FormatError
folder = Path(sys.argv[1])
for path in sorted(folder.glob("*.tif")):
    try:
        got = read(path)
        assert np.array_equal(got.array, np.load(path.with_suffix(".npy"))), path
        assert got.array.dtype == np.load(path.with_suffix(".npy")).dtype, path
        print(path.stem, "same")
    except FormatError as error:
        print(path.stem, error)
"""


def test_core_dependencies_alone_read_lzw(tmp_path: Path) -> None:
    """The same files without imagecodecs: Pillow decompresses them, or the error names the extra."""
    rgb = np.random.default_rng(0).integers(0, 256, (6, 7, 3), np.uint8)
    colors = np.zeros((3, 256), np.uint16)
    cases: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {
        "plain": (STACK, {}),
        "float": (LABELS.astype(np.float32), {}),
        "bit": ((LABELS > 3).astype(np.uint8), {"compression": "zlib"}),
        "palette": (LABELS, {"compression": "lzw", "photometric": "palette", "colormap": colors}),
        "rgb": (rgb, {"compression": "zlib", "photometric": "rgb"}),
    }
    for method in ("lzw", "zlib", "packbits"):
        for dtype in (np.uint8, np.uint16):
            cases[f"{method}{np.dtype(dtype).itemsize}"] = (LABELS.astype(dtype), {"compression": method})
        cases[f"{method}_stack"] = (STACK, {"compression": method})
        cases[f"{method}_big_endian"] = (LABELS.astype(np.uint16), {"compression": method, "byteorder": ">"})
    cases["predictor"] = (LABELS, {"compression": "lzw", "predictor": True})
    refused = {
        "wide": (LABELS.astype(np.uint32), {"compression": "zlib"}),
        "white": (LABELS, {"compression": "lzw", "photometric": "miniswhite"}),
    }
    for name, (array, options) in (cases | refused).items():
        options = {"photometric": "minisblack", **options}
        (tmp_path / f"{name}.tif").write_bytes(tif(array > 0 if name == "bit" else array, **options))
        np.save(tmp_path / f"{name}.npy", array)
        np.testing.assert_array_equal(decode((tmp_path / f"{name}.tif").read_bytes(), name).array, array)
    (tmp_path / "zzz_broken.tif").write_bytes((tmp_path / "lzw1.tif").read_bytes().replace(b"\x80\0", b"\x80\xff", 1))
    run = subprocess.run([sys.executable, "-c", WITHOUT, str(tmp_path)], capture_output=True, text=True, check=True)
    said = dict(line.split(" ", 1) for line in run.stdout.splitlines())
    assert {name for name, text in said.items() if text == "same"} >= set(cases)
    assert all("maskmeter[tiff]" in said[name] for name in refused)
