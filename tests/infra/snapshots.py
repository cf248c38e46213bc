"""Reading what a snapshot says would be deployed."""

from __future__ import annotations

import re
from typing import Any

from tests.infra.conftest import INFRA, RESOURCE_GROUP, SUBSCRIPTION_ID, Bicep

EXAMPLES = ("dev", "prod")
SETTLED = (
    *EXAMPLES,
    "other-choices",
    "nothing-chosen",
    "tokens-by-uri",
    "foundry",
    "claude",
    "teams",
    "own-network",
    "brought",
    "brought-privately",
)
#: Ids of Azure's built-in roles: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
ROLES = {
    "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd": "Cognitive Services OpenAI User",
    "a97b65f3-24c7-4388-baec-2e87135dc908": "Cognitive Services User",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "73c42c96-874c-492b-b04d-ab87d138a893": "Log Analytics Reader",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": "AcrPull",
}
GATEWAY = "Microsoft.ApiManagement/service"
POLICIES = INFRA.parent / "policies"

Resource = dict[str, Any]


def resources(bicep: Bicep, example: str, kind: str) -> dict[str, Resource]:
    """The resources of a type by their own name, the last one of each id: what stands when all is deployed."""
    found = [r for r in bicep.snapshot(example)["predictedResources"] if r["type"].lower() == kind.lower()]
    return {resource["name"].split("/")[-1]: resource for resource in found}


def properties(bicep: Bicep, example: str, kind: str) -> dict[str, dict[str, Any]]:
    return {name: resource.get("properties", {}) for name, resource in resources(bicep, example, kind).items()}


def shortened(name: str) -> str:
    """A resource's name without the unique string at its end, which a name's greatest length may have cut."""
    return re.sub(r"-(?=[a-z0-9]*\d)[a-z0-9]{10,13}$|(?<!-)[a-z0-9]{13}$", "", name)


def assigned(bicep: Bicep, example: str) -> set[tuple[str, str, str]]:
    """(type of the resource, role, kind of who has it) of every role assignment."""
    given = set()
    for resource in resources(bicep, example, "Microsoft.Authorization/roleAssignments").values():
        scope = resource["id"].rsplit("/providers/Microsoft.Authorization/", 1)[0]
        prefix = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{RESOURCE_GROUP}/providers/"
        assert scope.startswith(prefix), f"a role on more than one resource: {scope}"
        kind, name = scope.removeprefix(prefix).rsplit("/", 1)
        role = ROLES[resource["properties"]["roleDefinitionId"].rsplit("/", 1)[1]]
        given.add((f"{kind.split('.')[1]} {shortened(name)}", role, resource["properties"]["principalType"]))
    return given
