"""``truth.csv``: one row for each request to a language-model API, and what really happened to it."""

from __future__ import annotations

import csv
from typing import IO

from aoai_analytics.sample.bodies import Usage
from aoai_analytics.sample.world import PRICES

#: ``Surface`` and ``Outcome`` have the values of ``AoaiRequests``. ``User`` is the caller whether or not the
#: logs tell; ``BodyUser`` the end user whom the request names, in its body or by a caller's trace.
#: ``BodyState``: ``full``, ``truncated`` (a body is cut), ``stripped`` (the entry was too long and lost its
#: bodies), ``none``. ``TokensInLlmLog`` and ``UsageInBody`` (1 or 0) say where the logs have the tokens.
#: ``CostUSD`` is empty where the model has no price.
COLUMNS = (
    "CorrelationId", "TimeGenerated", "CallerIpAddress", "SubscriptionId", "ProductId", "User", "BodyUser", "ApiId",
    "Surface", "DeploymentName", "ModelName", "Outcome", "ResponseCode", "Stream", "Attempts", "BackendHost", "Region",
    "CacheHit", "PromptTokens", "CachedTokens", "CompletionTokens", "ReasoningTokens", "CostUSD", "TokensInLlmLog",
    "UsageInBody", "BodyState", "PromptText", "ResponseText",
)  # fmt: skip


def cost(model: str, usage: Usage) -> str:
    """What an answer cost in US dollars, '' where the model has no price."""
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
