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
from scipy import ndimage

import maskmeter as mm
from maskmeter.cli import main
from maskmeter.errors import LabelError
from maskmeter.labels import Label, LabelSet
from maskmeter.run import evaluate

LABELS = LabelSet((
    Label(0, "road", thing=False), Label(11, "wall", thing=False), Label(24, "person", thing=True),
    Label(26, "car", thing=True), Label(255, "void", ignore=True),
))  # fmt: skip


FORMS = ("cityscapes", "kitti", "npy", "tiff", "last", "la", "rgb")
NAMED = {"cityscapes": "cityscapes", "kitti": "kitti", "la": "channels", "rgb": "channels"}


def packed(rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """A map of classes and one of numbers; stuff and some things have no number."""
    kind = np.kron(rng.choice([0, 11, 24, 26, 26, 255], (4, 5)), np.ones((6, 6), int))
    number = np.kron(rng.integers(0, 3, (4, 5)), np.ones((6, 6), int))
    return kind, np.where(np.isin(kind, (24, 26)), number, 0)


def save(folder: Path, name: str, kind: NDArray[Any], number: NDArray[Any]) -> None:
    for how in (*FORMS, "semantickitti"):
        (folder / how).mkdir(parents=True, exist_ok=True)
    single = np.where(number > 0, 1000 * kind + number, kind).astype(np.uint16)
    Image.fromarray(single).save(folder / f"cityscapes/{name}.png")
    Image.fromarray(np.stack([kind, number >> 8, number & 255], -1).astype(np.uint8)).save(folder / f"kitti/{name}.png")
    Image.fromarray(np.stack([kind, number], -1).astype(np.uint8), "LA").save(folder / f"la/{name}.png")
    blue = np.zeros_like(kind)
    Image.fromarray(np.stack([kind, number, blue], -1).astype(np.uint8)).save(folder / f"rgb/{name}.png")
    (number.astype(np.uint32) << 16 | kind.astype(np.uint32)).astype("<u4").tofile(
        folder / f"semantickitti/{name}.label"
    )
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
    for how in (*FORMS, "semantickitti"):
        gt, pred = (tmp_path / side / how for side in ("gt", "pred"))
        done = evaluate(gt, pred, task="panoptic", labels=LABELS, convention=NAMED.get(how))
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
    code, said = run(tmp_path / "gt", tmp_path / "pred", "--task", "panoptic", *how)
    assert code == 3 and expected in said and "gt/a.npy" in said and said.count("\n") == 1, said


def run(*words: Any) -> tuple[int, str]:
    """The exit code of an evaluation, and what it says on stderr."""
    err = io.StringIO()
    with redirect_stdout(io.StringIO()), redirect_stderr(err):
        code = main(["evaluate", *map(str, words)])
    return code, err.getvalue()


def test_two_channels_of_png_are_read_where_somebody_says_so(tmp_path: Path) -> None:
    """Grey with alpha may as well be a mask that somebody drew, and a blue that is not 0 is a third channel."""
    kind, number = np.array([[26, 26, 11, 11]]), np.array([[1, 2, 0, 0]])
    for side in ("gt", "pred"):
        save(tmp_path / side, "a", kind, number)
    at = tmp_path / "gt/la", tmp_path / "pred/la"
    code, said = run(*at, "--task", "panoptic")
    assert code == 3 and "--convention channels" in said and said.count("\n") == 1
    code, said = run(*at)
    assert code == 3 and "alpha" in said
    Image.fromarray(np.full((1, 4, 3), 9, np.uint8)).save(tmp_path / "gt/la/a.png")
    code, said = run(*at, "--task", "panoptic", "--convention", "channels")
    assert code == 3 and "blue is not 0" in said and "gt/la/a.png" in said
    Image.fromarray(np.full((1, 4), 9, np.uint8)).save(tmp_path / "gt/la/a.png")
    code, said = run(*at, "--task", "panoptic", "--convention", "channels")
    assert code == 3 and "two channels" in said


def test_points_of_semantickitti(tmp_path: Path) -> None:
    """Classes by themselves, objects where these are asked for; files that cannot be labels are refused."""
    kind, number = np.array([10, 10, 10, 40, 40, 10]), np.array([1, 1, 700, 0, 0, 0])
    for side, of in (("gt", kind), ("pred", np.where(kind == 40, 10, kind))):
        (tmp_path / side).mkdir()
        (number << 16 | of).astype("<u4").tofile(tmp_path / side / "000001.label")
    at = tmp_path / "gt", tmp_path / "pred"
    done = evaluate(*at, task="semantic")
    assert done.value("iou", class_="10") == 4 / 6 and "left aside" in done.notices[0]
    code, said = run(*at, "--task", "instance")
    assert code == 3 and "--convention semantickitti" in said and said.count("\n") == 1
    done = evaluate(*at, task="panoptic", convention="semantickitti")
    assert sorted(done.statistic("overlap").gt_size.tolist()) == [1, 1, 2, 2]
    done = evaluate(*at, task="instance", convention="semantickitti")
    assert done.value("object_f1(iou=0.5)", class_="10") == 1.0
    done.report(tmp_path / "report.html")
    for content, why in ((b"12345", "text"), (b"\0" * 5, "5 bytes"), (b"#!ascii label, from subject", "text")):
        (tmp_path / "pred/000001.label").write_bytes(content)
        code, said = run(*at, "--task", "panoptic")
        assert code == 3 and why in said and "pred/000001.label" in said
    for side in ("gt", "pred"):
        np.save(tmp_path / side / "000001.npy", number)
        (tmp_path / side / "000001.label").unlink()
    code, said = run(*at, "--task", "panoptic", "--convention", "semantickitti")
    assert code == 3 and "no .label file" in said


def test_stacks_of_masks(tmp_path: Path) -> None:
    """Files with a mask for each object; these may overlap, and none may be empty."""
    rng = np.random.default_rng(5)
    sides = [np.array([m for m in rng.random((n, 6, 7)) < 0.4 if m.any()]) for n in (3, 4)]
    at = tmp_path / "gt", tmp_path / "pred"
    for folder, stack in zip(at, sides, strict=True):
        folder.mkdir()
        np.save(folder / "a.npy", stack)
        tifffile.imwrite(folder / "b.tif", (stack * 255).astype(np.uint8), photometric="minisblack")
    done = evaluate(*at, task="instance", convention="stack")
    expected = mm.object_f1(*sides, iou=0.5, stack=True)
    assert [r.value for r in done.rows() if str(r.metric) == "object_f1(iou=0.5)" and r.over == "pooled"] == [expected]
    assert done.statistic("overlap").images == 2 and not done.statistic("overlap").disjoint
    done.report(tmp_path / "report.html")
    np.save(at[1] / "a.npy", np.concatenate([sides[1], np.zeros((1, 6, 7), bool)]))
    code, said = run(*at, "--task", "instance", "--convention", "stack")
    assert code == 3 and f"pred/a.npy: mask {len(sides[1]) + 1} of the prediction has no pixel" in said
    np.save(at[1] / "a.npy", np.arange(84).reshape(2, 6, 7))
    code, said = run(*at, "--task", "instance", "--convention", "stack")
    assert code == 3 and "no stack of masks" in said
    np.save(at[1] / "a.npy", np.ones((2, 6, 8), bool))
    code, said = run(*at, "--task", "instance", "--convention", "stack")
    assert code == 3 and "shape (6, 7)" in said
    (at[1] / "a.npy").unlink()
    done = evaluate(*at, task="instance", convention="stack", missing="empty")
    assert done.statistic("overlap").gt_id.size == 2 * len(sides[0])
    assert (
        run(*at, "--convention", "stack")[0]
        == 2
        == run(*at, "--task", "instance", "--convention", "stack", "--ignore", 3)[0]
    )


def test_two_channels_that_are_read_as_slices_or_with_a_class_0_are_remarked_on(tmp_path: Path) -> None:
    number = np.kron(np.arange(16).reshape(4, 4), np.ones((3, 3), int))
    maps = np.stack([np.where(number > 0, 1 + number % 2, 0), number], -1)
    for side in ("gt", "pred"):
        (tmp_path / side).mkdir()
        np.save(tmp_path / side / "a.npy", maps)
        np.save(tmp_path / f"{side}-volume.npy", np.stack([number, np.roll(number, 1, 0)]))
    folders = tmp_path / "gt", tmp_path / "pred"
    assert "--convention channels" in str(evaluate(*folders, ["pq"], task="instance").notices)
    volumes = tmp_path / "gt-volume.npy", tmp_path / "pred-volume.npy"
    assert "channels" not in str(evaluate(*volumes, ["pq"], task="instance").notices)
    packed = {"metrics": ["pq"], "task": "panoptic", "convention": "channels"}
    assert "add --ignore 0" in str(evaluate(*folders, **packed).notices)
    assert "--ignore 0" not in str(evaluate(*folders, **packed, ignore=0).notices)
    with pytest.raises(LabelError, match="or pass --ignore 0"):
        evaluate(*folders, **packed, classes=[1, 2])


@pytest.mark.parametrize(
    ("packing", "shape"), [("components4", (14, 15)), ("components8", (14, 15)), ("components18", (6, 7, 8))]
)
def test_components_are_objects_from_files_and_from_arrays(
    tmp_path: Path, packing: str, shape: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(5)
    gt = rng.choice([0, 0, 1, 2], shape).astype(np.uint8)
    pred = np.where(rng.random(shape) < 0.2, 0, gt).astype(np.uint8)
    for side, array in (("gt", gt), ("pred", pred)):
        (tmp_path / side).mkdir()
        np.save(tmp_path / side / "a.npy", array)
    done = evaluate(tmp_path / "gt", tmp_path / "pred", ["object_f1(iou=0.5)"], task="instance", convention=packing)
    meter = mm.Evaluation(["object_f1(iou=0.5)"], task="instance")
    meter.update(gt, pred, image="a", connectivity=int(packing.removeprefix("components")))
    assert [(r.class_, r.over, r.value, r.n) for r in done.rows()] == [
        (r.class_, r.over, r.value, r.n) for r in meter.rows()
    ]
    structure = ndimage.generate_binary_structure(len(shape), {"components4": 1}.get(packing, 2))
    o = done.statistic("overlap")
    for c in (1, 2):
        assert np.count_nonzero(o.gt_class == c) == ndimage.label(gt == c, structure)[1]
    assert f"objects:{packing}" in done.rows()[0].signature
    assert all(x.box is not None for x in done.objects())  # their files are read again


def test_components_of_labelled_maps(tmp_path: Path) -> None:
    """Sources of one label hang together, stuff is background, void left out, and 0 a thing where it is called so."""
    kind = np.array([[7, 8, 0, 0, 9], [3, 3, 3, 0, 9]], np.uint8)
    for side in ("gt", "pred"):
        (tmp_path / side).mkdir()
        Image.fromarray(kind).save(tmp_path / side / "a.png")
    labels = LabelSet((
        Label(0, "hole", thing=True), Label(1, "car", source=(7, 8), thing=True),
        Label(2, "road", source=(3,), thing=False), Label(9, "void", ignore=True),
    ))  # fmt: skip
    how = {"task": "instance", "convention": "components4"}
    o = evaluate(tmp_path / "gt", tmp_path / "pred", labels=labels, **how).statistic("overlap")  # type: ignore[arg-type]
    assert sorted(zip(o.gt_class.tolist(), o.gt_size.tolist(), strict=True)) == [(0, 3), (1, 2)]
    assert o.pixels.tolist() == [8]
    plain = evaluate(tmp_path / "gt", tmp_path / "pred", **how).statistic("overlap")  # type: ignore[arg-type]
    assert sorted(plain.gt_class.tolist()) == [3, 7, 8, 9]
    with pytest.raises(LabelError, match="has 2 axes, and components26 is for 3; there are components4, components8"):
        evaluate(tmp_path / "gt", tmp_path / "pred", task="instance", convention="components26")


def test_classes_that_never_meet_are_remarked_on(tmp_path: Path) -> None:
    for side, value in (("gt", 255), ("pred", 1)):
        (tmp_path / side).mkdir()
        Image.fromarray(np.array([[0, value, value]], np.uint8)).save(tmp_path / side / "a.png")
    done = evaluate(tmp_path / "gt", tmp_path / "pred", task="instance", convention="components4")
    assert "share no class (255 in the ground truth, 1 in the prediction)" in done.notices[0]


def test_explain_shows_the_matches_and_how_the_number_follows(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    kind, number = packed(rng)
    save(tmp_path / "gt", "a", kind, number)
    save(tmp_path / "pred", "a", np.where(rng.random(kind.shape) < 0.2, 26, kind), number)
    run = tmp_path / "run"
    evaluate(tmp_path / "gt/npy", tmp_path / "pred/npy", task="panoptic", labels=LABELS, out=run)
    text = io.StringIO()
    with redirect_stdout(text):
        assert main(["explain", str(run), "pq"]) == 0
        assert main(["explain", str(run), "object_recall(iou=0.5:0.6)"]) == 0
    tables = [part.splitlines() for part in text.getvalue().split("\n\n") if part.startswith("matches")]
    text = io.StringIO()
    with redirect_stdout(text):
        for metric in ("pq", "splits", "merges", "voi_split"):
            assert main(["explain", str(run), metric, "--image", "a"]) == 0
    said = text.getvalue()
    assert "\n".join(tables[0]) in said, "of the only image the same counts as of all"
    assert all(x in said for x in ("pieces of them", "objects in them", "voi_split = sum of n log2(a / n) / N"))
    for line in (x.split() for x in tables[0][2:-1]):
        tp, fp, fn, total, value = map(float, line[2:])
        assert abs(total / (tp + fp / 2 + fn / 2) - value) < 1e-4
    assert tables[0][-1].startswith("pq = sum of IoU / (TP + FP / 2 + FN / 2), of each class")
    assert {line.split()[1] for line in tables[1][2:-1]} == {"0.5", "0.55", "0.6"}
    for line in (x.split() for x in tables[1][2:-1] if not x.endswith("-")):
        tp, _, fn, _, value = map(float, line[2:])
        assert abs(tp / (tp + fn) - value) < 1e-4
