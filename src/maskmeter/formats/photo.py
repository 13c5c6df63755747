"""Photographs for pictures: colours to draw labels on.

Here the looks count and not the numbers: any file Pillow opens is read, JPEG too, and everything
becomes 8-bit RGB. 16-bit and float images are stretched so that their largest value is white, since
microscopes rarely use the whole range. Of several frames the first is taken. An EXIF orientation is
not applied: the labels lie on the pixels as stored.
"""

from __future__ import annotations

import io
import os

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ._file import load
from ._raster import DEFAULT_MAX_PIXELS, check_size, corrupt


def read_photo(path: str | os.PathLike[str], max_pixels: int = DEFAULT_MAX_PIXELS) -> NDArray[np.uint8]:
    """The photograph (H, W, 3)."""
    from PIL import Image

    name = os.fspath(path)
    data = load(path)
    try:
        with Image.open(io.BytesIO(data)) as image:
            check_size((image.height, image.width), name, max_pixels)
            if image.mode in ("F", "I") or image.mode.startswith("I;16"):
                grey = _stretched(np.asarray(image))
                return np.repeat(grey[..., None], 3, axis=2)
            return np.array(image.convert("RGB"))
    except FormatError:
        raise
    except Image.UnidentifiedImageError:
        raise FormatError("is not an image that Pillow can open", name) from None
    except Exception as error:  # noqa: BLE001 - whatever a decoder of hostile bytes meets
        raise corrupt("photograph", error, name) from None


def _stretched(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    x = np.nan_to_num(values.astype(np.float32), nan=0, posinf=0, neginf=0)
    top = float(x.max(initial=0)) or 1.0
    return (np.clip(x / top, 0, 1) * 255 + 0.5).astype(np.uint8)
