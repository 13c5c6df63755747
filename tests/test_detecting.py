"""COCO files as a run: the stored numbers of pycocotools, lvis-api and boundary-iou-api, with `==`."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskmeter import evaluate
from maskmeter.asked import TWELVE
from maskmeter.cli import main
from maskmeter.judging import read_detections
from maskmeter.metrics import METRICS

GT = "coco_100/gt_instances_val2014_100.json"
MASKS = "coco_100/pred_fakesegm100.json"
LVIS = {"AP": "ap", "APr": "ap_rare", "APc": "ap_common", "APf": "ap_frequent", "AR@300": "ar_300"}


def numbers(gt: Path, pred: Path, **choices: Any) -> list[float]:
    done = evaluate(gt, pred, task="detection", **choices)
    return [-1.0 if (v := done.value(name)) != v else v for name in TWELVE]


@pytest.fixture
def expected(shared_data: Path) -> dict[str, Any]:
    return json.loads((shared_data / "expected/values.json").read_text())


def test_the_numbers_of_pycocotools(shared_data: Path, expected: dict[str, Any]) -> None:
    gt, known = shared_data / GT, expected["coco_100"]
    boxes = shared_data / "coco_100/pred_fakebbox100.json"
    assert numbers(gt, boxes, convention="coco", on="box") == known["pycocotools_bbox"]
    assert numbers(gt, shared_data / MASKS, convention="coco") == known["pycocotools_segm"]
    assert numbers(gt, shared_data / MASKS, convention="coco-boundary") == known["boundary_segm_ratio_0.02"]


@pytest.mark.parametrize("model", "AB")
def test_real_dirt(shared_data: Path, expected: dict[str, Any], model: str) -> None:
    gt, pred = (shared_data / "coco_tumour" / n for n in ("gt_test.json", f"pred_test_model{model}.json"))
    known = expected[f"coco_tumour/model{model}"]
    assert numbers(gt, pred, convention="coco") == known["pycocotools_segm"]
    assert numbers(gt, pred, convention="coco-detectron2") == known["pycocotools_segm_bbox_dropped"]
    done = evaluate(gt, pred, task="detection")
    assert done.value("ap") == known["pycocotools_segm_with_gt_ids_plus_1"][0]
    assert any("ids of annotations" in n and "moves ap" in n for n in done.notices)


def test_a_file_is_judged_without_a_run(shared_data: Path, expected: dict[str, Any]) -> None:
    files = shared_data / GT, shared_data / MASKS
    one, two = (read_detections(*files, convention="coco", workers=n) for n in (1, 2))
    known = expected["coco_100"]["pycocotools_segm"]
    for d in (one, two):
        assert [float(METRICS[name].values(d)[-1]) for name in TWELVE] == known
    pooled = read_detections(*files, convention="coco", use_cats=False)
    assert pooled.classes.tolist() == [-1]
    assert 0 < METRICS["ap"].values(pooled)[-1] < 1


@pytest.mark.parametrize(("kind", "on"), [("bbox", "box"), ("segm", "mask"), ("segm_nobbox", "mask")])
def test_the_edge_cases_of_pycocotools(shared_data: Path, tmp_path: Path, kind: str, on: str) -> None:
    """From files to the twelve numbers and the whole arrays, to the bit."""
    gt, pred = tmp_path / "gt.json", tmp_path / "pred.json"
    for case in json.loads((shared_data / "expected/coco_edge_cases.json").read_text()):
        known = case["expected"][kind]
        results = [{k: v for k, v in r.items() if kind != "segm_nobbox" or k != "bbox"} for r in case["dt"]]
        gt.write_text(json.dumps(case["gt"]))
        pred.write_text(json.dumps(results))
        d = read_detections(gt, pred, convention="coco", on=on)
        stats = [float(METRICS[name].values(d)[-1]) for name in TWELVE]
        assert [-1.0 if x != x else x for x in stats] == known["stats"], case["name"]
        curves = [[d.precision(a, m) or pytest.fail("no curve") for m in (1, 10, 100)] for a, *_ in d.rules.areas]
        precision = np.stack([np.stack([c[0] for c in row], -1) for row in curves], -2)
        assert hashlib.sha256(np.ascontiguousarray(precision).tobytes()).hexdigest() == known["precision_sha256"]
        recall = np.stack([np.stack([c[2] for c in row], -1) for row in curves], -2)
        assert recall.tolist() == known["recall"], case["name"]


def test_lvis_is_recognised(shared_data: Path, expected: dict[str, Any]) -> None:
    done = evaluate(shared_data / "lvis_100/gt.json", shared_data / "lvis_100/pred.json")
    assert {k: done.value(name) for k, name in LVIS.items()} == expected["lvis_100"]["lvis_segm"]


def test_a_run_resumes_to_the_same_bytes(shared_data: Path, tmp_path: Path) -> None:
    for k, more in (("a", {}), ("b", {"workers": 1}), ("b", {"resume": True})):
        evaluate(shared_data / GT, shared_data / MASKS, ["ap", "ar_100"], out=tmp_path / k, task="detection", **more)
    assert (tmp_path / "a/results.json").read_bytes() == (tmp_path / "b/results.json").read_bytes()


def test_the_command_line_prints_classes_and_numbers(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = shared_data / "coco_tumour"
    words = [str(root / "gt_test.json"), str(root / "pred_test_modelA.json"), "--convention", "coco"]
    assert main(["evaluate", *words, "-o", str(tmp_path / "a"), "--no-report"]) == 0
    out = capsys.readouterr().out
    assert "57 objects in the ground truth" in out and "Tumor (category 1)" in out and "0.3582" in out
    assert main(["evaluate", *words, "--on", "box", "-o", str(tmp_path / "b"), "--no-report"]) == 0
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 2
    assert "differ in on" in capsys.readouterr().err
