"""All images for the gallery: their values as data that the page filters and sorts, and their pictures in a folder.

The page itself holds the pictures of a few images. Those of all others lie in a folder beside it, where they
were asked for, and are fetched by the browser when they come into view. Values are thousandths, undefined is null; a
column that is mostly empty, as of a rare class, is an object by the image's place. There are as many classes as fit.
"""

from __future__ import annotations

import os
from base64 import b64decode
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError, printable
from ..fates import recall_by_size
from ..metrics import Values
from ..statistics.confusion import Confusion
from . import words
from .cards import Pictures, card
from .classes import worst
from .findings import AT, Beside, Findings
from .object_errors import fates_of_images

PARTS = ("photo", "gt", "pred", "errors", "other", "other_errors")
SHOWN_FATES = ("missed", "hallucinated", "split", "merged")
CELLS = 24_000  # values of classes in images, and their sizes, that are in the page


def data(found: Findings, embedded: list[str], beside: Beside | None) -> dict[str, Any]:
    """What the page knows of every image; `embedded` are those whose pictures it holds."""
    per_image = found.per_image
    metrics = [found.headline, *found.spread_metrics] if _by_metric(found) else [found.headline]
    made: dict[str, Any] = {
        "names": [words.whole(n) for n in per_image.names],
        "metrics": {str(found.headline): _thousandths(per_image.headline)},
        "lower": [str(m) for m in metrics if m.better == "lower"],
    }
    columns = [_thousandths(c) for c in per_image.by_class.T]
    if _by_metric(found):
        made["metrics"] |= {str(m): c for m, c in zip(found.spread_metrics, columns, strict=True)}
    else:
        shown, sized = _fitting(found, columns)
        made["classes"] = [[found.kinds[at].name, _sparse(columns[at], None)] for at in shown]
        if sized:
            sizes = _sizes(found)
            made["sizes"] = [_sparse(sizes[at], 0) for at in shown]
    if found.objects:
        made |= _fates(found)
    made["embedded"] = [per_image.names.index(n) for n in embedded]
    if beside is not None:
        made |= {"folder": beside.folder.name, "pictures": draw(found, beside, set(embedded))}
    return made


def _fitting(found: Findings, columns: list[list[int | None]]) -> tuple[list[int], bool]:
    """The places of the classes whose values fit, those with the least IoU first taken; whether their sizes fit too."""
    known = [sum(v is not None for v in c) for c in columns]
    if 2 * sum(known) <= CELLS:
        return list(range(len(columns))), True
    if sum(known) <= CELLS:
        return list(range(len(columns))), False
    kept, cells = list[int](), 0
    for kind in worst(found, len(columns)):
        cells += known[kind.at]
        if cells > CELLS:
            break
        kept.append(kind.at)
    return sorted(kept), False


def _sparse(column: Sequence[int | None], nothing: int | None) -> list[int | None] | dict[str, int | None]:
    """A column, or where most of it is nothing, the rest of it by place."""
    rest = {str(i): v for i, v in enumerate(column) if v != nothing}
    return list(column) if 2 * len(rest) > len(column) else rest


def draw(found: Findings, beside: Beside, without: set[str]) -> dict[str, Any]:
    """Write the pictures of the worst images into the folder; the files of each, with their size, by its place.

    Raises UsageError where the folder cannot be written.
    """
    values = found.per_image.headline
    order: list[int] = np.argsort(np.where(np.isnan(values), np.inf, values), kind="stable").tolist()
    wanted = [at for at in order[: beside.most] if found.per_image.names[at] not in without]
    try:
        beside.folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(os.cpu_count()) as workers:
            drawn = workers.map(partial(_draw_one, found, beside.folder), wanted)
            return {str(at): files for at, files in zip(wanted, drawn, strict=True) if files}
    except OSError as error:
        raise UsageError(f"cannot write into {printable(str(beside.folder))}: {error.strerror}") from None


def _draw_one(found: Findings, folder: Path, at: int) -> list[Any]:
    """Width, height, and the name of the file of each part, null where it is lacking; nothing without pictures."""
    pictures = card(found, at).pictures
    return [] if pictures is None else [pictures.width, pictures.height, *_files(pictures, folder, at)]


def _files(pictures: Pictures, folder: Path, at: int) -> Iterator[str | None]:
    for part in PARTS:
        uri: str | None = getattr(pictures, part)
        if uri is None:
            yield None
            continue
        kind, _, content = uri.removeprefix("data:image/").partition(";base64,")
        name = f"{at:06d}-{part.replace('_', '-')}.{kind.replace('jpeg', 'jpg')}"
        (folder / name).write_bytes(b64decode(content))
        yield name


def _by_metric(found: Findings) -> bool:
    """Whether the columns of an image are metrics, and not classes."""
    return found.binary or found.objects


def _thousandths(values: Values) -> list[int | None]:
    return [None if v != v else round(1000 * v) if abs(v) < 1e12 else None for v in values.tolist()]


def _sizes(found: Findings) -> list[list[int]]:
    """For each class the pixels of the ground truth, image by image."""
    stacks = [stack.gt for _, stack in found.evaluation.stacks(Confusion.name)]
    return np.concatenate(stacks).T.tolist()


def _fates(found: Findings) -> dict[str, Any]:
    """How many objects of an image have each fate, and of each size where that fits: the quarters of the report."""
    side = {"hallucinated": "pred", "merged": "pred"}  # as on the cards
    shown = {(side.get(fate, "gt"), fate) for fate in SHOWN_FATES}
    ranges = [(low, high) for low, high, _, objects in recall_by_size(found.overlap, AT) if objects]
    above = [low for low, _ in ranges[1:]]
    counted: list[Counter[tuple[str, int]]] = [
        Counter((f.fate, bisect_right(above, f.pixels)) for f in image if (f.side, f.fate) in shown)
        for image in fates_of_images(found.evaluation)
    ]
    by_size = [{fate: [n[fate, at] for n in counted] for fate in SHOWN_FATES} for at in range(max(1, len(ranges)))]
    made: dict[str, Any] = {
        "fates": {fate: [sum(k) for k in zip(*(of[fate] for of in by_size), strict=True)] for fate in SHOWN_FATES}
    }
    if len(ranges) > 1 and sum(len(n) for n in counted) <= CELLS:
        made["fate_sizes"] = [
            [words.size_range(*ends), {fate: _sparse(column, 0) for fate, column in of.items()}]
            for ends, of in zip(ranges, by_size, strict=True)
        ]
    return made
