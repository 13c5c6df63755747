"""The rules by which detections are judged: what each convention of COCO's family does, one field for each difference.

coco             what pycocotools prints: an annotation of id 0 counts as not found, equal ids are one annotation,
                 `ignore` is not read, a result's area is that of its box where it has one, ties go by file order
coco-fixed       the same measure without these: nothing depends on ids, on the order of files or on names
coco-detectron2  as `coco`, but the boxes of results are dropped before masks are judged
coco-boundary    as boundary-iou-api: the IoU is the lesser of that of masks and that of their boundaries
tide             as tidecv: the 100 best of all classes in an image, recalls at k / 100; a class that is found and not
                 there counts as 0, and a crowd excuses from above the threshold on, not at it
lvis             federated: a class is judged in images that were checked for it, at 300 detections an image

Reference: pycocotools 2.0.11, lvis-api, tidecv 1.0.1, boundary-iou-api (Cheng et al., CVPR 2021), Detectron2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

__all__ = ["CONVENTIONS", "FIXES", "Rules", "rules_of"]

EVERY = (0.0, 1e10)
BOUNDARY = 0.02  # the width of a boundary, as a share of the diagonal


@dataclass(frozen=True)
class Rules:
    """How detections are judged.

    thresholds, recalls  the IoU from which on a detection is right, and where precision is read
    areas       the ranges of area in pixels by name, both ends inside
    max_dets    how many detections of a class count in an image, ascending
    per_image   how many detections of all classes count in an image
    marks       matches are noted by id: one with id 0 counts as none, annotations of equal id are one
    ignore      annotations may be marked to be ignored
    declared    the area of an annotation is the one it declares, whatever that is; else only where it is positive
    boxed       the area of a result is that of its box, where it has one; else that of its mask
    filed       equal scores go by file order and curves are read at every detection; else content decides, and curves
                are read where the score changes
    federated   classes are judged only in images that were checked for them
    trapezoid   the area under the curve is a trapezoid sum through all scores (Cityscapes), without an envelope
    tide        what tidecv does otherwise, as said above, and that what is left out may still be an error
    boundary    width of boundaries as a share of the diagonal; 0 where they are not looked at
    """

    name: str
    thresholds: tuple[float, ...] = tuple(np.linspace(0.5, 0.95, 10).tolist())
    recalls: tuple[float, ...] = tuple(np.linspace(0.0, 1.0, 101).tolist())
    areas: tuple[tuple[str, float, float], ...] = (
        ("all", *EVERY), ("small", 0, 32**2), ("medium", 32**2, 96**2), ("large", 96**2, 1e10),
    )  # fmt: skip
    max_dets: tuple[int, ...] = (1, 10, 100)
    per_image: int | None = None
    marks: bool = True
    ignore: bool = False
    declared: bool = True
    boxed: bool = True
    filed: bool = True
    federated: bool = False
    trapezoid: bool = False
    tide: bool = False
    boundary: float = 0.0

    @cached_property
    def ranges(self) -> NDArray[np.float64]:
        """(A, 2) the ends of the ranges of area."""
        return np.array([(low, high) for _, low, high in self.areas], np.float64).reshape(-1, 2)

    @cached_property
    def steps(self) -> NDArray[np.float64]:
        """(T,) the thresholds."""
        return np.array(self.thresholds, np.float64)

    @cached_property
    def levels(self) -> NDArray[np.float64]:
        """(R,) the recalls."""
        return np.array(self.recalls, np.float64)

    @property
    def bounded(self) -> Rules:
        """The same rules on boundaries."""
        return self if self.boundary else replace(self, boundary=BOUNDARY)

    @property
    def cap(self) -> int:
        """How many detections of a class in an image are looked at."""
        return max(self.max_dets)

    def area(self, name: str) -> int | None:
        """The place of a range of area; None where there is none of this name."""
        return next((i for i, (known, *_) in enumerate(self.areas) if known == name), None)

    def step(self, iou: float) -> int | None:
        """The place of a threshold; None where it is not among them."""
        return next((i for i, t in enumerate(self.thresholds) if abs(t - iou) < 1e-9), None)

    def judged_at(self, iou: Any) -> int:
        """The place of a threshold that somebody asks for. Raises UsageError where it is not among them."""
        step = self.step(iou) if isinstance(iou, int | float) else None
        if step is None:
            raise UsageError(f"iou={iou} was not judged; there are {', '.join(f'{t:g}' for t in self.thresholds)}")
        return step


COCO = Rules("coco")
FIXED = replace(COCO, name="coco-fixed", marks=False, ignore=True, declared=False, boxed=False, filed=False)
LVIS = replace(
    COCO, name="lvis", max_dets=(300,), per_image=300, marks=True, ignore=True, federated=True
)  # fmt: skip
TIDE = replace(
    COCO, name="tide", recalls=tuple((np.arange(101) / 100).tolist()), areas=(("all", *EVERY),), max_dets=(100,),
    per_image=100, marks=False, boxed=False, tide=True,
)  # fmt: skip

CONVENTIONS: dict[str, Rules] = {
    r.name: r
    for r in (
        COCO,
        FIXED,
        replace(COCO, name="coco-detectron2", boxed=False),
        replace(COCO, name="coco-boundary", ignore=True, boundary=BOUNDARY),
        LVIS,
        TIDE,
    )
}

# What coco-fixed does otherwise than coco, one rule at a time.
FIXES: dict[str, dict[str, bool]] = {
    "ids of annotations (0, or equal ones) do not matter": {"marks": False},
    "annotations marked `ignore` are ignored": {"ignore": True},
    "the area of an annotation is that of its mask where none is declared": {"declared": False},
    "the area of a result is that of its mask": {"boxed": False},
    "equal scores do not go by file order": {"filed": False},
}


def rules_of(convention: str | None) -> Rules:
    """The rules of a convention, by default `coco-fixed`. Raises UsageError."""
    found = CONVENTIONS.get(convention or FIXED.name)
    if found is None:
        raise UsageError(
            f"convention {convention!r} is not known for detections; there are {', '.join(CONVENTIONS)}, cityscapes"
        )
    return found
