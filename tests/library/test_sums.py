"""Which columns add up over an answer's rows is read from the query's text, and nothing is guessed."""

from __future__ import annotations

import pytest

from aoai_analytics.library import library
from aoai_analytics.library.sums import summed

GROUPED = """let topN = 20;
AoaiRequests
| extend IsBilled = TokenSource != "not-billed"
| summarize Requests = count(), Failed = countif(ResponseCode >= 400), Tokens = sum(TotalTokens) + 0 * max(TotalTokens),
    Cost = round(sum(Cost), 2), Mean = avg(TotalTokens), Largest = max(TotalTokens), Users = dcount(User),
    Rate = sum(TotalTokens) / count(), Error = round(sqrt(sum(TokensOwnVariance)), 1)
    by SubscriptionId
"""
SUMS = {"Requests", "Failed", "Tokens", "Cost"}


@pytest.mark.parametrize(
    ("after", "sums"),
    [
        ("", SUMS),
        ("| where Requests > 5 | sort by Tokens desc | take topN", SUMS),
        ("| top 20 by Tokens", SUMS),
        ("| extend Tokens = Tokens / Requests, Share = 100.0 * Cost / 7", {"Requests", "Failed", "Cost"}),
        ("| project SubscriptionId, Calls = Requests, Cost = iff(Requests > 3, Cost, real(null))", {"Calls", "Cost"}),
        ("| project SubscriptionId, Tokens = round(Tokens, 1), Failed = max_of(Failed, 1)", {"Tokens"}),
        ("| project-away Cost", {"Requests", "Failed", "Tokens", "Cost"}),
        ("| summarize Groups = count(), Most = max(Tokens) by Rate", {"Groups"}),
    ],
)
def test_sums_and_counts_of_groups_add_up_until_something_else_takes_their_place(after: str, sums: set[str]) -> None:
    assert summed(GROUPED + after, 19) == sums


@pytest.mark.parametrize(
    "kql",
    [
        GROUPED + "| take topN",
        GROUPED + "| top 19 by Tokens",
        GROUPED + "| lookup kind=leftouter (AoaiPrices) on ModelName",
        GROUPED.replace("| extend", "| mv-expand Kind = Kinds\n| extend"),
        GROUPED.replace("| extend", "| take 1000\n| extend"),
        GROUPED.replace("AoaiRequests", "let All = union AoaiRequests, AoaiRequests;\nAll"),
        GROUPED.replace("AoaiRequests", "AoaiDailyForecast"),
        GROUPED.replace("by SubscriptionId", ""),
        "AoaiRequests | take 5",
        "not KQL (",
    ],
)
def test_nothing_adds_up_where_rows_may_overlap_or_be_left_out(kql: str) -> None:
    assert summed(kql, 20) == frozenset()


def test_queries_of_the_library_add_up_where_their_rows_are_parts() -> None:
    def of(name: str) -> frozenset[str]:
        return summed(library().get(name).text, 3)

    tokens = {"Requests", "PromptTokens", "CompletionTokens", "TotalTokens", "EstimatedTokens", "UnknownRequests"}
    assert tokens <= of("users/top") and "Subscriptions" not in of("users/top")
    assert {"Requests", "Cost", "EstimatedCost"} <= of("cost/by-day")
    # Budgets are of teams and of all; kinds of personal data are in the same prompts; limits are no parts.
    assert not any(map(of, ("cost/budget", "prompts/personal-data", "prompts/max-tokens", "tokens/forecast-month")))
