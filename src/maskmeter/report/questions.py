"""What people open the page for, answered in words: how good, where wrong, better than the other, how sure.

An answer is a few sentences with their numbers, and a link to the section that shows more. What the
evaluation cannot answer it says, with what would be needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..advisor import constant_accuracy
from ..comparison import Difference, compare, headline, remarks
from ..errors import MaskmeterError
from ..fates import recall_by_size
from ..metrics import (
    Metric,
    accuracy,
    ap_gain,
    average_precision,
    detection_errors,
    iou,
    pq,
    precision,
    recall,
    roc_auc,
    rq,
    sq,
)
from ..objects import rules_of
from ..significance import LEAST
from ..statistics.encounters import KINDS, Encounters
from . import words
from .confusion import confusable, mistakes
from .findings import AT, FOUND, RIGHT, Findings
from .gallery import choose
from .object_errors import apart, fates_of_all, wrong
from .page import fill
from .versus import named_runs

KIND_SAID = {
    "classification": "a wrong class in the right place",
    "localisation": "the right class in an inexact place",
    "both": "a wrong class in an inexact place",
    "duplicate": "finding an object twice",
    "background": "detecting what is not there",
    "missed": "missing objects",
}
FEW = 30  # images below which an interval is rough


class Answer(NamedTuple):
    """A question with its answer, and the sections that show more: (id, what the link says)."""

    question: str
    sentences: list[str]
    links: list[tuple[str, str]]


def render(found: Findings) -> str | None:
    """The part of the summary, absent without images and where nothing is ranked or curved."""
    metric = _judge(found)
    if not found.images or metric is None:
        return None
    answers = [
        Answer("How good is it?", list(_how_good(found)), []),
        Answer("Where is it wrong?", list(_where_wrong(found)), _places(found)),
        Answer("Is it better than the other?", list(_better(found, metric)), []),
        Answer("How sure is that?", list(_how_sure(found, metric)), []),
    ]
    return fill("questions.html", answers=[a for a in answers if a.sentences])


def _judge(found: Findings) -> Metric[Any, Any] | None:
    """The metric that the answers go by, the same as that of a comparison."""
    if not found.ranked:
        return roc_auc if found.class_curves else next(iter(found.precisions), None)
    return headline(found.evaluation, [*found.evaluation.metrics, *found.always])


# How good


def _how_good(found: Findings) -> Iterator[str]:
    if found.panoptic:
        yield (
            f"PQ is {_pooled(found, pq)}: of each class how well matched segments are drawn (SQ) times how many are "
            "found and not invented (RQ), then the mean over classes."
        )
        yield (
            f"So the means of the two, SQ {_pooled(found, sq)} and RQ {_pooled(found, rq)}, need not multiply to it"
            f"{_unmatched(found)}."
        )
    elif found.objects:
        mean = "" if found.overlap.binary else ", the mean over classes"
        yield (
            f"It finds {_pooled(found, FOUND, True)} of the objects, and {_pooled(found, RIGHT, True)} of what it "
            f"predicts is one of them, at IoU {AT:g}{mean}."
        )
    elif found.class_curves:
        yield (
            f"A pixel of a class scores above one of another in {_pooled(found, roc_auc, True)} of the cases (ROC AUC, "
            f"mean of the classes); average precision is {_pooled(found, average_precision)}."
        )
    elif found.precisions:
        said = [f"{m.name.upper().replace('_', ' ')} is {_pooled(found, m)}" for m in found.precisions]
        yield f"{', '.join(said)}: means over the classes."
    elif found.binary:
        yield (
            f"It finds {_pooled(found, recall, True)} of the {found.unit} that are there, and "
            f"{_pooled(found, precision, True)} of the {found.unit} it predicts are right."
        )
    if found.regions:
        yield from _of_pixels(found)


def _unmatched(found: Findings) -> str:
    """How the classes without a match count, where there are such."""
    values = np.array([found.rows[str(sq), t, "pooled"].value for t in found.evaluation.titles(sq) if t])
    values = values[~np.isnan(values)]
    none = int((values == 0).sum())
    if not none:
        return ""
    rest = f"; of the others SQ is {words.figure(float(values[values > 0].mean()))}" if none < values.size else ""
    return f": {words.count(none)} of {words.many(values.size, 'class', 'classes')} have no match and count 0{rest}"


def _of_pixels(found: Findings) -> Iterator[str]:
    m = found.headline
    if not found.objects:
        both = f"{_pooled(found, m)} over all {found.unit} and {_images(found, m)} on the average image"
        yield f"{'IoU' if found.binary else 'Mean IoU'} is {both}."
    constant = constant_accuracy(found.pooled)
    largest = found.kinds[int(found.pooled.gt.argmax())].said
    yield (
        f"{_pooled(found, accuracy, True)} of the {found.unit} have the right class; {largest} everywhere would get "
        f"{words.percent(constant)}."
    )


def _pooled(found: Findings, metric: Metric[Any, Any], share: bool = False) -> str:
    return _said(found.row(metric, "pooled").value, share)


def _images(found: Findings, metric: Metric[Any, Any], share: bool = False) -> str:
    return _said(found.row(metric, "images").value, share)


def _said(value: float, share: bool) -> str:
    if math.isnan(value):
        return "an undefined part" if share else "undefined"
    return words.percent(value) if share else words.figure(value)


# Where wrong


def _places(found: Findings) -> list[tuple[str, str]]:
    """The sections that show more, of those that are there."""
    there: list[tuple[str, str]] = []
    if found.objects and any(wrong(found.evaluation)):
        there.append(("object-errors", "the objects"))
    if not found.objects and confusable(found):
        there.append(("confusion", "all confusions"))
    if found.precisions:
        there.append(("detections", "the classes"))
    if found.precisions and found.drawable:
        there.append(("detection-errors", "the kinds of errors"))
    if choose(found):
        there.append(("gallery", "the pictures"))
    return there


def _where_wrong(found: Findings) -> Iterator[str]:
    if found.objects:
        yield from _wrong_objects(found)
    elif found.binary:
        yield from _wrong_mask(found)
    elif found.regions:
        yield from _wrong_classes(found)
    elif found.precisions:
        yield from _least(
            found, found.precisions[0], [str(t) for t in found.evaluation.titles(found.precisions[0]) if t]
        )
        yield from _wrong_detections(found)
    values = found.per_image.headline if found.ranked else np.empty(0)
    if values.size > 1 and not np.isnan(values).all():
        at = int(np.nanargmin(values))
        name, least = words.name(found.per_image.names[at]), words.figure(float(values[at]))
        yield f"The worst image is {name}, with {found.headline} {least}; the median image has {_median(values)}."


def _median(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    return words.figure(float(np.nanmedian(values)))


def _wrong_objects(found: Findings) -> Iterator[str]:
    n, alone = fates_of_all(found.evaluation)
    there = sum(k for (side, fate), k in n.items() if side == "gt" and fate != "crowd")
    predicted = sum(k for (side, _), k in n.items() if side == "pred")
    crowds = " that are no crowds" if n["gt", "crowd"] else ""
    least = f"{'more than' if rules_of(found.evaluation.facts).strict else 'at least'} {AT:g}"
    missed, invented = (
        f"{words.count(n[of])} {'is' if n[of] == 1 else 'are'} {of[1]}"
        + (f" ({apart(found, of[0], n[of], alone[of])})" if n[of] else "")
        for of in (("gt", "missed"), ("pred", "hallucinated"))
    )
    yield (
        f"Of {words.many(there, 'object')}{crowds} {missed}, and without a match {words.count(n['gt', 'split'])} are "
        f"split into several predictions and {words.count(n['gt', 'merged'])} are merged with another in one; of "
        f"{words.many(predicted, 'prediction')} {invented}. A match is an IoU of {least}."
    )
    sizes = [s for s in recall_by_size(found.overlap, AT) if s[3]]
    if len(sizes) > 1:
        low, high = (words.percent(s[2] / s[3]) for s in (sizes[0], sizes[-1]))
        yield f"Of the smallest quarter of the objects {low} are found, of the largest {high}."


def _wrong_detections(found: Findings) -> Iterator[str]:
    """The kind of error that costs most at IoU 0.5, and how many there are."""
    if not found.drawable:
        return
    met: Encounters = found.evaluation.statistic(Encounters.name)
    if not met.found or not met.objects().any():
        return
    gains = {k: float(ap_gain.at(kind=k).values(met)[-1]) for k in KINDS}
    kind = max(gains, key=lambda k: -1.0 if math.isnan(gains[k]) else gains[k])
    if not gains[kind] > 0:
        yield "At IoU 0.5 no kind of error costs average precision."
        return
    n = int(detection_errors.at(kind=kind).values(met)[-1])
    yield (
        f"What costs most at IoU 0.5 is {KIND_SAID[kind]}: {words.many(n, 'case')}, without which AP50 would be "
        f"{words.figure(gains[kind])} higher."
    )


def _wrong_mask(found: Findings) -> Iterator[str]:
    c = found.pooled
    missed, extra = int(c.fn[1]), int(c.fp[1])
    if not missed + extra:
        yield "Nowhere: every counted pixel is right."
        return
    yield (
        f"{words.percent(missed / (missed + extra))} of the wrong {found.unit} are there and missed, "
        f"{words.percent(extra / (missed + extra))} are predicted and not there."
    )


def _least(found: Findings, metric: Metric[Any, Any], classes: Iterable[str]) -> Iterator[str]:
    """The worst and the best of the classes that have a value."""
    values = [(found.rows[str(metric), c, "pooled"].value, c) for c in classes]
    values = [(v, c) for v, c in values if not math.isnan(v)]
    if len(values) > 1:
        least, most = min(values, key=lambda x: x[0]), max(values, key=lambda x: x[0])
        name = "IoU" if metric is iou else metric.name.upper()
        yield (
            f"The worst class is {_class(least[1])} ({name} {words.figure(least[0])}), "
            f"the best {_class(most[1])} ({words.figure(most[0])})."
        )


def _class(name: str) -> str:
    return f"class {name}" if name.lstrip("-").isdigit() else words.name(name, 32)


def _wrong_classes(found: Findings) -> Iterator[str]:
    yield from _least(found, iou, [k.name for k in found.kinds if k.averaged])
    top = mistakes(found.pooled, 1)
    if not top:
        yield "Nowhere: every counted pixel is right."
        return
    m, wrong = top[0], int(found.pooled.pixels - found.pooled.tp.sum())
    taken = "given no class" if m.taken < 0 else f"taken for {found.kinds[m.taken].said}"
    yield (
        f"The largest confusion is {found.kinds[m.truth].said} {taken}: {words.percent(m.pixels / wrong)} of all wrong "
        f"{found.unit}, {words.percent(m.share)} of that class."
    )


# Better than the other


def _better(found: Findings, metric: Metric[Any, Any]) -> Iterator[str]:
    if found.other is None:
        yield "No other run was given: maskmeter report RUN --versus OTHER shows both and says which is better."
        return
    try:
        c = compare(found.evaluation, found.other.evaluation, [metric])
    except MaskmeterError as error:
        yield f"The two cannot be compared: {error}."
        return
    line = next(x for x in c.lines if x.over == "images" and x.class_ is None)
    yield _verdict(line, named_runs(found)[1].label)
    equal = f", on {words.count(line.equal)} they are equal" if line.equal else ""
    yield (
        f"On {words.count(line.worse)} of {words.many(line.better + line.equal + line.worse, 'image')} with a value on "
        "both sides this run is better, on "
        f"{words.count(line.better)} the other{equal}."
    )
    pooled = next((x for x in c.lines if x.over == "pooled" and x.class_ is None), None)
    if pooled is not None and not math.isnan(pooled.difference):
        alone = c.images - line.better - line.equal - line.worse
        yield (
            f"Pooled, {metric} is {words.figure(pooled.a)} here and {words.figure(pooled.b)} there"
            + (f"; that counts {words.many(alone, 'image')} without a value too, the mean does not." if alone else ".")
        )
    if c.conflicts:
        yield f"{c.conflicts[0].upper()}{c.conflicts[1:]}."
    names = ("this run", named_runs(found)[1].label)
    for remark in remarks(found.evaluation, found.other.evaluation, c.images, c.groups, names):
        yield f"{remark[0].upper()}{remark[1:]}."
    if c.only_a or c.only_b:
        alone = f"{words.many(len(c.only_a), 'image')} that only this run has"
        yield f"Left out are {alone} and {words.count(len(c.only_b))} of the other alone."


def _verdict(line: Difference, other: str) -> str:
    apart = f"{words.figure(abs(line.difference))} of {line.metric} on the average image"
    if math.isnan(line.difference):
        return f"{line.metric} has no value to compare."
    if math.isnan(line.low):
        return f"The two differ by {apart}; without an interval nobody can say whether that is luck."
    interval = f"95 % interval of the difference {words.figure(line.low)} to {words.figure(line.high)}"
    if line.verdict == "few":
        return (
            f"Nobody can say: the two differ by {apart} ({interval}), but on fewer than {LEAST} images or groups no "
            "test can tell that from luck."
        )
    if not line.clear:
        return f"Nobody can say: the two differ by {apart}, which may be the luck of these images ({interval})."
    better = "No" if line.verdict == "better" else "Yes"
    who = f"{other} is better" if better == "No" else f"it is better than {other}"
    ends = sorted((abs(line.low), abs(line.high)))  # as the difference before it: without sign
    interval = f"95 % interval of the difference {words.figure(ends[0])} to {words.figure(ends[1])}"
    return f"{better}: {who} by {apart}, more than luck explains ({interval})."


# How sure


def _how_sure(found: Findings, metric: Metric[Any, Any]) -> Iterator[str]:
    row = found.row(metric, "pooled")
    if math.isnan(row.low):
        yield f"There is no interval for {metric}: {_why(found)}."
    else:
        width = row.high - row.low
        yield (
            f"The 95 % interval of {metric} is {words.figure(row.low)} to {words.figure(row.high)}: so far it would "
            f"move with other images of the same kind. Four times as many images would halve that width of "
            f"{words.figure(width)}."
        )
    if 1 < found.images < FEW and row.low == row.low:
        yield f"{words.count(found.images)} images are few: take the interval as rough."
    if row.undefined:
        yield f"{words.many(row.undefined, 'image has', 'images have')} no value and no part in the mean over images."


def _why(found: Findings) -> str:
    return "one image has none to be compared with" if found.images < 2 else "it is not resampled"
