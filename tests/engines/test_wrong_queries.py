"""Each kind of wrong query is refused at its place, in words that an author of KQL knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import QueryError
from aoai_analytics.lake.delta import Lake
from aoai_analytics.schema.tables import REQUESTS

#: What no one sees who asks in KQL: the parts that the engine is made of, and their words.
INNER = re.compile(
    r"duckdb|\bsql\b|antlr|\bSELECT\b|\bbinder\b|varchar|bigint|\binterval\b|kusto_|Stage[0-9a-f]|__|lambda|macro"
    r"|Traceback|\bcast\b|catalog|\bDOUBLE\b|INTEGER|TIMESTAMP",
    re.IGNORECASE,
)
T = "AoaiRequests\n| "
#: The query, what the message says, and the words at its place.
WRONG = [
    # operators
    (T + "sumarize count()", "there is no operator 'sumarize'; did you mean 'summarize'?", "sumarize"),
    (T + "SUMMARIZE count()", "written in lower case; did you mean 'summarize'?", "SUMMARIZE"),
    (T + "select User", "there is no operator 'select'; did you mean 'project'?", "select"),
    (T + "group by User", "there is no operator 'group'; did you mean 'summarize'?", "group"),
    (T + "top by User", "'top' is written: top NUMBER by COLUMN desc", "top"),
    (T + "take 'a'", "'take' is written: take NUMBER", "take"),
    (T + "parse User", "'parse' is written: parse COLUMN with 'text' NAME 'text'", "parse"),
    (T + "reduce by User", "the local engine does not run reduce: use 'summarize", "reduce"),
    (T + "evaluate basket()", "the local engine has no plugin 'basket'; use 'summarize", "basket"),
    ("select User from AoaiRequests", "a query begins with a table", "select"),
    (".show tables", "management commands", ".show"),
    ("let n = 5;", "a query ends with what it asks for", "let"),
    # columns
    (T + "project Usr", "there is no column 'Usr' here; did you mean 'User'?", "Usr"),
    (T + "where user == 'a'", "there is no column 'user' here; did you mean 'User'?", "user"),
    (T + "summarize count() by bin(TimeGenerate, 1h)", "did you mean 'TimeGenerated'?", "TimeGenerate,"),
    (T + "evaluate pivot(Usr)", "there is no column 'Usr' here", "Usr"),
    (T + "partition by Usr (count)", "there is no column 'Usr' here", "Usr"),
    (T + "top-nested 2 of Usr by count()", "there is no column 'Usr' here", "Usr"),
    ("let T = AoaiRequests;\nT | project Usr", "there is no column 'Usr' here", "Usr"),
    # numbers
    (
        "print tolong('9223372036854775807') + tolong('1')",
        "a result is too large for its type",
        "tolong('9223372036854775807')",
    ),
    (T + "extend a = 4611686018427387904 * TotalTokens", "a result is too large for its type", "4611686018427387904"),
    (
        "union AoaiRequests, AoaiRequests\n| summarize sum(4611686018427387904 + TotalTokens)",
        "too large for its type",
        "union",
    ),
    # tables
    ("AoaiRequest | take 1", "there is no table 'AoaiRequest'; did you mean 'AoaiRequests'?", "AoaiRequest"),
    (T + "join (Foo) on User", "there is no table 'Foo'", "Foo"),
    ("search in (Foo) 'x'", "there is no table 'Foo'", "Foo"),
    ("union Foo*", r"there is no table like 'Foo\*'", "Foo*"),
    # functions
    (T + "extend a = tolwer(User)", "there is no function 'tolwer'; did you mean 'tolower'?", "tolwer"),
    (T + "extend a = concat(User, 'a')", "did you mean 'strcat'?", "concat"),
    (T + "extend a = sum(TotalTokens)", r"sum\(\) is of several rows: use it in 'summarize'", "sum"),
    (T + "extend a = substring(User)", r"substring\(\) takes 2 to 3 arguments, not 1", "substring"),
    (T + "summarize sum()", r"sum\(\) takes 1 argument, not 0", "sum"),
    (T + "extend a = strcat()", r"strcat\(\) takes 1 or more arguments, not 0", "strcat"),
    ("let f = (a: long) { a };\nprint f(1, 2)", r"f\(\) takes 1 argument, not 2", "f(1, 2)"),
    (T + "evaluate bag_unpack()", r"bag_unpack\(\) takes 1 to 5 arguments, not 0", "bag_unpack"),
    # types
    (T + "where TotalTokens > 'x'", "'>' does not take a long with a string", "TotalTokens"),
    (T + "extend a = User - 1", "'-' does not take a string with a long", "User"),
    (T + "extend a = 1 + 2 * (User - 1)", "'-' does not take a string with a long", "User"),
    (T + "where User", "a condition is true or false, and this is a string", "User"),
    (T + "where TimeGenerated between (1 .. 2)", "'between' does not take a datetime with a long", "TimeGenerated"),
    (T + "where TotalTokens has 'x'", "'has' does not take a long with a string", "TotalTokens"),
    (T + "extend a = abs(User)", r"abs\(\) does not take \(string\)", "abs"),
    (T + "summarize avg(User) by Outcome", r"avg\(\) does not take \(string\)", "avg"),
    (T + "extend a = User[0]", "a string has no parts: parse_json", "User[0]"),
    (T + "extend a = iff(User, 1, 2)", r"iff\(\) does not take \(string, long, long\)", "iff"),
    (T + "where User matches regex '['", "the pattern is not a valid regular expression", "User"),
    (T + "extend a = extract('(', 1, User)", "the pattern of extract", "extract"),
    ("let n = toscalar(AoaiRequests | project a = User * 2);\nprint n", r"'\*' does not take a string", "User"),
    (T + "join (AppRequests | extend User = 1 + Name) on User", r"'\+' does not take a long with a string", "1 + Name"),
    # joins
    (T + "join kind=left (AoaiRequests) on User", "no kind 'left' of join; did you mean 'leftouter'?", "left"),
    (T + "join (AoaiRequests)", "a join needs its keys: 'on COLUMN'", "join"),
    (T + "join (AoaiRequests) on User == User", "write the key as 'on COLUMN'", "User == User"),
    (
        T + "join (print User = 5) on User",
        "the keys of a join have one type, and these are a string and a long",
        "User",
    ),
    # brackets and quotes
    (T + "where (User == 'a'", r"'\(' is not closed", "("),
    (T + "where User == 'a')", r"'\)' closes nothing", ")"),
    (T + "extend a = dynamic([1, 2)", r"'\)' does not close the '\[' before it", ")"),
    (T + "where User == 'abc", "this text has no end quote", "'abc"),
    (T + "where User == \u201ca\u201d", "write straight quotes", "\u201c"),
    (T + "extend a = 5 +", "the query ends too early", ""),
    # literals
    (T + "where TimeGenerated > datetime(2026-13-01)", "is not a valid datetime", "datetime"),
    (T + "where TimeGenerated > ago(5x)", "'5x' is neither a number nor a timespan", "5x"),
    (T + "extend a = time(abc)", "this is not a valid timespan", "time"),
    (T + "extend a = guid(xyz)", "this is not a valid guid", "guid"),
    (
        T + "extend a = datetime_diff('dya', TimeGenerated, now())",
        "no part 'dya'; did you mean 'day'?",
        "datetime_diff",
    ),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    lake = Lake.create(tmp_path_factory.mktemp("wrong") / "lake")
    row = {
        "CorrelationId": "a",
        "TimeGenerated": datetime(2026, 11, 1, tzinfo=UTC),
        "User": "someone",
        "TotalTokens": 5,
    }
    schema = REQUESTS.arrow_schema()
    full = {name: row.get(name) for name in schema.names} | {"date": "2026-11-01"}
    lake.append(REQUESTS.name, pa.Table.from_pylist([full], schema=schema))
    engine = LocalEngine(lake, str(lake.path))
    yield engine
    engine.close()


@pytest.mark.parametrize(("kql", "message", "at"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_a_wrong_query_is_refused_at_its_place(engine: LocalEngine, kql: str, message: str, at: str) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        engine.arrow(kql, {})
    said, line, column = str(caught.value), caught.value.line, caught.value.column
    assert line is not None and column is not None
    assert said.startswith(f"line {line}, column {column}: ")
    assert kql.split("\n")[line - 1][column - 1 :].startswith(at)
    assert not INNER.search(said.replace(at, "") if at else said), said
    assert "\n" not in said and "someone" not in said
