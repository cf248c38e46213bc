"""What ``--check`` says of types is what Microsoft's language service refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aoai_analytics.engines.checking import verdict_of
from aoai_analytics.engines.lenient import refused
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.own import add_table
from tests.kql_parser import analyse

REQUESTS = """
where User == 1
where TotalTokens == '5'
where TotalTokens
where TotalTokens and true
where User
extend x = User + 1
extend x = User + User
where TotalTokens > '5'
where TimeGenerated > '2026-01-01'
where TimeGenerated == 5
where ResponseCode == '200'
where IsStream == 'true'
where IsStream == 1
extend x = iff(IsStream, 'a', 1)
extend x = iff(TotalTokens, 'a', 'b')
extend x = case(IsStream, 'a', true, 5, 0)
where TotalTokens has '5'
where TotalTokens contains '5'
where TotalTokens in ('1', '2')
where User in (1, 2)
extend x = strlen(TotalTokens)
extend x = TotalTokens * '2'
extend x = -User
where not(User)
summarize sum(User)
summarize avg(User)
extend x = TimeGenerated + 5
extend x = TimeGenerated - 1h
extend x = coalesce(User, 5)
where TotalTokens between ('1' .. '5')
where User between ('a' .. 'b')
extend x = max_of(User, 1)
where 5
where TotalTokens == 5.5
where BackendTime == 1h
summarize countif(TotalTokens)
summarize sumif(TotalTokens, User)
extend x = toupper(TotalTokens)
extend x = strcat(TotalTokens, 1)
extend x = substring(TotalTokens, 1)
extend x = round(User)
extend x = bin(User, 1)
extend x = IsStream + 1
where IsStream > false
extend x = User > 'a'
extend x = User >= User
where Model__ > 'a' and Number__ > 5 and Number__ < 5.5
extend x = iff(Number__ > Model__, 1, 2)
join kind=inner (AoaiRequests | where TotalTokens) on CorrelationId
"""
LOGS = """
where RequestHeaders == 'x'
extend x = RequestHeaders + 1
where TraceRecords
where RequestHeaders.host == 'x'
where RequestHeaders.host == 5
"""
QUERIES = [f"AoaiRequests | {text}" for text in REQUESTS.strip().splitlines() if "__" not in text]
QUERIES += [
    f"AoaiRequests | extend Model__ = strcat(ModelName, '!'), Number__ = TotalTokens + 1 | {text}"
    for text in REQUESTS.strip().splitlines()
    if "__" in text
]
QUERIES += [f"ApiManagementGatewayLogs | {text}" for text in LOGS.strip().splitlines()]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    lake = Lake.create(tmp_path_factory.mktemp("lenient") / "lake")
    engine = LocalEngine(lake, str(lake.path))
    yield engine
    engine.close()


def test_types_that_azure_refuses_are_named_and_no_others(engine: LocalEngine) -> None:
    analysed = analyse({query: query for query in QUERIES})
    theirs = {query for query, found in analysed.items() if any(d.severity == "Error" for d in found.diagnostics)}
    ours = {query for query in QUERIES if any(refused(query, engine.types))}
    assert len(theirs) > 25
    assert len(QUERIES) - len(theirs) > 15
    assert sorted(ours - theirs) == []
    assert sorted(theirs - ours) == []


def test_a_note_names_the_place() -> None:
    kql = "AoaiRequests\n| where TotalTokens > '5'\n| where TotalTokens"
    first, second, *_ = verdict_of(kql, {}, "log-analytics://w").notes
    assert first.startswith("line 2, column 9: a lake takes this, Azure does not: '>' is not of a long and a string")
    assert second.startswith("line 3, column 9: a lake takes this, Azure does not: a condition is true or false")


def test_a_table_of_the_users_own_has_types(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    (tmp_path / "prices.csv").write_text("Model,Price\ngpt,1.5\n")
    add_table(lake, "Prices", tmp_path / "prices.csv")
    notes = verdict_of("Prices | where Model > 'a' and Price > 1", {}, str(lake.path)).notes
    assert [note.split(":")[0] for note in notes if "Azure does not" in note] == ["line 1, column 16"]


def test_a_plain_query_has_no_note_of_types() -> None:
    kql = "let most = 5; AoaiRequests | where TotalTokens > most and User has 'a' | summarize n = count() by User"
    assert verdict_of(kql, {}, "log-analytics://w").notes == ()
