"""Boundaries in an evaluation: the functions' own numbers, image by image; infinite distances are said."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import maskmeter as mm

ASKED = [
    "hausdorff(percentile=95)", "hausdorff(convention=monai)", "assd", "masd(convention=medpy)", "nsd(tolerance=1.5)",
    "boundary_f1(tolerance=1)", "boundary_iou(width=2)", "trimap_iou(width=2)",
]  # fmt: skip


def blobs(seed: int, classes: int, shape: tuple[int, ...] = (24, 30)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    gt = np.zeros(shape, np.uint8)
    for k in range(1, classes):
        at = tuple(slice(int(a), int(a) + 9) for a in rng.integers(0, [n - 9 for n in shape]))
        gt[at] = k
    return gt, np.roll(gt, int(rng.integers(1, 3)), axis=-1)


def saved(root: Path, pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[Path, Path]:
    for i, pair in enumerate(pairs):
        for side, array in zip(("gt", "pred"), pair, strict=True):
            (root / side).mkdir(parents=True, exist_ok=True)
            np.save(root / side / f"{i:02d}.npy", array)
    return root / "gt", root / "pred"


@pytest.mark.parametrize("classes", [2, 4])
def test_images_have_the_values_of_the_functions(classes: int, tmp_path: Path) -> None:
    pairs = [blobs(i, classes) for i in range(5)]
    done = mm.evaluate(*saved(tmp_path, pairs), ASKED, task="binary" if classes == 2 else "semantic")
    for text in ASKED:
        m = mm.parse(text)
        for i, (gt, pred) in enumerate(pairs):
            arrays = (gt == 1, pred == 1) if classes == 2 else (gt, pred)
            direct = m(*arrays, **dict(m.params))
            if classes == 2:
                assert done.value(m, image=f"{i:02d}") == pytest.approx(direct, nan_ok=True, abs=1e-12)
                continue
            for k, v in direct.items():
                assert done.value(m, class_=k, image=f"{i:02d}") == pytest.approx(v, nan_ok=True, abs=1e-12)
        column = done.image_values(m)[1]
        rows = [r for r in done.rows() if r.metric == text and r.over == "images"]
        assert [r.value for r in rows] == pytest.approx(np.nanmean(column, axis=0).tolist())
        assert all(r.infinite == 0 for r in rows)


def test_pooled_is_that_of_all_surfaces_together(tmp_path: Path) -> None:
    pairs = [blobs(i, 2) for i in range(3)]
    done = mm.evaluate(*saved(tmp_path, pairs), ["nsd(tolerance=1)", "assd", "boundary_iou(width=2)"], task="binary")
    s = [mm.surface(gt == 1, pred == 1) for gt, pred in pairs]
    whole = s[0] + s[1] + s[2]
    assert done.value("assd") == mm.assd.compute(whole)
    assert done.value("nsd(tolerance=1)") == mm.nsd.compute(whole, tolerance=1)


def test_a_miss_is_infinite_and_its_diagonal_stands_in_means(tmp_path: Path) -> None:
    pairs = [blobs(i, 2) for i in range(3)]
    pairs[1][1][:] = 0
    pairs.append((np.zeros((24, 30), np.uint8),) * 2)
    folders = saved(tmp_path, pairs)
    done = mm.evaluate(*folders, ["hausdorff", "nsd(tolerance=1)"], task="binary", out=tmp_path / "run")
    assert done.value("hausdorff", image="01") == math.inf and math.isnan(done.value("hausdorff", image="03"))
    others = [mm.hausdorff(pairs[i][0] == 1, pairs[i][1] == 1) for i in (0, 2)]
    assert done.value("hausdorff", over="images") == pytest.approx((sum(others) + math.hypot(24, 30)) / 3)
    assert done.value("hausdorff") == pytest.approx(math.hypot(24, 30))
    assert done.value("nsd(tolerance=1)", image="01") == 0
    found = json.loads((tmp_path / "run/results.json").read_text())["rows"]
    assert [r.get("infinite") for r in found] == [1, 1, None, None] and found[1]["undefined"] == 1
    assert ",inf,1,0," in (tmp_path / "run/rows.csv").read_text()
    again = mm.open_run(tmp_path / "run")
    assert repr(again.rows()) == repr(done.rows())


def test_spacing_shards_and_volumes(tmp_path: Path) -> None:
    pairs = [blobs(i, 3, (10, 14, 12)) for i in range(4)]
    folders = saved(tmp_path, pairs)
    asked = ["hausdorff(percentile=95)", "nsd(tolerance=2)"]
    with pytest.raises(mm.UsageError, match="spacing"):
        mm.evaluate(*folders, asked, task="semantic")
    done = mm.evaluate(*folders, asked, task="semantic", spacing=(2.5, 0.8, 0.8), out=tmp_path / "whole")
    gt, pred = pairs[0]
    direct = mm.hausdorff(gt, pred, percentile=95, spacing=(2.5, 0.8, 0.8))
    assert done.value(asked[0], class_=1, image="00") == direct[1]
    for i in (1, 2):
        mm.evaluate(
            *folders,
            asked,
            task="semantic",
            spacing=(2.5, 0.8, 0.8),
            out=tmp_path / str(i),
            shard=(i, 2),
            executor="threads",
        )
    mm.merge([tmp_path / "2", tmp_path / "1"], tmp_path / "merged")
    for name in ("results.json", "rows.csv"):
        assert (tmp_path / "merged" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_arrays_are_counted_as_files_are() -> None:
    meter = mm.Evaluation(["assd", "iou"])
    gt, pred = blobs(0, 2)
    meter.update(gt == 1, pred == 1, image="a")
    assert meter.value("assd") == mm.assd(gt == 1, pred == 1)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_a_missing_map_of_scores_is_a_miss(kind: type, tmp_path: Path) -> None:
    pairs = [blobs(i, 2) for i in range(3)]
    most = 255 if kind is np.uint8 else 1
    noise = np.random.default_rng(1).random(pairs[0][0].shape) * 0.4
    gt, pred = saved(tmp_path, [(g, ((p * 0.5 + noise) * most).astype(kind)) for g, p in pairs])
    (pred / "01.npy").unlink()
    done = mm.evaluate(gt, pred, ["hausdorff", "cl_dice"], missing="empty")
    assert done.facts.scores and done.value("hausdorff", image="01") == math.inf
    assert done.value("cl_dice", image="01") == 0
    assert done.value("hausdorff", image="00") == mm.hausdorff(pairs[0][0] == 1, pairs[0][1] == 1)
