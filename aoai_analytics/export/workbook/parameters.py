"""The workbook's parameters: set by readers, set by clicks, and hidden ones with KQL."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...config import own_budgets
from ..embedding import ALL, FILTER_LABELS, FILTERS, OWN_FILTERS, filters, own_values
from .parts import Parts, coded, decoded, encoded

#: Ids are derived from names, so that the same workbook always has the same text.
NAMESPACE = uuid.UUID("b0e7e3ac-52ab-4e0c-9c19-3f0bb9b1f0a4")
TEXT, CHOICE, TIME, RESOURCE = 1, 2, 4, 5
LOGS = {"queryType": 0, "resourceType": "microsoft.operationalinsights/workspaces"}
#: For a query that sets its own time range, the service adds none ("Set in query" in the editor).
IN_QUERY = {"timeContext": {"durationMs": 0}}
WORKSPACE = {**LOGS, "crossComponentResources": ["{Workspace}"]}
#: The workspace selected initially: the first one; modules/workbook.bicep sets its own.
FIRST_WORKSPACE = "value::1"
#: Maximum items in a drop-down (Documentation/DataSources/Limits.md of the service's repository: 1,000 items).
_ITEMS = 999
_HOUR = 3_600_000
_RANGES = [_HOUR, 4 * _HOUR, 12 * _HOUR] + [days * 24 * _HOUR for days in (1, 2, 3, 7, 14, 30, 60, 90)]
_ZONES = (
    "UTC",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Athens",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Sydney",
)


@dataclass(frozen=True)
class Given:
    """A parameter that a reader fills in: its label, default and description, and the KQL of its value."""

    label: str
    about: str
    kql: str
    value: str = ""
    multi_line: bool = False
    #: A pattern that the text must match, and the message if it does not.
    rule: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Fixed:
    """A parameter of fixed values with their labels, the first by default, and the KQL of the chosen one."""

    label: str
    options: tuple[tuple[str, str], ...]
    kql: str
    about: str = ""

    @property
    def default(self) -> str:
        return self.options[0][0]


def _lines(name: str) -> str:
    return f'split(replace_regex("{{{name}:escapejson}}", @"[\\r\\n]+", ";"), ";")'


def _text(name: str) -> str:
    return f'"{{{name}:escapejson}}"'


#: Text parameters. A reader's input goes into a string literal, escaped as JSON, which KQL reads the same way.
TEXTS: Mapping[str, Given] = {
    "OwnPrices": Given(
        "Own prices",
        "One per line (or separated by semicolons): MODEL, DIRECTION, USD per 1M tokens; DIRECTION is prompt, "
        "cached-prompt or completion. Optional fourth word: the scope, global (default), data-zone or regional.",
        "",
        multi_line=True,
    ),
    "Discount": Given(
        "Discount on list prices, %",
        "Applies to every price in the book, but not to your own prices.",
        "",
        "0",
        rule=(r"^\s*\d{1,2}(\.\d+)?\s*$", "A number from 0 to 99.9"),
    ),
    "Budgets": Given(
        "Budgets, USD per month",
        "One per line (or separated by semicolons): SUBSCRIPTION=120.50, or (all)=900 for the total.",
        _lines("Budgets"),
        multi_line=True,
    ),
    "Commitments": Given(
        "Commitments, USD for the time range",
        "One per line (or separated by semicolons): ACCOUNT/DEPLOYMENT=5200.00",
        _lines("Commitments"),
        multi_line=True,
    ),
    "Quotas": Given(
        "Quotas, tokens/min",
        "One per line (or separated by semicolons): ACCOUNT/DEPLOYMENT=450000",
        _lines("Quotas"),
        multi_line=True,
    ),
    "Ptus": Given(
        "PTUs",
        "One per line (or separated by semicolons): ACCOUNT/DEPLOYMENT=100",
        _lines("Ptus"),
        multi_line=True,
    ),
    "FromModel": Given("Model to replace", "For example gpt-4o; empty for all.", _text("FromModel")),
    "ToModel": Given("Model instead", "For example gpt-5.4-mini; empty for the same.", _text("ToModel")),
    "ToScope": Given("Scope instead", "global, data-zone or regional; empty for the same.", _text("ToScope")),
    "SearchText": Given("Search for", "Phrase in a prompt or response; empty for all.", _text("SearchText")),
    "SearchUser": Given("User", "As shown in Top users; empty for all.", _text("SearchUser")),
    "SearchModel": Given("Model", "For example gpt-4o; empty for all.", _text("SearchModel")),
    "Slo": Given(
        "Target: % of requests that succeed",
        "Defines the error budget.",
        'todouble("{Slo:escapejson}")',
        "99.0",
        rule=(r"^\s*\d{1,2}(\.\d+)?\s*$", "A number from 0 to 99.9"),
    ),
}
CHOICES: Mapping[str, Fixed] = {
    "CountGateway": Fixed(
        "Requests throttled by the gateway",
        (("false", "do not count"), ("true", "count as failed")),
        "{CountGateway}",
        "Whether they count as failed.",
    ),
    "ToTier": Fixed(
        "Service tier instead",
        tuple((tier, tier) for tier in ("batch", "flex", "priority", "default")),
        '"{ToTier}"',
    ),
}
#: The workbook's KQL for a query parameter with this name, in every tile.
EVERYWHERE = {"step": "{TimeRange:grain}", "timeZone": '"{TimeZone}"'}


def value_kql(name: str) -> str:
    """The KQL that passes the workbook's parameter *name* to a query's parameter."""
    if name in TEXTS:
        return TEXTS[name].kql
    if name in CHOICES:
        return CHOICES[name].kql
    return decoded(name)


def top(parts: Parts) -> list[dict[str, Any]]:
    """The parameter steps at the top: the hidden ones first, complete only after all tiles are built."""
    boxes = [_own_filter(name) if name in OWN_FILTERS else _filter(name, parts) for name in filters()]
    zones = tuple((zone, zone) for zone in _ZONES)
    return [
        step("hidden", _hidden(parts)),
        step("general", [_workspace(), _time_range(), _choice("TimeZone", "Time zone of days", zones), _prompts()]),
        step("filters", boxes, style="pills"),
    ]


def tables_there() -> dict[str, Any]:
    """A hidden parameter that names the log tables with records; empty if there are none, or none are readable."""
    tables = ("ApiManagementGatewayLogs", "ApiManagementGatewayLlmLog")
    found = ", ".join(
        f'({table} | where TimeGenerated > ago(90d) | take 1 | project Table = "{table}")' for table in tables
    )
    kql = (
        f"union isfuzzy=true (datatable(Table: string) []), {found}\n"
        '| summarize Tables = make_set(Table)\n| project Tables = strcat_array(Tables, " ")'
    )
    return step(
        "what is there",
        [_base("TablesThere", TEXT) | {"isHiddenWhenLocked": True, "query": kql, **WORKSPACE, **IN_QUERY}],
    )


def fields(name: str, names: Iterable[str]) -> dict[str, Any]:
    """A step of parameters that a reader fills in."""
    return step(name, [_field(each) for each in names])


def step(name: str, parameters: list[dict[str, Any]], style: str = "above") -> dict[str, Any]:
    return {
        "type": 9,
        "content": {"version": "KqlParameterItem/1.0", "parameters": parameters, "style": style, **WORKSPACE},
        "name": f"{name} parameters",
    }


def _base(name: str, kind: int, label: str = "") -> dict[str, Any]:
    return {
        "id": str(uuid.uuid5(NAMESPACE, name)),
        "version": "KqlParameterItem/1.0",
        "name": name,
        "label": label or name,
        "type": kind,
    }


def _hidden(parts: Parts) -> list[dict[str, Any]]:
    """Text parameters with parts of queries, in the order queries need them."""
    return [_base(name, TEXT) | {"isHiddenWhenLocked": True, "value": kql} for name, kql in parts.taken.items()]


def _workspace() -> dict[str, Any]:
    return _base("Workspace", RESOURCE, "Workspace") | {
        "description": "The Log Analytics workspace that the gateway logs to.",
        "isRequired": True,
        "query": "where type =~ 'microsoft.operationalinsights/workspaces'\n| project id",
        "crossComponentResources": ["value::all"],
        "typeSettings": {"additionalResourceOptions": [], "showDefault": False},
        "queryType": 1,
        "resourceType": "microsoft.resourcegraph/resources",
        "value": FIRST_WORKSPACE,
    }


def _time_range() -> dict[str, Any]:
    return _base("TimeRange", TIME, "Time range") | {
        "isRequired": True,
        "typeSettings": {"selectableValues": [{"durationMs": each} for each in _RANGES], "allowCustom": True},
        "value": {"durationMs": 7 * 24 * _HOUR},
    }


def _prompts() -> dict[str, Any]:
    about = "Needs access to the log tables, and works only if texts are logged."
    return _choice("Prompts", "Show prompts and responses", (("hidden", "hidden"), ("shown", "shown")), about)


def _choice(name: str, label: str, options: Iterable[tuple[str, str]], about: str = "") -> dict[str, Any]:
    """A drop-down with fixed values; the first is the default."""
    items = [{"value": value, "label": text} for value, text in options]
    return (
        _base(name, CHOICE, label)
        | ({"description": about} if about else {})
        | {
            "isRequired": True,
            "typeSettings": {"additionalResourceOptions": [], "showDefault": False},
            "jsonData": json.dumps(items),
            "value": items[0]["value"],
        }
    )


def _field(name: str) -> dict[str, Any]:
    if name in CHOICES:
        choice = CHOICES[name]
        return _choice(name, choice.label, choice.options, choice.about)
    given = TEXTS[name]
    value = own_budgets("\n") if name == "Budgets" else given.value
    found = _base(name, TEXT, given.label) | {"description": given.about, "value": value}
    settings: dict[str, Any] = {}
    if given.multi_line:
        settings |= {"multiLineText": True, "editorLanguage": "text", "multiLineHeight": 3}
    if given.rule[0]:
        settings["paramValidationRules"] = [{"regExp": given.rule[0], "match": True, "message": given.rule[1]}]
    return found | ({"typeSettings": settings} if settings else {})


def _filter(name: str, parts: Parts) -> dict[str, Any]:
    """A drop-down of the names in the range, the busiest first; the value is the encoded name."""
    kql = (
        f"AoaiRequestsLogged\n| extend Name = {FILTERS[name]}\n| summarize Requests = count() by Name\n"
        f"| top {_ITEMS} by Requests desc\n"
        f'| project value = {coded("Name")}, label = iff(isempty(Name), "(none)", Name)\n'
    )
    return _base(name, CHOICE, FILTER_LABELS[name]) | {
        "isRequired": True,
        "multiSelect": True,
        "quote": "'",
        "delimiter": ",",
        "query": parts.embedded(kql, filtered=False),
        "typeSettings": {"additionalResourceOptions": ["value::all"], "selectAllValue": ALL, "showDefault": False},
        **WORKSPACE,
        **IN_QUERY,
        "value": ["value::all"],
    }


def _own_filter(name: str) -> dict[str, Any]:
    """A drop-down of the names that ``aoai.toml`` maps callers to; the value is the encoded name."""
    names = [*own_values(OWN_FILTERS[name])[:_ITEMS], ""]
    return _base(name, CHOICE, FILTER_LABELS[name]) | {
        "isRequired": True,
        "multiSelect": True,
        "quote": "'",
        "delimiter": ",",
        "jsonData": json.dumps([{"value": encoded(each), "label": each or "(none)"} for each in names]),
        "typeSettings": {"additionalResourceOptions": ["value::all"], "selectAllValue": ALL, "showDefault": False},
        "value": ["value::all"],
    }
