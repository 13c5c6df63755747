"""The headline numbers in plain words, what they rest on, and what to beware of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..advisor import advise
from ..metrics import roc_auc
from . import questions, words
from .figure import last_part
from .findings import Findings
from .headlines import headlines
from .page import fill

NAMED = 5  # missing and extra files that are named one by one

Fact = tuple[str, str]


def title(found: Findings) -> str:
    """What the page is about, on one line."""
    pred = str(found.evaluation.inputs.get("pred") or "")
    return f"Evaluation of {last_part(pred)}" if last_part(pred) else "Segmentation evaluation"


def lead(found: Findings) -> str:
    """What was asked, of how many images."""
    task = found.evaluation.facts.task
    scores = " from score maps" if found.curves or found.class_curves else ""
    what = (task if task == "detection" else f"{task} segmentation{scores}") if task else "nothing evaluated"
    return f"{what} · {words.many(found.images, 'image')}"


def render(found: Findings) -> str:
    """The section. It is always there."""
    from markupsafe import Markup

    e = found.evaluation
    advice = advise(e)
    return fill(
        "summary.html",
        questions=Markup(questions.render(found) or ""),
        images=found.images,
        headlines=list(headlines(found)) if found.images else [],
        advice=advice,
        defined={m.name for m in (*e.metrics, *found.always)},
        notices=[n for n in e.notices if n not in {a.text for a in advice}],
        facts=list(_facts(found)),
    )


def _facts(found: Findings) -> Iterator[Fact]:
    """What was evaluated, row by row."""
    e = found.evaluation
    for key, label in (("gt", "Ground truth"), ("pred", "Prediction")):
        if path := e.inputs.get(key):
            yield label, words.name(str(path), 200)
    yield "Images", words.count(found.images)
    if found.regions:
        yield from _of_regions(found)
    elif found.class_curves:
        yield "Classes", f"{len(e.titles(roc_auc)) - 2}, of which a pixel may have several"
    elif found.objects and found.images:
        o = found.overlap
        crowds = int((o.gt_crowd > 0).sum())
        there = f"{words.count(o.gt_id.size)} in the ground truth"
        there += f" ({words.count(crowds)} of them crowds)" if crowds else ""
        yield "Objects", f"{there}, {words.count(o.pred_id.size)} predicted"
        yield f"{found.unit.capitalize()} counted", words.count(int(o.pixels.sum()))
    if found.curves:
        yield "Threshold", f"a score of {e.facts.threshold:.6g} and more is foreground"
    if e.facts.region:
        yield "Region", "only the pixels inside the given masks are counted"
    yield from _files(found)
    if undefined := _undefined(found):
        yield "Undefined", undefined


def _of_regions(found: Findings) -> Iterator[Fact]:
    c = found.pooled
    yield f"{found.unit.capitalize()} counted", words.count(int(c.pixels))
    if not found.binary:
        without = [words.name(k.name) for k in found.kinds if not k.averaged]
        said = words.many(len(found.kinds), "class", "classes")
        yield "Classes", said + (f"; not in the means: {', '.join(without)}" if without else "")
    if c.ignored:
        void = [x for x in found.evaluation.facts.signature if x.startswith("ignore:")]
        why = f" ({'label ' + void[0].removeprefix('ignore:')})" if void else ""
        share = float(c.ignored / (c.ignored + c.pixels))
        yield "Left out as void or masked", f"{words.percent(share)} of all pixels{why}"
    if c.unassigned:
        yield "Given no class", f"{words.count(int(c.unassigned))} counted pixels were predicted as void"


def _files(found: Findings) -> Iterator[Fact]:
    e = found.evaluation
    if e.facts.missing and e.facts.missing[1]:
        how, n = e.facts.missing
        did = "counted as empty" if how == "empty" else "left out"
        yield "Missing predictions", f"{words.count(n)}, {did}{_some(e.inputs.get('missing_predictions'))}"
    if e.facts.extra:
        extra = _some(e.inputs.get("extra_predictions"))
        yield "Without ground truth", f"{words.count(e.facts.extra)}, left out{extra}"


def _some(names: Any) -> str:
    if not isinstance(names, list) or not names:
        return ""
    shown = [words.name(str(n)) for n in names[:NAMED]]
    more = f" and {words.count(len(names) - NAMED)} more" if len(names) > NAMED else ""
    return f": {', '.join(shown)}{more}"


def _undefined(found: Findings) -> str:
    """What has no value, in words; empty where all is defined."""
    said: list[str] = []
    whole = not found.regions or found.binary
    absent = [] if whole else [k for k in found.kinds if found.pooled.gt[k.at] + found.pooled.pred[k.at] == 0]
    if absent:
        names = ", ".join(words.name(k.name) for k in absent[:NAMED])
        more = f" and {len(absent) - NAMED} more" if len(absent) > NAMED else ""
        said.append(f"{words.many(len(absent), 'class', 'classes')} occur nowhere and have no value: {names}{more}")
    row = found.row(found.headline, "images") if found.regions or (found.objects and found.images) else None
    if row is not None and row.undefined:
        images = words.many(found.images, "image")
        said.append(f"{found.headline} has no value in {words.count(row.undefined)} of {images}")
    return "; ".join(said)
