"""What the example parameter files would deploy, as Bicep's snapshots evaluate them."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any

import pytest

from tests.conftest import REPO
from tests.infra.conftest import INFRA, RESOURCE_GROUP, SUBSCRIPTION_ID, VARIANTS, Bicep

EXAMPLES = ("dev", "prod")
SETTLED = (*EXAMPLES, "other-choices")
#: Ids of Azure's built-in roles: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
ROLES = {
    "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd": "Cognitive Services OpenAI User",
    "a97b65f3-24c7-4388-baec-2e87135dc908": "Cognitive Services User",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "73c42c96-874c-492b-b04d-ab87d138a893": "Log Analytics Reader",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
}
GATEWAY = "Microsoft.ApiManagement/service"
POLICIES = INFRA.parent / "policies"

Resource = dict[str, Any]


def resources(bicep: Bicep, example: str, kind: str) -> dict[str, Resource]:
    """The resources of a type by their own name, the last one of each id: what stands when all is deployed."""
    found = [r for r in bicep.snapshot(example)["predictedResources"] if r["type"].lower() == kind.lower()]
    return {resource["name"].split("/")[-1]: resource for resource in found}


def properties(bicep: Bicep, example: str, kind: str) -> dict[str, dict[str, Any]]:
    return {name: resource.get("properties", {}) for name, resource in resources(bicep, example, kind).items()}


@pytest.mark.parametrize("example", SETTLED)
def test_a_snapshot_has_no_diagnostics(bicep: Bicep, example: str) -> None:
    assert bicep.snapshot(example)["diagnostics"] == []


# ---- Roles and credentials


def shortened(name: str) -> str:
    """A resource's name without the unique string at its end, which a name's greatest length may have cut."""
    return re.sub(r"-(?=[a-z0-9]*\d)[a-z0-9]{10,13}$|(?<!-)[a-z0-9]{13}$", "", name)


def assigned(bicep: Bicep, example: str) -> set[tuple[str, str, str]]:
    """(type of the resource, role, kind of who has it) of every role assignment."""
    given = set()
    for resource in resources(bicep, example, "Microsoft.Authorization/roleAssignments").values():
        scope = resource["id"].rsplit("/providers/Microsoft.Authorization/", 1)[0]
        prefix = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{RESOURCE_GROUP}/providers/"
        assert scope.startswith(prefix), f"a role on more than one resource: {scope}"
        kind, name = scope.removeprefix(prefix).rsplit("/", 1)
        role = ROLES[resource["properties"]["roleDefinitionId"].rsplit("/", 1)[1]]
        given.add((f"{kind.split('.')[1]} {shortened(name)}", role, resource["properties"]["principalType"]))
    return given


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


# ---- Network

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
}
#: What needs no closing: no network of its own, or part of one of the above.
NO_ENTRANCE = (
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
        reached[target] = connection["properties"]["groupIds"]
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
    delegations = [d["properties"]["serviceName"] for d in subnets["gateway"]["delegations"]]
    assert delegations == ["Microsoft.Web/serverFarms"]


def test_the_one_public_address_of_private_is_the_application_gateways(bicep: Bicep) -> None:
    (address,) = resources(bicep, "prod", "Microsoft.Network/publicIPAddresses").values()
    (entrance,) = properties(bicep, "prod", "Microsoft.Network/applicationGateways").values()
    (frontend,) = entrance["frontendIPConfigurations"]
    assert frontend["properties"]["publicIPAddress"]["id"] == address["id"]
    assert entrance["sku"]["tier"] == "WAF_v2"
    assert entrance["globalConfiguration"]["enableResponseBuffering"] is False
    assert [listener["properties"]["protocol"] for listener in entrance["httpListeners"]] == ["Https"]


def test_dev_makes_no_network(bicep: Bicep) -> None:
    assert not [r for r in bicep.snapshot("dev")["predictedResources"] if r["type"].startswith("Microsoft.Network/")]


# ---- Logs


@pytest.mark.parametrize("example", SETTLED)
def test_every_request_is_logged_with_client_address_and_traces(bicep: Bicep, example: str) -> None:
    (logger,) = resources(bicep, example, f"{GATEWAY}/loggers").values()
    assert (logger["name"].split("/")[1], logger["properties"]["loggerType"]) == ("azuremonitor", "azureMonitor")
    for kind in (f"{GATEWAY}/diagnostics", f"{GATEWAY}/apis/diagnostics"):
        diagnostics = properties(bicep, example, kind)
        assert set(diagnostics) == {"azuremonitor"}
        diagnostic = diagnostics["azuremonitor"]
        assert diagnostic["loggerId"] == logger["id"]
        assert diagnostic["sampling"] == {"samplingType": "fixed", "percentage": 100}
        assert diagnostic["logClientIp"] is True
        assert diagnostic["verbosity"] == "information"
        assert diagnostic["alwaysLog"] == "allErrors"


@pytest.mark.parametrize("example", EXAMPLES)
def test_messages_are_logged_whole_and_bodies_not_at_all(bicep: Bicep, example: str) -> None:
    diagnostic = properties(bicep, example, f"{GATEWAY}/apis/diagnostics")["azuremonitor"]
    side = {"messages": "all", "maxSizeInBytes": 262144}
    assert diagnostic["largeLanguageModel"] == {"logs": "enabled", "requests": side, "responses": side}
    for kind in (f"{GATEWAY}/diagnostics", f"{GATEWAY}/apis/diagnostics"):
        for end in ("frontend", "backend"):
            for way in ("request", "response"):
                part = properties(bicep, example, kind)["azuremonitor"][end][way]
                assert part["body"] == {"bytes": 0}
                hidden = {h["value"] for h in part["dataMasking"]["headers"] + part["dataMasking"]["queryParams"]}
                assert hidden == {"api-key", "Authorization", "subscription-key"}


def test_messages_can_stay_out_of_the_logs_and_bodies_come_in_from_the_client_side_only(bicep: Bicep) -> None:
    diagnostic = properties(bicep, "other-choices", f"{GATEWAY}/apis/diagnostics")["azuremonitor"]
    assert diagnostic["largeLanguageModel"] == {"logs": "enabled"}
    bodies = {
        (e, w): diagnostic[e][w]["body"]["bytes"] for e in ("frontend", "backend") for w in ("request", "response")
    }
    assert bodies == {
        ("frontend", "request"): 4096,
        ("frontend", "response"): 4096,
        ("backend", "request"): 0,
        ("backend", "response"): 0,
    }


@pytest.mark.parametrize(
    ("example", "storage", "event_hub"), [("dev", True, False), ("prod", True, True), ("other-choices", False, False)]
)
def test_both_logs_go_to_their_own_tables_and_wherever_else_was_asked(
    bicep: Bicep, example: str, storage: bool, event_hub: bool
) -> None:
    (setting,) = resources(bicep, example, "Microsoft.Insights/diagnosticSettings").values()
    assert f"{GATEWAY}/apim-" in setting["id"]
    values = setting["properties"]
    assert values["logAnalyticsDestinationType"] == "Dedicated"
    assert {log["category"]: log["enabled"] for log in values["logs"]} == {"GatewayLogs": True, "GatewayLlmLogs": True}
    (workspace,) = resources(bicep, example, "Microsoft.OperationalInsights/workspaces").values()
    assert values["workspaceId"] == workspace["id"]
    accounts = [r["id"] for r in resources(bicep, example, "Microsoft.Storage/storageAccounts").values()]
    assert [values["storageAccountId"]] == (accounts if storage else [None])
    rules = resources(bicep, example, "Microsoft.EventHub/namespaces/authorizationRules").values()
    assert [values["eventHubAuthorizationRuleId"]] == ([r["id"] for r in rules] if event_hub else [None])
    hubs = list(resources(bicep, example, "Microsoft.EventHub/namespaces/eventhubs"))
    assert [values["eventHubName"]] == (hubs if event_hub else [None])


@pytest.mark.parametrize("example", EXAMPLES)
def test_logs_are_kept_as_long_as_asked_and_prompts_no_longer(bicep: Bicep, example: str) -> None:
    tables = properties(bicep, example, "Microsoft.OperationalInsights/workspaces/tables")
    (workspace,) = properties(bicep, example, "Microsoft.OperationalInsights/workspaces").values()
    assert set(tables) == {"ApiManagementGatewayLogs", "ApiManagementGatewayLlmLog"}
    assert tables["ApiManagementGatewayLogs"]["retentionInDays"] == workspace["retentionInDays"]
    prompts = tables["ApiManagementGatewayLlmLog"]
    assert prompts["retentionInDays"] == prompts["totalRetentionInDays"] == 30
    assert workspace["workspaceCapping"] == {"dailyQuotaGb": -1}


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_function_of_the_semantic_layer_is_saved_after_those_it_uses(bicep: Bicep, example: str) -> None:
    saved = properties(bicep, example, "Microsoft.OperationalInsights/workspaces/savedSearches").values()
    files = {path.stem: path.read_text("utf-8") for path in (REPO / "kql/functions").glob("*.kql")}
    assert {function["functionAlias"]: function["query"] for function in saved} == files, (
        "setup_scripts/infra/functions.bicep lists the functions: one line for each file of kql/functions"
    )
    order = [function["functionAlias"] for function in saved]
    for place, name in enumerate(order):
        code = re.sub(r"//.*", "", files[name])
        assert not [later for later in order[place + 1 :] if re.search(rf"\b{later}\b", code)], name


def test_functions_given_are_saved_under_the_name_queries_use(bicep: Bicep) -> None:
    (saved,) = properties(bicep, "other-choices", "Microsoft.OperationalInsights/workspaces/savedSearches").values()
    assert (saved["functionAlias"], saved["query"]) == ("AoaiRequests", "ApiManagementGatewayLogs")


# ---- Models and backends


@pytest.mark.parametrize("example", SETTLED)
def test_every_backend_has_one_breaker_that_heeds_retry_after(bicep: Bicep, example: str) -> None:
    breaker = json.loads((POLICIES / "backend-answers.json").read_text("utf-8"))["breaker"]
    backends = properties(bicep, example, f"{GATEWAY}/backends")
    single = {name: backend for name, backend in backends.items() if backend["type"] == "Single"}
    assert len(single) == len(backends) - 1
    for backend in single.values():
        (rule,) = backend["circuitBreaker"]["rules"]
        assert rule["acceptRetryAfter"] is breaker["acceptRetryAfter"] is True
        assert rule["failureCondition"]["statusCodeRanges"] == breaker["statusCodeRanges"]
        assert rule["failureCondition"]["errorReasons"] == breaker["errorReasons"]
        assert rule["failureCondition"]["interval"] == "PT1M"


@pytest.mark.parametrize(("example", "failures", "trip"), [("dev", 3, 10), ("prod", 1, 10), ("other-choices", 3, 25)])
def test_a_breaker_opens_at_once_where_there_is_another_and_for_as_long_as_clients_are_told(
    bicep: Bicep, example: str, failures: int, trip: int
) -> None:
    backends = properties(bicep, example, f"{GATEWAY}/backends").values()
    (rules,) = {json.dumps(b["circuitBreaker"]["rules"]) for b in backends if b["type"] == "Single"}
    (rule,) = json.loads(rules)
    assert (rule["failureCondition"]["count"], rule["tripDuration"]) == (failures, f"PT{trip}S")
    assert properties(bicep, example, f"{GATEWAY}/namedValues")["retry-after-seconds"]["value"] == str(trip)


@pytest.mark.parametrize(
    ("example", "places"),
    [
        ("dev", {"aoai-eastus2": (1, 1)}),
        ("prod", {"aoai-eastus2": (1, 1), "aoai-westus3": (2, 3), "aoai-northcentralus": (2, 1)}),
    ],
)
def test_the_pool_holds_every_account_at_its_place(
    bicep: Bicep, example: str, places: dict[str, tuple[int, int]]
) -> None:
    backends = resources(bicep, example, f"{GATEWAY}/backends")
    members = backends["aoai-pool"]["properties"]["pool"]["services"]
    assert {m["id"].split("/")[-1]: (m["priority"], m["weight"]) for m in members} == places
    for member in members:
        backend = backends[member["id"].split("/")[-1]]
        assert backend["id"] == member["id"]
        # The API's path, openai, is not part of what the gateway appends.
        assert re.match(r"\[format\('\{0\}openai', .*outputs\.endpoint\.value\)\]", backend["properties"]["url"])


def test_prod_deploys_every_kind_and_spills_provisioned_traffic_over(bicep: Bicep) -> None:
    deployments = resources(bicep, "prod", "Microsoft.CognitiveServices/accounts/deployments")
    everywhere = [
        r
        for r in bicep.snapshot("prod")["predictedResources"]
        if r["type"] == "Microsoft.CognitiveServices/accounts/deployments"
    ]
    assert len(everywhere) == 10
    assert {r["sku"]["name"] for r in everywhere} == {
        "Standard", "GlobalStandard", "DataZoneStandard", "DataZoneProvisionedManaged"
    }  # fmt: skip
    (spilling,) = [r for r in everywhere if r["properties"].get("spilloverDeploymentName")]
    target = deployments[spilling["properties"]["spilloverDeploymentName"]]
    assert target["id"].rsplit("/", 1)[0] == spilling["id"].rsplit("/", 1)[0]
    assert target["sku"]["name"] == "DataZoneStandard"
    assert everywhere.index(target) < everywhere.index(spilling)
    assert {r["properties"]["versionUpgradeOption"] for r in everywhere} == {"NoAutoUpgrade"}


# ---- API, policies, products


def policy_texts(bicep: Bicep, example: str) -> list[str]:
    kinds = ("apis/policies", "products/policies", "policyFragments")
    snapshot = bicep.snapshot(example)["predictedResources"]
    return [r["properties"]["value"] for r in snapshot if r["type"] in {f"{GATEWAY}/{kind}" for kind in kinds}]


def without_comments(xml: str) -> str:
    return re.sub(r"<!--.*?-->", "", xml, flags=re.S)


@pytest.mark.parametrize(("example", "keys_only"), [("dev", False), ("prod", False), ("other-choices", True)])
def test_the_api_takes_the_key_in_azures_header_over_https(bicep: Bicep, example: str, keys_only: bool) -> None:
    ((name, api),) = properties(bicep, example, f"{GATEWAY}/apis").items()
    assert (name, api["path"], api["format"]) == ("azure-openai", "openai", "openapi+json")
    assert api["subscriptionKeyParameterNames"]["header"] == "api-key"
    assert api["protocols"] == ["https"]
    assert api["subscriptionRequired"] is keys_only
    assert json.loads(api["value"]) == json.loads((INFRA / "api/azure-openai.openapi.json").read_text("utf-8"))


@pytest.mark.parametrize("example", SETTLED)
def test_everything_that_policies_name_is_deployed(bicep: Bicep, example: str) -> None:
    texts = [without_comments(text) for text in policy_texts(bicep, example)]
    named = {name for text in texts for name in re.findall(r"\{\{([\w-]+)\}\}", text)}
    included = {name for text in texts for name in re.findall(r'fragment-id="([\w-]+)"', text)}
    values = properties(bicep, example, f"{GATEWAY}/namedValues")
    assert named
    assert named <= set(values)
    assert included == set(resources(bicep, example, f"{GATEWAY}/policyFragments"))
    assert values["backend-pool"]["value"] in resources(bicep, example, f"{GATEWAY}/backends")
    assert all(value.get("value") or value["keyVault"] for value in values.values())


def test_prod_turns_content_safety_on_with_a_backend_and_dev_leaves_it_out(bicep: Bicep) -> None:
    assert "content-safety" in resources(bicep, "prod", f"{GATEWAY}/policyFragments")
    assert "content-safety" not in resources(bicep, "dev", f"{GATEWAY}/policyFragments")
    value = properties(bicep, "prod", f"{GATEWAY}/namedValues")["content-safety-backend"]["value"]
    backend = properties(bicep, "prod", f"{GATEWAY}/backends")[value]
    assert backend["credentials"] == {"managedIdentity": {"resource": "https://cognitiveservices.azure.com"}}
    assert value not in resources(bicep, "dev", f"{GATEWAY}/backends")


def test_a_semantic_cache_has_its_redis_and_its_embeddings_and_leaves_the_secret_in_the_vault(bicep: Bicep) -> None:
    fragments = set(resources(bicep, "other-choices", f"{GATEWAY}/policyFragments"))
    assert fragments >= {"semantic-cache-lookup", "semantic-cache-store"}
    values = properties(bicep, "other-choices", f"{GATEWAY}/namedValues")
    backend = resources(bicep, "other-choices", f"{GATEWAY}/backends")[
        values["semantic-cache-embeddings-backend"]["value"]
    ]
    assert "deployments/{1}/embeddings" in backend["properties"]["url"]
    (cache,) = properties(bicep, "other-choices", f"{GATEWAY}/caches").values()
    assert cache["connectionString"] == "{{semantic-cache-connection-string}}"
    connection = values["semantic-cache-connection-string"]
    assert connection["secret"] is True
    assert "value" not in connection
    assert "redis-connection-string" in connection["keyVault"]["secretIdentifier"]
    assert ("KeyVault/vaults kv-aoai-try", "Key Vault Secrets User", "ServicePrincipal") in assigned(
        bicep, "other-choices"
    )
    for example in EXAMPLES:
        assert not resources(bicep, example, f"{GATEWAY}/caches")
        assert not [f for f in resources(bicep, example, f"{GATEWAY}/policyFragments") if f.startswith("semantic")]


@pytest.mark.parametrize("example", EXAMPLES)
def test_policies_are_deployed_as_they_stand_in_their_files(bicep: Bicep, example: str) -> None:
    fragments = properties(bicep, example, f"{GATEWAY}/policyFragments")
    assert fragments
    for name, fragment in fragments.items():
        assert fragment["value"] == (POLICIES / f"fragments/{name}.xml").read_text("utf-8")
        # The files are XML, their expressions escaped; "rawxml" takes expressions verbatim.
        assert fragment["format"] == "xml"
    for resource in bicep.snapshot(example)["predictedResources"]:
        if resource["type"] == f"{GATEWAY}/products/policies":
            product = resource["name"].split("/")[1]
            assert resource["properties"]["value"] == (POLICIES / f"product-{product}.xml").read_text("utf-8")


def test_named_values_default_to_what_stands_beside_the_policies(bicep: Bicep) -> None:
    defaults = json.loads((POLICIES / "named-values.json").read_text("utf-8"))
    values = {
        n: v["value"] for n, v in properties(bicep, "other-choices", f"{GATEWAY}/namedValues").items() if "value" in v
    }
    chosen = {"retry-after-seconds": "25", "backend-retries": "1", "entra-tenant-id": values["entra-tenant-id"]}
    assert values == {name: chosen.get(name, default["value"]) for name, default in defaults.items()}


@pytest.mark.parametrize("example", EXAMPLES)
def test_products_ask_for_a_subscription_and_open_the_api(bicep: Bicep, example: str) -> None:
    products = properties(bicep, example, f"{GATEWAY}/products")
    assert set(products) == {path.stem.removeprefix("product-") for path in POLICIES.glob("product-*.xml")}
    for product in products.values():
        assert product["subscriptionRequired"] is True
        assert product["state"] == "published"
    links = [
        r["name"].split("/")[1:]
        for r in bicep.snapshot(example)["predictedResources"]
        if r["type"] == f"{GATEWAY}/products/apis"
    ]
    assert sorted(links) == sorted([name, "azure-openai"] for name in products)


def test_each_subscription_is_in_its_product(bicep: Bicep) -> None:
    subscriptions = properties(bicep, "prod", f"{GATEWAY}/subscriptions")
    assert {name: s["scope"].split("/")[-1] for name, s in subscriptions.items()} == {
        "sub-hr": "bronze",
        "sub-finance": "silver",
        "sub-legal": "silver",
        "sub-support-bot": "gold",
        "sub-platform": "unlimited",
    }


# ---- What is refused


@pytest.mark.parametrize(
    ("variant", "says"),
    [
        ("uneven-deployments", ["aoai-b offers the deployments other, but aoai-a offers chat", "of the same names"]),
        ("spillover-from-standard", ["deployment chat cannot spill over", "Only a Provisioned deployment can"]),
        ("cache-without-embeddings", ["no account has a deployment named embed", "Name an embeddings deployment"]),
        ("entrance-without-network", ["applicationGateway: it stands before a private gateway", "privateNetwork"]),
        ("private-on-a-small-tier", ["BasicV2 cannot join a virtual network", "StandardV2 or PremiumV2"]),
    ],
)
def test_parameters_that_cannot_work_are_refused_with_what_to_do(bicep: Bicep, variant: str, says: list[str]) -> None:
    ran = bicep.said[f"snapshot {variant}"]
    assert ran.code == 1
    assert all(words in ran.errors for words in says), ran.errors


def test_every_variant_is_used() -> None:
    source = (INFRA.parents[1] / "tests/infra/test_snapshots.py").read_text("utf-8")
    assert all(f'"{variant}"' in source for variant in VARIANTS)
