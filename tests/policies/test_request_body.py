"""Which member of a body the gateway decides by: a service that read another would do what the caller may not."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

import pytest

from tests.policies import gateway

DEEP = "[" * 100 + "]" * 100
# A body, and what makes it ambiguous: the member, "unread" for what is no JSON, None for nothing.
BODIES = {
    "plain": ('{"model": "a", "messages": [{"content": "\\"model\\": 1, {"}]}', None),
    "empty": ("", None),
    "an empty object": (" {} ", None),
    "a byte order mark": ('\ufeff{"model": "a"}', None),
    "an escaped name": (r'{"mod\u0065l": "a"}', None),
    "deep": ('{"model": "a", "x": ' + DEEP + "}", None),
    "nested members of the name": ('{"model": "a", "tools": [{"model": "b", "user": 1}, {"model": "c"}]}', None),
    "numbers and words": ('{"model": "a", "x": [-1.5E+3, true, false, null, 1e-2]}', None),
    "another member twice": ('{"model": "a", "n": 1, "n": 2}', None),
    "stream_options twice": ('{"model": "a", "stream_options": {}, "stream_options": {}}', None),
    "data as it was called": ('{"dataSources": [], "messages": []}', None),
    "model twice": ('{"model": "a", "model": "b"}', "model"),
    "model twice, the same": ('{"model": "a", "model": "a"}', "model"),
    "model twice, escaped": (r'{"model": "a", "\u006dod\u0065l": "b"}', "model"),
    "model twice, far apart": ('{"model": "a", "messages": [{"model": "x"}], "x": {"y": []}, "model": "b"}', "model"),
    "model in capitals": ('{"Model": "a"}', "model"),
    "model in capitals beside it": ('{"model": "a", "MODEL": "b"}', "model"),
    "two objects": ('{"model": "a"} {"model": "b"}', "model"),
    "stream twice": ('{"stream": true, "stream": false}', "stream"),
    "user in capitals": ('{"user": "a", "User": "b"}', "user"),
    "max_tokens twice": ('{"max_tokens": 1, "max_tokens": 9}', "max_tokens"),
    "max_completion_tokens in capitals": ('{"Max_Completion_Tokens": 9}', "max_completion_tokens"),
    "data_sources twice": ('{"data_sources": [], "data_sources": [{}]}', "data_sources"),
    "data as it was called, twice": ('{"dataSources": [], "datasources": [{}]}', "dataSources"),
    "previous_response_id twice": (
        '{"previous_response_id": "resp_1", "previous_response_id": null}',
        "previous_response_id",
    ),
    "previous_response_id, escaped": (
        r'{"previous_response_id": "resp_1", "previous\u005fresponse_id": "resp_2"}',
        "previous_response_id",
    ),
    "messages twice": ('{"messages": [], "messages": [{"content": "x"}]}', "messages"),
    "single quotes": ("{'model': 'a'}", "unread"),
    "a comment": ('{"model": "a" /* "model": "b" */}', "unread"),
    "no quotes": ('{model: "a"}', "unread"),
    "cut": ('{"model": "a"', "unread"),
    "cut in a name": ('{"mod', "unread"),
    "an array": ('[{"model": "a"}]', "unread"),
    "text": ("model=a", "unread"),
    "an earlier response without a value": ('{"model": "a", "previous_response_id":, "input": "x"}', "unread"),
    "an earlier response that is no value": ('{"model": "a", "previous_response_id": 1-2}', "unread"),
    "a conversation that is no value": ('{"model": "a", "conversation": truefalse}', "unread"),
    "a conversation as an object": ('{"model": "a", "conversation": {"id": "conv_1"}}', None),
}
# Who asks v1 for what, with a team that may use chat-mini and embed-small: the body or form, and whether it goes on.
PART = "Content-Disposition: form-data; {}\r\n\r\n{}\r\n--x"
FORMS = {
    "allowed": ([('name="model"', "chat-mini")], True),
    "allowed, in capitals": ([('name="model"', "Chat-Mini")], True),
    "refused": ([('name="model"', "chat-prod")], False),
    "none": ([('name="file"; filename="model.mp3"', "x")], False),
    "two": ([('name="model"', "chat-mini"), ('name="model"', "chat-prod")], False),
    "two, one without quotes": ([('name="model"', "chat-mini"), ("name=model", "chat-prod")], False),
    "two, one in capitals": ([('name="model"', "chat-mini"), ('Name="Model"', "chat-prod")], False),
    "two, one with spaces": ([('name="model"', "chat-mini"), ('name = "model"', "chat-prod")], False),
    "two, one encoded": ([('name="model"', "chat-mini"), ("name*=utf-8''model", "chat-prod")], False),
    "beside a file of the name": ([('name="model"', "chat-mini"), ('name="file"; filename="model"', "x")], True),
    "beside a longer name": ([('name="model"', "chat-mini"), ('name="model_kwargs"', "x")], True),
}
ASKED = {
    "allowed": ({"model": "chat-mini"}, True),
    "allowed, in capitals": ({"model": "CHAT-MINI"}, True),
    "refused": ({"model": "chat-prod"}, False),
    "with a space": ({"model": "chat-mini "}, False),
    "none": ({"input": "x"}, False),
    "null": ({"model": None}, False),
    "a number": ({"model": 1}, False),
    "a list": ({"model": ["chat-mini"]}, False),
    "two names in one": ({"model": "chat-mini embed-small"}, False),
    "a tool's model, refused": (
        {"model": "chat-mini", "tools": [{"type": "image_generation", "model": "pics"}]},
        False,
    ),
    "a tool's model, allowed": ({"model": "chat-mini", "tools": [{"type": "x", "model": "embed-small"}]}, True),
    "tools without": ({"model": "chat-mini", "tools": [{"type": "function", "function": {"name": "model"}}]}, True),
}


def expression(fragment: str, variable: str) -> str:
    """The step of a fragment that sets a variable."""
    root = ET.parse(gateway.FRAGMENTS / f"{fragment}.xml").getroot()
    (found,) = (node for node in root.iter("set-variable") if node.attrib["name"] == variable)
    return ET.tostring(found, encoding="unicode")


@pytest.fixture(scope="module")
def said() -> gateway.Json:
    """Every body's and form's way through the two fragments, in one run of the simulator: a start costs the most."""
    given, allowed = expression("request-body", "given"), expression("allowed-models", "model-allowed")

    def step(name: str, body: str, kind: str, variable: str) -> str:
        keep = f'<set-variable name="{name}" value="@((object)context.Variables[&quot;{variable}&quot;])" />'
        head = f'<set-header name="Content-Type" exists-action="override"><value>{kind}</value></set-header>'
        return f"{head}<set-body>{escape(body)}</set-body>{given}{allowed}{keep}"

    steps = ['<set-variable name="allowed-models" value="chat-mini embed-small" />']
    steps += [step(f"body {name}", body, "application/json", "given") for name, (body, _) in BODIES.items()]
    for name, (parts, _) in FORMS.items():
        form = "--x\r\n" + "\r\n".join(PART.format(*part) for part in parts) + "--"
        steps.append(step(f"form {name}", form, "Multipart/form-data; boundary=x", "model-allowed"))
    steps += [
        step(f"asked {n}", json.dumps(body), "application/json", "model-allowed") for n, (body, _) in ASKED.items()
    ]
    policy = f"<policies><inbound>{''.join(steps)}<return-response /></inbound></policies>"
    # Forms are read on the routes that take files only; a body is read alike on all.
    request = {"url": "https://apim.contoso.example/openai/v1/audio/transcriptions", "matchedParameters": {}}
    result: gateway.Json = gateway.send(policy, gateway.scenario({"request": request}))["variables"]
    return result


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_two_readers_can_read_in_two_ways_is_found(said, name):
    assert said[f"body {name}"].get("#") == BODIES[name][1]


@pytest.mark.parametrize("name", [name for name, (_, wrong) in BODIES.items() if wrong is None])
def test_a_member_is_read_as_json_says(said, name):
    body = json.loads(BODIES[name][0].strip("\ufeff ") or "{}")
    given = said[f"body {name}"]
    assert {key: json.loads(given[key]) for key in ("model", "tools") if key in given} == {
        key: body[key] for key in ("model", "tools") if key in body
    }


@pytest.mark.parametrize("name", FORMS)
def test_each_field_of_a_form_that_can_be_the_model_must_be_allowed(said, name):
    assert said[f"form {name}"] is FORMS[name][1]


@pytest.mark.parametrize("name", ASKED)
def test_each_model_that_a_body_names_must_be_allowed(said, name):
    assert said[f"asked {name}"] is ASKED[name][1]
