"""From two maps of ids, or two sets of masks, to their `Overlap`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LabelError, UsageError
from ..kernels import joint_table
from ..labels import LabelSet
from ..masks import LabelMap, label_map, pair
from ._sums import counts
from .components import components
from .details import NOTHING, Wanted, measured
from .mask_sets import columnwise, is_masks, runs_of, shared
from .objects import Facts, Side, crowds, declared, declared_areas, scores_of, sides
from .overlap import Overlap, of_objects

Ints = NDArray[np.int64]


def overlap(
    gt: Any,
    pred: Any,
    *,
    classes: Iterable[int] | LabelSet | None = None,
    gt_classes: Any = None,
    pred_classes: Any = None,
    divisor: int | None = None,
    connectivity: int | None = None,
    ignore: int | Iterable[int] | None = None,
    background: int | None = 0,
    crowd: Sequence[int] = (),
    areas: Mapping[int, int] | None = None,
    scores: Mapping[int, float] | None = None,
    mask: Any = None,
    boundary: float = 0.0,
    centres: bool = False,
    stack: bool = False,
) -> Overlap:
    """Find the objects of a pair of maps of ids and count what they share.

    gt, pred      arrays of one shape, or `LabelMap`s; ids may be sparse and as large as 64 bits hold
    classes       the classes that may occur; any other is an error
    gt_classes    the class of each ground-truth object: an array of classes of the same shape, or id -> class
    pred_classes  the same for the prediction; both or none
    divisor       or class = id // divisor (see `objects`)
    connectivity  the maps are semantic, and objects their connected components (4 or 8; in 3D 6, 18 or 26)
    ignore        void: classes; ids where objects have no classes, or where the table of classes does not name them
    background    the id that is no object; None where every id is one
    crowd         ids of the ground truth that are crowds, in the order of the file
    areas         sizes of ground-truth objects as a file declares them, where `gt_area` is to hold those
    scores        confidence of predicted objects
    mask          where given, only pixels where it is true are counted
    boundary      also count the boundaries of objects, this share of the image diagonal wide (see `details`)
    centres       also look where the centres of ground-truth objects lie
    stack         both sides are stacks of boolean masks (N, ...), which may overlap one another

    Lists of boolean arrays or of RLE dictionaries, and `rle.Masks`, are masks, too (see `mask_sets`); of the facts they
    take scores alone, by the place of the mask from 1 on.

    Raises LabelError for arrays that are not ids, differ in shape or hold negative ids, and for objects with
    two classes or none.

    >>> o = overlap([[7, 7, 0], [0, 9, 9]], [[1, 1, 1], [0, 0, 2]])
    >>> o.gt_size.tolist(), sorted(o.pred_size.tolist()), o.pair_pixels.sum()
    ([2, 2], [1, 3], np.int64(3))
    """
    if stack or is_masks(gt) or is_masks(pred):
        given = (classes, gt_classes, pred_classes, divisor, connectivity, ignore, areas, mask)
        if any(x is not None for x in given) or crowd or boundary or centres:
            raise UsageError("masks that may overlap take no facts but scores")
        return _of_mask_sets(gt, pred, scores)
    if _is_pair(gt) or _is_pair(pred):
        raise UsageError(
            "a pair (class map, instance map) or (ids, {id: class}) is for Evaluation(task='panoptic').update; here "
            "give the ids alone, and the classes as gt_classes= and pred_classes="
        )
    g, p = label_map(gt, ignore=ignore, counted=mask), label_map(pred)
    pair(g, p)
    a, b = _sides(g, p, gt_classes, pred_classes, divisor, connectivity, background)
    labels = None if a.classless else declared(classes, g.labels)
    nothing = {0} if connectivity else set[int]() if background is None else {background}
    facts = Facts(labels, {*g.ignore, *(labels.ignored if labels else ())}, nothing, g.counted)
    a = a.without_void(facts.void)
    t = joint_table(a.ids, b.ids, g.counted)
    x, y = a.found(t.rows, facts), b.found(t.columns, facts)

    both = x.objects[t.row] & y.objects[t.column]
    pairs = x.place[t.row[both]], y.place[t.column[both]], t.pixels[both]
    on_void = np.zeros_like(t.column_totals)
    if x.void.any():
        void = x.void[t.row]
        on_void = counts(t.column[void], t.pixels[void], t.columns.size)
    details = None
    if (wanted := Wanted(boundary, centres)) != NOTHING:
        sizes = int(x.objects.sum()), int(y.objects.sum())
        details = measured((a.ids, b.ids), (x.place_of, y.place_of), x.is_void, sizes, pairs[:2], wanted, g.counted)
    gt_ids, gt_class, gt_size = t.rows[x.objects], x.classes[x.objects], t.row_totals[x.objects]
    pred_ids = t.columns[y.objects]
    return of_objects(
        {
            "id": gt_ids,
            "class": gt_class,
            "size": gt_size,
            "crowd": crowds(gt_ids, gt_class, crowd, divisor, labels),
            **({} if areas is None else {"area": declared_areas(gt_ids, gt_size, areas)}),
        },
        {
            "id": pred_ids,
            "class": y.classes[y.objects],
            "size": (t.column_totals - on_void)[y.objects],
            "void": on_void[y.objects],
            **({} if scores is None else {"score": scores_of(pred_ids, scores)}),
        },
        pairs,
        int(t.row_totals[~x.void].sum()),
        labels,
        a.classless,
        details=details,
    )


def _is_pair(side: Any) -> bool:
    """Whether a side is two things, and no map: ids with a table, or two maps, which would pass for a volume."""
    if not isinstance(side, tuple | list) or len(side) != 2:
        return False
    if any(isinstance(x, Mapping | LabelMap) for x in side):
        return True
    arrays = isinstance(side, tuple) or all(hasattr(x, "shape") for x in side)
    return arrays and all(np.ndim(x) > 1 for x in side)


def _of_mask_sets(gt: Any, pred: Any, scores: Mapping[int, float] | None) -> Overlap:
    (x, n, shape), (y, m, other) = runs_of(gt, "ground truth"), runs_of(pred, "prediction")
    if shape is not None and other is not None and shape != other:
        raise LabelError(f"masks of shape {shape} in the ground truth, {other} in the prediction")
    if n and m and columnwise(gt) != columnwise(pred):
        raise LabelError("one side is RLE and the other is not; give both as RLE or both as arrays")
    ids = np.arange(1, m + 1)
    told: dict[str, Any] = {} if scores is None else {"score": scores_of(ids, scores)}
    return of_objects(
        {"id": np.arange(1, n + 1), "size": counts(x[2], x[1] - x[0], n)},
        {
            "id": ids,
            "size": counts(y[2], y[1] - y[0], m),
            **told,
        },
        shared(x, y, (n, m)),
        prod(shape or other or ()) if n or m else 0,
        disjoint=False,
    )


def _sides(
    g: LabelMap, p: LabelMap, gt_classes: Any, pred_classes: Any, divisor: int | None, connectivity: int | None,
    background: int | None,
) -> tuple[Side, Side]:  # fmt: skip
    if connectivity is None:
        if g.binary or p.binary:
            raise LabelError(
                "a boolean mask has no objects; say connectivity=4 or 8 (in 3D 6, 18 or 26) to take its connected "
                "components, or give the ids of the objects as integers"
            )
        return sides(g.array, p.array, gt_classes, pred_classes, divisor)
    if gt_classes is not None or pred_classes is not None or divisor is not None:
        raise UsageError("with connectivity the maps are the classes; leave gt_classes, pred_classes and divisor away")
    none = 0 if g.binary and p.binary else -(2**63) if background is None else background
    (a, of_a), (b, of_b) = components(g.array, connectivity, none), components(p.array, connectivity, none)
    if g.binary and p.binary:
        return Side("ground truth", a), Side("prediction", b)
    return Side("ground truth", a, table=of_a), Side("prediction", b, table=of_b)
