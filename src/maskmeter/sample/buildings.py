"""Buildings of a street scene: rows of town houses, and houses with gardens.

Conventions
-----------
A building is a box along the street: `front` is the x of its facade, `side` is -1 for the left side of the
street and +1 for the right, and it reaches from z `near` to z `far`. Buildings are painted from near to far, so
that no time goes into walls that others hide. Its facade is seen at a slant, so windows
are painted by asking of every pixel which metre of the wall it shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .noise import Numbers, lay
from .scene import BUILDING, Look, Scene

WALLS = (
    (0.76, 0.68, 0.56), (0.66, 0.42, 0.33), (0.82, 0.78, 0.70), (0.58, 0.55, 0.53), (0.72, 0.60, 0.44),
    (0.60, 0.36, 0.29), (0.70, 0.73, 0.72), (0.79, 0.66, 0.55), (0.53, 0.49, 0.44), (0.84, 0.80, 0.62),
)  # fmt: skip
ROOFS = ((0.46, 0.26, 0.20), (0.34, 0.33, 0.35), (0.52, 0.33, 0.24), (0.28, 0.27, 0.29))
AWNINGS = ((0.62, 0.16, 0.14), (0.14, 0.34, 0.25), (0.16, 0.24, 0.44), (0.78, 0.58, 0.22))


@dataclass(frozen=True)
class Building:
    """A box with its wall, roof and windows."""

    front: float
    side: int
    near: float
    far: float
    height: float
    deep: float
    wall: Numbers
    roof: Numbers
    bay: float  # metres from window to window
    window: tuple[float, float]  # share of a bay, share of a floor
    shop: bool
    seed: int

    @classmethod
    def draw(cls, rng: np.random.Generator, front: float, side: int, near: float, far: float, town: bool) -> Building:
        """A building of its own character."""
        floors = rng.integers(3, 6) if town else rng.integers(2, 4)
        return cls(
            front, side, near, far,
            height=3.1 * float(floors) + rng.uniform(0.3, 0.9), deep=rng.uniform(8, 12),
            wall=np.asarray(WALLS[rng.integers(len(WALLS))], np.float32) * rng.uniform(0.88, 1.06),
            roof=np.asarray(ROOFS[rng.integers(len(ROOFS))], np.float32),
            bay=rng.uniform(1.9, 3.0), window=(rng.uniform(0.38, 0.6), rng.uniform(0.45, 0.62)),
            shop=bool(town and rng.random() < 0.6), seed=int(rng.integers(256)),
        )  # fmt: skip


def paint_building(scene: Scene, b: Building) -> None:
    """Roof, the wall that faces the camera, the facade along the street."""
    _paint_roof(scene, b)
    _paint_end(scene, b)
    _paint_facade(scene, b)


def _paint_roof(scene: Scene, b: Building) -> None:
    ridge = b.front + b.side * b.deep / 2, b.height + 2.6
    eaves = b.front - b.side * 0.25, b.height
    slope = [(*eaves, b.near), (*eaves, b.far), (*ridge, b.far), (*ridge, b.near)]
    lit = 1.08 if scene.light.sun * b.side < 0 else 0.9
    scene.face(slope, b.roof * lit, Look(BUILDING, (b.near + b.far) / 2), gradient=0.1, behind=b.near)
    back = b.front + b.side * b.deep
    gable = [(*eaves, b.near), (*ridge, b.near), (back, b.height, b.near)]
    scene.face(gable, b.wall * 0.8, Look(BUILDING, b.near), behind=b.near)
    if b.seed % 2:
        _paint_chimney(scene, b)


def _paint_chimney(scene: Scene, b: Building) -> None:
    x, z = b.front + b.side * 3.0, b.near + (b.far - b.near) * 0.4
    low, high = b.height + 1.2, b.height + 3.6
    corners = [(x - 0.5, low, z), (x - 0.5, high, z), (x + 0.5, high, z), (x + 0.5, low, z)]
    scene.face(corners, (0.48, 0.3, 0.25), Look(BUILDING, z), behind=b.near)


def _paint_end(scene: Scene, b: Building) -> None:
    """The wall across the street's direction, seen where the next building is lower or missing."""
    back = b.front + b.side * b.deep
    corners = [(b.front, 0, b.near), (b.front, b.height, b.near), (back, b.height, b.near), (back, 0, b.near)]
    area = scene.outline(corners, b.near)
    if area is None:
        return
    v, u = area.pixels()
    along = np.abs((u - scene.camera.centre) * b.near / scene.camera.focal - b.front)
    up = scene.camera.eye - (v - scene.camera.horizon) * b.near / scene.camera.focal
    scene.fill(area, _wall(scene, b, along, up, 0.82), b.near, BUILDING)


def _paint_facade(scene: Scene, b: Building) -> None:
    corners = [(b.front, 0, b.near), (b.front, b.height, b.near), (b.front, b.height, b.far), (b.front, 0, b.far)]
    area = scene.outline(corners, b.near)
    if area is None:
        return
    v, u = area.pixels()
    z = scene.camera.focal * b.front / (u - scene.camera.centre + 0.01 * b.side)
    up = scene.camera.eye - (v - scene.camera.horizon) * z / scene.camera.focal
    lit = 1.06 if scene.light.sun * b.side < 0 else 0.74 if scene.light.sun else 0.9
    scene.fill(area, _wall(scene, b, z - b.near, up, lit), np.clip(z, b.near, b.far), BUILDING)


def _wall(scene: Scene, b: Building, along: Numbers, up: Numbers, lit: float) -> Numbers:
    """The colour of a wall at metres along and up."""
    plaster = 1 + 0.045 * lay(scene.cloudy, up * 8, along * 8 + b.seed) + 0.03 * lay(scene.grainy, up * 30, along * 30)
    stain = 1 - 0.12 * np.exp(-np.clip(up, 0, 9) / 0.8)
    color = b.wall * (lit * plaster * stain)[..., None]
    cornice = np.abs(up - b.height + 0.2) < 0.2
    ledge = (up % 3.1 < 0.14) & (up > 2.5)
    color = np.where((cornice | ledge)[..., None], color * 1.14, color)
    color = _windows(scene, b, along, up, lit, color)
    return _shop(scene, b, along, up, lit, color) if b.shop else _door(b, along, up, color)


def _windows(scene: Scene, b: Building, along: Numbers, up: Numbers, lit: float, color: Numbers) -> Numbers:
    floor, bay = np.floor(up / 3.1), np.floor(along / b.bay)
    x, y = along / b.bay - bay - 0.5, up / 3.1 - floor - 0.53
    wide, tall = b.window[0] / 2, b.window[1] / 2
    real = (up < b.height - 0.5) & (up > (3.1 if b.shop else 0.4))
    frame = (np.abs(x) < wide + 0.05) & (np.abs(y) < tall + 0.04) & real
    glass = (np.abs(x) < wide) & (np.abs(y) < tall) & (np.abs(x) > 0.025) & real
    chance = lay(scene.grainy, floor * 31 + b.seed, bay * 17 + b.seed)
    dark = np.asarray((0.17, 0.20, 0.25), np.float32) * (1 + 0.3 * chance + 0.9 * (y + 0.3))[..., None]
    sky = np.asarray(scene.light.low_sky, np.float32)
    pane = dark + 0.2 * sky * ((chance > -0.3) * (0.6 + y))[..., None]
    if scene.light.lamps:
        lamp = np.asarray((2.1, 1.45, 0.72), np.float32) * (0.85 + 0.12 * chance)[..., None]
        pane = np.where((chance > 0.55)[..., None], lamp, pane)
    color = np.where(frame[..., None], np.clip(b.wall * 1.22, 0, 0.95) * lit, color)
    return np.where(glass[..., None], pane, color)


def _shop(scene: Scene, b: Building, along: Numbers, up: Numbers, lit: float, color: Numbers) -> Numbers:
    """Show windows at street level under a coloured sign board."""
    paint = np.asarray(AWNINGS[b.seed % len(AWNINGS)], np.float32)
    board = (up > 2.45) & (up < 3.05)
    stripes = np.where((along % 0.8 < 0.4)[..., None], paint, paint * 0.5 + 0.45) if b.seed % 3 == 0 else paint
    color = np.where(board[..., None], stripes * lit, color)
    show = (up > 0.5) & (up < 2.35) & (along % 3.4 > 0.35) & (along % 3.4 < 3.0)
    goods = lay(scene.grainy, up * 5 + b.seed, along * 6)
    inside = np.asarray((0.26, 0.25, 0.24), np.float32) * (1 + 0.35 * goods)[..., None]
    if scene.light.lamps:
        inside = np.asarray((1.7, 1.3, 0.85), np.float32) * (0.9 + 0.2 * goods)[..., None]
    return np.where(show[..., None], inside, color)


def _door(b: Building, along: Numbers, up: Numbers, color: Numbers) -> Numbers:
    wood = np.asarray(AWNINGS[b.seed % len(AWNINGS)], np.float32) * 0.6
    door = (up < 2.3) & (np.abs(along - b.bay * 1.0) < 0.55)
    return np.where(door[..., None], wood, color)
