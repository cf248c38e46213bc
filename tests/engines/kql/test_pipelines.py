"""Which queries may be answered in parts of their time range, and how the parts are put together."""

from __future__ import annotations

import pyarrow as pa
import pytest

from aoai_analytics.engines.kql.pipelines import RowWise, SortKey, put_together, row_wise, sources

FUNCTIONS = ("AoaiRequests",)


@pytest.mark.parametrize(
    "kql",
    [
        "T",
        "T | where A == 'x|y' | extend B = strcat('a', ';') | project A, B",
        "T | project-away A | project-rename B = C | project-reorder B, *",
        "T | parse Url with * '//' Host '/' * | mv-expand Errors | project-keep Host",
        "let x = dynamic(['a|b']); let U = T | where A in (x); U | where B > 1 | render timechart",
        "let Names = datatable(Id: string, Name: string)['1', 'one']; T | lookup Names on Id",
        "T | join kind=inner (datatable(Id: string)['1']) on Id",
        "// T | summarize count()\nT | where A > ago(1d)",
    ],
)
def test_a_query_that_works_row_by_row_can_be_parted(kql: str) -> None:
    assert row_wise(kql, FUNCTIONS) == RowWise("T")


@pytest.mark.parametrize(
    "kql",
    [
        "T | summarize count() by A",
        "T | count",
        "T | distinct A",
        "T | take 5 | where A == 1",
        "T | top 5 by A | extend B = 1",
        "T | sort by A asc | extend R = row_number()",
        "T | extend P = prev(A)",
        "T | extend R = rand()",
        "T | where A in ((U | project A))",
        "T | extend M = toscalar(U | summarize max(A))",
        "let m = toscalar(U | count); T | where A < m",
        "let U2 = U | project A; T | where A in (U2)",
        "T | join (datatable(Id: string)['1']) on Id",
        "T | join kind=inner U on Id",
        "T | join kind=fullouter (datatable(Id: string)['1']) on Id",
        "T | lookup U on Id",
        "union T, U",
        "T | union U",
        "T | mv-expand A limit 5",
        "T | evaluate pivot(A)",
        "T | make-series count() on TimeGenerated step 1h",
        "T | sort by strlen(A) asc",
        "T | take 5 | take 3",
        "T | top n by A",
        "AoaiRequests | where A == 1",
        "search 'x'",
        "let f = (x: long) { x + 1 }; f(1)",
        "set truncationmaxrecords = 5; T",
        "",
    ],
)
def test_a_query_that_depends_on_more_than_a_row_cannot(kql: str) -> None:
    assert row_wise(kql, FUNCTIONS) is None


def test_a_last_sort_and_take_are_applied_again() -> None:
    assert row_wise("let n = 3;\nT | where A | sort by B asc, C | take n", FUNCTIONS) == RowWise(
        "T", (SortKey("B", True, True), SortKey("C", False, False)), 3
    )
    assert row_wise("T | top 7 by B asc nulls last", FUNCTIONS) == RowWise("T", (SortKey("B", True, False),), 7)


def test_parts_are_sorted_by_every_key_with_nulls_where_kusto_puts_them() -> None:
    parts = [pa.table({"A": [1, None, 2], "B": ["x", "y", "z"]}), pa.table({"A": [2, None, 1], "B": ["a", "b", "c"]})]
    keys = (SortKey("A", False, False), SortKey("B", True, True))
    whole = put_together(parts, RowWise("T", keys))
    assert whole.to_pydict() == {"A": [2, 2, 1, 1, None, None], "B": ["a", "z", "c", "x", "b", "y"]}
    assert put_together(parts, RowWise("T", keys, 2)).to_pydict() == {"A": [2, 2], "B": ["a", "z"]}


@pytest.mark.parametrize(
    ("kql", "expected"),
    [
        ("T | join kind=inner hint.strategy=broadcast (U | where A) on B", {"T", "U"}),
        ("let V = U | take 1; V | union T, (W)", {"U", "T", "W"}),
        ("T | where A in ((U | project A)) | extend x = toscalar(W | count)", {"T", "U", "W"}),
        ("print x = 'T | U'", set()),
        ("union withsource=Table T, U | where (Flag)", {"T", "U"}),
        ("T | lookup kind=leftouter U on $left.A == $right.B", {"T", "U"}),
    ],
)
def test_the_tables_of_a_query_are_found(kql: str, expected: set[str]) -> None:
    assert sources(kql) == expected
