"""Who gets in, by role and by network, in what the parameter files would deploy."""

from __future__ import annotations

import ipaddress
import json
import re

import pytest

from tests.infra.conftest import Bicep
from tests.infra.snapshots import EXAMPLES, GATEWAY, SETTLED, assigned, properties, resources


def test_dev_gives_the_gateway_its_model_and_nobody_anything_else(bicep: Bicep) -> None:
    assert assigned(bicep, "dev") == {
        ("CognitiveServices/accounts aoai-eastus2", "Cognitive Services OpenAI User", "ServicePrincipal")
    }


def test_prod_gives_each_the_least_role_on_the_one_resource_it_is_for(bicep: Bicep) -> None:
    assert assigned(bicep, "prod") == {
        ("CognitiveServices/accounts aoai-eastus2", "Cognitive Services OpenAI User", "ServicePrincipal"),
        ("CognitiveServices/accounts aoai-westus3", "Cognitive Services OpenAI User", "ServicePrincipal"),
        ("CognitiveServices/accounts aoai-northcentralus", "Cognitive Services OpenAI User", "ServicePrincipal"),
        ("CognitiveServices/accounts cs-aoai-prod", "Cognitive Services User", "ServicePrincipal"),
        ("KeyVault/vaults kv-aoai-prod", "Key Vault Secrets User", "ServicePrincipal"),
        ("OperationalInsights/workspaces log-aoai-prod", "Log Analytics Reader", "Group"),
        ("Storage/storageAccounts staoaiprod", "Storage Blob Data Reader", "Group"),
        ("OperationalInsights/workspaces log-aoai-prod", "Log Analytics Reader", "ServicePrincipal"),
        ("Storage/storageAccounts strepaoaipr", "Storage Blob Data Contributor", "ServicePrincipal"),
        ("ContainerRegistry/registries craoaiprod", "AcrPull", "ServicePrincipal"),
    }


@pytest.mark.parametrize("example", SETTLED)
def test_accounts_and_stores_take_no_keys(bicep: Bicep, example: str) -> None:
    accounts = properties(bicep, example, "Microsoft.CognitiveServices/accounts")
    assert accounts
    assert all(account["disableLocalAuth"] is True for account in accounts.values())
    for workspace in properties(bicep, example, "Microsoft.OperationalInsights/workspaces").values():
        assert workspace["features"]["disableLocalAuth"] is True
    for storage in properties(bicep, example, "Microsoft.Storage/storageAccounts").values():
        assert storage["allowSharedKeyAccess"] is False
        assert storage["allowBlobPublicAccess"] is False
    for vault in properties(bicep, example, "Microsoft.KeyVault/vaults").values():
        assert vault["enableRbacAuthorization"] is True
        assert vault["enablePurgeProtection"] is True
        assert "accessPolicies" not in vault


@pytest.mark.parametrize("example", EXAMPLES)
def test_nothing_deployed_holds_a_credential(bicep: Bicep, example: str) -> None:
    for value in properties(bicep, example, f"{GATEWAY}/namedValues").values():
        assert value["secret"] is False
    for backend in properties(bicep, example, f"{GATEWAY}/backends").values():
        assert set(backend.get("credentials", {})) <= {"managedIdentity"}
    for subscription in properties(bicep, example, f"{GATEWAY}/subscriptions").values():
        assert not {"primaryKey", "secondaryKey"} & set(subscription)
    assert not re.search(r"\blist[A-Z]?\w*\(", json.dumps(bicep.snapshot(example)))


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_gateway_has_an_identity_and_refuses_old_management_apis(bicep: Bicep, example: str) -> None:
    (gateway,) = resources(bicep, example, GATEWAY).values()
    assert gateway["identity"] == {"type": "SystemAssigned"}
    assert gateway["sku"]["name"].endswith("V2")
    assert gateway["properties"]["apiVersionConstraint"] == {"minApiVersion": "2021-08-01"}


#: Settings that close a resource to the internet, by the type that has them.
CLOSED = {
    "Microsoft.CognitiveServices/accounts": {"publicNetworkAccess": "Disabled"},
    "Microsoft.KeyVault/vaults": {"publicNetworkAccess": "Disabled"},
    "Microsoft.Storage/storageAccounts": {"publicNetworkAccess": "Disabled"},
    "Microsoft.EventHub/namespaces": {"publicNetworkAccess": "Disabled"},
    "Microsoft.EventHub/namespaces/networkRuleSets": {"publicNetworkAccess": "Disabled", "defaultAction": "Deny"},
    "Microsoft.OperationalInsights/workspaces": {
        "publicNetworkAccessForIngestion": "Disabled",
        "publicNetworkAccessForQuery": "Disabled",
    },
    GATEWAY: {"publicNetworkAccess": "Disabled", "virtualNetworkType": "External"},
    "Microsoft.ContainerRegistry/registries": {"publicNetworkAccess": "Disabled", "adminUserEnabled": False},
}
#: What needs no closing: no network of its own, or part of one of the above.
NO_ENTRANCE = (
    "Microsoft.App/managedEnvironments",
    "Microsoft.Consumption/budgets",
    "Microsoft.Insights/actionGroups",
    "Microsoft.Insights/scheduledQueryRules",
    "Microsoft.Insights/workbooks",
    "Microsoft.OperationalInsights/queryPacks",
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.Insights/diagnosticSettings",
    "Microsoft.Insights/privateLinkScopes",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.Network/",
)


def test_private_is_closed_to_the_internet_everywhere(bicep: Bicep) -> None:
    for kind, settings in CLOSED.items():
        found = properties(bicep, "prod", kind)
        assert found, kind
        for name, values in found.items():
            assert settings.items() <= values.items(), name


def test_private_has_no_kind_of_resource_that_nobody_thought_of_closing(bicep: Bicep) -> None:
    for resource in bicep.snapshot("prod")["predictedResources"]:
        kind = resource["type"].lower()
        parts = [known.lower() for known in (*CLOSED, *NO_ENTRANCE)]
        assert any(kind == part or kind.startswith(part.rstrip("/") + "/") for part in parts), resource["type"]


def test_private_has_an_endpoint_for_everything_that_is_closed(bicep: Bicep) -> None:
    reached = {}
    for name, endpoint in properties(bicep, "prod", "Microsoft.Network/privateEndpoints").items():
        (connection,) = endpoint["privateLinkServiceConnections"]
        assert endpoint["subnet"]["id"].endswith("/subnets/endpoints"), name
        target = connection["properties"]["privateLinkServiceId"].lower()
        reached.setdefault(target, []).extend(connection["properties"]["groupIds"])
    for kind in CLOSED:
        if kind.endswith("networkRuleSets"):
            continue
        for resource in resources(bicep, "prod", kind).values():
            if kind == "Microsoft.OperationalInsights/workspaces":
                (linked,) = properties(bicep, "prod", "Microsoft.Insights/privateLinkScopes/scopedResources").values()
                assert linked["linkedResourceId"] == resource["id"]
                (scope,) = resources(bicep, "prod", "Microsoft.Insights/privateLinkScopes").values()
                assert reached[scope["id"].lower()] == ["azuremonitor"]
            else:
                assert resource["id"].lower() in reached, resource["id"]


def test_private_names_resolve_in_zones_that_are_linked_to_the_network(bicep: Bicep) -> None:
    snapshot = bicep.snapshot("prod")["predictedResources"]
    zones = {r["id"] for r in snapshot if r["type"] == "Microsoft.Network/privateDnsZones"}
    linked = {
        r["id"].rsplit("/virtualNetworkLinks/", 1)[0] for r in snapshot if r["type"].endswith("/virtualNetworkLinks")
    }
    groups = [r for r in snapshot if r["type"].endswith("/privateDnsZoneGroups")]
    used = {c["properties"]["privateDnsZoneId"] for r in groups for c in r["properties"]["privateDnsZoneConfigs"]}
    endpoints = [r for r in snapshot if r["type"] == "Microsoft.Network/privateEndpoints"]
    assert len(groups) == len(endpoints)
    # The Azure storage suffix is only known in Azure, so that zone's id is an expression here.
    plain = {zone for zone in used if not zone.startswith("[")}
    assert len(plain) >= 9
    assert plain <= zones
    assert plain <= linked


def test_private_subnets_do_not_overlap_and_each_has_its_rules(bicep: Bicep) -> None:
    (network,) = properties(bicep, "prod", "Microsoft.Network/virtualNetworks").values()
    space = ipaddress.ip_network(network["addressSpace"]["addressPrefixes"][0])
    subnets = {s["name"]: s["properties"] for s in network["subnets"]}
    ranges = [ipaddress.ip_network(s["addressPrefix"]) for s in subnets.values()]
    assert all(r.subnet_of(space) for r in ranges)
    assert not any(a.overlaps(b) for i, a in enumerate(ranges) for b in ranges[i + 1 :])
    assert all(s["networkSecurityGroup"]["id"].endswith(name) for name, s in subnets.items())
    delegations = {
        name: [d["properties"]["serviceName"] for d in s.get("delegations", [])] for name, s in subnets.items()
    }
    assert delegations == {
        "gateway": ["Microsoft.Web/serverFarms"],
        "endpoints": [],
        "application-gateway": [],
        "reports": ["Microsoft.App/environments"],
    }


def test_the_one_public_address_of_private_is_the_application_gateways(bicep: Bicep) -> None:
    (address,) = resources(bicep, "prod", "Microsoft.Network/publicIPAddresses").values()
    (entrance,) = properties(bicep, "prod", "Microsoft.Network/applicationGateways").values()
    (frontend,) = entrance["frontendIPConfigurations"]
    assert frontend["properties"]["publicIPAddress"]["id"] == address["id"]
    assert entrance["sku"]["tier"] == "WAF_v2"
    assert entrance["globalConfiguration"]["enableResponseBuffering"] is False
    assert [listener["properties"]["protocol"] for listener in entrance["httpListeners"]] == ["Https"]


def test_the_firewall_lets_long_prompts_through(bicep: Bicep) -> None:
    """Rule set 2.1 enforces a body's size, 128 KB, apart from requestBodyCheck."""
    (firewall,) = properties(
        bicep, "prod", "Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies"
    ).values()
    settings = firewall["policySettings"]
    bodies = ("requestBodyCheck", "requestBodyEnforcement", "fileUploadEnforcement")
    assert {name: settings[name] for name in bodies} == dict.fromkeys(bodies, False)
    assert settings["mode"] == "Prevention"


def test_dev_makes_no_network(bicep: Bicep) -> None:
    assert not [r for r in bicep.snapshot("dev")["predictedResources"] if r["type"].startswith("Microsoft.Network/")]
