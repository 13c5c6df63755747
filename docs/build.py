"""Print the pages of docs/ that the code itself knows: a page per chapter of metrics, and the commands.

    python docs/build.py            print them
    python docs/build.py --check    change nothing; fail where a page on disk is not what would be printed

Other pages are written by hand.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
NOTE = "<!-- Printed from the code by docs/build.py; change it there. -->"

Pages = dict[str, str]

BETTER = {"higher": "higher is better", "lower": "lower is better", "zero": "best at zero", "none": "no end is better"}


def metric_pages() -> Pages:
    """docs/metrics/: one page per chapter and a table of them all."""
    from maskmeter.metrics import METRICS

    chapters: dict[str, list[Any]] = {}
    for metric in METRICS.values():
        chapters.setdefault(metric.chapter, []).append(metric)
    contents = [
        NOTE,
        "# Metrics",
        "Ground truth comes first: `iou(gt, pred)`. Every chapter opens with its conventions.",
    ]
    pages: Pages = {}
    for chapter, metrics in chapters.items():
        title, heading = (
            chapter.replace("_", " ").capitalize(),
            split(importlib.import_module(f"maskmeter.metrics.{chapter}").__doc__),
        )
        pages[f"metrics/{chapter}.md"] = page(NOTE, f"# {title}", *heading, *map(metric_section, metrics))
        contents += [f"## [{title}]({chapter}.md)", heading[0]]
        contents.append(table(("metric", "definition"), (metric_row(chapter, m) for m in metrics)))
    return {"metrics/index.md": page(*contents), **pages}


def metric_row(chapter: str, metric: Any) -> tuple[str, str]:
    """A metric as one line of the contents, linked to its section."""
    return f"[`{metric.name}`]({chapter}.md#{metric.name})", split(metric.__doc__)[0].rstrip(".")


def metric_section(metric: Any) -> str:
    """A metric: how it is called, its definition and example, and what the code declares about it."""
    required = inspect.Parameter.empty
    given = (name if value is required else f"{name}={value!r}" for name, value in metric.defaults.items())
    better = BETTER[metric.better]
    each = "one value per class" if metric.per_class else "one value"
    usual = {"pooled": "pooled over the images", "images": "as the mean over images"}[metric.headline]
    return page(
        f"## {metric.name}",
        f"`{metric.name}({', '.join(['gt', 'pred', *given])})`",
        *split(metric.__doc__),
        f"*Over `{metric.measure.__name__}`; {each}; {better}; usually given {usual}.*",
    )


def command_page() -> Pages:
    """docs/commands.md: every command with its options, as `--help` says it."""
    import click

    cli = importlib.import_module("maskmeter.cli")
    group = next((x for x in vars(cli).values() if isinstance(x, click.Group)), None)
    if group is None:
        raise SystemExit("maskmeter.cli has no click group")
    context = click.Context(group, info_name="maskmeter")
    parts = [NOTE, "# Commands", paragraphs(group.help)]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            parts.append(command_section(name, command, click.Context(command, info_name=name, parent=context)))
    return {"commands.md": page(*parts)}


def command_section(name: str, command: Any, context: Any) -> str:
    """A command: how it is called, what it does, its options."""
    usage = f"{context.command_path} {' '.join(command.collect_usage_pieces(context))}"
    records = [p.get_help_record(context) for p in command.params if p.param_type_name == "option"]
    options = table(("option", "meaning"), ((f"`{o}`", prose(what)) for o, what in filter(None, records)))
    return page(f"## {name}", f"```text\n{usage}\n```", paragraphs(command.help), options)


# A docstring is almost Markdown. What is not: labelled lines, examples, and signs that Markdown would take for its own.


def split(doc: str | None) -> tuple[str, str]:
    """The first line of a docstring, and the rest, as Markdown."""
    first, _, rest = inspect.cleandoc(doc or "").partition("\n")
    return prose(first), paragraphs(rest)


def paragraphs(text: str | None) -> str:
    """The paragraphs of a docstring as Markdown: examples fenced, labelled lines ("Reference: ...") as a list."""
    return "\n\n".join(paragraph(x) for x in re.split(r"\n\s*\n", inspect.cleandoc(text or "").strip("\n")) if x)


def paragraph(text: str) -> str:
    """One paragraph as Markdown."""
    kept = text.startswith("\b")  # click's sign for lines that stay as they are
    lines = text.strip("\b\n").split("\n")
    if lines[0].lstrip().startswith(">>>"):
        return "\n".join(["```python", *lines, "```"])
    if kept or any(re.search(r"\S {3,}\S", line) for line in lines) or all(line.startswith("  ") for line in lines):
        return "\n".join(["```text", *lines, "```"])
    shown = (re.sub(r"^([A-Z]\w+): ", r"\n- *\1:* ", prose(line)) for line in lines)
    return re.sub(r"\n+(- \*\w+:\* )", r"\n\1", "\n".join(shown)).replace("\n- ", "\n\n- ", 1).strip()


def prose(text: str) -> str:
    """Text in which angle brackets, bars and lone stars are meant as they stand, but for what is in backticks."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(x if i % 2 else re.sub(r"[<|]|(?<= )\*(?= )", r"\\\g<0>", x) for i, x in enumerate(parts))


def table(head: tuple[str, str], rows: Iterator[tuple[str, str]]) -> str:
    """A Markdown table of two columns, or nothing without rows."""
    bar = "\\|"  # as a table wants it, even inside backticks
    lines = [f"| {a.replace('|', bar)} | {' '.join(b.split())} |" for a, b in rows]
    return "\n".join([f"| {head[0]} | {head[1]} |", "| --- | --- |", *lines]) if lines else ""


def page(*parts: str) -> str:
    """Parts of a page with a blank line between them."""
    return "\n\n".join(x.strip("\n") for x in parts if x.strip()) + "\n"


def main() -> int:
    """Print the pages, or with --check compare them."""
    pages = {**metric_pages(), **command_page()}
    stale = [p for p in DOCS.glob("metrics/*.md") if p.relative_to(DOCS).as_posix() not in pages]
    differ = [name for name, text in pages.items() if not same(DOCS / name, text)]
    if "--check" in sys.argv[1:]:
        for name in [*differ, *(p.relative_to(DOCS).as_posix() for p in stale)]:
            print(f"docs/{name} is not what the code says; run `make pages`", file=sys.stderr)
        return 1 if differ or stale else 0
    for path in stale:
        path.unlink()
    for name in differ:
        (DOCS / name).parent.mkdir(exist_ok=True)
        (DOCS / name).write_text(pages[name], "utf-8", newline="\n")
        print(f"docs/{name}")
    return 0


def same(path: Path, text: str) -> bool:
    """Whether the page on disk says this."""
    return path.is_file() and path.read_text("utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
