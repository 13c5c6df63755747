"""From two maps of segment ids to their `Overlap`.

Conventions. Id 0 is void unless a segment has it, and so are segments whose class is void. In the ground truth
void pixels are not counted; in the prediction they belong to nobody. A segment and its pixels must agree: an id
without a segment, or a segment without a pixel, is an error of the file, since no reading of it is safe. The
declared area of a ground-truth segment is kept beside its pixels (`gt_area`) and decides nothing by itself.
Where only some pixels are counted, what a file declares of the whole image does not hold, and is left aside.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LabelError
from ..kernels import LabelArray, LabelRuns, joint_counts
from ..labels import LabelSet
from ..segments import VOID_ID, Segments
from ._sums import counts
from .details import NOTHING, Found, Wanted, measured
from .overlap import Overlap, of_objects

Ints = NDArray[np.int64]

VOID, BACKGROUND = -1, -2  # places of ids that are no object


def overlap_of_segments(
    gt: LabelArray,
    pred: LabelArray | None,
    segments: tuple[Segments, Segments],
    labels: LabelSet | None = None,
    ignore: Iterable[int] = (),
    counted: NDArray[np.bool_] | None = None,
    files: tuple[Path | None, Path | None] = (None, None),
    wanted: Wanted = NOTHING,
) -> Overlap:
    """What the segments of one image share; without a prediction they share nothing.

    gt, pred   maps of ids of one shape, or their runs
    segments   those of the ground truth and of the prediction
    labels     the classes, where they are known; segments of any other class are an error
    ignore     void classes, beside those of `labels`
    counted    where given, only pixels where it is true are counted
    files      of both sides, for errors
    wanted     what else is counted (see `details`)

    Raises LabelError where ids and segments disagree.

    >>> from maskmeter.segments import Segment
    >>> segments = (Segment(5, 1), Segment(6, 2)), (Segment(7, 1), Segment(8, 2))
    >>> o = overlap_of_segments(np.array([0, 5, 5, 6]), np.array([7, 7, 7, 8]), segments)
    >>> o.gt_size.tolist(), o.pred_void.tolist(), o.pixels.tolist()
    ([1, 2], [0, 1], [3])
    """
    a, b, n = joint_counts(gt, gt if pred is None else pred, counted)
    if pred is None:
        b = np.full_like(b, VOID_ID)
    known = None if labels is None else labels.ignoring(ignore)
    void = set(ignore) if known is None else set(known.ignored)
    x = Table(a, segments[0], known, void, whole=counted is None)
    y = Table(b, segments[1], known, void, whole=counted is None)
    x.check("the ground truth", files[0])
    y.check("the prediction", files[1])
    at_a, at_b = x.place(a), y.place(b)
    in_pred, valid = at_b >= 0, at_a != VOID
    both = (at_a >= 0) & in_pred
    details = Found({}, {}, {}, wanted) if wanted == NOTHING else measured(
        _dense(gt, pred), (x.place, y.place), lambda ids: x.place(ids) == VOID,
        (x.ids.size, y.ids.size), (at_a[both], at_b[both]), wanted, counted,
    )  # fmt: skip
    return of_objects(
        {"id": x.ids, "class": x.classes, "size": x.sizes(at_a, n, at_a >= 0), **x.declared(at_a, n)},
        {
            "id": y.ids,
            "class": y.classes,
            "size": y.sizes(at_b, n, in_pred & valid),
            "void": y.sizes(at_b, n, in_pred & ~valid),
        },
        (at_a[both], at_b[both], n[both]),
        int(n[valid].sum()),
        known,
        binary=False,
        details=details,
    )


def _dense(gt: LabelArray, pred: LabelArray | None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both maps of ids as arrays; without a prediction one of no id."""
    a = gt.array() if isinstance(gt, LabelRuns) else gt
    if pred is None:
        return a, np.full(a.shape, VOID_ID, np.int64)
    return a, pred.array() if isinstance(pred, LabelRuns) else pred


class Table:
    """The segments of one side that are objects, by id, beside the ids that occur."""

    def __init__(self, seen: Ints, segments: Segments, labels: LabelSet | None, void: set[int], whole: bool) -> None:
        self.whole, self.known, self.seen = whole, {s.id for s in segments}, set(seen.tolist())
        if VOID_ID not in self.known:
            self.seen.discard(VOID_ID)
        class_of = {s.class_: s.class_ for s in segments} if labels is None else labels.id_of_source
        undeclared = [s for s in segments if s.class_ not in class_of]
        self.undeclared = [s.id for s in undeclared]
        ignored = f", or pass --ignore {undeclared[0].class_} if it is void" if undeclared else ""
        self.remedy = f"declare it{ignored}"
        self.background = np.array([s.id for s in segments if s.background], np.int64)
        kept = sorted(
            s for s in segments
            if not s.background and s.class_ in class_of and class_of[s.class_] not in void
            and (whole or s.id in self.seen)
        )  # fmt: skip
        self.segments = kept
        self.ids = np.array([s.id for s in kept], np.int64)
        self.classes = np.array([class_of[s.class_] for s in kept], np.int64)
        crowds = [s.id for s in segments if s.crowd]  # their place is that in the file
        self.crowd = np.array([crowds.index(s.id) + 1 if s.crowd else 0 for s in kept], np.int64)

    def check(self, side: str, file: Path | None) -> None:
        """Raise LabelError where a class is not declared, an id has no segment, or a segment has no pixel."""
        unlisted = sorted(self.seen - self.known)
        absent = sorted(self.known - self.seen) if self.whole else []
        found = (
            (unlisted, "only in the PNG", "list it or make its pixels 0"),
            (absent, "only in segments_info", "leave it out there"),
            (self.undeclared, "of a class that is not declared", self.remedy),
        )
        if wrong := [f"{_some(ids)} {where} ({remedy})" for ids, where, remedy in found if ids]:
            raise LabelError(f"{side} and its segments disagree: {'; '.join(wrong)}", file)

    def place(self, ids: Ints) -> Ints:
        """Of each id, its place among the objects, or that it is `VOID` or `BACKGROUND`."""
        at = np.searchsorted(self.ids, ids)
        found = at < self.ids.size
        found[found] = self.ids[at[found]] == ids[found]
        elsewhere = np.where(np.isin(ids, self.background), BACKGROUND, VOID) if self.background.size else VOID
        return np.where(found, at, elsewhere)

    def sizes(self, at: Ints, n: Ints, among: NDArray[np.bool_]) -> Ints:
        """The pixels of each object."""
        return counts(at[among], n[among], self.ids.size)

    def declared(self, at: Ints, n: Ints) -> dict[str, Ints]:
        """What the file says of its segments: crowds, and areas where it has them."""
        if not self.whole:
            return {"crowd": self.crowd}
        sizes = self.sizes(at, n, at >= 0).tolist()
        area = [k if s.area is None else s.area for s, k in zip(self.segments, sizes, strict=True)]
        return {"crowd": self.crowd, "area": np.array(area, np.int64)}


def _some(ids: list[int], most: int = 5) -> str:
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return f"segment{'s' if len(ids) > 1 else ''} {', '.join(map(str, ids[:most]))}{more}"
