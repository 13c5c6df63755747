"""A run: from ground truth and predictions to an evaluation, and with `out` to a folder that keeps it.

The order of things: find the pairs, refuse what is missing; count every image into the store; decide
the task, if that was left to us, from all the values that were seen; write results.json and rows.csv.
Whatever stops a run, images that were finished stay in the store, and `resume` goes on from there.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

import msgspec

from . import class_files, class_maps, detecting, panoptic, scored_masks
from .asked import BOUNDARIES, default_metrics, needs_of, wanted_by
from .concluding import Asked, clear, conclude, write
from .counting import FOREGROUND, Counter, Jobs, ObjectPlan, Plan, StackPlan, digest_of
from .deciding import STACK, Question, read_threshold
from .engines import cores, size
from .errors import DataError, PairingError, UsageError, printable
from .evaluation import Evaluation
from .execution import count_all
from .facts import Facts
from .formats import located
from .formats.labelfile import read_labels
from .formats.packings import PACKINGS
from .formats.panoptic import is_panoptic
from .grouping import By, groups_of
from .labels import LabelSet
from .metrics import Metric
from .metrics import asked as named
from .metrics._sizes import by_size, check
from .pairing import Pair, Pairing, check_complete, find_pairs
from .pairing import named as find_named
from .progress import Bar, silent
from .records import Memory, Records
from .statistics.details import NOTHING, Wanted
from .statistics.object_scores import ObjectScores
from .statistics.overlap import Overlap
from .statistics.scores import Scores
from .statistics.shape import Needs
from .statistics.surface import Surface
from .store import FILE, Store
from .tasks import TASKS
from .tiling import bounded
from .uncertainty import Resampling

__all__ = ["evaluate", "open_run"]

AnyMetric = str | Metric[Any, Any]
TOGETHER = 1024  # images whose digests are asked for at a time


def evaluate(
    gt: str | os.PathLike[str] | None = None,
    pred: str | os.PathLike[str] | None = None,
    metrics: Sequence[AnyMetric] | None = None,
    *,
    pairs: str | os.PathLike[str] | Iterable[tuple[str, Any, Any]] | None = None,
    out: str | os.PathLike[str] | None = None,
    task: str = "auto",
    labels: str | os.PathLike[str] | LabelSet | None = None,
    classes: Iterable[int] | None = None,
    ignore: int | Iterable[int] | None = None,
    positive: int | Iterable[int] | None = None,
    mask: str | os.PathLike[str] | None = None,
    images: str | os.PathLike[str] | None = None,
    missing: Literal["stop", "empty", "skip"] = "stop",
    extra: Literal["stop", "skip"] = "stop",
    threshold: float | str = 0.5,
    max_pixels: int | None = None,
    memory: int | str | None = None,
    executor: Executor | str | None = None,
    workers: int | None = None,
    shard: tuple[int, int] | str | None = None,
    group_by: By | None = None,
    intervals: str = "percentile",
    logits: bool = False,
    convention: str | None = None,
    class_axis: int | None = None,
    spacing: Sequence[float] | None = None,
    on: Literal["mask", "box"] = "mask",
    resume: bool = False,
    progress: bool | Callable[..., Bar] = False,
) -> Evaluation:
    """Evaluate predictions against ground truth.

    gt, pred   folders, files, globs, or COCO JSON, of detections or panoptic; or leave them out and give
    pairs      an iterable of (name, gt, pred) arrays, as `Evaluation.update` takes them; with folders a template or
               a CSV file of pairs. A template with {class} has one map of scores for each class, and with {class} on
               both sides one mask as well (see class_files)
    metrics    names such as "mean_iou" or "fbeta(beta=2)"; by default all that need no parameter. A curve goes by its
               own name or by that of the number that sums it up: "froc_curve", "object_curve(iou=0.5)"
    out        a folder for run.sqlite, results.json and rows.csv
    task       "binary", "semantic", "instance", "panoptic", "detection" (COCO JSON; scored masks with convention
               "cityscapes"), or "auto": decided over the whole data set
    labels     a label file, the name of a known set ("cityscapes", "voc"), or a `LabelSet`
    classes    the labels that may occur, where there is no label file
    ignore     void labels: pixels whose ground truth is void are not counted
    positive   the foreground labels of a binary question
    mask       a folder of masks, named as the ground truth; only their pixels are counted
    images     a folder of photographs for the report
    missing    what to do about ground truth without prediction: stop, count as "empty", or "skip"
    extra      what to do about predictions without ground truth: stop or "skip"
    threshold  score maps: the score from which on a pixel is foreground, or "best:dice" for the best of a metric
    max_pixels  larger images are refused
    memory     bytes for the program and all images that are counted at the same time, as in "2GB": larger ones are read
               tile by tile where their format allows it (see tiling), and refused where not
    executor   any `concurrent.futures.Executor`, or "threads", "processes", "dask", "dask://host:port", "ray",
               "ray://host:port"; by default threads, `workers` of them
    shard      (i, n) or "i/n": count the i-th of n parts into `out` and stop there; `merge` makes a run of all parts,
               and until then the evaluation that is answered has images and no numbers
    group_by   what images belong together, where they are not independent: a template for their names as in
               "{patient}_*", a column of a table as in "patients.csv:id" (see grouping), or a mapping or function from
               the name to the group; intervals draw groups then
    intervals  "percentile", "bca" or "none", or with numbers as in "bca(resamples=5000,seed=1)"
    logits     floats are logits: the logistic function is applied
    convention  panoptic, instance: how class and object share a pixel ("channels", "cityscapes", "kitti",
                "semantickitti"), "stack" for files with a mask (N, H, W) for each object, or "panoptic" for all rules
                of panopticapi, declared areas included; detection: "coco-fixed" (the default), "coco",
                "coco-detectron2", "coco-boundary", "lvis", "cityscapes", "tide"
    class_axis  predictions are scores of several classes along this axis, one against the rest (see class_maps)
    spacing    millimetres per step along each axis of the arrays, where files say nothing of it
    on         detections of COCO JSON: compare their masks or their boxes
    resume     go on with the run in `out`

    Raises UsageError for a wrong call and DataError for data that is not fit to evaluate.
    """
    chosen = [named(m) if isinstance(m, str) else m for m in metrics] if metrics is not None else None
    check(chosen or ())
    void = _numbers(ignore)
    label_set = _label_set(labels, classes)
    if pairs is not None and not isinstance(pairs, str | os.PathLike):
        if gt is not None or pred is not None or out is not None:
            raise UsageError("pairs of arrays go without gt, pred and out")
        how = Resampling.parse(intervals)
        return _evaluate_arrays(pairs, chosen, void, label_set, task, _spacing(spacing), how, group_by)
    if gt is None or pred is None:
        raise UsageError("evaluate needs gt and pred, or pairs of arrays")
    if shard is not None and out is None:
        raise UsageError("a shard needs out, the folder that it is counted into")
    if images is not None and not located(images).is_dir():
        raise UsageError(
            f"--images {printable(os.fspath(images))} is not a folder; photographs lie in one, named as gt"
        )
    if task not in TASKS:
        raise UsageError(f"task {task!r} is no task; choose one of {', '.join(TASKS)}")
    files = _class_files(gt, pred, pairs, label_set, missing, class_axis)
    if files is not None:
        label_set, class_axis = files.labels, 0
    question = Question(
        os.fspath(located(gt)), os.fspath(located(pred)), None if pairs is None else os.fspath(pairs),
        task, label_set, void,
        _numbers(positive) or None, None if mask is None else os.fspath(mask), missing, extra,
        read_threshold(threshold), logits, convention, class_axis, files.texts if files else (), _spacing(spacing),
        _printed(needs_of(chosen or ())), on,
    )  # fmt: skip
    if class_axis is not None:
        class_maps.check_question(task, question.positive, question.threshold, convention)
    detected = detecting.find(question) if _of_coco(question) else None
    segments = None if detected else _segments(question)
    if detected:
        found = detecting.pairing(detected, question)
    elif files:
        found = files.pairing
    else:
        found = segments.pairing if segments else find_pairs(located(gt), located(pred), question.pairs)
    pairing = check_complete(found, missing, extra)
    asked = Asked(
        question, None if chosen is None else tuple(map(str, chosen)), len(pairing.pairs), tuple(pairing.missing),
        tuple(pairing.extra), segments is not None, segments.labels if segments else None,
        None if images is None else os.fspath(images), None if shard is None else read_shard(shard),
        resampling=_resampling(intervals, group_by, pairing),
    )  # fmt: skip
    bar = progress if callable(progress) else Bar if progress else silent
    if detected:
        facts, notices = detecting.decide(question, detected)
        asked = replace(asked, facts=facts, notices=tuple(notices))
    records = _records(out, asked, resume)
    if detected:
        plan = detecting.plan(question, [m.statistic for m in chosen or ()])
    else:
        plan = _plan(question, segments, chosen, max_pixels, wanted_by(chosen or ()))
    jobs = _jobs(question, pairing, segments)
    if memory is not None:
        plan = bounded(plan, memory, len(jobs), _together(executor, workers))
    if asked.shard is not None:
        first, every = asked.shard
        jobs = jobs[first - 1 :: every]
    changed = _count(jobs, plan, records, executor, workers, bar)
    if isinstance(records, Store):
        records.write_facts(counted=True)
    if asked.shard is not None:
        part = Evaluation([], records=records)
        part.notices = changed
        return part
    evaluation = conclude(asked, records)
    evaluation.notices += changed
    if isinstance(records, Store) and out is not None:
        write(out, records, evaluation)
    return evaluation


def open_run(folder: str | os.PathLike[str]) -> Evaluation:
    """The evaluation that a finished run keeps. Raises DataError where there is none or it is not finished."""
    store = Store.open(Path(folder))
    facts = store.facts()
    if "finished" not in facts:
        raise DataError("is not finished; the same command with --resume goes on from where it stopped", folder)
    kept = facts["finished"]
    how = msgspec.convert(kept.get("resampling", {}), Resampling)
    made = Evaluation(kept["metrics"], facts=msgspec.convert(kept["facts"], Facts), records=store, intervals=how)
    made.inputs, made.notices, made.photographs = kept["inputs"], kept["notices"], kept["photographs"]
    return made


def again(
    folder: str | os.PathLike[str], metrics: Sequence[Metric[Any, Any]], convention: str | None = None
) -> Evaluation:
    """The question of a finished run for other metrics, or under another convention.

    From its store where that has what they are made of, else counted from its files once more, in memory; so the files
    must lie where they lay. Raises DataError and PairingError as `evaluate` does.
    """
    kept = open_run(folder)
    asked = Asked.read(Store.open(Path(folder)))
    if asked is None:
        return Evaluation(metrics, facts=kept.facts, records=kept.records, intervals=kept.resampling)
    q = asked.question
    counted = {*q.shapes, *(_printed(needs_of(BOUNDARIES)) if kept.has(Surface.name) and not q.shapes else ())}
    there = all(kept.has(m.statistic) for m in metrics) and {*_printed(needs_of(metrics))} <= counted
    if there and convention in (None, q.convention):
        made = Evaluation(metrics, facts=kept.facts, records=kept.records, intervals=kept.resampling)
    else:
        made = evaluate(
            q.gt, q.pred, metrics, pairs=q.pairs, task=q.task, labels=q.labels, ignore=q.ignore, positive=q.positive,
            mask=q.mask, missing=q.missing, extra=q.extra, threshold=q.threshold, logits=q.logits,
            convention=convention or q.convention, class_axis=q.class_axis, spacing=q.spacing, on=q.on,
        )  # fmt: skip
        made.resampling = kept.resampling
    made.inputs, made.photographs = kept.inputs, kept.photographs
    return made


# Steps


def _evaluate_arrays(
    pairs: Iterable[tuple[str, Any, Any]],
    metrics: Sequence[Metric[Any, Any]] | None,
    ignore: tuple[int, ...],
    labels: LabelSet | None,
    task: str,
    spacing: tuple[float, ...] | None,
    how: Resampling,
    group_by: By | None,
) -> Evaluation:
    # All sizes are counted; which ranges there are is known afterwards.
    counted = None if metrics is None else [m.at(size=None) if "size" in dict(m.params) else m for m in metrics]
    made = Evaluation(
        counted, ignore=ignore, labels=labels, task=None if task == "auto" else task, spacing=spacing, intervals=how
    )
    for name, gt, pred in pairs:
        made.update(gt, pred, image=name)
    if metrics is not None:
        made.metrics = tuple(by_size(metrics, lambda: made.statistic(Overlap.name)))
    if group_by is not None:
        made.resampling = grouped(how, group_by, made.images)
    return made


def _class_files(
    gt: Any, pred: Any, pairs: Any, labels: LabelSet | None, missing: str, class_axis: int | None
) -> class_files.ClassFiles | None:
    """The files of classes, where a template of pairs speaks of them."""
    template = None if pairs is None else os.fspath(pairs)
    if template is None or not class_files.is_template(template):
        return None
    if class_axis is not None:
        raise UsageError("--class-axis is the axis of classes in one file, and --pairs says that each has its own")
    return class_files.find(located(gt), located(pred), template, labels, skip=missing == "skip")


def _resampling(intervals: str, group_by: By | None, pairing: Pairing) -> Resampling:
    how = Resampling.parse(intervals)
    return how if group_by is None else grouped(how, group_by, [p.name for p in pairing.pairs])


def grouped(how: Resampling, by: By, names: Sequence[str]) -> Resampling:
    """The same way to make intervals, by groups of these images."""
    said, groups = groups_of(by, names)
    return replace(how, by=said, groups=groups)


def read_shard(given: tuple[int, int] | str) -> tuple[int, int]:
    """(i, n) of `i/n`, counted from 1."""
    text = given if isinstance(given, str) else "/".join(map(str, given))
    i, slash, n = text.partition("/")
    if not (slash and i.isdecimal() and n.isdecimal() and 1 <= int(i) <= int(n)):
        raise UsageError(f"shard {text!r} is none; write I/N with I from 1 to N, as in 3/16")
    return int(i), int(n)


def _records(out: str | os.PathLike[str] | None, asked: Asked, resume: bool) -> Records:
    """Where the images go: memory, a fresh store, or the store that an interrupted run left."""
    if out is None:
        return Memory()
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{printable(str(folder))} is a file; -o needs a folder")
    try:
        clear(folder)
        if resume and (folder / FILE).exists():
            store = Store.open(folder)
            _check_same(folder, Asked.read(store), asked)
        else:
            store = Store.create(folder)
        asked.write(store)
        store.write_facts(counted=False)
    except OSError as error:
        raise UsageError(f"cannot write into {printable(str(folder))}: {error.strerror}") from None
    return store


def _of_coco(question: Question) -> bool:
    """Whether a question is about detections in COCO JSON."""
    asked = question.task == "detection" and question.convention != "cityscapes"
    return asked or (question.task == "auto" and detecting.is_detection(located(question.gt)))


def _check_same(folder: Path, before: Asked | None, now: Asked) -> None:
    """A run is resumed with the question that it was begun with."""
    if before is None:
        return
    names = [f"question.{name}" for name in now.question.__dataclass_fields__]
    for name in (*names, "shard"):
        was, here = attrgetter(name)(before), attrgetter(name)(now)
        if was != here:
            raise UsageError(
                f"{printable(str(folder))} was begun with another {name.removeprefix('question.')}: {was!r}, "
                f"now {here!r}; leave --resume away to start afresh"
            )


def _segments(question: Question) -> panoptic.Data | None:
    """What a question about segments is to be answered from; None for any other."""
    gt = located(question.gt)
    packed = question.task == "instance" and question.convention in PACKINGS
    if question.task == "detection":
        return scored_masks.find(gt, located(question.pred), question.labels, question.pairs, question.mask)
    if question.task == "panoptic" or packed or (question.task == "auto" and is_panoptic(gt)):
        return panoptic.find(gt, located(question.pred), question.pairs, question.labels, question.convention)
    if question.convention == STACK:
        if question.task != "instance":
            raise UsageError("--convention stack reads masks of objects: pass --task instance")
        if question.ignore or question.mask is not None:
            raise UsageError("masks that may overlap have no void: leave --ignore and --mask away")
        return None
    if question.convention is not None:
        raise UsageError(
            f"--convention {question.convention} says how panoptic maps are read and goes with --task panoptic or "
            "instance; a metric names its own, as in object_f1(iou=0.5,convention=stardist)"
        )
    return None


def _plan(
    question: Question,
    segments: panoptic.Data | None,
    metrics: Sequence[Metric[Any, Any]] | None,
    max_pixels: int | None,
    wanted: Wanted,
) -> Counter:
    """How the images are counted. Raises UsageError where a metric needs what is not counted for this task."""
    shapes = dict(needs_of(metrics or ()))
    if shapes and (segments or question.task == "instance" or question.class_axis is not None):
        what = "scores of several classes" if question.class_axis is not None else f"task {question.task}"
        raise UsageError(f"{what} has no {min(shapes)} to compute this from; it is for classes")
    if segments and question.task == "detection":
        return scored_masks.ScoredPlan(segments.known.ignoring(question.ignore), max_pixels)
    if segments:
        return panoptic.plan(question, segments, max_pixels, wanted)
    if question.class_axis is not None:
        exact = class_maps.exact_curves(metrics or default_metrics(Facts("semantic", class_axis=question.class_axis)))
        return class_maps.ClassPlan(
            question.reading, question.class_axis, max_pixels, question.logits, exact, question.class_files
        )
    if question.convention == STACK:
        if wanted != NOTHING:
            raise UsageError("boundaries and centres are not counted of masks that may overlap")
        return StackPlan(max_pixels)
    if wanted != NOTHING:
        if question.task != "instance":
            raise UsageError("boundaries and centres are those of objects: pass --task instance or panoptic")
        return ObjectPlan(question.ignore, wanted, max_pixels)
    objects = shapes.pop(ObjectScores.name, ())
    if shapes and isinstance(question.threshold, str):
        raise UsageError(
            f"{min(shapes)} is measured at a threshold that is known beforehand: give --threshold a number"
        )
    volumes = metrics is None and question.task != "instance" and not isinstance(question.threshold, str)
    curves = [m for m in metrics or default_metrics(Facts("binary", scores="f4")) if m.statistic == Scores.name]
    return Plan(
        question.reading, question.task, max_pixels, question.threshold_counted, question.logits,
        tuple(map(str, curves)), shapes, objects, frozenset(question.positive or FOREGROUND), question.spacing,
        needs_of(BOUNDARIES) if volumes else {},
    )  # fmt: skip


def _jobs(question: Question, pairing: Pairing, segments: panoptic.Data | None) -> Jobs:
    return Jobs(pairing.pairs, _regions(question, pairing), segments.segments if segments else {})


def _together(executor: Executor | str | None, workers: int | None) -> int:
    """How many images are counted at the same time on one machine."""
    return workers or (size(executor) if isinstance(executor, Executor) else cores())


def _count(
    jobs: Jobs,
    plan: Counter,
    records: Records,
    executor: Executor | str | None,
    workers: int | None,
    bar: Callable[..., Bar],
) -> list[str]:
    notices = list[str]()
    if isinstance(records, Store) and len(records):
        notices = _forget_changed(records, jobs, plan, workers)
    left = (job for job in jobs if job.name not in records) if len(records) else iter(jobs)
    with bar("evaluating", len(jobs), len(records)) as shown:
        count_all(left, plan, records, executor, workers, shown.advance, len(jobs) - len(records))
    return notices


def _forget_changed(store: Store, jobs: Jobs, plan: Counter, workers: int | None) -> list[str]:
    """Drop from a resumed store what is no longer part of the run or was counted from other bytes, and say so."""
    gone, changed = list[str](), list[str]()

    def digests(name: str) -> tuple[str | None, ...] | None:
        job = jobs.find(name)
        return None if job is None else (*plan.digests(job), digest_of(job.region))

    with ThreadPoolExecutor(workers or cores()) as pool:
        names = iter(store)
        while some := list(islice(names, TOGETHER)):
            for name, now in zip(some, pool.map(digests, some), strict=True):
                if now is None:
                    gone.append(name)
                elif now != store.digests(name):
                    changed.append(name)
    store.remove([*gone, *changed])
    said = {"changed after {they} counted, and {are} counted anew": changed, "{are} no longer part of the run": gone}
    return [_said(what, names) for what, names in said.items() if names]


def _said(what: str, names: Sequence[str]) -> str:
    one = len(names) == 1
    said = what.format(they="it was" if one else "they were", are="is" if one else "are")
    return f"{len(names)} image{'' if one else 's'} {said}; the first is {printable(names[0])}"


def _regions(question: Question, pairing: Pairing) -> Sequence[Pair] | None:
    if question.mask is None:
        return None
    if question.class_files:
        regions: Sequence[Pair] = class_files.regions_of(located(question.mask))
    else:
        gt = located(question.gt)
        regions = find_pairs(gt.with_suffix("") if gt.suffix.lower() == ".json" else gt, located(question.mask)).pairs
    lacking = (p.name for p in pairing.pairs if (region := find_named(regions, p.name)) is None or region.pred is None)
    if (first := next(lacking, None)) is not None:
        n = 1 + sum(1 for _ in lacking)
        raise PairingError(f"{n:,} images have no mask in {question.mask}, such as {printable(first)}")
    return regions


def _label_set(labels: Any, classes: Iterable[int] | None) -> LabelSet | None:
    if labels is not None and classes is not None:
        raise UsageError("give labels or classes, not both")
    if classes is not None:
        return LabelSet.of_ids(classes)
    return labels if labels is None or isinstance(labels, LabelSet) else read_labels(labels)


def _printed(needs: Needs) -> tuple[str, ...]:
    """Statistics with what each is to know, in a fixed order."""
    return tuple(
        sorted(f"{name}({','.join(f'{k}={v}' for k, v in need)})" for name, all_ in needs.items() for need in all_)
    )


def _spacing(given: Sequence[float] | None) -> tuple[float, ...] | None:
    if given is None:
        return None
    steps = tuple(map(float, given))
    if not steps or not all(math.isfinite(step) and step > 0 for step in steps):
        raise UsageError(f"spacing {steps} is not made of numbers above 0, one for each axis")
    return steps


def _numbers(given: int | Iterable[int] | None) -> tuple[int, ...]:
    return () if given is None else (given,) if isinstance(given, int) else tuple(sorted(set(given)))
