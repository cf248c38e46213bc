"""A query's parameters: the ``let name = literal;`` lines at its top, read and filled in.

A value never becomes query text by pasting: it is checked against the literal's type and written as
a KQL literal of that type, so no string can leave its quotes.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

from ...errors import QueryError, UnknownName, WrongUse
from ...format.periods import parse_timespan
from .remembered import remembered
from .tree import read, statements, string_value

#: The grammar's literals that a parameter may be set to -> its type.
_LITERALS = {
    **{f"{kind}LiteralExpression": kind.lower() for kind in ("String", "DateTime", "TimeSpan", "Dynamic", "Real")},
    **dict.fromkeys(("LongLiteralExpression", "SignedLongLiteralExpression"), "long"),
    **{"IntLiteralExpression": "int", "BooleanLiteralExpression": "bool", "SignedRealLiteralExpression": "real"},
}


@dataclass(frozen=True)
class Parameter:
    """A query's parameter: its KQL type, its default as KQL text, and what its line's comment says."""

    name: str
    type: str
    default: str
    about: str
    line: int

    @property
    def choices(self) -> tuple[str, ...]:
        """All values a text takes, its default included, if its comment lists them: ``one of: global, regional``."""
        listed = self.about.partition("one of: ")[2].partition(";")[0]
        if not listed or self.type != "string":
            return ()
        return tuple(dict.fromkeys([string_value(self.default), *listed.split(", ")]))


def _stored(parameters: dict[str, Parameter]) -> list[dict[str, Any]]:
    return [vars(parameter) for parameter in parameters.values()]


def _read_back(stored: list[dict[str, Any]]) -> dict[str, Parameter]:
    return {parameter["name"]: Parameter(**parameter) for parameter in stored}


@remembered(_stored, _read_back)
def declared(kql: str) -> dict[str, Parameter]:
    """The parameters *kql* declares: its leading ``let name = literal;`` lines, comments between them allowed."""
    parameters: dict[str, Parameter] = {}
    for number, text in enumerate(kql.split("\n")):
        line = text.strip()
        if not line or line.startswith("//"):
            continue
        parameter = _of_line(line, number)
        if parameter is None:
            break
        parameters[parameter.name] = parameter
    return parameters


@lru_cache(maxsize=1024)
def _of_line(line: str, number: int) -> Parameter | None:
    if not line.startswith("let"):
        return None
    try:
        first, *others = statements(read(line))
    except QueryError:
        return None
    value = first.rules[-1]
    if value.kind == "InvocationExpression" and value.text.startswith("-") and len(value.rules) == 1:
        value = value.rules[0]  # a minus sign before a literal
    rest = line[first.end :].lstrip()
    if others or first.kind != "LetVariableDeclaration" or value.kind not in _LITERALS or not rest.startswith(";"):
        return None
    default = line[first.rules[1].start : first.end]
    return Parameter(first.rules[0].name, _LITERALS[value.kind], default, rest.lstrip("; \t/").strip(), number)


def bind(kql: str, values: Mapping[str, Any] | None) -> str:
    """*kql* with each parameter named in *values* set to that value.

    Values may be Python values or text as a command line gives it (``"30"`` for a long, ``"7d"`` for a
    timespan). Raises UnknownName for a parameter the query does not declare, WrongUse for a value that
    does not fit its type or is not one of its ``choices``.
    """
    if not values:
        return kql
    parameters = declared(kql)
    lines = kql.split("\n")
    for name, value in values.items():
        if name not in parameters:
            raise UnknownName(_unknown(name, parameters))
        parameter = parameters[name]
        about = f"  // {parameter.about}" if parameter.about else ""
        written = literal(value, parameter.type, name)
        if parameter.choices and value not in parameter.choices:
            raise WrongUse(f"parameter '{name}' takes one of {', '.join(filter(None, parameter.choices))}")
        lines[parameter.line] = f"let {name} = {written};{about}"
    return "\n".join(lines)


def _unknown(name: str, parameters: Mapping[str, Parameter]) -> str:
    if not parameters:
        return f"the query has no parameter '{name}': it takes none"
    near = difflib.get_close_matches(name, parameters, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"the query has no parameter '{name}': {hint}it takes " + ", ".join(
        f"{p.name} ({p.type})" for p in parameters.values()
    )


def literal(value: Any, kql_type: str, name: str = "value") -> str:
    """*value* as a KQL literal of *kql_type*. Raises WrongUse where it does not fit; the message never repeats it."""
    try:
        return str(_WRITERS[kql_type](value))
    except (TypeError, ValueError, OverflowError) as error:
        example = _EXAMPLES[kql_type]
        raise WrongUse(f"parameter '{name}' takes a {kql_type}, e.g. {example}; the value is not valid") from error


def quote(text: str) -> str:
    """*text* as a KQL string literal. A character that could end the literal or the line is escaped."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}
    # U+2028 and its like end a line for some readers of the text, so they are written by number.
    numbered = {c: f"\\u{ord(c):04x}" for c in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"}
    return '"' + "".join(escapes.get(c) or numbered.get(c) or c for c in text) + '"'


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return quote(value)


def _whole_number(low: int, high: int, wrap: str) -> Any:
    def write(value: Any) -> str:
        if isinstance(value, bool):
            raise TypeError
        number = int(value.strip()) if isinstance(value, str) else int(value)
        if (not isinstance(value, str) and number != value) or not low <= number <= high:
            raise ValueError
        return wrap.format(number)

    return write


def _real(value: Any) -> str:
    if isinstance(value, bool):
        raise TypeError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return f"real({number!r})"


def _bool(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    words = {"true": "true", "false": "false", "1": "true", "0": "false", "yes": "true", "no": "false"}
    if not isinstance(value, str) or value.strip().lower() not in words:
        raise TypeError
    return words[value.strip().lower()]


def _datetime(value: Any) -> str:
    if isinstance(value, str):
        value = datetime.fromisoformat(value.strip())
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime):
        raise TypeError
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return f"datetime({value.isoformat(sep='T', timespec='microseconds')}Z)"


def _timespan(value: Any) -> str:
    if isinstance(value, str):
        value = parse_timespan(value)
    if not isinstance(value, timedelta):
        raise TypeError
    sign = "-" if value < timedelta(0) else ""
    value = abs(value)
    hours, rest = divmod(value.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"time({sign}{value.days}.{hours:02}:{minutes:02}:{seconds:02}.{value.microseconds:06})"


def _dynamic(value: Any) -> str:
    """A list of strings and numbers, given as such or as comma-separated text."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    items = []
    for item in value:
        if isinstance(item, bool) or not isinstance(item, str | int | float):
            raise TypeError
        items.append(quote(item) if isinstance(item, str) else repr(item))
    return f"dynamic([{', '.join(items)}])"


_WRITERS = {
    "string": _string,
    "long": _whole_number(-(2**63), 2**63 - 1, "{}"),
    "int": _whole_number(-(2**31), 2**31 - 1, "int({})"),
    "real": _real,
    "bool": _bool,
    "datetime": _datetime,
    "timespan": _timespan,
    "dynamic": _dynamic,
}
_EXAMPLES = {
    "string": '"text"',
    "long": "20",
    "int": "20",
    "real": "0.5",
    "bool": "true",
    "datetime": "2026-11-01T00:00:00Z",
    "timespan": "7d or 01:30:00",
    "dynamic": "a,b,c",
}
