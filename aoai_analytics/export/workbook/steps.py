"""Conversion of the layout to the workbook's steps."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from ...charts import parse_chart
from ...library import library
from ...library.privacy import SHOWS_PROMPTS
from ...library.queries import Query, own_query
from .kpis import folded
from .layout import TABS
from .parameters import EVERYWHERE, IN_QUERY, NAMESPACE, WORKSPACE, fields, value_kql
from .parts import Parts, coded
from .places import CONVERSATION, Tab, Tile, View
from .visuals import HEAT, chart_settings, columns_named, grid_settings, label_of, number_format, tile_settings

#: Hidden column with the encoded value that a click on a row sets.
KEY = "RowKey"
#: Time columns: bars along these are on a time axis.
TIMES = ("TimeGenerated", "Day", "Week", "Month", "Cohort")
_MEDIUM, _TINY = 0, 4
#: A grid of half a page or less omits these, so that its drawn cells are visible; an export to Excel includes them.
_NARROW = 50
_SPARED = ("PromptTokens", "CompletionTokens", "LastSeen", "LastRequest", "Subscriptions", "Callers")
_NOTHING = "No data for this time range and these filters."
# Weekdays and hours, weeks after the first: the matrix columns that are known beforehand.
_HOURS = tuple(range(24))
_WEEKS = tuple(range(13))
_WEEKDAYS = "MonTueWedThuFriSatSun"

#: Workbook queries outside the library: only here can the reader change prices.
PRICES = own_query("""// title: Prices in force
// question: What do 1M tokens cost at the end of the time range, and which of your lines are invalid?
// unit: Prompt=USD per 1M tokens, CachedPrompt=USD per 1M tokens, Completion=USD per 1M tokens
let Last = RangeEnd;
union
    (AoaiPrices
    | where From <= Last
    | where Tier == "default" and Above == 0
    | summarize arg_max(From, PricePerMillion) by Model, Version, Scope, Regions, Direction, Origin
    | summarize Prompt = maxif(PricePerMillion, Direction == "prompt"),
        CachedPrompt = maxif(PricePerMillion, Direction == "cached-prompt"),
        Completion = maxif(PricePerMillion, Direction == "completion") by Model, Version, Scope, Regions, Origin),
    (AoaiOwnPrices
    | where isnull(PricePerMillion)
    | project Model = Line, Version = "", Scope = "", Regions = "", Origin = "invalid: use MODEL, DIRECTION, USD",
        Prompt = real(null), CachedPrompt = real(null), Completion = real(null))
| project Origin, Model, Version, Scope, Regions, Prompt, CachedPrompt, Completion
| sort by Origin desc, Model asc, Version asc, Scope asc, Regions asc
""")


def query_of(tile: Tile) -> Query:
    return PRICES if tile.query == "prices" else library().get(tile.query)


def shown_as(tile: Tile) -> str:
    """``chart``, ``grid``, ``pie``, ``kpi`` or ``matrix``."""
    if tile.show:
        return tile.show
    return "grid" if parse_chart(query_of(tile).chart).kind == "table" else "chart"


def tab_group(tab: Tab, parts: Parts) -> dict[str, Any]:
    """A tab: its purpose, links to its views if it has several, and the views, of which one is open."""
    items = [text(f"{tab.name} text", tab.text)]
    parameter = f"{tab.title}View"
    several = len(tab.views) > 1
    if several:
        items.append(links(f"{tab.name} views", parameter, [(view.name, view.title) for view in tab.views]))
    for view in tab.views:
        found = group(f"{tab.name} {view.name}", _view(tab, view, parts))
        items.append(only_where(found, parameter, view.name) if several else found)
    return only_where(group(f"tab {tab.name}", items), "Tab", tab.name)


def _view(tab: Tab, view: View, parts: Parts) -> list[dict[str, Any]]:
    where = f"{tab.name} {view.name}"
    items = [text(f"{where} text", view.text)] if view.text else []
    if view.parameters:
        items.append(fields(where, view.parameters))
    items += _tiles(where, view.tiles, parts)
    for parameter, title, tiles in view.opens:
        opened = f"{where} {title}"
        if tiles:
            found = group(opened, _tiles(opened, tiles, parts))
            found["content"]["title"] = "Selected user"
            items.append(only_where_set(found, parameter))
        else:
            exchange = Tile(CONVERSATION, 100, values={"correlationId": parameter})
            items.append(only_where_set(behind_choice(opened, [tile_step(opened, exchange, parts)]), parameter))
    return items


def _tiles(where: str, tiles: Iterable[Tile], parts: Parts) -> list[dict[str, Any]]:
    """The tiles' steps; those that show prompt or response text are grouped behind the reader's choice."""
    plain: list[dict[str, Any]] = []
    texts: list[dict[str, Any]] = []
    for tile in tiles:
        (texts if query_of(tile).header.get("shows") == SHOWS_PROMPTS else plain).append(tile_step(where, tile, parts))
    return plain + ([behind_choice(f"{where} texts", texts)] if texts else [])


def behind_choice(name: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    """*items* for readers who chose to see prompt and response text; for others, a line that says it is hidden."""
    hint = text(
        f"{name} hidden",
        "Prompts and responses are hidden. Set *Show prompts and responses* at the top to see them, if you have access "
        "to the log tables. They contain other people's texts: show them only if you are entitled to.",
        "info",
    )
    return group(
        name, [only_where(hint, "Prompts", "hidden"), only_where(group(f"{name} shown", items), "Prompts", "shown")]
    )


def tile_step(where: str, tile: Tile, parts: Parts) -> dict[str, Any]:
    query, show = query_of(tile), shown_as(tile)
    values = {name: EVERYWHERE[name] for name in query.parameters if name in EVERYWHERE}
    values |= {name: value_kql(parameter) for name, parameter in tile.values.items()}
    kql = query.text
    content: dict[str, Any] = {
        "version": "KqlItem/1.0",
        "query": "",
        "size": _MEDIUM,
        "showAnalytics": True,
        "title": f"{query.title}: {query.question[0].lower()}{query.question[1:]}",
        "noDataMessage": _NOTHING,
        "noDataMessageStyle": 3,
        **IN_QUERY,
        "showExportToExcel": True,
        "exportToExcelOptions": "all",
        **WORKSPACE,
    }
    if tile.key:
        kql = kql.rstrip() + f"\n| extend {KEY} = {coded(tile.key)}\n"
        content["exportedParameters"] = [{"fieldName": KEY, "parameterName": tile.sets, "parameterType": 1}]
    if show == "kpi":
        kql = kql.rstrip() + "\n" + folded(tile.query)
        content |= {
            "size": _TINY,
            "visualization": "tiles",
            "tileSettings": tile_settings(),
            "title": query.title,
        }
    elif show == "matrix":
        kql, settings = with_matrix(kql, query), _matrix_settings(query)
        content |= {"visualization": "table", "gridSettings": settings}
    elif show == "grid":
        named = columns_named(query.text)
        spared = [name for name in _SPARED if name in named and name not in tile.bars] if tile.width <= _NARROW else []
        settings = grid_settings(
            query.text,
            query.units,
            bars=tile.bars,
            heats=tile.heats,
            hidden=[*spared, *([KEY] if tile.key else [])],
            links=("CorrelationId",),
        )
        content |= {"visualization": "table", "gridSettings": settings}
    else:
        chart = parse_chart(query.chart)
        if show == "pie":
            label = chart.y[0]
            content |= {
                "visualization": "piechart",
                "chartSettings": {
                    "xAxis": label,
                    "yAxis": list(chart.x),
                    "createOtherGroup": 8,
                    "showMetrics": True,
                    "showLegend": True,
                    "ySettings": {"numberFormatSettings": number_format(chart.x[0], query.units)},
                },
            }
        else:
            kind, settings = chart_settings(chart, query.units, TIMES)
            content |= {"visualization": kind, "chartSettings": settings}
    content["query"] = parts.embedded(kql, values)
    step = {"type": 3, "content": content, "name": f"{where} {tile.query}{' share' if show == 'pie' else ''}"}
    if tile.width < 100:
        step["customWidth"] = str(tile.width)
    return step


def with_matrix(kql: str, query: Query) -> str:
    """*kql*, which runs *query*, as a matrix: one row per y of the chart, one column per x."""
    chart = parse_chart(query.chart)
    across, down = chart.x[0], chart.y[0]
    cells = _cells(across)
    measures = ", ".join(f"{name} = maxif({chart.color}, {across} == {number})" for name, number in cells.items())
    in_order = (
        f'extend Place = indexof("{_WEEKDAYS}", {down})\n| sort by Place asc'
        if across == "Hour"
        else f"sort by {down} asc"
    )
    return f"{kql.rstrip()}\n| summarize {measures} by {down}\n| {in_order}\n| project {down}, {', '.join(cells)}\n"


def _cells(across: str) -> dict[str, int]:
    """The matrix columns, which must be known before the query runs: hours of the day, or weeks."""
    return {f"At{number:02}": number for number in (_HOURS if across == "Hour" else _WEEKS)}


def _matrix_settings(query: Query) -> dict[str, Any]:
    chart = parse_chart(query.chart)
    across, down = chart.x[0], chart.y[0]
    number = number_format(chart.color, query.units) | {"emptyValCustomText": "-"}
    cells = {"columnMatch": "^At[0-9]+$", "formatter": HEAT, "formatOptions": {"palette": "blue", "min": 0}}
    labels = [{"columnId": name, "label": str(place)} for name, place in _cells(across).items()]
    labels.append({"columnId": down, "label": f"{label_of(down, {})} / {label_of(across, {}).lower()}"})
    return {"formatters": [cells | {"numberFormat": number}], "labelSettings": labels}


def tab_links() -> dict[str, Any]:
    return links("tabs", "Tab", [(tab.name, tab.title) for tab in TABS])


def links(name: str, parameter: str, choices: list[tuple[str, str]]) -> dict[str, Any]:
    """Tabs that set *parameter*; the first is selected initially."""
    return {
        "type": 11,
        "content": {
            "version": "LinkItem/1.0",
            "style": "tabs",
            "links": [
                {
                    "id": str(uuid.uuid5(NAMESPACE, f"{name} {value}")),
                    "cellValue": parameter,
                    "linkTarget": "parameter",
                    "linkLabel": title,
                    "subTarget": value,
                    "style": "link",
                }
                for value, title in choices
            ],
        },
        "name": name,
    }


def group(name: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": 12,
        "content": {"version": "NotebookGroup/1.0", "groupType": "editable", "items": items},
        "name": name,
    }


def text(name: str, markdown: str, style: str = "") -> dict[str, Any]:
    content: dict[str, Any] = {"json": markdown}
    if style:
        content["style"] = style
    return {"type": 1, "content": content, "name": name}


def only_where(step: dict[str, Any], parameter: str, value: str) -> dict[str, Any]:
    return step | {"conditionalVisibility": {"parameterName": parameter, "comparison": "isEqualTo", "value": value}}


def only_where_set(step: dict[str, Any], parameter: str) -> dict[str, Any]:
    return step | {"conditionalVisibility": {"parameterName": parameter, "comparison": "isNotEqualTo", "value": ""}}
