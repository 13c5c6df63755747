"""Instance maps: headlines, rates, fates, cut-outs."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskmeter.asked import default_metrics
from maskmeter.evaluation import Evaluation
from maskmeter.facts import Facts
from maskmeter.fates import Fate, fates
from maskmeter.metrics import object_f1, object_precision, object_recall
from maskmeter.records import Record
from maskmeter.reopening import NONE, Side
from maskmeter.report import object_errors, objects, to_html, words
from maskmeter.report.findings import Findings
from maskmeter.report.object_pictures import FATES, FILL, Objects, Volume, by_fate, outline
from maskmeter.run import evaluate
from maskmeter.statistics.confusion import LabelCounts, count_labels
from maskmeter.statistics.instances import overlap
from report.conftest import discs
from report.page_parser import Parsed
from report.test_page import PICTURE, SCORES
from report.test_sections import table


def pixels(uri: str) -> np.ndarray[Any, Any]:
    return np.array(Image.open(io.BytesIO(b64decode(uri.partition(",")[2]))).convert("RGBA"))


def test_sections_of_objects(cells_run: Evaluation) -> None:
    page = Parsed(to_html(cells_run))
    assert page.sections == ["summary", "objects", "object-errors", "spread", "gallery", "numbers", "definitions"]
    assert not SCORES & set(page.sections)
    links = [a["href"] for a in page.with_tag("a") if a.get("href")]
    assert {x[1:] for x in links if x} <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)
    tags = [tag for tag, _ in page.elements]
    assert tags.count("caption") == tags.count("table")
    assert all(a.get("alt") for a in page.with_tag("img"))


def test_headlines_in_plain_words(cells_run: Evaluation) -> None:
    text = Parsed(to_html(cells_run)).text
    o = cells_run.statistic("overlap")
    found = round(cells_run.value("object_recall(iou=0.5)") * o.gt_id.size)
    assert f"{found} of {o.gt_id.size} objects in the ground truth, at IoU 0.5" in text
    assert f"{o.pred_id.size} predicted, {o.gt_id.size} there" in text
    assert f"Split objects {words.value(cells_run.value('splits'), True)} " in text
    assert "objects that two predictions or more mostly lie on, matched or not" in text


def test_rates_are_those_of_the_metrics(cells_run: Evaluation) -> None:
    rates = table(Parsed(to_html(cells_run)), "IoU")
    assert len(rates) == 10
    for iou in ("0.50", "0.75", "0.95"):
        expected = [cells_run.value(m.at(iou=float(iou))) for m in (object_precision, object_recall, object_f1)]
        assert rates[iou] == [words.figure(v) for v in expected]


def test_recall_by_size_adds_up(cells_run: Evaluation) -> None:
    sizes = table(Parsed(to_html(cells_run)), "Pixels")
    o = cells_run.statistic("overlap")
    assert sum(int(row[0]) for row in sizes.values()) == o.gt_id.size
    found = cells_run.value("object_recall(iou=0.5)") * o.gt_id.size
    assert sum(int(row[1]) for row in sizes.values()) == pytest.approx(found)


def test_the_worst_images_come_first(cells_run: Evaluation) -> None:
    worst = table(Parsed(to_html(cells_run)), "Image")
    names, values = cells_run.image_values("object_f1(iou=0.5)")
    expected = [names[i] for i in np.argsort(values[:, 0], kind="stable")[:12]]
    assert list(worst) == expected
    assert worst["00"][1:] == ["5", "6", "1", "1", "1", "1", "1"]


def test_every_kind_of_error_is_shown(cells_run: Evaluation) -> None:
    html = to_html(cells_run)
    page = Parsed(html)
    for kind in ("missed", "hallucinated", "split", "merged"):
        assert f"fated-{kind}" in page.ids
    assert "in 3 pieces" in page.text
    assert "holds 2 objects" in page.text
    assert "overlaps nothing" in page.text
    assert html.count('class="fates"') == len(re.findall(r'<span class="what">', html))


def test_the_largest_objects_of_a_kind(cells_run: Evaluation) -> None:
    found, _ = object_errors._largest(cells_run)  # pyright: ignore[reportPrivateUsage]
    everything = fates(cells_run.statistic("overlap"), 0.5)
    missed = sorted((f.pixels for f in everything if f.side == "gt" and f.fate == "missed"), reverse=True)
    assert [f.pixels for _, f in found.objects["gt", "missed"]] == missed[: object_errors.SHOWN]
    assert found.total["gt", "missed"] == len(missed)


def test_the_picture_of_fates() -> None:
    gt, pred = np.zeros((2, 8, 12), int)
    gt[1:5, 1:5], gt[1:4, 8:11] = 1, 2
    pred[1:5, 1:5], pred[5:8, 7:11] = 1, 2
    objects = Objects(gt, pred, np.zeros(gt.shape, bool))
    drawn = pixels(by_fate(objects, fates(overlap(gt, pred))))
    matched, missed, hallucinated = ((*FATES[f], 255) for f in ("matched", "missed", "hallucinated"))
    assert tuple(drawn[1, 1]) == matched
    assert tuple(drawn[2, 2]) == (*FATES["matched"], FILL)
    assert tuple(drawn[1, 8]) == missed and tuple(drawn[2, 9]) == (*FATES["missed"], FILL)
    assert tuple(drawn[7, 8]) == hallucinated
    assert drawn[0, 0, 3] == 0


def test_what_does_not_count_is_hatched() -> None:
    ids = np.ones((4, 4), int)
    left_out = np.zeros((4, 4), bool)
    left_out[:2] = True
    missed = Fate("gt", 0, 1, 1, 8, 0, None, 0, "missed")
    drawn = pixels(by_fate(Objects(np.where(left_out, 0, ids), ids * 0, left_out), [missed]))
    assert set(drawn[:2, :, 0].ravel().tolist()) <= {90, 150}
    assert (drawn[2:, :, :3] == FATES["missed"]).all()


def test_outlines_are_inside() -> None:
    ids = np.full((5, 5), NONE)
    ids[1:4, 1:4] = 7
    found = outline(ids)
    assert found.sum() == 8 and not found[2, 2]


@pytest.mark.parametrize("at", [(0, 0), (0, 90), (50, 50), (95, 127)])
def test_cutouts_hold_their_object(at: tuple[int, int]) -> None:
    gt = np.zeros((1, 96, 128), int)
    gt[0, at[0], at[1]] = 3
    found = Volume(Side(gt), Side(gt * 0), gt < 0).around("gt", 3)
    assert found is not None
    objects, rows, columns = found
    part = objects.part(rows, columns)
    assert (part.gt == 3).sum() == 1 and part.shape == (20, 20)


def test_missing_predictions_and_void(cells: Path, tmp_path: Path) -> None:
    (tmp_path / "pred").mkdir()
    (tmp_path / "pred/00.png").write_bytes((cells / "pred/00.png").read_bytes())
    made = evaluate(cells / "gt", tmp_path / "pred", task="instance", missing="empty", ignore=2)
    page = Parsed(to_html(made))
    assert "the prediction is missing" in page.text
    assert "not counted" in page.text


def test_volumes_show_a_slice(tmp_path: Path) -> None:
    gt = np.zeros((7, 32, 32), np.uint16)
    gt[2:5, 4:14, 4:14], gt[4:6, 20:28, 20:28] = 1, 2
    np.save(tmp_path / "gt.npy", gt)
    np.save(tmp_path / "pred.npy", np.where(gt == 1, 1, 0).astype(np.uint16))
    page = Parsed(to_html(evaluate(tmp_path / "gt.npy", tmp_path / "pred.npy", task="instance")))
    assert re.search(r"slice [56] of 7", page.text)
    assert len(page.with_tag("img")) == 3 + 1


def test_nothing_there_and_nothing_predicted(tmp_path: Path) -> None:
    for folder in ("gt", "pred"):
        (tmp_path / folder).mkdir()
        for i in range(2):
            Image.fromarray(np.zeros((16, 16), np.uint16)).save(tmp_path / folder / f"{i}.png")
    page = Parsed(to_html(evaluate(tmp_path / "gt", tmp_path / "pred", task="instance")))
    assert page.sections == ["summary", "spread", "numbers", "definitions"]
    assert "undefined" in page.text and "nan" not in page.text.lower()


def test_files_that_are_gone(cells: Path, tmp_path: Path) -> None:
    for folder in ("gt", "pred"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "00.png").write_bytes((cells / folder / "00.png").read_bytes())
    made = evaluate(tmp_path / "gt", tmp_path / "pred", task="instance")
    (tmp_path / "gt/00.png").unlink()
    page = Parsed(to_html(made))
    assert "cannot be drawn: its ground truth cannot be read any more: no such file" in page.text
    assert "fated-missed" in page.ids
    assert not page.with_tag("img")


def test_the_page_stays_small(cells_run: Evaluation) -> None:
    assert len(PICTURE.sub("", to_html(cells_run))) < 300_000


def test_sizes_in_words(cells_run: Evaluation) -> None:
    labels = [s.label for s in objects._sizes(Findings(cells_run))]  # pyright: ignore[reportPrivateUsage]
    assert labels[0].startswith("≤ ") and labels[-1].startswith("≥ ")


def test_markup_in_names_is_text() -> None:
    gt, pred = discs([(20, 20, 9), (20, 60, 9)]), discs([(20, 20, 9)])
    counts = count_labels(gt, pred).to_bytes()
    names = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7}}", "\u202ec", "x" * 3000]
    records = [Record(name, {LabelCounts.name: counts}, gt.shape) for name in names]
    made = Evaluation(default_metrics(Facts("instance")), facts=Facts("instance"))
    made.add(records)
    html = to_html(made)
    page = Parsed(html)
    assert not page.with_tag("img") and len(page.with_tag("script")) == 1
    assert "\u202e" not in html
    assert "49" not in {cell for t in page.tables for row in t for cell in row}
