"""The gateway: identity, API, credential, backends, policies, products."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from ...config import shipped
from ..installation import Installation
from ..teams import PRODUCTS
from .models import claude_endpoint, endpoint
from .requirement import NotAskedFor, Requirement, differences

#: Built-in role: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
OPENAI_USER = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"
#: Microsoft Foundry's models of others than OpenAI need this one.
SERVICES_USER = "a97b65f3-24c7-4388-baec-2e87135dc908"
#: One route per style; the document has more.
ROUTES = {"/deployments/{deployment-id}/chat/completions", "/v1/chat/completions", "/v1/responses"}

#: Fragments that a parameter puts into the policy, at the lines "option NAME" of api.xml.
_OPTIONS = ("claude", "content-safety", "own-responses", "semantic-cache-lookup", "semantic-cache-store")


@cache
def _policy_file(name: str) -> str:
    return (shipped("setup_scripts") / "policies" / name).read_text("utf-8")


def structure(policy: str) -> list[str]:
    """The elements of a policy in order, including its fragments: independent of whitespace."""
    code = re.sub(r"<!--.*?-->", "", policy, flags=re.S)
    return [
        name + (f" {fragment}" if fragment else "")
        for name, fragment in re.findall(r"<([a-z][\w-]*)(?:[^<>]*?fragment-id=\"([\w-]+)\")?", code)
    ]


def gateway_runs(installation: Installation) -> Iterator[str]:
    wanted = {
        "properties.provisioningState": "Succeeded",
        "sku.name": installation.parameters.get("gatewayTier", "StandardV2"),
    }
    yield from differences("the gateway", installation.gateway, wanted)


def has_identity(installation: Installation) -> Iterator[str]:
    yield from differences("the gateway", installation.gateway, {"identity.type": "SystemAssigned"})


def old_management_refused(installation: Installation) -> Iterator[str]:
    wanted = {"properties.apiVersionConstraint.minApiVersion": "2021-08-01"}
    yield from differences("the gateway", installation.gateway, wanted)


def api_imported(installation: Installation) -> Iterator[str]:
    found = installation.of_gateway(installation.api_path)
    wanted = {"properties.path": "openai", "properties.protocols": ["https"]}
    yield from differences("the API", found, wanted)
    if found:
        path = f"{installation.id_of('gateway')}/{installation.api_path}/operations"
        templates = {operation["properties"]["urlTemplate"] for operation in installation.list(path)}
        for route in sorted(ROUTES - templates):
            yield f"the API has no route {route}"


def key_header(installation: Installation) -> Iterator[str]:
    accepts_tokens = installation.parameters.get("entra", {}).get("accept", False)
    wanted = {
        "properties.subscriptionKeyParameterNames.header": "api-key",
        "properties.subscriptionRequired": not accepts_tokens,
    }
    yield from differences("the API", installation.of_gateway(installation.api_path), wanted)


def role_for(kind: str) -> tuple[str, str]:
    """Id and name of the role that may call the models of an account of this kind."""
    if kind == "AIServices":
        return SERVICES_USER, "Cognitive Services User"
    return OPENAI_USER, "Cognitive Services OpenAI User"


def gateway_has_its_role(installation: Installation) -> Iterator[str]:
    principal = ((installation.gateway or {}).get("identity") or {}).get("principalId")
    if not principal:
        yield "the gateway has no identity"
        return
    kinds = {account["name"]: account.get("kind", "OpenAI") for account in installation.parameters["openAIAccounts"]}
    for short, path in installation.account_ids.items():
        given = installation.list(f"{path}/providers/Microsoft.Authorization/roleAssignments")
        roles = {
            assignment["properties"]["roleDefinitionId"].rpartition("/")[2]
            for assignment in given
            if assignment["properties"]["principalId"] == principal
        }
        role, called = role_for(kinds[short])
        if role not in roles:
            yield f"the gateway lacks the role {called} on {short}"


def named_values(installation: Installation) -> Iterator[str]:
    known: dict[str, dict[str, Any]] = json.loads(_policy_file("named-values.json"))
    path = f"{installation.id_of('gateway')}/namedValues"
    there = {found["name"]: found["properties"] for found in installation.list(path)} if installation.gateway else {}
    for name in known:
        if name not in there:
            yield f"the named value {name} does not exist"
        elif there[name].get("secret"):
            yield f"the named value {name} is hidden; none of them is a secret"


def _backend_properties(installation: Installation, name: str) -> dict[str, Any] | None:
    found = installation.of_gateway(f"backends/{name}")
    return found["properties"] if found else None


def _members(installation: Installation, *, claude: bool) -> list[dict[str, Any]]:
    """The accounts of the pool of OpenAI's API, or of *claude*'s. With Claude alone its accounts are in both."""
    accounts: list[dict[str, Any]] = installation.parameters["openAIAccounts"]
    found = [
        account
        for account in accounts
        if any((deployment.get("format") == "Anthropic") == claude for deployment in account["deployments"])
    ]
    return found or ([] if claude else accounts)


def _backends(installation: Installation) -> Iterator[tuple[str, str, str]]:
    """Each account's backend, its API's host and path."""
    for claude, suffix, path in ((False, "", "openai"), (True, "-claude", "anthropic")):
        for member in _members(installation, claude=claude):
            account = installation.get(installation.account_ids[member["name"]])
            where = (claude_endpoint(account) if claude else endpoint(account)) if account else ""
            yield f"{member['name']}{suffix}", where, path


def backends(installation: Installation) -> Iterator[str]:
    for name, host, path in _backends(installation):
        found = _backend_properties(installation, name)
        yield from differences(f"backend {name}", found, {"url": f"{host}{path}"})


def breakers(installation: Installation) -> Iterator[str]:
    wanted: dict[str, Any] = json.loads(_policy_file("backend-answers.json"))["breaker"]
    for name, _, _ in _backends(installation):
        properties = _backend_properties(installation, name)
        rules = ((properties or {}).get("circuitBreaker") or {}).get("rules") or []
        if len(rules) != 1:
            yield f"backend {name} has {len(rules)} circuit-breaker rules, not 1"
            continue
        condition = rules[0].get("failureCondition", {})
        ranges = {(r["min"], r["max"]) for r in condition.get("statusCodeRanges", [])}
        if ranges != {(r["min"], r["max"]) for r in wanted["statusCodeRanges"]}:
            yield f"backend {name}: its breaker does not count exactly 429"
        if not rules[0].get("acceptRetryAfter"):
            yield f"backend {name}: its breaker does not heed Retry-After"


def pool(installation: Installation) -> Iterator[str]:
    yield from _pool(installation, installation.names["pool"], _members(installation, claude=False))
    of_claude = _members(installation, claude=True)
    if of_claude:
        name = json.loads(_policy_file("named-values.json"))["claude-pool"]["value"]
        yield from _pool(installation, name, of_claude, "-claude")


def _pool(installation: Installation, name: str, accounts: list[dict[str, Any]], suffix: str = "") -> Iterator[str]:
    properties = _backend_properties(installation, name)
    if properties is None or properties.get("type") != "Pool":
        yield f"there is no backend pool {name}"
        return
    members = {
        member["id"].rpartition("/")[2].removesuffix(suffix): (member.get("priority", 1), member.get("weight", 1))
        for member in properties["pool"]["services"]
    }
    wanted = {a["name"]: (a.get("priority", 1), a.get("weight", 1)) for a in accounts}
    for short in sorted(wanted.keys() | members.keys()):
        if short not in members:
            yield f"{short} is not in the pool {name}"
        elif short not in wanted:
            yield f"the pool {name} has a member {short} that aoai.toml does not name for it"
        elif members[short] != wanted[short]:
            yield f"{short} has priority and weight {members[short]} in the pool {name}, not {wanted[short]}"


def policies(installation: Installation) -> Iterator[str]:
    shipped_api = structure(_policy_file("api.xml"))
    found = installation.get(f"{installation.id_of('gateway')}/{installation.api_path}/policies/policy")
    if found is None:
        yield "the API has no policy"
        return
    there = structure(found["properties"]["value"])
    options = {f"include-fragment {name}" for name in _OPTIONS}
    if [element for element in there if element not in options] != shipped_api:
        yield "the API's policy is not the one shipped in setup_scripts/policies/api.xml"
    for element in there:
        name = element.removeprefix("include-fragment ")
        if name == element:
            continue
        path = f"{installation.id_of('gateway')}/policyFragments/{name}"
        fragment = installation.get(path)
        if fragment is None:
            yield f"the fragment {name} does not exist"
        elif structure(fragment["properties"]["value"]) != structure(_policy_file(f"fragments/{name}.xml")):
            yield f"the fragment {name} is not the one shipped"


def products(installation: Installation) -> Iterator[str]:
    for name in PRODUCTS:
        found = installation.of_gateway(f"products/{name}")
        wanted = {"properties.state": "published", "properties.subscriptionRequired": True}
        yield from differences(f"product {name}", found, wanted)
        if found is None:
            continue
        path = f"{installation.id_of('gateway')}/products/{name}"
        if installation.names["api"] not in {api["name"] for api in installation.list(f"{path}/apis")}:
            yield f"product {name} does not open the API"
        policy = installation.get(f"{path}/policies/policy")
        if policy is None or structure(policy["properties"]["value"]) != structure(_policy_file(f"product-{name}.xml")):
            yield f"product {name} lacks its shipped policy, and with it its limits"
    yield from _teams(installation)


def _teams(installation: Installation) -> Iterator[str]:
    """Products of teams with limits of their own."""
    for team in installation.parameters.get("teams", []):
        product = f"team-{team['subscription']}"
        found = installation.of_gateway(f"products/{product}")
        yield from differences(f"product {product}", found, {"properties.state": "published"})
        policy = installation.of_gateway(f"products/{product}/policies/policy") if found else None
        text = policy["properties"]["value"] if policy else ""
        numbers = {f'tokens-per-minute="{team["tokensPerMinute"]}"'} if "tokensPerMinute" in team else set()
        numbers |= {f'token-quota="{team["tokensPerMonth"]}"'} if "tokensPerMonth" in team else set()
        numbers |= {f'value="{" ".join(team["models"])}"'} if "models" in team else set()
        if found and not all(number in text for number in numbers):
            yield f"product {product} lacks the limits of its team"


def subscriptions(installation: Installation) -> Iterator[str]:
    wanted = subscriptions_of(installation.parameters)
    if not wanted:
        raise NotAskedFor("aoai.toml has no subscriptions")
    for name, product in wanted.items():
        found = installation.of_gateway(f"subscriptions/{name}")
        yield from differences(f"subscription {name}", found, {"properties.state": "active"})
        if found and found["properties"]["scope"].rpartition("/")[2] != product:
            yield f"subscription {name} is not of product {product}"


def subscriptions_of(parameters: dict[str, Any]) -> dict[str, str]:
    """Requested subscription -> product, the most limited product first."""
    named = [
        (name, product) for product in PRODUCTS[:3] for name in parameters.get(product, {}).get("subscriptions", [])
    ]
    unlimited = [(name, "unlimited") for name in parameters.get("unlimitedSubscriptions", [])]
    own = [(team["subscription"], f"team-{team['subscription']}") for team in parameters.get("teams", [])]
    return dict([*named, *unlimited, *own])


def another_to_fail_over_to(installation: Installation) -> Iterator[str]:
    if len(installation.account_ids) < 2:
        raise NotAskedFor("aoai.toml has one account: add one in another region for failover")
    regions = {account["location"] for account in installation.parameters["openAIAccounts"]}
    if len(regions) < 2:
        yield f"all accounts are in {', '.join(regions)}: there is no failover if that region fails"


def enough_attempts(installation: Installation) -> Iterator[str]:
    wanted = installation.parameters.get("backendRetries", max(1, len(installation.account_ids) - 1))
    found = installation.of_gateway("namedValues/backend-retries")
    yield from differences("the named value backend-retries", found, {"properties.value": str(wanted)})


REQUIREMENTS = (
    Requirement("gateway", "02-gateway", "The gateway runs in the tier that was asked for", gateway_runs),
    Requirement("gateway-identity", "02-gateway", "The gateway has an identity of its own", has_identity),
    Requirement(
        "gateway-management",
        "02-gateway",
        "Management API versions that hand out secrets are refused",
        old_management_refused,
    ),
    Requirement("api", "03-api", "The API has both route styles, at the path openai, by HTTPS only", api_imported),
    Requirement("key-header", "03-api", "Keys are sent in the header api-key, tokens are let in as chosen", key_header),
    Requirement("gateway-role", "03-api", "The gateway may call every account with its identity", gateway_has_its_role),
    Requirement("named-values", "03-api", "Everything that policies name as {{name}} exists", named_values),
    Requirement("backends", "03-api", "Every account has a backend at its endpoint", backends),
    Requirement("breakers", "03-api", "Every backend has its circuit breaker", breakers),
    Requirement("pool", "03-api", "The pool has every account, with its priority and weight", pool),
    Requirement("policies", "03-api", "The API's policy and its fragments are those shipped", policies),
    Requirement("products", "05-access-and-throttling", "Every product opens the API and limits it", products),
    Requirement(
        "subscriptions", "05-access-and-throttling", "Every subscription is active in its product", subscriptions
    ),
    Requirement(
        "regions",
        "06-high-availability",
        "The pool has another region to fail over to",
        another_to_fail_over_to,
        "add an account in another region to aoai.toml, and run the step again",
    ),
    Requirement("attempts", "06-high-availability", "A failed request is tried on the other backends", enough_attempts),
)
