"""`maskmeter sample DIR`."""

from __future__ import annotations

from pathlib import Path

import click

from . import say


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed gives another data set.")
def command(folder: Path, seed: int) -> None:
    """Write a small generated data set with two imperfect models into FOLDER."""
    from ..sample import write_sample

    write_sample(folder, seed)
    say(f"sample: {folder}; its README.md says what is in it and what to try")
