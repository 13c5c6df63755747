"""The overlap statistic: objects, classes, void, crowds, merging, bytes, and its independence of ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import ndimage

from maskmeter import matching
from maskmeter.errors import LabelError, MergeError, UsageError
from maskmeter.labels import Label, LabelSet
from maskmeter.metrics import METRICS, _tally, instances, partitions
from maskmeter.statistics.components import NEIGHBOURS, components
from maskmeter.statistics.instances import overlap
from maskmeter.statistics.overlap import Overlap, concatenate

IDS = np.array([0, 3, 7, 250, 70000, 2**40, 2**62 + 1])
MAPS = arrays(np.int64, (5, 6), elements=st.integers(0, 6))
OURS = [
    m
    for m in METRICS.values()
    if m.formula.__module__ in (instances.__name__, partitions.__name__) and "width" not in m.defaults and not m.needs
]
FEWER = settings(max_examples=max(10, settings().max_examples // 5))  # each example computes every metric several times
COMPLETE = [m if m.complete else m.at(iou=0.5) for m in OURS] + [m.at(iou=0.2) for m in OURS if not m.complete]


def everything(o: Overlap) -> dict[str, Any]:
    """All numbers of a statistic, as exact text."""
    return {str(m): [float(v).hex() for v in np.ravel(m.values(o))] for m in COMPLETE}


@given(MAPS, MAPS)
def test_sizes_and_shared_pixels(a: NDArray[Any], b: NDArray[Any]) -> None:
    gt, pred = IDS[a], IDS[b]
    o = overlap(gt, pred)
    assert dict(zip(o.gt_id.tolist(), o.gt_size.tolist(), strict=True)) == {
        int(i): int((gt == i).sum()) for i in np.unique(gt) if i
    }
    assert dict(zip(o.pred_id.tolist(), o.pred_size.tolist(), strict=True)) == {
        int(i): int((pred == i).sum()) for i in np.unique(pred) if i
    }
    pairs = zip(o.gt_id[o.pair_gt].tolist(), o.pred_id[o.pair_pred].tolist(), o.pair_pixels.tolist(), strict=True)
    assert all(n == ((gt == i) & (pred == j)).sum() for i, j, n in pairs)
    assert o.pair_pixels.sum() == ((gt != 0) & (pred != 0)).sum()
    assert o.pixels.tolist() == [30]


@FEWER
@given(MAPS, MAPS, st.permutations(range(1, 7)), st.permutations(range(1, 7)))
def test_relabelling_changes_no_bit(a: NDArray[Any], b: NDArray[Any], x: list[int], y: list[int]) -> None:
    more = {"boundary": 0.02, "centres": True}
    other = overlap(IDS[np.array([0, *x])[a]], IDS[np.array([0, *y])[b]], **more)
    assert everything(overlap(a, b, **more)) == everything(other)


def test_ties_are_not_decided_by_ids() -> None:
    """Object 1 overlaps both predictions alike, and one of them is also the best of object 2."""
    gt = np.array([1, 1, 0, 2])
    values = {instances.aji(gt, pred) for pred in ([1, 2, 1, 2], [2, 1, 2, 1], [5, 9, 5, 9], [9, 5, 9, 5])}
    assert len(values) == 1
    assert {instances.aji(gt, pred, convention="monuseg") for pred in ([1, 2, 1, 2], [2, 1, 2, 1])} == {2 / 5, 2 / 7}


@FEWER
@given(MAPS, MAPS, st.permutations(range(1, 7)))
def test_renaming_classes_permutes_the_values(a: NDArray[Any], b: NDArray[Any], x: list[int]) -> None:
    first = {i: 1 + i % 3 for i in range(1, 7)}
    name = {1: 30, 2: 10, 3: 20}
    o = overlap(a, b, classes=[1, 2, 3], gt_classes=first, pred_classes=first)
    renamed = {i: name[c] for i, c in first.items()}
    p = overlap(a, b, classes=[10, 20, 30], gt_classes=renamed, pred_classes=renamed)
    for m in (instances.pq, instances.object_f1.at(iou=0.3), instances.aji, instances.sbd):
        values = m.compute(p)
        assert {c: float(v).hex() for c, v in m.compute(o).items()} == {
            c: float(values[name[c]]).hex() for c in (1, 2, 3)
        }


@FEWER
@given(st.lists(st.tuples(MAPS, MAPS), min_size=3, max_size=4))
def test_merging(pairs: list[tuple[NDArray[Any], NDArray[Any]]]) -> None:
    a, b, *rest = [overlap(x, y) for x, y in pairs]
    whole = concatenate([a, b, *rest])
    assert ((a + b) + concatenate(rest)).to_bytes() == whole.to_bytes()
    assert (a + (b + concatenate(rest))).to_bytes() == whole.to_bytes()
    assert everything(concatenate([*rest, b, a])) == everything(whole)
    assert Overlap.from_bytes(whole.to_bytes()).to_bytes() == whole.to_bytes()
    assert everything(Overlap.from_bytes(whole.to_bytes())) == everything(whole)


@FEWER
@given(st.lists(st.tuples(MAPS, MAPS), min_size=1, max_size=4))
def test_a_stack_is_its_images(pairs: list[tuple[NDArray[Any], NDArray[Any]]]) -> None:
    each = [overlap(x, y) for x, y in pairs]
    stack = concatenate(each).by_image()
    for m in COMPLETE:
        expected = np.stack([m.values(o) for o in each])
        np.testing.assert_array_equal(m.values(stack), expected, str(m))


def test_resampling_weighs_images() -> None:
    rng = np.random.default_rng(0)
    each = [overlap(rng.integers(0, 5, (6, 6)), rng.integers(0, 5, (6, 6))) for _ in range(3)]
    sample = concatenate(each).resampled(np.array([[2.0, 0.0, 1.0], [1.0, 1.0, 1.0]]))
    for m in COMPLETE:
        values = m.values(sample)
        np.testing.assert_allclose(
            values[0], m.values(concatenate([each[0], each[0], each[2]])), rtol=1e-12, atol=1e-12
        )
        np.testing.assert_allclose(values[1], m.values(concatenate(each)), rtol=1e-12, atol=1e-12)


FIELDS = [f.name for f in fields(Overlap) if f.type == "Ints" or f.type == "Floats"]
BEGINS = {"image": "pixels", "gt": "gt_id", "pred": "pred_id"}


def test_joined_fields_hold_what_the_parts_held() -> None:
    """Whether a field has one number in all parts, in each part another one, or many."""
    plain = overlap([1, 1, 2], [3, 0, 4], ignore=9)
    others = [
        overlap([1, 2], [1, 2], scores={1: 0.5, 2: 0.5}, areas={1: 7, 2: 1}),
        overlap([0, 0], [0, 0]), overlap([5, 5, 6, 9], [1, 1, 1, 1], crowd=[6], ignore=9),
    ]  # fmt: skip
    for parts in ([plain, plain], [plain, *others], [others[0], others[0]], [others[1], plain, others[1]]):
        whole = concatenate(parts)
        for f in FIELDS:
            what = BEGINS.get(f.partition("_")[2] if f.endswith("image") or f.startswith("pair") else "", "")
            before = np.cumsum([0, *(getattr(x, what).size for x in parts)]) if what else np.zeros(len(parts) + 1, int)
            if f not in ("classes", "thing"):
                held = [getattr(x, f) + n if n else getattr(x, f) for x, n in zip(parts, before.tolist(), strict=False)]
                np.testing.assert_array_equal(getattr(whole, f), np.concatenate(held), err_msg=f)
        assert concatenate([Overlap.from_bytes(whole.to_bytes())]).to_bytes() == whole.to_bytes()


@pytest.mark.parametrize("kind", ["u1", "i2", ">u4", "i8", "u8"])
def test_any_integer_type(kind: str) -> None:
    gt = np.array([[1, 1, 0], [2, 2, 2]])
    o = overlap(gt.astype(kind), gt.T.copy().T.astype(kind))
    assert instances.pq.compute(o) == 1.0


def test_void_is_left_out() -> None:
    o = overlap([9, 9, 1, 1, 1, 0], [2, 2, 1, 1, 3, 3], ignore=9)
    assert (o.pixels.tolist(), sorted(o.pred_size.tolist())) == ([4], [0, 2, 2])
    assert dict(zip(o.pred_id.tolist(), o.pred_void.tolist(), strict=True)) == {1: 0, 2: 2, 3: 0}
    # Object 2 lies on void alone and is nobody's mistake.
    assert instances.object_precision.compute(o, iou=0.5) == 0.5
    assert instances.count_error.compute(o) == 1.0
    assert partitions.rand_index.compute(o) == partitions.rand_index([1, 1, 1, 0], [1, 1, 3, 3])


def test_void_in_the_prediction_is_background() -> None:
    assert overlap([1, 1, 2, 2], [1, 1, 9, 9], ignore=9).pred_id.tolist() == [1]


def test_only_counted_pixels_count() -> None:
    o = overlap([1, 1, 2, 2], [1, 1, 0, 2], mask=[True, True, False, False])
    assert (o.gt_id.tolist(), o.pred_id.tolist(), o.pixels.tolist()) == ([1], [1], [2])


CROWD = dict[str, Any](gt_classes={1: 1, 5: 1, 6: 2}, pred_classes={1: 1, 2: 1, 3: 2}, crowd=[5])


def test_crowds_are_not_looked_for_and_excuse() -> None:
    o = overlap([1, 1, 5, 5, 5, 6, 6], [1, 1, 2, 2, 0, 3, 3], **CROWD)
    t = _tally.tally(o, 0.5, matching.rules(None))
    assert (t.tp.tolist(), t.fp.tolist(), t.fn.tolist()) == ([1, 1], [0, 0], [0, 0])
    assert o.without_crowds.gt_id.size == 2
    assert instances.aji.compute(o) == {1: 1.0, 2: 1.0}
    assert partitions.voi_split.compute(o) == 0.0


def test_the_last_crowd_excuses_under_panoptic() -> None:
    maps = [1, 1, 1, 2, 2, 2], [3, 3, 3, 4, 4, 4]
    o = overlap(*maps, gt_classes={1: 1, 2: 1}, pred_classes={3: 1, 4: 1}, crowd=[2, 1])
    assert _tally.tally(o, 0.5, matching.rules(None)).fp.tolist() == [0]
    assert _tally.tally(o, 0.5, matching.rules("panoptic")).fp.tolist() == [1]


def test_classes_from_a_map_a_table_and_a_divisor_agree() -> None:
    gt = np.array([[1001, 1001, 0], [2001, 2001, 7]])
    pred = np.array([[1002, 1002, 0], [1003, 2001, 7]])
    table = {1001: 1, 1002: 1, 1003: 1, 2001: 2, 7: 7}
    as_map = np.vectorize(lambda i: table.get(i, 0))
    found = [
        overlap(gt, pred, gt_classes=as_map(gt), pred_classes=as_map(pred).astype(np.uint8)),
        overlap(gt, pred, gt_classes=table, pred_classes=table),
        overlap(gt, pred, divisor=1000),
    ]
    assert len({x.to_bytes() for x in found}) == 1
    assert found[0].classes.tolist() == [1, 2, 7]
    assert instances.pq.compute(found[0]) == pytest.approx({1: 1 / 1.5, 2: 0.0, 7: 1.0})


def test_groups_of_things_are_crowds() -> None:
    labels = LabelSet((Label(26, thing=True), Label(7, thing=False)))
    o = overlap([26001, 26, 26, 7], [26001, 26002, 26002, 7], divisor=1000, classes=labels)
    assert dict(zip(o.gt_id.tolist(), o.gt_crowd.tolist(), strict=True)) == {26001: 0, 26: 1, 7: 0}
    assert instances.rq.compute(o) == {7: 1.0, 26: 1.0}
    assert instances.rq.compute(o, among="stuff")[7] == 1.0
    assert np.isnan(instances.rq.compute(o, among="stuff")[26])


def test_void_classes_by_pixel() -> None:
    classes = np.array([[255, 1, 1, 255]])
    o = overlap([[0, 4, 4, 4]], [[4, 4, 4, 4]], gt_classes=classes, pred_classes=np.ones((1, 4), int), ignore=255)
    assert (o.gt_size.tolist(), o.pred_size.tolist(), o.pred_void.tolist(), o.pixels.tolist()) == ([2], [2], [2], [2])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: overlap([1, -1], [1, 1]), "object id -1 in the ground truth is negative"),
        (lambda: overlap([1, 1], [1, -5]), "object id -5 in the prediction is negative"),
        (lambda: overlap([0.5, 1], [1, 1]), "not integers"),
        (lambda: overlap([1, 1], [[1, 1]]), "shape"),
        (lambda: overlap([True], [True]), "connectivity=4 or 8"),
        (lambda: overlap([3, 3], [1, 1], gt_classes=[1, 2], pred_classes=[1, 1]), "object 3 .* two classes, 1 and 2"),
        (lambda: overlap([3, 3], [1, 1], gt_classes=[1], pred_classes=[1, 1]), "shape .* classes of the ground truth"),
        (lambda: overlap([3, 3], [1, 1], gt_classes={}, pred_classes={1: 1}), "object 3 .* no class in the table"),
        (lambda: overlap([1], [1], classes=[2], gt_classes={1: 1}, pred_classes={1: 1}), "class 1 in the ground truth"),
        (lambda: overlap([1], [1], scores={}), "object 1 of the prediction has no score"),
    ],
)
def test_data_that_is_not_fit(make: Callable[[], Overlap], words: str) -> None:
    with pytest.raises(LabelError, match=words):
        make()


@pytest.mark.parametrize(
    "choices",
    [
        {"gt_classes": {1: 1}},
        {"divisor": 1000, "gt_classes": {1: 1}, "pred_classes": {1: 1}},
        {"divisor": 1},
        {"connectivity": 4},
        {"connectivity": 2, "divisor": 10},
    ],
)
def test_choices_that_clash(choices: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        overlap([1, 1], [1, 1], **choices)


def test_like_adds_to_like_alone() -> None:
    plain, classed = overlap([1], [1]), overlap([1], [1], gt_classes={1: 1}, pred_classes={1: 1})
    with pytest.raises(MergeError, match="classes"):
        plain + classed
    with pytest.raises(MergeError, match="in the means"):
        classed.under(LabelSet((Label(1, average=False),))) + classed
    with pytest.raises(MergeError, match="thing on one side"):
        classed.under(LabelSet((Label(1, thing=True),))) + classed.under(LabelSet((Label(1, thing=False),)))


def test_inputs_are_not_written_to() -> None:
    gt, pred = np.array([[0, 4, 4, 4]]), np.array([[1, 1, 2, 2]])
    for x in (gt, pred):
        x.flags.writeable = False
    overlap(gt, pred, gt_classes=np.array([[255, 1, 1, 255]]), pred_classes=np.array([[1, 1, 2, 2]]), ignore=255)
    overlap(gt, pred, connectivity=4)


@given(
    st.sampled_from([(4, 7), (1, 9), (7, 1), (3, 4, 5), (2, 1, 6)]).flatmap(
        lambda shape: arrays(np.int32, shape, elements=st.integers(0, 2))
    ),
    st.data(),
)
def test_components_against_scipy(labels: NDArray[Any], data: st.DataObject) -> None:
    known = NEIGHBOURS[labels.ndim]
    connectivity = data.draw(st.sampled_from(list(known)))
    ids, label = components(labels, connectivity)
    around = ndimage.generate_binary_structure(labels.ndim, known[connectivity])
    expected = sum(ndimage.label(labels == k, around)[1] for k in (1, 2))
    assert len(label) == expected
    assert set(np.unique(ids).tolist()) == {*label, *([0] if (labels == 0).any() else [])}
    for k in (1, 2):
        parts, n = ndimage.label(labels == k, around)
        assert len({(i, j) for i, j in zip(ids[labels == k].tolist(), parts[parts > 0].tolist(), strict=True)}) == n
    first = [int(np.flatnonzero(ids == i)[0]) for i in sorted(label)]
    assert first == sorted(first)


def test_objects_of_a_semantic_map() -> None:
    gt = np.array([[1, 1, 0, 2], [0, 0, 1, 2]])
    assert overlap(gt, gt, connectivity=4).gt_id.size == 3
    assert overlap(gt, gt, connectivity=8).gt_id.size == 2
    o = overlap(gt == 1, gt == 1, connectivity=8)
    assert (o.binary, o.gt_size.tolist()) == (True, [3])
    assert instances.object_f1(gt == 1, gt > 0, iou=0.5, connectivity=8) == 1.0
