"""Every picture of the report on axes of matplotlib."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from maskmeter import UsageError
from maskmeter.evaluation import Evaluation
from maskmeter.report import axes
from maskmeter.report.figures import figures
from maskmeter.report.plot import Line, Plot

matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
matplotlib.use("agg")
pyplot = pytest.importorskip("matplotlib.pyplot")


@pytest.mark.parametrize("run", ["street_run", "vessels_run", "cells_run"])
def test_every_picture_is_drawn_with_what_it_shows(run: str, request: pytest.FixtureRequest) -> None:
    done: Evaluation = request.getfixturevalue(run)
    made = figures(done)
    assert made
    for figure in made:
        ax = done.plot(figure.name)
        if isinstance(plot := figure.drawing, Plot):
            lines = [x for x in plot.layers if isinstance(x, Line)]
            drawn = [x.get_xydata() for x in ax.lines]
            assert ax.get_xlabel() == plot.x.label and ax.get_xlim() == (plot.x.low, plot.x.high)
            for line in lines:
                points = np.column_stack([line.x, line.y])
                assert any(np.array_equal(d, points, equal_nan=True) for d in drawn), figure.name
        else:
            assert len(ax.images) == 1
        pyplot.close(ax.figure)


def test_axes_of_the_user_and_what_is_not_there(vessels_run: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    fig, (left, _) = pyplot.subplots(1, 2)
    assert vessels_run.plot("roc", left, versus=vessels_run) is left
    assert len(left.get_legend().get_texts()) >= 2
    pyplot.close(fig)
    with pytest.raises(UsageError, match=r"no picture 'rok' of this evaluation; there are roc, "):
        vessels_run.plot("rok")
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(UsageError, match=r"pip install 'maskmeter\[plot\]'"):
        vessels_run.plot("roc")


def test_colours_are_those_of_the_page() -> None:
    css = (Path(axes.__file__).parent / "plot.css").read_text("utf-8")
    for style, color in re.findall(r"\.line\.(\w+)\{stroke:(#\w+)", css):
        r = "".join(2 * c for c in color[1:]) if len(color) == 4 else color[1:]
        assert axes.LINES[style]["color"] == f"#{r}", style
