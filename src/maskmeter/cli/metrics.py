"""`maskmeter metrics [NAME]`."""

from __future__ import annotations

import click

from ..errors import UsageError
from ..metrics import METRICS
from ..metrics._metric import REQUIRED, parse

BETTER = {"higher": "higher is better", "lower": "lower is better", "zero": "zero is best", "none": "no end is better"}


@click.command()
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List all metrics, or print the definition of NAME."""
    if name is None:
        lines = [[_call(m.name), m.chapter, m.summary] for m in METRICS.values()]
        width = max(len(line[0]) for line in lines)
        for call, chapter, about in lines:
            click.echo(f"{call:{width}}  {chapter:10}  {about}")
        return
    found = METRICS.get(name.partition("(")[0])
    if found is None:
        parse(name)
        raise UsageError(f"no metric is called {name!r}")
    click.echo(f"{_call(found.name)}\n\n{found.__doc__}\n")
    low, high = found.bounds
    facts = [
        ["chapter", found.chapter],
        ["value", "one per class" if found.per_class else "one number"],
        ["range", f"{low:g} to {high:g}, {BETTER[found.better]}"],
        ["usual average", "pooled over the data set" if found.headline == "pooled" else "mean over images"],
    ]
    click.echo("\n".join(f"{k:14} {v}" for k, v in facts))


def _call(name: str) -> str:
    required = [k for k, v in METRICS[name].defaults.items() if v is REQUIRED]
    return f"{name}({', '.join(required)})" if required else name
