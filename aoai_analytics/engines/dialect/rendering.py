"""What becomes of parts of duckdb-kql's tree otherwise than it renders them; ``adapter`` puts these in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...schema.sql import quoted
from .functions import STRINGS

#: From a call, as duckdb-kql reads it, to SQL; None leaves it to the registry.
Rendered = Callable[[Any], str | None]


def without_null_strings(known: Callable[..., str]) -> Callable[..., str]:
    """duckdb-kql's *known* rendering of a join, with the strings of rows without a partner empty, as in Kusto."""

    def render(op: Any, prev: str, left: list[str], right_sql: str, right: list[str]) -> str:
        from duckdb_kql.schema import join_output_columns, lookup_output_columns

        made = known(op, prev, left, right_sql, right)
        if not op.kind.endswith("outer"):
            return made
        if known.__name__ == "render_lookup":
            names = lookup_output_columns(left, right, [key.right for key in op.keys])
        else:
            names = join_output_columns(left, right, "inner")
        outer = {"leftouter": names[len(left) :], "rightouter": names[: len(left)]}.get(op.kind, names)
        return _filled(made, names, outer)

    return render


def union_without_null_strings(known: Callable[..., str]) -> Callable[..., str]:
    """The same for a union, of tables that lack a column."""

    def render(op: Any, prev: str, left: list[str], query: Any, schema: Any, leading: bool) -> str:
        from duckdb_kql.schema import output_columns, surviving_branches, union_output_columns

        made = known(op, prev, left, query, schema, leading)
        arms = [left, *(output_columns(branch, schema) for branch in surviving_branches(op, schema))]
        names = union_output_columns(op, left, schema)
        lacking = [name for name in names if name != op.with_source and not all(name in arm for arm in arms)]
        return _filled(made, names, lacking) if lacking else made

    return render


def _filled(sql: str, names: list[str], outer: list[str]) -> str:
    """The rows of *sql*, null strings of the columns *outer* empty."""
    filled = {name: f"kusto_text({quoted(name)}) AS {quoted(name)}" for name in outer}
    return f"SELECT {', '.join(filled.get(name, quoted(name)) for name in names)} FROM ({sql})"


def by_key(known: Rendered) -> Rendered:
    """A part of a dynamic value by an expression: a key where it is text, else a place."""
    from duckdb_kql import translate

    def render(node: Any) -> str | None:
        if translate._static_path(node.steps) is not None:
            return known(node)
        sql = str(translate.render_expr(node.base))
        for step in node.steps:
            path = translate._static_path((step,))
            if path is not None:
                sql = f"json_extract({sql}, {translate.quote_string(path)})"
            else:
                sql = f"kusto_part({sql}, {translate.render_expr(step.index)})"
        return sql

    return render


def element(known: Callable[[Any], str]) -> Callable[[Any], str]:
    """SQL for a value within a dynamic one."""
    from duckdb_kql import ir, translate

    def render(node: Any) -> str:
        if isinstance(node, ir.Literal):
            return known(node)
        sql = str(translate.render_expr(node))
        if isinstance(node, ir.FunctionCall) and node.name.lower() in STRINGS:
            return f"to_json({sql})"
        if isinstance(node, ir.ColumnRef):
            return f"to_json(kusto_item({sql}))"
        return f"list_transform([{sql}], lambda _m: to_json(kusto_item(_m)))[1]"

    return render
