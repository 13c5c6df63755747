"""The curves of this run and of another one in the same pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..evaluation import Evaluation
from . import calibration, class_curves, curves, object_curves, threshold
from .figure import Figure, Run, last_part
from .findings import Findings
from .page import fill
from .plot import Plot

DRAWN: tuple[Callable[[Sequence[Run]], list[Figure]], ...] = (
    curves.figures,
    class_curves.figures,
    threshold.figures,
    object_curves.figures,
    calibration.figures,
)


def render(runs: Sequence[Run]) -> str | None:
    """The section, absent where the two have no curves to compare."""
    if not all(r.found.curves or r.found.class_curves for r in runs):
        return None
    made = [(f.name, f.drawing) for draw in DRAWN for f in draw(runs) if isinstance(f.drawing, Plot)]
    shown = [(name, plot) for name, plot in made if not name.startswith("scores-")]
    return fill("versus.html", plots=shown, labels=[r.label for r in runs]) if shown else None


def named_runs(a: Evaluation, b: Evaluation) -> list[Run]:
    """Both runs by the last part of the path of their predictions; A and B where these are the same."""
    labels = [last_part(str(e.inputs.get("pred") or "")) for e in (a, b)]
    if not all(labels) or labels[0] == labels[1]:
        labels = ["A", "B"]
    both = zip((a, b), labels, strict=True)
    return [Run(Findings(e), label, number) for number, (e, label) in enumerate(both)]
