"""A Log Analytics query API on loopback: the real one's wire format, limits and failures, answered from a lake."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from azure.core.credentials import AccessToken

from aoai_analytics.engines.kql.functions import definitions, needed
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import QueryError
from aoai_analytics.schema.tables import TABLES

WORKSPACE = "11111111-2222-3333-4444-555555555555"
SECRET = "s3cr3t-t0ken"


class Credential:
    """Hands out one token after another; every one has SECRET in it."""

    def __init__(self) -> None:
        self.given = 0

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        self.given += 1
        return AccessToken(f"{SECRET}-{self.given}", int(time.time()) + 3600)


@dataclass
class Limits:
    """What one answer and one client may have; None is no limit."""

    rows: int | None = 500_000
    bytes: int | None = 100_000_000
    #: Rows that a query may look at before the service gives up on it with 504.
    looked_at: int | None = None
    requests: int | None = 200
    seconds: float = 30.0
    at_once: int | None = 5
    #: Requests after which a token is refused.
    token_uses: int | None = None


@dataclass
class Faults:
    """Which share of requests fails, and how; drawn with a seed, never more than *in_a_row* one after another."""

    rate: float = 0.0
    seed: int = 0
    kinds: tuple[str, ...] = ("429-after", "429", "503", "500", "dropped", "cut-off", "broken-json")
    in_a_row: int = 4
    #: Kinds to do first, in this order.
    script: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._row = 0

    def draw(self) -> str | None:
        if self.script:
            return self.script.pop(0) or None
        if self._row >= self.in_a_row or self._random.random() >= self.rate:
            self._row = 0
            return None
        self._row += 1
        return self._random.choice(self.kinds)


class LogAnalyticsService(ThreadingHTTPServer):
    """The API for one workspace (and whatever other paths it is asked by), from the lake's two log tables.

    *saved* is whether the functions of the semantic layer are saved in the workspace; they then give what the lake
    has computed. ``exchanges`` counts what was
    answered, by kind: ``ok``, ``partial``, or the fault. ``asked`` has each request's body, path and Prefer header.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        engine: LocalEngine,
        *,
        limits: Limits | None = None,
        faults: Faults | None = None,
        saved: bool = False,
        answer: Callable[[str], tuple[pa.Table, dict[str, str]]] | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.engine = engine
        self.limits = limits or Limits()
        self.faults = faults or Faults()
        self.saved = saved
        self.canned = answer
        self.exchanges: Counter[str] = Counter()
        self.asked: list[dict[str, Any]] = []
        self.token_uses: Counter[str] = Counter()
        self.begun: deque[float] = deque()
        self.under_way = 0
        self.most_at_once = 0
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self.server_close()

    def answer(self, kql: str, timespan: str | None) -> tuple[pa.Table, dict[str, str]]:
        """The rows of *kql*, of the timespan's records. Raises QueryError."""
        missing = needed(kql, definitions())
        if missing and not self.saved:
            raise QueryError(f"'where' operator: Failed to resolve table or column expression named '{missing[0]}'")
        if self.canned:
            return self.canned(kql)
        start, end = map(datetime.fromisoformat, timespan.split("/")) if timespan else (None, None)
        return self.engine.arrow(kql, {name: (start, end) for name in TABLES})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LogAnalyticsService
    # Else the body waits until the client has acknowledged the header.
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        service = self.server
        content = self.rfile.read(int(self.headers["Content-Length"]))
        with service.lock:
            service.under_way += 1
            service.most_at_once = max(service.most_at_once, service.under_way)
            refused = self._refused()
            fault = None if refused else service.faults.draw()
            service.exchanges[refused or fault or "asked"] += 1
        try:
            self._respond(refused or fault, orjson.loads(content))
        finally:
            with service.lock:
                service.under_way -= 1

    def _refused(self) -> str | None:
        """Whether a limit or the token stands against this request."""
        service, limits = self.server, self.server.limits
        token = self.headers.get("Authorization", "")
        if not token.startswith(f"Bearer {SECRET}"):
            return "401"
        service.token_uses[token] += 1
        if limits.token_uses and service.token_uses[token] > limits.token_uses:
            return "401"
        now = time.monotonic()
        while service.begun and now - service.begun[0] >= limits.seconds:
            service.begun.popleft()
        if limits.requests and len(service.begun) >= limits.requests:
            return "429-limit"
        if limits.at_once and service.under_way > limits.at_once:
            return "429-limit"
        service.begun.append(now)
        return None

    def _respond(self, fault: str | None, request: dict[str, Any]) -> None:
        if fault == "401":
            return self._error(401, "InvalidTokenError", "The provided authentication is not valid")
        if fault in ("429-after", "429", "429-limit"):
            after = {"Retry-After": "0"} if fault == "429-after" else {}
            return self._error(429, "ThrottledError", "Too many requests", headers=after)
        if fault in ("500", "503"):
            return self._error(int(fault), "ServiceError", "The service is unavailable")
        if fault == "dropped":
            self.close_connection = True
            self.connection.close()
            return None
        if fault == "504":
            return self._error(504, "GatewayTimeout", "Gateway timeout")
        self.server.asked.append({**request, "path": self.path, "prefer": self.headers.get("Prefer", "")})
        try:
            body = self._body(request)
        except QueryError as error:
            inner: dict[str, Any] = {"code": "SEM0100", "message": str(error)}
            if error.line:
                inner |= {"line": error.line, "pos": (error.column or 1) - 1}
            kind = "SyntaxError" if "syntax" in str(error) else "SemanticError"
            return self._error(400, "BadArgumentError", "The request had some invalid properties", inner, kind)
        if body is None:
            with self.server.lock:
                self.server.exchanges["504"] += 1
            return self._error(504, "GatewayTimeout", "Gateway timeout")
        if fault == "cut-off":
            self._send(200, body, {}, only=len(body) // 2)
        elif fault == "broken-json":
            self._send(200, body[: len(body) // 2], {})
        else:
            self._send(200, body, {})
        return None

    def _body(self, request: dict[str, Any]) -> bytes | None:
        limits = self.server.limits
        rows, types = self.server.answer(request["query"], request.get("timespan"))
        if limits.looked_at and rows.num_rows > limits.looked_at:
            return None
        columns = [{"name": name, "type": kind} for name, kind in types.items()]
        message = ""
        if limits.rows and rows.num_rows > limits.rows:
            rows = rows.slice(0, limits.rows)
            message = f"The results of this query exceed the set limit of {limits.rows} records."
        values = wire_rows(rows, types)
        size = len(orjson.dumps(values)) if limits.bytes else 0
        if limits.bytes and size > limits.bytes:
            values = values[: max(1, len(values) * limits.bytes // size)]
            message = f"The results of this query exceed the set limit of {limits.bytes} bytes."
        body: dict[str, Any] = {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": values}]}
        body["statistics"] = {"query": {"executionTime": 0.015625}}
        if message:
            with self.server.lock:
                self.server.exchanges["partial"] += 1
            inner = {"code": "-2133196797", "message": message, "severity": 2, "severityName": "Error"}
            details = [{"code": "EngineError", "message": "Something went wrong", "innererror": inner}]
            body["error"] = {"code": "PartialError", "message": "There were some errors", "details": details}
        return orjson.dumps(body)

    def _error(
        self,
        status: int,
        code: str,
        message: str,
        inner: Any = None,
        kind: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        error: dict[str, Any] = {"message": message, "code": code}
        if inner:
            error["innererror"] = {"code": kind, "message": "A problem was found in the query.", "innererror": inner}
        self._send(status, orjson.dumps({"error": error}), headers or {})

    def _send(self, status: int, body: bytes, headers: dict[str, str], only: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if only is None else body[:only])
        self.wfile.flush()
        if only is not None:
            self.close_connection = True
            self.connection.close()


def wire_rows(rows: pa.Table, types: dict[str, str]) -> list[tuple[Any, ...]]:
    """Rows as the API writes them: times and spans as text with seven digits, dynamic values as text."""
    columns = [_wire(rows.column(index), kind) for index, kind in enumerate(types.values())]
    return list(zip(*columns, strict=True)) if columns else []


def _wire(column: pa.ChunkedArray, kind: str) -> list[Any]:
    if kind == "datetime":
        return pc.strftime(column.cast(pa.timestamp("us")), format="%Y-%m-%dT%H:%M:%S0Z").to_pylist()
    if kind == "timespan":
        return [None if v is None else _span(v) for v in column.to_pylist()]
    if kind in ("real", "decimal"):
        odd = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
        return [odd[str(v)] if _is_odd(v) else v for v in column.to_pylist()]
    return column.to_pylist()


def _is_odd(value: Any) -> bool:
    return value is not None and (value != value or value in (float("inf"), float("-inf")))


def _span(value: Any) -> str:
    micros = value.days * 86_400_000_000 + value.nanoseconds // 1000
    sign, micros = ("-" if micros < 0 else ""), abs(micros)
    days, rest = divmod(micros, 86_400_000_000)
    seconds, fraction = divmod(rest, 1_000_000)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return sign + (f"{days}." if days else "") + clock + (f".{fraction:06}0" if fraction else "")
