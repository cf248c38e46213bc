"""A small lake of sample traffic, and the command line called as a user calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from aoai_analytics.cli import main
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.recompute import recompute
from aoai_analytics.sample import write_sample


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def sample(tmp_path_factory) -> Path:
    """A folder with ``logs`` of 300 requests in two days."""
    folder = tmp_path_factory.mktemp("sample") / "sample"
    write_sample(folder, requests=300, days=2, seed=7)
    return folder


@pytest.fixture(scope="session")
def lake(sample, tmp_path_factory) -> Path:
    """The lake of those logs."""
    lake = Lake.create(tmp_path_factory.mktemp("lake") / "lake")
    ingest([sample / "logs"], lake)
    recompute(lake)
    return lake.path


@pytest.fixture
def aoai(capsys, monkeypatch, tmp_path) -> Callable[..., Ended]:
    """Runs ``aoai`` with these words, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Ended:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Ended(code, *capsys.readouterr())

    return run
