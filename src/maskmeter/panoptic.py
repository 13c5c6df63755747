"""Segments with classes: from two JSON files, or two folders of packed maps, to what a run counts and says.

Conventions
    Images of two JSON files are matched by `image_id`; an image is called by the name of its ground-truth PNG.
    Files of packed maps are paired as all files are (see `pairing`), and hold panoptic segments or, for the task
    `instance`, objects with classes.

    PQ, SQ and RQ follow panopticapi (convention `panoptic`), unless its rules contradict the pixels: an area is
    that of the PNG, whatever the JSON declares, and every crowd region of a class excuses predictions, not the
    last one alone. Where that matters it is said, with the number that panopticapi itself would print.
    `--convention panoptic` takes declared areas and the last crowd region as panopticapi does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .counting import Counter as Counting
from .counting import Digests, Failure, Job, count_image, digest_of, region_of
from .deciding import Question, file_notes
from .errors import PairingError, UsageError
from .evaluation import Evaluation
from .facts import JSON, SCORED, Facts
from .formats import address
from .formats.labelsets import built_in
from .formats.packings import PACKINGS, open_packed
from .formats.panoptic import Annotated, ImageId, open_ids, read_ground_truth, read_prediction
from .kernels import LabelArray
from .labels import LabelSet
from .masks import same_shape
from .metrics import pq
from .pairing import Pair, Pairing, find_pairs
from .records import Memory, Record, Records
from .segments import Segments, told
from .statistics.details import NOTHING, Wanted
from .statistics.overlap import Overlap
from .statistics.segments import overlap_of_segments

CONVENTION = "panoptic"
CONVENTIONS = (CONVENTION, *PACKINGS)


@dataclass(frozen=True)
class Data:
    """What is to be counted: the pairs, of JSON files the segments by name, and the classes where they are known."""

    pairing: Pairing
    segments: Mapping[str, tuple[Segments, Segments]]
    labels: LabelSet | None

    @property
    def known(self) -> LabelSet:
        """The classes; none where nobody said."""
        return self.labels or LabelSet(())


def find(gt: Path, pred: Path, pairs: str | None, labels: LabelSet | None, convention: str | None) -> Data:
    """The images of both sides. Raises UsageError for a convention that is none, DataError for data that is not fit."""
    if convention not in (None, *CONVENTIONS):
        raise UsageError(
            f"--convention {convention!r} is not known for panoptic maps; there are {', '.join(CONVENTIONS)}"
        )
    if gt.suffix.lower() != ".json":
        known = built_in("cityscapes") if convention == "cityscapes" and labels is None else labels
        return Data(find_pairs(gt, pred, pairs), {}, known)
    if pairs is not None:
        raise UsageError("--pairs is for folders; the images of two JSON files are matched by their image_id")
    if convention in PACKINGS:
        raise UsageError(f"--convention {convention} is for folders of maps; a JSON file lists its segments itself")
    return _of_json(gt, pred, labels)


def _of_json(gt: Path, pred: Path, labels: LabelSet | None) -> Data:
    if pred.suffix.lower() != ".json":
        raise PairingError("is no JSON file, and the ground truth is one; give the JSON of the predictions", pred)
    left = read_ground_truth(gt)
    right = read_prediction(pred, left.labels).images
    if not left.images:
        raise PairingError("nothing to evaluate: it has no annotations", gt)
    both = sorted(((a, right.get(i)) for i, a in left.images.items()), key=lambda x: x[0].name)
    pairs = tuple(Pair(a.name, a.png, None if b is None else b.png) for a, b in both)
    segments = {a.name: (a.segments, () if b is None else b.segments) for a, b in both}
    pairing = Pairing(pairs, tuple(p.name for p in pairs if p.pred is None), _extra(left.images, right), "by image_id")
    return Data(pairing, segments, labels or left.labels)


def _extra(gt: Mapping[ImageId, Annotated], pred: Mapping[ImageId, Annotated]) -> tuple[str, ...]:
    """The names of predictions without ground truth; where a name is that of another image, with the image_id."""
    taken = {a.name for a in gt.values()}
    extra = [(i, b.name) for i, b in pred.items() if i not in gt]
    return tuple(sorted(f"{name} (image_id {i!r})" if name in taken else name for i, name in extra))


# Counting one image


class _Side(NamedTuple):
    map: LabelArray
    segments: Segments
    digest: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class PanopticPlan:
    """What is true of all images: the classes, those that are void, and how maps without JSON are packed."""

    labels: LabelSet | None
    ignore: tuple[int, ...] = ()
    packing: str | None = None
    instances: bool = False
    max_pixels: int | None = None
    wanted: Wanted = NOTHING

    def count(self, job: Job) -> Record:
        """Count one image. Raises DataError."""
        listed = job.segments or (None, None)
        gt = self._open(job.gt, listed[0], gt=True)
        pred = None if job.pred is None else self._open(job.pred, listed[1], gt=False)
        if pred is not None:
            same_shape(gt.map.shape, pred.map.shape)
        region = None if job.region is None else region_of(job.region, gt.map.shape, self.max_pixels)
        segments = gt.segments, pred.segments if pred else ()
        counts = overlap_of_segments(
            gt.map, pred and pred.map, segments, self.labels, self.ignore, region, (job.gt, job.pred), self.wanted
        )
        remarks = [(side, n) for side, of in (("ground truth", gt), ("prediction", pred)) if of for n in of.notes]
        remarks += [("prediction", n) for n in _other_areas(segments[1], counts) if region is None]
        return Record(
            job.name, {Overlap.name: counts.to_bytes()}, gt.map.shape,
            gt=address(job.gt), pred=job.pred and address(job.pred),
            region=job.region and address(job.region), digests=(gt.digest, pred and pred.digest),
            notes=tuple(f"{side}: {note}" for side, note in remarks),
        )  # fmt: skip

    def digests(self, job: Job) -> Digests:
        """Of both files, with what JSON says of their ids."""
        now = digest_of(job.gt), digest_of(job.pred)
        if job.segments is None:
            return now
        gt, pred = (d and told(d, s) for d, s in zip(now, job.segments, strict=True))
        return gt, pred

    def _open(self, path: Path, segments: Segments | None, gt: bool) -> _Side:
        if segments is None:
            return _Side(
                *open_packed(path, self.packing, self.labels, gt, self.instances, self.ignore, self.max_pixels)
            )
        ids = open_ids(path, self.max_pixels)
        return _Side(ids.map, segments, told(ids.digest, segments), ids.notes)


def plan(question: Question, data: Data, max_pixels: int | None, wanted: Wanted = NOTHING) -> PanopticPlan:
    """How the images of a run are counted."""
    if wanted.boundary and question.convention == CONVENTION:
        greatest = max((s for x in data.known for s in x.sources), default=0)
        wanted = replace(wanted, inside=greatest + 1)
    packing = question.convention if question.convention in PACKINGS else None
    return PanopticPlan(data.labels, question.ignore, packing, question.task == "instance", max_pixels, wanted)


def _other_areas(segments: Segments, counts: Overlap) -> list[str]:
    """A remark where segments of a prediction have other areas than its file declares; they decide nothing."""
    said = {s.id: s.area for s in segments if s.area is not None}
    sizes = dict(zip(counts.pred_id.tolist(), (counts.pred_size + counts.pred_void).tolist(), strict=True))
    off = [f"{said[i]} for the {n} pixels of {i}" for i, n in sorted(sizes.items()) if said.get(i, n) != n]
    what = "declares areas that its PNG does not have, which decide nothing"
    return [f"{what} ({_some(off)})"] if off else []


@dataclass(frozen=True)
class Survey:
    """What there is before anything is evaluated: the images that are fit, and what is wrong with the others."""

    records: Records
    problems: list[str]
    notes: list[str]
    classes: list[tuple[str, int, int]]
    """The classes that occur, with their segments in the ground truth (crowds aside) and in the prediction."""


def survey(
    data: Data, workers: int | None = None, max_pixels: int | None = None, plan: Counting | None = None
) -> Survey:
    """Look at every image of two JSON files, or of what another plan counts, and stop at none."""
    listed = plan is None
    plan = PanopticPlan(data.labels, max_pixels=max_pixels) if plan is None else plan
    jobs = [Job(p.name, p.gt, p.pred, None, data.segments.get(p.name)) for p in data.pairing.pairs]
    with ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(partial(count_image, plan=plan), jobs))
    records = Memory()
    records.add(r for r in found if isinstance(r, Record))
    problems = [str(r.error) for r in found if isinstance(r, Failure)]
    if not len(records):
        return Survey(records, problems, [], [])
    facts = Facts("panoptic", data.labels, convention=CONVENTION, objects=True)
    o: Overlap = Evaluation([], facts=facts, records=records).statistic(Overlap.name)
    sides = [Counter(x.tolist()) for x in (o.gt_class[o.gt_crowd == 0], o.pred_class)]
    labels = data.labels or LabelSet(())
    classes = [(labels.title(c), sides[0][c], sides[1][c]) for c in sorted(sides[0] | sides[1])]
    notes = _contradictions(facts, records) if listed else []
    return Survey(records, problems, [*notes, *file_notes(records)], classes)


# What the numbers mean


def decide(question: Question, data: Data, records: Records) -> tuple[Facts, list[str]]:
    """The facts of the whole data set, and what the user should be told about them."""
    labels = data.labels.ignoring(question.ignore) if data.labels and question.ignore else data.labels
    objects = question.task not in ("panoptic", "auto")
    if objects and labels:
        labels = LabelSet(tuple(x for x in labels if x.ignore or x.thing is not False))
    facts = Facts(
        question.task if objects else "panoptic",
        labels,
        question.ignore,
        missing=(question.missing, len(data.pairing.missing)) if question.missing != "stop" else None,
        extra=len(data.pairing.extra),
        region=question.mask is not None,
        convention=(question.convention if question.task == "detection" else None) if objects else CONVENTION,
        as_declared=question.convention == CONVENTION,
        objects=True,
        files=_files(question),
    )
    chosen = ["task panoptic: the ground truth is JSON with segments_info"] if question.task == "auto" else []
    return facts, [*chosen, *_contradictions(facts, records), *_apart(facts, records), *file_notes(records)]


def _files(question: Question) -> str:
    """How the files of both sides hold their objects."""
    if question.task == "detection":
        return SCORED
    if question.convention in PACKINGS:
        return question.convention
    return JSON if question.gt.lower().endswith(".json") else PACKINGS[0]


def _contradictions(facts: Facts, records: Records) -> list[str]:
    """Where the ground truth contradicts itself, and what the other way to read it would give."""
    raw, mended = (Evaluation([], facts=replace(facts, as_declared=x), records=records) for x in (True, False))
    o: Overlap = raw.statistic(Overlap.name)
    said = [*_areas(o, records.names()), *_crowds(o, records.names(), facts.labels or LabelSet(()))]
    if said and facts.as_declared:
        said.append(f"this run follows them, as panopticapi does; by what is in the PNGs pq is {mended.value(pq):.6g}")
    elif said:
        said.append(
            f"this run goes by the PNGs; panopticapi would print pq {raw.value(pq):.6g} (--convention panoptic)"
        )
    return ["; ".join(said)] if said else []


def _apart(facts: Facts, records: Records) -> list[str]:
    """A remark where no class of the ground truth is one of the predictions."""
    o: Overlap = Evaluation([], facts=facts, records=records).statistic(Overlap.name)
    labels = facts.labels or LabelSet(())
    gt, pred = ([labels.title(c) for c in np.unique(x).tolist()] for x in (o.gt_class[o.gt_crowd == 0], o.pred_class))
    if not gt or not pred or {*gt} & {*pred}:
        return []
    sides = f"{', '.join(gt[:3])} in the ground truth, {', '.join(pred[:3])} in the prediction"
    return [f"the two sides share no class ({sides}), so nothing can match; a label file brings them together (source)"]


def _areas(o: Overlap, names: Sequence[str]) -> list[str]:
    off = np.flatnonzero(o.gt_area != o.gt_size).tolist()
    found = [f"{o.gt_area[k]} for the {o.gt_size[k]} pixels of {o.gt_id[k]} in {names[o.gt_image[k]]}" for k in off]
    what = "the ground truth declares areas that its PNGs do not have"
    return [f"{what} ({_some(found)})"] if found else []


def _crowds(o: Overlap, names: Sequence[str], labels: LabelSet) -> list[str]:
    crowd = o.gt_crowd > 0
    regions = Counter(zip(o.gt_image[crowd].tolist(), o.gt_class[crowd].tolist(), strict=True))
    found = [f"{n} of {labels.title(c)} in {names[i]}" for (i, c), n in sorted(regions.items()) if n > 1]
    what = "images have several crowd regions of one class, of which panopticapi heeds the last alone"
    return [f"{what} ({_some(found)})"] if found else []


def _some(texts: Sequence[str], most: int = 3) -> str:
    more = ", ..." if len(texts) > most else ""
    return f"{len(texts)} {'time' if len(texts) == 1 else 'times'}: {', '.join(texts[:most])}{more}"
