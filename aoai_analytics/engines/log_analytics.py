"""The Log Analytics engine: KQL on a workspace, on several, or on one resource's logs."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..errors import QueryError, SourceError, WrongUse
from .credentials import checked_endpoint, credential_for
from .frames import frame_from_arrow
from .gathering import Answer, gather
from .kql.functions import in_force
from .kql.inlining import Range, Scoped, scoped
from .kql.parameters import bind
from .log_analytics_api import PUBLIC_ENDPOINT, LogsApi
from .pace import Pace, Stopped
from .protocol import QueryResult

SCHEME = "log-analytics"
_WORKSPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class LogAnalyticsEngine:
    """Answers KQL from Log Analytics; opened by ``connect``.

    The functions of the semantic layer are the workspace's own where they are saved in it, else they go with the
    query; which it is is asked once. A query whose answer hits a limit of the service (rows, bytes, time) is asked
    in parts of its time range where their answers add up (``pipelines.row_wise`` says which do); all others come
    with ``partial`` and a warning.
    """

    def __init__(self, source: str, api: LogsApi, functions: Mapping[str, str] | None = None):
        self.source = source
        self.api = api
        self._functions = in_force(functions)
        self._saved: dict[str, bool] = {}
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
    ) -> LogAnalyticsEngine:
        """The engine for ``log-analytics://ID``, ``log-analytics://ID1,ID2`` or ``log-analytics:///RESOURCE-ID``.

        *endpoint* is another cloud's (https://api.loganalytics.us, …). Raises WrongUse, UnknownName. Asks nothing.
        """
        path, workspaces = path_of(source)
        where = checked_endpoint(endpoint or PUBLIC_ENDPOINT)
        api = LogsApi(path, workspaces=workspaces, credential=credential_for(credential), endpoint=where, pace=pace)
        return cls(source, api, functions=functions)

    def query(
        self,
        kql: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> QueryResult:
        """See Engine.query. ``statistics`` also has ``requests``, ``parts`` and ``service_seconds``."""
        began = time.perf_counter()
        answer = self.arrow(bind(kql, parameters), (start, end))
        frame = frame_from_arrow(answer.rows, answer.types)
        statistics = {
            "seconds": time.perf_counter() - began,
            "rows": len(frame),
            "requests": answer.requests,
            "parts": answer.parts,
            "service_seconds": answer.seconds,
        }
        return QueryResult(frame, answer.types, answer.cut is not None, answer.warnings, statistics)

    def arrow(self, kql: str, within: Range) -> Answer:
        """The rows of *kql* within a range as Arrow; see ``gathering.Answer``. Raises QueryError, SourceError."""
        return gather(kql, within, self._ask, self._functions)

    def close(self) -> None:
        """See Engine.close. Requests that wait for their turn end with SourceError."""
        self.api.close()

    def _ask(self, kql: str, within: Range) -> Answer:
        text = scoped(kql, within, functions=self._functions, is_there=self._is_saved)
        try:
            return self.api.ask(text.text, text.around)
        except QueryError as error:
            raise at_its_place(error, text) from error
        except Stopped:
            raise SourceError(f"{self.source} was closed while a query was waiting") from None

    def _is_saved(self, name: str) -> bool:
        """Whether the workspace has a function (or a table) of that name; asked once."""
        with self._lock:
            if name not in self._saved:
                try:
                    self.api.ask(f"{name} | take 0", (None, None))
                    self._saved[name] = True
                except QueryError:
                    self._saved[name] = False
            return self._saved[name]


def at_its_place(error: QueryError, text: Scoped) -> QueryError:
    """*error* with line and column as they are in the query as it was given."""
    if error.line is None or error.column is None:
        return error
    place = text.place(error.line, error.column)
    message = str(error)
    said = f"line {error.line}, column {error.column}: "
    if place is None:
        return type(error)(message.replace(said, "in a function of the semantic layer: "))
    return type(error)(message.replace(said, f"line {place[0]}, column {place[1]}: "), line=place[0], column=place[1])


def path_of(source: str) -> tuple[str, tuple[str, ...]]:
    """The API's path for a source, and the further workspaces it names. Raises WrongUse."""
    rest = source.removeprefix(f"{SCHEME}://")
    if rest.startswith("/"):
        parts = re.fullmatch(r"(?:/(?!\.)[\w.() -]+)+", rest.rstrip("/"))
        if not parts or not rest.lower().startswith("/subscriptions/"):
            raise WrongUse(f"{source} is not a resource: use {SCHEME}:///subscriptions/…/resourceGroups/…/providers/…")
        return rest.strip("/"), ()
    ids = [part.strip() for part in rest.rstrip("/").split(",")]
    if not all(_WORKSPACE.fullmatch(part) for part in ids):
        raise WrongUse(
            f"{source} has no workspace: use {SCHEME}://WORKSPACE-ID, or ID1,ID2 for several, "
            f"or a resource as {SCHEME}:///subscriptions/…"
        )
    return f"workspaces/{ids[0]}", tuple(ids[1:])
