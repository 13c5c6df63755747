"""Comparison of two runs, beside an independent computation."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import maskmeter as mm
from maskmeter.cli import main
from maskmeter.comparison import compare
from maskmeter.significance import holm, paired, permutation


def evaluated(
    share: float, images: int = 30, seed: int = 0, metrics: tuple[str, ...] = ("mean_iou", "iou")
) -> mm.Evaluation:
    """Images that are the same for every `share` of wrong pixels."""
    done = mm.Evaluation(list(metrics))
    for i in range(images):
        rng = np.random.default_rng([seed, i])
        gt = rng.integers(0, 3, 300)
        wrong = rng.random(300) < share * rng.uniform(0.5, 1.5)
        done.update(gt, np.where(wrong, (gt + 1) % 3, gt), image=f"{i:03d}")
    return done


def line(found, metric: str, over: str, class_: str | None = None):
    return next(d for d in found.lines if (d.metric, d.class_, d.over) == (metric, class_, over))


def test_differences_intervals_and_tests_agree_with_an_independent_computation() -> None:
    a, b = evaluated(0.3), evaluated(0.25)
    found = compare(a, b)
    d = line(found, "mean_iou", "images")
    (_, x), (_, y) = a.image_values("mean_iou"), b.image_values("mean_iou")
    apart = (y - x)[:, 0]
    assert d.difference == pytest.approx(apart.mean())
    assert d.effect == pytest.approx(apart.mean() / apart.std(ddof=1))
    assert (d.better, d.equal, d.worse) == ((apart > 0).sum(), (apart == 0).sum(), (apart < 0).sum())
    theirs = stats.bootstrap((apart,), np.mean, n_resamples=20000, method="percentile", rng=1).confidence_interval
    assert (d.low, d.high) == pytest.approx((theirs.low, theirs.high), abs=0.06 * (theirs.high - theirs.low))
    tests, flips = [stats.wilcoxon((y - x)[:, 0]).pvalue], [flipped(apart)]
    for k in range(3):
        (_, p), (_, q) = a.image_values("iou"), b.image_values("iou")
        tests.append(stats.wilcoxon(q[:, k] - p[:, k]).pvalue)
        flips.append(flipped(q[:, k] - p[:, k]))
    assert d.wilcoxon == pytest.approx(holm(tests)[0])
    assert d.permutation == pytest.approx(holm(flips)[0], rel=0.2)
    assert found.improved[0].b - found.improved[0].a == pytest.approx(apart.max())


def flipped(differences: np.ndarray, resamples: int = 20000) -> float:
    """SciPy's p value of the test that flips signs."""
    test = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=resamples, vectorized=True, rng=2
    )
    return float(test.pvalue)


def test_a_run_does_not_differ_from_itself_and_signs_turn() -> None:
    a, b = evaluated(0.3), evaluated(0.25)
    for d in compare(a, a).lines:
        assert (d.difference, d.low, d.high, d.better, d.worse) == (0, 0, 0, 0, 0)
        assert math.isnan(d.wilcoxon) and math.isnan(d.permutation)
        assert not d.clear
    for x, y in zip(compare(a, b).lines, compare(b, a).lines, strict=True):
        assert x.difference == -y.difference
        assert (x.low, x.high) == pytest.approx((-y.high, -y.low))
        assert (x.better, x.worse) == (y.worse, y.better)


def test_only_common_images_count() -> None:
    a, b = evaluated(0.3, 20), evaluated(0.25, 30)
    found = compare(a, b)
    assert found.images == 20
    assert found.only_b == [f"{i:03d}" for i in range(20, 30)]
    assert line(found, "mean_iou", "pooled").b == evaluated(0.25, 20).value("mean_iou")


def test_sign_flips_are_all_taken_where_they_are_few() -> None:
    rng = np.random.default_rng(4)
    d = np.round(rng.normal(0.2, 0.3, (9, 40)), 1)  # many ties of sums
    theirs = [flipped(column, 2**9) for column in d.T]
    assert permutation(d) == pytest.approx(theirs, abs=1e-12)
    assert (permutation(d) == permutation(d[::-1])).all() and (permutation(d) == permutation(-d)).all()
    many = rng.normal(0.05, 0.3, (70, 6))
    assert permutation(many) == pytest.approx([flipped(column) for column in many.T], abs=0.02)
    assert (permutation(many, seed=1) == permutation(many[:, ::-1], seed=1)[::-1]).all()
    assert math.isnan(permutation(np.zeros((9, 1)))[0])


def test_tests_are_over_groups_where_images_are_grouped() -> None:
    """Seven patients with 20 slices each are seven observations."""
    patient, noise = np.random.default_rng(1).normal(0.02, 0.02, 7), np.random.default_rng(2).normal(0, 0.001, 140)
    of = np.repeat(np.arange(7), 20)
    d = (patient[of] + noise)[:, None]
    by_patient = d[:, 0].reshape(7, 20).mean(axis=1)
    found = paired(d, of)
    assert found.wilcoxon[0] == pytest.approx(stats.wilcoxon(by_patient).pvalue)
    assert found.permutation[0] == pytest.approx(flipped(by_patient, 2**7))
    assert found.effect[0] == pytest.approx(by_patient.mean() / by_patient.std(ddof=1))
    assert paired(d, np.arange(140)).wilcoxon[0] < 1e-10 < found.wilcoxon[0]
    a, b = (mm.Evaluation(["accuracy"]) for _ in range(2))
    for i in range(140):
        for done, right in ((a, 50), (b, 52 + of[i])):
            done.update(np.zeros(100, int), (np.arange(100) >= right).astype(int), image=f"{i}", group=f"p{of[i]}")
    whole = compare(a, b)
    d = line(whole, "accuracy", "images")
    assert (whole.groups, whole.by, d.better) == (7, "group", 140)
    assert d.permutation == d.wilcoxon == 2 / 2**7
    tied = np.array([0.1, 0.1, -0.2, 0.3, 0.3, 0.3, -0.1, 0.5])[:, None]
    assert paired(tied, np.arange(8)).wilcoxon[0] == pytest.approx(stats.wilcoxon(tied[:, 0]).pvalue)
    assert math.isnan(paired(np.ones((5, 1)), np.arange(5)).wilcoxon[0])


def test_an_image_without_a_value_on_one_side_moves_no_mean() -> None:
    """Equal but for one image, whose recall is undefined on one side: nothing differs where both have a value."""
    a, b = (evaluated(0.3, 10, metrics=("iou", "recall", "mcc")) for _ in range(2))
    a.update(np.zeros(300, int), np.ones(300, int), image="x")
    b.update(np.repeat([0, 1, 2], 100), np.repeat([0, 1, 2], 100), image="x")
    d = line(compare(a, b), "mcc", "images")
    assert (d.difference, d.low, d.high, d.better, d.equal, d.worse) == (0, 0, 0, 0, 10, 0)
    assert d.a == d.b == evaluated(0.3, 10, metrics=("mcc",)).value("mcc", over="images")


def test_only_images_that_moved_are_named() -> None:
    found = compare(evaluated(0.3), evaluated(0.3))
    assert found.improved == found.worsened == []
    found = compare(evaluated(0.3), evaluated(0.1))
    assert all(v.b > v.a for v in found.improved)
    assert all(v.b < v.a for v in found.worsened)


def test_unlike_runs_are_not_compared() -> None:
    a = evaluated(0.3)
    other = mm.Evaluation(["iou"], ignore=1)
    other.update([0, 1], [0, 1], image="000")
    with pytest.raises(mm.UsageError, match="differ in ignore"):
        compare(a, other)
    apart = mm.Evaluation(["iou"])
    apart.update([0, 1], [0, 1], image="elsewhere")
    with pytest.raises(mm.DataError, match="no image in common"):
        compare(a, apart)
    with pytest.raises(mm.UsageError, match="no metric in common"):
        compare(a, evaluated(0.3, metrics=("accuracy",)))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs on disk, b better than a on class 1 and worse on class 2."""
    root = tmp_path_factory.mktemp("runs")
    for side in ("gt", "a", "b"):
        (root / side).mkdir()
    for i in range(12):
        rng = np.random.default_rng(i)
        gt = rng.integers(0, 3, (20, 20)).astype(np.uint8)
        np.save(root / "gt" / f"{i}.npy", gt)
        for side, class_ in (("a", 1), ("b", 2)):
            wrong = (gt == class_) & (rng.random(gt.shape) < 0.5)
            np.save(root / side / f"{i}.npy", np.where(wrong, 0, gt))
    for side in "ab":
        assert (
            main(["evaluate", str(root / "gt"), str(root / side), "-o", str(root / f"run_{side}"), "--no-report"]) == 0
        )
    return root


def test_the_commands(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = str(runs / "run_a"), str(runs / "run_b")
    assert main(["compare", a, b, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    gain = {r["class"]: r["difference"] for r in rows if r["metric"] == "iou" and r["over"] == "pooled"}
    assert gain["1"] > 0.4
    assert gain["2"] < -0.4
    assert main(["compare", a, b]) == 0
    out = capsys.readouterr().out
    assert "B and A are not told apart in mean_iou" in out and "over the 12 images that both hold" in out
    (line_1,) = (x for x in out.splitlines() if x.startswith("iou") and x.split()[1:3] == ["1", "images"])
    assert " better " in line_1 and line_1.endswith("12/0/0")
    assert main(["compare", a, b, "-m", "iou", "--format", "md"]) == 0
    out = capsys.readouterr().out
    assert "p permutation" in out and "corrected (Holm) for 3" in out
    assert main(["compare", a, b, "-m", "pq"]) == 2


def test_an_undefined_value_fails_a_gate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for side in ("gt", "pred"):
        (tmp_path / side).mkdir()
        np.save(tmp_path / side / "a.npy", np.zeros((2, 2), bool))
    run = str(tmp_path / "run")
    assert main(["evaluate", str(tmp_path / "gt"), str(tmp_path / "pred"), "-o", run, "--no-report"]) == 0
    assert main(["gate", run, "--require", "iou>=0"]) == 1
    assert "undefined" in capsys.readouterr().out
    assert main(["gate", run, "--require", "low(accuracy)>=0"]) == 1
    assert "no interval" in capsys.readouterr().out
