"""A small generated data set with two imperfect models: `write_sample`.

It is what the tutorial evaluates and what `maskmeter sample` and `maskmeter demo` write. Everything is drawn
from a seed, so the same seed gives the same bytes (with the same versions of NumPy, SciPy and Pillow).

Conventions
-----------
Four parts, each in a folder of its own: `street` (semantic), `cells` (instance), `vessels` (binary with scores),
`volume` (3D). Each has ground truth and models a and b; what is wrong with them is told in README.md, which is
written first and marks the folder as a sample. Only such a folder, or an empty one, is written into; of an
earlier sample just the files that a sample consists of are replaced, anything else stays.

Contents
--------
guide      README and label files
street     scenes; scene, backdrop, buildings and things paint them, faults spoils them
cells      vessels      volume
noise      what all of them are made of
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import UsageError, printable
from . import cells, faults, guide, street, vessels, volume
from .noise import Numbers

__all__ = ["Part", "Sample", "write_sample"]


@dataclass(frozen=True)
class Part:
    """One folder of the sample: what it is, how many images, and the size of its files in bytes."""

    name: str
    about: str
    images: int
    size: int

    def __str__(self) -> str:
        count = f"{self.images} image" + ("s" if self.images != 1 else "")
        return f"{self.name}/  {count}, {self.size / 1e6:.1f} MB: {self.about}"


@dataclass(frozen=True)
class Sample:
    """What was written."""

    folder: Path
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, self.parts))


def write_sample(folder: str | os.PathLike[str], seed: int = 0, images: int = 24) -> Sample:
    """Write the sample into `folder`, with `images` street scenes; replaces an earlier sample there."""
    if images < 1:
        raise UsageError(f"a sample has at least 1 image, not {images}")
    if seed < 0:
        raise UsageError(f"a seed is 0 or more, not {seed}")
    home = Path(folder)
    _prepare(home)
    parts = (
        _write_part(home / "street", "road scenes, nine classes", images, lambda w: _street(w, seed, images)),
        _write_part(home / "cells", "fluorescent cells, one number each", 10, lambda w: _cells(w, seed)),
        _write_part(home / "vessels", "retinal vessels with probability maps", 8, lambda w: _vessels(w, seed)),
        _write_part(home / "volume", "three organs in thick slices", 1, lambda w: _volume(w, seed)),
    )
    return Sample(home, parts)


# ---------------------------------------------------------------------------------------------- the folder

_OURS = re.compile(
    r"street/(images|gt|pred_a|pred_b)/\d{4,}_(day|dusk|fog|overcast)\.(jpg|png)|street/labels\.toml"
    r"|cells/(images|gt|pred_a|pred_b)/culture_\d\d_(sparse|dense|crowded)\.png"
    r"|vessels/(images|gt|prob_a|prob_b|mask)/(left|right)_\d\d\.png"
    r"|volume/(image|gt|pred_a|pred_b)\.nii\.gz|volume/labels\.toml"
)


def _prepare(home: Path) -> None:
    """Make the folder ready, or refuse to."""
    readme = home / "README.md"
    shown = printable(os.fspath(home))
    try:
        if home.exists() and not home.is_dir():
            raise UsageError(f"{shown}: is a file; name a folder for the sample")
        if home.is_dir() and any(home.iterdir()):
            if not _is_sample(readme):
                raise UsageError(f"{shown}: is not empty and no earlier sample; name an empty or a new folder")
            _remove_sample(home)
        home.mkdir(parents=True, exist_ok=True)
        readme.write_text(guide.README, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{shown}: cannot write a sample here ({error.strerror or error})") from error


def _is_sample(readme: Path) -> bool:
    if not readme.is_file():
        return False
    with readme.open("rb") as file:
        return file.readline().rstrip() == guide.TITLE.encode()


def _remove_sample(home: Path) -> None:
    """Remove what an earlier sample wrote, so that one of more images leaves none behind."""
    for part in ("street", "cells", "vessels", "volume"):
        for path in sorted((home / part).rglob("*")):
            if _OURS.fullmatch(path.relative_to(home).as_posix()) and not path.is_dir():
                path.unlink()


class _Writer:
    """Writes files below one folder and adds up their sizes."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.size = 0

    def bytes(self, name: str, data: bytes) -> None:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.size += len(data)

    def image(self, name: str, pixels: Numbers | Image.Image, **options: Any) -> None:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        picture.save(path, **options)
        self.size += path.stat().st_size


def _write_part(home: Path, about: str, images: int, write: Callable[[_Writer], None]) -> Part:
    writer = _Writer(home)
    try:
        write(writer)
    except OSError as error:
        where = printable(os.fspath(error.filename or home))
        raise UsageError(f"{where}: cannot write the sample ({error.strerror or error})") from error
    return Part(home.name, about, images, writer.size)


# ---------------------------------------------------------------------------------------------- the parts


def _street(w: _Writer, seed: int, images: int) -> None:
    w.bytes("labels.toml", guide.street_labels().encode())
    palette = guide.street_palette()
    for index, shot in enumerate(street.shots(seed, images)):
        w.image(f"images/{shot.name}.jpg", shot.photo, quality=88)
        models = (faults.model_a(shot, _random(seed, 11, index)), faults.model_b(shot, _random(seed, 12, index)))
        for kind, labels in zip(("gt", "pred_a", "pred_b"), (shot.truth, *models), strict=True):
            picture = Image.fromarray(np.ascontiguousarray(labels))
            picture.putpalette(palette)
            w.image(f"{kind}/{shot.name}.png", picture)


def _cells(w: _Writer, seed: int) -> None:
    for index, culture in enumerate(cells.cultures(seed)):
        w.image(f"images/{culture.name}.png", culture.photo, compress_level=4)
        w.image(f"gt/{culture.name}.png", culture.truth)
        w.image(f"pred_a/{culture.name}.png", cells.model_a(culture, _random(seed, 21, index)))
        w.image(f"pred_b/{culture.name}.png", cells.model_b(culture, _random(seed, 22, index)))


def _vessels(w: _Writer, seed: int) -> None:
    for index, fundus in enumerate(vessels.fundi(seed)):
        w.image(f"images/{fundus.name}.png", fundus.photo)
        w.image(f"gt/{fundus.name}.png", fundus.truth.astype(np.uint8) * 255)
        w.image(f"mask/{fundus.name}.png", fundus.view.astype(np.uint8) * 255)
        w.image(f"prob_a/{fundus.name}.png", vessels.model_a(fundus, _random(seed, 31, index)))
        w.image(f"prob_b/{fundus.name}.png", vessels.model_b(fundus, _random(seed, 32, index)))


def _volume(w: _Writer, seed: int) -> None:
    scan = volume.scan(seed)
    w.bytes("labels.toml", guide.VOLUME_LABELS.encode())
    for name, voxels in (("image", scan.image), ("gt", scan.truth), ("pred_a", scan.pred_a), ("pred_b", scan.pred_b)):
        w.bytes(f"{name}.nii.gz", volume.nifti(voxels))


def _random(*key: int) -> np.random.Generator:
    """Each model and image draws from its own generator, so a change in one moves no other."""
    return np.random.default_rng(key)
