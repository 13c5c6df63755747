"""Ways to count that fail as machines do, importable by the workers of every engine."""

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from maskmeter.counting import Counter, Digests, Job
from maskmeter.records import Record


@dataclass(frozen=True)
class Frail:
    """Counts nothing; some files kill the worker always, some only the first time, some take their time then."""

    marks: Path
    always: frozenset[str] = frozenset()
    once: frozenset[str] = frozenset()
    slow_once: frozenset[str] = frozenset()
    seconds: float = field(default=0.0)

    def count(self, job: Job) -> Record:
        time.sleep(self.seconds)
        if job.name in self.always:
            os._exit(1)
        mark = self.marks / job.name
        if job.name in self.once | self.slow_once and not mark.exists():
            mark.touch()
            if job.name in self.once:
                os._exit(1)
            time.sleep(600)
        return Record(job.name, {"n": job.name.encode()})

    def digests(self, job: Job) -> Digests:
        return None, None


@dataclass(frozen=True)
class Deadly:
    """Counts as `plan` does; some files take their worker along, always or only the first time."""

    plan: Counter
    marks: Path
    once: frozenset[str] = frozenset()
    always: frozenset[str] = frozenset()

    def count(self, job: Job) -> Record:
        mark = self.marks / job.name
        if job.name in self.always or (job.name in self.once and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.plan.count(job)

    def digests(self, job: Job) -> Digests:
        return self.plan.digests(job)
