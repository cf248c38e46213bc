"""An installation whose only models are Claude's is called, limited and verified like any other."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from aoai_analytics.sandbox.azure.arm import GROUP
from aoai_analytics.sandbox.azure.deployments import Deployments
from aoai_analytics.sandbox.azure.services import ALL_ACCESS
from aoai_analytics.sandbox.azure.state import State
from aoai_analytics.sandbox.call import Call
from aoai_analytics.sandbox.installation import Subscription, read_installation
from aoai_analytics.sandbox.serve import make, running
from aoai_analytics.setup import calls, exercises
from aoai_analytics.setup.calls import Answer
from aoai_analytics.setup.exercises import Gateway
from aoai_analytics.setup.installation import Installation
from aoai_analytics.setup.requirements.gateway import backends, breakers, policies, pool, structure
from aoai_analytics.setup.told import call_many, totals
from tests.conftest import REPO

PARAMETERS = """[setup.parameters]
bronze = { tokensPerMinute = 2000, subscriptions = ["sub-a"] }

[[setup.parameters.openAIAccounts]]
name = "foundry-c"
kind = "AIServices"
location = "swedencentral"

[[setup.parameters.openAIAccounts.deployments]]
name = "claude"
format = "Anthropic"
model = "claude-sonnet-5"
version = "1"
sku = "GlobalStandard"
capacity = 9
"""


@dataclass
class Standing:
    """The sandbox's gateway, as an installation whose resources nobody reads."""

    parameters: dict[str, Any]
    url: str
    answered: list[Call]

    @property
    def installation(self) -> Installation:
        return cast(Installation, self)


@pytest.fixture
def claude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    import tomllib

    (tmp_path / "aoai.toml").write_text(PARAMETERS, "utf-8")
    found = read_installation(tmp_path / "aoai.toml")
    found.subscriptions[ALL_ACCESS] = Subscription(ALL_ACCESS, "", f"key-of-{ALL_ACCESS}")
    answered: list[Call] = []
    with running(make(tmp_path / "logs", installation=found, watch=answered.append)) as url:
        monkeypatch.setattr(exercises, "gateway_of", lambda _, name: Gateway(f"{url}/openai", f"key-of-{name}"))
        yield Standing(tomllib.loads(PARAMETERS)["setup"]["parameters"], url, answered)


def test_its_api_is_tried_as_anthropics_clients_use_it(claude: Standing) -> None:
    found = list(exercises.try_api(claude.installation))
    assert {finding.state for finding in found} == {"met"}, found
    assert [finding.check for finding in found] == [
        f"claude-{name}" for name in ("chat", "stream", "no-deployment", "no-key", "wrong-key")
    ]
    assert "tokens" in found[0].detail and "tokens" in found[1].detail
    assert {call.route.api for call in claude.answered if call.route} == {"anthropic"}


def test_its_limit_is_used_up_and_no_failover_is_promised(claude: Standing) -> None:
    assert {finding.state for finding in exercises.use_up_a_limit(claude.installation)} == {"met"}
    (finding,) = exercises.fail_over(claude.installation)
    assert finding.state == "not asked for"
    claude.parameters["openAIAccounts"].append(claude.parameters["openAIAccounts"][0] | {"name": "b", "priority": 2})
    (finding,) = exercises.fail_over(claude.installation)
    assert finding.state == "not asked for" and "Claude's limits" in finding.detail


def test_what_clients_are_told_of_its_tokens_is_what_the_gateway_counted(
    claude: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)  # Claude alone does not need it.
    gateways = {name: Gateway(f"{claude.url}/openai", f"key-of-{name}") for name in (ALL_ACCESS,)}
    told = call_many(gateways, claude.parameters["openAIAccounts"], 100)
    assert {(call.surface, call.status) for call in told} == {("messages", status) for status in (200, 401, 404)}
    counted: Counter[str] = Counter()
    for call in claude.answered:
        if call.answered and call.answered.reply:
            usage = call.answered.reply.usage
            counted["prompt"] += usage.prompt
            counted["completion"] += usage.completion
    total = totals(told)[ALL_ACCESS, "messages", "claude", 200]
    assert (total.prompt, total.completion) == (counted["prompt"], counted["completion"]) and counted["prompt"] > 100


@pytest.mark.parametrize(
    ("parts", "tokens"),
    [
        ([{"usage": {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 3}}], 15),
        (
            [
                {"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}},
                {"type": "message_delta", "usage": {"output_tokens": 30}},
            ],
            35,
        ),
        ([{"type": "message_start", "message": {"usage": {"input_tokens": 5}}}], None),
        ([{"usage": {"input_tokens": None}}], None),
    ],
)
def test_its_usage_is_read_from_an_answer_and_from_a_stream(parts: list[Any], tokens: int | None) -> None:
    assert Answer(200, {}, body=parts[0] if len(parts) == 1 else None, events=tuple(parts)).tokens == tokens


@dataclass
class Read:
    """An installation by the properties of its gateway's resources."""

    accounts: list[dict[str, Any]]
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    api_path: str = "apis/azure-openai"
    names: dict[str, str] = field(default_factory=lambda: {"pool": "aoai-pool"})

    @property
    def parameters(self) -> dict[str, Any]:
        return {"openAIAccounts": self.accounts}

    @property
    def account_ids(self) -> dict[str, str]:
        return {account["name"]: f"/accounts/{account['name']}" for account in self.accounts}

    def id_of(self, what: str) -> str:
        return f"/{what}"

    def get(self, path: str) -> dict[str, Any] | None:
        if path.startswith("/accounts/"):
            name = path.rpartition("/")[2]
            kind = next(each.get("kind", "OpenAI") for each in self.accounts if each["name"] == name)
            found = {"endpoint": f"https://{name}.openai.azure.com/", "customSubDomainName": name}
            return {"name": name, "kind": kind, "properties": found}
        return self.of_gateway(path.removeprefix("/gateway/"))

    def of_gateway(self, path: str) -> dict[str, Any] | None:
        return {"properties": self.resources[path]} if path in self.resources else None


OPENAI = {"name": "aoai-a", "deployments": [{"name": "chat", "model": "gpt-5.4-mini"}]}
CLAUDE = {
    "name": "foundry-c",
    "kind": "AIServices",
    "deployments": [{"name": "claude", "model": "claude-sonnet-5", "format": "Anthropic"}],
}


def pool_of(*members: str) -> dict[str, Any]:
    return {"type": "Pool", "pool": {"services": [{"id": f"/backends/{name}"} for name in members]}}


def backend(url: str) -> dict[str, Any]:
    rule = {"failureCondition": {"statusCodeRanges": [{"min": 429, "max": 429}]}, "acceptRetryAfter": True}
    return {"url": url, "circuitBreaker": {"rules": [rule]}}


ANTHROPIC = backend("https://foundry-c.services.ai.azure.com/anthropic")
MIXED = {
    "backends/aoai-pool": pool_of("aoai-a"),
    "backends/claude-pool": pool_of("foundry-c-claude"),
    "backends/aoai-a": backend("https://aoai-a.openai.azure.com/openai"),
    "backends/foundry-c-claude": ANTHROPIC,
}
ALONE = {
    "backends/aoai-pool": pool_of("foundry-c"),
    "backends/claude-pool": pool_of("foundry-c-claude"),
    "backends/foundry-c": backend("https://foundry-c.openai.azure.com/openai"),
    "backends/foundry-c-claude": ANTHROPIC,
}


@pytest.mark.parametrize(("accounts", "resources"), [([OPENAI, CLAUDE], MIXED), ([CLAUDE], ALONE)])
def test_both_pools_and_all_backends_are_verified(accounts: list[Any], resources: dict[str, Any]) -> None:
    for check in (backends, breakers, pool):
        assert list(check(cast(Installation, Read(accounts, resources)))) == []
    for name in resources:
        without = cast(Installation, Read(accounts, {key: each for key, each in resources.items() if key != name}))
        assert [*backends(without), *pool(without)], f"{name} is missing and nothing says so"


def test_the_policy_with_its_options_is_the_shipped_one() -> None:
    """Claude and own-responses put a fragment of their own into it."""
    shipped = REPO / "setup_scripts/policies"
    text = (shipped / "api.xml").read_text("utf-8")
    for option in ("claude", "own-responses"):
        text = text.replace(f"<!-- option {option} -->", f'<include-fragment fragment-id="{option}" />')
    resources = {"apis/azure-openai/policies/policy": {"value": text}}
    for name in structure(text):
        fragment = name.removeprefix("include-fragment ")
        if fragment != name:
            file = shipped / f"fragments/{fragment}.xml"
            resources[f"policyFragments/{fragment}"] = {"value": file.read_text("utf-8")}
    assert list(policies(cast(Installation, Read([CLAUDE], resources)))) == []


def test_a_prompt_for_claude_says_how_long_its_answer_may_be() -> None:
    assert calls.Model("claude", "claude-sonnet-5", claude=True).body()["max_tokens"] > 0


def test_the_sandbox_s_azure_gives_a_foundry_account_its_identity_and_both_hosts() -> None:
    """They are host names of Microsoft's documentation of Foundry resources, by the account's own subdomain."""
    state = State("http://127.0.0.1:1", "http://127.0.0.1:2")
    account = f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/foundry-c-x1"
    resource = {
        "id": account,
        "type": "Microsoft.CognitiveServices/accounts",
        "kind": "AIServices",
        "identity": {"type": "SystemAssigned"},
        "properties": {"customSubDomainName": "foundry-c-x1"},
    }
    module = {"openAI": {"name": "[format('{0}-openAI', parameters('name'))]"}}
    deployments = Deployments(state, GROUP, {"01-openai": {"resources": [resource], "outputs": {}}})
    body = {"template": {"resources": module, "outputs": {}}, "parameters": {"name": {"value": "a"}}}
    assert deployments.create("setup-a-01-openai", {"properties": body}) is None
    found = state.get(deployments.path("a-openAI"))
    assert found
    outputs = {name: each["value"] for name, each in found["properties"]["outputs"].items()}
    assert outputs.pop("principalId")
    assert outputs == {
        "endpoint": "https://foundry-c-x1.openai.azure.com/",
        "claudeEndpoint": "https://foundry-c-x1.services.ai.azure.com/",
    }
