"""Reading a query's pipeline: which tables it reads, and whether the answers for parts of a time range add up.

Only the outline is read (statements, stages between ``|``, their first word), so that any operator of the language
is met; what is not known to work row by row is taken not to.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .inlining import TOKEN, names_in, without_comments

if TYPE_CHECKING:
    import pyarrow as pa

#: Operators whose answer for a row depends on that row alone.
ROW_WISE = {
    *("where", "filter", "extend", "project", "project-away", "project-rename", "project-reorder", "project-keep"),
    *("parse", "parse-where", "parse-kv", "mv-expand", "mvexpand"),
}
#: Joins that keep or drop each left row by itself. The default, innerunique, does not: it keeps one left row a key.
_ROW_WISE_JOINS = {"inner", "leftouter", "leftanti", "leftsemi"}
# What depends on other rows, on other tables, or on chance.
_NOT_ROW_WISE = {
    *("toscalar", "prev", "next", "row_number", "row_cumsum", "row_rank", "row_rank_dense", "row_rank_min"),
    *("row_window_session", "serialize", "rand", "new_guid", "materialize"),
    *("table", "database", "cluster", "workspace", "app"),
}
_STATIC = re.compile(r"\(?\s*(?:datatable|print|range)\b")
_WORD = re.compile(r"\s*([A-Za-z][\w-]*)")
_LET = re.compile(r"\s*let\s+([A-Za-z_]\w*)\s*=\s*")
_NAME = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\(\s*\))?\s*")
_OPTION = re.compile(r"\s*(?:kind|hint\.\w+|withsource|isfuzzy)\s*=\s*[\w\"']+")
_SORT_KEY = re.compile(r"\s*([A-Za-z_]\w*)(?:\s+(asc|desc))?(?:\s+nulls\s+(first|last))?\s*")


def split(text: str, separator: str) -> list[str]:
    """*text* cut at each *separator* that stands in no string and no bracket."""
    parts, depth, done = [], 0, 0
    for match in re.finditer(TOKEN + r"|[()\[\]{};,|]", text):
        token = match[0]
        depth += (token in ("(", "[", "{")) - (token in (")", "]", "}"))
        if token == separator and depth == 0:
            parts.append(text[done : match.start()])
            done = match.end()
    return [*parts, text[done:]]


def statements(kql: str) -> list[str]:
    """The statements of *kql* without comments and empty ones."""
    return [part.strip() for part in split(without_comments(kql), ";") if part.strip()]


def sources(kql: str) -> set[str]:
    """The names that *kql* reads rows from and does not define itself: tables, views and functions."""
    own: set[str] = set()
    found: set[str] = set()
    for statement in statements(kql):
        let = _LET.match(statement)
        if let:
            own.add(let[1])
        found |= set(_sources_of(statement[let.end() :] if let else statement, is_let=bool(let)))
    return found - own


def _sources_of(text: str, *, is_let: bool = False) -> Iterator[str]:
    stages = split(text, "|")
    first = _NAME.fullmatch(stages[0])
    if first and (len(stages) > 1 or not is_let):
        yield first[1]
    for stage in stages:
        word = _WORD.match(stage)
        if word and word[1] in ("union", "join", "lookup"):
            operands = _OPTION.sub("", stage[word.end() :])
            if word[1] != "union":
                operands = re.split(r"\bon\b", operands)[0]
            for operand in split(operands, ","):
                name = _NAME.fullmatch(operand)
                bracketed = re.fullmatch(r"\s*\(\s*([A-Za-z_]\w*)\s*\)\s*", operand)
                if name or bracketed:
                    yield (name or bracketed)[1]  # type: ignore[index]
        for inner in _bracketed(stage):
            if len(split(inner, "|")) > 1 or inner.lstrip().startswith("union"):
                yield from _sources_of(inner)
            else:
                for deeper in _bracketed(inner):
                    yield from _sources_of(f"({deeper})", is_let=True)


def _bracketed(text: str) -> Iterator[str]:
    """What stands in the outermost round brackets and braces of *text*."""
    depth, start = 0, 0
    for match in re.finditer(TOKEN + r"|[(){}]", text):
        if match[0] in ("(", "{"):
            depth += 1
            start = match.end() if depth == 1 else start
        elif match[0] in (")", "}"):
            depth -= 1
            if depth == 0:
                yield text[start : match.start()]


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
    parts = statements(kql)
    if not parts or names_in(kql) & _NOT_ROW_WISE:
        return None
    lets: dict[str, str] = {}
    for part in parts[:-1]:
        let = _LET.match(part)
        if let is None:
            return None
        lets[let[1]] = part[let.end() :]
    stages = [stage.strip() for stage in split(parts[-1], "|")]
    for _ in range(len(lets) + 1):
        source = _NAME.fullmatch(stages[0])
        if source is None:
            return None
        if source[1] not in lets:
            break
        stages = [stage.strip() for stage in split(lets[source[1]], "|")] + stages[1:]
    else:
        return None
    if source[1] in functions:
        return None
    tables = sources(kql) | set(functions)
    operators = stages[1:]
    if operators and operators[-1].startswith("render"):
        operators.pop()
    row_by_row = 0
    while row_by_row < len(operators) and _is_row_wise(operators[row_by_row], lets, tables):
        row_by_row += 1
    return _with_tail(source[1], operators[row_by_row:], lets)


def _is_row_wise(stage: str, lets: dict[str, str], tables: set[str]) -> bool:
    word = _WORD.match(stage)
    if word is None:
        return False
    rest = stage[word.end() :]
    if word[1] in ("join", "lookup"):
        kind = re.match(r"\s*kind\s*=\s*(\w+)", rest)
        allowed = ("leftouter", "inner") if word[1] == "lookup" else _ROW_WISE_JOINS
        if (kind[1] if kind else {"lookup": "leftouter"}.get(word[1])) not in allowed:
            return False
        right = _OPTION.sub("", rest).strip()
        name = re.match(r"\(?\s*([A-Za-z_]\w*)\s*\)?\s+on\b", right)
        body = lets.get(name[1], "") if name else right
        return bool(_STATIC.match(body)) and not names_in(body) & tables
    if word[1] not in ROW_WISE or names_in(rest) & tables:
        return False
    if word[1] in ("mv-expand", "mvexpand") and re.search(r"\blimit\b", rest):
        return False
    # A pipe within brackets begins a query of its own.
    return not any(len(split(inner, "|")) > 1 for inner in _everything_bracketed(rest)) and not any(
        "|" in body for name, body in lets.items() if name in names_in(rest) and len(split(body, "|")) > 1
    )


def _everything_bracketed(text: str) -> Iterator[str]:
    for inner in _bracketed(text):
        yield inner
        yield from _everything_bracketed(inner)


def _with_tail(table: str, operators: list[str], lets: dict[str, str]) -> RowWise | None:
    """The stages after the row-wise ones: ``sort``, then ``take``; or ``take``; or ``top``. None for any other."""
    sort: tuple[SortKey, ...] = ()
    take: int | None = None
    for position, stage in enumerate(operators):
        match = re.fullmatch(r"(?:sort|order)\s+by\s+(.*)", stage, re.DOTALL)
        if match and position == 0:
            keys = _sort_keys(match[1])
            if not keys:
                return None
            sort = keys
            continue
        match = re.fullmatch(r"(?:take|limit)\s+(\w+)", stage)
        if match and take is None:
            take = _count(match[1], lets)
        else:
            match = re.fullmatch(r"top\s+(\w+)\s+by\s+(.*)", stage, re.DOTALL)
            if match is None or position:
                return None
            take, sort = _count(match[1], lets), _sort_keys(match[2])
            if not sort:
                return None
        if take is None:
            return None
    return RowWise(table, sort, take)


def _sort_keys(text: str) -> tuple[SortKey, ...]:
    keys = []
    for part in split(text, ","):
        match = _SORT_KEY.fullmatch(part)
        if match is None:
            return ()
        ascending = match[2] == "asc"
        keys.append(SortKey(match[1], ascending, match[3] == "first" if match[3] else ascending))
    return tuple(keys)


def _count(text: str, lets: dict[str, str]) -> int | None:
    text = lets.get(text, text).strip()
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
