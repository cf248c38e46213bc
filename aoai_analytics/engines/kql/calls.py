"""What is wrong with a call's arguments, as far as the text tells.

Sources: https://learn.microsoft.com/kusto/query/ (datetime-diff-function, datetime-part-function, datetime-literals).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from .tree import Node, string_value
from .words import listed, nearest

_UNITS = listed("year quarter month week day hour minute second millisecond microsecond nanosecond")
_PARTS = _UNITS | listed("week_of_year dayofyear dayOfYear")
#: Functions whose first argument names a part of a moment.
_BY_UNIT = {"datetime_add": _UNITS, "datetime_diff": _UNITS, "datetime_part": _PARTS}
_MOMENT = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{1,2})(?::(\d{1,2}))?)?")


def miscounted(name: str, given: int, low: int, high: int) -> str:
    """What is wrong with the number of a call's arguments; '' where it is right."""
    if low <= given <= high:
        return ""
    takes = f"{low}" if low == high else f"{low} or more" if high > 100 else f"{low} to {high}"
    return f"{name}() takes {takes} argument{'' if takes == '1' else 's'}, not {given}"


def wrong_unit(name: str, arguments: Sequence[Node]) -> str:
    """What is wrong with the part of a moment that a call names; '' where nothing is."""
    if name not in _BY_UNIT or not arguments or arguments[0].kind != "StringLiteralExpression":
        return ""
    unit = string_value(arguments[0].text)
    if unit.lower() in {known.lower() for known in _BY_UNIT[name]}:
        return ""
    hint = nearest(unit, _BY_UNIT[name]) or f"; there are {', '.join(sorted(_UNITS))}"
    return f"{name}() knows no part '{unit[:20]}'{hint}"


def is_moment(literal: str) -> bool:
    """Whether ``datetime(…)`` may be one: Kusto reads many forms, and of most only the service knows which."""
    text = literal.partition("(")[2].rstrip(") ").strip().strip("'\"")
    if not text or text == "null":
        return True
    if not any(character.isdigit() for character in text):
        return False
    if found := _MOMENT.match(text):
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
        try:
            datetime(year, month, day, hour, minute, second)
        except ValueError:
            return False
    return True
