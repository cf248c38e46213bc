"""The pools of backends: who is asked, who is left out, and for how long."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from aoai_analytics.sandbox.call import Call
from aoai_analytics.sandbox.decide import Deciding
from aoai_analytics.sandbox.installation import Installation, read_installation
from aoai_analytics.sandbox.pool import Pools
from tests.sandbox.test_sandbox import Clock, chat


def asked(pool: Pools, owner: str | None = None) -> list[tuple[str, int | None]]:
    return [(each.backend, each.status) for each in pool.attempts("chat", "chat-mini", chat(), "1", owner)]


def test_a_throttled_account_is_out_for_the_time_that_it_named() -> None:
    clock = Clock()
    pool = Pools(read_installation(), 1, clock)
    first = pool.backends["aoai-swedencentral"]
    first.broken = 429
    attempts = asked(pool)
    assert attempts[0] == ("aoai-swedencentral", 429) and attempts[1][1] == 200
    first.broken = None
    assert len(asked(pool)) == 1 and asked(pool)[0][0] != "aoai-swedencentral", "its breaker is open"
    clock.now += 21
    assert asked(pool) == [("aoai-swedencentral", 200)]


def test_a_deployment_is_throttled_above_its_capacity_and_the_next_account_answers() -> None:
    installation = read_installation()
    small = [each.model_copy(update={"capacity": 1}) for each in installation.accounts[0].deployments]
    first = installation.accounts[0].model_copy(update={"deployments": tuple(small)})
    clock = Clock()
    pool = Pools(replace(installation, accounts=(first, *installation.accounts[1:])), 1, clock)

    def ask(**more: Any) -> list[tuple[str, int | None]]:
        return [(each.backend, each.status) for each in pool.attempts("chat", "chat-mini", chat(**more), "1", None)]

    # A request counts with the most that it may use: 1,000 tokens are gone at once.
    assert ask(max_completion_tokens=1000) == [("aoai-swedencentral", 200)]
    clock.now += 15
    (throttled, *_) = attempts = pool.attempts("chat", "chat-mini", chat(), "1", None)
    assert [each.status for each in attempts] == [429, 200] and throttled.wait == 45
    clock.now += 46
    assert ask() == [("aoai-swedencentral", 200)]


def test_provisioned_throughput_is_no_tokens_per_minute() -> None:
    (deployment, *_) = read_installation().accounts[0].deployments
    assert deployment.tokens_per_minute is None
    some = deployment.model_copy(update={"capacity": 50})
    assert some.tokens_per_minute == 50_000
    assert some.model_copy(update={"sku": "DataZoneProvisionedManaged"}).tokens_per_minute is None


def test_a_failing_account_opens_no_breaker_and_another_is_asked_by_name() -> None:
    pool = Pools(read_installation(), 1, Clock())
    pool.backends["aoai-swedencentral"].broken = 500
    for _ in range(3):
        assert asked(pool) == [("aoai-swedencentral", 500), ("aoai-francecentral", 200)]


def test_within_a_priority_the_weights_share_the_requests() -> None:
    pool = Pools(read_installation(), 1, Clock())
    pool.backends["aoai-swedencentral"].out_until = float("inf")
    shares = Counter(asked(pool)[0][0] for _ in range(400))
    assert set(shares) == {"aoai-francecentral", "aoai-eastus2"}
    assert 0.65 < shares["aoai-francecentral"] / 400 < 0.85


def test_where_every_breaker_is_open_nobody_is_asked() -> None:
    pool = Pools(read_installation(), 1, Clock())
    for each in pool.backends.values():
        each.out_until = float("inf")
    assert asked(pool) == [("", None)]


MESSAGES = "/anthropic/v1/messages"
MIXED = """
[setup.parameters]
openAIAccounts = [
  { name = "openai-a", location = "swedencentral", deployments = [{ name = "chat-mini", model = "gpt-5.4-mini" }] },
  { name = "foundry-b", location = "eastus2", deployments = [
    { name = "claude", model = "claude-sonnet-4-5", format = "Anthropic" },
  ] },
]
"""


def mixed(tmp_path: Path, *names: str) -> Installation:
    """The installation of one account with OpenAI's models and one with Claude, or of those of *names*."""
    (tmp_path / "aoai.toml").write_text(MIXED, "utf-8")
    found = read_installation(tmp_path / "aoai.toml")
    return replace(found, accounts=tuple(each for each in found.accounts if not names or each.name in names))


def test_an_account_gets_calls_of_no_api_that_it_has_no_model_of(tmp_path: Path) -> None:
    pools = Pools(mixed(tmp_path), 1, Clock())
    assert list(pools.backends) == ["openai-a", "foundry-b-claude"]
    for _ in range(20):
        assert asked(pools) == [("openai-a", 200)]
    pools.backends["openai-a"].broken = 503
    # Its retries have nobody else to go to.
    assert {name for name, _ in asked(pools)} == {"openai-a"}
    (claude,) = pools.attempts("messages", "claude", chat(max_tokens=9), "1", None, claude=True)
    assert (claude.backend, claude.status) == ("foundry-b", 200)


def test_a_breaker_is_of_one_api(tmp_path: Path) -> None:
    pools = Pools(read_installation(), 1, Clock())
    pools.backends["aoai-swedencentral"].out_until = float("inf")
    assert pools.next(claude=True) is pools.backends["aoai-swedencentral-claude"]
    assert pools.next() is not pools.backends["aoai-swedencentral"]
    alone = Pools(mixed(tmp_path, "foundry-b"), 1, Clock())
    assert list(alone.backends) == ["foundry-b", "foundry-b-claude"], "a gateway refuses a pool without members"


def test_a_gateway_without_claude_has_no_api_of_claudes(tmp_path: Path) -> None:
    found = {}
    for names in (("openai-a",), ("foundry-b",)):
        deciding = Deciding(mixed(tmp_path, *names))
        body = {"model": "claude", "max_tokens": 9, "messages": chat()["messages"]}
        call = Call("POST", f"https://apim{MESSAGES}", "", {"x-api-key": "none"}, json.dumps(body), body)
        found[names] = deciding.answer(call, MESSAGES, {}).status
    assert found == {("openai-a",): 404, ("foundry-b",): 401}
