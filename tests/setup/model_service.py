"""Models and the gateway before them, as far as the setup's tests ask: keys, limits, streams, refusals, and a log."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

KEYS = {"master": "a" * 32, "sub-try-out": "b" * 32, "sub-support-bot": "c" * 32}


@dataclass
class Models:
    """Answers of accounts and gateway. ``asked`` is what the gateway logged: (outcome, backend, attempts)."""

    deployments: tuple[str, ...] = ("chat-mini", "embed-small")
    #: Whether whoever is signed in has the role to ask the models.
    role: bool = False
    #: Tokens that a subscription may still use in this minute.
    left: dict[str, int] = field(default_factory=lambda: {"sub-try-out": 5000, "sub-support-bot": 200_000})
    #: Tokens that the first account's deployment may still reserve in this minute.
    capacity: int = 30_000
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    #: Status that the gateway answers instead, for tests of what is said then.
    broken: int | None = None
    without_usage: bool = False

    def answer(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        """(status, headers, body) of a request; a body of type list is a stream's events."""
        if path.startswith("/model/"):
            return self._directly(headers, body)
        caller = next((name for name, key in KEYS.items() if key == headers.get("api-key")), None)
        if "api-key" in headers and caller is None:
            return self._refused(401, "invalid_api_key")
        if caller is None:
            return self._refused(401, "missing_credentials")
        if self.broken:
            return self._refused(self.broken, "gateway_error")
        if self.left.get(caller, 1) <= 0:
            self.asked.append(("throttled-gateway", "", 0))
            return self._refused(429, "rate_limit_exceeded", {"Retry-After": "30"})
        named = re.search(r"/deployments/([\w-]+)/", path)
        deployment = named[1] if named else str(body.get("model"))
        if deployment not in self.deployments:
            self.asked.append(("not-found", "aoai-eastus2", 1))
            return self._refused(404, "DeploymentNotFound")
        reserved = body.get("max_completion_tokens", 16)
        moved = reserved > self.capacity
        self.capacity -= 0 if moved else reserved
        self.asked.append(("success", "aoai-westus3" if moved else "aoai-eastus2", 2 if moved else 1))
        tokens = len(json.dumps(body.get("messages", body.get("input", ""))).split()) + 5
        if caller in self.left:
            self.left[caller] -= tokens
        return self._answered(body, tokens)

    def _answered(self, body: dict[str, Any], tokens: int) -> tuple[int, dict[str, str], Any]:
        usage = {} if self.without_usage else {"usage": {"total_tokens": tokens}}
        if body.get("stream"):
            chunk = {"choices": [{"delta": {"content": "ready"}}]}
            return 200, {"Content-Type": "text/event-stream"}, [chunk, {"choices": [], **usage}]
        return 200, {}, {"choices": [{"message": {"content": "ready"}}], **usage}

    def _directly(self, headers: dict[str, str], body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        if not headers.get("authorization", "").startswith("Bearer ") or not self.role:
            return self._refused(401, "PermissionDenied")
        return self._answered(body, 12)

    def _refused(
        self, status: int, code: str, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], Any]:
        return status, headers or {}, {"error": {"message": "refused", "type": "test", "param": None, "code": code}}
