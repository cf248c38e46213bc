"""A figure's finding in words, with its number, computed from what is drawn: the title where a query defines none.

The kind of chart and whether its values can be summed decide what is said:

- parts of a whole, the largest with its share: ``gpt-4o: 64% of 12.3 M tokens``;
- a sum over time, its highest point: ``Most on 12 Nov: 42.00 USD, 3.0 times the median day``;
- what cannot be summed, the highest value: ``Highest P95: 8.2 s, gpt-4o, 12 Nov 14:00``.

'' where this would say nothing or might be wrong: a single value, a tie, nothing above zero, values without a unit of
their own, a highest value that is not drawn. Where values are unknown, a sentence speaks of the known ones.
"""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from numbers import Real
from typing import TYPE_CHECKING, Any

from ..format.labels import NONE, humanised, shortened
from ..format.numbers import UNITS, UNKNOWN, Unit, human
from .kinds import Chart
from .series import Series, clock

if TYPE_CHECKING:
    import pandas as pd

#: Fewer points than this have no median that a highest one is compared with, and less than that is no peak.
_FEWEST_POINTS, _PEAK = 5, 1.5
#: Longest name in a title.
_NAME = 60


def of_series(data: Series, chart: Chart, unit: Unit) -> str:
    """The finding of bars, areas and lines in plain text; '' for none."""
    if not unit.label or data.whole.notna().sum().sum() < 2:
        return ""
    negative = bool((data.whole < 0).any(axis=None))
    if not data.additive or negative or (data.several and not chart.row.stacked):
        return _highest(data, chart, unit, negative)
    split = data.values.shape[1] > 1
    if split and (data.kind == "time" or data.several or chart.kind.startswith("stacked")):
        return _largest_part(data, data.whole.sum(axis=0, min_count=1), unit, "" if data.several else chart.color)
    totals = data.whole.sum(axis=1, min_count=1)
    if data.kind == "time":
        return _peak(data, totals, unit)
    return _largest_part(data, totals, unit, data.category)


def of_grid(
    grid: pd.DataFrame, drawn: pd.Index[Any], axes: tuple[str, str, str], unit: Unit, *, adds: bool, partly: bool
) -> str:
    """The highest cell of a heatmap, if its row is *drawn*. *axes* name x, y and what is measured.

    *adds*: values can be summed; *partly*: some are unknown.
    """
    x, y, z = axes
    cells = grid.stack().dropna()
    if not unit.label or not (top := _unique(cells, unit)) or top[0] not in drawn:
        return ""
    along = [_place(at, name, axis) for at, name, axis in zip(top, (y, x), (grid.index, grid.columns), strict=True)]
    measure = unit.label if adds and unit.decimals is None and not partly else humanised(z)
    return ", ".join([_headed(measure, cells[top], unit, "Highest", partly), *along])


def _largest_part(data: Series, parts: pd.Series[Any], unit: Unit, column: str) -> str:
    """The largest of *parts*, the values of *column* ('': measures), with its share of them all."""
    known = parts.dropna()
    if len(known) < 2 or (top := _unique(known)) is None:
        return ""
    whole = float(known.sum())
    said = human(100 * float(known[top]) / whole, UNITS["%"])
    return f"{_name(top, column, first=True)}: {said} of {'the known ' * data.partly}{human(whole, unit)}"


def _peak(data: Series, totals: pd.Series[Any], unit: Unit) -> str:
    """The highest of the sums over time, and how far it is above the median."""
    known = totals.dropna()
    if (top := _unique(known, unit)) is None:
        return ""
    moment, grain = _moment(data, top)
    before = {"week": "in the ", "month": "in "}.get(grain, "on ")
    what = f"Highest known {_lower(humanised(data.measure))}" if data.partly else "Most"
    said = f"{what} {before}{moment}: {_amount(known[top], unit)}"
    median = float(known.median())
    if len(known) < _FEWEST_POINTS or median <= 0 or known[top] < _PEAK * median:
        return said
    times = float(known[top]) / median
    return f"{said}, {times:,.{int(times < 9.95)}f} times the median {grain}"


def _highest(data: Series, chart: Chart, unit: Unit, negative: bool) -> str:
    """The highest value; of positive and negative ones, the one furthest from zero."""
    cells = data.whole.stack().dropna()
    top = _unique(cells.abs() if negative else cells, unit)
    word = "Largest" if negative else "Highest"
    if top and top[0] in data.values.index and top[1] not in data.values.columns:
        cells = data.values.stack().dropna()
        top, word = _unique(cells.abs() if negative else cells, unit), f"{word} shown"
    if top is None and unit.label == "%":
        top, word = _lowest(data, cells), "Lowest"
    if top is None:
        return ""
    at, name = top
    if at not in data.values.index or name not in data.values.columns:
        return ""
    by_measure = data.several and not chart.color
    measure = str(name) if by_measure else "" if data.several else humanised(data.measure)
    where = []
    if len(data.whole) > 1:
        where.append(_moment(data, at)[0] if data.kind == "time" else _name(at, data.category))
    if not by_measure and data.whole.shape[1] > 1:
        where.insert(0 if data.kind == "time" else 1, _name(name, "" if data.several else chart.color))
    return ", ".join([_headed(measure, cells[top], unit, word, data.partly), *where])


def _lowest(data: Series, cells: pd.Series[Any]) -> Any:
    """The place of the lowest of shares of which several are all 100%, if it is one; None for other values.

    The first and the last time may be covered in part: what is low there is not called so.
    """
    low = _unique(-cells, UNITS["%"], above=-100.0) if cells.max() == 100 else None
    edges = (data.whole.index[0], data.whole.index[-1]) if data.kind == "time" else ()
    return None if low is None or low[0] in edges else low


def _unique(values: Any, unit: Unit | None = None, above: float = 0.0) -> Any:
    """Where the highest of *values* is; None if it is not above *above* or another one is as high.

    In a *unit*, a value is as high that is written alike: a reader would see two.
    """
    if len(values) < 2:
        return None
    top, second = values.nlargest(2)
    if not isfinite(top) or top <= above or top == second:
        return None
    return None if unit and _amount(top, unit) == _amount(second, unit) else values.idxmax()


def _headed(measure: str, value: Any, unit: Unit, word: str, partly: bool) -> str:
    """``Highest P95: 8.2 s``; of what has its unit's name, ``Most users: 119``."""
    known = " known" * partly
    if measure.lower() == unit.label.lower() and word == "Highest":
        return f"Most{known} {_lower(measure)}: {human(value, replace(unit, label=''))}"
    return f"{word}{known}{' ' * bool(measure)}{_lower(measure)}: {_amount(value, unit)}"


def _amount(value: Any, unit: Unit) -> str:
    if unit.label == "ms" and abs(value) >= 1000:
        return human(value / 1000, UNITS["s"])
    return human(value, unit)


def _lower(words: str) -> str:
    """A heading within a sentence: ``P95`` and ``API version`` keep their capitals."""
    return words if words[1:2].isupper() or words[1:2].isdigit() else words[:1].lower() + words[1:]


def _name(name: Any, column: str, *, first: bool = False) -> str:
    """A value of *column* ('': a measure's name) within a sentence, or as its *first* words."""
    word = _lower(humanised(column)) if column else ""
    if column and name in (NONE, UNKNOWN):
        said = f"{'no' if name == NONE else 'unknown'} {word}"
    elif isinstance(name, Real):
        said = f"{word} {name:g}"
    else:
        return shortened(str(name), _NAME)
    return said[:1].upper() + said[1:] if first else said


def _place(value: Any, column: str, axis: pd.Index[Any]) -> str:
    """A row or column of a heatmap: a time, a number with its axis's name, or a name."""
    return _written(value, axis, column)[0] if hasattr(value, "year") else _name(value, column)


def _moment(data: Series, at: Any) -> tuple[str, str]:
    """A time of a series in its zone as text, and what begins then: ``hour``, ``day``, ``week``, ``month``."""
    shown = clock(data)
    return _written(shown[data.values.index.get_loc(at)], shown, data.category)


def _written(at: Any, times: Any, column: str) -> tuple[str, str]:
    year = " %Y" if times.min().year != times.max().year else ""
    if (times != times.normalize()).any():
        step = times.to_series().diff().min()
        return f"{at.day} {at:%b{year} %H:%M}", "hour" if step.total_seconds() == 3600 else "value"
    if column == "Month":
        return f"{at:%b %Y}", "month"
    week = len(times) > 1 and times.sort_values().to_series().diff().min().days >= 7
    return f"{'week from ' * week}{at.day} {at:%b{year}}", "week" if week else "day"
