"""NPY and NPZ: plain arrays come through as they are, and nothing is unpickled or believed."""

from __future__ import annotations

import io
import os
import pickle
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from maskmeter.errors import FormatError
from maskmeter.formats import Raster, decode
from maskmeter.formats import read as read_file


def npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def npz(compress: bool = True, **arrays: Any) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(file, **arrays)
    return file.getvalue()


def with_header(text: str, body: bytes = b"", version: int = 1) -> bytes:
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes((version, 0)) + length + text.encode() + body


def read(data: bytes, name: str = "a.npy", **limits: int) -> Raster:
    return decode(data, name, **limits)


def fails(data: bytes, text: str, name: str = "a.npy") -> None:
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=text) as caught:
            read(data, name)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "<u2", ">u2", "<i4", ">i4", "u8", ">i8", "f2", "f4", ">f4", "f8"])
def test_types_and_order(dtype: str) -> None:
    array = (np.arange(60).reshape(3, 4, 5) % 2).astype(dtype)
    for stored in (array, np.asfortranarray(array)):
        got = read(npy(stored)).array
        np.testing.assert_array_equal(got, array)
        assert got.dtype == array.dtype.newbyteorder("=")
        assert got.dtype.isnative


@pytest.mark.parametrize("shape", [(1,), (0, 5), (2, 3), (1, 1, 1, 7)])
def test_shapes(shape: tuple[int, ...]) -> None:
    assert read(npy(np.zeros(shape, np.uint8))).array.shape == shape


def test_no_copy_where_none_is_needed() -> None:
    data = npy(np.zeros((1000, 1000), np.uint8, order="F"))
    got = read(data).array
    assert not got.flags.owndata
    assert got.flags.f_contiguous
    assert np.shares_memory(got, np.frombuffer(data, np.uint8))


def test_later_header_versions() -> None:
    text = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), }"
    for version in (1, 2, 3):
        assert read(with_header(text, b"abcd", version)).array.tolist() == [[97, 98], [99, 100]]
    fails(with_header(text, b"abcd", 4), "invalid NPY header")


class Bomb:
    """Would make a folder if it were unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def test_nothing_is_unpickled(tmp_path: Any) -> None:
    canary = tmp_path / "canary"
    bomb = np.array([Bomb(str(canary))], object)
    fails(npy(bomb, allow_pickle=True), "object")
    fails(pickle.dumps(bomb), "pickle")
    fails(npz(labels=bomb), "object", "a.npz")
    assert not canary.exists()


@pytest.mark.parametrize(
    "array",
    [
        np.array(["0", "1"]), np.array([b"0"]), np.zeros(2, complex), np.zeros(2, "M8[s]"), np.zeros(2, "m8[s]"),
        np.zeros(2, [("a", "i4")]), np.zeros(2, np.longdouble), np.zeros(2, "V4"),
    ],
)  # fmt: skip
def test_other_types_are_refused(array: NDArray[Any]) -> None:
    if array.dtype != np.float64:  # what some platforms call long double
        fails(npy(array), "dtype")


def test_a_single_number_is_no_image() -> None:
    fails(npy(np.uint8(3)), "single number")


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ("(1000000, 1000000)", "above the limit"),
        ("(16000, 16000)", "truncated"),
        ("(9, 2)", "truncated"),
        ("(-1, 2)", "invalid"),
        ("(True, 2)", "invalid"),
        ("[2, 2]", "invalid"),
        ("2", "invalid"),
        ("(2.0, 2)", "invalid"),
        ("(0, 2) * 3", "invalid"),
        (f"({'9' * 3000}, 0)", "invalid|limit|truncated"),
        (f"({'1,' * 33})", "invalid"),
        ("(" * 3000, "invalid"),
        ("(" + "-" * 3000 + "1,)", "invalid"),
        ("(" + "+1j" * 900 + ",)", "invalid"),
        ("\0", "invalid"),
    ],
)
def test_headers_are_not_believed(shape: str, text: str) -> None:
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': " + shape + ", }"
    fails(with_header(header, b"abcd"), text)


@pytest.mark.parametrize("descr", ["'no'", "None", "'u1,u1'", "[('a', 'u1')]", "'(2,2)u1'", "1", "'|O'", "'<f16'"])
def test_hostile_types(descr: str) -> None:
    fails(with_header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': (2, 2), }}", bytes(64)), "dtype|invalid")


def test_every_cut_is_found() -> None:
    data = npy(np.zeros((3, 3), np.uint16))
    for at in range(len(data)):
        with pytest.raises(FormatError):
            read(data[:at] or b"x")


def test_booleans_are_0_or_1() -> None:
    fails(with_header("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", b"\1\2"), "neither 0 nor 1")


def test_npz_with_one_array_or_one_known_key() -> None:
    a, b = np.ones((2, 2), np.uint8), np.zeros((2, 3), np.uint8)
    for compress in (False, True):
        for arrays in ({"anything": a}, {"labels": a, "scores": b}, {"arr_0": a, "x": b}, {"mask": a, "y": b}):
            np.testing.assert_array_equal(read(npz(compress, **arrays), "a.npz").array, a)
    fails(npz(x=a, y=b), "keys: x, y", "a.npz")
    fails(npz(labels=a, mask=b), "keys: labels, mask", "a.npz")
    fails(npz(), "0 arrays", "a.npz")


def zipped(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members:
            archive.writestr(name, body)
    return file.getvalue()


def test_member_names_are_no_paths(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read(zipped(("../../x.npy", npy(np.ones((2, 2), np.uint8)))), "a.npz").array.sum() == 4
    assert not list(tmp_path.rglob("*"))
    fails(zipped(("a\x1b[31m\n.npy", b""), ("b.npy", b"")), "keys", "a.npz")


def test_zip_bombs_and_broken_archives() -> None:
    huge = with_header("{'descr': '|u1', 'fortran_order': False, 'shape': (100000, 100000), }")
    fails(zipped(("labels.npy", huge)), "limit", "a.npz")
    bomb = npy(np.zeros((4, 4), np.uint8)) + bytes(10**8)  # an array with 100 MB behind it
    assert read(zipped(("labels.npy", bomb)), "a.npz").array.shape == (4, 4)
    fails(zipped(("labels.npy", npy(np.zeros((9, 9), np.uint8))[:-1])), "truncated", "a.npz")
    fails(zipped(("labels.npy", b"text")), "magic", "a.npz")
    whole = bytearray(npz(False, labels=np.arange(100, dtype=np.uint8)))
    fails(bytes(whole[:-30]), "corrupt", "a.npz")
    whole[whole.index(bytes(range(50))) + 5] ^= 1
    fails(bytes(whole), "corrupt.*CRC", "a.npz")


def test_hostile_headers_end_quickly(tmp_path: Path) -> None:
    """Digits, brackets and blanks without end: the header is read in linear time, and refused."""
    for filling in ("1" * 4000, "1 ," * 1300, " " * 4000, "[" * 30 + "'" * 3000):
        text = f"{{'descr': '<i8', 'fortran_order': False, 'shape': ({filling}".encode()
        path = tmp_path / "a.npy"
        path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
        with pytest.raises(FormatError, match="invalid NPY header"):
            read_file(path)


def test_many_threads_read_many_headers(tmp_path: Path) -> None:
    for i in range(200):
        np.save(tmp_path / f"{i}.npy", np.full((1, 1), i))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: int(read_file(tmp_path / f"{i}.npy").array[0, 0]), [*range(200)] * 10))
    assert found == [*range(200)] * 10
