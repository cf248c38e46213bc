"""Whether a query's answers for parts of a time range add up to that for the whole.

What is not known to work row by row is taken not to.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import QueryError
from .flow import sources
from .functions import names_in
from .tree import Node, bare, read, stages, statements
from .words import listed

if TYPE_CHECKING:
    import pyarrow as pa

#: Operators whose answer for a row depends on that row alone.
_ROW_WISE = listed(
    """ExtendOperator MvexpandOperator ParseKvOperator ParseOperator ParseWhereOperator ProjectAwayOperator
    ProjectKeepOperator ProjectOperator ProjectRenameOperator ProjectReorderOperator WhereOperator"""
)
#: Joins that keep or drop each left row by itself. The default, innerunique, does not: it keeps one left row a key.
_ROW_WISE_JOINS = {
    "JoinOperator": ("inner", "leftouter", "leftanti", "leftsemi"),
    "LookupOperator": ("inner", "leftouter"),
}
# What depends on other rows, on other tables, or on chance.
_NOT_ROW_WISE = listed(
    """toscalar prev next row_number row_cumsum row_rank row_rank_dense row_rank_min row_window_session serialize
    rand new_guid materialize table database cluster workspace app"""
)
_STATIC = ("DataTableExpression", "PrintOperator", "RangeExpression")
#: What reads rows within an expression.
_SUBQUERIES = ("PipeExpression", "ToScalarExpression", "ToTableExpression")


@dataclass(frozen=True)
class SortKey:
    """A column of a ``sort by``, and its order."""

    column: str
    ascending: bool
    nulls_first: bool


@dataclass(frozen=True)
class RowWise:
    """A query whose answers for parts of a time range add up to that for the whole.

    ``table`` is what it reads; ``sort`` and ``take`` are to be applied again to the parts put together.
    """

    table: str
    sort: tuple[SortKey, ...] = ()
    take: int | None = None


def row_wise(kql: str, functions: Collection[str]) -> RowWise | None:
    """How *kql*'s answers for parts of a time range are put together; None where they cannot be.

    They can where the query reads one table (*functions* are none: they join and aggregate), works on it row by row
    (``where``, ``extend``, ``project…``, ``parse…``, ``mv-expand`` without a limit, ``lookup`` and ``join
    kind=inner|leftouter|leftanti|leftsemi`` with a ``datatable``), and ends, if it likes, with ``sort by`` columns,
    ``take`` or ``top``. A ``summarize`` over parts would be wrong and is refused, as is all else.
    """
    try:
        parts = statements(read(kql))
        tables = sources(kql) | set(functions)
        named = names_in(kql)
    except QueryError:
        return None
    if not parts or named & _NOT_ROW_WISE or any(node.kind in _SUBQUERIES[1:] for node in read(kql).walk()):
        return None
    if any(part.kind != "LetVariableDeclaration" for part in parts[:-1]):
        return None
    lets = {part.rules[0].name: bare(part.rules[-1]) for part in parts[:-1]}
    first, *operators = stages(parts[-1])
    waiting = dict(lets)
    while first.name in waiting:
        first, *inner = stages(waiting.pop(first.name))
        operators = [*inner, *operators]
    if not first.name or first.name in functions:
        return None
    if operators and operators[-1].kind == "RenderOperator":
        operators.pop()
    row_by_row = 0
    while row_by_row < len(operators) and _is_row_wise(operators[row_by_row], lets, tables):
        row_by_row += 1
    return _with_tail(first.name, operators[row_by_row:], lets)


def _is_row_wise(stage: Node, lets: Mapping[str, Node], tables: set[str]) -> bool:
    if stage.kind in _ROW_WISE_JOINS:
        kind, right = "", None
        for rule in stage.rules:
            if rule.kind.endswith("Parameter"):
                name, _, value = rule.text.partition("=")
                kind = value.strip() if name.strip() == "kind" else kind
            elif not rule.kind.endswith("Clause"):
                right = bare(rule)
        if (kind or {"LookupOperator": "leftouter"}.get(stage.kind)) not in _ROW_WISE_JOINS[stage.kind]:
            return False
        right = lets.get(right.name, right) if right else None
        return right is not None and stages(right)[0].kind in _STATIC and not _named(right) & tables
    if stage.kind not in _ROW_WISE or _named(stage) & tables or stage.child("MvapplyOperatorLimitClause"):
        return False
    reads = [stage, *(value for name, value in lets.items() if name in _named(stage))]
    return not any(node.kind in _SUBQUERIES for value in reads for node in value.walk())


def _named(node: Node) -> set[str]:
    return {name.name for name in node.walk() if name.name}


def _with_tail(table: str, operators: list[Node], lets: Mapping[str, Node]) -> RowWise | None:
    """The stages after the row-wise ones: ``sort``, then ``take``; or ``take``; or ``top``. None for any other."""
    sort: tuple[SortKey, ...] = ()
    take: int | None = None
    for position, stage in enumerate(operators):
        if stage.kind == "SortOperator" and position == 0:
            sort = _sort_keys(stage.rules)
            if not sort:
                return None
            continue
        if stage.kind == "TakeOperator" and take is None:
            take = _count(stage.rules[-1], lets)
        elif stage.kind == "TopOperator" and not position:
            take, sort = _count(stage.rules[0], lets), _sort_keys(stage.rules[1:])
            if not sort:
                return None
        else:
            return None
        if take is None:
            return None
    return RowWise(table, sort, take)


def _sort_keys(keys: Collection[Node]) -> tuple[SortKey, ...]:
    found = []
    for key in keys:
        ordered = key.kind == "OrderedExpression"
        column = key.rules[0].name if ordered else key.name
        words = " ".join(key.rules[1].text.split()).split() if ordered and len(key.rules) > 1 else []
        if not column:
            return ()
        ascending = "asc" in words
        found.append(SortKey(column, ascending, "first" in words if "nulls" in words else ascending))
    return tuple(found)


def _count(node: Node, lets: Mapping[str, Node]) -> int | None:
    text = lets.get(node.name, node).text
    return int(text) if text.isdigit() else None


def put_together(tables: list[pa.Table], how: RowWise) -> pa.Table:
    """Parts in order of time as one table, sorted and cut as the query says. Raises KeyError for a lost sort column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = pa.concat_tables(tables)
    # A stable sort by each key, the least one first, so that each key can place its nulls.
    for key in reversed(how.sort):
        order = "ascending" if key.ascending else "descending"
        nulls = "at_start" if key.nulls_first else "at_end"
        whole = whole.take(pc.array_sort_indices(whole[key.column].combine_chunks(), order=order, null_placement=nulls))
    return whole if how.take is None else whole.slice(0, how.take)
