"""``make kusto`` rehearsed on loopback: duckdb-kql's server stands in for a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aoai_analytics.lake.delta import Lake
from aoai_analytics.schema.tables import READ_TABLES
from tests.contract.kusto_service import KustoService, database_of
from tests.kql.on_cluster import main


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[KustoService]:
    file = database_of(Lake.create(tmp_path / "empty"), tmp_path / "Cluster.duckdb", READ_TABLES.values())
    with KustoService(file, writable=True) as service:
        yield service


def test_cases_and_queries_are_asked_of_a_cluster_and_differences_named(
    cluster: KustoService, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [cluster.url, "--database", cluster.database, "--requests", "12"]
    pages = ["--page", "strcat-function", "--page", "as-operator"]  # the stand-in has no as operator
    code = main([*words, *pages, "--query", "tokens/by-caller-and-model"])
    said = capsys.readouterr().out
    assert "Documented cases: 6 of 7 agree" in said
    assert said.count("refused: unsupported KQL construct") == 1
    assert "sample records loaded into Cluster" in said
    assert "Library queries: 1 of 1 agree" in said
    assert code == 1


def test_a_cluster_is_a_url() -> None:
    with pytest.raises(SystemExit):
        main(["contoso.westeurope"])
