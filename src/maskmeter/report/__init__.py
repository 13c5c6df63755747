"""An evaluation as one HTML page that needs nothing else: no network, no server, no other file.

A section is one module with one function `render`; where it has nothing to say, it is absent. This is
the table of contents, in the order of the page.

summary       the headline numbers, four questions answered, and what to beware of
versus        the curves of this run and of another one
curves        ROC and precision-recall curves of score maps
class-curves  the same of several classes, one against the rest
threshold     what it costs to move the threshold, with a slider
object-curves  whole objects against the threshold, and FROC, where a metric asked for them
calibration   whether scores are probabilities
object-classes  classes of objects: PQ with SQ and RQ, or AP, things and stuff apart
detection-errors  kinds of errors and what each costs, and calibration
detection-confusion  which class of objects was taken for which; a cell leads to its objects
detection-moved  images on which two runs differ most, both beside each other
detection-objects  the worst detections and the largest misses, with what surrounds them
objects       objects found, by overlap and by size
object-errors the worst images and the largest objects that went wrong
classes       every class: values, support, bars
confusion     which class was taken for which
boundaries    NSD against the tolerance, how distances spread, and cuts through the worst places
spread        how the values spread over the images
subgroups     the headline by groups of the images, by size, and along boundaries
gallery       the worst images, with photograph, ground truth, prediction and errors
numbers       every metric that has one value
definitions   what each number means, and how it was made
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from ..evaluation import Evaluation
from ..results import write_whole
from . import (
    boundaries,
    calibration,
    class_curves,
    classes,
    confusion,
    curves,
    definitions,
    detection_confusion,
    detection_errors,
    detection_moved,
    detection_objects,
    detections,
    gallery,
    numbers,
    object_classes,
    object_curves,
    object_errors,
    objects,
    spread,
    subgroups,
    summary,
    threshold,
    versus,
)  # fmt: skip
from .figures import write_figures
from .findings import Beside, Findings
from .page import Section, page

__all__ = ["to_html", "write_figures", "write_report"]

CONTENTS: tuple[tuple[str, str, Callable[[Findings], str | None]], ...] = (
    ("summary", "Summary", summary.render),
    ("versus", "Two runs", versus.render),
    ("curves", "Curves", curves.render),
    ("class-curves", "Curves by class", class_curves.render),
    ("threshold", "Threshold", threshold.render),
    ("object-curves", "Whole objects", object_curves.render),
    ("calibration", "Calibration", calibration.render),
    ("object-classes", "Classes", object_classes.render),
    ("detections", "Detections", detections.render),
    ("detection-errors", "Detection errors", detection_errors.render),
    ("detection-confusion", "Classes confused", detection_confusion.render),
    ("detection-moved", "Moved images", detection_moved.render),
    ("detection-objects", "Worst detections", detection_objects.render),
    ("objects", "Objects", objects.render),
    ("object-errors", "Object errors", object_errors.render),
    ("classes", "Classes", classes.render),
    ("confusion", "Confusions", confusion.render),
    ("boundaries", "Boundaries", boundaries.render),
    ("spread", "Over the images", spread.render),
    ("subgroups", "Subgroups", subgroups.render),
    ("gallery", "Pictures", gallery.render),
    ("numbers", "All metrics", numbers.render),
    ("definitions", "Definitions", definitions.render),
)


def write_report(
    evaluation: Evaluation,
    path: str | os.PathLike[str],
    other: Evaluation | None = None,
    pictures: int | Literal["all"] | None = None,
    by: Sequence[str] = (),
) -> None:
    """Write the evaluation as one page; with `other` that one is compared with it and shown beside it.

    The page holds the pictures of some twenty images. With `pictures` those of so many of the worst images,
    or of all, are written into a folder beside it, and the page shows them too. `by` names subgroups, as `averages`
    takes them.
    """
    path = Path(path)
    beside = None
    if pictures is not None:
        beside = Beside(path.with_name(f"{path.stem}_pictures"), None if pictures == "all" else pictures)
    write_whole(path, to_html(evaluation, other, beside, by))


def to_html(
    evaluation: Evaluation, other: Evaluation | None = None, beside: Beside | None = None, by: Sequence[str] = ()
) -> str:
    """The page."""
    found = Findings(evaluation, other, beside, by)
    sections = [Section(id, title, html) for id, title, render in CONTENTS if (html := render(found)) is not None]
    return page(summary.title(found), summary.lead(found), sections, fetches=beside is not None)
