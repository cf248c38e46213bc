"""From KQL to DuckDB's SQL, by duckdb-kql."""

from __future__ import annotations

from functools import lru_cache

from ..schema.tables import TABLES
from . import dialect

#: The functions that a query may name, with their columns.
Functions = tuple[tuple[str, tuple[str, ...]], ...]


@lru_cache(maxsize=256)
def translate(kql: str, functions: Functions = ()) -> str:
    """*kql* as DuckDB SQL. Cached: reading a long query costs more than running it on a small lake.

    Raises duckdb_kql's KqlError.
    """
    import duckdb_kql

    dialect.install()
    schema = {name: list(table.columns) for name, table in TABLES.items()}
    schema |= {name: list(columns) for name, columns in functions}
    return str(duckdb_kql.to_sql(dialect.prepared(kql), schema=schema, allow_write=False))


def quoted(name: str) -> str:
    """*name* as SQL names a column or a table."""
    return '"' + name.replace('"', '""') + '"'


def sql_text(text: str) -> str:
    """*text* as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
