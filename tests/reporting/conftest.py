"""What the tests of reports share: an engine that gives fixed rows, and a lake of sample traffic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from aoai_analytics.engines import QueryResult
from aoai_analytics.library.queries import Library
from aoai_analytics.reporting import Report
from tests.reporting.sample_report import tokens_report

__all__ = ["tokens_report"]

HEAD = {
    "Requests": 1000,
    "KnownTokens": 1_234_567,
    "EstimatedTokens": 50_000,
    "EstimatedTokensError": 1_500.4,
    "LlmLogRequests": 800,
    "UsageRequests": 100,
    "FragmentRequests": 9,
    "EstimatedRequests": 30,
    "NotBilledRequests": 20,
    "UnknownRequests": 41,
    "Tokens": 1_284_567,
    "TokensMargin": 2_940.8,
    "EstimatedShare": 3.9,
    "LoggedShare": 92.8,
    "UnknownShare": 4.1,
    "FirstRequest": pd.Timestamp("2026-11-01T00:30Z"),
    "LastRequest": pd.Timestamp("2026-11-02T23:10Z"),
}
NOTHING = {name: 0 for name in HEAD} | {
    "KnownTokens": None,
    "Tokens": 0,
    "EstimatedShare": None,
    "LoggedShare": None,
    "FirstRequest": pd.NaT,
    "LastRequest": pd.NaT,
}
QUERY = """// title: Tokens by team
// question: Which team uses the tokens?
// chart: bar x=TotalTokens y=Team
// unit: TotalTokens=tokens, Share=%
// headline: {Team} used {Share} of all tokens
let topN = 20; // rows shown
AoaiRequests | summarize TotalTokens = sum(TotalTokens) by Team = SubscriptionId
"""
PRIVATE = """// title: Prompts
// question: What was asked?
AoaiMessages | take 10
"""
TEAMS = pd.DataFrame(
    {
        "Team": ["claims", "<img src=x onerror=alert(1)>", "=cmd()"],
        "TotalTokens": pd.array([700, 300, None], dtype="Int64"),
        "Share": [70.0, 30.0, None],
    }
)
_TYPES = {"Int64": "long", "int64": "long", "float64": "real", "datetime64[us, UTC]": "datetime"}


class FixedEngine:
    """Answers the head's query and the one above with fixed rows, and remembers what it was asked."""

    def __init__(self, head: Mapping[str, Any] = HEAD, rows: pd.DataFrame = TEAMS, **result: Any):
        self.source = "kusto://someone:secret@contoso.kusto.windows.net/logs?key=secret"
        self.head, self.rows, self.result = head, rows, result
        self.asked: list[tuple[str, datetime | None, datetime | None]] = []

    def query(
        self,
        kql: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> QueryResult:
        self.asked.append((kql, start, end))
        if "KnownTokens" in kql:
            # What is empty in a period need not be so without one.
            return QueryResult(pd.DataFrame([HEAD if start is end is None else self.head]), {})
        types = {name: _TYPES.get(str(kind), "string") for name, kind in self.rows.dtypes.items()}
        return QueryResult(self.rows, types, **self.result)

    def close(self) -> None:
        """Nothing to free."""


@pytest.fixture
def queries(tmp_path: Path, repo: Path) -> Library:
    """A library of the head's query, a question and a private one."""
    folder = tmp_path / "kql"
    head = (repo / "kql/health/coverage-head.kql").read_text("utf-8")
    texts = {"health/coverage-head": head, "tokens/by-team": QUERY, "prompts/some": PRIVATE}
    for name, text in texts.items():
        path = folder / f"{name}.kql"
        path.parent.mkdir(parents=True)
        path.write_text(text, "utf-8")
    return Library(folder)


@pytest.fixture
def report(queries: Library) -> Callable[..., Report]:
    """Makes a report over a FixedEngine: ``report(engine, start=…)``."""

    def make(engine: FixedEngine | None = None, **more: Any) -> Report:
        return Report(engine or FixedEngine(), queries, **more)

    return make


@pytest.fixture
def fixed_engine() -> type[FixedEngine]:
    return FixedEngine


@pytest.fixture
def nothing() -> dict[str, Any]:
    """The head's row where there was no traffic."""
    return NOTHING
