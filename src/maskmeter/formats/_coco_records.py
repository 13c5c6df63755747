"""The records of a COCO file as columns: one row for each annotation or result, in the order of the file.

Two ways lead to the same columns. The native scan checks the whole grammar of JSON and reads clean files at
once; it answers "unusual" to everything else. What is unusual goes through `json.loads` and is looked at record
by record: what can be repaired without guessing is repaired and listed, and the rest is a problem with its place.

Compressed counts stay where they lie: a record has the span of its string in the text of the file.

Reference: Data format, https://cocodataset.org/#format-data
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from threading import Lock
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, printable
from ..kernels import CocoPart, coco_records, last_record
from ._file import DEFAULT_MAX_BYTES, opened

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

ID, IMAGE, CATEGORY, SCORE, AREA, CROWD, IGNORE, BOX = (1 << k for k in range(8))
"""Bits of `Records.has`: the members that a record has."""

NONE, POLYGONS, STRING, COUNTS = range(4)
"""Kinds of segmentation."""

MEMBERS = (
    "id", "image_id", "category_id", "score", "area", "iscrowd", "ignore", "bbox", "segmentation", "segments_info",
)  # fmt: skip
NESTED = ("size", "counts")
BLOCK = 2**20  # bytes of a list that are scanned at a time
TOP = ("images", "annotations", "categories")


@dataclass(frozen=True)
class Records:
    """Columns; what a record does not have is 0 or NaN and its bit in `has` is not set.

    A mask has the polygons from `mask_offsets[i]` to `mask_offsets[i + 1]`, a polygon the numbers of `xy` from
    `polygon_offsets[p]` on; the other kinds have no polygons. `counts` and `count_offsets` are uncompressed counts.
    """

    has: NDArray[np.uint16]
    id: Ints
    image: Ints
    category: Ints
    score: Floats
    area: Floats
    crowd: NDArray[np.uint8]
    ignore: NDArray[np.uint8]
    box: Floats
    kind: NDArray[np.uint8]
    span: Ints
    size: Ints
    xy: Floats
    polygon_offsets: Ints
    mask_offsets: Ints
    counts: Ints
    count_offsets: Ints

    def __len__(self) -> int:
        return len(self.has)


@dataclass
class Findings:
    """What was repaired, and what stops an evaluation. Each kind once, with its number and its first place.

    Where the images or categories of a ground truth have names for ids, `named` says which numbers stand for them.
    """

    path: str
    named: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])  # ids that are names, by member
    repaired: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    problems: list[str] = field(default_factory=list[str])

    def repair(self, what: str, where: str, times: int = 1) -> None:
        """Add a repair at the place `where`, and `times - 1` more of its kind."""
        n, first = self.repaired.get(what, (0, where))
        self.repaired[what] = n + times, first

    def problem(self, what: str, where: str, times: int = 1) -> None:
        """Add what cannot be repaired."""
        more = f" (and {times - 1} more like this)" if times > 1 else ""
        self.problems.append(f"{what} - at `{where}`{more}")

    def raise_problems(self) -> None:
        """Raise the first three problems as one error."""
        if self.problems:
            more = f"; and {len(self.problems) - 3} more" if len(self.problems) > 3 else ""
            raise FormatError(printable("; ".join(self.problems[:3]) + more), self.path)

    @property
    def repairs(self) -> list[str]:
        """One line for each kind of repair."""
        return [
            printable(f"{what} (at `{where}`" + (f" and {n - 1:,} more)" if n > 1 else ")"))
            for what, (n, where) in self.repaired.items()
        ]


@dataclass(frozen=True)
class Document:
    """A file: its text, which of both shapes it has, the lists beside the records, and the records."""

    text: bytes | bytearray | memoryview
    is_list: bool
    images: Any
    categories: Any
    records: Records
    plain_images: tuple[Ints, ...] | None = None  # in place of `images`: id, height, width, place of the name

    @property
    def root(self) -> str:
        """The path of the list of records."""
        return "$" if self.is_list else "$.annotations"


class _Object(dict[str, Any]):
    """A JSON object that remembers which members came twice."""

    twice: tuple[str, ...] = ()


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    made = _Object(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        made.twice = tuple(sorted({name for name in names if names.count(name) > 1}))
    return made


def scan_list(path: str, threads: int, block: int = BLOCK) -> Document | None:
    """The list in a file on this machine, read and scanned a block at a time; None where anything is unusual.

    Each thread takes a stretch of the file. Compressed counts lie where the stretch lies in the file, or before.
    """

    def read(handle: int, _name: str, size: int, _most: int) -> Document | None:
        text = np.empty(size, np.uint8)
        cuts = _cuts(handle, size, threads, block)
        stretches = list(pairwise(cuts))
        if len(stretches) == 1:
            parts = [_stretch(handle, text, block, (0, size))]
        else:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(len(stretches)) as pool:
                parts = list(pool.map(partial(_stretch, handle, text, block), stretches))
        ordinary = [p for p in parts if p is not None]
        if len(ordinary) < len(parts) or any(p.ended for p in ordinary[:-1]) or _read_at(handle, bytearray(1), size):
            return None
        first, *others = ordinary
        for part in others:
            first.append(part)
        return Document(text.data, True, None, None, Records(*first.columns())) if first.ended else None

    return opened(path, DEFAULT_MAX_BYTES, read)


def _cuts(handle: int, size: int, threads: int, block: int) -> list[int]:
    """Where the stretches of a list seem to begin, and its end."""
    cuts = [0]
    for k in range(1, threads):
        room = np.empty(block, np.uint8)
        begin = size * k // threads
        found = last_record(room[: _read_at(handle, room.data, begin)]) if begin - cuts[-1] > block else 0
        cuts += [begin + found] if found else []
    return [*cuts, size]


def _stretch(handle: int, text: NDArray[np.uint8], block: int, ends: tuple[int, int]) -> CocoPart | None:
    """The records of a stretch; None where anything is unusual."""
    begin, end = ends
    found, at, left = CocoPart(text, begin, end, begin == 0), begin, 0
    room = np.empty(min(block, end - begin), np.uint8)
    while at < end:
        filled = left
        while filled < room.size and (n := _read_at(handle, room.data[filled : filled + end - at], at)):
            filled, at = filled + n, at + n
        stop = filled if at >= end or filled < room.size else last_record(room[:filled])
        if not stop or not found.add(room[:stop]):
            return None
        left = filled - stop
        room[:left] = room[stop:filled].copy()
        if filled < room.size and at < end:  # the file has become shorter
            return None
    return found


_seeking = Lock()


def _read_at(handle: int, room: bytearray | memoryview, at: int) -> int:
    """Read from a place in a file into `room`; how many bytes there were."""
    if hasattr(os, "preadv"):
        return os.preadv(handle, [room], at)
    with _seeking:
        os.lseek(handle, at, os.SEEK_SET)
        data = os.read(handle, len(room))
    room[: len(data)] = data
    return len(data)


def scan(text: NDArray[np.uint8]) -> Document | None:
    """The document by the native scan, or None where anything in it is unusual; else `text` has changed."""
    answer = coco_records(text)
    if answer is None:
        return None
    is_list, images, categories, columns, plain = answer
    if plain is not None:
        keys = plain[0]
        if keys.size and np.unique(keys).size == keys.size:
            return Document(text.data, is_list, None, _part(text, categories), Records(*columns), plain)
    return Document(text.data, is_list, _part(text, images), _part(text, categories), Records(*columns))


def _part(text: NDArray[np.uint8], span: tuple[int, int]) -> Any:
    begin, end = span
    return None if begin < 0 else json.loads(text[begin:end].tobytes(), object_pairs_hook=_object)


def parse(text: bytes | memoryview, found: Findings) -> Document:
    """The document by `json.loads`, record by record; problems are added to `found`. Raises FormatError."""
    try:
        value = json.loads(bytes(text).decode(), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise FormatError(
            f"is no valid JSON: it is not UTF-8 text (byte {error.start}); save it as UTF-8", found.path
        ) from None
    except json.JSONDecodeError as error:
        cut = error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string")
        what = "it is truncated, the end of the text comes too early" if cut else error.msg
        raise FormatError(f"is no valid JSON: {what} (line {error.lineno} column {error.colno})", found.path) from None
    except RecursionError:
        raise FormatError("is no valid JSON: it is nested too deeply; limit the depth", found.path) from None
    except ValueError as error:  # an integer of thousands of digits
        raise FormatError(f"holds a number that cannot be read: {str(error).split(';')[0]}", found.path) from None
    is_list = isinstance(value, list)
    if not is_list and not isinstance(value, dict):
        raise FormatError("is no COCO file: its JSON is neither an object nor a list", found.path)
    if is_list:
        return _built(cast(list[Any], value), True, None, None, found)
    top = cast(_Object, value)
    for name in top.twice:
        if name in TOP:
            found.problem(f"the key {name!r} is there twice (duplicate key): which one holds is a guess", f"$.{name}")
    records = top.get("annotations")
    if not isinstance(records, list):
        have = ", ".join(sorted(top)[:8]) or "nothing"
        raise FormatError(
            f"is no COCO file: it has no list `annotations` (it has {have})"
            if records is None
            else "is no COCO file: `$.annotations` is no list",
            found.path,
        )
    return _built(cast(list[Any], records), False, top.get("images"), top.get("categories"), found)


def _built(records: list[Any], is_list: bool, images: Any, categories: Any, found: Findings) -> Document:
    if not is_list:
        name_ids(images, categories, found)
    builder = _Builder(found, is_list)
    for k, record in enumerate(records):
        builder.add(record, f"{'$' if is_list else '$.annotations'}[{k}]")
    return Document(builder.text, is_list, images, categories, builder.records())


def name_ids(images: Any, categories: Any, found: Findings) -> None:
    """Number the images and categories whose ids are names."""
    for member, listed, many in (("image_id", images, "images"), ("category_id", categories, "categories")):
        if names := names_of(listed):
            found.named[member] = names
            found.repair(f"{member} is a name: numbered in the order of the names", f"$.{many}[0].id", len(names))


def names_of(listed: Any) -> dict[str, int] | None:
    """The numbers that stand for ids which are all strings, and not all of digits: their places in ascending order."""
    records: list[Any] = cast(list[Any], listed) if isinstance(listed, list) else []
    ids = [cast(dict[str, Any], r).get("id") if isinstance(r, dict) else None for r in records]
    names = {i for i in ids if isinstance(i, str)}
    if not names or not all(isinstance(i, str) for i in ids) or all(map(is_number, names)):
        return None
    return {name: k for k, name in enumerate(sorted(names))}


def is_number(text: str) -> bool:
    """Whether a string is an integer as JSON would write it."""
    return len(text) < 20 and text.isascii() and text.removeprefix("-").isdecimal() and str(int(text)) == text


def whole(value: Any, what: str, where: str, found: Findings, member: str | None = None) -> int:
    """An id as an integer: also a string of digits or a float without a fraction, which are repaired, or a name.

    `member` is what records call this id, where it may be a name; -1 is one that the ground truth does not have.
    """
    names = found.named.get(member or what)
    if names is not None:
        if isinstance(value, str):
            return names.get(value, -1)
        found.problem(f"{what} is {_shown(value)}, where the ids of the ground truth are names", where)
        return -1
    if type(value) is int and -(2**63) <= value < 2**63:
        return value
    if isinstance(value, str) and is_number(value) and -(2**63) <= int(value) < 2**63:
        found.repair(f"{what} is a string of digits: read as the integer", where)
        return int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        found.repair(f"{what} is written as a float: read as the integer", where)
        return int(value)
    found.problem(f"{what} is {_shown(value)}, where an integer is needed; number them", where)
    return 0


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:36]}..."


class _Builder:
    """Rows as they come."""

    def __init__(self, found: Findings, is_list: bool) -> None:
        self.found, self.is_list = found, is_list
        self.rows: list[tuple[Any, ...]] = []
        self.boxes: list[list[float]] = []
        self.text = bytearray()
        self.xy: list[float] = []
        self.polygons = [0]
        self.masks = [0]
        self.counts: list[int] = []
        self.runs = [0]

    def add(self, record: Any, at: str) -> None:
        """One record."""
        if not isinstance(record, dict):
            self.found.problem(f"is {_shown(record)}, where a record is an object", at)
            record = {}
        r = cast(_Object, record)
        for name in getattr(r, "twice", ()):
            if name in MEMBERS:
                self.found.problem(f"the key {name!r} is there twice (duplicate key)", f"{at}.{name}")
        if "segments_info" in r:
            raise FormatError(
                f"is panoptic, no detection: it has segments_info - at `{at}`; use --task panoptic", self.found.path
            )
        has = 0
        ids: list[int] = []
        for bit, name in ((ID, "id"), (IMAGE, "image_id"), (CATEGORY, "category_id")):
            value = None if bit == ID and self.is_list else r.get(name)  # the ids of results mean nothing
            if bit == ID and isinstance(value, str) and not is_number(value):
                value = None  # those of annotations tell them apart and mean nothing else
            has |= bit if value is not None else 0
            ids.append(0 if value is None else whole(value, name, f"{at}.{name}", self.found))
        numbers: list[float] = []
        for bit, name in ((SCORE, "score"), (AREA, "area")):
            value = r.get(name)
            has |= bit if value is not None else 0
            numbers.append(math.nan if value is None else self._number(value, name, f"{at}.{name}"))
        flags: list[int] = []
        for bit, name in ((CROWD, "iscrowd"), (IGNORE, "ignore")):
            value = r.get(name)
            has |= bit if value is not None else 0
            if value in ("0", "1"):
                self.found.repair(f"{name} is a string of digits: read as the integer", f"{at}.{name}")
                value = int(value)
            if not (value is None or (isinstance(value, int | float) and value in (0, 1))):
                self.found.problem(f"{name} is {_shown(value)}, neither 0 nor 1", f"{at}.{name}")
                value = 0
            flags.append(int(value or 0))
        box = r.get("bbox")
        if box is None or box == []:
            self.boxes.append([math.nan] * 4)
        else:
            has |= BOX
            self.boxes.append(self._box(box, f"{at}.bbox"))
        kind, begin, end, height, width = self._segmentation(r.get("segmentation"), f"{at}.segmentation")
        self.masks.append(len(self.polygons) - 1)
        self.runs.append(len(self.counts))
        self.rows.append((has, *ids, *numbers, *flags, kind, begin, end, height, width))

    def _number(self, value: Any, what: str, where: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.found.problem(f"{what} is {_shown(value)}, where a number is needed", where)
            return math.nan
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.found.problem(f"{what} is {number}, which is not finite", where)
        return number

    def _box(self, box: Any, where: str) -> list[float]:
        if not isinstance(box, list) or len(cast(list[Any], box)) != 4:
            self.found.problem("bbox is no list of four numbers x, y, width, height", where)
            return [math.nan] * 4
        return self._numbers(box, "a number of bbox", where)

    def _numbers(self, values: Any, what: str, where: str) -> list[float]:
        """Finite numbers; only the first that is none is a problem."""
        numbers: list[float] = []
        before = len(self.found.problems)
        for k, v in enumerate(cast(list[Any], values)):
            numbers.append(self._number(v, what, f"{where}[{k}]"))
            if len(self.found.problems) > before:
                return [math.nan] * 4
        return numbers

    def _segmentation(self, s: Any, where: str) -> tuple[int, int, int, int, int]:
        if s is None or s == []:
            return NONE, 0, 0, 0, 0
        if isinstance(s, list):
            values = cast(list[Any], s)
            bare = all(isinstance(v, int | float) for v in values)
            if bare:
                self.found.repair("a polygon lies bare in segmentation: read as a list of one polygon", where)
            polygons: list[Any] = [values] if bare else values
            for k, polygon in enumerate(polygons):
                if not isinstance(polygon, list):
                    self.found.problem(f"the polygon is {_shown(polygon)}, where a list of coordinates is needed",
                                       f"{where}[{k}]")  # fmt: skip
                    continue
                self.xy += self._numbers(polygon, "the polygon's coordinate", f"{where}[{k}]")
                self.polygons.append(len(self.xy))
            return POLYGONS, 0, 0, 0, 0
        if not isinstance(s, dict):
            self.found.problem(f"segmentation is {_shown(s)}, neither polygons nor an RLE with size and counts", where)
            return NONE, 0, 0, 0, 0
        return self._rle(cast(_Object, s), where)

    def _rle(self, s: _Object, where: str) -> tuple[int, int, int, int, int]:
        for name in getattr(s, "twice", ()):
            if name in NESTED:
                self.found.problem(f"the key {name!r} is there twice (duplicate key)", f"{where}.{name}")
        size, counts = s.get("size"), s.get("counts")
        if not (
            isinstance(size, list)
            and len(cast(list[Any], size)) == 2
            and all(type(v) is int and 0 <= v < 2**31 for v in cast(list[Any], size))
        ):
            self.found.problem("the RLE's size is no list of two integers height, width", f"{where}.size")
            size = [0, 0]
        height, width = cast(list[int], size)
        if isinstance(counts, str):
            begin = len(self.text)
            self.text += counts.encode("utf-8", "surrogatepass")
            return STRING, begin, len(self.text), height, width
        if not isinstance(counts, list):
            self.found.problem(
                f"the RLE's counts are {_shown(counts)}, neither a string nor a list of runs", f"{where}.counts"
            )
            return NONE, 0, 0, height, width
        for k, v in enumerate(cast(list[Any], counts)):
            if type(v) is not int or abs(v) >= 2**63:
                self.found.problem(
                    f"a run of the RLE's counts is {_shown(v)}, where an integer is needed", f"{where}.counts[{k}]"
                )
                break
            self.counts.append(v)
        return COUNTS, 0, 0, height, width

    def records(self) -> Records:
        """Everything added, as columns."""
        table = np.array([row[:4] + row[6:] for row in self.rows], np.int64).reshape(-1, 11)
        numbers = np.array([row[4:6] for row in self.rows], np.float64).reshape(-1, 2)
        has, ids, images, categories, crowd, ignore, kind = (np.ascontiguousarray(c) for c in table.T[:7])
        return Records(
            has=has.astype(np.uint16),
            id=ids,
            image=images,
            category=categories,
            score=numbers[:, 0].copy(),
            area=numbers[:, 1].copy(),
            crowd=crowd.astype(np.uint8),
            ignore=ignore.astype(np.uint8),
            box=np.array(self.boxes, np.float64).reshape(-1, 4),
            kind=kind.astype(np.uint8),
            span=table[:, 7:9].copy(),
            size=table[:, 9:11].copy(),
            xy=np.array(self.xy, np.float64),
            polygon_offsets=np.array(self.polygons, np.int64),
            mask_offsets=np.array(self.masks, np.int64),
            counts=np.array(self.counts, np.int64),
            count_offsets=np.array(self.runs, np.int64),
        )
