"""Raw log rows written by hand, and the semantic layer's answer to them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from aoai_analytics.engines.frames import frame_from_arrow
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake.delta import Lake
from aoai_analytics.library import library
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, Table

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
CHAT_URL = "https://gateway.example/openai/deployments/chat/chat/completions?api-version=2024-10-21"
BACKEND_URL = "https://aoai-east.openai.azure.com/openai/deployments/chat/chat/completions"


def request(correlation_id: str, **columns: Any) -> dict[str, Any]:
    """A gateway row of an answered chat request, with *columns* set otherwise."""
    return {
        "CorrelationId": correlation_id,
        "TimeGenerated": NOON,
        "Method": "POST",
        "Url": CHAT_URL,
        "ApiId": "azure-openai",
        "CallerIpAddress": "203.0.113.7",
        "ApimSubscriptionId": "sub-claims",
        "ResponseCode": 200,
        "BackendResponseCode": 200,
        "BackendUrl": BACKEND_URL,
        "BackendId": "pool",
        "BackendTime": 900,
        "TotalTime": 950,
        "RequestSize": 900,
        "ResponseSize": 1800,
    } | columns


def llm(correlation_id: str, sequence: int = 0, **columns: Any) -> dict[str, Any]:
    """An LLM row: of sequence 0 with 100 + 20 tokens, with *columns* set otherwise."""
    tokens = {"PromptTokens": 100, "CompletionTokens": 20, "TotalTokens": 120} if sequence == 0 else {}
    names = {"DeploymentName": "chat", "ModelName": "gpt-4o-2024-08-06"} if sequence == 0 else {}
    base = {"CorrelationId": correlation_id, "SequenceNumber": sequence, "TimeGenerated": NOON}
    return base | {"IsStreamCompletion": False} | tokens | names | columns


def messages(role: str, text: str) -> str:
    return json.dumps([{"role": role, "content": text}])


def answered(
    folder: Path, function: str, gateway: list[dict[str, Any]], llm_rows: list[dict[str, Any]] | None = None
) -> pd.DataFrame:
    """The rows that *function* of the semantic layer makes of these logs, by CorrelationId."""
    engine = LocalEngine(lake_of_rows(folder, gateway, llm_rows or []), str(folder))
    try:
        result, types = engine.arrow(library().functions()[function].text, {})
    finally:
        engine.close()
    return frame_from_arrow(result, types).set_index("CorrelationId")


def lake_of_rows(folder: Path, gateway: list[dict[str, Any]], llm_rows: list[dict[str, Any]]) -> Lake:
    """A lake in *folder* that holds these rows, with nothing computed."""
    lake = Lake.create(folder)
    for table, rows in ((GATEWAY_LOGS, gateway), (LLM_LOG, llm_rows)):
        if rows:
            lake.append(table.name, _table(table, rows))
    return lake


def _table(table: Table, rows: list[dict[str, Any]]) -> pa.Table:
    schema = table.arrow_schema()
    dated = [row | {"date": row["TimeGenerated"].strftime("%Y-%m-%d")} for row in rows]
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in dated], schema=schema)
