"""The sections on detections: curves, kinds of errors, confusions that lead to their objects, the worst."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskmeter.evaluation import Evaluation
from maskmeter.metrics import detection_confusion
from maskmeter.report import to_html, write_figures
from maskmeter.report.detection_confusion import shown_part, titles
from maskmeter.report.detection_pictures import FATES
from maskmeter.report.figures import figures
from maskmeter.report.findings import Findings
from maskmeter.run import evaluate
from report.browser import Page
from report.test_figures import check_files, read

PICTURE = re.compile(r"data:image/(?:png|jpeg);base64,[A-Za-z0-9+/=]+")


def shape(x: int, y: int, w: int, h: int) -> dict[str, Any]:
    return {"segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]], "bbox": [x, y, w, h]}


def write(home: Path, results: list[dict[str, Any]]) -> tuple[Path, Path]:
    """Two images with an object of each fate, and a crowd."""
    gt: dict[str, Any] = {
        "images": [
            {"id": n, "height": 100, "width": 120, "file_name": f"{name}.png"} for n, name in ((7, "a"), (8, "<b>"))
        ],
        "categories": [{"id": 1, "name": "<cat>"}, {"id": 2, "name": "dog"}, {"id": 3, "name": "never"}],
        "annotations": [
            {"id": n, "image_id": image, "category_id": kind, "area": s["bbox"][2] * s["bbox"][3], "iscrowd": crowd}
            | s
            for n, (image, kind, crowd, s) in enumerate(
                [(7, 1, 0, shape(5, 5, 20, 20)), (7, 2, 0, shape(40, 5, 20, 20)), (7, 1, 0, shape(75, 5, 20, 20)),
                 (7, 2, 0, shape(5, 60, 30, 30)), (8, 1, 1, shape(60, 60, 40, 30)), (8, 1, 0, shape(5, 5, 20, 20))],
                start=1,
            )
        ],
    }  # fmt: skip
    (home / "gt.json").write_text(json.dumps(gt))
    (home / "pred.json").write_text(json.dumps(results))
    return home / "gt.json", home / "pred.json"


def result(image: int, kind: int, score: float, *box: int) -> dict[str, Any]:
    return {"image_id": image, "category_id": kind, "score": score, **shape(*box)}


RESULTS = [
    result(7, 1, 0.9, 5, 5, 20, 20),  # right
    result(7, 1, 0.8, 6, 5, 20, 20),  # found already
    result(7, 1, 0.7, 41, 5, 20, 20),  # a dog
    result(7, 1, 0.6, 88, 5, 20, 20),  # beside it
    result(8, 2, 0.5, 60, 5, 20, 20),  # nothing there
    result(8, 1, 0.4, 65, 65, 10, 10),  # in the crowd
    result(8, 1, 0.3, 6, 6, 20, 20),  # right
]  # the other dog is missed


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    home = tmp_path_factory.mktemp("detections")
    (home / "photos").mkdir()
    grey = np.linspace(0, 255, 100 * 120).reshape(100, 120).astype(np.uint8)
    Image.fromarray(grey).save(home / "photos/a.png")
    return evaluate(*write(home, RESULTS), images=home / "photos")


@pytest.fixture(scope="module")
def html(run: Evaluation) -> str:
    return to_html(run)


def cells(html: str) -> dict[str, Any]:
    found = re.search(r'id="detection-cells">(.*?)</script>', html, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_every_kind_of_error_is_shown_with_what_surrounds_it(html: str) -> None:
    said = ("&lt;cat&gt; 0.7, is dog", "&lt;cat&gt; 0.6, best IoU", "found already, IoU 0.90", "dog 0.5",
            "dog, 900 px, no detection meets it")  # fmt: skip
    for one in said:
        assert one in html, one
    gallery = html[html.index('id="detection-objects"') :]
    assert gallery.count('class="fates"') == 5 and gallery.count('class="photo"') == 4  # <b> has no photograph
    assert "annotations[3]" in gallery and "result 4" in gallery
    assert "<cat>" not in PICTURE.sub("", html) and "<b>.png" not in html
    assert "right place, wrong class" in html and "Whether scores are precisions" in html


def test_a_cell_holds_the_objects_that_it_counts(run: Evaluation, html: str) -> None:
    found = Findings(run)
    c = detection_confusion(run.statistic("encounters"))
    table = shown_part(c, titles(found))
    assert table.matrix.rows == ["<cat>", "dog", "nothing there"] and table.matrix.left_over == 0
    data = cells(html)
    counted = {f"{i},{j}": int(n) for (i, j), n in np.ndenumerate(table.matrix.pixels) if n}
    assert {k: len(v) for k, v in data["cells"].items()} == counted
    assert sum(counted.values()) == int(c.counts.sum())
    (confused,) = data["cells"]["1,0"]
    assert data["names"][confused[0]] == "a.png" and confused[1] == "annotations[1], result 2"
    assert confused[2].startswith("score 0.7, IoU 0.9") and confused[5].startswith("data:image/png")


def test_what_is_drawn_are_the_masks_in_the_colours_of_their_fates(run: Evaluation) -> None:
    drawn = Findings(run).cutouts
    met = drawn.met
    at = int(np.flatnonzero(met.det_row == 2)[0])
    from maskmeter.report.detection_pictures import Subject

    cut = drawn.cutout(Subject("pred", at), int(drawn.met.errors(0.5).about[at]))
    assert cut is not None and cut.photo
    image = np.asarray(Image.open(_bytes(cut.overlay)).convert("RGBA"))
    assert image.shape[:2] == cut.size[::-1]
    seen = {tuple(c) for c in image.reshape(-1, 4).tolist()}
    assert (*FATES["classification"], 255) in seen and (*FATES["missed"], 105) in seen
    assert drawn.areas is not None and drawn.areas.tolist() == [
        {0: 400, 1: 400, 2: 400, 3: 900, 4: 1200, 5: 400}[r] for r in met.gt_row.tolist()
    ]


def _bytes(uri: str) -> Any:
    import base64
    import io

    return io.BytesIO(base64.b64decode(uri.partition(",")[2]))


def test_figures_are_the_sections(run: Evaluation, tmp_path: Path) -> None:
    files = write_figures(run, tmp_path)
    expected = ("detections-precision-recall", "detections-scores", "detections-sizes", "detections-classes",
                "detection-errors", "detection-reliability", "detection-confusion")  # fmt: skip
    assert [p.name for p in files] == [f"{n}.{k}" for n in expected for k in ("svg", "png", "csv")]
    check_files([p for p in files if p.suffix != ".csv"])
    sizes = read(tmp_path / "detections-sizes.csv")
    assert sizes["objects"][:2] == ["all", "small"] and sizes["number"][:2] == ["5", "5"]
    assert float(sizes["value"][0]) == run.value("ap")
    gains = read(tmp_path / "detection-errors.csv")
    assert dict(zip(gains["kind"], gains["number"], strict=True))["missed"] == "1"
    classes = read(tmp_path / "detections-classes.csv")
    assert classes["class"] == ["'dog", "<cat>"] or classes["class"] == ["dog", "<cat>"]
    assert {"detections-precision-recall", "detection-confusion-b"} <= {f.name for f in figures(run, run)}


def test_two_runs_lie_in_one_picture(run: Evaluation) -> None:
    text = to_html(run, run)
    section = text[text.index('id="versus"') :]
    section = section[: section.index("</section>")]
    assert "A: IoU 0.5" in section and "B: IoU 0.5" in section and "AP by size" in section


def test_the_images_that_moved_most_are_shown_under_both_runs(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = [r for r in RESULTS if r["score"] != 0.9] + [result(8, 1, 0.95, 5, 5, 20, 20)]
    a, b = (
        evaluate(*write(home, results), ["ap"], on="box", intervals="none")
        for home, results in ((tmp_path, RESULTS), (tmp_path / "other", other))
    )
    text = to_html(a, b)
    section = text[text.index('<section id="detection-moved"') :]
    section = section[: section.index("</section>")]
    better_a, better_b = section.index("<h3>Better in A"), section.index("<h3>Better in B")
    x, y = ({n: float(v[-1]) for n, v in zip(*e.image_values("ap"), strict=True)} for e in (a, b))
    assert x["<b>.png"] < y["<b>.png"] and x["a.png"] > y["a.png"]
    assert better_b < section.index("&lt;b&gt;.png under") < better_a < section.index("a.png under A")
    assert len(PICTURE.findall(section)) == 4, "two images, each under both runs"
    assert 'id="detection-moved"' not in to_html(a, a) and 'id="detection-moved"' not in to_html(a)


def test_files_that_have_changed_are_not_drawn(tmp_path: Path) -> None:
    gt, pred = write(tmp_path, RESULTS)
    done = evaluate(gt, pred, ["ap"], on="box", intervals="none")
    assert "They are not drawn" not in to_html(done)
    pred.write_text(json.dumps(RESULTS[:-1]))
    text = to_html(done)
    assert "They are not drawn: the files have changed since they were counted" in text
    assert 'class="fates"' not in text and "dog 0.5" in text


def test_scores_that_are_no_probabilities_have_no_calibration(tmp_path: Path) -> None:
    results = [{**r, "score": 10 * r["score"]} for r in RESULTS]
    text = to_html(evaluate(*write(tmp_path, results), ["ap", "best_score"], on="box", intervals="none"))
    assert "Whether scores are precisions" not in text and "right place, wrong class" in text
    assert "no end is better" in text


def test_a_perfect_result_has_nothing_to_show(tmp_path: Path) -> None:
    gt, _ = write(tmp_path, [])
    truths = [a for a in json.loads(gt.read_text())["annotations"] if not a["iscrowd"]]
    results = [{k: a[k] for k in ("image_id", "category_id", "segmentation", "bbox")} | {"score": 1.0} for a in truths]
    text = to_html(evaluate(*write(tmp_path, results), ["ap"], intervals="none"))
    assert 'id="detection-objects"' not in text and "No object was taken for one of another class" in text
    empty = to_html(evaluate(*write(tmp_path, []), ["ap"], intervals="none"))
    assert "no detection meets it" in empty or 'id="detection-objects"' not in empty


def test_a_click_on_a_cell_lists_its_objects(quiet: Page, html: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(html, "utf-8")
    quiet.open(tmp_path / "page.html", width=400)
    assert quiet.run("document.documentElement.scrollWidth <= innerWidth")
    quiet.run("document.querySelector('.matrix.objects [data-cell=\"1,0\"] button').click()")
    assert quiet.run("document.querySelector('.in-cell h4').textContent") == "dog taken for <cat> 1"
    assert quiet.run("[...document.querySelectorAll('.in-cell img')].every(i => i.naturalWidth > 0)")
    assert quiet.run("document.querySelectorAll('.in-cell li').length") == 1
    quiet.run("document.querySelector('.mistakes [data-cell] button').click()")
    assert quiet.run("document.documentElement.scrollWidth <= innerWidth")
