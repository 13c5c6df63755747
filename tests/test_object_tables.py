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
        ObjectRow("=a", "gt", 7, None, 9, 9.0, ((1, 4), (1, 4)), None, 1.0, 3, True, "matched", 1),
        ObjectRow("=a", "gt", 9, None, 4, 4.0, ((1, 3), (6, 8)), None, 0.0, None, False, "missed", 0),
        ObjectRow("=a", "pred", 3, None, 9, 9.0, ((1, 4), (1, 4)), None, 1.0, 7, True, "matched", 1),
        ObjectRow("=a", "pred", 4, None, 3, 3.0, ((4, 5), (5, 8)), None, 0.0, None, False, "hallucinated", 0),
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
