"""Bodies in space and in the plane whose surfaces are known: points of them, what is inside, and distances to them.

For the study of surfaces. All formulas are exact; a surface is sampled evenly, each point with the area that it stands
for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def middles(n: int, half: float) -> Floats:
    """The middles of n equal parts of what lies between -half and half."""
    return half * (2 * (np.arange(n) + 0.5) / n - 1)


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
class Polygon:
    """The corners of a simple polygon, in order."""

    corners: Floats

    def _edges(self) -> list[tuple[Floats, Floats]]:
        return list(zip(self.corners, np.roll(self.corners, -1, axis=0), strict=True))

    def inside(self, at: Floats) -> NDArray[np.bool_]:
        within = np.zeros(len(at), bool)
        for a, b in self._edges():
            spans = (a[1] > at[:, 1]) != (b[1] > at[:, 1])
            where = a[0] + (at[:, 1] - a[1]) / (b[1] - a[1] if b[1] != a[1] else 1) * (b[0] - a[0])
            within ^= spans & (at[:, 0] < where)
        return within

    def distance(self, at: Floats) -> Floats:
        least = np.full(len(at), np.inf)
        for a, b in self._edges():
            t = np.clip((at - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
            least = np.minimum(least, np.linalg.norm(at - a - t[:, None] * (b - a), axis=1))
        return least

    def sample(self, n: int) -> tuple[Floats, Floats]:
        edges = self._edges()
        each = n // len(edges)
        t = ((np.arange(each) + 0.5) / each)[:, None]
        lengths = [float(np.linalg.norm(b - a)) for a, b in edges]
        weight = np.concatenate([np.full(each, length / each) for length in lengths])
        return np.concatenate([a + t * (b - a) for a, b in edges]), weight

    def reach(self) -> float:
        return float(np.linalg.norm(self.corners, axis=1).max())

    def changed(self, by: Floats) -> Shape:
        return Polygon(self.corners * (1 + by[:2] / self.reach()))


def star(tips: int, outer: float, inner: float) -> Polygon:
    """A star of some points: the radii of its tips and of the corners between them."""
    angle = math.pi * np.arange(2 * tips) / tips
    r = np.where(np.arange(angle.size) % 2, inner, outer)
    return Polygon(np.stack([r * np.cos(angle), r * np.sin(angle)], 1))


def angle_piece(long: float, short: float, thick: float) -> Polygon:
    """An L: two legs of one thickness."""
    corners = [(0, 0), (long, 0), (long, thick), (thick, thick), (thick, short), (0, short)]
    return Polygon(np.array(corners, np.float64) - (long / 3, short / 3))


@dataclass(frozen=True)
class Cylinder:
    """Radius and half height, with flat ends."""

    radius: float
    half: float

    def _off(self, at: Floats) -> Floats:
        return np.stack([np.hypot(at[:, 0], at[:, 1]) - self.radius, np.abs(at[:, 2]) - self.half], 1)

    def inside(self, at: Floats) -> NDArray[np.bool_]:
        return (self._off(at) <= 0).all(axis=1)

    def distance(self, at: Floats) -> Floats:
        q = self._off(at)
        return np.abs(np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(axis=1), 0))

    def sample(self, n: int) -> tuple[Floats, Floats]:
        r, h = self.radius, self.half
        side, end = 4 * math.pi * r * h, math.pi * r * r
        many = round(n * end / (side + 2 * end))
        i = np.arange(many) + 0.5
        rho, angle = r * np.sqrt(i / many), math.pi * (1 + 5**0.5) * i
        flat = np.stack([rho * np.cos(angle), rho * np.sin(angle)], 1)
        ends = [np.column_stack([flat, np.full(many, z)]) for z in (-h, h)]
        rows = max(8, round(math.sqrt((n - 2 * many) * h / (math.pi * r))))
        columns = (n - 2 * many) // rows
        u, z = np.meshgrid(middles(columns, math.pi), middles(rows, h))
        around = np.stack([r * np.cos(u.ravel()), r * np.sin(u.ravel()), z.ravel()], 1)
        weight = np.concatenate([np.full(2 * many, end / many), np.full(rows * columns, side / (rows * columns))])
        return np.concatenate([*ends, around]), weight

    def reach(self) -> float:
        return math.hypot(self.radius, self.half)

    def changed(self, by: Floats) -> Shape:
        return Cylinder(self.radius + by[0] / 2, self.half + by[1] / 2)


@dataclass(frozen=True)
class Lens:
    """What two balls (in a plane two discs) of one radius share; their centres are 2 `apart` from one another."""

    radius: float
    apart: float
    dims: int = 3

    @property
    def rim(self) -> float:
        return math.sqrt(self.radius**2 - self.apart**2)

    def _polar(self, at: Floats) -> tuple[Floats, Floats]:
        """The distance from the axis through the centres, and the height along it, which by symmetry is positive."""
        return np.linalg.norm(at[:, : self.dims - 1], axis=1), np.abs(at[:, self.dims - 1])

    def inside(self, at: Floats) -> NDArray[np.bool_]:
        rho, z = self._polar(at)
        return np.hypot(rho, z + self.apart) <= self.radius

    def distance(self, at: Floats) -> Floats:
        """To the cap on the own side where the foot lies on it, else to the rim; or to the other cap."""
        rho, z = self._polar(at)
        edge = np.hypot(rho - self.rim, z)
        out = edge
        for height in (z, -z):
            off = np.hypot(rho, height + self.apart)
            on_cap = (height + self.apart) * self.radius >= self.apart * np.maximum(off, 1e-300)
            out = np.minimum(out, np.where(on_cap, np.abs(off - self.radius), edge))
        return out

    def sample(self, n: int) -> tuple[Floats, Floats]:
        r, half = self.radius, n // 2
        i = np.arange(half) + 0.5
        if self.dims == 2:
            most = math.asin(self.rim / r)
            angle = most * (2 * i / half - 1)
            cap, part = np.stack([r * np.sin(angle), r * np.cos(angle) - self.apart], 1), 2 * most * r / half
        else:  # bands of equal height have equal area
            z, angle = self.apart + (r - self.apart) * i / half, math.pi * (1 + 5**0.5) * i
            rho = np.sqrt(r * r - z * z)
            cap = np.stack([rho * np.cos(angle), rho * np.sin(angle), z - self.apart], 1)
            part = 2 * math.pi * r * (r - self.apart) / half
        other = cap.copy()
        other[:, -1] *= -1
        return np.concatenate([cap, other]), np.full(2 * half, part)

    def reach(self) -> float:
        return self.rim

    def changed(self, by: Floats) -> Shape:
        return replace(self, radius=self.radius + by[0], apart=self.apart + by[0] / 2)


@dataclass(frozen=True)
class Rounded:
    """A box, in a plane a rectangle, by its half sides before it is rounded, and how far that goes."""

    half: Floats
    by: float

    def inside(self, at: Floats) -> NDArray[np.bool_]:
        return self._signed(at) <= 0

    def _signed(self, at: Floats) -> Floats:
        q = np.abs(at) - self.half
        return np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(axis=1), 0) - self.by

    def distance(self, at: Floats) -> Floats:
        return np.abs(self._signed(at))

    def sample(self, n: int) -> tuple[Floats, Floats]:
        """Directions of a sphere, each with the corner that looks that way; faces and edges apart from them."""
        half, r = self.half, self.by
        a, b, c = 2 * half
        faces, edges, corners = 2 * (a * b + b * c + c * a), 2 * math.pi * r * (a + b + c), 4 * math.pi * r * r
        density = n / (faces + edges + corners)
        points: list[Floats] = []
        weights: list[Floats] = []
        many = max(64, round(density * corners))
        i = np.arange(many) + 0.5
        z, angle = 1 - 2 * i / many, math.pi * (1 + 5**0.5) * i
        rho = np.sqrt(1 - z * z)
        u = np.stack([rho * np.cos(angle), rho * np.sin(angle), z], 1)
        points.append(np.where(u >= 0, half, -half) + r * u)
        weights.append(np.full(many, corners / many))
        for axis in range(3):
            others = [k for k in range(3) if k != axis]
            turns = max(8, round(math.sqrt(density) * 2 * math.pi * r))
            steps = max(4, round(math.sqrt(density) * 2 * half[axis]))
            t, s = np.meshgrid(middles(turns, math.pi), middles(steps, half[axis]))
            at = np.empty((t.size, 3))
            at[:, axis] = s.ravel()
            for k, way in zip(others, (np.cos(t.ravel()), np.sin(t.ravel())), strict=True):
                at[:, k] = np.where(way >= 0, half[k], -half[k]) + r * way
            points.append(at)
            weights.append(np.full(t.size, 2 * math.pi * r * 2 * half[axis] / t.size))
            counts = [max(4, round(math.sqrt(density) * 2 * half[k])) for k in others]
            x, y = np.meshgrid(*(middles(m, half[k]) for k, m in zip(others, counts, strict=True)))
            for side in (-1, 1):
                at = np.empty((x.size, 3))
                at[:, others[0]], at[:, others[1]], at[:, axis] = x.ravel(), y.ravel(), side * (half[axis] + r)
                points.append(at)
                weights.append(np.full(x.size, 4 * half[others[0]] * half[others[1]] / x.size))
        return np.concatenate(points), np.concatenate(weights)

    def reach(self) -> float:
        return float(np.linalg.norm(self.half)) + self.by

    def changed(self, by: Floats) -> Shape:
        return Rounded(self.half + by / 2, self.by)


@dataclass(frozen=True)
class Tube:
    """All that is no further than `radius` from an arc of a circle, which spans twice `turn`; its ends are round.

    With a large ring and a small turn it is nearly a straight capsule; in a plane a bent band.
    """

    ring: float
    turn: float
    radius: float
    dims: int = 3

    @property
    def _middle(self) -> float:
        """How far the centre of the arc's circle lies from the middle of the body."""
        return self.ring * (1 + math.cos(self.turn)) / 2

    def _from_arc(self, at: Floats) -> Floats:
        x, y = at[:, 0] + self._middle, at[:, 1]
        z = at[:, 2] if self.dims == 3 else np.zeros(len(at))
        along = np.abs(np.arctan2(y, x)) <= self.turn
        end = self.ring * np.array([math.cos(self.turn), math.sin(self.turn)])
        to_end = np.hypot(np.hypot(x - end[0], np.abs(y) - end[1]), z)
        return np.where(along, np.hypot(np.hypot(x, y) - self.ring, z), to_end)

    def inside(self, at: Floats) -> NDArray[np.bool_]:
        return self._from_arc(at) <= self.radius

    def distance(self, at: Floats) -> Floats:
        return np.abs(self._from_arc(at) - self.radius)

    def sample(self, n: int) -> tuple[Floats, Floats]:
        side, ends = self._side(n), self._ends(n)
        at, weight = np.concatenate([side[0], ends[0]]), np.concatenate([side[1], ends[1]])
        at[:, 0] -= self._middle
        return at, weight

    def _whole(self) -> float:
        if self.dims == 2:
            return 4 * self.turn * self.ring + 2 * math.pi * self.radius
        return 4 * math.pi * self.radius * self.turn * self.ring + 4 * math.pi * self.radius**2

    def _side(self, n: int) -> tuple[Floats, Floats]:
        if self.dims == 2:
            many = round(n * 2 * self.turn * self.ring / self._whole())
            a = self.turn * (2 * (np.arange(many) + 0.5) / many - 1)
            radii = (self.ring - self.radius, self.ring + self.radius)
            at = np.concatenate([np.stack([r * np.cos(a), r * np.sin(a)], 1) for r in radii])
            return at, np.repeat([2 * self.turn * r / many for r in radii], many)
        density = math.sqrt(n / self._whole())
        rows = max(8, round(2 * math.pi * self.radius * density))
        columns = max(8, round(2 * self.turn * self.ring * density))
        v, a = (x.ravel() for x in np.meshgrid(middles(rows, math.pi), middles(columns, self.turn)))
        r = self.ring + self.radius * np.cos(v)
        at = np.stack([r * np.cos(a), r * np.sin(a), self.radius * np.sin(v)], 1)
        return at, self.radius * r * (2 * math.pi / rows) * (2 * self.turn / columns)

    def _ends(self, n: int) -> tuple[Floats, Floats]:
        """Half a sphere, in a plane half a circle, at each end, looking on along the arc."""
        points: list[Floats] = []
        size = (4 * math.pi * self.radius**2 if self.dims == 3 else 2 * math.pi * self.radius) / 2
        many = max(32, round(n * size / self._whole()))
        i = np.arange(many) + 0.5
        for sign in (-1, 1):
            a = sign * self.turn
            out, on = np.array([math.cos(a), math.sin(a)]), sign * np.array([-math.sin(a), math.cos(a)])
            if self.dims == 2:
                t = math.pi * (i / many - 0.5)
                way = np.cos(t)[:, None] * on + np.sin(t)[:, None] * out
            else:
                h, t = i / many, math.pi * (1 + 5**0.5) * i
                rho = np.sqrt(1 - h * h)
                flat = h[:, None] * on + (rho * np.cos(t))[:, None] * out
                way = np.column_stack([flat, rho * np.sin(t)])
            centre = self.ring * out if self.dims == 2 else np.append(self.ring * out, 0.0)
            points.append(centre + self.radius * way)
        return np.concatenate(points), np.full(2 * many, size / many)

    def reach(self) -> float:
        at = self._side(400)[0]
        at[:, 0] -= self._middle
        return float(np.linalg.norm(at, axis=1).max()) + self.radius

    def changed(self, by: Floats) -> Shape:
        return replace(self, ring=self.ring + by[0], radius=self.radius + by[1] / 2)
