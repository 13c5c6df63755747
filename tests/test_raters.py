"""Several references: votes, agreements and the yardstick, beside plain NumPy and the evaluations one by one."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import maskmeter as mm
from maskmeter.cli import main
from maskmeter.raters import majority, raters
from maskmeter.uncertainty import weights_of

NAMES = ("ann", "bob", "cyd")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight images of three classes by three raters, who leave some pixels out (9), and a model."""
    root = tmp_path_factory.mktemp("raters")
    for i in range(8):
        rng = np.random.default_rng(i)
        truth = rng.integers(0, 3, (12, 15), np.uint8)
        for name, share in (("ann", 0.2), ("bob", 0.25), ("cyd", 0.3), ("model", 0.1)):
            drawn = np.where(rng.random(truth.shape) < share, (truth + 1) % 3, truth)
            if name == "bob":
                drawn[:2] = 9
            (root / name).mkdir(exist_ok=True)
            np.save(root / name / f"{i}.npy", drawn.astype(np.uint8))
    return root


def test_a_vote_counts_each_label_and_leaves_ties_and_abstentions_out() -> None:
    rng = np.random.default_rng(0)
    for k in (2, 3, 5):
        votes = [rng.integers(0, 4, 400) for _ in range(k)]
        label, decided = majority(votes, [[3]] * k)
        for i in range(400):
            counts = np.bincount([v[i] for v in votes if v[i] != 3], minlength=3)
            best = counts.max()
            assert decided[i] == (best > 0 and (counts == best).sum() == 1)
            assert not decided[i] or label[i] == counts.argmax()


def test_the_yardstick_is_the_raters_own_agreement(data: Path, tmp_path: Path) -> None:
    asked = {"ignore": 9, "classes": range(3)}
    found = raters({n: data / n for n in NAMES}, data / "model", ["mean_iou", "iou"], out=tmp_path, **asked)
    for a, b in [(n, "model") for n in NAMES] + list(combinations(NAMES, 2)):
        done = mm.Evaluation(["mean_iou"], **asked)
        for i in range(8):
            gt, other = (np.load(data / x / f"{i}.npy").astype(int) for x in (a, b))
            done.update(np.where(other == 9, 9, gt), np.where(other == 9, 0, other), image=str(i))
        row = next(
            x.row for x in found.agreements
            if {x.first, x.second} == {a, b} and (x.row.metric, x.row.over) == ("mean_iou", "images")
        )  # fmt: skip
        assert row.value == pytest.approx(done.value("mean_iou", over="images"))
    assert list(found.runs) == [*NAMES, "consensus"]


def test_pairs_and_intervals(data: Path, tmp_path: Path) -> None:
    two = ("ann", "cyd")
    found = raters({n: data / n for n in two}, data / "model", ["mean_iou"], out=tmp_path)
    each = {}
    for a, b in (("ann", "model"), ("cyd", "model"), two):
        done = mm.evaluate(data / a, data / b, ["mean_iou"])
        each[a, b] = done.image_values("mean_iou")[1][:, 0]
    d = (each["ann", "model"] + each["cyd", "model"]) / 2 - each[two]
    (y,) = found.yardsticks
    assert (y.difference, y.model - y.raters) == pytest.approx((d.mean(), d.mean()))
    counts = np.concatenate(list(weights_of(8, found.runs["ann"].resampling)))[1:]
    assert (y.low, y.high) == pytest.approx(tuple(np.quantile(counts @ d / 8, [0.025, 0.975])))
    assert y.permutation == 2 / 2**8 and y.verdict == "more" and y.images == 8
    assert (found.runs["ann"].images, found.runs["consensus"].facts.region) == ([str(i) for i in range(8)], True)
    for i in range(8):
        a, c = (np.load(data / n / f"{i}.npy") for n in two)
        assert (np.load(tmp_path / f"consensus/counted/{i}.npy") == (a == c)).all()


def test_the_command(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sides = [str(data / n) for n in (*NAMES, "model")]
    out = tmp_path / "out"
    assert main(["raters", *sides, "-o", str(out), "-m", "mean_iou", "-m", "iou", "--ignore", "9"]) == 0
    said = capsys.readouterr().out
    assert "model and ann" in said and "bob and cyd" in said
    assert "mean_iou: the model agrees with the raters more than they do with one another" in said
    assert (
        "The interval rests on fewer than 20 images or groups and is too narrow; the sign-flip test says p = " in said
    )
    found = json.loads((out / "raters.json").read_text())
    assert found["yardsticks"][0]["verdict"] == "more" and (out / "consensus/results.json").exists()
    page = (out / "raters.html").read_text("utf-8")
    assert page.count("<figcaption>") == 4 and "http" not in page.split("</style>")[1].split("<script")[0]
    assert main(["raters", sides[0], sides[3], "-o", str(out)]) == 2
    assert main(["raters", sides[0], sides[0], sides[3], "-o", str(out)]) == 2
    assert "different names" in capsys.readouterr().err
