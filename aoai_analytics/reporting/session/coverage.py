"""The report's first lines: how much traffic there was, and how many of its tokens are known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ...engines import Engine
from ...errors import AoaiError
from ...format.numbers import RANGE, human, is_missing, share
from ...format.periods import said, utc
from ...library import library

#: The library's question that the coverage is the answer to.
HEAD_QUERY = "health/coverage-head"

#: Each source of token counts in words, best evidence first.
SOURCES = {
    "LlmLogRequests": "the gateway's LLM log",
    "UsageRequests": "the usage in the response body",
    "FragmentRequests": "a usage fragment of a truncated body",
    "EstimatedRequests": "estimates from message sizes",
    "NotBilledRequests": "not billed, as no model answered",
    "UnknownRequests": "unknown",
}
NO_TRAFFIC = (
    "No request to a language model was found, so this report has no numbers. Possible reasons: no traffic in "
    "this period; gateway logging was off or not yet on (a new workspace can take two hours until its first rows); the "
    "logs of this period were not ingested; or the table is under restricted access, where Log Analytics returns no "
    "rows and no error."
)


def numbers(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The row of health/coverage-head as JSON-ready data: null is None, times are ISO 8601 text."""
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
    """The coverage in sentences, from *found* (see ``numbers``) with at least one request; ± is the 95% range."""
    requests = found["Requests"]
    total = (found["KnownTokens"] or 0) + (found["EstimatedTokens"] or 0)
    known = found["KnownTokens"] is not None or found["EstimatedTokens"] is not None
    tokens = f"{human(total) if known else 'unknown'} tokens"
    if found["EstimatedTokens"]:
        error = share(RANGE * found["EstimatedTokensError"], total)
        tokens += f" ({share(found['EstimatedTokens'], total)} estimated, ±{error})"
    unknown = (
        f"{share(found['UnknownRequests'], requests)} of the requests have unknown tokens, which no total includes"
        if found["UnknownRequests"]
        else "no request has unknown tokens"
    )
    sources = [f"{words} {share(found[column], requests)}" for column, words in SOURCES.items() if found[column]]
    first, last = (said(moment, time_zone) for moment in span(found))
    return (
        f"{requests:,} {'request' if requests == 1 else 'requests'}, {tokens}; {unknown}.",
        f"The logs begin {first} and end {last} ({time_zone}).",
        f"Where the token counts come from: {'; '.join(sources)}.",
    )


def elsewhere(found: Mapping[str, Any], time_zone: str) -> str:
    """Where there is traffic outside an empty period, from *found* without a time range."""
    if not found["Requests"]:
        return "The source has no such request at any time."
    first, last = (said(moment, time_zone) for moment in span(found))
    return f"The source has {found['Requests']:,} requests from {first} to {last} ({time_zone})."


def no_rows(engine: Engine, in_period: bool, time_zone: str) -> str:
    """What an answer of *engine* without rows means, and what its source holds, in a line."""
    try:
        row = engine.query(library().get(HEAD_QUERY).text).frame.iloc[0].to_dict()
        held = elsewhere(numbers(row), time_zone)
    except AoaiError:
        held = ""
    what = "No rows in this period." if in_period else "No rows."
    return f"{what} This does not mean there was no traffic: the logs may lack what the query needs. {held}".rstrip()


def span(found: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """The times of the first and the last request of *found*, in UTC."""
    first, last = (utc(datetime.fromisoformat(found[name])) for name in ("FirstRequest", "LastRequest"))
    return first, last
