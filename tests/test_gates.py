"""Gates: conditions that hold and fail, reasons, reports, and the recipes of docs/gates.md as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import maskmeter as mm
from maskmeter.cli import main
from maskmeter.comparison import compare
from maskmeter.gates import as_junit, named, no_worse, require, summary, table

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "gates.md").read_text("utf-8")


def evaluated(share: float, **more: str) -> mm.Evaluation:
    """30 images of classes 0, 1 and 2, a share of whose class 2 is missed; class 7 is in none, 8 is only predicted."""
    done = mm.Evaluation(["mean_iou", "iou", "volume_difference"], classes=[0, 1, 2, 7, 8], **more)
    for i in range(30):
        rng = np.random.default_rng(i)
        gt = rng.integers(0, 3, 300)
        missed = (gt == 2) & (rng.random(300) < share * rng.uniform(0.5, 1.5))
        pred = np.where(missed, 0, gt)
        pred[0] = 8
        done.update(gt, pred, image=f"{i:02d}")
    return done


@pytest.fixture(scope="module")
def runs() -> tuple[mm.Evaluation, mm.Evaluation]:
    return evaluated(0.2), evaluated(0.3)


def test_conditions_hold_or_say_by_how_much_they_fail(runs: tuple[mm.Evaluation, mm.Evaluation]) -> None:
    a, _ = runs
    value, low = a.value("iou", class_=2), next(r for r in a.rows() if (r.metric, r.class_) == ("iou", "2")).low
    for condition, holds in {
        f"iou[2]>={value!r}": True,
        f"iou[2]>{value!r}": False,
        f"iou[2]<={value!r}": True,
        f"low(iou[2])>={low!r}": True,
        f"low(iou[2])>{low!r}": False,
        "iou[1]@images>0.9": True,
        "high(iou[2])@images<0.999": True,
        "volume_difference[2]<-0.5": False,
    }.items():
        (found,) = require(a, condition)
        assert found.passed is holds, condition
    (short,) = require(a, "iou[2]>=0.9")
    assert short.said == f"{value:.6g}, short by {0.9 - value:.4g}"
    for wrong in ("iou>=0", "iou[5]>=0", "pq>=0", "iou[2]>=.", "iou[2]=0.5", "low(iou[2]>=0", "mean_iou[*]>=0"):
        with pytest.raises(mm.UsageError):
            require(a, wrong)


def test_every_class_is_asked_and_undefined_ones_fail_with_the_reason(
    runs: tuple[mm.Evaluation, mm.Evaluation],
) -> None:
    a, _ = runs
    found = {o.class_: o for o in require(a, "iou[*]>0.5")}
    assert [c for c, o in found.items() if o.passed] == ["0", "1", "2"]
    assert found["7"].said == (
        "undefined: neither side has this class in any of the 30 images; iou[present] asks only the classes that it has"
    )
    assert found["8"].said == "0, short by 0.5"
    (lost,) = require(a, "volume_difference[8]<=1")
    assert lost.said == "undefined: the ground truth lacks this class in all of the 30 images"
    (none,) = require(evaluated(0.2, intervals="none"), "low(mean_iou)>=0")
    assert not none.passed and none.said.endswith("has no interval: the run was made with --intervals none")
    lines = table(list(found.values()))
    assert [line[:2] for line in lines] == [
        ("iou[*]>0.5 [7]", "FAIL"), ("iou[*]>0.5 [8]", "FAIL"), ("iou[*]>0.5", "pass"),
    ]  # fmt: skip
    assert lines[2][2] == "3 of 5 classes" and summary(list(found.values())) == "failed: 1 of 1 condition"


def test_a_significant_loss_fails_and_luck_does_not(runs: tuple[mm.Evaluation, mm.Evaluation]) -> None:
    a, b = runs
    worse, better = compare(a, b), compare(b, a)
    for value in ("mean_iou", "iou[2]", "iou[2]@images"):
        (lost,), (kept,) = no_worse(worse, value), no_worse(better, value)
        assert not lost.passed and kept.passed and lost.said.startswith("significant loss")
    found = {o.class_: o for o in no_worse(worse, "iou[*]@images")}
    assert not found["2"].passed and "p = " in found["2"].said and found["1"].passed
    assert found["7"].said == "undefined in the baseline and in this run"
    assert [o.class_ for o in no_worse(worse, "iou")] == ["0", "1", "2", "7", "8"]
    assert all(o.passed for o in no_worse(compare(a, a), "iou[*]@images") if o.class_ in ("0", "1", "2"))
    with pytest.raises(mm.UsageError, match="no class '9'"):
        no_worse(worse, "iou[9]")
    assert named("iou[a]b]@images") == ("iou", "a]b", "images")
    suite = ElementTree.fromstring(as_junit([*found.values()]))
    assert suite.attrib["tests"] == "5" and len(suite.findall("testcase/failure")) == int(suite.attrib["failures"])


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the recipes know it, with a run of main, and `maskmeter` on the path."""
    root = tmp_path_factory.mktemp("project")
    for side in ("gt", "pred", "old"):
        (root / "data" / side).mkdir(parents=True)
    for i in range(8):
        rng = np.random.default_rng(i)
        gt = rng.integers(0, 3, (20, 20), np.uint8)
        np.save(root / f"data/gt/{i}.npy", gt)
        for side, share in (("pred", 0.05), ("old", 0.06)):
            np.save(root / f"data/{side}/{i}.npy", np.where(rng.random(gt.shape) < share, 0, gt))
    mm.evaluate(root / "data/gt", root / "data/old", out=root / "runs/main")
    (root / "bin").mkdir()
    script = root / "bin/maskmeter"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m maskmeter "$@"\n')
    script.chmod(0o755)
    return root


def shell(script: str, project: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": f"{project / 'bin'}:{os.environ['PATH']}"}
    return subprocess.run(["bash", "-e", "-c", script], cwd=project, env=env, capture_output=True, text=True)


def test_the_recipe_for_a_shell_runs(project: Path) -> None:
    (recipe,) = blocks("bash")
    done = shell(recipe, project)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("passed: all 5 conditions hold\n")
    assert ElementTree.parse(project / "gate/junit.xml").getroot().attrib["failures"] == "0"


def test_the_recipe_for_github_gates(project: Path) -> None:
    """The steps of maskmeter in the workflow, each as the runner gives it to bash, with a condition that fails."""
    (workflow,) = blocks("yaml")
    gate = next(x for x in re.findall(r"run: \|\n((?: {10}.*\n)+)", workflow) if "--no-worse" in x)
    assert "run: maskmeter evaluate data/gt data/pred -o runs/new\n" in workflow
    if not (project / "runs/new").exists():
        mm.evaluate(project / "data/gt", project / "data/pred", out=project / "runs/new")
    done = shell(gate.replace("mean_iou>=0.75", "mean_iou>=0.999"), project)
    assert done.returncode == 1, done.stderr
    assert "mean_iou>=0.999" in done.stdout and "short by" in done.stdout
    comment = (project / "gate/comment.md").read_text("utf-8")
    assert comment.startswith("**maskmeter gate failed: 1 of 4 conditions**") and "| FAIL |" in comment
    for step in re.findall(r"maskmeter gate .*?(?=\n {6}- )", workflow, re.DOTALL):
        assert "--junit gate/junit.xml --markdown gate/comment.md" in step


def test_the_command_line_knows_wrong_usage(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(project / "runs/main")
    assert main(["gate", run]) == 2
    assert main(["gate", run, "--no-worse", "iou"]) == 2
    assert main(["gate", run, "--baseline", run, "--no-worse", "nothing"]) == 2
    capsys.readouterr()
    assert main(["gate", run, "--require", "iou[*]>0.99", "--format", "md"]) == 1
    assert capsys.readouterr().out.startswith("**maskmeter gate failed: 1 of 1 condition**")


def test_a_class_that_the_ground_truth_lacks_may_be_left_out(runs: tuple[mm.Evaluation, mm.Evaluation]) -> None:
    a, b = runs
    found = {o.class_: o for o in require(a, "iou[present]>0.5")}
    assert {c: (o.passed, o.asked) for c, o in found.items()} == {
        "0": (True, True), "1": (True, True), "2": (True, True), "7": (True, False), "8": (True, False),
    }  # fmt: skip
    assert table(list(found.values())) == [
        ("iou[present]>0.5", "", "not asked: 7, 8, which the ground truth does not have"),
        ("iou[present]>0.5", "pass", "3 of 3 classes"),
    ]
    assert as_junit(list(found.values())).count("<skipped") == 2
    lost = no_worse(compare(a, b), "iou[present]@images", b)
    assert [(o.class_, o.passed) for o in lost if o.asked] == [("0", False), ("1", True), ("2", False)]
    assert [o.class_ for o in lost if not o.asked] == ["7", "8"]
    nothing = mm.Evaluation(["iou"], classes=[0, 1], ignore=5)
    nothing.update(np.full(4, 5), np.zeros(4, int))
    assert [o.said for o in require(nothing, "iou[present]>0") if not o.passed] == [
        "the ground truth has none of the classes"
    ]
    objects = mm.Evaluation(["pq"], task="panoptic", classes=[1, 2, 3])
    objects.update(([[1, 2]], [[1, 1]]), ([[1, 2]], [[1, 1]]))
    kept = {o.class_: o for o in require(objects, "pq[*]>0.5")}
    assert not kept["3"].passed and kept["3"].said.startswith("undefined: the ground truth does not have this class")
    assert [o.class_ for o in require(objects, "pq[present]>0.5") if o.asked] == ["1", "2"]


def test_few_images_are_said_to_be_too_few_as_in_a_comparison() -> None:
    def shifted(by: int, images: int) -> mm.Evaluation:
        meter = mm.Evaluation(["accuracy"])
        for i in range(images):
            meter.update(np.zeros(40, int), (np.arange(40) < i + by).astype(int), image=str(i))
        return meter

    few, enough = (compare(shifted(0, n), shifted(9, n)) for n in (5, 6))
    for value in ("accuracy", "accuracy@images"):
        (outcome,), (lost,) = no_worse(few, value), no_worse(enough, value)
        assert not outcome.passed and outcome.said.startswith("undecided, too few: 5 images or groups with a value")
        assert not lost.passed and lost.said.startswith("significant loss")
        assert no_worse(compare(shifted(9, 5), shifted(9, 5)), value)[0].passed
    assert {d.verdict for d in few.lines} == {"few"} and {d.verdict for d in enough.lines} == {"worse"}
    assert str(few).startswith("No test can say whether B is better than A with fewer than 6 images")
    assert few.remarks == ["5 images: no test can tell luck from difference below 6, so nothing is called better"]
