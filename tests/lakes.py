"""Lakes that tests of several rooms read, each made once a session for all of pytest-xdist's workers."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.recompute import recompute
from aoai_analytics.sample import write_sample

#: Gives the session's folder of a name, filled by the function where it is not there yet; only read it.
Once = Callable[[str, Callable[[Path], object]], Path]


def lake_of(folder: Path, *logs: Path, messages: bool = True) -> Path:
    """A lake in *folder* with *logs*, computed."""
    lake = Lake.create(folder)
    if logs:
        ingest(logs, lake, messages=messages)
    recompute(lake)
    return folder


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Once:
    """See ``Once``. A worker's base folder is inside the session's."""
    base = tmp_path_factory.getbasetemp()
    session = base if worker_id == "master" else base.parent

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder = session / name
        done = session / f"{name}.done"
        with FileLock(f"{folder}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def sample_lake(once: Once) -> Path:
    """A lake of 600 sample requests in three days."""

    def make(folder: Path) -> None:
        write_sample(folder / "sample", requests=600, days=3)
        lake_of(folder / "lake", folder / "sample/logs")

    return once("sample-lake", make) / "lake"


@pytest.fixture(scope="session")
def shared_lake(once: Once, shared_data: Path) -> Path:
    """A lake of the real-shaped logs beside the repository."""
    return once("shared-lake", lambda folder: lake_of(folder, shared_data / "logs"))
