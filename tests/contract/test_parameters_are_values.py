"""A parameter's value is a value on every engine: whatever is in it, it never becomes part of the query."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aoai_analytics.engines.kql.parameters import quote
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import QueryError
from tests.contract.conftest import cluster_engine
from tests.contract.kusto_service import KustoService
from tests.contract.log_analytics_service import WORKSPACE, LogAnalyticsService

QUERY = """let text = "none";
let number = 1;
let list = dynamic(["none"]);
print Text = text, Number = number, First = tostring(list[0])"""
HOSTILE = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("\"'\\@`|;/*()[]{}\n\r\t\0\u2028\u2029\x85\x1c~#$%<>&")),
    max_size=40,
)
ATTACKS = (
    '"; ApiManagementGatewayLogs | take 1 //',
    "' | union AoaiMessages //",
    '\\"; print 1 //',
    "\\",
    '\\u0022; print "x',
    "\\x22 | take 0",
    "line\nlet number = 2;",
    "// comment",
    "```",
    "{0} %s $1 \\1",
    "datetime(now())",
)


@pytest.fixture(scope="module")
def engines(local: LocalEngine, bare_workspace: LogAnalyticsService, bare_cluster: KustoService) -> dict[str, Any]:
    from aoai_analytics import connect
    from tests.contract.log_analytics_service import Credential

    workspace = connect(f"log-analytics://{WORKSPACE}", credential=Credential(), endpoint=bare_workspace.url)
    return {"local": local, "log-analytics": workspace, "kusto": cluster_engine(bare_cluster)}


@pytest.mark.parametrize("engine", ["local", "log-analytics", "kusto"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=HOSTILE, number=st.integers(-(2**63) + 1, 2**63 - 1))
@example(text=ATTACKS[0], number=0)
@example(text="\ud7ff\ue000\U0010ffff", number=-1)
def test_a_hostile_text_comes_back_as_it_went(engine: str, text: str, number: int, engines: dict[str, Any]) -> None:
    row = engines[engine].query(QUERY, parameters={"text": text, "number": number, "list": [text]}).frame.iloc[0]
    assert (row["Text"], row["Number"], row["First"]) == (text, number, text)


@pytest.mark.parametrize("engine", ["local", "log-analytics", "kusto"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_known_attack_comes_back_as_it_went(engine: str, attack: str, engines: dict[str, Any]) -> None:
    row = engines[engine].query(QUERY, parameters={"text": attack, "list": [attack]}).frame.iloc[0]
    assert (row["Text"], row["Number"], row["First"]) == (attack, 1, attack)


def test_kusto_gets_values_beside_the_query_and_not_in_it(bare_cluster: KustoService) -> None:
    value = 'contoso"; drop'
    cluster_engine(bare_cluster).query(QUERY, parameters={"text": value, "number": 7})
    asked = bare_cluster.asked[-1]
    assert asked["csl"].startswith("declare query_parameters(text:string, number:long); ")
    assert "contoso" not in asked["csl"]
    assert asked["properties"]["Parameters"] == {"text": quote(value), "number": "7"}


def test_the_loopback_cluster_refuses_a_value_that_is_more_than_a_literal() -> None:
    from duckdb_kql.errors import KqlError

    from tests.contract.kusto_service import with_values

    with pytest.raises(KqlError, match="no literal"):
        with_values("declare query_parameters(n:long); print n", {"n": "1; print 2"})


def test_a_query_that_names_what_is_not_there_is_refused_on_all_three(engines: dict[str, Any]) -> None:
    for engine in engines.values():
        with pytest.raises(QueryError):
            engine.query("ApiManagementGatewayLogs | where NoSuchColumn == 1")
