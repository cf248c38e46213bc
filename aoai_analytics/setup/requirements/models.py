"""Azure OpenAI accounts and their deployments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..installation import Installation
from .requirement import Requirement, differences


def accounts_exist(installation: Installation) -> Iterator[str]:
    for account in installation.parameters["openAIAccounts"]:
        found = installation.get(installation.account_ids[account["name"]])
        kind = account.get("kind", "OpenAI")
        wanted = {"kind": kind, "properties.provisioningState": "Succeeded", "location": account["location"]}
        yield from differences(f"account {account['name']}", found, wanted)


def endpoint(account: dict[str, Any]) -> str:
    """Where an account answers OpenAI's API, ending in a slash; '' if unknown.

    A Microsoft Foundry resource (kind AIServices) names its general endpoint; these routes are at another host name.
    """
    if account.get("kind") == "AIServices":
        return f"https://{account['properties'].get('customSubDomainName') or account['name']}.openai.azure.com/"
    return str(account["properties"].get("endpoint", ""))


def claude_endpoint(account: dict[str, Any]) -> str:
    """Where a Microsoft Foundry resource answers Anthropic's API, ending in a slash."""
    return f"https://{account['properties'].get('customSubDomainName') or account['name']}.services.ai.azure.com/"


def key_access_off(installation: Installation) -> Iterator[str]:
    for short, path in installation.account_ids.items():
        yield from differences(f"account {short}", installation.get(path), {"properties.disableLocalAuth": True})


def deployments_as_asked(installation: Installation) -> Iterator[str]:
    for account in installation.parameters["openAIAccounts"]:
        path = installation.account_ids[account["name"]]
        there = {found["name"]: found for found in installation.list(f"{path}/deployments")}
        for deployment in account["deployments"]:
            about = f"deployment {deployment['name']} of {account['name']}"
            yield from differences(about, there.get(deployment["name"]), _wanted(deployment))


def _wanted(deployment: dict[str, Any]) -> dict[str, Any]:
    wanted = {
        "properties.provisioningState": "Succeeded",
        "properties.model.name": deployment["model"],
        "properties.model.format": deployment.get("format", "OpenAI"),
        "properties.model.version": deployment["version"],
        "sku.name": deployment["sku"],
        "sku.capacity": deployment["capacity"],
    }
    if "spilloverDeploymentName" in deployment:
        wanted["properties.spilloverDeploymentName"] = deployment["spilloverDeploymentName"]
    return wanted


REQUIREMENTS = (
    Requirement("accounts", "01-openai", "Every model account exists in its region", accounts_exist),
    Requirement("key-access-off", "01-openai", "No account can be used with a key", key_access_off),
    Requirement(
        "deployments", "01-openai", "Every deployment has its model, version, sku, capacity", deployments_as_asked
    ),
)
