"""Figures: the plots as files, their data, and curves that lose points and keep their shape."""

from __future__ import annotations

import csv
import io
import math
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from maskmeter.errors import UsageError
from maskmeter.evaluation import Evaluation
from maskmeter.metrics import roc_auc
from maskmeter.report import to_html, write_figures
from maskmeter.report.figures import as_csv, figures
from maskmeter.report.plot import FINE, Axis, Line, Plot, decades, logarithm, simplified
from maskmeter.report.raster import png_of
from maskmeter.run import evaluate


def read(path: Path) -> dict[str, list[str]]:
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    return {name: [row[i] for row in rows[1:]] for i, name in enumerate(rows[0])}


def check_files(files: list[Path]) -> None:
    """Every picture is well formed and needs nothing else; every table has its columns."""
    for path in files:
        if path.suffix == ".svg":
            text = path.read_text("utf-8")
            root = ElementTree.fromstring(text)
            assert root.tag == "{http://www.w3.org/2000/svg}svg"
            assert "var(" not in text and "href" not in text and "nan" not in text.lower().replace("nance", "")
            assert text.count("http") == 1
        elif path.suffix == ".png":
            image = np.asarray(Image.open(path))
            assert image.shape[2] == 3 and (image[0] == 255).mean() > 0.9 and (image < 128).any()
        else:
            assert all(read(path).values())


def test_figures_of_score_maps(vessels_run: Evaluation, tmp_path: Path) -> None:
    files = write_figures(vessels_run, tmp_path / "new/folder")
    names = [p.name for p in files]
    expected = ("roc", "precision-recall", "threshold", "reliability", "scores", "confusion", "images")
    assert names == [f"{n}.{kind}" for n in expected for kind in ("svg", "png", "csv")]
    check_files(files)
    roc = read(tmp_path / "new/folder/roc.csv")
    fpr, tpr = (np.array(roc[k], float) for k in ("fpr", "tpr"))
    assert float(np.trapezoid(tpr, fpr)) == pytest.approx(vessels_run.value(roc_auc), abs=1e-12)
    assert len(fpr) == vessels_run.statistic("scores").size + 1
    threshold = read(tmp_path / "new/folder/threshold.csv")
    at = [float(t) >= 0.5 for t in threshold["threshold"]].index(True)
    c = vessels_run.pooled
    assert [int(threshold[k][at]) for k in ("tp", "fp", "fn", "tn")] == [c.tp[1], c.fp[1], c.fn[1], c.tp[0]]
    assert float(threshold["iou"][at]) == vessels_run.value("iou")
    scores = read(tmp_path / "new/folder/scores.csv")
    assert sum(int(x) for x in scores["positives"] + scores["negatives"]) == c.pixels


def test_figures_of_objects(cells_run: Evaluation, tmp_path: Path) -> None:
    files = write_figures(cells_run, tmp_path)
    check_files(files)
    names = ("objects", "recall-by-size", "images")
    assert [p.name for p in files] == [f"{n}.{kind}" for n in names for kind in ("svg", "png", "csv")]
    rates = read(tmp_path / "objects.csv")
    assert float(rates["object_f1"][0]) == cells_run.value("object_f1(iou=0.5)")


def test_figures_of_classes(street_run: Evaluation, tmp_path: Path) -> None:
    files = write_figures(street_run, tmp_path)
    check_files(files)
    assert [p.name for p in files] == [f"{n}.{k}" for n in ("confusion", "images") for k in ("svg", "png", "csv")]
    matrix = read(tmp_path / "confusion.csv")
    counts = street_run.pooled.counts
    assert counts is not None
    assert [int(x) for x in matrix["predicted car"]] == counts[:, 2].tolist()


def test_two_runs_in_one_picture(vessels: Path, vessels_run: Evaluation, tmp_path: Path) -> None:
    other = evaluate(vessels / "gt", vessels / "u2", mask=vessels / "region")
    files = write_figures(vessels_run, tmp_path, versus=other)
    check_files(files)
    names = {p.name for p in files}
    assert {"roc.svg", "confusion-a.svg", "confusion-b.svg", "scores-b.csv"} <= names
    assert "confusion.svg" not in names
    text = (tmp_path / "roc.svg").read_text("utf-8")
    assert "u1: all pixels" in text and "u2: all pixels" in text
    columns = ("threshold", "fpr", "tpr", "band fpr", "tpr low", "tpr high")
    assert set(read(tmp_path / "roc.csv")) == {f"{run} {k}" for run in "ab" for k in columns}


def test_no_images_no_figures(tmp_path: Path) -> None:
    assert write_figures(Evaluation(), tmp_path) == []


def test_a_folder_that_cannot_be_written(vessels_run: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write into"):
        write_figures(vessels_run, tmp_path / "file")


def test_hostile_names_are_text_in_files_too(tmp_path: Path) -> None:
    from report.test_browser import hostile

    made = hostile()
    check_files(write_figures(made, tmp_path))
    assert len(figures(made, made)) == 4


def test_cells_of_a_table() -> None:
    text = as_csv({"=a": [1.0, 0.1, float("nan")], "b": ["=1+1", 3, float("inf")]})
    assert text == "'=a,b\n1,'=1+1\n0.1,3\n,inf\n"


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=3, max_size=60))
def test_simplified_curves_stay_where_they_are(steps: list[tuple[int, int]]) -> None:
    x, y = (np.cumsum([s[i] for s in steps], dtype=float) for i in (0, 1))
    x, y = x / max(x[-1], 1), y / max(y[-1], 1)
    a, b = simplified(x, y)
    assert a.size <= x.size
    assert (a[0], b[0], a[-1], b[-1]) == (x[0], y[0], x[-1], y[-1])
    for px, py in zip(x.tolist(), y.tolist(), strict=True):
        assert distance(px, py, a, b) < 3 * FINE


def distance(px: float, py: float, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> float:
    """How far a point is from a polyline, plainly."""
    least = float("inf")
    for (ax, ay), (bx, by) in pairwise(zip(x.tolist(), y.tolist(), strict=True)):
        length = (bx - ax) ** 2 + (by - ay) ** 2
        t = min(1, max(0, ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / length)) if length else 0
        least = min(least, math.hypot(px - ax - t * (bx - ax), py - ay - t * (by - ay)))
    return least


def test_corners_of_curves_are_kept() -> None:
    x = np.concatenate([np.zeros(500), np.linspace(0, 1, 500)])
    y = np.concatenate([np.linspace(0, 1, 500), np.ones(500)])
    a, b = simplified(x, y)
    assert list(zip(a.tolist(), b.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 1)]


def test_a_million_points_become_hundreds() -> None:
    x = np.linspace(0, 1, 1_000_000)
    a, b = simplified(x, x**0.2)
    assert a.size < 200
    far = x > 0.2  # where the curve is not steep, so that upright is about across
    assert np.abs(np.interp(x[far], a, b) - x[far] ** 0.2).max() < 3 * FINE


def test_lines_break_where_there_is_no_value() -> None:
    plot = Plot("p", Axis("x"), Axis("y"), [Line(np.array([0, 0.5, 1]), np.array([0, np.nan, 1]), "c1", "<a>")])
    drawn = str(plot.fluid("p"))
    assert 'd="M0 1000M1000 0"' in drawn
    assert "&lt;a&gt;" in plot.standalone() and "<a>" not in plot.standalone()


def test_logarithmic_axes() -> None:
    axis = decades(2_000_000)
    assert axis.high == 7 and axis.ticks[0] == (0.0, "1")
    assert logarithm(0) == axis.low and logarithm(1000) == pytest.approx(3)


def test_a_picture_as_png_has_its_lines_where_the_plot_has_them() -> None:
    line = Line(np.array([0.0, 1.0]), np.array([0.5, 0.5]), "c1")
    plot = Plot("Half", Axis("x"), Axis("y"), [line], square=True)
    image = np.asarray(Image.open(io.BytesIO(png_of(plot.standalone()))), np.int64)
    blue = np.abs(image - np.array([0, 0x72, 0xB2])).sum(axis=2) < 30
    rows, columns = np.nonzero(blue)
    assert rows.max() - rows.min() <= 4 and columns.max() - columns.min() == pytest.approx(800, abs=4)
    assert rows.mean() == pytest.approx(2 * (44 + 200), abs=2)


def test_two_runs_in_one_page(vessels_run: Evaluation) -> None:
    page = to_html(vessels_run, vessels_run)
    assert 'id="versus"' in page and "Two runs" in page
    assert page.count("B: all pixels, AUC") == 1
