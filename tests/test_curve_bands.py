"""Bands of curves: the quantiles of curves of resamples that are added up image by image here."""

import numpy as np

import maskmeter as mm
from maskmeter import curve_bands, iou, precision
from maskmeter.metrics import ObjectCurve
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
    drawn: dict[str, list[list[float]]] = {"roc": [], "pr": [], "iou": []}
    for row in counts:
        gt = np.concatenate([np.repeat(g.ravel(), k) for (g, _), k in zip(pairs, row, strict=True)])
        score = np.concatenate([np.repeat(s.ravel(), k) for (_, s), k in zip(pairs, row, strict=True)]) / 255
        cuts = np.unique(score)[::-1]
        tp, fp = (np.array([(score[gt == side] >= c).sum() for c in cuts]) for side in (True, False))
        tpr, fpr = tp / gt.sum(), fp / (~gt).sum()
        drawn["roc"].append(np.interp(at, [0, *fpr], [0, *tpr]).tolist())
        drawn["pr"].append([float((tp / (tp + fp))[np.flatnonzero(tpr >= r)[0]]) for r in at])
        drawn["iou"].append([float(mm.iou(gt, score >= t)) for t in at])
    places = [round(100 * x) for x in at]
    for name, band in (("roc", found.roc), ("pr", found.pr), ("iou", found.threshold[iou])):
        theirs = np.quantile(drawn[name], [0.025, 0.975], axis=0)
        assert np.allclose([band.low[places], band.high[places]], theirs, atol=0.02), name
    counted: ObjectScores = e.statistic(ObjectScores.name)
    (rule,) = counted.by_rule
    whole = ObjectCurve.of(counted.by_rule[rule], 0.5)
    band = curve_bands.objects(e, rule, "f1")
    assert band is not None and (band.x == whole.thresholds).all()
    there = np.isfinite(band.low) & np.isfinite(whole.f1)
    assert there.any() and (band.low <= whole.f1 + 1e-9)[there].all() and (whole.f1 <= band.high + 1e-9)[there].all()
    one = evaluate(tmp_path / "gt/0.npy", tmp_path / "pred/0.npy", ["iou"], task="binary")
    assert curve_bands.scores(one, [iou]) is None
