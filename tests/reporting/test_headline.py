"""The few numbers that stand for a report."""

from __future__ import annotations

from typing import Any

import pytest

from aoai_analytics.reporting.headline import COST, SUCCESS, headline_numbers, money_and_success, of_coverage, percent
from aoai_analytics.reporting.pages import Page

COVERAGE = {"Requests": 100, "KnownTokens": 900, "EstimatedTokens": 100, "UnknownRequests": 5, "NotBilledRequests": 10}
COSTS = "Cost,UnpricedRequests,UnknownRequests\r\n12.5,3,4\r\n"
RATES = "DeploymentName,CountedRequests,FailedRequests\r\nchat,90,1\r\n(none),10,1\r\n"


def answer(name: str, csv: str, **more: Any) -> dict[str, Any]:
    rows = csv.count("\r\n") - 1
    return {"name": name, "csv": csv, "rows": rows, "csv_rows": rows, "problems": ()} | more


def page(*answers: dict[str, Any], coverage: dict[str, Any] | None = COVERAGE) -> Page:
    return Page("a", "A", head={"numbers": coverage} if coverage else None, answers=list(answers))


def test_they_come_from_the_head_and_from_the_answers_of_any_page() -> None:
    found = headline_numbers([page(coverage=None), page(answer(SUCCESS, RATES)), page(answer(COST, COSTS))])
    assert found == {
        "Requests": 100,
        "Tokens": 1_000,
        "EstimatedTokens": 100,
        "UnknownRequests": 5,
        "FirstRequest": None,
        "LastRequest": None,
        "Cost": 12.5,
        "UncostedRequests": 7,
        "SuccessRate": 98.0,
    }


@pytest.mark.parametrize(
    "doubt",
    [
        answer(COST, COSTS, problems=({"where": "x", "what": "rows were left out"},)),
        answer(COST, "Cost,UnpricedRequests,UnknownRequests\r\n,3,4\r\n"),
        answer(COST, COSTS, rows=2),
        answer(SUCCESS, RATES, rows=9_000, csv_rows=5_000),
        answer(SUCCESS, "DeploymentName,CountedRequests,FailedRequests\r\nchat,0,0\r\n"),
    ],
)
def test_what_is_in_doubt_or_only_there_in_part_is_unknown(doubt: dict[str, Any]) -> None:
    found = headline_numbers([page(doubt)])
    assert found["Cost"] is None and found["UncostedRequests"] is None and found["SuccessRate"] is None


@pytest.mark.parametrize(
    ("coverage", "tokens"),
    [
        ({}, None),
        ({"Requests": 0, "KnownTokens": None, "UnknownRequests": 0}, None),
        ({"Requests": 9, "KnownTokens": 0, "UnknownRequests": 9}, None),
        ({"Requests": 9, "KnownTokens": 0, "UnknownRequests": 4, "NotBilledRequests": 5}, None),
        ({"Requests": 9, "KnownTokens": 0, "UnknownRequests": 0, "NotBilledRequests": 9}, 0),
        ({"Requests": 9, "KnownTokens": 7, "UnknownRequests": 8}, 7),
    ],
)
def test_a_sum_over_requests_that_nothing_is_known_of_is_unknown(coverage: dict[str, Any], tokens: int | None) -> None:
    assert of_coverage(coverage)["Tokens"] == tokens


def test_cost_and_success_rate_are_shown_where_they_are_known() -> None:
    assert money_and_success({"Cost": None, "SuccessRate": None}) == []
    cost, success = money_and_success({"Cost": 12.5, "UncostedRequests": 1, "SuccessRate": 99.99})
    assert (cost["value"], cost["marked"]) == ("≥ 12.50", True)
    assert (success["value"], success["marked"]) == ("99.99%", False)
    assert money_and_success({"Cost": 0.0, "UncostedRequests": 0})[0]["value"] == "0.00"
    assert money_and_success({"Cost": 1148.97, "UncostedRequests": 7})[0]["value"] == "≥ 1,149"


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0%"), (0.01, "< 0.1%"), (12.34, "12.3%"), (99.96, "99.96%"), (99.9999, "> 99.99%"), (100, "100%")],
)
def test_a_share_never_rounds_to_nothing_or_to_all(share: float, said: str) -> None:
    assert percent(share) == said
