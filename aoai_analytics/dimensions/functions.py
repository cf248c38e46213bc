"""Own dimensions as KQL: the stages that look them up, added to the semantic layer's functions.

A request's key is looked up in a table inside the query's text, so that a change of ``aoai.toml`` holds for old
requests at once, on every engine. A value of a key has a row for any time, an empty one where it means nothing, so that
each request finds at most one row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from ..engines.kql.functions import shipped_functions
from ..engines.kql.parameters import quote
from ..prices import own_functions as price_functions
from ..schema.tables import GATEWAY_LOGS, MESSAGES, REQUESTS
from .mapping import COLUMNS, FIRST, KINDS, LAST, Mapped, own_dimensions
from .only import CHOOSABLE, only_setting

_MCP, _COVERAGE = "AoaiMcp", "AoaiCoverage"
#: Kind of key -> the columns of requests that may hold it.
_HELD_BY = {
    "user": ("User", "UserId"),
    "subscription": ("SubscriptionId",),
    "product": ("ProductId",),
    "api": ("ApiId",),
}
_BY_LABELS = ("header", "trace", "app")
_TIMES = ("From", "To")


def own_functions(only: Sequence[str] = ()) -> dict[str, str]:
    """The functions with which ``engines.connect`` uses ``aoai.toml``: own prices, own dimensions, chosen requests.

    *only* (``COLUMN=VALUE``) replaces the setting. {} without them. Raises WrongUse where the settings are malformed.
    """
    return price_functions() | dimension_functions(own_dimensions(), only_setting(only))


def dimension_functions(rows: Sequence[Mapped], only: Mapping[str, Sequence[str]] | None = None) -> dict[str, str]:
    """The functions that look up *rows* and keep the requests that *only* chooses (column -> values)."""
    shipped = shipped_functions()
    added: dict[str, str] = {}
    if rows:
        added = {REQUESTS.name: _lookups(rows), _MCP: _lookups(rows)}
    if only:
        kept = {column: f"| where {column} in~ ({', '.join(map(quote, values))})\n" for column, values in only.items()}
        of_requests = (
            f"| join kind=leftsemi hint.strategy=shuffle ({REQUESTS.name} | project CorrelationId) on CorrelationId\n"
        )
        for name, columns in ((REQUESTS.name, kept.keys()), (_MCP, kept.keys() & set(CHOOSABLE))):
            added[name] = added.get(name, "") + "".join(text for column, text in kept.items() if column in columns)
        added |= dict.fromkeys((MESSAGES.name, _COVERAGE), of_requests)
    return {name: shipped[name].rstrip() + "\n" + stages for name, stages in added.items()}


def _lookups(rows: Iterable[Mapped]) -> str:
    """The stages that fill COLUMNS: the most specific key that says something decides, column by column."""
    ordered = sorted(rows, key=lambda row: (KINDS.index(row.kind), row.name, row.value, row.start))
    by_key = [(key, list(of_key)) for key, of_key in groupby(ordered, key=lambda row: row.key)]
    stages = [f"| project-away {', '.join(COLUMNS)}\n"]
    made: list[str] = []
    if any(kind in _BY_LABELS for (kind, _), _ in by_key):
        made += ["OwnCorrelationId", "OwnLabels"]
        stages.append(
            f"| join kind=leftouter hint.strategy=shuffle (\n    {GATEWAY_LOGS.name}\n"
            "    | summarize OwnLabels = max(strcat(tostring(RequestHeaders), tostring(TraceRecords)))"
            " by OwnCorrelationId = CorrelationId\n) on $left.CorrelationId == $right.OwnCorrelationId\n"
        )
    filled: dict[str, list[str]] = {column: [] for column in COLUMNS}
    number = 0
    for (kind, name), of_key in by_key:
        told = [column for place, column in enumerate(COLUMNS) if any(row.cells[place] for row in of_key)]
        for expression in _expressions(kind, name):
            number += 1
            stages.append(_lookup(number, expression, of_key, told))
            made += [f"Own{what}{number}" for what in ("Key", *(_TIMES if _is_dated(of_key) else ()), *told)]
            for column in told:
                filled[column].append(f"isnotempty(Own{column}{number}), Own{column}{number}, ")
    cases = ",\n    ".join(
        f'{column} = case({"".join(found)}"")' if found else f'{column} = ""' for column, found in filled.items()
    )
    stages.append(f"| extend\n    {cases}\n| project-away {', '.join(made)}\n")
    return "".join(stages)


def _expressions(kind: str, name: str) -> Iterator[str]:
    """KQL: where a key's value may be, in lower case."""
    for column in _HELD_BY.get(kind, ()):
        yield f"tolower({column})"
    if kind == "header":
        # As a member of an object, or as an object with name and value.
        named = rf'(?i)"{re.escape(name)}"\s*(?::\s*\[?|,\s*"value"\s*:)\s*"([^"\\]+)'
        yield f"tolower(trim(@'\\s+', extract({quote(named)}, 1, OwnLabels)))"
    if kind in ("trace", "app"):
        names = re.escape(name) if kind == "trace" else "app_?id|azp|app"
        named = rf'(?i)[|"\\](?:{names})[\\"]*\s*[=:]\s*[\\"]*([^|"\\,}}]+)'
        yield f"tolower(trim(@'\\s+', extract({quote(named)}, 1, OwnLabels)))"
    if kind == "app":
        # The shipped policy traces the app of a token as the caller.
        yield "tolower(User)"


def _is_dated(rows: Iterable[Mapped]) -> bool:
    return any(row.start != FIRST or row.end != LAST for row in rows)


def _lookup(number: int, expression: str, rows: list[Mapped], told: Sequence[str]) -> str:
    """The stage that finds the cells *told* of a key. Its rows are one text, since reading a literal takes time."""
    times = _TIMES if _is_dated(rows) else ()
    lines = [
        "\t".join((row.value, *((row.start.isoformat(), row.end.isoformat()) if times else ()), *_cells(row, told)))
        for row in (_always(rows) if times else rows)
    ]
    key, row = f"OwnKey{number}", f"OwnRow{number}"
    columns = [f"{key} = tostring({row}[0])"]
    columns += [f"Own{time}{number} = todatetime(tostring({row}[{place}]))" for place, time in enumerate(times, 1)]
    columns += [f"Own{cell}{number} = tostring({row}[{place}])" for place, cell in enumerate(told, 1 + len(times))]
    stage = (
        f"| extend {key} = {expression}\n"
        f"| lookup kind=leftouter (\n    print {row} = split({quote(chr(10).join(lines))}, {quote(chr(10))})\n"
        f"    | mv-expand {row} to typeof(string)\n    | extend {row} = split({row}, {quote(chr(9))})\n"
        f"    | project {', '.join(columns)}\n) on {key}\n"
    )
    if times:
        start, end = (f"Own{time}{number}" for time in times)
        stage += f"| where isnull({start}) or (TimeGenerated >= {start} and TimeGenerated < {end})\n"
    return stage


def _cells(row: Mapped, told: Sequence[str]) -> Iterator[str]:
    return (cell for column, cell in zip(COLUMNS, row.cells, strict=True) if column in told)


def _always(rows: list[Mapped]) -> Iterator[Mapped]:
    """The rows of a key in order, and empty ones for the times between: each value then has a row for any time."""
    nothing = ("",) * len(COLUMNS)
    for value, periods in groupby(rows, key=lambda row: row.value):
        reached = FIRST
        for row in periods:
            if reached < row.start:
                yield Mapped(row.kind, row.name, value, nothing, reached, row.start)
            yield row
            reached = row.end
        if reached < LAST:
            yield Mapped(row.kind, row.name, value, nothing, reached, LAST)
