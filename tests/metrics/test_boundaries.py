"""Boundary metrics: exact phantoms, twins, empty masks, and what every convention keeps."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import ndimage

import maskmeter as mm
from maskmeter.errors import LabelError, UsageError
from maskmeter.metrics import METRICS
from maskmeter.metrics.boundaries import RULES
from maskmeter.statistics.bands import bands
from maskmeter.statistics.surface import Directed, Surface, surface
from reference import surface as twin

Mask = NDArray[np.bool_]

MASKS = st.one_of(
    arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))),
    arrays(np.bool_, st.tuples(st.integers(2, 5), st.integers(2, 5), st.integers(2, 5))),
)
STEPS = st.sampled_from([(1.0, 1.0, 1.0), (2.5, 0.8, 0.8), (0.5, 3.0, 1.0), (5.0, 1.0, 1.0)])
DISTANCES = ("hausdorff", "assd", "masd")


def box(shape: tuple[int, ...], *sides: tuple[int, int]) -> Mask:
    out = np.zeros(shape, bool)
    out[tuple(slice(*s) for s in sides)] = True
    return out


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Mask, Mask, tuple[float, ...]]:
    a = draw(MASKS)
    return a, draw(arrays(np.bool_, a.shape)), draw(STEPS)[: a.ndim]


def each(d: Directed) -> NDArray[np.float64]:
    """The distance of every element."""
    return np.repeat(d.distance, d.count)


def same(a: float, b: float) -> bool:
    return a == b or (a != a and b != b)


def test_plates_on_voxel_faces_are_exact() -> None:
    spacing = (2.5, 0.8, 0.8)
    a = box((12, 14, 16), (2, 8), (0, 14), (0, 16))
    b = box((12, 14, 16), (4, 10), (0, 14), (0, 16))
    kinds = {"spacing": spacing, "convention": "meshmetrics"}
    # The lower side of one is 2 steps of 2.5 mm below the other, and nothing of either is further away.
    assert mm.hausdorff(a, b, **kinds) == pytest.approx(5.0, abs=1e-9)
    area = 2 * 14 * 16 * 0.8**2, 2 * 6 * (14 + 16) * 2.5 * 0.8
    s = surface(a, b, spacing=spacing, model="faces")
    assert s.gt[0].total == pytest.approx(sum(area), abs=1e-9)
    assert mm.masd(a, a, **kinds) == 0.0


def test_cubes_inside_one_another() -> None:
    a, b = box((20,) * 3, (5, 15), (5, 15), (5, 15)), box((20,) * 3, (3, 17), (3, 17), (3, 17))
    s = surface(a, b, spacing=(1.0, 1.0, 1.0), model="faces")
    assert np.allclose(s.gt[0].distance, 2.0, atol=1e-12)
    assert mm.nsd(a, b, spacing=1, tolerance=2, convention="meshmetrics") > 0.5
    assert mm.hausdorff(a, b, spacing=1, convention="meshmetrics", direction="gt") == pytest.approx(2.0, abs=1e-9)
    assert mm.hausdorff(a, b, spacing=1, percentile=50, direction="gt") == pytest.approx(2.0, abs=1e-9)


def test_a_plate_moved_across_the_coarse_axis() -> None:
    """What the signed distance is for: the flat surface between slices lies where it is, at any spacing."""
    for spacing in ((1.0, 1.0, 1.0), (3.0, 1.0, 1.0)):
        a, b = box((12, 20, 20), (3, 6), (2, 18), (2, 18)), box((12, 20, 20), (3, 8), (2, 18), (2, 18))
        assert mm.hausdorff(a, b, spacing=spacing, percentile=95) == pytest.approx(2 * spacing[0], abs=1e-9)


@given(pair=pairs())
def test_points_agree_with_the_distance_transform(pair: tuple[Mask, Mask, tuple[float, ...]]) -> None:
    a, b, spacing = pair
    if not (a.any() and b.any()) or (a.ndim == 3 and 1 in a.shape):
        return
    for model in ("inner", "thick", "corners"):
        s = surface(a, b, spacing=spacing, model=model, edge="closed")
        if model == "corners":
            x, y = twin.mixed(a)[0], twin.mixed(b)[0]
        else:
            x, y = (twin.border(m, model == "thick") for m in (a, b))
        if x.any() and y.any():
            assert np.allclose(each(s.gt[0]), twin.between(x, y, spacing), rtol=1e-12)
            assert np.allclose(each(s.pred[0]), twin.between(y, x, spacing), rtol=1e-12)


@given(pair=pairs())
def test_faces_have_their_area(pair: tuple[Mask, Mask, tuple[float, ...]]) -> None:
    a, b, spacing = pair
    if a.ndim == 3 and 1 in a.shape:
        return
    s = surface(a, b, spacing=spacing, model="faces")
    assert s.gt[0].total == pytest.approx(twin.exposed(a, spacing)[1].sum(), rel=1e-12, abs=1e-12)
    shared = surface(a, b, spacing=spacing, model="shared")
    assert shared.gt[0].total == pytest.approx(s.gt[0].total, rel=1e-12, abs=1e-12)


@given(mask=arrays(np.bool_, st.tuples(st.integers(1, 8), st.integers(1, 8))), spacing=STEPS)
def test_the_mesh_of_a_plane_has_the_length_of_its_twin(mask: Mask, spacing: tuple[float, ...]) -> None:
    s = surface(mask, mask, spacing=spacing[:2])
    assert s.gt[0].total == pytest.approx(twin.squares(mask, spacing[:2]), rel=1e-9, abs=1e-12)


VOLUMES = st.tuples(*[st.integers(2, 4)] * 3).flatmap(lambda n: st.tuples(*[arrays(np.bool_, n)] * 2))


@settings(max_examples=12)
@given(pair=VOLUMES, spacing=STEPS)
def test_the_mesh_of_a_volume_agrees_with_all_pairs(pair: tuple[Mask, Mask], spacing: tuple[float, ...]) -> None:
    a, b = pair
    s = surface(a, b, spacing=spacing)
    x, y = (twin.cubes(m, spacing) for m in pair)
    for d, here, there in ((s.gt[0], x, y), (s.pred[0], y, x)):
        assert d.total == pytest.approx(twin.areas(here).sum(), rel=1e-9)
        if len(here) and len(there):
            want = np.sort(twin.to_triangles(here.mean(axis=1), there))
            assert np.allclose(each(d), want, rtol=1e-9, atol=1e-8)
            vertices = twin.to_triangles(here.reshape(-1, 3), there).max()
            assert d.farthest == pytest.approx(max(vertices, want[-1]), rel=1e-9, abs=1e-8)


def test_the_mesh_of_a_volume_is_closed() -> None:
    """Each edge of a triangle is that of one other; the table of cases is what its script prints."""
    root = Path(twin.__file__).parents[2]
    assert (root / "native/marching_cubes.hpp").read_text("utf-8") == twin.cases.header()
    mask = np.random.default_rng(3).random((7, 7, 7)) < 0.5
    corner = np.unique(twin.cubes(mask, (2, 1, 1)).reshape(-1, 3).round(9), axis=0, return_inverse=True)[1]
    sides = np.sort(corner.reshape(-1, 3)[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    assert set(np.unique(sides, axis=0, return_counts=True)[1].tolist()) <= {2, 4}


@pytest.mark.parametrize("steps", [(1.0, 1.0, 1.0), (2.0, 1.0, 1.0)])
def test_the_mesh_of_balls_is_near_the_balls(steps: tuple[float, ...]) -> None:
    at = np.stack(np.meshgrid(*(np.arange(0, 40, s) for s in steps), indexing="ij"), -1)
    a, b = (np.linalg.norm(at - 19.3, axis=-1) <= r for r in (12, 10))
    s = surface(a, b, spacing=steps)
    assert s.gt[0].total == pytest.approx(4 * math.pi * 12**2, rel=0.03)
    assert mm.assd.compute(s) == pytest.approx(2, abs=0.03)
    assert abs(mm.assd(a, b, spacing=steps, convention="meshmetrics") - 2) > 0.2


@given(pair=pairs())
def test_edges_of_pixels_agree_with_all_pairs(pair: tuple[Mask, Mask, tuple[float, ...]]) -> None:
    a, b, spacing = pair
    if a.ndim != 2 or not (a.any() and b.any()):
        return
    (x, _), (y, length) = twin.exposed(a, spacing), twin.exposed(b, spacing)
    half = np.zeros_like(y)
    n = np.count_nonzero(np.diff(np.pad(b, 1).astype(int), axis=0))
    half[:n, 1], half[n:, 0] = length[:n] / 2, length[n:] / 2
    want = sorted(min(twin.segment_distance(p, c - h, c + h) for c, h in zip(y, half, strict=True)) for p in x)
    got = each(surface(a, b, spacing=spacing, model="faces").gt[0])
    assert np.allclose(got, want, rtol=1e-9, atol=1e-9)


@given(pair=pairs(), width=st.sampled_from([1.0, 1.5, 2.0, 3.0]))
def test_bands_agree_with_the_distance_transform(pair: tuple[Mask, Mask, tuple[float, ...]], width: float) -> None:
    a, b, spacing = pair
    if a.ndim == 3 and 1 in a.shape:
        return
    x, y = (twin.in_band(m, width, spacing) for m in (a, b))
    either = np.count_nonzero(x | y)
    want = np.count_nonzero(x & y) / either if either else math.nan
    assert same(mm.boundary_iou(a, b, width=width, spacing=spacing), want)


@settings(max_examples=40)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 12), st.integers(1, 150)),
    width=st.sampled_from([1, 2, 3, 7, 63, 64, 65, 130]),
    share=st.sampled_from([0.5, 0.99, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_square_bands_agree_with_erosion(shape: tuple[int, ...], width: int, share: float, seed: int) -> None:
    """Width after width, the recipe erodes once with all neighbours, and nothing lies beyond the image."""
    shape = shape[seed % 2 :]  # planes too
    if len(shape) == 3 and 1 in shape:
        return
    a, b = np.random.default_rng(seed).random((2, *shape)) < share
    x, y = (m & ~ndimage.binary_erosion(m, np.ones((3,) * m.ndim), iterations=width) for m in (a, b))
    s = bands(a, b, width=width, chessboard=True)
    assert (s.shared.tolist(), s.either.tolist()) == ([np.count_nonzero(x & y)], [np.count_nonzero(x | y)])


@settings(max_examples=20)
@given(pair=pairs())
def test_identical_masks_are_perfect_and_swapping_changes_nothing(
    pair: tuple[Mask, Mask, tuple[float, ...]],
) -> None:
    a, b, spacing = pair
    counted: dict[tuple[str, str], list[Surface]] = {}
    for convention, rule in RULES.items():
        for model in {rule.model, rule.nsd_model or rule.model}:
            kind = (model, "open" if rule.open else "closed")
            if kind not in counted:
                given_: dict[str, Any] = {"spacing": spacing, "model": model, "edge": kind[1]}
                counted[kind] = [surface(x, y, **given_) for x, y in ((a, a), (a, b), (b, a))]
            same_, there, back = counted[kind]
            if model == rule.model:
                for m in (METRICS[name] for name in DISTANCES):
                    assert m.compute(same_, convention=convention) == 0 or not same_.gt[0].total
                    values = [m.compute(s, convention=convention) for s in (there, back)]
                    assert values[0] == pytest.approx(values[1], rel=1e-12, nan_ok=True)
            if model == (rule.nsd_model or rule.model) and convention != "seg_metrics":
                assert mm.nsd.compute(same_, convention=convention, tolerance=0) == 1 or not a.any()
                values = [mm.nsd.compute(s, convention=convention, tolerance=1) for s in (there, back)]
                assert same(*values)
                one = mm.boundary_precision.compute(there, tolerance=1), mm.boundary_recall.compute(back, tolerance=1)
                assert same(*one)


def test_empty_masks() -> None:
    none, some = np.zeros((5, 5), bool), box((5, 5), (1, 4), (1, 4))
    assert all(math.isnan(METRICS[m](none, none)) for m in DISTANCES)
    assert all(METRICS[m](*p) == math.inf for m in DISTANCES for p in ((none, some), (some, none)))
    assert mm.nsd(some, none, tolerance=9) == mm.nsd(none, some, tolerance=9) == 0
    assert mm.boundary_f1(some, none, tolerance=9) == 0
    assert mm.hausdorff(some, none, empty=374) == 374
    assert mm.hausdorff(none, none, empty="perfect") == 0
    assert mm.nsd(none, none, tolerance=1, empty="perfect") == 1
    assert math.isnan(mm.hausdorff(some, none, percentile=95, convention="monai"))
    both = surface(some, none) + surface(some, some)
    assert mm.hausdorff.compute(both) == math.inf
    assert mm.hausdorff.compute(both.finite()) == pytest.approx(math.hypot(5, 5))
    assert both.infinite == [1]


def test_classes_void_and_bad_input() -> None:
    gt = np.array([[0, 0, 1, 1], [0, 0, 1, 255]])
    pred = np.array([[0, 0, 1, 1], [0, 0, 1, 0]])
    assert mm.hausdorff(gt, pred, ignore=255) == {0: 0.0, 1: 0.0}
    assert set(mm.hausdorff(gt, np.full_like(gt, 7), ignore=255).values()) == {math.inf}
    with pytest.raises(UsageError, match="a volume needs a spacing"):
        mm.hausdorff(np.ones((3, 3, 3), bool), np.ones((3, 3, 3), bool))
    with pytest.raises(UsageError, match="positive"):
        mm.assd(gt, pred, spacing=(0, 1))
    with pytest.raises(LabelError, match="axes"):
        mm.assd([1], [1])
    with pytest.raises(UsageError, match="no convention"):
        mm.assd(gt, pred, convention="other")


def test_a_volume_of_one_slice_is_a_plane() -> None:
    a, b = box((20, 20), (3, 12), (3, 12)), box((20, 20), (5, 14), (3, 12))
    for axis in range(3):
        steps = np.insert(np.array([1.0, 2.0]), axis, 9.0)
        flat = mm.assd(np.expand_dims(a, axis), np.expand_dims(b, axis), spacing=steps)
        assert flat == mm.assd(a, b, spacing=(1.0, 2.0))


def test_order_of_images_moves_no_bit() -> None:
    rng = np.random.default_rng(1)
    parts = [surface(rng.random((9, 9)) < 0.5, rng.random((9, 9)) < 0.5, spacing=0.3) for _ in range(3)]
    a, b, c = parts
    for m in (mm.hausdorff.at(percentile=95), mm.assd, mm.masd, mm.nsd.at(tolerance=0.3)):
        assert m.compute((a + b) + c) == m.compute(c + (b + a)) == m.compute((c + a) + b)


def test_the_curve_holds_every_tolerance() -> None:
    a, b = box((20, 20), (3, 12), (3, 12)), box((20, 20), (5, 14), (3, 12))
    s = surface(a, b)
    at, share = mm.nsd_curve(s)
    assert share[-1] == pytest.approx(1)
    for tolerance in (0.25, 0.7, 1.3):
        below = share[np.searchsorted(at, tolerance, side="right") - 1] if tolerance >= at[0] else 0
        assert mm.nsd.compute(s, tolerance=tolerance) == pytest.approx(below, rel=1e-12)


def test_the_open_edge() -> None:
    a, b = box((10, 10), (0, 5), (0, 10)), box((10, 10), (0, 7), (0, 10))
    assert mm.assd(a, b, edge="open") == pytest.approx(2.0, abs=1e-9)
    assert mm.assd(a, b) < 1.0
    assert surface(a, b).gt[0].edge > 0
