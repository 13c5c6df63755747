"""Orders by several keys are those of NumPy, for every type, with ties, signed zeros, infinities and NaN."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskmeter.kernels import lexsort
from maskmeter.statistics.detection_order import by_content
from maskmeter.statistics.detections import Objects

TYPES = ("i8", "u8", "f8", "?")
ODD = {
    "i8": [-(2**63), -1, 0, 1, 2**63 - 1, 2**40, 2**40 + 1],
    "u8": [0, 1, 2**63, 2**64 - 1, 2**11, 2**11 - 1],
    "f8": [np.nan, -np.nan, -0.0, 0.0, np.inf, -np.inf, 1.0, np.nextafter(1, 2), -5e-324, 5e-324],
    "?": [False, True],
}


def keys(rng, n, types, few):
    for t in types:
        yield (
            rng.choice(np.array(ODD[t], t), n)
            if few
            else rng.integers(0, 256, (n, 8), np.uint8).view({"?": "u8"}.get(t, t)).ravel()
            if t != "?"
            else rng.random(n) < 0.5
        )


@settings(max_examples=40)
@given(
    st.integers(0, 2**32), st.integers(0, 5000), st.lists(st.sampled_from(TYPES), min_size=1, max_size=4), st.booleans()
)
def test_is_that_of_numpy(seed, n, types, few):
    with np.errstate(all="ignore"):
        made = list(keys(np.random.default_rng(seed), n, types, few))
    np.testing.assert_array_equal(lexsort(made), np.lexsort(made))


def test_what_cannot_be_ordered_is_refused():
    with pytest.raises(ValueError, match="one length"):
        lexsort([np.zeros(2), np.zeros(3)])
    with pytest.raises(TypeError, match="int64"):
        lexsort([np.zeros(2, np.float32)])


def test_shapes_decide_only_between_equals():
    rng = np.random.default_rng(0)
    n = 2000
    whole, box = rng.integers(0, 3, (3, n)), rng.integers(0, 2, (n, 4)).astype(float)
    score, area, content = rng.choice([-0.5, -0.25, 0.0, -0.0], n), rng.integers(0, 3, n).astype(float), whole[1]
    x = Objects(whole[0], whole[0], area, box, content)
    plain = np.lexsort((content, *box.T[::-1], -area, score, whole[2]))
    np.testing.assert_array_equal(by_content(whole[2], x, score), plain)
    none = Objects(*(np.empty(0, np.int64),) * 3, np.empty((0, 4)), np.empty(0, np.int64))
    assert by_content(np.empty(0, np.int64), none, np.empty(0)).size == 0
