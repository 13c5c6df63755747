"""`maskmeter demo`."""

from __future__ import annotations

from pathlib import Path

import click

from . import main


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("demo"))
def command(folder: Path) -> None:
    """The whole tour on a generated data set, in FOLDER (by default ./demo). Each step is a command you can run."""
    data, runs = folder / "data", folder / "runs"
    street = data / "street"
    reports = [runs / name / "report.html" for name in ("street_a", "street_b")]
    steps = [
        ["sample", data],
        ["inspect", street / "gt", street / "pred_a", "--labels", street / "labels.toml"],
        *(
            ["evaluate", street / "gt", street / f"pred_{model}", "--labels", street / "labels.toml",
             "--images", street / "images", "-o", runs / f"street_{model}"]
            for model in "ab"
        ),
        ["compare", runs / "street_a", runs / "street_b"],
    ]  # fmt: skip
    for step in steps:
        words = [str(word) for word in step]
        click.secho(f"\n$ maskmeter {' '.join(words)}", bold=True)
        code = main(words)
        if code:
            raise click.exceptions.Exit(code)
    click.echo("\nOpen in a browser:")
    for path in reports:
        click.echo(f"  {path.resolve()}")
