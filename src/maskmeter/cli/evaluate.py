"""`maskmeter evaluate GT PRED -o RUN`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from ..evaluation import Evaluation
from ..formats import located
from ..progress import Log
from . import log_as_json, say
from .tables import rows_as_markdown, summary

RUN_FILES = "run.sqlite, results.json, rows.csv"


def label_range(text: str) -> list[int]:
    """`0-18` or `0,1,5-7` as a list of labels."""
    out: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-") if not part.strip().startswith("-") else (part.strip(), "", "")
        try:
            out += range(int(low), int(high) + 1) if dash else [int(low)]
        except ValueError:
            raise UsageError(f"--classes {text!r} is no range of labels; write 0-18 or 0,1,5-7") from None
    return out


def read_spacing(text: str) -> tuple[float, ...]:
    """`2.5,0.8,0.8` as numbers."""
    try:
        return tuple(float(x) for x in text.split(","))
    except ValueError:
        raise UsageError(f"--spacing {text!r} is not made of numbers; write 2.5,0.8,0.8") from None


class Place(click.ParamType):  # pyright: ignore[reportMissingTypeArgument] - no generic before Click 8.3
    """A file or folder, of this machine or remote."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path or address."""
        return located(value)


def data_options(command: Any) -> Any:
    """The options that say what the data is, the same for evaluate and inspect."""
    for option in reversed(
        [
            click.argument("gt", type=Place()),
            click.argument("pred", type=Place()),
            click.option("--labels", metavar="FILE", help="Label file, or a known set: cityscapes, voc."),
            click.option("--classes", metavar="RANGE", help="The labels that may occur, as in 0-18."),
            click.option("--ignore", type=int, multiple=True, metavar="N", help="A void label; may be repeated."),
            click.option(
                "--pairs",
                metavar="TEMPLATE|CSV",
                help="As in {name}_gt.png={name}_pred.png, or a CSV; {name}.png={class}/{name}.npy: a map a class.",
            ),
            click.option("--max-pixels", type=int, metavar="N", help="Refuse larger images before they are decoded."),
            click.option("-j", "--jobs", type=click.IntRange(1), metavar="N", help="Threads, by default one per core."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


@click.command()
@data_options
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="RUN", help=f"A folder for {RUN_FILES} and report.html."
)
@click.option(
    "-m",
    "--metric",
    "metrics",
    multiple=True,
    metavar="METRIC",
    help="As in iou or fbeta(beta=2); may be repeated. A curve such as froc_curve is drawn in the report.",
)
@click.option(
    "--task",
    default="auto",
    show_default=True,
    metavar="TASK",
    help="auto, binary, semantic, instance, panoptic, detection.",
)
@click.option(
    "--convention",
    metavar="NAME",
    help="Class and object in one file: channels, cityscapes, kitti, semantickitti; a mask for each object: stack; "
    "classes whose connected components are the objects: components8 (or 4; in 3D 6, 18, 26); "
    "or panoptic: all its rules. Detections: "
    "coco-fixed (the default), coco, coco-detectron2, coco-boundary, lvis, cityscapes, tide.",
)
@click.option(
    "--on", type=click.Choice(["mask", "box"]), default="mask", show_default=True, help="Detections: what is compared."
)
@click.option("--positive", type=int, multiple=True, metavar="N", help="The foreground label of a binary question.")
@click.option(
    "--mask",
    type=Place(),
    metavar="DIR",
    help="Masks, named as the ground truth; only their pixels are counted.",
)
@click.option("--threshold", default="0.5", show_default=True, metavar="T", help="Score maps: a number, or best:dice.")
@click.option("--logits", is_flag=True, help="Maps of floats hold logits.")
@click.option(
    "--class-axis",
    type=int,
    metavar="N",
    help="Predictions are scores of several classes: 0 where (C, H, W), -1 where (H, W, C).",
)
@click.option(
    "--spacing",
    metavar="MM,MM,MM",
    help="Millimetres along each array axis, where files do not say it.",
)
@click.option(
    "--group-by",
    metavar="TEMPLATE|CSV:COLUMN",
    help="Intervals by groups of images that are not independent: {patient}_* fits their names, or patients.csv:id.",
)
@click.option(
    "--intervals",
    default="percentile",
    show_default=True,
    metavar="METHOD",
    help="percentile, bca, none; as in bca(resamples=5000,seed=1).",
)
@click.option("--images", type=click.Path(path_type=Path), metavar="DIR", help="Photographs for the report.")
@click.option(
    "--missing",
    type=click.Choice(["stop", "empty", "skip"]),
    default="stop",
    show_default=True,
    help="Ground truth without prediction.",
)
@click.option(
    "--extra",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="Predictions without ground truth.",
)
@click.option(
    "--executor",
    metavar="SPEC",
    help="threads (default), processes, dask, dask://host:port, ray, ray://host:port; -j says how many.",
)
@click.option("--shard", metavar="I/N", help="Count the I-th of N parts into RUN; maskmeter merge joins them.")
@click.option("--resume", is_flag=True, help="Go on with the run in RUN.")
@click.option(
    "--memory",
    metavar="SIZE",
    help="As in 2GB: for the program and all images counted at a time; larger NPY, TIFF and Zarr are read in tiles.",
)
@click.option("--no-report", is_flag=True, help="Write no report.html.")
@click.option("--log", type=click.Choice(["json"]), help="Progress, notes and errors as lines of JSON on stderr.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv", "md", "latex"]),
    default="table",
    show_default=True,
    help="What is printed.",
)
def command(
    gt: Path, pred: Path, labels: str | None, classes: str | None, ignore: tuple[int, ...], pairs: str | None,
    max_pixels: int | None, jobs: int | None, out: Path | None, metrics: tuple[str, ...], positive: tuple[int, ...],
    images: Path | None, spacing: str | None, resume: bool, no_report: bool, form: str, log: str | None,
    shard: str | None, **choices: Any,
) -> None:  # fmt: skip
    """Evaluate the predictions PRED against the ground truth GT.

    Both are folders, files, globs or COCO JSON. Files are paired by their relative path without suffix.
    """
    from ..run import evaluate

    if resume and out is None:
        raise UsageError("--resume needs -o RUN")
    if log:
        log_as_json()
    done = evaluate(
        gt, pred, metrics or None, pairs=pairs, out=out, labels=labels, ignore=ignore or None,
        classes=None if classes is None else label_range(classes), positive=positive or None, images=images,
        spacing=None if spacing is None else read_spacing(spacing), max_pixels=max_pixels, workers=jobs,
        resume=resume, progress=Log if log else True, shard=shard, **choices,
    )  # fmt: skip
    if shard is not None:
        say(f"shard {shard}: {len(done.images)} images counted into {out}; maskmeter merge makes a run of all shards")
        _say_notices(done)
        return
    report = None
    if out is not None and not no_report:
        from ..report import write_report

        report = out / "report.html"
        write_report(done, report)
    _print(done, form)
    if form == "table" or log:
        _say_notices(done)
    if report is not None:
        say(str(report), "report")


def _say_notices(done: Evaluation) -> None:
    for notice in done.notices:
        say(notice, "note")


def _print(done: Evaluation, form: str) -> None:
    if form == "table":
        click.echo(summary(done))
    elif form == "json":
        from ..results import results

        click.echo(json.dumps(results(done, done.inputs), indent=1))
    elif form == "csv":
        from ..results import as_csv

        click.echo(as_csv(done.rows()), nl=False)
    elif form == "latex":
        click.echo(done.to_latex(), nl=False)
    else:
        click.echo(rows_as_markdown(done), nl=False)
