"""Grafana panels for queries: the panel's type, options and fields.

Sources: the panels' options in Grafana's own schema (PyPI ``grafana-foundation-sdk``, generated from it; the tests read
the dashboards with it); the transformations in npm ``@grafana/data``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..charts.cards import cards_of
from ..charts.style import KNOWN_COLORS, color_of
from ..format.labels import heading, humanised
from ..format.numbers import UNITS, UNKNOWN, unit_of
from .grafana_queries import CHOICES, Shown

#: Grafana's unit for a header's unit; other units are in the heading.
GRAFANA_UNITS = {
    "%": "percent",
    "share": "percentunit",
    "ms": "ms",
    "s": "s",
    "minutes": "m",
    "hours": "h",
    "days": "d",
    "bytes": "bytes",
    "USD": "currencyUSD",
    "EUR": "currencyEUR",
}
#: Thresholds where a number turns from good to doubtful to bad, by column: (colour, from) in ascending order.
THRESHOLDS: dict[str, tuple[tuple[str, float | None], ...]] = {
    "SuccessRate": (("red", None), ("orange", 95), ("green", 99)),
    "BudgetUsed": (("green", None), ("orange", 75), ("red", 100)),
    "ProjectedShare": (("green", None), ("orange", 90), ("red", 100)),
    "PeakUtilisation": (("green", None), ("orange", 80), ("red", 100)),
    "UnpricedRequests": (("green", None), ("orange", 1)),
    "UnknownRequests": (("green", None), ("orange", 1)),
    "EstimatedShare": (("green", None), ("orange", 10), ("red", 50)),
}
_CHOICE_WORDS = {
    "Apis": "API",
    "Subscriptions": "subscription",
    "Products": "product",
    "Models": "model",
    "Users": "user",
}
_HEAT = "continuous-blues"
_BACKGROUND = {"type": "color-background", "mode": "basic"}
_NOTHING = "No data for this time range and these filters."


def panel(shown: Shown) -> dict[str, Any]:
    """A panel's title, type, options, fields and transformations, without its position and query."""
    return {"title": shown.query.title, "description": shown.query.question} | _BUILDERS[shown.how](shown)


def _unit(column: str, units: Mapping[str, str], *, exact: bool = False) -> dict[str, Any]:
    """A column's unit and decimals. *exact* shows all digits of a count, as a table does."""
    unit = units.get(column, "")
    if unit not in GRAFANA_UNITS:
        return {"unit": "locale" if exact else "short"}
    decimals = UNITS[unit].decimals if unit in UNITS else None
    return {"unit": GRAFANA_UNITS[unit]} | ({} if decimals is None else {"decimals": decimals})


def _name(column: str, units: Mapping[str, str]) -> str:
    """A column's heading, without a unit that Grafana already shows."""
    return heading(column, "" if units.get(column, "") in GRAFANA_UNITS else unit_of(column, units).label)


def _override(column: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "matcher": {"id": "byName", "options": column},
        "properties": [{"id": key, "value": value} for key, value in properties.items()],
    }


def _thresholds(column: str) -> dict[str, Any]:
    steps = THRESHOLDS.get(column, (("text", None),))
    return {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in steps]}


def _fields(
    defaults: Mapping[str, Any], overrides: Iterable[dict[str, Any]] = (), *, nothing: str = _NOTHING
) -> dict[str, Any]:
    return {"fieldConfig": {"defaults": {"noValue": nothing} | dict(defaults), "overrides": list(overrides)}}


def _legend(shown: bool) -> dict[str, Any]:
    return {"displayMode": "list", "placement": "bottom", "showLegend": shown, "calcs": []}


def _link(shown: Shown, column: str, value: str) -> list[dict[str, Any]]:
    """The link that chooses *value* (Grafana's name for it) if *column* holds choices."""
    url = (shown.links or {}).get(column)
    if not url:
        return []
    title = f"Only this {_CHOICE_WORDS[CHOICES[column]]}"
    return [{"title": title, "url": url.replace("{}", value), "targetBlank": False}]


def _stat(shown: Shown) -> dict[str, Any]:
    overrides = [
        _override(
            card.column,
            {"displayName": card.label} | _unit(card.column, shown.units) | {"thresholds": _thresholds(card.column)},
        )
        for card in cards_of(shown.query)
    ]
    options = {
        "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": "/.*/"},
        "orientation": "auto",
        "textMode": "value_and_name",
        "wideLayout": True,
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
    }
    fields = _fields({"color": {"mode": "thresholds"}}, overrides, nothing=UNKNOWN)
    return {"type": "stat", "options": options} | fields


def _table(shown: Shown) -> dict[str, Any]:
    # An empty table shows Grafana's default text for no value; a null number in a row is unknown.
    overrides: list[dict[str, Any]] = [
        {"matcher": {"id": "byType", "options": "number"}, "properties": [{"id": "noValue", "value": UNKNOWN}]}
    ]
    for name in shown.units:
        properties = {"displayName": _name(name, shown.units)} | _unit(name, shown.units, exact=True)
        if name in THRESHOLDS:
            properties |= {
                "color": {"mode": "thresholds"},
                "thresholds": _thresholds(name),
                "custom.cellOptions": {"type": "color-text"},
            }
        elif name in shown.bars:
            cell = {"type": "gauge", "mode": "gradient", "valueDisplayMode": "text"}
            properties |= {"color": {"mode": _HEAT}, "min": 0, "custom.cellOptions": cell}
        elif name in shown.heats:
            properties |= {
                "color": {"mode": _HEAT},
                "custom.cellOptions": {"type": "color-background", "mode": "basic"},
            }
        overrides.append(_override(name, properties))
    for column in shown.links or {}:
        overrides.append(_override(column, {"links": _link(shown, column, "${__value.raw:percentencode}")}))
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True, "inspect": False}
    options = {"showHeader": True, "cellHeight": "sm", "frameIndex": 0}
    return {"type": "table", "options": options} | _fields({"custom": custom}, overrides)


#: Columns of a matrix that are whole numbers, and their count: they keep their own order, not the rows'.
_NUMBERED = {"Hour": 24, "WeeksLater": 53}


def _matrix(shown: Shown) -> dict[str, Any]:
    x, y, value = shown.chart.x[0], shown.chart.y[0], shown.chart.color
    corner = f"{y}\\{x}"
    transformations = [_grouped(x, y, value)]
    if x in _NUMBERED:
        order = {corner: 0} | {str(number): number + 1 for number in range(_NUMBERED[x])}
        transformations.append(_organized(order))
    defaults = _unit(value, shown.units, exact=True) | {
        "color": {"mode": _HEAT},
        "custom": {"align": "center", "cellOptions": _BACKGROUND},
    }
    plain = {"displayName": humanised(y), "custom.cellOptions": {"type": "auto"}, "custom.align": "left"}
    options = {"showHeader": True, "cellHeight": "sm", "frameIndex": 0}
    drawing = {"type": "table", "options": options, "transformations": transformations}
    return drawing | _fields(defaults, [_override(corner, plain)])


def _states(shown: Shown) -> dict[str, Any]:
    """A heat map over time: one row of fields per category."""
    value, y = shown.chart.color, shown.chart.y[0]
    defaults = _unit(value, shown.units) | {
        "color": {"mode": _HEAT},
        "displayName": f"${{__field.labels.{y}}}",
        "custom": {"fillOpacity": 90, "lineWidth": 0},
    }
    options = {
        "showValue": "never",
        "rowHeight": 0.95,
        "colWidth": 0.95,
        "legend": _legend(False),
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return {"type": "status-history", "options": options} | _fields(defaults)


def _timeseries(shown: Shown) -> dict[str, Any]:
    as_line, several = shown.chart.kind == "line", bool(shown.color) or len(shown.measures) > 1
    # Counts per timespan are drawn as bars: no row means zero, which a line would bridge.
    # Lines show their points, so that gaps are visible.
    custom: dict[str, Any] = {
        "drawStyle": "line" if as_line else "bars",
        "lineWidth": 2 if as_line else 0,
        "fillOpacity": 0 if as_line else 80,
        "showPoints": "always" if as_line else "never",
        "pointSize": 4,
        "spanNulls": False,
        "stacking": {"mode": "normal" if shown.chart.row.stacked and several else "none", "group": "A"},
        "axisSoftMin": 0,
    }
    defaults = _unit(shown.measures[0], shown.units) | {"color": {"mode": "palette-classic"}, "custom": custom}
    if shown.color:
        defaults["displayName"] = f"${{__field.labels.{shown.color}}}"
        defaults["links"] = _link(shown, shown.color, f"${{__field.labels.{shown.color}:percentencode}}")
    options = {"legend": _legend(several), "tooltip": {"mode": "multi", "sort": "desc"}}
    overrides = _colored(shown) if shown.color else _named(shown)
    return {"type": "timeseries", "options": options} | _fields(defaults, overrides)


def _colored(shown: Shown) -> list[dict[str, Any]]:
    """The colours of outcomes and models, which are the same in reports and workbook."""
    return [
        _override(name, {"color": {"mode": "fixed", "fixedColor": color_of(shown.color, name)}})
        for name in KNOWN_COLORS.get(shown.color, ())
    ]


def _named(shown: Shown) -> list[dict[str, Any]]:
    """Each measure under its heading, in its unit."""
    units = shown.units
    return [_override(m, {"displayName": _name(m, units)} | _unit(m, units)) for m in shown.measures]


def _bars(shown: Shown) -> dict[str, Any]:
    several = bool(shown.color) or len(shown.measures) > 1
    defaults = _unit(shown.measures[0], shown.units) | {
        "color": {"mode": "palette-classic"},
        "custom": {"lineWidth": 0, "fillOpacity": 85, "axisSoftMin": 0},
        "links": [] if shown.joined else _link(shown, shown.axis, "${__data.fields[0]:percentencode}"),
    }
    options: dict[str, Any] = {
        "orientation": "horizontal" if shown.measures == shown.chart.x else "vertical",
        "stacking": "normal" if shown.chart.row.stacked and several and shown.adds else "none",
        "showValue": "never" if several else "auto",
        "barWidth": 0.9,
        "groupWidth": 0.7,
        "barRadius": 0,
        "xTickLabelRotation": 0,
        "xTickLabelMaxLength": 28,
        "xTickLabelSpacing": 0,
        "fullHighlight": False,
        "legend": _legend(several),
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    if not shown.color:
        return {"type": "barchart", "options": options | {"xField": shown.axis}} | _fields(defaults, _named(shown))
    drawing = {"type": "barchart", "options": options, "transformations": _pivot(shown)}
    return drawing | _fields(defaults, _colored(shown))


def _pie(shown: Shown) -> dict[str, Any]:
    measure = shown.measures[0]
    defaults = _unit(measure, shown.units) | {
        "color": {"mode": "palette-classic"},
        "links": _link(shown, shown.axis, "${__data.fields[0]:percentencode}"),
    }
    options = {
        "pieType": "donut",
        "reduceOptions": {"values": True, "calcs": ["lastNotNull"], "fields": f"/^{measure}$/", "limit": 25},
        "displayLabels": ["percent"],
        "legend": {"displayMode": "table", "placement": "right", "showLegend": True, "values": ["value"], "calcs": []},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return {"type": "piechart", "options": options} | _fields(defaults)


def _pivot(shown: Shown) -> list[dict[str, Any]]:
    """One row per category and one column per colour; the longest bar first if the colours add up."""
    steps = [_grouped(shown.color, shown.axis, shown.measures[0])]
    if shown.adds:
        total = "Total of the row"
        steps += [
            {"id": "calculateField", "options": {"mode": "reduceRow", "reduce": {"reducer": "sum"}, "alias": total}},
            {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": total, "desc": True}]}},
            _organized({}, {total: True}),
        ]
    return steps


def _grouped(column: str, row: str, value: str) -> dict[str, Any]:
    options = {"columnField": column, "rowField": row, "valueField": value, "emptyValue": "null"}
    return {"id": "groupingToMatrix", "options": options}


def _organized(order: Mapping[str, int], excluded: Mapping[str, bool] | None = None) -> dict[str, Any]:
    options = {"indexByName": dict(order), "excludeByName": dict(excluded or {}), "renameByName": {}}
    return {"id": "organize", "options": options}


_BUILDERS: dict[str, Callable[[Shown], dict[str, Any]]] = {
    "stat": _stat,
    "table": _table,
    "matrix": _matrix,
    "states": _states,
    "timeseries": _timeseries,
    "bars": _bars,
    "pie": _pie,
}
