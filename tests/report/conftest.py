"""Evaluations to report on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskmeter.evaluation import Evaluation
from maskmeter.labels import Label, LabelSet
from maskmeter.run import evaluate
from report.browser import Page, browse

Make = Callable[..., Evaluation]

LABELS = LabelSet(
    (
        Label(0, "road", (128, 64, 128)),
        Label(1, "pavement", (244, 35, 232)),
        Label(2, "car", (0, 0, 142)),
        Label(3, "sky", (70, 130, 180), average=False),
        Label(255, "void", ignore=True),
    )
)


def blocks(rng: np.random.Generator, classes: int, shape: tuple[int, int] = (48, 64)) -> np.ndarray[Any, Any]:
    """A label map of blocks of 8 pixels."""
    small = rng.integers(0, classes, (shape[0] // 8, shape[1] // 8))
    return small.repeat(8, 0).repeat(8, 1).astype(np.uint8 if classes <= 256 else np.uint16)


def spoilt(rng: np.random.Generator, gt: np.ndarray[Any, Any], classes: int, share: float) -> np.ndarray[Any, Any]:
    return np.where(rng.random(gt.shape) < share, rng.integers(0, classes, gt.shape), gt).astype(gt.dtype)


@pytest.fixture(scope="session")
def arrays() -> Make:
    """An evaluation of random arrays."""

    def make(
        classes: int = 4, images: int = 6, *, binary: bool = False, names: list[str] | None = None, **facts: Any
    ) -> Evaluation:
        rng = np.random.default_rng(classes + images)
        made = Evaluation(**facts)
        for i in range(images):
            gt = blocks(rng, classes)
            pred = spoilt(rng, gt, classes, 0.02 + 0.3 * i / images)
            kind = bool if binary else gt.dtype
            made.update(gt.astype(kind), pred.astype(kind), image=names[i] if names else f"image{i:03d}")
        return made

    return make


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set on disk: gt, pred, photographs for all images but two."""
    home = tmp_path_factory.mktemp("street")
    rng = np.random.default_rng(7)
    for folder in ("gt/day", "pred/day", "photos/day"):
        (home / folder).mkdir(parents=True)
    for i in range(30):
        gt = blocks(rng, 4)
        pred = spoilt(rng, gt, 4, i / 60)
        gt[:4] = 255
        Image.fromarray(gt).save(home / f"gt/day/{i:02d}.png")
        Image.fromarray(pred).save(home / f"pred/day/{i:02d}.png")
        if i not in (28, 29):
            photo = rng.integers(0, 255, (*gt.shape, 3)).astype(np.uint8)
            Image.fromarray(photo).resize((128, 96)).save(home / f"photos/day/{i:02d}.jpg")
    return home


@pytest.fixture(scope="session")
def street_run(street: Path) -> Evaluation:
    return evaluate(street / "gt", street / "pred", labels=LABELS, images=street / "photos")


@pytest.fixture(scope="session")
def vessels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Score maps on disk: gt (0 and 255), 8- and 16-bit scores, floats, logits, regions, a few photographs."""
    home = tmp_path_factory.mktemp("vessels")
    rng = np.random.default_rng(11)
    for folder in ("gt", "u1", "u2", "f4", "logits", "region", "photos"):
        (home / folder).mkdir()
    for i in range(5):
        gt = (blocks(rng, 4) == 0).astype(np.uint8) * 255
        score = np.clip((gt > 0) * 0.4 + 0.3 + rng.normal(0, 0.15 + 0.05 * i, gt.shape), 0, 1)
        region = np.zeros(gt.shape, np.uint8)
        region[6:-6, 8:-8] = 1
        Image.fromarray(gt).save(home / f"gt/{i}.png")
        Image.fromarray((score * 255).astype(np.uint8)).save(home / f"u1/{i}.png")
        Image.fromarray((score * 65535).astype(np.uint16)).save(home / f"u2/{i}.png")
        np.save(home / f"f4/{i}.npy", score.astype(np.float32))
        np.save(home / f"logits/{i}.npy", ((score - 0.5) * 8).astype(np.float32))
        Image.fromarray(region).save(home / f"region/{i}.png")
        if i:
            photo = rng.integers(0, 255, (*gt.shape, 3)).astype(np.uint8)
            Image.fromarray(photo).save(home / f"photos/{i}.png")
    return home


@pytest.fixture(scope="session")
def vessels_run(vessels: Path) -> Evaluation:
    return evaluate(vessels / "gt", vessels / "u1", mask=vessels / "region", images=vessels / "photos")


@pytest.fixture(scope="session")
def bodies_run(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """Volumes with spacing: two classes, of which one is missed in an image and one has a stray piece in another."""
    home = tmp_path_factory.mktemp("bodies")
    for i in range(3):
        gt = np.zeros((6, 24, 30), np.uint8)
        gt[1:5, 4:15, 5 + i : 16] = 1
        gt[2:4, 17:22, 20:26] = 2
        pred = np.roll(gt, i + 1, axis=2)
        pred[pred == 2] = 0 if i == 1 else 2
        pred[1, 2, 28] = 1 if i == 2 else 0
        for side, array in (("gt", gt), ("pred", pred)):
            (home / side).mkdir(exist_ok=True)
            np.save(home / side / f"{i}.npy", array)
    return evaluate(home / "gt", home / "pred", spacing=(2.5, 0.8, 0.8), task="semantic")


def discs(places: list[tuple[int, int, int]], shape: tuple[int, int] = (96, 128)) -> np.ndarray[Any, Any]:
    """A map of round objects, given by row, column and radius; later ones lie on earlier ones."""
    out = np.zeros(shape, np.uint16)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    for id, (row, column, radius) in enumerate(places, 1):
        out[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = id
    return out


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Instance maps on disk. Image 0: one object of each fate; then images that get worse; the last is perfect."""
    home = tmp_path_factory.mktemp("cells")
    rng = np.random.default_rng(13)
    for folder in ("gt", "pred", "photos"):
        (home / folder).mkdir()
    # Matched, missed, split in three, and two that are merged; and a hallucinated one.
    gt = [discs([(16, 16, 10), (16, 60, 9), (50, 30, 14), (76, 90, 10), (76, 108, 8)])]
    pred = discs([(17, 16, 10), (30, 100, 7)])
    pred[gt[0] == 3] = 3
    pred[(gt[0] == 3) & (np.arange(128) > 24)] = 4
    pred[(gt[0] == 3) & (np.arange(128) > 35)] = 5
    pred[66:87, 80:117] = 6
    preds = [pred]
    for i in range(1, 15):
        truth = discs([(14 + 24 * r, 16 + 24 * c, 6 + i % 4) for r in range(3) for c in range(4 + i % 2)])
        lost = rng.random(int(truth.max()) + 1) < i / 20
        gt.append(truth)
        preds.append(np.where(lost[truth] & (i < 14), 0, np.roll(truth, i < 14)).astype(np.uint16))
    for i, (g, p) in enumerate(zip(gt, preds, strict=True)):
        Image.fromarray(g).save(home / f"gt/{i:02d}.png")
        Image.fromarray(p).save(home / f"pred/{i:02d}.png")
        photo = rng.integers(0, 255, (*g.shape, 3)).astype(np.uint8)
        Image.fromarray(photo).save(home / f"photos/{i:02d}.png")
    return home


@pytest.fixture(scope="session")
def cells_run(cells: Path) -> Evaluation:
    return evaluate(cells / "gt", cells / "pred", task="instance", images=cells / "photos")


# The browser


@pytest.fixture(scope="session")
def tab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browse(chromium, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def quiet(tab: Page) -> Iterator[Page]:
    """The tab; afterwards nothing may have gone wrong in it, and nothing may have been fetched."""
    tab.trouble.clear()
    tab.requests.clear()
    yield tab
    assert tab.trouble == []
    assert [u for u in tab.requests if not u.startswith(("file:", "data:"))] == []
    assert len([u for u in tab.requests if u.startswith("file:")]) <= 1
