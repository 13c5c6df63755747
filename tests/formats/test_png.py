"""PNG: samples as stored, of every kind a PNG can have, and nothing but a clear error for everything else."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from maskmeter import kernels
from maskmeter.errors import FormatError
from maskmeter.formats import Raster, decode
from reference import png as twin

KINDS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (3, 1), (3, 2), (3, 4), (3, 8)]
COLORS = twin.chunk(b"PLTE", bytes(range(256)) * 3)


def run_like(rng: np.random.Generator, shape: tuple[int, ...], bits: int) -> NDArray[Any]:
    """Blocks of one value, with some noise: what label maps look like."""
    height, width, *rest = shape
    small = rng.integers(0, 2**bits, (height // 5 + 1, width // 7 + 1, *rest))
    big = np.kron(small, np.ones((5, 7, *(1 for _ in rest)), int))[:height, :width]
    noise = rng.integers(0, 2**bits, shape)
    return np.where(rng.random(shape) < 0.02, noise, big).astype(np.uint16 if bits == 16 else np.uint8)


def read(data: bytes, **limits: int) -> Raster:
    return decode(data, "a.png", **limits)


def fails(data: bytes, text: str) -> str:
    with pytest.raises(FormatError, match=text) as caught:
        read(data)
    message = str(caught.value)
    assert message.startswith("a.png: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("filter_", [0, 1, 2, 3, 4, None])
@pytest.mark.parametrize(("color", "bits"), KINDS)
def test_every_kind(color: int, bits: int, filter_: int | None, interlaced: bool) -> None:
    rng = np.random.default_rng(bits)
    samples = run_like(rng, (23, 45, 3) if color == 2 else (23, 45), bits)
    choose = (lambda y: y % 5) if filter_ is None else (lambda y: filter_)
    data = twin.write(samples, bits, color, interlaced=interlaced, choose=choose, before=COLORS if color == 3 else b"")
    raster = read(data)
    np.testing.assert_array_equal(raster.array, samples)
    assert raster.array.dtype == samples.dtype
    assert (raster.bits, raster.rgb, raster.palette is not None) == (bits, color == 2, color == 3)
    shown = np.asarray(Image.open(io.BytesIO(data)))
    if bits in (1, 8, 16) and color != 3:  # Pillow scales grey of 2 and 4 bits, which is right for pictures
        np.testing.assert_array_equal(shown, samples)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 5), (5, 3), (8, 8), (4, 33)])
@pytest.mark.parametrize(("color", "bits"), KINDS)
def test_small_and_interlaced_sizes(color: int, bits: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(7)
    samples = rng.integers(0, 2**bits, (*size, 3) if color == 2 else size)
    for interlaced in (False, True):
        data = twin.write(samples, bits, color, interlaced=interlaced, before=COLORS if color == 3 else b"")
        np.testing.assert_array_equal(read(data).array, samples)


@given(
    st.integers(1, 70), st.integers(1, 6), st.sampled_from([(8, 1), (8, 2), (8, 3), (8, 4), (16, 1), (16, 3), (16, 4)]),
    st.integers(0, 2**32 - 1), st.booleans(),
)  # fmt: skip
def test_kernel_equals_its_twin(width: int, height: int, kind: tuple[int, int], seed: int, sparse: bool) -> None:
    """Also on rows that no encoder would write: any filter over any bytes."""
    bits, channels = kind
    rng = np.random.default_rng(seed)
    n = width * channels * bits // 8
    raw = rng.integers(0, 256, (height, n + 1), np.uint8)
    if sparse:  # runs, where the kernel takes its short cuts
        raw *= rng.random(raw.shape) < 0.1
    raw[:, 0] = rng.integers(0, 5, height)
    layout = (width, height, bits, channels, False)
    np.testing.assert_array_equal(kernels.png_samples(raw.tobytes(), *layout), twin.samples_of(raw.tobytes(), *layout))


def test_what_pillow_writes() -> None:
    rng = np.random.default_rng(3)
    labels = run_like(rng, (200, 333), 8)
    for array in (labels, labels.astype(np.uint16) * 200, np.stack([labels, labels // 2, 255 - labels], -1)):
        for level in (0, 1, 9):
            file = io.BytesIO()
            Image.fromarray(array).save(file, "PNG", compress_level=level)
            np.testing.assert_array_equal(read(file.getvalue()).array, array)


def test_palette_gives_indices_and_colours() -> None:
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8))
    image.putpalette([0, 0, 0, 128, 64, 128, 244, 35, 232])
    file = io.BytesIO()
    image.save(file, "PNG")
    raster = read(file.getvalue())
    np.testing.assert_array_equal(raster.array, [[0, 1], [2, 1]])
    assert raster.palette is not None
    assert raster.palette[:3].tolist() == [[0, 0, 0], [128, 64, 128], [244, 35, 232]]


def test_index_beyond_the_palette_is_noted() -> None:
    raster = read(twin.write(np.array([[0, 7]]), 8, 3, before=twin.chunk(b"PLTE", bytes(6))))
    assert raster.array.tolist() == [[0, 7]]
    assert "index 7" in raster.notes[0]


def test_display_chunks_change_nothing() -> None:
    samples = np.arange(12, dtype=np.uint8).reshape(3, 4)
    extra = b"".join(
        twin.chunk(*pair)
        for pair in [(b"gAMA", bytes(4)), (b"tRNS", b"\0\3"), (b"PLTE", bytes(6)), (b"tEXt", b"a\0b"), (b"prVt", b"")]
    )
    raster = read(twin.write(samples, before=extra, after=extra[:16]) + b"garbage after the end")
    np.testing.assert_array_equal(raster.array, samples)
    assert raster.palette is None
    assert raster.notes == ()


def test_image_data_in_many_chunks() -> None:
    samples = run_like(np.random.default_rng(1), (50, 60), 8)
    np.testing.assert_array_equal(read(twin.write(samples, parts=40)).array, samples)


@pytest.mark.parametrize("order", "<>")
def test_orientation_is_noted_and_not_applied(order: str) -> None:
    samples = np.arange(6, dtype=np.uint8).reshape(2, 3)
    start = b"II*\0" if order == "<" else b"MM\0*"
    exif = start + struct.pack(order + "IHHHIHH", 8, 1, 0x0112, 3, 1, 6, 0) + bytes(4)
    raster = read(twin.write(samples, before=twin.chunk(b"eXIf", exif)))
    np.testing.assert_array_equal(raster.array, samples)
    assert raster.notes == ("EXIF orientation 6 is not applied: labels are read as stored",)
    for harmless in (exif.replace(b"\6", b"\1"), exif[:14], b"", b"nonsense", exif[:8] + b"\xff\xff"):
        assert read(twin.write(samples, before=twin.chunk(b"eXIf", harmless))).notes == ()


def test_opaque_alpha_is_dropped_and_noted() -> None:
    samples = np.random.default_rng(0).integers(0, 256, (4, 5, 4), np.uint8)
    fails(twin.write(samples, 8, 6), "alpha")
    samples[..., 3] = 255
    raster = read(twin.write(samples, 8, 6))
    np.testing.assert_array_equal(raster.array, samples[..., :3])
    assert raster.rgb
    assert "alpha" in raster.notes[0]


@pytest.mark.parametrize(
    ("color", "bits", "text"), [(4, 8, "alpha"), (4, 16, "alpha"), (6, 16, "16 bits"), (2, 16, "RGB.*16 bits")]
)
def test_refused_kinds(color: int, bits: int, text: str) -> None:
    fails(twin.write(np.zeros((2, 2, twin.CHANNELS[color]), int), bits, color), text)


def test_animation_is_refused_unless_it_has_one_frame() -> None:
    samples = np.zeros((2, 2), int)
    fails(twin.write(samples, before=twin.chunk(b"acTL", struct.pack(">II", 3, 0))), "animated")
    assert read(twin.write(samples, before=twin.chunk(b"acTL", struct.pack(">II", 1, 0)))).array.shape == (2, 2)


def with_header(width: int = 4, height: int = 4, *rest: int, data: bytes | None = None) -> bytes:
    """`rest`: depth, colour type, compression, filter, interlace."""
    header = struct.pack(">IIBBBBB", width, height, *(rest or (8, 0, 0, 0, 0)))
    body = zlib.compress(bytes(20)) if data is None else data
    return twin.SIGNATURE + twin.chunk(b"IHDR", header) + twin.chunk(b"IDAT", body) + twin.chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (with_header(0, 4), "invalid size"),
        (with_header(4, 2**31), "invalid size"),
        (with_header(2**32 - 1, 1), "invalid size"),
        (with_header(4, 4, 3, 0, 0, 0, 0), "invalid header"),
        (with_header(4, 4, 16, 3, 0, 0, 0), "invalid header"),
        (with_header(4, 4, 8, 1, 0, 0, 0), "invalid header"),
        (with_header(4, 4, 8, 0, 1, 0, 0), "invalid header"),
        (with_header(4, 4, 8, 0, 0, 1, 0), "invalid header"),
        (with_header(4, 4, 8, 0, 0, 0, 2), "invalid header"),
        (with_header(data=b""), "truncated"),
        (with_header(data=b"abcd"), "decompress"),
        (with_header(data=zlib.compress(bytes(19))), "another size"),
        (with_header(data=zlib.compress(bytes(21))), "decompress"),
        (with_header(data=zlib.compress(bytes(20))[:-1]), "decompress"),
        (with_header(data=zlib.compress(bytes(20))[:-4] + b"\0\0\0\1"), "decompress"),
        (with_header(data=zlib.compress(b"\5" + bytes(19))), "filter"),
        (with_header(4, 4, 8, 3, 0, 0, 0), "without a palette"),
        (twin.SIGNATURE, "truncated"),
        (twin.SIGNATURE + twin.chunk(b"IEND", b""), "no image data"),
        (twin.SIGNATURE + twin.chunk(b"IDAT", b""), "IHDR"),
        (twin.write(np.zeros((2, 2), int), before=twin.chunk(b"ABCD", b"")), "critical"),
        (twin.write(np.zeros((2, 2), int), before=twin.chunk(b"a\0cd", b"")), "chunk should begin"),
        (twin.write(np.zeros((2, 2), int), before=twin.chunk(b"PLTE", b"ab")), "palette"),
    ],
)
def test_corrupt(data: bytes, text: str) -> None:
    fails(data, text)


def test_every_flipped_bit_and_every_cut_is_found() -> None:
    """Each byte is under a checksum, a length or the signature."""
    samples = run_like(np.random.default_rng(5), (9, 11), 8)
    data = twin.write(samples, before=twin.chunk(b"gAMA", bytes(4)))
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << at % 8
        with pytest.raises(FormatError):
            read(bytes(damaged))
        with pytest.raises(FormatError):
            read(data[:at])


def test_size_limit_comes_before_the_data() -> None:
    for size in ((30000, 30000), (2**31 - 1, 2**31 - 1)):
        assert "--max-pixels" in fails(with_header(*size), "limit")
    with pytest.raises(FormatError, match="limit of 15"):
        read(with_header(), max_pixels=15)
    assert read(with_header(), max_pixels=16).array.shape == (4, 4)
    # Below the limit, but more than the data could ever inflate to: nothing is allocated.
    fails(with_header(16000, 16000), "cannot fill")


@pytest.mark.parametrize(("color", "bits"), KINDS)
def test_damage_under_a_right_checksum(color: int, bits: int) -> None:
    """Header and image data changed at random and signed again: a raster of the claimed size, or FormatError."""
    rng = random.Random(bits * 10 + color)
    samples = run_like(np.random.default_rng(2), (13, 17, 3) if color == 2 else (13, 17), bits)
    for _ in range(400):
        header = bytearray(struct.pack(">IIBBBBB", 17, 13, bits, color, 0, 0, rng.random() < 0.3))
        if rng.random() < 0.5:
            header[rng.choice([3, 7, 8, 9, 12])] = rng.choice([0, 1, 2, 3, 4, 8, 16, 17, rng.randrange(256)])
        raw = bytearray(twin.raw_of(samples[:2], bits, False, lambda _: 4) * rng.choice([1, 6, 7]))
        for _ in range(rng.randrange(4)):
            raw[rng.randrange(len(raw))] = rng.choice([0, 1, 2, 3, 4, 255])
        packed = bytearray(zlib.compress(bytes(raw)[: rng.choice([len(raw), 5])], rng.choice([0, 6])))
        if rng.random() < 0.3:
            packed[rng.randrange(len(packed))] ^= 1 << rng.randrange(8)
        chunks = [(b"IHDR", bytes(header)), (b"PLTE", bytes(6)), (b"IDAT", bytes(packed)), (b"IEND", b"")]
        try:
            raster = read(twin.SIGNATURE + b"".join(twin.chunk(*c) for c in chunks), max_pixels=10**6)
        except FormatError:
            continue
        assert raster.array.shape[:2] == struct.unpack(">II", header[:8])[::-1]


@pytest.mark.parametrize(
    "layout",
    [
        (4, 4, 8, 1, False), (0, 4, 8, 1, False), (2**62, 4, 8, 1, False), (2**31 - 1, 2**31 - 1, 16, 4, True),
        (4, 4, 3, 1, False), (4, 4, 1, 3, False), (4, 4, 8, 5, False), (4, 4, 0, 0, True),
        (2**31 - 1, 512, 16, 4, False),
    ],
)  # fmt: skip
def test_kernel_refuses_what_does_not_fit(layout: tuple[int, int, int, int, bool]) -> None:
    with pytest.raises(ValueError, match=r"size|samples"):
        kernels.png_samples(bytes(7), *layout)
