"""Files to rasters, one module per format.

    load(path) -> bytes            regular files only, bounded; remote ones too
    located(text) -> Path          of a file on this machine, or of a remote one
    decode(data, path) -> Raster   the format is decided by content, by the name alone only where it has no header
    read(path) -> Raster           both
    pieces(path) -> Pieces | None  an image that is read box by box, None where its format cannot (see `_pieces`)
    read_photo(path)               photographs for pictures: other rules, see `photo`

A file is read whole and strictly: it is exactly what its format promises, or a FormatError says in
one line which file it is, what is wrong and what to do. A name that promises another format than the
content is an error as well: such files come from failed downloads and renamed JPEGs. Before anything
is allocated or inflated, the size that a header claims is held against `max_pixels`.

To add a format, write a module that makes a `Format` (see `_raster`): a name, its suffixes, a test of the
first bytes and a function `decode(data, path, max_pixels) -> Raster`. Then add it to FORMATS in `reading`.
Heavy packages are imported inside `decode`, so that a format costs nothing until a file needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# ruff: noqa: F403, F405
if TYPE_CHECKING:
    from .reading import *

__all__ = [
    "Box", "DEFAULT_MAX_BYTES", "DEFAULT_MAX_PIXELS", "FORMATS", "SUFFIXES", "Format", "Pieces", "Raster", "TooLarge",
    "address", "boxes", "decode", "digest", "digest_of_file", "is_image", "is_zarr", "load", "located", "pieces",
    "read", "read_photo", "read_with_digest", "split_suffix",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """The formats are imported when they are asked for; COCO's JSON needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import reading

    globals().update({known: getattr(reading, known) for known in __all__})
    return globals()[name]
