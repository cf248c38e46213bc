"""The local engine: KQL on a lake of Delta tables, translated by duckdb-kql and run by DuckDB."""

from __future__ import annotations

import hashlib
import re
import threading
import time
import weakref
from collections.abc import Hashable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import settings
from ..errors import QueryError
from ..lake.delta import Lake
from ..lake.journal import SetAside, set_aside
from ..lake.own import OwnTable, own_tables
from ..lake.translations import translations
from ..schema.sql import quoted, sql_text
from ..schema.tables import TABLES
from . import dialect
from .dialect.adapter import arities
from .dialect.plugins import NOT_LOCAL
from .dialect.stages import Stages
from .frames import frame_from_arrow
from .kql.classic import CLASSIC_TABLES, newer
from .kql.elsewhere import here
from .kql.flow import catalogue, checked, columns_of
from .kql.functions import in_force, names_in
from .kql.inlining import Range
from .kql.parameters import bind
from .kql.remembered import beside, recalled
from .kql.several import first_table
from .kql.tree import read, string_value
from .pinpointing import Try, pinpointed
from .protocol import QueryResult
from .running import private_folder, remove, stoppable
from .staleness import Staleness
from .storing import UNSTEADY
from .translation import Functions, translate
from .views import DUCKDB_TYPES, Among, Views

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

#: Rows, and their columns' Kusto types.
Answer = tuple["pa.Table", dict[str, str]]
#: Size of the cache of latest results for repeated queries on the same rows, in bytes.
_RECENT_BYTES = 64 * 2**20
#: Rows that a part of a failed query is tried on.
_TRIED_ROWS = 10_000
_NOT_KNOWN = "the local engine cannot run this query: it uses KQL in a way that is not known here"
_OUT_OF_RANGE = "a result is too large for its type"

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


class LocalEngine:
    """Answers KQL from a lake. Each query sees one snapshot of each table, also while an ingest writes."""

    def __init__(self, lake: Lake, source: str, functions: Mapping[str, str] | None = None):
        self.source = source
        self._functions = {**CLASSIC_TABLES, **in_force(functions)}
        self._own: dict[str, OwnTable] = {}
        self._known = catalogue(self._functions)
        #: Tells the functions' texts.
        self._texts = hashlib.sha256(repr(sorted(self._functions.items())).encode()).hexdigest()
        self._lake = lake
        self._views: Views | None = None
        self._recent = _Recent()
        self._lock = threading.Lock()
        self._stale = Staleness(lake)
        self._spilled: Path | None = None

    @classmethod
    def open(cls, folder: str | Path, functions: Mapping[str, str] | None = None) -> LocalEngine:
        """The engine over the lake in *folder*. Raises LakeError where there is none. Reads no data."""
        return cls(Lake(folder), str(folder), functions)

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
        ranges = {name: (start, end) for name in TABLES}
        (table, columns), stale, notices = self._asked(bind(kql, parameters), ranges, seconds=settings().query_seconds)
        types = dict(columns)
        frame = frame_from_arrow(table, types)
        statistics = {"seconds": time.perf_counter() - began, "rows": len(frame)}
        return QueryResult(frame, types, partial=bool(stale), warnings=stale + notices, statistics=statistics)

    def arrow(self, kql: str, ranges: Mapping[str, Range], *, limit_to: str = "", among: Among | None = None) -> Answer:
        """*kql*'s rows as an Arrow table with its columns' Kusto types; each table's time range by its name.

        *limit_to* is an SQL condition on the result; *among* names the only requests to see.
        Rows of a computed table that the logs are newer than come as they are. Raises QueryError, LakeError.
        """
        answer, _, _ = self._asked(kql, ranges, limit_to=limit_to, among=among, computing=True)
        return answer

    def _asked(
        self,
        kql: str,
        ranges: Mapping[str, Range],
        *,
        limit_to: str = "",
        among: Among | None = None,
        seconds: float | None = None,
        computing: bool = False,
    ) -> tuple[Answer, tuple[str, ...], tuple[str, ...]]:
        """See ``arrow``; with what is missing from the answer, and what else its reader should know."""
        import duckdb

        kql = kql.rstrip()  # as it is read again when it is translated
        with self._lock, beside(kql, translations(self._lake)):
            if not computing:
                columns_of(kql)  # so that what hides texts afterwards is remembered too
            own = own_tables(self._lake)
            if own != self._own:
                # Made anew only then: what functions answer with is worked out once for each catalogue.
                self._own = own
                self._known = catalogue(self._functions, {name: table.columns for name, table in own.items()})
            whole = (kql, self._texts, [(name, table.columns) for name, table in own.items()])
            kql, notices = recalled(("prepared", *whole), lambda: self._prepared(kql))
            views = self._connected()
            seen = views.show(kql, ranges, among, own)
            stale = () if computing else self._stale.warnings([name for name, _ in seen.of], ranges)
            dynamic: frozenset[str] = frozenset()
            stages = Stages(views, lambda text, known: translate(text, (*seen.functions, *known), dynamic), _kusto_type)

            def work() -> tuple[Hashable, Answer]:
                nonlocal dynamic
                try:
                    return views.or_computed(answered)
                except (duckdb.BinderException, duckdb.ConversionException):
                    dynamic = dialect.dynamic_names(kql)
                    return views.or_computed(answered)

            def answered() -> tuple[Hashable, Answer]:
                # Storing takes longer than an answer, for which there may be no time.
                views.store(seen, ranges, writing=seconds is None)
                staged = recalled(
                    ("staged", kql, seen.functions),
                    lambda: dialect.staged(kql, stages),
                    lambda: not stages.definitions,  # a stage can depend on the rows
                )
                sql = stages.sql(staged)
                asked = (sql, limit_to, seen.of, tuple(stages.definitions))
                answer = self._recent.get(asked)
                if answer is None:
                    views.keep(seen)
                    answer = _run(views, sql, limit_to)
                return asked, answer

            try:
                with _refusals(kql), closing(stages):
                    asked, answer = stoppable(views.connection, work, seconds)
            except QueryError as error:
                cause = error.__cause__  # none where the time was up
                no_place = (duckdb.OutOfMemoryException, duckdb.InterruptException)
                is_plain = isinstance(cause, (*no_place, *_own_faults())) or str(error).startswith("assert()")
                if error.line is not None or cause is None or is_plain:
                    raise
                certain = str(error) == _OUT_OF_RANGE
                raise pinpointed(kql, self._attempt(seen.functions), str(error), certain=certain) from error
            if not names_in(kql) & UNSTEADY:
                self._recent.put(asked, answer)
            return answer, stale, tuple(notices)

    def _prepared(self, kql: str) -> tuple[str, tuple[str, ...]]:
        """*kql* as it is to be translated, and what its reader should know. Raises QueryError where it is wrong."""
        kql, notices = here(kql)
        kql, several = first_table(kql)
        kql = dialect.present(newer(kql), self._known)
        checked(kql, self._known, arities())
        return dialect.expanded(kql, TABLES), notices + several

    def types(self, kql: str) -> dict[str, str] | None:
        """The columns of *kql*'s answer and their types, without running it; None where that fails."""
        with self._lock:
            try:
                seen = self._connected().show(kql, {name: (None, None) for name in TABLES}, None, {})
                return self._attempt(seen.functions)(kql, False)
            except QueryError:
                return None

    def _attempt(self, functions: Functions) -> Try:
        """What tries a query: the types of its columns, None where it fails. Raises QueryError for DuckDB's faults."""
        views = self._connected()

        def attempt(kql: str, running: bool) -> dict[str, str] | None:
            stages = Stages(views, lambda text, known: translate(text, (*functions, *known)), _kusto_type)
            try:
                with _refusals(kql), closing(stages):
                    sql = stages.sql(dialect.staged(kql, stages))
                    if running:
                        views.rows(f"SELECT * FROM ({sql}) LIMIT {_TRIED_ROWS}")
                    return {name: _kusto_type(kind) for name, kind in views.columns(sql)}
            except QueryError as error:
                if isinstance(error.__cause__, _own_faults()):
                    raise
                return None

        return attempt

    def set_aside(self) -> SetAside:
        """What the lake's ingests read and did not keep. Raises LakeError where their notes are damaged."""
        return set_aside(self._lake)

    def close(self) -> None:
        """See Engine.close."""
        with self._lock:
            self._disconnect()

    def _disconnect(self) -> None:
        if self._views is not None:
            self._views.connection.close()
            self._views = None
            self._recent = _Recent()
        if self._spilled is not None:
            remove(self._spilled)
            self._spilled = None

    def _connected(self) -> Views:
        import duckdb

        if self._views is not None:
            # A fault of its own, in one query, can end all that DuckDB would do for the next.
            try:
                self._views.connection.execute("SELECT 1").fetchall()
            except duckdb.FatalException:
                self._disconnect()
        if self._views is None:
            # A query may read the lake's own files and nothing else: no other file, no Python variable.
            connection = dialect.connection()
            connection.execute("SET parquet_metadata_cache=true")  # the files never change
            # On a terminal DuckDB would draw a bar on standard output; elsewhere the setting may not even be named.
            if connection.execute("SELECT current_setting('enable_progress_bar')").fetchall() == [(True,)]:
                connection.execute("SET enable_progress_bar=false")
            connection.execute(f"SET allowed_directories=[{sql_text(str(self._lake.path.resolve()) + '/')}]")
            # The last of these settings: the query's own files lie elsewhere, and a report's kernels share the machine.
            self._spilled = private_folder("aoai-spill-")
            weakref.finalize(self, remove, self._spilled)
            connection.execute(f"SET temp_directory={sql_text(str(self._spilled))}")
            connection.execute(f"SET memory_limit={sql_text(settings().query_memory)}")
            connection.execute("SET enable_external_access=false")
            connection.execute("SET lock_configuration=true")
            self._views = Views(connection, self._lake, self._functions)
        return self._views


class _Recent:
    """The latest answers, bounded by bytes; the longest unused goes first."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, Answer] = {}
        self._bytes = 0

    def get(self, asked: Hashable) -> Answer | None:
        answer = self._answers.pop(asked, None)
        if answer is not None:
            self._answers[asked] = answer
        return answer

    def put(self, asked: Hashable, answer: Answer) -> None:
        if asked in self._answers or answer[0].nbytes > _RECENT_BYTES:
            return
        self._answers[asked] = answer
        self._bytes += answer[0].nbytes
        while self._bytes > _RECENT_BYTES:
            rows, _ = self._answers.pop(next(iter(self._answers)))
            self._bytes -= rows.nbytes


def _run(views: Views, sql: str, limit_to: str) -> Answer:
    """The rows of *sql* as an Arrow table, and the columns' Kusto types."""
    types = {name: _kusto_type(kind) for name, kind in views.columns(sql)}
    # DuckDB casts a list of JSON by way of its text, and writes its nulls as NULL.
    casts = {
        name: "to_json({0})" if kind == "dynamic" else f"CAST({{0}} AS {DUCKDB_TYPES[kind]})"
        for name, kind in types.items()
    }
    fetched = ", ".join(f"{cast.format(quoted(name))} AS {quoted(name)}" for name, cast in casts.items())
    where = f" WHERE {limit_to}" if limit_to else ""
    return views.arrow(f"SELECT {fetched} FROM ({sql}){where}"), types


@contextmanager
def _refusals(kql: str) -> Iterator[None]:
    """What duckdb-kql and DuckDB refuse of *kql*, raised as QueryError."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise QueryError("the query needs more memory than available: narrow its time range") from error
    except duckdb.Error as error:
        raise QueryError(_plain(error, kql)) from error
    except Exception as error:
        from duckdb_kql import KqlError, KqlUnsupportedError  # a tenth of a second, for what was translated before

        if isinstance(error, KqlUnsupportedError):
            raise _unsupported(kql) from error
        if isinstance(error, KqlError):
            raise QueryError(_NOT_KNOWN) from error
        raise


def _own_faults() -> tuple[type[Exception], ...]:
    """DuckDB's errors that are no fault of the query. After them it may refuse whatever else it is asked."""
    import duckdb

    return duckdb.FatalException, duckdb.InternalException


def _unsupported(kql: str) -> QueryError:
    """What of KQL the local engine cannot run, and where."""
    for node in read(kql).find(*NOT_LOCAL):
        line, column = node.place
        what = f"the local engine does not run {NOT_LOCAL[node.kind]}"
        return QueryError(f"line {line}, column {column}: {what}", line=line, column=column)
    return QueryError(_NOT_KNOWN)


def _kusto_type(duckdb_type: str) -> str:
    if re.fullmatch(r"DECIMAL\(\d+,\s*\d+\)", duckdb_type):
        return "decimal"
    return _DUCKDB_TO_KUSTO.get(duckdb_type, "dynamic")  # JSON, and lists and structs that become it


def _plain(error: duckdb.Error, kql: str) -> str:
    """DuckDB's message as one line in KQL's words, without the SQL (it may hold text of the query's literals)."""
    import duckdb

    first = str(error).split("\n\n")[0].split("\n")[0]
    if asserted := re.search(r"assert\(\) has failed: (.*)", first):
        # Kusto takes a literal only; what a message is computed from may be a prompt.
        written = {string_value(node.text) for node in read(kql).find("StringLiteralExpression")}
        return asserted[0] if asserted[1] in written else "assert() has failed"
    missing = re.search(r'Referenced column "([^"]+)" not found', first)
    if missing:
        return f"there is no column '{missing[1]}' where the query names it"
    if isinstance(error, duckdb.OutOfRangeException | duckdb.ConversionException) and "out of range" in first.lower():
        return _OUT_OF_RANGE
    if isinstance(error, duckdb.ConversionException | duckdb.InvalidInputException):
        # The message quotes the value, and a value may be a prompt.
        column = re.search(r"source column (\w+)", str(error))
        return "the query compares or converts a value of the wrong type" + (f" in {column[1]}" if column else "")
    if isinstance(error, duckdb.BinderException):
        return "the query gives an operator or a function a value of a type that it does not take"
    return "the local engine failed to run this query"
