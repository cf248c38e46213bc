"""Every query of the library runs, and can be drawn, whatever the lake holds: nothing, one request, realistic logs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from aoai_analytics.charts import figure, headline, parse_chart
from aoai_analytics.charts.cards import FIELD, cards_of
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.library.queries import Query, library
from tests.kql.cases import engine_over

QUERIES = list(library())
#: What columns of AoaiRequests and AoaiCosts define: a user's best name, and errors ready to be summed.
DEFINED_ONCE = (
    "isnotempty(EndUserId), EndUserId",
    "pow(PromptTokensError, 2) + pow(CompletionTokensError, 2)",
    "pow(CostError",
)
FAILED = re.compile(r"extend IsBad = (.*)")
ONE = {
    "TimeGenerated": "2026-11-02 08:15:30",
    "EndUserId": "ann",
    "PromptTokens": 30,
    "CachedTokens": 0,
    "CompletionTokens": 12,
    "ReasoningTokens": 0,
    "TotalTime": 900,
    "BackendTime": 850,
    "ClientTime": 10,
    "FinishReason": "stop",
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> LocalEngine:
    return engine_over([], tmp_path_factory.mktemp("empty") / "lake")


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> LocalEngine:
    return engine_over([ONE], tmp_path_factory.mktemp("single") / "lake")


@pytest.fixture(scope="module")
def real(shared_lake: Path) -> Iterator[LocalEngine]:
    engine = LocalEngine.open(shared_lake)
    yield engine
    engine.close()


def answer(query: Query, engine: LocalEngine, user: str = "ann"):
    """The query's rows, drawn as its header asks. A chart that does not fit raises WrongUse."""
    result = engine.query(query.bind(user=user) if "user" in query.parameters else query.text)
    assert set(parse_chart(query.chart).columns) <= set(result.frame.columns)
    assert set(query.units) <= set(result.frame.columns), "a unit of a column that is not there"
    figure(result.frame, query.chart, title=query.title, units=query.units)
    headline(result.frame, query.header.get("headline", ""), query.units)
    assert {name for card in cards_of(query) for name in (card.column, *FIELD.findall(card.note))} <= set(query.units)
    return result.frame


def endless(frame) -> list[str]:
    """Columns with an infinite number: a division by zero."""
    return [name for name in frame.select_dtypes("float64") if frame[name].isin([float("inf"), float("-inf")]).any()]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_runs_on_an_empty_lake(query: Query, empty: LocalEngine) -> None:
    frame = answer(query, empty)
    assert not endless(frame)
    if query.section in ("tokens", "models", "users", "reliability"):
        assert not len(frame), "an answer where there was no traffic"


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_runs_on_a_single_request(query: Query, single: LocalEngine) -> None:
    assert not endless(answer(query, single))


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_runs_on_real_shaped_logs(query: Query, real: LocalEngine) -> None:
    assert not endless(answer(query, real, user="user-026"))


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_sum_of_tokens_stands_with_what_is_estimated_and_unknown(query: Query, empty: LocalEngine) -> None:
    columns = set(empty.query(query.text).frame.columns)
    code = "\n".join(line for line in query.text.splitlines() if not line.lstrip().startswith("//"))
    if query.section in ("tokens", "models", "users") and re.search(r"\bTotalTokens = sum\(", code):
        assert any("Unknown" in column for column in columns) or "IsNone" in code, columns
        assert any("Estimated" in column or "Error" in column for column in columns), columns


@pytest.mark.parametrize("expression", DEFINED_ONCE)
def test_no_query_defines_again_what_is_a_column(expression: str) -> None:
    assert [query.name for query in QUERIES if expression in query.text] == []


def test_each_query_means_the_same_by_a_failed_request() -> None:
    assert len({match for query in QUERIES for match in FAILED.findall(query.text)}) == 1


def test_no_query_of_these_sections_names_a_time_that_passes() -> None:
    for query in QUERIES:
        assert not re.search(r"\b(ago|now)\s*\(", query.text), f"{query.name}: the engine sets the time range"


def test_titles_and_questions_are_told_apart() -> None:
    assert len({query.title for query in QUERIES}) == len(QUERIES)
    assert len({query.question for query in QUERIES}) == len(QUERIES)


def test_there_are_at_least_forty_questions() -> None:
    assert len(QUERIES) >= 40
    for query in QUERIES:
        assert "section" not in query.header, "the folder is the section"
        assert query.question.endswith("?")
