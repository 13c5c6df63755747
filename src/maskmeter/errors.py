"""What maskmeter raises on purpose.

Everything a user can cause is a `MaskmeterError` whose text is one line: what is wrong, in which
file, and what to do. The command line prints that line and answers with `exit_code`.
"""

from __future__ import annotations

import os
import re


class MaskmeterError(ValueError):
    """Base of every error raised on purpose."""

    exit_code = 3


class UsageError(MaskmeterError):
    """The call itself is wrong: an unknown metric, a missing parameter, options that exclude each other."""

    exit_code = 2


class DataError(MaskmeterError):
    """The data is not fit to evaluate.

    `path` names the file where one is to blame; `at(path)` adds it to an error raised by code that
    saw only an array.
    """

    def __init__(self, message: str, path: str | os.PathLike[str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = None if path is None else shown(os.fspath(path))

    def __str__(self) -> str:
        return self.message if self.path is None else f"{printable(self.path)}: {self.message}"

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.path)

    def at(self, path: str | os.PathLike[str]) -> DataError:
        """The same error, naming `path` unless it names a file already."""
        return self if self.path is not None else type(self)(self.message, path)


class LabelError(DataError):
    """Arrays or files that hold something else than labels that can be compared."""


class FormatError(DataError):
    """A file does not hold what its format promises, or holds more than the limits allow."""


class PairingError(DataError):
    """Ground truth and predictions that do not find each other."""


class MergeError(MaskmeterError):
    """Two results cannot be added: the same image twice, or unlike conventions."""


def shown(path: str) -> str:
    """An address without its secrets, the signature after `?` and a password; any other path as it is."""
    return re.sub(r"//[^/@]*@", "//", path.partition("?")[0]) if "://" in path else path


def printable(text: str) -> str:
    """`text` on one line and safe in a terminal: control and direction characters are written as escapes."""
    return "".join(
        c
        if c.isprintable()
        else c.encode("unicode_escape", "backslashreplace").decode()
        if not 0xD800 <= ord(c) < 0xE000
        else f"\\x{ord(c) & 0xFF:02x}"
        for c in text
    )
