"""What each alert fires on and what it does not: logs made for it, as the service would show them.

``CASES`` are told at ``AT``, or on the Saturday after it. ``placed`` moves each to a time of its own, so that all of
them can stand in one lake and none sees another's logs, and leaves it the rows of its rule's window only.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.functions.raw_logs import llm, request

#: When the rules are evaluated: a Wednesday in a month of 30 days.
AT = datetime(2026, 11, 4, 12, tzinfo=UTC)
SATURDAY = datetime(2026, 11, 7, 12, tzinfo=UTC)
#: Of the alert on the pace: November has 30 days, so a day's share is 1 USD.
BUDGETS = 'dynamic(["(all)=30", "sub-claims=30"])'

_NUMBERS = itertools.count()

Rows = tuple[list[dict[str, Any]], list[dict[str, Any]]]


@dataclass(frozen=True)
class Case:
    """Logs, and the rows expected of the alert's query: the values of its dimensions, or of none ``()``."""

    alert: str
    what: str
    rows: Callable[[], Rows]
    fires: list[tuple[str, ...]] = field(default_factory=list)
    on: datetime = AT

    def __str__(self) -> str:
        return f"{self.alert} {'fires on' if self.fires else 'does not fire on'} {self.what}"


def some(count: int, ago: timedelta, *, told: bool = True, tokens: int = 20, at: datetime = AT, **columns: Any) -> Rows:
    """Requests, all so long ago, each with an LLM row where *told*, which has that many completion tokens."""
    moment = at - ago
    names = [f"r{next(_NUMBERS)}" for _ in range(count)]
    model = columns.pop("Model", "gpt-4o-2024-08-06")
    gateway = [request(name, TimeGenerated=moment, **columns) for name in names]
    numbers = {"PromptTokens": 0, "CompletionTokens": tokens, "TotalTokens": tokens}
    rows = [llm(name, TimeGenerated=moment, ModelName=model, **numbers) for name in names]
    return gateway, rows if told else []


def both(*parts: Rows) -> Rows:
    return [row for gateway, _ in parts for row in gateway], [row for _, rows in parts for row in rows]


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


#: An API of which no estimate is made: what a picture takes is not in the logs.
IMAGES = "https://gateway.example/openai/deployments/pictures/images/generations"
BY_BACKEND: dict[str, Any] = {"ResponseCode": 429, "BackendResponseCode": 429, "told": False}
BY_GATEWAY: dict[str, Any] = {"ResponseCode": 429, "BackendResponseCode": None, "BackendUrl": "", "told": False}
FAILED: dict[str, Any] = {"ResponseCode": 500, "BackendResponseCode": 500, "told": False}
NOT_FOUND: dict[str, Any] = {"ResponseCode": 404, "BackendResponseCode": 404, "told": False}
FILTERED: dict[str, Any] = {
    "ResponseCode": 400,
    "BackendResponseCode": 400,
    "ResponseBody": json.dumps({"error": {"code": "content_filter", "message": "stopped"}}),
    "told": False,
}
TRIED_TWICE = {
    "TraceRecords": json.dumps(
        [{"message": f"InferenceAttempt|attempt={n}|backend=aoai-{n}|status=503"} for n in (1, 2)]
    )
}
CHAT = [("chat",)]
CLAIMS = [("sub-claims",)]
API = [("azure-openai",)]
ONE = [()]

CASES = [
    # -- throttling: more than 10% of at least 20 requests to a deployment, over 30 minutes
    Case(
        "throttling",
        "3 of 20 turned away by the backends",
        lambda: both(some(17, minutes(5)), some(3, minutes(5), **BY_BACKEND)),
        CHAT,
    ),
    Case(
        "throttling",
        "3 of 20 turned away by the gateway's own limit",
        lambda: both(some(17, minutes(5)), some(3, minutes(5), **BY_GATEWAY)),
        CHAT,
    ),
    Case("throttling", "exactly 10%", lambda: both(some(18, minutes(5)), some(2, minutes(5), **BY_BACKEND))),
    Case("throttling", "19 requests, all turned away", lambda: some(19, minutes(5), **BY_BACKEND)),
    Case(
        "throttling",
        "requests turned away 31 minutes ago",
        lambda: both(some(20, minutes(5)), some(20, minutes(31), **BY_BACKEND)),
    ),
    # -- error-budget-fast: over 14.4% failed in the last hour and in its last 5 minutes, at least 5 failures
    Case(
        "error-budget-fast",
        "20% failed in the hour and in the last 5 minutes",
        lambda: both(some(80, minutes(40)), some(15, minutes(30), **FAILED), some(5, minutes(3), **FAILED)),
        ONE,
    ),
    Case("error-budget-fast", "5 requests at night, all failed", lambda: some(5, minutes(3), **FAILED), ONE),
    Case(
        "error-budget-fast",
        "failures that came some minutes late, the last one 12 minutes ago",
        lambda: both(some(20, minutes(40)), some(10, minutes(12), **FAILED)),
        ONE,
    ),
    Case(
        "error-budget-fast",
        "exactly 14.4 times the rate",
        lambda: both(some(107, minutes(40)), some(13, minutes(30), **FAILED), some(5, minutes(3), **FAILED)),
    ),
    Case(
        "error-budget-fast",
        "failures that are over since 20 minutes",
        lambda: both(some(20, minutes(20), **FAILED), some(20, minutes(3))),
    ),
    Case("error-budget-fast", "one failed request at night", lambda: some(1, minutes(3), **FAILED)),
    Case("error-budget-fast", "4 requests, all failed", lambda: some(4, minutes(3), **FAILED)),
    Case("error-budget-fast", "faults of the callers", lambda: some(50, minutes(3), **NOT_FOUND)),
    Case("error-budget-fast", "the gateway's own limits", lambda: some(50, minutes(3), **BY_GATEWAY)),
    # -- error-budget-slow: over 3% in the last day and in its last 2 hours
    Case(
        "error-budget-slow",
        "5% failed in the day and in the last 2 hours",
        lambda: both(
            some(104, hours(20)), some(4, hours(10), **FAILED), some(10, minutes(50)), some(2, minutes(30), **FAILED)
        ),
        ONE,
    ),
    Case(
        "error-budget-slow",
        "exactly 3 times the rate",
        lambda: both(some(194, hours(20)), some(4, hours(10), **FAILED), some(2, minutes(30), **FAILED)),
    ),
    Case(
        "error-budget-slow",
        "failures of yesterday's evening",
        lambda: both(some(50, hours(16), **FAILED), some(50, minutes(30))),
    ),
    # -- failover-exhausted: 5 requests that failed after several attempts, over 30 minutes
    Case(
        "failover-exhausted",
        "5 requests that failed after 2 attempts",
        lambda: both(some(50, minutes(5)), some(5, minutes(5), **FAILED, **TRIED_TWICE)),
        CHAT,
    ),
    Case(
        "failover-exhausted",
        "5 turned away after 2 attempts",
        lambda: some(5, minutes(5), **BY_BACKEND, **TRIED_TWICE),
        CHAT,
    ),
    Case("failover-exhausted", "4 such requests", lambda: some(4, minutes(5), **FAILED, **TRIED_TWICE)),
    Case("failover-exhausted", "failures after one attempt", lambda: some(50, minutes(5), **FAILED)),
    Case("failover-exhausted", "answers after 2 attempts", lambda: some(50, minutes(5), **TRIED_TWICE)),
    # -- logging-coverage: the told share of an API falls by more than 20 points, 50 requests on both sides
    Case(
        "logging-coverage",
        "LLM rows that stop",
        lambda: both(some(50, hours(10)), some(50, hours(1), told=False), some(1, minutes(1))),
        API,
    ),
    Case(
        "logging-coverage",
        "a fall by 22 points",
        lambda: both(some(50, hours(10)), some(39, hours(1)), some(11, hours(1), told=False), some(1, minutes(1))),
        API,
    ),
    Case(
        "logging-coverage",
        "a fall by exactly 20 points",
        lambda: both(some(50, hours(10)), some(40, hours(1)), some(10, hours(1), told=False), some(1, minutes(1))),
    ),
    Case(
        "logging-coverage",
        "49 requests",
        lambda: both(some(50, hours(10)), some(49, hours(1), told=False), some(1, minutes(1))),
    ),
    Case(
        "logging-coverage",
        "LLM rows that are still on their way",
        lambda: both(some(50, hours(10)), some(50, hours(1)), some(50, minutes(20), told=False), some(1, minutes(1))),
    ),
    Case(
        "logging-coverage",
        "an API whose tokens were never told",
        lambda: both(some(50, hours(10), told=False), some(50, hours(1), told=False), some(1, minutes(1))),
    ),
    Case(
        "logging-coverage",
        "refused requests, of which no log tells tokens",
        lambda: both(some(50, hours(10)), some(50, hours(1), **BY_GATEWAY), some(1, minutes(1))),
    ),
    Case("logging-coverage", "logs that stop altogether", lambda: some(50, hours(10))),
    # -- logs-stopped: 2 hours without a record, where the same time a day before had 50
    Case(
        "logs-stopped",
        "3 hours of silence at a time that had 50 records the day before",
        lambda: both(some(50, hours(25)), some(1, hours(3))),
        ONE,
    ),
    Case("logs-stopped", "exactly 2 hours of silence", lambda: both(some(50, hours(25)), some(1, hours(2))), ONE),
    Case("logs-stopped", "more than a day of silence", lambda: some(50, hours(30)), ONE),
    Case("logs-stopped", "119 minutes of silence", lambda: both(some(50, hours(25)), some(1, minutes(119)))),
    Case(
        "logs-stopped",
        "silence at a time that had 49 records the day before",
        lambda: both(some(49, hours(25)), some(1, hours(3))),
    ),
    Case("logs-stopped", "a Saturday", lambda: some(50, hours(25), at=SATURDAY), on=SATURDAY),
    # -- new-caller: first seen within 6 hours, more than a million tokens, while the logs reach back a day
    Case(
        "new-caller",
        "a million and one tokens of someone new",
        lambda: both(some(5, hours(30)), some(1, hours(1), tokens=1000001, CallerIpAddress="198.51.100.9")),
        [("sub-claims", "198.51.100.9")],
    ),
    Case(
        "new-caller",
        "1,001 requests of unknown use of someone new",
        lambda: both(some(5, hours(30)), some(1001, hours(1), told=False, Url=IMAGES, CallerIpAddress="198.51.100.9")),
        [("sub-claims", "198.51.100.9")],
    ),
    Case(
        "new-caller",
        "exactly a million tokens",
        lambda: both(some(5, hours(30)), some(1, hours(1), tokens=1000000, CallerIpAddress="198.51.100.9")),
    ),
    Case(
        "new-caller",
        "a caller who was there the day before",
        lambda: both(some(5, hours(30)), some(1, hours(1), tokens=1000001)),
    ),
    Case(
        "new-caller",
        "logs that reach back 20 hours only",
        lambda: both(some(5, hours(20)), some(1, hours(1), tokens=1000001, CallerIpAddress="198.51.100.9")),
    ),
    Case(
        "new-caller",
        "a caller who was first seen 7 hours ago",
        lambda: both(
            some(5, hours(30)), some(1, hours(7), tokens=2000000, CallerIpAddress="198.51.100.9"), some(1, minutes(1))
        ),
    ),
    # -- content-filter: 10 filtered in an hour, more than 3 times the share of before
    Case(
        "content-filter",
        "10 stopped prompts where there were none",
        lambda: both(some(100, hours(10)), some(10, minutes(20)), some(10, minutes(20), **FILTERED)),
        CLAIMS,
    ),
    Case(
        "content-filter",
        "32.5% where it was 10%",
        lambda: both(
            some(90, hours(10)),
            some(10, hours(10), **FILTERED),
            some(27, minutes(20)),
            some(13, minutes(20), **FILTERED),
        ),
        CLAIMS,
    ),
    Case(
        "content-filter",
        "10 stopped prompts of a team without traffic before",
        lambda: some(10, minutes(20), **FILTERED),
        CLAIMS,
    ),
    Case(
        "content-filter",
        "exactly 3 times the share",
        lambda: both(
            some(90, hours(10)),
            some(10, hours(10), **FILTERED),
            some(28, minutes(20)),
            some(12, minutes(20), **FILTERED),
        ),
    ),
    Case("content-filter", "9 stopped prompts", lambda: both(some(100, hours(10)), some(9, minutes(20), **FILTERED))),
    # -- budget-pace: a day's cost above 1.5 times an even share of the month's budget
    Case(
        "budget-pace",
        "a day of 1.51 USD where an even share is 1 USD",
        lambda: some(1, hours(1), tokens=151000),
        [("(all)", "over pace"), ("sub-claims", "over pace")],
    ),
    Case(
        "budget-pace",
        "a day whose requests have no price",
        lambda: some(2, hours(1), Model="gpt-99-2026-01-01"),
        [("(all)", "cannot tell"), ("sub-claims", "cannot tell")],
    ),
    Case(
        "budget-pace",
        "another team's cost, in the sum of all",
        lambda: some(1, hours(1), tokens=151000, ApimSubscriptionId="sub-other"),
        [("(all)", "over pace")],
    ),
    Case("budget-pace", "exactly 1.5 times an even share", lambda: some(1, hours(1), tokens=150000)),
    Case(
        "budget-pace",
        "exactly half of the requests without a price",
        lambda: both(some(1, hours(1)), some(1, hours(1), Model="gpt-99-2026-01-01")),
    ),
    Case("budget-pace", "cost of the day before", lambda: both(some(1, hours(25), tokens=151000), some(1, hours(1)))),
]

#: The whole answer to the first case of each alert that fires; a span is how long before ``AT``.
ANSWERS: dict[str, list[dict[str, Any]]] = {
    "throttling": [
        {"DeploymentName": "chat", "Requests": 20, "ThrottledRequests": 3, "ByGateway": 0, "ByBackend": 3}
        | {"ThrottledShare": 15.0, "LastSeen": minutes(5)}
    ],
    "error-budget-fast": [
        {"CountedRequests": 100, "FailedRequests": 20, "BurnRate": 20.0}
        | {"ShortRequests": 5, "ShortFailedRequests": 5, "ShortBurnRate": 100.0, "LastFailure": minutes(3)}
    ],
    "error-budget-slow": [
        {"CountedRequests": 120, "FailedRequests": 6, "BurnRate": 5.0}
        | {"ShortRequests": 12, "ShortFailedRequests": 2, "ShortBurnRate": 16.7, "LastFailure": minutes(30)}
    ],
    "failover-exhausted": [
        {"DeploymentName": "chat", "Requests": 55, "ExhaustedRequests": 5, "MaxAttempts": 2, "LastSeen": minutes(5)}
    ],
    "logging-coverage": [
        {"ApiId": "azure-openai", "Requests": 50, "ToldRequests": 0, "ToldShare": 0.0}
        | {"RequestsBefore": 50, "ToldShareBefore": 100.0, "Drop": 100.0}
    ],
    "logs-stopped": [{"LastRecord": hours(3), "SilentHours": 3.0, "RecordsDayBefore": 50}],
    "new-caller": [
        {"SubscriptionId": "sub-claims", "Caller": "198.51.100.9", "FirstSeen": hours(1), "Requests": 1}
        | {"TotalTokens": 1000001, "EstimatedTokens": 0, "TokensError": 0.0, "UnknownRequests": 0}
    ],
    "content-filter": [
        {"SubscriptionId": "sub-claims", "Requests": 20, "FilteredRequests": 10, "FilteredShare": 50.0}
        | {"RequestsBefore": 100, "FilteredShareBefore": 0.0, "Users": 1, "LastSeen": minutes(20)}
    ],
    "budget-pace": [
        {"Scope": scope, "State": "over pace", "Budget": 30.0, "DayBudget": 1.0, "DayCost": 1.51, "Pace": 1.51}
        | {"ProjectedCost": 45.3, "CostError": 0.0, "EstimatedCost": 0.0, "BilledRequests": 1}
        | {"UnpricedRequests": 0, "UnknownRequests": 0}
        for scope in ("(all)", "sub-claims")
    ],
}


def placed(over: Callable[[str], timedelta]) -> list[tuple[Case, datetime, Rows]]:
    """Each case, when its rule is asked, and its logs of the rule's window, *over* giving an alert's length of it.

    Nine weeks lie between two cases: the weekday stays, and estimates, which are fitted by month and the one before,
    stay apart. Budgets go by the days of the month: those cases keep their month, in another year.
    """
    found = []
    years = itertools.count(AT.year + 20)
    for number, case in enumerate(CASES):
        moved = timedelta(weeks=9 * number)
        if case.alert == "budget-pace":
            moved = AT.replace(year=next(years)) - AT
        at = case.on + moved
        logs = tuple(
            [
                row | {"TimeGenerated": row["TimeGenerated"] + moved}
                for row in rows
                if case.on - over(case.alert) <= row["TimeGenerated"] < case.on
            ]
            for rows in case.rows()
        )
        found.append((case, at, (logs[0], logs[1])))
    return found
