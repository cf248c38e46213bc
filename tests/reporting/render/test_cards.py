"""The numbers at a page's top come from what the page shows, and fit its subject."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
import pytest

from aoai_analytics.charts.cards import cards, cards_of
from aoai_analytics.config import settings
from aoai_analytics.library import library
from aoai_analytics.reporting.render.cards import page_cards
from aoai_analytics.reporting.render.pages import Page

BUDGET = "Scope,State,ProjectedCost,LowCost,HighCost"


def page(name: str, budgets: str = "", **csv: str) -> Page:
    answers: list[dict[str, Any]] = []
    for key, text in csv.items():
        query = library().get(key.replace("__", "/").replace("_", "-"))
        rows = pd.read_csv(io.StringIO(text)).to_dict("records")
        kql = query.bind(budgets=budgets) if budgets and "budgets" in query.parameters else query.text
        answers.append(
            {"name": query.name, "kql": kql, "csv": text, "cards": cards(query, rows[0]) if cards_of(query) else ()}
        )
    return Page(name, title=name, head={"time_zone": "UTC"}, answers=answers)


def shown(made: Page, *others: Page) -> dict[str, tuple[str, str]]:
    return {card["label"]: (card["value"], card["more"]) for card in page_cards(made, [made, *others])}


def test_cost_has_its_range_change_forecast_budgets_and_estimated_share() -> None:
    cost = page(
        "cost",
        cost__total="Cost,CostMargin,NotIncludedRequests,EstimatedShare,CacheSavings,FullPriceCost\n200.5,9.8,1,18.5,4,204.5\n",
        cost__budget=f"{BUDGET}\n(all),over,400,380,420\nsub-a,within,20,,\nsub-b,,3,,\n",
    )
    overview = Page("overview", "Overview", overview={"measures": [{"label": "Cost in USD", "change": "+2.50 (+25%)"}]})
    assert shown(cost, overview) == {
        "Cost in USD": (
            "\N{GREATER-THAN OR EQUAL TO} 200.50",
            "\N{PLUS-MINUS SIGN} 9.80 USD (95%), 1 request not included",
        ),
        "Change from the period before": ("+2.50", "+25%"),
        "Month's forecast in USD": ("400.00", "380.00 to 420.00 (95%)"),
        "Budgets exceeded": ("1 of 2", "spent or expected"),
        "Estimated share": ("18.5%", "of the cost"),
    }


@pytest.mark.parametrize(
    ("budgets", "only", "card"),
    [
        ("", "", ("Budgets", "none set", "[budgets] in aoai.toml")),
        ("sub-idle=much,5,sub-idle", "", ("Budgets", "none set", "[budgets] in aoai.toml")),
        (" sub-idle = 120.5", "", ("Budget of sub-idle in USD", "120.50", "no traffic this month")),
        ("sub-idle=5,sub-gone=6", "", ("Budgets", "2 set", "none of them has traffic this month")),
        ("sub-idle=5", '["Team=legal"]', ("Budgets", "1 set", "none of what this report covers")),
    ],
)
def test_a_budget_of_a_team_without_traffic_is_one_that_is_set(
    monkeypatch: pytest.MonkeyPatch, budgets: str, only: str, card: tuple[str, str, str]
) -> None:
    settings.cache_clear()
    monkeypatch.setenv("AOAI_ONLY", only or "[]")
    total = "Cost,CostMargin,NotIncludedRequests,EstimatedShare,CacheSavings,FullPriceCost\n200.5,9.8,1,18.5,4,204.5\n"
    cost = page("cost", budgets, cost__total=total, cost__budget=f"{BUDGET}\n(all),,400,,\nsub-a,,20,,\n")
    label, *said = card
    assert shown(cost)[label] == tuple(said)
    settings.cache_clear()


def test_the_change_of_a_part_of_the_period_says_which_part() -> None:
    cost = page("cost", cost__total="Cost,CostMargin,NotIncludedRequests,EstimatedShare\n200.5,9.8,0,18.5\n")
    measures = [{"label": "Cost in USD", "change": "+2.50 (+25%)"}]
    overview = Page("overview", "Overview", overview={"measures": measures, "latest": "9 Nov 2026 to 15 Nov 2026"})
    assert shown(cost, overview)["Change from the days before"] == ("+2.50", "+25%, 9 Nov 2026 to 15 Nov 2026")


def test_reliability_has_one_success_rate_with_its_bridge_and_the_worst_hour() -> None:
    reliability = page(
        "reliability",
        reliability__outcomes=(
            "Outcome,Requests,P95Time\nsuccess,850,2500\nserver-error,40,\nthrottled-gateway,60,\nunauthorized,50,\n"
        ),
        reliability__success="Requests,FailedRequests,SuccessRate,AnsweredShare,FailedShare\n1000,40,95.506,85,4\n",
        reliability__failures_over_time=(
            "TimeGenerated,Outcome,Requests\n2026-11-09T13:00:00+00:00,server-error,30\n"
            "2026-11-09T14:00:00+00:00,server-error,10\n2026-11-09T14:00:00+00:00,unauthorized,50\n"
        ),
    )
    assert shown(reliability) == {
        "Success rate": ("95.5%", "85% with callers' errors"),
        "Failed at the service": ("40", "4% of 1,000 requests"),
        "95% of answers within": ("2.5 s", "total time"),
        "Throttled": ("60", "60 by the gateway's limits"),
        "Worst hour": ("9 Nov 2026, 13:00", "30 service failures"),
    }


def test_a_page_without_such_answers_has_no_cards_of_its_own() -> None:
    assert [page_cards(page(name), []) for name in ("cost", "reliability", "users", "models", "prompts", "health")] == [
        []
    ] * 6
