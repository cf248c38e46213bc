"""Which question stands on which tab of the workbook, how wide and how shown: data that ``steps`` walks.

A tab is a list of views, of which one is open at a time, so that a reader waits for, and the workspace scans, some five
or ten questions and not a hundred.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: The conversation of a request, behind the reader's choice to see what people wrote.
CONVERSATION = "prompts/conversation"


@dataclass(frozen=True)
class Tile:
    """A question's place: ``width`` in % of the page, ``show`` '' for what its header says, or ``grid``, ``pie``,
    ``kpi``, ``matrix``.

    ``bars`` and ``heats`` are the columns that a grid draws. ``key`` is the column whose value a click on a row sets,
    coded, as the parameter ``sets``. ``values`` gives for the query's parameters the KQL of a workbook parameter.
    """

    query: str
    width: int = 50
    show: str = ""
    bars: tuple[str, ...] = ()
    heats: tuple[str, ...] = ()
    key: str = ""
    sets: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """Some questions of a tab. ``opens`` are those that a click on a row of another opens, with the parameter they wait
    for; ``text`` says what a reader should know; ``shows_prompts`` views wait for the reader's choice."""

    name: str
    title: str
    tiles: tuple[Tile, ...]
    text: str = ""
    opens: tuple[tuple[str, str, tuple[Tile, ...]], ...] = ()
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tab:
    name: str
    title: str
    text: str
    views: tuple[View, ...]


def _requests(query: str, tab: str, **more: object) -> Tile:
    """A grid of requests, of which a click shows the conversation."""
    return Tile(query, 100, key="CorrelationId", sets=f"{tab.title()}Request", **more)  # type: ignore[arg-type]


def _user(query: str, width: int = 50) -> Tile:
    return Tile(query, width, values={"user": "SelectedUser"})


TABS: tuple[Tab, ...] = (
    Tab(
        "overview",
        "Overview",
        "How much was asked, what it cost and how well it went. Numbers with ± or *estimated* are not all known: the logs "
        "do not hold the tokens of every request. The tab *Health* says which, and what mends it.",
        (
            View(
                "overview",
                "Overview",
                (
                    Tile("health/coverage-head", 50, "kpi"),
                    Tile("cost/total", 25, "kpi"),
                    Tile("reliability/success-rate", 25, "kpi"),
                    Tile("models/share-over-time", 60),
                    Tile("tokens/by-subscription", 40, "pie"),
                    Tile("cost/over-time", 60),
                    Tile("cost/by-model", 40, "grid", bars=("Cost",)),
                    Tile("reliability/failures-over-time", 60),
                    Tile("users/top", 40, "grid", bars=("TotalTokens",)),
                ),
            ),
        ),
    ),
    Tab(
        "tokens",
        "Tokens",
        "Who uses the tokens, when, and for what. *Estimated tokens* are computed from the messages' bytes where no log tells "
        "them; *tokens error* is a standard error; *unknown requests* are in no sum.",
        (
            View(
                "who",
                "Who and where",
                (
                    Tile("tokens/by-subscription", 50, "grid", bars=("TotalTokens",), heats=("Share",)),
                    Tile("tokens/by-product", 50, "grid", bars=("TotalTokens",), heats=("Share",)),
                    Tile("tokens/by-api", 50, "grid", bars=("TotalTokens",), heats=("Share",)),
                    Tile("tokens/by-deployment", 50, "grid", bars=("TotalTokens",), heats=("Share",)),
                    Tile("tokens/by-surface", 50, "grid", bars=("TotalTokens",)),
                    Tile("tokens/by-region", 50, "grid", bars=("TotalTokens",), heats=("Share",)),
                    Tile("tokens/by-caller-and-model", 100, "grid", bars=("TotalTokens",), heats=("AverageTokens",)),
                ),
            ),
            View(
                "when",
                "Over time",
                (
                    Tile("tokens/over-time", 50),
                    Tile("tokens/by-subscription-over-time", 50),
                    Tile("tokens/by-day", 50),
                    Tile("tokens/growth-by-week", 50),
                    Tile("tokens/forecast-month", 50),
                    Tile("tokens/by-hour-and-weekday", 50, "matrix"),
                ),
            ),
            View(
                "kinds",
                "Kinds and sizes",
                (
                    Tile("tokens/by-kind", 50),
                    Tile("tokens/source-mix", 50, "grid", bars=("Requests",), heats=("TokenShare",)),
                    Tile("tokens/request-sizes", 50),
                    Tile("tokens/estimated-by-subscription", 50, "grid", bars=("EstimatedTokens",)),
                    _requests("tokens/largest-requests", "tokens", bars=("TotalTokens",)),
                ),
                opens=(("TokensRequest", "conversation", ()),),
            ),
            View(
                "capacity",
                "Capacity",
                (
                    Tile(
                        "tokens/peak-minute",
                        100,
                        "grid",
                        bars=("PeakTokens",),
                        heats=("PeakUtilisation", "MinutesOverQuota"),
                        values={"quotas": "Quotas"},
                    ),
                    Tile(
                        "tokens/ptu-utilisation",
                        100,
                        "grid",
                        bars=("PtusAtPeak",),
                        heats=("PeakUtilisation",),
                        values={"ptus": "Ptus"},
                    ),
                ),
                text="What a deployment needs at its busiest minute. Give its quota, or its provisioned throughput units "
                "(PTUs), to see how much of it was used.",
                parameters=("Quotas", "Ptus"),
            ),
        ),
    ),
    Tab(
        "models",
        "Models",
        "Which models and versions are used, how fast they answer, and how their answers end.",
        (
            View(
                "use",
                "Use",
                (
                    Tile("models/usage", 100, "grid", bars=("TotalTokens",), heats=("Share",)),
                    Tile("models/share-over-time", 50),
                    Tile("models/by-subscription", 50, "grid", heats=("TotalTokens",), bars=("ShareOfSubscription",)),
                    Tile("models/versions", 50, "grid", bars=("TotalTokens",)),
                    Tile("models/retiring", 50, "grid", heats=("DaysLeft",), bars=("TotalTokens",)),
                    Tile("models/unused-deployments", 100, "grid"),
                ),
            ),
            View(
                "speed",
                "Speed",
                (
                    Tile("models/latency", 100, "grid", heats=("P50", "P90", "P95", "P99"), bars=("Requests",)),
                    Tile("models/throughput-over-time", 50),
                    Tile(
                        "models/latency-per-token", 50, "grid", heats=("P95MsPerToken",), bars=("P50TokensPerSecond",)
                    ),
                ),
            ),
            View(
                "answers",
                "Answers",
                (
                    Tile("models/finish-reasons", 50),
                    Tile("models/reasoning", 50, "grid", bars=("ReasoningShare",)),
                    Tile("models/cache-use", 100, "grid", bars=("CachedShare",), heats=("LongPromptHitRate",)),
                ),
            ),
        ),
    ),
    Tab(
        "users",
        "Users",
        "A user is whom the request itself names, else the gateway's user, else the caller's address. Select a row of *Top "
        "users* to see that user alone below.",
        (
            View(
                "who",
                "Who",
                (
                    Tile("users/top", 100, "grid", bars=("TotalTokens",), key="User", sets="SelectedUser"),
                    Tile("users/by-end-user", 50, "grid", bars=("TotalTokens",), heats=("Share",)),
                    Tile("users/by-gateway-user", 50, "grid", bars=("TotalTokens",), heats=("Share",)),
                    Tile("users/by-address", 50, "grid", bars=("TotalTokens",), heats=("Refused",)),
                    Tile("users/by-product", 50, "grid", bars=("TotalTokens",)),
                    Tile("users/addresses-by-subscription", 100, "grid", bars=("Addresses",), heats=("NewAddresses",)),
                ),
                opens=(
                    (
                        "SelectedUser",
                        "user",
                        (
                            _user("users/user-summary", 100),
                            _user("users/user-over-time", 100),
                            _user("users/user-models"),
                            _user("users/user-errors"),
                            Tile(
                                "users/user-requests",
                                100,
                                key="CorrelationId",
                                sets="UsersRequest",
                                bars=("TotalTokens",),
                                values={"user": "SelectedUser"},
                            ),
                        ),
                    ),
                    ("UsersRequest", "conversation", ()),
                ),
            ),
            View(
                "change",
                "Change",
                (
                    Tile("users/active-by-day", 50),
                    Tile("users/active-by-week", 50),
                    Tile("users/movers", 100, "grid", heats=("Difference",)),
                    Tile("users/new-and-lost", 50, "grid", bars=("TotalTokens",)),
                    Tile("users/concentration", 50, "grid", bars=("TokenShare",), heats=("UserShare",)),
                    Tile("users/retention", 100, "matrix"),
                ),
            ),
        ),
    ),
    Tab(
        "prompts",
        "Prompts",
        "How much of what people wrote the logs hold. The texts themselves are hidden; *Show what people wrote* above shows "
        "them to whoever may read the log tables, and to nobody else: a workbook's queries run with its reader's own rights. "
        "Languages, topics and personal data are found by a program, not by a query: `aoai query prompts/languages`, "
        "`prompts/topics`, `prompts/personal-data` and `prompts/personal-data-requests` answer those.",
        (
            View(
                "logged",
                "What is logged",
                (
                    Tile(
                        "prompts/texts-logged",
                        100,
                        "grid",
                        bars=("WholePromptShare", "WholeAnswerShare"),
                        heats=("NoPrompts",),
                    ),
                    Tile("prompts/length-over-time", 50),
                    Tile("prompts/scripts", 50, "grid", bars=("Share",)),
                ),
            ),
            View(
                "wrote",
                "What people wrote",
                (
                    _requests(
                        "prompts/search",
                        "prompts",
                        values={"text": "SearchText", "user": "SearchUser", "model": "SearchModel"},
                    ),
                    Tile("prompts/completions", 100, "grid"),
                    Tile("prompts/frequent", 50, "grid", bars=("Requests",)),
                    Tile("prompts/longest", 50, "grid", bars=("PromptCharacters",)),
                    Tile("prompts/filtered", 100, "grid"),
                ),
                text="Select a row of the search to read the whole exchange.",
                opens=(("PromptsRequest", "conversation", ()),),
                parameters=("SearchText", "SearchUser", "SearchModel"),
            ),
        ),
    ),
    Tab(
        "reliability",
        "Reliability",
        "What fails, at whose door it lies, and how slow answers are. Faults of a caller do not count against the service.",
        (
            View(
                "success",
                "Success",
                (
                    Tile("reliability/outcomes", 60, "grid", bars=("Requests",), heats=("Share",)),
                    Tile("reliability/outcomes", 40, "pie"),
                    Tile("reliability/success-over-time", 50, values={"countGatewayThrottling": "CountGateway"}),
                    Tile(
                        "reliability/error-budget", 50, values={"slo": "Slo", "countGatewayThrottling": "CountGateway"}
                    ),
                    Tile(
                        "reliability/success-rate",
                        100,
                        "grid",
                        bars=("SuccessRate",),
                        heats=("BudgetUsed",),
                        values={"slo": "Slo", "countGatewayThrottling": "CountGateway"},
                    ),
                    Tile("reliability/failures-over-time", 50),
                    Tile("reliability/anomalies", 50, "grid", heats=("Score",)),
                ),
                parameters=("Slo", "CountGateway"),
            ),
            View(
                "throttling",
                "Throttling and failover",
                (
                    Tile("reliability/throttling-over-time", 50),
                    Tile(
                        "reliability/throttling-by-subscription",
                        50,
                        "grid",
                        bars=("ByGateway", "ByBackend"),
                        heats=("ThrottledShare",),
                    ),
                    Tile(
                        "reliability/throttling-by-deployment",
                        100,
                        "grid",
                        bars=("ThrottledRequests",),
                        heats=("ThrottledShare",),
                    ),
                    Tile(
                        "reliability/backends",
                        100,
                        "grid",
                        bars=("SuccessRate",),
                        heats=("ThrottledShare", "ErrorShare"),
                    ),
                    Tile("reliability/failover", 50, "grid", bars=("TookOver",), heats=("Exhausted",)),
                    Tile("reliability/attempts", 50, "grid", bars=("Requests",)),
                    Tile("reliability/failover-exhausted", 100, "grid", bars=("Requests",)),
                ),
            ),
            View(
                "errors",
                "Errors",
                (
                    Tile("reliability/errors", 100, "grid", bars=("Requests",), heats=("Share",)),
                    Tile("reliability/caller-errors", 100, "grid", bars=("Requests",)),
                    Tile("reliability/unauthorized", 50, "grid", bars=("Requests",)),
                    Tile("reliability/content-filter", 50, "grid", bars=("StoppedPrompts",), heats=("FilteredShare",)),
                    Tile("reliability/client-disconnects", 100, "grid", bars=("Requests",)),
                ),
            ),
            View(
                "latency",
                "Latency",
                (
                    Tile("reliability/latency-over-time", 50),
                    Tile("reliability/latency-by-backend-over-time", 50),
                    Tile("reliability/latency-heatmap", 50),
                    Tile("reliability/latency-by-hour", 50, "matrix"),
                    _requests("reliability/slowest-requests", "reliability", bars=("TotalTime",)),
                ),
                opens=(("ReliabilityRequest", "conversation", ()),),
            ),
        ),
    ),
    Tab(
        "cost",
        "Cost",
        "USD at list prices, or at your own. A model without a price is *unpriced*, not free: such requests are counted, and "
        "in no sum, so that a cost beside them is a lower bound. Change prices above; every cost follows.",
        (
            View(
                "totals",
                "Totals",
                (
                    Tile("cost/total", 100, "kpi"),
                    Tile("cost/by-model", 50, "grid", bars=("Cost",), heats=("Share",)),
                    Tile("cost/by-subscription", 50, "grid", bars=("Cost",), heats=("Share",)),
                    Tile("cost/by-product", 50, "grid", bars=("Cost",), heats=("Share",)),
                    Tile("cost/by-api", 50, "grid", bars=("Cost",), heats=("Share",)),
                    Tile("cost/by-kind", 100, "grid", bars=("Cost",), heats=("Share",)),
                ),
            ),
            View(
                "when",
                "Over time and budgets",
                (
                    Tile("cost/over-time", 50),
                    Tile("cost/by-day", 50),
                    Tile("cost/by-month", 50),
                    Tile(
                        "cost/budget",
                        100,
                        "grid",
                        bars=("SpentCost", "ProjectedCost"),
                        heats=("ProjectedShare",),
                        values={"budgets": "Budgets"},
                    ),
                ),
                text="A budget is a subscription's, or that of all together, `(all)`; it covers the month of the last request.",
                parameters=("Budgets",),
            ),
            View(
                "who",
                "Who",
                (
                    Tile("cost/by-user", 50, "grid", bars=("Cost",), heats=("Share",)),
                    Tile("cost/by-caller-and-model", 50, "grid", bars=("Cost",), heats=("Share",)),
                    Tile("cost/by-deployment", 50, "grid", bars=("Cost",), heats=("Share",)),
                    Tile("cost/by-region", 50, "grid", bars=("Cost",), heats=("Share",)),
                    _requests("cost/largest-requests", "cost", bars=("Cost",)),
                ),
                opens=(("CostRequest", "conversation", ()),),
            ),
            View(
                "prices",
                "Prices",
                (
                    Tile("prices", 100, "grid"),
                    Tile("cost/unpriced", 100, "grid", bars=("Requests",)),
                    Tile("cost/caching-savings", 100, "grid", bars=("CacheSavings",), heats=("MissedSavings",)),
                ),
                text="Own prices replace the price book's for that model, direction and scope, every version and region of it. "
                "A line that could not be read stands in the table of prices with what is wrong.",
            ),
            View(
                "showback",
                "Show-back",
                (
                    Tile(
                        "cost/showback",
                        100,
                        "grid",
                        bars=("Amount",),
                        heats=("Share",),
                        values={"commitments": "Commitments"},
                    ),
                    Tile(
                        "cost/provisioned",
                        100,
                        "grid",
                        bars=("Commitment",),
                        heats=("Share",),
                        values={"commitments": "Commitments"},
                    ),
                ),
                text="What each team owes: its tokens, and its part of the provisioned throughput that is paid whether it is "
                "used or not. Give what each provisioned deployment costs in the time range.",
                parameters=("Commitments",),
            ),
        ),
    ),
    Tab(
        "health",
        "Health",
        "How far these numbers can be trusted: what the logs hold, what they lost, and what that does to the tokens. Zero rows "
        "are not zero traffic: a table that you may not read answers with none, and no error.",
        (
            View(
                "coverage",
                "Coverage",
                (
                    Tile("health/coverage-head", 100, "kpi"),
                    Tile("health/tokens-by-source", 50),
                    Tile("health/unknown-tokens", 50, "grid", bars=("Requests",), heats=("UnknownRequests",)),
                    Tile(
                        "health/coverage-by-api",
                        100,
                        "grid",
                        bars=("ToldRequests", "EstimatedRequests"),
                        heats=("UnknownRequests",),
                    ),
                    Tile("health/requests-by-hour", 50),
                    Tile("health/tables", 50, "grid", bars=("Records",)),
                ),
            ),
            View(
                "losses",
                "Losses",
                (
                    Tile("health/llm-log-over-time", 50),
                    Tile("health/requests-by-body-state", 50),
                    Tile("health/missing-llm-rows", 50, "grid", bars=("Requests",)),
                    Tile("health/llm-rows-without-tokens", 50, "grid", bars=("Requests",)),
                    Tile("health/streams-without-usage", 50, "grid", bars=("Requests",)),
                    Tile("health/body-losses", 50, "grid", bars=("Requests",)),
                    Tile("health/rows-without-partner", 50),
                    Tile("health/repeated-records", 50, "grid"),
                ),
            ),
        ),
    ),
)

#: Why a query of the library is no tile.
NOT_HERE = {
    "prompts/languages": "a program tells the language",
    "prompts/topics": "a program finds the topics",
    "prompts/personal-data": "a program finds personal data",
    "prompts/personal-data-requests": "a program finds personal data",
}
