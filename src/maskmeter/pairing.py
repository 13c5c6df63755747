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

GT and PRED are folders, walked in full, or globs such as `gt/**/*_mask.png`, or one file each; all of
them may be remote.
Hidden files, and files with a suffix that no format has, are no images and passed over. A link is
followed, but not back into a folder that contains it.

An image's *name* is the relative path of its ground truth without suffix, with `/` on every system.
Names are unique, and the pairs sorted by them, so a run can be repeated and continued.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from .errors import PairingError, UsageError, printable
from .formats import is_image, is_zarr, load, located, split_suffix
from .formats.remote import files_below, is_remote


@dataclass(frozen=True, slots=True)
class Pair:
    """A ground truth and its prediction; `pred` is None where there is none."""

    name: str
    gt: Path
    pred: Path | None


@dataclass(frozen=True)
class Pairing:
    """All pairs, sorted by name.

    `missing` names the ground truths without prediction, `extra` the predictions without ground
    truth. Both remain as a record when `check_complete` has left the files out.
    """

    pairs: tuple[Pair, ...]
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
    kept = tuple(pair for pair in pairing.pairs if pair.pred is not None)
    if not kept:
        raise PairingError("nothing to evaluate: every prediction is missing (--missing empty counts each as empty)")
    return replace(pairing, pairs=kept)


# ------------------------------------------------------------------ the files of one side


@dataclass(frozen=True)
class Side:
    """The images of one side: path -> name, both relative to `root`, sorted by path, with `/`."""

    role: str
    root: Path
    names: dict[str, str]

    def at(self, path: str) -> Path:
        """Where a path of this side is."""
        return self.root / path

    def example(self) -> str:
        """One of the paths, to show."""
        return printable(next(iter(self.names)))

    def by_name(self, paths: Iterable[str]) -> dict[str, str]:
        """Name -> path; names are unique."""
        found: dict[str, str] = {}
        for path in paths:
            name = self.names[path]
            if (other := found.setdefault(name, path)) is not path:
                raise PairingError(
                    f"{printable(other)} and {printable(path)} are both the {self.role} of {printable(name)}; "
                    "keep one of them, or choose with a glob or --pairs",
                    self.root,
                )
        return found


def files_of(path: Path, role: str) -> Side:
    """The images of a folder or a glob; at least one."""
    if path.is_dir():
        root, wanted = path, None
    elif path.exists():
        raise PairingError("a single file, where a folder or a glob is needed beside the other side and --pairs", path)
    else:
        root, wanted = _glob(path)
        if wanted is None or not root.is_dir():
            raise PairingError(f"no such folder, file or glob of {role}s", path)
    passed_over: list[str] = []
    images = _walk(os.fspath(root), passed_over)
    found = sorted((path, name) for path, name in images if wanted is None or wanted.fullmatch(path))
    if not found:
        others = (
            f" (it holds {len(passed_over):,} other files, such as {printable(min(passed_over))})"
            if passed_over
            else ""
        )
        raise PairingError(f"nothing to evaluate: no label files in {printable(os.fspath(path))}{others}")
    return Side(role, root, dict(found))


def _walk(root: str, passed_over: list[str]) -> Iterator[tuple[str, str]]:
    """Path and name of all images under `root`; what is no image is noted in `passed_over`."""
    if is_remote(root):
        yield from _listed_images(root, passed_over)
        return
    folders: list[tuple[str, tuple[tuple[int, int], ...]]] = [("", ())]
    while folders:
        below, outer = folders.pop()  # a folder, and which folders contain it
        folder = os.path.join(root, below)
        try:
            status = os.stat(folder)
            if (here := (status.st_dev, status.st_ino)) in outer:
                continue
            with os.scandir(folder) as entries:
                inside = list(entries)
        except OSError as error:
            raise PairingError(f"the folder cannot be read: {error.strerror}", folder) from error
        for entry in inside:
            if entry.name.startswith("."):
                continue
            path = below + entry.name
            stem, suffix = split_suffix(entry.name)
            if is_zarr(entry.path):
                yield path, below + stem
            elif entry.is_dir():
                folders.append((path + "/", (*outer, here)))
            elif not suffix:
                passed_over.append(path)
            elif entry.is_file():
                yield path, below + stem
            else:  # left out in silence it would be an image that nobody misses
                raise PairingError("a broken link, or no regular file; remove it or put the image there", entry.path)


def _listed_images(root: str, passed_over: list[str]) -> Iterator[tuple[str, str]]:
    """The same of a remote folder."""
    for path in files_below(root):
        stem, suffix = split_suffix(path)
        if any(part.startswith(".") for part in path.split("/")):
            continue
        if suffix:
            yield path, stem
        else:
            passed_over.append(path)


def _glob(path: Path) -> tuple[Path, re.Pattern[str] | None]:
    """The folder before the first wildcard, and what a path relative to it has to match; None without wildcard."""
    parts = path.parts
    first = next((i for i, part in enumerate(parts) if re.search(r"[*?[]", part)), None)
    if first is None:
        return path, None
    pattern = ""
    for part in parts[first:]:
        pattern += "(?:[^/]+/)*" if part == "**" else _component(part) + "/"
    # A glob that ends in ** means all files below.
    return type(path)(*parts[:first]), re.compile(pattern[:-1] if parts[-1] != "**" else pattern + "[^/]+", re.DOTALL)


def _component(part: str) -> str:
    """One component of a glob as a regular expression."""
    tokens = re.findall(r"\[!?\]?[^\]]*\]|.", part, re.DOTALL)
    return "".join(_token(token) for token in tokens)


def _token(token: str) -> str:
    if token == "*":
        return "[^/]*"
    if token == "?":
        return "[^/]"
    if len(token) > 1:
        inside = re.sub(r"([\\\[\]^&~|])", r"\\\1", token[1:-1].removeprefix("!"))
        return f"[{'^/' if token[1] == '!' else ''}{inside}]"
    return re.escape(token)


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
    gts, preds = left.by_name(left.names), right.by_name(right.names)
    if gts.keys().isdisjoint(preds):
        raise PairingError(
            f"no prediction has the name of a ground truth: {left.example()} in {printable(os.fspath(left.root))}, "
            f"{right.example()} in {printable(os.fspath(right.root))}; say how the names differ with --pairs, "
            f"such as --pairs '{printable(_suggestion(left, right))}'"
        )
    chosen = {name: (path, preds.get(name)) for name, path in gts.items()}
    return _pairing(left, right, chosen, preds.values(), "by relative path without suffix")


def _suggestion(left: Side, right: Side) -> str:
    """A template that pairs these files, if a simple one does; else the example of the documentation."""
    for gt in _schemes(list(left.names)):
        for pred in _schemes(list(right.names)):
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
        f"{len(rest):,} of {len(side.names):,} in {where}, such as {printable(rest[0])}"
        for side, rest, where in ((left, gt_rest, "GT"), (right, pred_rest, "PRED"))
        if rest
    ]
    if unused:
        how += f"; files that do not match it are not used: {'; '.join(unused)}"
    names = left.by_name(gts.values())
    key_of_path = {path: key for key, path in gts.items()}
    chosen = {name: (path, preds.get(key_of_path[path])) for name, path in names.items()}
    return _pairing(left, right, chosen, preds.values(), how)


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
    for path in side.names:
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


def _pairing(
    left: Side, right: Side, chosen: dict[str, tuple[str, str | None]], preds: Iterable[str], how: str
) -> Pairing:
    """Name -> (ground truth, prediction), as the pairs in order."""
    used = {pred for _, pred in chosen.values()}
    pairs = tuple(
        Pair(name, left.at(gt), None if pred is None else right.at(pred)) for name, (gt, pred) in sorted(chosen.items())
    )
    extra = sorted(right.names[path] for path in preds if path not in used)
    return Pairing(pairs, tuple(p.name for p in pairs if p.pred is None), tuple(extra), how)


# ------------------------------------------------------------------ a list of pairs


def _by_csv(table: Path, gt: Path, pred: Path) -> Pairing:
    """The pairs of a CSV file. Only what it lists is evaluated, so nothing is extra."""
    roots = [_root(gt), table.parent], [_root(pred), table.parent]
    found: dict[str, Pair] = {}
    lines: dict[str, int] = {}
    for line, cells in _cells(table):
        gt_path, pred_path = (_locate(cell, root, table, line) for cell, root in zip(cells, roots, strict=True))
        if gt_path is None:
            raise PairingError(f"line {line}: no ground truth; write gt,pred", table)
        name = split_suffix(_relative(gt_path, roots[0]))[0]
        if name in found:
            raise PairingError(
                f"line {line}: {printable(cells[0])} and line {lines[name]} are both the ground truth of "
                f"{printable(name)}; keep one of them",
                table,
            )
        found[name], lines[name] = Pair(name, gt_path, pred_path), line
    if not found:
        raise PairingError("nothing to evaluate: no pairs in it; write one gt,pred a row", table)
    pairs = tuple(found[name] for name in sorted(found))
    missing = tuple(p.name for p in pairs if p.pred is None)
    return Pairing(pairs, missing, (), f"by the {len(pairs):,} rows of {printable(os.fspath(table))}")


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
    return path.parent if path.exists() else _glob(path)[0]


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
