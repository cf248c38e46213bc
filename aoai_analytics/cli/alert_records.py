"""Records made for each alert rule: some on which it must fire, and the nearest on which it must not.

No run of calls can cause what most rules wait for: prompts that a filter stops, all accounts down at once, a log that
loses its tokens. So a proof runs each rule's own text over records that the query itself makes, under the name of the
table that it reads: a name given by ``let`` comes before a stored function or a table of that name. Source:
Microsoft Learn, "Let statement" and "Entities and names: resolution".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..export.alerts import ALERTS


@dataclass(frozen=True)
class Records:
    """A rule's ``table``, its ``columns`` for each number ``N`` from 0 to ``last``, and the rule's ``values``.

    ``{X}`` in them is the number that decides: with ``fires`` the rule has a row, with ``quiet`` none.
    """

    table: str
    columns: str
    fires: int
    quiet: int
    last: str = "99"
    values: Mapping[str, str] = field(default_factory=dict)

    def let(self, number: int) -> str:
        """The statement that makes the records."""
        rows = f"range N from 0 to {self.last} step 1 | project {self.columns}".replace("{X}", str(number))
        return f"let {self.table} = {rows};"


_LOGGED = "AoaiRequestsLogged"
_FAILED = (
    'TimeGenerated = now(), Outcome = iff(N < {X}, "server-error", "success"), DeploymentName = "chat", Attempts = 2'
)

#: By the rule's name. A hundred requests, but where another number is said.
RECORDS = {
    # 11 of 100 is more than 10%.
    "throttling": Records(
        _LOGGED,
        'TimeGenerated = now(), DeploymentName = "chat", Outcome = iff(N < {X}, "throttled-backend", "success")',
        fires=11,
        quiet=10,
    ),
    # 1% may fail: 14.4 times as many, and 3 times as many.
    "error-budget-fast": Records(_LOGGED, _FAILED, fires=15, quiet=14),
    "error-budget-slow": Records(_LOGGED, _FAILED, fires=7, quiet=6, last="199"),
    "failover-exhausted": Records(_LOGGED, _FAILED, fires=5, quiet=4),
    # Half of them five hours ago, none of those filtered.
    "content-filter": Records(
        _LOGGED,
        'TimeGenerated = now() - iff(N < 50, 5h, 0h), SubscriptionId = "sub-a", User = "a", Surface = "chat", '
        'FinishReason = "", Outcome = iff(N >= 50 and N < 50 + {X}, "content-filter", "success")',
        fires=10,
        quiet=9,
    ),
    # A hundred six hours ago, all with tokens, a hundred an hour ago, and one now.
    "logging-coverage": Records(
        _LOGGED,
        'TimeGenerated = now() - case(N == 0, 0h, N <= 100, 6h, 1h), ApiId = "azure-openai", Surface = "chat", '
        'TokenSource = iff(N > 100 and N <= 100 + {X}, "none", "llm-log")',
        fires=21,
        quiet=20,
        last="200",
    ),
    # As many yesterday as make a busy hour, and none since.
    "logs-stopped": Records(
        "ApiManagementGatewayLogs",
        "TimeGenerated = now() - 25h",
        fires=49,
        quiet=48,
        last="{X}",
        values={"weekends": "true"},
    ),
    # One caller of two days ago, and one of now, with so many tokens.
    "new-caller": Records(
        "AoaiRequests",
        'TimeGenerated = now() - iff(N == 0, 2d, 0d), Outcome = "success", SubscriptionId = iff(N == 0, "a", "b"), '
        'User = "", TotalTokens = tolong(iff(N == 0, 1, {X})), TokenSource = "llm-log", TokensOwnVariance = 0.0, '
        "TokensSharedError = 0.0",
        fires=1_000_001,
        quiet=1_000_000,
        last="1",
    ),
    # A day of 2 USD is 56 or more in a month, one of 1 USD is 31 at most; 45 is one and a half times the budget.
    "budget-pace": Records(
        "AoaiCosts",
        'TimeGenerated = now(), SubscriptionId = "sub-a", TokenSource = "llm-log", CostState = "priced", '
        "IsCacheEstimated = false, Cost = 1.0 * {X}, CostOwnVariance = 0.0, CostSharedError = 0.0",
        fires=2,
        quiet=1,
        last="0",
        values={"budgets": 'dynamic(["(all)=30"])'},
    ),
}


def made(names: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Rule -> its text over records on which it must fire, and over some on which it must not.

    *names*: the library's names of the alert queries whose rules are wanted.
    """
    found = {}
    for alert in ALERTS:
        if alert.query.name in names:
            records = RECORDS[alert.name]
            text = alert.text(**records.values)
            found[alert.name] = (f"{records.let(records.fires)}\n{text}", f"{records.let(records.quiet)}\n{text}")
    return found
