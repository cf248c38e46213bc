"""From KQL to DuckDB's SQL, by duckdb-kql."""

from __future__ import annotations

from ..errors import QueryError
from ..schema.tables import TABLES
from . import dialect
from .dialect.datatables import cut, with_tables
from .kql.flow import catalogue
from .kql.remembered import remembered
from .kql.tree import undisturbed

#: The functions that a query may name, with their columns.
Functions = tuple[tuple[str, tuple[str, ...]], ...]


@remembered()
@undisturbed()
def translate(kql: str, functions: Functions = (), dynamic: frozenset[str] = frozenset()) -> str:
    """*kql* as DuckDB SQL. Remembered: reading a long query costs more than running it on a small lake.

    *dynamic* names columns that hold dynamic values, where arithmetic on them failed.
    Raises duckdb_kql's KqlError, QueryError.
    """
    import duckdb_kql

    dialect.install()
    schema = {name: list(table.columns) for name, table in TABLES.items()}
    schema |= {name: list(columns) for name, columns in functions}
    known = catalogue({}, {name: dict.fromkeys(columns, "") for name, columns in functions})
    text, tables = cut(dialect.prepared(kql, known))
    schema |= {name: columns for name, (columns, _) in tables.items()}
    try:
        with dialect.computing(dynamic):
            sql = str(duckdb_kql.to_sql(text, schema=schema, allow_write=False))
    except (AssertionError, LookupError, TypeError, ValueError, RecursionError) as error:
        # What it does not foresee in a query is no reason to fail with a trace.
        raise QueryError(
            "the local engine cannot run this query: it uses KQL in a way that is not known here"
        ) from error
    return with_tables(sql, tables)
