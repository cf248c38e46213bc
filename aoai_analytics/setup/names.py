"""Names that Azure refuses once half of an installation exists, found in the parameters before anything is asked.

Rules: Microsoft Learn, "Naming rules and restrictions for Azure resources". ``main.bicep`` refuses the same names.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ..config import shipped

_HOST = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_OF_HOSTS = "lower-case letters, digits and single hyphens inside"
_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")
_GATEWAY = re.compile(r"[A-Za-z]([A-Za-z0-9-]{0,48}[A-Za-z0-9])?")
#: Scale units that a tier can have: Microsoft Learn, "Upgrade and scale an Azure API Management instance".
_MOST_UNITS = {
    "BasicV2": 10,
    "StandardV2": 10,
    "PremiumV2": 30,
    "Developer": 1,
    "Basic": 2,
    "Standard": 4,
    "Premium": 12,
}
_PRODUCTS = ("bronze", "silver", "gold")


def name_faults(parameters: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with each name and with the gateway's size; *parameters* have the types of ``main.json``."""
    where = "setup.parameters"
    if not _HOST.fullmatch(parameters["name"]):
        yield (f"{where}.name: {parameters['name']} cannot be part of resource names: use {_OF_HOSTS}")
    gateway = parameters.get("gatewayName")
    if gateway is not None and not _GATEWAY.fullmatch(gateway):
        yield (
            f"{where}.gatewayName: {gateway} cannot be a host name: use up to 50 letters, digits and hyphens, begin "
            "with a letter and end with a letter or digit"
        )
    tier = parameters.get("gatewayTier", "StandardV2")
    units = parameters.get("gatewayCapacity", 1)
    if units > _MOST_UNITS[tier]:
        yield f"{where}.gatewayCapacity: {tier} has at most {_MOST_UNITS[tier]} units, not {units}"
    if parameters.get("gatewayRegions") and tier != "Premium":
        yield f"{where}.gatewayRegions: {tier} has one region: use the tier Premium"
    yield from _accounts(parameters["openAIAccounts"], f"{where}.openAIAccounts")
    yield from _subscriptions(parameters, where)
    offered = {deployment["name"] for account in parameters["openAIAccounts"] for deployment in account["deployments"]}
    for team in parameters.get("teams", []):
        if unknown := sorted(set(team.get("models", [])) - offered):
            yield f"{where}.teams: {team['subscription']} may use {', '.join(unknown)}, which no account has"
        if team["product"] == "unlimited" and team.keys() & {"tokensPerMinute", "tokensPerMonth"}:
            yield f"{where}.teams: {team['subscription']} has limits, but the product unlimited has none"


def _accounts(accounts: list[dict[str, Any]], where: str) -> Iterator[str]:
    taken = _backends()
    for place, account in enumerate(accounts):
        here, name = f"{where}[{place}].name", account["name"]
        if not _HOST.fullmatch(name):
            yield f"{here}: {name} cannot be part of a host name: use {_OF_HOSTS}"
        if name in taken:
            yield f"{here}: {name} is the gateway's own backend for something else: choose another"
        for number, deployment in enumerate(account["deployments"]):
            if not _PLAIN.fullmatch(deployment["name"]):
                yield (
                    f"{where}[{place}].deployments[{number}].name: {deployment['name']} cannot be the name of a "
                    "deployment: use letters, digits, hyphens, underscores and dots"
                )
    for name, count in Counter(account["name"] for account in accounts).items():
        if count > 1:
            yield f"{where}: two accounts are called {name}: give each its own name"


def _subscriptions(parameters: Mapping[str, Any], where: str) -> Iterator[str]:
    listed = [
        (name, f"{where}.{product}.subscriptions")
        for product in _PRODUCTS
        for name in parameters.get(product, {}).get("subscriptions", [])
    ]
    listed += [(team["subscription"], f"{where}.teams") for team in parameters.get("teams", [])]
    listed += [(name, f"{where}.unlimitedSubscriptions") for name in parameters.get("unlimitedSubscriptions", [])]
    for name, here in listed:
        if not _PLAIN.fullmatch(name) or len(name) > 80:
            yield (
                f"{here}: {name} cannot be the name of a subscription: use up to 80 letters, digits, hyphens, "
                "underscores and dots"
            )
        elif name.lower() == "master":
            yield f"{here}: {name} is the gateway's own subscription: choose another"
    for name, count in Counter(name.lower() for name, _ in listed).items():
        if count > 1:
            yield f"{where}: two products have the subscription {name}: names are unique in the gateway"


def _backends() -> set[str]:
    """Names of the backends that the gateway has besides the accounts'."""
    values = json.loads((shipped("setup_scripts") / "policies/named-values.json").read_text("utf-8"))
    keys = ("backend-pool", "claude-pool", "content-safety-backend", "semantic-cache-embeddings-backend")
    return {values[key]["value"] for key in keys}
