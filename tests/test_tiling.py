"""Tiling: images read tile by tile have the records of the same images read whole, to the last bit."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import maskmeter as mm
from maskmeter import tiling
from maskmeter.counting import Job, Plan
from maskmeter.formats import boxes, read_with_digest
from maskmeter.run import evaluate
from maskmeter.statistics.confusion import Reading, count_labels
from maskmeter.tiling import Bounded, added, read_memory

RNG = np.random.default_rng(5)
SHAPE = (90, 117)
LABELS = np.kron(RNG.integers(0, 6, (9, 13)), np.ones((10, 9), int)).astype(np.uint8)
SHIFTED = np.roll(LABELS, (3, -5), (0, 1))
MASK = (LABELS % 2).astype(np.uint8)
FLOATS = np.clip(RNG.normal(0.3 + 0.4 * MASK, 0.3), 0, 1).astype(np.float32)
IDS = LABELS.astype(np.uint32) * 70_000 + np.arange(SHAPE[0], dtype=np.uint32)[:, None] // 30
PLAN = Plan(Reading())

LAYOUTS: dict[str, dict[str, Any]] = {
    "npy": {},
    "fortran.npy": {},
    "tiles.tif": {"tile": (16, 32), "compression": "zlib", "predictor": True},
    "strips.tif": {"rowsperstrip": 7, "compression": "lzw"},
    "plain.tif": {"byteorder": ">"},
    "loose-tiles.tif": {"tile": (32, 16), "bigtiff": True},
}


def write(path: Path, array: NDArray[Any], layout: str = "npy") -> Path:
    if layout.endswith("npy"):
        path = path.with_suffix(".npy")
        np.save(path, np.asfortranarray(array) if layout.startswith("fortran") else array)
        return path
    path, options = path.with_suffix(".tif"), dict(LAYOUTS[layout])
    if array.dtype.kind == "f":
        options.pop("predictor", None)
    tifffile.imwrite(path, array, photometric="minisblack", **options)
    return path


def same(plan: Plan, job: Job, pixels: int, threads: int = 1) -> None:
    """The record of an image in tiles of about so many pixels is that of the whole image."""
    tiled = Bounded(plan, 1 << 30, threads)
    calls: list[int] = []
    whole, before = plan.count(job), tiling._tile

    def counted(*args: Any) -> Any:
        calls.append(1)
        return before(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiling, "_tile", counted)
        patch.setattr(tiling, "_need", lambda _: 1 << 31)
        patch.setattr(tiling, "boxes", lambda shape, chunks, _: boxes(shape, chunks, pixels))
        found = tiled.count(job)
    assert len(calls) > 2
    assert replace(found, pooled={}) == replace(whole, pooled={})
    assert {k: v.to_bytes() for k, v in found.pooled.items()} == {k: v.to_bytes() for k, v in whole.pooled.items()}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_labels_in_every_layout(layout: str, tmp_path: Path) -> None:
    for gt, pred in ((LABELS, SHIFTED), (IDS, np.roll(IDS, 4, 1).astype(np.int64 if "npy" in layout else np.uint32))):
        job = Job("a", write(tmp_path / "gt", gt, layout), write(tmp_path / "pred", pred, layout))
        same(PLAN, job, 1200, threads=2)


@pytest.mark.parametrize("layout", ["npy", "tiles.tif", "strips.tif"])
def test_scores_and_masks_in_every_layout(layout: str, tmp_path: Path) -> None:
    plan = replace(PLAN, task="binary", curves=("roc_auc", "average_precision", "ece"), reading=Reading(None, (3,)))
    gt = np.where(LABELS == 3, 3, MASK).astype(np.uint8)
    region = write(tmp_path / "region", (SHIFTED != 2).astype(np.uint8) * 255, layout)
    for pred in (FLOATS, FLOATS.astype(np.float16), (FLOATS * 255).astype(np.uint8), MASK.astype(np.float64)):
        job = Job("a", write(tmp_path / "gt", gt, layout), write(tmp_path / "pred", pred, layout), region)
        same(replace(plan, task="auto"), job, 1500)


def test_logits_booleans_missing_predictions_and_volumes(tmp_path: Path) -> None:
    logits = RNG.normal(0, 3, SHAPE).astype(np.float32)
    gt = write(tmp_path / "gt", MASK.astype(bool))
    same(replace(PLAN, logits=True), Job("a", gt, write(tmp_path / "pred", logits)), 1000)
    same(PLAN, Job("a", gt, write(tmp_path / "pred", SHIFTED > 2)), 1000)
    same(PLAN, Job("a", gt, None), 1000)
    same(PLAN, Job("a", write(tmp_path / "gt", LABELS), None), 1000)
    volume = np.stack([LABELS, SHIFTED, LABELS[::-1], SHIFTED])
    for layout in ("npy", "tiles.tif", "plain.tif"):
        job = Job("a", write(tmp_path / "v", volume, layout), write(tmp_path / "w", volume[:, ::-1].copy(), layout))
        same(PLAN, job, 3000)
    one = Job("a", write(tmp_path / "v", volume[:1]), write(tmp_path / "w", LABELS))
    same(replace(PLAN, spacing=(1.0, 1.0, 1.0)), replace_pred(one, write(tmp_path / "w", volume[1:2])), 1000)


def replace_pred(job: Job, pred: Path) -> Job:
    return job._replace(pred=pred)


@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    chunks=st.lists(st.lists(st.integers(1, 11), min_size=3, max_size=3), min_size=1, max_size=3),
    most=st.integers(1, 60),
)
def test_boxes_cover_every_pixel_once(shape: list[int], chunks: list[list[int]], most: int) -> None:
    seen = np.zeros(shape, int)
    for box in boxes(shape, [c[: len(shape)] for c in chunks], most):
        seen[box] += 1
        assert seen[box].size <= most
    assert (seen == 1).all()


def test_tables_add_up() -> None:
    whole = count_labels(LABELS, SHIFTED, MASK == 1)
    parts = [
        count_labels(LABELS[r, c], SHIFTED[r, c], MASK[r, c] == 1)
        for r, c in product((slice(0, 31), slice(31, 90)), (slice(0, 50), slice(50, 51), slice(51, 117)))
    ]
    assert added(parts).to_bytes() == whole.to_bytes()
    nothing = count_labels(LABELS, SHIFTED, MASK > 5)
    assert added([nothing, nothing]).n.size == 0


# Runs


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tiling")
    pairs = {"semantic": (LABELS, SHIFTED), "instance": (IDS, np.roll(IDS, 4, 1)), "binary": (MASK, FLOATS)}
    for task, sides in pairs.items():
        for side, array in zip(("gt", "pred"), sides, strict=True):
            (root / task / side).mkdir(parents=True)
            for i, layout in enumerate(("npy", "tiles.tif")):
                write(root / task / side / str(i), np.roll(array, i, 0), layout)
    return root


def run(data: Path, out: Path, memory: int | None, **options: Any) -> list[bytes]:
    evaluate(data / "gt", data / "pred", out=out, memory=memory, intervals="none", **options)
    return [(out / name).read_bytes() for name in ("results.json", "rows.csv")]


@pytest.mark.parametrize("task", ["semantic", "instance", "binary"])
def test_results_have_the_same_bytes_for_any_memory(
    task: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiling, "PROGRAM", 0)
    monkeypatch.setattr(tiling, "LEAST", 1)
    sizes: set[int] = set()

    def watched(shape: Any, chunks: Any, most: int) -> Any:
        made = list(boxes(shape, chunks, most))
        sizes.add(len(made))
        return made

    monkeypatch.setattr(tiling, "boxes", watched)
    whole = run(data / task, tmp_path / "whole", None)
    assert not sizes
    for memory in (1_500_000, 330_000) if task == "binary" else (130_000, 31_000):
        assert run(data / task, tmp_path / str(memory), memory, workers=1 + memory % 2) == whole
    assert max(sizes) > 2
    # What is finished is not counted again, whatever the memory.
    evaluate(data / task / "gt", data / task / "pred", out=tmp_path / "whole", memory=50_000, workers=1, resume=True)


def test_what_cannot_be_counted_in_tiles_is_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def says(
        text: str, error: type[mm.MaskmeterError] = mm.DataError, folder: str = "semantic", **options: Any
    ) -> None:
        with pytest.raises(error, match=text):
            evaluate(data / folder / "gt", data / folder / "pred", **{"workers": 1, "memory": 40_000, **options})

    says("too little for 2 images at a time: the program itself takes 128 MiB", mm.UsageError, workers=2)
    says("memory 'much' is no size; write it as in 2GB", mm.UsageError, memory="much")
    monkeypatch.setattr(tiling, "PROGRAM", 0)
    monkeypatch.setattr(tiling, "LEAST", 1)
    says("0.npy: has 10530 pixels.* and topology cannot be counted in tiles", metrics=["betti_error"])
    says("1.tif: is stored in chunks of 16 x 32 pixels.*smaller tiles", memory=2_000)
    says("distinct scores, and there is no room for their exact histogram", folder="binary", memory=20_000)
    says("above the limit of --max-pixels 500", max_pixels=500)
    for side in ("gt", "pred"):
        (tmp_path / side).mkdir()
        write(tmp_path / side / "a", LABELS, "plain.tif")
    from PIL import Image

    Image.fromarray(SHIFTED).save(tmp_path / "pred.png")
    with pytest.raises(mm.DataError, match=r"pred\.png: cannot be read in tiles, and .* room for 2500 of 10530"):
        evaluate(tmp_path / "gt" / "a.tif", tmp_path / "pred.png", memory=40_000, workers=1)
    with pytest.raises(mm.DataError, match=r"10530 pixels, above the limit of 9000; .* --memory 4GB"):
        evaluate(tmp_path / "gt", tmp_path / "pred", max_pixels=9000)


def test_pairs_that_do_not_fit_are_refused_in_tiles_too(tmp_path: Path) -> None:
    plan = Bounded(replace(PLAN, task="binary"), 1)
    gt, pred = write(tmp_path / "gt", LABELS), write(tmp_path / "pred", FLOATS)
    for job, text in (
        (Job("a", gt, write(tmp_path / "other", FLOATS[:50])), r"shape \(90, 117\) in the ground truth, \(50, 117\)"),
        (Job("a", gt, pred, write(tmp_path / "mask", MASK[:50])), r"mask\.npy: shape \(50, 117\) of the mask"),
    ):
        with pytest.raises(mm.DataError, match=text):
            plan.count(job)
    big = Bounded(PLAN, 1 << 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiling, "_need", lambda _: 1 << 30)
        with pytest.raises(mm.DataError, match="the ground truth holds 6 different values"):
            big.count(Job("a", gt, pred))
        with pytest.raises(mm.DataError, match=r"lies? outside"):
            big.count(Job("a", write(tmp_path / "gt", MASK), write(tmp_path / "pred", FLOATS * 3)))
        (tmp_path / "short.npy").write_bytes(gt.read_bytes()[:-5])
        with pytest.raises(mm.DataError, match=r"short\.npy: is a truncated NPY file"):
            big.count(Job("a", tmp_path / "short.npy", gt))
        cut = write(tmp_path / "cut", LABELS, "tiles.tif")
        cut.write_bytes(cut.read_bytes()[:900])
        with pytest.raises(mm.DataError, match=r"cut\.tif: is a truncated TIFF"):
            big.count(Job("a", cut, gt))


@pytest.mark.parametrize(("given", "size"), [("2GB", 2 * 10**9), ("1.5 GiB", 3 << 29), ("500m", 5 * 10**8), (7, 7)])
def test_sizes(given: Any, size: int) -> None:
    assert read_memory(given) == size


def test_an_image_too_large_for_a_picture_has_none(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from maskmeter.report import pictures

    done = evaluate(data / "semantic" / "gt", data / "semantic" / "pred", metrics=["iou"])
    monkeypatch.setattr("maskmeter.formats.label_maps.read_with_digest", partial(read_with_digest, max_pixels=99))
    with pytest.raises(pictures.Unavailable, match="its ground truth is too large for a picture"):
        pictures.reopen(done.records["0"], done.facts)
