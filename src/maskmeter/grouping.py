"""Grouping: which images belong together, because they are not independent: slices of a patient, frames of a scene.

A group is said in one of two ways, by the name of an image (its relative path without suffix):

    {patient}_*          a template for the whole name: fields in braces are the group, `*` stands for anything. A
    {city}/{scene}/*     field takes as little as it can, and never a `/`
    patients.csv:id      a column of a CSV file with a header; its column `image`, or else its first one, holds the
                         names of the images, with or without suffix

Every image has to have a group: an image that the table lacks, or that the template does not fit, is an error.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from .errors import DataError, UsageError, printable
from .formats import load, split_suffix

By = str | Mapping[str, str] | Callable[[str], str]


def groups_of(by: By, names: Iterable[str]) -> tuple[str, dict[str, str]]:
    """How the images are grouped, in words, and the group of each. Raises UsageError or DataError for one without."""
    if isinstance(by, Mapping):
        return "group", {n: _there(by, n, "the mapping") for n in names}
    if callable(by):
        return getattr(by, "__name__", "group"), {n: str(by(n)) for n in names}
    found = re.fullmatch(r"(.+\.csv):([^:]+)", by, re.DOTALL | re.IGNORECASE)
    if found is not None:
        table = column(Path(found[1]), found[2])
        said = found[2].replace("|", "/")
        return said, {n: table[n] if n in table else _there(table, split_suffix(n)[0], found[1]) for n in names}
    return by.replace("|", "/"), _by_template(by, names)


def column(path: Path, name: str) -> dict[str, str]:
    """A column of a CSV file by the names of the images. Raises DataError where it is not to be read."""
    text = load(path).decode("utf-8-sig", "surrogateescape")
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    header = [cell.strip() for cell in rows[0]] if rows else []
    if name not in header:
        raise DataError(
            f"has no column {printable(name)}; there are {', '.join(map(printable, header)) or 'none'}", path
        )
    at, key = header.index(name), header.index("image") if "image" in header else 0
    out: dict[str, str] = {}
    for line, row in enumerate(rows[1:], 2):
        if len(row) != len(header):
            raise DataError(f"row {line} has {len(row)} cells, the header {len(header)}", path)
        image = row[key].strip()
        for known in dict.fromkeys((image, split_suffix(image)[0])):
            if out.setdefault(known, row[at]) != row[at]:
                raise DataError(f"row {line}: image {printable(known)} has two values of {printable(name)}", path)
    return out


def _by_template(template: str, names: Iterable[str]) -> dict[str, str]:
    fields = re.findall(r"\{\w+\}", template)
    if not fields:
        raise UsageError(
            f"{printable(template)!r} is neither a template with a field, as in {{patient}}_*, nor a column "
            "of a table, as in patients.csv:id"
        )
    parts = re.split(r"(\{\w+\}|\*)", template)
    pattern = "".join("([^/]+?)" if p in fields else ".*" if p == "*" else re.escape(p) for p in parts)
    matches = re.compile(pattern, re.DOTALL).fullmatch
    out: dict[str, str] = {}
    for name in names:
        found = matches(name)
        if found is None:
            raise UsageError(f"{printable(template)!r} does not fit the image {printable(name)}")
        out[name] = "/".join(found.groups())
    return out


def _there(table: Mapping[str, str], name: str, where: str) -> str:
    if name not in table:
        raise DataError(f"image {printable(name)} has no group in {printable(where)}; add a row for it")
    return str(table[name])
