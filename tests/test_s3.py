"""Files in an object store: a local S3 server (moto), as a user meets it. `make s3` installs what it needs."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from maskmeter.run import evaluate

pytest.importorskip("moto.server", reason="a local S3 server needs moto: make s3")
pytest.importorskip("s3fs", reason="s3:// needs s3fs: make s3")

N = 12
KEYS = {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


class Refusing:
    """A server that is too busy for some objects, so many times yet; and how often each was asked for."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app, self.busy, self.asked = app, dict[str, int](), dict[str, int]()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] == "GET":
            self.asked[path] = self.asked.get(path, 0) + 1
            if self.busy.get(path, 0) > 0:
                self.busy[path] -= 1
                start("503 Slow Down", [("Content-Type", "application/xml")])
                return [b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"]
        return self.app(environ, start)


@contextmanager
def serving() -> Iterator[tuple[str, Refusing]]:
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    app = Refusing(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", app
    finally:
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Label maps, and the run over them."""
    root, rng = tmp_path_factory.mktemp("s3"), np.random.default_rng(0)
    for i in range(N):
        for side in ("gt", "pred"):
            place = root / "data" / side / f"s{i % 2}" / f"{i:02d}.npy"
            place.parent.mkdir(parents=True, exist_ok=True)
            np.save(place, rng.integers(0, 3, (8, 9), np.uint8))
    evaluate(root / "data" / "gt", root / "data" / "pred", task="semantic", out=root / "run")
    return root


@pytest.fixture(scope="module")
def store(local: Path) -> Iterator[tuple[dict[str, str], Refusing]]:
    """The environment of a command that reads the same files from `s3://bucket`, and the server."""
    import s3fs

    with serving() as (url, server):
        fs = s3fs.S3FileSystem(key="me", secret="secret", endpoint_url=url, skip_instance_cache=True)
        fs.mkdir("bucket")
        fs.put(str(local / "data") + "/", "bucket/", recursive=True)
        yield {**os.environ, **KEYS, "FSSPEC_S3_ENDPOINT_URL": url}, server


def command(out: Path, env: dict[str, str], *more: str) -> subprocess.CompletedProcess[str]:
    words = ["evaluate", "s3://bucket/gt", "s3://bucket/pred", "--task", "semantic", "--no-report", "-o", str(out)]
    call = [sys.executable, "-m", "maskmeter", *words, *more]
    return subprocess.run(call, capture_output=True, text=True, env=env)


def numbers(out: Path) -> bytes:
    """results.json and rows.csv without where the files were."""
    text = (out / "results.json").read_text()
    return text[text.index('"pairs"') :].encode() + (out / "rows.csv").read_bytes()


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_bucket(executor: str, local: Path, store: tuple[dict[str, str], Refusing], tmp_path: Path) -> None:
    done = command(tmp_path, store[0], "-j", "2", "--executor", executor)
    assert done.returncode == 0, done.stderr
    assert numbers(tmp_path) == numbers(local / "run")


def test_a_busy_server_is_asked_again(local: Path, store: tuple[dict[str, str], Refusing], tmp_path: Path) -> None:
    env, server = store
    path = "/bucket/pred/s1/03.npy"
    server.busy, server.asked = {path: 2}, {}
    assert command(tmp_path, env).returncode == 0
    assert server.busy == {path: 0} and server.asked[path] >= 3
    assert numbers(tmp_path) == numbers(local / "run")


def test_what_is_missing_or_forbidden_is_named(store: tuple[dict[str, str], Refusing], tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("s0/00.npy,s0/none.npy\n")
    done = command(tmp_path / "run", store[0], "--pairs", str(tmp_path / "list.csv"))
    assert (done.returncode, done.stderr) == (3, "maskmeter: s3://bucket/pred/s0/none.npy: no such file\n")
