"""The headline numbers in plain words, by what was asked: pixels by class, scores, or objects."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..advisor import constant_accuracy
from ..matching import match
from ..metrics import (
    Metric,
    accuracy,
    average_precision,
    count_error,
    dice,
    ece,
    iou,
    mean_dice,
    mean_iou,
    mean_matched_iou,
    merges,
    pq,
    precision,
    recall,
    roc_auc,
    rq,
    splits,
    sq,
)  # fmt: skip
from ..metrics.instances import SUMMED
from ..objects import rules_of
from ..rows import Over
from ..statistics.overlap import STUFF, THING
from . import words
from .findings import AT, BOTH, FOUND, RIGHT, Findings


@dataclass(frozen=True)
class Headline:
    """One big figure: what it is, its value, and the small print; `whole` where it counts something."""

    label: str
    metric: str
    value: float
    low: float
    high: float
    notes: tuple[str, ...]
    whole: bool = False

    @property
    def interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)


def headlines(found: Findings) -> Iterator[Headline]:
    """The big figures of the page."""
    if found.panoptic:
        return _of_segments(found)
    if found.detection:
        return _of_detections(found)
    if found.objects:
        return _of_objects(found)
    if found.class_curves:
        return _of_class_scores(found)
    if found.precisions:
        return _of_precisions(found)
    if not found.regions:
        return iter(())
    if found.curves:
        return _of_scores(found)
    return _of_mask(found) if found.binary else _of_classes(found)


def _of_segments(found: Findings) -> Iterator[Headline]:
    """PQ with its factors, of all classes and of things and stuff where the file says which is which."""
    kinds = [k for k, of in (("things", THING), ("stuff", STUFF)) if (found.overlap.thing == of).any()]
    notes = {"pq": "SQ times RQ of each class, then the mean over classes",
             "sq": f"how well matched segments are drawn, the mean over classes{_zeros(found)}",
             "rq": "how many are found and not invented, the mean over classes"}  # fmt: skip
    titles = {"pq": "Panoptic quality", "sq": "Segmentation quality", "rq": "Recognition quality"}
    for m in (pq, sq, rq):
        yield _headline(found, f"{titles[m.name]} ({m.name.upper()})", m, "pooled", notes[m.name])
    yield _headline(found, "Segments found (recall)", FOUND, "pooled", _of_all(found))
    for kind in kinds:
        for m in (pq, sq, rq):
            label = f"{m.name.upper()}, {kind}"
            yield _headline(found, label, m.at(among=kind), "pooled", f"the classes that are {kind}")


def _zeros(found: Findings) -> str:
    """That classes without a match count 0 in the mean, where there are such."""
    values = [found.rows[str(sq), t, "pooled"].value for t in found.evaluation.titles(sq) if t]
    return ", 0 for one without a match" if 0 in values else ""


def _of_all(found: Findings) -> str:
    """That recall is a mean over classes, and what is found of all segments together."""
    m = match(found.overlap, AT, rules_of(found.evaluation.facts))
    hit = np.unique(m.gt).size
    all_ = hit + m.missed.size
    share = words.figure(hit / all_ if all_ else math.nan)
    return f"the mean over classes, at IoU {AT:g}; of all together {words.count(hit)} of {words.count(all_)}, {share}"


def _of_detections(found: Findings) -> Iterator[Headline]:
    """The average precisions that were asked for, then what was found."""
    for m in found.evaluation.metrics:
        if m.name in ("ap", "ap50"):
            what = "the mean over ten IoU thresholds" if m.name == "ap" else "at IoU 0.5"
            yield _headline(found, NAMES[m.name], m, "pooled", f"{what}, then over classes")
    note = f"at IoU {AT:g}, whatever their scores{_mean(found)}"
    yield _headline(found, "Objects found (recall)", FOUND, "pooled", note)
    yield _headline(found, "Predictions right (precision)", RIGHT, "pooled", note)


def _of_precisions(found: Findings) -> Iterator[Headline]:
    """What COCO's rules say of detections."""
    notes = {
        "ap": "the mean over ten IoU thresholds, then over classes", "ap50": "at IoU 0.5, then the mean over classes",
        "ap75": "at IoU 0.75, then the mean over classes", "ar_100": "objects found with 100 detections an image",
    }  # fmt: skip
    titles = NAMES | {"ap75": "Average precision at IoU 0.75", "ar_100": "Average recall"}
    for m in found.precisions:
        yield _headline(found, titles[m.name], m, "pooled", notes[m.name])


NAMES = {"ap": "Average precision", "ap50": "Average precision at IoU 0.5"}


def _of_objects(found: Findings) -> Iterator[Headline]:
    o = found.overlap
    m = match(o, AT)
    objects, predicted = int((o.gt_crowd == 0).sum()), m.pred.size + m.spurious.size
    hit, at = words.count(np.unique(m.gt).size), f"at IoU {AT:g}{_mean(found)}"
    yield _headline(
        found,
        "Objects found (recall)",
        FOUND,
        "pooled",
        f"{hit} of {words.many(objects, 'object')} in the ground truth, {at}",
    )
    yield _headline(
        found,
        "Predictions right (precision)",
        RIGHT,
        "pooled",
        f"{words.count(m.pred.size)} of {words.many(predicted, 'predicted object')} match one, {at}",
    )
    yield _headline(found, "Object F1", BOTH, "pooled", f"recall and precision in one number, {at}")
    yield _headline(found, "Panoptic quality", pq, "pooled", _factors(found))
    yield _headline(found, "Mean IoU of the matches", mean_matched_iou, "pooled", "how well found objects are drawn")
    for label, m, note in (
        ("Split objects", splits, "objects that two predictions or more mostly lie on, matched or not"),
        ("Merged predictions", merges, "predictions that two objects or more mostly lie in, matched or not"),
    ):
        yield _headline(found, label, m, "pooled", note)
    yield _headline(
        found, "Count error", count_error, "pooled", f"{words.count(predicted)} predicted, {words.count(objects)} there"
    )


def _mean(found: Findings) -> str:
    """That a rate of objects with classes is a mean over them, and no share of all objects."""
    return "" if found.overlap.binary else "; the mean over classes"


def _factors(found: Findings) -> str:
    """What panoptic quality is the product of: F1 and the mean IoU of matches that exceed the IoU, not reach it."""
    if not found.overlap.binary:
        return f"SQ times RQ of each class, then the mean; only an IoU of more than {AT:g} is a match here"
    f1, drawn = (words.figure(found.evaluation.value(m)) for m in (rq, sq))
    return f"F1 {f1} times mean IoU {drawn} of the matches, which here have an IoU of more than {AT:g}"


def _of_scores(found: Findings) -> Iterator[Headline]:
    from_score = f"at a score of {found.evaluation.facts.threshold:.3g}"
    yield _headline(found, "ROC AUC", roc_auc, "pooled", "how often a positive pixel scores above a negative one")
    s = found.scores
    chance = words.figure(s.positives / (s.positives + s.negatives)) if s.size else "–"
    yield _headline(found, "Average precision", average_precision, "pooled", f"over all thresholds; chance is {chance}")
    yield _headline(found, "Calibration error", ece, "pooled", "how far scores are from frequencies (ECE)")
    yield _headline(found, "IoU", iou, "pooled", from_score)
    yield _headline(found, "Dice", dice, "pooled", from_score)
    yield _headline(
        found, "Precision", precision, "pooled", f"of what was predicted, the part that is right, {from_score}"
    )
    yield _headline(found, "Recall", recall, "pooled", f"of what is there, the part that was found, {from_score}")
    yield _headline(found, "Pixel accuracy", accuracy, "pooled", _easy(found))


def _of_class_scores(found: Findings) -> Iterator[Headline]:
    note = "each class against the rest, the mean of the classes"
    yield _headline(found, "ROC AUC, macro", roc_auc, "pooled", note)
    yield _headline(found, "Average precision, macro", average_precision, "pooled", note)
    yield _headline(found, "Calibration error, macro", ece, "pooled", "how far scores are from frequencies (ECE)")
    if found.regions:
        yield from _of_classes(found)


def _of_mask(found: Findings) -> Iterator[Headline]:
    yield _headline(found, "IoU", iou, "pooled", "all pixels of all images counted together")
    yield _headline(found, "Dice", dice, "pooled", "all pixels of all images counted together")
    yield _headline(found, "Precision", precision, "pooled", "of what was predicted, the part that is right")
    yield _headline(found, "Recall", recall, "pooled", "of what is there, the part that was found")
    yield _headline(found, "Pixel accuracy", accuracy, "pooled", _easy(found))


def _of_classes(found: Findings) -> Iterator[Headline]:
    counted = sum(k.averaged and found.pooled.gt[k.at] + found.pooled.pred[k.at] > 0 for k in found.kinds)
    pooled = f"all pixels counted together, then the mean over {words.many(counted, 'class', 'classes')}"
    yield _headline(found, "Mean IoU, pooled", mean_iou, "pooled", pooled)
    images = "each image on its own, then the mean of the images"
    yield _headline(found, "Mean IoU, over images", mean_iou, "images", images)
    yield _headline(found, "Mean Dice", mean_dice, "pooled", "all pixels counted together, then the mean over classes")
    yield _headline(found, "Pixel accuracy", accuracy, "pooled", _easy(found))


def _easy(found: Findings) -> str:
    """What accuracy is worth."""
    constant = constant_accuracy(found.pooled)
    if math.isnan(constant):
        return "no pixels to count"
    largest = found.kinds[int(found.pooled.gt.argmax())].said
    return f"predicting {largest} everywhere would score {words.figure(constant)}"


def _headline(found: Findings, label: str, metric: Metric[Any, Any], over: Over, note: str) -> Headline:
    """The figure under an average, and the other average in the small print: all lead with the pooled value.

    The one besides it is mean IoU over images, which has a place of its own.
    """
    row, whole = found.row(metric, over), metric.name in SUMMED
    notes = [note]
    if metric is not mean_iou:
        other = found.row(metric, "images" if over == "pooled" else "pooled")
        if not math.isnan(other.value):
            said = words.value(other.value, whole)
            notes.append(f"{said} per image" if whole else f"pooled; {said} as mean over images")
    if over == "images" and row.undefined:
        notes.append(f"undefined in {words.many(row.undefined, 'image')}, which are left out")
    return Headline(label, metric.name, row.value, row.low, row.high, tuple(notes), whole)
