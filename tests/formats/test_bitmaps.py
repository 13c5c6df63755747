"""BMP, GIF, PGM and PPM as stored; JPEG and its like refused; photographs by other rules."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskmeter.errors import FormatError
from maskmeter.formats import decode, read_photo
from maskmeter.formats.lossy import describe_values

LABELS = np.kron(np.arange(12).reshape(3, 4), np.ones((5, 6), int)).astype(np.uint8)
RGB = np.random.default_rng(0).integers(0, 256, (15, 24, 3), np.uint8)


def saved(array: Any, format_: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    image.save(file, format_, **options)
    return file.getvalue()


def palette_image() -> Image.Image:
    image = Image.fromarray(LABELS)
    image.putpalette([(7 * i) % 256 for i in range(36)])
    return image


def fails(data: bytes, name: str, text: str, **limits: int) -> None:
    with pytest.raises(FormatError, match=text) as caught:
        decode(data, name, **limits)
    assert "\n" not in str(caught.value)


def test_bmp() -> None:
    np.testing.assert_array_equal(decode(saved(LABELS, "BMP"), "a.bmp").array, LABELS)
    raster = decode(saved(RGB, "BMP"), "a.bmp")
    np.testing.assert_array_equal(raster.array, RGB)
    assert raster.rgb
    raster = decode(saved(palette_image(), "BMP"), "a.bmp")
    np.testing.assert_array_equal(raster.array, LABELS)
    assert raster.palette is not None
    assert raster.palette[1].tolist() == [21, 28, 35]
    raster = decode(saved(Image.fromarray(LABELS > 3), "BMP"), "a.bmp")
    np.testing.assert_array_equal(raster.array, LABELS > 3)
    assert (raster.bits, raster.array.dtype) == (1, np.uint8)
    fails(saved(RGB, "BMP")[:-5], "a.bmp", "truncated")
    fails(saved(RGB, "BMP"), "a.bmp", "limit of 359", max_pixels=359)


def test_gif() -> None:
    raster = decode(saved(palette_image(), "GIF", optimize=False), "a.gif")
    np.testing.assert_array_equal(raster.array, LABELS)
    assert raster.palette is not None
    assert raster.palette[1].tolist() == [21, 28, 35]
    many = saved(palette_image(), "GIF", save_all=True, append_images=[Image.fromarray(LABELS[::-1])])
    fails(many, "a.gif", "animated")
    fails(saved(palette_image(), "GIF")[:40], "a.gif", "corrupt|truncated")


def test_pgm_is_not_stretched() -> None:
    header = b"P5\n# made by hand\n24 15\n# top\n18\n"
    raster = decode(header + LABELS.tobytes(), "a.pgm")
    np.testing.assert_array_equal(raster.array, LABELS)
    assert raster.bits == 5
    wide = (LABELS.astype(np.uint16) * 300).astype(">u2")
    raster = decode(b"P5 24 15 65535\n" + wide.tobytes(), "a.pgm")
    np.testing.assert_array_equal(raster.array, wide)
    assert raster.array.dtype.isnative
    raster = decode(saved(RGB, "PPM"), "a.ppm")
    np.testing.assert_array_equal(raster.array, RGB)
    assert raster.rgb


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"P5 24 15 255\nabc", "truncated"),
        (b"P5 0 15 255\nabc", "invalid"),
        (b"P5 4 4 65536\nabc", "invalid"),
        (b"P5 4 4", "invalid"),
        (b"P5 -4 4 255\n", "invalid"),
        (b"P5 999999999 999999999 255\n", "limit"),
        (b"P6 1 1 15\nabc", "maximum"),
        (b"P5 #" + b"x" * 9000, "invalid"),
    ],
)
def test_bad_pnm(data: bytes, text: str) -> None:
    fails(data, "a.pgm", text)


def test_lossy_formats_are_refused() -> None:
    fails(saved(LABELS * 20, "JPEG"), "a.jpg", r"JPEG is lossy.*different values: 0 \(\d+ px\), .*save.* PNG")
    fails(saved(RGB, "JPEG"), "a.jpeg", "JPEG is lossy")
    fails(saved(RGB, "JPEG")[:200], "a.jpeg", "JPEG is lossy")
    fails(saved(LABELS, "JPEG"), "a.jpg", "limit of 359", max_pixels=359)
    fails(saved(RGB, "WEBP", lossless=True), "a.webp", "WebP.*lossy")
    fails(b"\0\0\0\x20ftypavif" + bytes(20), "a.avif", "lossy")
    fails(b"\xff\x4f\xff\x51" + bytes(20), "a.j2k", "lossy")


def test_values_in_words() -> None:
    assert describe_values(np.array([3, 3, 1])) == "holds 2 different values: 1 (1 px), 3 (2 px)"
    assert describe_values(np.zeros(2, int)) == "holds 1 different value: 0 (2 px)"
    assert describe_values(np.arange(9)) == "holds 9 different values: 0 (1 px), 1 (1 px), 2 (1 px), ..., 8 (1 px)"


def test_photographs(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    grey16 = np.array([[0, 1000], [2000, 4000]], np.uint16)
    files = {
        "rgb.png": (saved(RGB, "PNG"), RGB),
        "turned.png": (saved(RGB, "PNG", exif=exif), RGB),
        "grey.bmp": (saved(LABELS, "BMP"), np.stack([LABELS] * 3, -1)),
        "deep.png": (saved(grey16, "PNG"), np.stack([np.array([[0, 64], [128, 255]])] * 3, -1)),
        "deep.tif": (saved(grey16, "TIFF"), np.stack([np.array([[0, 64], [128, 255]])] * 3, -1)),
        "float.tif": (saved(grey16 / np.float32(4000), "TIFF"), np.stack([np.array([[0, 64], [128, 255]])] * 3, -1)),
        "dark.tif": (saved(np.zeros((2, 2), np.float32), "TIFF"), np.zeros((2, 2, 3))),
    }
    for name, (data, expected) in files.items():
        path = tmp_path / name
        path.write_bytes(data)
        photo = read_photo(path)
        np.testing.assert_array_equal(photo, expected)
        assert photo.dtype == np.uint8
    path = tmp_path / "a.jpg"
    path.write_bytes(saved(RGB, "JPEG"))
    assert read_photo(path).shape == (15, 24, 3)
    for data, text in ((b"text", "not an image"), (saved(RGB, "JPEG")[:300], "corrupt"), (b"", "empty")):
        path.write_bytes(data)
        with pytest.raises(FormatError, match=text):
            read_photo(path)
    with pytest.raises(FormatError, match="limit"):
        read_photo(tmp_path / "rgb.png", max_pixels=5)
