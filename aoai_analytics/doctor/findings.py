"""Findings: every kind, its impact on the numbers and the setting that fixes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

#: Worst first. Problem: numbers are missing. Warning: numbers are estimates. Note: no number is affected.
SEVERITIES = ("problem", "warning", "note")


@dataclass(frozen=True)
class Hidden:
    """What a finding makes uncertain.

    It affects ``requests``. Of these, ``estimated_requests`` have estimated tokens: ``estimated_tokens`` in total, with
    a standard error of at most ``estimated_tokens_error``. ``unknown_requests`` have unknown tokens and are in no
    total. None means the logs do not show it.
    """

    requests: int | None = None
    estimated_requests: int | None = None
    estimated_tokens: int | None = None
    estimated_tokens_error: float | None = None
    unknown_requests: int | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of finding: its impact on the numbers, and its fix, with the setting's name in Azure.

    ``query`` is the library query that shows it.
    """

    impact: str
    fix: str
    query: str


@dataclass(frozen=True)
class Finding:
    """One problem with the logs.

    ``what`` describes it with numbers; ``where`` gives column values (lists of text); ``start`` and ``end`` give its
    time range, if it has one. ``impact`` says which numbers are affected and ``fix`` what to set; ``query`` is the
    library query that shows it.
    """

    kind: str
    severity: str
    what: str
    hidden: Hidden
    impact: str
    fix: str
    query: str
    where: Mapping[str, list[str]] = field(default_factory=dict)
    start: datetime | None = None
    end: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """The finding as JSON-ready data; times in ISO 8601."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "what": self.what,
            "where": dict(self.where),
            "start": self.start.isoformat() if self.start else None,
            "end": self.end.isoformat() if self.end else None,
            "hidden": vars(self.hidden),
            "impact": self.impact,
            "fix": self.fix,
            "query": self.query,
        }


def finding(
    kind: str,
    severity: str,
    what: str,
    hidden: Hidden | None = None,
    *,
    where: Mapping[str, list[str]] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    fix: str = "",
) -> Finding:
    """A finding of a kind of KINDS; *fix* replaces the kind's own."""
    row = KINDS[kind]
    fix = fix or row.fix
    return Finding(kind, severity, what, hidden or Hidden(), row.impact, fix, row.query, where or {}, start, end)


# The diagnostic of the gateway (…/service/diagnostics/azuremonitor) or of an API (…/apis/API/diagnostics/azuremonitor):
# https://learn.microsoft.com/azure/templates/microsoft.apimanagement/service/diagnostics
_DIAGNOSTIC = "the API Management diagnostic 'azuremonitor' (service or API level)"
# https://learn.microsoft.com/azure/templates/microsoft.insights/diagnosticsettings
_ROUTING = "the diagnostic setting of the API Management resource (Microsoft.Insights/diagnosticSettings)"

KINDS: dict[str, Kind] = {
    "no-records": Kind(
        "All numbers: traffic is unknown, not zero.",
        f"Check in this order: the period; {_ROUTING}: categories GatewayLogs and GatewayLlmLogs enabled, "
        "logAnalyticsDestinationType 'Dedicated'; the logger named 'azuremonitor'; read access to both tables (a table "
        "under restricted access returns no rows and no error). A new workspace takes up to two hours.",
        "health/tables",
    ),
    "gateway-log-empty": Kind(
        "All requests: callers, APIs, outcomes, durations, and every number derived from them.",
        f"{_ROUTING}: category GatewayLogs enabled; or read access to the table ApiManagementGatewayLogs.",
        "health/tables",
    ),
    "gateway-log-interrupted": Kind(
        "Requests on these days: callers, APIs, outcomes. Their tokens are in no per-request table.",
        f"{_ROUTING}: category GatewayLogs enabled; for a lake, ingest the gateway logs for these days.",
        "health/rows-without-partner",
    ),
    "llm-log-empty": Kind(
        "Tokens of every request without a complete logged response body; prompts and responses over 8,192 bytes.",
        f"{_DIAGNOSTIC}: largeLanguageModel.logs 'enabled'; {_ROUTING}: category GatewayLlmLogs enabled; "
        "or read access to the table ApiManagementGatewayLlmLog.",
        "health/tables",
    ),
    "no-model-requests": Kind(
        "None, if no language-model API was used through this gateway in this period.",
        "Check the period, and that the model API goes through this gateway under a path with /openai, /deployments, "
        "/models or /v1.",
        "health/tables",
    ),
    "answer-incomplete": Kind(
        "Every number in this diagnosis: the service left out rows.",
        "Choose a shorter period (--since, --start, --end).",
        "health/tables",
    ),
    "log-gap": Kind(
        "All traffic in these hours: its requests and tokens are in no total.",
        f"These logs cannot be recovered. Check the Azure activity log for changes to {_ROUTING}; for a lake, check "
        "that the logs for these hours were ingested.",
        "health/requests-by-hour",
    ),
    "sampling-below-100": Kind(
        "Requests that were not logged: every count and total for these hours is too low by their share.",
        f"{_DIAGNOSTIC}: sampling.percentage 100, samplingType 'fixed'. In the logs, sampling looks like fewer calls: "
        "compare with the gateway's Requests metric.",
        "health/requests-by-hour",
    ),
    "sampling-suspected": Kind(
        "Callers of these requests: their tokens are in no per-request table.",
        f"{_DIAGNOSTIC}: sampling.percentage 100, samplingType 'fixed', on every API.",
        "health/rows-without-partner",
    ),
    "llm-logging-off": Kind(
        "Tokens missing from the response body: they are estimated or unknown.",
        f"{_DIAGNOSTIC}: largeLanguageModel.logs 'enabled', with requests and responses: messages 'all', "
        "maxSizeInBytes 262144.",
        "health/coverage-by-api",
    ),
    "llm-logging-interrupted": Kind(
        "Tokens in this period that are missing from the response body: they are estimated or unknown.",
        f"These logs cannot be recovered. {_DIAGNOSTIC}: largeLanguageModel.logs 'enabled'; check the Azure activity "
        "log for who changed it.",
        "health/llm-log-over-time",
    ),
    "llm-rows-missing": Kind(
        "Tokens of these requests that are missing from the response body.",
        "No setting: some records are lost in transit. If the share grows, check the gateway's Capacity metric and "
        f"sampling.percentage in {_DIAGNOSTIC}.",
        "health/missing-llm-rows",
    ),
    "llm-rows-without-gateway-row": Kind(
        "Callers of these requests: their tokens are known, but in no per-request table.",
        f"No setting: some records are lost in transit. If the share is constant over time: {_DIAGNOSTIC}: "
        "sampling.percentage 100.",
        "health/rows-without-partner",
    ),
    "llm-tokens-zero": Kind(
        "Tokens of these requests that are missing from the response body.",
        "Streams report tokens only on request: add an inbound policy (set-body) that sets "
        "stream_options.include_usage = true in streamed chat requests.",
        "health/llm-rows-without-tokens",
    ),
    "streams-without-usage": Kind(
        "Tokens of these streams: they are estimated from bytes.",
        "Add an inbound policy (set-body) that sets stream_options.include_usage = true in streamed chat requests.",
        "health/streams-without-usage",
    ),
    "body-logging-off": Kind(
        "Tokens missing from the LLM log, cached and reasoning tokens (logged only in bodies), finish reasons, errors.",
        "Leave it off where responses stream: with more than 0 body bytes the gateway buffers them "
        "(docs/infrastructure.md). The LLM log has prompt and completion tokens; the shipped policy traces the rest. "
        f"Only for an API that never streams: {_DIAGNOSTIC} of this API: frontend.request.body.bytes and "
        "frontend.response.body.bytes 8192.",
        "health/body-losses",
    ),
    "bodies-missing": Kind(
        "Tokens missing from the LLM log, and cached and reasoning tokens of these requests.",
        "No setting: these bodies were logged but lost. If the share grows, check the gateway's Capacity metric.",
        "health/body-losses",
    ),
    "bodies-truncated": Kind(
        "Tokens missing from the LLM log, cached and reasoning tokens after the cut, and the rest of the text.",
        "No setting: a logged body holds at most 8,192 bytes. The LLM log keeps up to 2 MB of each side.",
        "health/body-losses",
    ),
    "outside-requests": Kind(
        "None, if these are other APIs. Records that look like model traffic are in no number.",
        "If the paths below serve a model, report them to this project with one record, so that they are recognized.",
        "health/outside-requests",
    ),
    "unknown-columns": Kind(
        "None today. Azure may have added facts that no query uses yet.",
        "Update this program. The values are kept in the column Properties.",
        "health/unknown-columns",
    ),
    "records-set-aside": Kind(
        "These records are in no table: what they hold is in no number.",
        "Other categories need no fix. For quarantined records, LAKE/_aoai/quarantine names each file and position.",
        "health/tables",
    ),
    "llm-completions-zero": Kind(
        "Completion tokens of these requests, unless a body has them: the 0 is not used.",
        "No setting: the gateway logs some streams this way. Streams report tokens if the request sets "
        "stream_options.include_usage = true; the shipped policy traces the usage.",
        "health/llm-zero-completions",
    ),
    "models-unpriced": Kind(
        "Costs of these requests: they are in no total.",
        "Run 'aoai prices refresh' and use the new book, or add your own prices to aoai.toml.",
        "health/models-seen",
    ),
    "callers-unmapped": Kind(
        "Numbers by team, cost center, environment and application: these requests are under (none).",
        "Map one of the values to a team in [dimensions] of aoai.toml.",
        "users/unmapped",
    ),
    "api-version-retired": Kind(
        "None. Azure may refuse these requests any day.",
        "Set a newer api-version in the clients, or use the v1 API, which needs none.",
        "models/api-versions",
    ),
    "api-version-soon": Kind(
        "None today. After the date, Azure may refuse these requests.",
        "Set a newer api-version in the clients, or use the v1 API, which needs none.",
        "models/api-versions",
    ),
    "entries-over-limit": Kind(
        "All bodies of these requests, and the policy's traces: end users and attempts.",
        f"{_DIAGNOSTIC}: backend.request.body.bytes and backend.response.body.bytes 0. The two frontend bodies hold "
        "the same data, and four bodies of 8,192 bytes exceed the entry's 32 KB limit.",
        "health/body-losses",
    ),
    "tokens-unknown": Kind(
        "Tokens of these requests are in no total: every total is a lower bound.",
        "Enable a token source: the LLM log, or complete bodies for images and audio (not in the LLM log).",
        "health/unknown-tokens",
    ),
    "tokens-nowhere": Kind(
        "Exact tokens of these requests: totals contain estimates and mark them.",
        "Apply the fixes of the other findings. This share is the sum of all causes.",
        "health/unknown-tokens",
    ),
    "stated-errors-tested": Kind(
        "None. It says how far the ± of estimated tokens can be trusted on this traffic.",
        "No setting. If it holds in few hours, report it to this project with the query's result.",
        "trust/stated-errors",
    ),
    "past-the-gateway": Kind(
        "Traffic that is in no log of this gateway, and so in no number.",
        "Find who calls the account directly: turn off its key access (disableLocalAuth), allow only the gateway's "
        "network, and check its role assignments. If all calls go through the gateway, check its sampling.",
        "trust/past-the-gateway",
    ),
    "estimates-beyond-known": Kind(
        "Tokens of these requests: the fit is extrapolated, and their stated error grows with their size.",
        "Log usage of large requests: the LLM log with maxSizeInBytes 262144. Bodies over 8,192 bytes lose theirs.",
        "health/estimates-by-basis",
    ),
    "estimates-by-prior": Kind(
        "Tokens of these requests: they are guesses of four bytes per token, ±50%.",
        "Enable a token source for them: some dozen requests with logged usage make a fit.",
        "health/estimates-by-basis",
    ),
    "refusals-unexplained": Kind(
        "Tokens of these requests: a prompt refused by the content filter is charged, other refusals are not.",
        "Use the shipped policy, which traces the error's code, or log response bodies of APIs that never stream.",
        "health/estimates-by-basis",
    ),
    "client-address-missing": Kind(
        "Callers: per-caller numbers count these requests as one caller.",
        f"{_DIAGNOSTIC}: logClientIp true.",
        "health/coverage-by-api",
    ),
    "message-bytes-missing": Kind(
        "Estimates: without message sizes, tokens that are not logged stay unknown.",
        "Every gateway record has RequestSize and ResponseSize: find the step between the gateway and here that "
        "drops these columns.",
        "health/coverage-by-api",
    ),
    "gateway-rows-twice": Kind(
        "None here. A query that joins the two raw log tables counts these requests twice.",
        "No setting: Azure Monitor delivers some records twice. Count by AoaiRequests.",
        "health/repeated-records",
    ),
    "llm-rows-twice": Kind(
        "None here. A query that joins the two raw log tables counts these requests' tokens twice.",
        "No setting: Azure Monitor delivers some records twice. Count by AoaiRequests.",
        "health/repeated-records",
    ),
}
