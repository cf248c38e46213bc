"""Names and texts as DuckDB's SQL writes them."""

from __future__ import annotations


def quoted(name: str) -> str:
    """*name* as SQL names a column or a table."""
    return '"' + name.replace('"', '""') + '"'


def sql_text(text: str) -> str:
    """*text* as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
