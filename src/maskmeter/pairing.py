"""Which prediction belongs to which ground truth.

Files are paired by what their names say and by nothing else: never by their order, never by likeness.

* By default a prediction has the relative path of its ground truth, where the suffix may differ:
  `gt/a/1.png` and `pred/a/1.npy`.
* A **template** says how the names differ: `{city}/{name}_gt.png={name}_pred.png`, ground truth left
  of `=`. Both sides describe the whole relative path. A field stands for one or more characters
  other than `/`; where a text can be divided in several ways, an earlier field takes as much as it
  can. The fields that both sides have in common make the pair.
* A **CSV file** lists the pairs, one `gt,pred` a row. A path in it is looked for in the folder GT or
  PRED first, then beside the CSV file; it may be an address. An empty second cell is a missing prediction.

GT and PRED are folders or globs (see `listing`), or one file each; all of them may be remote.

An image's *name* is the relative path of its ground truth without suffix, with `/` on every system.
Names are unique, and the pairs sorted by them, so a run can be repeated and continued.
"""

from __future__ import annotations

import csv
import io
import os
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, overload

from .errors import PairingError, UsageError, printable
from .formats import is_image, load, located, split_suffix
from .formats.remote import is_remote
from .listing import Side, files_of, glob_of
from .texts import Texts


@dataclass(frozen=True, slots=True)
class Pair:
    """A ground truth and its prediction; `pred` is None where there is none."""

    name: str
    gt: Path
    pred: Path | None


class Pairs(Sequence[Pair]):
    """Very many pairs in few bytes, sorted by name; each is made when it is asked for.

    gt, pred  the folders that paths are relative to; None where they are whole
    """

    def __init__(self, gt: Path | None, pred: Path | None) -> None:
        self._roots = gt, pred
        self._names, self._gts, self._preds = Texts(), Texts(), Texts()

    def add(self, name: str, gt: str, pred: str | None) -> None:
        """Add the next, of the paths of both; None where there is no prediction."""
        self._names.append(name)
        self._gts.append(gt)
        self._preds.append(pred or "")

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, at: int) -> Pair: ...
    @overload
    def __getitem__(self, at: slice) -> list[Pair]: ...
    def __getitem__(self, at: int | slice) -> Pair | list[Pair]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        gt, pred = self._gts[at], self._preds[at]
        return Pair(self._names[at], _at(self._roots[0], gt), _at(self._roots[1], pred) if pred else None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def complete(self) -> Pairs:
        """Those that have a prediction."""
        made = Pairs(*self._roots)
        for name, gt, pred in zip(self._names, self._gts, self._preds, strict=True):
            if pred:
                made.add(name, gt, pred)
        return made


def _at(root: Path | None, path: str) -> Path:
    return located(path) if root is None else root / path


def named(pairs: Sequence[Pair], name: str) -> Pair | None:
    """The pair of a name, if there is one; the pairs are sorted by name."""
    at = bisect_left(pairs, name, key=lambda pair: pair.name)
    return pairs[at] if at < len(pairs) and pairs[at].name == name else None


@dataclass(frozen=True)
class Pairing:
    """All pairs, sorted by name.

    `missing` names the ground truths without prediction, `extra` the predictions without ground
    truth. Both remain as a record when `check_complete` has left the files out.
    """

    pairs: Sequence[Pair]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    how: str


def find_pairs(gt: Path, pred: Path, pairs: str | None = None) -> Pairing:
    """Pair the files of `gt` and `pred`; `pairs` is a template or the path of a CSV file."""
    if pairs is not None and (is_remote(pairs) or os.path.isfile(pairs) or "=" not in pairs):
        return _by_csv(located(pairs), gt, pred)
    if pairs is None and (is_image(gt) or is_image(pred)):
        return _single(gt, pred)
    left, right = files_of(gt, "ground truth"), files_of(pred, "prediction")
    return _by_name(left, right) if pairs is None else _by_template(left, right, pairs)


def check_complete(
    pairing: Pairing, missing: Literal["stop", "empty", "skip"] = "stop", extra: Literal["stop", "skip"] = "stop"
) -> Pairing:
    """The pairs to evaluate, if what is missing and what is extra is allowed."""
    wrong: list[str] = []
    if pairing.missing and missing == "stop":
        wrong.append(
            f"{_count(pairing.missing, 'ground truth has', 'ground truths have')} no prediction: "
            f"{_listed(pairing.missing)} (--missing empty counts each as an empty prediction, "
            "--missing skip leaves them out)"
        )
    if pairing.extra and extra == "stop":
        wrong.append(
            f"{_count(pairing.extra, 'prediction has', 'predictions have')} no ground truth: {_listed(pairing.extra)} "
            "(--extra skip leaves them out)"
        )
    if wrong:
        raise PairingError("; ".join(wrong))
    if missing != "skip" or not pairing.missing:
        return pairing
    pairs = pairing.pairs
    kept = pairs.complete() if isinstance(pairs, Pairs) else [pair for pair in pairs if pair.pred is not None]
    if not kept:
        raise PairingError("nothing to evaluate: every prediction is missing (--missing empty counts each as empty)")
    return replace(pairing, pairs=kept)


# ------------------------------------------------------------------ ways to pair


def _single(gt: Path, pred: Path) -> Pairing:
    """Two files: one pair, whatever they are called."""
    for here, there in ((gt, pred), (pred, gt)):
        if not here.exists():
            raise PairingError("no such file", here)
        if not is_image(here):
            raise PairingError(
                f"a folder, while {printable(os.fspath(there))} is one file; give two files or two folders", here
            )
    return Pairing((Pair(split_suffix(gt.name)[0], gt, pred),), (), (), "one file each")


def _by_name(left: Side, right: Side) -> Pairing:
    """Both sides are in the order of their names, so they are walked side by side."""
    pairs, extra, there = Pairs(left.root, right.root), list[str](), right.unique()
    name, pred = next(there)
    for wanted, gt in left.unique():
        while name is not None and name < wanted:
            extra.append(name)
            name, pred = next(there, (None, ""))
        pairs.add(wanted, gt, pred if name == wanted else None)
        if name == wanted:
            name, pred = next(there, (None, ""))
    extra += [] if name is None else [name, *(name for name, _ in there)]
    if len(extra) == len(right):
        raise PairingError(
            f"no prediction has the name of a ground truth: {left.example()} in {printable(os.fspath(left.root))}, "
            f"{right.example()} in {printable(os.fspath(right.root))}; say how the names differ with --pairs, "
            f"such as --pairs '{printable(_suggestion(left, right))}'"
        )
    return _pairing(pairs, extra, "by relative path without suffix")


def _suggestion(left: Side, right: Side) -> str:
    """A template that pairs these files, if a simple one does; else the example of the documentation."""
    for gt in _schemes(list(left.paths())):
        for pred in _schemes(list(right.paths())):
            try:
                _by_template(left, right, template := f"{gt}={pred}")
            except (PairingError, UsageError):
                continue
            return template
    return "{name}_gt.png={name}_pred.png"


def _schemes(paths: list[str]) -> list[str]:
    """Sides of a template that fit the first path: what all paths end in, whole or from a separator on, stays."""
    low, high = min(path[::-1] for path in paths), max(path[::-1] for path in paths)
    shared = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    end = low[:shared][::-1].rpartition("/")[2] if len(paths) > 1 else low[::-1].rpartition("/")[2]
    folders = "".join(f"{{folder{i or ''}}}/" for i in range(paths[0].count("/")))
    tails = [end[place.start() :] for place in re.finditer("[-_. ]", end)][-4:]  # the shortest few will do
    return [f"{folders}{{name}}{tail}" for tail in tails]


def _by_template(left: Side, right: Side, template: str) -> Pairing:
    gt_side, pred_side, fields = sides_of(template)
    gts, gt_rest = keyed(left, gt_side, fields)
    preds, pred_rest = keyed(right, pred_side, fields)
    for side, found, text in ((left, gts, gt_side), (right, preds, pred_side)):
        if not found:
            raise PairingError(
                f"no {side.role} matches '{printable(text)}' of --pairs: {side.example()}, for example, does not",
                side.root,
            )
    if gts.keys().isdisjoint(preds):
        (gt_key, gt_path), (pred_key, pred_path) = next(iter(gts.items())), next(iter(preds.items()))
        raise PairingError(
            f"--pairs finds no prediction for any ground truth: {printable(gt_path)} has {_fields(fields, gt_key)}, "
            f"{printable(pred_path)} has {_fields(fields, pred_key)}"
        )
    how = f"by the template {printable(template)}"
    unused = [
        f"{len(rest):,} of {len(side):,} in {where}, such as {printable(rest[0])}"
        for side, rest, where in ((left, gt_rest, "GT"), (right, pred_rest, "PRED"))
        if rest
    ]
    if unused:
        how += f"; files that do not match it are not used: {'; '.join(unused)}"
    left.by_name((split_suffix(path)[0], path) for path in gts.values())
    pairs, used = Pairs(left.root, right.root), set[str]()
    for name, key, gt in sorted((split_suffix(path)[0], key, path) for key, path in gts.items()):
        pairs.add(name, gt, preds.get(key))
        used.update([preds[key]] if key in preds else [])
    extra = sorted(split_suffix(path)[0] for path in preds.values() if path not in used)
    return _pairing(pairs, extra, how)


def sides_of(template: str) -> tuple[str, str, list[str]]:
    """The two sides of a template, and the fields that they share."""
    sides = template.split("=")
    if len(sides) != 2:
        raise UsageError(
            f"--pairs '{printable(template)}' needs one '=' between its two sides and no other; "
            "a CSV file can list any names"
        )
    fields = [re.findall(_FIELD, side) for side in sides]
    shared = [field for field in dict.fromkeys(fields[0]) if field in fields[1]]
    if not shared:
        raise UsageError(
            f"--pairs '{printable(template)}' has no field on both sides; "
            "write one, such as {name}_gt.png={name}_pred.png"
        )
    return sides[0], sides[1], shared


_FIELD = r"\{([A-Za-z_][A-Za-z0-9_]*)\}"


def keyed(side: Side, text: str, fields: list[str]) -> tuple[dict[tuple[str, ...], str], list[str]]:
    """Values of the shared fields -> path, and the paths that do not match."""
    pattern = ""
    seen: set[str] = set()
    for i, piece in enumerate(re.split(_FIELD, text)):
        if i % 2 == 0:
            pattern += re.escape(piece)
        else:
            pattern += f"(?P={piece})" if piece in seen else f"(?P<{piece}>[^/]+)"
            seen.add(piece)
    matches = re.compile(pattern, re.DOTALL).fullmatch
    found: dict[tuple[str, ...], str] = {}
    rest: list[str] = []
    for path in side.paths():
        if (match := matches(path)) is None:
            rest.append(path)
            continue
        key = tuple(match[field] for field in fields)
        if (other := found.setdefault(key, path)) is not path:
            raise PairingError(
                f"{printable(other)} and {printable(path)} both have {_fields(fields, key)}; "
                "add a field to both sides of --pairs that tells them apart",
                side.root,
            )
    return found, rest


def _fields(fields: list[str], key: tuple[str, ...]) -> str:
    return " ".join(f"{field}={printable(value)}" for field, value in zip(fields, key, strict=True))


def _pairing(pairs: Pairs, extra: Iterable[str], how: str) -> Pairing:
    return Pairing(pairs, tuple(pair.name for pair in pairs if pair.pred is None), tuple(extra), how)


# ------------------------------------------------------------------ a list of pairs


def _by_csv(table: Path, gt: Path, pred: Path) -> Pairing:
    """The pairs of a CSV file. Only what it lists is evaluated, so nothing is extra."""
    roots = [_root(gt), table.parent], [_root(pred), table.parent]
    found: dict[str, tuple[str, str | None, int]] = {}
    for line, cells in _cells(table):
        gt_path, pred_path = (_locate(cell, root, table, line) for cell, root in zip(cells, roots, strict=True))
        if gt_path is None:
            raise PairingError(f"line {line}: no ground truth; write gt,pred", table)
        name = split_suffix(_relative(gt_path, roots[0]))[0]
        if name in found:
            raise PairingError(
                f"line {line}: {printable(cells[0])} and line {found[name][2]} are both the ground truth of "
                f"{printable(name)}; keep one of them",
                table,
            )
        found[name] = os.fspath(gt_path), None if pred_path is None else os.fspath(pred_path), line
    if not found:
        raise PairingError("nothing to evaluate: no pairs in it; write one gt,pred a row", table)
    pairs = Pairs(None, None)
    for name in sorted(found):
        pairs.add(name, *found[name][:2])
    return _pairing(pairs, (), f"by the {len(pairs):,} rows of {printable(os.fspath(table))}")


def _cells(table: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of two cells with their line numbers, without the header `gt,pred`."""
    if not is_remote(table) and not os.path.lexists(table):
        raise PairingError("--pairs is neither a CSV file nor a template such as {name}_gt.png={name}_pred.png", table)
    # Names are bytes on some systems; what is not UTF-8 comes through as it does in file names.
    text = load(table).decode("utf-8-sig", "surrogateescape")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    first = True
    try:
        for row in reader:
            header, first = first and [cell.strip().lower() for cell in row] == ["gt", "pred"], False
            if header or not row:
                continue
            if len(row) != 2:
                where = f"line {reader.line_num}: {len(row)} cell{'s' if len(row) > 1 else ''}"
                raise PairingError(f"{where}; write gt,pred, and a name that holds a comma in quotes", table)
            yield reader.line_num, row
    except csv.Error as error:
        raise PairingError(f"line {reader.line_num}: not valid CSV: {error}", table) from error


def _locate(cell: str, roots: list[Path], table: Path, line: int) -> Path | None:
    """The file a cell names, in the first root that has it; None for an empty cell."""
    if not cell:
        return None
    if is_remote(cell):
        return located(cell)
    for root in roots:
        # A remote file is not asked for here, one by one; the worker that reads it says where it is missing.
        if is_remote(path := root / cell) or is_image(path):
            return path
    where = " or ".join(dict.fromkeys(printable(os.fspath(root)) for root in roots))
    raise PairingError(
        f"line {line}: no file {printable(cell)}" + ("" if os.path.isabs(cell) else f" in {where}"), table
    )


def _root(path: Path) -> Path:
    """The folder to which the paths of a side are relative."""
    if path.is_dir():
        return path
    return path.parent if path.exists() else glob_of(path)[0]


def _relative(path: Path, roots: list[Path]) -> str:
    """The path from the first root that contains it, else as it was written."""
    tidy = os.fspath if is_remote(path) else os.path.normpath
    plain = tidy(path)
    for root in roots:
        start = os.path.join(tidy(root), "")
        if plain.startswith(start):
            return plain[len(start) :].replace(os.sep, "/")
    return plain.replace(os.sep, "/")


# ------------------------------------------------------------------ words


def _listed(names: tuple[str, ...]) -> str:
    """The first ten names, and how many more."""
    more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
    return ", ".join(map(printable, names[:10])) + more


def _count(names: tuple[str, ...], one: str, many: str) -> str:
    return f"{len(names):,} {one if len(names) == 1 else many}"
