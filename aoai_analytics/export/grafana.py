"""Grafana dashboards of the query library, for the Azure Monitor and the Azure Data Explorer data source.

The tabs and tiles are ``layout``'s, as in the workbook; ``grafana_panels`` says how to draw a tile. Every panel queries
the raw log tables: the parts of the semantic layer that its query needs are hidden constants, each defined once.

How Grafana substitutes values, and why the text is as it is (sources: Grafana's documentation of variable syntax; npm
``@grafana/scenes``, which interpolates; the data sources' own code in grafana/grafana ``azuremonitor`` and
grafana/azure-data-explorer-datasource):

- ``${name:json}`` writes the values chosen as a JSON array, whose escapes KQL's ``dynamic()`` reads too. The plugins'
  own quoting, ``:singlequote``, ``:sqlstring`` and ``$__escapeMulti``, leaves a quote or a backslash of the value
  unescaped, and names in logs are whatever a caller sent. "All" writes its custom value verbatim, so that is ``["*"]``.
- A single value chosen through a link is an array too, as long as the stored choice is one (``"current"`` below).
- ``${name:raw}`` writes a constant as it is. A constant's text is itself searched for ``$name`` and ``${name}``: KQL's
  ``$left`` and ``$right`` stay, because no variable has these names.
- ``$__timeFrom`` and ``$__timeTo`` are written by the data sources' servers after that, as datetimes; Azure Monitor
  cuts them to whole seconds. ``$__interval`` is written before, as a KQL timespan (``6h``), never below a panel's own.
- ``dashboardTime`` of the Azure Monitor data source must be off: the service would cut every table to the time shown,
  but estimates need whole months. The query itself filters by the time shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..config import own_budgets
from ..dimensions import own_functions
from ..engines.kql.functions import definitions, names_in
from ..errors import UnknownName
from ..format.labels import NONE
from ..library import Query, library
from ..library.queries import own_query
from ..prices import own_prices, price_functions
from .embedding import ALL, FILTER_LABELS, FILTERS, OWN_FILTERS, Piece, embed, filters
from .grafana_choices import own_choice
from .grafana_panels import panel
from .grafana_queries import CHOICES, Shown
from .workbook.layout import TABS, Tile

#: Grafana's dashboard width.
GRID = 24
#: The dashboards' own schema; newer versions of Grafana migrate it when they open it.
SCHEMA = 41
#: From this version on, Grafana supports constants, "Grouping to matrix" and the panels' options as used here.
GRAFANA = "11.0.0"
_HEIGHTS = {"stat": 5, "table": 9, "timeseries": 9, "states": 9, "bars": 10, "pie": 9, "matrix": 9}
_TEXT_HEIGHT = 4
#: Maximum points in a time chart: Grafana widens the step beyond that.
_POINTS = 400
_MOST_CHOICES = 1000


#: A query parameter that readers set in a text box: the box's name, label, description and default, and the KQL of
#: its value, with ``{}`` for the text. Percent-encoded, no text can leave its quotes.
_TEXT = 'url_decode("${{{}:percentencode}}")'
_LIST = (
    'toscalar(print Given = split({}, ",") | mv-expand Given to typeof(string) | where isnotempty(Given)'
    ' | summarize make_list(trim(@"\\s+", Given)))'
)
BOXES: dict[str, tuple[str, str, str, str, str]] = {
    "slo": ("Slo", "Target, %", "Share of requests that should succeed", "99", "coalesce(todouble({}), 99.0)"),
    "quotas": ("Quotas", "Quotas", "Tokens/min: ACCOUNT/DEPLOYMENT=450000, …", "", _LIST),
    "ptus": ("Ptus", "PTUs", "Provisioned throughput units: ACCOUNT/DEPLOYMENT=100, …", "", _LIST),
    "budgets": ("Budgets", "Budgets", "USD per month: SUBSCRIPTION=120.50, (all)=900, …", "", _LIST),
    "commitments": ("Commitments", "Commitments", "USD for the time range: ACCOUNT/DEPLOYMENT=5200, …", "", _LIST),
    "fromModel": ("FromModel", "What if: model to replace", "For example gpt-4o; empty for all", "", "{}"),
    "toModel": ("ToModel", "What if: model instead", "For example gpt-5.4-mini; empty for the same", "", "{}"),
    "toTier": ("ToTier", "What if: tier instead", "batch, flex, priority or default", "batch", "{}"),
}
COUNT_GATEWAY = "CountGateway"
_ONE_USER = (
    "Choose one user in the filter **User**, or follow the link of a name in a table of users. If you choose several, "
    "this shows the first."
)
#: Text beside a view here, where the workbook's text mentions clicks. Other views use the layout's text.
_TEXTS = {
    "users": "A user is the end user in the request, else the gateway user, else the caller's address.",
    "prompts": "Which prompts and responses were logged. This dashboard does not contain the texts: a data source uses "
    "one identity for all its readers. The workbook shows them to readers with access to the log tables; so do "
    "`aoai query` and the reports.",
    "cost": "USD at list prices, or at those in your `aoai.toml` at export. A model without a price is *unpriced*, "
    "not free: its requests are in no total, so a cost with unpriced requests is a lower bound.",
    "prices": "The price book in this dashboard. To change prices, set them in `aoai.toml` and export again.",
    "capacity": "Peak demand per deployment. Enter its quota or provisioned throughput units (PTUs) above to see the "
    "utilization.",
}
PRICES = own_query(
    """// title: Prices in force
// question: What did 1M tokens cost at the end of the time range?
// unit: Prompt=USD, CachedPrompt=USD, Completion=USD
AoaiPrices
| where From <= RangeEnd and Tier == "default" and Above == 0
| summarize arg_max(From, PricePerMillion) by Model, Version, Scope, Regions, Direction
| summarize
    Prompt = maxif(PricePerMillion, Direction == "prompt"),
    CachedPrompt = maxif(PricePerMillion, Direction == "cached-prompt"),
    Completion = maxif(PricePerMillion, Direction == "completion")
    by Model, Version, Scope, Regions
| sort by Model asc, Version asc, Scope asc, Regions asc
"""
)


@dataclass(frozen=True)
class DataSource:
    """A data source of the dashboard: its plugin, and the variable that locates the tables."""

    name: str
    title: str
    plugin: str
    plugin_name: str
    place: str
    uid: str


DATA_SOURCES = {
    source.name: source
    for source in (
        DataSource(
            "azure-monitor",
            "Log Analytics",
            "grafana-azure-monitor-datasource",
            "Azure Monitor",
            "Workspace",
            "aoai-gateway-log-analytics",
        ),
        DataSource(
            "azure-data-explorer",
            "Azure Data Explorer",
            "grafana-azure-data-explorer-datasource",
            "Azure Data Explorer Datasource",
            "Database",
            "aoai-gateway-azure-data-explorer",
        ),
    )
}


def grafana_dashboard(data_source: str = "azure-monitor") -> str:
    """The dashboard for *data_source* (a name of ``DATA_SOURCES``) as JSON text. Raises UnknownName."""
    if data_source not in DATA_SOURCES:
        raise UnknownName(f"unknown data source '{data_source}'; use one of {', '.join(DATA_SOURCES)}")
    return json.dumps(_dashboard(DATA_SOURCES[data_source]), ensure_ascii=False, indent=1) + "\n"


def azure_monitor_dashboard() -> str:
    """The dashboard for a Log Analytics workspace."""
    return grafana_dashboard("azure-monitor")


def azure_data_explorer_dashboard() -> str:
    """The dashboard for a database of Azure Data Explorer or an Eventhouse."""
    return grafana_dashboard("azure-data-explorer")


def exported(query: Query) -> bool:
    """Whether a query can be a panel: not if it shows prompts or its result is computed outside KQL."""
    return query.header.get("shows") != "prompts" and "then" not in query.header


def query_of(tile: Tile) -> Query:
    """The query of a tile: from the library, or the list of prices."""
    return PRICES if tile.query == "prices" else library().get(tile.query)


def _dashboard(source: DataSource) -> dict[str, Any]:
    pieces = _Pieces(_functions())
    choices = [own_choice(name) if name in OWN_FILTERS else _choice(source, name, pieces) for name in filters()]
    panels = _rows(source, pieces)
    types = sorted({shown["type"] for row in panels for shown in (row, *row.get("panels", ()))} - {"row"})
    return {
        "__inputs": [],
        "__requires": [
            {"type": "grafana", "id": "grafana", "name": "Grafana", "version": GRAFANA},
            {"type": "datasource", "id": source.plugin, "name": source.plugin_name, "version": "1.0.0"},
            *({"type": "panel", "id": name, "name": name, "version": ""} for name in types),
        ],
        "uid": source.uid,
        "title": f"Azure OpenAI gateway ({source.title})",
        "description": "Token usage, cost and reliability by caller and model, from the gateway's logs.",
        "tags": ["azure-openai", "api-management"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "fiscalYearStartMonth": 0,
        # Days, weeks and months in queries are in UTC.
        "timezone": "utc",
        "weekStart": "monday",
        "time": {"from": "now-7d", "to": "now"},
        "timepicker": {},
        "refresh": "",
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": [*_places(source), *choices, *boxes(), *pieces.variables()]},
        "panels": panels,
    }


class _Pieces:
    """Shared parts of the semantic layer: each text once, as a hidden constant."""

    def __init__(self, functions: Mapping[str, str]) -> None:
        self._functions = functions
        self._names: dict[str, str] = {}

    def query(self, kql: str, chosen: Mapping[str, str] | None = None, values: Mapping[str, str] | None = None) -> str:
        """*kql* limited to the time shown and the choices, with the constants it needs by name."""
        query = embed(
            kql, start="$__timeFrom", end="$__timeTo", chosen=chosen, values=values, functions=self._functions
        )
        held = "".join(f"${{{self._name(piece)}:raw}}\n" for piece in query.pieces)
        return query.given + held + query.question

    def variables(self) -> list[dict[str, Any]]:
        return [
            {"type": "constant", "name": name, "label": "", "hide": 2, "skipUrlSync": True, "query": text}
            for text, name in self._names.items()
        ]

    def _name(self, piece: Piece) -> str:
        """The constant that holds *piece*; a variant for other filters gets a number."""
        if piece.text not in self._names:
            taken = sum(name.split("__")[0] == f"Kql_{piece.name}" for name in self._names.values())
            self._names[piece.text] = f"Kql_{piece.name}" + (f"__{taken + 1}" if taken else "")
        return self._names[piece.text]


def _functions() -> Mapping[str, str]:
    own = own_prices()
    return definitions({**own_functions(), **price_functions(own.book, own.deployments)})


def _places(source: DataSource) -> list[dict[str, Any]]:
    """The variables that locate the tables."""
    data_source = {
        "type": "datasource",
        "name": "DataSource",
        "label": "Data source",
        "query": source.plugin,
        "hide": 0,
        "refresh": 1,
        "multi": False,
        "includeAll": False,
        "options": [],
        "regex": "",
    }
    if source.name == "azure-monitor":
        subscriptions = {"queryType": "Azure Subscriptions", "refId": "A"}
        workspaces = {"queryType": "Azure Workspaces", "subscription": "$AzureSubscription", "refId": "A"}
        return [
            data_source,
            _query_variable(source, "AzureSubscription", "Azure subscription", subscriptions, 1),
            _query_variable(source, source.place, "Workspace", workspaces, 1),
        ]
    databases = {"queryType": "Databases", "clusterUri": "", "database": "", "query": "", "refId": "A"}
    return [data_source, _query_variable(source, source.place, "Database", databases, 1)]


def _query_variable(source: DataSource, name: str, label: str, query: dict[str, Any], refresh: int) -> dict[str, Any]:
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": _reference(source),
        "query": query,
        "hide": 0,
        "refresh": refresh,
        "sort": 0,
        "multi": False,
        "includeAll": False,
        "options": [],
        "regex": "",
    }


def _choice(source: DataSource, name: str, pieces: _Pieces) -> dict[str, Any]:
    """A filter's variable; its values are from the time shown, the most frequent first."""
    kql = (
        f"AoaiRequestsLogged\n| extend Name = {FILTERS[name]}\n| summarize Requests = count() by Name\n"
        f'| top {_MOST_CHOICES} by Requests desc\n| project Name = iff(isempty(Name), "{NONE}", Name)\n'
    )
    query = _target(source, pieces.query(kql), "table")
    # Grafana reruns it whenever the time shown changes (refresh 2).
    variable = _query_variable(source, name, FILTER_LABELS[name], query, 2)
    chosen = {"text": ["All"], "value": ["$__all"]}
    return variable | {"multi": True, "includeAll": True, "allValue": json.dumps([ALL]), "current": chosen}


def _chosen(name: str) -> str:
    """The array of choices for a filter; the name for "none" stands for the empty name."""
    return (
        f"toscalar(print Name = dynamic(${{{name}:json}}) | mv-expand Name to typeof(string)"
        f' | summarize make_list(iff(Name == "{NONE}", "", Name)))'
    )


def boxes() -> list[dict[str, Any]]:
    """The variables that a reader sets for some panels' parameters."""
    boxes = [
        {
            "type": "textbox",
            "name": name,
            "label": label,
            "description": about,
            "query": value,
            "current": {"text": value, "value": value},
            "hide": 0,
            "options": [],
        }
        for name, label, about, default, _ in BOXES.values()
        for value in [own_budgets() if name == "Budgets" else default]
    ]
    options = [("do not count", "false", True), ("count as failed", "true", False)]
    count = {
        "type": "custom",
        "name": COUNT_GATEWAY,
        "label": "Throttled by the gateway",
        "description": "Whether requests that the gateway's own limits refuse count as failed",
        "query": ", ".join(f"{text} : {value}" for text, value, _ in options),
        "current": {"text": options[0][0], "value": options[0][1]},
        "options": [{"text": text, "value": value, "selected": first} for text, value, first in options],
        "hide": 0,
        "multi": False,
        "includeAll": False,
    }
    return [*boxes, count]


def _reference(source: DataSource) -> dict[str, str]:
    return {"type": source.plugin, "uid": "${DataSource}"}


def _target(source: DataSource, kql: str, form: str) -> dict[str, Any]:
    """A query as the data source's plugin stores it."""
    if source.name == "azure-monitor":
        return {
            "refId": "A",
            "datasource": _reference(source),
            "queryType": "Azure Log Analytics",
            "azureLogAnalytics": {
                "query": kql,
                "resources": [f"${source.place}"],
                "resultFormat": form,
                "dashboardTime": False,
                "timeColumn": "TimeGenerated",
            },
        }
    return {
        "refId": "A",
        "datasource": _reference(source),
        "queryType": "KQL",
        "query": kql,
        "database": f"${source.place}",
        "clusterUri": "",
        "querySource": "raw",
        "rawMode": True,
        "resultFormat": form,
    }


def _rows(source: DataSource, pieces: _Pieces) -> list[dict[str, Any]]:
    """One row per view; all but the first are closed, and a closed row runs no queries until it is opened."""
    shown: list[dict[str, Any]] = []
    number, y = 1, 0
    for title, text, tiles in _views():
        inside = list(_view(source, text, tiles, pieces, y + 1))
        row = {"type": "row", "title": title, "gridPos": {"h": 1, "w": GRID, "x": 0, "y": y}, "id": number}
        for offset, one in enumerate(inside, 1):
            one["id"] = number + offset
        number += len(inside) + 1
        if not shown:
            shown += [row | {"collapsed": False, "panels": []}, *inside]
            y = max(one["gridPos"]["y"] + one["gridPos"]["h"] for one in inside)
        else:
            shown.append(row | {"collapsed": True, "panels": inside})
            y += 1
    return shown


def _views() -> Iterator[tuple[str, str, list[Tile]]]:
    """Title, text and tiles of each row: a view of the layout, or the details that a click in the workbook opens."""
    for tab in TABS:
        about = _TEXTS.get(tab.name, tab.text)
        for view in tab.views:
            title = tab.title if len(tab.views) == 1 else f"{tab.title}: {view.title[:1].lower()}{view.title[1:]}"
            own = _TEXTS.get(view.name, view.text)
            tiles = [tile for tile in view.tiles if exported(query_of(tile))]
            if tiles:
                yield title, "\n\n".join(filter(None, (about, own))), tiles
            for _, _, opened in view.opens:
                one_user = [tile for tile in opened if exported(query_of(tile))]
                if one_user:
                    yield f"{tab.title}: one user", _ONE_USER, one_user


def _view(source: DataSource, text: str, tiles: Iterable[Tile], pieces: _Pieces, y: int) -> Iterator[dict[str, Any]]:
    """A text panel, then the tiles from left to right, with the layout's widths."""
    yield {
        "type": "text",
        "title": "",
        "gridPos": {"h": _TEXT_HEIGHT, "w": GRID, "x": 0, "y": y},
        "options": {"mode": "markdown", "content": text},
        "fieldConfig": {"defaults": {}, "overrides": []},
        "transparent": True,
    }
    x, y, height = 0, y + _TEXT_HEIGHT, 0
    for tile in tiles:
        query = query_of(tile)
        shown = Shown(query, tile.show, tile.bars, tile.heats, _links(source, query))
        width = max(round(tile.width * GRID / 100), 1)
        if x + width > GRID:
            x, y, height = 0, y + height, 0
        tall = _HEIGHTS[shown.how]
        yield _panel(source, shown, pieces) | {"gridPos": {"h": tall, "w": width, "x": x, "y": y}}
        x, height = x + width, max(height, tall)


def _panel(source: DataSource, shown: Shown, pieces: _Pieces) -> dict[str, Any]:
    parameters = shown.query.parameters
    chosen = {name: _chosen(name) for name in filters()}
    values = {name: BOXES[name][4].replace("{}", _TEXT.format(BOXES[name][0])) for name in parameters if name in BOXES}
    drawing = panel(shown)
    if "countGatewayThrottling" in parameters:
        values["countGatewayThrottling"] = f'{_TEXT.format(COUNT_GATEWAY)} == "true"'
    if "step" in parameters:
        values["step"] = "$__interval"
        drawing |= {"interval": parameters["step"].default, "maxDataPoints": _POINTS}
    if "user" in parameters:
        # These compare one user with everyone: the choice of users is their parameter, not a filter.
        del chosen["Users"]
        values["user"] = "tostring(dynamic(${Users:json})[0])"
    target = _target(source, pieces.query(shown.query.text, chosen, values) + shown.ending, shown.result_format)
    return drawing | {"datasource": _reference(source), "targets": [target]}


def _links(source: DataSource, query: Query) -> dict[str, str]:
    """For each column with choices, the link to this dashboard with the value for ``{}`` chosen, all else unchanged."""
    places = [variable["name"] for variable in _places(source)]
    links = {}
    for column in sorted(CHOICES.keys() & names_in(query.text)):
        variable = CHOICES[column]
        kept = "&".join(f"${{{name}:queryparam}}" for name in (*places, *filters()) if name != variable)
        links[column] = f"/d/${{__dashboard.uid}}?${{__url_time_range}}&{kept}&var-{variable}={{}}"
    return links
