"""Models, backends, API, policies and products in what the parameter files would deploy."""

from __future__ import annotations

import json
import re

import pytest

from tests.infra.conftest import INFRA, Bicep
from tests.infra.snapshots import EXAMPLES, GATEWAY, POLICIES, SETTLED, assigned, properties, resources


@pytest.mark.parametrize("example", SETTLED)
def test_every_backend_has_one_breaker_that_heeds_retry_after(bicep: Bicep, example: str) -> None:
    breaker = json.loads((POLICIES / "backend-answers.json").read_text("utf-8"))["breaker"]
    backends = properties(bicep, example, f"{GATEWAY}/backends")
    single = {name: backend for name, backend in backends.items() if backend["type"] == "Single"}
    assert {name for name in backends if name not in single} <= {"aoai-pool", "claude-pool"}
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


def test_a_gateway_has_its_further_regions_and_otherwise_one(bicep: Bicep) -> None:
    (gateway,) = properties(bicep, "teams", GATEWAY).values()
    further = [{"location": "westeurope", "sku": {"name": "Premium", "capacity": 2}}]
    assert gateway["additionalLocations"] == further
    (single,) = properties(bicep, "dev", GATEWAY).values()
    assert single.get("additionalLocations") is None


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


def policy_texts(bicep: Bicep, example: str) -> list[str]:
    kinds = ("apis/policies", "products/policies", "policyFragments")
    snapshot = bicep.snapshot(example)["predictedResources"]
    return [r["properties"]["value"] for r in snapshot if r["type"] in {f"{GATEWAY}/{kind}" for kind in kinds}]


def without_comments(xml: str) -> str:
    return re.sub(r"<!--.*?-->", "", xml, flags=re.S)


@pytest.mark.parametrize(("example", "keys_only"), [("dev", True), ("prod", False), ("other-choices", True)])
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
    chosen |= {"backend-members": "aoai-a", "entra-audience": "off", "entra-app-id": "off"}
    assert values == {name: chosen.get(name, default["value"]) for name, default in defaults.items()}


@pytest.mark.parametrize(
    ("example", "keys_only", "audience"),
    [
        ("nothing-chosen", True, "off"),
        ("prod", False, "00000000-0000-0000-0000-000000000003"),
        ("tokens-by-uri", False, "00000000-0000-0000-0000-000000000003"),
    ],
)
def test_entra_tokens_are_off_until_there_is_an_audience(
    bicep: Bicep, example: str, keys_only: bool, audience: str
) -> None:
    """The policy accepts the ID with and without api://, so that the parameter may be either."""
    assert properties(bicep, example, f"{GATEWAY}/apis")["azure-openai"]["subscriptionRequired"] is keys_only
    values = properties(bicep, example, f"{GATEWAY}/namedValues")
    assert values["entra-app-id"]["value"] == audience
    assert values["entra-audience"]["value"] == ("off" if audience == "off" else f"api://{audience}")


def test_the_pool_keeps_to_the_cookie_of_a_stored_response_and_retries_know_its_members(bicep: Bicep) -> None:
    pool = properties(bicep, "prod", f"{GATEWAY}/backends")["aoai-pool"]["pool"]
    assert pool["sessionAffinity"] == {"sessionId": {"source": "cookie", "name": "aoai-backend"}}
    members = properties(bicep, "prod", f"{GATEWAY}/namedValues")["backend-members"]["value"]
    assert members.split() == ["aoai-eastus2", "aoai-westus3", "aoai-northcentralus"]


@pytest.mark.parametrize("example", SETTLED)
def test_a_breaker_opens_for_throttling_and_lost_connections_only(bicep: Bicep, example: str) -> None:
    """One caller's failing requests must not take every account out."""
    for name, backend in properties(bicep, example, f"{GATEWAY}/backends").items():
        for rule in backend.get("circuitBreaker", {}).get("rules", []):
            assert rule["failureCondition"]["statusCodeRanges"] == [{"min": 429, "max": 429}], name
            assert rule["failureCondition"]["errorReasons"] == ["BackendConnectionFailure", "Timeout"], name


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
