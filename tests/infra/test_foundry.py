"""A Microsoft Foundry resource (kind AIServices) beside an Azure OpenAI account, in one pool.

Sources: Microsoft Learn, "Configure keyless authentication with Microsoft Entra ID" (the role), "Azure private endpoint
private DNS zone values" (the zones), "API version lifecycle" (the host names of the v1 routes).
"""

from __future__ import annotations

import re

from tests.infra.conftest import Bicep
from tests.infra.snapshots import GATEWAY, assigned, resources

ACCOUNTS = "Microsoft.CognitiveServices/accounts"


def test_each_account_is_of_its_kind_and_each_model_of_its_maker(bicep: Bicep) -> None:
    kinds = {name[:9]: account["kind"] for name, account in resources(bicep, "foundry", ACCOUNTS).items()}
    assert kinds == {"aoai-a-" + next(iter(kinds))[7:]: "OpenAI", "foundry-b": "AIServices"}
    deployed = [d["properties"]["model"] for d in every(bicep, f"{ACCOUNTS}/deployments")]
    assert {(model["name"], model["format"]) for model in deployed} == {("gpt-5.4-mini", "OpenAI"), ("grok-4", "xAI")}


def every(bicep: Bicep, kind: str) -> list[dict]:
    return [r for r in bicep.snapshot("foundry")["predictedResources"] if r["type"].lower() == kind.lower()]


def test_a_foundry_resource_is_managed_with_projects_and_an_openai_account_is_not(bicep: Bicep) -> None:
    for name, account in resources(bicep, "foundry", ACCOUNTS).items():
        foundry = name.startswith("foundry-b")
        assert (account["properties"].get("allowProjectManagement") is True) is foundry
        assert ((account.get("identity") or {}).get("type") == "SystemAssigned") is foundry
        assert account["properties"]["customSubDomainName"] == name


def test_the_gateway_has_the_role_that_each_kind_needs(bicep: Bicep) -> None:
    given = {(place, role) for place, role, _ in assigned(bicep, "foundry") if place.startswith("CognitiveServices")}
    assert given == {
        ("CognitiveServices/accounts aoai-a", "Cognitive Services OpenAI User"),
        ("CognitiveServices/accounts foundry-b", "Cognitive Services User"),
    }


def test_its_three_names_resolve_privately(bicep: Bicep) -> None:
    zones = {zone["name"] for zone in every(bicep, "Microsoft.Network/privateDnsZones")}
    both = {"privatelink.openai.azure.com", "privatelink.cognitiveservices.azure.com"}
    assert both | {"privatelink.services.ai.azure.com"} <= zones
    found = {}
    for group in every(bicep, "Microsoft.Network/privateEndpoints/privateDnsZoneGroups"):
        ids = [config["properties"]["privateDnsZoneId"] for config in group["properties"]["privateDnsZoneConfigs"]]
        found[group["name"].split("/")[0]] = {zone.split("/")[-1] for zone in ids}
    assert found["pe-aoai-try-aoai-a"] == both
    assert found["pe-aoai-try-foundry-b"] == both | {"privatelink.services.ai.azure.com"}


def test_an_installation_without_one_pays_for_no_zone_of_it(bicep: Bicep) -> None:
    zones = resources(bicep, "prod", "Microsoft.Network/privateDnsZones")
    assert "privatelink.services.ai.azure.com" not in zones


def test_its_backend_is_where_openais_routes_are(bicep: Bicep) -> None:
    backends = resources(bicep, "foundry", f"{GATEWAY}/backends")
    assert {"aoai-a", "foundry-b"} <= set(backends)
    output = bicep.template()["resources"]["openAI"]["properties"]["template"]["outputs"]["endpoint"]["value"]
    assert re.search(r"if\(variables\('foundry'\), format\('https://\{0\}\.openai\.azure\.com/', ", output)
