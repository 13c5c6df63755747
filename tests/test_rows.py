"""The result table in the hands of other programs: frames, dictionaries, tables for papers and notebooks."""

import math
import re
import sys

import numpy as np
import pytest

from maskmeter import Evaluation, UsageError
from maskmeter.labels import Label, LabelSet

HOSTILE = r"a_b & <i>50%</i> \x $"


@pytest.fixture(scope="module")
def done() -> Evaluation:
    """Two classes, of which one has a hostile name and the other never occurs."""
    meter = Evaluation(["iou", "mean_iou", "fbeta(beta=2)"], labels=LabelSet((Label(0, HOSTILE), Label(1, "none"))))
    for i in range(3):
        meter.update(np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8), image=f"{i}")
    return meter


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow"])
def test_frames_hold_the_rows(done: Evaluation, kind: str) -> None:
    pytest.importorskip({"arrow": "pyarrow"}.get(kind, kind))
    frame = getattr(done, f"to_{kind}")()
    columns = list(frame.column_names if kind == "arrow" else frame.columns)
    assert columns[:4] == ["metric", "class", "over", "value"] and columns[-2:] == ["infinite", "doubts"]
    lines = frame.to_dict("records") if kind == "pandas" else frame.to_pylist() if kind == "arrow" else frame.to_dicts()
    for row, line in zip(done.rows(), lines, strict=True):
        assert (line["metric"], line["n"], line["signature"]) == (row.metric, row.n, row.signature)
        undefined = math.isnan(line["value"]) if kind == "pandas" else line["value"] is None
        assert undefined if math.isnan(row.value) else line["value"] == row.value
    assert any(math.isnan(r.value) for r in done.rows()), "the class that never occurs has no value"


def test_a_dictionary_for_trackers(done: Evaluation) -> None:
    found = done.to_dict("val/")
    assert found["val/mean_iou"] == 1.0 and found["val/mean_iou/images"] == 1.0
    assert found["val/fbeta_beta_2/a_b _ _i_50_i_ _x"] == 1.0
    assert all(re.fullmatch(r"[\w.\-/ ]+", name) for name in found), "what MLflow allows"
    assert not any("none" in name for name in found), "undefined is left out"


def test_names_that_meet_stay_apart() -> None:
    meter = Evaluation(["iou"], labels=LabelSet((Label(0, "a?"), Label(1, "a!"))))
    meter.update([[0, 0, 1, 1]], [[0, 1, 1, 1]], image="a")
    found = meter.to_dict()
    assert found["iou/a"] == 1 / 2 and found["iou/a_"] == 2 / 3


def test_tables_for_papers_and_notebooks(done: Evaluation) -> None:
    tex = done.to_latex(["iou", "mean_iou"], digits=2)
    assert tex.count(r"\begin{tabular}") == 2 and r"mean\_iou & 1.00 [1.00, 1.00] \\" in tex
    assert r"a\_b \& <i>50\%</i> \textbackslash{}x \$ & 1.00" in tex
    assert "none & -- " in tex
    assert "| mean_iou | 1.0000 [1.0000, 1.0000] |" in done.to_markdown(["mean_iou"])
    html = done._repr_html_()
    assert "<i>" not in html and "&lt;i&gt;50%" in html and "Mean over images" in html
    with pytest.raises(UsageError, match=r"'dice' was not evaluated; there are iou, mean_iou"):
        done.to_latex(["dice"])


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow"])
def test_without_the_extra(done: Evaluation, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, {"arrow": "pyarrow"}.get(kind, kind), None)
    with pytest.raises(UsageError, match=rf"pip install 'maskmeter\[{kind}\]'"):
        getattr(done, f"to_{kind}")()
