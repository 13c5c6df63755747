"""SemanticKITTI: a label for each point of a cloud, in the order of the points.

Conventions
    A `.label` file is nothing but little-endian uint32 numbers, one a point: the class in the lower 16 bits, the
    number of the object in the upper 16, where 0 is none. The file has no header and is known by its name alone; it
    does not say where the points lie.

Reference: Behley et al., SemanticKITTI, ICCV 2019, http://semantic-kitti.org/dataset.html
"""

from __future__ import annotations

import numpy as np

from ..errors import FormatError
from ._raster import Format, Raster, check_size

_TEXT = bytes(range(32, 127)) + b"\t\r\n"


def decode(data: bytes, path: str, max_pixels: int) -> Raster:
    """The classes of the points, and the numbers of their objects."""
    if len(data) % 4 or not data.strip(_TEXT):
        what = "text" if data and not data.strip(_TEXT) else f"{len(data)} bytes, no multiple of 4"
        raise FormatError(f"holds no labels of SemanticKITTI, which are 32-bit numbers: it is {what}", path)
    check_size((len(data) // 4,), path, max_pixels)
    both = np.frombuffer(data, "<u4").astype(np.uint32, copy=False)
    return Raster((both & 0xFFFF).astype(np.uint16), numbers=(both >> 16).astype(np.uint16))


POINTS = Format("SemanticKITTI", (".label",), lambda head: False, decode, bare=True)
