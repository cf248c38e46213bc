"""The Log Analytics query API, asked through azure-monitor-query's client: what it answers, refuses, and how it fails.

The client's own ``send_request`` is used, not its ``query_workspace``: that makes Python objects of every value, one
by one, which a pull of millions of rows cannot wait for. Its retries are off, for they ask again after a 504 (a
query that took too long takes as long again) and not after a 429 that has no Retry-After; here is one rule for all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import QueryError, SourceError, UnknownName
from ..format.labels import plain
from ..format.periods import utc
from .credentials import is_plain_http
from .gathering import Answer, TooMuch
from .kql.inlining import Range
from .pace import Pace, TooSlow
from .wire import arrow_table, kusto_type

PUBLIC_ENDPOINT = "https://api.loganalytics.io"
#: The service's limits on one answer: https://learn.microsoft.com/azure/azure-monitor/service-limits#la-query-api
MAX_ROWS = 500_000
#: The service gives 100 MB of rows at most; a larger answer is none of its.
MAX_BYTES = 256_000_000
#: The longest that the service works on one query, in seconds.
LONGEST_QUERY = 600
_LIMIT = re.compile(
    r"exceed|limit|truncat|too (?:large|big|many)|larger than|maximum|time.?out|timed out|took too long|"
    r"-2133196797|-2133196805|E_QUERY_RESULT_SET_TOO_LARGE|E_RUNAWAY_QUERY|low memory",
    re.IGNORECASE,
)
_RETRIED = {408, 429, 500, 502, 503}
_ASKED_TOO_OFTEN = {429, 503}
_PLACE = re.compile(r"line:?position\s*=?\s*\[?(\d+)[:,](\d+)|\bline\s*\[?(\d+)\s*[,:]\s*(\d+)", re.IGNORECASE)


class LogsApi:
    """One workspace, several at once, or one resource, of a Log Analytics endpoint."""

    def __init__(
        self, path: str, *, workspaces: tuple[str, ...] = (), credential: Any, endpoint: str, pace: Pace | None = None
    ):
        """*path* is ``workspaces/ID`` or a resource's id; *workspaces* further ones to read as one with the first."""
        from azure.monitor.query import LogsQueryClient

        self.pace = pace or Pace()
        self._path = path.strip("/")
        self._workspaces = list(workspaces)
        # A token is for the endpoint it is sent to; and a redirect could lead it anywhere.
        self._options = {"retry_total": 0, "permit_redirects": False, "connection_timeout": 30}
        if is_plain_http(endpoint):
            self._options["enforce_https"] = False
        self._client = LogsQueryClient(credential, endpoint=endpoint)

    def close(self) -> None:
        """Ends all requests that wait, and frees the connections."""
        self.pace.stop()
        self._client.close()

    def ask(self, kql: str, timespan: Range, *, wait: int = LONGEST_QUERY) -> Answer:
        """The answer to *kql* with the API's timespan; *wait* is the longest the service may work, in seconds.

        Raises QueryError where the service refuses the query, TooMuch, SourceError where the service cannot be
        asked. ``Answer.cut`` is set where rows are missing.
        """
        from azure.core.rest import HttpRequest

        body: dict[str, Any] = {"query": kql}
        if span := iso_interval(timespan):
            body["timespan"] = span
        if self._workspaces:
            body["workspaces"] = self._workspaces
        prefer = f"wait={wait},include-statistics=true"
        request = HttpRequest("POST", f"/{self._path}/query", json=body, headers={"Prefer": prefer})
        content, requests = self._send(request, wait + 30)
        answer = answer_of(content)
        answer.requests = requests
        return answer

    def _send(self, request: Any, read_timeout: int) -> tuple[dict[str, Any], int]:
        """The body of an answer of 200, and how many requests it took."""
        from azure.core.exceptions import (
            AzureError,
            ClientAuthenticationError,
            DecodeError,
            HttpResponseError,
            ServiceRequestError,
            ServiceResponseError,
            ServiceResponseTimeoutError,
        )
        from orjson import JSONDecodeError, loads

        reason, refused = "", 0
        until = self.pace.now() + self.pace.deadline
        for attempt in range(self.pace.tries):
            retry_after = None
            everyone = False
            try:
                with self.pace.turn():
                    response = self._client.send_request(
                        request, stream=True, read_timeout=read_timeout, **self._options
                    )
                    with response:
                        content = _read(response)
                status = response.status_code
                if status == 200:
                    return loads(content), attempt + 1
                error = _error_of(content)
                if status == 401 and refused < 2:
                    # The client drops a token that was refused, so the next request brings a fresh one.
                    refused += 1
                    continue
                if status not in _RETRIED:
                    raise refusal(status, error)
                reason = f"it returned {status} {_codes(error)[0]}".strip()
                retry_after, everyone = response.headers.get("Retry-After"), status in _ASKED_TOO_OFTEN
            except ClientAuthenticationError as failure:
                raise SourceError(_cannot_sign_in(failure)) from failure
            except ServiceResponseTimeoutError as failure:
                raise TooMuch(TOO_LONG) from failure
            except (ServiceRequestError, ServiceResponseError, DecodeError, HttpResponseError):
                reason = "the connection failed or was cut off"
            except JSONDecodeError:
                reason = "its response was cut off"
            except AzureError as failure:
                raise SourceError(f"Log Analytics: query failed ({type(failure).__name__})") from failure
            if attempt + 1 < self.pace.tries:
                try:
                    self.pace.wait_before_try(attempt, retry_after, everyone=everyone, until=until)
                except TooSlow:
                    asked = f", and asks to wait {plain(retry_after)[:40]}" if retry_after else ""
                    raise SourceError(
                        f"Log Analytics cannot be reached in reasonable time: {reason}{asked}; try again later"
                    ) from None
        raise SourceError(
            f"Log Analytics cannot be reached: {reason}, {self.pace.tries} times in a row; try again later"
        )


def _read(response: Any) -> bytes:
    """The body of an answer. Raises SourceError where it is larger than any answer of the service."""
    parts: list[bytes] = []
    size = 0
    for part in response.iter_bytes():
        size += len(part)
        if size > MAX_BYTES:
            largest = f"{MAX_BYTES / 1e6:,.0f} MB"
            raise SourceError(f"Log Analytics returned more than {largest} at once: check the endpoint")
        parts.append(part)
    return b"".join(parts)


TOO_LONG = "the query took longer than the service allows (10 minutes): narrow its time range"


def iso_interval(timespan: Range) -> str | None:
    """A range as the API's ``timespan``; None where it is open to both sides.

    The API knows no interval with one open end; an open start is the year 2000, an open end the year 2100: neither
    Azure nor a retention reaches as far.
    """
    start, end = timespan
    if start is None and end is None:
        return None
    first = f"{utc(start):%Y-%m-%dT%H:%M:%S.%f}Z" if start else "2000-01-01T00:00:00Z"
    last = f"{utc(end):%Y-%m-%dT%H:%M:%S.%f}Z" if end else "2100-01-01T00:00:00Z"
    return f"{first}/{last}"


def answer_of(content: Mapping[str, Any]) -> Answer:
    """The API's body of an answer of 200 as an Answer. Raises SourceError where it is none."""
    try:
        table = content["tables"][0]
        types = {column["name"]: kusto_type(column["type"]) for column in table["columns"]}
        rows = arrow_table(table["rows"], types)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as failure:
        raise SourceError("cannot read the response of Log Analytics: check the endpoint") from failure
    answer = Answer(rows, types, seconds=_service_seconds(content))
    error = content.get("error")
    if error:
        reasons = list(dict.fromkeys(_messages(error)))
        answer.cut = " ".join(reasons)[:500] or "PartialError, without a reason"
        answer.by_limit = bool(_LIMIT.search(" ".join([answer.cut, *_codes(error)])))
    elif rows.num_rows >= MAX_ROWS:
        answer.cut = f"{rows.num_rows:,} rows came, the most that the service returns, so there may be more"
        answer.by_limit = True
    return answer


def _service_seconds(content: Mapping[str, Any]) -> float:
    try:
        return float(content["statistics"]["query"]["executionTime"])
    except (KeyError, TypeError, ValueError):
        return 0.0


def _inner(error: dict[str, Any]) -> list[Any]:
    details = error.get("details")
    return [error.get("innererror"), *(details if isinstance(details, list) else ())]


def _messages(error: Any, depth: int = 20) -> list[str]:
    """The messages of an error and of what it holds, the inmost first: they say most; fit for a terminal."""
    if not isinstance(error, dict) or not depth:
        return []
    found: list[str] = []
    for inner in _inner(error):
        found += _messages(inner, depth - 1)
    message = plain(" ".join(str(error.get("message") or "").split()))
    if message and not found:
        found.append(message)
    return found


def _codes(error: Any, depth: int = 20) -> list[str]:
    if not isinstance(error, dict) or not depth:
        return []
    inner = [code for part in _inner(error) for code in _codes(part, depth - 1)]
    return [plain(error.get("code", ""))[:100], *inner]


def _error_of(content: bytes) -> dict[str, Any]:
    from orjson import JSONDecodeError, loads

    try:
        error = loads(content).get("error")
    except (JSONDecodeError, AttributeError):
        return {}
    return error if isinstance(error, dict) else {}


def refusal(status: int, error: dict[str, Any]) -> Exception:
    """What to raise for an answer that is no 200 and that asking again would not change."""
    codes = _codes(error)
    reason = " ".join(_messages(error))[:500]
    if status == 504 or "GatewayTimeout" in codes:
        return TooMuch(TOO_LONG)
    if status == 400:
        line, column = _place(error, reason)
        where = f"line {line}, column {column}: " if line else ""
        kind = "has a syntax error" if "SyntaxError" in codes else "was refused"
        why = reason or "the service gave no reason"
        return QueryError(f"the query {kind}: {where}{why}", line=line, column=column)
    if status in (401, 403):
        return SourceError(
            "Log Analytics: access denied; the credential needs the role Log Analytics Reader on this resource"
        )
    if status == 404:
        return UnknownName("workspace or resource not found: use the workspace's ID, not its name")
    if status == 413:
        return QueryError("the query is too long for the service")
    return SourceError(f"Log Analytics returned {status}{f': {reason}' if reason else ''}")


def _place(error: Any, reason: str) -> tuple[int | None, int | None]:
    while isinstance(error, dict):
        if isinstance(error.get("line"), int) and isinstance(error.get("pos"), int):
            return error["line"], error["pos"] + 1
        error = error.get("innererror")
    match = _PLACE.search(reason)
    if match:
        line, column = (match[1], match[2]) if match[1] else (match[3], match[4])
        return int(line), int(column) + 1
    return None, None


def _cannot_sign_in(failure: Exception) -> str:
    from azure.identity import CredentialUnavailableError

    # Only these messages are the library's own words; others may quote what a server said.
    first = str(failure).strip().splitlines()[:1] if isinstance(failure, CredentialUnavailableError) else []
    detail = f" ({first[0][:150].rstrip('. ')})" if first else ""
    return f"cannot sign in to Azure{detail}: run 'az login', or name another credential with --credential"
