"""Rankings of several runs, beside an independent computation."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import maskmeter as mm
from maskmeter.cli import main
from maskmeter.ranking import critical_difference, rank


def evaluated(share: float, images: int = 24, seed: int = 0, metrics: tuple[str, ...] = ("mean_iou", "iou")):
    """Images that are the same for every `share` of wrong pixels."""
    done = mm.Evaluation(list(metrics))
    for i in range(images):
        rng = np.random.default_rng([seed, i])
        gt = rng.integers(0, 3, 200)
        wrong = np.random.default_rng([int(share * 1000), i]).random(200) < share
        done.update(gt, np.where(wrong, (gt + 1) % 3, gt), image=f"{i:03d}")
    return done


def test_a_ranking_agrees_with_an_independent_computation() -> None:
    runs = {"c": evaluated(0.4), "a": evaluated(0.2), "b": evaluated(0.21)}
    found = rank(runs)
    assert [line.run for line in found.lines][2] == "c" and [line.rank for line in found.lines] == [1, 2, 3]
    values = np.stack([e.image_values("mean_iou")[1][:, 0] for e in runs.values()], 1)
    means = dict(zip(runs, stats.rankdata(-values, axis=1).mean(axis=0), strict=True))
    rng = np.random.default_rng(3)
    drawn = values[rng.integers(0, 24, (4000, 24))].mean(axis=1)
    first = np.bincount(drawn.argmax(axis=1), minlength=3) / 4000
    for line in found.lines:
        assert line.value == runs[line.run].value("mean_iou", over="images")
        assert line.mean_rank == pytest.approx(means[line.run])
        assert sum(line.shares) == pytest.approx(1)
        assert line.shares[0] == pytest.approx(first[list(runs).index(line.run)], abs=0.04)
        assert line.low < line.value < line.high
    assert found.p == pytest.approx(stats.friedmanchisquare(*values.T).pvalue)
    assert found.alike == [tuple(sorted("ab", key=means.__getitem__))]
    assert found.critical == pytest.approx(2.343 * math.sqrt(3 * 4 / (6 * 24)), rel=1e-3)


def test_critical_differences_of_the_published_table() -> None:
    for runs, q in [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)]:
        assert critical_difference(runs, 50) == pytest.approx(q * math.sqrt(runs * (runs + 1) / 300), rel=3e-4)


def test_equal_runs_share_their_ranks() -> None:
    same = {"a": evaluated(0.3), "b": evaluated(0.3), "c": evaluated(0.6)}
    found = rank(same, over="pooled")
    assert [line.rank for line in found.lines] == [1, 1, 3]
    assert found.lines[0].shares == (0.5, 0.5, 0.0) and found.lines[2].shares == (0, 0, 1)
    everything = rank({"a": evaluated(0.3), "b": evaluated(0.3), "c": evaluated(0.3)})
    assert math.isnan(everything.p) and everything.alike == [("a", "b", "c")]


def test_lower_and_signed_metrics_rank_the_other_way() -> None:
    runs = {}
    for name, extra in (("much", 40), ("none", 0), ("less", -20)):
        done = mm.Evaluation(["volume_difference"])
        for i in range(8):
            gt = np.arange(100) < 50
            done.update(gt, np.arange(100) < 50 + extra, image=str(i))
        runs[name] = done
    assert [line.run for line in rank(runs).lines] == ["none", "less", "much"]


def test_images_that_some_run_lacks_are_left_out() -> None:
    found = rank({"a": evaluated(0.2), "b": evaluated(0.3, images=20), "c": evaluated(0.4, images=22)}, "iou", class_=1)
    assert found.images == 20 and found.left_out == ("020", "021", "022", "023")
    for runs, says in [({"a": evaluated(0.2)}, "at least two"), ({}, "at least two")]:
        with pytest.raises(mm.UsageError, match=says):
            rank(runs)
    with pytest.raises(mm.UsageError, match="say which, one of 0, 1, 2"):
        rank({"a": evaluated(0.2), "b": evaluated(0.3)}, "iou")
    other = mm.Evaluation(["mean_iou"])
    other.update([0, 1], [0, 1], image="x")
    with pytest.raises(mm.DataError, match="no image in common"):
        rank({"a": evaluated(0.2), "b": other})
    made = mm.Evaluation(["mean_iou"], ignore=9)
    made.update([0, 1], [0, 1], image="000")
    with pytest.raises(mm.UsageError, match="differ in ignore"):
        rank({"a": evaluated(0.2), "b": made})


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "gt").mkdir()
    for i in range(12):
        np.save(tmp_path / f"gt/{i}.npy", rng.integers(0, 3, (8, 8), np.uint8))
    for name, share in (("a", 0.1), ("b", 0.3), ("c", 0.5)):
        (tmp_path / name).mkdir()
        for i in range(12):
            gt = np.load(tmp_path / f"gt/{i}.npy")
            np.save(tmp_path / name / f"{i}.npy", np.where(rng.random(gt.shape) < share, (gt + 1) % 3, gt))
        mm.evaluate(tmp_path / "gt", tmp_path / name, out=tmp_path / f"run_{name}")
    runs = [str(tmp_path / f"run_{x}") for x in "bac"]
    assert main(["compare", *runs]) == 0
    out = capsys.readouterr().out
    assert "mean_iou, mean over 12 images in all runs" in out and "Friedman" in out
    assert out.index("run_a") < out.index("run_b") < out.index("run_c")
    assert main(["compare", *runs, "--format", "json", "-m", "accuracy", "-m", "kappa"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [r["metric"] for r in found] == ["accuracy", "kappa"] and found[0]["lines"][0]["rank"] == 1
    assert main(["compare", *runs, "--format", "md"]) == 0 and "| run |" in capsys.readouterr().out
    assert main(["compare", runs[0]]) == 2 and main(["compare", *runs, runs[0]]) == 2
