"""What the loopback Azure holds: resources by id, as deployments made them, with what the services add."""

from __future__ import annotations

import json
import re
from typing import Any

Resource = dict[str, Any]

PRINCIPAL = "00000000-0000-0000-0000-0000000000dd"
WORKSPACE = "00000000-0000-0000-0000-0000000000ee"

_REFERENCE = r"reference\('([^']+)', '[^']+'(?:, 'full')?\)\.([\w.]+)"


class State:
    """Resources by lower-case id. ``lag`` is how often a new one is not seen yet when it is asked for.

    *base* is the service's URL, below which the accounts are; *gateway* is the gateway's.
    """

    def __init__(self, base: str, gateway: str) -> None:
        self.base, self.gateway = base, gateway
        self.lag = 0
        self.resources: dict[str, Resource] = {}
        self._unseen: dict[str, int] = {}

    def get(self, path: str) -> Resource | None:
        """What stands at an id, also where it is not seen yet."""
        return self.resources.get(path.lower())

    def seen(self, path: str) -> Resource | None:
        """As a reader meets it: new resources take a while to be seen."""
        key = path.lower()
        if self._unseen.get(key, 0):
            self._unseen[key] -= 1
            return None
        return self.resources.get(key)

    def children(self, path: str) -> list[Resource]:
        """The members of a collection."""
        prefix = path.lower().rstrip("/") + "/"
        found = [r for key, r in self.resources.items() if key.startswith(prefix) and "/" not in key[len(prefix) :]]
        return found

    def within(self, group: str) -> list[Resource]:
        """The top-level resources of a group, as its list shows them."""
        pattern = re.compile(re.escape(group.lower()) + r"/providers/[^/]+/[^/]+/[^/]+$")
        kept = ("/microsoft.resources/deployments/",)
        return [r for key, r in self.resources.items() if pattern.match(key) and not any(k in key for k in kept)]

    def put(self, path: str, resource: Resource) -> None:
        """Make or change a resource."""
        key = path.lower()
        if key not in self.resources and self.lag:
            self._unseen[key] = self.lag
        self.resources[key] = {**resource, "id": path, "name": path.rpartition("/")[2]}

    def delete_under(self, path: str) -> None:
        """Everything at and below an id is gone."""
        key = path.lower()
        for each in [k for k in self.resources if k == key or k.startswith(key + "/")]:
            del self.resources[each]

    def deploy(self, resource: Resource) -> None:
        """Make a resource that a template described, its expressions evaluated, and what the service adds."""
        path = self.value(resource["id"])
        body: Resource = self.value({k: v for k, v in resource.items() if k not in ("id", "dependsOn", "scope")})
        body.setdefault("properties", {})["provisioningState"] = "Succeeded"
        kind = str(body["type"]).lower()
        own = str(path).rpartition("/")[2]
        properties = body["properties"]
        if "SystemAssigned" in str(body.get("identity")):
            body["identity"] |= {"principalId": PRINCIPAL}
        if kind == "microsoft.cognitiveservices/accounts":
            properties["endpoint"] = f"{self.base}/model/{own}/"
        elif kind == "microsoft.apimanagement/service":
            properties["gatewayUrl"] = self.gateway
            master = f"{path}/subscriptions/master"
            self.resources[master.lower()] = {"id": master, "properties": {"state": "active", "scope": f"{path}/"}}
        elif kind == "microsoft.operationalinsights/workspaces":
            properties["customerId"] = WORKSPACE
        elif kind == "microsoft.keyvault/vaults":
            properties["vaultUri"] = f"https://{own}.vault.azure.net/"
        elif kind == "microsoft.storage/storageaccounts":
            ends = {"blob": "blob", "web": "z13.web"}
            properties["primaryEndpoints"] = {
                end: f"https://{own}.{host}.core.windows.net/" for end, host in ends.items()
            }
        elif kind == "microsoft.managedidentity/userassignedidentities":
            properties |= {"principalId": PRINCIPAL, "clientId": PRINCIPAL}
        elif kind == "microsoft.containerregistry/registries":
            properties["loginServer"] = f"{own}.azurecr.io"
        elif kind == "microsoft.apimanagement/service/apis":
            self._import(path, properties.pop("value"))
        elif kind == "microsoft.network/privateendpoints":
            for connection in properties.get("privateLinkServiceConnections", []):
                connection["properties"]["privateLinkServiceConnectionState"] = {"status": "Approved"}
            self._interface(str(path))
        elif kind == "microsoft.apimanagement/service/subscriptions":
            body.pop("primaryKey", None)
        self.put(path, body)

    def _interface(self, endpoint: str) -> None:
        """The network interface that Azure makes for an endpoint, without the deployment's word."""
        group = endpoint.partition("/providers/")[0]
        nic = f"{group}/providers/Microsoft.Network/networkInterfaces/{endpoint.rpartition('/')[2]}-nic"
        self.put(
            nic, {"type": "Microsoft.Network/networkInterfaces", "properties": {"privateEndpoint": {"id": endpoint}}}
        )

    def _import(self, path: str, document: str) -> None:
        for route, methods in json.loads(document)["paths"].items():
            for method in methods:
                name = re.sub(r"\W+", "-", f"{method}{route}")
                operation = {"properties": {"method": method.upper(), "urlTemplate": route}}
                self.put(f"{path}/operations/{name}", operation)

    def value(self, value: Any) -> Any:
        """*value* with the expressions evaluated that Bicep leaves to the service."""
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if not (isinstance(value, str) and value.startswith("[")):
            return value
        text = value.replace("environment().suffixes.storage", "'core.windows.net'")
        text = re.sub(_REFERENCE, lambda found: repr(self.reference(found[1], found[2])), text)
        text = re.sub(r"coalesce\(('[^']*'), ''\)", r"\1", text)
        while (shorter := re.sub(r"format\(('[^']*'(?:, '[^']*')+)\)", _format, text)) != text:
            text = shorter
        text = re.sub(r"replace\('([^']*)', '(.)', '(.)'\)", lambda f: repr(f[1].replace(f[2], f[3])), text)
        plain = re.fullmatch(r"\['([^']*)'\]", text)
        return plain[1] if plain else text

    def reference(self, path: str, below: str) -> str:
        """What ARM's function reference() gives of a resource. Raises KeyError where there is nothing."""
        found: Any = self.resources[path.lower()]
        if not below.startswith("identity."):
            found = found["properties"]
        for key in below.split("."):
            found = found[key]
        return str(found)


def _format(found: re.Match[str]) -> str:
    pattern, *values = re.findall(r"'([^']*)'", found[1])
    return repr(pattern.format(*values))
