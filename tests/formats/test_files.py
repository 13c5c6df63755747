"""From a path to bytes to a raster: only regular files, only what they are, one line of error."""

from __future__ import annotations

import io
import os
import socket
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskmeter import formats
from maskmeter.errors import FormatError
from reference import png as twin

PNG = twin.write(np.arange(6, dtype=np.uint8).reshape(2, 3))


def fails(path: Path, text: str, **limits: int) -> None:
    start = time.perf_counter()
    with pytest.raises(FormatError, match=text) as caught:
        formats.read(path, **limits)
    assert time.perf_counter() - start < 5  # a pipe would block for ever
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_suffixes() -> None:
    assert formats.split_suffix("a.b.PNG") == ("a.b", ".png")
    assert formats.split_suffix("folder.png/a.TIFF") == ("folder.png/a", ".tiff")
    assert formats.split_suffix("a.txt") == ("a.txt", "")
    assert formats.split_suffix(".png") == (".png", "")
    assert len(formats.SUFFIXES) == len(set(formats.SUFFIXES))
    assert list(map(len, formats.SUFFIXES)) == sorted(map(len, formats.SUFFIXES), reverse=True)
    assert {".png", ".tif", ".tiff", ".npy", ".npz", ".jpg", ".jpeg"} <= set(formats.SUFFIXES)


def test_a_regular_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    assert formats.load(path) == PNG
    assert formats.load(str(path)) == PNG
    assert formats.read(path).array.tolist() == [[0, 1, 2], [3, 4, 5]]
    link = tmp_path / "b.png"
    link.symlink_to(path)
    assert formats.load(link) == PNG


def test_what_is_not_a_regular_file(tmp_path: Path) -> None:
    pipe, zero, loop, dangling = (tmp_path / name for name in ("pipe.png", "zero.png", "loop.png", "dangling.png"))
    os.mkfifo(pipe)
    zero.symlink_to("/dev/zero")
    loop.symlink_to(loop)
    dangling.symlink_to(tmp_path / "nowhere")
    fails(pipe, "pipe.*not a regular file")
    fails(zero, "device, not a regular file")
    fails(loop, "cannot be read")
    fails(dangling, "symbolic link to a file that does not exist")
    fails(tmp_path, "directory, not a regular file")
    fails(tmp_path / "absent.png", "no such file")
    with pytest.raises(FormatError, match="cannot be read"):
        formats.load("a\0b.png")
    fails(tmp_path / ("x" * 300 + ".png"), "cannot be read")


def test_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s.png")
        fails(Path("s.png"), "socket|cannot be read")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_permission(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    path.chmod(0)
    fails(path, "permission denied")


def test_empty_and_too_long(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.touch()
    fails(path, "is empty")
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse: takes no room
    fails(path, "above the limit")
    path.write_bytes(bytes(101))
    with pytest.raises(FormatError, match="limit of 100"):
        formats.load(path, max_bytes=100)
    assert len(formats.load(path, max_bytes=101)) == 101


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs /proc")
def test_a_file_whose_size_is_not_known_beforehand() -> None:
    assert formats.load("/proc/self/status").startswith(b"Name:")
    with pytest.raises(FormatError, match="grew beyond the limit"):
        formats.load("/proc/self/status", max_bytes=10)


def test_threads_read_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(int(formats.read(path).array.sum()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [15] * 8


def saved(format_: str, mode: str = "L") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (8, 8)).save(file, format_)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("a.png", b"<!DOCTYPE html><title>404</title>", "not a PNG file.*HTML"),
        ("a.png", b"\n <html></html>", "HTML"),
        ("a.png", b"<?xml version='1.0'?><Error/>", "XML"),
        ("a.png", b'{"error": 404}', "JSON"),
        ("a.png", b"Not found\n", "is text"),
        ("a.png", bytes(100), "zeros"),
        ("a.png", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("a.tif", zlib.compress(b"abc"), "unknown data"),
        ("a.npy", b"\x80\x04\x95\0", "pickle"),
        ("a.dcm", bytes(128) + b"DICM", "DICOM"),
        ("a.png", saved("TIFF"), "not a PNG but a TIFF file; if that is right, rename it to .tif"),
        ("a.tif", PNG, "not a TIFF but a PNG file"),
        ("a.npy", PNG, "not a NPY but a PNG file"),
        ("a.jpg", PNG, "not a JPEG but a PNG file"),
        ("a.png", saved("JPEG"), "JPEG is lossy"),
        ("a.png", saved("WEBP", "RGB"), "WebP.*lossy"),
    ],
)
def test_content_decides(name: str, data: bytes, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    fails(path, text)


def test_unknown_names_are_read_by_content() -> None:
    for name in ("a", "a.mask", "a.png.part"):
        assert formats.decode(PNG, name).array.shape == (2, 3)


def test_hostile_names_stay_on_one_line() -> None:
    with pytest.raises(FormatError) as caught:
        formats.decode(b"x", "a\nb\x1b[31m\u202e.png")
    assert str(caught.value).isprintable()


HEADS = (b"II*\0", b"MM\0*", b"\x93NUMPY\1\0", b"PK\3\4", b"BM" + bytes(8), b"GIF89a", b"P5 ", b"\xff\xd8\xff")


@pytest.mark.parametrize("head", [PNG, *HEADS])
def test_random_bytes_behind_every_signature(head: bytes) -> None:
    rng = np.random.default_rng(len(head))
    for size in (0, 1, 7, 60, 500):
        for _ in range(8):
            with pytest.raises(FormatError):
                formats.decode(head[:20] + rng.bytes(size), "a")
