"""A gateway on loopback that does to a request what ``setup_scripts/policies`` says, and a place to get tokens from.

Routes come from the API's OpenAPI document, refusals and settings from the policies themselves, so that a change there
is met here. ``test_gateway.py`` holds the behaviour against the policies in the simulator.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.clients.model import Json, answer
from tests.conftest import REPO

POLICIES = REPO / "setup_scripts/policies"
NAMED_VALUES = {name: row["value"] for name, row in json.loads((POLICIES / "named-values.json").read_text()).items()}
ROUTES = json.loads((REPO / "setup_scripts/infra/api/azure-openai.openapi.json").read_text())["paths"]
KEY, SUBSCRIPTION = "0123456789abcdef0123456789abcdef", "sub-try-out"
TENANT, CALLER = "11111111-2222-3333-4444-555555555555", "4f6f2c1a-0000-4000-8000-00000000000a"
#: Proves to the token endpoint that it is asked from the machine itself, as App Service does.
IDENTITY_HEADER = "loopback"

_identity = ET.parse(POLICIES / "fragments/identity.xml").getroot()
(_missing,) = (json.loads(node.text or "")["error"] for node in _identity.iter("set-body"))
(_validation,) = _identity.iter("validate-azure-ad-token")
BAD_TOKEN = _validation.attrib["failed-validation-error-message"]
BAD_KEY = "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription."
#: The gateway's refusals by code, as the two fragments for errors make them; most get their message at the time.
REFUSALS: dict[str, Json] = {
    error["code"]: error
    for error in [
        *(
            json.loads(node.attrib["value"])
            for node in ET.parse(POLICIES / "fragments/gateway-errors.xml").getroot().iter("set-variable")
            if node.attrib["name"] == "error"
        ),
        *(
            json.loads(node.text)["error"]
            for node in ET.parse(POLICIES / "fragments/backend-errors.xml").getroot().iter("set-body")
            if node.text and node.text.startswith("{")
        ),
    ]
}


@dataclass(frozen=True)
class Seen:
    """One request to the API: how it came in, what the model was sent, and the answer's status."""

    method: str
    route: str
    caller: str
    status: int
    headers: dict[str, str]
    sent: Json = field(default_factory=dict)


@dataclass
class Refusal:
    """The next ``times`` requests are refused with this, whatever they ask."""

    status: int
    code: str
    message: str = "Refused."
    retry_after: str = ""
    times: int = 1


class Gateway(ThreadingHTTPServer):
    """``with Gateway() as gateway``: serves at ``gateway.url`` and notes every request in ``gateway.seen``."""

    daemon_threads = True
    # Otherwise closing waits for connections that a client's pool keeps open.
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.seen: list[Seen] = []
        self.refusals: list[Refusal] = []
        self.tokens_issued = 0
        self._secret = hashlib.sha256(str(id(self)).encode()).digest()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def __exit__(self, *exc: object) -> None:
        self.shutdown()
        super().__exit__(*exc)

    def refuse(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)

    def next_refusal(self) -> Refusal | None:
        if not self.refusals:
            return None
        first = self.refusals[0]
        first.times -= 1
        if not first.times:
            self.refusals.pop(0)
        return first

    def issue(self, audience: str, *, roles: tuple[str, ...] = ("Models.Use",), seconds: int = 3600) -> str:
        """A token of this gateway's tenant for ``audience``."""
        self.tokens_issued += 1
        claims = {"aud": audience, "tid": TENANT, "oid": CALLER, "roles": roles, "exp": int(time.time()) + seconds}
        parts = [{"typ": "JWT", "alg": "HS256"}, claims]
        text = ".".join(_base64(json.dumps(part).encode()) for part in parts)
        return f"{text}.{self._signature(text)}"

    def claims(self, token: str) -> Json | None:
        """What the token says of its bearer, where ``validate-azure-ad-token`` would let it pass; else None."""
        text, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature, self._signature(text)):
            return None
        found: Json = json.loads(base64.urlsafe_b64decode(text.partition(".")[2] + "=="))
        good = found["aud"] == NAMED_VALUES["entra-audience"] and NAMED_VALUES["entra-role"] in found["roles"]
        return found if good and found["exp"] > time.time() else None

    def _signature(self, text: str) -> str:
        return _base64(hmac.digest(self._secret, text.encode(), "sha256"))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def with_usage(path: str, api_version: str, body: Json) -> Json:
    """The fragment ``include-usage``: a chat completion's stream that leaves the question open asks for its usage."""
    options = body.get("stream_options")
    open_question = body.get("stream") is True and (options is None or "include_usage" not in options)
    if path.endswith("/chat/completions") and api_version > "2024-09-01" and open_question:
        return {**body, "stream_options": {**(options or {}), "include_usage": True}}
    return body


def route_of(method: str, path: str, query: dict[str, list[str]]) -> tuple[str, str] | None:
    """The OpenAPI document's route of a request and the deployment in its path ('' where the body names it)."""
    for route, operations in ROUTES.items():
        pattern = "/openai" + re.sub(r"\{[^}]+\}", "([^/]+)", route)
        if (found := re.fullmatch(pattern, path)) and method.lower() in operations:
            needed = [name["$ref"].rpartition("/")[2] for name in operations[method.lower()].get("parameters", [])]
            if "apiVersion" in needed and "api-version" not in query:
                return None
            return route, "".join(found.groups())
    return None


class _Handler(BaseHTTPRequestHandler):
    server: Gateway
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Standard error belongs to the tests."""

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._serve(json.loads(text))

    def _serve(self, body: Json) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if url.path == "/identity":
            self._token(query)
            return
        route = route_of(self.command, url.path, query)
        if route is None:
            self._error(404, {"message": "Resource not found", "type": "invalid_request_error"}, "no such route", "")
            return
        name, deployment = route
        key = self.headers.get("api-key") or "".join(query.get("subscription-key", []))
        bearer = re.match(r"(?i)bearer (.*)", self.headers.get("Authorization", ""))
        claims = self.server.claims(bearer[1]) if bearer and not key else None
        if key and key != KEY:
            self._error(401, {**REFUSALS["invalid_api_key"], "message": BAD_KEY}, name, "")
        elif not key and bearer and claims is None:
            self._error(401, {**REFUSALS["invalid_api_key"], "message": BAD_TOKEN}, name, "")
        elif not key and not bearer:
            self._error(401, _missing, name, "")
        else:
            caller = f"token {claims['oid']}" if claims else f"key {SUBSCRIPTION}"
            self._admitted(name, deployment, caller, query, body)

    def _admitted(self, route: str, deployment: str, caller: str, query: dict[str, list[str]], body: Json) -> None:
        refusal = self.server.next_refusal()
        if refusal:
            error = {"message": refusal.message, **REFUSALS[refusal.code]}
            self._error(refusal.status, error, route, caller, refusal.retry_after, body)
            return
        if route == "/v1/models":
            self._json(200, {"object": "list", "data": []}, route, caller, {})
            return
        sent = with_usage(route, "".join(query.get("api-version", ["v1"])), body)
        surface = next((name for name in ("chat", "responses", "embeddings") if f"/{name}" in route), "other")
        result = answer(surface, deployment or body.get("model", ""), sent)
        if result.events:
            self._stream(result.events, route, caller, sent)
        elif result.status >= 400:
            assert result.body is not None
            own = {name: value for name, value in result.body["error"].items() if value is not None}
            error = {"type": "invalid_request_error", "param": None, "code": None, **own}
            self._error(result.status, error, route, caller, sent=sent)
        else:
            assert result.body is not None
            self._json(result.status, result.body, route, caller, sent)

    def _token(self, query: dict[str, list[str]]) -> None:
        assert self.headers["X-IDENTITY-HEADER"] == IDENTITY_HEADER
        (audience,) = query["resource"]
        answered = {"access_token": self.server.issue(audience), "expires_on": str(int(time.time()) + 3600)}
        self._send(200, {**answered, "resource": audience, "token_type": "Bearer"})

    def _error(
        self, status: int, error: Json, route: str, caller: str, retry_after: str = "", sent: Json | None = None
    ) -> None:
        whole = {
            "message": error["message"],
            "type": error.get("type"),
            "param": error.get("param"),
            "code": error.get("code"),
            **error,
        }
        self._json(status, {"error": whole}, route, caller, sent or {}, {"Retry-After": retry_after})

    def _json(
        self, status: int, body: Json, route: str, caller: str, sent: Json, headers: dict[str, str] | None = None
    ) -> None:
        self._note(status, route, caller, sent)
        self._send(status, body, {**_REMAINING, **(headers or {})})

    def _note(self, status: int, route: str, caller: str, sent: Json) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append(Seen(self.command, route, caller, status, headers, sent))

    def _send(self, status: int, body: Json, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, events: tuple[str, ...], route: str, caller: str, sent: Json) -> None:
        self._note(200, route, caller, sent)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in _REMAINING.items():
            self.send_header(name, value)
        self.end_headers()
        for event in events:
            data = event.encode()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")


#: What is left of the caller's limits, in the headers that the limit policies name.
_limit: dict[str, Any] = next(ET.parse(POLICIES / "product-bronze.xml").getroot().iter("llm-token-limit")).attrib
_REMAINING = {
    _limit["remaining-tokens-header-name"]: "4979",
    _limit["remaining-quota-tokens-header-name"]: "1999979",
}
