"""Labels: what the integers of a label map mean.

A label has an *id*, the number that metrics report. The files may store other numbers for it, its
*sources* (by default the id itself); several sources merge into one label. *Ignored* labels mark
void: a pixel whose ground truth is void is not counted. `average=False` is another thing: the label
keeps its pixels and its own rows, and only the means over classes pass over it.

A `LabelSet` is a fact about the data, so it rides on the data (`LabelMap.labels_of`) and not on a metric.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256

from .errors import DataError

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Label:
    """One class: its id, and what is known about it. `thing=None` means that nobody said."""

    id: int
    name: str | None = None
    color: Color | None = None
    source: tuple[int, ...] = ()
    parent: str | None = None
    ignore: bool = False
    average: bool = True
    thing: bool | None = None
    tolerance: float | None = None

    @property
    def sources(self) -> tuple[int, ...]:
        """The numbers in the files that mean this label."""
        return self.source or (self.id,)


@dataclass(frozen=True)
class LabelSet:
    """The labels that may occur. Ids are unique and no two labels share a source."""

    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        for what, numbers in (
            ("id", [x.id for x in self.labels]),
            ("source", [s for x in self.labels for s in x.sources]),
        ):
            if twice := sorted(n for n, k in Counter(numbers).items() if k > 1):
                raise DataError(f"{what} {twice[0]} belongs to more than one label; give each {what} to one label")

    def __iter__(self) -> Iterator[Label]:
        return iter(self.labels)

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def of_ids(cls, ids: Iterable[int], ignore: Iterable[int] = ()) -> LabelSet:
        """Nameless labels with these ids; those in `ignore` are void."""
        void = set(ignore)
        return cls(tuple(Label(i, ignore=i in void) for i in sorted({*ids, *void})))

    def ignoring(self, ids: Iterable[int]) -> LabelSet:
        """The same labels with these ids void; an id that is not among them is added."""
        void = set(ids) - set(self.ignored)
        if not void:
            return self
        marked = tuple(replace(x, ignore=True) if x.id in void else x for x in self.labels)
        return LabelSet((*marked, *(Label(i, ignore=True) for i in sorted(void - {x.id for x in self.labels}))))

    @cached_property
    def classes(self) -> tuple[int, ...]:
        """The ids that are counted, ascending: all but the ignored ones."""
        return tuple(sorted(x.id for x in self.labels if not x.ignore))

    @cached_property
    def averaged(self) -> tuple[bool, ...]:
        """Of each class, whether it is in the means over classes."""
        return tuple(self.by_id[c].average for c in self.classes)

    @cached_property
    def things(self) -> tuple[bool | None, ...]:
        """Of each class, whether it is a thing; None where nobody said."""
        return tuple(self.by_id[c].thing for c in self.classes)

    @cached_property
    def ignored(self) -> tuple[int, ...]:
        """The ids of the void labels, ascending."""
        return tuple(sorted(x.id for x in self.labels if x.ignore))

    @cached_property
    def id_of_source(self) -> dict[int, int]:
        """Number in the files -> id."""
        return {s: x.id for x in self.labels for s in x.sources}

    @cached_property
    def id_of_color(self) -> dict[Color, int]:
        """Colour -> id, for RGB files; two labels of one colour are an error only where colours are needed."""
        return {x.color: x.id for x in self.labels if x.color is not None}

    @cached_property
    def digest(self) -> str:
        """Eight hexadecimal digits that tell one set of labels from another by what it does to counts and means."""
        facts = [(x.id, x.sources, x.ignore, x.average) for x in sorted(self.labels, key=lambda x: x.id)]
        return sha256(repr(facts).encode()).hexdigest()[:8]

    @cached_property
    def by_id(self) -> dict[int, Label]:
        return {x.id: x for x in self.labels}

    def title(self, id: int) -> str:
        """How reports call a class: its name where known and unique, `name#id` where two share it, else the id."""
        label = self.by_id.get(id)
        if label is None or not label.name:
            return str(id)
        same = sum(x.name == label.name for x in self.labels)
        return label.name if same == 1 else f"{label.name}#{id}"
