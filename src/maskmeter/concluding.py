"""Concluding: from counted images to an evaluation, once all of them are there.

What the numbers follow from besides the images (`Asked`) is kept in the store beside them. So a run that was
counted in shards, or on machines that see other files, is concluded exactly as one that was counted at once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from . import panoptic
from .asked import boundaries_of, default_metrics, wanted_by
from .deciding import STACK, Question, decide
from .errors import DataError
from .evaluation import Evaluation
from .facts import Facts
from .labels import LabelSet
from .metrics import parse
from .metrics._sizes import by_size
from .pairing import Pairing
from .panoptic import Data
from .records import Records
from .results import store_results, write_results, write_rows
from .statistics.details import NOTHING
from .statistics.overlap import Overlap
from .statistics.surface import Surface
from .store import Store
from .uncertainty import Resampling

RESULTS, ROWS, REPORT = "results.json", "rows.csv", "report.html"


@dataclass(frozen=True)
class Asked:
    """What a run was asked.

    question    all that decides the counts
    metrics     as printed; None for those that the data calls for
    pairs       how many pairs there are in the whole data set
    missing     the names of ground truth without prediction
    extra       the names of predictions without ground truth
    segmented   the files hold segments with classes
    labels      their classes, where the files say so
    photographs  the folder of photographs
    shard       which part this is, counted from 1, of how many; None for the whole
    facts       what the data is, where the files themselves say so, and the `notices` about it
    resampling  how intervals are made, with the groups of the images
    """

    question: Question
    metrics: tuple[str, ...] | None
    pairs: int
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    segmented: bool = False
    labels: LabelSet | None = None
    photographs: str | None = None
    shard: tuple[int, int] | None = None
    facts: Facts | None = None
    notices: tuple[str, ...] = ()
    resampling: Resampling = field(default_factory=Resampling)

    def write(self, store: Store) -> None:
        """Keep it in the store."""
        store.write_facts(asked=msgspec.to_builtins(self))

    @classmethod
    def read(cls, store: Store) -> Asked | None:
        """What was kept; None where nothing was."""
        found = store.facts().get("asked")
        return None if found is None else msgspec.convert(found, cls)

    @property
    def inputs(self) -> dict[str, Any]:
        """Where the images came from, as `results.json` says it."""
        return {
            "gt": self.question.gt,
            "pred": self.question.pred,
            "pairs": self.pairs,
            "missing_predictions": list(self.missing),
            "extra_predictions": list(self.extra),
        }


def conclude(asked: Asked, records: Records) -> Evaluation:
    """The evaluation of these images. Raises DataError where they do not go together."""
    pairing = Pairing((), asked.missing, asked.extra, "")
    if asked.facts is not None:
        facts, notices = asked.facts, list(asked.notices)
    elif asked.segmented:
        facts, notices = panoptic.decide(asked.question, Data(pairing, {}, asked.labels), records)
    else:
        wanted = wanted_by([parse(m) for m in asked.metrics or ()])
        objects = wanted != NOTHING or asked.question.convention == STACK
        facts, notices = decide(asked.question, pairing, records, objects=objects)
    metrics = default_metrics(facts) if asked.metrics is None else [parse(m) for m in asked.metrics]
    if asked.metrics is None and facts.task in ("binary", "semantic"):
        measured = records.having(Surface.name)
        if measured and measured == len(records):
            facts, metrics = replace(facts, shapes=(Surface.name,)), [*metrics, *boundaries_of(records)]
        elif measured:
            notices = [
                *notices,
                f"{len(records) - measured} of {len(records)} images are no volumes with a spacing that "
                "are read whole, so boundaries are left out; ask for them with -m",
            ]
    metrics = by_size(metrics, lambda: Evaluation([], facts=facts, records=records).statistic(Overlap.name))
    made = Evaluation(metrics, facts=facts, records=records, intervals=asked.resampling)
    made.notices, made.inputs, made.photographs = notices, asked.inputs, asked.photographs
    return made


def write(folder: str | os.PathLike[str], store: Store, evaluation: Evaluation) -> None:
    """Write the numbers into the store and beside it."""
    out = Path(folder)
    store_results(store, evaluation)
    try:
        write_rows(out / ROWS, evaluation)
        write_results(out / RESULTS, evaluation, evaluation.inputs)
    except OSError as error:
        raise DataError(
            f"cannot be written ({error.strerror}); make room, and the same command with --resume goes on", out
        ) from None
    store.write_facts(
        finished={
            "metrics": [str(m) for m in evaluation.metrics],
            "facts": msgspec.to_builtins(evaluation.facts),
            "inputs": evaluation.inputs,
            "notices": evaluation.notices,
            "photographs": evaluation.photographs,
            "resampling": msgspec.to_builtins(evaluation.resampling),
        }
    )
    store.settle()


def clear(folder: Path, names: Sequence[str] = (RESULTS, ROWS, REPORT)) -> None:
    """Make the folder, and take away what an earlier run wrote beside its store."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).unlink(missing_ok=True)
