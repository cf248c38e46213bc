"""All workbook tabs, including reliability, cost and health. Data for ``steps``."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter

from ...library.reading import as_read
from .places import Tab, Tile, View, requests
from .use_tabs import USE

__all__ = ["NOT_HERE", "OF_THE_INVOICE", "TABS", "Tab", "Tile", "View"]

_TABS: tuple[Tab, ...] = (
    *USE,
    Tab(
        "reliability",
        "Reliability",
        "What fails, who is responsible, and how slow responses are. Caller errors do not count against the service.",
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
                    Tile("reliability/client-disconnects", 50, "grid", bars=("Requests",)),
                    Tile("reliability/by-team", 50, "grid", bars=("FailedRequests",), heats=("FailedShare",)),
                ),
            ),
            View(
                "latency",
                "Latency",
                (
                    Tile("reliability/latency-over-time", 50),
                    Tile("reliability/latency-by-backend-over-time", 50),
                    Tile("reliability/latency-heatmap", 100),
                    Tile("reliability/latency-by-hour", 100, "matrix"),
                    requests("reliability/slowest-requests", "reliability", bars=("TotalTime",)),
                ),
                opens=(("ReliabilityRequest", "conversation", ()),),
            ),
        ),
    ),
    Tab(
        "cost",
        "Cost",
        "USD at list prices, or at your own. A model without a price is *unpriced*, not free: its requests are in no "
        "total, so a cost with unpriced requests is a lower bound. Change prices above to update every cost.",
        (
            View(
                "totals",
                "Totals",
                (
                    Tile("cost/total", 100, "kpi"),
                    Tile("cost/by-model", 50, "grid", bars=("Cost",), heats=("Share",)),
                    Tile("cost/by-subscription", 50, "grid", bars=("Cost",), heats=("Share",)),
                    Tile("cost/by-product", 50, "grid", bars=("Cost",), heats=("Share",)),
                    Tile("cost/by-team", 50, "grid", bars=("Cost",), heats=("Share",)),
                    Tile("cost/by-api", 50, "grid", bars=("Cost",), heats=("Share",)),
                    Tile("cost/by-kind", 50, "grid", bars=("Cost",), heats=("Share",)),
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
                text="Set a budget per subscription, or `(all)` for the total, for the month of the last request.",
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
                    Tile("cost/by-subscription-model-and-day", 100, "grid", bars=("Cost",), heats=("Share",)),
                    requests("cost/largest-requests", "cost", bars=("Cost",)),
                ),
                opens=(("CostRequest", "conversation", ()),),
            ),
            View(
                "save",
                "Ways to save",
                (
                    Tile("cost/smaller-model", 100, "grid", bars=("HighSavings",)),
                    Tile("cost/night-work", 100, "grid", bars=("HighSavings",), heats=("NightShare",)),
                    Tile("cost/ptu-break-even", 100, "grid", bars=("HoursAbove", "ReservedHoursAbove")),
                ),
                text="Low savings count only clear cases, high savings all that qualify. More is on the tab *Prompts*, "
                "under *Repetition and limits*.",
            ),
            View(
                "what-if",
                "What if",
                (
                    Tile(
                        "cost/what-if",
                        100,
                        "grid",
                        bars=("Saving",),
                        values={
                            "fromModel": "FromModel",
                            "toModel": "ToModel",
                            "toTier": "ToTier",
                            "toScope": "ToScope",
                        },
                    ),
                ),
                text="The same tokens at other prices.",
                parameters=("FromModel", "ToModel", "ToTier", "ToScope"),
            ),
            View(
                "prices",
                "Prices",
                (
                    Tile("prices", 100, "grid"),
                    Tile("cost/unpriced", 100, "grid", bars=("Requests",)),
                    Tile("cost/caching-savings", 100, "grid", bars=("CacheSavings",), heats=("MissedSavings",)),
                ),
                text="Your own prices replace the price book's for that model, direction and scope, in every version "
                "and region. Invalid lines are listed in the table of prices.",
            ),
            View(
                "showback",
                "Showback",
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
                text="Each team's charge: its tokens and its share of provisioned throughput. Enter the cost of each "
                "provisioned deployment in the time range.",
                parameters=("Commitments",),
            ),
        ),
    ),
    Tab(
        "health",
        "Health",
        "How reliable these numbers are: what the logs contain, what they lost, and how that affects tokens. No rows "
        "does not mean no traffic: a table that you may not read returns no rows and no error.",
        (
            View(
                "coverage",
                "Coverage",
                (
                    Tile("health/coverage-head", 100, "kpi"),
                    Tile("health/tokens-by-source", 50),
                    Tile("health/unknown-tokens", 100, "grid", bars=("Requests",), heats=("UnknownRequests",)),
                    Tile(
                        "health/coverage-by-api",
                        100,
                        "grid",
                        bars=("ToldRequests", "EstimatedRequests"),
                        heats=("UnknownRequests",),
                    ),
                    Tile("health/estimates-by-basis", 100, "grid", bars=("EstimatedTokens",)),
                    Tile("health/requests-by-hour", 100),
                    Tile("health/tables", 50, "grid", bars=("Records",)),
                    Tile("health/outside-requests", 100, "grid", bars=("Records",)),
                    Tile("health/models-seen", 50, "grid", bars=("Requests",)),
                    Tile("health/unknown-columns", 50, "grid", bars=("Records",)),
                ),
            ),
            View(
                "agreement",
                "Azure's count",
                (
                    Tile("trust/stated-errors", 50, "grid", bars=("TestedHours",)),
                    Tile("trust/past-the-gateway", 50, "grid", bars=("TokensPast",)),
                    Tile("trust/gateway-vs-account", 100),
                ),
                text="Our tokens beside Azure's own count. Needs metrics of the model accounts in AzureMetrics: route "
                "their AllMetrics to this workspace.",
            ),
            View(
                "losses",
                "Losses",
                (
                    Tile("health/llm-log-over-time", 50),
                    Tile("health/requests-by-body-state", 50),
                    Tile("health/missing-llm-rows", 50, "grid", bars=("Requests",)),
                    Tile("health/llm-rows-without-tokens", 50, "grid", bars=("Requests",)),
                    Tile("health/llm-zero-completions", 100, "grid", bars=("Requests",)),
                    Tile("health/streams-without-usage", 50, "grid", bars=("Requests",)),
                    Tile("health/body-losses", 50, "grid", bars=("Requests",)),
                    Tile("health/rows-without-partner", 50),
                    Tile("health/repeated-records", 50, "grid"),
                ),
            ),
        ),
    ),
)

#: The tabs; within a view, tiles stand in the order of the subject's notebook.
TABS = tuple(
    replace(
        tab,
        views=tuple(replace(view, tiles=as_read(tab.name, view.tiles, attrgetter("query"))) for view in tab.views),
    )
    for tab in _TABS
)

#: Queries about the invoice: cost exports are read into a lake, and no workspace has them.
OF_THE_INVOICE = (
    *("cost/focus", "cost/invoice-meters", "cost/invoice-verdict", "cost/reconciliation", "cost/remainder"),
    "cost/showback-invoice",
)
#: Other queries without a tile, and the reason.
NOT_HERE = {
    "prompts/languages": "a program detects the language",
    "prompts/topics": "a program finds the topics",
    "prompts/personal-data": "a program detects personal data",
    "prompts/personal-data-requests": "a program detects personal data",
}
