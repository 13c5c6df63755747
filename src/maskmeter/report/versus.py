"""The curves of this run and of another one in the same pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from . import (
    boundaries,
    calibration,
    class_curves,
    curves,
    detection_errors,
    detections,
    object_curves,
    objects,
    threshold,
)
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
    objects.figures,
    detections.figures,
    detection_errors.figures,
    boundaries.figures,
)


def render(found: Findings) -> str | None:
    """The section, absent without another run, or where the two have no curves to compare."""
    if found.other is None or not all(
        f.curves or f.class_curves or f.scored or f.objects or f.surfaces for f in (found, found.other)
    ):
        return None
    runs = named_runs(found)
    made = [(f.name, f.drawing) for draw in DRAWN for f in draw(runs) if isinstance(f.drawing, Plot)]
    shown = [
        (name, plot) for name, plot in made if not name.startswith(("scores-", "detections-classes-", "distances-"))
    ]
    return fill("versus.html", plots=shown, labels=[r.label for r in runs]) if shown else None


def named_runs(found: Findings) -> list[Run]:
    """The run, and the other one where there is one; by the last part of the path of their predictions, else A and B.

    One alone has no name: it needs none.
    """
    if found.other is None:
        return [Run(found)]
    both = (found, found.other)
    labels = [last_part(str(f.evaluation.inputs.get("pred") or "")) for f in both]
    if not all(labels) or labels[0] == labels[1]:
        labels = ["A", "B"]
    return [Run(f, label, number) for number, (f, label) in enumerate(zip(both, labels, strict=True))]
