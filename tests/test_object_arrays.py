"""Instance and panoptic arrays fed to an evaluation, as training loops do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import maskmeter as mm
from maskmeter.errors import UsageError

RNG = np.random.default_rng(5)
IDS = np.kron(RNG.integers(0, 5, (6, 6)), np.ones((8, 8), int))
PRED = np.roll(np.where(RNG.random(IDS.shape) < 0.1, 0, IDS), 2, axis=0)
TABLE = {1: 1, 2: 2, 3: 1, 4: 2}
CLASSES = np.array([0, 1, 2, 1, 2])


@pytest.mark.parametrize(
    "pair", [(IDS, IDS), [IDS, IDS], ([[1, 1], [2, 2]], [[0, 0], [1, 2]]), (IDS, {1: 1}), [IDS, {1: 1}]]
)
def test_a_metric_does_not_take_a_pair_for_a_volume(pair: Any) -> None:
    with pytest.raises(UsageError, match="gt_classes="):
        mm.pq(pair, pair)
    assert mm.pq([[[1, 1]], [[2, 0]]], np.array([[[1, 1]], [[2, 0]]])) == 1


@pytest.mark.parametrize("size", ["quartiles", ":37:100:", "9:3"])
def test_sizes_that_no_row_has_are_refused_before_anything_is_counted(size: str) -> None:
    with pytest.raises(UsageError, match="size"):
        mm.Evaluation(["pq", f"object_recall(iou=0.5,size={size})"], task="instance")


def test_instances_without_classes() -> None:
    meter = mm.Evaluation(task="instance")
    meter.update(IDS, PRED, image="a")
    assert meter.value("object_f1(iou=0.5)") == mm.object_f1(IDS, PRED, iou=0.5)
    assert meter.value("aji", image="a") == mm.aji(IDS, PRED)
    other = mm.evaluate(pairs=[("b", IDS, IDS)], task="instance")
    meter.merge(other)
    assert meter.value("object_f1(iou=0.5)", image="b") == 1.0


def test_classes_from_a_table_a_map_or_a_pair_of_maps_are_the_same() -> None:
    names = ["pq", "object_f1(iou=0.5)", "boundary_pq"]
    sides: list[tuple[Any, Any]] = [
        ((IDS, TABLE), (PRED, TABLE)),
        ((CLASSES[IDS], IDS), (CLASSES[PRED], PRED)),
    ]
    found = [mm.evaluate(pairs=[("a", *s)], metrics=names, task="instance", ignore=None) for s in sides]
    meter = mm.Evaluation(names, task="instance")
    meter.update(IDS, PRED, image="a", gt_classes=TABLE, pred_classes=TABLE)
    values = [[e.value(m, class_=c) for m in names for c in (1, 2, None)] for e in (*found, meter)]
    assert values[0] == values[1] == values[2]


def test_void_of_panoptic_ids_is_not_counted() -> None:
    run = mm.evaluate(pairs=[("a", (IDS, TABLE), (np.where(IDS == 0, 1, IDS), TABLE))], task="panoptic")
    assert run.value("pq") == 1.0  # what lies on void is not held against it


@pytest.mark.parametrize(
    ("gt", "pred", "task", "why"),
    [
        (IDS, PRED, "panoptic", "panoptic arrays have classes"),
        ((CLASSES[IDS][:5], IDS), (CLASSES[PRED], PRED), "panoptic", "differs from"),
        ((CLASSES[IDS], -IDS), (CLASSES[PRED], PRED), "panoptic", "negative"),
        (IDS - 1, PRED, "instance", "negative"),
        (IDS + 0.5, PRED, "instance", "not integers"),
        ((IDS, {1: 1}), (PRED, TABLE), "instance", "no class in the table"),
        (IDS, PRED, "detection", "no task of arrays"),
    ],
)
def test_what_is_no_object_is_refused(gt: Any, pred: Any, task: str, why: str) -> None:
    with pytest.raises(mm.MaskmeterError, match=why):
        mm.evaluate(pairs=[("a", gt, pred)], task=task)
    with pytest.raises(mm.UsageError, match="is for objects"):
        mm.Evaluation().update(IDS, PRED, crowd=[1])
    carries = np.arange(IDS.size).reshape(IDS.shape) % 2 + 1
    with pytest.raises(mm.LabelError, match="carries two classes"):
        mm.overlap(IDS, PRED, gt_classes=carries, pred_classes=carries)
