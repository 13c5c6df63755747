"""What interrupts a run, and the run that goes on after it: the same bytes, nothing done again or counted twice.

That a worker is killed is tested in test_execution, a killed run and Ctrl-C in test_run, a lost network in test_remote.
"""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import maskmeter as mm
from maskmeter.run import evaluate

resource = pytest.importorskip("resource", reason="limits of file sizes are those of POSIX")

N = 60


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, rng = tmp_path_factory.mktemp("faults"), np.random.default_rng(0)
    for i in range(N):
        for side in ("gt", "pred"):
            (root / side).mkdir(exist_ok=True)
            np.save(root / side / f"{i:03d}.npy", rng.integers(0, 40, (32, 32), np.uint8))
    return root


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, ...]:
    out = tmp_path_factory.mktemp("whole")
    evaluate(data / "gt", data / "pred", out=out, task="semantic")
    return results(out)


def results(out: Path) -> tuple[bytes, ...]:
    return tuple((out / name).read_bytes() for name in ("results.json", "rows.csv"))


def counted(out: Path) -> dict[str, int]:
    """The images in the store by their numbers there: one that is counted anew has a new number."""
    with closing(sqlite3.connect(out / "run.sqlite")) as db:
        return dict(db.execute("SELECT name, id FROM images"))


def command(data: Path, out: Path, limit: int | None = None, *more: str) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own whose files may have so many bytes, as on a disk that is full then."""
    words = ["evaluate", str(data / "gt"), str(data / "pred"), "-o", str(out), "--task", "semantic", *more]

    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    call = [sys.executable, "-m", "maskmeter", *words]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(call, capture_output=True, text=True, preexec_fn=limited, env=env)


@pytest.mark.parametrize(
    "room", [20_000, 150_000, 400_000, 1_100_000], ids=["at once", "while counting", "later", "while writing"]
)
def test_a_full_disk(room: int, data: Path, whole: tuple[bytes, ...], tmp_path: Path) -> None:
    done = command(data, tmp_path, room, "-j", "1")
    assert done.returncode == 3, done.stderr
    assert done.stderr.count("\n") == 1 and "make room" in done.stderr
    assert not (tmp_path / "results.json").exists() or results(tmp_path)[:1] == whole[:1]
    before = counted(tmp_path) if (tmp_path / "run.sqlite").exists() else {}
    done = command(data, tmp_path, None, "--resume", "--no-report")
    assert done.returncode == 0, done.stderr
    assert results(tmp_path) == whole
    assert before.items() <= counted(tmp_path).items() and len(counted(tmp_path)) == N


def test_a_file_that_changed_is_counted_anew_and_said(data: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(data, tmp_path / "data")
    gt, pred, out = tmp_path / "data" / "gt", tmp_path / "data" / "pred", tmp_path / "out"
    evaluate(gt, pred, out=out, task="semantic")
    before = counted(out)
    for i in (7, 9):
        np.save(pred / f"{i:03d}.npy", np.load(gt / f"{i:03d}.npy"))
    (gt / "011.npy").unlink()
    (pred / "011.npy").unlink()
    done = evaluate(gt, pred, out=out, task="semantic", resume=True)
    assert done.notices[-2:] == [
        "2 images changed after they were counted, and are counted anew; the first is 007",
        "1 image is no longer part of the run; the first is 011",
    ]
    kept = {name: at for name, at in counted(out).items() if at == before.get(name)}
    assert len(kept) == N - 3 and len(counted(out)) == N - 1
    evaluate(gt, pred, out=tmp_path / "fresh", task="semantic")
    assert results(out) == results(tmp_path / "fresh")
    # Nothing changed since: nothing is said, nothing is counted.
    again = evaluate(gt, pred, out=out, task="semantic", resume=True)
    assert not any("counted" in note for note in again.notices)


def test_what_is_on_disk_is_never_half_a_file(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fills up while results.json is written: the run says so, and what was counted is kept."""
    import maskmeter.results as module

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(mm.DataError, match="No space left on device"):
        evaluate(data / "gt", data / "pred", out=tmp_path, task="semantic")
    assert not (tmp_path / "results.json").exists() and len(counted(tmp_path)) == N
