"""The columns of SQL, without the rows: DuckDB reads it over empty tables.

DuckDB reads a view's text again wherever the view is named: the types of an answer over the semantic layer would cost
as much as the answer. Over empty tables each text is read once, for all lakes of a process.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from ..schema.sql import quoted
from . import dialect
from .kql.remembered import recalled

if TYPE_CHECKING:
    import duckdb

#: Name -> DuckDB type, in order.
Columns = tuple[tuple[str, str], ...]
#: Texts that are remembered.
_MOST = 2000


class Shapes:
    """Tells the columns of SQL statements that read tables of known columns."""

    def __init__(self) -> None:
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._lock = threading.Lock()
        #: The tables as they are now.
        self._tables: dict[str, Columns] = {}
        self._known: OrderedDict[tuple[str, str, tuple[tuple[str, Columns], ...]], Columns] = OrderedDict()

    def of(self, sql: str, tables: Mapping[str, Columns]) -> Columns:
        """The columns of *sql*, which reads *tables*. Raises duckdb.Error."""
        asked = ("columns", sql, tuple(tables.items()))
        with self._lock:
            if asked not in self._known:
                found = recalled(asked, lambda: self._read(sql, tables))
                self._known[asked] = tuple((name, kind) for name, kind in found)
            self._known.move_to_end(asked)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
            return self._known[asked]

    def _read(self, sql: str, tables: Mapping[str, Columns]) -> Columns:
        if self._connection is None:
            self._connection = dialect.connection()
        for name, columns in tables.items():
            if self._tables.get(name) != columns:
                listed = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns)
                self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(name)} ({listed})")
                self._tables[name] = columns
        relation = self._connection.sql(sql)
        return tuple((name, str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True))


@cache
def shapes() -> Shapes:
    """Those of this process."""
    return Shapes()
