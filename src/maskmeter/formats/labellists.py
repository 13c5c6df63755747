"""Labels as other tools write them: data.yaml, dataset.json, and lists of names and colours.

* **YOLO's data.yaml**: `names:` is a list (ids count from 0) or a mapping from id to name. Needs
  PyYAML. Only the tree of nodes is built, so a class called `no` stays text and no tag is obeyed.
* **nnU-Net's dataset.json**: `labels` maps name to id (version 2) or id to name (version 1). Id 0 is
  the background, which nnU-Net leaves out of its means: `average=False`. The label named `ignore` is
  void. Regions (a name for several ids) overlap one another, so they are no labels, and refused.
* **Lists**, one label a line, ids by order from 0: `name,r,g,b` (CSV, header optional, no comments),
  `name:r,g,b:parts:actions` (CVAT's labelmap.txt) and `r g b name` (CamVid). They do not say what is
  void, so nothing is.
"""

from __future__ import annotations

import csv
import importlib
import json
import re
from collections.abc import Iterator
from typing import Any

from ..errors import FormatError, LabelError, UsageError, printable
from ..labels import Label

_INT64 = range(-(2**63), 2**63)

# ------------------------------------------------------------------ lists of names and colours

_LINES = {
    "name:r,g,b:parts:actions": re.compile(r"(?P<name>.+?):\s*(?P<rgb>\d+\s*,\s*\d+\s*,\s*\d+)\s*(:.*)?"),
    "r g b name": re.compile(r"\s*(?P<rgb>\d+\s+\d+\s+\d+)\s+(?P<name>\S.*?)\s*"),
}
_CSV = "name,r,g,b"


def kind_of(line: str) -> str | None:
    """Which kind of list a file with this first line is, written as its pattern; None for no list."""
    if (row := _row(line)) is not None and (_is_header(row) or _color(row[1:]) is not None):
        return _CSV
    return next((kind for kind, pattern in _LINES.items() if pattern.fullmatch(line)), None)


def from_lines(text: str, kind: str) -> Iterator[Label]:
    """The labels of a list, in order. Every line counts, or an id would be wrong from there on."""
    id = 0
    # Not splitlines: a name may hold one of the rarer line separators.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        if kind == _CSV:
            row = _row(line)
            if id == 0 and row is not None and _is_header(row):
                continue
            name, color = (row[0], _color(row[1:])) if row is not None else ("", None)
        else:
            if line.lstrip().startswith("#"):
                continue
            found = _LINES[kind].fullmatch(line)
            name, color = (found["name"], _color(re.split(r"[\s,]+", found["rgb"]))) if found else ("", None)
        if color is None:
            raise FormatError(
                f"line {number}: '{printable(line.strip()[:60])}' is not {kind} with numbers from 0 to 255"
            )
        yield Label(id, name, color)
        id += 1
    if id == 0:
        raise FormatError(f"a header without labels; add lines of {kind}")


def _row(line: str) -> list[str] | None:
    """One line of CSV as its four cells, else None."""
    try:
        row = next(csv.reader([line], strict=True), [])
    except csv.Error:
        return None
    return row if len(row) == 4 else None


def _is_header(row: list[str]) -> bool:
    return [cell.strip().lower() for cell in row] in (["name", "r", "g", "b"], ["name", "red", "green", "blue"])


def _color(cells: list[str]) -> tuple[int, int, int] | None:
    """Three cells as a colour, or None where they are none."""
    if len(cells) != 3 or not all(re.fullmatch(r"[0-9]{1,3}", cell.strip()) for cell in cells):
        return None
    r, g, b = map(int, cells)
    return (r, g, b) if max(r, g, b) <= 255 else None


# ------------------------------------------------------------------ nnU-Net


def from_json(text: str) -> list[Label]:
    """The labels of nnU-Net's dataset.json, of either version."""
    try:
        document: Any = json.loads(text, object_pairs_hook=_no_twins)
    except RecursionError:
        raise FormatError("not a label file: JSON nested too deeply") from None
    except FormatError:
        raise
    except ValueError as error:
        raise FormatError(f"not valid JSON: {error}") from error
    labels = document.get("labels")
    if not isinstance(labels, dict) or not labels:
        raise FormatError('JSON without labels; nnU-Net\'s dataset.json has "labels": {"background": 0, ...}')
    pairs: list[tuple[Any, Any]] = list(labels.items())
    if all(isinstance(value, str) for _, value in pairs):
        pairs = [(name, int(id) if re.fullmatch(r"-?[0-9]{1,19}", id) else id) for id, name in pairs]
    _refuse_regions(pairs)
    return [_nnunet(name, id[0] if isinstance(id, list) else id) for name, id in pairs]


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Python would keep the last of two members with one name and say nothing."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise FormatError(f"'{printable(twice)}' occurs twice in one JSON object; keep one of them")
    return found


def _refuse_regions(pairs: list[tuple[Any, Any]]) -> None:
    regions = [name for name, id in pairs if isinstance(id, list) and len(id) != 1]
    if regions:
        shown = ", ".join(f"'{printable(name)}'" for name in regions[:3]) + (", ..." if len(regions) > 3 else "")
        raise LabelError(
            f"{shown} {'is a region' if len(regions) == 1 else 'are regions'} of several labels; regions overlap, and "
            "a pixel has one label: write a label file (TOML) that names the plain labels"
        )


def _nnunet(name: Any, id: Any) -> Label:
    if type(id) is not int or id not in _INT64:
        raise LabelError(f"label '{printable(str(name))}': {printable(str(id))[:60]} should be a whole number")
    if any(0xD800 <= ord(c) < 0xE000 for c in name):
        raise LabelError(f"label '{printable(name)}' is not valid Unicode; rename it")
    return Label(id, name, ignore=name == "ignore", average=id != 0)


# ------------------------------------------------------------------ YOLO


def from_yaml(text: str) -> list[Label]:
    """The labels under `names:` in YOLO's data.yaml; `nc`, where given, has to be their number."""
    try:
        yaml: Any = importlib.import_module("yaml")
    except ImportError:
        raise UsageError("a label file in YAML needs PyYAML; install it with: pip install 'maskmeter[yaml]'") from None
    try:
        root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise FormatError(f"not valid YAML: {printable(' '.join(str(error).split()))}") from error
    members = _scalars(root.value) if root is not None and root.id == "mapping" else {}
    if "names" not in members:
        raise FormatError("not a data.yaml: expected names: at the top level")
    names, nc = members["names"], members.get("nc")
    if names.id == "sequence":
        labels = [Label(i, _name(node)) for i, node in enumerate(names.value)]
    elif names.id == "mapping":
        labels = [Label(_id(key, names), _name(node)) for key, node in _scalars(names.value).items()]
    else:
        raise FormatError(f"line {_line(names)}: names should be a list of names or a mapping such as 0: person")
    if not labels:
        raise FormatError(f"line {_line(names)}: no names; write one name for each class")
    if nc is not None and nc.value != str(len(labels)):
        raise FormatError(
            f"line {_line(nc)}: nc is {printable(str(nc.value))[:60]}, but {len(labels)} names are listed"
        )
    return labels


def _scalars(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    """A YAML mapping by the text of its keys, each of which may occur once."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key.id != "scalar":
            raise FormatError(f"line {_line(key)}: a key should be plain text")
        if key.value in found:
            raise FormatError(f"line {_line(key)}: '{printable(key.value)}' occurs twice; keep one of them")
        found[key.value] = value
    return found


def _id(text: str, names: Any) -> int:
    if not re.fullmatch(r"-?[0-9]{1,19}", text) or int(text) not in _INT64:
        raise FormatError(
            f"line {_line(names)}: names: '{printable(text)[:60]}' should be a whole number, as in 0: person"
        )
    return int(text)


def _name(node: Any) -> str:
    if node.id != "scalar":
        raise FormatError(f"line {_line(node)}: a name should be plain text, not a list or mapping")
    return str(node.value)


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1
