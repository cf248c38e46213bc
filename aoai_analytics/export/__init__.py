"""What the kit gives to other tools, as text: Kusto databases, workbooks, alerts, dashboards, summary rules.

What is made of the queries and committed beside them stands in ``COMMITTED``: ``aoai export all`` and ``make exports``
write these files, and a test holds them current.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

#: File below ``setup_scripts/`` -> where its text is made: ``module:function`` of this room, called without arguments.
COMMITTED: Mapping[str, str] = {
    "exports/functions.json": "functions:functions_json",
    "exports/query-pack.json": "query_pack:query_pack_json",
    "exports/summary-rules.json": "summary_rules:rollup_json",
    "infra/alert-rules.bicep": "alerts:alerts_bicep",
    "exports/workbook.json": "workbook:workbook_json",
    "exports/grafana-azure-monitor.json": "grafana:azure_monitor_dashboard",
    "exports/grafana-azure-data-explorer.json": "grafana:azure_data_explorer_dashboard",
    "infra/modules/workbook.bicep": "workbook:module_bicep",
}


def made(file: str) -> str:
    """The text of a file of ``COMMITTED`` as the queries and prices now make it."""
    module, _, function = COMMITTED[file].partition(":")
    text: str = getattr(import_module(f".{module}", __package__), function)()
    return text
