"""An Azure Workbook that runs the library's queries on a Log Analytics workspace, using only its two log tables."""

from __future__ import annotations

import json
from typing import Any

from .layout import TABS
from .parameters import fields, tables_there, top
from .parts import Parts
from .steps import only_where, tab_group, tab_links, text

__all__ = ["MAX_BYTES", "module_bicep", "workbook", "workbook_bicep", "workbook_json"]

#: Size limit of the saved text. The service accepts up to 1 MB and refuses 1.2 MB (see ``parts``).
MAX_BYTES = 800_000
_SCHEMA = "https://github.com/Microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json"
_TITLE = (
    "# Azure OpenAI gateway\n\nUsage, cost, prompts and reliability by caller and model, from the gateway's own "
    "logs. The filters below apply to every tile."
)
_NO_TABLES = (
    "**This workspace has no gateway logs for the last 90 days.** Choose the workspace that API Management's "
    "diagnostic "
    "setting sends the categories *GatewayLogs* and *GatewayLlmLogs* to, as resource-specific tables. If this is "
    "the right one: the first records take up to two hours, and without permission to read the tables you see no rows "
    "and no error."
)
_NO_LLM_LOG = (
    "The LLM log is empty: tokens are known only for logged bodies, and prompts are not. Turn it on in the API's "
    "diagnostic (*largeLanguageModel*), and enable the category *GatewayLlmLogs* in the diagnostic setting."
)


def workbook() -> dict[str, Any]:
    """The workbook as JSON-ready data, in the service's key order. Raises WrongUse for malformed own
    prices."""
    parts = Parts()
    tabs = [tab_group(tab, parts) for tab in TABS]
    prices = fields("prices", ["OwnPrices", "Discount"])
    parameters = top(parts)
    return {
        "version": "Notebook/1.0",
        "items": [
            text("title", _TITLE),
            *parameters,
            tables_there(),
            only_where(text("no log tables", _NO_TABLES, "warning"), "TablesThere", ""),
            only_where(text("no LLM log", _NO_LLM_LOG, "warning"), "TablesThere", "ApiManagementGatewayLogs"),
            tab_links(),
            # Not in its tab: parameters of steps that were never open have no value, and the overview needs cost
            # too.
            only_where(prices, "Tab", "cost"),
            *tabs,
        ],
        "styleSettings": {},
        "$schema": _SCHEMA,
    }


def workbook_json() -> str:
    """The workbook for the portal's advanced editor, one step per line: the same library and prices give the same
    bytes."""
    return _written(workbook()) + "\n"


def _written(value: Any) -> str:
    """*value* as compact JSON with a line break before each step, so that diffs show the changed steps."""
    if isinstance(value, dict):
        members = (
            f"{json.dumps(key)}:{_steps(item) if key == 'items' else _written(item)}" for key, item in value.items()
        )
        return "{" + ",".join(members) + "}"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _steps(items: list[Any]) -> str:
    return "[\n" + ",\n".join(_written(item) for item in items) + "\n]"


def workbook_bicep(json_file: str) -> str:
    """The Bicep module that deploys the workbook in *json_file*, a path relative to the module's folder."""
    (step,) = (
        item["name"]
        for item in workbook()["items"]
        if any(parameter["name"] == "Workspace" for parameter in item["content"].get("parameters", []))
    )
    return _BICEP.replace("{file}", json_file).replace("{step}", step)


_BICEP = """metadata description = 'A workbook over the gateway\\'s logs: tokens, users, prompts, failures, cost.'
// Made by `aoai export workbook --bicep`; a test keeps it current.

@description('Name of the workbook as the portal lists it.')
@minLength(1)
param name string = 'Azure OpenAI gateway'

@description('Azure region of the workbook itself.')
param location string

@description('Resource id of the Log Analytics workspace that the gateway logs to; readers may choose another.')
param workspaceId string

@description('Tags for the workbook.')
param tags object = {}

// In the JSON the first workspace that a reader can see is chosen; here it is the one given. Put in as data: a function
// of text takes no more than 131,072 characters.
var shipped = loadJsonContent('{file}')
var items = map(
  shipped.items,
  item => item.name != '{step}'
    ? item
    : union(item, {
        content: {
          parameters: map(
            item.content.parameters,
            parameter => parameter.name == 'Workspace' ? union(parameter, { value: workspaceId }) : parameter
          )
        }
      })
)

resource workbook 'Microsoft.Insights/workbooks@2022-04-01' = {
  // A workbook's name is a GUID; the same group and name give the same workbook.
  name: guid(resourceGroup().id, 'azure-openai-gateway-workbook', name)
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: name
    category: 'workbook'
    sourceId: workspaceId
    version: 'Notebook/1.0'
    serializedData: string(union(shipped, { items: items }))
  }
}

@description('Resource id of the workbook.')
output id string = workbook.id
"""


def module_bicep() -> str:
    """The module in ``setup_scripts/infra/modules``, for the committed JSON."""
    return workbook_bicep("../../exports/workbook.json")
