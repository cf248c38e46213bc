"""Conversion of a query's header to a workbook visualization: charts, column formats, tiles.

The numbers are the service's own, from workbooks published by Microsoft (microsoft/Application-Insights-Workbooks
and Azure-Samples/AI-Gateway); the documentation gives only their names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ...charts import Chart
from ...charts.style import KNOWN_COLORS, WORKBOOK_COLORS
from ...format.labels import heading
from ...format.numbers import unit_of

# Column renderers.
TEXT, BAR, HIDDEN, TIME, LINK, HEAT, BIG, THRESHOLDS = 1, 3, 5, 6, 7, 8, 12, 18
# Units of numbers.
PLAIN, PERCENT, BYTES, MILLISECONDS, SECONDS = 0, 1, 2, 23, 24
_UNITS = {"%": PERCENT, "bytes": BYTES, "ms": MILLISECONDS, "s": SECONDS}
_MONEY = "USD"
#: Units in which more is worse, so a heat map turns red.
_WORSE = re.compile(
    r"Failed|Throttled|Error(?!Budget)|Unknown|Unpriced|P9[0-9]|Score|Overrun|BudgetUsed|Lost|NotLogged"
)
#: Icons for states.
_STATES = {
    "success": "success",
    "cache-hit": "success",
    "within": "success",
    "throttled-gateway": "warning",
    "throttled-backend": "warning",
    "content-filter": "warning",
    "may exceed": "warning",
    "will exceed": "warning",
    "unauthorized": "4",
    "not-found": "4",
    "client-error": "4",
    "server-error": "critical",
    "over": "critical",
    "client-closed": "cancelled",
}
_STATE_COLUMNS = ("Outcome", "State")
_KINDS = {
    "line": "linechart",
    "area": "areachart",
    "stacked-area": "areachart",
    "scatter": "scatterchart",
    "bar": "barchart",
    "stacked-bar": "barchart",
    "grouped-bar": "unstackedbar",
}
_WORDS = re.compile(r"\b[A-Z][A-Za-z0-9]+\b")
_LAST_SHAPE = re.compile(r"\|\s*(?:project|summarize)\b(?!-)")


def number_format(column: str, units: Mapping[str, str]) -> dict[str, Any]:
    """The number format of *column*. Unknown is shown as text, never left empty."""
    unit = unit_of(column, units)
    options: dict[str, Any] = {"style": "decimal", "maximumFractionDigits": 2}
    kind = _UNITS.get(unit.label, PLAIN)
    if unit.label.startswith(_MONEY):
        options = {"style": "currency", "currency": _MONEY, "maximumFractionDigits": 2 if unit.label == _MONEY else 5}
    elif kind == PERCENT:
        options["maximumFractionDigits"] = 1
    elif unit.additive:
        options["maximumFractionDigits"] = 0
    return {"unit": kind, "options": options, "emptyValCustomText": "unknown"}


def chart_settings(chart: Chart, units: Mapping[str, str], times: Iterable[str]) -> tuple[str, dict[str, Any]]:
    """The visualization's name and settings. Bars along categories use the categorical kind."""
    if chart.kind == "heatmap":
        # Bands over time: the service has no heat map with two axes.
        chart = Chart("stacked-bar", chart.x, (chart.color,), chart.y[0])
    category, measures = (chart.x[0], chart.y) if len(chart.x) == 1 else (chart.y[0], chart.x)
    if chart.kind in ("bar", "stacked-bar", "grouped-bar") and len(chart.y) == 1 and category in units:
        category, measures = chart.y[0], chart.x
    kind = _KINDS[chart.kind]
    if kind in ("barchart", "unstackedbar") and category not in times:
        kind = "categoricalbar"
    settings: dict[str, Any] = {
        "xAxis": category,
        "yAxis": list(measures),
        "showLegend": True,
        "showDataPoints": kind == "linechart",
        "ySettings": {"numberFormatSettings": number_format(measures[0], units), "min": 0},
    }
    if chart.color:
        settings |= {"group": chart.color, "createOtherGroup": 12}
    if chart.color in KNOWN_COLORS:
        settings["seriesLabelSettings"] = [
            {"seriesName": name, "color": WORKBOOK_COLORS[place]} for name, place in KNOWN_COLORS[chart.color].items()
        ]
    if len(measures) > 1:
        settings["seriesLabelSettings"] = [{"seriesName": m, "label": heading(m, "")} for m in measures]
    return kind, settings


def columns_named(kql: str) -> list[str]:
    """The names in the statement's last shape (``project`` or ``summarize``) and after it, in order: its columns are
    among them."""
    last = 0
    for match in _LAST_SHAPE.finditer(kql):
        last = match.end()
    return list(dict.fromkeys(_WORDS.findall(kql[last:])))


def is_column(kql: str, column: str) -> bool:
    """Whether *column* is in the last shape of *kql* itself or assigned there, and not only
    used in a computation."""
    shapes = _LAST_SHAPE.split(kql)
    return re.search(rf"(?<![(.])\b{column}\b\s*(?:,|=(?![=~])|\n|$)", shapes[-1]) is not None


def grid_settings(
    kql: str,
    units: Mapping[str, str],
    *,
    bars: Iterable[str] = (),
    heats: Iterable[str] = (),
    hidden: Iterable[str] = (),
    links: Iterable[str] = (),
    rows: int = 500,
) -> dict[str, Any]:
    """A grid: numbers in their units, *bars* and *heats* drawn in cells, *links* that open the row's details."""
    named = columns_named(kql)
    bars, heats, hidden = tuple(bars), tuple(heats), tuple(hidden)
    # A format is written once for all its columns: the service reads columnMatch as a regular expression.
    formats: dict[str, list[str]] = {}
    for column in dict.fromkeys([*units, *bars, *heats]):
        if column not in named or column in hidden:
            continue
        found: dict[str, Any] = {"numberFormat": number_format(column, units)}
        if column in bars:
            found |= {"formatter": BAR, "formatOptions": {"palette": "blue", "min": 0}}
        elif column in heats:
            palette = "redBright" if _WORSE.search(column) else "blue"
            found |= {"formatter": HEAT, "formatOptions": {"palette": palette, "min": 0}}
        else:
            found |= {"formatter": 0}
        formats.setdefault(json.dumps(found), []).append(column)
    formatters: list[dict[str, Any]] = [
        {"columnMatch": matching(columns)} | json.loads(found) for found, columns in formats.items()
    ]
    formatters += [
        {"columnMatch": matching([column]), "formatter": THRESHOLDS, "formatOptions": _icons()}
        for column in _STATE_COLUMNS
        if column in named and is_column(kql, column)
    ]
    formatters += [
        {
            "columnMatch": matching([column]),
            "formatter": LINK,
            "formatOptions": {"linkTarget": "GenericDetails", "linkIsContextBlade": True},
        }
        for column in links
        if column in named
    ]
    formatters += [{"columnMatch": matching(hidden), "formatter": HIDDEN}] if hidden else []
    labels = [
        {"columnId": c, "label": label_of(c, units)} for c in named if label_of(c, units) != c and c not in hidden
    ]
    return {"formatters": formatters, "labelSettings": labels, "filter": True, "rowLimit": rows}


def matching(columns: Iterable[str]) -> str:
    """A regular expression that matches exactly one of *columns*."""
    names = list(columns)
    return f"^{names[0]}$" if len(names) == 1 else f"^({'|'.join(names)})$"


def label_of(column: str, units: Mapping[str, str]) -> str:
    """A column's heading, with its unit if its numbers do not show it."""
    unit = unit_of(column, units).label
    return heading(column, "" if unit in _UNITS or unit.startswith(_MONEY) else unit)


def _icons() -> dict[str, Any]:
    rows: list[dict[str, Any]] = [
        {"operator": "==", "thresholdValue": value, "representation": icon, "text": "{0}{1}"}
        for value, icon in _STATES.items()
    ]
    rows.append({"operator": "Default", "representation": None, "text": "{0}{1}"})
    return {"thresholdsOptions": "icons", "thresholdsGrid": rows}


def tile_settings() -> dict[str, Any]:
    """Tiles from the columns Kpi, Value and Note, one per row."""
    return {
        "titleContent": {"columnMatch": "Kpi", "formatter": TEXT},
        "leftContent": {"columnMatch": "Value", "formatter": BIG, "formatOptions": {"palette": "none"}},
        "secondaryContent": {"columnMatch": "Note", "formatter": TEXT},
        "showBorder": True,
        "sortCriteriaField": "Place",
        "sortOrderField": 1,
        "size": "auto",
    }
