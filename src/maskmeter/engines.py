"""Engines: what counts the images. Threads of this process by default; any other by one name.

threads               of this process: decoders and kernels release the interpreter lock
processes             of this machine
dask                  a local Dask cluster, one process a core (extra `dask`)
dask://host:port      a Dask cluster that runs
ray                   a local Ray cluster (extra `ray`)
ray://host:port       a Ray cluster that runs

All of them are a `concurrent.futures.Executor` here, which is all that `execution` needs; one that the
user made (loky, `MPIPoolExecutor`, `client.get_executor()`) is taken as it is. The machines of a cluster
see the files under the same paths, and have maskmeter in the same version.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ._version import __version__
from .errors import UsageError

ENGINES = ("threads", "processes", "dask", "ray")

# A batch sent to another process pays its way from about a second on; in threads it costs nothing.
NEAR, FAR = 0.05, 1.0


@dataclass
class Engine:
    """An executor, how many batches it works on at a time, and how long a batch should take.

    renew  makes another executor where this one breaks as a whole when a worker dies; None where that is the user's
    tend   called while nothing is answered: brings workers back that are gone for good
    """

    executor: Executor
    workers: int
    seconds: float = FAR
    renew: Callable[[], Executor] | None = None
    tend: Callable[[], None] | None = None


def is_loss(error: BaseException) -> bool:
    """Whether a batch failed because its worker did: to be sent again, as nothing is wrong with the program."""
    package = type(error).__module__.partition(".")[0]
    return isinstance(error, BrokenExecutor | CancelledError | MemoryError) or package in ("distributed", "ray", "loky")


def cores() -> int:
    """The cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


@contextmanager
def engine(spec: str | Executor | None, workers: int | None) -> Generator[Engine]:
    """The engine of a name, closed at the end; or the user's own executor, which is left open.

    Raises UsageError for a name that is none, and where an extra is missing or a cluster does not answer.
    """
    if isinstance(spec, Executor):
        yield Engine(spec, workers or size(spec))
        return
    kind, _, address = (spec or "threads").partition("://")
    if kind not in ENGINES or (address and kind not in ("dask", "ray")):
        raise UsageError(
            f"--executor {spec!r} is not known; there are {', '.join(ENGINES)}, dask://host:port, ray://..."
        )
    opened = {"threads": _threads, "processes": _processes, "dask": _dask, "ray": _ray}[kind]
    with opened(address, workers or cores()) as made:
        yield made


def size(executor: Executor) -> int:
    """How many workers the user's executor has; as many as there are cores where it does not say."""
    client = getattr(executor, "_client", None)
    if client is not None and hasattr(client, "nthreads"):
        return max(1, sum(client.nthreads().values()))
    return getattr(executor, "_max_workers", None) or cores()


@contextmanager
def _threads(_: str, workers: int) -> Generator[Engine]:
    pool = ThreadPoolExecutor(workers, "maskmeter")
    try:
        yield Engine(pool, workers, NEAR)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _processes(_: str, workers: int) -> Generator[Engine]:
    from multiprocessing import get_context

    made: list[ProcessPoolExecutor] = []

    def fresh() -> Executor:
        # Started anew instead of forked: a fork copies the locks of this process's threads as they stand.
        made.append(ProcessPoolExecutor(workers, get_context("spawn")))
        return made[-1]

    try:
        yield Engine(fresh(), workers, FAR / 4, fresh)
    finally:
        for pool in made:
            workers_left = list((getattr(pool, "_processes", None) or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in workers_left:  # idle, or hanging in a file that was counted elsewhere meanwhile
                process.terminate()


@contextmanager
def _dask(address: str, workers: int) -> Generator[Engine]:
    dask, distributed = _extra("dask", "dask"), _extra("dask", "distributed")
    if not address:
        # Which batch kills its worker is found out by `execution`, so Dask itself tries each one once. What its workers
        # do to watch themselves, every few milliseconds, nobody looks at.
        quiet = {"distributed.scheduler.allowed-failures": 0, "distributed.worker.profile.enabled": False}
        with dask.config.set(quiet):
            cluster = distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=50
            )
        with cluster, distributed.Client(cluster, set_as_default=False) as client:

            class Deaf(distributed.WorkerPlugin):
                """Ctrl-C reaches all processes of a terminal; this one ends it for all of them."""

                def setup(self, worker: Any) -> None:
                    signal.signal(signal.SIGINT, signal.SIG_IGN)

            client.register_plugin(Deaf())
            # A nanny whose worker dies while it starts gives up; with the last one nothing would be answered any more.
            yield Engine(client.get_executor(), workers, tend=lambda: cluster.scale(workers))
        return
    try:
        client = distributed.Client(f"tcp://{address}", timeout="5s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"no Dask scheduler answers at {address} ({error or type(error).__name__})") from None
    with client:
        _check_versions(set(client.run(_version).values()), address)
        yield Engine(client.get_executor(), size(client.get_executor()))


@contextmanager
def _ray(address: str, workers: int) -> Generator[Engine]:
    ray = _extra("ray", "ray")
    ours = not ray.is_initialized()
    if ours:
        here = {"num_cpus": workers, "include_dashboard": False}
        asked = {"address": f"ray://{address}"} if address else here
        try:
            ray.init(log_to_driver=False, logging_level="ERROR", **asked)
        except (OSError, ValueError, RuntimeError) as error:
            raise UsageError(f"no Ray cluster answers at {address or 'this machine'} ({error})") from None
    try:
        if address:
            _check_versions({ray.get(ray.remote(_version).remote())}, address)
        yield Engine(RayExecutor(), int(ray.cluster_resources().get("CPU", workers)))
    finally:
        if ours:
            ray.shutdown()


class RayExecutor(Executor):
    """Tasks of the Ray cluster that this process is connected to, as futures; one core a task."""

    def __init__(self) -> None:
        # Which task kills its worker is found out by `execution`, so Ray itself tries each one once.
        self._call = _extra("ray", "ray").remote(max_retries=0, num_cpus=1)(_call)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Send a call to the cluster."""
        return self._call.remote(fn, args, kwargs).future()


def _extra(extra: str, package: str) -> Any:
    """A package that comes with an extra, imported when it is asked for."""
    try:
        return import_module(package)
    except ImportError:
        raise UsageError(f"--executor {extra} needs the extra {extra}: pip install 'maskmeter[{extra}]'") from None


def _call(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return fn(*args, **kwargs)


def _version() -> str:
    return __version__


def _check_versions(found: set[str], address: str) -> None:
    if other := sorted(found - {__version__}):
        raise UsageError(f"the workers at {address} have maskmeter {', '.join(other)}, this is {__version__}")
