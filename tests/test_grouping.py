"""Groups of images: said by a template or a table, kept by a run, honoured by a comparison."""

import json
from pathlib import Path

import numpy as np
import pytest

import maskmeter as mm
from maskmeter.cli import main
from maskmeter.comparison import compare
from maskmeter.grouping import groups_of


def test_a_template_takes_as_little_as_it_can() -> None:
    names = ["a/p1_x_2", "b/p2_y_9"]
    assert groups_of("{site}/{patient}_*", names)[1] == {"a/p1_x_2": "a/p1", "b/p2_y_9": "b/p2"}
    assert groups_of("{site}/*", names)[1] == {"a/p1_x_2": "a", "b/p2_y_9": "b"}
    assert groups_of("*_{last}", names)[1] == {"a/p1_x_2": "2", "b/p2_y_9": "9"}
    assert groups_of(lambda n: n[0], names)[1] == {"a/p1_x_2": "a", "b/p2_y_9": "b"}
    for wrong, says in (("*", "neither a template"), ("{patient}.x", "does not fit the image a/p1_x_2")):
        with pytest.raises(mm.UsageError, match=says):
            groups_of(wrong, names)


def test_a_table_names_images_with_or_without_suffix(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("id,image\np1,a.png\np2,b\n")
    assert groups_of(f"{table}:id", ["a", "b"]) == ("id", {"a": "p1", "b": "p2"})
    with pytest.raises(mm.DataError, match="image c has no group"):
        groups_of(f"{table}:id", ["a", "c"])
    with pytest.raises(mm.DataError, match="no column age; there are id, image"):
        groups_of(f"{table}:age", ["a"])
    table.write_text("id,image\np1,a\np2,a\n")
    with pytest.raises(mm.DataError, match="two values"):
        groups_of(f"{table}:id", ["a"])
    table.write_text("id,image\np1\n")
    with pytest.raises(mm.DataError, match="row 2 has 1 cells"):
        groups_of(f"{table}:id", ["a"])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("grouped")
    rng = np.random.default_rng(0)
    for side in ("gt", "a", "b"):
        (root / side).mkdir()
    for i in range(24):
        gt = rng.integers(0, 3, (12, 12), np.uint8)
        np.save(root / f"gt/p{i % 6}_{i}.npy", gt)
        for side in "ab":
            wrong = rng.random(gt.shape) < 0.1 + 0.1 * (i % 6)
            np.save(root / f"{side}/p{i % 6}_{i}.npy", np.where(wrong, (gt + 1) % 3, gt))
    return root


def test_a_run_keeps_its_groups_and_a_comparison_wants_the_same(data: Path, tmp_path: Path) -> None:
    by = {"group_by": "{patient}_*", "intervals": "bca"}
    runs = {s: mm.evaluate(data / "gt", data / s, ["mean_iou"], out=tmp_path / s, **by) for s in "ab"}
    kept = mm.open_run(tmp_path / "a")
    assert repr(kept.rows()) == repr(runs["a"].rows())
    said = json.loads((tmp_path / "a/results.json").read_text())
    assert said["intervals"]["method"] == "bootstrap, bca" and said["intervals"]["groups"] == 6
    assert said["rows"][0]["doubts"] == ["few"]
    assert "intervals:bca(resamples=2000,seed=0)|groups:6,{patient}_*" in said["rows"][0]["signature"]
    plain = mm.evaluate(data / "gt", data / "a", ["mean_iou"], intervals="bca")
    wide, narrow = (r.rows()[0].high - r.rows()[0].low for r in (kept, plain))
    assert wide > 1.2 * narrow
    assert compare(kept, runs["b"]).images == 24
    with pytest.raises(mm.UsageError, match="group their images in different ways"):
        compare(kept, plain)
    other = mm.evaluate(data / "gt", data / "b", ["mean_iou"], group_by="{patient}_*")
    with pytest.raises(mm.UsageError, match="differ in intervals"):
        compare(kept, other)


def test_shards_merge_to_the_same_groups(data: Path, tmp_path: Path) -> None:
    whole = mm.evaluate(data / "gt", data / "a", ["mean_iou"], out=tmp_path / "w", group_by="{patient}_*")
    for i in (1, 2):
        mm.evaluate(
            data / "gt", data / "a", ["mean_iou"], out=tmp_path / f"s{i}", group_by="{patient}_*", shard=(i, 2)
        )  # fmt: skip
    merged = mm.merge([tmp_path / "s1", tmp_path / "s2"], tmp_path / "m")
    assert repr(merged.rows()) == repr(whole.rows())
    assert (tmp_path / "m/results.json").read_bytes() == (tmp_path / "w/results.json").read_bytes()


def test_the_command_line(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["evaluate", str(data / "gt"), str(data / "a"), "-m", "mean_iou", "--format", "json"]
    assert main([*call, "--group-by", "{patient}_*", "--intervals", "bca(seed=2)"]) == 0
    assert json.loads(capsys.readouterr().out)["intervals"]["by"] == "{patient}_*"
    assert main([*call, "--intervals", "none"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["low"] is None
    assert main([*call, "--intervals", "often"]) == 2
    assert main([*call, "--group-by", "patient"]) == 2
    assert main([*call, "--group-by", "nowhere.csv:patient"]) == 3


def test_the_summary_says_which_intervals_are_not_to_be_trusted(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["evaluate", str(data / "gt"), str(data / "a"), "-m", "mean_iou"]
    assert main([*call, "--group-by", "{patient}_*"]) == 0
    assert "! intervals rest on few groups (below 20 they are too narrow): all" in capsys.readouterr().out
    assert main(call) == 0
    assert "! intervals" not in capsys.readouterr().out


def test_what_the_report_computes_besides_draws_the_same_groups() -> None:
    from maskmeter.report.findings import Findings

    done = mm.Evaluation(["recall"], intervals="bca(resamples=200)")
    for i in range(8):
        done.update([0, 1, 1, 2], [0, i % 2, 1, 2], image=f"{i}", group=f"p{i // 2}")
    assert "|intervals:bca(resamples=200,seed=0)|groups:4,group|" in Findings(done).row(mm.mean_iou, "pooled").signature
