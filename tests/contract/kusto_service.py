"""A Kusto REST endpoint on loopback: duckdb-kql's own server, with what azure-kusto-data needs of one beside it."""

from __future__ import annotations

import io
import json
import re
import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
from duckdb_kql import server as duckdb_kql_server
from duckdb_kql.errors import KqlError

from aoai_analytics.engines import dialect
from aoai_analytics.engines.kql.parameters import declared
from aoai_analytics.lake.delta import Lake
from aoai_analytics.schema.tables import LOG_TABLES, Table

_TYPES = {
    "string": "VARCHAR",
    "datetime": "TIMESTAMP",
    "bool": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "real": "DOUBLE",
    "dynamic": "JSON",
}
_DECLARATION = re.compile(r"^declare query_parameters\(([^)]*)\);\s*")


def database_of(lake: Lake, file: Path, tables: Iterable[Table] = LOG_TABLES.values()) -> Path:
    """A DuckDB file with some of the lake's tables, by default the two log tables, of Kusto's types."""
    with duckdb.connect(file) as connection:
        connection.execute("SET TimeZone='UTC'")
        for table in tables:
            connection.execute(f'CREATE TABLE "{table.name}" ({_columns(table)})')
            files = ", ".join(f"'{path}'" for path in lake.files(table.name))
            if files:
                connection.execute(f'INSERT INTO "{table.name}" SELECT {_values(table)} FROM read_parquet([{files}])')
    return file


def _columns(table: Table) -> str:
    return ", ".join(f'"{name}" {_TYPES[kind]}' for name, kind in table.columns.items())


def _values(table: Table) -> str:
    def value(name: str, kind: str) -> str:
        column = f'"{name}"'
        if kind == "string":
            return f"coalesce({column}, '')"
        if kind == "datetime":
            return f"timezone('UTC', {column})"
        if kind == "dynamic":
            # As Kusto: a piece of a longer text is no JSON by itself, so it is a string.
            return f"CASE WHEN json_valid({column}) THEN {column}::JSON ELSE to_json({column}) END"
        return column

    return ", ".join(value(name, kind) for name, kind in table.columns.items())


class KustoService:
    """duckdb-kql's Kusto server over a DuckDB file; ``url`` is where it listens.

    Two things stand between: azure-kusto-data sends the request's properties as a JSON text, as Kusto takes them,
    which duckdb-kql 1.1 ignores; and Kusto reads a query parameter's value as a literal of its type, which here
    becomes a ``let``, after a check that it is one literal and no more. *faults* are done to the first requests:
    ``429``, ``503``, ``dropped``, ``too-large``, ``runaway``, ``timeout`` or '' for none. ``asked`` has each request's
    query, parameters, options and headers.
    """

    def __init__(self, file: Path, *, writable: bool = False) -> None:
        dialect.install()
        self._connection = duckdb.connect(file)
        self._connection.execute("SET TimeZone='UTC'")
        self._connection.execute("SET disabled_optimizers='projection_pullup'")  # as in ``dialect.connection``
        dialect.register(self._connection)
        self.server = duckdb_kql_server.KustoRestServer(self._connection, port=0, quiet=True, allow_write=writable)
        self.server.RequestHandlerClass = _handler(self)
        self.server.run = _prepared(self.server.run)  # type: ignore[method-assign]
        self.faults: list[str] = []
        self.asked: list[dict[str, Any]] = []
        self.exchanges: Counter[str] = Counter()
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def database(self) -> str:
        return self.server.database

    def __enter__(self) -> KustoService:
        return self

    def __exit__(self, *_: Any) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._connection.close()


def _prepared(run: Any) -> Any:
    def prepared(csl: str, parameters: Any = None, *rest: Any) -> Any:
        if not csl.lstrip().startswith("."):
            csl = dialect.prepared(with_values(csl, parameters or {}))
        return run(csl, None, *rest)

    return prepared


def with_values(csl: str, values: dict[str, str]) -> str:
    """*csl* with each declared query parameter as a let of its value. Raises KqlError for one that is no literal."""
    match = _DECLARATION.match(csl)
    if not match:
        if values:
            raise KqlError("a query parameter was given that is not declared")
        return csl
    lets = ""
    for declaration in match[1].split(","):
        name, kind = (part.strip() for part in declaration.split(":"))
        let = f"let {name} = {values[name]};"
        found = declared(let)
        if "\n" in let or name not in found or found[name].type != kind or found[name].default != values[name]:
            raise KqlError(f"the value of the query parameter {name} is no literal of type {kind}")
        lets += let + "\n"
    # The lets take the declaration's line.
    return lets + csl[match.end() :]


def _handler(service: KustoService) -> type:
    class Handler(duckdb_kql_server._Handler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            properties = request.get("properties")
            if isinstance(properties, str):
                request["properties"] = json.loads(properties)
            fault = service.faults.pop(0) if service.faults and "rest/query" in self.path else ""
            service.exchanges[fault or "ok"] += 1
            service.asked.append({**request, "headers": dict(self.headers), "path": self.path})
            if fault == "dropped":
                self.close_connection = True
                self.connection.close()
                return
            if fault in ("429", "503"):
                self._send(int(fault), duckdb_kql_server.error_response("try later", code="TooManyRequests"))
                return
            if fault in PARTIAL:
                self._send(200, _failed(*PARTIAL[fault]))
                return
            body = json.dumps(request).encode()
            self.rfile = io.BytesIO(body)
            self.headers.replace_header("Content-Length", str(len(body)))
            super().do_POST()

    return Handler


#: Kusto's words for a result or a query that is too much: code, and description.
PARTIAL = {
    "too-large": (
        "80DA0003",
        "Query execution has exceeded the allowed limits (80DA0003): The results of this query exceed the set limit "
        "of 500000 records (E_QUERY_RESULT_SET_TOO_LARGE).",
    ),
    "runaway": (
        "80DA0007",
        "Query execution lacks memory resources to complete (80DA0007): Partial query failure: Low memory condition "
        "(E_LOW_MEMORY_CONDITION / E_RUNAWAY_QUERY).",
    ),
    "timeout": ("80DA0004", "Query execution has timed out (E_QUERY_TIMED_OUT)."),
}


def _failed(code: str, description: str) -> list[dict[str, Any]]:
    """An answer of 200 in Kusto's v2 frames that breaks off with an error instead of its last rows."""
    error = {"code": "LimitsExceeded", "message": "Request is invalid.", "@type": code, "@message": description}
    table = {
        "FrameType": "DataTable",
        "TableId": 1,
        "TableKind": "PrimaryResult",
        "TableName": "PrimaryResult",
        "Columns": [{"ColumnName": "x", "ColumnType": "long"}],
        "Rows": [[1], {"OneApiErrors": [{"error": error}]}],
    }
    header = {"FrameType": "DataSetHeader", "IsProgressive": False, "Version": "v2.0"}
    return [header, table, {"FrameType": "DataSetCompletion", "HasErrors": True, "Cancelled": False}]
