"""The default mix has everything it promises, and says how much of it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import datetime, timedelta

import pytest

BODIES = {"requestBody", "responseBody", "backendRequestBody", "backendResponseBody"}
FEATURES = {
    "surfaces": lambda row, p: row["Surface"] in ("images", "audio", "other"),
    "the classic API": lambda row, p: "/openai/deployments/" in p["url"] and "api-version=" in p["url"],
    "the v1 API": lambda row, p: "/openai/v1/" in p["url"],
    "reasoning tokens": lambda row, p: int(row["ReasoningTokens"]) > 0,
    "cached tokens": lambda row, p: int(row["CachedTokens"]) > 0,
    "a traced failover": lambda row, p: row["Outcome"] == "success" and "code=429" in str(p.get("traceRecords")),
    "a cache hit with usage in its body": lambda row, p: p["cache"] == "hit" and '"usage"' in p.get("responseBody", ""),
    "left before a backend was asked": lambda row, p: p["responseCode"] == 499 and "backendUrl" not in p,
    "left while streaming": lambda row, p: p["responseCode"] == 499 and p.get("backendResponseCode") == 200,
    "throttled by the gateway": lambda row, p: p.get("lastError", {}).get("source") == "llm-token-limit",
    "throttled by every backend": lambda row, p: row["Outcome"] == "throttled-backend" and row["Attempts"] == "3",
    "a stream with usage": lambda row, p: row["Stream"] == "1" and "include_usage" in p.get("requestBody", ""),
    "a user in the body": lambda row, p: '"user":"user-' in p.get("requestBody", ""),
    "a safety identifier in the body": lambda row, p: '"safety_identifier":"user-' in p.get("requestBody", ""),
    "a caller in a trace": lambda row, p: "InferenceCaller|id=user-" in str(p.get("traceRecords")),
    "an APIM user": lambda row, p: p.get("userId", "").startswith("user-"),
    "a tool": lambda row, p: '"tools":' in p.get("requestBody", ""),
    "a tool call": lambda row, p: '"tool_calls":' in p.get("responseBody", ""),
    "an image": lambda row, p: '"image_url"' in p.get("requestBody", ""),
    "Japanese": lambda row, p: "請求書" in row["PromptText"],
    "Japanese, escaped": lambda row, p: "\\u" in p.get("requestBody", ""),
    "an emoji": lambda row, p: "🎉" in row["PromptText"],
    "an accent": lambda row, p: "é" in row["PromptText"],
    "code": lambda row, p: "def " in row["PromptText"],
    "a long document": lambda row, p: len(row["PromptText"]) > 20_000,
    "markup": lambda row, p: "<script>" in row["PromptText"] + row["ResponseText"],
    "a formula": lambda row, p: "=HYPERLINK(" in row["PromptText"] + row["ResponseText"],
    "control characters": lambda row, p: "\x1b[31m" in row["PromptText"] + row["ResponseText"],
    "a quoted usage in a prompt": lambda row, p: '"prompt_tokens":999999' in row["PromptText"],
    "a quoted usage in an answer": lambda row, p: "999999" in row["ResponseText"],
    "stripped entries": lambda row, p: row["BodyState"] == "stripped" and not BODIES & set(p),
    "an API that logs no bodies": lambda row, p: row["ApiId"] == "azure-openai-legal" and not BODIES & set(p),
    "IPv6": lambda row, p: row["CallerIpAddress"].startswith("2001:db8:"),
}


@pytest.mark.parametrize("feature", FEATURES)
def test_the_default_mix_has(sample, feature):
    assert sum(FEATURES[feature](row, record["properties"]) for row, record in sample.requests()) >= 2


def test_the_default_mix_has_every_outcome_surface_and_model(sample):
    assert {row["Outcome"] for row in sample.truth} == {
        "success", "cache-hit", "throttled-gateway", "throttled-backend", "content-filter", "unauthorized", "not-found",
        "client-error", "server-error", "client-closed",
    }  # fmt: skip
    assert {row["Surface"] for row in sample.truth} == {
        "chat", "completions", "responses", "embeddings", "images", "audio", "other",
    }  # fmt: skip
    # Fourteen, '' where no model was found, and gpt-image-1, which is too rare to count on.
    assert len({row["ModelName"] for row in sample.truth} - {"gpt-image-1"}) == 15


def test_users_share_addresses_and_have_several(sample):
    addresses, users = defaultdict(set), defaultdict(set)
    for row in sample.truth:
        addresses[row["User"]].add(row["CallerIpAddress"])
        users[row["CallerIpAddress"]].add(row["User"])
    assert 100 <= len(addresses) <= 130
    assert max(map(len, users.values())) > 10
    assert max(map(len, addresses.values())) >= 3


def test_other_apis_are_there_and_not_in_the_truth(sample):
    told = {row["CorrelationId"] for row in sample.truth}
    others = [record for _, record in sample.gateway if record["correlationId"] not in told]
    assert len(others) >= sample.count("other-apis") > 0
    assert {record["properties"]["apiId"] for record in others} == {"weather-api", "training-api"}


def test_losses_and_repeats_are_as_many_as_planted(sample):
    ids = [record["correlationId"] for _, record in sample.gateway]
    keys = [json.dumps(record, sort_keys=True) for _, record in sample.llm]
    assert len(ids) - len(set(ids)) == sample.count("gateway-rows-twice") > 5
    assert len(keys) - len(set(keys)) == sample.count("llm-rows-twice") > 5
    alone = {record["correlationId"] for _, record in sample.llm} - set(ids)
    assert len(alone) == sample.count("llm-rows-without-gateway-row") > 3
    states = Counter(row["BodyState"] for row in sample.truth)
    assert (states["truncated"], states["stripped"]) == (
        sample.count("bodies-truncated"), sample.count("entries-over-limit"),
    )  # fmt: skip
    nowhere = [row for row in sample.truth if row["TokensInLlmLog"] == row["UsageInBody"] == "0"
               and row["PromptTokens"] != "0"]  # fmt: skip
    assert len(nowhere) == sample.count("tokens-nowhere") > 100


def test_some_llm_rows_come_in_the_blob_of_a_later_hour(sample):
    times = [(blob, datetime.fromisoformat(record["time"])) for blob, record in sample.llm]
    late = sum(f"{time:y=%Y/m=%m/d=%d/h=%H}" not in blob for blob, time in times)
    assert late >= sample.count("llm-rows-late") > 10


def test_the_week_shows_office_hours_and_weekends(sample):
    hours, days = Counter(), Counter()
    for row in sample.truth:
        if row["SubscriptionId"] in ("sub-claims", "sub-finance"):  # Central European office hours
            moment = datetime.fromisoformat(row["TimeGenerated"])
            hours[moment.hour] += 1
            days[moment.weekday()] += 1
    assert sum(hours[h] for h in range(7, 17)) > 10 * sum(hours[h] for h in range(20, 24))
    assert min(days[d] for d in range(5)) > 3 * max(days[5], days[6])


def test_teams_work_in_their_own_time_zones(sample):
    busiest = {}
    for name in ("sub-tokyo", "sub-engineering"):
        hours = Counter(datetime.fromisoformat(row["TimeGenerated"]).hour
                        for row in sample.truth if row["SubscriptionId"] == name)  # fmt: skip
        busiest[name] = sum(hours[h] for h in range(0, 9)) / hours.total()
    assert busiest["sub-tokyo"] > 0.75
    assert busiest["sub-engineering"] < 0.25


def test_the_gap_is_empty_and_the_sampled_day_thinner(sample):
    planted = {finding["kind"]: finding for finding in sample.planted}
    gap, sampled = planted["log-gap"], planted["sampling-below-100"]
    times = [record["time"] for _, record in sample.gateway + sample.llm]
    assert not any(gap["start"] <= time < gap["end"] for time in times)
    assert gap["count"] > 0
    told = [row["TimeGenerated"] for row in sample.truth]

    def between(finding: dict, days_before: int = 0) -> int:
        start, end = (datetime.fromisoformat(finding[edge]) - timedelta(days=days_before) for edge in ("start", "end"))
        return sum(start <= datetime.fromisoformat(time) < end for time in told)

    assert between(sampled) < 0.65 * between(sampled, days_before=7)
    assert sampled["count"] == pytest.approx(between(sampled), rel=0.2)


def test_the_v1_api_has_no_llm_rows_until_its_logging_is_on(sample):
    window = next(f for f in sample.planted if f["kind"] == "llm-logging-off" and f.get("start"))
    rows = sample.llm_rows
    early = [row["CorrelationId"] for row in sample.truth
             if row["ApiId"] == "azure-openai-v1" and row["TimeGenerated"] < window["end"]]  # fmt: skip
    assert len(early) > 20
    assert not any(correlation_id in rows for correlation_id in early)
