"""The faults of the two street models: each a small function from a label map to a worse one.

Conventions
-----------
Both models start from the labels without void, as real models do: they answer everywhere. How strong a fault
is varies from image to image. The same seed gives the same faults.

Model a is a smooth one: blurred and slightly shifted outlines; small objects (people, poles, signs) are often
missed; patches of pavement are called road and the reverse.
Model b is a nervous one: small objects are found, but all borders are ragged; cars and trees appear where there
are none; in fog and at dusk parts of the buildings are taken for sky and the reverse.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .noise import Bools, Bytes, Numbers, field
from .scene import BUILDING, CAR, PAVEMENT, PERSON, POLE, ROAD, SIGN, SKY, VEGETATION, VOID
from .street import Shot

SMALL = 420  # pixels; model a may miss objects up to this size


def model_a(shot: Shot, rng: np.random.Generator) -> Bytes:
    """Smooth, and blind to what is small."""
    labels = without_void(shot.whole)
    labels = forget(labels, missed(shot, rng))
    labels = smooth(labels, rng.uniform(0.9, 1.5))
    labels = wobble(labels, rng, strength=1.2, shift=rng.uniform(-1.5, 1.5, 2))
    swap = field(rng, labels.shape) > rng.uniform(1.2, 2.2)
    return confuse(labels, swap, ROAD, PAVEMENT)


def model_b(shot: Shot, rng: np.random.Generator) -> Bytes:
    """Sharp-eyed, nervous, and lost in bad weather."""
    labels = ragged(without_void(shot.whole), rng, strength=rng.uniform(1.4, 2.4))
    if rng.random() < 0.5:
        labels = hallucinate(labels, rng, CAR, on=(ROAD, PAVEMENT, VEGETATION), size=rng.uniform(14, 34))
    if rng.random() < 0.5:
        labels = hallucinate(labels, rng, VEGETATION, on=(BUILDING, SKY), size=rng.uniform(16, 40))
    if shot.name.endswith(("_fog", "_dusk")) and rng.random() < 0.6:
        swap = field(rng, labels.shape) > rng.uniform(-0.6, 0.7)
        labels = confuse(labels, swap, SKY, BUILDING)
    return labels


def without_void(labels: Bytes) -> Bytes:
    """Void pixels as whatever is nearest to them: a model has no void."""
    return forget(labels, labels == VOID)


def missed(shot: Shot, rng: np.random.Generator) -> Bools:
    """The pixels of the small objects that model a does not see; the smaller, the likelier."""
    sizes = np.bincount(shot.thing.ravel(), minlength=len(shot.things))
    small = np.isin(shot.things, (PERSON, POLE, SIGN)) & (sizes < SMALL)
    small |= np.equal(shot.things, CAR) & (sizes < SMALL / 4)
    chance = 0.9 - 0.6 * sizes / SMALL
    return (small & (rng.random(len(sizes)) < chance))[shot.thing]


def forget(labels: Bytes, gone: Bools) -> Bytes:
    """Fill the pixels that are gone with the label of the nearest one that is not."""
    if not gone.any():
        return labels
    nearest: Numbers = ndimage.distance_transform_edt(gone, return_distances=False, return_indices=True)  # type: ignore[assignment]
    return labels[tuple(nearest)]


def smooth(labels: Bytes, width: float) -> Bytes:
    """Each pixel votes for its neighbours: outlines become round and thin parts vanish."""
    classes = np.unique(labels)
    votes = [ndimage.gaussian_filter((labels == c).astype(np.float32), width, truncate=2) for c in classes]
    return classes[np.argmax(votes, axis=0)]


def wobble(labels: Bytes, rng: np.random.Generator, strength: float, shift: Numbers) -> Bytes:
    """Outlines bend by a slow random displacement of `strength` pixels, after a shift of everything."""
    return _displace(labels, rng, strength, 1.9, shift)


def ragged(labels: Bytes, rng: np.random.Generator, strength: float) -> Bytes:
    """Outlines fray: neighbouring pixels are displaced differently."""
    return _displace(labels, rng, strength, 1.15, np.zeros(2))


def _displace(labels: Bytes, rng: np.random.Generator, strength: float, slope: float, shift: Numbers) -> Bytes:
    rows, cols = labels.shape
    dy, dx = (strength * field(rng, labels.shape, slope) + s for s in shift)
    y = np.clip(np.rint(np.arange(rows)[:, None] + dy), 0, rows - 1).astype(int)
    x = np.clip(np.rint(np.arange(cols)[None, :] + dx), 0, cols - 1).astype(int)
    return labels[y, x]


def confuse(labels: Bytes, where: Bools, one: int, other: int) -> Bytes:
    """Two classes change places where it is said."""
    worse = labels.copy()
    worse[where & (labels == one)] = other
    worse[where & (labels == other)] = one
    return worse


def hallucinate(labels: Bytes, rng: np.random.Generator, label: int, on: tuple[int, ...], size: float) -> Bytes:
    """A blob of something that is not there, about a random pixel of the classes in `on`."""
    places = np.argwhere(np.isin(labels, on))
    if not len(places):
        return labels
    row, col = places[rng.integers(len(places))]
    y, x = np.ogrid[: labels.shape[0], : labels.shape[1]]
    radius = np.hypot((y - row) / 0.7, x - col) / size + 0.22 * field(rng, labels.shape, 1.5)
    worse = labels.copy()
    worse[(radius < 1) & np.isin(labels, on)] = label
    return worse
