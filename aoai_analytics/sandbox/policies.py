"""The shipped policies' own tables and texts, so that the sandbox decides and speaks as they do.

``setup_scripts/policies`` is read, not repeated: named values, the table of backend answers, the formats of traces,
the refusals' texts, and the routes of the API's OpenAPI document.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..config import shipped

Json = dict[str, Any]

INVALID_KEY = (
    "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription."
)
MISSING_KEY = (
    "Access denied due to missing subscription key. "
    "Make sure to include subscription key when making requests to an API."
)
#: The sandbox's own MCP server, as an API of the gateway.
MCP = "/docs-mcp/mcp"
#: The API whose errors have Anthropic's format.
CLAUDE = "anthropic"


def _read(name: str) -> Any:
    return json.loads((shipped("setup_scripts") / "policies" / name).read_text("utf-8"))


def _fragment(name: str) -> ET.Element:
    return ET.parse(shipped("setup_scripts") / f"policies/fragments/{name}.xml").getroot()


@cache
def fragment_text(name: str) -> str:
    """The expressions of a fragment, as C#: attributes and texts of its elements."""
    return "\n".join("\n".join([*node.attrib.values(), node.text or ""]) for node in _fragment(name).iter())


@cache
def _named_values() -> Json:
    found: Json = _read("named-values.json")
    return found


def named_value(name: str) -> str:
    """The shipped value of a named value of the policies."""
    return str(_named_values()[name]["value"])


@cache
def answers() -> Json:
    """``backend-answers.json``: ``breaker`` and ``answers``."""
    found: Json = _read("backend-answers.json")
    return found


@cache
def answer_row(status: int | None, *, waits: bool = False) -> Json:
    """The table's row of a backend's answer; *status* None is no answer. One that is not listed goes by its class."""
    rows = {row["answer"]: row for row in answers()["answers"]}
    if status is None:
        found: Json = rows["no answer"]
    elif status == 429:
        found = rows["429 with Retry-After" if waits else "429 without Retry-After"]
    else:
        found = rows.get(str(status)) or rows["500" if status >= 500 else "400" if status >= 400 else "200"]
    return found


@cache
def _trace_format() -> Json:
    found: Json = _read("trace-format.json")
    return found


def trace(kind: str, **fields: object) -> Json:
    """A trace record of a kind of ``trace-format.json``."""
    table = _trace_format()
    return {
        "source": table["source"],
        "severity": table["severity"],
        "message": table[kind]["message"].format(**fields),
    }


@cache
def refusal(code: str) -> Json:
    """The error that a policy answers with under this code, without a message where it is made at the time."""
    found = {
        error["code"]: error
        for name in ("gateway-errors", "identity", "request-filter", "backend-errors")
        for node in _fragment(name).iter("set-variable")
        if node.attrib["name"] == "error" and node.attrib["value"].startswith("{")
        for error in [json.loads(re.sub(r"\{\{([\w-]+)\}\}", lambda name: named_value(name[1]), node.attrib["value"]))]
    }
    error: Json = found[code]
    return dict(error)


@cache
def _types_of_claude() -> dict[str, str]:
    """HTTP status -> type of an error of Anthropic's API, as the expression ``error-body`` has them."""
    return dict(re.findall(r"(\d{3}) ([a-z_]+)", named_value("error-body")))


def error_body(api: str, status: int, error: Json) -> Json:
    """The expression ``error-body``: what a client of *api* gets for an *error* of this status."""
    claude = api == CLAUDE
    if "type" not in error or (claude and error["type"] is None):
        if claude:
            kind = _types_of_claude().get(str(status), "api_error" if status >= 500 else "invalid_request_error")
        elif status >= 500 or status == 429:
            kind = "server_error" if status >= 500 else "rate_limit_error"
        else:
            kind = "insufficient_quota" if error.get("code") == "insufficient_quota" else "invalid_request_error"
        error = {**error, "type": kind}
    return {"type": "error", "error": error} if claude else {"error": error}


@cache
def invalid_token() -> str:
    """The message for a token that is not accepted."""
    (node,) = _fragment("identity").iter("validate-azure-ad-token")
    return node.attrib["failed-validation-error-message"]


@cache
def no_answer() -> str:
    """The message where no backend answered."""
    branches = [
        {node.attrib["name"]: node.attrib["value"] for node in when.iterfind("set-variable")}
        for when in _fragment("gateway-errors").iter("when")
    ]
    (text,) = {each["error-message"] for each in branches if "backend_unavailable" in each.get("error", "")}
    return text


@cache
def backend_failed() -> str:
    """The message for a failure of the service that brings none of its own."""
    text = fragment_text("backend-errors")
    (found,) = set(re.findall(r'"(The model\'s service failed[^"]*)"', text))
    return str(found)


@cache
def limit_headers() -> tuple[str, str]:
    """The response headers with the tokens left: of the minute, and of the quota."""
    limit = next(ET.parse(shipped("setup_scripts") / "policies/product-bronze.xml").getroot().iter("llm-token-limit"))
    return limit.attrib["remaining-tokens-header-name"], limit.attrib["remaining-quota-tokens-header-name"]


@dataclass(frozen=True)
class Route:
    """An operation of the API: its id, the surface, and the deployment in the path, '' where the body names it."""

    api: str
    operation: str
    surface: str
    deployment: str


_SURFACES = {
    "/chat/completions": "chat",
    "/completions": "completions",
    "/responses": "responses",
    "/embeddings": "embeddings",
    "/messages": "messages",
    "/models": "models",
    "/images/generations": "images",
    "/images/edits": "images",
    "/audio/transcriptions": "transcriptions",
    "/audio/translations": "transcriptions",
    "/audio/speech": "speech",
}


#: The gateway's APIs: name in the logs -> path.
_APIS = {"azure-openai": "/openai", CLAUDE: "/anthropic"}


@cache
def _routes() -> list[tuple[str, str, re.Pattern[str], str, bool, str]]:
    found = []
    for api, base in _APIS.items():
        file = shipped("setup_scripts") / f"infra/api/{api}.openapi.json"
        for path, operations in json.loads(file.read_text("utf-8"))["paths"].items():
            pattern = re.compile(base + re.sub(r"\{[^}]+\}", "([^/]+)", path))
            surface = next((name for end, name in _SURFACES.items() if path.endswith(end)), "")
            for method, operation in operations.items():
                if surface and isinstance(operation, dict) and "operationId" in operation:
                    needed = [each.get("$ref", "").rpartition("/")[2] for each in operation.get("parameters", [])]
                    version = "apiVersion" in needed
                    found.append((api, method.upper(), pattern, operation["operationId"], version, surface))
    return found


def route_of(method: str, path: str, has_version: bool) -> Route | None:
    """The operation that a request is for; None: the gateway has none."""
    if path == MCP:
        return Route("docs-mcp", "mcp", "mcp", "")
    for api, wanted, pattern, operation, needs_version, surface in _routes():
        if wanted == method and (match := pattern.fullmatch(path)):
            if needs_version and not has_version:
                return None
            return Route(api, operation, surface, "".join(match.groups()))
    return None


def with_usage(surface: str, api_version: str, body: Json) -> tuple[Json, bool]:
    """The fragment ``include-usage``: the body that goes to the model, and whether the client declined usage."""
    if surface != "chat" or body.get("stream") is not True:
        return body, False
    given = body.get("stream_options")
    if given is not None and not isinstance(given, dict):
        return body, False
    options = given or {}
    asked = options.get("include_usage")
    if asked is False:
        return body, True
    if asked is not None or "data_sources" in body or "dataSources" in body or api_version <= "2024-09-01":
        return body, False
    return {**body, "stream_options": {**options, "include_usage": True}}, False
