"""The report of panoptic segments: classes, headlines and cut-outs are those of the run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskmeter import Evaluation, evaluate
from maskmeter.report import to_html, words
from report.page_parser import Parsed

SIZE = 40
CATEGORIES = [
    {"id": 1, "name": "sky", "isthing": 0},
    {"id": 2, "name": "car", "isthing": 1},
    {"id": 3, "name": "boat", "isthing": 1},
]


def side(folder: Path, name: str, shift: int, lost: tuple[int, ...]) -> Path:
    """Two images with sky, two cars, and void at the left; some segments are lost to the sky."""
    annotations = []
    (folder / name).mkdir()
    for k in range(2):
        ids = np.full((SIZE, SIZE), 700_001)
        for car, at in ((300, 5), (70_000, 22)):
            if car not in lost:
                ids[8 + k : 20, at + shift : at + shift + 12] = car
        ids[:, :2] = 0
        rgb = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
        Image.fromarray(rgb).save(folder / name / f"{k}.png")
        info = [
            {"id": i, "category_id": 1 if i == 700_001 else 2, "iscrowd": 0, "area": int((ids == i).sum())}
            for i in np.unique(ids[ids > 0]).tolist()
        ]
        annotations.append({"image_id": k, "file_name": f"{k}.png", "segments_info": info})
    made = {"annotations": annotations, **({"categories": CATEGORIES} if name == "gt" else {})}
    path = folder / f"{name}.json"
    path.write_text(json.dumps(made))
    return path


@pytest.fixture
def run(tmp_path: Path) -> Evaluation:
    return evaluate(side(tmp_path, "gt", 0, ()), side(tmp_path, "pred", 1, (70_000,)))


def rows(page: Parsed) -> dict[str, list[str]]:
    """Every table whose first heading is Class, by class."""
    found: dict[str, list[str]] = {}
    for table in page.tables:
        if table[0][0] == "Class":
            found |= {row[0]: row[1:] for row in table[1:]}
    return found


def test_every_class_has_its_quality(run: Evaluation) -> None:
    found = rows(Parsed(to_html(run)))
    assert list(found) == ["car", "sky"]  # things first; nothing is said of boats, of which there are none
    for name, (tp, fn, fp) in {"car": (2, 2, 0), "sky": (2, 0, 0)}.items():
        values = [words.figure(run.value(m, class_=name)) for m in ("pq", "sq", "rq")]
        assert [found[name][0], *found[name][2:4]] == values
        assert found[name][4:] == [str(tp), str(fn), str(fp)]


def test_headlines_speak_of_things_and_stuff(run: Evaluation) -> None:
    text = Parsed(to_html(run)).text
    for label, metric in (("Panoptic quality (PQ)", "pq"), ("PQ, things", "pq(among=things)")):
        assert f"{label} {words.figure(run.value(metric))}" in text
    assert "1 class without an object on either side is left out" in text
    means = [words.figure(run.value(m)) for m in ("sq", "rq")]
    assert f"SQ {means[0]} and RQ {means[1]}, need not multiply to it." in text
    assert "the mean over classes, at IoU 0.5; of all together 4 of 6, 0.667" in text


def test_a_class_without_a_match_counts_nothing_and_this_is_said(tmp_path: Path) -> None:
    lost = evaluate(side(tmp_path, "gt", 0, ()), side(tmp_path, "pred", 1, (300, 70_000)))
    page = Parsed(to_html(lost))
    sky = words.figure(lost.value("sq", class_="sky"))
    assert f"1 of 2 classes have no match and count 0; of the others SQ is {sky}" in page.text
    assert "the mean over classes, 0 for one without a match" in page.text
    assert rows(page)["car"][:2] == ["0.000", "–"], "an interval without a width says nothing"


def test_segments_have_cut_outs_as_long_as_their_files_are_those_that_were_counted(
    run: Evaluation, tmp_path: Path
) -> None:
    page = to_html(run)
    assert 'alt="Missed: object id 70000 and its surroundings by fate"' in page
    assert "car, 144 px" in page
    for k in range(2):
        Image.new("RGB", (SIZE, SIZE)).save(tmp_path / "pred" / f"{k}.png")
    changed = to_html(run)
    assert "surroundings by fate" not in changed
    assert "its segments are not those that were counted" in changed
