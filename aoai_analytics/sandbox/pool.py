"""The pools of backends: who is asked next, which breaker is open, and what was broken on purpose."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from random import Random
from typing import Any

from .installation import Account, Installation, Product
from .limits import Limits
from .model import Model, Refused, Reply, most_tokens
from .policies import answer_row

Json = dict[str, Any]
Clock = Callable[[], float]

#: The wait, in seconds, that a backend broken with 429 names.
BROKEN_WAIT = 20
_BREAKER_WINDOW = 60


@dataclass(frozen=True)
class BackendAnswer:
    """A backend's answer to one attempt. ``status`` None: no answer came. ``wait``: its Retry-After in seconds."""

    backend: str
    status: int | None
    reply: Reply | None = None
    error: Json | None = None
    wait: int | None = None


@dataclass
class Backend:
    """One account by one API: its models, its breaker, and what it is broken with.

    ``broken`` is a status, 0 for no answer; None: it works.
    """

    account: Account
    model: Model
    clock: Clock
    broken: int | None = None
    out_until: float = 0.0
    _failures: list[float] = field(default_factory=list)
    _rates: Limits = field(init=False)

    def __post_init__(self) -> None:
        self._rates = Limits(self.clock)

    @property
    def is_out(self) -> bool:
        """Whether its breaker is open."""
        return self.clock() < self.out_until

    def ask(self, surface: str, deployment: str, body: Json, end: str) -> BackendAnswer:
        """The answer to one attempt."""
        name = self.account.name
        if self.broken == 0:
            return BackendAnswer(name, None)
        if self.broken == 429:
            return self._throttled(BROKEN_WAIT)
        if self.broken:
            message = f"The service of this sandbox account was broken on purpose: {self.broken}."
            return BackendAnswer(name, self.broken, error={"code": str(self.broken), "message": message})
        if surface == "models":
            return BackendAnswer(name, 200)
        if surface == "other":
            message = "The sandbox does not have this operation."
            return BackendAnswer(name, 400, error={"code": "OperationNotSupported", "message": message})
        known = self.account.deployment(deployment)
        rate = Product(deployment, known.tokens_per_minute if known else None, None)
        if exceeded := self._rates.exceeded(deployment, rate):
            return self._throttled(exceeded.wait or 1)
        try:
            reply = self.model.answer(surface, deployment, body, end)
        except Refused as refused:
            return BackendAnswer(name, refused.status, error=refused.error)
        # The service counts the most that a request may use.
        self._rates.count(deployment, reply.usage.prompt + max(most_tokens(body) or 0, reply.usage.completion))
        return BackendAnswer(name, 200, reply)

    def _throttled(self, wait: int) -> BackendAnswer:
        message = f"Requests to this deployment are above its token rate limit. Retry after {wait} seconds."
        return BackendAnswer(self.account.name, 429, error={"code": "429", "message": message}, wait=wait)

    def count(self, answer: BackendAnswer, failures: int, usual: int) -> None:
        """Let the breaker see an answer: after *failures* of those it counts within a minute it opens."""
        if not answer_row(answer.status, waits=answer.wait is not None)["breaker"]:
            return
        now = self.clock()
        self._failures = [*(each for each in self._failures if now - each < _BREAKER_WINDOW), now]
        if len(self._failures) >= failures:
            self.out_until = now + (answer.wait if answer.wait is not None else usual)
            self._failures = []


class Pools:
    """The accounts as ``backends.bicep`` pools them, by priority and weight: those of OpenAI's API, and Claude's.

    ``backends`` has both by name; an account's backend for Claude is its name and ``-claude``.
    """

    def __init__(self, installation: Installation, seed: int, clock: Clock = time.monotonic) -> None:
        self.installation = installation
        self._members = {
            claude: [Backend(each, Model(each), clock) for each in installation.pooled(claude=claude)]
            for claude in (False, True)
        }
        self.backends = {
            f"{each.account.name}{'-claude' if claude else ''}": each
            for claude, members in self._members.items()
            for each in members
        }
        self._rng = Random(f"pool {seed}")

    @property
    def has_claude(self) -> bool:
        """Whether an account has Claude; without one the gateway has no API of Claude's."""
        return bool(self._members[True])

    def next(self, *, claude: bool = False) -> Backend | None:
        """The member that a pool chooses: the lowest priority that has one whose breaker is closed, by weight."""
        ready = [each for each in self._members[claude] if not each.is_out]
        if not ready:
            return None
        first = min(each.account.priority for each in ready)
        ready = [each for each in ready if each.account.priority == first]
        return self._rng.choices(ready, [each.account.weight for each in ready])[0]

    def another(self, tried: Collection[str], *, claude: bool = False) -> Backend | None:
        """The first member whose account was not tried, breaker or not; else what the pool chooses."""
        untried = next((each for each in self._members[claude] if each.account.name not in tried), None)
        if untried is None:
            return self.next(claude=claude)
        return None if untried.is_out else untried

    def attempts(
        self, surface: str, deployment: str, body: Json, end: str, owner: str | None, *, claude: bool = False
    ) -> list[BackendAnswer]:
        """The fragment ``backend-attempts``: the answers of one request, at least one; the last is the one that counts.

        One without a backend's name: every breaker was open, and nobody was asked. *owner* is the account that must be
        asked, if one must.
        """
        installation = self.installation
        found: list[BackendAnswer] = []
        for _ in range(1 + installation.retries):
            previous = found[-1] if found else None
            if owner:
                backend: Backend | None = self.backends[owner]
            elif previous and previous.status != 429:
                backend = self.another([answer.backend for answer in found], claude=claude)
            else:
                backend = self.next(claude=claude)
            if backend is None or (owner and backend.is_out):
                found.append(BackendAnswer("", None))
                break
            answer = backend.ask(surface, deployment, body, end)
            backend.count(answer, self._failures(claude), installation.retry_after)
            found.append(answer)
            if not answer_row(answer.status, waits=answer.wait is not None)["retry"]:
                break
        return found

    def _failures(self, claude: bool) -> int:
        """How many failures open a breaker: beside other accounts, a pool of one has nowhere else to go."""
        usual = self.installation.breaker_failures
        alone = not claude and len(self.installation.accounts) == 1
        return usual if alone or len(self._members[claude]) > 1 else max(3, usual)
