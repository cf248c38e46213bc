"""``truth.csv`` agrees with the logs."""

from __future__ import annotations

import json

import pytest

from aoai_analytics.sample.truth import COLUMNS


def test_truth_has_one_row_for_each_request_that_reached_the_gateway_log(sample):
    assert tuple(sample.truth[0]) == COLUMNS
    ids = [row["CorrelationId"] for row in sample.truth]
    models = {record["correlationId"] for _, record in sample.gateway
              if record["properties"]["apiId"].startswith("azure-openai")}  # fmt: skip
    assert len(set(ids)) == len(ids)
    assert set(ids) == models


@pytest.mark.parametrize("which", ["sample", "complete"])
def test_truth_agrees_with_the_llm_log_where_that_has_tokens(which, request):
    sample = request.getfixturevalue(which)
    agreed = 0
    for row, _ in sample.requests():
        zero = [r for r in sample.llm_rows.get(row["CorrelationId"], []) if r["sequenceNumber"] == 0]
        logged = bool(zero and zero[0]["totalTokens"])
        assert logged == (row["TokensInLlmLog"] == "1")
        if logged:
            assert zero[0]["promptTokens"] == int(row["PromptTokens"])
            assert zero[0]["completionTokens"] == int(row["CompletionTokens"])
            assert zero[0]["modelName"] == row["ModelName"]
            agreed += 1
    assert agreed > len(sample.truth) / 2


def usage_in(body: str) -> dict | None:
    """The usage object of a whole body: of its JSON, or of the last event that has one."""
    if body.startswith(("data:", "event:")):
        events = [json.loads(line[5:]) for line in body.splitlines() if line.startswith("data: {")]
        found = [event.get("usage") or (event.get("response") or {}).get("usage") for event in events]
        return next((usage for usage in reversed(found) if usage), None)
    return json.loads(body).get("usage")


@pytest.mark.parametrize("which", ["sample", "complete"])
def test_truth_agrees_with_the_usage_in_whole_bodies(which, request):
    checked = 0
    for row, record in request.getfixturevalue(which).requests():
        if row["BodyState"] != "full" or row["Outcome"] != "success":
            continue
        usage = usage_in(record["properties"]["responseBody"])
        assert bool(usage) == (row["UsageInBody"] == "1"), row["CorrelationId"]
        if usage:
            prompt = usage.get("prompt_tokens", usage.get("input_tokens"))
            completion = usage.get("completion_tokens", usage.get("output_tokens", 0))
            cached = usage.get("prompt_tokens_details", usage.get("input_tokens_details", {})).get("cached_tokens", 0)
            thought = usage.get("completion_tokens_details", usage.get("output_tokens_details", {}))
            assert [prompt, completion, cached, thought.get("reasoning_tokens", 0)] == [
                int(row[f"{name}Tokens"]) for name in ("Prompt", "Completion", "Cached", "Reasoning")
            ]
            checked += 1
    assert checked > 300


def test_truth_has_no_tokens_where_no_model_answered(sample):
    for row in sample.truth:
        if row["Outcome"] not in ("success", "client-closed"):
            assert row["PromptTokens"] == row["CompletionTokens"] == row["CostUSD"] == "0"


def test_about_a_ninth_of_the_tokens_is_told_by_no_record(sample):
    unknown = sum(
        int(row["PromptTokens"]) + int(row["CompletionTokens"])
        for row in sample.truth
        if row["TokensInLlmLog"] == row["UsageInBody"] == "0"
    )
    assert sample.summary.unknown_token_share == pytest.approx(unknown / sample.summary.tokens, abs=1e-4)
    assert 0.08 < sample.summary.unknown_token_share < 0.15


def test_a_model_without_a_price_has_no_cost(sample):
    unpriced = [row for row in sample.truth if row["ModelName"] == "gpt-9-preview" and row["PromptTokens"] != "0"]
    assert unpriced
    assert {row["CostUSD"] for row in unpriced} == {""}
