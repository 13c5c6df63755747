"""The four questions of the opening page, and what the page knows of all images."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from maskmeter.comparison import compare
from maskmeter.evaluation import Evaluation
from maskmeter.fates import fates
from maskmeter.report import all_images, to_html, write_report
from maskmeter.report.findings import Findings
from maskmeter.run import evaluate
from report.page_parser import Parsed

Make = Callable[..., Evaluation]


def test_every_question_is_answered(street_run: Evaluation, cells_run: Evaluation, vessels_run: Evaluation) -> None:
    for run in (street_run, cells_run, vessels_run):
        text = Parsed(to_html(run)).text
        for question in ("How good is it?", "Where is it wrong?", "Is it better than the other?", "How sure is that?"):
            assert question in text
        assert "No other run was given" in text


def test_numbers_in_sentences_are_those_of_the_run(street_run: Evaluation) -> None:
    text = Parsed(to_html(street_run)).text
    assert f"Mean IoU is {street_run.value('mean_iou'):.3f} over all pixels" in text
    values = {str(t): street_run.value("iou", class_=t) for t in ("road", "pavement", "car")}
    worst = min(values, key=values.__getitem__)
    assert f"The worst class is {worst} (IoU {values[worst]:.3f})" in text


def test_objects_are_counted(cells_run: Evaluation) -> None:
    text = Parsed(to_html(cells_run)).text
    said = re.search(r"Of ([\d,]+) objects ([\d,]+) are missed", text)
    assert said
    assert f"{said[1]} in the ground truth" in text
    for one, side, fate in (("prediction", "gt", "missed"), ("object", "pred", "hallucinated")):
        of = [f for f in fates(cells_run.statistic("overlap"), 0.5) if (f.side, f.fate) == (side, fate)]
        alone = sum(f.iou == 0 for f in of)
        verb = "overlaps" if alone == 1 else "overlap"
        apart = f"{alone} {verb} no {one}, {len(of) - alone} one too little"
        assert re.search(rf"{len(of)} (is|are) {fate} \({apart}\)", text), "badly drawn is not invented"
        assert text.count(apart) == 2, "in the section too"


def test_a_better_run_is_called_better(arrays: Make) -> None:
    rng = np.random.default_rng(3)
    runs = Evaluation(), Evaluation()
    for i in range(40):
        gt = rng.integers(0, 3, (32, 32))
        for run, share in zip(runs, (0.4, 0.1), strict=True):
            run.update(gt, np.where(rng.random(gt.shape) < share, 0, gt), image=f"{i}")
    text = Parsed(to_html(*runs)).text
    line = next(x for x in compare(*runs).lines if x.metric == "mean_iou" and x.over == "images")
    assert f"No: B is better by {line.difference:.3f} of mean_iou" in text
    assert (
        f"On {line.worse} of 40 images with a value on both sides this run is better, on {line.better} the other"
        in text
    )
    assert "Yes: it is better than B" in Parsed(to_html(*runs[::-1])).text
    assert "Nobody can say" in Parsed(to_html(runs[0], runs[0])).text


def test_runs_that_cannot_be_compared_say_why(arrays: Make) -> None:
    text = Parsed(to_html(arrays(images=3), arrays(images=3, names=["x", "y", "z"]))).text
    assert "The two cannot be compared: the two runs have no image in common" in text


def known(html: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="all-images">(.*?)</script>', html, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_all_images_are_known(street_run: Evaluation) -> None:
    data = known(to_html(street_run))
    assert data["names"] == list(street_run.images)
    values = street_run.image_values("mean_iou")[1][:, -1]
    assert data["metrics"] == {"mean_iou": [round(1000 * v) for v in values.tolist()]}
    assert [name for name, _ in data["classes"]] == ["road", "pavement", "car", "sky"]  # type: ignore[attr-defined]


def test_undefined_is_null(arrays: Make) -> None:
    made = Evaluation(metrics=["iou"])
    made.update(np.zeros((4, 4), bool), np.zeros((4, 4), bool), image="empty")
    made.update(np.ones((4, 4), bool), np.ones((4, 4), bool), image="full")
    assert all_images.data(Findings(made), [], None)["metrics"]["iou"] == [None, 1000]


def test_pictures_beside_the_page(street_run: Evaluation, tmp_path: Path) -> None:
    write_report(street_run, tmp_path / "page.html", pictures="all")
    data = known((tmp_path / "page.html").read_text("utf-8"))
    drawn = data["pictures"]
    assert isinstance(drawn, dict)
    embedded = set(map(str, data["embedded"]))  # type: ignore[call-overload]
    assert set(drawn) == {str(i) for i in range(30)} - embedded
    files = {name for _, _, *names in drawn.values() for name in names if name}
    assert files == {p.name for p in (tmp_path / "page_pictures").iterdir()}


@pytest.mark.parametrize("images", [500])
def test_the_page_of_many_images_is_small(arrays: Make, images: int) -> None:
    made = arrays(classes=19, images=images)
    data = json.dumps(all_images.data(Findings(made), [], None), separators=(",", ":"))
    assert len(to_html(made).encode()) + len(data) < 300_000


def test_detections_have_figures_and_answers(shared_data: Path) -> None:
    folder = shared_data / "coco_100"
    run = evaluate(folder / "gt_instances_val2014_100.json", folder / "pred_fakesegm100.json", ["ap", "ap50"])
    text = Parsed(to_html(run)).text
    assert f"AP is {run.value('ap'):.3f}, AP50 is {run.value('ap50'):.3f}: means over the classes" in text
    values = {t: run.value("ap", class_=t) for t in run.titles(run.metrics[0]) if t}
    least = min(v for v in values.values() if v == v)
    assert f"(AP {least:.3f}), the best" in text and "How sure is that?" in text
