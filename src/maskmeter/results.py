"""What a run leaves on disk beside its store: `results.json` and `rows.csv`; and the same rows as text.

Objects go into a table of their own where somebody asks for it, as there may be millions.

`results.json` holds the pooled values and the means over images, `rows.csv` one row per image, class
and metric. Both are written whole or not at all, hold nothing that changes from run to run, and write
undefined as null or as an empty cell. Text in a CSV cell that a spreadsheet would take for a formula
is prefixed with an apostrophe.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ._version import __version__
from .evaluation import VERSION, Evaluation
from .objects import ObjectRow
from .rows import COLUMNS, Row
from .store import Store
from .uncertainty import LEVEL

SCHEMA = 1


def results(evaluation: Evaluation, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The content of `results.json`."""
    return {
        "schema": SCHEMA,
        "maskmeter": __version__,
        "task": evaluation.facts.task,
        "inputs": dict(inputs),
        "intervals": _intervals(evaluation),
        "rows": [as_record(row) for row in evaluation.rows()],
    }


def as_record(row: Row) -> dict[str, Any]:
    """A row under its public names, undefined as None.

    `infinite` where there is an infinite distance, `doubts` where its interval is not to be trusted.
    """
    public = {k: _null(v) for k, v in zip(COLUMNS, row[: len(COLUMNS)], strict=True)}
    public |= {"infinite": row.infinite} if row.infinite else {}
    return {**public, "doubts": list(row.doubts)} if row.doubts else public


def _intervals(evaluation: Evaluation) -> dict[str, Any]:
    """How the intervals were made."""
    how = evaluation.resampling
    if how.method == "none":
        return {"method": "none"}
    grouped = {"groups": evaluation.units.groups, "by": how.by} if how.grouped else {}
    numbers = {"level": LEVEL, "resamples": how.resamples, "seed": how.seed}
    return {"method": f"bootstrap, {how.method}", **numbers, **grouped}


def write_results(path: Path, evaluation: Evaluation, inputs: Mapping[str, Any]) -> None:
    """Write `results.json`, one row a line."""
    whole = results(evaluation, inputs)
    rows = ",\n  ".join(json.dumps(r) for r in whole.pop("rows"))
    head = json.dumps(whole, indent=1)[:-2]
    write_whole(path, f'{head},\n "rows": [\n  {rows}\n ]\n}}\n')


def write_rows(path: Path, evaluation: Evaluation) -> None:
    """Write `rows.csv`."""
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("w", encoding="utf-8", newline="") as out:
        out.write(",".join(("image", *COLUMNS)) + "\n")
        for line in image_lines(evaluation):
            out.write(line)
    fresh.replace(path)


def write_objects(path: Path, evaluation: Evaluation, iou: float = 0.5) -> int:
    """Write a table of all objects (see `objects`); say how many there are."""
    rows = evaluation.objects(iou)
    n, fresh = 0, path.with_name(f".{path.name}.new")
    with fresh.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([name.rstrip("_") for name in ObjectRow._fields])
        for row in rows:
            n += 1
            box = None if row.box is None else " ".join(f"{a}:{b}" for a, b in row.box)
            cells = row._replace(image=harmless(row.image), box=box, matched=int(row.matched))
            titles = {k: v and harmless(v) for k, v in (("class_", row.class_), ("taken", row.taken))}
            writer.writerow(cells._replace(**titles))
    fresh.replace(path)
    return n


def image_lines(evaluation: Evaluation) -> Iterator[str]:
    """The lines of `rows.csv`, all of one image at a time."""
    cells = [(m, t) for m in evaluation.metrics for t in evaluation.titles(m)]
    signature = {m: "|".join([str(m), "over:image", *evaluation.said(m), VERSION]) for m in evaluation.metrics}
    before = [f",{_cell(str(m))},{_cell(t or '')},image," for m, t in cells]
    after = [f",,,{_cell(signature[m])}\n" for m, _ in cells]
    for names, values in evaluation.blocks(finite=False):
        block = np.concatenate([values[m] for m in evaluation.metrics], axis=1)
        for name, line in zip(names, block.tolist(), strict=True):
            image = _cell(name)
            yield "".join(
                f"{image}{b}{v!r},1,0{a}" if v == v else f"{image}{b},0,1{a}"
                for b, v, a in zip(before, line, after, strict=True)
            )


def store_results(store: Store, evaluation: Evaluation) -> None:
    """Write the numbers into the store's tables."""
    titles = [t for m in evaluation.metrics for t in evaluation.titles(m)]
    at: dict[str | None, int] = {t: i for i, t in enumerate(dict.fromkeys([None, *titles]))}
    cells = [(i, at[t]) for i, m in enumerate(evaluation.metrics) for t in evaluation.titles(m)]

    metrics, kinds = zip(*cells, strict=True) if cells else ((), ())

    def values() -> Iterator[tuple[str, Iterable[tuple[int, int, float]]]]:
        for names, of in evaluation.blocks(finite=False):
            block = np.concatenate([of[m] for m in evaluation.metrics], axis=1)
            for name, line in zip(names, block.tolist(), strict=True):
                yield name, zip(metrics, kinds, line, strict=True)

    rows = ([_null(v) for v in row[: len(COLUMNS)]] for row in evaluation.rows())
    store.write_results([str(m) for m in evaluation.metrics], list(at), rows, values())


def as_csv(rows: Iterable[Row]) -> str:
    """The result table as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([harmless(v) if isinstance(v, str) else _null(v) for v in row[: len(COLUMNS)]])
    return out.getvalue()


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" and text else text


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that it is there whole or not at all, whatever happens."""
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as out:
        out.write(content.encode() if isinstance(content, str) else content)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)


def _cell(text: str) -> str:
    text = harmless(text)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n\r') else text


def _null(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
