"""Requests get their team, cost center, environment, application and caller's name from own dimensions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.config import settings
from aoai_analytics.dimensions import Mapped, dimension_functions, own_functions
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.recompute import recompute
from aoai_analytics.library.queries import library
from aoai_analytics.prompts import ask
from tests.kql.cases import engine_over
from tests.kql_parser import analyse, semantic_layer

MOMENTS = ("2026-11-14 23:59", "2026-11-15 00:00")
MIDDLE = datetime(2026, 11, 15, tzinfo=UTC)


def mapped(kind: str, value: str, name: str = "", **cells: str) -> Mapped:
    columns = ("team", "center", "environment", "application", "caller")
    return Mapped(kind, name, value, tuple(cells.get(column, "") for column in columns))


def found(
    requests: Sequence[dict[str, Any]], rows: Sequence[Mapped], folder: Path, **only: Sequence[str]
) -> list[tuple[str, ...]]:
    engine = engine_over(list(requests), folder / "lake", dimension_functions(rows, only))
    columns = "CorrelationId, Team, CostCenter, Environment, Application, CallerName"
    frame = engine.query(f"AoaiRequests | project {columns} | order by CorrelationId asc").frame
    return [tuple(row[1:]) for row in frame.itertuples(index=False)]


def test_a_meaning_holds_from_its_start_until_its_end(tmp_path: Path) -> None:
    rows = [
        Mapped("subscription", "", "sub-a", ("Old", "", "", "", ""), end=MIDDLE),
        Mapped("subscription", "", "sub-b", ("New", "", "", "", ""), start=MIDDLE),
    ]
    requests = [{"TimeGenerated": at, "SubscriptionId": name} for name in ("SUB-A", "sub-b") for at in MOMENTS]
    assert [team for team, *_ in found(requests, rows, tmp_path)] == ["Old", "", "", "New"]


def test_the_most_specific_key_decides_column_by_column(tmp_path: Path) -> None:
    rows = [
        mapped("product", "gold", team="P", center="1", environment="prod"),
        mapped("subscription", "sub-a", team="S", center="2"),
        mapped("user", "ann", team="U", caller="Ann"),
        mapped("api", "azure-openai", application="chat"),
    ]
    at = {"TimeGenerated": MOMENTS[0]}
    requests = [at | {"EndUserId": "Ann"}, at | {"SubscriptionId": "sub-z"}, at | {"UserId": "ann", "EndUserId": "x"}]
    assert found(requests, rows, tmp_path) == [
        ("U", "2", "prod", "chat", "Ann"),
        ("P", "1", "prod", "chat", ""),
        ("U", "2", "prod", "chat", "Ann"),
    ]


def test_nothing_mapped_leaves_every_request_as_it_is(tmp_path: Path) -> None:
    assert dimension_functions([]) == {}
    rows = [mapped("user", "nobody", team="x")]
    at = {"TimeGenerated": MOMENTS[0]}
    assert found([at, at], rows, tmp_path) == [("", "", "", "", "")] * 2


def test_queries_can_be_narrowed_to_teams_or_to_requests_without_one(tmp_path: Path) -> None:
    rows = [mapped("subscription", "sub-a", team="A"), mapped("subscription", "sub-b", team='B "x"')]
    requests = [{"TimeGenerated": MOMENTS[0], "SubscriptionId": f"sub-{name}"} for name in "abc"]
    for number, (chosen, teams) in enumerate({("a",): ["A"], ('B "x"', ""): ['B "x"', ""], ("none such",): []}.items()):
        assert [team for team, *_ in found(requests, rows, tmp_path / str(number), Team=chosen)] == teams


GATEWAY = {
    "time": "2026-11-02T08:00:00Z",
    "category": "GatewayLogs",
    "callerIpAddress": "203.0.113.1",
    "durationMs": 120,
}
PROPERTIES = {
    "method": "POST",
    "url": "https://gateway.example/openai/deployments/d/chat/completions",
    "responseCode": 200,
    "apimSubscriptionId": "sub-a",
}


@pytest.fixture
def logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    """A lake of requests that headers and traces tell apart, in the shapes in which they are logged."""
    traces = [{"message": "InferenceCaller|id=u1|app=Web-1"}]
    told: dict[str, dict[str, Any]] = {
        "1 object": {"requestHeaders": {"X-Team": "blue"}},
        "2 list": {"requestHeaders": {"X-Team": ["BLUE"]}},
        "3 pairs": {"requestHeaders": [{"name": "X-Team", "value": "blue"}]},
        "4 other": {"requestHeaders": {"X-Team-Old": "blue"}},
        "5 trace": {"traceRecords": traces},
        "6 metadata": {"traceRecords": [{"metadata": {"appid": "web-1"}}]},
        "7 none": {},
    }
    lines = [
        json.dumps(GATEWAY | {"correlationId": name, "properties": PROPERTIES | of}) + "\n" for name, of in told.items()
    ]
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/PT1H.json").write_text("".join(lines))
    lake = Lake.create(tmp_path / "lake")
    ingest([tmp_path / "logs"], lake)
    recompute(lake)
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    yield lake
    settings.cache_clear()


def test_headers_and_traces_are_found_in_each_shape_and_a_new_mapping_holds_at_once(logged: Lake) -> None:
    Path("aoai.toml").write_text(
        '[dimensions.header.x-team]\nblue = {team = "Blue"}\n[dimensions.trace.app]\nweb-1 = {application = "Web"}\n'
        '[dimensions.app]\nweb-1 = {environment = "prod"}\n'
    )
    engine = LocalEngine(logged, "lake", own_functions())
    frame = engine.query("AoaiRequests | order by CorrelationId asc").frame
    assert list(frame["Team"]) == ["Blue", "Blue", "Blue", "", "", "", ""]
    assert list(frame["Application"]) == ["", "", "", "", "Web", "", ""]
    assert list(frame["Environment"]) == ["", "", "", "", "prod", "prod", ""]
    (row,) = engine.query("AoaiCosts | where Team == 'Blue' | count").frame.to_dict("records")
    assert row["Count"] == 3


def test_a_report_of_one_team_leaves_out_other_requests_everywhere(
    logged: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("aoai.toml").write_text('[dimensions.header.x-team]\nblue = {team = "Blue"}\n')
    monkeypatch.setenv("AOAI_ONLY", '["team=BLUE"]')
    settings.cache_clear()
    engine = LocalEngine(logged, "lake", own_functions())
    for function in ("AoaiRequests", "AoaiCosts", "AoaiCoverage", "AoaiHourly | summarize Count = sum(Requests)"):
        kql = function if "|" in function else f"{function} | count"
        assert engine.query(kql).frame["Count"].tolist() == [3], function
    assert ask(engine, "ApiManagementGatewayLogs | count").note.endswith("this covers all traffic.")
    assert ask(engine, "AoaiRequests | count").note == ""


def test_microsoft_s_parser_takes_the_functions_and_gives_the_same_columns() -> None:
    rows = [mapped(kind, 'x"\\', "a-b" if kind in ("header", "trace") else "", team="t")
            for kind in ("header", "trace", "user", "app", "subscription", "product", "api")]  # fmt: skip
    own = dimension_functions(rows, {"Team": ["t", ""]})
    functions = semantic_layer() | own
    names = ("AoaiRequests", "AoaiMcp", "AoaiMessages", "AoaiCoverage", "AoaiCosts")
    before = analyse({name: name for name in names})
    after = analyse({name: name for name in names}, functions=functions)
    for name in names:
        assert [str(found) for found in after[name].diagnostics] == []
        assert set((after[name].columns or {}).items()) == set((before[name].columns or {}).items())
    queries = {query.name: query.text for query in library() if query.section in ("tokens", "cost", "mcp")}
    assert not [str(error) for found in analyse(queries, functions=functions).values() for error in found.diagnostics]
