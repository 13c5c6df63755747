"""What is far or flat in a street scene: sky, hills, the ground with its road and pavements.

Conventions
-----------
The ground is y = 0. A `Ground` says where road and pavements run; between them and the frontage lies grass.
A road bends by moving everything sideways with the square of the distance (`Ground.shift`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .noise import Numbers, lay, ramp
from .scene import BUILDING, PAVEMENT, ROAD, SKY, VEGETATION, Area, Look, Scene


@dataclass(frozen=True)
class Ground:
    """Where the road runs, in metres to the right of the camera; a pavement of width 0 is a verge."""

    left: float
    right: float
    pavement_left: float
    pavement_right: float
    bend: float
    crossing: float | None  # how far ahead a zebra crossing is
    tiles: bool

    def shift(self, z: Numbers | float) -> Numbers | float:
        """How far the road has moved sideways at that distance."""
        return self.bend * np.square(np.minimum(z, 90.0))


def paint_sky(scene: Scene) -> None:
    """A gradient, and clouds that flatten towards the horizon."""
    light, camera = scene.light, scene.camera
    area = _rows(scene, 0, int(camera.horizon) + 1)
    up = (camera.horizon - area.v) / camera.focal
    mix = ramp(0.0, 0.62, up)[..., None]
    sky = (1 - mix) * np.asarray(light.low_sky, np.float32) + mix * np.asarray(light.zenith, np.float32)
    far = 1 / (up + 0.12)
    side = (area.u - camera.centre) / camera.focal * far
    drift = scene.rng.uniform(0, 256, 2)
    noise = lay(scene.cloudy, far * 22 + drift[0], side * 14 + drift[1])
    noise = noise + 0.25 * lay(scene.grainy, far * 40, side * 25)
    cover = ramp(0.9 - 1.9 * light.clouds, 2.3 - 1.9 * light.clouds, noise)[..., None]
    bright = 0.9 + 0.09 * lay(scene.cloudy, far * 22 + drift[0] + 6, side * 14 + drift[1] + 4)[..., None]
    cloud = np.asarray(light.low_sky, np.float32) * 0.25 + np.asarray((0.74, 0.74, 0.75), np.float32) * bright
    sky = sky + 0.85 * cover * (cloud - sky) * (0.35 + 0.65 * ramp(0.0, 0.2, up)[..., None])
    scene.put(area, sky, Look(SKY, 1e6))


def paint_hills(scene: Scene) -> None:
    """Two ridges of wooded hills, the farther one paler."""
    for distance, height, tone in ((900.0, 0.085, (0.38, 0.45, 0.42)), (420.0, 0.05, (0.27, 0.37, 0.22))):
        _paint_ridge(scene, distance, height * scene.rng.uniform(0.6, 1.5), tone)


def _paint_ridge(scene: Scene, distance: float, height: float, tone: tuple[float, float, float]) -> None:
    camera = scene.camera
    area = _rows(scene, 0, int(camera.horizon) + 2)
    columns = area.u[0]
    row = float(scene.rng.integers(0, 256))
    wave = lay(scene.cloudy, row, columns * 0.13 + row) + 0.12 * lay(scene.grainy, row, columns * 0.6)
    top = camera.horizon - camera.focal * height * (0.8 + 0.35 * wave)
    leaves = lay(scene.grainy, area.v * 1.3 + row, area.u * 1.0)
    color = np.asarray(tone, np.float32) * (1 + 0.12 * leaves[..., None])
    scene.put(area.only(area.v > top[None, :]), color, Look(VEGETATION, distance))


def paint_far_town(scene: Scene) -> None:
    """A skyline of blocks where the street ends."""
    rng = scene.rng
    for _ in range(14):
        x, width, height = rng.uniform(-60, 60), rng.uniform(8, 18), rng.uniform(6, 20)
        z = rng.uniform(130, 190)
        tone = np.asarray((0.55, 0.5, 0.46)) * rng.uniform(0.7, 1.15)
        corners = [(x, 0, z), (x, height, z), (x + width, height, z), (x + width, 0, z)]
        scene.face(corners, tone, Look(BUILDING, z))


def paint_ground(scene: Scene, ground: Ground) -> None:
    """Grass everywhere, then pavements and the road over it."""
    camera = scene.camera
    area = _rows(scene, int(camera.horizon) + 1, camera.height)
    z = camera.eye * camera.focal / (area.v + 0.5 - camera.horizon)
    x = (area.u - camera.centre) * z / camera.focal - ground.shift(z)
    z = np.broadcast_to(z, x.shape)
    road = (x > ground.left) & (x < ground.right)
    paved = (x > ground.left - ground.pavement_left) & (x < ground.right + ground.pavement_right) & ~road
    grass = ~(road | paved)
    scene.fill(area.only(grass), _grass(scene, x[grass], z[grass]), z[grass], VEGETATION)
    scene.fill(area.only(paved), _pavement(scene, ground, x[paved], z[paved]), z[paved], PAVEMENT)
    scene.fill(area.only(road), _road(scene, ground, x[road], z[road]), z[road], ROAD)


def _grass(scene: Scene, x: Numbers, z: Numbers) -> Numbers:
    patches = lay(scene.cloudy, z * 5, x * 9)[..., None]
    blades = lay(scene.grainy, z * 40, x * 60)[..., None]
    base = np.asarray((0.34, 0.42, 0.19), np.float32) + np.asarray((0.05, 0.01, 0.01), np.float32) * patches
    return base * (1 + 0.14 * blades * _near(z))


def _pavement(scene: Scene, ground: Ground, x: Numbers, z: Numbers) -> Numbers:
    """Slabs with joints, and a pale kerb."""
    base = np.asarray((0.62, 0.58, 0.54) if ground.tiles else (0.52, 0.51, 0.51), np.float32)
    slab = lay(scene.grainy, np.floor(z / 0.8) * 7, np.floor(x / 0.8) * 3)[..., None]
    grain = lay(scene.grainy, z * 50, x * 70)[..., None]
    color = base * (1 + 0.05 * slab + 0.05 * grain * _near(z))
    joint = ((z % 0.8 < 0.06) | (x % 0.8 < 0.05))[..., None] * _near(z)
    kerb = ((np.abs(x - ground.right - 0.1) < 0.1) | (np.abs(x - ground.left + 0.1) < 0.1))[..., None]
    color = color * (1 - 0.22 * joint)
    return np.where(kerb, np.asarray((0.7, 0.69, 0.67), np.float32), color)


def _road(scene: Scene, ground: Ground, x: Numbers, z: Numbers) -> Numbers:
    """Asphalt with grain, patches, wheel tracks and white marks."""
    grain = lay(scene.grainy, z * 45, x * 70)[..., None]
    patches = lay(scene.cloudy, z * 4, x * 10)[..., None]
    tracks = (np.cos((x + 0.05) * 2 * np.pi / 1.7) * 0.025)[..., None]
    tone = np.asarray((0.37, 0.37, 0.385), np.float32)
    color = tone * (1 + 0.07 * grain * _near(z) + 0.045 * patches + tracks)
    worn = 0.86 + 0.08 * lay(scene.grainy, z * 20, x * 30)[..., None]
    marks = _marks(ground, x, z)[..., None] * np.clip(worn, 0.5, 1)
    return color + marks * (np.asarray((0.86, 0.86, 0.84), np.float32) - color)


def _marks(ground: Ground, x: Numbers, z: Numbers) -> Numbers:
    """1 where the road is painted: a dashed middle line, edge lines, a zebra crossing."""
    middle = -1.7
    wide = 0.07 + z * 0.0012  # never thinner than a pixel
    marks = (np.abs(x - middle) < wide) & (z % 6 < 3.4)
    if ground.pavement_left == 0:
        marks |= np.abs(x - ground.left - 0.25) < wide * 0.8
        marks |= np.abs(x - ground.right + 0.25) < wide * 0.8
    if ground.crossing is not None:
        zone = (z > ground.crossing) & (z < ground.crossing + 3.2)
        inner = (x > ground.left + 0.3) & (x < ground.right - 0.3)
        marks = np.where(zone, inner & ((x - ground.left) % 1.1 < 0.55), marks)
    return marks.astype(np.float32)


def _near(z: Numbers) -> Numbers:
    """Fine texture fades with distance, as it would in a camera."""
    return (1 - ramp(6.0, 45.0, z))[..., None]


def shade_ground(scene: Scene, edge: float, ground: Ground) -> None:
    """The shadow of the sunny side's buildings falls across the street up to `edge` metres."""
    camera = scene.camera
    area = _rows(scene, int(camera.horizon) + 1, camera.height)
    z = camera.eye * camera.focal / (area.v + 0.5 - camera.horizon)
    x = (area.u - camera.centre) * z / camera.focal - ground.shift(z)
    roofs = 1.3 * np.round(lay(scene.cloudy, np.broadcast_to(z, x.shape) * 0.9, 40))
    dark = (x - edge - roofs) * scene.light.sun > 0
    scene.color[area.rows] *= np.where(dark, np.asarray(0.62, np.float32), np.float32(1))[..., None]


def _rows(scene: Scene, top: int, bottom: int) -> Area:
    shape = bottom - top, scene.camera.width
    return Area(slice(top, bottom), slice(0, scene.camera.width), np.ones(shape, np.bool_))
