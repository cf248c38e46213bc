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
from functools import cache

from ...config import shipped
from ...format.periods import utc
from ...schema.tables import LLM_LOG, LOG_TABLES, REQUESTS, TABLES
from .functions import replaced_functions
from .parameters import declared

#: start <= TimeGenerated < end; None is open.
Range = tuple[datetime | None, datetime | None]

# An LLM record may be logged a day before or after its gateway row; lake.recompute does the same.
_LLM_MARGIN = timedelta(days=1)
_STRING = r"""[hH]?@"(?:[^"]|"")*"|[hH]?@'(?:[^']|'')*'|[hH]?"(?:[^"\\\n]|\\.)*"|[hH]?'(?:[^'\\\n]|\\.)*'"""
#: A comment, a string, or (as the group ``name``) an identifier that does not follow a dot.
TOKEN = rf"//[^\n]*|{_STRING}|```[\s\S]*?```|~~~[\s\S]*?~~~|(?P<name>(?<![\w.$])[A-Za-z_]\w*)"
_TOKEN = re.compile(TOKEN)
_LET = re.compile(r"^\s*let\s+([A-Za-z_]\w*)\s*=", re.MULTILINE)
_NO_ARGUMENTS = re.compile(r"\s*\(\s*\)")


def definitions() -> Mapping[str, str]:
    """The functions: name -> text, each after those it needs; the package's, or what ``replace_functions`` set."""
    return {name: replaced_functions().get(name, text) for name, text in _shipped_definitions().items()}


@cache
def _shipped_definitions() -> Mapping[str, str]:
    files = sorted((shipped("kql") / "functions").glob("*.kql"))
    waiting = {path.stem: path.read_text(encoding="utf-8") for path in files}
    ordered: dict[str, str] = {}
    while waiting:
        ready = [name for name, text in waiting.items() if not (names_in(text) & waiting.keys()) - {name}]
        ordered |= {name: waiting.pop(name) for name in ready or list(waiting)}
    return ordered


def names_in(kql: str) -> set[str]:
    """Every identifier of *kql* outside strings and comments, but those after a dot."""
    return {match["name"] for match in _TOKEN.finditer(kql) if match["name"]}


def without_comments(kql: str) -> str:
    """*kql* with each comment removed; lines stay."""
    return _TOKEN.sub(lambda match: "" if match[0].startswith("//") else match[0], kql)


def needed(kql: str, functions: Mapping[str, str]) -> list[str]:
    """The functions that *kql* names, and those they name in turn, each after those it needs."""
    own = set(_LET.findall(without_comments(kql)))
    found = (names_in(kql) & functions.keys()) - own
    todo = list(found)
    while todo:
        more = (names_in(functions[todo.pop()]) & functions.keys()) - found
        found |= more
        todo += more
    return [name for name in functions if name in found]


def reached(names: set[str], functions: Mapping[str, str]) -> set[str]:
    """Of the functions that a lake does not store, those that *names* holds, and those that these name in turn."""
    found: set[str] = set()
    todo = names & functions.keys() - TABLES.keys()
    while todo:
        found |= todo
        todo = set().union(*(names_in(functions[name]) for name in todo)) & functions.keys() - TABLES.keys() - found
    return found


def as_lets(name: str, text: str, renamed: Mapping[str, str]) -> str:
    """The function *name* with the given text as ``let`` statements; other names of *renamed* are replaced in it."""
    text = without_comments(text)
    own = {let: f"{name}_{let}" for let in _LET.findall(text)}
    text = "".join(piece for piece, _ in _replaced(text, dict(renamed) | own))
    body = "\n".join(line.rstrip() for line in text.splitlines() if line.strip())
    last = _last_statement(body)
    return f"{body[:last]}\nlet {name} = {body[last:].strip().removesuffix(';')};\n".lstrip("\n")


def _last_statement(text: str) -> int:
    """Where the last statement of *text* begins; semicolons in strings and braces end none."""
    depth, last = 0, 0
    for match in re.finditer(TOKEN + r"|[;{}]", text):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if match[0] == ";" and depth == 0 and text[match.end() :].strip():
            last = match.end()
    return last


def _replaced(text: str, renamed: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """*text* in pieces with names replaced (a call without arguments too), and with each by how much it grew."""
    done = 0
    for match in _TOKEN.finditer(text):
        if match["name"] not in renamed:
            continue
        yield text[done : match.start()], 0
        call = _NO_ARGUMENTS.match(text, match.end())
        done = call.end() if call else match.end()
        name = renamed[match["name"]]
        yield name, len(name) - (done - match.start())
    yield text[done:], 0


def called_bare(kql: str) -> str:
    """*kql* with each call of a function of the semantic layer, ``AoaiRequests()``, as the bare name."""
    return with_names(kql, {name: name for name in definitions()})


def with_names(kql: str, renamed: Mapping[str, str]) -> str:
    """*kql* with names replaced, a call without arguments too; what its own lets define stays."""
    own = set(_LET.findall(without_comments(kql)))
    kept = {name: alias for name, alias in renamed.items() if name not in own}
    return "".join(piece for piece, _ in _replaced(kql, kept))


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
    functions: Mapping[str, str],
    is_there: Callable[[str], bool],
    also: frozenset[str] = frozenset(),
    everywhere: bool = False,
) -> Scoped:
    """*kql* over the records *within* a range, with the functions that the service lacks put in.

    *is_there* says of a function whether the service has it itself, as a function or a table; it is asked only of
    functions that a lake stores as tables. A log table shows the range exactly. Such a function is computed from
    more, then cut to the range: from LLM records of a day before and after, and for ``AoaiRequests``, whose
    estimates are fitted by month, from whole months and the one before. So a range has the same rows as in the lake.
    Other functions are computed from what the range shows, as the local engine does. *also* names other tables that
    have a TimeGenerated; where the service shows more for the functions' sake, or *everywhere* (for a service
    without a timespan), they are cut to the range too.
    """
    own = set(_LET.findall(without_comments(kql)))
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
        shown = (*LOG_TABLES, *stored, *(sorted(also - LOG_TABLES.keys()) if stored or everywhere else ()))
        renamed |= {name: f"{name}_Between" for name in (*shown, *views) if name in direct}
        before += [f"let {renamed[name]} = {name}{in_range(within)};\n" for name in shown if name in direct]
    done = set() if is_cut else helpers
    before += [as_lets(renamed[name], functions[name], renamed) for name in wanted if name in views - done]
    text, grown = _with_places(kql, {name: alias for name, alias in renamed.items() if name not in own})
    # The query's parameters stay at its top, where readers look for them.
    lines = text.split("\n")
    first = 1 + max((parameter.line for parameter in declared(kql).values()), default=-1)
    put_in = "".join(before).splitlines()
    text = "\n".join([*lines[:first], *put_in, *lines[first:]])
    shown_around = _widened(around, _LLM_MARGIN) if stored else around
    return Scoped(text, shown_around, range(first + 1, first + 1 + len(put_in)), grown)


def _with_places(kql: str, renamed: Mapping[str, str]) -> tuple[str, tuple[tuple[int, int, int], ...]]:
    text = ""
    grown = []
    for piece, delta in _replaced(kql, renamed):
        text += piece
        if delta:
            grown.append((text.count("\n") + 1, len(text) - text.rfind("\n"), delta))
    return text, tuple(grown)


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
