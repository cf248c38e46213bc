"""What people wrote is hidden unless asked for."""

from __future__ import annotations

import pandas as pd
import pytest

from aoai_analytics.engines import QueryResult
from aoai_analytics.library.privacy import hidden, reads_text


@pytest.mark.parametrize(
    ("kql", "reads"),
    [
        ("AoaiMessages | take 1", True),
        ("AoaiRequests | join AoaiMessages on CorrelationId", True),
        ("ApiManagementGatewayLogs | project B = ResponseBody", True),
        ("ApiManagementGatewayLlmLog | project RequestMessages", True),
        ("AoaiRequests | project ResponseCode, ResponseBytes", False),
        ("AoaiRequests | summarize sum(PromptTokens)", False),
    ],
)
def test_a_query_that_names_text_reads_text(kql, reads):
    assert reads_text(kql) == reads


def test_texts_are_replaced_by_their_length_whatever_their_column_is_called():
    frame = pd.DataFrame(
        {
            "CorrelationId": ["a", "b"],
            "Prompt": ["secret one", ""],
            "X": ["secret two", None],
            "D": [{"k": "secret"}, None],
            "N": [1, 2],
        }
    )
    types = {"CorrelationId": "string", "Prompt": "string", "X": "string", "D": "dynamic", "N": "long"}
    result = hidden(QueryResult(frame, types), "AoaiMessages")
    assert "secret" not in result.frame.to_csv()
    assert list(result.frame.Prompt) == ["[hidden: 10 characters]", ""]
    assert list(result.frame.CorrelationId) == ["a", "b"]
    assert list(result.frame.N) == [1, 2]
    assert frame.Prompt[0] == "secret one"
