"""Cuts through the place where two surfaces are farthest apart: both contours, with the distance as colour.

Of a volume three cuts through one voxel stand side by side as in a drawing with three views: that across the first
axis, beside it that across the last, below it that across the second, all at one scale in millimetres, so that what
lies beside or below something is the same row or column. The contour of the ground truth is solid, that of the
prediction dashed; each piece of a contour has the colour of the nearest element of its surface, in space.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..far_parts import Elements, Figure
from ..statistics.surface import Volumes
from . import pictures

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Color = tuple[int, int, int]

LONGEST, LARGEST = 560, 14  # pixels of the longer side, and at most so many a voxel
FINER = 2  # times as large while drawing
GAP = 8
MARGIN, LEAST = 0.06, 0.3  # of the longest side of the box: around it, and what a side has at least
DASH, SPACE = 7.0, 4.5
RAMP: tuple[Color, ...] = ((98, 112, 200), (56, 144, 190), (36, 176, 152), (136, 206, 84), (252, 232, 72))
OUTSIDE, GROUND, ONE, BOTH = (10, 12, 15), (27, 32, 39), (52, 60, 70), (72, 83, 95)
MARK: Color = (255, 255, 255)
INK: Color = (174, 184, 194)
# Of the four pixels of a cell (1 top left, 2 top right, 4 bottom right, 8 bottom left) the ends of its segments, as
# steps from the top left one: between top, right, bottom and left edge.
_T, _R, _B, _L = (0.0, 0.5), (0.5, 1.0), (1.0, 0.5), (0.5, 0.0)
_SEGMENTS: dict[int, tuple[tuple[tuple[float, float], tuple[float, float]], ...]] = {
    1: ((_L, _T),), 2: ((_T, _R),), 3: ((_L, _R),), 4: ((_R, _B),), 5: ((_L, _T), (_R, _B)), 6: ((_T, _B),),
    7: ((_L, _B),), 8: ((_B, _L),), 9: ((_B, _T),), 10: ((_T, _R), (_B, _L)), 11: ((_B, _R),), 12: ((_R, _L),),
    13: ((_R, _T),), 14: ((_T, _L),),
}  # fmt: skip


class View(NamedTuple):
    """A cut: the axes that run down and to the right, the axis that it is across, and how that is called."""

    rows: int
    columns: int
    across: int
    name: str


VIEWS = (View(1, 2, 0, "slice"), View(1, 0, 2, "column"), View(0, 2, 1, "row"))


def drawn(f: Figure, v: Volumes, at: tuple[int, ...], most: float) -> tuple[str, int, int]:
    """The picture as data, its width and its height; `most` is the distance of the last colour."""
    from PIL import Image

    place = (0, *at) if v.flat else at
    low, high = _shown(f.box, v)
    views = VIEWS[:1] if v.flat else VIEWS
    size = [(high[k] - low[k]) * v.spacing[k] for k in range(3)]
    sides = (size[1], size[2]) if v.flat else (size[1] + size[0], size[2] + size[0])
    scale = min((LONGEST - GAP) / max(sides), LARGEST / min(v.spacing[v.flat :]))
    span = [max(1, round(s * scale)) for s in size]
    across = span[2] + (0 if v.flat else GAP + span[0])
    image = Image.new("RGBA", (across * FINER, (span[1] + (0 if v.flat else GAP + span[0])) * FINER), (0, 0, 0, 0))
    corner = ((0, 0), (span[2] + GAP, 0), (0, span[1] + GAP))
    for view, (x, y) in zip(views, corner, strict=False):
        image.paste(_cut(f, v, view, place, (low, high), span, most), (x * FINER, y * FINER))
    small = image.resize((image.width // FINER, image.height // FINER), Image.Resampling.LANCZOS)
    return pictures.small_png(small), small.width, small.height


def _shown(box: tuple[int, ...], v: Volumes) -> tuple[Floats, Floats]:
    """The ends of what is shown, in voxels: the box of the class and some space around it."""
    step = np.array(v.spacing)
    low, high = np.array(box[:3]) - 0.5, np.array(box[3:]) - 0.5
    size = (high - low) * step
    longest = float(size[v.flat :].max())
    more = np.maximum(np.maximum(MARGIN * longest, (LEAST * longest - size) / 2) / step, 1.0)
    if v.flat:
        more[0] = 0
    return low - more, high + more


def _cut(
    f: Figure, v: Volumes, view: View, at: tuple[int, ...], ends: tuple[Floats, Floats], span: list[int], most: float
) -> Any:
    """One cut as a picture, `FINER` times as large."""
    from PIL import Image, ImageDraw

    low, high = ends
    shape = span[view.rows] * FINER, span[view.columns] * FINER
    gt, pred = (_plane(mask, f.box, view, at) for mask in (f.gt, f.pred))
    index = [_voxels(low[k], high[k], n) for k, n in zip((view.rows, view.columns), shape, strict=True)]
    inside = [(i >= 0) & (i < v.gt.shape[k]) for i, k in zip(index, (view.rows, view.columns), strict=True)]
    g, p = (_sampled(mask, f.box, view, index) for mask in (gt, pred))
    kind = np.where(inside[0][:, None] & inside[1], 1 + (g | p) + (g & p), 0)
    image = Image.fromarray(np.array([OUTSIDE, GROUND, ONE, BOTH], np.uint8)[kind])
    draw = ImageDraw.Draw(image, "RGBA")

    offset = np.array([f.box[view.rows], f.box[view.columns]], np.float64)

    def to_pixels(where: Floats) -> Floats:
        """(rows, columns) in voxels to (x, y)."""
        axes = (view.rows, view.columns)
        shares = [(where[..., i] - low[k]) / (high[k] - low[k]) * shape[i] for i, k in enumerate(axes)]
        return np.stack(shares[::-1], axis=-1)

    for plane, side, dashed in ((gt, f.sides[0], False), (pred, f.sides[1], True)):
        lines = [line + offset for line in outlines(plane)]
        for line, colors in zip(lines, _colors(lines, side, v, view, at, most), strict=True):
            _draw(draw, to_pixels(line), colors, dashed)
    here = to_pixels(np.array([at[view.rows], at[view.columns]], np.float64))
    if not v.flat:
        for line in ([(here[0], 0), (here[0], shape[0])], [(0, here[1]), (shape[1], here[1])]):
            draw.line(line, fill=(*MARK, 46), width=FINER)
    for radius, width, fill in ((10, 4, (0, 0, 0)), (9, 2, MARK)):
        box = [*(here - radius * FINER), *(here + radius * FINER)]
        draw.ellipse(box, outline=fill, width=width * FINER)
    _name(draw, f"{view.name} {at[view.across]}" if not v.flat else "", shape)
    return image


def _name(draw: Any, text: str, shape: tuple[int, int]) -> None:
    """What a cut is called, in its corner, where there is room."""
    from PIL import ImageFont

    font = ImageFont.load_default(11.5 * FINER)
    if text and draw.textlength(text, font=font) + 12 * FINER < shape[1] and shape[0] > 24 * FINER:
        draw.text((6 * FINER, 4 * FINER), text, fill=INK, font=font)


def _plane(mask: Mask, box: tuple[int, ...], view: View, at: tuple[int, ...]) -> Mask:
    """The mask in the plane of a cut, rows first."""
    plane = np.take(mask, at[view.across] - box[view.across], axis=view.across)
    return plane if view.rows < view.columns else plane.T


def _voxels(low: float, high: float, n: int) -> NDArray[np.int64]:
    """The voxel that each of n pixels lies in."""
    return np.floor(low + (np.arange(n) + 0.5) / n * (high - low) + 0.5).astype(np.int64)


def _sampled(plane: Mask, box: tuple[int, ...], view: View, index: list[NDArray[np.int64]]) -> Mask:
    """The mask at the pixels of the cut; outside the box there is nothing."""
    around = np.pad(plane, 1)
    rows, columns = ((i - box[k] + 1).clip(0, n - 1) for i, k, n in zip(
        index, (view.rows, view.columns), around.shape, strict=True))  # fmt: skip
    return around[rows[:, None], columns]


def outlines(mask: Mask) -> list[Floats]:
    """The contours of a mask as lines (N, 2) of rows and columns, halfway between its pixels and the others.

    >>> [line.tolist() for line in outlines(np.array([[True]]))]
    [[[-0.5, 0.0], [0.0, -0.5], [0.5, 0.0], [0.0, 0.5], [-0.5, 0.0]]]
    """
    m = np.pad(mask, 1).astype(np.int64)
    code = m[:-1, :-1] + 2 * m[:-1, 1:] + 4 * m[1:, 1:] + 8 * m[1:, :-1]
    onward: dict[tuple[float, float], list[tuple[float, float]]] = {}
    for r, c in np.argwhere((code > 0) & (code < 15)).tolist():
        for (a, b), (d, e) in _SEGMENTS[int(code[r, c])]:
            onward.setdefault((r + a - 1, c + b - 1), []).append((r + d - 1, c + e - 1))
    lines: list[Floats] = []
    while onward:
        start = next(iter(onward))
        line = [start]
        while line[-1] in onward:
            ends = onward[line[-1]]
            following = ends.pop()
            if not ends:
                del onward[line[-1]]
            line.append(following)
        lines.append(np.array(line))
    return lines


def _colors(
    lines: list[Floats], side: Elements, v: Volumes, view: View, at: tuple[int, ...], most: float
) -> list[list[Color]]:
    """The colours of the pieces of each line: those of the nearest elements of the surface."""
    from scipy.spatial import KDTree

    if not lines:
        return []
    near = np.abs(side.at[:, view.across] - at[view.across]) <= 1.5
    near = near if near.any() else np.ones(len(side.at), bool)
    middle = np.empty((sum(len(line) - 1 for line in lines), 3))
    middle[:, view.across] = at[view.across]
    middle[:, [view.rows, view.columns]] = np.concatenate([(line[1:] + line[:-1]) / 2 for line in lines])
    found = KDTree(side.at[near] * v.spacing).query(middle * v.spacing)[1]
    colors = [color(d, most) for d in side.distance[near][found].tolist()]
    ends = np.cumsum([len(line) - 1 for line in lines]).tolist()
    return [colors[end - len(line) + 1 : end] for line, end in zip(lines, ends, strict=True)]


def color(distance: float, most: float) -> Color:
    """On the ramp from 0 to `most`, by the square root, so that small distances differ too."""
    share = 1.0 if math.isinf(distance) else math.sqrt(min(1.0, distance / most)) if most > 0 else 0.0
    at = round(share * 24) / 24 * (len(RAMP) - 1)  # few colours make a small file
    k = min(int(at), len(RAMP) - 2)
    r, g, b = (round(x + (y - x) * (at - k)) for x, y in zip(RAMP[k], RAMP[k + 1], strict=True))
    return r, g, b


def _draw(draw: Any, points: Floats, colors: list[Color], dashed: bool) -> None:
    """A line, each piece in its colour."""
    length = np.hypot(*np.diff(points, axis=0).T)
    start = np.concatenate([[0.0], np.cumsum(length)])
    period, on = (DASH + SPACE) * FINER, DASH * FINER
    for i, fill in enumerate(colors):
        a, b = points[i], points[i + 1]
        if not dashed:
            draw.line([*a, *b], fill=fill, width=2 * FINER, joint="curve")
            continue
        at = start[i]
        while at < start[i + 1]:  # from one end of a dash or space to the next
            within = at % period
            end = min(at + (on - within if within < on else period - within) + 1e-6, start[i + 1])
            if within < on:
                ends = [a + (b - a) * ((t - start[i]) / length[i]) for t in (at, end)]
                draw.line([*ends[0], *ends[1]], fill=fill, width=2 * FINER)
            at = end
