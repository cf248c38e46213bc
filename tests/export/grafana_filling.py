"""A panel's query as Grafana sends it: variables put in by its front end, then macros by the data source's server.

Written from what each documents and does: Grafana's variable syntax (the pattern, ``:raw``, ``:json``,
``:percentencode``, "All" with a custom value, constants searched again), the macros of the Azure Monitor data source
(``pkg/tsdb/azuremonitor/macros``) and of Azure Data Explorer's (``pkg/azuredx/models/macro.go``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from aoai_analytics.engines.kql.parameters import declared
from aoai_analytics.export.workbook.parts import STORED

VARIABLE = re.compile(r"\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.([^:^}]+))?(?::([^}]+))?\}", re.ASCII)
_AZURE_MACRO = re.compile(r"\$__(timeFilter|timeFrom|timeTo|interval|contains|escapeMulti)(?:\(([^)]*)\))?")
_KUSTO_MACRO = re.compile(r"\$__(timeFilter|timeFrom|timeTo|timeInterval)(\([a-zA-Z0-9_\s.-]*?\))?")


@dataclass(frozen=True)
class Picked:
    """What a reader picked: the time shown, the values of filters (without: All), and the text boxes' texts."""

    start: datetime
    end: datetime
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    #: Leave out the constants that define what a lake stores.
    stored: bool = False


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every panel and row, those inside closed rows too."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", ())


def asked(target: Mapping[str, Any]) -> str:
    """The text of a query as it is stored."""
    text: str = target["azureLogAnalytics"]["query"] if "azureLogAnalytics" in target else target["query"]
    return text


def filled(dashboard: Mapping[str, Any], target: Mapping[str, Any], picked: Picked, interval: str = "1h") -> str:
    """The query that reaches the service; *interval* is what Grafana gives the panel as ``$__interval``."""
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}

    def value(name: str, form: str) -> str | None:
        if name == "__interval":
            return interval
        variable = variables.get(name)
        if variable is None:
            return None
        if variable["type"] == "constant":
            defines = name.removeprefix("Kql_").split("__")[0]
            return "" if picked.stored and left_out(defines) else interpolated(variable["query"])
        if variable["type"] in ("textbox", "custom"):
            assert form == "percentencode"
            return quote(picked.texts.get(name, variable["current"]["value"]), safe="")
        if name not in picked.choices:
            return interpolated(variable["allValue"])
        assert form == "json", f"{name} is put in as {form or 'glob'}"
        return json.dumps(list(picked.choices[name]), ensure_ascii=False, separators=(",", ":"))

    def interpolated(text: str) -> str:
        def put(match: re.Match[str]) -> str:
            found = value(match[1] or match[2] or match[4], match[3] or match[6] or "")
            return match[0] if found is None else found

        return VARIABLE.sub(put, text)

    return _macros(interpolated(asked(target)), "azureLogAnalytics" in target, picked)


def left_out(piece: str) -> bool:
    return piece.startswith("LogsAround") or piece in STORED


def _macros(text: str, azure: bool, picked: Picked) -> str:
    def put(match: re.Match[str]) -> str:
        moment = {"timeFrom": picked.start, "timeTo": picked.end}[match[1]].astimezone(UTC)
        if azure:
            return f"datetime('{moment:%Y-%m-%dT%H:%M:%SZ}')"
        return f"datetime({moment:%Y-%m-%dT%H:%M:%S.%f}".rstrip("0").rstrip(".") + "Z)"

    return (_AZURE_MACRO if azure else _KUSTO_MACRO).sub(put, text)


def literals_first(kql: str) -> str:
    """*kql* with its leading lets of a literal before the others: the local engine finds ``take n``'s among those."""
    lines = kql.split("\n")
    leading = next(n for n, line in enumerate(lines) if not line.startswith("let "))
    return "\n".join(sorted(lines[:leading], key=lambda line: not declared(line)) + lines[leading:])
