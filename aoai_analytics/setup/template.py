"""The compiled template ``setup_scripts/infra/main.json``, and the part that one step deploys.

A step's template is main.json reduced to the step's modules. Azure Resource Manager evaluates it with the same
parameters, variables and names, so nothing is defined twice. If a module reads the output of a module from an
earlier step, that one is an *existing* resource in the part: ARM then reads the earlier deployment's outputs.
For that, each module's deployment has its own name, which does not change between runs.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from ..config import shipped

Template = dict[str, Any]

_REFERENCED = re.compile(r"reference\((?:format\()?'(\w+)")
#: Variables of main.json with resource names; some names depend on others.
NAMES = {
    "gateway": "parameters('gatewayName')",
    "accounts": "variables('openAINames')",
    "workspace": "variables('workspaceName')",
    "storage": "variables('storageAccountName')",
    "eventHub": "variables('eventHubNamespaceName')",
    "keyVault": "variables('keyVaultName')",
    "contentSafety": "variables('contentSafetyName')",
    "network": "variables('networkName')",
    "pool": "variables('poolName')",
    "api": "variables('apiName')",
    "principalTenant": "tenant().tenantId",
}


@cache
def whole() -> Template:
    """``main.json`` as shipped. Do not modify the returned value."""
    template: Template = json.loads((shipped("setup_scripts") / "infra/main.json").read_text("utf-8"))
    return template


def saved_functions() -> list[dict[str, str]]:
    """Value of the parameter ``functions``: those listed in ``functions.bicep``, in its order."""
    folder = shipped("setup_scripts") / "infra"
    listed = re.findall(
        r"alias: '(\w+)', query: loadTextContent\('\.\./\.\./kql/([\w/.]+)'\)",
        (folder / "functions.bicep").read_text("utf-8"),
    )
    return [{"alias": alias, "query": (shipped("kql") / file).read_text("utf-8")} for alias, file in listed]


def deployment_name(installation: str, module: str) -> str:
    """Name of a module's own deployment; in a loop, the iteration's number follows it."""
    return f"setup-{installation}-{module}"


def referenced(part: Any) -> set[str]:
    """The modules whose outputs are read by an expression in *part*."""
    return set(_REFERENCED.findall(json.dumps(part)))


def part(modules: Iterable[str]) -> Template:
    """The template that deploys *modules* of main.json (empty: it only computes the names)."""
    template = copy.deepcopy(whole())
    wanted = set(modules)
    resources = template["resources"]
    reads = {name: referenced(resources[name]["properties"].get("parameters", {})) for name in wanted}
    known = wanted | set().union(*reads.values())
    template["resources"] = {
        name: _named(name, resources[name]) if name in wanted else _existing(name, resources[name])
        for name in resources
        if name in known
    }
    for resource in template["resources"].values():
        before = [other for other in resource.pop("dependsOn", []) if other in wanted]
        if before:
            resource["dependsOn"] = before
    template["outputs"] = {
        name: output for name, output in template["outputs"].items() if wanted and referenced(output) <= wanted
    }
    if not wanted:
        template["outputs"] = {
            name: {"type": "array" if name == "accounts" else "string", "value": f"[{expression}]"}
            for name, expression in NAMES.items()
        }
    return template


def _named(name: str, resource: Template) -> Template:
    number = "copy" in resource
    text = f"format('{deployment_name('{0}', name)}{'-{1}' if number else ''}', parameters('name')"
    resource["name"] = f"[{text}{', copyIndex()' if number else ''})]"
    return resource


def _existing(name: str, resource: Template) -> Template:
    kept: Template = {key: resource[key] for key in ("copy", "condition", "type", "apiVersion") if key in resource}
    return _named(name, {"existing": True, **kept})
