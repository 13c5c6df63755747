"""A run end to end: files in, a folder of results out, the same bytes whatever happens in between."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import maskmeter as mm
from maskmeter.run import evaluate, open_run

Folders = tuple[Path, Path]


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """40 small label maps with a void label, and predictions with mistakes."""
    root, rng = tmp_path_factory.mktemp("street"), np.random.default_rng(0)
    for i in range(40):
        gt = np.kron(rng.integers(0, 5, (6, 8)), np.ones((8, 8), int)).astype(np.uint8)
        pred = np.where(rng.random(gt.shape) < 0.1, rng.integers(0, 4, gt.shape), gt).astype(np.uint8)
        save(root / "gt" / f"s{i % 3}" / f"{i:02d}.png", gt)
        save(root / "pred" / f"s{i % 3}" / f"{i:02d}.png", pred)
    return root / "gt", root / "pred"


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "maskmeter", "evaluate", *map(str, words), "--no-report"]


def mm_run(*words: object, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, env={**os.environ, **env})


def test_the_folder_of_a_run(street: Folders, tmp_path: Path) -> None:
    done = evaluate(*street, ignore=4, out=tmp_path)
    whole = json.loads((tmp_path / "results.json").read_text())
    assert whole["schema"] == 1 and whole["task"] == "semantic" and whole["inputs"]["pairs"] == 40
    rows = {(r["metric"], r["class"], r["over"]): r for r in whole["rows"]}
    row = rows["mean_iou", None, "pooled"]
    assert row["value"] == done.value("mean_iou") and row["low"] < row["value"] < row["high"]
    assert row["signature"] == (
        "mean_iou|over:pooled|ignore:4|images:40|intervals:percentile(resamples=2000,seed=0)|"
        f"maskmeter:{mm.__version__}"
    )
    lines = (tmp_path / "rows.csv").read_text().splitlines()
    assert len(lines) == 1 + 40 * (7 + 6 * 4)
    assert lines[0] == "image,metric,class,over,value,n,undefined,low,high,signature"
    assert lines[1].startswith("s0/00,iou,0,image,")
    with sqlite3.connect(tmp_path / "run.sqlite") as db:
        (value,) = db.execute(
            'SELECT value FROM "rows" WHERE metric = ? AND over = ?', ("mean_iou", "images")
        ).fetchone()
        (mean,) = db.execute('SELECT avg(value) FROM "values" WHERE metric = ?', ("mean_iou",)).fetchone()
    assert value == rows["mean_iou", None, "images"]["value"] == pytest.approx(mean)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["results.json", "rows.csv", "run.sqlite"]


def test_a_stored_run_opens_again(street: Folders, tmp_path: Path) -> None:
    done = evaluate(*street, ignore=4, out=tmp_path, metrics=["iou", "fbeta(beta=2)"])
    again = open_run(tmp_path)
    assert repr(again.rows()) == repr(done.rows()) and again.inputs == done.inputs
    with pytest.raises(mm.DataError, match=r"holds no run\.sqlite"):
        open_run(tmp_path / "nowhere")


def test_the_number_of_workers_moves_no_byte(street: Folders, tmp_path: Path) -> None:
    bytes_of = []
    for jobs, seed in ((1, "0"), (2, "1"), (8, "2")):
        out = tmp_path / str(jobs)
        assert (
            mm_run(*street, "--ignore", 4, "-o", out, "-j", jobs, PYTHONHASHSEED=seed, TZ="Asia/Tokyo").returncode == 0
        )
        bytes_of.append([(out / f).read_bytes() for f in ("results.json", "rows.csv")])
    with ProcessPoolExecutor(2) as pool:
        evaluate(*street, ignore=4, out=tmp_path / "p", executor=pool)
    bytes_of.append([(tmp_path / "p" / f).read_bytes() for f in ("results.json", "rows.csv")])
    assert all(b == bytes_of[0] for b in bytes_of)


def test_killed_and_resumed_gives_the_same_bytes(street: Folders, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    assert mm_run(*street, "-o", whole).returncode == 0
    rng, out = random.Random(1), tmp_path / "killed"
    for _ in range(12):
        started = subprocess.Popen(
            command(*street, "-o", out, "--resume", "-j", 2), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(0.1, 0.6))
        started.send_signal(signal.SIGKILL)
        started.wait()
        results = out / "results.json"
        assert not results.exists() or results.read_bytes() == (whole / "results.json").read_bytes()
    assert mm_run(*street, "-o", out, "--resume").returncode == 0
    for name in ("results.json", "rows.csv"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def test_a_bad_file_keeps_what_was_finished(street: Folders, tmp_path: Path) -> None:
    gt, pred = tmp_path / "gt", tmp_path / "pred"
    for i in range(6):
        save(gt / f"{i}.png", np.eye(8, dtype=np.uint8))
        save(pred / f"{i}.png", np.eye(8, dtype=np.uint8))
    (pred / "4.png").write_bytes((pred / "4.png").read_bytes()[:40])
    failed = mm_run(gt, pred, "-o", tmp_path / "run", "-j", 1)
    assert failed.returncode == 3 and failed.stdout == ""
    assert failed.stderr.count("\n") == 1 and "pred/4.png" in failed.stderr
    assert not (tmp_path / "run/results.json").exists()
    with sqlite3.connect(tmp_path / "run/run.sqlite") as db:
        assert db.execute("SELECT count(*) FROM images").fetchone() == (4,)
    save(pred / "4.png", np.zeros((8, 8), np.uint8))
    save(pred / "0.png", np.zeros((8, 8), np.uint8))
    assert mm_run(gt, pred, "-o", tmp_path / "run", "--resume").returncode == 0
    mm_run(gt, pred, "-o", tmp_path / "fresh")
    assert (tmp_path / "run/results.json").read_bytes() == (tmp_path / "fresh/results.json").read_bytes()


def test_resume_wants_the_same_question(street: Folders, tmp_path: Path) -> None:
    assert mm_run(*street, "-o", tmp_path).returncode == 0
    other = mm_run(*street, "-o", tmp_path, "--ignore", 4, "--resume")
    assert other.returncode == 2 and "another ignore" in other.stderr
    assert mm_run(*street, "-o", tmp_path, "--ignore", 4).returncode == 0


INTERRUPTED = """
import os, signal
from maskmeter import execution
from maskmeter.cli import entry

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by what a script starts in the background
count, done = execution.count_batch, []

def counted(*given):
    done.append(given)
    if len(done) == 20:
        os.kill(os.getpid(), signal.SIGINT)
    return count(*given)

execution.count_batch = counted
entry()
"""


def test_ctrl_c_ends_with_130_and_keeps_what_is_there(tmp_path: Path) -> None:
    for i in range(40):
        for side in ("gt", "pred"):
            save(tmp_path / side / f"{i:02d}.png", np.eye(4, dtype=np.uint8) * (i % 3))
    out, words = tmp_path / "run", ["evaluate", str(tmp_path / "gt"), str(tmp_path / "pred"), "-j", "1", "-o"]
    call = [sys.executable, "-c", INTERRUPTED, *words, str(out)]
    stopped = subprocess.run(call, capture_output=True, text=True)
    assert stopped.returncode == 130 and "Traceback" not in stopped.stderr
    assert not (out / "results.json").exists()
    with sqlite3.connect(out / "run.sqlite") as db:
        assert db.execute("SELECT count(*) FROM images").fetchone() == (19,)
    assert mm_run(*words[1:], out, "--resume").returncode == 0
    mm_run(*words[1:], tmp_path / "fresh")
    assert (out / "results.json").read_bytes() == (tmp_path / "fresh/results.json").read_bytes()


def test_missing_predictions(tmp_path: Path) -> None:
    gt, pred = tmp_path / "gt", tmp_path / "pred"
    for name in ("a", "b"):
        save(gt / f"{name}.png", np.array([[0, 1]], np.uint8))
    save(pred / "a.png", np.array([[0, 1]], np.uint8))
    save(pred / "c.png", np.array([[0, 1]], np.uint8))
    stop = mm_run(gt, pred)
    assert stop.returncode == 3 and "b" in stop.stderr and "--missing empty" in stop.stderr
    skip = evaluate(gt, pred, missing="skip", extra="skip")
    assert skip.value("iou") == 1.0 and "missing:skip,1|extra:skip,1" in skip.rows()[0].signature
    empty = evaluate(gt, pred, missing="empty", extra="skip", task="binary")
    assert empty.value("iou") == 0.5 and empty.value("iou", over="images") == 0.5
    assert empty.value("specificity") == 1.0, "an empty mask predicts background"
    semantic = evaluate(gt, pred, missing="empty", extra="skip", task="semantic")
    assert semantic.value("iou", class_=0) == 0.5 and semantic.value("precision", class_=0) == 1.0


def test_auto_decides_over_the_whole_set(tmp_path: Path) -> None:
    gt, pred = tmp_path / "gt", tmp_path / "pred"
    for i, top in enumerate((0, 255)):
        save(gt / f"{i}.png", np.array([[0, top]], np.uint8))
        save(pred / f"{i}.png", np.array([[0, top // 255]], np.uint8))
    done = evaluate(gt, pred)
    assert done.facts.task == "binary" and done.value("iou") == 1.0
    assert any("255" in n for n in done.notices)
    save(gt / "2.png", np.array([[0, 7]], np.uint8))
    save(pred / "2.png", np.array([[0, 7]], np.uint8))
    assert evaluate(gt, pred).facts.task == "semantic"


def test_label_file_with_sources_and_names(tmp_path: Path) -> None:
    save(tmp_path / "gt/a.png", np.array([[7, 8, 1, 255]], np.uint8))
    save(tmp_path / "pred/a.png", np.array([[7, 7, 8, 1]], np.uint8))
    (tmp_path / "l.toml").write_text(
        '[[label]]\nid = 0\nname = "road"\nsource = [7, 8]\n[[label]]\nid = 1\nname = "sky"\n'
        '[[label]]\nid = 255\nname = "void"\nignore = true\n'
    )
    done = evaluate(tmp_path / "gt", tmp_path / "pred", labels=tmp_path / "l.toml")
    assert done.value("iou", class_="road") == 2 / 3 and done.value("iou", class_="sky") == 0.0
    save(tmp_path / "pred/a.png", np.array([[7, 7, 9, 1]], np.uint8))
    failed = mm_run(tmp_path / "gt", tmp_path / "pred", "--labels", tmp_path / "l.toml")
    assert failed.returncode == 3 and "label 9" in failed.stderr and "pred/a.png" in failed.stderr


def test_a_region_of_interest(tmp_path: Path) -> None:
    save(tmp_path / "gt/a.png", np.array([[0, 1, 1]], np.uint8))
    save(tmp_path / "pred/a.png", np.array([[0, 1, 0]], np.uint8))
    save(tmp_path / "fov/a.png", np.array([[255, 255, 0]], np.uint8))
    done = evaluate(tmp_path / "gt", tmp_path / "pred", mask=tmp_path / "fov")
    assert done.value("iou") == 1.0 and int(done.pooled.ignored) == 1
    assert "region:mask" in done.rows()[0].signature


def test_arrays_in_a_training_loop() -> None:
    meter = mm.Evaluation(metrics=["mean_iou", "iou"])
    meter.update(np.array([True, False]), np.array([True, True]))
    assert meter.value("iou") == 0.5
    with pytest.raises(mm.LabelError, match="by its dtype"):
        meter.update(np.array([1, 0]), np.array([1, 1]))
    done = mm.evaluate(pairs=((str(i), np.array([0, i]), np.array([0, 1])) for i in range(2)), metrics=["accuracy"])
    assert done.value("accuracy") == 0.75 and done.value("accuracy", image="0") == 0.5


def test_wrong_usage_is_exit_code_2(street: Folders, tmp_path: Path) -> None:
    for words in (["-m", "iuo"], ["--task", "segments"], ["--classes", "a-b"], ["--resume"], ["--nope"]):
        done = mm_run(*street, *words)
        assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr


def test_objects_stand_behind_pooled_object_values(tmp_path: Path) -> None:
    for i, ids in enumerate(([[1, 1, 0, 2]], [[0, 5, 0, 0]])):
        save(tmp_path / f"gt/{i}.png", np.array(ids, np.uint16))
        save(tmp_path / f"pred/{i}.png", np.array(ids, np.uint16))
    done = evaluate(tmp_path / "gt", tmp_path / "pred", ["object_f1(iou=0.5)", "rand_index"], task="instance")
    assert {(r.metric, r.over): r.n for r in done.rows()} == {
        ("object_f1(iou=0.5)", "pooled"): 3,
        ("object_f1(iou=0.5)", "images"): 2,
        ("rand_index", "pooled"): 2,
        ("rand_index", "images"): 2,
    }


def test_photographs_lie_in_a_folder(street: Folders, tmp_path: Path) -> None:
    with pytest.raises(mm.UsageError, match=r"nowhere is not a folder"):
        evaluate(*street, images=tmp_path / "nowhere")
