"""Removal of an installation: its contents, and the deletion, which requires the name as confirmation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..errors import SetupError
from .arm import Arm
from .before import deleted_resources
from .deploying import made_by, record_name
from .faults import Refused
from .findings import Table
from .installation import Installation
from .steps import STEPS


@dataclass(frozen=True)
class Inventory:
    """Resources of the group by ID: the installation's ``own``, and ``foreign`` ones that it did not create."""

    own: tuple[str, ...]
    foreign: tuple[str, ...]

    def table(self) -> Table:
        rows = [(path.partition("/providers/")[2], "this installation") for path in self.own]
        return Table(
            ("Resource", "Made by"),
            [*rows, *((path.partition("/providers/")[2], "somebody else") for path in self.foreign)],
        )


def inventory(installation: Installation) -> Inventory:
    """Everything in the resource group. The installation's own resources are those its steps' deployments created."""
    arm = installation.arm
    group = arm.configuration.group_id
    made: set[str] = set()
    for step in STEPS:
        made |= made_by(arm, record_name(arm, step))
    own: list[str] = []
    foreign: list[str] = []
    for resource in arm.list(f"{group}/resources"):
        path = resource["id"].lower()
        # Azure itself creates a network interface for each private endpoint, under a name of its own.
        follows = "/networkinterfaces/" in path and _endpoint_of(arm, resource["id"]) in made
        mine = follows or any(path == other or path.startswith(f"{other}/") for other in made)
        (own if mine else foreign).append(resource["id"])
    return Inventory(tuple(own), tuple(foreign))


def _endpoint_of(arm: Arm, interface: str) -> str:
    """ID of the private endpoint that a network interface belongs to, in lower case; '' if there is none."""
    found = arm.get(interface) or {}
    return str(((found.get("properties") or {}).get("privateEndpoint") or {}).get("id", "")).lower()


@dataclass(frozen=True)
class Deletion:
    """What was deleted, by ID, and in sentences what remains of it and what that costs."""

    gone: tuple[str, ...]
    remains: tuple[str, ...]

    def table(self) -> Table:
        """Everything deleted, then what remains."""
        rows = [(path.partition("/providers/")[2],) for path in self.gone]
        return Table(("Deleted",), [*rows, *((f"remains: {said}",) for said in self.remains)])


def delete_group(
    installation: Installation, named: str, waiting: Callable[[], None] = lambda: None, *, erase_logs: bool = False
) -> Deletion:
    """Delete the model deployments, then the resource group with its contents. *named* must be its exact name.

    Azure keeps deleted accounts, gateways and vaults for a time, and charges provisioned throughput (PTU) of an account
    until it is purged: so its deployments are deleted first, and what remains is listed. *erase_logs* deletes the
    workspace for good; otherwise its logs, prompts among them, can be recovered for 14 days.

    Raises SetupError if it is not, or if the group contains anything that this installation did not create.
    """
    group = installation.arm.configuration.resource_group
    if named != group:
        raise SetupError(
            f"nothing was deleted: to delete the resource group {group} and everything in it, give its exact name"
            + (f" (not {named!r})" if named else "")
        )
    there = inventory(installation)
    kept = {path.lower() for path in installation.brought.values()}
    there = Inventory(
        tuple(path for path in there.own if path.lower() not in kept),
        (*there.foreign, *(path for path in there.own if path.lower() in kept)),
    )
    if there.foreign:
        others = ", ".join(path.partition("/providers/")[2] for path in there.foreign)
        raise SetupError(
            f"nothing was deleted: {group} also has resources that this installation did not create: {others}. Fix: "
            "move them elsewhere, or delete what you no longer need in the portal"
        )
    arm = installation.arm
    provisioned: dict[str, list[str]] = {}
    for account in (path for path in there.own if _kind(path) == "accounts"):
        for deployment in arm.list(f"{account}/deployments"):
            if "Provisioned" in str((deployment.get("sku") or {}).get("name")):
                provisioned.setdefault(_name(account), []).append(_name(deployment["id"]))
            arm.delete(deployment["id"], waiting)
    workspaces = [path for path in there.own if _kind(path) == "workspaces"]
    if erase_logs:
        for path in workspaces:
            arm.delete(path, waiting, force="true")
    arm.delete(arm.configuration.group_id, waiting)
    remains = _remains(arm, there.own, provisioned, [] if erase_logs else workspaces)
    return Deletion(there.own, (*_left(installation), *remains))


def _left(installation: Installation) -> Iterator[str]:
    """What stays in a gateway and a workspace of one's own, which are in another group and are not touched."""
    brought = installation.brought
    if path := brought.get("gateway"):
        yield (
            f"your gateway {_name(path)} keeps this installation's APIs, products, subscriptions, backends, named "
            "values, policy fragments and the diagnostic setting gateway-logs; delete them in the portal"
        )
    if path := brought.get("workspace"):
        yield f"your workspace {_name(path)} keeps its logs, prompts among them, and the saved functions and rules"


def _remains(
    arm: Arm, own: Sequence[str], provisioned: dict[str, list[str]], workspaces: Sequence[str]
) -> Iterator[str]:
    for path in workspaces:
        yield (
            f"the logs of {_name(path)}, prompts among them, can be recovered for 14 days; "
            "--erase-logs deletes them for good"
        )
    try:
        gone = deleted_resources(arm)
    except Refused:
        for account, deployments in provisioned.items():
            yield f"{account}: PTU charges of {', '.join(deployments)} end only when it is purged: ask an owner"
        yield "what else is soft-deleted could not be read: it needs a role on the subscription"
        return
    names = {_name(path) for path in own}
    for name in sorted(names & set(gone)):
        if not gone[name]:
            yield f"the vault {name} keeps its name for 90 days: it has purge protection"
            continue
        cost = f": PTU charges of {', '.join(provisioned[name])} go on until then" if name in provisioned else ""
        yield f"{name} is soft-deleted; 'aoai setup purge {name}' frees its name{cost}"


def _kind(path: str) -> str:
    return path.split("/")[-2].lower() if path.lower().split("/")[-3].startswith("microsoft.") else ""


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def purge(arm: Arm, name: str, confirmed: str) -> None:
    """Purge one soft-deleted account or gateway, which frees its name and cannot be undone.

    *confirmed* must repeat the name. Raises SetupError if it does not, or if nothing with that name was deleted.
    """
    gone = deleted_resources(arm)
    if name not in gone:
        raise SetupError(f"there is no deleted account or gateway named {name}; found: {_listed(list(gone))}")
    if not gone[name]:
        raise SetupError(
            f"{name} is a vault with purge protection, so Azure reserves its name for 90 days; recover it instead"
        )
    if confirmed != name:
        raise SetupError(f"nothing was purged: to purge {name} permanently, confirm its exact name")
    arm.delete(gone[name])


def _listed(names: Sequence[str]) -> str:
    return ", ".join(sorted(names)) or "none"
