"""Objects against the peers' own packages: random maps and nasty ones, where each package has an answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

import maskmeter as mm
from maskmeter import matching
from maskmeter.metrics import _tally, instances
from maskmeter.metrics.instances import (
    aji,
    mean_matched_iou,
    object_accuracy,
    object_f1,
    object_precision,
    object_recall,
    pq,
    rq,
    seg,
    sq,
)  # fmt: skip
from maskmeter.statistics.instances import overlap
from maskmeter.statistics.overlap import concatenate

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

Map = NDArray[np.int64]
AT = (0.1, 0.3, 0.5, 0.55, 0.75, 0.9, 1.0)


def nasty() -> Iterator[tuple[str, Map, Map]]:
    """Pairs of maps of ids that packages trip over."""
    one, none = np.array([[0, 4, 4], [0, 4, 4]]), np.zeros((2, 3), int)
    yield "one object", one, one
    yield "nothing predicted", one, none
    yield "nothing there", none, one
    yield "a shift to the next pixel", one, np.roll(one, 1, axis=1)
    yield "a half", np.array([[1, 1, 1, 1, 0]]), np.array([[2, 2, 3, 3, 0]])
    yield "an IoU of a half", np.array([[1, 1, 0, 5, 5, 5]]), np.array([[1, 0, 0, 5, 5, 0]])
    yield (
        "all touch",
        np.kron(np.arange(1, 10).reshape(3, 3), np.ones((4, 4), int)),
        np.kron(np.arange(1, 17).reshape(4, 4), np.ones((3, 3), int)),
    )
    yield "one pixel each", np.arange(12).reshape(3, 4), np.arange(12)[::-1].reshape(3, 4)
    yield "gaps between ids", one * 5000, np.where(one, 70000, 0) - (np.arange(6).reshape(2, 3) == 5) * 69998


def random(seed: int, shape: tuple[int, ...], ids: int, zoom: int = 4, noise: float = 0.15) -> tuple[Map, Map]:
    """A coarse map, and it again shifted a little, with other ids and some pixels of other objects."""
    rng = np.random.default_rng(seed)
    gt = rng.integers(0, ids, shape)
    for axis in range(gt.ndim):
        gt = np.repeat(gt, zoom, axis=axis)
    names = np.concatenate([[0], rng.permutation(np.arange(1, ids)) * 3])
    pred = names[np.roll(gt, rng.integers(0, 3, gt.ndim), tuple(range(gt.ndim)))]
    return gt, np.where(rng.random(gt.shape) < noise, rng.permutation(pred.ravel()).reshape(pred.shape), pred)


MAPS = [*nasty(), *((f"random {k}", *random(k, (5, 6), 9)) for k in range(6)), ("3D", *random(9, (3, 4, 3), 12))]
EACH = pytest.mark.parametrize(("gt", "pred"), [x[1:] for x in MAPS], ids=[x[0] for x in MAPS])


@EACH
@pytest.mark.parametrize("criterion", ["iou", "iot", "iop"])
def test_stardist(gt: Map, pred: Map, criterion: str) -> None:
    matching = pytest.importorskip("stardist.matching").matching
    o = overlap(gt, pred)
    for at in AT:
        theirs = matching(gt, pred, thresh=at, criterion=criterion)
        t = _tally.tally(o, at, matching.rules("stardist", criterion))
        assert (t.tp.item(), t.fp.item(), t.fn.item()) == (theirs.tp, theirs.fp, theirs.fn)
        how: dict[str, Any] = {"iou": at, "criterion": criterion, "convention": "stardist"}
        ours = [m.compute(o, **how) for m in (object_precision, object_recall, object_accuracy, object_f1)]
        assert ours == [theirs.precision, theirs.recall, theirs.accuracy, theirs.f1]
        assert pq.compute(o, **how) == pytest.approx(theirs.panoptic_quality, rel=1e-6)
        found = mean_matched_iou.compute(o, **how)
        assert found == pytest.approx(theirs.mean_matched_score, rel=1e-6)


@pytest.mark.parametrize("by_image", [False, True])
def test_stardist_over_a_data_set(by_image: bool) -> None:
    matching_dataset = pytest.importorskip("stardist.matching").matching_dataset
    pairs = [(g, p) for _, g, p in MAPS if g.any()]
    theirs = matching_dataset(*zip(*pairs, strict=True), thresh=0.5, by_image=by_image, show_progress=False)
    o = concatenate([overlap(g, p) for g, p in pairs])
    for metric, name in ((object_f1, "f1"), (object_accuracy, "accuracy"), (object_recall, "recall")):
        ours = metric.at(iou=0.5, convention="stardist").values(o.by_image() if by_image else o)
        assert np.mean(ours) == pytest.approx(getattr(theirs, name), rel=1e-14)


@EACH
def test_cellpose(gt: Map, pred: Map) -> None:
    metrics = pytest.importorskip("cellpose.metrics", exc_type=ImportError)
    gt, pred = (np.unique(np.concatenate([[0], x.ravel()]), return_inverse=True)[1][1:] for x in (gt, pred))
    if not (gt == 0).any() or not (pred == 0).any():  # it takes the least id for the background
        gt, pred = np.append(gt, 0), np.append(pred, 0)
    o = overlap(gt, pred)
    theirs, tp, fp, fn = metrics.average_precision(gt[None], pred[None], threshold=list(AT))
    for k, at in enumerate(AT):
        t = _tally.tally(o, at, matching.rules("cellpose"))
        assert (t.tp.item(), t.fp.item(), t.fn.item()) == (tp[k], fp[k], fn[k])
        assert object_accuracy.compute(o, iou=at, convention="cellpose") == theirs[k]
    if gt.any() and pred.any():
        (index,) = metrics.aggregated_jaccard_index([gt], [pred])
        assert aji.compute(o, convention="cellpose") == pytest.approx(index, rel=1e-14)


@EACH
def test_cell_tracking_challenge(gt: Map, pred: Map, tmp_path: Path) -> None:
    match = pytest.importorskip("ctc_metrics.utils.representations").match
    gt, pred = (np.pad(x, 1) for x in (gt, pred))  # it takes the least id for the background
    for name, ids in (("gt", gt), ("pred", pred)):
        tifffile.imwrite(tmp_path / f"{name}.tif", ids.astype(np.uint32))
    labels, _, found, _, ious = match(str(tmp_path / "gt.tif"), str(tmp_path / "pred.tif"))
    o = overlap(gt, pred)
    assert seg.compute(o) == pytest.approx(sum(ious) / len(labels) if labels else np.nan, rel=1e-14, nan_ok=True)
    assert _tally.tally(o, 0.5, matching.rules("ctc")).tp.item() == len(found)


@EACH
def test_partitions(gt: Map, pred: Map) -> None:
    measure = pytest.importorskip("skimage.metrics")
    split, merge = measure.variation_of_information(gt, pred)
    assert mm.voi_split(gt, pred) == pytest.approx(split, rel=1e-12, abs=1e-14)
    assert mm.voi_merge(gt, pred) == pytest.approx(merge, rel=1e-12, abs=1e-14)
    ours = mm.adapted_rand_error(gt, pred)
    if not np.isnan(ours):  # they divide by zero, or answer 0 or 1, where no two pixels are together
        assert ours == pytest.approx(measure.adapted_rand_error(gt, pred)[0], rel=1e-12, abs=1e-14)


# Panoptic


Side = list[dict[str, Any]]


def scenes(seed: int, images: int) -> tuple[list[tuple[Map, Map]], tuple[Side, Side], Side]:
    """Maps of colours with void and crowds, the segments of either side, and the categories."""
    rng = np.random.default_rng(seed)
    categories = [{"id": 3 * k + 1, "name": f"c{k}", "isthing": int(k < 3)} for k in range(6)]
    colors = np.concatenate([[0], rng.choice(2**24 - 1, 40, replace=False) + 1])
    maps, listed = list[tuple[Map, Map]](), (Side(), Side())
    for i in range(images):
        a, b = random(100 * seed + i, (5, 6), 14, zoom=16, noise=0.05)
        gt, pred = colors[a], colors[b]
        classes = {c: 3 * int(rng.integers(6)) + 1 for c in np.unique(gt).tolist() if c}
        right = {c: classes.get(_most(gt[pred == c]), 1) for c in np.unique(pred).tolist() if c}
        guessed = {c: 3 * int(rng.integers(6)) + 1 if rng.random() < 0.2 else k for c, k in right.items()}
        for side, ids, of in zip(listed, (gt, pred), (classes, guessed), strict=True):
            segments = [
                {"id": c, "category_id": k, "iscrowd": 0, "area": int((ids == c).sum()), "bbox": [0, 0, 1, 1]}
                for c, k in of.items()
            ]
            side.append({"image_id": i, "file_name": f"{i}.png", "segments_info": segments})
        crowded = set[int]()  # one of a class at most: of several the packages heed different ones
        for s in listed[0][-1]["segments_info"]:
            s["iscrowd"] = int(s["category_id"] not in crowded and rng.random() < 0.2)
            crowded |= {s["category_id"]} if s["iscrowd"] else set()
        maps.append((gt, pred))
    return maps, listed, categories


def _most(ids: Map) -> int:
    found, times = np.unique(ids, return_counts=True)
    return int(found[times.argmax()])


@pytest.mark.parametrize("seed", range(3))
def test_hotcoco_from_files(seed: int, tmp_path: Path) -> None:
    hotcoco = pytest.importorskip("hotcoco.panoptic")
    maps, listed, categories = scenes(seed, 3)
    for name, side, k in (("gt", listed[0], 0), ("pred", listed[1], 1)):
        (tmp_path / name).mkdir()
        for annotation, ids in zip(side, maps, strict=True):
            rgb = np.stack([ids[k] & 255, ids[k] >> 8 & 255, ids[k] >> 16], -1).astype(np.uint8)
            Image.fromarray(rgb).save(tmp_path / name / annotation["file_name"])
        images = [{"id": x["image_id"], "width": 96, "height": 80, "file_name": x["file_name"]} for x in side]
        text = json.dumps({"images": images, "annotations": side, "categories": categories})
        (tmp_path / f"{name}.json").write_text(text)
    files = tmp_path / "gt.json", tmp_path / "pred.json"
    theirs = hotcoco.PanopticEval(*map(str, files))
    theirs.run()
    run = mm.evaluate(*files, metrics=["pq", "sq(convention=panoptic)", "rq"])
    for metric, name in (("pq", "pq"), ("sq(convention=panoptic)", "sq"), ("rq", "rq")):
        assert run.value(metric) == pytest.approx(theirs.results()["All"][name], rel=1e-14)
    assert run.value("pq") > 0


@pytest.mark.parametrize("seed", range(3))
def test_vernier_from_arrays(seed: int) -> None:
    vernier = pytest.importorskip("vernier._core", exc_type=ImportError)
    maps, listed, categories = scenes(seed, 3)
    arrays = [{i: m[k].astype(np.uint32) for i, m in enumerate(maps)} for k in (0, 1)]
    said = [json.dumps({x["image_id"]: x["segments_info"] for x in side}).encode() for side in listed]
    gt = vernier.PanopticDataset.from_arrays(arrays[0], said[0], json.dumps(categories).encode())
    theirs = vernier.evaluate_panoptic(gt, vernier.PanopticPredictions.from_arrays(arrays[1], said[1]), "strict", True)
    labels = mm.LabelSet(tuple(mm.Label(c["id"], c["name"], thing=bool(c["isthing"])) for c in categories))
    parts = [
        overlap(
            a, b, classes=labels, ignore=0, crowd=[s["id"] for s in x["segments_info"] if s["iscrowd"]],
            gt_classes={s["id"]: s["category_id"] for s in x["segments_info"]},
            pred_classes={s["id"]: s["category_id"] for s in y["segments_info"]},
        )
        for (a, b), x, y in zip(maps, *listed, strict=True)
    ]  # fmt: skip
    o = concatenate(parts)
    for metric, value in ((pq, theirs.pq), (sq, theirs.sq), (rq, theirs.rq)):
        m = metric.at(convention="panoptic")
        assert float(instances.over_classes(m, o, m.values(o))) == pytest.approx(value, rel=1e-14)
