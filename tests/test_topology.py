"""Topology: Betti and Euler numbers, thinning, and how an evaluation counts them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

import maskmeter as mm
from maskmeter import kernels
from maskmeter.errors import UsageError
from maskmeter.run import evaluate
from maskmeter.statistics.topology import BETTI_GT, betti
from reference import topology as twin

MASKS = array_shapes(min_dims=2, max_dims=3, max_side=6).flatmap(lambda shape: arrays(np.bool_, shape))


@given(MASKS, st.booleans())
def test_euler_numbers_agree_with_the_twin(mask: NDArray[np.bool_], diagonal: bool) -> None:
    assert kernels.euler(mask, diagonal) == twin.euler(mask, diagonal)


@given(MASKS)
def test_betti_numbers_agree_with_the_twin(mask: NDArray[np.bool_]) -> None:
    assert betti(mask) == twin.betti(mask)


@given(MASKS)
def test_thinning_agrees_with_the_twin(mask: NDArray[np.bool_]) -> None:
    assert np.array_equal(kernels.thin(mask), twin.thin(mask))


@pytest.mark.parametrize("shape", [(14, 14), (8, 8, 8)])
def test_thinning_of_thick_figures_agrees_with_the_twin(shape: tuple[int, ...]) -> None:
    for seed in range(6):
        mask = blobs(seed, 2, shape) == 1
        assert np.array_equal(kernels.thin(mask), twin.thin(mask))


@given(MASKS)
def test_thinning_keeps_the_topology(mask: NDArray[np.bool_]) -> None:
    before = mask.copy()
    skeleton = kernels.thin(mask)
    assert np.array_equal(mask, before)
    assert not (skeleton & ~mask).any()
    assert betti(skeleton) == betti(mask)
    assert twin.euler(skeleton, True) == twin.euler(mask, True)


def test_known_figures() -> None:
    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    assert betti(ring) == (1, 1, 0)
    hollow = np.ones((3, 3, 3), bool)
    hollow[1, 1, 1] = False
    assert betti(hollow) == (1, 0, 1)
    torus = np.repeat(ring[None], 2, axis=0)
    assert betti(torus) == (1, 1, 0)
    corners = np.eye(2, dtype=bool)  # one figure by its corner, two by faces
    assert betti(corners) == (1, 0, 0)
    assert (kernels.euler(corners, True), kernels.euler(corners, False)) == (1, 2)


@pytest.mark.parametrize("width", range(1, 9))
def test_a_tube_of_any_width_becomes_a_curve(width: int) -> None:
    tube = np.zeros((40, 12, 12), bool)
    tube[2:38, 2 : 2 + width, 2 : 2 + width] = True
    skeleton = kernels.thin(tube)
    at = np.argwhere(skeleton)
    neighbours = (np.abs(at[:, None] - at[None]).max(axis=2) == 1).sum(axis=1)
    assert sorted(neighbours.tolist()) == [1, 1] + [2] * (len(at) - 2)  # two ends, and a way between them
    assert len(at) >= 36 - width


def test_a_slanting_band_is_not_eaten_up() -> None:
    y, x = np.indices((40, 40))
    band = np.abs(x - y) <= 1
    assert len({*np.argwhere(kernels.thin(band))[:, 0].tolist()}) >= 36


def test_a_bend_in_a_plane_keeps_its_length() -> None:
    mask = np.zeros((30, 30), bool)
    mask[4:8, 2:26] = mask[4:28, 22:26] = True
    skeleton = kernels.thin(mask)
    assert 38 <= skeleton.sum() <= 48


def test_a_single_slice_is_a_plane() -> None:
    ring = np.ones((1, 3, 3), bool)
    ring[0, 1, 1] = False
    t = mm.topology(ring, ring)
    assert t.n[1, BETTI_GT].tolist() == [1, 1, 0]


def test_other_numbers_of_axes_are_refused() -> None:
    with pytest.raises(UsageError, match="two and three dimensions, not in 1"):
        mm.cl_dice([True, False], [True, True])


def test_empty_masks() -> None:
    none, some = np.zeros((4, 4), bool), np.eye(4, dtype=bool)
    assert np.isnan(mm.cl_dice(none, none))
    assert np.isnan(mm.betti_error(none, none))
    assert mm.cl_dice(some, none) == mm.cl_dice(none, some) == 0
    assert mm.betti_error(some, none) == mm.betti_error(none, some) == 1


def test_void_belongs_to_no_figure() -> None:
    gt = np.array([[1, 9, 1]])
    assert mm.betti_error(gt, np.array([[1, 1, 1]]), ignore=9) == {1: 0.0}
    assert mm.betti_error(gt, np.array([[1, 1, 1]]), ignore=9, dimension=0) == {1: 0.0}
    assert mm.betti_error(gt, np.array([[1, 1, 1]])) == {1: 1.0, 9: 1.0}


# ------------------------------------------------------------------------------------ in an evaluation

METRICS = ["cl_dice", "betti_error", "euler_error", "betti_error(dimension=0)"]


def blobs(seed: int, classes: int = 2, shape: tuple[int, ...] = (24, 30)) -> NDArray[np.uint8]:
    rough = np.random.default_rng(seed).random((*shape, classes))
    for axis in range(len(shape)):
        rough = rough + np.roll(rough, 1, axis) + np.roll(rough, 2, axis)
    return rough.argmax(axis=-1).astype(np.uint8)


def written(folder: Path, arrays: dict[str, NDArray[Any]]) -> Path:
    folder.mkdir()
    for name, x in arrays.items():
        np.save(folder / f"{name}.npy", x)
    return folder


@pytest.mark.parametrize("task", ["auto", "semantic"])
def test_a_run_has_the_values_of_the_direct_call(tmp_path: Path, task: str) -> None:
    gt, pred = ({str(i): blobs(i + k, 3) for i in range(3)} for k in (0, 10))
    run = evaluate(written(tmp_path / "a", gt), written(tmp_path / "b", pred), METRICS, task=task)
    for m in map(mm.parse, METRICS):
        for name in gt:
            for k, v in m(gt[name], pred[name]).items():
                assert run.value(m, class_=k, image=name) == v


@pytest.mark.parametrize(("task", "top"), [("auto", 1), ("auto", 255), ("binary", 255)])
def test_binary_maps_however_they_are_written(tmp_path: Path, task: str, top: int) -> None:
    gt, pred = ({str(i): blobs(i + k) for i in range(3)} for k in (0, 10))
    a = written(tmp_path / "a", {k: x * np.uint8(top) for k, x in gt.items()})
    run = evaluate(a, written(tmp_path / "b", {k: x * np.uint8(255) for k, x in pred.items()}), METRICS, task=task)
    for m in map(mm.parse, METRICS):
        assert run.value(m, image="1") == m(gt["1"] == 1, pred["1"] == 1)


@pytest.mark.parametrize("kind", ["u1", "f4"])
def test_scores_are_cut_at_the_threshold(tmp_path: Path, kind: str) -> None:
    gt = {str(i): blobs(i) for i in range(3)}
    score = {str(i): np.random.default_rng(i).integers(0, 256, (24, 30)).astype("u1") for i in range(3)}
    shown = {k: x if kind == "u1" else (x / np.float32(255)).astype("f4") for k, x in score.items()}
    run = evaluate(written(tmp_path / "a", gt), written(tmp_path / "b", shown), METRICS, threshold=0.6)
    for m in map(mm.parse, METRICS):
        assert run.value(m, image="2") == m(gt["2"] == 1, score["2"] >= 153)


def test_a_missing_prediction_is_an_empty_one(tmp_path: Path) -> None:
    gt = {str(i): blobs(i) for i in range(3)}
    a, b = written(tmp_path / "a", gt), written(tmp_path / "b", {"0": gt["0"], "1": gt["1"]})
    run = evaluate(a, b, METRICS, missing="empty", task="binary")
    assert run.value("cl_dice", image="2") == 0
    assert run.value("cl_dice", image="1") == 1
    assert run.value("betti_error", image="2") == sum(betti(gt["2"] == 1))


def test_a_threshold_that_is_searched_for_is_refused(tmp_path: Path) -> None:
    a = written(tmp_path / "a", {"0": blobs(0)})
    with pytest.raises(UsageError, match="known beforehand"):
        evaluate(a, a, ["cl_dice"], threshold="best:dice")


def test_topology_of_instances_is_refused(tmp_path: Path) -> None:
    a = written(tmp_path / "a", {"0": blobs(0, 4)})
    with pytest.raises(UsageError, match="task instance has no topology"):
        evaluate(a, a, ["cl_dice"], task="instance")


def test_spacing_is_part_of_the_question(tmp_path: Path) -> None:
    a = written(tmp_path / "a", {"0": blobs(0, 3, (1, 20, 20))})
    run = evaluate(a, a, ["cl_dice"], spacing=(2, 0.5, 0.5))
    assert run.records["0"].shape == (20, 20)
    assert any("two dimensions" in note for note in run.notices)
    assert "spacing:2,0.5,0.5" in run.rows()[0].signature
    for wrong in ((0, 1, 1), (1, float("nan"), 1)):
        with pytest.raises(UsageError, match="numbers above 0"):
            evaluate(a, a, ["cl_dice"], spacing=wrong)


def test_skeletons_that_were_not_made_are_missed(tmp_path: Path) -> None:
    a = written(tmp_path / "a", {"0": blobs(0)})
    run = evaluate(a, a, ["betti_error"])
    with pytest.raises(UsageError, match="skeletons, which were not made"):
        run.value("cl_dice")


def test_nothing_is_counted_that_nobody_asks_for(tmp_path: Path) -> None:
    a = written(tmp_path / "a", {"0": blobs(0)})
    run = evaluate(a, a, ["dice"])
    assert run.records["0"].statistics.keys() == {"labels"}
    with pytest.raises(UsageError, match="no topology"):
        run.value("cl_dice")


@pytest.mark.peers
def test_euler_numbers_agree_with_scikit_image() -> None:
    measure = pytest.importorskip("skimage.measure")
    rng = np.random.default_rng(0)
    for _ in range(200):
        shape = rng.integers(1, 9, rng.integers(2, 4))
        mask = rng.random(shape) < rng.random()
        for diagonal in (True, False):
            assert kernels.euler(mask, diagonal) == measure.euler_number(mask, mask.ndim if diagonal else 1)


@pytest.mark.peers
def test_betti_numbers_agree_with_gudhi() -> None:
    gudhi = pytest.importorskip("gudhi")
    rng = np.random.default_rng(0)
    for _ in range(100):
        mask = np.pad(rng.random(rng.integers(1, 7, rng.integers(2, 4))) < 0.5, 1)
        complex_ = gudhi.CubicalComplex(top_dimensional_cells=np.where(mask, 0.0, 1.0))
        complex_.compute_persistence()
        found = [*complex_.persistent_betti_numbers(0.5, 0.5), 0][:3]
        assert betti(mask) == tuple(found)
