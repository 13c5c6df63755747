"""The volume: a CT-like stack with three organs, thick slices, and two segmentations; all NIfTI.

Conventions
-----------
Arrays here are (slices, rows, columns) with spacing 3.0 x 0.8 x 0.8 mm. NIfTI lets the first axis run fastest,
so a reader sees (columns, rows, slices) with spacing 0.8 x 0.8 x 3.0. Organs: 1 liver, 2 kidney, 3 aorta (thin).

Model a is a slice off in places and uneven in the plane. Model b is smooth and close, but has no aorta.
"""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .noise import Bytes, Floats, Numbers

SHAPE = (24, 96, 96)
SPACING = (3.0, 0.8, 0.8)
LIVER, KIDNEY, AORTA = 1, 2, 3


@dataclass(frozen=True)
class Scan:
    """The image and the labels of it."""

    image: Numbers  # int16, Hounsfield-like
    truth: Bytes
    pred_a: Bytes
    pred_b: Bytes


def scan(seed: int) -> Scan:
    """The one volume of a seed."""
    rng = np.random.default_rng((seed, 4))
    truth = _anatomy(rng)
    return Scan(_scanned(rng, truth), truth, _model_a(rng, truth), _model_b(rng, truth))


def _bumps(rng: np.random.Generator, width: tuple[float, float, float]) -> Floats:
    """Smooth noise in three dimensions, spread 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal(SHAPE, dtype=np.float32), width)
    return noise / noise.std()


def _grid() -> tuple[Numbers, Numbers, Numbers]:
    """Millimetres from the middle of the volume, along each axis."""
    z, y, x = (
        ((np.arange(n, dtype=np.float32) - (n - 1) / 2) * s).reshape([-1 if i == a else 1 for i in range(3)])
        for a, (n, s) in enumerate(zip(SHAPE, SPACING, strict=True))
    )
    return z, y, x


def _anatomy(rng: np.random.Generator) -> Bytes:
    z, y, x = _grid()
    uneven = _bumps(rng, (1.5, 6, 6))
    labels = np.zeros(SHAPE, np.uint8)
    liver = np.square((z - 4) / 26) + np.square((y + 3) / 19) + np.square((x + 11) / 20)
    labels[liver + 0.10 * uneven < 1] = LIVER
    kidney = np.square((z + 8) / 19) + np.square((y - 13) / 8) + np.square((x - 17) / 7)
    hilum = np.square((y - 12) / 4.5) + np.square((x - 11) / 4.5) + np.square((z + 8) / 8)
    labels[(kidney + 0.06 * uneven < 1) & (hilum > 1)] = KIDNEY
    aorta = np.hypot(y - 15 - 2 * np.sin(z / 14), x - 1.5 - 2.5 * np.sin(z / 19))
    labels[aorta < 2.7] = AORTA
    return labels


def _scanned(rng: np.random.Generator, truth: Bytes) -> Numbers:
    """A body of fat and muscle in air, organs of different density, noise that the scanner has smoothed."""
    z, y, x = _grid()
    body = np.hypot(y / 34, x / 37) + 0 * z
    density = np.where(body < 1, np.where(body < 0.9, 35.0, -90.0), -1000.0).astype(np.float32)
    spine = np.hypot(y - 25, x - 1) + 0 * z < 6.5
    density[spine] = 330
    for label, value in ((LIVER, 105), (KIDNEY, 165), (AORTA, 230)):
        density[truth == label] = value
    density += 9 * _bumps(rng, (1, 4, 4)) * (body < 0.9)
    density = ndimage.gaussian_filter(density, (0.3, 0.8, 0.8))
    density += 16 * _bumps(rng, (0.4, 0.8, 0.8))
    return np.clip(np.rint(density), -1024, 1500).astype("<i2")


def _model_a(rng: np.random.Generator, truth: Bytes) -> Bytes:
    """Read each voxel up to one slice and two voxels away, the same way nearby."""
    shifts = (0.7 * _bumps(rng, (2, 10, 10)), *(1.3 * _bumps(rng, (1, 5, 5)) for _ in range(2)))
    index = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    places = [np.clip(np.rint(i + s), 0, n - 1).astype(int) for i, s, n in zip(index, shifts, SHAPE, strict=True)]
    return truth[tuple(places)]


def _model_b(rng: np.random.Generator, truth: Bytes) -> Bytes:
    """Smooth outlines, a spurious spot in the fat, and no aorta."""
    labels = np.zeros_like(truth)
    for label in (LIVER, KIDNEY):
        soft = ndimage.gaussian_filter((truth == label).astype(np.float32), (0.5, 1.6, 1.6))
        labels[soft + 0.03 * _bumps(rng, (1, 4, 4)) > 0.5] = label
    z, y, x = _grid()
    spot = np.square((z - 20) / 7) + np.square((y - 10) / 4) + np.square((x + 20) / 4) < 1
    labels[spot & (labels == 0)] = KIDNEY
    return labels


# ---------------------------------------------------------------------------------------------- NIfTI-1

_DATATYPES = {"uint8": (2, 8), "int16": (4, 16)}


def nifti(volume: Numbers, spacing: tuple[float, float, float] = SPACING) -> bytes:
    """A (slices, rows, columns) array as a `.nii.gz` file: header, affine about the middle, voxels."""
    code, bits = _DATATYPES[volume.dtype.name]
    k, j, i = volume.shape
    sk, sj, si = spacing
    origin = [-(n - 1) / 2 * s for n, s in ((i, si), (j, sj), (k, sk))]
    head = struct.pack("<i35xB", 348, 0)
    head += struct.pack("<8h3f4h", 3, i, j, k, 1, 1, 1, 1, 0, 0, 0, 0, code, bits, 0)
    head += struct.pack("<8f", 1, si, sj, sk, 1, 0, 0, 0)  # the first is the handedness of the quaternion
    head += struct.pack("<3fhBB4f2i", 352, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0)  # data at 352, slope 1, millimetres
    head += struct.pack("<80s24s2h", b"maskmeter sample", b"", 1, 1)
    head += struct.pack("<6f", 0, 0, 0, *origin)  # no rotation
    head += struct.pack("<12f", si, 0, 0, origin[0], 0, sj, 0, origin[1], 0, 0, sk, origin[2])
    head += struct.pack("<16s4s4x", b"", b"n+1\0")
    return gzip.compress(head + np.ascontiguousarray(volume).tobytes(), compresslevel=6, mtime=0)
