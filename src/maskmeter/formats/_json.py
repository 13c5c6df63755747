"""JSON files with a type: what the type does not allow is an error that names the file and the place in it."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from ..errors import FormatError
from ._file import BOM, load

T = TypeVar("T")


def read_json(path: Path, kind: type[T], what: str) -> T:
    """The content of a JSON file as `kind`; `what` says in messages what the file should be.

    Members that `kind` does not have are passed over. A byte order mark at the beginning is passed over too.
    """
    data = load(path).removeprefix(BOM)
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise FormatError(f"is no {what}: {str(error)[:1].lower()}{str(error)[1:]}", path) from None
    except msgspec.DecodeError as error:
        raise FormatError(f"is no valid JSON: {_reason(str(error))}", path) from None
    except RecursionError:
        raise FormatError("is no valid JSON: it is nested too deeply", path) from None


def _reason(text: str) -> str:
    """What msgspec says, without its beginning."""
    text = text.removeprefix("JSON is malformed: ")
    return "it is truncated (the end of the text comes too early)" if "truncated" in text.lower() else text
