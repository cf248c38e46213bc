"""What an installation costs a month if nobody uses it: gateway units, provisioned throughput and network.

Tokens, logs, storage, alerts and traffic come on top, by use. List prices in USD: ``azure-prices.csv``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

#: When the prices were read.
AS_OF = "2026-10"
#: Azure's own month in hours.
HOURS = 730
#: Capacity units that an instance of an Application Gateway reserves.
_UNITS_PER_INSTANCE = 10


@dataclass(frozen=True)
class Cost:
    """A part of the monthly cost, in USD: how many of it, for what price each a month."""

    what: str
    quantity: int
    each: Decimal

    @property
    def month(self) -> Decimal:
        """USD a month."""
        return self.quantity * self.each


@cache
def _prices() -> dict[str, tuple[str, Decimal]]:
    """Key -> what it is, USD a month."""
    text = Path(__file__).with_name("azure-prices.csv").read_text("utf-8")
    found = {}
    for row in csv.DictReader(text.splitlines()):
        hours = 1 if row["Unit"] == "month" else HOURS
        found[row["Key"]] = (row["What"], Decimal(row["USD"]) * hours)
    return found


def monthly(parameters: Mapping[str, Any]) -> list[Cost]:
    """The fixed costs with these parameters of ``main.json``, the largest first, without what is ``unpriced``."""
    own = bool(parameters.get("existingGatewayId"))
    counts: dict[str, int] = {}
    if not own:
        counts[parameters.get("gatewayTier", "StandardV2")] = parameters.get("gatewayCapacity", 1)
    accounts = parameters["openAIAccounts"]
    for deployment in (each for account in accounts for each in account["deployments"]):
        if "Provisioned" in (sku := deployment["sku"]):
            counts[sku] = counts.get(sku, 0) + deployment["capacity"]
    reports, events = bool(parameters.get("reportSchedule")), bool(parameters.get("logToEventHub"))
    safety, archive = bool(parameters.get("contentSafety")), bool(parameters.get("logToStorage", True))
    counts |= {"eventHub": int(events), "registry": int(reports)}
    if parameters.get("privateNetwork"):
        # The gateway, the vault and the workspace's scope; the reports' pages have two, and their registry one.
        counts["privateEndpoint"] = 3 - own + len(accounts) + safety + archive + events + 3 * reports
        # Of the gateway, the models, the vault and the blobs, and four of Azure Monitor.
        foundry = any(account.get("kind") == "AIServices" for account in accounts)
        counts["privateZone"] = (
            8 + safety + events + 2 * reports + foundry if parameters.get("privateDnsZones", True) else 0
        )
    if parameters.get("applicationGateway"):
        # application-gateway.bicep keeps at least one instance.
        counts |= {"applicationGateway": 1, "capacityUnit": _UNITS_PER_INSTANCE, "publicAddress": 1}
    known = [key for key, count in counts.items() if count and key in _prices()]
    found = [Cost(_prices()[key][0], counts[key], _prices()[key][1]) for key in known]
    return sorted(found, key=lambda cost: -cost.month)


def unpriced(parameters: Mapping[str, Any]) -> str:
    """What costs too, but has no price here: the classic tiers of the gateway; '' if nothing."""
    tier = str(parameters.get("gatewayTier", "StandardV2"))
    known = tier in _prices() or parameters.get("existingGatewayId")
    return "" if known else f"the gateway's tier {tier}, whose price is not known here"


def said(parameters: Mapping[str, Any]) -> str:
    """The monthly cost in a sentence."""
    costs = monthly(parameters)
    parts = ", ".join(f"{cost.what} {cost.month:,.0f}" for cost in costs[:4]) or "nothing else"
    total = sum(cost.month for cost in costs)
    more = "tokens, logs and the semantic cache's Redis" if parameters.get("semanticCache") else "tokens and logs"
    if gateway := unpriced(parameters):
        more = f"{gateway}, {more}"
    return f"{total:,.0f} USD per month without use ({parts}; list prices of {AS_OF}); {more} come on top"


def hourly(parameters: Mapping[str, Any]) -> Decimal:
    """USD an hour, without use."""
    return sum((cost.month for cost in monthly(parameters)), Decimal()) / HOURS
