"""The canvas of a street scene: a pinhole camera, and layers painted from far to near.

Conventions
-----------
The world is in metres: x to the right, y up from the ground, z away from the camera. The canvas is finer
than the finished image, and every painted pixel gets four things at once: a colour, a label, a
depth (for haze) and the number of the object it belongs to (0 for surfaces such as road or sky). So the
ground truth is exact by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from . import noise
from .noise import Bools, Bytes, Floats, Numbers

ROAD, PAVEMENT, BUILDING, POLE, SIGN, VEGETATION, SKY, PERSON, CAR, VOID = 0, 1, 2, 3, 4, 5, 6, 7, 8, 255

Color = Sequence[float] | Numbers
Points = Sequence[tuple[float, float, float]] | Numbers


@dataclass(frozen=True)
class Camera:
    """A pinhole at eye height that looks along z; the horizon is a row, the vanishing point a column."""

    width: int
    height: int
    focal: float
    horizon: float
    centre: float
    eye: float = 1.5

    def project(self, points: Points) -> Numbers:
        """World points (n, 3) -> columns and rows (n, 2)."""
        x, y, z = np.asarray(points, np.float64).T
        return np.stack([self.centre + self.focal * x / z, self.horizon + self.focal * (self.eye - y) / z], axis=1)

    def scale(self, z: float) -> float:
        """Pixels to a metre at that distance."""
        return self.focal / z


@dataclass(frozen=True)
class Light:
    """The hour and the weather."""

    name: str
    zenith: Color
    low_sky: Color
    tint: Color  # what the scene is multiplied by
    haze: Color
    sight: float  # metres after which 63 % of a colour is haze
    clouds: float  # 0 clear .. 1 covered
    sun: float  # -1 from the left, +1 from the right, 0 nowhere
    lamps: bool  # windows, lamps and car lights are lit
    grain: float  # spread of the sensor's noise


@dataclass(frozen=True)
class Look:
    """What painted pixels are."""

    label: int
    depth: float | Numbers
    thing: int = 0


@dataclass(frozen=True)
class Area:
    """Part of the canvas: a window, the pixels of it that are meant, and their coordinates as open grids."""

    rows: slice
    cols: slice
    inside: Bools

    @property
    def v(self) -> Numbers:
        return np.arange(self.rows.start, self.rows.stop, dtype=np.float32)[:, None]

    @property
    def u(self) -> Numbers:
        return np.arange(self.cols.start, self.cols.stop, dtype=np.float32)[None, :]

    def pixels(self) -> tuple[Numbers, Numbers]:
        """Row and column of each pixel that is meant."""
        rows, cols = np.nonzero(self.inside)
        return (rows + self.rows.start).astype(np.float32), (cols + self.cols.start).astype(np.float32)

    def only(self, inside: Numbers) -> Area:
        """The pixels of this area where `inside` holds too."""
        return Area(self.rows, self.cols, self.inside & inside)


@dataclass
class Scene:
    """A picture in the making."""

    rng: np.random.Generator
    camera: Camera
    light: Light
    things: list[int] = field(default_factory=lambda: [VOID])  # the label of each object; 0 is no object

    def __post_init__(self) -> None:
        shape = self.camera.height, self.camera.width
        self.color: Floats = np.zeros((*shape, 3), np.float32)
        self.label: Bytes = np.full(shape, SKY, np.uint8)
        self.depth: Floats = np.full(shape, 1e6, np.float32)
        self.thing = np.zeros(shape, np.uint16)
        self.grainy = noise.field(self.rng, (noise.TILE, noise.TILE), slope=0.9)
        self.cloudy = noise.field(self.rng, (noise.TILE, noise.TILE), slope=1.8)

    def new_thing(self, label: int) -> int:
        """A number for one more object."""
        self.things.append(label)
        return len(self.things) - 1

    def window(self, left: float, top: float, right: float, bottom: float) -> Area | None:
        """The rectangle, cut to the canvas; None where nothing of it is left."""
        c0, c1 = max(0, int(np.floor(left))), min(self.camera.width, int(np.ceil(right)) + 1)
        r0, r1 = max(0, int(np.floor(top))), min(self.camera.height, int(np.ceil(bottom)) + 1)
        if c0 >= c1 or r0 >= r1:
            return None
        return Area(slice(r0, r1), slice(c0, c1), np.ones((r1 - r0, c1 - c0), np.bool_))

    def outline(self, points: Points, behind: float = 0.0) -> Area | None:
        """The inside of a polygon in the world, less what is hidden by things nearer than `behind`."""
        corners = self.camera.project(points)
        area = self.window(*corners.min(axis=0), *corners.max(axis=0))
        if area is None:
            return None
        mask = Image.new("L", area.inside.shape[::-1])
        shifted = corners - (area.cols.start, area.rows.start)
        ImageDraw.Draw(mask).polygon(shifted.ravel().tolist(), fill=1)
        inside = np.asarray(mask).view(np.bool_)
        if behind:
            inside = inside & (self.depth[area.rows, area.cols] > behind - 0.01)
            if not inside.any():
                return None
        return Area(area.rows, area.cols, inside)

    def put(self, area: Area | None, color: Color, look: Look) -> None:
        """Paint: one colour, or an array of them over the window."""
        if area is None:
            return
        where, mask = (area.rows, area.cols), area.inside
        np.copyto(self.color[where], np.asarray(color, np.float32), where=mask[..., None])
        np.copyto(self.depth[where], np.asarray(look.depth, np.float32), where=mask)
        np.copyto(self.label[where], np.uint8(look.label), where=mask)
        np.copyto(self.thing[where], np.uint16(look.thing), where=mask)

    def fill(self, area: Area, colors: Numbers, depths: Numbers | float, label: int) -> None:
        """Paint a surface: a colour for each of `area.pixels()`."""
        where, mask = (area.rows, area.cols), area.inside
        self.color[where][mask] = colors
        self.depth[where][mask] = depths
        np.copyto(self.label[where], np.uint8(label), where=mask)
        np.copyto(self.thing[where], np.uint16(0), where=mask)

    def face(self, points: Points, color: Color, look: Look, gradient: float = 0.15, behind: float = 0.0) -> None:
        """A flat polygon in the world, a little lighter at its top than at its foot."""
        area = self.outline(points, behind)
        if area is None:
            return
        rows = area.inside.shape[0]
        shade = (1 + gradient / 2 - np.arange(rows, dtype=np.float32) * (gradient / rows))[:, None, None]
        self.put(area, np.asarray(color, np.float32) * shade, look)

    def shadow(self, x: float, z: float, width: float, length: float, strength: float = 0.55) -> None:
        """Darken a soft ellipse on the ground: what stands on it touches it."""
        camera = self.camera
        near, far = max(0.8, z - length), z + length
        corners = camera.project([(x - width, 0, near), (x + width, 0, near), (x - width, 0, far), (x + width, 0, far)])
        area = self.window(*corners.min(axis=0), *corners.max(axis=0))
        if area is None:
            return
        away = camera.eye * camera.focal / np.maximum(area.v - camera.horizon, 0.5)
        across = (area.u - camera.centre) * away / camera.focal
        inside = 1 - np.square((across - x) / width) - np.square((away - z) / length)
        dark = strength * np.clip(2 * inside, 0, 1)
        self.color[area.rows, area.cols] *= (1 - dark)[..., None]
