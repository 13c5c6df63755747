"""The section on what went wrong with detections."""

import json
from pathlib import Path

import maskmeter as mm
from maskmeter.report import to_html


def test_says_kinds_confusions_and_calibration(tmp_path: Path) -> None:
    box = [0, 0, 10, 10]
    square = {"image_id": 1, "segmentation": [[0, 0, 10, 0, 10, 10, 0, 10]], "bbox": box}
    gt = {
        "images": [{"id": 1, "height": 30, "width": 30, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "<cat>"}, {"id": 2, "name": "dog"}],
        "annotations": [{**square, "id": 1, "category_id": 1, "area": 100, "iscrowd": 0}],
    }
    (tmp_path / "gt.json").write_text(json.dumps(gt))
    for score in (0.9, 4.0):  # the second is no probability
        results = [{"image_id": 1, "category_id": 2, "bbox": box, "score": score},
                   {"image_id": 1, "category_id": 1, "bbox": box, "score": score / 2}]  # fmt: skip
        (tmp_path / "pred.json").write_text(json.dumps(results))
        page = to_html(mm.evaluate(tmp_path / "gt.json", tmp_path / "pred.json", on="box"))
        assert "right place, wrong class" in page
        assert ("Whether scores are precisions" in page) == (score < 1)
        assert "<cat>" not in page


def test_a_metric_that_has_no_better_end_is_defined_too(tmp_path: Path) -> None:
    test_says_kinds_confusions_and_calibration(tmp_path)
    page = to_html(mm.evaluate(tmp_path / "gt.json", tmp_path / "pred.json", ["best_score"], on="box"))
    assert "no end is better" in page
