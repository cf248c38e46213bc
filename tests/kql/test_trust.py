"""Our tokens beside Azure's own count: what agrees, what does not, and the cause that is planted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.library.queries import library
from aoai_analytics.schema.tables import REQUESTS

FIRST = datetime(2026, 11, 2, 8, tzinfo=UTC)
ACCOUNT = "/subscriptions/0a1b/resourceGroups/ai/providers/Microsoft.CognitiveServices/accounts/Swedish"


def metric(hour: int, name: str, total: float, *, deployment: str = "chat", **columns: Any) -> dict[str, Any]:
    dimensions = {"ModelDeploymentName": deployment, "ModelName": "gpt-4o"} if deployment else {}
    return {
        "time": f"{FIRST + timedelta(hours=hour):%Y-%m-%dT%H:%M:%SZ}",
        "resourceId": ACCOUNT,
        "metricName": name,
        "timeGrain": "PT1H",
        "total": total,
        "dimensions": dimensions,
    } | columns


def azure(hour: int, tokens: int, calls: int, **columns: Any) -> list[dict[str, Any]]:
    counted = {"ProcessedPromptTokens": tokens - 10, "GeneratedTokens": 10, "AzureOpenAIRequests": calls}
    return [metric(hour, name, total, **columns) for name, total in counted.items()]


def request(hour: int, tokens: int | None, error: float = 0.0, **columns: Any) -> dict[str, Any]:
    source = "none" if tokens is None else "estimated" if error else "llm-log"
    return {
        "CorrelationId": f"{hour}/{tokens}/{error}/{columns}",
        "TimeGenerated": FIRST + timedelta(hours=hour, minutes=30),
        "BackendHost": "swedish",
        "DeploymentName": "Chat",
        "Attempts": 1,
        "ResponseCode": 200,
        "TotalTokens": tokens,
        "TokenSource": source,
        "TokensOwnVariance": None if tokens is None else error**2,
        "TokensSharedError": None if tokens is None else 0.0,
        "date": "2026-11-02",
    } | columns


PLANTED = {
    0: (azure(0, 100, 1), [request(0, 100)], "agrees"),
    1: (azure(1, 100, 1), [request(1, 88, 8.0)], "agrees"),
    2: (azure(2, 150, 1), [request(2, 100, 8.0)], "more than ours"),
    3: (azure(3, 500, 5), [request(3, 100)], "past the gateway"),
    4: (azure(4, 70, 1), [], "past the gateway"),
    5: (azure(5, 200, 2), [request(5, 100), request(5, None)], "unlogged"),
    6: (azure(6, 100, 2), [request(6, 100), request(6, 60, ResponseCode=400)], "refusals"),
    7: (azure(7, 300, 3), [request(7, 200), request(7, 100), request(7, 50)], "time shift"),
    8: (azure(8, 150, 1), [request(8, 100)], "time shift"),
    11: (azure(11, 60, 1), [request(11, 100, 8.0)], "less than ours"),
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    folder = tmp_path_factory.mktemp("trust")
    engine = LocalEngine(filled(folder, *PLANTED.values()), "lake")
    yield engine
    engine.close()


def filled(folder: Path, *planted: tuple[list[dict[str, Any]], list[dict[str, Any]], str]) -> Lake:
    (folder / "metrics.json").write_text(
        "\n".join(json.dumps(record) for counted, _, _ in planted for record in counted)
    )
    lake = Lake.create(folder / "lake")
    ingest([folder / "metrics.json"], lake)
    schema = REQUESTS.arrow_schema()
    rows = [{name: row.get(name) for name in schema.names} for _, sent, _ in planted for row in sent]
    lake.append(REQUESTS.name, pa.Table.from_pylist(rows, schema=schema))
    return lake


def test_each_hour_has_the_cause_that_is_planted(engine: LocalEngine) -> None:
    rows = engine.query(library().get("trust/gateway-vs-account").text).frame
    hours = [(moment.to_pydatetime() - FIRST) // timedelta(hours=1) for moment in rows["TimeGenerated"]]
    verdicts = dict(zip(hours, rows["Verdict"], strict=True))
    assert verdicts == {hour: verdict for hour, (_, _, verdict) in PLANTED.items()}


def test_traffic_past_the_gateway_has_its_tokens_and_calls(engine: LocalEngine) -> None:
    (row,) = engine.query(library().get("trust/past-the-gateway").text).frame.to_dict("records")
    assert (row["DeploymentName"], row["Hours"], row["TokensPast"], row["CallsPast"]) == ("chat", 2, 470, 5)


def test_only_hours_with_estimates_and_no_other_cause_test_the_stated_error(engine: LocalEngine) -> None:
    (row,) = engine.query(library().get("trust/stated-errors").text).frame.to_dict("records")
    assert (row["Hours"], row["TestedHours"], row["HeldHours"], row["HeldShare"]) == (10, 3, 1, 33.3)


def test_our_tokens_are_unknown_where_all_but_refused_requests_are(tmp_path: Path) -> None:
    refused = request(0, 0, TokenSource="not-billed", ResponseCode=429)
    engine = LocalEngine(filled(tmp_path, (azure(0, 100, 2), [request(0, None), refused], "")), "lake")
    try:
        (row,) = engine.query(library().get("trust/gateway-vs-account").text).frame.to_dict("records")
        assert row["Verdict"] == "unlogged" and pd.isna(row["OurTokens"]) and pd.isna(row["Difference"])
    finally:
        engine.close()


def test_one_value_that_comes_by_several_ways_counts_once(tmp_path: Path) -> None:
    minutes = [
        metric(0, "ProcessedPromptTokens", 45, timeGrain="PT1M", time=f"2026-11-02T08:{minute}:00Z")
        for minute in ("01", "59")
    ]
    early = [metric(0, "ProcessedPromptTokens", 30)]
    newer = [metric(0, "InputTokens", 90), metric(0, "OutputTokens", 10)]
    whole_account = [metric(0, "ProcessedPromptTokens", 90, deployment="")]
    lake = filled(tmp_path, (azure(0, 100, 1) + minutes + early + newer + whole_account, [request(0, 100)], ""))
    engine = LocalEngine(lake, "lake")
    try:
        (row,) = engine.query("AoaiAccountMetrics").frame.to_dict("records")
        assert (row["PromptTokens"], row["CompletionTokens"], row["TotalTokens"], row["Calls"]) == (90, 10, 100, 1)
    finally:
        engine.close()


def test_metrics_without_deployments_are_compared_by_account(tmp_path: Path) -> None:
    counted = [record | {"dimensions": {}} for record in azure(0, 130, 2)]
    lake = filled(tmp_path, (counted, [request(0, 100), request(0, 30, DeploymentName="mini")], ""))
    engine = LocalEngine(lake, "lake")
    try:
        (row,) = engine.query("AoaiAgreement").frame.to_dict("records")
        assert (row["DeploymentName"], row["Verdict"], row["OurTokens"]) == ("", "agrees", 130)
    finally:
        engine.close()


def test_a_lake_without_metrics_has_no_row(tmp_path: Path) -> None:
    engine = LocalEngine(filled(tmp_path, ([], [request(0, 100)], "")), "lake")
    try:
        assert engine.query("AoaiAgreement").frame.empty
    finally:
        engine.close()
