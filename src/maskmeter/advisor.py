"""The pitfall advisor: where a number of this run misleads, and which one to look at instead.

Every warning follows from counts that are there already. It says what was found, with figures, and
names the metric to read. The limits are stated here, once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .errors import printable
from .evaluation import Evaluation
from .metrics import accuracy, iou, mean_iou
from .readings import source
from .reopening import NONE, Unavailable, reopen
from .statistics.components import NEIGHBOURS, pieces
from .statistics.confusion import Confusion
from .statistics.measured import Measured
from .statistics.overlap import Overlap
from .statistics.surface import Surface
from .tasks import FEW

LARGE_SHARE = 0.7  # one class with more of the pixels than this makes accuracy easy
NEAR_CONSTANT = 0.05  # accuracy less than this above the constant prediction
FEW_PIXELS = 1000
FEW_IMAGES = 5
LARGE_VOID = 0.2
DISAGREE = 0.1  # between pooled and mean over images
SMALL_OBJECT = 100  # pixels of a class in an image, under which IoU jumps
LIKELY_VOID = 255
FEW_ELEMENTS = 20  # of a surface, under which its distances jump
CUT_OFF = 0.01  # of a surface on the end of the image, beyond which part of the object is not seen
LOOKED_AT = 8  # images in which ids are compared
NAMED = 5  # metrics that are named one by one
DOUBTS = {
    "few": "intervals rest on few {units} (below 20 they are too narrow)",
    "biased": "resamples lie to one side of the value, so its interval may miss",
    "rough": "resamples take only a few values, so ends jump",
    "lost": "more than 5 % of the resamples have no value",
}


@dataclass(frozen=True)
class Advice:
    """One warning: what was found, and the metric to look at instead; "" where no other helps."""

    kind: str
    text: str
    metric: str


def advise(evaluation: Evaluation) -> list[Advice]:
    """All warnings for an evaluation."""
    if not len(evaluation.records):
        return []
    doubts = [*like_classes(evaluation), *_doubts(evaluation)]
    if not evaluation.has(Confusion.name) or not evaluation.pooled.pixels:
        return doubts
    facts = _PerImage(evaluation)
    checks = (_fitted, _surfaces, _tolerance, _imbalance, _void, _likely_void, _absent, _rare, _small, _averages)
    return doubts + [a for check in checks for a in check(evaluation, facts)]


class _PerImage:
    """What the checks need of each image, gathered in one pass."""

    def __init__(self, evaluation: Evaluation) -> None:
        k = evaluation.pooled.classes.size
        self.with_gt = np.zeros(k, np.int64)  # images that hold the class
        self.small = np.zeros(k, np.int64)  # images that hold a few pixels of it
        for _, stack in evaluation.stacks():
            self.with_gt += (stack.gt > 0).sum(axis=0)
            self.small += ((stack.gt > 0) & (stack.gt < SMALL_OBJECT)).sum(axis=0)


def constant_accuracy(c: Confusion) -> float:
    """The accuracy of predicting the largest class everywhere."""
    return float(c.gt.max() / c.pixels) if c.gt.size and c.pixels else float("nan")


def _doubts(e: Evaluation) -> Iterator[Advice]:
    """Why intervals are not to be trusted, and whose."""
    units = "groups" if e.resampling.grouped else "images"
    with_interval = sum(r.low == r.low for r in e.rows())
    said: list[str] = []
    for doubt, why in DOUBTS.items():
        found = [r for r in e.rows() if doubt in r.doubts]
        classes: dict[str, set[str | None]] = {}
        for r in found:
            classes.setdefault(r.metric, set()).add(r.class_)
        named = [_of_one(m, *of) if len(of) == 1 else f"{m} ({len(of)} values)" for m, of in classes.items()]
        if found:
            listed = ", ".join(named[:NAMED]) + (", ..." if len(named) > NAMED else "")
            every = "all" if len(found) == with_interval else listed
            said.append(f"{why.format(units=units)}: {every}")
    if said:
        yield Advice("intervals", "; ".join(said), "")


def like_classes(e: Evaluation) -> Iterator[Advice]:
    """Whether maps of objects seem to hold classes: the same few ids in all images, each in many pieces."""
    if e.facts.task != "instance" or e.facts.files:
        return
    names = e.images
    made = source(Overlap.name, e.facts)
    some = [e.records[name] for name in names[:: max(1, len(names) // LOOKED_AT)][:LOOKED_AT]]
    seen = [set(made.pool([[record.statistics[made.stored]]], None).gt_id.tolist()) for record in some]
    known = set[int]().union(*seen)
    if not 0 < len(known) <= FEW or sum(map(len, seen)) < 0.5 * len(known) * len(seen):
        return
    name, found, axes = _pieces(e, names[0])
    if not found or 3 * sum(k >= 3 for k in found.values()) < len(found) or found.total() < 4 * len(found):
        return
    ids = f"{len(known)} ids" if len(known) > 1 else "id"
    same = f"the same {ids} in all images" if len(names) > 1 else ids if len(known) > 1 else "one id"
    yield Advice(
        "classes",
        f"the ground truth looks like classes, not objects: {same}, and {found.total()} "
        f"pieces in {printable(name)}; pass --task semantic (task='semantic'); or make objects of their pieces with "
        f"--convention components{max(NEIGHBOURS[axes])}, in Python with Evaluation.update(..., "
        f"connectivity={max(NEIGHBOURS[axes])})",
        "",
    )


def _pieces(e: Evaluation, name: str) -> tuple[str, Counter[int], int]:
    """An image, in how many pieces each of its ids lies, and its axes."""
    if e.pieces is not None:
        return e.pieces
    try:
        ids = reopen(e.records[name], e.facts).gt.ids
    except Unavailable:
        return name, Counter(), 0
    return name, pieces(ids, NONE), ids.ndim


def _of_one(metric: str, class_: str | None) -> str:
    return metric if class_ is None else f"{metric}[{class_}]"


def _fitted(e: Evaluation, _: _PerImage) -> Iterator[Advice]:
    if e.facts.searched:
        yield Advice(
            "fitted",
            f"the threshold {e.facts.threshold:.4g} was chosen as the best on these very images, so what is computed at"
            " it is too good for others; choose it on other images and give it with --threshold",
            "average_precision",
        )


def _surfaces(e: Evaluation, _: _PerImage) -> Iterator[Advice]:
    """Objects of few elements, and such that the image cuts off."""
    if not e.has(Surface.name):
        return
    measured: Measured = e.statistic(Surface.name)
    needs = list(dict.fromkeys(need for image in measured.images for of in image.values() for need in of))
    if not needs:
        return
    small = cut = cases = 0
    for image in measured.images:
        s: Surface = measured.kind.joined(needs[0], [image], measured.classes)
        for g, p in zip(s.gt, s.pred, strict=True):
            sides = [d for d in (g, p) if d.count.size]
            cases += bool(sides)
            small += any(d.count.sum() < FEW_ELEMENTS for d in sides)
            cut += any(d.edge > CUT_OFF * d.total for d in sides)
    if small:
        yield Advice(
            "elements",
            f"in {small} of {cases} cases (a class in an image, on both sides) a surface has fewer than "
            f"{FEW_ELEMENTS} elements, so distances jump by whole voxels",
            "",
        )
    if cut:
        yield Advice(
            "cut off",
            f"in {cut} of {cases} cases (a class in an image, on both sides) more than {CUT_OFF:.0%} of a surface lies "
            "on the end of the image; what is beyond is not measured",
            "",
        )


def _tolerance(e: Evaluation, _: _PerImage) -> Iterator[Advice]:
    """Tolerances that the grid of some image cannot tell."""
    spacings = e.records.spacings()
    size = f"the voxel size of {max(map(max, spacings)):g} mm" if spacings else "the size of a pixel"
    voxel = max(map(max, spacings), default=1.0)
    asked = {str(m): t for m in e.metrics if isinstance(t := dict(m.params).get("tolerance"), int | float)}
    if below := [name for name, t in asked.items() if t < voxel * (1 - 1e-6)]:
        listed = ", ".join(below[:NAMED])
        yield Advice(
            "tolerance",
            f"{listed}: the tolerance is below {size}, which is more than the grid can tell",
            "",
        )


def _imbalance(e: Evaluation, _: _PerImage) -> Iterator[Advice]:
    c = e.pooled
    constant, value = constant_accuracy(c), accuracy.compute(c)
    if constant > LARGE_SHARE or value - constant < NEAR_CONSTANT:
        largest = _name(e, int(c.gt.argmax()))
        yield Advice(
            "imbalance",
            f"accuracy {value:.3f} says little: predicting {largest} everywhere would score {constant:.3f}",
            "iou" if c.binary else "mean_iou",
        )


def _void(e: Evaluation, _: _PerImage) -> Iterator[Advice]:
    c = e.pooled
    share = float(c.ignored / max(1, c.ignored + c.pixels))
    if share > LARGE_VOID and not e.facts.region:
        yield Advice("void", f"{share:.0%} of the pixels are void and in no number", "inspect")


def _likely_void(e: Evaluation, facts: _PerImage) -> Iterator[Advice]:
    c = e.pooled
    if e.facts.labels is None and not c.binary and LIKELY_VOID in (ids := c.classes.tolist()):
        at = ids.index(LIKELY_VOID)
        if c.gt[at] and not c.pred[at] and len(ids) > 2:
            yield Advice(
                "likely void",
                f"label 255 is in the ground truth of {facts.with_gt[at]} images and never predicted: if it is void, "
                "say --ignore 255, else its IoU of 0 pulls every mean down",
                "mean_iou",
            )


def _absent(e: Evaluation, _: _PerImage) -> Iterator[Advice]:
    c = e.pooled
    absent = np.flatnonzero((c.gt == 0) & (c.pred > 0) & (not c.binary)).tolist()
    if absent:
        names = [f"{_name(e, at)} ({int(c.pred[at])} pixels)" for at in absent]
        yield Advice(
            "absent",
            f"predicted and never in the ground truth: {_listed(names)}; the IoU there is 0 and counts in the mean, "
            "the recall is undefined",
            "precision",
        )


def _rare(e: Evaluation, facts: _PerImage) -> Iterator[Advice]:
    c = e.pooled
    present = (c.gt > 0) & ~((c.classes == 0) & c.binary)
    few = (c.gt < FEW_PIXELS) | (facts.with_gt < min(FEW_IMAGES, len(e.records)))
    rare = np.flatnonzero(present & few).tolist()
    if rare:
        names = [f"{_name(e, at)} ({int(c.gt[at])} pixels in {int(facts.with_gt[at])} images)" for at in rare]
        mean = "" if c.binary else " and move the mean over classes as much as any other"
        yield Advice(
            "rare",
            f"few pixels or images hold {_listed(names)}: values there rest on little{mean}",
            "recall" if c.binary else "frequency_weighted_iou",
        )


def _small(e: Evaluation, facts: _PerImage) -> Iterator[Advice]:
    c = e.pooled
    often = (facts.small >= 3) & (facts.small >= 0.2 * np.maximum(facts.with_gt, 1))
    names = [
        f"{_name(e, int(at))} ({int(facts.small[at])} images)"
        for at in np.flatnonzero(often & ~((c.classes == 0) & c.binary))
    ]
    if names:
        yield Advice(
            "small",
            f"some images hold fewer than {SMALL_OBJECT} pixels of {_listed(names)}: there one pixel moves the "
            "IoU of the image by a percent or more; trust the pooled value over the mean over images",
            "iou",
        )


def _averages(e: Evaluation, _: _PerImage) -> Iterator[Advice]:
    if e.pooled.binary:
        pooled, images = e.value(iou), e.value(iou, over="images")
        name = "iou"
    else:
        pooled, images = e.value(mean_iou), e.value(mean_iou, over="images")
        name = "mean_iou"
    if abs(pooled - images) > DISAGREE:
        yield Advice(
            "averages",
            f"{name} is {pooled:.3f} pooled and {images:.3f} as mean over images: large images or objects decide the "
            "first, small and rare ones the second; say which one you report",
            name,
        )


def _name(e: Evaluation, at: int) -> str:
    if e.pooled.binary:
        return ("the background", "the foreground")[at]
    title = e.titles()[at]
    return f"class {title}" if title is not None and title.isdigit() else f"{title}"


def _listed(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
