"""Listing: the images of one side, below a folder, a glob such as `gt/**/*_mask.png`, or a remote address.

Folders are walked in full. Hidden files, and files with a suffix that no format has, are no images and passed over. A
link is followed, but not back into a folder that contains it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from .errors import PairingError, printable
from .formats import is_zarr, split_suffix
from .formats.remote import files_below, is_remote
from .texts import Texts


class Side:
    """The images of one side: paths relative to `root` with `/`, in the order of their names, which have no suffix."""

    def __init__(self, role: str, root: Path, images: Iterable[tuple[str, str]]) -> None:
        """`images` are paths with their names, which they begin with."""
        self.role, self.root = role, root
        found = Texts()
        for path, name in images:
            found.append(f"{name}\0{path[len(name) :]}")  # ordered by name first, then by suffix
        self._images = found.ordered()

    def __len__(self) -> int:
        return len(self._images)

    def at(self, path: str) -> Path:
        """Where a path of this side is."""
        return self.root / path

    def paths(self) -> Iterator[str]:
        """All of them."""
        return (image.replace("\0", "", 1) for image in self._images)

    def images(self) -> Iterator[tuple[str, str]]:
        """Name and path of all of them, which may share a name."""
        return ((image.partition("\0")[0], image.replace("\0", "", 1)) for image in self._images)

    def example(self) -> str:
        """One of the paths, to show."""
        return printable(next(self.paths()))

    def unique(self) -> Iterator[tuple[str, str]]:
        """Name and path of all of them. Raises PairingError where two share a name."""
        before = None, ""
        for name, path in self.images():
            if name == before[0]:
                raise self._twice(name, before[1], path)
            yield name, path
            before = name, path

    def by_name(self, images: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Name -> path, of some names with their paths; names are unique."""
        found: dict[str, str] = {}
        for name, path in images:
            if (other := found.setdefault(name, path)) is not path:
                raise self._twice(name, other, path)
        return found

    def _twice(self, name: str, one: str, other: str) -> PairingError:
        return PairingError(
            f"{printable(one)} and {printable(other)} are both the {self.role} of {printable(name)}; "
            "keep one of them, or choose with a glob or --pairs",
            self.root,
        )


def files_of(path: Path, role: str) -> Side:
    """The images of a folder or a glob; at least one."""
    if path.is_dir():
        root, wanted = path, None
    elif path.exists():
        raise PairingError("a single file, where a folder or a glob is needed beside the other side and --pairs", path)
    else:
        root, wanted = glob_of(path)
        if wanted is None or not root.is_dir():
            raise PairingError(f"no such folder, file or glob of {role}s", path)
    passed_over: list[str] = []
    images = _walk(os.fspath(root), passed_over)
    found = Side(role, root, ((path, name) for path, name in images if wanted is None or wanted.fullmatch(path)))
    if not len(found):
        others = (
            f" (it holds {len(passed_over):,} other files, such as {printable(min(passed_over))})"
            if passed_over
            else ""
        )
        raise PairingError(f"nothing to evaluate: no label files in {printable(os.fspath(path))}{others}")
    return found


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
                for entry in entries:
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
                        what = "a broken link, or no regular file; remove it or put the image there"
                        raise PairingError(what, entry.path)
        except OSError as error:
            raise PairingError(f"the folder cannot be read: {error.strerror}", folder) from error


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


def glob_of(path: Path) -> tuple[Path, re.Pattern[str] | None]:
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
