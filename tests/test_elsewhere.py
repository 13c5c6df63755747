"""What another package would print: the values are those of its convention, and the reasons are its rules."""

import json
from pathlib import Path

import numpy as np
import pytest

import maskmeter as mm
from maskmeter.cli import main
from maskmeter.elsewhere import EMPTY, MODELS, elsewhere
from maskmeter.matching import CONVENTIONS as OBJECTS
from maskmeter.metrics import METRICS
from maskmeter.metrics._metric import REQUIRED
from maskmeter.metrics.boundaries import RULES
from maskmeter.statistics.detection_rules import CONVENTIONS


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three binary images: alike, moved by two pixels, and an object that is not there."""
    root = tmp_path_factory.mktemp("elsewhere")
    for side in ("gt", "pred"):
        (root / side).mkdir()
    for i in range(3):
        gt, pred = np.zeros((2, 24, 24), np.uint8)
        if i < 2:
            gt[4:12, 4:12] = 1
        pred[4:12, 4 + 2 * (i == 1) : 12] = 1
        np.save(root / f"gt/{i}.npy", gt)
        np.save(root / f"pred/{i}.npy", pred)
    mm.evaluate(root / "gt", root / "pred", ["dice", "iou"], task="binary", out=root / "run")
    return root / "run"


def test_the_command_counts_what_the_run_did_not(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(run), "assd", "--versus", "MONAI"]) == 0
    out = capsys.readouterr().out
    gt, pred = (np.load(run.parent / f"{side}/1.npy") == 1 for side in ("gt", "pred"))
    for convention in (None, "monai"):
        assert f"{mm.assd(gt, pred, convention=convention):.4f}" in out
    assert "1 of 3 images differ" in out
    assert MODELS["inner"] in out and "each counting one; ours a mesh" in out
    assert "-m 'assd(convention=monai)'" in out
    assert main(["explain", str(run), "masd"]) == 0, "a metric that was not asked for is counted from the files"


def test_empty_masks_of_other_packages(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(run), "dice", "--versus", "monai"]) == 0
    out = capsys.readouterr().out
    assert "1 of 3 images differ" in out
    mean = (1 + 2 * 48 / (64 + 48)) / 2
    assert f"{2 / 3 * mean:.4f}" in out and f"{mean:.4f}" in out and "is left out" in out
    assert main(["explain", str(run), "dice", "--versus", "medpy"]) == 0
    assert "no image differs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["accuracy", "--versus", "monai"], "nothing is known of how monai would compute accuracy"),
        (["dice", "--versus", "nothing"], "there are medpy, metricsreloaded, smp, monai"),
        (["nsd", "--versus", "monai"], "nsd needs tolerance"),
        (["dice", "--versus", "monai", "--image", "1"], "leave --image out"),
        (["dice", "--versus", "monai", "--class", "9"], "has no class '9'"),
    ],
)
def test_what_cannot_be_said(run: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(run), *words]) == 2
    assert says in capsys.readouterr().err


def test_files_that_are_gone_are_named(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "moved"
    for side in ("gt", "pred"):
        (root / side).mkdir(parents=True)
        np.save(root / side / "a.npy", np.eye(4, dtype=bool))
    mm.evaluate(root / "gt", root / "pred", ["dice"], out=tmp_path / "run")
    root.rename(tmp_path / "elsewhere")
    assert main(["explain", str(tmp_path / "run"), "dice", "--versus", "monai"]) == 0, "what is stored needs no files"
    assert main(["explain", str(tmp_path / "run"), "assd", "--versus", "monai"]) == 3
    assert str(root / "gt") in capsys.readouterr().err


def test_detections_under_other_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    box, image = [0, 0, 10, 10], {"id": 1, "width": 20, "height": 20}
    one = {"image_id": 1, "category_id": 1, "bbox": box, "segmentation": [[0, 0, 10, 0, 10, 10, 0, 10]]}
    gt = {"images": [image], "categories": [{"id": 1, "name": "a"}], "annotations": [{**one, "id": 0, "area": 100}]}
    (tmp_path / "gt.json").write_text(json.dumps(gt))
    (tmp_path / "pred.json").write_text(json.dumps([{**one, "score": 0.5}]))
    mm.evaluate(tmp_path / "gt.json", tmp_path / "pred.json", out=tmp_path / "run")
    assert main(["explain", str(tmp_path / "run"), "ap", "--versus", "pycocotools"]) == 0
    out = capsys.readouterr().out
    assert "-1.0000" in out, "the annotation with id 0 is found here and not there"
    assert "not there: ids of annotations (0, or equal ones) do not matter" in out and "--convention coco" in out


def test_reasons_are_those_of_the_metric_itself() -> None:
    assert "a match may equal the threshold" in elsewhere(mm.pq, "stardist").why
    assert not any("threshold" in why for why in elsewhere(mm.pq, "panopticapi").why)
    assert "a match must exceed the threshold" in elsewhere(mm.object_f1.at(iou=0.5), "panopticapi").why
    assert elsewhere(mm.aji, "monuseg").why == ("of equal IoUs the first id is taken, and 1e-6 is added to unions",)
    with pytest.raises(mm.UsageError, match="there are monuseg, cellpose"):
        elsewhere(mm.aji, "stardist")


NUMBERS = ("tolerance", "width", "iou", "beta", "precision", "specificity", "false_per_image", "score")
GIVEN = {**dict.fromkeys(NUMBERS, 0.5), "metric": "dice", "kind": "missed"}


@pytest.mark.parametrize("name", [*RULES, *EMPTY, *OBJECTS, *CONVENTIONS])
def test_every_package_has_its_reasons(name: str) -> None:
    known = 0
    for m in METRICS.values():
        m = m.at(**{k: GIVEN[k] for k, v in m.defaults.items() if v is REQUIRED})
        try:
            found = elsewhere(m, name)
        except mm.UsageError:
            continue
        known += 1
        assert found.metric.name == m.name
        assert all(found.why), (m.name, found.why)
    assert known
