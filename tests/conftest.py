"""What tests share: the amount of random examples, the sample data, the browser."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

# `ci` draws the same examples every time, so that a change fails for its own sake; `deep` is for `make fuzz`.
settings.register_profile("default", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True)
settings.register_profile("deep", max_examples=3000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))


def _shared(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs ../shared/{name} beside the repository, which is not part of it")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Sample data sets that may not be copied into the repository."""
    return _shared("data")


@pytest.fixture(scope="session")
def badcases() -> Path:
    """Broken and hostile files, one folder each."""
    return _shared("badcases")


@pytest.fixture(scope="session")
def chromium() -> str:
    """A browser that can open a page without a screen."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("needs Chromium (Debian and Ubuntu: apt-get install chromium)")
