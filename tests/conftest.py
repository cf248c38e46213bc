"""What tests of several rooms share: the root, real-shaped logs with their truth, and optional programs."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

REPO = Path(__file__).resolve().parents[1]
TRAFFIC = REPO.parent / "shared/data/traffic.tar.gz"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Tests run side by side on two cores: how long one example takes says nothing.
settings.register_profile("side-by-side", settings.get_profile("default"), deadline=None)
settings.load_profile("side-by-side")


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("AOAI_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def repo() -> Path:
    """The repository's root."""
    return REPO


@pytest.fixture(scope="session")
def shared_data(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder with ``logs/`` (a gateway's, as diagnostic settings store them) and ``truth.csv``; only read it.

    Unpacked once a session, for all of pytest-xdist's workers. Skips where the archive is not beside the repository.
    """
    if not TRAFFIC.exists():
        pytest.skip("needs the traffic archive, ../shared/data/traffic.tar.gz")
    base = tmp_path_factory.getbasetemp()
    # A worker's base is a folder inside the session's.
    folder = (base if worker_id == "master" else base.parent) / "shared-data"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            half = folder.with_name("shared-data.half")
            shutil.rmtree(half, ignore_errors=True)
            with tarfile.open(TRAFFIC) as archive:
                archive.extractall(half, filter="data")
            half.rename(folder)
    logs = next(folder.rglob("truth.csv"))
    return logs.parent


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium, for a browser test; skips where there is none."""
    for name in CHROMIUM_NAMES:
        if path := shutil.which(name):
            return path
    pytest.skip("needs chromium")
