"""Remote files: the same bytes as from a folder, whatever the network does in between."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import maskmeter as mm
from maskmeter.errors import FormatError
from maskmeter.formats import located, remote
from maskmeter.run import evaluate
from server import serving

pytest.importorskip("fsspec", reason="remote files need fsspec")
http = pytest.mark.skipif(not find_spec("aiohttp"), reason="HTTP needs the extra remote: pip install 'fsspec[http]'")
pytestmark = pytest.mark.filterwarnings("default")  # of aiohttp's own

N = 12


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Label maps in a folder within a folder, a label file and a CSV file."""
    root, rng = tmp_path_factory.mktemp("remote"), np.random.default_rng(0)
    for i in range(N):
        for side in ("gt", "pred"):
            place = root / side / f"s{i % 2}" / f"{i:02d}.npy"
            place.parent.mkdir(parents=True, exist_ok=True)
            np.save(place, rng.integers(0, 3, (8, 9), np.uint8))
    (root / "gt" / ".hidden.npy").write_bytes(b"nothing")
    (root / "gt" / "notes.txt").write_text("no image")
    (root / "labels.toml").write_text("".join(f'[[label]]\nid = {i}\nname = "c{i}"\n' for i in range(3)))
    return root


@pytest.fixture(scope="module")
def local(data: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("local")
    evaluate(data / "gt", data / "pred", labels=data / "labels.toml", out=out)
    return numbers(out)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAUSES", (0.01, 0.01, 0.01))


@pytest.fixture
def memory(data: Path) -> Iterator[str]:
    """The same files in the memory of this process."""
    import fsspec

    fs = fsspec.filesystem("memory")
    for path in data.rglob("*"):
        if path.is_file():
            fs.pipe(f"/bucket/{path.relative_to(data).as_posix()}", path.read_bytes())
    yield "memory://bucket"
    fs.rm("/bucket", recursive=True)


def numbers(out: Path) -> bytes:
    """results.json and rows.csv without where the files were."""
    text = (out / "results.json").read_text()
    return text[text.index('"pairs"') :].encode() + (out / "rows.csv").read_bytes()


def rows(out: Path) -> dict[str, int]:
    """The images in the store by their numbers there: one that is counted anew has a new number."""
    with closing(sqlite3.connect(out / "run.sqlite")) as db:
        return dict(db.execute("SELECT name, id FROM images"))


def test_addresses() -> None:
    a = located("s3://bucket/gt/a.b.PNG?X-Amz-Signature=secret")
    assert os.fspath(a) == "s3://bucket/gt/a.b.PNG?X-Amz-Signature=secret" and a.parent == located("s3://bucket/gt")
    assert remote.address(a) == "s3://bucket/gt/a.b.PNG"
    assert os.fspath(located("s3://bucket/gt") / "x" / "y.png") == "s3://bucket/gt/x/y.png"
    assert located("file:///tmp/x") == Path("/tmp/x") and located("a/b") == Path("a/b")
    assert str(FormatError("wrong", "https://me:pass@host/x.png?key=1")) == "https://host/x.png: wrong"
    assert mm.DataError("wrong", "odd?name.png").path == "odd?name.png"
    assert located(os.fspath(a)) == a and not remote.is_remote("C://x") and not remote.is_remote("a/b://c")


def test_a_folder_of_any_file_system(memory: str, local: bytes, tmp_path: Path) -> None:
    evaluate(f"{memory}/gt", f"{memory}/pred", labels=f"{memory}/labels.toml", out=tmp_path)
    assert numbers(tmp_path) == local
    evaluate(f"{memory}/gt/**/*.npy", f"{memory}/pred", labels=f"{memory}/labels.toml", out=tmp_path)
    assert numbers(tmp_path) == local


def test_a_list_of_addresses(memory: str, data: Path, tmp_path: Path) -> None:
    rows = [f"{memory}/gt/s0/00.npy,{data}/pred/s0/00.npy", f"{data}/gt/s1/01.npy,{memory}/pred/s1/01.npy?sig=1"]
    (tmp_path / "pairs.csv").write_text("gt,pred\n" + "\n".join(rows[:1]))
    done = evaluate(data, data, pairs=tmp_path / "pairs.csv", out=tmp_path / "run")
    assert list(done.images) == [f"{memory}/gt/s0/00"]
    assert done.records[done.images[0]].gt == f"{memory}/gt/s0/00.npy"
    (tmp_path / "below.csv").write_text("s0/00.npy,s0/00.npy\ns1/01.npy,\n")
    done = evaluate(f"{memory}/gt", f"{memory}/pred", pairs=tmp_path / "below.csv", missing="empty")
    assert list(done.images) == ["s0/00", "s1/01"]


def test_what_is_not_there_is_said(memory: str, data: Path, tmp_path: Path) -> None:
    with pytest.raises(mm.DataError, match="no such folder, file or glob"):
        evaluate(f"{memory}/none", f"{memory}/pred")
    with pytest.raises(mm.DataError, match=r"dusk://x: is no address that fsspec knows"):
        evaluate("dusk://x", "dusk://y")
    (tmp_path / "pairs.csv").write_text("s0/00.npy,s0/none.npy\n")
    with pytest.raises(mm.DataError, match=rf"^{memory}/pred/s0/none\.npy: no such file$"):
        evaluate(f"{memory}/gt", f"{memory}/pred", pairs=tmp_path / "pairs.csv")
    with pytest.raises(mm.DataError, match="are read from this machine"):
        evaluate(f"{memory}/gt.json", f"{memory}/pred.json", task="detection")


def test_without_fsspec_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(mm.DataError, match=r"pip install 'maskmeter\[remote\]'"):
        evaluate("s3://bucket/gt", "s3://bucket/pred")


@http
@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_over_http(executor: str, data: Path, local: bytes, tmp_path: Path) -> None:
    with serving(data) as (url, _):
        evaluate(f"{url}/gt/", f"{url}/pred", labels=f"{url}/labels.toml", out=tmp_path, executor=executor, workers=2)
    assert numbers(tmp_path) == local


@http
def test_what_fails_once_or_is_cut_off_is_asked_again(data: Path, local: bytes, tmp_path: Path) -> None:
    with serving(data) as (url, faults):
        faults.busy, faults.cut = {"/pred/s1/03.npy": 2, "/gt/": 1}, {"/gt/s0/04.npy": 1}
        evaluate(f"{url}/gt", f"{url}/pred", labels=f"{url}/labels.toml", out=tmp_path)
        assert faults.asked["/pred/s1/03.npy"] == 3 and faults.asked["/gt/s0/04.npy"] == 2
    assert numbers(tmp_path) == local


@http
@pytest.mark.parametrize(
    ("status", "says", "asked"),
    [(503, "tried 4 times: 503", 4), (404, "no such file", 1), (403, "permission denied; check", 1)],
)
def test_what_always_fails_is_named(status: int, says: str, asked: int, data: Path, tmp_path: Path) -> None:
    with serving(data) as (url, faults):
        faults.busy, faults.status = {"/pred/s1/03.npy": 99}, status
        with pytest.raises(mm.DataError, match=rf"^{url}/pred/s1/03\.npy: .*{says}"):
            evaluate(f"{url}/gt", f"{url}/pred", out=tmp_path)
        assert faults.asked["/pred/s1/03.npy"] == asked
    assert not (tmp_path / "results.json").exists()


@http
def test_a_network_that_is_lost_and_comes_back(data: Path, local: bytes, tmp_path: Path) -> None:
    with serving(data) as (url, faults):
        asked = f"{url}/gt", f"{url}/pred"
        faults.left = 2 * 7
        with pytest.raises(mm.DataError, match=r"tried 4 times: .*--resume goes on"):
            evaluate(*asked, labels=data / "labels.toml", out=tmp_path, workers=1)
    # Nobody listens at the address any more.
    with pytest.raises(mm.DataError, match=f"^{url}"):
        evaluate(*asked, labels=data / "labels.toml", out=tmp_path, resume=True)
    before = rows(tmp_path)
    # It breaks down again while the digests of what is finished are looked at: that is no change of a file.
    with serving(data, int(url.rpartition(":")[2])) as (url, faults):
        faults.busy = {"/gt/s0/00.npy": 99}
        with pytest.raises(mm.DataError, match=r"s0/00\.npy: cannot be read"):
            evaluate(*asked, labels=data / "labels.toml", out=tmp_path, resume=True)
    assert rows(tmp_path) == before and 0 < len(before) < N
    with serving(data, int(url.rpartition(":")[2])) as (url, faults):
        done = evaluate(*asked, labels=data / "labels.toml", out=tmp_path, resume=True)
        assert len(done.images) == N and not any("changed" in note for note in done.notices)
    assert numbers(tmp_path) == local and before.items() <= rows(tmp_path).items()


@http
def test_the_command_line_names_the_address(data: Path, tmp_path: Path) -> None:
    with serving(data) as (url, faults):
        faults.busy, faults.status = {"/pred/s1/03.npy": 99}, 404
        words = ["evaluate", f"{url}/gt", f"{url}/pred", "-o", str(tmp_path)]
        done = subprocess.run([sys.executable, "-m", "maskmeter", *words], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (3, f"maskmeter: {url}/pred/s1/03.npy: no such file\n")
        faults.busy = {}
        done = subprocess.run([sys.executable, "-m", "maskmeter", *words, "--resume"], capture_output=True, text=True)
        assert done.returncode == 0 and (tmp_path / "report.html").exists()
