"""The few numbers that stand for a report."""

from __future__ import annotations

from typing import Any

import pytest

from aoai_analytics.format.numbers import percent
from aoai_analytics.reporting.render.headline import (
    COST,
    NOTHING,
    SUCCESS,
    headline_numbers,
    money_and_success,
    of_coverage,
)

COVERAGE = {"Requests": 100, "KnownTokens": 900, "EstimatedTokens": 100, "UnknownRequests": 5, "NotBilledRequests": 10}
COSTS = {"name": COST, "totals": {"Cost": 12.5, "UnpricedRequests": 3.0, "UnknownRequests": 4.0, "Requests": 100.0}}
RATES = {"name": SUCCESS, "totals": {"CountedRequests": 100.0, "FailedRequests": 2.0}}


def test_they_come_from_the_coverage_and_the_totals_of_the_answers() -> None:
    assert headline_numbers(COVERAGE, [RATES, COSTS]) == {
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
    assert headline_numbers(None, []) == NOTHING


@pytest.mark.parametrize(
    "doubt",
    [
        {"name": COST, "totals": {}},
        {"name": COST},
        {"name": COST, "totals": {"Cost": None, "UnpricedRequests": 3.0, "UnknownRequests": 4.0}},
        {"name": SUCCESS, "totals": {"CountedRequests": 0.0, "FailedRequests": 0.0}},
        {"name": "tokens/total", "totals": {"Cost": 3.0, "CountedRequests": 4.0}},
    ],
)
def test_what_is_in_doubt_is_unknown(doubt: dict[str, Any]) -> None:
    found = headline_numbers(COVERAGE, [doubt])
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
