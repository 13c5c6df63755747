"""What large runs cost: engines side by side, memory against the number of images, statistics of millions of images.

    python benchmarks/scale.py engines [--images 2000] [--rounds 3]
    python benchmarks/scale.py waiting [--images 2000]
    python benchmarks/scale.py memory [--images 1000 10000 100000]
    python benchmarks/scale.py statistics [--images 1000000] [--shards 4] [--no-files] [--below DIR]

engines     one data set counted by threads, processes, Dask and Ray with two workers each, after a first small run so
            that clusters are up; the engines take turns. Seconds of the clock, the best of the rounds, and seconds of
            CPU of all processes.
waiting     the same engines with images that take 10 ms of waiting each and no work: what an engine adds to that is its
            own, also on a machine that is busy with other things.
memory      the peak of one process that counts and writes so many small images.
statistics  no image at all: statistics as they come from 19 classes are written into stores of shards, merged and
            concluded with intervals, step by step.

Small sets of images are linked many times under other names, so that disk and page cache count little.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from _harness import processor
from PIL import Image

DISTINCT = 20
METRICS = ["mean_iou", "iou"]


def linked(folder: Path, images: int, side: int) -> Path:
    """A data set of so many images, of which some are distinct."""
    for kind in ("gt", "pred"):
        (folder / kind).mkdir(parents=True)
        for i in range(DISTINCT):
            rng = np.random.default_rng(i)
            blocks = rng.integers(0, 19, (side // 8, side // 8)).astype(np.uint8)
            labels = np.roll(np.kron(blocks, np.ones((8, 8), np.uint8)), i if kind == "pred" else 0, 0)
            Image.fromarray(labels).save(folder / f"{kind}{i}.png")
        for i in range(images):
            os.link(folder / f"{kind}{i % DISTINCT}.png", folder / kind / f"image_{i:08d}.png")
    return folder


def cpu_of_all(mark: str) -> float:
    """CPU seconds of all processes that carry a mark in their environment, of this one's own and its children."""
    total, tick = 0, os.sysconf("SC_CLK_TCK")
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if int(place.name) != os.getpid() and mark.encode() not in (place / "environ").read_bytes():
                continue
            fields = (place / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:13]))
    return total / tick


ENGINES = """
import json, os, sys, time
sys.path.insert(0, sys.argv[1])
from scale import cpu_of_all
from maskmeter.engines import engine
from maskmeter.run import evaluate

if __name__ == "__main__":
    folder, small, spec, workers, rounds = sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]), int(sys.argv[6])
    with engine(spec, workers) as made:
        def run(data):
            evaluate(f"{data}/gt", f"{data}/pred", task="semantic", executor=made.executor, workers=workers,
                     metrics=["mean_iou"], intervals="none").value("mean_iou")
        run(small)
        print("ready", flush=True)
        for _ in range(rounds):
            sys.stdin.readline()
            cpu, clock = cpu_of_all(os.environ["MARK"]), time.perf_counter()
            run(folder)
            print(json.dumps([time.perf_counter() - clock, cpu_of_all(os.environ["MARK"]) - cpu]), flush=True)
"""


def engines(images: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder, small = linked(Path(made) / "all", images, 1024), linked(Path(made) / "few", 40, 1024)
        script = Path(made) / "run_engine.py"
        script.write_text(ENGINES)
        found: dict[str, list[list[float]]] = {}
        started: dict[str, subprocess.Popen[str]] = {}
        for name, workers in (("threads", 1), ("threads", 2), ("processes", 2), ("dask", 2), ("ray", 2)):
            env = {**os.environ, "MARK": f"maskmeter-scale-{name}-{workers}", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
            words = (script, Path(__file__).parent, folder, small, name, workers, rounds)
            call = [sys.executable, *map(str, words)]
            started[f"{name}, {workers}"] = subprocess.Popen(
                call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env
            )
        for process in started.values():
            while (line := process.stdout.readline()) and line.strip() != "ready":
                pass
        for _ in range(rounds):
            for name, process in started.items():
                process.stdin.write("\n")
                process.stdin.flush()
                found.setdefault(name, []).append(json.loads(process.stdout.readline()))
                print(name, found[name][-1], file=sys.stderr, flush=True)
        for process in started.values():
            process.stdin.close()
            process.wait()
    print("| engine, workers | images/s | CPU s | clock against threads, 2 |\n|---|---:|---:|---:|")
    base = min(x[0] for x in found["threads, 2"])
    for name, times in found.items():
        clock, cpu = (min(x[i] for x in times) for i in (0, 1))
        print(f"| {name} | {images / clock:.0f} | {cpu:.1f} | {clock / base:.2f} |")


@dataclass(frozen=True)
class Waiting:
    """Counts nothing; every image takes its time."""

    seconds: float = 0.01

    def count(self, job: Any) -> Any:
        from maskmeter.records import Record

        time.sleep(self.seconds)
        return Record(job.name, {"labels": bytes(600)}, (1024, 1024), str(job.gt), str(job.pred), None, ("0" * 64,) * 2)

    def digests(self, job: Any) -> tuple[None, None]:
        return None, None


def waiting(images: int, workers: int = 2) -> None:
    from scale import Waiting as Importable  # by the workers, too

    from maskmeter.counting import Job
    from maskmeter.engines import engine
    from maskmeter.execution import count_all
    from maskmeter.records import Memory

    jobs = [
        Job(f"image_{i:08d}", Path(f"/data/gt/{i:08d}.png"), Path(f"/data/pred/{i:08d}.png")) for i in range(images)
    ]
    print(f"{images} images of 10 ms, {workers} workers: {images * 0.01 / workers:.1f} s at best\n")
    print("| engine | clock s | over the best |\n|---|---:|---:|")
    for name in ("threads", "processes", "dask", "ray"):
        with engine(name, workers) as made:
            count_all(jobs[:100], Importable(), Memory(), made.executor, workers)
            clock = time.perf_counter()
            count_all(jobs, Importable(), Memory(), made.executor, workers)
            took = time.perf_counter() - clock
        print(f"| {name} | {took:.1f} | {took * workers / (images * 0.01) - 1:.0%} |", flush=True)


MEMORY = """
import sys, time
from maskmeter import evaluate
folder = sys.argv[1]
evaluate(f"{folder}/gt", f"{folder}/pred", out=f"{folder}/out", task="semantic", metrics=["mean_iou", "iou"], workers=2)
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak) * 1024, time.process_time())
"""


def memory(images: list[int]) -> None:
    print("| images | peak, MB | bytes an image beyond the first row | CPU s | run.sqlite, MB |")
    print("|---:|---:|---:|---:|---:|")
    first = None
    for n in images:
        with tempfile.TemporaryDirectory() as made:
            folder = linked(Path(made) / "data", n, 64)
            call = [sys.executable, "-c", MEMORY, str(folder)]
            done = subprocess.run(call, capture_output=True, text=True, check=True)
            peak, seconds = map(float, done.stdout.split())
            first = first or (n, peak)
            each = "" if n == first[0] else f"{(peak - first[1]) / (n - first[0]):.0f}"
            size = (folder / "out" / "run.sqlite").stat().st_size
            print(f"| {n:,} | {peak / 1e6:.0f} | {each} | {seconds:.1f} | {size / 1e6:.1f} |", flush=True)


def some_records(first: int, images: int) -> Iterator[Any]:
    """Records as a run makes them of labels of 19 classes; some hundred statistics come again and again."""
    from maskmeter.records import Record
    from maskmeter.statistics.confusion import LabelCounts

    a, b = (x.ravel() for x in np.meshgrid(np.arange(19), np.arange(19), indexing="ij"))
    kept = []
    for i in range(997):
        rng = np.random.default_rng(i)
        there = np.flatnonzero((rng.random(361) < 0.08) | ((a == b) & (rng.random(361) < 0.6)))
        n = rng.integers(1, 40_000, there.size) * np.where(a[there] == b[there], 20, 1)
        kept.append({LabelCounts.name: LabelCounts(a[there], b[there], n, 0, 8).to_bytes()})
    for i in range(first, first + images):
        name, digest = f"image_{i:08d}", f"{i:064x}"
        yield Record(name, kept[i % len(kept)], (1024, 2048), f"/data/gt/{name}.png", f"/data/pred/{name}.png", None,
                     (digest, digest))  # fmt: skip


@contextmanager
def timed(what: str) -> Iterator[Callable[[str], None]]:
    more: list[str] = []
    clock, cpu = time.perf_counter(), time.process_time()
    yield more.append
    told = Path("/proc/self/status").read_text().splitlines()
    peak = next(line.split()[1] for line in told if line.startswith("VmHWM"))
    seconds = f"{time.perf_counter() - clock:.1f} | {time.process_time() - cpu:.1f}"
    print(f"| {what} | {seconds} | {int(peak) / 1e3:.0f} | {''.join(more)} |", flush=True)


def statistics(images: int, shards: int, files: bool, below: str | None) -> None:
    from maskmeter.concluding import Asked, conclude, write
    from maskmeter.deciding import Question
    from maskmeter.statistics.by_class import SUMS
    from maskmeter.store import Store
    from maskmeter.uncertainty import Resampling

    question = Question("/data/gt", "/data/pred", None, "semantic", None, (), None, None, "stop", "stop", 0.5, False)
    asked = Asked(question, tuple(METRICS), images)
    print(f"{images:,} images in {shards} shards\n")
    print("| step | clock s | CPU s | peak memory so far, MB | size |\n|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(dir=below) as made:
        each = images // shards
        for k in range(shards):
            with timed(f"shard {k + 1}: {each:,} images into a store") as says:
                store = Store.create(Path(made) / str(k))
                asked.write(store)
                records = some_records(k * each, each)
                while batch := list(islice(records, 1000)):
                    store.add(batch)
                store.settle()
                says(f"{store.path.stat().st_size / 1e6:,.0f} MB")
        whole = Store.create(Path(made) / "run")
        with timed("all shards into one store") as says:
            for k in range(shards):
                whole.absorb(Store.open(Path(made) / str(k)), SUMS)
                (Path(made) / str(k) / "run.sqlite").unlink()
            says(f"{whole.path.stat().st_size / 1e6:,.0f} MB")
        with timed("counts pooled, classes decided"):
            done = conclude(asked, whole)
            done.statistic("confusion")
        with timed("means over images, the table without intervals"):
            done.resampling = Resampling("none")
            done.rows()
        with timed("intervals: 2,000 resamples"):
            done.resampling = Resampling()
            done.add([])  # forgets the table
            done.draws()
        if files:
            with timed("values of all images into the store, rows.csv") as says:
                write(Path(made) / "run", whole, done)
                sizes = {f: (Path(made) / "run" / f).stat().st_size / 1e6 for f in ("run.sqlite", "rows.csv")}
                says(", ".join(f"{f} {size:,.0f} MB" for f, size in sizes.items()))
        print(f"\nmean_iou {done.value('mean_iou'):.6f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["engines", "waiting", "memory", "statistics"])
    parser.add_argument("--images", type=int, nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--no-files", action="store_true", help="statistics: write no values of single images")
    parser.add_argument("--below", help="statistics: the folder to work in")
    given = parser.parse_args()
    print(f"Processor: {processor()}, {os.cpu_count()} cores\n")
    if given.what == "engines":
        engines((given.images or [2000])[0], given.rounds)
    elif given.what == "waiting":
        os.environ["PYTHONPATH"] = str(Path(__file__).parent)
        os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
        waiting((given.images or [2000])[0])
    elif given.what == "memory":
        memory(given.images or [1000, 10_000, 100_000])
    else:
        statistics((given.images or [1_000_000])[0], given.shards, not given.no_files, given.below)


if __name__ == "__main__":
    main()
