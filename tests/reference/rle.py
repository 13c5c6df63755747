"""Run-length masks, plainly: lists of integers and dense arrays, no packing."""

from itertools import pairwise

import numpy as np


def counts_of(mask: np.ndarray) -> list[int]:
    """Runs of a boolean mask, column by column, background first."""
    runs, inside, length = [], False, 0
    for value in mask.T.ravel().tolist():
        if bool(value) != inside:
            runs.append(length)
            inside, length = not inside, 0
        length += 1
    return [*runs, length]


def string_of(counts: list[int]) -> bytes:
    """The compressed form."""
    out = bytearray()
    for i, run in enumerate(counts):
        x = run - counts[i - 2] if i > 2 else run
        while True:
            chunk, x = x & 31, x >> 5
            more = x != (-1 if chunk & 16 else 0)
            out.append(48 + chunk + 32 * more)
            if not more:
                break
    return bytes(out)


def mask_of(counts: list[int], height: int, width: int) -> np.ndarray:
    """The dense mask."""
    line = np.concatenate([np.full(run, i % 2 == 1) for i, run in enumerate(counts)] + [np.empty(0, bool)])
    return line.reshape(width, height).T


def box_of(mask: np.ndarray) -> list[float]:
    """x, y, width, height around the foreground, where a run that goes over into the next column takes all rows."""
    if not mask.any():
        return [0.0, 0.0, 0.0, 0.0]
    y, x = np.nonzero(mask)
    if (mask[-1, :-1] & mask[0, 1:]).any():
        y = np.array([0, mask.shape[0] - 1])
    return [float(v) for v in (x.min(), y.min(), x.max() - x.min() + 1, y.max() - y.min() + 1)]


def boundary_of(mask: np.ndarray, width: int) -> np.ndarray:
    """The pixels with one outside the mask, or outside the image, within `width` steps of a king."""
    padded = np.pad(mask, width)
    h, w = mask.shape
    eroded = np.ones_like(mask)
    for dy in range(2 * width + 1):
        for dx in range(2 * width + 1):
            eroded &= padded[dy : dy + h, dx : dx + w]
    return mask & ~eroded


def polygon_counts(xy: list[float], height: int, width: int) -> list[int]:
    """A polygon by the rules of pycocotools: corners five times as fine, dense edges, crossings of pixel centres."""
    xs = [int(5 * v + 0.5) for v in xy[::2]]
    ys = [int(5 * v + 0.5) for v in xy[1::2]]
    points: list[tuple[int, int]] = []
    for (x0, y0), (x1, y1) in zip(
        zip(xs, ys, strict=True), zip(xs[1:] + xs[:1], ys[1:] + ys[:1], strict=True), strict=True
    ):
        dx, dy = abs(x1 - x0), abs(y1 - y0)
        flip = (dx >= dy and x0 > x1) or (dx < dy and y0 > y1)
        (a, b), (c, d) = ((x1, y1), (x0, y0)) if flip else ((x0, y0), (x1, y1))
        steps = list(range(max(dx, dy) + 1))
        if dx >= dy:
            s = (d - b) / dx if dx else 0.0
            line = [(t + a, int(b + s * t + 0.5)) for t in steps]
        else:
            s = (c - a) / dy
            line = [(int(a + s * t + 0.5), t + b) for t in steps]
        points += line[::-1] if flip else line
    crossings = [height * width]
    for (u0, v0), (u1, v1) in pairwise(points):
        if u0 == u1:
            continue
        x = ((u1 if u1 < u0 else u1 - 1) + 0.5) / 5 - 0.5
        if x == int(np.floor(x)) and 0 <= x <= width - 1:
            y = min(max((min(v0, v1) + 0.5) / 5 - 0.5, 0.0), float(height))
            crossings.append(int(x) * height + int(np.ceil(y)))
    crossings.sort()
    runs = np.diff([0, *crossings]).tolist()
    out, j = [runs[0]], 1
    while j < len(runs):
        if runs[j] > 0:
            out.append(runs[j])
        else:
            j += 1
            if j < len(runs):
                out[-1] += runs[j]
        j += 1
    return out
