"""Partition metrics: against the plain twin, scikit-learn, and by hand at the edges."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn import metrics as sk

from maskmeter.metrics.partitions import adapted_rand_error, rand_index, voi_merge, voi_split
from maskmeter.statistics.instances import overlap
from maskmeter.statistics.overlap import concatenate
from reference import overlap as twin

MAPS = arrays(np.int64, (4, 5), elements=st.integers(0, 4))
ALL = (voi_split, voi_merge, adapted_rand_error, rand_index)


@given(MAPS, MAPS)
def test_against_the_twin(a: NDArray[Any], b: NDArray[Any]) -> None:
    o = overlap(a, b)
    split, merge = twin.voi(a, b)
    assert voi_split.compute(o) == pytest.approx(split, abs=1e-13)
    assert voi_merge.compute(o) == pytest.approx(merge, abs=1e-13)
    together, gt, pred, pairs = twin.pairs_of_pixels(a, b)
    assert rand_index.compute(o) == pytest.approx((pairs - gt - pred + 2 * together) / pairs, abs=1e-13)
    error = 1 - 2 * together / (gt + pred) if gt + pred else math.nan
    assert adapted_rand_error.compute(o, background=True) == pytest.approx(error, abs=1e-13, nan_ok=True)


@given(MAPS, MAPS)
def test_without_background_is_the_pixels_of_objects_alone(a: NDArray[Any], b: NDArray[Any]) -> None:
    o, x, y = overlap(a, b), a[a > 0], b[a > 0]
    if not x.size:
        assert all(math.isnan(m.compute(o, background=False)) for m in ALL)
        return
    split, merge = twin.voi(x, y)
    assert voi_split.compute(o, background=False) == pytest.approx(split, abs=1e-13)
    assert voi_merge.compute(o, background=False) == pytest.approx(merge, abs=1e-13)
    together, gt, pred, _ = twin.pairs_of_pixels(x, y)
    error = 1 - 2 * together / (gt + pred) if gt + pred else math.nan
    assert adapted_rand_error.compute(o) == pytest.approx(error, abs=1e-13, nan_ok=True)


@given(MAPS, MAPS)
def test_against_scikit_learn(a: NDArray[Any], b: NDArray[Any]) -> None:
    o = overlap(a, b)
    assert rand_index.compute(o) == pytest.approx(sk.rand_score(a.ravel(), b.ravel()), abs=1e-12)
    p = np.unique(b, return_counts=True)[1] / b.size
    entropy = -(p * np.log2(p)).sum()
    shared = sk.mutual_info_score(a.ravel(), b.ravel()) / math.log(2)
    assert voi_split.compute(o) == pytest.approx(entropy - shared, abs=1e-12)


@given(MAPS, st.permutations(range(1, 5)))
def test_a_perfect_partition_is_exactly_perfect(a: NDArray[Any], order: list[int]) -> None:
    values = [m(a, np.array([0, *order])[a]) for m in ALL]
    assert values[:2] == [0.0, 0.0]
    assert values[2] == 0.0 or math.isnan(values[2])
    assert values[3] == 1.0


@pytest.mark.peers
def test_against_scikit_image() -> None:
    measure = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(0)
    a, b = (np.kron(rng.integers(0, 6, (9, 9)), np.ones((7, 7), int)) for _ in range(2))
    b[3:30] = a[:27]
    split, merge = measure.variation_of_information(a, b)
    assert voi_split(a, b) == pytest.approx(split, rel=1e-13)
    assert voi_merge(a, b) == pytest.approx(merge, rel=1e-13)
    assert adapted_rand_error(a, b) == pytest.approx(measure.adapted_rand_error(a, b)[0], rel=1e-13)


def test_images_are_not_compared_with_one_another() -> None:
    one, other = overlap([1, 1, 2, 2], [1, 1, 1, 1]), overlap([1, 1], [1, 1])
    assert voi_merge.compute(one + other) == 4 / 6
    assert rand_index.compute(one + other) == (2 + 1) / (6 + 1)


def test_objects_that_overlap_are_no_partition() -> None:
    o = replace(overlap([1, 1], [1, 1]), disjoint=False)
    assert all(math.isnan(m.compute(o)) for m in ALL)
    assert not concatenate([o, overlap([1], [1])]).disjoint


def test_without_pixels() -> None:
    assert all(math.isnan(m(np.zeros((0, 3), int), np.zeros((0, 3), int))) for m in ALL)
