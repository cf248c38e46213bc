"""MCP calls get their caller, outcome and duration from the gateway log."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.library.queries import library


def gateway(name: str, code: int = 200) -> dict[str, Any]:
    return {
        "time": "2026-11-02T08:00:00Z",
        "category": "GatewayLogs",
        "correlationId": name,
        "callerIpAddress": "203.0.113.1",
        "durationMs": 120,
        "properties": {
            "method": "POST",
            "url": "https://gateway.example/orders-mcp/mcp",
            "responseCode": code,
            "apiId": "orders-mcp",
            "apimSubscriptionId": "team-a",
        },
    }


def mcp(name: str, **properties: Any) -> dict[str, Any]:
    usual = {"method": "tools/call", "serverName": "orders", "toolName": "find", "clientName": "vscode"}
    return {
        "time": "2026-11-02T08:00:00.1Z",
        "category": "GatewayMCPLogs",
        "correlationId": name,
        "properties": usual | {"sessionId": "s1"} | properties,
    }


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> LocalEngine:
    records = [gateway("good"), mcp("good"), mcp("good") | {"time": "2026-11-02T08:00:00.2Z"}]
    records += [gateway("bad"), mcp("bad", errorType="ToolError", error="no such order")]
    records += [gateway("refused", 401), mcp("refused"), mcp("alone", method="tools/list", toolName="")]
    folder = tmp_path_factory.mktemp("mcp")
    (folder / "logs").mkdir()
    (folder / "logs/PT1H.json").write_text("".join(json.dumps(record) + "\n" for record in records))
    lake = Lake.create(folder / "lake")
    ingest([folder / "logs"], lake)
    return LocalEngine(lake, "lake")


def test_a_call_has_its_caller_outcome_and_duration_and_counts_once(engine: LocalEngine) -> None:
    rows = {row["CorrelationId"]: row for row in engine.query("AoaiMcp").frame.to_dict("records")}
    assert set(rows) == {"good", "bad", "refused", "alone"}
    good, bad, refused, alone = (rows[name] for name in ("good", "bad", "refused", "alone"))
    assert (good["User"], good["ApiId"], good["TotalTime"], good["ErrorCode"]) == ("team-a", "orders-mcp", 120, "")
    assert (bad["IsError"], bad["ErrorCode"], bad["ErrorMessage"]) == (True, "ToolError", "no such order")
    assert (refused["IsError"], refused["ErrorCode"]) == (True, "http 401")
    assert (alone["HasGatewayRow"], alone["IsError"], alone["User"]) == (False, False, "")


def test_the_tools_are_counted_with_their_errors(engine: LocalEngine) -> None:
    (row,) = engine.query(library().get("mcp/tools").text).frame.to_dict("records")
    assert (row["ToolName"], row["Calls"], row["Errors"], row["ErrorShare"]) == ("find", 3, 2, 66.7)
