"""Hostile and borderline inputs: a defined value, or one line that names the file; never a wrong number."""

import io
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import maskmeter as mm
from maskmeter import formats
from maskmeter.cli import main

SHARED = Path(__file__).resolve().parents[2] / "shared/badcases/manifest.json"
CASES: list[dict[str, Any]] = json.loads(SHARED.read_text())["cases"] if SHARED.is_file() else []

pytestmark = pytest.mark.skipif(not CASES, reason="needs ../shared/badcases beside the repository")


def of_kind(*kinds: str) -> Any:
    found = [c for c in CASES if c["kind"] in kinds]
    return pytest.mark.parametrize("case", found, ids=[c["id"] for c in found])


def allowed(case: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The sets of values that are right."""
    expect = case["expect"]
    if expect["kind"] in ("value", "value_or_error"):
        yield expect["values"]
    if expect["kind"] == "either":
        yield from expect["values_any"]
    if expect["kind"] == "error":
        yield from expect.get("accept_any", [])


def check_values(case: dict[str, Any], value_of: Any) -> None:
    """The numbers are those of one of the allowed sets."""
    tried = []
    for values in allowed(case):
        got = {k: value_of(k) for k in values if k != "hd"}
        if all(_same(got[k], values[k]) for k in got):
            return
        tried.append({k: (got[k], values[k]) for k in got if not _same(got[k], values[k])})
    pytest.fail(f"{case['title']}: a number where there should be an error or another number: {tried}")


def check_error(case: dict[str, Any], message: str) -> None:
    """An error is allowed, is one line, and says what the case asks for."""
    expect = case["expect"]
    assert expect["kind"] in ("error", "value_or_error", "either", "limit"), message
    assert message.strip() and "\n" not in message.strip() and "Traceback" not in message
    assert any(re.search(word, message, re.IGNORECASE) for word in expect["keywords"]), message


def _same(a: float | None, b: float | None) -> bool:
    a, b = (float("nan") if x is None else x for x in (a, b))
    return a == pytest.approx(b, rel=1e-12, nan_ok=True)


def transformed(array: Any, how: str | None, side: str) -> Any:
    if how == "readonly":
        array.flags.writeable = False
    elif how == "negstride":
        return array[::-1][::-1] if array.ndim < 2 else np.ascontiguousarray(array[::-1, ::-1])[::-1, ::-1]
    elif how == "noncontig":
        wide = np.zeros((array.shape[0] * 2, array.shape[1] * 2), array.dtype)
        wide[::2, ::2] = array
        return wide[::2, ::2]
    elif how == "masked_gt" and side == "gt":
        hidden = np.zeros(array.shape, bool)
        hidden[20:28] = True
        return np.ma.masked_array(array, hidden)
    return array


@of_kind("label_pair")
def test_arrays(case: dict[str, Any], badcases: Path) -> None:
    params = case["params"]
    gt, pred = (
        transformed(
            np.load(badcases / case["files"][s], allow_pickle=s == "pred" and "object" in case["id"]),
            params["transform"],
            s,
        )
        for s in ("gt", "pred")
    )
    try:
        c = mm.confusion(gt, pred, classes=range(params["num_classes"]), ignore=params["ignore"])
    except mm.MaskmeterError as error:
        check_error(case, str(error))
        return

    def value_of(key: str) -> float:
        name, _, k = key.partition("_")
        if k:
            return mm.METRICS[name].compute(c)[int(k)]
        return mm.METRICS[{"acc": "accuracy", "miou": "mean_iou"}[name]].compute(c)

    check_values(case, value_of)


@of_kind("coco")
def test_detections(case: dict[str, Any], badcases: Path) -> None:
    if not case["files"]:
        pytest.skip("only described")
    files = (badcases / case["files"][side] for side in ("gt", "dt"))
    on = "box" if case["params"].get("iou_type") == "bbox" else "mask"
    try:
        done = mm.evaluate(*files, task="detection", on=on)
    except mm.MaskmeterError as error:
        check_error(case, str(error))
        return
    expect = case["expect"]
    noticed = any(re.search(w, n, re.IGNORECASE) for w in expect["keywords"] for n in done.notices)
    if expect["kind"] != "value" and (noticed or expect.get("info")):
        assert expect["kind"] != "limit"
        return  # several numbers are right where the run says what it saw
    check_values(case, lambda key: done.value({"AP": "ap", "AP50": "ap50"}[key]))


def run(*words: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(w) for w in words])
    return code, out.getvalue(), err.getvalue()


@of_kind("label_pair", "image_pair", "npy", "volume")
def test_files(case: dict[str, Any], badcases: Path, tmp_path: Path) -> None:
    gt, pred = (badcases / case["files"][s] for s in ("gt", "pred"))
    params = case["params"]
    ignore = [w for i in params["ignore"] for w in ("--ignore", i)]
    classes = ("--classes", f"0-{params['num_classes'] - 1}")
    task = ("--task", "semantic") if case["kind"] == "volume" else ()
    started = time.process_time()
    code, _, err = run("evaluate", gt, pred, *classes, *ignore, *task, "-o", tmp_path, "--no-report", "-j", 1)
    if case["expect"]["kind"] == "limit":
        assert code == 3 and time.process_time() - started < 2
    if code:
        assert code == 3
        check_error(case, err.replace(case["id"], "") if task else err)
        assert not (tmp_path / "results.json").exists()
        assert gt.name in err or pred.name in err
        return
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    values = {(r["metric"], r["class"]): r["value"] for r in rows if r["over"] == "pooled"}

    def value_of(key: str) -> float | None:
        if key == "fgdice":
            return mm.dice(*(formats.read(p).array > 0 for p in (gt, pred)))
        name, _, k = key.partition("_")
        return values[(name, k) if k else ({"acc": "accuracy", "miou": "mean_iou"}[name], None)]

    if case["params"].get("transform") != "masked_gt":
        check_values(case, value_of)


def _pair(folder: Path, badcases: Path, name: str, gt: bool = True, pred: bool = True) -> None:
    from PIL import Image

    for side, wanted in (("gt", gt), ("pred", pred)):
        (folder / side).mkdir(exist_ok=True, parents=True)
        if wanted:
            array = np.load(badcases / "S01_baseline3" / f"{side}.npy")
            Image.fromarray(array.astype(np.uint8)).save(folder / side / name)


def _folders(case: str, folder: Path, badcases: Path) -> None:
    names = {"D06_newline_name": ["a\nb.png"], "D08_formula_name": ["=cmd|' -c calc'!A0.png"], "D16_empty_folders": []}
    for name in names.get(case, ["1.png", "2.png", "3.png"]):
        missing = case in ("D01_missing_prediction", "D03_one_missing_one_extra") and name == "2.png"
        _pair(folder, badcases, name, pred=not missing)
    if case == "D03_one_missing_one_extra":
        _pair(folder, badcases, "4.png", gt=False)
    if case == "D16_empty_folders":
        (folder / "gt").mkdir(parents=True)
        (folder / "pred").mkdir()
    if case == "D10_symlink_loop":
        (folder / "pred/loop").symlink_to(folder / "pred", target_is_directory=True)
    if case in ("D12_fifo", "D13_dev_zero"):
        (folder / "pred/1.png").unlink()
        if case == "D12_fifo":
            os.mkfifo(folder / "pred/1.png")
        else:
            (folder / "pred/1.png").symlink_to("/dev/zero")


@of_kind("dir")
def test_folders(case: dict[str, Any], badcases: Path, tmp_path: Path) -> None:
    _folders(case["id"], tmp_path, badcases)
    out = tmp_path / "run"
    code, _, err = run("evaluate", tmp_path / "gt", tmp_path / "pred", "-o", out, "--task", "semantic", "--no-report")
    if code:
        assert code == 3
        check_error(case, err)
        return
    rows = json.loads((out / "results.json").read_text())["rows"]
    values = {(r["metric"], r["class"]): r["value"] for r in rows if r["over"] == "pooled"}
    names = {"acc": ("accuracy", None), "miou": ("mean_iou", None)}
    check_values(case, lambda k: values[names.get(k) or tuple(k.split("_"))])
    if case["id"] == "D08_formula_name":
        assert (out / "rows.csv").read_text().splitlines()[1].startswith("'=cmd|")


def test_hostile_class_names_stay_text(badcases: Path, tmp_path: Path) -> None:
    names = json.loads((badcases / "T01_hostile_names/names.json").read_text())
    texts = [n for n in (names if isinstance(names, list) else list(names.values())) if isinstance(n, str)]
    from maskmeter.formats.labelfile import write_labels

    labels = mm.LabelSet(tuple(mm.Label(i, n) for i, n in enumerate(texts)))
    (tmp_path / "labels.toml").write_text(write_labels(labels), encoding="utf-8")
    _pair(tmp_path, badcases, "1.png")
    out = tmp_path / "run"
    code, text, err = run(
        "evaluate", tmp_path / "gt", tmp_path / "pred", "--labels", tmp_path / "labels.toml", "-o", out, "--no-report"
    )
    assert code == 0, err
    assert all(c.isprintable() or c == "\n" for c in text)
    for line in (out / "rows.csv").read_text(encoding="utf-8").split("\n")[1:]:
        assert not re.match(r"^[^,]*,[^,]*,[=+\-@\t\r]", line)
    rows = json.loads((out / "results.json").read_text())["rows"]
    shown = {r["class"] for r in rows if r["class"] is not None}
    assert {t for t in texts if t and texts.count(t) == 1} <= shown
