"""What a lake's connection keeps at hand never answers for other rows than those that are there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from aoai_analytics import connect
from aoai_analytics.engines import local, views
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake.delta import Lake
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, MESSAGES, REQUESTS, Table

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
TOTAL = "AoaiCosts | summarize Requests = count(), Cost = sum(Cost)"


def rows(table: Table, **values: Any) -> pa.Table:
    """One row of *table*, at noon where its values say nothing else."""
    row = {"TimeGenerated": NOON} | values
    return pa.Table.from_pylist([row | {"date": f"{row['TimeGenerated']:%Y-%m-%d}"}], table.arrow_schema())


def requests(*ids: str, day: int = 0) -> pa.Table:
    """Requests of gpt-4o with 1,000 tokens in and out."""
    values = {
        "TimeGenerated": NOON + timedelta(days=day),
        "ModelName": "gpt-4o",
        "ModelVersion": "2024-11-20",
        "Outcome": "success",
        "TokenSource": "usage",
        "PromptTokens": 1000,
        "CachedTokens": 0,
        "CompletionTokens": 1000,
        "TotalTokens": 2000,
        "PromptTokensError": 0.0,
        "CompletionTokensError": 0.0,
        "PromptTokensSharedError": 0.0,
        "CompletionTokensSharedError": 0.0,
        "TokensOwnVariance": 0.0,
        "TokensSharedError": 0.0,
    }
    return pa.concat_tables(rows(REQUESTS, CorrelationId=name, **values) for name in ids)


@pytest.fixture
def lake(tmp_path) -> Lake:
    lake = Lake.create(tmp_path / "lake")
    lake.append(REQUESTS.name, requests("a", "b"))
    lake.append(REQUESTS.name, requests("c", day=1))
    return lake


@pytest.fixture
def engine(lake) -> Iterator[LocalEngine]:
    engine = LocalEngine.open(lake.path)
    yield engine
    engine.close()


def kept(engine: LocalEngine) -> set[str]:
    assert engine._views is not None
    return {row[0] for row in engine._views.connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}


def test_the_first_question_keeps_nothing_and_the_second_keeps_what_is_dear(engine):
    first = engine.query(TOTAL).frame
    assert first["Requests"].tolist() == [3] and first["Cost"].iloc[0] > 0 and kept(engine) == set()
    by_model = engine.query("AoaiCosts | summarize Requests = count(), Cost = sum(Cost) by ModelName").frame
    assert kept(engine) == {"AoaiCosts kept"}
    assert by_model[["Requests", "Cost"]].equals(first)


def test_what_is_kept_stays_whatever_else_a_question_names(engine):
    """The rows of AoaiCosts follow from what its own text names; computing them anew took half of a page of costs."""

    def number() -> int:
        """Of the table that is kept: another one has another number."""
        assert engine._views is not None
        found = "SELECT table_oid FROM duckdb_tables() WHERE table_name = 'AoaiCosts kept'"
        ((oid,),) = engine._views.connection.execute(found).fetchall()
        return oid

    engine.query("AoaiRequests | count")
    engine.query(TOTAL)
    before = number()
    for other in ("AoaiModels", "AoaiPtuCapacity", "AoaiMessages", "AoaiInvoiceUse"):
        engine.query(f"AoaiCosts | extend Others = toscalar({other} | count) | summarize count(), max(Others)")
        assert number() == before, other
    engine.query(TOTAL)
    assert number() == before


def test_what_is_kept_is_dropped_where_other_rows_are_asked_for(engine, lake):
    engine.query("AoaiRequests | count")
    assert engine.query(TOTAL).frame["Requests"].iloc[0] == 3 and kept(engine)
    assert engine.query(TOTAL, start=NOON + timedelta(hours=1)).frame["Requests"].iloc[0] == 1
    lake.append(REQUESTS.name, requests("d"))
    assert engine.query(TOTAL).frame["Requests"].iloc[0] == 4
    assert engine.query(TOTAL, end=NOON + timedelta(hours=1)).frame["Requests"].iloc[0] == 3
    assert kept(engine) == {"AoaiCosts kept"}


def test_prices_are_an_engine_s_own(engine, lake):
    assert engine.query("AoaiCosts | where Cost > 0 | count").frame["Count"].iloc[0] == 3
    nothing = (
        "datatable(Model: string, Version: string, Scope: string, Regions: string, Direction: string, "
        "From: datetime, PricePerMillion: real, Tier: string, Above: long)"
        '["x", "", "global", "", "prompt", datetime(2020-01-01), 1.0, "default", 0]'
    )
    other = LocalEngine.open(lake.path, {"AoaiPrices": nothing})
    assert other.query("AoaiCosts | where Cost > 0 | count").frame["Count"].iloc[0] == 0
    assert engine.query("AoaiCosts | where Cost > 0 | count").frame["Count"].iloc[0] == 3


def test_what_does_not_fit_is_computed_each_time(engine, monkeypatch):
    monkeypatch.setattr(views, "_MOST_KEPT_ROWS", 2)
    engine.query("AoaiRequests | count")
    assert engine.query(TOTAL).frame["Requests"].iloc[0] == 3
    assert kept(engine) == set()


def test_coverage_kept_is_coverage_computed(engine, lake):
    lake.append(LLM_LOG.name, rows(LLM_LOG, CorrelationId="a", SequenceNumber=0, TotalTokens=2000))
    kql = "AoaiCoverage | sort by CorrelationId asc"
    computed = engine.query(kql).frame
    assert len(computed) == 1 and kept(engine) == set()
    assert engine.query(f"{kql} | where true").frame.equals(computed)
    assert kept(engine) == {"AoaiCoverage kept"}


LENGTHS = "AoaiMessages | summarize Characters = sum(strlen(Prompt))"


@pytest.fixture
def texts(lake):
    lake.append(MESSAGES.name, rows(MESSAGES, CorrelationId="a", Prompt="what?", Response="that"))
    return MESSAGES.name


def test_texts_are_kept_from_the_second_question_about_them_on(engine, lake, texts):
    engine.query("AoaiRequests | count")
    engine.query(TOTAL)
    assert engine.query(LENGTHS).frame["Characters"].tolist() == [5] and kept(engine) == {"AoaiCosts kept"}
    frame = engine.query("AoaiMessages | project Prompt, Response, PromptComplete").frame
    assert frame.iloc[0].tolist()[:2] == ["what?", "that"] and f"{texts} kept" in kept(engine)
    lake.append(texts, rows(MESSAGES, CorrelationId="b", Prompt="and", Response=None))
    assert engine.query(LENGTHS).frame["Characters"].tolist() == [8] and f"{texts} kept" not in kept(engine)
    assert engine.query(LENGTHS, end=NOON).frame["Characters"].fillna(0).tolist() == [0]


def test_one_exchange_is_read_from_the_texts_that_are_kept_and_lets_nothing_go(engine, lake, texts):
    body = '{"messages": [{"role": "user", "content": "what?"}]}'
    url = "https://gateway.example.net/openai/deployments/gpt-4o/chat/completions"
    lake.append(GATEWAY_LOGS.name, rows(GATEWAY_LOGS, CorrelationId="a", Url=url, RequestBody=body))
    exchange = 'AoaiConversation | where CorrelationId == "a" | sort by Index asc | project Text'
    cold = engine.query(exchange).frame
    assert cold["Text"].tolist() == ["what?", "that"]
    for kql in (LENGTHS, f"{LENGTHS}, Answers = sum(strlen(Response))"):
        engine.query(kql)
    assert f"{texts} kept" in kept(engine)
    warm = engine.query(f"{exchange} | take 99").frame
    assert warm.equals(cold) and f"{texts} kept" in kept(engine)


def test_texts_that_would_take_too_much_memory_are_read_each_time(engine, texts, monkeypatch):
    monkeypatch.setattr(views, "_MOST_KEPT_SHARE", 1e-12)
    for kql in (LENGTHS, f"{LENGTHS}, Answers = sum(strlen(Response))"):
        assert engine.query(kql).frame["Characters"].tolist() == [5]
    assert kept(engine) == set()


def test_an_answer_is_given_again_only_for_the_same_rows(engine, lake, monkeypatch):
    ran = []
    run = local._run
    monkeypatch.setattr(local, "_run", lambda *given: ran.append(given) or run(*given))
    kql = "AoaiRequests | summarize Requests = count() // all of them"
    assert engine.query(kql).frame["Requests"].iloc[0] == 3
    again = engine.query("// again\nAoaiRequests\n| summarize Requests = count()").frame
    assert again["Requests"].iloc[0] == 3 and len(ran) == 1
    again.loc[0, "Requests"] = 99  # one's own frame is one's own
    assert engine.query(kql).frame["Requests"].iloc[0] == 3 and len(ran) == 1
    assert engine.query(kql, end=NOON + timedelta(hours=1)).frame["Requests"].iloc[0] == 2
    lake.append(REQUESTS.name, requests("d"))
    assert engine.query(kql).frame["Requests"].iloc[0] == 4 and len(ran) == 3


def test_what_changes_by_itself_is_asked_anew(engine):
    kql = "print Id = new_guid(), Now = now()"
    assert engine.query(kql).frame["Id"].iloc[0] != engine.query(kql).frame["Id"].iloc[0]


def test_answers_are_given_up_oldest_first_where_they_grow_too_large(engine, monkeypatch):
    one = engine.arrow("AoaiRequests | project CorrelationId", {})[0].nbytes
    monkeypatch.setattr(local, "_RECENT_BYTES", 2 * one)
    for name in ("ApiId", "Outcome", "CorrelationId"):
        engine.query(f"AoaiRequests | project {name}")
    assert 0 < sum(rows.nbytes for rows, _ in engine._recent._answers.values()) <= 2 * one
    assert any("CorrelationId" in types for _, types in engine._recent._answers.values())


def test_one_requests_rows_are_read_from_the_files_that_have_some(lake):
    engine = connect(lake.path)
    engine.query("AoaiRequests | count")
    files = lake.files(REQUESTS.name)
    assert len(files) == 2
    assert engine._views._files_with(files, "CorrelationId = 'c'") == files[1:]
    assert engine._views._files_with(files, "CorrelationId = 'nobody'") == []


def test_files_of_an_older_version_lack_a_column_and_it_is_unknown_there(tmp_path):
    lake = Lake.create(tmp_path / "older")
    older = requests("a").drop_columns(["EstimateBasis", "TokensOwnVariance", "ServiceTier"])
    write_deltalake(str(lake.path / REQUESTS.name), older, partition_by=["date"])
    with closing(LocalEngine.open(lake.path)) as engine:
        found = engine.query("AoaiRequests | project CorrelationId, EstimateBasis, TokensOwnVariance, ServiceTier")
    (row,) = found.frame.itertuples(index=False)
    assert (row.CorrelationId, row.EstimateBasis, row.ServiceTier) == ("a", "", "")
    assert pd.isna(row.TokensOwnVariance)
