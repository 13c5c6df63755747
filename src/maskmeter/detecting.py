"""Detections of COCO JSON: what a run of two such files counts, under the rules of a convention (see `judging`).

Where pycocotools would print other numbers than this run, the run says which of its rules moves which number.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .counting import Digests, Job, digest_of
from .deciding import Question
from .errors import DataError, UsageError
from .facts import Facts
from .formats import address, located
from .judging import BLOCK, Data, read, stamp
from .metrics.detections import TWELVE, twelve
from .pairing import Pair, Pairing
from .readings import DETECTED
from .records import Record
from .statistics import encounters
from .statistics.detection_rules import COCO, FIXED, FIXES, LVIS, Rules
from .statistics.detections import Detections, packed_by_image
from .statistics.encounters import Encounters

THREADS = 8  # that read files at most

Floats = NDArray[np.float64]


def is_detection(gt: Path) -> bool:
    """Whether a file is COCO JSON with categories and annotations that list no segments."""
    if not gt.is_file() or not gt.name.lower().endswith((".json", ".json.gz")):
        return False
    from .formats.panoptic import is_panoptic

    return not is_panoptic(gt)


def find(question: Question) -> Data:
    """Both files of a question. Raises UsageError for options that do not fit, DataError for data that does not."""
    if question.pairs is not None or question.mask is not None:
        raise UsageError(
            f"{'--pairs' if question.pairs else '--mask'} does not go with COCO JSON; images are matched by image_id"
        )
    for path in (located(question.gt), located(question.pred)):
        if path.is_dir():
            raise UsageError(
                f"{path} is a folder; task detection takes COCO JSON, or with --convention cityscapes folders of masks"
            )
    return _load(located(question.gt), located(question.pred), question.convention, question.on)


_reading = Lock()


def _load(gt: Path, pred: Path, convention: str | None, on: str) -> Data:
    with _reading:
        return _loaded(gt, pred, stamp(gt), stamp(pred), convention, on)


@lru_cache(maxsize=1)
def _loaded(gt: Path, pred: Path, _a: Any, _b: Any, convention: str | None, on: str) -> Data:
    return read(gt, pred, convention, on, min(os.cpu_count() or 1, THREADS))


def reopen(record: Record, facts: Facts) -> Data:
    """Both files of a run again, by one of its images. Raises DataError where they are not those that were counted."""
    if record.gt is None or record.pred is None or not facts.on:
        raise DataError("the masks came as arrays and were not kept")
    gt, pred = located(record.gt), located(record.pred)
    if not is_detection(gt):
        raise DataError("the masks are no COCO JSON")
    if (_digest(gt, stamp(gt)), _digest(pred, stamp(pred))) != record.digests:
        raise DataError("the files have changed since they were counted")
    return _load(gt, pred, facts.convention, facts.on)


def pairing(data: Data, question: Question) -> Pairing:
    """Every image with both files."""
    pairs = tuple(Pair(n, located(question.gt), located(question.pred)) for n in sorted(data.annotations.images.name))
    return Pairing(pairs, (), (), "by image_id")


@dataclass(frozen=True)
class DetectionPlan:
    """What is true of all images: the files, the rules, what is judged, and which statistics are asked for."""

    gt: Path
    pred: Path
    convention: str | None
    on: str
    statistics: tuple[str, ...] = (Detections.name,)

    def count(self, job: Job) -> Record:
        """Count one image, with those beside it. Raises DataError."""
        data = _load(self.gt, self.pred, self.convention, self.on)
        return _counted(self, data).record(job.name)

    def digests(self, job: Job) -> Digests:
        """Of both files."""
        return _digest(self.gt, stamp(self.gt)), _digest(self.pred, stamp(self.pred))


@lru_cache(maxsize=4)
def _digest(path: Path, _stamp: Any) -> str | None:
    return digest_of(path)


class _Blocks:
    """The records of a run, made a block of images at a time; a block is forgotten once all of it was taken."""

    def __init__(self, plan: DetectionPlan, data: Data) -> None:
        self.plan, self.data = plan, data
        n = -(-len(data.place) // BLOCK)
        self.locks = [Lock() for _ in range(n)]
        self.blocks: list[dict[str, Record] | None] = [None] * n

    def record(self, name: str) -> Record:
        b = self.data.place[name] // BLOCK
        with self.locks[b]:
            made = self.blocks[b]
            if made is None:
                made = self.blocks[b] = self._made(b)
            record = made.pop(name)
            if not made:
                self.blocks[b] = None
            return record

    def _made(self, b: int) -> dict[str, Record]:
        at = np.arange(b * BLOCK, min((b + 1) * BLOCK, len(self.data.place)))
        packed: dict[str, list[bytes]] = {}
        if Encounters.name in self.plan.statistics:
            judged, met = self.data.met(at, self.data.rules)
            packed[Encounters.name] = encounters.packed_by_image(met)
            packed[Detections.name] = packed_by_image(judged)
        for name in self.plan.statistics:
            if name not in packed:
                rules = self.data.rules if name == Detections.name else self.data.rules.bounded
                packed[name] = packed_by_image(self.data.judged(at, rules))
        images = self.data.annotations.images
        digests = self.plan.digests(Job("", self.plan.gt, self.plan.pred))
        files = address(self.plan.gt), address(self.plan.pred)
        out: dict[str, Record] = {}
        for k, i in enumerate(at.tolist()):
            shape = int(images.height[i]), int(images.width[i])
            kept = {name: blobs[k] for name, blobs in packed.items()}
            out[images.name[i]] = Record(images.name[i], kept, shape, *files, digests=digests)
        return out


_made: dict[DetectionPlan, _Blocks] = {}


def _counted(plan: DetectionPlan, data: Data) -> _Blocks:
    with _reading:
        found = _made.get(plan)
        if found is None or found.data is not data:
            _made.clear()
            found = _made[plan] = _Blocks(plan, data)
        return found


def plan(question: Question, names: Sequence[str]) -> DetectionPlan:
    """How the images of a run are counted; `names` are the statistics that its metrics are over."""
    if question.on == "box" and "boundary_detections" in names:
        raise UsageError("boundaries are those of masks; leave --on box away")
    # What detections meet is for the report, whatever the metrics are.
    wanted = tuple(n for n in DETECTED if n in names or n != "boundary_detections")
    return DetectionPlan(located(question.gt), located(question.pred), question.convention, question.on, wanted)


def decide(question: Question, data: Data) -> tuple[Facts, list[str]]:
    """The facts of the whole data set, and what the user should be told about them."""
    facts = Facts(
        "detection", data.labels, convention=data.rules.name, objects=True, on=data.on, groups=data.groups
    )  # fmt: skip
    said = (
        ["task detection: the ground truth is JSON with categories and annotations"] if question.task == "auto" else []
    )
    for side, x in (("ground truth", data.annotations), ("results", data.results)):
        said += [f"{side}: {note}" for note in (*x.repairs, *x.notes)]
    if data.rules is LVIS and question.convention is None:
        said.append("convention lvis: the images list the categories that they were checked for")
    return facts, [*said, *_empty(data), *_cut(data), *_moved(data)]


def _empty(data: Data) -> list[str]:
    """Annotations whose mask has no pixel, as polygons outside their image have: nothing can match them."""
    if data.on == "box":
        return []
    source = data.annotations.segmentation
    bare = np.flatnonzero(source.outlines.measures[:, 0] == 0)
    if not bare.size:
        return []
    at = f"{source.root}[{source.row[bare[0]]}].segmentation"
    many = "annotation has" if bare.size == 1 else "annotations have"
    return [f"{bare.size:,} {many} a mask that covers no pixel of the image, the first at `{at}`"]


def _cut(data: Data) -> list[str]:
    """Detections that are too many to count."""
    r, most = data.results, data.rules.per_image or data.rules.cap
    key = r.image if data.rules.per_image else r.image * len(data.annotations.categories) + r.category
    left = int(np.maximum(np.bincount(key) - most, 0).sum()) if key.size else 0
    of = "detections" if data.rules.per_image else "detections of a class"
    kept = f"at most {most} {of} count in an image (maxDets), those of the greatest scores"
    said = f"{left:,} detection{'s' if left > 1 else ''} left out: {kept}"
    return [said] if left else []


def _moved(data: Data) -> list[str]:
    """Where pycocotools would print something else: which rule moves which number."""
    if data.rules.name != FIXED.name:
        return []

    def numbers(rules: Rules) -> Floats:
        return np.array([*twelve(data.whole(rules)).values()])

    plain, fixed = numbers(COCO), numbers(data.rules)
    if _differences(plain, fixed) == "":
        return []
    said = [f"pycocotools would print otherwise (--convention coco): {_differences(fixed, plain)}"]
    for rule, change in FIXES.items():
        if moved := _differences(plain, numbers(replace(COCO, **change))):
            said.append(f"{rule}: that alone moves {moved}")
    return said


def _differences(a: Floats, b: Floats) -> str:
    moved = [
        (n, x, y) for n, x, y in zip(TWELVE, a.tolist(), b.tolist(), strict=True) if x != y and not (x != x and y != y)
    ]
    kept = [(n, x, y) for n, x, y in moved if abs(x - y) > 1e-12 or x != x or y != y]
    return ", ".join(f"{n} {_figure(x)} -> {_figure(y)}" for n, x, y in kept)


def _figure(x: float) -> str:
    return f"{x:.4g}" if x == x else "undefined"
