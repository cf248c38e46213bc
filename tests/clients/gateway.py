"""The sandbox with the settings of ``docs/clients.md``, which notes requests as they come in, and refuses on demand."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aoai_analytics.sandbox import policies
from aoai_analytics.sandbox.app import Sandbox
from aoai_analytics.sandbox.call import Call
from aoai_analytics.sandbox.decide import Answer, Deciding
from aoai_analytics.sandbox.installation import Deployment, Installation, read_installation
from aoai_analytics.sandbox.log import Log
from aoai_analytics.sandbox.serve import running
from tests.conftest import REPO

Json = dict[str, Any]

KEY, SUBSCRIPTION = "0123456789abcdef0123456789abcdef", "sub-try-out"


CLAUDE = Deployment(name="claude", model="claude-sonnet-5", version="1")


def installation() -> Installation:
    """That of the setup's example, with the page's key, Entra tokens and Claude."""
    example = read_installation(REPO / "notebooks/setup/aoai.example.toml")
    subscription = replace(example.subscriptions[SUBSCRIPTION], key=KEY)
    accounts = tuple(each.model_copy(update={"deployments": (*each.deployments, CLAUDE)}) for each in example.accounts)
    return replace(example, accounts=accounts, accepts_tokens=True, subscriptions={SUBSCRIPTION: subscription})


@dataclass(frozen=True)
class Seen:
    """One request to the API: how it came in, the answer's status, what the model was sent, and its tokens."""

    route: str
    caller: str
    status: int
    headers: dict[str, str]
    sent: Json = field(default_factory=dict)
    tokens: int = 0


@dataclass
class Refusal:
    """The next ``times`` requests are refused with this, whatever they ask."""

    status: int
    code: str
    message: str = "Refused."
    retry_after: str = ""
    times: int = 1


class _Noting(Deciding):
    """Decides as the sandbox does, but refuses on demand, and notes each request before it is answered."""

    def __init__(self) -> None:
        super().__init__(installation())
        self.seen: list[Seen] = []
        self.refusals: list[Refusal] = []

    def answer(self, call: Call, path: str, query: Mapping[str, str]) -> Answer:
        answer = self._refused(path) or super().answer(call, path, query)
        caller = f"token {call.caller}" if call.caller else f"key {call.subscription}"
        route = path.removeprefix("/openai")
        if call.deployment and not route.startswith("/v1"):
            route = route.replace(call.deployment, "{deployment-id}")
        reply = call.answered.reply if call.answered else None
        tokens = reply.usage.total if reply else 0
        self.seen.append(Seen(route, caller, answer.status, call.headers, call.sent, tokens))
        return answer

    def _refused(self, path: str) -> Answer | None:
        if not self.refusals:
            return None
        first = self.refusals[0]
        first.times -= 1
        if not first.times:
            self.refusals.pop(0)
        headers = {"Retry-After": first.retry_after} if first.retry_after else {}
        error = {"message": first.message, **policies.refusal(first.code)}
        api = policies.CLAUDE if path.startswith("/anthropic/") else ""
        return Answer(first.status, policies.error_body(api, first.status, error), headers)


class Gateway:
    """``with Gateway() as gateway``: serves at ``gateway.url`` and notes every request in ``gateway.seen``."""

    def __init__(self) -> None:
        self._deciding = _Noting()
        self._stack = ExitStack()
        self.seen, self.refusals = self._deciding.seen, self._deciding.refusals
        self.issue = self._deciding.issuer.issue
        self.url = ""

    def __enter__(self) -> Gateway:
        logs = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        sandbox = Sandbox(self._deciding, Log(logs, body_bytes=0))
        self.url = self._stack.enter_context(running(sandbox))
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def refuse(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)
