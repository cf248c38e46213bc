"""What people wrote is hidden unless asked for, by whatever way a query comes to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aoai_analytics.cli.output import write
from aoai_analytics.engines import QueryResult
from aoai_analytics.engines.kql.flow import TEXT_COLUMNS
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import QueryError
from aoai_analytics.lake.delta import Lake
from aoai_analytics.library.privacy import hidden, reads_text, shown
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, MESSAGES, REQUESTS, TABLES, Table

SECRET = "planted secret"


@pytest.mark.parametrize(
    ("kql", "reads"),
    [
        ("ApiManagementGatewayLogs | project A = RequestHeaders['User-Agent']", True),
        ("ApiManagementGatewayLogs | project LastErrorMessage", True),
        ("ApiManagementGatewayLogs | mv-expand E = Errors | project E", True),
        ("ApiManagementGatewayLogs | project TraceRecords", True),
        ("AppExceptions | project OuterMessage", True),
        ("ApiManagementGatewayLogs | project ResponseCode, LastErrorReason, Url", False),
        ("AoaiMessages | take 1", True),
        ("AoaiRequests | join AoaiMessages on CorrelationId", True),
        ("ApiManagementGatewayLogs | project B = ResponseBody", True),
        ("ApiManagementGatewayLlmLog | project RequestMessages", True),
        ("AoaiRequests | project ErrorMessage", True),
        ("AoaiRequests | project ResponseCode, ResponseBytes", False),
        ("AoaiRequests | summarize sum(PromptTokens)", False),
        ("AoaiMessages | project CorrelationId, L = strlen(Prompt)", False),
        ("AoaiMessages | where Prompt has 'x' | count", False),
        ("// AoaiMessages\nAoaiRequests | project Surface = 'Prompt'", False),
        ("this does not | parse (", True),
        ("SavedFunction | take 1", True),
        ("workspace('x').ApiManagementGatewayLogs | project ResponseBody", True),
        ("search 'x'", True),
        ("find where Url has 'x'", True),
    ],
)
def test_a_query_reads_text_where_its_answer_may_hold_some(kql: str, reads: bool) -> None:
    assert reads_text(kql) == reads


# Each names a column of text otherwise than by its plain name, or takes it along unnamed.
WAYS = [
    r"ApiManagementGatewayLogs | project X = ['Request\u0042ody']",
    "ApiManagementGatewayLogs | project X // about\n = RequestBody",
    "ApiManagementGatewayLogs | project Url // =\n , Method // harmless\n = ResponseBody",
    "let b = ApiManagementGatewayLogs | project Url = RequestBody; b | project Url",
    "let f = (t: string) { strcat('<', t, '>') }; AoaiMessages | project Surface = f(Prompt)",
    "let f = (T: (Prompt: string)) { T | project Role = Prompt }; f(AoaiMessages)",
    "AoaiMessages | invoke_nothing(Prompt)",
    "AoaiMessages | project X = pack_all()",
    "AoaiMessages | extend X = bag_pack('p', Prompt) | project Y = X.p",
    "AoaiMessages | extend X = pack_array(Prompt) | mv-expand X to typeof(string) | project X",
    "AoaiMessages | summarize X = make_set(Prompt) | project Y = strcat_array(X, ' ')",
    "AoaiMessages | summarize arg_max(TimeGenerated, *) by CorrelationId",
    "AoaiMessages | summarize take_any(Prompt) by MessageSource",
    "AoaiMessages | summarize ModelName = min(Prompt)",
    "AoaiMessages | summarize count() by ApiId = Prompt",
    "AoaiMessages | distinct Prompt",
    "AoaiMessages | top 1 by Prompt | project-rename Region = Prompt",
    "AoaiMessages | parse Prompt with Region ' ' Method",
    "AoaiMessages | extend X = extract('(.*)', 1, Prompt), Y = split(Prompt, ' '), Z = toupper(Prompt)",
    "AoaiMessages | project X = iff(Prompt == '', '', Prompt), Y = case(true, Prompt, ''), Z = coalesce('', Prompt)",
    "AoaiMessages | project X = toscalar(AoaiMessages | project Prompt | take 1)",
    "print X = toscalar(AoaiMessages | summarize max(Prompt))",
    "let p = toscalar(AoaiMessages | summarize max(Prompt)); AoaiRequests | project Surface = p",
    "AoaiRequests | join kind=inner (AoaiMessages | project CorrelationId, Surface = Prompt) on CorrelationId",
    "AoaiRequests | lookup (AoaiMessages | project CorrelationId, Region1 = Response) on CorrelationId",
    "AoaiRequests | project CorrelationId, Surface | union (AoaiMessages | project CorrelationId, Surface = Prompt)",
    "union withsource=Source AoaiRequests, AoaiMessages",
    "union (AoaiMessages | project Outcome = Prompt), (AoaiRequests | project Outcome)",
    "AoaiMessages | extend X = column_ifexists('Prompt', '')",
    "AoaiMessages | extend X = base64_encode_tostring(Prompt) | project Y = base64_decode_tostring(X)",
    "AoaiMessages | extend X = parse_json(strcat('[\"', Prompt, '\"]')) | project Y = X[0]",
    "AoaiRequests | project X = ErrorMessage",
    "AoaiRequests | summarize Example = take_any(ErrorMessage) by Outcome",
    "AoaiConversation | project Role",
    "ApiManagementGatewayLlmLog | mv-expand M = RequestMessages | project M",
    "materialize(AoaiMessages | project ApiId = Prompt)",
    "AoaiMessages | where assert(strlen(Prompt) < 0, Prompt)",
    "AoaiMessages | summarize arg_max(Prompt, Prompt) by CorrelationId | project-away Prompt",
    "AoaiMessages | extend A = bag_pack(Prompt, 1), B = A | evaluate bag_unpack(A) | evaluate bag_unpack(B)",
    "ApiManagementGatewayLogs | project X = LastErrorMessage, Y = RequestHeaders, Z = tostring(Errors), TraceRecords",
]


def _value(kind: str, name: str) -> object:
    if name in TEXT_COLUMNS:
        return f'{{"messages": ["{SECRET}"]}}' if kind == "dynamic" or name.endswith("Body") else SECRET
    plain = {"string": "plain", "dynamic": "{}", "bool": True, "datetime": pd.Timestamp("2026-11-01", tz="UTC")}
    return plain.get(kind, 1)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    """A lake with the secret in every column of text, and nowhere else."""
    lake = Lake.create(tmp_path_factory.mktemp("planted") / "lake")

    def rows(table: Table) -> pa.Table:
        row = {name: _value(kind, name) for name, kind in table.columns.items()} | {"date": "2026-11-01"}
        return pa.Table.from_pylist([row | {"CorrelationId": f"r{n}"} for n in range(3)], table.arrow_schema())

    for table in (GATEWAY_LOGS, LLM_LOG, REQUESTS, MESSAGES):
        lake.append(table.name, rows(table))
    engine = LocalEngine(lake, "planted")
    yield engine
    engine.close()


def told(engine: LocalEngine, kql: str) -> str:
    """All that a query shows or says without --show-prompts."""
    try:
        result, _ = shown(engine.query(kql), kql, show_prompts=False)
    except QueryError as error:
        return str(error)
    return result.frame.to_csv()


@pytest.mark.parametrize("kql", WAYS)
def test_no_way_to_a_text_shows_it(kql: str, engine: LocalEngine) -> None:
    assert SECRET not in told(engine, kql)


@pytest.mark.parametrize("column", ["requestbody", "REQUESTBODY", "RequestBODY"])
def test_a_column_in_another_case_is_an_error_as_in_kusto(column: str, engine: LocalEngine) -> None:
    with pytest.raises(QueryError, match=f"line 1, column 36: .*'{column}' here; did you mean 'RequestBody'"):
        engine.query(f"ApiManagementGatewayLogs | project {column}")


_COLUMNS = {table: list(TABLES[table].columns) for table in ("AoaiMessages", "AoaiRequests")}


@st.composite
def pipelines(draw: st.DrawFn) -> str:
    """Pipelines that pass columns on under harmless names, as deep as five operators."""
    table = draw(st.sampled_from(sorted(_COLUMNS)))
    columns = list(_COLUMNS[table])
    text = table
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(
            st.sampled_from(["extend", "project", "rename", "summarize", "distinct", "mv-expand", "union", "top"])
        )
        column = draw(st.sampled_from(columns))
        new = draw(st.sampled_from(["Surface", "ModelName", "Url", "A", "B", column]))
        wrap = draw(
            st.sampled_from(
                ["{0}", "tostring({0})", "strcat({0}, '.')", "tostring(pack_array({0}))", "iff(true, {0}, {0})"]
            )
        )
        value = wrap.format(column)
        if kind == "extend":
            text += f" | extend {new} = {value}"
            columns = [*dict.fromkeys([*columns, new])]
        elif kind == "project":
            text += f" | project {new} = {value}, Kept = {columns[0]}"
            columns = [new, "Kept"]
        elif kind == "rename" and new not in columns:
            text += f" | project-rename {new} = {column}"
            columns = [new if name == column else name for name in columns]
        elif kind == "summarize":
            text += f" | summarize {new} = take_any({value}), N = count() by K = {columns[-1]}"
            columns = ["K", new, "N"]
        elif kind == "distinct":
            text += f" | distinct {column}"
            columns = [column]
        elif kind == "mv-expand":
            text += f" | extend {new} = pack_array({column}) | mv-expand {new} to typeof(string)"
            columns = [*dict.fromkeys([*columns, new])]
        elif kind == "union":
            text = f"let t = {text}; t | union (t | take 1)" if not text.startswith("let") else text
        elif kind == "top":
            text += f" | top 2 by {column}"
    return text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pipelines())
def test_no_pipeline_shows_a_text_under_another_name(engine: LocalEngine, kql: str) -> None:
    assert SECRET not in told(engine, kql)


def test_texts_are_replaced_by_their_length_whatever_their_column_is_called() -> None:
    frame = pd.DataFrame(
        {
            "CorrelationId": ["a", "b"],
            "Prompt": ["secret one", ""],
            "X": ["secret two", None],
            "D": [{"k": "secret"}, None],
            "N": [1, 2],
        }
    )
    types = {"CorrelationId": "string", "Prompt": "string", "X": "string", "D": "dynamic", "N": "long"}
    result = hidden(QueryResult(frame, types), "AoaiMessages")
    assert "secret" not in result.frame.to_csv()
    assert list(result.frame.Prompt) == ["[hidden: 10 characters]", ""]
    assert list(result.frame.CorrelationId) == ["a", "b"]
    assert list(result.frame.N) == [1, 2]
    assert frame.Prompt[0] == "secret one"


@pytest.mark.parametrize(
    ("message", "is_public"),
    [
        # https://learn.microsoft.com/azure/api-management/rate-limit-policy, llm-token-limit-policy, and others' logs.
        ("Rate limit is exceeded. Try again in 12 seconds.", True),
        ("Token limit is exceeded. Try again in 60 seconds.", True),
        ("Streaming requests are not yet allowed.", True),
        ("Streaming requests are not yet allowed. Ada asked for one.", False),
        ("Rate limit is exceeded. Try again in a few seconds.", False),
        ("rate limit is exceeded. Try again in 12 seconds.", False),
        ("Resource not found\n", False),
        ("This model's maximum context length is 8192 tokens. However, your messages: tell Ada", False),
    ],
)
def test_a_message_that_is_always_in_the_same_words_is_shown_and_no_other(message: str, is_public: bool) -> None:
    result = QueryResult(pd.DataFrame({"ErrorMessage": [message]}), {"ErrorMessage": "string"})
    cell = hidden(result, "AoaiRequests | project ErrorMessage").frame["ErrorMessage"][0]
    assert cell == (message if is_public else f"[hidden: {len(message)} characters]")


@pytest.mark.parametrize("spelt", ["unicode_codepoints_from_string(Prompt)", "to_utf8(Prompt)"])
def test_numbers_that_spell_a_text_are_hidden(engine: LocalEngine, spelt: str) -> None:
    kql = f"AoaiMessages | take 1 | mv-expand C = {spelt} to typeof(long) | project C, N = strlen(Prompt)"
    result, is_hidden = shown(engine.query(kql), kql, show_prompts=False)
    assert is_hidden and set(result.frame.C) <= {"[hidden: 2 characters]", "[hidden: 3 characters]"}
    assert result.types == {"C": "string", "N": "long"} and set(result.frame.N) == {len(SECRET)}


def test_an_assert_says_its_own_words_only(engine: LocalEngine) -> None:
    assert told(engine, "AoaiMessages | where assert(strlen(Prompt) < 0, 'too long')").endswith("failed: too long")


def test_an_answer_without_rows_is_written_in_any_format(engine: LocalEngine, tmp_path: Path) -> None:
    kql = "AoaiMessages | where Prompt == 'another' | project X = bag_pack('a', Prompt), Prompt"
    result, _ = shown(engine.query(kql), kql, show_prompts=False)
    for form in ("table", "csv", "json", "html", "xlsx", "parquet"):
        write(result, form, tmp_path / form, "UTC")
        assert (tmp_path / form).stat().st_size


def test_a_column_named_by_a_text_is_renamed(tmp_path: Path) -> None:
    result = QueryResult(
        pd.DataFrame({"CorrelationId": ["a"], SECRET: [1]}), {"CorrelationId": "string", SECRET: "long"}
    )
    kql = "AoaiMessages | evaluate pivot(Prompt, count(), CorrelationId)"
    assert list(shown(result, kql, show_prompts=False)[0].frame) == ["CorrelationId", "Hidden2"]
