"""Parameters of workbooks and Grafana in pasted queries: ``{TimeRange}``, ``{Api}``, ``$__timeFilter(T)``.

A value never becomes query text by pasting: within quotes it is escaped, elsewhere it is written as a literal.
Sources: https://learn.microsoft.com/azure/azure-monitor/visualize/workbooks-parameters,
https://grafana.com/docs/grafana/latest/datasources/azure-monitor/query-editor/ (macros).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from ...errors import QueryError, WrongUse
from ...format.periods import utc
from .parameters import declared, literal, quote
from .syntax import place

_PLACEHOLDER = re.compile(
    r"(?P<word>\$__(?P<macro>timeFilter|timeFrom|timeTo|timeInterval|interval|contains)\b(?:\((?P<column>[^()]*)\))?)"
    r"|(?P<variable>\$\{(?P<named>[A-Za-z_]\w*)(?::\w+)?\})"
    r"|(?P<workbook>\{(?P<name>[A-Za-z_]\w*)(?::(?P<form>[\w.]+))?\})"
)
_STRING_BEFORE = re.compile(r"\"(?:[^\"\\\n]|\\.)*$|'(?:[^'\\\n]|\\.)*$")
#: Width of a point by the length of the range, as a workbook's ``:grain`` grows with it.
_GRAINS = ((1, "1m"), (4, "5m"), (24, "30m"), (72, "1h"), (7 * 24, "6h"))
_OPEN = (datetime(2000, 1, 1), datetime(2100, 1, 1))


def filled(
    kql: str, start: datetime | None, end: datetime | None, values: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """*kql* with each such parameter filled in, and the *values* that are left for its ``let`` parameters.

    Times come from the range asked for. Raises QueryError, with its place, for a parameter without a value.
    """
    left = dict(values)
    first, last = utc(start or _OPEN[0]), utc(end or _OPEN[1])

    def value(match: re.Match[str], name: str) -> str:
        inside = _STRING_BEFORE.search(kql, kql.rfind("\n", 0, match.start()) + 1, match.start())
        if name not in values:
            if inside and match["workbook"]:
                return match[0]  # braces in a text may be a text's own
            line, column = place(kql, match.start())
            raise QueryError(
                f"line {line}, column {column}: '{match[0]}' is a parameter of a workbook or dashboard: "
                f"give its value with -p {name}=VALUE",
                line=line,
                column=column,
            )
        left.pop(name, None)
        text = str(values[name])
        return quote(text)[1:-1].replace("'", "\\'") if inside else guessed(values[name])

    def replaced(match: re.Match[str]) -> str:
        if match["macro"]:
            return _macro(match["macro"], match["column"] or "TimeGenerated", first, last)
        if match["named"]:
            return value(match, match["named"])
        name, form = match["name"], match["form"] or ""
        if name not in values and (name.lower().startswith(("timerange", "time_range")) or form in _FORMS):
            return _FORMS.get(form, _filter)(first, last)
        return value(match, name)

    return _PLACEHOLDER.sub(lambda match: replaced(match) if _is_one(kql, match) else match[0], kql), left


def _is_one(kql: str, match: re.Match[str]) -> bool:
    """Whether it is a parameter: in no line of comment such as a headline's, and its braces not those of a function's
    body or of a text such as a regular expression."""
    if kql[kql.rfind("\n", 0, match.start()) + 1 :].lstrip().startswith("//"):
        return False
    if not match["workbook"]:
        return True
    before = kql[: match.start()].rstrip()
    return not before.endswith(")") and not (
        before.endswith(("\\p", "\\P")) or re.search(r"[\w)\]]$", kql[: match.start()])
    )


def _moment(moment: datetime) -> str:
    return f"datetime({moment:%Y-%m-%dT%H:%M:%S.%f}Z)"


def _filter(first: datetime, last: datetime) -> str:
    return f"between ({_moment(first)} .. {_moment(last)})"


def _grain(first: datetime, last: datetime) -> str:
    hours = (last - first) / timedelta(hours=1)
    return next((grain for most, grain in _GRAINS if hours <= most), "1d")


def _macro(name: str, column: str, first: datetime, last: datetime) -> str:
    if name == "timeFilter":
        return f"{column.strip() or 'TimeGenerated'} {_filter(first, last)}"
    if name in ("interval", "timeInterval"):
        return _grain(first, last)
    return _moment(first if name == "timeFrom" else last)


_FORMS = {
    "start": lambda first, last: _moment(first),
    "startISO": lambda first, last: _moment(first),
    "end": lambda first, last: _moment(last),
    "endISO": lambda first, last: _moment(last),
    "grain": _grain,
    "query": _filter,
}


def guessed(value: Any) -> str:
    """*value* as a literal of the type that it looks like: a timespan, a moment, a number, a truth value, else text."""
    if not isinstance(value, str):
        kinds: tuple[str, ...] = ("bool", "long", "real", "datetime", "timespan", "dynamic")
    else:
        kinds = ("long", "real", *(("bool",) if value.lower() in ("true", "false") else ()), "timespan", "datetime")
    for kind in kinds:
        try:
            return literal(value, kind)
        except WrongUse:
            continue
    return quote(str(value))


def with_lets(kql: str, values: Mapping[str, Any], names: frozenset[str]) -> tuple[str, dict[str, Any]]:
    """*kql* with a ``let`` for each of *values* that it names and does not declare, and the other values.

    *names* are those that *kql* reads and nothing defines. Lines keep their numbers.
    """
    missing = {name: value for name, value in values.items() if name in names and name not in declared(kql)}
    lets = "".join(f"let {name} = {guessed(value)}; " for name, value in missing.items())
    return lets + kql, {name: value for name, value in values.items() if name not in missing}
