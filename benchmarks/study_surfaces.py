"""Which surface is nearest to the truth: every convention on shapes whose distances are known.

Prints docs/studies/surfaces.md: `make study`, or this file with the path of the page. What is drawn, and how the truth
is found, is said there and beside the code that does it. Nothing but the seeds decides the numbers.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

import maskmeter as mm
from maskmeter.metrics.boundaries import RULES

Floats = NDArray[np.float64]

CASES = 12  # of each shape at each spacing
RATIOS = (1, 3, 5)  # of the coarse step to the fine ones, which are 1 mm
SEED = 20
TOLERANCES = (1.0, 2.0, 4.0)
SAMPLES = 20_000  # of a true surface
NAMES = {
    "mesh": "mesh (default)", "deepmind": "deepmind", "monai": "monai, metricsreloaded", "medpy": "medpy",
    "panoptica": "panoptica", "meshmetrics": "meshmetrics", "distorch": "distorch", "seg_metrics": "seg_metrics",
    "itk_set": "itk_set", "plastimatch": "plastimatch",
}  # fmt: skip
CONVENTIONS = tuple(NAMES)
WITHOUT_NSD = ("medpy", "seg_metrics", "itk_set", "plastimatch")
METRICS = ("HD95", "ASSD", "NSD")


# Shapes with exact surfaces


class Shape(Protocol):
    """A body in its own frame, in millimetres around the origin."""

    def inside(self, at: Floats) -> NDArray[np.bool_]: ...
    def distance(self, at: Floats) -> Floats:
        """From points to the surface."""
        ...

    def sample(self, n: int) -> tuple[Floats, Floats]:
        """About n points of the surface, and the area (in a plane the length) that each stands for."""
        ...

    def reach(self) -> float:
        """No point is further from the origin."""
        ...

    def changed(self, by: Floats) -> Shape:
        """The same kind of body in another size."""
        ...


@dataclass(frozen=True)
class Ellipsoid:
    """Semi-axes; with two an ellipse."""

    axes: Floats

    def inside(self, at: Floats) -> NDArray[np.bool_]:
        return ((at / self.axes) ** 2).sum(axis=1) <= 1

    def distance(self, at: Floats) -> Floats:
        """The foot of the perpendicular is a^2 y / (t + a^2) with the root t of its equation, found by bisection."""
        y, a = np.maximum(np.abs(at), 1e-12), self.axes
        least = int(a.argmin())
        low = a[least] * y[:, least] - a[least] ** 2
        high = low + np.linalg.norm(a * y, axis=1) + a.max() ** 2
        for _ in range(80):
            t = (low + high) / 2
            outside = ((a * y / (t[:, None] + a**2)) ** 2).sum(axis=1) > 1
            low, high = np.where(outside, t, low), np.where(outside, high, t)
        return np.linalg.norm(a**2 * y / (low[:, None] + a**2) - y, axis=1)

    def sample(self, n: int) -> tuple[Floats, Floats]:
        i = np.arange(n) + 0.5
        if self.axes.size == 2:
            angle = 2 * math.pi * i / n
            u, part = np.stack([np.cos(angle), np.sin(angle)], 1), 2 * math.pi / n
        else:  # points of a sphere that stand for equal areas
            z, angle = 1 - 2 * i / n, math.pi * (1 + 5**0.5) * i
            r = np.sqrt(1 - z**2)
            u, part = np.stack([r * np.cos(angle), r * np.sin(angle), z], 1), 4 * math.pi / n
        return u * self.axes, part * self.axes.prod() * np.linalg.norm(u / self.axes, axis=1)

    def reach(self) -> float:
        return float(self.axes.max())

    def changed(self, by: Floats) -> Shape:
        return Ellipsoid(self.axes + by[: self.axes.size])


@dataclass(frozen=True)
class Torus:
    """The radius of the ring, and that of its tube."""

    ring: float
    tube: float

    def _off(self, at: Floats) -> Floats:
        return np.hypot(np.hypot(at[:, 0], at[:, 1]) - self.ring, at[:, 2])

    def inside(self, at: Floats) -> NDArray[np.bool_]:
        return self._off(at) <= self.tube

    def distance(self, at: Floats) -> Floats:
        return np.abs(self._off(at) - self.tube)

    def sample(self, n: int) -> tuple[Floats, Floats]:
        rows = max(8, round(math.sqrt(n * self.tube / self.ring)))
        u, v = (2 * math.pi * (np.arange(k) + 0.5) / k for k in (n // rows, rows))
        around, along = (x.ravel() for x in np.meshgrid(u, v))
        r = self.ring + self.tube * np.cos(along)
        at = np.stack([r * np.cos(around), r * np.sin(around), self.tube * np.sin(along)], 1)
        return at, self.tube * r * (2 * math.pi / u.size) * (2 * math.pi / v.size)

    def reach(self) -> float:
        return self.ring + self.tube

    def changed(self, by: Floats) -> Shape:
        return Torus(self.ring + by[0], self.tube + by[1])


@dataclass(frozen=True)
class Box:
    """Half its sides; with two a rectangle, with a short one a plate."""

    half: Floats

    def inside(self, at: Floats) -> NDArray[np.bool_]:
        return (np.abs(at) <= self.half).all(axis=1)

    def distance(self, at: Floats) -> Floats:
        q = np.abs(at) - self.half
        return np.abs(np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(axis=1), 0))

    def sample(self, n: int) -> tuple[Floats, Floats]:
        half, dims = self.half, self.half.size
        areas = np.array([np.prod(np.delete(2 * half, k)) for k in range(dims)])
        points: list[Floats] = []
        weights: list[Floats] = []
        for axis in range(dims):
            others = np.delete(np.arange(dims), axis)
            step = (2 * areas.sum() / n) ** (1 / others.size)
            counts = [max(4, round(2 * half[k] / step)) for k in others]
            ticks = [((np.arange(c) + 0.5) / c * 2 - 1) * half[k] for c, k in zip(counts, others, strict=True)]
            grid = np.stack([x.ravel() for x in np.meshgrid(*ticks)], 1)
            for side in (-1, 1):
                at = np.empty((len(grid), dims))
                at[:, others], at[:, axis] = grid, side * half[axis]
                points.append(at)
                weights.append(np.full(len(grid), areas[axis] / len(grid)))
        return np.concatenate(points), np.concatenate(weights)

    def reach(self) -> float:
        return float(np.linalg.norm(self.half))

    def changed(self, by: Floats) -> Shape:
        return Box(self.half + by[: self.half.size] / 2)


@dataclass(frozen=True)
class Star:
    """A star of some points: the radii of its tips and of the corners between them."""

    tips: int
    outer: float
    inner: float

    def _corners(self) -> tuple[Floats, Floats]:
        angle = math.pi * np.arange(2 * self.tips) / self.tips
        r = np.where(np.arange(angle.size) % 2, self.inner, self.outer)
        at = np.stack([r * np.cos(angle), r * np.sin(angle)], 1)
        return at, np.roll(at, -1, axis=0)

    def inside(self, at: Floats) -> NDArray[np.bool_]:
        within = np.zeros(len(at), bool)
        for a, b in zip(*self._corners(), strict=True):
            spans = (a[1] > at[:, 1]) != (b[1] > at[:, 1])
            where = a[0] + (at[:, 1] - a[1]) / (b[1] - a[1] if b[1] != a[1] else 1) * (b[0] - a[0])
            within ^= spans & (at[:, 0] < where)
        return within

    def distance(self, at: Floats) -> Floats:
        least = np.full(len(at), np.inf)
        for a, b in zip(*self._corners(), strict=True):
            t = np.clip((at - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
            least = np.minimum(least, np.linalg.norm(at - a - t[:, None] * (b - a), axis=1))
        return least

    def sample(self, n: int) -> tuple[Floats, Floats]:
        a, b = self._corners()
        each = n // len(a)
        t = ((np.arange(each) + 0.5) / each)[:, None, None]
        length = np.broadcast_to(np.linalg.norm(b - a, axis=1) / each, (each, len(a)))
        return (a + t * (b - a)).reshape(-1, 2), length.ravel()

    def reach(self) -> float:
        return self.outer

    def changed(self, by: Floats) -> Shape:
        return replace(self, outer=self.outer + by[0], inner=self.inner + by[1] / 2)


SHAPES: dict[str, tuple[int, Callable[[np.random.Generator], Shape]]] = {
    "ellipsoid": (3, lambda rng: Ellipsoid(rng.uniform(7, 20, 3))),
    "torus": (3, lambda rng: Torus(rng.uniform(12, 18), rng.uniform(4.5, 8))),
    "thin torus": (3, lambda rng: Torus(rng.uniform(12, 18), rng.uniform(2.5, 4))),
    "rotated box": (3, lambda rng: Box(rng.uniform(6, 15, 3))),
    "oblique plate": (3, lambda rng: Box(np.array([*rng.uniform(12, 18, 2), rng.uniform(2, 3.5)]))),
    "ellipse": (2, lambda rng: Ellipsoid(rng.uniform(7, 25, 2))),
    "rotated rectangle": (2, lambda rng: Box(rng.uniform(5, 18, 2))),
    "star": (2, lambda rng: Star(int(rng.integers(4, 8)), rng.uniform(18, 26), rng.uniform(9, 13))),
}


# Pairs, as masks and as they truly are


@dataclass(frozen=True)
class Placed:
    """A shape turned by `turn` and moved to `centre`."""

    shape: Shape
    turn: Floats
    centre: Floats

    def inside(self, at: Floats) -> NDArray[np.bool_]:
        return self.shape.inside((at - self.centre) @ self.turn)

    def distance(self, at: Floats) -> Floats:
        return self.shape.distance((at - self.centre) @ self.turn)

    def sample(self, n: int) -> tuple[Floats, Floats]:
        at, weight = self.shape.sample(n)
        return at @ self.turn.T + self.centre, weight


class Pair(NamedTuple):
    """Ground truth and prediction, the steps of the grid, and the size of the image in millimetres."""

    gt: Placed
    pred: Placed
    spacing: tuple[float, ...]
    size: float


def turned(rng: np.random.Generator, dims: int, most: float = math.pi) -> Floats:
    """A random rotation; about a random axis by no more than `most`, where that is less than half a turn."""
    if dims == 2:
        angle = rng.uniform(-most, most)
        return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    if most >= math.pi:
        q, r = np.linalg.qr(rng.normal(size=(3, 3)))
        q = q * np.sign(np.diag(r))
        return q * np.linalg.det(q)
    axis, angle = rng.normal(size=3), rng.uniform(-most, most)
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross


def pairs(name: str, ratio: int, cases: int = CASES) -> Iterator[Pair]:
    """A shape in a random pose and size, and the same resized, moved by up to 3 mm and turned by up to 10 degrees."""
    dims, draw = SHAPES[name]
    rng = np.random.default_rng([SEED, list(SHAPES).index(name), ratio])
    for _ in range(cases):
        spacing = (float(ratio), *(1.0,) * (dims - 1))
        shape = draw(rng)
        other = shape.changed(rng.uniform(-2, 2, 3))
        half = max(shape.reach(), other.reach()) + 3 + 2 * ratio
        centre = half + rng.uniform(0, spacing)
        turn = turned(rng, dims)
        way = rng.normal(size=dims)
        moved = centre + way / np.linalg.norm(way) * rng.uniform(0, 3)
        yield Pair(
            Placed(shape, turn, centre), Placed(other, turned(rng, dims, math.radians(10)) @ turn, moved), spacing,
            2 * half + ratio,
        )  # fmt: skip


def masks(pair: Pair) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Both bodies on the grid: a voxel belongs to a body that holds its centre."""
    ticks = [np.arange(math.ceil(pair.size / s)) * s for s in pair.spacing]
    at = np.stack([x.ravel() for x in np.meshgrid(*ticks, indexing="ij")], 1)
    shape = [t.size for t in ticks]
    return pair.gt.inside(at).reshape(shape), pair.pred.inside(at).reshape(shape)


def truth(pair: Pair, samples: int = SAMPLES) -> Floats:
    """HD95, ASSD and NSD at each tolerance of the bodies themselves."""
    sides: list[tuple[Floats, Floats]] = []
    for from_, to in ((pair.gt, pair.pred), (pair.pred, pair.gt)):
        at, weight = from_.sample(samples)
        distance = to.distance(at)
        order = np.argsort(distance, kind="stable")
        sides.append((distance[order], weight[order]))
    area = sum(w.sum() for _, w in sides)
    hd95 = max(d[np.searchsorted(np.cumsum(w), 0.95 * w.sum())] for d, w in sides)
    assd = sum(d @ w for d, w in sides) / area
    return np.array([hd95, assd, *(sum(w[d <= t].sum() for d, w in sides) / area for t in TOLERANCES)])


def measured(pair: Pair) -> Floats:
    """The same of the masks, by every convention; each surface is measured once."""
    a, b = masks(pair)
    surfaces: dict[tuple[str, bool], mm.Surface] = {}
    out: list[list[float]] = []
    for convention in CONVENTIONS:
        rule = RULES[convention]
        key = rule.model, rule.open
        if key not in surfaces:
            edge = "open" if rule.open else "closed"
            surfaces[key] = mm.surface(a, b, spacing=pair.spacing, model=rule.model, edge=edge)
        s = surfaces[key]
        nsd = [mm.nsd.compute(s, tolerance=t, convention=convention) for t in TOLERANCES]
        out.append([
            mm.hausdorff.compute(s, percentile=95, convention=convention), mm.assd.compute(s, convention=convention),
            *([math.nan] * len(nsd) if convention in WITHOUT_NSD else nsd),
        ])  # fmt: skip
    return np.array(out)


# The page

PAGE = Path(__file__).resolve().parents[1] / "docs/studies/surfaces.md"

TEXT = """# Which surface is nearest to the truth

<!-- Printed by benchmarks/study_surfaces.py (`make study`). Change it there. -->

Distances between boundaries depend on what stands for the surface of a mask. This page asks which choice comes nearest
to the distances between the bodies that the masks were drawn from, on shapes of which these are known.

**Shapes**: ellipsoids, tori (thick and thin), rotated boxes, oblique plates; in the plane ellipses, rotated rectangles
and stars. Each is drawn in a random size and pose, at a random place within its voxel; the prediction is the same
shape, resized by up to 2 mm an axis, moved by up to 3 mm and turned by up to 10 degrees. A voxel belongs to a body that
holds its centre. The fine steps of the grid are 1 mm, the coarse one 1, 3 or 5 mm. {cases} pairs of each of {shapes}
shapes at each spacing, {pairs} in all.

**Truth**: {samples:,} points of each exact surface, weighted by area, and their exact distances to the other body. With
four times as many points HD95 moves by at most {error[0]:.3f} mm, ASSD by {error[1]:.4f} mm and NSD by {error[2]:.4f}
(largest of {checked} pairs).

**Errors** are means of absolute differences from the truth: HD95 and ASSD in mm, NSD over tolerances of 1, 2 and 4 mm.
Every convention is maskmeter's own, which gives its package's numbers; where two differ only in empty masks, or in what
is not shown here, they share a line. The least error of a column is bold.

## All shapes

{overall}

## By spacing

{spacings}

## By shape, of the default and the best of the others

The best is chosen for each number apart; its name stands beside it.

{by_shape}

## What follows

{verdict}

The default is not free of bias. Over all pairs it errs by {bias[0]:+.3f} mm in HD95, {bias[1]:+.3f} mm in ASSD and
{bias[2]:+.4f} in NSD. How its vertices are placed was chosen among a few variants on other draws of the same kinds of
shapes, so the kinds are not unseen to it, the draws are. Bodies thinner than a fine step or two, or much thinner than
the coarse one, are not in these tables: there slices miss parts of them and no surface is right. Corners and edges are
rounded by less than a voxel, so for bodies that are unions of voxels `convention="meshmetrics"` is exact and the
default is not.
"""


class Errors(NamedTuple):
    """Of one pair: its shape, the ratio of its steps, and (conventions, 3) errors of HD95, ASSD and mean NSD."""

    shape: str
    ratio: int
    signed: Floats
    size: Floats


def study(cases: int = CASES) -> list[Errors]:
    """Every pair under every convention."""
    out: list[Errors] = []
    for name in SHAPES:
        for ratio in RATIOS:
            for pair in pairs(name, ratio, cases):
                error = measured(pair) - truth(pair)
                both = [np.column_stack([e[:, :2], e[:, 2:].mean(axis=1)]) for e in (error, np.abs(error))]
                out.append(Errors(name, ratio, *both))
        print(f"{name}: done", file=sys.stderr, flush=True)
    return out


def table(rows: dict[str, list[Floats]], heads: Sequence[str]) -> str:
    """A line for each name, its groups of numbers side by side; the least of each column is bold."""
    numbers = {name: np.concatenate(groups) for name, groups in rows.items()}
    least = np.nanmin(np.round(np.stack(list(numbers.values())), 3), axis=0)
    lines = [f"| convention | {' | '.join(heads)} |", "|---|" + "---:|" * len(heads)]
    for name, values in numbers.items():
        cells = [
            "" if math.isnan(v) else f"**{v:.3f}**" if round(v, 3) == best else f"{v:.3f}"
            for v, best in zip(values.tolist(), least.tolist(), strict=True)
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def by_shape(found: Sequence[Errors]) -> str:
    """The default beside the best of the others, shape by shape."""
    lines = [f"| shape | spacing | {' | '.join(f'{m} | best other' for m in METRICS)} |", "|---|---|" + "---:|---|" * 3]
    for name in SHAPES:
        for ratio in RATIOS:
            mean = np.mean([e.size for e in found if (e.shape, e.ratio) == (name, ratio)], axis=0)
            cells: list[str] = []
            for k in range(3):
                at = int(np.nanargmin(mean[1:, k])) + 1
                cells += [f"{mean[0, k]:.3f}", f"{mean[at, k]:.3f} {NAMES[CONVENTIONS[at]]}"]
            lines.append(f"| {name} | {ratio}:1 | {' | '.join(cells)} |")
    return "\n".join(lines)


def verdict(found: Sequence[Errors]) -> str:
    """In how many rows of the tables the default is nearest, in words made of the numbers."""
    groups = {"overall": found, **{f"{r}:1": [e for e in found if e.ratio == r] for r in RATIOS}}
    said: list[str] = []
    for k, metric in enumerate(METRICS):
        first = [g for g, es in groups.items() if np.nanargmin(np.mean([e.size[:, k] for e in es], axis=0)) == 0]
        cells = [(n, r) for n in SHAPES for r in RATIOS]
        means = [np.mean([e.size[:, k] for e in found if (e.shape, e.ratio) == c], axis=0) for c in cells]
        won = sum(int(np.nanargmin(m)) == 0 for m in means)
        where = ", ".join(first) if first else "nowhere"
        said.append(
            f"- {metric}: the default is nearest to the truth {where}; of the {len(cells)} combinations of shape and "
            f"spacing it is nearest in {won}."
        )
    return "\n".join(said)


def page(found: Sequence[Errors]) -> str:
    """The page."""
    rows = range(len(CONVENTIONS))

    def means(errors: Sequence[Errors]) -> Floats:
        return np.mean([e.size for e in errors], axis=0)

    spaced = [means([e for e in found if e.ratio == r]) for r in RATIOS]
    checked = [pair for name in SHAPES for ratio in RATIOS for pair in pairs(name, ratio, 1)]
    moved = [np.abs(truth(p, 4 * SAMPLES) - truth(p)) for p in checked]
    error = np.max([[*m[:2], m[2:].max()] for m in moved], axis=0)
    return TEXT.format(
        cases=CASES, shapes=len(SHAPES), pairs=len(found), samples=SAMPLES, error=error, checked=len(checked),
        overall=table({NAMES[c]: [means(found)[i]] for c, i in zip(CONVENTIONS, rows, strict=True)}, METRICS),
        spacings=table(
            {NAMES[c]: [s[i] for s in spaced] for c, i in zip(CONVENTIONS, rows, strict=True)},
            [f"{m} {r}:1" for r in RATIOS for m in METRICS],
        ),
        by_shape=by_shape(found), verdict=verdict(found), bias=np.mean([e.signed[0] for e in found], axis=0),
    )  # fmt: skip


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_text(page(study()))
