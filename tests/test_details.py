"""Boundaries and centres of objects against plain counting, and the metrics that need them."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

import maskmeter as mm
from maskmeter.cli import main
from maskmeter.segments import Segment
from maskmeter.statistics.details import Wanted, distance
from maskmeter.statistics.instances import overlap
from maskmeter.statistics.segments import overlap_of_segments

MAPS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: st.tuples(*[arrays(np.int64, shape, elements=st.integers(0, 3))] * 2)
)
DATA = Path(__file__).parents[2] / "shared/data"


def band(mask: np.ndarray, d: int) -> np.ndarray:
    """The pixels of a mask that have something else within d steps, looked for one by one."""
    out = np.zeros_like(mask)
    padded = np.pad(mask, d)
    for y, x in np.argwhere(mask):
        out[y, x] = not padded[y : y + 2 * d + 1, x : x + 2 * d + 1].all()
    return out


@given(MAPS, st.sampled_from([0.02, 0.15, 0.3]))
def test_boundaries_are_those_of_every_mask_by_itself(pair: tuple[Any, Any], width: float) -> None:
    gt, pred = pair
    o = overlap(gt, pred, boundary=width, ignore=3)
    d, valid = distance(gt.shape, width), gt != 3
    a = {i: band(gt == i, d) for i in o.gt_id.tolist()}
    b = {i: band(pred == i, d) & valid for i in o.pred_id.tolist()}
    assert o.gt_boundary.tolist() == [a[i].sum() for i in o.gt_id.tolist()]
    assert o.pred_boundary.tolist() == [b[i].sum() for i in o.pred_id.tolist()]
    pairs = zip(o.gt_id[o.pair_gt].tolist(), o.pred_id[o.pair_pred].tolist(), strict=True)
    assert o.pair_boundary.tolist() == [(a[g] & b[p]).sum() for g, p in pairs]


@given(MAPS)
def test_centres_are_mean_positions(pair: tuple[Any, Any]) -> None:
    gt, pred = pair
    o = overlap(gt, pred, centres=True)
    under = {
        g: pred[tuple(int(np.floor(np.mean(axis) + 0.5)) for axis in np.nonzero(gt == g))] for g in o.gt_id.tolist()
    }
    pairs = zip(o.gt_id[o.pair_gt].tolist(), o.pred_id[o.pair_pred].tolist(), strict=True)
    assert o.pair_centred.tolist() == [under[g] == p for g, p in pairs]


@given(MAPS, st.permutations([1, 2, 3]))
def test_relabelling_moves_no_bit(pair: tuple[Any, Any], order: list[int]) -> None:
    new = np.array([0, *order]) * 10
    for m in ("boundary_pq(width=0.1)", "object_f1(iou=0.5,criterion=centre)", "pq(iou=0.3,criterion=boundary)"):
        a, b = (mm.parse(m)(*x) for x in (pair, (new[pair[0]], new[pair[1]])))
        assert a == b or (a != a and b != b)


def repainted(ids: np.ndarray, segments: list[int], inside: int, d: int) -> np.ndarray:
    """boundary-iou-api's map: segment after segment is painted over with `inside`, then its boundary put back."""
    out = ids.copy()
    for i in segments:
        mask = out == i
        edge = band(mask, d)
        out[mask] = inside
        out[edge] = i
    return out


@given(MAPS)
def test_the_convention_repaints_the_map_as_its_reference_does(pair: tuple[Any, Any]) -> None:
    gt, pred = pair
    inside, width = 2, 0.05  # segment 2 has the id that stands for inside
    segments = tuple(tuple(Segment(i, 1) for i in (1, 2, 3) if (m == i).any()) for m in pair)
    o = overlap_of_segments(gt, pred, segments, wanted=Wanted(width, inside=inside))
    d = distance(gt.shape, width)
    a, b = (repainted(m, [s.id for s in s_], inside, d) for m, s_ in zip(pair, segments, strict=True))
    assert o.gt_boundary.tolist() == [(a == i).sum() for i in o.gt_id.tolist()]
    assert o.pred_boundary.tolist() == [((b == i) & (a != 0)).sum() for i in o.pred_id.tolist()]
    pairs = zip(o.gt_id[o.pair_gt].tolist(), o.pred_id[o.pair_pred].tolist(), strict=True)
    assert o.pair_boundary.tolist() == [((a == g) & (b == p)).sum() for g, p in pairs]


def test_they_survive_bytes_and_sums_and_mix_with_nothing_else() -> None:
    gt = np.kron(np.arange(6).reshape(2, 3), np.ones((5, 5), int))
    o = overlap(gt, np.roll(gt, 1, 0), boundary=0.05, centres=True)
    back = mm.Overlap.from_bytes(o.to_bytes())
    assert (back.width, back.centres) == (0.05, True)
    for f in ("gt_boundary", "pred_boundary", "pair_boundary", "pair_centred"):
        assert np.array_equal(getattr(back, f), getattr(o, f)) and getattr(o, f).any()
    assert (o + back).pair_boundary.sum() == 2 * o.pair_boundary.sum()
    with pytest.raises(mm.MergeError, match="boundaries or centres"):
        o + overlap(gt, gt)
    with pytest.raises(mm.LabelError, match=r"boundary=0\.02"):
        mm.boundary_pq.compute(o)
    with pytest.raises(mm.LabelError, match="centres=True"):
        mm.object_f1.compute(overlap(gt, gt), iou=0.5, criterion="centre")


def test_recall_by_size() -> None:
    gt, pred = np.array([1, 0, 2, 2, 3, 3, 3]), np.array([0, 0, 2, 2, 3, 0, 0])
    assert [mm.object_recall(gt, pred, iou=0.5, size=s) for s in (":2", "2:3", "3:", "2:")] == [0.0, 1.0, 0.0, 0.5]
    assert np.isnan(mm.object_recall(gt, pred, iou=0.5, size="9:"))
    assert str(mm.parse("object_recall(iou=0.5,size=2:3)")) == "object_recall(iou=0.5,size=2:3)"
    for wrong in ("3:2", "x", "3", ":0"):
        with pytest.raises(mm.UsageError, match="range of pixels"):
            mm.object_recall(gt, pred, iou=0.5, size=wrong)


def test_strict_and_method_are_parameters_of_every_matched_metric() -> None:
    gt, pred = np.array([1, 1, 1, 1]), np.array([1, 1, 2, 2])
    for m in (mm.object_precision, mm.object_recall, mm.object_f1, mm.object_accuracy):
        assert m(gt, pred, iou=0.5, strict=True) == 0 < m(gt, pred, iou=0.5)
        assert m(gt, pred, iou=0.9, method="many") == 1
    assert mm.pq(gt, pred, strict=False) > 0 == mm.pq(gt, pred)
    with pytest.raises(mm.UsageError, match="strict"):
        mm.object_f1(gt, pred, iou=0.5, strict="yes")  # type: ignore[arg-type]
    with pytest.raises(mm.UsageError, match="method"):
        mm.object_f1(gt, pred, iou=0.5, method="hungarian")


def test_from_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for side in ("gt", "pred"):
        (tmp_path / side).mkdir()
    maps = [np.kron(rng.integers(0, 5, (2, 4, 4)), np.ones((1, 7, 7), int)) for _ in range(3)]
    for k, (g, p) in enumerate(maps):
        np.save(tmp_path / f"gt/{k}.npy", g)
        np.save(tmp_path / f"pred/{k}.npy", p)
    names = ["boundary_pq", "object_f1(iou=0.5,criterion=centre)", "object_recall(iou=0.5,size=49:)", "splits"]
    run = mm.evaluate(tmp_path / "gt", tmp_path / "pred", names, task="instance", out=tmp_path / "run")
    arrays_ = mm.evaluate(pairs=[(str(k), g, p) for k, (g, p) in enumerate(maps)], metrics=names, task="instance")
    assert repr([r[:6] for r in run.rows()]) == repr([r[:6] for r in arrays_.rows()])
    err = io.StringIO()
    with redirect_stderr(err), redirect_stdout(io.StringIO()):
        code = main(["evaluate", str(tmp_path / "gt"), str(tmp_path / "pred"), "-m", "boundary_pq"])
    assert code == 2 and "--task instance" in err.getvalue()
    with pytest.raises(mm.UsageError, match="one width"):
        mm.evaluate(tmp_path / "gt", tmp_path / "pred", ["boundary_pq", "boundary_pq(width=0.1)"], task="instance")


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the real data beside the checkout")
def test_boundary_pq_of_coco_panoptic_to_the_last_bit() -> None:
    names = ["boundary_pq", "boundary_pq(among=things)", "boundary_pq(among=stuff)"]
    for convention in (None, "panoptic"):
        folder = DATA / "panoptic_2"
        run = mm.evaluate(folder / "gt.json", folder / "pred.json", names, convention=convention)
        assert [run.value(m) for m in names] == [0.18641528073689123, 0.09716129187327145, 0.26291869976285104]


def test_boundary_iou_of_matches() -> None:
    rng = np.random.default_rng(4)
    for _ in range(6):
        gt = np.kron(rng.integers(0, 5, (3, 4)), np.ones((9, 8), int))
        pred = np.roll(gt, 1, axis=1) * 10
        pred[rng.random(pred.shape) < 0.02] = 0
        for width, d in ((2, 2), (0.04, max(1, round(0.04 * float(np.hypot(*gt.shape)))))):
            found: list[float] = []
            for k in set(np.unique(gt).tolist()) - {0}:
                g, p = gt == k, pred == 10 * k
                if (g & p).sum() / (g | p).sum() < 0.5:
                    continue
                a, b = (m & ~_eroded(m, d) for m in (g, p))
                found.append(float((a & b).sum() / (a | b).sum()))
            value = mm.matched_boundary_iou(gt, pred, width=width)
            assert value == pytest.approx(np.mean(found) if found else np.nan, nan_ok=True)


def _eroded(mask: np.ndarray, d: int) -> np.ndarray:
    """What is left after d erosions by a square of 3 x 3; the border of the image counts as outside."""
    return ndimage.binary_erosion(mask, np.ones((3, 3)), d)
