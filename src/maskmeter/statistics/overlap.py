"""Objects and the pixels they share: all that metrics of instances, panoptic segments and partitions need to know.

Conventions. An object is a set of pixels with an id of its own; the value of an id means nothing.
- Void ground truth is left out: `pred_size` counts an object's pixels outside it, `pred_void` those on it.
  Predictions with a void id or class are no objects; their pixels are background.
- A crowd is a region of the ground truth with objects that nobody told apart. It is kept as an object with
  its mark: no metric asks for it to be found, and predictions on it are not held against a model.
- Objects without classes are all of class 1, and the statistic is *binary*: it has one value, not one per class.
- Within an image, objects are stored in an order made of what they are (sizes, shared pixels), never of their
  ids. So no formula can depend on the labels: objects that come out of order are alike in everything counted.

Merging: rows are concatenated, image by image, so objects are matched only within their image. Sums over
objects are integers or exactly rounded, so neither the order of images nor how they were sharded moves a bit.

An `Overlap` answers sums for all of its images together (pooled), for each (`by_image`), or for resamples of
them (`resampled`); formulas are written once, over sums with leading axes "...".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import MergeError
from ..kernels import weighted_sums
from ..labels import LabelSet
from ._codec import from_bytes, to_bytes
from ._order import in_order
from ._sums import counts, exact_sums, sums_in_turn
from .details import NOTHING, Found

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

THING, STUFF, UNSAID = 1, 0, -1

GT = ("gt_id", "gt_image", "gt_class", "gt_size", "gt_area", "gt_crowd", "gt_boundary")
PRED = ("pred_id", "pred_image", "pred_class", "pred_size", "pred_void", "pred_boundary", "pred_score")
PAIR = ("pair_gt", "pair_pred", "pair_pixels", "pair_boundary", "pair_centred")


@dataclass(frozen=True, eq=False)
class Overlap:
    """Objects of both sides and the pixels that each two share, of one image or of many.

    gt_id, pred_id        (G,), (P,) the ids in the files
    gt_image, pred_image  (G,), (P,) the image that the object is in, ascending
    gt_class, pred_class  (G,), (P,) class ids; 1 for objects without classes
    gt_size, pred_size    (G,), (P,) pixels, outside void
    gt_area               (G,) the size that the file declares, read by convention `panoptic` alone; else `gt_size`
    gt_crowd              (G,) 0, or for a crowd its place (1, 2, ...) among the crowds of its image
    pred_void             (P,) pixels on void
    gt_boundary, pred_boundary  (G,), (P,) pixels on the object's boundary, outside void; 0 where `width` is 0
    pred_score            (P,) confidence, NaN where none was given
    pair_gt, pair_pred    (N,) indices of two objects that share pixels, ascending
    pair_pixels           (N,) how many pixels they share
    pair_boundary         (N,) how many boundary pixels they share
    pair_centred          (N,) whether the centre of the reference lies in the prediction; 0 without `centres`
    pixels                (I,) pixels of each image, outside void
    classes               (K,) ids, ascending
    averaged              (K,) whether the class takes part in means over classes
    thing                 (K,) 1 for things, 0 for stuff, -1 where nobody said
    binary                objects have no classes
    disjoint              no pixel belongs to two objects of one side
    width                 that of boundaries, as a share of the image diagonal; 0 where they were not counted
    centres               whether centres were counted (see `details`)
    tape                  where sums are recorded, or read again without the objects (see `overlap_sums`)
    weights               None: sums are over all images; a matrix (B, I): over resamples; "images": for each image
    """

    name: ClassVar[str] = "overlap"

    gt_id: Ints
    gt_image: Ints
    gt_class: Ints
    gt_size: Ints
    gt_area: Ints
    gt_crowd: Ints
    gt_boundary: Ints
    pred_id: Ints
    pred_image: Ints
    pred_class: Ints
    pred_size: Ints
    pred_void: Ints
    pred_boundary: Ints
    pred_score: Floats
    pair_gt: Ints
    pair_pred: Ints
    pair_pixels: Ints
    pair_boundary: Ints
    pair_centred: Ints
    pixels: Ints
    classes: Ints
    averaged: NDArray[np.bool_]
    thing: Ints
    binary: bool = False
    disjoint: bool = True
    width: float = 0.0
    centres: bool = False
    weights: Floats | str | None = None
    tape: Any = None

    # What objects share

    @cached_property
    def union(self) -> Ints:
        """(N,) pixels that belong to either object of a pair."""
        return self.gt_size[self.pair_gt] + self.pred_size[self.pair_pred] - self.pair_pixels

    @cached_property
    def comparable(self) -> NDArray[np.bool_]:
        """(N,) pairs of one class whose ground truth is not a crowd: those that can match."""
        return (self.gt_class[self.pair_gt] == self.pred_class[self.pair_pred]) & (self.gt_crowd[self.pair_gt] == 0)

    @cached_property
    def on_crowd(self) -> Ints:
        """(P,) pixels of a prediction that lie on crowds of its class."""
        if not self.gt_crowd.any():
            return np.zeros(self.pred_id.size, np.int64)
        crowd, pred = self.gt_crowd[self.pair_gt], self.pair_pred
        on = (crowd > 0) & (self.gt_class[self.pair_gt] == self.pred_class[pred])
        return counts(pred[on], self.pair_pixels[on], self.pred_id.size)

    @cached_property
    def excused(self) -> NDArray[np.bool_]:
        """(P,) predictions that lie by more than half on void or on crowds of their class: never false positives."""
        return 2 * (self.pred_void + self.on_crowd) > self.pred_size + self.pred_void

    @cached_property
    def memo(self) -> dict[Any, Any]:
        """Where conclusions that several metrics share are kept, such as a matching."""
        return {}

    @cached_property
    def without_crowds(self) -> Overlap:
        """The same with crowds made void, and without predictions that have no pixel left."""
        crowd = self.gt_crowd > 0
        if not crowd.any() and self.pred_size.all():
            return self
        on = crowd[self.pair_gt]
        lost = counts(self.pair_pred[on], self.pair_pixels[on], self.pred_id.size)
        held = counts(self.gt_image[crowd], self.gt_size[crowd], self.images)
        made = replace(
            self, pred_size=self.pred_size - lost, pred_void=self.pred_void + lost, pixels=self.pixels - held
        )
        return made.restricted(~crowd, made.pred_size > 0)

    def restricted(self, gt: NDArray[np.bool_], pred: NDArray[np.bool_]) -> Overlap:
        """The same with only these objects."""
        kept = gt[self.pair_gt] & pred[self.pair_pred]
        return replace(
            self,
            **{f: getattr(self, f)[gt] for f in GT},
            **{f: getattr(self, f)[pred] for f in PRED},
            pair_gt=(np.cumsum(gt) - 1)[self.pair_gt[kept]],
            pair_pred=(np.cumsum(pred) - 1)[self.pair_pred[kept]],
            **{f: getattr(self, f)[kept] for f in PAIR[2:]},
        )

    # Adding up

    @property
    def images(self) -> int:
        return self.pixels.size

    def by_image(self) -> Overlap:
        """The same, answering sums for each image."""
        return self._answering("images")

    def resampled(self, weights: Floats) -> Overlap:
        """The same, answering sums over resamples b that hold image i `weights[b, i]` times."""
        return self._answering(weights)

    def taped(self, tape: Any) -> Overlap:
        """The same objects, whose sums go through a tape."""
        made = replace(self, tape=tape)
        made.__dict__["memo"] = self.memo
        return made

    def _answering(self, weights: Floats | str) -> Overlap:
        """The same objects under other weights: what was concluded of them, which no weight changes, is shared."""
        made = replace(self, weights=weights)
        made.__dict__["memo"] = self.memo
        return made

    def total(
        self, values: NDArray[Any], image: Ints, class_: Ints | None = None, in_turn: bool = False
    ) -> NDArray[Any]:
        """Sums of the values of objects or pairs: (..., K) with their classes, (...) without.

        Integers add exactly; floats are added without error and rounded once, or with `in_turn` one after the
        other, as a reference does whose sums depend on the order of its files.
        """
        k = 1 if class_ is None else self.classes.size
        add = counts if values.dtype.kind != "f" else sums_in_turn if in_turn else exact_sums
        column = 0 * image if class_ is None or k == 1 else np.searchsorted(self.classes, class_)
        if self.tape is not None:
            sums = self.tape.total(self, column, values, image, k, in_turn)
        elif self.weights is None:
            sums = add(column, values, k)
        else:
            sums = self.over_images(add(image * k + column, values, self.images * k).reshape(self.images, k))
        return sums if class_ is not None else sums[..., 0]

    def over_images(self, values: NDArray[Any]) -> NDArray[Any]:
        """What was summed for each image, (I, K), as the sums (..., K) that this statistic answers."""
        if self.tape is not None:
            return self.tape.over_images(self, values)
        if self.weights is None:
            return values.sum(axis=0)
        return values if isinstance(self.weights, str) else weighted_sums(self.weights, values)

    def total_gt(self, values: NDArray[Any], among: NDArray[Any] | None = None) -> NDArray[Any]:
        """(..., K) sums over objects of the ground truth (those of `among`: a mask or indices)."""
        return self._total(values, "gt", among)

    def total_pred(self, values: NDArray[Any], among: NDArray[Any] | None = None) -> NDArray[Any]:
        """(..., K) sums over predicted objects (those of `among`: a mask or indices)."""
        return self._total(values, "pred", among)

    def _total(self, values: NDArray[Any], side: str, among: NDArray[Any] | None) -> NDArray[Any]:
        image, class_ = getattr(self, f"{side}_image"), getattr(self, f"{side}_class")
        if among is None:
            return self.total(values, image, class_)
        return self.total(values[among], image[among], class_[among])

    def __add__(self, other: Overlap) -> Overlap:
        return concatenate([self, other])

    # Classes

    def under(self, labels: LabelSet | None) -> Overlap:
        """The same with the classes of `labels`, where the objects have classes."""
        if labels is None or self.binary:
            return self
        return replace(self, **_facts(labels))

    # Bytes

    def to_bytes(self) -> bytes:
        """Objects and pairs, packed; `from_bytes(...).under(labels)` gives the statistic back."""
        out = {f: getattr(self, f) for f in (*GT, *PRED, *PAIR, "pixels")}
        out["pred_score"] = np.ascontiguousarray(self.pred_score).view(np.int64)
        out["flags"] = np.array([self.binary, self.disjoint, self.centres], np.int64)
        out["width"] = np.array([self.width]).view(np.int64)
        for field, usual in self._usual(out).items():
            if np.array_equal(out[field], usual):
                del out[field]
        return to_bytes(out)

    @classmethod
    def from_bytes(cls, data: bytes) -> Overlap:
        """The statistic that was packed, with the classes that occur in it."""
        x = from_bytes(data)
        binary, disjoint, centres = x.pop("flags").astype(bool).tolist()
        width = float(x.pop("width").view(np.float64)[0])
        for field, usual in cls._usual(x).items():
            x.setdefault(field, usual)
        classes = np.array([1]) if binary else np.unique(np.concatenate([x["gt_class"], x["pred_class"]]))
        score = x.pop("pred_score").view(np.float64)
        return cls(
            **x, pred_score=score, **_unsaid(classes), binary=binary, disjoint=disjoint, width=width, centres=centres
        )  # type: ignore[arg-type]

    @staticmethod
    def _usual(x: dict[str, Ints]) -> dict[str, Ints]:
        """What fields mostly hold; they are not written then."""
        g, p, n = x["gt_id"].size, x["pred_id"].size, x["pair_gt"].size
        none = np.full(p, np.nan).view(np.int64)
        zero, one = np.zeros(max(g, p, n), np.int64), np.ones(max(g, p), np.int64)
        return {
            "gt_image": zero[:g], "gt_class": one[:g], "gt_area": x["gt_size"], "gt_crowd": zero[:g],
            "pred_image": zero[:p], "pred_class": one[:p], "pred_void": zero[:p], "pred_score": none,
            "gt_boundary": zero[:g], "pred_boundary": zero[:p], "pair_boundary": zero[:n], "pair_centred": zero[:n],
        }  # fmt: skip


def concatenate(parts: Sequence[Overlap]) -> Overlap:
    """The statistics of many images as one, in this order. Raises MergeError where conventions differ.

    One field after the other is joined and let go, and one that holds a single number throughout takes no room: a
    million objects come in little more memory than they need.
    """
    if not parts:
        raise MergeError("there is nothing to add up")
    if len({x.binary for x in parts}) > 1:
        raise MergeError("objects with classes do not add to objects without; give classes for all or for none")
    if len({(x.width, x.centres) for x in parts}) > 1:
        raise MergeError("boundaries or centres were counted for some images and not for others")
    if any(x.weights is not None for x in parts):
        raise MergeError("only pooled statistics add up; concatenate first, then take them by image")
    before = {
        "image": [x.images for x in parts],
        "gt": [x.gt_id.size for x in parts],
        "pred": [x.pred_id.size for x in parts],
    }
    about: dict[str, Any] = {
        "binary": parts[0].binary,
        "disjoint": all(x.disjoint for x in parts),
        "width": parts[0].width,
        "centres": parts[0].centres,
        **_joined_facts(parts),
    }
    by_pixels = all(x.gt_area is x.gt_size or np.array_equal(x.gt_area, x.gt_size) for x in parts)
    fields = [f for f in (*GT, *PRED, *PAIR, "pixels") if f != "gt_area" or not by_pixels]
    held = {f: [getattr(x, f) for x in parts] for f in fields}
    del parts
    joined: dict[str, NDArray[Any]] = {}
    for f in fields:
        columns = held.pop(f)
        side, _, what = f.partition("_")
        if counted := before.get("image" if what == "image" else what if side == "pair" else ""):
            columns = [x + n for x, n in zip(columns, np.cumsum([0, *counted[:-1]]).tolist(), strict=True)]
        joined[f] = _constant(columns) if len(columns) > 1 else columns[0]
    if by_pixels:
        joined["gt_area"] = joined["gt_size"]
    return Overlap(**joined, **about)


def _constant(columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The columns as one; a view of a single number where they hold no other."""
    joined = np.concatenate(columns)
    first = joined[:1]
    same = joined == first if joined.dtype.kind == "i" else (joined == first) | (np.isnan(joined) & np.isnan(first))
    return np.broadcast_to(first.copy(), joined.shape) if joined.size and same.all() else joined


def _joined_facts(parts: Sequence[Overlap]) -> dict[str, Any]:
    first = parts[0]
    if all(np.array_equal(x.classes, first.classes) for x in parts):
        classes = first.classes
    else:
        classes = np.unique(np.concatenate([x.classes for x in parts]))
    averaged, thing = np.full(classes.size, -1), np.full(classes.size, UNSAID)
    for x in parts:
        at = np.searchsorted(classes, x.classes)
        said = averaged[at]
        if (differs := (said >= 0) & (said != x.averaged)).any():
            raise MergeError(f"class {x.classes[differs][0]} is in the means of one side and not of the other")
        known = thing[at]
        if (differs := (known != UNSAID) & (x.thing != UNSAID) & (known != x.thing)).any():
            raise MergeError(f"class {x.classes[differs][0]} is a thing on one side and stuff on the other")
        averaged[at] = x.averaged
        thing[at] = np.where(x.thing == UNSAID, known, x.thing)
    return {"classes": classes, "averaged": averaged == 1, "thing": thing}


def _facts(labels: LabelSet) -> dict[str, Any]:
    """What a set of labels says of the classes."""
    return {
        "classes": np.array(labels.classes, np.int64),
        "averaged": np.array(labels.averaged, bool),
        "thing": np.array([UNSAID if x is None else x for x in labels.things], np.int64),
    }


def _unsaid(classes: Iterable[int] | Ints) -> dict[str, Any]:
    ids = np.array(sorted(classes), np.int64)
    return {"classes": ids, "averaged": np.ones(ids.size, bool), "thing": np.full(ids.size, UNSAID)}


def of_objects(
    gt: dict[str, NDArray[Any]],
    pred: dict[str, NDArray[Any]],
    pairs: tuple[Ints, Ints, Ints],
    pixels: int,
    labels: LabelSet | None = None,
    binary: bool = True,
    disjoint: bool = True,
    details: Found | None = None,
) -> Overlap:
    """One image's statistic of its objects, given by their fields without the prefix, put in their order."""
    more = details or Found({}, {}, {}, NOTHING)
    none, nothing, alone = (np.zeros(x.size, np.int64) for x in (gt["id"], pred["id"], pairs[0]))
    gt = {"class": none + 1, "area": gt["size"], "crowd": none, "boundary": none, **gt, **more.gt}
    pred = {"class": nothing + 1, "void": nothing, "boundary": nothing, "score": nothing + np.nan, **pred, **more.pred}
    pair = {"gt": pairs[0], "pred": pairs[1], "pixels": pairs[2], "boundary": alone, "centred": alone, **more.pair}
    g_order, p_order, pair = in_order(gt, pred, pair)
    facts = _facts(labels) if labels else _unsaid([1] if binary else {*gt["class"].tolist(), *pred["class"].tolist()})
    return Overlap(
        **{f"gt_{k}": v[g_order] for k, v in gt.items()},
        **{f"pred_{k}": v[p_order] for k, v in pred.items()},
        gt_image=np.zeros(g_order.size, np.int64), pred_image=np.zeros(p_order.size, np.int64),
        **{f"pair_{k}": v for k, v in pair.items()}, pixels=np.array([pixels], np.int64),
        **facts, binary=binary, disjoint=disjoint, width=more.wanted.boundary, centres=more.wanted.centres,
    )  # fmt: skip
