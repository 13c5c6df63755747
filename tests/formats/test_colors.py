"""Colours to labels: exact, for every shape and layout, and unknown colours are counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmeter.errors import LabelError
from maskmeter.formats import colors
from maskmeter.formats.colors import labels_of_colors
from maskmeter.labels import Color, Label, LabelSet

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
RGB = LabelSet((Label(0, color=RED), Label(1, color=GREEN), Label(7, color=BLUE), Label(9)))


def image(*pixels: Color, times: int = 1) -> np.ndarray:
    return np.repeat(np.array(pixels, np.uint8), times, axis=0)


@pytest.mark.parametrize("times", [1, 100])  # looked up one by one, and by runs
def test_each_channel_counts(times: int) -> None:
    found = labels_of_colors(image(RED, GREEN, BLUE, BLUE, RED, times=times), RGB)
    assert found.tolist() == np.repeat([0, 1, 7, 7, 0], times).tolist()


@pytest.mark.parametrize("shape", [(3,), (0, 3), (4, 0, 3), (1, 3), (2, 5, 3), (2, 3, 4, 3)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    pixels = np.zeros(shape, np.uint8)
    pixels[..., 1] = 255
    found = labels_of_colors(pixels, RGB)
    assert found.shape == shape[:-1]
    assert (found == 1).all()


@pytest.mark.parametrize(
    ("ids", "dtype"),
    [
        ((0, 255), np.uint8),
        ((0, 256), np.uint16),
        ((5, 65536), np.uint32),
        ((0, 2**40), np.uint64),
        ((-1, 3), np.int64),
    ],
)
def test_smallest_type_that_fits(ids: tuple[int, int], dtype: type) -> None:
    labels = LabelSet((Label(ids[0], color=RED), Label(ids[1], color=BLUE)))
    found = labels_of_colors(image(BLUE, RED), labels)
    assert found.dtype == dtype
    assert found.tolist() == [ids[1], ids[0]]


def test_more_labels_than_a_byte_holds() -> None:
    labels = LabelSet(tuple(Label(i, color=(i & 255, i >> 8, 3)) for i in range(1000)))
    pixels = image(*(label.color for label in labels if label.color is not None))
    assert labels_of_colors(pixels, labels).tolist() == list(range(1000))


@given(st.data(), st.integers(1, 12), st.integers(1, 40))
def test_agrees_with_a_dictionary(data: st.DataObject, number: int, longest: int) -> None:
    channel = st.sampled_from([0, 1, 128, 255])
    palette = data.draw(st.lists(st.tuples(channel, channel, channel), min_size=number, max_size=number, unique=True))
    ids = data.draw(st.lists(st.integers(-5, 300), min_size=number, max_size=number, unique=True))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    places = np.repeat(rng.integers(0, number, 60), rng.integers(1, longest + 1, 60))
    labels = LabelSet(tuple(Label(i, color=c) for i, c in zip(ids, palette, strict=True)))
    found = labels_of_colors(np.array(palette, np.uint8)[places], labels)
    assert found.tolist() == [ids[i] for i in places]


def test_layout_does_not_matter_and_the_input_stays() -> None:
    rng = np.random.default_rng(0)
    pixels = np.array([RED, GREEN, BLUE], np.uint8)[rng.integers(0, 3, (6, 8))]
    before = pixels.copy()
    pixels.flags.writeable = False
    whole = labels_of_colors(pixels, RGB)
    for view in (pixels[::-1, ::2], pixels.transpose(1, 0, 2), np.asfortranarray(pixels)):
        plain = labels_of_colors(view.copy(order="C"), RGB)
        assert np.array_equal(labels_of_colors(view, RGB), plain)
    assert np.array_equal(labels_of_colors(pixels[::-1, ::2], RGB), whole[::-1, ::2])
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize("times", [1, 1000])
def test_unknown_colours_are_counted(times: int) -> None:
    pixels = image(RED, (1, 2, 3), RED, (1, 2, 3), (9, 9, 9), (0, 0, 16), (1, 2, 3), (0, 0, 16), (7, 7, 7), times=times)
    with pytest.raises(LabelError) as caught:
        labels_of_colors(pixels, RGB)
    assert str(caught.value).startswith(
        f"{7 * times:,} px have a colour that no label has: "
        f"#010203 ({3 * times:,} px), #000010 ({2 * times:,} px), #070707 ({times:,} px) and 1 more; "
    )


def test_a_near_colour_is_unknown() -> None:
    with pytest.raises(LabelError, match=r"^1 px .*: #fe0000 \(1 px\); add"):
        labels_of_colors(image(RED, (254, 0, 0), GREEN), RGB)


def test_labels_without_colours_are_refused() -> None:
    with pytest.raises(LabelError, match=r"^an RGB image needs a label file with colours \(--labels\); if colours"):
        labels_of_colors(image(RED), LabelSet.of_ids(range(3)))


def test_two_labels_of_one_colour_are_refused() -> None:
    labels = LabelSet((Label(0, "car", RED), Label(3, color=RED)))
    with pytest.raises(LabelError, match="labels car and 3 have the same colour #ff0000"):
        labels_of_colors(image(RED), labels)


@pytest.mark.parametrize("pixels", [np.zeros((2, 2, 4), np.uint8), np.zeros((2, 3), np.uint16), np.uint8(3)])
def test_other_arrays_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(LabelError, match=r"expected 8-bit colours of shape \(\.\.\., 3\), not uint"):
        labels_of_colors(np.asarray(pixels), RGB)


def test_runs_and_single_pixels_take_different_ways() -> None:
    """The tests above mean both ways; so both have to be taken."""
    assert colors._run_starts(image(RED, GREEN)) is None
    starts = colors._run_starts(image(RED, (255, 1, 0), BLUE, times=100))
    assert starts is not None
    assert starts.tolist() == [0, 100, 200]
