"""Label files: each kind is read by content, mistakes are named, and what is written reads back."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmeter.errors import FormatError, LabelError, MaskmeterError, UsageError
from maskmeter.formats.labelfile import read_labels, write_labels
from maskmeter.formats.labelsets import voc_color
from maskmeter.labels import Label, LabelSet


def read(tmp_path: Path, text: str | bytes, name: str = "labels") -> LabelSet:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_labels(path)


def refusal(tmp_path: Path, text: str | bytes) -> str:
    """The message with which a text is refused: one line that names the file."""
    with pytest.raises((LabelError, FormatError)) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    prefix = f"{tmp_path / 'labels'}: "
    assert message.startswith(prefix)
    assert message.isprintable()
    return message.removeprefix(prefix)


# ------------------------------------------------------------------ TOML


def test_toml_says_everything(tmp_path: Path) -> None:
    text = """
    # classes
    [[label]]
    id = 0
    name = "road"
    color = "#804080"
    source = [7, 8]
    parent = "flat"
    thing = false
    [[label]]
    id = 1
    color = [1, 2, 255]
    average = false
    tolerance = 2
    [[label]]
    id = 255
    ignore = true
    """
    assert read(tmp_path, text) == LabelSet(
        (
            Label(0, "road", (128, 64, 128), (7, 8), "flat", thing=False),
            Label(1, color=(1, 2, 255), average=False, tolerance=2.0),
            Label(255, ignore=True),
        )
    )


def test_name_of_the_file_does_not_matter(tmp_path: Path) -> None:
    assert read(tmp_path, "[[label]]\nid = 4\n", "labels.json").classes == (4,)
    assert read(tmp_path, "label = [{id = 4}]", "labels.yaml").classes == (4,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[label]]\nname = 'x'", "label 1 has no id; add id = N, the number of its pixels"),
        ("[[label]]\nid = 3\ncolour = '#ffffff'", "label 1 (id 3): unknown key 'colour'; did you mean 'color'?"),
        ("[[label]]\nid = 3\nzzz = 1", "label 1 (id 3): unknown key 'zzz'; known keys are id, name, color, "),
        ("[[labels]]\nid = 3", "unknown key 'labels'; did you mean 'label'?"),
        ("[label]\nid = 3", "write [[label]] in double brackets"),
        ("label = []", "no label in it"),
        ("label = [3]", "label 1 is not a table"),
        ("[[label]]\nid = 1\n[[label]]\nid = '2'", 'label 2: id = "2" should be a whole number'),
        ("[[label]]\nid = 1.0", "label 1: id = 1.0 should be a whole number"),
        ("[[label]]\nid = true", "label 1: id = true should be a whole number"),
        (f"[[label]]\nid = {2**63}", "should be a whole number"),
        ("[[label]]\nid = 1\nname = 5", "label 1 (id 1): name = 5 should be a text in quotes"),
        ("[[label]]\nid = 1\nparent = 5", "parent = 5 should be a text in quotes"),
        ("[[label]]\nid = 1\nignore = 1", "ignore = 1 should be true or false"),
        ("[[label]]\nid = 1\naverage = 'no'", 'average = "no" should be true or false'),
        ("[[label]]\nid = 1\nthing = 0", "thing = 0 should be true or false"),
        ("[[label]]\nid = 1\ntolerance = -1", "tolerance = -1 should be a distance in mm"),
        ("[[label]]\nid = 1\ntolerance = nan", "tolerance = NaN should be a distance in mm"),
        ("[[label]]\nid = 1\ntolerance = inf", "tolerance = Infinity should be a distance in mm"),
        ("[[label]]\nid = 1\ntolerance = true", "tolerance = true should be a distance in mm"),
        ("[[label]]\nid = 1\nname = 2020-01-01", "name = 2020-01-01 should be a text"),
        ("[[label]]\nid = 1\ncolor = '#fff'", 'color = "#fff" should be "#rrggbb" or [r, g, b]'),
        ("[[label]]\nid = 1\ncolor = 'red'", 'color = "red" should be "#rrggbb"'),
        ("[[label]]\nid = 1\ncolor = [1, 2]", "color = [1, 2] should be"),
        ("[[label]]\nid = 1\ncolor = [1, 2, 256]", "color = [1, 2, 256] should be"),
        ("[[label]]\nid = 1\ncolor = [-1, 2, 3]", "color = [-1, 2, 3] should be"),
        ("[[label]]\nid = 1\nsource = 7", "source = 7 should be a list of whole numbers such as [7, 8]"),
        ("[[label]]\nid = 1\nsource = []", "source = [] should be a list of whole numbers"),
        ("[[label]]\nid = 1\nsource = [1.5]", "source = [1.5] should be a list of whole numbers"),
        ("[[label]]\nid = 1\nsource = [7, 7]", "label 1 (id 1): source 7 is listed twice"),
        ("[[label]]\nid = 1\n[[label]]\nid = 1", "label 2 (id 1): label 1 has id 1 already"),
        (
            "[[label]]\nid = 1\nsource = [2]\n[[label]]\nid = 2",
            "label 2 (id 2): source 2 belongs to label 1 (id 1) already",
        ),
        ("[[label]]\nid = ", "not valid TOML: Invalid value (at end of document)"),
        ("[[label]]\nid = 1\nid = 2", "not valid TOML: Cannot overwrite a value"),
        ("label = " + "[" * 5000, "not valid TOML: nested too deeply"),
        ("[[label]]\nid = " + "9" * 5000, "not valid TOML: "),
    ],
)
def test_toml_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"\n# nothing\n", "an empty label file"),
        (b"\x89PNG\r\n", "not UTF-8"),
        ("[[label]]\nid = 1".encode("utf-16"), "not UTF-8"),
        (b"hello", "not a label file: expected [[label]] tables (TOML)"),
        (b"x\x1b[31m;1", "found 'x\\x1b[31m;1'"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    assert message in refusal(tmp_path, data)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    with open(tmp_path / "labels", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(FormatError, match="limit"):
        read_labels(tmp_path / "labels")


def test_a_folder_and_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="directory"):
        read_labels(tmp_path)
    with pytest.raises(FormatError, match=r"no such label file.*cityscapes, cityscapes-trainids, voc"):
        read_labels(tmp_path / "none.toml")


def test_windows_text_is_read(tmp_path: Path) -> None:
    expected = LabelSet((Label(1, "a"),))
    assert read(tmp_path, b'\xef\xbb\xbf[[label]]\r\nid = 1\r\nname = "a"\r\n') == expected


# ------------------------------------------------------------------ round trip

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@st.composite
def label_sets(draw: st.DrawFn) -> LabelSet:
    numbers = draw(st.lists(INT64, min_size=1, max_size=12, unique=True))
    labels: list[Label] = []
    while numbers:
        id = numbers.pop()
        own = draw(st.integers(0, 2))
        source, numbers = tuple(numbers[:own]), numbers[own:]
        labels.append(
            Label(
                id,
                name=draw(st.none() | TEXT),
                color=draw(st.none() | st.tuples(*[st.integers(0, 255)] * 3)),
                source=source,
                parent=draw(st.none() | TEXT),
                ignore=draw(st.booleans()),
                average=draw(st.booleans()),
                thing=draw(st.none() | st.booleans()),
                tolerance=draw(st.none() | st.floats(0, allow_infinity=False)),
            )
        )
    return LabelSet(tuple(labels))


@given(label_sets())
def test_what_is_written_reads_back(tmp_path_factory: pytest.TempPathFactory, labels: LabelSet) -> None:
    path = tmp_path_factory.getbasetemp() / "round.toml"
    path.write_text(write_labels(labels), encoding="utf-8", newline="")
    assert read_labels(path) == labels


HOSTILE = [
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "a\nb\rc",
    "\u202egnp.exe",
    'say "hi"\\',
    "\x7f\x00\x85",
    "",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_kept(tmp_path: Path, name: str) -> None:
    labels = LabelSet((Label(0, name, parent=name),))
    assert read(tmp_path, write_labels(labels)) == labels
    assert read(tmp_path, json.dumps({"labels": {name: 1}})).by_id[1].name == name


def test_a_lone_surrogate_cannot_be_written() -> None:
    with pytest.raises(LabelError, match=r"'a\\xff' is not valid Unicode"):
        write_labels(LabelSet((Label(0, "a\udcff"),)))


def test_written_text_holds_no_defaults() -> None:
    labels = LabelSet((Label(3), Label(4, "car", (0, 0, 142))))
    assert write_labels(labels) == '[[label]]\nid = 3\n\n[[label]]\nid = 4\nname = "car"\ncolor = "#00008e"\n'


# ------------------------------------------------------------------ data.yaml


def test_yolo_names(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    expected = LabelSet((Label(0, "person"), Label(1, "no"), Label(2, "3")))
    assert read(tmp_path, "path: ../x\ntrain: images\nnc: 3\nnames: ['person', no, 3]\n") == expected
    assert read(tmp_path, "names:\n  0: person\n  1: no\n  2: '3'\ndownload: |\n  import os\n") == expected
    assert read(tmp_path, "--- # YOLO\nnames:\n- person\n- no\n- 3\n") == expected
    assert read(tmp_path, "names: {5: five, 2: two}").classes == (2, 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("names: [a, b]\nnc: 3", "line 2: nc is 3, but 2 names are listed"),
        ("names: [a, [b]]", "line 1: a name should be plain text"),
        ("names: {a: b}", "'a' should be a whole number, as in 0: person"),
        ("names: {0: a, 0: b}", "line 1: '0' occurs twice"),
        ("names: [a]\nnames: [b]", "line 2: 'names' occurs twice"),
        ("names: {[1]: a}", "line 1: a key should be plain text"),
        ("names: 3", "names should be a list of names or a mapping"),
        ("names: []", "line 1: no names"),
        ("names: [a", "not valid YAML: "),
        ("names: {01: a, 1: b}", "label 1 has id 1 already"),
        ("x: &a [q]\nnames: [*a]", "a name should be plain text"),
    ],
)
def test_yolo_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    pytest.importorskip("yaml")
    assert message in refusal(tmp_path, text)


def test_yaml_obeys_no_tag(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    ran = tmp_path / "ran"
    text = f"x: !!python/object/apply:os.mkdir ['{ran}']\nnames: [a]"
    assert read(tmp_path, text) == LabelSet((Label(0, "a"),))
    assert not ran.exists()


def test_without_pyyaml_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def without(name: str, package: str | None = None) -> object:
        if name == "yaml":
            raise ModuleNotFoundError(name)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(UsageError, match=r"pip install 'maskmeter\[yaml\]'"):
        read(tmp_path, "names: [a]")


# ------------------------------------------------------------------ dataset.json


def test_nnunet_of_both_versions(tmp_path: Path) -> None:
    expected = LabelSet((Label(0, "background", average=False), Label(1, "liver"), Label(2, "ignore", ignore=True)))
    assert read(tmp_path, '{"labels": {"background": 0, "liver": [1], "ignore": 2}, "numTraining": 4}') == expected
    assert read(tmp_path, '{"labels": {"0": "background", "1": "liver", "2": "ignore"}}') == expected
    assert expected.classes == (0, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"labels": {"background": 0, "whole": [1, 2], "core": [2, 3], "x": 4}}',
            "'whole', 'core' are regions of several",
        ),
        ('{"labels": {"background": 0, "whole": [1, 2]}}', "'whole' is a region of several labels; regions overlap"),
        ('{"labels": {"a": 1, "b": 1}}', "label 1 has id 1 already"),
        ('{"labels": {"a": 1, "a": 2}}', "'a' occurs twice"),
        ('{"labels": {"a": true}}', "label 'a': True should be a whole number"),
        ('{"labels": {"a": 1.5}}', "label 'a': 1.5 should be a whole number"),
        ('{"labels": {"liver": "x"}}', "label 'x': liver should be a whole number"),
        ('{"labels": {"\\ud800": 1}}', "is not valid Unicode"),
        ('{"labels": {}}', "JSON without labels"),
        ('{"labels": [1]}', "JSON without labels"),
        ('{"categories": []}', "JSON without labels"),
        ('{"labels": ', "not valid JSON: Expecting value"),
        ('{"labels": ' + '{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_nnunet_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(tmp_path, text)


# ------------------------------------------------------------------ lists

ROAD_AND_SKY = LabelSet((Label(0, "road", (128, 64, 128)), Label(1, "blue sky", (70, 130, 180))))


@pytest.mark.parametrize(
    "text",
    [
        "road,128,64,128\nblue sky,70,130,180\n",
        'name,r,g,b\r\nroad, 128, 64, 128\r\n\r\n"blue sky",70,130,180',
        "# label:color_rgb:parts:actions\nroad:128,64,128::\nblue sky:70,130,180:a,b:run\n",
        "128 64 128\t\troad\n70 130 180  blue sky\n",
    ],
)
def test_lists_of_colours(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == ROAD_AND_SKY


def test_names_in_lists_are_kept(tmp_path: Path) -> None:
    csv = read(tmp_path, "#1,1,2,3\nroad,4,5,6")  # taken for a comment it would shift every id
    assert [x.name for x in csv] == ["#1", "road"]
    csv = read(tmp_path, '=1+1,1,2,3\n"a, b",4,5,6\n7,7,8,9\n\x85x,1,1,1')
    assert [x.name for x in csv] == ["=1+1", "a, b", "7", "\x85x"]
    assert [x.name for x in read(tmp_path, "7:1,2,3::\na:b:4,5,6::")] == ["7", "a:b"]
    assert [x.name for x in read(tmp_path, "1 2 3 4 5\n1 2 4 6")] == ["4 5", "6"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("road,128,64,128\nsky,70,130\n", "line 2: 'sky,70,130' is not name,r,g,b with numbers from 0 to 255"),
        ("road,128,64,128\nsky,70,130,256\n", "line 2: "),
        ("road,128,64,128\n# sky\n", "line 2: "),
        ("road,128,64,128\nname,r,g,b\n", "line 2: "),
        ('road,128,64,128\n"sky,70,130,180', "line 2: "),
        ("road:1,2,3::\nsky:1,2,333::", "line 2: 'sky:1,2,333::' is not name:r,g,b:parts:actions"),
        ("1 2 3 road\n1 2 sky", "line 2: '1 2 sky' is not r g b name"),
        ("name,r,g,b\n", "a header without labels"),
    ],
)
def test_list_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(tmp_path, text)


# ------------------------------------------------------------------ built-in sets


def test_cityscapes_maps_label_ids_to_train_ids() -> None:
    labels = read_labels("cityscapes")
    assert labels.classes == tuple(range(19))
    assert labels.ignored == (255,)
    of = labels.id_of_source
    assert [of[i] for i in (7, 8, 11, 17, 19, 26, 28, 31, 33)] == [0, 1, 2, 5, 6, 13, 15, 16, 18]
    assert {i for i in (-1, *range(34), 255) if of[i] == 255} == {-1, *range(7), 9, 10, 14, 15, 16, 18, 29, 30, 255}
    assert labels.by_id[13] == Label(13, "car", (0, 0, 142), (26,), "vehicle", thing=True)
    assert {x.id for x in labels if x.thing} == set(range(11, 19)), "person to bicycle"


def test_cityscapes_by_train_id_has_the_same_classes() -> None:
    labels, by_label_id = read_labels("cityscapes-trainids"), read_labels("cityscapes")
    assert labels.id_of_source == {**{i: i for i in range(19)}, -1: 255, 255: 255}
    assert [(x.id, x.name, x.color) for x in labels] == [(x.id, x.name, x.color) for x in by_label_id]


def test_voc_colours_follow_the_formula() -> None:
    labels = read_labels("voc")
    assert labels.classes == tuple(range(21))
    assert labels.ignored == (255,)
    assert labels.by_id[15] == Label(15, "person", (192, 128, 128), thing=True)
    assert [voc_color(i) for i in (0, 1, 2, 20, 255)] == [
        (0, 0, 0),
        (128, 0, 0),
        (0, 128, 0),
        (0, 64, 128),
        (224, 224, 192),
    ]
    assert len({voc_color(i) for i in range(256)}) == 256


@pytest.mark.parametrize("name", ["cityscapes", "cityscapes-trainids", "voc"])
def test_built_in_sets_read_back(tmp_path: Path, name: str) -> None:
    labels = read_labels(name)
    assert read(tmp_path, write_labels(labels)) == labels
    assert len(labels.id_of_color) == len(labels), "colours tell all labels apart"


def test_a_file_goes_before_a_built_in_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cityscapes").mkdir()  # the data set's folder is no label file
    assert len(read_labels("cityscapes")) == 20
    (tmp_path / "voc").write_text("[[label]]\nid = 1")
    assert len(read_labels(Path("voc"))) == 1


@given(
    st.text()
    | st.sampled_from(["[[label]]\n", "names:\n", '{"labels":', "a,1,2,3\n"]).flatmap(
        lambda s: st.text().map(s.__add__)
    )
)
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    result: LabelSet | str
    try:
        result = read_labels(path)
    except MaskmeterError as error:
        result = str(error)
    assert result.isprintable() if isinstance(result, str) else len(result) > 0
