"""Execution: many images, counted by whatever engine there is, kept as they arrive.

Work goes out in batches to any `concurrent.futures.Executor` (see `engines`), sized by time; results come
home as records, whichever is ready first, and are committed to the store at least every half second. Which
worker counted what, and when, moves no bit of the result.

The first file that is not fit to evaluate stops the run: what is in flight is finished and kept, then
the error is raised, the first by name where there are several.

A batch whose worker died is sent again. One that takes its worker with it twice is taken apart, and its files
go one at a time, so that it is clear which one it was; that one is named in the error that ends the run, after
everything else was counted. Where a death breaks the whole executor, as with a pool of processes, the batches
that were under way go one at a time as well. A batch that takes far longer than its like is sent
a second time when there is nothing else left to do, or when all that are under way are late, and the first answer
counts; the other is called back if it did not begin.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue
from time import monotonic

from .counting import Counter, Failure, Job, count_batch
from .engines import Engine, cores, engine, is_loss
from .errors import DataError
from .records import Record, Records

COMMIT_SECONDS = 0.5
MOST = 1024  # images in a batch
GROWTH = 8  # how many times larger a batch may be than the one that its size was learnt from
DEPTH = 2  # batches under way for each worker, so that none waits for the next
LATE = 8.0  # a batch is late when it takes so many times as long as its like, and at least
LATE_SECONDS = 30.0
TRIES = 2

Progress = Callable[[int, int], None]
Answer = list[Record | Failure]


def count_all(
    jobs: Iterable[Job],
    plan: Counter,
    records: Records,
    executor: Executor | str | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    expected: int | None = None,
) -> None:
    """Count every job into `records`. Raises the DataError of the first bad file; Ctrl-C keeps what is finished.

    `expected` says how many jobs there are, where they cannot be asked.
    """
    left = len(jobs) if expected is None and isinstance(jobs, Sequence) else expected
    sink = _Sink(records, progress)
    try:
        if executor is None and (workers or cores()) == 1:
            for job in jobs:
                sink.take(count_batch([job], plan))
                if sink.stopped:
                    break
        else:
            with engine(executor, workers) as made:
                _Dispatch(jobs, plan, made, sink, left).run()
    finally:
        sink.commit()
    if sink.failures:
        raise min(sink.failures, key=lambda f: f.name).error


class _Sink:
    """Takes results in, commits them a batch at a time, and remembers what went wrong."""

    def __init__(self, records: Records, progress: Progress | None) -> None:
        self.failures: list[Failure] = []
        self.stopped = False
        self._records, self._progress = records, progress
        self._waiting: list[Record] = []
        self._last = monotonic()

    def take(self, results: Answer) -> None:
        for result in results:
            if isinstance(result, Failure):
                self.failures.append(result)
                self.stopped = True
            else:
                self._waiting.append(result)
        self._told(results)
        if monotonic() - self._last > COMMIT_SECONDS:
            self.commit()

    def take_lost(self, job: Job, error: BaseException) -> None:
        """A file that kills its worker: reported at the end, and the rest goes on."""
        what = f"kills the worker that reads it ({type(error).__name__}); look at the file, or give it more memory"
        self.failures.append(Failure(job.name, DataError(what, job.pred or job.gt)))
        self._told(self.failures[-1:])

    def commit(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._records.add(waiting)
        self._last = monotonic()

    def _told(self, results: Sequence[Record | Failure]) -> None:
        if self._progress:
            failed = sum(isinstance(r, Failure) for r in results)
            self._progress(len(results) - failed, failed)


@dataclass(eq=False)
class _Batch:
    """Jobs that travel together: how often they were lost, whether they go alone, and how many are under way."""

    jobs: list[Job]
    lost: int = 0
    alone: bool = False
    sent: float = 0.0
    copies: int = 0


@dataclass
class _Pace:
    """How large a batch is to be so that it takes `seconds`, from how long batches took, waiting included."""

    seconds: float
    size: int = 1
    usual: float = 0.0

    def see(self, batch: _Batch) -> None:
        took = max(monotonic() - batch.sent, 1e-6)
        self.usual = max(took, 0.9 * self.usual)
        fits = int(len(batch.jobs) * DEPTH * self.seconds / took)
        self.size = max(1, min(fits, GROWTH * len(batch.jobs), MOST))

    def is_late(self, batch: _Batch) -> bool:
        """Whether the answer to a batch is overdue."""
        return monotonic() - batch.sent > max(LATE_SECONDS, LATE * self.usual)


class _Dispatch:
    """Keeps every worker busy with a batch and one more waiting."""

    def __init__(self, jobs: Iterable[Job], plan: Counter, made: Engine, sink: _Sink, left: int | None) -> None:
        self._left, self._plan, self._engine, self._sink = iter(jobs), plan, made, sink
        self._expected = left
        self._pace = _Pace(made.seconds)
        self._again: deque[_Batch] = deque()
        self._tickets = 0
        self._flying: dict[Future[Answer], _Batch] = {}
        self._ready: SimpleQueue[Future[Answer]] = SimpleQueue()

    def run(self) -> None:
        """Until every job is answered, or the sink is stopped and what was under way is answered."""
        while self._send():
            try:
                future = self._ready.get(timeout=1.0)
            except Empty:
                if self._engine.tend:
                    self._engine.tend()
                if len(self._flying) < self._room or all(map(self._pace.is_late, self._flying.values())):
                    self._send_late_ones()
                continue
            if (batch := self._flying.pop(future, None)) is not None:
                self._answered(batch, future)

    def _send(self) -> bool:
        """Send what there is room for. False when nothing is under way any more."""
        while len(self._flying) < self._room and not self._sink.stopped:
            if (batch := self._next()) is None:
                break
            self._submit(batch)
        return bool(self._flying)

    @property
    def _room(self) -> int:
        """How many batches may be under way."""
        alone = any(b.alone for b in (*islice(self._again, 1), *self._flying.values()))
        return 1 if alone else DEPTH * self._engine.workers

    def _next(self) -> _Batch | None:
        if self._again:
            return self._again.popleft()
        jobs = list(islice(self._left, self._size))
        if self._expected is not None:
            self._expected -= len(jobs)
        return _Batch(jobs) if jobs else None

    @property
    def _size(self) -> int:
        """How many jobs the next batch has: ever fewer towards the end, so that no worker is left with a large one."""
        if self._expected is None:
            return self._pace.size
        return max(1, min(self._pace.size, self._expected // (DEPTH * self._engine.workers)))

    def _submit(self, batch: _Batch) -> None:
        batch.sent, batch.copies = monotonic(), batch.copies + 1
        self._tickets += 1
        call = count_batch, batch.jobs, self._plan, self._tickets
        try:
            future = self._engine.executor.submit(*call)
        except BrokenExecutor:  # between two answers; nothing was sent
            self._renew()
            future = self._engine.executor.submit(*call)
        self._flying[future] = batch
        future.add_done_callback(self._ready.put)

    def _answered(self, batch: _Batch, future: Future[Answer]) -> None:
        batch.copies -= 1
        try:
            results = future.result()
        except BaseException as error:
            if not is_loss(error):
                raise
            if not batch.copies:
                self._lost(batch, error)
            return
        for other in [copy for copy, of in self._flying.items() if of is batch]:
            other.cancel()  # if it did not begin yet; its answer may never come, so it keeps nothing waiting
            del self._flying[other]
        self._pace.see(batch)
        self._sink.take(results)

    def _lost(self, batch: _Batch, error: BaseException) -> None:
        """Send a batch again: as it is, alone, or taken apart. Only what dies alone can be blamed."""
        batch.lost += 1
        if batch.alone and len(batch.jobs) == 1 and batch.lost == TRIES:
            self._sink.take_lost(batch.jobs[0], error)
        elif batch.alone and len(batch.jobs) == 1:
            self._again.appendleft(batch)
        elif batch.alone or batch.lost == TRIES:
            self._again.extendleft(_Batch([job], alone=True) for job in reversed(batch.jobs))
        else:
            batch.alone = isinstance(error, BrokenExecutor)
            self._again.append(batch)

    def _renew(self) -> None:
        if self._engine.renew is None:
            raise DataError("the executor has lost its workers; what was finished is kept: run again with --resume")
        self._engine.executor = self._engine.renew()

    def _send_late_ones(self) -> None:
        """With nothing else to do, or where nothing is answered any more, a second copy of what takes far too long."""
        for batch in {id(b): b for b in self._flying.values()}.values():
            if batch.copies == 1 and self._pace.is_late(batch):
                self._submit(batch)
