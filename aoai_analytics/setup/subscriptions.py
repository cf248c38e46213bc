"""Subscriptions that nobody names any more, and those over their budget: suspended, not deleted.

A suspended subscription's keys are refused; it keeps its name, keys and rows in the logs, and can be let in again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .deploying import outputs, record_name
from .installation import Installation
from .requirements.gateway import subscriptions_of
from .steps import STEPS, modules_of

ACTIVE, SUSPENDED = "active", "suspended"


def suspend_removed(installation: Installation, say: Callable[[str], None]) -> list[str]:
    """Suspend the subscriptions that an earlier deployment of this installation made and the parameters no longer have.

    Others of the gateway, made by hand, are left alone. Returns their names.
    """
    made: set[str] = set()
    for step in STEPS:
        if "products" in modules_of(step):
            made |= set(
                (outputs(installation.arm, record_name(installation.arm, step)) or {}).get("subscriptionNames", [])
            )
    removed = sorted(made - subscriptions_of(installation.parameters).keys())
    done = suspend(installation, removed) if removed else []
    for name in done:
        say(f"subscription {name}: no longer named, suspended; delete it in the portal, or name it again to let it in")
    return done


def suspend(installation: Installation, names: Iterable[str]) -> list[str]:
    """Suspend the active ones among these subscriptions; returns their names."""
    done = []
    for name in names:
        path = f"{installation.id_of('gateway')}/subscriptions/{name}"
        found = installation.arm.get(path)
        if found is None or found["properties"].get("state") != ACTIVE:
            continue
        kept = {key: value for key, value in found["properties"].items() if key in ("displayName", "scope", "ownerId")}
        installation.arm.put(path, {"properties": {**kept, "state": SUSPENDED}})
        done.append(name)
    return done
