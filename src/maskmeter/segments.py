"""Segments: what the ids of a panoptic map mean. Every pixel has one id, and the id has a class.

A segment is an object of a thing class, or all of a stuff class in an image. Id 0, where no segment has it, is
void: in the ground truth its pixels are not counted, in the prediction they are nobody's.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

VOID_ID = 0


class Segment(NamedTuple):
    """One segment of an image.

    id          in the map of ids
    class_      the class as the file numbers it
    crowd       a region with objects that nobody told apart
    area        the size that the file declares, where it does
    background  pixels that are counted and no object
    """

    id: int
    class_: int
    crowd: bool = False
    area: int | None = None
    background: bool = False


Segments = tuple[Segment, ...]


def told(digest: str, segments: Segments) -> str:
    """The digest of a file of ids together with what is said of its ids."""
    return sha256(f"{digest}{[tuple(s) for s in segments]}".encode()).hexdigest()
