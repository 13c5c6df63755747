"""`COCO`: annotations by image and category, under the names that pycocotools gave them."""

from __future__ import annotations

import copy
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from . import mask as masks

Record = dict[str, Any]


class COCO:
    """A file of annotations, or none.

    >>> c = COCO()
    >>> c.dataset = {"images": [{"id": 3, "height": 2, "width": 2}], "categories": [{"id": 1}], "annotations": []}
    >>> c.createIndex()
    creating index...
    index created!
    >>> c.getImgIds(), c.getCatIds()
    ([3], [1])
    """

    def __init__(self, annotation_file: str | os.PathLike[str] | None = None) -> None:
        self.dataset: Record = {}
        self.anns: dict[Any, Record] = {}
        self.cats: dict[Any, Record] = {}
        self.imgs: dict[Any, Record] = {}
        self.imgToAnns: dict[Any, list[Record]] = defaultdict(list)
        self.catToImgs: dict[Any, list[Any]] = defaultdict(list)
        if annotation_file is not None:
            with open(annotation_file, encoding="utf-8") as file:
                dataset = json.load(file)
            if not isinstance(dataset, dict):
                raise UsageError(f"{annotation_file}: is no object with images, annotations and categories")
            self.dataset = dataset
            self.createIndex()

    def createIndex(self) -> None:
        """Find everything by its id, from `dataset`."""
        print("creating index...")
        data = self.dataset
        self.imgToAnns, self.catToImgs = defaultdict(list), defaultdict(list)
        self.anns = {a["id"]: a for a in data.get("annotations", ())}
        self.imgs = {i["id"]: i for i in data.get("images", ())}
        self.cats = {c["id"]: c for c in data.get("categories", ())}
        for a in data.get("annotations", ()):
            self.imgToAnns[a["image_id"]].append(a)
            if "categories" in data:
                self.catToImgs[a["category_id"]].append(a["image_id"])
        print("index created!")

    def info(self) -> None:
        """Print what the file says of itself."""
        for key, value in self.dataset["info"].items():
            print(f"{key}: {value}")

    def getAnnIds(
        self, imgIds: Any = (), catIds: Any = (), areaRng: Sequence[float] = (), iscrowd: bool | None = None
    ) -> list[Any]:
        """The ids of the annotations that fit all of what is given; nothing given is everything."""
        images, kinds = _several(imgIds), _several(catIds)
        if images:
            found: Iterable[Record] = [a for i in images if i in self.imgToAnns for a in self.imgToAnns[i]]
        else:
            found = self.dataset["annotations"]
        wanted = set(kinds)
        return [
            a["id"]
            for a in found
            if (not kinds or a["category_id"] in wanted)
            and (not len(areaRng) or areaRng[0] < a["area"] < areaRng[1])
            and (iscrowd is None or a["iscrowd"] == iscrowd)
        ]

    def getCatIds(self, catNms: Any = (), supNms: Any = (), catIds: Any = ()) -> list[Any]:
        """The ids of the categories that fit all of what is given."""
        names, above, ids = _several(catNms), _several(supNms), _several(catIds)
        return [
            c["id"]
            for c in self.dataset.get("categories", ())
            if (not names or c["name"] in names)
            and (not above or c["supercategory"] in above)
            and (not ids or c["id"] in ids)
        ]

    def getImgIds(self, imgIds: Any = (), catIds: Any = ()) -> list[Any]:
        """The ids of the images that are among these and hold all of these categories."""
        images, kinds = _several(imgIds), _several(catIds)
        if not images and not kinds:
            return list(self.imgs)
        ids = set(images)
        for at, kind in enumerate(kinds):
            here = set(self.catToImgs[kind])
            ids = here if at == 0 and not ids else ids & here
        return list(ids)

    def loadAnns(self, ids: Any = ()) -> list[Record]:
        """The annotations with these ids."""
        return [self.anns[i] for i in _several(ids)]

    def loadCats(self, ids: Any = ()) -> list[Record]:
        """The categories with these ids."""
        return [self.cats[i] for i in _several(ids)]

    def loadImgs(self, ids: Any = ()) -> list[Record]:
        """The images with these ids."""
        return [self.imgs[i] for i in _several(ids)]

    def loadRes(self, resFile: Any) -> COCO:
        """Results of this data set: a file, a list, or an array (N, 7) of image, box, score and category."""
        print("Loading and preparing results...")
        if isinstance(resFile, str | os.PathLike):
            with open(resFile, encoding="utf-8") as file:
                found: Any = json.load(file)
        else:
            found = self.loadNumpyAnnotations(resFile) if isinstance(resFile, np.ndarray) else resFile
        if not isinstance(found, list):
            raise UsageError("results are a list of objects")
        results: list[Record] = found
        unknown = {a["image_id"] for a in results} - set(self.getImgIds())
        if unknown:
            raise UsageError(f"results of image {min(unknown, key=str)!r}, which is not in the ground truth")
        out = COCO()
        out.dataset["images"] = list(self.dataset["images"])
        first = results[0] if results else {}
        boxed = len(first.get("bbox", ())) > 0
        if first and not boxed and "segmentation" not in first:
            raise UsageError(
                "results have neither bbox nor segmentation; keypoints and captions are not evaluated here"
            )
        if results and "categories" in self.dataset:
            out.dataset["categories"] = copy.deepcopy(self.dataset["categories"])
        for number, a in enumerate(results, 1):
            if boxed:
                x, y, w, h = a["bbox"]
                if "segmentation" not in a:
                    a["segmentation"] = [[x, y, x, y + h, x + w, y + h, x + w, y]]
                a["area"] = w * h
            else:
                a["area"] = masks.area(a["segmentation"])
                if "bbox" not in a:
                    a["bbox"] = masks.toBbox(a["segmentation"])
            a["id"], a["iscrowd"] = number, 0
        out.dataset["annotations"] = results
        out.createIndex()
        return out

    def loadNumpyAnnotations(self, data: NDArray[Any]) -> list[Record]:
        """Rows of image, x, y, width, height, score, category as results."""
        if data.ndim != 2 or data.shape[1] != 7:
            raise UsageError(f"an array of results has 7 columns, not the shape {data.shape}")
        rows: list[list[float]] = data.tolist()
        return [{"image_id": int(r[0]), "bbox": r[1:5], "score": r[5], "category_id": int(r[6])} for r in rows]

    def annToRLE(self, ann: Record) -> Record:
        """The mask of an annotation, in compressed counts."""
        image = self.imgs[ann["image_id"]]
        h, w = image["height"], image["width"]
        shape = ann["segmentation"]
        if isinstance(shape, list):
            return masks.merge(masks.frPyObjects(shape, h, w))
        if isinstance(shape["counts"], list):
            return masks.frPyObjects(shape, h, w)
        return shape

    def annToMask(self, ann: Record) -> NDArray[np.uint8]:
        """The mask of an annotation as an array."""
        return masks.decode(self.annToRLE(ann))


def _several(given: Any) -> list[Any]:
    """One or more, as a list."""
    return list(given) if hasattr(given, "__iter__") and not isinstance(given, str) else [given]
