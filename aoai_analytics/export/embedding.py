"""A library query embedded in another tool: the semantic layer, the tool's time range and its filters in its text.

A workbook's tile or a dashboard's panel has no engine that could add the functions and cut the
tables to a range, so the query's text contains both; range and filters use the tool's own macros. The result equals the
library query's over the same range, wherever the two log tables are, with no saved function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..dimensions import COLUMNS, own_dimensions
from ..engines.kql.functions import definitions, names_in, needed, reached, with_inner
from ..engines.kql.inlining import as_lets, called_bare, with_names
from ..engines.kql.parameters import declared
from ..errors import UnknownName
from ..schema.tables import LLM_LOG, LOG_TABLES, MESSAGES, REQUESTS, REQUESTS_LOGGED

#: Filters of ``embed``: the column of ``AoaiRequests`` and ``AoaiRequestsLogged``.
FILTERS = {
    "Apis": "ApiId",
    "Subscriptions": "SubscriptionId",
    "Products": "ProductId",
    "Models": "ModelName",
    "Users": "User",
}
#: More of them, where ``aoai.toml`` maps callers: the column of ``AoaiRequests``.
OWN_FILTERS = {
    "Teams": "Team",
    "CostCenters": "CostCenter",
    "Environments": "Environment",
    "Applications": "Application",
}
_COLUMNS = FILTERS | OWN_FILTERS
#: What a reader is shown of each filter.
FILTER_LABELS = {
    "Apis": "API",
    "Subscriptions": "Subscription",
    "Products": "Product",
    "Models": "Model",
    "Users": "User",
    "Teams": "Team",
    "CostCenters": "Cost center",
    "Environments": "Environment",
    "Applications": "Application",
}
#: The chosen value that means all.
ALL = "*"


def filters() -> dict[str, str]:
    """The filters in force: FILTERS, and those of OWN_FILTERS that ``aoai.toml`` has values for."""
    return FILTERS | {name: column for name, column in OWN_FILTERS.items() if own_values(column)}


def own_values(column: str) -> list[str]:
    """The values that ``aoai.toml`` maps callers to, of a column of OWN_FILTERS."""
    place = COLUMNS.index(column)
    return sorted({row.cells[place] for row in own_dimensions()} - {""})


_BETWEEN = "TimeGenerated >= RangeStart and TimeGenerated < RangeEnd"
# As engines.kql.inlining: estimates are fitted by month, over the month before too; other functions need whole days;
# an LLM record may be logged a day before or after its gateway row.
_AROUND = {
    "Months": ("startofmonth(startofmonth(RangeStart) - 1d)", 'datetime_add("month", 1, startofmonth(RangeEnd - 1ms))'),
    "Days": ("startofday(RangeStart)", "startofday(RangeEnd - 1ms) + 1d"),
}


@dataclass(frozen=True)
class Piece:
    """A part that is the same in every embedded query that needs it: ``let`` statements."""

    name: str
    text: str


@dataclass(frozen=True)
class Embedded:
    """``given`` sets the range, the choices and the parameters; ``pieces`` follow, then the ``question`` itself."""

    given: str
    pieces: tuple[Piece, ...]
    question: str

    @property
    def text(self) -> str:
        """The whole query."""
        return self.given + "".join(piece.text for piece in self.pieces) + self.question


def embed(
    kql: str,
    *,
    start: str,
    end: str,
    chosen: Mapping[str, str] | None = None,
    values: Mapping[str, str] | None = None,
    functions: Mapping[str, str] | None = None,
) -> Embedded:
    """*kql* over start <= TimeGenerated < end, with the functions it needs.

    *start* and *end* are KQL expressions of type datetime, *chosen* maps a name of ``filters()`` to an expression of
    type dynamic (an array of strings; one that contains ``*`` allows everything), *values* a parameter of the
    query to the expression for its ``let``: the tool's macros, as the tool substitutes values. *functions* are
    by default the package's (name -> text, see ``engines.kql.inlining.definitions``). Raises UnknownName.
    """
    functions = definitions() if functions is None else functions
    chosen, values = dict(chosen or {}), dict(values or {})
    given, question = _parameters_out(called_bare(kql), values)
    wanted = needed(question, functions)
    named = names_in(question) & (LOG_TABLES.keys() | set(wanted))
    views = [name for name in wanted if name in reached(named, functions)]
    direct = named.union(*(names_in(functions[name]) for name in views))
    shown = [name for name in (*LOG_TABLES, REQUESTS_LOGGED.name, MESSAGES.name, REQUESTS.name) if name in direct]
    mapped = OWN_FILTERS.keys() & chosen.keys()
    by = REQUESTS.name if REQUESTS.name in shown or mapped else REQUESTS_LOGGED.name
    if chosen and by not in shown and shown:
        shown.append(by)
    shown.sort(key=lambda name: name != by)  # others are filtered by it
    sent = with_inner(shown, functions)
    inside = {table: f"{table}_Around" for table in LOG_TABLES}
    pieces = []
    if sent:
        pieces.append(_around("Months" if REQUESTS.name in sent else "Days"))
        pieces += [Piece(name, as_lets(name, functions[name], inside)) for name in sent]
    pieces += [_between(name, by, tuple(chosen)) for name in shown]
    renamed = {name: f"{name}_Between" for name in (*shown, *views)}
    pieces += [Piece(renamed[name], as_lets(renamed[name], functions[name], renamed)) for name in views]
    lets = [f"let RangeStart = {start};", f"let RangeEnd = {end};"]
    for name, expression in chosen.items():
        if name not in _COLUMNS:
            raise UnknownName(f"unknown filter '{name}'; use one of {', '.join(_COLUMNS)}")
        lets.append(f"let Chosen{name} = {expression};")
    return Embedded("\n".join([*lets, *given]) + "\n", tuple(pieces), with_names(question, renamed))


def _parameters_out(kql: str, values: Mapping[str, str]) -> tuple[list[str], str]:
    """The lines of a query's parameters, set to *values*, and the rest without its leading comments."""
    parameters = declared(kql)
    for name in values:
        if name not in parameters:
            raise UnknownName(f"the query has no parameter '{name}'; it has {', '.join(parameters) or 'none'}")
    lines = kql.split("\n")
    given = [f"let {name} = {values.get(name, parameter.default)};" for name, parameter in parameters.items()]
    taken = {parameter.line for parameter in parameters.values()}
    rest = [line for number, line in enumerate(lines) if number not in taken]
    while rest and (not rest[0].strip() or rest[0].lstrip().startswith("//")):
        rest.pop(0)
    return given, "\n".join(rest).rstrip() + "\n"


def _around(span: str) -> Piece:
    start, end = _AROUND[span]
    lets = []
    for table in LOG_TABLES:
        margin = (" - 1d", " + 1d") if table == LLM_LOG.name else ("", "")
        lets.append(
            f"let {table}_Around = {table}"
            f" | where TimeGenerated >= {start}{margin[0]} and TimeGenerated < {end}{margin[1]};\n"
        )
    return Piece(f"LogsAround{span}", "".join(lets))


def _between(name: str, by: str, chosen: tuple[str, ...]) -> Piece:
    """A table's or function's rows in the range, filtered by the choices, or by CorrelationId without those columns."""
    conditions = [_BETWEEN]
    if name == by:
        conditions += [f'("{ALL}" in (Chosen{what}) or {_COLUMNS[what]} in (Chosen{what}))' for what in chosen]
    elif chosen:
        everything = " and ".join(f'"{ALL}" in (Chosen{what})' for what in chosen)
        conditions.append(f"(({everything}) or CorrelationId in (({by}_Between | project CorrelationId)))")
    return Piece(f"{name}_Between", f"let {name}_Between = {name} | where {' and '.join(conditions)};\n")
