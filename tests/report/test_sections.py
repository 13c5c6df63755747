"""What the sections say: the numbers of the rows, the right images, the right confusions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from maskmeter import averages
from maskmeter.evaluation import Evaluation
from maskmeter.report import classes, confusion, gallery, subgroups, to_html, words
from maskmeter.report.findings import Findings, distinct
from maskmeter.run import evaluate
from report.page_parser import Parsed

Make = Callable[..., Evaluation]


def table(page: Parsed, first: str) -> dict[str, list[str]]:
    """The rows below the heading whose first cell says `first`, by their own first cell."""
    found = next(t for t in page.tables if t[0][0] == first)
    return {row[0]: row[1:] for row in found[1:]}


def test_class_table_shows_the_rows(arrays: Make) -> None:
    made = arrays(classes=5, metrics=["iou", "fbeta(beta=2)", "mean_iou"])
    shown = table(Parsed(to_html(made)), "Class")
    for row in made.rows():
        if row.class_ is None:
            continue
        column = {("iou", "pooled"): 0, ("iou", "images"): 1, ("fbeta(beta=2)", "pooled"): 5}.get(
            (row.metric, row.over)
        )
        if column is not None:
            assert shown[row.class_][column] == words.figure(row.value)


@pytest.mark.parametrize("binary", [False, True])
def test_metric_table_shows_the_rows(arrays: Make, binary: bool) -> None:
    made = arrays(classes=2, binary=binary)
    shown = (
        table(Parsed(to_html(made)), "Metric")
        if not binary
        else {r[0]: r[1:] for t in Parsed(to_html(made)).tables for r in t}
    )
    rows = [r for r in made.rows() if r.class_ is None]
    assert rows
    for row in rows:
        assert words.figure(row.value, 4) in shown[row.metric]


def test_intervals_are_shown_where_there_are_any(arrays: Make) -> None:
    made = arrays()
    known = [replace_low(r) for r in made.rows()]
    made._rows = known  # the page takes them from the rows, wherever these come from
    assert "95 % interval 0.100 to 0.900" in Parsed(to_html(made)).text
    made._rows = [r._replace(low=math.nan, high=math.nan) for r in known]
    assert "95 % interval" not in Parsed(to_html(made)).text


def replace_low(row: object) -> object:
    return row._replace(low=0.1, high=0.9)  # type: ignore[attr-defined]


def test_accuracy_comes_with_the_constant_prediction() -> None:
    made = Evaluation()
    made.update([[0, 0, 0, 1]], [[0, 0, 0, 0]])
    text = Parsed(to_html(made)).text
    assert "predicting class 0 everywhere would score 0.750" in text
    assert "Look at mean_iou" in text


def test_mistakes_are_the_largest_cells() -> None:
    made = Evaluation(ignore=9)
    made.update([[0, 0, 0, 0, 1, 1, 2, 9]], [[1, 1, 0, 9, 1, 2, 2, 0]])
    c = made.pooled
    assert confusion.mistakes(c, 2) == [(0, 1, 2, 0.5), (0, -1, 1, 0.25)]
    text = Parsed(to_html(made)).text
    assert "class 0 taken for class 1" in text
    assert "class 0 given no class" in text


def test_the_matrix_keeps_the_sums(arrays: Make) -> None:
    made = arrays(classes=60, images=20)
    found = Findings(made)
    shown = confusion.shown_part(found.pooled, found.kinds)
    assert shown.pixels.shape == (confusion.MOST + 1, confusion.MOST + 1)
    assert shown.pixels.sum() == found.pooled.pixels
    assert shown.left_over == 60 - confusion.MOST


def test_gallery_takes_the_worst_first(street_run: Evaluation) -> None:
    found = Findings(street_run)
    groups = {id: images for id, _, images in gallery.choose(found)}
    values = found.per_image.headline
    assert [len(groups[g]) for g in ("worst", "typical", "best")] == [12, 4, 4]
    assert values[groups["worst"]].tolist() == sorted(values.tolist())[:12]
    assert values[groups["best"]].tolist() == sorted(values.tolist())[:-5:-1]
    chosen = [i for images in groups.values() for i in images]
    assert len(set(chosen)) == len(chosen)


def test_beside_another_run_come_first_the_images_that_moved(arrays: Make) -> None:
    names = [f"{i:02d}" for i in range(30)]
    mine, theirs = arrays(images=30, names=names), arrays(images=30, names=names[::-1])
    found = Findings(mine, theirs)
    groups = {id: [found.per_image.names[i] for i in images] for id, _, images in gallery.choose(found)}
    a, b = (dict(zip(*e.image_values("mean_iou"), strict=True)) for e in (mine, theirs))
    apart = {n: float(a[n][0] - b[n][0]) for n in names}
    order = sorted(apart, key=lambda n: apart[n])
    assert groups["moved-worse"] == order[:6] and groups["moved-better"] == order[::-1][:6]
    rest = [n for n in names if n not in order[:6] + order[-6:]]
    assert groups["worst"][0] == min(rest, key=lambda n: float(a[n][0]))
    chosen = [n for images in groups.values() for n in images]
    assert len(set(chosen)) == len(chosen)


@pytest.mark.parametrize(("images", "sizes"), [(1, [1]), (12, [12]), (13, [6, 3, 4]), (24, [12, 4, 4])])
def test_gallery_of_few_images(arrays: Make, images: int, sizes: list[int]) -> None:
    assert [len(g[2]) for g in gallery.choose(Findings(arrays(images=images)))] == sizes


def test_arrays_have_no_pictures_and_a_ranking(arrays: Make) -> None:
    page = Parsed(to_html(arrays(images=15)))
    assert "The labels came as arrays and were not kept" in page.text
    assert not page.with_tag("img")
    assert len(table(page, "Image")) > 0


def test_files_that_changed_are_said_not_shown(street: Path, tmp_path: Path) -> None:
    for side in ("gt", "pred"):
        (tmp_path / side).mkdir()
        for i in range(3):
            (tmp_path / side / f"{i}.png").write_bytes((street / side / f"day/{i:02d}.png").read_bytes())
    made = evaluate(tmp_path / "gt", tmp_path / "pred", ignore=255)
    (tmp_path / "gt/0.png").unlink()
    (tmp_path / "pred/1.png").write_bytes((street / "pred/day/09.png").read_bytes())
    page = Parsed(to_html(made))
    assert "its ground truth cannot be read any more: no such file" in page.text
    assert "its prediction has changed since it was counted" in page.text
    assert len(page.with_tag("img")) == 3


def test_missing_predictions_are_drawn_as_missed(street: Path, tmp_path: Path) -> None:
    (tmp_path / "pred").mkdir()
    (tmp_path / "pred/00.png").write_bytes((street / "pred/day/00.png").read_bytes())
    made = evaluate(street / "gt/day", tmp_path / "pred", ignore=255, missing="empty")
    text = Parsed(to_html(made)).text
    assert "29, counted as empty: 01, 02, 03, 04, 05 and 24 more" in text
    assert "the prediction is missing" in text


def test_colours_of_classes_are_all_different() -> None:
    same = (10, 20, 30)
    colors = distinct([same, same, None, *[None] * 300])
    assert len(set(colors)) == len(colors)
    assert colors[0] == same


def test_numbers_in_words() -> None:
    assert words.figure(0.74349) == "0.743"
    assert words.figure(math.nan) == "–"
    assert words.figure(-0.5) == "−0.500"
    assert words.percent(0.0312) == "3.1 %"
    assert words.percent(0.0000001) == "<0.1 %"
    assert words.percent(0.0) == "0.0 %"
    assert words.name("a\u202eb") == "a\\u202eb"
    assert len(words.name("x" * 999)) == 48


def test_parametrised_columns_only(arrays: Make) -> None:
    assert "fbeta" not in (classes.render(Findings(arrays())) or "")


def test_values_at_the_ends_of_the_histogram(arrays: Make) -> None:
    made = arrays(classes=2, images=4)
    found = Findings(made)
    found.per_image = replace(found.per_image, headline=np.array([0.0, 1.0, 1.0, np.nan]))
    from maskmeter.report import spread

    html = spread.render(found)
    assert html is not None
    assert html.count('class="bar"') == 2
    assert "1 image has no value and is not drawn" in html


def test_warnings_of_a_kind_are_one(arrays: Make) -> None:
    made = arrays(classes=60, images=6)
    page = Parsed(to_html(made))
    assert page.text.count("values there rest on little") == 1
    assert "and 55 more" in page.text


def test_subgroups_are_shown_where_asked_for_grouped_or_banded(arrays: Make, tmp_path: Path) -> None:
    names = [f"{'ab'[i % 2]}_{i}" for i in range(8)]
    plain = arrays(images=8, names=names)
    assert subgroups.render(Findings(plain)) is None
    banded = arrays(images=8, names=names, metrics=["iou", "trimap_iou(width=1)"])
    found = Findings(banded, by=["{site}_*"])
    parsed = Parsed(str(subgroups.render(found)))
    sites, parts = table(parsed, "Group"), table(parsed, "Part")
    assert list(sites) == ["a", "b"] and [row[0] for row in sites.values()] == ["4", "4"]
    for group in averages.subgroups(banded, "{site}_*", ["mean_iou"]):
        assert sites[group.name][1] == words.figure(group.rows[0].value)
        assert sites[group.name][3] == words.figure(group.rows[1].value)
    near = averages.subgroups(banded, "boundary")[0]
    assert parts[near.name][1] == words.figure(near.rows[0].value)
    assert parts[near.name][5] == words.percent(near.rows[2].value)
    grouped = Evaluation(["mean_iou"])
    for name in names:
        grouped.update([0, 1], [0, 1], image=name, group=name[0])
    assert list(table(Parsed(str(subgroups.render(Findings(grouped)))), "Group")) == ["a", "b"]
