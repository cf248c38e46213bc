"""A small lake of sample traffic, and the command line called as a user calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from aoai_analytics.cli import main
from aoai_analytics.sample import write_sample
from tests.lakes import Once, lake_of


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def sample(once: Once) -> Path:
    """A folder with ``logs`` of 300 requests in two days."""
    return once("cli-sample", lambda folder: write_sample(folder, requests=300, days=2, seed=7))


@pytest.fixture(scope="session")
def lake(sample: Path, once: Once) -> Path:
    """The lake of those logs."""
    return once("cli-lake", lambda folder: lake_of(folder, sample / "logs"))


@pytest.fixture
def aoai(capsys, monkeypatch, tmp_path) -> Callable[..., Ended]:
    """Runs ``aoai`` with these words, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Ended:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Ended(code, *capsys.readouterr())

    return run
