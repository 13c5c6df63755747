"""Which format a file has, and reading it: by content, and by the name alone only where it has no header."""

from __future__ import annotations

import os

from ..errors import FormatError
from . import _file
from ._file import DEFAULT_MAX_BYTES, load
from ._foreign import foreign
from ._pieces import Box, Pieces, boxes
from ._raster import DEFAULT_MAX_PIXELS, HEAD, Format, Raster, TooLarge, check_size
from ._volume import digest, digest_of_file
from .bitmaps import BMP, GIF, PNM
from .dicom import DICOM
from .lossy import LOSSY
from .metaimage import METAIMAGE
from .nifti import NIFTI, NIFTI_GZ
from .npy import NPY, NPZ
from .nrrd import NRRD
from .photo import read_photo
from .png import PNG
from .points import POINTS
from .remote import address, is_remote, located
from .tiff import TIFF
from .zarr import ZARR, is_image, is_zarr
from .zarr import pieces as zarr_pieces

__all__ = [
    "Box", "DEFAULT_MAX_BYTES", "DEFAULT_MAX_PIXELS", "FORMATS", "SUFFIXES", "Format", "Pieces", "Raster", "TooLarge",
    "address", "boxes", "decode", "digest", "digest_of_file", "is_image", "is_zarr", "load", "located", "pieces",
    "read", "read_photo", "read_with_digest", "split_suffix",
]  # fmt: skip

FORMATS: tuple[Format, ...] = (
    PNG,
    TIFF,
    NPY,
    NPZ,
    BMP,
    GIF,
    PNM,
    NIFTI,
    NIFTI_GZ,
    NRRD,
    METAIMAGE,
    DICOM,
    POINTS,
    ZARR,
    *LOSSY,
)
SUFFIXES: tuple[str, ...] = tuple(sorted((s for f in FORMATS for s in f.suffixes), key=lambda s: (-len(s), s)))


def split_suffix(name: str) -> tuple[str, str]:
    """`name` without its suffix, and the suffix in lower case: "a.b.PNG" -> ("a.b", ".png"); unknown -> (name, "")."""
    return _file.split_suffix(name, SUFFIXES)


def read(path: str | os.PathLike[str], max_pixels: int = DEFAULT_MAX_PIXELS) -> Raster:
    """What the file, or the folder that is an image, holds."""
    return read_with_digest(path, max_pixels)[0]


def read_with_digest(path: str | os.PathLike[str], max_pixels: int = DEFAULT_MAX_PIXELS) -> tuple[Raster, str]:
    """The same, and the digest of its bytes."""
    if is_zarr(path):
        found = zarr_pieces(os.fspath(path))
        check_size(found.shape, os.fspath(path), max_pixels)
        return found.whole(), digest_of_file(path)
    data = load(path)
    return decode(data, path, max_pixels), digest(data, path)


def decode(data: bytes, path: str | os.PathLike[str], max_pixels: int = DEFAULT_MAX_PIXELS) -> Raster:
    """What these bytes hold; `path` is the name they came under."""
    name = os.fspath(path)
    return _format(data[:HEAD], name).decode(data, name, max_pixels)


def pieces(path: str | os.PathLike[str]) -> Pieces | None:
    """A file of this machine, to be read box by box; None where it has to be read whole. Raises FormatError."""
    name = os.fspath(path)
    if is_remote(path):
        return None
    if is_zarr(path):
        return zarr_pieces(name)
    if not os.path.isfile(path):
        return None
    try:
        with open(name, "rb") as file:
            head = file.read(HEAD)
        found = _format(head, name).pieces
        return found and found(name)
    except OSError as error:
        raise FormatError(f"cannot be read: {(error.strerror or str(error)).lower()}", name) from None


def _format(head: bytes, name: str) -> Format:
    """The format of a file that begins like this. Raises FormatError."""
    suffix = split_suffix(name)[1]
    promised = next((f for f in FORMATS if suffix in f.suffixes), None)
    bare = promised is not None and promised.bare
    found = promised if bare else next((f for f in FORMATS if f.matches(head)), None)
    if found is None or (found is not promised and promised is not None and found not in LOSSY):
        raise foreign(head, name, found, promised)
    return found
