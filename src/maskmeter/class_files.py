"""Files of classes: one map for each class, each in a file of its own.

A template of pairs with the field `{class}` says where they are. `{name}.png={class}/{name}.npy` has a label map and
beside it one map of scores for each class; with the field on both sides, as in `{class}/{name}.png={class}/{name}.npy`,
the ground truth has one mask for each class, and a pixel may have several labels. The text of the field is the name of
a class in the label file, or its number.

The files of an image go together under one path, in which `{class}` stands for the text: a *place*. They have one shape
and type. Every image has a file for each class; nothing stands in for one that is not there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import LabelError, PairingError, UsageError, printable
from .formats import located, split_suffix
from .formats.label_maps import Opened, OpenedScores, open_label_map, open_prediction
from .labels import LabelSet
from .listing import Side, files_of
from .masks import LabelMap, pair, same_shape
from .pairing import Pair, Pairing, Pairs, keyed, sides_of

CLASS = "class"
FIELD = "{class}"


class ClassFiles(NamedTuple):
    """The images, whose paths are places, and the classes with the text that stands for each, ascending."""

    pairing: Pairing
    labels: LabelSet
    texts: tuple[str, ...]


def is_template(pairs: str | None) -> bool:
    """Whether a template of pairs says that each class has files of its own."""
    return pairs is not None and "=" in pairs and FIELD in pairs and not os.path.isfile(pairs)


def find(gt: Path, pred: Path, template: str, labels: LabelSet | None, skip: bool = False) -> ClassFiles:
    """The images of two folders or globs. Images that lack a map are an error, or with `skip` missing."""
    left, right = files_of(gt, "ground truth"), files_of(pred, "prediction")
    left_side, right_side, shared = sides_of(template)
    fields = [f for f in shared if f != CLASS]
    if FIELD not in right_side:
        raise UsageError(f"--pairs '{printable(template)}' has {FIELD} on the left alone; put it on both sides")
    for side in (left_side, right_side):
        if FIELD in side and (own := set(re.findall(r"\{(\w+)\}", side)) - {*shared, CLASS}):
            raise UsageError(f"--pairs '{printable(template)}' has {{{min(own)}}} on one side alone, beside {FIELD}")
    if not fields:
        raise UsageError(f"--pairs '{printable(template)}' needs a field beside {FIELD} that tells images apart")
    truths, truth_rest = _by_image(left, left_side, fields)
    maps, rest = _by_image(right, right_side, fields)
    if truths.keys().isdisjoint(maps):
        raise PairingError(
            f"--pairs '{printable(template)}' finds no prediction for any ground truth: "
            f"{left.example()}, {right.example()}"
        )
    known, texts = _classes({t for found in maps.values() for t in found}, labels)
    several = FIELD in left_side
    pairs: list[Pair] = []
    for key, found in truths.items():
        if several:
            _check_whole(left, key, found, texts)
        name = "/".join(key) if several else split_suffix(found[""])[0]
        there = maps.get(key, {})
        if there and not skip:
            _check_whole(right, key, there, texts)
        values = dict(zip(fields, key, strict=True))
        places = _place(left, left_side, values, found), _place(right, right_side, values, there)
        pairs.append(Pair(name, places[0], places[1] if set(texts) <= there.keys() else None))
    pairs.sort(key=lambda p: p.name)
    missing = tuple(p.name for p in pairs if p.pred is None)
    extra = sorted(split_suffix(next(iter(maps[key].values())))[0] for key in maps.keys() - truths.keys())
    how = f"by the template {printable(template)}, {len(texts)} classes"
    if unused := [*truth_rest, *rest]:
        how += f"; {len(unused):,} files that do not match it are not used, such as {printable(unused[0])}"
    return ClassFiles(Pairing(tuple(pairs), missing, tuple(extra), how), known, texts)


def regions_of(folder: Path) -> Pairs:
    """The masks of pixels that count, as if they were predictions, by the name of their image."""
    side = files_of(folder, "mask")
    found = Pairs(side.root, side.root)
    for name, path in side.unique():
        found.add(name, path, path)
    return found


def open_scores(place: Path, texts: Sequence[str], max_pixels: int | None = None) -> OpenedScores:
    """The scores of all classes, (classes, ...). Raises FormatError or LabelError naming a file."""
    files = files_at(place, texts)
    opened = [open_prediction(path, None, max_pixels) for path in files]
    arrays = [x.scores if isinstance(x, OpenedScores) else x.map.array for x in opened]
    first = _geometry(opened[0], arrays[0])
    for path, one, array in zip(files, opened, arrays, strict=True):
        if array.dtype != arrays[0].dtype:
            raise LabelError(f"holds {array.dtype} and {files[0].name} of another class {arrays[0].dtype}", path)
        _check_alike(first, _geometry(one, array), path)
    return OpenedScores(
        np.stack(arrays), None, _digest(opened), _notes(opened), spacing=first.spacing, affine=first.affine
    )


def open_masks(place: Path, texts: Sequence[str], max_pixels: int | None = None) -> Opened:
    """The masks of all classes, (classes, ...). Raises FormatError or LabelError naming a file."""
    files = files_at(place, texts)
    opened = [open_label_map(path, None, max_pixels) for path in files]
    for path, one in zip(files, opened, strict=True):
        seen = set(np.unique(one.map.array).tolist())
        if not (seen <= {0, 1} or seen <= {0, 255}):
            raise LabelError(f"holds {len(seen)} values where the mask of a class has two, 0 and 1 or 0 and 255", path)
        _check_alike(opened[0].map, one.map, path)
    stack = np.stack([one.map.array != 0 for one in opened])
    return Opened(
        LabelMap(stack, spacing=opened[0].map.spacing, affine=opened[0].map.affine), _digest(opened), _notes(opened)
    )


def files_at(place: Path | str, texts: Sequence[str]) -> list[Path]:
    """The files that a place stands for, in the order of the classes."""
    return [located(os.fspath(place).replace(FIELD, text)) for text in texts]


def digest_at(place: Path | None, texts: Sequence[str], of_file: Callable[[Path], str | None]) -> str | None:
    """The digest that the files at a place would be opened with; None where one cannot be read, or there are none."""
    if place is None:
        return None
    found = [of_file(path) for path in files_at(place, texts)]
    return None if None in found else _joined([d for d in found if d is not None])


# Inside


def _by_image(side: Side, text: str, fields: list[str]) -> tuple[dict[tuple[str, ...], dict[str, str]], list[str]]:
    """By image the path of each class, or one path under no text; and the paths that do not match."""
    own = FIELD in text
    found, rest = keyed(side, text, [*fields, CLASS] if own else fields)
    if not found:
        raise PairingError(
            f"no {side.role} matches '{printable(text)}' of --pairs: {side.example()}, for example", side.root
        )
    images: dict[tuple[str, ...], dict[str, str]] = {}
    for key, path in found.items():
        images.setdefault(key[: len(fields)], {})[key[-1] if own else ""] = path
    return images, rest


def _classes(texts: set[str], labels: LabelSet | None) -> tuple[LabelSet, tuple[str, ...]]:
    """The classes, and the text of each in the order of their numbers."""
    ids = {text: _id(text, labels) for text in sorted(texts)}
    by_id = {k: text for text, k in ids.items()}
    if len(by_id) < len(ids):
        a, b = next((t, by_id[k]) for t, k in ids.items() if by_id[k] != t)
        raise PairingError(f"{FIELD} is {printable(a)} in some files and {printable(b)} in others, which is one class")
    if labels is not None and (lost := set(labels.classes) - by_id.keys()):
        raise PairingError(f"class {printable(labels.title(min(lost)))} of the labels has no map; every class has one")
    return labels or LabelSet.of_ids(by_id), tuple(by_id[k] for k in sorted(by_id))


def _id(text: str, labels: LabelSet | None) -> int:
    if labels is None and text.isdecimal():
        return int(text)
    if labels is None:
        raise PairingError(f"{FIELD} is {printable(text)}, which is no number; name the classes with --labels")
    named = [x.id for x in labels if x.name == text and not x.ignore]
    if not named and text.isdecimal() and int(text) in labels.classes:
        named = [int(text)]
    if len(named) != 1:
        known = ", ".join(printable(labels.title(k)) for k in labels.classes[:8])
        raise PairingError(f"{FIELD} is {printable(text)}, which is no class of the labels ({known})")
    return named[0]


def _check_whole(side: Side, key: tuple[str, ...], found: Mapping[str, str], texts: Sequence[str]) -> None:
    if lost := [t for t in texts if t not in found]:
        what, remedy = "map of scores", "--missing skip leaves the image out"
        if side.role == "ground truth":
            what, remedy = "mask", "an empty one where the class does not occur"
        raise PairingError(
            f"{printable('/'.join(key))} has no {what} of class {printable(lost[0])}; "
            f"every image has one for each class ({remedy})",
            side.root,
        )
    if strange := found.keys() - set(texts):
        raise PairingError(f"class {printable(min(strange))} has a mask and no map of scores", side.root)


def _place(side: Side, text: str, fields: Mapping[str, str], found: Mapping[str, str]) -> Path:
    """The path of an image, with `{class}` as it stands in the template where there is a file for each class."""
    return side.at(found[""] if "" in found else re.sub(r"\{(\w+)\}", lambda m: fields.get(m[1], m[0]), text))


def _geometry(opened: Opened | OpenedScores, array: NDArray[Any]) -> LabelMap:
    of = opened.map if isinstance(opened, Opened) else opened
    return LabelMap(array, spacing=of.spacing, affine=of.affine)


def _check_alike(first: LabelMap, other: LabelMap, path: Path) -> None:
    try:
        same_shape(first.array.shape, other.array.shape)
        pair(first, other)
    except LabelError as error:
        words = error.message.replace("the ground truth", "the first class").replace("the prediction", "this one")
        raise LabelError(words, path) from None


def _digest(opened: Sequence[Opened | OpenedScores]) -> str:
    return _joined([one.digest for one in opened])


def _joined(digests: Sequence[str]) -> str:
    return sha256("\n".join(digests).encode()).hexdigest()


def _notes(opened: Sequence[Opened | OpenedScores]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(note for one in opened for note in one.notes))


__all__ = [
    "FIELD", "ClassFiles", "digest_at", "files_at", "find", "is_template", "open_masks", "open_scores", "regions_of",
]  # fmt: skip
