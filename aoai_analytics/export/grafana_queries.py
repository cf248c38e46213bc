"""A library query for Grafana: how it is drawn, and the KQL appended for that.

A chart's query ends with the chart's columns, summed where several rows share a point, in drawing
order. A table shows every column of the query.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..charts.cards import cards_of
from ..charts.kinds import Chart, parse_chart
from ..format.labels import NONE
from ..format.numbers import additive
from ..library.queries import Query

#: Columns that hold a time; every other axis of a chart is a category.
MOMENTS = ("TimeGenerated", "Day", "Week", "Month")
#: Times that name the rows of a matrix.
_DATES = ("Cohort",)
#: A column whose value is a variable's choice: a cell or a bar links to the dashboard with that choice.
CHOICES = {
    "ApiId": "Apis",
    "SubscriptionId": "Subscriptions",
    "ProductId": "Products",
    "ModelName": "Models",
    "User": "Users",
    "EndUserId": "Users",
}


@dataclass(frozen=True)
class Shown:
    """A query to draw: as its header says, or as *show*: ``grid``, ``pie``, ``kpi``, ``matrix``.

    *bars* and *heats* are columns that a table draws in its cells. *links* maps a column to the URL that chooses a
    value of it, with ``{}`` for the value.
    """

    query: Query
    show: str = ""
    bars: tuple[str, ...] = ()
    heats: tuple[str, ...] = ()
    links: Mapping[str, str] | None = None

    @property
    def chart(self) -> Chart:
        return parse_chart(self.query.chart)

    @property
    def units(self) -> Mapping[str, str]:
        if self.how == "stat":
            return {card.column: self.query.units[card.column] for card in cards_of(self.query)}
        return self.query.units

    @property
    def how(self) -> str:
        """``stat``, ``timeseries``, ``states`` (a heat map over time), ``bars``, ``pie``, ``matrix`` or ``table``."""
        if self.show in _SHOWN:
            return _SHOWN[self.show]
        if not self.chart.row.trace:
            return "table"
        if self.chart.kind == "heatmap":
            return "states" if self.chart.x[0] in MOMENTS else "matrix"
        return "timeseries" if self.axis in MOMENTS else "bars"

    @property
    def axis(self) -> str:
        """The chart's measured column."""
        return self._roles[0]

    @property
    def measures(self) -> tuple[str, ...]:
        """The chart's measured columns."""
        return self._roles[1]

    @property
    def _roles(self) -> tuple[str, tuple[str, ...]]:
        # Like the figures, which see the types: a number has a unit.
        chart, units = self.chart, self.query.units
        lying = chart.row.trace == "bar" and chart.x[0] in units and chart.y[0] not in units
        return (chart.y[0], chart.x) if len(chart.x) > 1 or (len(chart.y) == 1 and lying) else (chart.x[0], chart.y)

    @property
    def adds(self) -> bool:
        """Whether the measure may be summed."""
        return all(additive(measure, self.query.units) for measure in self.measures)

    @property
    def joined(self) -> bool:
        """Whether the colour becomes part of the category: a matrix holds only one measure."""
        return bool(self.chart.color) and len(self.measures) > 1

    @property
    def color(self) -> str:
        """The column that splits the series, if there is one besides the category."""
        return "" if self.joined or self.how == "pie" else self.chart.color

    @property
    def result_format(self) -> str:
        """``time_series`` makes the data source create one series per colour; ``table`` leaves the rows unchanged."""
        return "time_series" if self.how in ("timeseries", "states") else "table"

    @property
    def columns(self) -> tuple[str, ...]:
        """The result columns that the panel names."""
        if self.how in ("stat", "table"):
            return tuple(self.units)
        if self.how in ("matrix", "states"):
            return self.chart.y[0], self.chart.x[0], self.chart.color
        return (self.axis, *((self.color,) if self.color else ()), *self.measures)

    @property
    def ending(self) -> str:
        """KQL appended to the query's last statement; '' for a table of all its columns."""
        how, chart = self.how, self.chart
        if how == "table":
            return ""
        if how == "stat":
            return f"| project {', '.join(self.units)}\n"
        if how == "matrix":
            return f"| project {_written(chart.y[0])}, {_written(chart.x[0])}, {chart.color}\n"
        if how == "states":
            x, y = chart.x[0], chart.y[0]
            return f"| project {x}, {_written(y)}, {chart.color}\n| sort by {x} asc, {y} asc\n"
        by = [self.axis if how == "timeseries" else self._category]
        by += [_written(self.color)] if self.color else []
        names = [name.split(" ")[0] for name in by]
        order = ", ".join(f"{name} asc" for name in names)
        if not self.adds:
            sort = f"| sort by {order}\n" if how == "timeseries" else ""
            return f"| project {', '.join([*by, *self.measures])}\n{sort}"
        # Kusto sums nulls to 0, but the sum of only unknown values must be unknown.
        sums = [f"{m} = sum({m}), Known{m} = countif(isnotnull({m}))" for m in self.measures]
        known = [f"{m} = iff(Known{m} > 0, toreal({m}), real(null))" for m in self.measures]
        sort = order if how == "timeseries" else f"{self.measures[0]} desc nulls last, {order}"
        return (
            f"| summarize {', '.join(sums)} by {', '.join(by)}\n"
            f"| project {', '.join([*names, *known])}\n| sort by {sort}\n"
        )

    @property
    def _category(self) -> str:
        if self.joined:
            return f'{self.axis} = strcat({_text(self.axis)}, " · ", {_text(self.chart.color)})'
        return _written(self.axis)


_SHOWN = {"grid": "table", "kpi": "stat", "matrix": "matrix", "pie": "pie"}


def _written(column: str) -> str:
    """*column* as a category name."""
    return f"{column} = {_text(column)}"


def _text(column: str) -> str:
    if column in _DATES:
        return f'format_datetime({column}, "yyyy-MM-dd")'
    return f'iff(isempty(tostring({column})), "{NONE}", tostring({column}))'
