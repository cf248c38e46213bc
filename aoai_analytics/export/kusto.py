"""What an Azure Data Explorer or Eventhouse database needs to hold a gateway's logs and answer this kit's queries.

Text only: the commands make the tables, the mappings and update policies that fill them from what Azure sends, and
the functions. They may be run again at any time: each creates or alters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..engines.kql.functions import definitions
from ..library import library
from ..schema.table import Table
from ..schema.tables import GATEWAY_LOGS, LLM_LOG, LOG_TABLES

#: Where Event Hub messages, diagnostic settings' blobs and the like land as they come; emptied at once.
LANDING = "AoaiLogsRaw"
#: Diagnostic-settings category of each table's records.
CATEGORIES = {GATEWAY_LOGS.name: "GatewayLogs", LLM_LOG.name: "GatewayLlmLogs"}
_FOLDER = "AoaiAnalytics"
# Envelope members that stand for a column where the record has no such column of its own.
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
    """All commands as one script of blank-line separated commands, as ``.execute database script`` takes them.

    *own* replace the package's functions of their names, as ``prices.own_functions()`` does.
    """
    parts = [f".create-merge table {LANDING} (records: dynamic, record: dynamic)", _landing_mapping(), _no_retention()]
    for table in LOG_TABLES.values():
        parts += [_table(table), _export_mapping(table), _expanding(table), _update_policy(table)]
    texts = definitions(own)
    parts += [function_command(name, query.title, texts[name]) for name, query in library().functions().items()]
    return "\n\n".join(parts) + "\n"


def function_command(name: str, about: str, text: str) -> str:
    """``.create-or-alter function`` of a library function, without the comment lines of its file."""
    body = "\n".join(line for line in text.strip().splitlines() if line.strip() and not line.lstrip().startswith("//"))
    return f".create-or-alter function with (folder={_text(_FOLDER)}, docstring={_text(about)}) {name}() {{\n{body}\n}}"


def _table(table: Table) -> str:
    columns = ", ".join(f"['{name}']: {kind}" for name, kind in table.columns.items())
    return f".create-merge table {table.name} ({columns})"


def _landing_mapping() -> str:
    """Event Hub messages are ``{"records": [...]}``; a blob of a diagnostic setting has a record on each line."""
    columns = [
        {"column": "records", "Properties": {"Path": "$.records"}},
        {"column": "record", "Properties": {"Path": "$"}},
    ]
    return f".create-or-alter table {LANDING} ingestion json mapping 'AzureMonitor' {_text(json.dumps(columns))}"


def _no_retention() -> str:
    """Update policies read what arrives while it arrives; the landing table need keep nothing."""
    return f".alter-merge table {LANDING} policy retention softdelete = 0s recoverability = disabled"


def _export_mapping(table: Table) -> str:
    """For Log Analytics data export, whose records have the table's own column names."""
    columns = [{"column": name, "Properties": {"Path": f"$['{name}']"}} for name in table.columns]
    return f".create-or-alter table {table.name} ingestion json mapping 'DataExport' {_text(json.dumps(columns))}"


def _expanding(table: Table) -> str:
    """The function that makes the table's rows of what landed; its columns are the table's, in order."""
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
    # In brackets, for some members' names are words of the language: time.
    places = [] if name.startswith("_") else [f"P['{camel}']"]
    if name.startswith(_LAST_ERROR):
        inner = name.removeprefix(_LAST_ERROR)
        places.append(f"P['lastError']['{inner[:1].lower()}{inner[1:]}']")
    if name in _ENVELOPE:
        places.append(f"R['{_ENVELOPE[name]}']")
    conversion = _CONVERSION[kind]
    # Each place is converted by itself: in a dynamic, a null of the JSON counts as a value.
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
