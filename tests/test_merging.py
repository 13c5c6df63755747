"""Shards and merges: the bytes of the whole run, or a refusal that says why."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import maskmeter as mm
from maskmeter import merge
from maskmeter.run import evaluate, open_run

Folders = tuple[Path, Path]
FILES = ("results.json", "rows.csv")
FEW = "percentile(resamples=100)"


def pairs(root: Path, n: int, kind: str, first: int = 0) -> Folders:
    rng = np.random.default_rng(first)
    for i in range(first, first + n):
        gt = rng.integers(0, 2 if kind != "semantic" else 4, (11, 9), np.uint8)
        pred = rng.random(gt.shape, np.float32) if kind == "scores" else rng.permutation(gt)
        for side, array in (("gt", gt), ("pred", pred)):
            (root / side).mkdir(parents=True, exist_ok=True)
            np.save(root / side / f"{i:03d}.npy", array)
    return root / "gt", root / "pred"


def sharded(folders: Folders, out: Path, n: int, **options: object) -> list[Path]:
    found = [out / str(i) for i in range(1, n + 1)]
    for i, folder in enumerate(found, 1):
        evaluate(*folders, out=folder, shard=(i, n), **options)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("kind", ["binary", "semantic", "scores"])
@pytest.mark.parametrize("n", [1, 3, 7])
def test_shards_merge_into_the_bytes_of_the_whole_run(kind: str, n: int, tmp_path: Path) -> None:
    folders = pairs(tmp_path, 10, kind)
    evaluate(*folders, out=tmp_path / "whole", intervals=FEW)
    shards = sharded(folders, tmp_path / "shards", n, intervals=FEW)
    done = merge(shards[::-1], tmp_path / "merged")
    for name in FILES:
        assert (tmp_path / "merged" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert repr(open_run(tmp_path / "merged").rows()) == repr(done.rows())


def test_a_shard_is_a_part_and_has_no_results(tmp_path: Path) -> None:
    folders = pairs(tmp_path, 5, "semantic")
    done = evaluate(*folders, out=tmp_path / "a", shard="2/2")
    assert list(done.images) == ["001", "003"] and done.rows() == []
    assert not (tmp_path / "a/results.json").exists()
    with pytest.raises(mm.DataError, match="is not finished"):
        open_run(tmp_path / "a")


def test_missing_predictions_count_once(tmp_path: Path) -> None:
    folders = pairs(tmp_path, 6, "semantic")
    (folders[1] / "003.npy").unlink()
    evaluate(*folders, out=tmp_path / "whole", missing="empty")
    merge(sharded(folders, tmp_path / "s", 4, missing="empty"), tmp_path / "m")
    assert (tmp_path / "m/results.json").read_bytes() == (tmp_path / "whole/results.json").read_bytes()


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"ignore": 3}, r"ignore is none in .* and 3 in"),
        ({"classes": [0, 1, 2, 3]}, "labels is none in .* and a set of 4 classes"),
        ({"metrics": ["iou"]}, "metrics is none in .* and iou in"),
        ({"threshold": 0.25}, "threshold is 0.5 in .* and 0.25 in"),
    ],
)
def test_unlike_shards_are_refused(other: dict[str, object], says: str, tmp_path: Path) -> None:
    folders = pairs(tmp_path, 4, "semantic")
    evaluate(*folders, out=tmp_path / "a", shard=(1, 2))
    evaluate(*folders, out=tmp_path / "b", shard=(2, 2), **other)  # type: ignore[arg-type]
    with pytest.raises(mm.MergeError, match=says):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_shards_that_lack_or_overlap_are_found(tmp_path: Path) -> None:
    folders = pairs(tmp_path, 6, "semantic")
    a, b, c = sharded(folders, tmp_path, 3)
    evaluate(*folders, out=tmp_path / "whole")
    evaluate(*folders, out=tmp_path / "of2", shard=(1, 2))
    for runs, says in [
        ([a, c], "shard 2/3 is missing"),
        ([a, b, c, b], "are both shard 2/3"),
        ([a, b, tmp_path / "whole"], "is a whole run"),
        ([a, b, c, tmp_path / "of2"], "is a shard of 2"),
    ]:
        with pytest.raises(mm.MergeError, match=says):
            merge(runs, tmp_path / "m")
    with pytest.raises(mm.UsageError, match="-o needs a folder of its own"):
        merge([a, b, c], b)
    with pytest.raises(mm.UsageError, match="nothing to merge"):
        merge([], tmp_path / "m")


def test_another_version_is_refused(tmp_path: Path) -> None:
    import sqlite3

    a, b = sharded(pairs(tmp_path, 4, "semantic"), tmp_path, 2)
    with sqlite3.connect(b / "run.sqlite") as db:
        db.execute("UPDATE facts SET value = '\"0.0.9\"' WHERE key = 'maskmeter'")
    with pytest.raises(mm.MergeError, match=r"version of maskmeter is .* and 0\.0\.9 in"):
        merge([a, b], tmp_path / "m")


def test_an_interrupted_shard_is_not_merged(tmp_path: Path) -> None:
    folders = pairs(tmp_path, 6, "semantic")
    good = (folders[1] / "004.npy").read_bytes()
    (folders[1] / "004.npy").write_bytes(good[:90])
    evaluate(*folders, out=tmp_path / "2", shard=(2, 2))
    with pytest.raises(mm.DataError, match=r"004\.npy"):
        evaluate(*folders, out=tmp_path / "1", shard=(1, 2))
    with pytest.raises(mm.DataError, match="is not finished"):
        merge([tmp_path / "1", tmp_path / "2"], tmp_path / "m")
    (folders[1] / "004.npy").write_bytes(good)
    with pytest.raises(mm.UsageError, match="begun with another shard"):
        evaluate(*folders, out=tmp_path / "1", shard=(1, 3), resume=True)
    evaluate(*folders, out=tmp_path / "1", shard=(1, 2), resume=True)
    assert len(merge([tmp_path / "1", tmp_path / "2"], tmp_path / "m").images) == 6


def test_runs_of_different_images_add_up(tmp_path: Path) -> None:
    a = evaluate(*pairs(tmp_path / "x", 4, "semantic"), out=tmp_path / "a")
    b = evaluate(*pairs(tmp_path / "y", 3, "semantic", first=4), out=tmp_path / "b")
    done = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "m")
    assert done.pooled.pixels == a.pooled.pixels + b.pooled.pixels
    inputs = json.loads((tmp_path / "m/results.json").read_text())["inputs"]
    assert inputs["pairs"] == 7 and inputs["gt"] == f"{tmp_path / 'x/gt'} + {tmp_path / 'y/gt'}"
    with pytest.raises(mm.MergeError, match="image 000 is in"):
        merge([tmp_path / "a", tmp_path / "a"], tmp_path / "m2")


def test_the_command_line(tmp_path: Path) -> None:
    folders = pairs(tmp_path, 6, "semantic")

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "maskmeter", *map(str, words)], capture_output=True, text=True)

    for i in (1, 2):
        done = run("evaluate", *folders, "-o", tmp_path / f"s{i}", "--shard", f"{i}/2")
        assert done.returncode == 0 and "3 images" in done.stderr and done.stdout == ""
    assert run("merge", tmp_path / "s1", "-o", tmp_path / "m").returncode == 3
    assert run("merge", tmp_path / "s1", tmp_path / "s2", "-o", tmp_path / "m").returncode == 0
    assert (tmp_path / "m/report.html").stat().st_size > 10_000
    assert run("evaluate", *folders, "--shard", "1/2").returncode == 2
    assert run("evaluate", *folders, "-o", tmp_path / "s", "--shard", "3/2").returncode == 2


def test_a_log_is_lines_of_json(tmp_path: Path) -> None:
    gt, pred = pairs(tmp_path, 6, "semantic")

    def run() -> list[dict[str, object]]:
        words = [sys.executable, "-m", "maskmeter", "evaluate", str(gt), str(pred), "--log", "json"]
        return [json.loads(line) for line in subprocess.run(words, capture_output=True, text=True).stderr.splitlines()]

    events = run()
    assert [e["event"] for e in events] == ["start", "counted", "note"]
    assert events[1]["done"] == 6 and events[1]["left"] == 0 and events[1]["failed"] == 0
    (pred / "002.npy").write_bytes(b"none")
    events = run()
    assert [e["event"] for e in events] == ["start", "stopped", "error"] and "002.npy" in str(events[-1]["text"])


def test_evaluations_travel_as_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = mm.Evaluation(ignore=3)
    parts = [mm.Evaluation(ignore=3) for _ in range(3)]
    for i in range(9):
        gt, pred = rng.integers(0, 4, (2, 6, 5))
        whole.update(gt, pred, image=str(i))
        parts[i % 3].update(gt, pred, image=str(i))
    gathered = mm.Evaluation(ignore=3)
    for part in parts:
        gathered.merge(part.to_bytes())
    assert repr(gathered.rows()) == repr(whole.rows())
    with pytest.raises(mm.MergeError, match="is in both"):
        gathered.merge(parts[0].to_bytes())
    with pytest.raises(mm.MergeError, match="no evaluation"):
        gathered.merge(b"something else")


def test_scores_of_floats_merge_with_their_sums(tmp_path: Path) -> None:
    folders = pairs(tmp_path, 6, "scores")
    whole = evaluate(*folders)
    halves = []
    for half in range(2):
        root = tmp_path / f"half{half}"
        for i in range(half, 6, 2):
            for side, folder in zip(("gt", "pred"), folders, strict=True):
                (root / side).mkdir(parents=True, exist_ok=True)
                (root / side / f"{i:03d}.npy").write_bytes((folder / f"{i:03d}.npy").read_bytes())
        halves.append(evaluate(root / "gt", root / "pred"))
    halves[0].merge(halves[1].to_bytes())
    assert halves[0].value("roc_auc") == whole.value("roc_auc")
