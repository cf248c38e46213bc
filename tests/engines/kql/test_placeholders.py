"""Parameters of workbooks and dashboards in a pasted query get a value or a question, never text by pasting."""

from __future__ import annotations

from datetime import datetime

import pytest

from aoai_analytics.engines.kql.placeholders import filled, guessed, with_lets
from aoai_analytics.errors import QueryError
from aoai_analytics.library import library

RANGE = (datetime(2026, 11, 1), datetime(2026, 11, 2))
START, END = "datetime(2026-11-01T00:00:00.000000Z)", "datetime(2026-11-02T00:00:00.000000Z)"


@pytest.mark.parametrize(
    ("pasted", "expected"),
    [
        ("T | where TimeGenerated {TimeRange}", f"T | where TimeGenerated between ({START} .. {END})"),
        ("T | where TimeGenerated > {TimeRange:start}", f"T | where TimeGenerated > {START}"),
        ("T | summarize count() by bin(T, {TimeRange:grain})", "T | summarize count() by bin(T, 30m)"),
        ("T | where $__timeFilter(TimeGenerated)", f"T | where TimeGenerated between ({START} .. {END})"),
        ("T | where TimeGenerated > $__timeFrom", f"T | where TimeGenerated > {START}"),
        ("T | summarize by bin(T, $__interval)", "T | summarize by bin(T, 30m)"),
        ("T | where A == '{Api}'", "T | where A == 'it\\'s'"),
        ("T | where A == {Api}", 'T | where A == "it\'s"'),
        ("T | take {N}", "T | take 5"),
        ("T | where A == '${Api}'", "T | where A == 'it\\'s'"),
        ("T | where A matches regex @'\\p{Hangul}' or A == '/v1/{id}'",) * 2,
        ("let f = (x: long){x}; print f(1)",) * 2,
    ],
)
def test_a_parameter_is_filled_in(pasted: str, expected: str) -> None:
    assert filled(pasted, *RANGE, {"Api": "it's", "N": "5"})[0] == expected


def test_a_parameter_without_a_value_is_asked_for_at_its_place() -> None:
    with pytest.raises(QueryError, match=r"line 2, column 11: '{Api}' .* give its value with -p Api=VALUE") as raised:
        filled("T\n| where A {Api}", *RANGE, {})
    assert (raised.value.line, raised.value.column) == (2, 11)


@pytest.mark.parametrize(
    ("value", "written"),
    [("5", "5"), ("0.5", "real(0.5)"), ("1h", "time(0.01:00:00.000000)"), ("true", "true"), ("a b", '"a b"'), (3, "3")],
)
def test_a_value_is_written_as_the_literal_that_it_looks_like(value: object, written: str) -> None:
    assert guessed(value) == written


def test_a_value_for_a_name_that_nothing_defines_becomes_a_let() -> None:
    kql = "// about\nT | where TimeGenerated > ago(window)"
    text, left = with_lets(kql, {"window": "1h", "other": 1}, frozenset({"T", "window"}))
    assert text == f"let window = time(0.01:00:00.000000); {kql}" and left == {"other": 1}


def test_a_comment_has_no_parameters() -> None:
    header = "// headline: {SubscriptionId} used {Share}\n  // | where $__timeFilter(TimeGenerated) and ${Other} == 1\n"
    assert filled(f"{header}print {{N}}", None, None, {"N": "5", "Share": "7"}) == (f"{header}print 5", {"Share": "7"})


def test_no_query_of_the_library_has_parameters_of_a_workbook() -> None:
    assert [query.name for query in library() if filled(query.text, None, None, {})[0] != query.text] == []
