"""Matching: against trying everything, at ties, by every method, and for very many objects."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from maskmeter import matching
from maskmeter.errors import UsageError
from maskmeter.fates import fates, recall_by_size
from maskmeter.matching import CONVENTIONS, Rules, match, rules
from maskmeter.statistics.instances import overlap
from maskmeter.statistics.overlap import concatenate, of_objects
from reference import overlap as twin

MAPS = arrays(np.int64, (4, 5), elements=st.integers(0, 4))
TIE = [1, 1, 1, 1], [2, 2, 3, 3]  # IoU exactly 0.5, twice


@given(MAPS, MAPS, st.sampled_from([0.1, 0.25, 1 / 3, 0.5, 0.6, 0.75, 1.0]), st.booleans())
def test_greatest_total_against_every_matching(a: NDArray[Any], b: NDArray[Any], at: float, strict: bool) -> None:
    m = match(overlap(a, b), at, Rules(strict=strict))
    found = twin.matched(twin.table(twin.masks(a), twin.masks(b)), at, strict)
    total = sum(twin.table(twin.masks(a), twin.masks(b))[i, j] for i, j in found)
    assert m.score.sum() == pytest.approx(total, rel=1e-14)
    assert np.unique(m.gt).size == np.unique(m.pred).size == m.gt.size
    assert m.gt.size + m.missed.size == len(twin.masks(a))
    assert m.gt.size + m.spurious.size == len(twin.masks(b))


@given(MAPS, MAPS, st.sampled_from([0.1, 0.3, 0.5]))
def test_most_matches_is_stardists_assignment(a: NDArray[Any], b: NDArray[Any], at: float) -> None:
    from scipy.optimize import linear_sum_assignment

    scores = twin.table(twin.masks(a), twin.masks(b))
    tp, total = 0, 0.0
    if scores.size:
        i, j = linear_sum_assignment(-(scores >= at).astype(float) - scores / (2 * min(scores.shape)))
        reached = scores[i, j] >= at
        tp, total = int(reached.sum()), scores[i, j].sum()
    m = match(overlap(a, b), at, CONVENTIONS["cellpose"])
    assert m.gt.size == tp
    assert m.score.sum() <= total + 1e-12


@pytest.mark.parametrize(
    ("convention", "matches"),
    [
        (None, 1), ("stardist", 1), ("cellpose", 1), ("dsb2018", 1), ("coco", 1),
        ("panoptic", 0), ("monuseg", 0), ("ctc", 0), ("cityscapes", 0), ("semantickitti", 0),
    ],
)  # fmt: skip
def test_a_tie_at_exactly_half(convention: str | None, matches: int) -> None:
    large = [np.repeat(x, 50) for x in TIE]  # two hundred pixels: Cityscapes does not look for less than a hundred
    assert match(overlap(*large, scores={2: 0.9, 3: 0.8}), 0.5, rules(convention)).gt.size == matches


@pytest.mark.parametrize(
    ("criterion", "score"), [("iou", 2 / 5), ("dice", 4 / 7), ("ior", 2 / 4), ("iop", 2 / 3), ("overlap", 2 / 3)]
)
def test_criteria(criterion: str, score: float) -> None:
    assert match(overlap([1, 1, 1, 1, 0], [0, 0, 2, 2, 2]), 0.3, Rules(criterion)).score.tolist() == [score]


def test_methods_differ_where_they_should() -> None:
    # Objects 1 and 2, predictions 1 and 2: IoU(1,1) = 3/5, IoU(1,2) = IoU(2,1) = 2/5 or so, IoU(2,2) = 0.
    gt = [1] * 5 + [2] * 3
    pred = [2] * 2 + [1] * 3 + [1] * 3
    o = overlap(gt, pred, scores={1: 0.2, 2: 0.9})
    by = {m: match(o, 0.2, Rules(method=m)) for m in matching.METHODS if m != "many"}
    pairs = {k: sorted(zip(o.gt_id[m.gt].tolist(), o.pred_id[m.pred].tolist(), strict=True)) for k, m in by.items()}
    assert pairs["total"] == pairs["count"] == pairs["confidence"] == [(1, 2), (2, 1)]
    o = overlap([1] * 5 + [2] * 3, [2] + [1] * 4 + [1] * 3, scores={1: 0.9, 2: 0.2})
    assert sorted(zip(*(x.tolist() for x in _ids(o, "greedy")), strict=True)) == [(1, 1)]
    assert sorted(zip(*(x.tolist() for x in _ids(o, "count")), strict=True)) == [(1, 2), (2, 1)]


def _ids(o: Any, method: str) -> tuple[Any, Any]:
    m = match(o, 0.1, Rules(method=method))
    return o.gt_id[m.gt], o.pred_id[m.pred]


def test_fragments_are_taken_together() -> None:
    o = overlap([1, 1, 1, 1, 0, 3, 3, 0], [1, 1, 2, 2, 0, 3, 3, 4])
    m = match(o, 0.9, Rules(method="many"))
    assert sorted(o.pred_id[m.pred].tolist()) == [1, 2, 3]
    assert o.pred_id[m.spurious].tolist() == [4]
    assert m.missed.size == 0


def test_matches_stay_within_their_image_and_class() -> None:
    one, other = overlap([1, 1, 0, 0], [0, 0, 1, 1]), overlap([0, 0, 1, 1], [1, 1, 0, 0])
    assert match(concatenate([one, other])).gt.size == 0
    o = overlap([1, 1], [1, 1], gt_classes={1: 1}, pred_classes={1: 2})
    assert match(o).gt.size == 0


def chain(n: int) -> Any:
    """n objects and n predictions in one connected group, each shares pixels with two."""
    at = np.arange(n)
    objects = {"id": at + 1, "size": np.full(n, 10)}
    shared = (np.concatenate([at, at[1:]]), np.concatenate([at, at[:-1]]), np.repeat([4, 5], [n, n - 1]))
    return of_objects(objects, dict(objects), shared, 20 * n)


@pytest.mark.parametrize("n", [50, 1500])
def test_a_long_chain_is_one_group(n: int) -> None:
    m = match(chain(n), 0.2)
    # Shifted by one: n - 1 pairs of 5 in 15; straight: n pairs of 4 in 16.
    assert m.score.sum() == pytest.approx(max((n - 1) / 3, n / 4))


def test_sparse_and_dense_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    gt, pred = rng.integers(0, 40, (60, 60)), rng.integers(0, 40, (60, 60))
    dense = match(overlap(gt, pred), 0.001)
    monkeypatch.setattr(matching, "DENSE", 0)
    sparse = match(overlap(gt, pred), 0.001)
    assert sparse.score.sum() == pytest.approx(dense.score.sum(), rel=1e-13)


def test_stretches_of_images_are_matched_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    o = concatenate([overlap(rng.integers(0, 9, (6, 7)), rng.integers(0, 9, (6, 7))) for _ in range(9)])
    for how in (Rules(), Rules(method="count")):
        whole = match(o, 0.05, how)
        for stretch in (1, 40, 100):
            monkeypatch.setattr(matching, "STRETCH", stretch)
            o.memo.clear()
            part = match(o, 0.05, how)
            assert (part.gt.tolist(), part.pred.tolist()) == (whole.gt.tolist(), whole.pred.tolist())
        monkeypatch.undo()
        o.memo.clear()


def test_very_many_objects() -> None:
    n = 100_000
    at = np.arange(n)
    twins = at[: n // 2] * 2  # every second object meets two predictions
    objects = {"id": at + 1, "size": np.full(n, 10)}
    pairs = (np.concatenate([at, twins]), np.concatenate([at, twins + 1]), np.repeat([5, 4], [n, n // 2]))
    o = of_objects(objects, dict(objects), pairs, 20 * n)
    start = time.process_time()
    assert match(o, 0.2).gt.size == n
    assert time.process_time() - start < 20


def test_fates() -> None:
    gt = np.repeat([1, 2, 3, 4, 5, 0], [4, 4, 3, 3, 2, 4])
    pred = np.repeat([1, 2, 3, 4, 0, 6, 0], [4, 2, 2, 6, 2, 3, 1])
    found = {(f.side, f.id): (f.fate, f.partner, f.parts) for f in fates(overlap(gt, pred), at=0.6)}
    assert found == {
        ("gt", 1): ("matched", 1, 1), ("gt", 2): ("split", found["gt", 2][1], 2), ("gt", 3): ("merged", 4, 0),
        ("gt", 4): ("merged", 4, 0), ("gt", 5): ("missed", None, 0),
        ("pred", 1): ("matched", 1, 1), ("pred", 2): ("split", 2, 0), ("pred", 3): ("split", 2, 0),
        ("pred", 4): ("merged", found["pred", 4][1], 2), ("pred", 6): ("hallucinated", None, 0),
    }  # fmt: skip


def test_recall_by_size_has_every_object_once() -> None:
    rng = np.random.default_rng(0)
    gt = np.repeat(np.arange(30), rng.integers(1, 20, 30))
    rows = recall_by_size(overlap(gt, np.where(gt % 3 == 0, 0, gt)))
    assert (sum(r[3] for r in rows), sum(r[2] for r in rows)) == (29, 20)


@pytest.mark.parametrize(("name", "value"), [("method", "hungarian"), ("criterion", "jaccard")])
def test_unknown_rules(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=value):
        Rules(**{name: value})
    with pytest.raises(UsageError, match="coco"):
        rules("cocoo")


def test_confidence_needs_scores() -> None:
    with pytest.raises(UsageError, match="scores"):
        match(overlap(*TIE), 0.5, CONVENTIONS["coco"])
