"""The cells: fluorescence images of round cells, some touching, some dim.

Conventions
-----------
The ground truth gives each cell a number from 1 up, 0 is background, 16 bits. Numbers of a prediction have
nothing to do with those of the ground truth: matching them is the evaluation's work.

Model a merges cells that touch. Model b splits large cells, misses dim ones and finds a few that are not there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .noise import Bytes, Floats, Numbers, field, ramp, to_bytes

SIZE = 256
DIM = 0.42  # brightness below which model b sees nothing
LARGE = 1100  # pixels from which model b sees two cells


Disc = tuple[float, float, float]  # row, column, radius


@dataclass(frozen=True)
class Culture:
    """One image and what is known about it."""

    name: str
    photo: Bytes  # (rows, columns, 3)
    truth: Numbers  # number of the cell
    brightness: Floats  # of each cell; entry 0 is background


def cultures(seed: int, images: int = 10) -> Iterator[Culture]:
    """The images, one after the other; from sparse to crowded."""
    for index in range(images):
        rng = np.random.default_rng((seed, 2, index))
        truth, depth = _grow(rng, wanted=14 + 5 * index)
        brightness = np.r_[0, rng.uniform(0.25, 1.0, int(truth.max()))].astype(np.float32)
        kind = "sparse" if index < 4 else "dense" if index < 8 else "crowded"
        yield Culture(f"culture_{index + 1:02d}_{kind}", _photograph(rng, truth, depth, brightness), truth, brightness)


def _grow(rng: np.random.Generator, wanted: int) -> tuple[Numbers, Floats]:
    """Cells as dented discs; where two meet, the pixel goes to the one it lies deeper in. Depth is 1 at the centre."""
    truth = np.zeros((SIZE, SIZE), np.uint16)
    depth = np.zeros((SIZE, SIZE), np.float32)
    placed: list[Disc] = []
    for _ in range(wanted * 6):
        if len(placed) == wanted:
            break
        row, col = rng.uniform(4, SIZE - 4, 2)
        radius = float(np.clip(rng.lognormal(2.6, 0.28), 8, 26))
        if all(math.hypot(row - r, col - c) > 0.8 * (radius + other) for r, c, other in placed):
            placed.append((row, col, radius))
            _add_cell(rng, truth, depth, placed)
    return _in_order(truth), depth


def _add_cell(rng: np.random.Generator, truth: Numbers, depth: Floats, placed: list[Disc]) -> None:
    row, col, radius = placed[-1]
    rows = slice(max(0, int(row - 1.7 * radius)), int(row + 1.7 * radius) + 1)
    cols = slice(max(0, int(col - 1.7 * radius)), int(col + 1.7 * radius) + 1)
    y, x = np.ogrid[rows.start : min(SIZE, rows.stop), cols.start : min(SIZE, cols.stop)]
    y, x = (y - row).astype(np.float32), (x - col).astype(np.float32)
    angle, stretch, lean = np.arctan2(y, x), rng.uniform(1, 1.3), rng.uniform(0, np.pi)
    edge = radius * (1 + 0.07 * np.cos(3 * angle + rng.uniform(0, 6)) + 0.05 * np.cos(5 * angle + rng.uniform(0, 6)))
    edge *= 1 + (stretch - 1) * np.cos(2 * (angle - lean))
    inside = (1 - np.hypot(y, x) / edge).astype(np.float32)
    won = inside > np.maximum(depth[rows, cols], 0.0)
    truth[rows, cols][won] = len(placed)
    depth[rows, cols][won] = inside[won]


def _in_order(labels: Numbers, smallest: int = 30) -> Numbers:
    """Numbers 1, 2, ... without gaps; of each cell the largest piece, and none of what is only a sliver."""
    ordered = np.zeros_like(labels)
    for number in range(1, int(labels.max()) + 1):
        parts: Numbers = ndimage.label(labels == number)[0]  # type: ignore[index]
        sizes = np.bincount(parts.ravel(), minlength=2)[1:]
        if sizes.max() >= smallest:
            ordered[parts == 1 + sizes.argmax()] = ordered.max() + 1
    return ordered


def _photograph(rng: np.random.Generator, truth: Numbers, depth: Floats, brightness: Floats) -> Bytes:
    """Green cytoplasm, blue nuclei, a glow about bright cells, uneven light, shot noise."""
    light = brightness[truth]
    grain = field(rng, truth.shape, 1.1)
    body = light * (0.45 + 0.5 * ramp(0.0, 0.35, depth)) * (1 + 0.16 * grain)
    rim = light * (truth > 0) * np.exp(-np.square(depth / 0.12)) * 0.35
    nucleus = ramp(0.42, 0.58, depth + 0.03 * grain) * (0.3 + 0.7 * light) * (1 + 0.13 * field(rng, truth.shape, 1.3))
    glow: Floats = ndimage.gaussian_filter(body, 9)
    uneven = 1 + 0.10 * field(rng, truth.shape, 2.6)
    back = 0.035 * uneven
    red = back + 0.10 * body + 0.25 * rim + 0.02 * glow + 0.06 * nucleus
    green = back * 1.3 + (0.72 * body + rim) * (1 - 0.55 * nucleus) + 0.13 * glow
    blue = back * 1.9 + 0.16 * body + 0.95 * nucleus + 0.06 * glow
    sharp = (np.stack([red, green, blue], axis=-1) * uneven[..., None]).astype(np.float32)
    color: Floats = ndimage.gaussian_filter(sharp, (0.8, 0.8, 0))
    noise = rng.standard_normal(color.shape, dtype=np.float32)
    return to_bytes(color + noise * (0.012 + 0.05 * np.sqrt(np.clip(color, 0, 1))))


# ---------------------------------------------------------------------------------------------- the models


def model_a(culture: Culture, rng: np.random.Generator) -> Numbers:
    """Touching cells become one; outlines are good."""
    merged = np.arange(int(culture.truth.max()) + 1, dtype=np.uint16)
    for one, other in _touching(culture.truth):
        if rng.random() < 0.55:
            merged[merged == merged[other]] = merged[one]
    labels = merged[culture.truth]
    grown = ndimage.grey_dilation(labels, size=(3, 3))
    labels = np.where(labels == 0, grown, labels) if rng.random() < 0.5 else labels
    return renumber(labels, rng)


def model_b(culture: Culture, rng: np.random.Generator) -> Numbers:
    """Large cells become two, dim ones are missing, a few are invented; outlines are tight."""
    labels = culture.truth.copy()
    labels[(culture.brightness < DIM)[labels]] = 0
    sizes = np.bincount(labels.ravel())
    for number in 1 + np.flatnonzero(sizes[1:] > LARGE):
        _halve(labels, int(number), rng)
    labels[ndimage.morphological_gradient(labels, size=(3, 3)) > 0] = 0
    for _ in range(int(rng.integers(1, 5))):
        _invent(labels, rng)
    return renumber(labels, rng)


def _touching(labels: Numbers) -> list[tuple[int, int]]:
    """Pairs of cells that share an edge."""
    pairs: set[tuple[int, int]] = set()
    for first, second in ((labels[:, 1:], labels[:, :-1]), (labels[1:], labels[:-1])):
        meet = (first != second) & (first > 0) & (second > 0)
        low, high = np.minimum(first, second)[meet], np.maximum(first, second)[meet]
        pairs.update(zip(low.tolist(), high.tolist(), strict=True))
    return sorted(pairs)


def _halve(labels: Numbers, number: int, rng: np.random.Generator) -> None:
    rows, cols = np.nonzero(labels == number)
    lean = rng.uniform(0, np.pi)
    side = np.cos(lean) * (rows - rows.mean()) + np.sin(lean) * (cols - cols.mean()) > 0
    labels[rows[side], cols[side]] = labels.max() + 1


def _invent(labels: Numbers, rng: np.random.Generator) -> None:
    row, col = rng.uniform(10, SIZE - 10, 2)
    y, x = np.ogrid[:SIZE, :SIZE]
    blob = np.hypot((y - row) * rng.uniform(0.7, 1.4), x - col) < rng.uniform(5, 9)
    labels[blob & (labels == 0)] = labels.max() + 1


def renumber(labels: Numbers, rng: np.random.Generator) -> Numbers:
    """The same cells under other numbers, with gaps, as trackers and tilers leave them."""
    names = np.r_[0, 1 + rng.permutation(2 * int(labels.max()))[: int(labels.max())]]
    return names[labels].astype(np.uint16)
