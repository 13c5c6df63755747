"""Reading a label PNG of 1024 x 2048 pixels and 19 classes: ours, Pillow and imagecodecs on the same bytes.

    python benchmarks/read_png.py

CPU time of one thread, median over rounds in which every reader takes its turn: once to warm up, as in
an evaluation that reads image after image, and once by the clock. The map is generated: smooth segments,
about 85 pixels from border to border along a row, as in street scenes. The parts of our reader are listed
too; what is missing to the sum is Python.
"""

from __future__ import annotations

import io
import statistics
import time
import zlib
from collections.abc import Callable

import deflate
import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import zoom

from maskmeter import formats, kernels

ROUNDS = 30


def street(height: int = 1024, width: int = 2048, classes: int = 19, seed: int = 0) -> NDArray[np.uint8]:
    """Where the largest of some smooth random fields is which."""
    rng = np.random.default_rng(seed)

    def field(rows: int, columns: int) -> NDArray[np.float64]:
        return zoom(rng.normal(size=(rows, columns)), (height / rows, width / columns), order=3)

    return np.argmax([field(7, 13) + 0.06 * field(65, 129) for _ in range(classes)], 0).astype(np.uint8)


def medians(jobs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Milliseconds of CPU time."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(ROUNDS):
        for name, job in jobs.items():
            job()
            start = time.thread_time()
            job()
            times[name].append(1e3 * (time.thread_time() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def image_data(png: bytes) -> bytes:
    """The compressed bytes of all IDAT chunks."""
    at, found = 8, b""
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        if png[at + 4 : at + 8] == b"IDAT":
            found += png[at + 8 : at + 8 + length]
        at += 12 + length
    return found


def main() -> None:
    labels = street()
    height, width = labels.shape
    file = io.BytesIO()
    Image.fromarray(labels).save(file, "PNG")
    png = file.getvalue()
    packed = image_data(png)
    raw = zlib.decompress(packed)
    filters = np.bincount(np.frombuffer(raw, np.uint8)[:: width + 1], minlength=5).tolist()
    np.testing.assert_array_equal(formats.decode(png, "a.png").array, labels)
    print(
        f"{len(png)} bytes, rows by filter {filters}, {labels.size / (np.diff(labels) != 0).sum():.0f} pixels per run"
    )
    jobs: dict[str, Callable[[], object]] = {
        "maskmeter": lambda: formats.decode(png, "a.png"),
        "  inflate": lambda: deflate.zlib_decompress(packed, len(raw)),
        "  samples": lambda: kernels.png_samples(raw, width, height, 8, 1, False),
        "Pillow": lambda: np.asarray(Image.open(io.BytesIO(png))),
        "imagecodecs": lambda: imagecodecs.png_decode(png),
        "zlib alone": lambda: zlib.decompress(packed, bufsize=len(raw)),
    }
    for name, milliseconds in medians(jobs).items():
        print(f"{name:12} {milliseconds:7.2f} ms")


if __name__ == "__main__":
    main()
