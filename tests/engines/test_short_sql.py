"""What makes translated SQL short: fewer runs of ``extend``, conversions by type. The answers stay as they are."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aoai_analytics.engines.dialect import connection
from aoai_analytics.engines.dialect.levels import levels
from aoai_analytics.engines.dialect.preparing import prepared
from aoai_analytics.engines.kql.tree import read
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake.delta import Lake
from aoai_analytics.schema.tables import REQUESTS

COLUMNS = "ABCD"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> LocalEngine:
    lake = Lake.create(tmp_path_factory.mktemp("levels") / "lake")
    row = dict.fromkeys(REQUESTS.columns) | {"TotalTokens": 7, "date": "2026-11-01"}
    lake.append(REQUESTS.name, pa.Table.from_pylist([row], REQUESTS.arrow_schema()))
    return LocalEngine(lake, "x")


def extends(kql: str) -> int:
    return prepared(kql).count("| extend")


# A run: each extend gives some columns, new ones or anew, a sum of others that are there by then.
RUNS = st.lists(
    st.dictionaries(st.sampled_from(COLUMNS + "xyz"), st.lists(st.sampled_from(COLUMNS), max_size=3), min_size=1),
    min_size=2,
    max_size=7,
)


@settings(max_examples=30)
@given(RUNS)
def test_fewer_steps_give_what_the_run_gives(engine: LocalEngine, run: list[dict[str, list[str]]]) -> None:
    row = {name: 10**number for number, name in enumerate(COLUMNS)}
    kql = "print " + ", ".join(f"{name} = {value}" for name, value in row.items())
    for number, step in enumerate(run):
        given_now = {name: [*reads, *(name for name in "xyz" if name in row)] for name, reads in step.items()}
        kql += "\n| extend " + ", ".join(
            f"{name} = {' + '.join(map(str, [number, *reads]))}" for name, reads in given_now.items()
        )
        row |= {name: number + sum(row[read] for read in reads) for name, reads in given_now.items()}
    kql += "\n| project " + ", ".join(row)
    assert extends(kql) <= len(run)
    assert engine.query(kql).frame.to_dict("records") == [row]


@pytest.mark.parametrize(
    ("run", "steps"),
    [
        ("| extend B = A + 1 | extend C = A + 2", 1),
        ("| extend B = A + 1 | extend C = B + 2", 2),
        ("| extend B = A | extend A = 2 | extend C = A", 2),  # B and the new A read the old one
        ("| extend A = A + 1 | extend A = A + 1 | extend B = 1", 2),
        ("| extend B = A // why, and a | extend\n| extend C = 1", 1),
        ("| extend B = iff(A > 0, 'x|extend', \"y\") | extend ['C'] = A", 1),
        # What depends on the order of rows, on chance or on columns that it does not name stays where it is.
        ("| extend B = rand() | extend C = 1", 2),
        ("| serialize | extend B = row_number() | extend C = 1", 2),
        ("| serialize | extend B = 1 | extend C = prev(A)", 2),
        ("| extend B = 1 | extend C = pack_all()", 2),
        ("| extend B = 1 | extend C = column_ifexists('B', 2)", 2),
        ("| extend B = 1 | where B > 0 | extend C = 1", 2),
        ("| extend A + 1 | extend C = 1", 2),  # the name is not written
    ],
)
def test_only_what_depends_on_its_row_moves(run: str, steps: int) -> None:
    assert extends(f"print A = 1 {run} | project A") == steps


@pytest.mark.parametrize(
    "end", ["", "| take 1", "| project-away A", "| summarize arg_max(A, *) by B", "| project-keep *"]
)
def test_where_the_order_of_columns_shows_nothing_moves(end: str) -> None:
    assert extends(f"print A = 1 | extend B = A + 1 | extend C = A {end}") == 2


def test_the_functions_take_far_fewer_steps_than_they_write() -> None:
    from aoai_analytics.engines.kql.functions import shipped_functions

    text = shipped_functions()["AoaiAnswers"]
    fewer = [(len(run), len(placed)) for node in read(text).walk() for run, placed in levels(node) if len(run) > 20]
    assert fewer
    assert all(placed * 2 < run for run, placed in fewer)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.integers(-99, 99).map(lambda number: f" {number}\n"),
    st.sampled_from(["0x1F", "5.7", "1e3", "", "null", "+7", "-", "9223372036854775808", "Aé"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)


@settings(max_examples=40)
@given(VALUES)
def test_a_part_of_a_dynamic_value_is_converted_as_a_column_is(engine: LocalEngine, value: Any) -> None:
    """duckdb-kql's own conversion, which it writes for a column, is the yardstick."""
    text = json.dumps({"a": {"b": value}}).replace("\\", "\\\\").replace('"', '\\"')
    kql = f'''print D = parse_json("{text}")
        | extend Part = D.a.b
        | project Long = tolong(D.a.b), LongColumn = tolong(Part),
            Text = tostring(D.a.b), TextColumn = tostring(Part)'''
    row = engine.query(kql).frame.iloc[0]
    assert repr(row["Long"]) == repr(row["LongColumn"])
    assert row["Text"] == row["TextColumn"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("'x'", "x"),
        ("true", "True"),
        ("false", "False"),
        ("CAST(NULL AS BOOLEAN)", ""),
        ("7", "7"),
        ("CAST(7 AS HUGEINT)", "7"),
        ("CAST(1.5 AS DOUBLE)", "1.5"),
        ("CAST('-nan' AS DOUBLE)", "NaN"),
        ("CAST('inf' AS DOUBLE)", "inf"),
        ("CAST(1.50 AS DECIMAL(38, 12))", "1.5"),
        ("CAST(100 AS DECIMAL(38, 12))", "100"),
        ("TIMESTAMP '2026-11-01 01:02:03.5'", "2026-11-01T01:02:03.5000000Z"),
        ("CAST(NULL AS TIMESTAMP)", ""),
        ("INTERVAL '-90061.5 seconds'", "-1.01:01:01.5000000"),
        ("INTERVAL 61 SECOND", "00:01:01"),
        ("CAST('\"q\"' AS JSON)", "q"),
        ("CAST('[1,2]' AS JSON)", "[1,2]"),
        ("CAST('null' AS JSON)", ""),
    ],
)
@pytest.mark.parametrize(
    "form",
    ["(SELECT kusto_tostring(x) FROM (SELECT {} AS x))", "list_transform([{}], lambda _m: kusto_tostring(_m))[1]"],
)
def test_a_value_of_each_type_has_kusto_s_text(value: str, text: str, form: str) -> None:
    assert connection().execute(f"SELECT {form.format(value)}").fetchall() == [(text,)]


def test_values_in_an_array_are_written_as_kusto_does(engine: LocalEngine) -> None:
    kql = """print At = datetime(2026-11-01 01:02:03.5), Span = 61s, Text = 'a"b', Number = 1.5,
            Bag = dynamic({"k": [1]})
        | project Array = tostring(pack_array(At, Span, Text, Number, Bag, At + 1h, Span * 2, strcat(Text, "c"), 7)),
            Bag = tostring(bag_pack("a", At, "b", Text))"""
    row = engine.query(kql).frame.iloc[0]
    assert json.loads(row["Array"]) == [
        *("2026-11-01T01:02:03.5000000Z", "00:01:01", 'a"b', 1.5, {"k": [1]}),
        *("2026-11-01T02:02:03.5000000Z", "00:02:02", 'a"bc', 7),
    ]
    assert json.loads(row["Bag"]) == {"a": "2026-11-01T01:02:03.5000000Z", "b": 'a"b'}
