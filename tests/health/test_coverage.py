"""The coverage of requests, as the functions tell it from hand-made records; and usual hours."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from aoai_analytics import connect
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.recompute import recompute
from aoai_analytics.lake.records import SHAPES, table_of, to_arrow, to_row
from aoai_analytics.library.queries import library

URL = "https://apim-contoso.azure-api.net/openai/v1/chat/completions"
WHOLE = json.dumps({"model": "gpt-4o-2024-08-06", "choices": [], "usage": {
    "prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}})  # fmt: skip
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def gateway(name: str, *, at: datetime = NOON, body: str = "", size: int = 900, **more: Any) -> dict[str, Any]:
    return {
        "time": at.isoformat(), "category": "GatewayLogs", "correlationId": name, "callerIpAddress": "203.0.113.7",
        "properties": {
            "method": "POST", "url": URL, "apiId": "azure-openai-v1", "responseCode": 200, "backendResponseCode": 200,
            "backendUrl": "https://aoai.openai.azure.com/x", "requestSize": size, "responseSize": size,
            "responseBody": body, **more,
        },
    }  # fmt: skip


def llm(name: str, tokens: int, *, at: datetime = NOON) -> dict[str, Any]:
    return {
        "time": at.isoformat(), "category": "GatewayLlmLogs", "correlationId": name,
        "properties": {"sequenceNumber": 0, "deploymentName": "chat-prod", "modelName": "gpt-4o-2024-08-06",
                       "promptTokens": tokens, "completionTokens": 0, "totalTokens": tokens},
    }  # fmt: skip


def lake_of(folder: Path, *records: dict[str, Any], computed: bool = True) -> Any:
    lake = Lake.create(folder)
    for name, shape in SHAPES.items():
        rows = [to_row(record, shape) for record in records if table_of(record).name == name]
        if rows:
            lake.append(name, to_arrow(shape, rows))
    if computed:
        recompute(lake)
    return connect(folder)


@pytest.fixture(scope="module")
def coverage(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    engine = lake_of(
        tmp_path_factory.mktemp("coverage") / "lake",
        gateway("told", body=WHOLE), llm("told", 10),
        gateway("body only", body=WHOLE),
        gateway("cut", body=WHOLE[:40] + "x" * 8200), llm("cut", 0),
        gateway("gone"),
        gateway("long", size=20_000),
        gateway("refused", responseCode=401, backendResponseCode=None, backendUrl=""),
        gateway("twice", body=WHOLE), gateway("twice", body=WHOLE), llm("twice", 10), llm("twice", 10),
        llm("alone", 40),
        gateway("weather", url="https://apim-contoso.azure-api.net/weather", backendUrl="https://weather.example"),
        gateway("poster", body='{"created":1,"data":[{"url":"https://images.example/1.png"}]}',
                url="https://apim-contoso.azure-api.net/openai/v1/images/generations"),
    )  # fmt: skip
    frame = engine.query("AoaiCoverage").frame.set_index("CorrelationId")
    engine.close()
    return frame


def test_there_is_one_row_a_request_and_none_of_other_apis(coverage: pd.DataFrame) -> None:
    assert sorted(coverage.index) == sorted(
        ["told", "body only", "cut", "gone", "long", "refused", "twice", "alone", "poster"]
    )


@pytest.mark.parametrize(
    ("name", "answered", "llm_state", "body_loss", "told"),
    [
        ("told", True, "tokens", "", True),
        ("body only", True, "absent", "", True),
        ("cut", True, "no-tokens", "cut", False),
        ("gone", True, "absent", "absent", False),
        ("long", True, "absent", "over-limit", False),
        ("refused", False, "absent", "", False),
        ("twice", True, "tokens", "", True),
        ("alone", False, "tokens", "", False),
        ("poster", False, "absent", "", False),
    ],
)
def test_each_request_says_what_is_missing_of_it(
    coverage: pd.DataFrame, name: str, answered: bool, llm_state: str, body_loss: str, told: bool
) -> None:
    row = coverage.loc[name]
    found = (row["IsAnswered"], row["LlmState"], row["BodyLoss"], row["IsTold"])
    assert found == (answered, llm_state, body_loss, told)


def test_a_request_that_only_the_llm_log_knows_has_its_tokens_and_no_api(coverage: pd.DataFrame) -> None:
    alone = coverage.loc["alone"]
    assert (alone["GatewayRows"], alone["LlmRows"], alone["TotalTokens"], alone["ApiId"]) == (0, 1, 40, "")


def test_records_delivered_twice_are_counted_as_often_as_they_came(coverage: pd.DataFrame) -> None:
    assert tuple(coverage.loc["twice", ["GatewayRows", "LlmUsageRows"]]) == (2, 2)
    assert tuple(coverage.loc["told", ["GatewayRows", "LlmUsageRows"]]) == (1, 1)


def test_both_tables_are_listed_also_where_one_is_empty(tmp_path: Path) -> None:
    engine = lake_of(tmp_path / "lake", gateway("a"), computed=False)
    rows = engine.query(library().get("health/tables").text).frame.set_index("TableName")["Records"].to_dict()
    assert rows == {"ApiManagementGatewayLogs": 1, "ApiManagementGatewayLlmLog": 0}


@pytest.fixture(scope="module")
def by_hour(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Three weeks of four requests at noon, none on the second Tuesday, and eight on the last Monday."""
    records = []
    for day in range(21):
        count = 0 if day == 8 else 8 if day == 14 else 4
        records += [gateway(f"{day}-{n}", at=NOON + timedelta(days=day, minutes=n)) for n in range(count)]
    engine = lake_of(tmp_path_factory.mktemp("hours") / "lake", *records, computed=False)
    frame = engine.query(library().get("health/requests-by-hour").text).frame
    engine.close()
    return frame.set_index("TimeGenerated")


def test_every_hour_between_the_first_and_the_last_record_is_there(by_hour: pd.DataFrame) -> None:
    assert len(by_hour) == 20 * 24 + 1
    assert int(by_hour["Requests"].sum()) == 21 * 4


def test_an_hour_without_records_is_shown_beside_what_is_usual(by_hour: pd.DataFrame) -> None:
    gap = by_hour.loc[pd.Timestamp(NOON + timedelta(days=8))]
    assert (gap["Requests"], gap["UsualRequests"]) == (0, 4)


def test_what_is_usual_is_never_more_than_a_week_before_and_after(by_hour: pd.DataFrame) -> None:
    assert by_hour.loc[pd.Timestamp(NOON + timedelta(days=7)), "UsualRequests"] == 4
    assert by_hour.loc[pd.Timestamp(NOON + timedelta(days=1)), "UsualRequests"] == 0


def test_an_hour_of_the_night_is_usually_empty(by_hour: pd.DataFrame) -> None:
    assert by_hour.loc[pd.Timestamp(NOON + timedelta(days=8, hours=12)), "UsualRequests"] == 0


def test_what_is_usual_is_unknown_in_a_period_of_a_week(tmp_path: Path) -> None:
    records = [gateway(str(day), at=NOON + timedelta(days=day)) for day in range(6)]
    engine = lake_of(tmp_path / "lake", *records, computed=False)
    frame = engine.query(library().get("health/requests-by-hour").text).frame
    assert frame["UsualRequests"].isna().all()
