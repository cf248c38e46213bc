"""A gateway to send one request through: the shipped policies, put together as API Management does, in the simulator.

``send`` holds what must be true of every request: no backend is sent the caller's credentials, nothing of them is
traced or answered, every trace has the format of ``trace-format.json``, and the simulator left nothing out.
"""

from __future__ import annotations

import copy
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.policies.simulator import REPO, SIMULATOR, TOOLS, Asked, answer, ask

POLICIES = REPO / "setup_scripts/policies"
FRAGMENTS = POLICIES / "fragments"
CHECK = TOOLS / "check-apim-policy"

needs_checker = pytest.mark.skipif(not CHECK.exists(), reason="needs ../shared/tools/check-apim-policy")
needs_simulator = pytest.mark.skipif(not SIMULATOR.exists(), reason="needs ../shared/tools/apim-policy")

TRACE_FORMAT = json.loads((POLICIES / "trace-format.json").read_text())
NAMED_VALUES = json.loads((POLICIES / "named-values.json").read_text())
ANSWERS = json.loads((POLICIES / "backend-answers.json").read_text())

KEY, TOKEN = "key-of-the-caller", "token-of-the-caller"
IDENTITY = "Bearer managed-identity:https://cognitiveservices.azure.com"
CHAT = "https://apim.contoso.example/openai/deployments/chat-prod/chat/completions?api-version=2024-10-21"
# A policy that the simulator cannot act out, and that is not seen in what it prints.
KINDS = [name for name, kind in TRACE_FORMAT.items() if isinstance(kind, dict)]
LEFT_OUT = {"llm-semantic-cache-store"}
#: HTTP status -> error type (https://platform.claude.com/docs/en/api/errors); 503 is not listed there.
CLAUDE_STATUS = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
    404: "not_found_error", 409: "conflict_error", 413: "request_too_large", 429: "rate_limit_error",
    500: "api_error", 504: "timeout_error", 529: "overloaded_error",
}  # fmt: skip
CLAUDE_ERRORS = set(CLAUDE_STATUS.values())

Json = dict[str, Any]


def policy_files() -> list[Path]:
    """Every shipped policy document and fragment."""
    return [*sorted(POLICIES.glob("*.xml")), *sorted(FRAGMENTS.glob("*.xml"))]


def with_options(text: str, options: Sequence[str]) -> str:
    """``api.xml`` with options turned on, as a deployment does it: a line replaced by an include."""
    for option in options:
        place = f"<!-- option {option} -->"
        assert place in text, f"api.xml has no place for {option}"
        text = text.replace(place, f'<include-fragment fragment-id="{option}" />')
    return text


def effective(
    product: str | None = None, *, options: Sequence[str] = (), first: str = "", models: str | None = None
) -> str:
    """The effective policy: the API's, with its inbound ``<base />`` replaced by the product's inbound policies.

    ``first`` is XML put before everything, to stand for a step of the gateway itself. ``models`` are the deployments of
    a team's own product, as ``products.bicep`` puts them in.
    """
    root = ET.fromstring(with_options((POLICIES / "api.xml").read_text(), options))
    inbound = root.find("inbound")
    assert inbound is not None and inbound[0].tag == "base"
    outer = list(ET.fromstring(f"<first>{first}</first>"))
    if product:
        text = (POLICIES / f"product-{product}.xml").read_text()
        if models is not None:
            assert "<!-- models -->" in text
            text = text.replace("<!-- models -->", f'<set-variable name="allowed-models" value="{models}" />')
        section = ET.fromstring(text).find("inbound")
        assert section is not None
        outer += [policy for policy in section if policy.tag != "base"]
    inbound[0:1] = outer
    return ET.tostring(root, encoding="unicode")


def scenario(changes: Json, *, product: str | None = "silver") -> Json:
    """A chat completion with a key of ``product`` (none: no credentials), with ``changes`` laid over it."""
    base: Json = {
        "request": {
            "url": CHAT,
            "headers": {"Content-Type": "application/json"},
            "body": {"messages": [{"role": "user", "content": "Good morning"}]},
            "matchedParameters": {"deployment-id": "chat-prod"},
        },
        "api": {"id": "azure-openai", "path": "openai"},
        "namedValues": {
            name: row["value"] or "00000000-0000-0000-0000-000000000001" for name, row in NAMED_VALUES.items()
        },
    }
    if product:
        base |= {"product": {"id": product}, "subscription": {"id": "sub-research", "key": KEY}}
        base["request"]["headers"]["api-key"] = KEY
    return _laid_over(base, changes)


def _laid_over(base: Json, changes: Json) -> Json:
    result = copy.deepcopy(base)
    for name, value in changes.items():
        # A body is one thing: laying it over another would mix two requests.
        both = isinstance(value, dict) and isinstance(result.get(name), dict) and name != "body"
        result[name] = _laid_over(result[name], value) if both else value
    return result


def send(policy: str, request: Json, *, fragments: Path = FRAGMENTS, recorded: bool = True) -> Json:
    """What the simulator says of one request: ``client``, ``backend``, ``traces``, ``metrics``, ``variables`` …

    Not ``recorded``: the request depends on the time of day, so the simulator is always asked.
    """
    asked = Asked(policy, json.dumps(request), {file.name: file.read_text() for file in fragments.glob("*.xml")})
    result = answer(asked) if recorded else ask(asked)
    for part in ("client", "backend", "sendRequest", "traces", "metrics"):
        text = json.dumps(result[part])
        assert KEY not in text and TOKEN not in text, f"{part} holds the caller's credentials"
    for sent in result["backend"]:
        assert sent["headers"]["Authorization"] == IDENTITY
    for trace in result["traces"]:
        assert trace["source"] == TRACE_FORMAT["source"]
        assert trace["severity"] == TRACE_FORMAT["severity"].lower()
        assert any(re.search(TRACE_FORMAT[kind]["pattern"], trace["message"]) for kind in KINDS)
    assert set(result["notSimulated"]) <= LEFT_OUT
    return result


def messages(result: Json) -> list[str]:
    """The messages traced, in order."""
    return [trace["message"] for trace in result["traces"]]


def attempt(number: int, code: int, backend: str = "aoai-pool") -> str:
    """The trace of one attempt, from the shared definition."""
    return TRACE_FORMAT["attempt"]["message"].format(attempt=number, backend=backend, code=code)


def error(result: Json, *, claude: bool = False) -> Json:
    """The client's error, held to OpenAI's shape, or, of ``claude``'s API, to Anthropic's."""
    client = result["client"]
    assert client["headers"]["Content-Type"] == "application/json"
    found: Json = client["body"]["error"]
    if claude:
        assert list(client["body"]) == ["type", "error"] and client["body"]["type"] == "error"
        assert found["type"] in CLAUDE_ERRORS
    else:
        assert list(client["body"]) == ["error"]
        assert {"message", "type", "param", "code"} <= set(found)
    assert isinstance(found["message"], str) and found["message"]
    return found
