"""The state of an installation, read from Azure: names, resources, and the settings that the checks use."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from .arm import Arm
from .deploying import deploy, outputs, record_name
from .parameters import Standing
from .steps import STEPS

Resource = dict[str, Any]

#: Provider and type of each name that the template computes.
_TYPES = {
    "gateway": "Microsoft.ApiManagement/service",
    "workspace": "Microsoft.OperationalInsights/workspaces",
    "storage": "Microsoft.Storage/storageAccounts",
    "eventHub": "Microsoft.EventHub/namespaces",
    "keyVault": "Microsoft.KeyVault/vaults",
    "contentSafety": "Microsoft.CognitiveServices/accounts",
    "network": "Microsoft.Network/virtualNetworks",
}

#: What can be brought -> the parameter that names it.
BROUGHT = {"gateway": "existingGatewayId", "workspace": "existingWorkspaceId"}


class Installation:
    """Cached reads of one installation: create a new one to read again."""

    def __init__(self, arm: Arm, parameters: dict[str, Any]) -> None:
        self.arm, self.parameters = arm, parameters
        self._read: dict[str, Resource | None] = {}
        self._listed: dict[str, list[Resource]] = {}

    @cached_property
    def names(self) -> dict[str, Any]:
        """Every resource's name, as computed by the template: NAMES of ``template``, ``accounts`` in the given order.

        Azure computes them in a deployment without resources, which is created if it does not exist or if
        the accounts have changed. Raises SetupError if there is no resource group.
        """
        start = STEPS[0]
        known = outputs(self.arm, record_name(self.arm, start))
        wanted = [account["name"] for account in self.parameters["openAIAccounts"]]
        if known is None or not _fits(known, wanted, self.parameters.get("gatewayName")):
            given = {name: self.parameters[name] for name in _NAMING if name in self.parameters}
            known = deploy(self.arm, start, given)
        return known

    def id_of(self, what: str) -> str:
        """Resource ID of ``gateway``, ``workspace``, …, whether or not it exists; of one that was brought, its own."""
        if brought := self.brought.get(what):
            return brought
        return f"{self.arm.configuration.group_id}/providers/{_TYPES[what]}/{self.names[what]}"

    @property
    def brought(self) -> dict[str, str]:
        """Resource IDs of the ``gateway`` and the ``workspace`` of one's own, as far as the parameters name them."""
        given = {what: self.parameters.get(key) for what, key in BROUGHT.items()}
        return {what: str(path) for what, path in given.items() if path}

    @cached_property
    def account_ids(self) -> dict[str, str]:
        """Short name of each requested Azure OpenAI account -> its resource ID."""
        before = f"{self.arm.configuration.group_id}/providers/Microsoft.CognitiveServices/accounts"
        shorts = [account["name"] for account in self.parameters["openAIAccounts"]]
        return {short: f"{before}/{name}" for short, name in zip(shorts, self.names["accounts"], strict=True)}

    def get(self, path: str) -> Resource | None:
        """A resource by its ID, None if it does not exist; cached."""
        if path not in self._read:
            self._read[path] = self.arm.get(path)
        return self._read[path]

    def list(self, path: str) -> list[Resource]:
        """A collection by its ID; cached."""
        if path not in self._listed:
            self._listed[path] = self.arm.list(path)
        return self._listed[path]

    @property
    def gateway(self) -> Resource | None:
        """The API Management service."""
        return self.get(self.id_of("gateway"))

    def of_gateway(self, path: str) -> Resource | None:
        """A child resource of the gateway, for example ``loggers/azuremonitor``."""
        return self.get(f"{self.id_of('gateway')}/{path}") if self.gateway else None

    @property
    def api_path(self) -> str:
        """The API, below the gateway."""
        return f"apis/{self.names['api']}"

    def standing(self) -> Standing:
        """What later steps or manual changes have already created."""
        vault = self.get(self.id_of("keyVault")) is not None
        # In a network of one's own, a closed gateway is the sign that step 07 has run.
        access = (self.gateway or {}).get("properties", {}).get("publicNetworkAccess")
        closed = bool(self.parameters.get("subnets")) and access == "Disabled"
        return Standing(
            network=closed or self.get(self.id_of("network")) is not None,
            vault=vault,
            cache=self.of_gateway("caches/default") is not None,
        )


#: Parameters that names depend on, and those required to evaluate main.json.
_NAMING = ("name", "gatewayName", "openAIAccounts", "publisherEmail", "publisherName", "location")


def _fits(known: dict[str, Any], accounts: list[str], gateway: str | None) -> bool:
    named = known.get("accounts", [])
    same = len(named) == len(accounts) and all(
        name.startswith(f"{short}-") for name, short in zip(named, accounts, strict=True)
    )
    return same and gateway in (None, known.get("gateway"))
