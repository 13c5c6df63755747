"""Two pairs of real models, compared, beside SciPy over values that the files of each run hold."""

import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from maskmeter.cli import main
from maskmeter.significance import holm

DATA = Path(__file__).parents[2] / "shared/data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")

PAIRS = {
    "nuclei": ("nuclei_instances/gt", "nuclei_instances/pred_A", "nuclei_instances/pred_B"),
    "tumour": (
        "coco_tumour/gt_test.json",
        "coco_tumour/pred_test_modelA.json",
        "coco_tumour/pred_test_modelB.json",
    ),
}
METRICS = {"nuclei": ("pq", "aji", "object_f1(iou=0.5)", "splits"), "tumour": ("ap", "ap50", "ar_10")}


def by_image(run: Path) -> dict[tuple[str, str], dict[str, float]]:
    """The values of images, as `rows.csv` has them."""
    out: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    with (run / "rows.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            out[row["metric"], row["class"]][row["image"]] = float(row["value"] or "nan")
    return out


@pytest.fixture(scope="module", params=sorted(PAIRS))
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """A pair of models, evaluated."""
    root, name = tmp_path_factory.mktemp("models"), str(request.param)
    gt, *models = (str(DATA / part) for part in PAIRS[name])
    for model, side in zip(models, "ab", strict=True):
        asked = [x for m in METRICS[name] for x in ("-m", m)]
        assert main(["evaluate", gt, model, "-o", str(root / side), "--no-report", *asked]) == 0
    return name, root / "a", root / "b"


def test_a_comparison_of_real_models_is_right(runs: tuple[str, Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    name, a, b = runs
    capsys.readouterr()
    assert main(["compare", str(a), str(b), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    x, y = by_image(a), by_image(b)
    mine, signs, ranks = [], [], []
    for d in found["rows"]:
        if d["over"] != "images":
            continue
        p, q = (values[d["metric"], d["class"] or ""] for values in (x, y))
        pairs = np.array([(p[i], q[i]) for i in p if p[i] == p[i] and q[i] == q[i]]).reshape(-1, 2)
        if not len(pairs):
            assert d["a"] is d["b"] is d["permutation"] is None
            continue
        apart = pairs[:, 1] - pairs[:, 0]
        assert (d["a"], d["b"]) == pytest.approx(tuple(pairs.mean(axis=0)))
        assert d["difference"] == pytest.approx(apart.mean())
        assert d["effect"] == pytest.approx(apart.mean() / apart.std(ddof=1))
        gain = -apart if d["metric"] == "splits" else apart
        assert [d["better"], d["equal"], d["worse"]] == [(gain > 0).sum(), (gain == 0).sum(), (gain < 0).sum()]
        theirs = stats.bootstrap((apart,), np.mean, n_resamples=9000, method="percentile", rng=1).confidence_interval
        # Images without a value are drawn too, so a resample has some more or less of those with one.
        assert (d["low"], d["high"]) == pytest.approx(tuple(theirs), abs=0.07 * (theirs.high - theirs.low))
        ranks.append(stats.wilcoxon(apart[apart != 0]).pvalue)
        test = stats.permutation_test(
            (apart,), np.mean, permutation_type="samples", n_resamples=9999, vectorized=True, rng=2
        )
        signs.append(test.pvalue)
        mine.append({**d, "question": (d["metric"], *apart.tolist())})
    family = {d["question"]: k for k, d in reversed(list(enumerate(mine)))}  # a mean over one class is that class
    one, other = (dict(zip(family, holm([p[k] for k in family.values()]), strict=True)) for p in (ranks, signs))
    assert [d["wilcoxon"] for d in mine] == pytest.approx([one[d["question"]] for d in mine])
    assert [d["permutation"] for d in mine] == pytest.approx([other[d["question"]] for d in mine], rel=0.3, abs=0.02)
    assert len(family) == {"nuclei": 4, "tumour": 3}[name]
    assert found["tests"] == len(family)
    headline = next(d for d in mine if d["metric"] == found["headline"] and d["class"] is None)
    assert headline["verdict"] == {"nuclei": "worse", "tumour": "open"}[name]
    p, q = (values[found["headline"], ""] for values in (x, y))
    moved = {i: q[i] - p[i] for i in p if q[i] != p[i] and p[i] == p[i] and q[i] == q[i]}
    assert found["improved"][0]["image"] == max(sorted(moved), key=moved.__getitem__)
    assert found["worsened"][0]["image"] == min(sorted(moved), key=moved.__getitem__)


def test_a_comparison_of_real_models_reads_well(
    runs: tuple[str, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    name, a, b = runs
    capsys.readouterr()
    assert main(["compare", str(a), str(b)]) == 0
    out = capsys.readouterr().out
    answer = out.splitlines()[3]
    if name == "nuclei":
        assert answer.startswith(
            "B is worse than A in object_f1(iou=0.5): 0.6486 against 0.7693, a difference of -0.12"
        )
        assert "By object_f1(iou=0.5) 9 images improved" in out and "28 images worsened" in out
    else:
        assert answer.startswith("B and A are not told apart in ap: 0.6770 against 0.7145")
        assert (
            "of the means over the 57 images with a value of the 100 images that both hold. Pooled it is 0.3469"
            in answer
        )
        assert answer.endswith("that counts what is found on the 43 images without a value too, the mean does not.")
        assert "the two tests differ in ap (p = " in out and "go by the sign-flip test, which like the interval" in out
        assert "undefined in both: ap[Tumor (category 0)]" in out
