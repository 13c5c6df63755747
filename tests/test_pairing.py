"""Pairing: by name only, complete or refused, and the same on every run."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmeter.errors import MaskmeterError, PairingError, UsageError
from maskmeter.pairing import Pair, Pairing, Pairs, check_complete, find_pairs, named
from maskmeter.texts import Texts

Tree = Callable[..., tuple[Path, Path]]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Make empty files: those of `gt`, those of `pred`; the two folders."""

    def make(gt: str | list[str], pred: str | list[str]) -> tuple[Path, Path]:
        for side, names in (("gt", gt), ("pred", pred)):
            (tmp_path / side).mkdir(exist_ok=True)
            for name in names.split() if isinstance(names, str) else names:
                path = tmp_path / side / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        return tmp_path / "gt", tmp_path / "pred"

    return make


def shown(pairing: Pairing) -> dict[str, tuple[str, str | None]]:
    """Name -> the two file names."""
    return {p.name: (p.gt.name, p.pred and p.pred.name) for p in pairing.pairs}


def refusal(gt: Path, pred: Path, pairs: str | None = None, kind: type[MaskmeterError] = PairingError) -> str:
    with pytest.raises(kind) as caught:
        find_pairs(gt, pred, pairs)
    message = str(caught.value)
    assert message.isprintable()
    return message


# ------------------------------------------------------------------ by name


def test_by_relative_path_without_suffix(tree: Tree) -> None:
    gt, pred = tree("b.png a/1.png a/2.tif c.TIFF d.png", "a/1.npy a/2.tif b.png c.npy 1.png")
    pairing = find_pairs(gt, pred)
    assert pairing == Pairing(
        (
            Pair("a/1", gt / "a/1.png", pred / "a/1.npy"),
            Pair("a/2", gt / "a/2.tif", pred / "a/2.tif"),
            Pair("b", gt / "b.png", pred / "b.png"),
            Pair("c", gt / "c.TIFF", pred / "c.npy"),
            Pair("d", gt / "d.png", None),
        ),
        ("d",),
        ("1",),
        "by relative path without suffix",
    )


def test_order_of_names_not_of_files_decides(tree: Tree) -> None:
    names = [f"{i}.png" for i in range(40)]
    shuffled = random.Random(1).sample(names, 40)
    gt, pred = tree(names, shuffled)
    assert [p.name for p in find_pairs(gt, pred).pairs] == sorted(str(i) for i in range(40))


def test_other_and_hidden_files_are_passed_over(tree: Tree) -> None:
    gt, pred = tree("a.png a.txt .b.png .git/c.png Thumbs.db", "a.png readme.md .d.png")
    pairing = find_pairs(gt, pred)
    assert shown(pairing) == {"a": ("a.png", "a.png")}
    assert pairing.missing == pairing.extra == ()


@pytest.mark.parametrize("side", ["gt", "pred"])
def test_two_files_of_one_name_are_refused(tree: Tree, side: str) -> None:
    two = "x/a.png x/a.npy"
    gt, pred = tree(*((two, "x/a.png") if side == "gt" else ("x/a.png", two)))
    message = refusal(gt, pred)
    assert f"{gt.parent / side}: x/a.npy and x/a.png are both the" in message


@pytest.mark.parametrize(
    ("gts", "preds", "template"),
    [
        ("bonn/1_gt.png bonn/21_gt.png", "1_pred.png 21_pred.png", "{folder}/{name}_gt.png={name}_pred.png"),
        ("x_1_gt_a.png x_2_gt_a.png", "x_1.tif x_2.tif", "{name}_gt_a.png={name}.tif"),
        ("a_gt.png", "a_pred.tif", "{name}_gt.png={name}_pred.tif"),
        ("a/b/1.png", "1.png", "{folder}/{folder1}/{name}.png={name}.png"),
        ("1.png 2.png", "3.png 4.png", None),
        ("a/1.png b/1.png", "1.png", None),
    ],
)
def test_nothing_in_common_offers_a_template_that_works(tree: Tree, gts: str, preds: str, template: str | None) -> None:
    gt, pred = tree(gts, preds)
    message = refusal(gt, pred)
    assert f": {gts.split()[0]} in {gt}, {preds.split()[0]} in {pred}; " in message
    offered = message.split("'")[1]
    assert offered == (template or "{name}_gt.png={name}_pred.png")
    if template:
        assert find_pairs(gt, pred, offered).missing == ()


def test_folders_without_images(tree: Tree, tmp_path: Path) -> None:
    gt, pred = tree("a.txt sub/b.md", "a.png")
    assert refusal(gt, pred) == (f"nothing to evaluate: no label files in {gt} (it holds 2 other files, such as a.txt)")
    (tmp_path / "empty").mkdir()
    assert refusal(pred, tmp_path / "empty") == f"nothing to evaluate: no label files in {tmp_path / 'empty'}"
    assert refusal(tmp_path / "none", pred) == f"{tmp_path / 'none'}: no such folder, file or glob of ground truths"
    assert refusal(pred, tmp_path / "none") == f"{tmp_path / 'none'}: no such folder, file or glob of predictions"


@pytest.mark.skipif(sys.platform == "win32", reason="needs names that Windows does not allow")
def test_hostile_names_are_kept(tree: Tree) -> None:
    names = ["a\nb", "it's", 'say "x"', "\u202egpj", "=1+1", "-rf", "<b>", "%s{}", "\udcff\udcfe", "a[1]*"]
    files = [f"{name}.png" for name in names]
    gt, pred = tree(files, files)
    pairing = find_pairs(gt, pred)
    assert [p.name for p in pairing.pairs] == sorted(names)
    assert all(p.gt == gt / f"{p.name}.png" and p.pred == pred / f"{p.name}.png" for p in pairing.pairs)
    (pred / "a\nb.png").unlink()
    (pred / "\udcff\udcfe.png").unlink()
    with pytest.raises(PairingError, match=r"2 ground truths have no prediction: a\\nb, \\xff\\xfe \(") as caught:
        check_complete(find_pairs(gt, pred))
    assert str(caught.value).isprintable()


# ------------------------------------------------------------------ links


def test_links_are_followed_but_not_in_circles(tree: Tree) -> None:
    gt, pred = tree("a/1.png", "a/1.png b/1.png")
    (gt / "b").symlink_to(gt / "a")
    (gt / "a" / "up").symlink_to(gt)
    (gt / "a" / "self").symlink_to(gt / "a")
    (pred / "a" / "up").symlink_to("..")
    pairing = find_pairs(gt, pred)
    assert shown(pairing) == {"a/1": ("1.png", "1.png"), "b/1": ("1.png", "1.png")}
    assert pairing.extra == ()


def test_a_link_to_a_file_is_a_file_and_a_broken_one_an_error(tree: Tree, tmp_path: Path) -> None:
    gt, pred = tree("a.png", "a.png")
    (gt / "b.png").symlink_to(gt / "a.png")
    assert find_pairs(gt, pred).missing == ("b",)
    (gt / "c.png").symlink_to(tmp_path / "gone.png")
    assert refusal(gt, pred).startswith(f"{gt / 'c.png'}: a broken link")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_an_error(tree: Tree) -> None:
    gt, pred = tree("a.png", "a.png")
    os.mkfifo(pred / "b.png")
    assert refusal(gt, pred).startswith(f"{pred / 'b.png'}: ")


# ------------------------------------------------------------------ single files and globs


def test_single_files_pair_whatever_their_names(tree: Tree) -> None:
    gt, pred = tree("a.b.png b.png", "z.npy")
    pairing = find_pairs(gt / "a.b.png", pred / "z.npy")
    assert pairing == Pairing((Pair("a.b", gt / "a.b.png", pred / "z.npy"),), (), (), "one file each")
    assert "a folder, while" in refusal(gt / "b.png", pred)
    assert "a folder, while" in refusal(gt, pred / "z.npy")
    assert refusal(gt / "b.png", pred / "gone.png") == f"{pred / 'gone.png'}: no such file"
    assert "a single file, where a folder" in refusal(gt / "b.png", pred, "{name}.png={name}.npy")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.png", ["a1", "b[1]"]),
        ("**/*.png", ["a1", "b[1]", "x/a2", "x/y/a3"]),
        ("**", ["a1", "a4", "b[1]", "x/a2", "x/y/a3"]),
        ("x/**/*.png", ["x/a2", "x/y/a3"]),
        ("*/*.png", ["x/a2"]),
        ("*/*/*", ["x/y/a3"]),
        ("a?.*", ["a1", "a4"]),
        ("**/a[2-3].png", ["x/a2", "x/y/a3"]),
        ("**/a[!2-3].*", ["a1", "a4"]),
        ("b[[]1].png", ["b[1]"]),
        ("*[]]*", ["b[1]"]),
    ],
)
def test_globs(tree: Tree, pattern: str, names: list[str]) -> None:
    files = ["a1.png", "a4.tif", "x/a2.png", "x/y/a3.png", "b[1].png", "a.txt"]
    gt, pred = tree(files, files)
    start = "x/" if pattern.startswith("x/") else ""  # names are relative to the folder before the first wildcard
    pairing = find_pairs(gt / pattern, pred / start)
    assert [start + p.name for p in pairing.pairs] == names


def test_a_folder_with_a_bracket_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "[1]").mkdir()
    (tmp_path / "[1]" / "a.png").touch()
    assert len(find_pairs(tmp_path / "[1]", tmp_path / "[1]").pairs) == 1


def test_a_glob_that_matches_nothing(tree: Tree) -> None:
    gt, pred = tree("a.png", "a.png")
    assert refusal(gt / "*.tif", pred) == f"nothing to evaluate: no label files in {gt / '*.tif'}"
    assert "no such folder, file or glob" in refusal(gt / "no" / "*.tif", pred)


# ------------------------------------------------------------------ templates


def test_template(tree: Tree) -> None:
    gt, pred = tree(
        "bonn/bonn_1_labels.png bonn/bonn_1_color.png ulm/ulm_2_labels.png ulm/ulm_3_labels.png",
        "bonn_1_pred.png ulm_2_pred.png ulm_4_pred.png note_pred.tif",
    )
    pairing = find_pairs(gt, pred, "{city}/{name}_labels.png={name}_pred.png")
    assert shown(pairing) == {
        "bonn/bonn_1_labels": ("bonn_1_labels.png", "bonn_1_pred.png"),
        "ulm/ulm_2_labels": ("ulm_2_labels.png", "ulm_2_pred.png"),
        "ulm/ulm_3_labels": ("ulm_3_labels.png", None),
    }
    assert pairing.missing == ("ulm/ulm_3_labels",)
    assert pairing.extra == ("ulm_4_pred",)
    assert pairing.how == (
        "by the template {city}/{name}_labels.png={name}_pred.png; files that do not match it are not used: "
        "1 of 4 in GT, such as bonn/bonn_1_color.png; 1 of 4 in PRED, such as note_pred.tif"
    )


def test_template_with_several_shared_fields(tree: Tree) -> None:
    gt, pred = tree("a/1.png a/2.png b/1.png", "1-a.png 2-a.png 1-b.png")
    pairing = find_pairs(gt, pred, "{case}/{slice}.png={slice}-{case}.png")
    assert shown(pairing) == {"a/1": ("1.png", "1-a.png"), "a/2": ("2.png", "2-a.png"), "b/1": ("1.png", "1-b.png")}
    assert pairing.how == "by the template {case}/{slice}.png={slice}-{case}.png"


def test_template_literals_are_literal(tree: Tree) -> None:
    gt, pred = tree(["a.(x)+.png", "ax(x)+.png"], ["a.png", "ax.png"])
    assert shown(find_pairs(gt, pred, "{n}.(x)+.png={n}.png")) == {"a.(x)+": ("a.(x)+.png", "a.png")}


def test_a_field_twice_on_one_side_is_one_text(tree: Tree) -> None:
    gt, pred = tree("a/a.png a/b.png", "a.png")
    assert list(shown(find_pairs(gt, pred, "{n}/{n}.png={n}.png"))) == ["a/a"]


def test_a_field_stays_within_a_component(tree: Tree) -> None:
    gt, pred = tree("x/a.png a.png", "a.png x/a.png")
    assert list(shown(find_pairs(gt, pred, "{n}.png={n}.png"))) == ["a"]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{n}.tif={n}.png", "gt: no ground truth matches '{n}.tif' of --pairs: a/1.png, for example, does not"),
        ("{d}/{n}.png={d}{n}.tif", "pred: no prediction matches '{d}{n}.tif' of --pairs: 1.png, for example, does not"),
        ("{d}/{n}.png={n}.png", "gt: a/1.png and b/1.png both have n=1; add a field"),
        (
            "a/{n}{m}.png={n}{m}.png",
            "--pairs finds no prediction for any ground truth: a/22.png has n=2 m=2, 44.png has",
        ),
    ],
)
def test_templates_that_do_not_fit(tree: Tree, template: str, message: str) -> None:
    gt, pred = tree("a/1.png b/1.png a/22.png", "1.png 44.png")
    assert message in refusal(gt, pred, template)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{a}.png={b}.png", "has no field on both sides"),
        ("x.png=x.png", "has no field on both sides"),
        ("{a}=x.png={a}.png", "needs one '='"),
    ],
)
def test_templates_that_are_none(tree: Tree, template: str, message: str) -> None:
    assert message in refusal(*tree("a.png", "a.png"), template, UsageError)


def test_two_files_that_a_template_gives_one_name(tree: Tree) -> None:
    gt, pred = tree("a.png a.tif", "a.png a.tif")
    assert "a.png and a.tif are both the ground truth of a" in refusal(gt, pred, "{n}.{s}={n}.{s}")


# ------------------------------------------------------------------ CSV


def table(folder: Path, text: str | bytes) -> str:
    path = folder / "pairs.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def test_csv(tree: Tree, tmp_path: Path) -> None:
    gt, pred = tree(["x/b.png", "a.png", "c, d.png", "unused.png"], "1.png 2.npy extra.png")
    pairs = table(tmp_path, '\ufeffgt,pred\r\nx/b.png,1.png\r\n"c, d.png",\r\n\r\na.png,pred/2.npy\r\n')
    pairing = find_pairs(gt, pred, pairs)
    assert pairing == Pairing(
        (
            Pair("a", gt / "a.png", tmp_path / "pred/2.npy"),  # not in pred/pred, so beside the CSV file
            Pair("c, d", gt / "c, d.png", None),
            Pair("x/b", gt / "x/b.png", pred / "1.png"),
        ),
        ("c, d",),
        (),
        f"by the 3 rows of {pairs}",
    )


def test_csv_with_absolute_paths_and_without_header(tree: Tree, tmp_path: Path) -> None:
    gt, pred = tree("x/a.png", "b.png")
    pairs = table(tmp_path, f"{gt / 'x' / 'a.png'},{pred / 'b.png'}\n")
    assert shown(find_pairs(gt, pred, pairs)) == {"x/a": ("a.png", "b.png")}
    other = find_pairs(pred, gt, pairs)
    assert [p.name for p in other.pairs] == ["gt/x/a"], "from the CSV file's folder where GT does not hold it"


def test_csv_beside_globs(tree: Tree, tmp_path: Path) -> None:
    gt, pred = tree("x/a.png", "b.png")
    pairs = table(tmp_path, "x/a.png,b.png")
    assert shown(find_pairs(gt / "**/*.png", pred / "*.png", pairs)) == {"x/a": ("a.png", "b.png")}


@pytest.mark.skipif(sys.platform != "linux", reason="needs names that are not UTF-8")
def test_csv_with_names_that_are_not_utf8(tree: Tree, tmp_path: Path) -> None:
    gt, pred = tree(["\udcff.png", "a\nb.png"], "1.png 2.png")
    pairs = table(tmp_path, b'\xff.png,1.png\n"a\nb.png",2.png')
    assert [p.name for p in find_pairs(gt, pred, pairs).pairs] == ["a\nb", "\udcff"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.png,1.png\nb.png,3.png", "line 2: no file 3.png in {pred} or {root}"),
        ("gt,pred\n\ngone.png,1.png", "line 3: no file gone.png in {gt} or {root}"),
        ("/gone/a.png,1.png", "line 1: no file /gone/a.png"),
        ("a.png,1.png\na.png,2.png", "line 2: a.png and line 1 are both the ground truth of a; keep one"),
        ("a.png,1.png\nx/../a.png,2.png", "line 2: x/../a.png and line 1 are both the ground truth of a"),
        ("a.png,1.png\na.npy,2.png", "line 2: a.npy and line 1 are both the ground truth of a"),
        ("a.png", "line 1: 1 cell; write gt,pred"),
        ("a.png;1.png", "line 1: 1 cell; write gt,pred"),
        ("a.png,1.png,x", "line 1: 3 cells; write gt,pred"),
        (",1.png", "line 1: no ground truth; write gt,pred"),
        ("gt,pred\n", "nothing to evaluate: no pairs in it"),
        ('a.png,"1.png', "line 1: not valid CSV: unexpected end of data"),
        ("a.png,\x00.png", "line 1: no file \\x00.png"),
        ("a.png,1.png\ngt,pred", "line 2: no file gt"),
    ],
)
def test_csv_mistakes_are_named(tree: Tree, tmp_path: Path, text: str, message: str) -> None:
    gt, pred = tree("a.png a.npy b.png x/c.png", "1.png 2.png")
    pairs = table(tmp_path, text)
    assert refusal(gt, pred, pairs).startswith(f"{pairs}: {message.format(gt=gt, pred=pred, root=tmp_path)}")


def test_neither_csv_nor_template(tree: Tree) -> None:
    gt, pred = tree("a.png", "a.png")
    assert "neither a CSV file nor a template" in refusal(gt, pred, "gone.csv")


# ------------------------------------------------------------------ complete or not


def test_complete_passes_unchanged(tree: Tree) -> None:
    pairing = find_pairs(*tree("a.png", "a.png"))
    assert check_complete(pairing) is pairing


def test_missing_and_extra_stop_together(tree: Tree) -> None:
    pairing = find_pairs(*tree("a.png b.png", "a.png c.png d.png"))
    with pytest.raises(PairingError) as caught:
        check_complete(pairing)
    assert str(caught.value) == (
        "1 ground truth has no prediction: b (--missing empty counts each as an empty prediction, "
        "--missing skip leaves them out); 2 predictions have no ground truth: c, d (--extra skip leaves them out)"
    )


def test_skipped_files_stay_on_record(tree: Tree) -> None:
    pairing = find_pairs(*tree("a.png b.png", "a.png c.png"))
    skipped = check_complete(pairing, "skip", "skip")
    assert [p.name for p in skipped.pairs] == ["a"]
    assert (skipped.missing, skipped.extra) == (("b",), ("c",))
    emptied = check_complete(pairing, "empty", "skip")
    assert [(p.name, p.pred is None) for p in emptied.pairs] == [("a", False), ("b", True)]
    with pytest.raises(PairingError, match=r"^1 prediction has no ground truth: c"):
        check_complete(pairing, "empty", "stop")
    with pytest.raises(PairingError, match=r"^1 ground truth has no prediction: b"):
        check_complete(pairing, "stop", "skip")


def test_ten_names_are_listed(tree: Tree) -> None:
    pairing = find_pairs(*tree([f"{i:02}.png" for i in range(48)], "00.png"))
    with pytest.raises(PairingError, match=r"^47 ground truths have no prediction: 01, .*, 10 and 37 more \(--missing"):
        check_complete(pairing)


def test_nothing_left_is_an_error(tree: Tree, tmp_path: Path) -> None:
    gt, pred = tree("a.png", "z.png")
    pairing = find_pairs(gt, pred, table(tmp_path, "a.png,"))
    assert check_complete(pairing, "empty") is pairing
    with pytest.raises(PairingError, match="nothing to evaluate: every prediction is missing"):
        check_complete(pairing, "skip")


# ------------------------------------------------------------------ laws


@given(st.lists(st.text(st.characters(exclude_characters="\0") | st.just("\udcff"), max_size=5), max_size=8))
def test_texts_are_strings_and_in_their_order(texts: list[str]) -> None:
    kept = Texts()
    for text in texts:
        kept.append(text)
    assert list(kept) == kept[:] == texts and list(kept.ordered()) == sorted(texts)
    assert not texts or kept[-1] == texts[-1]


@given(st.lists(st.text("ab", min_size=1, max_size=3), unique=True, max_size=6), st.text("ab", max_size=3))
def test_a_pair_is_found_by_its_name(names: list[str], name: str) -> None:
    pairs = Pairs(Path("gt"), Path("pred"))
    for i, one in enumerate(sorted(names)):
        pairs.add(one, one + ".png", None if i % 2 else one + ".npy")
    found = named(pairs, name)
    assert (found and found.name) == (name if name in names else None)
    assert list(pairs.complete()) == [p for p in pairs if p.pred is not None]
    assert pairs[1:] == list(pairs)[1:]


STEMS = st.sets(st.text("abAB.é-", min_size=1, max_size=3).filter(lambda s: s[0] != "."), min_size=1, max_size=6)


@given(STEMS, STEMS, st.booleans())
def test_every_file_is_paired_missing_or_extra(
    tmp_path_factory: pytest.TempPathFactory, gts: set[str], preds: set[str], template: bool
) -> None:
    root = tmp_path_factory.mktemp("law")
    for side, stems, tail in (("gt", gts, "_g.png"), ("pred", preds, "_p.npy")):
        (root / side).mkdir()
        for stem in stems:
            (root / side / (stem + (tail if template else tail[2:]))).touch()
    pairs = "{n}_g.png={n}_p.npy" if template else None
    if not gts & preds:
        with pytest.raises(PairingError):
            find_pairs(root / "gt", root / "pred", pairs)
        return
    pairing = find_pairs(root / "gt", root / "pred", pairs)
    end = ("_g", "_p") if template else ("", "")
    assert [p.name for p in pairing.pairs] == sorted(stem + end[0] for stem in gts)
    assert [p.name for p in pairing.pairs if p.pred is None] == list(pairing.missing)
    assert pairing.missing == tuple(sorted(stem + end[0] for stem in gts - preds))
    assert pairing.extra == tuple(sorted(stem + end[1] for stem in preds - gts))
