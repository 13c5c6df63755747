"""`COCOeval`: evaluate, accumulate and summarize as pycocotools does, with its attributes and its numbers."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...kernels import Cells, Meetings, Ranked, accumulate_detections, match_detections
from . import mask as masks
from .coco import COCO, Record

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Params:
    """What is evaluated: images, categories, thresholds, ranges of area and caps."""

    def __init__(self, iouType: str = "segm") -> None:
        if iouType not in ("segm", "bbox"):
            raise UsageError(f"iouType {iouType!r} is not evaluated here; segm and bbox are")
        self.imgIds: list[Any] = []
        self.catIds: list[Any] = []
        self.iouThrs = np.linspace(0.5, 0.95, int(np.round((0.95 - 0.5) / 0.05)) + 1, endpoint=True)
        self.recThrs = np.linspace(0.0, 1.0, int(np.round(1.0 / 0.01)) + 1, endpoint=True)
        self.maxDets = [1, 10, 100]
        self.areaRng: list[list[float]] = [[0, 1e5**2], [0, 32**2], [32**2, 96**2], [96**2, 1e5**2]]
        self.areaRngLbl = ["all", "small", "medium", "large"]
        self.useCats = 1
        self.iouType = iouType
        self.useSegm: int | None = None


class COCOeval:
    """The evaluation of `cocoDt` against `cocoGt`: `evaluate()`, `accumulate()`, `summarize()`, in this order.

    evalImgs  of each category, range of area and image a dict of matches, or None
    eval      `precision` and `scores` (T, R, K, A, M), `recall` (T, K, A, M), -1 where there is nothing to find
    stats     the twelve numbers
    """

    def __init__(self, cocoGt: COCO | None = None, cocoDt: COCO | None = None, iouType: str = "segm") -> None:
        self.cocoGt, self.cocoDt = cocoGt, cocoDt
        self.evalImgs: list[Any] = []
        self.eval: dict[str, Any] = {}
        self._gts: dict[Any, list[Record]] = defaultdict(list)
        self._dts: dict[Any, list[Record]] = defaultdict(list)
        self.params = Params(iouType)
        self._paramsEval = Params(iouType)
        self.stats: Any = []
        self.ious: dict[Any, Any] = {}
        if cocoGt is not None:
            self.params.imgIds = sorted(cocoGt.getImgIds())
            self.params.catIds = sorted(cocoGt.getCatIds())

    # Evaluate

    def evaluate(self) -> None:
        """Match the detections of every image, category and range of area."""
        p = self.params
        if p.useSegm is not None:
            p.iouType = "segm" if p.useSegm == 1 else "bbox"
        print("Running per image evaluation...")
        print(f"Evaluate annotation type *{p.iouType}*")
        p.imgIds = np.unique(p.imgIds).tolist()
        if p.useCats:
            p.catIds = np.unique(p.catIds).tolist()
        p.maxDets = sorted(p.maxDets)
        self._prepare()
        kinds = p.catIds if p.useCats else [-1]
        keys = [(i, c) for i in p.imgIds for c in kinds]
        self.ious = {key: self.computeIoU(*key) for key in keys}
        matched = self._matched(keys)
        self.evalImgs = [matched[i, c, a] for c in kinds for a in range(len(p.areaRng)) for i in p.imgIds]
        self._paramsEval = copy.deepcopy(p)

    def computeIoU(self, imgId: Any, catId: Any) -> Any:
        """(D, G) IoU of an image's detections, by score, and its ground truths; [] where there are none."""
        gt, dt = self._of(imgId, catId)
        if not gt and not dt:
            return []
        name = "segmentation" if self.params.iouType == "segm" else "bbox"
        return masks.iou([d[name] for d in dt], [g[name] for g in gt], [int(g["iscrowd"]) for g in gt])

    def _prepare(self) -> None:
        if self.cocoGt is None or self.cocoDt is None:
            raise UsageError("COCOeval needs a ground truth and results")
        p = self.params
        sides = []
        for coco in (self.cocoGt, self.cocoDt):
            kinds = p.catIds if p.useCats else []
            anns = (
                coco.loadAnns(coco.getAnnIds(imgIds=p.imgIds, catIds=kinds)) if coco.dataset.get("annotations") else []
            )
            if p.iouType == "segm":
                for a in anns:
                    a["segmentation"] = coco.annToRLE(a)
            sides.append(anns)
        for g in sides[0]:
            g["ignore"] = int(bool(g.get("iscrowd")))
        self._gts, self._dts = defaultdict(list), defaultdict(list)
        for to, anns in zip((self._gts, self._dts), sides, strict=True):
            for a in anns:
                to[a["image_id"], a["category_id"]].append(a)
        self.evalImgs, self.eval = [], {}

    def _of(self, image: Any, kind: Any) -> tuple[list[Record], list[Record]]:
        """The ground truths of an image and category, and its detections by score; kind -1 is all of them."""
        kinds = self.params.catIds if kind == -1 and not self.params.useCats else [kind]
        gt = [g for c in kinds for g in self._gts.get((image, c), ())]
        dt = [d for c in kinds for d in self._dts.get((image, c), ())]
        order = np.argsort([-d["score"] for d in dt], kind="mergesort").tolist()
        return gt, [dt[i] for i in order[: self.params.maxDets[-1]]]

    def evaluateImg(self, imgId: Any, catId: Any, aRng: Sequence[float], maxDet: int) -> Record | None:
        """The matches of one image, category and range of area, as `evaluate` keeps them in `evalImgs`."""
        whole = self.params
        self.params = copy.copy(whole)
        self.params.areaRng, self.params.maxDets = [list(aRng)], [maxDet]
        try:
            found: Record | None = self._matched([(imgId, catId)])[imgId, catId, 0]
        finally:
            self.params = whole
        return None if found is None else {**found, "aRng": aRng}

    def _matched(self, keys: Sequence[tuple[Any, Any]]) -> dict[Any, Any]:
        p = self.params
        cells = [self._of(*key) for key in keys]
        begin_t, begin_d = (np.cumsum([0, *(len(c[k]) for c in cells)]) for k in (0, 1))
        gts, dts = [g for gt, _ in cells for g in gt], [d for _, dt in cells for d in dt]
        ranges = np.array(p.areaRng, np.float64).reshape(-1, 2)
        steps = np.asarray(p.iouThrs, np.float64)
        none = np.zeros(len(gts), bool)
        marks = {
            "ignore": np.array([bool(g["ignore"]) for g in gts], bool),
            "crowd": np.array([bool(int(g["iscrowd"])) for g in gts], bool),
            "unmarked": none, "excused": np.zeros(len(dts), bool),
        }  # fmt: skip
        area, truth_area = (np.array([x["area"] for x in side], np.float64) for side in (dts, gts))
        pairs = self._pairs(keys, begin_d, begin_t, float(steps.min(initial=1.0)))
        m = match_detections(
            Cells(begin_d, begin_t), pairs, area, truth_area, marks, steps, ranges, partners=True
        )  # fmt: skip
        assert m.partner is not None and m.found is not None
        gt_ids, dt_ids = (np.array([x["id"] for x in side], np.float64) for side in (gts, dts))
        by_det = np.where(m.partner < 0, 0.0, gt_ids[m.partner] if gts else 0.0)
        by_gt = np.where(m.found < 0, 0.0, dt_ids[m.found] if dts else 0.0)
        low, high = ranges[:, :1], ranges[:, 1:]
        aside = marks["ignore"] | (truth_area < low) | (truth_area > high)
        outside = (area < low) | (area > high)
        partner_aside = (
            np.stack([np.where(x < 0, False, s[x] if gts else False) for x, s in zip(m.partner, aside, strict=True)])
            if len(ranges)
            else np.zeros((0, 0, 0), bool)
        )
        left = partner_aside | ((by_det == 0) & outside[:, None])
        out: dict[Any, Any] = {}
        for n, (key, (gt, dt)) in enumerate(zip(keys, cells, strict=True)):
            d, t = slice(begin_d[n], begin_d[n + 1]), slice(begin_t[n], begin_t[n + 1])
            for a, rng in enumerate(p.areaRng):
                order = np.argsort(aside[a, t], kind="mergesort")
                out[(*key, a)] = None if not gt and not dt else {
                    "image_id": key[0], "category_id": key[1], "aRng": rng, "maxDet": p.maxDets[-1],
                    "dtIds": [x["id"] for x in dt], "gtIds": [gt[i]["id"] for i in order.tolist()],
                    "dtMatches": by_det[a, :, d], "gtMatches": by_gt[a, :, t][:, order],
                    "dtScores": [x["score"] for x in dt], "gtIgnore": aside[a, t][order].astype(int),
                    "dtIgnore": left[a, :, d],
                }  # fmt: skip
        return out

    def _pairs(self, keys: Sequence[Any], begin_d: Ints, begin_t: Ints, least: float) -> Meetings:
        parts: list[tuple[Ints, Ints, Floats]] = []
        for n, key in enumerate(keys):
            iou = self.ious[key]
            if len(iou):
                iou = np.asarray(iou)[: begin_d[n + 1] - begin_d[n]]
                d, g = np.nonzero(iou >= min(least, 1 - 1e-10))
                parts.append((d + begin_d[n], g + begin_t[n], np.asarray(iou, np.float64)[d, g]))
        empty = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        d, g, v = (np.concatenate([x[k] for x in [empty, *parts]]) for k in range(3))
        return Meetings(d.astype(np.int64), g.astype(np.int64), v.astype(np.float64))

    # Accumulate

    def accumulate(self, p: Params | None = None) -> None:
        """Precision and recall of all images together; `p` may ask for some of what was evaluated."""
        print("Accumulating evaluation results...")
        if not self.evalImgs:
            print("Please run evaluate() first")
        p = self.params if p is None else p
        p.catIds = p.catIds if p.useCats == 1 else [-1]
        done = self._paramsEval
        kinds = done.catIds if done.useCats else [-1]
        ks = [n for n, k in enumerate(kinds) if k in set(p.catIds)]
        ranges = {tuple(r) for r in p.areaRng}
        at_area = [n for n, r in enumerate(done.areaRng) if tuple(r) in ranges]
        caps = [m for m in done.maxDets if m in set(p.maxDets)]
        at_image = [n for n, i in enumerate(done.imgIds) if i in set(p.imgIds)]
        shape = len(p.iouThrs), len(p.recThrs), len(p.catIds), len(p.areaRng), len(p.maxDets)
        precision, scores = -np.ones(shape), -np.ones(shape)
        recall = -np.ones((shape[0], *shape[2:]))
        images = len(done.imgIds)
        for a, a0 in enumerate(at_area):
            entries = [
                [e for i in at_image if (e := self.evalImgs[(k * len(done.areaRng) + a0) * images + i]) is not None]
                for k in ks
            ]
            ranked, objects = self._ranked(entries, p, max(caps, default=0))
            for m, cap in enumerate(caps):
                found = accumulate_detections(ranked, objects, cap)
                precision[:, :, : len(ks), a, m], scores[:, :, : len(ks), a, m], recall[:, : len(ks), a, m] = found
        self.eval = {
            "params": p, "counts": list(shape), "date": f"{datetime.now():%Y-%m-%d %H:%M:%S}",
            "precision": precision, "recall": recall, "scores": scores,
        }  # fmt: skip

    def _ranked(self, entries: list[list[Record]], p: Params, cap: int) -> tuple[Ranked, Ints]:
        steps = len(p.iouThrs)
        if steps > 64:
            raise UsageError(f"{steps} thresholds are too many; evaluate at most 64 at a time")
        flat = [e for of in entries for e in of]
        sizes = [min(len(e["dtScores"]), cap) for e in flat]
        bits = np.uint64(1) << np.arange(steps, dtype=np.uint64)

        def words(name: str) -> NDArray[np.uint64]:
            whole = np.concatenate(
                [
                    np.empty((steps, 0), bool),
                    *(np.asarray(e[name])[:, :n] != 0 for e, n in zip(flat, sizes, strict=True)),
                ],
                axis=1,
            )
            return (whole * bits[:, None]).sum(axis=0, dtype=np.uint64)

        score = np.array([s for e, n in zip(flat, sizes, strict=True) for s in e["dtScores"][:n]], np.float64)
        rank = np.concatenate([np.empty(0, np.int64), *(np.arange(n) for n in sizes)])
        ends = np.cumsum([0, *sizes])
        begin = ends[np.cumsum([0, *(len(of) for of in entries)])]
        objects = np.array([sum(int((e["gtIgnore"] == 0).sum()) for e in of) for of in entries], np.int64)
        levels = np.asarray(p.recThrs, np.float64)
        return Ranked(begin, score, rank, words("dtMatches"), words("dtIgnore"), levels, steps, False), objects

    # Summarize

    def summarize(self) -> None:
        """Print the twelve numbers and keep them in `stats`."""
        if not self.eval:
            raise UsageError("run accumulate() first")
        caps = self.params.maxDets
        last = caps[2]
        plan: list[tuple[int, float | None, str, int]] = [
            (1, None, "all", 100), (1, 0.5, "all", last), (1, 0.75, "all", last),
            *((1, None, area, last) for area in ("small", "medium", "large")),
            *((0, None, "all", cap) for cap in caps[:3]),
            *((0, None, area, last) for area in ("small", "medium", "large")),
        ]  # fmt: skip
        self.stats = np.array([self._summarize(*one) for one in plan])

    def _summarize(self, ap: int, iouThr: float | None = None, areaRng: str = "all", maxDets: int = 100) -> float:
        p = self.params
        areas = [n for n, label in enumerate(p.areaRngLbl) if label == areaRng]
        caps = [n for n, m in enumerate(p.maxDets) if m == maxDets]
        values = self.eval["precision" if ap else "recall"]
        if iouThr is not None:
            values = values[np.where(iouThr == p.iouThrs)[0]]
        values = values[..., areas, :][..., caps]
        kept = values[values > -1]
        mean = float(np.mean(kept)) if kept.size else -1.0
        name, short = ("Average Precision", "(AP)") if ap else ("Average Recall", "(AR)")
        iou = f"{p.iouThrs[0]:0.2f}:{p.iouThrs[-1]:0.2f}" if iouThr is None else f"{iouThr:0.2f}"
        print(f" {name:<18} {short} @[ IoU={iou:<9} | area={areaRng:>6s} | maxDets={maxDets:>3d} ] = {mean:0.3f}")
        return mean

    def __str__(self) -> str:
        self.summarize()
        return ""
