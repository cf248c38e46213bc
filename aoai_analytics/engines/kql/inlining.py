"""Queries for services: over a range of time, with the functions of the semantic layer that the service lacks.

A function's file is a KQL text that runs by itself. To be sent along with a query it becomes ``let`` statements: its
own lets get the function's name before theirs, so that none meets a let of the query or of another function, and its
last statement becomes ``let AoaiRequests = …;``. Plain lets, not ``let F = () {…}``: they mean the same to Kusto, and
duckdb-kql knows no functions that return tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from ...errors import QueryError
from ...format.periods import utc
from ...schema.tables import LLM_LOG, LOG_TABLES, REQUESTS, TABLES
from .flow import sources
from .functions import Functions, names_in, needed, own_lets, reached, shipped_functions
from .parameters import declared
from .syntax import place
from .tree import Node, call, comments, edited, names, read, statements

#: start <= TimeGenerated < end; None is open.
Range = tuple[datetime | None, datetime | None]

# An LLM record may be logged a day before or after its gateway row; lake.recompute does the same.
_LLM_MARGIN = timedelta(days=1)
#: What may be a call of a function of the semantic layer; a comment may stand before the bracket.
_CALL = re.compile(r"\bAoai\w*(?:[\s'\"\]]|//[^\n]*)*\(")


def as_lets(name: str, text: str, renamed: Mapping[str, str], own: Callable[[str], str] = lambda let: let) -> str:
    """The function *name* with the given text as ``let`` statements; other names of *renamed* are replaced in it.

    Its own lets are called *name*, an underscore, and what *own* makes of their names.
    """
    return _as_lets(name, text, tuple(renamed.items()), tuple((let, own(let)) for let in own_lets(text)))


@lru_cache(maxsize=512)
def _as_lets(name: str, text: str, renamed: tuple[tuple[str, str], ...], lets: tuple[tuple[str, str], ...]) -> str:
    own = {let: f"{name}_{called}" for let, called in lets}
    last = statements(read(text))[-1].start
    edits = [*_renamings(read(text), dict(renamed) | own), *comments(text), (last, last, f"\nlet {name} = ")]
    lines = edited(text, edits).strip().removesuffix(";").splitlines()
    return "\n".join(line.rstrip() for line in lines if line.strip()) + ";\n"


def _renamings(tree: Node, renamed: Mapping[str, str]) -> list[tuple[int, int, str]]:
    """Edits that replace names in a query, a call without arguments as a whole."""
    calls = {node.start: node.end for node in tree.walk() if call(node) in renamed and len(node.rules) == 1}
    return [
        (node.start, calls.get(node.start, node.end), renamed[node.name])
        for node in names(tree)
        if node.name in renamed
    ]


def called_bare(kql: str) -> str:
    """*kql* with each call of a function of the semantic layer, ``AoaiRequests()``, as the bare name."""
    # Most have none, and reading a query takes a tenth of a second. A name can be written with escapes.
    if not _CALL.search(kql) and "\\" not in kql:
        return kql
    return with_names(kql, {name: name for name in shipped_functions()})


def with_names(kql: str, renamed: Mapping[str, str]) -> str:
    """*kql* with names replaced, a call without arguments too; what its own lets define stays."""
    kept = {name: alias for name, alias in renamed.items() if name not in own_lets(kql)}
    return edited(kql, _renamings(read(kql), kept))


@dataclass(frozen=True)
class Scoped:
    """A query as it is sent: its ``text``, and ``around``, the times of which the service must show it the tables."""

    text: str
    around: Range
    put_in: range
    grown: tuple[tuple[int, int, int], ...]

    def place(self, line: int, column: int) -> tuple[int, int] | None:
        """Where a place of ``text`` stands in the query as given (from 1); None in the lines that were put in."""
        if line in self.put_in:
            return None
        line -= len(self.put_in) if line >= self.put_in.stop else 0
        shift = sum(delta for own, after, delta in self.grown if own == line and column >= after)
        return line, max(1, column - shift)


def scoped(
    kql: str,
    within: Range,
    *,
    functions: Functions,
    is_there: Callable[[str], bool],
    everywhere: bool = False,
) -> Scoped:
    """*kql* over the records *within* a range, with the functions that the service lacks put in.

    *is_there* says of a function whether the service has it itself, as a function or a table; it is asked only of
    functions that a lake stores as tables. A log table shows the range exactly. Such a function is computed from
    more, then cut to the range: from LLM records of a day before and after, and for ``AoaiRequests``, whose
    estimates are fitted by month, from whole months and the one before. So a range has the same rows as in the lake.
    Other functions are computed from what the range shows, as the local engine does. Where the service shows more for
    the functions' sake, or *everywhere* (for a service without a timespan), other tables are cut to the range too.
    """
    try:
        own = own_lets(kql)
    except QueryError:
        # The service may know more of KQL than the parser; what it refuses, it says itself.
        if everywhere and within != (None, None):
            raise
        return Scoped(kql, within, range(0), ())
    wanted = needed(kql, functions)
    stored = [name for name in wanted if name in TABLES]
    views = reached(names_in(kql) - own, functions)
    direct = (names_in(kql) - own).union(*(names_in(functions[name]) for name in views))
    sent: set[str] = set()
    for name in reversed(stored):
        inner = any(name in needed(functions[other], functions) for other in sent)
        if (name in direct or inner) and not is_there(name):
            sent.add(name)
    helpers = reached(set().union(*(names_in(functions[name]) for name in sent)), functions)
    is_cut = within != (None, None)
    around = surrounding(within, stored)
    before: list[str] = []
    inside: dict[str, str] = {}
    for table in LOG_TABLES:
        if is_cut and any(table in names_in(functions[name]) for name in sent | helpers):
            margin = _LLM_MARGIN if table == LLM_LOG.name else timedelta(0)
            inside[table] = f"{table}_Around"
            before.append(f"let {inside[table]} = {table}{in_range(_widened(around, margin))};\n")
    before += [as_lets(name, functions[name], inside) for name in wanted if name in sent | helpers]
    # With an open range nothing needs a second name: a table is itself, a function the let of its name.
    renamed = {name: name for name in wanted}
    if is_cut:
        others = sources(kql) - functions.keys() - LOG_TABLES.keys() if stored or everywhere else ()
        shown = (*LOG_TABLES, *stored, *sorted(others))
        renamed |= {name: f"{name}_Between" for name in (*shown, *views) if name in direct}
        before += [f"let {renamed[name]} = {name}{in_range(within)};\n" for name in shown if name in direct]
    done = set() if is_cut else helpers
    before += [as_lets(renamed[name], functions[name], renamed) for name in wanted if name in views - done]
    edits = _renamings(read(kql), {name: alias for name, alias in renamed.items() if name not in own})
    text, grown = edited(kql, edits), tuple(_grown(kql, edits))
    # The query's parameters stay at its top, where readers look for them.
    lines = text.split("\n")
    first = 1 + max((parameter.line for parameter in declared(kql).values()), default=-1)
    put_in = "".join(before).splitlines()
    text = "\n".join([*lines[:first], *put_in, *lines[first:]])
    shown_around = _widened(around, _LLM_MARGIN) if stored else around
    return Scoped(text, shown_around, range(first + 1, first + 1 + len(put_in)), grown)


def _grown(kql: str, edits: list[tuple[int, int, str]]) -> Iterator[tuple[int, int, int]]:
    """Line and column in the new text after which a line grew, and by how much."""
    shifts: dict[int, int] = {}
    for start, end, new in edits:
        if delta := len(new) - (end - start):
            line, column = place(kql, end)
            shifts[line] = shifts.get(line, 0) + delta
            yield line, column + shifts[line], delta


def surrounding(within: Range, functions: list[str]) -> Range:
    """The times of the gateway rows from which these functions' rows within a range come: whole days, or months."""
    start, end = (moment and utc(moment) for moment in within)
    if not functions:
        return start, end
    if start:
        start = start.replace(hour=0, minute=0, second=0, microsecond=0)
    if end:
        midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
        end = midnight if midnight == end else midnight + timedelta(days=1)
    if REQUESTS.name in functions:
        start = start and (start.replace(day=1) - timedelta(days=1)).replace(day=1)
        end = end and ((end - timedelta(days=1)).replace(day=28) + timedelta(days=4)).replace(day=1)
    return start, end


def _widened(range_: Range, margin: timedelta) -> Range:
    return range_[0] and range_[0] - margin, range_[1] and range_[1] + margin


def in_range(within: Range) -> str:
    """The range as a filter to put after a table; '' for an open one."""
    conditions = [
        f"TimeGenerated {operator} datetime({utc(moment):%Y-%m-%dT%H:%M:%S.%f}Z)"
        for operator, moment in zip((">=", "<"), within, strict=True)
        if moment is not None
    ]
    return f" | where {' and '.join(conditions)}" if conditions else ""
