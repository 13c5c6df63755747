"""Readings: what the stored counts mean, once it is known what the data is.

What is stored of an image does not depend on the question: for two maps of integers it is the table of
all pairs of labels (`LabelCounts`), whether these are classes, ids of objects or 8-bit scores. The
*facts* of the whole data set say which. A *source* then makes statistics of the stored bytes: of all
images together (`pool`), or of a block of them one by one (`stack`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..errors import UsageError
from ..facts import Facts
from ..shapes import SHAPES
from ..statistics.confusion import Confusion
from ..statistics.detections import Detections
from ..statistics.encounters import Encounters
from ..statistics.object_scores import ObjectScores
from ..statistics.overlap import Overlap
from ..statistics.scores import Scores
from ._source import Source
from .objects import Judgements, Met, Objects, ScoredOverlaps, Segmented
from .pixels import Confusions, FloatConfusions, Shapes
from .scores import ClassMaps, FloatScores, IntegerScores, ScoredObjects

DETECTED = (Detections.name, "boundary_detections", Encounters.name)

LACKING = {
    Overlap.name: "objects to compute this from; --task instance or panoptic reads maps as objects",
    Detections.name: "scored objects to compute this from; COCO JSON with scores has them",
    Encounters.name: "scored objects to compute this from; COCO JSON with scores has them",
    Confusion.name: "counts of pixels to compute this from; --task semantic or binary reads maps so",
    Scores.name: "score maps to compute this from",
}
"""What a task lacks, by the statistic that a metric is a formula over, and how to get it."""


def statistics_of(facts: Facts) -> dict[str, Callable[[Facts], Source]]:
    """The statistics that a task has, by their names, and what makes them."""
    if facts.task == "detection" and facts.on:
        return {**{name: partial(Judgements, stored=name) for name in DETECTED[:2]}, Encounters.name: Met}
    if facts.task == "detection":
        return {Overlap.name: Segmented, Detections.name: ScoredOverlaps}
    if facts.objects:
        return {Overlap.name: Segmented}
    if facts.task == "instance":
        return {Overlap.name: Objects}
    if facts.class_axis is not None:
        return {**({} if facts.several else {Confusion.name: Confusions}), Scores.name: ClassMaps}
    shapes: dict[str, Callable[[Facts], Source]] = {
        name: partial(Shapes, kind=SHAPES[name]) for name in facts.shapes if name in SHAPES
    }
    if facts.scores and ObjectScores.name in facts.shapes:
        shapes[ObjectScores.name] = ScoredObjects
    if facts.scores[:1] == "f":
        return {Confusion.name: FloatConfusions, Scores.name: FloatScores, **shapes}
    return {Confusion.name: Confusions, **({Scores.name: IntegerScores} if facts.scores else {}), **shapes}


def source(name: str, facts: Facts) -> Source:
    """Where the statistic `name` comes from. Raises UsageError where the task has none."""
    found = statistics_of(facts).get(name)
    if found is None:
        kind = f"task {facts.task}" + (" without score maps" if facts.task == "binary" and not facts.scores else "")
        raise UsageError(f"{kind} has no {LACKING.get(name, f'{name} to compute this from')}")
    return found(facts)
