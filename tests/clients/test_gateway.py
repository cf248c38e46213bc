"""The gateway on loopback answers, and forwards, as the shipped policies do in the simulator."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.clients.gateway import KEY, NAMED_VALUES, Gateway, Refusal
from tests.policies import gateway as policies

PATHS = {
    "deployment": "/openai/deployments/chat-mini/chat/completions?api-version=2024-10-21",
    "old version": "/openai/deployments/chat-mini/chat/completions?api-version=2024-06-01",
    "v1": "/openai/v1/chat/completions",
    "responses": "/openai/v1/responses",
    "embeddings": "/openai/v1/embeddings",
}
BODIES: dict[str, dict[str, Any]] = {
    "whole": {"messages": []},
    "stream": {"messages": [], "stream": True},
    "stream with null options": {"messages": [], "stream": True, "stream_options": None},
    "stream with another option": {"messages": [], "stream": True, "stream_options": {"include_obfuscation": False}},
    "stream without usage": {"messages": [], "stream": True, "stream_options": {"include_usage": False}},
}


def ask(gateway: Gateway, path: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of an answer, without any library between."""
    request = urllib.request.Request(gateway.url + path, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, dict(refused.headers), refused.read().decode()


def simulated(path: str, body: dict[str, Any], *, product: str | None = "bronze", **more: Any) -> dict[str, Any]:
    """What the policies do to the same request."""
    request = {"url": f"https://apim.contoso.example{path}", "body": body, **more.pop("request", {})}
    return policies.send(policies.effective(product), policies.scenario({"request": request, **more}, product=product))


@policies.needs_simulator
@pytest.mark.parametrize(
    ("path", "body"),
    [*(("deployment", body) for body in BODIES), *((path, "stream") for path in ("old version", "v1", "responses"))],
)
def test_it_forwards_the_body_that_the_policies_forward(gateway: Gateway, path: str, body: str) -> None:
    sent = {"model": "chat-mini", **BODIES[body]}
    assert ask(gateway, PATHS[path], {"api-key": KEY}, sent)[0] == 200
    (forwarded,) = simulated(PATHS[path], sent)["backend"]
    text = forwarded["body"]
    assert gateway.seen[0].sent == (json.loads(text) if isinstance(text, str) else text)


BEARER = {"headers": {"Authorization": f"Bearer {policies.TOKEN}"}}


@policies.needs_simulator
@pytest.mark.parametrize(
    ("headers", "more"),
    [
        ({}, {}),
        ({"Authorization": "Basic YTpi"}, {"request": {"headers": {"Authorization": "Basic YTpi"}}}),
        ({"Authorization": "Bearer none"}, {"request": BEARER, "token": {"valid": False, "claims": {}}}),
        ({"Authorization": f"Bearer {KEY}"}, {"request": BEARER, "token": {"valid": False, "claims": {}}}),
    ],
    ids=["nothing", "basic", "no token", "key as a token"],
)
def test_it_refuses_as_the_policies_refuse(gateway: Gateway, headers: dict[str, str], more: dict[str, Any]) -> None:
    status, _, text = ask(gateway, PATHS["v1"], headers, {"model": "chat-mini", "messages": []})
    result = simulated(PATHS["v1"], {"model": "chat-mini", "messages": []}, product=None, **more)
    assert status == result["client"]["status"]
    assert json.loads(text)["error"] == policies.error(result)


@policies.needs_simulator
def test_it_throttles_as_the_policies_throttle(gateway: Gateway) -> None:
    result = simulated(PATHS["v1"], {"messages": []}, refuse=["llm-token-limit"])
    expected = policies.error(result)
    wait = result["client"]["headers"]["Retry-After"]
    gateway.refuse(Refusal(429, "rate_limit_exceeded", expected["message"], wait))
    status, headers, text = ask(gateway, PATHS["v1"], {"api-key": KEY}, {"messages": []})
    assert (status, headers["Retry-After"]) == (result["client"]["status"], wait)
    assert json.loads(text)["error"] == expected


@pytest.mark.parametrize(
    ("audience", "roles", "seconds", "status"),
    [
        (NAMED_VALUES["entra-audience"], ("Models.Use",), 3600, 200),
        ("https://cognitiveservices.azure.com", ("Models.Use",), 3600, 401),
        (NAMED_VALUES["entra-audience"], (), 3600, 401),
        (NAMED_VALUES["entra-audience"], ("Models.Use",), -1, 401),
    ],
    ids=["good", "another audience", "no role", "ended"],
)
def test_it_takes_only_a_token_for_itself(
    gateway: Gateway, audience: str, roles: tuple[str, ...], seconds: int, status: int
) -> None:
    token = gateway.issue(audience, roles=roles, seconds=seconds)
    headers = {"Authorization": f"Bearer {token}"}
    assert ask(gateway, PATHS["embeddings"], headers, {"model": "embed-small", "input": "a"})[0] == status


def test_it_judges_a_key_before_a_token(gateway: Gateway) -> None:
    token = gateway.issue(NAMED_VALUES["entra-audience"])
    both = {"api-key": "wrong", "Authorization": f"Bearer {token}"}
    assert ask(gateway, PATHS["v1"], both, {"model": "chat-mini"})[0] == 401
    assert ask(gateway, PATHS["v1"], both | {"api-key": KEY}, {"model": "chat-mini"})[0] == 200


@pytest.mark.parametrize("path", ["/openai/v1/files", PATHS["deployment"].partition("?")[0], "/v1/chat/completions"])
def test_it_has_the_routes_that_are_published_and_no_others(gateway: Gateway, path: str) -> None:
    assert ask(gateway, path, {"api-key": KEY}, {})[0] == 404
