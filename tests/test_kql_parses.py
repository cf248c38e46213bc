"""Every query of the library holds under Microsoft's own parser, in a workspace with the two log tables."""

from __future__ import annotations

import pytest

from aoai_analytics.schema.tables import MESSAGES, REQUESTS, TABLES
from tests import kql_parser
from tests.kql_parser import KQL, Analysis, analyse, diagnostics, semantic_layer

FILES = {path.relative_to(KQL).with_suffix("").as_posix(): path for path in sorted(KQL.rglob("*.kql"))}

# What is wrong with each, and the parser's code for it.
BAD_QUERIES = {
    "unknown table": ("Gone | take 1", "KS204"),
    "unknown column": ("AoaiRequests | where Nope == 1", "KS142"),
    "unknown column of a log table": ("ApiManagementGatewayLogs | project CallerIP", "KS142"),
    "unknown function": ("AoaiRequests | extend Cost = price_of(ModelName)", "KS211"),
    "wrong operand types": ("AoaiRequests | where CallerIpAddress > 3", "KS106"),
    "text search in a number": ("AoaiRequests | where TotalTime has 'a'", "KS106"),
    "wrong arguments": ("AoaiRequests | summarize count() by bin(TimeGenerated)", "KS127"),
    "unknown operator": ("AoaiRequests | sumarize count()", "KS176"),
    "column projected away": ("AoaiRequests | project ModelName | where UserId == ''", "KS142"),
    "join on a missing column": ("AoaiRequests | join (print A = 1) on CorrelationId", "KS145"),
    "duplicate column": ("AoaiRequests | project ModelName, ModelName = 'x'", "KS171"),
}


@pytest.fixture(scope="module")
def library() -> dict[str, Analysis]:
    return analyse({name: path.read_text("utf-8") for name, path in FILES.items()})


@pytest.mark.parametrize("name", FILES)
def test_a_query_of_the_library_has_no_error(name: str, library: dict[str, Analysis]) -> None:
    found = [str(diagnostic) for diagnostic in library[name].diagnostics]
    assert not found, "\n".join([str(FILES[name].relative_to(KQL.parent)), *found])


@pytest.mark.parametrize("name", FILES)
def test_a_query_of_the_library_gives_a_table_of_known_types(name: str, library: dict[str, Analysis]) -> None:
    columns = library[name].columns
    assert columns, f"{name} gives no table"
    assert "unknown" not in columns.values(), columns


@pytest.mark.parametrize("table", [REQUESTS, MESSAGES], ids=lambda table: table.name)
def test_a_function_gives_the_columns_that_the_lake_stores(table, library: dict[str, Analysis]) -> None:
    columns = library[f"functions/{table.name}"].columns
    assert columns is not None
    assert list(columns.items()) == list(table.columns.items())


def test_the_semantic_layer_is_the_three_functions() -> None:
    assert {"AoaiRequests", "AoaiMessages", "AoaiPrices"} <= set(semantic_layer())


def test_the_parser_finds_what_is_wrong_with_a_bad_query() -> None:
    lake = {name: table.columns for name, table in TABLES.items()}
    found = analyse({name: kql for name, (kql, _) in BAD_QUERIES.items()}, tables=lake, functions={})
    codes = {name: {diagnostic.code for diagnostic in found[name].diagnostics} for name in BAD_QUERIES}
    assert {name for name, (_, code) in BAD_QUERIES.items() if code not in codes[name]} == set(), codes


def test_the_parser_says_where_an_error_is() -> None:
    (found,) = diagnostics({"q": "ApiManagementGatewayLogs\n| where Nope == 1"})["q"]
    assert (found.severity, found.line, found.column, found.text) == ("Error", 2, 9, "Nope")


def test_the_parser_infers_a_result_s_columns_in_order() -> None:
    answer = analyse(
        {"q": "F | summarize N = count(), S = sum(Y) by bin(TimeGenerated, 1h), Z", "p": "print toint(1)"},
        tables={"T": {"TimeGenerated": "datetime", "X": "long", "D": "dynamic"}},
        functions={"F": "// title: x\nlet a = 2.0;\nT | extend Y = X * a, Z = tostring(D.z)"},
    )
    assert answer["q"].diagnostics == []
    assert list((answer["q"].columns or {}).items()) == [
        ("TimeGenerated", "datetime"),
        ("Z", "string"),
        ("N", "long"),
        ("S", "real"),
    ]


def test_without_the_parser_a_recorded_query_is_answered_and_a_new_one_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"diagnostics": [], "columns": [["N", "long"]]}
    monkeypatch.setattr(kql_parser, "missing", lambda: "needs node (Node.js)")
    monkeypatch.setattr(kql_parser, "recorded", lambda: {"key of A": said})
    monkeypatch.setattr(kql_parser, "_digest", lambda value: f"key of {value['query']}")
    assert analyse({"a": "A"})["a"] == Analysis([], {"N": "long"})
    with pytest.raises(pytest.skip.Exception, match="needs node"):
        analyse({"a": "A", "b": "B"})


def test_what_the_parser_now_says_otherwise_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """One in 32 of the recorded queries is parsed in any case."""
    if reason := kql_parser.missing():
        pytest.skip(reason)
    kql = "print N = 1"
    monkeypatch.setattr(kql_parser, "_digest", lambda value: "00 is asked again")
    monkeypatch.setattr(
        kql_parser, "recorded", lambda: {"00 is asked again": {"diagnostics": [], "columns": [["N", "int"]]}}
    )
    with pytest.raises(AssertionError, match="the parser says otherwise of a than recorded"):
        analyse({"a": kql}, functions={})
    monkeypatch.setattr(kql_parser, "recorded", dict)
    assert analyse({"a": kql}, functions={})["a"].columns == {"N": "long"}
