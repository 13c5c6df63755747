"""Detections: against the plain twin, against pycocotools' own numbers, and what coco-fixed repairs."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmeter.kernels import Cells, Meetings, match_detections
from maskmeter.metrics import METRICS
from maskmeter.statistics.detection_rules import COCO, CONVENTIONS, FIXED, Rules, rules_of
from maskmeter.statistics.detections import Detections, Objects, detections_of, joined, judge, packed_by_image, read
from reference import detections as twin

TWELVE = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar_1", "ar_10", "ar_100", "ar_small", "ar_medium",
    "ar_large",
)  # fmt: skip

BOX = st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 12)] * 2)


@st.composite
def scenes(draw: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Annotations and results with what is nasty: ties, crowds, ids 0, areas beside the box, several classes."""
    truth = st.fixed_dictionaries(
        {"image": st.integers(0, 2), "class": st.integers(0, 1), "box": BOX, "crowd": st.sampled_from([0, 0, 0, 1]),
         "area": st.sampled_from([50.0, 1024.0, 2000.0, 9216.0, 1e5]), "ignore": st.sampled_from([0, 0, 0, 1]),
         "id": st.integers(0, 3)}
    )  # fmt: skip
    result = st.fixed_dictionaries(
        {"image": st.integers(0, 2), "class": st.integers(0, 1), "box": BOX,
         "score": st.sampled_from([0.1, 0.5, 0.5, 0.9, 1.0]), "area": st.sampled_from([50.0, 1024.0, 2000.0, 1e5])}
    )  # fmt: skip
    truths = draw(st.lists(truth, max_size=8))
    found = draw(st.lists(result, max_size=10))
    for x in found:
        if truths and draw(st.booleans()):
            x.update({k: draw(st.sampled_from(truths))[k] for k in ("image", "class", "box")})
    return truths, found


def columns(truths: list[dict[str, Any]], found: list[dict[str, Any]]) -> tuple[Objects, Objects]:
    def common(x: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "image": np.array([a["image"] for a in x], np.int64),
            "class_": np.array([a["class"] for a in x], np.int64),
            "area": np.array([a["area"] for a in x], np.float64),
            "box": np.array([a["box"] for a in x], np.float64).reshape(-1, 4),
            "content": np.zeros(len(x), np.int64),
        }

    crowd = np.array([a["crowd"] for a in truths], bool)
    ignore = crowd | np.array([a["ignore"] for a in truths], bool)
    unmarked = np.array([a["id"] == 0 for a in truths], bool)
    gt = Objects(**common(truths), crowd=crowd, ignore=ignore, unmarked=unmarked)
    return gt, Objects(**common(found), score=np.array([a["score"] for a in found], np.float64))


def counted(truths: list[dict[str, Any]], found: list[dict[str, Any]], rules: Rules, images: int = 3) -> Detections:
    judged = judge(*columns(truths, found), rules, None)
    return detections_of(judged, rules, np.arange(images), np.arange(2))


def expected(truths: list[dict[str, Any]], found: list[dict[str, Any]], rules: Rules, k: int, a: int, cap: int) -> Any:
    """Precision, scores, recall by threshold of the plain twin."""
    _, low, high = rules.areas[a]
    out: list[Any] = []
    for threshold in rules.thresholds:
        score, hit, left = list[float](), list[bool](), list[bool]()
        objects = 0
        for image in range(3):
            gts = [x for x in truths if (x["image"], x["class"]) == (image, k)]
            dts = sorted((x for x in found if (x["image"], x["class"]) == (image, k)), key=lambda x: -x["score"])
            dts = dts[: rules.cap]
            iou = np.array([[twin.box_iou(d["box"], g["box"], g["crowd"]) for g in gts] for d in dts])
            h, o = twin.match(
                iou.reshape(len(dts), len(gts)), [d["area"] for d in dts], [g["area"] for g in gts],
                [g["crowd"] or g["ignore"] for g in gts], [g["crowd"] for g in gts], [g["id"] == 0 for g in gts],
                threshold, low, high,
            )  # fmt: skip
            score += [d["score"] for d in dts][:cap]
            hit, left = hit + h[:cap], left + o[:cap]
            objects += sum(not (g["crowd"] or g["ignore"]) and low <= g["area"] <= high for g in gts)
        out.append(twin.curve(score, np.array(hit, bool), np.array(left, bool), objects, rules.recalls))
    return out


@given(scenes())
def test_the_kernels_are_their_twin(scene: Any) -> None:
    d = counted(*scene, COCO)
    for a, (area, _, _) in enumerate(COCO.areas):
        for cap in COCO.max_dets:
            precision, scores, recall = d.precision(area, cap) or pytest.fail("no curve")
            for k in range(2):
                for t, (q, s, r) in enumerate(expected(*scene, COCO, k, a, cap)):
                    assert precision[t, :, k].tolist() == q
                    assert scores[t, :, k].tolist() == s
                    assert recall[t, k] == r


@given(scenes())
def test_each_image_is_as_if_alone(scene: Any) -> None:
    truths, found = scene
    for rules in (COCO, FIXED):
        each = counted(truths, found, rules).by_image()
        for i in range(3):
            alone = counted([x for x in truths if x["image"] == i], [x for x in found if x["image"] == i], rules)
            for name in TWELVE:
                a, b = METRICS[name].values(each)[i], METRICS[name].values(alone)
                np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)


@given(scenes())
def test_resamples_are_what_they_draw(scene: Any) -> None:
    d = counted(*scene, FIXED)
    weights = np.array([[1, 1, 1], [2, 0, 1], [0, 3, 0]], np.float64)
    drawn = d.resampled(weights)
    packed = packed_by_image(d)
    parts = [read([x], FIXED, d.classes, d.group) for x in packed]
    assert [p.to_bytes() for p in parts] == packed
    for b, w in enumerate(weights.astype(int).tolist()):
        whole = joined([p for p, n in zip(parts, w, strict=True) for _ in range(n)], d.classes, d.group)
        for name in TWELVE:
            a, e = METRICS[name].values(drawn)[b], METRICS[name].values(whole)
            np.testing.assert_allclose(a, e, rtol=1e-12, atol=1e-15)


@given(scenes(), st.randoms(use_true_random=False))
def test_fixed_depends_on_no_order_and_no_name(scene: Any, random: Any) -> None:
    truths, found = ([dict(x) for x in side] for side in scene)
    for x in truths:
        x["id"] = 1
    before = counted(truths, found, FIXED)
    other = [2, 0, 1]
    for x in (*truths, *found):
        x["image"] = other[x["image"]]
    random.shuffle(truths)
    random.shuffle(found)
    after = counted(truths, found, FIXED)
    for name in TWELVE:
        np.testing.assert_array_equal(METRICS[name].values(after), METRICS[name].values(before))


@given(scenes())
def test_what_is_kept_comes_back(scene: Any) -> None:
    d = counted(*scene, COCO)
    back = read(packed_by_image(d), COCO, d.classes, d.group)
    for name in ("det_class", "det_image", "det_rank", "det_score", "hits", "ignored"):
        np.testing.assert_array_equal(getattr(back, name), getattr(d, name))
    for name in TWELVE:
        np.testing.assert_array_equal(METRICS[name].values(back), METRICS[name].values(d))


def test_the_better_of_two_equal_scores_comes_first() -> None:
    """Under pycocotools' rules the first of the file takes the object; under the fixed ones the one that fits."""
    truths = [{"image": 0, "class": 0, "box": (0, 0, 40, 40), "area": 1600.0, "crowd": 0, "ignore": 0, "id": 1}]
    bad, good = ({"image": 0, "class": 0, "box": (0, 0, 40, h), "area": 40.0 * h, "score": 0.5} for h in (22, 40))
    for order in ([bad, good], [good, bad]):
        assert METRICS["ap"].values(counted(truths, order, replace(FIXED, max_dets=(1,))))[-1] == pytest.approx(1.0)
    assert METRICS["ap"].values(counted(truths, [bad, good], COCO))[-1] == 0.6


def test_an_image_name_moves_a_tie_only_under_coco() -> None:
    truths = [{"image": 0, "class": 0, "box": (0, 0, 40, 40), "area": 1600.0, "crowd": 0, "ignore": 0, "id": 1}]
    right = {"image": 0, "class": 0, "box": (0, 0, 40, 40), "area": 1600.0, "score": 0.5}
    wrong = {**right, "image": 1}
    values = {
        (rules.name, first): METRICS["ap"].values(
            counted([{**truths[0], "image": first}], [{**right, "image": first}, {**wrong, "image": 1 - first}], rules)
        )[-1]
        for rules in (COCO, FIXED)
        for first in (0, 1)
    }
    assert values["coco", 0] == pytest.approx(1.0) and values["coco", 1] == 0.5
    assert values["coco-fixed", 0] == values["coco-fixed", 1] == 0.5


@pytest.mark.parametrize(
    ("pairs", "truths", "partner"),
    [
        ([(0, 0, 0.8), (0, 1, 0.8), (1, 0, 0.7)], [(0, 0), (0, 0)], [1, 0]),  # of equal IoU the later truth
        ([(0, 0, 0.6), (0, 1, 0.9)], [(0, 0), (1, 0)], [0, -1]),  # one that counts before one that does not
        ([(0, 0, 0.8), (1, 0, 0.7)], [(1, 1), (0, 0)], [0, 0]),  # a crowd takes any number
        ([(0, 0, 0.8), (1, 0, 0.9)], [(0, 0), (0, 0)], [0, -1]),  # an object one alone, the first by score
    ],
)
def test_who_takes_whom(pairs: list[Any], truths: list[Any], partner: list[int]) -> None:
    """`truths` as (ignored, crowd)."""
    d, g, iou = (np.array(x) for x in zip(*pairs, strict=True))
    ignore, crowd = np.array(truths, bool).T
    off = np.zeros(2, bool)
    marks = {"ignore": ignore, "crowd": crowd, "unmarked": off, "excused": off}
    m = match_detections(
        Cells(np.array([0, 2]), np.array([0, 2])), Meetings(d, g, iou), np.full(2, 50.0), np.full(2, 50.0), marks,
        np.array([0.5]), np.array([[0.0, 1e10]]), partners=True,
    )  # fmt: skip
    assert m.partner is not None
    assert m.partner[0, 0].tolist() == partner
    assert m.ignored[0].tolist() == [int(p >= 0 and ignore[p]) for p in partner]


def test_the_kernel_refuses_what_does_not_fit() -> None:
    cells = Cells(np.array([0, 1]), np.array([0, 1]))
    pairs = Meetings(np.array([0]), np.array([5]), np.array([0.9]))
    off = np.zeros(1, bool)
    marks = {"ignore": off, "crowd": off, "unmarked": off, "excused": off}
    with pytest.raises(ValueError, match="do not fit"):
        match_detections(cells, pairs, np.ones(1), np.ones(1), marks, COCO.steps, COCO.ranges)


def test_conventions_are_found_by_name() -> None:
    assert rules_of(None) is FIXED and {r.name for r in CONVENTIONS.values()} == CONVENTIONS.keys()
    with pytest.raises(ValueError, match="coco-fixed"):
        rules_of("pascal")
    assert COCO.thresholds[8] == 0.8999999999999999 and COCO.recalls[35] == 0.35000000000000003
