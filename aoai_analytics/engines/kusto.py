"""The Kusto engine: KQL on an Azure Data Explorer cluster or a Fabric Eventhouse."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from ..errors import PartialResult, QueryError, SourceError, UnknownName, WrongUse
from ..format.labels import plain
from .credentials import checked_endpoint, credential_for, is_plain_http
from .frames import frame_from_arrow
from .gathering import Answer, TooMuch, gather
from .kql.functions import in_force
from .kql.inlining import Range, scoped
from .kql.parameters import bind, declared, literal
from .log_analytics import at_its_place
from .pace import Pace, Stopped
from .protocol import QueryResult
from .wire import arrow_table, kusto_type

SCHEME = "kusto"
APPLICATION = "aoai-analytics"
#: The longest a query may run: the service's default is 4 minutes, an hour its limit.
LONGEST_QUERY = timedelta(minutes=10)
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(?::\d+)?")
_PLACE = re.compile(r"\[(?:line:position\s*=\s*)?(\d+)[:,](\d+)\]")
_RUNAWAY = re.compile(r"E_RUNAWAY_QUERY|runaway|low memory|memory budget|80DA0001", re.IGNORECASE)
_TOO_LARGE = re.compile(r"E_QUERY_RESULT_SET_TOO_LARGE|80DA0003|result set.*(?:exceeded|too large)", re.IGNORECASE)
_TOO_LONG = re.compile(r"E_QUERY_TIMED_?OUT|ExecutionTimeout|query timed out|80DA0004|timeout", re.IGNORECASE)
_THROTTLED = re.compile(r"throttl|E_TOO_MANY_REQUESTS|TooManyRequests", re.IGNORECASE)


class KustoEngine:
    """Answers KQL from a Kusto database; opened by ``connect``.

    Values of a query's parameters go beside the query, as Kusto's query parameters (``declare query_parameters``),
    never in its text. A table or materialized view that has the name of a function of the semantic layer is read as
    it is; else the function goes with the query, over no more of the log tables than the range needs. So functions
    saved in the database serve people and dashboards, and this engine does not depend on their version.
    """

    def __init__(
        self,
        source: str,
        client: Any,
        database: str,
        *,
        pace: Pace | None = None,
        functions: Mapping[str, str] | None = None,
    ):
        self.source = source
        self._client = client
        self._database = database
        # A cluster queues by its own policy; asking it six at once is no more than a dashboard does.
        self.pace = pace or Pace(requests=None, at_once=6, tries=6)
        self._functions = in_force(functions)
        self._tables: frozenset[str] | None = None
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        source: str,
        *,
        credential: Any = None,
        endpoint: str | None = None,
        pace: Pace | None = None,
        functions: Mapping[str, str] | None = None,
    ) -> KustoEngine:
        """The engine for ``kusto://HOST/DATABASE``; *endpoint* is another URL to reach the cluster by.

        A host without a dot is a cluster's name, with its region where it has one (``contoso.westeurope``) too.
        Raises WrongUse, UnknownName. Asks nothing.
        """
        from azure.kusto.data import KustoClient, KustoConnectionStringBuilder

        host, database = host_and_database(source)
        url = checked_endpoint(endpoint or f"https://{host}")
        if is_plain_http(url) and credential is None:
            # A server on this machine, such as Kusto's emulator, knows no sign-in.
            connection = KustoConnectionStringBuilder.with_no_authentication(url)
        else:
            connection = KustoConnectionStringBuilder.with_azure_token_credential(url, credential_for(credential))
        return cls(source, KustoClient(connection), database, pace=pace, functions=functions)

    def query(
        self,
        kql: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> QueryResult:
        """See Engine.query. ``statistics`` also counts ``requests`` and ``parts``."""
        began = time.perf_counter()
        answer = self.arrow(kql, (start, end), parameters)
        frame = frame_from_arrow(answer.rows, answer.types)
        statistics = {
            "seconds": time.perf_counter() - began,
            "rows": len(frame),
            "requests": answer.requests,
            "parts": answer.parts,
        }
        return QueryResult(frame, answer.types, answer.cut is not None, answer.warnings, statistics)

    def arrow(self, kql: str, within: Range, parameters: Mapping[str, Any] | None = None) -> Answer:
        """The rows of *kql* within a range as Arrow; see ``gathering.Answer``. Raises QueryError, SourceError."""
        given = parameters or {}
        # Bound into the text too, for what only reads it: which values it takes, and how many rows a `take` keeps.
        bound = bind(kql, given)

        def ask(text: str, part: Range) -> Answer:
            return self._ask(text, part, given if text is bound else {})

        return gather(bound, within, ask, self._functions)

    def close(self) -> None:
        """See Engine.close."""
        self.pace.stop()
        self._client.close()

    def _ask(self, kql: str, within: Range, parameters: Mapping[str, Any]) -> Answer:
        kql, values = as_query_parameters(kql, parameters)
        text = scoped(kql, within, functions=self._functions, is_there=self._is_table, everywhere=True)
        declaration = "declare query_parameters(" + ", ".join(f"{n}:{kind}" for n, (kind, _) in values.items()) + "); "
        properties = self._properties({name: value for name, (_, value) in values.items()})
        try:
            return self._send(declaration + text.text if values else text.text, properties)
        except QueryError as error:
            raise at_its_place(error, text) from error

    def _properties(self, values: Mapping[str, str]) -> Any:
        from azure.kusto.data import ClientRequestProperties

        properties = ClientRequestProperties()
        properties.application = APPLICATION
        properties.client_request_id = f"aoai;{uuid.uuid4()}"
        properties.set_option(ClientRequestProperties.request_timeout_option_name, LONGEST_QUERY)
        # The client reads whole tables only, and a cluster may have progressive frames as its default.
        properties.set_option("results_progressive_enabled", False)
        properties.set_option("request_readonly", True)
        for name, value in values.items():
            properties.set_parameter(name, value)
        return properties

    def _send(self, text: str, properties: Any) -> Answer:
        """The first table of the answer. Raises QueryError, TooMuch, SourceError."""
        from azure.kusto.data.exceptions import (
            KustoAuthenticationError,
            KustoClientError,
            KustoClientInvalidConnectionStringException,
            KustoError,
            KustoNetworkError,
            KustoServiceError,
            KustoThrottlingError,
        )

        reason = ""
        for attempt in range(self.pace.tries):
            try:
                with self.pace.turn():
                    answer = _answer_of(self._client.execute_query(self._database, text, properties))
                answer.requests = attempt + 1
                return answer
            except KustoThrottlingError:
                reason = "it is asked too often"
            except KustoNetworkError:
                reason = "the connection failed or was cut off"
            except KustoServiceError as failure:
                status = getattr(failure.http_response, "status_code", None)
                if status not in (408, 500, 502, 503) and not _THROTTLED.search(_text(failure)):
                    raise self._refusal(failure, status) from failure
                reason = f"it returned {status}"
            except KustoClientInvalidConnectionStringException as failure:
                raise WrongUse(f"{self.source} is not a trusted Kusto endpoint") from failure
            except (KustoAuthenticationError, KustoClientError) as failure:
                raise SourceError("cannot sign in to Azure: run 'az login' or set --credential") from failure
            except KustoError as failure:
                raise SourceError(f"{self.source}: query failed ({type(failure).__name__})") from failure
            except Stopped:
                raise SourceError(f"{self.source} was closed while a query was waiting") from None
            if attempt + 1 < self.pace.tries:
                self.pace.wait_before_try(attempt, None)
        raise SourceError(
            f"{self.source} cannot be reached: {reason}, {self.pace.tries} times in a row; try again later"
        )

    def _refusal(self, failure: Any, status: int | None) -> Exception:
        """What to raise for a refusal that asking again would not change."""
        text = _text(failure)
        if _TOO_LARGE.search(text):
            limits = "500,000 rows or 64 MB"
            return TooMuch(f"the result is larger than the cluster returns ({limits}): narrow the time range")
        if _RUNAWAY.search(text):
            return TooMuch("the query needs more memory than the cluster grants it: narrow the time range")
        if status == 504 or _TOO_LONG.search(text):
            return TooMuch("the query took longer than the cluster allows: narrow the time range")
        if status in (401, 403) or "Forbidden" in text or "Unauthorized" in text:
            return SourceError(f"{self.source}: access denied; the credential needs the role Viewer on the database")
        if status == 404 or "DatabaseNotFound" in text or "EntityNotFound" in text:
            return UnknownName(f"{self.source}: database not found")
        found = _PLACE.search(text)
        line, column = (int(found[1]), int(found[2]) + 1) if found else (None, None)
        where = f"line {line}, column {column}: " if found else ""
        return QueryError(f"the query was refused: {where}{_plain(_description(failure))}", line=line, column=column)

    def _is_table(self, name: str) -> bool:
        with self._lock:
            if self._tables is None:
                self._tables = self._names(".show tables | project TableName")
                self._tables |= self._names(".show materialized-views | project Name")
            return name in self._tables

    def _names(self, command: str) -> frozenset[str]:
        """The first column of a command's rows; none where the command may not be used here."""
        from azure.kusto.data.exceptions import KustoServiceError

        try:
            with self.pace.turn():
                result = self._client.execute_mgmt(self._database, command)
        except KustoServiceError:
            # A role that may query but not list, or a server without such things: the functions then go along.
            return frozenset()
        return frozenset(row[0] for row in result.primary_results[0].raw_rows)


def host_and_database(source: str) -> tuple[str, str]:
    """``kusto://contoso.westeurope/Logs`` -> ``contoso.westeurope.kusto.windows.net``, ``Logs``. Raises WrongUse."""
    host, separator, database = source.removeprefix(f"{SCHEME}://").rstrip("/").partition("/")
    if not _HOST.fullmatch(host) or not separator or not database.strip() or "/" in database:
        raise WrongUse(f"{source} has no database: use {SCHEME}://CLUSTER.REGION.kusto.windows.net/DATABASE")
    if host.count(".") < 2 and host != "localhost" and ":" not in host:
        host += ".kusto.windows.net"
    return host, database


def as_query_parameters(kql: str, values: Mapping[str, Any]) -> tuple[str, dict[str, tuple[str, str]]]:
    """*kql* without the ``let`` lines of the parameters in *values*, and for each its type and its value as a literal.

    Kusto reads each value as a literal of the declared type
    (https://learn.microsoft.com/kusto/query/query-parameters-statement). Lines keep their numbers.
    """
    parameters = declared(kql)
    lines = kql.split("\n")
    given = {}
    for name, value in values.items():
        parameter = parameters[name]
        lines[parameter.line] = ""
        given[name] = (parameter.type, literal(value, parameter.type, name))
    return "\n".join(lines), given


def _answer_of(response: Any) -> Answer:
    table = response.primary_results[0]
    types = {column.column_name: kusto_type(column.column_type) for column in table.columns}
    try:
        answer = Answer(arrow_table(table.raw_rows, types), types)
    except (TypeError, ValueError, OverflowError) as failure:
        raise SourceError("the cluster gave an answer that cannot be read") from failure
    if response.errors_count:
        answer.cut = _plain(" ".join(response.get_exceptions()))
        answer.by_limit = bool(_TOO_LARGE.search(answer.cut) or _RUNAWAY.search(answer.cut))
        if not types:
            raise PartialResult(f"the cluster returned no rows: {answer.cut}")
    return answer


def _text(failure: Any) -> str:
    """All that an error says: its code, its description, and those of the errors it holds."""
    parts = [getattr(failure, "message_text", "") or str(failure)]
    errors = failure.get_api_errors() if hasattr(failure, "get_api_errors") else []
    if hasattr(failure, "get_api_error"):
        errors = [failure.get_api_error()]
    for error in errors:
        parts += [str(error.code or ""), str(error.type or ""), str(error.description or error.message or "")]
    return " ".join(dict.fromkeys(part for part in parts if part))


def _description(failure: Any) -> str:
    if hasattr(failure, "get_api_error"):
        error = failure.get_api_error()
        return str(error.description or error.message)
    return getattr(failure, "message_text", "") or str(failure)


def _plain(text: str) -> str:
    return plain(" ".join(text.split()))[:500]
