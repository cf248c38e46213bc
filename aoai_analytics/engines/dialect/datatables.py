"""Long ``datatable`` literals as SQL of their own, which duckdb-kql reads as tables: a price book costs it a second."""

from __future__ import annotations

import re

from ...schema.sql import quoted, sql_text
from ..kql.literals import LONG, values, without_long_tables
from ..kql.tree import Node, edited, read, string_value

_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WHOLE = re.compile(r"[+-]?\d{1,18}")
_TIME = re.compile(r"datetime\((\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d{1,6})?)?)Z?\)")
_TYPES = {
    "string": "VARCHAR",
    "long": "BIGINT",
    "int": "INTEGER",
    "real": "DOUBLE",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "datetime": "TIMESTAMP",
}

#: Name -> its columns, and the SQL of its rows.
Tables = dict[str, tuple[list[str], str]]


def cut(kql: str) -> tuple[str, Tables]:
    """*kql* with names for its long datatables of plain values, and what they name. Raises QueryError."""
    if without_long_tables(kql) == kql:
        return kql, {}
    tables: Tables = {}
    edits = []
    for node in read(kql).find("DataTableExpression"):
        if len(node.text) >= LONG and (table := _table(node)):
            name = f"_datatable_{len(tables)}"
            tables[name] = table
            edits.append((node.start, node.end, name))
    return edited(kql, edits), tables


def with_tables(sql: str, tables: Tables) -> str:
    """*sql* that may read *tables*."""
    if not tables:
        return sql
    ahead = ", ".join(f"{quoted(name)} AS ({rows})" for name, (_, rows) in tables.items())
    for beginning in ("WITH RECURSIVE ", "WITH "):
        if sql.startswith(beginning):
            return f"{beginning}{ahead}, {sql.removeprefix(beginning)}"
    return f"WITH {ahead} {sql}"


def _table(node: Node) -> tuple[list[str], str] | None:
    columns = [
        (next(inner.name for inner in declared.walk() if inner.name), declared.children[-1].text)
        for declared in node.find("RowSchemaColumnDeclaration")
    ]
    opening = next(child.end for child in node.children if child.text == "[")
    found = values(node.source, opening)
    if not columns or found is None or not found[0] or len(found[0]) % len(columns):
        return None
    types = [kind for _, kind in columns] * (len(found[0]) // len(columns))
    made = [_sql(text, kind) for text, kind in zip(found[0], types, strict=True)]
    if None in made:
        return None
    texts = [text for text in made if text is not None]
    rows = [f"({', '.join(texts[at : at + len(columns)])})" for at in range(0, len(texts), len(columns))]
    shown = ", ".join(f"CAST(c{i} AS {_TYPES[kind]}) AS {quoted(name)}" for i, (name, kind) in enumerate(columns))
    names = ", ".join(f"c{i}" for i in range(len(columns)))
    return [name for name, _ in columns], f"SELECT {shown} FROM (VALUES {', '.join(rows)}) AS _dt({names})"


def _sql(literal: str, kind: str) -> str | None:
    """A value as SQL; None for one that the parser had better read."""
    if literal == f"{kind}(null)" and kind != "string":
        return "NULL"
    match kind:
        case "string" if literal[0] in "\"'":
            return sql_text(string_value(literal))
        case "long" | "int" if _WHOLE.fullmatch(literal):
            return literal
        case "real" | "double" if _NUMBER.fullmatch(literal):
            return literal if "e" in literal.lower() else f"{literal}e0"
        case "bool" if literal in ("true", "false"):
            return literal
        case "datetime" if time := _TIME.fullmatch(literal):
            return f"TIMESTAMP {sql_text(time[1].replace('T', ' '))}"
    return None
