"""Engines, and what happens when workers die: nothing is lost, nothing is counted twice, and the culprit is named."""

import os
import time
from collections.abc import Generator, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import maskmeter as mm
from frail import Deadly, Frail
from maskmeter import execution, run
from maskmeter.counting import Job
from maskmeter.engines import Engine
from maskmeter.execution import count_all
from maskmeter.records import Memory
from maskmeter.run import evaluate
from maskmeter.store import Store

CLUSTERS = [
    pytest.param("dask", marks=pytest.mark.skipif(not find_spec("distributed"), reason="Dask is not installed")),
    pytest.param("ray", marks=pytest.mark.skipif(not find_spec("ray"), reason="Ray is not installed")),
]
ENGINES = ["threads", "processes", *CLUSTERS]
pytestmark = pytest.mark.filterwarnings("default")  # of the clusters' own


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that start afresh find what the tests count with."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")


@pytest.fixture(scope="module")
def clusters() -> Iterator[None]:
    """A Ray cluster that stays for all tests that ask for one, as starting one takes longer than they do."""
    if not find_spec("ray"):
        yield
        return
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        yield
        ray.shutdown()


def jobs(n: int) -> list[Job]:
    return [Job(f"{i:04d}", Path(f"{i:04d}.png"), None) for i in range(n)]


def counted(records: Memory) -> list[bytes]:
    return [records[n].statistics["n"] for n in records.names()]


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes]]:
    """Label maps, and what a run over them writes that nothing disturbs."""
    root, rng = tmp_path_factory.mktemp("maps"), np.random.default_rng(0)
    for i in range(30):
        for side in ("gt", "pred"):
            (root / side).mkdir(exist_ok=True)
            np.save(root / side / f"{i:02d}.npy", rng.integers(0, 4, (9, 7), np.uint8))
    evaluate(root / "gt", root / "pred", out=root / "out", workers=1)
    return root, written(root / "out")


def written(out: Path) -> list[bytes]:
    return [(out / name).read_bytes() for name in ("results.json", "rows.csv")]


def deadly(monkeypatch: pytest.MonkeyPatch, marks: Path, **which: frozenset[str]) -> None:
    """Runs count some files as they do, and die of it."""
    marks.mkdir()
    planned = run._plan
    monkeypatch.setattr(run, "_plan", lambda *asked: Deadly(planned(*asked), marks, **which))


@pytest.mark.usefixtures("clusters")
@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_the_same_bytes_also_where_a_worker_is_killed(
    engine: str, maps: tuple[Path, list[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = frozenset[str]() if engine == "threads" else frozenset({"04", "21"})
    deadly(monkeypatch, tmp_path / "marks", once=killed)
    evaluate(maps[0] / "gt", maps[0] / "pred", out=tmp_path / "out", executor=engine, workers=2)
    assert written(tmp_path / "out") == maps[1]
    assert {mark.name for mark in (tmp_path / "marks").iterdir()} == killed


def test_a_run_goes_on_once_a_file_does_not_kill_any_more(
    maps: tuple[Path, list[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"out": tmp_path / "out", "executor": "processes", "workers": 2}
    with monkeypatch.context() as patch:
        deadly(patch, tmp_path / "marks", always=frozenset({"17"}))
        with pytest.raises(mm.DataError, match=r"pred/17\.npy: kills the worker that reads it"):
            evaluate(maps[0] / "gt", maps[0] / "pred", **asked)
    assert not (tmp_path / "out" / "results.json").exists()
    assert len(Store.open(tmp_path / "out")) == 29
    evaluate(maps[0] / "gt", maps[0] / "pred", **asked, resume=True)
    assert written(tmp_path / "out") == maps[1]


@pytest.mark.usefixtures("clusters")
@pytest.mark.parametrize("engine", ENGINES[1:])
def test_a_file_that_kills_its_worker_is_named_and_the_rest_is_counted(engine: str, tmp_path: Path) -> None:
    records, seen = Memory(), [0, 0]

    def progress(done: int, failed: int) -> None:
        seen[0] += done
        seen[1] += failed

    with pytest.raises(mm.DataError, match=r"0017\.png: kills the worker that reads it"):
        count_all(jobs(40), Frail(tmp_path, always=frozenset({"0017"})), records, engine, 2, progress)
    assert records.names() == [j.name for j in jobs(40) if j.name != "0017"]
    assert seen == [39, 1]


def test_a_broken_executor_of_the_user_keeps_what_is_finished(tmp_path: Path) -> None:
    records = Memory()
    with ProcessPoolExecutor(1) as pool, pytest.raises(mm.DataError, match="--resume"):
        count_all(jobs(40), Frail(tmp_path, always=frozenset({"0030"})), records, pool)
    assert 0 < len(records) < 40


def test_a_batch_that_hangs_is_counted_by_another_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "LATE_SECONDS", 1.0)
    records, started = Memory(), time.monotonic()
    count_all(jobs(8), Frail(tmp_path, slow_once=frozenset({"0005"})), records, "processes", 2)
    assert counted(records) == [j.name.encode() for j in jobs(8)]
    assert time.monotonic() - started < 300


def test_answers_that_never_come_keep_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that was under way is lost without a word: second copies are counted, and then all the rest."""
    monkeypatch.setattr(execution, "LATE_SECONDS", 0.1)
    sent, tended = [], []

    class Mute(Executor):
        def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
            future = Future()
            sent.append(args)
            if len(sent) > execution.DEPTH:
                future.set_result(fn(*args, **kwargs))
            return future

    @contextmanager
    def mute(spec: object, workers: int | None) -> Generator[Engine]:
        yield Engine(Mute(), 1, tend=lambda: tended.append(len(sent)))

    monkeypatch.setattr(execution, "engine", mute)
    records = Memory()
    count_all(jobs(40), Frail(tmp_path), records, "mute", 1)
    assert counted(records) == [j.name.encode() for j in jobs(40)]
    assert tended[0] == execution.DEPTH


def test_an_error_of_the_program_is_not_sent_again(tmp_path: Path) -> None:
    class Wrong(Frail):
        def count(self, job: Job) -> None:  # type: ignore[override]
            raise ZeroDivisionError(job.name)

    with ThreadPoolExecutor(2) as pool, pytest.raises(ZeroDivisionError):
        count_all(jobs(3), Wrong(tmp_path), Memory(), pool)


def test_batches_grow_with_the_speed(tmp_path: Path) -> None:
    sizes = []

    class Watched(ThreadPoolExecutor):
        def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
            sizes.append(len(args[0]))
            return super().submit(fn, *args, **kwargs)

    with Watched(2) as pool:
        count_all(jobs(3000), Frail(tmp_path), Memory(), pool)
    assert sizes[0] == 1 and max(sizes) > 100 and sum(sizes) == 3000


@pytest.mark.parametrize(
    ("spec", "says"),
    [("dusk", "is not known"), ("threads://x", "is not known"), ("dask://127.0.0.1:1", "no Dask scheduler answers")],
)
def test_engines_that_are_none(spec: str, says: str, tmp_path: Path) -> None:
    if spec.startswith("dask") and not find_spec("distributed"):
        pytest.skip("Dask is not installed")
    with pytest.raises(mm.UsageError, match=says):
        count_all(jobs(1), Frail(tmp_path), Memory(), spec)


def test_engines_that_are_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("distributed", "ray"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    for spec in ("dask", "ray"):
        with pytest.raises(mm.UsageError, match=rf"pip install 'maskmeter\[{spec}\]'"):
            count_all(jobs(1), Frail(tmp_path), Memory(), spec)


def test_the_environment_is_left_alone(tmp_path: Path) -> None:
    before = dict(os.environ)
    count_all(jobs(2), Frail(tmp_path), Memory(), "processes", 2)
    assert dict(os.environ) == before
