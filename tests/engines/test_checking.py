"""A query is checked without being run."""

from __future__ import annotations

import pytest

from aoai_analytics.engines.checking import findings
from aoai_analytics.errors import QueryError
from aoai_analytics.library import library


def test_every_query_of_the_library_runs_everywhere() -> None:
    assert [query.name for query in library() if findings(query.text)] == []


@pytest.mark.parametrize(
    ("kql", "found"),
    [
        ("AoaiRequests\n| fork (count) (take 1)", ["line 2, column 3: a lake cannot run fork"]),
        ("workspace('x').AoaiRequests | take 1", ["line 1, column 1: a lake has no workspace()"]),
        ("AoaiRequests | take 1", []),
    ],
)
def test_what_only_azure_runs_is_named_with_its_place(kql: str, found: list[str]) -> None:
    assert findings(kql) == found


def test_what_runs_nowhere_is_an_error() -> None:
    with pytest.raises(QueryError, match="line 1, column 24: there is no column 'Tokens'"):
        findings("AoaiRequests | project Tokens")
