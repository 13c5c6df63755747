"""Instance metrics: against the plain twin, by hand at the edges, and what other tools say of real data."""

from __future__ import annotations

import gzip
import json
import math
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from maskmeter import matching
from maskmeter.errors import UsageError
from maskmeter.labels import Label, LabelSet
from maskmeter.metrics import _tally, instances, parse
from maskmeter.metrics.instances import (
    aji,
    aji_plus,
    count_error,
    mean_matched_iou,
    merges,
    object_accuracy,
    object_f1,
    object_precision,
    object_recall,
    over_classes,
    pq,
    rq,
    sbd,
    seg,
    splits,
    sq,
)  # fmt: skip
from maskmeter.statistics.instances import overlap
from maskmeter.statistics.overlap import Overlap, concatenate
from reference import overlap as twin

MAPS = arrays(np.int64, (4, 5), elements=st.integers(0, 4))
AT = st.sampled_from([0.2, 0.5, 0.55, 0.75, 1.0])
NONE, ONE = [0, 0, 0], [0, 4, 4]
CITYSCAPES = matching.rules("cityscapes")
SINGLE = 1e-6


def same(a: float, b: float) -> None:
    assert a == pytest.approx(b, rel=1e-13, abs=1e-15, nan_ok=True)


@given(MAPS, MAPS, AT)
def test_object_metrics_against_the_twin(a: NDArray[Any], b: NDArray[Any], at: float) -> None:
    tp, fp, fn, total = twin.tally(a, b, at)
    o = overlap(a, b)
    if at >= 0.5:  # below, equal totals may have different numbers of matches
        same(object_recall.compute(o, iou=at), tp / (tp + fn) if tp + fn else math.nan)
        same(object_precision.compute(o, iou=at), tp / (tp + fp) if tp + fp else 0.0 if fn else math.nan)
        same(object_f1.compute(o, iou=at), 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else math.nan)
        same(object_accuracy.compute(o, iou=at), tp / (tp + fp + fn) if tp + fp + fn else math.nan)
        same(mean_matched_iou.compute(o, iou=at), total / tp if tp else math.nan)
    tp, fp, fn, total = twin.tally(a, b, 0.5, strict=True)
    same(pq.compute(o), total / (tp + fp / 2 + fn / 2) if tp + fp + fn else math.nan)
    same(sq.compute(o), total / tp if tp else math.nan)
    same(rq.compute(o), tp / (tp + fp / 2 + fn / 2) if tp + fp + fn else math.nan)


@given(MAPS, MAPS, st.permutations([1, 1, 2, 2]), st.permutations([1, 1, 2, 2]), st.sets(st.integers(1, 4), max_size=1))
def test_panoptic_against_the_twin(
    a: NDArray[Any], b: NDArray[Any], x: list[int], y: list[int], crowds: set[int]
) -> None:
    gt_classes = {i: c for i, c in enumerate(x, 1) if (a == i).any()}
    pred_classes = {i: c for i, c in enumerate(y, 1) if (b == i).any()}
    o = overlap(a, b, classes=[1, 2], gt_classes=gt_classes, pred_classes=pred_classes, ignore=0, crowd=sorted(crowds))
    t = _tally.tally(o, 0.5, matching.rules("panoptic"))
    expected = twin.panoptic(a, b, gt_classes, pred_classes, crowds)
    for k, c in enumerate((1, 2)):
        score, tp, fp, fn = expected.get(c, (0.0, 0, 0, 0))
        assert (t.score[k], t.tp[k], t.fp[k], t.fn[k]) == (score, tp, fp, fn)


CLASSES = st.permutations([1, 1, 2, 2])


@settings(max_examples=40)
@given(MAPS, MAPS, CLASSES, CLASSES, st.sets(st.integers(1, 4), max_size=2), st.sampled_from([0.5, 0.6, 0.75]))
def test_cityscapes_and_semantickitti_against_their_twins(
    a: NDArray[Any], b: NDArray[Any], x: list[int], y: list[int], groups: set[int], at: float
) -> None:
    gt_classes = {i: c for i, c in enumerate(x, 1) if (a == i).any()}
    pred_classes = {i: c for i, c in enumerate(y, 1) if (b == i).any()}
    facts: dict[str, Any] = {"classes": [1, 2], "gt_classes": gt_classes, "pred_classes": pred_classes, "ignore": 0}
    t = _tally.tally(overlap(a, b, crowd=sorted(groups), **facts), at, replace(CITYSCAPES, regions=3))
    expected = twin.cityscapes(a, b, (gt_classes, pred_classes), groups, at, 3)
    for k, c in enumerate((1, 2)):
        assert (t.tp[k], t.fp[k], t.fn[k]) == expected.get(c, (0, 0, 0))
    o, expected = overlap(a, b, **facts), twin.semantic_kitti(a, b, gt_classes, pred_classes, 3)
    for k, c in enumerate((1, 2)):
        for metric, value in zip((pq, sq, rq), expected.get(c, (0.0, 0.0, 0.0)), strict=True):
            same(metric.at(min_pixels=3, convention="semantickitti").values(o)[k], value)


def test_no_relabelling_moves_a_tie() -> None:
    """Objects that are alike in everything, in rings and in nets that no order of them tells apart."""
    rng = np.random.default_rng(5)
    ring = np.repeat(np.arange(1, 7), 2)
    for _ in range(4):
        a = rng.permutation(np.repeat(np.arange(1, 7), 3))
        for gt, pred in ((ring, np.roll(ring, 1)), (a, np.repeat(np.arange(1, 7), 3))):
            found = set[tuple[float, ...]]()
            for _ in range(8):
                x, y = (np.concatenate([[0], rng.permutation(np.arange(1, 7))]) for _ in range(2))
                o = overlap(x[gt], y[pred])
                found.add((aji.compute(o), aji_plus.compute(o), sbd.compute(o), seg.compute(o), pq.compute(o)))
            assert len(found) == 1


@given(MAPS, MAPS)
def test_aggregates_against_the_twin(a: NDArray[Any], b: NDArray[Any]) -> None:
    o = overlap(a, b)
    same(aji.compute(o), twin.aji(a, b))
    same(sbd.compute(o), twin.sbd(a, b))
    same(seg.compute(o), twin.seg(a, b))
    same(splits.compute(o), twin.splits(a, b))
    same(merges.compute(o), twin.splits(b, a))
    same(count_error.compute(o), len(twin.masks(b)) - len(twin.masks(a)))


def test_aji_plus_against_the_twin() -> None:
    rng = np.random.default_rng(3)  # sizes that make equal totals unlikely
    for _ in range(30):
        a, b = (np.repeat(rng.integers(0, 5, 12), rng.integers(1, 30, 12))[:100] for _ in range(2))
        n = min(a.size, b.size)
        same(aji_plus.compute(overlap(a[:n], b[:n])), twin.aji_plus(a[:n], b[:n]))


@pytest.mark.parametrize(
    ("metric", "both", "only_gt", "only_pred"),
    [
        (object_precision.at(iou=0.5), math.nan, 0.0, 0.0),
        (object_recall.at(iou=0.5), math.nan, 0.0, math.nan),
        (object_f1.at(iou=0.5), math.nan, 0.0, 0.0),
        (object_accuracy.at(iou=0.5), math.nan, 0.0, 0.0),
        (object_f1.at(iou=0.5, convention="stardist"), 0.0, 0.0, 0.0),
        (object_accuracy.at(iou=0.5, convention="cellpose"), math.nan, 0.0, 0.0),
        (mean_matched_iou, math.nan, math.nan, math.nan),
        (pq, math.nan, 0.0, 0.0),
        (sq, math.nan, math.nan, math.nan),
        (sq.at(convention="panoptic"), math.nan, 0.0, 0.0),
        (rq, math.nan, 0.0, 0.0),
        (aji, math.nan, 0.0, 0.0),
        (aji.at(convention="monuseg"), math.nan, 0.0, 0.0),
        (aji.at(convention="cellpose"), math.nan, 0.0, 0.0),
        (aji_plus, math.nan, 0.0, 0.0),
        (pq.at(convention="cityscapes"), math.nan, 0.0, 0.0),
        (sq.at(convention="semantickitti"), 0.0, 0.0, 0.0),
        (object_f1.at(iou=0.5, convention="cityscapes"), math.nan, math.nan, 0.0),
        (sbd, math.nan, 0.0, 0.0),
        (seg, math.nan, 0.0, math.nan),
        (splits, 0.0, 0.0, 0.0),
        (merges, 0.0, 0.0, 0.0),
        (count_error, 0.0, -1.0, 1.0),
    ],
    ids=str,
)
def test_the_cases_of_empty_sides_are_kept_apart(metric: Any, both: float, only_gt: float, only_pred: float) -> None:
    same(metric(NONE, NONE), both)
    same(metric(ONE, NONE), only_gt)
    same(metric(NONE, ONE), only_pred)


def test_one_merge_of_two_cells() -> None:
    gt, pred = np.repeat([1, 2, 0], [8, 4, 2]), np.repeat([1, 0, 2], [12, 0, 2])
    assert aji(gt, pred) == 12 / 26  # both take the merged one: (8 + 4) / (12 + 12 + 2)
    assert aji_plus(gt, pred) == 8 / (12 + 4 + 2)
    assert aji(gt, pred, convention="cellpose") == 8 / 14


def test_a_range_is_a_mean() -> None:
    rng = np.random.default_rng(0)
    o = overlap(np.repeat(rng.integers(0, 9, 40), 25), np.repeat(rng.integers(0, 9, 50), 20))
    o = o + overlap(np.repeat([1, 2, 3, 0], 10), np.repeat([1, 2, 3, 4], [9, 11, 13, 7]))
    each = [object_f1.compute(o, iou=float(t)) for t in np.linspace(0.5, 0.95, 10)]
    assert object_f1.compute(o, iou="0.5:0.95") == pytest.approx(np.mean(each), rel=1e-15)
    assert parse("object_f1(iou=0.5:0.95)").compute(o) == object_f1.compute(o, iou="0.5:0.95")
    assert instances.thresholds("0.5:0.95") == np.linspace(0.5, 0.95, 10).tolist()


@pytest.mark.parametrize("iou", [0, -1, 1.5, "0.9:0.5", "a", "0.5:", "0.5:0.9:9", True, "1e:2"])
def test_thresholds_that_are_none(iou: Any) -> None:
    with pytest.raises(UsageError, match="iou must be"):
        object_f1(ONE, ONE, iou=iou)


@pytest.mark.parametrize(
    "choices",
    [{"convention": "coca"}, {"criterion": "jaccard"}, {"among": "cars"}, {"iou": 2}, {"min_pixels": -1}],
    ids=str,
)
def test_unknown_choices(choices: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        pq(ONE, ONE, **choices)
    with pytest.raises(UsageError):
        aji(ONE, ONE, convention="panoptic")
    with pytest.raises(UsageError):
        splits(ONE, ONE, share=0.2)


def test_means_over_classes() -> None:
    labels = LabelSet((Label(1, thing=True), Label(2, thing=False), Label(3), Label(4, average=False)))
    table = {1: 1, 2: 2, 3: 2, 4: 4}
    o = overlap([1, 2, 3, 4], [1, 2, 0, 0], classes=labels, gt_classes=table, pred_classes=table)
    values = pq.values(o)
    np.testing.assert_array_equal(values, [1.0, 1 / 1.5, np.nan, 0.0])
    assert over_classes(pq, o, values) == (1.0 + 1 / 1.5) / 2
    assert over_classes(pq, o, pq.at(among="things").values(o)) == 1.0
    assert over_classes(count_error, o, count_error.values(o)) == -1.0  # class 4 stays out
    stack = concatenate([o, o]).by_image()
    assert over_classes(pq, stack, pq.values(stack)).tolist() == [(1.0 + 1 / 1.5) / 2] * 2


def test_count_errors_cancel_unless_absolute() -> None:
    o = overlap([1, 2], [1, 0]) + overlap([1, 0], [1, 2])
    assert (count_error.compute(o), count_error.compute(o, absolute=True)) == (0.0, 2.0)


# What other tools say


@pytest.fixture(scope="module")
def expected(shared_data: Path) -> dict[str, Any]:
    return json.loads((shared_data / "expected/values.json").read_text())


def stardist(o: Overlap, iou: float, criterion: str, values: dict[str, float]) -> None:
    """StarDist's numbers: rates of counts exactly, scores in its single precision."""
    choices = {"iou": iou, "criterion": criterion, "convention": "stardist"}
    for metric, name in (
        (object_precision, "precision"), (object_recall, "recall"), (object_f1, "f1"), (object_accuracy, "accuracy"),
    ):  # fmt: skip
        assert metric.compute(o, **choices) == values[name]
    t = _tally.tally(o, iou, matching.rules("stardist", criterion))
    assert [t.tp.item(), t.fp.item(), t.fn.item()] == [values[k] for k in ("tp", "fp", "fn")]
    assert mean_matched_iou.compute(o, **choices) == pytest.approx(values["mean_matched_score"], rel=SINGLE)
    assert pq.compute(o, **choices) == pytest.approx(values["panoptic_quality"], rel=SINGLE)


@pytest.mark.parametrize("model", ["pred_A", "pred_B"])
def test_nuclei(shared_data: Path, expected: dict[str, Any], model: str) -> None:
    folder, values = shared_data / "nuclei_instances", expected[f"nuclei_instances/{model}"]
    files = sorted((folder / "gt").iterdir())
    o = concatenate([overlap(Image.open(f), Image.open(folder / model / f.name)) for f in files])
    for at in (0.5, 0.75, 0.9):
        stardist(o, at, "iou", values[f"iou>={at}"])
        for metric in (object_precision, object_recall, object_f1, object_accuracy):
            assert metric.compute(o, iou=at) == values[f"iou>={at}"][metric.name.removeprefix("object_")]
    each = object_accuracy.at(iou="0.5:0.95", convention="dsb2018").values(o.by_image())
    assert each.mean() == pytest.approx(values["dsb2018_mean_ap_50_95"], rel=1e-15)


def test_nuclei_3d(shared_data: Path, expected: dict[str, Any]) -> None:
    gt, pred = (tifffile.imread(shared_data / "nuclei_3d" / f) for f in ("gt.tif", "pred.tif"))
    stardist(overlap(gt, pred), 0.5, "iou", expected["nuclei_3d"])


def test_spine_3d(shared_data: Path, expected: dict[str, Any]) -> None:
    values = expected["spine_3d"]
    o = overlap(*(read_nifti(shared_data / f"spine_3d/unmatched_instance_{x}.nii.gz") for x in ("ref", "pred")))
    for criterion in ("iou", "iot", "iop"):
        for at in (0.5, 0.75, 0.9):
            stardist(o, at, criterion, values[f"stardist_{criterion}_{at}"])
    assert aji.compute(o) == aji.compute(o, convention="monuseg") == values["hovernet_aji"]
    assert aji_plus.compute(o) == values["hovernet_aji_plus"]
    assert aji.compute(o, convention="cellpose") == values["cellpose_aji"]
    assert [m.compute(o, convention="monuseg") for m in (rq, sq, pq)] == values["hovernet_dq_sq_pq"]
    for at, value in zip((0.5, 0.75, 0.9), values["cellpose_ap"], strict=True):
        assert object_accuracy.compute(o, iou=at, convention="cellpose") == value
    assert sbd.compute(o) == pytest.approx(values["sbd"], rel=1e-15)
    assert seg.compute(o) == pytest.approx(values["ctc_seg"], rel=1e-15)


def test_panoptic(shared_data: Path, expected: dict[str, Any]) -> None:
    """To the last bit."""
    o, values = concatenate(read_panoptic(shared_data / "panoptic_2")), expected["panoptic_2"]
    for among, name in ((None, "All"), ("things", "Things"), ("stuff", "Stuff")):
        for metric in (pq, sq, rq):
            found = metric.at(among=among, convention="panoptic").values(o)
            assert float(over_classes(metric, o, found)) == values["pq"][name][metric.name]
            assert np.isfinite(found).sum() == values["pq"][name]["n"]
    t = _tally.tally(o, 0.5, matching.rules("panoptic"))
    for k, c in enumerate(o.classes.tolist()):
        assert [t.score[k], t.tp[k], t.fp[k], t.fn[k]] == values["per_cat"][str(c)]


def read_panoptic(folder: Path) -> list[Overlap]:
    gt, pred = (json.loads((folder / f"{x}.json").read_text()) for x in ("gt", "pred"))
    labels = LabelSet(tuple(Label(c["id"], c["name"], thing=bool(c["isthing"])) for c in gt["categories"]))
    predicted = {x["image_id"]: x for x in pred["annotations"]}

    def one(a: dict[str, Any]) -> Overlap:
        b = predicted[a["image_id"]]
        segments = a["segments_info"]
        return overlap(
            ids(folder / "gt" / a["file_name"]), ids(folder / "pred" / b["file_name"]), classes=labels, ignore=0,
            gt_classes={s["id"]: s["category_id"] for s in segments},
            pred_classes={s["id"]: s["category_id"] for s in b["segments_info"]},
            crowd=[s["id"] for s in segments if s["iscrowd"]], areas={s["id"]: s["area"] for s in segments},
        )  # fmt: skip

    def ids(path: Path) -> NDArray[Any]:
        rgb = np.asarray(Image.open(path)).astype(np.int64)
        return rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2]

    return [one(a) for a in gt["annotations"]]


def read_nifti(path: Path) -> NDArray[Any]:
    data = gzip.decompress(path.read_bytes())
    dims, (kind,), (at,) = (struct.unpack_from(f, data, k) for f, k in (("<8h", 40), ("<h", 70), ("<f", 108)))
    shape = dims[1 : 1 + dims[0]]
    dtype = {2: "u1", 4: "<i2", 8: "<i4", 16: "<f4", 512: "<u2"}[kind]
    return np.frombuffer(data, dtype, math.prod(shape), int(at)).reshape(shape, order="F")
