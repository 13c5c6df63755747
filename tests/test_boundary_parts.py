"""Parts along boundaries beside a plain distance transform, whole images, and draws made one by one."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, gaussian_filter

import maskmeter as mm
from maskmeter.averages import subgroups
from maskmeter.boundary_parts import boundary_parts
from maskmeter.cli import main
from maskmeter.uncertainty import weights_of

VOID = 9


def pair(i: int, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Blobs, a prediction that is a little off, with a void corner and one that lacks a class."""
    rng = np.random.default_rng(i)
    fields = np.stack([gaussian_filter(rng.normal(size=(24, 31)), 3) for _ in range(classes)])
    gt = fields.argmax(0)
    pred = (fields + 0.06 * rng.normal(size=fields.shape)).argmax(0)
    if i == 1:
        gt[gt == 2], gt[:4, :5] = 1, VOID
    return gt, pred


def near(mask: np.ndarray, width: float) -> np.ndarray:
    """Pixels no further than `width` from one of the other kind; beyond the image nothing belongs to the mask."""
    inside = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    away = distance_transform_edt(~mask) if mask.any() else np.full(mask.shape, np.inf)
    return np.where(mask, inside, away) <= width


def counted(i: int, width: float) -> dict[str, np.ndarray]:
    """Shared pixels, and those of either, by class, in both parts."""
    gt, pred = pair(i)
    there = gt != VOID
    out = {}
    for part in ("near", "away"):
        rows = []
        for k in range(3):
            a, b = (gt == k) & there, (pred == k) & there
            where = near(a, width) if part == "near" else ~near(a, width)
            rows.append([(a & b & where).sum(), ((a | b) & where).sum()])
        out[part] = np.array(rows, float)
    return out


@pytest.fixture(scope="module")
def meter() -> mm.Evaluation:
    done = mm.Evaluation(["iou", "trimap_iou(width=2)"], ignore=VOID, intervals="percentile(resamples=200)")
    for i in range(6):
        done.update(*pair(i), image=str(i))
    return done


def ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.where(b > 0, a / b, np.nan)


def test_both_parts_are_what_a_distance_transform_says(meter: mm.Evaluation) -> None:
    metrics = [mm.parse(name) for name in ("iou", "mean_iou", "dice", "mean_dice")]
    parts = boundary_parts(meter, metrics)
    assert [p.name for p in parts] == ["within 2 pixels of the boundary", "further than 2 pixels away"]
    weights = np.concatenate(list(weights_of(6, meter.resampling)))[1:]
    of_all = sum(np.stack([counted(i, 2)[part] for i in range(6)]) for part in ("near", "away"))
    for part, key in zip(parts, ("near", "away"), strict=True):
        found = {(r.metric, r.class_, r.over): r for r in part.rows}
        images = np.stack([counted(i, 2)[key] for i in range(6)])
        own = {
            "iou": lambda c: ratio(c[..., 0], c[..., 1]),
            "dice": lambda c: ratio(2 * c[..., 0], c[..., 0] + c[..., 1]),
        }
        for name, value in own.items():
            pooled, means = value(images.sum(0)), value(images)
            drawn = value(np.einsum("bi,ikc->bkc", weights, images))
            for k in range(3):
                row = found[name, str(k), "pooled"]
                assert row.value == pytest.approx(pooled[k], nan_ok=True)
                assert (row.low, row.high) == pytest.approx(tuple(np.quantile(drawn[:, k], [0.025, 0.975])))
                row = found[name, str(k), "images"]
                assert (
                    row.value == pytest.approx(np.nanmean(means[:, k])) and row.undefined == np.isnan(means[:, k]).sum()
                )
            assert found[f"mean_{name}", None, "pooled"].value == pytest.approx(np.nanmean(pooled))
            whole = found[f"mean_{name}", None, "images"].value
            assert whole == pytest.approx(np.nanmean(np.nanmean(means, axis=1)))
        wrong, every = (np.diff(x.sum(0))[:, 0] for x in (images, of_all))
        for k in range(3):
            assert found["error_share", str(k), "pooled"].value == pytest.approx(wrong[k] / every[k])
        assert found["error_share", None, "pooled"].value == pytest.approx(wrong.sum() / every.sum())
    assert [r.value for r in parts[0].rows if r.metric == "iou" and r.over == "pooled"] == [
        meter.value("trimap_iou(width=2)", class_=k) for k in range(3)
    ]


def test_of_masks_there_is_one_class() -> None:
    done = mm.Evaluation(["trimap_iou(width=1)", "trimap_iou(width=2)"], intervals="none")
    for i in range(3):
        gt, pred = pair(i)
        done.update(gt == 1, pred == 1)
    groups = subgroups(done, "boundary")
    assert [len(g.images) for g in groups] == [3] * 4
    assert {(r.metric, r.class_) for g in groups for r in g.rows} == {("iou", None), ("error_share", None)}
    for a, b in ((0, 1), (2, 3)):
        shares = [g.rows[2].value for g in (groups[a], groups[b])]
        assert groups[a].rows[2].metric == "error_share" and sum(shares) == pytest.approx(1)


def test_what_has_no_bands_says_what_to_do(meter: mm.Evaluation) -> None:
    plain = mm.Evaluation(["iou"])
    plain.update(*pair(0))
    with pytest.raises(mm.UsageError, match=r"-m 'trimap_iou\(width=3\)'"):
        boundary_parts(plain)
    objects = mm.Evaluation(["pq"], task="instance")
    objects.update([[1, 0]], [[1, 0]])
    with pytest.raises(mm.UsageError, match="instance has no classes of pixels"):
        boundary_parts(objects)
    with pytest.raises(mm.UsageError, match="accuracy has no value in a part"):
        boundary_parts(meter, [mm.accuracy])


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for side in ("gt", "pred"):
        (tmp_path / side).mkdir()
    for i in range(3):
        for side, array in zip(("gt", "pred"), pair(i), strict=True):
            np.save(tmp_path / side / f"{i}.npy", array.astype(np.uint8))
    run = str(tmp_path / "run")
    mm.evaluate(tmp_path / "gt", tmp_path / "pred", ["accuracy", "trimap_iou(width=2)"], ignore=VOID, out=run)
    assert main(["averages", run, "--by", "boundary"]) == 0
    out = capsys.readouterr().out
    assert "within 2 pixels of the boundary  mean_iou" in out and "further than 2 pixels away       error_share" in out
    assert main(["averages", run, "--by", "boundary", "-m", "iou", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["subgroups"]["boundary"]["within 2 pixels of the boundary"]
    assert [r["class"] for r in found["rows"]] == ["0", "1", "2"] * 2 + ["0", "1", "2", None] * 2
