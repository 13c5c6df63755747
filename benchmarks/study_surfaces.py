"""Which surface is nearest to the truth: every convention on shapes whose distances are known.

Prints docs/studies/surfaces.md: `make study`, or this file with the path of the page. What is drawn, and how the truth
is found, is said there and beside the code that does it. Nothing but the seeds decides the numbers.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _bodies import Box, Cylinder, Ellipsoid, Floats, Lens, Rounded, Shape, Torus, Tube, angle_piece, star
from numpy.typing import NDArray

import maskmeter as mm
from maskmeter.metrics.boundaries import RULES

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


# Kinds of which other draws were looked at when the default was chosen.
KNOWN: dict[str, tuple[int, Callable[[np.random.Generator], Shape]]] = {
    "ellipsoid": (3, lambda rng: Ellipsoid(rng.uniform(7, 20, 3))),
    "torus": (3, lambda rng: Torus(rng.uniform(12, 18), rng.uniform(4.5, 8))),
    "thin torus": (3, lambda rng: Torus(rng.uniform(12, 18), rng.uniform(2.5, 4))),
    "rotated box": (3, lambda rng: Box(rng.uniform(6, 15, 3))),
    "oblique plate": (3, lambda rng: Box(np.array([*rng.uniform(12, 18, 2), rng.uniform(2, 3.5)]))),
    "ellipse": (2, lambda rng: Ellipsoid(rng.uniform(7, 25, 2))),
    "rotated rectangle": (2, lambda rng: Box(rng.uniform(5, 18, 2))),
    "star": (2, lambda rng: star(int(rng.integers(4, 8)), rng.uniform(18, 26), rng.uniform(9, 13))),
}
# Kinds that were added when the default had been settled.
UNSEEN: dict[str, tuple[int, Callable[[np.random.Generator], Shape]]] = {
    "capsule": (3, lambda rng: Tube(200.0, rng.uniform(0.03, 0.08), rng.uniform(4, 8))),
    "bent tube": (3, lambda rng: Tube(rng.uniform(14, 22), rng.uniform(0.6, 1.4), rng.uniform(3.5, 6))),
    "cylinder": (3, lambda rng: Cylinder(rng.uniform(5, 12), rng.uniform(5, 15))),
    "lens": (3, lambda rng: Lens(rng.uniform(16, 22), rng.uniform(4, 10))),
    "rounded box": (3, lambda rng: Rounded(rng.uniform(4, 11, 3), rng.uniform(2, 5))),
    "bent band": (2, lambda rng: Tube(rng.uniform(14, 22), rng.uniform(0.6, 1.4), rng.uniform(3.5, 6), 2)),
    "flat lens": (2, lambda rng: Lens(rng.uniform(16, 26), rng.uniform(4, 10), 2)),
    "angle piece": (2, lambda rng: angle_piece(*rng.uniform(20, 30, 2), rng.uniform(6, 10))),
}
SHAPES = {**KNOWN, **UNSEEN}


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

**Shapes**: of the *known kinds* (ellipsoids, tori thick and thin, rotated boxes, oblique plates; in the plane ellipses,
rotated rectangles and stars) other draws were looked at when the default was chosen. The *unseen kinds* (capsules, bent
tubes, cylinders, lenses, rounded boxes; in the plane bent bands, lenses and angle pieces) were added when it had been
settled, and nothing was changed after them. Each is drawn in a random size and pose, at a random place within its
voxel; the prediction is the same shape, resized by up to 2 mm an axis, moved by up to 3 mm and turned by up to 10
degrees. A voxel belongs to a body that holds its centre. The fine steps of the grid are 1 mm, the coarse one 1, 3 or 5.
{cases} pairs of each of {shapes} shapes at each spacing, {pairs} in all.

**Truth**: {samples:,} points of each exact surface, weighted by area, and their exact distances to the other body. With
four times as many points HD95 moves by at most {error[0]:.3f} mm, ASSD by {error[1]:.4f} mm and NSD by {error[2]:.4f}
(largest of {checked} pairs).

**Errors** are means of absolute differences from the truth: HD95 and ASSD in mm, NSD over tolerances of 1, 2 and 4 mm.
Every convention is maskmeter's own, which gives its package's numbers; where two differ only in empty masks, or in what
is not shown here, they share a line. The least error of a column is bold.

Of the packages that are known to compute such distances `deepmind`, `medpy`, `monai`, `panoptica`, `plastimatch`,
`seg_metrics` and `itk_set` (SimpleITK) were asked for their own numbers, which are maskmeter's under these names;
`meshmetrics`, `distorch` and `metricsreloaded` could not be installed, so theirs are what their definitions say.

## Unseen kinds of shapes

{unseen}

## Unseen kinds by spacing

{unseen_spacings}

## Known kinds of shapes

{known}

## Known kinds by spacing

{known_spacings}

## By shape, of the default and the best of the others

The best is chosen for each number apart; its name stands beside it.

{by_shape}

## What follows

Unseen kinds:

{unseen_verdict}

Known kinds:

{known_verdict}

The default is not free of bias. Over all pairs it errs by {bias[0]:+.3f} mm in HD95, {bias[1]:+.3f} mm in ASSD and
{bias[2]:+.4f} in NSD. Bodies thinner than a fine step or two, or much thinner than the coarse one, are not in these
tables: there slices miss parts of them and no surface is right. Corners and edges are rounded by less than a voxel, so
for bodies that are unions of voxels `convention="meshmetrics"` is exact and the default is not.
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


def verdict(found: Sequence[Errors], names: Sequence[str]) -> str:
    """In how many rows of the tables the default is nearest, in words made of the numbers."""
    groups = {"overall": found, **{f"{r}:1": [e for e in found if e.ratio == r] for r in RATIOS}}
    said: list[str] = []
    for k, metric in enumerate(METRICS):
        first = [g for g, es in groups.items() if np.nanargmin(np.mean([e.size[:, k] for e in es], axis=0)) == 0]
        cells = [(n, r) for n in names for r in RATIOS]
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

    def means(errors: Sequence[Errors]) -> Floats:
        return np.mean([e.size for e in errors], axis=0)

    def tables(errors: Sequence[Errors], names: Sequence[str]) -> tuple[str, str, str]:
        """Over all of them, by spacing, and the verdict."""
        spaced = [means([e for e in errors if e.ratio == r]) for r in RATIOS]
        overall = table({NAMES[c]: [means(errors)[i]] for i, c in enumerate(CONVENTIONS)}, METRICS)
        heads = [f"{m} {r}:1" for r in RATIOS for m in METRICS]
        spacings = table({NAMES[c]: [s[i] for s in spaced] for i, c in enumerate(CONVENTIONS)}, heads)
        return overall, spacings, verdict(errors, names)

    unseen, known = (tables([e for e in found if e.shape in kinds], list(kinds)) for kinds in (UNSEEN, KNOWN))
    checked = [pair for name in SHAPES for ratio in RATIOS for pair in pairs(name, ratio, 1)]
    moved = [np.abs(truth(p, 4 * SAMPLES) - truth(p)) for p in checked]
    error = np.max([[*m[:2], m[2:].max()] for m in moved], axis=0)
    return TEXT.format(
        cases=CASES, shapes=len(SHAPES), pairs=len(found), samples=SAMPLES, error=error, checked=len(checked),
        unseen=unseen[0], unseen_spacings=unseen[1], unseen_verdict=unseen[2],
        known=known[0], known_spacings=known[1], known_verdict=known[2],
        by_shape=by_shape(found), bias=np.mean([e.signed[0] for e in found], axis=0),
    )  # fmt: skip


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_text(page(study()))
