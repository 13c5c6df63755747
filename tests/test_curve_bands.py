"""Bands of curves: the quantiles of curves of resamples that are added up image by image here."""

import json

import numpy as np
import pytest

import maskmeter as mm
from maskmeter import Evaluation, curve_bands, iou, precision
from maskmeter.metrics import ObjectCurve, object_f1, object_recall
from maskmeter.run import evaluate
from maskmeter.statistics.object_scores import ObjectScores
from maskmeter.uncertainty import weights_of


def test_bands_are_quantiles_of_the_curves_of_resamples(tmp_path) -> None:
    rng = np.random.default_rng(0)
    for side in ("gt", "pred"):
        (tmp_path / side).mkdir()
    pairs = []
    for i in range(9):
        gt = np.kron(rng.random((4, 5)) < 0.3, np.ones((4, 4), bool))
        score = np.clip(0.6 * gt + rng.normal(0.2, 0.2, gt.shape), 0, 1)
        pairs.append((gt, np.round(score * 255).astype(np.uint8)))
        for side, array in zip(("gt", "pred"), pairs[-1], strict=True):
            np.save(tmp_path / side / f"{i}.npy", array.astype(np.uint8))
    e = evaluate(
        tmp_path / "gt", tmp_path / "pred", ["iou", "object_curve(iou=0.5)"], task="binary",
        intervals="percentile(resamples=100)",
    )  # fmt: skip
    found = curve_bands.scores(e, [iou, precision])
    assert found is not None
    counts = np.concatenate(list(weights_of(9, e.resampling)))[1:].astype(int)
    at = (0.0, 0.2, 0.5, 0.9)
    bins = np.array([1, 5, 11])
    drawn: dict[str, list[list[float]]] = {"roc": [], "pr": [], "iou": [], "bins": []}
    for row in counts:
        gt = np.concatenate([np.repeat(g.ravel(), k) for (g, _), k in zip(pairs, row, strict=True)])
        score = np.concatenate([np.repeat(s.ravel(), k) for (_, s), k in zip(pairs, row, strict=True)]) / 255
        cuts = np.unique(score)[::-1]
        tp, fp = (np.array([(score[gt == side] >= c).sum() for c in cuts]) for side in (True, False))
        tpr, fpr = tp / gt.sum(), fp / (~gt).sum()
        drawn["roc"].append(np.interp(at, [0, *fpr], [0, *tpr]).tolist())
        drawn["pr"].append([float((tp / (tp + fp))[np.flatnonzero(tpr >= r)[0]]) for r in at])
        own = np.ceil(score * 15) - 1
        drawn["bins"].append([float(gt[own == b].mean()) for b in bins])
        drawn["iou"].append([float(mm.iou(gt, score >= t)) for t in at])
    places = [round(100 * x) for x in at]
    for name, band in (("roc", found.roc), ("pr", found.pr), ("iou", found.threshold[iou])):
        theirs = np.quantile(drawn[name], [0.025, 0.975], axis=0)
        assert np.allclose([band.low[places], band.high[places]], theirs, atol=0.02), name
    theirs = np.quantile(drawn["bins"], [0.025, 0.975], axis=0)
    assert np.allclose([found.reliability.low[bins], found.reliability.high[bins]], theirs, atol=0.02)
    counted: ObjectScores = e.statistic(ObjectScores.name)
    (rule,) = counted.by_rule
    whole = ObjectCurve.of(counted.by_rule[rule], 0.5)
    band = curve_bands.objects(e, rule, "f1")
    assert band is not None and (band.x == whole.thresholds).all()
    there = np.isfinite(band.low) & np.isfinite(whole.f1)
    assert there.any() and (band.low <= whole.f1 + 1e-9)[there].all() and (whole.f1 <= band.high + 1e-9)[there].all()
    one = evaluate(tmp_path / "gt/0.npy", tmp_path / "pred/0.npy", ["iou"], task="binary")
    assert curve_bands.scores(one, [iou]) is None


def test_classes_have_the_bands_that_each_would_have_alone(tmp_path) -> None:
    rng = np.random.default_rng(1)
    for side in ("gt", "scores", "binary", "one"):
        (tmp_path / side).mkdir()
    for i in range(6):
        gt = rng.integers(0, 3, (12, 10)).astype(np.uint8)
        score = np.round(rng.dirichlet((1, 1, 1), gt.shape) * 255).astype(np.uint8)
        np.save(tmp_path / f"gt/{i}.npy", gt)
        np.save(tmp_path / f"scores/{i}.npy", np.moveaxis(score, -1, 0))
        np.save(tmp_path / f"binary/{i}.npy", (gt == 2).astype(np.uint8))
        np.save(tmp_path / f"one/{i}.npy", score[..., 2])
    how = {"intervals": "percentile(resamples=100)"}
    several = evaluate(tmp_path / "gt", tmp_path / "scores", ["roc_auc"], class_axis=0, **how)
    alone = evaluate(tmp_path / "binary", tmp_path / "one", ["roc_auc"], task="binary", **how)
    found, own = curve_bands.by_class(several, [2]), curve_bands.scores(alone, [])
    assert found is not None and own is not None and len(found) == 2
    for mine, theirs in zip(found[0][:3], own[:3], strict=True):
        assert repr(mine) == repr(theirs)


def test_detections_have_the_curves_of_each_resample(tmp_path) -> None:
    """The mean of a curve over its recalls is the AP of the resample, and unit weights give the curve of all."""
    from maskmeter.report.detections import mean_curves
    from maskmeter.statistics.detections import Detections

    rng = np.random.default_rng(2)
    images = [{"id": i, "height": 60, "width": 60, "file_name": f"{i}.png"} for i in range(12)]
    gts, dets = [], []
    for i in range(12):
        for k in range(1 + i % 3):
            box = [5 + 18 * k, *rng.integers(5, 30, 3).tolist()]
            gts.append({"id": len(gts) + 1, "image_id": i, "category_id": 1 + k % 2, "bbox": box, "iscrowd": 0,
                        "area": box[2] * box[3]})  # fmt: skip
            moved = [box[0] + int(rng.integers(0, 4)), *box[1:]]
            dets.append({"image_id": i, "category_id": 1 + k % 2, "bbox": moved, "score": round(rng.random(), 1)})
        dets.append({"image_id": i, "category_id": 2, "bbox": [40, 40, 9, 9], "score": round(rng.random(), 1)})
    categories = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    gt = {"images": images, "annotations": gts, "categories": categories}
    for name, value in (("gt", gt), ("pred", dets)):
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    for convention in ("coco", None):
        asked = {} if convention is None else {"convention": convention}
        e = evaluate(tmp_path / "gt.json", tmp_path / "pred.json", ["ap"], on="box", **asked)
        d: Detections = e.statistic("detections")
        steps = [d.rules.step(iou) for iou in (0.5, 0.75)]
        whole = curve_bands._precisions(d.resampled(np.ones((1, 12))), steps).reshape(2, -1)
        assert np.allclose(whole, mean_curves(d)[0][steps], atol=1e-12)
        drawn = d.resampled(rng.multinomial(12, np.full(12, 1 / 12), size=9).astype(float))
        mine = curve_bands._precisions(drawn, steps).reshape(9, 2, -1).mean(axis=-1)
        table = drawn.table()
        assert table is not None and np.allclose(mine, np.nanmean(table.area[..., steps], axis=1), atol=1e-9)
        bands = curve_bands.detections(e, (0.5, 0.75))
        assert bands is not None and all((b.low <= b.high).all() and b.x.size == 101 for b in bands)


def test_a_curve_of_sums_has_the_band_of_its_resamples() -> None:
    meter = mm.Evaluation(["accuracy"], intervals="percentile(resamples=200)")
    for i in range(10):
        meter.update([0], [0], image=str(i))
    rng = np.random.default_rng(3)
    part, whole = rng.random((10, 4)), rng.random((10, 4)) + 1
    weights = np.concatenate(list(weights_of(10, meter.resampling)))[1:]
    theirs = np.quantile((weights @ part) / (weights @ whole), [0.025, 0.975], axis=0)
    band = curve_bands.ratios(meter, np.arange(4.0), part, whole)
    assert band is not None and np.allclose([band.low, band.high], theirs)


def test_rates_of_objects_have_the_intervals_of_their_numbers() -> None:
    rng = np.random.default_rng(4)
    metrics = [object_f1.at(iou=0.5), object_recall.at(iou=0.9)]
    e = Evaluation(metrics=metrics, task="instance", intervals="percentile(resamples=500)")
    tiles = np.kron(np.arange(1, 10).reshape(3, 3), np.ones((4, 4), np.int64))
    for i in range(6):
        e.update(tiles, np.where(rng.random(tiles.shape) < 0.1 * i, 0, tiles), image=str(i))
    found = curve_bands.rates(e, metrics)
    assert found is not None and found.low[0] < found.high[0]
    numbers = {r.metric: r for r in e.rows() if r.over == "pooled" and r.class_ is None}
    for m, low, high in zip(metrics, found.low, found.high, strict=True):
        assert (low, high) == pytest.approx((numbers[str(m)].low, numbers[str(m)].high), abs=1e-12)
