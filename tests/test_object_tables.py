"""Tables of objects, and the pixels behind them as the files still hold them."""

from __future__ import annotations

import csv
import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from PIL import Image

import maskmeter as mm
from maskmeter.advisor import advise
from maskmeter.cli import main
from maskmeter.evaluation import Evaluation
from maskmeter.objects import ObjectRow
from maskmeter.reopening import NONE, Unavailable, boxes, reopen
from maskmeter.run import evaluate
from test_packings import LABELS, NAMED, packed, save
from test_panoptic import CATEGORIES, info, write
from test_scored_masks import CAR, HOW, at, blank
from test_scored_masks import write as write_masks


@settings(max_examples=40)
@given(arrays(np.int64, array_shapes(min_dims=1, max_dims=3, max_side=5), elements=st.integers(-1, 3)))
def test_boxes(ids: NDArray[Any]) -> None:
    found = boxes(ids)
    assert set(found) == set(ids.ravel().tolist()) - {NONE}
    for id, box in found.items():
        where = np.nonzero(ids == id)
        assert box == tuple((int(x.min()), int(x.max()) + 1) for x in where)


def check(done: Evaluation) -> None:
    """Every object has as many pixels in its files as were counted, and its box is around them."""
    rows = list(done.objects())
    for name in done.images:
        found = reopen(done.records[name], done.facts)
        o = mm.Overlap.from_bytes(done.records[name].statistics["overlap"])
        for side, ids, sizes in (("gt", o.gt_id, o.gt_size), ("pred", o.pred_id, o.pred_size)):
            of = found.gt if side == "gt" else found.pred
            assert [int(of.mask(i).sum()) for i in ids.tolist()] == sizes.tolist()
            assert set(of.boxes()) == set(ids[sizes > 0].tolist())
        assert int((~found.left_out).sum()) == o.pixels.sum()
    assert len(rows) == sum(getattr(done.statistic("overlap"), f"{side}_id").size for side in ("gt", "pred"))
    assert all(r.box is not None for r in rows if r.size)


@pytest.mark.parametrize("task", ["panoptic", "instance"])
@pytest.mark.parametrize("how", ["cityscapes", "kitti", "npy", "la"])
def test_packed_maps_are_read_again(task: str, how: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    kind, number = packed(rng)
    save(tmp_path / "gt", "a", kind, number)
    save(tmp_path / "pred", "a", np.where(rng.random(kind.shape) < 0.2, 26, kind), number)
    convention = NAMED.get(how, "channels")
    done = evaluate(
        tmp_path / "gt" / how, tmp_path / "pred" / how, task=task, labels=LABELS, convention=convention, ignore=11
    )
    check(done)
    ids = {r.id for r in done.objects() if r.class_ == "car"}
    assert ids <= ({26, 26000, 26001, 26002} if how == "cityscapes" else {0, 1, 2}), "as the files number them"


def test_masks_that_overlap_are_read_again(tmp_path: Path) -> None:
    a, b = np.zeros((2, 8, 9), bool), np.zeros((2, 8, 9), bool)
    a[0, :4], a[1, 2:6, 2:5], b[0, :4, :7], b[1] = True, True, True, True
    for side, stack in (("gt", a), ("pred", b)):
        (tmp_path / side).mkdir()
        np.save(tmp_path / side / "x.npy", stack)
    done = evaluate(tmp_path / "gt", tmp_path / "pred", task="instance", convention="stack")
    check(done)
    assert [r.box for r in done.objects() if r.side == "gt"] == [((0, 4), (0, 9)), ((2, 6), (2, 5))]


def test_scored_masks_are_read_again(tmp_path: Path) -> None:
    gt = blank()
    gt[at(0, 0)], gt[at(0, 20)], gt[at(20, 20)] = 26000, CAR, 0
    write_masks(tmp_path, "a_0_0", gt, [(at(0, 0), CAR, 0.5), (at(0, 2), CAR, 0.25), (at(18, 20), CAR, 1.0)])
    done = evaluate(tmp_path / "gt", tmp_path / "pred", **HOW)
    check(done)
    found = {(r.side, r.id): r for r in done.objects()}
    assert (found["pred", 1].fate, found["pred", 1].score, found["gt", CAR].fate) == ("matched", 0.5, "crowd")
    assert found["pred", 3].size == 24 and found["pred", 3].fate == "excused"
    done.report(str(tmp_path / "report.html"))


def test_json_is_read_again(tmp_path: Path) -> None:
    ids = np.array([[1, 1, 1, 0], [2, 2, 3, 0]])
    of = {1: 1, 2: 2, 3: 2}
    gt = write(
        tmp_path, "gt", [{"image_id": 1, "ids": ids, "segments_info": info(ids, of, (3,))}], categories=CATEGORIES
    )
    pred = write(tmp_path, "pred", [{"image_id": 1, "ids": ids, "segments_info": info(ids, of)}])
    done = evaluate(gt, pred)
    check(done)
    assert {(r.side, r.id, r.class_, r.fate) for r in done.objects()} >= {("gt", 3, "car", "crowd")}


def test_the_table(tmp_path: Path) -> None:
    """Plain maps with void, a region and a spacing; the file is what Python says."""
    gt, pred = np.zeros((2, 6, 9), np.uint16)
    gt[1:4, 1:4], gt[1:3, 6:8], gt[5, :], pred[1:4, 1:4], pred[4, 5:8] = 7, 9, 200, 3, 4
    for side, array in (("gt", gt), ("pred", pred), ("mask", np.arange(9) > np.zeros((6, 1)))):
        (tmp_path / side).mkdir()
        Image.fromarray(array.astype(np.uint16)).save(tmp_path / side / "=a.png")
    folders = tmp_path / "gt", tmp_path / "pred"
    facts: dict[str, Any] = {"task": "instance", "ignore": 200, "mask": tmp_path / "mask"}
    done = evaluate(*folders, ["object_f1(iou=0.5)"], **facts, spacing=(0.5, 2), out=tmp_path / "run")
    expected = [
        ObjectRow("=a", "gt", 7, None, 9, 9.0, ((1, 4), (1, 4)), None, 1.0, 3, True, "matched", None, 1),
        ObjectRow("=a", "gt", 9, None, 4, 4.0, ((1, 3), (6, 8)), None, 0.0, None, False, "missed", None, 0),
        ObjectRow("=a", "pred", 3, None, 9, 9.0, ((1, 4), (1, 4)), None, 1.0, 7, True, "matched", None, 1),
        ObjectRow("=a", "pred", 4, None, 3, 3.0, ((4, 5), (5, 8)), None, 0.0, None, False, "hallucinated", None, 0),
    ]
    assert list(done.objects()) == expected
    err = io.StringIO()
    with redirect_stderr(err), redirect_stdout(io.StringIO()):
        assert main(["report", str(tmp_path / "run"), "--objects", str(tmp_path / "o.csv")]) == 0
        assert main(["report", str(tmp_path / "run"), "--iou", "0.7"]) == 2
        assert main(["report", str(tmp_path / "run"), "--objects", str(tmp_path / "p.csv"), "--iou", "7"]) == 2
    assert "4 objects" in err.getvalue() and not list(tmp_path.glob("*p.csv*"))
    lines = list(csv.DictReader((tmp_path / "o.csv").read_text().splitlines()))
    assert [(x["image"], x["side"], x["id"], x["fate"], x["box"]) for x in lines[:2]] == [
        ("'=a", "gt", "7", "matched", "1:4 1:4"), ("'=a", "gt", "9", "missed", "1:3 6:8"),
    ]  # fmt: skip
    assert lines[1]["class"] == lines[1]["score"] == lines[1]["partner"] == "" and lines[0]["size_mm"] == "9.0"
    Image.fromarray(pred * 2).save(tmp_path / "pred/=a.png")
    with pytest.raises(Unavailable, match="has changed"):
        reopen(done.records["=a"], done.facts)
    assert [r._replace(size_mm=1.0) for r in done.objects()] == [r._replace(box=None, size_mm=1.0) for r in expected]


def test_objects_that_were_taken_for_another_class() -> None:
    meter = mm.Evaluation(["pq"], task="instance")
    ids, gt, pred = np.array([[1, 1, 1, 2, 2, 3]]), {1: 7, 2: 7, 3: 8}, {1: 8, 2: 7, 3: 8}
    meter.update((ids, gt), (np.array([[1, 1, 2, 2, 2, 3]]), pred))
    found = {(r.side, r.id): (r.fate, r.taken) for r in meter.objects()}
    assert found["gt", 1] == ("missed", "8") and found["pred", 1] == ("hallucinated", "7")
    assert {v[1] for k, v in found.items() if k[1] > 1} == {None}


def test_arrays_have_no_boxes() -> None:
    meter = mm.Evaluation(["pq"], task="instance")
    maps = np.array([[1, 1, 2, 2]]), np.array([[3, 3, 4, 0]])
    meter.update(maps, maps)
    rows = list(meter.objects())
    assert [(r.id, r.class_, r.box, r.fate) for r in rows[:2]] == [(3, "1", None, "matched"), (4, "2", None, "matched")]
    with pytest.raises(mm.UsageError, match="no objects"):
        mm.Evaluation(["iou"], task="semantic").objects()


def test_recall_by_size(tmp_path: Path) -> None:
    """Ranges of sizes, as many as are asked for: the user's edges, and quartiles of what is there."""
    gt = np.repeat(np.arange(1, 5), [1, 2, 4, 9])[None].astype(np.uint8)
    pairs = [("a", gt, np.where(gt < 3, 0, gt))]
    done = evaluate(
        pairs=pairs, task="instance", metrics=[f"object_recall(iou=0.5,size={s})" for s in ("quartiles", "2:4:")]
    )
    found = {r.metric: (r.value, r.n) for r in done.rows() if r.over == "pooled"}
    assert found == {
        "object_recall(iou=0.5,size=:2)": (0.0, 1), "object_recall(iou=0.5,size=2:3)": (0.0, 1),
        "object_recall(iou=0.5,size=3:6)": (1.0, 1), "object_recall(iou=0.5,size=6:)": (1.0, 1),
        "object_recall(iou=0.5,size=2:4)": (0.0, 1), "object_recall(iou=0.5,size=4:)": (1.0, 2),
    }  # fmt: skip
    np.save(tmp_path / "gt.npy", gt)
    for size, why in (("quarters", "or quartiles, not 'quarters'"), ("3:1", "not '3:1'"), ("1:5:2", "not '5:2'")):
        err = io.StringIO()
        with redirect_stderr(err):
            name = f"object_recall(iou=0.5,size={size})"
            assert main(["evaluate", str(tmp_path / "gt.npy"), str(tmp_path / "gt.npy"), "-m", name]) == 2
        assert why in err.getvalue() and "note" not in err.getvalue()
    out = io.StringIO()
    with redirect_stdout(out):
        files = [str(tmp_path / "gt.npy")] * 2
        assert main(["evaluate", *files, "--task", "instance", "-m", "object_recall(iou=0.5,size=quartiles)"]) == 0
    assert "object_recall(iou=0.5,size=:2) " in out.getvalue()
    with pytest.raises(mm.UsageError, match="evaluate takes apart"):
        mm.object_recall(gt, gt, iou=0.5, size="quartiles")


def said(*words: object) -> tuple[int, str]:
    """The exit code of an evaluation, and what it said beside its numbers."""
    err = io.StringIO()
    with redirect_stderr(err), redirect_stdout(io.StringIO()):
        code = main(["evaluate", *map(str, words)])
    return code, err.getvalue()


def put(folder: Path, gt: dict[str, NDArray[Any]], pred: dict[str, NDArray[Any]]) -> tuple[Path, Path]:
    for side, maps in (("gt", gt), ("pred", pred)):
        (folder / side).mkdir(parents=True)
        for name, array in maps.items():
            np.save(folder / side / f"{name}.npy", array)
    return folder / "gt", folder / "pred"


def test_classes_that_are_given_as_objects(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    classes = {k: np.kron(rng.integers(0, 4, (9, 9)), np.ones((3, 3), int)).astype(np.uint8) for k in "abc"}
    folders = put(tmp_path / "classes", classes, classes)
    for metric in ("pq", "pq(criterion=centre)"):
        code, text = said(*folders, "--task", "instance", "-m", metric)
        assert code == 0 and "looks like classes" in text and "--task semantic" in text and "same 3 ids" in text
    fed = Evaluation(["pq"], task="instance")
    volume = np.stack([classes["a"]] * 2)
    for k in range(2):
        fed.update((volume == 1).astype(int), volume, image=f"{k}")
    gathered = Evaluation(["pq"], task="instance")
    for k in (1, 0):  # from two workers, in any order
        part = Evaluation(["pq"], task="instance")
        part.update((volume == 1).astype(int), volume, image=f"{k}")
        gathered.merge(part.to_bytes())
    for found in (fed, gathered):
        assert any("the same id in all images" in a.text and "connectivity=26" in a.text for a in advise(found))
    whole = {k: np.kron([[1, 2], [3, 0]], np.ones((5, 5), int)) for k in "abc"}
    assert said(*put(tmp_path / "whole", whole, whole), "--task", "instance", "-m", "pq") == (0, "")
    meter = Evaluation(["pq"], task="instance")
    meter.update(classes["a"], classes["a"], connectivity=8)
    assert meter.value("pq", class_=1) == 1.0 and meter.statistic("overlap").gt_id.size > 10


SOUND = np.kron([[1, 2], [3, 0]], np.ones((4, 4), int))
TWO = np.stack([np.where(SOUND > 0, 5, 0), SOUND])


@pytest.mark.parametrize(
    ("gt", "pred", "how", "expected"),
    [
        ({"a": SOUND}, {"a": SOUND - 1}, ["instance"], "pred/a.npy: label -1 in the prediction is negative; name"),
        ({"a": SOUND + 0.5}, {"a": SOUND}, ["instance"], "gt/a.npy: dtype float64 holds 64 values that are not"),
        ({"a": SOUND}, {"a": SOUND[:7]}, ["instance"], "pred/a.npy: shape (8, 8) in the ground truth, (7, 8) in the"),
        ({"a": SOUND, "b": SOUND}, {"a": SOUND}, ["instance"], "1 ground truth has no prediction: b (--missing empty"),
        ({"a": SOUND}, {"a": SOUND, "z": SOUND}, ["instance"], "1 prediction has no ground truth: z (--extra skip"),
        ({"a": TWO}, {"a": TWO[:1]}, ["panoptic"], "pred/a.npy: holds one channel; say how class and number"),
        ({"a": TWO}, {"a": TWO[:, :7]}, ["panoptic"], "pred/a.npy: shape (8, 8) in the ground truth, (7, 8) in the"),
        ({"a": TWO}, {"a": -TWO}, ["panoptic"], "pred/a.npy: class -5 is negative"),
        ({"a": TWO}, {"a": TWO}, ["panoptic", "--classes", "0-3"], "not declared (declare it, or pass --ignore"),
    ],
)  # fmt: skip
def test_maps_that_are_refused(
    gt: dict[str, NDArray[Any]], pred: dict[str, NDArray[Any]], how: list[str], expected: str, tmp_path: Path
) -> None:
    code, text = said(*put(tmp_path, gt, pred), "--task", *how, "-o", tmp_path / "run", "--no-report")
    assert code == 3 and expected in text and text.count("\n") == 1
    assert not (tmp_path / "run/results.json").exists()


def test_missing_predictions_are_misses(tmp_path: Path) -> None:
    folders = put(tmp_path, {"a": SOUND, "b": SOUND}, {"a": SOUND})
    done = evaluate(*folders, ["object_recall(iou=0.5)"], task="instance", missing="empty")
    assert done.value("object_recall(iou=0.5)") == 0.5
    assert [(r.fate, r.box) for r in done.objects() if r.image == "b"][:1] == [("missed", ((0, 4), (0, 4)))]


ZERO = (
    "note: ground truth: class 0 without a number counts as a class of its own; if it is background or void, add "
    "--ignore 0\n"
)


def test_an_object_with_two_classes(tmp_path: Path) -> None:
    """An error where ids are those of objects; where numbers may begin anew in each class, a remark if they do not."""
    torn = np.stack([np.where((SOUND == 3) & (np.arange(8) > 1), 6, TWO[0]), SOUND])
    code, text = said(*put(tmp_path, {"a": TWO}, {"a": torn}), "--task", "panoptic", "-m", "pq")
    assert (code, text) == (
        0,
        f"{ZERO}note: prediction: numbers belong to two classes, and are read as an object of each\n",
    )
    anew = np.stack([np.where(SOUND == 3, 6, TWO[0]), np.where(SOUND == 3, 1, SOUND)])
    assert said(*put(tmp_path / "anew", {"a": TWO}, {"a": anew}), "--task", "panoptic", "-m", "pq") == (0, ZERO)
    with pytest.raises(mm.LabelError, match="carries two classes"):
        mm.pq(SOUND, SOUND, gt_classes=TWO[0], pred_classes=torn[0])
    meter = Evaluation(["pq"], task="panoptic")
    with pytest.raises(mm.LabelError, match="of the class map differs from"):
        meter.update((TWO[0], SOUND), (TWO[0][:7], SOUND))
