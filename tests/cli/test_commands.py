"""What the commands print, and the codes they end with."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import maskmeter as mm
from maskmeter.cli import COMMANDS, cli, main

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six label maps with a void label, predictions, a label file, and a run."""
    root = tmp_path_factory.mktemp("data")
    (root / "labels.toml").write_text(
        '[[label]]\nid = 0\nname = "road"\n[[label]]\nid = 1\nname = "sky"\n'
        '[[label]]\nid = 9\nname = "void"\nignore = true\n'
    )
    for side in ("gt", "pred"):
        (root / side).mkdir()
    for i in range(6):
        rng = np.random.default_rng(i)
        gt = rng.choice([0, 1, 9], (10, 10), p=[0.5, 0.4, 0.1]).astype(np.uint8)
        np.save(root / "gt" / f"{i}.npy", gt)
        np.save(root / "pred" / f"{i}.npy", np.where(rng.random(gt.shape) < 0.2, 1 - gt % 2, gt % 2).astype(np.uint8))
    assert (
        main(["evaluate", *pair(root), "--labels", str(root / "labels.toml"), "-o", str(root / "run"), "--no-report"])
        == 0
    )
    return root


def pair(root: Path) -> list[str]:
    return [str(root / "gt"), str(root / "pred")]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: Captured) -> None:
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert "Usage: maskmeter" in text
    command = cli.get_command(None, name)  # pyright: ignore[reportArgumentType]
    assert command is not None
    for option in command.params:
        if option.param_type_name == "option":
            assert getattr(option, "help", None) or option.name in ("form",), f"{name} {option.name}"


def test_help_lists_the_commands_and_unknown_ones_are_usage_errors(capsys: Captured) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in COMMANDS)
    assert main(["nonsense"]) == 2
    assert "No such command" in capsys.readouterr().err


def test_evaluate_prints_in_four_forms(data: Path, capsys: Captured) -> None:
    words = ["evaluate", *pair(data), "--labels", str(data / "labels.toml"), "-m", "iou", "-m", "fbeta(beta=2)"]
    assert main(words) == 0
    table = capsys.readouterr()
    assert "road" in table.out
    assert "fbeta(beta=2)" in table.out
    assert main([*words, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {r["metric"] for r in rows} == {"iou", "fbeta(beta=2)"}
    assert main([*words, "--format", "csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("metric,class,over,value")
    assert len(lines) == 1 + len(rows)
    assert main([*words, "--format", "md"]) == 0
    assert capsys.readouterr().out.startswith("| metric | class |")


def test_inspect_says_what_is_there_and_what_is_wrong(data: Path, tmp_path: Path, capsys: Captured) -> None:
    assert main(["inspect", *pair(data), "--labels", str(data / "labels.toml")]) == 0
    text = capsys.readouterr().out
    assert "6 pairs" in text
    assert "void: " in text
    assert "task auto: semantic" in text
    assert main(["inspect", *pair(data), "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [x["label"] for x in facts["labels"]] == [0, 1, 9]
    gt = np.concatenate([np.load(p) for p in sorted((data / "gt").iterdir())])
    assert [x["gt_pixels"] for x in facts["labels"]] == [(gt == k).sum() for k in (0, 1, 9)]
    np.save(tmp_path / "a.npy", np.zeros((3, 3), np.uint8))
    np.save(tmp_path / "b.npy", np.full((3, 4), 5, np.uint8))
    words = ["inspect", str(tmp_path / "a.npy"), str(tmp_path / "b.npy"), "--classes", "0-1"]
    assert main(words) == 3
    text = capsys.readouterr().out
    assert "shape (3, 3) in the ground truth, (3, 4) in the prediction" in text
    assert "labels of the prediction that are not declared: 5" in text


def test_metrics_lists_and_defines(capsys: Captured) -> None:
    assert main(["metrics"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in mm.METRICS)
    assert main(["metrics", "fbeta"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("fbeta(beta)")
    assert "higher is better" in text
    assert main(["metrics", "iuo"]) == 2
    assert "did you mean iou" in capsys.readouterr().err


def test_explain_shows_the_counts(data: Path, capsys: Captured) -> None:
    run = str(data / "run")
    assert main(["explain", run, "iou", "--class", "sky"]) == 0
    text = capsys.readouterr().out
    stored = mm.open_run(run)
    c = stored.pooled
    assert f"{int(c.tp[1]):,}" in text
    assert f"{stored.value('iou', class_='sky'):.10g}" in text
    assert "left out" in text
    assert main(["explain", run, "iou", "--class", "sky", "--image", "3"]) == 0
    assert main(["explain", run, "iou", "--class", "car"]) == 2
    assert main(["explain", run, "pq"]) == 2
    assert main(["explain", str(data), "iou"]) == 3


def test_a_reader_that_goes_away_is_no_error(data: Path) -> None:
    line = f"{sys.executable} -m maskmeter metrics | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert done.stderr == ""


def test_inspect_reads_scores_as_evaluate_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, scores = np.array([[0, 1, 1]], np.uint8), np.array([[0.25, 0.5, 1.0]], np.float32)
    np.save(tmp_path / "gt.npy", truth)
    np.save(tmp_path / "score.npy", scores)
    np.save(tmp_path / "odd.npy", scores + np.float32(0.5))
    np.save(tmp_path / "classes.npy", np.stack([1 - scores, scores], axis=-1))
    files = str(tmp_path / "gt.npy"), str(tmp_path / "score.npy")
    assert main(["inspect", *files]) == 0
    out = capsys.readouterr().out
    assert "scores from 0.25 to 1" in out and "fractions: a score map" in out and "!" not in out
    assert main(["inspect", files[0], str(tmp_path / "odd.npy"), "--format", "json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["pred"]["scores"] == [0.75, 1.5] and "1 score lies outside [0, 1]" in found["problems"][0]
    assert main(["inspect", files[0], str(tmp_path / "odd.npy"), "--logits"]) == 0
    capsys.readouterr()
    classes = files[0], str(tmp_path / "classes.npy")
    assert main(["inspect", *classes]) == 3
    assert "scores of classes along axis 2 are read with --class-axis 2" in capsys.readouterr().out
    assert main(["inspect", *classes, "--class-axis", "-1"]) == 0
    assert "scores of classes along axis -1" in capsys.readouterr().out
    for command in ("inspect", "evaluate"):
        assert main([command, *classes, "--class-axis", "0"]) == 3
        said = capsys.readouterr()
        assert "its classes lie along axis 2: --class-axis 2" in said.out + said.err


def test_inspect_sums_up_ids_and_refuses_negative_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = np.kron(np.arange(400).reshape(20, 20), np.ones((2, 2), int))
    np.save(tmp_path / "ids.npy", ids)
    np.save(tmp_path / "negative.npy", ids - 1)
    assert main(["inspect", str(tmp_path / "ids.npy"), str(tmp_path / "ids.npy")]) == 0
    assert "ground truth: 399 ids besides 0 over all images, of 4 to 4 pixels, median 4\n" in capsys.readouterr().out
    assert main(["inspect", str(tmp_path / "negative.npy"), str(tmp_path / "ids.npy")]) == 3
    assert (
        "! " + str(tmp_path / "negative.npy") + ": label -1 in the ground truth is negative" in capsys.readouterr().out
    )
