"""What went wrong with detections, and what it costs: formulas over `Encounters`.

Conventions
-----------
Every detection that is not right at the IoU threshold has one kind of error, the first that fits of: *localisation*
(its class is right, its IoU with such an object is from 0.1 on but does not exceed the threshold), *classification*
(it reaches the threshold with an object of another class), *duplicate* (with one of its class that is taken),
*background* (no IoU above 0.1 with anything) and *both* (all others). An object is *missed* where no detection found it
and none is about it in the first two ways.

What a kind costs is the average precision that would be gained if it were put right and nothing else: a detection with
an error of class or place becomes right, at its own score, where its object is free (of several that are about one
object that of the greatest score; the others go); a duplicate, background or other detection goes; a missed object is
no longer looked for. Two more are no kinds of single detections: *false_positive*, where all wrong detections come
behind all right ones, and *false_negative*, where only found objects are looked for. Gains do not add up to 1: errors
are in one another's way.

Detections are judged by the rules of the run, so the gains are on top of its `ap50`. `convention="tide"` gives the
numbers of tidecv, a hundred times smaller: it looks at the 100 best detections of all classes in an image, where COCO
looks at 100 of each class; a class that is found and not there counts as 0 in the mean; and what is excused by a crowd
may still be an error of class or place. Equal scores go there by the order of files.

Reference: Bolya et al., TIDE: A General Toolbox for Identifying Object Detection Errors, ECCV 2020; tidecv 1.0.1.
"""

from __future__ import annotations

import numpy as np

from ..errors import UsageError
from ..statistics.encounters import KINDS, SPECIAL, Encounters
from ..statistics.scored_overlaps import encounters
from ._metric import Values, metric
from .detections import mean_precision

__all__ = ["ap_gain", "detection_errors"]


@metric(encounters, per="class", overall=True, better="lower")
def ap_gain(e: Encounters, kind: str, iou: float = 0.5) -> Values:
    """Average precision that would be gained if errors of one kind were put right: AP of the mended result - AP.

    kind  classification, localisation, both, duplicate, background, missed; false_positive, false_negative
    iou   the threshold at which detections are judged

    Of a class it is the gain of that class: to mend a classification takes a false positive from one class and gives a
    right detection to another. Range 0 to 1; a loss, which mending can bring to the mean over classes, is 0.
    Undefined for a class without objects, before or after.
    Hides: that errors stand in one another's way: gains of two kinds do not add up.
    Use: to choose what to work on next; the greatest gain is the first candidate.
    Differs: tidecv prints percent, and its rules are not those of COCO's AP (see above).
    Reference: Bolya et al., ECCV 2020.

    >>> gt, pred = np.repeat([1, 2, 0], 100), np.repeat([1, 0, 2], 100)
    >>> scores = {1: 0.5, 2: 0.9}  # what is invented comes first: precision is 1/2 up to recall 1/2
    >>> round(ap_gain(gt, pred, scores=scores, kind="background"), 9)  # then 1: 51 of 101 recalls gain 1/2
    0.252475248
    >>> round(ap_gain(gt, pred, scores=scores, kind="missed"), 9)  # 50 recalls more at 1/2
    0.247524752
    """
    if kind not in (*KINDS, *SPECIAL):
        raise UsageError(f"kind={kind} is no kind of error; there are {', '.join((*KINDS, *SPECIAL))}")
    before, after = mean_precision(e.judgement(iou)), mean_precision(e.judgement(iou, kind))
    return np.maximum(after - before, 0.0)


@metric(encounters, per="class", overall=True, better="lower", bounds=(0.0, np.inf))
def detection_errors(e: Encounters, kind: str, iou: float = 0.5) -> Values:
    """Number of errors of one kind among the detections, or of objects that were missed.

    kind  classification, localisation, both, duplicate, background, missed
    iou   the threshold at which detections are judged

    Of a class it is the number of detections of that class, or of missed objects; over all classes it is the sum.
    Range 0 upwards.
    Hides: what they cost: many errors of low score may cost nothing.
    Use: with `ap_gain`, to see how many cases are behind a gain.
    Reference: Bolya et al., ECCV 2020.

    >>> gt, pred = np.repeat([1, 2, 0], 100), np.repeat([1, 0, 2], 100)
    >>> [detection_errors(gt, pred, scores={1: 0.5, 2: 0.9}, kind=k) for k in ("background", "missed", "duplicate")]
    [1.0, 1.0, 0.0]
    """
    if kind not in KINDS:
        raise UsageError(f"kind={kind} is no kind of error; there are {', '.join(KINDS)}")
    counts = e.counts(kind, iou)
    among = counts if e.averaged is None else counts[..., e.averaged]
    return np.append(counts, among.sum(axis=-1)[..., None], -1)
