"""Label files: what the integers mean, read from whatever says so.

The file's *content* decides what it is, its name never does:

* maskmeter's own TOML, a list of `[[label]]` tables (the keys are those of `KEYS` below). It alone
  can say everything that a `Label` holds, and it is what `write_labels` writes.
* what other tools leave beside their data: YOLO's data.yaml, nnU-Net's dataset.json, lists of names
  and colours (see `labellists`);
* the name of a set everybody knows, such as `cityscapes` (see `labelsets`). A file of that name in
  the current folder goes first.

Names are kept exactly as written, whatever they hold; whoever shows them escapes them. A label file
is written by hand, so every error names the label and says what to write instead.
"""

from __future__ import annotations

import difflib
import json
import math
import os
import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..errors import FormatError, LabelError, printable
from ..labels import Color, Label, LabelSet
from . import labellists, labelsets
from ._file import load
from .remote import is_remote

LIMIT = 16 << 20
"""No label file is longer; a longer file is something else, given by mistake."""


def read_labels(path: Path | str) -> LabelSet:
    """The labels in the file at `path`, or the built-in set of that name."""
    name = os.fspath(path)
    if name in labelsets.NAMES and not os.path.isfile(name):
        return labelsets.built_in(name)
    try:
        return LabelSet(unique(_rows(_text(name))))
    except (LabelError, FormatError) as error:
        raise error.at(name) from error.__cause__


def _text(path: str) -> str:
    """The file as text; an error where it is not a text of reasonable length."""
    if not is_remote(path) and not os.path.lexists(path):
        known = ", ".join(labelsets.NAMES)
        raise FormatError(f"no such label file; give a file, or the name of a built-in set ({known})")
    try:
        text = load(path, LIMIT).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(
            f"byte {error.start} is not UTF-8, so this is no label file; save it as a text in UTF-8"
        ) from None
    return text.replace("\r\n", "\n")


def _rows(text: str) -> Iterable[Label]:
    """The labels of a text. Which kind it is shows in its first line that is neither empty nor a comment."""
    first = next((line for line in text.split("\n") if line.strip() and not line.lstrip().startswith("#")), "")
    if not first:
        raise FormatError("an empty label file; write one [[label]] table with an id for each class")
    if first.lstrip().startswith("{"):
        return labellists.from_json(text)
    if (kind := labellists.kind_of(first)) is not None:
        return labellists.from_lines(text, kind)
    if re.match(r"\s*(\[|[\w.\"'-]+\s*=)", first):
        return from_toml(text)
    if re.search(r"^names\s*:", text, re.MULTILINE):
        return labellists.from_yaml(text)
    raise FormatError(
        "not a label file: expected [[label]] tables (TOML), names: (YOLO's data.yaml), "
        f'{{"labels": ...}} (nnU-Net\'s dataset.json), or lines such as road,128,64,128; '
        f"found '{printable(first.strip()[:60])}'"
    )


def unique(labels: Iterable[Label]) -> tuple[Label, ...]:
    """The labels, if no two have the same id or share a number in the files."""
    by_id: dict[int, int] = {}
    by_source: dict[int, int] = {}
    found = tuple(labels)
    for number, label in enumerate(found, 1):
        where = f"label {number} (id {label.id})"
        if (other := by_id.setdefault(label.id, number)) != number:
            raise LabelError(f"{where}: label {other} has id {label.id} already; give each label its own id")
        for source in label.sources:
            if source in by_source:
                other = by_source[source]
                if other == number:
                    raise LabelError(f"{where}: source {source} is listed twice; list it once")
                raise LabelError(
                    f"{where}: source {source} belongs to label {other} (id {found[other - 1].id}) already; "
                    "a number in the files can mean one label only"
                )
            by_source[source] = number
    return found


# ------------------------------------------------------------------ our own TOML


def _whole(value: Any) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise ValueError
    return value


def _sources(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError
    return tuple(map(_whole, value))


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _distance(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise ValueError
    return float(value)


def _color(value: Any) -> Color:
    if isinstance(value, str) and re.fullmatch("#[0-9a-fA-F]{6}", value):
        value = list(bytes.fromhex(value[1:]))
    if not isinstance(value, list):
        raise ValueError
    r, g, b = map(_whole, value)
    if not all(0 <= c <= 255 for c in (r, g, b)):
        raise ValueError
    return r, g, b


KEYS: dict[str, tuple[Callable[[Any], object], str]] = {
    "id": (_whole, "a whole number such as 7"),
    "name": (_str, "a text in quotes"),
    "color": (_color, '"#rrggbb" or [r, g, b] with numbers from 0 to 255'),
    "source": (_sources, "a list of whole numbers such as [7, 8]; leave it out where the files hold the id itself"),
    "parent": (_str, "a text in quotes"),
    "ignore": (_bool, "true or false"),
    "average": (_bool, "true or false"),
    "thing": (_bool, "true or false"),
    "tolerance": (_distance, "a distance in mm, a number that is not negative"),
}
"""The keys of a [[label]] table: how each is read, and what it has to be."""


def from_toml(text: str) -> list[Label]:
    """The [[label]] tables of a TOML text."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else printable(str(error))
        raise FormatError(f"not valid TOML: {reason}") from error
    for key in document:
        if key != "label":
            raise LabelError(
                f"unknown key '{printable(key)}'{_meant(key, ['label'])}; a label file holds [[label]] tables"
            )
    tables = document.get("label")
    if not isinstance(tables, list):
        raise LabelError("'label' is one table; write [[label]] in double brackets above each label")
    if not tables:
        raise LabelError("no label in it; write one [[label]] table with an id for each class")
    return [_label(table, number) for number, table in enumerate(tables, 1)]


def _label(table: Any, number: int) -> Label:
    """One [[label]] table as a label; `number` counts them from 1, for the messages."""
    if not isinstance(table, dict):
        raise LabelError(f"label {number} is not a table; write [[label]] above its keys")
    fields: dict[str, Any] = table
    where = f"label {number}" + (f" (id {fields['id']})" if type(fields.get("id")) is int else "")
    if "id" not in fields:
        raise LabelError(f"{where} has no id; add id = N, the number of its pixels")
    read: dict[str, Any] = {}
    for key, value in fields.items():
        if key not in KEYS:
            raise LabelError(f"{where}: unknown key '{printable(key)}'{_meant(key, KEYS)}")
        parse, expected = KEYS[key]
        try:
            read[key] = parse(value)
        except ValueError:
            raise LabelError(f"{where}: {key} = {_shown(value)} should be {expected}") from None
    return Label(**read)


def _meant(key: str, known: Iterable[str]) -> str:
    """The known key that was probably meant, else all of them."""
    options = list(known)
    close = difflib.get_close_matches(key.lower(), options, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known keys are {', '.join(options)}" if len(options) > 1 else ""


def _shown(value: Any) -> str:
    """A wrong value as its writer would recognise it, on one line and short."""
    try:
        text = printable(json.dumps(value, ensure_ascii=False))
    except (TypeError, ValueError):  # a date or time: TOML has them, JSON does not
        text = printable(str(value))
    return text if len(text) <= 60 else text[:57] + "..."


def write_labels(labels: LabelSet) -> str:
    """The label set as the text of a label file; `read_labels` gives an equal set back."""
    return "\n".join(map(_written, labels))


def _written(label: Label) -> str:
    """One [[label]] table: the id, and every other field that is not at its default."""
    lines = ["[[label]]", f"id = {int(label.id)}"]
    if label.name is not None:
        lines.append(f"name = {_quoted(label.name)}")
    if label.color is not None:
        lines.append('color = "#{:02x}{:02x}{:02x}"'.format(*label.color))
    if label.source:
        lines.append(f"source = [{', '.join(str(int(s)) for s in label.source)}]")
    if label.parent is not None:
        lines.append(f"parent = {_quoted(label.parent)}")
    if label.ignore:
        lines.append("ignore = true")
    if not label.average:
        lines.append("average = false")
    if label.thing is not None:
        lines.append(f"thing = {str(bool(label.thing)).lower()}")
    if label.tolerance is not None:
        lines.append(f"tolerance = {float(label.tolerance)!r}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML basic string. JSON's escapes are TOML's too, but TOML escapes DEL as well and has no lone surrogates."""
    if any(0xD800 <= ord(c) < 0xE000 for c in text):
        raise LabelError(f"the name '{printable(text)}' is not valid Unicode and cannot be written; rename the label")
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
