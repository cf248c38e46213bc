"""Lakes that lack something an analysis may look for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aoai_analytics.lake.recompute import recompute
from aoai_analytics.sample import write_sample
from tests.functions.raw_logs import lake_of_rows, request
from tests.lakes import Once, lake_of


@pytest.fixture(scope="session")
def single_lake(once: Once) -> Path:
    """A lake of a single request."""

    def make(folder: Path) -> None:
        write_sample(folder / "sample", requests=1, days=1, mix="complete")
        lake_of(folder / "lake", folder / "sample/logs")

    return once("single-lake", make) / "lake"


@pytest.fixture(scope="session")
def unknown_lake(once: Once) -> Path:
    """A lake of two requests of which no log says the tokens."""

    def make(folder: Path) -> None:
        at = datetime(2026, 11, 2, 10, tzinfo=UTC)
        rows = [request(f"unknown-{hour}", TimeGenerated=at + timedelta(hours=hour)) for hour in (0, 30)]
        recompute(lake_of_rows(folder / "lake", rows, []))

    return once("unknown-lake", make) / "lake"


@pytest.fixture(scope="session")
def lake_without_llm_log(once: Once) -> Path:
    """A lake of a gateway that never logged to ApiManagementGatewayLlmLog."""

    def make(folder: Path) -> None:
        write_sample(folder / "sample", requests=200, days=2, seed=7)
        lake_of(folder / "lake", folder / "sample/logs/insights-logs-gatewaylogs")

    return once("gateway-only-lake", make) / "lake"
