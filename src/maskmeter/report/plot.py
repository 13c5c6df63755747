"""Pictures of numbers: a plot as a value, and the two ways it is drawn.

A `Plot` says what there is to see in the units of its axes. On the page it is as wide as its place, in the
colours of the page (`fluid`); as a file it has a size, a white ground and its own fonts (`standalone`).
Both come from one template, plot.svg. Kinds of lines differ by dashes as well as by colour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .page import HERE, environment

if TYPE_CHECKING:
    from markupsafe import Markup

WIDTH, HEIGHT = 560, 400  # of the area of a plot in a file
FINE = 1 / 2000  # of an axis: what nobody sees

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Axis:
    """An axis: what it is, its ends, and its ticks with what they say."""

    label: str
    low: float = 0.0
    high: float = 1.0
    ticks: tuple[tuple[float, str], ...] = tuple((t / 5, f"{t / 5:.1f}") for t in range(6))

    def share(self, value: float) -> float:
        """Where a value lies between the ends."""
        return (value - self.low) / (self.high - self.low)


class Line(NamedTuple):
    """Points that are joined; `style` is c1 to c5, faint or chance."""

    x: Values
    y: Values
    style: str
    label: str = ""


class Band(NamedTuple):
    """The area between two curves."""

    x: Values
    low: Values
    high: Values
    style: str
    label: str = ""


class Bar(NamedTuple):
    """A bar from the ground, or from `base`, to `y`; `title` says it in words, `above` stands above it or `over`."""

    left: float
    right: float
    y: float
    style: str
    title: str = ""
    above: str = ""
    base: float | None = None
    over: float | None = None


class Point(NamedTuple):
    """A marked place; `id` lets the page move it."""

    x: float
    y: float
    style: str
    title: str = ""
    label: str = ""
    id: str = ""


class Rule(NamedTuple):
    """A line across the whole plot at a value of the x axis."""

    x: float
    style: str
    label: str = ""
    id: str = ""


class Entry(NamedTuple):
    """An entry of the key; `id` lets the page say something else."""

    kind: str
    style: str
    label: str
    id: str


def whisker(x: float, low: float, high: float) -> list[Layer]:
    """An interval at a place of the x axis; nothing where there is none."""
    if math.isnan(low) or math.isnan(high):
        return []
    return [Line(np.array([x, x]), np.array([low, high]), "whisker")]


Layer = Line | Band | Bar | Point | Rule


@dataclass(frozen=True)
class Plot:
    """A picture: what it is called, its axes, and what is drawn, from the ground up."""

    title: str
    x: Axis
    y: Axis
    layers: Sequence[Layer]
    square: bool = False

    def fluid(self, id: str, shape: str = "") -> Markup:
        """For the page: coordinates in percent of the place it has."""
        from markupsafe import Markup

        return Markup(self._drawn(1000, 1000, id=id, shape=shape, fluid=True))

    def standalone(self) -> str:
        """A file of its own."""
        width = HEIGHT if self.square else WIDTH
        return self._drawn(width, HEIGHT, id="", shape="", fluid=False)

    @property
    def key(self) -> list[Entry]:
        """What stands for what."""
        named = (x for x in self.layers if not isinstance(x, Bar) and x.label)
        found = (Entry(type(x).__name__.lower(), x.style, x.label, getattr(x, "id", "")) for x in named)
        return list(dict.fromkeys(found))

    def _drawn(self, width: int, height: int, **more: Any) -> str:
        from markupsafe import Markup

        frame = Frame(self, width, height, more["fluid"])
        style = Markup((HERE / "plot.css").read_text("utf-8"))
        key = _rows(self.key, width)
        return environment().get_template("plot.svg").render(plot=self, frame=frame, key=key, style=style, **more)


@dataclass(frozen=True)
class Frame:
    """From values to coordinates: lines in units of the area, everything else in percent where it is fluid."""

    plot: Plot
    width: int
    height: int
    fluid: bool

    def layers(self, kind: str) -> list[Layer]:
        """What is to be drawn of a kind: line, band, bar, point, rule."""
        return [x for x in self.plot.layers if type(x).__name__.lower() == kind]

    def x(self, value: float) -> str:
        return self._at(self.plot.x.share(value), self.width)

    def y(self, value: float) -> str:
        return self._at(1 - self.plot.y.share(value), self.height)

    def wide(self, left: float, right: float) -> str:
        return self._at(self.plot.x.share(right) - self.plot.x.share(left), self.width)

    def high(self, low: float, high: float) -> str:
        return self._at(self.plot.y.share(high) - self.plot.y.share(low), self.height)

    def path(self, x: Values, y: Values) -> str:
        """The points as a path, broken where there is no value."""
        words: list[str] = []
        pen = "M"
        for a, b in zip(self._x(x).tolist(), self._y(y).tolist(), strict=True):
            if math.isfinite(a) and math.isfinite(b):
                words.append(f"{pen}{a:g} {b:g}")
                pen = "L"
            else:
                pen = "M"
        return "".join(words)

    def area(self, x: Values, low: Values, high: Values) -> str:
        """The area between two curves as a path."""
        there = np.isfinite(low) & np.isfinite(high)
        x, low, high = x[there], low[there], high[there]
        return self.path(np.append(x, x[::-1]), np.append(high, low[::-1])) + "Z" if x.size else ""

    def _x(self, x: Values) -> Values:
        return np.round((x - self.plot.x.low) / (self.plot.x.high - self.plot.x.low) * self.width, 1)

    def _y(self, y: Values) -> Values:
        return np.round((1 - (y - self.plot.y.low) / (self.plot.y.high - self.plot.y.low)) * self.height, 1)

    def _at(self, share: float, size: int) -> str:
        return f"{round(share * 100, 2):g}%" if self.fluid else f"{round(share * size, 2):g}"


def simplified(x: Values, y: Values, most: float = FINE) -> tuple[Values, Values]:
    """The curve with fewer points, nowhere moved by more than `most`; both axes run from 0 to 1.

    Points that nobody could tell apart are dropped first, then those near the line between their neighbours
    (Ramer, 1972; Douglas and Peucker, 1973), so corners stay.
    """
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if x.size < 3:
        return x, y
    cell = np.stack([np.rint(x / most / 2), np.rint(y / most / 2)])
    new = np.append(True, (np.diff(cell) != 0).any(axis=0))
    kept = new | np.append(new[1:], True)  # the first and the last of each cell
    x, y = x[kept], y[kept]
    use = np.zeros(x.size, bool)
    use[[0, -1]] = True
    spans = [(0, x.size - 1)]
    while spans:
        a, b = spans.pop()
        if b - a < 2:
            continue
        off = _distances(x[a : b + 1], y[a : b + 1])
        at = int(off.argmax())
        if off[at] > most:
            use[a + at] = True
            spans += [(a, a + at), (a + at, b)]
    return x[use], y[use]


def _distances(x: Values, y: Values) -> Values:
    """How far points are from the segment between the first and the last."""
    dx, dy = x[-1] - x[0], y[-1] - y[0]
    length = dx * dx + dy * dy
    t = np.zeros(x.size) if length == 0 else np.clip(((x - x[0]) * dx + (y - y[0]) * dy) / length, 0, 1)
    return np.hypot(x - x[0] - t * dx, y - y[0] - t * dy)


def rounded(label: str, top: float, most: int = 6) -> Axis:
    """An axis from 0 to `top`, or to the next tick, with at most so many ticks above 0, 1, 2 or 5 times 10**k apart.

    >>> [text for _, text in rounded("", 0.59).ticks]
    ['0', '0.1', '0.2', '0.3', '0.4', '0.5', '0.6']
    """
    power = 10.0 ** math.floor(math.log10(top / most))
    step = next(x * power for x in (1, 2, 5, 10, 20) if top / (x * power) <= most * (1 + 1e-9))
    last = math.ceil(top / step - 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    ticks = tuple((i * step, f"{i * step:,.{digits}f}" if i else "0") for i in range(last + 1))
    return Axis(label, 0.0, last * step, ticks)


def decades(most: float) -> Axis:
    """A logarithmic axis of counts up to `most`, in powers of ten; 0 lies on the ground."""
    top = max(1, math.ceil(math.log10(max(most, 1)) + 1e-9))
    every = max(1, math.ceil(top / 4))
    names = ("1", "10", "100", "1k", "10k", "100k", "1M", "10M", "100M", "1G", "10G", "100G", "1T", "10T", "100T")
    return Axis("pixels (log scale)", -0.3, float(top), tuple((float(t), names[t]) for t in range(0, top + 1, every)))


def logarithm(n: float) -> float:
    """Where a count lies on such an axis."""
    return math.log10(n) if n >= 1 else -0.3


def _rows(key: list[Entry], width: int) -> list[list[tuple[float, Entry]]]:
    """The key in rows as wide as the plot, each entry with its place; in a file only."""
    rows: list[list[tuple[float, Entry]]] = [[]]
    left = 0.0
    for entry in key:
        wide = 34 + 6.9 * len(entry.label)
        if left and left + wide > width:
            rows.append([])
            left = 0.0
        rows[-1].append((left, entry))
        left += wide + 14
    return rows if key else []
