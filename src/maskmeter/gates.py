"""Gates: conditions that a run has to meet, for a CI script.

    mean_iou>=0.75            a pooled value
    iou[car]@images>=0.8      of a class, as mean over images
    iou[*]>0.5                of every class
    ap[present]>0.3           of every class that the ground truth has; the others are named and not asked
    low(mean_iou)>=0.7        the lower end of its 95 % interval (high(...) the upper)
    hausdorff@images<=3       any of >=, >, <=, <

Against a baseline, `no_worse` asks that a metric shows no significant loss: a loss is one whose paired 95 % interval
of the difference lies wholly on the worse side of zero, as in a comparison. Where it rests on fewer than six images, or
groups, no test can tell loss from luck, and the condition fails for that: it takes more images. Values are written as
above: mean_iou, iou[car]@images, iou[*]. Of many classes some intervals lie there by luck (1 of 40 each); so of several
classes over images, `iou[*]@images`, a loss has besides to stand the sign-flip test at 5 %, corrected by Holm for all
that is compared.

A value that is undefined fails, and says why: nothing passes because nothing was measured. So under `[*]` a class that
the ground truth lacks fails where its value is undefined, as AP is without objects; `[present]` says that classes may
lack, and fails only where there is none at all.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as xml

from .comparison import Comparison, Difference
from .errors import UsageError, printable
from .evaluation import Evaluation
from .metrics import parse
from .rows import Over, Row
from .significance import LEAST, SIGNIFICANT
from .statistics.by_class import ClassScores
from .statistics.confusion import Confusion
from .statistics.detections import Detections
from .statistics.encounters import Encounters
from .statistics.overlap import Overlap

COMPARE = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
PRESENT = "present"
NAMED = 5  # classes that are named one by one
EVERY = ("*", PRESENT)  # what stands for several classes, where no class is called so

_VALUE = r"(?P<metric>\w+(?:\([^()]*\))?)\s*(?:\[(?P<class>.*)\])?\s*(?:@(?P<over>pooled|images))?\s*"
_NAMED = re.compile(rf"\s*{_VALUE}", re.DOTALL)
_CONDITION = re.compile(
    rf"\s*(?:(?P<end>low|high)\()?\s*{_VALUE}(?P<close>\))?\s*(?:@(?P<after>pooled|images))?"
    r"\s*(?P<how>>=|<=|>|<)\s*(?P<limit>[-+.\deE]+)\s*",
    re.DOTALL,
)


@dataclass(frozen=True)
class Outcome:
    """A condition, of which class where it is about several, whether it holds, and the one line that says why.

    asked  whether it was asked of this class at all; one that the ground truth lacks may be left out
    """

    condition: str
    passed: bool
    said: str
    class_: str | None = None
    asked: bool = True

    @property
    def title(self) -> str:
        """The condition, with the class that this is about."""
        return self.condition if self.class_ is None else f"{self.condition} [{self.class_}]"


def require(evaluation: Evaluation, condition: str) -> list[Outcome]:
    """Whether a condition on a value holds, for each class that it is about.

    Raises UsageError where it cannot be read or names nothing.
    """
    found = _CONDITION.fullmatch(condition)
    if found is None or (found["end"] is None) != (found["close"] is None) or not _number(found["limit"]):
        raise UsageError(
            f"{condition!r} is no condition; write as in mean_iou>=0.75, iou[car]@images>=0.8, iou[*]>0.5, "
            "low(mean_iou)>=0.7"
        )
    class_ = found["class"]
    rows = _rows(evaluation, found["metric"], class_, found["over"] or found["after"] or "pooled")
    limit, every = float(found["limit"]), class_ in EVERY and rows[0].class_ != class_
    held = [_held(evaluation, r, condition, found["end"], found["how"], limit, every) for r in rows]
    return _of_present(held, present(evaluation, rows[0].metric)) if every and class_ == PRESENT else held


def _held(
    evaluation: Evaluation, row: Row, condition: str, end: str | None, how: str, limit: float, every: bool
) -> Outcome:
    value = row.value if end is None else row.low if end == "low" else row.high
    class_ = row.class_ if every else None
    if math.isnan(value):
        why = (
            _undefined(evaluation, row, class_ is not None) if math.isnan(row.value) else _no_interval(evaluation, row)
        )
        return Outcome(condition, False, why, class_)
    passed = COMPARE[how](value, limit)
    gap = f"{'short' if how[0] == '>' else 'over'} by {abs(value - limit):.4g}"
    said = f"{value:.6g}" + ("" if passed else f", {gap}" if value != limit else ", no more and no less")
    return Outcome(condition, passed, said, class_)


def present(evaluation: Evaluation, metric: str) -> set[str]:
    """The classes of a metric that the ground truth has: pixels, or objects."""
    made = parse(metric)
    counted = evaluation.statistic(made.statistic)
    if isinstance(counted, Overlap | Detections | Encounters):
        alone = Evaluation([made], facts=evaluation.facts, records=evaluation.records, intervals="none")
        return {r.class_ for r in alone.rows() if r.over == "pooled" and r.class_ is not None and r.n}
    if isinstance(counted, ClassScores):
        pixels = [s.positives for s in counted.by_class.values()]
    else:
        pixels = evaluation.pooled.gt.tolist()
    return {str(t) for t, n in zip(evaluation.titles(made), pixels, strict=False) if n}


def _of_present(outcomes: Sequence[Outcome], there: set[str]) -> list[Outcome]:
    """The outcomes, those of classes that are not there not asked; where none is, that fails."""
    absent = "the ground truth does not have this class"
    out = [o if o.class_ in there else Outcome(o.condition, True, absent, o.class_, asked=False) for o in outcomes]
    if not any(o.asked for o in out):
        out.insert(0, Outcome(outcomes[0].condition, False, "the ground truth has none of the classes"))
    return out


def named(text: str) -> tuple[str, str | None, Over]:
    """The metric, the class and the average of `iou[car]@images`. Raises UsageError."""
    found = _NAMED.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} names no value; write as in mean_iou, iou[car]@images or iou[*]")
    return str(parse(found["metric"])), found["class"], "images" if found["over"] == "images" else "pooled"


def no_worse(comparison: Comparison, value: str, evaluation: Evaluation | None = None) -> list[Outcome]:
    """Whether a value shows no significant loss against the baseline; without a class in the mean, or in every one.

    `evaluation` is the newer one, whose ground truth says which classes `[present]` means.
    """
    metric, class_, over = named(value)
    condition = f"{value.strip()} no worse than the baseline"
    lines = [d for d in comparison.lines if d.metric == metric and d.over == over]
    if not lines:
        raise UsageError(f"the two runs have no metric {metric} in common")
    whole = [d for d in lines if d.class_ is None]
    literal = any(d.class_ == class_ for d in lines)
    several = (class_ in EVERY and not literal) or (class_ is None and not whole)
    if several:
        lines = [d for d in lines if d.class_ is not None] or whole
    else:
        lines = [d for d in lines if d.class_ == class_]
    if not lines:
        raise UsageError(f"{metric} has no class {class_!r} in both runs")
    kept = [_kept(d, condition, several) for d in lines]
    if several and class_ == PRESENT and evaluation is not None:
        return _of_present(kept, present(evaluation, metric))
    return kept


def _kept(d: Difference, condition: str, several: bool) -> Outcome:
    class_ = d.class_ if several else None
    if math.isnan(d.difference):
        sides = [name for name, x in (("the baseline", d.a), ("this run", d.b)) if math.isnan(x)]
        return Outcome(condition, False, f"undefined in {' and in '.join(sides) or 'all images'}", class_)
    if math.isnan(d.low):
        return Outcome(condition, False, "there is no interval of the difference", class_)
    said = f"{d.a:.4f} to {d.b:.4f} ({d.low:+.4f} to {d.high:+.4f})"
    if d.verdict == "few" and d._replace(units=LEAST).verdict == "worse":
        why = f"undecided, too few: {d.units} images or groups with a value, a test takes {LEAST}"
        return Outcome(condition, False, f"{why}: {said}", class_)
    lost, tested = d.verdict == "worse", several and not math.isnan(d.permutation)
    if lost and tested:
        lost, said = d.permutation < SIGNIFICANT, f"{said}, p = {d.permutation:.2g}"
    return Outcome(condition, not lost, f"significant loss: {said}" if lost else said, class_)


def summary(outcomes: Sequence[Outcome]) -> str:
    """How many conditions fail, in one sentence."""
    conditions = list(dict.fromkeys(o.condition for o in outcomes))
    failed = list(dict.fromkeys(o.condition for o in outcomes if not o.passed))
    if not failed:
        return f"passed: {'the condition holds' if len(conditions) == 1 else f'all {len(conditions)} conditions hold'}"
    return f"failed: {len(failed)} of {len(conditions)} condition{'s' if len(conditions) > 1 else ''}"


def table(outcomes: Sequence[Outcome]) -> list[tuple[str, str, str]]:
    """A line for each condition, or for each class in which it fails and one for all others."""
    lines: list[tuple[str, str, str]] = []
    for condition in dict.fromkeys(o.condition for o in outcomes):
        own = [o for o in outcomes if o.condition == condition]
        lines += [(o.title, "FAIL", o.said) for o in own if not o.passed]
        lines += [(o.condition, "", f"not asked: {_left_out(own)}") for o in own if not o.asked][:1]
        held = [o for o in own if o.passed and o.asked]
        if held and all(o.class_ is None for o in held):
            lines += [(o.title, "pass", o.said) for o in held]
        elif held:
            lines.append((condition, "pass", f"{len(held)} of {sum(o.asked for o in own)} classes"))
    return lines


def _left_out(outcomes: Sequence[Outcome]) -> str:
    """The classes that were not asked, and why."""
    names = [o.class_ or "" for o in outcomes if not o.asked]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}, which the ground truth does not have"


def as_junit(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as JUnit XML, one test case each."""
    failed = sum(not o.passed for o in outcomes)
    suite = xml.Element("testsuite", name="maskmeter gate", tests=str(len(outcomes)), failures=str(failed))
    suite.set("skipped", str(sum(not o.asked for o in outcomes)))
    for o in outcomes:
        case = xml.SubElement(suite, "testcase", classname="maskmeter.gate", name=_plain(o.title))
        if not o.asked:
            xml.SubElement(case, "skipped", message=_plain(o.said))
        if not o.passed:
            xml.SubElement(case, "failure", message=_plain(o.said))
    return xml.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _rows(evaluation: Evaluation, metric: str, class_: str | None, over: str) -> list[Row]:
    """The rows that a condition is about: one, or those of all classes."""
    made = str(parse(metric))
    rows = [r for r in evaluation.rows() if r.metric == made and r.over == over]
    if not rows:
        raise UsageError(f"the run has no {made}; evaluate it with -m '{made}'")
    known = [r.class_ for r in rows if r.class_ is not None]
    wanted = [r for r in rows if r.class_ == class_]
    if not wanted and class_ in EVERY:
        wanted = [r for r in rows if r.class_ is not None]
    if wanted:
        return wanted
    if class_ is None:
        raise UsageError(
            f"{made} has a value for each class; name one, as in {made}[{known[0]}], or all: {made}[*], {made}[present]"
        )
    if not known:
        raise UsageError(f"{made} has no classes here; leave [{printable(class_)}] away")
    raise UsageError(f"{made} has no class {class_!r}; there are {', '.join(known)}")


def _undefined(evaluation: Evaluation, row: Row, every: bool) -> str:
    """Why a value is undefined; `every` where that was asked of all classes."""
    images = len(evaluation.records)
    other = f"; {row.metric}[{PRESENT}] asks only the classes that it has" if every else ""
    if row.class_ is not None and parse(row.metric).statistic == Confusion.name:
        at = evaluation.titles().index(row.class_)
        sides = [bool(side[at]) for side in (evaluation.pooled.gt, evaluation.pooled.pred)]
        if not all(sides):
            where = (
                "neither side has" if not any(sides) else f"the {'prediction' if sides[0] else 'ground truth'} lacks"
            )
            among = "any" if not any(sides) else "all"
            return f"undefined: {where} this class in {among} of the {images} images{'' if sides[0] else other}"
    if row.class_ is not None and row.class_ not in present(evaluation, row.metric):
        return f"undefined: the ground truth does not have this class in any of the {images} images{other}"
    return f"undefined: {row.undefined} of {images} images have nothing to compute it from"


def _no_interval(evaluation: Evaluation, row: Row) -> str:
    """Why a value has no interval."""
    if evaluation.resampling.method == "none":
        return f"{row.value:.6g} has no interval: the run was made with --intervals none"
    if evaluation.units.count < 2:
        return (
            f"{row.value:.6g} has no interval: it rests on one {'group' if evaluation.resampling.grouped else 'image'}"
        )
    return f"{row.value:.6g} has no interval: its resamples cannot be made, or have no value"


def _number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _plain(text: str) -> str:
    """Text that XML can hold."""
    return "".join(c if c.isprintable() else " " for c in text)
