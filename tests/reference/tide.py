"""Kinds of detection errors and what they cost, written plainly after the description of TIDE and its package."""

from typing import Any

from .detections import box_iou

Record = dict[str, Any]
KINDS = ("classification", "localisation", "both", "duplicate", "background", "missed")


def average_precision(entries: list[tuple[Any, float, bool]], objects: dict[Any, int]) -> float:
    """The mean over classes; entries (class, score, right) come in the order that decides between equal scores."""
    classes = {c for c, n in objects.items() if n} | {c for c, _, _ in entries}
    total = 0.0
    for c in sorted(classes):
        mine = sorted((e for e in entries if e[0] == c), key=lambda e: -e[1])
        n = objects.get(c, 0)
        if n == 0:
            continue
        curve, right = [], 0
        for k, (_, _, ok) in enumerate(mine, 1):
            right += ok
            curve.append((right / n, right / k))
        for level in range(101):
            reached = [p for i, (r, _) in enumerate(curve) if r >= level / 100 for p in [max(q for _, q in curve[i:])]]
            total += reached[0] if reached else 0.0
    return total / (101 * len(classes)) if classes else float("nan")


def judge(truths: list[Record], found: list[Record], iou: float) -> tuple[list[Record], list[Record], list[Record]]:
    """Entries (detections), objects, and errors of all images, in the order in which they are found."""
    entries: list[Record] = []
    objects: list[Record] = []
    errors: list[Record] = []
    for image in sorted({x["image"] for x in (*truths, *found)}):
        dets = [{**x, "state": "wrong"} for x in found if x["image"] == image]
        dets = sorted(dets, key=lambda x: -x["score"])[:100]
        every = [x for x in truths if x["image"] == image]
        gts = [{**x, "taken": False, "usable": False, "best": None} for x in every if not x["crowd"]]
        crowds = [x for x in every if x["crowd"]]
        meet = [[box_iou(d["box"], g["box"], False) for g in gts] for d in dets]
        for d, row in zip(dets, meet, strict=True):
            free = [(v, -j) for j, v in enumerate(row) if gts[j]["class"] == d["class"] and not gts[j]["taken"]]
            if free and max(free)[0] >= iou:
                gts[-max(free)[1]]["taken"] = True
                d["state"] = "right"
        for d in dets:
            if d["state"] == "wrong" and any(
                c["class"] == d["class"] and box_iou(d["box"], c["box"], True) > iou for c in crowds
            ):
                d["state"] = "left out"
        for d, row in zip(dets, meet, strict=True):
            if d["state"] != "right":
                kind, about = kind_of(d, row, gts, iou)
                d["kind"] = kind
                errors.append({"kind": kind, "det": d, "about": about})
                if about is not None and not about["taken"]:
                    about["usable"] = True
                    if about["best"] is None or d["score"] > about["best"]["score"]:
                        about["best"] = d
        errors += [{"kind": "missed", "gt": g} for g in gts if not g["taken"] and not g["usable"]]
        entries += dets
        objects += gts
    return entries, objects, errors


def kind_of(d: Record, row: list[float], gts: list[Record], iou: float) -> tuple[str, Record | None]:
    """The kind of a detection that is not right, and the object that it is about."""

    def best(among: Any) -> tuple[float, Record | None]:
        value, at = max(((v if among(g) else 0.0, -j) for j, (v, g) in enumerate(zip(row, gts, strict=True))))
        return value, gts[-at]

    if not gts:
        return "background", None
    value, g = best(lambda g: g["class"] == d["class"])
    if 0.1 <= value <= iou:
        return "localisation", g
    value, g = best(lambda g: g["class"] != d["class"])
    if value >= iou:
        return "classification", g
    if best(lambda g: g["class"] == d["class"] and g["taken"])[0] >= iou:
        return "duplicate", None
    return ("background" if max(row) <= 0.1 else "both"), None


def gains(truths: list[Record], found: list[Record], iou: float = 0.5) -> dict[str, float]:
    """The AP before, the gain of each kind, and the number of each, as `n <kind>`."""
    entries, objects, errors = judge(truths, found, iou)
    number = {c: sum(g["class"] == c for g in objects) for c in {g["class"] for g in objects}}
    base = average_precision(
        [(d["class"], d["score"], d["state"] == "right") for d in entries if d["state"] != "left out"], number
    )
    out = {"ap": base, **{f"n {k}": float(sum(e["kind"] == k for e in errors)) for k in KINDS}}
    right = [(d["class"], d["score"], True) for d in entries if d["state"] == "right"]
    for kind in KINDS:
        mended: list[tuple[Any, float, bool]] = []
        left = dict(number)
        for e in errors:
            if e["kind"] != kind:
                if "det" in e and e["det"]["state"] == "wrong":
                    mended.append((e["det"]["class"], e["det"]["score"], False))
            elif kind == "missed":
                left[e["gt"]["class"]] -= 1
            elif e["about"] is not None and not e["about"]["taken"] and e["about"]["best"] is e["det"]:
                mended.append((e["about"]["class"], e["det"]["score"], True))
        out[kind] = max(average_precision([*mended, *right], left) - base, 0.0)
    wrong = [(d["class"], 0.0, False) for d in entries if d["state"] == "wrong"]
    out["false_positive"] = average_precision([*wrong, *((c, 1.0, True) for c, _, _ in right)], number) - base
    taken = {c: sum(g["class"] == c and g["taken"] for g in objects) for c in number}
    plain = [(d["class"], d["score"], False) for d in entries if d["state"] == "wrong"]
    out["false_negative"] = average_precision([*plain, *right], taken) - base
    return out
