"""What each number means, and how to get the same one again."""

from __future__ import annotations

import platform
import re
import shlex
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from .._version import __version__
from ..errors import printable
from ..metrics import Metric
from .findings import Findings
from .page import fill

AVERAGES = {"pooled": "pooled", "images": "mean over images"}
BETTER = {"higher": "higher is better", "lower": "lower is better", "zero": "zero is best", "none": "no end is better"}


@dataclass(frozen=True)
class Definition:
    """A metric in words, as its source states it."""

    name: str
    printed: str
    summary: str
    paragraphs: list[str]
    example: str
    facts: str
    signatures: tuple[str, str]


def render(found: Findings) -> str:
    """The section. It is always there: a page must say what it is made with."""
    e = found.evaluation
    used = list(dict.fromkeys([*e.metrics, *found.always]))
    return fill(
        "definitions.html",
        definitions=[_definition(found, m, first) for m, first in _once(used)],
        version=__version__,
        made_with=f"Python {platform.python_version()}, NumPy {np.__version__}",
        digests=_digests(found),
        command=_command(found),
    )


def _once(metrics: list[Metric[Any, Any]]) -> list[tuple[Metric[Any, Any], bool]]:
    """Each metric with whether it is the first of its name, which links lead to."""
    return [(m, all(other.name != m.name for other in metrics[:i])) for i, m in enumerate(metrics)]


def _definition(found: Findings, metric: Metric[Any, Any], first: bool) -> Definition:
    text, _, example = (metric.__doc__ or "").partition("\n>>> ")
    head, _, rest = text.strip().partition("\n")
    blocks = [" ".join(b.split()) for b in re.split(r"\n\s*\n|\n(?=Differs:|Reference:)", rest) if b.strip()]
    low, high = (("∞" if x == float("inf") else f"{x:g}") for x in metric.bounds)
    facts = f"{low} to {high}, {BETTER[metric.better]}; usually reported {AVERAGES[metric.headline]}"
    e = found.evaluation
    return Definition(
        metric.name if first else "",
        str(metric),
        head,
        blocks,
        f">>> {example}".strip() if example else "",
        facts,
        (e.signature(metric, "pooled"), e.signature(metric, "images")),
    )


def _digests(found: Findings) -> list[tuple[str, str]]:
    """One digest for all files of a side, over the names and digests of its images; none where they came as arrays."""
    records = found.evaluation.records
    sides = {"Ground truth": sha256(), "Predictions": sha256()}
    for name in records.names():
        for digest, whole in zip(records[name].digests, sides.values(), strict=True):
            if digest is None and whole is sides["Ground truth"]:
                return []
            whole.update(f"{name}\0{digest or 'missing'}\n".encode())
    return [(side, whole.hexdigest()) for side, whole in sides.items()] if len(records) else []


def _command(found: Findings) -> str | None:
    """The command that asks the same question; None where the images came as arrays."""
    e = found.evaluation
    gt, pred = e.inputs.get("gt"), e.inputs.get("pred")
    if not gt or not pred:
        return None
    facts = e.facts
    words = ["maskmeter", "evaluate", str(gt), str(pred), *(["--task", facts.task] if facts.task else [])]
    for void in facts.ignore:
        words += ["--ignore", str(void)]
    if facts.task == "binary" and facts.positive not in ((1,), (255,), (1, 255)):
        words += [x for p in facts.positive for x in ("--positive", str(p))]
    if facts.scores and facts.threshold != 0.5:
        words += ["--threshold", f"{facts.threshold:.6g}"]
    if facts.class_axis is not None:
        words += ["--pairs", "TEMPLATE"] if facts.class_files else ["--class-axis", str(facts.class_axis)]
    if facts.logits:
        words.append("--logits")
    if facts.labels is not None:
        words += ["--labels", "LABELS"]
    if facts.region:
        words += ["--mask", "MASKS"]
    if facts.missing and facts.missing[1]:
        words += ["--missing", facts.missing[0]]
    if facts.extra:
        words += ["--extra", "skip"]
    if e.photographs:
        words += ["--images", e.photographs]
    return printable(" ".join(shlex.quote(w) for w in words))
