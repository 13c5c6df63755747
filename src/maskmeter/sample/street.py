"""The street scenes: a layout for each image, the finished photograph, and its ground truth.

Conventions
-----------
An image is `NNNN_CONDITION`; the conditions follow each other in a fixed cycle, so groups by condition
are there to compare. Image i of a seed is the same however many images are made. Classes are 0 to 8; 255 is
void: the bonnet of the car that carries the camera, litter bins, and a thin outline around some objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image
from scipy import ndimage

from .backdrop import Ground, paint_far_town, paint_ground, paint_hills, paint_sky, shade_ground
from .buildings import Building, paint_building
from .noise import Bytes, Floats, Numbers, to_bytes
from .scene import CAR, PERSON, VOID, Camera, Light, Scene
from .things import (
    LEAVES,
    PAINTS,
    SHAPES,
    paint_bin,
    paint_car,
    paint_conifer,
    paint_hedge,
    paint_lamp_post,
    paint_person,
    paint_sign,
    paint_tree,
)  # fmt: skip

WIDTH, HEIGHT = 320, 192
FINE = 1.5  # the canvas is larger by this factor: soft edges for little work
CYCLE = ("day", "overcast", "day", "dusk", "day", "overcast", "fog", "day")
KINDS = ("town", "suburb", "town", "country", "suburb", "town", "town", "country", "suburb")


@dataclass(frozen=True)
class Shot:
    """One finished image with all that is known about it."""

    name: str
    photo: Bytes  # (rows, columns, 3)
    truth: Bytes  # labels, with void
    whole: Bytes  # labels before outlines and bonnet were voided: what a perfect model would see
    thing: Numbers  # number of the object, 0 for surfaces
    things: tuple[int, ...]  # label of each object


def shots(seed: int, images: int) -> Iterator[Shot]:
    """The images, one after the other."""
    for index in range(images):
        rng = np.random.default_rng((seed, 1, index))
        condition = CYCLE[index % len(CYCLE)]
        scene = Scene(rng, _camera(rng), _light(rng, condition))
        _compose(scene, KINDS[index % len(KINDS)])
        yield _expose(scene, f"{index + 1:04d}_{condition}")


def _camera(rng: np.random.Generator) -> Camera:
    width, height = int(WIDTH * FINE), int(HEIGHT * FINE)
    return Camera(
        width, height, focal=0.86 * width,
        horizon=height * rng.uniform(0.44, 0.51), centre=width * rng.uniform(0.42, 0.58),
    )  # fmt: skip


def _light(rng: np.random.Generator, condition: str) -> Light:
    sun = float(rng.choice((-1, 1)))
    warm = rng.uniform(0, 1)
    match condition:
        case "day":
            return Light(
                "day", zenith=(0.36, 0.57, 0.85), low_sky=(0.76, 0.84, 0.93), haze=(0.74, 0.82, 0.90),
                tint=(1.12 + 0.06 * warm, 1.08, 1.02 - 0.06 * warm), sight=650, clouds=rng.uniform(0.25, 0.62),
                sun=sun, lamps=False, grain=0.008,
            )  # fmt: skip
        case "overcast":
            return Light(
                "overcast", zenith=(0.62, 0.66, 0.70), low_sky=(0.82, 0.84, 0.85), haze=(0.76, 0.79, 0.81),
                tint=(0.93, 0.95, 0.98), sight=300, clouds=rng.uniform(0.8, 1.05), sun=0, lamps=False, grain=0.011,
            )  # fmt: skip
        case "dusk":
            return Light(
                "dusk", zenith=(0.24, 0.26, 0.46), low_sky=(0.98, 0.62 + 0.12 * warm, 0.40 + 0.12 * warm),
                haze=(0.72, 0.50, 0.42), tint=(0.58, 0.47, 0.50), sight=420, clouds=rng.uniform(0.35, 0.6),
                sun=0, lamps=True, grain=0.017,
            )  # fmt: skip
        case _:
            return Light(
                "fog", zenith=(0.72, 0.74, 0.76), low_sky=(0.78, 0.79, 0.80), haze=(0.77, 0.78, 0.79),
                tint=(0.90, 0.92, 0.94), sight=rng.uniform(28, 42), clouds=0.9, sun=0, lamps=False, grain=0.011,
            )  # fmt: skip


# ---------------------------------------------------------------------------------------------- layout


def _compose(scene: Scene, kind: str) -> None:
    """Backdrop, ground, frontage, then everything that stands in the street, from far to near."""
    rng = scene.rng
    ground = _ground(rng, kind)
    paint_sky(scene)
    if kind != "town" or rng.random() < 0.5:
        paint_hills(scene)
    if kind == "town":
        paint_far_town(scene)
    paint_ground(scene, ground)
    if scene.light.sun and kind != "country":
        edge = ground.right - rng.uniform(-1.5, 2.2) if scene.light.sun > 0 else ground.left + rng.uniform(-1.5, 2.2)
        shade_ground(scene, edge, ground)
    _frontage(scene, ground, kind)
    painters = [*_greenery(scene, ground, kind), *_traffic(scene, ground, kind), *_furniture(scene, ground, kind)]
    painters += _people(scene, ground, kind)
    for _, paint in sorted(painters, key=lambda item: -item[0]):
        paint()


Painter = tuple[float, partial[None]]  # how far away, and what paints it


def _ground(rng: np.random.Generator, kind: str) -> Ground:
    if kind == "country":
        return Ground(-5.2, 1.9, 0.0, float(rng.choice((0.0, 1.6))), rng.uniform(-1, 1) * 0.0035, None, False)
    parking = rng.choice((0.0, 2.1))
    wide = rng.uniform(2.2, 3.6) if kind == "town" else rng.uniform(1.5, 2.2)
    crossing = float(rng.uniform(9, 20)) if rng.random() < 0.4 else None
    return Ground(-5.1 - rng.choice((0.0, 2.1)), 1.8 + parking, wide, wide, 0.0, crossing, rng.random() < 0.6)


def _frontage(scene: Scene, ground: Ground, kind: str) -> None:
    """Buildings on both sides; only a farm here and there in the country."""
    rng = scene.rng
    buildings: list[Building] = []
    for side in (-1, 1):
        edge = ground.right + ground.pavement_right if side > 0 else ground.left - ground.pavement_left
        garden = {"town": 0.3, "suburb": 3.5, "country": 14.0}[kind]
        z = rng.uniform(3, 9) if kind == "town" else rng.uniform(9, 22)
        while z < (110 if kind == "town" else 90):
            front = edge + side * (garden + rng.uniform(0, 0.4 if kind == "town" else 2.0))
            length = rng.uniform(9, 18) if kind == "town" else rng.uniform(8, 12)
            if rng.random() < {"town": 0.93, "suburb": 0.85, "country": 0.25}[kind]:
                buildings.append(Building.draw(rng, front, side, z, z + length, kind == "town"))
            z += length + (0.0 if kind == "town" else rng.uniform(4, 14))
    for building in sorted(buildings, key=lambda b: b.near):
        paint_building(scene, building)


def _greenery(scene: Scene, ground: Ground, kind: str) -> list[Painter]:
    rng = scene.rng
    painters: list[Painter] = []
    autumn = rng.random() < 0.25
    spacing = {"town": rng.uniform(14, 30), "suburb": 9.0, "country": 7.0}[kind]
    for side in (-1, 1):
        edge = ground.right + ground.pavement_right if side > 0 else ground.left - ground.pavement_left
        z = rng.uniform(9, 22)
        while z < 110:
            back = -0.9 if kind == "town" else rng.uniform(0.6, 3.2) if kind == "suburb" else rng.uniform(1.5, 16)
            x = edge + side * back + float(ground.shift(z))
            height = rng.uniform(4.5, 7.5) if kind == "town" else rng.uniform(4, 10)
            leaf = len(LEAVES) - 1 if autumn and rng.random() < 0.6 else None
            if kind != "town" and rng.random() < 0.25:
                painters.append((z, partial(paint_conifer, scene, x, z, height)))
            elif kind != "town" and rng.random() < 0.35:
                painters.append((z, partial(paint_hedge, scene, x, x + rng.uniform(0.5, 5), z, rng.uniform(0.9, 1.8))))
            else:
                painters.append((z, partial(paint_tree, scene, x, z, height, leaf)))
            z += spacing * rng.uniform(0.6, 1.5)
    return painters


def _traffic(scene: Scene, ground: Ground, kind: str) -> list[Painter]:
    """Cars in both lanes, and rows of parked ones where there is room."""
    rng = scene.rng
    places: list[tuple[float, float, bool]] = []
    if rng.random() < 0.75:
        places.append((0.0 + rng.uniform(-0.3, 0.3), rng.uniform(9, 32), False))
    for z in np.cumsum(rng.uniform(9, 34, 3)):
        places.append((-3.4 + rng.uniform(-0.3, 0.3), float(z), True))
    if ground.right > 3:
        places += [(ground.right - 1.05, float(z), False) for z in _row(rng)]
    if ground.left < -6:
        places += [(ground.left + 1.05, float(z), True) for z in _row(rng)]
    if kind == "country":
        places = places[:2]
    return [
        (z, partial(
            paint_car, scene, x + float(ground.shift(z)), z, int(rng.integers(len(PAINTS))),
            int(rng.integers(len(SHAPES))), oncoming,
        ))
        for x, z, oncoming in places
    ]  # fmt: skip


def _row(rng: np.random.Generator) -> Numbers:
    """Where parked cars stand along a kerb."""
    z = rng.uniform(5.5, 11) + np.cumsum(np.r_[0, rng.uniform(5.6, 9.5, 7)])
    return z[rng.random(8) < 0.7]


def _people(scene: Scene, ground: Ground, kind: str) -> list[Painter]:
    rng = scene.rng
    count = int(rng.integers(4, 11)) if kind == "town" else int(rng.integers(1, 5))
    painters: list[Painter] = []
    for _ in range(count):
        z = float(rng.uniform(7, 42))
        right = rng.random() < 0.5
        if ground.crossing is not None and rng.random() < 0.3:
            x, z = rng.uniform(ground.left + 1, ground.right - 0.5), ground.crossing + rng.uniform(0.4, 2.8)
        elif right:
            x = ground.right + rng.uniform(0.3, 0.8) * max(ground.pavement_right, 1.2)
        else:
            x = ground.left - rng.uniform(0.3, 0.8) * max(ground.pavement_left, 1.2)
        height = rng.uniform(1.1, 1.4) if rng.random() < 0.15 else rng.uniform(1.58, 1.88)
        painters.append((z, partial(paint_person, scene, float(x + ground.shift(z)), z, height)))
        if rng.random() < 0.3:
            beside = partial(paint_person, scene, float(x + ground.shift(z) + 0.65), z + 0.4, rng.uniform(1.55, 1.85))
            painters.append((z + 0.4, beside))
    return painters


def _furniture(scene: Scene, ground: Ground, kind: str) -> list[Painter]:
    """Lamp posts at regular steps, signs and bins between them."""
    rng = scene.rng
    painters: list[Painter] = []
    first, step = rng.uniform(8, 16), rng.uniform(16, 26)
    for side in (-1, 1):
        kerb = ground.right + 0.45 if side > 0 else ground.left - 0.45
        posts = first + 0.5 * step * (side > 0) + step * np.arange(4)
        for z in posts if kind != "country" or side > 0 else ():
            painters.append((float(z), partial(paint_lamp_post, scene, kerb + float(ground.shift(z)), float(z))))
        for z in rng.uniform(8, 34, int(rng.integers(1, 4))):
            x = kerb + side * 0.2 + float(ground.shift(z))
            painters.append((float(z), partial(paint_sign, scene, x, float(z), int(rng.integers(5)))))
        if kind == "town":
            z = float(rng.uniform(8, 25))
            painters.append((z, partial(paint_bin, scene, kerb + side * 0.3, z)))
    return painters


# ---------------------------------------------------------------------------------------------- exposure


def _expose(scene: Scene, name: str) -> Shot:
    """Light, haze, lens and sensor; and the label map at the size of the photograph."""
    light = scene.light
    sky = scene.depth > 1e5
    clear = np.exp(scene.depth * (-1 / light.sight))
    clear[sky] = 0.25 if light.name == "fog" else 1
    color = scene.color
    for channel in range(3):  # one at a time: less memory to walk through
        lit = np.where(sky, np.float32(1), np.float32(light.tint[channel])) * clear
        color[..., channel] *= lit
        color[..., channel] += (1 - clear) * np.float32(light.haze[channel])
    bonnet = _paint_bonnet(color)
    photo = to_bytes(_lens(scene.rng, _shrink(color), light))
    pick = np.ix_(*(((np.arange(n) + 0.5) * FINE).astype(int) for n in (HEIGHT, WIDTH)))
    whole, thing = scene.label[pick], scene.thing[pick]
    truth = _void(scene, whole, thing)
    truth[bonnet[pick]] = VOID
    return Shot(name, photo, truth, whole, thing, tuple(scene.things))


def _shrink(color: Floats) -> Floats:
    """To the size of the photograph; each pixel is the mean of what it covers."""
    planes = (Image.fromarray(np.ascontiguousarray(color[..., c])) for c in range(3))
    small = [np.asarray(p.resize((WIDTH, HEIGHT), Image.Resampling.BOX)) for p in planes]
    return np.stack(small, axis=-1)


def _paint_bonnet(color: Floats) -> Numbers:
    """The bonnet of the camera's own car, with a faint mirror of the scene above it."""
    rows, columns, _ = color.shape
    u = np.arange(columns)
    bow = np.sqrt(np.clip(1 - ((u - columns / 2) / (0.56 * columns)) ** 2, 0, 1))
    edge = rows - 0.075 * rows * bow.astype(np.float32)
    v = np.arange(int(edge.min()), rows, dtype=np.float32)[:, None]
    mirror = color[(2 * edge - v - 20).astype(np.int32), u]
    sheen = np.clip(1 - (v - edge) / (0.05 * rows), 0, 1)[..., None]
    paint = np.asarray((0.10, 0.11, 0.13), np.float32) * (1 + 1.3 * sheen) + 0.22 * mirror
    np.copyto(color[int(edge.min()) :], paint, where=(v > edge)[..., None])
    return np.arange(rows)[:, None] > edge


def _lens(rng: np.random.Generator, seen: Floats, light: Light) -> Floats:
    """Bloom, a touch of blur, vignetting, contrast, noise."""
    glow: Floats = ndimage.gaussian_filter(np.clip(seen[..., 0] - 0.92, 0, None), 4, mode="nearest")
    color = np.clip(seen, 0, 1.25)
    color += glow[..., None] * np.asarray((0.9, 0.65, 0.35) if light.lamps else (0.35, 0.33, 0.3), np.float32)
    color: Floats = ndimage.gaussian_filter(color, (0.38, 0.38, 0), mode="nearest")
    v, u = np.linspace(-1, 1, HEIGHT)[:, None], np.linspace(-1, 1, WIDTH)[None, :]
    color *= (1 - 0.13 * (u * u + v * v))[..., None].astype(np.float32)
    color = color + 0.10 * color * (1 - color) * (color - 0.45) * 4
    shared = rng.standard_normal((HEIGHT, WIDTH, 1), dtype=np.float32)
    noise = 0.8 * shared + 0.6 * rng.standard_normal((HEIGHT, WIDTH, 3), dtype=np.float32)
    return color * rng.uniform(0.95, 1.05) + light.grain * noise


def _void(scene: Scene, whole: Bytes, thing: Numbers) -> Bytes:
    """The ground truth: half of the cars and people get an outline that nobody is judged on."""
    truth = whole.copy()
    for number, label in enumerate(scene.things):
        if label not in (CAR, PERSON) or scene.rng.random() < 0.5:
            continue
        mask = thing == number
        if mask.sum() < 40:
            continue
        truth[ndimage.binary_dilation(mask) & ~mask] = VOID
    return truth
