"""How much memory the texts of requests take while they are read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from aoai_analytics.engines.kql.functions import shipped_functions
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake.delta import Lake
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, MESSAGES

DAY = datetime(2026, 11, 3, tzinfo=UTC)
REQUESTS, PICTURE, PIECE = 500, 60_000, 32_768


def test_pictures_in_messages_take_no_memory_beyond_their_own_size(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake.create(tmp_path / "lake")
    picture = "data:image/png;base64," + "iVBORw0K" * (PICTURE // 8)
    shown = {"type": "image_url", "image_url": {"url": picture}}
    gateway, log = [], []
    for number in range(REQUESTS):
        row = {"CorrelationId": str(number), "TimeGenerated": DAY + timedelta(seconds=number), "date": "2026-11-03"}
        asked = json.dumps([{"role": "user", "content": [shown, {"type": "text", "text": f"What is {number}?"}]}])
        gateway.append(row)
        for start in range(0, len(asked), PIECE):
            log.append(row | {"SequenceNumber": 1, "RequestMessages": asked[start : start + PIECE]})
    lake.append(GATEWAY_LOGS.name, pa.Table.from_pylist(gateway, GATEWAY_LOGS.arrow_schema()))
    lake.append(LLM_LOG.name, pa.Table.from_pylist(log, LLM_LOG.arrow_schema()))
    # All messages are 30 MB. Each step that read them whole would add a copy or two of them.
    monkeypatch.setenv("AOAI_QUERY_MEMORY", "1200MB")
    rows, _ = LocalEngine(lake, "lake").arrow(shipped_functions()[MESSAGES.name], {})
    assert sorted(rows["Prompt"].to_pylist()) == sorted(f"What is {number}?" for number in range(REQUESTS))
