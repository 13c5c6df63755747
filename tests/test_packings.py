"""Packed maps: class and number of an object in one file, read as panoptic segments and as instances."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from maskmeter.cli import main
from maskmeter.labels import Label, LabelSet
from maskmeter.run import evaluate

LABELS = LabelSet((
    Label(0, "road", thing=False), Label(11, "wall", thing=False), Label(24, "person", thing=True),
    Label(26, "car", thing=True), Label(255, "void", ignore=True),
))  # fmt: skip


def packed(rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """A map of classes and one of numbers; stuff and some things have no number."""
    kind = np.kron(rng.choice([0, 11, 24, 26, 26, 255], (4, 5)), np.ones((6, 6), int))
    number = np.kron(rng.integers(0, 3, (4, 5)), np.ones((6, 6), int))
    return kind, np.where(np.isin(kind, (24, 26)), number, 0)


def save(folder: Path, name: str, kind: NDArray[Any], number: NDArray[Any]) -> None:
    for how in ("cityscapes", "kitti", "npy", "tiff", "last"):
        (folder / how).mkdir(parents=True, exist_ok=True)
    single = np.where(number > 0, 1000 * kind + number, kind).astype(np.uint16)
    Image.fromarray(single).save(folder / f"cityscapes/{name}.png")
    Image.fromarray(np.stack([kind, number >> 8, number & 255], -1).astype(np.uint8)).save(folder / f"kitti/{name}.png")
    two = np.stack([kind, number]).astype(np.uint16)
    np.save(folder / f"npy/{name}.npy", two)
    np.save(folder / f"last/{name}.npy", np.moveaxis(two, 0, -1).astype(np.float32))
    tifffile.imwrite(folder / f"tiff/{name}.tif", two, photometric="minisblack")


def test_all_packings_say_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    for i in range(3):
        kind, number = packed(rng)
        save(tmp_path / "gt", str(i), kind, number)
        save(tmp_path / "pred", str(i), np.where(rng.random(kind.shape) < 0.2, 26, kind), number)
    found: dict[str, str] = {}
    for how in ("cityscapes", "kitti", "npy", "tiff", "last"):
        convention = how if how in ("cityscapes", "kitti") else None
        gt, pred = (tmp_path / side / how for side in ("gt", "pred"))
        done = evaluate(gt, pred, task="panoptic", labels=LABELS, convention=convention)
        found[how] = repr(done.rows())
    assert len(set(found.values())) == 1
    o = done.statistic("overlap")
    assert (o.gt_crowd > 0).any() and set(o.gt_class[o.gt_crowd > 0].tolist()) <= {24, 26}


def test_all_of_a_stuff_class_is_one_segment(tmp_path: Path) -> None:
    kind, number = np.array([[11, 11, 26, 26]]), np.array([[1, 2, 1, 2]])
    for side in ("gt", "pred"):
        save(tmp_path / side, "a", kind, number)
    done = evaluate(tmp_path / "gt/npy", tmp_path / "pred/npy", task="panoptic", labels=LABELS)
    assert sorted(done.statistic("overlap").gt_size.tolist()) == [1, 1, 2]
    unsaid = evaluate(tmp_path / "gt/npy", tmp_path / "pred/npy", task="panoptic")
    assert sorted(unsaid.statistic("overlap").gt_size.tolist()) == [1, 1, 1, 1]


def test_cityscapes_brings_its_classes(tmp_path: Path) -> None:
    kind, number = np.array([[7, 7, 26, 26, 0, 29]]), np.array([[0, 0, 1, 0, 0, 1]])
    for side in ("gt", "pred"):
        save(tmp_path / side, "a", kind, number)
    at = (tmp_path / "gt/cityscapes", tmp_path / "pred/cityscapes")
    done = evaluate(*at, task="panoptic", convention="cityscapes", missing="empty")
    o = done.statistic("overlap")
    assert (o.gt_size.sum(), o.gt_crowd.sum()) == (4, 1), "void classes are void, a car without number is a crowd"
    assert done.value("pq", class_="car") == done.value("pq", class_="road") == 1.0


def test_objects_with_classes(tmp_path: Path) -> None:
    """Packed maps read as instances: stuff and what has no number is background, groups are crowds."""
    kind, number = np.array([[11, 11, 26, 26, 26, 24, 255]]), np.array([[0, 0, 1, 1, 0, 1, 0]])
    found, of = np.array([[11, 26, 26, 26, 26, 24, 26]]), np.array([[0, 3, 1, 1, 2, 0, 1]])
    save(tmp_path / "gt", "a", kind, number)
    save(tmp_path / "pred", "a", found, of)
    rows: set[str] = set()
    for how, convention in (("cityscapes", "cityscapes"), ("npy", "channels"), ("kitti", "kitti")):
        at = tmp_path / "gt" / how, tmp_path / "pred" / how
        done = evaluate(*at, task="instance", labels=LABELS, convention=convention)
        rows.add(repr(done.rows()))
    assert len(rows) == 1 and "object_f1(iou=0.5)" in {str(m) for m in done.metrics}
    o = done.statistic("overlap")
    assert o.classes.tolist() == [24, 26] and o.pixels.tolist() == [6] and o.gt_crowd.sum() == 1
    assert done.value("object_recall(iou=0.5)", class_="person") == 0.0
    assert done.value("object_precision(iou=0.5)", class_="car") == 0.5, "one hit, one on the wall, one on the crowd"
    for side in ("gt", "pred"):
        Image.fromarray(np.array([[7, 26000, 26000]], np.uint16)).save(tmp_path / side / "cityscapes/a.png")
    done = evaluate(tmp_path / "gt/cityscapes", tmp_path / "pred/cityscapes", task="instance", convention="cityscapes")
    assert done.statistic("overlap").gt_size.tolist() == [2] and done.value("object_f1(iou=0.5)", class_="car") == 1.0


@pytest.mark.parametrize(
    ("array", "how", "expected"),
    [
        (np.zeros((4, 4), np.uint8), [], "--convention cityscapes"),
        (np.zeros((4, 4), np.uint8), ["--convention", "kitti"], "no colours"),
        (np.zeros((2, 4, 2), np.uint8), [], "two axes of length 2"),
        (np.full((4, 4, 2), -1), [], "class -1 is negative"),
        (np.full((4, 4), -7), ["--convention", "cityscapes"], "id -7 is negative"),
        (np.full((4, 4, 2), 0.5), [], "not integers"),
        (np.full((4, 4, 2), 9), ["--classes", "0-3"], "of a class that is not declared"),
    ],
)
def test_maps_that_are_not_packed(tmp_path: Path, array: NDArray[Any], how: list[str], expected: str) -> None:
    for side in ("gt", "pred"):
        (tmp_path / side).mkdir()
        np.save(tmp_path / side / "a.npy", array)
    err = io.StringIO()
    words = ("evaluate", tmp_path / "gt", tmp_path / "pred", "--task", "panoptic", *how)
    with redirect_stdout(io.StringIO()), redirect_stderr(err):
        code = main([str(w) for w in words])
    said = err.getvalue()
    assert code == 3 and expected in said and "gt/a.npy" in said and said.count("\n") == 1, said
