"""A private installation in a network, and with DNS zones, of one's own: neither is made, and everything is in it."""

from __future__ import annotations

from tests.infra.conftest import OWN, Bicep
from tests.infra.snapshots import GATEWAY, properties, resources


def test_no_network_no_zone_and_no_record_is_made(bicep: Bicep) -> None:
    kinds = {resource["type"].lower() for resource in bicep.snapshot("own-network")["predictedResources"]}
    assert not {kind for kind in kinds if "virtualnetworks" in kind or "privatedns" in kind}
    assert "microsoft.network/privateendpoints" in kinds


def test_each_part_is_in_its_subnet(bicep: Bicep) -> None:
    endpoints = properties(bicep, "own-network", "Microsoft.Network/privateEndpoints")
    assert len(endpoints) == 8 and {each["subnet"]["id"] for each in endpoints.values()} == {f"{OWN}/pe"}
    (gateway,) = properties(bicep, "own-network", GATEWAY).values()
    assert gateway["virtualNetworkConfiguration"]["subnetResourceId"] == f"{OWN}/gw"
    assert gateway["publicNetworkAccess"] == "Disabled"
    (entrance,) = properties(bicep, "own-network", "Microsoft.Network/applicationGateways").values()
    assert entrance["gatewayIPConfigurations"][0]["properties"]["subnet"]["id"] == f"{OWN}/agw"
    (jobs,) = properties(bicep, "own-network", "Microsoft.App/managedEnvironments").values()
    assert jobs["vnetConfiguration"]["infrastructureSubnetId"] == f"{OWN}/jobs"


def test_it_is_as_closed_as_a_network_that_the_template_makes(bicep: Bicep) -> None:
    for kind in (
        "Microsoft.CognitiveServices/accounts",
        "Microsoft.KeyVault/vaults",
        "Microsoft.Storage/storageAccounts",
    ):
        for resource in resources(bicep, "own-network", kind).values():
            assert resource["properties"]["publicNetworkAccess"] == "Disabled", resource["name"]
