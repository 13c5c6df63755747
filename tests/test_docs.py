"""The examples run, and the pages that are printed from the code are up to date."""

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from maskmeter.metrics import METRICS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS

# ```python is run; ```python no-run is shown only.
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(source: str, names: dict[str, object], title: str, line: int = 0) -> None:
    """Run an example: as a session where it has prompts, else as a script."""
    if ">>>" not in source:
        exec(compile("\n" * line + source, title, "exec"), names)  # our own pages
        return
    test = doctest.DocTestParser().get_doctest(source, names, title, title, line)
    report: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=report.append, clear_globs=False)
    names.update(test.globs)
    assert not failed, "".join(report)


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_page_examples_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = path.read_text("utf-8")
    names: dict[str, object] = {"__name__": "__example__"}
    for block in BLOCK.finditer(text):
        run(block[1], names, path.name, text[: block.start(1)].count("\n"))


@pytest.mark.parametrize("name", METRICS)
def test_metric_example_runs(name: str) -> None:
    """doctest itself does not look into metrics, which are values and not functions."""
    metric = METRICS[name]
    doc = metric.__doc__ or ""
    assert ">>>" in doc, f"{name} has no example that can be checked by hand"
    run(doc, dict(vars(importlib.import_module(metric.formula.__module__))), name)


def test_printed_pages_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, ROOT / "docs/build.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
