"""A question about one request reads that request's rows, and answers as if it had read all."""

from __future__ import annotations

from pathlib import Path

import pytest

from aoai_analytics.engines import connect, views
from aoai_analytics.library.queries import library

ID = "0f3a-11"


@pytest.mark.parametrize(
    ("kql", "request_id"),
    [
        (f'let id = "{ID}"; // one\n// it\nAoaiConversation\n| where CorrelationId == id\n| count', ID),
        (f'AoaiLlmTexts | where CorrelationId == "{ID}"', ID),
        (f'AoaiRequests | where CorrelationId == "{ID}"', ""),
        (f'AoaiConversation | where CorrelationId == "{ID}" or IsComplete', ""),
        (f'AoaiConversation | where CorrelationId == "{ID}" | join AoaiRequests on CorrelationId', ""),
        (f'let all = AoaiConversation;\nAoaiConversation | where CorrelationId == "{ID}" | union all', ""),
        ('let id = "a\\"b";\nAoaiConversation | where CorrelationId == id', ""),
        ("AoaiConversation | count", ""),
    ],
)
def test_only_a_condition_that_holds_for_all_that_is_read_is_applied_early(kql: str, request_id: str) -> None:
    assert views.one_request(kql) == request_id


def test_a_conversation_is_the_same_read_alone(sample_lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = connect(sample_lake)
    longest = "AoaiConversation | summarize N = count() by CorrelationId | top 1 by N | project CorrelationId"
    one = engine.query(longest).frame["CorrelationId"].iloc[0]
    kql = library().get("prompts/conversation").bind(correlationId=one)
    alone = engine.query(kql).frame
    monkeypatch.setattr(views, "one_request", lambda kql: "")
    assert len(alone) > 1 and engine.query(kql).frame.equals(alone)
