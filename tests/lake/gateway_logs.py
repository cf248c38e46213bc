"""Gateway logs for these tests, small records in the shapes they come in; and what a lake made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import IngestSummary
from aoai_analytics.schema.tables import GATEWAY_LOGS

RESOURCE = (
    "/SUBSCRIPTIONS/00000000-1111-2222-3333-444444444444/RESOURCEGROUPS/RG-AI"
    "/PROVIDERS/MICROSOFT.APIMANAGEMENT/SERVICE/APIM-CONTOSO"
)
MARKER = "MARKER-of-a-prompt"


def gateway(number: int, *, time: str = "2026-10-31T10:00:00.1234567Z", **properties: Any) -> dict[str, Any]:
    """A record of the gateway log as diagnostic settings write it."""
    return {
        "time": time,
        "category": "GatewayLogs",
        "operationName": "Microsoft.ApiManagement/GatewayLogs",
        "correlationId": f"id-{number}",
        "callerIpAddress": "203.0.113.7",
        "durationMs": 925,
        "isRequestSuccess": True,
        "location": "East US 2",
        "resourceId": RESOURCE,
        "truncated": 0,
        "properties": {
            "method": "POST",
            "url": "https://apim-contoso.azure-api.net/openai/v1/responses",
            "apiId": "azure-openai-v1",
            "responseCode": 200,
            "requestSize": 1473,
            "requestBody": f'{{"input": "{MARKER} {number}"}}',
            **properties,
        },
    }


def llm(number: int, sequence: int, *, time: str = "2026-10-31T10:00:00.5Z", **properties: Any) -> dict[str, Any]:
    """A record of the LLM log as diagnostic settings write it."""
    return {
        "time": time,
        "category": "GatewayLlmLogs",
        "correlationId": f"id-{number}",
        "location": "East US 2",
        "resourceId": RESOURCE,
        "properties": {"sequenceNumber": sequence, "deploymentName": "chat-prod", **properties},
    }


def lines(*records: Any) -> bytes:
    """Records, or raw bytes, as lines."""
    return b"".join((r if isinstance(r, bytes) else json.dumps(r).encode()) + b"\n" for r in records)


def blob_path(folder: Path, hour: int = 10, category: str = "gatewaylogs") -> Path:
    """The path of an hour's blob in a copy of the container at *folder*, made ready."""
    path = folder / f"insights-logs-{category}/resourceId={RESOURCE}/y=2026/m=10/d=31/h={hour:02d}/m=00/PT1H.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def rows(lake: Lake, table: str = GATEWAY_LOGS.name) -> list[dict[str, Any]]:
    """A table's rows in the lake's order."""
    return [row for path in lake.files(table) for row in pq.read_table(path, partitioning=None).to_pylist()]


def ids(lake: Lake, table: str = GATEWAY_LOGS.name) -> list[str]:
    """The CorrelationIds of a table's rows, in the lake's order."""
    return [row["CorrelationId"] for row in rows(lake, table)]


def quarantine(lake: Lake) -> list[dict[str, Any]]:
    """The lake's quarantine, in the order of its files."""
    files = sorted((lake.folder / "quarantine").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def counts(summary: IngestSummary) -> tuple[int, int, int, int, int]:
    """(new, duplicate, quarantined, other, pending) of a summary."""
    return summary.new, summary.duplicate, summary.quarantined, summary.other, summary.pending
