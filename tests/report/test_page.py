"""The page as a whole: what it consists of, what it must not contain, how large it is."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from maskmeter.evaluation import Evaluation
from maskmeter.labels import Label, LabelSet
from maskmeter.report import CONTENTS, to_html, words, write_report
from maskmeter.run import evaluate
from report.conftest import LABELS
from report.page_parser import Parsed
from report.test_sections import table

Make = Callable[..., Evaluation]

ALL = [id for id, _, _ in CONTENTS]
SCORES = {"versus", "curves", "object-curves", "class-curves", "threshold", "calibration", "subgroups", "boundaries"}
OBJECTS = {
    "detection-errors",
    "detection-confusion",
    "detection-moved",
    "detection-objects",
    "object-classes",
    "detections",
    "objects",
    "object-errors",
}
PICTURE = re.compile(r"data:image/(?:png|jpeg);base64,[A-Za-z0-9+/=]+")


def empty_masks() -> Evaluation:
    made = Evaluation()
    for _ in range(3):
        made.update(np.zeros((4, 4), bool), np.zeros((4, 4), bool))
    return made


def all_void() -> Evaluation:
    made = Evaluation(ignore=255)
    made.update(np.full((4, 4), 255), np.zeros((4, 4), int))
    made.update(np.full((4, 4), 255), np.full((4, 4), 255))
    return made


@pytest.mark.parametrize(
    ("make", "absent"),
    [
        (lambda a: a(), set()),
        (lambda a: a(binary=True, classes=2), {"classes"}),
        (lambda a: a(classes=2), set()),
        (lambda a: a(classes=1), {"confusion"}),
        (lambda a: a(images=1), {"spread"}),
        (lambda a: a(metrics=["iou"]), {"numbers"}),
        (lambda _: empty_masks(), {"classes", "gallery"}),
        (lambda _: all_void(), {"confusion", "gallery"}),
        (lambda _: Evaluation(), {"classes", "confusion", "spread", "gallery", "numbers"}),
    ],
    ids=["semantic", "binary", "two", "one class", "one image", "one metric", "empty masks", "all void", "no images"],
)
def test_sections_with_nothing_to_say_are_absent(
    arrays: Make, make: Callable[[Make], Evaluation], absent: set[str]
) -> None:
    page = Parsed(to_html(make(arrays)))
    assert page.sections == [id for id in ALL if id not in absent | SCORES | OBJECTS]
    links = [a["href"] for a in page.with_tag("a") if a.get("href")]
    assert {x[1:] for x in links if x} <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)


def test_undefined_is_said_and_never_a_number() -> None:
    page = Parsed(to_html(empty_masks()))
    assert "undefined" in page.text
    assert "iou has no value in 3 of 3 images" in page.text
    assert "nan" not in page.text.lower()


def test_the_page_needs_nothing_else(street_run: Evaluation) -> None:
    html = to_html(street_run)
    page = Parsed(html)
    assert "http:" not in html
    assert "https:" not in html
    assert not page.with_tag("link")
    assert not page.with_tag("iframe")
    assert not [a for a in page.with_tag("script") if "src" in a]
    assert all((a["src"] or "").startswith("data:image/") for a in page.with_tag("img"))
    assert not [(tag, a) for tag, a in page.elements for name in a if name.startswith("on")]
    assert "@import" not in html
    assert "url(" not in html


def test_the_policy_allows_one_script_and_nothing_from_outside(arrays: Make) -> None:
    html = to_html(arrays())
    policy = next(a["content"] or "" for a in Parsed(html).with_tag("meta") if a.get("http-equiv"))
    script = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert len(script) == 1
    digest = b64encode(sha256(script[0].encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{digest}'" in policy
    assert "*" not in policy


def test_headings_go_down_one_level_at_a_time(street_run: Evaluation) -> None:
    levels = [int(tag[1]) for tag, _ in Parsed(to_html(street_run)).elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))


def test_tables_and_pictures_say_what_they_are(street_run: Evaluation) -> None:
    page = Parsed(to_html(street_run))
    tags = [tag for tag, _ in page.elements]
    assert tags.count("caption") == tags.count("table")
    assert all(a.get("alt") for a in page.with_tag("img"))
    assert all(a.get("aria-hidden") == "true" or a.get("role") == "img" for a in page.with_tag("svg"))
    assert {"main", "nav", "header"} <= set(tags)


@pytest.mark.parametrize("classes", [2, 41, 150, 500])
def test_the_page_is_small_beside_its_pictures(arrays: Make, classes: int) -> None:
    labels = LabelSet(tuple(Label(i, f"a class with a rather long name {i}", average=i > 0) for i in range(classes)))
    made = arrays(classes=classes, images=40, labels=labels)
    html = PICTURE.sub("", to_html(made))
    assert len(html.encode()) < 300_000
    if classes > 100:
        lines = {k.removesuffix(" not in means") for k in table(Parsed(html), "Class")}
        values = {words.name(k, 32): made.value("iou", class_=k) for k in made.titles() if k is not None}
        there = [v for k, v in values.items() if k in lines and v == v]
        others = [v for k, v in values.items() if k not in lines and v == v]
        assert len(lines) == 100 and max(there) <= min(others, default=1.0)


def test_pictures_are_small(street_run: Evaluation) -> None:
    pictures = PICTURE.findall(to_html(street_run))
    assert len(pictures) == 20 * 4 - 2
    assert max(map(len, pictures)) < 20_000


def test_hostile_names_are_text(badcases: Path) -> None:
    names: list[str] = json.loads((badcases / "T01_hostile_names" / "names.json").read_text("utf-8"))
    check_names(names)


def test_markup_in_names_is_text() -> None:
    check_names(
        [
            "<b>x</b>",
            '"><img src=x onerror=alert(1)>',
            "{{ 7*7 }}",
            "{% include 'page.css' %}",
            "\u202eabc",
            "a\nb\x00",
            "-->",
            "]]>",
            "x" * 3000,
        ]
    )


def check_names(names: list[str]) -> None:
    """Wherever these names stand, the page has the same elements as with plain names."""
    shapes = []
    for chosen in (names, [f"name {i}" for i in range(len(names))]):
        rng = np.random.default_rng(3)
        made = Evaluation(labels=LabelSet(tuple(Label(i, n) for i, n in enumerate(chosen))))
        for name in chosen:
            gt = rng.integers(0, len(names), (32, 32))
            made.update(gt, np.where(rng.random(gt.shape) < 0.3, (gt + 1) % len(names), gt), image=name)
        made.notices = list(chosen)
        made.inputs = {"gt": chosen[0], "pred": chosen[1], "missing_predictions": chosen, "extra_predictions": chosen}
        html = to_html(made)
        page = Parsed(html)
        shapes.append(sorted((tag, tuple(sorted(a.keys() - {"title"}))) for tag, a in page.elements))
        assert len(html) < 400_000
        assert not re.search("[\u202a-\u202e\u2028\u2029\x00]", html)
        assert "49" not in {cell for table in page.tables for row in table for cell in row}
    assert shapes[0] == shapes[1]


def test_classes_without_average_are_marked(street_run: Evaluation) -> None:
    rows = {row[0]: row for row in Parsed(to_html(street_run)).tables[0]}
    assert "sky not in means" in rows
    assert "road" in rows


def test_written_whole(arrays: Make, tmp_path: Path) -> None:
    write_report(arrays(), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_same_evaluation_same_bytes(street_run: Evaluation) -> None:
    assert to_html(street_run) == to_html(street_run)


def test_labels_have_names_and_colours(street_run: Evaluation) -> None:
    html = to_html(street_run)
    assert all(f"#{r:02x}{g:02x}{b:02x}" in html for r, g, b in (x.color for x in LABELS if x.color))


def test_detections_have_curves_and_a_table(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "coco_100"
    done = evaluate(
        folder / "gt_instances_val2014_100.json", folder / "pred_fakesegm100.json", ["ap"], intervals="none"
    )
    html = to_html(done)
    page = Parsed(html)
    assert len(PICTURE.sub("", html).encode()) < 300_000
    assert page.sections == [
        "summary", "detections", "detection-errors", "detection-confusion", "detection-objects", "numbers",
        "definitions",
    ]  # fmt: skip
    assert "snowboard" in html
