"""Removal of an installation: its contents, and the deletion, which requires the name as confirmation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import SetupError
from .arm import Arm
from .before import deleted_resources
from .deploying import made_by, record_name
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
    endpoints = {path.rpartition("/")[2] for path in made if "/privateendpoints/" in path}
    own: list[str] = []
    foreign: list[str] = []
    for resource in arm.list(f"{group}/resources"):
        path = resource["id"].lower()
        # Azure itself creates a network interface for each private endpoint.
        follows = "/networkinterfaces/" in path and path.rpartition("/")[2].partition(".nic.")[0] in endpoints
        mine = follows or any(path == other or path.startswith(f"{other}/") for other in made)
        (own if mine else foreign).append(resource["id"])
    return Inventory(tuple(own), tuple(foreign))


def delete_group(installation: Installation, named: str, waiting: Callable[[], None] = lambda: None) -> tuple[str, ...]:
    """Delete the resource group and its contents; return what it contained. *named* must be its exact name.

    Raises SetupError if it is not, or if the group contains anything that this installation did not create.
    """
    group = installation.arm.configuration.resource_group
    if named != group:
        raise SetupError(
            f"nothing was deleted: to delete the resource group {group} and everything in it, give its exact name"
            + (f" (not {named!r})" if named else "")
        )
    there = inventory(installation)
    if there.foreign:
        others = ", ".join(path.partition("/providers/")[2] for path in there.foreign)
        raise SetupError(
            f"nothing was deleted: {group} also has resources that this installation did not create: {others}. Fix: "
            "move them elsewhere, or delete what you no longer need in the portal"
        )
    installation.arm.delete(installation.arm.configuration.group_id, waiting)
    return there.own


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
