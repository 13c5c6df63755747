"""`maskmeter inspect GT PRED`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..class_files import is_template
from ..errors import UsageError, printable
from ..formats import cityscapes
from ..formats.coco import Annotations, Results, is_detection
from ..formats.labelfile import read_labels
from ..formats.panoptic import is_panoptic
from ..inspection import Inspection, SideFound, inspect, inspect_detections, kinds_of
from ..labels import LabelSet
from ..pairing import find_pairs
from ..panoptic import Data, Survey
from ..progress import Bar
from ..statistics.confusion import Reading
from .evaluate import data_options, label_range
from .tables import text_table

TABLED = 30  # labels up to which each has a row whatever the task


@click.command()
@data_options
@click.option(
    "--class-axis", type=int, metavar="AXIS", help="Predictions are scores of classes along this axis: 0 or -1."
)
@click.option("--logits", is_flag=True, help="Scores are logits.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="What is printed.",
)
def command(
    gt: Path, pred: Path, labels: str | None, classes: str | None, ignore: tuple[int, ...], pairs: str | None,
    max_pixels: int | None, jobs: int | None, class_axis: int | None, logits: bool, form: str,
) -> None:  # fmt: skip
    """Show what would be evaluated: pairing, sizes, label sets, and what is wrong.

    Exit code 3 where `maskmeter evaluate` would stop.
    """
    if is_panoptic(gt):
        _segments(gt, pred, labels, pairs, max_pixels, jobs, form)
        return
    if cityscapes.is_scored(pred):
        _scored_masks(gt, pred, labels, pairs, max_pixels, jobs, form)
        return
    if is_detection(gt):
        _detections(gt, pred, form)
        return
    label_set = read_labels(labels) if labels else LabelSet.of_ids(label_range(classes)) if classes else None
    if is_template(pairs):
        raise UsageError(
            "inspect reads one prediction for each image; leave {class} away, or look at one class at a time"
        )
    pairing = find_pairs(gt, pred, pairs)
    with Bar("inspecting", len(pairing.pairs)) as bar:
        found = inspect(pairing, label_set, ignore, max_pixels, jobs, bar, class_axis, logits)
    facts = _facts(found, label_set, ignore, Reading(label_set, ignore))
    click.echo(json.dumps(facts, indent=1) if form == "json" else _shown(facts))
    if found.problems or facts["unknown_labels"] or pairing.missing or pairing.extra or found.choice is None:
        raise click.exceptions.Exit(3)


def _segments(
    gt: Path, pred: Path, labels: str | None, pairs: str | None, max_pixels: int | None, jobs: int | None, form: str
) -> None:
    """Two panoptic JSON files: the images, the classes, and everything that disagrees."""
    from .. import panoptic

    data = panoptic.find(gt, pred, pairs, read_labels(labels) if labels else None, None)
    _surveyed(data, panoptic.survey(data, jobs, max_pixels), "panoptic", "task auto: panoptic", form)


def _scored_masks(
    gt: Path, pred: Path, labels: str | None, pairs: str | None, max_pixels: int | None, jobs: int | None, form: str
) -> None:
    """Scored masks of Cityscapes against its instances."""
    from .. import panoptic, scored_masks

    data = scored_masks.find(gt, pred, read_labels(labels) if labels else None, pairs, None)
    found = panoptic.survey(data, jobs, plan=scored_masks.ScoredPlan(data.known, max_pixels))
    how = "scored masks: evaluate them with --task detection --convention cityscapes"
    _surveyed(data, found, "detection", how, form)


def _surveyed(data: Data, found: Survey, task: str, how: str, form: str) -> None:
    """What a survey found, and the exit code where an evaluation would stop."""
    pairing = data.pairing
    facts: dict[str, Any] = {
        "pairs": len(pairing.pairs),
        "paired": pairing.how,
        "missing_predictions": list(pairing.missing),
        "extra_predictions": list(pairing.extra),
        "segments": [{"class": c, "gt": g, "pred": p} for c, g, p in found.classes],
        "task": task,
        "notes": found.notes,
        "problems": found.problems,
    }
    if form == "json":
        click.echo(json.dumps(facts, indent=1))
    else:
        table = [[c, f"{g:,}", f"{p:,}"] for c, g, p in found.classes]
        lines = [f"{facts['pairs']} pairs, {facts['paired']}", *_unpaired(facts), "", how, ""]
        lines += [text_table(["class", "gt segments", "pred segments"], table), *_remarks(facts)]
        click.echo("\n".join(lines))
    if found.problems or pairing.missing or pairing.extra:
        raise click.exceptions.Exit(3)


def _detections(gt: Path, pred: Path, form: str) -> None:
    """Two COCO files: what they hold, what was repaired, and what stops an evaluation."""
    found = inspect_detections(gt, pred)
    facts: dict[str, Any] = {
        "task": "detection",
        "gt": found.gt and _gt_facts(found.gt),
        "pred": found.pred and _pred_facts(found.pred),
        "classes": [{"class": c, "gt": g, "pred": p} for c, g, p in found.classes()],
        "notes": [],
        "problems": found.problems,
    }
    if form == "json":
        click.echo(json.dumps(facts, indent=1))
    else:
        lines: list[str] = []
        for side, what in (("gt", "ground truth"), ("pred", "results")):
            counts = {k: v for k, v in (facts[side] or {}).items() if isinstance(v, int) and v}
            if facts[side]:
                kinds = [f"{n:,} {kind}" for kind, n in facts[side]["segmentations"].items()]
                shown = [f"{v:,} {k.replace('_', ' ')}" for k, v in counts.items()]
                lines.append(f"{what}: {', '.join(shown)}; {', '.join(kinds) or 'nothing in it'}")
                lines += [f"  repaired: {r}" for r in facts[side]["repairs"]]
                lines += [f"  note: {n}" for n in facts[side]["notes"]]
        table = [[printable(x["class"]), f"{x['gt']:,}", f"{x['pred']:,}"] for x in facts["classes"]]
        lines += ["", "task auto: detection", "", text_table(["class", "annotations", "results"], table)]
        click.echo("\n".join([*lines, *_remarks(facts)]))
    if found.problems:
        raise click.exceptions.Exit(3)


def _gt_facts(gt: Annotations) -> dict[str, Any]:
    return {
        "images": len(gt.images),
        "images_without_annotations": len(gt.images) - len(set(gt.image.tolist())),
        "categories": len(gt.categories),
        "annotations": len(gt),
        "crowds": int(gt.crowd.sum()),
        "ignored": int(gt.ignore.sum()),
        "segmentations": kinds_of(gt),
        "repairs": gt.repairs,
        "notes": gt.notes,
    }


def _pred_facts(pred: Results) -> dict[str, Any]:
    return {
        "results": len(pred),
        "images": len(set(pred.image.tolist())),
        "with_boxes": int((~np.isnan(pred.box[:, 0])).sum()),
        "scores": [float(pred.score.min()), float(pred.score.max())] if len(pred) else None,
        "segmentations": kinds_of(pred),
        "repairs": pred.repairs,
        "notes": pred.notes,
    }


def _facts(found: Inspection, labels: LabelSet | None, ignore: tuple[int, ...], reading: Reading) -> dict[str, Any]:
    """Everything that is shown, as plain data."""
    void, pixels = found.void(reading)
    every = sorted({*found.gt.pixels, *found.pred.pixels})
    known = labels.ignoring(ignore).id_of_source if labels is not None else {}
    return {
        "pairs": len(found.pairing.pairs),
        "paired": found.pairing.how,
        "missing_predictions": list(found.pairing.missing),
        "extra_predictions": list(found.pairing.extra),
        **{
            name: {
                "files": side.files,
                "shapes": {"x".join(map(str, k)): n for k, n in side.shapes.most_common()},
                "types": dict(side.types.most_common()),
                "grids": dict(side.grids.most_common()),
                "ids": _ids(side),
                "scores": side.scores and [x if math.isfinite(x) else None for x in side.scores],
            }
            for name, side in (("gt", found.gt), ("pred", found.pred))
        },
        "labels": [
            {
                "label": v,
                "name": labels.title(known[v]) if labels is not None and v in known else None,
                "gt_pixels": found.gt.pixels[v],
                "gt_images": found.gt.images[v],
                "pred_pixels": found.pred.pixels[v],
                "pred_images": found.pred.images[v],
            }
            for v in every
        ],
        "pixels": pixels,
        "void_pixels": void,
        "unknown_labels": found.unknown(labels, ignore),
        "task": found.choice and found.choice.task,
        "why": found.choice.why if found.choice else found.why_not,
        "notes": [note if k == 1 else f"{note} ({k} images)" for note, k in sorted(found.notes.items())],
        "problems": found.problems,
    }


def _ids(side: SideFound) -> dict[str, float] | None:
    """How many objects a side has where labels are ids, and their sizes; None without any."""
    sizes = np.concatenate([np.empty(0, np.int64), *side.sizes])
    if not sizes.size:
        return None
    return {"n": sizes.size, "least": int(sizes.min()), "median": float(np.median(sizes)), "greatest": int(sizes.max())}


def _shown(facts: dict[str, Any]) -> str:
    lines = [f"{facts['pairs']} pairs, {facts['paired']}"]
    for side, what in (("gt", "ground truth"), ("pred", "prediction")):
        f = facts[side]
        shapes = ", ".join(f"{k} ({n})" for k, n in list(f["shapes"].items())[:4])
        more = f" and {len(f['shapes']) - 4} more" if len(f["shapes"]) > 4 else ""
        lines.append(", ".join(filter(None, (f"{what}: {f['files']} files", *f["types"], shapes + more))))
        if f["scores"]:
            low, high = ("none finite" if x is None else f"{x:.6g}" for x in f["scores"])
            lines.append(f"  scores from {low} to {high}")
        grids = list(f["grids"].items())
        lines += [f"  grid: {grid} ({n})" for grid, n in grids[:4]]
        lines += [f"  and {len(grids) - 4} more grids"] if len(grids) > 4 else []
    lines += _unpaired(facts)
    many = len(facts["labels"]) > TABLED and facts["task"] != "semantic"
    lines += ["", *(_sizes(facts) if many else _labels(facts["labels"], facts["pixels"]))]
    if facts["void_pixels"]:
        lines.append(f"void: {facts['void_pixels'] / max(1, facts['pixels']):.1%} of the ground truth")
    for side, unknown in facts["unknown_labels"].items():
        lines.append(f"! labels of the {side} that are not declared: {', '.join(map(str, unknown[:20]))}")
    lines += ["", f"task auto: {facts['task']} ({facts['why']})" if facts["task"] else f"! task auto: {facts['why']}"]
    return "\n".join([*lines, *_remarks(facts)])


def _sizes(facts: dict[str, Any]) -> list[str]:
    """In place of a row for each label one line a side, as of ids."""
    return [
        f"{what}: {f['n']:,} ids besides 0 over all images, of {f['least']:,} to {f['greatest']:,} pixels, "
        f"median {f['median']:,.6g}"
        for side, what in (("gt", "ground truth"), ("pred", "prediction"))
        if (f := facts[side]["ids"])
    ]


def _unpaired(facts: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for what in ("missing_predictions", "extra_predictions"):
        if names := facts[what]:
            shown = ", ".join(printable(n) for n in names[:10]) + (", ..." if len(names) > 10 else "")
            lines.append(f"{len(names)} {what.replace('_', ' ')}: {shown}")
    return lines


def _remarks(facts: dict[str, Any]) -> list[str]:
    lines = [f"note: {printable(n)}" for n in facts["notes"]]
    lines += [f"! {printable(p)}" for p in facts["problems"][:50]]
    return [*lines, f"! and {len(facts['problems']) - 50} more"] if len(facts["problems"]) > 50 else lines


def _labels(labels: list[dict[str, Any]], pixels: int, most: int = 60) -> list[str]:
    header = ["label", "name", "gt pixels", "share", "gt images", "pred pixels", "pred images"]
    table = [
        [
            str(x["label"]), x["name"] or "", f"{x['gt_pixels']:,}", f"{x['gt_pixels'] / max(1, pixels):.2%}",
            str(x["gt_images"]), f"{x['pred_pixels']:,}", str(x["pred_images"]),
        ]
        for x in labels[:most]
    ]  # fmt: skip
    return [text_table(header, table), *([f"and {len(labels) - most} more labels"] if len(labels) > most else [])]
