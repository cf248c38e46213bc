"""Commands that set up an Azure Data Explorer or Eventhouse database for a gateway's logs and this kit's queries.

Text only: the commands create the tables, the mappings and update policies that fill them from Azure's records, and
the functions. They are idempotent: each creates or alters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..engines.kql.functions import definitions
from ..library import library
from ..schema.sources import MCP_LOG
from ..schema.table import Table
from ..schema.tables import GATEWAY_LOGS, LLM_LOG

#: Landing table of Event Hub messages, diagnostic settings' blobs and the like; emptied at once.
LANDING = "AoaiLogsRaw"
#: Diagnostic-settings category of each table's records.
CATEGORIES = {GATEWAY_LOGS.name: "GatewayLogs", LLM_LOG.name: "GatewayLlmLogs", MCP_LOG.name: "GatewayMCPLogs"}
#: The tables of a database, by name.
LOGS = {table.name: table for table in (GATEWAY_LOGS, LLM_LOG, MCP_LOG)}
_FOLDER = "AoaiAnalytics"
# Envelope members that fill a column if the record lacks it.
_ENVELOPE = {
    "TimeGenerated": "time",
    "TotalTime": "durationMs",
    "Region": "location",
    "_ResourceId": "resourceId",
    "OperationName": "operationName",
    "CorrelationId": "correlationId",
    "CallerIpAddress": "callerIpAddress",
    "IsRequestSuccess": "isRequestSuccess",
    "Category": "category",
}
_CONVERSION = {
    "string": "tostring",
    "datetime": "todatetime",
    "bool": "tobool",
    "int": "toint",
    "long": "tolong",
    "real": "toreal",
    "dynamic": "todynamic",
}
_LAST_ERROR = "LastError"


def kusto_commands(own: Mapping[str, str] | None = None) -> str:
    """All commands as one script, separated by blank lines, for ``.execute database script``.

    *own* replaces the package's functions of the same name, as ``prices.own_functions()`` does.
    """
    parts = [f".create-merge table {LANDING} (records: dynamic, record: dynamic)", _landing_mapping(), _no_retention()]
    for table in LOGS.values():
        parts += [_table(table), _export_mapping(table), _expanding(table), _update_policy(table)]
    texts = definitions(own)
    parts += [function_command(name, query.title, texts[name]) for name, query in library().functions().items()]
    return "\n\n".join(parts) + "\n"


def function_command(name: str, about: str, text: str) -> str:
    """``.create-or-alter function`` of a library function, without its file's comment lines."""
    body = "\n".join(line for line in text.strip().splitlines() if line.strip() and not line.lstrip().startswith("//"))
    return f".create-or-alter function with (folder={_text(_FOLDER)}, docstring={_text(about)}) {name}() {{\n{body}\n}}"


def _table(table: Table) -> str:
    columns = ", ".join(f"['{name}']: {kind}" for name, kind in table.columns.items())
    return f".create-merge table {table.name} ({columns})"


def _landing_mapping() -> str:
    """Event Hub messages are ``{"records": [...]}``; a diagnostic setting's blob has one record per line."""
    columns = [
        {"column": "records", "Properties": {"Path": "$.records"}},
        {"column": "record", "Properties": {"Path": "$"}},
    ]
    return f".create-or-alter table {LANDING} ingestion json mapping 'AzureMonitor' {_text(json.dumps(columns))}"


def _no_retention() -> str:
    """Update policies process records on arrival; the landing table needs no retention."""
    return f".alter-merge table {LANDING} policy retention softdelete = 0s recoverability = disabled"


def _export_mapping(table: Table) -> str:
    """For Log Analytics data export, whose records use the table's column names."""
    columns = [{"column": name, "Properties": {"Path": f"$['{name}']"}} for name in table.columns]
    return f".create-or-alter table {table.name} ingestion json mapping 'DataExport' {_text(json.dumps(columns))}"


def _expanding(table: Table) -> str:
    """The function that converts landed records to the table's rows; its columns are the table's, in order."""
    constants = {"Type": _text(table.name), "SourceSystem": "'Azure'"}
    columns = ",\n    ".join(
        f"['{name}'] = {constants.get(name) or _column(name, kind)}" for name, kind in table.columns.items()
    )
    return f""".create-or-alter function with (folder={_text(_FOLDER)}) Expand{table.name}() {{
{LANDING}
| extend records = iff(isnull(records), pack_array(record), records)
| mv-expand R = records to typeof(dynamic)
| where tostring(R['category']) =~ {_text(CATEGORIES[table.name])}
| extend P = todynamic(R['properties'])
| project
    {columns}
}}"""


def _column(name: str, kind: str) -> str:
    camel = name[:1].lower() + name[1:]
    # In brackets, because some members' names are KQL keywords: time.
    places = [] if name.startswith("_") else [f"P['{camel}']"]
    if name.startswith(_LAST_ERROR):
        inner = name.removeprefix(_LAST_ERROR)
        places.append(f"P['lastError']['{inner[:1].lower()}{inner[1:]}']")
    if name in _ENVELOPE:
        places.append(f"R['{_ENVELOPE[name]}']")
    conversion = _CONVERSION[kind]
    # Each place is converted separately: in a dynamic, a JSON null counts as a value.
    values = [f"{conversion}({place})" for place in places] or [f"{conversion}(dynamic(null))"]
    return values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"


def _update_policy(table: Table) -> str:
    policy = [
        {
            "IsEnabled": True,
            "Source": LANDING,
            "Query": f"Expand{table.name}()",
            "IsTransactional": True,
            "PropagateIngestionProperties": True,
        }
    ]
    return f".alter table {table.name} policy update {_text(json.dumps(policy))}"


def _text(text: str) -> str:
    """A KQL string literal in single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
