"""Things that stand or move in a street scene: trees, cars, people, lamps, signs.

Conventions
-----------
Each painter takes the place where the thing touches the ground (x, z), counts it as one object of the scene
and paints its parts from back to front. Sizes are metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .noise import Floats, Numbers, lay
from .scene import CAR, PERSON, POLE, SIGN, VEGETATION, VOID, Color, Look, Scene

PAINTS = (
    (0.62, 0.10, 0.10), (0.82, 0.82, 0.81), (0.12, 0.13, 0.15), (0.16, 0.27, 0.47), (0.54, 0.56, 0.58),
    (0.30, 0.32, 0.34), (0.24, 0.38, 0.28), (0.76, 0.55, 0.16), (0.20, 0.42, 0.55), (0.74, 0.70, 0.62),
)  # fmt: skip
CLOTHES = (
    (0.66, 0.18, 0.16), (0.18, 0.25, 0.42), (0.22, 0.22, 0.24), (0.78, 0.72, 0.62), (0.30, 0.42, 0.30),
    (0.82, 0.62, 0.20), (0.48, 0.30, 0.42), (0.36, 0.50, 0.62), (0.86, 0.86, 0.84),
)  # fmt: skip
SKINS = ((0.86, 0.68, 0.56), (0.62, 0.44, 0.33), (0.42, 0.29, 0.22), (0.90, 0.74, 0.62))
LEAVES = ((0.23, 0.38, 0.14), (0.30, 0.43, 0.16), (0.17, 0.31, 0.15), (0.38, 0.42, 0.16), (0.52, 0.38, 0.13))


# ---------------------------------------------------------------------------------------------- trees


@dataclass(frozen=True)
class Crown:
    """The leaves of a tree or bush: discs that flow into one another."""

    lobes: Floats  # rows of (dx, dy, radius), in metres about (0, height)
    height: float
    tone: Numbers


def paint_tree(scene: Scene, x: float, z: float, height: float, leaf: int | None = None) -> None:
    """A trunk, two boughs, a crown of several lobes."""
    rng = scene.rng
    leaf = int(rng.integers(len(LEAVES) - 1)) if leaf is None else leaf
    look = Look(VEGETATION, z, scene.new_thing(VEGETATION))
    scene.shadow(x, z, height * 0.3, height * 0.22, 0.4)
    wide, fork = 0.028 * height, 0.55 * height
    bark = np.asarray((0.30, 0.24, 0.19)) * rng.uniform(0.8, 1.15)
    trunk = [(x - wide * 1.3, 0, z), (x - wide * 0.7, fork, z), (x + wide * 0.7, fork, z), (x + wide * 1.3, 0, z)]
    scene.face(trunk, bark, look)
    count = rng.integers(4, 7)
    turn = rng.uniform(0, 2 * np.pi) + np.arange(count) * 2 * np.pi / count
    reach = 0.2 * height * rng.uniform(0.7, 1.15, count)
    radius = 0.19 * height * rng.uniform(0.8, 1.2, count)
    lobes = np.stack([reach * np.cos(turn), reach * np.sin(turn) * 0.9, radius], axis=1)
    lobes = np.vstack([lobes, (0, 0, 0.24 * height)]).astype(np.float32)
    paint_crown(scene, x, z, Crown(lobes, 0.68 * height, np.asarray(LEAVES[leaf], np.float32)), look)


def paint_conifer(scene: Scene, x: float, z: float, height: float) -> None:
    """A fir: lobes that get smaller towards the top."""
    look = Look(VEGETATION, z, scene.new_thing(VEGETATION))
    scene.shadow(x, z, height * 0.2, height * 0.15, 0.4)
    _box(scene, x, z, 0.12, 0, 1.2, (0.28, 0.21, 0.17), look)
    up = np.linspace(-0.38, 0.5, 9)
    lobes = np.stack([0.02 * height * np.cos(up * 40), up * height, (0.55 - up) * 0.24 * height], axis=1)
    tone = np.asarray((0.13, 0.25, 0.15), np.float32)
    paint_crown(scene, x, z, Crown(lobes.astype(np.float32), 0.5 * height, tone), look)


def paint_hedge(scene: Scene, x0: float, x1: float, z: float, height: float) -> None:
    """A row of bushes across the view, or one bush."""
    look = Look(VEGETATION, z, scene.new_thing(VEGETATION))
    centres = np.arange(x0, x1 + 0.01, height * 0.7)
    lobes = np.stack([centres - x0, 0 * centres, np.full(len(centres), height * 0.6)], axis=1)
    tone = np.asarray(LEAVES[scene.rng.integers(3)], np.float32) * 0.9
    paint_crown(scene, x0, z, Crown(lobes.astype(np.float32), height * 0.45, tone), look)


def paint_crown(scene: Scene, x: float, z: float, crown: Crown, look: Look) -> None:
    """Leaves: a ragged outline, clumps of light and dark, gaps."""
    camera = scene.camera
    middle = camera.project([(x, crown.height, z)])[0].astype(np.float32)
    pixels = np.float32(camera.scale(z))
    reach = np.abs(crown.lobes[:, :2]).max(axis=0) + crown.lobes[:, 2].max() * 1.35
    area = scene.window(*(middle - reach * pixels), *(middle + reach * pixels))
    if area is None:
        return
    dx, dy = (area.u - middle[0]) / pixels, (middle[1] - area.v) / pixels
    nearest = np.full(area.inside.shape, np.inf, np.float32)
    for a, b, r in crown.lobes:
        np.minimum(nearest, np.square((dx - a) / r) + np.square((dy - b) / r), out=nearest)
    nearest = np.sqrt(nearest)
    start = scene.rng.uniform(0, 256, 2).astype(np.float32)
    fine = float(np.clip(0.9 * pixels, 11, 45))  # leaves no coarser than the canvas
    clumps = lay(scene.cloudy, dy * 16 + start[0], dx * 16 + start[1])
    leaves = lay(scene.grainy, dy * fine + start[0], dx * fine + start[1])
    ragged = nearest + 0.10 * clumps + 0.09 * leaves
    sun = scene.light.sun or 0.25
    shade = 0.88 + 0.20 * dy / reach[1] + 0.16 * sun * dx / reach[0] + 0.17 * clumps + 0.15 * leaves
    shade = np.clip(shade - 0.28 * np.clip(nearest - 0.55, 0, 1), 0.28, 1.5)
    warm = np.asarray((0.10, 0.06, -0.02), np.float32) * np.clip(shade - 0.9, 0, 1)[..., None]
    color = (crown.tone * shade[..., None]) * 1.12 + warm
    scene.put(area.only((ragged < 1) & (clumps + leaves > -3.3)), color, look)


# ---------------------------------------------------------------------------------------------- cars


@dataclass(frozen=True)
class Shape:
    """The silhouette of a car from its side: (distance from the tail, height) of body and cabin."""

    length: float
    width: float
    waist: float
    roof: float
    cabin: tuple[float, float, float, float]  # tail foot, tail top, nose top, nose foot


SHAPES = (
    Shape(4.1, 1.76, 0.90, 1.46, (0.10, 0.55, 2.35, 3.15)),  # hatchback
    Shape(4.6, 1.82, 0.88, 1.42, (0.70, 1.25, 2.65, 3.50)),  # saloon
    Shape(4.5, 1.86, 1.00, 1.66, (0.06, 0.35, 2.75, 3.40)),  # estate
    Shape(5.0, 1.95, 1.15, 2.05, (0.03, 0.12, 3.80, 4.40)),  # van
)

TAPER = 0.82  # how much narrower a roof is than the body


def paint_car(scene: Scene, x: float, z: float, paint: int, shape: int, oncoming: bool = False) -> None:
    """A car whose nearer end is at z; the end is a nose with headlamps if it comes towards us."""
    s, color = SHAPES[shape], np.asarray(PAINTS[paint])
    look = Look(CAR, z, scene.new_thing(CAR))
    scene.shadow(x, z + s.length / 2, s.width * 0.62, s.length * 0.6, 0.7)
    if abs(x) > 1.2 and z < 60:
        _paint_flank(scene, s, x, z, color, look, oncoming)
    _paint_end(scene, s, x, z, color, look, oncoming)


def _along(s: Shape, oncoming: bool) -> tuple[float, float, float, float]:
    """The cabin's four distances from the end that is nearer to us."""
    if not oncoming:
        return s.cabin
    a, b, c, d = (s.length - t for t in reversed(s.cabin))
    return a, b, c, d


def _paint_flank(scene: Scene, s: Shape, middle: float, z: float, color: Numbers, look: Look, oncoming: bool) -> None:
    foot, top, top_end, end = _along(s, oncoming)
    inward = 1 if middle > 0 else -1  # the flank we see is the one nearer to the middle of the picture
    x, high = middle - inward * s.width / 2, middle - inward * s.width / 2 * TAPER
    lit = 1.05 if scene.light.sun * middle > 0 else 0.72
    body = [(0, 0.28), (0, s.waist), (s.length - 0.1, s.waist - 0.1), (s.length, 0.5), (s.length, 0.28)]
    scene.face([(x, y, z + t) for t, y in body], color * lit, look, 0.5)
    cabin = [(x, s.waist, foot), (high, s.roof, top), (high, s.roof, top_end), (x, s.waist - 0.05, end)]
    scene.face([(a, y, z + t) for a, y, t in cabin], color * lit * 1.05, look, 0.2)
    under = s.roof - 0.1
    glass = [
        (x, s.waist, foot + 0.25),
        (high, under, top + 0.2),
        (high, under, top_end - 0.15),
        (x, s.waist, end - 0.3),
    ]
    scene.face([(a, y, z + t) for a, y, t in glass], _glass(scene) * 0.9, look, 0.8)
    for axle in () if z > 30 else (0.8, s.length - 0.85):
        _disc(scene, (x, 0.32, z + axle), 0.33, (0.07, 0.07, 0.08), look, along=True)
        _disc(scene, (x, 0.32, z + axle), 0.17, (0.42, 0.42, 0.44), look, along=True)


def _paint_end(scene: Scene, s: Shape, x: float, z: float, color: Numbers, look: Look, oncoming: bool) -> None:
    foot, top, _, _ = _along(s, oncoming)
    half, upper = s.width / 2, s.width / 2 * TAPER
    _trapezium(scene, x, z, s.waist, half, z + foot, s.waist, upper, color * 1.1, look)
    _trapezium(scene, x, z + top, s.roof, upper, z + top + 1, s.roof + 0.03, upper, color * 1.15, look)
    _trapezium(scene, x, z + foot, s.waist, half, z + top, s.roof, upper, color * 0.95, look)
    low, high, inner = s.waist + 0.06, s.roof - 0.08, 0.86
    _trapezium(scene, x, z + foot, low, half * inner, z + top, high, upper * inner, _glass(scene), look, 0.9)
    body = [(-half, 0.36), (-half, s.waist - 0.12), (-half * 0.97, s.waist), (half * 0.97, s.waist),
            (half, s.waist - 0.12), (half, 0.36), (half * 0.94, 0.26), (-half * 0.94, 0.26)]  # fmt: skip
    scene.face([(x + a, y, z) for a, y in body], color * 0.92, look, 0.45)
    for side in (-1, 1):
        _lamp(scene, x + side * half * 0.78, z, s.waist, look, oncoming)
    if z > 30:  # too small to see more
        return
    _box(scene, x, z, half * 0.97, 0.26, 0.44, color * 0.35 + 0.05, look)
    for side in (-1, 1):
        _box(scene, x + side * half * 0.66, z, 0.12, 0.0, 0.30, (0.05, 0.05, 0.055), look)
    _box(scene, x, z, 0.26, 0.5, 0.61, (0.86, 0.86, 0.80), look)


def _lamp(scene: Scene, x: float, z: float, waist: float, look: Look, oncoming: bool) -> None:
    lit = scene.light.lamps or scene.light.name == "fog"
    if oncoming:
        color = (2.6, 2.5, 2.2) if lit else (0.88, 0.88, 0.86)
    else:
        color = (2.0, 0.25, 0.2) if lit else (0.62, 0.07, 0.06)
    _box(scene, x, z, 0.17, waist - 0.25, waist - 0.09, color, look)


def _glass(scene: Scene) -> Numbers:
    return np.asarray((0.10, 0.12, 0.14)) + 0.25 * np.asarray(scene.light.low_sky)


def _trapezium(
    scene: Scene, x: float, z0: float, y0: float, half0: float, z1: float, y1: float, half1: float,
    color: Color, look: Look, gradient: float = 0.15,
) -> None:  # fmt: skip
    corners = [(x - half0, y0, z0), (x - half1, y1, z1), (x + half1, y1, z1), (x + half0, y0, z0)]
    scene.face(corners, color, look, gradient)


def _box(scene: Scene, x: float, z: float, half: float, low: float, high: float, color: Color, look: Look) -> None:
    """An upright rectangle that faces us."""
    _trapezium(scene, x, z, low, half, z, high, half, color, look)


def _disc(
    scene: Scene, centre: tuple[float, float, float], radius: float, color: Color, look: Look, along: bool = False
) -> None:
    """A disc that faces us, or the side of the street."""
    x, y, z = centre
    turn = np.linspace(0, 2 * np.pi, 18, endpoint=False)
    across, up = radius * np.cos(turn), radius * np.sin(turn)
    zero = np.zeros_like(turn)
    points = np.stack([x + (zero if along else across), y + up, z + (across if along else zero)], axis=1)
    scene.face(points, color, look, 0.1)


# ---------------------------------------------------------------------------------------------- people


def paint_person(scene: Scene, x: float, z: float, height: float) -> None:
    """Someone walking or standing: legs, coat, arms, head."""
    rng = scene.rng
    look = Look(PERSON, z, scene.new_thing(PERSON))
    scene.shadow(x, z, 0.36, 0.3, 0.55)
    coat, trousers = (np.asarray(CLOTHES[rng.integers(len(CLOTHES))]) for _ in range(2))
    skin, hair = np.asarray(SKINS[rng.integers(len(SKINS))]), np.asarray((0.2, 0.15, 0.11)) * rng.uniform(0.5, 2)
    h, step = height, rng.uniform(0.02, 0.2) * height
    for side in (-1, 1):
        shade = 0.62 if side < 0 else 0.75
        _limb(scene, (x + side * 0.05 * h, 0.5 * h), (x + side * step, 0.03 * h), 0.052 * h, z, trousers * shade, look)
        toe = x + side * step + 0.05
        _limb(scene, (toe - 0.05, 0.025 * h), (toe, 0.022 * h), 0.03 * h, z, (0.12, 0.1, 0.1), look)
    swing = rng.uniform(0.0, 0.12) * h
    _limb(scene, (x - 0.12 * h, 0.79 * h), (x - 0.15 * h - swing, 0.5 * h), 0.035 * h, z, coat * 0.8, look)
    torso = [(-0.11, 0.46), (-0.13, 0.78), (-0.05, 0.86), (0.05, 0.86), (0.13, 0.78), (0.11, 0.46)]
    scene.face([(x + a * h, b * h, z) for a, b in torso], coat, look, 0.5)
    _limb(scene, (x + 0.12 * h, 0.79 * h), (x + 0.14 * h + swing, 0.5 * h), 0.035 * h, z, coat * 0.9, look)
    _disc(scene, (x, 0.935 * h, z), 0.068 * h, hair, look)
    _disc(scene, (x + 0.01 * h, 0.918 * h, z), 0.055 * h, skin, look)


def _limb(
    scene: Scene, start: tuple[float, float], end: tuple[float, float], radius: float, z: float,
    color: Color, look: Look,
) -> None:  # fmt: skip
    """A thick line with round ends, facing us."""
    (x0, y0), (x1, y1) = start, end
    heading = np.arctan2(y1 - y0, x1 - x0)
    turn = np.linspace(-np.pi / 2, np.pi / 2, 5)
    tip = [(x1 + radius * np.cos(heading + t), y1 + radius * np.sin(heading + t), z) for t in turn]
    tail = [(x0 - radius * np.cos(heading + t), y0 - radius * np.sin(heading + t), z) for t in turn]
    scene.face(tip + tail, color, look, 0.2)


# ---------------------------------------------------------------------------------------------- street furniture


def paint_lamp_post(scene: Scene, x: float, z: float) -> None:
    """A post with an arm over the road."""
    look = Look(POLE, z, scene.new_thing(POLE))
    steel, side = (0.33, 0.35, 0.35), (-1 if x > 0 else 1)
    scene.shadow(x, z, 0.25, 0.25)
    _limb(scene, (x, 0), (x, 6.4), 0.085, z, steel, look)
    _limb(scene, (x, 6.35), (x + side * 1.4, 6.7), 0.06, z, steel, look)
    glow = (2.6, 2.1, 1.3) if scene.light.lamps else (0.75, 0.75, 0.7)
    _limb(scene, (x + side * 1.2, 6.62), (x + side * 1.8, 6.68), 0.11, z, glow, look)


def paint_sign(scene: Scene, x: float, z: float, kind: int) -> None:
    """A traffic sign on a thin post: prohibition, warning, instruction, place name, or a traffic light."""
    scene.shadow(x, z, 0.2, 0.2)
    post = Look(POLE, z, scene.new_thing(POLE))
    _limb(scene, (x, 0), (x, 2.6), 0.05, z, (0.45, 0.46, 0.47), post)
    look = Look(SIGN, z - 0.01, scene.new_thing(SIGN))
    if kind == 0:
        _disc(scene, (x, 2.5, z), 0.42, (0.75, 0.08, 0.08), look)
        _disc(scene, (x, 2.5, z), 0.29, (0.93, 0.93, 0.92), look)
    elif kind == 1:
        for size, color in ((0.55, (0.75, 0.08, 0.08)), (0.36, (0.94, 0.93, 0.90))):
            corners = [(x - size, 2.42 - size * 0.55, z), (x, 2.42 + size * 1.1, z), (x + size, 2.42 - size * 0.55, z)]
            scene.face(corners, color, look, 0.05)
    elif kind == 2:
        _disc(scene, (x, 2.5, z), 0.42, (0.08, 0.25, 0.60), look)
        _limb(scene, (x, 2.3), (x, 2.72), 0.06, z, (0.95, 0.95, 0.95), look)
    elif kind == 3:
        _box(scene, x, z, 0.72, 2.1, 2.85, (0.90, 0.72, 0.10), look)
        _box(scene, x, z, 0.52, 2.4, 2.55, (0.15, 0.14, 0.12), look)
    else:
        _box(scene, x, z, 0.24, 2.15, 3.15, (0.10, 0.11, 0.11), look)
        for y, color in ((2.95, (1.5, 0.15, 0.12)), (2.65, (0.22, 0.18, 0.05)), (2.35, (0.05, 0.2, 0.12))):
            _disc(scene, (x, y, z), 0.12, color, look)


def paint_bin(scene: Scene, x: float, z: float) -> None:
    """A litter bin: belongs to no class, so its pixels are void."""
    look = Look(VOID, z, scene.new_thing(VOID))
    scene.shadow(x, z, 0.4, 0.3)
    _trapezium(scene, x, z, 0.05, 0.22, z, 0.85, 0.28, (0.20, 0.30, 0.24), look, 0.4)
    _box(scene, x, z, 0.31, 0.82, 0.95, (0.13, 0.17, 0.15), look)
