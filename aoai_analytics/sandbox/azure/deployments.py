"""Deployments of the loopback ARM: what a part of main.json makes, its nested deployments, operations and failures."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .state import State

#: Type of a resource, as far as it goes -> the module of main.json that makes it.
MODULE_OF = (
    ("microsoft.operationalinsights/querypacks", "queries"),
    ("microsoft.operationalinsights/workspaces/summarylogs", "history"),
    ("microsoft.operationalinsights/", "workspace"),
    ("microsoft.insights/workbooks", "gatewayWorkbook"),
    ("microsoft.insights/scheduledqueryrules", "alertRules"),
    ("microsoft.insights/actiongroups", "alertRules"),
    ("microsoft.managedidentity/", "alertRules"),
    ("microsoft.consumption/", "alertRules"),
    ("microsoft.app/", "reports"),
    ("microsoft.containerregistry/", "reports"),
    ("microsoft.storage/", "archive"),
    ("microsoft.eventhub/", "eventHub"),
    ("microsoft.cognitiveservices/", "openAI"),
    ("microsoft.keyvault/", "keyVault"),
    ("microsoft.network/virtualnetworks", "network"),
    ("microsoft.network/networksecuritygroups", "network"),
    ("microsoft.network/", "privateEndpoints"),
    ("microsoft.insights/privatelinkscopes", "privateEndpoints"),
    ("microsoft.insights/diagnosticsettings", "gatewayLogging"),
    ("microsoft.authorization/", "roles"),
    ("microsoft.apimanagement/service/backends", "backends"),
    ("microsoft.apimanagement/service/namedvalues", "namedValues"),
    ("microsoft.apimanagement/service/loggers", "gatewayLogging"),
    ("microsoft.apimanagement/service/diagnostics", "gatewayLogging"),
    ("microsoft.apimanagement/service/apis/diagnostics", "gatewayLogging"),
    ("microsoft.apimanagement/service/apis", "api"),
    ("microsoft.apimanagement/service/policyfragments", "api"),
    ("microsoft.apimanagement/service/products", "products"),
    ("microsoft.apimanagement/service/subscriptions", "products"),
    ("microsoft.apimanagement/service", "gateway"),
)
#: Variable that holds a parameter once it is checked -> the parameter.
CHECKED_AS = {
    "schedule": "reportSchedule",
    "cache": "semanticCache",
    "entrance": "applicationGateway",
    "privately": "privateNetwork",
}
#: Outputs of nested deployments that other modules read: output -> where it stands in the module's first resource.
OUTPUTS = {
    "principalId": "identity.principalId",
    "gatewayUrl": "gatewayUrl",
    "endpoint": "endpoint",
    "uri": "vaultUri",
}


@dataclass
class Failure:
    """How a module fails: the error as its resource's provider says it."""

    module: str
    error: dict[str, Any]


@dataclass
class Deployments:
    """The deployments of one resource group."""

    state: State
    group: str
    #: Step -> resources and outputs, as Bicep's evaluator gave them.
    recorded: dict[str, dict[str, Any]]
    failures: list[Failure] = field(default_factory=list)
    #: What was deployed: (name of the deployment, modules), in order.
    made: list[tuple[str, list[str]]] = field(default_factory=list)

    def path(self, name: str) -> str:
        return f"{self.group}/providers/Microsoft.Resources/deployments/{name}"

    def step_of(self, name: str) -> dict[str, Any]:
        """The record of the step that a deployment is named after."""
        return self.recorded[re.sub(r"^setup-.*?-(?=\d\d-)", "", name)]

    def names(self, template: dict[str, Any], parameters: dict[str, Any], *, existing: bool) -> dict[str, list[str]]:
        """Module -> names of its nested deployments, by the template's own expressions."""
        found = {}
        for module, resource in template["resources"].items():
            if not _holds(str(resource.get("condition", "")), template, parameters):
                continue
            if bool(resource.get("existing")) != existing:
                continue
            pattern = re.fullmatch(r"\[format\('([^']+)', parameters\('name'\)(, copyIndex\(\))?\)\]", resource["name"])
            assert pattern, resource["name"]
            rounds = len(parameters["openAIAccounts"]) if "copy" in resource else 1
            found[module] = [pattern[1].format(parameters["name"], number) for number in range(rounds)]
        return found

    def create(self, name: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Deploy; the error as ARM says it, None where it succeeded. Its record stands either way."""
        properties = body["properties"]
        parameters = {key: value["value"] for key, value in properties["parameters"].items()}
        template = properties["template"]
        nested = self.names(template, parameters, existing=False)
        self.made.append((name, list(nested)))
        error = self._missing(template, parameters) or self._failed(nested)
        record: dict[str, Any] = {"mode": "Incremental", "timestamp": "2026-11-23T10:00:00.0000000Z"}
        if error is None:
            self._make(name, nested)
            if "workspace" in nested:
                self._save_functions(name, parameters["functions"])
            outputs = self.step_of(name)["outputs"]
            kept = {key: value for key, value in outputs.items() if key in template["outputs"]}
            record["outputs"] = {key: {"value": self.state.value(value)} for key, value in kept.items()}
        record["provisioningState"] = "Succeeded" if error is None else "Failed"
        if error is not None:
            record["error"] = error
        self.state.resources[self.path(name).lower()] = {"id": self.path(name), "name": name, "properties": record}
        self._record_operations(name, nested, error)
        return error

    def _missing(self, template: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any] | None:
        for names in self.names(template, parameters, existing=True).values():
            for each in names:
                if self.state.get(self.path(each)) is None:
                    text = f"Deployment '{each}' could not be found."
                    return {
                        "code": "InvalidTemplate",
                        "message": text,
                        "details": [{"code": "DeploymentNotFound", "message": text}],
                    }
        return None

    def _failed(self, nested: dict[str, list[str]]) -> dict[str, Any] | None:
        for failure in self.failures:
            if failure.module in nested:
                self.failures.remove(failure)
                return {
                    "code": "DeploymentFailed",
                    "target": self.path("x"),
                    "message": "At least one resource deployment operation failed. Please list deployment operations "
                    "for details.",
                    "details": [
                        {
                            "code": "ResourceDeploymentFailure",
                            "target": self.path(nested[failure.module][0]),
                            "message": "The resource write operation failed to complete successfully.",
                            "details": [failure.error],
                        }
                    ],
                    "module": failure.module,
                }
        return None

    def _make(self, name: str, nested: dict[str, list[str]]) -> None:
        for resource in self.step_of(name)["resources"]:
            self.state.deploy(resource)
        for module, names in nested.items():
            for number, each in enumerate(names):
                main = self._main_resource(name, module, number)
                properties = {"provisioningState": "Succeeded", "outputs": self._outputs(main)}
                record = {"id": self.path(each), "name": each, "properties": properties}
                self.state.resources[self.path(each).lower()] = record

    def _outputs(self, main: str) -> dict[str, Any]:
        """The outputs of the module whose first resource is *main*."""
        found = {
            output: self.state.reference(main, where)
            for output, where in OUTPUTS.items()
            if main and self._has(main, where)
        }
        account = self.state.get(main) or {}
        if account.get("kind") == "AIServices":
            # A Foundry resource answers at host names of its own (openai-account.bicep), and none of them is here.
            hosts = {"endpoint": "openai.azure.com", "claudeEndpoint": "services.ai.azure.com"}
            found |= {output: f"https://{account['name']}.{host}/" for output, host in hosts.items()}
        return {output: {"value": value} for output, value in found.items()}

    def _save_functions(self, name: str, functions: list[dict[str, str]]) -> None:
        workspace = self._main_resource(name, "workspace", 0)
        for function in functions:
            properties = {"functionAlias": function["alias"], "query": function["query"]}
            self.state.put(f"{workspace}/savedSearches/{function['alias'].lower()}", {"properties": properties})

    def _has(self, path: str, where: str) -> bool:
        found = self.state.get(path) or {}
        part = found if "." in where else found.get("properties", {})
        return where.partition(".")[0] in part

    def _main_resource(self, name: str, module: str, number: int) -> str:
        mine = [path for kind, path in self._resources(name) if kind == module and path.count("/") == 8]
        return mine[number] if number < len(mine) else (mine[0] if mine else "")

    def _resources(self, name: str) -> list[tuple[str, str]]:
        """(module, id) of each resource of a step."""
        return [
            (module_of(r["type"].lower(), r["id"]), self.state.value(r["id"])) for r in self.step_of(name)["resources"]
        ]

    def _record_operations(self, name: str, nested: dict[str, list[str]], error: dict[str, Any] | None) -> None:
        failed = (error or {}).get("module")
        path = f"{self.path(name)}/operations"
        for module, names in nested.items():
            for number, each in enumerate(names):
                bad = module == failed
                if error and not bad:
                    continue
                self._operation(path, each, self.path(each), bad, (error or {}).get("details", [{}])[0])
                for kind, target in self._resources(name):
                    first = number == 0 or module != "openAI"
                    if kind == module and first:
                        inner = (error or {"details": [{"details": [{}]}]})["details"][0]["details"][0]
                        below = f"{self.path(each)}/operations"
                        self._operation(below, target.rpartition("/")[2], target, bad, inner)
                        if bad:
                            break

    def _operation(self, path: str, name: str, target: str, bad: bool, error: dict[str, Any]) -> None:
        properties: dict[str, Any] = {
            "provisioningOperation": "Create",
            "provisioningState": "Failed" if bad else "Succeeded",
            "targetResource": {"id": target},
        }
        if bad:
            properties["statusMessage"] = {"status": "Failed", "error": error}
        # Several resources share a last name; an operation's id is its own.
        key = f"{path}/{len(self.state.children(path))}-{name}".lower()
        self.state.resources[key] = {"id": key, "operationId": name, "properties": properties}


def module_of(kind: str, path: str) -> str:
    """The module that makes a resource, told by its type but for what the job of the reports has of its own."""
    if "/strep" in path or "-reports" in path:
        return "reports"
    return next(module for start, module in MODULE_OF if kind.startswith(start))


def _holds(condition: str, template: dict[str, Any], parameters: dict[str, Any]) -> bool:
    """Whether a module's condition, an expression of the template, holds; '' always does."""
    words = re.findall(r"\w+|'\w+'|[(),]", condition)

    def given(name: str) -> Any:
        option = CHECKED_AS.get(name, name)
        return parameters.get(option, template["parameters"][option].get("defaultValue"))

    functions: dict[str, Callable[..., Any]] = {
        "parameters": given,
        "variables": given,
        "null": lambda: None,
        "empty": operator.not_,
        "equals": operator.eq,
        "not": operator.not_,
        "and": lambda *parts: all(parts),
    }

    def value() -> Any:
        word = words.pop(0)
        if word.startswith("'"):
            return word.strip("'")
        assert word in functions and words.pop(0) == "(", condition
        arguments = []
        while words[0] != ")":
            arguments.append(value())
            if words[0] == ",":
                words.pop(0)
        words.pop(0)
        return functions[word](*arguments)

    return not condition or bool(value())
