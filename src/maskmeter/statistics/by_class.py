"""Score histograms of several classes, each against the rest, and of all their decisions together.

Conventions. `by_class` holds one histogram a class, of the same pixels in the same type; `together` counts every
pixel once for every class, as `micro` does. The pooled `ClassScores` are added up as images arrive; of each image
`ImageClassScores` are kept, as `ImageScores` are of one map. Resamples are drawn on the coarse grid.

Merging: histograms add, class by class; the classes must be the same (else MergeError).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import add
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..errors import LabelError, MergeError
from .image_scores import ImageScores
from .scores import CoarseScores, Scores, zeros

Floats = NDArray[np.float64]


class _ByClass:
    """What histograms of classes have in common."""

    binary: ClassVar[bool] = False
    by_class: Mapping[int, Any]

    @property
    def classes(self) -> NDArray[np.int64]:
        """The classes, ascending."""
        return np.array(list(self.by_class), np.int64)


@dataclass(frozen=True, eq=False)
class ClassScores(_ByClass):
    """Pixels by score and class, of one image or of many added up."""

    name: ClassVar[str] = "class_scores"

    by_class: Mapping[int, Scores]

    @cached_property
    def together(self) -> Scores:
        """All decisions in one histogram."""
        return reduce(add, self.by_class.values()).pooled()

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the scores."""
        return next(iter(self.by_class.values())).dtype

    def __add__(self, other: ClassScores) -> ClassScores:
        if list(self.by_class) != list(other.by_class):
            mine, theirs = (", ".join(map(str, x.by_class)) for x in (self, other))
            raise MergeError(f"scores of the classes {mine} do not add to scores of {theirs}")
        return ClassScores({k: s + other.by_class[k] for k, s in self.by_class.items()})

    def pooled(self) -> ClassScores:
        """As a sum of which it is the only part."""
        return ClassScores({k: s.pooled() for k, s in self.by_class.items()})

    def exact(self) -> Scores:
        """All decisions of one image in one histogram, never coarsened."""
        return reduce(add, (replace(s, limit=None) for s in self.by_class.values()))

    def to_bytes(self) -> bytes:
        return msgspec.msgpack.encode([(k, s.to_bytes()) for k, s in self.by_class.items()])

    @classmethod
    def from_bytes(cls, data: bytes) -> ClassScores:
        parts = msgspec.msgpack.decode(data, type=list[tuple[int, bytes]])
        return cls({k: Scores.from_bytes(b) for k, b in parts})


@dataclass(frozen=True, eq=False)
class ImageClassScores(_ByClass):
    """What is kept of one image's scores, by class and together."""

    name: ClassVar[str] = "class_scores"

    by_class: Mapping[int, ImageScores]
    together: ImageScores

    @property
    def missing(self) -> bool:
        """Whether there was no prediction; then `together` holds the pixels once and not once for every class."""
        return not self.together.dtype

    def coarse(self) -> list[CoarseScores]:
        """The coarse counts of every class, and of all together last."""
        return [*(s.coarse for s in self.by_class.values()), self.together.coarse]

    def to_bytes(self) -> bytes:
        classes = [(k, s.to_bytes()) for k, s in self.by_class.items()]
        return msgspec.msgpack.encode((classes, self.together.to_bytes()))

    @classmethod
    def from_bytes(cls, data: bytes) -> ImageClassScores:
        classes, together = msgspec.msgpack.decode(data, type=tuple[list[tuple[int, bytes]], bytes])
        return cls({k: ImageScores.from_bytes(b) for k, b in classes}, ImageScores.from_bytes(together))


@dataclass(frozen=True, eq=False)
class CoarseClassScores(_ByClass):
    """Coarse histograms of classes by group of images, or of resamples of them."""

    by_class: Mapping[int, CoarseScores]
    together: CoarseScores

    @classmethod
    def of(cls, classes: Iterable[int], parts: Sequence[CoarseScores]) -> CoarseClassScores:
        """Of the histograms of the classes and, last, of all together."""
        return cls(dict(zip(classes, parts[:-1], strict=True)), parts[-1])

    def resampled(self, weights: Floats) -> CoarseClassScores:
        """The stack whose entry b adds up the entries i, each `weights[b, i]` times."""
        parts = {k: s.resampled(weights) for k, s in self.by_class.items()}
        return CoarseClassScores(parts, self.together.resampled(weights))


def zero_maps(image: ImageClassScores, classes: ClassScores) -> ClassScores:
    """The scores of an image without prediction: 0 for each of these classes. Raises LabelError for one beside them."""
    if strange := image.by_class.keys() - classes.by_class.keys():
        raise LabelError(
            f"label {min(strange)} in the ground truth of an image without prediction has no scores in any other "
            f"(those are of {', '.join(map(str, classes.by_class))}); name it with --ignore if it is void"
        )
    pixels, void = image.together.positives + image.together.negatives, image.together.ignored
    made: dict[int, Scores] = {}
    for k, s in classes.by_class.items():
        positives = image.by_class[k].positives if k in image.by_class else 0
        made[k] = zeros(s.dtype, positives, pixels - positives, void, s.limit)
    return ClassScores(made)


AnyClassScores = ClassScores | ImageClassScores | CoarseClassScores

# Statistics that are added up as they arrive and not kept by image: what reads their bytes.
SUMS: Mapping[str, Callable[[bytes], Any]] = {
    Scores.name: Scores.from_bytes,
    ClassScores.name: ClassScores.from_bytes,
}
