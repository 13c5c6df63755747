"""The pictures of the report drawn by matplotlib, for those who go on from there: own fonts, own axes, own colours.

The same plots, layer by layer, in the colours and dashes of plot.css; on axes that the user made or on new ones.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from ..evaluation import Evaluation
from .confusion import HeatMap
from .figures import figures
from .plot import Band, Bar, Layer, Line, Plot, Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, PURPLE, INK, GREY = "#0072b2", "#d55e00", "#007f5f", "#a8488a", "#222222", "#777777"
Style = dict[str, Any]
LINES: dict[str, Style] = {
    "c1": {"color": BLUE, "linewidth": 2},
    "c2": {"color": ORANGE, "linewidth": 2, "dashes": (4, 1.5)},
    "c3": {"color": GREEN, "linewidth": 2, "dashes": (1.25, 1.25)},
    "c4": {"color": PURPLE, "linewidth": 2, "dashes": (5, 1.5, 1, 1.5)},
    "c5": {"color": "#444444", "linewidth": 2, "dashes": (2.5, 1, 0.5, 1, 0.5, 1)},
    "faint": {"color": BLUE, "linewidth": 1, "alpha": 0.3},
    "faint2": {"color": ORANGE, "linewidth": 1, "alpha": 0.3},
    "whisker": {"color": INK, "linewidth": 1.5},
    "chance": {"color": GREY, "linewidth": 1, "dashes": (4, 4)},
}
BARS = {"c2": "#f3cda8"}
COLORS = {"c1": BLUE, "c2": ORANGE, "c3": GREEN, "c4": PURPLE, "c5": "#444444", "at2": ORANGE, "few1": ORANGE}


def plot(evaluation: Evaluation, name: str, ax: Axes | None = None, versus: Evaluation | None = None) -> Axes:
    """Draw the picture of a name (see `figures`) on `ax`, or on axes of its own; returns the axes.

    Raises UsageError without matplotlib, and where there is no such picture.
    """
    made = {f.name: f for f in figures(evaluation, versus)}
    if name not in made:
        raise UsageError(f"there is no picture {name!r} of this evaluation; there are {', '.join(made) or 'none'}")
    drawing, own = made[name].drawing, ax is None
    if ax is None:
        ax = _own_axes(square=getattr(drawing, "square", True))
    if isinstance(drawing, Plot):
        _plot(drawing, ax, own)
    elif isinstance(drawing, HeatMap):
        _heat_map(drawing, ax)
    else:  # a picture that only its own section can draw
        raise UsageError(f"{name} cannot be drawn by matplotlib; `report --figures` writes it as SVG and PNG")
    return ax


def _own_axes(square: bool) -> Axes:
    try:
        pyplot = import_module("matplotlib.pyplot")
    except ImportError:
        raise UsageError("plot needs matplotlib: pip install 'maskmeter[plot]'") from None
    return pyplot.subplots(figsize=(4.8, 4.8) if square else (6.4, 4.4), layout="constrained")[1]


def _plot(drawing: Plot, ax: Axes, own: bool) -> None:
    for layer in drawing.layers:
        _layer(layer, ax, drawing.y.low)
    for axis, bounds, ticks in ((drawing.x, ax.set_xlim, ax.set_xticks), (drawing.y, ax.set_ylim, ax.set_yticks)):
        bounds(axis.low, axis.high)
        ticks([at for at, _ in axis.ticks], [text for _, text in axis.ticks])
    ax.set(title=drawing.title, xlabel=drawing.x.label, ylabel=drawing.y.label)
    if drawing.square:
        ax.set_box_aspect(1)
    ax.grid(color="#e2e2e2", linewidth=0.8)
    ax.set_axisbelow(True)
    if drawing.key and own:  # below the axes, for which their layout makes room
        columns = 2 if max(len(e.label) for e in drawing.key) < 28 else 1
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=columns, frameon=False, fontsize="small")
    elif drawing.key:
        ax.legend(loc="best", framealpha=0.85, edgecolor="none", fontsize="small")


def _layer(layer: Layer, ax: Axes, ground: float) -> None:
    label = getattr(layer, "label", "") or "_nolegend_"
    if isinstance(layer, Line):
        ax.plot(layer.x, layer.y, label=label, **LINES.get(layer.style, LINES["c1"]))
    elif isinstance(layer, Band):
        color = COLORS.get(layer.style, BLUE)
        ax.fill_between(layer.x, layer.low, layer.high, color=color, alpha=0.18, linewidth=0, label=label)
    elif isinstance(layer, Bar):
        base = ground if layer.base is None else layer.base
        at, width = layer.left, layer.right - layer.left
        color = BARS.get(layer.style, "#bcd6ea")
        ax.bar(at, layer.y - base, width, base, align="edge", color=color, edgecolor="white")
        if layer.above:
            ax.annotate(layer.above, (at + width / 2, layer.y), (0, 3), textcoords="offset points", ha="center")
    elif isinstance(layer, Point):
        color = COLORS.get(layer.style, INK)
        ax.plot([layer.x], [layer.y], "o", color=color, markerfacecolor="white", label=label)
    else:
        ax.axvline(layer.x, color=COLORS.get(layer.style, INK), linewidth=1.5, label=label)


def _heat_map(drawing: HeatMap, ax: Axes) -> None:
    pixels = drawing.matrix.pixels.astype(np.float64)
    whole = pixels.sum(axis=1, keepdims=True)
    share = np.divide(100 * pixels, whole, out=np.zeros_like(pixels), where=whole > 0)
    shown = ax.imshow(share, cmap="Blues", vmin=0, vmax=100)
    rows, columns = drawing.matrix.rows, drawing.matrix.columns
    ax.set_xticks(range(len(columns)), columns, rotation=90 if len(columns) > 4 else 0)
    ax.set_yticks(range(len(rows)), rows)
    ax.set(title=drawing.title, xlabel="prediction", ylabel="ground truth")
    if len(rows) <= 20:
        for (i, j), v in np.ndenumerate(share):
            ax.text(j, i, f"{v:.0f}", ha="center", va="center", fontsize="x-small", color="white" if v > 60 else INK)
    ax.figure.colorbar(shown, ax=ax, label="% of the ground truth", shrink=0.8)
