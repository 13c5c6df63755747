"""The section of boundaries: its curves are the metrics' own values, and its pictures show the worst places."""

from __future__ import annotations

import io
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

import maskmeter as mm
from maskmeter.evaluation import Evaluation
from maskmeter.report import to_html
from maskmeter.report.boundaries import figures
from maskmeter.report.cuts import BOTH, GROUND, ONE, color, outlines
from maskmeter.report.far_cases import deciding, ranked
from maskmeter.report.figure import Run
from maskmeter.report.figures import figures as all_figures
from maskmeter.report.findings import Findings
from maskmeter.report.pictures import masks_of
from report.page_parser import Parsed


def test_the_curve_is_the_metric_at_every_tolerance(bodies_run: Evaluation) -> None:
    nsd, distances = figures([Run(Findings(bodies_run))])
    tolerances = np.asarray(nsd.table["tolerance"])
    for at in (0, 40, 97, 160):
        metric = mm.nsd.at(tolerance=float(tolerances[at]))
        names, values = bodies_run.image_values(metric)
        assert len(names) == 3
        by_class = np.nanmean(values, axis=0)
        shown = [nsd.table[f"{c} nsd"][at] for c in bodies_run.titles(metric)]
        assert shown == pytest.approx(by_class.tolist())
        assert nsd.table["nsd"][at] == pytest.approx(np.nanmean(values, axis=1).mean())
        assert nsd.table["nsd low"][at] <= nsd.table["nsd"][at] <= nsd.table["nsd high"][at]
    for side in ("gt", "pred"):
        assert np.sum(distances.table[f"share of the {side} surface"]) == pytest.approx(1)


def test_the_worst_places_are_shown(bodies_run: Evaluation) -> None:
    metric = deciding(bodies_run)
    assert str(metric) == "hausdorff(percentile=95)"
    cases = ranked(bodies_run, metric)
    assert (cases[0].image, cases[0].title, cases[0].beyond) == ("1", "2", (1.0, 0.0))
    assert all(0 <= share <= 0.05 + 1e-9 for c in cases[1:] for share in c.beyond)
    html = to_html(bodies_run)
    page = Parsed(html)
    assert "the prediction is empty; the largest piece of the ground truth has 60 voxels" in page.text
    assert "from the prediction at (1, 2, 28)" in page.text
    section = html[html.index('<section id="boundaries"') : html.index('<section id="spread"')]
    pictures = section.split("data:image/png;base64,")[1:]
    assert len(pictures) == 6
    for data in pictures:
        image = Image.open(io.BytesIO(b64decode(data[: data.index('"')])))
        assert image.format == "PNG"
        assert max(image.size) <= 560
        colors = {c[:3] for _, c in image.convert("RGBA").getcolors(1 << 20) if c[3] == 255}
        assert any(max(abs(a - b) for a, b in zip(c, GROUND, strict=True)) < 4 for c in colors)
    assert len(section) - sum(map(len, pictures)) < 60_000


def test_two_runs_lie_in_one_picture(bodies_run: Evaluation) -> None:
    made = {f.name: f.table for f in all_figures(bodies_run, bodies_run)}
    assert made.keys() >= {"nsd", "distances-a", "distances-b"}
    assert {"a nsd", "b nsd low"} <= made["nsd"].keys()
    assert 'id="versus"' in to_html(bodies_run, bodies_run)


def test_runs_without_surfaces_have_no_section(street_run: Evaluation) -> None:
    assert 'id="boundaries"' not in to_html(street_run)


def test_arrays_have_curves_and_no_pictures() -> None:
    done = Evaluation(["nsd(tolerance=1)"])
    for i in range(2):
        gt = np.zeros((20, 20), bool)
        gt[4:12, 4 : 12 + i] = True
        done.update(gt, np.roll(gt, 1 + i, axis=1))
    html = to_html(done)
    assert "No pictures: its labels came as arrays and were not kept" in html
    assert "in pixels, as no spacing is known" in html


def test_outlines_close_and_colours_run_from_end_to_end() -> None:
    mask = np.random.default_rng(3).random((9, 11)) < 0.5
    lines = outlines(mask)
    assert all((line[0] == line[-1]).all() for line in lines)
    m = np.pad(mask, 1)
    around = sum(int((m != np.roll(m, 1, axis)).sum()) for axis in (0, 1))
    assert sum(len(line) - 1 for line in lines) == around, "one point on each side of a pixel that is a border"
    assert color(0.0, 5.0) != color(5.0, 5.0) == color(7.0, 5.0) == color(np.inf, 0.0)
    assert len({GROUND, ONE, BOTH}) == 3


def test_surfaces_too_large_for_a_picture_are_named(bodies_run: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    worst = ranked(bodies_run, deciding(bodies_run))[:6]
    most = sorted(c.elements for c in worst)[-2]
    left_out = [c for c in worst if c.elements > most]
    monkeypatch.setattr("maskmeter.report.boundaries.LARGEST", most)
    page = Parsed(to_html(bodies_run))
    assert left_out
    assert f"Not pictured, as the surfaces have more than {most:,} elements: class" in page.text
    assert all(f"class {c.title} in {c.image} ({c.elements:,})" in page.text for c in left_out)
    assert "maskmeter explain with hausdorff(percentile=95) , --class and --image says what decides there" in page.text


def test_masks_are_the_same_in_pieces(bodies_run: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ranked(bodies_run, deciding(bodies_run))[1]
    record = bodies_run.records[case.image]
    whole = masks_of(record, bodies_run.facts, case.class_)
    monkeypatch.setattr("maskmeter.report.pictures.PIECE", 4 * 24 * 30 * 4)  # four slices of six, then two
    for a, b in zip(whole, masks_of(record, bodies_run.facts, case.class_), strict=True):
        assert a.any() and (a == b).all()
