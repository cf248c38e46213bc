"""Each rule finds what is planted for it, says it with its numbers, and finds nothing in even traffic."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aoai_analytics.reporting.findings.advice import advice
from aoai_analytics.reporting.findings.rules import RULES, findings, trouble

DAY = datetime(2026, 11, 9, tzinfo=UTC)


def team(name: str, cost: float | None, error: float = 0.0) -> dict[str, Any]:
    return {"SubscriptionId": name, "Cost": cost, "CostError": error}


def deployment(name: str, counted: int, failed: int, rate: float, used: float) -> dict[str, Any]:
    return {
        "DeploymentName": name, "CountedRequests": counted, "FailedRequests": failed, "SuccessRate": rate,
        "BudgetUsed": used,
    }  # fmt: skip


#: Two even weeks in which nothing stands out.
EVEN: dict[str, list[dict[str, Any]]] = {
    "cost/by-subscription": [team("sub-a", 50.0), team("sub-b", 40.0), team("", 10.0)],
    "cost/by-day": [{"Day": DAY + timedelta(days=n), "Cost": 14.0 + n / 10, "CostError": 0.1} for n in range(7)],
    "cost/by-subscription-model-and-day": [],
    "reliability/failures-over-time": [
        {"TimeGenerated": DAY, "Outcome": "server-error", "Requests": 2, "Share": 0.5},
        {"TimeGenerated": DAY, "Outcome": "unauthorized", "Requests": 300, "Share": 43.0},
    ],
    "reliability/outcomes": [{"Outcome": "success", "Requests": 9_700}, {"Outcome": "unauthorized", "Requests": 300}],
    "reliability/throttling-by-deployment": [
        {"DeploymentName": "chat", "Requests": 9_000, "ThrottledRequests": 12, "WorstHour": DAY}
    ],
    "reliability/success-rate": [
        deployment("chat", 9_700, 2, 99.98, 2.1),
    ],
    "models/retiring": [
        {
            "ModelName": "gpt-5.1", "ModelVersion": "2025-11-13", "Status": "later", "Requests": 9_700,
            "RetirementDate": datetime(2027, 5, 15, tzinfo=UTC), "DaysLeft": 180, "Replacement": "unknown",
        }
    ],
    "cost/by-user": [{"User": f"user-{n}", "UserKind": "end user", "Cost": 10.0} for n in range(10)],
    "cost/caching-savings": [
        {"ModelName": "gpt-5.1", "FullPriceCost": 110.0, "CacheSavings": 10.0, "MissedSavings": 1.0}
    ],
    "cost/total": [{"Cost": 100.0, "Requests": 10_000, "UnknownRequests": 10, "UnpricedRequests": 5}],
    "cost/smaller-model": [],
    "cost/night-work": [],
    "cost/resent-history": [],
    "prompts/repeated": [],
    "prompts/cache-misses": [],
    "prompts/max-tokens": [],
    "cost/ptu-break-even": [],
    "models/unused-deployments": [],
}  # fmt: skip


class Planted:
    """Answers with the even weeks' rows but for those planted in the later one."""

    time_zone = "Europe/Berlin"
    words = ("", "the period before")

    def __init__(self, compared: bool = True, earlier: dict[str, Any] | None = None, **planted: list[dict[str, Any]]):
        self.earlier = EVEN | (earlier or {})
        self.rows = copy.deepcopy(EVEN) | {
            name.replace("__", "/").replace("_", "-"): of for name, of in planted.items()
        }
        self.compared = compared

    def now(self, name: str, **parameters: Any) -> list[dict[str, Any]]:
        return self.rows[name]

    latest = now

    def before(self, name: str, **parameters: Any) -> list[dict[str, Any]] | None:
        return self.earlier[name] if self.compared else None


def texts(**planted: Any) -> list[str]:
    return [finding.text for finding in findings(Planted(**planted))]


def went_wrong(**planted: Any) -> list[str]:
    return [finding.text for finding in trouble(Planted(**planted))]


def advised(**planted: Any) -> list[str]:
    return [finding.text for finding in advice(Planted(**planted))]


def test_even_traffic_has_no_findings() -> None:
    assert texts() == went_wrong() == advised() == []


def test_no_traffic_has_no_findings() -> None:
    nothing = Planted(compared=False)
    nothing.rows = {name: [] for name in EVEN}
    assert findings(nothing) == trouble(nothing) == advice(nothing) == ()


def test_a_team_whose_cost_tripled_is_named_with_the_change_and_its_range() -> None:
    costs = [team("sub-b", 121.0, error=3.0), team("sub-a", 50.0), team("", 10.0)]
    assert texts(cost__by_subscription=costs) == [
        "Team sub-b cost 81.00 USD ± 5.88 USD more than in the period before (+202.5%, 40.00 USD to 121.00 USD)."
    ]
    assert texts(cost__by_subscription=costs, compared=False) == []


def part(team: str, model: str, day: int, cost: float | None) -> dict[str, Any]:
    return {"SubscriptionId": team, "ModelName": model, "Day": DAY + timedelta(days=day), "Cost": cost}


#: 40 USD of one team in the week before.
WEEK_BEFORE = [part("sub-b", "gpt-4o", -7, 20.0), part("sub-b", "gpt-5", -6, 20.0), part("sub-a", "o3", -6, 50.0)]
SAME = [part("sub-b", "gpt-5", 0, 20.0), part("sub-a", "o3", 1, 500.0)]


@pytest.mark.parametrize(
    ("rows", "cause"),
    [
        # 101 USD on gpt-4o, where 20 were, 80 of them on the fourth day.
        (
            [*SAME, *(part("sub-b", "gpt-4o", day, 80.0 if day == 3 else 7.0) for day in range(4))],
            ", all of it on gpt-4o and most of it on 12 Nov",
        ),
        ([*SAME, *(part("sub-b", "gpt-4o", day, 101 / 7) for day in range(7))], ", all of it on gpt-4o"),
        # 74 of the 81 USD, then 61; the rest is another model's.
        (
            [*SAME, part("sub-b", "", 0, 7.0), *(part("sub-b", "gpt-4o", day, 94 / 7) for day in range(7))],
            ", nearly all of it on gpt-4o",
        ),
        ([*SAME, part("sub-b", "o3", 0, 20.25), part("sub-b", "gpt-4o", 1, 80.75)], ", 75% of it on gpt-4o"),
        ([*SAME, part("sub-b", "o3", 0, 27.0), part("sub-b", "o1", 0, 27.0), part("sub-b", "gpt-4o", 1, 47.0)], ""),
        ([*SAME, part("sub-b", "gpt-4o", 0, 101.0), part("sub-b", "gpt-9", 0, None)], ""),
        ([], ""),
    ],
)
def test_the_model_and_the_day_that_a_change_comes_from_are_named(rows: list[dict[str, Any]], cause: str) -> None:
    rose, fell = team("sub-b", 121.0), team("sub-b", 0.0)
    planted = Planted(
        earlier={"cost/by-subscription-model-and-day": WEEK_BEFORE},
        cost__by_subscription=[rose if rows else fell, team("sub-a", 50.0), team("", 10.0)],
        cost__by_subscription_model_and_day=rows,
    )
    (found,) = findings(planted)
    changed = "(+202.5%, 40.00 USD to 121.00 USD)" if rows else "(\N{MINUS SIGN}100%, 40.00 USD to 0.00 USD)"
    assert found.text.endswith(f" than in the period before {changed}{cause}.")


@pytest.mark.parametrize(
    ("on_the_day", "said"),
    [
        # 28 USD more than the 14 of other days; each team usually 7.
        (
            [part("sub-a", "gpt-4o", 3, 30.0), part("sub-b", "gpt-5", 3, 12.0)],
            " Team sub-a caused 82.1% of the rise, all of it on gpt-4o.",
        ),
        (
            [part("sub-a", "gpt-4o", 3, 7.0), part("sub-a", "o3", 3, 13.0), part("sub-a", "o1", 3, 15.0)],
            " Team sub-a caused all of the rise, 53.6% of it on o1.",
        ),
        (
            [part("sub-a", "gpt-4o", 3, 13.0), part("sub-b", "gpt-5", 3, 13.0), part("", "o3", 3, 16.0)],
            " Callers without a subscription caused 57.1% of the rise, all of it on o3.",
        ),
        ([part("sub-a", "gpt-4o", 3, 17.0), part("sub-b", "gpt-5", 3, 17.0), part("sub-c", "o3", 3, 8.0)], ""),
        ([part("sub-a", "gpt-4o", 3, 35.0), part("sub-a", "gpt-9", 3, None), part("sub-b", "gpt-5", 3, 7.0)], ""),
    ],
)
def test_the_team_and_the_model_behind_an_expensive_day_are_named(on_the_day: list[dict[str, Any]], said: str) -> None:
    rows = [part(*of, day, 7.0) for day in (0, 1, 2, 4, 5, 6) for of in (("sub-a", "gpt-4o"), ("sub-b", "gpt-5"))]
    days = [{"Day": DAY + timedelta(days=n), "Cost": 42.0 if n == 3 else 14.0, "CostError": 0.0} for n in range(7)]
    assert texts(cost__by_day=days, cost__by_subscription_model_and_day=[*rows, *on_the_day]) == [
        f"12 Nov cost 42.00 USD, 3.0 times the median day (14.00 USD).{said}"
    ]


def test_a_change_within_the_range_of_the_estimates_is_not_a_finding() -> None:
    assert texts(cost__by_subscription=[team("sub-a", 60.0, error=6.0), team("sub-b", 40.0), team("", 10.0)]) == []


def test_a_cost_that_became_unknown_did_not_fall() -> None:
    rows = copy.deepcopy(EVEN["cost/by-subscription"])
    rows[0] |= {"Cost": None, "CostError": None}
    assert texts(cost__by_subscription=rows) == []


def test_a_new_team_and_one_that_stopped_are_both_found_and_the_drop_is_good() -> None:
    planted = Planted(cost__by_subscription=[team("sub-a", 50.0), team("sub-new", 45.0), team("", 10.0)])
    found = findings(planted)
    assert [(finding.mood, finding.text) for finding in found] == [
        ("bad", "Team sub-new cost 45.00 USD more than in the period before (0.00 USD to 45.00 USD)."),
        (
            "good",
            "Team sub-b cost 40.00 USD less than in the period before (\N{MINUS SIGN}100%, 40.00 USD to 0.00 USD).",
        ),
    ]


def test_a_day_that_cost_three_times_the_usual_is_found() -> None:
    days = [{"Day": DAY + timedelta(days=n), "Cost": 42.0 if n == 3 else 14.0, "CostError": 0.5} for n in range(7)]
    assert texts(cost__by_day=days) == ["12 Nov cost 42.00 USD ± 0.98 USD, 3.0 times the median day (14.00 USD)."]


def test_an_hour_in_which_the_service_failed_is_found_in_the_report_s_zone() -> None:
    rows = [
        {"TimeGenerated": DAY + timedelta(hours=13), "Outcome": "server-error", "Requests": 80, "Share": 26.7},
        {"TimeGenerated": DAY + timedelta(hours=13), "Outcome": "throttled-backend", "Requests": 40, "Share": 13.3},
        {"TimeGenerated": DAY + timedelta(hours=14), "Outcome": "server-error", "Requests": 20, "Share": 20.0},
        {"TimeGenerated": DAY + timedelta(days=1), "Outcome": "server-error", "Requests": 10, "Share": 50.0},
        {"TimeGenerated": DAY, "Outcome": "server-error", "Requests": 50, "Share": 4.0},
    ]
    assert went_wrong(reliability__failures_over_time=rows) == [
        "From 9 Nov 2026, 14:00, for 2 hours: 140 requests failed at the service, 35% of the requests then, 70% of all "
        "service failures.",
        "From 10 Nov 2026, 01:00, for an hour: 10 requests failed at the service, 50% of the requests then, 5% of all "
        "service failures.",
    ]


def test_a_deployment_that_throttles_is_found() -> None:
    row = {"DeploymentName": "chat", "BackendHost": "aoai-1", "Requests": 9_000, "ThrottledRequests": 720}
    rows = [row | {"WorstHour": DAY, "WorstHourRequests": 90}]
    assert went_wrong(reliability__throttling_by_deployment=rows) == [
        "Deployment chat on aoai-1 throttled 720 of 9,000 requests (8%), up to 90 in an hour (from 9 Nov 2026, 01:00)."
    ]


def test_a_missed_target_is_found_and_a_handful_of_requests_is_no_evidence() -> None:
    few = {
        "DeploymentName": "few",
        "CountedRequests": 20,
        "FailedRequests": 9,
        "SuccessRate": 55.0,
        "BudgetUsed": 4500.0,
    }
    many = {
        "DeploymentName": "chat",
        "CountedRequests": 9_700,
        "FailedRequests": 291,
        "SuccessRate": 97.0,
        "BudgetUsed": 300.0,
    }
    assert texts(reliability__success_rate=[few]) == []
    assert texts(reliability__success_rate=[few, many]) == [
        "Deployment chat missed its 99% target: 97% of 9,700 requests succeeded, 291 failed."
    ]


@pytest.mark.parametrize(
    ("status", "days", "words"),
    [("soon", 41, "retires in 41 days"), ("date passed", -8, "passed its retirement date")],
)
def test_a_model_that_retires_is_found_with_its_replacement(status: str, days: int, words: str) -> None:
    row = EVEN["models/retiring"][0]
    old = row | {
        "ModelName": "gpt-4o", "ModelVersion": "2024-08-06", "Status": status, "DaysLeft": days, "Requests": 300,
        "RetirementDate": datetime(2026, 12, 26, tzinfo=UTC), "Replacement": "gpt-5.1",
    }  # fmt: skip
    assert texts(models__retiring=[old, row | {"Requests": 700}]) == [
        f"Model gpt-4o 2024-08-06 {words} (26 Dec 2026) and served 300 requests, 30% of all that "
        "models answered; replace it with gpt-5.1."
    ]


def test_one_user_with_most_of_the_cost_is_found() -> None:
    users = [{"User": "10.0.0.1", "UserKind": "address", "Cost": 64.0}]
    users += [{"User": f"user-{n}", "UserKind": "end user", "Cost": 4.0} for n in range(9)]
    assert texts(cost__by_user=users) == [
        "Address 10.0.0.1 caused 64% of the known cost (64.00 USD), the other 9 users the rest."
    ]


def test_missed_caching_is_an_upper_bound() -> None:
    rows = [
        {"ModelName": "gpt-5.1", "FullPriceCost": 80.0, "CacheSavings": 10.0, "MissedSavings": 9.0},
        {"ModelName": "gpt-4o", "FullPriceCost": 40.0, "CacheSavings": 10.0, "MissedSavings": 3.0},
    ]
    assert advised(cost__caching_savings=rows) == [
        "Prompt caching could save up to 12.00 USD (up to 12% of the cost); 75% of it on gpt-5.1: put fixed text first."
    ]


def test_what_texts_tell_of_caching_replaces_the_upper_bound() -> None:
    missed = [{"ModelName": "gpt-5.1", "FullPriceCost": 80.0, "CacheSavings": 10.0, "MissedSavings": 40.0}]
    known = [saving(4.0, 6.0, ModelName="gpt-4.1", Accounts=1)]
    (said,) = advised(cost__caching_savings=missed, prompts__cache_misses=known)
    assert said.startswith("Caching the beginnings that prompts share could save 4.00 to 6.00 USD")


def saving(low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"SubscriptionId": "sub-a", "LowSavings": low, "HighSavings": high} | more


def limits(**more: Any) -> dict[str, Any]:
    usual = {"SubscriptionId": "sub-a", "DeploymentName": "chat", "Requests": 90, "UsualLimit": 16_000}
    return usual | {"LargestResponse": 400, "ReservedTokens": 3_000} | more


@pytest.mark.parametrize(
    ("query", "rows", "said"),
    [
        (
            "cost__smaller_model",
            [saving(2.0, 6.0, ModelName="gpt-4o", SmallerModel="gpt-4o-mini", Requests=900)],
            "A smaller model for 900 short tasks could save 2.00 to 6.00 USD (2% to 6% of the cost); team sub-a uses "
            "gpt-4o, where gpt-4o-mini may do.",
        ),
        (
            "cost__night_work",
            [
                saving(3.0, 3.0, ModelName="gpt-4.1", NightShare=96.2),
                saving(0.0, 1.0, ModelName="gpt-5", NightShare=4.0),
            ],
            "Batch jobs for night work could save 3.00 to 4.00 USD (3% to 4% of the cost); team sub-a makes 96% of its "
            "requests to gpt-4.1 at night.",
        ),
        (
            "prompts__repeated",
            [saving(5.0, 5.0, User="ann", RepeatedRequests=40)],
            "Not repeating 40 requests within two minutes could save 5.00 USD (5% of the cost); most from ann: check "
            "its retries.",
        ),
        (
            "cost__resent_history",
            [saving(0.0, 8.0, User="bot", Turns=300, ResentTokens=4_000_000)],
            "Shorter histories in conversations could save up to 8.00 USD (up to 8% of the cost); bot sent 4 M tokens "
            "again in 300 turns.",
        ),
        (
            "prompts__cache_misses",
            [saving(4.0, 6.0, ModelName="gpt-4.1", Accounts=3), saving(0.0, 1.0, ModelName="gpt-5", Accounts=1)],
            "Caching the beginnings that prompts share could save 4.00 to 7.00 USD (4% to 7% of the cost); team sub-a "
            "sends the same ones to gpt-4.1, over 3 accounts: keep a caller on one account, and set prompt_cache_key.",
        ),
        (
            "cost__ptu_break_even",
            [
                saving(10.0, 30.0, Deployment="aoai-1/chat", Ptus=25, Hours=168, HoursAbove=60, ReservedHoursAbove=110),
                saving(0.0, 0.0, Deployment="aoai-2/chat", Ptus=15, Hours=168, HoursAbove=0, ReservedHoursAbove=0),
            ],
            "Provisioned throughput could save 10.00 to 30.00 USD (10% to 30% of the cost); 25 PTUs for aoai-1/chat "
            "pay off in 110 of 168 hours with a reservation, in 60 without.",
        ),
        (
            "prompts__max_tokens",
            [
                limits(ThrottledRequests=120, LowFreed=2_730, HighFreed=2_850),
                limits(ThrottledRequests=0, LowFreed=2_900, HighFreed=2_950),
                limits(ThrottledRequests=500, LowFreed=100, HighFreed=2_000),
                limits(ThrottledRequests=500, LowFreed=2_900, HighFreed=2_900, Requests=3),
                limits(ThrottledRequests=0, LowFreed=2_900, HighFreed=2_900, Requests=400),
            ],
            "A lower max_tokens could free 91% to 95% of the quota that the requests of team sub-a to chat reserve: "
            "they ask for 16,000 tokens and get 400 at most, and 120 were throttled.",
        ),
        (
            "prompts__max_tokens",
            [limits(ThrottledRequests=0, LowFreed=2_850, HighFreed=2_850, Requests=600)],
            "A lower max_tokens could free 95% of the quota that the requests of team sub-a to chat reserve: they ask "
            "for 16,000 tokens and get 400 at most.",
        ),
        (
            "models__unused_deployments",
            [
                {"DeploymentName": name, "Reason": reason}
                for name, reason in (("old", "no success lately"), ("typo", "does not exist"))
            ],
            "1 deployment had no success for 7 days (old): delete what is idle, and what is provisioned first.",
        ),
    ],
)
def test_a_way_to_save_is_said_with_its_range(query: str, rows: list[dict[str, Any]], said: str) -> None:
    assert advised(**{query: rows}) == [said]


def test_a_saving_that_is_hardly_any_is_not_advised() -> None:
    assert advised(cost__night_work=[saving(1.9, 1.9, ModelName="gpt-5", NightShare=90.0)]) == []


def test_requests_without_a_cost_are_said() -> None:
    assert texts(cost__total=[{"Requests": 1_000, "UnknownRequests": 70, "UnpricedRequests": 0}]) == [
        "The cost leaves out 7% of the requests: 70 have unknown tokens."
    ]


def test_the_weightiest_five_are_kept_and_each_names_its_query() -> None:
    planted = Planted(
        cost__total=[{"Requests": 1_000, "UnknownRequests": 400, "UnpricedRequests": 300}],
        cost__by_subscription=[team("sub-b", 400.0), team("sub-a", 5.0)],
        models__retiring=[EVEN["models/retiring"][0] | {"Status": "date passed", "DaysLeft": -8}],
        reliability__success_rate=[deployment("chat", 9_700, 291, 97.0, 300.0)],
        cost__by_user=[
            {"User": f"user-{n}", "UserKind": "end user", "Cost": 90.0 if n == 0 else 1.0} for n in range(9)
        ],
        cost__by_day=[{"Day": DAY, "Cost": 90.0 if n == 3 else 1.0, "CostError": None} for n in range(7)],
    )
    found = findings(planted)
    assert len(found) == 5 < sum(1 for rule in RULES for _ in rule(planted))
    assert [finding.weight for finding in found] == sorted((finding.weight for finding in found), reverse=True)
    assert {finding.query for finding in found} <= EVEN.keys()
