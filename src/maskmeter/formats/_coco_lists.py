"""The images and the categories of a COCO or LVIS file: short lists, read record by record.

Both are numbered in ascending order of their ids. What can be repaired is listed in the `Findings`, and what
cannot is a problem there, with its place.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ._coco_records import Findings, whole

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Lists:
    """A list of category numbers for each image: those of image i lie from offsets[i] to offsets[i + 1]."""

    values: Ints
    offsets: Ints


@dataclass(frozen=True)
class Images:
    """The images, by ascending id. Height and width are 0 where nobody says them; `row` is the place in the list.

    `named` are the numbers of ids that are names; None where the file has numbers.
    """

    id: Ints
    name: list[str]
    height: Ints
    width: Ints
    row: Ints
    negative: Lists | None = None
    not_exhaustive: Lists | None = None
    named: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True)
class Categories:
    """The categories, by ascending id; `frequency` has the letters r, c, f of LVIS, `named` as of images."""

    id: Ints
    name: list[str]
    frequency: list[str] | None = None
    named: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self.id)


def read_images(listed: Any, categories: Categories, found: Findings) -> Images:
    """The list `images`. Image sizes that are missing are 0."""
    records = _objects(listed, "images", found)
    rows: dict[int, tuple[int, str, int, int, dict[str, Any]]] = {}
    for k, r in enumerate(records):
        at = f"$.images[{k}]"
        if r.get("id") is None:
            found.problem("the image has no id", at)
            continue
        key = whole(r["id"], "id", f"{at}.id", found, "image_id")
        if key in rows:
            found.problem(
                f"image id {key} is there twice (duplicate id): at `$.images[{rows[key][0]}]` and here; list it once",
                f"{at}.id",
            )
            continue
        height, width = (_extent(r.get(name), name, f"{at}.{name}", found) for name in ("height", "width"))
        name = r.get("file_name")
        rows[key] = k, name if isinstance(name, str) and name else str(r["id"]), height, width, r
    if not rows:
        found.problem("there are no images", "$.images")
    keys = sorted(rows)
    ordered = [rows[key] for key in keys]
    lists = {
        name: _category_lists([(k, r) for k, _, _, _, r in ordered], name, categories, found)
        for name in ("neg_category_ids", "not_exhaustive_category_ids")
    }
    return Images(
        np.array(keys, np.int64),
        _told_apart([name for _, name, *_ in ordered], keys, "image", "images", found),
        np.array([h for _, _, h, _, _ in ordered], np.int64),
        np.array([w for _, _, _, w, _ in ordered], np.int64),
        np.array([k for k, *_ in ordered], np.int64),
        lists["neg_category_ids"],
        lists["not_exhaustive_category_ids"],
        found.named.get("image_id"),
    )


def plain_images(columns: tuple[Ints, ...], text: bytes | bytearray | memoryview, found: Findings) -> Images:
    """The images whose records were scanned (see `kernels.coco_records`); their ids differ."""
    order = np.argsort(columns[0])
    keys, height, width, place = (x[order] for x in columns)
    names = [bytes(text[begin:end]).decode() for begin, end in place.tolist()]
    return Images(keys, _told_apart(names, keys.tolist(), "image", "images", found), height, width, order)


def _extent(value: Any, what: str, where: str, found: Findings) -> int:
    if value is None:
        return 0
    size = whole(value, what, where, found)
    if not 0 <= size < 2**31:
        found.problem(f"{what} {size} is no number of pixels", where)
        return 0
    return size


def _category_lists(
    rows: list[tuple[int, dict[str, Any]]], name: str, categories: Categories, found: Findings
) -> Lists | None:
    """LVIS: the categories that an image lists under `name`."""
    if not any(name in r for _, r in rows):
        return None
    number = {key: k for k, key in enumerate(categories.id.tolist())}
    values: list[int] = []
    offsets = [0]
    for k, r in rows:
        for j, v in enumerate(cast(list[Any], r.get(name) or [])):
            if type(v) is not int or v not in number:
                found.problem(f"{v!r} is no category of the file", f"$.images[{k}].{name}[{j}]")
                continue
            values.append(number[v])
        offsets.append(len(values))
    return Lists(np.array(values, np.int64), np.array(offsets, np.int64))


def read_categories(listed: Any, found: Findings) -> Categories:
    records = _objects(listed, "categories", found)
    rows: dict[int, tuple[str, str | None]] = {}
    for k, r in enumerate(records):
        at = f"$.categories[{k}]"
        if r.get("id") is None:
            found.problem("the category has no id", at)
            continue
        key = whole(r["id"], "id", f"{at}.id", found, "category_id")
        if key in rows:
            found.problem(f"category id {key} is there twice (duplicate id); list it once", f"{at}.id")
            continue
        name, frequency = r.get("name"), r.get("frequency")
        rows[key] = (
            name if isinstance(name, str) and name else f"category {r['id']}",
            frequency if isinstance(frequency, str) else None,
        )
    if not rows and not found.problems:
        found.problem('there are no categories; list them as [{"id": 1, "name": ...}]', "$.categories")
    keys = sorted(rows)
    frequencies = [rows[key][1] for key in keys]
    letters = [f for f in frequencies if f in ("r", "c", "f")]
    return Categories(
        np.array(keys, np.int64),
        _told_apart([rows[key][0] for key in keys], keys, "category", "categories", found),
        letters if letters and len(letters) == len(keys) else None,
        found.named.get("category_id"),
    )


def _objects(listed: Any, what: str, found: Findings) -> list[dict[str, Any]]:
    if not isinstance(listed, list):
        found.problem(f"there is no list of {what}" if listed is None else f"{what} is no list", f"$.{what}")
        return []
    records = cast(list[Any], listed)
    for k, r in enumerate(records):
        if not isinstance(r, dict):
            found.problem("is no object", f"$.{what}[{k}]")
        elif twice := [n for n in getattr(cast(Any, r), "twice", ()) if n in ("id", "name", "height", "width")]:
            found.problem(f"the key {twice[0]!r} is there twice (duplicate key)", f"$.{what}[{k}].{twice[0]}")
    return [cast(dict[str, Any], r) if isinstance(r, dict) else {"id": None} for r in records]


def _told_apart(names: list[str], keys: list[int], what: str, many: str, found: Findings) -> list[str]:
    """The names, with the id added where several are the same."""
    often = Counter(names)
    for name, n in often.items():
        if n > 1:
            found.repair(f"{n} {many} are named {name!r}: told apart by their ids", f"$.{many}")
    return [f"{name} ({what} {key})" if often[name] > 1 else name for name, key in zip(names, keys, strict=True)]
