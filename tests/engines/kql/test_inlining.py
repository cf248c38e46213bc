"""Functions sent along with a query mean the same as functions saved in the service."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aoai_analytics.engines.kql.functions import definitions, names_in, needed
from aoai_analytics.engines.kql.inlining import as_lets, called_bare, in_range, scoped, surrounding
from aoai_analytics.engines.kql.tree import without_comments
from aoai_analytics.library import library
from aoai_analytics.schema.tables import TABLES
from tests.kql_parser import analyse

DAY = (datetime(2026, 11, 14, 6), datetime(2026, 11, 15))


def nothing_there(_: str) -> bool:
    return False


def test_every_function_sent_along_parses_and_keeps_its_columns() -> None:
    sent = {name: scoped(name, DAY, functions=definitions(), is_there=nothing_there).text for name in definitions()}
    whole = {
        f"{name} whole": scoped(name, (None, None), functions=definitions(), is_there=nothing_there).text
        for name in definitions()
    }
    saved = analyse({name: name for name in definitions()})
    for name, analysis in analyse(sent | whole, functions={}).items():
        assert [d for d in analysis.diagnostics if d.severity == "Error"] == [], name
        assert analysis.columns == saved[name.removesuffix(" whole")].columns


def test_every_query_sent_for_a_range_parses_and_keeps_its_columns() -> None:
    texts = {query.name: query.text for query in library()}
    sent = {
        name: scoped(text, DAY, functions=definitions(), is_there=lambda _: True, everywhere=True).text
        for name, text in texts.items()
    }
    given = analyse(texts)
    for name, analysis in analyse(sent).items():
        assert sent[name] != texts[name], name
        assert [d for d in analysis.diagnostics if d.severity == "Error"] == [], name
        assert analysis.columns == given[name].columns, name


def test_no_let_of_a_function_has_the_name_of_a_column() -> None:
    columns = {column for table in TABLES.values() for column in table.columns}
    for name, text in definitions().items():
        lets = {let.removeprefix(f"{name}_") for let in names_in(as_lets(name, text, {})) if let.startswith(f"{name}_")}
        assert lets.isdisjoint(columns), name


def test_the_functions_come_in_an_order_in_which_each_needs_only_earlier_ones() -> None:
    earlier: set[str] = set()
    for name, text in definitions().items():
        assert names_in(text) & definitions().keys() <= earlier
        earlier.add(name)


@pytest.mark.parametrize(
    ("kql", "expected"),
    [
        ("ApiManagementGatewayLogs | count", []),
        ("AoaiLlmTexts() | count", ["AoaiLlmTexts"]),
        ("T | where X == 'AoaiMessages' // AoaiMessages", []),
        ("let AoaiRequests = T; AoaiRequests | count", []),
        ("T | extend Row.AoaiMessages", []),
    ],
)
def test_only_what_a_query_names_is_needed(kql: str, expected: list[str]) -> None:
    assert needed(kql, definitions()) == expected


def test_a_saved_function_is_not_sent_and_what_it_needs_neither() -> None:
    saved = "AoaiRequests".__eq__
    text = scoped("AoaiRequests | count", DAY, functions=definitions(), is_there=saved).text
    assert text.startswith("let AoaiRequests_Between = AoaiRequests | where TimeGenerated >= ")
    assert "AoaiRequestsLogged" not in text


def test_a_query_without_functions_and_range_is_sent_as_it_is() -> None:
    kql = "// AoaiRequests\nlet topN = 3;\nApiManagementGatewayLogs | take topN"
    sent = scoped(kql, (None, None), functions=definitions(), is_there=nothing_there)
    assert (sent.text, sent.around) == (kql, (None, None))


def test_parameters_stay_at_the_top() -> None:
    kql = "// title: x\nlet topN = 3;\nAoaiMessages | take topN"
    lines = scoped(kql, DAY, functions=definitions(), is_there=nothing_there).text.split("\n")
    assert lines[1] == "let topN = 3;" and lines[-1] == "AoaiMessages_Between | take topN"


def test_a_place_in_the_text_sent_is_found_in_the_text_given() -> None:
    kql = "let topN = 3;\nAoaiMessages() | where Nope == 1 | take topN"
    sent = scoped(kql, DAY, functions=definitions(), is_there=nothing_there)
    lines = sent.text.split("\n")
    column = lines[-1].index("Nope") + 1
    assert sent.place(len(lines), column) == (2, kql.split("\n")[1].index("Nope") + 1)
    assert sent.place(1, 5) == (1, 5)
    assert sent.place(10, 1) is None


@pytest.mark.parametrize(
    ("functions", "start", "end"),
    [
        (["AoaiMessages"], datetime(2026, 11, 14), datetime(2026, 11, 15)),
        (["AoaiRequestsLogged", "AoaiRequests"], datetime(2026, 10, 1), datetime(2026, 12, 1)),
        ([], DAY[0], DAY[1]),
    ],
)
def test_a_function_is_computed_from_whole_days_and_an_estimate_from_whole_months(
    functions: list[str], start: datetime, end: datetime
) -> None:
    assert surrounding(DAY, functions) == (start.replace(tzinfo=UTC), end.replace(tzinfo=UTC))
    assert surrounding((None, None), functions) == (None, None)


@pytest.mark.parametrize(
    "call", ["AoaiMessages()", "AoaiMessages ( )", "AoaiMessages // all\n()", "['Aoai\\u004dessages']()"]
)
def test_a_call_however_written_becomes_the_bare_name(call: str) -> None:
    assert called_bare(f"union {call}, AoaiMessages | count") == "union AoaiMessages, AoaiMessages | count"


def test_a_range_has_its_start_and_not_its_end() -> None:
    assert in_range(DAY) == (
        " | where TimeGenerated >= datetime(2026-11-14T06:00:00.000000Z)"
        " and TimeGenerated < datetime(2026-11-15T00:00:00.000000Z)"
    )
    assert in_range((None, None)) == ""


def test_a_comment_goes_and_what_looks_like_one_in_a_string_stays() -> None:
    kept = "print 'https://x', @\"a//b\" "
    assert without_comments(f"{kept}// gone\n| take 1") == f"{kept}\n| take 1"


def test_a_function_that_a_lake_stores_may_need_one_that_it_does_not() -> None:
    functions = {
        "AoaiTexts": "ApiManagementGatewayLlmLog | project CorrelationId",
        "AoaiMessages": "let A = AoaiTexts; ApiManagementGatewayLogs | join A on CorrelationId",
        "AoaiShown": "AoaiMessages | union AoaiTexts",
    }
    text = scoped("AoaiShown", DAY, functions=functions, is_there=nothing_there).text
    lines = [line.replace(in_range(DAY), " within") for line in text.split("\n")]
    assert lines[2:] == [
        "let AoaiTexts = ApiManagementGatewayLlmLog_Around | project CorrelationId;",
        "let AoaiMessages_A = AoaiTexts;",
        "let AoaiMessages = ApiManagementGatewayLogs_Around | join AoaiMessages_A on CorrelationId;",
        "let ApiManagementGatewayLlmLog_Between = ApiManagementGatewayLlmLog within;",
        "let AoaiMessages_Between = AoaiMessages within;",
        "let AoaiTexts_Between = ApiManagementGatewayLlmLog_Between | project CorrelationId;",
        "let AoaiShown_Between = AoaiMessages_Between | union AoaiTexts_Between;",
        "AoaiShown_Between",
    ]
    whole = scoped("AoaiShown", (None, None), functions=functions, is_there=nothing_there).text
    assert whole.count("let AoaiTexts =") == 1 and "_Between" not in whole
