"""What a connection sees of a lake: its tables in a range of time, and the functions of the semantic layer.

A table is a view of DuckDB. A function is put before a statement that names it: as a view, DuckDB would read its text
when it is made, and again for each view and statement that names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..format.periods import utc
from ..lake.delta import Lake
from ..lake.own import OwnTable
from ..lake.stored import names as file_names
from ..schema.sql import quoted, sql_text
from ..schema.table import Table
from ..schema.tables import GATEWAY_LOGS, REQUESTS, TABLES
from .kql.functions import computed, names_in, shipped_functions
from .kql.inlining import Range
from .kql.one_request import one_request
from .shapes import Columns, shapes
from .storing import LEAST_ROWS, Storing, comes_again
from .translation import Functions, translate

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

T = TypeVar("T")

#: Kusto type -> the DuckDB type of its columns.
DUCKDB_TYPES = {
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
#: The same of stored columns.
_STORED_TYPES = DUCKDB_TYPES | {"datetime": "TIMESTAMPTZ", "dynamic": "VARCHAR"}
#: Functions that a page of questions asks again and again, and that cost far more to compute than to keep.
_KEPT_FUNCTIONS = ("AoaiCosts", "AoaiCoverage")
#: Parts of the estimates. Others name them several times, and DuckDB would plan and compute them for each.
_PARTS = (
    "AoaiTokenEvidence",
    "AoaiPromptSizes",
    "AoaiPromptFits",
    "AoaiAnswerFits",
    "AoaiTokenEstimates",
)
#: Of the kept functions, rows that are kept at most; each takes some 500 bytes.
_MOST_KEPT_ROWS = 4_000_000
#: Tables of long texts: most of a question about them is reading their files, and few questions are asked alone.
_KEPT_TABLES = ("AoaiMessages",)
#: Of the memory that DuckDB may take, the part that such a table may.
_MOST_KEPT_SHARE = 1 / 4
#: The table of an answer while it is read.
_ANSWER = quoted("the answer")


@dataclass(frozen=True)
class Seen:
    """What a query sees: the functions it names with their columns, each after those it needs, and ``of``, which tells
    of each table and function the rows: equal for the same rows of the same lake."""

    functions: Functions
    of: tuple[tuple[str, Hashable], ...]


@dataclass(frozen=True)
class Among:
    """The only requests that a query is to see: their ``ids`` (CorrelationId), and the ``files`` to look in."""

    ids: pa.Array
    files: Mapping[str, list[str]]


class Views:
    """The tables and functions that a connection has as views, each as the last query saw it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, lake: Lake, functions: Mapping[str, str]):
        self.connection = connection
        self._lake = lake
        self._functions = functions
        #: Stored function -> the stages that an own text of it adds to the package's.
        stages = {name: _stages_added(name, functions) for name in functions if name in TABLES}
        self._added = {name: added for name, added in stages.items() if added}
        #: Table or function -> what its view was made of.
        self._made: dict[str, Hashable] = {}
        #: Function or stage -> its SQL, which may name others of these, tables and what is kept.
        self._selects: dict[str, str] = {}
        #: All that a statement may name, with its columns.
        self._columns: dict[str, Columns] = {}
        #: Those whose rows are kept as they are now.
        self._kept: set[str] = set()
        #: Of these, those that are stored in the lake: the file, and the SQL that computes them.
        self._stored: dict[str, tuple[Path, str]] = {}
        self._storing = Storing(connection, lake)
        #: What the questions that were computed before saw last.
        self._asked: dict[str, Hashable] = {}
        #: The files that a table's rows are read from.
        self._files: dict[str, list[str]] = {}
        #: The same as what is stored says it.
        self._sources: dict[str, tuple[str, str, list[str]]] = {}
        self._among: Among | None = None
        self._number = 0

    def show(
        self,
        kql: str,
        ranges: Mapping[str, Range],
        among: Among | None = None,
        own: Mapping[str, OwnTable] | None = None,
    ) -> Seen:
        """Let *kql* see the tables and functions it names, each table in its range, those of *own* whole.

        Raises LakeError.
        """
        self._only(among)
        texts = {name: self._functions[name] for name in computed(kql, self._functions)}
        request = one_request(kql)
        of: dict[str, Hashable] = {}
        named = frozenset().union(*map(names_in, (kql, *texts.values())))
        for table in reversed(TABLES.values()):
            if table.name in named and table.name in self._added:
                named |= names_in(f"{table.name}{self._added[table.name]}")
        for table in TABLES.values():
            if table.name in named:
                of[table.name] = self._show_table(table, ranges.get(table.name, (None, None)), request)
        columns: dict[str, tuple[str, ...]] = {}
        for name, given in (own or {}).items():
            if name in names_in(kql):
                columns[name] = tuple(given.columns)
                of[name] = (str(given.path), given.path.stat().st_mtime_ns)
                if self._made.get(name) != of[name]:
                    cells = ", ".join(_column(column, kind) for column, kind in given.columns.items())
                    self._define(name, f"SELECT {cells} FROM {_read([str(given.path)])}", of[name], given.columns)
        for name, text in texts.items():
            # What else the query names makes no other function of it, whose rows would be computed anew.
            inner = names_in(text)
            given_to = tuple((known, found) for known, found in columns.items() if known in inner)
            of[name] = (text, given_to, tuple(rows for known, rows in of.items() if known in inner))
            if self._made.get(name) != of[name]:
                self._let_go(name)
                self.add(name, translate(text, given_to))
                self._made[name] = of[name]
            columns[name] = tuple(column for column, _ in self._columns[name])
        return Seen(tuple(columns.items()), tuple(of.items()))

    def _show_table(self, table: Table, asked: Range, request: str) -> Hashable:
        """Let the table's view have its rows of that range, or of *request*; what tells them."""
        # Where all rows are kept, one request's need no reading.
        if request and table.name in self._kept and self._made[table.name] == (sql := self._of_table(table, *asked)):
            return sql
        sql = self._of_table(table, *asked, request)
        if table.name not in self._added:
            self._define_stored(table.name, table, sql)
            return sql
        # The stages may read the gateway's log, and those of another table the requests.
        stored, stages = f"{table.name}_Stored", self._added[table.name]
        others = (GATEWAY_LOGS.name,) if table is REQUESTS else (GATEWAY_LOGS.name, REQUESTS.name)
        rows = (sql, stages, *map(self._made.get, others))
        self._define_stored(stored, table, sql)
        if self._made.get(table.name) != rows:
            self.add(table.name, translate(f"{stored}\n{stages}", ((stored, tuple(table.columns)),)))
            self._made[table.name] = rows
        return rows

    def _define_stored(self, name: str, table: Table, sql: str) -> None:
        """Make the view *name* of the stored rows of *table*."""
        import duckdb

        if self._made.get(name) == sql:
            return
        try:
            self._define(name, sql, sql, table.columns)
        except duckdb.BinderException:
            # An earlier version wrote these files, and knew fewer columns.
            files = _read(self._files[table.name])
            nulls = ", ".join(
                f"CAST(NULL AS {_STORED_TYPES[kind]}) AS {quoted(n)}" for n, kind in table.columns.items()
            )
            every = f"(FROM {files} UNION ALL BY NAME SELECT {nulls} WHERE false)"
            self._define(name, sql.replace(files, every), sql, table.columns)

    def _only(self, among: Among | None) -> None:
        """Let the tables that *among* has files of show only its requests."""
        import pyarrow as pa

        self._among = among
        if among is not None:
            # A name of its own each time: views of other requests, and answers about them, are none of these.
            self._number += 1
            given = pa.table({"CorrelationId": among.ids})
            self.connection.register("given requests", given)
            self.connection.execute(f'CREATE TEMP TABLE "requests {self._number}" AS FROM "given requests"')
            self.connection.unregister("given requests")

    def store(self, seen: Seen, ranges: Mapping[str, Range], *, writing: bool) -> None:
        """Read what a question is about to compute from the lake, if it is dear; store it there first, if *writing*."""
        if self._among is not None:
            return
        for name, rows in seen.of:
            if name not in _KEPT_FUNCTIONS or name in self._kept:
                continue
            path, columns = self._storing.path(name, rows), self._columns[name]
            select = self._storing.read(path, columns)
            if not select and writing and all(map(comes_again, ranges.values())):
                if (number := self._requests()) < LEAST_ROWS:
                    continue
                computed = self._with_functions(f"SELECT * FROM {quoted(name)}")
                sources = {table: self._sources[table] for table, _ in seen.of if table in TABLES}
                self._storing.write(path, computed, columns, rows, sources, number)
                select = self._storing.read(path, columns)
            if select:
                self._stored[name] = path, self._selects[name]
                self._selects[name] = select
                self._kept.add(name)

    def or_computed(self, work: Callable[[], T]) -> T:
        """What *work* gives; where that fails with rows that are stored, what it gives with rows that it computes."""
        import duckdb

        # What no other rows would change: there is no room or time, or the statement is wrong before any is read.
        room_or_time = (duckdb.OutOfMemoryException, duckdb.InterruptException)
        wrong = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)
        try:
            return work()
        except duckdb.Error as error:
            if not self._stored or isinstance(error, (*room_or_time, *wrong)):
                raise
            paths = {path for path, _ in self._stored.values()}
            for name in tuple(self._stored):
                self._let_go(name)
            return self._storing.spared(paths, work)

    def keep(self, seen: Seen) -> None:
        """Keep what a question is about to compute, where that is dear, has room, and is likely to be asked again.

        Which is a function in any question but the first, and a table in the second question about its rows. Parts of
        a function are kept before it is computed.
        """
        import duckdb

        for name, rows in seen.of:
            likely = (
                name in _PARTS
                or (name in _KEPT_FUNCTIONS and self._asked)
                or (name in _KEPT_TABLES and self._asked.get(name) == rows)
            )
            if not likely or name in self._kept or not self._fits(name):
                continue
            try:
                self.connection.execute(self._with_functions(f"SELECT * FROM {quoted(name)}", stored_as=_kept(name)))
            except duckdb.Error:
                continue  # no memory, or the query fails too, and says why
            select = f"SELECT * FROM {_kept(name)}"
            if name in self._selects:
                self._selects[name] = select
            else:
                self.connection.execute(f"CREATE OR REPLACE TEMP VIEW {quoted(name)} AS {select}")
            self._kept.add(name)
        self._asked.update(seen.of)

    def add(self, name: str, select: str, *, stored: bool = False) -> Columns:
        """Let statements name the rows of *select*, which are computed now where *stored*; its columns.

        Raises duckdb.Error.
        """
        self._columns[name] = self.columns(select)
        if stored:
            self.connection.execute(self._with_functions(select, stored_as=quoted(name)))
        else:
            self._selects[name] = select
        return self._columns[name]

    def remove(self, name: str) -> None:
        """Forget what ``add`` added."""
        self._columns.pop(name, None)
        if self._selects.pop(name, None) is None:
            self.connection.execute(f"DROP TABLE IF EXISTS {quoted(name)}")

    def columns(self, sql: str) -> Columns:
        """The columns of a statement's answer. Raises duckdb.Error."""
        return shapes().of(sql, {name: self._columns[name] for name in _named(sql, self._columns)})

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """A statement's rows. Raises duckdb.Error."""
        return self.connection.execute(self._with_functions(sql)).fetchall()

    def arrow(self, sql: str) -> pa.Table:
        """A statement's rows. Raises duckdb.Error."""
        # By way of a table, DuckDB reads the statement once, and what does not fit in memory goes to disk.
        self.connection.execute(self._with_functions(sql, stored_as=_ANSWER))
        try:
            return self.connection.sql(f"FROM {_ANSWER}").to_arrow_table()
        finally:
            self.connection.execute(f"DROP TABLE {_ANSWER}")

    def _with_functions(self, sql: str, *, stored_as: str = "") -> str:
        """*sql* with the functions and stages that it names before it; its rows as a table where *stored_as* says."""
        needed: dict[str, str] = {}

        def add(text: str) -> None:
            for name in _named(text, self._selects):
                if name not in needed and text is not self._selects[name]:
                    add(self._selects[name])
                    needed[name] = self._selects[name]

        add(sql)
        parts = ", ".join(f"{quoted(name)} AS ({select})" for name, select in needed.items())
        made = f"CREATE TEMP TABLE {stored_as} AS " if stored_as else ""
        return f"{made}WITH {parts} SELECT * FROM ({sql})" if parts else f"{made}{sql}"

    def _define(self, name: str, select: str, rows: Hashable, columns: Mapping[str, str]) -> None:
        """Make the view of a table, whose rows *rows* tells, and let go what is kept of another one."""
        self.connection.execute(f"CREATE OR REPLACE TEMP VIEW {quoted(name)} AS {select}")
        self._made[name] = rows
        self._columns[name] = tuple((column, DUCKDB_TYPES[kind]) for column, kind in columns.items())
        self._let_go(name)

    def _let_go(self, name: str) -> None:
        if name in self._stored:
            _, self._selects[name] = self._stored.pop(name)
            self._kept.remove(name)
        elif name in self._kept:
            self.connection.execute(f"DROP TABLE {_kept(name)}")
            self._kept.remove(name)

    def _requests(self) -> int:
        ((number,),) = self.rows('SELECT count(*) FROM "AoaiRequests"')
        return int(number)

    def _fits(self, name: str) -> bool:
        if name in _PARTS:
            return True
        if name in _KEPT_FUNCTIONS:
            return self._requests() <= _MOST_KEPT_ROWS
        if not self._files[name]:
            return False
        sql = f"""SELECT sum(total_uncompressed_size), parse_formatted_bytes(current_setting('memory_limit'))
            FROM parquet_metadata({_listed(self._files[name])})"""
        ((size, memory),) = self.connection.execute(sql).fetchall()
        return bool(size <= _MOST_KEPT_SHARE * memory)

    def _of_table(self, table: Table, start: datetime | None, end: datetime | None, request: str = "") -> str:
        """SQL of *table*'s rows: Kusto's types, no null strings (Kusto has none), the time range applied.

        *request* is the CorrelationId of the only request to see.
        """
        start, end = start and utc(start), end and utc(end)
        dates = (start.date().isoformat() if start else "0001-01-01", end.date().isoformat() if end else "9999-12-31")
        files = self._lake.files(table.name, dates)
        self._sources[table.name] = *dates, file_names(files)
        conditions = [
            f"TimeGenerated {operator} TIMESTAMPTZ {sql_text(moment.isoformat())}"
            for operator, moment in ((">=", start), ("<", end))
            if moment is not None
        ]
        if request:
            conditions.append(f"CorrelationId = {sql_text(request)}")
            files = self._files_with(files, conditions[-1])
        if self._among is not None and table.name in self._among.files:
            conditions.append(f'CorrelationId IN (FROM "requests {self._number}")')
            files = self._among.files[table.name]
        self._files[table.name] = files
        if not files:
            nulls = ", ".join(f"CAST(NULL AS {DUCKDB_TYPES[kind]}) AS {quoted(n)}" for n, kind in table.columns.items())
            return f"SELECT {nulls} WHERE false"
        columns = ", ".join(_column(name, kql_type) for name, kql_type in table.columns.items())
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT {columns} FROM {_read(files)}{where}"

    def _files_with(self, files: list[str], condition: str) -> list[str]:
        """Of *files*, those that have a row of that condition: one column tells, and the others are long."""
        if not files:
            return []
        sql = f"SELECT DISTINCT filename FROM {_read(files, 'filename=true')} WHERE {condition}"
        found = {row[0] for row in self.connection.execute(sql).fetchall()}
        return [file for file in files if file in found]


def _stages_added(name: str, functions: Mapping[str, str]) -> str:
    """The stages that follow the package's own text of a function in *functions*; '' for another text."""
    own, shipped = functions[name], shipped_functions()[name].rstrip()
    return own.removeprefix(shipped).strip() if own.startswith(shipped) else ""


def _named(sql: str, names: Iterable[str]) -> list[str]:
    """Those of *names* that *sql* has as a word."""
    return [name for name in names if name in sql and re.search(rf"\b{re.escape(name)}\b", sql)]


def _kept(name: str) -> str:
    return quoted(f"{name} kept")


def _listed(files: list[str]) -> str:
    return f"[{', '.join(map(sql_text, files))}]"


def _read(files: list[str], *options: str) -> str:
    return f"read_parquet({_listed(files)}, {', '.join(('hive_partitioning=false', 'union_by_name=true', *options))})"


def _column(name: str, kql_type: str) -> str:
    column = quoted(name)
    if kql_type == "string":
        return f"coalesce({column}, '') AS {column}"
    if kql_type == "datetime":
        # As timezone('UTC', ...), which asks a calendar about each value.
        return f"make_timestamp(epoch_us({column})) AS {column}"
    if kql_type == "dynamic":
        # A piece of a longer text is no JSON by itself: Kusto keeps such a value as a string.
        return f"CASE WHEN json_valid({column}) THEN {column}::JSON ELSE to_json({column}) END AS {column}"
    return column
