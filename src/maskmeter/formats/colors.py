"""Labels from colours: an RGB image whose label file says which colour means which label.

Colours are matched exactly. A colour that no label has is an error and never the nearest label: it
comes from lossy compression, from smoothing, or from a label that the file lacks, and each of these
would change the numbers in silence.

A colour is one number below 2^24, so one table answers for every pixel. Where the image is made of
runs, as label maps are, only the first pixel of a run is looked up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import LabelError
from ..labels import Color, LabelSet

_DENSE = 6  # with more than one changed channel in so many pixels, looking up every pixel is as fast


def labels_of_colors(rgb: NDArray[np.uint8], labels: LabelSet) -> NDArray[np.integer]:
    """The label ids of an array of colours, shape (..., 3): the smallest unsigned type that fits them, else int64."""
    if rgb.dtype != np.uint8 or rgb.ndim < 1 or rgb.shape[-1] != 3:
        raise LabelError(f"expected 8-bit colours of shape (..., 3), not {rgb.dtype} of shape {rgb.shape}")
    table, ids = _table(_ids_of_colors(labels))
    pixels = np.ascontiguousarray(rgb).reshape(-1, 3)
    starts = _run_starts(pixels)
    numbers = _numbers(pixels if starts is None else pixels[starts])
    places = table.take(numbers)
    lengths = None if starts is None else np.diff(starts, append=len(pixels))
    if not places.all():
        raise _unknown(numbers[places == 0], None if lengths is None else lengths[places == 0])
    found = ids.take(places)
    return (found if lengths is None else np.repeat(found, lengths)).reshape(rgb.shape[:-1])


def _ids_of_colors(labels: LabelSet) -> dict[Color, int]:
    """Colour -> id, one to one."""
    found: dict[Color, int] = {}
    for label in labels:
        if label.color is None:
            continue
        if (other := found.setdefault(label.color, label.id)) != label.id:
            raise LabelError(
                f"labels {labels.title(other)} and {labels.title(label.id)} have the same colour "
                f"{_hex(label.color)}, so an RGB image cannot tell them apart; give each its own"
            )
    if not found:
        raise LabelError("an RGB image needs a label file with colours (--labels); if colours are ids, give their JSON")
    return found


def _table(ids: dict[Color, int]) -> tuple[NDArray[np.unsignedinteger], NDArray[np.integer]]:
    """Where each of the 2^24 colours stands among the ids, and these ids; place 0 is an unknown colour.

    The table is cleared memory of which only the pages that are looked at become real.
    """
    table = np.zeros(1 << 24, np.min_scalar_type(len(ids)))
    table[_numbers(np.array(list(ids), np.uint8))] = np.arange(1, len(ids) + 1)
    fit = np.int64 if min(ids.values()) < 0 else np.min_scalar_type(max(ids.values()))
    return table, np.array([0, *ids.values()], fit)


def _numbers(pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Each colour of (n, 3) as one number."""
    padded = np.zeros((len(pixels), 4), np.uint8)
    for channel in range(3):  # one at a time is five times as fast as all three
        padded[:, channel] = pixels[:, channel]
    return padded.view("<u4")[:, 0].astype(np.uint32, copy=False)


def _run_starts(pixels: NDArray[np.uint8]) -> NDArray[np.intp] | None:
    """Where the colour differs from the one before, 0 included; None where that is nearly everywhere."""
    flat = pixels.reshape(-1)
    differs = flat[3:] != flat[:-3]
    if not len(pixels) or np.count_nonzero(differs) * _DENSE > len(pixels):
        return None
    changed = np.flatnonzero(differs) // 3 + 1
    new = changed[:1], changed[1:][changed[1:] != changed[:-1]]  # several channels may change at one pixel
    return np.concatenate([[0], *new]).astype(np.intp, copy=False)


def _unknown(numbers: NDArray[np.uint32], lengths: NDArray[np.intp] | None) -> LabelError:
    """What to say about colours that no label has: how many pixels, and the three most frequent of them."""
    colors, places = np.unique(numbers, return_inverse=True)
    counts = np.bincount(places, lengths).astype(np.int64)
    order = np.argsort(-counts, kind="stable")[:3]
    shown = ", ".join(f"{_hex(_color(int(colors[i])))} ({counts[i]:,} px)" for i in order)
    more = f" and {len(colors) - 3:,} more" if len(colors) > 3 else ""
    return LabelError(
        f"{counts.sum():,} px have a colour that no label has: {shown}{more}; add these colours to the label "
        "file, or save the image without lossy compression and smoothing"
    )


def _color(number: int) -> Color:
    return number & 255, number >> 8 & 255, number >> 16


def _hex(color: Color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
