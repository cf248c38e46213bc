"""The semantic layer as saved functions of a Log Analytics workspace: a template that deploys by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..engines.kql.functions import definitions

#: Category in the portal, as in ``modules/workspace.bicep``.
CATEGORY = "Azure OpenAI gateway analytics"


def saved_functions(own: Mapping[str, str] | None = None) -> list[dict[str, str]]:
    """Each function's ``alias`` and ``query``, in dependency order; *own* replaces the package's of the same name."""
    return [{"alias": name, "query": text} for name, text in definitions(own).items()]


def functions_json(own: Mapping[str, str] | None = None) -> str:
    """An ARM template that saves the functions in a workspace, in dependency order.

    A Bicep parameter file reads their texts from it:
    ``param functions = loadJsonContent('functions.json', 'variables.functions')``.
    """
    template: dict[str, Any] = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "metadata": {"description": "The KQL functions of the kit, saved in a Log Analytics workspace."},
        "parameters": {
            "workspaceName": {
                "type": "string",
                "minLength": 4,
                "maxLength": 63,
                "metadata": {"description": "Name of the Log Analytics workspace, in this resource group."},
            }
        },
        "variables": {"functions": saved_functions(own)},
        "resources": [
            {
                "copy": {
                    "name": "functions",
                    "count": "[length(variables('functions'))]",
                    "mode": "serial",
                    "batchSize": 1,
                },
                "type": "Microsoft.OperationalInsights/workspaces/savedSearches",
                "apiVersion": "2020-08-01",
                "name": "[format('{0}/{1}', parameters('workspaceName'), "
                "toLower(variables('functions')[copyIndex()].alias))]",
                "properties": {
                    "category": CATEGORY,
                    "displayName": "[variables('functions')[copyIndex()].alias]",
                    "functionAlias": "[variables('functions')[copyIndex()].alias]",
                    "query": "[variables('functions')[copyIndex()].query]",
                    "version": 2,
                },
            }
        ],
    }
    return json.dumps(_literal(template), indent=2, ensure_ascii=False) + "\n"


def _literal(template: dict[str, Any]) -> dict[str, Any]:
    """*template* with escaped function texts: ARM reads a text that begins with '[' as an expression."""
    for function in template["variables"]["functions"]:
        if function["query"].startswith("["):
            function["query"] = "[" + function["query"]
    return template
