"""Facts: what is true of a whole data set, and so decides what the counts of an image mean.

Facts come from the user, from label files and from the data themselves. They are part of every
signature: two numbers compare only where the facts agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .formats.packings import COMPONENTS
from .labels import LabelSet
from .statistics.confusion import Reading

JSON, STACKED, SCORED = "json", "stack", "masks"  # what `Facts.files` says of files that are no plain maps


@dataclass(frozen=True)
class Facts:
    """What is true of all the data of an evaluation; every number depends on it, so the signature says it.

    task       "binary", "semantic", "instance" or "panoptic"; None until the first image decides
    labels     the labels that may occur
    ignore     void labels
    positive   the foreground labels of a binary task
    scores     where predictions are score maps: the type of a score ("u1", "u2", "f2", "f4", "f8")
    threshold  the score from which on a pixel counts as foreground
    logits     the scores are the logistic function of what the files hold
    searched   the threshold was not given but found, as the best for a metric
    missing    what was done about predictions that are not there, and how many there were
    extra      how many predictions without ground truth were left out
    region     whether a mask restricts the pixels
    convention  the rules of a reference implementation, for metrics that name none
    as_declared  areas and crowds of segments are taken as the file declares them, also against its pixels
    objects    the objects of an image were counted as such, with their classes or what else a metric needs
    class_axis  predictions are scores of several classes, along this axis
    class_files  the text that stands for each class in the names of files, where each has a file of its own
    several    a pixel may have several of the classes (multi-label)
    shapes     the statistics that were counted besides, because a metric asks for them
    spacing    of arrays that say nothing of it, along each axis in millimetres
    on         what of detections is judged: "mask" or "box"
    groups     of each class, ascending, how frequent LVIS calls it: 1 rare, 2 common, 3 frequent, 0 where nobody said
    files      how files hold objects: "" a map of ids, "json" PNGs of ids with JSON, "stack" and "masks" a mask each,
               else how class and number share a pixel (see `packings`)
    """

    task: str | None = None
    labels: LabelSet | None = None
    ignore: tuple[int, ...] = ()
    positive: tuple[int, ...] = (1,)
    scores: str = ""
    threshold: float = 0.5
    searched: bool = False
    logits: bool = False
    missing: tuple[str, int] | None = None
    extra: int = 0
    region: bool = False
    convention: str | None = None
    as_declared: bool = False
    objects: bool = False
    class_axis: int | None = None
    class_files: tuple[str, ...] = ()
    several: bool = False
    shapes: tuple[str, ...] = ()
    spacing: tuple[float, ...] | None = None
    on: str = ""
    groups: tuple[int, ...] = ()
    files: str = ""

    @property
    def view(self) -> str:
        """How the figures of classes are read: "labels", "binary" or "scores"."""
        return "scores" if self.scores else "binary" if self.task == "binary" else "labels"

    @cached_property
    def reading(self) -> Reading:
        """How labels in files are read as classes."""
        binary = frozenset(self.positive) if self.task == "binary" else None
        return Reading(self.labels, self.ignore, binary, self.least if self.scores[:1] == "u" else None)

    @property
    def least(self) -> int:
        """The least integer score, as it stands in the file, that reaches the threshold."""
        top = int(np.iinfo(self.scores).max)
        least = math.ceil(self.threshold * top)
        # A score k is the float k / top, so of its neighbours it may be another one that just reaches.
        return next(k for k in (least - 1, least, least + 1) if k / top >= self.threshold)

    @property
    def signature(self) -> list[str]:
        """The facts that are not as they are by default, in a fixed order."""
        void = sorted({*self.ignore, *(self.labels.ignored if self.labels else ())})
        usual = self.task != "binary" or self.positive in ((1,), (255,), (1, 255))
        parts = {
            "convention": self.convention or "",
            "objects": self.files if self.files in COMPONENTS else "",
            "on": self.on,
            "areas": "declared" if self.as_declared else "",
            "ignore": ",".join(map(str, void)),
            "classes": self.labels.digest if self.labels else "",
            "positive": "" if usual else ",".join(map(str, self.positive)),
            "threshold": f"{self.threshold:.6g}{',fitted' if self.searched else ''}" if self.scores else "",
            "logits": ("logistic" if self.class_axis is None or self.several else "softmax") if self.logits else "",
            "region": "mask" if self.region else "",
            "spacing": ",".join(f"{x:g}" for x in self.spacing or ()),
            "missing": f"{self.missing[0]},{self.missing[1]}" if self.missing and self.missing[1] else "",
            "extra": f"skip,{self.extra}" if self.extra else "",
        }
        return [f"{k}:{v}" for k, v in parts.items() if v]
