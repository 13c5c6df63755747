"""Scored masks against instances: what a run of Cityscapes' own format counts (see `formats.cityscapes`).

The statistic is the same as that of segments, `Overlap`, with the scores of the predictions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .counting import Digests, Job, digest_of
from .errors import UsageError
from .formats import address, cityscapes
from .formats.labelsets import built_in
from .labels import LabelSet
from .pairing import Pair, Pairing
from .panoptic import Data
from .records import Record
from .statistics.masks import overlap_of_masks
from .statistics.overlap import Overlap


def find(gt: Path, pred: Path, labels: LabelSet | None, pairs: str | None, mask: str | None) -> Data:
    """The images of both sides, by city, sequence and frame."""
    if pairs is not None or mask is not None:
        raise UsageError(f"{'--pairs' if pairs else '--mask'} does not go with scored masks (--task detection)")
    left, right = cityscapes.find(gt, gt=True), cityscapes.find(pred, gt=False)
    found = tuple(Pair(name, path, right.get(name)) for name, path in sorted(left.items()))
    missing = tuple(p.name for p in found if p.pred is None)
    extra = tuple(sorted(right.keys() - left.keys()))
    return Data(Pairing(found, missing, extra, "by city, sequence and frame"), {}, labels or built_in("cityscapes"))


@dataclass(frozen=True)
class ScoredPlan:
    """What is true of all images: the classes."""

    labels: LabelSet
    max_pixels: int | None = None

    def count(self, job: Job) -> Record:
        """Count one image. Raises DataError."""
        gt = cityscapes.open_instances(job.gt, self.labels, self.max_pixels)
        found = None if job.pred is None else cityscapes.open_masks(job.pred, self.labels, self.max_pixels)
        counts = overlap_of_masks(gt.array, gt.segments, found.masks if found else [], self.labels, job.gt)
        return Record(
            job.name,
            {Overlap.name: counts.to_bytes()},
            gt.array.shape,
            gt=address(job.gt),
            pred=job.pred and address(job.pred),
            digests=(gt.digest, found and found.digest),
            notes=tuple(f"prediction: {n}" for n in (found.notes if found else ())),
        )

    def digests(self, job: Job) -> Digests:
        """Of the ground truth, and of the list of masks with its masks."""
        return digest_of(job.gt), job.pred and cityscapes.digest_of_masks(job.pred, self.labels)
