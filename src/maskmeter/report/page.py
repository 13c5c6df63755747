"""The page around the sections, and the one place where text becomes HTML.

Every template is filled here, with everything escaped that comes from outside. The page needs nothing
but itself: its policy forbids all connections, and lets only the script run whose hash it states.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from . import words

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent
SCRIPTS = ("page.js", "pictures.js", "all_images.js", "gallery.js", "threshold.js", "detections.js")
STYLES = ("page.css", "charts.css", "plotted.css", "gallery.css", "print.css")
OWN_STYLES = ("boundaries",)  # sections with a style sheet of their own, which the page has only with them
FILTERS = (
    words.figure,
    words.value,
    words.end,
    words.percent,
    words.count,
    words.many,
    words.name,
    words.cut,
    words.whole,
    words.colour,
)


class Section(NamedTuple):
    """A section of the page: where it is found, what it is called, and what `fill` made of it."""

    id: str
    title: str
    html: str


@cache
def environment() -> Environment:
    """The templates of this folder."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    made.policies["json.dumps_kwargs"] = {"sort_keys": True, "separators": (",", ":")}
    filters: dict[str, Any] = {f.__name__: f for f in FILTERS}
    made.filters.update(filters)
    return made


def fill(template: str, **values: Any) -> str:
    """The template with its values, which are text whatever they hold."""
    return environment().get_template(template).render(values)


def page(title: str, lead: str, sections: Sequence[Section], fetches: bool = False) -> str:
    """The whole page; it may load pictures from beside it where it `fetches`."""
    from markupsafe import Markup

    script = "".join(_read(name) for name in SCRIPTS)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    sources = "data: 'self' file:" if fetches else "data:"
    return fill(
        "page.html",
        title=title,
        lead=lead,
        sections=[(s.id, s.title, Markup(s.html)) for s in sections],
        policy=f"default-src 'none'; img-src {sources}; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'",
        style=Markup("".join(map(_read, (*STYLES, *(f"{s.id}.css" for s in sections if s.id in OWN_STYLES))))),
        script=Markup(script),
    )


def _read(name: str) -> str:
    """A script or a style sheet, without indentation and comment lines: they are a tenth of its size."""
    lines = (line.strip() for line in (HERE / name).read_text("utf-8").splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))
