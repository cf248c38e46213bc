"""The report's first lines: how much traffic there was, and how far its tokens are known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..format.numbers import human, is_missing
from ..format.periods import said

#: What each source of token counts is, in words, best evidence first.
SOURCES = {
    "LlmLogRequests": "the gateway's LLM log",
    "UsageRequests": "the usage in the answer's body",
    "FragmentRequests": "a usage fragment of a cut body",
    "EstimatedRequests": "estimates from the size of the messages",
    "NotBilledRequests": "nothing billed, as no model answered",
    "UnknownRequests": "unknown",
}
NO_TRAFFIC = (
    "No request to a language model was found, so this report has no numbers. "
    "Why that may be: nobody called in this period; the gateway's logging was off or not yet on (a new workspace can "
    "take two hours until its first rows); the logs of the period were not ingested; or the table is under restricted "
    "access, where Log Analytics answers with no rows and no error."
)


def numbers(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The row of health/coverage-head as JSON-ready data: null None, moments ISO 8601 text."""
    plain: dict[str, Any] = {}
    for name, value in row.items():
        if is_missing(value):
            plain[name] = None
        elif hasattr(value, "isoformat"):
            plain[name] = value.isoformat()
        else:
            plain[name] = value.item() if hasattr(value, "item") else value
    return plain


def lines(found: Mapping[str, Any], time_zone: str) -> tuple[str, ...]:
    """The coverage in sentences, from *found* (see ``numbers``) with at least one request; ± is one standard error."""
    requests = found["Requests"]
    total = (found["KnownTokens"] or 0) + (found["EstimatedTokens"] or 0)
    tokens = f"{human(total)} tokens"
    if found["EstimatedTokens"]:
        error = _share(found["EstimatedTokensError"], total)
        tokens += f" ({_share(found['EstimatedTokens'], total)} estimated, ±{error})"
    unknown = found["UnknownRequests"]
    told = (
        f"{_share(unknown, requests)} of the requests have unknown tokens, which no total includes"
        if unknown
        else "no request has unknown tokens"
    )
    first, last = (datetime.fromisoformat(found[name]) for name in ("FirstRequest", "LastRequest"))
    sources = [f"{words} {_share(found[column], requests)}" for column, words in SOURCES.items() if found[column]]
    return (
        f"{requests:,} {'request' if requests == 1 else 'requests'}, {tokens}; {told}.",
        f"The logs begin {said(_utc(first), time_zone)} and end {said(_utc(last), time_zone)} ({time_zone}).",
        f"Where the requests' tokens come from: {'; '.join(sources)}.",
    )


def elsewhere(found: Mapping[str, Any], time_zone: str) -> str:
    """Where there is traffic outside an empty period, from *found* without a time range."""
    if not found["Requests"]:
        return "The source holds no such request at any other time either."
    first, last = (_utc(datetime.fromisoformat(found[name])) for name in ("FirstRequest", "LastRequest"))
    return (
        f"The source does hold {found['Requests']:,} requests from {said(first, time_zone)} "
        f"to {said(last, time_zone)} ({time_zone})."
    )


def _share(part: float, whole: float) -> str:
    """A share that never rounds to nothing or to all."""
    share = 100 * part / whole
    if 0 < share < 0.1:
        return "under 0.1%"
    return "over 99.9%" if 99.9 < share < 100 else f"{share:.1f}".removesuffix(".0") + "%"


def _utc(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)
