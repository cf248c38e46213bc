"""Trying the installation out tells a good one from each kind of bad one, and shows no key and no answer."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aoai_analytics.errors import SetupError
from aoai_analytics.setup import Guide, calls, exercises, log_queries
from aoai_analytics.setup.guide import Guide as GuideType
from tests.kql_parser import diagnostics
from tests.setup.arm_service import ArmService
from tests.setup.conftest import install
from tests.setup.model_service import KEYS


@pytest.fixture
def standing(guide: Guide, azure: ArmService) -> GuideType:
    install(azure, guide)
    return guide


def test_every_promise_of_the_api_is_tried(standing: Guide) -> None:
    found = {finding.check: finding.detail for finding in standing.try_api().findings}
    assert list(found) == ["chat", "chat-v1", "stream", "embeddings", "no-deployment", "no-key", "wrong-key"]
    assert found["no-key"] == "HTTP 401 missing_credentials"
    assert "tokens" in found["stream"]


@pytest.mark.parametrize(
    ("status", "words"), [(502, "the gateway lacks its role"), (503, "all breakers are open"), (429, "wait a minute")]
)
def test_a_gateway_that_answers_otherwise_says_why_it_may(
    standing: Guide, azure: ArmService, status: int, words: str
) -> None:
    azure.models.broken = status
    with pytest.raises(SetupError, match=f"chat: HTTP {status} gateway_error instead of HTTP 200.*{words}"):
        standing.try_api()


def test_an_answer_without_its_tokens_is_no_good_answer(standing: Guide, azure: ArmService) -> None:
    azure.models.without_usage = True
    with pytest.raises(SetupError, match="without token counts"):
        standing.try_api()


def test_a_gateway_that_cannot_be_reached_is_said(standing: Guide, azure: ArmService) -> None:
    gateway = standing.installation().gateway
    assert gateway
    gateway["properties"]["gatewayUrl"] = "http://127.0.0.1:9"
    azure.state.put(standing.installation().id_of("gateway"), gateway)
    with pytest.raises(SetupError, match=r"chat: no answer instead of HTTP 200.*from inside its network only"):
        standing.try_api()


def test_who_may_not_ask_models_is_told_so_and_nothing_failed(standing: Guide) -> None:
    found = standing.try_models()
    assert {finding.state for finding in found.findings} == {"not asked for"}
    assert "setup.let_me_ask()" in found.findings[0].detail
    standing.let_me_ask()
    assert {finding.state for finding in standing.try_models().findings} == {"met"}


def test_the_role_is_given_once_however_often_it_is_asked_for(standing: Guide, azure: ArmService) -> None:
    standing.let_me_ask()
    before = len(azure.state.resources)
    standing.let_me_ask()
    assert len(azure.state.resources) == before


def test_a_limit_is_used_up_and_refuses_as_clients_expect(standing: Guide) -> None:
    limit, retry = standing.use_up_a_limit().findings
    assert limit.detail == "sub-try-out of bronze, 5,000 tokens/min: 1 answered, then HTTP 429"
    assert retry.detail == "Retry-After 30 s, code rate_limit_exceeded"


def test_a_limit_that_does_not_refuse_is_said(standing: Guide, azure: ArmService) -> None:
    azure.models.left["sub-try-out"] = 10**9
    with pytest.raises(SetupError, match="no refusal in 12 requests"):
        standing.use_up_a_limit()


def test_an_account_that_refuses_first_is_not_taken_for_the_limit(standing: Guide, azure: ArmService) -> None:
    azure.models.broken = 429
    with pytest.raises(SetupError, match=r"0 answered, then the accounts behind the gateway refused first"):
        standing.use_up_a_limit()


def test_without_a_limited_subscription_there_is_nothing_to_use_up(standing: Guide) -> None:
    standing.parameters |= {"bronze": {}, "gold": {}, "unlimitedSubscriptions": ["sub-platform"]}
    (finding,) = standing.use_up_a_limit().findings
    assert finding.state == "not asked for"


def test_a_burst_reserves_more_than_the_first_account_has(standing: Guide, azure: ArmService) -> None:
    assert exercises.burst_size(standing.installation()) * exercises.RESERVED > 30_000
    assert "12 x HTTP 200" in standing.fail_over().findings[0].detail
    assert {backend for _, backend, _ in azure.models.asked} == {"aoai-eastus2", "aoai-westus3"}


@pytest.mark.parametrize(("sku", "capacity"), [("ProvisionedManaged", 50), ("GlobalStandard", 1_000_000)])
def test_no_burst_is_sent_where_it_would_prove_nothing(
    standing: Guide, azure: ArmService, sku: str, capacity: int
) -> None:
    deployment = standing.parameters["openAIAccounts"][0]["deployments"][0]
    deployment.update(sku=sku, capacity=capacity)
    assert standing.fail_over().findings[0].state == "not asked for"
    assert azure.models.asked == []


def test_accounts_that_share_the_load_are_not_used_up_together(standing: Guide, azure: ArmService) -> None:
    standing.parameters["openAIAccounts"][1]["priority"] = 1
    assert "share the load at one priority" in standing.fail_over().findings[0].detail
    assert azure.models.asked == []


def test_one_account_has_nothing_to_fail_over_to(guide: Guide) -> None:
    guide.parameters["openAIAccounts"] = guide.parameters["openAIAccounts"][:1]
    assert "not asked for" in str(guide.failovers_logged(wait_minutes=0))


def test_a_failover_that_no_log_shows_is_said(standing: Guide) -> None:
    standing.try_api()
    with pytest.raises(SetupError, match="no failover in the logs of the last 60 minutes"):
        standing.failovers_logged(wait_minutes=0)


def test_rows_that_never_come_are_said_with_the_way_on(standing: Guide) -> None:
    with pytest.raises(SetupError, match=r"no row came to ApiManagementGatewayLogs.*two hours"):
        standing.logged(wait_minutes=0)


def test_a_key_is_in_no_word_and_in_no_file(
    standing: Guide, config: Path, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = [standing.try_api(), standing.use_up_a_limit(), standing.connection(), standing.inventory()]
    words = "\n".join([*map(str, shown), *(table._repr_html_() for table in shown), *said, *capsys.readouterr()])
    files = subprocess.run(["grep", "-rl", KEYS["sub-try-out"], config.parent], capture_output=True, text=True).stdout
    assert not any(key in words for key in KEYS.values())
    assert files == ""


def test_credentials_go_by_https_or_stay_on_this_machine() -> None:
    with pytest.raises(SetupError, match=r"http://contoso.com: credentials are only sent over HTTPS"):
        calls.send("http://contoso.com/openai", {}, {"api-key": "x"})


@pytest.mark.parametrize(
    ("model", "setting"),
    [("gpt-4o-mini", "max_tokens"), ("gpt-35-turbo", "max_tokens"), ("o4-mini", "max_completion_tokens")],
)
def test_tokens_are_reserved_as_the_model_knows_it(model: str, setting: str) -> None:
    assert calls.reserving(model, 5) == {setting: 5}


def test_the_first_chat_model_and_the_first_claude_are_taken_and_neither_is_said() -> None:
    embed, chat = ({"name": name, "model": name} for name in ("text-embedding-3-small", "gpt-4o"))
    claude = {"name": "claude", "model": "claude-sonnet-5", "format": "Anthropic"}
    both = calls.first_models([{"deployments": [claude, embed]}, {"deployments": [chat]}])
    assert [(model.name, model.claude) for model in both] == [("gpt-4o", False), ("claude", True)]
    assert [model.name for model in calls.first_models([{"deployments": [claude]}])] == ["claude"]
    with pytest.raises(SetupError, match="no deployment of a chat model or of Claude"):
        calls.first_models([{"deployments": [embed]}])


def test_the_questions_to_the_workspace_parse_and_their_columns_exist() -> None:
    asked = {"arrived": log_queries._ARRIVED, "became": log_queries._BECAME}
    assert diagnostics(asked) == {"arrived": [], "became": []}


def test_a_workspace_that_refuses_is_said_with_its_reason(standing: Guide, azure: ArmService) -> None:
    end = datetime.now(UTC)
    with pytest.raises(SetupError, match="asking workspace nowhere: WorkspaceNotFoundError"):
        log_queries.requests_between(standing.arm, "nowhere", end - timedelta(hours=1), end)
