"""Sums of many objects, taken a stretch at a time: the same numbers as of all at once, to the last bit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmeter.evaluation import Evaluation
from maskmeter.metrics import METRICS
from maskmeter.metrics._metric import REQUIRED
from maskmeter.statistics import overlap_sums
from maskmeter.statistics._sums import ExactSums, exact_sums
from maskmeter.statistics.overlap import Overlap

NEEDED = {"iou": 0.5, "width": 0.02}
METRICS_OF_OBJECTS = [
    str(m.at(**{name: NEEDED[name] for name, default in m.defaults.items() if default is REQUIRED}))
    for m in METRICS.values()
    if m.statistic == "overlap" and m.formula.__module__.startswith("maskmeter.")
]  # fmt: skip
OTHERS = [
    "aji(convention=cellpose)", "aji(convention=monuseg)", "count_error(absolute=True)",
    "object_accuracy(iou=0.5:0.95)",
    "object_f1(iou=0.3,method=many)", "object_f1(iou=0.5,convention=cityscapes)", "object_f1(iou=0.5,criterion=centre)",
    "object_recall(iou=0.5,size=3:9)", "pq(among=things)", "pq(convention=monuseg)", "pq(convention=panoptic)",
    "pq(convention=semantickitti)", "pq(convention=stardist)",
]  # fmt: skip


@pytest.mark.parametrize("classes", [False, True])
def test_rows_do_not_depend_on_stretches(monkeypatch: pytest.MonkeyPatch, classes: bool) -> None:
    rng = np.random.default_rng(0)
    metrics = [*METRICS_OF_OBJECTS, *OTHERS]
    whole = Evaluation(metrics, task="panoptic" if classes else "instance", intervals="bca(resamples=100)")
    of = {i: i % 3 + 1 for i in range(1, 9)}
    for _ in range(12):
        gt = rng.integers(0, 9, (10, 10))
        pred = np.where(rng.random(gt.shape) < 0.4, rng.integers(0, 9, gt.shape), gt)
        whole.update((gt, of), (pred, of)) if classes else whole.update(gt, pred)
    cut = Evaluation(metrics, facts=whole.facts, records=whole.records, intervals=whole.resampling)
    before = whole.rows()
    monkeypatch.setattr(overlap_sums, "STRETCH", 100)
    o = cut.statistic(Overlap.name)
    assert overlap_sums.is_long(o) and len(list(overlap_sums.stretches(o))) > 2
    assert list(map(repr, cut.rows())) == list(map(repr, before))


@given(st.data(), st.integers(1, 3))
def test_sums_in_parts_are_rounded_once(data: st.DataObject, size: int) -> None:
    number = st.floats(-1e300, 1e300) | st.sampled_from([5e-324, 0.1, 1e16, 1.0, -1e16, 0.0])
    parts = data.draw(st.lists(st.lists(st.tuples(st.integers(0, size - 1), number), max_size=8), max_size=4))
    total = ExactSums(size)
    for part in parts:
        total.add(np.array([at for at, _ in part], np.int64), np.array([x for _, x in part], np.float64))
    flat = [x for part in parts for x in part]
    want = [math.fsum(x for at, x in flat if at == cell) for cell in range(size)]
    assert total.rounded.tolist() == want
    at, values = np.array([at for at, _ in flat], np.int64), np.array([x for _, x in flat], np.float64)
    assert exact_sums(at, values, size).tolist() == want
