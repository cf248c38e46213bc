"""The benchmarks of scale: a lake made of tables is one as ingests make it, and SQL by hand answers as the library."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.recompute import functions_version
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, MESSAGES, REQUESTS, REQUESTS_LOGGED
from tests.conftest import REPO


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts import those beside them."""
    monkeypatch.setattr(sys, "path", [str(REPO / "benchmarks"), *sys.path])


def columns(lake: Lake, table: str, *names: str) -> pa.Table:
    return pa.concat_tables([pq.read_table(path, columns=list(names), partitioning=None) for path in lake.files(table)])


def test_a_lake_made_of_tables_is_whole(sample_lake: Path, tmp_path: Path) -> None:
    from large_lake import make

    lake = make(tmp_path / "lake", 1_400, days=8, text_days=2, seed_requests=600, seed=Lake(sample_lake))
    assert lake.dirty_dates(functions=functions_version()) == []
    assert lake.dates(REQUESTS.name) == ["2026-11-08", "2026-11-13", "2026-11-14", "2026-11-15"]
    ids = {
        table.name: columns(lake, table.name, "CorrelationId")["CorrelationId"].to_pylist()
        for table in (REQUESTS, REQUESTS_LOGGED, GATEWAY_LOGS, LLM_LOG, MESSAGES)
    }
    requests = set(ids[REQUESTS.name])
    assert len(ids[REQUESTS.name]) == len(requests) > 600
    assert set(ids[REQUESTS_LOGGED.name]) == requests <= set(ids[GATEWAY_LOGS.name])
    assert 0 < len(ids[MESSAGES.name]) < len(requests) / 2 and len(set(ids[LLM_LOG.name]) & requests) > 300
    last = columns(lake, REQUESTS.name, "TimeGenerated")["TimeGenerated"]
    assert max(last.to_pylist()).strftime("%d %H") < "15 10"


def test_sql_by_hand_and_the_library_answer_the_same(sample_lake: Path) -> None:
    from hand_sql import HAND_SQL
    from library import measure, summary

    taken = measure(sample_lake, list(HAND_SQL), 60, say=print)
    assert [one.name for one in taken] == list(HAND_SQL) and all(one.hand for one in taken)
    assert summary(taken)["questions"] == len(HAND_SQL)
