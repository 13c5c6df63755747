"""The pictures: the pixels that are drawn are the pixels that were counted."""

from __future__ import annotations

import io
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from maskmeter.errors import FormatError
from maskmeter.facts import Facts
from maskmeter.formats import digest_of_file
from maskmeter.records import Record
from maskmeter.report import pictures
from maskmeter.report.photographs import NoPhotograph, photograph
from maskmeter.report.pictures import FN, FP, NONE, TP, VOIDS, Pair, Unavailable

CLASSES = np.array([0, 1, 5])


def pixels(uri: str) -> np.ndarray[Any, Any]:
    return np.array(Image.open(io.BytesIO(b64decode(uri.partition(",")[2]))).convert("RGBA"))


def test_errors_of_a_binary_pair() -> None:
    pair = Pair(np.array([[1, 0, 1, 0, NONE]]), np.array([[1, 1, 0, 0, 1]]), (1, 5), None)
    drawn = pixels(pictures.errors(pair, 1))[0]
    assert [tuple(p[:3]) for p in drawn[:3].tolist()] == [TP, FP, FN]
    assert drawn[:, 3].tolist() == [255, 255, 255, 0, 255]
    assert tuple(drawn[4, :3].tolist()) in VOIDS


def test_errors_of_many_classes() -> None:
    pair = Pair(np.array([[0, 1, 2, NONE]]), np.array([[0, 2, NONE, 0]]), (1, 4), None)
    drawn = pixels(pictures.errors(pair, None))[0]
    assert drawn[0, 3] == 0
    assert tuple(drawn[1, :3].tolist()) == FP
    assert tuple(drawn[2, :3].tolist()) == FN


def test_classes_are_drawn_in_their_colours() -> None:
    colors = [(1, 2, 3), (4, 5, 6), (7, 8, 9)]
    drawn = pixels(pictures.by_class(np.array([[0, 1, 2, NONE]]), colors, hatched=False))[0]
    assert [tuple(p[:3]) for p in drawn.tolist()] == [*colors, (0, 0, 0)]


def test_more_colours_than_a_palette_holds() -> None:
    colors = [(i // 256, i % 256, 7) for i in range(700)]
    drawn = pixels(pictures.by_class(np.arange(700)[None], colors, hatched=False))[0]
    assert [tuple(p[:3]) for p in drawn.tolist()] == colors


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
def test_places_of_labels(dtype: type[np.generic]) -> None:
    labels = np.array([[5, 1], [0, 9]]).astype(dtype)
    assert pictures.places(labels, Facts("semantic", ignore=(9,)), CLASSES).tolist() == [[2, 1], [0, NONE]]


def test_small_pictures_hold_true_pixels() -> None:
    labels = np.arange(1000 * 2000).reshape(1000, 2000)
    small = pictures.thumbnail(labels)
    assert small.shape == (240, 480)
    assert np.isin(small, labels).all()
    assert pictures.thumbnail(labels[:10, :10]).shape == (10, 10)
    assert pictures.thumbnail(labels[:1]).shape == (1, 480)


def test_the_slice_with_the_most_errors(tmp_path: Path) -> None:
    gt = np.zeros((6, 8, 8), np.uint8)
    pred = gt.copy()
    pred[4, :3] = 1
    np.save(tmp_path / "gt.npy", gt)
    np.save(tmp_path / "pred.npy", pred)
    record = Record("a", {}, gt.shape, str(tmp_path / "gt.npy"), str(tmp_path / "pred.npy"))
    pair = pictures.open_pair(record, Facts("semantic"), np.array([0, 1]))
    assert pair.slice == (4, 6)
    assert (pair.pred == pred[4]).all()


@pytest.mark.parametrize("scores", ["", "f2", "u1"])
@pytest.mark.parametrize("missing", [False, True])
def test_a_large_image_has_the_picture_that_it_would_have_whole(
    scores: str, missing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, shape = np.random.default_rng(0), (700, 1000)
    gt = rng.integers(0, 2 if scores else 4, shape, np.uint8)
    pred = (
        rng.random(shape).astype(scores) if scores == "f2" else rng.integers(0, 255 if scores else 4, shape, np.uint8)
    )
    tifffile.imwrite(tmp_path / "gt.tif", gt, tile=(64, 64), compression="zlib")
    np.save(tmp_path / "pred.npy", pred)
    np.save(tmp_path / "mask.npy", rng.random(shape) < 0.8)
    files = [str(tmp_path / name) for name in ("gt.tif", "pred.npy", "mask.npy")]
    digests = digest_of_file(tmp_path / "gt.tif"), None if missing else digest_of_file(tmp_path / "pred.npy")
    record = Record("a", {}, shape, files[0], None if missing else files[1], files[2], digests)
    facts = Facts("binary", scores=scores) if scores else Facts("semantic", ignore=(3,))
    whole = pictures.open_pair(record, facts, CLASSES)
    monkeypatch.setattr(pictures, "LARGE", 1)
    monkeypatch.setattr(pictures, "PIECE", 100_000)
    with monkeypatch.context() as patch:
        patch.setattr(pictures, "reopen", None)  # nothing is opened whole
        thin = pictures.open_pair(record, facts, CLASSES)
    assert (thin.shape, thin.slice) == (whole.shape, whole.slice)
    for side in ("gt", "pred", *(["scores"] if scores else [])):
        assert np.array_equal(getattr(thin, side), getattr(whole, side))
    tifffile.imwrite(tmp_path / "gt.tif", gt + 1, tile=(64, 64), compression="zlib")
    with pytest.raises(Unavailable, match="ground truth has changed"):
        pictures.open_pair(record, facts, CLASSES)


def test_arrays_have_no_pictures() -> None:
    with pytest.raises(Unavailable, match="arrays"):
        pictures.open_pair(Record("a", {}), Facts("semantic"), CLASSES)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    home = tmp_path / "photos"
    (home / "a").mkdir(parents=True)
    picture = Image.new("RGB", (64, 48), (9, 99, 199))
    for name in ("a/1.jpg", "2.png", "2.bmp"):
        picture.save(home / name)
    (home / "a/1.txt").write_text("no picture")
    (home / "a/3.png").write_bytes(b"broken")
    picture.save(tmp_path / "outside.png")
    return home


def test_photograph_by_name(photos: Path) -> None:
    assert photograph(str(photos), "a/1", (24, 32)).shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("name", "shape", "why"),
    [
        ("a/9", (48, 64), "no photograph"),
        ("2", (48, 64), "2 photographs"),
        ("a/3", (48, 64), "cannot be shown"),
        ("a/1", (64, 48), "other proportions"),
        ("../outside", (48, 64), "no photograph"),
        ("/etc/passwd", (48, 64), "no photograph"),
        ("\x00/x", (48, 64), "no photograph"),
    ],
)
def test_photographs_that_cannot_be_shown(photos: Path, name: str, shape: tuple[int, int], why: str) -> None:
    with pytest.raises(NoPhotograph, match=why):
        photograph(str(photos), name, shape)


def test_no_folder_no_remark() -> None:
    with pytest.raises(NoPhotograph, match=r"^$"):
        photograph(None, "a", (1, 1))


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    record = Record("a", {}, (1, 1), str(tmp_path / "gone.png"), None)
    with pytest.raises(Unavailable, match="no such file"):
        pictures.open_pair(record, Facts("semantic"), CLASSES)
    assert issubclass(FormatError, ValueError)
