"""Alerts: each fires where it should and nowhere else, within the service's limits, and deploys as it is written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from aoai_analytics.engines.kql.functions import definitions
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.export.alerts import ALERTS, LONGEST, PAGE, Alert
from aoai_analytics.export.summary_rules import COLUMNS
from aoai_analytics.format.periods import parse_timespan
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.recompute import _as_stored
from aoai_analytics.library import library
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, REQUESTS, REQUESTS_LOGGED, TABLES
from tests.conftest import REPO
from tests.export.alert_cases import ANSWERS, AT, BUDGETS, CASES, Case, placed
from tests.functions.raw_logs import _table
from tests.infra.conftest import INFRA, bicep_program
from tests.kql_parser import analyse
from tests.lakes import Once

BY_NAME = {alert.name: alert for alert in ALERTS}
# What the service takes: https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-create-log-alert-rule
SPANS = {"PT5M": "5m", "PT15M": "15m", "PT30M": "30m", "PT1H": "1h", "P1D": "1d", "P2D": "2d"}

PLACED = placed(lambda name: parse_timespan(SPANS[BY_NAME[name].over]))


def asked(alert: Alert) -> str:
    """The rule's query with budgets, where it takes any."""
    return alert.text(**({"budgets": BUDGETS} if "budgets" in alert.parameters else {}))


def over(alert: str) -> timedelta:
    return parse_timespan(SPANS[BY_NAME[alert].over])


def rows_at(engine: LocalEngine, alert: Alert, at: datetime) -> pd.DataFrame:
    """The rows that the rule would see at that moment."""
    kql = asked(alert).replace("now()", f"datetime({at:%Y-%m-%dT%H:%M:%SZ})")
    return engine.query(kql, start=at - over(alert.name), end=at).frame


def answer(engine: LocalEngine, alert: Alert, at: datetime) -> list[tuple[str, ...]]:
    """Their dimensions."""
    rows = rows_at(engine, alert, at)
    return sorted(rows[list(alert.dimensions)].itertuples(index=False, name=None)) if len(rows) else []


@pytest.fixture(scope="module")
def logs(once: Once) -> Iterator[LocalEngine]:
    """The engine over a lake with all cases' logs; the functions saw of each what its rule's window shows."""

    def make(folder: Path) -> None:
        lake = Lake.create(folder)
        for table, place in ((GATEWAY_LOGS, 0), (LLM_LOG, 1)):
            lake.append(table.name, _table(table, [row for *_, rows in PLACED for row in rows[place]]))
        engine = LocalEngine(lake, str(folder))
        for table in (REQUESTS_LOGGED, REQUESTS):
            rows, _ = engine.arrow(library().functions()[table.name].text, {})
            stored = _as_stored(rows, table)
            lake.replace_dates(table.name, stored, sorted(set(stored["date"].to_pylist())))
        engine.close()

    engine = LocalEngine.open(once("alert-lake", make))
    yield engine
    engine.close()


@pytest.mark.parametrize(("case", "at"), [(case, at) for case, at, _ in PLACED], ids=[str(case) for case in CASES])
def test_an_alert_fires_on_what_it_is_for_and_on_nothing_else(case: Case, at: datetime, logs: LocalEngine) -> None:
    assert answer(logs, BY_NAME[case.alert], at) == case.fires


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_s_row_says_what_was_worked_out_by_hand(alert: Alert, logs: LocalEngine) -> None:
    at = next(at for case, at, _ in PLACED if case.alert == alert.name and case.fires)
    expected = pd.DataFrame(
        [{k: at - v if isinstance(v, timedelta) else v for k, v in row.items()} for row in ANSWERS[alert.name]]
    )
    pd.testing.assert_frame_equal(rows_at(logs, alert, at), expected, check_dtype=False)


def test_no_case_sees_the_logs_of_another() -> None:
    moments = sorted(at for _, at, _ in PLACED)
    assert all(later - earlier > timedelta(days=2) for earlier, later in pairwise(moments))


def test_no_alert_fires_where_there_are_no_logs(logs: LocalEngine) -> None:
    long_ago = AT - timedelta(days=3650)
    assert {alert.name: answer(logs, alert, long_ago) for alert in ALERTS} == {alert.name: [] for alert in ALERTS}


def test_every_alert_has_cases_of_both_kinds_and_every_query_is_asked() -> None:
    assert (
        {case.alert for case in CASES if case.fires} == set(BY_NAME) == {case.alert for case in CASES if not case.fires}
    )
    assert {alert.query.name for alert in ALERTS} == {query.name for query in library().section("alerts")}


def test_a_rule_s_text_holds_under_microsoft_s_parser_and_gives_its_dimensions_as_text() -> None:
    # The functions' own texts are parsed with the library; here their columns will do.
    found = analyse(
        {alert.name: asked(alert) for alert in ALERTS},
        tables={name: table.columns for name, table in TABLES.items()} | {"AoaiCosts": COLUMNS},
        functions={},
    )
    for name, analysis in found.items():
        assert [str(diagnostic) for diagnostic in analysis.diagnostics] == [], name
        assert {analysis.columns[column] for column in BY_NAME[name].dimensions} <= {"string"}, name  # type: ignore[index]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_a_rule_stays_within_what_the_service_takes(alert: Alert) -> None:
    code = asked(alert)
    assert not re.search(r"\b(union|search|take|limit|ago|bag_unpack|pivot|narrow|AggregatedValue)\b", code)
    assert len(code.encode()) < 16 * 1024, "64 KB is all that a rule's properties may hold"
    assert len(alert.description) <= 4096 and len(alert.dimensions) <= 6
    every, over = parse_timespan(SPANS[alert.every]), parse_timespan(SPANS[alert.over])
    # A minute's frequency refuses functions that read tables; a rule that resolves may run twice a day at the least.
    assert parse_timespan("5m") <= every <= parse_timespan("12h") and every <= over <= parse_timespan(SPANS[LONGEST])


def test_what_a_query_needs_of_the_past_lies_within_what_the_rule_sees() -> None:
    for alert in ALERTS:
        spans = [alert.default(name) for name, given in alert.parameters.items() if given.type == "timespan"]
        assert all(parse_timespan(span) <= parse_timespan(SPANS[alert.over]) for span in spans), alert.name


def test_no_saved_function_has_a_clock_of_its_own() -> None:
    """The service warns that a rule's range does not bind such a function."""
    assert [name for name, text in definitions().items() if re.search(r"\b(now|ago)\s*\(", text)] == []


def test_each_alert_names_queries_that_there_are_and_a_heading_of_the_page() -> None:
    headings = re.findall(r"^### (\S+)$", (REPO / PAGE).read_text("utf-8"), re.M)
    assert headings == [alert.name for alert in ALERTS]
    for alert in ALERTS:
        assert all(library().get(name) for name in alert.look) and alert.look


def table() -> str:
    """The page's table of the rules."""
    lines = ["| Rule | Severity | Question | Every, over | Thresholds |", "|---|---|---|---|---|"]
    for alert in ALERTS:
        thresholds = ", ".join(f"`{name}` {alert.default(name)}" for name in alert.parameters)
        query = f"[{alert.query.question}](../kql/{alert.query.name}.kql)"
        lines.append(
            f"| [{alert.name}](#{alert.name}) | {alert.severity} | {query} | {SPANS[alert.every]}, {SPANS[alert.over]} "
            f"| {thresholds} |"
        )
    return "\n".join(lines) + "\n"


def test_the_page_s_table_is_what_the_rules_say() -> None:
    found = re.search(r"<!-- table: alerts -->\n(.*?)<!-- end of table -->", (REPO / PAGE).read_text("utf-8"), re.S)
    assert found and found[1] == table(), f"the page's table should be:\n{table()}"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The resources that modules/alerts.bicep would make with some choices: name -> the resource."""
    program = bicep_program()
    if program is None:
        pytest.skip("needs bicep: ../shared/tools/bicep or a bicep on PATH")
    base = tmp_path_factory.mktemp("alerts")
    shutil.copytree(INFRA / "modules", base / "modules")
    for name in ("alert-rules.bicep", "bicepconfig.json"):
        shutil.copy(INFRA / name, base)
    (base / "try.bicepparam").write_text(
        """using 'modules/alerts.bicep'
param name = 'aoai-dev'
param location = 'eastus2'
param workspaceName = 'log-aoai-dev'
param emails = ['ops@contoso.com']
param budgets = { 'sub-a': '120.50', '(all)': '900' }
param thresholds = {
  throttling: { maxShare: '12.5', minRequests: 30 }
  'logs-stopped': { weekends: true, silence: '3h' }
}
param severities = { throttling: 3 }
param off = ['content-filter']
param runbookUrl = 'https://docs.contoso.com/alerts'
param monthlyBudget = { amount: 900, start: '2026-12-01', resourceIds: ['/subscriptions/x/a'] }
""",
        "utf-8",
    )
    home = base / "home"
    home.mkdir()
    scope = [
        "--subscription-id",
        "00000000-0000-0000-0000-0000000000aa",
        "--resource-group",
        "rg",
        "--location",
        "eastus2",
    ]
    ran = subprocess.run(
        [program, "snapshot", "try.bicepparam", "--mode", "overwrite", *scope],
        cwd=base,
        env=os.environ | {"HOME": str(home), "DOTNET_BUNDLE_EXTRACT_BASE_DIR": str(home)},
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    snapshot = json.loads((base / "try.snapshot.json").read_text("utf-8"))
    assert snapshot.get("diagnostics", []) == []
    return {resource["name"]: resource for resource in snapshot["predictedResources"]}


def plain(kql: str) -> str:
    """*kql* with its real literals as numbers: Bicep writes real(10) for 10.0."""
    return re.sub(r"= (?:real\()?(-?\d+\.\d+|(?<=real\()-?\d+)\)?;", lambda found: f"= {float(found[1])};", kql)


def test_the_module_makes_the_rules_that_are_not_off_with_the_queries_of_the_library(deployed: dict[str, Any]) -> None:
    rules = {
        name.removeprefix("alert-aoai-dev-"): r["properties"]
        for name, r in deployed.items()
        if name.startswith("alert-")
    }
    assert set(rules) == set(BY_NAME) - {"content-filter"}
    chosen: dict[str, dict[str, str]] = {
        "throttling": {"maxShare": "12.5", "minRequests": "30"},
        "logs-stopped": {"weekends": "true", "silence": "3h"},
        "budget-pace": {"budgets": 'dynamic(["(all)=900","sub-a=120.50"])'},
    }
    for name, properties in rules.items():
        alert = BY_NAME[name]
        (condition,) = properties["criteria"]["allOf"]
        assert plain(condition["query"]) == plain(alert.text(**chosen.get(name, {})))
        assert [dimension["name"] for dimension in condition["dimensions"]] == list(alert.dimensions)
        assert (condition["timeAggregation"], condition["operator"], condition["threshold"]) == (
            "Count",
            "GreaterThan",
            0,
        )
        assert properties["severity"] == (3 if name == "throttling" else alert.severity)
        assert (properties["evaluationFrequency"], properties["windowSize"]) == (alert.every, alert.over)
        assert properties["actions"]["customProperties"] == {
            "query": f"kql/{alert.query.name}.kql",
            "runbook": f"https://docs.contoso.com/alerts#{name}",
        }
        assert properties["autoMitigate"] and properties["actions"]["actionGroups"]
        assert len(json.dumps(properties)) < 64 * 1024


def test_the_bill_s_budget_tells_of_what_is_spent_and_of_what_is_expected(deployed: dict[str, Any]) -> None:
    properties = deployed["budget-aoai-dev"]["properties"]
    told = [(notice["threshold"], notice["thresholdType"]) for notice in properties["notifications"].values()]
    assert told == [(80, "Actual"), (100, "Actual"), (100, "Forecasted")]
    assert (properties["amount"], properties["filter"]["dimensions"]["values"]) == (900, ["/subscriptions/x/a"])


def test_a_rule_s_identity_may_read_the_workspace_and_nothing_more(deployed: dict[str, Any]) -> None:
    (role,) = [r for r in deployed.values() if r["type"] == "Microsoft.Authorization/roleAssignments"]
    assert role["properties"]["roleDefinitionId"].endswith("73c42c96-874c-492b-b04d-ab87d138a893")
    assert "/workspaces/log-aoai-dev/providers/" in role["id"]
