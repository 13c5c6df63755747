"""Averages of subgroups, by size and of the worst images, beside what evaluating these images alone says."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import maskmeter as mm
from maskmeter.averages import by_size, on_few, subgroups, worst
from maskmeter.cli import main
from maskmeter.uncertainty import weights_of


def pair(i: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(i)
    gt = np.arange(200) < 10 * (i % 10)
    return gt, gt ^ (rng.random(200) < rng.uniform(0.02, 0.3))


def evaluated(images: list[int], intervals: str = "percentile") -> mm.Evaluation:
    done = mm.Evaluation(["iou", "volume_difference", "accuracy"], intervals=intervals)
    for i in images:
        done.update(*pair(i), image=f"{'abc'[i % 3]}_{i:02d}")
    return done


def test_a_subgroup_is_what_its_images_alone_give(tmp_path: Path) -> None:
    whole = evaluated(list(range(30)))
    table = tmp_path / "sites.csv"
    table.write_text("image,site\n" + "".join(f"{n},{n[0].upper()}\n" for n in whole.images))
    for by, names in (("{site}_*", "abc"), (f"{table}:site", "ABC")):
        found = subgroups(whole, by)
        assert [g.name for g in found] == list(names)
        for k, group in enumerate(found):
            assert repr(group.rows) == repr(evaluated([i for i in range(30) if i % 3 == k]).rows())
    (only,) = subgroups(whole, lambda _: "x", ["iou"])
    assert [r.value for r in only.rows] == [whole.value("iou"), whole.value("iou", over="images")]


def test_images_fall_into_thirds_by_their_foreground() -> None:
    found = subgroups(evaluated(list(range(30))), "size", ["iou"])
    assert [(g.name, len(g.images)) for g in found] == [
        ("small, below 40 pixels", 9), ("medium, 40 to 69", 9), ("large, from 70", 9), ("none", 3),
    ]  # fmt: skip
    assert found[3].images == ["a_00", "b_10", "c_20"]
    semantic = mm.Evaluation(["iou"])
    semantic.update([0, 1, 2], [0, 1, 2], image="x")
    with pytest.raises(mm.UsageError, match="one foreground"):
        subgroups(semantic, "size")


def shortfall(sample: np.ndarray, cost: np.ndarray, share: float) -> float:
    """The mean over the costliest share of a sample."""
    n = share * sample.size
    weights = np.clip(n - np.arange(sample.size), 0, 1)
    return float(weights @ sample[np.argsort(-cost, kind="stable")] / n)


@pytest.mark.parametrize("share", [0.05, 0.1, 1.0])
def test_the_worst_are_a_weighted_mean_with_the_bootstraps_interval(share: float) -> None:
    """The same resamples, image by image, are drawn out here."""
    whole = evaluated(list(range(24)), "percentile(resamples=300)")
    counts = np.concatenate(list(weights_of(24, whole.resampling)))[1:].astype(int)
    for tail in worst(whole, share):
        metric = mm.parse(tail.metric)
        values = whole.image_values(metric)[1][:, 0]
        there = ~np.isnan(values)
        cost = np.abs(values) if metric.better == "zero" else -values
        assert tail.mean == pytest.approx(np.nanmean(values))
        assert tail.value == pytest.approx(shortfall(values[there], cost[there], share))
        assert len(tail.images) == math.ceil(share * there.sum())
        drawn = [np.repeat(np.arange(24), np.where(there, row, 0)) for row in counts]
        theirs = np.quantile([shortfall(values[i], cost[i], share) for i in drawn], [0.025, 0.975])
        assert (tail.low, tail.high) == pytest.approx(tuple(theirs))
        assert ("few" in tail.doubts) == (share < 1)


def test_recall_of_objects_by_size() -> None:
    done = mm.Evaluation(["pq"], task="instance")
    gt = np.repeat([1, 2, 3, 4, 5, 6], [2, 2, 5, 6, 20, 30])
    done.update(gt, np.where(gt == 2, 0, gt), image="a")
    done.update(gt, np.where(gt > 3, 0, gt), image="b")
    assert [(said, r.n, r.value) for said, r in by_size(done)] == [
        ("below 5 pixels", 4, 0.75), ("5 to 19", 4, 0.75), ("from 20", 4, 0.5),
    ]  # fmt: skip
    with pytest.raises(mm.UsageError, match="no objects"):
        by_size(evaluated([1, 2]))
    for share in (0, 1.1):
        with pytest.raises(mm.UsageError, match="worst share"):
            worst(done, share)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for side in ("gt", "pred"):
        (tmp_path / side).mkdir()
    for i in range(12):
        for side, array in zip(("gt", "pred"), pair(i), strict=True):
            np.save(tmp_path / side / f"{'abc'[i % 3]}_{i:02d}.npy", array.reshape(10, 20))
    run = str(tmp_path / "run")
    mm.evaluate(tmp_path / "gt", tmp_path / "pred", ["iou", "dice"], out=run)
    assert main(["averages", run]) == 0
    out = capsys.readouterr().out
    assert out.startswith("the worst 5 % of 12 images") and "take these intervals as rough" in out
    assert main(["averages", run, "--by", "{site}_*", "--by", "size", "--worst", "25", "-m", "dice"]) == 0
    out = capsys.readouterr().out
    assert "by {site}_*" in out and "by size" in out and out.count("\nall ") == 2
    assert main(["averages", run, "--by", "{site}_*", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["subgroups"]["{site}_*"]
    assert list(found) == ["a", "b", "c"] and found["a"]["images"] == ["a_00", "a_03", "a_06", "a_09"]
    assert main(["averages", run, "--worst", "10", "--format", "md"]) == 0
    assert "| metric | class | worst |" in capsys.readouterr().out
    assert main(["averages", run, "--worst", "0"]) == 2 and main(["averages", run, "--by", "{x}-*"]) == 2


def test_few_images_are_named() -> None:
    few, many = (subgroups(evaluated(list(range(n))), lambda _, n=n: f"{n}", ["iou"]) for n in (5, 20))
    whole = evaluated([0])
    assert on_few(whole, [(g.name, g.rows) for g in few + many]).startswith("intervals of 5 rest on fewer than 20")
    assert on_few(whole, [(g.name, g.rows) for g in few + few]).startswith("intervals of all 2 rest on")
    assert on_few(whole, [(g.name, g.rows) for g in many]) == ""
