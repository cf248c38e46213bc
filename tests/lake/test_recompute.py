"""The computed tables: what a date's rows are depends on the logs alone, never on when and how they were ingested."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from aoai_analytics import connect
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake import recompute as semantic
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.schema.tables import GATEWAY_LOGS, MESSAGES, REQUESTS, REQUESTS_LOGGED

DAY = datetime(2026, 11, 3, tzinfo=UTC)


def gateway(name: str, time: datetime, **properties) -> dict:
    url = "https://gateway.example/openai/deployments/chat/chat/completions"
    backend = {"backendUrl": "https://aoai.openai.azure.com/x", "backendResponseCode": 200, "backendTime": 900}
    base = {"method": "POST", "url": url, "responseCode": 200, "requestSize": 900, "responseSize": 1800} | backend
    record = {"time": time.isoformat(), "category": "GatewayLogs", "correlationId": name, "durationMs": 950}
    return record | {"properties": base | properties}


def llm(name: str, time: datetime, **properties) -> dict:
    base = {"sequenceNumber": 0, "promptTokens": 100, "completionTokens": 20, "totalTokens": 120}
    base |= {"deploymentName": "chat", "modelName": "gpt-4o-2024-08-06"}
    return {
        "time": time.isoformat(),
        "category": "GatewayLlmLogs",
        "correlationId": name,
        "properties": base | properties,
    }


def write(path, *records: dict):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def rows(lake: Lake, table: str = REQUESTS.name) -> pd.DataFrame:
    frame = connect(lake.path).query(table).frame
    return frame.sort_values("CorrelationId").reset_index(drop=True)


def test_nothing_to_do_does_nothing(tmp_path):
    assert semantic.recompute(Lake.create(tmp_path)) == []


def test_an_llm_row_that_comes_later_and_after_midnight_reaches_its_request(tmp_path):
    lake = Lake.create(tmp_path / "lake")
    evening = DAY + timedelta(hours=23, minutes=59)
    ingest([write(tmp_path / "one.json", gateway("a", evening))], lake)
    assert semantic.recompute(lake) == ["2026-11-03"]
    assert rows(lake).TokenSource[0] == "none"
    ingest([write(tmp_path / "two.json", llm("a", evening + timedelta(minutes=2)))], lake)
    assert "2026-11-03" in semantic.recompute(lake)
    found = rows(lake)
    assert (len(found), found.TokenSource[0], found.TotalTokens[0]) == (1, "llm-log", 120)


def test_many_small_ingests_and_one_large_give_the_same_tables(tmp_path, shared_data, shared_lake):
    whole, parts = Lake(shared_lake), Lake.create(tmp_path / "parts")
    hours = sorted((shared_data / "logs").rglob("h=*"), key=lambda path: path.as_posix()[::-1])
    for start in range(0, len(hours), 40):
        ingest(hours[start : start + 40], parts)
        semantic.recompute(parts)
    for table in (REQUESTS.name, MESSAGES.name):
        pd.testing.assert_frame_equal(rows(whole, table), rows(parts, table))


@pytest.fixture(scope="module")
def never_stopped(tmp_path_factory) -> tuple[Path, pd.DataFrame]:
    """Logs of three dates, and their requests."""
    folder = tmp_path_factory.mktemp("never-stopped")
    logs = write(folder / "logs.json", *(gateway(str(n), DAY + timedelta(hours=n)) for n in range(50)))
    lake = Lake.create(folder / "lake")
    ingest([logs], lake)
    semantic.recompute(lake)
    return logs, rows(lake)


@pytest.mark.parametrize("stop_at", [0, 2])
def test_stopped_midway_and_run_again_it_ends_as_if_never_stopped(tmp_path, monkeypatch, never_stopped, stop_at):
    logs, expected = never_stopped
    lake = Lake.create(tmp_path / "lake")
    ingest([logs], lake)
    replace, calls = Lake.replace_dates, []

    def stop(self, *args, **kwargs):
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        calls.append(args[0])
        replace(self, *args, **kwargs)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Lake, "replace_dates", stop)
        semantic.recompute(lake)
    assert lake.dirty_dates(functions=semantic.functions_version()) != []
    semantic.recompute(lake)
    pd.testing.assert_frame_equal(rows(lake), expected)
    assert lake.dirty_dates(functions=semantic.functions_version()) == []


def test_other_functions_make_every_date_dirty(tmp_path, monkeypatch):
    lake = Lake.create(tmp_path / "lake")
    ingest([write(tmp_path / "logs.json", gateway("a", DAY), gateway("b", DAY + timedelta(days=3)))], lake)
    assert len(semantic.recompute(lake)) == 2
    monkeypatch.setattr(semantic, "functions_version", lambda: "other")
    assert len(semantic.recompute(lake)) == 2
    assert semantic.recompute(lake) == []


def test_the_tables_hold_their_columns_in_kustos_way(tmp_path):
    lake = Lake.create(tmp_path / "lake")
    ingest([write(tmp_path / "logs.json", gateway("a", DAY), llm("a", DAY))], lake)
    semantic.recompute(lake)
    result = connect(lake.path).query("AoaiRequests")
    assert result.types == REQUESTS.columns
    assert result.frame.EndUserId[0] == ""
    engine = LocalEngine(lake, "lake")
    raw, _ = engine.arrow(GATEWAY_LOGS.name, {})
    assert len(raw) == 1


def test_on_real_shaped_logs_every_request_is_found_once_and_every_logged_number_is_right(shared_data, shared_lake):
    found = rows(Lake(shared_lake)).set_index("CorrelationId")
    truth = pd.read_csv(shared_data / "truth.csv", keep_default_na=False).set_index("CorrelationId")
    assert set(found.index) == set(truth.index)
    assert found.index.is_unique
    truth = truth.loc[found.index]
    logged = found.TokenSource != "estimated"
    for column in ("PromptTokens", "CompletionTokens"):
        assert (found[column][logged] == truth[column][logged]).all()
    for column in ("CachedTokens", "ReasoningTokens"):
        told = found[column].notna()
        assert (found[column][told] == truth[column][told]).all()
    # The truth counts what was answered. A prompt that the service's filter refused is charged too (Azure OpenAI's
    # pricing), so those are compared by themselves: with what the same words take in the prompts of known size.
    refused = found.Outcome.eq("content-filter") & found.TotalTokens.ne(0)
    assert (truth.Outcome[refused] == "filter").all()
    assert (found.CompletionTokens[refused] == 0).all()
    words = truth.PromptText.str.len()
    answered = truth.Surface.eq("chat") & truth.PromptTokens.gt(0)
    charged = (truth.PromptTokens[answered].sum() / words[answered].sum()) * words[refused].sum()
    assert refused.sum() > 40
    assert found.PromptTokens[refused].sum() == pytest.approx(charged, rel=0.05)
    total = (truth.PromptTokens + truth.CompletionTokens).sum()
    assert abs(found.TotalTokens[~refused].sum() - total) < 0.0025 * total
    for column in ("CallerIpAddress", "SubscriptionId", "ApiId", "BackendHost", "ResponseCode", "Attempts"):
        assert (found[column] == truth[column]).all(), column


@pytest.fixture(scope="module")
def two_months(tmp_path_factory, sample_lake) -> Lake:
    """A lake with two days of November and one that became a day of October, requests as logged only."""
    lake, sample = Lake.create(tmp_path_factory.mktemp("two-months") / "lake"), Lake(sample_lake)
    for day in sample.dates(REQUESTS_LOGGED.name):
        rows = pa.concat_tables(
            pq.read_table(path, partitioning=None) for path in sample.files(REQUESTS_LOGGED.name, (day, day))
        )
        if day == sample.dates(REQUESTS_LOGGED.name)[0]:
            moved = pc.subtract(rows["TimeGenerated"], pa.scalar(timedelta(days=31)))
            rows = rows.set_column(rows.column_names.index("TimeGenerated"), "TimeGenerated", moved)
            day = (date.fromisoformat(day) - timedelta(days=31)).isoformat()
        lake.append(REQUESTS_LOGGED.name, rows.append_column("date", pa.repeat(day, rows.num_rows)))
    return lake


def test_a_months_estimates_are_the_same_where_the_month_before_is_only_fitted(two_months):
    november = date(2026, 11, 1)
    estimated = semantic.of_month(semantic.estimating(two_months), semantic.ESTIMATED, november)
    whole = semantic.of_month(LocalEngine(two_months, "whole"), semantic.ESTIMATED, november)
    by_request = [("CorrelationId", "ascending")]
    assert estimated.sort_by(by_request).equals(whole.sort_by(by_request))
    assert pc.sum(pc.equal(whole["TokenSource"], "estimated")).as_py() > 10


def test_requests_of_the_month_before_are_not_estimated(two_months):
    months = """AoaiTokenEstimates
        | join kind=inner AoaiRequestsLogged on CorrelationId
        | summarize N = count() by Month = startofmonth(TimeGenerated)"""

    def estimated(engine: LocalEngine) -> dict[datetime, int]:
        rows, _ = engine.arrow(months, {})
        return dict(zip(rows["Month"].to_pylist(), rows["N"].to_pylist(), strict=True))

    october, november = datetime(2026, 10, 1), datetime(2026, 11, 1)
    every = estimated(LocalEngine(two_months, "whole"))
    assert every[october] > 10
    assert estimated(semantic.estimating(two_months)) == {november: every[november]}
