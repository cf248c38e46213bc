"""Subnets of one's own are looked at before anything is deployed, and stay in use once the gateway is closed."""

from __future__ import annotations

from aoai_analytics.setup import Guide
from aoai_analytics.setup.before import Before
from aoai_analytics.setup.costs import monthly
from aoai_analytics.setup.parameters import Standing, checked, for_step
from tests.setup.arm_service import GROUP, ArmService

NETWORK = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/hub"
OWN = f"{NETWORK}/subnets"
SUBNETS = {"gateway": f"{OWN}/gw", "endpoints": f"{OWN}/pe"}


def made(azure: ArmService, subnet: str, *delegations: str) -> None:
    listed = [{"name": "d", "properties": {"serviceName": service}} for service in delegations]
    azure.state.put(f"{OWN}/{subnet}", {"properties": {"delegations": listed}})


def said(guide: Guide) -> list[str]:
    return [what for what, _ in Before(guide.arm, {**guide.parameters, "subnets": SUBNETS}).unfit_subnets()]


def test_a_subnet_that_is_missing_elsewhere_or_not_delegated_is_named(azure: ArmService, guide: Guide) -> None:
    azure.state.put(GROUP, {"location": "eastus2", "properties": {}})
    assert len(said(guide)) == 2 and all("does not exist or is not visible" in each for each in said(guide))
    azure.state.put(NETWORK, {"location": "West Europe", "properties": {}})
    made(azure, "gw")
    made(azure, "pe")
    assert said(guide) == [
        "subnets.gateway: gw is not delegated to Microsoft.Web/serverFarms",
        "subnets.gateway: its network is in westeurope",
        "subnets.endpoints: its network is in westeurope",
    ]
    azure.state.put(NETWORK, {"location": "eastus2", "properties": {}})
    made(azure, "gw", "Microsoft.Web/serverFarms")
    assert said(guide) == []


def test_subnets_come_with_the_private_network_and_never_alone(guide: Guide) -> None:
    parameters = checked({**guide.parameters, "privateNetwork": True, "subnets": SUBNETS})
    early = for_step(parameters, final=False, readers=True, standing=Standing())
    assert not early.keys() & {"privateNetwork", "subnets"}
    for used in (
        for_step(parameters, final=True, readers=True, standing=Standing()),
        for_step(parameters, final=False, readers=True, standing=Standing(network=True)),
    ):
        assert used["privateNetwork"] and used["subnets"] == SUBNETS


def test_zones_that_are_not_made_cost_nothing(guide: Guide) -> None:
    private = {**guide.parameters, "privateNetwork": True}
    assert "Private DNS zones" in {cost.what for cost in monthly(private)}
    assert "Private DNS zones" not in {cost.what for cost in monthly({**private, "privateDnsZones": False})}
