"""The sample: the same bytes for a seed, the promised layout, and models that really have their faults."""

from __future__ import annotations

import gzip
import re
import struct
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy import ndimage

from maskmeter.errors import UsageError
from maskmeter.sample import Sample, cells, faults, guide, street, volume, write_sample
from maskmeter.sample.scene import BUILDING, PERSON, POLE, SIGN, SKY, VOID

Array = npt.NDArray[Any]
IMAGES = 8


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return write_sample(tmp_path_factory.mktemp("sample") / "deep" / "er", images=IMAGES)


@pytest.fixture(scope="module")
def shots() -> list[street.Shot]:
    return list(street.shots(0, IMAGES))


def pixels(path: Path) -> Array:
    with Image.open(path) as image:
        return np.asarray(image)


def files(home: Path) -> dict[str, bytes]:
    return {p.relative_to(home).as_posix(): p.read_bytes() for p in sorted(home.rglob("*")) if p.is_file()}


def stems(folder: Path) -> list[str]:
    return sorted(p.name.partition(".")[0] for p in folder.iterdir())


def read_nifti(path: Path) -> tuple[dict[str, Any], Array]:
    raw = gzip.decompress(path.read_bytes())
    dim = struct.unpack_from("<8h", raw, 40)
    code = struct.unpack_from("<h", raw, 70)[0]
    dtype = {2: np.dtype("u1"), 4: np.dtype("<i2")}[code]
    head = {
        "size": struct.unpack_from("<i", raw)[0], "dim": dim, "bitpix": struct.unpack_from("<h", raw, 72)[0],
        "pixdim": struct.unpack_from("<8f", raw, 76), "offset": struct.unpack_from("<f", raw, 108)[0],
        "units": raw[123], "forms": struct.unpack_from("<2h", raw, 252),
        "sform": np.array(struct.unpack_from("<12f", raw, 280)).reshape(3, 4), "magic": raw[344:348],
    }  # fmt: skip
    voxels = np.frombuffer(raw, dtype, offset=352).reshape(dim[1:4], order="F")
    return head, voxels


# ---------------------------------------------------------------------------------------------- bytes and folders


def test_another_seed_gives_other_images(shots: list[street.Shot]) -> None:
    other = next(street.shots(1, 1))
    assert other.name == shots[0].name
    assert not np.array_equal(other.photo, shots[0].photo)


def test_layout(written: Sample) -> None:
    home = written.folder
    assert sorted(p.name for p in home.iterdir()) == ["README.md", "cells", "street", "vessels", "volume"]
    for part, kinds, count in (
        ("street", ("images", "gt", "pred_a", "pred_b"), IMAGES),
        ("cells", ("images", "gt", "pred_a", "pred_b"), 10),
        ("vessels", ("images", "gt", "prob_a", "prob_b", "mask"), 8),
    ):
        names = stems(home / part / "gt")
        assert len(names) == count
        for kind in kinds:
            assert stems(home / part / kind) == names
    assert stems(home / "volume") == ["gt", "image", "labels", "pred_a", "pred_b"]


def test_it_says_what_it_wrote(written: Sample) -> None:
    assert [p.name for p in written.parts] == ["street", "cells", "vessels", "volume"]
    assert [p.images for p in written.parts] == [IMAGES, 10, 8, 1]
    for part in written.parts:
        assert part.size == sum(len(data) for data in files(written.folder / part.name).values())
    assert sum(p.size for p in written.parts) < 6e6
    assert len(str(written).splitlines()) == 4


def test_it_does_not_write_into_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty") as caught:
        write_sample(tmp_path, images=1)
    assert "\n" not in str(caught.value)
    assert files(tmp_path) == {"thesis.txt": b"mine"}


def test_a_foreign_readme_is_not_a_sample(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# A maskmeter sample of my own\n")
    with pytest.raises(UsageError):
        write_sample(tmp_path, images=1)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        write_sample(tmp_path / "file", images=1)
    with pytest.raises(UsageError, match="cannot write"):
        write_sample(tmp_path / "file" / "below", images=1)


@pytest.mark.parametrize("wrong", [{"images": 0}, {"images": -3}, {"seed": -1}])
def test_impossible_requests(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        write_sample(tmp_path / "new", **wrong)
    assert not (tmp_path / "new").exists()


def test_an_earlier_sample_is_replaced_by_the_same_bytes_and_the_rest_stays(tmp_path: Path, written: Sample) -> None:
    (tmp_path / "README.md").write_text(guide.README, encoding="utf-8")
    mine = {"runs/results.json", "street/gt/notes.txt", "0007_fog.png"}
    for name in (*mine, "street/gt/0007_fog.png", "street/images/0007_fog.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("old")
    write_sample(tmp_path, images=1)
    now, whole = files(tmp_path), files(written.folder)
    assert set(now) - set(whole) == mine
    assert stems(tmp_path / "street" / "images") == ["0001_day"]
    for name in set(now) - mine:
        assert now[name] == whole[name], name


def test_the_readme_names_what_is_there(written: Sample) -> None:
    text = (written.folder / "README.md").read_text(encoding="utf-8")
    assert text == guide.README
    for path in re.findall(r"(?<![\w/])(?:street|cells|vessels|volume)/[\w./]+", text):
        assert (written.folder / path).exists(), path


# ---------------------------------------------------------------------------------------------- street


def test_street_files(written: Sample) -> None:
    home = written.folder / "street"
    for name in stems(home / "gt"):
        assert re.fullmatch(r"\d{4}_(day|overcast|dusk|fog)", name)
        photo = pixels(home / "images" / f"{name}.jpg")
        assert photo.shape == (192, 320, 3)
        assert photo.dtype == np.uint8
        assert photo.std() > 15
        for kind in ("gt", "pred_a", "pred_b"):
            labels = pixels(home / kind / f"{name}.png")
            assert labels.shape == (192, 320)
            assert labels.dtype == np.uint8
            assert set(np.unique(labels)) <= {*range(9), *([VOID] if kind == "gt" else [])}


def test_street_labels_and_palette_agree(written: Sample) -> None:
    home = written.folder / "street"
    labels = tomllib.loads((home / "labels.toml").read_text())["label"]
    assert [x["id"] for x in labels] == [*range(9), 255]
    assert [x["id"] for x in labels if x.get("ignore")] == [255]
    assert len({x["color"] for x in labels}) == 10
    with Image.open(home / "gt" / "0001_day.png") as image:
        assert image.mode == "P"
        palette = image.getpalette()
    assert palette is not None
    for label in labels:
        red, green, blue = palette[3 * label["id"] : 3 * label["id"] + 3]
        assert f"#{red:02x}{green:02x}{blue:02x}" == label["color"]


def test_every_class_occurs_and_void_is_small(shots: list[street.Shot]) -> None:
    counts = np.bincount(np.concatenate([s.truth.ravel() for s in shots]), minlength=256)
    assert (counts[:9] > 300).all()
    assert 0.02 < counts[VOID] / counts.sum() < 0.12


def ious(truth: list[Array], answer: list[Array]) -> Array:
    g, p = np.concatenate([x.ravel() for x in truth]), np.concatenate([x.ravel() for x in answer])
    counted = g != VOID
    table = np.bincount(g[counted].astype(int) * 9 + p[counted], minlength=81).reshape(9, 9)
    hit = np.diag(table)
    return hit / (table.sum(axis=0) + table.sum(axis=1) - hit)


def test_neither_street_model_is_plainly_better(written: Sample) -> None:
    home = written.folder / "street"
    truth, a, b = ([pixels(p) for p in sorted((home / kind).iterdir())] for kind in ("gt", "pred_a", "pred_b"))
    per_class_a, per_class_b = ious(truth, a), ious(truth, b)
    assert 0.6 < per_class_a.mean() < 0.85
    assert 0.6 < per_class_b.mean() < 0.85
    assert abs(per_class_a.mean() - per_class_b.mean()) < 0.06
    assert (per_class_a > per_class_b)[[SKY, BUILDING]].all()
    assert (per_class_a < per_class_b)[[SIGN, POLE]].all()


def seen(shot: street.Shot, labels: Array) -> list[bool]:
    """Whether a third of it was found, of every small object."""
    answers: list[bool] = []
    for number, label in enumerate(shot.things):
        mask = shot.thing == number
        if label in (PERSON, POLE, SIGN) and 12 <= mask.sum() < faults.SMALL:
            answers.append(bool((labels[mask] == label).mean() > 1 / 3))
    return answers


def test_model_a_misses_small_objects(shots: list[street.Shot]) -> None:
    a: list[bool] = []
    b: list[bool] = []
    for index, shot in enumerate(shots):
        a += seen(shot, faults.model_a(shot, np.random.default_rng(index)))
        b += seen(shot, faults.model_b(shot, np.random.default_rng(index)))
    assert len(a) > 40
    assert np.mean(a) < 0.6 < 0.65 < np.mean(b)


def test_model_b_takes_buildings_for_sky_in_bad_weather(shots: list[street.Shot]) -> None:
    def swapped(shot: street.Shot) -> float:
        wrong = [faults.model_b(shot, np.random.default_rng(k))[shot.truth == BUILDING] == SKY for k in range(6)]
        return max(float(w.mean()) for w in wrong)

    bad = [swapped(s) for s in shots if s.name.endswith(("_fog", "_dusk"))]
    good = [swapped(s) for s in shots if s.name.endswith("_day")]
    assert min(bad) > 0.15 > 0.1 > max(good)


def test_faults_leave_the_input_alone(shots: list[street.Shot]) -> None:
    before = shots[0].whole.copy()
    faults.model_a(shots[0], np.random.default_rng(0))
    faults.model_b(shots[0], np.random.default_rng(0))
    assert np.array_equal(before, shots[0].whole)


# ---------------------------------------------------------------------------------------------- cells


def test_cells_files(written: Sample) -> None:
    home = written.folder / "cells"
    for path in sorted((home / "gt").iterdir()):
        truth = pixels(path)
        assert truth.shape == (256, 256)
        assert truth.dtype == np.uint16
        assert np.array_equal(np.unique(truth), np.arange(truth.max() + 1))
        for kind in ("pred_a", "pred_b"):
            answer = pixels(home / kind / path.name)
            assert answer.shape == truth.shape
            assert answer.dtype == np.uint16
        assert pixels(home / "images" / path.name).shape == (256, 256, 3)


def test_every_cell_is_in_one_piece() -> None:
    for culture in cells.cultures(0, 3):
        for number in range(1, int(culture.truth.max()) + 1):
            assert ndimage.label(culture.truth == number)[1] == 1


def best_overlap(ids: Array, others: Array) -> dict[int, Array]:
    """For each object of `ids`: how much of it each object of `others` covers, as a share."""
    return {n: np.bincount(others[ids == n]) / (ids == n).sum() for n in np.unique(ids[ids > 0]).tolist()}


def test_cell_models_have_their_faults() -> None:
    merged_a = merged_b = split_a = split_b = missed_a = missed_b = invented_b = 0
    for index, culture in enumerate(cells.cultures(0)):
        a = cells.model_a(culture, np.random.default_rng(index))
        b = cells.model_b(culture, np.random.default_rng(index))
        into_a, into_b = best_overlap(culture.truth, a), best_overlap(culture.truth, b)
        hosts_a = [int(s.argmax()) for s in into_a.values() if s.argmax()]
        hosts_b = [int(s.argmax()) for s in into_b.values() if s.argmax()]
        merged_a += len(hosts_a) - len(set(hosts_a))
        merged_b += len(hosts_b) - len(set(hosts_b))
        split_a += sum(int((s[1:] > 0.25).sum() > 1) for s in into_a.values())
        split_b += sum(int((s[1:] > 0.25).sum() > 1) for s in into_b.values())
        missed_a += sum(int(s[0] > 0.95) for s in into_a.values())
        missed_b += sum(int(s[0] > 0.95) for s in into_b.values())
        invented_b += sum(int(s[0] > 0.95) for s in best_overlap(b, culture.truth).values())
    assert merged_a > 20
    assert split_a == missed_a == merged_b == 0
    assert split_b > 5
    assert missed_b > 20
    assert invented_b > 5


# ---------------------------------------------------------------------------------------------- vessels


def test_vessels_files(written: Sample) -> None:
    home = written.folder / "vessels"
    for path in sorted((home / "gt").iterdir()):
        truth, view = pixels(path), pixels(home / "mask" / path.name)
        assert truth.shape == view.shape == (192, 192)
        assert set(np.unique(truth)) == set(np.unique(view)) == {0, 255}
        assert not truth[view == 0].any()
        assert 0.05 < (truth > 0)[view > 0].mean() < 0.3
        assert pixels(home / "images" / path.name).shape == (192, 192, 3)


def test_vessel_models_are_over_and_underconfident(written: Sample) -> None:
    home = written.folder / "vessels"
    truth, view, a, b = (
        np.stack([pixels(p) for p in sorted((home / kind).iterdir())]) for kind in ("gt", "mask", "prob_a", "prob_b")
    )
    inside, outside, vessel = view > 0, view == 0, truth > 0
    a, b = a / 255, b / 255
    assert np.mean((a < 0.05) | (a > 0.95), where=inside) > 0.8
    assert np.mean((b < 0.05) | (b > 0.95), where=inside) < 0.2
    assert vessel[inside & (a > 0.95)].mean() < 0.95  # sure, and wrong
    assert vessel[inside & (b > 0.6)].mean() > b[inside & (b > 0.6)].mean()  # right more often than it says
    assert (a[outside] > 0.5).mean() > 0.1  # the rim: why there is a mask
    for p in (a, b):
        hit = (p > 0.5) & vessel & inside
        dice = 2 * hit.sum() / (((p > 0.5) & inside).sum() + (vessel & inside).sum())
        assert 0.6 < dice < 0.95


# ---------------------------------------------------------------------------------------------- volume


@pytest.mark.parametrize("name", ["image", "gt", "pred_a", "pred_b"])
def test_nifti_header(written: Sample, name: str) -> None:
    head, voxels = read_nifti(written.folder / "volume" / f"{name}.nii.gz")
    assert (head["size"], head["offset"], head["magic"]) == (348, 352, b"n+1\0")
    assert head["dim"][:4] == (3, 96, 96, 24)
    assert head["pixdim"][1:4] == pytest.approx((0.8, 0.8, 3.0))
    assert (head["units"], head["forms"]) == (2, (1, 1))
    assert head["sform"][:, :3] == pytest.approx(np.diag([0.8, 0.8, 3.0]))
    assert head["sform"] @ [47.5, 47.5, 11.5, 1] == pytest.approx(0, abs=1e-4)
    assert head["bitpix"] == 8 * voxels.dtype.itemsize


def test_nifti_axis_order() -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    raw = gzip.decompress(volume.nifti(array, (3.0, 2.0, 1.0)))
    assert struct.unpack_from("<4h", raw, 40) == (3, 4, 3, 2)
    assert struct.unpack_from("<3f", raw, 80) == (1.0, 2.0, 3.0)
    assert raw[352:] == bytes(range(24))


def test_volume_models(written: Sample) -> None:
    truth, a, b = (read_nifti(written.folder / "volume" / f"{k}.nii.gz")[1] for k in ("gt", "pred_a", "pred_b"))
    assert set(np.unique(truth)) == set(np.unique(a)) == {0, 1, 2, 3}
    assert set(np.unique(b)) == {0, 1, 2}

    def dice(answer: Array, label: int) -> float:
        one, other = truth == label, answer == label
        return float(2 * (one & other).sum() / (one.sum() + other.sum()))

    assert all(0.5 < dice(a, label) < 0.97 for label in (1, 2, 3))
    assert dice(a, 3) < dice(a, 1)
    assert all(dice(b, label) > dice(a, label) for label in (1, 2))


def test_volume_labels_are_read(written: Sample) -> None:
    labels = tomllib.loads((written.folder / "volume" / "labels.toml").read_text())["label"]
    assert [x["name"] for x in labels] == ["background", "liver", "kidney", "aorta"]
    assert labels[0]["average"] is False
