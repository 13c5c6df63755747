"""Execution: many images, counted by whatever executor there is, kept as they arrive.

Work goes out in batches to any `concurrent.futures.Executor` (threads by default: decoders and kernels
release the interpreter lock), results come home as records and are committed to the store at least
every half second. Which worker counted what, and when, moves no bit of the result.

The first file that is not fit to evaluate stops the run: what is in flight is finished and kept, then
the error is raised, the first by name where there are several.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import islice
from time import monotonic

from .counting import Counter, Failure, Job, count_batch
from .records import Record, Records

COMMIT_SECONDS = 0.5
BATCH_SECONDS = 0.05

Progress = Callable[[int], None]


def count_all(
    jobs: Sequence[Job],
    plan: Counter,
    records: Records,
    executor: Executor | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Count every job into `records`. Raises the DataError of the first bad file; Ctrl-C keeps what is finished."""
    sink = _Sink(records, progress)
    try:
        if executor is not None:
            _run(jobs, plan, executor, workers or _cores(), sink)
        elif (workers or _cores()) == 1:
            _run_here(jobs, plan, sink)
        else:
            pool = ThreadPoolExecutor(workers or _cores(), "maskmeter")
            try:
                _run(jobs, plan, pool, workers or _cores(), sink)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
    finally:
        sink.commit()
    if sink.failures:
        raise min(sink.failures, key=lambda f: f.name).error


class _Sink:
    """Takes results in, commits them a batch at a time, and remembers what went wrong."""

    def __init__(self, records: Records, progress: Progress | None) -> None:
        self.failures: list[Failure] = []
        self._records, self._progress = records, progress
        self._waiting: list[Record] = []
        self._last = monotonic()

    def take(self, results: Iterable[Record | Failure]) -> None:
        for result in results:
            if isinstance(result, Failure):
                self.failures.append(result)
            else:
                self._waiting.append(result)
                if self._progress:
                    self._progress(1)
        if monotonic() - self._last > COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._records.add(waiting)
        self._last = monotonic()


def _run_here(jobs: Sequence[Job], plan: Counter, sink: _Sink) -> None:
    for job in jobs:
        sink.take(count_batch([job], plan))
        if sink.failures:
            return


def _run(jobs: Sequence[Job], plan: Counter, executor: Executor, workers: int, sink: _Sink) -> None:
    """Keep every worker busy with a batch and one more waiting, each about as long as BATCH_SECONDS."""
    left = iter(jobs)
    flying: deque[Future[list[Record | Failure]]] = deque()
    size, started, done = 1, monotonic(), 0
    while True:
        while len(flying) < 2 * workers and not sink.failures:
            batch = list(islice(left, size))
            if not batch:
                break
            flying.append(executor.submit(count_batch, batch, plan))
        if not flying:
            return
        results = flying.popleft().result()
        sink.take(results)
        done += len(results)
        rate = done / max(monotonic() - started, 1e-9) / workers
        size = max(1, min(64, int(rate * BATCH_SECONDS)))


def _cores() -> int:
    """The cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
