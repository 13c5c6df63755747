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
from ..kernels import LabelArray, LabelRuns, joint_table
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
    t = joint_table(gt, gt if pred is None else pred, counted)
    pred_ids = np.full_like(t.columns, VOID_ID) if pred is None else t.columns
    known = None if labels is None else labels.ignoring(ignore)
    void = set(ignore) if known is None else set(known.ignored)
    x = Table(t.rows, segments[0], known, void, whole=counted is None)
    y = Table(pred_ids, segments[1], known, void, whole=counted is None)
    x.check("the ground truth", files[0])
    y.check("the prediction", files[1])
    x_at, y_at = x.place(t.rows), y.place(pred_ids)
    at_a, at_b = x_at[t.row], y_at[t.column]
    both, on_void = (at_a >= 0) & (at_b >= 0), (at_a == VOID) & (at_b >= 0)
    pairs = at_a[both], at_b[both], t.pixels[both]
    details = Found({}, {}, {}, wanted) if wanted == NOTHING else measured(
        _dense(gt, pred), (x.place, y.place), lambda ids: x.place(ids) == VOID,
        (x.ids.size, y.ids.size), pairs[:2], wanted, counted,
    )  # fmt: skip
    size, void_size = x.spread(x_at, t.row_totals), counts(at_b[on_void], t.pixels[on_void], y.ids.size)
    return of_objects(
        {"id": x.ids, "class": x.classes, "size": size, **x.declared(size)},
        {
            "id": y.ids,
            "class": y.classes,
            "size": y.spread(y_at, t.column_totals) - void_size,
            "void": void_size,
        },
        pairs,
        int(t.row_totals[x_at != VOID].sum()),
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

    def spread(self, at: Ints, n: Ints) -> Ints:
        """Pixels of ids at these places as pixels of the objects."""
        out = np.zeros(self.ids.size, np.int64)
        out[at[at >= 0]] = n[at >= 0]
        return out

    def declared(self, sizes: Ints) -> dict[str, Ints]:
        """What the file says of its segments: crowds, and areas where it has them."""
        if not self.whole:
            return {"crowd": self.crowd}
        area = [k if s.area is None else s.area for s, k in zip(self.segments, sizes.tolist(), strict=True)]
        return {"crowd": self.crowd, "area": np.array(area, np.int64)}


def _some(ids: list[int], most: int = 5) -> str:
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return f"segment{'s' if len(ids) > 1 else ''} {', '.join(map(str, ids[:most]))}{more}"
