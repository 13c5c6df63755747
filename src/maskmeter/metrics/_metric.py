"""What a metric is: a formula over one statistic, with its name, its direction and its parameters.

A formula is written once, for one statistic or a stack of them (leading axes "..."), and returns an
array: (...) for a single number, (..., K) for one per class. From it come the plain call, the value
of a statistic that was added up, the rows of an evaluation and its intervals.

A name prints as it is called, `fbeta(beta=2)`, and reads back: `parse(str(m)) == m`. Parameters
without a default are always given and printed, others when they differ from it, numbers in their
shortest form.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Generic, Literal, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UsageError

Values = NDArray[np.float64]
PerClass = dict[int, float]
Better = Literal["higher", "lower", "zero", "none"]
Over = Literal["pooled", "images"]

S = TypeVar("S")
V = TypeVar("V", float, PerClass)

METRICS: dict[str, Metric[Any, Any]] = {}


def _nothing(params: Mapping[str, Any]) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Metric(Generic[S, V]):
    """A formula over a statistic.

    `metric(gt, pred)` measures and computes; `metric.compute(statistic)` computes alone, so that
    statistics may be added up first; `metric.at(beta=2)` is the same metric with a parameter set.

    better    where good values lie: "higher", "lower", "zero" for signed differences, "none" for a mere fact
    headline  the average that the metric's literature reports: "pooled" or "images"
    bounds    the least and the greatest value that it can take
    by_pixel  whether it is a mean over pixels, so that images add up exactly by value and pixels
    overall   the formula has one more column, behind those of the classes: the value over all of them
    resampled whether it works on resamples of its statistic, for an interval of its pooled value
    wants     from its parameters to what its statistic is to count that it does not count for all
    asks      what its statistic must know when it is counted: names of its parameters, or words of the statistic's own
    """

    name: str
    params: tuple[tuple[str, Any], ...] = ()
    measure: Callable[..., S] = field(kw_only=True, compare=False, repr=False)
    formula: Callable[..., Values] = field(kw_only=True, compare=False, repr=False)
    per_class: bool = field(kw_only=True, compare=False, repr=False)
    better: Better = field(kw_only=True, compare=False, repr=False, default="higher")
    headline: Over = field(kw_only=True, compare=False, repr=False, default="pooled")
    bounds: tuple[float, float] = field(kw_only=True, compare=False, repr=False, default=(0.0, 1.0))
    by_pixel: bool = field(kw_only=True, compare=False, repr=False, default=False)
    overall: bool = field(kw_only=True, compare=False, repr=False, default=False)
    resampled: bool = field(kw_only=True, compare=False, repr=False, default=True)
    wants: Callable[[Mapping[str, Any]], dict[str, Any]] = field(
        kw_only=True, compare=False, repr=False, default=_nothing
    )
    asks: tuple[str, ...] = field(kw_only=True, compare=False, repr=False, default=())

    @overload
    def __call__(
        self: Metric[S, PerClass], gt: NDArray[np.bool_], pred: NDArray[np.bool_], **choices: Any
    ) -> float: ...
    @overload
    def __call__(self, gt: Any, pred: Any, **choices: Any) -> V: ...
    def __call__(self, gt: Any, pred: Any, **choices: Any) -> Any:
        """The value for one pair; parameters of the metric and facts about the data go by name.

        For a per-class metric two boolean arrays give a float, integers a value per class.
        """
        known = inspect.signature(self.formula).parameters
        facts = {k: v for k, v in choices.items() if k not in known}
        takes = inspect.signature(self.measure).parameters
        if (unknown := facts.keys() - takes) and not any(p.kind == p.VAR_KEYWORD for p in takes.values()):
            raise UsageError(f"{self.name} knows no parameter {min(unknown)!r}; it takes {self._known()}")
        metric = self.at(**{k: v for k, v in choices.items() if k in known})
        metric.check_complete()
        facts = {**metric.needs, **facts}
        if self.asks:
            facts["needs"] = (metric.need,)
        return metric.compute(self.measure(gt, pred, **facts))

    def compute(self, statistic: S, **params: Any) -> V:
        """The value of a statistic: a float, or one per class."""
        value = self.at(**params).values(statistic)
        if not self.per_class:
            return float(value)  # type: ignore[return-value]
        classes: list[int] = statistic.classes.tolist()  # type: ignore[attr-defined]
        if statistic.binary:  # type: ignore[attr-defined]
            return float(value[-1 if self.overall else classes.index(1)])  # type: ignore[return-value]
        return dict(zip(classes, value.tolist()[: len(classes)], strict=True))  # type: ignore[return-value]

    def values(self, statistic: S) -> Values:
        """The formula itself: (...) or, per class, (..., K)."""
        self.check_complete()
        with np.errstate(all="ignore"):
            return np.asarray(self.formula(statistic, **dict(self.params)), np.float64)

    def at(self, **params: Any) -> Metric[S, V]:
        """The same metric with parameters set."""
        if not params:
            return self
        known = self.defaults
        for name in params:
            if name not in known:
                raise UsageError(f"{self.name} knows no parameter {name!r}; it takes {self._known()}")
        given = {**dict(self.params), **params}
        kept = tuple((k, given[k]) for k in known if k in given and (given[k] != known[k] or known[k] is REQUIRED))
        made = replace(self, params=kept)
        object.__setattr__(made, "__doc__", self.__doc__)
        return made

    @property
    def defaults(self) -> Mapping[str, Any]:
        """The parameters with their defaults; REQUIRED for those that have none."""
        return _defaults(self.formula)

    def check_complete(self) -> None:
        """Raise UsageError when a parameter without a default is not given."""
        for name, default in self.defaults.items():
            if default is REQUIRED and name not in dict(self.params):
                raise UsageError(f"{self.name} needs {name}, as in {self.name}({name}={SUCH.get(name, 2)})")

    @property
    def complete(self) -> bool:
        """Whether it can be computed as it stands."""
        return all(v is not REQUIRED or k in dict(self.params) for k, v in self.defaults.items())

    @property
    def needs(self) -> dict[str, Any]:
        """What the measure is to be asked for beside what it counts by itself."""
        return self.wants({**self.defaults, **dict(self.params)})

    @property
    def statistic(self) -> str:
        """The name of the statistic that it is a formula over: "confusion"."""
        return self.measure.__name__

    @property
    def need(self) -> tuple[tuple[str, Any], ...]:
        """What its statistic must know when it is counted: names with values."""
        known = {**self.defaults, **dict(self.params)}
        if not self.asks:
            return tuple(sorted(self.needs.items()))
        return tuple((name, known.get(name, True)) for name in self.asks)

    @property
    def chapter(self) -> str:
        """The module that defines it: "regions"."""
        return self.formula.__module__.rpartition(".")[2]

    @property
    def summary(self) -> str:
        """The first line of its definition."""
        return (self.__doc__ or "").strip().partition("\n")[0]

    def _known(self) -> str:
        facts = [p.name for p in inspect.signature(self.measure).parameters.values() if p.kind == p.KEYWORD_ONLY]
        return ", ".join([*self.defaults, *facts]) or "none"

    def __str__(self) -> str:
        shown = ",".join(f"{k}={shortest(v)}" for k, v in self.params)
        return f"{self.name}({shown})" if shown else self.name


# Curves, each with the metric that sums it up in one number.
CURVES: Mapping[str, str] = {
    "roc_curve": "roc_auc",
    "pr_curve": "average_precision",
    "threshold_curve": "best_threshold",
    "reliability_curve": "ece",
    "froc_curve": "froc_score",
    "object_curve": "best_object_f1",
    "detection_curve": "best_score",
}
REQUIRED = inspect.Parameter.empty
SUCH = {"iou": 0.5, "metric": "dice", "precision": 0.9, "specificity": 0.9, "score": 0.5, "kind": "both"}


@cache
def _defaults(formula: Callable[..., Any]) -> Mapping[str, Any]:
    parameters = list(inspect.signature(formula).parameters.values())[1:]
    return {p.name: p.default for p in parameters}


@overload
def metric(
    measure: Callable[..., S], *, per: Literal["class"], **about: Any
) -> Callable[[Callable[..., Values]], Metric[S, PerClass]]: ...
@overload
def metric(
    measure: Callable[..., S], *, per: None = None, **about: Any
) -> Callable[[Callable[..., Values]], Metric[S, float]]: ...
def metric(measure: Callable[..., Any], *, per: Literal["class"] | None = None, **about: Any) -> Any:
    """Make a metric of a formula and enter it in METRICS, also from a user's own file.

    >>> from maskmeter.statistics.confusion import Confusion, confusion
    >>> @metric(confusion, per="class")
    ... def miss_rate(c: Confusion) -> Values:
    ...     return ratio(c.fn, c.gt)
    >>> miss_rate(np.array([True, True]), np.array([True, False]))
    0.5
    >>> del METRICS["miss_rate"]
    """

    def enter(formula: Callable[..., Values]) -> Any:
        made: Metric[Any, Any] = Metric(
            formula.__name__, measure=measure, formula=formula, per_class=per == "class", **about
        )
        object.__setattr__(made, "__doc__", inspect.cleandoc(formula.__doc__ or ""))
        METRICS[made.name] = made
        return made

    return enter


def parse(text: str) -> Metric[Any, Any]:
    """The metric that prints as `text`: `iou`, `fbeta(beta=2)`. Raises UsageError."""
    found = re.fullmatch(r"\s*(\w+)\s*(?:\((.*)\))?\s*", text, re.DOTALL)
    if found is None:
        raise UsageError(f"{text!r} is not a metric; write a name, or a name with parameters as in fbeta(beta=2)")
    if found[1] in CURVES:
        raise UsageError(
            f"{found[1]} is a curve and no number: its number is {CURVES[found[1]]}; a run with either draws the curve "
            f"in its report, and maskmeter.{found[1]} has its points"
        )
    if found[1] not in METRICS:
        from difflib import get_close_matches

        close = get_close_matches(found[1], METRICS, 3)
        hint = f"did you mean {' or '.join(close)}?" if close else "`maskmeter metrics` lists them"
        raise UsageError(f"no metric is called {found[1]!r}; {hint}")
    params: dict[str, Any] = {}
    for part in filter(str.strip, (found[2] or "").split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"{part.strip()!r} in {text!r} needs a name, as in {found[1]}(name={part.strip()})")
        params[name.strip()] = _read(value.strip())
    made = METRICS[found[1]].at(**params)
    made.check_complete()
    return made


def asked(text: str) -> Metric[Any, Any]:
    """The metric that a run is asked for: by its name, or by that of the curve that it sums up.

    >>> str(asked("object_curve(iou=0.7)")), str(asked("froc_curve")), str(asked("iou"))
    ('best_object_f1(iou=0.7)', 'froc_score', 'iou')
    """
    found = re.match(r"\s*(\w+)", text)
    if found is None or found[1] not in CURVES:
        return parse(text)
    try:
        return parse(CURVES[found[1]] + text[found.end() :])
    except UsageError as error:
        raise UsageError(f"{found[1]} is summed up by {CURVES[found[1]]}: {error}") from None


def shortest(value: Any) -> str:
    """How a parameter prints: numbers in their shortest form, words bare."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return str(value)


def _read(text: str) -> Any:
    word = text.strip("'\"")
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return {"True": True, "False": False, "None": None}.get(word, word)


def ratio(part: ArrayLike, whole: ArrayLike) -> Values:
    """part / whole, and NaN where there is nothing to divide by."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    with np.errstate(all="ignore"):
        return np.where(whole == 0, np.nan, part / whole)


def mean(values: Values, among: NDArray[np.bool_] | None = None) -> Values:
    """The mean over the last axis of what is defined there, and NaN where nothing is."""
    defined = ~np.isnan(values) if among is None else ~np.isnan(values) & among
    return ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1))
