"""Which pixels are one object, and of which class it is: what `overlap` reads from the maps before it counts.

The class of an object comes from one of
- a class map: an array of the same shape; an object whose pixels carry two classes is an error;
- a table: id -> class, which must name every object;
- a divisor: class = id // divisor, as Cityscapes packs it (26001 is the car 1); an id below the divisor is its
  own class, and in the ground truth a crowd where that class is a thing;
- the map itself, where it is semantic and objects are its connected components.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LabelError, UsageError
from ..kernels import joint_counts
from ..labels import LabelSet
from ..masks import as_array, label_map

Ints = NDArray[np.int64]

OUTSIDE = -1  # the id of pixels whose class is void, in a map where they share their id with others
NO_CLASS = np.int64(-(2**63))


@dataclass(frozen=True)
class Facts:
    """What is true of both maps.

    labels      the classes that may occur
    void        classes that are void; ids that are, where objects have no classes or the table does not name them
    background  ids that are no object
    counted     the pixels that count
    """

    labels: LabelSet | None
    void: set[int]
    background: set[int]
    counted: NDArray[np.bool_] | None


@dataclass(frozen=True, eq=False)
class Found:
    """The ids of one side, ascending, with their classes, and which of them are objects, and which void."""

    ids: Ints
    classes: Ints
    objects: NDArray[np.bool_]
    void: NDArray[np.bool_]

    @cached_property
    def place(self) -> Ints:
        """Of each id, its place among the objects."""
        return self.objects.cumsum() - 1

    def place_of(self, ids: Ints) -> Ints:
        """The places of these ids among the objects; -1 for what is none."""
        at, known = self._found(ids)
        return np.where(known & self.objects[at], self.place[at], -1) if self.ids.size else np.full(ids.size, -1)

    def is_void(self, ids: Ints) -> NDArray[np.bool_]:
        """Which of these ids are void."""
        at, known = self._found(ids)
        return known & self.void[at] if self.ids.size else np.zeros(ids.size, bool)

    def _found(self, ids: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        at = np.minimum(np.searchsorted(self.ids, ids), max(self.ids.size - 1, 0))
        return at, self.ids[at] == ids if self.ids.size else np.zeros(ids.size, bool)


@dataclass(frozen=True, eq=False)
class Side:
    """One side's map of ids, and how to find the class of an id.

    title       "ground truth" or "prediction"
    ids         the map
    class_map   the class of each pixel
    table       the class of each id
    divisor     the class is id // divisor
    outside     pixels of a void class have the id `OUTSIDE`
    """

    title: str
    ids: NDArray[Any]
    class_map: NDArray[Any] | None = None
    table: Mapping[int, int] | None = None
    divisor: int | None = None
    outside: bool = False

    @property
    def classless(self) -> bool:
        return self.class_map is None and self.table is None and self.divisor is None

    def _nameless(self, void: set[int]) -> set[int]:
        """The ids that are void by themselves, and not by their class."""
        if self.classless:
            return void
        named = () if self.table is None else void - self.table.keys()
        return {*named, *([OUTSIDE] if self.outside else [])}

    def classes_of(self, ids: Ints, counted: NDArray[np.bool_] | None, skip: Iterable[int]) -> Ints:
        """The class of each id as the data says it; `NO_CLASS` for those in `skip`."""
        wanted = ~among(ids, skip)
        out = np.full(ids.size, NO_CLASS)
        if self.table is not None:
            out[wanted] = self._from_table(ids[wanted])
        elif self.divisor is not None:
            out[wanted] = np.where(ids >= self.divisor, ids // self.divisor, ids)[wanted]
        else:
            out[wanted] = self._from_map(ids[wanted], counted)
        return out

    def _from_table(self, ids: Ints) -> Ints:
        table = self.table or {}
        if unknown := [i for i in ids.tolist() if i not in table]:
            more = f" and {len(unknown) - 1} more have" if len(unknown) > 1 else " has"
            raise LabelError(f"object {unknown[0]} of the {self.title}{more} no class in the table of classes")
        return np.array([table[i] for i in ids.tolist()], np.int64)

    def _from_map(self, ids: Ints, counted: NDArray[np.bool_] | None) -> Ints:
        of, classes, _ = joint_counts(self.ids, np.asarray(self.class_map), counted)
        kept = np.isin(of, ids)
        of, classes = of[kept], classes[kept]
        twice = of[1:] == of[:-1]
        if twice.any():
            i = int(np.argmax(twice))
            raise LabelError(
                f"object {of[i]} of the {self.title} carries two classes, {classes[i]} and {classes[i + 1]}; "
                "give each object one class, or each class ids of its own"
            )
        return classes[np.searchsorted(of, ids)]

    def without_void(self, void: Iterable[int]) -> Side:
        """The same with pixels of a void class taken out of their objects, where the classes come by pixel."""
        if self.class_map is None or not (outside := np.isin(self.class_map, list(void))).any():
            return self
        ids = self.ids.astype(np.int64)
        ids[outside] = OUTSIDE
        return replace(self, ids=ids, outside=True)

    def found(self, ids: Ints, facts: Facts) -> Found:
        """What the ids are, under these facts. Raises LabelError for ids that cannot be right."""
        nameless = self._nameless(facts.void)
        skip = facts.background | nameless
        if ids[:1].sum() < 0 and (strange := [i for i in ids[ids < 0].tolist() if i not in skip]):
            raise LabelError(
                f"object id {strange[0]} in the {self.title} is negative; name it with ignore if it is void"
            )
        void = among(ids, nameless)
        if self.classless:
            classes = np.ones(ids.size, np.int64)
        else:
            classes = self.classes_of(ids, facts.counted, skip)
            classes = as_declared(classes, facts.labels, facts.void, self.title)
            void |= among(classes, facts.void)
        return Found(ids, classes, ~void & ~among(ids, facts.background), void)


def sides(
    gt: NDArray[Any], pred: NDArray[Any], gt_classes: Any, pred_classes: Any, divisor: int | None
) -> tuple[Side, Side]:
    """Both sides, with their classes from maps, tables or a divisor. Raises UsageError where these clash."""
    if divisor is not None and (gt_classes is not None or pred_classes is not None):
        raise UsageError("classes come from a divisor or from gt_classes and pred_classes, not from both")
    if (gt_classes is None) != (pred_classes is None):
        raise UsageError("give the classes of both sides, gt_classes and pred_classes, or of none")
    if divisor is not None and divisor < 2:
        raise UsageError(f"divisor must be at least 2, not {divisor}")
    return _side("ground truth", gt, gt_classes, divisor), _side("prediction", pred, pred_classes, divisor)


def _side(title: str, ids: NDArray[Any], classes: Any, divisor: int | None) -> Side:
    if classes is None or isinstance(classes, Mapping):
        return Side(title, ids, table=classes, divisor=divisor)
    array = label_map(as_array(classes)).array
    if array.shape != ids.shape:
        raise LabelError(f"shape {array.shape} of the classes of the {title} differs from {ids.shape} of its objects")
    return Side(title, ids, class_map=array)


def among(values: Ints, some: Iterable[int]) -> NDArray[np.bool_]:
    """Which of the values are among some. `np.isin`, without what that costs where these are few."""
    few = list(some)
    if len(few) > 4:
        return np.isin(values, few)
    found = np.zeros(values.shape, np.bool_)
    for x in few:
        found |= values == x
    return found


def declared(classes: Iterable[int] | LabelSet | None, known: LabelSet | None) -> LabelSet | None:
    """The classes that may occur."""
    if isinstance(classes, LabelSet) or classes is None:
        return classes or known
    return LabelSet.of_ids(classes)


def as_declared(found: Ints, labels: LabelSet | None, void: Iterable[int], title: str) -> Ints:
    """Classes of the files as the label set calls them. Raises LabelError for one that it does not know."""
    if labels is None:
        return found
    values, at = np.unique(found, return_inverse=True)
    known, nothing = labels.id_of_source, {int(NO_CLASS), *void}
    if strange := [v for v in values.tolist() if v not in known and v not in nothing]:
        raise LabelError(f"class {strange[0]} in the {title} is outside the declared classes")
    return np.array([known.get(v, v) for v in values.tolist()], np.int64)[at]


def crowds(ids: Ints, classes: Ints, crowd: Sequence[int], divisor: int | None, labels: LabelSet | None) -> Ints:
    """For each object 0, or its place among the crowds: those named, then the groups of a divisor's things."""
    place = {i: k for k, i in enumerate(dict.fromkeys(crowd), 1)}
    if divisor is not None and labels is not None:
        groups = [
            i for i, c in zip(ids.tolist(), classes.tolist(), strict=True) if i < divisor and labels.by_id[c].thing
        ]
        place.update({i: k for k, i in enumerate(groups, len(place) + 1) if i not in place})
    return np.array([place.get(i, 0) for i in ids.tolist()], np.int64) if place else np.zeros(ids.size, np.int64)


def declared_areas(ids: Ints, size: Ints, areas: Mapping[int, int]) -> Ints:
    """The sizes that a file declares; the counted ones where it declares none."""
    return np.array([areas.get(i, n) for i, n in zip(ids.tolist(), size.tolist(), strict=True)], np.int64)


def scores_of(ids: Ints, scores: Mapping[int, float]) -> NDArray[np.float64]:
    """The confidence of each predicted object. Raises LabelError for one that has none."""
    found = np.array([scores.get(i, np.nan) for i in ids.tolist()], np.float64)
    if np.isnan(found).any():
        raise LabelError(f"object {ids[np.isnan(found)][0]} of the prediction has no score")
    return found
