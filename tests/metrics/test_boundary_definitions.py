"""Conventions of packages that cannot be installed here: their numbers worked out again from their definitions.

With other means than the package's: pairs of all elements, distance transforms and faces as rectangles, in NumPy and
SciPy alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import ndimage

import maskmeter as mm

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Elements = tuple[Floats, Floats]
PAIRS = st.sampled_from([(5, 6), (3, 4, 5)]).flatmap(lambda s: st.tuples(arrays(np.bool_, s), arrays(np.bool_, s)))
TOLERANCE = 1.1


def steps(mask: Mask) -> tuple[float, ...]:
    return (2.5, 0.7, 1.0)[-mask.ndim :]


def weighted(d: Floats, w: Floats, share: float) -> float:
    """The least distance that reaches the share of the weight."""
    order = np.argsort(d, kind="stable")
    return float(d[order][np.searchsorted(np.cumsum(w[order]), share * w.sum() * (1 - 1e-12))])


def read(sides: tuple[Elements, Elements], percentile: Any) -> dict[str, float]:
    """HD95, ASSD, MASD and NSD of two weighted samples."""
    (a, v), (b, w) = sides
    within = [x[d <= TOLERANCE + 1e-9].sum() for d, x in sides]
    return {
        "hd95": max(percentile(a, v), percentile(b, w)),
        "assd": float((a @ v + b @ w) / (v.sum() + w.sum())),
        "masd": float((a @ v / v.sum() + b @ w / w.sum()) / 2),
        "nsd": float(sum(within) / (v.sum() + w.sum())),
    }


def ours(a: Mask, b: Mask, convention: str) -> dict[str, float]:
    known: dict[str, Any] = {"spacing": steps(a), "convention": convention}
    return {
        "hd95": mm.hausdorff(a, b, percentile=95, **known), "assd": mm.assd(a, b, **known),
        "masd": mm.masd(a, b, **known), "nsd": mm.nsd(a, b, tolerance=TOLERANCE, **known),
    }  # fmt: skip


def border(mask: Mask) -> Mask:
    """What one erosion by the cross of face neighbours takes away; the end of the image is outside."""
    return mask & ~ndimage.binary_erosion(mask)


def of_voxels(a: Mask, b: Mask) -> Elements:
    """MetricsReloaded: from each border voxel to the nearest one of the other mask, all alike."""
    d = ndimage.distance_transform_edt(~border(b), steps(a))[border(a)]
    return d, np.ones(d.size)


def faces(mask: Mask) -> tuple[Floats, Floats]:
    """The lower and the upper corner of every face between a voxel of the mask and one outside."""
    m, step = np.pad(mask, 1), np.array(steps(mask))
    low: list[Floats] = []
    high: list[Floats] = []
    for axis in range(mask.ndim):
        front = m & ~np.roll(m, 1, axis)
        back = m & ~np.roll(m, -1, axis)
        for side, of in ((-0.5, front), (0.5, back)):
            at = np.argwhere(of).astype(np.float64)
            a, b = at - 0.5, at + 0.5
            a[:, axis] = b[:, axis] = at[:, axis] + side
            low.append(a * step)
            high.append(b * step)
    return np.concatenate(low), np.concatenate(high)


def of_faces(a: Mask, b: Mask) -> Elements:
    """MeshMetrics: from the centres of two triangles a face (in a plane of its edge) to the nearest face, by area.

    Which diagonal parts a face its definition does not say; here it is the one from the lower end of the first axis.
    """
    (low, high), (other_low, other_high) = faces(a), faces(b)
    side = high - low
    if a.ndim == 2:
        centres, area = (low + high) / 2, side.max(axis=1)
    else:  # the centres of two triangles lie at thirds of the sides, which ones depends on the diagonal between them
        first = side * np.where(np.cumsum(side > 0, axis=1) == 1, 1 / 3, 2 / 3)
        centres = np.concatenate([low + first, high - first])
        area = np.tile(np.sort(side, axis=1)[:, 1:].prod(axis=1) / 2, 2)
    nearest = np.clip(centres[:, None], other_low, other_high)
    return np.linalg.norm(centres[:, None] - nearest, axis=2).min(axis=1), area


def corners(mask: Mask) -> tuple[Floats, Floats]:
    """Distorch: the corners of voxels around which the mask is mixed, with the faces beside each, a quarter of each."""
    m = np.pad(mask, 1).astype(np.float64)
    around = sum(np.roll(m, shift, range(m.ndim)) for shift in np.ndindex((2,) * m.ndim))
    weight = np.zeros(m.shape)
    step = np.array(steps(mask))
    for axis in range(m.ndim):
        face = np.abs(m - np.roll(m, 1, axis))  # between a voxel and the one before it
        rest = [k for k in range(m.ndim) if k != axis]
        beside = sum(np.roll(face, tuple(np.array(shift)), tuple(rest)) for shift in np.ndindex((2,) * len(rest)))
        weight += beside * np.delete(step, axis).prod() / 2 ** len(rest)
    mixed = (around > 0) & (around < 2**m.ndim)
    return np.argwhere(mixed) * step, weight[mixed]


def of_corners(a: Mask, b: Mask) -> Elements:
    (at, weight), (other, _) = corners(a), corners(b)
    return np.linalg.norm(at[:, None] - other, axis=2).min(axis=1), weight


@pytest.mark.parametrize(
    ("convention", "elements", "percentile"),
    [
        ("metricsreloaded", of_voxels, lambda d, _: float(np.percentile(d, 95))),
        ("meshmetrics", of_faces, lambda d, w: weighted(d, w, 0.95)),
        ("distorch", of_corners, lambda d, _: float(np.percentile(d, 95))),
    ],
)
@settings(max_examples=25)
@given(pair=PAIRS)
def test_numbers_follow_from_the_definition(convention: str, elements: Any, percentile: Any, pair: Any) -> None:
    a, b = pair
    assume(a.any() and b.any())
    assert ours(a, b, convention) == pytest.approx(read((elements(a, b), elements(b, a)), percentile), abs=1e-9)
