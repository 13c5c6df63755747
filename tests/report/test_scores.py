"""Score maps: curves, the threshold, calibration, and the pictures that can be thresholded again."""

from __future__ import annotations

import csv
import io
import json
import re
from base64 import b64decode
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskmeter.evaluation import Evaluation
from maskmeter.metrics import best_threshold, dice, ece, froc_curve, iou
from maskmeter.report import to_html, words, write_figures
from maskmeter.report.findings import Findings
from maskmeter.run import evaluate
from maskmeter.statistics.confusion import confusion
from report.page_parser import Parsed
from report.test_page import OBJECTS, PICTURE
from report.test_sections import table

KINDS = ("u1", "u2", "f4", "logits")


def run(vessels: Path, kind: str, **more: Any) -> Evaluation:
    return evaluate(
        vessels / "gt",
        vessels / kind,
        mask=vessels / "region",
        images=vessels / "photos",
        logits=kind == "logits",
        **more,
    )


def embedded(html: str) -> dict[str, Any]:
    """The counts that the page holds."""
    found = re.search(r'<script type="application/json" id="threshold-data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def scores_of(vessels: Path, kind: str, i: int) -> np.ndarray[Any, Any]:
    if kind in ("u1", "u2"):
        pixels = np.array(Image.open(vessels / kind / f"{i}.png"))
        return pixels / np.iinfo(pixels.dtype).max
    pixels = np.load(vessels / kind / f"{i}.npy")
    return pixels if kind == "f4" else (1 / (1 + np.exp(-pixels.astype(np.float64)))).astype(np.float32)


def counted_here(vessels: Path, kind: str, threshold: float) -> tuple[int, int]:
    """True and false positives, plainly."""
    tp = fp = 0
    for i in range(5):
        gt, region = (np.array(Image.open(vessels / f / f"{i}.png")) > 0 for f in ("gt", "region"))
        score = scores_of(vessels, kind, i)
        found = (score >= score.dtype.type(threshold)) & region
        tp, fp = tp + int((found & gt).sum()), fp + int((found & ~gt).sum())
    return tp, fp


def test_sections_of_score_maps(vessels_run: Evaluation) -> None:
    page = Parsed(to_html(vessels_run))
    assert page.sections[:5] == ["summary", "curves", "threshold", "calibration", "confusion"]
    assert not OBJECTS & set(page.sections)
    links = [a["href"] for a in page.with_tag("a") if a.get("href")]
    assert {x[1:] for x in links if x} <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)
    tags = [tag for tag, _ in page.elements]
    assert tags.count("caption") == tags.count("table")
    assert all(a.get("alt") for a in page.with_tag("img"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threshold", [0.5, 0.37])
def test_the_page_holds_the_counts_at_every_stop(vessels: Path, kind: str, threshold: float) -> None:
    made = run(vessels, kind, threshold=threshold)
    found = Findings(made)
    data = embedded(to_html(made))
    assert len(data["stops"]) <= 256
    assert data["stops"][data["used"]] == threshold
    assert data["tp"][data["used"]] == made.pooled.tp[1]
    assert data["fp"][data["used"]] == made.pooled.fp[1]
    for at in (0, 1, 60, 100, 128, 200, len(data["stops"]) - 1):
        assert (data["tp"][at], data["fp"][at]) == counted_here(vessels, kind, float(found.stops[at]))


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_hold_the_scores(vessels: Path, kind: str) -> None:
    made = run(vessels, kind)
    html = to_html(made)
    cards = re.findall(r'<figure class="card".*?</figure>', html, re.DOTALL)
    stops = Findings(made).stops
    assert len(cards) == 5
    for card in cards:
        name = re.search(r'class="name">(\d)<', card)
        drawn = re.search(r'class="pred"[^>]*src="data:image/png;base64,([^"]+)"', card)
        assert name and drawn
        pixels = np.array(Image.open(io.BytesIO(b64decode(drawn[1]))))
        score = scores_of(vessels, kind, int(name[1]))
        for at in (50, 128, 190):
            assert ((pixels >= at) == (score >= stops[at])).all()


def test_cards_hold_the_counts_of_their_image(vessels_run: Evaluation) -> None:
    html = to_html(vessels_run)
    used = embedded(html)["used"]
    for card in re.findall(r'<figure class="card" data-counts=\'(.*?)\'>.*?class="value">([\d.]+)<', html, re.DOTALL):
        own = json.loads(card[0])
        tp, fp = own["tp"][used], own["fp"][used]
        assert words.figure(tp / (own["positives"] + fp)) == card[1]


def test_pixels_outside_the_region_are_hatched(vessels_run: Evaluation) -> None:
    html = to_html(vessels_run)
    drawn = re.search(r'class="gt"[^>]*src="data:image/png;base64,([^"]+)"', html)
    assert drawn
    pixels = np.array(Image.open(io.BytesIO(b64decode(drawn[1]))).convert("RGB"))
    hatched = np.isin(pixels[..., 0], (90, 150)) & (pixels[..., 0] == pixels[..., 1])
    assert hatched[:6].all() and hatched[-6:].all() and not hatched[6:-6, 8:-8].any()
    assert "not counted" in html


def test_best_thresholds_come_with_a_caution(vessels_run: Evaluation) -> None:
    page = Parsed(to_html(vessels_run))
    scores = vessels_run.statistic("scores")
    best = best_threshold.at(metric=dice).compute(scores)
    shown = table(page, "Best for")
    assert shown["Dice"][:3] == [
        words.figure(best),
        words.figure(dice.compute(scores.at(best)), 4),
        words.figure(vessels_run.value(dice), 4),
    ]
    assert "chosen on the very images that judge them" in page.text


def test_calibration_says_its_error(vessels_run: Evaluation) -> None:
    page = Parsed(to_html(vessels_run))
    assert f"is {words.figure(vessels_run.value(ece), 4)}" in page.text
    bins = table(page, "Scores")
    assert sum(int(row[0].replace(",", "")) for row in bins.values()) == vessels_run.pooled.pixels


def test_whole_objects_where_they_were_asked_for(vessels: Path, vessels_run: Evaluation, tmp_path: Path) -> None:
    names = ["froc_curve", "object_curve(iou=0.5,connectivity=4)"]
    made = run(vessels, "u1", metrics=names)
    page = Parsed(to_html(made))
    assert "object-curves" in page.sections
    assert "object-curves" not in Parsed(to_html(vessels_run)).sections
    assert "8 neighbours; an object is found where a component touches it" in page.text
    assert "4 neighbours; an object is found where a component has an IoU of 0.5 or more" in page.text
    write_figures(made, tmp_path)
    gt, score, mask = (
        [np.array(Image.open(vessels / f / f"{i}.png")) for i in range(5)] for f in ("gt", "u1", "region")
    )
    curves = [froc_curve([x], mask=m > 0) for *x, m in zip(gt, score, mask, strict=True)]
    whole = reduce(add, curves)
    with (tmp_path / "froc.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(r["false_per_image"]) for r in rows] == whole.false_per_image.tolist()
    assert [float(r["sensitivity"]) for r in rows] == whole.sensitivity.tolist()
    for name in ("froc", "object-threshold-iou-0.5-4-neighbours"):
        assert (tmp_path / f"{name}.svg").stat().st_size and (tmp_path / f"{name}.png").stat().st_size
    other = run(vessels, "f4", metrics=names)
    both = to_html(made, other)
    assert Parsed(both).sections[1] == "versus"
    assert "FROC score" in both[both.index('id="versus"') : both.index('id="curves"')]


def test_the_command_names_a_threshold(vessels: Path) -> None:
    assert "--threshold 0.37" in to_html(run(vessels, "u1", threshold=0.37))


def test_a_single_class_has_no_curves(tmp_path: Path) -> None:
    for folder in ("gt", "pred"):
        (tmp_path / folder).mkdir()
    for i in range(2):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / f"gt/{i}.png")
        Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / f"pred/{i}.png")
    page = Parsed(to_html(evaluate(tmp_path / "gt", tmp_path / "pred", task="binary")))
    assert "curves" not in page.sections and "threshold" not in page.sections
    assert "calibration" in page.sections
    assert "undefined" in page.text


def test_a_missing_prediction_is_a_map_of_zeros(vessels: Path, tmp_path: Path) -> None:
    (tmp_path / "pred").mkdir()
    for i in range(3):
        (tmp_path / f"pred/{i}.png").write_bytes((vessels / f"u1/{i}.png").read_bytes())
    made = evaluate(vessels / "gt", tmp_path / "pred", missing="empty")
    html = to_html(made)
    assert "the prediction is missing" in html
    data = embedded(html)
    assert data["tp"][0] == data["positives"]
    assert made.value(iou) == data["tp"][data["used"]] / (data["positives"] + data["fp"][data["used"]])


def test_the_page_stays_small(vessels: Path) -> None:
    for kind in ("u2", "f4"):
        assert len(PICTURE.sub("", to_html(run(vessels, kind)))) < 300_000


def test_a_confusion_at_a_stop_is_that_of_the_metric(vessels: Path) -> None:
    gt = np.array(Image.open(vessels / "gt/0.png")) > 0
    score = scores_of(vessels, "u1", 0)
    made = evaluate(vessels / "gt/0.png", vessels / "u1/0.png")
    data = embedded(to_html(made))
    c = confusion(gt, score >= 0.8)
    at = data["stops"].index(round(204 / 255, 6))
    assert (data["tp"][at], data["fp"][at]) == (c.tp[1], c.fp[1])
