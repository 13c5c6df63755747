"""Zarr and OME-Zarr: folders of chunks, of versions 2 and 3, read box by box with the package zarr (extra `zarr`).

Conventions
    A folder is an image where it ends in `.zarr` and holds an array, or the full resolution of one OME image (its
    first multiscale, first dataset). A group without multiscales is refused, naming what it holds: labels lie in groups
    of their own, as in `image.zarr/labels/nuclei`. Axes called t or c of length 1 are left out, and a note says so.
    Chunks that are not there hold the fill value, as Zarr has it.

    Only codecs that compress or reorder bytes are run: one that a file names may otherwise be any program.

    Spacing is read from volumes whose three axes are of space and have units of length and a scale.

    A digest is that of the paths and bytes of all files of the folder.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, printable
from ._pieces import Box, Pieces
from ._raster import Format, Raster, corrupt

_MARKS = ("zarr.json", ".zarray", ".zgroup")
_CODECS = {
    "blosc", "zlib", "gzip", "zstd", "lz4", "bz2", "lzma", "shuffle", "delta", "packbits", "crc32", "adler32",
    "bytes", "transpose", "crc32c", "sharding_indexed",
}  # fmt: skip
_MM = {"meter": 1e3, "centimeter": 10.0, "millimeter": 1.0, "micrometer": 1e-3, "nanometer": 1e-6}


def is_zarr(path: str | os.PathLike[str]) -> bool:
    """Whether a folder of this machine is an image of this kind."""
    return os.fspath(path).lower().endswith(".zarr") and any(os.path.isfile(os.path.join(path, m)) for m in _MARKS)


def is_image(path: Path) -> bool:
    """Whether it is a file, or a folder that is an image."""
    return is_zarr(path) or path.is_file()


def pieces(path: str) -> Pieces:
    """A folder to be read box by box. Raises FormatError."""
    place, multiscale = _full_resolution(path)
    _check_codecs(place, path)
    try:
        zarr: Any = import_module("zarr")
    except ImportError:
        raise FormatError("is Zarr, which needs the extra zarr: pip install 'maskmeter[zarr]'", path) from None
    try:
        array: Any = zarr.open_array(place, mode="r")
        shape, dtype, chunk = tuple(array.shape), np.dtype(array.dtype), tuple(array.shards or array.chunks)
    except Exception as error:  # noqa: BLE001 - whatever a parser of hostile files meets
        raise corrupt("Zarr", error, path) from None
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise FormatError(f"has dtype {dtype}; labels are integers or booleans, scores floats as well", path)
    if not shape:
        raise FormatError("holds a single number (shape ()); an image has two dimensions or more", path)

    def samples(box: Box) -> NDArray[Any]:
        try:
            found = np.asarray(array[box])
        except Exception as error:  # noqa: BLE001 - whatever a decoder of hostile bytes meets
            raise corrupt("Zarr", error, path) from None
        return np.ascontiguousarray(found, found.dtype.newbyteorder("="))

    axes = _axes(multiscale, len(shape))
    dropped = [k for k, axis in enumerate(axes) if axis.get("name") in ("t", "c") and shape[k] == 1]
    if len(shape) - len(dropped) < 2:
        dropped = []
    notes = tuple(f"its axis {axes[k]['name']} of length 1 is left out" for k in dropped)
    empty = np.empty((0,) * len(shape), dtype.newbyteorder("="))
    found = Pieces(shape, chunk, Raster(empty, notes=notes), samples)
    for k in reversed(dropped):
        found = found.without(k)
    kept = [k for k in range(len(shape)) if k not in dropped]
    return _spaced(found, multiscale, [axes[k] for k in kept], kept)


def _full_resolution(path: str) -> tuple[str, dict[str, Any]]:
    """Where the array lies, and what the header of an OME image says of it."""
    facts = _header(path)
    if facts.get("node_type") == "array" or "shape" in facts:
        return path, {}
    attributes = facts.get("attributes", {})
    scales = attributes.get("ome", attributes).get("multiscales") if isinstance(attributes, dict) else None
    if not scales:
        inside = sorted(x.name for x in Path(path).iterdir() if x.is_dir())[:8]
        raise FormatError(
            f"is a Zarr group without an image (it holds {', '.join(map(printable, inside)) or 'nothing'}); give one "
            "of its arrays or images, renamed or linked to end in .zarr", path,
        )  # fmt: skip
    try:
        name = scales[0]["datasets"][0]["path"]
        if os.path.isabs(name) or ".." in name.split("/"):
            raise ValueError("the path of its dataset leads out of the folder")
        return os.path.join(path, name), scales[0]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise corrupt("OME-Zarr", error, path) from None


def _header(place: str) -> dict[str, Any]:
    """The header of a node, with its attributes."""
    try:
        for name in _MARKS:
            if os.path.isfile(at := os.path.join(place, name)):
                facts = json.loads(Path(at).read_bytes())
                beside = os.path.join(place, ".zattrs")
                if name != "zarr.json" and os.path.isfile(beside):
                    facts["attributes"] = json.loads(Path(beside).read_bytes())
                if isinstance(facts, dict):
                    return facts
    except (OSError, ValueError, TypeError) as error:
        raise corrupt("Zarr", error, place) from None
    raise FormatError("is no Zarr array or group: it lacks zarr.json, .zarray or .zgroup", place)


def _check_codecs(place: str, path: str) -> None:
    """Raise FormatError for codecs that do anything else than compress or reorder."""
    facts = _header(place)
    named = [*(facts.get("codecs") or []), *(facts.get("filters") or []), facts.get("compressor")]
    while named:
        one = named.pop()
        if one is None:
            continue
        name = one.get("id", one.get("name")) if isinstance(one, dict) else one
        if name not in _CODECS:
            raise FormatError(
                f"is packed by {printable(str(name))}, which is not run; store it with gzip, zstd or blosc", path
            )
        inner = one.get("configuration", {}) if isinstance(one, dict) else {}
        named += [*(inner.get("codecs") or []), *(inner.get("index_codecs") or [])] if isinstance(inner, dict) else []


def _axes(multiscale: dict[str, Any], count: int) -> list[dict[str, Any]]:
    axes = multiscale.get("axes") or []
    named = [a if isinstance(a, dict) else {"name": a} for a in axes]
    return named if len(named) == count else [{}] * count


def _spaced(found: Pieces, multiscale: dict[str, Any], axes: list[dict[str, Any]], kept: list[int]) -> Pieces:
    """With the spacing of a volume, where the header says it beyond doubt."""
    try:
        moved = multiscale["datasets"][0]["coordinateTransformations"]
        scale = next(x["scale"] for x in moved if x["type"] == "scale")
        steps = tuple(float(scale[k]) * _MM[a["unit"]] for k, a in zip(kept, axes, strict=True))
    except (LookupError, TypeError, ValueError, StopIteration):
        return found
    sound = len(steps) == 3 and all(math.isfinite(s) and s > 0 for s in steps)
    if not sound or "coordinateTransformations" in multiscale:
        return found
    return replace(found, facts=replace(found.facts, spacing=steps))


def _no_file(data: bytes, path: str, max_pixels: int) -> Raster:
    raise FormatError("is a file; Zarr is a folder", path)


ZARR = Format("Zarr", (".zarr",), lambda head: False, _no_file)
