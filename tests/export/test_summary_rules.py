"""Hourly sums: queries give the same of them as of the requests; stored hours and the logs' own add up once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import WrongUse
from aoai_analytics.export.query_pack import query_pack
from aoai_analytics.export.summary_rules import (
    COLUMNS,
    HISTORY,
    HOURLY,
    TABLE,
    history_function,
    of_sums,
    over_hours,
    rollup,
    rule_query,
)
from aoai_analytics.lake.delta import Lake
from aoai_analytics.library.queries import own_query
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, LOG_TABLES
from tests.functions.raw_logs import _table, llm, request
from tests.kql.cases import engine_over
from tests.kql_parser import analyse

DAY = datetime(2026, 11, 3, tzinfo=UTC)
STORED = {"Hour" if name == "TimeGenerated" else name: kind for name, kind in COLUMNS.items()}
#: What Azure adds to each row that a rule stores.
ADDED = {"TimeGenerated": "datetime", "_RuleName": "string", "_RuleLastModifiedTime": "datetime", "_BinSize": "long"}


def requests() -> Iterator[dict[str, Any]]:
    """Requests of two months, of teams, models and outcomes; estimated, unknown and unpriced ones among them."""
    for number in range(120):
        at = datetime(2026, 10, 25, tzinfo=UTC) + timedelta(hours=3.4 * number)
        row: dict[str, Any] = {
            "TimeGenerated": at,
            "SubscriptionId": ("sub-a", "sub-b", "")[number % 3],
            "ProductId": ("gold", "bronze")[number % 2],
            "DeploymentName": ("chat", "reason")[number % 2],
            "ModelName": ("gpt-4o", "o3-mini", "gpt-99")[number % 5 % 3],
            "ModelVersion": "",
            "CallerIpAddress": f"203.0.113.{number % 7}",
            "PromptTokens": 900 + 10 * number,
            "CompletionTokens": number,
        }
        if number % 6 == 1:
            row |= {"TokenSource": "estimated", "PromptTokensError": 7.5, "CompletionTokensSharedError": 1.25}
        if number % 6 == 2:
            row |= {"TokenSource": "none", "PromptTokens": None, "CompletionTokens": None}
        if number % 6 == 3:
            row |= {"TokenSource": "not-billed", "PromptTokens": 0, "CompletionTokens": 0}
            row |= {"Outcome": ("throttled-backend", "server-error", "cache-hit")[number % 4 % 3]}
        yield row


#: Costs made up of what a request says: sums of sums do not ask how a cost came about, and the real ones take long.
COSTS = """AoaiRequests
| extend Scope = "global", IsCacheEstimated = PromptTokens > 1500
| extend CostState = case(TokenSource == "not-billed", TokenSource, ModelName == "gpt-99", "unpriced",
    isnull(PromptTokens), "unknown-tokens", "priced")
| extend Cost = iff(CostState in ("unpriced", "unknown-tokens"), real(null), 0.001 * TotalTokens)
| extend CostError = 0.01 * Cost, CostSharedError = 0.002 * Cost
| extend CostOwnVariance = CostError * CostError, CacheSavings = iff(IsCacheEstimated, 0.1 * Cost, 0.0)
"""
#: The requests without estimates, which take longest of all and are held elsewhere.
REQUESTS = """AoaiRequestsLogged
| extend PromptTokensError = 0.0, CompletionTokensError = 0.0
| extend PromptTokensSharedError = 0.0, CompletionTokensSharedError = 0.0
| extend TokensOwnVariance = 0.0, TokensSharedError = 0.0
| extend Team = "", CostCenter = "", Environment = "", Application = "", CallerName = ""
"""


MADE_UP = {"AoaiCosts": COSTS, "AoaiRequests": REQUESTS}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    engine = engine_over(list(requests()), tmp_path_factory.mktemp("sums") / "lake", MADE_UP)
    yield engine
    engine.close()


@pytest.mark.parametrize("query", of_sums(), ids=lambda query: query.name)
def test_a_query_of_sums_gives_what_it_gives_of_the_requests(query: Any, engine: LocalEngine) -> None:
    of_requests, of_hours = engine.query(query.text), engine.query(over_hours(query, HOURLY))
    left_out = set(re.findall(r"\w+", query.header["rollup"])) - {"yes", "without"}
    assert set(of_requests.frame) - set(of_hours.frame) == left_out
    assert of_hours.types == {name: kind for name, kind in of_requests.types.items() if name not in left_out}
    expected = of_requests.frame.drop(columns=list(left_out))
    assert len(expected)
    pd.testing.assert_frame_equal(of_hours.frame, expected, check_dtype=False, rtol=1e-9)


def test_tokens_cost_and_outcomes_over_long_ranges_are_among_them() -> None:
    names = {query.name for query in of_sums()}
    assert names >= {"tokens/over-time", "tokens/by-day", "tokens/by-subscription", "models/usage", "cost/by-month"}


@pytest.mark.parametrize(
    ("kql", "what"),
    [
        ("AoaiRequests | summarize percentile(TotalTime, 95)", "TotalTime"),
        ("AoaiRequests | summarize Callers = dcount(CallerIpAddress)", "CallerIpAddress"),
        ("AoaiRequests | summarize Longest = max(TotalTokens)", "max"),
        ("AoaiRequests | summarize Mean = avg(TotalTokens) by ModelName", "avg"),
        ("AoaiRequests | where Outcome == 'success' | count", "count"),
    ],
)
def test_a_question_that_sums_cannot_answer_is_refused(kql: str, what: str) -> None:
    with pytest.raises(WrongUse, match=what):
        over_hours(own_query(f"// rollup: yes\n{kql}"))


def test_a_query_that_does_not_say_so_is_not_asked_of_sums() -> None:
    with pytest.raises(WrongUse, match="rollup: yes"):
        over_hours(own_query("AoaiRequests | summarize count()"))
    with pytest.raises(WrongUse, match="'Users = …,'"):
        over_hours(own_query("// rollup: without Users\nAoaiRequests | summarize count()"))


def logs(folder: Path) -> LocalEngine:
    """Two days of a request every hour and a half; on the first day LLM rows of some are missing."""
    gateway, llm_rows = [], []
    for number in range(32):
        at = DAY + timedelta(hours=1.5 * number)
        gateway.append(request(f"r{number}", TimeGenerated=at, ResponseSize=1000 + 40 * number))
        if number not in (3, 9):
            tokens = {"PromptTokens": 100, "CompletionTokens": 10 + number, "TotalTokens": 110 + number}
            llm_rows.append(llm(f"r{number}", TimeGenerated=at + timedelta(seconds=2), **tokens))
    # Delivered twice.
    gateway.append(gateway[5])
    lake = Lake.create(folder)
    for table, rows in ((GATEWAY_LOGS, gateway), (LLM_LOG, llm_rows)):
        lake.append(table.name, _table(table, rows))
    return LocalEngine(lake, str(folder))


def stored(frame: pd.DataFrame, modified: datetime) -> str:
    """Rows of the rule's table as KQL rows."""

    def literal(value: Any, kind: str) -> str:
        if pd.isna(value):
            return f"{kind}(null)"
        if kind == "string":
            return json.dumps(value)
        if kind == "long":  # pandas makes floats of whole numbers beside null
            value = int(value)
        return f"datetime({value:%Y-%m-%dT%H:%M:%SZ})" if kind == "datetime" else f"{kind}({str(value).lower()})"

    kinds = STORED | ADDED
    added = {"TimeGenerated": DAY, "_RuleName": "aoai-hourly", "_RuleLastModifiedTime": modified, "_BinSize": 1440}
    rows = [
        ", ".join(literal((row | added)[name], kind) for name, kind in kinds.items())
        for row in frame.to_dict("records")
    ]
    return ",\n".join(rows)


def test_stored_hours_and_hours_of_the_logs_are_counted_once_and_known_tokens_stay(tmp_path: Path) -> None:
    engine = logs(tmp_path / "lake")
    first = (DAY, DAY + timedelta(days=1))
    rows, types = engine.arrow(rule_query(MADE_UP), dict.fromkeys(LOG_TABLES, first))
    assert types == STORED
    bin_ = rows.to_pandas()
    assert bin_["Requests"].sum() == 16 and set(bin_["TokenSource"]) == {"llm-log", "none"}
    older = bin_.head(3).assign(Requests=1000)
    columns = ", ".join(f"{name}: {kind}" for name, kind in (STORED | ADDED).items())
    texts = ",\n".join([stored(bin_, DAY + timedelta(hours=1)), stored(older, DAY)])
    kql = f"let {TABLE} = datatable({columns}) [\n{texts}\n];\n{history_function(MADE_UP)}"
    history, types = engine.arrow(kql, {})
    engine.close()
    assert types == COLUMNS
    found = history.to_pandas().groupby("TokenSource")[["Requests", "TotalTokens"]].sum(min_count=1).to_dict("index")
    known = sum(110 + number for number in range(32) if number not in (3, 9))
    assert found["llm-log"] == {"Requests": 30, "TotalTokens": known}
    assert found["none"]["Requests"] == 2 and pd.isna(found["none"]["TotalTokens"]), "unknown in the bin stays unknown"
    assert len(found) == 2


def test_a_template_can_hold_the_rule_and_the_function() -> None:
    # "The language expression literal limit exceeded. Limit: '131072'", says Bicep.
    assert len(rule_query()) <= len(history_function()) <= 131_072


def test_the_function_and_the_queries_hold_under_microsoft_s_parser_with_no_saved_function() -> None:
    # The rule's text is part of the function's, but for the tables' names and its last line.
    texts = {"history": history_function()}
    assert len(set(rule_query().splitlines()) - set(history_function().splitlines())) == 4
    texts |= {entry["id"]: entry["body"] for entry in query_pack() if "hourly totals" in entry["labels"]}
    tables = {name: table.columns for name, table in LOG_TABLES.items()} | {TABLE: STORED | ADDED, HISTORY: COLUMNS}
    found = analyse(texts, tables=tables, functions={})
    assert {name: [str(d) for d in analysis.diagnostics] for name, analysis in found.items()} == {
        name: [] for name in texts
    }
    assert found["history"].columns == COLUMNS


def test_the_rule_uses_nothing_that_azure_refuses_and_keeps_no_person() -> None:
    rule = rollup()
    code = rule["query"]
    assert not re.search(r"\b(workspace|app|resource|adx|arg)\(|\b(bag_unpack|pivot|narrow|externaldata)\b", code)
    assert rule["table"].endswith("_CL")
    names = [column["name"] for column in rule["columns"]]
    assert names[0] == "Hour" and not {"CallerIpAddress", "UserId", "EndUserId", "CorrelationId"} & set(names)
    assert not {"TimeGenerated", "TenantId", "Type", "_ResourceId"} & set(names), "reserved by Azure"
