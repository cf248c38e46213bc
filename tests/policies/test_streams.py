"""include_usage: which bodies the gateway changes, and that it changes nothing else in them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

import pytest

from tests.policies import gateway

ODD = '"stream": true, "x": [1.0e2, 12345678901234567890],\n "t": "2026-11-01T00:00:00.000Z" }'
PROMPT = '"messages": ' + json.dumps([{"content": '"stream_options": {"a": 1}'}])
ASKED = '"stream_options":{"include_usage":true}'
# What the client sent, what the backend gets (None: the same).
BODIES = {
    "no stream_options": ('{"stream": true, "n": 1}', "{" + ASKED + ',"stream": true, "n": 1}'),
    "empty stream_options": ('{"stream":true,"stream_options":{}}', '{"stream":true,' + ASKED + "}"),
    "null stream_options": ('{"stream":true,"stream_options": null}', '{"stream":true,' + ASKED + "}"),
    "another option stays": (
        '{"stream_options": {"include_obfuscation": false},"stream":true}',
        '{"stream_options":{"include_obfuscation":false,"include_usage":true},"stream":true}',
    ),
    "asked for already": ('{"stream":true,"stream_options":{"include_usage":true}}', None),
    "declined": ('{"stream":true,"stream_options":{"include_usage":false}}', None),
    "no stream": ('{"stream":false}', None),
    "stream unsaid": ('{"messages":[]}', None),
    "stream is no bool": ('{"stream":"perhaps"}', None),
    "stream_options is no object": ('{"stream":true,"stream_options":"all"}', None),
    "dates, numbers and spaces": ("{ " + ODD, "{" + ASKED + ", " + ODD),
    "a prompt about stream_options": (
        '{"stream": true, ' + PROMPT + "}",
        "{" + ASKED + ',"stream": true, ' + PROMPT + "}",
    ),
    "a prompt about them beside them": (
        "{" + PROMPT + ', "stream": true, "stream_options": null}',
        "{" + PROMPT + ', "stream": true, ' + ASKED + "}",
    ),
    "a tool with a member of that name": (
        '{"stream":true,"stream_options":{},"tools":[{"parameters":{"stream_options":{}}}]}',
        '{"stream":true,' + ASKED + ',"tools":[{"parameters":{"stream_options":{}}}]}',
    ),
    "an object in an option": (
        '{"stream":true,"stream_options":{"a":{"b":"}"}}}',
        '{"stream":true,"stream_options":{"a":{"b":"}"},"include_usage":true}}',
    ),
    "an escaped name": (
        r'{"stream":true,"stream\u005foptions":{}}',
        '{"stream":true,' + ASKED + "}",
    ),
    "include_usage is null": (
        '{"stream":true,"stream_options":{"include_usage":null}}',
        '{"stream":true,' + ASKED + "}",
    ),
    "two of that name": ('{"stream":true,"stream_options":null,"stream_options":{}}', None),
    "on your data": ('{"stream":true,"data_sources":[{}]}', None),
    "on your data, as it was called": ('{"stream":true,"dataSources":[{}],"stream_options":{}}', None),
    "no JSON": ('{"stream": true', None),
    "an array": ("[true]", None),
    "text": ("stream", None),
}


@pytest.fixture(scope="module")
def changed() -> dict[str, str]:
    """Every body's way through the fragment, in one run of the simulator: a start costs more than a body."""
    fragment = ET.tostring(ET.parse(gateway.FRAGMENTS / "include-usage.xml").getroot()[0], encoding="unicode")
    steps = "".join(
        f"<set-body>{escape(sent)}</set-body>{fragment}"
        f'<set-variable name="body-{n}" value="@(context.Request.Body.As&lt;string&gt;(preserveContent: true))" />'
        for n, (sent, _) in enumerate(BODIES.values())
    )
    policy = f"<policies><inbound>{steps}<return-response /></inbound></policies>"
    variables = gateway.send(policy, gateway.scenario({}))["variables"]
    return {name: variables[f"body-{n}"] for n, name in enumerate(BODIES)}


@pytest.mark.parametrize("name", BODIES)
def test_a_chat_completion_gets_include_usage_only_where_its_stream_lacks_it(changed, name):
    sent, expected = BODIES[name]
    assert changed[name] == (sent if expected is None else expected)


@pytest.mark.parametrize("name", [name for name, (_, expected) in BODIES.items() if expected is not None])
def test_what_is_expected_says_all_that_was_said_and_include_usage(name):
    sent, expected = (json.loads(text) for text in BODIES[name])
    options = expected.pop("stream_options")
    said = sent.pop("stream_options", None) or {}
    assert expected == sent and options == {**said, "include_usage": True}


ROUTES = {
    "chat of v1": ("/openai/v1/chat/completions", True),
    "chat of v1, preview": ("/openai/v1/chat/completions?api-version=preview", True),
    "chat, the first version that knows it": (
        "/openai/deployments/chat-prod/chat/completions?api-version=2024-09-01-preview",
        True,
    ),
    "chat, the last that does not": (
        "/openai/deployments/chat-prod/chat/completions?api-version=2024-08-01-preview",
        False,
    ),
    "responses": ("/openai/responses?api-version=2025-04-01-preview", False),
    "responses of v1": ("/openai/v1/responses", False),
    "legacy completions": ("/openai/deployments/legacy/completions?api-version=2024-10-21", False),
}


@pytest.mark.parametrize("name", ROUTES)
def test_only_routes_that_know_stream_options_are_asked_for_usage(name):
    path, asked = ROUTES[name]
    body = {"model": "chat-prod", "stream": True, "input": "Good morning"}
    request = {"url": f"https://apim.contoso.example{path}", "body": body}
    result = gateway.send(gateway.effective("silver"), gateway.scenario({"request": request}))
    assert result["backend"][0]["body"] == ({"stream_options": {"include_usage": True}, **body} if asked else body)
    assert result["client"]["status"] == 200
