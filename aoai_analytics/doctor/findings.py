"""What a finding is, and every kind of it: what it means for the numbers, and which setting mends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

#: From worst to least. A problem: numbers are missing. A warning: numbers are estimates. A note: no number suffers.
SEVERITIES = ("problem", "warning", "note")


@dataclass(frozen=True)
class Hidden:
    """What a finding makes uncertain.

    ``requests`` it touches; of these ``estimated_requests`` have estimated tokens, ``estimated_tokens`` in all with
    a standard error of at most ``estimated_tokens_error``; ``unknown_requests`` have no tokens at all and are in
    no total. None where the logs cannot tell.
    """

    requests: int | None = None
    estimated_requests: int | None = None
    estimated_tokens: int | None = None
    estimated_tokens_error: float | None = None
    unknown_requests: int | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of finding: which numbers it hides, in words, and what mends it, as the setting is called in Azure.

    ``query`` is the library's question that shows it.
    """

    hides: str
    mends: str
    query: str


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with the logs.

    ``what`` says it with its numbers; ``where`` names columns' values (lists of text); ``start`` and ``end`` bound
    it in time, where it is bound. ``hides`` and ``mends`` say which numbers suffer and what to set; ``query`` is the
    library's question that shows it.
    """

    kind: str
    severity: str
    what: str
    hidden: Hidden
    hides: str
    mends: str
    query: str
    where: Mapping[str, list[str]] = field(default_factory=dict)
    start: datetime | None = None
    end: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """The finding as JSON-ready data; moments in ISO 8601."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "what": self.what,
            "where": dict(self.where),
            "start": self.start.isoformat() if self.start else None,
            "end": self.end.isoformat() if self.end else None,
            "hidden": vars(self.hidden),
            "hides": self.hides,
            "mends": self.mends,
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
) -> Finding:
    """A finding of a kind of KINDS."""
    row = KINDS[kind]
    return Finding(kind, severity, what, hidden or Hidden(), row.hides, row.mends, row.query, where or {}, start, end)


# The diagnostic of the gateway (…/service/diagnostics/azuremonitor) or of an API (…/apis/API/diagnostics/azuremonitor):
# https://learn.microsoft.com/azure/templates/microsoft.apimanagement/service/diagnostics
_DIAGNOSTIC = "the API Management diagnostic 'azuremonitor' (service or API level)"
# https://learn.microsoft.com/azure/templates/microsoft.insights/diagnosticsettings
_ROUTING = "the diagnostic setting of the API Management resource (Microsoft.Insights/diagnosticSettings)"

KINDS: dict[str, Kind] = {
    "no-records": Kind(
        "Everything: this is not zero traffic, it is nothing known.",
        f"Check in turn: the period asked for; {_ROUTING}: categories GatewayLogs and GatewayLlmLogs enabled, "
        "logAnalyticsDestinationType 'Dedicated'; the logger named 'azuremonitor'; read access to both tables (a table "
        "under restricted access answers with no rows and no error). A new workspace takes up to two hours.",
        "health/tables",
    ),
    "gateway-log-empty": Kind(
        "All requests: callers, APIs, outcomes, durations, and every number made of them.",
        f"{_ROUTING}: category GatewayLogs enabled; or read access to the table ApiManagementGatewayLogs.",
        "health/tables",
    ),
    "gateway-log-interrupted": Kind(
        "The requests of these days: callers, APIs, outcomes; their tokens are in no table of requests.",
        f"{_ROUTING}: category GatewayLogs enabled; for a lake, ingest the gateway logs of these days.",
        "health/rows-without-partner",
    ),
    "llm-log-empty": Kind(
        "Tokens of every request whose answer's body is not logged whole; prompts and answers over 8,192 bytes.",
        f"{_DIAGNOSTIC}: largeLanguageModel.logs 'enabled'; {_ROUTING}: category GatewayLlmLogs enabled; "
        "or read access to the table ApiManagementGatewayLlmLog.",
        "health/tables",
    ),
    "no-model-requests": Kind(
        "Nothing, where the gateway truly has no language-model API in use in this period.",
        "Check the period, and that the model's API goes through this gateway under a path with /openai, /deployments, "
        "/models or /v1.",
        "health/tables",
    ),
    "answer-incomplete": Kind(
        "Every number of the doctor: the service left rows out.",
        "Ask for a shorter period (--since, --start, --end).",
        "health/tables",
    ),
    "log-gap": Kind(
        "All that happened in these hours: their requests and tokens are in no total.",
        f"Nothing brings them back. See Azure's activity log for changes of {_ROUTING}, and for a lake whether the "
        "logs of these hours were ingested.",
        "health/requests-by-hour",
    ),
    "sampling-below-100": Kind(
        "The requests that were not logged: in these hours every count and total is too low by their share.",
        f"{_DIAGNOSTIC}: sampling.percentage 100, samplingType 'fixed'. The logs cannot tell it from fewer calls: "
        "compare the gateway's metric Requests.",
        "health/requests-by-hour",
    ),
    "sampling-suspected": Kind(
        "The callers of these requests: their tokens are in no table of requests.",
        f"{_DIAGNOSTIC}: sampling.percentage 100, samplingType 'fixed', on every API.",
        "health/rows-without-partner",
    ),
    "llm-logging-off": Kind(
        "Tokens, wherever the answer's body does not tell them: these are estimated or unknown.",
        f"{_DIAGNOSTIC}: largeLanguageModel.logs 'enabled', with requests and responses: messages 'all', "
        "maxSizeInBytes 262144. Where it is on already, the gateway does not know this kind of request as a model's: "
        "log its bodies.",
        "health/coverage-by-api",
    ),
    "llm-logging-interrupted": Kind(
        "Tokens of this time, wherever the answer's body does not tell them: these are estimated or unknown.",
        f"Nothing brings them back. {_DIAGNOSTIC}: largeLanguageModel.logs 'enabled'; see Azure's activity log for who "
        "changed it then.",
        "health/llm-log-over-time",
    ),
    "llm-rows-missing": Kind(
        "Tokens of these requests, wherever the answer's body does not tell them.",
        "No setting: records get lost on their way. Should the share grow, compare the gateway's capacity metric, and "
        f"sampling.percentage in {_DIAGNOSTIC}.",
        "health/missing-llm-rows",
    ),
    "llm-rows-without-gateway-row": Kind(
        "The callers of these requests: their tokens are known, but in no table of requests.",
        f"No setting: records get lost on their way. Should the share be level over time: {_DIAGNOSTIC}: "
        "sampling.percentage 100.",
        "health/rows-without-partner",
    ),
    "llm-tokens-zero": Kind(
        "Tokens of these requests, wherever the answer's body does not tell them.",
        "Streams count their tokens only when asked to: an inbound policy (set-body) that adds "
        "stream_options.include_usage = true to streamed chat requests.",
        "health/llm-rows-without-tokens",
    ),
    "streams-without-usage": Kind(
        "Tokens of these streams, which are estimated from their bytes.",
        "An inbound policy (set-body) that adds stream_options.include_usage = true to streamed chat requests.",
        "health/streams-without-usage",
    ),
    "body-logging-off": Kind(
        "Tokens that the LLM log lacks, cached and reasoning tokens (only a body tells them), finish reasons, errors.",
        f"{_DIAGNOSTIC} of this API: frontend.request.body.bytes and frontend.response.body.bytes 8192.",
        "health/body-losses",
    ),
    "bodies-missing": Kind(
        "Tokens that the LLM log lacks, and cached and reasoning tokens of these requests.",
        "No setting: the API logs bodies, these got lost. Should their share grow, see the gateway's capacity metric.",
        "health/body-losses",
    ),
    "bodies-truncated": Kind(
        "Tokens that the LLM log lacks, cached and reasoning tokens past the cut, and the rest of the text.",
        "No setting: 8,192 bytes are the most a body can have. Turn on the LLM log, which keeps up to 2 MB: "
        f"{_DIAGNOSTIC}: largeLanguageModel.logs 'enabled', maxSizeInBytes 262144.",
        "health/body-losses",
    ),
    "entries-over-limit": Kind(
        "All bodies of these requests, and the policy's traces: end users and attempts.",
        f"{_DIAGNOSTIC}: backend.request.body.bytes and backend.response.body.bytes 0. The frontend's two say the "
        "same, and four of 8,192 bytes are over the entry's 32 KB.",
        "health/body-losses",
    ),
    "tokens-unknown": Kind(
        "These requests' tokens, which are in no total: every total is a lower bound.",
        "Log what tells their tokens: the LLM log, or for images and audio, which it does not know, whole bodies.",
        "health/unknown-tokens",
    ),
    "tokens-nowhere": Kind(
        "The true tokens of these requests: what totals say of them is an estimate, and marked as one.",
        "What the other findings name. Their share is the sum of all causes.",
        "health/unknown-tokens",
    ),
    "client-address-missing": Kind(
        "Who called: numbers by caller lump these requests together.",
        f"{_DIAGNOSTIC}: logClientIp true.",
        "health/coverage-by-api",
    ),
    "message-bytes-missing": Kind(
        "Estimates: without the messages' bytes, tokens that no log tells stay unknown.",
        "RequestSize and ResponseSize are part of every gateway record: see which step between the gateway and here "
        "drops these columns.",
        "health/coverage-by-api",
    ),
    "gateway-rows-twice": Kind(
        "Nothing here. A query that joins the two log tables as they are counts these requests twice.",
        "No setting: Azure Monitor delivers some records twice. Count by AoaiRequests.",
        "health/repeated-records",
    ),
    "llm-rows-twice": Kind(
        "Nothing here. A query that joins the two log tables as they are counts these requests' tokens twice.",
        "No setting: Azure Monitor delivers some records twice. Count by AoaiRequests.",
        "health/repeated-records",
    ),
}
