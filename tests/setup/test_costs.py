"""The monthly cost counts what the templates make, by Bicep's own word."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from aoai_analytics.sandbox.azure.record import setup_table
from aoai_analytics.setup import Guide
from aoai_analytics.setup.costs import HOURS, hourly, monthly, said
from aoai_analytics.setup.template import whole
from tests.setup.recording import VARIANTS, recorded

PARAMETERS = setup_table()["parameters"]


def test_it_counts_what_the_templates_make() -> None:
    made = Counter(
        resource["type"].lower() for resource in recorded()["private"]["07-network-and-key-vault"]["resources"]
    )
    costs = {cost.what: cost.quantity for cost in monthly({**PARAMETERS, **VARIANTS["private"]})}
    assert costs["Private endpoints"] == made["microsoft.network/privateendpoints"]
    assert costs["Private DNS zones"] == made["microsoft.network/privatednszones"]
    assert costs["Event Hubs Standard throughput unit"] == made["microsoft.eventhub/namespaces"]
    assert costs["Container Registry, Basic"] == made["microsoft.containerregistry/registries"]
    assert costs["API Management Standard v2"] == 1


def test_a_gateway_of_ones_own_costs_nothing_more_and_gets_no_endpoint() -> None:
    private = {**PARAMETERS, **VARIANTS["private"]}
    before, after = (
        {cost.what: cost.quantity for cost in monthly(each)}
        for each in (private, private | {"existingGatewayId": "/s"})
    )
    assert before.pop("API Management Standard v2") == 1
    before["Private endpoints"] -= 1
    assert after == before


def test_provisioned_throughput_is_by_unit_and_hour() -> None:
    deployment = {"name": "p", "model": "m", "version": "1", "sku": "DataZoneProvisionedManaged", "capacity": 50}
    account = {"name": "a", "location": "eastus2", "deployments": [deployment]}
    (first, *_) = monthly({"gatewayTier": "BasicV2", "openAIAccounts": [account, account]})
    assert first.what == "Provisioned throughput, data zone" and first.month == Decimal("1.1") * 100 * HOURS
    assert said({"openAIAccounts": [account], "semanticCache": {"embeddings": "e"}}).endswith("Redis come on top")


@pytest.mark.parametrize("tier", whole()["definitions"]["gatewaySku"]["allowedValues"])
def test_every_tier_has_a_price_or_is_said_to_have_none(tier: str) -> None:
    parameters = {**PARAMETERS, "gatewayTier": tier, "gatewayCapacity": 1}
    priced = any(cost.what.startswith("API Management") for cost in monthly(parameters))
    assert (f"the gateway's tier {tier}, whose price is not known here" in said(parameters)) is not priced


def test_the_check_before_a_deployment_says_it(guide: Guide) -> None:
    (finding,) = [finding for finding in guide.check().findings if finding.check == "cost"]
    assert finding.detail == said(guide.parameters) and "USD per month" in finding.detail
    assert hourly(guide.parameters) * HOURS == sum(cost.month for cost in monthly(guide.parameters))
