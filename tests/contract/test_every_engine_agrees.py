"""The same query gives the same answer on a lake, a Log Analytics workspace and a Kusto database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from aoai_analytics.engines.kql.functions import definitions, needed
from aoai_analytics.engines.kql.inlining import scoped
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import QueryError
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
#: One of each kind: a function is sent with all that it needs, so the last of a chain stands for the others; and those
#: of a database that has the computed tables, for what is computed from them.
#: ``tests/kql/test_two_engines.py`` has every function answered by an engine that shares nothing with ours.
SENT_TO_A_CLUSTER = ("AoaiPrices", "AoaiMcp", "AoaiConversation")
SENT_TO_A_FURNISHED_CLUSTER = ("AoaiCosts", "AoaiCoverage")
DAY = {"start": datetime(2026, 10, 30, 12), "end": datetime(2026, 11, 1, 12)}


def some_of_each_section() -> list[Query]:
    """The first and the last query of each section: both services answer by the local engine's means, so what differs
    is the way there and back, which is the same for all queries. ``tests/kql`` runs every one; ``tests/engines/kql``
    has Microsoft's parser read every one as it is sent. The loopback cluster knows no ``prev()``; and it takes ten
    seconds to plan the costs, of which every row is compared below."""
    sections: dict[str, list[Query]] = {}
    for query in library():
        if "prev(" not in query.text and "AoaiCosts" not in needed(query.text, definitions()):
            sections.setdefault(query.section, []).append(query)
    return [query for queries in sections.values() for query in (queries[0], queries[-1])]


@pytest.mark.parametrize("query", some_of_each_section(), ids=lambda query: query.name)
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


@pytest.mark.parametrize(
    ("function", "which"),
    [
        *((name, "within a day") for name in definitions() if name in TABLES),
        # How a range is cut is the same for all: one function shows it.
        *(("AoaiMessages", which) for which in RANGES if which != "within a day"),
    ],
)
def test_a_function_sent_to_a_workspace_gives_the_rows_that_the_lake_stores(
    function: str, which: str, local: LocalEngine, bare_workspace: LogAnalyticsService, asking: Asking
) -> None:
    within = RANGES[which]
    assert_same(asking(bare_workspace).query(function, **within), local.query(function, **within))
    assert bare_workspace.asked[-1]["query"] == sent(function, **within)


def sent(function: str, start: datetime | None = None, end: datetime | None = None) -> str:
    return scoped(function, (start, end), functions=definitions(), is_there=lambda _: False).text


def test_a_cluster_is_sent_the_text_for_requests_that_a_workspace_answered_with_their_rows(
    bare_cluster: KustoService,
) -> None:
    """It would plan that text for half a minute."""
    within = RANGES["within a day"]
    bare_cluster.faults.append("timeout")
    with pytest.raises(QueryError):
        cluster_engine(bare_cluster).query("AoaiRequests", **within)
    assert bare_cluster.asked[-1]["csl"] == sent("AoaiRequests", **within)


@pytest.mark.parametrize("function", SENT_TO_A_FURNISHED_CLUSTER)
def test_a_function_sent_to_a_furnished_cluster_gives_the_rows_that_the_lake_gives(
    function: str, local: LocalEngine, furnished_cluster: KustoService
) -> None:
    within = RANGES["within a day"]
    rows = assert_same(cluster_engine(furnished_cluster).query(function, **within), local.query(function, **within))
    assert rows > 100


@pytest.mark.parametrize("function", SENT_TO_A_CLUSTER)
def test_a_function_sent_to_a_cluster_gives_the_rows_that_the_lake_gives(
    function: str, local: LocalEngine, bare_cluster: KustoService
) -> None:
    """A cluster takes no time range beside the query: it is in the text, for every table."""
    within = RANGES["within a day"]
    assert_same(cluster_engine(bare_cluster).query(function, **within), local.query(function, **within))


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
    expected = local.query("AoaiMessages | summarize Requests = count() by PromptComplete")
    called = "AoaiMessages() | summarize Requests = count() by PromptComplete"
    assert_same(local.query(called), expected)
    assert_same(asking(bare_workspace).query(called), expected)
    assert_same(cluster_engine(bare_cluster).query(called), expected)
