"""The local engine: KQL on a lake of Delta tables, translated by duckdb-kql and run by DuckDB."""

from __future__ import annotations

import difflib
import re
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import QueryError
from ..logs.lake import Lake
from ..logs.tables import TABLES, Table
from . import dialect
from .frames import frame_from_arrow
from .functions import computed_functions, named_functions, names
from .parameters import bind, declared
from .protocol import QueryResult

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

#: Functions whose rows of one request come of that request's log rows alone.
_BY_REQUEST = ("AoaiConversation", "AoaiLlmTexts")
#: A query that begins with a table's rows of one request, which a literal or a parameter names.
_ONE_REQUEST = re.compile(r"\s*(\w+)\s*\|\s*where\s+CorrelationId\s*==\s*(\w+|\"[^\"]*\")\s*(?:\||$)")
#: start <= TimeGenerated < end; None is open.
Range = tuple[datetime | None, datetime | None]

_DUCKDB_TO_KUSTO = {
    "BOOLEAN": "bool",
    "TINYINT": "int",
    "SMALLINT": "int",
    "INTEGER": "int",
    "UTINYINT": "int",
    "USMALLINT": "int",
    "UINTEGER": "long",
    "BIGINT": "long",
    "UBIGINT": "long",
    "HUGEINT": "long",  # DuckDB sums BIGINTs to a HUGEINT, Kusto to a long
    "FLOAT": "real",
    "DOUBLE": "real",
    "TIMESTAMP": "datetime",
    "TIMESTAMP WITH TIME ZONE": "datetime",
    "DATE": "datetime",
    "INTERVAL": "timespan",
    "UUID": "guid",
    "VARCHAR": "string",
}
# Kusto type -> the DuckDB type its column is fetched as.
_FETCHED_AS = {
    "bool": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "real": "DOUBLE",
    "decimal": "DOUBLE",
    "datetime": "TIMESTAMP",
    "timespan": "INTERVAL",
    "string": "VARCHAR",
    "guid": "VARCHAR",
    "dynamic": "JSON",
}


class LocalEngine:
    """Answers KQL from a lake. Each query sees one snapshot of each table, also while an ingest writes."""

    def __init__(self, lake: Lake, source: str):
        self.source = source
        self._lake = lake
        self._connection: duckdb.DuckDBPyConnection | None = None
        # Name -> (definition, columns) of the functions that the connection has as views.
        self._defined: dict[str, tuple[tuple[str, Functions], tuple[str, ...]]] = {}
        self._lock = threading.Lock()

    @classmethod
    def open(cls, folder: str | Path) -> LocalEngine:
        """The engine over the lake in *folder*. Raises LakeError where there is none. Reads no data."""
        return cls(Lake(folder), str(folder))

    def query(
        self,
        kql: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> QueryResult:
        """See Engine.query."""
        began = time.perf_counter()
        table, types = self.arrow(bind(kql, parameters), {name: (start, end) for name in TABLES})
        frame = frame_from_arrow(table, types)
        return QueryResult(frame, types, statistics={"seconds": time.perf_counter() - began, "rows": len(frame)})

    def arrow(self, kql: str, ranges: Mapping[str, Range], *, limit_to: str = "") -> tuple[pa.Table, dict[str, str]]:
        """*kql*'s rows as an Arrow table with its columns' Kusto types; each table's time range by its name.

        *limit_to* is an SQL condition on the result. Raises QueryError, LakeError.
        """
        with self._lock:
            connection = self._connected()
            functions = {name: computed_functions()[name] for name in named_functions(kql)}
            request = _one_request(kql)
            for table in TABLES.values():
                if any(names(text, table.name) for text in (kql, *functions.values())):
                    connection.execute(_view(self._lake, table, *ranges.get(table.name, (None, None)), request))
            columns: dict[str, tuple[str, ...]] = {}
            for name, text in functions.items():
                definition = (text, tuple(columns.items()))
                if self._defined.get(name, ((), ()))[0] != definition:
                    self._defined[name] = (definition, _define(connection, name, *definition))
                columns[name] = self._defined[name][1]
            return _run(connection, kql, limit_to, tuple(columns.items()))

    def close(self) -> None:
        """See Engine.close."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
                self._defined.clear()

    def _connected(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            import duckdb

            dialect.install()
            # A query may read the lake's own files and nothing else: no other file, no Python variable.
            self._connection = duckdb.connect(config={"python_enable_replacements": "false"})
            self._connection.execute("SET TimeZone='UTC'")
            # On a terminal DuckDB would draw a bar on standard output; elsewhere the setting may not even be named.
            if self._connection.execute("SELECT current_setting('enable_progress_bar')").fetchall() == [(True,)]:
                self._connection.execute("SET enable_progress_bar=false")
            self._connection.execute(f"SET allowed_directories=[{_sql_text(str(self._lake.path.resolve()) + '/')}]")
            self._connection.execute("SET enable_external_access=false")
            self._connection.execute("SET lock_configuration=true")
        return self._connection


def _one_request(kql: str) -> str:
    """The CorrelationId of the one request that *kql* asks for by a function computed request by request; '' for all.

    DuckDB cannot take the condition through such a function, and would compute every request's rows for one's.
    """
    parameters = declared(kql)
    lines = [line for line in kql.split("\n") if not line.strip().startswith("//")]
    body = "\n".join(line for line in lines if not re.match(r"\s*let\s", line))
    if len(lines) - body.count("\n") - 1 != len(parameters) or not (match := _ONE_REQUEST.match(body)):
        return ""
    name, value = match.groups()
    others = {*TABLES, *computed_functions()} - {name}
    if name not in _BY_REQUEST or any(names(body, other) for other in others):
        return ""
    literal = parameters[value].default if value in parameters else value
    return literal[1:-1] if re.fullmatch(r'"[\w.:-]+"', literal) else ""


def _view(lake: Lake, table: Table, start: datetime | None, end: datetime | None, request: str = "") -> str:
    """SQL that makes *table*'s view: Kusto's types, no null strings (Kusto has none), the time range applied.

    *request* is the CorrelationId of the only request to see.
    """
    start, end = _utc(start), _utc(end)
    dates = (start.date().isoformat() if start else "0001-01-01", end.date().isoformat() if end else "9999-12-31")
    files = lake.files(table.name, dates)
    if not files:
        nulls = ", ".join(
            f'CAST(NULL AS {_FETCHED_AS[kql_type]}) AS "{name}"' for name, kql_type in table.columns.items()
        )
        return f'CREATE OR REPLACE TEMP VIEW "{table.name}" AS SELECT {nulls} WHERE false'
    columns = ", ".join(_column(name, kql_type) for name, kql_type in table.columns.items())
    source = f"read_parquet([{', '.join(map(_sql_text, files))}], hive_partitioning=false, union_by_name=true)"
    conditions = [
        f"TimeGenerated {operator} TIMESTAMPTZ {_sql_text(moment.isoformat())}"
        for operator, moment in ((">=", start), ("<", end))
        if moment is not None
    ]
    if request:
        conditions.append(f"CorrelationId = {_sql_text(request)}")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f'CREATE OR REPLACE TEMP VIEW "{table.name}" AS SELECT {columns} FROM {source}{where}'


def _column(name: str, kql_type: str) -> str:
    quoted = f'"{name}"'
    if kql_type == "string":
        return f"coalesce({quoted}, '') AS {quoted}"
    if kql_type == "datetime":
        return f"timezone('UTC', {quoted}) AS {quoted}"
    if kql_type == "dynamic":
        # A piece of a longer text is no JSON by itself: Kusto keeps such a value as a string.
        return f"CASE WHEN json_valid({quoted}) THEN {quoted}::JSON ELSE to_json({quoted}) END AS {quoted}"
    return quoted


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _sql_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


#: The functions that a query may name, with their columns.
Functions = tuple[tuple[str, tuple[str, ...]], ...]


def _define(connection: duckdb.DuckDBPyConnection, name: str, kql: str, functions: Functions) -> tuple[str, ...]:
    """Make the view that a function of the semantic layer is; its columns."""
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {_name(name)} AS {_translate(kql, functions)}")
    return tuple(connection.table(name).columns)


@lru_cache(maxsize=256)
def _translate(kql: str, functions: Functions = ()) -> str:
    """*kql* as DuckDB SQL. Cached: reading a long query costs more than running it on a small lake."""
    import duckdb_kql

    dialect.install()
    schema = {name: list(table.columns) for name, table in TABLES.items()}
    schema |= {name: list(columns) for name, columns in functions}
    return str(duckdb_kql.to_sql(dialect.prepared(kql), schema=schema, allow_write=False))


def _run(
    connection: duckdb.DuckDBPyConnection, kql: str, limit_to: str, functions: Functions = ()
) -> tuple[pa.Table, dict[str, str]]:
    """The rows of *kql* as an Arrow table, and the columns' Kusto types. Raises QueryError."""
    import duckdb
    from duckdb_kql import KqlError, KqlSyntaxError, KqlUnsupportedError

    try:
        relation = connection.sql(_translate(kql, functions))
        types = {name: _kusto_type(str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True)}
        fetched = ", ".join(f"CAST({_name(n)} AS {_FETCHED_AS[kind]}) AS {_name(n)}" for n, kind in types.items())
        if limit_to:
            relation = relation.filter(limit_to)
        return relation.project(fetched).to_arrow_table(), types
    except KqlSyntaxError as error:
        spot = error.diagnostics[0].span if error.diagnostics else None
        line, column = (spot.line, spot.column + 1) if spot else (None, None)
        where = f"line {line}, column {column}: " if spot else ""
        reason = error.diagnostics[0].message if error.diagnostics else "it does not parse"
        raise QueryError(f"the query has a syntax error: {where}{reason}", line=line, column=column) from error
    except KqlUnsupportedError as error:
        raise QueryError(_unsupported(error)) from error
    except KqlError as error:
        raise QueryError(f"the query is not valid: {error}") from error
    except duckdb.OutOfMemoryException as error:
        raise QueryError("the query needs more memory than there is: narrow its time range") from error
    except duckdb.Error as error:
        raise QueryError(_plain(error, kql)) from error


def _unsupported(error: Any) -> str:
    """What of KQL the local engine cannot run, with the nearest function where it is one."""
    from duckdb_kql.translate.functions import AGGREGATE_FUNCTIONS, SCALAR_FUNCTIONS

    kind, _, name = error.construct.partition(":")
    if kind not in ("function", "aggregate"):
        return f"the local engine cannot run this query: {error}"
    near = difflib.get_close_matches(name, {*SCALAR_FUNCTIONS, *AGGREGATE_FUNCTIONS}, n=1)
    return f"the local engine knows no function '{name}'" + (f"; did you mean '{near[0]}'?" if near else "")


def _kusto_type(duckdb_type: str) -> str:
    if duckdb_type.startswith("DECIMAL"):
        return "decimal"
    return _DUCKDB_TO_KUSTO.get(duckdb_type, "dynamic")  # JSON, and lists and structs that become it


def _plain(error: duckdb.Error, kql: str) -> str:
    """DuckDB's message as one line in KQL's words, without the SQL (it may hold text of the query's literals)."""
    import duckdb

    first = str(error).split("\n\n")[0].split("\n")[0]
    missing = re.search(r'Referenced column "([^"]+)" not found', first)
    if missing:
        known = {column for table in TABLES.values() if table.name in kql for column in table.columns}
        near = difflib.get_close_matches(missing[1], known, n=1)
        return f"the query names a column '{missing[1]}' that is not there" + (
            f"; did you mean '{near[0]}'?" if near else ""
        )
    missing = re.search(r"Table with name (\S+) does not exist", first)
    if missing:
        near = difflib.get_close_matches(missing[1], TABLES, n=1)
        return f"the query names a table '{missing[1]}' that is not there" + (
            f"; did you mean '{near[0]}'?" if near else "; the tables are " + ", ".join(TABLES)
        )
    if isinstance(error, duckdb.ConversionException | duckdb.InvalidInputException):
        # The message quotes the value, and a value may be a prompt.
        column = re.search(r"source column (\w+)", str(error))
        return "the query compares or converts a value of the wrong type" + (f" in {column[1]}" if column else "")
    return f"the query failed: {first.split(': ', 1)[-1]}"
