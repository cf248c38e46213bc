"""``truth.csv``: one row per request to a language-model API, with what really happened."""

from __future__ import annotations

import csv
from typing import IO

from aoai_analytics.sample.bodies import Usage
from aoai_analytics.sample.world import PRICES

#: ``Surface`` and ``Outcome`` have the values of ``AoaiRequests``. ``User`` is the caller, whether or not the
#: logs show it; ``BodyUser`` the end user named in the request, in its body or by a caller's trace.
#: ``BodyState``: ``full``, ``truncated`` (a body is cut), ``stripped`` (the entry was too long and lost its
#: bodies), ``none``. ``TokensInLlmLog`` and ``UsageInBody`` (1 or 0) say whether the logs have the tokens.
#: ``CostUSD`` is empty if the model has no price.
COLUMNS = (
    "CorrelationId", "TimeGenerated", "CallerIpAddress", "SubscriptionId", "ProductId", "User", "BodyUser", "ApiId",
    "Surface", "DeploymentName", "ModelName", "Outcome", "ResponseCode", "Stream", "Attempts", "BackendHost", "Region",
    "CacheHit", "PromptTokens", "CachedTokens", "CompletionTokens", "ReasoningTokens", "CostUSD", "TokensInLlmLog",
    "UsageInBody", "BodyState", "PromptText", "ResponseText",
)  # fmt: skip


def cost(model: str, usage: Usage) -> str:
    """The cost of a response in US dollars, '' if the model has no price."""
    if not usage.total:
        return "0"
    if model not in PRICES:
        return ""
    prompt, cached, completion = PRICES[model]
    micro = (usage.prompt - usage.cached) * prompt + usage.cached * cached + usage.completion * completion
    return f"{micro / 1e6:.10g}"


def writer(file: IO[str]) -> csv.DictWriter[str]:
    """A CSV writer with the header written; rows are dicts of ``COLUMNS``."""
    rows = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    rows.writeheader()
    return rows
