"""Panoptic segmentation end to end: COCO JSON with PNGs and packed maps, sound ones and hostile ones."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

import maskmeter as mm
from maskmeter.cli import main
from maskmeter.formats.panoptic import ids_of_colors
from maskmeter.labels import Label, LabelSet
from maskmeter.matching import rules
from maskmeter.metrics._tally import tally
from maskmeter.run import evaluate, open_run
from maskmeter.segments import Segment
from maskmeter.statistics.instances import overlap
from maskmeter.statistics.overlap import concatenate
from maskmeter.statistics.segments import overlap_of_segments

SHARED = Path(__file__).resolve().parents[2] / "shared"
MANIFEST = SHARED / "badcases/manifest.json"
CASES: list[dict[str, Any]] = json.loads(MANIFEST.read_text())["cases"] if MANIFEST.is_file() else []

CATEGORIES = [
    {"id": 1, "name": "sky", "isthing": 0, "color": [1, 2, 3]},
    {"id": 2, "name": "car", "isthing": 1, "color": [4, 5, 6]},
    {"id": 5, "name": "cup", "isthing": 1, "color": [7, 8, 9]},
]

Json = dict[str, Any]


def cli(*words: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(w) for w in words])
    return code, out.getvalue(), err.getvalue()


def pooled(folder: Path) -> dict[tuple[str, str | None], float | None]:
    rows = json.loads((folder / "results.json").read_text())["rows"]
    return {(r["metric"], r["class"]): r["value"] for r in rows if r["over"] == "pooled"}


def colors(ids: NDArray[Any]) -> NDArray[np.uint8]:
    return np.stack([ids & 255, ids >> 8 & 255, ids >> 16], -1).astype(np.uint8)


def info(ids: NDArray[Any], classes: dict[int, int], crowd: tuple[int, ...] = ()) -> list[Json]:
    return [
        {"id": i, "category_id": c, "iscrowd": int(i in crowd), "area": int((ids == i).sum())}
        for i, c in classes.items()
    ]


def write(folder: Path, side: str, images: list[Json], **more: Any) -> Path:
    """A JSON and its PNGs; an image has `image_id`, `ids` and `segments_info`."""
    (folder / side).mkdir(parents=True, exist_ok=True)
    annotations: list[Json] = []
    for image in images:
        name = f"{image['image_id']}.png"
        if "ids" in image:
            Image.fromarray(colors(image["ids"])).save(folder / side / name)
        annotations.append({"file_name": name, **{k: v for k, v in image.items() if k != "ids"}})
    path = folder / f"{side}.json"
    path.write_text(json.dumps({"annotations": annotations, **more}))
    return path


# Two images: a sky of 32 pixels beside void, two cars, of which one is missed, and a crowd of cars.
GT = np.zeros((8, 8), int)
GT[:4] = 70000
GT[4:6, :4], GT[4:6, 4:], GT[6:, :2] = 300, 301, 302
GT_CLASSES = {70000: 1, 300: 2, 301: 2, 302: 2}
PRED = np.where(GT == 301, 9, np.where(GT == 302, 8, GT))
PRED[0, :4] = 0
PRED_CLASSES = {70000: 1, 300: 2, 9: 5, 8: 2}


def both(folder: Path, images: int = 2) -> tuple[Path, Path]:
    gt = [{"image_id": i, "ids": GT, "segments_info": info(GT, GT_CLASSES, (302,))} for i in range(images)]
    pred = [{"image_id": i, "ids": PRED, "segments_info": info(PRED, PRED_CLASSES)} for i in range(images)]
    return write(folder, "gt", gt, categories=CATEGORIES), write(folder, "pred", pred[::-1])


# COCO panoptic


def test_the_rows_of_a_run(tmp_path: Path) -> None:
    gt, pred = both(tmp_path)
    code, text, err = cli("evaluate", gt, pred, "-o", tmp_path / "run", "--no-report")
    assert code == 0 and "task panoptic" in err and "sky" in text
    found = pooled(tmp_path / "run")
    assert found["pq", "sky"] == 28 / 32
    assert found["pq", "car"] == 1 / 1.5 and found["rq", "car"] == 1 / 1.5, "301 is missed, 8 is excused by the crowd"
    assert found["pq", "cup"] == 0.0 and found["sq", "cup"] == 0.0, "SQ of a class without a match is 0"
    assert found["pq", None] == pytest.approx((28 / 32 + 1 / 1.5) / 3)
    assert found["pq(among=things)", None] == pytest.approx(1 / 3) and found["pq(among=stuff)", None] == 28 / 32
    assert not [k for k in found if "among" in k[0] and k[1] is not None]
    done = open_run(tmp_path / "run")
    assert done.facts.task == "panoptic" and done.value("pq", class_="car") == 1 / 1.5
    assert done.value("pq", class_=2, image="0") == 1 / 1.5 and done.value("pq", over="images") == found["pq", None]
    assert "|convention:panoptic|" in done.rows()[0].signature


def test_the_numbers_of_panopticapi(shared_data: Path) -> None:
    values = json.loads((shared_data / "expected/values.json").read_text())["panoptic_2"]
    expected = values["pq"]
    done = evaluate(shared_data / "panoptic_2/gt.json", shared_data / "panoptic_2/pred.json")
    for key, among in (("All", ""), ("Things", "(among=things)"), ("Stuff", "(among=stuff)")):
        for name in ("pq", "sq", "rq"):
            assert done.value(name + among).hex() == float(expected[key][name]).hex()
    o = done.statistic("overlap")
    t = tally(o, 0.5, rules("panoptic"))
    counted = dict(
        zip(o.classes.tolist(), zip(*(x.tolist() for x in (t.score, t.tp, t.fp, t.fn)), strict=True), strict=True)
    )
    assert {int(k): tuple(v) for k, v in values["per_cat"].items()} == counted


def test_jobs_processes_and_resume_move_no_byte(tmp_path: Path) -> None:
    gt, pred = both(tmp_path, 7)
    for k in (1, 3):
        assert cli("evaluate", gt, pred, "-o", tmp_path / str(k), "-j", k, "--no-report")[0] == 0
    with ProcessPoolExecutor(1) as pool:
        evaluate(gt, pred, out=tmp_path / "p", executor=pool)
    spoilt = tmp_path / "pred/5.png"
    sound = spoilt.read_bytes()
    spoilt.write_bytes(sound[:50])
    assert cli("evaluate", gt, pred, "-o", tmp_path / "r", "-j", 1)[0] == 3
    spoilt.write_bytes(sound)
    assert cli("evaluate", gt, pred, "-o", tmp_path / "r", "--resume", "--no-report")[0] == 0
    for name in ("results.json", "rows.csv"):
        assert len({(tmp_path / k / name).read_bytes() for k in ("1", "3", "p", "r")}) == 1


def test_resume_counts_again_what_the_json_says_otherwise(tmp_path: Path) -> None:
    gt, pred = both(tmp_path)
    before = evaluate(gt, pred, out=tmp_path / "run").value("pq", class_="car")
    text = pred.read_text().replace('"id": 9, "category_id": 5', '"id": 9, "category_id": 2')
    pred.write_text(text)
    after = evaluate(gt, pred, out=tmp_path / "run", resume=True)
    assert after.value("pq", class_="car") == 1.0 > before
    assert repr(after.rows()) == repr(evaluate(gt, pred).rows())


def test_missing_and_extra_images(tmp_path: Path) -> None:
    gt = write(
        tmp_path, "gt",
        [{"image_id": i, "ids": GT, "segments_info": info(GT, GT_CLASSES, (302,))} for i in (1, 2)],
        categories=CATEGORIES,
    )  # fmt: skip
    pred = write(
        tmp_path, "pred", [{"image_id": i, "ids": PRED, "segments_info": info(PRED, PRED_CLASSES)} for i in (1, 99)]
    )
    code, _, err = cli("evaluate", gt, pred)
    assert code == 3 and "has no prediction: 2" in err and "no ground truth: 99" in err
    empty = evaluate(gt, pred, missing="empty", extra="skip")
    assert empty.value("pq", class_="car") == 1 / (1 + 3 / 2), "two cars are missed with the image"
    assert "missing:empty,1|extra:skip,1" in empty.rows()[0].signature
    skip = evaluate(gt, pred, missing="skip", extra="skip")
    assert skip.value("pq", class_="car") == 1 / 1.5 and len(skip.images) == 1


def test_a_class_can_be_void_and_pixels_left_out(tmp_path: Path) -> None:
    gt, pred = both(tmp_path)
    done = evaluate(gt, pred, ignore=5)
    assert done.value("pq") == pytest.approx((28 / 32 + 1 / 1.5) / 2) and "ignore:5" in done.rows()[0].signature
    (tmp_path / "mask").mkdir()
    for i in range(2):
        Image.fromarray(((GT == 70000) * 255).astype(np.uint8)).save(tmp_path / f"mask/{i}.png")
    sky = evaluate(gt, pred, mask=tmp_path / "mask")
    assert sky.value("pq") == 28 / 32 and np.isnan(sky.value("pq(among=things)")) and len(sky.notices) == 1


def test_equal_names_are_told_apart(tmp_path: Path) -> None:
    gt, pred = both(tmp_path)
    twice = [{**c, "name": "car"} if c["id"] == 5 else c for c in CATEGORIES]
    gt.write_text(json.dumps({**json.loads(gt.read_text()), "categories": twice}))
    done = evaluate(gt, pred)
    assert done.titles(done.metrics[0]) == ["sky", "car#2", "car#5", None]
    text = json.dumps({"annotations": [{**a, "file_name": "0.png"} for a in json.loads(gt.read_text())["annotations"]]})
    gt.write_text(json.dumps({**json.loads(text), "categories": CATEGORIES}))
    assert list(evaluate(gt, pred).images) == ["0 (image_id 0)", "0 (image_id 1)"]


def test_areas_and_crowds_that_panopticapi_reads_otherwise(tmp_path: Path) -> None:
    gt, pred = both(tmp_path, 1)
    right = evaluate(gt, pred)
    whole = json.loads(gt.read_text())
    whole["annotations"][0]["segments_info"][0]["area"] = 300  # the sky, of 32 pixels
    gt.write_text(json.dumps(whole))
    wrong = evaluate(gt, pred)
    assert repr(wrong.rows()) == repr(right.rows())
    theirs = evaluate(gt, pred, convention="panoptic")
    assert theirs.value("pq", class_="sky") == 0.0 and "areas:declared" in theirs.rows()[0].signature
    assert "300 for the 32 pixels of 70000 in 0" in wrong.notices[-1]
    assert f"panopticapi would print pq {theirs.value('pq'):.6g}" in wrong.notices[-1]
    assert f"pq is {wrong.value('pq'):.6g}" in theirs.notices[-1]


def test_several_crowd_regions_of_one_class(tmp_path: Path) -> None:
    ids, found = np.array([[1, 1, 2, 2, 3, 3]]), np.array([[1, 1, 5, 5, 6, 6]])
    gt = write(
        tmp_path, "gt",
        [{"image_id": 1, "ids": ids, "segments_info": info(ids, {1: 2, 2: 2, 3: 2}, (2, 3))}], categories=CATEGORIES,
    )  # fmt: skip
    pred = write(
        tmp_path, "pred", [{"image_id": 1, "ids": found, "segments_info": info(found, dict.fromkeys((1, 5, 6), 2))}]
    )
    done = evaluate(gt, pred)
    assert done.value("pq") == 1.0
    assert evaluate(gt, pred, convention="panoptic").value("pq") == 1 / 1.5
    assert "several crowd regions of one class" in done.notices[-1] and "2 of car in 1" in done.notices[-1]


def change(**values: Any) -> Callable[[Json], object]:
    return lambda whole: whole["annotations"][0].update(values)


def segment(**values: Any) -> Callable[[Json], object]:
    return lambda whole: whole["annotations"][0]["segments_info"][1].update(values)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (segment(id=0), r"segment id 0 stands for void .*annotations\[0\].segments_info\[1\]"),
        (segment(id=2**24), "below 2"),
        (segment(id=70000), "70000 is a duplicate"),
        (segment(id="9"), r"expected `int`, got `str` - at `\$.annotations\[0\].segments_info\[1\].id`"),
        (segment(id=2.5), "int"),
        (segment(category_id=77), "category 77 is not among the categories"),
        (segment(iscrowd=3), "iscrowd 3"),
        (segment(area=1e300), "no number of pixels"),
        (segment(area=-1), "no number of pixels"),
        (change(segments_info=None), "expected `array`, got `null`"),
        (change(image_id=[1]), "image_id"),
        (change(file_name=""), "file_name"),
        (change(file_name="../gt/0.png"), "outside"),
        (change(file_name="sub/../../gt/0.png"), "outside"),
        (change(file_name="..\\gt\\0.png"), "outside"),
        (change(file_name="C:\\gt\\0.png"), "outside"),
        (change(file_name="/etc/passwd"), "'/etc/passwd' is a path outside"),
        (lambda whole: whole["annotations"].append(whole["annotations"][0]), "duplicate image_id"),
        (lambda whole: whole.pop("annotations"), "missing required field `annotations`"),
    ],
)
def test_json_that_is_refused(tmp_path: Path, spoil: Callable[[Json], object], words: str) -> None:
    gt, pred = both(tmp_path, 1)
    for path in (gt, pred):
        before = path.read_text()
        spoil(whole := json.loads(before))
        path.write_text(json.dumps(whole))
        code, _, err = cli("evaluate", gt, pred, "--task", "panoptic")
        assert code == 3 and err.count("\n") == 1 and path.name in err
        assert re.search(words, err), err
        path.write_text(before)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"annotations": [{"image_id": 1, ', "truncated"),
        ('{"annotations": [NaN]}', "no valid JSON"),
        ('{"info": ' + "[" * 200_000, "no valid JSON: it is nested too deeply"),
        ("[]", "expected `object`, got `array`"),
        ("\xff", "JSON"),
    ],
)
def test_text_that_is_no_json(tmp_path: Path, text: str, words: str) -> None:
    gt, pred = both(tmp_path, 1)
    pred.write_text(text, encoding="latin-1")
    code, _, err = cli("evaluate", gt, pred)
    assert code == 3 and err.count("\n") == 1 and re.search(words, err) and "pred.json" in err


@pytest.mark.parametrize(
    ("categories", "words"),
    [
        ([], "no categories"),
        ([{"id": 1}, {"id": 1}], "category 1 is a duplicate"),
        ([{"id": 1, "isthing": 2}], "isthing 2"),
        ([{"id": 2**60}], "out of range"),
        ([{"name": "sky"}], "missing required field `id`"),
    ],
)
def test_categories_that_are_refused(tmp_path: Path, categories: list[Json], words: str) -> None:
    gt, pred = both(tmp_path, 1)
    gt.write_text(json.dumps({**json.loads(gt.read_text()), "categories": categories}))
    code, _, err = cli("evaluate", gt, pred)
    assert code == 3 and words in err


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    gt, pred = both(tmp_path, 1)
    rows = repr(evaluate(gt, pred).rows())
    for path in (gt, pred):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert repr(evaluate(gt, pred).rows()) == rows


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (Image.fromarray(PRED.astype(np.uint8)), "8-bit grey"),
        (Image.fromarray(PRED.astype(np.uint16)), "16-bit grey"),
        (Image.fromarray(colors(PRED)).quantize(8), "a palette"),
        (Image.fromarray(np.dstack([colors(PRED), np.full(PRED.shape, 9, np.uint8)])), "alpha"),
    ],
)
def test_a_png_without_ids(tmp_path: Path, image: Image.Image, words: str) -> None:
    gt, pred = both(tmp_path, 1)
    image.save(tmp_path / "pred/0.png")
    code, _, err = cli("evaluate", gt, pred)
    assert code == 3 and words in err and "pred/0.png" in err
    Image.fromarray(colors(PRED)).save(tmp_path / "pred/0.png", "JPEG")
    assert cli("evaluate", gt, pred)[0] == 3


def test_what_goes_together(tmp_path: Path) -> None:
    gt, pred = both(tmp_path, 1)
    for words in (["--pairs", "{a}={a}"], ["--convention", "kitti"], ["--convention", "nobody"]):
        code, _, err = cli("evaluate", gt, pred, *words)
        assert code == 2 and "Traceback" not in err, err
    code, _, err = cli("evaluate", tmp_path / "gt", tmp_path / "pred", "--convention", "cityscapes")
    assert code == 2 and "--task panoptic" in err
    assert cli("evaluate", gt, tmp_path / "pred")[0] == 3


def test_inspection_lists_everything_that_disagrees(tmp_path: Path) -> None:
    gt, pred = both(tmp_path, 3)
    code, text, _ = cli("inspect", gt, pred)
    assert code == 0 and "3 pairs, by image_id" in text and re.search(r"car +6 +6", text)
    for i in (0, 2):
        Image.fromarray(colors(np.where(PRED == 9, 77, PRED))).save(tmp_path / f"pred/{i}.png")
    code, text, _ = cli("inspect", gt, pred)
    assert code == 3 and text.count("segment 77 only in the PNG (list it or make its pixels 0); segment 9 only") == 2
    found = json.loads(cli("inspect", gt, pred, "--format", "json")[1])
    assert len(found["problems"]) == 2 and found["segments"][1] == {"class": "car", "gt": 2, "pred": 2}


# The statistic


@given(arrays(np.uint8, st.tuples(st.integers(0, 4), st.integers(0, 5), st.just(3))))
def test_colours_are_ids(rgb: NDArray[np.uint8]) -> None:
    wide = rgb.astype(np.uint32)
    np.testing.assert_array_equal(ids_of_colors(rgb), wide[..., 0] + 256 * wide[..., 1] + 65536 * wide[..., 2])


MAPS = arrays(np.int64, (5, 6), elements=st.integers(0, 6))
CLASS_OF = {1: 1, 2: 2, 3: 2, 4: 2, 5: 9, 6: 9}


@given(MAPS, MAPS)
def test_segments_are_counted_as_overlap_counts(a: NDArray[Any], b: NDArray[Any]) -> None:
    labels = LabelSet((Label(1), Label(2), Label(9, ignore=True)))
    sides = [tuple(Segment(i, CLASS_OF[i], i == 3) for i in np.unique(x[x > 0]).tolist()) for x in (a, b)]
    found = overlap_of_segments(a, b, (sides[0], sides[1]), labels)
    crowd = [3] if (a == 3).any() else []
    expected = overlap(
        a, b, classes=labels, gt_classes=CLASS_OF, pred_classes=CLASS_OF, ignore=0, crowd=crowd, background=None
    )
    assert found.to_bytes() == expected.to_bytes()
    assert (found + found).to_bytes() == concatenate([expected, expected]).to_bytes()


# Hostile and borderline inputs


def of_kind(*kinds: str) -> Any:
    found = [c for c in CASES if c["kind"] in kinds and c["files"]]
    return pytest.mark.parametrize("case", found, ids=[c["id"] for c in found])


def check(case: Json, code: int, err: str, value_of: Callable[[str], float | None]) -> None:
    """A number that is right, or an error that is allowed and says why."""
    expect = case["expect"]
    if code:
        assert code == 3 and expect["kind"] in ("error", "value_or_error", "either") and err.count("\n") == 1
        assert any(re.search(word, err, re.IGNORECASE) for word in expect["keywords"]), err
        return
    assert expect["kind"] != "error", "a number where there should be an error"
    right = [expect["values"]] if "values" in expect else expect["values_any"]
    clean = [expect["clean"]] if not right else []
    assert any(
        all(value_of(k) == (pytest.approx(v, rel=1e-12) if v is not None else None) for k, v in values.items())
        for values in (*right, *clean)
    ), case["title"]


@of_kind("panoptic")
def test_panoptic_cases(case: Json, badcases: Path, tmp_path: Path) -> None:
    gt, pred = (badcases / case["files"][side] for side in ("gt", "pred"))
    code, _, err = cli("evaluate", gt, pred, "-o", tmp_path, "--no-report", "-j", 1)
    found = {} if code else pooled(tmp_path)
    names = {"1": "sky", "2": "car", "3": "road"}
    check(case, code, err, lambda key: found[key.partition("_")[0], names.get(key.partition("_")[2])])
    if case["id"].startswith(("Q03", "Q04")):
        assert "declares areas" in err and "panopticapi would print" in err


def test_an_absolute_file_name(tmp_path: Path) -> None:
    gt, pred = both(tmp_path, 1)
    pred.write_text(pred.read_text().replace('"0.png"', json.dumps(str(tmp_path / "gt/0.png"))))
    code, _, err = cli("evaluate", gt, pred)
    assert code == 3 and "outside" in err and "file_name" in err


@of_kind("inst_pair")
def test_instance_files(case: Json, badcases: Path, tmp_path: Path) -> None:
    gt, pred = (badcases / case["files"][side] for side in ("gt", "pred"))
    code, _, err = cli(
        "evaluate", gt, pred, "--task", "instance", "-o", tmp_path, "--no-report", "-m", "pq", "-m", "sq"
    )
    found = {} if code else pooled(tmp_path)
    o = None if code else open_run(tmp_path).statistic("overlap")
    check(case, code, err, lambda key: found[key, None] if key in ("pq", "sq") else counts_of(o)[key])


@of_kind("inst_pair")
def test_instance_arrays(case: Json, badcases: Path) -> None:
    gt, pred = (np.load(badcases / case["files"][side]) for side in ("gt", "pred"))
    try:
        o = overlap(gt, pred)
    except mm.MaskmeterError as error:
        check(case, 3, f"{error}\n", lambda _: None)
        return
    values = {k: mm.METRICS[k].compute(o) for k in ("pq", "sq")}
    check(case, 0, "", lambda key: counts_of(o)[key] if key in ("tp", "fp", "fn") else undefined(values[key]))


def counts_of(o: Any) -> dict[str, float]:
    t = tally(o, 0.5, rules(strict=True))
    return {k: float(getattr(t, k)[0]) for k in ("tp", "fp", "fn")}


def undefined(value: float) -> float | None:
    return None if np.isnan(value) else value


def test_areas_of_a_prediction_that_its_png_does_not_have_are_listed(tmp_path: Path) -> None:
    ids = np.array([[300, 300, 300, 9], [300, 300, 0, 9]])
    said = info(ids, {300: 2, 9: 5})
    gt = write(tmp_path, "gt", [{"image_id": 1, "ids": ids, "segments_info": said}], categories=CATEGORIES)
    other = [{**s, "area": 7} if s["id"] == 300 else s for s in said]
    pred = write(tmp_path, "pred", [{"image_id": 1, "ids": ids, "segments_info": other}])
    notices = evaluate(gt, pred).notices
    assert (
        "prediction: declares areas that its PNG does not have, which decide nothing (1 time: 7 for the 5 pixels "
        "of 300)" in notices
    )
    assert not any("prediction" in n for n in evaluate(gt, gt).notices)


def test_ids_of_colours_that_are_read_as_kitti_are_remarked_on(tmp_path: Path) -> None:
    ids = np.array([[7 << 16 | 200 << 8 | 3, 9 << 16 | 77 << 8 | 1]])
    said = info(ids, {int(i): 2 for i in ids.ravel()})
    for side in ("gt", "pred"):
        write(tmp_path, side, [{"image_id": 1, "ids": ids, "segments_info": said}], categories=CATEGORIES)
    done = evaluate(tmp_path / "gt", tmp_path / "pred", task="panoptic", convention="kitti")
    assert any("if these are the ids of COCO panoptic" in n for n in done.notices)
    with pytest.raises(mm.DataError, match=r"of COCO panoptic .* give the JSON files"):
        evaluate(tmp_path / "gt", tmp_path / "pred", task="panoptic")
