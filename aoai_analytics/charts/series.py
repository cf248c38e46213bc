"""Convert a query's rows to a chart's series: one row per category or time, one column per series."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

from ..errors import WrongUse
from ..format.labels import humanised, named
from ..format.numbers import additive, is_missing, share
from .kinds import Chart
from .style import MAX_SERIES

if TYPE_CHECKING:
    import pandas as pd

#: More bars than this are unreadable; the table has the rest.
MAX_CATEGORIES = 20
#: This many categories with bars of the same lengths, in steps of this part of the longest, are drawn as one.
_ALIKE, _STEPS = 5, 100
#: Longest time axis on which gaps are filled.
_MAX_MOMENTS = 10_000


@dataclass
class Series:
    """A chart's data: ``values`` (index: category, time or number; columns: series names; NaN: unknown or no value).

    ``absent`` marks points without a row. ``measure`` and ``category`` name the source columns; ``several`` is true
    if more columns than ``measure`` are measured. ``kind`` is the kind of index (``category``,
    ``time`` in UTC, ``number``), ``additive`` whether the values may be summed, ``horizontal`` the direction of bars,
    ``zone`` the time zone of displayed times, ``other`` the name of the series with the rest. ``notes``
    are for the reader. ``whole`` are the values before any is left out of the picture; ``partly``: one of them is
    unknown.
    """

    values: pd.DataFrame
    absent: pd.DataFrame
    measure: str
    category: str
    kind: str
    additive: bool
    horizontal: bool
    several: bool = False
    zone: str = ""
    other: str = ""
    notes: list[str] = field(default_factory=list)
    whole: Any = None
    partly: bool = False


def series(frame: pd.DataFrame, chart: Chart, units: Mapping[str, str], time_zone: str) -> Series:
    """The series that *chart* draws from *frame*. Raises WrongUse if rows share a point but cannot be summed."""
    measures, category, horizontal = _roles(frame, chart)
    adds = all(additive(measure, units) for measure in measures)
    index, kind, zone = _index(frame[category], time_zone)
    values, absent = _pivot(frame, chart, measures, index, adds)
    result = Series(values, absent, measures[0], category, kind, adds, horizontal, len(measures) > 1, zone)
    if kind == "category":
        _order_categories(result)
    elif chart.row.continuous or kind == "number":
        _order_moments(result)
    result.whole, result.partly = result.values, has_unknown(result)
    if kind == "category":
        if not chart.row.stacked:
            _leave_out_alike(result)
        _limit_categories(result)
    _leave_out_empty(result)
    _limit_series(result)
    return result


def is_number(column: pd.Series) -> bool:
    """Whether *column* holds numbers (booleans do not count)."""
    from pandas.api import types

    return types.is_numeric_dtype(column) and not types.is_bool_dtype(column)


def shown_time(column: pd.Series, time_zone: str) -> tuple[pd.Series, str]:
    """Times in *time_zone* (without a zone), and the zone's name.

    Days that a query binned stay in UTC, because they start at midnight UTC: in another zone each would
    straddle two dates.
    """
    known = column.dropna()
    if column.dt.tz is None:
        return column, "UTC"
    days = len(known) > 0 and bool((known == known.dt.normalize()).all()) and str(column.dt.tz) == "UTC"
    zone = "UTC" if days else time_zone
    return column.dt.tz_convert(zone).dt.tz_localize(None), zone


def time_form(column: pd.Series) -> str:
    """How to write the times of *column*: as months where its name says so, as days where all are midnight."""
    known = column.dropna()
    if not bool((known == known.dt.normalize()).all()):
        return "%Y-%m-%d %H:%M:%S"
    return "%b %Y" if column.name == "Month" and bool((known.dt.day == 1).all()) else "%Y-%m-%d"


def _roles(frame: pd.DataFrame, chart: Chart) -> tuple[tuple[str, ...], str, bool]:
    """The measured columns, the category column, and whether bars are horizontal."""
    if len(chart.x) > 1:
        return chart.x, chart.y[0], True
    if len(chart.y) > 1:
        return chart.y, chart.x[0], False
    lying = chart.row.trace == "bar" and is_number(frame[chart.x[0]]) and not is_number(frame[chart.y[0]])
    measures, category = (chart.x, chart.y[0]) if lying else (chart.y, chart.x[0])
    if not is_number(frame[measures[0]]):
        raise WrongUse(f"a {chart.kind} chart needs a numeric column: neither {chart.x[0]} nor {chart.y[0]} is numeric")
    return measures, category, lying


def _index(column: pd.Series, time_zone: str) -> tuple[pd.Series, str, str]:
    from pandas.api import types

    if types.is_datetime64_any_dtype(column):
        # The hour repeated when clocks go back is two times: convert to the zone only when drawing.
        moments = column.dt.tz_localize("UTC") if column.dt.tz is None else column.dt.tz_convert("UTC")
        return moments, "time", shown_time(column, time_zone)[1]
    if is_number(column):
        return column, "number", ""
    return column.map(named), "category", ""


def _pivot(
    frame: pd.DataFrame, chart: Chart, measures: tuple[str, ...], index: pd.Series, adds: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    import pandas as pd

    parts = []
    for measure in measures:
        names = frame[chart.color].map(named) if chart.color else humanised(measure)
        if chart.color and len(measures) > 1:
            names = names + " · " + humanised(measure)
        parts.append(pd.DataFrame({"at": index, "name": names, "value": frame[measure].astype("Float64")}))
    rows = pd.concat(parts, ignore_index=True).dropna(subset=["at"])
    groups = rows.groupby(["at", "name"], sort=False)["value"]
    if not adds and int(groups.size().max() if len(rows) else 0) > 1:
        raise WrongUse(
            f"several rows share a point of the {chart.kind}, and {', '.join(measures)} cannot be summed: "
            "set color= to the column that distinguishes them"
        )
    order = list(dict.fromkeys(rows["at"])), list(dict.fromkeys(rows["name"]))
    # min_count: a sum of only nulls stays unknown.
    sums = groups.sum(min_count=1).unstack("name").reindex(index=order[0], columns=order[1])
    counts = groups.size().unstack("name").reindex(index=order[0], columns=order[1])
    return sums.astype("float64"), counts.isna()


def _order_categories(series: Series) -> None:
    if series.additive:
        totals = series.values.sum(axis=1, min_count=1)
        ordered = list(totals.sort_values(ascending=False, kind="stable", na_position="last").index)
        if totals.min() < 0:
            # Of differences, the largest falls count as much as the largest rises.
            largest = set(totals.abs().sort_values(ascending=False, kind="stable").index[:MAX_CATEGORIES])
            ordered.sort(key=lambda name: name not in largest)
        _reindex(series, ordered)


def _limit_categories(series: Series) -> None:
    rest = len(series.values) - MAX_CATEGORIES
    if rest <= 0:
        return
    sums = series.values.sum(axis=1)
    whole, left = float(sums.sum()), float(sums.iloc[MAX_CATEGORIES:].sum())
    part = f", together {share(left, whole)} of the total" if series.additive and whole > 0 and left >= 0 else ""
    _reindex(series, series.values.index[:MAX_CATEGORIES])
    drawn = ~series.absent.all(axis=0)  # the legend names nothing that has no bar
    series.values, series.absent = series.values.loc[:, drawn], series.absent.loc[:, drawn]
    total = len(series.values) + rest
    series.notes.append(f"The figure shows {MAX_CATEGORIES} of {total:,}; the data has the other {rest:,}{part}.")


def _leave_out_alike(series: Series) -> None:
    """Of categories with several bars each that all look the same, one is drawn, and a note counts the others.

    A category of which a value is unknown looks like no other.
    """
    values: Any = series.values.loc[:, series.values.notna().any(axis=0)].dropna()
    if values.shape[1] < 2:
        return
    steps = (values / (values.abs().max(axis=None) or 1) * _STEPS).round()
    alike: dict[Any, list[Any]] = {}
    for name, lengths in zip(steps.index, steps.itertuples(index=False, name=None), strict=True):
        alike.setdefault(lengths, []).append(name)
    left_out = set()
    for first, *others in alike.values():
        if len(others) + 1 >= _ALIKE:
            left_out.update(others)
            series.notes.append(f"Not drawn: {len(others):,} that look the same as {first}; the data has them.")
    if left_out:
        _reindex(series, [name for name in series.values.index if name not in left_out])


def _order_moments(series: Series) -> None:
    """Sort by time and add the missing times, so that a line does not bridge a gap."""
    import pandas as pd

    moments = series.values.index.sort_values()
    if series.kind == "time" and len(moments) > 2:
        step = moments.to_series().diff().min()
        grid = pd.date_range(moments[0], moments[-1], freq=step)[:_MAX_MOMENTS]
        if moments.isin(grid).all():
            moments = grid
    _reindex(series, moments)
    if series.additive:
        # No row means nothing happened, so counts are 0; a null in a row stays unknown.
        series.values = series.values.mask(series.absent, 0)


def _leave_out_empty(series: Series) -> None:
    """Of several measures, those without any value take no room: budgets where none is set."""
    values = series.values.notna().any(axis=0)
    if not series.several or values.all() or not values.any():
        return
    names = ", ".join(map(str, series.values.columns[~values]))
    series.notes.append(f"Not in the figure, as no row has a value: {names}.")
    series.values, series.absent = series.values.loc[:, values], series.absent.loc[:, values]


def _lower_end(name: str) -> float | None:
    """Where a range of numbers begins by its name, ``100 to 999``; None for other names."""
    found = re.fullmatch(r"(under )?([\d,]+)( to [\d,]+| and more)?", name)
    if not found or not (found[1] or found[3]):
        return None
    return -1.0 if found[1] else float(found[2].replace(",", ""))


def _limit_series(series: Series) -> None:
    names = list(series.values.columns)
    ends = {name: end for name in names if (end := _lower_end(str(name))) is not None}
    if len(ends) > 1 and len(names) <= MAX_SERIES:
        names.sort(key=lambda name: ends.get(name, inf))  # what is no range comes last
    elif series.additive:
        totals = series.values.sum(axis=0)
        names = list(totals.sort_values(ascending=False, kind="stable").index)
    if len(names) <= MAX_SERIES:
        series.values, series.absent = series.values[names], series.absent[names]
        return
    if not series.additive:
        kept = list(series.values.notna().sum().sort_values(ascending=False, kind="stable").index[:MAX_SERIES])
        series.notes.append(f"The figure shows {MAX_SERIES} of {len(names):,} series; the others are in the data.")
        series.values, series.absent = series.values[kept], series.absent[kept]
        return
    kept, rest = names[: MAX_SERIES - 1], names[MAX_SERIES - 1 :]
    if totals[rest].sum() > totals.sum() / 2:
        # Where most would be "other", colours say nothing: the sum, and how even its parts are.
        series.notes.append(
            f"The figure adds up all {len(names):,}, as the largest has only {share(totals.max(), totals.sum())}. "
            "Each is in the data."
        )
        series.values = series.values.sum(axis=1, min_count=1).to_frame(f"all {len(names):,}")
        series.absent = series.absent.all(axis=1).to_frame(f"all {len(names):,}")
        return
    series.other = f"other ({len(rest):,})"
    values, absent = series.values[kept].copy(), series.absent[kept].copy()
    values[series.other] = series.values[rest].sum(axis=1, min_count=1)
    absent[series.other] = series.absent[rest].all(axis=1)
    series.values, series.absent = values, absent


def _reindex(series: Series, index: Any) -> None:
    series.values = series.values.reindex(index)
    series.absent = series.absent.reindex(index).astype("boolean").fillna(True).astype(bool)


def clock(series: Series) -> Any:
    """A time series' times in its display zone, without a zone."""
    index: Any = series.values.index
    return index.tz_convert(series.zone).tz_localize(None)


def has_unknown(series: Series) -> bool:
    """Whether a row has a null value."""
    return bool((series.values.isna() & ~series.absent).any(axis=None))


def listed(values: Any, factor: float = 1) -> list[Any]:
    """Plain numbers for JSON: whole ones as int, unknown as None."""
    numbers = [None if is_missing(value) else float(value) * factor for value in values]
    return [int(n) if n is not None and n.is_integer() else n for n in numbers]
