"""Progress of long work on the terminal: done, rate, time left. Silent where stderr is no terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any


class Bar:
    """A progress bar over a known number of files, shown while the context is open."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._shown: Any = None
        self._task: Any = None

    def __enter__(self) -> Bar:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                ProgressColumn,
                TextColumn,
                TimeRemainingColumn,
            )
            from rich.text import Text

            class Rate(ProgressColumn):
                def render(self, task: Any) -> Text:
                    return Text(f"{task.finished_speed or task.speed or 0:.0f} files/s")

            self._shown = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn(),
                console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self._shown.__enter__()
            self._task = self._shown.add_task(self._what, total=self._total)
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._shown is not None:
            self._shown.__exit__(*error)

    def advance(self, files: int) -> None:
        """So many more files are done."""
        if self._shown is not None:
            self._shown.advance(self._task, files)


class silent(Bar):
    """A bar that shows nothing."""

    def __enter__(self) -> Bar:
        return self
