"""Kinds of detection errors: against the plain twin, tidecv and its numbers, and what the rules of the run change."""

import contextlib
import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import maskmeter as mm
from maskmeter.errors import UsageError
from maskmeter.metrics import METRICS, parse
from maskmeter.statistics.detection_rules import CONVENTIONS, FIXED, Rules
from maskmeter.statistics.detections import Objects, detections_of, judge
from maskmeter.statistics.encounters import KINDS, SPECIAL, Encounters, encounters_of, joined, packed_by_image, read
from reference import tide as twin

DATA = Path(__file__).parents[2] / "shared" / "data"
TIDE = CONVENTIONS["tide"]
CALLED = {
    "Cls": "classification", "Loc": "localisation", "Both": "both", "Dupe": "duplicate", "Bkg": "background",
    "Miss": "missed", "FalsePos": "false_positive", "FalseNeg": "false_negative",
}  # fmt: skip

BOX = st.tuples(*[st.integers(0, 9)] * 2, *[st.integers(1, 10)] * 2)
Scene = tuple[list[dict[str, Any]], list[dict[str, Any]]]


@st.composite
def scenes(draw: Any) -> Scene:
    """Annotations and results with ties of score, crowds, equal boxes of two classes, images without either."""
    kind = {"image": st.integers(0, 2), "class": st.integers(0, 2), "box": BOX}
    truths = draw(st.lists(st.fixed_dictionaries({**kind, "crowd": st.sampled_from([0, 0, 0, 1])}), max_size=8))
    scores = st.sampled_from([0.1, 0.5, 0.5, 0.7, 0.9])
    found = draw(st.lists(st.fixed_dictionaries({**kind, "score": scores}), max_size=10))
    for x in found:
        if truths and draw(st.booleans()):
            x.update({k: draw(st.sampled_from(truths))[k] for k in ("image", "class", "box")})
        if draw(st.integers(0, 3)) == 0:
            x["class"] = draw(st.integers(0, 2))
    return truths, found


def counted(truths: list[dict[str, Any]], found: list[dict[str, Any]], rules: Rules = TIDE) -> Encounters:
    def common(x: list[dict[str, Any]]) -> dict[str, Any]:
        box = np.array([a["box"] for a in x], np.float64).reshape(-1, 4)
        return {
            "image": np.array([a["image"] for a in x], np.int64), "box": box, "area": box[:, 2] * box[:, 3],
            "class_": np.array([a["class"] for a in x], np.int64), "content": np.zeros(len(x), np.int64),
            "row": np.arange(len(x)),
        }  # fmt: skip

    crowd = np.array([a["crowd"] for a in truths], bool)
    gt = Objects(**common(truths), crowd=crowd, ignore=crowd)
    dt = Objects(**common(found), score=np.array([a["score"] for a in found], np.float64))
    return encounters_of(judge(gt, dt, rules, None), rules, None, np.arange(3), np.arange(3))


def numbers(e: Encounters) -> dict[str, float]:
    out = {"ap": float(METRICS["ap50"].values(e.judgement(0.5))[-1])}
    out |= {k: float(METRICS["ap_gain"].at(kind=k).values(e)[-1]) for k in (*KINDS, *SPECIAL)}
    return out | {f"n {k}": float(METRICS["detection_errors"].at(kind=k).values(e)[-1]) for k in KINDS}


@given(scenes())
def test_agrees_with_its_twin(scene: Scene) -> None:
    got, want = numbers(counted(*scene)), twin.gains(*scene)
    if math.isnan(want["ap"]):
        return
    for k, v in want.items():
        if not math.isnan(v):  # equal scores, which go to the wrong ones there, can make the last two losses
            assert got[k] == pytest.approx(max(v, 0.0), abs=1e-12), k


def scene_of(seed: int, images: int = 12, classes: int = 4) -> Scene:
    """A larger scene, whose detections are objects moved, renamed, doubled, invented; no two scores are equal."""
    rng = np.random.default_rng(seed)
    truths: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []

    def box() -> Any:
        return [float(x) for x in (*rng.uniform(0, 80, 2), *rng.uniform(4, 40, 2))]

    for image in range(images):
        for _ in range(rng.integers(0, 9)):
            g = {"image": image, "class": int(rng.integers(classes)), "box": box(), "crowd": int(rng.random() < 0.1)}
            truths.append(g)
            for _ in range(rng.integers(0, 4)):
                kind = g["class"] if rng.random() < 0.7 else int(rng.integers(classes + 1))
                moved = np.array(g["box"]) + rng.normal(0, rng.choice([0.5, 3, 8]), 4)
                found.append({"image": image, "class": kind, "box": [float(x) for x in np.maximum(moved, 1)]})
        found += [
            {"image": image, "class": int(rng.integers(classes + 1)), "box": box()} for _ in range(rng.integers(0, 4))
        ]
    for x, score in zip(found, rng.permutation(len(found)) / max(len(found), 1), strict=True):
        x["score"] = float(score)
    return truths, found


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(20))
def test_tidecv_prints_the_same(seed: int) -> None:
    peer = pytest.importorskip("tidecv")
    truths, found = scene_of(seed)
    gt, dt = peer.Data("gt"), peer.Data("dt")
    for image in sorted({x["image"] for x in truths} | {x["image"] for x in found}):
        gt.add_image(image, str(image))
    for g in truths:
        add = gt.add_ignore_region if g["crowd"] else gt.add_ground_truth
        add(g["image"], g["class"], g["box"])
    for d in found:
        dt.add_detection(d["image"], d["class"], d["score"], d["box"])
    run = peer.TIDE()
    run.evaluate(gt, dt, name="a", mode=peer.TIDE.BOX)
    with contextlib.redirect_stdout(io.StringIO()):
        errors = run.get_all_errors()
    e = counted_of(truths, found)
    got = numbers(e)
    assert 100 * got["ap"] == pytest.approx(run.runs["a"].ap, abs=1e-9)
    for short, value in {**errors["main"]["a"], **errors["special"]["a"]}.items():
        assert 100 * got[CALLED[short]] == pytest.approx(value, abs=1e-9), short
    for error, n in run.runs["a"].count_errors().items():
        assert got[f"n {CALLED[error.short_name]}"] == n


def counted_of(truths: list[dict[str, Any]], found: list[dict[str, Any]], rules: Rules = TIDE) -> Encounters:
    e = counted(truths, found, rules)
    images = 1 + max(x["image"] for x in (*truths, *found))
    classes = np.arange(1 + max(x["class"] for x in (*truths, *found)))
    return replace(e, image_number=np.arange(images), classes=classes, group=np.zeros(classes.size, np.int64), memo={})


@pytest.mark.parametrize("seed", range(5))
def test_the_large_scenes_agree_with_the_twin(seed: int) -> None:
    scene = scene_of(seed)
    got, want = numbers(counted_of(*scene)), twin.gains(*scene)
    assert want["n localisation"] > 2
    assert want["n classification"] > 2
    for k, v in want.items():
        assert got[k] == pytest.approx(v, abs=1e-12), k


@pytest.mark.parametrize("rules", [FIXED, CONVENTIONS["coco"]], ids=lambda r: r.name)
def test_what_is_mended_is_the_ap_of_the_run(rules: Rules) -> None:
    truths, found = scene_of(3)
    e = counted_of(truths, found, rules)
    whole = judge(*objects_of(truths, found), rules, None)
    d = detections_of(whole, rules, e.image_number, e.classes)
    values = METRICS["ap50"].values
    assert np.array_equal(values(e.judgement(0.5)), values(d), equal_nan=True)
    assert np.array_equal(values(e.by_image().judgement(0.5)), values(d.by_image()), equal_nan=True)
    weights = np.random.default_rng(0).integers(0, 3, (5, e.images)).astype(np.float64)
    assert np.array_equal(values(e.resampled(weights).judgement(0.5)), values(d.resampled(weights)), equal_nan=True)


def objects_of(truths: list[dict[str, Any]], found: list[dict[str, Any]]) -> tuple[Objects, Objects]:
    def common(x: list[dict[str, Any]]) -> dict[str, Any]:
        box = np.array([a["box"] for a in x], np.float64).reshape(-1, 4)
        return {
            "image": np.array([a["image"] for a in x], np.int64), "box": box, "area": box[:, 2] * box[:, 3],
            "class_": np.array([a["class"] for a in x], np.int64), "content": np.zeros(len(x), np.int64),
        }  # fmt: skip

    crowd = np.array([a["crowd"] for a in truths], bool)
    scores = np.array([a["score"] for a in found], np.float64)
    return Objects(**common(truths), crowd=crowd, ignore=crowd), Objects(**common(found), score=scores)


def test_what_a_crowd_excuses_is_no_error_but_under_tide() -> None:
    truths = [
        {"image": 0, "class": 0, "box": [0, 0, 20, 20], "crowd": 1},
        {"image": 0, "class": 0, "box": [50, 50, 9, 9], "crowd": 0},
    ]
    found = [{"image": 0, "class": 0, "box": [5, 5, 5, 5], "score": 0.9}]
    assert numbers(counted(truths, found, FIXED))["n background"] == 0
    assert numbers(counted(truths, found, TIDE))["n background"] == 1


def test_a_class_that_is_found_and_not_there_counts_under_tide() -> None:
    box = {"image": 0, "box": [0, 0, 9, 9]}
    truths = [{**box, "class": 0, "crowd": 0}]
    found = [{**box, "class": 0, "score": 0.9}, {**box, "class": 1, "score": 0.8}]
    assert numbers(counted(truths, found, FIXED))["ap"] == pytest.approx(1.0)
    e = counted(truths, found, TIDE)
    assert numbers(e)["ap"] == pytest.approx(0.5)
    each = METRICS["ap50"].values(e.by_image().judgement(0.5))
    assert each[0].tolist() == pytest.approx([1.0, 0.0, math.nan, 0.5], nan_ok=True)
    drawn = METRICS["ap50"].values(e.resampled(np.array([[2.0, 0, 0]])).judgement(0.5))
    assert drawn[0].tolist() == pytest.approx([1.0, 0.0, math.nan, 0.5], nan_ok=True)


@given(scenes())
def test_comes_back_from_bytes_image_by_image(scene: Scene) -> None:
    e = counted(*scene)
    packed = packed_by_image(e)
    again = read(packed, e.rules, e.classes, e.group)
    each = [read([x], e.rules, e.classes, e.group) for x in packed]
    assert [x.to_bytes() for x in each] == packed
    for name in e.__dataclass_fields__:
        if isinstance(x := getattr(e, name), np.ndarray):
            assert np.array_equal(x, getattr(again, name)), name
    turned = joined(each[::-1], FIXED, e.classes, e.group, False)
    same, other = numbers(replace(e, rules=FIXED, memo={}, drawn={})), numbers(turned)
    assert str(same) == str(other)


def test_says_what_kinds_there_are() -> None:
    e = counted(*scene_of(0))
    for name in ("ap_gain(kind=false)", "detection_errors(kind=false_positive)"):
        with pytest.raises(UsageError, match="is no kind of error; there are classification"):
            parse(name).values(e)
    with pytest.raises(UsageError, match=r"iou=0.05 is no threshold"):
        parse("ap_gain(kind=both,iou=0.05)").values(e)


@pytest.mark.parametrize("on", ["mask", "box"])
def test_coco_100_has_the_numbers_of_tidecv(on: str) -> None:
    if not (values := DATA / "expected" / "values.json").is_file():
        pytest.skip(f"there is no {values}")
    want = json.loads(values.read_text())["coco_100"]["tide_segm" if on == "mask" else "tide_bbox"]
    folder = DATA / "coco_100"
    pred = folder / ("pred_fakesegm100.json" if on == "mask" else "pred_fakebbox100.json")
    done = mm.evaluate(folder / "gt_instances_val2014_100.json", pred, convention="tide", on=on)  # type: ignore[arg-type]
    assert 100 * done.value("ap50") == pytest.approx(want["AP50"], abs=1e-12)
    for short, value in {**want["main"], **want["special"]}.items():
        assert 100 * done.value(f"ap_gain(kind={CALLED[short]})") == pytest.approx(value, abs=1e-12), short
    for short, n in want["counts"].items():
        assert done.value(f"detection_errors(kind={CALLED[short]})") == n
