"""Cityscapes' own format and its average precision, end to end."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from maskmeter.cli import main
from maskmeter.metrics import ap, ap50, parse
from maskmeter.run import evaluate, open_run
from maskmeter.statistics.detections import Detections, area_under
from maskmeter.statistics.instances import overlap
from maskmeter.statistics.scored_overlaps import CITYSCAPES, of_overlap

CAR, PERSON, ROAD = 26, 24, 7
HOW: dict[str, Any] = {"task": "detection", "convention": "cityscapes"}


def cli(*words: object) -> tuple[int, str]:
    err = io.StringIO()
    with redirect_stdout(io.StringIO()), redirect_stderr(err):
        code = main([str(w) for w in ("evaluate", *words, "--task", "detection", "--convention", "cityscapes")])
    return code, err.getvalue()


def blank() -> NDArray[np.uint16]:
    return np.full((40, 60), ROAD, np.uint16)


def write(folder: Path, name: str, gt: NDArray[Any], masks: list[tuple[NDArray[Any], int, float]]) -> None:
    for side in ("gt", "pred"):
        (folder / side).mkdir(parents=True, exist_ok=True)
    Image.fromarray(gt).save(folder / f"gt/{name}_gtFine_instanceIds.png")
    lines: list[str] = []
    for k, (mask, label, score) in enumerate(masks):
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / f"pred/{name}_{k}.png")
        lines.append(f"{name}_{k}.png {label} {score}")
    (folder / f"pred/{name}_pred.txt").write_text("\n".join(lines) + "\n")


def at(top: int, left: int, height: int = 12, width: int = 12) -> NDArray[np.bool_]:
    out = np.zeros((40, 60), bool)
    out[top : top + height, left : left + width] = True
    return out


@pytest.fixture
def scene(tmp_path: Path) -> tuple[Path, Path]:
    """A car found twice, a car missed, a crowd, a small car, void, and a prediction on nothing."""
    gt = blank()
    gt[at(0, 0)], gt[at(0, 20)], gt[at(0, 40)], gt[at(20, 0, 5, 5)] = 26000, 26001, CAR, 26002
    gt[at(20, 20)], gt[at(20, 40)] = 0, 29001
    masks = [
        (at(0, 0), CAR, 0.6),
        (at(0, 0, 12, 11), CAR, 0.9),  # the better of the two by score
        (at(0, 40, 12, 8), CAR, 0.95),  # on the crowd
        (at(20, 0, 5, 5), CAR, 0.8),  # fits the small one
        (at(20, 20), CAR, 0.7),  # on void
        (at(20, 40), CAR, 0.5),  # on a numbered object of a void class, which is no void
        (at(30, 30, 0, 0), CAR, 1.0),  # empty
        (at(0, 0), ROAD, 1.0),  # no class of objects
    ]
    write(tmp_path, "a_000000_000019", gt, masks)
    return tmp_path / "gt", tmp_path / "pred"


def test_what_counts_as_wrong(scene: tuple[Path, Path]) -> None:
    done = evaluate(*scene, **HOW)
    score, truth = np.array([0.9, 0.6, 0.5]), np.array([1.0, 0.0, 0.0])
    assert done.value("ap50", class_="car") == area_under(score, truth, np.ones(3), missed=1)
    assert np.isnan(done.value("ap", class_="person"))
    assert sorted(done.notices) == [
        "prediction: 1 masks of a class without objects left out", "prediction: 1 masks without a pixel left out",
    ]  # fmt: skip


def test_a_class_that_nobody_predicted_is_zero(tmp_path: Path) -> None:
    gt = blank()
    gt[at(0, 0)], gt[at(0, 20)] = 24000, 26000
    write(tmp_path, "a_0_0", gt, [(at(0, 20), CAR, 0.5)])
    done = evaluate(tmp_path / "gt", tmp_path / "pred", **HOW)
    value = {c: done.value("ap", class_=c) for c in ("person", "car", "bus", None)}
    assert (value["person"], value["car"], value[None]) == (0.0, 1.0, 0.5) and np.isnan(value["bus"])


def test_the_numbers_of_cityscapes(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "cityscapes_tiny"
    expected = json.loads((folder / "expected.json").read_text())
    assert cli(folder / "gt", folder / "pred", "-o", tmp_path, "--no-report") == (0, "")
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    found = {(r["metric"].partition("(")[0], r["class"]): r["value"] for r in rows if r["over"] == "pooled"}
    averages = expected["averages"]
    assert (found["ap", None], found["ap50", None]) == (averages["allAp"], averages["allAp50%"])
    for name, values in averages["classes"].items():
        for ours, theirs in (("ap", "ap"), ("ap50", "ap50%")):
            value = found[ours, name]
            assert value == values[theirs] if value is not None else np.isnan(values[theirs])
    np.testing.assert_array_equal(curves(open_run(tmp_path).statistic("detections")), np.array(expected["ap"])[0])
    assert expected["overlaps"] == list(CITYSCAPES.thresholds)


def test_jobs_and_resume_move_no_byte(scene: tuple[Path, Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(1, 6):
        gt = blank()
        gt[at(0, 5 * i)], gt[at(20, 30)] = 26000 + i, 24000
        write(tmp_path, f"a_{i}_0", gt, [(at(0, 5 * i - 2), CAR, rng.random()), (at(20, 31), PERSON, rng.random())])
    for k in (1, 3):
        assert cli(*scene, "-o", tmp_path / str(k), "-j", k, "--no-report")[0] == 0
    mask = tmp_path / "pred/a_4_0_1.png"
    whole = mask.read_bytes()
    Image.fromarray(at(20, 30).astype(np.uint8)).save(mask)
    assert cli(*scene, "-o", tmp_path / "r", "--no-report")[0] == 0
    mask.write_bytes(whole)
    assert cli(*scene, "-o", tmp_path / "r", "--resume", "--no-report")[0] == 0
    for name in ("results.json", "rows.csv"):
        assert len({(tmp_path / k / name).read_bytes() for k in ("1", "3", "r")}) == 1


def test_missing_and_extra(tmp_path: Path) -> None:
    gt = blank()
    gt[at(0, 0)] = 26000
    for i in range(2):
        write(tmp_path, f"a_{i}_0", gt, [(at(0, 0), CAR, 0.9)])
    (tmp_path / "pred/a_1_0_pred.txt").rename(tmp_path / "pred/a_2_0_pred.txt")
    at_ = tmp_path / "gt", tmp_path / "pred"
    code, err = cli(*at_)
    assert code == 3 and "no prediction: a_1_0" in err and "no ground truth: a_2_0" in err
    empty = evaluate(*at_, missing="empty", extra="skip", **HOW)
    assert empty.value("ap50", class_="car") == area_under(np.array([0.9]), np.ones(1), np.ones(1), missed=1)
    assert evaluate(*at_, missing="skip", extra="skip", **HOW).value("ap50") == 1.0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a_0_0_0.png 26", "line 2: 'a_0_0_0.png 26' is not `path label score`"),
        ("a_0_0_0.png 26 high", "not `path label score`"),
        ("a_0_0_0.png 26 nan", "not finite"),
        ("a_0_0_0.png 99 0.5", "99 is no label id"),
        ("../gt/a_0_0_gtFine_instanceIds.png 26 1", "path outside"),
        ("/etc/passwd 26 1", "path outside"),
        ("nowhere.png 26 1", "no such file"),
        ("wide.png 26 1", "shape (40, 60) in the ground truth, (1, 2) in mask 2"),
        ("rgb.png 26 1", "no mask of one channel"),
    ],
)
def test_lines_that_are_refused(tmp_path: Path, line: str, words: str) -> None:
    write(tmp_path, "a_0_0", blank(), [(at(0, 0), CAR, 0.9)])
    Image.fromarray(np.ones((1, 2), np.uint8)).save(tmp_path / "pred/wide.png")
    Image.fromarray(np.ones((40, 60, 3), np.uint8)).save(tmp_path / "pred/rgb.png")
    with (tmp_path / "pred/a_0_0_pred.txt").open("a") as file:
        file.write(line + "\n")
    code, err = cli(tmp_path / "gt", tmp_path / "pred")
    assert code == 3 and words in err and err.count("\n") == 1, err


def test_what_does_not_go_together(scene: tuple[Path, Path], tmp_path: Path) -> None:
    assert cli(*scene, "--pairs", "{a}={a}")[0] == 2
    assert cli(scene[1], scene[1])[0] == 3, "no ground truth in it"
    with pytest.raises(ValueError, match="detection"):
        evaluate(*scene, task="detection")
    (scene[1] / "more").mkdir()
    (scene[1] / "a_000000_000019_pred.txt").rename(scene[1] / "more/a_000000_000019_pred.txt")
    (scene[1] / "a_000000_000019_again.txt").write_text("")
    code, err = cli(*scene)
    assert code == 3 and "same image" in err


# The laws of every metric

CONFIDENCE = {i: i / 10 for i in range(1, 6)}
MAPS = arrays(np.int64, (3, 4), elements=st.integers(0, 4))
FEWER = settings(max_examples=max(10, settings().max_examples // 5))


def curves(d: Detections) -> NDArray[np.float64]:
    """(K, T) of each class; NaN for those that have no objects."""
    table = d.table()
    assert table is not None
    whole = np.full((d.classes.size, table.area.shape[-1]), np.nan)
    whole[table.classes] = table.area
    return whole


def measured(gt: NDArray[Any], pred: NDArray[Any]) -> Detections:
    """Maps whose every cell is 10 by 10 pixels; an object's class is whether its id is even."""
    large = [np.kron(x, np.ones((10, 10), np.int64)) for x in (gt, pred)]
    class_of = {i: i % 2 for i in range(1, 5)}
    o = overlap(*large, classes=[0, 1], gt_classes=class_of, pred_classes=class_of, scores=CONFIDENCE)
    return of_overlap(o, CITYSCAPES)


@FEWER
@given(MAPS, MAPS, MAPS, MAPS)
def test_laws(a: NDArray[Any], b: NDArray[Any], c: NDArray[Any], d: NDArray[Any]) -> None:
    one, two = measured(a, b), measured(c, d)
    for m in (ap, ap50):
        assert str(parse(str(m))) == str(m)
        perfect, value = m.values(measured(a, a)), m.values(one)
        assert set(perfect[~np.isnan(perfect)].tolist()) <= {1.0}
        assert ((np.isnan(value)) | ((value >= 0) & (value <= 1))).all()
        np.testing.assert_array_equal(m.values(one + two), m.values(two + one))
        np.testing.assert_array_equal(m.values((one + two).by_image()), np.stack([value, m.values(two)]))


@FEWER
@given(MAPS, MAPS)
def test_relabelling_changes_nothing(a: NDArray[Any], b: NDArray[Any]) -> None:
    other = np.array([0, 3, 4, 1, 2])  # an id keeps its class
    names = {other[i]: c for i, c in CONFIDENCE.items() if i < 5}
    large = [np.kron(other[x], np.ones((10, 10), np.int64)) for x in (a, b)]
    class_of = {i: i % 2 for i in range(1, 5)}
    o = overlap(*large, classes=[0, 1], gt_classes=class_of, pred_classes=class_of, scores=names)
    np.testing.assert_array_equal(curves(of_overlap(o, CITYSCAPES)), curves(measured(a, b)))


def test_inspect_counts_the_masks_and_lists_what_is_wrong(scene: tuple[Path, Path]) -> None:
    code, text = inspected(*scene)
    assert code == 0 and "--task detection --convention cityscapes" in text
    assert any(line.split()[:1] == ["car"] for line in text.splitlines())
    listed = next(scene[1].glob("*_pred.txt"))
    listed.write_text(listed.read_text() + "gone.png 26 0.5\n")
    code, text = inspected(*scene)
    assert code == 3 and "gone.png" in text


def inspected(gt: Path, pred: Path) -> tuple[int, str]:
    out = io.StringIO()
    with redirect_stdout(out):
        return main(["inspect", str(gt), str(pred)]), out.getvalue()
