"""The pictures as PNG: the SVG that this package writes, drawn with Pillow.

It knows what plot.svg and heatmap.svg hold and nothing else: rectangles, lines, paths of M, L and Z, circles and
text under translations and quarter turns, with styles by class. Drawn four times as large and scaled down to twice
the size of the SVG, so that lines are smooth; 192 dots an inch are written into the file. The font is the one that
Pillow brings, the same on every machine; names in scripts that it lacks are in the SVG alone.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

LARGE, FINAL = 4, 2  # times the size of the SVG: while drawing, and in the file
LACKING = str.maketrans({"≥": ">=", "−": "–"})  # what the font that Pillow brings does not have
NUMBER = r"-?[\d.]+(?:e-?\d+)?"

Style = dict[str, str]
Place = tuple[float, float, bool]  # where the origin lies, and whether it is turned to the left by a quarter
Points = list[tuple[float, float]]


def png_of(svg: str) -> bytes:
    """The picture as a PNG file."""
    from PIL import Image, ImageDraw

    root = ElementTree.fromstring(svg)
    size = math.ceil(float(root.get("width", 0))), math.ceil(float(root.get("height", 0)))
    image = Image.new("RGB", (size[0] * LARGE, size[1] * LARGE), "white")
    rules = [rule for e in root.iter() if _tag(e) == "style" for rule in _rules(e.text or "")]
    _Painter(image, ImageDraw.Draw(image, "RGBA"), rules).paint(root, (0.0, 0.0, False))
    out = io.BytesIO()
    small = image.resize((size[0] * FINAL, size[1] * FINAL), Image.Resampling.LANCZOS)
    small.save(out, "PNG", optimize=True, dpi=(96 * FINAL, 96 * FINAL))
    return out.getvalue()


class _Painter:
    def __init__(self, image: Any, draw: Any, rules: list[tuple[str, frozenset[str], Style]]) -> None:
        self._image, self._draw, self._rules = image, draw, rules

    def paint(self, e: ElementTree.Element, at: Place) -> None:
        """Draw an element and what it holds."""
        at = _moved(at, e.get("transform", ""))
        tag, style = _tag(e), self._style(e)
        if tag == "text":
            self._text(e, at, style)
        elif tag == "rect":
            self._shape(_corners(e, self._image.size), at, style)
        elif tag == "line":
            ends = [(_length(e, "x1"), _length(e, "y1")), (_length(e, "x2"), _length(e, "y2"))]
            self._line(ends, at, style)
        elif tag == "circle":
            self._circle(e, at, style)
        elif tag == "path":
            for points, closed in _paths(e.get("d", "")):
                (self._shape if closed else self._line)(points, at, style)
        for child in e if tag in ("svg", "g") else ():
            self.paint(child, at)

    def _style(self, e: ElementTree.Element) -> Style:
        classes = set((e.get("class") or "").split())
        found: Style = {k: v for k in ("fill", "stroke", "text-anchor") if (v := e.get(k))}
        for tag, needed, style in self._rules:
            if tag in ("", _tag(e)) and needed <= classes:
                found |= style
        return found

    def _shape(self, points: Points, at: Place, style: Style) -> None:
        placed = [_placed(p, at) for p in points]
        if len(placed) > 2 and (fill := _colour(style, "fill", "#000")):
            self._draw.polygon(placed, fill=fill)
        if _colour(style, "stroke"):
            self._line([*points, points[0]], at, style)

    def _line(self, points: Points, at: Place, style: Style) -> None:
        colour = _colour(style, "stroke")
        if colour is None:
            return
        width = max(1, round(float(style.get("stroke-width", 1)) * LARGE))
        placed = [_placed(p, at) for p in points]
        dashes = [float(x) * LARGE for x in style.get("stroke-dasharray", "").split()]
        for part in _dashed(placed, dashes) if dashes else [placed]:
            self._draw.line(part, fill=colour, width=width, joint="curve")

    def _circle(self, e: ElementTree.Element, at: Place, style: Style) -> None:
        x, y = _placed((_length(e, "cx"), _length(e, "cy")), at)
        width = float(style.get("stroke-width", 1)) * LARGE
        r = _length(e, "r") * LARGE + width / 2
        box = (x - r, y - r, x + r, y + r)
        self._draw.ellipse(box, _colour(style, "fill", "#000"), _colour(style, "stroke"), round(width))

    def _text(self, e: ElementTree.Element, at: Place, style: Style) -> None:
        from PIL import Image, ImageDraw, ImageFont

        size = float(style.get("font-size", "12px").removesuffix("px"))
        said = (e.text or "").translate(LACKING)
        if not said.strip() or not size:
            return
        font = ImageFont.load_default(size * LARGE)
        bold = round(LARGE * 0.09 * size / 3) if style.get("font-weight") == "bold" else 0
        x, y = _placed((_length(e, "x") + _length(e, "dx"), _length(e, "y") + _length(e, "dy")), at)
        anchor = {"middle": "ms", "end": "rs"}.get(style.get("text-anchor", ""), "ls")
        fill = _colour(style, "fill", "#000")
        if not at[2]:
            self._draw.text((x, y), said, fill, font, anchor, stroke_width=bold / 4)
            return
        left, top, right, bottom = font.getbbox(said, anchor=anchor)
        stamp = Image.new("L", (math.ceil(right - left) + 4, math.ceil(bottom - top) + 4))
        ImageDraw.Draw(stamp).text((2 - left, 2 - top), said, 255, font, anchor)
        turned = stamp.transpose(Image.Transpose.ROTATE_90)
        self._image.paste(fill, (round(x + top) - 2, round(y - right) - 2), turned)


def _tag(e: ElementTree.Element) -> str:
    return e.tag.rpartition("}")[2]


def _rules(css: str) -> Iterator[tuple[str, frozenset[str], Style]]:
    """Tag, classes and style of each rule."""
    for names, body in re.findall(r"([^{}]+)\{([^}]*)\}", css):
        style: Style = dict(part.split(":", 1) for part in body.split(";") if ":" in part)
        if "font" in style:
            style["font-size"] = style["font"].split()[0]
        for name in names.split(","):
            tag, *classes = name.strip().split(".")
            yield tag, frozenset(classes), style


def _colour(style: Style, what: str, default: str = "none") -> tuple[int, ...] | None:
    """Red, green, blue and how opaque."""
    from PIL import ImageColor

    name = style.get(what, default)
    if name == "none":
        return None
    return (*ImageColor.getrgb(name)[:3], round(255 * float(style.get(f"{what}-opacity", 1))))


def _moved(at: Place, transform: str) -> Place:
    if found := re.search(rf"translate\(({NUMBER}) ({NUMBER})\)", transform):
        at = (at[0] + float(found[1]), at[1] + float(found[2]), at[2])
    return (at[0], at[1], at[2] or "rotate(-90)" in transform)


def _placed(point: tuple[float, float], at: Place) -> tuple[float, float]:
    x, y = (point[1], -point[0]) if at[2] else point
    return (at[0] + x) * LARGE, (at[1] + y) * LARGE


def _length(e: ElementTree.Element, name: str) -> float:
    return float(e.get(name, 0))


def _corners(e: ElementTree.Element, whole: tuple[int, int]) -> Points:
    x, y = _length(e, "x"), _length(e, "y")
    w, h = (n / LARGE if e.get(k) == "100%" else _length(e, k) for k, n in zip(("width", "height"), whole, strict=True))
    return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]


def _paths(d: str) -> Iterator[tuple[Points, bool]]:
    """The parts of a path, and whether each is closed."""
    for part in d.split("M")[1:]:
        points = [(float(a), float(b)) for a, b in re.findall(rf"({NUMBER}) ({NUMBER})", part)]
        if len(points) > 1:
            yield points, part.endswith("Z")


def _dashed(points: Points, dashes: list[float]) -> Iterator[Points]:
    """The pieces of a line that are drawn."""
    at, left, part = 0, dashes[0], points[:1]
    for (x0, y0), (x1, y1) in pairwise(points):
        whole = math.hypot(x1 - x0, y1 - y0)
        gone = 0.0
        while whole - gone > left:
            gone += left
            end = (x0 + (x1 - x0) * gone / whole, y0 + (y1 - y0) * gone / whole)
            if at % 2 == 0:
                yield [*part, end]
            at, part = at + 1, [end]
            left = dashes[at % len(dashes)]
        left -= whole - gone
        part.append((x1, y1))
    if at % 2 == 0 and len(part) > 1:
        yield part
