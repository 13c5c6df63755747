"""Gates: conditions that a run has to meet, for a CI script.

    mean_iou>=0.75            a pooled value
    iou[car]@images>=0.8      of a class, as mean over images
    low(mean_iou)>=0.7        the lower end of its 95 % interval (high(...) the upper)
    hausdorff@images<=3       any of >=, >, <=, <

Against a baseline, `no_worse` asks that a metric shows no clear loss: the paired 95 % interval of the
difference does not lie wholly on the worse side of zero.

A value that is undefined fails, and says so: nothing passes because nothing was measured.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as xml

from .comparison import Comparison, Difference
from .errors import UsageError
from .evaluation import Evaluation, Over, Row
from .metrics import METRICS, parse

COMPARE = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}

_CONDITION = re.compile(
    r"\s*(?:(?P<end>low|high)\()?\s*(?P<metric>\w+(?:\([^()]*\))?)\s*(?:\[(?P<class>.*)\])?"
    r"\s*(?:@(?P<over>pooled|images))?\s*(?P<close>\))?\s*(?:@(?P<after>pooled|images))?"
    r"\s*(?P<how>>=|<=|>|<)\s*(?P<limit>[-+.\deE]+)\s*",
    re.DOTALL,
)


@dataclass(frozen=True)
class Outcome:
    """A condition, whether it holds, and the one line that says why or why not."""

    condition: str
    passed: bool
    said: str


def require(evaluation: Evaluation, condition: str) -> Outcome:
    """Whether a condition on a value holds. Raises UsageError where it cannot be read or names nothing."""
    found = _CONDITION.fullmatch(condition)
    if found is None or (found["end"] is None) != (found["close"] is None):
        raise UsageError(
            f"{condition!r} is no condition; write as in mean_iou>=0.75, iou[car]@images>=0.8, low(mean_iou)>=0.7"
        )
    row = _row(evaluation, found["metric"], found["class"], found["over"] or found["after"] or "pooled")
    value = row.value if found["end"] is None else row.low if found["end"] == "low" else row.high
    limit = float(found["limit"])
    if math.isnan(value):
        what = "the value is undefined" if math.isnan(row.value) else "there is no interval"
        return Outcome(condition, False, f"{what} ({row.undefined} images have none)")
    passed = COMPARE[found["how"]](value, limit)
    gap = "" if passed else f", {'short' if found['how'][0] == '>' else 'over'} by {abs(value - limit):.4g}"
    return Outcome(condition, passed, f"{value:.6g}{gap}")


def no_worse(comparison: Comparison, metric: str, over: Over = "pooled") -> Outcome:
    """Whether a metric shows no clear loss against the baseline, in any class."""
    name = str(parse(metric))
    condition = f"{name} no worse than the baseline"
    lines = [d for d in comparison.lines if d.metric == name and d.over == over]
    if not lines:
        raise UsageError(f"the two runs have no metric {name} in common")
    if undefined := [d for d in lines if math.isnan(d.difference) or math.isnan(d.low)]:
        return Outcome(condition, False, f"{_title(undefined[0])} has no interval of the difference")
    lost = [d for d in lines if _lost(d)]
    rising = METRICS[parse(name).name].better == "higher"
    worst = max(lost or lines, key=lambda d: -d.difference if rising else abs(d.difference))
    said = f"{_title(worst)}: {worst.a:.4f} to {worst.b:.4f} ({worst.low:+.4f} to {worst.high:+.4f})"
    return Outcome(condition, not lost, f"{len(lost)} clear losses, {said}" if lost else said)


def as_junit(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as JUnit XML, one test case each."""
    failed = sum(not o.passed for o in outcomes)
    suite = xml.Element("testsuite", name="maskmeter gate", tests=str(len(outcomes)), failures=str(failed))
    for o in outcomes:
        case = xml.SubElement(suite, "testcase", classname="maskmeter.gate", name=_plain(o.condition))
        if not o.passed:
            xml.SubElement(case, "failure", message=_plain(o.said))
    return xml.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _row(evaluation: Evaluation, metric: str, class_: str | None, over: str) -> Row:
    made = str(parse(metric))
    rows = [r for r in evaluation.rows() if r.metric == made and r.over == over]
    if not rows:
        raise UsageError(f"the run has no {made}; evaluate it with -m '{made}'")
    for r in rows:
        if r.class_ == class_:
            return r
    known = ", ".join(r.class_ for r in rows if r.class_ is not None)
    if class_ is None:
        raise UsageError(f"{made} has a value for each class; name one, as in {made}[{known.split(', ')[0]}]")
    raise UsageError(f"{made} has no class {class_!r}; there are {known}" if known else f"{made} has no classes")


def _lost(d: Difference) -> bool:
    better = METRICS[parse(d.metric).name].better
    if better == "zero":
        return d.clear and abs(d.b) > abs(d.a)
    return d.low > 0 if better == "lower" else d.high < 0


def _title(d: Difference) -> str:
    return d.metric if d.class_ is None else f"{d.metric}[{d.class_}]"


def _plain(text: str) -> str:
    """Text that XML can hold."""
    return "".join(c if c.isprintable() else " " for c in text)
