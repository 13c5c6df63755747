"""Progress of long work: done, failed, rate, time left.

On a terminal a bar (`Bar`), which is silent where stderr is none; for a log file one line of JSON every few
seconds (`Log`), whatever stderr is.
"""

from __future__ import annotations

import json
import sys
from time import monotonic
from types import TracebackType
from typing import Any, Self

LOG_SECONDS = 5.0


class Bar:
    """A progress bar over a known number of files, `before` of which are done, shown while the context is open."""

    def __init__(self, what: str, total: int, before: int = 0) -> None:
        self._what, self._total, self._before = what, total, before
        self._failed = 0
        self._shown: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
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
            self._task = self._shown.add_task(self._what, total=self._total, completed=self._before)
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._shown is not None:
            self._shown.__exit__(*error)

    def advance(self, done: int, failed: int = 0) -> None:
        """So many more files are done, and so many could not be."""
        if self._shown is not None:
            self._failed += failed
            what = f"{self._what}, {self._failed} failed" if self._failed else self._what
            self._shown.update(self._task, advance=done + failed, description=what)


class silent(Bar):
    """A bar that shows nothing."""

    def __enter__(self) -> Self:
        return self


class Log(Bar):
    """Lines of JSON on stderr: the start, progress every few seconds, the end."""

    def __enter__(self) -> Self:
        self._done = 0
        self._started = self._last = monotonic()
        event("start", what=self._what, files=self._total, before=self._before)
        return self

    def __exit__(self, *error: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._say("stopped" if error[0] else "counted")

    def advance(self, done: int, failed: int = 0) -> None:
        """So many more files are done, and so many could not be."""
        self._done, self._failed = self._done + done, self._failed + failed
        if monotonic() - self._last >= LOG_SECONDS:
            self._last = monotonic()
            self._say("progress")

    def _say(self, what: str) -> None:
        seconds = monotonic() - self._started
        tried = self._done + self._failed
        left, rate = self._total - self._before - tried, tried / max(seconds, 1e-9)
        event(
            what, done=self._before + self._done, left=left, failed=self._failed, seconds=round(seconds, 1),
            files_per_second=round(rate, 2), seconds_left=round(left / rate, 1) if rate else None,
        )  # fmt: skip


def event(what: str, /, **facts: Any) -> None:
    """One line of JSON on stderr."""
    sys.stderr.write(json.dumps({"event": what, **facts}) + "\n")
    sys.stderr.flush()
