"""Which photograph belongs to an image: the file in the folder that has its name, whatever its suffix.

Where images are named with a suffix, as lists of annotations do, that file is taken, else the one that differs in it.
"""

from __future__ import annotations

import os
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..formats import read_photo


class NoPhotograph(Exception):
    """There is no photograph to show; the text says why, where that is worth saying."""


def photograph(folder: str | None, name: str, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """The photograph of the image, in the proportions of its labels. Raises NoPhotograph."""
    if folder is None:
        raise NoPhotograph("")
    path = _find(folder, name)
    try:
        pixels = read_photo(path)
    except DataError as error:
        raise NoPhotograph(f"the photograph cannot be shown: {error.message}") from None
    rows, columns = pixels.shape[:2]
    if abs(rows * shape[1] - columns * shape[0]) > max(rows * shape[1], columns * shape[0]) * 0.02:
        raise NoPhotograph(
            f"the photograph is {columns} x {rows} and the labels are {shape[1]} x {shape[0]}: other proportions"
        )
    return pixels


def _find(folder: str, name: str) -> str:
    below, _, stem = name.rpartition("/")
    # A name may be anything; what leads out of the folder is no photograph of ours.
    home, inside = os.path.normpath(folder), os.path.normpath(os.path.join(folder, below))
    if inside != home and not inside.startswith(os.path.join(home, "")):
        raise NoPhotograph("no photograph has its name")
    known = _by_stem(inside)
    found = known.get(stem, [])
    bare, suffix = os.path.splitext(stem)
    if not found and suffix.lower() in _known():
        found = [stem] if stem in known.get(bare, []) else known.get(bare, [])
    if not found:
        raise NoPhotograph("no photograph has its name")
    if len(found) > 1:
        raise NoPhotograph(f"{len(found)} photographs have its name")
    return os.path.join(inside, found[0])


@cache
def _known() -> frozenset[str]:
    from PIL import Image

    return frozenset(Image.registered_extensions())


def _by_stem(folder: str) -> dict[str, list[str]]:
    """The pictures of a folder by their names without suffix."""
    found: dict[str, list[str]] = {}
    try:
        files = sorted(os.listdir(folder))
    except (OSError, ValueError):
        return {}
    for file in files:
        stem, suffix = os.path.splitext(file)
        if suffix.lower() in _known():
            found.setdefault(stem, []).append(file)
    return found
