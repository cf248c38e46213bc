"""Claude on a Foundry resource beside two Azure OpenAI accounts: an API, backends and a pool of its own.

Sources: Anthropic's documentation, "Claude in Microsoft Foundry" (the host and path); Microsoft Learn, "Deploy and use
Claude models in Microsoft Foundry" (the customer that a deployment names).
"""

from __future__ import annotations

import json
import re

from tests.infra.conftest import INFRA, Bicep
from tests.infra.snapshots import GATEWAY, properties


def test_its_deployment_names_the_customer_and_no_filter_of_azure(bicep: Bicep) -> None:
    deployed = properties(bicep, "claude", "Microsoft.CognitiveServices/accounts/deployments")
    assert deployed["claude"]["model"] == {"format": "Anthropic", "name": "claude-sonnet-4-6", "version": "1"}
    customer = {"organizationName": "Contoso", "industry": "technology", "countryCode": "DE"}
    assert deployed["claude"]["modelProviderData"] == customer
    assert "raiPolicyName" not in deployed["claude"]
    assert deployed["chat"]["raiPolicyName"] == "Microsoft.DefaultV2" and "modelProviderData" not in deployed["chat"]


def test_each_pool_has_the_accounts_that_can_answer_it(bicep: Bicep) -> None:
    backends = properties(bicep, "claude", f"{GATEWAY}/backends")
    assert {name for name, each in backends.items() if each["type"] == "Single"} == {
        "aoai-a",
        "aoai-b",
        "foundry-c-claude",
    }
    members = {
        name: [service["id"].split("/")[-1] for service in each["pool"]["services"]]
        for name, each in backends.items()
        if each["type"] == "Pool"
    }
    assert members == {"aoai-pool": ["aoai-a", "aoai-b"], "claude-pool": ["foundry-c-claude"]}


def test_a_backend_is_at_its_apis_host_and_a_pool_of_one_bears_three_failures(bicep: Bicep) -> None:
    backends = properties(bicep, "claude", f"{GATEWAY}/backends")
    url = re.compile(r"\[format\('\{0\}(\w+)', .*outputs\.(\w+)\.value\)\]")
    found = {name: url.fullmatch(backends[name]["url"]) for name in ("aoai-a", "foundry-c-claude")}
    assert found["aoai-a"] and found["aoai-a"].groups() == ("openai", "endpoint")
    assert found["foundry-c-claude"] and found["foundry-c-claude"].groups() == ("anthropic", "claudeEndpoint")
    output = bicep.template()["resources"]["openAI"]["properties"]["template"]["outputs"]["claudeEndpoint"]["value"]
    assert output.startswith("[format('https://{0}.services.ai.azure.com/', ")
    counts = {
        name: backends[name]["circuitBreaker"]["rules"][0]["failureCondition"]["count"]
        for name in ("aoai-a", "foundry-c-claude")
    }
    assert counts == {"aoai-a": 1, "foundry-c-claude": 3}


def test_the_policies_are_given_the_members_of_each_pool(bicep: Bicep) -> None:
    values = {name: each["value"] for name, each in properties(bicep, "claude", f"{GATEWAY}/namedValues").items()}
    assert values["backend-members"] == "aoai-a aoai-b" and values["claude-members"] == "foundry-c"
    assert values["claude-pool"] == "claude-pool"


def test_its_api_takes_anthropics_key_header_and_has_the_same_policy_products_and_logs(bicep: Bicep) -> None:
    apis = properties(bicep, "claude", f"{GATEWAY}/apis")
    assert apis["anthropic"]["path"] == "anthropic"
    assert apis["anthropic"]["subscriptionKeyParameterNames"]["header"] == "x-api-key"
    every = bicep.snapshot("claude")["predictedResources"]

    def below(kind: str) -> dict[str, dict]:
        return {r["name"].split("/", 1)[1]: r.get("properties", {}) for r in every if r["type"] == f"{GATEWAY}/{kind}"}

    policies = below("apis/policies")
    assert policies["anthropic/policy"]["value"] == policies["azure-openai/policy"]["value"]
    for option in ("claude", "own-responses"):
        assert f'<include-fragment fragment-id="{option}" />' in policies["anthropic/policy"]["value"]
        assert option in below("policyFragments")
    logs = below("apis/diagnostics")
    assert logs["anthropic/azuremonitor"] == logs["azure-openai/azuremonitor"]
    assert logs["anthropic/azuremonitor"]["largeLanguageModel"]["logs"] == "enabled"
    products = below("products")
    assert set(below("products/apis")) == {
        f"{name}/{api}" for name in products for api in ("azure-openai", "anthropic")
    }


def test_an_installation_without_it_has_no_api_for_it(bicep: Bicep) -> None:
    assert set(properties(bicep, "dev", f"{GATEWAY}/apis")) == {"azure-openai"}
    assert "claude-pool" not in properties(bicep, "dev", f"{GATEWAY}/backends")
    (policy,) = properties(bicep, "dev", f"{GATEWAY}/apis/policies").values()
    assert "<!-- option claude -->" in policy["value"]


def test_its_routes_are_those_that_the_semantic_layer_reads() -> None:
    document = json.loads((INFRA / "api/anthropic.openapi.json").read_text("utf-8"))
    assert set(document["paths"]) == {"/v1/messages", "/v1/messages/count_tokens"}
    assert document["components"]["securitySchemes"]["apiKey"]["name"] == "x-api-key"


def test_claude_alone_is_deployed_with_its_accounts_in_both_pools(bicep: Bicep) -> None:
    """API Management refuses a pool without members, and a policy that names a missing backend."""
    backends = properties(bicep, "claude-alone", f"{GATEWAY}/backends")
    members = {
        name: [service["id"].split("/")[-1] for service in each["pool"]["services"]]
        for name, each in backends.items()
        if each["type"] == "Pool"
    }
    assert members == {"aoai-pool": ["foundry-c"], "claude-pool": ["foundry-c-claude"]}
    assert {name for name, each in backends.items() if each["type"] == "Single"} == {"foundry-c", "foundry-c-claude"}
    values = properties(bicep, "claude-alone", f"{GATEWAY}/namedValues")
    assert [values[f"{name}-members"]["value"] for name in ("backend", "claude")] == ["foundry-c", "foundry-c"]
    assert bicep.snapshot("claude-alone")["diagnostics"] == []
