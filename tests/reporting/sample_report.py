"""Fixtures: a small lake of sample traffic and the tokens report of it, made once for all of pytest-xdist's workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

REQUESTS = 600


def _shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str, name: str, make: Callable[[Path], None]) -> Path:
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / name
    done = folder.with_name(f"{name}.done")
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def sample_lake(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A lake of sample traffic; only read it."""

    def make(folder: Path) -> None:
        from aoai_analytics.lake.delta import Lake
        from aoai_analytics.lake.ingest import ingest
        from aoai_analytics.lake.recompute import recompute
        from aoai_analytics.sample import write_sample

        sample = folder.with_name("sample-logs")
        write_sample(sample, requests=REQUESTS, days=3)
        lake = Lake.create(folder)
        ingest([sample / "logs"], lake)
        recompute(lake)

    return _shared(tmp_path_factory, worker_id, "sample-lake", make)


@pytest.fixture(scope="session")
def tokens_report(tmp_path_factory: pytest.TempPathFactory, worker_id: str, sample_lake: Path) -> Path:
    """The folder of the tokens report of the sample traffic; only read it."""

    def make(folder: Path) -> None:
        from aoai_analytics.reporting.run import make_report

        assert not make_report(["tokens"], source=sample_lake, time_zone="Europe/Berlin", out=folder).failed

    return _shared(tmp_path_factory, worker_id, "tokens-report", make)
