"""`COCOeval` against pycocotools itself, on sets with ties, crowds, ids 0 and odd areas; needs the peer."""

import contextlib
import copy
import io
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from maskmeter.compat import pycocotools as ours

pytestmark = pytest.mark.peers


def scene(seed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A small set in which most things coincide."""
    r = random.Random(seed)

    def box() -> list[int]:
        return [r.randrange(0, 40), r.randrange(0, 40), r.randrange(1, 40), r.randrange(1, 40)]

    def shape(b: list[int]) -> dict[str, Any]:
        mask = np.zeros((64, 64), np.uint8, order="F")
        mask[b[1] : b[1] + b[3], b[0] : b[0] + b[2]] = 1
        return ours.mask.encode(mask)

    annotations = [
        {"id": r.choice([n, n + 1]), "image_id": r.randrange(1, 4), "category_id": r.randrange(2), "bbox": b,
         "iscrowd": int(r.random() < 0.2), "area": r.choice([b[2] * b[3], 1024, 9216]), "segmentation": shape(b)}
        for n in range(r.randrange(1, 9)) for b in [box()]
    ]  # fmt: skip
    results = [
        {"image_id": a["image_id"], "category_id": r.choice([a["category_id"], 0]), "bbox": b,
         "score": r.choice([0.1, 0.5, 0.5, 0.9]), "segmentation": shape(b)}
        for _ in range(r.randrange(1, 12)) for a in [r.choice(annotations)] for b in [r.choice([a["bbox"], box()])]
    ]  # fmt: skip
    gt = {
        "images": [{"id": n, "height": 64, "width": 64} for n in range(1, 4)],
        "categories": [{"id": 0, "name": "a"}, {"id": 1, "name": "b"}], "annotations": annotations,
    }  # fmt: skip
    return gt, results


def evaluated(coco: Any, evaluator: Any, data: Any, on: str, change: Callable[[Any], None]) -> tuple[Any, list[str]]:
    gt, results = copy.deepcopy(data)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        g = coco()
        g.dataset = gt
        g.createIndex()
        e = evaluator(g, g.loadRes(results), on)
        change(e.params)
        e.evaluate()
        e.accumulate()
        e.summarize()
    return e, [line for line in out.getvalue().splitlines() if line.startswith(" Average")]


def plain(_: Any) -> None:
    """As it is."""


def one_class(params: Any) -> None:
    params.useCats = 0


def other(params: Any) -> None:
    params.maxDets, params.iouThrs = [1, 2, 5], np.array([0.3, 0.5, 1.0])


def by_parts(coco: Any, evaluator: Any, data: Any) -> Any:
    """As training loops evaluate that gather images from several workers: image by image, then all together."""
    gt, results = copy.deepcopy(data)
    with contextlib.redirect_stdout(io.StringIO()):
        g = coco()
        g.dataset = gt
        g.createIndex()
        e = evaluator(g, iouType="segm")
        parts, seen = [], []
        for images in ([2], [1, 3]):
            mine = [r for r in results if r["image_id"] in images]
            e.cocoDt = g.loadRes(mine) if mine else coco()
            p = e.params
            p.imgIds = list(images)
            e._prepare()
            e.ious = {(i, c): e.computeIoU(i, c) for i in images for c in p.catIds}
            found = [e.evaluateImg(i, c, a, p.maxDets[-1]) for c in p.catIds for a in p.areaRng for i in images]
            cells = np.empty(len(found), object)
            cells[:] = found
            parts.append(cells.reshape(len(p.catIds), len(p.areaRng), len(images)))
            seen += images
        e.evalImgs, e.params.imgIds = list(np.concatenate(parts, axis=2).flatten()), seen
        e._paramsEval = copy.deepcopy(e.params)
        e.accumulate()
        e.summarize()
    return e


def test_a_loop_that_gathers_images_from_workers_gets_the_same_numbers() -> None:
    theirs = pytest.importorskip("pycocotools.coco").COCO, pytest.importorskip("pycocotools.cocoeval").COCOeval
    for seed in range(40):
        a, b = by_parts(ours.COCO, ours.COCOeval, scene(seed)), by_parts(*theirs, scene(seed))
        np.testing.assert_array_equal(a.stats, b.stats)
        np.testing.assert_array_equal(a.eval["precision"], b.eval["precision"])
        for x, y in zip(a.evalImgs, b.evalImgs, strict=True):
            assert (x is None) == (y is None)
            for key in x or ():
                np.testing.assert_array_equal(x[key], y[key], err_msg=f"{seed} {key}")


@pytest.mark.parametrize("change", [plain, one_class, other])
@pytest.mark.parametrize("on", ["bbox", "segm"])
def test_it_is_pycocotools_to_the_bit(on: str, change: Callable[[Any], None]) -> None:
    theirs = pytest.importorskip("pycocotools.coco").COCO, pytest.importorskip("pycocotools.cocoeval").COCOeval
    for seed in range(40):
        data = scene(seed)
        a, said = evaluated(ours.COCO, ours.COCOeval, data, on, change)
        b, told = evaluated(*theirs, data, on, change)
        assert said == told
        np.testing.assert_array_equal(a.stats, b.stats)
        for name in ("precision", "recall", "scores"):
            np.testing.assert_array_equal(a.eval[name], b.eval[name])
        for x, y in zip(a.evalImgs, b.evalImgs, strict=True):
            assert (x is None) == (y is None)
            for key in x or ():
                np.testing.assert_array_equal(x[key], y[key], err_msg=f"{seed} {key}")
