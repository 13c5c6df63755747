"""The recipes of docs/clusters.md, each run as it stands there as far as one machine allows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "clusters.md").read_text("utf-8")
SHARDS = 3
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the recipes are for POSIX shells")


def blocks(title: str, language: str) -> list[str]:
    """The blocks of a section in one language, for fewer shards."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    found = re.findall(rf"```{language}[^\n]*\n(.*?)```", section, re.DOTALL)
    return [re.sub(r"\b65\b", str(SHARDS + 1), re.sub(r"\b64\b", str(SHARDS), text)) for text in found]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for i in range(10):
        for side in ("gt", "pred"):
            (tmp_path / side).mkdir(exist_ok=True)
            np.save(tmp_path / side / f"{i}.npy", rng.integers(0, 3, (8, 9), np.uint8))
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "maskmeter"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m maskmeter "$@"\n')
    command.chmod(0o755)
    return tmp_path


def shell(script: str, place: Path, **env: str) -> None:
    path = f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-c", script], cwd=place, env={**os.environ, "PATH": path, **env}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def check_merged(place: Path) -> None:
    shell("maskmeter evaluate gt/ pred/ -o whole", place)
    for name in ("results.json", "rows.csv"):
        assert (place / "runs" / "a" / name).read_bytes() == (place / "whole" / name).read_bytes()


def test_slurm(place: Path) -> None:
    count, merge = blocks("SLURM", "bash")
    assert f"#SBATCH --array=1-{SHARDS}\n" in count
    for i in range(SHARDS, 0, -1):
        shell(count, place, SLURM_ARRAY_TASK_ID=str(i))
    shell(merge, place)
    check_merged(place)


def test_kubernetes(place: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="YAML is not installed")
    job = yaml.safe_load(blocks("Kubernetes", "yaml")[0])
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    spec = job["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert spec["completionMode"] == "Indexed" and spec["completions"] == SHARDS
    assert spec["podFailurePolicy"]["rules"][0]["onExitCodes"]["containerName"] == container["name"]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"  # which podFailurePolicy asks for
    assert container["command"] == ["/bin/sh", "-c"]
    for i in range(SHARDS):
        shell(container["args"][0], place, JOB_COMPLETION_INDEX=str(i))
    shell("maskmeter merge shards/* -o runs/a", place)
    check_merged(place)


@pytest.mark.parametrize(("title", "package"), [("Spark", "pyspark"), ("Beam", "apache_beam")])
def test_spark_and_beam(title: str, package: str, place: Path) -> None:
    pytest.importorskip(package, reason=f"{package} is not installed")
    (script,) = blocks(title, "python")
    env = {**os.environ, "PYSPARK_PYTHON": sys.executable}
    done = subprocess.run([sys.executable, "-c", script], cwd=place, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    check_merged(place)
