"""Lakes of sample traffic, whole and with parts taken away, made once a session."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.recompute import recompute
from aoai_analytics.sample import write_sample


@dataclass(frozen=True)
class Sampled:
    """A sample's lake, its folder of logs, and what its generator planted."""

    lake: Path
    logs: Path
    planted: list[dict[str, Any]]


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder of the session, shared by all workers."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


def made(folder: Path, make: Callable[[Path], object]) -> Path:
    """*folder* as *make* fills it, once a session."""
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            half = folder.with_name(f"{folder.name}.half")
            shutil.rmtree(half, ignore_errors=True)
            make(half)
            half.rename(folder)
    return folder


def lake_of(folder: Path, *logs: Path) -> Path:
    """A lake in *folder* with *logs*, computed."""
    lake = Lake.create(folder)
    if logs:
        ingest(logs, lake)
    recompute(lake)
    return folder


def sampled(session_folder: Path, name: str, **arguments: Any) -> Sampled:
    def make(folder: Path) -> None:
        write_sample(folder / "sample", **arguments)
        lake_of(folder / "lake", folder / "sample/logs")

    folder = made(session_folder / f"doctor-{name}", make)
    planted = json.loads((folder / "sample/planted.json").read_text("utf-8"))["findings"]
    return Sampled(folder / "lake", folder / "sample/logs", planted)


@pytest.fixture(scope="session")
def default_sample(session_folder: Path) -> Sampled:
    """Two weeks with everything that a real gateway does to its logs."""
    return sampled(session_folder, "default", requests=6000, seed=7)


@pytest.fixture(scope="session")
def complete_sample(session_folder: Path) -> Sampled:
    """Two weeks with nothing missing, cut or delivered twice."""
    return sampled(session_folder, "complete", requests=2500, seed=7, mix="complete")


@pytest.fixture(scope="session")
def small_sample(session_folder: Path) -> Sampled:
    """Two days, for what needs no more."""
    return sampled(session_folder, "small", requests=400, days=2, seed=7)
