"""A query is checked without being run: what a lake lacks, and what Azure does otherwise."""

from __future__ import annotations

import pytest

from aoai_analytics.engines.checking import verdict
from aoai_analytics.errors import QueryError
from aoai_analytics.library import library


def test_every_query_of_the_library_runs_everywhere() -> None:
    verdicts = {query.name: verdict(query.text) for query in library()}
    assert [name for name, found in verdicts.items() if found.lacks] == []
    assert [name for name, found in verdicts.items() if any("dynamic" in note for note in found.notes)] == []


@pytest.mark.parametrize(
    ("kql", "lacks"),
    [
        ("AoaiRequests\n| reduce by User", "line 2, column 3: a lake cannot run reduce"),
        ("AoaiRequests | evaluate basket()", "line 1, column 16: a lake has no plugin 'basket'; use 'summarize"),
        ("print hash_many(1, 2)", "line 1, column 7: a lake has no function 'hash_many'; use hash(strcat(…))"),
        (
            "print geo_line_length(dynamic({}))",
            "line 1, column 7: a lake has no function 'geo_line_length'; a lake has",
        ),
        ("externaldata(a: string)['https://x/y.csv']", "line 1, column 1: a lake cannot run externaldata"),
    ],
)
def test_what_only_azure_runs_is_named_with_its_place(kql: str, lacks: str) -> None:
    (found,) = verdict(kql).lacks
    assert found.startswith(lacks)


@pytest.mark.parametrize(
    ("kql", "note"),
    [
        ("workspace('x').AoaiRequests | count", "workspace('x'): a lake is one source"),
        ("AoaiRequests | fork (count) (take 1)", "fork gives 2 tables"),
        ("Prices | count", "Prices is a table of this lake"),
        ("database('x').AoaiRequests | count", "Azure Data Explorer has database(), Log Analytics has not"),
        ("declare query_parameters(n: long = 1); AoaiRequests | take n", "has declare query_parameters, Log Analytics"),
        (
            "ApiManagementGatewayLogs\n| summarize count() by RequestHeaders.host",
            "line 2, column 24: Azure takes no dynamic value here: write tostring(RequestHeaders.host)",
        ),
        ("ApiManagementGatewayLogs | sort by TraceRecords asc", "column 36: Azure takes no dynamic value here"),
        ("AoaiRequests | project User", "the portal shows 30,000, and one call returns 500,000 rows or 64 MB"),
        ("AoaiRequests | take 50000", "the portal shows 30,000"),
        ("AoaiRequests | take 5", "alert rules refuse or advise against take (line 1)"),
        ("union AppRequests, AppTraces | count", "alert rules refuse or advise against union (line 1)"),
        ("AppRequests | join (AppTraces) on Id | count", "Basic or Auxiliary plan may refuse join (line 1)"),
    ],
)
def test_what_azure_does_otherwise_is_a_note(kql: str, note: str) -> None:
    found = verdict(kql.replace("on Id", "on OperationId"), {"Prices": {"Model": "string"}})
    assert not found.lacks
    assert any(note in said for said in found.notes), found.notes


def test_a_plain_question_has_no_notes() -> None:
    assert verdict("AoaiRequests | summarize count() by User").notes == ()


def test_what_runs_nowhere_is_an_error() -> None:
    with pytest.raises(QueryError, match="line 1, column 24: there is no column 'Tokens'"):
        verdict("AoaiRequests | project Tokens")
