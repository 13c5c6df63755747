"""COCO files as they are: what is read, what is repaired, and what is an error that names the place."""

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskmeter.cli import main
from maskmeter.errors import DataError, FormatError
from maskmeter.formats.coco import Annotations, Results, is_detection, read_annotations, read_results
from maskmeter.judging import read_detections

SHARED = Path(__file__).resolve().parents[3] / "shared/data"

GT: dict[str, Any] = {
    "info": {"year": "2024"},
    "licenses": None,
    "images": [
        {"id": 7, "height": 4, "width": 6, "file_name": "b.png"},
        {"id": 3, "height": 4, "width": 6, "file_name": "a.png"},
    ],
    "categories": [{"id": 9, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": [
        {
            "id": 5, "image_id": 7, "category_id": 2, "iscrowd": 0, "area": 4, "bbox": [0, 0, 2, 2],
            "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2], [3, 0, 5, 0, 5, 2.5]],
        },
        {
            "id": 6, "image_id": 3, "category_id": 9, "iscrowd": 1, "area": 5.5, "ignore": 1,
            "segmentation": {"size": [4, 6], "counts": [1, 3, 20]},
        },
    ],
}  # fmt: skip
RESULTS: list[dict[str, Any]] = [
    {"image_id": 3, "category_id": 2, "score": 0.5, "bbox": [1, 2, 3, 4]},
    {"image_id": 7, "category_id": 9, "score": 0.25, "segmentation": {"size": [4, 6], "counts": "13d0"}},
]


def written(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
    return path


def gt_of(tmp_path: Path, change: Any = None) -> Annotations:
    value = copy.deepcopy(GT)
    if change:
        value = change(value) or value
    return read_annotations(written(tmp_path / "gt.json", value))


def results_of(tmp_path: Path, change: Any = None) -> Results:
    value: Any = copy.deepcopy(RESULTS)
    if change:
        value = change(value) or value
    return read_results(written(tmp_path / "dt.json", value), gt_of(tmp_path))


def put(value: Any, *path: Any) -> Any:
    """A change that puts a value at a place."""

    def change(whole: Any) -> None:
        for step in path[:-1]:
            whole = whole[step]
        whole[path[-1]] = value

    return change


def drop(*path: Any) -> Any:
    def change(whole: Any) -> None:
        for step in path[:-1]:
            whole = whole[step]
        del whole[path[-1]]

    return change


def test_ground_truth_in_columns(tmp_path: Path) -> None:
    gt = gt_of(tmp_path)
    assert gt.images.id.tolist() == [3, 7]
    assert gt.images.name == ["a.png", "b.png"]
    assert gt.categories.id.tolist() == [2, 9]
    assert gt.categories.name == ["dog", "cat"]
    assert gt.id.tolist() == [5, 6]
    assert gt.image.tolist() == [1, 0]
    assert gt.category.tolist() == [0, 1]
    assert gt.area.tolist() == [4, 5.5]
    assert gt.crowd.tolist() == [False, True]
    assert gt.ignore.tolist() == [False, True]
    np.testing.assert_array_equal(gt.box, [[0, 0, 2, 2], [np.nan] * 4])
    s = gt.segmentation
    assert s.kind.tolist() == [1, 3]
    assert s.size.tolist() == [[4, 6], [4, 6]]
    assert s.polygon_offsets.tolist() == [0, 8, 14]
    assert s.mask_offsets.tolist() == [0, 2, 2]
    assert s.counts.tolist() == [1, 3, 20]
    assert (gt.repairs, gt.notes) == ([], [])


def test_results_in_columns(tmp_path: Path) -> None:
    pred = results_of(tmp_path)
    assert pred.image.tolist() == [0, 1]
    assert pred.category.tolist() == [0, 1]
    assert pred.score.tolist() == [0.5, 0.25]
    assert pred.segmentation.kind.tolist() == [0, 2]
    begin, end = pred.segmentation.span[1].tolist()
    assert bytes(pred.segmentation.text[begin:end]) == b"13d0"
    assert (pred.repairs, pred.notes) == ([], [])


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_layout_gzip_and_byte_order_mark(tmp_path: Path, indent: int | None, packed: bool, mark: bytes) -> None:
    text = mark + json.dumps(GT, indent=indent).encode()
    path = tmp_path / "gt.json.gz"
    # Members of gzip may follow one another.
    path.write_bytes(gzip.compress(text[:50]) + gzip.compress(text[50:]) if packed else text)
    assert is_detection(path)
    assert read_annotations(path).id.tolist() == [5, 6]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("7", "annotations", 0, "image_id"), "image_id is a string of digits"),
        (put(2.0, "annotations", 0, "category_id"), "category_id is written as a float"),
        (put("3", "images", 1, "id"), "id is a string of digits"),
        (put(1, "annotations", 0, "image_id"), "left out"),
        (drop("annotations", 0, "iscrowd"), "iscrowd is missing"),
        (drop("annotations", 0, "id"), "no id"),
        (put([0, 0, 2, 0, 2, 2], "annotations", 0, "segmentation"), "lies bare"),
        (put("cat", "categories", 1, "name"), "told apart"),
        (put("b.png", "images", 1, "file_name"), "told apart"),
        (drop("images", 1, "height"), "taken from its RLEs"),
    ],
)
def test_what_is_repaired_is_listed_with_its_place(tmp_path: Path, change: Any, said: str) -> None:
    gt = gt_of(tmp_path, change)
    assert len(gt.repairs) == 1
    assert said in gt.repairs[0]
    assert "`$." in gt.repairs[0]
    assert gt.images.height.tolist() == [4, 4]


def test_missing_ids_are_numbered_after_the_others(tmp_path: Path) -> None:
    assert gt_of(tmp_path, drop("annotations", 0, "id")).id.tolist() == [7, 6]


def test_annotations_of_unlisted_images_are_left_out(tmp_path: Path) -> None:
    gt = gt_of(tmp_path, put(1, "annotations", 0, "image_id"))
    assert gt.row.tolist() == [1]
    assert gt.segmentation.mask_offsets.tolist() == [0, 0]
    assert gt.segmentation.counts.tolist() == [1, 3, 20]


def named(gt: dict[str, Any], results: list[dict[str, Any]]) -> None:
    """Give images, categories and annotations names for ids; in order "00" and "x" are images 7 and 3."""
    images, kinds = {7: "00", 3: "x"}, {9: "cat", 2: "dog"}
    for side in (gt["annotations"], results):
        for r in side:
            r["image_id"], r["category_id"] = images[r["image_id"]], kinds[r["category_id"]]
    for a in gt["annotations"]:
        a["id"] = f"annotation-{a['id']}"
    for listed, names in ((gt["images"], images), (gt["categories"], kinds)):
        for r in listed:
            r["id"] = names[r["id"]]


def test_ids_may_be_names(tmp_path: Path) -> None:
    gt, results = copy.deepcopy(GT), copy.deepcopy(RESULTS)
    named(gt, results)
    a = read_annotations(written(tmp_path / "gt.json", gt))
    r = read_results(written(tmp_path / "dt.json", results), a)
    assert a.images.id.tolist() == [0, 1] and a.images.name == ["b.png", "a.png"] and a.image.tolist() == [0, 1]
    assert a.categories.name == ["cat", "dog"] and a.category.tolist() == [1, 0] and sorted(a.id.tolist()) == [1, 2]
    assert r.image.tolist() == [1, 0] and r.category.tolist() == [1, 0]
    said = " ".join(a.repairs)
    assert "image_id is a name: numbered in the order of the names (at `$.images[0].id` and 1 more)" in said
    assert "category_id is a name" in said and "no id that is a number" in said
    results[0]["image_id"] = "y"
    with pytest.raises(FormatError, match=r"image_id does not exist in the ground truth .* at `\$\[0\].image_id`"):
        read_results(written(tmp_path / "dt.json", results), a)
    results[0]["image_id"] = 3
    with pytest.raises(FormatError, match=r"image_id is 3, where the ids of the ground truth are names - at `\$\[0\]"):
        read_results(written(tmp_path / "dt.json", results), a)
    gt["annotations"] = []
    assert read_annotations(written(tmp_path / "gt.json", gt)).images.id.tolist() == [0, 1]


def test_polygons_need_the_size_of_their_image(tmp_path: Path) -> None:
    found = gt_of(tmp_path, lambda v: v["images"][0].pop("height") and None)
    with pytest.raises(FormatError, match=r"its image has no height and width.* at `\$.annotations\[0\].segmentation`"):
        found.segmentation.masks()
    assert len(found.segmentation.masks(np.array([1]))) == 1


def test_boxes_turned_inside_out_are_an_error(tmp_path: Path) -> None:
    gt = written(tmp_path / "gt.json", GT)
    dt = written(tmp_path / "dt.json", [{**RESULTS[0], "bbox": [5, 2, -3, 4]}])
    with pytest.raises(DataError, match=r"bbox has a negative width or height.* at `\$\[0\].bbox`"):
        read_detections(gt, dt, on="box")


@pytest.mark.parametrize("key", [0, -4, 2**40, 2**62])
def test_ids_may_be_zero_or_huge(tmp_path: Path, key: int) -> None:
    def change(value: Any) -> None:
        value["categories"][0]["id"] = value["annotations"][1]["category_id"] = key
        value["images"][0]["id"] = value["annotations"][0]["image_id"] = key

    gt = gt_of(tmp_path, change)
    assert gt.categories.id[gt.category].tolist() == [2, key]
    assert gt.images.id[gt.image].tolist() == [key, 3]


def test_notes_say_what_is_left_as_it_is(tmp_path: Path) -> None:
    def twice(value: Any) -> None:
        value["annotations"].append(copy.deepcopy(value["annotations"][0]))
        value["annotations"][1]["id"] = 0

    zero, twins, objects = gt_of(tmp_path, twice).notes
    assert "id 0" in zero
    assert "ids are duplicates, the first is 5" in twins
    assert "1 duplicate annotations, the first `$.annotations[2]`, the same as `$.annotations[0]`" in objects
    (percent,) = results_of(tmp_path, put(90, 0, "score")).notes
    assert "the first is 90 at `$[0].score`" in percent
    (empty,) = results_of(tmp_path, lambda _: "[]").notes
    assert "no results" in empty


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put(-1, "annotations", 0, "area"), r"area is -1, .*`\$\.annotations\[0\]\.area`"),
        (put(5, "annotations", 0, "category_id"), r"category_id 5 does not exist.*2, 9"),
        (put(3, "images", 0, "id"), r"image id 3 is there twice \(duplicate id\).*`\$\.images\[1\]\.id`"),
        (put([6, 4], "annotations", 1, "segmentation", "size"), r"seem swapped - at `\$\.annotations\[1\]\.segm"),
        (put([4, 7], "annotations", 1, "segmentation", "size"), "size \\[4, 7\\]"),
        (put([4, -6], "annotations", 1, "segmentation", "size"), "size is no list of two integers"),
        (put([1.5, 3, 20], "annotations", 1, "segmentation", "counts"), r"1\.5.*integer.*counts\[0\]`"),
        (put(None, "annotations", 1, "segmentation", "counts"), "counts are null"),
        (put(float("nan"), "annotations", 0, "segmentation", 1, 2), r"nan.*finite.*segmentation\[1\]\[2\]`"),
        (put("10", "annotations", 0, "segmentation", 0, 0), r'"10".*number.*segmentation\[0\]\[0\]`'),
        (put([1, 2, 3], "annotations", 0, "bbox"), "four numbers"),
        (put(2, "annotations", 0, "iscrowd"), "neither 0 nor 1"),
        (put(True, "annotations", 0, "image_id"), "true, where an integer"),
        (put("x1", "annotations", 0, "image_id"), '"x1", where an integer'),
        (put(2**70, "annotations", 0, "image_id"), "where an integer"),
        (drop("annotations", 0, "category_id"), r"category_id is missing - at `\$\.annotations\[0\]`"),
        (drop("categories"), "no list of categories"),
        (put([], "categories"), "no categories"),
        (put([], "images"), "no images"),
        (drop("images"), "no list of images"),
        (drop("annotations"), "no list `annotations`"),
        (put([], "annotations", 0, "segments_info"), "panoptic"),
        (put("x", "annotations", 0), '"x", where a record is an object'),
        (lambda v: [v], "list, as results are"),
        (lambda v: json.dumps(v)[:-1] + ', "annotations": []}', r"'annotations' is there twice \(duplicate key\)"),
        (lambda v: json.dumps(v).replace('"area"', '"id": 5, "area"'), r"'id' is there twice.*annotations\[0\]\.id`"),
        (lambda v: json.dumps(v)[:200], "truncated"),
        (lambda v: json.dumps(v).replace('"2024"', "[" * 100_000 + "]" * 100_000), "nested too deeply"),
        (lambda v: json.dumps(v).replace("9", "9" * 5000), "integer"),
        (lambda v: "3", "neither an object nor a list"),
    ],
)
def test_what_cannot_be_repaired_is_an_error_with_its_place(tmp_path: Path, change: Any, said: str) -> None:
    with pytest.raises(FormatError, match=said) as caught:
        gt_of(tmp_path, change)
    assert str(caught.value).startswith(str(tmp_path / "gt.json"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (drop(0, "score"), r"score is missing - at `\$\[0\]`"),
        (put(float("nan"), 0, "score"), r"score is nan"),
        (put("0.5", 0, "score"), r'score is "0\.5"'),
        (put(8, 0, "image_id"), r"image_id 8 does not exist in the ground truth .*`\$\[0\]\.image_id`"),
        (lambda v: [put(1, k, "category_id")(v) for k in (0, 1)] and None, r"category_id 1 does not exist"),
        (drop(0, "bbox"), "neither segmentation nor bbox"),
        (put([6, 4], 1, "segmentation", "size"), "seem swapped"),
        (lambda v: {"annotations": v}, "an object, not a list"),
        (lambda v: json.dumps(v).replace('"score": 0.5', '"score": 0.5, "score": 0.5'), "'score' is there twice"),
    ],
)
def test_results_that_cannot_be_evaluated(tmp_path: Path, change: Any, said: str) -> None:
    with pytest.raises(FormatError, match=said) as caught:
        results_of(tmp_path, change)
    assert str(caught.value).startswith(str(tmp_path / "dt.json"))


def test_ids_off_by_one_are_told(tmp_path: Path) -> None:
    def change(value: Any) -> None:
        value[0]["category_id"], value[1]["category_id"] = 1, 8

    with pytest.raises(FormatError, match="off by one"):
        results_of(tmp_path, change)


def test_damaged_gzip(tmp_path: Path) -> None:
    whole = gzip.compress(json.dumps(GT).encode())
    for broken in (whole[:-20], whole[:15] + b"xxxx" + whole[19:], whole + b"rest"):
        path = tmp_path / "gt.json.gz"
        path.write_bytes(broken)
        with pytest.raises(FormatError, match="gzip"):
            read_annotations(path)


def test_lvis_lists(tmp_path: Path) -> None:
    def change(value: Any) -> None:
        value["images"][0]["neg_category_ids"] = [9, 2]
        value["images"][1]["not_exhaustive_category_ids"] = [9]
        for c, letter in zip(value["categories"], "fr", strict=True):
            c["frequency"] = letter

    gt = gt_of(tmp_path, change)
    assert gt.images.negative is not None
    assert gt.images.not_exhaustive is not None
    assert gt.images.negative.values.tolist() == [1, 0]
    assert gt.images.negative.offsets.tolist() == [0, 0, 2]
    assert gt.images.not_exhaustive.offsets.tolist() == [0, 1, 1]
    assert gt.categories.frequency == ["r", "f"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data beside the repository")
@pytest.mark.parametrize(
    ("gt", "pred", "numbers"),
    [
        ("coco_100/gt_instances_val2014_100.json", "coco_100/pred_fakesegm100.json", (100, 80, 839, 734)),
        ("coco_100/gt_instances_val2014_100.json", "coco_100/pred_fakebbox100.json", (100, 80, 839, 734)),
        ("coco_tumour/gt_test.json", "coco_tumour/pred_test_modelA.json", (100, 2, 57, 400)),
        ("lvis_100/gt.json", "lvis_100/pred.json", (100, 1230, 977, 1219)),
    ],
)
def test_real_files(gt: str, pred: str, numbers: tuple[int, ...]) -> None:
    a = read_annotations(SHARED / gt)
    r = read_results(SHARED / pred, a)
    assert (len(a.images), len(a.categories), len(a), len(r)) == numbers


def test_masks_are_decoded_by_kind_in_any_order(tmp_path: Path) -> None:
    gt = gt_of(tmp_path)
    assert gt.segmentation.masks().areas().tolist() == [7, 3]
    assert gt.segmentation.masks(np.array([1, 0, 1])).areas().tolist() == [3, 7, 3]
    pred = results_of(tmp_path)
    assert pred.segmentation.masks(np.array([1])).areas().tolist() == [3]


def test_a_box_is_no_mask(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no mask to evaluate.*--on box.*`\$\[0\]"):
        results_of(tmp_path).segmentation.masks()


def test_a_mask_that_is_none_names_its_record(tmp_path: Path) -> None:
    gt = gt_of(tmp_path, put([1, 3, 19], "annotations", 1, "segmentation", "counts"))
    with pytest.raises(FormatError, match=r"23.*`\$\.annotations\[1\]\.segmentation`"):
        gt.segmentation.masks()


@pytest.mark.parametrize(("broken", "code"), [(False, 0), (True, 3)])
def test_inspect_prints_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], broken: bool, code: int
) -> None:
    gt = written(tmp_path / "gt.json", GT)
    pred = written(tmp_path / "dt.json", RESULTS if broken else RESULTS[1:])
    assert main(["inspect", str(gt), str(pred), "--format", "json"]) == code
    facts = json.loads(capsys.readouterr().out)
    assert facts["task"] == "detection"
    assert facts["gt"]["segmentations"] == {"polygons": 1, "uncompressed RLE": 1}
    assert len(facts["problems"]) == broken
    assert main(["inspect", str(gt), str(pred)]) == code
    assert "1 uncompressed RLE" in capsys.readouterr().out
