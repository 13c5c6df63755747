"""The slider, the pictures that follow it, and the gallery of objects, in a real browser."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskmeter.evaluation import Evaluation
from maskmeter.report import write_report
from report.browser import Page
from report.test_scores import embedded

SETTLE = "new Promise(done => setTimeout(done, 250))"
ENTRIES = "[...document.querySelectorAll('[data-now]')].map(e => [e.dataset.now, e.textContent])"
NOW = f"JSON.stringify(Object.fromEntries({ENTRIES}))"


@pytest.fixture(scope="module")
def vessels_page(vessels_run: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(vessels_run, path)
    return path


@pytest.fixture(scope="module")
def cells_page(cells_run: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(cells_run, path)
    return path


def move(page: Page, slider: int, to: int) -> None:
    page.run(
        f"{{ const s = document.querySelectorAll('input.moves')[{slider}];"
        f"s.value = {to}; s.dispatchEvent(new Event('input')); }}"
    )
    page.run(SETTLE)


@pytest.mark.parametrize("width", [1280, 768, 390, 360])
def test_nothing_scrolls_sideways(quiet: Page, vessels_page: Path, cells_page: Path, width: int) -> None:
    quiet.open(vessels_page, width)
    assert quiet.run("document.documentElement.scrollWidth") <= width
    quiet.requests.clear()
    quiet.open(cells_page, width)
    assert quiet.run("document.documentElement.scrollWidth") <= width
    assert quiet.run("[...document.images].every(i => i.complete && i.naturalWidth > 0)")


@pytest.mark.parametrize("slider", [0, 1])
def test_the_slider_counts_again(quiet: Page, vessels_page: Path, slider: int) -> None:
    data = embedded(vessels_page.read_text("utf-8"))
    quiet.open(vessels_page)
    move(quiet, slider, 90)
    shown = json.loads(quiet.run(NOW))
    tp, fp = data["tp"][90], data["fp"][90]
    fn, tn = data["positives"] - tp, data["negatives"] - fp
    for name, n in (("tp", tp), ("fp", fp), ("fn", fn), ("tn", tn)):
        assert shown[name] == f"{n:,}"
    assert shown["iou"] == f"{tp / (tp + fp + fn):.4f}"
    assert shown["dice"] == f"{2 * tp / (2 * tp + fp + fn):.4f}"
    assert shown["precision"] == f"{tp / (tp + fp):.4f}"
    assert shown["recall"] == f"{tp / (tp + fn):.4f}"
    assert shown["accuracy"] == f"{(tp + tn) / (tp + fp + fn + tn):.4f}"
    assert quiet.run("[...document.querySelectorAll('input.moves')].map(s => +s.value)") == [90, 90]
    assert float(quiet.run("parseFloat(document.querySelector('[data-at=roc]').getAttribute('cy'))")) == pytest.approx(
        100 - 100 * tp / (tp + fn)
    )


def test_without_moving_the_page_says_what_was_evaluated(
    quiet: Page, vessels_page: Path, vessels_run: Evaluation
) -> None:
    quiet.open(vessels_page)
    shown = json.loads(quiet.run(NOW))
    for name in ("iou", "dice", "precision", "recall", "accuracy"):
        assert shown[name] == f"{vessels_run.value(name):.4f}"
    assert quiet.run("document.querySelector('output.stop').textContent") == "0.500"
    move(quiet, 0, 10)
    quiet.run("document.querySelector('.threshold button[data-stop]').click()")
    quiet.run(SETTLE)
    assert json.loads(quiet.run(NOW)) == shown


def test_pictures_follow_the_slider(quiet: Page, vessels_page: Path, vessels: Path) -> None:
    quiet.open(vessels_page)
    move(quiet, 0, 160)
    for card in range(5):
        name, said, note = quiet.run(
            f"(c => [c.querySelector('.name').textContent, c.querySelector('canvas').getAttribute('aria-label'),"
            f"c.querySelector('.first').textContent])(document.querySelectorAll('.card')[{card}])"
        )
        gt, region = (np.array(Image.open(vessels / f / f"{name}.png")) > 0 for f in ("gt", "region"))
        found = np.array(Image.open(vessels / f"u1/{name}.png")) >= 160
        tp, fp, fn = (int((x & region).sum()) for x in (gt & found, ~gt & found, gt & ~found))
        assert f"{tp} true positive, {fp} false positive, {fn} false negative" in said
        assert note == f"missed {fn:,} of {tp + fn:,} px, {fp:,} px too many"


def test_the_slider_by_keyboard(quiet: Page, vessels_page: Path) -> None:
    quiet.open(vessels_page)
    quiet.run("document.querySelector('input.moves').focus()")
    before = quiet.run("+document.querySelector('input.moves').value")
    quiet.press("ArrowRight")
    assert quiet.run("+document.querySelectorAll('input.moves')[1].value") == before + 1
    assert (
        quiet.run("document.querySelector('input.moves').getAttribute('aria-valuetext')") == f"{(before + 1) / 255:.3f}"
    )


def test_the_best_threshold_can_be_tried(quiet: Page, vessels_page: Path) -> None:
    quiet.open(vessels_page)
    quiet.run("document.querySelector('.best button').click()")
    row = quiet.run("[...document.querySelector('.best tbody tr').cells].map(c => c.textContent)")
    shown = json.loads(quiet.run(NOW))
    assert row[0] == "Dice" and shown["dice"] == row[2]


def test_the_enlarged_picture_follows_too(quiet: Page, vessels_page: Path) -> None:
    quiet.open(vessels_page)
    move(quiet, 1, 200)
    quiet.run("document.querySelector('.open').click()")
    quiet.run(SETTLE)
    label = "getAttribute('aria-label')"
    assert quiet.run(f"document.querySelector('dialog canvas').{label}") == quiet.run(
        f"document.querySelector('.card canvas').{label}"
    )
    quiet.press("Escape")


def test_the_gallery_of_objects(quiet: Page, cells_page: Path) -> None:
    quiet.open(cells_page)
    assert quiet.run("document.querySelector('.gallery').dataset.mode") == "fates"
    assert quiet.run("getComputedStyle(document.querySelector('.card .errors')).display") != "none"
    quiet.run("document.querySelector('#gallery').scrollIntoView()")
    quiet.press("j")
    quiet.press("2")
    assert quiet.run("getComputedStyle(document.querySelector('.card .gt')).display") != "none"
    assert quiet.run("getComputedStyle(document.querySelector('.card .errors')).display") == "none"
    quiet.press("4")
    quiet.press("Enter")
    assert quiet.run("document.querySelector('dialog').open")
    assert "1 of" in quiet.run("document.querySelector('dialog .where').textContent")
    quiet.press("Escape")


def test_both_print(quiet: Page, vessels_page: Path, cells_page: Path, tmp_path: Path) -> None:
    for page in (vessels_page, cells_page):
        quiet.requests.clear()
        quiet.open(page)
        quiet.print_pdf(tmp_path / "report.pdf")
        assert (tmp_path / "report.pdf").read_bytes()[:5] == b"%PDF-"
