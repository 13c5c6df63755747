"""Runs on score maps: integers and floats, thresholds, masks, missing maps, and what is refused."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk

import maskmeter as mm
from maskmeter.advisor import advise
from maskmeter.cli import main
from maskmeter.comparison import compare

SHAPE, IMAGES = (24, 30), 8
FEW = "percentile(resamples=100)"
evaluate = partial(mm.evaluate, intervals=FEW)
FEW = ("--intervals", "percentile(resamples=100)")


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Masks of 0 and 255, the same scores in 8 bits, in float32 and as logits, and a region."""
    root = tmp_path_factory.mktemp("maps")
    for side in ("gt", "u1", "f4", "logits", "fov"):
        (root / side).mkdir()
    for i in range(IMAGES):
        rng = np.random.default_rng(i)
        gt = rng.random(SHAPE) < 0.3
        score = np.clip(np.rint(255 * rng.beta(np.where(gt, 4, 2), 3)), 1, 254).astype(np.uint8)
        probability = (score / 255).astype(np.float32)
        np.save(root / f"gt/{i}.npy", (gt * 255).astype(np.uint8))
        np.save(root / f"u1/{i}.npy", score)
        np.save(root / f"f4/{i}.npy", probability)
        np.save(root / f"logits/{i}.npy", np.log(probability.astype(np.float64) / (1 - probability.astype(np.float64))))
        np.save(root / f"fov/{i}.npy", np.add.outer(np.arange(24), np.arange(30)) > 8)
    return root


def loaded(root: Path, side: str) -> np.ndarray:
    return np.stack([np.load(root / side / f"{i}.npy") for i in range(IMAGES)])


@pytest.mark.parametrize("kind", ["u1", "f4"])
@pytest.mark.parametrize("region", [False, True])
def test_pooled_and_by_image_as_scikit_learn_has_them(maps: Path, kind: str, region: bool) -> None:
    done = evaluate(maps / "gt", maps / kind, mask=maps / "fov" if region else None)
    inside = loaded(maps, "fov") if region else np.ones((IMAGES, *SHAPE), bool)
    gt, score = loaded(maps, "gt") > 0, loaded(maps, "u1") / 255
    assert done.value("roc_auc") == pytest.approx(sk.roc_auc_score(gt[inside], score[inside]), abs=1e-12)
    assert done.value("average_precision") == pytest.approx(
        sk.average_precision_score(gt[inside], score[inside]), abs=1e-12
    )
    assert done.value("brier") == pytest.approx(sk.brier_score_loss(gt[inside], score[inside]), abs=1e-7)
    _, values = done.image_values("roc_auc")
    for i in range(IMAGES):
        assert values[i, 0] == pytest.approx(sk.roc_auc_score(gt[i][inside[i]], score[i][inside[i]]), abs=1e-12)
    pred = (score >= 0.5)[inside]
    assert done.value("recall") == pytest.approx(pred[gt[inside]].mean())
    assert done.value("precision") == pytest.approx(gt[inside][pred].mean())


def test_integers_and_floats_give_the_same_rows(maps: Path) -> None:
    names = ["roc_auc", "average_precision", "iou", "recall", "accuracy"]
    for choices in ({}, {"threshold": 0.7}, {"missing": "empty"}):
        a, b = (evaluate(maps / "gt", maps / kind, names, **choices) for kind in ("u1", "f4"))
        for x, y in zip(a.rows(), b.rows(), strict=True):
            assert x.value == pytest.approx(y.value, abs=1e-12)
            assert (x.low, x.high) == pytest.approx((y.low, y.high), abs=2e-3)


def test_the_best_threshold_is_the_best(maps: Path) -> None:
    gt, score = loaded(maps, "gt") > 0, loaded(maps, "u1")
    dice = [2 * (gt & (score >= t)).sum() / (gt.sum() + (score >= t).sum()) for t in range(256)]
    done = evaluate(maps / "gt", maps / "u1", threshold="best:dice")
    assert done.facts.threshold * 255 == pytest.approx(int(np.argmax(dice)))
    assert any("chosen as the best on these very images" in a.text for a in advise(done))
    assert ",fitted|" in next(r.signature for r in done.rows() if r.metric == "dice")
    fixed = evaluate(maps / "gt", maps / "u1")
    assert not any(a.kind == "fitted" for a in advise(fixed)) and "fitted" not in fixed.rows()[0].signature
    said = compare(fixed, done).remarks
    assert len(said) == 3 and said[0].startswith("the thresholds differ, 0.5 in A") and "8 images" in said[2]
    assert done.value("dice") == pytest.approx(max(dice))
    near = evaluate(maps / "gt", maps / "f4", threshold="best:dice")
    assert near.value("dice") == pytest.approx(max(dice), abs=1e-3)


def test_logits_are_asked_for_and_then_scores(maps: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", str(maps / "gt"), str(maps / "logits"), "-m", "roc_auc"]
    assert main(words) == 3
    err = capsys.readouterr().err
    assert "--logits" in err
    assert "logits/0.npy" in err
    done = evaluate(maps / "gt", maps / "logits", logits=True)
    assert done.value("roc_auc") == pytest.approx(evaluate(maps / "gt", maps / "f4").value("roc_auc"), abs=1e-9)
    assert "logits:logistic" in done.rows()[0].signature


@pytest.mark.parametrize("kind", ["u1", "f4"])
def test_workers_and_interruptions_move_no_byte(maps: Path, tmp_path: Path, kind: str) -> None:
    words = ["evaluate", str(maps / "gt"), str(maps / kind), "--no-report", *FEW, "-o"]
    assert main([*words, str(tmp_path / "a"), "-j", "1"]) == 0
    assert main([*words, str(tmp_path / "b"), "-j", "4"]) == 0
    broken = tmp_path / "broken"
    broken.mkdir()
    for i in range(IMAGES):
        (broken / f"{i}.npy").write_bytes((maps / kind / f"{i}.npy").read_bytes())
    (broken / "5.npy").write_bytes(b"nothing")
    other = ["evaluate", str(maps / "gt"), str(broken), "--no-report", *FEW, "-o", str(tmp_path / "c")]
    assert main([*other, "-j", "1"]) == 3
    (broken / "5.npy").write_bytes((maps / kind / "5.npy").read_bytes())
    assert main([*other, "--resume"]) == 0
    rows = [json.loads((tmp_path / name / "results.json").read_text())["rows"] for name in "abc"]
    assert rows[0] == rows[1] == rows[2]


def test_a_coarsened_run_says_how_far_it_may_be_off(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pairs = tmp_path
    for side in ("gt", "pred"):
        (pairs / side).mkdir(parents=True, exist_ok=True)
    for i in range(2):
        gt = rng.random((900, 700)) < 0.4
        np.save(pairs / f"gt/{i}.npy", gt)
        np.save(pairs / f"pred/{i}.npy", rng.beta(2 + gt, 3))
    done = evaluate(pairs / "gt", pairs / "pred", ["roc_auc"])
    assert any("distinct scores" in n and "within" in n for n in done.notices)
    gt, score = (np.stack([np.load(pairs / side / f"{i}.npy") for i in range(2)]) for side in ("gt", "pred"))
    assert done.value("roc_auc") == pytest.approx(sk.roc_auc_score(gt.ravel(), score.ravel()), abs=1e-5)


def test_missing_maps_count_as_zeros(maps: Path, tmp_path: Path) -> None:
    for kind in ("u1", "f4"):
        some = tmp_path / kind
        some.mkdir()
        for i in range(1, IMAGES):
            (some / f"{i}.npy").write_bytes((maps / kind / f"{i}.npy").read_bytes())
        done = evaluate(maps / "gt", some, missing="empty")
        gt, score = loaded(maps, "gt") > 0, loaded(maps, "u1") / 255
        score[0] = 0
        assert done.value("roc_auc") == pytest.approx(sk.roc_auc_score(gt.ravel(), score.ravel()), abs=1e-12)
        assert done.value("recall", image="0") == 0.0
        assert done.value("roc_auc", image="0") == 0.5


def test_what_cannot_be_scores_is_refused(maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mixed, wrong = tmp_path / "mixed", tmp_path / "wrong"
    for folder in (mixed, wrong):
        folder.mkdir()
    for i in range(IMAGES):
        np.save(mixed / f"{i}.npy", np.load(maps / ("u1" if i else "f4") / f"{i}.npy"))
        bad = np.load(maps / f"f4/{i}.npy")
        bad[3, 3] = np.nan if i == 2 else bad[3, 3]
        np.save(wrong / f"{i}.npy", bad)
    for folder, said in ((mixed, "floats and of integers"), (wrong, "wrong/2.npy")):
        assert main(["evaluate", str(maps / "gt"), str(folder)]) == 3
        assert said in capsys.readouterr().err
    assert main(["evaluate", str(maps / "gt"), str(maps / "gt"), "--threshold", "best:dice"]) == 2
    for threshold in ("1.5", "best", "best:roc_auc"):
        assert main(["evaluate", str(maps / "gt"), str(maps / "u1"), "--threshold", threshold]) == 2
    assert main(["evaluate", str(maps / "gt"), str(maps / "gt"), "-m", "roc_auc"]) == 2


@pytest.mark.parametrize("kind", ["u1", "f4", "logits"])
def test_whole_objects_against_the_threshold(maps: Path, kind: str) -> None:
    names = ["froc_curve", "froc_sensitivity(false_per_image=4)", "object_curve(iou=0.5,connectivity=4)", "roc_curve"]
    done = evaluate(maps / "gt", maps / kind, names, mask=maps / "fov", logits=kind == "logits")
    assert [str(m) for m in done.metrics] == [
        "froc_score", "froc_sensitivity(false_per_image=4)", "best_object_f1(iou=0.5,connectivity=4)", "roc_auc",
    ]  # fmt: skip
    gt, score, inside = loaded(maps, "gt") > 0, loaded(maps, kind), loaded(maps, "fov") > 0
    kept = [(g & m, s) for g, s, m in zip(gt, score, inside, strict=True)]

    def curves(i: slice) -> tuple[mm.FrocCurve, mm.ObjectCurve]:
        parts = [
            (mm.froc_curve([x], mask=m, logits=kind == "logits"),
             mm.object_curve([x], connectivity=4, mask=m, logits=kind == "logits"))
            for x, m in zip(kept[i], inside[i], strict=True)
        ]  # fmt: skip
        froc, objects = parts[0]
        for a, b in parts[1:]:
            froc, objects = froc + a, objects + b
        return froc, objects

    froc, objects = curves(slice(None))
    assert done.value(names[1]) == froc.sensitivity[froc.false_per_image <= 4].max(initial=0)
    assert done.value("best_object_f1(iou=0.5,connectivity=4)") == np.nanmax(objects.f1)
    one = curves(slice(3, 4))[1]
    assert done.value("best_object_f1(iou=0.5,connectivity=4)", image="3") == np.nanmax(one.f1)
    rows = {(r.metric, r.over): r for r in done.rows()}
    assert rows["froc_score", "pooled"].low <= done.value("froc_score") <= rows["froc_score", "pooled"].high


def test_a_missing_map_finds_no_object(maps: Path, tmp_path: Path) -> None:
    values = []
    for kind in ("u1", "f4"):
        (tmp_path / kind).mkdir()
        for i in range(1, IMAGES):
            (tmp_path / f"{kind}/{i}.npy").write_bytes((maps / kind / f"{i}.npy").read_bytes())
        done = evaluate(maps / "gt", tmp_path / kind, ["froc_curve", "object_curve(iou=0.5)"], missing="empty")
        assert done.value("froc_score", image="0") == 0
        values.append([done.value(m) for m in done.metrics])
    assert values[0] == values[1]


def test_objects_of_shards_and_of_a_resumed_run_are_those_of_the_whole(maps: Path, tmp_path: Path) -> None:
    names = ["froc_score", "best_object_f1(iou=0.5)"]
    whole = evaluate(maps / "gt", maps / "f4", names)
    for i in (1, 2, 3):
        evaluate(maps / "gt", maps / "f4", names, shard=(i, 3), out=tmp_path / str(i))
    merged = mm.merge([tmp_path / str(i) for i in (3, 1, 2)], tmp_path / "run")
    assert repr(merged.rows()) == repr(whole.rows())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gt", "-m", "froc_curve"], "has no object_scores"),
        (["u1", "-m", "object_curve"], "object_curve is summed up by best_object_f1: best_object_f1 needs iou"),
        (["u1", "-m", "object_curve(iou=0.5,connectivity=6)"], "connectivity 6 in 2 dimensions"),
        (["u1", "-m", "threshold_curve(metric=roc_auc)"], "not a metric of regions"),
    ],
)
def test_object_curves_that_cannot_be(
    maps: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["evaluate", str(maps / "gt"), str(maps / words[0]), *words[1:]]) == 2
    assert said in capsys.readouterr().err


def spoilt(root: Path, **arrays: np.ndarray) -> list[str]:
    """Folders of one image, from the command line's point of view."""
    for side, array in arrays.items():
        (root / side).mkdir()
        np.save(root / side / "a.npy", array)
    return ["evaluate", str(root / "gt"), str(root / "pred")]


TRUTH = (np.arange(12).reshape(3, 4) % 3 == 0).astype(np.uint8)
SCORE = np.linspace(0.01, 0.99, 12, dtype=np.float32).reshape(3, 4)


def with_value(value: float) -> np.ndarray:
    score = SCORE.copy()
    score[0, 0] = value
    return score


@pytest.mark.parametrize(
    ("gt", "pred", "said"),
    [
        (TRUTH, with_value(np.nan), "1 value that is not finite (1 NaN, 0 infinite)"),
        (TRUTH, with_value(np.inf), "1 value that is not finite (0 NaN, 1 infinite)"),
        (TRUTH, with_value(-3.5), "these look like logits; pass --logits"),
        (TRUTH, SCORE[:, :3], "shape (3, 4) in the ground truth, (3, 3) in the prediction"),
        (np.arange(12, dtype=np.uint8).reshape(3, 4) % 3, SCORE, "values"),
    ],
    ids=["nan", "inf", "logits", "shape", "three values"],
)
def test_bad_input_is_one_line_that_names_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], gt: np.ndarray, pred: np.ndarray, said: str
) -> None:
    assert main([*spoilt(tmp_path, gt=gt, pred=pred), "--task", "binary"]) == 3
    err = capsys.readouterr().err
    assert said in err
    assert "a.npy" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("value", [0, 1])
def test_a_single_class_has_no_auc(tmp_path: Path, capsys: pytest.CaptureFixture[str], value: int) -> None:
    words = spoilt(tmp_path, gt=np.full((3, 4), value, np.uint8), pred=SCORE)
    assert main([*words, "--task", "binary", "-m", "roc_auc", "--format", "json"]) == 0
    for row in json.loads(capsys.readouterr().out)["rows"]:
        assert (row["value"], row["n"], row["undefined"]) == (None, 0, 1)


def test_equal_scores_are_a_tie_and_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = spoilt(tmp_path, gt=TRUTH, pred=np.full((3, 4), 0.25, np.float32))
    assert main([*words, "-m", "roc_auc", "-m", "average_precision", "--format", "json"]) == 0
    pooled = {r["metric"]: r["value"] for r in json.loads(capsys.readouterr().out)["rows"] if r["over"] == "pooled"}
    assert pooled == {"roc_auc": 0.5, "average_precision": pytest.approx(TRUTH.mean())}


def test_positive_labels_of_float_maps_without_a_task(tmp_path: Path) -> None:
    gt = np.arange(12, dtype=np.uint8).reshape(3, 4) % 3
    spoilt(tmp_path, gt=gt, pred=SCORE)
    done = evaluate(tmp_path / "gt", tmp_path / "pred", ["roc_auc"], positive=2)
    assert done.value("roc_auc") == pytest.approx(sk.roc_auc_score(gt.ravel() == 2, SCORE.ravel()), abs=1e-12)


def test_positive_labels_of_integer_maps(tmp_path: Path) -> None:
    """Many other values are scores; a prediction that writes its foreground otherwise is remarked upon."""
    gt = np.arange(400, dtype=np.uint8).reshape(20, 20) % 3 * 7
    score = np.random.default_rng(0).integers(0, 256, gt.shape).astype(np.uint8)
    spoilt(tmp_path, gt=gt, pred=score, mask=(gt == 7).astype(np.uint8), labels=gt[::-1])
    scored = evaluate(tmp_path / "gt", tmp_path / "pred", ["roc_auc", "iou"], positive=7)
    assert scored.value("roc_auc") == pytest.approx(sk.roc_auc_score(gt.ravel() == 7, score.ravel()), abs=1e-12)
    pred = score >= 128
    assert scored.value("iou") == pytest.approx(((gt == 7) & pred).sum() / ((gt == 7) | pred).sum())
    masks = evaluate(tmp_path / "gt", tmp_path / "mask", ["iou"], positive=7)
    assert (masks.value("iou"), masks.notices[-1][-12:]) == (0, "--positive 1")
    both = evaluate(tmp_path / "gt", tmp_path / "mask", ["iou"], positive=(1, 7))
    assert (both.value("iou"), any("foreground, add" in n for n in both.notices)) == (1, False)
    assert not any("foreground, add" in n for n in evaluate(tmp_path / "gt", tmp_path / "labels", positive=7).notices)
