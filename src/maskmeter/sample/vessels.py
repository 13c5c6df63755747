"""The vessels: fundus-like images with trees of vessels, and two probability maps for each.

Conventions
-----------
Ground truth and field of view are 0 or 255; a probability p is stored as the byte 255 p, rounded. Outside
the round field of view the camera sees nothing, and both models are wrong along its rim: evaluate with the mask.

Model a is overconfident: nearly everything is 0 or 1, also where it is wrong. Model b ranks well but is
underconfident: blurred, and rarely above 0.8.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from .noise import Bools, Bytes, Floats, Numbers, field, ramp, to_bytes

SIZE, FINE = 192, 3
RADIUS = 90.0


@dataclass(frozen=True)
class Fundus:
    """One image and what is known about it."""

    name: str
    photo: Bytes  # (rows, columns, 3)
    share: Floats  # how much of each pixel is vessel
    rim: Floats  # distance from the middle of the image, in pixels

    @property
    def truth(self) -> Bools:
        return (self.share > 0.4) & self.view

    @property
    def view(self) -> Bools:
        return self.rim < RADIUS


def fundi(seed: int, images: int = 8) -> Iterator[Fundus]:
    """The images, right and left eyes in turn."""
    for index in range(images):
        rng = np.random.default_rng((seed, 3, index))
        eye = "left" if index % 2 else "right"
        disc = np.array([SIZE * rng.uniform(0.46, 0.54), SIZE * (0.3 if eye == "left" else 0.7)])
        y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
        rim = np.hypot(y - (SIZE - 1) / 2, x - (SIZE - 1) / 2)
        veins, arteries = (_tree(rng, disc, width) for width in (5.2, 4.0))
        photo = _photograph(rng, disc, veins, arteries, rim)
        yield Fundus(f"{eye}_{index + 1:02d}", photo, np.maximum(veins, arteries), rim)


def _tree(rng: np.random.Generator, disc: Numbers, width: float) -> Floats:
    """Four trunks leave the disc in arcs, and branch; drawn large and shrunk, so edges are soft."""
    canvas = Image.new("L", (SIZE * FINE, SIZE * FINE))
    draw = ImageDraw.Draw(canvas)
    away = 1.0 if disc[1] < SIZE / 2 else -1.0  # trunks bend to the side that has room
    start = rng.uniform(-0.2, 0.2)
    for up in (-1, 1):
        for heading, bend in ((up * 1.2, -up * 0.016), (up * 2.1, up * 0.004)):
            aim = heading + start if away > 0 else np.pi - heading - start
            _branch(rng, draw, disc * FINE, aim, width * rng.uniform(0.8, 1.0), bend * away, 4)
    shares = np.asarray(canvas, np.float32).reshape(SIZE, FINE, SIZE, FINE).mean(axis=(1, 3))
    return shares / 255


def _branch(
    rng: np.random.Generator, draw: ImageDraw.ImageDraw, place: Numbers, heading: float, width: float, bend: float,
    depth: int,
) -> None:  # fmt: skip
    """Walk, tapering and bending; now and then a thinner branch leaves."""
    place = place.copy()
    wander = 0.0
    until = rng.integers(8, 16)
    for step in range(int(rng.integers(60, 92)) // (5 - depth)):
        wander = 0.85 * wander + rng.normal(0, 0.035)
        heading += bend + wander
        ahead = place + 6.0 * np.array([np.sin(heading), np.cos(heading)])
        _stroke(draw, place, ahead, width)
        place, width = ahead, width * 0.985
        if step >= until and depth > 1 and width > 1.1:
            turn = rng.choice((-1, 1)) * rng.uniform(0.45, 0.9)
            _branch(rng, draw, place, heading + turn, width * rng.uniform(0.6, 0.8), rng.normal(0, 0.006), depth - 1)
            until = step + rng.integers(8, 16)
            width *= 0.94


def _stroke(draw: ImageDraw.ImageDraw, start: Numbers, end: Numbers, width: float) -> None:
    half = width * FINE / 2.6
    draw.line([start[1], start[0], end[1], end[0]], fill=255, width=max(1, round(2 * half)))
    if half > 2:
        draw.ellipse([end[1] - half, end[0] - half, end[1] + half, end[0] + half], fill=255)


def _photograph(rng: np.random.Generator, disc: Numbers, veins: Floats, arteries: Floats, rim: Floats) -> Bytes:
    """Orange ground, bright disc, dark macula, vessels with a light streak."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    mottled = 0.05 * field(rng, (SIZE, SIZE), 1.9) + 0.02 * field(rng, (SIZE, SIZE), 1.0)
    color: Floats = np.asarray((0.80, 0.40, 0.17), np.float32) * (1 + mottled - 0.25 * ramp(30, 95, rim))[..., None]
    macula = np.exp(-(np.square(y - SIZE / 2 - 4) + np.square(x - (SIZE - disc[1]) * 0.95)) / 260)
    color *= (1 - 0.38 * macula)[..., None]
    far = np.hypot(y - disc[0], (x - disc[1]) * 1.08)
    glow = (1 - ramp(10.0, 15.5, far))[..., None]
    color += glow * (np.asarray((0.97, 0.78, 0.47), np.float32) - color)
    color += 0.5 * (1 - ramp(4.0, 8.0, far))[..., None] * (np.asarray((1, 0.93, 0.75), np.float32) - color)
    for share, tone, strength in ((veins, (0.42, 0.10, 0.08), 0.8), (arteries, (0.62, 0.19, 0.10), 0.72)):
        color += strength * share[..., None] * (np.asarray(tone, np.float32) - color)
        streak = np.clip(ndimage.gaussian_filter(share, 1.2) - 0.72, 0, 1)
        color += 0.7 * streak[..., None]
    color = ndimage.gaussian_filter(color, (0.55, 0.55, 0))
    color *= rng.uniform(0.88, 1.08)
    color += 0.016 * rng.standard_normal(color.shape, dtype=np.float32)
    color[rim >= RADIUS + 1] = 0.015
    return to_bytes(color)


# ---------------------------------------------------------------------------------------------- the models


def model_a(fundus: Fundus, rng: np.random.Generator) -> Bytes:
    """Overconfident; thin vessels break up."""
    evidence = _evidence(fundus, rng, sharp=0.6, doubt=0.85)
    return to_bytes(_sigmoid(14.0 * evidence - 2.0))


def model_b(fundus: Fundus, rng: np.random.Generator) -> Bytes:
    """Underconfident; thin vessels are pale but there."""
    evidence = _evidence(fundus, rng, sharp=1.0, doubt=0.25)
    return to_bytes(0.04 + 0.80 * _sigmoid(2.6 * evidence - 0.5))


def _evidence(fundus: Fundus, rng: np.random.Generator, sharp: float, doubt: float) -> Floats:
    """How vessel-like a pixel looks to a model, about -1 to 1; the rim of the field of view looks like one."""
    seen: Floats = ndimage.gaussian_filter(fundus.share, sharp)
    rim = 0.9 * np.exp(-np.square((fundus.rim - RADIUS - 2.5) / 2.0))
    noise = field(rng, (SIZE, SIZE), 1.35) + 0.5 * field(rng, (SIZE, SIZE), 0.7)
    return 2 * np.maximum(seen, rim) - 0.75 + doubt * 0.5 * noise


def _sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))
