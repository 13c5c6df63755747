"""Laws that every metric keeps; a new metric is tested here without a line of its own.

A `Domain` says, once for each statistic, what its data looks like: how to draw a pair, how a perfect pair
looks, how to relabel one and how to lay two side by side. What is drawn is counted once, and every metric of
that statistic is held to the law by it; a failure names the metric.
"""

import math
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from maskmeter.columns import columns
from maskmeter.errors import MergeError
from maskmeter.evaluation import MICRO, Evaluation
from maskmeter.facts import Facts
from maskmeter.metrics import METRICS, Metric, parse
from maskmeter.records import Record
from maskmeter.statistics.bands import bands
from maskmeter.statistics.by_class import ClassScores, ImageClassScores
from maskmeter.statistics.class_scores import class_scores
from maskmeter.statistics.confusion import confusion, count_labels
from maskmeter.statistics.image_scores import ImageScores
from maskmeter.statistics.instances import overlap
from maskmeter.statistics.scored_overlaps import boundary_detections, detections, encounters
from maskmeter.statistics.scores import scores
from maskmeter.statistics.surface import surface
from maskmeter.statistics.topology import topology
from maskmeter.thresholded import object_scores
from reference import regions as twin

Pair = tuple[NDArray[Any], NDArray[Any]]

VOID = 7
FEW = "percentile(resamples=100)"
SAMPLE: dict[str, Any] = {
    "beta": 2, "iou": 0.5, "precision": 0.8, "specificity": 0.9, "metric": "dice", "false_per_image": 1,
    "kind": "localisation", "score": 0, "tolerance": 0.5, "width": 0.02,
}  # fmt: skip


def complete(m: Metric) -> Metric:
    """The metric with a value for each parameter that has no default."""
    return m if m.complete else m.at(**{k: SAMPLE[k] for k in m.defaults if k in SAMPLE})


@dataclass(frozen=True)
class Domain:
    """The data of one statistic.

    pairs     draws a pair of arrays
    count     the statistic of a pair
    perfect   a pair without any error, made from the ground truth of another
    relabel   the same pair with other labels (given a permutation of 0..3), and class -> new class
    pools     whether images side by side are one image for it
    facts     how an evaluation reads what is stored of such pairs
    keep      what is stored of a pair, as fields of its record, where that is not the table of its labels
    intervals how they are made
    """

    pairs: st.SearchStrategy[Pair]
    count: Callable[..., Any]
    perfect: Callable[[NDArray[Any]], Pair]
    relabel: Callable[[Pair, list[int]], tuple[Pair, Callable[[Any], Any]]]
    pools: bool
    facts: Facts
    keep: Callable[[Any, Any], dict[str, Any]] | None = None
    intervals: str = FEW


def _ints(values: list[int], shape: Any) -> st.SearchStrategy[NDArray[Any]]:
    return arrays(np.int64, shape, elements=st.sampled_from(values))


def _relabel_classes(pair: Pair, order: list[int]) -> tuple[Pair, Callable[[int], int]]:
    new = np.array([10 * k + 3 for k in order] + [0] * 3 + [VOID])
    return (new[pair[0]], new[pair[1]]), lambda k: int(new[k])


def _relabel_ids(pair: Pair, order: list[int]) -> tuple[Pair, Callable[[int], int]]:
    new = np.array([0, *(10 * k + 5 for k in order), *range(100, 120)])
    return (new[pair[0]], new[pair[1]][...]), lambda k: k


def _judged(measure: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """Objects whose confidence is made of their size, so that it has nothing to do with their ids."""

    def count(gt: NDArray[Any], pred: NDArray[Any]) -> Any:
        ids, sizes = np.unique(pred[pred > 0], return_counts=True)
        return measure(gt, pred, scores=dict(zip(ids.tolist(), (1 / (1 + sizes)).tolist(), strict=True)))

    return count


def _renumber(pair: Pair, order: list[int]) -> tuple[Pair, Callable[[int], int]]:
    new = np.arange(5) * 10  # of objects that are alike in size and overlap the lower id decides
    return (new[pair[0]], new[pair[1]]), lambda k: k


def _detections(name: str, measure: Callable[..., Any], relabel: Any = _relabel_ids) -> Domain:
    count = _judged(measure)
    return Domain(
        st.integers(1, 6).flatmap(lambda n: st.tuples(*[_ints([0, 1, 2, 3, 4], (n, 6))] * 2)),
        count,
        lambda gt: (gt, gt),
        relabel,
        False,
        Facts("detection", on="mask"),
        lambda gt, pred: {"statistics": {name: count(gt, pred).to_bytes()}},
    )


def _cut(gt: NDArray[Any], score: NDArray[Any]) -> Any:
    """Whole objects under the rule of every metric over them, at a few thresholds."""
    needs = {complete(m).need: None for m in METRICS.values() if m.measure is object_scores}
    return object_scores(gt, score, needs=tuple(needs), thresholds=(0.2, 0.5, 0.8))


def _relabel_maps(pair: Pair, order: list[int]) -> tuple[Pair, Callable[[Any], Any]]:
    new = np.argsort(np.array(order)[: len(pair[1])])
    return (new[pair[0]], pair[1][np.argsort(new)]), lambda k: str(new[int(k)]) if str(k).isdecimal() else k


def _one_hot(gt: NDArray[Any]) -> Pair:
    labels = gt % 3
    return labels, ((labels == np.arange(3).reshape(3, *[1] * labels.ndim)) * 255).astype(np.uint8)


def _of_classes(gt: NDArray[Any], score: NDArray[Any]) -> dict[str, Any]:
    """What a run keeps of an image's scores of classes."""
    whole = ClassScores(class_scores(gt, score))

    def image(s: Any) -> ImageScores:
        return ImageScores.of(s, {str(m): m.compute(s) for m in OF["class_scores"]}, 0.5, ())

    kept = ImageClassScores({k: image(s) for k, s in whole.by_class.items()}, image(whole.exact()))
    return {"statistics": {kept.name: kept.to_bytes()}, "pooled": {whole.name: whole}}


DOMAINS = {
    "confusion": Domain(
        st.integers(1, 40).flatmap(lambda n: st.tuples(*[_ints([0, 1, 2, 3, VOID], n)] * 2)),
        lambda gt, pred: confusion(gt, pred, ignore=VOID),
        lambda gt: (gt, gt),
        _relabel_classes,
        True,
        Facts("semantic", ignore=(VOID,)),
    ),
    "scores": Domain(
        st.integers(1, 40).flatmap(
            lambda n: st.tuples(arrays(np.bool_, n), arrays(np.uint8, n, elements=st.integers(0, 255)))
        ),
        scores,
        lambda gt: (gt.astype(bool), (gt.astype(bool) * 255).astype(np.uint8)),
        lambda pair, _: (pair, lambda k: k),
        True,
        Facts("binary", scores="u1"),
    ),
    "class_scores": Domain(
        st.integers(1, 12).flatmap(
            lambda n: st.tuples(
                _ints([0, 1, 2], n), arrays(np.uint8, (3, n), elements=st.sampled_from([0, 9, 120, 255]))
            )
        ),
        lambda gt, score: ClassScores(class_scores(gt, score)),
        _one_hot,
        _relabel_maps,
        True,
        Facts("semantic", class_axis=0),
        _of_classes,
        "none",  # test_class_maps has them
    ),
    "overlap": Domain(
        st.integers(1, 6).flatmap(lambda n: st.tuples(*[_ints([0, 1, 2, 3, 4], (n, 6))] * 2)),
        lambda gt, pred: overlap(gt, pred, boundary=0.02),
        lambda gt: (gt, gt),
        _relabel_ids,
        False,
        Facts("instance"),
    ),
    "topology": Domain(
        st.integers(1, 6).flatmap(lambda n: st.tuples(*[_ints([0, 1, 2, 3, VOID], (n, 6))] * 2)),
        lambda gt, pred: topology(gt, pred, ignore=VOID),
        lambda gt: (gt, gt),
        _relabel_classes,
        False,
        Facts("semantic", ignore=(VOID,), shapes=("topology",)),
    ),
    "surface": Domain(
        st.integers(1, 6).flatmap(lambda n: st.tuples(*[_ints([0, 1, 2, 3, VOID], (n, 6))] * 2)),
        lambda gt, pred: surface(gt, pred, ignore=VOID),
        lambda gt: (gt, gt),
        _relabel_classes,
        False,
        Facts("semantic", ignore=(VOID,), shapes=("surface",)),
    ),
    "bands": Domain(
        st.integers(1, 6).flatmap(lambda n: st.tuples(*[_ints([0, 1, 2, 3, VOID], (n, 6))] * 2)),
        lambda gt, pred: bands(gt, pred, width=1, ignore=VOID),
        lambda gt: (gt, gt),
        _relabel_classes,
        False,
        Facts("semantic", ignore=(VOID,), shapes=("bands",)),
    ),
    "object_scores": Domain(
        st.integers(1, 6).flatmap(
            lambda n: st.tuples(arrays(np.bool_, (n, 6)), arrays(np.uint8, (n, 6), elements=st.integers(0, 255)))
        ),
        _cut,
        lambda gt: (gt.astype(bool), (gt.astype(bool) * 255).astype(np.uint8)),
        lambda pair, _: (pair, lambda k: k),
        False,
        Facts("binary", scores="u1", shapes=("object_scores",)),
        lambda gt, score: {"statistics": {"object_scores": _cut(gt, score).to_bytes()}},
    ),
    "detections": _detections("detections", detections),
    "boundary_detections": _detections("boundary_detections", boundary_detections),
    "encounters": _detections("encounters", encounters, _renumber),
}

ALL = [complete(m) for m in METRICS.values()]
STATISTIC = {"class_scores": "scores"}  # one metric, of one class or of several
# Of detections those that any few objects have; the others ask for a size, a group or a cap.
DEFINED = {m.name for m in ALL if not m.overall} | {"ap", "ap50", "ap75", "ar_1", "ar_10", "ar_100", "boundary_ap"}
OF = {name: [m for m in ALL if m.statistic == STATISTIC.get(name, name)] for name in DOMAINS}
# What holds of one map's metrics holds of several maps' by the way they are put together: a few show it.
OF["class_scores"] = [m for m in OF["scores"] if m.name in ("roc_auc", "average_precision", "brier", "ece")]
every_domain = pytest.mark.parametrize("name", DOMAINS)
# Fewer examples where an evaluation is made of each; `make fuzz` draws its own number.
fewer = settings(max_examples=max(20, settings().max_examples // 4))


@contextmanager
def about(m: Metric) -> Iterator[None]:
    """A failure inside says of which metric it is."""
    try:
        yield
    except Exception as error:
        error.add_note(f"the metric is {m}")
        raise


def same(a: object, b: object, rel: float = 0.0) -> None:
    """Equal to the last bit, or within `rel`; undefined equals undefined."""
    if isinstance(a, dict):
        assert isinstance(b, dict)
        assert a.keys() == b.keys()
        for k in a:
            same(a[k], b[k], rel)
    elif rel:
        assert a == pytest.approx(b, rel=rel, abs=rel, nan_ok=True)
    else:
        assert a == b or (a != a and b != b)


def computed(m: Metric, statistic: Any) -> Any:
    """The metric's value; of scores of classes that of each, of them all and of all decisions together."""
    if isinstance(statistic, ClassScores):
        titles = [*map(str, statistic.by_class), None, MICRO]
        return dict(zip(titles, columns(m, statistic).tolist(), strict=True))
    return m.compute(statistic)


def numbers(value: Any) -> list[float]:
    return list(value.values()) if isinstance(value, dict) else [value]


def best(m: Metric) -> float:
    return 0.0 if m.better in ("lower", "zero") else m.bounds[1]


@every_domain
@given(data=st.data())
def test_a_perfect_pair_has_the_best_value(name: str, data: st.DataObject) -> None:
    domain = DOMAINS[name]
    perfect = domain.count(*domain.perfect(data.draw(domain.pairs)[0]))
    mixed = domain.count(*domain.perfect(np.array([[0, 0, 1, 1, 2, 2]])))
    for m in OF[name]:
        # One detection cannot find two objects; scores below 1 are unsure.
        if m.better == "none" or m.name in ("ar_1", "detection_ece"):
            continue
        with about(m):
            for v in numbers(computed(m, perfect)):
                assert math.isnan(v) or v == pytest.approx(best(m), abs=1e-9)
            for v in numbers(computed(m, mixed)):
                assert v == pytest.approx(best(m), abs=1e-9) or (math.isnan(v) and m.name not in DEFINED)


@every_domain
@given(data=st.data())
def test_values_stay_within_bounds(name: str, data: st.DataObject) -> None:
    counted = DOMAINS[name].count(*data.draw(DOMAINS[name].pairs))
    for m in OF[name]:
        low, high = m.bounds
        with about(m):
            for v in numbers(computed(m, counted)):
                assert math.isnan(v) or low - 1e-12 <= v <= high + 1e-12


@every_domain
@given(data=st.data(), order=st.permutations([0, 1, 2, 3]))
def test_relabelling_changes_nothing(name: str, data: st.DataObject, order: list[int]) -> None:
    domain = DOMAINS[name]
    pair = data.draw(domain.pairs)
    other, new = domain.relabel(pair, order)
    before, after = domain.count(*pair), domain.count(*other)
    for m in OF[name]:
        a, b = computed(m, before), computed(m, after)
        # Means over classes are added in the order of the classes, so only there a last bit may move.
        loose = name == "class_scores" or (name == "confusion" and not m.per_class)
        with about(m):
            same({new(k): v for k, v in a.items()} if isinstance(a, dict) else a, b, rel=1e-12 if loose else 0.0)


@every_domain
@given(data=st.data())
def test_statistics_add_in_any_order(name: str, data: st.DataObject) -> None:
    domain = DOMAINS[name]
    a, b, c = (domain.count(*data.draw(domain.pairs)) for _ in range(3))
    left, right, there, back = (a + b) + c, a + (b + c), a + b, b + a
    for m in OF[name]:
        with about(m):
            same(computed(m, left), computed(m, right))
            same(computed(m, there), computed(m, back))


@pytest.mark.parametrize("name", [name for name in DOMAINS if DOMAINS[name].pools])
@given(data=st.data())
def test_adding_is_pooling(name: str, data: st.DataObject) -> None:
    domain = DOMAINS[name]
    pairs = data.draw(st.lists(domain.pairs, min_size=1, max_size=5))
    whole = domain.count(*(np.concatenate(side, axis=-1) for side in zip(*pairs, strict=True)))
    added = reduce(add, (domain.count(*p) for p in pairs))
    for m in OF[name]:
        with about(m):
            same(computed(m, added), computed(m, whole))


# Of these an evaluation keeps one for each need, of surfaces with diagonals for infinite distances: see
# `test_run_boundaries`.
@pytest.mark.parametrize("name", [name for name in DOMAINS if name not in ("surface", "bands")])
@fewer
@given(data=st.data())
def test_an_evaluation_has_the_values_of_its_images(name: str, data: st.DataObject) -> None:
    domain = DOMAINS[name]
    pairs = data.draw(st.lists(domain.pairs, min_size=1, max_size=5))
    counted = [domain.count(*pair) for pair in pairs]
    added = reduce(add, counted)
    for metrics in ([m for m in OF[name] if not m.needs], *([m] for m in OF[name] if m.needs)):
        done = stored(name, pairs, metrics)
        (_, values), *_ = done.blocks()
        pooled = done.statistic(STATISTIC.get(name, name))
        for m in metrics:
            with about(m):
                assert np.array_equal(columns(m, pooled), columns(m, added), equal_nan=True)
                for line, alone in zip(values[m].tolist(), counted, strict=True):
                    same_line(done.titles(m), line, computed(m, alone))


def same_line(titles: list[str | None], line: list[float], alone: Any) -> None:
    """The columns of an image are what its own statistic says; classes that it has not are undefined elsewhere."""
    if isinstance(alone, dict):
        alone = {k if k is None else str(k): v for k, v in alone.items()}
        same({t: v for t, v in zip(titles, line, strict=True) if t in alone}, alone)
    else:
        same(line[0], alone)


@given(pair=DOMAINS["confusion"].pairs)
def test_region_metrics_agree_with_their_twins(pair: Pair) -> None:
    counted = confusion(*pair, ignore=VOID)
    for m in OF["confusion"]:
        if hasattr(twin, m.name):
            with about(m):
                same(computed(m, counted), getattr(twin, m.name)(*pair, {VOID}), rel=1e-12)


def test_every_region_metric_but_fbeta_has_a_twin() -> None:
    assert {m.name for m in ALL if m.measure is confusion and not hasattr(twin, m.name)} == {"fbeta"}


@pytest.mark.parametrize("m", ALL, ids=str)
def test_the_printed_name_reads_back(m: Metric) -> None:
    assert parse(str(m)) == m
    assert str(parse(str(m))) == str(m)


@pytest.mark.parametrize("m", METRICS.values(), ids=str)
def test_the_definition_says_what_it_hides_and_when_to_use_it(m: Metric) -> None:
    for word in ("Hides", "Use"):
        assert re.search(rf"^ *{word}: \w", m.__doc__ or "", re.M), f"{m.name} lacks a line `{word}: ...`"


@every_domain
@fewer
@given(data=st.data(), seed=st.integers(0, 99))
def test_order_and_sharding_move_no_bit(name: str, data: st.DataObject, seed: int) -> None:
    pairs = data.draw(st.lists(DOMAINS[name].pairs, min_size=1, max_size=5))
    metrics = [m for m in OF[name] if not m.needs]
    whole = stored(name, pairs, metrics)
    order = list(range(len(pairs)))
    random.Random(seed).shuffle(order)
    cuts = sorted(random.Random(seed).choices(range(len(order) + 1), k=2))
    merged = stored(name, pairs, metrics, [])
    for start, stop in pairwise([0, *cuts, len(order)]):
        merged.merge(stored(name, pairs, metrics, order[start:stop]))
    assert repr(merged.rows()) == repr(whole.rows())


def test_unlike_evaluations_do_not_merge() -> None:
    a, b = (Evaluation(["iou"], ignore=i) for i in (VOID, None))
    for e in (a, b):
        e.update([0, 1], [0, 1], image=str(e.facts.ignore))
    with pytest.raises(MergeError, match="ignore is"):
        a.merge(b)
    twice = Evaluation(["iou"], ignore=VOID)
    twice.update([0, 1], [0, 1], image="(7,)")
    with pytest.raises(MergeError, match="in both"):
        a.merge(twice)


def stored(name: str, pairs: list[Pair], metrics: list[Metric], which: list[int] | None = None) -> Evaluation:
    """An evaluation of pairs (or of these of them), kept as a run keeps them."""
    domain, needy = DOMAINS[name], any(m.needs for m in metrics)
    if needy:  # more is counted than label pairs
        done = Evaluation(metrics, task="instance", intervals=FEW)
    else:
        done = Evaluation(metrics, facts=domain.facts, intervals=domain.intervals)
    for i in range(len(pairs)) if which is None else which:
        gt, pred = pairs[i]
        if needy or (domain.keep is None and done.facts.shapes):
            done.update(gt, pred, image=f"{i:03d}")
        elif domain.keep is not None:
            done.add([Record(f"{i:03d}", shape=gt.shape, **domain.keep(gt, pred))])
        else:
            counts = count_labels(gt.astype(np.uint8) if gt.dtype == bool else gt, pred)
            done.add([Record(f"{i:03d}", {counts.name: counts.to_bytes()}, gt.shape)])
    return done
