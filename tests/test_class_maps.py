"""Runs on scores of several classes: one against the rest, macro and micro, label maps and masks, arrays and files."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sk

import maskmeter as mm
from maskmeter.cli import main
from maskmeter.evaluation import MICRO

SHAPE, IMAGES, CLASSES = (13, 17), 5, 3
NAMES = ("road", "car", "tree")
ONE, BOTH = "{name}.npy={class}/{name}.npy", "{class}/{name}.npy={class}/{name}.npy"
FEW = "percentile(resamples=100)"
evaluate = partial(mm.evaluate, intervals=FEW)
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
        sets = np.load(root / f"sets/{i}.npy")
        for k, name in enumerate(NAMES):
            for side, array in (("files", scores[k]), ("masks", sets[k] * np.uint8(255)), ("raw", logits[k])):
                (root / side / name).mkdir(parents=True, exist_ok=True)
                np.save(root / f"{side}/{name}/{i}.npy", array)
    labels = "".join(f'[[label]]\nid = {k}\nname = "{name}"\n' for k, name in enumerate(NAMES))
    (root / "labels.toml").write_text(labels)
    return root


def loaded(root: Path, side: str) -> np.ndarray:
    return np.stack([np.load(root / side / f"{i}.npy") for i in range(IMAGES)])


def test_each_class_against_the_rest_as_scikit_learn_has_it(maps: Path) -> None:
    done = evaluate(maps / "gt", maps / "scores", class_axis=0, ignore=255)
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
    done = evaluate(maps / "gt", maps / "scores", ["roc_auc"], class_axis=0, ignore=255)
    _, values = done.image_values("roc_auc")
    assert np.isnan(values[4, 2])
    assert values[4, 3] == pytest.approx(values[4, :2].mean())
    assert next(r for r in done.rows() if r.class_ == "2" and r.over == "images").undefined == 1


def test_logits_and_either_axis_say_the_same(maps: Path) -> None:
    first = evaluate(maps / "gt", maps / "scores", class_axis=0, ignore=255)
    last = evaluate(maps / "gt", maps / "last", class_axis=-1, ignore=255)
    logits = evaluate(maps / "gt", maps / "logits", class_axis=0, ignore=255, logits=True)
    for name in ("roc_auc", "average_precision", "brier", "mean_iou"):
        assert first.value(name) == last.value(name)
        assert logits.value(name) == pytest.approx(first.value(name), abs=1e-6)
    assert "logits:softmax" in logits.rows()[0].signature


def test_stacks_of_masks_are_several_labels_a_pixel(maps: Path) -> None:
    done = evaluate(maps / "sets", maps / "logits", class_axis=0, logits=True)
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
    whole = evaluate(maps / "gt", maps / "scores", class_axis=0, ignore=255, intervals=FEW)
    for side in ("gt", "scores"):
        (tmp_path / side).mkdir()
    for i in reversed(range(IMAGES)):  # one image more each time, the last one first
        for side in ("gt", "scores"):
            (tmp_path / side / f"{i}.npy").write_bytes((maps / side / f"{i}.npy").read_bytes())
        done = evaluate(
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
        done = evaluate(
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
    words = [
        str(maps / side),
        str(maps / other),
        "--class-axis",
        "0",
        "--ignore",
        "255",
        "--logits",
        "--intervals",
        FEW,
        "-o",
        str(run),
    ]
    assert main(["evaluate", *words]) == 0
    assert "one class against the rest" in (run / "report.html").read_text("utf-8")
    assert main(["report", str(run), "--figures", str(run / "figures"), "--versus", str(run)]) == 0
    assert main(["report", str(run), "--figures", str(run / "figures")]) == 0
    header = (run / "figures/class-roc.csv").read_text("utf-8").splitlines()[0]
    assert header.startswith("0 threshold,0 fpr,0 tpr,1 threshold")


def test_evaluations_of_shards_merge_to_the_whole(maps: Path, tmp_path: Path) -> None:
    whole = evaluate(maps / "gt", maps / "scores", class_axis=0, ignore=255)
    parts = [
        evaluate(maps / "gt", maps / "scores", class_axis=0, ignore=255, shard=(i, 2), out=tmp_path / str(i))
        for i in (2, 1)
    ]
    sent = mm.Evaluation.from_bytes(parts[0].to_bytes())
    sent.merge(parts[1])
    merged = mm.Evaluation(whole.metrics, facts=whole.facts, records=sent.records, intervals=FEW)
    assert repr(merged.rows()) == repr(whole.rows())


METRICS = ["roc_auc", "average_precision", "log_loss"]


def pooled(done: mm.Evaluation) -> list[tuple[str, float]]:
    return [(r.metric, r.value) for r in done.rows() if r.over == "pooled"]


def test_a_file_for_each_class_says_what_one_array_does(maps: Path, tmp_path: Path) -> None:
    about = {"ignore": 255, "labels": maps / "labels.toml", "intervals": "none"}
    for side, files, given in (("scores", "files", {}), ("logits", "raw", {"logits": True})):
        whole = mm.evaluate(maps / "gt", maps / side, [*METRICS, "iou"], class_axis=0, **about, **given)
        apart = mm.evaluate(maps / "gt", maps / files, [*METRICS, "iou"], pairs=ONE, **about, **given)
        assert pooled(apart) == pooled(whole)
        assert apart.image_values("roc_auc")[1].tolist() == pytest.approx(whole.image_values("roc_auc")[1], nan_ok=True)
    whole = mm.evaluate(maps / "sets", maps / "scores", METRICS, class_axis=0, intervals="none")
    apart = mm.evaluate(
        maps / "masks", maps / "files", METRICS, pairs=BOTH, labels=maps / "labels.toml", intervals="none",
        out=tmp_path, resume=True,
    )  # fmt: skip
    assert pooled(apart) == pooled(whole)
    assert apart.value("roc_auc", class_="car") == whole.value("roc_auc", class_=1)
    assert apart.images == [str(i) for i in range(IMAGES)]
    assert apart.records["3"].pred == str(maps / "files/{class}/3.npy")


def test_files_of_classes_are_resumed_and_drawn(maps: Path, tmp_path: Path) -> None:
    """A changed file of one class is counted again; the page draws the greatest of the classes."""
    folder = tmp_path / "files"
    for k, name in enumerate(NAMES):
        (folder / str(k)).mkdir(parents=True)
        for i in range(IMAGES):
            (folder / str(k) / f"{i}.npy").write_bytes((maps / f"files/{name}/{i}.npy").read_bytes())
    words = ["evaluate", str(maps / "gt"), str(folder), "--pairs", ONE, "--ignore", "255", "--intervals", FEW]
    assert main([*words, "-o", str(tmp_path / "run"), "--no-report"]) == 0
    before = mm.open_run(tmp_path / "run").value("roc_auc", class_=1)
    np.save(folder / "1" / "2.npy", np.load(folder / "1" / "3.npy"))
    assert main([*words, "-o", str(tmp_path / "run"), "--resume"]) == 0
    after = mm.open_run(tmp_path / "run")
    assert after.value("roc_auc", class_=1) != before
    assert any("changed after it was counted" in note for note in after.notices)
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "one class against the rest" in page
    assert 'class="pred"' in page


@pytest.mark.parametrize("several", [False, True])
def test_missing_scores_count_as_zeros(maps: Path, tmp_path: Path, several: bool) -> None:
    some, full = tmp_path / "some", tmp_path / "full"
    for folder in (some, full):
        for name in NAMES:
            (folder / name).mkdir(parents=True)
            for i in range(IMAGES):
                scores = np.load(maps / f"files/{name}/{i}.npy")
                if i != 4 or folder == full:
                    np.save(folder / name / f"{i}.npy", scores * (i != 4))
    gt, pairs = ("masks", BOTH) if several else ("gt", ONE)
    about = {"ignore": 255, "labels": maps / "labels.toml", "pairs": pairs, "metrics": METRICS, "intervals": FEW}
    found, expected = (mm.evaluate(maps / gt, folder, missing="empty", **about) for folder in (some, full))
    for a, b in zip(found.rows(), expected.rows(), strict=True):
        assert (a.value, a.low, a.high, a.n) == pytest.approx((b.value, b.low, b.high, b.n), nan_ok=True, rel=1e-12)
    assert "missing:empty,1" in found.rows()[0].signature
    assert found.has("confusion") is not several
    if not several:  # no label was predicted, while a map of zeros predicts the first
        assert found.value("recall", class_="road", image="4") == 0


def test_missing_arrays_of_classes(maps: Path, tmp_path: Path) -> None:
    for i in range(IMAGES - 1):
        (tmp_path / f"{i}.npy").write_bytes((maps / f"scores/{i}.npy").read_bytes())
    done = mm.evaluate(maps / "gt", tmp_path, ["roc_auc"], class_axis=0, ignore=255, missing="empty", intervals="none")
    assert np.isnan(done.value("roc_auc", class_=2, image="4"))
    assert done.value("roc_auc", class_=1, image="4") == 0.5
    assert done.pooled.pixels == 12 * 17 * IMAGES
    with pytest.raises(mm.DataError, match="stack of masks or a volume of labels"):
        mm.evaluate(maps / "sets", tmp_path, class_axis=0, missing="empty")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["gt", "files", "--pairs", ONE], 3, "{class} is car, which is no number; name the classes with --labels"),
        (["gt", "files", "--pairs", ONE, "--classes", "0-2"], 3, "no class of the labels (0, 1, 2)"),
        (["gt", "files", "--pairs", "{class}/{name}.npy={name}.npy"], 2, "put it on both sides"),
        (["gt", "files", "--pairs", "0.npy={class}/0.npy"], 2, "no field on both sides"),
        (["gt", "files", "--pairs", "{name}.npy={class}/{run}{name}.npy"], 2, "has {run} on one side alone"),
        (["gt", "files", "--pairs", ONE, "--class-axis", "0"], 2, "each has its own"),
        (
            ["gt", "files", "--pairs", ONE, "--labels", "labels.toml", "--task", "binary"],
            2,
            "do not go with --task binary",
        ),
        (["gt", "files", "--pairs", "{name}.png={class}/{name}.npy"], 3, "no ground truth matches '{name}.png'"),
        (["gt", "few", "--pairs", ONE, "--labels", "labels.toml"], 3, "2 has no map of scores of class car"),
        (["masks", "one", "--pairs", BOTH, "--labels", "labels.toml"], 3, "class road of the labels has no map"),
        (
            ["gt", "odd", "--pairs", ONE, "--labels", "labels.toml"],
            3,
            "holds float64 and 0.npy of another class float32",
        ),
    ],
)
def test_files_of_classes_that_do_not_fit(
    maps: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(maps)
    for folder in ("few", "one", "odd"):
        for name in NAMES:
            Path(folder, name).mkdir(parents=True, exist_ok=True)
            for i in range(IMAGES):
                scores = np.load(f"files/{name}/{i}.npy")
                if (folder, name, i) != ("few", "car", 2) and (folder, name) != ("one", "road"):
                    kind = np.float64 if (folder, name) == ("odd", "tree") else np.float32
                    np.save(f"{folder}/{name}/{i}.npy", scores.astype(kind))
    assert main(["evaluate", *words, "--ignore", "255"]) == code
    assert said in capsys.readouterr().err
