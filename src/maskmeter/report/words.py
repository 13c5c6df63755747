"""How the report writes numbers and names.

Undefined is a dash and never 0. Names may be anything a file system or a label file allows: control and
direction characters are written as escapes, and long names are cut in the middle, where they differ least.
"""

from __future__ import annotations

import math

from ..errors import printable

UNDEFINED = "–"
LONGEST = 400  # characters of a name in a tooltip


def figure(value: float, digits: int = 3) -> str:
    """A metric's value: 0.743."""
    if math.isnan(value):
        return UNDEFINED
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.{digits}f}".replace("-", "−")


def value(x: float, whole: bool, digits: int = 3) -> str:
    """A metric's value, where `whole` says that it counts something: 12 and not 12.000."""
    if whole and math.isfinite(x) and x == int(x):
        return f"{int(x):,}".replace("-", "−")
    return figure(x, 2 if whole else digits)


def end(x: float, whole: bool) -> str:
    """An end of an interval; of counts without the fractions that resampling makes."""
    return figure(x, 0 if whole and abs(x) >= 10 else 2) if whole and x != round(x) else value(x, whole)


def percent(share: float, digits: int = 1) -> str:
    """A share: 3.1 %. What is there but rounds to nothing says so."""
    if math.isnan(share):
        return UNDEFINED
    least = 10.0**-digits
    if 0 < share * 100 < least / 2:
        return f"<{least:.{digits}f} %"
    return f"{share * 100:.{digits}f} %"


def count(n: float) -> str:
    """A count: 1,234."""
    return f"{int(n):,}"


def many(n: int, one: str, more: str | None = None) -> str:
    """A count with its noun: 1 image, 2 images."""
    return f"{count(n)} {one if n == 1 else more or one + 's'}"


def name(text: str, longest: int = 48) -> str:
    """A name for a line of text."""
    shown = printable(text)
    if len(shown) <= longest:
        return shown
    head = (longest - 1) * 2 // 3
    return f"{shown[:head]}…{shown[head + 1 - longest :]}"


def cut(text: str, longest: int = 48) -> bool:
    """Whether `name` leaves a part out, so that the whole belongs into a tooltip."""
    return len(printable(text)) > longest


def whole(text: str) -> str:
    """A name for a tooltip: all of it, within reason."""
    return name(text, LONGEST)


def colour(rgb: tuple[int, int, int]) -> str:
    """A colour for a style sheet: #1a2b3c."""
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def size_range(low: float, high: float) -> str:
    """The sizes from `low` to below `high`.

    >>> size_range(0, 12), size_range(12, 40), size_range(40, math.inf)
    ('≤ 11', '12–39', '≥ 40')
    """
    first, last = count(math.ceil(low)), count(math.ceil(high) - 1) if math.isfinite(high) else ""
    return f"≥ {first}" if not last else f"≤ {last}" if low == 0 else f"{first}–{last}"
