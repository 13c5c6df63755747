"""JPEG, WebP and their like: known in order to be refused.

Lossy compression changes the numbers of a label map, above all along the borders of its segments,
where they matter. Nothing can be done about it afterwards, so such a file is refused, and a grey JPEG
shows what became of its values. WebP, JPEG 2000 and AVIF have lossless variants; nothing in the
pixels tells whether one was used, so they are refused as well. Photographs for pictures are read
elsewhere (`photo`).
"""

from __future__ import annotations

import io
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ._raster import Format, Raster, check_size

_ADVICE = "labels must be saved lossless, for example as PNG"


def refuse_jpeg(data: bytes, path: str, max_pixels: int) -> Raster:
    """FormatError; of a grey JPEG it shows the values."""
    from PIL.JpegImagePlugin import JpegImageFile

    shown = ""
    try:
        with JpegImageFile(io.BytesIO(data)) as image:
            check_size((image.height, image.width), path, max_pixels)
            if image.mode == "L":
                shown = f" (this one {describe_values(np.asarray(image))})"
    except FormatError:
        raise
    except Exception:  # noqa: BLE001 - broken as well as lossy: the latter is reason enough
        shown = ""
    raise FormatError(f"is a JPEG file, and JPEG is lossy: it changes label values{shown}; {_ADVICE}", path)


def describe_values(values: NDArray[Any]) -> str:
    """`holds 37 different values: 0 (3021 px), 1 (311 px), 2 (9 px), ..., 255 (700 px)`."""
    found, counts = np.unique(values, return_counts=True)
    items = [f"{value} ({count} px)" for value, count in zip(found.tolist(), counts.tolist(), strict=True)]
    if len(items) > 6:
        items[3:-1] = ["..."]
    return f"holds {len(found)} different value{'s' * (len(found) != 1)}: {', '.join(items)}"


def _refuse(name: str, data: bytes, path: str, max_pixels: int) -> Raster:
    raise FormatError(f"is a {name} file, which may be lossy and change label values; {_ADVICE}", path)


def _is_avif(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"heic", b"heix", b"mif1")


JPEG = Format("JPEG", (".jpg", ".jpeg"), lambda head: head.startswith(b"\xff\xd8\xff"), refuse_jpeg)
WEBP = Format("WebP", (".webp",), lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP", partial(_refuse, "WebP"))
JPEG2000 = Format(
    "JPEG 2000",
    (".jp2", ".j2k"),
    lambda head: head.startswith((b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")),
    partial(_refuse, "JPEG 2000"),
)
AVIF = Format("AVIF/HEIC", (".avif", ".heic"), _is_avif, partial(_refuse, "AVIF/HEIC"))
LOSSY = (JPEG, WEBP, JPEG2000, AVIF)
