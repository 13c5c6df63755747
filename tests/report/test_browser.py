"""The page in a real browser: no errors, no requests, no sideways scrolling, and all that can be clicked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskmeter.evaluation import Evaluation
from maskmeter.labels import Label, LabelSet
from maskmeter.report import write_report
from report.browser import Page
from report.test_page import all_void, empty_masks

Make = Callable[..., Evaluation]


@pytest.fixture(scope="module")
def street_page(street_run: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(street_run, path)
    return path


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "x" * 500,
    "\u202ec",
    "a\nb",
    "{{7*7}}",
    "W" * 60,
]


def hostile() -> Evaluation:
    rng = np.random.default_rng(5)
    made = Evaluation(labels=LabelSet(tuple(Label(i, n) for i, n in enumerate(HOSTILE))))
    for name in HOSTILE * 2:
        gt = rng.integers(0, len(HOSTILE), (32, 32))
        made.update(gt, np.where(rng.random(gt.shape) < 0.5, 0, gt), image=f"{name}{len(made.records)}")
    made.notices, made.inputs = list(HOSTILE), {"gt": HOSTILE[2], "pred": HOSTILE[2]}
    return made


@pytest.mark.parametrize(
    "make",
    [
        lambda a: a(classes=6, images=30), lambda a: a(classes=2, images=8, binary=True),
        lambda a: a(classes=150, images=20),
        lambda _: empty_masks(), lambda _: all_void(), lambda _: Evaluation(), lambda _: hostile(),
    ],
    ids=["semantic", "binary", "150 classes", "empty masks", "all void", "no images", "hostile names"],
)  # fmt: skip
def test_no_page_scrolls_sideways(
    quiet: Page, arrays: Make, tmp_path: Path, make: Callable[[Make], Evaluation]
) -> None:
    write_report(make(arrays), tmp_path / "report.html")
    quiet.open(tmp_path / "report.html")
    for width in (1280, 768, 390, 360):
        quiet.resize(width)
        assert quiet.run("innerWidth") == width
        assert quiet.run("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [1280, 390])
def test_pictures_are_on_the_page(quiet: Page, street_page: Path, width: int) -> None:
    quiet.open(street_page, width)
    assert quiet.run("document.documentElement.scrollWidth") <= width
    assert quiet.run("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert quiet.run("document.querySelectorAll('.panel:not([hidden]) .card').length") == 12


def test_columns_sort_by_value(quiet: Page, street_page: Path) -> None:
    quiet.open(street_page)
    column = "[...document.querySelectorAll('.classes tbody tr')].map(r => +r.cells[1].textContent)"
    click = "document.querySelectorAll('.classes thead button')[1].click()"
    quiet.run(click)
    values = quiet.run(column)
    assert values == sorted(values, reverse=True)
    assert quiet.run("document.querySelectorAll('.classes th')[1].getAttribute('aria-sort')") == "descending"
    quiet.run(click)
    assert quiet.run(column) == sorted(values)


def test_the_matrix_shows_pixels(quiet: Page, street_page: Path, street_run: Evaluation) -> None:
    quiet.open(street_page)
    quiet.run("document.querySelector('[data-cells=pixels]').click()")
    shown = json.loads(
        quiet.run("JSON.stringify([...document.querySelectorAll('.matrix td')].map(td => +td.dataset.n))")
    )
    counts = street_run.pooled.counts
    assert counts is not None
    assert shown == counts.ravel().tolist()
    quiet.run("document.querySelectorAll('.matrix td')[1].click()")
    assert f"road taken for pavement: {counts[0, 1]:,} px" in quiet.run(
        "document.querySelector('.readout').textContent"
    )


def test_errors_of_a_class_are_counted_in_the_browser_as_here(quiet: Page, street_page: Path, street: Path) -> None:
    quiet.open(street_page)
    quiet.run(
        "{ const s = document.querySelector('.of-class');"
        "s.value = [...s.options].find(o => o.textContent === 'car').value; s.dispatchEvent(new Event('change')); }"
    )
    drawn = "document.querySelectorAll('.pic canvas').length === 20"
    wait = f"new Promise(done => {{ const look = () => {drawn} ? done() : setTimeout(look, 20); look(); }})"
    quiet.run(wait)
    name = quiet.run("document.querySelector('.card .name').textContent")
    gt, pred = (np.array(Image.open(street / side / f"{name}.png")) for side in ("gt", "pred"))
    g, p = (gt == 2), (pred == 2) & (gt != 255)
    said = quiet.run("document.querySelector('.card canvas').getAttribute('aria-label')")
    assert f"{(g & p).sum()} true positive, {(~g & p).sum()} false positive, {(g & ~p).sum()} false negative" in said


def test_keyboard_in_the_gallery(quiet: Page, street_page: Path) -> None:
    quiet.open(street_page)
    focus = "[...document.querySelectorAll('.panel:not([hidden]) .open')].indexOf(document.activeElement)"
    quiet.run("document.querySelector('#gallery').scrollIntoView()")
    for key in "jjk":
        quiet.press(key)
    assert quiet.run(focus) == 0
    quiet.press("j")
    quiet.press("2")
    assert quiet.run("document.querySelector('.gallery').dataset.view") == "gt"
    assert quiet.run("document.querySelector('[data-show=gt]').getAttribute('aria-pressed')") == "true"
    quiet.press("Enter")
    assert quiet.run("document.querySelector('dialog .where').textContent") == "2 of 12"
    quiet.press("ArrowRight")
    assert quiet.run("document.querySelector('dialog .where').textContent") == "3 of 12"
    quiet.press("Escape")
    assert quiet.run("document.querySelector('dialog').open") is False
    assert quiet.run(focus) == 2


def test_tabs_show_other_images(quiet: Page, street_page: Path) -> None:
    quiet.open(street_page)
    quiet.run("document.querySelector('[role=tab]').focus()")
    quiet.press("ArrowRight")
    assert quiet.run("document.activeElement.textContent") == "Typical"
    assert quiet.run("[...document.querySelectorAll('.panel')].map(p => p.hidden)") == [True, False, True, True]


def test_theme_follows_the_system_until_chosen(quiet: Page, street_page: Path) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    quiet.open(street_page)
    light = quiet.run(colour)
    quiet.open(street_page, dark=True)
    dark = quiet.run(colour)
    assert light != dark
    quiet.run("document.querySelector('.theme').click()")
    assert quiet.run(colour) == light
    quiet.run("localStorage.clear()")
    quiet.requests.clear()


def test_a_link_opens_the_definition(quiet: Page, street_page: Path) -> None:
    quiet.open(street_page)
    quiet.run("document.querySelector('a[href=\"#metric-mean_iou\"]').click()")
    quiet.run("new Promise(done => setTimeout(done, 100))")
    assert quiet.run("document.getElementById('metric-mean_iou').open")


def test_it_prints(quiet: Page, street_page: Path, tmp_path: Path) -> None:
    quiet.open(street_page)
    quiet.print_pdf(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes()[:5] == b"%PDF-"


PANEL = "document.getElementById('panel-all')"
CHANGE = "e.dispatchEvent(new Event('change'))"
NAMES = f"[...{PANEL}.querySelectorAll('.name')].map(e => e.textContent)"


def test_all_images_are_filtered_and_sorted(quiet: Page, street_run: Evaluation, street_page: Path) -> None:
    quiet.open(street_page)
    quiet.run("document.getElementById('tab-all').click()")
    values = street_run.image_values("mean_iou")[1][:, -1]
    order = [list(street_run.images)[i] for i in np.argsort(values, kind="stable")]
    assert quiet.run(NAMES) == order[:24]
    assert quiet.run(f"{PANEL}.querySelector('.where').textContent") == "1–24 of 30"
    quiet.run(f"{PANEL}.querySelector('[data-page=\"1\"]').click()")
    assert quiet.run(NAMES) == order[24:]
    quiet.run(
        f"{{const e = {PANEL}.querySelector('.by-name'); e.value = 'DAY/1'; e.dispatchEvent(new Event('input'))}}"
    )
    assert quiet.run(NAMES) == [n for n in order if n.startswith("day/1")]
    quiet.run(f"{{const e = {PANEL}.querySelector('.by-class'); e.value = 2; {CHANGE}}}")
    iou = street_run.image_values("iou")[1][:, 2]
    by_class = sorted((i for i in range(10, 20) if not np.isnan(iou[i])), key=lambda i: (round(1000 * iou[i]), i))
    assert quiet.run(NAMES) == [f"day/{i}" for i in by_class]
    quiet.run(f"{PANEL}.querySelector('.reverse').click()")
    assert quiet.run(f"{NAMES}.at(-1)") in [f"day/{i}" for i in by_class[:2]]


def test_a_slider_compares_two_views(quiet: Page, street_page: Path) -> None:
    quiet.open(street_page)
    quiet.run("document.querySelector('.card .open').click()")
    quiet.run(f"{{const e = document.querySelector('dialog select'); e.value = 'gt'; {CHANGE}}}")
    quiet.run("{const e = document.querySelector('.cut'); e.value = 25; e.dispatchEvent(new Event('input'))}")
    half = "document.querySelector('dialog .half')"
    assert quiet.run(f"getComputedStyle({half}).clipPath") == "inset(0px 0px 0px 25%)"
    assert quiet.run(f"[...{half}.querySelectorAll('img')].map(e => e.className).at(-1)") == "gt"


def test_the_legend_hides_a_kind_of_error(quiet: Page, street_page: Path) -> None:
    quiet.open(street_page)
    quiet.run("document.querySelector('.mode-all li[data-colour] button').click()")
    quiet.run("new Promise(done => setTimeout(done, 300))")
    script = """[...document.querySelectorAll('.panel:not([hidden]) .pic')].map(pic => {
      const c = pic.querySelector('canvas');
      return new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)
        .filter(p => (p & 0xffffff) === 0x005ed5).length; })"""
    assert set(quiet.run(script)) == {0}
    quiet.run("document.querySelector('.mode-all li[data-colour] button').click()")
    quiet.run("new Promise(done => setTimeout(done, 100))")
    assert quiet.run("document.querySelectorAll('.pic canvas').length") == 0


def test_pictures_beside_the_page_are_shown(tab: Page, street_run: Evaluation, tmp_path: Path) -> None:
    write_report(street_run, tmp_path / "report.html", pictures="all")
    tab.trouble.clear()
    tab.open(tmp_path / "report.html")
    tab.run("document.getElementById('tab-all').click()")
    tab.run("document.querySelector('#panel-all [data-page=\"1\"]').click()")
    tab.run("document.querySelector('#gallery').scrollIntoView()")
    tab.run("new Promise(done => setTimeout(done, 500))")
    seen = "[...document.querySelectorAll('#panel-all .errors')].filter(e => e.naturalWidth).length"
    assert tab.run(seen) == tab.run("document.querySelectorAll('#panel-all .errors').length") > 0
    assert tab.trouble == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("run", ["street_run", "cells_run", "vessels_run", "bodies_run"])
def test_axe_finds_nothing_serious(
    request: pytest.FixtureRequest, quiet: Page, tmp_path: Path, run: str, dark: bool
) -> None:
    axe = pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    evaluation = request.getfixturevalue(run)
    write_report(evaluation, tmp_path / "report.html", evaluation)
    quiet.open(tmp_path / "report.html", dark=dark)
    quiet.run((Path(axe.__path__[0]) / "axe.min.js").read_text("utf-8") + ";0")
    for step in ("0", "document.getElementById('tab-all').click()", "document.querySelector('.card .open').click()"):
        quiet.run(step)
        found = json.loads(quiet.run("axe.run().then(r => JSON.stringify([r.passes.length, r.violations]))"))
        assert found[0] > 20
        serious = [v for v in found[1] if v["impact"] in ("serious", "critical")]
        assert [(v["id"], v["nodes"][0]["html"]) for v in serious] == []


def test_two_runs_of_objects_lie_side_by_side_and_fit_a_phone(
    quiet: Page, cells_run: Evaluation, tmp_path: Path
) -> None:
    write_report(cells_run, tmp_path / "report.html", cells_run)
    quiet.open(tmp_path / "report.html", 390)
    assert quiet.run("document.documentElement.scrollWidth") <= 390
    assert quiet.run("document.querySelectorAll('#versus svg.plot').length") >= 3, "F1 by IoU, and recall by size twice"
    assert "F1" in quiet.run("document.querySelector('#versus').textContent")
    # Images with missed objects of the largest quarter, most of them first.
    quiet.run("document.getElementById('tab-all').click()")
    largest = f"[...{PANEL}.querySelector('.by-size').options].at(-1)"
    quiet.run(f"{{const e = {PANEL}.querySelector('.by-fate'); e.value = 'missed'; {CHANGE}}}")
    quiet.run(f"{{const e = {PANEL}.querySelector('.by-size'); e.value = {largest}.value; {CHANGE}}}")
    least = int(quiet.run(f"{largest}.textContent.match(/[0-9]+/)[0]"))
    missed = Counter(o.image for o in cells_run.objects() if o.side == "gt" and o.fate == "missed" and o.size >= least)
    found = [*dict.fromkeys(quiet.run(NAMES))]
    assert found and set(found) == set(missed) and [missed[n] for n in found] == sorted(missed.values(), reverse=True)
