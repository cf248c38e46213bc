"""The sandbox: loopback only, keys and tokens, limits, broken backends, disconnects, and its log's flaws."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.cli import main
from aoai_analytics.errors import AoaiError, WrongUse
from aoai_analytics.sandbox.app import CORRELATION_HEADER
from aoai_analytics.sandbox.call import Call
from aoai_analytics.sandbox.installation import DEFAULT, read_installation
from aoai_analytics.sandbox.limits import Limits
from aoai_analytics.sandbox.log import FLAWS_OF_SANDBOX, Log
from aoai_analytics.sandbox.model import Model, Refused
from aoai_analytics.sandbox.serve import bound, loopback, make, running
from aoai_analytics.sandbox.tokens import encode
from tests.conftest import REPO

Json = dict[str, Any]

LONG = "The annex has the figures of the northern branch. " * 160


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def chat(text: str = "Good morning", **more: Any) -> Json:
    return {"model": "chat-mini", "messages": [{"role": "user", "content": text}], **more}


def post(url: str, body: Json, key: str = "key-of-sub-finance", **headers: str) -> tuple[int, Any]:
    given = {"api-key": key, **headers}
    request = urllib.request.Request(url + "/openai/v1/chat/completions", json.dumps(body).encode(), given)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def records(folder: Path, category: str) -> list[Json]:
    return [
        json.loads(line)
        for file in folder.rglob("PT1H.json")
        if category in file.parts
        for line in file.read_text("utf-8").splitlines()
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "20.50.2.1", "::", "example.com", ""])
def test_an_address_that_others_reach_is_refused(host: str) -> None:
    with pytest.raises(WrongUse, match="this machine only"):
        loopback(host)


@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("::1", "::1")])
def test_an_address_of_this_machine_is_taken(host: str, address: str) -> None:
    assert loopback(host) == address


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_commands_reach_it_at_either_address(tmp_path: Path, capsys: pytest.CaptureFixture[str], host: str) -> None:
    try:
        listening = bound(host, 0)
    except AoaiError:
        pytest.skip(f"needs {host}")
    with running(make(tmp_path), listening=listening) as url:
        assert main(["sandbox", "state", "--port", url.rpartition(":")[2]]) == 0
    assert "aoai-swedencentral" in capsys.readouterr().out


def test_a_port_that_is_taken_is_one_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(AoaiError, match="--port"):
        bound("127.0.0.1", taken.getsockname()[1])


def test_it_says_that_it_is_a_sandbox(tmp_path: Path) -> None:
    with running(make(tmp_path)) as url, urllib.request.urlopen(url) as answer:
        assert "not Azure" in json.load(answer)["about"]


def test_it_takes_the_accounts_and_products_of_a_setup_s_parameters(tmp_path: Path) -> None:
    installation = read_installation(REPO / "notebooks/setup/aoai.example.toml")
    assert [each.name for each in installation.accounts] == ["aoai-eastus2"]
    assert installation.products["bronze"].tokens_per_minute == 5000
    assert installation.retries == 1 and installation.breaker_failures == 3
    with running(make(tmp_path, installation=installation)) as url:
        assert post(url, chat(), "key-of-sub-try-out")[0] == 200
        assert post(url, chat(), "key-of-sub-finance")[0] == 401


ACCOUNT = '[[setup.parameters.openAIAccounts]]\nname = "a"\nlocation = "b"\ndeployments = [{name = "d", model = "m"}]\n'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", " has no [setup.parameters] table; 'aoai setup example' prints one"),
        ("[setup.parameters", " is not valid TOML: "),
        (DEFAULT.read_text("utf-8").replace('"sub-legal"', '"sub-hr"'), ": the subscription 'sub-hr' is there twice"),
        ("[setup.parameters]\nname = 1", ": setup.parameters.openAIAccounts is missing"),
        ("[setup.parameters]\nopenAIAccounts = 3", ": setup.parameters.openAIAccounts must be a list"),
        ("[setup.parameters]\nopenAIAccounts = []", ": setup.parameters.openAIAccounts must be a list with an entry"),
        ("[setup.parameters]\nopenAIAccounts = [3]", ": setup.parameters.openAIAccounts[0] must be a table"),
        *(
            (f"[setup.parameters]\n{line}\n{ACCOUNT}", f": setup.parameters.{why}")
            for line, why in (
                ("bronze = {tokensPerMinute = 1.5}", "bronze.tokensPerMinute must be a whole number"),
                ("bronze = {tokensPerMinute = true}", "bronze.tokensPerMinute must be a whole number"),
                ("bronze = {tokensPerMonth = 0}", "bronze.tokensPerMonth must be 1 or more"),
                ("gold = {subscriptions = [1]}", "gold.subscriptions[0] must be text in quotes"),
                ("entra = {accept = 'yes'}", "entra.accept must be true or false"),
                ("backendRetries = 51", "backendRetries must be 50 or less"),
                (
                    "teams = [{subscription = 's', product = 'tin'}]",
                    "teams[0].product must be 'bronze', 'silver', 'gold' or 'unlimited'",
                ),
            )
        ),
    ],
)
def test_parameters_that_do_not_fit_are_one_clear_line(tmp_path: Path, text: str, why: str) -> None:
    (file := tmp_path / "aoai.toml").write_text(text)
    with pytest.raises(WrongUse) as refused:
        read_installation(file)
    assert str(refused.value).startswith(f"{file}{why}") and "\n" not in str(refused.value)


def test_every_account_has_the_same_deployments_and_each_with_tokens_alone_has_a_price() -> None:
    installation = read_installation()
    first, *others = ([each.name for each in account.deployments] for account in installation.accounts)
    assert others == [first] * len(others)
    priced = (REPO / "aoai_analytics/prices/price-book.csv").read_text("utf-8")
    for deployment in installation.accounts[0].deployments:
        # The price book has no images and no audio.
        is_media = deployment.name in ("pictures", "dictation", "voice")
        assert (f"\n{deployment.model}," in priced) != is_media, deployment.name


# -- the model


def test_tokens_are_counted_by_the_tokenizer() -> None:
    model = Model(read_installation().accounts[0])
    reply = model.answer("chat", "chat-mini", chat("What is the capital of France?"), "1")
    # 7 for the text, 4 for its message, 3 for the answer's start: OpenAI's cookbook on counting tokens.
    assert (reply.usage.prompt, reply.usage.completion, reply.text) == (14, 7, "The capital of France is Paris.")
    other = model.answer("chat", "chat-mini", chat("Tell me of the sea, as a poem."), "2")
    assert other.usage.completion == len(encode(other.text)) and other.pieces


def test_the_same_question_has_the_same_answer() -> None:
    first, second = (Model(each) for each in read_installation().accounts[:2])
    body = chat("Why?")
    assert first.answer("chat", "chat-mini", body, "1").text == second.answer("chat", "chat-mini", body, "2").text


def test_a_prompt_that_an_account_has_seen_is_cached_in_steps_of_128() -> None:
    model = Model(read_installation().accounts[0])
    assert model.answer("chat", "chat-sol", chat(LONG), "1").usage.cached == 0
    usage = model.answer("chat", "chat-sol", chat(LONG + "And now?"), "2").usage
    tokens = len(encode(LONG))
    assert 1024 <= usage.cached <= tokens and usage.cached % 128 == 0 and tokens - usage.cached < 128 + 2
    assert model.answer("chat", "chat-mini", chat(LONG), "3").usage.cached == 0, "another deployment"
    assert model.answer("chat", "chat-mini", chat("Short."), "4").usage.cached == 0


def test_writes_to_the_cache_are_counted_from_gpt_5_6_on() -> None:
    model = Model(read_installation().accounts[0])
    assert model.answer("chat", "chat-prod", chat(LONG), "1").usage.written == 0
    first = model.answer("chat", "chat-sol", chat(LONG), "2").usage
    second = model.answer("chat", "chat-sol", chat(LONG), "3").usage
    assert first.written >= 1024 and (second.written, second.cached) == (0, first.written)


def test_claude_caches_what_is_marked() -> None:
    model = Model(read_installation().accounts[0])

    def ask(*blocks: tuple[str, str]) -> Any:
        content = [
            {"type": "text", "text": text} | ({"cache_control": {"type": "ephemeral", "ttl": ttl}} if ttl else {})
            for text, ttl in blocks
        ]
        body = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": content}]}
        return model.answer("messages", "claude", body, "1").usage

    unmarked = ask((LONG, ""), ("And?", ""))
    assert (unmarked.cached, unmarked.written) == (0, 0)
    first, again = ask((LONG, "1h"), ("And?", "")), ask((LONG, "1h"), ("Or?", ""))
    assert first.written == first.written_hour == len(encode(LONG)) and first.cached == 0
    assert (again.cached, again.written) == (first.written, 0)
    longer = ask((LONG, "5m"), (LONG, "5m"))
    assert longer.cached == first.written and longer.written > 0 and longer.written_hour == 0


def test_a_response_is_continued_where_it_is_stored() -> None:
    model, other = (Model(each) for each in read_installation().accounts[:2])
    first = model.answer("responses", "chat-mini", {"input": "Good morning"}, "1")
    body = {"input": "And?", "previous_response_id": first.answer_id}
    whole = model.answer("responses", "chat-mini", body, "2").usage.prompt
    assert (
        whole > model.answer("responses", "chat-mini", {"input": "And?"}, "3").usage.prompt + first.usage.completion - 2
    )
    with pytest.raises(Refused, match="previous_response_not_found"):
        other.answer("responses", "chat-mini", body, "4")


# -- limits and the pool


def test_a_minute_s_tokens_come_back_as_they_grow_old() -> None:
    clock = Clock()
    limits, product = Limits(clock), replace(read_installation().products["bronze"], tokens_per_minute=100)
    limits.count("a", 70)
    clock.now += 20
    assert limits.exceeded("a", product) is None
    limits.count("a", 50)
    exceeded = limits.exceeded("a", product)
    assert exceeded and (exceeded.status, exceeded.wait) == (429, 40) and "40 seconds" in exceeded.message
    assert limits.left("a", product) == (0, product.tokens_per_month - 120)
    clock.now += 41
    assert limits.exceeded("a", product) is None and limits.left("a", product)[0] == 50
    assert limits.exceeded("b", product) is None


# -- served


def test_a_token_of_its_tenant_is_taken_and_its_caller_is_traced(tmp_path: Path) -> None:
    calls: list[Call] = []
    sandbox = make(tmp_path, watch=calls.append)
    installation, issuer = sandbox.deciding.installation, sandbox.deciding.issuer
    good = issuer.issue(installation.audience, caller="caller-1")
    bad = [issuer.issue("https://other"), issuer.issue(installation.audience, roles=()), good[:-3] + "abc", "none"]
    bad.append(issuer.issue(installation.audience, seconds=-1))
    with running(sandbox) as url:
        assert post(url, chat(), "", Authorization=f"Bearer {good}")[0] == 200
        for token in bad:
            assert post(url, chat(), "", Authorization=f"Bearer {token}")[0] == 401
        assert post(url, chat(), "wrong", Authorization=f"Bearer {good}")[0] == 401, "a key is judged first"
    assert calls[0].traces[0]["message"] == "InferenceCaller|id=caller-1"


@pytest.mark.parametrize(
    "path", ["/openai/v1/files", "/openai/deployments/chat-mini/chat/completions", "/v1/chat/completions"]
)
def test_it_has_the_routes_that_are_published_and_no_others(tmp_path: Path, path: str) -> None:
    with running(make(tmp_path)) as url, pytest.raises(urllib.error.HTTPError, match="404") as refused:
        urllib.request.urlopen(urllib.request.Request(url + path, b"{}", {"api-key": "key-of-sub-finance"}))
    refused.value.close()
    (record,) = records(tmp_path, "insights-logs-gatewaylogs")
    assert record["properties"]["lastError"]["reason"] == "OperationNotFound"


def test_a_client_that_leaves_a_stream_is_logged_as_gone(tmp_path: Path) -> None:
    calls: list[Call] = []
    with running(make(tmp_path, per_token=0.05, watch=calls.append)) as url:
        body = json.dumps(chat("Tell me of the sea, as a poem.", stream=True)).encode()
        request = urllib.request.Request(url + "/openai/v1/chat/completions", body, {"api-key": "key-of-sub-finance"})
        with urllib.request.urlopen(request) as answer:
            assert answer.readline().startswith(b"data: ")
            named = answer.headers[CORRELATION_HEADER]
    (record,) = records(tmp_path, "insights-logs-gatewaylogs")
    assert record["correlationId"] == named
    properties = record["properties"]
    assert (properties["responseCode"], properties["backendResponseCode"]) == (499, 200)
    assert properties["lastError"]["reason"] == "ClientConnectionFailure"
    counts = [row["properties"].get("totalTokens") for row in records(tmp_path, "insights-logs-gatewayllmlogs")]
    assert 0 in counts and not any(counts)


def test_no_key_or_token_is_in_the_logs(tmp_path: Path) -> None:
    with running(make(tmp_path, body_bytes=8192)) as url:
        assert post(url, chat())[0] == 200
        address = f"{url}/openai/deployments/chat-mini/chat/completions?api-version=2024-10-21"
        request = urllib.request.Request(
            f"{address}&subscription-key=key-of-sub-legal", json.dumps(chat()).encode(), method="POST"
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
    text = "".join(file.read_text("utf-8") for file in tmp_path.rglob("*.json"))
    assert "sub-legal" in text and "key-of-" not in text


def test_bodies_are_cut_and_messages_are_in_pieces(tmp_path: Path) -> None:
    with running(make(tmp_path, body_bytes=8192)) as url:
        assert post(url, chat("ä" * 40_000))[0] == 200
    (record,) = records(tmp_path, "insights-logs-gatewaylogs")
    assert 8190 <= len(record["properties"]["requestBody"].encode()) <= 8192
    pieces = [
        row["properties"]["requestMessages"]
        for row in records(tmp_path, "insights-logs-gatewayllmlogs")
        if "requestMessages" in row["properties"]
    ]
    assert [len(piece.encode()) > 32_760 for piece in pieces] == [True, True, False]
    assert json.loads("".join(pieces)) == chat("ä" * 40_000)["messages"]


def test_some_records_come_twice_and_some_late_by_the_seed(tmp_path: Path) -> None:
    def written(name: str, seed: int) -> tuple[int, int]:
        flaws = replace(FLAWS_OF_SANDBOX, gateway_twice=0.3, llm_row_twice=0.1, llm_row_late=0.3)
        log = Log(tmp_path / name, body_bytes=0, flaws=flaws, seed=seed)
        sandbox = make(tmp_path / "unused")
        for _ in range(40):
            call = Call("POST", "http://127.0.0.1/openai/v1/chat/completions", "127.0.0.1", {}, "", chat())
            call.headers["api-key"] = "key-of-sub-finance"
            sandbox.deciding.answer(call, "/openai/v1/chat/completions", {})
            log.add(call)
        log.flush()
        early = log.written
        log.flush(late=True)
        return early, log.written

    early, whole = written("a", 1)
    assert whole > 40 + 3 * 40 and early < whole
    assert (early, whole) == written("b", 1) != written("c", 2)
    rows = Counter(json.dumps(row, sort_keys=True) for row in records(tmp_path / "a", "insights-logs-gatewaylogs"))
    assert len(rows) == 40 and set(rows.values()) == {1, 2}


def test_records_that_cannot_be_written_are_written_later(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    sandbox = make(tmp_path / "logs")
    call = Call("POST", "http://127.0.0.1/openai/v1/chat/completions", "127.0.0.1", {}, "", chat())
    sandbox.deciding.answer(call, "/openai/v1/chat/completions", {})
    sandbox.log.add(call)
    with pytest.raises(AoaiError, match="cannot write the sandbox's logs"):
        sandbox.log.flush()
    (tmp_path / "logs").unlink()
    sandbox.log.flush()
    assert [row["correlationId"] for row in records(tmp_path, "insights-logs-gatewaylogs")] == [call.correlation_id]


# -- the command


def test_the_command_breaks_restores_limits_and_calls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(make(tmp_path)) as url:
        port = ["--port", url.rpartition(":")[2]]

        def said(*words: str, code: int = 0) -> str:
            assert main(["sandbox", *words, *port]) == code
            out, err = capsys.readouterr()
            return err if code else out

        assert "14 + 7 tokens  The capital of France is Paris." in said("call", "sub-finance", "--stream")
        assert "aoai-swedencentral: broken (503)" in said("break", "sweden")
        assert "broken (503)" in said("state")
        assert "200  14 + 7" in said("call", "sub-finance")
        assert "aoai-swedencentral: works" in said("restore", "sweden")
        assert "silver: 5 tokens/min" in said("limit", "silver", "--tokens-per-minute", "5")
        assert "429  Token limit is exceeded" in said("call", "sub-finance")
        assert "the backends are aoai-swedencentral" in said("break", "aoai", code=2)
        assert "bronze, silver, gold" in said("limit", "copper", "--tokens-per-minute", "5", code=2)
        assert "sub-hr" in said("call", "sub-nobody", code=2)
        assert "401 to 599" in said("break", "sweden", "--answer", "200", code=2)
    assert "aoai sandbox start" in said("state", code=1)


def test_the_command_starts_on_loopback_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox", "start", "--host", "0.0.0.0", "--output", str(tmp_path)]) == 2
    assert "this machine only" in capsys.readouterr().err
