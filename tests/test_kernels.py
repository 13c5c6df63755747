"""The native kernels answer what their plain twins do, on every path, for every type, and from many threads."""

import itertools
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from maskmeter import _native, kernels
from reference.joint_counts import joint_counts as twin

TYPES = [np.dtype(t) for t in ("?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8")]
PATHS = _native.paths()
CHUNK = 2048  # pixels that the kernel looks at together; what can go wrong sits at its borders


def labels(rng, size, dtype, style):
    """Label maps as they come: `runs` of few labels, `noise`, `speckle` on runs, `extreme` or `any` values, a `mix`."""
    if style == "mix":
        parts = [labels(rng, min(700, size - at), dtype, rng.choice(STYLES[:-1])) for at in range(0, size, 700)]
        return np.concatenate(parts) if parts else np.zeros(0, dtype)
    if dtype == np.bool_:
        few, low, high = np.array([False, True]), 0, 1
    else:
        info = np.iinfo(dtype)
        low, high = int(info.min), min(int(info.max), 2**63 - 1)
        few = np.arange(19).astype(dtype)
    if style == "extreme":
        few = np.array([low, high, 0, 1, min(high, 255), min(high, 256), max(low, -1)]).astype(dtype)
    if style == "any":
        return rng.integers(low, high, size, np.uint64 if dtype == np.uint64 else np.int64, endpoint=True).astype(dtype)
    noise = rng.choice(few, size)
    if style == "noise":
        return noise
    starts = rng.random(size) < 1 / rng.integers(2, 200)
    which = np.maximum.accumulate(np.where(starts, np.arange(size), 0))
    runs = noise[which]
    return np.where(rng.random(size) < 0.1, noise, runs) if style == "speckle" else runs


STYLES = ["runs", "noise", "speckle", "extreme", "any", "mix"]


def same(got, wanted):
    assert all(np.array_equal(x, y) and x.dtype == np.int64 for x, y in zip(got, wanted, strict=True))


def check(a, b, mask=None):
    wanted = twin(a, b, mask)
    same(kernels.joint_counts(a, b, mask), wanted)
    for path in PATHS:
        same(_native.joint_counts(*(None if x is None else kernels.plain(x) for x in (a, b, mask)), path), wanted)


sizes = st.one_of(st.integers(0, 200), st.integers(CHUNK - 2, CHUNK + 66), st.integers(0, 3 * CHUNK))


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@given(
    other=st.sampled_from(TYPES),
    size=sizes,
    styles=st.tuples(st.sampled_from(STYLES), st.sampled_from(STYLES)),
    masked=st.sampled_from([None, *STYLES]),
    seed=st.integers(0, 2**32),
)
def test_agrees_with_the_twin(dtype, other, size, styles, masked, seed):
    rng = np.random.default_rng(seed)
    mask = None if masked is None else labels(rng, size, np.dtype(rng.choice(["?", "u1"])), masked)
    check(labels(rng, size, dtype, styles[0]), labels(rng, size, other, styles[1]), mask)


def test_every_pair_of_types():
    rng = np.random.default_rng(1)
    for one, other in itertools.product(TYPES, TYPES):
        for style in ("mix", "noise"):
            check(labels(rng, 2500, one, style), labels(rng, 2500, other, style))


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_every_end(dtype):
    """A change at each pixel in turn, at each length around the borders of blocks and chunks."""
    for size in (1, 2, 63, 64, 65, 127, 128, 129, CHUNK - 1, CHUNK, CHUNK + 1, CHUNK + 65):
        for change in {0, 1, size // 2, 62, 63, 64, 65, CHUNK - 1, CHUNK, size - 1} & set(range(size)):
            a = (np.arange(size) >= change).astype(dtype)
            expected = {(0, 0): change, (1, 0): size - change} if change else {(1, 0): size}
            for path in PATHS:
                x, y, n = _native.joint_counts(kernels.plain(a), np.zeros(size, np.uint8), None, path)
                assert dict(zip(zip(x.tolist(), y.tolist(), strict=True), n.tolist(), strict=True)) == expected


def test_the_farthest_labels():
    a = np.array([-(2**63), 2**63 - 1, -1, 0, 255, 256, 2**40, -(2**63)] * 500)
    check(a, a[::-1])
    check(a, a.astype(np.uint8))


def test_labels_that_would_meet_if_cut_off():
    """Labels that agree in their low bits stay apart."""
    low = np.arange(3000) % 7
    check(low + (np.arange(3000) % 2 << 8), low)
    check(low.astype(np.int16) - 256 * (np.arange(3000) % 2).astype(np.int16), low)
    check(low - (np.arange(3000) % 3 << 32), low + (np.arange(3000) % 2 << 62))


def test_more_pairs_than_the_table_begins_with():
    rng = np.random.default_rng(2)
    check(rng.integers(0, 10**6, 50_000), rng.integers(-(10**6), 10**6, 50_000, dtype=np.int32))
    a = np.arange(20_000, dtype=np.int32) << 12
    check(a, a)


def test_a_far_label_costs_no_memory():
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    a = np.array([0, 2**40, 2**62] * 1000)
    assert kernels.joint_counts(a, a)[2].tolist() == [1000, 1000, 1000]
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < (64 << 20) // (1 if sys.platform == "darwin" else 1024)


@pytest.mark.skipif(sys.platform != "linux", reason="reads 4 GB of zeros, which cost no memory on Linux only")
def test_counts_past_32_bits():
    size = 2**32 + 2**20
    zeros = np.zeros(size, np.uint8)
    assert [x.tolist() for x in kernels.joint_counts(zeros, zeros)] == [[0], [0], [size]]


def test_any_layout():
    rng = np.random.default_rng(3)
    a, b = labels(rng, 64 * 90, np.dtype("i4"), "runs").reshape(64, 90), rng.integers(0, 5, (64, 90), np.uint16)
    mask = rng.random((64, 90)) < 0.7
    for view in (np.s_[:], np.s_[::2, 1:], np.s_[::-1], np.s_[:, ::3], np.s_[5:6, :1], np.s_[:0]):
        check(a[view], b[view], mask[view])
        check(a[view].astype(">i4"), b[view].astype(">u2"), mask[view])
        check(a[view].T, b[view].T)
    volume = a.reshape(4, 16, 90)
    check(volume, np.asfortranarray(volume))
    frozen = a.copy()
    frozen.flags.writeable = False
    check(frozen, b)
    check(a.ravel()[1:], b.ravel()[1:])


def test_any_nonzero_byte_is_in_the_mask():
    a = np.repeat(np.arange(4, dtype=np.uint8), 100)
    check(a, a, np.tile(np.array([0, 1, 2, 255], np.uint8), 100))
    check(a, a, np.zeros(400, bool))


def test_what_does_not_fit_is_refused():
    a = np.zeros(4, np.uint8)
    with pytest.raises(ValueError, match="same size"):
        kernels.joint_counts(a, a[:3])
    with pytest.raises(ValueError, match="same size"):
        kernels.joint_counts(a, a, a[:3])
    with pytest.raises(TypeError):
        kernels.joint_counts(a.astype(float), a)
    with pytest.raises(ValueError, match="no path"):
        _native.joint_counts(a, a, None, "abacus")


def test_a_call_leaves_nothing_behind():
    rng = np.random.default_rng(4)
    maps = [labels(rng, 5000, t, style) for t in TYPES for style in STYLES]
    for a, b in itertools.pairwise(maps):
        same(kernels.joint_counts(a, b), twin(a, b))


def test_threads_do_not_disturb_one_another():
    rng = np.random.default_rng(5)
    pairs = [
        (labels(rng, 200_000, np.dtype(t), style), labels(rng, 200_000, np.dtype("u1"), "runs"))
        for t in ("u1", "i4", "i8")
        for style in ("runs", "noise", "extreme", "mix")
    ]
    wanted = [kernels.joint_counts(a, b) for a, b in pairs]
    with ThreadPoolExecutor(8) as pool:
        for got, want in zip(pool.map(lambda p: kernels.joint_counts(*p), pairs * 8), wanted * 8, strict=True):
            same(got, want)


@given(data=st.data(), b=st.integers(0, 5), n=st.integers(0, 20), k=st.integers(0, 9))
def test_weighted_sums_are_the_matrix_product(data: st.DataObject, b: int, n: int, k: int) -> None:
    weights = data.draw(hnp.arrays(np.float64, (b, n), elements=st.integers(0, 4).map(float)))
    rows = data.draw(hnp.arrays(np.int64, (n, k), elements=st.integers(-(2**40), 2**40)))
    assert np.array_equal(kernels.weighted_sums(weights, rows), weights @ rows.astype(np.float64))
    with pytest.raises(ValueError, match="one weight for each row"):
        kernels.weighted_sums(np.zeros((1, n + 1)), rows)
