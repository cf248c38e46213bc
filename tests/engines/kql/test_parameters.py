"""A query's parameters: read from its text, filled in by type, and never able to leave their literal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoai_analytics.engines.kql.parameters import bind, declared, literal
from aoai_analytics.errors import UnknownName, WrongUse
from aoai_analytics.format.periods import parse_timespan

QUERY = """// title: x
let topN = 20; // rows shown
let step = 1h;
// more about it
let name = "a;b // c";
let share = 0.5;
let since = datetime(2026-01-01);
let deep = false;
let models = dynamic(["a", "b"]);
AoaiRequests
| extend x = 5;
let later = 3;
"""


def test_the_leading_lets_are_the_parameters_with_type_default_and_comment():
    found = {p.name: (p.type, p.default, p.about) for p in declared(QUERY).values()}
    assert found == {
        "topN": ("long", "20", "rows shown"),
        "step": ("timespan", "1h", ""),
        "name": ("string", '"a;b // c"', ""),
        "share": ("real", "0.5", ""),
        "since": ("datetime", "datetime(2026-01-01)", ""),
        "deep": ("bool", "false", ""),
        "models": ("dynamic", 'dynamic(["a", "b"])', ""),
    }


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("topN", 5, "let topN = 5;  // rows shown"),
        ("topN", "5", "let topN = 5;  // rows shown"),
        ("step", "90m", "let step = time(0.01:30:00.000000);"),
        ("step", timedelta(days=-1), "let step = time(-1.00:00:00.000000);"),
        ("name", 'x"; drop', 'let name = "x\\"; drop";'),
        ("share", "1e-3", "let share = real(0.001);"),
        ("since", "2026-11-01", "let since = datetime(2026-11-01T00:00:00.000000Z);"),
        (
            "since",
            datetime(2026, 11, 1, 2, tzinfo=timezone(timedelta(hours=2))),
            "let since = datetime(2026-11-01T00:00:00.000000Z);",
        ),
        ("deep", "true", "let deep = true;"),
        ("models", "c, d", 'let models = dynamic(["c", "d"]);'),
        ("models", [1, "x"], 'let models = dynamic([1, "x"]);'),
    ],
)
def test_a_value_replaces_the_literal_of_its_line_alone(name, value, line):
    before, after = QUERY.split("\n"), bind(QUERY, {name: value}).split("\n")
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [line]


def test_an_unknown_parameter_names_those_there_are():
    with pytest.raises(UnknownName, match=r"no parameter 'topn': did you mean 'topN'\? it takes topN \(long\)"):
        bind(QUERY, {"topn": 1})
    with pytest.raises(UnknownName, match="it takes none"):
        bind("AoaiRequests", {"a": 1})


@pytest.mark.parametrize(
    ("kql_type", "value"),
    [
        ("long", "many"),
        ("long", 1.5),
        ("long", True),
        ("long", 2**63),
        ("int", 2**31),
        ("real", "nan"),
        ("real", float("inf")),
        ("bool", "maybe"),
        ("bool", 3),
        ("datetime", "yesterday"),
        ("datetime", 5),
        ("timespan", "7 fortnights"),
        ("timespan", 7),
        ("string", 5),
        ("dynamic", [None]),
        ("dynamic", [[1]]),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_without_being_repeated(kql_type, value):
    with pytest.raises(WrongUse, match=rf"parameter 'p' takes a {kql_type}, e.g.") as caught:
        literal(value, kql_type, "p")
    assert "many" not in str(caught.value)


@given(st.text())
def test_no_text_leaves_its_quotes(text):
    written = literal(text, "string")
    assert written[0] == written[-1] == '"'
    inside = written[1:-1]
    assert not any(c in inside for c in "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
    # Every quote is escaped by a backslash that is not itself escaped.
    position = 0
    while position < len(inside):
        assert inside[position] != '"'
        position += 2 if inside[position] == "\\" else 1
    assert position == len(inside)


@given(st.timedeltas(min_value=timedelta(days=-9999), max_value=timedelta(days=9999)))
def test_a_timespan_is_read_back_as_it_was_written(span):
    assert parse_timespan(literal(span, "timespan")[5:-1]) == span


def test_naive_datetimes_are_utc():
    assert literal(datetime(2026, 1, 2), "datetime") == literal(datetime(2026, 1, 2, tzinfo=UTC), "datetime")
