"""Key Vault and the private network."""

from __future__ import annotations

from collections.abc import Iterator

from ..installation import Installation
from ..parameters import for_step, left_for_later
from .requirement import NotAskedFor, Requirement, differences


def vault(installation: Installation) -> Iterator[str]:
    wanted = {
        "properties.enableRbacAuthorization": True,
        "properties.enableSoftDelete": True,
        "properties.enablePurgeProtection": True,
    }
    yield from differences("the Key Vault", installation.get(installation.id_of("keyVault")), wanted)


def closed(installation: Installation) -> Iterator[str]:
    if not installation.parameters.get("privateNetwork"):
        raise NotAskedFor("privateNetwork is false: only a key or token authenticates callers")
    closed_by = {"properties.publicNetworkAccess": "Disabled"}
    yield from differences("the gateway", installation.gateway, closed_by)
    yield from differences("the Key Vault", installation.get(installation.id_of("keyVault")), closed_by)
    for short, path in installation.account_ids.items():
        yield from differences(f"account {short}", installation.get(path), closed_by)
    if installation.parameters.get("logToStorage", True):
        yield from differences("the log storage", installation.get(installation.id_of("storage")), closed_by)
    ends = ("properties.publicNetworkAccessForIngestion", "properties.publicNetworkAccessForQuery")
    workspace = installation.get(installation.id_of("workspace"))
    yield from differences("the workspace", workspace, dict.fromkeys(ends, "Disabled"))


def endpoints(installation: Installation) -> Iterator[str]:
    if not installation.parameters.get("privateNetwork"):
        raise NotAskedFor("privateNetwork is false")
    group = installation.arm.configuration.group_id
    connected: set[str] = set()
    for endpoint in installation.list(f"{group}/providers/Microsoft.Network/privateEndpoints"):
        for connection in endpoint["properties"]["privateLinkServiceConnections"]:
            properties = connection["properties"]
            if properties.get("privateLinkServiceConnectionState", {}).get("status") == "Approved":
                connected.add(properties["privateLinkServiceId"].lower())
    targets = {"the gateway": installation.id_of("gateway"), "the Key Vault": installation.id_of("keyVault")}
    targets |= {f"account {short}": path for short, path in installation.account_ids.items()}
    for about, path in targets.items():
        if path.lower() not in connected:
            yield f"{about} has no approved private endpoint"


def everything_asked_for(installation: Installation) -> Iterator[str]:
    used = for_step(installation.parameters, final=True, readers=True, standing=installation.standing())
    for name in left_for_later(installation.parameters, used):
        yield f"{name} waits for what it needs in the Key Vault"
    if installation.parameters.get("semanticCache") and not installation.standing().cache:
        yield "semanticCache is not in force yet"


STEP = "07-network-and-key-vault"
REQUIREMENTS = (
    Requirement("vault", STEP, "The Key Vault gives access by role, and forgets nothing for good", vault),
    Requirement("closed", STEP, "Nothing is reachable from the internet", closed),
    Requirement("private-endpoints", STEP, "Everything closed has an approved private endpoint", endpoints),
    Requirement(
        "options",
        STEP,
        "Every option asked for is in force",
        everything_asked_for,
        "put the secret or certificate into the vault, from inside the network where that is closed, and run "
        "notebooks/setup/07-network-and-key-vault again",
    ),
)
