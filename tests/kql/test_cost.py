"""Cost: every question has its worked-out answer, the rules of AoaiCosts hold, and sums meet the truth."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.export.workbook.layout import OF_THE_INVOICE
from aoai_analytics.library.queries import library
from aoai_analytics.prices import price_functions, shipped_book
from aoai_analytics.prices.functions import Placed
from aoai_analytics.schema.tables import REQUESTS
from tests.kql.cases import REST, cases, engine_over

#: Questions about the invoice have planted answers: tests/prices/test_reconciliation.py.
COST = [query.name for query in library() if query.section == "cost" and query.name not in OF_THE_INVOICE]
#: What could be saved on requests with a known cost: no sum of cost.
SAVINGS = ("cost/what-if", "cost/smaller-model", "cost/night-work", "cost/resent-history", "cost/ptu-break-even")
AT = {"TimeGenerated": "2026-11-02 08:00", "TokenSource": "usage", "CompletionTokens": "0"}


def costs(
    requests: list[dict[str, Any]], folder: Path, functions: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """What AoaiCosts says of requests, in their order."""
    frame = engine_over([AT | request for request in requests], folder / "lake", functions).query("AoaiCosts").frame
    rows = {row["CorrelationId"]: row for row in frame.to_dict("records")}
    return [rows[f"r{number}"] for number in range(1, len(requests) + 1)]


@pytest.mark.parametrize("name", COST)
def test_a_question_of_cost_has_an_answer_worked_out_by_hand_in_every_column(name: str) -> None:
    asked = [asked for case in cases() if case.query == name for asked in case.asked if asked.rows]
    assert any(asked.columns[-1] != REST for asked in asked), f"tests/kql/cases/{name}.txt names not all columns"


@pytest.mark.parametrize("name", COST)
def test_a_sum_of_cost_tells_what_is_not_in_it(name: str) -> None:
    query = library().get(name)
    if name not in ("cost/largest-requests", "cost/unpriced", "cost/provisioned", *SAVINGS):
        assert "UnpricedRequests" in query.units and "UnknownRequests" in query.units


def test_a_price_holds_from_its_day_on_and_not_before(tmp_path: Path) -> None:
    day = {"ModelName": "gpt-4.1", "ModelVersion": "2025-04-14", "PromptTokens": "1000", "CachedTokens": "0"}
    before, after = costs(
        [day | {"TimeGenerated": "2025-03-31 23:59"}, day | {"TimeGenerated": "2025-04-01 00:00"}], tmp_path
    )
    assert before["CostState"] == "unpriced" and math.isnan(before["Cost"])
    assert after["CostState"] == "priced" and after["Cost"] == pytest.approx(0.002)


def test_of_two_prices_the_later_one_holds_from_its_day_on(tmp_path: Path) -> None:
    functions = price_functions(shipped_book())
    later = '    "gpt-4.1", "", "global", "", "default", 0, datetime(2026-11-02), "prompt=3",\n    "gpt-4o-mini"'
    functions["AoaiPrices"] = functions["AoaiPrices"].replace('    "gpt-4o-mini"', later, 1)
    day = {"ModelName": "gpt-4.1", "PromptTokens": "1000", "CachedTokens": "100", "CompletionTokens": "10"}
    first, second = costs([day | {"TimeGenerated": "2026-11-01 23:59"}, day], tmp_path, functions)
    assert first["PromptPrice"] == 2.0 and second["PromptPrice"] == 3.0
    assert first["CachedPrice"] == second["CachedPrice"] == 0.5
    assert second["Cost"] == pytest.approx((900 * 3 + 100 * 0.5 + 10 * 8) / 1e6)


@pytest.mark.skipif("ServiceTier" not in REQUESTS.columns, reason="needs ServiceTier in AoaiRequests")
def test_the_tier_of_the_answer_the_prompt_s_length_and_cache_writes_decide_the_price(tmp_path: Path) -> None:
    usual = {"ModelVersion": "", "CachedTokens": "0", "PromptTokens": "1000", "CompletionTokens": "1000"}
    luna = usual | {"ModelName": "gpt-5.6-luna"}
    rows = costs(
        [
            usual | {"ModelName": "gpt-4.1", "ServiceTier": "priority"},
            usual | {"ModelName": "gpt-5", "ServiceTier": "flex"},
            usual | {"ModelName": "gpt-4o-mini", "ModelVersion": "2024-07-18", "ServiceTier": "priority"},
            luna | {"PromptTokens": "8823", "CacheWriteTokens": "8820", "CompletionTokens": "20"},
            usual | {"ModelName": "gpt-5.4", "PromptTokens": "272001"},
        ],
        tmp_path,
    )
    priority, flex, none, written, long = rows
    assert priority["Cost"] == pytest.approx((1000 * 3.5 + 1000 * 14) / 1e6) == pytest.approx(0.0175)
    assert flex["Cost"] == pytest.approx((1000 * 0.625 + 1000 * 5) / 1e6)
    assert none["CostState"] == "unpriced" and math.isnan(none["Cost"])
    assert written["Cost"] == pytest.approx((3 * 0.2 + 8820 * 0.25 + 20 * 1.2) / 1e6)
    parts = ("PromptCost", "CachedCost", "CacheWriteCost", "CompletionCost")
    assert written["Cost"] == pytest.approx(sum(written[part] for part in parts))
    assert long["Cost"] == pytest.approx((272001 * 5 + 1000 * 22.5) / 1e6)


def test_claude_s_writes_to_the_cache_for_an_hour_cost_twice_the_prompt_others_a_quarter_more(tmp_path: Path) -> None:
    """Anthropic's price list: a write is 1.25 times the input for 5 minutes, 2 times for an hour."""
    million = {"ModelName": "claude-haiku-4-5", "ModelVersion": "20251001", "PromptTokens": "3000000"}
    million |= {"CachedTokens": "0", "CacheWriteTokens": "2000000"}
    both, short, untold = costs(
        [million | {"CacheWriteHourTokens": hour} for hour in ("1000000", "0", "null")], tmp_path
    )
    assert both["CacheWriteCost"] == pytest.approx(1.25 + 2)
    assert both["Cost"] == pytest.approx(1 + 1.25 + 2)
    assert short["Cost"] == untold["Cost"] == pytest.approx(1 + 2 * 1.25)
    assert both["CacheWriteTokens"] == 2_000_000


@pytest.mark.parametrize(
    ("placed", "price"),
    [
        ({}, 1.1),
        ({"chat-prod": Placed("regional", "swedencentral")}, 1.331),
        ({"chat-prod": Placed("data-zone", "eastus2"), "aoai-1/chat-prod": Placed("data-zone", "japaneast")}, 1.32),
        ({"aoai-2/chat-prod": Placed("regional", "swedencentral")}, 1.1),
        ({"chat-prod": Placed("regional", "mars")}, None),
        ({"chat-prod": Placed("regional")}, None),
    ],
    ids=str,
)
def test_a_deployment_is_billed_in_its_scope_and_region(
    placed: dict[str, Placed], price: float | None, tmp_path: Path
) -> None:
    functions = price_functions(shipped_book(), placed)
    asked = {"ModelName": "o4-mini", "ModelVersion": "2025-04-16", "PromptTokens": "10"}
    (row,) = costs([asked], tmp_path, functions)
    if price is None:
        assert row["CostState"] == "unpriced" and math.isnan(row["Cost"])
    else:
        assert row["PromptPrice"] == price and row["Cost"] == pytest.approx(price * 10 / 1e6)


def test_tokens_of_a_provisioned_deployment_cost_nothing_by_themselves(tmp_path: Path) -> None:
    functions = price_functions(shipped_book(), {"aoai-1/chat-prod": Placed("provisioned")})
    (row,) = costs([{"PromptTokens": "1000", "CompletionTokens": "1000"}], tmp_path, functions)
    assert (row["CostState"], row["Cost"], row["Scope"]) == ("provisioned", 0.0, "provisioned")


def test_a_factor_of_a_thousand_would_be_seen(tmp_path: Path) -> None:
    (row,) = costs([{"PromptTokens": "1000000", "CachedTokens": "0", "CompletionTokens": "1000000"}], tmp_path)
    assert row["Cost"] == 12.5


def test_a_long_prompt_of_unknown_caching_is_taken_as_half_cached_without_evidence_and_any_share_is_in_its_error(
    tmp_path: Path,
) -> None:
    short, long = costs(
        [{"PromptTokens": "1023", "CachedTokens": None}, {"PromptTokens": "10000", "CachedTokens": None}], tmp_path
    )
    assert not short["IsCacheEstimated"] and short["CostError"] == short["CostSharedError"] == 0
    # 10,000 tokens cost 0.025 if none is cached and 0.0125 if all are; evenly likely between, sqrt(1/12) of that apart.
    assert long["IsCacheEstimated"] and long["Cost"] == pytest.approx(0.01875)
    assert long["CostSharedError"] == pytest.approx(0.0125 / math.sqrt(12))


def test_tokens_of_a_model_that_no_log_names_cost_what_the_subscription_s_others_do_on_average(tmp_path: Path) -> None:
    tokens = {"PromptTokens": "1000", "CachedTokens": "0", "CompletionTokens": "100"}
    named = [{"ModelName": "gpt-4.1", "SubscriptionId": "a"} | tokens] * 12
    named += [{"ModelName": "gpt-4.1-nano", "SubscriptionId": "a"} | tokens] * 12
    named += [{"ModelName": "gpt-4.1-nano", "SubscriptionId": "b"} | tokens] * 12
    unknown = {"PromptTokens": "null", "CompletionTokens": "null", "TokenSource": "none"}
    nameless = {"ModelName": ""}
    of_a, of_b, of_c, counts_nothing, is_free, *priced = costs(
        [
            nameless | {"SubscriptionId": "a"} | tokens,
            nameless | {"SubscriptionId": "b"} | tokens,
            nameless | {"SubscriptionId": "c"} | tokens,
            nameless | {"SubscriptionId": "a"} | unknown,
            nameless | {"SubscriptionId": "a", "TokenSource": "not-billed", "PromptTokens": "0"},
            *named,
        ],
        tmp_path,
    )
    # A million tokens of gpt-4.1 cost 2 and 8 USD, of gpt-4.1-nano 0.1 and 0.4: on average 1.05 and 4.2.
    assert of_a["Cost"] == pytest.approx(1000 * 1.05e-6 + 100 * 4.2e-6)
    of_all = 12 / 36 * 2 + 24 / 36 * 0.1, math.sqrt(12 / 36 * 24 / 36) * 1.9
    error = math.sqrt(0.95**2 + of_all[1] ** 2 / 24)
    assert of_a["CostSharedError"] == pytest.approx((1000 + 100 * 4) * error * 1e-6)
    # One model alone is its price, as well as 12 requests can tell that there is no other.
    assert of_b["Cost"] == pytest.approx(1000 * 0.1e-6 + 100 * 0.4e-6)
    assert of_b["CostSharedError"] == pytest.approx((1000 + 100 * 4) * of_all[1] / math.sqrt(12) * 1e-6)
    # Of c nothing is known: what all cost.
    assert of_c["Cost"] == pytest.approx((1000 + 100 * 4) * of_all[0] * 1e-6)
    assert of_c["CostSharedError"] == pytest.approx((1000 + 100 * 4) * of_all[1] * 1e-6)
    assert [of_a["CostState"], counts_nothing["CostState"], is_free["CostState"]] == [
        "priced",
        "unpriced",
        "not-billed",
    ]
    assert [row["IsPriceEstimated"] for row in (of_a, of_b, of_c, counts_nothing, is_free)] == [True] * 3 + [False] * 2
    assert not any(row["IsPriceEstimated"] for row in priced)


def test_the_cached_share_of_a_long_prompt_is_that_of_its_team_and_model(tmp_path: Path) -> None:
    told = [{"PromptTokens": "2000", "CachedTokens": "1000" if i % 2 else "1500"} for i in range(12)]
    others = [{"PromptTokens": "2000", "CachedTokens": "0", "SubscriptionId": "sub-b"} for _ in range(12)]
    asked = [
        {"PromptTokens": "4000", "CachedTokens": None},
        {"PromptTokens": "4000", "CachedTokens": None, "SubscriptionId": "sub-new"},
    ]
    own, new = costs([*asked, *told, *others], tmp_path)[:2]
    assert own["CacheSavings"] == pytest.approx(4000 * 0.625 * 1.25 / 1e6)
    assert new["CacheSavings"] == pytest.approx(4000 * 0.3125 * 1.25 / 1e6)
    # Of sub-a six prompts are 250 tokens above the mean and six below: the sum of squares is 12 x 250^2, times 12/11.
    residual = 12 * 250**2 * 12 / 11
    assert own["CostError"] == pytest.approx(math.sqrt(residual / (12 * 2000**2)) * 4000 * 1.25 / 1e6)
    assert own["CostSharedError"] == pytest.approx(math.sqrt(residual) / 24000 * 4000 * 1.25 / 1e6)
    assert new["CostSharedError"] > own["CostSharedError"]


def test_amounts_shown_back_add_up_to_the_cent_whatever_the_costs_are(tmp_path: Path) -> None:
    requests = [
        AT | {"SubscriptionId": f"sub-{i % 23:02}", "PromptTokens": str(37 * i), "CachedTokens": "0"}
        for i in range(1, 400)
    ]
    engine = engine_over(requests, tmp_path / "lake")
    showback = engine.query(library().get("cost/showback").text).frame
    total = engine.query("AoaiCosts | summarize Cost = sum(Cost)").frame["Cost"].iloc[0]
    assert showback["AmountCents"].sum() == round(100 * total)
    assert ((showback["AmountCents"] - 100 * showback["TokenCost"]).abs() < 1).all()


@pytest.fixture(scope="module")
def real(shared_lake: Path) -> Iterator[LocalEngine]:
    engine = LocalEngine.open(shared_lake)
    yield engine
    engine.close()


def test_the_cost_of_real_shaped_logs_is_the_truth_s_within_its_error(real: LocalEngine, shared_data: Path) -> None:
    truth: Counter[str] = Counter()
    with (shared_data / "truth.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            truth[row["DeploymentName"]] += float(row["CostUSD"] or 0)
    # truth.csv counts a refused prompt as free, where Azure charges for it: those are left out on both sides.
    frame = real.query(
        "AoaiCosts | where Outcome != 'content-filter' "
        "| summarize Cost = sum(Cost), Error = sqrt(sum(CostOwnVariance) + pow(sum(CostSharedError), 2)) "
        "by DeploymentName"
    ).frame
    for name, cost, error in frame.itertuples(index=False):
        assert abs(cost - truth[name]) <= 2 * error + 1e-6, (name, cost, truth[name], error)
    total = real.query(library().get("cost/total").text).frame.iloc[0]
    refused = real.query("AoaiCosts | where Outcome == 'content-filter' | summarize Cost = sum(Cost)").frame.iloc[0, 0]
    assert total["LowCost"] <= sum(truth.values()) + refused <= total["HighCost"]
    assert abs((total["Cost"] - refused) / sum(truth.values()) - 1) < 0.02
    assert total["UnpricedRequests"] > 0


def test_no_row_s_cost_is_zero_because_its_price_is_unknown(real: LocalEngine) -> None:
    frame = real.query("AoaiCosts | where CostState in ('unpriced', 'unknown-tokens') | where isnotnull(Cost)").frame
    assert frame.empty
    frame = real.query("AoaiCosts | where CostState == 'priced' and Cost == 0 and TotalTokens > 0").frame
    assert frame.empty
