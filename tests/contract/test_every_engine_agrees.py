"""The same query gives the same answer on a lake, a Log Analytics workspace and a Kusto database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from aoai_analytics.engines.kql.inlining import definitions
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.library import Query, library
from aoai_analytics.schema.tables import TABLES
from tests.contract.comparing import assert_same
from tests.contract.conftest import Asking, cluster_engine
from tests.contract.kusto_service import KustoService
from tests.contract.log_analytics_service import LogAnalyticsService

#: Cut within a day, within an hour, and open at its end; the month ends on the second day.
RANGES: dict[str, dict[str, Any]] = {
    "all": {},
    "within a day": {"start": datetime(2026, 10, 30, 9, 30), "end": datetime(2026, 10, 31, 17, 45, tzinfo=UTC)},
    "open end": {"start": datetime(2026, 10, 31, 23, 59, 30)},
}
DAY = {"start": datetime(2026, 10, 30, 12), "end": datetime(2026, 11, 1, 12)}


@pytest.mark.parametrize("query", list(library()), ids=lambda query: query.name)
def test_a_query_of_the_library_gives_equal_frames_on_all_three(
    query: Query,
    local: LocalEngine,
    furnished_workspace: LogAnalyticsService,
    furnished_cluster: KustoService,
    asking: Asking,
) -> None:
    workspace, cluster = asking(furnished_workspace), cluster_engine(furnished_cluster)
    expected = local.query(query.text, **DAY)
    assert_same(workspace.query(query.text, **DAY), expected)
    assert_same(cluster.query(query.text, **DAY), expected)


#: The functions whose rows a lake stores in every range; the others, which build upon them, in one.
FUNCTIONS = [(name, which) for name in definitions() for which in RANGES if name in TABLES or which == "within a day"]


@pytest.mark.parametrize(("function", "which"), FUNCTIONS)
def test_a_function_sent_along_gives_the_rows_that_the_lake_gives(
    function: str,
    which: str,
    local: LocalEngine,
    bare_workspace: LogAnalyticsService,
    bare_cluster: KustoService,
    asking: Asking,
) -> None:
    within = RANGES[which]
    expected = local.query(function, **within)
    assert_same(asking(bare_workspace).query(function, **within), expected)
    assert_same(cluster_engine(bare_cluster).query(function, **within), expected)


CASES = {
    "types": """print Text = "é\\u2028'", Long = long(9007199254740993), Int = int(7), Real = 0.1, NoLong = long(null),
        Flag = true, NoFlag = bool(null), Moment = datetime(2026-10-31T23:59:59.9999999Z), NoMoment = datetime(null),
        Span = 1d + 2h + 3m + 4.5s, Negative = -90s, NoSpan = timespan(null), Bag = dynamic({"a": [1, "x", null]}),
        Text2 = dynamic("text"),
        Empty = "" """,
    "no rows": "ApiManagementGatewayLogs | where CorrelationId == 'nobody' | project TimeGenerated, TotalTime, Errors",
    "raw rows": "ApiManagementGatewayLogs | project-away RequestHeaders",
    "raw llm rows": "ApiManagementGatewayLlmLog",
    "own lets": "let Requests = ApiManagementGatewayLogs | where ResponseCode >= 400; Requests | count",
    "a string that names a table": 'print X = "AoaiRequests" // AoaiRequests',
    "both tables": """ApiManagementGatewayLogs
        | join kind=inner (ApiManagementGatewayLlmLog | where SequenceNumber == 0) on CorrelationId
        | summarize Rows = count(), Tokens = sum(TotalTokens) by ModelName""",
}


@pytest.mark.parametrize("within", [{}, DAY], ids=["all", "two days"])
@pytest.mark.parametrize("case", CASES)
def test_a_query_of_ones_own_gives_equal_frames_on_all_three(
    case: str,
    within: dict[str, Any],
    local: LocalEngine,
    bare_workspace: LogAnalyticsService,
    bare_cluster: KustoService,
    asking: Asking,
) -> None:
    expected = local.query(CASES[case], **within)
    assert_same(asking(bare_workspace).query(CASES[case], **within), expected)
    assert_same(cluster_engine(bare_cluster).query(CASES[case], **within), expected)


def test_a_function_may_be_called_with_brackets(
    local: LocalEngine, bare_workspace: LogAnalyticsService, bare_cluster: KustoService, asking: Asking
) -> None:
    expected = local.query("AoaiRequests | summarize Requests = count() by Outcome")
    called = "AoaiRequests() | summarize Requests = count() by Outcome"
    assert_same(local.query(called), expected)
    assert_same(asking(bare_workspace).query(called), expected)
    assert_same(cluster_engine(bare_cluster).query(called), expected)
