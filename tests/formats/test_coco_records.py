"""The native scan of COCO files against the reader that goes through json.loads."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmeter.errors import FormatError
from maskmeter.formats._coco_lists import plain_images, read_categories, read_images
from maskmeter.formats._coco_records import COUNTS, STRING, Document, Findings, parse, scan, scan_list
from maskmeter.kernels import CocoPart, last_record


def scanned(text: bytes) -> Document | None:
    return scan(np.frombuffer(bytearray(text), np.uint8))


def equal(a: Document, b: Document) -> bool:
    """The same rows; spans are compared by what they hold."""
    same = a.is_list == b.is_list and a.images == b.images and a.categories == b.categories
    for name, column in vars(a.records).items():
        other = getattr(b.records, name)
        same &= column.dtype == other.dtype and column.shape == other.shape
        if name != "span":
            same &= column.tobytes() == other.tobytes()  # to the bit, NaN and -0.0 included
    return same and texts(a) == texts(b)


def texts(d: Document) -> list[bytes]:
    r = d.records
    return [bytes(d.text[b:e]) for kind, (b, e) in zip(r.kind, r.span.tolist(), strict=True) if kind == STRING]


def agree(text: bytes) -> bool:
    """Both ways on one text; True where the scan took it."""
    fast = scanned(text)
    if fast is None:
        return False
    found = Findings("x.json")
    slow = parse(text, found)  # raises where this is no JSON
    assert not found.problems
    assert not found.repaired
    assert equal(fast, slow)
    return True


finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300)
number = st.one_of(finite, st.integers(-(2**70), 2**70), st.integers(0, 640), st.just(-0.0))
ids = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9)
rle_text = st.text(st.characters(min_codepoint=48, max_codepoint=111), max_size=30)
extent = st.integers(0, 2**31 - 1)
segmentations = st.one_of(
    st.lists(st.lists(number, max_size=10), max_size=3),
    st.fixed_dictionaries(
        {"size": st.tuples(extent, extent), "counts": rle_text | st.text(max_size=5) | st.lists(ids, max_size=8)},
        optional={"extra": st.text()},
    ),
)
anything = st.recursive(
    st.none() | st.booleans() | number | st.text(max_size=5),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3),
    max_leaves=6,
)
clean = st.fixed_dictionaries(
    {},
    optional={
        "id": ids,
        "image_id": ids,
        "category_id": ids,
        "score": finite,
        "area": number,
        "iscrowd": st.sampled_from([0, 1, True, False]),
        "ignore": st.sampled_from([0, 1]),
        "bbox": st.tuples(number, number, number, number),
        "segmentation": segmentations,
        "attributes": anything,
        'späße\n"': anything,
    },
)
MEMBERS = [
    "id",
    "image_id",
    "category_id",
    "score",
    "area",
    "iscrowd",
    "ignore",
    "bbox",
    "segmentation",
    "segments_info",
]
dirty = st.dictionaries(st.sampled_from(MEMBERS), anything | ids | segmentations, max_size=6)


@st.composite
def files(draw: st.DrawFn, records: st.SearchStrategy[Any]) -> bytes:
    rows = draw(st.lists(records, max_size=5))
    top: Any = rows
    if draw(st.booleans()):
        members = [("annotations", rows)]
        members += [(n, draw(anything)) for n in draw(st.sets(st.sampled_from(["images", "categories", "info", "é"])))]
        top = dict(draw(st.permutations(members)))
    layout = draw(st.sampled_from([{}, {"indent": 1}, {"separators": (",", ":")}, {"indent": "\t"}]))
    return json.dumps(top, ensure_ascii=draw(st.booleans()), **layout).encode("utf-8", "replace")


@given(files(clean))
def test_clean_files_are_read_the_same(text: bytes) -> None:
    if not agree(text):  # what only the exact reader takes: escapes in keys or counts
        assert b"\\" in text


@given(files(clean | dirty))
def test_dirty_files_are_read_the_same_or_left_alone(text: bytes) -> None:
    agree(text)


@given(files(clean), st.data())
def test_damaged_files_are_read_the_same_or_left_alone(text: bytes, data: st.DataObject) -> None:
    broken = bytearray(text)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(broken)))
        cut = data.draw(st.integers(0, 2))
        broken[at : at + cut] = data.draw(
            st.sampled_from([b"", b'"', b"\\", b",", b"]", b"}", b"[", b"{", b"-", b".5", b"e9", b"0",
                             b"\xff", b"\xc3\xa9",
                             b"\xed\xa0\x80", b"\0", b"NaN", b"1e400", b"1e-400", b"null", b"\\u00e9", b" ", b":"])
        )  # fmt: skip
    agree(bytes(broken))


@given(st.text("0123456789.eE+-", min_size=1, max_size=24))
def test_numbers_are_pythons(text: str) -> None:
    agree(f'[{{"score": {text}}}]'.encode())


@given(finite)
def test_floats_come_back_to_the_bit(x: float) -> None:
    for text in (repr(x), f"{x:.17g}", f"{x:.25e}"):
        document = scanned(f'[{{"score":{text}}}]'.encode())
        if document is None:  # underflow is left to Python
            assert abs(x) < 1e-300
        else:
            assert document.records.score.tobytes() == np.float64(json.loads(text)).tobytes()


def test_escapes_in_counts_are_undone_in_place() -> None:
    text = rb'[{"segmentation":{"size":[9,9],"counts":"\\m5\\\\"}},{"segmentation":{"size":[9,9],"counts":[3,78]}}]'
    document = scanned(text)
    assert document is not None
    assert texts(document) == [rb"\m5\\"]
    assert document.records.kind.tolist() == [STRING, COUNTS]


@pytest.mark.parametrize(
    "text",
    [
        b"", b" ", b"[", b"{", b"[]x", b'[{"id":1,}]', b"[{},]", b'[{"a" 1}]', b'{"images":[]}', b"1",
        b'[{"score":01}]', b'[{"score":+1}]', b'[{"score":.5}]', b'[{"score":5.}]', b'[{"score":NaN}]',
        b'[{"score":"1"}]',
        b'[{"score":1,"score":1}]', b'[{"image_id":1.0}]', b'[{"image_id":9223372036854775808}]', b'[{"bbox":[1,2,3]}]',
        b'[{"x":"\xff"}]', b'[{"x":"\xc0\x80"}]', b'[{"x":"\xed\xa0\x80"}]', b'[{"x":"\n"}]', b'[{"x":"\\x"}]',
        b'[{"x":"\\u12g4"}]',
        b'[{"segments_info":[]}]', b'[{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}]", b'[{"x":' + b"9" * 5000 + b"}]",
        b'[{"segmentation":{"size":[1,1],"counts":"\\u0030"}}]', b'{"annotations":[],"annotations":[]}',
        b'[{"segmentation":[1,2,3,4,5,6]}]', b'[{"score":1e400}]', b'[{"score":null}]',
    ],
    ids=lambda t: t[:40].decode("latin1"),
)  # fmt: skip
def test_what_is_unusual_is_left_alone(text: bytes) -> None:
    assert scanned(text) is None


@pytest.mark.parametrize("n", range(20))
def test_every_beginning_of_a_file_is_unusual(n: int) -> None:
    text = '{"annotations": [{"id": 1, "segmentation": [[1.5, 2e3, 3]], "é": "\\u00e9\\\\"}], "images": [{}]}'.encode()
    assert agree(text)
    for end in range(n, len(text), 20):
        assert scanned(text[:end]) is None
        with pytest.raises(FormatError, match=r"no valid JSON|no COCO"):
            parse(text[:end], Findings("x.json"))


RECORDS = [
    {
        "image_id": 1,
        "category_id": 2,
        "score": 0.5,
        "name": 'a}, {"',
        "segmentation": {"size": [3, 4], "counts": "5\\\\221"},
    },
    {"image_id": 7, "category_id": 1, "score": 1e-3, "bbox": [1, 2.5, 3, 4], "more": [{"a": 1}, {"b": {}}]},
    {"image_id": 2, "category_id": 3, "score": 0.25, "segmentation": [[1, 2, 3, 4, 5, 6], []]},
    {"image_id": 2, "category_id": 3, "score": 0.25, "segmentation": {"counts": [0, 12], "size": [3, 4]}},
]


@pytest.mark.parametrize("indent", [None, 1])
def test_a_list_read_in_blocks_is_the_list(tmp_path, indent):
    rng = np.random.default_rng(0)
    path, taken = tmp_path / "list.json", 0
    for n in (0, 1, 2, 3, 40):
        text = json.dumps([RECORDS[k] for k in rng.integers(0, len(RECORDS), n)], indent=indent).encode()
        path.write_bytes(text)
        whole = scanned(text)
        for block in (*range(1, 40, 9), 300, 777, len(text), len(text) + 9):
            for threads in (1, 3):
                found = scan_list(
                    str(path), threads, block
                )  # None where a record is longer than a block, or a cut is wrong
                taken += found is not None
                assert found is None or (whole is not None and equal(found, whole))
        assert scan_list(str(path), 2, 2**20) is not None
    assert taken > 30


@pytest.mark.parametrize(
    "text",
    ['[{"image_id": 1}', '[{"image_id": 1},]', '[{"image_id": 1}] x', '{"annotations": []}', "\ufeff[]", "[1]", "[[]]",
     "[}, {]", '[{"image_id": 1}, {"image_id": 1, "image_id": 2}]'],
)  # fmt: skip
def test_an_unusual_list_is_left_to_others(tmp_path, text):
    path = tmp_path / "list.json"
    path.write_bytes(text.encode())
    for block in (8, 18, 2**20):
        assert scan_list(str(path), 1, block) is None


def test_blocks_behind_the_end_of_a_list_are_refused():
    found = CocoPart(np.empty(100, np.uint8), 0, 100, True)
    assert found.add(np.frombuffer(bytearray(b'[{"image_id": 1}]'), np.uint8))
    assert found.ended and not found.add(np.frombuffer(bytearray(b'{"image_id": 1}]'), np.uint8))
    with pytest.raises(ValueError, match="within the text"):
        CocoPart(np.empty(100, np.uint8), 90, 101, False)
    assert last_record(np.frombuffer(b'[{"a": {}}, {"b": 1} ,\n{"c"', np.uint8)) == 23


@pytest.mark.parametrize("order", [[3, 1, 2], [1, 2, 3]])
def test_plain_images_are_those_of_the_exact_reader(order):
    images = [
        {"file_name": "\u00e9" if k < 3 else "z", "width": 4, "id": k, "height": k, "x": {"y": []}} for k in order
    ]
    text = json.dumps({"images": images, "categories": [{"id": 1, "name": "a"}], "annotations": []}, ensure_ascii=False)
    document, found, other = scanned(text.encode()), Findings("x"), Findings("x")
    assert document is not None
    assert document.plain_images is not None
    a = plain_images(document.plain_images, document.text, found)
    b = read_images(images, read_categories(document.categories, other), other)
    for name in ("id", "height", "width", "row"):
        assert getattr(a, name).tolist() == getattr(b, name).tolist()
    assert (a.name, found.repairs) == (b.name, other.repairs)


@pytest.mark.parametrize(
    "odd", [{"id": 1}, {"id": "9"}, {"height": -1}, {"file_name": ""}, {"name": "x"}, {"neg_category_ids": []}]
)
def test_odd_images_go_to_the_exact_reader(odd):
    images = [
        {"id": 1, "width": 4, "height": 4, "file_name": "a"},
        {"id": 2, "width": 4, "height": 4, "file_name": "b", **odd},
    ]
    document = scanned(json.dumps({"images": images, "categories": [], "annotations": []}).encode())
    assert document is not None
    assert document.plain_images is None
    assert document.images == images
