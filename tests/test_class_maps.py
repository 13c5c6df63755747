"""Runs on scores of several classes: one against the rest, macro and micro, label maps and stacks of masks."""

from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk

import maskmeter as mm
from maskmeter.cli import main
from maskmeter.evaluation import MICRO

SHAPE, IMAGES, CLASSES = (13, 17), 5, 3
FEW = "percentile(resamples=100)"


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels 0 to 2 with void 255, stacks of masks, and logits and scores of the classes with many ties."""
    root = tmp_path_factory.mktemp("maps")
    for side in ("gt", "sets", "logits", "scores", "last"):
        (root / side).mkdir()
    for i in range(IMAGES):
        rng = np.random.default_rng(i)
        gt = rng.integers(0, CLASSES - (i == 4), SHAPE)  # the last image lacks a class
        logits = np.round(rng.normal(size=(CLASSES, *SHAPE)) + 1.5 * (np.arange(CLASSES)[:, None, None] == gt), 1)
        logits = logits.astype(np.float32)
        scores = np.exp(logits.astype(np.float64))
        scores = (scores / scores.sum(axis=0)).astype(np.float32)
        np.save(root / f"sets/{i}.npy", (np.arange(CLASSES)[:, None, None] == gt) | (rng.random(logits.shape) < 0.2))
        gt[0] = 255
        np.save(root / f"gt/{i}.npy", gt.astype(np.uint8))
        np.save(root / f"logits/{i}.npy", logits)
        np.save(root / f"scores/{i}.npy", scores)
        np.save(root / f"last/{i}.npy", np.moveaxis(scores, 0, -1))
    return root


def loaded(root: Path, side: str) -> np.ndarray:
    return np.stack([np.load(root / side / f"{i}.npy") for i in range(IMAGES)])


def test_each_class_against_the_rest_as_scikit_learn_has_it(maps: Path) -> None:
    done = mm.evaluate(maps / "gt", maps / "scores", class_axis=0, ignore=255)
    gt, scores = loaded(maps, "gt"), np.moveaxis(loaded(maps, "scores"), 1, -1)
    kept = gt != 255
    truth, given = np.eye(CLASSES)[gt[kept]], scores[kept].astype(np.float64)
    for metric, theirs in (("roc_auc", sk.roc_auc_score), ("average_precision", sk.average_precision_score)):
        for k in range(CLASSES):
            assert done.value(metric, class_=k) == pytest.approx(theirs(truth[:, k], given[:, k]), abs=1e-12)
        assert done.value(metric) == pytest.approx(theirs(truth, given, average="macro"), abs=1e-12)
        assert done.value(metric, class_=MICRO) == pytest.approx(theirs(truth, given, average="micro"), abs=1e-12)
        _, by_image = done.image_values(metric)
        assert by_image[0, 1] == pytest.approx(theirs(truth[: 12 * 17, 1], given[: 12 * 17, 1]), abs=1e-12)
    assert done.value("accuracy") == pytest.approx((given.argmax(axis=1) == gt[kept]).mean())


def test_a_class_that_an_image_lacks_is_undefined_there_and_left_out_of_its_mean(maps: Path) -> None:
    done = mm.evaluate(maps / "gt", maps / "scores", ["roc_auc"], class_axis=0, ignore=255)
    _, values = done.image_values("roc_auc")
    assert np.isnan(values[4, 2])
    assert values[4, 3] == pytest.approx(values[4, :2].mean())
    assert next(r for r in done.rows() if r.class_ == "2" and r.over == "images").undefined == 1


def test_logits_and_either_axis_say_the_same(maps: Path) -> None:
    first = mm.evaluate(maps / "gt", maps / "scores", class_axis=0, ignore=255)
    last = mm.evaluate(maps / "gt", maps / "last", class_axis=-1, ignore=255)
    logits = mm.evaluate(maps / "gt", maps / "logits", class_axis=0, ignore=255, logits=True)
    for name in ("roc_auc", "average_precision", "brier", "mean_iou"):
        assert first.value(name) == last.value(name)
        assert logits.value(name) == pytest.approx(first.value(name), abs=1e-6)
    assert "logits:softmax" in logits.rows()[0].signature


def test_stacks_of_masks_are_several_labels_a_pixel(maps: Path) -> None:
    done = mm.evaluate(maps / "sets", maps / "logits", class_axis=0, logits=True)
    truth, logits = (np.moveaxis(loaded(maps, side), 1, -1).reshape(-1, CLASSES) for side in ("sets", "logits"))
    given = (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.float32)
    assert done.value("roc_auc") == pytest.approx(sk.roc_auc_score(truth, given, average="macro"), abs=1e-12)
    assert not done.has("confusion")
    assert "logits:logistic" in done.rows()[0].signature


def test_the_pooled_loss_has_an_exact_interval(maps: Path) -> None:
    done = mm.evaluate(maps / "gt", maps / "scores", ["log_loss", "brier"], class_axis=0, ignore=255)
    for metric in done.metrics:
        _, values = done.image_values(metric)
        rng = np.random.Generator(np.random.PCG64(0))
        drawn = rng.integers(0, IMAGES, size=(256, IMAGES))
        means = np.array([values[d].mean(axis=0) for d in drawn])  # images of one size weigh the same
        assert done.draws()[metric].pooled.draws[:256] == pytest.approx(means, abs=1e-12)


def test_order_shards_and_resuming_do_not_move_a_bit(maps: Path, tmp_path: Path) -> None:
    whole = mm.evaluate(maps / "gt", maps / "scores", class_axis=0, ignore=255, intervals=FEW)
    for side in ("gt", "scores"):
        (tmp_path / side).mkdir()
    for i in reversed(range(IMAGES)):  # one image more each time, the last one first
        for side in ("gt", "scores"):
            (tmp_path / side / f"{i}.npy").write_bytes((maps / side / f"{i}.npy").read_bytes())
        done = mm.evaluate(
            tmp_path / "gt", tmp_path / "scores", class_axis=0, ignore=255, intervals=FEW, out=tmp_path / "run",
            resume=True,
        )  # fmt: skip
    assert repr(done.rows()) == repr(whole.rows())
    assert repr(mm.open_run(tmp_path / "run").rows()) == repr(whole.rows())


def test_a_mask_that_changed_is_counted_again(maps: Path, tmp_path: Path) -> None:
    (tmp_path / "mask").mkdir()

    def run(rows: int) -> float:
        for i in range(IMAGES):
            np.save(tmp_path / f"mask/{i}.npy", np.arange(13)[:, None] + np.zeros(17, int) < rows)
        done = mm.evaluate(
            maps / "gt", maps / "scores", ["accuracy"], class_axis=0, ignore=255, mask=tmp_path / "mask",
            out=tmp_path / "run", resume=True,
        )  # fmt: skip
        return float(done.pooled.pixels)

    assert run(5) == 4 * 17 * IMAGES
    assert run(9) == 8 * 17 * IMAGES


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["scores", "--class-axis", "2", "--ignore", "255"], 3, "shape"),
        (["scores", "--ignore", "255"], 3, "shape"),
        (["logits", "--class-axis", "0", "--ignore", "255"], 3, "--logits"),
        (["scores", "--class-axis", "0"], 3, "label 255 in the ground truth has no scores"),
        (["scores", "--class-axis", "0", "--ignore", "255", "--classes", "0-3"], 3, "3 maps and the labels name 4"),
        (["scores", "--class-axis", "0", "--threshold", "0.4"], 2, "--threshold"),
        (["scores", "--class-axis", "0", "--task", "binary"], 2, "--task binary"),
    ],
)
def test_what_does_not_fit_is_refused(
    maps: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    assert main(["evaluate", str(maps / "gt"), str(maps / words[0]), *words[1:]]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("side", "other"), [("gt", "logits"), ("sets", "logits")])
def test_the_report_draws_each_class(maps: Path, tmp_path: Path, side: str, other: str) -> None:
    run = tmp_path / "run"
    words = [str(maps / side), str(maps / other), "--class-axis", "0", "--ignore", "255", "--logits", "-o", str(run)]
    assert main(["evaluate", *words]) == 0
    assert "one class against the rest" in (run / "report.html").read_text("utf-8")
    assert main(["report", str(run), "--figures", str(run / "figures"), "--versus", str(run)]) == 0
    assert main(["report", str(run), "--figures", str(run / "figures")]) == 0
    header = (run / "figures/class-roc.csv").read_text("utf-8").splitlines()[0]
    assert header.startswith("0 threshold,0 fpr,0 tpr,1 threshold")


def test_evaluations_of_shards_merge_to_the_whole(maps: Path, tmp_path: Path) -> None:
    whole = mm.evaluate(maps / "gt", maps / "scores", class_axis=0, ignore=255)
    parts = [
        mm.evaluate(maps / "gt", maps / "scores", class_axis=0, ignore=255, shard=(i, 2), out=tmp_path / str(i))
        for i in (2, 1)
    ]
    sent = mm.Evaluation.from_bytes(parts[0].to_bytes())
    sent.merge(parts[1])
    merged = mm.Evaluation(whole.metrics, facts=whole.facts, records=sent.records)
    assert repr(merged.rows()) == repr(whole.rows())
