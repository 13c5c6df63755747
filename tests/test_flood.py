"""Components as pixels appear step by step, beside a plain twin that labels the map anew at every step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from maskmeter import _native
from maskmeter.kernels import flood
from reference.flood import flood as twin


@settings(max_examples=60)
@given(
    shape=array_shapes(min_dims=1, max_dims=4, max_side=6),
    seed=st.integers(0, 999),
    steps=st.integers(1, 5),
    count=st.integers(0, 4),
    data=st.data(),
)
def test_agrees_with_the_twin(shape: tuple[int, ...], seed: int, steps: int, count: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    step = rng.integers(0, steps + 1, shape).astype(np.int32)
    objects = (rng.integers(0, count + 1, shape) * (rng.random(shape) < 0.6)).astype(np.int32)
    connectivity = data.draw(st.integers(1, len(shape)))
    found = flood(step, objects, steps, count, connectivity, True)
    for s, expected in enumerate(twin(step, objects, steps, connectivity)):
        for name in ("components", "touching", "found"):
            assert getattr(found, name)[s] == expected[name]
        rows = found.pairs[found.pairs[:, 0] == s, 1:]
        rows[:, 0] = np.unique(rows[:, 0], return_inverse=True)[1]
        assert [tuple(row) for row in rows.tolist()] == expected["pairs"]
    bare = flood(step, objects, steps, count, connectivity, False)
    assert (bare.components.tolist(), bare.pairs.size) == (found.components.tolist(), 0)


def test_a_spiral_is_one_component_that_closes_last() -> None:
    """Long arms grow apart and meet where the last pixel appears."""
    step = np.zeros((101, 101), np.int32) + 1
    step[::2] = 0  # rows
    step[1::4, -1] = step[3::4, 0] = 0  # joined at alternating ends, into one line
    step[51, -1] = step[49, -1] = step[49, 0] = step[51, 0] = 1
    step[50, 50] = 2
    found = flood(step, np.zeros_like(step), 3, 0, 1, False)
    assert found.components.tolist() == [4, 1, 1]


def test_no_pixels_and_what_does_not_fit() -> None:
    none = np.zeros((0, 3), np.int32)
    assert flood(none, none, 2, 1, 1, True).components.tolist() == [0, 0]
    one = np.ones((2, 2), np.int32)
    for step, objects, steps, count in ((one, one, 0, 1), (one, one, 1, 0), (-one, one, 1, 1), (one, one[:1], 1, 1)):
        with pytest.raises(ValueError, match=r"there is not|at each pixel"):
            _native.flood(step, objects, steps, count, 1, False)
