"""Formatting of numbers and units."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from numbers import Integral
from typing import Any

UNKNOWN = "unknown"
#: Standard errors in the 95% range, which every ± shows.
RANGE = 1.96


@dataclass(frozen=True)
class Unit:
    """How to write a unit, and whether its values may be summed across rows.

    ``decimals`` is a fixed number of decimals, if any; ``factor`` converts a stored value to the displayed one;
    ``tight`` units follow the number without a space.
    """

    label: str
    additive: bool = False
    decimals: int | None = None
    factor: float = 1
    tight: bool = False


#: Units of the query headers (``// unit: TotalTokens=tokens``); an unlisted unit is shown as written and
#: never summed.
#: ``%`` is a value from 0 to 100, ``share`` one from 0 to 1.
UNITS = {
    "tokens": Unit("tokens", additive=True),
    "requests": Unit("requests", additive=True),
    "attempts": Unit("attempts", additive=True),
    "errors": Unit("errors", additive=True),
    "messages": Unit("messages", additive=True),
    "prompts": Unit("prompts", additive=True),
    "bytes": Unit("bytes", additive=True),
    "USD": Unit("USD", additive=True, decimals=2),
    "EUR": Unit("EUR", additive=True, decimals=2),
    # Of the currency that another column names: rows may differ in it.
    "currency": Unit("", decimals=2),
    "ms": Unit("ms"),
    "s": Unit("s"),
    "%": Unit("%", decimals=1, tight=True),
    "share": Unit("%", decimals=1, factor=100, tight=True),
}
#: Prefixes and suffixes of names of columns whose values cannot be summed, whatever their unit.
_NOT_ADDITIVE = ("Average", "Avg", "Mean", "Median", "Min", "Max", "Peak", "Percentile", "P5", "P9", "Share", "Rate")
_NOT_ADDITIVE_ENDS = ("Error", "Share", "Rate", "Ratio")
#: A real number has no more digits that are known.
_DIGITS = 1e16
_STEPS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def unit_of(column: str, units: Any) -> Unit:
    """The unit of *column* in the header's ``unit`` line; an unnamed unit if the header has none."""
    name = units.get(column, "")
    return UNITS.get(name) or Unit(name)


def additive(column: str, units: Any) -> bool:
    """Whether the values of *column* may be summed across rows: counts may, averages and shares may not."""
    named_otherwise = column.startswith(_NOT_ADDITIVE) or column.endswith(_NOT_ADDITIVE_ENDS)
    return unit_of(column, units).additive and not named_otherwise


def is_missing(value: Any) -> bool:
    """Whether *value* is null: None, NaN, NaT or pandas' NA. Infinity is a value."""
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, int | str):
        return False  # plain values, as in a page's blocks, need no pandas
    import pandas as pd

    return value is pd.NA or value is pd.NaT


def human(value: Any, unit: Unit | None = None) -> str:
    """A short form of a number: ``1.2 M tokens``, ``950 requests``, ``41%``. Null is ``unknown``."""
    if is_missing(value):
        return UNKNOWN
    unit = unit or Unit("")
    number = float(value) * unit.factor
    if unit.tight:
        if unit.label == "%" and (0 < number < 0.05 or 99.5 <= number < 100):
            return percent(number)
        text = f"{number:.1f}".removesuffix(".0") if abs(number) < 10 else f"{number:.0f}"
        return f"{text}{unit.label}"
    # 999,950 is 1 M, not 1000 k: the rounded number decides the step. Up to 9,999, all digits are shown.
    for step, letter in _STEPS:
        if abs(number) >= max(step * 0.99995, 10_000):
            scaled = number / step
            large = abs(scaled) >= 999.5
            shown = f"{scaled:.3g}" if not large or abs(number) >= _DIGITS else f"{scaled:,.0f}"
            return f"{shown} {letter} {unit.label}".rstrip()
    text = f"{number:,.{_enough(number, unit.decimals)}f}" if unit.decimals is not None else _three_digits(number)
    label = unit.label[:-1] if abs(number) == 1 and len(unit.label) > 2 and unit.label.endswith("s") else unit.label
    return f"{text} {label}".rstrip()


def _three_digits(number: float) -> str:
    """*number* with three digits, or as many as stand before the point: never ``8.25e+03``."""
    if number == int(number):
        return f"{number:,.0f}"
    decimals = max(0, 2 - _exponent(number, 2))
    text = f"{number:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def percent(share: float) -> str:
    """A share in percent, never rounded to 0 or 100: ``< 0.1%``, ``12.3%``, ``99.96%``, ``> 99.99%``."""
    if 0 < share < 0.1:
        return "< 0.1%"
    if 99.9 < share < 100:
        return f"{share:.2f}%" if share < 99.995 else "> 99.99%"
    return f"{share:,.0f}%" if abs(share) >= 1000 else f"{share:,.1f}".removesuffix(".0") + "%"


def share(part: float, whole: float) -> str:
    """*part* of *whole*, formatted by ``percent``; ``0%`` if *whole* is 0."""
    return percent(100 * part / whole if whole else 0.0)


def decimals_for(values: Any, unit: Unit) -> int:
    """The number of decimals for a column of real numbers: the same for all rows, so that decimal points align."""
    known = [unit.factor * abs(float(value)) for value in values if not is_missing(value) and math.isfinite(value)]
    largest, least = max(known, default=0.0), 1
    if unit.decimals is not None:
        least = unit.decimals
    elif all(value == int(value) for value in known):
        return 0
    elif largest >= 10:
        return 0 if largest >= 10_000 else 1
    # A query that rounded to 0.1 has told no second digit.
    most = _enough(largest, 2 if unit.decimals is None else least)
    return next((few for few in range(least, most) if all(round(value, few) == value for value in known)), most)


def _enough(number: float, decimals: int) -> int:
    """*decimals*, or as many as show two digits of a smaller *number*."""
    if not number or not math.isfinite(number):
        return decimals
    return min(12, max(decimals, 1 - _exponent(number, 1)))


def _exponent(number: float, decimals: int) -> int:
    """The power of ten of the rounded *number*: 0.0997 is 0.10, not 0.100."""
    return int(f"{number:.{decimals}e}".partition("e")[2])


def exact(value: Any, unit: Unit, decimals: int = 0) -> str:
    """A number with thousands separators and no unit except ``%``: ``1,234,567``, ``41.3%``, ``< 0.01``.

    Null is ``unknown``; only 0 is written as 0.
    """
    if is_missing(value):
        return UNKNOWN
    number = value if unit.factor == 1 else float(value) * unit.factor
    label = unit.label if unit.tight else ""
    least = 10.0**-decimals
    if number and abs(number) < least / 2:
        return f"{'<' if number > 0 else '> -'} {least:.{decimals}f}{label}".replace("- ", "-")
    if isinstance(number, float) and _DIGITS <= abs(number) < math.inf:
        return f"{number:.6g}{label}"
    if not decimals and isinstance(number, Integral):
        return f"{int(number):,}{label}"  # as a real it would have 15 digits only
    return f"{number:,.{decimals}f}{label}"


def span(value: timedelta) -> str:
    """A duration: ``1.25 s``, ``2 min 05 s``, ``3 h 20 min``, ``4 d 6 h``."""
    seconds = value.total_seconds()
    sign, seconds = ("-" if seconds < 0 else ""), abs(seconds)
    if seconds < 60:
        return f"{sign}{_three_digits(seconds)} s"
    if seconds < 3600:
        return f"{sign}{int(seconds // 60)} min {int(seconds % 60):02d} s"
    if seconds < 86400:
        return f"{sign}{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
    return f"{sign}{int(seconds // 86400)} d {int(seconds % 86400 // 3600)} h"
