"""Plain twins of the surface kernels: SciPy's distance transform for points, all pairs for segments and triangles."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def border(mask: Mask, thick: bool = False) -> Mask:
    """The voxels with a neighbour outside; thick: neighbours across edges and corners, the image's end is no border."""
    reach = ndimage.generate_binary_structure(mask.ndim, mask.ndim if thick else 1)
    return mask & ~ndimage.binary_erosion(mask, reach, border_value=int(thick))


def mixed(mask: Mask) -> tuple[Mask, NDArray[np.int64]]:
    """The corners of voxels whose cell is mixed, on a grid one longer, and the case of each cell."""
    padded = np.pad(mask, 1).astype(np.int64)
    code = np.zeros([n + 1 for n in mask.shape], np.int64)
    for i, at in enumerate(product((0, 1), repeat=mask.ndim)):
        code |= padded[tuple(slice(k, k + n + 1) for k, n in zip(at, mask.shape, strict=True))] << i
    return (code != 0) & (code != 2 ** (2**mask.ndim) - 1), code


def between(a: Mask, b: Mask, spacing: Any) -> Floats:
    """From each point of `a` to the nearest of `b`, ascending."""
    return np.sort(ndimage.distance_transform_edt(~b, sampling=spacing)[a])


def exposed(mask: Mask, spacing: Any) -> tuple[Floats, Floats]:
    """The centres of the faces between inside and outside, and their areas (in a plane lengths)."""
    padded, steps = np.pad(mask, 1), np.asarray(spacing, float)
    centres, areas = [np.empty((0, mask.ndim))], [np.empty(0)]
    for axis in range(mask.ndim):
        at = np.argwhere(np.diff(padded.astype(int), axis=axis) != 0).astype(float)
        at[:, axis] += 0.5
        centres.append(at * steps)
        areas.append(np.full(len(at), np.prod(np.delete(steps, axis))))
    return np.concatenate(centres), np.concatenate(areas)


def segment_distance(p: Floats, a: Floats, b: Floats) -> float:
    """From a point to a segment."""
    along = b - a
    t = np.clip((p - a) @ along / (along @ along), 0, 1)
    return float(np.linalg.norm(p - a - t * along))


def in_band(mask: Mask, width: float, spacing: Any) -> Mask:
    """The pixels of a mask from which one outside is no further than `width`."""
    near = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing)
    return mask & (near[(slice(1, -1),) * mask.ndim] <= width * (1 + 1e-9))


def field(mask: Mask, spacing: Any) -> Floats:
    """The field of the mesh, two voxels beyond the mask too: the signed distance, cut, smoothed, each side kept."""
    padded, steps = np.pad(mask, 3), np.asarray(spacing, float)
    least, most = steps.min(), steps.max()
    inner, outer = (ndimage.distance_transform_edt(m, sampling=steps) for m in (padded, ~padded))
    out = np.clip(inner - outer, -most, most)
    for axis, step in enumerate(steps):
        q = (least / step) ** 2 / 4
        out = ndimage.convolve1d(out, [q, 1 - 2 * q, q], axis=axis)
    out = np.where(padded, np.maximum(out, least / 10), np.minimum(out, -least / 10))
    return out[(slice(1, -1),) * mask.ndim]


def squares(mask: Mask, spacing: Any) -> float:
    """The length of the mesh of a plane: one segment a corner of a mixed cell that is apart, or one across it."""
    f, total = field(mask, spacing), 0.0
    for y, x in product(range(f.shape[0] - 1), range(f.shape[1] - 1)):
        around = [(y, x), (y, x + 1), (y + 1, x + 1), (y + 1, x)]
        cuts: list[Floats | None] = []
        for a, b in zip(around, around[1:] + around[:1], strict=True):
            t = f[a] / (f[a] - f[b]) if (f[a] > 0) != (f[b] > 0) else None
            cuts.append(None if t is None else (np.array(a) + t * (np.array(b) - np.array(a))) * spacing)
        found = [c for c in cuts if c is not None]
        if len(found) == 2:
            total += float(np.linalg.norm(found[1] - found[0]))
        elif len(found) == 4:
            total += sum(float(np.linalg.norm(found[k] - found[k - 1])) for k in range(4) if f[around[k]] > 0)
    return total


_SPEC = spec_from_file_location("marching_cubes", Path(__file__).parents[2] / "scripts/marching_cubes.py")
assert _SPEC is not None and _SPEC.loader is not None
cases = module_from_spec(_SPEC)
_SPEC.loader.exec_module(cases)


def cubes(mask: Mask, spacing: Any) -> Floats:
    """The triangles of the mesh of a volume, (N, 3 corners, 3 axes)."""
    f, steps, out = field(mask, spacing), np.asarray(spacing, float), list[Floats]()
    for cell in product(*(range(n - 1) for n in f.shape)):
        at = np.array(cell) + np.array(cases.CORNERS)
        here = f[tuple(at.T)]
        case = sum(int(v > 0) << i for i, v in enumerate(here))
        for triangle in cases.mesh(case):
            ends = [cases.EDGES[e] for e in triangle]
            out.append(np.array([at[a] + here[a] / (here[a] - here[b]) * (at[b] - at[a]) for a, b in ends]) * steps)
    return np.reshape(out, (-1, 3, 3))


def areas(triangles: Floats) -> Floats:
    """The area of each triangle."""
    a, b, c = np.moveaxis(triangles, 1, 0)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


def to_triangles(points: Floats, triangles: Floats) -> Floats:
    """From each point to the nearest of all triangles: the plane where its foot lies inside, else the nearest edge."""
    p = points[:, None]
    corners = np.moveaxis(triangles, 1, 0)
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    length = np.linalg.norm(normal, axis=1)
    unit = normal / np.where(length > 0, length, 1)[:, None]
    inside = np.broadcast_to(length > 0, (len(points), len(triangles))).copy()
    nearest = np.full(inside.shape, np.inf)
    for k in range(3):
        a, along = corners[k], corners[(k + 1) % 3] - corners[k]
        inside &= np.einsum("pti,ti->pt", p - a, np.cross(unit, along)) >= 0
        share = np.einsum("pti,ti->pt", p - a, along) / np.maximum(np.einsum("ti,ti->t", along, along), 1e-300)
        foot = a + np.clip(share, 0, 1)[..., None] * along
        nearest = np.minimum(nearest, np.linalg.norm(p - foot, axis=2))
    above = np.abs(np.einsum("pti,ti->pt", p - corners[0], unit))
    return np.where(inside, np.minimum(above, nearest), nearest).min(axis=1)
