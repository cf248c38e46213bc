"""What the contract tests share: a lake of sample traffic, and both services over the same logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from aoai_analytics.engines import connect
from aoai_analytics.engines.kusto import KustoEngine
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.engines.log_analytics import LogAnalyticsEngine
from aoai_analytics.engines.pace import Pace
from aoai_analytics.lake.delta import Lake
from aoai_analytics.sample import write_sample
from aoai_analytics.schema.sources import MCP_LOG
from aoai_analytics.schema.tables import LOG_TABLES, TABLES
from tests.contract.kusto_service import KustoService, database_of
from tests.contract.log_analytics_service import WORKSPACE, Credential, Limits, LogAnalyticsService
from tests.lakes import Once, lake_of

REQUESTS = 300


@pytest.fixture(scope="session")
def lake(once: Once) -> Path:
    """A lake of sample traffic of three days around the end of a month; only read it."""

    def make(folder: Path) -> None:
        write_sample(folder / "sample", requests=REQUESTS, days=3, start=date(2026, 10, 30))
        lake_of(folder / "lake", folder / "sample/logs")

    return once("contract-lake", make) / "lake"


@pytest.fixture(scope="session")
def local(lake: Path) -> Iterator[LocalEngine]:
    opened = Lake(lake)
    # Nothing is added to this lake, so its files need be looked up once only, not at each of thousands of requests.
    opened.files = cache(opened.files)  # type: ignore[method-assign]
    engine = LocalEngine(opened, str(lake))
    yield engine
    engine.close()


#: Makes an engine that asks the given service, waits for nothing, and is closed at the end of the test.
Asking = Callable[..., LogAnalyticsEngine]


@pytest.fixture
def asking() -> Iterator[Asking]:
    engines: list[LogAnalyticsEngine] = []

    def ask(service: LogAnalyticsService, *, workspaces: str = WORKSPACE, credential: Credential | None = None):
        pace = Pace(requests=None, sleep=lambda _: None, first_wait=0.0)
        source = f"log-analytics://{workspaces}"
        engine = LogAnalyticsEngine.open(source, credential=credential or Credential(), endpoint=service.url, pace=pace)
        engines.append(engine)
        return engine

    yield ask
    for engine in engines:
        engine.close()


def unlimited() -> Limits:
    return Limits(rows=None, bytes=None, requests=None, at_once=None)


@pytest.fixture(scope="session")
def bare_workspace(local: LocalEngine) -> Iterator[LogAnalyticsService]:
    """A workspace with the two log tables only."""
    with LogAnalyticsService(local, limits=unlimited()) as service:
        yield service


@pytest.fixture(scope="session")
def furnished_workspace(local: LocalEngine) -> Iterator[LogAnalyticsService]:
    """A workspace in which the functions are saved."""
    with LogAnalyticsService(local, limits=unlimited(), saved=True) as service:
        yield service


@pytest.fixture(scope="session")
def bare_cluster(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KustoService]:
    """A Kusto database with the log tables only."""
    file = database_of(Lake(lake), tmp_path_factory.mktemp("kusto") / "Gateway.duckdb", (*LOG_TABLES.values(), MCP_LOG))
    with KustoService(file) as service:
        yield service


@pytest.fixture(scope="session")
def furnished_cluster(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KustoService]:
    """A Kusto database that has the computed tables too."""
    file = database_of(Lake(lake), tmp_path_factory.mktemp("kusto") / "Gateway.duckdb", TABLES.values())
    with KustoService(file) as service:
        yield service


def cluster_engine(service: KustoService) -> KustoEngine:
    engine = connect(f"kusto://contoso.westeurope/{service.database}", endpoint=service.url)
    assert isinstance(engine, KustoEngine)
    engine.pace = Pace(requests=None, sleep=lambda _: None, first_wait=0.0, tries=6)
    return engine
