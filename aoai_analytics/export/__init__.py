"""Exports for other tools, as text: Kusto databases, workbooks, alerts, dashboards, summary rules.

``COMMITTED`` lists the committed files generated from the queries: ``aoai export all`` and ``make exports``
write these files, and a test checks that they are current.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

#: File below ``setup_scripts/`` -> its generator: ``module:function`` in this package, called without arguments.
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
    """The text of a file of ``COMMITTED``, generated from the current queries and prices."""
    module, _, function = COMMITTED[file].partition(":")
    text: str = getattr(import_module(f".{module}", __package__), function)()
    return text
