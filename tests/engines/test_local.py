"""The local engine: Kusto's types, one snapshot a query, clear refusals, and nothing but the lake in reach."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aoai_analytics import connect
from aoai_analytics.errors import LakeError, QueryError, SourceError
from aoai_analytics.lake.delta import Lake
from aoai_analytics.schema.tables import GATEWAY_LOGS, REQUESTS

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def requests(*rows: dict) -> pa.Table:
    schema = REQUESTS.arrow_schema()
    dated = [row | {"date": row["TimeGenerated"].strftime("%Y-%m-%d")} for row in rows]
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in dated], schema=schema)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    lake = Lake.create(tmp_path_factory.mktemp("lake"))
    lake.append(
        REQUESTS.name,
        requests(
            {"CorrelationId": "a", "TimeGenerated": NOON, "TotalTokens": 10, "IsStream": True, "ModelName": "gpt-4o"},
            {"CorrelationId": "b", "TimeGenerated": NOON + timedelta(days=1), "TotalTokens": None, "ModelName": None},
            {"CorrelationId": "c", "TimeGenerated": NOON + timedelta(days=2), "TotalTokens": 2**40, "ModelName": "o1"},
        ),
    )
    schema = GATEWAY_LOGS.arrow_schema()
    row = {
        "CorrelationId": "a",
        "TimeGenerated": NOON,
        "TraceRecords": '[{"message": "x"}]',
        "Errors": '{"cut',
        "date": "2026-11-03",
    }
    lake.append(GATEWAY_LOGS.name, pa.Table.from_pylist([{n: row.get(n) for n in schema.names}], schema=schema))
    engine = connect(lake.path)
    yield engine
    engine.close()


def test_columns_come_back_with_kustos_types_and_null_stays_null(engine):
    result = engine.query(
        "AoaiRequests | sort by CorrelationId asc | project TimeGenerated, TotalTokens, IsStream, ModelName, "
        "Half = TotalTokens / 2.0, Age = TimeGenerated - datetime(2026-11-03), List = pack_array(1, 'x')"
    )
    assert result.types == {
        "TimeGenerated": "datetime",
        "TotalTokens": "long",
        "IsStream": "bool",
        "ModelName": "string",
        "Half": "real",
        "Age": "timespan",
        "List": "dynamic",
    }
    frame = result.frame
    assert [str(kind) for kind in frame.dtypes] == [
        "datetime64[us, UTC]",
        "Int64",
        "boolean",
        "str",
        "float64",
        "timedelta64[us]",
        "object",
    ]
    assert frame.TimeGenerated[0] == pd.Timestamp(NOON)
    assert frame.TotalTokens[1] is pd.NA
    assert frame.IsStream[1] is pd.NA
    assert frame.ModelName[1] == ""
    assert frame.Age[0] == timedelta(hours=12)
    assert frame.List[0] == [1, "x"]
    # The day has a log record that is not computed, and the answer says so.
    assert result.partial and "2026-11-03 are not computed yet" in result.warnings[0]


def test_a_sum_is_a_long(engine):
    result = engine.query("AoaiRequests | summarize Tokens = sum(TotalTokens)")
    assert (result.types["Tokens"], result.frame.Tokens[0]) == ("long", 2**40 + 10)


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (None, None, "abc"),
        (NOON, NOON + timedelta(days=1), "a"),
        (NOON + timedelta(microseconds=1), None, "bc"),
        (None, NOON + timedelta(days=1, microseconds=1), "ab"),
        (datetime(2026, 11, 4, 12), None, "bc"),
        (NOON + timedelta(days=9), None, ""),
    ],
)
def test_the_time_range_is_from_start_to_before_end(engine, start, end, found):
    result = engine.query("AoaiRequests | project CorrelationId | sort by CorrelationId asc", start=start, end=end)
    assert "".join(result.frame.CorrelationId) == found
    assert result.types == {"CorrelationId": "string"}


def test_dynamic_values_are_parsed_and_a_piece_of_json_is_a_string(engine):
    frame = engine.query(
        "ApiManagementGatewayLogs | project TraceRecords, Errors, M = tostring(TraceRecords[0].message)"
    ).frame
    assert frame.TraceRecords[0] == [{"message": "x"}]
    assert frame.Errors[0] == '{"cut'
    assert frame.M[0] == "x"


def test_a_table_without_rows_is_empty_and_has_its_columns(engine):
    result = engine.query("AoaiMessages")
    assert len(result.frame) == 0
    assert result.types["PromptComplete"] == "bool"


@pytest.mark.parametrize(
    ("kql", "message"),
    [
        ("AoaiRequest | count", "there is no table 'AoaiRequest'; did you mean 'AoaiRequests'?"),
        (
            "AoaiRequests | where ModelNam == 'x'",
            "line 1, column 22: there is no column 'ModelNam' here; did you mean 'ModelName'?",
        ),
        ("AoaiRequests | whre x", "line 1, column 16: there is no operator 'whre'; did you mean 'where'?"),
        (
            "AoaiRequests\n| summarize count() by Outcom",
            "line 2, column 24: there is no column 'Outcom' here; did you mean 'Outcome'?",
        ),
        ("AoaiRequests | where Outcome = 'x'", "line 1, column 22: '=' gives a name to a value; compare with '=='"),
        (
            "AoaiRequests | extend x = indexoff(Outcome, 'x')",
            "there is no function 'indexoff'; did you mean 'indexof'?",
        ),
        ("AoaiRequests | where TimeGenerated > ago(span)", "line 1, column 42: there is no column 'span' here"),
        ("AoaiRequests | where TotalTime + Outcome > 1", r"line 1, column 22: '\+' does not take a long with a string"),
        ("AoaiRequests | reduce by User", "line 1, column 16: the local engine does not run reduce"),
        ("AoaiRequests | where Outcome in~ ('x'", r"line 1, column 34: '\(' is not closed"),
        ("AoaiRequests | evaluate basket()", "the local engine has no plugin 'basket'"),
        ("AoaiRequests | where TotalTokens > 'prompt text'", "'>' does not take a long with a string"),
    ],
)
def test_a_wrong_query_is_refused_in_one_line(engine, kql, message):
    with pytest.raises(QueryError, match=message) as caught:
        engine.query(kql)
    assert "\n" not in str(caught.value)
    assert "prompt text" not in str(caught.value)


def test_a_value_of_a_column_is_not_in_the_message(tmp_path):
    lake = Lake.create(tmp_path)
    lake.append(REQUESTS.name, requests({"CorrelationId": "a", "TimeGenerated": NOON, "ModelName": "a secret"}))
    with pytest.raises(QueryError) as caught:
        connect(tmp_path).query("AoaiRequests | where ModelName == 5")
    assert "secret" not in str(caught.value)


def test_a_query_reaches_nothing_but_the_lake(engine, tmp_path):
    outside = tmp_path / "secret.csv"
    outside.write_text("a\n1\n")
    frame = pd.DataFrame({"a": [1]})
    for kql in (f"['{outside}']", f"table('{outside}')", "frame", "['read_csv']", "duckdb_settings"):
        with pytest.raises(QueryError):
            engine.query(kql)
    assert len(frame) == 1


@settings(max_examples=60)
@given(st.text())
def test_a_parameter_of_any_text_comes_back_as_it_went_in(engine, text):
    result = engine.query('let value = "";\nprint Value = value', parameters={"value": text})
    assert result.frame.Value[0] == text


def test_top_take_and_bin_accept_parameters(engine):
    kql = """let n = 1;
let step = 1d;
AoaiRequests | summarize count() by bin(TimeGenerated, step) | top n by TimeGenerated asc"""
    assert len(engine.query(kql).frame) == 1
    assert len(engine.query(kql, parameters={"n": 2}).frame) == 2
    assert len(engine.query(kql, parameters={"n": 9, "step": "30d"}).frame) == 1


@settings(max_examples=60)
@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),
    st.sampled_from([("1h", 3600), ("1d", 86400), ("7d", 604800), ("500ms", 0.5), ("30m", 1800), ("36h", 129600)]),
)
def test_a_bin_of_moments_counts_from_the_year_1(engine, moment, width):
    literal, seconds = width
    frame = engine.query(f"print Bin = bin(todatetime('{moment.isoformat()}'), {literal})").frame
    binned, step = frame.Bin[0], timedelta(seconds=seconds)
    assert binned <= pd.Timestamp(moment, tz="UTC") < binned + step
    assert (binned.to_pydatetime() - datetime(1, 1, 1, tzinfo=UTC)) % step == timedelta()


def test_a_bin_keeps_null_and_a_width_of_nothing_gives_null(engine):
    kql = "print A = bin(datetime(null), 1h), B = bin(datetime(2026-11-03), 0s), C = bin(14d + 3h, 1d), D = bin(7, 5)"
    frame = engine.query(kql).frame
    assert frame[["A", "B"]].isna().all().all()
    assert frame.C[0] == timedelta(days=14) and frame.D[0] == 5


@settings(max_examples=60)
@given(st.text("aAäÄ%_\\'ß ", max_size=6), st.text("aAäÄ%_\\'ß ", max_size=3))
def test_contains_finds_a_text_as_it_stands(engine, text, part):
    kql = """let text = "";
let part = "";
print Cs = text contains_cs part, Ci = text contains part
| extend NotCs = text !contains_cs part, NotCi = text !contains part"""
    row = engine.query(kql, parameters={"text": text, "part": part}).frame.iloc[0]
    assert (row.Cs, row.Ci) == (part in text, part.lower() in text.lower())
    assert (row.NotCs, row.NotCi) == (not row.Cs, not row.Ci)


def test_contains_reads_a_list_as_its_text_and_null_as_nothing(engine):
    kql = r"""print A = tostring(pack_array("ab", "c")) contains "b\",\"C", B = dynamic(["ab"]) contains_cs "b"
| extend C = dynamic(null) contains "x", D = dynamic(null) !contains "x"
"""
    assert engine.query(kql).frame.iloc[0].tolist() == [True, True, False, True]


def test_reading_goes_on_while_another_writes(tmp_path):
    lake = Lake.create(tmp_path)
    engine = connect(tmp_path)
    errors: list[Exception] = []
    done = threading.Event()

    def read() -> None:
        seen = 0
        while not done.is_set():
            try:
                count = int(engine.query("AoaiRequests | count").frame.iloc[0, 0])
            except Exception as error:
                errors.append(error)
                return
            if count < seen:
                errors.append(AssertionError(f"{count} rows after {seen}"))
            seen = count

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(15):
        lake.append(REQUESTS.name, requests({"CorrelationId": str(number), "TimeGenerated": NOON}))
    done.set()
    reader.join()
    assert errors == []
    assert engine.query("AoaiRequests | count").frame.iloc[0, 0] == 15


def test_an_unknown_source_and_a_folder_that_is_no_lake_are_told_apart(tmp_path):
    with pytest.raises(SourceError, match="unknown source 'foo://…'"):
        connect("foo://bar")
    with pytest.raises(LakeError, match="is not a lake; create one with: aoai ingest"):
        connect(tmp_path)


def test_a_column_that_log_analytics_lacks_is_read_by_column_ifexists(engine):
    kql = """ApiManagementGatewayLlmLog
        | project A = column_ifexists("PromptCachedTokens", int(null)), B = column_ifexists('Never', 7),
            C = columnifexists("Never", "")"""
    assert engine.query(kql).types == {"A": "int", "B": "long", "C": "string"}


@pytest.mark.parametrize(
    ("kql", "expected"),
    [
        ("let f = (T: (CorrelationId: string)) { T | count }; f(AoaiRequests)", 3),
        ("let f = (id: string) { AoaiRequests | where CorrelationId == id }; f('a') | count", 1),
        ("let f = (T: (CorrelationId: string), n: long) { T | take n }; AoaiRequests | invoke f(2) | count", 2),
        ("let f = () { let x = 'a'; AoaiRequests | where CorrelationId == x }; union f, f() | count", 2),
        ("let n = 1; AoaiRequests | take n + 1 | count", 2),
        ("let n = toscalar(print 2); AoaiRequests | top n by CorrelationId | count", 2),
        ("(AoaiRequests | take 2) | count", 2),
        ("union AoaiReq* | where isnotempty(CorrelationId) | count", 3),
        ("search in (AoaiRequests) 'a' | count", 1),
        ("find in (AoaiRequests) where CorrelationId == 'b' project CorrelationId | count", 1),
        ("customMetrics | count", 0),
        ("print replace_strings('a b', dynamic(['a', 'b']), dynamic(['x', 'y']))", "x y"),
        ("print tostring(pack_dictionary('a', 1))", '{"a":1}'),
        ("print tostring(array_concat(pack_array(dynamic(null)), pack_array('x'), dynamic([1])))", '[null,"x",1]'),
    ],
)
def test_other_people_s_queries_run(engine, kql, expected):
    assert engine.query(kql).frame.iloc[0, 0] == expected


def test_an_error_that_ends_duckdb_costs_its_own_query_and_no_other(engine):
    """DuckDB then refuses whatever it is asked, until it is opened anew."""
    connection = engine._connected().connection
    values = """(SELECT CAST('"x' || n || '"' AS JSON) AS value FROM range(2) AS t(n))"""
    with pytest.raises(duckdb.InternalException):
        connection.execute(f"SELECT to_json(CAST([NULL, value] AS JSON)) FROM {values}").fetchall()
    with pytest.raises(duckdb.FatalException, match="must be restarted"):
        connection.execute("SELECT 1").fetchall()
    assert engine.query("AoaiRequests | count").frame.iloc[0, 0] == 3
    assert engine.types("print a = 1") == {"a": "long"}
