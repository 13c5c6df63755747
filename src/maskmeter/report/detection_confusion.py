"""Which class of objects was taken for which, at the score of the greatest F1; a cell leads to the objects in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..metrics import DetectionConfusion, ap50, detection_confusion
from ..statistics.encounters import Encounters
from .confusion import MOST, HeatMap, Matrix
from .detection_objects import Teller
from .detection_pictures import Cutouts, Subject
from .figure import Figure, Run
from .findings import Findings
from .page import fill

LISTED = 12  # confusions
OF_CELL, OF_ALL = 12, 2000  # objects that a cell leads to, and that all do
DRAWN = 3  # of each of the confusions that are listed
MISSED, MADE_UP = "not found", "nothing there"

Ints = NDArray[np.int64]


class Confused(NamedTuple):
    """Objects of one class that were taken for another; the cell of the matrix they are in."""

    truth: str
    taken: str
    n: int
    share: float
    cell: str


class Table(NamedTuple):
    """The matrix that is shown, and which row and column of it every class is in."""

    matrix: Matrix
    group: Ints


def render(found: Findings) -> str | None:
    """The section, absent where detections have one class, or where it is not known what they meet."""
    if not confusable(found):
        return None
    met: Encounters = found.evaluation.statistic(Encounters.name)
    c = detection_confusion(met)
    if np.isnan(c.score):
        return None
    table = shown_part(c, titles(found))
    confused = _confused(c, table, titles(found))
    drawn = found.cutouts
    names = sorted({drawn.names[i] for i in np.union1d(met.det_image, met.gt_image).tolist()})
    cells = _cells(found, met, c, table, {x.cell for x in confused}, names)
    rows = len(table.matrix.rows)
    return fill(
        "detection_confusion.html",
        matrix=table.matrix,
        lines=table.matrix.lines(),
        size="large" if rows > 24 else "medium" if rows > 13 else "small",
        few=rows < 4,
        confused=confused,
        score=c.score,
        iou=c.iou,
        classes=c.classes.size,
        data={"names": names, "cells": cells},
    )


def confusable(found: Findings) -> bool:
    """Whether there are detections of two classes to confuse."""
    e = found.evaluation
    if not e.has(Encounters.name) or not found.images:
        return False
    met: Encounters = e.statistic(Encounters.name)
    return not met.binary and met.classes.size > 1 and bool(met.found) and bool(met.objects().any())


def titles(found: Findings) -> list[str]:
    """What the classes are called."""
    return [str(t) for t in found.evaluation.titles(ap50) if t is not None]


def figures(runs: Sequence[Run]) -> list[Figure]:
    """The matrix of each run as a heat map, with the whole of it as a table."""
    out: list[Figure] = []
    for run in runs:
        if not confusable(run.found):
            continue
        c, named = detection_confusion(run.found.evaluation.statistic(Encounters.name)), titles(run.found)
        if np.isnan(c.score):
            continue
        title = f"Confusion of objects: percent of the ground truth (row), score from {c.score:.3g}"
        table: dict[str, Any] = {"ground truth": [*named, MADE_UP]}
        table |= {f"taken for {n}": c.counts[:, k].tolist() for k, n in enumerate(named)}
        table[MISSED] = c.counts[:, -1].tolist()
        name = f"detection-confusion-{'ab'[run.number]}" if run.label else "detection-confusion"
        heat = HeatMap(run.called(title) if run.label else title, shown_part(c, named).matrix, "objects")
        out.append(Figure(name, heat, table))
    return out


def shown_part(c: DetectionConfusion, named: list[str]) -> Table:
    """The classes that occur, or of many those with the most errors and the rest summed up; and what has no partner."""
    k = c.classes.size
    all_, diagonal = c.counts.sum(axis=0)[:k] + c.counts.sum(axis=1)[:k], np.diag(c.counts)[:k]
    wrong = all_ - 2 * diagonal
    there = np.flatnonzero(all_)
    kept = np.sort(there[np.argsort(-wrong[there], kind="stable")][: MOST if there.size > MOST else there.size])
    group = np.full(k + 1, kept.size)
    group[kept] = np.arange(kept.size)
    rest = there.size > kept.size
    group[k] = last = kept.size + rest
    counts = np.zeros((last + 1, last + 1), np.int64)
    np.add.at(counts, (group[:, None], group[None, :]), c.counts)
    names = [named[i] for i in kept.tolist()] + ([f"{there.size - kept.size} other classes"] if rest else [])
    return Table(Matrix([*names, MADE_UP], [*names, MISSED], counts, there.size - kept.size), group)


def _confused(c: DetectionConfusion, table: Table, named: list[str]) -> list[Confused]:
    """The classes that are taken for one another most often."""
    k = c.classes.size
    n = c.counts[:k, :k].copy()
    np.fill_diagonal(n, 0)
    share = n / np.maximum(c.counts[:k].sum(axis=1), 1)[:, None]
    at = [divmod(x, k) for x in np.lexsort((-share.ravel(), -n.ravel()))[:LISTED].tolist()]
    return [Confused(named[i], named[j], int(n[i, j]), float(share[i, j]), _key(table, i, j)) for i, j in at if n[i, j]]


def _cells(
    found: Findings, met: Encounters, c: DetectionConfusion, table: Table, listed: set[str], names: list[str]
) -> dict[str, list[list[Any]]]:
    """The objects of each cell, the greatest score or size first: image, place, words, and pictures of some."""
    drawn, k = found.cutouts, met.classes.size
    cells: dict[str, list[tuple[int, int]]] = defaultdict(list)  # objects and detections, -1 for none
    looked = np.flatnonzero(c.found > -2)
    order = looked[np.lexsort((met.gt_row[looked], _rank(c, met, drawn, looked)))]
    for g in order.tolist():
        d = int(c.found[g])
        cells[_key(table, int(met.gt_class[g]), int(met.det_class[d]) if d >= 0 else k)].append((g, d))
    alone = np.flatnonzero(c.taken == -1)
    for d in alone[np.lexsort((met.det_row[alone], -met.det_score[alone]))].tolist():
        cells[_key(table, k, int(met.det_class[d]))].append((-1, d))
    most = next(n for n in range(OF_CELL, 0, -1) if n == 1 or sum(min(n, len(x)) for x in cells.values()) <= OF_ALL)
    number = {n: i for i, n in enumerate(names)}
    teller = Teller(found, drawn)
    out: dict[str, list[list[Any]]] = {}
    for key in sorted(cells):
        entries: list[list[Any]] = []
        for n, (g, d) in enumerate(cells[key][:most]):
            image = int(met.gt_image[g] if g >= 0 else met.det_image[d])
            subject = Subject("pred", d) if d >= 0 else Subject("gt", g)
            entry: list[Any] = [number[drawn.names[image]], _places(met, g, d), _said(met, teller, g, d)]
            picture = drawn.cutout(subject, g) if key in listed and n < DRAWN else None
            if picture:
                entry += [*picture.size, picture.overlay, picture.photo or ""]
            entries.append(entry)
        out[key] = entries
    return out


def _rank(c: DetectionConfusion, met: Encounters, drawn: Cutouts, at: Ints) -> NDArray[np.float64]:
    """What comes first: of objects that were taken for something the greatest score, of missed ones the largest."""
    d = c.found[at]
    score = np.where(d >= 0, met.det_score[np.maximum(d, 0)], 0.0) if met.found else np.zeros(at.size)
    return np.where(d >= 0, -score, 0.0 if drawn.areas is None else -drawn.areas[at])


def _key(table: Table, truth: int, taken: int) -> str:
    return f"{table.group[truth]},{table.group[taken]}"


def _places(met: Encounters, g: int, d: int) -> str:
    parts = ([f"annotations[{met.gt_row[g]}]"] if g >= 0 else []) + ([f"result {met.det_row[d]}"] if d >= 0 else [])
    return ", ".join(parts)


def _said(met: Encounters, teller: Teller, g: int, d: int) -> str:
    if d < 0:
        return teller.object(g)
    score = f"score {met.det_score[d]:.3g}"
    if g < 0:
        return score
    iou = met.pair_iou[(met.pair_det == d) & (met.pair_gt == g)]
    return f"{score}, IoU {float(iou.max()):.2f}" if iou.size else score
