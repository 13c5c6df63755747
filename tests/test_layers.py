"""Imports go down only, and importing the package is light."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import maskmeter

SOURCE = Path(maskmeter.__file__).parent

# From the ground up. A module may import from the floors below its own and from inside its own package.
FLOORS = (
    ("_version", "_native", "errors"),
    ("labels", "segments", "kernels", "records", "rows", "tasks", "progress", "engines", "texts"),
    ("masks", "rle", "tensors"),
    ("statistics", "formats"),
    ("matching", "shapes", "listing"),
    ("fates", "thresholded"),
    ("metrics", "pairing", "grouping"),
    ("counting", "class_files", "judging", "far_parts"),
    ("uncertainty", "store", "sending"),
    ("tiling",),
    ("facts",),
    ("readings", "significance"),
    ("reopening",),
    ("objects", "arrays", "asked", "columns"),
    ("evaluation",),
    ("comparison", "curve_bands", "boundary_parts", "results", "execution", "advisor"),
    ("gates", "class_maps", "ranking", "averages", "elsewhere"),
    ("deciding", "inspection"),
    ("panoptic",),
    ("scored_masks", "concluding", "detecting"),
    ("run", "merging"),
    ("raters",),
    ("report",),
    ("public",),
    ("cli", "sample", "compat", "__init__", "__main__"),
)

# The exceptions, as few as can be: neighbours on one floor, and `run.report()`, which imports it when called.
ALLOWED = {
    ("evaluation", "report"),
    ("cli", "sample"),
    ("__main__", "cli"),
}

LAZY = (
    "PIL",
    "click",
    "distributed",
    "fsspec",
    "jinja2",
    "matplotlib",
    "pandas",
    "polars",
    "pydicom",
    "pyarrow",
    "ray",
    "rich",
    "scipy",
    "sqlite3",
    "tifffile",
)

FILES = sorted(p.relative_to(SOURCE) for p in SOURCE.rglob("*.py"))
PARTS = {p.name.split(".")[0] for p in SOURCE.iterdir()}


def part(path: tuple[str, ...]) -> str:
    """The part of the package that a dotted path inside it begins with; a name of the package's own is `__init__`."""
    return path[0] if path and path[0] in PARTS else "__init__"


def imported(file: Path) -> Iterator[tuple[str, int]]:
    """The parts of the package that a file imports, at the top or inside a function, with the line."""
    package = file.parent.parts
    for node in ast.walk(ast.parse((SOURCE / file).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            paths = [x.name for x in node.names if x.name.split(".")[0] == "maskmeter"]
            yield from ((part(tuple(x.split(".")[1:])), node.lineno) for x in paths)
        elif isinstance(node, ast.ImportFrom):
            tail = tuple(node.module.split(".")) if node.module else ()
            if node.level:
                base = (*package[: len(package) - node.level + 1], *tail)
            elif tail[0] == "maskmeter":
                base = tail[1:]
            else:
                continue
            for name in node.names:
                yield part((*base, name.name)), node.lineno


@pytest.mark.parametrize("file", FILES, ids=str)
def test_imports_go_down(file: Path) -> None:
    own = file.parts[0].removesuffix(".py")
    floor = {name: height for height, names in enumerate(FLOORS) for name in names}
    assert own in floor, f"{own} has no floor yet; give it one in FLOORS"
    for other, line in imported(file):
        assert other in floor, f"{other} has no floor yet; give it one in FLOORS"
        assert other == own or floor[other] < floor[own] or (own, other) in ALLOWED, (
            f"{file}:{line}: {own} imports {other}, which is not below it"
        )


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules that `import maskmeter` brings into a fresh interpreter."""
    code = "import sys, json, maskmeter; print(json.dumps(sorted(sys.modules)))"
    return set(json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout))


@pytest.mark.parametrize("name", LAZY)
def test_import_is_light(loaded: set[str], name: str) -> None:
    assert name not in loaded, f"import maskmeter imports {name}; import it where it is used"


def test_reading_detections_imports_little_and_names_keep_their_order() -> None:
    """What two files of COCO need is little beside NumPy, and no import moves a metric."""
    code = (
        "import sys, json, maskmeter\nfrom maskmeter import read_detections\n"
        "from maskmeter.metrics.detections import twelve\nlight = sorted(sys.modules)\n"
        "from maskmeter.metrics import METRICS\n"
        "print(json.dumps([light, list(METRICS), [n for n in maskmeter.__all__ if not hasattr(maskmeter, n)]]))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    light, metrics, lost = json.loads(answer)
    heavy = ("evaluation", "formats.png", "formats.reading", "metrics.every", "readings", "statistics.confusion")
    assert not {f"maskmeter.{name}" for name in heavy} & set(light)
    assert not {"msgspec", "concurrent.futures", "difflib"} & set(light)
    assert metrics == list(maskmeter.METRICS) and not lost
