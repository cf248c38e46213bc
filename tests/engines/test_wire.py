"""Values as services send them become the columns that the local engine gives."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoai_analytics.engines.frames import frame_from_arrow
from aoai_analytics.engines.wire import arrow_table, kusto_type


def frame(kind: str, *values: Any) -> pd.DataFrame:
    return frame_from_arrow(arrow_table([(value,) for value in values], {"X": kind}), {"X": kind})


@pytest.mark.parametrize(
    ("kind", "values", "expected", "dtype"),
    [
        ("string", ["a", None, ""], ["a", "", ""], "str"),
        ("long", [9007199254740993, "12", None], [9007199254740993, 12, None], "Int64"),
        ("int", [1, None], [1, None], "Int32"),
        ("bool", [True, 0, 1, None], [True, False, True, None], "boolean"),
        ("real", [1.5, "Infinity", "-Infinity", 2], [1.5, float("inf"), float("-inf"), 2.0], "float64"),
        ("decimal", ["1.25"], [1.25], "float64"),
        ("guid", ["74be27de-1e4e-49d9-b579-fe0b331d3642"], ["74be27de-1e4e-49d9-b579-fe0b331d3642"], "str"),
    ],
)
def test_a_value_keeps_its_type_and_a_null_stays_one(
    kind: str, values: list[Any], expected: list[Any], dtype: str
) -> None:
    column = frame(kind, *values)["X"]
    assert str(column.dtype) == dtype
    assert [None if pd.isna(value) else value for value in column] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-01T02:03:04.1234567Z", "2026-11-01T02:03:04.123456Z"),
        ("2026-11-01T02:03:04Z", "2026-11-01T02:03:04Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_a_datetime_is_utc_to_the_microsecond(text: str, expected: str) -> None:
    column = frame("datetime", text, None)["X"]
    assert str(column.dtype) == "datetime64[us, UTC]"
    assert column[0] == pd.Timestamp(expected) and pd.isna(column[1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00:00:00", timedelta(0)),
        ("1.02:03:04.5000000", timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
        ("-00:01:30", timedelta(seconds=-90)),
        ("12.00:00:00", timedelta(days=12)),
        ("00:00:00.0000019", timedelta(microseconds=1)),
    ],
)
def test_a_timespan_is_read_as_kusto_writes_it(text: str, expected: timedelta) -> None:
    assert frame("timespan", text)["X"][0] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('{"a": [1, null]}', {"a": [1, None]}),
        ({"a": 1}, {"a": 1}),
        ([1, "x"], [1, "x"]),
        ("bare text", "bare text"),
        ('"quoted"', "quoted"),
        ("", None),
        (None, None),
        ("{cut", "{cut"),
    ],
)
def test_a_dynamic_value_is_parsed_and_text_that_is_no_json_stays_text(value: Any, expected: Any) -> None:
    assert frame("dynamic", value)["X"][0] == expected


@given(st.text())
def test_any_string_comes_through_unchanged(text: str) -> None:
    assert frame("string", text)["X"][0] == text


def test_no_rows_keep_their_columns_and_types() -> None:
    types = {"A": "datetime", "B": "long", "C": "dynamic", "D": "timespan", "E": "bool", "F": "string"}
    empty = frame_from_arrow(arrow_table([], types), types)
    assert list(empty.columns) == list(types) and len(empty) == 0
    assert str(empty["A"].dtype) == "datetime64[us, UTC]" and str(empty["B"].dtype) == "Int64"


def test_other_spellings_of_a_type_are_known() -> None:
    assert [kusto_type(name) for name in ("DateTime", "double", "boolean", "uniqueid")] == [
        *("datetime", "real", "bool", "guid")
    ]
