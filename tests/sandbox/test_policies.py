"""The sandbox decides as the shipped policies do: its requests go through their XML in the simulator as well."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.sandbox import shapes
from aoai_analytics.sandbox.app import Sandbox
from aoai_analytics.sandbox.call import Call
from aoai_analytics.sandbox.installation import DEFAULT, read_installation
from aoai_analytics.sandbox.pool import BackendAnswer
from aoai_analytics.sandbox.serve import make, running
from tests.policies import gateway as policies
from tests.sandbox.waiting import wait_for

Json = dict[str, Any]

V1, CLASSIC = "/openai/v1", "/openai/deployments/chat-mini"
CLAUDE = "/anthropic/v1/messages"
ASKED = {"model": "chat-mini", "messages": [{"role": "user", "content": "Good morning"}]}
MESSAGE = ASKED | {"model": "claude", "max_tokens": 40}
#: The id of an answer, and the second it was made in.
DIFFERENT_EACH_TIME = re.compile(r"(?<=[-_])[0-9a-f]{32}|\b1[7-9][0-9]{8}\b")


@dataclass
class Served:
    """A sandbox that runs, and its calls."""

    url: str
    sandbox: Sandbox
    calls: list[Call]

    def ask(self, path: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], str]:
        """Status, headers and text of an answer, without any library between."""
        given = _key("sub-finance") if headers is None else headers
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, given)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, _lower(answer.headers), answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, _lower(refused.headers), refused.read().decode()


def _key(subscription: str) -> dict[str, str]:
    """The headers in which the two APIs take a subscription's key."""
    return dict.fromkeys(("api-key", "x-api-key"), f"key-of-{subscription}")


def _lower(headers: Message | Json) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    calls: list[Call] = []
    sandbox = make(tmp_path, watch=calls.append)
    with running(sandbox) as url:
        yield Served(url, sandbox, calls)


def backend(call: Call, answer: BackendAnswer) -> Json:
    """A backend's answer as the simulator is given it."""
    if answer.status is None:
        return {"error": "BackendConnectionFailure"}
    headers = {"Content-Type": "text/event-stream" if call.is_stream and answer.reply else "application/json"}
    if answer.wait is not None:
        headers["retry-after"] = str(answer.wait)
    if answer.reply is None:
        return {"status": answer.status, "headers": headers, "body": {"error": answer.error}}
    if call.is_stream:
        return {
            "status": 200,
            "headers": headers,
            "body": "".join(shapes.events(call.surface, answer.reply, call.sent)),
        }
    return {"status": 200, "headers": headers, "body": shapes.whole(call.surface, answer.reply, call.sent)}


def simulated(served: Served, call: Call, body: Any, headers: dict[str, str] | None = None, **more: Any) -> Json:
    """The shipped policies on the same request, with the answers that the backends gave."""
    installation = served.sandbox.deciding.installation
    url = call.url.replace(served.url, "https://apim.contoso.example")
    request: Json = {"url": url, "method": call.method, "body": body}
    if call.caller:
        request["headers"] = {"Authorization": f"Bearer {policies.TOKEN}"}
    if headers:
        request["headers"] = headers
    if "/deployments/" not in url:
        request["matchedParameters"] = {"deployment-id": None}
    changes = {
        "request": request,
        "namedValues": installation.named_values(),
        "backend": [backend(call, each) for each in call.attempts] or [{"status": 200}],
        **more,
    }
    product = call.product or None
    models = None
    if product and product.startswith("team-"):
        allowed = installation.products[product].models
        models, product = " ".join(allowed) if allowed else None, "silver"
    scenario = policies.scenario(changes, product=product)
    if "/deployments/" in url:
        scenario["request"]["matchedParameters"] = {"deployment-id": call.route.deployment if call.route else ""}
    else:
        scenario["request"]["matchedParameters"] = {}
    return sent_alike(policies.effective(product, models=models), scenario)


def sent_alike(policy: str, scenario: Json) -> Json:
    """``send`` with ids and times that are the same in each run, as a record needs; the result has the real ones."""
    text = json.dumps(scenario)
    found = dict.fromkeys(DIFFERENT_EACH_TIME.findall(text))
    alike = {each: "1" + str(number).zfill(len(each) - 1) for number, each in enumerate(found, 1)}
    result = json.dumps(policies.send(policy, json.loads(_replaced(text, alike))))
    real: Json = json.loads(_replaced(result, {stand_in: each for each, stand_in in alike.items()}))
    return real


def _replaced(text: str, by: dict[str, str]) -> str:
    for old, new in by.items():
        text = text.replace(old, new)
    return text


def same(served: Served, answer: tuple[int, dict[str, str], str], body: Any, **more: Any) -> Json:
    """Holds the sandbox's last answer to the policies': status, wait, error, traces and what was sent to the model."""
    status, headers, text = answer
    # A stream's call is noted once its client has it all.
    wait_for(lambda: served.calls)
    (*_, call) = served.calls
    result = simulated(served, call, body, **more)
    client = result["client"]
    assert status == client["status"]
    assert headers.get("retry-after") == _lower(client["headers"]).get("retry-after")
    if status >= 400:
        policies.error(result, claude="/anthropic/" in call.url)
        assert json.loads(text) == client["body"]
    elif isinstance(client["body"], dict):
        assert json.loads(text) == client["body"]
    # The simulator does not tell which member the pool chose.
    hidden = [_without_backend(message) for message in policies.messages(result)]
    assert [_without_backend(each["message"]) for each in call.traces] == hidden
    assert len(result["backend"]) == len([each for each in call.attempts if each.backend])
    for sent in result["backend"]:
        found = sent["body"]
        assert (json.loads(found) if isinstance(found, str) else found) == call.sent
    return result


def _without_backend(message: str) -> str:
    parts = message.split("|")
    return "|".join("backend=" if part.startswith("backend=") else part for part in parts)


REQUESTS: dict[str, tuple[str, Json]] = {
    "deployment": (f"{CLASSIC}/chat/completions?api-version=2024-10-21", ASKED),
    "length": (f"{V1}/chat/completions", ASKED | {"max_completion_tokens": 3, "service_tier": "flex"}),
    "stream": (f"{V1}/chat/completions", ASKED | {"stream": True}),
    "stream, null options": (f"{V1}/chat/completions", ASKED | {"stream": True, "stream_options": None}),
    "stream, declined": (
        f"{V1}/chat/completions",
        ASKED | {"stream": True, "stream_options": {"include_usage": False}},
    ),
    "stream, own data": (
        f"{V1}/chat/completions",
        ASKED | {"stream": True, "data_sources": [{"type": "azure_search"}]},
    ),
    "responses, cut": (f"{V1}/responses", {"model": "chat-mini", "input": "Good morning", "max_output_tokens": 3}),
    "filter": (f"{V1}/chat/completions", ASKED | {"messages": [{"role": "user", "content": "FORBIDDEN"}]}),
    "images": (f"{V1}/images/generations", {"model": "pictures", "prompt": "a lighthouse", "quality": "low"}),
    "unknown deployment": (f"{V1}/chat/completions", ASKED | {"model": "no-such-deployment"}),
    "claude": (CLAUDE, MESSAGE),
    "claude, unknown deployment": (CLAUDE, MESSAGE | {"model": "no-such-deployment"}),
    "claude, no messages": (CLAUDE, {"model": "claude", "max_tokens": 9}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_forwarded_traced_and_answered_as_the_policies_do(served: Served, name: str) -> None:
    path, body = REQUESTS[name]
    same(served, served.ask(path, body), body)


@pytest.mark.parametrize(
    ("broken", "status"),
    [("all", status) for status in (401, 429, 500, 0)] + [("first", 429), ("first", 503)],
)
@pytest.mark.parametrize("request_", ["deployment", "claude"])
def test_a_broken_region_is_answered_as_the_policies_do(
    served: Served, broken: str, status: int, request_: str
) -> None:
    backends = list(served.sandbox.deciding.pools.backends.values())
    for each in backends:
        if broken == "all" or each.account == backends[0].account:
            each.broken = status
    path, body = REQUESTS[request_]
    result = same(served, served.ask(path, body), body)
    if broken == "first":
        assert result["client"]["status"] == 200 and len(served.calls[-1].attempts) == 2


HEADERS = {
    "no credentials": ({}, {}),
    "no token": ({"Authorization": "Bearer none"}, {"token": {"valid": False, "claims": {}}}),
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("request_", ["deployment", "claude"])
def test_who_is_not_let_in_gets_the_policies_answer(served: Served, name: str, request_: str) -> None:
    headers, more = HEADERS[name]
    path, body = REQUESTS[request_]
    answer = served.ask(path, body, headers)
    token = {"Authorization": f"Bearer {policies.TOKEN}"} if "token" in more else {}
    more = more | {"request": {"url": f"https://apim.contoso.example{path}", "body": body, "headers": token}}
    same_as = policies.send(
        policies.effective(None),
        policies.scenario({"namedValues": served.sandbox.deciding.installation.named_values(), **more}, product=None),
    )
    assert answer[0] == same_as["client"]["status"] == 401
    policies.error(same_as, claude=request_ == "claude")
    assert json.loads(answer[2]) == same_as["client"]["body"]


@pytest.mark.parametrize("request_", ["deployment", "claude"])
def test_a_limit_that_is_used_up_is_answered_as_the_policies_do(served: Served, request_: str) -> None:
    served.sandbox.deciding.set_limits("silver", 1, None)
    path, body = REQUESTS[request_]
    assert served.ask(path, body)[0] == 200
    status, headers, text = served.ask(path, body)
    wait = int(headers["retry-after"])
    result = simulated(
        served, served.calls[-1], body, refuse=["llm-token-limit"], variables={"limit-retry-after": wait}
    )
    assert status == result["client"]["status"] == 429 and 1 <= wait <= 60
    wanted = policies.error(result, claude=request_ == "claude")
    assert {**json.loads(text)["error"], "message": ""} == {**wanted, "message": ""}
    assert served.calls[-1].attempts == [] and result["backend"] == []


def test_a_quota_that_is_used_up_is_403_without_a_wait(served: Served) -> None:
    served.sandbox.deciding.set_limits("silver", None, 1)
    path, body = REQUESTS["deployment"]
    assert served.ask(path, body)[0] == 200
    status, headers, text = served.ask(path, body)
    assert (status, headers.get("retry-after")) == (403, None)
    assert json.loads(text)["error"]["code"] == "insufficient_quota"
    # Another subscription of the product has its own.
    assert served.ask(path, body, {"api-key": "key-of-sub-legal"})[0] == 200


#: Bodies that the service may read in another way than the gateway.
UNCLEAR = {
    "twice": (f"{V1}/chat/completions", '{"model": "chat-mini", "messages": [], "model": "chat-prod"}'),
    "other letters": (f"{CLASSIC}/chat/completions?api-version=2024-10-21", '{"Stream": true, "messages": []}'),
    "escaped": (f"{V1}/responses", '{"model": "chat-mini", "store": false, "\\u0073tore": true, "input": "a"}'),
    "cut": (f"{V1}/responses", '{"model": "chat-mini", "input": "a"'),
    "no value": (f"{V1}/responses", '{"model": "chat-mini", "input": "a", "previous_response_id": 1-2}'),
    "claude, twice": (CLAUDE, '{"model": "claude", "max_tokens": 9, "messages": [], "model": "claude"}'),
    "a list": (f"{V1}/responses", '[{"model": "chat-mini"}]'),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_a_body_that_can_be_read_in_two_ways_is_refused_as_the_policies_do(served: Served, name: str) -> None:
    path, body = UNCLEAR[name]
    answer = served.ask(path, body.encode(), _key("sub-finance") | {"Content-Type": "application/json"})
    result = same(served, answer, body)
    assert json.loads(answer[2])["error"]["code"] == "ambiguous_body" and result["backend"] == []


@pytest.mark.parametrize(
    "body",
    [
        '{"model": "chat-mini", "messages": [{"role": "user", "content": "a", "model": 1, "model": 2}]}',
        '{"model": "chat-mini", "messages": [{"role": "user", "content": "\\"model\\": {"}], "other": 1, "other": 2}',
        ' \t{"model": "chat-mini", "messages": [{"role": "user", "content": "a"}]}\r\n',
    ],
)
def test_what_decides_nothing_may_be_there_twice(served: Served, body: str) -> None:
    path = f"{CLASSIC}/chat/completions?api-version=2024-10-21"
    assert served.ask(path, body.encode())[0] == 200


FORM = '--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n{}\r\n--b--\r\n'
#: What a team that may use chat-mini and pictures asks for: path, body, content type, further headers, whether it may.
OF_A_TEAM: dict[str, tuple[str, str, str, dict[str, str], bool]] = {
    "allowed": (f"{V1}/chat/completions", json.dumps(ASKED | {"model": "Chat-Mini"}), "application/json", {}, True),
    "in the path": (
        "/openai/deployments/chat-prod/chat/completions?api-version=2024-10-21",
        json.dumps(ASKED),
        "application/json",
        {},
        False,
    ),
    "none": (f"{V1}/chat/completions", '{"messages": []}', "application/json", {}, False),
    "no text": (f"{V1}/chat/completions", '{"model": ["chat-mini"], "messages": []}', "application/json", {}, False),
    "a tool's": (
        f"{V1}/responses",
        '{"model": "chat-mini", "input": "a", "tools": [{"type": "image_generation", "model": "other"}]}',
        "application/json",
        {},
        False,
    ),
    "a header's": (
        f"{V1}/responses",
        '{"model": "chat-mini", "input": "a"}',
        "application/json",
        {"x-ms-oai-image-generation-deployment": "other"},
        False,
    ),
    "a form's": (f"{V1}/audio/transcriptions", FORM.format("dictation"), "multipart/form-data; boundary=b", {}, False),
}


@pytest.mark.parametrize("name", OF_A_TEAM)
def test_a_team_gets_its_own_deployments_and_is_refused_others_as_the_policies_do(tmp_path: Path, name: str) -> None:
    path, body, kind, more, may = OF_A_TEAM[name]
    (tmp_path / "aoai.toml").write_text(
        DEFAULT.read_text("utf-8").replace(
            "[setup.parameters]\n",
            "[setup.parameters]\n"
            'teams = [{ subscription = "sub-press", product = "silver", models = ["chat-mini", "pictures"] }]\n',
        ),
        "utf-8",
    )
    calls: list[Call] = []
    sandbox = make(tmp_path / "logs", installation=read_installation(tmp_path / "aoai.toml"), watch=calls.append)
    with running(sandbox) as url:
        served = Served(url, sandbox, calls)
        headers = {"api-key": "key-of-sub-press", "Content-Type": kind, **more}
        answer = served.ask(path, body.encode(), headers)
        sent = {name: value for name, value in headers.items() if name != "api-key"}
        result = same(served, answer, body, headers=sent)
    assert calls[0].product == "team-sub-press"
    assert (answer[0] == 200, result["client"]["status"] == 200) == (may, may)
    assert may or json.loads(answer[2])["error"]["code"] == "model_not_allowed"
