"""Lakes of sample traffic, whole and with parts taken away, made once a session."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.sample import write_sample
from tests.lakes import Once, lake_of


@dataclass(frozen=True)
class Sampled:
    """A sample's lake, its folder of logs, and what its generator planted."""

    lake: Path
    logs: Path
    planted: list[dict[str, Any]]


def sampled(once: Once, name: str, **arguments: Any) -> Sampled:
    def make(folder: Path) -> None:
        write_sample(folder / "sample", **arguments)
        lake_of(folder / "lake", folder / "sample/logs")

    folder = once(f"doctor-{name}", make)
    planted = json.loads((folder / "sample/planted.json").read_text("utf-8"))["findings"]
    return Sampled(folder / "lake", folder / "sample/logs", planted)


@pytest.fixture(scope="session")
def default_sample(once: Once) -> Sampled:
    """Two weeks with everything that a real gateway does to its logs."""
    return sampled(once, "default", requests=6000, seed=7)


@pytest.fixture(scope="session")
def complete_sample(once: Once) -> Sampled:
    """Two weeks with nothing missing, cut or delivered twice."""
    return sampled(once, "complete", requests=2500, seed=7, mix="complete")


@pytest.fixture(scope="session")
def small_sample(once: Once) -> Sampled:
    """Two days, for what needs no more."""
    return sampled(once, "small", requests=400, days=2, seed=7)
