"""Lakes that an analysis may meet, each made once for all of pytest-xdist's workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.recompute import recompute
from aoai_analytics.sample import write_sample


def lake_of(folder: Path, logs: Path, *, messages: bool = True) -> Path:
    """A lake in *folder* of the logs under *logs*."""
    lake = Lake.create(folder)
    ingest([logs], lake, messages=messages)
    recompute(lake)
    return folder


def once(tmp_path_factory: pytest.TempPathFactory, worker_id: str, name: str, make: Callable[[Path], None]) -> Path:
    """The folder *name* of the session, made by *make* where it is not there yet."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / name
    done = folder.with_name(f"{name}.done")
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def single_lake(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A lake of a single request."""

    def make(folder: Path) -> None:
        logs = folder.with_name("single-logs")
        write_sample(logs, requests=1, days=1, mix="complete")
        lake_of(folder, logs / "logs")

    return once(tmp_path_factory, worker_id, "single-lake", make)


@pytest.fixture(scope="session")
def lake_without_llm_log(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A lake of a gateway that never logged to ApiManagementGatewayLlmLog."""

    def make(folder: Path) -> None:
        logs = folder.with_name("gateway-only-logs")
        write_sample(logs, requests=200, days=2, seed=7)
        lake_of(folder, logs / "logs/insights-logs-gatewaylogs")

    return once(tmp_path_factory, worker_id, "lake-without-llm-log", make)


@pytest.fixture(scope="session")
def shared_lake(tmp_path_factory: pytest.TempPathFactory, worker_id: str, shared_data: Path) -> Path:
    """A lake of the real-shaped logs beside the repository."""

    def make(folder: Path) -> None:
        lake_of(folder, shared_data / "logs")

    return once(tmp_path_factory, worker_id, "shared-lake", make)
