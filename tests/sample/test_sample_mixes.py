"""The other mixes are what their names say."""

from __future__ import annotations

from aoai_analytics.sample import write_sample
from tests.sample.reading import read


def test_in_complete_nothing_is_missing_cut_or_twice(complete):
    ids = [record["correlationId"] for _, record in complete.gateway]
    assert len(ids) == len(set(ids))
    keys = [(r["correlationId"], r["properties"]["sequenceNumber"]) for _, r in complete.llm]
    assert len(keys) == len(set(keys))
    assert {r["correlationId"] for _, r in complete.llm} <= set(ids)
    assert complete.summary.unknown_token_share == 0
    losses = {"bodies-truncated", "entries-over-limit", "bodies-missing", "llm-rows-missing", "tokens-nowhere",
              "llm-rows-without-gateway-row", "log-gap", "sampling-below-100", "llm-logging-off"}  # fmt: skip
    assert not losses & {finding["kind"] for finding in complete.planted}
    for row in complete.truth:
        if row["Outcome"] != "unauthorized" and row["Surface"] != "other":
            assert row["BodyState"] == "full"
        if row["PromptTokens"] != "0":
            assert "1" in (row["TokensInLlmLog"], row["UsageInBody"])


def test_in_languages_each_team_writes_one_kind_of_text(tmp_path):
    sample = read(tmp_path / "s", write_sample(tmp_path / "s", requests=700, days=2, mix="languages"))
    density = {}
    for name in ("sub-tokyo", "sub-engineering", "sub-claims"):
        plain = [row for row in sample.truth if row["SubscriptionId"] == name and row["Outcome"] == "success"
                 and len(row["ResponseText"]) > 80 and row["ReasoningTokens"] == "0"]  # fmt: skip
        characters = sum(len(row["ResponseText"]) for row in plain)
        density[name] = characters / sum(int(row["CompletionTokens"]) for row in plain)
    assert density["sub-tokyo"] < 1.8
    assert 2.8 < density["sub-engineering"] < 4.3
    assert 4.3 < density["sub-claims"] < 5.8
    tokyo = [row["PromptText"] for row in sample.truth if row["SubscriptionId"] == "sub-tokyo" and row["PromptText"]]
    assert all("。" in prompt for prompt in tokyo)
    long = [row for row in sample.truth if len(row["PromptText"]) > 8000]
    assert {row["ApiId"] for row in long} == {"azure-openai-legal"}


def test_in_unseen_model_one_model_never_has_known_tokens(tmp_path):
    sample = read(tmp_path / "s", write_sample(tmp_path / "s", requests=1200, days=2, mix="unseen-model"))
    new = [row for row in sample.truth if row["DeploymentName"] == "brand-new"]
    assert sum(int(row["CompletionTokens"]) > 0 for row in new) > 10
    assert {(row["TokensInLlmLog"], row["UsageInBody"]) for row in new} == {("0", "0")}
    for row, record in sample.requests():
        body = record["properties"].get("responseBody", "")
        if row["DeploymentName"] == "brand-new" and row["CacheHit"] == "0" and "999999" not in body:
            assert '"usage"' not in body
