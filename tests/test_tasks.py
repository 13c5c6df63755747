"""What `--task auto` chooses, and where it stops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskmeter.errors import DataError
from maskmeter.statistics.confusion import VOID, LabelCounts, LabelTable
from maskmeter.tasks import Choice, Side, choose


def side(*images: set[int], floats: bool = False) -> Side:
    made = Side(floats=floats)
    for values in images:
        made.see(values)
    return made


@pytest.mark.parametrize(
    ("gt", "pred", "task"),
    [
        (side({0, 1}), side({0, 1}), "binary"),
        (side({0}, {255}), side({0, 255}), "binary"),
        (side({0, 1}), side({0, 255}), "binary"),
        (side({0, 1, 2}), side({0, 1}), "semantic"),
        (side({0, 3, 7}, {1, 2}), side({0, 3, 7}, {1}), "semantic"),
        (
            side(*({*range(n)} for n in (5, 90, 31, 44, 200))),
            side(*({*range(n)} for n in (5, 80, 31, 4, 99))),
            "instance",
        ),
        (side({0, 1000, 26001, 24003}, {*range(300)}), side({0, 26001}), "instance"),
    ],
)
def test_clear_cases(gt: Side, pred: Side, task: str) -> None:
    assert choose(gt, pred).task == task


def test_void_takes_255_out_of_the_question() -> None:
    assert choose(side({0, 1, 255}), side({0, 1}), ignore=[255]).task == "binary"
    assert choose(side({0, 1, 255}), side({0, 1})).task == "semantic"


def test_score_maps_are_seen() -> None:
    for pred in (side({0, 17, 201}), side({0}, floats=True)):
        assert choose(side({0, 255}), pred) == Choice("binary", choose(side({0, 255}), pred).why, scores=True)


def test_declared_labels_settle_it() -> None:
    assert choose(side({0, 1}), side({0, 1}), declared=True).task == "semantic"


def test_two_readings_stop() -> None:
    counted = side(*({*range(n)} for n in (4, 12, 7, 9, 5, 11)))
    with pytest.raises(DataError, match="--task semantic or --task instance"):
        choose(counted, counted)
    many = side({*range(0, 200, 2)})
    with pytest.raises(DataError, match="--task"):
        choose(many, many)
    with pytest.raises(DataError, match="not integers"):
        choose(side({0}, floats=True), side({0}))


LABELS = st.integers(-2, 6) | st.just(2**40)
PAIRS = st.lists(st.sets(st.tuples(LABELS, LABELS | st.just(int(VOID))), max_size=6), max_size=5)


@settings(max_examples=50)
@given(PAIRS)
def test_many_images_are_seen_at_once_as_one_by_one(images: list[set[tuple[int, int]]]) -> None:
    kept, one_by_one, at_once = [], Side(), Side()
    for i, found in enumerate(map(sorted, images)):
        a, b = np.array(found, np.int64).reshape(-1, 2).T
        kept.append(LabelCounts(a, b, np.arange(a.size) * 10 ** (3 * i), i, 8 * (i % 3)))
        one_by_one.see(a.tolist())
    table = LabelTable.of([c.to_bytes() for c in kept])
    at_once.see_all(*table.labels("a"))
    assert at_once == one_by_one
    for field in ("a", "b", "n"):
        assert getattr(table, field).tolist() == [x for c in kept for x in getattr(c, field).tolist()]
    assert [table.left_out.tolist(), table.depth.tolist()] == [[c.left_out for c in kept], [c.depth for c in kept]]
